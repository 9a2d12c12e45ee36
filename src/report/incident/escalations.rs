//! The record of the escalations of an incident: which level was told when, who, how late, and whether anybody answered.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::PolicyName;
use crate::model::escalation::EscalationChange;
use crate::report::{Entry, Millis};

/// An escalation, from its beginning to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct EscalationRecord {
    /// The policy.
    pub policy: PolicyName,
    /// When it began.
    pub began_at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// Why it began.
    pub reason: String,
    /// Everything that happened in it, oldest first.
    pub happened: Vec<Happened>,
}

/// Something that happened in an escalation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Happened {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// What.
    #[serde(flatten)]
    pub what: Turn,
}

/// What happened in an escalation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Turn {
    /// A level was told.
    LevelTold {
        /// Which, from 1.
        level: usize,
        /// In which pass, from 1.
        pass: u8,
        /// Who, by which channel; empty when nobody could be reached.
        told: Vec<String>,
        /// How much later than it was due.
        late_ms: Millis,
        /// Levels that were due before it and were never told.
        missed: Vec<usize>,
        /// Why, where it was not its turn.
        reason: String,
    },
    /// Nobody could be reached through a target.
    Unreachable {
        /// At which level.
        level: usize,
        /// Which.
        target: String,
        /// Why.
        reason: String,
    },
    /// Somebody answered.
    Acknowledged {
        /// Who.
        by: String,
    },
    /// Whoever answered was reminded.
    Reminded,
    /// The answer counted no more.
    RanOut {
        /// How much later than it was due.
        late_ms: Millis,
    },
    /// Nobody was told for a while.
    Snoozed {
        /// Who wanted it.
        by: String,
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// That was over.
    Woke,
    /// Everybody was told and nobody answered.
    Exhausted {
        /// Who was told at the last.
        told: Vec<String>,
    },
    /// It was over.
    Stopped {
        /// Who ended it.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Turn {
    /// In words, for a table.
    pub fn words(&self) -> String {
        let late = |ms: &Millis| if *ms > Millis(0) { format!(", {ms} late") } else { String::new() };
        match self {
            Self::LevelTold { level, pass, told, late_ms, missed, reason } => {
                let pass = if *pass > 1 { format!(", pass {pass}") } else { String::new() };
                let told = if told.is_empty() { "NOBODY".to_owned() } else { told.join(", ") };
                let missed: Vec<String> = missed.iter().map(ToString::to_string).collect();
                let missed = if missed.is_empty() {
                    String::new()
                } else {
                    format!("; due meanwhile and not told: level {}", missed.join(", "))
                };
                let why = if reason.is_empty() { String::new() } else { format!("; {reason}") };
                format!("level {level} told{pass}{}: {told}{missed}{why}", late(late_ms))
            }
            Self::Unreachable { level, target, reason } => {
                format!("level {level}: {target} could NOT be reached: {reason}")
            }
            Self::Acknowledged { by } => format!("acknowledged by {by}"),
            Self::Reminded => "whoever acknowledged was reminded".to_owned(),
            Self::RanOut { late_ms } => format!("the acknowledgement ran out{}", late(late_ms)),
            Self::Snoozed { by, until, reason } => format!("snoozed by {by} until {until:.0}: {reason}"),
            Self::Woke => "no longer snoozed".to_owned(),
            Self::Exhausted { told } => {
                let last = if told.is_empty() { "nobody".to_owned() } else { told.join(", ") };
                format!("EXHAUSTED: everybody was told and nobody answered; at the last {last}")
            }
            Self::Stopped { by, reason } => format!("ended by {by}: {reason}"),
        }
    }

    /// The texts in it.
    pub(crate) fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::LevelTold { told, reason, .. } => told.iter_mut().chain([reason]).collect(),
            Self::Unreachable { target, reason, .. } => vec![target, reason],
            Self::Acknowledged { by } => vec![by],
            Self::Snoozed { by, reason, .. } | Self::Stopped { by, reason } => vec![by, reason],
            Self::Exhausted { told } => told.iter_mut().collect(),
            Self::Reminded | Self::RanOut { .. } | Self::Woke => Vec::new(),
        }
    }
}

/// Takes a change into the escalations of an incident.
pub(super) fn take(records: &mut Vec<EscalationRecord>, entry: &Entry<'_>, change: &EscalationChange) {
    let named = |told: &[(String, crate::model::ChannelName)]| {
        told.iter().map(|(who, channel)| format!("{who} by {channel}")).collect::<Vec<_>>()
    };
    let ms = |ms: u64| Millis(i64::try_from(ms).unwrap_or(i64::MAX));
    let what = match change {
        EscalationChange::Began { policy, reason, .. } => {
            records.push(EscalationRecord {
                policy: policy.clone(),
                began_at: entry.at,
                seq: entry.seq,
                reason: reason.clone(),
                happened: Vec::new(),
            });
            return;
        }
        EscalationChange::LevelTold { level, pass, told, late_ms, missed, reason, .. } => Turn::LevelTold {
            level: *level,
            pass: *pass,
            told: named(told),
            late_ms: ms(*late_ms),
            missed: missed.clone(),
            reason: reason.clone(),
        },
        EscalationChange::Unreachable { level, target, reason } => {
            Turn::Unreachable { level: *level, target: target.clone(), reason: reason.clone() }
        }
        EscalationChange::Acknowledged { by, .. } => Turn::Acknowledged { by: by.to_string() },
        EscalationChange::Reminded { next_at: Some(_) } => Turn::Reminded,
        // Whoever has it is at work: nobody was told anything.
        EscalationChange::Reminded { next_at: None } => return,
        EscalationChange::AcknowledgementRanOut { late_ms } => Turn::RanOut { late_ms: ms(*late_ms) },
        EscalationChange::Snoozed { until, by, reason } => {
            Turn::Snoozed { by: by.to_string(), until: *until, reason: reason.clone() }
        }
        EscalationChange::Woke { .. } => Turn::Woke,
        EscalationChange::Exhausted { told } => Turn::Exhausted { told: named(told) },
        EscalationChange::Stopped { by, reason } => {
            Turn::Stopped { by: by.to_string(), reason: reason.clone() }
        }
    };
    if let Some(record) = records.last_mut() {
        record.happened.push(Happened { at: entry.at, seq: entry.seq, what });
    }
}
