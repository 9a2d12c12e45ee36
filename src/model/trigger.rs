//! Triggers as configured, and what evaluating them gives.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::judge::Judgement;
use super::placeholder;
use super::release::Arm;
use super::{FindingId, IndicatorName, ProbeName, Quantity, ServiceName, SourceName, Span, TriggerName};

/// A condition on an indicator or on probes, and what it asks for when it holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    /// The condition.
    pub when: Condition,
    /// What it asks for.
    pub action: TriggerAction,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// What it is evaluated over.
    #[serde(default)]
    pub scope: Scope,
    /// Only on this arm (with `scope = "arm"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<Arm>,
    /// The services it watches. Without it: every service that has the indicator, or probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<ServiceName>>,
    /// What missing data mean.
    #[serde(default)]
    pub no_data: NoData,
    /// Fewest events (for a ratio or a latency), readings (for a gauge) or checks (for probes) in the window
    /// that allow a conclusion.
    #[serde(default = "one")]
    pub min_samples: u64,
}

const fn one() -> u64 {
    1
}

/// When a trigger holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// An indicator beyond a limit, over a window, sustained for a time.
    Threshold {
        /// The indicator.
        indicator: IndicatorName,
        /// It holds above this…
        #[serde(default, skip_serializing_if = "Option::is_none")]
        above: Option<Quantity>,
        /// … or below this. Exactly one of the two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        below: Option<Quantity>,
        /// The window that the value is computed over.
        over: Span,
        /// How long it has to hold at every reading before it counts. Zero: at once.
        #[serde(default, rename = "for")]
        hold: Span,
        /// For a latency: the quantile, 0 to 1.
        #[serde(default = "p95")]
        quantile: f64,
        /// For a gauge: how the readings of the window become one value.
        #[serde(default)]
        aggregate: Aggregate,
        /// Holds when this many of the last evaluations were beyond the limit, instead of all of them for a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        out_of: Option<OutOf>,
    },
    /// An indicator beyond what it is compared with: the canary beyond stable, or what serves beyond the baseline.
    Comparison {
        /// The indicator.
        indicator: IndicatorName,
        /// What it is compared with.
        with: Reference,
        /// It holds when it is more than this above what it is compared with: points for a share…
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more_than: Option<Quantity>,
        /// … or more than so many times it; below 1, less than so many times. Exactly one of the two.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<f64>,
        /// The window that both values are computed over.
        over: Span,
        /// How long it has to hold at every reading before it counts. Zero: at once.
        #[serde(default, rename = "for")]
        hold: Span,
        /// For a latency: the quantile, 0 to 1.
        #[serde(default = "p95")]
        quantile: f64,
        /// For a gauge: how the readings of the window become one value.
        #[serde(default)]
        aggregate: Aggregate,
    },
    /// Probes that fail one after the other.
    Consecutive {
        /// How many failures in a row.
        failures: u32,
        /// All of them within this time.
        within: Span,
        /// Only this probe; otherwise each probe of the service by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeName>,
    },
    /// The share of probes that succeed.
    Availability {
        /// It holds below this.
        below: Quantity,
        /// The window.
        over: Span,
        /// Only this probe; otherwise all probes of the service together.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probe: Option<ProbeName>,
    },
    /// An alarm that the source keeps by itself is in the state ALARM.
    Alarm {
        /// The source that keeps it, of the kind `cloudwatch`.
        source: SourceName,
        /// Its name there; `{service}` stands for the service.
        alarm: String,
    },
}

impl Condition {
    /// The source and the name of the alarm that it watches for a service, if it watches one.
    pub fn alarm(&self, service: &ServiceName) -> Option<(&SourceName, String)> {
        let Self::Alarm { source, alarm } = self else { return None };
        let name = placeholder::fill(alarm, |name| {
            (name == placeholder::SERVICE).then(|| std::borrow::Cow::Borrowed(service.as_str()))
        });
        Some((source, name))
    }
}

const fn p95() -> f64 {
    0.95
}

impl Condition {
    /// The indicator that it is about, if it is about one.
    pub const fn indicator(&self) -> Option<&IndicatorName> {
        match self {
            Self::Threshold { indicator, .. } | Self::Comparison { indicator, .. } => Some(indicator),
            Self::Consecutive { .. } | Self::Availability { .. } | Self::Alarm { .. } => None,
        }
    }

    /// The window that it looks at.
    pub const fn over(&self) -> Span {
        match self {
            Self::Threshold { over, .. }
            | Self::Comparison { over, .. }
            | Self::Consecutive { within: over, .. }
            | Self::Availability { over, .. } => *over,
            // What an alarm looks at is its own affair.
            Self::Alarm { .. } => Span::secs(0),
        }
    }

    /// How long it has to hold.
    pub const fn hold(&self) -> Span {
        match self {
            Self::Threshold { hold, .. } | Self::Comparison { hold, .. } => *hold,
            Self::Consecutive { .. } | Self::Availability { .. } | Self::Alarm { .. } => Span::secs(0),
        }
    }
}

/// What an indicator is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Stable, at the same time; it is the canary that is watched.
    Stable,
    /// What was recorded of the last good release.
    Baseline,
}

impl Reference {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Baseline => "baseline",
        }
    }
}

/// How a gauge's readings become one value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The newest.
    Last,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

/// `breaches` of the last `evaluations`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutOf {
    /// How many have to be beyond the limit.
    pub breaches: u32,
    /// Of how many, the newest.
    pub evaluations: u32,
}

/// What a trigger is evaluated over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each arm of each service by itself.
    #[default]
    Arm,
    /// Each service, arms added up.
    Service,
    /// All services of the trigger added up.
    Environment,
}

/// What a trigger asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerAction {
    /// Tell people, change nothing.
    Watch,
    /// More instances, where the service has `scaling`; tell people.
    ScaleOut,
    /// Half the traffic back, look, then all of it.
    Gradual,
    /// All the traffic back at once.
    Immediate,
}

impl TriggerAction {
    /// Whether it asks for the release to be taken back.
    pub const fn rolls_back(self) -> bool {
        matches!(self, Self::Gradual | Self::Immediate)
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Watch and alert.
    Medium,
    /// Act soon.
    #[default]
    High,
    /// Users are hurt now.
    Critical,
}

impl Severity {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What missing data mean to a trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoData {
    /// Nothing is known: it neither passes nor acts.
    #[default]
    Unknown,
    /// It passes.
    Ok,
    /// It holds.
    Breach,
}

/// Why nothing is known.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Unknown {
    /// Nothing was ever read.
    NoData,
    /// What was read is too old.
    Stale {
        /// The newest reading.
        since: Timestamp,
    },
    /// The source cannot be read.
    SourceError {
        /// Why.
        reason: String,
    },
    /// Fewer events than the trigger wants.
    TooFewSamples {
        /// How many there were.
        have: u64,
        /// How many it wants.
        need: u64,
    },
    /// Canary and stable are both beyond the limit: the release may not be the cause.
    StableIsBadToo,
    /// There is nothing to compare it with.
    NoReference {
        /// Why.
        reason: String,
    },
    /// An alarm says neither that all is well nor that it is not.
    Alarm {
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoData => f.write_str("no data"),
            Self::Stale { since } => write!(f, "no new data since {since:.0}"),
            Self::SourceError { reason } => write!(f, "source error: {reason}"),
            Self::TooFewSamples { have, need } => write!(f, "too few samples: {have} of {need}"),
            Self::StableIsBadToo => f.write_str("stable is bad too"),
            Self::NoReference { reason } | Self::Alarm { reason } => f.write_str(reason),
        }
    }
}

/// What evaluating a condition gave.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Status {
    /// Within its limit.
    Ok,
    /// Beyond its limit, not yet for as long as it wants.
    Pending {
        /// Since when.
        since: Timestamp,
    },
    /// It holds.
    Breach {
        /// Since when it is beyond the limit.
        since: Timestamp,
    },
    /// Nothing is known.
    Unknown {
        /// Why.
        #[serde(flatten)]
        reason: Unknown,
    },
}

impl Status {
    /// Whether it holds.
    pub const fn is_breach(&self) -> bool {
        matches!(self, Self::Breach { .. })
    }

    /// Whether it is known to be within its limit.
    pub const fn is_ok(&self) -> bool {
        matches!(self, Self::Ok)
    }
}

/// A trigger, evaluated on one subject, with everything that the answer rests on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Evaluation {
    /// The trigger.
    pub trigger: TriggerName,
    /// The service; none for the whole environment.
    pub service: Option<ServiceName>,
    /// The arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// What the trigger asks for.
    pub action: TriggerAction,
    /// How bad it is.
    pub severity: Severity,
    /// The answer.
    pub status: Status,
    /// What it rests on.
    pub evidence: Evidence,
}

/// What an evaluation rests on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Evidence {
    /// What was asked, in words: "p95 of latency over 30 s".
    pub query: String,
    /// The value, if there was one.
    pub value: Option<f64>,
    /// The limit, with the unit that both are shown in.
    pub limit: Quantity,
    /// Whether it holds above the limit (else below it).
    pub above: bool,
    /// The window in milliseconds.
    pub window_ms: u64,
    /// Events, readings or checks in the window.
    pub samples: f64,
    /// The newest reading.
    pub newest: Option<Timestamp>,
    /// What the judge says, if it is the judge that says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Box<Judgement>>,
    /// What the source itself concludes, in words, where that is what counts: the state of an alarm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl Evidence {
    /// The question and its answer: `share of errors over 30 s, 7.1 % > 5 %`. What the judge says needs no question.
    pub fn told(&self) -> String {
        match &self.judgement {
            Some(judgement) => judgement.line(),
            None => format!("{}, {}", self.query, self.line()),
        }
    }

    /// The value against the limit: `7.1 % > 5 %`, or `no value, limit 5 %`; or what the source concludes.
    pub fn line(&self) -> String {
        if let Some(judgement) = &self.judgement {
            return judgement.line();
        }
        if let Some(said) = &self.said {
            return said.clone();
        }
        let limit = self.limit;
        match self.value {
            None => format!("no value, limit {limit}"),
            Some(value) => {
                let shown = limit.unit.show(value);
                match (value > limit.value, value < limit.value) {
                    (true, _) => format!("{shown} > {limit}"),
                    (_, true) => format!("{shown} < {limit}"),
                    _ => format!("{shown}, limit {limit}"),
                }
            }
        }
    }
}

/// A trigger that holds now, as it was journaled.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// The trigger.
    pub trigger: TriggerName,
    /// The service it speaks for; none for the whole environment.
    pub service: Option<ServiceName>,
    /// The arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// What the trigger asks for.
    pub action: TriggerAction,
    /// How bad it is.
    pub severity: Severity,
    /// Since when it is beyond the limit.
    pub since: Timestamp,
    /// What it rests on, when it was raised.
    pub evidence: Evidence,
}

/// What is known of a service, or of one of its arms.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Every probe and trigger says so, on data that are new enough.
    Healthy,
    /// Something is wrong that does not ask for a rollback.
    Degraded {
        /// What, in words.
        reasons: Vec<String>,
    },
    /// Something is wrong that does.
    Failing {
        /// What, in words.
        reasons: Vec<String>,
    },
    /// Not enough is known to say either.
    Unknown {
        /// Why, one for each thing that is not known.
        reasons: Vec<String>,
    },
}

impl Verdict {
    /// The word on screen.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded { .. } => "degraded",
            Self::Failing { .. } => "failing",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// What it rests on, in words; empty when healthy.
    pub fn reasons(&self) -> &[String] {
        match self {
            Self::Healthy => &[],
            Self::Degraded { reasons } | Self::Failing { reasons } | Self::Unknown { reasons } => reasons,
        }
    }

    /// The same verdict, whatever the figures in its reasons.
    pub const fn is_same_kind(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Healthy, Self::Healthy)
                | (Self::Degraded { .. }, Self::Degraded { .. })
                | (Self::Failing { .. }, Self::Failing { .. })
                | (Self::Unknown { .. }, Self::Unknown { .. })
        )
    }
}
