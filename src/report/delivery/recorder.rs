//! Reads a journal entry by entry and keeps what delivery is measured by.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::measures::{Ground, declared_at, measure};
use super::{Delivery, Period, SCHEMA, checklists};
use crate::model::event::Event;
use crate::model::{IncidentId, RunId, ServiceName};
use crate::report::Entry;
use crate::report::incident::JournalRef;
use crate::report::incident::checklists::Checklists;
use crate::report::incident::course::Course;
use crate::report::markdown::counted;
use crate::report::releases::{Change, ChangeFate, ChangeKind, Releases};
use crate::report::sight::Sight;

/// Makes the measures of a period.
#[derive(Debug, Default)]
pub struct Recorder {
    releases: Releases,
    sight: Sight,
    incidents: BTreeMap<IncidentId, (Course, Checklists)>,
    first_at: Option<Timestamp>,
    last: Option<JournalRef>,
}

impl Recorder {
    /// Takes the next entry of the journal.
    pub fn take(&mut self, entry: &Entry<'_>) {
        let event = entry.event;
        self.first_at.get_or_insert(entry.at);
        self.last = Some(JournalRef { seq: entry.seq, at: entry.at, hash: entry.hash.to_owned() });
        self.releases.take(entry, &self.sight);
        if let Event::IncidentOpened { incident, .. } = event {
            if let Some(course) = Course::open(entry, event, &self.sight) {
                self.incidents.insert(incident.clone(), (course, Checklists::default()));
            }
        } else {
            if may_concern(event) {
                for (course, _) in self.incidents.values_mut() {
                    course.take(entry, event, &self.sight);
                }
            }
            self.take_checklist(entry);
        }
        self.sight.take(entry);
    }

    fn take_checklist(&mut self, entry: &Entry<'_>) {
        match entry.event {
            Event::ChecklistChanged { incident, run, by, change } => {
                if let Some((_, checklists)) = self.incidents.get_mut(incident) {
                    checklists.take(entry, run, by, change);
                }
            }
            Event::ChecklistTicked { incident, item, ticked, by, note } => {
                if let Some((_, checklists)) = self.incidents.get_mut(incident) {
                    let run = RunId::from(format!("{incident}/checklist"));
                    checklists.ticked(entry, &run, by, item, *ticked, note.as_ref());
                }
            }
            Event::CommandRefused { envelope, reason, .. } => {
                if let crate::model::command::Command::Item { incident, .. } = &envelope.command
                    && let Some((_, checklists)) = self.incidents.get_mut(incident)
                {
                    checklists.refused(entry, envelope, reason);
                }
            }
            _ => {}
        }
    }

    /// The measures of a period as of now, of one service or of all.
    pub fn finish(self, asked: Period, only: Option<&ServiceName>, now: Timestamp) -> Delivery {
        let to = asked.to.min(now);
        let known = self.first_at.map(|first| Period { from: asked.from.max(first), to });
        let known = known.filter(|known| known.from < known.to);
        let ground = Ground {
            changes: &self.releases.changes,
            courses: self.incidents.values().map(|(course, _)| course).collect(),
            known,
            asked,
            now,
        };
        let mut names: Vec<&ServiceName> = ground.changes.iter().map(|change| &change.service).collect();
        names.extend(ground.courses.iter().flat_map(|course| &course.services));
        names.sort();
        names.dedup();
        names.retain(|name| only.is_none_or(|only| only == *name));
        let counts = |course: &Course| {
            asked.has(declared_at(course)) && !course.drill && only.is_none_or(|only| course.has(only))
        };
        let lists = self.incidents.values().filter(|(course, _)| counts(course)).map(|(_, lists)| lists);
        let all = measure(&ground, only);
        let services = match only {
            Some(_) => Vec::new(),
            None => names.into_iter().map(|name| measure(&ground, Some(name))).collect(),
        };
        Delivery {
            schema: SCHEMA,
            asked,
            known,
            notes: notes(&ground, &all),
            all,
            services,
            runbooks: checklists::measure(lists),
            journal: self.last,
            made_at: now,
        }
    }
}

/// Whether an event may be about an incident. Most are not, and there are many; which incident it is, each says itself.
const fn may_concern(event: &Event) -> bool {
    !matches!(
        event,
        Event::InventoryChanged { .. }
            | Event::VerdictChanged { .. }
            | Event::FindingRaised { .. }
            | Event::FindingCleared { .. }
            | Event::DecisionMade { .. }
            | Event::StepStarted { .. }
            | Event::StepSucceeded { .. }
            | Event::BreakerChanged { .. }
            | Event::LeaderChanged { .. }
            | Event::AlarmChanged { .. }
    )
}

/// What the journal cannot know.
fn notes(ground: &Ground<'_>, all: &super::Measures) -> Vec<String> {
    let mut notes = Vec::new();
    match ground.known {
        None => notes.push("the journal knows nothing of this time".to_owned()),
        Some(known) if known.from > ground.asked.from => {
            notes.push(format!("the journal begins at {:.0}: what was before it is not counted", known.from));
        }
        Some(_) => {}
    }
    let made = &all.deployments;
    if made.by_others > 0 {
        notes.push(format!(
            "{} made by another pipeline: only its traffic is known, not who asked for it, nor what happened before the first of it, nor what came and went between two looks",
            counted(made.by_others, "deployment was", "deployments were")
        ));
    }
    notes.push("lead time: the journal does not hold when commits were made, so it begins when the platform made the release; the whole is longer".to_owned());
    let is_of = |service: &ServiceName| all.service.as_ref().is_none_or(|only| only == service);
    let at_once = ground.changes.iter().filter(|change| {
        change.at_once
            && change.kind != ChangeKind::Rollback
            && is_of(&change.service)
            && ground.asked.has(change.at)
    });
    let at_once = at_once.count();
    if at_once > 0 {
        notes.push(format!(
            "{} seen with all the traffic at once: how long that took is not known",
            counted(at_once, "deployment was", "deployments were")
        ));
    }
    let first_look = ground.changes.iter();
    let first_look = first_look
        .filter(|change| change.at_first_look && is_of(&change.service) && ground.asked.has(change.at))
        .count();
    if first_look > 0 {
        notes.push(format!(
            "{} there when the journal began: when it began, and how long anything took from then, is not known",
            counted(first_look, "deployment was", "deployments were")
        ));
    }
    let is_met = |rollback: &&Change| {
        let failures = ground.changes.iter().filter_map(|change| change.failure.as_ref());
        rollback.fate != ChangeFate::Done || failures.into_iter().any(|failure| failure.seq == rollback.seq)
    };
    let of_before = ground
        .changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Rollback && is_of(&change.service))
        .filter(|change| ground.asked.has(change.at) && !is_met(change))
        .count();
    if of_before > 0 {
        notes.push(format!(
            "{} a release that was live before the journal began: no deployment of it is counted, so none failed",
            counted(of_before, "rollback took back", "rollbacks took back")
        ));
    }
    if made.hotfixes > 0 {
        notes.push(
            "a deployment that begins while an incident is open on its service counts as a hotfix".to_owned(),
        );
    }
    notes
}
