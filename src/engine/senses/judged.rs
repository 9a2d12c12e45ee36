//! The judge on a service: it is fed the samples that the triggers are fed, and says of the canary what they cannot.
//!
//! While there is no canary, stable teaches it what is usual. A watch begins with each canary and ends with it. Its
//! answer is one more [`Evaluation`], so that findings, decisions and the journal treat it as they treat the triggers.

mod compared;
mod words;

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::judge::watch::{
    Action, Concern, Decision, Metric, MetricKind, MetricReading, MetricSettings, Reading, Watch,
    WatchSettings, WhenAbsent,
};
use crate::judge::{DataProblem, Preset, Traffic, TrafficWatch, needed};
use crate::model::judge::{Absent, Advice, Conclusion, JudgeAction, JudgeSpec, Judgement, NAME, Tolerance};
use crate::model::release::Arm;
use crate::model::source::Sample;
use crate::model::trigger::{Evaluation, Evidence, Severity, Status, TriggerAction, Unknown};
use crate::model::{IndicatorName, Quantity, ServiceName, SourceName, TriggerName, Unit};

use super::super::state::ServiceState;
use compared::Compared;

/// The judge's memory of one service.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    service: ServiceName,
    spec: JudgeSpec,
    compared: Vec<Compared>,
    watch: Option<OnWatch>,
}

/// The watch over one canary.
#[derive(Clone, Debug)]
struct OnWatch {
    since: Timestamp,
    watch: Watch,
    /// The share of the traffic that the canary has, 0 to 1.
    share: f64,
    traffic: TrafficWatch,
    /// Canary requests, by the first indicator that counts any.
    requests: f64,
    /// Since when it is held, or not known.
    held_since: Option<Timestamp>,
}

/// Why an indicator cannot be read from its source, if it cannot.
pub(super) type Fault<'a> = dyn Fn(&SourceName, &IndicatorName) -> Option<&'a str> + 'a;

impl Judged {
    /// The judge of a service: none where the config has no judge, or where no source tells the arms apart.
    pub(super) fn new(config: &Config, service: &ServiceName) -> Option<Self> {
        let spec = config.judge.clone()?;
        let compared = compared::of(config, service, &spec);
        if compared.is_empty() {
            return None;
        }
        Some(Self { service: service.clone(), spec, compared, watch: None })
    }

    /// Takes a sample that speaks for an arm.
    pub(super) fn take(&mut self, sample: &Sample, arm: Arm) {
        let watch = self.watch.as_mut();
        let since = watch.as_ref().map(|watch| watch.since);
        let mut is_first = true;
        let mut told = None;
        for compared in &mut self.compared {
            let counts_requests = compared.counts_requests() && std::mem::take(&mut is_first);
            if compared.indicator() != &sample.indicator {
                continue;
            }
            let tick = compared.take(sample, arm, since);
            if counts_requests {
                told = tick;
            }
        }
        if let (Some(watch), Some(tick)) = (watch, told) {
            watch.requests += tick.canary;
            watch.traffic.observe(tick.end_s, tick.canary, tick.canary + tick.stable, watch.share);
        }
    }

    /// Another release serves as stable: what is known of the one before is not known of it.
    pub(super) fn forget_stable(&mut self) {
        for compared in &mut self.compared {
            compared.forget();
        }
    }

    /// Follows what the arms have: begins a watch with a canary, a step of it with another share, and ends it.
    pub(super) fn follow(&mut self, state: &ServiceState) {
        let canary = state.canary().and_then(|release| {
            let share = state.inventory.as_ref()?.percent(&release.reference);
            Some((*state.arms_since.get(&Arm::Canary)?, f64::from(share.min(100)) / 100.0))
        });
        match (canary, &mut self.watch) {
            (None, watch) => *watch = None,
            (Some((since, share)), Some(watch)) if watch.since == since => {
                if (watch.share - share).abs() > f64::EPSILON {
                    watch.share = share;
                    watch.traffic = TrafficWatch::new();
                    watch.watch.begin_step();
                    for compared in &mut self.compared {
                        compared.begin_step();
                    }
                }
            }
            (Some((since, share)), _) => {
                for compared in &mut self.compared {
                    compared.begin();
                }
                self.watch = Some(OnWatch {
                    since,
                    watch: Watch::new(self.rules()),
                    share,
                    traffic: TrafficWatch::new(),
                    requests: 0.0,
                    held_since: None,
                });
            }
        }
    }

    fn rules(&self) -> WatchSettings {
        let metrics = self.compared.iter().filter(|compared| !compared.is_muted());
        let metrics = metrics.map(|compared| MetricSettings::of(compared.metric().clone()));
        WatchSettings {
            metrics: metrics.collect(),
            alpha: self.spec.alpha,
            beta: self.spec.beta,
            when_absent: match self.spec.absent {
                Absent::Hold => WhenAbsent::Hold,
                Absent::RollBack => WhenAbsent::RollBack,
            },
            ..WatchSettings::of(Vec::<Metric>::new())
        }
    }

    /// Natural logarithm of the evidence against the canary, while there is one.
    pub(super) fn log_e(&self) -> Option<f64> {
        self.watch.as_ref().map(|watch| watch.watch.log_e())
    }

    /// What the judge says now; none without a canary. `others`: the evidence against the other canaries that are watched
    /// within the same promise.
    pub(super) fn evaluate(
        &mut self,
        now: Timestamp,
        fault: &Fault<'_>,
        others: &[f64],
    ) -> Option<Evaluation> {
        let log_needed = needed(others, self.spec.alpha);
        let watch = self.watch.as_mut()?;
        let at_s = seconds(watch.since, now);
        let mut reading = Reading { at_s, log_needed: Some(log_needed), ..Reading::default() };
        let mut comparisons = Vec::with_capacity(self.compared.len());
        let mut newest = None;
        let mut trouble: Option<(DataProblem, String)> = None;
        for compared in &self.compared {
            let evidence = compared.evidence();
            let problem = compared.problem(at_s, fault(compared.source(), compared.indicator()));
            newest = newest.max(compared.newest());
            if !compared.is_muted() {
                reading.known_s = reading.known_s.max(compared.known_s());
                if let Some((evidence, false)) = evidence.as_ref().zip(Some(problem.is_some())) {
                    reading.metrics.push(MetricReading::of(compared.metric().clone(), evidence));
                }
                if let Some(leak) = compared.leak() {
                    reading.concerns.push(Concern::Leak(leak));
                }
                if let Some((problem, said)) = &problem
                    && trouble.is_none()
                    && compared.metric().kind != MetricKind::Gauge
                {
                    trouble = Some((problem.clone(), format!("{}: {said}", compared.indicator())));
                }
            }
            comparisons.push(words::comparison(compared, evidence.as_ref(), problem.map(|(_, said)| said)));
        }
        reading.canary_requests = watch.requests;
        if let Traffic::Lost { expected, seen } = watch.traffic.at(at_s) {
            reading.concerns.push(Concern::LostTraffic { expected, seen });
        }
        reading.problem = trouble.as_ref().map(|(problem, _)| problem.clone());
        let decision = watch.watch.decide(&reading);
        let is_held = matches!(decision.action, Action::Hold);
        watch.held_since = is_held.then(|| watch.held_since.unwrap_or(now));
        let judgement = Judgement {
            since: watch.since,
            conclusion: words::conclusion(decision.verdict),
            advice: words::advice(decision.action),
            e_value: decision.e_value,
            p_value: decision.p_value,
            limit: log_needed.exp(),
            reasons: words::reasons(&decision, trouble.as_ref().map(|(_, said)| said.as_str())),
            blame: decision.blame.as_ref().map(|blame| blame.metric.to_string()),
            comparisons,
        };
        Some(evaluation(&self.service, &self.spec, watch, &decision, judgement, now, newest))
    }
}

/// The judge's answer in the form of a trigger's.
fn evaluation(
    service: &ServiceName,
    spec: &JudgeSpec,
    watch: &OnWatch,
    decision: &Decision,
    judgement: Judgement,
    now: Timestamp,
    newest: Option<Timestamp>,
) -> Evaluation {
    let status = match (judgement.conclusion, judgement.advice) {
        (_, Advice::RollBackGradually | Advice::RollBackImmediately) => {
            let decided = decision.decided_at_s.unwrap_or_default().clamp(0.0, 1e9);
            let since = watch.since.checked_add(Duration::from_secs_f64(decided));
            Status::Breach { since: since.unwrap_or(now).min(now) }
        }
        (Conclusion::Unknown, _) => {
            let reason = judgement.reasons.first().cloned().unwrap_or_default();
            Status::Unknown { reason: Unknown::SourceError { reason } }
        }
        (_, Advice::Hold) => Status::Pending { since: watch.held_since.unwrap_or(now) },
        _ if watch.requests < 1.0 => Status::Unknown { reason: Unknown::TooFewSamples { have: 0, need: 1 } },
        _ => Status::Ok,
    };
    let action = match (spec.action, judgement.advice) {
        (JudgeAction::Watch, _) => TriggerAction::Watch,
        (JudgeAction::Act, Advice::RollBackImmediately) => TriggerAction::Immediate,
        (JudgeAction::Act, _) => TriggerAction::Gradual,
    };
    let age = now.duration_since(watch.since).unsigned_abs();
    Evaluation {
        trigger: TriggerName::new(NAME),
        service: Some(service.clone()),
        arm: Some(Arm::Canary),
        action,
        severity: if action == TriggerAction::Immediate { Severity::Critical } else { Severity::High },
        status,
        evidence: Evidence {
            query: "canary against stable".to_owned(),
            value: Some(judgement.e_value),
            limit: Quantity { value: judgement.limit, unit: Unit::Plain },
            above: true,
            window_ms: age.as_millis() as u64,
            samples: watch.requests,
            newest,
            judgement: Some(Box::new(judgement)),
            said: None,
        },
    }
}

/// Seconds from one time to another; negative when it is earlier.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

const fn preset(tolerance: Tolerance) -> Preset {
    match tolerance {
        Tolerance::Default => Preset::Default,
        Tolerance::Strict => Preset::Strict,
        Tolerance::Relaxed => Preset::Relaxed,
    }
}
