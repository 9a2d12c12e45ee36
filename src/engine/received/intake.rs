//! What a message says of an alarm, against what is known: a repeat, a transition, or old news.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Doubt, FLAPS, SEEN_EVERY, changed, incident, watchdog};
use crate::engine::core::Work;
use crate::engine::incidents::elapsed;
use crate::engine::input::Effect;
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::received::spec::AlarmsSpec;
use crate::model::received::{Alarm, AlarmBatch, AlarmFacts, AlarmReport, AlarmSource, ReceivedChange};
use crate::model::{AlarmId, ServiceName};

/// How a report came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// Somebody sent it; it may be late, or a duplicate.
    Told,
    /// It was there when it was asked for at this time.
    Listed(Timestamp),
    /// It was in doubt, and nobody could be asked.
    Doubted,
}

/// Takes alarms in that were sent.
pub(in crate::engine) fn take(work: &mut Work<'_>, batch: &AlarmBatch) {
    for report in &batch.reports {
        one(work, report, Heard::Told);
    }
    if batch.truncated > 0 {
        work.effects.push(Effect::AskAlarms);
    }
    incident::attend(work);
}

/// Takes one report in.
pub(super) fn one(work: &mut Work<'_>, report: &AlarmReport, heard: Heard) {
    let newest = work.state.alarms.newest(&report.name, &report.fingerprint).map(Arc::clone);
    let starts_at = report.starts_at.unwrap_or(match &newest {
        Some(newest) if newest.is_firing() => newest.facts.starts_at,
        _ => work.now,
    });
    if report.firing {
        fires(work, report, newest.as_deref(), starts_at, heard);
    } else {
        is_over(work, report, newest.as_deref(), starts_at);
    }
}

fn fires(
    work: &mut Work<'_>,
    report: &AlarmReport,
    newest: Option<&Alarm>,
    starts_at: Timestamp,
    heard: Heard,
) {
    let Some(known) = newest else {
        return begin(work, report, starts_at);
    };
    if known.is_firing() {
        if starts_at > known.facts.starts_at {
            // The end of the one before did not arrive.
            resolve(work, known, starts_at, true);
            return begin(work, report, starts_at);
        }
        // One that seems to have begun earlier is the same: an Alertmanager joins what overlaps.
        return again(work, known, report);
    }
    match heard {
        // A list that was asked for before the end arrived is older than it.
        Heard::Listed(asked_at) if asked_at <= known.changed_at => {}
        Heard::Listed(_) | Heard::Doubted => begin(work, report, starts_at),
        Heard::Told if starts_at > known.facts.starts_at => begin(work, report, starts_at),
        Heard::Told if starts_at < known.facts.starts_at => {}
        // A late duplicate, or it is back before it was thought to be over: the Alertmanager knows.
        Heard::Told => {
            if work.config().alarms.alertmanager.is_some() && report.source == AlarmSource::Alertmanager {
                let doubt = Doubt { since: work.now, report: report.clone() };
                work.senses.received.doubtful.insert(known.id.clone(), doubt);
                work.effects.push(Effect::AskAlarms);
            } else {
                begin(work, report, starts_at);
            }
        }
    }
}

fn is_over(work: &mut Work<'_>, report: &AlarmReport, newest: Option<&Alarm>, starts_at: Timestamp) {
    let ended = report.ends_at.unwrap_or(work.now);
    match newest {
        Some(known) if known.is_firing() => {
            // Nothing that ended before this one began.
            if starts_at >= known.facts.starts_at || ended > known.facts.starts_at {
                resolve(work, known, ended, false);
            }
            // Another one has begun and ended since: what is late of this one is old news from now on.
            if starts_at > known.facts.starts_at {
                over_already(work, report, starts_at, ended);
            }
        }
        Some(known) => {
            work.senses.received.doubtful.remove(&known.id);
            if starts_at > known.facts.starts_at && report.starts_at.is_some() {
                over_already(work, report, starts_at, ended);
            }
        }
        None if report.starts_at.is_some() => over_already(work, report, starts_at, ended),
        None => {}
    }
}

/// An episode that is over when it is first heard of: written down, so that its beginning, should it come late, is none.
fn over_already(work: &mut Work<'_>, report: &AlarmReport, starts_at: Timestamp, ended: Timestamp) {
    let facts = facts(&work.config().alarms, work, report, starts_at);
    let id = facts.id();
    changed(work, &id, ReceivedChange::Firing { facts: Box::new(facts) });
    changed(work, &id, ReceivedChange::Resolved { at: ended, inferred: false });
}

fn begin(work: &mut Work<'_>, report: &AlarmReport, starts_at: Timestamp) {
    let facts = facts(&work.config().alarms, work, report, starts_at);
    let id = facts.id();
    work.senses.received.seen.insert(id.clone(), work.now);
    work.senses.received.doubtful.remove(&id);
    changed(work, &id, ReceivedChange::Firing { facts: Box::new(facts) });
    if report.muted.is_some() {
        changed(work, &id, ReceivedChange::Muted { by: report.muted });
    }
    watchdog::heard(work, &report.name);
    flaps(work, &id);
}

pub(super) fn resolve(work: &mut Work<'_>, known: &Alarm, at: Timestamp, inferred: bool) {
    work.senses.received.absent.remove(&known.id);
    changed(work, &known.id, ReceivedChange::Resolved { at, inferred });
    flaps(work, &known.id);
}

/// It was heard of again.
fn again(work: &mut Work<'_>, known: &Alarm, report: &AlarmReport) {
    work.senses.received.seen.insert(known.id.clone(), work.now);
    work.senses.received.absent.remove(&known.id);
    if known.stale.is_some() || elapsed(known.last_seen, work.now) >= SEEN_EVERY {
        changed(work, &known.id, ReceivedChange::Fresh);
    }
    if known.muted != report.muted {
        changed(work, &known.id, ReceivedChange::Muted { by: report.muted });
    }
    watchdog::heard(work, &report.name);
}

/// Says once that an alarm comes and goes.
fn flaps(work: &mut Work<'_>, id: &AlarmId) {
    let Some(alarm) = work.state.alarms.get(id).cloned() else { return };
    if work.state.alarms.is_flapping(&alarm) || work.state.alarms.changes(&alarm, work.now) < FLAPS {
        return;
    }
    changed(work, id, ReceivedChange::Flapping);
    let incident = incident::of(work.state, &alarm);
    if let Some(incident) = incident {
        let text = format!(
            "{} is flapping: it came and went {FLAPS} times in 15 min; its changes are still written down, and nobody is \
             told of them until it stays as it is",
            alarm.facts.name
        );
        work.emit(Event::IncidentNoted { incident, by: Actor::Engine, text });
    }
}

/// What is known of an episode from its labels.
fn facts(spec: &AlarmsSpec, work: &Work<'_>, report: &AlarmReport, starts_at: Timestamp) -> AlarmFacts {
    let service = spec.service_labels.iter().find_map(|label| {
        let value = report.labels.get(label)?;
        let name = spec.services.get(value).cloned().unwrap_or_else(|| ServiceName::from(value.as_str()));
        work.config().services.contains_key(&name).then_some(name)
    });
    AlarmFacts {
        source: report.source,
        name: report.name.clone(),
        fingerprint: report.fingerprint.clone(),
        starts_at,
        labels: report.labels.clone(),
        annotations: report.annotations.clone(),
        service,
        severity: report.labels.get("severity").and_then(|word| spec.level(word)),
        runbook_url: report.annotations.get("runbook_url").cloned(),
    }
}
