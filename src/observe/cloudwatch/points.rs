//! From data points to samples. Pure but for what was taken last.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::release::Arm;
use crate::model::source::cloudwatch::Metric;
use crate::model::source::{Reading, Sample, SampleValue, Subject};
use crate::model::units::human;
use crate::model::{IndicatorName, ServiceName};

/// The periods that are asked for, in seconds since 1970: whole ones, that have ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Window {
    pub(super) start: i64,
    /// Where the last one ends.
    pub(super) end: i64,
    /// The length of one.
    pub(super) period: i64,
}

impl Window {
    pub(super) fn new(now: Timestamp, delay: Duration, period: Duration, stale_after: Duration) -> Self {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX / 4);
        let period = seconds(period).max(1);
        let settled = now.as_second().saturating_sub(seconds(delay));
        let end = settled.div_euclid(period) * period;
        let count = (seconds(stale_after).saturating_add(period - 1) / period).max(1);
        Self { start: end.saturating_sub(count.saturating_mul(period)), end, period }
    }

    fn span(&self) -> Duration {
        Duration::from_secs(self.end.abs_diff(self.start))
    }
}

/// The data points of one metric.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Course {
    /// By the second that their period ends at.
    points: BTreeMap<i64, f64>,
    /// Why there may be more than these.
    status: Status,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Status {
    /// Nothing was said of it.
    #[default]
    Unsaid,
    Complete,
    /// Some of the points.
    Partial,
    /// None, and why, in words.
    Failed(String),
}

/// An answer to `GetMetricData`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MetricData {
    #[serde(default, rename = "MetricDataResults")]
    results: Vec<MetricResult>,
    pub(super) next_token: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricResult {
    id: String,
    #[serde(default)]
    timestamps: Vec<f64>,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    status_code: String,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    code: Option<String>,
    value: Option<String>,
}

impl Message {
    fn words(&self) -> String {
        let parts = [&self.code, &self.value].into_iter().flatten();
        parts.map(|text| text.replace(['\n', '\r'], " ")).collect::<Vec<_>>().join(": ")
    }
}

/// Adds one page of an answer to what is known of each metric.
pub(super) fn note(answer: MetricData, window: &Window, courses: &mut [Course], remarks: &mut Vec<String>) {
    remarks.extend(answer.messages.iter().map(Message::words));
    for result in answer.results {
        let number = result.id.strip_prefix('q').and_then(|number| number.parse::<usize>().ok());
        let Some(course) = number.and_then(|number| courses.get_mut(number)) else { continue };
        for (at, value) in result.timestamps.iter().zip(&result.values) {
            // A point bears the beginning of its period.
            let begin = *at as i64;
            if begin >= window.start && begin < window.end && value.is_finite() {
                course.points.insert(begin + window.period, *value);
            }
        }
        let said = || result.messages.iter().map(Message::words).collect::<Vec<_>>().join(", ");
        let why = |words: &str| {
            let said = said();
            if said.is_empty() { words.to_owned() } else { format!("{words}: {said}") }
        };
        course.status = match result.status_code.as_str() {
            "Complete" => Status::Complete,
            "PartialData" => Status::Partial,
            "Forbidden" => Status::Failed(why("reading it is forbidden")),
            "InternalError" => Status::Failed(why("CloudWatch failed at it, and is asked again")),
            other => {
                Status::Failed(why(&format!("CloudWatch answers `{}`", other.replace(['\n', '\r'], " "))))
            }
        };
    }
}

/// What an indicator is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    /// The main metric counts all events, the other one the bad ones.
    Ratio { absent_is_zero: bool },
    /// Counts events.
    Rate,
    /// A value, in a unit that this makes another; the other metric is what it is divided by.
    Gauge { scale: f64 },
}

/// An indicator and what was taken of it.
pub(super) struct Indicator {
    pub(super) service: ServiceName,
    pub(super) name: IndicatorName,
    pub(super) kind: Kind,
    pub(super) sides: Vec<Side>,
}

/// An indicator of one arm.
pub(super) struct Side {
    /// None: the service as a whole.
    pub(super) arm: Option<Arm>,
    /// The number of the metric that says whether there are data.
    pub(super) main: usize,
    /// The number of the metric beside it.
    pub(super) other: Option<usize>,
    /// The end of the newest period that was taken.
    pub(super) known: Option<i64>,
}

impl Indicator {
    /// Takes what is new, oldest first.
    pub(super) fn take(
        &mut self,
        courses: &[Course],
        metrics: &[Metric],
        window: &Window,
        reading: &mut Reading,
    ) {
        for side in &mut self.sides {
            let mut lacks = None;
            let main = &courses[side.main];
            let other = side.other.map(|number| (&courses[number], &metrics[number]));
            let after = side.known.map_or(i64::MIN, |known| known + 1);
            for (end, value) in main.points.range(after..) {
                match value_at(self.kind, *end, *value, other) {
                    Ok(value) => {
                        lacks = None;
                        side.known = Some(*end);
                        let time = |second: i64| Timestamp::from_second(second).unwrap_or_default();
                        let at = time(*end);
                        let is_gauge = matches!(self.kind, Kind::Gauge { .. });
                        reading.samples.push(Sample {
                            service: self.service.clone(),
                            indicator: self.name.clone(),
                            subject: side.arm.map_or(Subject::Whole, Subject::Arm),
                            from: if is_gauge { at } else { time(*end - window.period) },
                            at,
                            value,
                        });
                    }
                    // It may come in later: the period is looked at again as long as it is not too old.
                    Err(reason) => lacks = Some(reason),
                }
            }
            let main_metric = &metrics[side.main];
            let reason = match &main.status {
                Status::Failed(why) => Some(format!("`{main_metric}`: {why}")),
                Status::Unsaid => Some(format!("`{main_metric}`: CloudWatch says nothing of it")),
                Status::Partial if main.points.is_empty() => {
                    Some(format!("`{main_metric}`: CloudWatch answers with part of the data only"))
                }
                _ if main.points.is_empty() => {
                    Some(format!("no data point of `{main_metric}` in {}", human(window.span())))
                }
                _ => lacks,
            };
            if let Some(reason) = reason {
                let reason = side.arm.map_or_else(|| reason.clone(), |arm| format!("{arm}: {reason}"));
                reading.missing.push((self.service.clone(), self.name.clone(), reason));
            }
        }
    }
}

fn value_at(
    kind: Kind,
    end: i64,
    value: f64,
    other: Option<(&Course, &Metric)>,
) -> Result<SampleValue, String> {
    match (kind, other) {
        (Kind::Ratio { absent_is_zero }, Some((bad, metric))) => {
            let count = match (bad.points.get(&end), &bad.status) {
                (Some(bad), _) => *bad,
                (None, Status::Complete) if absent_is_zero => 0.0,
                (None, Status::Failed(why)) => return Err(format!("`{metric}`: {why}")),
                (None, Status::Complete) => {
                    return Err(format!(
                        "no data point of `{metric}` beside the total; where none means that nothing was bad, say \
                         `absent_is_zero = true`"
                    ));
                }
                (None, Status::Unsaid | Status::Partial) => {
                    return Err(format!("`{metric}`: CloudWatch answers with part of the data only"));
                }
            };
            // The two are not counted at the same instant; more than all of the events cannot be bad.
            Ok(SampleValue::Ratio { bad: count.min(value), total: value })
        }
        (Kind::Gauge { .. }, Some((divisor, metric))) => {
            // A limit is written now and then: the newest up to here holds.
            let Some((_, by)) = divisor.points.range(..=end).next_back() else {
                return Err(match &divisor.status {
                    Status::Failed(why) => format!("`{metric}`: {why}"),
                    _ => format!("no data point of `{metric}`"),
                });
            };
            let share = value / by;
            if share.is_finite() { Ok(SampleValue::Gauge(share)) } else { Err(format!("`{metric}` is zero")) }
        }
        (Kind::Gauge { scale }, None) => Ok(SampleValue::Gauge(value * scale)),
        (Kind::Rate | Kind::Ratio { .. }, _) => Ok(SampleValue::Count(value)),
    }
}

#[cfg(test)]
mod tests;
