//! Channels to people, one file each. A channel sends one message once and says how that ended; the outbox in the journal and
//! the engine's retries make that "at least once, the same key each time".

pub mod desktop;
pub mod discord;
pub mod email;
mod heartbeat;
mod http;
pub mod pagerduty;
pub mod slack;
pub mod teams;
mod text;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::notification::{ChannelSpec, Notification};
use crate::model::secret::Secrets;

pub use crate::model::retry::backoff;
pub use heartbeat::Heartbeat;

/// Where a message can be sent.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Sends one message. `Ok` means that the other side took it, no more.
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError>;

    /// Where it leads, fit to be shown: a host, and nothing that could be a secret.
    fn host(&self) -> String;
}

/// The other side took a message. Whether a person has seen it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What it said, where that is worth keeping: that one of two recipients was refused.
    pub detail: String,
}

/// How a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It did not arrive, and may later.
    #[error("{reason}")]
    Retry {
        /// What happened, without any secret.
        reason: String,
        /// The other side's own wish, if it named one.
        after: Option<Duration>,
    },
    /// It was sent, and no answer came: it may have arrived. It is sent again under the same key.
    #[error("{reason}")]
    Unknown {
        /// What happened, without any secret.
        reason: String,
    },
    /// It did not arrive, and will not.
    #[error("{reason}")]
    Permanent {
        /// What happened, without any secret.
        reason: String,
        /// What is to blame.
        fault: Fault,
    },
}

/// What is to blame for a message that is never taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The message; the next one may fare better.
    Message,
    /// The channel as it is configured, by all appearance.
    Config,
    /// The channel is gone: the other side says that it wants nothing more.
    Gone,
}

impl SendError {
    /// The channel cannot work as it is configured.
    const fn config(reason: String) -> Self {
        Self::Permanent { reason, fault: Fault::Config }
    }

    /// This message cannot be sent.
    const fn message(reason: String) -> Self {
        Self::Permanent { reason, fault: Fault::Message }
    }
}

/// Makes a channel from the config.
///
/// # Errors
/// [`SendError::Permanent`] when the spec cannot work: a wrong address, key or header, or a secret that was not read.
pub fn build(spec: &ChannelSpec, secrets: &Secrets) -> Result<Arc<dyn Channel>, SendError> {
    match spec {
        ChannelSpec::Webhook(spec) => Ok(Arc::new(webhook::Webhook::new(spec, secrets)?)),
        ChannelSpec::Slack(spec) => Ok(Arc::new(slack::Slack::new(spec, secrets)?)),
        ChannelSpec::Teams(spec) => Ok(Arc::new(teams::Teams::new(spec, secrets)?)),
        ChannelSpec::Discord(spec) => Ok(Arc::new(discord::Discord::new(spec, secrets)?)),
        ChannelSpec::Pagerduty(spec) => Ok(Arc::new(pagerduty::Pagerduty::new(spec, secrets)?)),
        ChannelSpec::Email(spec) => Ok(Arc::new(email::Email::new(spec, secrets)?)),
        ChannelSpec::Desktop(_) => Ok(Arc::new(desktop::Desktop::default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trigger::Severity;
    use crate::model::{ChannelName, ServiceName};

    /// A message as the outbox holds it.
    pub(super) fn notification() -> Notification {
        Notification {
            service: Some(ServiceName::new("checkout")),
            facts: [("to".to_owned(), "2.8.0".to_owned())].into(),
            ..Notification::new(
                "n-1",
                ChannelName::new("team"),
                "rollback-started",
                Severity::High,
                "production",
                "rolling back checkout 2.8.1",
                "2026-01-02T03:04:05Z".parse().unwrap(),
            )
        }
    }

    /// A channel that cannot work is noticed when it is made, before there is something to tell.
    #[test]
    fn a_channel_that_cannot_work_is_refused() {
        let spec = |json| serde_json::from_value::<ChannelSpec>(json).unwrap();
        let fine = spec(serde_json::json!({"kind": "webhook", "url": "http://127.0.0.1:9/hook"}));
        assert!(build(&fine, &Secrets::default()).is_ok());
        let wrong = spec(serde_json::json!({"kind": "webhook", "secret_url": "env:HOOK"}));
        let error = build(&wrong, &Secrets::default()).err().unwrap();
        assert_eq!(error.to_string(), "webhook: the secret `env:HOOK` was not read");
    }
}
