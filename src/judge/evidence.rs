//! What a comparison has to show.

use serde::{Deserialize, Serialize};

use super::confidence::Interval;
use super::counts::ArmCounts;
use super::log_space::exp_finite;

/// How the figures came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Canary against stable.
    Arms,
    /// Canary against stable, quantile by quantile.
    LatencyArms,
    /// Errors alone, against the split of the traffic.
    Split,
    /// Medians of blocks of time, canary against stable.
    Medians,
    /// One arm against a fixed limit.
    Objective,
    /// One arm against what was recorded earlier. Uncontrolled: a drift of the world looks like harm.
    RecordedBaseline,
}

impl Method {
    /// Whether something that hits both arms alike cannot be taken for harm.
    pub const fn is_controlled(self) -> bool {
        matches!(self, Self::Arms | Self::LatencyArms | Self::Split | Self::Medians)
    }
}

/// A conclusion that is drawing near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The canary is harmful.
    Harm,
    /// The canary is safe.
    Safe,
}

/// How much more is needed, if things stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// What it will be.
    pub conclusion: Conclusion,
    /// Canary requests still needed; 0 when it is reached.
    pub requests: f64,
}

/// Everything that a screen shows of one comparison.
///
/// All numbers are finite, so that it survives JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How it came about.
    pub method: Method,
    /// Natural logarithm of the e-value against "no harm".
    pub log_e: f64,
    /// The e-value: what a bettor against "no harm" made of 1. At most the largest finite number.
    pub e_value: f64,
    /// The chance of a false alarm if the best evidence so far had been acted on: always valid, whenever it is looked at.
    pub p_value: f64,
    /// Natural logarithm of the e-value against "not safe", since the last step of the traffic. None where safety is
    /// not tested.
    pub log_e_safe: Option<f64>,
    /// What was observed of the canary since the watch began.
    pub canary: ArmCounts,
    /// The same of stable. None for one arm.
    pub stable: Option<ArmCounts>,
    /// Canary rate minus stable rate, or the rate of one arm, as shares: valid at all times together. None where counts
    /// alone do not tell.
    pub interval: Option<Interval>,
    /// The evidence is counted as one part in so many: above 2 errors arrive in bursts. At least 1.
    pub phi: f64,
    /// How many times the tolerated rate the canary's looks to be. None where no size is estimated.
    pub suspected_ratio: Option<f64>,
    /// What more data would bring. None while nothing points anywhere.
    pub outlook: Option<Outlook>,
}

impl Evidence {
    /// Evidence that says nothing yet.
    pub(crate) fn blank(method: Method) -> Self {
        Self {
            method,
            log_e: 0.0,
            e_value: 1.0,
            p_value: 1.0,
            log_e_safe: None,
            canary: ArmCounts::default(),
            stable: None,
            interval: None,
            phi: 1.0,
            suspected_ratio: None,
            outlook: None,
        }
    }

    /// The same with this e-value, and the p-value of its maximum over time.
    pub(crate) fn with_log_e(self, log_e: f64, max_log_e: f64) -> Self {
        Self { log_e, e_value: exp_finite(log_e), p_value: p_value(max_log_e), ..self }
    }

    /// Whether evidence is discounted because errors arrive in bursts.
    pub fn is_bursty(&self) -> bool {
        self.phi > 2.0
    }
}

/// `min(1, 1/E)` of the maximum of E over time (Ville's inequality).
pub(crate) fn p_value(max_log_e: f64) -> f64 {
    (-max_log_e).exp().min(1.0)
}
