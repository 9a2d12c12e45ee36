//! Whether every indicator has data, tried out before anything depends on it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::source::{Reading, Sample, SampleValue, SourceReport, Subject};
use crate::model::trigger::Aggregate;
use crate::model::{IndicatorName, ServiceName, SourceName, Unit};
use crate::triggers::window::Window;

use super::super::senses::DISPLAY_QUANTILE;
use super::{EngineError, World};

/// What one source gave.
#[derive(Clone, Debug, Serialize)]
pub struct SourceCheck {
    /// The source.
    pub source: SourceName,
    /// How often it was read.
    pub readings: usize,
    /// Why it cannot be read, if it cannot.
    pub fault: Option<String>,
    /// What it remarked on its answers.
    pub remarks: Vec<String>,
    /// Each indicator that is read from it.
    pub indicators: Vec<IndicatorCheck>,
}

/// What one indicator gave.
#[derive(Clone, Debug, Serialize)]
pub struct IndicatorCheck {
    /// The service.
    pub service: ServiceName,
    /// The indicator.
    pub indicator: IndicatorName,
    /// How its values are shown.
    pub unit: Unit,
    /// The newest value for each subject that has one.
    pub seen: Vec<Seen>,
    /// Why there is none, or none for an arm.
    pub missing: Vec<String>,
}

/// A value.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    /// Whom it speaks for.
    pub subject: Subject,
    /// The value; none where nothing happened that it could be a share or a time of.
    pub value: Option<f64>,
    /// Events behind it; for a gauge one.
    pub samples: f64,
    /// When it was measured.
    pub at: Timestamp,
    /// What was read, as it would be judged.
    pub read: SampleValue,
    /// The time that events were counted over; zero for a gauge.
    pub over_ms: u64,
}

impl SourceCheck {
    /// Whether something that was asked for is not there.
    pub fn lacks_something(&self) -> bool {
        let lacks = |one: &IndicatorCheck| one.seen.is_empty() || !one.missing.is_empty();
        self.fault.is_some() || self.indicators.iter().any(lacks)
    }
}

/// Reads the sources of an environment, all or those of these names, and says what each indicator gives. Takes an interval of
/// the slowest source, or a few.
///
/// # Errors
///
/// If a source cannot be read as it is configured.
pub async fn check_sources(world: &World, only: &[SourceName]) -> Result<Vec<SourceCheck>, EngineError> {
    let asked = world.sources.iter().filter(|target| only.is_empty() || only.contains(&target.source));
    let targets: Vec<_> = asked.cloned().collect();
    let reports = crate::observe::preflight(&targets, &world.probes, &world.secrets).await?;
    let checks = targets.iter().zip(reports).map(|(target, reports)| {
        let last = reports.last();
        let reading = last.and_then(|report| report.result.as_ref().ok());
        SourceCheck {
            source: target.source.clone(),
            readings: reports.len(),
            fault: last.and_then(|report| report.result.as_ref().err()).map(|fault| fault.reason.clone()),
            remarks: reading.map(|reading| reading.remarks.clone()).unwrap_or_default(),
            indicators: target
                .indicators
                .iter()
                .map(|(service, indicator, spec)| {
                    let unit = spec.unit();
                    let seen = seen(&reports, service, indicator);
                    let missing =
                        reading.map_or_else(Vec::new, |last| missing(last, service, indicator, &seen));
                    let (service, indicator) = (service.clone(), indicator.clone());
                    IndicatorCheck { service, indicator, unit, seen, missing }
                })
                .collect(),
        }
    });
    Ok(checks.collect())
}

/// The newest sample of each subject.
fn seen(reports: &[SourceReport], service: &ServiceName, indicator: &IndicatorName) -> Vec<Seen> {
    let readings = reports.iter().filter_map(|report| report.result.as_ref().ok());
    let samples = readings.flat_map(|reading| &reading.samples);
    let mine = samples.filter(|sample| sample.service == *service && sample.indicator == *indicator);
    let newest: BTreeMap<&Subject, &Sample> = mine.map(|sample| (&sample.subject, sample)).collect();
    newest.into_values().map(value).collect()
}

fn value(sample: &Sample) -> Seen {
    let over = sample.at.duration_since(sample.from).unsigned_abs();
    let mut window = Window::new(over + Duration::from_secs(1));
    window.push(sample.from, sample.at, sample.value.clone());
    let totals = window.totals();
    Seen {
        subject: sample.subject.clone(),
        value: totals.as_ref().and_then(|totals| totals.value(DISPLAY_QUANTILE, Aggregate::Last)),
        samples: totals.as_ref().map_or(0.0, crate::triggers::window::Totals::samples),
        at: sample.at,
        read: sample.value.clone(),
        over_ms: u64::try_from(over.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What the last reading lacks; and that there is nothing, where it does not say.
fn missing(last: &Reading, service: &ServiceName, indicator: &IndicatorName, seen: &[Seen]) -> Vec<String> {
    let mine = last.missing.iter().filter(|(of, name, _)| of == service && name == indicator);
    let reasons: Vec<String> = mine.map(|(_, _, reason)| reason.clone()).collect();
    if reasons.is_empty() && seen.is_empty() {
        return vec!["nothing new has come".to_owned()];
    }
    reasons
}
