//! The samples of one block of time, for their median, in bounded memory.

use serde::{Deserialize, Serialize};

/// So many are kept; beyond it every second one is dropped, evenly over the block.
const MOST: usize = 512;

/// Samples of a gauge over a block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlockSamples {
    kept: Vec<f64>,
    seen: u64,
    /// One in `2^thinned` is kept.
    thinned: u32,
}

impl BlockSamples {
    pub(crate) fn add(&mut self, value: f64) {
        if self.seen.is_multiple_of(1_u64 << self.thinned.min(63)) {
            if self.kept.len() == MOST {
                let mut place = 0_usize;
                self.kept.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.thinned += 1;
            }
            self.kept.push(value);
        }
        self.seen = self.seen.saturating_add(1);
    }

    /// How many were added.
    pub(crate) const fn seen(&self) -> u64 {
        self.seen
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.seen = 0;
        self.thinned = 0;
    }

    pub(crate) fn median(&self) -> Option<f64> {
        median(&mut self.kept.clone())
    }
}

/// The middle of a list, or the mean of the two in the middle; none when it is empty. Sorts it.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let high = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(high);
    }
    let low = values[middle - 1];
    // Half of each, for their sum may be beyond all numbers.
    Some(0.5 * low + 0.5 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many samples a block has, memory is bounded and the median stays what it is.
    #[test]
    fn thinning_keeps_the_median() {
        let mut samples = BlockSamples::default();
        for i in 0..100_000 {
            samples.add(f64::from(i * 7 % 1000));
        }
        assert!(samples.kept.len() <= MOST && samples.seen() == 100_000);
        assert!((samples.median().unwrap() - 500.0).abs() < 25.0, "{:?}", samples.median());
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }
}
