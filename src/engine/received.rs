//! Alarms that others send: which are news, and what follows.
//!
//! A message that says what is known already is a repeat and changes nothing but when the alarm was last heard of. What is
//! left are *transitions*: an episode begins or ends. `intake` tells them apart, `reconcile` holds them
//! against what an Alertmanager has now, `incident` lets incidents be suspected, declared and resolved by them, and
//! `watchdog` notices when no alarms arrive any more. What is known is the fold of the events, in [`Alarms`]; what
//! was only heard again is in `Memory`, and is lost with the process without harm.

mod fold;
mod incident;
mod intake;
mod reconcile;
#[cfg(test)]
mod tests;
mod watchdog;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::event::Event;
use crate::model::received::{Alarm, AlarmReport, ReceivedChange, episodes_of};
use crate::model::{AlarmId, IncidentId, ServiceName};
use crate::runbook::{Sensed, Value};

use super::core::Work;
use super::incidents::elapsed;
use super::state::Fault;
pub(super) use fold::fold;
pub(super) use incident::confirm;
pub use incident::ends_at;
pub(super) use intake::take;
pub(super) use reconcile::take_poll;

/// How long everything has to be over before an incident that only alarms opened ends by itself.
pub const RESOLVING: Duration = Duration::from_secs(2 * 60);
/// The time in which changes are counted, to tell an alarm that comes and goes.
const FLAP_WITHIN: Duration = Duration::from_secs(15 * 60);
/// So many changes in that time, and nobody is told of more.
const FLAPS: usize = 4;
/// How often it is written down at most that an alarm goes on.
const SEEN_EVERY: Duration = Duration::from_secs(3_600);

/// The alarms that are known.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Alarms {
    /// The episodes: those that go on, and the newest of the others.
    episodes: BTreeMap<AlarmId, Arc<Alarm>>,
    /// Those of them that are over.
    #[serde(default)]
    over: usize,
    /// When each alarm changed lately, by what the ids of its episodes begin with.
    #[serde(default)]
    flaps: BTreeMap<String, Flap>,
    /// The incidents that alarms opened.
    #[serde(default)]
    opened: BTreeMap<IncidentId, Opened>,
    /// The alarm that always fires is absent: nothing is heard of alarms.
    #[serde(default)]
    path_down: Option<Fault>,
}

/// How often an alarm has changed lately.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Flap {
    at: VecDeque<Timestamp>,
    /// It changed so often that nobody is told of it any more.
    flapping: bool,
}

/// An incident that alarms opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Opened {
    at: Timestamp,
    storm: bool,
}

impl Alarms {
    /// An episode, if it is known.
    pub fn get(&self, id: &AlarmId) -> Option<&Arc<Alarm>> {
        self.episodes.get(id)
    }

    /// All episodes that are known, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Alarm>> {
        self.episodes.values()
    }

    /// Those that go on.
    pub fn firing(&self) -> impl Iterator<Item = &Arc<Alarm>> {
        self.all().filter(|alarm| alarm.is_firing())
    }

    /// Since when nothing is heard of alarms, if that is so.
    pub const fn path_down(&self) -> Option<&Fault> {
        self.path_down.as_ref()
    }

    /// Whether an alarm comes and goes, and nobody is told of it any more.
    pub fn is_flapping(&self, alarm: &Alarm) -> bool {
        let key = episodes_of(&alarm.facts.name, &alarm.facts.fingerprint);
        self.flaps.get(&key).is_some_and(|flap| flap.flapping)
    }

    /// Since when all alarms of an incident are over, if it is one that ends by itself with them and they are.
    pub fn resolving_since(&self, incident: &IncidentId) -> Option<Timestamp> {
        if !self.opened.contains_key(incident) {
            return None;
        }
        let mut last = None;
        for alarm in self.all().filter(|alarm| alarm.incident.as_ref() == Some(incident)) {
            if alarm.is_firing() {
                return None;
            }
            last = last.max(Some(alarm.changed_at));
        }
        last
    }

    /// The episode of an alarm that goes on, or else the newest.
    fn newest(&self, name: &str, fingerprint: &str) -> Option<&Arc<Alarm>> {
        let prefix = episodes_of(name, fingerprint);
        self.beginning_with(&prefix)
            .map(|(_, alarm)| alarm)
            .filter(|alarm| alarm.facts.fingerprint == fingerprint)
            .max_by_key(|alarm| (alarm.is_firing(), alarm.facts.starts_at))
    }

    /// The episodes whose ids begin so.
    fn beginning_with<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a AlarmId, &'a Arc<Alarm>)> {
        let from = self.episodes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        from.take_while(move |(id, _)| id.as_str().starts_with(prefix))
    }

    /// How often an alarm has changed within the time that counts.
    fn changes(&self, alarm: &Alarm, now: Timestamp) -> usize {
        let flap = self.flaps.get(&episodes_of(&alarm.facts.name, &alarm.facts.fingerprint));
        flap.map_or(0, |flap| flap.at.iter().filter(|at| elapsed(**at, now) < FLAP_WITHIN).count())
    }
}

/// What was heard and is not written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// When each episode was heard of last.
    seen: BTreeMap<AlarmId, Timestamp>,
    /// In how many polls of every peer, one after the other, it was not there.
    absent: BTreeMap<AlarmId, u8>,
    /// What is said to fire again since the same instant as before it was over; the Alertmanager is asked.
    doubtful: BTreeMap<AlarmId, Doubt>,
}

/// Something that is not known until somebody was asked.
#[derive(Clone, Debug)]
struct Doubt {
    since: Timestamp,
    report: AlarmReport,
}

/// Lets something have happened to an alarm.
fn changed(work: &mut Work<'_>, alarm: &AlarmId, change: ReceivedChange) {
    work.emit(Event::AlarmChanged { alarm: alarm.clone(), change });
}

/// Whether an alarm of this name fires, for the conditions of a checklist. One that speaks of another service than these does
/// not count where there is one that speaks of them.
pub(super) fn sensed(alarms: &Alarms, name: &str, services: &[ServiceName]) -> Sensed {
    let named: Vec<&Arc<Alarm>> = alarms.all().filter(|alarm| alarm.facts.name == name).collect();
    let is_ours =
        |alarm: &&Arc<Alarm>| alarm.facts.service.as_ref().is_some_and(|service| services.contains(service));
    let ours: Vec<&Arc<Alarm>> = named.iter().copied().filter(is_ours).collect();
    let heard = if ours.is_empty() { named } else { ours };
    let at = heard.iter().map(|alarm| alarm.changed_at).max();
    let not_known = |why: String| Sensed { value: None, at, told: Some(why) };
    if heard.is_empty() {
        return not_known(format!("the alarm `{name}` was never heard of"));
    }
    if let Some(path) = alarms.path_down() {
        return not_known(format!("nothing is heard of alarms: {}", path.reason));
    }
    let mut firing = heard.iter().filter(|alarm| alarm.is_firing());
    let is_fresh = firing.clone().find(|alarm| alarm.stale.is_none());
    match (is_fresh, firing.find_map(|alarm| alarm.stale.as_ref())) {
        (Some(_), _) => Sensed { value: Some(Value::Bool(true)), at, told: Some(format!("{name} fires")) },
        (None, Some(why)) => not_known(format!("whether `{name}` fires is not known: {why}")),
        (None, None) => Sensed { value: Some(Value::Bool(false)), at, told: Some(format!("{name} is over")) },
    }
}

/// Looks at the alarms as time passes.
pub(super) fn tick(work: &mut Work<'_>) {
    reconcile::decide_doubts(work);
    calm_down(work);
    watchdog::tick(work);
    incident::attend(work);
    incident::end(work);
    let known = &work.state.alarms;
    let memory = &mut work.senses.received;
    if memory.seen.len() > known.episodes.len() {
        memory.seen.retain(|id, _| known.episodes.contains_key(id));
        memory.absent.retain(|id, _| known.episodes.contains_key(id));
    }
}

/// Tells of an alarm again that has come and gone and now stays as it is.
fn calm_down(work: &mut Work<'_>) {
    let known = Arc::clone(&work.state.alarms);
    if !known.flaps.values().any(|flap| flap.flapping) {
        return;
    }
    let mut calm: BTreeMap<String, Arc<Alarm>> = BTreeMap::new();
    for alarm in known.all().filter(|alarm| known.is_flapping(alarm)) {
        if known.changes(alarm, work.now) < FLAPS {
            let key = episodes_of(&alarm.facts.name, &alarm.facts.fingerprint);
            let newest = calm.entry(key).or_insert_with(|| Arc::clone(alarm));
            if newest.facts.starts_at < alarm.facts.starts_at {
                *newest = Arc::clone(alarm);
            }
        }
    }
    for alarm in calm.into_values() {
        changed(work, &alarm.id, ReceivedChange::Steady);
    }
}
