//! A service's log as the console has it while its page is open.

use std::collections::VecDeque;

use crate::model::ServiceName;
use crate::model::output::escape;
use crate::model::platform::LogLine;

/// Lines to begin with.
pub const BEGIN: u32 = 500;
/// Lines that are kept, the newest, while the end is looked at.
const KEPT: usize = 5_000;
/// Lines that are kept while a person reads further up: what they read does not move away under them.
const KEPT_READING: usize = 50_000;

/// What came of it.
#[derive(Debug)]
pub struct Tail {
    /// Whose log.
    pub service: ServiceName,
    /// The lines, oldest first, fit to be shown.
    pub lines: VecDeque<LogLine>,
    /// How it ended, once it has: by itself, or why, in words.
    pub ended: Option<Result<(), String>>,
}

impl Tail {
    /// Nothing has come yet.
    pub const fn new(service: ServiceName) -> Self {
        Self { service, lines: VecDeque::new(), ended: None }
    }

    /// Takes lines in. `follows`: whether the end is looked at.
    pub fn take(&mut self, lines: impl IntoIterator<Item = LogLine>, follows: bool) {
        self.lines.extend(lines.into_iter().map(|line| LogLine {
            text: escape(&line.text.replace('\t', "    ")),
            instance: escape(&line.instance),
            ..line
        }));
        let most = if follows { KEPT } else { KEPT_READING };
        self.lines.drain(..self.lines.len().saturating_sub(most));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The newest are kept; whoever reads further up keeps what they read. Nothing in a line acts upon the terminal.
    #[test]
    fn what_is_kept() {
        let line = |text: String| LogLine { at: None, instance: String::new(), text };
        let mut tail = Tail::new("web".into());
        tail.take((0..KEPT + 10).map(|number| line(number.to_string())), false);
        assert_eq!((tail.lines.len(), tail.lines[0].text.as_str()), (KEPT + 10, "0"));
        tail.take([line("a\tb\u{1b}[2J".to_owned())], true);
        assert_eq!((tail.lines.len(), tail.lines[0].text.as_str()), (KEPT, "11"));
        assert_eq!(tail.lines.back().unwrap().text, "a    b\\u{1b}[2J");
    }
}
