//! Incidents in the core: when one is declared, what joins it, and where it stands. What people ask is in `ask`, the fold in
//! `fold`.
//!
//! The engine declares an incident and lets services join it; it raises its severity and never lowers it; it
//! resolves only one that alarms of others alone opened. What was wrong when a person resolved an incident opens no other while it stays as it is, for a day.

mod ask;
mod away;
mod fold;
mod storm;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::schema::Criticality;
use crate::model::command::Actor;
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::incident::{Ended, Incident, IncidentChange, Level, OFFER_LASTS};
use crate::model::release::Arm;
use crate::model::trigger::{Finding, Verdict};
use crate::model::{IncidentId, ServiceName, TriggerName};

use super::core::Work;
use super::state::{ServiceState, State};
use super::{checklist, escalation, messages, received};
pub(super) use ask::{handle, known, text};
pub(super) use fold::fold;
pub(super) use storm::words as storm_words;

/// How long everything has to be healthy without a break before it is proposed to resolve an incident.
pub const STABILITY_HOLD: Duration = Duration::from_secs(60);
/// The longest that a title may be, in characters.
pub const TITLE_LIMIT: usize = 200;
/// The longest that a note may be, in characters.
pub const NOTE_LIMIT: usize = 4_000;

/// How long what was wrong when an incident was resolved opens no other. After that it is not what the person spoke of.
const SETTLED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How long everything has to be healthy without a break before the impact counts as over in the measures.
const MITIGATED_AFTER: Duration = Duration::from_secs(5 * 60);

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
    /// Nobody has said yet that it is one.
    Suspected,
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
    /// A person said that it is over; the post-mortem is still to come.
    Resolved,
    /// It was none.
    FalseAlarm,
    /// Another one goes on with it.
    Merged,
    /// Nothing is left to do about it.
    Closed,
}

impl IncidentStatus {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Suspected => "suspected",
            Self::Declared => "declared",
            Self::Mitigating => "mitigating",
            Self::Monitoring { .. } => "monitoring",
            Self::Resolved => "resolved",
            Self::FalseAlarm => "false alarm",
            Self::Merged => "merged",
            Self::Closed => "closed",
        }
    }

    /// Whether a person has said that it is over.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Resolved | Self::FalseAlarm | Self::Merged | Self::Closed)
    }
}

/// Where an incident stands now.
pub fn status(incident: &Incident, state: &State, now: Timestamp) -> IncidentStatus {
    match &incident.ended {
        Some(Ended::FalseAlarm) => return IncidentStatus::FalseAlarm,
        Some(Ended::Merged { .. }) => return IncidentStatus::Merged,
        None if incident.closed.is_some() => return IncidentStatus::Closed,
        None if !incident.is_open() => return IncidentStatus::Resolved,
        None => {}
    }
    if incident.suspected {
        return IncidentStatus::Suspected;
    }
    if let Some(since) = healthy_since(incident, state) {
        let propose_resolve = elapsed(since, now) >= STABILITY_HOLD;
        return IncidentStatus::Monitoring { since, propose_resolve };
    }
    if incident.acknowledged.is_some() || !incident.operations.is_empty() {
        IncidentStatus::Mitigating
    } else {
        IncidentStatus::Declared
    }
}

/// Since when all services of an incident are healthy and nothing is done to them; none when that is not so, or not known.
fn healthy_since(incident: &Incident, state: &State) -> Option<Timestamp> {
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
    healthy_since
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
    /// The incident that is open, if one is: of several a declared one, of those the worst, and of those the oldest. The engine opens no second one; a
    /// person may.
    pub fn open_incident(&self) -> Option<&Arc<Incident>> {
        let open = self.incidents.values().filter(|incident| incident.is_open());
        // Ids are numbered; a longer one is later.
        open.min_by_key(|incident| {
            (incident.suspected, incident.level, incident.id.as_str().len(), incident.id.clone())
        })
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
    let decision = known.decision.as_deref().filter(|decision| decision.recommendation.rolls_back())?;
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
    let mut serious = known.findings.values().filter(|finding| finding.action.rolls_back());
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
    if is_new && received::confirm(work, service, level, &reason) {
        return;
    }
    let is_in_one = |incident: &&Arc<Incident>| incident.is_open() && incident.has(service);
    if work.state.incidents.values().any(|incident| is_in_one(&incident)) {
        return;
    }
    let Some(open) = work.state.open_incident().map(Arc::clone) else {
        if is_new {
            let id = work.state.next_incident();
            work.emit(Event::IncidentOpened {
                incident: id.clone(),
                title,
                level,
                services: vec![service.clone()],
                by: Actor::Engine,
                reason,
            });
            opened(work, &id);
        }
        return;
    };
    escalation::something_new(work, &open.id, &format!("{service} is part of it: {reason}"));
    work.emit(Event::IncidentJoined { incident: open.id.clone(), service: service.clone(), reason });
    if level < open.level {
        work.emit(Event::IncidentLevelSet {
            incident: open.id.clone(),
            level,
            by: Actor::Engine,
            reason: format!("{title}; its criticality makes that {level}"),
        });
        escalation::raised(work, &open.id, level, &Actor::Engine);
    }
}

/// What follows when an incident was declared: people are told, and the escalation begins. Of one among very many they hear
/// with the others.
pub(super) fn opened(work: &mut Work<'_>, id: &IncidentId) {
    let is_marked = work.state.incident(id).is_some_and(|incident| incident.drill);
    if work.settings.drill && !is_marked {
        let change = IncidentChange::Drill;
        work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
    }
    let Some(incident) = work.state.incident(id).cloned() else { return };
    if incident.suspected {
        return;
    }
    checklist::attach_own(work, id);
    if storm::sweeps(work, &incident) {
        return;
    }
    announce(work, id, "it was declared");
}

/// Lets people know of an incident: by the policy that is followed, and where none is, by every channel.
fn announce(work: &mut Work<'_>, id: &IncidentId, reason: &str) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    if work.config().escalation.policy_for(incident.level).is_none() {
        messages::incident_opened(work, &incident);
    }
    escalation::begin(work, &incident, reason);
}

/// Looks at the open incidents as time passes.
pub(super) fn tick(work: &mut Work<'_>) {
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let open: Vec<Arc<Incident>> =
        work.state.incidents.values().filter(|incident| !incident.is_closed()).cloned().collect();
    for incident in open {
        for (role, offer) in &incident.offers {
            if elapsed(offer.at, work.now) > OFFER_LASTS {
                let change = IncidentChange::OfferLapsed { role: *role, to: offer.to.clone() };
                work.emit(Event::IncidentChanged {
                    incident: incident.id.clone(),
                    by: Actor::Engine,
                    change,
                });
            }
        }
        if incident.is_open()
            && incident.mitigated_at.is_none()
            && let Some(since) = healthy_since(&incident, work.state)
            && elapsed(since, work.now) >= MITIGATED_AFTER
        {
            let change = IncidentChange::Mitigated { since };
            work.emit(Event::IncidentChanged { incident: incident.id.clone(), by: Actor::Engine, change });
        }
        away::look(work, &incident);
    }
    storm::tick(work);
    escalation::tick(work);
    messages::updates_tick(work);
}

/// What is noticed later than this is noted with how late: before, it is the clock that the engine ticks by.
const LATE: Duration = Duration::from_secs(5);

/// How late something is noticed, in milliseconds; zero within the clock's own step.
pub(super) fn late_ms(late: Duration) -> u64 {
    if late < LATE { 0 } else { u64::try_from(late.as_millis()).unwrap_or(u64::MAX) }
}

pub(super) fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    if since >= now { Duration::ZERO } else { now.duration_since(since).unsigned_abs() }
}

/// Whole seconds: nobody reads the rest.
pub const fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
