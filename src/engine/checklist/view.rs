//! A checklist as it is looked at: every section and every item with where it stands and what the engine sees beside it. How it
//! is made of a run is in `build`.

mod build;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Fact, elapsed};
use crate::model::command::Actor;
use crate::model::incident::{Incident, Note};
use crate::model::{IncidentId, ItemId, RunId, ServiceName};
use crate::runbook::Anchor;

pub(super) use build::checklist;

/// The checklists of an incident, as far as it is in them.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Checklist {
    /// The incident.
    pub incident: IncidentId,
    /// The runbooks that are worked through, in the order in which they were attached.
    pub runs: Vec<Head>,
    /// The sections with items, in the order in which they are worked through.
    pub phases: Vec<Phase>,
    /// The item to look at next: the first that is open.
    pub current: Option<ItemId>,
    /// How long it has been going on.
    pub clock: Clock,
}

/// A runbook that is worked through.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Head {
    /// The run.
    pub id: RunId,
    /// What it is called.
    pub title: String,
    /// The digest of its text.
    pub sha256: String,
    /// How many items are settled, of how many, with those that were overridden, do not apply, are deferred or no longer so.
    pub progress: Progress,
    /// What was done about items that its text has no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<super::Removed>,
}

/// How far a checklist is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Progress {
    /// Items that count.
    pub all: usize,
    /// Settled in any way.
    pub settled: usize,
    /// Of these overridden.
    pub overridden: usize,
    /// Of these not applicable.
    pub inactive: usize,
    /// Deferred.
    pub deferred: usize,
    /// Done, and no longer so.
    pub regressed: usize,
}

impl Progress {
    /// How it is said: `7/9 (1 overridden, 1 n/a)`, `COMPLETE EXCEPT 1 DEFERRED`.
    pub fn words(&self) -> String {
        let Self { all, settled, overridden, inactive, deferred, regressed } = *self;
        if all > 0 && settled + deferred == all && deferred > 0 {
            return format!("COMPLETE EXCEPT {deferred} DEFERRED");
        }
        if all > 0 && settled + regressed == all && regressed > 0 {
            return format!("COMPLETE, {regressed} REGRESSED");
        }
        let mut more = Vec::new();
        more.extend((overridden > 0).then(|| format!("{overridden} overridden")));
        more.extend((inactive > 0).then(|| format!("{inactive} n/a")));
        more.extend((deferred > 0).then(|| format!("{deferred} deferred")));
        more.extend((regressed > 0).then(|| format!("{regressed} regressed")));
        if more.is_empty() {
            format!("{settled}/{all}")
        } else {
            format!("{settled}/{all} ({})", more.join(", "))
        }
    }

    fn add(&mut self, item: &Item) {
        self.all += 1;
        self.settled += usize::from(item.is_settled());
        match item.state {
            ItemState::Overridden { .. } => self.overridden += 1,
            ItemState::NotApplicable { .. } => self.inactive += 1,
            ItemState::Deferred { .. } => self.deferred += 1,
            ItemState::Regressed { .. } => self.regressed += 1,
            _ => {}
        }
    }
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

/// A section of a checklist.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Phase {
    /// The run.
    pub run: RunId,
    /// Its id in the runbook.
    pub section: String,
    /// What it is about.
    pub title: String,
    /// When it begins, counted from its anchor.
    #[serde(rename = "from_ms", serialize_with = "ms")]
    pub from: Duration,
    /// When it should be through; none where nothing says so.
    #[serde(rename = "until_ms", serialize_with = "optional_ms")]
    pub until: Option<Duration>,
    /// What its times are counted from.
    pub anchor: Anchor,
    /// How long ago that was; none before it.
    #[serde(rename = "elapsed_ms", serialize_with = "optional_ms")]
    pub elapsed: Option<Duration>,
    /// Its items, in order, those inside others behind them.
    pub items: Vec<Item>,
    /// Its window is over and something in it is not settled.
    pub overdue: bool,
    /// Its window was over before the runbook was attached.
    pub passed_before: bool,
    /// What has to be done before it, where it is gated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// What is written in it beside its items.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Phase {
    /// How many items are settled.
    pub fn settled(&self) -> usize {
        self.items.iter().filter(|item| item.counts && item.is_settled()).count()
    }

    /// How many items count.
    pub fn counted(&self) -> usize {
        self.items.iter().filter(|item| item.counts).count()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        self.items.iter().filter(|item| item.counts).for_each(|item| progress.add(item));
        progress
    }
}

/// One line of a checklist.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own, for whoever shows the line"
)]
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Item {
    /// Its name, always the same in its runbook.
    pub id: ItemId,
    /// The run.
    pub run: RunId,
    /// How it is named among all that are worked through: its id, with the run before it where another run has the same.
    pub key: String,
    /// What is to be done or to be true.
    pub title: String,
    /// How deep it lies in others; 0 for one that is in none.
    pub depth: u8,
    /// Whether it counts.
    pub counts: bool,
    /// It cannot be deferred or left out.
    pub critical: bool,
    /// Who settles it.
    #[serde(flatten)]
    pub kind: ItemKind,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ItemState,
    /// What the engine sees of it, for the line on the right.
    pub fact: Option<Fact>,
    /// What was said when it came to stand so.
    pub note: Option<String>,
    /// What was written beside it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Whose it is, where the runbook says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Who has taken it upon themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Actor>,
    /// How often it has changed; sent back with what is done to it.
    pub changes: u64,
    /// It was confirmed while the engine could not see whether it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unsensed: bool,
    /// What has to be done before it, where it is gated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Commands that are written in it, to be copied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<crate::runbook::Command>,
    /// What else is written in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prose: Vec<String>,
    /// What it does, with everything resolved, where a command does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Acts>,
    /// What takes it back, in the same way, where it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Acts>,
    /// That it is no longer so was seen by somebody.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub acknowledged: bool,
    /// Until when the runbook proposes to defer it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defer: Option<String>,
    /// How it stood while its text was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older: Option<String>,
    /// Who waits for another person to agree, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<super::Asked>,
    /// It is done first, from memory, and confirmed here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub memory: bool,
    /// Two people: one reads back or asks, another one agrees.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_two: bool,
}

/// What an item does, as it would be done now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Acts {
    /// The action.
    pub action: String,
    /// Its parameters; empty while one has no value.
    pub with: BTreeMap<String, String>,
    /// Which parameter has no value, and what would give it one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacks: Option<String>,
    /// What it asks for is seen: whoever does it in another way settles the item too.
    pub verified: bool,
}

/// Who settles an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ItemKind {
    /// A person looks or does, and ticks.
    Manual,
    /// The engine sees whether it is true. A person confirms it, unless the runbook lets the engine.
    Sensed {
        /// The engine ticks it by itself.
        auto: bool,
    },
    /// A command does it.
    Does {
        /// Which.
        deed: Deed,
    },
    /// One of its options is decided for.
    Decision {
        /// The options.
        options: Vec<Choice>,
    },
    /// Time has to pass.
    Wait {
        /// How much.
        #[serde(rename = "time_ms", serialize_with = "ms")]
        time: Duration,
    },
    /// Something has to be so without a break.
    Hold {
        /// For how long.
        #[serde(rename = "time_ms", serialize_with = "ms")]
        time: Duration,
    },
    /// A value is entered.
    Record {
        /// Its name.
        name: String,
        /// One of these; any where there are none.
        choices: Vec<String>,
    },
}

/// An option of a decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Choice {
    /// The item.
    pub id: ItemId,
    /// What it says.
    pub title: String,
    /// Whether what is seen speaks for it; none: nothing is seen of it.
    pub recommended: Option<bool>,
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
    /// Anything else that the engine can do.
    Other {
        /// The action.
        action: String,
        /// The item, as the command line names it.
        item: String,
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
            Self::Other { item, .. } => format!("unship checklist do {item}"),
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
    /// The engine sees that it is so; a person still has to confirm it.
    Satisfied,
    /// Its time passes.
    Waiting {
        /// How much has passed.
        #[serde(rename = "passed_ms", serialize_with = "ms")]
        passed: Duration,
        /// Of how much.
        #[serde(rename = "of_ms", serialize_with = "ms")]
        of: Duration,
    },
    /// What it does is being done.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// What it does has failed.
    Failed {
        /// Why.
        why: String,
    },
    /// Nobody knows whether what it does has happened.
    Unknown {
        /// What is known.
        why: String,
    },
    /// Settled.
    Done {
        /// By whom; the engine for what it saw.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It does not concern this incident.
    NotApplicable {
        /// Who says so.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It is left as it is, against what it says.
    Overridden {
        /// By whom.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It is done later.
    Deferred {
        /// With what.
        until: String,
        /// Who says so.
        by: Actor,
    },
    /// It was settled, and what the engine sees says that it is so no longer.
    Regressed {
        /// By whom it was settled.
        by: Actor,
        /// When.
        at: Timestamp,
    },
}

impl Item {
    /// Whether nothing is left to do about it.
    pub const fn is_settled(&self) -> bool {
        matches!(
            self.state,
            ItemState::Done { .. } | ItemState::NotApplicable { .. } | ItemState::Overridden { .. }
        )
    }

    /// Whether something is to be done about it now.
    const fn is_open(&self) -> bool {
        matches!(
            self.state,
            ItemState::Open
                | ItemState::Satisfied
                | ItemState::Failed { .. }
                | ItemState::Unknown { .. }
                | ItemState::Regressed { .. }
        )
    }
}

impl Checklist {
    /// All its items, in order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.phases.iter().flat_map(|phase| &phase.items)
    }

    /// An item, by how it is named among all.
    pub fn item(&self, key: &str) -> Option<&Item> {
        self.items().find(|item| item.key == key)
    }

    /// How many items are settled, of how many.
    pub fn progress(&self) -> (usize, usize) {
        let counted = || self.items().filter(|item| item.counts);
        (counted().filter(|item| item.is_settled()).count(), counted().count())
    }
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

pub(super) fn ms<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "serde asks with a reference")]
fn optional_ms<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => ms(duration, serializer),
        None => serializer.serialize_none(),
    }
}
