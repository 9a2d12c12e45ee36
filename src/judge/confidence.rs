//! An interval for the difference of two rates that holds at all times together: a confidence sequence, from the same
//! bets as the test, one for every difference that might be true.

use serde::{Deserialize, Serialize};

use super::betting::Played;
use super::log_space::log_sum;

const RATIOS: [f64; 8] = [1.02, 1.06, 1.15, 1.4, 2.0, 4.0, 16.0, 100.0];

/// A range for a difference of rates, or for a rate. The true value is inside at all times, but for the level's chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

impl Interval {
    pub(crate) fn within(self, low: f64, high: f64) -> Self {
        Self { lower: self.lower.clamp(low, high), upper: self.upper.clamp(low, high) }
    }
}

/// Wealth of one bettor as a line over the difference: `level - slope · difference`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Line {
    level: f64,
    slope: f64,
}

/// The running sums behind the interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Confidence {
    above: [Line; RATIOS.len()],
    below: [Line; RATIOS.len()],
}

impl Confidence {
    pub(crate) fn add(&mut self, played: &Played, phi: f64) {
        let (canary, stable, weight) = (played.canary(), played.stable(), played.weight());
        for ((k, above), below) in RATIOS.into_iter().zip(&mut self.above).zip(&mut self.below) {
            let a = (k - 1.0) / (k * weight + 1.0);
            above.level += (canary.bad * a.ln_1p() + stable.bad * (-a * weight).ln_1p()) / phi;
            above.slope += a * canary.requests / phi;
            let k = 1.0 / k;
            let a = (1.0 - k) / (k * weight + 1.0);
            below.level += (canary.bad * (-a).ln_1p() + stable.bad * (a * weight).ln_1p()) / phi;
            below.slope += a * canary.requests / phi;
        }
    }

    /// The interval in [-1, 1] that misses the truth with at most this probability, ever.
    pub(crate) fn interval(&self, level: f64) -> Interval {
        let needed = (2.0 / level).ln() + (RATIOS.len() as f64).ln();
        // By symmetry, the upper end is the lower one of the mirrored bets.
        Interval { lower: lower_end(&self.above, needed), upper: -lower_end(&self.below, needed) }
    }
}

/// The place in [-1, 1] below which the wealth exceeds what is needed.
///
/// The logarithm of the wealth falls and is convex, so that Newton's steps from the left come closer without passing
/// the root.
fn lower_end(lines: &[Line; RATIOS.len()], needed: f64) -> f64 {
    let mut place = -1.0_f64;
    for _ in 0..100 {
        let logs = lines.map(|line| line.level - place * line.slope);
        let log = log_sum(logs.into_iter());
        let slope: f64 = lines.iter().zip(logs).map(|(line, one)| line.slope * (one - log).exp()).sum();
        let step = (log - needed) / slope;
        // NaN and infinity: there are no data, or none that tell.
        if log <= needed || step.is_nan() || step < 1e-13 {
            break;
        }
        place += step;
        if place >= 1.0 {
            return 1.0;
        }
    }
    place
}
