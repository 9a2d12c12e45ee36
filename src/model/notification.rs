//! Messages to people and where they go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;
use super::trigger::Severity;
use super::{ChannelName, NotificationId, ServiceName, Span};

/// Where messages go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelSpec {
    /// An HTTP POST of JSON, signed as Standard Webhooks describes if there is a key.
    Webhook(WebhookSpec),
}

impl ChannelSpec {
    /// What is told there at all.
    pub fn least_severity(&self) -> Severity {
        match self {
            Self::Webhook(webhook) => webhook.severity,
        }
    }
}

/// A generic webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSpec {
    /// The address. If it holds a token, give `secret_url` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address, kept as a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_url: Option<SecretRef>,
    /// The key that signs the message, `whsec_…` in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Time after which a delivery has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

const fn low() -> Severity {
    Severity::Low
}

/// A message, as it is kept in the outbox. The webhook's body is this as JSON, plus `schema`.
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
}
