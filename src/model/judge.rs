//! The judge: as a config describes it, and what it has to say of a canary, for people and for the journal.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IndicatorName, Quantity};

/// The name under which the judge's findings stand beside those of the triggers.
pub const NAME: &str = "judge";

/// How canaries are compared with stable. Without it only triggers count.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeSpec {
    /// The chance that a canary that is no worse than tolerated is ever taken back, for one canary and all its indicators
    /// together, however long it is watched. 0.0001 to 0.2.
    pub alpha: f64,
    /// The chance that a step of the traffic is called safe although the canary is worse than that. 0.0001 to 0.5.
    pub beta: f64,
    /// What `alpha` is promised of.
    pub promise: Promise,
    /// How much worse than stable a canary may be.
    pub tolerance: Tolerance,
    /// What follows when a canary is found to be worse.
    pub action: JudgeAction,
    /// What follows when nothing has been heard of a canary for five minutes.
    pub absent: Absent,
}

impl Default for JudgeSpec {
    fn default() -> Self {
        Self {
            alpha: 0.01,
            beta: 0.05,
            promise: Promise::default(),
            tolerance: Tolerance::default(),
            action: JudgeAction::default(),
            absent: Absent::default(),
        }
    }
}

/// What `alpha` is promised of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Each canary by itself.
    #[default]
    Each,
    /// All canaries of the environment together: of those that are taken back, at most this share is expected to be no worse
    /// than tolerated. With many at once it takes more evidence for the first of them.
    All,
}

/// How much worse than stable a canary may be. Above the first figure it is worse, below the second it is safe, and between
/// them it is neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// 5 % and 0.02 points more errors, 1.2 times slower; safe up to 25 % and 0.5 points more.
    #[default]
    Default,
    /// No more errors at all, 1.1 times slower; safe up to 10 % and 0.2 points more.
    Strict,
    /// Half as many errors more and 0.2 points, 1.3 times slower; safe up to twice as many and 1 point more.
    Relaxed,
}

/// What follows when a canary is found to be worse.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgeAction {
    /// It is taken back: gradually, or at once when it is certain to be two points worse.
    #[default]
    Act,
    /// People are told.
    Watch,
}

/// What follows when nothing has been heard of a canary for five minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// It is held as it is.
    #[default]
    Hold,
    /// It is taken back.
    RollBack,
}

/// What the judge does with an indicator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judging {
    /// It counts.
    #[default]
    Act,
    /// It is compared and shown, and never counts.
    Watch,
    /// It is not compared.
    Off,
}

/// What an indicator promises, whatever stable does.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveSpec {
    /// A ratio stays below this share; a latency is below this time…
    pub below: Quantity,
    /// … for this part of the events. For a latency, 0 to 1.
    #[serde(default = "p95")]
    pub quantile: f64,
}

const fn p95() -> f64 {
    0.95
}

/// What the evidence says of a canary.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Neither of the two, so far.
    Undecided,
    /// Nothing can be known at the moment.
    Unknown,
    /// It is no worse than tolerated.
    Safe,
    /// It is worse than tolerated.
    Harm,
}

impl Conclusion {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Unknown => "unknown",
            Self::Safe => "safe",
            Self::Harm => "worse",
        }
    }
}

/// What the judge advises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Go to the next step of the traffic.
    Promote,
    /// Go on as it is.
    KeepWatching,
    /// Leave the canary's share as it is.
    Hold,
    /// Take the traffic back in two moves.
    RollBackGradually,
    /// Take all the traffic back now.
    RollBackImmediately,
}

impl Advice {
    /// The words on screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Promote => "may be promoted",
            Self::KeepWatching => "keep watching",
            Self::Hold => "hold",
            Self::RollBackGradually => "roll back gradually",
            Self::RollBackImmediately => "roll back immediately",
        }
    }
}

/// What a canary is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Stable, at the same time.
    Stable,
    /// What the indicator promises.
    Objective,
}

impl Against {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Objective => "objective",
        }
    }
}

/// What is counted in a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// Events that were bad.
    BadEvents,
    /// Events that took longer than most of stable's, or than promised.
    Slow,
    /// Blocks of time in which the canary was above stable.
    Blocks,
}

/// One comparison of one indicator.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The indicator.
    pub indicator: IndicatorName,
    /// What the canary is compared with.
    pub against: Against,
    /// What is counted.
    pub what: Compared,
    /// It is shown and does not count.
    pub muted: bool,
    /// What a bettor against "no worse" made of 1.
    pub e_value: f64,
    /// The chance of a false alarm if the best evidence so far had been acted on, valid whenever it is looked at.
    pub p_value: f64,
    /// The same as `e_value` against "not safe", since the last step of the traffic; none where safety is not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_e_value: Option<f64>,
    /// Events of the canary since the watch began; for a gauge, blocks of time.
    pub canary: f64,
    /// How many of them were bad: failed, slow, above.
    pub canary_bad: f64,
    /// The same of stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<f64>,
    /// How many of those were bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable_bad: Option<f64>,
    /// Canary minus stable (or the canary alone, against an objective) as a share, between these, valid at all times
    /// together at 95 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Evidence is counted as one part in so many, because bad events come in bursts. 1: they do not.
    pub bursts: f64,
    /// How many times the tolerated rate the canary's looks to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected_ratio: Option<f64>,
    /// How many more canary events it takes, if things stay as they are, and to which end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<(f64, Conclusion)>,
    /// Why nothing is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What the judge says of one canary at one time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// Since when the canary is watched.
    pub since: Timestamp,
    /// What the evidence says.
    pub conclusion: Conclusion,
    /// What to do.
    pub advice: Advice,
    /// The evidence of all indicators together: what a bettor against "no worse" made of 1.
    pub e_value: f64,
    /// The chance of a false alarm if the best evidence so far had been acted on.
    pub p_value: f64,
    /// The evidence that it takes to act, `1/alpha`.
    pub limit: f64,
    /// Why; when nothing is to be done, what is still missing.
    pub reasons: Vec<String>,
    /// The indicator that the evidence of harm rests on most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blame: Option<String>,
    /// Every comparison.
    pub comparisons: Vec<Comparison>,
}

impl Judgement {
    /// Evidence, as people read it: two digits while it is small, whole up to a million, then by powers of ten.
    pub fn show(e_value: f64) -> String {
        if e_value < 9.95 {
            format!("{e_value:.1}")
        } else if e_value < 1e6 {
            format!("{e_value:.0}")
        } else {
            let power = e_value.log10().floor();
            if power >= 300.0 { "over 10^300".to_owned() } else { format!("10^{power:.0}") }
        }
    }

    /// In one line: `evidence 412 of 100: errors 7.1 % against 0.2 % of stable`.
    pub fn line(&self) -> String {
        let evidence = self.evidence();
        self.strongest().map_or_else(|| evidence.clone(), |most| format!("{evidence}: {}", most.line()))
    }

    /// `evidence 412 of 100`.
    pub fn evidence(&self) -> String {
        format!("evidence {} of {}", Self::show(self.e_value), Self::show(self.limit))
    }

    /// The comparison that speaks most against the canary; none while none does.
    pub fn strongest(&self) -> Option<&Comparison> {
        let counted = self.comparisons.iter().filter(|one| !one.muted && one.e_value > 1.0);
        counted.max_by(|a, b| a.e_value.total_cmp(&b.e_value))
    }
}

impl Comparison {
    /// The rate of bad events of the canary and of stable, where there were events.
    pub fn rates(&self) -> (Option<f64>, Option<f64>) {
        let rate = |bad: f64, all: f64| (all > 0.0).then(|| bad / all);
        (
            rate(self.canary_bad, self.canary),
            self.stable.zip(self.stable_bad).and_then(|(all, bad)| rate(bad, all)),
        )
    }

    /// In one line: `errors 7.1 % against 0.2 % of stable`.
    pub fn line(&self) -> String {
        use super::Unit::Share;
        let name = &self.indicator;
        if self.what == Compared::Blocks && self.canary < 1.0 {
            return format!("{name}, no block of time is over yet");
        }
        if self.what == Compared::Blocks {
            return format!("{name} above stable in {:.0} of {:.0} blocks", self.canary_bad, self.canary);
        }
        let name = if self.what == Compared::Slow { format!("slow by {name}") } else { name.to_string() };
        match self.rates() {
            (Some(canary), Some(stable)) => {
                format!("{name} {} against {} of stable", Share.show(canary), Share.show(stable))
            }
            (Some(canary), None) => format!("{name} {} against its objective", Share.show(canary)),
            _ => name,
        }
    }
}
