//! JSON lines as a source, from a file that may be rotated or from what a program prints.
//!
//! Lines are counted as they are read and not kept: what is remembered is a number for each series and subject. What a
//! reading shows is what the lines since the reading before gave. Lines that are no JSON are left out, and said.

mod counts;
mod follow;
mod lines;
mod program;
mod tail;

use jiff::Timestamp;

use crate::model::source::{LogSpec, Reading};

use super::schedule::ObserveError;
use super::series::{Habits, Readings, Slot};
use super::source::{Indicators, Read};
use counts::{Counts, Tally};
pub use follow::follow;
use program::Program;
use tail::Tail;

/// What is shown is what happened since the reading before; there is nothing to remember.
const HABITS: Habits = Habits { remembered: 0, careful: false };

/// Lines that are ready to be read, again and again.
pub(super) struct Log {
    feed: Feed,
    counts: Counts,
    readings: Readings,
    /// The last reading that succeeded.
    last: Option<Timestamp>,
}

/// Where lines come from.
enum Feed {
    File(Box<Tail>),
    Program(Program),
    /// The config names neither, or both.
    Nothing,
}

impl Log {
    pub(super) fn new(spec: LogSpec, indicators: Indicators) -> Result<Self, ObserveError> {
        let limit = usize::try_from(spec.max_line).unwrap_or(usize::MAX).max(1);
        let mut counts = Counts::new(spec.arms);
        let readings = Readings::new(indicators, HABITS, |service, indicator, role, text| {
            let added = counts.add(service, role, text);
            let (number, shown, has_grown) = added.map_err(|reason| ObserveError::Series {
                service: service.clone(),
                indicator: indicator.clone(),
                reason,
            })?;
            Ok(Slot { number, shown, has_grown })
        })?;
        let feed = match (spec.file, spec.command) {
            (Some(file), None) => Feed::File(Box::new(Tail::new(file, limit))),
            (None, Some(argv)) => Feed::Program(Program::new(argv, counts.clone(), limit)),
            _ => Feed::Nothing,
        };
        Ok(Self { feed, counts, readings, last: None })
    }

    /// Reads it once.
    pub(super) async fn read(&mut self) -> Read {
        let at = Timestamp::now();
        let result = match &mut self.feed {
            Feed::File(tail) => read_file(tail, &self.counts).await,
            Feed::Program(program) => program.read(),
            Feed::Nothing => Err("one of `file` and `command` has to be given".to_owned()),
        };
        let result = result.map(|(tally, mut remarks)| {
            remarks.extend(tally.remarks());
            let found = self.counts.found(tally, at);
            let since = self.last.replace(at);
            Reading { remarks, ..self.readings.take(found, at, since) }
        });
        Read { at, hung: false, result }
    }
}

/// Reads what is new in a file, on a thread for blocking work.
async fn read_file(tail: &mut Box<Tail>, counts: &Counts) -> Result<(Tally, Vec<String>), String> {
    let mut moved = std::mem::take(tail);
    let counts = counts.clone();
    let task = tokio::task::spawn_blocking(move || {
        let mut tally = counts.tally();
        let result = moved.read(&mut |line| counts.take(&mut tally, line));
        (moved, result.map(|remarks| (tally, remarks)))
    });
    let (back, result) = task.await.map_err(|_| "the reading was cancelled".to_owned())?;
    *tail = back;
    result
}

#[cfg(test)]
mod tests;
