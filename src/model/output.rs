//! What a platform says while a step is carried out, for people to look at. It is not journaled: what it comes to is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::validation::{LoadFigures, Trial};

/// Lines of an operation that are kept, the newest.
pub const LINES_KEPT: usize = 200;

/// Operations whose lines are kept, the newest.
pub const OPERATIONS_KEPT: usize = 20;

/// The longest that a line is kept, in bytes.
pub const LINE_LIMIT: usize = 2 * 1024;

/// A line that a platform, or a program that speaks for it, said. Without secrets, and without anything that a terminal
/// would act upon.
#[derive(Clone, PartialEq, Debug)]
pub struct OutputLine {
    /// When it was said.
    pub at: Timestamp,
    /// The step of the operation, from 0.
    pub step: usize,
    /// The text, without its line end.
    pub text: String,
    /// What it tells of, where that is more than a text: shown as a table or a chart.
    pub figure: Option<Figure>,
}

/// What a line of the output tells of.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A check or a test that has ended.
    Trial(Trial),
    /// What a load run measured.
    Load(LoadFigures),
}

impl Figure {
    /// The same with its texts changed by this.
    #[must_use]
    pub fn map_text(self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Trial(trial) => {
                Self::Trial(Trial { name: change(&trial.name), detail: change(&trial.detail), ..trial })
            }
            load @ Self::Load(_) => load,
        }
    }
}

/// Writes control characters, and those that turn the direction of text, as escapes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The same of a line whose tabs are to stay.
pub fn escape_but_tabs(line: &str) -> String {
    line.split('\t').map(escape).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program prints cannot colour, clear or turn around the screen that shows it.
    #[test]
    fn outside_text_is_escaped() {
        assert_eq!(escape("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}é"), "a\\u{1b}[2Jb\\r\\nc\\u{202e}d\\u{9b}é");
        assert_eq!(escape_but_tabs("a\tb\u{7}"), "a\tb\\u{7}");
    }
}
