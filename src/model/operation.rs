//! Plans, their steps, and operations: a plan being carried out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Actor;
use super::database::{DataAction, DataKind};
use super::deploy::{DeployStrategy, Phase};
use super::platform::{Declares, PlatformAction};
use super::release::Release;
use super::trigger::Verdict;
use super::validation::Validation;
use super::{CommandId, DecisionId, IdempotencyKey, OperationId, ServiceName, Span, TriggerName};

/// How a release is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All the traffic at once.
    #[default]
    Immediate,
    /// Half, look, then all.
    Gradual,
    /// At once, behind the maintenance page where the platform has one.
    Emergency,
}

impl Strategy {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Gradual => "gradual",
            Self::Emergency => "emergency",
        }
    }
}

/// What a plan is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum PlanKind {
    /// Take a release back. What plans were before they had a kind.
    #[default]
    RollBack,
    /// Give the canary all the traffic.
    Promote,
    /// Turn the maintenance page on or off. Moves no traffic between releases.
    Maintenance {
        /// On.
        on: bool,
    },
    /// Bring a release in.
    Deploy {
        /// By which strategy.
        how: DeployStrategy,
    },
    /// Change a database. Moves no traffic, and no release comes or goes.
    Database {
        /// How.
        change: DataKind,
    },
    /// Run more or fewer instances of what serves. Moves no traffic between releases.
    Scale {
        /// How many.
        instances: u32,
    },
    /// Stop what was left running beside the release that serves. Moves no traffic.
    CleanUp,
}

impl PlanKind {
    /// Whether traffic moves between releases by it.
    pub const fn moves_traffic(self) -> bool {
        matches!(self, Self::RollBack | Self::Promote | Self::Deploy { .. })
    }

    /// The noun on screen.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::RollBack => "rollback",
            Self::Promote => "promotion",
            Self::Maintenance { .. } => "maintenance",
            Self::Deploy { .. } => "deployment",
            Self::Database { change } => change.noun(),
            Self::Scale { .. } => "scaling",
            Self::CleanUp => "clean-up",
        }
    }
}

/// One action of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What it does, in words.
    pub title: String,
    /// What it does.
    pub action: Action,
    /// What has to be true of the platform right before it; a reading that says otherwise stops the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requirement>,
    /// Time after which it has failed.
    pub timeout: Span,
    /// How often a transient failure is tried again.
    pub retries: u32,
    /// The same on every attempt, also after a crash.
    pub key: IdempotencyKey,
    /// What may be done when nobody knows whether it has happened.
    pub declares: Declares,
    /// The part of a deployment that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
}

/// What a step does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Action {
    /// Changes something on the service's platform.
    Platform {
        /// What.
        action: PlatformAction,
    },
    /// Waits and stops the operation if the target release gets worse meanwhile. Changes nothing.
    Watch {
        /// How long.
        lasts: Span,
    },
    /// Waits until the release that is now live is seen healthy. Changes nothing.
    Verify {
        /// How long it has to be healthy without a break.
        hold: Span,
        /// When it is given up, counted from the start of the step.
        deadline: Span,
        /// Only by probes, because no user traffic arrives (maintenance page).
        probes_only: bool,
    },
    /// Waits while the release that is brought in serves its share, and fails when it is not well. Changes nothing.
    Stage {
        /// Its share of the traffic, in percent.
        percent: u8,
        /// How long; at the end it has to be seen healthy.
        lasts: Span,
        /// How much longer that is waited for.
        patience: Span,
    },
    /// Waits until a person says go. Changes nothing.
    Confirm {
        /// When it is given up, counted from the start of the step.
        deadline: Span,
    },
    /// Tries whether the release may go on. Changes nothing on the platform.
    Validate {
        /// By what.
        what: Validation,
    },
    /// Changes a database.
    Data {
        /// What.
        what: DataAction,
    },
}

impl Action {
    /// Whether it only waits and looks, and changes nothing.
    pub const fn only_waits(&self) -> bool {
        !matches!(self, Self::Platform { .. } | Self::Data { .. })
    }
}

/// What has to be true of the platform before a step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Requirement {
    /// The target still exists there, and nothing but the two ends of the plan gets traffic.
    OnlyTheseServe {
        /// The releases of the plan.
        releases: Vec<super::ReleaseRef>,
    },
}

/// Where a step stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun; whether it has happened is not known yet.
    Started {
        /// When the first attempt was journaled.
        at: Timestamp,
        /// Attempts so far.
        attempt: u32,
    },
    /// A transient failure; it is tried again.
    Waiting {
        /// When the first attempt was journaled.
        started_at: Timestamp,
        /// Attempts so far.
        attempt: u32,
        /// When the next one is due.
        until: Timestamp,
    },
    /// Happened.
    Succeeded {
        /// When that was known.
        at: Timestamp,
        /// It had already happened and was not done again.
        adopted: bool,
    },
    /// Did not happen.
    Failed {
        /// When that was known.
        at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Not needed.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Begun by a process that is gone; whether it has happened is not known.
    Unknown {
        /// When the first attempt was journaled.
        started_at: Timestamp,
        /// Attempts so far.
        attempt: u32,
    },
}

/// An ordered list of steps with a purpose.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What it is for. Journals from before there were kinds hold rollbacks alone.
    #[serde(default)]
    pub kind: PlanKind,
    /// The service.
    pub service: ServiceName,
    /// What it is for, in words.
    pub purpose: String,
    /// How.
    pub strategy: Strategy,
    /// The release that is left. For maintenance the one that serves, which stays.
    pub from: Release,
    /// The release that gets the traffic. For maintenance the same as `from`.
    pub to: Release,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The time that each phase of a deployment should take, with what its steps wait for by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<(Phase, Span)>,
    /// Of a rollback: nothing says that the release that is left is bad, so it is not recorded as that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spares: bool,
}

impl Plan {
    /// The word for how it is done.
    pub const fn how(&self) -> &'static str {
        match self.kind {
            PlanKind::Deploy { how } => how.word(),
            _ => self.strategy.word(),
        }
    }
}

/// One execution of a plan.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What is carried out.
    pub plan: Plan,
    /// Where each step stands; as many as the plan has steps.
    pub steps: Vec<StepState>,
    /// Where the whole stands.
    pub status: OperationStatus,
    /// Who asked for it.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// The decision that asked for it, if it was automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionId>,
    /// The command that asked for it, if a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandId>,
    /// When it was planned.
    pub at: Timestamp,
    /// When all traffic was on the release that was to get it, if that has been seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_back_at: Option<Timestamp>,
    /// A person asked to stop; it stops at the next step.
    #[serde(default)]
    pub cancelling: bool,
    /// A person holds it: no further step is begun until it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// A person asked to take the release back that is being brought in: the operation stops and goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_back: Option<TakenBack>,
    /// How the release was that it brought in, later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Watched>,
    /// The triggers that came up since that was looked at last.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub raised: BTreeSet<TriggerName>,
}

/// How a release was some time after it was brought in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Watched {
    /// How long after.
    pub window: Span,
    /// When that was seen.
    pub at: Timestamp,
    /// How its service was.
    pub verdict: Verdict,
    /// The triggers that had come up since the look before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raised: Vec<TriggerName>,
}

impl Watched {
    /// See [`watched_words`].
    pub fn words(&self) -> String {
        watched_words(&self.verdict, &self.raised)
    }
}

/// How a release was some time after it came: `healthy, nothing came up`, or `healthy; errors, latency came up`.
pub fn watched_words(verdict: &Verdict, raised: &[TriggerName]) -> String {
    if raised.is_empty() {
        return format!("{}, nothing came up", verdict.word());
    }
    let names: Vec<&str> = raised.iter().map(TriggerName::as_str).collect();
    format!("{}; {} came up", verdict.word(), names.join(", "))
}

/// Who takes a release back that is still being brought in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TakenBack {
    /// The command that asked for it.
    pub command: CommandId,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// How.
    pub strategy: Strategy,
}

/// An operation is held by a person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// Who holds it.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

impl Operation {
    /// The step that is being worked on: the first that has neither succeeded nor been skipped.
    pub fn current(&self) -> Option<usize> {
        self.steps
            .iter()
            .position(|step| !matches!(step, StepState::Succeeded { .. } | StepState::Skipped { .. }))
    }

    /// Whether it waits for a person to say go.
    pub fn awaits_confirmation(&self) -> bool {
        self.is_open()
            && self.current().is_some_and(|step| {
                matches!(self.plan.steps[step].action, Action::Confirm { .. })
                    && matches!(self.steps[step], StepState::Started { .. })
            })
    }

    /// Whether a step that moves traffic between releases was begun: also one that failed may have moved some.
    pub fn may_have_moved(&self) -> bool {
        self.plan.steps.iter().zip(&self.steps).any(|(step, state)| {
            let moves = matches!(
                step.action,
                Action::Platform {
                    action: PlatformAction::ShiftTraffic { .. } | PlatformAction::Restore { .. }
                }
            );
            moves && !matches!(state, StepState::Pending | StepState::Skipped { .. })
        })
    }

    /// Whether it may still change something.
    pub const fn is_open(&self) -> bool {
        !matches!(self.status, OperationStatus::Ended { .. })
    }
}

/// Where an operation stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum OperationStatus {
    /// Journaled; no step begun.
    Planned,
    /// A step is being worked on.
    Running,
    /// It cannot know whether a step has happened; a person has to say.
    NeedsDecision {
        /// The step.
        step: usize,
        /// What is known.
        facts: String,
    },
    /// Nothing more happens.
    Ended {
        /// How.
        outcome: Outcome,
        /// In words.
        detail: String,
        /// When.
        at: Timestamp,
    },
}

/// How an operation ended. What is said of traffic is said of maintenance where it applies: verified means that the page is as
/// asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The traffic is where it was to go, and the release that is now live is healthy.
    Verified,
    /// The traffic is there, and the service is not healthy. After a rollback: the release that was left was not the cause, or
    /// not alone. After a promotion: the release that was promoted is not well with all the traffic.
    NotRecovered,
    /// The traffic is there, and there were not enough data to say how the service is.
    Unverified,
    /// A step failed; where the traffic goes has to be looked at.
    Failed,
    /// A person stopped it.
    Cancelled,
}

impl Outcome {
    /// The words on screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::NotRecovered => "not recovered",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
