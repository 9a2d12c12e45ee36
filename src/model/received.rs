//! Alarms as others send them: what a monitoring system says, told apart by episode.
//!
//! An *episode* is one time that an alarm fired: the fingerprint of its labels and when it began. Texts from outside are
//! bounded here, with a mark where something was left out. How an Alertmanager writes them is in [`alertmanager`],
//! how `unship.toml` speaks of all this in [`spec`].

pub mod alertmanager;
pub mod spec;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::incident::Level;
use super::{AlarmId, IncidentId, ServiceName};

/// Labels of an alarm that are kept.
pub const LABELS_KEPT: usize = 40;
/// Annotations of an alarm that are kept.
pub const ANNOTATIONS_KEPT: usize = 16;
/// The longest that the name of a label may be, in characters.
pub const KEY_LIMIT: usize = 80;
/// The longest that the value of a label may be, in characters.
pub const LABEL_LIMIT: usize = 200;
/// The longest that an annotation may be, in characters.
pub const ANNOTATION_LIMIT: usize = 500;
/// The longest that a fingerprint may be, in characters.
pub const FINGERPRINT_LIMIT: usize = 64;

/// Where an alarm came from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSource {
    /// An Alertmanager: its webhook, or its API.
    Alertmanager,
    /// Somebody who sends plain JSON.
    Json,
}

impl AlarmSource {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Json => "json",
        }
    }
}

/// Why nobody is told of an alarm where it comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Muted {
    /// A person silenced it.
    Silenced,
    /// Another alarm speaks for it.
    Inhibited,
}

impl Muted {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Silenced => "silenced",
            Self::Inhibited => "inhibited",
        }
    }
}

/// What one message says of one alarm, bounded and otherwise as it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlarmReport {
    /// Where it came from.
    pub source: AlarmSource,
    /// Its name: the label `alertname`.
    pub name: String,
    /// Tells it from others of its name: a hash over its labels, or an id that the sender chose.
    pub fingerprint: String,
    /// Whether it fires; else it is over.
    pub firing: bool,
    /// When it began; none where the sender does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Timestamp>,
    /// When it ended; none while it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What people are to read of it.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Why nobody is told of it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Muted>,
}

/// Alarms that came in one message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlarmBatch {
    /// When it was received.
    pub at: Timestamp,
    /// The alarms.
    pub reports: Vec<AlarmReport>,
    /// How many alarms the sender left out of it.
    #[serde(default)]
    pub truncated: u64,
}

/// The alarms that each peer of an Alertmanager has now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlarmPoll {
    /// When they were asked.
    pub asked_at: Timestamp,
    /// Each peer, by its address, with its alarms, or why it gave none.
    pub peers: Vec<(String, Result<Vec<AlarmReport>, String>)>,
}

impl AlarmReport {
    /// The same with texts and counts that are bounded; what is left out leaves a mark.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            name: cut(&self.name, KEY_LIMIT),
            // Part of it would name another alarm; a hash is far shorter.
            fingerprint: self.fingerprint.chars().take(FINGERPRINT_LIMIT).collect(),
            labels: bounded(self.labels, LABELS_KEPT, LABEL_LIMIT),
            annotations: bounded(self.annotations, ANNOTATIONS_KEPT, ANNOTATION_LIMIT),
            ..self
        }
    }
}

fn bounded(texts: BTreeMap<String, String>, count: usize, limit: usize) -> BTreeMap<String, String> {
    let left_out = texts.len().saturating_sub(count);
    let mut kept: BTreeMap<String, String> = texts
        .into_iter()
        .take(count)
        .map(|(key, value)| (cut(&key, KEY_LIMIT), cut(&value, limit)))
        .collect();
    if left_out > 0 {
        kept.insert("…".to_owned(), format!("{left_out} more"));
    }
    kept
}

/// A text of at most so many characters, the last one a mark where something is missing. Control characters do not come in.
fn cut(text: &str, limit: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= limit {
        return text.chars().map(clean).collect();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).map(clean).collect();
    cut.push('…');
    cut
}

/// What is known of an episode from its beginning on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AlarmFacts {
    /// Where it came from.
    pub source: AlarmSource,
    /// Its name.
    pub name: String,
    /// Tells it from others of its name.
    pub fingerprint: String,
    /// When it began.
    pub starts_at: Timestamp,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What people are to read of it.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// The service that it speaks of, if the config knows it by its labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// How bad its label says that it is: a suggestion, which a person confirms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Level>,
    /// The runbook that it points at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
}

impl AlarmFacts {
    /// The id of the episode.
    pub fn id(&self) -> AlarmId {
        AlarmId::from(format!("{}{}", episodes_of(&self.name, &self.fingerprint), self.starts_at))
    }

    /// What it says in a line: its summary, or its description.
    pub fn summary(&self) -> Option<&str> {
        ["summary", "message", "description"]
            .iter()
            .find_map(|key| self.annotations.get(*key))
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty())
    }
}

/// What the ids of all episodes of an alarm begin with.
pub fn episodes_of(name: &str, fingerprint: &str) -> String {
    format!("{name}/{fingerprint}@")
}

/// Whether an episode goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum AlarmStatus {
    /// It does.
    Firing,
    /// It is over.
    Resolved {
        /// Since when.
        at: Timestamp,
        /// Nobody said so: it is no longer where it came from.
        inferred: bool,
    },
}

/// An episode of an alarm, as it is known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Alarm {
    /// Its id.
    pub id: AlarmId,
    /// What is known from its beginning on.
    #[serde(flatten)]
    pub facts: AlarmFacts,
    /// Whether it goes on.
    #[serde(flatten)]
    pub status: AlarmStatus,
    /// When it was first heard of.
    pub heard_at: Timestamp,
    /// When it was last journaled that it was heard of; more often than that is not written down.
    pub last_seen: Timestamp,
    /// When it last began or ended, by our own clock.
    pub changed_at: Timestamp,
    /// Where it comes from cannot be asked, and why: it may be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
    /// Why nobody is told of it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<Muted>,
    /// The incident that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
}

impl Alarm {
    /// Whether it goes on, as far as is known.
    pub const fn is_firing(&self) -> bool {
        matches!(self.status, AlarmStatus::Firing)
    }
}

/// What happened to an alarm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum ReceivedChange {
    /// It fires.
    Firing {
        /// What is known of it.
        #[serde(flatten)]
        facts: Box<AlarmFacts>,
    },
    /// It is over.
    Resolved {
        /// Since when.
        at: Timestamp,
        /// Nobody said so: it is no longer where it came from, or the next episode has begun.
        inferred: bool,
    },
    /// Where it comes from cannot be asked any more.
    Stale {
        /// Why.
        reason: String,
    },
    /// It was heard of again, after a while in which it was not or in which that was not written down.
    Fresh,
    /// Nobody is told of it any more where it comes from, or somebody is again.
    Muted {
        /// Why not; none when somebody is told again.
        by: Option<Muted>,
    },
    /// It comes and goes: from now on without a word.
    Flapping,
    /// It stays as it is again.
    Steady,
    /// An incident was opened for it.
    Opened {
        /// Which.
        incident: IncidentId,
        /// It stands for many alarms that came at once.
        #[serde(default)]
        storm: bool,
    },
    /// The alarm that always fires does not come any more: nothing is heard of alarms.
    PathDown {
        /// When it was last heard of.
        since: Timestamp,
    },
    /// It comes again.
    PathUp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(labels: usize, length: usize) -> AlarmReport {
        let texts = |letter: char| {
            (0..labels).map(|number| (format!("{letter}{number:04}"), "ä".repeat(length))).collect()
        };
        AlarmReport {
            source: AlarmSource::Json,
            name: "a\nb".repeat(100),
            fingerprint: "f".repeat(1_000),
            firing: true,
            starts_at: None,
            ends_at: None,
            labels: texts('l'),
            annotations: texts('a'),
            muted: None,
        }
    }

    /// Whatever somebody sends, what is kept of an alarm stays small, and shows that it is not all.
    #[test]
    fn what_is_kept_is_bounded() {
        let kept = report(500, 5_000).bounded();
        assert_eq!(kept.labels.len(), LABELS_KEPT + 1);
        assert_eq!(kept.labels["…"], "460 more");
        assert_eq!(kept.annotations.len(), ANNOTATIONS_KEPT + 1);
        assert!(kept.labels["l0000"].ends_with("ä…"), "{}", kept.labels["l0000"]);
        assert_eq!(kept.labels["l0000"].chars().count(), LABEL_LIMIT);
        assert_eq!(kept.annotations["a0000"].chars().count(), ANNOTATION_LIMIT);
        assert_eq!(kept.name.chars().count(), KEY_LIMIT);
        assert!(!kept.name.contains('\n'), "{}", kept.name);
        assert_eq!(kept.fingerprint.len(), FINGERPRINT_LIMIT);
    }

    /// What is small is kept as it is.
    #[test]
    fn what_is_small_stays() {
        let small = AlarmReport { name: "Down".into(), fingerprint: "a1".into(), ..report(3, 20) };
        assert_eq!(small.clone().bounded(), small);
    }
}
