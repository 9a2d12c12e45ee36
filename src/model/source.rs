//! Sources and indicators: which series a service has, and what a source reports of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::release::Arm;
use super::secret::SecretRef;
use super::{IndicatorName, ServiceName, SourceName, Span, Version};

/// Where indicators come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceSpec {
    /// A Prometheus exposition endpoint, read directly.
    Scrape(ScrapeSpec),
}

impl SourceSpec {
    /// Time between two readings.
    pub fn interval(&self) -> Span {
        match self {
            Self::Scrape(scrape) => scrape.interval,
        }
    }
}

/// A Prometheus exposition endpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrapeSpec {
    /// `http://` or `https://` address, usually ending in `/metrics`.
    pub url: String,
    /// Time between two readings.
    #[serde(default = "five_seconds")]
    pub interval: Span,
    /// Time after which a reading has failed.
    #[serde(default = "three_seconds")]
    pub timeout: Span,
    /// How a series tells which arm it speaks for. Without it every series speaks for the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Largest body that is read, in bytes.
    #[serde(default = "body_limit")]
    pub max_body: u64,
}

const fn five_seconds() -> Span {
    Span::secs(5)
}

const fn three_seconds() -> Span {
    Span::secs(3)
}

const fn body_limit() -> u64 {
    16 * 1024 * 1024
}

/// How a label tells the arm of a series.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmLabel {
    /// The label.
    pub label: String,
    /// The label holds the release's version; the platform says which arm that version serves on.
    #[serde(default)]
    pub by_version: bool,
    /// The value that means stable (without `by_version`).
    #[serde(default = "stable")]
    pub stable: String,
    /// The value that means canary (without `by_version`).
    #[serde(default = "canary")]
    pub canary: String,
}

fn stable() -> String {
    "stable".to_owned()
}

fn canary() -> String {
    "canary".to_owned()
}

/// A series of a service and how to read it from its source.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorSpec {
    /// The source that feeds it.
    pub source: SourceName,
    /// What to read there.
    pub read: SeriesSpec,
}

/// What is read. Series are written as in PromQL, without functions: `http_requests_total{service="checkout",code=~"5.."}`.
/// Several series that match are added up per arm.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SeriesSpec {
    /// The share of bad events: two counters.
    Ratio {
        /// Counts bad events.
        bad: String,
        /// Counts all events.
        total: String,
        /// An absent `bad` counter beside a present `total` means none yet; without this it means no data.
        #[serde(default)]
        absent_is_zero: bool,
    },
    /// Events a second: one counter.
    Rate {
        /// Counts events.
        counter: String,
    },
    /// A value that goes up and down.
    Gauge {
        /// The value.
        series: String,
        /// What the value is divided by, like a memory limit; the result is then a share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        divide_by: Option<String>,
    },
    /// A histogram of durations, by the name without `_bucket`.
    Latency {
        /// The histogram.
        histogram: String,
        /// The unit of its bounds.
        #[serde(default)]
        unit: LatencyUnit,
    },
}

/// The unit of a histogram's bounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatencyUnit {
    /// Seconds, as Prometheus recommends.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Whom a sample speaks for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The whole service.
    Whole,
    /// One arm.
    Arm(Arm),
    /// A version; the platform says which arm it serves on.
    Version(Version),
}

/// What happened to one indicator between two readings of its source.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The service.
    pub service: ServiceName,
    /// The indicator.
    pub indicator: IndicatorName,
    /// Whom it speaks for.
    pub subject: Subject,
    /// The reading before this one. For a gauge the same as `at`.
    pub from: Timestamp,
    /// The reading.
    pub at: Timestamp,
    /// What was read.
    pub value: SampleValue,
}

/// The content of a sample. Counters arrive as what they grew by since `from`, resets already taken care of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleValue {
    /// Events and how many of them were bad.
    Ratio {
        /// Bad events.
        bad: f64,
        /// All events.
        total: f64,
    },
    /// Events.
    Count(f64),
    /// A value that goes up and down.
    Gauge(f64),
    /// Durations by bucket.
    Histogram {
        /// Upper bounds of the buckets in milliseconds, ascending; the last bucket, without a bound, is not among them.
        bounds_ms: Arc<[f64]>,
        /// Events per bucket (not cumulative); one more than there are bounds.
        counts: Vec<f64>,
    },
}

/// One reading of a source.
#[derive(Clone, PartialEq, Debug)]
pub struct SourceReport {
    /// The source.
    pub source: SourceName,
    /// When the reading was asked for.
    pub at: Timestamp,
    /// What was read, or why nothing could be.
    pub result: Result<Reading, SourceFault>,
}

/// A reading that succeeded, perhaps not for every indicator.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reading {
    /// What was read. A first reading has no counters: there is nothing to compare with.
    pub samples: Vec<Sample>,
    /// Indicators of this source for which nothing could be read, and why ("no series matches …"). They stay missing.
    pub missing: Vec<(ServiceName, IndicatorName, String)>,
}

/// Why a source could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceFault {
    /// In words, with the address.
    pub reason: String,
}
