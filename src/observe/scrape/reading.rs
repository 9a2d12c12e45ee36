//! From the text of an exposition to the samples of all indicators of a source. Pure but for what it remembers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::source::{ArmLabel, LatencyUnit, Reading, Sample, SampleValue, SeriesSpec, Subject};
use crate::model::{IndicatorName, ServiceName};
use crate::observe::exposition::ExpositionError;
use crate::observe::schedule::ObserveError;
use crate::observe::selector;

use super::collect::{Found, One, Wanted};
use super::growth::{Cumulative, Memory, Sums};

/// The indicators of a source and what is remembered of their series.
#[derive(Debug, Default)]
pub(super) struct Readings {
    wanted: Wanted,
    indicators: Vec<Indicator>,
    /// The last reading that succeeded.
    last: Option<Timestamp>,
}

#[derive(Debug)]
struct Indicator {
    service: ServiceName,
    name: IndicatorName,
    kind: Kind,
}

/// A series spec with the places of its selectors, and what they showed last.
#[derive(Debug)]
enum Kind {
    Ratio { bad: Counter, total: Counter, absent_is_zero: bool },
    Rate(Counter),
    Gauge { series: usize, divide_by: Option<usize> },
    Latency { slot: usize, unit: LatencyUnit, memory: Memory<Cumulative>, bounds: Arc<[f64]> },
}

#[derive(Debug)]
struct Counter {
    slot: usize,
    memory: Memory<f64>,
}

/// The samples of one indicator and what is missing of it.
struct Out<'a> {
    wanted: &'a Wanted,
    samples: Vec<(Subject, SampleValue)>,
    missing: Vec<String>,
}

impl Readings {
    pub(super) fn new(
        indicators: Vec<(ServiceName, IndicatorName, SeriesSpec)>,
        arms: Option<ArmLabel>,
    ) -> Result<Self, ObserveError> {
        let mut wanted = Wanted::new(arms);
        let indicators = indicators.into_iter().map(|(service, name, spec)| {
            let kind = kind(spec, &mut wanted).map_err(|error| ObserveError::Series {
                service: service.clone(),
                indicator: name.clone(),
                error,
            })?;
            Ok(Indicator { service, name, kind })
        });
        let indicators = indicators.collect::<Result<_, _>>()?;
        Ok(Self { wanted, indicators, last: None })
    }

    /// Takes a reading. A text that cannot be read changes nothing of what is remembered.
    pub(super) fn take(&mut self, text: &str, at: Timestamp) -> Result<Reading, ExpositionError> {
        let mut found = self.wanted.find(text)?;
        let before = self.last.replace(at);
        let mut reading = Reading::default();
        for indicator in &mut self.indicators {
            let mut out = Out { wanted: &self.wanted, samples: Vec::new(), missing: Vec::new() };
            let is_gauge = matches!(indicator.kind, Kind::Gauge { .. });
            indicator.kind.take(&mut found, before.is_none(), &mut out);
            let name = || (indicator.service.clone(), indicator.name.clone());
            reading.missing.extend(out.missing.into_iter().map(|reason| {
                let (service, indicator) = name();
                (service, indicator, reason)
            }));
            let from = if is_gauge { Some(at) } else { before };
            // Of a first reading, counters are only remembered.
            let Some(from) = from else { continue };
            reading.samples.extend(out.samples.into_iter().map(|(subject, value)| {
                let (service, indicator) = name();
                Sample { service, indicator, subject, from, at, value }
            }));
        }
        Ok(reading)
    }
}

fn kind(spec: SeriesSpec, wanted: &mut Wanted) -> Result<Kind, selector::SelectorError> {
    let mut add = |text: &str| Ok(wanted.add(selector::parse(text)?, false));
    Ok(match spec {
        SeriesSpec::Ratio { bad, total, absent_is_zero } => Kind::Ratio {
            bad: Counter { slot: add(&bad)?, memory: Memory::default() },
            total: Counter { slot: add(&total)?, memory: Memory::default() },
            absent_is_zero,
        },
        SeriesSpec::Rate { counter } => {
            Kind::Rate(Counter { slot: add(&counter)?, memory: Memory::default() })
        }
        SeriesSpec::Gauge { series, divide_by } => {
            Kind::Gauge { series: add(&series)?, divide_by: divide_by.as_deref().map(add).transpose()? }
        }
        SeriesSpec::Latency { histogram, unit } => {
            let selector = selector::parse(&histogram)?;
            let name = selector.name();
            let name = if name.ends_with("_bucket") { name.to_owned() } else { format!("{name}_bucket") };
            Kind::Latency {
                slot: wanted.add(selector.renamed(name), true),
                unit,
                memory: Memory::default(),
                bounds: Arc::from([]),
            }
        }
    })
}

impl Kind {
    fn take(&mut self, found: &mut [Found], first: bool, out: &mut Out<'_>) {
        match self {
            Self::Rate(counter) => {
                let slot = counter.slot;
                let (sums, foreign) = counter.take(&mut found[slot], first);
                out.needs(&sums, slot, foreign.as_ref());
                out.each(sums, |_, count| Ok(SampleValue::Count(count)));
            }
            Self::Ratio { bad, total, absent_is_zero } => {
                let (total_slot, bad_slot) = (total.slot, bad.slot);
                let (mut bads, foreign) = bad.take(&mut found[bad_slot], first);
                let (totals, total_foreign) = total.take(&mut found[total_slot], first);
                out.needs(&totals, total_slot, total_foreign.as_ref());
                // A `bad` counter that is there but speaks for no arm is not the same as none.
                let absent_is_zero = *absent_is_zero && (foreign.is_none() || !bads.is_empty());
                if bads.is_empty() && !absent_is_zero && !totals.is_empty() {
                    out.needs(&bads, bad_slot, foreign.as_ref());
                    return;
                }
                let any_total = !totals.is_empty();
                let bad_shown = out.wanted.shown(bad_slot);
                out.each(totals, |subject, total| {
                    let bad = match bads.remove(subject) {
                        Some(bad) => bad?,
                        None if absent_is_zero => 0.0,
                        None => return Err(format!("no series matches `{bad_shown}`")),
                    };
                    // The two are not read at the same instant; more than all of the events cannot be bad.
                    Ok(SampleValue::Ratio { bad: bad.min(total), total })
                });
                if any_total {
                    let total_shown = out.wanted.shown(total_slot);
                    out.each(bads, |_, _| Err(format!("no series matches `{total_shown}`")));
                }
            }
            Self::Gauge { series, divide_by } => {
                let (values, foreign) = gauges(&mut found[*series]);
                out.needs(&values, *series, foreign.as_ref());
                let Some(divide_by) = *divide_by else {
                    return out.each(values, |_, value| Ok(SampleValue::Gauge(value)));
                };
                let (mut divisors, foreign) = gauges(&mut found[divide_by]);
                if divisors.is_empty() && !values.is_empty() {
                    return out.needs(&divisors, divide_by, foreign.as_ref());
                }
                let shown = out.wanted.shown(divide_by);
                out.each(values, |subject, value| {
                    let divisor =
                        divisors.remove(subject).ok_or_else(|| format!("no series matches `{shown}`"))??;
                    let share = value / divisor;
                    if share.is_finite() {
                        Ok(SampleValue::Gauge(share))
                    } else {
                        Err(format!("`{shown}` is zero"))
                    }
                });
            }
            Self::Latency { slot, unit, memory, bounds } => {
                let foreign = found[*slot].foreign.take();
                let sums = memory.advance(std::mem::take(&mut found[*slot]), first, |one| {
                    Cumulative::new(one.buckets.clone())
                });
                out.needs(&sums, *slot, foreign.as_ref());
                out.each(sums, |_, grown| {
                    let (upper, counts) = grown.per_bucket(*unit);
                    if **bounds != *upper {
                        *bounds = Arc::from(upper);
                    }
                    Ok(SampleValue::Histogram { bounds_ms: Arc::clone(bounds), counts })
                });
            }
        }
    }
}

impl Counter {
    /// What each subject grew by, and why a series that matches may not count.
    fn take(&mut self, found: &mut Found, first: bool) -> (Sums<f64>, Option<String>) {
        let foreign = found.foreign.take();
        (self.memory.advance(std::mem::take(found), first, finite), foreign)
    }
}

fn finite(one: &One) -> Result<f64, String> {
    if one.value.is_finite() { Ok(one.value) } else { Err(format!("its value is {}", one.value)) }
}

fn gauges(found: &mut Found) -> (Sums<f64>, Option<String>) {
    let mut sums: Sums<f64> = BTreeMap::new();
    for one in std::mem::take(&mut found.series).into_values() {
        let value = finite(&one);
        let sum = match (sums.remove(&one.subject), value) {
            (None, value) => value,
            (Some(Ok(sum)), Ok(value)) => Ok(sum + value),
            (Some(Err(reason)), _) | (Some(Ok(_)), Err(reason)) => Err(reason),
        };
        sums.insert(one.subject, sum);
    }
    (sums, found.foreign.take())
}

impl Out<'_> {
    /// Says that nothing was found, and why, if nothing was.
    fn needs<T>(&mut self, sums: &Sums<T>, slot: usize, foreign: Option<&String>) {
        if sums.is_empty() {
            let shown = self.wanted.shown(slot);
            self.missing.push(match foreign {
                None => format!("no series matches `{shown}`"),
                Some(reason) => format!("no series that matches `{shown}` can be used: {reason}"),
            });
        }
    }

    /// Makes a sample for each subject, or says why there is none.
    fn each<T>(&mut self, sums: Sums<T>, mut make: impl FnMut(&Subject, T) -> Result<SampleValue, String>) {
        for (subject, sum) in sums {
            match sum.and_then(|sum| make(&subject, sum)) {
                Ok(value) => self.samples.push((subject, value)),
                Err(reason) => self.missing.push(match subject {
                    Subject::Whole => reason,
                    Subject::Arm(arm) => format!("{arm}: {reason}"),
                    Subject::Version(version) => format!("version {version}: {reason}"),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests;
