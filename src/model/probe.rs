//! Active health checks: what is asked, what an answer means.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::release::Arm;
use super::secret::SecretRef;
use super::{ProbeName, ServiceName, Span};

/// An HTTP health check of a service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// `http://` or `https://` address.
    pub url: String,
    /// The arm that this address reaches; without it the answer speaks for the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arm>,
    /// `GET`, `HEAD`, `POST`, …
    #[serde(default = "get")]
    pub method: String,
    /// Time between two checks.
    #[serde(default = "ten_seconds")]
    pub interval: Span,
    /// Time after which a check without a full answer has failed.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// Statuses that mean "up". Without it: any 2xx. A body is read whatever the status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// How the body is judged.
    #[serde(default)]
    pub body: BodyRule,
    /// Text that has to be in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Request headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Largest body that is read, in bytes. A larger one fails the check.
    #[serde(default = "body_limit")]
    pub max_body: u64,
    /// Keeps the connection between checks. Cheaper, but a kept connection can go on speaking to an instance that
    /// new clients no longer reach.
    #[serde(default)]
    pub keep_alive: bool,
}

fn get() -> String {
    "GET".to_owned()
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

const fn five_seconds() -> Span {
    Span::secs(5)
}

const fn body_limit() -> u64 {
    256 * 1024
}

/// How the body of a health answer is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BodyRule {
    /// JSON with a `status` if it is JSON, a known word if it is short text, otherwise the HTTP status alone.
    #[default]
    Auto,
    /// It must be JSON with a `status` in one of the known dialects.
    Json,
    /// It must be a known word: `healthy`, `ok`, `UP`, …
    Text,
    /// The body is not judged.
    Ignore,
}

/// What a service says, or its answer means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Works.
    Healthy,
    /// Works with a part missing.
    Degraded,
    /// Does not work.
    Unhealthy,
}

impl Health {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A dependency as a service's health document names it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DependencyHealth {
    /// The dependency.
    pub name: String,
    /// Its state.
    pub health: Health,
    /// Its response time in milliseconds, where the document says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_ms: Option<f64>,
    /// What is wrong with it, where the document says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A health document, from any of the dialects that are understood.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct HealthDocument {
    /// The service's own version, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Seconds since it started, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<f64>,
    /// Its dependencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyHealth>,
    /// Numbers from its `metrics` object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// How one check ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ProbeOutcome {
    /// An answer that could be judged, or a refusal or time-out, which is a failure.
    Answered {
        /// What it means.
        health: Health,
        /// Why, in words; empty when healthy.
        reason: String,
    },
    /// The check could not be run from here (no name resolution, no network, no file handles): it counts for nothing.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// One run of a probe.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProbeResult {
    /// The service.
    pub service: ServiceName,
    /// The probe.
    pub probe: ProbeName,
    /// The arm it speaks for; none for the service as a whole.
    pub arm: Option<Arm>,
    /// When the check was sent. A change of release after this makes the answer old.
    pub at: Timestamp,
    /// From sending to the last byte, in milliseconds.
    pub latency_ms: f64,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: ProbeOutcome,
    /// The health document, if the body was one.
    pub document: Option<HealthDocument>,
}
