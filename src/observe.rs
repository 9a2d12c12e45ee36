//! The senses: active probes and sources of indicators, one file each, and the schedule that runs them.
//!
//! What comes out is [`Observation`]s and nothing else: no verdict is formed here. Missing is missing: a reading that
//! failed says so, a series that is not there makes no sample, a check that could not be run counts for nothing.

mod alarms;
mod alertmanager;
mod checks;
mod cloudwatch;
mod durations;
pub mod exposition;
pub mod health;
mod http;
mod json;
mod log;
mod preflight;
mod probe;
mod prometheus;
mod schedule;
mod scrape;
pub mod selector;
mod series;
mod source;
#[cfg(test)]
mod testing;

pub use alarms::{compare_alarms, put_alarm};
pub use alertmanager::{Alertmanager, Matchers, Silence};
pub use log::follow as follow_log;
pub use preflight::preflight;
pub use schedule::{ObserveError, Observer, history, once, read_once, validate};

use crate::model::breaker::BreakerStatus;
use crate::model::probe::{ProbeResult, ProbeSpec};
use crate::model::source::{SeriesSpec, SourceReport, SourceSpec};
use crate::model::{IndicatorName, ProbeName, ServiceName, SourceName};

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// A probe ran.
    Probe(ProbeResult),
    /// A source was read.
    Source(SourceReport),
    /// The breaker around a source has changed.
    Breaker(SourceName, BreakerStatus),
}

/// A probe to run.
#[derive(Clone, Debug)]
pub struct ProbeTarget {
    /// The service.
    pub service: ServiceName,
    /// The probe.
    pub probe: ProbeName,
    /// What to ask.
    pub spec: ProbeSpec,
}

/// A source to read.
#[derive(Clone, Debug)]
pub struct SourceTarget {
    /// The source.
    pub source: SourceName,
    /// Where.
    pub spec: SourceSpec,
    /// What to read there.
    pub indicators: Vec<(ServiceName, IndicatorName, SeriesSpec)>,
    /// The alarms whose states to read there, by name.
    pub alarms: Vec<String>,
}
