//! Reads a journal entry by entry and keeps what is about one incident.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::checklists::Checklists;
use super::course::Course;
use super::escalations::EscalationRecord;
use super::messages::{MessageRecord, UpdateRecord};
use super::operations::OperationRecord;
use super::scope::{Scope, named, scope};
use super::timeline::{Row, collapse, row};
use super::{InLevel, JournalRef, Record, SCHEMA, Status, escalations, messages, times};
use crate::engine::state::State;
use crate::model::checklist::ChecklistChange;
use crate::model::escalation::EscalationChange;
use crate::model::event::Event;
use crate::model::incident::IncidentChange;
use crate::model::received::ReceivedChange;
use crate::model::{IncidentId, NotificationId, OperationId, RunId, ServiceName};
use crate::report::naming::People;
use crate::report::sight::Sight;
use crate::report::{Entry, Naming};

/// How far before it was declared the timeline of an incident begins.
const LEAD: Duration = Duration::from_secs(10 * 60);
/// The most entries of that time that are kept.
const LEAD_KEPT: usize = 300;

/// Makes the record of one incident.
#[derive(Debug)]
pub struct Recorder {
    id: IncidentId,
    state: State,
    sight: Sight,
    people: People,
    course: Option<Course>,
    /// What came right before it.
    before: VecDeque<(u64, Timestamp, Event)>,
    rows: Vec<Row>,
    checklists: Checklists,
    escalations: Vec<EscalationRecord>,
    messages: Vec<MessageRecord>,
    updates: Vec<UpdateRecord>,
    operations: Vec<OperationRecord>,
    /// Where each operation was planned and has ended.
    places: BTreeMap<OperationId, (u64, Option<u64>)>,
    last: Option<JournalRef>,
}

impl Recorder {
    /// For this incident.
    pub fn new(id: IncidentId) -> Self {
        Self {
            id,
            state: State::default(),
            sight: Sight::default(),
            people: People::default(),
            course: None,
            before: VecDeque::new(),
            rows: Vec::new(),
            checklists: Checklists::default(),
            escalations: Vec::new(),
            messages: Vec::new(),
            updates: Vec::new(),
            operations: Vec::new(),
            places: BTreeMap::new(),
            last: None,
        }
    }

    /// Takes the next entry of the journal.
    pub fn take(&mut self, entry: &Entry<'_>) {
        let event = entry.event;
        let is_ours = self.is_ours(event);
        self.state.apply(event, entry.at);
        match event {
            Event::OperationPlanned { operation, .. } => {
                self.places.insert(operation.clone(), (entry.seq, None));
            }
            Event::OperationEnded { operation, .. } => {
                if let Some((_, ended)) = self.places.get_mut(operation) {
                    *ended = Some(entry.seq);
                }
            }
            _ => {}
        }
        match event {
            Event::IncidentOpened { incident, .. } if *incident == self.id && self.course.is_none() => {
                self.open(entry);
            }
            _ if is_ours => self.take_ours(entry),
            _ if self.course.is_none() => self.remember(entry),
            _ => {}
        }
        self.sight.take(entry);
    }

    /// Whether an event is about the incident, seen from before it.
    fn is_ours(&self, event: &Event) -> bool {
        let Some(course) = &self.course else { return false };
        let open = course.is_open();
        let has = |service: Option<&ServiceName>| open && service.is_none_or(|service| course.has(service));
        let knows = |id: &OperationId| self.operations.iter().any(|operation| operation.id == *id);
        match scope(event) {
            Scope::Incident(id) => {
                let merges = matches!(
                    event,
                    Event::IncidentChanged { change: IncidentChange::Merged { into, .. }, .. } if *into == self.id
                );
                *id == self.id || merges
            }
            Scope::Operation(id) => match event {
                Event::OperationPlanned { plan, .. } => has(Some(&plan.service)),
                _ => knows(id),
            },
            Scope::Service(service) => has(service),
            Scope::Finding(id) => self.sight.service_of(id).is_some_and(|service| has(Some(service))),
            Scope::Alarm(id) => {
                let is_linked = course.alarms.iter().any(|linked| linked == id.as_str());
                let service = match event {
                    Event::AlarmChanged { change: ReceivedChange::Firing { facts }, .. } => {
                        facts.service.as_ref()
                    }
                    _ => self.sight.service_of_alarm(id.as_str()),
                };
                is_linked || service.is_some_and(|service| has(Some(service)))
            }
            Scope::Notification(id) => match event {
                Event::NotificationQueued { notification } => match &notification.incident {
                    Some(incident) => *incident == self.id,
                    None => notification.service.as_ref().is_some_and(|service| has(Some(service))),
                },
                _ => self.is_message(id),
            },
            Scope::Command(command) => match named(command) {
                (Some(incident), _) => *incident == self.id,
                (None, Some(operation)) => knows(operation),
                (None, None) => command.service().is_some_and(|service| has(Some(service))),
            },
            Scope::Process => open,
        }
    }

    fn is_message(&self, id: &NotificationId) -> bool {
        self.messages.iter().any(|message| message.id == *id)
    }

    /// Keeps what may turn out to have led to it.
    fn remember(&mut self, entry: &Entry<'_>) {
        if matches!(
            scope(entry.event),
            Scope::Service(_) | Scope::Operation(_) | Scope::Finding(_) | Scope::Alarm(_)
        ) {
            self.before.push_back((entry.seq, entry.at, entry.event.clone()));
        }
        let is_old = |at: Timestamp| at.checked_add(LEAD).is_ok_and(|until| until < entry.at);
        while self.before.len() > LEAD_KEPT || self.before.front().is_some_and(|(_, at, _)| is_old(*at)) {
            self.before.pop_front();
        }
    }

    fn open(&mut self, entry: &Entry<'_>) {
        let event = self.people.mark(entry.event);
        self.course = Course::open(entry, &event, &self.sight);
        for (seq, at, event) in std::mem::take(&mut self.before) {
            let service = match scope(&event) {
                Scope::Service(service) => service.cloned(),
                Scope::Operation(id) => {
                    self.state.operation(id).map(|operation| operation.plan.service.clone())
                }
                Scope::Alarm(id) => self.sight.service_of_alarm(id.as_str()).cloned(),
                // Cleared before it began: whatever it was, it was over.
                _ => continue,
            };
            let has = |course: &Course| service.as_ref().is_some_and(|service| course.has(service));
            if self.course.as_ref().is_some_and(has) {
                let event = self.people.mark(&event);
                let led = Entry { seq, at, event: &event, hash: "" };
                self.rows.extend(row(&led, &event, &self.state));
            }
        }
        self.rows.extend(row(entry, &event, &self.state));
        self.link_open();
        self.used(entry);
    }

    fn take_ours(&mut self, entry: &Entry<'_>) {
        let event = self.people.mark(entry.event);
        if let Some(course) = &mut self.course {
            course.take(entry, &event, &self.sight);
        }
        match &event {
            Event::NotificationQueued { notification } if !notification.test => {
                self.messages.push(messages::queued(entry, notification));
            }
            Event::NotificationSent { .. }
            | Event::NotificationFailed { .. }
            | Event::NotificationSuppressed { .. } => messages::take(&mut self.messages, entry, &event),
            Event::ChecklistChanged { run, by, change, .. } => {
                if matches!(change, ChecklistChange::Attached { .. })
                    && let Some(run) = self.state.runs.get(run)
                {
                    let book = run.book();
                    let items = book.items.iter().map(|item| (item.id.to_string(), item.text.clone()));
                    let sections = book.sections.iter().map(|part| (part.id.clone(), part.title.clone()));
                    self.checklists.named(&run.id, items.chain(sections));
                }
                self.checklists.take(entry, run, by, change);
            }
            Event::ChecklistTicked { incident, item, ticked, by, note } => {
                let run = RunId::from(format!("{incident}/checklist"));
                self.checklists.ticked(entry, &run, by, item, *ticked, note.as_ref());
            }
            Event::CommandRefused { envelope, reason, .. } => {
                self.checklists.refused(entry, envelope, reason);
            }
            Event::GuardrailOverridden { .. } => self.checklists.overridden(entry, &event),
            Event::EscalationChanged { change, .. } => {
                if let EscalationChange::LevelTold { told, .. } | EscalationChange::Exhausted { told } =
                    change
                {
                    for (who, _) in told {
                        self.people.was_called(who);
                    }
                }
                if let EscalationChange::Unreachable { target, .. } = change
                    && target.starts_with("contact:")
                {
                    self.people.was_called(target);
                }
                escalations::take(&mut self.escalations, entry, change);
            }
            Event::IncidentJoined { .. } => self.link_open(),
            Event::IncidentChanged { incident, by, change } => match change {
                IncidentChange::RoleTaken { role, name } => self.people.has_role(name, *role),
                IncidentChange::Linked { operation } => self.link(operation),
                IncidentChange::Merged { .. } if *incident != self.id => self.merge(incident),
                IncidentChange::Told { .. } | IncidentChange::UpdateMissed { .. } => {
                    self.updates.extend(messages::update(entry, by, change));
                }
                _ => {}
            },
            Event::OperationPlanned { operation, .. } => self.link(operation),
            Event::TrafficBack { operation, .. } | Event::OperationEnded { operation, .. } => {
                self.again(operation);
            }
            _ => {}
        }
        self.rows.extend(row(entry, &event, &self.state));
        self.used(entry);
    }

    /// Another incident goes on in this one: what it was about is ours.
    fn merge(&mut self, other: &IncidentId) {
        let Some(known) = self.state.incident(other).cloned() else { return };
        if let Some(course) = &mut self.course {
            let new = known.services.iter().filter(|service| !course.has(service)).cloned();
            let new: Vec<ServiceName> = new.collect();
            course.services.extend(new);
        }
        for operation in &known.operations {
            self.link(operation);
        }
    }

    /// Links the operations that are open on its services.
    fn link_open(&mut self) {
        let services = self.course.as_ref().map(|course| course.services.clone()).unwrap_or_default();
        for service in services {
            let open = self.state.service(&service).and_then(|known| known.operation.clone());
            if let Some(operation) = open {
                self.link(&operation);
            }
        }
    }

    fn link(&mut self, id: &OperationId) {
        if !self.operations.iter().any(|known| known.id == *id)
            && let Some(record) = self.looked_up(id)
        {
            self.operations.push(record);
        }
    }

    /// Looks an operation up again, of which something became.
    fn again(&mut self, id: &OperationId) {
        if let Some(record) = self.looked_up(id)
            && let Some(known) = self.operations.iter_mut().find(|known| known.id == *id)
        {
            *known = record;
        }
    }

    fn looked_up(&mut self, id: &OperationId) -> Option<OperationRecord> {
        let operation = self.state.operation(id)?;
        let (seq, ended) = self.places.get(id).copied().unwrap_or_default();
        let by = self.people.mark_actor(&operation.by);
        Some(OperationRecord::of(operation, by, seq, ended))
    }

    fn used(&mut self, entry: &Entry<'_>) {
        self.last = Some(JournalRef { seq: entry.seq, at: entry.at, hash: entry.hash.to_owned() });
    }

    /// The record as of now; none if the journal knows no such incident.
    pub fn finish(self, now: Timestamp, naming: Naming) -> Option<Record> {
        let course = self.course?;
        let names = self.people.names(naming);
        let mut operations = self.operations;
        for operation in &mut operations {
            operation.digest = self.checklists.digest_of(&operation.id).map(str::to_owned);
        }
        let instants = course.instants();
        let levels = course.in_each_level(now);
        let mut record = Record {
            schema: SCHEMA,
            status: Status::of(&course),
            worst: course.levels.iter().map(|set| set.level).min().unwrap_or(course.level),
            intervals: times::measured(&instants, course.is_open(), now),
            in_each_level: levels.into_iter().map(|(level, lasted)| InLevel { level, lasted }).collect(),
            id: course.id,
            title: course.title,
            reason: course.reason,
            level: course.level,
            services: course.services,
            drill: course.drill,
            alarms: course.alarms,
            merged: course.merged,
            by: course.by.to_string(),
            opened_at: course.opened_at,
            end_reason: course.end_reason,
            instants,
            corrections: course.corrections,
            levels: course.levels,
            reopened: course.reopened,
            roles: course.roles,
            timeline: collapse(self.rows),
            checklists: self.checklists.runs,
            deviations: self.checklists.deviations,
            dispatches: self.checklists.dispatches,
            escalations: self.escalations,
            messages: self.messages,
            updates: self.updates,
            operations,
            journal: self.last?,
            made_at: now,
        };
        names.finish_all(texts(&mut record));
        Some(record)
    }
}

/// Every text of a record that may name somebody.
fn texts(record: &mut Record) -> Vec<&mut String> {
    let mut texts = vec![&mut record.title, &mut record.reason, &mut record.by, &mut record.end_reason];
    texts.extend(record.instants.sources_mut());
    let before = record.corrections.iter_mut().filter_map(|correction| correction.before.as_mut());
    texts.extend(before.map(|instant| &mut instant.source));
    texts.extend(record.levels.iter_mut().flat_map(|set| [&mut set.by, &mut set.reason]));
    texts.extend(record.reopened.iter_mut().flat_map(|again| [&mut again.by, &mut again.reason]));
    texts.extend(record.roles.iter_mut().map(|held| &mut held.name));
    texts.extend(record.timeline.iter_mut().flat_map(|row| [&mut row.actor, &mut row.words]));
    for item in record.checklists.iter_mut().flat_map(|run| &mut run.items) {
        texts.push(&mut item.by);
        texts.extend(item.notes.iter_mut().flat_map(|note| [&mut note.by, &mut note.text]));
    }
    texts.extend(record.deviations.iter_mut().flat_map(|left| [&mut left.by, &mut left.reason]));
    texts.extend(record.dispatches.iter_mut().flat_map(|begun| [&mut begun.by, &mut begun.detail]));
    for escalation in &mut record.escalations {
        texts.push(&mut escalation.reason);
        texts.extend(escalation.happened.iter_mut().flat_map(|happened| happened.what.texts_mut()));
    }
    for message in &mut record.messages {
        texts.push(&mut message.text);
        if let messages::MessageEnd::Failed { reason, .. } | messages::MessageEnd::Suppressed { reason, .. } =
            &mut message.end
        {
            texts.push(reason);
        }
    }
    texts.extend(record.updates.iter_mut().flat_map(|update| [&mut update.by, &mut update.text]));
    for operation in &mut record.operations {
        texts.extend([&mut operation.by, &mut operation.reason]);
        texts.extend(operation.end.iter_mut().map(|end| &mut end.detail));
    }
    texts
}
