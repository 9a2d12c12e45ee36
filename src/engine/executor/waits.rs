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
                PlanKind::Promote => "how it does there",
                PlanKind::RollBack | PlanKind::Maintenance { .. } => "whether that helped",
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
