//! Incidents: what people work on when something is broken, and how far they are.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::Actor;
use super::escalation::IncidentRole;
use super::{IncidentId, ItemId, OperationId, ServiceName};

/// How bad an incident is. The lower the number, the worse; the order of the values is that of the numbers, so the worst of
/// several is the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The business stops.
    Sev1,
    /// Users notice.
    Sev2,
    /// It can wait for some hours.
    Sev3,
    /// Nobody is waited for.
    Sev4,
}

impl Level {
    /// All, the worst first.
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];

    /// 1 to 4.
    pub const fn number(self) -> u8 {
        match self {
            Self::Sev1 => 1,
            Self::Sev2 => 2,
            Self::Sev3 => 3,
            Self::Sev4 => 4,
        }
    }

    /// How soon somebody has to have acknowledged, counted from the declaration; none where nothing is promised.
    pub const fn promise(self) -> Option<Duration> {
        match self {
            Self::Sev1 => Some(Duration::from_secs(5 * 60)),
            Self::Sev2 => Some(Duration::from_secs(15 * 60)),
            Self::Sev3 => Some(Duration::from_secs(2 * 3_600)),
            Self::Sev4 => None,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Sev1 => "SEV1",
            Self::Sev2 => "SEV2",
            Self::Sev3 => "SEV3",
            Self::Sev4 => "SEV4",
        })
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    /// Reads `1`, `sev1`, `SEV1` and `SEV-1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_prefix("sev").map_or(lower.as_str(), |rest| rest.trim_start_matches('-'));
        Self::ALL
            .into_iter()
            .find(|level| number == level.number().to_string())
            .ok_or_else(|| format!("`{text}` is not a severity; write 1 (the worst), 2, 3 or 4"))
    }
}

/// How an item of a checklist was settled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ticked {
    /// It is done, or true.
    Done,
    /// It does not concern this incident.
    NotApplicable,
}

/// A tick on an item of a checklist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tick {
    /// How the item was settled.
    pub ticked: Ticked,
    /// Who; the engine for what it sensed itself.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// In words: what a person wrote, or the fact that the engine saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Who took an incident up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// How an incident ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Resolved {
    /// Who says so.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What ended it.
    pub reason: String,
}

/// Something that was written down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Note {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// An incident: declared, worked on, resolved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What is wrong, in a few words.
    pub title: String,
    /// How bad it is now.
    pub level: Level,
    /// When it was declared. Every clock of it counts from here.
    pub opened_at: Timestamp,
    /// Who declared it.
    pub by: Actor,
    /// What it was declared for, with the figures; empty when the title says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The services that are hurt, each once, in the order in which they joined.
    pub services: Vec<ServiceName>,
    /// Who took it up, if anybody has.
    pub acknowledged: Option<Acknowledged>,
    /// The ticks on its checklist.
    pub ticks: BTreeMap<ItemId, Tick>,
    /// How it ended, if it has.
    pub resolved: Option<Resolved>,
    /// The operations on its services since (or while) they were part of it, oldest first.
    pub operations: Vec<OperationId>,
    /// The newest notes, oldest first. All of them are in the journal.
    #[serde(default)]
    pub notes: VecDeque<Note>,
    /// Nobody has said yet that it is one: an alarm came in, or somebody has a feeling.
    #[serde(default)]
    pub suspected: bool,
    /// Who has which role.
    #[serde(default)]
    pub roles: BTreeMap<IncidentRole, Held>,
    /// Roles that were offered and not taken yet.
    #[serde(default)]
    pub offers: BTreeMap<IncidentRole, Offer>,
    /// How it ended, where it did not end by being resolved.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// It was closed: nothing is left to do about it.
    #[serde(default)]
    pub closed: Option<Resolved>,
    /// How often it was opened again.
    #[serde(default)]
    pub reopened: u32,
    /// Since when its impact is seen to be over.
    #[serde(default)]
    pub mitigated_at: Option<Timestamp>,
    /// When a person first did something about it, beyond acknowledging it.
    #[serde(default)]
    pub engaged_at: Option<Timestamp>,
    /// When its impact began, where somebody said so or an alarm knows.
    #[serde(default)]
    pub onset: Option<Timestamp>,
    /// Alarms that speak of it.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// It is no incident but a drill.
    #[serde(default)]
    pub drill: bool,
    /// Everybody was told that nobody has acknowledged it.
    #[serde(default)]
    pub told_unacknowledged: bool,
    /// How many messages were queued about it.
    #[serde(default)]
    pub messages: u64,
    /// What those who wait were told last, by who they are.
    #[serde(default)]
    pub updates: BTreeMap<Audience, Update>,
    /// When whoever commands it last did something about it; none before that.
    #[serde(default)]
    pub commander_seen: Option<Timestamp>,
    /// Since when others know that the commander does nothing; none again once they do.
    #[serde(default)]
    pub commander_away: Option<Timestamp>,
    /// It stands for others that were declared at once with it.
    #[serde(default)]
    pub storm: Option<Storm>,
    /// The one that stands for it.
    #[serde(default)]
    pub told_with: Option<IncidentId>,
}

/// What people were told of many incidents at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Storm {
    /// When last.
    pub at: Timestamp,
    /// Those that they were told of with this one.
    pub told: BTreeSet<IncidentId>,
    /// It is over: what is declared now speaks for itself.
    #[serde(default)]
    pub passed: bool,
}

/// Who waits for messages about an incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Those who work in the house.
    Internal,
    /// Those who are hurt outside.
    External,
}

impl Audience {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Internal, Self::External];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

/// What an audience was told last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Update {
    /// When; none: never.
    pub at: Option<Timestamp>,
    /// When the next one was promised, where that was said.
    pub promised: Option<Timestamp>,
    /// How many there were.
    pub count: u32,
    /// How many came late, or not at all.
    pub missed: u32,
    /// The one that is late already: it is counted once.
    pub late: Option<Timestamp>,
}

/// Somebody has a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Who.
    pub name: String,
    /// Since when.
    pub at: Timestamp,
}

/// A role was offered to somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub to: String,
    /// By whom.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// How long an offered role waits to be taken.
pub const OFFER_LASTS: Duration = Duration::from_secs(5 * 60);

/// How long a resolved incident can be opened again; after that it is another one.
pub const REOPEN_WITHIN: Duration = Duration::from_secs(24 * 3_600);

/// How an incident ended, where it did not end by being resolved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Ended {
    /// It was none.
    FalseAlarm,
    /// Another one goes on with it.
    Merged {
        /// Which.
        into: IncidentId,
    },
}

/// What people ask about an incident, beyond what has a command of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum IncidentAsk {
    /// It is one: what was suspected is declared.
    Declare,
    /// It was none.
    FalseAlarm {
        /// Why.
        reason: String,
    },
    /// Another one goes on with it.
    Merge {
        /// Which.
        into: IncidentId,
        /// Why.
        reason: String,
    },
    /// It is not over after all.
    Reopen {
        /// Why.
        reason: String,
    },
    /// Nothing is left to do about it.
    Close {
        /// What was done after it was resolved; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Take a role, or give it to somebody who is not asked.
    Take {
        /// Which.
        role: IncidentRole,
        /// Who; none: whoever asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        who: Option<String>,
    },
    /// Offer a role to somebody, who takes it or lets it lapse.
    Offer {
        /// Which.
        role: IncidentRole,
        /// To whom.
        to: String,
    },
    /// Another service is hurt.
    AddService {
        /// Which.
        service: ServiceName,
    },
    /// An operation belongs to it.
    Link {
        /// Which.
        operation: OperationId,
    },
    /// When its impact began.
    Onset {
        /// When.
        at: Timestamp,
        /// How that is known.
        reason: String,
    },
    /// Tell those who wait.
    Tell {
        /// Who they are.
        audience: Audience,
        /// What, as a person wrote or read it.
        text: String,
        /// Its heading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// Through which channels; none: through all that listen to what is so urgent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        channels: Vec<super::ChannelName>,
        /// When the next message is promised.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
    },
    /// Tell the next level, or this one, now.
    Escalate {
        /// Which level, from 1; none: the next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<usize>,
        /// By this policy; none: the one that runs, or the incident's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<super::PolicyName>,
        /// Why.
        reason: String,
    },
    /// Tell nobody for a while.
    Snooze {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// Tell nobody any more.
    StopEscalation {
        /// Why.
        reason: String,
    },
}

impl IncidentAsk {
    /// The word in logs and on screen.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Declare => "declare",
            Self::FalseAlarm { .. } => "call a false alarm",
            Self::Merge { .. } => "merge",
            Self::Reopen { .. } => "reopen",
            Self::Close { .. } => "close",
            Self::Take { .. } => "take a role",
            Self::Offer { .. } => "offer a role",
            Self::AddService { .. } => "add a service",
            Self::Link { .. } => "link an operation",
            Self::Onset { .. } => "say when it began",
            Self::Tell { .. } => "send a message",
            Self::Escalate { .. } => "escalate",
            Self::Snooze { .. } => "snooze the escalation",
            Self::StopEscalation { .. } => "stop the escalation",
        }
    }

    /// Why it is asked; none where it says all by itself.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::FalseAlarm { reason }
            | Self::Merge { reason, .. }
            | Self::Reopen { reason }
            | Self::Onset { reason, .. }
            | Self::Escalate { reason, .. }
            | Self::Snooze { reason, .. }
            | Self::StopEscalation { reason } => Some(reason),
            _ => None,
        }
    }
}

/// What happened to an incident, beyond what has an event of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum IncidentChange {
    /// It is only suspected. Follows the event that opened it.
    Suspected,
    /// It is no incident but a drill. Follows the event that opened it.
    Drill,
    /// What was suspected was declared.
    Declared,
    /// It was none.
    FalseAlarm {
        /// Why.
        reason: String,
    },
    /// Another one goes on with it.
    Merged {
        /// Which.
        into: IncidentId,
        /// Why.
        reason: String,
    },
    /// It was opened again.
    Reopened {
        /// Why.
        reason: String,
    },
    /// Nothing is left to do about it.
    Closed {
        /// What was done after it was resolved; may be empty.
        reason: String,
    },
    /// Somebody has a role.
    RoleTaken {
        /// Which.
        role: IncidentRole,
        /// Who.
        name: String,
    },
    /// A role was offered.
    RoleOffered {
        /// Which.
        role: IncidentRole,
        /// To whom.
        to: String,
    },
    /// An offered role was not taken in time; whoever had it has it still.
    OfferLapsed {
        /// Which.
        role: IncidentRole,
        /// Who did not take it.
        to: String,
    },
    /// An operation was linked to it by a person.
    Linked {
        /// Which.
        operation: OperationId,
    },
    /// When its impact began was said.
    OnsetSet {
        /// When.
        onset: Timestamp,
        /// How that is known.
        reason: String,
    },
    /// Its impact is over: all its services have been healthy for long enough.
    Mitigated {
        /// Since when.
        since: Timestamp,
    },
    /// An alarm speaks of it.
    AlarmLinked {
        /// Which.
        alarm: String,
    },
    /// Nobody has acknowledged it for as long as the config allows.
    Unacknowledged,
    /// A person told those who wait.
    Told {
        /// Who they are.
        audience: Audience,
        /// What.
        text: String,
        /// Through which channels.
        channels: Vec<super::ChannelName>,
        /// When the next message is promised, where that was said.
        next: Option<Timestamp>,
    },
    /// A message is late.
    UpdateMissed {
        /// Who waits for it.
        audience: Audience,
        /// When it was due.
        due: Timestamp,
    },
    /// Whoever commands it has done nothing for as long as the config allows: the deputy is told.
    CommanderAway {
        /// Who.
        name: String,
        /// Since when.
        since: Timestamp,
    },
    /// So many incidents were declared at once that those that follow are told with this one.
    StormBegan {
        /// How many, this one included.
        count: usize,
    },
    /// It is told with another one, which stands for many.
    ToldWith {
        /// Which.
        lead: IncidentId,
    },
    /// People were told of those that stand behind it.
    StormTold {
        /// Those that they had not heard of.
        incidents: Vec<IncidentId>,
    },
    /// None was declared any more for a while: what follows is told by itself.
    StormPassed,
    /// Nobody stands for it any more, and nobody has answered for it.
    ToldAlone {
        /// Why.
        reason: String,
    },
}

impl Incident {
    /// Whether nobody has resolved it.
    pub const fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// Whether anything is left to do about it: it is open, or resolved and not closed.
    pub const fn is_closed(&self) -> bool {
        self.closed.is_some() || self.ended.is_some()
    }

    /// Who decides, if anybody does.
    pub fn commander(&self) -> Option<&str> {
        self.roles.get(&IncidentRole::Commander).map(|held| held.name.as_str())
    }

    /// Since when whoever commands it has done nothing, if anybody commands it.
    pub fn commander_silent_since(&self) -> Option<Timestamp> {
        let held = self.roles.get(&IncidentRole::Commander)?;
        Some(self.commander_seen.map_or(held.at, |seen| seen.max(held.at)))
    }

    /// Whether a service is part of it.
    pub fn has(&self, service: &ServiceName) -> bool {
        self.services.contains(service)
    }

    /// How long it went on until now, or until it was resolved. Zero before it was declared.
    pub fn lasted(&self, now: Timestamp) -> Duration {
        let end = self.resolved.as_ref().map_or(now, |resolved| resolved.at);
        if end <= self.opened_at { Duration::ZERO } else { end.duration_since(self.opened_at).unsigned_abs() }
    }

    /// Until when somebody has to have acknowledged; none where nothing is promised.
    pub fn answer_by(&self) -> Option<Timestamp> {
        self.opened_at.checked_add(self.level.promise()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The promises are those of the requirements, and a severity is read as people write it.
    #[test]
    fn levels() {
        let minutes = Level::ALL.map(|level| level.promise().map(|within| within.as_secs() / 60));
        assert_eq!(minutes, [Some(5), Some(15), Some(120), None]);
        assert!(Level::Sev1 < Level::Sev4, "the worst is the least");
        for text in ["2", "sev2", "SEV2", " Sev-2 "] {
            assert_eq!(text.parse(), Ok(Level::Sev2), "{text}");
        }
        for text in ["", "0", "5", "sev", "two", "22"] {
            assert!(text.parse::<Level>().unwrap_err().contains("not a severity"), "{text}");
        }
    }
}
