//! The course of an incident: its instants with where each is known from, its severities, its roles, its end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::times::{Instant, Instants};
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::escalation::{EscalationChange, IncidentRole};
use crate::model::event::Event;
use crate::model::incident::{Ended, IncidentChange, Level};
use crate::model::notification::{MessageKind, Notification};
use crate::model::{IncidentId, NotificationId, ServiceName};
use crate::report::sight::{Noticed, Sight};
use crate::report::{Entry, Millis};

/// What became of an incident, as its events say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Course {
    pub(crate) id: IncidentId,
    pub(crate) title: String,
    pub(crate) reason: String,
    pub(crate) by: Actor,
    pub(crate) opened_at: Timestamp,
    pub(crate) level: Level,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) drill: bool,
    pub(crate) suspected: bool,
    pub(crate) ended: Option<Ended>,
    /// Why it ended as it did; empty while it is open.
    pub(crate) end_reason: String,
    pub(crate) reopened: Vec<Reopened>,
    pub(crate) merged: Vec<IncidentId>,
    pub(crate) alarms: Vec<String>,
    pub(crate) instants: Instants,
    /// What was said of the onset before the last correction.
    pub(crate) corrections: Vec<Correction>,
    pub(crate) levels: Vec<LevelSet>,
    pub(crate) roles: Vec<RoleHeld>,
    /// When it was open: from declared to resolved, and again after each reopening.
    spells: Vec<(Timestamp, Option<Timestamp>)>,
    pages: BTreeSet<NotificationId>,
    /// Messages that tell of it and call nobody: what counts where no policy pages.
    notices: BTreeMap<NotificationId, String>,
    first_notice: Option<Instant>,
    /// A person has said when it began.
    onset_said: bool,
}

/// It was opened again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reopened {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An instant that was corrected: what it was before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Correction {
    /// What was said before; none when it was not known.
    pub before: Option<Instant>,
    /// When it was corrected.
    pub at: Timestamp,
    /// The entry that corrects it.
    pub seq: u64,
}

/// How bad it was said to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct LevelSet {
    /// Since when.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// How bad.
    pub level: Level,
    /// Who says so.
    pub by: String,
    /// Why; empty for the first.
    pub reason: String,
}

/// Who had a role, and how long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RoleHeld {
    /// Which.
    pub role: IncidentRole,
    /// Who.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
    /// Until somebody else had it; none: to the end.
    pub until: Option<Timestamp>,
    /// The entry.
    pub seq: u64,
}

impl Course {
    /// Begins with the event that opened it.
    pub(crate) fn open(entry: &Entry<'_>, event: &Event, sight: &Sight) -> Option<Self> {
        let Event::IncidentOpened { incident, title, level, services, by, reason } = event else {
            return None;
        };
        let (at, seq) = (entry.at, entry.seq);
        let first = LevelSet { at, seq, level: *level, by: by.to_string(), reason: String::new() };
        let mut course = Self {
            id: incident.clone(),
            title: title.clone(),
            reason: reason.clone(),
            by: by.clone(),
            opened_at: at,
            level: *level,
            services: Vec::new(),
            drill: false,
            suspected: false,
            ended: None,
            end_reason: String::new(),
            reopened: Vec::new(),
            merged: Vec::new(),
            alarms: Vec::new(),
            instants: Instants::default(),
            corrections: Vec::new(),
            levels: vec![first],
            roles: Vec::new(),
            spells: vec![(at, None)],
            pages: BTreeSet::new(),
            notices: BTreeMap::new(),
            first_notice: None,
            onset_said: false,
        };
        course.instants.declare = Some(Instant::new(at, seq, format!("declared by {by}")));
        let reported = match by {
            Actor::Person { .. } => format!("reported by {by}"),
            Actor::Engine => "declared".to_owned(),
        };
        course.detected(Noticed { at, seq, words: reported });
        for service in services {
            course.join(service, sight);
        }
        Some(course)
    }

    /// Whether nobody has said that it is over.
    pub(crate) const fn is_open(&self) -> bool {
        self.instants.resolve.is_none() && self.ended.is_none()
    }

    /// Whether a service is part of it.
    pub(crate) fn has(&self, service: &ServiceName) -> bool {
        self.services.contains(service)
    }

    fn join(&mut self, service: &ServiceName, sight: &Sight) {
        if self.has(service) {
            return;
        }
        self.services.push(service.clone());
        if let Some(noticed) = sight.detected(service) {
            self.detected(noticed);
        }
        // Where a person has said when it began, that stands.
        if !self.onset_said
            && let Some(Noticed { at, seq, words }) = sight.onset(service)
            && self.instants.onset.as_ref().is_none_or(|before| at < before.at)
        {
            self.instants.onset = Some(Instant::new(at, seq, words));
        }
    }

    fn detected(&mut self, Noticed { at, seq, words }: Noticed) {
        // What is said in the same moment follows from what was said first.
        if self.instants.detect.as_ref().is_none_or(|before| (at, seq) < (before.at, before.seq)) {
            self.instants.detect = Some(Instant::new(at, seq, words));
        }
    }

    /// Takes an event that may be about it. `sight` is what was known before it.
    pub(crate) fn take(&mut self, entry: &Entry<'_>, event: &Event, sight: &Sight) {
        let (at, seq) = (entry.at, entry.seq);
        match event {
            Event::IncidentJoined { incident, service, .. } if *incident == self.id => {
                self.join(service, sight);
            }
            Event::IncidentAcknowledged { incident, by: by @ Actor::Person { .. } }
                if *incident == self.id =>
            {
                self.instants.ack.get_or_insert_with(|| Instant::new(at, seq, format!("by {by}")));
            }
            Event::IncidentLevelSet { incident, level, by, reason } if *incident == self.id => {
                self.level = *level;
                let (by_name, reason) = (by.to_string(), reason.clone());
                self.levels.push(LevelSet { at, seq, level: *level, by: by_name, reason });
                self.engage(entry, by, "set the severity");
            }
            Event::IncidentNoted { incident, by, .. } if *incident == self.id => {
                self.engage(entry, by, "wrote something down");
            }
            Event::ChecklistTicked { incident, by, item, .. } if *incident == self.id => {
                self.engage(entry, by, &format!("ticked {item}"));
            }
            Event::ChecklistChanged { incident, by, change, .. } if *incident == self.id => {
                let acts = !matches!(change, ChecklistChange::Attached { .. } | ChecklistChange::Closed);
                if acts {
                    let item = change.item().map_or("the checklist", |item| item.as_str());
                    self.engage(entry, by, &format!("worked on {item}"));
                }
            }
            Event::OperationPlanned { operation, plan, by, .. }
                if self.is_open() && self.has(&plan.service) =>
            {
                self.engage(entry, by, &format!("began {operation}"));
            }
            // The engine stops it when the incident is over.
            Event::EscalationChanged {
                incident,
                change: EscalationChange::Snoozed { by, .. } | EscalationChange::Stopped { by, .. },
            } if *incident == self.id => self.engage(entry, by, "saw to the escalation"),
            Event::IncidentResolved { incident, by, reason } if *incident == self.id => {
                self.engage(entry, by, "resolved it");
                self.instants.resolve = Some(Instant::new(at, seq, format!("by {by}: {reason}")));
                self.over(at, reason);
            }
            Event::IncidentChanged { incident, by, change } if *incident == self.id => {
                self.changed(entry, by, change, sight);
            }
            Event::IncidentChanged { incident, change: IncidentChange::Merged { into, .. }, .. }
                if *into == self.id =>
            {
                self.merged.push(incident.clone());
            }
            Event::NotificationQueued { notification }
                if notification.incident.as_ref() == Some(&self.id) =>
            {
                self.queued(notification);
            }
            Event::NotificationSent { notification, .. } => self.sent(entry, notification),
            _ => {}
        }
    }

    fn changed(&mut self, entry: &Entry<'_>, by: &Actor, change: &IncidentChange, sight: &Sight) {
        let (at, seq) = (entry.at, entry.seq);
        match change {
            IncidentChange::Suspected => {
                self.suspected = true;
                self.instants.declare = None;
                self.spells.clear();
            }
            IncidentChange::Drill => self.drill = true,
            IncidentChange::Declared => {
                self.suspected = false;
                self.instants.declare = Some(Instant::new(at, seq, format!("declared by {by}")));
                self.spells.push((at, None));
            }
            IncidentChange::FalseAlarm { reason } => {
                self.engage(entry, by, "called it a false alarm");
                self.ended = Some(Ended::FalseAlarm);
                self.over(at, reason);
            }
            IncidentChange::Merged { into, reason } => {
                self.engage(entry, by, &format!("merged it into {into}"));
                self.ended = Some(Ended::Merged { into: into.clone() });
                self.over(at, reason);
            }
            IncidentChange::Reopened { reason } => {
                self.engage(entry, by, "opened it again");
                self.reopened.push(Reopened { at, seq, by: by.to_string(), reason: reason.clone() });
                self.instants.resolve = None;
                self.instants.mitigate = None;
                self.instants.close = None;
                self.end_reason.clear();
                self.spells.push((at, None));
            }
            IncidentChange::Closed { .. } => {
                self.instants.close = Some(Instant::new(at, seq, format!("by {by}")));
            }
            IncidentChange::RoleTaken { role, name } => {
                self.engage(entry, by, &format!("saw to the role of {role}"));
                for held in self.roles.iter_mut().filter(|held| held.role == *role && held.until.is_none()) {
                    held.until = Some(at);
                }
                let name = name.clone();
                self.roles.push(RoleHeld { role: *role, name, since: at, until: None, seq });
            }
            IncidentChange::RoleOffered { .. } => self.engage(entry, by, "offered a role"),
            IncidentChange::Linked { operation } => self.engage(entry, by, &format!("linked {operation}")),
            IncidentChange::OnsetSet { onset, reason } => {
                self.begin(*onset, entry, by, reason);
                self.engage(entry, by, "said when it began");
            }
            IncidentChange::Mitigated { since } => {
                let words = "all its services healthy since then".to_owned();
                self.instants.mitigate = Some(Instant::new(*since, seq, words));
            }
            IncidentChange::AlarmLinked { alarm } => {
                self.alarms.push(alarm.clone());
                let linked = Noticed { at, seq, words: format!("the alarm {alarm}") };
                self.detected(sight.fired(alarm).cloned().unwrap_or(linked));
            }
            IncidentChange::Told { audience, .. } => {
                self.engage(entry, by, &format!("sent an {} message", audience.word()));
            }
            IncidentChange::OfferLapsed { .. }
            | IncidentChange::Unacknowledged
            | IncidentChange::CommanderAway { .. }
            | IncidentChange::StormBegan { .. }
            | IncidentChange::ToldWith { .. }
            | IncidentChange::StormPassed
            | IncidentChange::StormTold { .. }
            | IncidentChange::ToldAlone { .. }
            | IncidentChange::UpdateMissed { .. } => {}
        }
    }

    /// When it began was said: by a person, which stands, or by what an alarm knows, where nothing earlier is known.
    fn begin(&mut self, onset: Timestamp, entry: &Entry<'_>, by: &Actor, reason: &str) {
        let by_person = matches!(by, Actor::Person { .. });
        let before = self.instants.onset.clone();
        if !by_person && (self.onset_said || before.as_ref().is_some_and(|before| before.at <= onset)) {
            return;
        }
        self.onset_said |= by_person;
        if before.is_some() {
            self.corrections.push(Correction { before, at: entry.at, seq: entry.seq });
        }
        let words = if by_person { format!("said by {by}: {reason}") } else { reason.to_owned() };
        self.instants.onset = Some(Instant::new(onset, entry.seq, words));
    }

    fn over(&mut self, at: Timestamp, reason: &str) {
        self.end_reason = reason.to_owned();
        if let Some((_, end)) = self.spells.last_mut() {
            end.get_or_insert(at);
        }
    }

    /// A person has done something about it, beyond acknowledging it.
    fn engage(&mut self, entry: &Entry<'_>, by: &Actor, what: &str) {
        if matches!(by, Actor::Person { .. }) {
            self.instants
                .engage
                .get_or_insert_with(|| Instant::new(entry.at, entry.seq, format!("{by} {what}")));
        }
    }

    fn queued(&mut self, notification: &Notification) {
        if notification.test {
            return;
        }
        let id = notification.id.clone();
        match notification.kind {
            MessageKind::Page => {
                self.pages.insert(id);
            }
            MessageKind::Notice | MessageKind::Update => {
                self.notices.insert(id, notification.channel.to_string());
            }
            MessageKind::Resolve => {}
        }
    }

    fn sent(&mut self, entry: &Entry<'_>, id: &NotificationId) {
        let told = |words: String| Instant::new(entry.at, entry.seq, words);
        if self.pages.contains(id) {
            self.instants.notify.get_or_insert_with(|| told(format!("the page {id} was accepted")));
        } else if let Some(channel) = self.notices.get(id) {
            let words = format!("{channel} accepted {id}, which tells and does not page");
            self.first_notice.get_or_insert_with(|| told(words));
        }
    }

    /// Its instants, as far as they are known.
    pub(crate) fn instants(&self) -> Instants {
        let mut instants = self.instants.clone();
        // Where no policy pages, the message that tells of it is what reached people.
        if instants.notify.is_none() && self.pages.is_empty() {
            instants.notify = self.first_notice.clone();
        }
        instants
    }

    /// How long each severity held while it was declared and not over.
    pub(crate) fn in_each_level(&self, now: Timestamp) -> BTreeMap<Level, Millis> {
        let mut lasted = BTreeMap::new();
        for (index, set) in self.levels.iter().enumerate() {
            let until = self.levels.get(index + 1).map_or(now, |next| next.at);
            for (begun, end) in &self.spells {
                let (from, to) = (set.at.max(*begun), until.min(end.unwrap_or(now)));
                let held = Millis::between(from, to).at_least_zero();
                if held > Millis(0) {
                    let sum = lasted.entry(set.level).or_insert(Millis(0));
                    *sum = sum.plus(held);
                }
            }
        }
        lasted
    }
}
