//! What events of alarms that others send say.

use super::{Mood, Told};
use crate::engine::state::State;
use crate::model::AlarmId;
use crate::model::received::ReceivedChange;

/// What happened to an alarm; none for what is only bookkeeping.
pub(super) fn alarm(alarm: &AlarmId, change: &ReceivedChange, state: &State) -> Option<Told> {
    let known = state.alarms.get(alarm);
    // The id begins with the name.
    let name = alarm.as_str().rsplit_once('/').map_or(alarm.as_str(), |(name, _)| name);
    let service = match change {
        ReceivedChange::Firing { facts } => facts.service.as_ref(),
        _ => known.and_then(|known| known.facts.service.as_ref()),
    };
    let (mood, words) = match change {
        ReceivedChange::Firing { facts } => {
            let said = facts.summary().map_or_else(String::new, |said| format!(": {said}"));
            (Mood::Wary, format!("alarm {name} fires{said}"))
        }
        ReceivedChange::Resolved { inferred: false, .. } => (Mood::Good, format!("alarm {name} is over")),
        ReceivedChange::Resolved { inferred: true, .. } => {
            (Mood::Good, format!("alarm {name} is over, although nobody said so"))
        }
        ReceivedChange::Stale { reason } => {
            (Mood::Wary, format!("whether alarm {name} still fires is not known: {reason}"))
        }
        ReceivedChange::Muted { by: Some(muted) } => {
            (Mood::Plain, format!("alarm {name} is {}", muted.word()))
        }
        ReceivedChange::Muted { by: None } => (Mood::Plain, format!("alarm {name} is silenced no more")),
        ReceivedChange::Flapping => (Mood::Wary, format!("alarm {name} comes and goes")),
        ReceivedChange::Steady => (Mood::Plain, format!("alarm {name} stays as it is again")),
        ReceivedChange::PathDown { since } => {
            (Mood::Bad, format!("the alarm path is down: {name} was last heard at {since:.0}"))
        }
        ReceivedChange::PathUp => (Mood::Good, format!("the alarm path is up: {name} is heard again")),
        ReceivedChange::Fresh | ReceivedChange::Opened { .. } => return None,
    };
    Some(Told::on(service, mood, words))
}
