//! Bets on a regression that begins at an unknown time.
//!
//! Half of the wealth is bet at once, the rest is cash that is paid out slot by slot along `½·H/(H + i·s)`. The
//! schedule is fixed in advance, so the total stays a test supermartingale for ever; an early regression costs `ln 2`,
//! a late one a few nats, and nothing is ever reset.

use super::log_space::log_add;

/// The schedule of the payments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Onset {
    pub(crate) horizon_s: f64,
    pub(crate) slot_s: f64,
}

impl Onset {
    /// What each of `bettors` begins with, as a logarithm.
    pub(crate) fn start(bettors: usize) -> f64 {
        0.5_f64.ln() - (bettors as f64).ln()
    }

    /// The slot that a time lies in.
    pub(crate) fn slot(&self, at_s: f64) -> u64 {
        (at_s / self.slot_s + 1e-9).floor().max(0.0) as u64
    }

    fn cash(&self, slot: u64) -> f64 {
        0.5 * self.horizon_s / (self.horizon_s + slot as f64 * self.slot_s)
    }

    /// `ln` of what is not yet bet.
    pub(crate) fn log_cash(&self, slot: u64) -> f64 {
        self.cash(slot).ln()
    }

    /// Pays what is due between two slots to all bettors alike.
    pub(crate) fn pay(&self, logs: &mut [f64], from: u64, to: u64) {
        if to <= from {
            return;
        }
        let paid = (self.cash(from) - self.cash(to)).ln() - (logs.len() as f64).ln();
        for log in logs {
            *log = log_add(*log, paid);
        }
    }
}
