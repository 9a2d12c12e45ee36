//! Bringing a release in: by which strategy, in which stages, within which time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LoadName, Span, SuiteName};

/// How a release is brought in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeployStrategy {
    /// The candidate is brought up and tested beside the live release, then all the traffic goes to it after a person said go.
    #[default]
    BlueGreen,
    /// A small part of the traffic first, then more, each part judged.
    Canary,
    /// Part by part without comparing; on a platform without weights its own rolling update.
    Rolling,
    /// At once, with the critical checks alone.
    Emergency,
}

impl DeployStrategy {
    /// All.
    pub const ALL: [Self; 4] = [Self::BlueGreen, Self::Canary, Self::Rolling, Self::Emergency];

    /// The word in configs, on the command line and on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::BlueGreen => "blue-green",
            Self::Canary => "canary",
            Self::Rolling => "rolling",
            Self::Emergency => "emergency",
        }
    }
}

impl std::str::FromStr for DeployStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|strategy| strategy.word() == text).ok_or_else(|| {
            format!("no strategy `{text}`; strategies: {}", Self::ALL.map(Self::word).join(", "))
        })
    }
}

/// The part of a deployment that a step belongs to, each with a time that it should take.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// What has to be true before anything is changed.
    Preparation,
    /// The release is brought up and tested without users.
    Candidate,
    /// Traffic moves.
    Switch,
    /// The release that is now live is looked at.
    Validation,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Preparation, Self::Candidate, Self::Switch, Self::Validation];

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Preparation => "preparation",
            Self::Candidate => "candidate",
            Self::Switch => "switch",
            Self::Validation => "validation",
        }
    }
}

/// A share of the traffic, and how long it is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Percent of the traffic for the release that is brought in.
    #[schemars(range(min = 1, max = 99))]
    pub percent: u8,
    /// How long it has to serve that much and be healthy at the end.
    pub watch: Span,
}

const fn stage(percent: u8, secs: u64) -> StageSpec {
    StageSpec { percent, watch: Span::secs(secs) }
}

/// How releases are brought in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeploySpec {
    /// The strategy where nobody names one.
    pub strategy: DeployStrategy,
    /// The stages of a canary before it gets everything.
    pub canary: Vec<StageSpec>,
    /// The stages of a blue/green switch before the candidate gets everything; none: at once.
    pub blue_green: Vec<StageSpec>,
    /// The stages of a rolling deployment before the release gets everything.
    pub rolling: Vec<StageSpec>,
    /// Whether a person has to say go before a blue/green switch.
    pub confirm: bool,
    /// How long that is waited for; then the deployment ends without having moved anything.
    pub confirm_within: Span,
    /// How much longer than its time a stage waits to see the release healthy; then the deployment goes back.
    pub patience: Span,
    /// How long the release has to be healthy with all the traffic.
    pub verify_hold: Span,
    /// After this the verification is given up.
    pub verify_deadline: Span,
    /// What is looked at once the release has all the traffic, one after the other; a phase that fails takes it back.
    pub validation: Vec<ValidationPhase>,
    /// The times that the phases should take. Longer is said, and changes nothing.
    pub budget: BudgetSpec,
    /// When the release is looked at again after it was brought in, the earliest first: how it is and what came up goes into the
    /// record. The triggers act meanwhile as ever.
    pub windows: Vec<Span>,
    /// How long after a verified deployment the instances of the release that was left are stopped, where the platform keeps them
    /// running; what they have begun is finished by then. None: they are left running, and the way back is the shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_old_after: Option<Span>,
    /// How many releases the platform keeps, the newest, once a deployment was verified; older ones that do not run are removed, but
    /// for what a rollback would go to. None: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2))]
    pub keep: Option<u32>,
    /// The folder into which the environment variables of what serves are written before anything is changed. They are in clear
    /// text there, readable for the owner alone. None: they are not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<String>,
}

impl Default for DeploySpec {
    fn default() -> Self {
        Self {
            strategy: DeployStrategy::BlueGreen,
            canary: vec![stage(5, 900), stage(10, 120), stage(25, 120), stage(50, 120), stage(75, 120)],
            blue_green: Vec::new(),
            rolling: vec![stage(25, 30), stage(50, 30), stage(75, 30)],
            confirm: true,
            confirm_within: Span::secs(3_600),
            patience: Span::secs(300),
            verify_hold: Span::secs(30),
            verify_deadline: Span::secs(120),
            validation: Vec::new(),
            budget: BudgetSpec::default(),
            windows: vec![Span::secs(300), Span::secs(1_800), Span::secs(86_400)],
            stop_old_after: None,
            keep: None,
            variables: None,
        }
    }
}

impl DeploySpec {
    /// The stages of a strategy before everything.
    pub fn stages(&self, how: DeployStrategy) -> &[StageSpec] {
        match how {
            DeployStrategy::BlueGreen => &self.blue_green,
            DeployStrategy::Canary => &self.canary,
            DeployStrategy::Rolling => &self.rolling,
            DeployStrategy::Emergency => &[],
        }
    }
}

/// One thing that is looked at once a release has all the traffic: for how long it is watched, a smoke suite, or a load run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidationPhase {
    /// What people call it.
    pub name: String,
    /// How long the release is watched by probes, triggers and judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Span>,
    /// A smoke suite that has to pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smoke: Option<SuiteName>,
    /// A load run that has to stay within its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadName>,
}

/// The time that each phase should take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSpec {
    /// Checks.
    pub preparation: Span,
    /// Bringing the candidate up and testing it.
    pub candidate: Span,
    /// Moving the traffic, beside the time that the stages take by themselves.
    pub switch: Span,
    /// Looking at the live release, beside the time that it is watched for.
    pub validation: Span,
}

impl Default for BudgetSpec {
    fn default() -> Self {
        Self {
            preparation: Span::secs(600),
            candidate: Span::secs(900),
            switch: Span::secs(300),
            validation: Span::secs(600),
        }
    }
}

impl BudgetSpec {
    /// Of one phase.
    pub const fn of(&self, phase: Phase) -> Span {
        match phase {
            Phase::Preparation => self.preparation,
            Phase::Candidate => self.candidate,
            Phase::Switch => self.switch,
            Phase::Validation => self.validation,
        }
    }
}
