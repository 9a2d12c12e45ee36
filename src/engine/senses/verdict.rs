//! From evaluations and probes to a verdict.
//!
//! Known to be bad outweighs not known; not known outweighs good: a service is healthy only when everything that watches it
//! says so on data that are new enough.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::ProbeName;
use crate::model::probe::{Health, ProbeOutcome};
use crate::model::release::Arm;
use crate::model::trigger::{Evaluation, Status, Unknown, Verdict};
use crate::model::units::human;

use super::super::state::ServiceState;
use super::ProbeSense;

/// The probes of a service, seen from now.
pub(super) struct ProbeView<'a> {
    pub(super) probes: &'a BTreeMap<ProbeName, ProbeSense>,
    pub(super) now: Timestamp,
    pub(super) stale_after: Duration,
}

/// The verdicts of a service.
pub(super) struct Verdicts {
    pub(super) whole: Verdict,
    pub(super) arms: BTreeMap<Arm, Verdict>,
}

/// What speaks for and against, collected.
#[derive(Default)]
struct Tally {
    failing: Vec<String>,
    unknown: Vec<String>,
    degraded: Vec<String>,
    good: usize,
}

impl Tally {
    fn verdict(self) -> Verdict {
        if !self.failing.is_empty() {
            Verdict::Failing { reasons: self.failing }
        } else if !self.degraded.is_empty() {
            Verdict::Degraded { reasons: self.degraded }
        } else if !self.unknown.is_empty() {
            Verdict::Unknown { reasons: self.unknown }
        } else if self.good == 0 {
            Verdict::Unknown { reasons: vec!["nothing watches it".to_owned()] }
        } else {
            Verdict::Healthy
        }
    }

    fn add(&mut self, verdict: &Verdict, prefix: &str) {
        let lines = verdict.reasons().iter().map(|reason| format!("{prefix}: {reason}"));
        match verdict {
            Verdict::Healthy => self.good += 1,
            Verdict::Failing { .. } => self.failing.extend(lines),
            Verdict::Degraded { .. } => self.degraded.extend(lines),
            Verdict::Unknown { .. } => self.unknown.extend(lines),
        }
    }

    fn take_evaluation(&mut self, evaluation: &Evaluation) {
        let line = || format!("{}: {}", evaluation.trigger, evaluation.evidence.told());
        match &evaluation.status {
            Status::Ok => self.good += 1,
            Status::Breach { .. } if evaluation.action.rolls_back() => self.failing.push(line()),
            Status::Breach { .. } | Status::Pending { .. } => self.degraded.push(line()),
            Status::Unknown { reason } => self.unknown.push(format!("{}: {reason}", evaluation.trigger)),
        }
    }

    fn take_probe(&mut self, name: &ProbeName, probe: &ProbeSense, view: &ProbeView<'_>) {
        let Some(last) = probe.streak.last() else {
            self.unknown.push(format!("probe {name}: no data"));
            return;
        };
        let age = view.now.duration_since(last.at).unsigned_abs();
        if last.at < view.now && age > view.stale_after.max(probe.interval * 2) {
            self.unknown.push(format!("probe {name}: no answer for {}", human(age)));
            return;
        }
        match &last.outcome {
            ProbeOutcome::NotRun { reason } => {
                self.unknown.push(format!("probe {name} could not be run: {reason}"));
            }
            _ if probe.streak.is_failing() => {
                let reason = match &last.outcome {
                    ProbeOutcome::Answered { reason, .. } if !reason.is_empty() => reason.clone(),
                    _ => "failed several times in a row".to_owned(),
                };
                self.failing.push(format!("probe {name}: {reason}"));
            }
            ProbeOutcome::Answered { health: Health::Healthy, .. } => self.good += 1,
            ProbeOutcome::Answered { reason, .. } => self.degraded.push(format!("probe {name}: {reason}")),
        }
    }
}

/// Forms the verdicts. An evaluation that holds on the canary and on stable alike is turned into "stable is bad too".
pub(super) fn form(
    evaluations: &mut [Evaluation],
    probes: &ProbeView<'_>,
    state: Option<&ServiceState>,
    has_canary: bool,
) -> Verdicts {
    if has_canary {
        mark_shared(evaluations);
    }
    let mut arms = BTreeMap::new();
    for arm in Arm::ALL {
        if arm == Arm::Canary && !has_canary {
            continue;
        }
        let mut tally = Tally::default();
        for evaluation in evaluations.iter().filter(|evaluation| evaluation.arm == Some(arm)) {
            tally.take_evaluation(evaluation);
        }
        for (name, probe) in probes.probes.iter().filter(|(_, probe)| probe.arm == Some(arm)) {
            tally.take_probe(name, probe, probes);
        }
        // With one arm, what speaks for the service speaks for it.
        if !has_canary {
            take_whole(&mut tally, evaluations, probes);
        }
        arms.insert(arm, tally.verdict());
    }
    let mut tally = Tally::default();
    if let Some(fault) = state.and_then(|state| state.platform_fault.as_ref()) {
        tally.unknown.push(format!("platform: {}", fault.reason));
    } else if state.is_none_or(|state| state.inventory.is_none()) {
        tally.unknown.push("platform: not read yet".to_owned());
    }
    if has_canary {
        take_whole(&mut tally, evaluations, probes);
        for (arm, verdict) in &arms {
            // A canary that nothing speaks of by itself is as unknown as one without data.
            tally.add(verdict, arm.word());
        }
    } else if let Some(verdict) = arms.get(&Arm::Stable) {
        match verdict {
            Verdict::Healthy => tally.good += 1,
            Verdict::Failing { reasons } => tally.failing.extend(reasons.iter().cloned()),
            Verdict::Degraded { reasons } => tally.degraded.extend(reasons.iter().cloned()),
            Verdict::Unknown { reasons } => tally.unknown.extend(reasons.iter().cloned()),
        }
    }
    Verdicts { whole: tally.verdict(), arms }
}

fn take_whole(tally: &mut Tally, evaluations: &[Evaluation], probes: &ProbeView<'_>) {
    for evaluation in evaluations.iter().filter(|evaluation| evaluation.arm.is_none()) {
        tally.take_evaluation(evaluation);
    }
    for (name, probe) in probes.probes.iter().filter(|(_, probe)| probe.arm.is_none()) {
        tally.take_probe(name, probe, probes);
    }
}

/// Beyond the limit on both arms: the release may not be the cause. "Nearly for long enough" on stable is enough for that.
fn mark_shared(evaluations: &mut [Evaluation]) {
    for index in 0..evaluations.len() {
        if evaluations[index].arm != Some(Arm::Canary) || !evaluations[index].status.is_breach() {
            continue;
        }
        let shared = evaluations.iter().any(|other| {
            other.arm == Some(Arm::Stable)
                && other.trigger == evaluations[index].trigger
                && matches!(other.status, Status::Breach { .. } | Status::Pending { .. })
        });
        if shared {
            evaluations[index].status = Status::Unknown { reason: Unknown::StableIsBadToo };
        }
    }
}
