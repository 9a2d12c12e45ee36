//! The readable account on a terminal: a line for an event, with its time.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::State;
use crate::engine::account;
use crate::engine::runtime::Entry;

pub(crate) use crate::engine::account::{channel_words, outcome_words, traffic, verdict_words};

/// What follows a line is indented as far as its time reaches.
const INDENT: &str = "              ";

/// The time of day with milliseconds, in the local zone.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// The date and time to the second, in the local zone.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line for an event, or none for one that is only bookkeeping. `state` is the state after the event.
pub(crate) fn line(entry: &Entry, state: &State) -> Option<String> {
    let has_canary = |service: &_| state.service(service).is_some_and(|known| known.canary().is_some());
    if account::is_repetition(&entry.event, has_canary) {
        return None;
    }
    let told = account::tell(&entry.event, state)?;
    let mut line = format!("{}  {}", clock(entry.at), told.sentence());
    for more in &told.because {
        line.push('\n');
        line.push_str(INDENT);
        line.push_str(more);
    }
    Some(line)
}
