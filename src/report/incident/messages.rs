//! The record of what was sent in an incident, and of what did not arrive.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::incident::{Audience, IncidentChange};
use crate::model::notification::{MessageKind, Notification};
use crate::model::{ChannelName, NotificationId};
use crate::report::{Entry, Millis};

/// A message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MessageRecord {
    /// Its id.
    pub id: NotificationId,
    /// The entry that put it into the outbox.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What it is for.
    pub kind: MessageKind,
    /// What it is about.
    pub topic: String,
    /// Where it goes.
    pub channel: ChannelName,
    /// What it says.
    pub text: String,
    /// The message that it was sent in place of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_of: Option<NotificationId>,
    /// What became of it.
    pub end: MessageEnd,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum MessageEnd {
    /// Its channel took it. Whether anybody read it only an acknowledgement says.
    Accepted {
        /// The entry.
        seq: u64,
        /// How long after it was put into the outbox.
        after_ms: Millis,
        /// At which attempt.
        attempt: u32,
    },
    /// It was given up.
    Failed {
        /// The entry.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// It was left out on purpose.
    Suppressed {
        /// The entry.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// It still waits.
    Waiting,
}

impl MessageEnd {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Accepted { after_ms, attempt: 1, .. } => format!("accepted after {after_ms}"),
            Self::Accepted { after_ms, attempt, .. } => {
                format!("accepted after {after_ms}, at attempt {attempt}")
            }
            Self::Failed { reason, .. } => format!("FAILED: {reason}"),
            Self::Suppressed { reason, .. } => format!("left out: {reason}"),
            Self::Waiting => "not accepted yet".to_owned(),
        }
    }

    /// Whether somebody was meant to hear something and has not, as far as is known.
    pub const fn is_missed(&self) -> bool {
        !matches!(self, Self::Accepted { .. })
    }
}

/// A message was queued.
pub(super) fn queued(entry: &Entry<'_>, notification: &Notification) -> MessageRecord {
    MessageRecord {
        id: notification.id.clone(),
        seq: entry.seq,
        at: entry.at,
        kind: notification.kind,
        topic: notification.topic.clone(),
        channel: notification.channel.clone(),
        text: notification.marked_text(),
        fallback_of: notification.fallback_of.clone(),
        end: MessageEnd::Waiting,
    }
}

/// Something became of a message.
pub(super) fn take(messages: &mut [MessageRecord], entry: &Entry<'_>, event: &Event) {
    let (id, end) = match event {
        Event::NotificationSent { notification, attempt, .. } => (notification, Ok(*attempt)),
        Event::NotificationFailed { notification, reason } => {
            (notification, Err(MessageEnd::Failed { seq: entry.seq, reason: reason.clone() }))
        }
        Event::NotificationSuppressed { notification, reason } => {
            (notification, Err(MessageEnd::Suppressed { seq: entry.seq, reason: reason.clone() }))
        }
        _ => return,
    };
    let Some(message) = messages.iter_mut().find(|message| message.id == *id) else { return };
    message.end = match end {
        Ok(attempt) => {
            MessageEnd::Accepted { seq: entry.seq, after_ms: Millis::between(message.at, entry.at), attempt }
        }
        Err(end) => end,
    };
}

/// What a person told those who wait, or a message that they waited for in vain.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UpdateRecord {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// Who waits.
    pub audience: Audience,
    /// Since when it was late; none for one that was sent.
    pub missed: Option<Timestamp>,
    /// Who sent it; empty for one that is late.
    pub by: String,
    /// What it says; empty for one that is late.
    pub text: String,
    /// Through which channels.
    pub channels: Vec<ChannelName>,
    /// When the next one was promised, where that was said.
    pub next: Option<Timestamp>,
}

/// What a change of an incident says of such messages.
pub(super) fn update(entry: &Entry<'_>, by: &Actor, change: &IncidentChange) -> Option<UpdateRecord> {
    let (at, seq) = (entry.at, entry.seq);
    Some(match change {
        IncidentChange::Told { audience, text, channels, next } => UpdateRecord {
            at,
            seq,
            audience: *audience,
            missed: None,
            by: by.to_string(),
            text: text.clone(),
            channels: channels.clone(),
            next: *next,
        },
        IncidentChange::UpdateMissed { audience, due } => UpdateRecord {
            at,
            seq,
            audience: *audience,
            missed: Some(*due),
            by: String::new(),
            text: String::new(),
            channels: Vec::new(),
            next: None,
        },
        _ => return None,
    })
}
