//! What is wrong with a runbook, with its line, and why one may be too big.

use std::fmt;

use serde::Serialize;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The runbook cannot be attached to an incident.
    Error,
    /// It can be used, and is harder to work with than it need be.
    Warning,
}

/// One thing that is wrong with a runbook.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub level: Level,
    /// Which rule says so: `unknown-name`, `ticked-in-source`.
    pub rule: &'static str,
    /// The sidecar that it is in; none for the runbook itself.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was found, what was expected, and how to mend it.
    pub text: String,
}

impl fmt::Display for Problem {
    /// `12:7: warning: … (rule)`, with the sidecar's name before it where it is there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        let Self { line, column, text, rule, .. } = self;
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{line}:{column}: {level}: {text} ({rule})")
    }
}

/// Every rule with its level and what it means; docs/runbooks.md has the same.
pub const RULES: &[(&str, Level, &str)] = &[
    ("attribute-conflict", Level::Error, "two attributes make an item two kinds of item"),
    ("bad-value", Level::Error, "an attribute has a value that it cannot have"),
    ("condition", Level::Error, "a condition cannot be read"),
    ("decision-options", Level::Error, "a decision has fewer than two options"),
    ("duplicate-attribute", Level::Error, "an attribute is given twice"),
    ("duplicate-id", Level::Error, "an id is taken"),
    ("duplicate-record", Level::Error, "two items ask for a value of one name"),
    ("gate-cycle", Level::Error, "an item is deferred to a section that waits for the item's own"),
    ("misplaced-attribute", Level::Error, "an attribute means nothing where it stands"),
    ("sidecar-syntax", Level::Error, "a sidecar cannot be read"),
    ("too-few-people", Level::Error, "two people have to agree, and the config has fewer who may act"),
    ("unit", Level::Error, "a value is compared with one of another kind"),
    ("unknown-action", Level::Error, "there is no such action, or it does not take that"),
    ("unknown-attribute", Level::Error, "there is no such attribute"),
    ("unknown-item", Level::Error, "a sidecar names an item that is not there"),
    ("unknown-name", Level::Error, "a condition names what is not there"),
    ("unknown-policy", Level::Error, "there is no such escalation policy, or it has no such level"),
    ("unknown-record", Level::Error, "an action uses a value that nobody is asked for before"),
    ("unknown-section", Level::Error, "an item is deferred to a section that is not there"),
    ("command-placeholder", Level::Warning, "a command has something to fill in"),
    ("broken-link", Level::Warning, "a link leads to no file or heading (`--links`)"),
    ("critical-not-first", Level::Warning, "a critical item comes after ordinary ones"),
    ("empty-item", Level::Warning, "an item says nothing"),
    ("fence-like-action", Level::Warning, "a command does what the engine can do with more care"),
    ("long-list", Level::Warning, "more than nine items without a pause"),
    ("near-miss", Level::Warning, "what looks like an attribute or a task is text"),
    ("no-completion-line", Level::Warning, "nothing at the end says when it is complete"),
    ("no-desired-value", Level::Warning, "an item says to check and not what is to be found"),
    ("no-items", Level::Warning, "nothing in the document is an item"),
    ("steps-beside-tasks", Level::Warning, "`.steps` stands on a section that holds tasks"),
    ("task-in-quote", Level::Warning, "a task in a quote is not read"),
    ("ticked-in-source", Level::Warning, "a box is ticked in the file"),
    ("two-in-one", Level::Warning, "two things in one item, joined by `and then`"),
    ("window-gap", Level::Warning, "between two windows there is time that belongs to no list"),
    ("window-inverted", Level::Warning, "a window ends before it begins"),
    ("window-order", Level::Warning, "a window begins before the one above it"),
    ("window-outside", Level::Warning, "a window reaches beyond the one that it is in"),
    ("window-overlap", Level::Warning, "two windows overlap"),
];

/// Why a runbook is not read at all.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TooBig {
    /// Too many bytes.
    #[error("`{name}` has {bytes} bytes and a runbook may have {}; split it", super::MOST_BYTES)]
    Bytes {
        /// The runbook.
        name: String,
        /// How many it has.
        bytes: usize,
    },
    /// Too many items.
    #[error("`{name}` has more than {} items from line {line} on; split it", super::MOST_ITEMS)]
    Items {
        /// The runbook.
        name: String,
        /// The line of the first that is too many.
        line: usize,
    },
    /// Items too deep in each other.
    #[error("line {line} of `{name}` is nested deeper than {} levels; make a section of it", super::DEEPEST)]
    Depth {
        /// The runbook.
        name: String,
        /// The line.
        line: usize,
    },
}
