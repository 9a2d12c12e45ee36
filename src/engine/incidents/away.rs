//! A commander who is not there: after a while the deputy is told that it is their turn. Nothing is taken from anybody; whoever
//! has the role keeps it until another person takes it.

use super::{IncidentStatus, elapsed, status};
use crate::engine::core::Work;
use crate::engine::escalation::of_contact;
use crate::engine::messages;
use crate::model::command::Actor;
use crate::model::escalation::IncidentRole;
use crate::model::event::Event;
use crate::model::incident::{Incident, IncidentChange};

/// Tells, once, that whoever commands an incident has done nothing for as long as the config allows.
pub(super) fn look(work: &mut Work<'_>, incident: &Incident) {
    let limit = *work.config().escalation.commander_away;
    let (Some(name), Some(since)) = (incident.commander(), incident.commander_silent_since()) else { return };
    let silent = elapsed(since, work.now);
    if limit.is_zero() || silent < limit || incident.commander_away.is_some() || incident.drill {
        return;
    }
    // While all is well nobody has to be there.
    let is_at_work = matches!(
        status(incident, work.state, work.now),
        IncidentStatus::Declared | IncidentStatus::Mitigating
    );
    if !is_at_work {
        return;
    }
    let change = IncidentChange::CommanderAway { name: name.to_owned(), since };
    work.emit(Event::IncidentChanged { incident: incident.id.clone(), by: Actor::Engine, change });
    let deputy = incident.roles.get(&IncidentRole::Deputy).map(|held| held.name.as_str());
    // Nobody is their own deputy.
    let deputy = deputy.filter(|deputy| *deputy != name);
    let ways_to = |who: &str, role: &str| {
        of_contact(work.config(), &who.into(), &format!("role:{role}")).unwrap_or_default()
    };
    let mut ways = deputy.map_or_else(Vec::new, |deputy| ways_to(deputy, "deputy"));
    if !ways.is_empty() {
        ways.extend(ways_to(name, "commander"));
    }
    messages::commander_away(work, incident, name, silent, &ways);
}
