//! Counts that wait until both arms have some.

use serde::{Deserialize, Serialize};

use super::counts::ArmCounts;

/// What was known before the first tick of a carry: the bets are placed with it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) phi: f64,
    pub(crate) reference: f64,
    /// The ratio that is tolerated, when it changes from tick to tick.
    pub(crate) ratio: Option<f64>,
}

/// Ticks added up to one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Carry {
    pub(crate) start_s: f64,
    pub(crate) length_s: f64,
    pub(crate) canary: ArmCounts,
    pub(crate) stable: ArmCounts,
    pub(crate) terms: Terms,
    /// It began before the last step of the traffic, so it says nothing about the new one.
    pub(crate) is_of_last_step: bool,
}

impl Carry {
    pub(crate) fn add(&mut self, length_s: f64, canary: ArmCounts, stable: ArmCounts) {
        self.length_s += length_s;
        self.canary.add(canary);
        self.stable.add(stable);
    }
}
