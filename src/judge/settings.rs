//! How much worse a canary may be, and the constants of a comparison.

use serde::{Deserialize, Serialize};

/// The highest rate that a tolerance may allow by itself; above it there is nothing left to bet on.
const HIGHEST_DIFFERENCE: f64 = 0.95;

/// A bound on the canary's rate of bad requests, given the stable one: `ratio · stable + difference`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tolerance {
    /// Factor on the stable rate.
    pub ratio: f64,
    /// What is added, as a share of the requests (0.002 is 0.2 points).
    pub difference: f64,
}

impl Tolerance {
    /// A bound.
    pub const fn new(ratio: f64, difference: f64) -> Self {
        Self { ratio, difference }
    }

    /// The nearest bound that can be tested.
    pub(crate) fn sound(self, default: Self) -> Self {
        let ratio = if self.ratio.is_finite() { self.ratio } else { default.ratio };
        let difference = if self.difference.is_finite() { self.difference } else { default.difference };
        Self { ratio: ratio.clamp(1e-3, 1e6), difference: difference.clamp(0.0, HIGHEST_DIFFERENCE) }
    }
}

/// How much is tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// 5 % more errors and 0.02 points are tolerated; safe is at most 25 % more and 0.5 points.
    #[default]
    Default,
    /// Nothing is tolerated; safe is at most 10 % more and 0.2 points.
    Strict,
    /// Half as many errors more and 0.2 points are tolerated; safe is at most twice as many and 1 point. For arms that
    /// wander apart by themselves.
    Relaxed,
}

impl Preset {
    /// Up to where a canary is not harmful.
    pub const fn harm(self) -> Tolerance {
        match self {
            Self::Default => Tolerance::new(1.05, 0.0002),
            Self::Strict => Tolerance::new(1.0, 0.0),
            Self::Relaxed => Tolerance::new(1.5, 0.002),
        }
    }

    /// Below which a canary is safe.
    pub const fn safe(self) -> Tolerance {
        match self {
            Self::Default => Tolerance::new(1.25, 0.005),
            Self::Strict => Tolerance::new(1.1, 0.002),
            Self::Relaxed => Tolerance::new(2.0, 0.01),
        }
    }

    /// How many times slower a canary may be.
    pub const fn slowdown(self) -> f64 {
        match self {
            Self::Default => 1.2,
            Self::Strict => 1.1,
            Self::Relaxed => 1.3,
        }
    }
}

/// The constants of one comparison. What is not finite or out of range is replaced when a monitor is made, see
/// [`Settings::sound`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The canary is harmful above this.
    pub harm: Tolerance,
    /// The canary is safe below this.
    pub safe: Tolerance,
    /// How the bets on a late regression are spread: half of them are placed within this many seconds. No end of the
    /// watch.
    pub horizon_s: f64,
    /// Bets on a late regression are placed this many seconds apart.
    pub slot_s: f64,
    /// Half-life of what counts as usual, in seconds.
    pub half_life_s: f64,
    /// Requests without errors that the usual rate begins with.
    pub prior_requests: f64,
    /// How long the counts of one arm wait for the other, in seconds.
    pub carry_max_s: f64,
    /// The chance that the interval ever misses the true difference.
    pub interval_level: f64,
    /// Whether clustered errors are discounted. Without it every error counts as independent of the others.
    pub is_guarded: bool,
    /// Whether one burst may bring only so much evidence, where stable has bursts. Not without the guard, which sees them.
    pub is_burst_limited: bool,
    /// Chance of a false alarm that the outlook aims at.
    pub alpha: f64,
    /// Chance of calling a harmful canary safe that the outlook aims at.
    pub beta: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(Preset::Default)
    }
}

impl Settings {
    /// The constants of a preset.
    pub const fn of(preset: Preset) -> Self {
        Self {
            harm: preset.harm(),
            safe: preset.safe(),
            horizon_s: 3600.0,
            slot_s: 30.0,
            half_life_s: 120.0,
            prior_requests: 200.0,
            carry_max_s: 60.0,
            interval_level: 0.05,
            is_guarded: true,
            is_burst_limited: true,
            alpha: 0.01,
            beta: 0.05,
        }
    }

    /// The nearest constants that work: what is not finite takes its default, the rest is brought into its range.
    #[must_use]
    pub fn sound(self) -> Self {
        let default = Self::default();
        let within = |value: f64, default: f64, low: f64, high: f64| {
            if value.is_finite() { value.clamp(low, high) } else { default }
        };
        Self {
            harm: self.harm.sound(default.harm),
            safe: self.safe.sound(default.safe),
            horizon_s: within(self.horizon_s, default.horizon_s, 1.0, 1e9),
            slot_s: within(self.slot_s, default.slot_s, 1e-3, 1e9),
            half_life_s: within(self.half_life_s, default.half_life_s, 1e-3, 1e9),
            prior_requests: within(self.prior_requests, default.prior_requests, 1.0, 1e9),
            carry_max_s: within(self.carry_max_s, default.carry_max_s, 0.0, 1e9),
            interval_level: within(self.interval_level, default.interval_level, 1e-12, 0.5),
            is_guarded: self.is_guarded,
            is_burst_limited: self.is_burst_limited,
            alpha: within(self.alpha, default.alpha, 1e-12, 0.5),
            beta: within(self.beta, default.beta, 1e-12, 0.5),
        }
    }
}
