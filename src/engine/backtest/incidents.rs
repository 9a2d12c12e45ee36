//! What really was wrong in the past: marked by hand, or read from the journal.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::operation::PlanKind;
use crate::model::release::Arm;
use crate::model::{IncidentId, OperationId, ServiceName};

use super::super::state::State;

/// How long an incident lasts whose end nobody knows.
const LASTS: Duration = Duration::from_secs(3_600);

/// How long before a person's rollback its release may have been bad already, at most.
const BEFORE_A_ROLLBACK: Duration = Duration::from_secs(3_600);

/// How an incident came to be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was marked for this back-test.
    Marked,
    /// A person declared it.
    Person,
    /// The guard of that time declared it.
    Guard,
    /// A person took a release back.
    Rollback,
}

impl Origin {
    /// The words on screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Marked => "by hand",
            Self::Person => "a person",
            Self::Guard => "the guard",
            Self::Rollback => "a rollback by a person",
        }
    }
}

/// A time in which something was wrong with services.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Marked {
    /// Its id.
    pub id: IncidentId,
    /// What was wrong; none: nobody could say, and it may have been any.
    pub services: Vec<ServiceName>,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// Who says so.
    pub origin: Origin,
    /// When the past took a release of one of its services back. What a policy had not found by then it could not find any
    /// more.
    pub taken_back_at: Option<Timestamp>,
}

impl Marked {
    /// An incident that a person marks. Without an end it lasts an hour.
    pub fn by_hand(
        number: usize,
        services: Vec<ServiceName>,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Self {
        let to = to.unwrap_or_else(|| from.checked_add(LASTS).unwrap_or(Timestamp::MAX));
        let id = IncidentId::from(format!("#{number}"));
        Self { id, services, from, to, origin: Origin::Marked, taken_back_at: None }
    }

    /// Whether a service is part of it.
    pub fn concerns(&self, service: &ServiceName) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }
}

/// Collects the incidents of a past from its events.
#[derive(Clone, Debug, Default)]
pub struct Incidents {
    declared: Vec<Marked>,
    rollbacks: Vec<(Marked, OperationId)>,
    taken_back: Vec<(Timestamp, ServiceName)>,
}

impl Incidents {
    /// Begins with the incident that was open.
    pub fn new(known: &State, from: Timestamp) -> Self {
        let mut incidents = Self::default();
        if let Some(open) = known.open_incident() {
            let origin = if open.by == Actor::Engine { Origin::Guard } else { Origin::Person };
            let marked = Marked {
                id: open.id.clone(),
                services: open.services.clone(),
                from: open.opened_at.min(from),
                to: Timestamp::MAX,
                origin,
                taken_back_at: None,
            };
            incidents.declared.push(marked);
        }
        incidents
    }

    /// Takes an event in. `before` is the fold of what was journaled before it.
    pub fn take(&mut self, at: Timestamp, event: &Event, before: &State) {
        match event {
            Event::IncidentOpened { incident, services, by, .. } => {
                let is_engine = *by == Actor::Engine;
                // The guard declares one when it has found something; it began when that began to hold.
                let since = services.iter().filter_map(|service| before.service(service));
                let since =
                    since.flat_map(|known| known.findings.values()).map(|finding| finding.since).min();
                let marked = Marked {
                    id: incident.clone(),
                    services: services.clone(),
                    from: since.filter(|_| is_engine).map_or(at, |since| since.min(at)),
                    to: Timestamp::MAX,
                    origin: if is_engine { Origin::Guard } else { Origin::Person },
                    taken_back_at: None,
                };
                self.declared.push(marked);
            }
            Event::IncidentJoined { incident, service, .. } => {
                if let Some(marked) = self.declared(incident)
                    && !marked.services.contains(service)
                {
                    marked.services.push(service.clone());
                }
            }
            Event::IncidentResolved { incident, .. } => {
                if let Some(marked) = self.declared(incident) {
                    marked.to = at;
                }
            }
            Event::OperationPlanned { operation, plan, by, .. } if plan.kind == PlanKind::RollBack => {
                self.taken_back.push((at, plan.service.clone()));
                if *by == Actor::Engine {
                    return;
                }
                let known = before.service(&plan.service);
                let arm = known.and_then(|known| {
                    let is_canary =
                        known.canary().is_some_and(|canary| canary.reference == plan.from.reference);
                    known.arms_since.get(if is_canary { &Arm::Canary } else { &Arm::Stable }).copied()
                });
                let earliest = at.checked_sub(BEFORE_A_ROLLBACK).unwrap_or(Timestamp::MIN);
                let marked = Marked {
                    id: IncidentId::from(operation.as_str()),
                    services: vec![plan.service.clone()],
                    from: arm.unwrap_or(earliest).max(earliest).min(at),
                    to: at,
                    origin: Origin::Rollback,
                    taken_back_at: None,
                };
                self.rollbacks.push((marked, operation.clone()));
            }
            Event::OperationEnded { operation, .. } => {
                if let Some((marked, _)) = self.rollbacks.iter_mut().find(|(_, id)| id == operation) {
                    marked.to = at;
                }
            }
            _ => {}
        }
    }

    fn declared(&mut self, id: &IncidentId) -> Option<&mut Marked> {
        self.declared.iter_mut().find(|marked| marked.id == *id)
    }

    /// The incidents of a past that ends there, in order. Those that were marked by hand are all there are, if there are
    /// any. A rollback in a declared incident is no incident of its own.
    pub fn finish(self, by_hand: Vec<Marked>, to: Timestamp) -> Vec<Marked> {
        let mut all = if by_hand.is_empty() {
            let mut declared = self.declared;
            let alone = self.rollbacks.into_iter().map(|(marked, _)| marked).filter(|rollback| {
                !declared.iter().any(|incident| {
                    incident.from <= rollback.to
                        && rollback.from <= incident.to
                        && rollback.services.iter().any(|service| incident.concerns(service))
                })
            });
            let alone: Vec<Marked> = alone.collect();
            declared.extend(alone);
            declared
        } else {
            by_hand
        };
        for incident in &mut all {
            incident.to = incident.to.min(to);
            let mut within = self.taken_back.iter().filter(|(at, service)| {
                incident.from <= *at && *at <= incident.to && incident.concerns(service)
            });
            incident.taken_back_at = within.next().map(|(at, _)| *at);
        }
        all.sort_by_key(|incident| incident.from);
        all
    }
}
