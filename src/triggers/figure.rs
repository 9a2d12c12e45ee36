//! Figures for baselines: readings added up over hours, in constant memory.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::baseline::Figure;
use crate::model::source::SampleValue;
use crate::model::trigger::Aggregate;

use super::window::Totals;

/// After this a reading weighs half as much.
const HALF_LIFE: Duration = Duration::from_secs(3_600);

/// So many events a figure rests on at least…
const LEAST_EVENTS: f64 = 200.0;
/// … or so many readings, where it is not events that are read.
const LEAST_READINGS: f64 = 10.0;

/// One indicator of one release, added up as it is read.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    figure: Option<Figure>,
    newest: Option<Timestamp>,
}

impl Tally {
    /// Takes a reading. One that is not newer than the newest, or of another kind or with other buckets than before, is
    /// left out or begins anew.
    pub fn push(&mut self, from: Timestamp, at: Timestamp, value: &SampleValue) {
        let is_number = !matches!(value, SampleValue::Gauge(value) if !value.is_finite());
        if self.newest.is_some_and(|newest| at <= newest) || from > at || !is_number {
            return;
        }
        let keep = self.newest.map_or(1.0, |newest| {
            let halves = at.duration_since(newest).as_secs_f64() / HALF_LIFE.as_secs_f64();
            (-halves).exp2()
        });
        self.newest = Some(at);
        let seconds = at.duration_since(from).as_secs_f64();
        match (&mut self.figure, value) {
            (Some(Figure::Ratio { bad, total }), SampleValue::Ratio { bad: b, total: t }) => {
                *bad = keep * *bad + b;
                *total = keep * *total + t;
            }
            (Some(Figure::Rate { events, seconds: s, readings }), SampleValue::Count(more)) => {
                *events = keep * *events + more;
                *s = keep * *s + seconds;
                *readings = keep * *readings + 1.0;
            }
            (Some(Figure::Gauge { sum, readings }), SampleValue::Gauge(value)) => {
                *sum = keep * *sum + value;
                *readings = keep * *readings + 1.0;
            }
            (
                Some(Figure::Latency { bounds_ms, counts }),
                SampleValue::Histogram { bounds_ms: bounds, counts: more },
            ) if bounds_ms == bounds && counts.len() == more.len() => {
                for (count, more) in counts.iter_mut().zip(more) {
                    *count = keep * *count + more;
                }
            }
            (figure, value) => *figure = Some(begun(value, seconds)),
        }
    }

    /// The figure, if it rests on enough: 200 events, or 10 readings of a rate or a gauge.
    pub fn figure(&self) -> Option<&Figure> {
        self.figure.as_ref().filter(|figure| is_enough(figure))
    }
}

fn begun(value: &SampleValue, seconds: f64) -> Figure {
    match value {
        SampleValue::Ratio { bad, total } => Figure::Ratio { bad: *bad, total: *total },
        SampleValue::Count(events) => Figure::Rate { events: *events, seconds, readings: 1.0 },
        SampleValue::Gauge(value) => Figure::Gauge { sum: *value, readings: 1.0 },
        SampleValue::Histogram { bounds_ms, counts } => {
            Figure::Latency { bounds_ms: bounds_ms.clone(), counts: counts.clone() }
        }
    }
}

/// How much a figure rests on: events, or readings of a rate or a gauge.
pub fn samples(figure: &Figure) -> f64 {
    match figure {
        Figure::Ratio { total, .. } => *total,
        Figure::Rate { readings, .. } | Figure::Gauge { readings, .. } => *readings,
        Figure::Latency { counts, .. } => counts.iter().sum(),
    }
}

fn is_enough(figure: &Figure) -> bool {
    let least = match figure {
        Figure::Ratio { .. } | Figure::Latency { .. } => LEAST_EVENTS,
        Figure::Rate { .. } | Figure::Gauge { .. } => LEAST_READINGS,
    };
    samples(figure) >= least
}

/// One number for it: the share of bad events, events a second, the mean, or the quantile in milliseconds. None when it
/// rests on too little to be one.
pub fn value(figure: &Figure, quantile: f64) -> Option<f64> {
    if !is_enough(figure) {
        return None;
    }
    match figure {
        Figure::Ratio { bad, total } => Some(bad / total),
        Figure::Rate { events, seconds, .. } => (*seconds > 0.0).then(|| events / seconds),
        Figure::Gauge { sum, readings } => Some(sum / readings),
        Figure::Latency { bounds_ms, counts } => {
            let totals = Totals::Histogram { bounds_ms: bounds_ms.clone(), counts: counts.clone() };
            totals.value(quantile, Aggregate::Mean)
        }
    }
    .filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn ratio(bad: f64, total: f64) -> SampleValue {
        SampleValue::Ratio { bad, total }
    }

    /// Too few events are no figure, and an old reading counts for less than a new one.
    #[test]
    fn a_figure_rests_on_enough_and_forgets() {
        let mut tally = Tally::default();
        tally.push(at(0), at(1), &ratio(1.0, 100.0));
        assert_eq!(tally.figure(), None);
        tally.push(at(1), at(2), &ratio(1.0, 100.0));
        assert_eq!(tally.figure(), None, "the first one weighs a little less by now");
        tally.push(at(2), at(3), &ratio(1.0, 100.0));
        let share = value(tally.figure().unwrap(), 0.95).unwrap();
        assert!((share - 0.01).abs() < 1e-9, "{share}");
        // A day later the old ones are nothing.
        tally.push(at(86_400), at(86_401), &ratio(100.0, 1_000.0));
        let share = value(tally.figure().unwrap(), 0.95).unwrap();
        assert!((share - 0.1).abs() < 1e-4, "{share}");
    }

    /// The same reading twice counts once.
    #[test]
    fn a_reading_counts_once() {
        let mut tally = Tally::default();
        for _ in 0..5 {
            tally.push(at(0), at(1), &ratio(0.0, 150.0));
        }
        assert_eq!(tally.figure(), None);
    }

    /// Each kind has its number.
    #[test]
    fn every_kind_has_a_number() {
        let mut rate = Tally::default();
        let mut gauge = Tally::default();
        let mut latency = Tally::default();
        for second in 0..20 {
            rate.push(at(second), at(second + 1), &SampleValue::Count(50.0));
            gauge.push(at(second), at(second), &SampleValue::Gauge(0.5));
            let counts = vec![90.0, 10.0, 0.0];
            let histogram = SampleValue::Histogram { bounds_ms: [100.0, 200.0].into(), counts };
            latency.push(at(second), at(second + 1), &histogram);
        }
        let of = |tally: &Tally, quantile| value(tally.figure().unwrap(), quantile).unwrap();
        assert!((of(&rate, 0.95) - 50.0).abs() < 1e-9);
        assert!((of(&gauge, 0.95) - 0.5).abs() < 1e-9);
        assert!((of(&latency, 0.95) - 150.0).abs() < 1e-9);
        assert!((of(&latency, 0.5) - 55.555_555).abs() < 1e-3);
        gauge.push(at(30), at(31), &SampleValue::Gauge(f64::NAN));
        assert!((of(&gauge, 0.95) - 0.5).abs() < 1e-9, "what is no number changes nothing");
    }
}
