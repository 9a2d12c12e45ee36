//! The record of one incident, made from the journal's entries: what happened when, how long it took, who did what, and what
//! was left out.
//!
//! - `course`: what became of it; [`times`]: its instants and the intervals between them.
//! - `timeline`: its rows; [`checklists`], [`escalations`], [`messages`], [`operations`]: what each of them says.
//! - `scope`: which events are about it.

pub mod checklists;
pub(crate) mod course;
pub mod escalations;
pub mod messages;
pub mod operations;
mod recorder;
mod scope;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod times;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::incident::{Ended, Level};
use crate::model::{IncidentId, ServiceName};

use super::Millis;
pub use checklists::{Deviation, DeviationKind, Dispatch, ItemEnd, RunRecord};
pub use course::{Correction, LevelSet, Reopened, RoleHeld};
pub use escalations::EscalationRecord;
pub use messages::{MessageRecord, UpdateRecord};
pub use operations::OperationRecord;
pub use recorder::Recorder;
pub use timeline::{Row, Weight};
pub use times::{Instants, Interval, Measured, Metric};

/// What a record calls itself, so that a file can be told to be one.
pub const SCHEMA: &str = "unship-incident-report/1";

/// The record of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Which incident.
    pub id: IncidentId,
    /// What was wrong, in a few words.
    pub title: String,
    /// What it was declared for; empty when the title says it all.
    pub reason: String,
    /// Where it stands.
    pub status: Status,
    /// How bad it was said to be at the last.
    pub level: Level,
    /// How bad it was said to be at the worst.
    pub worst: Level,
    /// The services that were hurt, in the order in which they joined.
    pub services: Vec<ServiceName>,
    /// It is no incident but a drill.
    pub drill: bool,
    /// Alarms that spoke of it.
    pub alarms: Vec<String>,
    /// Incidents that went on in this one.
    pub merged: Vec<IncidentId>,
    /// Who opened it.
    pub by: String,
    /// When it was opened: suspected, or declared.
    pub opened_at: Timestamp,
    /// What ended it; empty while it is open.
    pub end_reason: String,
    /// Its instants.
    pub instants: Instants,
    /// What was said of the onset before.
    pub corrections: Vec<Correction>,
    /// Its intervals.
    pub intervals: Vec<Measured>,
    /// How long it was as bad as that.
    pub in_each_level: Vec<InLevel>,
    /// Every severity that it was said to have.
    pub levels: Vec<LevelSet>,
    /// Every time that it was opened again.
    pub reopened: Vec<Reopened>,
    /// Who had which role.
    pub roles: Vec<RoleHeld>,
    /// What happened, oldest first.
    pub timeline: Vec<Row>,
    /// The checklists.
    pub checklists: Vec<RunRecord>,
    /// Where the way was left that a runbook says.
    pub deviations: Vec<Deviation>,
    /// Actions that were begun from a checklist.
    pub dispatches: Vec<Dispatch>,
    /// The escalations.
    pub escalations: Vec<EscalationRecord>,
    /// The messages.
    pub messages: Vec<MessageRecord>,
    /// What those who wait were told by people, and which of it was late.
    pub updates: Vec<UpdateRecord>,
    /// The operations.
    pub operations: Vec<OperationRecord>,
    /// The last entry that this rests on.
    pub journal: JournalRef,
    /// When this record was made.
    pub made_at: Timestamp,
}

/// Where an incident stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Status {
    /// Nobody has said that it is one.
    Suspected,
    /// Nobody has said that it is over.
    Open,
    /// A person said that it is over.
    Resolved,
    /// Nothing is left to do.
    Closed,
    /// It was none.
    FalseAlarm,
    /// Another one went on with it.
    Merged {
        /// Which.
        into: IncidentId,
    },
}

impl Status {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Suspected => "suspected".to_owned(),
            Self::Open => "open".to_owned(),
            Self::Resolved => "resolved".to_owned(),
            Self::Closed => "closed".to_owned(),
            Self::FalseAlarm => "false alarm".to_owned(),
            Self::Merged { into } => format!("merged into {into}"),
        }
    }

    pub(crate) fn of(course: &course::Course) -> Self {
        match &course.ended {
            Some(Ended::FalseAlarm) => Self::FalseAlarm,
            Some(Ended::Merged { into }) => Self::Merged { into: into.clone() },
            None if course.instants.close.is_some() => Self::Closed,
            None if course.instants.resolve.is_some() => Self::Resolved,
            None if course.suspected => Self::Suspected,
            None => Self::Open,
        }
    }
}

/// How long an incident was as bad as that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct InLevel {
    /// How bad.
    pub level: Level,
    /// How long, while it was declared and not over.
    #[serde(rename = "ms")]
    pub lasted: Millis,
}

/// An entry of the journal, with its hash.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct JournalRef {
    /// Its place.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// Its hash; whoever has it can tell whether anything before it was changed.
    pub hash: String,
}

impl Record {
    /// An interval.
    pub fn interval(&self, metric: Metric) -> Option<&Interval> {
        self.intervals.iter().find(|measured| measured.metric == metric).map(|measured| &measured.interval)
    }

    /// Messages that somebody was meant to get and nobody took, as far as is known.
    pub fn missed(&self) -> impl Iterator<Item = &MessageRecord> {
        self.messages.iter().filter(|message| message.end.is_missed())
    }
}
