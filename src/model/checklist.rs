//! Checklists: runbooks that are worked through in an incident. What people do to an item, and what became of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ItemId, OperationId, RunbookName};

/// The shortest reason for which an item may be overridden, in characters: it is read in the post-mortem.
pub const REASON_LEAST: usize = 10;

/// What a person does to an item of a checklist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum ItemAct {
    /// It is done. Refused while the engine sees that it is not so.
    Done,
    /// It does not concern this incident.
    NotApplicable {
        /// Why; may be empty where it goes without saying.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// It is open again. Nothing that was done is undone by that.
    Reopen {
        /// Why; may be empty for a slip of the finger.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// It is left as it is, against what it says.
    Override {
        /// Why, in at least [`REASON_LEAST`] characters.
        reason: String,
    },
    /// It is done later.
    Defer {
        /// With what: a section, `resolved`, or a time as `30m`.
        until: String,
        /// Why.
        reason: String,
    },
    /// A wait or a hold begins.
    Begin,
    /// A decision is made.
    Choose {
        /// For this option.
        option: ItemId,
        /// Why, where it was not the recommended one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A value is entered.
    Record {
        /// The value, as typed.
        value: String,
    },
    /// The action of the item is begun.
    Dispatch,
    /// What takes the action of the item back is begun, after it failed.
    Undo,
    /// That it is no longer so has been seen.
    AcknowledgeRegression,
    /// Something is written beside it.
    Note {
        /// What.
        text: String,
    },
    /// Somebody takes it upon themselves for a while.
    Claim,
    /// They let go of it.
    Release,
}

impl ItemAct {
    /// The word in logs and on screen.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Done => "tick an item",
            Self::NotApplicable { .. } => "say that an item does not apply",
            Self::Reopen { .. } => "reopen an item",
            Self::Override { .. } => "override an item",
            Self::Defer { .. } => "defer an item",
            Self::Begin => "begin a wait",
            Self::Choose { .. } => "decide",
            Self::Record { .. } => "record a value",
            Self::Dispatch => "do what an item says",
            Self::Undo => "take back what an item did",
            Self::AcknowledgeRegression => "acknowledge a regression",
            Self::Note { .. } => "write a note",
            Self::Claim => "claim an item",
            Self::Release => "release an item",
        }
    }
}

/// What happened in a checklist.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum ChecklistChange {
    /// A runbook is worked through from now on. Its text is kept: what a file says later changes no run.
    Attached {
        /// The runbook.
        runbook: RunbookName,
        /// Its text, as it was.
        source: String,
        /// Bindings beside it, as they were: the file's name and its text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bindings: Option<(String, String)>,
        /// The digest of the text.
        sha256: String,
        /// What its waits and holds are multiplied by; 1 but in a demo or a drill.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        pace_percent: u16,
    },
    /// A person says that an item is done.
    Done {
        /// The item.
        item: ItemId,
        /// The engine could not see whether it is so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unsensed: bool,
        /// The fact that the engine saw, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fact: Option<String>,
        /// It was done first, from memory, and is confirmed now.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        do_confirm: bool,
    },
    /// What the engine sees of an item has changed.
    Sensed {
        /// The item.
        item: ItemId,
        /// Whether it is so; none: not known.
        holds: Option<bool>,
        /// In words.
        fact: String,
    },
    /// What an item asks for has been so for long enough. A person still has to confirm it.
    Satisfied {
        /// The item.
        item: ItemId,
        /// The fact, in words.
        fact: String,
    },
    /// Satisfied before, and no longer so.
    Unsatisfied {
        /// The item.
        item: ItemId,
        /// The fact, in words.
        fact: String,
    },
    /// Done before, and no longer so.
    Regressed {
        /// The item.
        item: ItemId,
        /// The fact, in words.
        fact: String,
    },
    /// A person has seen that.
    RegressionAcknowledged {
        /// The item.
        item: ItemId,
    },
    /// Open again.
    Reopened {
        /// The item.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// It does not concern this incident, or lies on a way that was not chosen.
    Inactive {
        /// The item.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// Left as it is, against what it says.
    Overridden {
        /// The item.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// To be done later.
    Deferred {
        /// The item.
        item: ItemId,
        /// With what.
        until: String,
        /// When it is due, where that is a time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// What was deferred is to be done now.
    Due {
        /// The item.
        item: ItemId,
    },
    /// A wait or a hold has begun.
    Began {
        /// The item.
        item: ItemId,
    },
    /// A hold begins anew: what it holds for was not so.
    ClockReset {
        /// The item.
        item: ItemId,
        /// The fact, in words.
        fact: String,
    },
    /// A wait or a hold is over.
    Elapsed {
        /// The item.
        item: ItemId,
        /// How much later than it should have been noticed, in milliseconds: nobody looked.
        #[serde(default, skip_serializing_if = "is_zero")]
        late_ms: u64,
    },
    /// A decision was made.
    Chosen {
        /// The item.
        item: ItemId,
        /// The option.
        option: ItemId,
        /// Why, where one was asked for.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A value was entered.
    Recorded {
        /// The item.
        item: ItemId,
        /// The name of the value.
        name: String,
        /// The value.
        value: String,
    },
    /// The action of an item was begun.
    Dispatched {
        /// The item.
        item: ItemId,
        /// How often it was begun, this one included.
        generation: u32,
        /// The operation that it began, if it began one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationId>,
        /// What was agreed to, digested: action, parameters, target, conditions, runbook, item.
        digest: String,
        /// It is what takes the action back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        undo: bool,
    },
    /// The action of an item has ended.
    Outcome {
        /// The item.
        item: ItemId,
        /// How; none: nobody knows.
        succeeded: Option<bool>,
        /// In words.
        detail: String,
        /// When it is begun again by itself; none: it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again_at: Option<Timestamp>,
    },
    /// Something was written beside an item.
    Noted {
        /// The item.
        item: ItemId,
        /// What.
        text: String,
    },
    /// Somebody takes an item upon themselves.
    Claimed {
        /// The item.
        item: ItemId,
        /// Until when, unless they do something about it.
        until: Timestamp,
    },
    /// They let go of it.
    Released {
        /// The item.
        item: ItemId,
    },
    /// Most of the time of a section is gone.
    WindowWarning {
        /// The section.
        section: String,
    },
    /// The time of a section is over and something in it is open.
    WindowOverrun {
        /// The section.
        section: String,
        /// How much later than it should have been noticed, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        late_ms: u64,
        /// What is open.
        open: Vec<ItemId>,
    },
    /// Everything in a section with a window is settled.
    WindowMet {
        /// The section.
        section: String,
        /// After its time.
        late: bool,
    },
    /// It is over: the incident is closed.
    Closed,
    /// The time of a section has been over for long, and something in it is open still.
    WindowReminder {
        /// The section.
        section: String,
        /// Which reminder it is, from 1.
        count: u8,
        /// What is open.
        open: Vec<ItemId>,
    },
    /// A person has read it back, entered its value or asked for its action; another one has to agree.
    Asked {
        /// The item.
        item: ItemId,
        /// How long that is waited for.
        until: Timestamp,
        /// The value that was entered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<String>,
        /// What is agreed to, digested: action, parameters, target, conditions, runbook, item.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// Nobody waits for another one's agreement any more.
    AskEnded {
        /// The item.
        item: ItemId,
        /// Why.
        reason: String,
    },
    /// A person lets the run go on with its runbook as it is now. What is not named here stands as it stood.
    Rebased {
        /// The new text.
        source: String,
        /// The bindings beside it: the file's name and its text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bindings: Option<(String, String)>,
        /// The digest of the new text.
        sha256: String,
        /// Items that have another id now: the old one and the new one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        moved: Vec<(ItemId, ItemId)>,
        /// Items that say something else now, by their new ids: they are open again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<ItemId>,
        /// Items that were not there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<ItemId>,
        /// Items that are gone, by their old ids. What was done about them stays in the record.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<ItemId>,
    },
}

const fn one() -> u16 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_one(percent: &u16) -> bool {
    *percent == 100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

impl ChecklistChange {
    /// The item that it is about, if it is about one.
    pub const fn item(&self) -> Option<&ItemId> {
        match self {
            Self::Done { item, .. }
            | Self::Sensed { item, .. }
            | Self::Satisfied { item, .. }
            | Self::Unsatisfied { item, .. }
            | Self::Regressed { item, .. }
            | Self::RegressionAcknowledged { item }
            | Self::Reopened { item, .. }
            | Self::Inactive { item, .. }
            | Self::Overridden { item, .. }
            | Self::Deferred { item, .. }
            | Self::Due { item }
            | Self::Began { item }
            | Self::ClockReset { item, .. }
            | Self::Elapsed { item, .. }
            | Self::Chosen { item, .. }
            | Self::Recorded { item, .. }
            | Self::Dispatched { item, .. }
            | Self::Outcome { item, .. }
            | Self::Noted { item, .. }
            | Self::Claimed { item, .. }
            | Self::Asked { item, .. }
            | Self::AskEnded { item, .. }
            | Self::Released { item } => Some(item),
            Self::Attached { .. }
            | Self::WindowWarning { .. }
            | Self::WindowOverrun { .. }
            | Self::WindowMet { .. }
            | Self::Closed
            | Self::WindowReminder { .. }
            | Self::Rebased { .. } => None,
        }
    }
}

/// How long a claim lasts that nobody renews.
pub const CLAIM: Duration = Duration::from_secs(600);

/// How long the agreement of another person is waited for.
pub const ASKED: Duration = Duration::from_secs(600);
