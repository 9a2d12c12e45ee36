//! Measures of delivery over a time: DORA's five, the times of incidents, the objectives, and what checklists are like to work by.
//!
//! Everything says of how many it speaks, and where nothing is known it says that and gives no zero. What counts as what:
//!
//! - A *deployment* is a release that began to get traffic. It is in the period if it began in it. One that began while an incident
//!   was open on its service is a *hotfix*.
//! - A deployment *failed* if it was taken back, by a rollback of ours or by another hand, or was replaced by a hotfix. It
//!   counts once, however many incidents it caused.
//! - An incident is in the period if it was declared in it. Drills are left out; false alarms, merged and suspected ones are
//!   counted apart.

pub mod checklists;
pub mod figures;
pub mod measures;
pub mod objectives;
mod recorder;
#[cfg(test)]
mod tests;
pub mod weeks;

use jiff::Timestamp;
use serde::Serialize;

use super::incident::JournalRef;
pub use checklists::RunbookMeasures;
pub use figures::{Figures, Ratio};
pub use measures::{DeploymentMeasures, IncidentMeasures, Measures};
pub use objectives::{Objective, Verdict};
pub use recorder::Recorder;
pub use weeks::Week;

/// What a record calls itself.
pub const SCHEMA: &str = "unship-delivery-report/1";

/// A time, its end not included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Period {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl Period {
    /// Whether an instant is in it.
    pub fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// How many days it has; never less than a part of one.
    pub fn days(&self) -> f64 {
        let ms = super::Millis::between(self.from, self.to).at_least_zero().0;
        (ms as f64 / 86_400_000.0).max(1.0 / 24.0)
    }
}

/// The measures of a period.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Delivery {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The period that was asked for.
    pub asked: Period,
    /// The part of it that the journal knows; none if it knows nothing of it.
    pub known: Option<Period>,
    /// All services together.
    pub all: Measures,
    /// Each service.
    pub services: Vec<Measures>,
    /// The checklists of the incidents.
    pub runbooks: Vec<RunbookMeasures>,
    /// What the journal cannot know, and what that does to the numbers.
    pub notes: Vec<String>,
    /// The last entry that was read.
    pub journal: Option<JournalRef>,
    /// When this was made.
    pub made_at: Timestamp,
}
