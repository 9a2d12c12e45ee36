//! The indicators of a source and what is remembered of their series. Pure but for what it remembers.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::source::{LatencyUnit, Reading, Sample, SampleValue, SeriesSpec, Subject};
use crate::model::{IndicatorName, ServiceName};

use super::growth::{Cumulative, Memory, Sums};
use super::{Found, Habits, One};

/// What a part of an indicator is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::observe) enum Role {
    /// Counts events.
    Counter,
    /// A value that goes up and down.
    Value,
    /// Counts durations by bucket, with bounds in this unit.
    Histogram(LatencyUnit),
}

/// Where a part of an indicator will be found.
#[derive(Clone, Debug)]
pub(in crate::observe) struct Slot {
    /// Its place among what was found.
    pub(in crate::observe) number: usize,
    /// As it is written.
    pub(in crate::observe) shown: String,
    /// What its series show is already what happened since the reading before, not what a counter stands at.
    pub(in crate::observe) has_grown: bool,
}

/// The indicators of a source and what is remembered of their series.
#[derive(Default, Debug)]
pub(in crate::observe) struct Readings {
    indicators: Vec<Indicator>,
    habits: Habits,
}

#[derive(Debug)]
struct Indicator {
    service: ServiceName,
    name: IndicatorName,
    kind: Kind,
    /// The last reading that succeeded.
    last: Option<Timestamp>,
    /// Until when each subject is known, where the source says when a series was measured.
    known_until: BTreeMap<Subject, Timestamp>,
}

/// A series spec with the places of its parts, and what they showed last.
#[derive(Debug)]
enum Kind {
    Ratio { bad: Counter, total: Counter, absent_is_zero: bool },
    Rate(Counter),
    Gauge { series: Slot, divide_by: Option<Slot>, scale: f64 },
    Latency { slot: Slot, unit: LatencyUnit, memory: Memory<Cumulative>, bounds: Arc<[f64]> },
}

#[derive(Debug)]
struct Counter {
    slot: Slot,
    memory: Memory<f64>,
}

/// How a reading is to be understood.
pub(super) struct Look<'a> {
    /// There is nothing to compare with.
    pub(super) first: bool,
    /// A series that is new counts in full.
    pub(super) new_counts: bool,
    /// Subjects of which nothing new was measured since the reading before. What they show is left for the next reading.
    pub(super) old: &'a [Subject],
}

/// The samples of one indicator and what is missing of it.
struct Out {
    samples: Vec<(Subject, SampleValue)>,
    missing: Vec<String>,
    /// Something was found that is not new.
    is_held: bool,
}

impl Readings {
    /// Prepares indicators. `place` says where each part of one will be found.
    pub(in crate::observe) fn new<E>(
        indicators: Vec<(ServiceName, IndicatorName, SeriesSpec)>,
        habits: Habits,
        mut place: impl FnMut(&ServiceName, &IndicatorName, Role, &str) -> Result<Slot, E>,
    ) -> Result<Self, E> {
        let indicators = indicators.into_iter().map(|(service, name, spec)| {
            let kind = kind(spec, habits.remembered, |role, text| place(&service, &name, role, text))?;
            Ok(Indicator { service, name, kind, last: None, known_until: BTreeMap::new() })
        });
        Ok(Self { indicators: indicators.collect::<Result<_, _>>()?, habits })
    }

    /// Takes what was found at `at`, in the order of the slots. `since`: what has grown by itself, grew since then.
    pub(in crate::observe) fn take(
        &mut self,
        mut found: Vec<Found>,
        at: Timestamp,
        since: Option<Timestamp>,
    ) -> Reading {
        let mut reading = Reading::default();
        for indicator in &mut self.indicators {
            indicator.take(&mut found, at, since, self.habits, &mut reading);
        }
        reading
    }
}

impl Indicator {
    fn take(
        &mut self,
        found: &mut [Found],
        at: Timestamp,
        since: Option<Timestamp>,
        habits: Habits,
        reading: &mut Reading,
    ) {
        let has_grown = self.kind.slot().has_grown;
        let measured = measured(&found[self.kind.slot().number]);
        let is_old = |subject: &Subject, at: &Timestamp| {
            self.known_until.get(subject).is_some_and(|known| known >= at)
        };
        let old: Vec<Subject> =
            measured.iter().filter(|(s, at)| is_old(s, at)).map(|(s, _)| s.clone()).collect();
        let look = Look {
            first: !has_grown && self.last.is_none(),
            new_counts: !habits.careful || self.kind.has_stayed(found),
            old: &old,
        };
        let is_held = !old.is_empty() || found[self.kind.slot().number].is_held;
        let mut out = Out { samples: Vec::new(), missing: Vec::new(), is_held };
        self.kind.take(found, &look, &mut out);
        let name = || (self.service.clone(), self.name.clone());
        reading.missing.extend(out.missing.into_iter().map(|reason| {
            let (service, indicator) = name();
            (service, indicator, reason)
        }));
        let is_gauge = matches!(self.kind, Kind::Gauge { .. });
        // A subject that is new has been silent since the others were heard.
        let others = self.known_until.values().max().copied().or(self.last);
        for (subject, value) in out.samples {
            let own = measured.get(&subject).copied();
            let to = own.unwrap_or(at);
            let from = if is_gauge {
                Some(to)
            } else if has_grown {
                since
            } else if look.first {
                None
            } else if own.is_some() {
                self.known_until.get(&subject).copied().or(others).map(|from| from.min(to))
            } else {
                self.last
            };
            // Of a first reading, counters are only remembered.
            let Some(from) = from else { continue };
            let (service, indicator) = name();
            reading.samples.push(Sample { service, indicator, subject, from, at: to, value });
        }
        self.last = Some(at);
        for (subject, at) in measured {
            let known = self.known_until.entry(subject).or_insert(at);
            *known = at.max(*known);
        }
    }
}

/// When what each subject shows was measured: by its oldest series, so that nothing in a sample is older than the sample
/// says. None for a source that does not say when.
fn measured(found: &Found) -> BTreeMap<Subject, Timestamp> {
    let mut measured: BTreeMap<Subject, Timestamp> = BTreeMap::new();
    for one in found.series.values() {
        if let Some(at) = one.at {
            let oldest = measured.entry(one.subject.clone()).or_insert(at);
            *oldest = at.min(*oldest);
        }
    }
    measured
}

fn kind<E>(
    spec: SeriesSpec,
    remembered: u32,
    mut place: impl FnMut(Role, &str) -> Result<Slot, E>,
) -> Result<Kind, E> {
    let mut counter = |text: &str| -> Result<Counter, E> {
        Ok(Counter { slot: place(Role::Counter, text)?, memory: Memory::new(remembered) })
    };
    Ok(match spec {
        SeriesSpec::Ratio { bad, total, absent_is_zero } => {
            Kind::Ratio { bad: counter(&bad)?, total: counter(&total)?, absent_is_zero }
        }
        SeriesSpec::Rate { counter: text } => Kind::Rate(counter(&text)?),
        SeriesSpec::Gauge { series, divide_by, unit } => Kind::Gauge {
            series: place(Role::Value, &series)?,
            divide_by: divide_by.as_deref().map(|text| place(Role::Value, text)).transpose()?,
            scale: unit.scale(),
        },
        SeriesSpec::Latency { histogram, unit } => Kind::Latency {
            slot: place(Role::Histogram(unit), &histogram)?,
            unit,
            memory: Memory::new(remembered),
            bounds: Arc::from([]),
        },
    })
}

impl Kind {
    /// The part that says whether there are data, and when they are from.
    const fn slot(&self) -> &Slot {
        match self {
            Self::Ratio { total: Counter { slot, .. }, .. }
            | Self::Rate(Counter { slot, .. })
            | Self::Gauge { series: slot, .. }
            | Self::Latency { slot, .. } => slot,
        }
    }

    /// Whether a series was there at the last reading and is there now.
    fn has_stayed(&self, found: &[Found]) -> bool {
        match self {
            Self::Ratio { bad, total, .. } => [bad, total].iter().any(|counter| counter.has_stayed(found)),
            Self::Rate(counter) => counter.has_stayed(found),
            Self::Gauge { .. } => true,
            Self::Latency { slot, memory, .. } => memory.has_stayed(&found[slot.number]),
        }
    }

    fn take(&mut self, found: &mut [Found], look: &Look<'_>, out: &mut Out) {
        match self {
            Self::Rate(counter) => {
                let (sums, trouble) = counter.take(found, look);
                out.needs(&sums, &counter.slot, &trouble);
                out.each(sums, |_, count| Ok(SampleValue::Count(count)));
            }
            Self::Ratio { bad, total, absent_is_zero } => {
                let (mut bads, trouble) = bad.take(found, look);
                let (totals, total_trouble) = total.take(found, look);
                out.needs(&totals, &total.slot, &total_trouble);
                // A `bad` counter that is there but speaks for no arm, or could not be asked for, is not the same as none.
                let absent_is_zero = *absent_is_zero
                    && trouble.fault.is_none()
                    && (trouble.foreign.is_none() || !bads.is_empty());
                if bads.is_empty() && !absent_is_zero && !totals.is_empty() {
                    out.lacks(&bad.slot, &trouble);
                    return;
                }
                let any_total = !totals.is_empty();
                let with_total: Vec<Subject> = totals.keys().cloned().collect();
                let bad_shown = &bad.slot.shown;
                out.each(totals, |subject, total| {
                    let bad = match bads.remove(subject) {
                        Some(bad) => bad?,
                        None if absent_is_zero => 0.0,
                        None => {
                            return Err(trouble
                                .absent
                                .clone()
                                .unwrap_or_else(|| format!("no series matches `{bad_shown}`")));
                        }
                    };
                    // The two are not read at the same instant; more than all of the events cannot be bad.
                    Ok(SampleValue::Ratio { bad: bad.min(total), total })
                });
                // Where there is a total, all that there is to say was said.
                bads.retain(|subject, _| !with_total.contains(subject));
                if any_total {
                    let total_shown = &total.slot.shown;
                    out.each(bads, |_, _| Err(format!("no series matches `{total_shown}`")));
                }
            }
            Self::Gauge { series, divide_by, scale } => {
                let scale = *scale;
                let (values, trouble) = gauges(&mut found[series.number], look);
                out.needs(&values, series, &trouble);
                let Some(divide_by) = divide_by else {
                    return out.each(values, |_, value| Ok(SampleValue::Gauge(value * scale)));
                };
                // What it is divided by, a limit say, may be as old as it likes.
                let (mut divisors, trouble) =
                    gauges(&mut found[divide_by.number], &Look { first: false, new_counts: true, old: &[] });
                if divisors.is_empty() && !values.is_empty() {
                    return out.lacks(divide_by, &trouble);
                }
                let shown = &divide_by.shown;
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
                let found = &mut found[slot.number];
                let (trouble, failed) = Trouble::of(found);
                let value = |one: &One| Cumulative::new(one.buckets.clone());
                let mut sums = if slot.has_grown {
                    added_up(found, look, value)
                } else {
                    memory.advance(std::mem::take(found), look, value)
                };
                note(failed, &mut sums);
                out.needs(&sums, slot, &trouble);
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

/// Why a question was answered with less than it could have been.
#[derive(Default)]
struct Trouble {
    foreign: Option<String>,
    fault: Option<String>,
    absent: Option<String>,
}

impl Trouble {
    /// Also which subjects have no value, and why.
    fn of(found: &mut Found) -> (Self, BTreeMap<Subject, String>) {
        let trouble =
            Self { foreign: found.foreign.take(), fault: found.fault.take(), absent: found.absent.take() };
        (trouble, std::mem::take(&mut found.failed))
    }
}

/// Notes subjects that have no value. The source knows better why than what can be told from its numbers.
fn note<T>(failed: BTreeMap<Subject, String>, sums: &mut Sums<T>) {
    for (subject, reason) in failed {
        if !matches!(sums.get(&subject), Some(Ok(_))) {
            sums.insert(subject, Err(reason));
        }
    }
}

impl Counter {
    fn has_stayed(&self, found: &[Found]) -> bool {
        self.memory.has_stayed(&found[self.slot.number])
    }

    /// What each subject grew by, and what stood in the way.
    fn take(&mut self, found: &mut [Found], look: &Look<'_>) -> (Sums<f64>, Trouble) {
        let found = &mut found[self.slot.number];
        let (trouble, failed) = Trouble::of(found);
        let mut sums = if self.slot.has_grown {
            // Less than nothing does not happen; an extrapolation can come out below zero by a hair.
            added_up(found, look, |one| finite(one).map(|value| value.max(0.0)))
        } else {
            self.memory.advance(std::mem::take(found), look, finite)
        };
        note(failed, &mut sums);
        (sums, trouble)
    }
}

fn finite(one: &One) -> Result<f64, String> {
    if one.value.is_finite() { Ok(one.value) } else { Err(format!("its value is {}", one.value)) }
}

fn gauges(found: &mut Found, look: &Look<'_>) -> (Sums<f64>, Trouble) {
    let (trouble, failed) = Trouble::of(found);
    let mut values = added_up(found, look, finite);
    note(failed, &mut values);
    (values, trouble)
}

/// The values of each subject, added up.
fn added_up<T: super::growth::Grows>(
    found: &mut Found,
    look: &Look<'_>,
    value: impl Fn(&One) -> Result<T, String>,
) -> Sums<T> {
    let mut sums: Sums<T> = BTreeMap::new();
    for one in std::mem::take(&mut found.series).into_values() {
        if look.old.contains(&one.subject) {
            continue;
        }
        let sum = match (sums.remove(&one.subject), value(&one)) {
            (None, value) => value,
            (Some(Ok(sum)), Ok(value)) => sum.plus(value),
            (Some(Err(reason)), _) | (Some(Ok(_)), Err(reason)) => Err(reason),
        };
        sums.insert(one.subject, sum);
    }
    sums
}

impl Out {
    /// Says that nothing was found, and why, if nothing was.
    fn needs<T>(&mut self, sums: &Sums<T>, slot: &Slot, trouble: &Trouble) {
        if sums.is_empty() && !self.is_held {
            self.lacks(slot, trouble);
        }
    }

    fn lacks(&mut self, slot: &Slot, trouble: &Trouble) {
        let shown = &slot.shown;
        self.missing.push(match trouble {
            Trouble { fault: Some(reason), .. } => format!("`{shown}`: {reason}"),
            Trouble { foreign: Some(reason), .. } => {
                format!("no series that matches `{shown}` can be used: {reason}")
            }
            Trouble { absent: Some(reason), .. } => reason.clone(),
            _ => format!("no series matches `{shown}`"),
        });
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
