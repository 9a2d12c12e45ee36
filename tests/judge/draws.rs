//! Random counts from a seed.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Draws counts.
pub(crate) struct Draws(StdRng);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Poisson, by products of uniforms; a large mean in parts.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        let mut left = mean;
        let mut count = 0.0;
        while left > 0.0 {
            let part = left.min(30.0);
            left -= part;
            let mut product = self.unit();
            while product > (-part).exp() {
                count += 1.0;
                product *= self.unit();
            }
        }
        count
    }

    /// How many of `n` happen, each with this chance.
    pub(crate) fn binomial(&mut self, n: f64, chance: f64) -> f64 {
        (0..n as u64).filter(|_| self.unit() < chance).count() as f64
    }
}
