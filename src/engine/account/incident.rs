//! What events of incidents, their escalations and their checklists say.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Mood, Told};
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::escalation::EscalationChange;
use crate::model::event::Event;
use crate::model::incident::{IncidentChange, Ticked};
use crate::model::units::human;
use crate::model::{ChannelName, IncidentId, ItemId, RunId};

/// What an event of an incident says.
pub(super) fn incident(event: &Event) -> Option<Told> {
    Some(match event {
        Event::IncidentOpened { incident, title, level, by, reason, .. } => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            Told::new(Mood::Bad, format!("{incident} {level} declared by {by}: {title}{why}"))
        }
        Event::IncidentJoined { incident, service, reason } => Told {
            service: Some(service.clone()),
            ..Told::new(Mood::Wary, format!("{incident}: {service} is part of it: {reason}"))
        },
        Event::IncidentAcknowledged { incident, by } => {
            Told::new(Mood::Good, format!("{incident}: acknowledged by {by}"))
        }
        Event::ChecklistTicked { incident, item, ticked, by, note } => {
            let (mood, how) = match ticked {
                Some(Ticked::Done) => (Mood::Good, "ticked"),
                Some(Ticked::NotApplicable) => (Mood::Plain, "not applicable"),
                None => (Mood::Wary, "unticked"),
            };
            let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            Told::new(mood, format!("{incident}: {item} {how} by {by}{note}"))
        }
        Event::IncidentLevelSet { incident, level, by, reason } => {
            Told::new(Mood::Wary, format!("{incident}: is {level}, says {by}: {reason}"))
        }
        Event::IncidentNoted { incident, by, text } => {
            Told::new(Mood::Plain, format!("{incident}: {by} notes: {text}"))
        }
        Event::IncidentResolved { incident, by, reason } => {
            Told::new(Mood::Good, format!("{incident}: resolved by {by}: {reason}"))
        }
        Event::IncidentChanged { incident, by, change } => changed(incident, by, change),
        Event::EscalationChanged { incident, change } => escalation(incident, change),
        Event::ChecklistChanged { incident, run, by, change } => checklist(incident, run, by, change),
        _ => return None,
    })
}

/// What a person wrote, if they wrote something.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

fn changed(incident: &IncidentId, by: &Actor, change: &IncidentChange) -> Told {
    let (mood, words) = match change {
        IncidentChange::Suspected => (Mood::Wary, "is suspected, not declared".to_owned()),
        IncidentChange::Drill => (Mood::Plain, "is a drill".to_owned()),
        IncidentChange::Declared => (Mood::Bad, format!("declared by {by}")),
        IncidentChange::FalseAlarm { reason } => {
            (Mood::Good, format!("was a false alarm, says {by}: {reason}"))
        }
        IncidentChange::Merged { into, reason } => {
            (Mood::Plain, format!("goes on as {into}, says {by}: {reason}"))
        }
        IncidentChange::Reopened { reason } => (Mood::Bad, format!("opened again by {by}: {reason}")),
        IncidentChange::Closed { reason } => (Mood::Good, format!("closed by {by}{}", because(reason))),
        IncidentChange::RoleTaken { role, name } => (Mood::Plain, format!("{name} is {role}")),
        IncidentChange::RoleOffered { role, to } => (Mood::Plain, format!("{by} offers {to} to be {role}")),
        IncidentChange::OfferLapsed { role, to } => {
            (Mood::Wary, format!("{to} did not take it up to be {role}"))
        }
        IncidentChange::Linked { operation } => {
            (Mood::Plain, format!("{operation} belongs to it, says {by}"))
        }
        IncidentChange::OnsetSet { onset, reason } => {
            (Mood::Plain, format!("began at {onset:.0}, says {by}: {reason}"))
        }
        IncidentChange::Mitigated { since } => (Mood::Good, format!("its impact is over since {since:.0}")),
        IncidentChange::AlarmLinked { alarm } => (Mood::Wary, format!("the alarm {alarm} speaks of it")),
        IncidentChange::Unacknowledged => {
            (Mood::Bad, "NOBODY has acknowledged it; everybody is told".to_owned())
        }
        IncidentChange::Told { audience, text, channels, next } => {
            let channels: Vec<_> = channels.iter().map(ChannelName::as_str).collect();
            let next = next.map_or_else(String::new, |next| format!(", the next one by {next:.0}"));
            let first = text.lines().next().unwrap_or_default();
            let words = format!(
                "{by} sends an {} message by {}{next}: {first}",
                audience.word(),
                channels.join(", ")
            );
            (Mood::Plain, words)
        }
        IncidentChange::UpdateMissed { audience, due } => {
            (Mood::Wary, format!("an {} message was due at {due:.0}", audience.word()))
        }
        IncidentChange::CommanderAway { name, since } => (
            Mood::Bad,
            format!("{name}, who commands, has done nothing since {since:.0}: it is the deputy's turn"),
        ),
        IncidentChange::StormBegan { count } => {
            (Mood::Bad, format!("{count} incidents at once: those that follow are told with this one"))
        }
        IncidentChange::ToldWith { lead } => (Mood::Wary, format!("is told with {lead}: too many at once")),
        IncidentChange::StormTold { incidents } => {
            let count = match incidents.len() {
                1 => "1 more incident is".to_owned(),
                count => format!("{count} more incidents are"),
            };
            (Mood::Bad, format!("{count} told with it: {}", list(incidents)))
        }
        IncidentChange::StormPassed => (Mood::Plain, "what follows is told by itself again".to_owned()),
        IncidentChange::ToldAlone { reason } => (Mood::Wary, format!("is told by itself again: {reason}")),
    };
    Told::new(mood, format!("{incident}: {words}"))
}

/// How many items are open.
fn items(open: &[ItemId]) -> String {
    match open.len() {
        1 => "1 item is open".to_owned(),
        count => format!("{count} items are open"),
    }
}

fn list(incidents: &[IncidentId]) -> String {
    incidents.iter().map(IncidentId::as_str).collect::<Vec<_>>().join(", ")
}

fn late(ms: u64) -> String {
    if ms == 0 {
        return String::new();
    }
    format!(", {} late", human(Duration::from_secs(ms / 1_000).max(Duration::from_secs(1))))
}

fn names(told: &[(String, ChannelName)]) -> String {
    if told.is_empty() {
        return "nobody".to_owned();
    }
    told.iter().map(|(who, channel)| format!("{who} by {channel}")).collect::<Vec<_>>().join(", ")
}

fn escalation(incident: &IncidentId, change: &EscalationChange) -> Told {
    let (mood, words) = match change {
        EscalationChange::Began { policy, reason, .. } => {
            (Mood::Acts, format!("escalation by {policy} begins: {reason}"))
        }
        EscalationChange::LevelTold { level, told, late_ms, missed, reason, .. } => {
            let mut words = format!("level {level} is told{}: {}", late(*late_ms), names(told));
            if !missed.is_empty() {
                let missed: Vec<_> = missed.iter().map(ToString::to_string).collect();
                let _ = write!(words, "; due meanwhile: level {}", missed.join(", "));
            }
            if !reason.is_empty() {
                let _ = write!(words, "; {reason}");
            }
            (if told.is_empty() { Mood::Bad } else { Mood::Acts }, words)
        }
        EscalationChange::Unreachable { level, target, reason } => {
            (Mood::Bad, format!("level {level}: {target} cannot be reached: {reason}"))
        }
        EscalationChange::Acknowledged { by, until, .. } => {
            let until = until.map_or_else(String::new, |until| format!(", until {until:.0}"));
            (Mood::Good, format!("{by} has it: nobody else is told{until}"))
        }
        EscalationChange::Reminded { next_at: Some(_) } => {
            (Mood::Wary, "whoever has it was reminded".to_owned())
        }
        EscalationChange::Reminded { next_at: None } => {
            (Mood::Plain, "whoever has it is at work: no more reminders".to_owned())
        }
        EscalationChange::AcknowledgementRanOut { late_ms } => (
            Mood::Bad,
            format!("acknowledged, and still open: the same level is told again{}", late(*late_ms)),
        ),
        EscalationChange::Snoozed { until, by, reason } => {
            (Mood::Plain, format!("{by} lets nobody be told until {until:.0}: {reason}"))
        }
        EscalationChange::Woke { .. } => (Mood::Acts, "people are told again".to_owned()),
        EscalationChange::Exhausted { told } => {
            (Mood::Bad, format!("EVERYBODY was told and nobody answered; at the last {}", names(told)))
        }
        EscalationChange::Stopped { by, reason } => {
            (Mood::Plain, format!("{by} ends the escalation: {reason}"))
        }
    };
    Told::new(mood, format!("{incident}: {words}"))
}

fn checklist(incident: &IncidentId, run: &RunId, by: &Actor, change: &ChecklistChange) -> Told {
    let item = |item: &ItemId, words: String| format!("{item} {words}");
    let (mood, words) = match change {
        ChecklistChange::Attached { runbook, .. } => {
            return Told::new(Mood::Acts, format!("{incident}: {runbook} is worked through, begun by {by}"));
        }
        ChecklistChange::Asked { item: id, value, .. } => {
            let value = value.as_ref().map_or_else(String::new, |value| format!(" ({value})"));
            (Mood::Acts, item(id, format!("waits for another person to agree with {by}{value}")))
        }
        ChecklistChange::AskEnded { item: id, reason } => {
            (Mood::Wary, item(id, format!("waits for nobody's agreement any more: {reason}")))
        }
        ChecklistChange::Done { item: id, unsensed, fact, do_confirm } => {
            let how = match (*unsensed, *do_confirm) {
                (true, _) => ", which cannot be seen",
                (false, true) => ", from memory",
                (false, false) => "",
            };
            let fact = fact.as_ref().map_or_else(String::new, |fact| format!(": {fact}"));
            (Mood::Good, item(id, format!("done, says {by}{how}{fact}")))
        }
        ChecklistChange::Sensed { item: id, holds, fact } => {
            let (mood, how) = match holds {
                Some(true) => (Mood::Good, "is so"),
                Some(false) => (Mood::Plain, "is not so"),
                None => (Mood::Unknown, "is not known"),
            };
            (mood, item(id, format!("{how}: {fact}")))
        }
        ChecklistChange::Satisfied { item: id, fact } => {
            (Mood::Good, item(id, format!("is so, to be confirmed: {fact}")))
        }
        ChecklistChange::Unsatisfied { item: id, fact } => {
            (Mood::Wary, item(id, format!("is no longer so: {fact}")))
        }
        ChecklistChange::Regressed { item: id, fact } => {
            (Mood::Bad, item(id, format!("was done and is no longer so: {fact}")))
        }
        ChecklistChange::RegressionAcknowledged { item: id } => {
            (Mood::Plain, item(id, format!("{by} has seen that it is no longer so")))
        }
        ChecklistChange::Reopened { item: id, reason } => {
            (Mood::Wary, item(id, format!("opened again by {by}{}", because(reason))))
        }
        ChecklistChange::Inactive { item: id, reason } => {
            (Mood::Plain, item(id, format!("does not apply, says {by}{}", because(reason))))
        }
        ChecklistChange::Overridden { item: id, reason } => {
            (Mood::Wary, item(id, format!("OVERRIDDEN by {by}: {reason}")))
        }
        ChecklistChange::Deferred { item: id, until, reason, .. } => {
            (Mood::Plain, item(id, format!("deferred by {by} until {until}: {reason}")))
        }
        ChecklistChange::Due { item: id } => (Mood::Wary, item(id, "was deferred until now".to_owned())),
        ChecklistChange::Began { item: id } => (Mood::Acts, item(id, format!("begun by {by}"))),
        ChecklistChange::ClockReset { item: id, fact } => {
            (Mood::Wary, item(id, format!("begins anew: {fact}")))
        }
        ChecklistChange::Elapsed { item: id, late_ms } => {
            (Mood::Good, item(id, format!("has lasted{}", late(*late_ms))))
        }
        ChecklistChange::Chosen { item: id, option, reason } => {
            (Mood::Acts, item(id, format!("{by} decides: {option}{}", because(reason))))
        }
        ChecklistChange::Recorded { item: id, name, value } => {
            (Mood::Plain, item(id, format!("{by} records {name}: {value}")))
        }
        ChecklistChange::Dispatched { item: id, generation, operation, undo, .. } => {
            let again = if *generation > 1 { format!(", time {generation}") } else { String::new() };
            let operation = operation.as_ref().map_or_else(String::new, |id| format!(", {id}"));
            let what = if *undo { "taking it back is begun" } else { "begun" };
            (Mood::Acts, item(id, format!("{what} by {by}{operation}{again}")))
        }
        ChecklistChange::Outcome { item: id, succeeded, detail, .. } => {
            let (mood, how) = match succeeded {
                Some(true) => (Mood::Good, "has worked"),
                Some(false) => (Mood::Bad, "FAILED"),
                None => (Mood::Unknown, "ended and nobody knows how"),
            };
            (mood, item(id, format!("{how}: {detail}")))
        }
        ChecklistChange::Noted { item: id, text } => (Mood::Plain, item(id, format!("{by} notes: {text}"))),
        ChecklistChange::Claimed { item: id, .. } => (Mood::Plain, item(id, format!("{by} takes it"))),
        ChecklistChange::Released { item: id } => (Mood::Plain, item(id, format!("{by} lets go of it"))),
        ChecklistChange::WindowWarning { section } => {
            (Mood::Wary, format!("the time of `{section}` is nearly over"))
        }
        ChecklistChange::WindowOverrun { section, late_ms, open } => {
            (Mood::Bad, format!("the time of `{section}` is over{}: {}", late(*late_ms), items(open)))
        }
        ChecklistChange::WindowReminder { section, open, .. } => {
            (Mood::Bad, format!("the time of `{section}` is still over: {}", items(open)))
        }
        ChecklistChange::WindowMet { section, late } => {
            let when = if *late { "after its time" } else { "in time" };
            (if *late { Mood::Plain } else { Mood::Good }, format!("`{section}` is through {when}"))
        }
        ChecklistChange::Rebased { changed, added, removed, .. } => {
            let words = format!(
                "goes on with its text as it is now, says {by}: {} changed, {} added, {} removed",
                changed.len(),
                added.len(),
                removed.len()
            );
            (Mood::Acts, words)
        }
        ChecklistChange::Closed => (Mood::Plain, "is put away".to_owned()),
    };
    Told::new(mood, format!("{run}: {words}"))
}
