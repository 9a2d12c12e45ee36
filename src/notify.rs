//! Channels to people, one file each. A channel delivers one message once; the outbox in the journal and the engine's
//! retries make that "at least once, the same id each time".

mod retry;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::notification::{ChannelSpec, Notification};
use crate::model::secret::Secrets;

pub use retry::backoff;

/// Where a message can be sent.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Sends one message. `Ok` means that the other side took it, no more.
    async fn send(&self, notification: &Notification) -> Result<(), SendError>;
}

/// How a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may work later.
    #[error("{reason}")]
    Retry {
        /// What happened, without any secret.
        reason: String,
        /// The other side's own wish, if it named one.
        after: Option<Duration>,
    },
    /// It will not.
    #[error("{reason}")]
    Permanent {
        /// What happened, without any secret.
        reason: String,
    },
}

/// Makes a channel from the config.
///
/// # Errors
/// [`SendError::Permanent`] when the spec cannot work: a wrong address, key or header, or a secret that was not read.
pub fn build(spec: &ChannelSpec, secrets: &Secrets) -> Result<Arc<dyn Channel>, SendError> {
    match spec {
        ChannelSpec::Webhook(spec) => Ok(Arc::new(webhook::Webhook::new(spec, secrets)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trigger::Severity;
    use crate::model::{ChannelName, NotificationId, ServiceName};

    /// A message as the outbox holds it.
    pub(super) fn notification() -> Notification {
        Notification {
            id: NotificationId::new("n-1"),
            channel: ChannelName::new("team"),
            topic: "rollback-started".to_owned(),
            severity: Severity::High,
            environment: "production".to_owned(),
            service: Some(ServiceName::new("checkout")),
            text: "rolling back checkout 2.8.1".to_owned(),
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            facts: [("to".to_owned(), "2.8.0".to_owned())].into(),
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
