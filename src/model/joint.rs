//! Joint operations: several services one after the other, in the order of what depends on what, and back again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::{Actor, Override};
use super::deploy::DeployStrategy;
use super::operation::{Outcome, Strategy};
use super::{CommandId, JointId, OperationId, ReleaseRef, ServiceName, Version};

/// What is done to each service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum JointKind {
    /// A release is brought in: first to those that others depend on.
    Deploy {
        /// How; none: as the config says of each service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        how: Option<DeployStrategy>,
        /// The sender says go in advance: no switch waits for anybody.
        #[serde(default)]
        confirmed: bool,
    },
    /// A release is taken back: first from those that depend on others.
    RollBack {
        /// How.
        strategy: Strategy,
    },
}

impl JointKind {
    /// The noun on screen.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Deploy { .. } => "joint deployment",
            Self::RollBack { .. } => "joint rollback",
        }
    }
}

/// One service of a joint operation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JointPart {
    /// The service.
    pub service: ServiceName,
    /// The version that it gets; of a rollback none: what the engine chooses by evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The release that the sender saw live; if another is by then, the part is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ReleaseRef>,
}

/// What is asked when several services are to change together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Together {
    /// What.
    pub kind: JointKind,
    /// The services, in any order, each once.
    pub parts: Vec<JointPart>,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves for each of them, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// Where a part stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PartState {
    /// Its turn has not come.
    Waiting,
    /// Its operation runs.
    Running {
        /// The operation.
        operation: OperationId,
    },
    /// It was verified.
    Done {
        /// The operation.
        operation: OperationId,
    },
    /// It did not come to its end. What it had moved goes back by its own way.
    Failed {
        /// The operation; none: it was not begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationId>,
        /// Why.
        reason: String,
    },
    /// It was done and is taken back, because another one failed.
    GoingBack {
        /// The operation.
        operation: OperationId,
    },
    /// It was taken back.
    Back {
        /// The operation.
        operation: OperationId,
    },
    /// It was done and could not be taken back: a person is needed.
    NotBack {
        /// The operation; none: it was not begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationId>,
        /// Why.
        reason: String,
    },
}

impl PartState {
    /// The words on screen.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waits",
            Self::Running { .. } => "runs",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
            Self::GoingBack { .. } => "goes back",
            Self::Back { .. } => "taken back",
            Self::NotBack { .. } => "NOT back",
        }
    }

    /// The operation that it is about.
    pub const fn operation(&self) -> Option<&OperationId> {
        match self {
            Self::Waiting => None,
            Self::Running { operation }
            | Self::Done { operation }
            | Self::GoingBack { operation }
            | Self::Back { operation } => Some(operation),
            Self::Failed { operation, .. } | Self::NotBack { operation, .. } => operation.as_ref(),
        }
    }

    /// Why it is so, where that has to be said.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed { reason, .. } | Self::NotBack { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

/// What happens to a joint operation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum JointChange {
    /// It was asked for.
    Planned {
        /// What.
        kind: JointKind,
        /// The services, in the order in which they come.
        parts: Vec<JointPart>,
        /// Who asked.
        by: Actor,
        /// Why.
        reason: String,
        /// The command.
        command: CommandId,
        /// The guardrails that were taken upon oneself.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        overrides: Vec<Override>,
    },
    /// A part stands elsewhere.
    Part {
        /// Which.
        part: usize,
        /// Where.
        to: PartState,
    },
    /// No further part is begun; what was done of a deployment is taken back.
    Turned {
        /// Why.
        reason: String,
        /// Whether a person asked for it.
        #[serde(default)]
        cancelled: bool,
    },
    /// Nothing more happens.
    Ended {
        /// How.
        outcome: Outcome,
        /// In words.
        detail: String,
    },
}

/// One joint operation.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Joint {
    /// Its id.
    pub id: JointId,
    /// What.
    pub kind: JointKind,
    /// The services, in the order in which they come.
    pub parts: Vec<JointPart>,
    /// Where each stands; as many as there are parts.
    pub states: Vec<PartState>,
    /// Who asked.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// The command.
    pub command: CommandId,
    /// The guardrails that were taken upon oneself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// When it was asked for.
    pub at: Timestamp,
    /// Why no further part is begun, and whether a person asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned: Option<(String, bool)>,
    /// How it ended, in words, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(Outcome, String, Timestamp)>,
}

impl Joint {
    /// Whether anything may still happen.
    pub const fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// The part that an operation is about.
    pub fn part_of(&self, operation: &OperationId) -> Option<usize> {
        self.states.iter().position(|state| state.operation() == Some(operation))
    }

    /// In a line: `payments 1.4.0 done, checkout 2.9.0 runs (op-12), cart waits`.
    pub fn words(&self) -> String {
        let parts = self.parts.iter().zip(&self.states).map(|(part, state)| {
            let version = part.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
            let operation = match state {
                PartState::Running { operation } | PartState::GoingBack { operation } => {
                    format!(" ({operation})")
                }
                _ => String::new(),
            };
            format!("{}{version} {}{operation}", part.service, state.word())
        });
        parts.collect::<Vec<_>>().join(", ")
    }
}
