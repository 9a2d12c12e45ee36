//! Delivering messages: again and again, under the same key, until the channel takes one or it is too old to matter.
//!
//! [`queue`] says what is to be done and when, without touching anything; here it is done.

mod destination;
mod pace;
mod queue;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::model::delivery::Delivery;
use crate::model::notification::Notification;
use crate::model::{ChannelName, NotificationId};
use crate::notify::{Accepted, Channel, Fault, SendError};

use super::super::input::{DeliveryEnd, Input};
use queue::{Queue, Step};

/// Every channel has a limit of its own; one that forgot about it is not waited for for ever.
const PATIENCE: Duration = Duration::from_mins(2);

/// An attempt that has ended.
#[derive(Debug)]
pub(super) struct Returned {
    id: NotificationId,
    result: Result<Accepted, SendError>,
}

/// The outbox of a leader.
pub(super) struct Outbox {
    queue: Queue,
    channels: BTreeMap<ChannelName, Arc<dyn Channel>>,
    returns: mpsc::Sender<Returned>,
    /// To be done at the next turn.
    steps: Vec<Step>,
}

impl Outbox {
    /// An empty one; what attempts come to is sent to `returns`, and has to be given back.
    pub(super) fn new(
        config: &Config,
        channels: BTreeMap<ChannelName, Arc<dyn Channel>>,
        returns: mpsc::Sender<Returned>,
        now: Timestamp,
    ) -> Self {
        Self { queue: Queue::new(&config.channels, now), channels, returns, steps: Vec::new() }
    }

    /// Takes a message. `has_reached`: whether its channel is known to have taken something of its incident.
    pub(super) fn push(&mut self, message: Notification, has_reached: bool) {
        self.steps.extend(self.queue.push(message, has_reached));
    }

    /// Leaves out what waits under a key, or below it.
    pub(super) fn withdraw(&mut self, key: &str, pages_only: bool, reason: &str) {
        self.steps.extend(self.queue.withdraw(key, pages_only, reason));
    }

    /// Takes what an attempt came to.
    pub(super) fn returned(&mut self, returned: Returned, now: Timestamp) {
        if let Err(error) = &returned.result {
            tracing::warn!(notification = %returned.id, reason = %error, "not accepted");
        }
        let steps = self.queue.finished(&returned.id, returned.result, now, rand::random());
        self.steps.extend(steps);
    }

    /// Does what is to be done now; what the core has to know comes back. When something does, it has to be taken and journaled
    /// before the next turn: a message is begun only after the end of the one before it is durable, so that after a crash at
    /// most the last one of each incident is sent again.
    #[must_use]
    pub(super) fn turn(&mut self, now: Timestamp, tasks: &mut JoinSet<()>) -> Vec<Input> {
        let mut steps = std::mem::take(&mut self.steps);
        if steps.is_empty() {
            steps = self.queue.next(now);
        }
        let mut inputs = Vec::new();
        for step in steps {
            match step {
                Step::Tell(input) => {
                    log(&input);
                    inputs.push(input);
                }
                Step::Send(message) => {
                    let channel = self.channels.get(&message.channel).map(Arc::clone);
                    let returns = self.returns.clone();
                    tasks.spawn(async move {
                        let result = attempt(channel, &message).await;
                        // A leader that is gone leaves the message in the outbox.
                        let _ = returns.send(Returned { id: message.id, result }).await;
                    });
                }
            }
        }
        inputs
    }

    /// What was tried and has not ended.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.queue.deliveries()
    }
}

fn log(input: &Input) {
    match input {
        Input::NotificationFinished { id, attempt, end: DeliveryEnd::Failed(reason) } => {
            tracing::error!(notification = %id, attempt, %reason, "given up");
        }
        Input::NotificationFinished { id, end: DeliveryEnd::Suppressed(reason), .. } => {
            tracing::info!(notification = %id, %reason, "left out");
        }
        Input::NotificationFellOver { id, reason } => {
            tracing::warn!(notification = %id, %reason, "sent by the fallback, too");
        }
        _ => {}
    }
}

/// One attempt. Every attempt that was begun has to end, or its message would wait for ever.
async fn attempt(channel: Option<Arc<dyn Channel>>, message: &Notification) -> Result<Accepted, SendError> {
    let Some(channel) = channel else {
        let reason = format!("there is no channel `{}`", message.channel);
        return Err(SendError::Permanent { reason, fault: Fault::Message });
    };
    let send = AssertUnwindSafe(channel.send(message)).catch_unwind();
    match timeout(PATIENCE, send).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => {
            let reason = "the channel's adapter failed (a defect of unship; the log has it)".to_owned();
            Err(SendError::Permanent { reason, fault: Fault::Message })
        }
        Err(_) => Err(SendError::Unknown { reason: format!("no answer within {} s", PATIENCE.as_secs()) }),
    }
}
