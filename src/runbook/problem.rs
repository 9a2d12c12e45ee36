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
