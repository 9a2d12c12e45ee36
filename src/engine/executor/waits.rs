//! The steps that change nothing: they wait, and look.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::Span;
use crate::model::event::Event;
use crate::model::operation::{Operation, Outcome, PlanKind};
use crate::model::release::Arm;
use crate::model::trigger::Verdict;
use crate::model::units::human;

use super::super::core::Work;
use super::{end, words};

/// Waits; stops the operation when the target fails meanwhile. True when the step has ended.
pub(super) fn watch(
    work: &mut Work<'_>,
    operation: &Operation,
    step: usize,
    at: Timestamp,
    lasts: Span,
) -> bool {
    let known = work.state.service(&operation.plan.service);
    let target = known.and_then(|known| known.arms.get(&Arm::Stable));
    if let Some((Verdict::Failing { reasons }, since)) = target
        && *since >= at
    {
        let reason = format!("`{}` is failing too: {}", operation.plan.to.version, reasons.join("; "));
        work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason });
        return true;
    }
    if elapsed(at, work.now) < *lasts {
        return false;
    }
    let detail = format!("watched for {}", human(*lasts));
    work.emit(Event::StepSucceeded { operation: operation.id.clone(), step, adopted: false, detail });
    true
}

/// Why a deployment must not go on: the release that it brings in fails with users on it.
pub(super) fn threat(work: &Work<'_>, operation: &Operation) -> Option<String> {
    if !matches!(operation.plan.kind, PlanKind::Deploy { .. }) {
        return None;
    }
    let known = work.state.service(&operation.plan.service)?;
    let to = &operation.plan.to;
    let share = known.inventory.as_ref()?.traffic.iter().find(|share| share.reference == to.reference)?;
    let (verdict, since) = known.arms.get(&share.arm)?;
    // What was seen before this release got traffic was seen of another.
    let began = known.arms_since.get(&share.arm)?;
    match verdict {
        Verdict::Failing { reasons } if share.percent > 0 && since >= began => {
            Some(format!("`{}` is failing at {} %: {}", to.version, share.percent, reasons.join("; ")))
        }
        _ => None,
    }
}

/// Watches the release that is brought in at its share. True when the step has ended.
///
/// That it fails is seen by [`threat`]. At the end of its time it has to be seen healthy: what is not known lets nothing
/// through, and is waited for no longer than `patience`.
pub(super) fn stage(
    work: &mut Work<'_>,
    operation: &Operation,
    step: usize,
    at: Timestamp,
    percent: u8,
    lasts: Span,
    patience: Span,
) -> bool {
    if elapsed(at, work.now) < *lasts {
        return false;
    }
    let arm = if percent < 100 { Arm::Canary } else { Arm::Stable };
    let reading = work.senses.reading(&operation.plan.service);
    let verdict = reading.and_then(|reading| reading.arms.get(&arm).cloned());
    if verdict == Some(Verdict::Healthy) {
        let detail = format!("healthy at {percent} % after {}", human(elapsed(at, work.now)));
        work.emit(Event::StepSucceeded { operation: operation.id.clone(), step, adopted: false, detail });
        return true;
    }
    if elapsed(at, work.now) < *lasts + *patience {
        return false;
    }
    let seen = verdict.map_or_else(
        || "nothing is known of it".to_owned(),
        |verdict| format!("it is {}: {}", verdict.word(), verdict.reasons().join("; ")),
    );
    let reason = format!("`{}` was not seen healthy at {percent} %: {seen}", operation.plan.to.version);
    work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason });
    true
}

/// Waits until a person says go. True when that was given up.
pub(super) fn confirm(
    work: &mut Work<'_>,
    operation: &Operation,
    step: usize,
    at: Timestamp,
    deadline: Span,
) -> bool {
    if elapsed(at, work.now) < *deadline {
        return false;
    }
    let reason = format!("nobody said go within {}", human(*deadline));
    work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason });
    true
}

/// Waits until the release that is now live is seen healthy, without a break, for long enough. True when the step (or the
/// operation) has ended.
pub(super) fn verify(
    work: &mut Work<'_>,
    operation: &Operation,
    step: usize,
    at: Timestamp,
    hold: Span,
    deadline: Span,
    probes_only: bool,
) -> bool {
    let service = &operation.plan.service;
    // The journaled verdict says since when; only one that is seen now as well counts.
    let seen = work.senses.reading(service).and_then(|reading| reading.verdict.clone());
    let is_seen = seen.as_ref() == Some(&Verdict::Healthy);
    let verdict = work.state.service(service).and_then(|known| known.verdict.clone());
    let healthy_since = if probes_only {
        work.senses.probes_well_since(service, work.now)
    } else {
        let healthy = verdict.as_ref().filter(|(verdict, _)| *verdict == Verdict::Healthy && is_seen);
        healthy.map(|(_, since)| *since)
    };
    // While another release has traffic, what is seen is its health, too. A platform may show a change late.
    let inventory = work.state.service(service).and_then(|known| known.inventory.as_ref());
    let others = inventory
        .into_iter()
        .flat_map(|inventory| inventory.traffic.iter().map(move |share| (inventory, share)));
    let other = others
        .filter(|(_, share)| share.percent > 0 && share.reference != operation.plan.to.reference)
        .map(|(inventory, share)| {
            inventory
                .release(&share.reference)
                .map_or(share.reference.as_str(), |release| release.version.as_str())
        })
        .next();
    if let Some(other) = other {
        if elapsed(at, work.now) < *deadline {
            return false;
        }
        let detail = format!(
            "`{other}` gets traffic: what is seen is not the health of `{}`",
            operation.plan.to.version
        );
        work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason: detail.clone() });
        end(work, operation, Outcome::Unverified, &detail);
        return true;
    }
    // What was seen before this step began was seen of the traffic as it was.
    if let Some(since) = healthy_since.map(|since| since.max(at)) {
        if elapsed(since, work.now) < *hold {
            return false;
        }
        let detail = format!("healthy since {since:.0}");
        work.emit(Event::StepSucceeded { operation: operation.id.clone(), step, adopted: false, detail });
        return true;
    }
    if elapsed(at, work.now) < *deadline {
        return false;
    }
    let limit = human(*deadline);
    let (outcome, detail) = match verdict {
        Some((Verdict::Unknown { reasons }, _)) => {
            let helped = match operation.plan.kind {
                PlanKind::Promote | PlanKind::Deploy { .. } => "how it does there",
                PlanKind::RollBack
                | PlanKind::Maintenance { .. }
                | PlanKind::Database { .. }
                | PlanKind::Scale { .. }
                | PlanKind::CleanUp => "whether that helped",
            };
            let why = format!("nothing says {helped}: {}", reasons.join("; "));
            (Outcome::Unverified, words::unverified(operation, &why))
        }
        Some((verdict, _)) if verdict != Verdict::Healthy => {
            (Outcome::NotRecovered, words::not_recovered(operation, &verdict, &limit))
        }
        _ if probes_only => {
            let why = format!("no probe was healthy within {limit}");
            (Outcome::Unverified, words::unverified(operation, &why))
        }
        _ => {
            let why = format!("nothing was seen of it within {limit}");
            (Outcome::Unverified, words::unverified(operation, &why))
        }
    };
    work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason: detail.clone() });
    end(work, operation, outcome, &detail);
    true
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since >= now { Duration::ZERO } else { now.duration_since(since).unsigned_abs() }
}
