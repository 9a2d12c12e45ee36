//! Asking AWS CloudWatch for metrics and for the states of its alarms.
//!
//! # What is asked
//!
//! - Every metric of every indicator, per arm where its dimensions hold `{arm}`, by `GetMetricData`: the data points whose
//!   periods have ended, at least `delay` ago and at most `stale_after` ago. The period that is going on is never asked for:
//!   its sum is a part.
//! - The alarms that triggers watch, metric and composite ones, by `DescribeAlarms`.
//!
//! A data point is a sample of its own, with the time of its period, and is taken once. What has no data point has no data:
//! CloudWatch writes none for what did not happen, so that only the config can say that an absent count means zero. A point
//! that comes in after a newer one of its indicator was taken is lost; a longer `delay` waits for it.
//!
//! CloudWatch keeps no histograms: a percentile is a statistic that it works out itself, and arrives as a gauge.
//!
//! A metric that cannot be read leaves its own indicators missing, each in its own words; an answer that is none is a source
//! that cannot be read. One that is asked too often is left alone for longer and longer.

mod api;
mod define;
mod points;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use crate::model::ServiceName;
use crate::model::release::Arm;
use crate::model::source::cloudwatch::Metric;
use crate::model::source::{AlarmReading, ArmLabel, CloudwatchSpec, Reading, SeriesSpec};
use crate::model::units::human;

use super::http::Client;
use super::schedule::ObserveError;
use super::source::{Indicators, Read};
use api::{Api, Fault};
use points::{Course, Indicator, Kind, Side};

pub(super) use define::{apply, compare};

/// Metrics of one `GetMetricData`.
const METRICS: usize = 500;

/// Answers that belong to one question, at most. Each holds up to 100,800 data points.
const PAGES: usize = 20;

/// The longest that a source is left alone that was asked too often, unless its interval is longer.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// CloudWatch, ready to be asked again and again.
pub(super) struct Cloudwatch {
    spec: CloudwatchSpec,
    api: Api,
    /// Every metric that is asked for, once, with its statistic.
    metrics: Vec<Metric>,
    indicators: Vec<Indicator>,
    alarms: Vec<String>,
    rest: Rest,
}

impl Cloudwatch {
    pub(super) fn new(
        spec: CloudwatchSpec,
        indicators: Indicators,
        alarms: Vec<String>,
        client: &Client,
    ) -> Result<Self, ObserveError> {
        let mut metrics = Vec::new();
        let mut made = Vec::new();
        for (service, indicator, read) in indicators {
            let (kind, sides) =
                sides(&service, &read, spec.arms.as_ref(), &mut metrics).map_err(|reason| {
                    ObserveError::Series { service: service.clone(), indicator: indicator.clone(), reason }
                })?;
            made.push(Indicator { service, name: indicator, kind, sides });
        }
        let api = Api::new(&spec, client);
        Ok(Self { spec, api, metrics, indicators: made, alarms, rest: Rest::default() })
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Read {
        let at = Timestamp::now();
        if let Some(reason) = self.rest.reason() {
            return Read { at, hung: false, result: Err(format!("`{}`: {reason}", self.api.shown())) };
        }
        let mut hung = false;
        let result = match self.read_at(at, client).await {
            Ok(reading) => {
                self.rest = Rest::default();
                Ok(reading)
            }
            Err(fault) => {
                hung = fault.hung;
                if fault.is_throttled() {
                    self.rest.take(&fault.words, self.spec.interval.0);
                } else {
                    self.rest = Rest::default();
                }
                Err(format!("`{}`: {}", self.api.shown(), fault.words))
            }
        };
        Read { at, hung, result }
    }

    async fn read_at(&mut self, at: Timestamp, client: &Client) -> Result<Reading, Fault> {
        let deadline = Instant::now() + self.spec.timeout.0;
        let window = points::Window::new(at, self.spec.delay.0, self.spec.period.0, self.spec.stale_after.0);
        let (courses, remarks) = self.courses(&window, client, deadline).await?;
        let mut reading = Reading { remarks, ..Reading::default() };
        for indicator in &mut self.indicators {
            indicator.take(&courses, &self.metrics, &window, &mut reading);
        }
        reading.alarms = match self.api.alarms(&self.alarms, client, deadline).await {
            Ok(alarms) => alarms,
            // The metrics may be allowed and the alarms not.
            Err(fault) if !self.metrics.is_empty() && !fault.is_throttled() => {
                let unread = |name: &String| AlarmReading {
                    name: name.clone(),
                    state: Err(fault.words.clone()),
                    since: None,
                };
                self.alarms.iter().map(unread).collect()
            }
            Err(fault) => return Err(fault),
        };
        Ok(reading)
    }

    /// The data points of every metric.
    async fn courses(
        &mut self,
        window: &points::Window,
        client: &Client,
        deadline: Instant,
    ) -> Result<(Vec<Course>, Vec<String>), Fault> {
        let mut courses = vec![Course::default(); self.metrics.len()];
        let mut remarks = Vec::new();
        for (chunk, metrics) in self.metrics.chunks(METRICS).enumerate() {
            let first = chunk * METRICS;
            let queries: Vec<_> = metrics
                .iter()
                .enumerate()
                .map(|(index, metric)| {
                    json!({
                        "Id": format!("q{}", first + index),
                        "MetricStat": api::metric_stat(metric, window.period),
                        "ReturnData": true,
                    })
                })
                .collect();
            let mut next: Option<String> = None;
            for page in 0.. {
                let mut ask = json!({
                    "MetricDataQueries": queries,
                    "StartTime": window.start,
                    "EndTime": window.end,
                    "ScanBy": "TimestampAscending",
                });
                if let Some(token) = next {
                    ask["NextToken"] = token.into();
                }
                let answer: points::MetricData =
                    self.api.call(client, "GetMetricData", &ask, deadline).await?;
                next = answer.next_token.clone().filter(|token| !token.is_empty());
                points::note(answer, window, &mut courses, &mut remarks);
                if next.is_none() {
                    break;
                }
                if page + 1 >= PAGES {
                    return Err(Fault::plain(format!("the answer has more than {PAGES} pages")));
                }
            }
        }
        remarks.sort();
        remarks.dedup();
        Ok((courses, remarks))
    }
}

/// The sides of an indicator, one for each arm that is asked for, with the metrics that they need.
fn sides(
    service: &ServiceName,
    read: &SeriesSpec,
    arms: Option<&ArmLabel>,
    metrics: &mut Vec<Metric>,
) -> Result<(Kind, Vec<Side>), String> {
    let (kind, main, other, stat) = match read {
        SeriesSpec::Ratio { bad, total, absent_is_zero } => {
            (Kind::Ratio { absent_is_zero: *absent_is_zero }, total, Some(bad), "Sum")
        }
        SeriesSpec::Rate { counter } => (Kind::Rate, counter, None, "Sum"),
        SeriesSpec::Gauge { series, divide_by, unit } => {
            let scale = if divide_by.is_some() { 1.0 } else { unit.scale() };
            (Kind::Gauge { scale }, series, divide_by.as_ref(), "Average")
        }
        SeriesSpec::Latency { .. } => {
            return Err("CloudWatch keeps no histograms; read a percentile as a `gauge`".to_owned());
        }
    };
    let main = Metric::parse(main)?;
    let other = other.map(|text| Metric::parse(text)).transpose()?;
    let by_arm = read.asks_by_arm();
    let wanted: &[Option<Arm>] = if by_arm { &[Some(Arm::Stable), Some(Arm::Canary)] } else { &[None] };
    let mut number = |metric: &Metric, arm: Option<Arm>| {
        let mut metric = metric.of(service, arm, arms);
        metric.stat.get_or_insert_with(|| stat.to_owned());
        metrics.iter().position(|known| *known == metric).unwrap_or_else(|| {
            metrics.push(metric);
            metrics.len() - 1
        })
    };
    let sides = wanted.iter().map(|arm| Side {
        arm: *arm,
        main: number(&main, *arm),
        other: other.as_ref().map(|other| number(other, *arm)),
        known: None,
    });
    Ok((kind, sides.collect()))
}

/// Leaving a source alone that was asked too often.
#[derive(Default)]
struct Rest {
    times: u32,
    until: Option<Instant>,
    words: String,
}

impl Rest {
    /// Why it is not asked now.
    fn reason(&self) -> Option<String> {
        let left = self.until?.checked_duration_since(Instant::now())?;
        Some(format!("{}; it is asked again in {}", self.words, human(Duration::from_secs(left.as_secs()))))
    }

    /// Doubles with every time, with some jitter so that several processes do not come back together.
    fn take(&mut self, words: &str, interval: Duration) {
        let longest = LONGEST_REST.max(interval);
        let pause = interval.saturating_mul(1 << self.times.min(8)).min(longest);
        self.times += 1;
        self.until = Some(Instant::now() + pause.mul_f64(0.8 + 0.2 * rand::random::<f64>()));
        self.words = words.to_owned();
    }
}

/// The alarms that are there, by name.
type Known = BTreeMap<String, serde_json::Value>;

#[cfg(test)]
mod tests;
