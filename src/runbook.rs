//! Runbooks: plain Markdown as a checklist. What is an item, when it is due, how it is settled, which commands it offers, what
//! it asks of the world and what it asks the engine to do, as data, with everything that is wrong with it by line.
//!
//! Pure: text goes in, data come out. Nothing here runs anything because a document says so, and nothing knows how far a
//! checklist has been worked through; that is the engine's. How a document is read is told in `docs/runbooks.md`.
//!
//! - `document`: what a runbook is.
//! - `blocks`, `inline`: Markdown as a tree of blocks with the place of every letter.
//! - `outline`: which blocks are sections, items, notes and commands.
//! - `attributes`, `window`, `fence`, `front`: the small grammars.
//! - `meaning`: what attributes make of an item; `sidecar`: the same from a file beside the runbook.
//! - `condition`: what is asked of the world; `names` and `actions`: what there is to ask for.
//! - `lint`: what would trip the person who works by it.

mod actions;
mod attributes;
mod condition;
mod document;
mod names;
mod problem;
mod suggest;

pub use actions::{ActionTable, Actions};
pub use attributes::{FLAGS, KEYS, NOT_BUILT};
pub use condition::{
    BadCondition, Compared, Comparison, Condition, Evaluation, Expression, Facts, Names, Op, Part, Path,
    Sensed, Target, Truth, UnknownName, Value, ValueKind,
};
pub use document::{
    Anchor, Command, Escalate, Item, Kind, Offer, Param, RecordKind, Runbook, Section, Tier, Warn, Window,
    WindowForm,
};
pub use names::{HEALTH_WORDS, ROLLBACK_STATES, Registry};
pub use problem::{Level, Problem, TooBig};

/// The most that a runbook may have in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// The most items that it may have.
pub const MOST_ITEMS: usize = 2_000;
/// How deep its items may be in each other.
pub const DEEPEST: usize = 6;
