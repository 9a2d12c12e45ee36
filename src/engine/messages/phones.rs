//! How often a phone may ring. A person who is called once a minute hears nothing any more, so what is said again and again
//! is held back, counted, and told with the next call.
//!
//! The limits are those of `GoAlert` for one contact method: 1 a minute, 5 in a quarter of an hour, 11 an hour. The first call about
//! an incident, and the first after it became worse, always rings.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::incidents::elapsed;
use super::super::state::State;
use crate::model::IncidentId;
use crate::model::incident::{Incident, Level};
use crate::model::notification::Notification;
use crate::model::units::human;

/// So many calls within so long, the longest time last.
const LIMITS: [(usize, Duration); 3] =
    [(1, Duration::from_secs(60)), (5, Duration::from_secs(15 * 60)), (11, Duration::from_secs(3_600))];

/// How often a phone has rung within the last hour, and what for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rung {
    /// When, oldest first.
    at: VecDeque<Timestamp>,
    /// Calls that were held back since the last one that was not.
    held_back: u32,
    /// The incidents that it rang for, and how bad they were then.
    about: BTreeMap<IncidentId, Level>,
}

impl Rung {
    /// Why another call about an incident is held back; none: it is not.
    pub(super) fn holds_back(&self, incident: &Incident, now: Timestamp) -> Option<String> {
        let is_news = self.about.get(&incident.id).is_none_or(|level| incident.level < *level);
        if is_news {
            return None;
        }
        let rung = |within: Duration| self.at.iter().filter(|at| elapsed(**at, now) < within).count();
        let (count, within) = LIMITS.into_iter().find(|(count, within)| rung(*within) >= *count)?;
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        Some(format!("this phone has rung {times} within {}", human(within)))
    }

    /// What the next call says of those that were held back; empty where none were.
    pub(super) fn left_out(&self) -> String {
        match self.held_back {
            0 => String::new(),
            1 => "\n(1 call to you was held back before this one)".to_owned(),
            many => format!("\n({many} calls to you were held back before this one)"),
        }
    }
}

/// Takes a message into what is known of the phone that it rings.
pub(in crate::engine) fn fold(state: &mut State, message: &Notification, at: Timestamp) {
    // The same call by another way is no other call.
    let Some(person) = message.person.as_ref().filter(|_| message.fallback_of.is_none()) else { return };
    let level = message.incident.as_ref().and_then(|id| Some((id.clone(), state.incident(id)?.level)));
    let known = &state.incidents;
    let rung = state.phones.entry(person.clone()).or_default();
    if message.held_back.is_some() {
        rung.held_back = rung.held_back.saturating_add(1);
        return;
    }
    rung.held_back = 0;
    rung.about.retain(|id, _| known.contains_key(id));
    rung.about.extend(level);
    let (_, longest) = LIMITS[LIMITS.len() - 1];
    rung.at.retain(|before| elapsed(*before, at) < longest);
    rung.at.push_back(at);
}
