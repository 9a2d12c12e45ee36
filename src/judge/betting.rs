//! The evidence of one tick: what bets against "no harm" and against "not safe" would have gained.
//!
//! A bettor stakes a share of the wealth on every request. On the canary its factor is `1 + a(y - mC)`, on stable `1 -
//! b(y - mS)`, with `y = 1` for a bad request. Because `ln(1 + u) ≤ u`, and because `b·nS = a·r·nC` and `mC = r·mS +
//! d`, the logarithm of the expectation of the product is at most `a·nC·(pC - r·pS - d)`: not above zero when the
//! canary is within the tolerance, whatever the stable rate is and however it moves. So the wealth is a test
//! supermartingale, and by Ville's inequality it ever reaches `1/α` with probability at most `α` (testing by betting:
//! Shafer 2021; Waudby-Smith and Ramdas 2024).
//!
//! With `mS = d = 0` it is the sequential binomial test of the canary's share of the errors.

use super::counts::ArmCounts;
use super::settings::Tolerance;

/// How many times the tolerated rate the canary's may be: one bettor each.
pub(crate) const HARM_RATIOS: [f64; 8] = [1.04, 1.12, 1.3, 1.7, 2.5, 5.0, 15.0, 100.0];
/// The same for "safe": shares of the rate that is just not safe.
pub(crate) const SAFE_RATIOS: [f64; 6] = [0.95, 0.85, 0.7, 0.5, 0.25, 0.05];

/// The counts of a tick as a bettor sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Played {
    canary: ArmCounts,
    stable: ArmCounts,
    /// Canary requests for one of stable; zero when there is no stable arm.
    weight: f64,
}

impl Played {
    /// Two arms; both must have requests.
    pub(crate) fn pair(canary: ArmCounts, stable: ArmCounts) -> Self {
        Self { canary, stable, weight: canary.requests / stable.requests }
    }

    /// One arm against a fixed limit.
    pub(crate) const fn single(canary: ArmCounts) -> Self {
        Self { canary, stable: ArmCounts::new(0.0, 0.0), weight: 0.0 }
    }

    /// What the expected counts of a tick with one canary request are.
    pub(crate) fn expected(canary_rate: f64, stable_rate: f64, weight: f64) -> Self {
        let stable = if weight > 0.0 {
            ArmCounts::new(1.0 / weight, stable_rate / weight)
        } else {
            ArmCounts::new(0.0, 0.0)
        };
        Self { canary: ArmCounts::new(1.0, canary_rate), stable, weight }
    }

    pub(crate) const fn canary(&self) -> ArmCounts {
        self.canary
    }

    pub(crate) const fn stable(&self) -> ArmCounts {
        self.stable
    }

    pub(crate) const fn weight(&self) -> f64 {
        self.weight
    }

    /// `ln` of the product of all factors, with what a bad and a good request of either arm brings.
    fn total(&self, canary: (f64, f64), stable: (f64, f64)) -> f64 {
        let mut total =
            self.canary.bad * canary.0.ln_1p() + (self.canary.requests - self.canary.bad) * canary.1.ln_1p();
        if self.weight > 0.0 {
            total += self.stable.bad * stable.0.ln_1p()
                + (self.stable.requests - self.stable.bad) * stable.1.ln_1p();
        }
        total
    }
}

/// The rates that the bets are placed around: `mS` for stable, and what is tolerated at it, `mC`.
fn centres(tolerance: Tolerance, reference: f64) -> (f64, f64) {
    let stable = reference.min((0.95 - tolerance.difference) / tolerance.ratio).max(0.0);
    (stable, tolerance.ratio * stable + tolerance.difference)
}

/// What bettors on harm gain, in nats, before it is divided for bursts and capped.
pub(crate) fn harm_gains(played: &Played, tolerance: Tolerance, reference: f64) -> [f64; HARM_RATIOS.len()] {
    let (stable, canary) = centres(tolerance, reference);
    let rw = tolerance.ratio * played.weight;
    HARM_RATIOS.map(|k| {
        let mut a = (k - 1.0) / ((k * rw + 1.0) * (1.0 - canary));
        if canary > 0.0 {
            a = a.min(0.95 / canary);
        }
        if rw > 0.0 {
            a = a.min(0.999 / rw);
        }
        let b = a * rw;
        played.total((a * (1.0 - canary), -a * canary), (-b * (1.0 - stable), b * stable))
    })
}

/// What bettors on "safe" gain, in nats, before it is divided for bursts and capped.
pub(crate) fn safe_gains(played: &Played, tolerance: Tolerance, reference: f64) -> [f64; SAFE_RATIOS.len()] {
    let (stable, canary) = centres(tolerance, reference);
    let rw = tolerance.ratio * played.weight;
    SAFE_RATIOS.map(|k| {
        let mut a = (1.0 - k) / ((k * rw + 1.0) * (1.0 - canary));
        a = a.min(0.95 / (1.0 - canary));
        if rw * stable > 0.0 {
            a = a.min(0.95 / (rw * stable));
        }
        let b = a * rw;
        played.total((-a * (1.0 - canary), a * canary), (b * (1.0 - stable), -b * stable))
    })
}

/// The most that one tick may bring, in nats: so that no single one decides when they are 5 s or shorter.
pub(crate) fn cap(length_s: f64) -> f64 {
    length_s.clamp(5.0, 8.0)
}
