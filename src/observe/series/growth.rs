//! What counters and histograms grew by between two readings.

use std::collections::{BTreeMap, HashMap};

use crate::model::source::{LatencyUnit, Subject};

use super::readings::Look;
use super::{Found, One};

/// Something that only grows, but for resets.
pub(super) trait Grows: Sized + Clone {
    /// What it grew by since `before`; after a reset, what it shows now.
    fn since(&self, before: &Self) -> Self;

    /// Adds up two of one subject.
    fn plus(self, other: Self) -> Result<Self, String>;
}

impl Grows for f64 {
    fn since(&self, before: &Self) -> Self {
        if self < before { *self } else { self - before }
    }

    fn plus(self, other: Self) -> Result<Self, String> {
        Ok(self + other)
    }
}

/// A histogram as Prometheus shows it: bounds, ascending, with the count of all events up to each; the last is infinite.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Cumulative(Vec<(f64, f64)>);

impl Cumulative {
    /// Puts buckets in order.
    pub(super) fn new(mut buckets: Vec<(f64, f64)>) -> Result<Self, String> {
        if buckets.iter().any(|(_, count)| !count.is_finite()) {
            return Err("a bucket is not a number".to_owned());
        }
        buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        if !buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY) {
            return Err("there is no `+Inf` bucket".to_owned());
        }
        Ok(Self(buckets))
    }

    /// Finite bounds in milliseconds, and events per bucket. A bucket that is smaller than the one before it, because an
    /// exporter read them one after the other, has no events.
    pub(super) fn per_bucket(&self, unit: LatencyUnit) -> (Vec<f64>, Vec<f64>) {
        let finite = self.0.len() - 1;
        let bounds = self.0[..finite].iter().map(|(bound, _)| match unit {
            LatencyUnit::Milliseconds => *bound,
            // Whole nanoseconds, so that 0.07 s is 70 ms.
            LatencyUnit::Seconds => (bound * 1e9).round() / 1e6,
        });
        let mut below = 0.0_f64;
        let counts = self.0.iter().map(|(_, upto)| {
            let events = (upto - below).max(0.0);
            below = below.max(*upto);
            events
        });
        (bounds.collect(), counts.collect())
    }

    fn same_bounds(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((one, _), (two, _))| one.total_cmp(two).is_eq())
    }
}

impl Grows for Cumulative {
    /// Other bounds than before come from another build, which began at zero.
    fn since(&self, before: &Self) -> Self {
        if !self.same_bounds(before) || self.0.iter().zip(&before.0).any(|((_, now), (_, then))| now < then) {
            return self.clone();
        }
        Self(self.0.iter().zip(&before.0).map(|((bound, now), (_, then))| (*bound, now - then)).collect())
    }

    /// On the bounds that both have: there, and only there, cumulative counts can be added.
    fn plus(self, other: Self) -> Result<Self, String> {
        let shared: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter_map(|(bound, count)| {
                let (_, more) = other.0.iter().find(|(there, _)| there.total_cmp(bound).is_eq())?;
                Some((*bound, count + more))
            })
            .collect();
        if shared.len() == 1 && (self.0.len() > 1 || other.0.len() > 1) {
            return Err("its series have no bounds in common".to_owned());
        }
        Ok(Self(shared))
    }
}

/// What one question showed at the last reading.
#[derive(Debug)]
pub(super) struct Memory<T> {
    known: HashMap<String, Known<T>>,
    /// How many readings a series that has vanished is kept for.
    remembered: u32,
}

#[derive(Debug)]
struct Known<T> {
    /// Nothing, where all that was ever shown was no number.
    value: Option<T>,
    /// Readings since it was last there.
    absent: u32,
}

/// What each subject grew by, or why that is not known.
pub(super) type Sums<T> = BTreeMap<Subject, Result<T, String>>;

impl<T: Grows> Memory<T> {
    pub(super) fn new(remembered: u32) -> Self {
        Self { known: HashMap::new(), remembered }
    }

    /// Whether a series was there at the last reading and is there now.
    pub(super) fn has_stayed(&self, found: &Found) -> bool {
        found.series.keys().any(|identity| self.known.get(identity).is_some_and(|known| known.absent == 0))
    }

    /// Takes a reading. On the first one every value only begins; the sums then say nothing, but which subjects there are.
    pub(super) fn advance(
        &mut self,
        found: Found,
        look: &Look<'_>,
        value: impl Fn(&One) -> Result<T, String>,
    ) -> Sums<T> {
        let mut sums: Sums<T> = BTreeMap::new();
        let mut begun = Vec::new();
        for known in self.known.values_mut() {
            known.absent += 1;
        }
        for (identity, one) in found.series {
            if look.old.contains(&one.subject) {
                if let Some(known) = self.known.get_mut(&identity) {
                    known.absent = 0;
                }
                continue;
            }
            let grown = match value(&one) {
                // What it was before stays known, so that the next good value spans the gap.
                Err(reason) => {
                    self.known.entry(identity).or_insert(Known { value: None, absent: 0 }).absent = 0;
                    Err(reason)
                }
                Ok(value) => {
                    let grown = match self.known.get(&identity).map(|known| &known.value) {
                        Some(None) => Err("it had no value before".to_owned()),
                        Some(Some(before)) if !look.first => Ok(value.since(before)),
                        None if !look.first && !look.new_counts => {
                            begun.push(one.subject);
                            self.known.insert(identity, Known { value: Some(value), absent: 0 });
                            continue;
                        }
                        _ => Ok(value.clone()),
                    };
                    self.known.insert(identity, Known { value: Some(value), absent: 0 });
                    grown
                }
            };
            let sum = match (sums.remove(&one.subject), grown) {
                (None, grown) => grown,
                (Some(Ok(sum)), Ok(grown)) => sum.plus(grown),
                (Some(Err(reason)), _) | (Some(Ok(_)), Err(reason)) => Err(reason),
            };
            sums.insert(one.subject, sum);
        }
        for subject in begun {
            sums.entry(subject).or_insert_with(|| Err("it is counted from now on".to_owned()));
        }
        self.known.retain(|_, known| known.absent <= self.remembered);
        sums
    }
}
