//! Operations, step by step. Pure: it journals what is about to happen and asks for it; how it went comes back as input.
//!
//! A step is journaled as started before its effect is asked for. After a crash a started step is unknown; then, by what
//! its action declares: observable, it is looked at and adopted if it has happened, else done; idempotent, it is done again
//! with the same key; neither, a person has to say.
//!
//! `waits` has the steps that only look, `back` the way back of a deployment, `words` what is said of an end.

mod back;
mod waits;
mod words;

use std::time::Duration;

use crate::model::command::{Actor, Settlement};
use crate::model::event::Event;
use crate::model::operation::{Action, Operation, OperationStatus, Outcome, PlanKind, StepState, Strategy};
use crate::model::platform::PlatformAction;
use crate::model::release::{Quality, Release};
use crate::model::validation::Validation;
use crate::model::{OperationId, ServiceName};

use super::core::Work;
use super::input::{Effect, RunChange, RunStep, RunValidation, StepFinished, StepResult};
use super::planner::Draft;
use super::{baseline, escalation, messages};

/// What the idempotency keys of an operation begin with: unique across journals, because they name the millisecond.
pub(super) fn key_prefix(work: &Work<'_>, operation: &OperationId) -> String {
    format!("{}/{operation}@{}", work.settings.config.environment.name, work.now.as_millisecond())
}

/// What a plan on the platform as it is known is made from, or in words that it is not known.
pub(super) fn draft<'a>(
    work: &'a Work<'_>,
    service: &'a ServiceName,
    (from, to): (&'a Release, &'a Release),
    strategy: Strategy,
    key: &'a str,
) -> Result<Draft<'a>, String> {
    let known = || {
        let inventory = work.state.service(service)?.inventory.as_ref()?;
        Some((work.settings.platforms.get(service)?, inventory))
    };
    let (platform, inventory) =
        known().ok_or_else(|| format!("the platform of `{service}` is not known any more"))?;
    let settings = &work.settings.config.rollback;
    Ok(Draft { service, from, to, strategy, inventory, platform, settings, key })
}

/// Journals an operation and starts it.
pub(super) fn begin(work: &mut Work<'_>, operation: &OperationId, planned: Event) {
    work.emit(planned);
    if let Some(begun) = work.state.operations.get(operation).cloned() {
        messages::operation_started(work, &begun);
    }
    advance(work, operation);
}

/// Goes on with an operation after its process may have died.
pub(super) fn take_over(work: &mut Work<'_>, id: &OperationId) {
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
            return end(work, &operation, Outcome::Verified, &words::verified(&operation));
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
        // A release that fails with users on it is not kept there, whatever the deployment waits for.
        if is_waiting
            && !matches!(operation.steps[step], StepState::Failed { .. })
            && let Some(reason) = waits::threat(work, &operation)
        {
            work.emit(Event::StepFailed { operation: id.clone(), step, reason });
            continue;
        }
        let is_over = matches!(operation.steps[step], StepState::Failed { .. });
        if operation.paused.is_some() && !is_over {
            return;
        }
        let is_begun = is_over || matches!(operation.steps[step], StepState::Started { .. });
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
                    // Their end comes from outside.
                    Action::Platform { .. } | Action::Validate { .. } | Action::Data { .. } => false,
                    Action::Stage { percent, lasts, patience } => {
                        waits::stage(work, &operation, step, at, percent, lasts, patience)
                    }
                    Action::Confirm { deadline } => waits::confirm(work, &operation, step, at, deadline),
                    Action::Watch { lasts } => waits::watch(work, &operation, step, at, lasts),
                    Action::Verify { hold, deadline, probes_only } => {
                        waits::verify(work, &operation, step, at, hold, deadline, probes_only)
                    }
                };
                if !has_moved {
                    return;
                }
            }
            StepState::Failed { ref reason, .. } => {
                let detail = words::failed(&operation, step, reason);
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
    if let Action::Validate { what } = &planned.action {
        work.effects.push(Effect::Validate(RunValidation {
            operation: operation.id.clone(),
            step,
            attempt,
            service: operation.plan.service.clone(),
            release: operation.plan.to.clone(),
            what: what.clone(),
            timeout: planned.timeout,
        }));
    }
    if let Action::Data { what } = &planned.action {
        work.effects.push(Effect::Change(RunChange {
            operation: operation.id.clone(),
            step,
            attempt,
            what: what.clone(),
            timeout: planned.timeout,
        }));
    }
    if matches!(planned.action, Action::Confirm { .. }) {
        let facts = format!("{} waits for a person to say go", operation.plan.purpose);
        messages::decision_needed(work, operation, &facts);
    }
}

/// A person says go.
pub(super) fn confirm(work: &mut Work<'_>, id: &OperationId, by: &Actor, reason: &str) {
    let Some(operation) = work.state.operations.get(id).cloned() else { return };
    let Some(step) = operation.current() else { return };
    let detail = format!("{by} says go: {reason}");
    work.emit(Event::StepSucceeded { operation: id.clone(), step, adopted: false, detail });
    advance(work, id);
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
    let result = match &planned.action {
        Action::Validate { what: Validation::Load { .. } } => {
            under_load(work, &operation.plan.service, result)
        }
        _ => result,
    };
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
        // The database shows what it has: the next attempt looks before it does anything.
        StepResult::Unclear(reason)
            if matches!(planned.action, Action::Data { .. })
                && planned.declares.observable
                && attempt <= planned.retries =>
        {
            retry(work, &operation, step, attempt, reason);
        }
        StepResult::Unclear(reason) => {
            let facts = format!(
                "`{}` may or may not have happened: {reason}. Look there, then say `done`, `retry` or `abort`",
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

/// The end of a load run, with what the service and its machines were like beside the baseline.
fn under_load(work: &Work<'_>, service: &ServiceName, result: StepResult) -> StepResult {
    let Some(beside) = baseline::beside(work, service) else { return result };
    match result {
        StepResult::Done { adopted, detail } => {
            StepResult::Done { adopted, detail: format!("{detail}; {beside}") }
        }
        StepResult::Failed(reason) => StepResult::Failed(format!("{reason}; {beside}")),
        other => other,
    }
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

/// Whether a step, once done, has put all the traffic on the release that was to get it.
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
    if operation.plan.kind != PlanKind::RollBack || operation.plan.spares {
        return;
    }
    work.emit(Event::ReleaseMarked {
        service: operation.plan.service.clone(),
        version: operation.plan.from.version.clone(),
        release: operation.plan.from.reference.clone(),
        quality: Quality::Bad,
        by: operation.by.clone(),
        reason: format!("rolled back by {}: {}", operation.id, operation.reason),
    });
}

pub(super) fn end(work: &mut Work<'_>, operation: &Operation, outcome: Outcome, detail: &str) {
    work.emit(Event::OperationEnded { operation: operation.id.clone(), outcome, detail: detail.to_owned() });
    // A promoted release earns its record like any other that serves as stable: by `good_after`.
    if outcome == Outcome::Verified && operation.plan.kind == PlanKind::RollBack {
        work.emit(Event::ReleaseMarked {
            service: operation.plan.service.clone(),
            version: operation.plan.to.version.clone(),
            release: operation.plan.to.reference.clone(),
            quality: Quality::Good,
            by: Actor::Engine,
            reason: format!("verified by {}", operation.id),
        });
    }
    messages::operation_ended(work, operation, outcome, detail);
    if matches!(operation.plan.kind, PlanKind::Database { .. }) {
        // The schema that its services have is another one now.
        work.effects.push(Effect::ReadPlatform(operation.plan.service.clone()));
    }
    if matches!(operation.plan.kind, PlanKind::Deploy { .. })
        && matches!(outcome, Outcome::Failed | Outcome::NotRecovered | Outcome::Cancelled)
    {
        back::go(work, &operation.id, detail);
    }
    // What was done by itself and has not helped waits for nobody's clock.
    let has_helped = matches!(outcome, Outcome::Verified | Outcome::Cancelled);
    if operation.by == Actor::Engine && operation.plan.kind == PlanKind::RollBack && !has_helped {
        let service = &operation.plan.service;
        let incidents = work.state.incidents.values();
        let of: Vec<_> = incidents
            .filter(|incident| incident.is_open() && incident.has(service))
            .map(|incident| incident.id.clone())
            .collect();
        for incident in of {
            let reason = format!("{} on {service} {}: {detail}", operation.id, outcome.words());
            escalation::at_once(work, &incident, &reason);
        }
    }
}
