//! Incidents in the core: when one is declared, what joins it, what people say about it, and the fold of all that.
//!
//! The engine declares an incident and lets services join it; it raises its severity and never lowers it; it never
//! resolves one. What was wrong when a person resolved an incident opens no other while it stays as it is, for a day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::schema::Criticality;
use crate::model::command::{Actor, Command, Envelope};
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::incident::{Acknowledged, Incident, Level, Note, Resolved, Tick, Ticked};
use crate::model::reading::ServiceReading;
use crate::model::release::Arm;
use crate::model::trigger::{Finding, TriggerAction, Verdict};
use crate::model::units::human;
use crate::model::{IncidentId, ItemId, ServiceName, TriggerName};

use super::checklist::{self, ACKNOWLEDGE, ItemState};
use super::commands::{accept, refuse};
use super::core::Work;
use super::state::{ServiceState, State};

/// How long everything has to be healthy without a break before it is proposed to resolve an incident.
pub const STABILITY_HOLD: Duration = Duration::from_secs(60);
/// The longest that a title may be, in characters.
pub const TITLE_LIMIT: usize = 200;
/// The longest that a note may be, in characters.
pub const NOTE_LIMIT: usize = 4_000;

/// How long what was wrong when an incident was resolved opens no other. After that it is not what the person spoke of.
const SETTLED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// Resolved incidents that are kept for people to see.
const INCIDENTS_KEPT: usize = 20;
/// Notes of an incident that are kept.
const NOTES_KEPT: usize = 100;
/// Operations of an incident that are kept.
const OPERATIONS_KEPT: usize = 100;

/// What was wrong with a service when a person resolved an incident, and still is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// When it was resolved.
    pub at: Timestamp,
    /// It was failing.
    pub failing: bool,
    /// These triggers held, on these arms.
    pub triggers: BTreeSet<(TriggerName, Option<Arm>)>,
}

/// Where an incident stands, as far as that follows from what is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum IncidentStatus {
    /// Nobody has taken it up and nothing is being done.
    Declared,
    /// Somebody works on it, or something is being done.
    Mitigating,
    /// All its services are healthy and no operation is open: it is being watched.
    Monitoring {
        /// Since when all of them are healthy.
        since: Timestamp,
        /// That has been so for long enough: a person may resolve it.
        propose_resolve: bool,
    },
    /// A person said that it is over.
    Resolved,
}

impl IncidentStatus {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Mitigating => "mitigating",
            Self::Monitoring { .. } => "monitoring",
            Self::Resolved => "resolved",
        }
    }
}

/// Where an incident stands now.
pub fn status(incident: &Incident, state: &State, now: Timestamp) -> IncidentStatus {
    if !incident.is_open() {
        return IncidentStatus::Resolved;
    }
    let is_open =
        |service: &ServiceName| state.service(service).is_some_and(|known| known.operation.is_some());
    let mut healthy_since = incident.services.first().map(|_| incident.opened_at);
    for service in &incident.services {
        let verdict = state.service(service).and_then(|known| known.verdict.as_ref());
        healthy_since = match (healthy_since, verdict) {
            (Some(since), Some((Verdict::Healthy, at))) if !is_open(service) => Some(since.max(*at)),
            _ => None,
        };
    }
    if let Some(since) = healthy_since {
        let propose_resolve = elapsed(since, now) >= STABILITY_HOLD;
        return IncidentStatus::Monitoring { since, propose_resolve };
    }
    if incident.acknowledged.is_some() || !incident.operations.is_empty() {
        IncidentStatus::Mitigating
    } else {
        IncidentStatus::Declared
    }
}

/// The severity of an incident that hurts a service on which this much depends.
pub const fn level_of(criticality: Criticality) -> Level {
    match criticality {
        Criticality::Critical => Level::Sev1,
        Criticality::Normal => Level::Sev2,
        Criticality::Low => Level::Sev3,
    }
}

impl State {
    /// The incident that is open, if one is. There is never more than one.
    pub fn open_incident(&self) -> Option<&Arc<Incident>> {
        self.incidents.values().find(|incident| incident.is_open())
    }

    /// An incident, if it is known.
    pub fn incident(&self, id: &IncidentId) -> Option<&Arc<Incident>> {
        self.incidents.get(id)
    }

    /// The incidents that are known, oldest first.
    pub fn incidents_in_order(&self) -> Vec<&Arc<Incident>> {
        let mut incidents: Vec<_> = self.incidents.values().collect();
        // Ids are numbered; a longer one is later.
        incidents.sort_by_key(|incident| (incident.id.as_str().len(), incident.id.clone()));
        incidents
    }

    /// The id that the next incident gets.
    pub fn next_incident(&self) -> IncidentId {
        IncidentId::from(format!("INC-{}", self.counts.incidents + 1))
    }
}

/// Takes one event into the incidents of a state, before the rest of the state has taken it.
pub(super) fn fold(state: &mut State, event: &Event, at: Timestamp) {
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
                notes: std::collections::VecDeque::new(),
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
        Event::OperationPlanned { operation, plan, .. } => {
            let open = state.open_incident().filter(|incident| incident.has(&plan.service));
            if let Some(id) = open.map(|incident| incident.id.clone())
                && let Some(incident) = incident_mut(state, &id)
            {
                link(incident, operation);
            }
        }
        Event::IncidentAcknowledged { incident, by } => {
            if let Some(incident) = incident_mut(state, incident) {
                incident.acknowledged = Some(Acknowledged { by: by.clone(), at });
            }
        }
        Event::ChecklistTicked { incident, item, ticked, by, note } => {
            if let Some(incident) = incident_mut(state, incident) {
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
        Event::IncidentLevelSet { incident, level, .. } => {
            if let Some(incident) = incident_mut(state, incident) {
                incident.level = *level;
            }
        }
        Event::IncidentNoted { incident, by, text } => {
            if let Some(incident) = incident_mut(state, incident) {
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

/// Why a service belongs into an incident.
struct Cause {
    title: String,
    reason: String,
    /// It was not there when the last incident was resolved.
    is_new: bool,
}

/// The findings of a decision that still hold. A decision stays when they are gone.
fn holding<'a>(
    state: &State,
    known: &ServiceState,
    decision: &'a Decision,
) -> impl Iterator<Item = &'a Finding> {
    let holds = |finding: &Finding| {
        known.findings.contains_key(&finding.id) || state.findings.contains_key(&finding.id)
    };
    decision.findings.iter().filter(move |finding| holds(finding))
}

/// The decision to roll a service back, if there is one and what it rests on still holds.
pub(super) fn asks_for_rollback<'a>(state: &State, known: &'a ServiceState) -> Option<&'a Decision> {
    let decision = known.decision.as_deref().filter(|decision| decision.recommendation.acts())?;
    holding(state, known, decision).next().is_some().then_some(decision)
}

/// What speaks for an incident on a service: it is failing, or what was decided about it asks for a rollback.
fn cause(state: &State, service: &ServiceName, now: Timestamp) -> Option<Cause> {
    let known = state.service(service)?;
    let failing = match &known.verdict {
        Some((Verdict::Failing { reasons }, _)) => Some(reasons),
        _ => None,
    };
    let decision = asks_for_rollback(state, known);
    if failing.is_none() && decision.is_none() {
        return None;
    }
    let decided = decision.into_iter().flat_map(|decision| holding(state, known, decision));
    let settled = state.settled.get(service).filter(|settled| elapsed(settled.at, now) < SETTLED_FOR);
    let is_news = |finding: &&Finding| {
        !settled.is_some_and(|settled| settled.triggers.contains(&(finding.trigger.clone(), finding.arm)))
    };
    let mut serious = known.findings.values().filter(|finding| finding.action != TriggerAction::Watch);
    let is_new = decided.into_iter().any(|finding| is_news(&finding))
        || failing.is_some()
            && (settled.is_none_or(|settled| !settled.failing) || serious.any(|finding| is_news(&finding)));
    let title = if failing.is_some() {
        format!("{service} is failing")
    } else {
        format!("{service} should be rolled back")
    };
    let reasons = failing.or_else(|| decision.map(|made| &made.reasons));
    let reason = reasons.and_then(|reasons| reasons.first()).cloned().unwrap_or_else(|| title.clone());
    Some(Cause { title, reason, is_new })
}

/// Declares an incident for a service, or lets the service join the open one, if that is what is known of it asks for.
pub(super) fn consider(work: &mut Work<'_>, service: &ServiceName) {
    // A process for a single command leaves that to a guard.
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let Some(spec) = work.settings.config.services.get(service) else { return };
    let Some(Cause { title, reason, is_new }) = cause(work.state, service, work.now) else { return };
    let level = level_of(spec.criticality);
    let Some(open) = work.state.open_incident().map(Arc::clone) else {
        if is_new {
            work.emit(Event::IncidentOpened {
                incident: work.state.next_incident(),
                title,
                level,
                services: vec![service.clone()],
                by: Actor::Engine,
                reason,
            });
        }
        return;
    };
    if open.has(service) {
        return;
    }
    work.emit(Event::IncidentJoined { incident: open.id.clone(), service: service.clone(), reason });
    if level < open.level {
        work.emit(Event::IncidentLevelSet {
            incident: open.id.clone(),
            level,
            by: Actor::Engine,
            reason: format!("{title}; its criticality makes that {level}"),
        });
    }
}

/// What is sensed of every service, as the faces see it.
fn readings(work: &Work<'_>) -> BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)> {
    let seen = work.settings.config.services.keys().filter_map(|name| {
        let at = work.senses.evaluated_at(name)?;
        Some((name.clone(), (at, Arc::clone(work.senses.reading(name)?))))
    });
    seen.collect()
}

/// Ticks the items of the open incident's checklist that the engine sees to be true.
pub(super) fn tick_what_is_seen(work: &mut Work<'_>) {
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let Some(incident) = work.state.open_incident().map(Arc::clone) else { return };
    let list = checklist::checklist(&incident, work.state, &readings(work), work.now);
    for (item, fact) in list.seen_to_be_done() {
        work.emit(Event::ChecklistTicked {
            incident: incident.id.clone(),
            item,
            ticked: Some(Ticked::Done),
            by: Actor::Engine,
            note: Some(fact),
        });
    }
}

/// Takes a command about incidents up or refuses it.
pub(super) fn handle(work: &mut Work<'_>, envelope: Envelope) {
    match answer(work, &envelope) {
        Ok(event) => {
            accept(work, envelope);
            work.emit(event);
        }
        Err(why) => refuse(work, envelope, why, Vec::new()),
    }
}

/// What a command about incidents leads to, or why to nothing.
fn answer(work: &Work<'_>, envelope: &Envelope) -> Result<Event, String> {
    let by = envelope.by.clone();
    match envelope.command.clone() {
        Command::OpenIncident { services, title, level } => {
            if let Some(open) = work.state.open_incident() {
                return Err(format!(
                    "{} is open already ({}): services that fail join it by themselves; note what is new in it",
                    open.id, open.title
                ));
            }
            if let Some(unknown) = services.iter().find(|name| !work.config().services.contains_key(*name)) {
                let names: Vec<_> = work.config().services.keys().map(ServiceName::as_str).collect();
                return Err(format!("no service `{unknown}`; services: {}", names.join(", ")));
            }
            let title = text(&title, TITLE_LIMIT, "a title")?;
            let incident = work.state.next_incident();
            Ok(Event::IncidentOpened { incident, title, level, services, by, reason: String::new() })
        }
        Command::Acknowledge { incident: id } => acknowledge(open(work, &id)?, by, work.now),
        Command::Tick { incident: id, item, ticked, note } => {
            let note = note.filter(|note| !note.trim().is_empty());
            let note = note.map(|note| text(&note, NOTE_LIMIT, "a note")).transpose()?;
            tick(work, known(work, &id)?, item, ticked, by, note)
        }
        Command::SetLevel { incident: id, level, reason } => {
            let incident = open(work, &id)?;
            if incident.level == level {
                return Err(format!("{id} is {level} already"));
            }
            Ok(Event::IncidentLevelSet { incident: id, level, by, reason })
        }
        Command::Resolve { incident: id, reason } => {
            open(work, &id)?;
            Ok(Event::IncidentResolved { incident: id, by, reason })
        }
        Command::Note { incident: id, text: note } => {
            known(work, &id)?;
            Ok(Event::IncidentNoted { incident: id, by, text: text(&note, NOTE_LIMIT, "a text")? })
        }
        other => Err(format!("`{}` is not about an incident (a defect of unship)", other.verb())),
    }
}

fn acknowledge(incident: &Incident, by: Actor, now: Timestamp) -> Result<Event, String> {
    match &incident.acknowledged {
        Some(Acknowledged { by, at }) => {
            Err(format!("{by} acknowledged {} {} ago", incident.id, human(whole(elapsed(*at, now)))))
        }
        None => Ok(Event::IncidentAcknowledged { incident: incident.id.clone(), by }),
    }
}

fn tick(
    work: &Work<'_>,
    incident: &Incident,
    item: ItemId,
    ticked: Option<Ticked>,
    by: Actor,
    note: Option<String>,
) -> Result<Event, String> {
    let list = checklist::checklist(incident, work.state, &readings(work), work.now);
    let Some(known) = list.item(&item) else {
        let ids: Vec<_> = list.items().map(|item| item.id.as_str()).collect();
        return Err(format!("no item `{item}`; items: {}", ids.join(", ")));
    };
    // Ticking it is what it asks for.
    if item.as_str() == ACKNOWLEDGE {
        return match ticked {
            Some(Ticked::Done) if incident.is_open() => acknowledge(incident, by, work.now),
            Some(Ticked::Done) => Err(format!("{} is resolved", incident.id)),
            Some(Ticked::NotApplicable) => {
                Err("somebody has to acknowledge: tick it, or `unship incident ack`".to_owned())
            }
            None => Err("an acknowledgement cannot be taken back; note who takes over".to_owned()),
        };
    }
    let before = incident.ticks.get(&item);
    let fact = known.fact.as_ref();
    let holds = fact.and_then(|fact| fact.holds);
    let sees = || fact.map_or_else(String::new, |fact| format!(": {}", fact.text));
    match (ticked, before) {
        (None, None) if known.is_settled() => {
            Err(format!("unship sees `{item}` done{}; it cannot be unticked", sees()))
        }
        (None, None) => Err(format!("`{item}` is not ticked")),
        (None, Some(Tick { ticked: Ticked::Done, .. })) if holds == Some(true) => {
            Err(format!("unship sees `{item}` done{}; it cannot be unticked", sees()))
        }
        (Some(Ticked::Done), _) if holds == Some(false) => {
            let way = known.way_on().map_or_else(String::new, |way| format!("; {way}"));
            Err(format!("`{item}` is not so{}{way}", sees()))
        }
        (Some(ticked), Some(tick)) if tick.ticked == ticked => {
            let ago = human(whole(elapsed(tick.at, work.now)));
            Err(format!("{} ticked `{item}` {ago} ago", tick.by))
        }
        (Some(Ticked::Done), None) if matches!(known.state, ItemState::Done { .. }) => {
            Err(format!("unship sees `{item}` done{}", sees()))
        }
        _ => Ok(Event::ChecklistTicked { incident: incident.id.clone(), item, ticked, by, note }),
    }
}

fn known<'a>(work: &'a Work<'_>, id: &IncidentId) -> Result<&'a Incident, String> {
    work.state.incident(id).map(Arc::as_ref).ok_or_else(|| {
        let open = work
            .state
            .open_incident()
            .map_or_else(|| "none is open".to_owned(), |open| format!("{} is open", open.id));
        format!("no incident `{id}`; {open}")
    })
}

fn open<'a>(work: &'a Work<'_>, id: &IncidentId) -> Result<&'a Incident, String> {
    let incident = known(work, id)?;
    match &incident.resolved {
        None => Ok(incident),
        Some(Resolved { by, at, reason }) => {
            let ago = human(whole(elapsed(*at, work.now)));
            Err(format!("{by} resolved {id} {ago} ago: {reason}"))
        }
    }
}

/// A text of a person, without the white space around it.
fn text(given: &str, limit: usize, what: &str) -> Result<String, String> {
    let given = given.trim();
    if given.is_empty() {
        return Err(format!("{what} is required: it is what the others will read"));
    }
    let count = given.chars().count();
    if count > limit {
        return Err(format!("{what} has at most {limit} characters, this one has {count}"));
    }
    Ok(given.to_owned())
}

pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since >= now { Duration::ZERO } else { now.duration_since(since).unsigned_abs() }
}

/// Whole seconds: nobody reads the rest.
pub(super) const fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
