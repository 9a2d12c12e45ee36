//! Errors come in bursts: retries, one bad client, a dependency that blinks. A test that takes every error for
//! independent alarms on nearly every healthy canary. The guard measures how much more two neighbouring blocks of time
//! differ than independent requests would (an over-dispersion, as in quasi-likelihood), at four scales, and gives the
//! divisor φ ≥ 1 for the evidence.

use serde::{Deserialize, Serialize};

use super::counts::ArmCounts;

/// Lengths of the blocks, in seconds; zero is every tick.
const SCALES_S: [f64; 4] = [0.0, 5.0, 30.0, 120.0];
/// What is assumed of a scale before anything was measured.
const PRIOR: f64 = 3.0;
/// How many informative pairs weigh as much as the assumption.
const PRIOR_PAIRS: f64 = 5.0;
/// The scales, from the first, that show bursts: longer blocks show drifts.
const BURST_SCALES: usize = 3;
/// So much dispersion says nothing.
const LEAST_DISPERSION: f64 = 1.25;
/// And so many standard errors above it are hardly chance: after ten minutes of single errors, 3 of 200 streams had bursts.
const DEVIATIONS: f64 = 2.0;
/// Below this an expected variance says nothing, and a division by it might overflow.
const LEAST_VARIANCE: f64 = 1e-12;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Block {
    length_s: f64,
    canary: ArmCounts,
    stable: ArmCounts,
}

/// Observed and expected squares of differences between neighbouring blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Dispersion {
    observed: f64,
    expected: f64,
    pairs: f64,
}

impl Dispersion {
    fn add(&mut self, difference: f64, variance: f64) {
        self.observed += difference * difference;
        self.expected += variance;
        self.pairs += 1.0;
    }

    /// How much the pairs are worth. Pairs in which next to nothing was expected teach little.
    fn information(&self) -> Option<f64> {
        (self.expected > LEAST_VARIANCE).then(|| self.pairs.min(2.0 * self.expected))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Scale {
    open: Block,
    closed: Option<Block>,
    /// Of the stable rate: blind to the canary's own regression, inflated by spikes that both arms share.
    rate: Dispersion,
    /// Of the canary's share of the errors: blind to shared spikes.
    share: Dispersion,
}

impl Scale {
    fn add(&mut self, scale_s: f64, length_s: f64, canary: ArmCounts, stable: ArmCounts) {
        self.open.length_s += length_s;
        self.open.canary.add(canary);
        self.open.stable.add(stable);
        if self.open.length_s + 1e-9 < scale_s {
            return;
        }
        let second = std::mem::take(&mut self.open);
        if let Some(first) = self.closed.replace(second)
            && first.stable.requests > 0.0
            && second.stable.requests > 0.0
        {
            self.compare_rates(first.stable, second.stable);
            self.compare_shares(&first, &second);
        }
    }

    fn compare_rates(&mut self, first: ArmCounts, second: ArmCounts) {
        let bad = first.bad + second.bad;
        if bad <= 0.0 {
            return;
        }
        let requests = first.requests + second.requests;
        let rate = bad / requests;
        self.rate.add(
            (first.bad * second.requests - second.bad * first.requests) / requests,
            first.requests * second.requests / requests * rate * (1.0 - rate),
        );
    }

    fn compare_shares(&mut self, first: &Block, second: &Block) {
        let requests = [first, second].map(|block| block.canary.requests + block.stable.requests);
        let bad = [first, second].map(|block| block.canary.bad + block.stable.bad);
        let split = [first.canary.requests / requests[0], second.canary.requests / requests[1]];
        let canary_bad = first.canary.bad + second.canary.bad;
        let share = canary_bad / (bad[0] + bad[1]);
        if first.canary.requests <= 0.0
            || second.canary.requests <= 0.0
            || bad[0] <= 0.0
            || bad[1] <= 0.0
            // A changed split changes the share of the errors by itself.
            || (split[0] - split[1]).abs() > 0.25 * split[0] + 0.05
            || share <= 0.0
            || share >= 1.0
        {
            return;
        }
        let both = bad[0] + bad[1];
        self.share.add(
            (second.canary.bad * bad[0] - first.canary.bad * bad[1]) / both,
            bad[0] * bad[1] / both * share * (1.0 - share) * (1.0 - both / (requests[0] + requests[1])),
        );
    }
}

/// The guard of one comparison. Constant memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BurstGuard {
    scales: [Scale; SCALES_S.len()],
}

impl BurstGuard {
    /// A guard that has seen nothing: it assumes clusters and lets go of them as it learns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the counts of an interval. Without a canary, only the stable rate is looked at.
    pub(crate) fn add(&mut self, length_s: f64, canary: ArmCounts, stable: ArmCounts) {
        for (scale, scale_s) in self.scales.iter_mut().zip(SCALES_S) {
            scale.add(scale_s, length_s, canary, stable);
        }
    }

    /// Takes what one arm did over an interval, in seconds. For recorded baselines; counts that are none are left out.
    pub fn record(&mut self, length_s: f64, counts: ArmCounts) {
        let none = ArmCounts::default();
        if super::counts::check_counts(counts, none).is_ok() && length_s.is_finite() && length_s > 0.0 {
            self.add(length_s, none, counts);
        }
    }

    /// Whether stable was seen to have bursts beside its single errors, however rare.
    pub(crate) fn has_bursts(&self) -> bool {
        self.scales.iter().take(BURST_SCALES).any(|scale| {
            scale.rate.information().is_some_and(|pairs| {
                // Of a mean of so many squares of normal deviates.
                let error = (2.0 / pairs.max(1.0)).sqrt();
                scale.rate.observed / scale.rate.expected > LEAST_DISPERSION + DEVIATIONS * error
            })
        })
    }

    /// What the evidence of the next tick is divided by; 1 when errors come one by one, above 2 when they come in bursts.
    pub fn phi(&self) -> f64 {
        let mut target = PRIOR;
        let mut best = 1.0_f64;
        for scale in &self.scales {
            let mut rate = target;
            if let Some(pairs) = scale.rate.information() {
                let ratio = scale.rate.observed / scale.rate.expected;
                rate += (ratio - target) * pairs / (pairs + PRIOR_PAIRS);
            }
            let mut estimate = rate;
            if let Some(pairs) = scale.share.information() {
                let trust = pairs / (pairs + PRIOR_PAIRS);
                let ratio = (scale.share.observed / scale.share.expected).max(0.2).ln();
                let before = rate.min(2.5 * target).max(0.2).ln();
                // Either can be too large for a reason of its own; the smaller one is right.
                estimate = rate.min((trust * ratio + (1.0 - trust) * before).exp());
            }
            best = best.max(estimate);
            let estimate = estimate.max(1.0);
            // Clusters that a short block shows are at least as strong in a longer one.
            target = estimate * estimate.sqrt().min(1.5);
        }
        (1.0 + 1.5 * (best - 1.15)).max(1.0)
    }
}
