//! A message on its way, as people see it. It is not journaled: what matters of it is how it ends.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::notification::MessageKind;
use super::units::human;
use super::{ChannelName, NotificationId};

/// Where a message is that was tried and has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// An attempt is being made.
    Sending,
    /// The last attempt failed, and the next is made then.
    RetryAt(Timestamp),
}

/// A message that was tried and has not ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Delivery {
    /// The message.
    pub notification: NotificationId,
    /// Where it goes.
    pub channel: ChannelName,
    /// What it is for.
    pub kind: MessageKind,
    /// Attempts that were begun.
    pub attempt: u32,
    /// Where it is.
    pub state: DeliveryState,
    /// Why the last attempt failed; empty during the first.
    pub reason: String,
}

impl Delivery {
    /// `sending`, or `retrying 3, next in 8 s: the reason`.
    pub fn words(&self, now: Timestamp) -> String {
        let because = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        match self.state {
            DeliveryState::Sending if self.attempt <= 1 => format!("sending{because}"),
            DeliveryState::Sending => format!("sending, attempt {}{because}", self.attempt),
            DeliveryState::RetryAt(at) => {
                let wait = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                // Whole seconds: nobody counts the rest.
                let next = match wait.as_secs_f64().ceil() as u64 {
                    0 => "now".to_owned(),
                    seconds => format!("in {}", human(Duration::from_secs(seconds))),
                };
                format!("retrying {}, next {next}{because}", self.attempt)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A person sees how often it was tried, when it is tried again, and why.
    #[test]
    fn it_is_told_in_words() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        for (attempt, state, reason, expected) in [
            (1, DeliveryState::Sending, "", "sending"),
            (2, DeliveryState::Sending, "answered 503", "sending, attempt 2: answered 503"),
            (
                3,
                DeliveryState::RetryAt(now + Duration::from_millis(7_400)),
                "answered 503",
                "retrying 3, next in 8 s: answered 503",
            ),
            (3, DeliveryState::RetryAt(now - Duration::from_secs(1)), "x", "retrying 3, next now: x"),
        ] {
            let delivery = Delivery {
                notification: "n-1".into(),
                channel: "team".into(),
                kind: MessageKind::Page,
                attempt,
                state,
                reason: reason.to_owned(),
            };
            assert_eq!(delivery.words(now), expected);
        }
    }
}
