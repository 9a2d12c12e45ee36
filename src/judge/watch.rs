//! One canary under watch: from the evidence of all metrics to an action.
//!
//! The monitors are fed elsewhere; here their evidence is combined, and the rules are applied in their order: what is
//! hard, what is severe, what is sure, what is unknown, what is suspicious, what is safe.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Method, p_value};
use super::freshness::DataProblem;
use super::log_space::exp_finite;

mod combination;
mod decision;

use combination::Combination;
pub use decision::{Action, Blame, Concern, Decision, HardTrigger, Metric, MetricKind, Reason, Verdict};

/// A metric of a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSettings {
    /// Which.
    pub metric: Metric,
    /// Its part of the wealth, in proportion to the others.
    pub weight: f64,
    /// Whether it has to be safe before a promotion.
    pub is_required: bool,
}

impl MetricSettings {
    /// A metric with its default weight. Gauges are harm-only and so never required; the others are.
    pub fn of(metric: impl Into<Metric>) -> Self {
        let metric = metric.into();
        let kind = metric.kind;
        Self { weight: kind.default_weight(), is_required: kind != MetricKind::Gauge, metric }
    }
}

/// What happens when a source has been silent for minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenAbsent {
    /// The canary is held until something is known again.
    #[default]
    Hold,
    /// It is taken back gradually: flying blind is not wanted.
    RollBack,
}

/// What happens when a step ends by its own clock and nothing is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenUndecided {
    /// Promote when there is no suspicion at all and no problem with the data; otherwise hold.
    #[default]
    PromoteIfQuiet,
    /// Hold until it is decided.
    Hold,
}

/// The rules of a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchSettings {
    /// What is watched, fixed for the watch: weights that change with the data would lose the bound.
    pub metrics: Vec<MetricSettings>,
    /// The chance of a false alarm of the whole watch.
    pub alpha: f64,
    /// The chance of calling a harmful canary safe, a step.
    pub beta: f64,
    /// The canary is held from this e-value on.
    pub hold_e: f64,
    /// It is released below this e-value, and promoted only below it.
    pub release_e: f64,
    /// For so many seconds.
    pub release_s: f64,
    /// Nothing is promoted before, in seconds since the watch began.
    pub min_watch_s: f64,
    /// Nothing is promoted before so many canary requests.
    pub min_canary_requests: f64,
    /// Harm is severe when the canary's error rate is so much higher with certainty, as a share.
    pub severe_difference: f64,
    /// Nothing is rolled back on evidence before stable was seen for so many seconds, unless it is severe.
    pub min_known_s: f64,
    /// A gradual rollback goes to zero after so many seconds.
    pub zero_after_s: f64,
    /// What happens without data.
    pub when_absent: WhenAbsent,
    /// What happens at the end of a step.
    pub when_undecided: WhenUndecided,
}

impl WatchSettings {
    /// The default rules for these metrics.
    pub fn of(metrics: impl IntoIterator<Item = impl Into<Metric>>) -> Self {
        Self {
            metrics: metrics.into_iter().map(MetricSettings::of).collect(),
            alpha: 0.01,
            beta: 0.05,
            hold_e: 10.0,
            release_e: 3.0,
            release_s: 60.0,
            min_watch_s: 120.0,
            min_canary_requests: 200.0,
            severe_difference: 0.02,
            min_known_s: 120.0,
            zero_after_s: 60.0,
            when_absent: WhenAbsent::Hold,
            when_undecided: WhenUndecided::PromoteIfQuiet,
        }
    }
}

/// What is new of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReading {
    /// Which.
    pub metric: Metric,
    /// Natural logarithm of its current e-value.
    pub log_e: f64,
    /// The same for safe, of this step.
    pub log_e_safe: Option<f64>,
    /// The lower end of the interval for the canary's error rate minus the stable one; only of errors.
    pub lower_difference: Option<f64>,
}

impl MetricReading {
    /// What a monitor has to say.
    pub fn of(metric: impl Into<Metric>, evidence: &Evidence) -> Self {
        let metric = metric.into();
        let is_difference = metric.kind == MetricKind::Errors && evidence.method == Method::Arms;
        Self {
            metric,
            log_e: evidence.log_e,
            log_e_safe: evidence.log_e_safe,
            lower_difference: evidence.interval.filter(|_| is_difference).map(|interval| interval.lower),
        }
    }
}

/// Everything a decision rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The time, in seconds since the watch began.
    pub at_s: f64,
    /// The metrics. What is not listed stays as it was.
    pub metrics: Vec<MetricReading>,
    /// Canary requests since the watch began.
    pub canary_requests: f64,
    /// Seconds of stable data that were ever seen, history included.
    pub known_s: f64,
    /// Hard triggers that fire.
    pub hard: Vec<HardTrigger>,
    /// What is wrong with the data.
    pub problem: Option<DataProblem>,
    /// What else speaks against going on.
    pub concerns: Vec<Concern>,
    /// Natural logarithm of the e-value that it takes to act, where others are watched within the same promise, see
    /// [`needed`](super::needed). None: `1/alpha` of the settings.
    #[serde(default)]
    pub log_needed: Option<f64>,
}

/// A rollback that was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rollback {
    at_s: f64,
    verdict: Verdict,
    action: Action,
    reasons: Vec<Reason>,
    blame: Option<Blame>,
}

/// The watch over one canary of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    settings: WatchSettings,
    combination: Combination,
    max_log_e: f64,
    is_held: bool,
    quiet_since_s: Option<f64>,
    rollback: Option<Rollback>,
}

impl Watch {
    /// A watch that has seen nothing.
    pub fn new(settings: WatchSettings) -> Self {
        let metrics = settings.metrics.iter();
        Self {
            combination: Combination::new(
                metrics.map(|metric| (metric.metric.clone(), metric.weight, metric.is_required)),
            ),
            settings,
            max_log_e: 0.0,
            is_held: false,
            quiet_since_s: None,
            rollback: None,
        }
    }

    /// Natural logarithm of the combined e-value.
    pub fn log_e(&self) -> f64 {
        self.combination.log_e()
    }

    /// Begins a step of the traffic: what was safe before has to be shown again. The monitors are restarted by the
    /// caller.
    pub fn begin_step(&mut self) {
        self.combination.restart_safe();
    }

    /// Decides. Call it after every tick; a rollback, once decided, stays decided and can only become more urgent.
    pub fn decide(&mut self, reading: &Reading) -> Decision {
        for metric in &reading.metrics {
            self.combination.take(&metric.metric, metric.log_e, metric.log_e_safe);
        }
        let log_e = self.log_e();
        self.max_log_e = self.max_log_e.max(log_e);
        self.hold_or_release(reading.at_s, log_e);
        if let Some(found) = self.rollback(reading, log_e)
            && self.rollback.as_ref().is_none_or(|before| found.action > before.action)
        {
            self.rollback = Some(found);
        }
        if let Some(rollback) = self.rollback.clone() {
            let Rollback { verdict, action, reasons, blame, .. } = rollback;
            return self.decision(reading, verdict, action, reasons, blame);
        }
        let needed = self.log_needed(reading);
        if log_e >= needed {
            let reasons = vec![
                Reason::EvidenceOfHarm { log_e, needed },
                Reason::TooLittleHistory { known_s: reading.known_s, needed_s: self.settings.min_known_s },
            ];
            return self.decision(reading, Verdict::Harm, Action::Hold, reasons, self.combination.blame());
        }
        if let Some(problem) = &reading.problem {
            let reasons = vec![Reason::Data(problem.clone())];
            return self.decision(reading, Verdict::Unknown, Action::Hold, reasons, None);
        }
        if !reading.concerns.is_empty() {
            let reasons = reading.concerns.iter().copied().map(Reason::Concern).collect();
            let is_blind =
                reading.concerns.iter().any(|concern| matches!(concern, Concern::LostTraffic { .. }));
            // No errors because of no requests is not health.
            let verdict = if is_blind { Verdict::Unknown } else { Verdict::Undecided };
            return self.decision(reading, verdict, Action::Hold, reasons, None);
        }
        if self.is_held {
            let limit = self.settings.hold_e.ln();
            let quiet_s = self.quiet_since_s.map_or(0.0, |since| reading.at_s - since);
            let reasons = vec![if log_e >= limit {
                Reason::Suspicion { log_e, limit }
            } else {
                Reason::Calming { quiet_s, needed_s: self.settings.release_s }
            }];
            return self.decision(
                reading,
                Verdict::Undecided,
                Action::Hold,
                reasons,
                self.combination.blame(),
            );
        }
        let missing = self.missing_for_promotion(reading, log_e);
        if missing.is_empty() {
            let reasons = self.combination.metrics.iter().filter(|weighed| weighed.is_required);
            let reasons = reasons
                .filter_map(|weighed| {
                    Some(Reason::MetricSafe { metric: weighed.metric.clone(), log_e: weighed.log_e_safe? })
                })
                .collect();
            return self.decision(reading, Verdict::Safe, Action::Promote, reasons, None);
        }
        self.decision(reading, Verdict::Undecided, Action::KeepWatching, missing, None)
    }

    /// Decides at the end of a step that has a clock of its own.
    pub fn decide_at_step_end(&mut self, reading: &Reading) -> Decision {
        let mut decision = self.decide(reading);
        if decision.action == Action::KeepWatching {
            let limit = self.settings.release_e.ln();
            let is_quiet = decision.log_e < limit;
            decision.action = match self.settings.when_undecided {
                WhenUndecided::PromoteIfQuiet if is_quiet => Action::Promote,
                WhenUndecided::PromoteIfQuiet | WhenUndecided::Hold => Action::Hold,
            };
            decision.reasons.insert(0, Reason::StepEnded);
        }
        decision
    }

    fn log_needed(&self, reading: &Reading) -> f64 {
        let needed = reading.log_needed.filter(|needed| needed.is_finite());
        needed.unwrap_or_else(|| -self.settings.alpha.ln())
    }

    fn hold_or_release(&mut self, at_s: f64, log_e: f64) {
        if log_e >= self.settings.hold_e.ln() {
            self.is_held = true;
            self.quiet_since_s = None;
        } else if log_e >= self.settings.release_e.ln() {
            self.quiet_since_s = None;
        } else if self.is_held {
            let since = *self.quiet_since_s.get_or_insert(at_s);
            if at_s - since >= self.settings.release_s {
                self.is_held = false;
                self.quiet_since_s = None;
            }
        }
    }

    /// The rollback that this reading alone would decide.
    fn rollback(&self, reading: &Reading, log_e: f64) -> Option<Rollback> {
        let found = |verdict, action, reasons, blame| {
            Some(Rollback { at_s: reading.at_s, verdict, action, reasons, blame })
        };
        if !reading.hard.is_empty() {
            let reasons = reading.hard.iter().cloned().map(Reason::Hard).collect();
            return found(Verdict::Harm, Action::RollbackImmediate, reasons, None);
        }
        let needed = self.log_needed(reading);
        if log_e >= needed {
            let mut reasons = vec![Reason::EvidenceOfHarm { log_e, needed }];
            let lower = reading.metrics.iter().filter_map(|metric| metric.lower_difference).reduce(f64::max);
            let limit = self.settings.severe_difference;
            if let Some(lower) = lower.filter(|lower| *lower >= limit) {
                reasons.push(Reason::Severe { lower, limit });
                return found(Verdict::Harm, Action::RollbackImmediate, reasons, self.combination.blame());
            }
            if reading.known_s >= self.settings.min_known_s {
                return found(Verdict::Harm, Action::RollbackGradual, reasons, self.combination.blame());
            }
            return None;
        }
        match &reading.problem {
            Some(problem @ DataProblem::Absent { .. })
                if self.settings.when_absent == WhenAbsent::RollBack =>
            {
                let reasons = vec![Reason::Data(problem.clone())];
                found(Verdict::Unknown, Action::RollbackGradual, reasons, None)
            }
            _ => None,
        }
    }

    fn missing_for_promotion(&self, reading: &Reading, log_e: f64) -> Vec<Reason> {
        let settings = &self.settings;
        let mut missing = Vec::new();
        let needed = -settings.beta.ln();
        let required = self.combination.metrics.iter().filter(|weighed| weighed.is_required);
        if required.clone().next().is_none() {
            missing.push(Reason::NothingToShow);
        }
        for weighed in required {
            if !weighed.log_e_safe.is_some_and(|log_e| log_e >= needed) {
                let (metric, log_e) = (weighed.metric.clone(), weighed.log_e_safe);
                missing.push(Reason::MetricNotYetSafe { metric, log_e, needed });
            }
        }
        // What is no number is not enough.
        let is_enough = |value: f64, needed: f64| value >= needed;
        if !is_enough(reading.at_s, settings.min_watch_s) {
            missing.push(Reason::TooEarly { at_s: reading.at_s, needed_s: settings.min_watch_s });
        }
        let (requests, needed) = (reading.canary_requests, settings.min_canary_requests);
        if !is_enough(requests, needed) {
            missing.push(Reason::TooFewRequests { requests, needed });
        }
        let limit = settings.release_e.ln();
        if log_e >= limit {
            missing.push(Reason::NotQuiet { log_e, limit });
        }
        missing
    }

    fn decision(
        &self,
        reading: &Reading,
        verdict: Verdict,
        action: Action,
        reasons: Vec<Reason>,
        blame: Option<Blame>,
    ) -> Decision {
        let log_e = self.log_e();
        let decided_at_s = self.rollback.as_ref().map(|rollback| rollback.at_s);
        let keep_weight = decided_at_s.map(|decided_at_s| {
            let is_first_move = reading.at_s - decided_at_s < self.settings.zero_after_s;
            if action == Action::RollbackGradual && is_first_move { 0.5 } else { 0.0 }
        });
        Decision {
            at_s: reading.at_s,
            verdict,
            action,
            reasons,
            blame,
            log_e,
            e_value: exp_finite(log_e),
            p_value: p_value(self.max_log_e),
            decided_at_s,
            keep_weight,
        }
    }
}
