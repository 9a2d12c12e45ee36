//! Indicators over time, for charts and sparklines: what is asked for, and what comes back.

use std::time::Duration;

use jiff::Timestamp;

use super::release::Arm;
use super::{IndicatorName, Quantity, ServiceName, Span, TriggerName, Unit};

/// Which part of a service's past is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesRequest {
    /// The service.
    pub service: ServiceName,
    /// The beginning.
    pub from: Timestamp,
    /// The end; not before the beginning, or nothing comes back.
    pub to: Timestamp,
    /// How many points a series may have at most.
    pub points: usize,
}

/// One indicator of one arm over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// The indicator.
    pub indicator: IndicatorName,
    /// The arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// How its values are shown.
    pub unit: Unit,
    /// The time that each point stands for: at least a second, and long enough for every one to hold a reading of the
    /// indicator's source unless one was missed.
    pub step: Duration,
    /// The limits that triggers set it, in the order of the triggers' names.
    pub limits: Vec<Limit>,
    /// When each step begins, evenly apart and oldest first, and the value as it was shown at the last reading in that
    /// step. None is a gap: nothing was read in that time, or nothing that has a value.
    ///
    /// Steps begin at whole multiples of their length, so that the same time gives the same points whenever it is asked
    /// for. The last one may not be over yet; it is left out as long as it holds nothing.
    pub points: Vec<(Timestamp, Option<f64>)>,
}

/// A trigger's limit on an indicator.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// The trigger.
    pub trigger: TriggerName,
    /// The limit.
    pub limit: Quantity,
    /// It is held to be bad above the limit; otherwise below it.
    pub above: bool,
    /// The window that the trigger looks at, which is often longer than the one that the values are shown over.
    pub over: Span,
    /// The quantile that the trigger looks at, for a latency. The values shown are always of the 0.95 quantile.
    pub quantile: Option<f64>,
}
