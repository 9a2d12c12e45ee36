//! Delivering messages: again and again, with the same id, until the channel takes one or it is too old to matter.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use crate::model::notification::Notification;
use crate::notify::{Channel, SendError, backoff};

use super::super::input::{DeliveryEnd, Input};

/// Delivers one message and says how that ended.
pub async fn deliver(channel: Option<Arc<dyn Channel>>, notification: Notification) -> Input {
    let mut attempt = 0;
    let failure = loop {
        let Some(channel) = &channel else {
            break Some(format!("the config has no channel `{}` any more", notification.channel));
        };
        attempt += 1;
        let (reason, after) = match channel.send(&notification).await {
            Ok(_) => break None,
            Err(SendError::Permanent { reason, .. }) => break Some(reason),
            Err(SendError::Retry { reason, after }) => (reason, after),
            Err(SendError::Unknown { reason }) => (reason, None),
        };
        let wait = backoff(attempt - 1, rand::random()).max(after.unwrap_or_default());
        // A message from the future (the clock was set back) is a new one.
        let age = Duration::try_from(Timestamp::now().duration_since(notification.at)).unwrap_or_default();
        tracing::warn!(notification = %notification.id, attempt, %reason, "not accepted yet");
        if age + wait > notification.kind.ttl() {
            break Some(format!("given up after {attempt} attempts: {reason}"));
        }
        sleep(wait).await;
    };
    if let Some(reason) = &failure {
        tracing::error!(notification = %notification.id, %reason, "not accepted");
    }
    let end = failure.map_or(DeliveryEnd::Accepted { detail: String::new() }, DeliveryEnd::Failed);
    Input::NotificationFinished { id: notification.id, attempt, end }
}
