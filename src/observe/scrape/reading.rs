//! From the text of an exposition to the samples of all indicators of a source. Pure but for what it remembers.

use jiff::Timestamp;

use crate::model::source::{ArmLabel, Reading, SeriesSpec};
use crate::model::{IndicatorName, ServiceName};
use crate::observe::exposition::ExpositionError;
use crate::observe::schedule::ObserveError;
use crate::observe::selector;
use crate::observe::series::{self, Habits, Role, Slot};

use super::collect::Wanted;

/// A target that is read itself shows a series from its first event on: what is new has happened since. One that was left
/// out is remembered for ten readings.
const HABITS: Habits = Habits { remembered: 10, careful: false };

/// The indicators of a source and what is remembered of their series.
#[derive(Default, Debug)]
pub(super) struct Readings {
    wanted: Wanted,
    readings: series::Readings,
}

impl Readings {
    pub(super) fn new(
        indicators: Vec<(ServiceName, IndicatorName, SeriesSpec)>,
        arms: Option<ArmLabel>,
    ) -> Result<Self, ObserveError> {
        let mut wanted = Wanted::new(arms);
        let readings = series::Readings::new(indicators, HABITS, |service, indicator, role, text| {
            let mut selector = selector::parse(text).map_err(|error| ObserveError::Series {
                service: service.clone(),
                indicator: indicator.clone(),
                reason: error.to_string(),
            })?;
            if matches!(role, Role::Histogram(_)) && !selector.name().ends_with("_bucket") {
                let name = format!("{}_bucket", selector.name());
                selector = selector.renamed(name);
            }
            let shown = selector.to_string();
            let number = wanted.add(selector, matches!(role, Role::Histogram(_)));
            Ok(Slot { number, shown, has_grown: false })
        })?;
        Ok(Self { wanted, readings })
    }

    /// Takes a reading. A text that cannot be read changes nothing of what is remembered.
    pub(super) fn take(&mut self, text: &str, at: Timestamp) -> Result<Reading, ExpositionError> {
        Ok(self.readings.take(self.wanted.find(text)?, at, None))
    }
}

#[cfg(test)]
mod tests;
