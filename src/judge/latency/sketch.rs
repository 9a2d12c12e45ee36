//! Latencies in buckets of equal width on a logarithmic axis: 48 a decade, from 1 ms to 1000 s.

use serde::{Deserialize, Serialize};

const PER_DECADE: f64 = 48.0;
const SMALLEST_S: f64 = 1e-3;
/// The last bucket also holds everything above.
const LAST: usize = 288;

/// Counts that may fade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sketch {
    counts: Vec<f64>,
    total: f64,
}

impl Sketch {
    pub(super) fn new() -> Self {
        Self { counts: vec![0.0; LAST + 1], total: 0.0 }
    }

    pub(super) fn fade(&mut self, keep: f64) {
        for count in &mut self.counts {
            *count *= keep;
        }
        self.total *= keep;
    }

    pub(super) fn add(&mut self, value_s: f64) {
        self.counts[bucket(value_s)] += 1.0;
        self.total += 1.0;
    }

    pub(super) const fn total(&self) -> f64 {
        self.total
    }

    pub(super) fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// The quantile, as the upper bound of its bucket, and the count above it.
    pub(super) fn quantile(&self, quantile: f64) -> (f64, f64) {
        let needed = quantile * self.total - 1e-9;
        let mut below = 0.0;
        for (i, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= needed {
                return (upper_bound(i), (self.total - below).max(0.0));
            }
        }
        (upper_bound(LAST), 0.0)
    }
}

fn bucket(value_s: f64) -> usize {
    // A cast of what is below zero gives zero.
    ((PER_DECADE * (value_s / SMALLEST_S).log10() - 1e-9).ceil() as usize).min(LAST)
}

fn upper_bound(bucket: usize) -> f64 {
    SMALLEST_S * 10_f64.powf(bucket as f64 / PER_DECADE)
}

/// The upper bounds of all buckets, in seconds.
pub(super) fn upper_bounds() -> Vec<f64> {
    (0..=LAST).map(upper_bound).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value on a bound belongs to the bucket below, and nothing falls outside.
    #[test]
    fn values_find_their_bucket() {
        for i in 0..=LAST {
            assert_eq!(bucket(upper_bound(i)), i);
            assert_eq!(bucket(upper_bound(i) * 1.001), (i + 1).min(LAST));
        }
        assert_eq!((bucket(0.0), bucket(1e-9), bucket(1e9)), (0, 0, LAST));
    }
}
