//! The rate that is usual of late, known before a tick begins.

use serde::{Deserialize, Serialize};

use super::counts::ArmCounts;

/// Counts that fade with a half-life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Faded {
    counts: ArmCounts,
}

impl Faded {
    /// Lets everything before fade by the tick's length, then adds its counts.
    pub(crate) fn add(&mut self, length_s: f64, half_life_s: f64, counts: ArmCounts) {
        let keep = (-length_s / half_life_s).exp2();
        self.counts.requests = self.counts.requests * keep + counts.requests;
        self.counts.bad = self.counts.bad * keep + counts.bad;
    }

    /// The rate, as if `prior` requests without errors had come before.
    pub(crate) fn rate(&self, prior: f64) -> f64 {
        self.counts.bad / (self.counts.requests + prior)
    }

    pub(crate) const fn counts(&self) -> ArmCounts {
        self.counts
    }
}
