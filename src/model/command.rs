//! What people (and the tools they run) ask of the engine. Every face sends these and nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checklist::ItemAct;
use super::database::{DataAsk, DataKind, Migration};
use super::decision::Guardrail;
use super::deploy::DeployStrategy;
use super::incident::{IncidentAsk, Level, Ticked};
use super::joint::{JointKind, Together};
use super::operation::Strategy;
use super::received::AlarmBatch;
use super::release::Quality;
use super::{
    CommandId, DatabaseName, IncidentId, ItemId, OperationId, ReleaseRef, RunId, RunbookName, ServiceName,
    Version,
};

/// Who acts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    /// The engine by itself.
    Engine,
    /// A person.
    Person {
        /// By the name they gave, or their login.
        name: String,
    },
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine => f.write_str("unship"),
            Self::Person { name } => f.write_str(name),
        }
    }
}

/// A command on its way to the leader.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// Chosen by the sender; a second command with the same id changes nothing.
    pub id: CommandId,
    /// Who sends it.
    pub by: Actor,
    /// When it was sent. A leader refuses a command that has waited too long: the world has moved on.
    pub at: Timestamp,
    /// What is asked.
    pub command: Command,
}

/// What is asked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Command {
    /// Take a release back.
    RollBack(RollBack),
    /// Give the canary all the traffic.
    Promote(Promote),
    /// Turn the maintenance page of a service on or off.
    Maintenance {
        /// The service.
        service: ServiceName,
        /// On.
        on: bool,
        /// Why.
        reason: String,
    },
    /// Hold an operation: no further step is begun until it is resumed.
    Pause {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: String,
    },
    /// Let a paused operation go on.
    Resume {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: String,
    },
    /// Stop an operation at its next step.
    Cancel {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: String,
    },
    /// Say what happened where the engine cannot know.
    Settle {
        /// The operation.
        operation: OperationId,
        /// What to do.
        choice: Settlement,
        /// Why.
        reason: String,
    },
    /// Say what a release is worth.
    Mark {
        /// The service.
        service: ServiceName,
        /// The release.
        version: Version,
        /// What it is worth.
        quality: Quality,
        /// Why.
        reason: String,
    },
    /// Forbid rollbacks and promotions for a time.
    Freeze {
        /// The service; none for all.
        service: Option<ServiceName>,
        /// Until when; none until lifted.
        until: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// Lift a freeze.
    Thaw {
        /// The service; none for the freeze on all.
        service: Option<ServiceName>,
        /// Why.
        reason: String,
    },
    /// Turn automatic action on or off.
    Automatic {
        /// On.
        on: bool,
        /// Why.
        reason: String,
    },
    /// Record what serves as stable now as what the next release is compared with, or forget what was recorded.
    Baseline {
        /// The service.
        service: ServiceName,
        /// Record; else forget.
        set: bool,
        /// Why.
        reason: String,
    },
    /// Set the count of rollbacks back to zero: a person has looked.
    Reset {
        /// The service.
        service: ServiceName,
        /// Why.
        reason: String,
    },
    /// Declare an incident.
    OpenIncident {
        /// The services that are hurt, as far as is known; may be none.
        services: Vec<ServiceName>,
        /// What is wrong, in a few words.
        title: String,
        /// How bad it is.
        level: Level,
    },
    /// Say that somebody works on an incident.
    Acknowledge {
        /// The incident.
        incident: IncidentId,
    },
    /// Tick an item of an incident's checklist, or take a tick back.
    Tick {
        /// The incident.
        incident: IncidentId,
        /// The item.
        item: ItemId,
        /// How it was settled; none takes the tick back.
        ticked: Option<Ticked>,
        /// What the others should know of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// Say how bad an incident is.
    SetLevel {
        /// The incident.
        incident: IncidentId,
        /// How bad.
        level: Level,
        /// Why.
        reason: String,
    },
    /// Say that an incident is over.
    Resolve {
        /// The incident.
        incident: IncidentId,
        /// What ended it.
        reason: String,
    },
    /// Write something down in an incident.
    Note {
        /// The incident.
        incident: IncidentId,
        /// What.
        text: String,
    },
    /// Ask something about an incident.
    Incident {
        /// The incident.
        incident: IncidentId,
        /// What.
        ask: IncidentAsk,
    },
    /// Do something to an item of a checklist.
    Item {
        /// The incident.
        incident: IncidentId,
        /// The checklist; none: the first that has the item.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<RunId>,
        /// The item.
        item: ItemId,
        /// How often the item had changed when the sender looked; if it has changed since, the command is refused. None:
        /// whatever it is like.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<u64>,
        /// What.
        act: ItemAct,
    },
    /// Work through a runbook.
    Attach {
        /// The incident.
        incident: IncidentId,
        /// The runbook.
        runbook: RunbookName,
    },
    /// Take in alarms that others have sent. It comes from no person and is journaled only as what it changes.
    Alarms(AlarmBatch),
    /// Bring a release in.
    Deploy(Deploy),
    /// Say go where a deployment waits for it.
    Confirm {
        /// The operation.
        operation: OperationId,
        /// Why.
        reason: String,
    },
    /// Let a checklist go on with its runbook as it is now.
    Rebase(Rebase),
    /// Change a database.
    Database(DataChange),
    /// Run more or fewer instances of what serves.
    Scale(Scale),
    /// Change several services together.
    Together(Together),
    /// Stop what was left running beside the release that serves.
    CleanUp {
        /// The service.
        service: ServiceName,
        /// Why.
        reason: String,
    },
}

impl Command {
    /// The word in logs and on screen.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::RollBack(_) => "roll back",
            Self::Promote(_) => "promote",
            Self::Maintenance { on: true, .. } => "turn the maintenance page on",
            Self::Maintenance { on: false, .. } => "turn the maintenance page off",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Cancel { .. } => "cancel",
            Self::Settle { .. } => "settle",
            Self::Mark { .. } => "mark",
            Self::Freeze { .. } => "freeze",
            Self::Thaw { .. } => "lift a freeze",
            Self::Automatic { on: true, .. } => "turn automatic action on",
            Self::Automatic { on: false, .. } => "turn automatic action off",
            Self::Baseline { set: true, .. } => "record a baseline",
            Self::Baseline { set: false, .. } => "forget a baseline",
            Self::Reset { .. } => "reset the count of rollbacks",
            Self::OpenIncident { .. } => "open an incident",
            Self::Acknowledge { .. } => "acknowledge",
            Self::Tick { ticked: Some(_), .. } => "tick an item",
            Self::Tick { ticked: None, .. } => "untick an item",
            Self::SetLevel { .. } => "set the severity",
            Self::Resolve { .. } => "resolve",
            Self::Note { .. } => "write a note",
            Self::Incident { ask, .. } => ask.verb(),
            Self::Item { act, .. } => act.verb(),
            Self::Attach { .. } => "attach a runbook",
            Self::Alarms(_) => "take alarms in",
            Self::Deploy(_) => "deploy",
            Self::Confirm { .. } => "confirm",
            Self::Rebase(_) => "take a runbook over",
            Self::Database(asked) => match asked.what.kind() {
                DataKind::Migrate => "migrate",
                DataKind::Undo => "take migrations back",
                DataKind::Restore => "restore",
                DataKind::PointInTime => "take back in time",
            },
            Self::Scale(_) => "scale",
            Self::Together(asked) => match asked.kind {
                JointKind::Deploy { .. } => "deploy together",
                JointKind::RollBack { .. } => "roll back together",
            },
            Self::CleanUp { .. } => "clean up",
        }
    }
}

impl Command {
    /// The service that it is about, if it is about one. Those of a new incident are looked at when it is opened.
    pub const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::RollBack(RollBack { service, .. })
            | Self::Promote(Promote { service, .. })
            | Self::Deploy(Deploy { service, .. })
            | Self::Database(DataChange { service, .. })
            | Self::Scale(Scale { service, .. })
            | Self::CleanUp { service, .. }
            | Self::Maintenance { service, .. }
            | Self::Mark { service, .. }
            | Self::Baseline { service, .. }
            | Self::Reset { service, .. } => Some(service),
            Self::Freeze { service, .. } | Self::Thaw { service, .. } => service.as_ref(),
            Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Cancel { .. }
            | Self::Settle { .. }
            | Self::Confirm { .. }
            | Self::Automatic { .. }
            | Self::OpenIncident { .. }
            | Self::Acknowledge { .. }
            | Self::Tick { .. }
            | Self::SetLevel { .. }
            | Self::Resolve { .. }
            | Self::Note { .. }
            | Self::Incident { .. }
            | Self::Item { .. }
            | Self::Attach { .. }
            | Self::Rebase(_)
            | Self::Together(_)
            | Self::Alarms(_) => None,
        }
    }

    /// Why it is asked; none for what needs no reason: it says all by itself, or is itself the text.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::RollBack(RollBack { reason, .. })
            | Self::Promote(Promote { reason, .. })
            | Self::Deploy(Deploy { reason, .. })
            | Self::Database(DataChange { reason, .. })
            | Self::Together(Together { reason, .. })
            | Self::Confirm { reason, .. }
            | Self::Scale(Scale { reason, .. })
            | Self::CleanUp { reason, .. }
            | Self::Maintenance { reason, .. }
            | Self::Pause { reason, .. }
            | Self::Resume { reason, .. }
            | Self::Mark { reason, .. }
            | Self::Baseline { reason, .. }
            | Self::Reset { reason, .. }
            | Self::Freeze { reason, .. }
            | Self::Thaw { reason, .. }
            | Self::Cancel { reason, .. }
            | Self::Settle { reason, .. }
            | Self::Automatic { reason, .. }
            | Self::SetLevel { reason, .. }
            | Self::Resolve { reason, .. } => Some(reason),
            Self::Incident { ask, .. } => ask.reason(),
            Self::OpenIncident { .. }
            | Self::Acknowledge { .. }
            | Self::Tick { .. }
            | Self::Note { .. }
            | Self::Item { .. }
            | Self::Attach { .. }
            | Self::Rebase(_)
            | Self::Alarms(_) => None,
        }
    }
}

/// What is asked when a release is to be taken back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RollBack {
    /// The service.
    pub service: ServiceName,
    /// The release that the sender saw live; if another is by now, the command is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ReleaseRef>,
    /// The release to return to; without it the engine chooses by evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Version>,
    /// How.
    pub strategy: Strategy,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// What is asked when the canary is to get all the traffic.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Promote {
    /// The service.
    pub service: ServiceName,
    /// The canary that the sender saw; if another one is there by now, or none, the command is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseRef>,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// What is asked when a release is to be brought in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deploy {
    /// The service.
    pub service: ServiceName,
    /// The version, which the platform has to know.
    pub version: Version,
    /// How.
    pub strategy: DeployStrategy,
    /// The release that the sender saw live; if another is by now, the command is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ReleaseRef>,
    /// The sender says go in advance: the switch waits for nobody.
    #[serde(default)]
    pub confirmed: bool,
    /// Migrations that are applied before the release is brought up, by database, the oldest first, as the sender saw them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrations: Vec<(DatabaseName, Vec<Migration>)>,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// What is asked when a checklist is to go on with its runbook as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rebase {
    /// The incident.
    pub incident: IncidentId,
    /// The run.
    pub run: RunId,
    /// The digest of the text that the sender saw it to have; if it has another by now, the command is refused.
    pub from: String,
    /// The text as it is now, as the sender read it.
    pub source: String,
    /// The bindings beside it: the file's name and its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<(String, String)>,
}

/// What is asked when a database is to be changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataChange {
    /// The database.
    pub database: DatabaseName,
    /// A service that works with it: nothing else is done to that meanwhile.
    pub service: ServiceName,
    /// What.
    pub what: DataAsk,
    /// A backup is made first.
    pub backup: bool,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// What is asked when more or fewer instances are to run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scale {
    /// The service.
    pub service: ServiceName,
    /// How many.
    pub instances: u32,
    /// How many the sender saw; if others are asked for by now, the command is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u32>,
    /// Why.
    pub reason: String,
    /// The guardrails that the sender takes upon themselves, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// A guardrail taken upon oneself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Override {
    /// Which.
    pub guardrail: Guardrail,
    /// Why.
    pub reason: String,
}

/// What a person says of a step whose end nobody knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// It did not happen: do it.
    Retry,
    /// It happened: go on.
    Done,
    /// Stop here.
    Abort,
}
