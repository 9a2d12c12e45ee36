//! Durations counted by bucket, for sources that see each event by itself.

use crate::model::source::LatencyUnit;

/// Upper bounds of the buckets in milliseconds: about three to a decade, from what a cache answers to the longest time-outs.
const BOUNDS_MS: [f64; 15] = [
    1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 30_000.0,
    60_000.0,
];

/// Durations by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Durations {
    /// Events in each bucket; the last has no bound.
    counts: [f64; BOUNDS_MS.len() + 1],
}

impl Durations {
    /// Counts one, in milliseconds. What is no duration is left out.
    pub(super) fn push(&mut self, ms: f64) {
        if ms >= 0.0 {
            self.counts[BOUNDS_MS.partition_point(|bound| *bound < ms)] += 1.0;
        }
    }

    /// Bounds in a unit, with the count of all events up to each; the last is infinite.
    pub(super) fn cumulative(&self, unit: LatencyUnit) -> Vec<(f64, f64)> {
        let per_unit = match unit {
            LatencyUnit::Seconds => 1_000.0,
            LatencyUnit::Milliseconds => 1.0,
        };
        let mut upto = 0.0;
        let bounds = BOUNDS_MS.iter().map(|bound| bound / per_unit).chain([f64::INFINITY]);
        let cumulative = bounds.zip(self.counts).map(|(bound, count)| {
            upto += count;
            (bound, upto)
        });
        cumulative.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event is in the bucket whose bound it does not exceed, and in all later ones; what is no duration is in none.
    #[test]
    fn durations_are_counted() {
        let mut durations = Durations::default();
        for ms in [0.0, 1.0, 1.1, 60_000.0, 60_001.0, f64::INFINITY, f64::NAN, -1.0] {
            durations.push(ms);
        }
        let seen = durations.cumulative(LatencyUnit::Seconds);
        assert_eq!(seen[..3], [(0.001, 2.0), (0.0025, 3.0), (0.005, 3.0)]);
        assert_eq!(seen[14..], [(60.0, 4.0), (f64::INFINITY, 6.0)]);
        assert_eq!(durations.cumulative(LatencyUnit::Milliseconds)[0], (1.0, 2.0));
    }
}
