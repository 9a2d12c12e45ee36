//! The fold of what happens in escalations.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::IncidentId;
use crate::model::escalation::{Escalation, EscalationChange, Standing, Told};

use super::super::state::State;

/// How many of those that were told are kept.
const TOLD_KEPT: usize = 200;

/// Takes a change of an escalation into the state.
pub(in crate::engine) fn fold(
    state: &mut State,
    incident: &IncidentId,
    change: &EscalationChange,
    at: Timestamp,
) {
    if let EscalationChange::Began { policy, levels, next_at, .. } = change {
        let before = state.escalations.get(incident);
        let (generation, told) =
            before.map_or((0, Vec::new()), |before| (before.generation, before.told.clone()));
        let escalation = Escalation {
            policy: policy.clone(),
            levels: levels.clone(),
            generation: generation.saturating_add(1),
            began_at: at,
            standing: Standing::Paging,
            level: 0,
            pass: 1,
            next_at: Some(*next_at),
            told,
            unreachable: Vec::new(),
        };
        state.escalations.insert(incident.clone(), Arc::new(escalation));
        return;
    }
    let Some(escalation) = state.escalations.get_mut(incident).map(Arc::make_mut) else { return };
    match change {
        EscalationChange::Began { .. } => {}
        EscalationChange::LevelTold { level, pass, told, next_at, .. } => {
            // Whoever answered has answered; that others are told something more does not undo it.
            if !matches!(escalation.standing, Standing::Acknowledged { .. }) {
                escalation.standing = Standing::Paging;
                escalation.next_at = *next_at;
            }
            escalation.level = *level;
            escalation.pass = *pass;
            remember(escalation, *level, told, at);
        }
        EscalationChange::Unreachable { target, reason, .. } => {
            escalation.unreachable.push(format!("{target}: {reason}"));
            if escalation.unreachable.len() > TOLD_KEPT {
                escalation.unreachable.remove(0);
            }
        }
        EscalationChange::Acknowledged { by, until, next_at } => {
            escalation.standing = Standing::Acknowledged { by: by.clone(), at, until: *until };
            escalation.next_at = *next_at;
        }
        EscalationChange::Reminded { next_at } => escalation.next_at = *next_at,
        EscalationChange::AcknowledgementRanOut { .. } => {
            // The same level is told again.
            escalation.standing = Standing::Paging;
            escalation.level = escalation.level.saturating_sub(1);
            escalation.next_at = Some(at);
        }
        EscalationChange::Snoozed { until, by, reason } => {
            escalation.standing = Standing::Snoozed { until: *until, by: by.clone(), reason: reason.clone() };
            escalation.next_at = None;
        }
        EscalationChange::Woke { next_at } => {
            escalation.standing = Standing::Paging;
            escalation.next_at = Some(*next_at);
        }
        EscalationChange::Exhausted { told } => {
            escalation.standing = Standing::Exhausted { at };
            escalation.next_at = None;
            let level = escalation.levels.level.len() + 1;
            remember(escalation, level, told, at);
        }
        EscalationChange::Stopped { reason, .. } => {
            escalation.standing = Standing::Stopped { reason: reason.clone() };
            escalation.next_at = None;
        }
    }
}

fn remember(
    escalation: &mut Escalation,
    level: usize,
    told: &[(String, crate::model::ChannelName)],
    at: Timestamp,
) {
    let told = told.iter().map(|(target, channel)| Told {
        at,
        level,
        target: target.clone(),
        channel: channel.clone(),
    });
    escalation.told.extend(told);
    let surplus = escalation.told.len().saturating_sub(TOLD_KEPT);
    escalation.told.drain(..surplus);
}
