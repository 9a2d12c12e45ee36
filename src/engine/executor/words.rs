//! What is said of the end of an operation, for each kind of plan.

use crate::model::operation::{Action, Operation, PlanKind, StepState};
use crate::model::trigger::Verdict;
use crate::model::validation::Validation;

/// It ended as it should.
pub(super) fn verified(operation: &Operation) -> String {
    let plan = &operation.plan;
    match plan.kind {
        PlanKind::RollBack | PlanKind::Promote | PlanKind::Deploy { .. } => {
            format!("{} serves {} and is healthy", plan.to.version, plan.service)
        }
        PlanKind::Maintenance { on } => {
            format!("the maintenance page of {} is {}", plan.service, if on { "on" } else { "off" })
        }
        PlanKind::Scale { instances } => {
            format!("{instances} instances of {} are asked for; the platform brings them up", plan.service)
        }
        PlanKind::Database { .. } | PlanKind::CleanUp => format!("done: {}", plan.purpose),
    }
}

/// A step failed.
pub(super) fn failed(operation: &Operation, step: usize, reason: &str) -> String {
    let title = &operation.plan.steps[step].title;
    let head = format!("step {} of {}, `{title}`: {reason}", step + 1, operation.steps.len());
    let note = match (operation.plan.kind, operation.traffic_back_at) {
        (PlanKind::Maintenance { .. }, _) => "the page may be as it was: look at the platform",
        (PlanKind::Scale { .. } | PlanKind::CleanUp, _) => "what runs may be as it was: look at the platform",
        // The reason says what is left of it.
        (PlanKind::Database { .. }, _) => return with_backup(operation, head),
        // What becomes of its traffic is said by the way back.
        (PlanKind::Deploy { .. }, _) => return head,
        (_, Some(_)) => where_the_traffic_is(operation.plan.kind),
        (_, None) => "the traffic may be where it was: look at the platform",
    };
    format!("{head}; {note}")
}

/// The service was not healthy when the time was up.
pub(super) fn not_recovered(operation: &Operation, verdict: &Verdict, limit: &str) -> String {
    let (word, reasons) = (verdict.word(), verdict.reasons().join("; "));
    let version = &operation.plan.to.version;
    match operation.plan.kind {
        PlanKind::Promote => format!(
            "`{version}` has all the traffic and is {word} after {limit}: {reasons}; whether it is taken back is for a person to \
             say"
        ),
        PlanKind::Deploy { .. } => {
            format!("`{version}` has all the traffic and is {word} after {limit}: {reasons}")
        }
        PlanKind::RollBack
        | PlanKind::Maintenance { .. }
        | PlanKind::Database { .. }
        | PlanKind::Scale { .. }
        | PlanKind::CleanUp => {
            format!("the release was not the cause, or not alone: still {word} after {limit}: {reasons}")
        }
    }
}

/// Nothing said how the service was when the time was up.
pub(super) fn unverified(operation: &Operation, why: &str) -> String {
    format!("{}, but {why}", where_the_traffic_is(operation.plan.kind))
}

const fn where_the_traffic_is(kind: PlanKind) -> &'static str {
    match kind {
        PlanKind::Promote => "all the traffic is on the promoted release",
        PlanKind::Deploy { .. } => "all the traffic is on the release that was brought in",
        PlanKind::RollBack
        | PlanKind::Maintenance { .. }
        | PlanKind::Database { .. }
        | PlanKind::Scale { .. }
        | PlanKind::CleanUp => "the traffic is back",
    }
}

/// Where the backup is that was made before a change which failed after it.
fn with_backup(operation: &Operation, head: String) -> String {
    let steps = operation.plan.steps.iter().zip(&operation.steps);
    let is_there = steps.into_iter().any(|(step, state)| {
        matches!(&step.action, Action::Validate { what: Validation::Backup { .. } })
            && matches!(state, StepState::Succeeded { .. })
    });
    if is_there {
        format!("{head}; the backup that was made before is named in {}", operation.id)
    } else {
        head
    }
}
