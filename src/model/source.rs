//! Sources and indicators: which series a service has, and what a source reports of them. The kinds of sources are in
//! [`spec`].

pub mod checks;
pub mod cloudwatch;
pub mod lines;
pub mod spec;

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::{Judging, ObjectiveSpec};
use super::release::Arm;
use super::{IndicatorName, ServiceName, SourceName, Unit, Version, placeholder};

pub use spec::{
    ArmLabel, AwsKeys, CloudwatchSpec, JsonSpec, LogSpec, ProbeSourceSpec, PrometheusSpec, ScrapeSpec,
    SourceSpec,
};

/// A series of a service and how to read it from its source.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorSpec {
    /// The source that feeds it.
    pub source: SourceName,
    /// What to read there.
    pub read: SeriesSpec,
    /// What the judge does with it, where there is one and the source tells the arms apart.
    #[serde(default)]
    pub judge: Judging,
    /// What a canary has to keep whatever stable does: of a ratio or a latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<ObjectiveSpec>,
}

/// What is measured, and where that is found in the source.
///
/// A series is written in the source's own language. For `scrape` it is a name and labels as in PromQL, without functions:
/// `http_requests_total{service="checkout",code=~"5.."}`. For `prometheus` it is that, or any PromQL. For `cloudwatch` it is a
/// metric as the source of a dashboard has it:
/// `["AWS/ApplicationELB", "RequestCount", "LoadBalancer", "app/shop/50dc6c495c0c9188", { "stat": "Sum" }]`. For `probe` it is
/// `checks`, `failed`, `degraded` or `duration`, of all probes of the service or `of` some: `failed of live`. For `json` it is a
/// JSON pointer: `/http/errors`. For `log` it is conditions on a line: `/status >= 500`, or a pointer and conditions:
/// `/took where /status < 500`. Several series that match are added up per arm.
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
        /// What the value is given in.
        #[serde(default)]
        unit: GaugeUnit,
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

impl SeriesSpec {
    /// Its series, each with its key.
    pub fn series(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::Ratio { bad, total, .. } => vec![("bad", bad), ("total", total)],
            Self::Rate { counter } => vec![("counter", counter)],
            Self::Gauge { series, divide_by, .. } => {
                let by = divide_by.iter().map(|by| ("divide_by", by.as_str()));
                std::iter::once(("series", series.as_str())).chain(by).collect()
            }
            Self::Latency { histogram, .. } => vec![("histogram", histogram)],
        }
    }

    /// How its values are shown.
    pub const fn unit(&self) -> Unit {
        match self {
            Self::Ratio { .. } | Self::Gauge { divide_by: Some(_), .. } => Unit::Share,
            Self::Latency { .. } => Unit::Millis,
            Self::Rate { .. } => Unit::Plain,
            Self::Gauge { unit, .. } => unit.shown(),
        }
    }

    /// Whether it asks for each arm by itself, with `{arm}`.
    pub fn asks_by_arm(&self) -> bool {
        self.series()
            .iter()
            .any(|(_, text)| placeholder::names(text).any(|(_, name)| name == placeholder::ARM))
    }
}

/// What a gauge is given in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GaugeUnit {
    /// A number in a unit of its own.
    #[default]
    Plain,
    /// A share, 0 to 1.
    Share,
    /// A share in percent, 0 to 100.
    Percent,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

impl GaugeUnit {
    /// How such a value is shown.
    pub const fn shown(self) -> Unit {
        match self {
            Self::Plain => Unit::Plain,
            Self::Share | Self::Percent => Unit::Share,
            Self::Seconds | Self::Milliseconds => Unit::Millis,
        }
    }

    /// What a value is multiplied by to be in the unit that it is shown in.
    pub const fn scale(self) -> f64 {
        match self {
            Self::Plain | Self::Share | Self::Milliseconds => 1.0,
            Self::Percent => 0.01,
            Self::Seconds => 1_000.0,
        }
    }
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

impl Subject {
    /// The word on screen: the arm, the version, or `whole`.
    pub fn word(&self) -> &str {
        match self {
            Self::Whole => "whole",
            Self::Arm(arm) => arm.word(),
            Self::Version(version) => version.as_str(),
        }
    }
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
    /// What the source remarked on its answers, like a warning of a query engine. They are answers all the same.
    pub remarks: Vec<String>,
    /// The alarms of the source that triggers watch.
    pub alarms: Vec<AlarmReading>,
}

/// An alarm of a source, as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AlarmReading {
    /// Its name.
    pub name: String,
    /// Its state, or why none is known.
    pub state: Result<AlarmState, String>,
    /// Since when it is in this state, as far as the source says.
    pub since: Option<Timestamp>,
}

/// The state of an alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AlarmState {
    /// Within its limit.
    Ok,
    /// It has gone off.
    Alarm,
    /// It has too few data to say; that is not the same as well.
    InsufficientData,
}

/// Why a source could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SourceFault {
    /// In words, with the address.
    pub reason: String,
}
