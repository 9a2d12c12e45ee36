//! What a runbook is once it is read: sections, items, commands and what is wrong with it. Plain data; how it is read from
//! Markdown is in `outline` and what its attributes mean in `meaning`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::ItemId;

use super::attributes::Attributes;
use super::condition::{Condition, Path};
use super::problem::Problem;

/// A runbook, read. It is never written to: what is ticked lives in the journal, beside the digest of the file.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Runbook {
    /// What it is called: the stem of its file, or the name that was given.
    pub name: String,
    /// SHA-256 of the file as it is on disk, in hex. A run pins it.
    pub sha256: String,
    /// `title` of the front matter, else the first heading of level 1.
    pub title: Option<String>,
    /// What counts as an item in it.
    pub tier: Tier,
    /// What is written before its first heading, block by block.
    pub notes: Vec<String>,
    /// Its sections, in the order of the document. A document with items before its first heading has a first section of level
    /// 0 that is named after the runbook.
    pub sections: Vec<Section>,
    /// Its items, in the order of the document; a parent comes before its children.
    pub items: Vec<Item>,
    /// Fences that belong to no item. They are shown with their section and never offered.
    pub unbound: Vec<Command>,
    /// What is wrong with it, by line. With an error among them it cannot be attached to an incident.
    pub problems: Vec<Problem>,
    /// What was wrong with its form, found while it was read and while sidecars were bound; `problems` is made of these and of
    /// what the meaning of its attributes adds.
    #[serde(skip)]
    pub(super) found: Vec<Problem>,
}

/// What counts as an item. Chosen once for the document.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// It has at least one task (`- [ ]`): tasks are the items, everything else is notes.
    #[default]
    Tasks,
    /// It has no task and at least one numbered step: steps are the items.
    Steps,
    /// It has neither: each section without a section inside is an item, and its body is the item's notes.
    Headings,
}

/// A heading with what is below it, or a paragraph that is one strong span directly before a list.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Section {
    /// Its `#id`, else the slug of its title; unique in the document. A slug that was taken gets `-2`, `-3`.
    pub id: String,
    /// Its title as plain text, without attributes and window.
    pub title: String,
    /// The level of its heading, 1 to 6; one more than the heading above for a strong paragraph; 0 for items before any heading.
    pub level: u8,
    /// The section that it is in.
    pub parent: Option<usize>,
    /// The line of its heading.
    pub line: usize,
    /// When it should be worked through, counted from `anchor`.
    pub window: Option<Window>,
    /// What the times in it are counted from.
    pub anchor: Anchor,
    /// `.pause`: what comes after it is gated until it is complete.
    pub pause: bool,
    /// `order=strict`: its items are gated one by one.
    pub strict: bool,
    /// Where false, the whole section is inactive.
    pub when: Option<Condition>,
    /// Whose it is, in lower case.
    pub role: Option<String>,
    /// Who is paged when its window is overrun.
    pub escalate: Option<Escalate>,
    /// How often its whole list opens again: `every=15m` or `(Every 15 min)`.
    #[serde(rename = "every_ms", serialize_with = "optional_ms")]
    pub every: Option<Duration>,
    /// Its items that are in no other item.
    pub items: Vec<usize>,
    /// What else is written in it, block by block.
    pub notes: Vec<String>,
    /// What was written in braces, in the file and beside it.
    #[serde(skip)]
    pub(super) attributes: Attributes,
    /// What its heading says of time; `window` and `every` are made of it and of the attributes.
    #[serde(skip)]
    pub(super) written: Option<Window>,
}

/// One line of a checklist.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that the document sets")]
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Item {
    /// Its `#id`, else the id of its section and its number there, from 1, as `immediate/3`. Nested items count in turn.
    pub id: ItemId,
    /// SHA-256 of its text, notes and commands, in hex: the same item with another hash was reworded.
    pub hash: String,
    /// Its section.
    pub section: usize,
    /// The item that it is in.
    pub parent: Option<usize>,
    /// The items directly in it. It cannot be done while one that counts is open.
    pub children: Vec<usize>,
    /// The text of the list entry that it is directly in, where that is no item: a label for it and for those beside it, as
    /// `Triage` for the tasks below `1. **Triage (0-5 min)**`.
    pub group: Option<String>,
    /// What is to be done or to be true, as plain text.
    pub text: String,
    /// Its line.
    pub line: usize,
    /// How it is settled.
    pub kind: Kind,
    /// `.critical`: cannot be deferred or called not applicable.
    pub critical: bool,
    /// `.memory`: done first, then confirmed line by line.
    pub memory: bool,
    /// `.cross-check`: a second person confirms it.
    pub cross_check: bool,
    /// `.latch`: once true it stays done.
    pub latch: bool,
    /// Whether it counts; not with `.note`.
    pub countable: bool,
    /// Where false, it is inactive; on an option of a decision, where true, it is recommended.
    pub when: Option<Condition>,
    /// How long `when` has to hold before an option is recommended (`for` on an option).
    #[serde(rename = "when_held_ms", serialize_with = "ms")]
    pub when_held: Duration,
    /// Its deadline, from the anchor of its section. For an action it is in [`Kind::Action`] instead.
    #[serde(rename = "within_ms", serialize_with = "optional_ms")]
    pub within: Option<Duration>,
    /// When to warn of the deadline or the window; 80 % where nothing is said.
    pub warn: Option<Warn>,
    /// The window of the numbered group that it leads, or, where the group is no item itself, that it is directly in:
    /// `1. **Triage (0-5 min)**`. Items of one group have the window of one line.
    pub window: Option<Window>,
    /// How old the data of its conditions may be; none for three times the interval of their source.
    #[serde(rename = "stale_ms", serialize_with = "optional_ms")]
    pub stale: Option<Duration>,
    /// Whose it is, in lower case.
    pub role: Option<String>,
    /// How many people have to agree; 1 where nothing is said.
    pub approve: u8,
    /// Where to it is deferred, if a person defers it: the id of a section, `resolved`, or a duration.
    pub defer: Option<String>,
    /// Who is paged when its deadline passes.
    pub escalate: Option<Escalate>,
    /// The fences in it.
    pub commands: Vec<Command>,
    /// What else is written in it, block by block.
    pub notes: Vec<String>,
    /// `[x]` in the file. It starts open all the same.
    pub ticked_in_source: bool,
    /// What was written in braces, in the file and beside it.
    #[serde(skip)]
    pub(super) attributes: Attributes,
    /// What its strong lead, or that of its group, says of time.
    #[serde(skip)]
    pub(super) written: Option<Window>,
    /// The plain bullets directly below it: what a record of a choice may be.
    #[serde(skip)]
    pub(super) bullets: Vec<String>,
}

/// How an item is settled.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Kind {
    /// A person does it and says so.
    Manual,
    /// The engine sees whether it is so.
    Sensed {
        /// What has to be true.
        sense: Condition,
        /// For how long.
        #[serde(rename = "held_ms", serialize_with = "ms")]
        held: Duration,
        /// `confirm=auto`: it is done without a person.
        auto: bool,
    },
    /// The engine does it when a person dispatches it.
    Action {
        /// The action's name.
        action: String,
        /// Its parameters.
        params: BTreeMap<String, Param>,
        /// What has to be true afterwards: `verify`, or `sense` beside `do`.
        verify: Option<Condition>,
        /// How long `verify` has to be true (`for`).
        #[serde(rename = "held_ms", serialize_with = "ms")]
        held: Duration,
        /// How soon after the action it has to be true; 5 minutes where nothing is said.
        #[serde(rename = "verify_within_ms", serialize_with = "ms")]
        verify_within: Duration,
        /// After this it counts as not known what became of it (`timeout`); none: what it begins has its own limits.
        #[serde(
            rename = "timeout_ms",
            serialize_with = "optional_ms",
            skip_serializing_if = "Option::is_none"
        )]
        timeout: Option<Duration>,
        /// How often the engine begins it again by itself after it failed (`retry`).
        #[serde(skip_serializing_if = "is_zero")]
        retries: u8,
        /// What takes it back after it failed (`undo`).
        #[serde(skip_serializing_if = "Option::is_none")]
        undo: Option<Undo>,
    },
    /// Exactly one of its options is chosen; the others become inactive.
    Decision {
        /// The items to choose from: its children.
        options: Vec<usize>,
        /// How long an option's `when` has to hold; an option's own `when_held` where that is longer.
        #[serde(rename = "held_ms", serialize_with = "ms")]
        held: Duration,
        /// `confirm=auto`: the engine chooses when exactly one is recommended.
        auto: bool,
    },
    /// A person begins it and it is done when the time is over.
    Wait {
        /// How long.
        #[serde(rename = "time_ms", serialize_with = "ms")]
        time: Duration,
    },
    /// Has to be true without a break; any false starts the time again.
    Hold {
        /// What.
        hold: Condition,
        /// For how long.
        #[serde(rename = "held_ms", serialize_with = "ms")]
        held: Duration,
    },
    /// A person enters a value.
    Record {
        /// Its name, for `$name` in later items.
        name: String,
        /// What it may be.
        value: RecordKind,
    },
    /// Opens again and again while the incident lasts.
    Cadence {
        /// How often.
        #[serde(rename = "every_ms", serialize_with = "ms")]
        every: Duration,
    },
}

impl Kind {
    /// What is done about an item: its action, or with `back` what takes that back. None where there is no such thing.
    pub fn deed(&self, back: bool) -> Option<(&str, &BTreeMap<String, Param>)> {
        match self {
            Self::Action { undo, .. } if back => {
                undo.as_ref().map(|undo| (undo.action.as_str(), &undo.params))
            }
            Self::Action { action, params, .. } => Some((action, params)),
            _ => None,
        }
    }

    /// The kind in one word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Sensed { .. } => "sensed",
            Self::Action { .. } => "action",
            Self::Decision { .. } => "decision",
            Self::Wait { .. } => "wait",
            Self::Hold { .. } => "hold",
            Self::Record { .. } => "record",
            Self::Cadence { .. } => "cadence",
        }
    }
}

/// What may be entered for a record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum RecordKind {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// One of these: the plain bullets below the item.
    Choice {
        /// In their order.
        choices: Vec<String>,
    },
    /// A moment.
    Time,
}

/// An action that takes another one back, with its parameters.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Undo {
    /// The action's name.
    pub action: String,
    /// Its parameters.
    pub params: BTreeMap<String, Param>,
}

/// A parameter of an action.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "from", content = "value")]
pub enum Param {
    /// As it is written.
    Literal(String),
    /// `$name`: what was entered for a record.
    Record(String),
    /// What is so when the action is asked for: `to=stable.version`.
    Live(Path),
}

/// A stretch of time, counted from an anchor.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Window {
    /// In what form it is written.
    pub form: WindowForm,
    /// As it is written, without the parenthesis.
    pub text: String,
    /// Its line.
    pub line: usize,
    /// How long before the anchor it begins: only for `T-30`; `from` is zero then.
    #[serde(rename = "lead_ms", serialize_with = "ms")]
    pub lead: Duration,
    /// When it begins.
    #[serde(rename = "from_ms", serialize_with = "ms")]
    pub from: Duration,
    /// When it ends; none for an open one.
    #[serde(rename = "until_ms", serialize_with = "optional_ms")]
    pub until: Option<Duration>,
    /// When to warn: `warn`, or the first number of `first 5-10 minutes`, or 80 % of it; none for an open one.
    #[serde(rename = "warn_at_ms", serialize_with = "optional_ms")]
    pub warn_at: Option<Duration>,
}

/// In what form a window is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowForm {
    /// `0-5 minutes`, `first 5-10 minutes`.
    Range,
    /// `first 5 minutes`.
    First,
    /// `30+ minutes`, `after 30 min`.
    Open,
    /// `within 15 min`: a deadline.
    Within,
    /// `10 min`: as long as it may take.
    Budget,
    /// `T+15`, `T+15-30`.
    TPlus,
    /// `every 15 min`. As a [`Section::window`] it never occurs; it is the section's `every`.
    Every,
}

/// What times are counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The declaration of the incident.
    #[default]
    Declared,
    /// Its resolution.
    Resolved,
    /// The first touch of the section.
    Section,
    /// The moment it was detected, which may be before it was declared.
    Detected,
}

/// When to warn.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "when", content = "value")]
pub enum Warn {
    /// After this share of the time, 0 to 1.
    Share(f64),
    /// This long after the anchor.
    At(#[serde(serialize_with = "ms")] Duration),
}

/// Whom to page, and at which level to begin.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Escalate {
    /// The policy's name.
    pub policy: String,
    /// The level, from 1.
    pub level: u8,
}

/// A fence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Command {
    /// The first word behind the fence, in lower case.
    pub language: Option<String>,
    /// What it says, without prompts and sample output.
    pub text: String,
    /// The line of the fence.
    pub line: usize,
    /// What may be done with it.
    pub offered: Offer,
}

/// What may be done with a fence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "offer", content = "reason")]
pub enum Offer {
    /// It can be copied, and run where a policy allows that.
    Offered,
    /// It has no language: it is shown, and can be copied.
    Inspect,
    /// Its language is none of a shell.
    Never,
    /// It is for a shell and cannot be run as it stands: it holds something to fill in.
    Refused(String),
}

impl Runbook {
    /// Whether it cannot be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.level == super::Level::Error)
    }

    /// An item by its id.
    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id.as_str() == id)
    }

    /// Whether an item is another one or lies in it, however deep.
    pub fn is_within(&self, item: usize, around: usize) -> bool {
        std::iter::successors(Some(item), |place| self.items[*place].parent).any(|place| place == around)
    }

    /// A section by its id.
    pub fn section(&self, id: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.id == id)
    }
}

fn ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(count: &u8) -> bool {
    *count == 0
}

#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn optional_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => ms(duration, serializer),
        None => serializer.serialize_none(),
    }
}
