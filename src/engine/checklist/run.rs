//! A runbook that is worked through: its text as it was when it was attached, and where each of its items stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::command::Actor;
use crate::model::incident::Note;
use crate::model::{IncidentId, ItemId, OperationId, RunId, RunbookName};
use crate::runbook::{ActionTable, Item, Registry, Runbook};

/// A checklist: a runbook being worked through in an incident.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The incident.
    pub incident: IncidentId,
    /// The runbook.
    pub runbook: RunbookName,
    /// The digest of its text.
    pub sha256: String,
    /// Its text.
    source: Arc<str>,
    /// What is bound beside it.
    bindings: Option<(String, String)>,
    /// What its waits and holds are multiplied by, in percent.
    pace_percent: u16,
    /// Since when it is worked through.
    pub attached_at: Timestamp,
    /// Nothing is left to do about it.
    pub closed: bool,
    /// The items of which something has happened.
    pub items: BTreeMap<ItemId, ItemRun>,
    /// The sections of which something has happened.
    pub sections: BTreeMap<String, SectionRun>,
    /// What was recorded, by name.
    pub records: BTreeMap<String, String>,
    /// What was done about items that its text has no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removed>,
    /// What the text says.
    #[serde(skip)]
    book: Arc<Runbook>,
}

/// A run as it is kept: without what can be read from its text again.
#[derive(Deserialize)]
struct Stored {
    id: RunId,
    incident: IncidentId,
    runbook: RunbookName,
    sha256: String,
    source: Arc<str>,
    bindings: Option<(String, String)>,
    pace_percent: u16,
    attached_at: Timestamp,
    closed: bool,
    items: BTreeMap<ItemId, ItemRun>,
    sections: BTreeMap<String, SectionRun>,
    records: BTreeMap<String, String>,
    #[serde(default)]
    removed: Vec<Removed>,
}

impl From<Stored> for Run {
    fn from(stored: Stored) -> Self {
        let Stored {
            id,
            incident,
            runbook,
            sha256,
            source,
            bindings,
            pace_percent,
            attached_at,
            closed,
            items,
            sections,
            records,
            removed,
        } = stored;
        let book = Arc::new(read(&runbook, &source, bindings.as_ref()));
        Self {
            id,
            incident,
            runbook,
            sha256,
            source,
            bindings,
            pace_percent,
            attached_at,
            closed,
            items,
            sections,
            records,
            removed,
            book,
        }
    }
}

/// Reads the text of a runbook as it was attached. One that cannot be read any more has no items: a fold cannot fail.
fn read(name: &RunbookName, source: &str, bindings: Option<&(String, String)>) -> Runbook {
    // What is journaled was checked when it was attached, against the config of that day.
    let (names, actions) = (Registry::unchecked(), ActionTable::unchecked());
    let Ok(mut book) = Runbook::parse(name.as_str(), source, &names, &actions) else {
        return Runbook::default();
    };
    if let Some((file, text)) = bindings {
        book.bind(file, text, &names, &actions);
    }
    book
}

/// What a run is begun with.
pub(super) struct Attachment<'a> {
    pub(super) runbook: &'a RunbookName,
    pub(super) source: &'a str,
    pub(super) bindings: Option<&'a (String, String)>,
    pub(super) sha256: &'a str,
    pub(super) pace_percent: u16,
}

impl Run {
    pub(super) fn new(id: &RunId, incident: &IncidentId, attachment: &Attachment<'_>, at: Timestamp) -> Self {
        let Attachment { runbook, source, bindings, sha256, pace_percent } = *attachment;
        Self {
            id: id.clone(),
            incident: incident.clone(),
            runbook: runbook.clone(),
            sha256: sha256.to_owned(),
            source: Arc::from(source),
            bindings: bindings.cloned(),
            pace_percent,
            attached_at: at,
            closed: false,
            items: BTreeMap::new(),
            sections: BTreeMap::new(),
            records: BTreeMap::new(),
            removed: Vec::new(),
            book: Arc::new(read(runbook, source, bindings)),
        }
    }

    /// Whether this is its text, with these bindings beside it.
    pub fn has_text(&self, source: &str, bindings: Option<&(String, String)>) -> bool {
        *self.source == *source && self.bindings.as_ref() == bindings
    }

    /// Goes on with another text. Its items stand as they stood, by their ids.
    pub(super) fn set_text(&mut self, source: &str, bindings: Option<&(String, String)>, sha256: &str) {
        sha256.clone_into(&mut self.sha256);
        self.source = Arc::from(source);
        self.bindings = bindings.cloned();
        self.book = Arc::new(read(&self.runbook, source, bindings));
    }

    /// What its text says.
    pub const fn book(&self) -> &Arc<Runbook> {
        &self.book
    }

    /// A time of a wait or a hold, as long as it is in this run.
    pub fn paced(&self, time: Duration) -> Duration {
        time.mul_f64(f64::from(self.pace_percent) / 100.0)
    }

    /// Where an item stands.
    pub fn standing(&self, item: &ItemId) -> Standing {
        self.items.get(item).map_or(Standing::Open, |item| item.standing)
    }

    /// Whether nothing is left to do about an item.
    pub fn is_settled(&self, item: &Item) -> bool {
        self.standing(&item.id).is_settled()
    }

    /// The items that count and are not settled in a section and those below it.
    pub fn open_in(&self, section: usize) -> impl Iterator<Item = &Item> {
        let mut within = vec![section];
        // A section comes before those in it.
        for (index, inner) in self.book.sections.iter().enumerate() {
            if inner.parent.is_some_and(|parent| within.contains(&parent)) {
                within.push(index);
            }
        }
        self.book
            .items
            .iter()
            .filter(move |item| item.countable && within.contains(&item.section) && !self.is_settled(item))
    }
}

/// Where an item stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was done about it.
    #[default]
    Open,
    /// The engine sees that it is so; a person still has to confirm it.
    Satisfied,
    /// Its time passes.
    Waiting,
    /// What it does is being done.
    Running,
    /// What it does has failed.
    Failed,
    /// Nobody knows whether what it does has happened.
    Unknown,
    /// It is done.
    Done,
    /// It is left as it is, against what it says.
    Overridden,
    /// It is done later.
    Deferred,
    /// It does not concern this incident.
    Inactive,
}

impl Standing {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Satisfied => "to be confirmed",
            Self::Waiting => "waiting",
            Self::Running => "being done",
            Self::Failed => "failed",
            Self::Unknown => "not known",
            Self::Done => "done",
            Self::Overridden => "overridden",
            Self::Deferred => "deferred",
            Self::Inactive => "not applicable",
        }
    }

    /// Whether nothing is left to do.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Done | Self::Overridden | Self::Inactive)
    }
}

/// What was done about an item that is no more.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Removed {
    /// Its id, as it was.
    pub id: ItemId,
    /// What it said.
    pub text: String,
    /// Where it stood.
    pub standing: Standing,
    /// Who brought it there, and when.
    pub by: Option<(Actor, Timestamp)>,
    /// With which words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// Where an item of a run stands, and how it came to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ItemRun {
    /// Where it stands.
    pub standing: Standing,
    /// Who brought it there, and when.
    pub by: Option<(Actor, Timestamp)>,
    /// With which words: a reason, a fact, a value.
    pub words: Option<String>,
    /// What was written beside it, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// How often a person or the engine has changed it. What is only seen does not count.
    pub changes: u64,
    /// A person has done something about it.
    #[serde(default)]
    pub touched: bool,
    /// It was confirmed while the engine could not see whether it is so.
    #[serde(default)]
    pub unsensed: bool,
    /// It was done and is no longer so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// What the engine sees of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// The time of a wait or a hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// How often its action was begun.
    #[serde(default)]
    pub generation: u32,
    /// The operation that its action began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// What was agreed to when its action was begun, digested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What was begun takes its action back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undoing: bool,
    /// How often the engine began its action again since a person did.
    #[serde(default)]
    pub retried: u8,
    /// When its action, which failed, is begun again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<Timestamp>,
    /// When its action ended well, and what it did is still to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted_at: Option<Timestamp>,
    /// Until when it was deferred, as said, and as a time where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<(String, Option<Timestamp>)>,
    /// The option that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<ItemId>,
    /// Who has taken it upon themselves, until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<(Actor, Timestamp)>,
    /// How it stood while its text was another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older: Option<String>,
    /// Another person has to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// Somebody has read an item back, entered its value or asked for its action, and another person has to agree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Who asked.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// How long that is waited for.
    pub until: Timestamp,
    /// The value that they entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What they asked for, digested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What the engine sees of an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Whether it is so; none: not known.
    pub holds: Option<bool>,
    /// Since when that is so.
    pub since: Timestamp,
    /// In words, when it became so.
    pub fact: String,
}

/// An item was done and is no longer so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Regression {
    /// Since when.
    pub since: Timestamp,
    /// In words.
    pub fact: String,
    /// A person has seen it.
    pub acknowledged: bool,
}

/// The time of a wait or a hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Clock {
    /// When it began, or began anew.
    pub began: Timestamp,
    /// What had passed when it stood still last, in milliseconds.
    pub gathered_ms: u64,
    /// Since when it runs; none while it stands still, as what it holds for is not known.
    pub runs_since: Option<Timestamp>,
}

impl Clock {
    /// How much has passed.
    pub fn passed(&self, now: Timestamp) -> Duration {
        let running = self.runs_since.map_or(Duration::ZERO, |since| super::elapsed(since, now));
        Duration::from_millis(self.gathered_ms) + running
    }
}

/// What has happened to a section.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SectionRun {
    /// When something was first done in it.
    pub touched_at: Option<Timestamp>,
    /// Most of its time was gone.
    #[serde(default)]
    pub warned: bool,
    /// Its time was over while something was open.
    #[serde(default)]
    pub overrun_at: Option<Timestamp>,
    /// How often that was said again, and when last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded: Option<(u8, Timestamp)>,
    /// It was through: whether after its time.
    #[serde(default)]
    pub met: Option<bool>,
}
