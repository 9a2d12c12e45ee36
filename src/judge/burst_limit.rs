//! What one burst may bring. Bursts that are rare beside many single errors hardly show in the dispersion that
//! [`BurstGuard`](super::BurstGuard) divides by: φ is near 1, and then one burst on the canary is evidence enough. So where
//! stable itself was seen to have bursts, the evidence of harm may grow only so much at once: a bucket of nats that fills
//! again slowly. Harm that stays goes on earning from what comes back; a burst empties it once.
//!
//! The limit of a tick follows from the ticks before it, and a gain that is cut only makes the bettor poorer: the bound on
//! false alarms stays what it is. The price is known, too: from an empty ledger it takes about ten seconds more until
//! even a canary that fails every request has made its hundred, and nothing at all where stable has no bursts.

use serde::{Deserialize, Serialize};

use super::betting::HARM_RATIOS;

/// What a burst may bring at once, in nats. A bettor needs about 7.4 to make a hundred alone.
const CAPACITY: f64 = 4.0;
/// What comes back, in nats a second: half of the capacity over a burst of ten seconds.
const REFILL_PER_S: f64 = 0.2;

/// What each bettor may still gain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BurstLimit {
    left: [f64; HARM_RATIOS.len()],
}

impl Default for BurstLimit {
    fn default() -> Self {
        Self { left: [CAPACITY; HARM_RATIOS.len()] }
    }
}

impl BurstLimit {
    /// Lets time pass, in seconds.
    pub(crate) fn refill(&mut self, length_s: f64) {
        for left in &mut self.left {
            *left = (*left + REFILL_PER_S * length_s).min(CAPACITY);
        }
    }

    /// What becomes of a bettor's gain. It is taken from what is left, also while the limit does not bind: a burst
    /// that is under way when stable turns out to have bursts has had its share.
    pub(crate) fn take(&mut self, bettor: usize, gain: f64, binds: bool) -> f64 {
        let left = &mut self.left[bettor];
        let gain = if binds { gain.min(*left) } else { gain };
        *left = (*left - gain.max(0.0)).max(0.0);
        gain
    }
}
