//! Runbooks: plain Markdown as a checklist. What is an item, when it is due, how it is settled, which commands it offers, what
//! it asks of the world and what it asks the engine to do, as data, with everything that is wrong with it by line.
//!
//! Pure: text goes in, data come out. Nothing here runs anything because a document says so, and nothing knows how far a
//! checklist has been worked through; that is the engine's. How a document is read is told in `docs/runbooks.md`.
//!
//! - `document`: what a runbook is.
//! - `blocks`, `inline`: Markdown as a tree of blocks with the place of every letter.
//! - `outline`: which blocks are sections, items, notes and commands.
//! - `attributes`, `braces`, `window`, `fence`, `front`: the small grammars.
//! - `meaning`: what attributes make of an item; `sidecar`: the same from a file beside the runbook.
//! - `condition`: what is asked of the world; `names` and `actions`: what there is to ask for.
//! - `lint`: what would trip the person who works by it; `counts`: how much of everything there is.

mod actions;
mod attributes;
mod blocks;
mod braces;
mod condition;
mod counts;
mod document;
mod fence;
mod front;
mod inline;
mod links;
mod lint;
mod meaning;
mod names;
mod outline;
mod place;
mod problem;
mod sidecar;
mod suggest;
#[cfg(test)]
mod tests;
mod window;

pub use actions::{ActionTable, Actions};
pub use attributes::{FLAGS, KEYS};
pub use condition::{
    BadCondition, Compared, Comparison, Condition, Evaluation, Expression, Facts, Names, Op, Part, Path,
    Sensed, Target, Truth, UnknownName, Value, ValueKind,
};
pub use counts::Counts;
pub use document::{
    Anchor, Command, Escalate, Item, Kind, Offer, Param, RecordKind, Runbook, Section, Tier, Undo, Warn,
    Window, WindowForm,
};
pub use links::Links;
pub use names::{HEALTH_WORDS, ROLLBACK_STATES, Registry};
pub use problem::{Level, Problem, RULES, TooBig};

/// The most that a runbook may have in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// The most items that it may have.
pub const MOST_ITEMS: usize = 2_000;
/// How deep its items may be in each other.
pub const DEEPEST: usize = 6;

/// The checklist that every incident can be worked through with: it is built in.
pub const EMERGENCY: &str = include_str!("runbook/emergency.md");
/// What the built-in runbook is called.
pub const EMERGENCY_NAME: &str = "emergency";

impl Runbook {
    /// Reads a runbook. What is wrong with it is in its `problems`; it is read as far as it can be.
    ///
    /// # Errors
    ///
    /// If it is too big to be read at all.
    pub fn parse(name: &str, text: &str, names: &dyn Names, actions: &dyn Actions) -> Result<Self, TooBig> {
        Self::parse_as(name, text, None, names, actions)
    }

    /// Reads a runbook and takes as items what is asked for, whatever the document says of that.
    ///
    /// # Errors
    ///
    /// If it is too big to be read at all.
    pub fn parse_as(
        name: &str,
        text: &str,
        tier: Option<Tier>,
        names: &dyn Names,
        actions: &dyn Actions,
    ) -> Result<Self, TooBig> {
        let mut runbook = outline::read(name, text, tier)?;
        runbook.settle(names, actions);
        Ok(runbook)
    }

    /// Binds the items to what a sidecar says of them: `file` is its name, for the problems, `text` what is in it. What it says
    /// outweighs what the runbook says, and what an earlier sidecar said.
    pub fn bind(&mut self, file: &str, text: &str, names: &dyn Names, actions: &dyn Actions) {
        let found = sidecar::bind(self, file, text);
        self.found.extend(found);
        self.settle(names, actions);
    }

    /// Makes sections and items of their attributes, and finds what is wrong with them.
    fn settle(&mut self, names: &dyn Names, actions: &dyn Actions) {
        let mut problems = self.found.clone();
        problems.extend(meaning::apply(self, names, actions));
        problems.extend(lint::lint(self));
        problems.sort_by(|one, other| {
            (&one.file, one.line, one.column, one.level).cmp(&(
                &other.file,
                other.line,
                other.column,
                other.level,
            ))
        });
        problems.dedup();
        self.problems = problems;
    }
}
