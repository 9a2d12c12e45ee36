//! The fold of what happens to incidents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use super::Settled;
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::escalation::{EscalationChange, IncidentRole};
use crate::model::event::Event;
use crate::model::incident::{
    Acknowledged, Ended, Held, Incident, IncidentChange, Note, Offer, Resolved, Storm, Tick,
};
use crate::model::trigger::{Finding, Verdict};
use crate::model::{IncidentId, ServiceName};

use super::super::state::State;

/// Resolved incidents that are kept for people to see.
const INCIDENTS_KEPT: usize = 20;
/// Notes of an incident that are kept.
const NOTES_KEPT: usize = 100;
/// Operations of an incident that are kept.
const OPERATIONS_KEPT: usize = 100;
/// Alarms of an incident that are kept.
const ALARMS_KEPT: usize = 100;

/// Takes one event into the incidents of a state, before the rest of the state has taken it.
pub(in crate::engine) fn fold(state: &mut State, event: &Event, at: Timestamp) {
    match event {
        Event::IncidentOpened { incident: id, title, level, services, by, reason } => {
            state.counts.incidents += 1;
            let mut incident = Incident {
                id: id.clone(),
                title: title.clone(),
                level: *level,
                opened_at: at,
                by: by.clone(),
                reason: reason.clone(),
                services: Vec::new(),
                acknowledged: None,
                ticks: BTreeMap::new(),
                resolved: None,
                operations: Vec::new(),
                notes: VecDeque::new(),
                suspected: false,
                roles: BTreeMap::new(),
                offers: BTreeMap::new(),
                ended: None,
                closed: None,
                reopened: 0,
                mitigated_at: None,
                engaged_at: None,
                onset: None,
                alarms: Vec::new(),
                drill: false,
                told_unacknowledged: false,
                messages: 0,
                updates: BTreeMap::new(),
                commander_seen: None,
                commander_away: None,
                storm: None,
                told_with: None,
            };
            for service in services {
                join(&mut incident, service, state);
            }
            state.incidents.insert(id.clone(), Arc::new(incident));
            forget_old(state);
        }
        Event::IncidentJoined { incident, service, .. } => {
            if let Some(mut incident) = state.incidents.remove(incident) {
                join(Arc::make_mut(&mut incident), service, state);
                state.incidents.insert(incident.id.clone(), incident);
            }
        }
        Event::OperationPlanned { operation, plan, by, .. } => {
            let open = state.incidents.values().filter(|incident| incident.is_open());
            let of: Vec<IncidentId> = open
                .filter(|incident| incident.has(&plan.service))
                .map(|incident| incident.id.clone())
                .collect();
            for id in of {
                if let Some(incident) = incident_mut(state, &id) {
                    link(incident, operation);
                    engage(incident, by, at);
                }
            }
        }
        Event::ChecklistChanged { incident, by, change, .. } => {
            let acts = !matches!(change, ChecklistChange::Attached { .. } | ChecklistChange::Closed);
            if acts && let Some(incident) = incident_mut(state, incident) {
                engage(incident, by, at);
            }
        }
        Event::NotificationQueued { notification } => {
            if let Some(incident) = notification.incident.as_ref().and_then(|id| incident_mut(state, id)) {
                incident.messages += 1;
            }
        }
        Event::IncidentAcknowledged { incident, by } => {
            if let Some(incident) = incident_mut(state, incident) {
                // The first answer is the one that was promised.
                incident.acknowledged.get_or_insert(Acknowledged { by: by.clone(), at });
                seen(incident, by, at);
            }
        }
        Event::EscalationChanged { incident, change: EscalationChange::Acknowledged { by, .. } } => {
            if let Some(incident) = incident_mut(state, incident) {
                seen(incident, by, at);
            }
        }
        Event::ChecklistTicked { incident, item, ticked, by, note } => {
            if let Some(incident) = incident_mut(state, incident) {
                engage(incident, by, at);
                match *ticked {
                    Some(ticked) => {
                        let tick = Tick { ticked, by: by.clone(), at, note: note.clone() };
                        incident.ticks.insert(item.clone(), tick);
                    }
                    None => {
                        incident.ticks.remove(item);
                    }
                }
            }
        }
        Event::IncidentLevelSet { incident, level, by, .. } => {
            if let Some(incident) = incident_mut(state, incident) {
                engage(incident, by, at);
                incident.level = *level;
            }
        }
        Event::IncidentNoted { incident, by, text } => {
            if let Some(incident) = incident_mut(state, incident) {
                engage(incident, by, at);
                incident.notes.push_back(Note { by: by.clone(), at, text: text.clone() });
                if incident.notes.len() > NOTES_KEPT {
                    incident.notes.pop_front();
                }
            }
        }
        Event::IncidentResolved { incident, by, reason } => {
            if let Some(incident) = incident_mut(state, incident) {
                incident.resolved = Some(Resolved { by: by.clone(), at, reason: reason.clone() });
                state.settled = what_is_wrong(state, at);
            }
        }
        Event::IncidentChanged { incident, by, change } => {
            if let Some(incident) = incident_mut(state, incident) {
                changed(incident, by, change, at);
                seen(incident, by, at);
            }
            // Another one goes on with what this one was about.
            if let IncidentChange::Merged { into, .. } = change {
                merge(state, incident, into);
            }
            if matches!(change, IncidentChange::FalseAlarm { .. }) {
                state.settled = what_is_wrong(state, at);
            }
        }
        Event::VerdictChanged { service, arm: None, verdict } => {
            let Some(settled) = state.settled.get_mut(service) else { return };
            match verdict {
                Verdict::Healthy => {
                    state.settled.remove(service);
                }
                Verdict::Degraded { .. } => {
                    // Not knowing, as after a restart, is no improvement, nor is what comes to light after it.
                    let before = state.services.get(service).and_then(|known| known.verdict.as_ref());
                    if matches!(before, Some((Verdict::Failing { .. }, _))) {
                        settled.failing = false;
                    }
                }
                Verdict::Failing { .. } | Verdict::Unknown { .. } => {}
            }
        }
        Event::FindingCleared { finding, .. } => {
            if let Some(finding) = state.findings.get(finding) {
                let key = (finding.trigger.clone(), finding.arm);
                for settled in state.settled.values_mut() {
                    settled.triggers.remove(&key);
                }
                return;
            }
            for (service, settled) in &mut state.settled {
                let Some(known) = state.services.get(service) else { continue };
                if let Some(finding) = known.findings.get(finding)
                    && !matches!(known.verdict, Some((Verdict::Unknown { .. }, _)))
                {
                    settled.triggers.remove(&(finding.trigger.clone(), finding.arm));
                }
            }
        }
        _ => {}
    }
}

fn changed(incident: &mut Incident, by: &Actor, change: &IncidentChange, at: Timestamp) {
    match change {
        IncidentChange::Suspected => incident.suspected = true,
        IncidentChange::Drill => incident.drill = true,
        IncidentChange::Declared => incident.suspected = false,
        IncidentChange::FalseAlarm { reason } => {
            incident.ended = Some(Ended::FalseAlarm);
            incident.resolved = Some(Resolved { by: by.clone(), at, reason: reason.clone() });
        }
        IncidentChange::Merged { into, reason } => {
            incident.ended = Some(Ended::Merged { into: into.clone() });
            incident.resolved = Some(Resolved { by: by.clone(), at, reason: reason.clone() });
        }
        IncidentChange::Reopened { .. } => {
            incident.resolved = None;
            incident.closed = None;
            incident.mitigated_at = None;
            incident.reopened = incident.reopened.saturating_add(1);
        }
        IncidentChange::Closed { reason } => {
            incident.closed = Some(Resolved { by: by.clone(), at, reason: reason.clone() });
        }
        IncidentChange::RoleTaken { role, name } => {
            incident.offers.remove(role);
            incident.roles.insert(*role, Held { name: name.clone(), at });
            if *role == IncidentRole::Commander {
                (incident.commander_seen, incident.commander_away) = (None, None);
            }
        }
        IncidentChange::RoleOffered { role, to } => {
            incident.offers.insert(*role, Offer { to: to.clone(), by: by.clone(), at });
        }
        IncidentChange::OfferLapsed { role, .. } => {
            incident.offers.remove(role);
        }
        IncidentChange::Linked { operation } => link(incident, operation),
        IncidentChange::OnsetSet { onset, .. } => incident.onset = Some(*onset),
        IncidentChange::Mitigated { since } => incident.mitigated_at = Some(*since),
        IncidentChange::AlarmLinked { alarm } => {
            if !incident.alarms.contains(alarm) && incident.alarms.len() < ALARMS_KEPT {
                incident.alarms.push(alarm.clone());
            }
        }
        IncidentChange::Unacknowledged => incident.told_unacknowledged = true,
        IncidentChange::Told { audience, next, .. } => {
            let update = incident.updates.entry(*audience).or_default();
            update.at = Some(at);
            update.promised = *next;
            update.count = update.count.saturating_add(1);
            update.late = None;
        }
        IncidentChange::UpdateMissed { audience, due } => {
            let update = incident.updates.entry(*audience).or_default();
            update.missed = update.missed.saturating_add(1);
            update.late = Some(*due);
        }
        IncidentChange::CommanderAway { .. } => incident.commander_away = Some(at),
        IncidentChange::StormBegan { .. } => {
            incident.storm = Some(Storm { at, told: BTreeSet::new(), passed: false });
        }
        IncidentChange::ToldWith { lead } => incident.told_with = Some(lead.clone()),
        IncidentChange::StormTold { incidents } => {
            let storm =
                incident.storm.get_or_insert_with(|| Storm { at, told: BTreeSet::new(), passed: false });
            storm.at = at;
            storm.told.extend(incidents.iter().cloned());
        }
        IncidentChange::StormPassed => {
            if let Some(storm) = &mut incident.storm {
                storm.passed = true;
            }
        }
        IncidentChange::ToldAlone { .. } => incident.told_with = None,
    }
}

/// Whoever commands it is there: they have just done something.
fn seen(incident: &mut Incident, by: &Actor, at: Timestamp) {
    if let Actor::Person { name } = by
        && incident.commander() == Some(name)
    {
        incident.commander_seen = Some(at);
        incident.commander_away = None;
    }
}

/// Gives the services, operations and alarms of one incident to another.
fn merge(state: &mut State, from: &IncidentId, into: &IncidentId) {
    let Some(from) = state.incidents.get(from).cloned() else { return };
    let Some(into) = incident_mut(state, into) else { return };
    for service in &from.services {
        if !into.has(service) {
            into.services.push(service.clone());
        }
    }
    for operation in &from.operations {
        link(into, operation);
    }
    for alarm in &from.alarms {
        if !into.alarms.contains(alarm) && into.alarms.len() < ALARMS_KEPT {
            into.alarms.push(alarm.clone());
        }
    }
    into.level = into.level.min(from.level);
}

/// Notes that a person has done something about an incident, beyond acknowledging it.
fn engage(incident: &mut Incident, by: &Actor, at: Timestamp) {
    if matches!(by, Actor::Person { .. }) {
        incident.engaged_at.get_or_insert(at);
    }
    seen(incident, by, at);
}

fn incident_mut<'a>(state: &'a mut State, id: &IncidentId) -> Option<&'a mut Incident> {
    state.incidents.get_mut(id).map(Arc::make_mut)
}

/// Makes a service part of an incident, with the operation that is open on it.
fn join(incident: &mut Incident, service: &ServiceName, state: &State) {
    if incident.has(service) {
        return;
    }
    incident.services.push(service.clone());
    if let Some(operation) = state.service(service).and_then(|known| known.operation.as_ref()) {
        link(incident, operation);
    }
}

fn link(incident: &mut Incident, operation: &crate::model::OperationId) {
    if !incident.operations.contains(operation) {
        incident.operations.push(operation.clone());
        if incident.operations.len() > OPERATIONS_KEPT {
            incident.operations.remove(0);
        }
    }
}

fn forget_old(state: &mut State) {
    let resolved: Vec<IncidentId> = state
        .incidents_in_order()
        .into_iter()
        .filter(|incident| !incident.is_open())
        .map(|incident| incident.id.clone())
        .collect();
    for id in resolved.iter().take(resolved.len().saturating_sub(INCIDENTS_KEPT)) {
        state.incidents.remove(id);
        state.escalations.remove(id);
        state.runs.retain(|_, run| run.incident != *id);
    }
}

/// Every service with which something is wrong, and what.
fn what_is_wrong(state: &State, at: Timestamp) -> BTreeMap<ServiceName, Settled> {
    let key = |finding: &Finding| (finding.trigger.clone(), finding.arm);
    let everywhere: BTreeSet<_> = state.findings.values().map(key).collect();
    let mut wrong = BTreeMap::new();
    for (name, known) in &state.services {
        let failing = matches!(known.verdict, Some((Verdict::Failing { .. }, _)));
        let mut triggers: BTreeSet<_> = known.findings.values().map(key).collect();
        triggers.extend(everywhere.iter().cloned());
        if failing || !triggers.is_empty() {
            wrong.insert(name.clone(), Settled { at, failing, triggers });
        }
    }
    wrong
}
