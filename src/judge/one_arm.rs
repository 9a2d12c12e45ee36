//! One arm against a limit: an objective, or what was recorded earlier.

use serde::{Deserialize, Serialize};

use super::confidence::Interval;
use super::counts::{ArmCounts, Discard, Taken, Tick};
use super::evidence::{Evidence, Method};
use super::pair::{Arms, PairMonitor};
use super::settings::{Settings, Tolerance};
use super::wilson;

/// z² for the upper bound of a recorded rate: 99 % between both bounds.
const BASELINE_Z2: f64 = 2.576 * 2.576;

/// Compares the rate of bad requests of one arm with a limit: error rate below 5 %, availability above 95 %, p95 below
/// 2 s (bad is slower than 2 s, the limit 0.05). The same bets as of [`PairMonitor`], without a stable arm.
///
/// Nothing is known of what the world does to both arms, so an outage of a dependency is harm like any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneArmMonitor {
    pair: PairMonitor,
    method: Method,
    limit: f64,
}

impl OneArmMonitor {
    /// Against an objective: harm above `limit`, safe below one and a half times it. A share in (0, 1).
    pub fn against_limit(limit: f64, settings: Settings) -> Self {
        Self::between(limit, 1.5 * limit, settings)
    }

    /// Against an objective: harm above `limit`, safe below `safe_limit`; shares up to 0.95. The tolerances of the
    /// settings are not used.
    pub fn between(limit: f64, safe_limit: f64, settings: Settings) -> Self {
        let settings = Settings {
            harm: Tolerance::new(1.0, limit),
            safe: Tolerance::new(1.0, safe_limit.min(0.95)),
            ..settings
        };
        let pair = PairMonitor::make(settings, Arms::One, 1);
        Self { limit: pair.limit(), pair, method: Method::Objective }
    }

    /// Against what was recorded before there was a canary: harm above `1.5·U + 0.002`, where U is the upper bound of the
    /// recorded rate (Wilson score interval, 99 %), widened by the `phi` of the recording (1 when it is not known, see
    /// [`BurstGuard`](super::BurstGuard)).
    ///
    /// It is uncontrolled: whatever has changed since looks like harm. None when the recording holds no requests.
    pub fn against_baseline(recorded: ArmCounts, phi: f64, settings: Settings) -> Option<Self> {
        let phi = if phi.is_finite() { phi.max(1.0) } else { 1.0 };
        let upper = wilson::interval(recorded, BASELINE_Z2 * phi)?.upper;
        let made = Self::against_limit(1.5 * upper + 0.002, settings);
        Some(Self { method: Method::RecordedBaseline, ..made })
    }

    /// The limit that is tested, as a share.
    pub const fn limit(&self) -> f64 {
        self.limit
    }

    /// Takes what the arm did before the watch began, oldest first, in intervals of so many seconds. No evidence.
    pub fn history(&mut self, length_s: f64, counts: ArmCounts) -> Result<(), Discard> {
        self.pair.history(length_s, counts)
    }

    /// Takes an interval. One that is not sound is left out, with the reason.
    pub fn observe(&mut self, start_s: f64, length_s: f64, counts: ArmCounts) -> Result<Taken, Discard> {
        self.pair.observe(&Tick { start_s, length_s, canary: counts, stable: ArmCounts::default() })
    }

    /// Forgets the evidence for safe: a step of the traffic needs evidence of its own.
    pub fn restart_safe(&mut self) {
        self.pair.restart_safe();
    }

    /// Natural logarithm of the e-value against "within the limit".
    pub const fn log_e(&self) -> f64 {
        self.pair.log_e()
    }

    /// Natural logarithm of the e-value against "not below the safe limit".
    pub fn log_e_safe(&self) -> f64 {
        self.pair.log_e_safe()
    }

    /// The always-valid p-value, from the best evidence so far.
    pub fn p_value(&self) -> f64 {
        self.pair.p_value()
    }

    /// What the evidence of the next interval will be divided by.
    pub fn phi(&self) -> f64 {
        self.pair.phi()
    }

    /// The rate, valid at all times together; early on it reaches below 0 and above 1.
    pub fn interval(&self) -> Interval {
        self.pair.interval()
    }

    /// How many times the limit the rate looks to be; one of a coarse grid from 1.04 to 100.
    pub fn suspected_ratio(&self) -> f64 {
        self.pair.suspected_ratio()
    }

    /// Seconds with requests that were ever seen, history included.
    pub const fn known_s(&self) -> f64 {
        self.pair.known_s()
    }

    /// Everything that is to be shown; the interval cut to shares.
    pub fn evidence(&self) -> Evidence {
        Evidence { method: self.method, ..self.pair.evidence() }
    }
}
