//! Channels, listed and tried out before anything depends on them. What is sent is marked as a test and is not journaled: it
//! speaks of nothing that happened.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::notification::{AlertAction, ChannelSpec, Notification};
use crate::model::trigger::Severity;
use crate::model::{ChannelName, NotificationId};
use crate::notify::{Channel, SendError};

use super::World;

/// A channel, without anything that is secret.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelFacts {
    /// Its name.
    pub channel: ChannelName,
    /// What it is: `slack`.
    pub kind: &'static str,
    /// Where it leads: the host, and no more.
    pub host: String,
    /// What is told there at all.
    pub least_severity: Severity,
    /// Which channel also gets a page that this one does not take in time.
    pub fallback: Option<ChannelName>,
    /// Whether tests and drills are sent there.
    pub for_tests: bool,
}

/// How a trial went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialOutcome {
    /// The other side took the message.
    Accepted,
    /// It was shown where nobody may have seen it.
    Shown,
    /// It was not taken, and may be later.
    Retry,
    /// It was sent, and no answer came.
    Unknown,
    /// It was not taken, and will not be.
    Refused,
}

/// A trial of a channel.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The channel.
    #[serde(flatten)]
    pub channel: ChannelFacts,
    /// How it went.
    pub outcome: TrialOutcome,
    /// Why it was not taken, or what the other side remarked; empty when there is nothing to say.
    pub detail: String,
    /// The key that the message had.
    pub key: String,
    /// How long the other side took.
    pub took_ms: u64,
}

/// The channels of an environment, by name.
pub fn channels(world: &World) -> Vec<ChannelFacts> {
    let config = &world.settings.config;
    let all = config.channels.iter().filter_map(|(name, spec)| {
        let channel = world.channels.get(name)?;
        Some(facts(world, name, spec, channel.as_ref()))
    });
    all.collect()
}

fn facts(world: &World, name: &ChannelName, spec: &ChannelSpec, channel: &dyn Channel) -> ChannelFacts {
    ChannelFacts {
        channel: name.clone(),
        kind: spec.kind(),
        host: channel.host(),
        least_severity: spec.least_severity(),
        fallback: spec.fallback().cloned(),
        for_tests: world.settings.config.notify.test.as_ref() == Some(name),
    }
}

/// Sends a message that is marked as a test through a channel, once; none if there is no such channel. An alert that is kept
/// on the other side is ended again at once.
pub async fn try_channel(world: &World, name: &ChannelName, by: &str, now: Timestamp) -> Option<Trial> {
    let spec = world.settings.config.channels.get(name)?;
    let channel = world.channels.get(name)?;
    let environment = &world.settings.config.environment.name;
    let id = NotificationId::from(format!("{environment}-test-{}", ulid::Ulid::generate()));
    let text = format!(
        "{environment}: {by} tries the channel `{name}` out. Nothing is wrong, and nothing is to be done."
    );
    let mut message = Notification::new(id, name.clone(), "test", Severity::Low, environment, text, now);
    message.test = true;
    message.subject = Some(format!("unship in {environment}: a test of `{name}`"));
    message.facts.insert("by".to_owned(), by.to_owned());
    let begun = Instant::now();
    let result = channel.send(&message).await;
    let took = begun.elapsed();
    if result.is_ok() && matches!(spec, ChannelSpec::Pagerduty(_)) {
        // Nobody has to close it by hand. If this is lost, the alert says that it is a test.
        message.action = AlertAction::Resolve;
        if let Err(error) = channel.send(&message).await {
            tracing::warn!(%error, "the test's alert was not ended");
        }
    }
    let (outcome, detail) = match result {
        Ok(accepted) if spec.counts() => (TrialOutcome::Accepted, accepted.detail),
        Ok(accepted) => (TrialOutcome::Shown, accepted.detail),
        Err(SendError::Retry { reason, .. }) => (TrialOutcome::Retry, reason),
        Err(SendError::Unknown { reason }) => (TrialOutcome::Unknown, reason),
        Err(SendError::Permanent { reason, .. }) => (TrialOutcome::Refused, reason),
    };
    Some(Trial {
        channel: facts(world, name, spec, channel.as_ref()),
        outcome,
        detail: world.secrets.redact(&detail),
        key: message.key().to_owned(),
        took_ms: u64::try_from(took.min(Duration::from_hours(1)).as_millis()).unwrap_or(u64::MAX),
    })
}
