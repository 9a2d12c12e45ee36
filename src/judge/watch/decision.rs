//! What a watch decides, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::judge::freshness::DataProblem;
use crate::judge::leak::Leak;

/// How a metric is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Failed requests, canary against stable.
    Errors,
    /// Latency, canary against stable.
    Latency,
    /// Failed requests against an objective.
    ErrorObjective,
    /// Slow requests against an objective.
    LatencyObjective,
    /// A gauge, such as memory.
    Gauge,
}

impl MetricKind {
    /// How much of the wealth is bet on it, before the weights of a watch are brought to a sum of 1.
    pub const fn default_weight(self) -> f64 {
        match self {
            Self::Errors => 4.0,
            Self::Latency => 3.0,
            Self::ErrorObjective => 2.0,
            Self::LatencyObjective | Self::Gauge => 1.0,
        }
    }

    /// The word for one that has no name of its own.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::ErrorObjective => "objective errors",
            Self::LatencyObjective => "objective latency",
            Self::Gauge => "gauge",
        }
    }
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Metric {
    /// How.
    pub kind: MetricKind,
    /// What it is called; a watch may have several of a kind.
    pub name: String,
}

impl Metric {
    /// A metric with a name.
    pub fn new(kind: MetricKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl From<MetricKind> for Metric {
    fn from(kind: MetricKind) -> Self {
        Self::new(kind, kind.word())
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not enough evidence for either.
    Undecided,
    /// Nothing can be known at the moment.
    Unknown,
    /// The canary is no worse than tolerated.
    Safe,
    /// The canary is worse than tolerated.
    Harm,
}

/// What to do. Later ones are more severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Go to the next step of the traffic.
    Promote,
    /// Go on as it is.
    KeepWatching,
    /// Freeze the canary's weight.
    Hold,
    /// Take the traffic back in two moves.
    RollbackGradual,
    /// Take all the traffic back now.
    RollbackImmediate,
}

impl Action {
    /// Whether it takes the canary back.
    pub const fn is_rollback(self) -> bool {
        matches!(self, Self::RollbackGradual | Self::RollbackImmediate)
    }
}

/// Something that does not wait for evidence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardTrigger {
    /// A probe fails.
    Probe(String),
    /// A value is beyond its limit for long enough.
    Limit(String),
    /// A person asked for it.
    Operator(String),
}

/// Something that is no evidence of harm and yet no reason to go on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// The canary gets less than half of its traffic. With failing probes it is a [`HardTrigger`] instead.
    LostTraffic {
        /// Requests that the split promises.
        expected: f64,
        /// Requests that came.
        seen: f64,
    },
    /// A gauge will reach its limit soon.
    Leak(Leak),
}

/// Why an action was decided, or why not yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A hard trigger fired.
    Hard(HardTrigger),
    /// The evidence of harm is strong enough.
    EvidenceOfHarm {
        /// Natural logarithm of the combined e-value.
        log_e: f64,
        /// What is needed.
        needed: f64,
    },
    /// The harm is large with certainty.
    Severe {
        /// At least so much higher is the canary's error rate, as a share.
        lower: f64,
        /// From here on it is severe.
        limit: f64,
    },
    /// There is evidence of harm, but stable has not been seen for long enough to know how its errors cluster.
    TooLittleHistory {
        /// Seconds of stable data.
        known_s: f64,
        /// What is needed.
        needed_s: f64,
    },
    /// Nothing is known.
    Data(DataProblem),
    /// Something is not as it should be.
    Concern(Concern),
    /// The canary is suspicious.
    Suspicion {
        /// Natural logarithm of the combined e-value.
        log_e: f64,
        /// From here on it is held.
        limit: f64,
    },
    /// The suspicion is gone, but not for long enough.
    Calming {
        /// For so many seconds; 0 while it is not gone.
        quiet_s: f64,
        /// What is needed.
        needed_s: f64,
    },
    /// A metric is safe.
    MetricSafe {
        /// Which.
        metric: Metric,
        /// Natural logarithm of its e-value for safe.
        log_e: f64,
    },
    /// A required metric is not safe yet.
    MetricNotYetSafe {
        /// Which.
        metric: Metric,
        /// Natural logarithm of its e-value for safe; none when there is none.
        log_e: Option<f64>,
        /// What is needed.
        needed: f64,
    },
    /// The watch is too young to promote.
    TooEarly {
        /// Its age in seconds.
        at_s: f64,
        /// What is needed.
        needed_s: f64,
    },
    /// Too few canary requests to promote.
    TooFewRequests {
        /// So many there were.
        requests: f64,
        /// What is needed.
        needed: f64,
    },
    /// Too much evidence of harm to promote.
    NotQuiet {
        /// Natural logarithm of the combined e-value.
        log_e: f64,
        /// It has to be below this.
        limit: f64,
    },
    /// No metric is required, so nothing can be shown to be safe.
    NothingToShow,
    /// The step of the traffic ended by its own clock.
    StepEnded,
}

/// The metric that the evidence rests on most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blame {
    /// Which.
    pub metric: Metric,
    /// Natural logarithm of its e-value.
    pub log_e: f64,
    /// Its part of the combined e-value, 0 to 1.
    pub part: f64,
}

/// What a watch decides at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When, in seconds since the watch began.
    pub at_s: f64,
    /// What the evidence says.
    pub verdict: Verdict,
    /// What to do.
    pub action: Action,
    /// Why; when nothing is to be done, what is still missing.
    pub reasons: Vec<Reason>,
    /// The metric behind it; none unless the evidence of harm led to the action.
    pub blame: Option<Blame>,
    /// Natural logarithm of the combined e-value.
    pub log_e: f64,
    /// The combined e-value, at most the largest finite number.
    pub e_value: f64,
    /// The chance of a false alarm if the best evidence so far had been acted on.
    pub p_value: f64,
    /// When a rollback was decided, in seconds since the watch began; it stays decided.
    pub decided_at_s: Option<f64>,
    /// What a rollback leaves of the weight that the canary had when it was decided: 0.5 or 0. None without a rollback.
    pub keep_weight: Option<f64>,
}
