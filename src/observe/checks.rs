//! The active probes as a source: every check that is run is counted, and the counts are read like any other's counters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::probe::{Health, ProbeOutcome, ProbeResult};
use crate::model::release::Arm;
use crate::model::source::checks::{CheckSeries, Counted};
use crate::model::source::{LatencyUnit, Subject};
use crate::model::{ProbeName, ServiceName};

use super::durations::Durations;
use super::schedule::ObserveError;
use super::series::{Found, Habits, One, Readings, Role, Slot};
use super::source::{Indicators, Read};

/// What all checks have given since the process began; shared by those who run checks and those who read the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies(Arc<Mutex<BTreeMap<(ServiceName, ProbeName), Tally>>>);

/// The checks of one probe.
#[derive(Clone, Debug, Default)]
struct Tally {
    arm: Option<Arm>,
    checks: f64,
    failed: f64,
    degraded: f64,
    durations: Durations,
    /// The last check that counts.
    at: Option<Timestamp>,
    /// Why the last check could not be run.
    not_run: Option<String>,
}

impl Tallies {
    /// Counts a check. `timeout` is the longest that it could take.
    pub(super) fn note(&self, result: &ProbeResult, timeout: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = all.entry((result.service.clone(), result.probe.clone())).or_default();
        tally.arm = result.arm;
        match &result.outcome {
            ProbeOutcome::NotRun { reason } => tally.not_run = Some(reason.clone()),
            ProbeOutcome::Answered { health, .. } => {
                tally.not_run = None;
                tally.at = tally.at.max(Some(result.at));
                tally.checks += 1.0;
                match health {
                    Health::Healthy => {}
                    Health::Degraded => tally.degraded += 1.0,
                    Health::Unhealthy => tally.failed += 1.0,
                }
                // A refusal is quick and says nothing of how long an answer takes; silence says that it takes too long.
                if result.status.is_some() || result.latency_ms >= timeout.as_secs_f64() * 1_000.0 {
                    tally.durations.push(result.latency_ms);
                }
            }
        }
    }
}

/// The checks of services, ready to be read again and again.
pub(super) struct Checks {
    tallies: Tallies,
    wanted: Vec<Wanted>,
    readings: Readings,
}

#[derive(Debug)]
struct Wanted {
    service: ServiceName,
    series: CheckSeries,
    role: Role,
}

/// Counts begin with this process: what is new has happened since, and nothing vanishes.
const HABITS: Habits = Habits { remembered: 0, careful: false };

impl Checks {
    pub(super) fn new(indicators: Indicators, tallies: &Tallies) -> Result<Self, ObserveError> {
        let mut wanted = Vec::new();
        let readings = Readings::new(indicators, HABITS, |service, indicator, role, text| {
            let series = CheckSeries::parse(text).and_then(|series| {
                let is_time = series.counted == Counted::Duration;
                match role {
                    Role::Histogram(_) if is_time => Ok(series),
                    Role::Counter if !is_time => Ok(series),
                    _ => Err(format!("`{text}` cannot be read as this kind of indicator")),
                }
            });
            let series = series.map_err(|reason| ObserveError::Series {
                service: service.clone(),
                indicator: indicator.clone(),
                reason,
            })?;
            wanted.push(Wanted { service: service.clone(), series, role });
            Ok(Slot { number: wanted.len() - 1, shown: text.trim().to_owned(), has_grown: false })
        })?;
        Ok(Self { tallies: tallies.clone(), wanted, readings })
    }

    /// Reads the counts.
    pub(super) fn read(&mut self) -> Read {
        let at = Timestamp::now();
        let tallies = self.tallies.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let found = self.wanted.iter().map(|wanted| wanted.find(&tallies)).collect();
        Read { at, hung: false, result: Ok(self.readings.take(found, at, None)) }
    }
}

impl Wanted {
    fn find(&self, tallies: &BTreeMap<(ServiceName, ProbeName), Tally>) -> Found {
        // Between two checks there is nothing new, and nothing is missing.
        let mut found = Found { is_held: true, ..Found::default() };
        let mine = tallies
            .iter()
            .filter(|((service, probe), _)| *service == self.service && self.series.counts(probe));
        for ((_, probe), tally) in mine {
            let subject = tally.arm.map_or(Subject::Whole, Subject::Arm);
            if let Some(reason) = &tally.not_run {
                let reason = format!("the probe `{probe}` could not be run: {reason}");
                found.failed.insert(subject.clone(), reason);
            }
            if tally.at.is_none() {
                continue;
            }
            let mut one = One { at: tally.at, ..One::new(subject, tally.count(self.series.counted)) };
            if let Role::Histogram(unit) = self.role {
                one.buckets = tally.durations.cumulative(unit);
            }
            found.series.insert(probe.to_string(), one);
        }
        found
    }
}

impl Tally {
    fn count(&self, counted: Counted) -> f64 {
        match counted {
            Counted::Checks => self.checks,
            Counted::Failed => self.failed,
            Counted::Degraded => self.degraded,
            Counted::Duration => {
                self.durations.cumulative(LatencyUnit::Milliseconds).last().map_or(0.0, |(_, all)| *all)
            }
        }
    }
}

#[cfg(test)]
mod tests;
