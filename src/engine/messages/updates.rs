//! Messages to those who wait: drafted from what is known, sent by a person, and due again before they have to ask.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::incidents::{Message, send, severity};
use super::listening;
use crate::config::Config;
use crate::engine::core::Work;
use crate::engine::incidents::elapsed;
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::incident::{Audience, Incident, IncidentChange, Level};
use crate::model::notification::{AlertAction, MessageKind};
use crate::model::{ChannelName, IncidentId};
use crate::templates::{Kind, Rendered};

/// How soon an audience hears of an incident first, and then how often: every 20 minutes for two hours, later every hour.
/// As PagerDuty's incident response documentation has it.
const FIRST: [Duration; 2] = [Duration::from_secs(5 * 60), Duration::from_secs(10 * 60)];
const OFTEN: Duration = Duration::from_secs(20 * 60);
const OFTEN_FOR: Duration = Duration::from_secs(2 * 3_600);
const SELDOM: Duration = Duration::from_secs(60 * 60);

/// When an audience is to hear of an incident next; none when nothing is due: it is over, or so slight that nobody waits.
pub fn due(incident: &Incident, audience: Audience) -> Option<Timestamp> {
    if !incident.is_open() || incident.suspected || incident.drill {
        return None;
    }
    let update = incident.updates.get(&audience);
    if let Some(promised) = update.and_then(|update| update.promised) {
        return Some(promised);
    }
    let (from, after) = match (update.and_then(|update| update.at), incident.level) {
        (_, Level::Sev4) => return None,
        // Whoever was told nothing before waits for nothing when it is opened again.
        (None, _) if incident.reopened > 0 => return None,
        (None, Level::Sev3) => (incident.opened_at, SELDOM),
        (Some(at), Level::Sev3) => (at, SELDOM),
        (None, Level::Sev1 | Level::Sev2) => (incident.opened_at, FIRST[audience as usize]),
        (Some(at), Level::Sev1 | Level::Sev2) => {
            let is_young = elapsed(incident.opened_at, at) < OFTEN_FOR;
            (at, if is_young { OFTEN } else { SELDOM })
        }
    };
    from.checked_add(after).ok()
}

/// The channels that listen to what is as urgent as an incident of this level.
pub fn listeners(config: &Config, level: Level) -> Vec<ChannelName> {
    listening(config, severity(level))
}

/// Notes messages that are late, each once. Only who has channels to be told by waits for any.
pub(in crate::engine) fn tick(work: &mut Work<'_>) {
    if work.config().channels.is_empty() {
        return;
    }
    let open: Vec<_> = work.state.incidents.values().filter(|incident| incident.is_open()).cloned().collect();
    for incident in open {
        for audience in Audience::ALL {
            let Some(due) = due(&incident, audience) else { continue };
            let is_known = incident.updates.get(&audience).is_some_and(|update| update.late == Some(due));
            // Nobody outside waits for what nobody outside was ever told of.
            let is_awaited = audience == Audience::Internal || incident.updates.contains_key(&audience);
            if due <= work.now && !is_known && is_awaited {
                let change = IncidentChange::UpdateMissed { audience, due };
                work.emit(Event::IncidentChanged {
                    incident: incident.id.clone(),
                    by: Actor::Engine,
                    change,
                });
            }
        }
    }
}

/// The channels that a message goes through, or why it cannot be sent.
pub(in crate::engine) fn may_tell(
    work: &Work<'_>,
    incident: &Incident,
    channels: &[ChannelName],
    next: Option<Timestamp>,
) -> Result<Vec<ChannelName>, String> {
    let known = &work.config().channels;
    let names = || known.keys().map(ChannelName::as_str).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        return Err("the config has no channel: add `[channels.NAME]`".to_owned());
    }
    if let Some(unknown) = channels.iter().find(|name| !known.contains_key(*name)) {
        return Err(format!("no channel `{unknown}`; channels: {}", names()));
    }
    if next.is_some_and(|next| next <= work.now) {
        return Err("the next message is promised for a time that is past".to_owned());
    }
    let chosen =
        if channels.is_empty() { listeners(work.config(), incident.level) } else { channels.to_vec() };
    if chosen.is_empty() {
        return Err(format!("no channel listens to a {}; name one with `--to`: {}", incident.level, names()));
    }
    Ok(chosen)
}

/// What those who wait would be told now.
pub(in crate::engine) fn drafted(
    work: &Work<'_>,
    incident: &Incident,
    next: Option<Timestamp>,
) -> Result<Rendered, String> {
    let values = super::update(incident, work.state, next, work.now);
    let environment = &work.config().environment.name;
    super::fill(&work.settings.templates, environment, Kind::Update, values, work.now)
}

/// Sends what a person wrote to those who wait.
pub(in crate::engine) fn send_update(
    work: &mut Work<'_>,
    id: &IncidentId,
    by: &Actor,
    audience: Audience,
    told: &Rendered,
    channels: Vec<ChannelName>,
    next: Option<Timestamp>,
) {
    let change = IncidentChange::Told { audience, text: told.text.clone(), channels: channels.clone(), next };
    work.emit(Event::IncidentChanged { incident: id.clone(), by: by.clone(), change });
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let count: BTreeMap<_, _> =
        incident.updates.iter().map(|(audience, update)| (*audience, update.count)).collect();
    let count = count.get(&audience).copied().unwrap_or_default();
    for channel in channels {
        let message = Message {
            topic: "incident-update",
            severity: severity(incident.level),
            kind: MessageKind::Update,
            action: AlertAction::Trigger,
            told: told.clone(),
            key: Some(format!("{id}/{}/{channel}/{count}", audience.word())),
            to: Vec::new(),
            dedup: None,
        };
        send(work, &incident, channel, message);
    }
}
