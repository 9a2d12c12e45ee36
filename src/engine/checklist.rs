//! The emergency checklist that is built in, and how far an incident is in it.
//!
//! Pure: a checklist is computed from the incident, the state and what is sensed. What the engine can see it answers by
//! itself, with the fact beside it; what it cannot see a person ticks. `facts` looks, item by item.

mod facts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::model::command::Actor;
use crate::model::incident::{Incident, Tick, Ticked};
use crate::model::reading::ServiceReading;
use crate::model::{IncidentId, ItemId, ServiceName};

use super::incidents::{asks_for_rollback, elapsed};
use super::state::State;
use facts::Sight;

/// The item that asks for an acknowledgement.
pub const ACKNOWLEDGE: &str = "acknowledge";

/// A checklist, as far as an incident is in it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Checklist {
    /// The incident.
    pub incident: IncidentId,
    /// The phases, in the order in which they are worked through.
    pub phases: Vec<Phase>,
    /// The item to look at next: the first that is open.
    pub current: Option<ItemId>,
    /// How long it has been going on.
    pub clock: Clock,
}

/// The clock of an incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Clock {
    /// Since it was declared, until now or until it was resolved.
    #[serde(rename = "elapsed_ms", serialize_with = "ms")]
    pub elapsed: Duration,
    /// What is promised about the first answer; none where nothing is.
    pub promise: Option<Promise>,
}

/// The promise to answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Promise {
    /// How soon, counted from the declaration.
    #[serde(rename = "within_ms", serialize_with = "ms")]
    pub within: Duration,
    /// Whether it was kept; none while there is still time.
    pub kept: Option<bool>,
}

/// A part of a checklist with its window, counted from the declaration.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Phase {
    /// What it is about.
    pub title: &'static str,
    /// When it begins.
    #[serde(rename = "from_ms", serialize_with = "ms")]
    pub from: Duration,
    /// When it should be through; none for the last.
    #[serde(rename = "until_ms", serialize_with = "optional_ms")]
    pub until: Option<Duration>,
    /// Its items, in order.
    pub items: Vec<Item>,
    /// Its window is over and something in it is not settled.
    pub overdue: bool,
}

impl Phase {
    /// How many items are settled.
    pub fn settled(&self) -> usize {
        self.items.iter().filter(|item| item.is_settled()).count()
    }
}

/// One line of a checklist.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Item {
    /// Its name, always the same.
    pub id: ItemId,
    /// What is to be done or to be true.
    pub title: String,
    /// Who settles it.
    #[serde(flatten)]
    pub kind: ItemKind,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ItemState,
    /// What the engine sees of it, for the line on the right.
    pub fact: Option<Fact>,
    /// What was written when it was ticked.
    pub note: Option<String>,
}

/// Who settles an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ItemKind {
    /// A person looks or does, and ticks.
    Manual,
    /// The engine sees whether it is true. A person may confirm it while the engine cannot know.
    Sensed,
    /// A command does it.
    Does {
        /// Which.
        deed: Deed,
    },
}

/// What an item does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Deed {
    /// Acknowledge the incident.
    Acknowledge {
        /// The incident.
        incident: IncidentId,
    },
    /// Roll a service back.
    RollBack {
        /// The first service that needs it; none when nothing says which does.
        service: Option<ServiceName>,
    },
}

impl Deed {
    /// The command line that does it.
    pub fn command_line(&self) -> String {
        match self {
            Self::Acknowledge { incident } => format!("unship incident ack {incident}"),
            Self::RollBack { service } => {
                let service = service.as_ref().map_or("SERVICE", ServiceName::as_str);
                format!("unship rollback {service} --reason \"…\"")
            }
        }
    }
}

/// Where an item stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// Not settled, and others come first.
    Open,
    /// Not settled, and the next one to look at.
    Current,
    /// Settled.
    Done {
        /// By whom; the engine for what it saw.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// A person said that it does not concern this incident.
    NotApplicable {
        /// Who.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It was settled, and what the engine sees says that it is so no longer.
    Regressed {
        /// By whom it was settled.
        by: Actor,
        /// When.
        at: Timestamp,
    },
}

/// What the engine sees of an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact {
    /// In words: `errors 7.1 % > 5 %`, `1 of 4 failing`.
    pub text: String,
    /// Whether the item is so; none when that is not known, or when the fact only informs.
    pub holds: Option<bool>,
    /// The newest reading that it rests on, where it rests on readings: its age is shown.
    pub at: Option<Timestamp>,
}

impl Item {
    /// Whether nothing is left to do about it.
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, ItemState::Done { .. } | ItemState::NotApplicable { .. })
    }

    /// What settles it while it is not so, for whoever tried to tick it.
    pub fn way_on(&self) -> Option<String> {
        match &self.kind {
            ItemKind::Does { deed } => {
                Some(format!("`{}` does it, or tick it as not applicable", deed.command_line()))
            }
            ItemKind::Sensed => {
                Some("it is ticked by itself when that changes, or tick it as not applicable".to_owned())
            }
            ItemKind::Manual => None,
        }
    }
}

impl Checklist {
    /// All its items, in order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.phases.iter().flat_map(|phase| &phase.items)
    }

    /// An item.
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        self.items().find(|item| &item.id == id)
    }

    /// How many items are settled, of how many.
    pub fn progress(&self) -> (usize, usize) {
        (self.items().filter(|item| item.is_settled()).count(), self.items().count())
    }

    /// The sensed items that are not settled and that the engine sees to be so, with the fact in words. What is verified is
    /// verified in order: nothing after it is ticked by the engine while something healed is not seen.
    pub(super) fn seen_to_be_done(&self) -> Vec<(ItemId, String)> {
        let is_healthy = self.items().any(|item| {
            item.id.as_str() == HEALTH && item.fact.as_ref().is_some_and(|fact| fact.holds == Some(true))
        });
        self.items()
            .filter(|item| item.kind == ItemKind::Sensed)
            .filter(|item| matches!(item.state, ItemState::Open | ItemState::Current))
            .filter(|item| item.id.as_str() != ERRORS || is_healthy)
            .filter_map(|item| {
                let fact = item.fact.as_ref().filter(|fact| fact.holds == Some(true))?;
                Some((item.id.clone(), fact.text.clone()))
            })
            .collect()
    }
}

const SCOPE: &str = "decide-scope";
const ROLL_BACK: &str = "start-rollback";
const EXECUTE: &str = "execute";
const HEALTH: &str = "verify-health";
const STABILITY: &str = "confirm-stability";
const ERRORS: &str = "error-rates";

/// A phase as written: title, first and last minute, items as id and title.
struct Template {
    title: &'static str,
    from: u64,
    until: Option<u64>,
    items: &'static [(&'static str, &'static str)],
}

/// The built-in emergency checklist. An id is never given another meaning: journals name it.
const EMERGENCY: [Template; 4] = [
    Template {
        title: "Assess and decide",
        from: 0,
        until: Some(5),
        items: &[
            (ACKNOWLEDGE, "acknowledge"),
            ("assess-severity", "assess the severity"),
            ("look-at-dashboards", "look at the dashboards"),
            (SCOPE, "decide the scope"),
            (ROLL_BACK, "start the rollback"),
        ],
    },
    Template {
        title: "Take it back",
        from: 5,
        until: Some(15),
        items: &[
            (EXECUTE, "the traffic is back"),
            ("watch", "watch while the traffic moves"),
            (HEALTH, "the services are healthy"),
            (STABILITY, "they stay healthy"),
        ],
    },
    Template {
        title: "Make sure",
        from: 15,
        until: Some(30),
        items: &[
            ("smoke-tests", "run the smoke tests"),
            ("critical-flows", "walk through the critical user flows"),
            (ERRORS, "error rates are within their limits"),
            ("database-integrity", "check the integrity of the database"),
        ],
    },
    Template {
        title: "Afterwards",
        from: 30,
        until: None,
        items: &[
            ("tell-stakeholders", "tell the stakeholders"),
            ("write-timeline", "write the timeline"),
            ("schedule-post-mortem", "schedule the post-mortem"),
            ("plan-fix", "plan the fix"),
        ],
    },
];

/// How far an incident is in the emergency checklist, seen from `now`.
///
/// `readings` is what is sensed, with the moment of each look; what was looked at too long ago is not known.
pub fn checklist(
    incident: &Incident,
    state: &State,
    readings: &BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)>,
    now: Timestamp,
) -> Checklist {
    let sight = Sight { incident, state, readings, now };
    let lasted = incident.lasted(now);
    let mut current = None;
    let phases = EMERGENCY.into_iter().map(|template| {
        let items: Vec<Item> = template
            .items
            .iter()
            .map(|(id, title)| {
                let mut item = sight.item(id, title);
                if item.state == ItemState::Open && current.is_none() {
                    item.state = ItemState::Current;
                    current = Some(item.id.clone());
                }
                item
            })
            .collect();
        let until = template.until.map(minutes);
        let is_over = until.is_some_and(|until| lasted > until);
        Phase {
            title: template.title,
            from: minutes(template.from),
            until,
            overdue: is_over && items.iter().any(|item| !item.is_settled()),
            items,
        }
    });
    let phases = phases.collect();
    Checklist { incident: incident.id.clone(), phases, current, clock: clock(incident, now) }
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// The clock of an incident: how long it has been going on, and what became of the promise to answer.
pub fn clock(incident: &Incident, now: Timestamp) -> Clock {
    let elapsed_now = incident.lasted(now);
    let promise = incident.level.promise().map(|within| {
        let answered = incident.acknowledged.as_ref().map(|taken| elapsed(incident.opened_at, taken.at));
        let kept = match answered {
            Some(after) => Some(after <= within),
            None if elapsed_now > within => Some(false),
            // Over before anybody had to answer.
            None => None,
        };
        Promise { within, kept }
    });
    Clock { elapsed: elapsed_now, promise }
}

impl Sight<'_> {
    fn item(&self, id: &'static str, title: &str) -> Item {
        let kind = match id {
            ACKNOWLEDGE => ItemKind::Does { deed: Deed::Acknowledge { incident: self.incident.id.clone() } },
            ROLL_BACK => ItemKind::Does { deed: Deed::RollBack { service: self.to_roll_back() } },
            SCOPE | EXECUTE | HEALTH | STABILITY | ERRORS => ItemKind::Sensed,
            _ => ItemKind::Manual,
        };
        let fact = match id {
            ACKNOWLEDGE => Some(self.acknowledged()),
            "assess-severity" => Some(self.severity()),
            SCOPE => Some(self.scope()),
            ROLL_BACK => Some(self.rollback_started()),
            EXECUTE => Some(self.traffic_back()),
            HEALTH => Some(self.health()),
            STABILITY => Some(self.stability()),
            ERRORS => Some(self.error_rates()),
            _ => None,
        };
        let id = ItemId::from(id);
        let tick = self.incident.ticks.get(&id);
        let state = self.state_of(id.as_str(), tick, fact.as_ref());
        let title = self.title(id.as_str(), title);
        Item { id, title, kind, state, fact, note: tick.and_then(|tick| tick.note.clone()) }
    }

    fn title(&self, id: &str, title: &str) -> String {
        match id {
            SCOPE if !self.incident.services.is_empty() => {
                format!("scope: {}", facts::names(self.incident.services.iter()))
            }
            ROLL_BACK => match self.to_roll_back() {
                Some(service) => {
                    let decision =
                        self.state.service(&service).and_then(|known| asks_for_rollback(self.state, known));
                    let to = decision.and_then(|decision| decision.to.as_ref());
                    let to = to.map_or_else(String::new, |to| format!(" to {}", to.version));
                    format!("roll {service} back{to}")
                }
                None => title.to_owned(),
            },
            _ => title.to_owned(),
        }
    }

    fn state_of(&self, id: &str, tick: Option<&Tick>, fact: Option<&Fact>) -> ItemState {
        // What is known from the journal needs no tick.
        let known = match id {
            ACKNOWLEDGE => self.incident.acknowledged.as_ref().map(|taken| (taken.by.clone(), taken.at)),
            ROLL_BACK => self.first_rollback().map(|operation| (operation.by.clone(), operation.at)),
            _ => None,
        };
        match (known, tick) {
            (Some((by, at)), _) => ItemState::Done { by, at },
            (None, Some(Tick { ticked: Ticked::NotApplicable, by, at, .. })) => {
                ItemState::NotApplicable { by: by.clone(), at: *at }
            }
            (None, Some(Tick { by, at, .. })) => {
                let (by, at) = (by.clone(), *at);
                match fact.and_then(|fact| fact.holds) {
                    Some(false) => ItemState::Regressed { by, at },
                    _ => ItemState::Done { by, at },
                }
            }
            (None, None) => ItemState::Open,
        }
    }
}

fn ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde hands a field over by reference")]
fn optional_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => ms(duration, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests;
