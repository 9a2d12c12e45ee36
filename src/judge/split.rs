//! Counts of errors without counts of requests, when the split of the traffic is known.

use serde::{Deserialize, Serialize};

use super::counts::{ArmCounts, Discard, Taken, Tick};
use super::evidence::Evidence;
use super::pair::{Arms, PairMonitor};
use super::settings::{Settings, Tolerance};

/// Requests a second that stand for all the traffic: so many that an error is rare, and only the share counts.
const REQUESTS_PER_SECOND: f64 = 1e6;
/// How far the real split may be from the known one, as a factor: ramps, retries, sticky sessions.
const DOUBT: f64 = 1.25;

/// Compares the canary's share of the errors with its share of the traffic: a sequential binomial test.
///
/// With neither requests nor a known split there is nothing to compare: the verdict is then unknown, and no monitor can
/// be had for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitMonitor {
    pair: PairMonitor,
}

impl SplitMonitor {
    /// A monitor that has seen nothing. Of the tolerances only the ratios are used, with a quarter of doubt about the
    /// split.
    pub fn new(settings: Settings) -> Self {
        let settings = Settings {
            harm: Tolerance::new(settings.harm.ratio * DOUBT, 0.0),
            safe: Tolerance::new(settings.safe.ratio / DOUBT, 0.0),
            ..settings
        };
        Self { pair: PairMonitor::make(settings, Arms::Shares, 1) }
    }

    /// Takes the errors of both arms over an interval in which the canary had this share of the traffic, in (0, 1).
    pub fn observe(
        &mut self,
        start_s: f64,
        length_s: f64,
        canary_errors: f64,
        stable_errors: f64,
        share: f64,
    ) -> Result<Taken, Discard> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Discard::ShareOutOfRange);
        }
        let all = REQUESTS_PER_SECOND * length_s;
        self.pair.observe(&Tick {
            start_s,
            length_s,
            canary: ArmCounts::new(share * all, canary_errors),
            stable: ArmCounts::new((1.0 - share) * all, stable_errors),
        })
    }

    /// Forgets the evidence for safe: a step of the traffic needs evidence of its own.
    pub fn restart_safe(&mut self) {
        self.pair.restart_safe();
    }

    /// Natural logarithm of the e-value against "no harm".
    pub const fn log_e(&self) -> f64 {
        self.pair.log_e()
    }

    /// Natural logarithm of the e-value against "not safe".
    pub fn log_e_safe(&self) -> f64 {
        self.pair.log_e_safe()
    }

    /// Everything that is to be shown. The requests are not known, so they and all that rests on them are left out.
    pub fn evidence(&self) -> Evidence {
        let errors = |counts: ArmCounts| ArmCounts::new(0.0, counts.bad);
        let evidence = self.pair.evidence();
        Evidence { canary: errors(evidence.canary), stable: evidence.stable.map(errors), ..evidence }
    }
}
