//! Escalation: who is told that nobody has answered, in which order, and how far that has gone.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::incident::Level;
use super::{ChannelName, ContactName, PolicyName, ScheduleName, Span};

/// An escalation policy: levels that are told one after the other until somebody answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// How often all levels are gone through again after the first time.
    #[serde(default)]
    #[schemars(range(max = 5))]
    pub repeat: u8,
    /// After this an acknowledgement counts no more if the incident is still open: the same level is told again. `0s`: never.
    #[serde(default = "half_an_hour")]
    pub ack_timeout: Span,
    /// How often whoever acknowledged is reminded until they do something. `0s`: never.
    #[serde(default = "ten_minutes")]
    pub ack_reminder: Span,
    /// What another alarm, or another service that joins, does to an escalation that was acknowledged.
    #[serde(default)]
    pub on_new_alarm: OnNewAlarm,
    /// Who is told when everybody was and nobody answered.
    pub last_resort: TargetSpec,
    /// The levels, the first to be told first.
    pub level: Vec<LevelSpec>,
}

const fn half_an_hour() -> Span {
    Span::secs(30 * 60)
}

const fn ten_minutes() -> Span {
    Span::secs(10 * 60)
}

/// What something new does to an escalation that was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNewAlarm {
    /// Nothing, unless it makes the incident worse.
    #[default]
    Continue,
    /// It begins again with the first level.
    Restart,
}

/// A level of a policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LevelSpec {
    /// Who is told: `contact:mira`, `schedule:payments`, `role:commander`, `channel:team`.
    pub targets: Vec<TargetSpec>,
    /// All of them, or one after the other at each pass.
    #[serde(default)]
    pub mode: LevelMode,
    /// How long is waited for an answer before the next level is told.
    pub delay: Span,
    /// Only for incidents at least this bad: 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4))]
    pub severity: Option<u8>,
}

/// Which targets of a level are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelMode {
    /// All.
    #[default]
    All,
    /// One, the next at each pass.
    RoundRobin,
}

/// Whom a level tells.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, JsonSchema)]
#[schemars(with = "String")]
pub enum TargetSpec {
    /// A person or a desk.
    Contact(ContactName),
    /// Whoever is on call when the level is told.
    Schedule(ScheduleName),
    /// Whoever has a role in the incident.
    Role(IncidentRole),
    /// A channel, whoever reads it.
    Channel(ChannelName),
    /// What is none. The config's check refuses it, at its place.
    Other(String),
}

impl std::fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Contact(name) => write!(f, "contact:{name}"),
            Self::Schedule(name) => write!(f, "schedule:{name}"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Channel(name) => write!(f, "channel:{name}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl std::str::FromStr for TargetSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a target; write `contact:NAME`, `schedule:NAME`, `role:ROLE` or `channel:NAME`"
            )
        };
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        if name.trim().is_empty() {
            return Err(wrong());
        }
        Ok(match kind {
            "contact" => Self::Contact(name.into()),
            "schedule" => Self::Schedule(name.into()),
            "role" => Self::Role(name.parse()?),
            "channel" => Self::Channel(name.into()),
            _ => return Err(wrong()),
        })
    }
}

impl Serialize for TargetSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().unwrap_or(Self::Other(text)))
    }
}

/// What somebody is in an incident.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentRole {
    /// Decides.
    Commander,
    /// Takes over when the commander cannot.
    Deputy,
    /// Writes down.
    Scribe,
    /// Speaks with those outside.
    Liaison,
    /// Does.
    Operator,
}

impl IncidentRole {
    /// All.
    pub const ALL: [Self; 5] = [Self::Commander, Self::Deputy, Self::Scribe, Self::Liaison, Self::Operator];

    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Commander => "commander",
            Self::Deputy => "deputy",
            Self::Scribe => "scribe",
            Self::Liaison => "liaison",
            Self::Operator => "operator",
        }
    }
}

impl std::fmt::Display for IncidentRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for IncidentRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        // What many teams say for it.
        let word = if lower == "ic" { "commander" } else { lower.as_str() };
        Self::ALL.into_iter().find(|role| role.word() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.into_iter().map(Self::word).collect();
            format!("`{text}` is not a role; roles: {}", words.join(", "))
        })
    }
}

/// Somebody who can be reached: each way is a channel and, where the channel wants one, an address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactSpec {
    /// Who that is, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// By chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<ReachSpec>,
    /// By e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<ReachSpec>,
    /// By phone, through a gateway's webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<ReachSpec>,
}

impl ContactSpec {
    /// The ways to reach them, the quickest to wake somebody first.
    pub fn ways(&self) -> impl Iterator<Item = (&'static str, &ReachSpec)> {
        let ways = [("phone", &self.phone), ("chat", &self.chat), ("e-mail", &self.email)];
        ways.into_iter().filter_map(|(word, way)| Some((word, way.as_ref()?)))
    }
}

/// A way to reach somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReachSpec {
    /// The channel.
    pub channel: ChannelName,
    /// Whom the channel is to reach: an e-mail address, a phone number, a user's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Who is on call when: contacts that take turns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// The contacts, in the order of their turns.
    pub contacts: Vec<ContactName>,
    /// How long a turn lasts.
    #[serde(default = "a_week")]
    pub turn: Span,
    /// When the first turn of the first contact began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// Times in which somebody else has the turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<TurnOverride>,
}

const fn a_week() -> Span {
    Span::secs(7 * 86_400)
}

/// Somebody else's turn.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnOverride {
    /// Whose.
    pub contact: ContactName,
    /// First instant.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
}

impl ScheduleSpec {
    /// Who is on call at a time: none before the first turn, or without contacts.
    pub fn on_call(&self, at: Timestamp) -> Option<&ContactName> {
        let instead = self.overrides.iter().rev().find(|turn| turn.from <= at && at < turn.to);
        if let Some(instead) = instead {
            return Some(&instead.contact);
        }
        if at < self.since || self.contacts.is_empty() {
            return None;
        }
        let passed = at.duration_since(self.since).unsigned_abs().as_millis();
        let turns = passed / self.turn.as_millis().max(1);
        let index = turns % self.contacts.len() as u128;
        self.contacts.get(usize::try_from(index).ok()?)
    }
}

/// Which policies there are for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EscalationSpec {
    /// The policy of every incident that has none of its own below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyName>,
    /// That of the worst incidents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sev1: Option<PolicyName>,
    /// That of incidents that users notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sev2: Option<PolicyName>,
    /// That of incidents that can wait for some hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sev3: Option<PolicyName>,
    /// That of incidents that nobody is waited for in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sev4: Option<PolicyName>,
    /// An incident that nobody has acknowledged for this long is told to every channel, whatever the policies do. `0s`: never.
    pub unacknowledged: Span,
    /// A commander who has done nothing for this long is asked whether they are there, and the deputy is told that it is their
    /// turn; without one every channel is. `0s`: never.
    pub commander_away: Span,
}

impl Default for EscalationSpec {
    fn default() -> Self {
        Self {
            policy: None,
            sev1: None,
            sev2: None,
            sev3: None,
            sev4: None,
            unacknowledged: Span::secs(300),
            commander_away: Span::secs(15 * 60),
        }
    }
}

impl EscalationSpec {
    /// The policy for an incident this bad.
    pub fn policy_for(&self, level: Level) -> Option<&PolicyName> {
        let own = match level {
            Level::Sev1 => &self.sev1,
            Level::Sev2 => &self.sev2,
            Level::Sev3 => &self.sev3,
            Level::Sev4 => &self.sev4,
        };
        own.as_ref().or(self.policy.as_ref())
    }
}

/// Where an escalation stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Standing {
    /// Levels are told until somebody answers.
    Paging,
    /// Somebody answered.
    Acknowledged {
        /// Who.
        by: super::command::Actor,
        /// When.
        at: Timestamp,
        /// When that counts no more; none: always.
        until: Option<Timestamp>,
    },
    /// Nobody is told until then.
    Snoozed {
        /// Until when.
        until: Timestamp,
        /// Who.
        by: super::command::Actor,
        /// Why.
        reason: String,
    },
    /// Everybody was told and nobody answered.
    Exhausted {
        /// Since when.
        at: Timestamp,
    },
    /// It is over.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// How far the escalation of an incident has gone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Escalation {
    /// The policy.
    pub policy: PolicyName,
    /// The policy as it was when it began: a change of the config changes no escalation that runs.
    pub levels: PolicySpec,
    /// How often it began for this incident, this one included.
    pub generation: u32,
    /// When it began.
    pub began_at: Timestamp,
    /// Where it stands.
    pub standing: Standing,
    /// The level that was told last, from 1; 0: none yet.
    pub level: usize,
    /// The pass, from 1.
    pub pass: u8,
    /// When the next level is told, or the acknowledgement is reminded of or runs out; none: nothing is awaited.
    pub next_at: Option<Timestamp>,
    /// Who was reached how, newest last.
    pub told: Vec<Told>,
    /// Targets nobody could be reached through, newest last.
    pub unreachable: Vec<String>,
}

/// Somebody was told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// At which level.
    pub level: usize,
    /// Who, as the policy names them.
    pub target: String,
    /// Through which channel.
    pub channel: ChannelName,
}

/// What happened in an escalation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum EscalationChange {
    /// It began.
    Began {
        /// The policy.
        policy: PolicyName,
        /// As it is now.
        levels: PolicySpec,
        /// When the first level is told.
        next_at: Timestamp,
        /// Why it began.
        reason: String,
    },
    /// A level was told.
    LevelTold {
        /// Which, from 1.
        level: usize,
        /// In which pass, from 1.
        pass: u8,
        /// Who, through which channel.
        told: Vec<(String, ChannelName)>,
        /// How much later than it was due, in milliseconds: nobody led.
        #[serde(default, skip_serializing_if = "is_zero")]
        late_ms: u64,
        /// Levels that were due before it while nobody led; they are not told one after the other.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missed: Vec<usize>,
        /// When the next one is due.
        next_at: Option<Timestamp>,
        /// Why, where it was not its turn.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Nobody could be reached through a target.
    Unreachable {
        /// At which level.
        level: usize,
        /// Which target.
        target: String,
        /// Why.
        reason: String,
    },
    /// Somebody answered.
    Acknowledged {
        /// Who.
        by: super::command::Actor,
        /// When that counts no more; none: always.
        until: Option<Timestamp>,
        /// When they are reminded.
        next_at: Option<Timestamp>,
    },
    /// Whoever answered was reminded.
    Reminded {
        /// When next.
        next_at: Option<Timestamp>,
    },
    /// The acknowledgement counts no more: nobody resolved the incident in time.
    AcknowledgementRanOut {
        /// How much later than it was due, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        late_ms: u64,
    },
    /// Nobody is told until then.
    Snoozed {
        /// Until when.
        until: Timestamp,
        /// Who.
        by: super::command::Actor,
        /// Why.
        reason: String,
    },
    /// The quiet is over.
    Woke {
        /// When the next level is told.
        next_at: Timestamp,
    },
    /// Everybody was told and nobody answered.
    Exhausted {
        /// Who was told at the last.
        told: Vec<(String, ChannelName)>,
    },
    /// It is over.
    Stopped {
        /// Who, the engine when the incident is over.
        by: super::command::Actor,
        /// Why.
        reason: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

/// The longest that an escalation may be snoozed.
pub const SNOOZE_LIMIT: Duration = Duration::from_secs(24 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns follow each other for ever, an override takes precedence, and before the first turn nobody is on call.
    #[test]
    fn turns() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let schedule = ScheduleSpec {
            contacts: vec!["mira".into(), "jonas".into()],
            turn: Span::secs(7 * 86_400),
            since: at("2026-01-05T08:00:00Z"),
            overrides: vec![TurnOverride {
                contact: "lee".into(),
                from: at("2026-01-07T00:00:00Z"),
                to: at("2026-01-08T00:00:00Z"),
            }],
        };
        let rows = [
            ("2026-01-05T07:59:59Z", None),
            ("2026-01-05T08:00:00Z", Some("mira")),
            ("2026-01-07T00:00:00Z", Some("lee")),
            ("2026-01-08T00:00:00Z", Some("mira")),
            ("2026-01-12T07:59:59Z", Some("mira")),
            ("2026-01-12T08:00:00Z", Some("jonas")),
            ("2026-01-19T08:00:00Z", Some("mira")),
            ("2036-01-19T08:00:00Z", Some("jonas")),
        ];
        for (when, who) in rows {
            assert_eq!(schedule.on_call(at(when)).map(ContactName::as_str), who, "{when}");
        }
    }

    /// A target is read as people write it, and what is none says how one is written.
    #[test]
    fn targets() {
        for text in ["contact:mira", "schedule:payments", "role:commander", "channel:team"] {
            assert_eq!(text.parse::<TargetSpec>().unwrap().to_string(), text);
        }
        assert_eq!("role:ic".parse(), Ok(TargetSpec::Role(IncidentRole::Commander)));
        for text in ["mira", "user:", "user:mira", "role:king"] {
            assert!(text.parse::<TargetSpec>().is_err(), "{text}");
        }
    }
}
