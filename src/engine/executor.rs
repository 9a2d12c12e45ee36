//! Operations, step by step. Pure: it journals what is about to happen and asks for it; how it went comes back as input.
//!
//! A step is journaled as started before its effect is asked for. After a crash a started step is unknown; then, by what
//! its action declares: observable, it is looked at and adopted if it has happened, else done; idempotent, it is done again
//! with the same key; neither, a person has to say.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::command::{Actor, Settlement};
use crate::model::event::Event;
use crate::model::operation::{Action, Operation, OperationStatus, Outcome, StepState};
use crate::model::platform::PlatformAction;
use crate::model::release::{Arm, Quality};
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::model::{OperationId, Span};

use super::core::Work;
use super::input::{Effect, RunStep, StepFinished, StepResult};
use super::messages;

/// What the idempotency keys of an operation begin with: unique across journals, because they name the millisecond.
pub(super) fn key_prefix(work: &Work<'_>, operation: &OperationId) -> String {
    format!("{}/{operation}@{}", work.settings.config.environment.name, work.now.as_millisecond())
}

/// Journals an operation and starts it.
pub(super) fn begin(work: &mut Work<'_>, operation: &OperationId, planned: Event) {
    work.emit(planned);
    if let Some(begun) = work.state.operations.get(operation).cloned() {
        messages::rollback_started(work, &begun);
    }
    advance(work, operation);
}

/// Goes on with an operation after its process may have died.
pub(super) fn resume(work: &mut Work<'_>, id: &OperationId) {
    let Some(operation) = work.state.operations.get(id).cloned() else { return };
    if matches!(operation.status, OperationStatus::NeedsDecision { .. }) {
        return;
    }
    if let Some(step) = operation.current()
        && matches!(operation.steps[step], StepState::Started { .. })
    {
        work.emit(Event::StepUnknown { operation: id.clone(), step });
    }
    advance(work, id);
}

/// Does what can be done in an operation now.
pub(super) fn advance(work: &mut Work<'_>, id: &OperationId) {
    // Every turn either waits (returns) or leaves a step behind; a plan is short.
    loop {
        let Some(operation) = work.state.operations.get(id).cloned() else { return };
        match operation.status {
            OperationStatus::Ended { .. } | OperationStatus::NeedsDecision { .. } => return,
            OperationStatus::Planned | OperationStatus::Running => {}
        }
        let Some(step) = operation.current() else {
            return end(work, &operation, Outcome::Verified, &verified_detail(&operation));
        };
        let is_waiting = operation.plan.steps[step].action.only_waits();
        if operation.cancelling && (is_waiting || !matches!(operation.steps[step], StepState::Started { .. }))
        {
            let unknown = matches!(operation.steps[step], StepState::Unknown { .. });
            let note = if unknown {
                "; whether that step has happened is not known: look at the platform"
            } else {
                ""
            };
            let detail = format!("stopped before `{}`{note}", operation.plan.steps[step].title);
            return end(work, &operation, Outcome::Cancelled, &detail);
        }
        let is_begun = matches!(operation.steps[step], StepState::Started { .. } | StepState::Failed { .. });
        if !is_begun && work.stopping {
            return;
        }
        if !is_begun && let Some(facts) = obstacle(work, &operation, step) {
            return need_decision(work, &operation, step, &facts);
        }
        match operation.steps[step] {
            StepState::Pending => start(work, &operation, step, 1, false),
            StepState::Waiting { until, attempt, .. } => {
                if work.now < until {
                    return;
                }
                start(work, &operation, step, attempt + 1, true);
            }
            StepState::Unknown { attempt, .. } => {
                let declares = operation.plan.steps[step].declares;
                if declares.observable || declares.idempotent {
                    start(work, &operation, step, attempt + 1, true);
                } else {
                    let facts = format!(
                        "the process that began `{}` is gone, the platform cannot show whether it has happened, and it must not \
                         be done twice. Look at the platform, then say `done`, `retry` or `abort`",
                        operation.plan.steps[step].title
                    );
                    return need_decision(work, &operation, step, &facts);
                }
            }
            StepState::Started { at, .. } => {
                let has_moved = match operation.plan.steps[step].action {
                    Action::Platform { .. } => false,
                    Action::Watch { lasts } => watch(work, &operation, step, at, lasts),
                    Action::Verify { hold, deadline, probes_only } => {
                        verify(work, &operation, step, at, hold, deadline, probes_only)
                    }
                };
                if !has_moved {
                    return;
                }
            }
            StepState::Failed { ref reason, .. } => {
                let detail = failed_detail(&operation, step, reason);
                return end(work, &operation, Outcome::Failed, &detail);
            }
            StepState::Succeeded { .. } | StepState::Skipped { .. } => return,
        }
    }
}

/// Why a step that changes something must not be begun in the environment as it is configured now. The operation was
/// planned in another one, perhaps by a process that is gone.
fn obstacle(work: &Work<'_>, operation: &Operation, step: usize) -> Option<String> {
    let planned = &operation.plan.steps[step];
    if planned.action.only_waits() {
        return None;
    }
    let service = &operation.plan.service;
    let why = if !work.settings.platforms.contains_key(service) {
        format!("there is no service `{service}` in the config any more; put it back")
    } else if work.settings.config.environment.read_only {
        "the environment is read-only by now (`environment.read_only`); change that".to_owned()
    } else {
        return None;
    };
    let known = match operation.steps[step] {
        StepState::Unknown { .. } => ". Whether it has happened before is not known",
        _ => "",
    };
    Some(format!(
        "`{}` cannot be done: {why} and say `retry`, or say `done` or `abort`{known}",
        planned.title
    ))
}

fn start(work: &mut Work<'_>, operation: &Operation, step: usize, attempt: u32, may_have_happened: bool) {
    work.emit(Event::StepStarted { operation: operation.id.clone(), step, attempt });
    let planned = &operation.plan.steps[step];
    if let Action::Platform { action } = &planned.action {
        work.effects.push(Effect::RunStep(RunStep {
            operation: operation.id.clone(),
            step,
            attempt,
            service: operation.plan.service.clone(),
            action: action.clone(),
            requires: planned.requires.clone(),
            key: planned.key.clone(),
            timeout: planned.timeout,
            declares: planned.declares,
            may_have_happened,
        }));
    }
}

/// Goes on after a person said what happened: the step is done, or is to be done.
pub(super) fn settled(work: &mut Work<'_>, id: &OperationId, choice: Settlement) {
    let Some(operation) = work.state.operations.get(id).cloned() else { return };
    match (choice, operation.current()) {
        (Settlement::Retry, Some(step)) => {
            if let Some(facts) = obstacle(work, &operation, step) {
                return need_decision(work, &operation, step, &facts);
            }
            let attempt = match operation.steps[step] {
                StepState::Started { attempt, .. }
                | StepState::Unknown { attempt, .. }
                | StepState::Waiting { attempt, .. } => attempt,
                _ => 0,
            };
            start(work, &operation, step, attempt + 1, false);
        }
        (Settlement::Done, current) => {
            // The step that a person called done is the one before the present one.
            let before = current.unwrap_or(operation.steps.len()).saturating_sub(1);
            let moved = operation
                .plan
                .steps
                .get(before)
                .is_some_and(|step| brings_traffic_back(&step.action, &operation));
            if moved && operation.traffic_back_at.is_none() {
                traffic_back(work, &operation);
            }
            advance(work, id);
        }
        _ => advance(work, id),
    }
}

/// Takes the end of a step in.
pub(super) fn finished(work: &mut Work<'_>, finished: StepFinished) {
    let StepFinished { operation: id, step, attempt, result, inventory } = finished;
    let Some(operation) = work.state.operations.get(&id).cloned() else { return };
    let is_awaited = matches!(operation.steps.get(step), Some(StepState::Started { attempt: now, .. }) if *now == attempt)
        && operation.is_open()
        && !matches!(operation.status, OperationStatus::NeedsDecision { .. });
    if let Some(inventory) = inventory {
        let now = work.now;
        work.take_inventory(&operation.plan.service, inventory, now);
    }
    if !is_awaited {
        return;
    }
    let planned = &operation.plan.steps[step];
    match result {
        StepResult::Done { adopted, detail } => {
            work.emit(Event::StepSucceeded { operation: id.clone(), step, adopted, detail });
            if brings_traffic_back(&planned.action, &operation) {
                traffic_back(work, &operation);
            }
        }
        StepResult::Transient(reason) if attempt <= planned.retries => {
            retry(work, &operation, step, attempt, reason);
        }
        StepResult::Unclear(reason) if planned.declares.idempotent && attempt <= planned.retries => {
            retry(work, &operation, step, attempt, reason);
        }
        StepResult::Unclear(reason) => {
            let facts = format!(
                "`{}` may or may not have happened: {reason}. Look at the platform, then say `done`, `retry` or `abort`",
                planned.title
            );
            return need_decision(work, &operation, step, &facts);
        }
        StepResult::Transient(reason) => {
            let reason = format!("{reason} (tried {attempt} times)");
            work.emit(Event::StepFailed { operation: id.clone(), step, reason });
        }
        StepResult::Failed(reason) => work.emit(Event::StepFailed { operation: id.clone(), step, reason }),
    }
    advance(work, &id);
}

fn retry(work: &mut Work<'_>, operation: &Operation, step: usize, attempt: u32, reason: String) {
    // 0.5 s, 1 s, 2 s … up to 15 s.
    let wait = Duration::from_millis(500 << attempt.saturating_sub(1).min(5)).min(Duration::from_secs(15));
    let until = work.now.checked_add(wait).unwrap_or(work.now);
    work.emit(Event::StepRetried { operation: operation.id.clone(), step, reason, until });
}

fn need_decision(work: &mut Work<'_>, operation: &Operation, step: usize, facts: &str) {
    work.emit(Event::DecisionNeeded { operation: operation.id.clone(), step, facts: facts.to_owned() });
    messages::decision_needed(work, operation, facts);
}

/// Whether a step, once done, has put all the traffic on the target.
fn brings_traffic_back(action: &Action, operation: &Operation) -> bool {
    let to = &operation.plan.to.reference;
    match action {
        Action::Platform { action: PlatformAction::Restore { release } } => release == to,
        Action::Platform { action: PlatformAction::ShiftTraffic { shares } } => {
            shares.iter().any(|share| &share.reference == to && share.percent == 100)
        }
        _ => false,
    }
}

fn traffic_back(work: &mut Work<'_>, operation: &Operation) {
    work.emit(Event::TrafficBack {
        operation: operation.id.clone(),
        release: operation.plan.to.reference.clone(),
    });
    work.emit(Event::ReleaseMarked {
        service: operation.plan.service.clone(),
        version: operation.plan.from.version.clone(),
        release: operation.plan.from.reference.clone(),
        quality: Quality::Bad,
        by: operation.by.clone(),
        reason: format!("rolled back by {}: {}", operation.id, operation.reason),
    });
}

/// Waits; stops the operation when the target fails meanwhile. True when the step has ended.
fn watch(work: &mut Work<'_>, operation: &Operation, step: usize, at: Timestamp, lasts: Span) -> bool {
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
fn verify(
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
        Some((Verdict::Unknown { reasons }, _)) => (
            Outcome::Unverified,
            format!("the traffic is back, but nothing says whether that helped: {}", reasons.join("; ")),
        ),
        Some((verdict, _)) if verdict != Verdict::Healthy => (
            Outcome::NotRecovered,
            format!(
                "the release was not the cause, or not alone: still {} after {limit}: {}",
                verdict.word(),
                verdict.reasons().join("; ")
            ),
        ),
        _ if probes_only => {
            (Outcome::Unverified, format!("the traffic is back, but no probe was healthy within {limit}"))
        }
        _ => (Outcome::Unverified, format!("the traffic is back, but nothing was seen of it within {limit}")),
    };
    work.emit(Event::StepFailed { operation: operation.id.clone(), step, reason: detail.clone() });
    end(work, operation, outcome, &detail);
    true
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since >= now { Duration::ZERO } else { now.duration_since(since).unsigned_abs() }
}

fn verified_detail(operation: &Operation) -> String {
    format!("{} serves {} and is healthy", operation.plan.to.version, operation.plan.service)
}

fn failed_detail(operation: &Operation, step: usize, reason: &str) -> String {
    let title = &operation.plan.steps[step].title;
    let traffic = if operation.traffic_back_at.is_some() {
        "the traffic is back"
    } else {
        "the traffic may be where it was: look at the platform"
    };
    format!("step {} of {}, `{title}`: {reason}; {traffic}", step + 1, operation.steps.len())
}

pub(super) fn end(work: &mut Work<'_>, operation: &Operation, outcome: Outcome, detail: &str) {
    work.emit(Event::OperationEnded { operation: operation.id.clone(), outcome, detail: detail.to_owned() });
    if outcome == Outcome::Verified {
        work.emit(Event::ReleaseMarked {
            service: operation.plan.service.clone(),
            version: operation.plan.to.version.clone(),
            release: operation.plan.to.reference.clone(),
            quality: Quality::Good,
            by: Actor::Engine,
            reason: format!("verified by {}", operation.id),
        });
    }
    messages::rollback_ended(work, operation, outcome, detail);
}
