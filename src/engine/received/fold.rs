//! The fold of what happens to received alarms.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Alarms, FLAP_WITHIN, Opened};
use crate::engine::incidents::elapsed;
use crate::engine::state::{Fault, State};
use crate::model::event::Event;
use crate::model::incident::IncidentChange;
use crate::model::received::{Alarm, AlarmStatus, ReceivedChange, episodes_of};
use crate::model::{AlarmId, IncidentId};

/// Episodes that are over and are kept for people to see.
const OVER_KEPT: usize = 500;
/// Episodes that are over before the oldest of them are forgotten: not one by one.
const OVER_MOST: usize = 600;
/// Episodes that go on and are kept. Beyond that the one heard of first is forgotten.
const FIRING_KEPT: usize = 10_000;
/// Changes of one alarm that are remembered.
const FLAPS_KEPT: usize = 8;
/// Alarms whose changes are remembered before the calm ones are forgotten.
const FLAPPERS_MOST: usize = 2_000;
/// Incidents that alarms opened, as long as they are remembered to be such.
const OPENED_KEPT: usize = 100;

/// Takes one event into the alarms of a state.
pub(in crate::engine) fn fold(state: &mut State, event: &Event, at: Timestamp) {
    match event {
        Event::AlarmChanged { alarm, change } => {
            let incidents = &state.incidents;
            let is_open = |id: &IncidentId| incidents.get(id).is_some_and(|incident| incident.is_open());
            Arc::make_mut(&mut state.alarms).take(alarm, change, at, is_open);
        }
        // From here on it is a person's, or the senses': it does not end with its alarms.
        Event::IncidentChanged {
            incident,
            change: IncidentChange::Declared | IncidentChange::Reopened { .. },
            ..
        } if state.alarms.opened.contains_key(incident) => {
            Arc::make_mut(&mut state.alarms).opened.remove(incident);
        }
        Event::IncidentChanged { incident, change: IncidentChange::AlarmLinked { alarm }, .. } => {
            let id = AlarmId::from(alarm.as_str());
            if state.alarms.get(&id).is_some() {
                Arc::make_mut(&mut state.alarms).belongs_to(&id, incident);
            }
        }
        // Another one goes on with them.
        Event::IncidentChanged { incident, change: IncidentChange::Merged { into, .. }, .. } => {
            let is_its = |alarm: &&Arc<Alarm>| alarm.incident.as_ref() == Some(incident);
            let moved: Vec<AlarmId> =
                state.alarms.all().filter(is_its).map(|alarm| alarm.id.clone()).collect();
            if !moved.is_empty() {
                let alarms = Arc::make_mut(&mut state.alarms);
                for id in &moved {
                    alarms.belongs_to(id, into);
                }
            }
        }
        _ => {}
    }
}

impl Alarms {
    fn belongs_to(&mut self, id: &AlarmId, incident: &IncidentId) {
        if let Some(alarm) = self.episodes.get_mut(id) {
            Arc::make_mut(alarm).incident = Some(incident.clone());
        }
    }

    fn take(
        &mut self,
        id: &AlarmId,
        change: &ReceivedChange,
        at: Timestamp,
        is_open: impl Fn(&IncidentId) -> bool,
    ) {
        match change {
            ReceivedChange::Firing { facts } => {
                let before = self.episodes.get(id);
                let key = episodes_of(&facts.name, &facts.fingerprint);
                // What comes and goes stays where it was, without a word.
                let last = self.newest(&facts.name, &facts.fingerprint);
                let is_flapping = self.flaps.get(&key).is_some_and(|flap| flap.flapping);
                let last = before.or_else(|| last.filter(|_| is_flapping));
                let incident = last.and_then(|last| last.incident.clone()).filter(&is_open);
                let alarm = Alarm {
                    id: id.clone(),
                    facts: (**facts).clone(),
                    status: AlarmStatus::Firing,
                    heard_at: before.map_or(at, |before| before.heard_at),
                    last_seen: at,
                    changed_at: at,
                    stale: None,
                    muted: None,
                    incident,
                };
                if before.is_some_and(|before| !before.is_firing()) {
                    self.over = self.over.saturating_sub(1);
                }
                self.flap(&alarm, at);
                self.episodes.insert(id.clone(), Arc::new(alarm));
                self.forget_old();
            }
            ReceivedChange::Resolved { at: ended, inferred } => {
                let Some(alarm) = self.episodes.get_mut(id).map(Arc::make_mut) else { return };
                if alarm.is_firing() {
                    self.over += 1;
                }
                alarm.status = AlarmStatus::Resolved { at: *ended, inferred: *inferred };
                alarm.changed_at = at;
                alarm.stale = None;
                let alarm = alarm.clone();
                self.flap(&alarm, at);
                self.forget_old();
            }
            ReceivedChange::Stale { reason } => {
                if let Some(alarm) = self.episodes.get_mut(id) {
                    Arc::make_mut(alarm).stale = Some(reason.clone());
                }
            }
            ReceivedChange::Fresh => {
                if let Some(alarm) = self.episodes.get_mut(id).map(Arc::make_mut) {
                    alarm.stale = None;
                    alarm.last_seen = at;
                }
            }
            ReceivedChange::Muted { by } => {
                if let Some(alarm) = self.episodes.get_mut(id) {
                    Arc::make_mut(alarm).muted = *by;
                }
            }
            ReceivedChange::Flapping => self.set_flapping(id, true),
            ReceivedChange::Steady => {
                self.set_flapping(id, false);
                if let Some(alarm) = self.episodes.get_mut(id).map(Arc::make_mut) {
                    alarm.incident = alarm.incident.take().filter(is_open);
                }
            }
            ReceivedChange::Opened { incident, storm } => {
                self.opened.insert(incident.clone(), Opened { at, storm: *storm });
                if self.opened.len() > OPENED_KEPT
                    && let Some(oldest) = self.opened.iter().min_by_key(|(_, opened)| opened.at)
                {
                    let oldest = oldest.0.clone();
                    self.opened.remove(&oldest);
                }
            }
            ReceivedChange::PathDown { since } => {
                let reason = format!("no `{}` since then", id.as_str().split('/').next().unwrap_or_default());
                self.path_down = Some(Fault { since: *since, reason });
            }
            ReceivedChange::PathUp => self.path_down = None,
        }
    }

    fn flap(&mut self, alarm: &Alarm, at: Timestamp) {
        let key = episodes_of(&alarm.facts.name, &alarm.facts.fingerprint);
        let flap = self.flaps.entry(key).or_default();
        flap.at.push_back(at);
        if flap.at.len() > FLAPS_KEPT {
            flap.at.pop_front();
        }
        // Now and then: many alarms come at once.
        if self.flaps.len() > FLAPPERS_MOST && self.flaps.len().is_multiple_of(500) {
            self.flaps.retain(|_, flap| {
                flap.flapping || flap.at.back().is_some_and(|last| elapsed(*last, at) < FLAP_WITHIN)
            });
        }
    }

    fn set_flapping(&mut self, id: &AlarmId, flapping: bool) {
        let Some(alarm) = self.episodes.get(id) else { return };
        let key = episodes_of(&alarm.facts.name, &alarm.facts.fingerprint);
        self.flaps.entry(key).or_default().flapping = flapping;
    }

    /// Forgets what is over before what goes on.
    fn forget_old(&mut self) {
        if self.over > OVER_MOST {
            let over = |alarm: &&Arc<Alarm>| !alarm.is_firing();
            let mut over: BTreeSet<(Timestamp, AlarmId)> =
                self.all().filter(over).map(|alarm| (alarm.changed_at, alarm.id.clone())).collect();
            while over.len() > OVER_KEPT {
                let Some((_, id)) = over.pop_first() else { break };
                self.episodes.remove(&id);
            }
            self.over = over.len();
        }
        if self.episodes.len().saturating_sub(self.over) > FIRING_KEPT {
            let oldest = self.firing().min_by_key(|alarm| alarm.heard_at).map(|alarm| alarm.id.clone());
            if let Some(oldest) = oldest {
                self.episodes.remove(&oldest);
            }
        }
    }
}
