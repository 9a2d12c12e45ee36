//! Baselines: what a good release's indicators were like, to compare the next one with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::command::Actor;
use super::{IndicatorName, ReleaseRef, Version};

/// The figures of one release of a service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Baseline {
    /// The release's version.
    pub version: Version,
    /// The release.
    pub release: ReleaseRef,
    /// When it was recorded.
    pub at: Timestamp,
    /// Who recorded it.
    pub by: Actor,
    /// The figures, by indicator.
    pub figures: BTreeMap<IndicatorName, Figure>,
}

/// What one indicator of one release was like. Older readings weigh less, by half every hour.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Figure {
    /// Events and bad events.
    Ratio {
        /// Bad events.
        bad: f64,
        /// All events.
        total: f64,
    },
    /// Events over a time.
    Rate {
        /// Events.
        events: f64,
        /// The time, in seconds.
        seconds: f64,
        /// Readings.
        readings: f64,
    },
    /// A value that goes up and down.
    Gauge {
        /// The sum of the readings.
        sum: f64,
        /// Readings.
        readings: f64,
    },
    /// Durations by bucket.
    Latency {
        /// Bounds in milliseconds; the last bucket, without a bound, is not among them.
        bounds_ms: Arc<[f64]>,
        /// Events per bucket, one more than there are bounds.
        counts: Vec<f64>,
    },
}
