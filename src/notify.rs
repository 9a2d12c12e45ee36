//! Channels to people, one file each. A channel delivers one message once; the outbox in the journal and the engine's
//! retries make that "at least once, the same id each time".

use std::time::Duration;

use async_trait::async_trait;

use crate::model::notification::Notification;

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
