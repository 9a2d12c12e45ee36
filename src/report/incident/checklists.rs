//! The record of the checklists of an incident: what became of each item, how long it took, and where people left the way that a
//! runbook says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::checklist::ChecklistChange;
use crate::model::checklist::ItemAct;
use crate::model::command::{Actor, Command, Envelope};
use crate::model::event::Event;
use crate::model::incident::Ticked;
use crate::model::{ItemId, OperationId, RunId, RunbookName};
use crate::report::{Entry, Millis};

/// A checklist as it was worked through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunRecord {
    /// Its id.
    pub run: RunId,
    /// The runbook.
    pub runbook: RunbookName,
    /// The digest of its text; empty for what was ticked before there were runbooks.
    pub sha256: String,
    /// When it was begun.
    pub attached_at: Timestamp,
    /// The items of which something happened, in the order in which it first did.
    pub items: Vec<ItemRecord>,
    /// The sections with a window of which something is known.
    pub sections: Vec<SectionRecord>,
}

/// An item of a checklist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ItemRecord {
    /// Which.
    pub item: ItemId,
    /// What it says; empty where the text of the runbook is not known.
    pub title: String,
    /// Where it ended.
    pub end: ItemEnd,
    /// Who brought it there.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// How long it took until it was settled: from its own beginning where it has one, else since the item that was settled before
    /// it. None while it is open.
    #[serde(rename = "took_ms")]
    pub took: Option<Millis>,
    /// What was written beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Noted>,
    #[serde(skip)]
    begun: Option<Timestamp>,
    #[serde(skip)]
    by_engine: bool,
}

/// What was written beside an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Noted {
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
    /// The entry.
    pub seq: u64,
}

/// Where an item of a checklist ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemEnd {
    /// Nothing settled it.
    Open,
    /// Its wait or its action was begun and has not ended.
    Begun,
    /// Its action failed, or nobody knows how it ended.
    Failed,
    /// It is done.
    Done,
    /// It was left as it was, against what it says.
    Overridden,
    /// It was put off.
    Deferred,
    /// It did not concern this incident.
    NotApplicable,
}

impl ItemEnd {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Begun => "begun",
            Self::Failed => "failed",
            Self::Done => "done",
            Self::Overridden => "overridden",
            Self::Deferred => "deferred",
            Self::NotApplicable => "not applicable",
        }
    }

    const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Overridden | Self::NotApplicable)
    }
}

/// A section with a window.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SectionRecord {
    /// Which.
    pub section: String,
    /// When its time ran out with something open.
    pub overrun_at: Option<Timestamp>,
    /// When everything in it was settled.
    pub through_at: Option<Timestamp>,
    /// It was through, and after its time.
    pub late: bool,
}

/// Where people, or the time, left the way that a runbook says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Deviation {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// How.
    pub kind: DeviationKind,
    /// The checklist; none for a guardrail.
    pub run: Option<RunId>,
    /// The item, the section, or the guardrail.
    pub what: String,
    /// What it says, where it has a text.
    pub title: String,
    /// Who.
    pub by: String,
    /// Why, as far as it was said.
    pub reason: String,
}

/// How the way was left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviationKind {
    /// An item was left as it was, against what it says.
    Overridden,
    /// An item was said not to concern this incident.
    NotApplicable,
    /// An item was put off.
    Deferred,
    /// The time of a section was over and something in it was open.
    Overrun,
    /// An item was confirmed while nobody could see whether it is so.
    Unsensed,
    /// An item was done and was no longer so.
    Regression,
    /// A person said done and the engine saw otherwise.
    Disagreement,
    /// A guardrail was overridden.
    Guardrail,
    /// The runbook was another one from then on.
    Rebased,
}

impl DeviationKind {
    /// The words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Overridden => "overridden",
            Self::NotApplicable => "not applicable",
            Self::Deferred => "deferred",
            Self::Overrun => "overrun",
            Self::Unsensed => "confirmed unseen",
            Self::Regression => "regression",
            Self::Disagreement => "refused as not so",
            Self::Guardrail => "guardrail overridden",
            Self::Rebased => "runbook changed meanwhile",
        }
    }
}

/// An action that was begun from a checklist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Dispatch {
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// The checklist.
    pub run: RunId,
    /// The item.
    pub item: ItemId,
    /// How often it was begun, this time included.
    pub generation: u32,
    /// Who.
    pub by: String,
    /// The operation that it began, if it began one.
    pub operation: Option<OperationId>,
    /// What was agreed to, digested.
    pub digest: String,
    /// It takes back what the item did.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// How it ended; none: it has not, or nobody knows.
    pub succeeded: Option<bool>,
    /// The end in words; empty before it.
    pub detail: String,
}

/// Everything about the checklists of one incident.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Checklists {
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) deviations: Vec<Deviation>,
    pub(crate) dispatches: Vec<Dispatch>,
    /// What the engine saw of an item last, where that was that it is not so.
    not_so: BTreeSet<(RunId, ItemId)>,
    /// What items and sections say.
    titles: BTreeMap<(RunId, String), String>,
    /// When the last item of a run was settled.
    settled: BTreeMap<RunId, Timestamp>,
}

impl Checklists {
    /// A change of a checklist.
    pub(crate) fn take(&mut self, entry: &Entry<'_>, id: &RunId, by: &Actor, change: &ChecklistChange) {
        self.run(entry, id, change);
        if let Some(item) = change.item() {
            self.item_changed(entry, id, by, item, change);
        }
        let mut deviates = |kind, what: &str, reason: &str| {
            let title = self.titles.get(&(id.clone(), what.to_owned())).cloned().unwrap_or_default();
            self.deviations.push(Deviation {
                title,
                at: entry.at,
                seq: entry.seq,
                kind,
                run: Some(id.clone()),
                what: what.to_owned(),
                by: by.to_string(),
                reason: reason.to_owned(),
            });
        };
        match change {
            ChecklistChange::Overridden { item, reason } => {
                deviates(DeviationKind::Overridden, item.as_str(), reason);
            }
            // What lies on a way that was not chosen, the engine says itself.
            ChecklistChange::Inactive { item, reason } if matches!(by, Actor::Person { .. }) => {
                deviates(DeviationKind::NotApplicable, item.as_str(), reason);
            }
            ChecklistChange::Deferred { item, until, reason, .. } => {
                deviates(DeviationKind::Deferred, item.as_str(), &format!("until {until}: {reason}"));
            }
            ChecklistChange::Done { item, unsensed: true, fact, .. } => {
                deviates(DeviationKind::Unsensed, item.as_str(), fact.as_deref().unwrap_or_default());
            }
            ChecklistChange::Regressed { item, fact } => {
                deviates(DeviationKind::Regression, item.as_str(), fact);
            }
            ChecklistChange::Rebased { changed, added, removed, .. } => {
                let named = |word: &str, ids: &[ItemId]| {
                    let ids: Vec<&str> = ids.iter().map(ItemId::as_str).collect();
                    (!ids.is_empty()).then(|| format!("{word}: {}", ids.join(", ")))
                };
                let parts = [named("changed", changed), named("added", added), named("removed", removed)];
                let parts: Vec<String> = parts.into_iter().flatten().collect();
                let what = id.as_str().rsplit('/').next().unwrap_or_default();
                deviates(DeviationKind::Rebased, what, &parts.join("; "));
            }
            ChecklistChange::WindowOverrun { section, open, .. } => {
                let open: Vec<&str> = open.iter().map(ItemId::as_str).collect();
                deviates(DeviationKind::Overrun, section, &format!("open: {}", open.join(", ")));
            }
            ChecklistChange::Dispatched { item, generation, operation, digest, undo } => {
                self.dispatches.push(Dispatch {
                    at: entry.at,
                    seq: entry.seq,
                    run: id.clone(),
                    item: item.clone(),
                    generation: *generation,
                    by: by.to_string(),
                    operation: operation.clone(),
                    digest: digest.clone(),
                    undo: *undo,
                    succeeded: None,
                    detail: String::new(),
                });
            }
            ChecklistChange::Outcome { item, succeeded, detail, .. } => {
                let of =
                    self.dispatches.iter_mut().rev().find(|begun| begun.run == *id && begun.item == *item);
                if let Some(begun) = of {
                    begun.succeeded = *succeeded;
                    begun.detail = detail.clone();
                }
            }
            ChecklistChange::Attached { .. }
            | ChecklistChange::Done { .. }
            | ChecklistChange::Sensed { .. }
            | ChecklistChange::Satisfied { .. }
            | ChecklistChange::Unsatisfied { .. }
            | ChecklistChange::RegressionAcknowledged { .. }
            | ChecklistChange::Reopened { .. }
            | ChecklistChange::Inactive { .. }
            | ChecklistChange::Due { .. }
            | ChecklistChange::Began { .. }
            | ChecklistChange::ClockReset { .. }
            | ChecklistChange::Elapsed { .. }
            | ChecklistChange::Chosen { .. }
            | ChecklistChange::Recorded { .. }
            | ChecklistChange::Noted { .. }
            | ChecklistChange::Claimed { .. }
            | ChecklistChange::Released { .. }
            | ChecklistChange::WindowWarning { .. }
            | ChecklistChange::WindowMet { .. }
            | ChecklistChange::Asked { .. }
            | ChecklistChange::AskEnded { .. }
            | ChecklistChange::WindowReminder { .. }
            | ChecklistChange::Closed => {}
        }
    }

    /// What items and sections of a run say.
    pub(crate) fn named(&mut self, id: &RunId, titles: impl IntoIterator<Item = (String, String)>) {
        self.titles.extend(titles.into_iter().map(|(what, title)| ((id.clone(), what), title)));
    }

    /// A tick of before there were runbooks.
    pub(crate) fn ticked(
        &mut self,
        entry: &Entry<'_>,
        id: &RunId,
        by: &Actor,
        item: &ItemId,
        ticked: Option<Ticked>,
        note: Option<&String>,
    ) {
        let item = item.clone();
        let reason = note.cloned().unwrap_or_default();
        let change = match ticked {
            Some(Ticked::Done) => {
                ChecklistChange::Done { item, unsensed: false, fact: note.cloned(), do_confirm: false }
            }
            Some(Ticked::NotApplicable) => ChecklistChange::Inactive { item, reason },
            None => ChecklistChange::Reopened { item, reason },
        };
        self.take(entry, id, by, &change);
    }

    /// A command that was refused: that the engine saw otherwise than the person is worth a record.
    pub(crate) fn refused(&mut self, entry: &Entry<'_>, envelope: &Envelope, reason: &str) {
        let (run, item) = match &envelope.command {
            Command::Item { run, item, act: ItemAct::Done, .. } => (run.as_ref(), item),
            _ => return,
        };
        let disagrees = |(of, known): &&(RunId, ItemId)| known == item && run.is_none_or(|run| run == of);
        let Some((of, _)) = self.not_so.iter().find(disagrees) else { return };
        self.deviations.push(Deviation {
            title: self.titles.get(&(of.clone(), item.to_string())).cloned().unwrap_or_default(),
            at: entry.at,
            seq: entry.seq,
            kind: DeviationKind::Disagreement,
            run: Some(of.clone()),
            what: item.to_string(),
            by: envelope.by.to_string(),
            reason: reason.to_owned(),
        });
    }

    /// A guardrail that a person took upon themselves.
    pub(crate) fn overridden(&mut self, entry: &Entry<'_>, event: &Event) {
        let Event::GuardrailOverridden { by, service, taken, .. } = event else { return };
        self.deviations.push(Deviation {
            title: String::new(),
            at: entry.at,
            seq: entry.seq,
            kind: DeviationKind::Guardrail,
            run: None,
            what: format!("{} on {service}", taken.guardrail.word()),
            by: by.to_string(),
            reason: taken.reason.clone(),
        });
    }

    /// The digest that was agreed to when an operation was begun from a checklist.
    pub(crate) fn digest_of(&self, operation: &OperationId) -> Option<&str> {
        let begun = self.dispatches.iter().find(|begun| begun.operation.as_ref() == Some(operation))?;
        Some(&begun.digest)
    }

    fn run(&mut self, entry: &Entry<'_>, id: &RunId, change: &ChecklistChange) {
        let index = self.runs.iter().position(|run| run.run == *id).unwrap_or_else(|| {
            // `INC-1/emergency`.
            let name = id.as_str().rsplit('/').next().unwrap_or_default();
            self.runs.push(RunRecord {
                run: id.clone(),
                runbook: name.into(),
                sha256: String::new(),
                attached_at: entry.at,
                items: Vec::new(),
                sections: Vec::new(),
            });
            self.runs.len() - 1
        });
        let run = &mut self.runs[index];
        let mut section = |name: &String| {
            run.sections.iter().position(|known| known.section == *name).unwrap_or_else(|| {
                run.sections.push(SectionRecord {
                    section: name.clone(),
                    overrun_at: None,
                    through_at: None,
                    late: false,
                });
                run.sections.len() - 1
            })
        };
        match change {
            ChecklistChange::Attached { runbook, sha256, .. } => {
                run.runbook = runbook.clone();
                run.sha256 = sha256.clone();
                run.attached_at = entry.at;
            }
            ChecklistChange::Rebased { sha256, moved, changed, .. } => {
                run.sha256 = sha256.clone();
                for item in &mut run.items {
                    if let Some((_, new)) = moved.iter().find(|(old, _)| *old == item.item) {
                        item.item = new.clone();
                    }
                    if changed.contains(&item.item) {
                        (item.end, item.took, item.begun) = (ItemEnd::Open, None, Some(entry.at));
                    }
                }
            }
            ChecklistChange::WindowOverrun { section: name, .. } => {
                let index = section(name);
                run.sections[index].overrun_at.get_or_insert(entry.at);
            }
            ChecklistChange::WindowMet { section: name, late } => {
                let index = section(name);
                run.sections[index].through_at = Some(entry.at);
                run.sections[index].late = *late;
            }
            _ => {}
        }
    }

    fn item_changed(
        &mut self,
        entry: &Entry<'_>,
        id: &RunId,
        by: &Actor,
        item: &ItemId,
        change: &ChecklistChange,
    ) {
        let Some(run) = self.runs.iter_mut().find(|run| run.run == *id) else { return };
        if let ChecklistChange::Sensed { holds, .. } = change {
            let key = (id.clone(), item.clone());
            if *holds == Some(false) {
                self.not_so.insert(key);
            } else {
                self.not_so.remove(&key);
            }
            // How the world is settles nothing.
            return;
        }
        let index = run.items.iter().position(|known| known.item == *item).unwrap_or_else(|| {
            let title = self.titles.get(&(id.clone(), item.to_string())).cloned().unwrap_or_default();
            run.items.push(ItemRecord {
                item: item.clone(),
                title,
                end: ItemEnd::Open,
                by: String::new(),
                at: entry.at,
                seq: entry.seq,
                took: None,
                notes: Vec::new(),
                begun: None,
                by_engine: false,
            });
            run.items.len() - 1
        });
        let known = &mut run.items[index];
        let end = match change {
            ChecklistChange::Done { .. }
            | ChecklistChange::Elapsed { .. }
            | ChecklistChange::Chosen { .. }
            | ChecklistChange::Recorded { .. } => ItemEnd::Done,
            ChecklistChange::Overridden { .. } => ItemEnd::Overridden,
            ChecklistChange::Inactive { .. } => ItemEnd::NotApplicable,
            ChecklistChange::Deferred { .. } => ItemEnd::Deferred,
            ChecklistChange::Reopened { .. } | ChecklistChange::Due { .. } => ItemEnd::Open,
            ChecklistChange::Began { .. } | ChecklistChange::Dispatched { .. } => ItemEnd::Begun,
            ChecklistChange::Outcome { succeeded: Some(false) | None, .. } => ItemEnd::Failed,
            // What the engine said done it takes back; what a person said stays said, and is a deviation.
            ChecklistChange::Regressed { .. } if known.by_engine => ItemEnd::Open,
            ChecklistChange::Claimed { .. } => {
                known.begun.get_or_insert(entry.at);
                return;
            }
            ChecklistChange::Noted { text, .. } => {
                known.notes.push(Noted { by: by.to_string(), text: text.clone(), seq: entry.seq });
                return;
            }
            ChecklistChange::Sensed { .. }
            | ChecklistChange::Satisfied { .. }
            | ChecklistChange::Unsatisfied { .. }
            | ChecklistChange::Regressed { .. }
            | ChecklistChange::RegressionAcknowledged { .. }
            | ChecklistChange::ClockReset { .. }
            | ChecklistChange::Outcome { .. }
            | ChecklistChange::Released { .. }
            | ChecklistChange::Attached { .. }
            | ChecklistChange::WindowWarning { .. }
            | ChecklistChange::WindowOverrun { .. }
            | ChecklistChange::WindowMet { .. }
            | ChecklistChange::WindowReminder { .. }
            | ChecklistChange::Rebased { .. }
            | ChecklistChange::Asked { .. }
            | ChecklistChange::AskEnded { .. }
            | ChecklistChange::Closed => return,
        };
        if end == ItemEnd::Begun {
            known.begun.get_or_insert(entry.at);
        }
        if end.is_settled() {
            let before = self.settled.get(id).copied().unwrap_or(run.attached_at);
            known.took = Some(Millis::between(known.begun.unwrap_or(before), entry.at));
            self.settled.insert(id.clone(), entry.at);
        } else if end == ItemEnd::Open {
            known.took = None;
            known.begun = Some(entry.at);
        }
        known.end = end;
        known.by = by.to_string();
        known.by_engine = matches!(by, Actor::Engine);
        known.at = entry.at;
        known.seq = entry.seq;
    }
}
