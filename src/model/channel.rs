//! Channels to people, as the config describes them. How each is spoken to is in `notify`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;
use super::trigger::Severity;
use super::{ChannelName, Span};

/// Where messages go.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChannelSpec {
    /// An HTTP POST of JSON, signed as Standard Webhooks describes if there is a key. A gateway to phones is one, too.
    Webhook(WebhookSpec),
    /// A Slack incoming webhook.
    Slack(SlackSpec),
    /// Microsoft Teams, by a workflow that begins with `When a Teams webhook request is received`.
    Teams(TeamsSpec),
    /// A Discord webhook.
    Discord(DiscordSpec),
    /// PagerDuty, by the Events API version 2.
    Pagerduty(PagerdutySpec),
    /// E-mail by SMTP.
    Email(EmailSpec),
    /// A notice on the desktop of the machine that leads, by `notify-send`. Best effort: it never counts as accepted.
    Desktop(DesktopSpec),
}

impl ChannelSpec {
    /// The word of its `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::Discord(_) => "discord",
            Self::Pagerduty(_) => "pagerduty",
            Self::Email(_) => "email",
            Self::Desktop(_) => "desktop",
        }
    }

    /// What is told there at all.
    pub const fn least_severity(&self) -> Severity {
        match self {
            Self::Webhook(spec) => spec.severity,
            Self::Slack(spec) => spec.severity,
            Self::Teams(spec) => spec.severity,
            Self::Discord(spec) => spec.severity,
            Self::Pagerduty(spec) => spec.severity,
            Self::Email(spec) => spec.severity,
            Self::Desktop(spec) => spec.severity,
        }
    }

    /// The channel that also gets a page which this one did not take in time.
    pub const fn fallback(&self) -> Option<&ChannelName> {
        match self {
            Self::Webhook(spec) => spec.fallback.as_ref(),
            Self::Slack(spec) => spec.fallback.as_ref(),
            Self::Teams(spec) => spec.fallback.as_ref(),
            Self::Discord(spec) => spec.fallback.as_ref(),
            Self::Pagerduty(spec) => spec.fallback.as_ref(),
            Self::Email(spec) => spec.fallback.as_ref(),
            Self::Desktop(_) => None,
        }
    }

    /// Whether what it takes counts as accepted. A notice on a desktop that nobody may be sitting at does not.
    pub const fn counts(&self) -> bool {
        !matches!(self, Self::Desktop(_))
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
    /// Time after which an attempt has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

/// An outside monitor that hears again and again that somebody leads, and tells people when it does not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatSpec {
    /// The address, which is usually a secret by itself.
    pub secret_url: SecretRef,
    /// Time between two beats.
    #[serde(default = "one_minute")]
    pub interval: Span,
    /// Time after which a beat has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
}

const fn one_minute() -> Span {
    Span::secs(60)
}

/// A Slack incoming webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackSpec {
    /// The address that Slack shows for the webhook, `https://hooks.slack.com/services/…`. Who has it can post.
    pub secret_url: SecretRef,
    /// Time after which an attempt has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

/// A Microsoft Teams workflow.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamsSpec {
    /// The address that the workflow shows. Who has it can post.
    pub secret_url: SecretRef,
    /// Time after which an attempt has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

/// A Discord webhook.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscordSpec {
    /// The address that Discord shows for the webhook, `https://discord.com/api/webhooks/…`. Who has it can post.
    pub secret_url: SecretRef,
    /// The thread to post into, by its number. Without it: the channel itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// Time after which an attempt has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

/// A PagerDuty service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerdutySpec {
    /// The integration key of the service, also called routing key.
    pub key: SecretRef,
    /// Where the account lives.
    #[serde(default)]
    pub region: PagerdutyRegion,
    /// The address to use instead of the region's: for a proxy or a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Time after which an attempt has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

/// Where a PagerDuty account lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PagerdutyRegion {
    /// `events.pagerduty.com`.
    #[default]
    Us,
    /// `events.eu.pagerduty.com`.
    Eu,
}

impl PagerdutyRegion {
    /// Where events are sent.
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::Us => "https://events.pagerduty.com/v2/enqueue",
            Self::Eu => "https://events.eu.pagerduty.com/v2/enqueue",
        }
    }
}

/// A mail server, and whom to write to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailSpec {
    /// The server that takes the mail: `smtp.example.com`.
    pub server: String,
    /// Its port. Without it: 587 with `starttls`, 465 with `implicit`, 25 with `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: EmailTls,
    /// Certificates to trust instead of those of the system, as PEM: `file:certs/mail-ca.pem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<SecretRef>,
    /// The name to log in with. Without it nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// The sender: `unship <unship@example.com>`.
    pub from: String,
    /// Whom to write to: `["oncall@example.com"]`.
    pub to: Vec<String>,
    /// Time after which an attempt has failed.
    #[serde(default = "thirty_seconds")]
    pub timeout: Span,
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
    /// The channel that also gets a page which this one has not taken within 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<ChannelName>,
}

impl EmailSpec {
    /// The port that is connected to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            EmailTls::Starttls => 587,
            EmailTls::Implicit => 465,
            EmailTls::None => 25,
        })
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// It begins in plain text and has to be encrypted before anything is said.
    #[default]
    Starttls,
    /// It is encrypted from the first byte.
    Implicit,
    /// Not at all: for a server on this machine. Nobody can log in then.
    None,
}

/// The desktop of the machine that leads.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DesktopSpec {
    /// Only messages at least this severe.
    #[serde(default = "low")]
    pub severity: Severity,
}

/// The section `[notify]`: what concerns all channels.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifySpec {
    /// The channel that tests and drills are sent to, and nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<ChannelName>,
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

const fn thirty_seconds() -> Span {
    Span::secs(30)
}

const fn low() -> Severity {
    Severity::Low
}
