//! What people ask about incidents: taken up, or refused with the reason and the way on.

use jiff::Timestamp;

use super::{NOTE_LIMIT, TITLE_LIMIT, elapsed, healthy_since, storm, whole};
use crate::model::command::{Actor, Command, Envelope};
use crate::model::escalation::IncidentRole;
use crate::model::event::Event;
use crate::model::incident::{
    Acknowledged, Ended, Incident, IncidentAsk, IncidentChange, OFFER_LASTS, REOPEN_WITHIN, Resolved,
};
use crate::model::units::human;
use crate::model::{IncidentId, ServiceName};
use crate::templates::Rendered;

use super::super::commands::{accept, refuse};
use super::super::core::Work;
use super::super::{checklist, escalation, messages};

/// Takes a command about incidents up or refuses it.
pub(in crate::engine) fn handle(work: &mut Work<'_>, envelope: Envelope) {
    let by = envelope.by.clone();
    let ask = match &envelope.command {
        Command::Incident { incident, ask } => Some((incident.clone(), ask.clone())),
        _ => None,
    };
    // What only changes the escalation has no event of the incident.
    if let Some((incident, ask)) = ask {
        match escalate(work, &envelope, &incident, &ask) {
            Some(Ok(())) => return,
            Some(Err(why)) => return refuse(work, envelope, why, Vec::new()),
            None => {}
        }
    }
    match answer(work, &envelope) {
        Ok(event) => {
            accept(work, envelope);
            take_up(work, event, &by);
        }
        Err(why) => refuse(work, envelope, why, Vec::new()),
    }
}

/// Lets it have happened, with what follows from it.
fn take_up(work: &mut Work<'_>, event: Event, by: &Actor) {
    match event {
        Event::IncidentAcknowledged { incident, .. } => {
            if work.state.incident(&incident).is_some_and(|known| known.acknowledged.is_none()) {
                work.emit(Event::IncidentAcknowledged { incident: incident.clone(), by: by.clone() });
            }
            escalation::acknowledge(work, &incident, by);
            storm::acknowledged(work, &incident, by);
        }
        Event::IncidentOpened { ref incident, .. } => {
            let id = incident.clone();
            work.emit(event);
            super::opened(work, &id);
        }
        Event::IncidentLevelSet { ref incident, level, .. } => {
            let id = incident.clone();
            let before = work.state.incident(&id).map(|known| known.level);
            work.emit(event);
            if before.is_some_and(|before| level < before) {
                escalation::raised(work, &id, level, by);
            }
        }
        Event::IncidentResolved { ref incident, .. } => {
            let id = incident.clone();
            mitigated(work, &id);
            work.emit(event);
            over(work, &id, by, "it is resolved");
        }
        Event::IncidentChanged { ref incident, ref change, .. } => {
            let id = incident.clone();
            let change = change.clone();
            work.emit(event);
            match change {
                IncidentChange::FalseAlarm { .. } => over(work, &id, by, "it was a false alarm"),
                IncidentChange::Merged { into, .. } => {
                    over(work, &id, by, &format!("{into} goes on with it"));
                }
                IncidentChange::Closed { .. } => checklist::close(work, &id, by),
                IncidentChange::Declared => super::opened(work, &id),
                IncidentChange::Reopened { .. } => {
                    // Whoever opens it again works on it.
                    escalation::begin_in_hand(work, &id, by, "it was opened again");
                }
                _ => {}
            }
        }
        other => work.emit(other),
    }
}

/// Since when its impact is over, if nobody has noticed yet.
fn mitigated(work: &mut Work<'_>, id: &IncidentId) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    if incident.mitigated_at.is_none()
        && let Some(since) = healthy_since(&incident, work.state)
    {
        let change = IncidentChange::Mitigated { since };
        work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
    }
}

/// Nobody is told about it any more.
fn over(work: &mut Work<'_>, id: &IncidentId, by: &Actor, why: &str) {
    escalation::stop(work, id, by.clone(), why);
    messages::incident_over(work, id);
    if work.state.incident(id).is_some_and(|incident| incident.ended.is_some()) {
        checklist::close(work, id, by);
    }
}

/// What is asked of the escalation of an incident; none when something else is asked.
fn escalate(
    work: &mut Work<'_>,
    envelope: &Envelope,
    id: &IncidentId,
    ask: &IncidentAsk,
) -> Option<Result<(), String>> {
    let checked = |work: &Work<'_>| open(work, id).map(drop);
    let by = envelope.by.clone();
    Some(match ask.clone() {
        IncidentAsk::Escalate { level, policy, reason } => {
            let may = open(work, id)
                .and_then(|incident| escalation::may_escalate(work, incident, level, policy.as_ref()));
            may.map(|()| {
                accept(work, envelope.clone());
                escalation::by_hand(work, id, level, policy.as_ref(), &format!("{by} escalates: {reason}"));
            })
        }
        IncidentAsk::Snooze { until, reason } => {
            checked(work).and_then(|()| escalation::may_snooze(work, id, until)).map(|()| {
                accept(work, envelope.clone());
                escalation::snooze(work, id, until, by, reason);
            })
        }
        IncidentAsk::Tell { audience, text: told, subject, channels, next } => {
            let may = known(work, id).and_then(|incident| {
                let told = text(&told, NOTE_LIMIT, "a text")?;
                Ok((told, messages::may_tell(work, incident, &channels, next)?))
            });
            may.map(|(told, channels)| {
                accept(work, envelope.clone());
                let told = Rendered { subject, text: told };
                messages::send_update(work, id, &by, audience, &told, channels, next);
            })
        }
        IncidentAsk::StopEscalation { reason } => {
            checked(work).and_then(|()| escalation::may_stop(work, id)).map(|()| {
                accept(work, envelope.clone());
                escalation::stop(work, id, by, &reason);
            })
        }
        _ => return None,
    })
}

/// What a command about incidents leads to, or why to nothing.
fn answer(work: &Work<'_>, envelope: &Envelope) -> Result<Event, String> {
    let by = envelope.by.clone();
    match envelope.command.clone() {
        Command::OpenIncident { services, title, level } => {
            may_open(work, &services)?;
            let title = text(&title, TITLE_LIMIT, "a title")?;
            let incident = work.state.next_incident();
            Ok(Event::IncidentOpened { incident, title, level, services, by, reason: String::new() })
        }
        Command::Acknowledge { incident: id } => acknowledge(work, open(work, &id)?, by, work.now),
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
        Command::Incident { incident: id, ask } => {
            let change = asked(work, known(work, &id)?, ask, &by)?;
            Ok(match change {
                Asked::Change(change) => Event::IncidentChanged { incident: id, by, change },
                Asked::Join(service) => {
                    Event::IncidentJoined { incident: id, service, reason: format!("{by} says so") }
                }
            })
        }
        other => Err(format!("`{}` is not about an incident (a defect of unship)", other.verb())),
    }
}

/// What is asked leads to a change, or to another service.
enum Asked {
    Change(IncidentChange),
    Join(ServiceName),
}

fn asked(work: &Work<'_>, incident: &Incident, ask: IncidentAsk, by: &Actor) -> Result<Asked, String> {
    let id = &incident.id;
    let change = match ask {
        IncidentAsk::Declare => {
            is_open(work, incident)?;
            if !incident.suspected {
                return Err(format!("{id} is declared already"));
            }
            IncidentChange::Declared
        }
        IncidentAsk::FalseAlarm { reason } => {
            is_open(work, incident)?;
            IncidentChange::FalseAlarm { reason }
        }
        IncidentAsk::Merge { into, reason } => {
            is_open(work, incident)?;
            if into == *id {
                return Err(format!("{id} cannot be merged into itself"));
            }
            open(work, &into)?;
            IncidentChange::Merged { into, reason }
        }
        IncidentAsk::Reopen { reason } => {
            may_reopen(work, incident)?;
            IncidentChange::Reopened { reason }
        }
        IncidentAsk::Close { reason } => {
            if let Some(closed) = &incident.closed {
                let ago = human(whole(elapsed(closed.at, work.now)));
                return Err(format!("{} closed {id} {ago} ago", closed.by));
            }
            if incident.is_open() {
                return Err(format!("{id} is not resolved: `unship incident resolve` comes first"));
            }
            checklist::may_close(work.state, id)?;
            IncidentChange::Closed { reason }
        }
        IncidentAsk::Take { role, who } => {
            is_not_closed(incident)?;
            let asks = person(by)?;
            let name = who.unwrap_or_else(|| asks.clone());
            let name = text(&name, TITLE_LIMIT, "a name")?;
            may_take(work, incident, role, &name, &asks)?;
            IncidentChange::RoleTaken { role, name }
        }
        IncidentAsk::Offer { role, to } => {
            is_not_closed(incident)?;
            let to = text(&to, TITLE_LIMIT, "a name")?;
            is_operator(work, &to)?;
            if incident.roles.get(&role).is_some_and(|held| held.name == to) {
                return Err(format!("{to} is {role} already"));
            }
            IncidentChange::RoleOffered { role, to }
        }
        IncidentAsk::AddService { service } => {
            is_open(work, incident)?;
            is_known(work, std::slice::from_ref(&service))?;
            if incident.has(&service) {
                return Err(format!("{service} is part of {id} already"));
            }
            return Ok(Asked::Join(service));
        }
        IncidentAsk::Link { operation } => {
            if work.state.operation(&operation).is_none() {
                return Err(format!(
                    "no operation `{operation}`; `unship history` names those that are known"
                ));
            }
            if incident.operations.contains(&operation) {
                return Err(format!("{operation} belongs to {id} already"));
            }
            IncidentChange::Linked { operation }
        }
        IncidentAsk::Onset { at, reason } => {
            if at > work.now {
                return Err(format!("{at:.0} is still to come"));
            }
            IncidentChange::OnsetSet { onset: at, reason }
        }
        IncidentAsk::Tell { .. }
        | IncidentAsk::Escalate { .. }
        | IncidentAsk::Snooze { .. }
        | IncidentAsk::StopEscalation { .. } => {
            return Err("the escalation was asked for (a defect of unship)".to_owned());
        }
    };
    Ok(Asked::Change(change))
}

fn may_open(work: &Work<'_>, services: &[ServiceName]) -> Result<(), String> {
    is_known(work, services)?;
    let Some(open) = work.state.open_incident() else { return Ok(()) };
    let is_in = |service: &ServiceName| {
        work.state.incidents.values().find(|incident| incident.is_open() && incident.has(service))
    };
    let holder = match services {
        [] => Some(open),
        some => some.iter().find_map(is_in),
    };
    match holder {
        Some(open) => Err(format!(
            "{} is open already ({}): services that fail join it by themselves; note what is new in it",
            open.id, open.title
        )),
        None => Ok(()),
    }
}

fn is_known(work: &Work<'_>, services: &[ServiceName]) -> Result<(), String> {
    match services.iter().find(|name| !work.config().services.contains_key(*name)) {
        Some(unknown) => {
            let names: Vec<_> = work.config().services.keys().map(ServiceName::as_str).collect();
            Err(format!("no service `{unknown}`; services: {}", names.join(", ")))
        }
        None => Ok(()),
    }
}

fn acknowledge(work: &Work<'_>, incident: &Incident, by: Actor, now: Timestamp) -> Result<Event, String> {
    let escalation = work.state.escalations.get(&incident.id).map(std::sync::Arc::as_ref);
    match &incident.acknowledged {
        // Somebody answered and then nothing came of it: others were asked again.
        Some(_) if escalation::asks_again(escalation) => {
            Ok(Event::IncidentAcknowledged { incident: incident.id.clone(), by })
        }
        Some(Acknowledged { by, at }) => {
            Err(format!("{by} acknowledged {} {} ago", incident.id, human(whole(elapsed(*at, now)))))
        }
        None => Ok(Event::IncidentAcknowledged { incident: incident.id.clone(), by }),
    }
}

fn may_reopen(work: &Work<'_>, incident: &Incident) -> Result<(), String> {
    let id = &incident.id;
    let Some(resolved) = &incident.resolved else { return Err(format!("{id} is open")) };
    if let Some(Ended::Merged { into }) = &incident.ended {
        return Err(format!("{into} goes on with {id}"));
    }
    if incident.ended.is_some() {
        return Err(format!("{id} was a false alarm; declare another one"));
    }
    if elapsed(resolved.at, work.now) > REOPEN_WITHIN {
        return Err(format!("{id} was resolved more than {} ago: declare another one", human(REOPEN_WITHIN)));
    }
    Ok(())
}

/// A role that somebody has is taken when it was offered, or when whoever has it gives it away.
fn may_take(
    work: &Work<'_>,
    incident: &Incident,
    role: IncidentRole,
    name: &str,
    asks: &str,
) -> Result<(), String> {
    is_operator(work, name)?;
    let Some(held) = incident.roles.get(&role) else { return Ok(()) };
    let says_so_again = role == IncidentRole::Commander && incident.commander_away.is_some();
    if held.name == name && !says_so_again {
        return Err(format!("{name} is {role} already"));
    }
    let offered = incident.offers.get(&role);
    let is_offered =
        offered.is_some_and(|offer| offer.to == name && elapsed(offer.at, work.now) <= OFFER_LASTS);
    let is_deputy = role == IncidentRole::Commander
        && incident.roles.get(&IncidentRole::Deputy).is_some_and(|deputy| deputy.name == name);
    // Giving a role away needs nobody's consent but the giver's.
    let gives = held.name == asks;
    if is_offered || is_deputy || gives {
        return Ok(());
    }
    Err(format!(
        "{} is {role} of {}: they offer it with `unship incident role {role} --offer {name}`, and {name} takes it",
        held.name, incident.id
    ))
}

fn is_operator(work: &Work<'_>, name: &str) -> Result<(), String> {
    let operators = &work.config().operators;
    if operators.is_empty() || operators.contains_key(name) {
        return Ok(());
    }
    let names: Vec<_> = operators.keys().map(String::as_str).collect();
    Err(format!(
        "`{name}` is not an operator of {}; operators: {}",
        work.config().environment.name,
        names.join(", ")
    ))
}

fn person(by: &Actor) -> Result<String, String> {
    match by {
        Actor::Person { name } => Ok(name.clone()),
        Actor::Engine => Err("only a person has a role".to_owned()),
    }
}

pub(in crate::engine) fn known<'a>(work: &'a Work<'_>, id: &IncidentId) -> Result<&'a Incident, String> {
    work.state.incident(id).map(std::sync::Arc::as_ref).ok_or_else(|| {
        let open = work
            .state
            .open_incident()
            .map_or_else(|| "none is open".to_owned(), |open| format!("{} is open", open.id));
        format!("no incident `{id}`; {open}")
    })
}

fn open<'a>(work: &'a Work<'_>, id: &IncidentId) -> Result<&'a Incident, String> {
    let incident = known(work, id)?;
    is_open(work, incident)?;
    Ok(incident)
}

fn is_open(work: &Work<'_>, incident: &Incident) -> Result<(), String> {
    match &incident.resolved {
        None => Ok(()),
        Some(Resolved { by, at, reason }) => {
            let ago = human(whole(elapsed(*at, work.now)));
            let how = match &incident.ended {
                None => "resolved",
                Some(Ended::FalseAlarm) => "called a false alarm:",
                Some(Ended::Merged { .. }) => "merged",
            };
            Err(format!("{by} {how} {} {ago} ago: {reason}", incident.id))
        }
    }
}

fn is_not_closed(incident: &Incident) -> Result<(), String> {
    if incident.is_closed() { Err(format!("{} is closed", incident.id)) } else { Ok(()) }
}

/// A text of a person, without the white space around it.
pub(in crate::engine) fn text(given: &str, limit: usize, what: &str) -> Result<String, String> {
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
