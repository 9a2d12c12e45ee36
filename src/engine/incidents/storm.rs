//! Very many incidents at once. People who are called for each of fifteen find none of them, so from the eleventh within five
//! minutes on that one stands for those that follow: they are told with it, every two minutes, and by themselves only where
//! one is worse than what people have heard of. Alarms that come in have a way of their own, in `received`.

use std::sync::Arc;
use std::time::Duration;

use super::elapsed;
use crate::engine::core::Work;
use crate::engine::{escalation, messages};
use crate::model::IncidentId;
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::incident::{Incident, IncidentChange};

/// More incidents than this, declared within [`WITHIN`], are a storm.
const MANY: usize = 10;
/// See [`MANY`]. It has passed when none was declared for as long.
const WITHIN: Duration = Duration::from_secs(5 * 60);
/// How often people are told of those that joined.
const DIGEST: Duration = Duration::from_secs(2 * 60);

/// Whether an incident that was just declared is told with another one. The one that begins a storm is told itself.
pub(super) fn sweeps(work: &mut Work<'_>, incident: &Incident) -> bool {
    if incident.drill {
        return false;
    }
    let others = recent(work, incident);
    if others == 0 {
        return false;
    }
    // One that is worse than what people have heard of speaks for itself.
    let lead = leads(work).into_iter().find(|lead| lead.level <= incident.level);
    if let Some(lead) = lead {
        changed(work, &incident.id, IncidentChange::ToldWith { lead: lead.id.clone() });
        escalation::something_new(
            work,
            &lead.id,
            &format!("{} is open, too: {}", incident.id, incident.title),
        );
        return true;
    }
    if others >= MANY {
        changed(work, &incident.id, IncidentChange::StormBegan { count: others + 1 });
    }
    false
}

/// What a message about an incident says of those that it stands for.
pub(in crate::engine) fn words(work: &Work<'_>, incident: &Incident) -> Option<String> {
    incident.storm.as_ref()?;
    let count = declared(work).count();
    Some(format!("{count} incidents are open at once; those that follow are told with {}", incident.id))
}

/// Whoever answers for the one that stands for many answers for those that stand behind it now.
pub(super) fn acknowledged(work: &mut Work<'_>, lead: &IncidentId, by: &Actor) {
    for member in members(work, lead).into_iter().filter(|member| member.acknowledged.is_none()) {
        work.emit(Event::IncidentAcknowledged { incident: member.id.clone(), by: by.clone() });
    }
}

/// Tells of those that joined, and lets those go that nobody stands for any more.
pub(super) fn tick(work: &mut Work<'_>) {
    let leads: Vec<Arc<Incident>> =
        work.state.incidents.values().filter(|incident| incident.storm.is_some()).cloned().collect();
    for lead in leads {
        let Some(storm) = lead.storm.as_ref() else { continue };
        let has_passed = open(work).all(|other| elapsed(other.opened_at, work.now) >= WITHIN);
        if has_passed && !storm.passed {
            changed(work, &lead.id, IncidentChange::StormPassed);
        }
        let members = members(work, &lead.id);
        let untold: Vec<Arc<Incident>> =
            members.iter().filter(|member| !storm.told.contains(&member.id)).cloned().collect();
        if lead.is_open() && !untold.is_empty() && elapsed(storm.at, work.now) >= DIGEST {
            let incidents = untold.iter().map(|member| member.id.clone()).collect();
            changed(work, &lead.id, IncidentChange::StormTold { incidents });
            let count = declared(work).count();
            messages::storm(work, &lead, &untold, count);
        }
        let reason = match (lead.is_open(), lead.acknowledged.is_some() && has_passed) {
            (false, _) => format!("{} is over", lead.id),
            (true, true) => format!("somebody has {}, and nobody has this one", lead.id),
            (true, false) => continue,
        };
        for member in members.into_iter().filter(|member| member.acknowledged.is_none()) {
            changed(work, &member.id, IncidentChange::ToldAlone { reason: reason.clone() });
            super::announce(work, &member.id, &reason);
        }
    }
}

fn changed(work: &mut Work<'_>, id: &IncidentId, change: IncidentChange) {
    work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
}

fn open<'a>(work: &'a Work<'_>) -> impl Iterator<Item = &'a Arc<Incident>> {
    work.state.incidents.values().filter(|incident| incident.is_open())
}

/// The open ones that somebody declared.
fn declared<'a>(work: &'a Work<'_>) -> impl Iterator<Item = &'a Arc<Incident>> {
    open(work).filter(|incident| !incident.suspected && !incident.drill)
}

/// How many others were declared just before it and are open.
fn recent(work: &Work<'_>, incident: &Incident) -> usize {
    declared(work)
        .filter(|other| other.id != incident.id)
        .filter(|other| elapsed(other.opened_at, work.now) < WITHIN)
        .count()
}

/// The open incidents that stand for those that follow, the worst first.
fn leads(work: &Work<'_>) -> Vec<Arc<Incident>> {
    let stands = |incident: &Incident| incident.storm.as_ref().is_some_and(|storm| !storm.passed);
    let mut leads: Vec<_> = open(work).filter(|incident| stands(incident)).cloned().collect();
    leads.sort_by_key(|lead| (lead.level, lead.opened_at));
    leads
}

/// The open incidents that are told with another one.
fn members(work: &Work<'_>, lead: &IncidentId) -> Vec<Arc<Incident>> {
    let mut members: Vec<_> =
        open(work).filter(|incident| incident.told_with.as_ref() == Some(lead)).cloned().collect();
    // Ids are numbered; a longer one is later.
    members.sort_by_key(|member| (member.id.as_str().len(), member.id.clone()));
    members
}
