//! Joint operations: several services in the order of what depends on what, each by an ordinary operation, one at a time.
//!
//! A deployment begins with what others depend on, a rollback with what depends on others. Before the first one begins, all of
//! them have to be allowed; each is looked at again when its turn comes. A deployment that does not come to its end goes back: the
//! part that failed by its own way, then those before it, the last one first. A rollback that does not stops where it is: whoever
//! goes on has to know why.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::command::{Actor, Command, Deploy, Envelope, RollBack};
use crate::model::event::Event;
use crate::model::joint::{Joint, JointChange, JointKind, JointPart, PartState, Together};
use crate::model::operation::{Operation, OperationStatus, Outcome, Plan, Strategy};
use crate::model::{JointId, OperationId};

use super::core::Work;
use super::planner;
use super::proposal::propose;
use super::state::State;
use super::{commands, decide, executor, messages};

/// Joint operations that are remembered.
const KEPT: usize = 20;

/// The parts in the order in which they come.
///
/// # Errors
/// In words: there are fewer than two, one is there twice, or there is no such service.
pub fn in_order(config: &Config, asked: &Together) -> Result<Vec<JointPart>, String> {
    if asked.parts.len() < 2 {
        return Err("name at least two services: one alone is an ordinary operation".to_owned());
    }
    for (index, part) in asked.parts.iter().enumerate() {
        commands::exists(config, &part.service)?;
        if asked.parts[..index].iter().any(|other| other.service == part.service) {
            return Err(format!("`{}` is named twice", part.service));
        }
    }
    let mut left = asked.parts.clone();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        // The config has no circles, so that there is always one.
        let next = left.iter().position(|part| {
            !left.iter().any(|other| decide::depends(config, &part.service, &other.service))
        });
        ordered.push(left.remove(next.unwrap_or(0)));
    }
    if matches!(asked.kind, JointKind::RollBack { .. }) {
        ordered.reverse();
    }
    Ok(ordered)
}

/// What is asked of one service.
pub fn command(config: &Config, asked: &Together, part: &JointPart) -> Command {
    let (service, reason, overrides) = (part.service.clone(), asked.reason.clone(), asked.overrides.clone());
    match asked.kind {
        JointKind::Deploy { how, confirmed } => Command::Deploy(Deploy {
            strategy: how.unwrap_or(config.deploy_of(&service).strategy),
            // None is refused as a version that nobody knows.
            version: part.version.clone().unwrap_or_else(|| "".into()),
            service,
            from: part.from.clone(),
            confirmed,
            migrations: Vec::new(),
            reason,
            overrides,
        }),
        JointKind::RollBack { strategy } => Command::RollBack(RollBack {
            service,
            from: part.from.clone(),
            to: part.version.clone(),
            strategy,
            reason,
            overrides,
        }),
    }
}

/// Begins one, or refuses it whole.
pub(super) fn begin(work: &mut Work<'_>, envelope: Envelope, asked: &Together) {
    let mut parts = match in_order(work.config(), asked) {
        Ok(parts) => parts,
        Err(why) => return commands::refuse(work, envelope, why, Vec::new()),
    };
    for part in &mut parts {
        let open =
            work.state.joints.values().find(|joint| {
                joint.is_open() && joint.parts.iter().any(|other| other.service == part.service)
            });
        if let Some(open) = open {
            let why = format!("{} concerns {} already; cancel that first", open.id, part.service);
            return commands::refuse(work, envelope, why, Vec::new());
        }
        let command = command(work.config(), asked, part);
        let proposal = propose(work.settings, work.state, work.senses, &command, work.now);
        if let Some(why) = proposal.refusal() {
            let why = format!("{}: {why}", part.service);
            return commands::refuse(work, envelope, why, proposal.guardrails);
        }
        // What was seen now is what is done then, or nothing.
        part.from = proposal.from.map(|release| release.reference);
        part.version = proposal.target.release.map(|release| release.version);
    }
    let planned = JointChange::Planned {
        kind: asked.kind,
        parts,
        by: envelope.by.clone(),
        reason: asked.reason.clone(),
        command: envelope.id.clone(),
        overrides: asked.overrides.clone(),
    };
    let id = work.state.next_joint();
    commands::accept(work, envelope);
    change(work, &id, planned);
    advance(work, &id);
}

/// A person wants it to stop: what runs is cancelled, and what was done of a deployment goes back.
pub(super) fn cancel(work: &mut Work<'_>, id: &str, by: &Actor, reason: &str) {
    let Some(joint) = work.state.joints.get(id).cloned() else { return };
    if joint.turned.is_none() {
        let reason = format!("cancelled by {by}: {reason}");
        change(work, &joint.id, JointChange::Turned { reason, cancelled: true });
    }
    stop_running(work, &joint, by.clone(), reason);
    advance(work, &joint.id);
}

fn stop_running(work: &mut Work<'_>, joint: &Joint, by: Actor, reason: &str) {
    let running = joint.states.iter().find_map(|state| match state {
        PartState::Running { operation } => Some(operation),
        _ => None,
    });
    if let Some(operation) = running {
        commands::stop(work, operation, by, reason.to_owned(), None);
    }
}

/// Goes on with whatever is open.
pub(super) fn tick(work: &mut Work<'_>) {
    let open = work.state.joints.values().filter(|joint| joint.is_open());
    let open: Vec<JointId> = open.map(|joint| joint.id.clone()).collect();
    for id in open {
        advance(work, &id);
    }
}

fn running(joint: &Joint) -> Option<(usize, &OperationId)> {
    joint.states.iter().enumerate().find_map(|(index, state)| match state {
        PartState::Running { operation } | PartState::GoingBack { operation } => Some((index, operation)),
        _ => None,
    })
}

/// Takes every step that can be taken now.
fn advance(work: &mut Work<'_>, id: &JointId) {
    loop {
        let Some(joint) = work.state.joints.get(id).cloned() else { return };
        if !joint.is_open() {
            return;
        }
        if let Some((part, operation)) = running(&joint) {
            match work.state.operation(operation).map(|operation| operation.status.clone()) {
                Some(OperationStatus::Ended { outcome, detail, .. }) => {
                    let to = ended(&joint.states[part], operation, outcome, &detail);
                    change(work, id, JointChange::Part { part, to });
                    continue;
                }
                // A journal that was cut has forgotten it.
                None => {
                    let reason = format!("{operation} is not remembered any more");
                    let to = PartState::Failed { operation: Some(operation.clone()), reason };
                    change(work, id, JointChange::Part { part, to });
                    continue;
                }
                Some(_) => {
                    if joint.turned.is_none()
                        && let Some(reason) = undone(work, &joint)
                    {
                        change(work, id, JointChange::Turned { reason: reason.clone(), cancelled: false });
                        stop_running(work, &joint, Actor::Engine, &reason);
                        continue;
                    }
                    return;
                }
            }
        }
        if work.stopping {
            return;
        }
        let has_moved = if joint.turned.is_some() { turn_back(work, &joint) } else { go_on(work, &joint) };
        if !has_moved {
            return;
        }
    }
}

fn ended(was: &PartState, operation: &OperationId, outcome: Outcome, detail: &str) -> PartState {
    let operation = operation.clone();
    match (was, outcome) {
        (PartState::GoingBack { .. }, Outcome::Verified) => PartState::Back { operation },
        (PartState::GoingBack { .. }, _) => {
            let reason = format!("{}: {detail}", outcome.words());
            PartState::NotBack { operation: Some(operation), reason }
        }
        (_, Outcome::Verified) => PartState::Done { operation },
        _ => {
            let reason = format!("{}: {detail}", outcome.words());
            PartState::Failed { operation: Some(operation), reason }
        }
    }
}

/// The next part, or the end. True: something has happened.
fn go_on(work: &mut Work<'_>, joint: &Joint) -> bool {
    let failed = joint.parts.iter().zip(&joint.states).find_map(|(part, state)| match state {
        PartState::Failed { reason, .. } => Some(format!("{}: {reason}", part.service)),
        _ => None,
    });
    if let Some(reason) = failed.or_else(|| undone(work, joint)) {
        change(work, &joint.id, JointChange::Turned { reason, cancelled: false });
        return true;
    }
    let next = joint.states.iter().position(|state| *state == PartState::Waiting);
    let Some(part) = next else {
        let detail = format!("all of it: {}", joint.words());
        end(work, joint, Outcome::Verified, &detail);
        return true;
    };
    let asked = Together {
        kind: joint.kind,
        parts: joint.parts.clone(),
        reason: format!("{}: {}", joint.id, joint.reason),
        overrides: joint.overrides.clone(),
    };
    let command = command(work.config(), &asked, &joint.parts[part]);
    match commands::plan(work, &command) {
        Ok(planned) => {
            let operation = work.state.next_operation();
            let to = PartState::Running { operation: operation.clone() };
            change(work, &joint.id, JointChange::Part { part, to });
            commands::begin(work, planned, &operation, Some(&joint.command), &joint.by, &asked.reason);
        }
        Err((reason, _)) => {
            let to = PartState::Failed { operation: None, reason: format!("not begun: {reason}") };
            change(work, &joint.id, JointChange::Part { part, to });
        }
    }
    true
}

/// A part that was done and is not so any more: something else was done to its service since.
fn undone(work: &Work<'_>, joint: &Joint) -> Option<String> {
    joint.parts.iter().zip(&joint.states).find_map(|(part, state)| {
        let PartState::Done { operation } = state else { return None };
        let is_later = |other: &&Operation| {
            other.plan.service == part.service && other.plan.kind.moves_traffic() && other.id != *operation
        };
        let since = work.state.operations_in_order().rev().take_while(|other| other.id != *operation);
        let later = since.filter(is_later).last()?;
        Some(format!("{} was done, and then {} began on it ({})", part.service, later.id, later.plan.purpose))
    })
}

/// The next one that goes back, or the end. True: something has happened.
fn turn_back(work: &mut Work<'_>, joint: &Joint) -> bool {
    let Some((why, cancelled)) = joint.turned.clone() else { return false };
    // What failed goes back by its own way, first.
    let busy =
        |part: &JointPart| work.state.service(&part.service).is_some_and(|known| known.operation.is_some());
    let is_busy = joint.parts.iter().zip(&joint.states).any(|(part, state)| {
        matches!(state, PartState::Failed { .. } | PartState::Done { .. }) && busy(part)
    });
    if is_busy {
        return false;
    }
    let is_deployment = matches!(joint.kind, JointKind::Deploy { .. });
    let last = joint.states.iter().rposition(|state| matches!(state, PartState::Done { .. }));
    if let Some(part) = last.filter(|_| is_deployment) {
        take_back(work, joint, part, &why);
        return true;
    }
    let needs_person = joint.states.iter().any(|state| matches!(state, PartState::NotBack { .. }));
    let outcome = if cancelled && !needs_person { Outcome::Cancelled } else { Outcome::Failed };
    end(work, joint, outcome, &format!("{why}; {}", joint.words()));
    true
}

/// Begins the way back of a part that was done.
fn take_back(work: &mut Work<'_>, joint: &Joint, part: usize, why: &str) {
    let PartState::Done { operation: done } = &joint.states[part] else { return };
    let service = &joint.parts[part].service;
    let Some(done) = work.state.operation(done).cloned() else {
        let to = PartState::NotBack { operation: None, reason: format!("{done} is not remembered any more") };
        return change(work, &joint.id, JointChange::Part { part, to });
    };
    let (from, to) = (&done.plan.to, &done.plan.from);
    let inventory = work.state.service(service).and_then(|known| known.inventory.as_ref());
    if inventory.is_some_and(|inventory| inventory.serves_all(&to.reference)) {
        // Somebody was faster.
        let to = PartState::Back { operation: done.id.clone() };
        return change(work, &joint.id, JointChange::Part { part, to });
    }
    let next = work.state.next_operation();
    let key = executor::key_prefix(work, &next);
    let made =
        executor::draft(work, service, (from, to), Strategy::Immediate, &key).and_then(planner::roll_back);
    let plan = match made {
        // Nothing says that this one is bad.
        Ok(plan) => Plan { spares: true, ..plan },
        Err(reason) => {
            let to = PartState::NotBack { operation: None, reason };
            return change(work, &joint.id, JointChange::Part { part, to });
        }
    };
    let to = PartState::GoingBack { operation: next.clone() };
    change(work, &joint.id, JointChange::Part { part, to });
    let planned = Event::OperationPlanned {
        operation: next.clone(),
        plan,
        by: Actor::Engine,
        reason: format!("{} goes back: {why}", joint.id),
        decision: None,
        command: Some(joint.command.clone()),
        guardrails: Vec::new(),
    };
    executor::begin(work, &next, planned);
}

fn end(work: &mut Work<'_>, joint: &Joint, outcome: Outcome, detail: &str) {
    change(work, &joint.id, JointChange::Ended { outcome, detail: detail.to_owned() });
    messages::joint_ended(work, joint, outcome, detail);
}

fn change(work: &mut Work<'_>, id: &JointId, change: JointChange) {
    work.emit(Event::JointChanged { joint: id.clone(), change });
}

/// Takes an event in.
pub(super) fn fold(state: &mut State, event: &Event, at: Timestamp) {
    let Event::JointChanged { joint: id, change } = event else { return };
    if let JointChange::Planned { kind, parts, by, reason, command, overrides } = change {
        state.counts.joints += 1;
        let joint = Joint {
            id: id.clone(),
            kind: *kind,
            states: vec![PartState::Waiting; parts.len()],
            parts: parts.clone(),
            by: by.clone(),
            reason: reason.clone(),
            command: command.clone(),
            overrides: overrides.clone(),
            at,
            turned: None,
            ended: None,
        };
        state.joints.insert(id.clone(), Arc::new(joint));
        while state.joints.len() > KEPT {
            let closed = state.joints.values().filter(|joint| !joint.is_open());
            let Some(oldest) = closed.min_by_key(|joint| joint.at).map(|joint| joint.id.clone()) else {
                return;
            };
            state.joints.remove(&oldest);
        }
        return;
    }
    let Some(joint) = state.joints.get_mut(id).map(Arc::make_mut) else { return };
    match change {
        JointChange::Planned { .. } => {}
        JointChange::Part { part, to } => {
            if let Some(state) = joint.states.get_mut(*part) {
                state.clone_from(to);
            }
        }
        JointChange::Turned { reason, cancelled } => joint.turned = Some((reason.clone(), *cancelled)),
        JointChange::Ended { outcome, detail } => joint.ended = Some((*outcome, detail.clone(), at)),
    }
}
