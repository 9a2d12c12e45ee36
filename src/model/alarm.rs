//! Alarms that a metric service keeps by itself, as the triggers of a config ask for them: they hold while unship is down.

use serde::Serialize;

use super::release::Arm;
use super::source::cloudwatch::Metric;
use super::trigger::NoData;
use super::{ServiceName, SourceName, TriggerName};

/// An alarm, complete: making it replaces whatever has its name.
#[derive(Clone, PartialEq, Debug)]
pub struct AlarmDefinition {
    /// Its name there.
    pub name: String,
    /// What it is for, in words.
    pub description: String,
    /// The source whose service keeps it.
    pub source: SourceName,
    /// The trigger that it does the work of.
    pub trigger: TriggerName,
    /// The service.
    pub service: ServiceName,
    /// The arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// What is compared with the threshold.
    pub measure: Measure,
    /// Whether it goes off above the threshold (else below it).
    pub above: bool,
    /// The threshold, in the unit of the measure.
    pub threshold: f64,
    /// The length of one data point in seconds.
    pub period: i64,
    /// The newest data points that are looked at.
    pub evaluations: u32,
    /// How many of them have to be beyond the threshold.
    pub breaches: u32,
    /// What missing data points mean.
    pub no_data: NoData,
    /// ARNs of what is told when it goes off.
    pub actions: Vec<String>,
    /// ARNs of what is told when it is over.
    pub ok_actions: Vec<String>,
}

/// What an alarm compares.
#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    /// A metric as it is.
    Metric(Metric),
    /// What is worked out of several.
    Math {
        /// Each with the id that the expression calls it by.
        metrics: Vec<(&'static str, Metric)>,
        /// In the language of metric math.
        expression: String,
    },
}

/// A trigger that no alarm can do the work of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LeftOut {
    /// The trigger.
    pub trigger: TriggerName,
    /// The service.
    pub service: Option<ServiceName>,
    /// Why.
    pub reason: String,
}

/// What making an alarm would change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum AlarmChange {
    /// There is none of this name.
    Create,
    /// There is one, and it is another.
    Update {
        /// What would be different: "`Threshold`: 0.1 → 0.05".
        differences: Vec<String>,
    },
    /// It is there as it should be.
    Unchanged,
    /// Something else has its name.
    Refused {
        /// What.
        reason: String,
    },
}
