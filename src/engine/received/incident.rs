//! What alarms do to incidents: they join the one that is open on their service, open one, and end one that only they opened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{RESOLVING, changed};
use crate::engine::core::Work;
use crate::engine::incidents::{self, TITLE_LIMIT, elapsed};
use crate::engine::state::State;
use crate::engine::{escalation, messages};
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::incident::{Incident, IncidentChange, Level};
use crate::model::received::spec::OnFiring;
use crate::model::received::{Alarm, AlarmStatus, ReceivedChange};
use crate::model::trigger::Verdict;
use crate::model::{IncidentId, ServiceName};

/// More new incidents than this in [`STORM_WITHIN`], and one stands for all of them.
const STORM: usize = 10;
/// The time in which new incidents are counted.
const STORM_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What an incident that alarms open is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum About {
    Service(ServiceName),
    /// Alarms of this name, of no service that is known.
    Name(String),
}

impl About {
    fn of(alarm: &Alarm) -> Self {
        let name = || Self::Name(alarm.facts.name.clone());
        alarm.facts.service.clone().map_or_else(name, Self::Service)
    }

    fn word(&self) -> &str {
        match self {
            Self::Service(service) => service.as_str(),
            Self::Name(name) => name,
        }
    }
}

/// Alarms that speak of the same.
type Group = (About, Vec<Arc<Alarm>>);

/// The incident of an alarm that is open: its own, or that of an earlier episode.
pub(super) fn of(state: &State, alarm: &Alarm) -> Option<IncidentId> {
    let is_open = |id: &IncidentId| state.incident(id).is_some_and(|incident| incident.is_open());
    let same = state.alarms.all().filter(|other| {
        other.facts.fingerprint == alarm.facts.fingerprint && other.facts.name == alarm.facts.name
    });
    same.filter_map(|other| other.incident.clone()).find(|id| is_open(id))
}

/// Finds an incident for every alarm that fires and has none, as the config wants it.
pub(super) fn attend(work: &mut Work<'_>) {
    // A process for a single command leaves that to a guard.
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let known = Arc::clone(&work.state.alarms);
    let mut groups: BTreeMap<About, Vec<Arc<Alarm>>> = BTreeMap::new();
    for alarm in known.firing() {
        let is_left_alone = alarm.incident.is_some()
            || alarm.muted.is_some()
            || work.config().alarms.is_watchdog(&alarm.facts.name)
            || known.is_flapping(alarm);
        if !is_left_alone {
            groups.entry(About::of(alarm)).or_default().push(Arc::clone(alarm));
        }
    }
    let mut homeless: Vec<Group> = Vec::new();
    for (about, alarms) in groups {
        match open_on(work.state, &about) {
            Some(incident) => join(work, &incident, &about, &alarms),
            None => homeless.push((about, alarms)),
        }
    }
    if homeless.is_empty() || work.config().alarms.on_firing == OnFiring::Note {
        return;
    }
    if let Some(storm) = storm(work) {
        for (about, alarms) in homeless {
            join(work, &storm, &about, &alarms);
        }
    } else if recent(work).len() + homeless.len() > STORM {
        open_for_all(work, &homeless);
    } else {
        for group in homeless {
            let (about, alarms) = &group;
            let title = match alarms.as_slice() {
                [one] if one.facts.name == about.word() => format!("{} is firing", about.word()),
                [one] => format!("{}: {} is firing", about.word(), one.facts.name),
                more => format!("{}: {} alarms are firing", about.word(), more.len()),
            };
            open(work, &title, std::slice::from_ref(&group), false);
        }
    }
}

/// The incident that is open on what alarms speak of; one that is declared before one that is suspected.
fn open_on(state: &State, about: &About) -> Option<IncidentId> {
    let is_on = |incident: &Incident| match about {
        About::Service(service) => incident.has(service),
        About::Name(name) => state.alarms.all().any(|alarm| {
            alarm.incident.as_ref() == Some(&incident.id)
                && alarm.facts.service.is_none()
                && alarm.facts.name == *name
        }),
    };
    let open = state.incidents.values().filter(|incident| incident.is_open() && !incident.drill);
    let on = open.filter(|incident| is_on(incident));
    on.min_by_key(|incident| (incident.suspected, incident.level, incident.opened_at))
        .map(|one| one.id.clone())
}

/// The incidents that alarms opened lately and that are open.
fn recent(work: &Work<'_>) -> Vec<IncidentId> {
    let opened = work.state.alarms.opened.iter();
    opened
        .filter(|(_, opened)| elapsed(opened.at, work.now) < STORM_WITHIN)
        .filter(|(id, _)| work.state.incident(id).is_some_and(|incident| incident.is_open()))
        .map(|(id, _)| id.clone())
        .collect()
}

/// The incident that stands for many, if there is one that is open.
fn storm(work: &Work<'_>) -> Option<IncidentId> {
    let is_open = |id: &IncidentId| work.state.incident(id).is_some_and(|incident| incident.is_open());
    let opened = work.state.alarms.opened.iter();
    opened.filter(|(id, opened)| opened.storm && is_open(id)).map(|(id, _)| id.clone()).next()
}

/// One incident in the place of more than a person can look at; those that were opened just before become part of it.
fn open_for_all(work: &mut Work<'_>, groups: &[Group]) {
    let before = recent(work);
    let mut services: BTreeSet<String> = BTreeSet::new();
    for id in &before {
        let parts = work.state.incident(id).map(|incident| incident.services.clone()).unwrap_or_default();
        services.extend(parts.iter().map(ToString::to_string));
        if parts.is_empty() {
            services.insert(id.to_string());
        }
    }
    services.extend(groups.iter().map(|(about, _)| about.word().to_owned()));
    let what = if groups.iter().all(|(about, _)| matches!(about, About::Service(_))) {
        "services alarming"
    } else {
        "services or alarms at once"
    };
    let parent = open(work, &format!("{} {what}", services.len()), groups, true);
    for id in before {
        let change =
            IncidentChange::Merged { into: parent.clone(), reason: "one of many at once".to_owned() };
        work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
        over(work, &id, &format!("{parent} goes on with it"));
    }
}

fn open(work: &mut Work<'_>, title: &str, groups: &[Group], storm: bool) -> IncidentId {
    let id = work.state.next_incident();
    let alarms: Vec<&Arc<Alarm>> = groups.iter().flat_map(|(_, alarms)| alarms).collect();
    let level =
        alarms.iter().map(|alarm| level(work, alarm)).min().unwrap_or(work.config().alarms.unlabelled);
    let services = groups.iter().filter_map(|(about, _)| match about {
        About::Service(service) => Some(service.clone()),
        About::Name(_) => None,
    });
    let services: Vec<ServiceName> = services.collect();
    let reason = alarms.first().map_or_else(String::new, |alarm| words(alarm));
    work.emit(Event::IncidentOpened {
        incident: id.clone(),
        title: title.chars().take(TITLE_LIMIT).collect(),
        level,
        services,
        by: Actor::Engine,
        reason,
    });
    if work.config().alarms.on_firing == OnFiring::Suspect {
        change(work, &id, IncidentChange::Suspected);
    }
    if let Some(first) = alarms.first() {
        changed(work, &first.id, ReceivedChange::Opened { incident: id.clone(), storm });
    }
    for alarm in &alarms {
        link(work, &id, alarm);
    }
    let onset = alarms.iter().min_by_key(|alarm| alarm.facts.starts_at);
    if let Some(first) = onset.filter(|alarm| alarm.facts.starts_at <= work.now) {
        let reason = format!("{} fires since then", first.facts.name);
        change(work, &id, IncidentChange::OnsetSet { onset: first.facts.starts_at, reason });
    }
    incidents::opened(work, &id);
    id
}

/// Lets alarms belong to an incident that is open.
fn join(work: &mut Work<'_>, id: &IncidentId, about: &About, alarms: &[Arc<Alarm>]) {
    for alarm in alarms {
        link(work, id, alarm);
    }
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let what = alarms.iter().map(|alarm| alarm.facts.name.as_str()).collect::<BTreeSet<_>>();
    let what = what.into_iter().take(5).collect::<Vec<_>>().join(", ");
    if let About::Service(service) = about
        && !incident.has(service)
    {
        let reason = format!("{what} is firing");
        work.emit(Event::IncidentJoined { incident: id.clone(), service: service.clone(), reason });
    }
    if work.config().alarms.on_firing == OnFiring::Note {
        let text = format!("firing on {}: {what}", about.word());
        work.emit(Event::IncidentNoted { incident: id.clone(), by: Actor::Engine, text });
        return;
    }
    let Some(worst) = alarms.iter().min_by_key(|alarm| level(work, alarm)) else { return };
    let level = level(work, worst);
    // Only what a label says raises anything.
    let is_worse = level < incident.level && worst.facts.severity.is_some();
    if is_worse {
        let reason = format!("{} suggests it: {}", worst.facts.name, words(worst));
        work.emit(Event::IncidentLevelSet { incident: id.clone(), level, by: Actor::Engine, reason });
    }
    if incident.suspected {
        return;
    }
    if is_worse {
        escalation::raised(work, id, level, &Actor::Engine);
    } else {
        escalation::something_new(work, id, &format!("{what} is firing on {}", about.word()));
    }
}

fn link(work: &mut Work<'_>, id: &IncidentId, alarm: &Alarm) {
    change(work, id, IncidentChange::AlarmLinked { alarm: alarm.id.to_string() });
}

fn change(work: &mut Work<'_>, id: &IncidentId, change: IncidentChange) {
    work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
}

fn level(work: &Work<'_>, alarm: &Alarm) -> Level {
    alarm.facts.severity.unwrap_or(work.config().alarms.unlabelled)
}

/// What an alarm says, with what its severity was taken from.
fn words(alarm: &Alarm) -> String {
    let said: String = alarm.facts.summary().unwrap_or(&alarm.facts.name).chars().take(TITLE_LIMIT).collect();
    match (alarm.facts.labels.get("severity"), alarm.facts.severity) {
        (Some(word), Some(_)) => format!("{said} (severity={word})"),
        _ => said,
    }
}

/// Declares an incident that was only suspected because the service is seen to be hurt, if there is such an incident. Says
/// whether there was.
pub(in crate::engine) fn confirm(
    work: &mut Work<'_>,
    service: &ServiceName,
    worst: Level,
    reason: &str,
) -> bool {
    let mut suspected = work
        .state
        .incidents
        .values()
        .filter(|incident| incident.is_open() && incident.suspected && !incident.drill);
    let found = suspected.find(|incident| incident.has(service)).or_else(|| {
        // Where only suspicions are open, what is seen now belongs to the worst of them.
        work.state.open_incident().filter(|open| open.suspected && !open.drill)
    });
    let Some(incident) = found.cloned() else { return false };
    let is_in_another = |other: &&Arc<Incident>| other.is_open() && !other.suspected && other.has(service);
    if work.state.incidents.values().any(|other| is_in_another(&other)) {
        return false;
    }
    let id = incident.id.clone();
    if !incident.has(service) {
        let (service, reason) = (service.clone(), reason.to_owned());
        work.emit(Event::IncidentJoined { incident: id.clone(), service, reason });
    }
    change(work, &id, IncidentChange::Declared);
    if worst < incident.level {
        let reason = format!("{reason}; the criticality of {service} makes that {worst}");
        work.emit(Event::IncidentLevelSet { incident: id.clone(), level: worst, by: Actor::Engine, reason });
    }
    incidents::opened(work, &id);
    true
}

/// Ends the incidents that only alarms opened, when all of these have been over for long enough.
pub(super) fn end(work: &mut Work<'_>) {
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let known = Arc::clone(&work.state.alarms);
    for id in known.opened.keys() {
        let Some(incident) = work.state.incident(id).cloned() else { continue };
        if ends_at(&incident, work.state).is_none_or(|at| at > work.now) {
            continue;
        }
        let (mut all, mut inferred) = (0_usize, 0_usize);
        for alarm in known.all().filter(|alarm| alarm.incident.as_ref() == Some(id)) {
            all += 1;
            inferred += usize::from(matches!(alarm.status, AlarmStatus::Resolved { inferred: true, .. }));
        }
        let what = if all == 1 { "its alarm is".to_owned() } else { format!("all its {all} alarms are") };
        let how = match inferred {
            0 => String::new(),
            all_of_them if all_of_them == all => "; nobody said so, it was inferred".to_owned(),
            some => format!("; for {some} of them nobody said so, it was inferred"),
        };
        let reason = format!("{what} over for 2 min and nobody declared it{how}");
        work.emit(Event::IncidentResolved { incident: id.clone(), by: Actor::Engine, reason });
        over(work, id, "it is resolved");
    }
}

/// When an incident ends by itself: its alarms opened it, all of them are over, nobody took it up, and nothing is seen to be
/// wrong. None where it does not.
pub fn ends_at(incident: &Incident, state: &State) -> Option<Timestamp> {
    if !incident.is_open() || !nobody_took_it_up(incident) || is_hurt(state, incident) {
        return None;
    }
    state.alarms.resolving_since(&incident.id)?.checked_add(RESOLVING).ok()
}

/// It is suspected still; or it was declared by the config's word, and no person has done anything about it.
const fn nobody_took_it_up(incident: &Incident) -> bool {
    incident.suspected || (incident.acknowledged.is_none() && incident.engaged_at.is_none())
}

/// Whether one of its services is seen to fail, or something is being done to it.
fn is_hurt(state: &State, incident: &Incident) -> bool {
    incident
        .services
        .iter()
        .filter_map(|service| state.service(service))
        .any(|known| known.operation.is_some() || matches!(known.verdict, Some((Verdict::Failing { .. }, _))))
}

/// Nobody is told about it any more.
fn over(work: &mut Work<'_>, id: &IncidentId, why: &str) {
    escalation::stop(work, id, Actor::Engine, why);
    messages::incident_over(work, id);
}
