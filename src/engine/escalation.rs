//! Escalation in the core: levels are told one after the other until somebody answers.
//!
//! When the next level is due is an event before anybody waits for it, so a process that dies in between is followed by one
//! that tells it, late and once, and says how late. Who stands behind a target is looked up when a level is told, so a
//! turn that has passed on meanwhile reaches whoever has it now.

mod fold;
mod preview;
mod targets;

use std::time::Duration;

use jiff::Timestamp;

use crate::model::command::Actor;
use crate::model::escalation::{Escalation, EscalationChange, OnNewAlarm, SNOOZE_LIMIT, Standing};
use crate::model::event::Event;
use crate::model::incident::{Incident, IncidentChange, Level};
use crate::model::units::human;
use crate::model::{ChannelName, IncidentId, PolicyName};

use super::core::Work;
use super::incidents::{elapsed, late_ms, storm_words, whole};
use super::messages;
pub(super) use fold::fold;
pub use preview::{Preview, preview};
pub(super) use targets::Reach;
pub(super) use targets::of_contact;
use targets::reaches;

/// Begins the escalation of an incident, by the policy for its severity; without one nothing begins.
pub(super) fn begin(work: &mut Work<'_>, incident: &Incident, reason: &str) {
    let Some(policy) = work.config().escalation.policy_for(incident.level).cloned() else { return };
    begin_with(work, incident, &policy, reason);
}

/// Begins an escalation that somebody has in hand already: nobody is told before that runs out.
pub(super) fn begin_in_hand(work: &mut Work<'_>, id: &IncidentId, by: &Actor, reason: &str) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let Some(policy) = work.config().escalation.policy_for(incident.level).cloned() else { return };
    let Some(levels) = work.config().policy.get(&policy).cloned() else { return };
    let reason = reason.to_owned();
    emit(work, id, EscalationChange::Began { policy, levels, next_at: work.now, reason });
    acknowledge(work, id, by);
}

fn begin_with(work: &mut Work<'_>, incident: &Incident, policy: &PolicyName, reason: &str) {
    // The config's check has seen to it that it is there; one that was taken away since is not followed.
    let Some(levels) = work.config().policy.get(policy).cloned() else { return };
    work.emit(Event::EscalationChanged {
        incident: incident.id.clone(),
        change: EscalationChange::Began {
            policy: policy.clone(),
            levels,
            next_at: work.now,
            reason: reason.to_owned(),
        },
    });
    advance(work, &incident.id);
}

/// Looks at every incident that is open: what is due is told, what has run out is noticed.
pub(super) fn tick(work: &mut Work<'_>) {
    let open: Vec<IncidentId> = work
        .state
        .incidents
        .values()
        .filter(|incident| incident.is_open())
        .map(|incident| incident.id.clone())
        .collect();
    for id in open {
        unacknowledged(work, &id);
        advance(work, &id);
    }
    let over: Vec<IncidentId> = work
        .state
        .escalations
        .iter()
        .filter(|(id, escalation)| {
            !matches!(escalation.standing, Standing::Stopped { .. })
                && work.state.incident(id).is_none_or(|incident| !incident.is_open())
        })
        .map(|(id, _)| id.clone())
        .collect();
    for id in over {
        stop(work, &id, Actor::Engine, "the incident is over");
    }
}

/// An incident that nobody acknowledges is told to every channel once, whatever the policies do.
fn unacknowledged(work: &mut Work<'_>, id: &IncidentId) {
    let limit = *work.config().escalation.unacknowledged;
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let waited = elapsed(incident.opened_at, work.now);
    if limit.is_zero()
        || incident.acknowledged.is_some()
        || incident.told_unacknowledged
        // The one that stands for it says so.
        || incident.told_with.is_some()
        || incident.drill
        || waited < limit
    {
        return;
    }
    changed(work, id, IncidentChange::Unacknowledged);
    messages::unacknowledged(work, &incident, waited);
}

fn changed(work: &mut Work<'_>, id: &IncidentId, change: IncidentChange) {
    work.emit(Event::IncidentChanged { incident: id.clone(), by: Actor::Engine, change });
}

fn emit(work: &mut Work<'_>, id: &IncidentId, change: EscalationChange) {
    work.emit(Event::EscalationChanged { incident: id.clone(), change });
}

/// Does what is due in the escalation of an incident.
fn advance(work: &mut Work<'_>, id: &IncidentId) {
    let Some(escalation) = work.state.escalations.get(id).cloned() else { return };
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= work.now);
    match &escalation.standing {
        Standing::Paging if is_due(escalation.next_at) => tell_next(work, id, &escalation),
        Standing::Snoozed { until, .. } if *until <= work.now => {
            emit(work, id, EscalationChange::Woke { next_at: work.now });
            advance(work, id);
        }
        Standing::Acknowledged { until, .. } if is_due(*until) => {
            let late_ms = lateness(*until, work.now);
            emit(work, id, EscalationChange::AcknowledgementRanOut { late_ms });
            advance(work, id);
        }
        Standing::Acknowledged { by, at, .. } if is_due(escalation.next_at) => {
            remind(work, id, &escalation, by, *at);
        }
        _ => {}
    }
}

/// How much later than due something is noticed, in milliseconds; zero within the clock's own step.
fn lateness(due: Option<Timestamp>, now: Timestamp) -> u64 {
    let late = due.map_or(Duration::ZERO, |due| elapsed(due, now));
    late_ms(late)
}

/// A level and the pass it is told in, both from 1.
type Turn = (usize, u8);

/// The level that follows, with its pass; none when all have been told as often as they are to be.
fn following(escalation: &Escalation, incident: &Incident, (level, pass): Turn) -> Option<Turn> {
    let levels = &escalation.levels.level;
    let (mut level, mut pass) = (level, pass.max(1));
    // Each level is looked at once a pass, so this ends.
    for _ in 0..=levels.len() * (usize::from(escalation.levels.repeat) + 2) {
        level += 1;
        if level > levels.len() {
            level = 1;
            pass += 1;
        }
        if pass > escalation.levels.repeat + 1 {
            return None;
        }
        let is_for = levels[level - 1].severity.is_none_or(|worst| incident.level.number() <= worst);
        if is_for {
            return Some((level, pass));
        }
    }
    None
}

/// Tells the level that is due.
fn tell_next(work: &mut Work<'_>, id: &IncidentId, escalation: &Escalation) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let due = escalation.next_at.unwrap_or(work.now);
    match following(escalation, &incident, (escalation.level, escalation.pass)) {
        Some(turn) => {
            let missed = missed(escalation, &incident, turn, due, work.now);
            let late_ms = lateness(Some(due), work.now);
            tell(work, &incident, escalation, turn, late_ms, &missed, "");
        }
        None => exhaust(work, &incident, escalation),
    }
}

/// The levels after `turn` that would have been told by now, had somebody led.
fn missed(
    escalation: &Escalation,
    incident: &Incident,
    mut turn: Turn,
    mut due: Timestamp,
    now: Timestamp,
) -> Vec<usize> {
    let mut missed = Vec::new();
    loop {
        let delay = *escalation.levels.level[turn.0 - 1].delay;
        due = due.checked_add(delay).unwrap_or(Timestamp::MAX);
        if due > now {
            return missed;
        }
        match following(escalation, incident, turn) {
            Some(next) => {
                missed.push(next.0);
                turn = next;
            }
            None => return missed,
        }
    }
}

/// Tells a level: everybody its targets stand for, and the last resort when that is nobody.
fn tell(
    work: &mut Work<'_>,
    incident: &Incident,
    escalation: &Escalation,
    (level, pass): Turn,
    late_ms: u64,
    missed: &[usize],
    reason: &str,
) {
    let spec = &escalation.levels.level[level - 1];
    let targets = targets::of_level(spec, pass, escalation.generation);
    let mut found: Vec<Reach> = Vec::new();
    let mut unreachable = Vec::new();
    for target in targets {
        match reaches(work.config(), incident, target, work.now) {
            Ok(more) => found.extend(more),
            Err(why) => unreachable.push((target.to_string(), why)),
        }
    }
    let mut note = String::new();
    if found.is_empty() {
        // Nobody waits out the delay of a level that reaches nobody.
        let last = &escalation.levels.last_resort;
        note = format!("level {level} of {} reaches nobody", escalation.policy);
        match reaches(work.config(), incident, last, work.now) {
            Ok(more) => found.extend(more),
            Err(why) => unreachable.push((last.to_string(), why)),
        }
    }
    found.dedup();
    let next_at = work.now.checked_add(*spec.delay).ok();
    for (target, reason) in unreachable {
        emit(work, &incident.id, EscalationChange::Unreachable { level, target, reason });
    }
    let told: Vec<(String, ChannelName)> =
        found.iter().map(|reach| (reach.who.clone(), reach.channel.clone())).collect();
    emit(
        work,
        &incident.id,
        EscalationChange::LevelTold {
            level,
            pass,
            told,
            late_ms,
            missed: missed.to_vec(),
            next_at,
            reason: reason.to_owned(),
        },
    );
    let mut words = vec![];
    words.extend((!note.is_empty()).then_some(note));
    words.extend((!reason.is_empty()).then(|| reason.to_owned()));
    words.extend(storm_words(work, incident));
    if late_ms > 0 {
        let late = human(whole(Duration::from_millis(late_ms)));
        let others = match missed {
            [] => String::new(),
            [one] => format!(", level {one} was due meanwhile"),
            more => {
                let more: Vec<_> = more.iter().map(ToString::to_string).collect();
                format!(", levels {} were due meanwhile", more.join(", "))
            }
        };
        words.push(format!("{late} late: nobody led{others}"));
    }
    let turn = messages::Turn { policy: &escalation.policy, level, pass, generation: escalation.generation };
    for reach in found {
        messages::page(work, incident, turn, &reach, &words.join("; "));
    }
}

/// Everybody was told, and nobody answered.
fn exhaust(work: &mut Work<'_>, incident: &Incident, escalation: &Escalation) {
    let last = &escalation.levels.last_resort;
    let found = reaches(work.config(), incident, last, work.now);
    let level = escalation.levels.level.len() + 1;
    let found = match found {
        Ok(found) => found,
        Err(reason) => {
            let target = last.to_string();
            emit(work, &incident.id, EscalationChange::Unreachable { level, target, reason });
            Vec::new()
        }
    };
    let told = found.iter().map(|reach| (reach.who.clone(), reach.channel.clone())).collect();
    emit(work, &incident.id, EscalationChange::Exhausted { told });
    let why =
        format!("everybody of {} was told {} times and nobody answered", escalation.policy, escalation.pass);
    let turn = messages::Turn {
        policy: &escalation.policy,
        level,
        pass: escalation.pass,
        generation: escalation.generation,
    };
    for reach in found {
        messages::page(work, incident, turn, &reach, &why);
    }
    // Loud: every channel is told as well, if it listens to what is critical.
    messages::exhausted(work, incident, &why);
}

fn remind(work: &mut Work<'_>, id: &IncidentId, escalation: &Escalation, by: &Actor, at: Timestamp) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    // Whoever does something needs no reminder.
    if incident.engaged_at.is_some_and(|engaged| engaged >= at) {
        emit(work, id, EscalationChange::Reminded { next_at: None });
        return;
    }
    let next_at = work.now.checked_add(*escalation.levels.ack_reminder).ok();
    emit(work, id, EscalationChange::Reminded { next_at });
    let Actor::Person { name } = by else { return };
    let ago = human(whole(elapsed(at, work.now)));
    let turn = messages::Turn {
        policy: &escalation.policy,
        level: escalation.level,
        pass: escalation.pass,
        generation: escalation.generation,
    };
    for reach in targets::of_contact(work.config(), &name.as_str().into(), name).unwrap_or_default() {
        let words = format!("you acknowledged it {ago} ago and nothing was done since");
        messages::remind(work, &incident, turn, &reach, &words);
    }
}

/// Somebody answered: nobody is told any more, and what is on its way to others is withdrawn.
pub(super) fn acknowledge(work: &mut Work<'_>, id: &IncidentId, by: &Actor) {
    let Some(escalation) = work.state.escalations.get(id).cloned() else { return };
    if matches!(escalation.standing, Standing::Stopped { .. }) {
        return;
    }
    let after = |span: Duration| (!span.is_zero()).then(|| work.now.checked_add(span).ok()).flatten();
    let until = after(*escalation.levels.ack_timeout);
    let next_at = after(*escalation.levels.ack_reminder);
    emit(work, id, EscalationChange::Acknowledged { by: by.clone(), until, next_at });
    messages::withdraw_pages(work, id, &format!("{by} acknowledged"));
}

/// Whether somebody is asked for again: the incident was acknowledged, and that counts no more.
pub(super) fn asks_again(escalation: Option<&Escalation>) -> bool {
    escalation.is_some_and(|escalation| {
        matches!(
            escalation.standing,
            Standing::Paging | Standing::Exhausted { .. } | Standing::Snoozed { .. }
        )
    })
}

/// Nobody is told any more.
pub(super) fn stop(work: &mut Work<'_>, id: &IncidentId, by: Actor, reason: &str) {
    let Some(escalation) = work.state.escalations.get(id) else { return };
    if matches!(escalation.standing, Standing::Stopped { .. }) {
        return;
    }
    emit(work, id, EscalationChange::Stopped { by, reason: reason.to_owned() });
    messages::withdraw_pages(work, id, reason);
}

/// An incident became worse: the policy for what it is now is followed from its first level.
pub(super) fn raised(work: &mut Work<'_>, id: &IncidentId, level: Level, by: &Actor) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let policy = work.config().escalation.policy_for(level).cloned();
    let running = work.state.escalations.get(id).map(|escalation| escalation.policy.clone());
    let is_other = policy != running;
    // Whoever raises it knows of it. What the engine raises, others have to hear.
    let is_news = *by == Actor::Engine;
    if policy.is_some() && (is_other || is_news) {
        begin(work, &incident, &format!("it is {level} now"));
    }
}

/// Something new belongs to an incident.
pub(super) fn something_new(work: &mut Work<'_>, id: &IncidentId, what: &str) {
    let Some(escalation) = work.state.escalations.get(id).cloned() else { return };
    let restarts = escalation.levels.on_new_alarm == OnNewAlarm::Restart
        && matches!(escalation.standing, Standing::Acknowledged { .. });
    if restarts && let Some(incident) = work.state.incident(id).cloned() {
        begin_with(work, &incident, &escalation.policy, what);
    }
}

/// What was done by itself has not helped: people are told at once, whatever the clock says.
pub(super) fn at_once(work: &mut Work<'_>, id: &IncidentId, reason: &str) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let Some(escalation) = work.state.escalations.get(id).cloned() else {
        return begin(work, &incident, reason);
    };
    let here = (escalation.level.max(1), escalation.pass.max(1));
    match &escalation.standing {
        Standing::Stopped { .. } => begin(work, &incident, reason),
        // Whoever answered hears it, and the next level waits for its turn.
        Standing::Acknowledged { .. } => {
            if here.0 <= escalation.levels.level.len() {
                tell(work, &incident, &escalation, here, 0, &[], reason);
            }
        }
        Standing::Exhausted { .. } => begin_with(work, &incident, &escalation.policy, reason),
        Standing::Paging | Standing::Snoozed { .. } => {
            match following(&escalation, &incident, (escalation.level, escalation.pass)) {
                Some(turn) => tell(work, &incident, &escalation, turn, 0, &[], reason),
                None => exhaust(work, &incident, &escalation),
            }
        }
    }
}

/// A person tells the next level, or a certain one, now.
pub(super) fn by_hand(
    work: &mut Work<'_>,
    id: &IncidentId,
    level: Option<usize>,
    policy: Option<&PolicyName>,
    reason: &str,
) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let running = work.state.escalations.get(id).cloned();
    let running = running.filter(|escalation| !matches!(escalation.standing, Standing::Stopped { .. }));
    let other = policy.filter(|policy| running.as_ref().is_none_or(|running| running.policy != **policy));
    if running.is_none() || other.is_some() {
        let policy = other.cloned().or_else(|| work.config().escalation.policy_for(incident.level).cloned());
        let Some(policy) = policy else { return };
        begin_with(work, &incident, &policy, reason);
        if level.is_none_or(|level| level == 1) {
            return;
        }
    }
    let Some(escalation) = work.state.escalations.get(id).cloned() else { return };
    let turn = match level {
        Some(level) => Some((level, escalation.pass.max(1))),
        None => following(&escalation, &incident, (escalation.level, escalation.pass)),
    };
    match turn {
        Some(turn) => tell(work, &incident, &escalation, turn, 0, &[], reason),
        None => exhaust(work, &incident, &escalation),
    }
}

/// Whether a person may escalate so, and if not, why.
pub(super) fn may_escalate(
    work: &Work<'_>,
    incident: &Incident,
    level: Option<usize>,
    policy: Option<&PolicyName>,
) -> Result<(), String> {
    let config = work.config();
    let running = work.state.escalations.get(&incident.id);
    let running = running.filter(|escalation| !matches!(escalation.standing, Standing::Stopped { .. }));
    let names = || config.policy.keys().map(PolicyName::as_str).collect::<Vec<_>>().join(", ");
    let levels = match policy {
        Some(policy) => match config.policy.get(policy) {
            Some(spec) => spec.level.len(),
            None if config.policy.is_empty() => return Err(no_policy()),
            None => return Err(format!("no policy `{policy}`; policies: {}", names())),
        },
        None => match running {
            Some(escalation) => escalation.levels.level.len(),
            None => match config.escalation.policy_for(incident.level) {
                Some(policy) => config.policy.get(policy).map_or(0, |spec| spec.level.len()),
                None if config.policy.is_empty() => return Err(no_policy()),
                None => {
                    return Err(format!(
                        "no policy is for {}: name one with `--policy`: {}",
                        incident.level,
                        names()
                    ));
                }
            },
        },
    };
    match level {
        Some(level) if level == 0 || level > levels => {
            Err(format!("there is no level {level}; there are {levels}"))
        }
        _ => Ok(()),
    }
}

fn no_policy() -> String {
    "the config has no escalation policy: add `[policy.NAME]` with its levels, and `[escalation] policy`"
        .to_owned()
}

/// Whether there is something to stop, and if not, why.
pub(super) fn may_stop(work: &Work<'_>, id: &IncidentId) -> Result<(), String> {
    let running = work.state.escalations.get(id);
    if running.is_none_or(|escalation| matches!(escalation.standing, Standing::Stopped { .. })) {
        return Err(format!("nobody is being told about {id}"));
    }
    Ok(())
}

/// Whether a person may snooze so, and if not, why.
pub(super) fn may_snooze(work: &Work<'_>, id: &IncidentId, until: Timestamp) -> Result<(), String> {
    may_stop(work, id)?;
    if until <= work.now {
        return Err(format!("{until:.0} is past"));
    }
    if elapsed(work.now, until) > SNOOZE_LIMIT {
        return Err(format!("an escalation is snoozed for {} at most", human(SNOOZE_LIMIT)));
    }
    Ok(())
}

/// Nobody is told for a while.
pub(super) fn snooze(work: &mut Work<'_>, id: &IncidentId, until: Timestamp, by: Actor, reason: String) {
    emit(work, id, EscalationChange::Snoozed { until, by, reason });
    messages::withdraw_pages(work, id, "snoozed");
}
