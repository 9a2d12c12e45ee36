//! Messages to people, as the outbox keeps them. Where they go is in [`channel`](super::channel).

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::trigger::Severity;
use super::{ChannelName, ContactName, IncidentId, NotificationId, ServiceName};

pub use super::channel::{ChannelSpec, WebhookSpec};

/// What a message is for. How long it is worth delivering follows from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Has to reach a person now: it fails over, and waits for no update.
    Page,
    /// How things are: a newer one of the same incident takes its place while it waits.
    Update,
    /// It is over. Never sent before what it ends.
    Resolve,
    /// Anything else worth telling.
    #[default]
    Notice,
}

impl MessageKind {
    /// After this it is old news and is given up.
    pub const fn ttl(self) -> Duration {
        match self {
            Self::Page | Self::Notice => Duration::from_mins(15),
            Self::Update => Duration::from_mins(10),
            Self::Resolve => Duration::from_hours(24),
        }
    }

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Update => "update",
            Self::Resolve => "resolve",
            Self::Notice => "notice",
        }
    }
}

/// What a message does to an alert that is kept on the other side, as PagerDuty keeps them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertAction {
    /// It is raised.
    #[default]
    Trigger,
    /// A person has it.
    Acknowledge,
    /// It is over.
    Resolve,
}

impl AlertAction {
    /// The word that goes over the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

/// Names of facts that channels know what to do with; all are optional.
pub mod fact {
    /// The incident's title.
    pub const TITLE: &str = "title";
    /// The incident's severity, as `SEV2`.
    pub const LEVEL: &str = "level";
    /// The incident's state, as `mitigating`.
    pub const STATE: &str = "state";
    /// The incident's services, with `, ` between them.
    pub const SERVICES: &str = "services";
    /// Where to read more; several with spaces between them.
    pub const URL: &str = "url";
    /// Who did what is told.
    pub const BY: &str = "by";
}

/// A message, as it is kept in the outbox. The webhook's body has all of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notification {
    /// The same on every retry.
    pub id: NotificationId,
    /// Where it goes.
    pub channel: ChannelName,
    /// What it is about: `rollback-started`, `rollback-ended`, `held`, … README lists them.
    pub topic: String,
    /// How urgent.
    pub severity: Severity,
    /// The environment.
    pub environment: String,
    /// The service, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// In words, ready to be read.
    pub text: String,
    /// When it happened.
    pub at: Timestamp,
    /// Figures and ids for machines.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: MessageKind,
    /// The incident that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Which message of its incident this is, from 1; 0 for one that nobody counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seq: u64,
    /// The same on every retry and on every channel that carries this page: `INC-12/2/slack-ops/1`, which is incident, level,
    /// target and generation. Without one the id stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Sent to try a channel out.
    #[serde(default, skip_serializing_if = "is_default")]
    pub test: bool,
    /// Part of a rehearsal.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drill: bool,
    /// A heading, for channels that have a place for one. Without it: the first line of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// For mail: whom to write to; none: the channel's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// For alerts that are kept on the other side: which one, `INC-12`, and `INC-12/g2` when it was raised a second time.
    /// Without it: the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup: Option<String>,
    /// What it does to that alert.
    #[serde(default, skip_serializing_if = "is_default")]
    pub action: AlertAction,
    /// The message in whose place this one is sent, as its channel did not take it in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<NotificationId>,
    /// Whose phone it rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<ContactName>,
    /// It is not sent, as that phone has rung often enough: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Notification {
    /// A notice about nothing in particular; the rest is filled in by whoever knows more.
    pub fn new(
        id: impl Into<NotificationId>,
        channel: ChannelName,
        topic: impl Into<String>,
        severity: Severity,
        environment: impl Into<String>,
        text: impl Into<String>,
        at: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            channel,
            topic: topic.into(),
            severity,
            environment: environment.into(),
            service: None,
            text: text.into(),
            at,
            facts: BTreeMap::new(),
            kind: MessageKind::Notice,
            incident: None,
            seq: 0,
            key: None,
            test: false,
            drill: false,
            subject: None,
            to: Vec::new(),
            dedup: None,
            action: AlertAction::Trigger,
            fallback_of: None,
            person: None,
            held_back: None,
        }
    }

    /// What a receiver can recognise a repetition by.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(self.id.as_str())
    }

    /// The alert on the other side that it belongs to, if it belongs to one.
    pub fn alert(&self) -> Option<&str> {
        self.dedup.as_deref().or_else(|| self.incident.as_ref().map(IncidentId::as_str))
    }

    /// What nobody may overlook: `[TEST] `, `[DRILL] `, or nothing.
    pub const fn mark(&self) -> &'static str {
        match (self.test, self.drill) {
            (true, _) => "[TEST] ",
            (false, true) => "[DRILL] ",
            (false, false) => "",
        }
    }

    /// The text with its mark.
    pub fn marked_text(&self) -> String {
        format!("{}{}", self.mark(), self.text)
    }

    /// One line that says what it is about, with its mark.
    pub fn heading(&self) -> String {
        let heading = self.subject.as_deref().or_else(|| self.text.lines().next()).unwrap_or_default();
        format!("{}{heading}", self.mark())
    }

    /// `[INC-12 #3]`, by which people recognise a repetition where a channel has no place for the key; the id outside an
    /// incident has no such short form, so there is none.
    pub fn tag(&self) -> Option<String> {
        let incident = self.incident.as_ref()?;
        Some(match self.seq {
            0 => format!("[{incident}]"),
            seq => format!("[{incident} #{seq}]"),
        })
    }

    /// Whether its key is this one or below it: `INC-12/2` is that of `INC-12/2/slack-ops/1`, and not of `INC-12/20/…`.
    pub fn is_below(&self, key: &str) -> bool {
        self.key()
            .strip_prefix(key.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        Notification::new("n-1", ChannelName::new("team"), "page", Severity::High, "production", "down", at)
    }

    /// Withdrawing one level's pages of one incident reaches these and no others whose numbers begin alike.
    #[test]
    fn keys_are_below_whole_parts_only() {
        let mut page = notification();
        page.key = Some("INC-12/2/slack-ops/1".to_owned());
        for (key, expected) in [
            ("INC-12", true),
            ("INC-12/", true),
            ("INC-12/2", true),
            ("INC-12/2/slack-ops/1", true),
            ("INC-1", false),
            ("INC-12/20", false),
            ("INC-12/2/slack-ops/12", false),
        ] {
            assert_eq!(page.is_below(key), expected, "{key}");
        }
        assert!(notification().is_below("n-1"), "the id stands for a key");
    }

    /// A drill and a test say so in their text and their heading, and what is neither says nothing.
    #[test]
    fn marks_are_seen() {
        let mut message = notification();
        assert_eq!((message.marked_text(), message.heading()), ("down".to_owned(), "down".to_owned()));
        message.subject = Some("INC-12 checkout".to_owned());
        message.drill = true;
        assert_eq!(message.marked_text(), "[DRILL] down");
        assert_eq!(message.heading(), "[DRILL] INC-12 checkout");
        message.test = true;
        assert_eq!(message.heading(), "[TEST] INC-12 checkout");
    }

    /// A journal from before these fields existed is read, and a message without them is written as it was.
    #[test]
    fn old_messages_stay_as_they_were() {
        let old = r#"{"id":"n-1","channel":"team","topic":"page","severity":"high","environment":"production","text":"down","at":"2026-01-02T03:04:05Z"}"#;
        let read: Notification = serde_json::from_str(old).unwrap();
        assert_eq!(read, notification());
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
    }
}
