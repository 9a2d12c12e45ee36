//! What was read of one series, for as long as a trigger looks back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::source::SampleValue;
use crate::model::trigger::Aggregate;

/// The readings of one series over a sliding window.
#[derive(Clone, Debug)]
pub struct Window {
    span: Duration,
    parts: VecDeque<Part>,
    newest: Option<Timestamp>,
    floor: Timestamp,
}

#[derive(Clone, Debug)]
struct Part {
    from: Timestamp,
    at: Timestamp,
    value: SampleValue,
}

/// What a window, or several added up, holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Totals {
    /// Events and bad events.
    Ratio {
        /// Bad events.
        bad: f64,
        /// All events.
        total: f64,
    },
    /// Events over a time.
    Count {
        /// Events a second, added up over the series.
        per_second: f64,
        /// Readings.
        readings: u64,
    },
    /// Readings of a value.
    Gauge {
        /// Each reading and when; those of several series one after the other.
        values: Vec<(Timestamp, f64)>,
    },
    /// Durations by bucket.
    Histogram {
        /// Bounds in milliseconds.
        bounds_ms: Arc<[f64]>,
        /// Events per bucket, the last without a bound.
        counts: Vec<f64>,
    },
}

impl Window {
    /// An empty window that looks back this far.
    pub fn new(span: Duration) -> Self {
        Self { span, parts: VecDeque::new(), newest: None, floor: Timestamp::MIN }
    }

    /// The newest reading, also one that has left the window.
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// How far it looks back.
    pub const fn span(&self) -> Duration {
        self.span
    }

    /// Takes a reading. One that is not newer than the newest, that began before the floor, or whose number is not
    /// finite or negative where it counts events, is left out; the answer says whether it was taken.
    pub fn push(&mut self, from: Timestamp, at: Timestamp, value: SampleValue) -> bool {
        if from < self.floor
            || from > at
            || self.newest.is_some_and(|newest| at <= newest)
            || !is_sound(&value)
        {
            return false;
        }
        // Other bounds, another kind: the series is another one now.
        if self.parts.back().is_some_and(|last| !is_same_kind(&last.value, &value)) {
            self.parts.clear();
        }
        self.parts.push_back(Part { from, at, value });
        self.newest = Some(at);
        self.expire(at);
        true
    }

    /// Forgets what was read before a time, and will not take such readings any more.
    pub fn forget_before(&mut self, floor: Timestamp) {
        if floor > self.floor {
            self.floor = floor;
            self.parts.retain(|part| part.from >= floor);
            if self.newest.is_some_and(|newest| newest < floor) {
                self.newest = None;
            }
        }
    }

    /// Drops what lies further back than the window looks, seen from `now`. Says whether there was any.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.parts.len();
        while self
            .parts
            .front()
            .is_some_and(|part| now.duration_since(part.at).unsigned_abs() >= self.span && part.at < now)
        {
            self.parts.pop_front();
        }
        self.parts.len() < before
    }

    /// What it holds; none when it holds nothing.
    pub fn totals(&self) -> Option<Totals> {
        let mut parts = self.parts.iter();
        let first = parts.next()?;
        let mut totals = match &first.value {
            SampleValue::Ratio { bad, total } => Totals::Ratio { bad: *bad, total: *total },
            SampleValue::Count(_) => {
                let seconds: f64 = self.parts.iter().map(|part| seconds_between(part.from, part.at)).sum();
                let events: f64 = self
                    .parts
                    .iter()
                    .map(|part| if let SampleValue::Count(n) = part.value { n } else { 0.0 })
                    .sum();
                let per_second = if seconds > 0.0 { events / seconds } else { 0.0 };
                return Some(Totals::Count { per_second, readings: self.parts.len() as u64 });
            }
            SampleValue::Gauge(value) => Totals::Gauge { values: vec![(first.at, *value)] },
            SampleValue::Histogram { bounds_ms, counts } => {
                Totals::Histogram { bounds_ms: Arc::clone(bounds_ms), counts: counts.clone() }
            }
        };
        for part in parts {
            match (&mut totals, &part.value) {
                (Totals::Ratio { bad, total }, SampleValue::Ratio { bad: b, total: t }) => {
                    *bad += b;
                    *total += t;
                }
                (Totals::Gauge { values }, SampleValue::Gauge(value)) => values.push((part.at, *value)),
                (Totals::Histogram { counts, .. }, SampleValue::Histogram { counts: more, .. }) => {
                    add(counts, more);
                }
                _ => {}
            }
        }
        Some(totals)
    }
}

fn add(counts: &mut [f64], more: &[f64]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

fn is_sound(value: &SampleValue) -> bool {
    let count = |n: f64| n.is_finite() && n >= 0.0;
    match value {
        SampleValue::Ratio { bad, total } => count(*bad) && count(*total) && bad <= total,
        SampleValue::Count(n) => count(*n),
        SampleValue::Gauge(value) => value.is_finite(),
        SampleValue::Histogram { bounds_ms, counts } => {
            counts.len() == bounds_ms.len() + 1 && counts.iter().all(|n| count(*n))
        }
    }
}

fn is_same_kind(a: &SampleValue, b: &SampleValue) -> bool {
    match (a, b) {
        (SampleValue::Ratio { .. }, SampleValue::Ratio { .. })
        | (SampleValue::Count(_), SampleValue::Count(_))
        | (SampleValue::Gauge(_), SampleValue::Gauge(_)) => true,
        (SampleValue::Histogram { bounds_ms: a, .. }, SampleValue::Histogram { bounds_ms: b, .. }) => a == b,
        _ => false,
    }
}

impl Totals {
    /// Adds another series to this one. False when the two cannot be added up.
    pub fn merge(&mut self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ratio { bad, total }, Self::Ratio { bad: b, total: t }) => {
                *bad += b;
                *total += t;
                true
            }
            (Self::Count { per_second, readings }, Self::Count { per_second: p, readings: r }) => {
                *per_second += p;
                *readings = (*readings).max(*r);
                true
            }
            (Self::Gauge { values }, Self::Gauge { values: more }) => {
                values.extend(more);
                true
            }
            (Self::Histogram { bounds_ms, counts }, Self::Histogram { bounds_ms: b, counts: more })
                if bounds_ms == b =>
            {
                add(counts, more);
                true
            }
            _ => false,
        }
    }

    /// How much it rests on: events, or readings of a gauge or a rate. Always finite.
    pub fn samples(&self) -> f64 {
        let samples = match self {
            Self::Ratio { total, .. } => *total,
            Self::Count { readings, .. } => *readings as f64,
            Self::Gauge { values } => values.len() as f64,
            Self::Histogram { counts, .. } => counts.iter().sum(),
        };
        samples.min(f64::MAX)
    }

    /// One number for it: the share of bad events, events a second, the gauge's aggregate, or the quantile in milliseconds.
    /// None when there is nothing to compute it from, and when numbers beyond all measure add up to none.
    pub fn value(&self, quantile: f64, aggregate: Aggregate) -> Option<f64> {
        let value = match self {
            Self::Ratio { bad, total } => (*total > 0.0).then(|| bad / total),
            Self::Count { per_second, .. } => Some(*per_second),
            Self::Gauge { values } => {
                let numbers = values.iter().map(|(_, value)| *value);
                match aggregate {
                    Aggregate::Last => values.iter().max_by_key(|(at, _)| *at).map(|(_, value)| *value),
                    Aggregate::Mean => {
                        (!values.is_empty()).then(|| numbers.sum::<f64>() / values.len() as f64)
                    }
                    Aggregate::Max => numbers.reduce(f64::max),
                    Aggregate::Min => numbers.reduce(f64::min),
                }
            }
            Self::Histogram { bounds_ms, counts } => self::quantile(bounds_ms, counts, quantile),
        };
        value.filter(|value| value.is_finite())
    }
}

/// The quantile of a histogram, linear inside a bucket, as Prometheus' `histogram_quantile` does. In the bucket without an
/// upper bound the answer is its lower bound: "at least this".
fn quantile(bounds_ms: &[f64], counts: &[f64], quantile: f64) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    if total <= 0.0 || bounds_ms.is_empty() {
        return None;
    }
    let rank = quantile * total;
    let mut below = 0.0;
    for (i, count) in counts.iter().enumerate() {
        if below + count >= rank && *count > 0.0 {
            let lower = if i == 0 { 0.0 } else { bounds_ms[i - 1] };
            let Some(upper) = bounds_ms.get(i) else { return Some(lower) };
            return Some(lower + (upper - lower) * ((rank - below) / count).clamp(0.0, 1.0));
        }
        below += count;
    }
    bounds_ms.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    fn ratio(bad: f64, total: f64) -> SampleValue {
        SampleValue::Ratio { bad, total }
    }

    /// Only what was read inside the window counts.
    #[test]
    fn a_window_slides() {
        let mut window = Window::new(Duration::from_secs(10));
        for second in 0..30 {
            assert!(window.push(
                at(second * 1000),
                at((second + 1) * 1000),
                ratio(f64::from(second < 15), 2.0)
            ));
        }
        assert_eq!(window.totals(), Some(Totals::Ratio { bad: 0.0, total: 20.0 }));
        window.expire(at(60_000));
        assert_eq!(window.totals(), None);
        assert_eq!(window.newest(), Some(at(30_000)));
    }

    /// Readings out of order, of another time, or nonsense are left out and never repaired.
    #[test]
    fn unsound_readings_are_left_out() {
        let mut window = Window::new(Duration::from_secs(10));
        assert!(window.push(at(0), at(1000), ratio(0.0, 5.0)));
        for (from, to, value) in [
            (at(0), at(1000), ratio(0.0, 5.0)),
            (at(3000), at(2000), ratio(0.0, 5.0)),
            (at(1000), at(2000), ratio(6.0, 5.0)),
            (at(1000), at(2000), ratio(f64::NAN, 5.0)),
            (at(1000), at(2000), SampleValue::Gauge(f64::INFINITY)),
            (at(1000), at(2000), SampleValue::Histogram { bounds_ms: [1.0].into(), counts: vec![1.0] }),
        ] {
            assert!(!window.push(from, to, value.clone()), "{value:?} was taken");
        }
        assert_eq!(window.totals(), Some(Totals::Ratio { bad: 0.0, total: 5.0 }));
    }

    /// After a change of release nothing from before it is left, and nothing that began before it comes in.
    #[test]
    fn a_floor_forgets() {
        let mut window = Window::new(Duration::from_secs(60));
        assert!(window.push(at(0), at(1000), ratio(5.0, 5.0)));
        window.forget_before(at(1500));
        assert_eq!(window.totals(), None);
        assert_eq!(window.newest(), None);
        assert!(!window.push(at(1000), at(2000), ratio(5.0, 5.0)));
        assert!(window.push(at(2000), at(3000), ratio(0.0, 5.0)));
    }

    /// The figures are those that Prometheus computes from the same buckets.
    #[test]
    fn quantiles_interpolate() {
        let bounds = [100.0, 200.0, 400.0];
        assert_eq!(quantile(&bounds, &[50.0, 50.0, 0.0, 0.0], 0.95), Some(190.0));
        assert_eq!(quantile(&bounds, &[0.0, 0.0, 10.0, 0.0], 0.5), Some(300.0));
        assert_eq!(quantile(&bounds, &[0.0, 0.0, 0.0, 10.0], 0.5), Some(400.0));
        assert_eq!(quantile(&bounds, &[0.0; 4], 0.5), None);
    }

    /// A rate is events over the time that was really covered, so a missed reading does not change it.
    #[test]
    fn a_rate_uses_the_covered_time() {
        let mut window = Window::new(Duration::from_secs(60));
        window.push(at(0), at(1000), SampleValue::Count(10.0));
        window.push(at(5000), at(6000), SampleValue::Count(30.0));
        assert_eq!(window.totals().unwrap().value(0.5, Aggregate::Mean), Some(20.0));
    }
}
