//! The services in the order in which they are shown: worst first, then by name. Made when what is known changes, not when
//! it is drawn, so that drawing costs no more than the rows that are seen.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::engine::runtime::View;
use crate::model::ServiceName;
use crate::model::trigger::Verdict;

/// How a service is doing, in the order of how much it wants to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Condition {
    /// Something that asks for acting.
    Failing,
    /// Something that does not.
    Degraded,
    /// Not enough is known.
    Unknown,
    /// All is well.
    Healthy,
}

impl Condition {
    /// Of a verdict.
    pub const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Failing { .. } => Self::Failing,
            Verdict::Degraded { .. } => Self::Degraded,
            Verdict::Unknown { .. } => Self::Unknown,
            Verdict::Healthy => Self::Healthy,
        }
    }

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "FAIL",
            Self::Degraded => "WARN",
            Self::Unknown => "NO DATA",
            Self::Healthy => "OK",
        }
    }
}

/// One service, as it is listed.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub service: ServiceName,
    /// How it is doing, as far as the journal and the readings say. Age is looked at when drawing.
    pub condition: Condition,
    /// The newest reading of anything.
    pub newest: Option<Timestamp>,
    /// An operation is open on it.
    pub busy: bool,
}

/// The services in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    rows: Vec<Row>,
    places: BTreeMap<ServiceName, usize>,
    counts: [usize; 4],
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
}

/// Which services are shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// What their name or state has in it; a leading `!` shows the others.
    pub text: String,
}

impl Filter {
    /// Whether a service is shown.
    pub fn shows(&self, row: &Row) -> bool {
        let (text, inverted) = match self.text.strip_prefix('!') {
            Some(text) => (text, true),
            None => (self.text.as_str(), false),
        };
        if text.is_empty() {
            return true;
        }
        let text = text.to_lowercase();
        let has = row.service.as_str().to_lowercase().contains(&text)
            || row.condition.word().to_lowercase().contains(&text);
        has != inverted
    }
}

impl Roster {
    /// The services of the config, as far as they are known.
    pub fn new(config: &Config, view: &View, filter: &Filter) -> Self {
        let mut roster = Self::default();
        for service in config.services.keys() {
            let known = view.state.service(service);
            let reading = view.readings.get(service).map(|(_, reading)| reading);
            let condition = verdict(view, service).map_or(Condition::Unknown, Condition::of);
            let newest = reading.and_then(|reading| reading.newest);
            roster.counts[condition as usize] += 1;
            roster.oldest = match (roster.oldest, newest) {
                (Some(oldest), Some(newest)) => Some(oldest.min(newest)),
                (oldest, newest) => oldest.or(newest),
            };
            roster.newest = roster.newest.max(newest);
            let busy = known.is_some_and(|known| known.operation.is_some());
            let row = Row { service: service.clone(), condition, newest, busy };
            if filter.shows(&row) {
                roster.rows.push(row);
            }
        }
        // Stable: within a condition the config's order, which is by name.
        roster.rows.sort_by_key(|row| row.condition);
        roster.places =
            roster.rows.iter().enumerate().map(|(place, row)| (row.service.clone(), place)).collect();
        roster
    }

    /// Those that are shown.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Where a service is among those that are shown.
    pub fn place(&self, service: &ServiceName) -> Option<usize> {
        self.places.get(service).copied()
    }

    /// The worst one that is shown.
    pub fn worst(&self) -> Option<&Row> {
        self.rows.first()
    }

    /// How many of the whole environment are in a condition.
    pub const fn count(&self, condition: Condition) -> usize {
        self.counts[condition as usize]
    }

    /// How many there are, whether shown or not.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The newest reading of any service.
    pub const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }
}

/// What is known of a service: the journal is never behind with the kind of a verdict, the reading has the newer words.
pub fn verdict<'a>(view: &'a View, service: &ServiceName) -> Option<&'a Verdict> {
    let journaled = view.state.services.get(service).and_then(|known| known.verdict.as_ref());
    let journaled = journaled.map(|(verdict, _)| verdict);
    let sensed = view.readings.get(service).and_then(|(_, reading)| reading.verdict.as_ref());
    sensed.filter(|sensed| journaled.is_none_or(|known| known.is_same_kind(sensed))).or(journaled)
}

/// How old something is; what is ahead of this machine's clock is new.
pub fn age(at: Timestamp, now: Timestamp) -> Duration {
    if at > now { Duration::ZERO } else { now.duration_since(at).unsigned_abs() }
}
