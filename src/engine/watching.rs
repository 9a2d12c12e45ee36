//! What comes after a deployment: most of what is wrong with a release shows late, so the release that was brought in is looked at
//! again when it has served for five minutes, for half an hour, for a day. The triggers act meanwhile as ever; this is the record.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::event::Event;
use crate::model::operation::{Operation, OperationStatus, Outcome, PlanKind, Watched};
use crate::model::trigger::Verdict;
use crate::model::{OperationId, ServiceName, Span};

use super::core::Work;
use super::incidents::{elapsed, late_ms};
use super::state::State;

/// When an operation brought in the release that still is the stable one; none where it did not, or another one is there now.
fn since(operation: &Operation, state: &State) -> Option<Timestamp> {
    if !matches!(operation.plan.kind, PlanKind::Deploy { .. } | PlanKind::Promote) {
        return None;
    }
    let OperationStatus::Ended { outcome: Outcome::Verified, at, .. } = &operation.status else {
        return None;
    };
    let stable = state.service(&operation.plan.service)?.stable()?;
    (stable.reference == operation.plan.to.reference).then_some(*at)
}

/// The next look at what an operation brought in: how long after it came, and when that is. None where it is looked at no more.
pub fn next(operation: &Operation, state: &State, config: &Config) -> Option<(Span, Timestamp)> {
    let windows = &config.deploy_of(&operation.plan.service).windows;
    let window = windows.get(operation.watched.len()).copied()?;
    Some((window, since(operation, state)?.checked_add(*window).ok()?))
}

/// The newest operation that brought in what a service has now.
fn of<'s>(state: &'s State, service: &ServiceName) -> Option<&'s Operation> {
    let mut newest = state
        .operations_in_order()
        .rev()
        .filter(|operation| operation.plan.service == *service && operation.plan.kind.moves_traffic());
    newest.next().filter(|operation| since(operation, state).is_some())
}

/// Notes the windows that have passed.
pub(super) fn tick(work: &mut Work<'_>) {
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let config = Arc::clone(&work.settings.config);
    for service in config.services.keys() {
        let Some(operation) = of(work.state, service) else { continue };
        let Some((window, due)) = next(operation, work.state, &config) else { continue };
        if due > work.now {
            continue;
        }
        let verdict = work.state.service(service).and_then(|known| known.verdict.as_ref());
        let verdict = verdict.map_or_else(
            || Verdict::Unknown { reasons: vec!["nothing was seen of it".to_owned()] },
            |(verdict, _)| verdict.clone(),
        );
        let event = Event::ReleaseWatched {
            operation: operation.id.clone(),
            service: service.clone(),
            version: operation.plan.to.version.clone(),
            window,
            verdict,
            raised: operation.raised.iter().cloned().collect(),
            late_ms: late_ms(elapsed(due, work.now)),
        };
        work.emit(event);
    }
}

/// Takes an event into what is known of the time after a deployment.
pub(super) fn fold(state: &mut State, event: &Event, at: Timestamp) {
    match event {
        Event::FindingRaised { finding } => {
            let Some(service) = &finding.service else { return };
            let id: Option<OperationId> = of(state, service).map(|operation| operation.id.clone());
            if let Some(operation) = id.and_then(|id| state.operations.get_mut(&id)) {
                Arc::make_mut(operation).raised.insert(finding.trigger.clone());
            }
        }
        Event::ReleaseWatched { operation, window, verdict, raised, .. } => {
            if let Some(operation) = state.operations.get_mut(operation) {
                let watched =
                    Watched { window: *window, at, verdict: verdict.clone(), raised: raised.clone() };
                let operation = Arc::make_mut(operation);
                operation.watched.push(watched);
                operation.raised.clear();
            }
        }
        _ => {}
    }
}
