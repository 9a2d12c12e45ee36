//! What people are told about incidents: that there is one, that nobody has answered, that it is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::phones::Rung;
use super::{plain, queue_to, values};
use crate::model::command::Actor;
use crate::model::escalation::IncidentRole;
use crate::model::incident::{Incident, Level};
use crate::model::notification::{AlertAction, MessageKind, Notification, fact};
use crate::model::trigger::Severity;
use crate::model::units::human;
use crate::model::{ChannelName, IncidentId, PolicyName, ServiceName};

use super::super::core::Work;
use super::super::escalation::Reach;
use super::super::incidents::{status, storm_words, whole};
use super::super::input::Effect;
use crate::runbook::Item;
use crate::templates::{Kind, Rendered};

/// Whose turn it is in an escalation.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Turn<'a> {
    pub(in crate::engine) policy: &'a PolicyName,
    /// From 1; behind the last one it is the last resort.
    pub(in crate::engine) level: usize,
    /// From 1.
    pub(in crate::engine) pass: u8,
    pub(in crate::engine) generation: u32,
}

/// How urgent an incident is for those who read a channel.
pub(super) const fn severity(level: Level) -> Severity {
    match level {
        Level::Sev1 => Severity::Critical,
        Level::Sev2 => Severity::High,
        Level::Sev3 => Severity::Medium,
        Level::Sev4 => Severity::Low,
    }
}

/// An incident was declared: every channel that listens to what is so urgent is told, where no policy tells them.
pub(in crate::engine) fn incident_opened(work: &mut Work<'_>, incident: &Incident) {
    let more = storm_words(work, incident).map_or_else(String::new, |words| format!(" ({words})"));
    let text =
        format!("{} {} declared by {}: {}{more}", incident.id, incident.level, incident.by, about(incident));
    to_all(work, incident, "incident-opened", severity(incident.level), MessageKind::Notice, &text);
}

/// Nobody has acknowledged an incident for as long as that may take.
pub(in crate::engine) fn unacknowledged(work: &mut Work<'_>, incident: &Incident, waited: Duration) {
    let text = format!(
        "{} {} was declared {} ago and nobody has acknowledged it: {}",
        incident.id,
        incident.level,
        human(whole(waited)),
        about(incident)
    );
    to_all(work, incident, "incident-unacknowledged", Severity::Critical, MessageKind::Page, &text);
}

/// Everybody of a policy was told and nobody answered.
pub(in crate::engine) fn exhausted(work: &mut Work<'_>, incident: &Incident, why: &str) {
    let text = format!("{} {} has no one: {why}: {}", incident.id, incident.level, about(incident));
    to_all(work, incident, "escalation-exhausted", Severity::Critical, MessageKind::Page, &text);
}

/// Whoever commands an incident has done nothing for long: they are asked, and the deputy hears that it is their turn. Where
/// no deputy can be reached, every channel hears it.
pub(in crate::engine) fn commander_away(
    work: &mut Work<'_>,
    incident: &Incident,
    name: &str,
    silent: Duration,
    ways: &[Reach],
) {
    let deputy = incident.roles.get(&IncidentRole::Deputy).map(|held| &held.name);
    let deputy = deputy.filter(|deputy| *deputy != name);
    let turn =
        deputy.map_or_else(|| "it has no deputy".to_owned(), |deputy| format!("{deputy}, it is your turn"));
    let text = format!(
        "{} {}: {name}, who commands it, has done nothing for {}; {turn}. Whoever commands says so with: unship incident role commander --incident {} ({})",
        incident.id,
        incident.level,
        human(whole(silent)),
        incident.id,
        about(incident)
    );
    if ways.is_empty() {
        let severity = severity(incident.level);
        return to_all(work, incident, "commander-away", severity, MessageKind::Page, &text);
    }
    for reach in ways {
        let key = format!("{}/away/{}/{}", incident.id, reach.channel, work.state.counts.notifications);
        let message = Message {
            topic: "commander-away",
            severity: Severity::Critical,
            kind: MessageKind::Page,
            action: AlertAction::Trigger,
            told: plain(text.clone()),
            key: Some(key),
            to: reach.address.iter().cloned().collect(),
            dedup: None,
        };
        send_to(work, incident, reach, message);
    }
}

/// Somebody asks for another person's agreement to an action of a runbook.
pub(in crate::engine) fn agreement(work: &mut Work<'_>, incident: &Incident, by: &Actor, item: &Item) {
    let text = format!(
        "{} {}: {by} asks for another person's agreement to `{}`. Look at it, then: unship checklist do {} --incident {}",
        incident.id, incident.level, item.text, item.id, incident.id
    );
    for channel in super::listening(work.config(), severity(incident.level)) {
        let message = Message {
            topic: "agreement-asked",
            severity: severity(incident.level),
            kind: MessageKind::Notice,
            action: AlertAction::Trigger,
            told: plain(text.clone()),
            // Each asking is a message of its own.
            key: Some(format!(
                "{}/agreement/{}/{channel}/{}",
                incident.id, item.id, work.state.counts.notifications
            )),
            to: Vec::new(),
            dedup: None,
        };
        send(work, incident, channel, message);
    }
}

/// More incidents stand behind the one that stands for many.
pub(in crate::engine) fn storm(work: &mut Work<'_>, lead: &Incident, more: &[Arc<Incident>], count: usize) {
    let lines = more.iter().map(|incident| format!("{} {} {}", incident.id, incident.level, incident.title));
    let text = format!(
        "{count} incidents are open at once, told with {}; new among them:\n{}",
        lead.id,
        lines.collect::<Vec<_>>().join("\n")
    );
    let worst = more.iter().map(|incident| incident.level).min().unwrap_or(lead.level);
    let topic = format!("incident-storm/{}", more.first().map_or("", |first| first.id.as_str()));
    for channel in super::listening(work.config(), severity(worst)) {
        let message = Message {
            topic: "incident-storm",
            severity: severity(worst),
            kind: MessageKind::Notice,
            action: AlertAction::Trigger,
            told: plain(text.clone()),
            key: Some(format!("{}/{topic}/{channel}", lead.id)),
            to: Vec::new(),
            dedup: None,
        };
        send(work, lead, channel, message);
    }
}

/// An incident is over: those who were told of it hear that, too.
pub(in crate::engine) fn incident_over(work: &mut Work<'_>, id: &IncidentId) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let Some(end) = incident.resolved.clone() else { return };
    let lasted = human(whole(incident.lasted(work.now)));
    let how = status(&incident, work.state, work.now).word();
    let words = format!("{id} {how} by {} after {lasted}: {}", end.by, end.reason);
    let own = values::resolved(&incident, work.state, work.now);
    let told = values::rendered(work, Kind::Resolved, own, &words);
    // What is on its way of how it was is old news.
    work.effects.push(Effect::Withdraw {
        key: id.to_string(),
        pages_only: true,
        reason: format!("{id} is {how}"),
    });
    let reached: Vec<ChannelName> = work.state.reached.get(id).into_iter().flatten().cloned().collect();
    for channel in reached {
        let key = format!("{id}/over/{channel}/{}", incident.reopened);
        let message = Message {
            topic: "incident-over",
            severity: severity(incident.level),
            kind: MessageKind::Resolve,
            action: AlertAction::Resolve,
            told: told.clone(),
            key: Some(key),
            to: Vec::new(),
            dedup: None,
        };
        send(work, &incident, channel, message);
    }
}

/// Tells somebody that an incident waits for them.
pub(in crate::engine) fn page(
    work: &mut Work<'_>,
    incident: &Incident,
    turn: Turn<'_>,
    reach: &Reach,
    why: &str,
) {
    let words = format!(
        "{} {} waits for {}: {}. Answer with: unship incident ack {}",
        incident.id,
        incident.level,
        reach.who,
        about(incident),
        incident.id
    );
    let own = values::escalation(incident, work.state, turn, &reach.who, why, work.now);
    let told = values::rendered(work, Kind::Escalation, own, &words);
    to_reach(work, incident, turn, reach, "page", told);
}

/// Reminds whoever answered that something waits to be done.
pub(in crate::engine) fn remind(
    work: &mut Work<'_>,
    incident: &Incident,
    turn: Turn<'_>,
    reach: &Reach,
    why: &str,
) {
    let text = format!("{} {} {}: {why}: {}", incident.id, incident.level, reach.who, about(incident));
    to_reach(work, incident, turn, reach, "acknowledgement-reminder", plain(text));
}

/// Takes back what calls for people and was not sent yet.
pub(in crate::engine) fn withdraw_pages(work: &mut Work<'_>, id: &IncidentId, reason: &str) {
    work.effects.push(Effect::Withdraw { key: id.to_string(), pages_only: true, reason: reason.to_owned() });
}

fn to_reach(
    work: &mut Work<'_>,
    incident: &Incident,
    turn: Turn<'_>,
    reach: &Reach,
    topic: &'static str,
    told: Rendered,
) {
    let Turn { level, pass, generation, .. } = turn;
    let count = work.state.counts.notifications;
    // Each telling is a message of its own; its retries are not.
    let key = format!("{}/{level}/{}/{generation}.{pass}.{count}", incident.id, reach.channel);
    // An alert that is open on the other side calls nobody again: every telling is an alert of its own.
    let raised = work.state.escalations.get(&incident.id).map_or(0, |escalation| escalation.told.len());
    let dedup = (raised > 1).then(|| format!("{}/g{raised}", incident.id));
    let message = Message {
        topic,
        severity: Severity::Critical,
        kind: MessageKind::Page,
        action: AlertAction::Trigger,
        told,
        key: Some(key),
        to: reach.address.iter().cloned().collect(),
        dedup,
    };
    send_to(work, incident, reach, message);
}

/// Sends to somebody. Whose phone has rung often enough gets it not, and the next message says so.
fn send_to(work: &mut Work<'_>, incident: &Incident, reach: &Reach, mut message: Message) {
    let mut held_back = None;
    if let Some(person) = &reach.phone_of {
        let rung = work.state.phones.get(person);
        held_back = rung.and_then(|rung| rung.holds_back(incident, work.now));
        if let Some(left_out) = rung.map(Rung::left_out).filter(|_| held_back.is_none()) {
            message.told.text.push_str(&left_out);
        }
    }
    send_with(work, incident, reach.channel.clone(), message, |notification| Notification {
        person: reach.phone_of.clone(),
        held_back,
        ..notification
    });
}

fn to_all(
    work: &mut Work<'_>,
    incident: &Incident,
    topic: &'static str,
    severity: Severity,
    kind: MessageKind,
    text: &str,
) {
    for channel in super::listening(work.config(), severity) {
        let key = format!("{}/{topic}/{channel}/{}", incident.id, incident.reopened);
        let message = Message {
            topic,
            severity,
            kind,
            action: AlertAction::Trigger,
            told: plain(text.to_owned()),
            key: Some(key),
            to: Vec::new(),
            dedup: None,
        };
        send(work, incident, channel, message);
    }
}

/// What is sent, without what follows from the incident.
pub(super) struct Message {
    pub(super) topic: &'static str,
    pub(super) severity: Severity,
    pub(super) kind: MessageKind,
    pub(super) action: AlertAction,
    pub(super) told: Rendered,
    pub(super) key: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) dedup: Option<String>,
}

pub(super) fn send(work: &mut Work<'_>, incident: &Incident, channel: ChannelName, message: Message) {
    send_with(work, incident, channel, message, |notification| notification);
}

fn send_with(
    work: &mut Work<'_>,
    incident: &Incident,
    channel: ChannelName,
    message: Message,
    fill: impl FnOnce(Notification) -> Notification,
) {
    let Message { topic, severity, kind, action, told, key, to, dedup } = message;
    let subject =
        told.subject.or_else(|| Some(format!("{} {} {}", incident.id, incident.level, incident.title)));
    let services: Vec<_> = incident.services.iter().map(ServiceName::as_str).collect();
    let facts = BTreeMap::from([
        (fact::TITLE.to_owned(), incident.title.clone()),
        (fact::LEVEL.to_owned(), incident.level.to_string()),
        (fact::STATE.to_owned(), status(incident, work.state, work.now).word().to_owned()),
        (fact::SERVICES.to_owned(), services.join(", ")),
        (fact::BY.to_owned(), incident.by.to_string()),
    ]);
    let service = incident.services.first().cloned();
    let seq = work.state.incident(&incident.id).map_or(0, |known| known.messages) + 1;
    queue_to(work, channel, |notification| {
        fill(Notification {
            topic: topic.to_owned(),
            severity,
            service,
            text: told.text,
            facts,
            kind,
            incident: Some(incident.id.clone()),
            seq,
            key,
            drill: incident.drill,
            subject,
            to,
            dedup,
            action,
            ..notification
        })
    });
}

/// What an incident is about, in one sentence.
fn about(incident: &Incident) -> String {
    if incident.reason.is_empty() || incident.reason == incident.title {
        incident.title.clone()
    } else {
        format!("{}: {}", incident.title, incident.reason)
    }
}
