//! Places where a test can kill the process, to see what is left. Not compiled into release builds.
//!
//! The environment variable `UNSHIP_TEST_KILL` names one: `before:N` is right before the transaction that would hold entry
//! N is written; `after:N` is right after entry N became durable, before the append returns. The process dies by SIGKILL,
//! so nothing of it gets to tidy up.

use std::ops::RangeInclusive;
use std::sync::OnceLock;

use rustix::process::{Signal, getpid, kill_process};

use super::Position;

/// A side of the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Moment {
    /// Nothing of the entry is written.
    Before,
    /// The entry is durable.
    After,
}

/// Dies here if this is the place that the environment names.
pub(super) fn pass(moment: Moment, entries: &RangeInclusive<Position>) {
    static CHOSEN: OnceLock<Option<(Moment, Position)>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| parse(&std::env::var("UNSHIP_TEST_KILL").ok()?));
    if chosen.is_some_and(|(when, entry)| when == moment && entries.contains(&entry)) {
        let _ = kill_process(getpid(), Signal::KILL);
        // The signal is on its way; nothing more may happen.
        loop {
            std::thread::park();
        }
    }
}

fn parse(text: &str) -> Option<(Moment, Position)> {
    let (moment, entry) = text.split_once(':')?;
    let moment = match moment {
        "before" => Moment::Before,
        "after" => Moment::After,
        _ => return None,
    };
    Some((moment, entry.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A misspelt place kills nothing.
    #[test]
    fn only_the_two_forms_are_read() {
        assert_eq!(parse("after:12"), Some((Moment::After, 12)));
        assert_eq!(parse("before:1"), Some((Moment::Before, 1)));
        for text in ["", "after", "after:", "after:x", "between:1", "after:-1"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
