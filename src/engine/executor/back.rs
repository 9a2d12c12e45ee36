//! The way back of a deployment that did not come to its end: the ordinary rollback plan, without any stage.

use crate::model::OperationId;
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::operation::{Action, Operation, OperationStatus, Outcome, Plan, StepState, Strategy};

use super::super::core::Work;
use super::super::messages;
use super::super::planner;
use super::waits::threat;
use super::{begin, draft, key_prefix};

/// Goes back to the release that a deployment was to replace, if it may have moved any traffic.
pub(super) fn go(work: &mut Work<'_>, id: &OperationId, detail: &str) {
    let Some(operation) = work.state.operations.get(id).cloned() else { return };
    if !operation.may_have_moved() {
        return;
    }
    let plan = &operation.plan;
    let next = work.state.next_operation();
    let key = key_prefix(work, &next);
    let strategy = operation.taken_back.as_ref().map_or(Strategy::Immediate, |asked| asked.strategy);
    let made =
        draft(work, &plan.service, (&plan.to, &plan.from), strategy, &key).and_then(planner::roll_back);
    let back = match made {
        Ok(back) => Plan { spares: !is_to_blame(work, &operation), ..back },
        Err(why) => return messages::no_way_back(work, &operation, &why),
    };
    let (by, reason, command) = match &operation.taken_back {
        Some(asked) => (asked.by.clone(), asked.reason.clone(), Some(asked.command.clone())),
        None => (Actor::Engine, format!("{id} ended: {detail}"), None),
    };
    let planned = Event::OperationPlanned {
        operation: next.clone(),
        plan: back,
        by,
        reason,
        decision: None,
        command,
        guardrails: Vec::new(),
    };
    begin(work, &next, planned);
}

/// Whether something says that the release is bad: it failed with users on it or in a test, or a person takes it back. That it
/// was cancelled, or that too little was seen of it, says nothing.
fn is_to_blame(work: &Work<'_>, operation: &Operation) -> bool {
    let failed_a_test = operation.plan.steps.iter().zip(&operation.steps).any(|(step, state)| {
        matches!(step.action, Action::Validate { .. }) && matches!(state, StepState::Failed { .. })
    });
    let is_unwell =
        matches!(&operation.status, OperationStatus::Ended { outcome: Outcome::NotRecovered, .. });
    failed_a_test || is_unwell || operation.taken_back.is_some() || threat(work, operation).is_some()
}
