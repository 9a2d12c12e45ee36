//! Decisions: what findings add up to, and what may forbid acting on them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::PlanKind;
use super::release::Release;
use super::trigger::Finding;
use super::{DecisionId, ServiceName};

/// What is recommended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    /// Nothing is wrong enough to change anything; keep looking.
    Watch,
    /// Do not go on and do not go back: what is known does not allow either.
    Hold,
    /// Run more instances: what is wrong is load, and not the release.
    ScaleOut,
    /// Take the release back: half the traffic, look, then all.
    RollBackGradually,
    /// Take the release back at once.
    RollBackImmediately,
}

impl Recommendation {
    /// The words on screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Watch => "keep watching",
            Self::Hold => "hold",
            Self::ScaleOut => "scale out",
            Self::RollBackGradually => "roll back gradually",
            Self::RollBackImmediately => "roll back immediately",
        }
    }

    /// Whether it asks for a change.
    pub const fn acts(self) -> bool {
        self.rolls_back() || matches!(self, Self::ScaleOut)
    }

    /// Whether it asks to take the release back.
    pub const fn rolls_back(self) -> bool {
        matches!(self, Self::RollBackGradually | Self::RollBackImmediately)
    }
}

/// What may forbid an action.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Guardrail {
    /// The environment is configured read-only. Nobody can override it from here.
    ReadOnly,
    /// Automatic action is off. Does not concern what a person asks for.
    Automatic,
    /// One operation on a service at a time. Nobody can override it: cancel the one that runs.
    Busy,
    /// A freeze holds.
    Freeze,
    /// The last rollback of the service is not long enough ago.
    Cooldown,
    /// As many rollbacks of the service as allowed since a person last looked.
    Maximum,
    /// What is known of the service is too old to act on.
    StaleData,
    /// There is a release to give the traffic to, it is not the one being left, and nothing recorded speaks against it.
    Target,
    /// The target works with the database as it is.
    Schema,
    /// The canary that would be promoted is seen healthy.
    Health,
}

impl Guardrail {
    /// All, in the order in which they are consulted and shown.
    pub const ALL: [Self; 10] = [
        Self::ReadOnly,
        Self::Automatic,
        Self::Busy,
        Self::Freeze,
        Self::Cooldown,
        Self::Maximum,
        Self::StaleData,
        Self::Target,
        Self::Schema,
        Self::Health,
    ];

    /// The word in `--override` and on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Automatic => "automatic",
            Self::Busy => "busy",
            Self::Freeze => "freeze",
            Self::Cooldown => "cooldown",
            Self::Maximum => "maximum",
            Self::StaleData => "stale-data",
            Self::Target => "target",
            Self::Schema => "schema",
            Self::Health => "health",
        }
    }

    /// Whether it is consulted for a plan of this kind. Asking too often is the rollbacks' danger, and only a promotion gives more
    /// traffic to a release that has to be healthy for it. The maintenance page is for the worst moments: only what nobody can
    /// override stands before it.
    pub const fn concerns(self, kind: PlanKind) -> bool {
        match kind {
            PlanKind::RollBack => !matches!(self, Self::Health),
            PlanKind::Promote => !matches!(self, Self::Automatic | Self::Cooldown | Self::Maximum),
            PlanKind::Maintenance { .. } => matches!(self, Self::ReadOnly | Self::Busy),
            PlanKind::Database { .. } => matches!(self, Self::ReadOnly | Self::Busy | Self::Freeze),
            // More instances of the same are no release: a freeze does not concern them.
            PlanKind::Scale { .. } => {
                matches!(
                    self,
                    Self::ReadOnly
                        | Self::Automatic
                        | Self::Busy
                        | Self::Cooldown
                        | Self::StaleData
                        | Self::Target
                )
            }
            PlanKind::CleanUp => matches!(self, Self::ReadOnly | Self::Automatic | Self::Busy | Self::Target),
            // A release that has no traffic yet has no health to be seen.
            PlanKind::Deploy { .. } => {
                !matches!(self, Self::Automatic | Self::Cooldown | Self::Maximum | Self::Health)
            }
        }
    }

    /// Whether it does not concern what a person asks for.
    pub const fn only_automatic(self, kind: PlanKind) -> bool {
        match self {
            Self::Automatic => true,
            // A person sees for themselves how much runs.
            Self::Cooldown | Self::StaleData => matches!(kind, PlanKind::Scale { .. }),
            _ => false,
        }
    }

    /// Whether a person may override it with a reason.
    pub const fn can_override(self) -> bool {
        !matches!(self, Self::ReadOnly | Self::Busy | Self::Automatic)
    }
}

/// One guardrail, consulted for one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GuardrailCheck {
    /// Which.
    pub guardrail: Guardrail,
    /// Whether it lets the action pass.
    pub passes: bool,
    /// What it looked at, in words: "last rollback 12 m ago, cooldown 5 m".
    pub detail: String,
    /// When it would pass, if it is only a matter of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The reason a person gave for overriding it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<String>,
}

impl GuardrailCheck {
    /// Whether it stops the action: it does not pass and nobody overrode it.
    pub const fn blocks(&self) -> bool {
        !self.passes && self.overridden.is_none()
    }
}

/// What the findings on a service add up to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// The service.
    pub service: ServiceName,
    /// When.
    pub at: Timestamp,
    /// What is recommended.
    pub recommendation: Recommendation,
    /// 0 to 1: how sure the findings together make it that the release is the cause.
    pub confidence: f64,
    /// Why, one for each thing that counted.
    pub reasons: Vec<String>,
    /// The findings it rests on, with their evidence.
    pub findings: Vec<Finding>,
    /// What is not known.
    pub unknowns: Vec<String>,
    /// The guardrails consulted.
    pub guardrails: Vec<GuardrailCheck>,
    /// The release that would be left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Release>,
    /// The release that would be returned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Release>,
    /// Whether an operation was started for it.
    pub acted: bool,
    /// What would lead to another decision.
    pub would_change: Vec<String>,
}
