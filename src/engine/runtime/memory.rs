//! How far back recorded samples are of use to a core that begins: to a new leader, and to a policy that is tried on the past.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::journal::{Journal, JournalError};
use crate::model::release::Arm;
use crate::model::source::Sample;

use super::super::state::State;

/// What is looked at in any case.
const LEAST: Duration = Duration::from_secs(10);
/// How far back the judge is reminded of stable before a canary came.
pub(super) const BEFORE_A_CANARY: Duration = Duration::from_secs(600);
/// And how far back at most.
pub(super) const LONGEST: Duration = Duration::from_secs(6 * 3_600);

/// A time that long before another.
pub(super) fn ago(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_sub(span).unwrap_or(Timestamp::MIN)
}

/// How far back any trigger looks.
pub(super) fn window(config: &Config) -> Duration {
    let spans = config.triggers.values();
    let spans = spans.map(|trigger| trigger.when.over().saturating_add(*trigger.when.hold()));
    spans.max().unwrap_or_default().max(LEAST)
}

/// The recorded samples that are of use now: as far back as a trigger looks, and for the judge from before the canaries that
/// there are.
pub(super) async fn recorded(
    journal: &dyn Journal,
    config: &Config,
    state: &State,
    now: Timestamp,
) -> Result<Vec<Sample>, JournalError> {
    let since = ago(now, window(config));
    let mut samples = Vec::new();
    if config.judge.is_some() {
        for (name, service) in state.services.iter().filter(|(_, service)| service.canary().is_some()) {
            let began = service.arms_since.get(&Arm::Canary).copied().unwrap_or(now);
            let from = ago(began, BEFORE_A_CANARY).max(ago(now, LONGEST));
            let until = ago(since, Duration::from_nanos(1));
            if from < until {
                samples.extend(journal.samples_of(name, from, until).await?);
            }
        }
    }
    samples.extend(journal.samples(since).await?);
    Ok(samples)
}
