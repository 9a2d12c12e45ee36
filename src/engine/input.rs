//! What goes into the core and what comes out, besides events.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Config, RunbookText};
use crate::model::breaker::{BreakerStatus, Dependency};
use crate::model::command::Envelope;
use crate::model::database::DataAction;
use crate::model::notification::Notification;
use crate::model::operation::{Action, Requirement};
use crate::model::platform::{Capabilities, Declares, PlatformAction};
use crate::model::probe::ProbeResult;
use crate::model::received::{AlarmBatch, AlarmPoll};
use crate::model::release::{Inventory, Release};
use crate::model::source::SourceReport;
use crate::model::validation::Validation;
use crate::model::{IdempotencyKey, NotificationId, OperationId, RunbookName, ServiceName, Span};
use crate::templates::Templates;

/// What the core is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A probe ran.
    Probe(ProbeResult),
    /// A source was read.
    Source(SourceReport),
    /// A platform was read.
    Inventory {
        /// The service.
        service: ServiceName,
        /// When the reading was asked for.
        at: Timestamp,
        /// What it says, or why it cannot be read.
        result: Result<Inventory, String>,
    },
    /// The breaker around something outside has changed.
    Breaker {
        /// What is behind it.
        dependency: Dependency,
        /// How it is now.
        status: BreakerStatus,
    },
    /// A step of an operation ended.
    StepFinished(StepFinished),
    /// Somebody asks for something.
    Command(Envelope),
    /// Others sent alarms.
    Alarms(AlarmBatch),
    /// The Alertmanager was asked which alarms there are.
    AlarmPoll(AlarmPoll),
    /// This process became the leader.
    Leading {
        /// Who, as `guard@host:pid`.
        holder: String,
        /// Its program's version.
        program: String,
    },
    /// A message has ended. Each ends exactly once.
    NotificationFinished {
        /// The message.
        id: NotificationId,
        /// Attempts made.
        attempt: u32,
        /// How.
        end: DeliveryEnd,
    },
    /// A page was not taken in time, or its channel is left alone: its fallback is to send it too.
    NotificationFellOver {
        /// The page.
        id: NotificationId,
        /// Why.
        reason: String,
    },
}

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryEnd {
    /// The other side took it. That a person saw it is not known.
    Accepted {
        /// What the other side said, if it is worth keeping.
        detail: String,
    },
    /// It was given up: refused for good, or too old.
    Failed(String),
    /// It was left out on purpose.
    Suppressed(String),
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub struct StepFinished {
    /// The operation.
    pub operation: OperationId,
    /// The step.
    pub step: usize,
    /// The attempt that this answers; an answer to another attempt is old.
    pub attempt: u32,
    /// How it ended.
    pub result: StepResult,
    /// The platform as it was read last, if it was.
    pub inventory: Option<Inventory>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub enum StepResult {
    /// Its post-condition holds.
    Done {
        /// It already held before anything was called.
        adopted: bool,
        /// What the platform said.
        detail: String,
    },
    /// It did not happen and may work later.
    Transient(String),
    /// It did not happen, or not completely, and will not.
    Failed(String),
    /// It may have happened.
    Unclear(String),
}

/// What the core wants done. Every effect's reason is an event that is durable before the effect is carried out.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Carry out a step.
    RunStep(RunStep),
    /// Try whether a release may go on.
    Validate(RunValidation),
    /// Change a database.
    Change(RunChange),
    /// Read a service's platform now.
    ReadPlatform(ServiceName),
    /// Ask the Alertmanager now which alarms there are.
    AskAlarms,
    /// Send a message.
    Notify(Notification),
    /// Send no more of the messages whose key is this one or below it. One that is on its way arrives all the same; all
    /// others end as suppressed.
    Withdraw {
        /// `INC-12`, or `INC-12/2` for one level's.
        key: String,
        /// Only those that call for somebody: pages. Otherwise all.
        pages_only: bool,
        /// Why, for the journal: `acknowledged by ana`.
        reason: String,
    },
}

/// A step to be carried out on a platform.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStep {
    /// The operation.
    pub operation: OperationId,
    /// The step.
    pub step: usize,
    /// Which attempt.
    pub attempt: u32,
    /// The service.
    pub service: ServiceName,
    /// What.
    pub action: PlatformAction,
    /// What has to be true before.
    pub requires: Option<Requirement>,
    /// The same on every attempt.
    pub key: IdempotencyKey,
    /// Time after which it has failed.
    pub timeout: Span,
    /// Whether a reading shows if it has happened. Then the platform is read first, and what already holds is not done
    /// again.
    pub declares: Declares,
    /// An earlier attempt may have happened and may still be going on: look, and wait until the platform has settled,
    /// before doing it.
    pub may_have_happened: bool,
}

/// A trial to be carried out. It ends as a step does, and is given up when its operation ends before it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunValidation {
    /// The operation.
    pub operation: OperationId,
    /// The step.
    pub step: usize,
    /// Which attempt.
    pub attempt: u32,
    /// The service.
    pub service: ServiceName,
    /// The release that is brought in.
    pub release: Release,
    /// What.
    pub what: Validation,
    /// Time after which it has failed.
    pub timeout: Span,
}

/// A change of a database. It ends as a step does.
#[derive(Clone, Debug, PartialEq)]
pub struct RunChange {
    /// The operation.
    pub operation: OperationId,
    /// The step.
    pub step: usize,
    /// Which attempt.
    pub attempt: u32,
    /// What.
    pub what: DataAction,
    /// Time after which it is given up.
    pub timeout: Span,
}

/// What the core knows of the world besides the events: the config, and what the platforms can do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The environment.
    pub config: Arc<Config>,
    /// The runbooks of the config, as they were read.
    pub runbooks: BTreeMap<RunbookName, RunbookText>,
    /// The texts of messages.
    pub templates: Arc<Templates>,
    /// What each service's platform can do and declares.
    pub platforms: BTreeMap<ServiceName, PlatformFacts>,
    /// Whether all of this is a drill: its incidents and messages say so.
    pub drill: bool,
    /// Whether this process may act without being asked. One that was started for a single command may not.
    pub by_itself: bool,
}

/// What a platform says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformFacts {
    /// What can be done there.
    pub capabilities: Capabilities,
    /// About [`PlatformAction::Deploy`].
    pub deploy: Declares,
    /// About [`PlatformAction::ShiftTraffic`].
    pub shift: Declares,
    /// About [`PlatformAction::Restore`].
    pub restore: Declares,
    /// About [`PlatformAction::Maintenance`].
    pub maintenance: Declares,
}

impl PlatformFacts {
    /// What it declares of a step's action. What only waits can always be done again.
    pub const fn declares(&self, action: &Action) -> Declares {
        match action {
            Action::Platform { action } => match action {
                PlatformAction::Deploy { .. } => self.deploy,
                PlatformAction::ShiftTraffic { .. } => self.shift,
                PlatformAction::Restore { .. } => self.restore,
                PlatformAction::Maintenance { .. } => self.maintenance,
                // No reading shows what a cache has forgotten, and forgetting twice is forgetting.
                PlatformAction::Purge => Declares { observable: false, idempotent: true },
                // So many are so many, and what is stopped stays so.
                PlatformAction::Scale { .. }
                | PlatformAction::Stop { .. }
                | PlatformAction::Remove { .. } => Declares { observable: true, idempotent: true },
            },
            // Its plan says so; no platform knows of it.
            Action::Data { .. } => Declares { observable: false, idempotent: false },
            // What changes nothing can always be done again.
            Action::Watch { .. }
            | Action::Verify { .. }
            | Action::Stage { .. }
            | Action::Confirm { .. }
            | Action::Validate { .. } => Declares { observable: true, idempotent: true },
        }
    }
}
