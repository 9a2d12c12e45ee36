//! What policies would have done, held against what was wrong.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::{IncidentId, TriggerName};

use super::incidents::Marked;
use super::{Found, HeldBack, Outcome, WouldRollBack};

/// How long before an incident a rollback may have been that belongs to it, when its release was still serving at the
/// incident's begin: people often notice later than a machine.
const EARLY: Duration = Duration::from_secs(3_600);

const WEEK_S: f64 = 7.0 * 86_400.0;

/// A comparison of policies over the same past.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where the past begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// What was wrong in it.
    pub incidents: Vec<Marked>,
    /// Each policy.
    pub policies: Vec<Score>,
    /// What has to be known to read this.
    pub remarks: Vec<String>,
}

/// How a policy would have done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Its name.
    pub name: String,
    /// How each incident was met, in the order of the incidents.
    pub met: Vec<Met>,
    /// Incidents that it would have found, by a finding or a rollback.
    pub found: usize,
    /// Incidents in which it would have rolled back.
    pub rolled_back: usize,
    /// The median of the times to detect of the incidents that were found, in milliseconds.
    pub median_ms: Option<i64>,
    /// The longest of them.
    pub longest_ms: Option<i64>,
    /// Rollbacks that it would have begun.
    pub rollbacks: Vec<WouldRollBack>,
    /// Everything that it would have found, in order.
    pub findings: Vec<Found>,
    /// Rollbacks that guardrails would have forbidden.
    pub held_back: Vec<HeldBack>,
    /// Rollbacks outside every incident.
    pub false_alarms: usize,
    /// The same for a week of such a past.
    pub false_alarms_a_week: f64,
    /// Triggers that were not played, because what they watch is not recorded.
    pub left_out: Vec<TriggerName>,
}

/// How an incident was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Met {
    /// Which.
    pub incident: IncidentId,
    /// From its begin to the first finding or rollback, in milliseconds; negative: before it. None: never.
    pub detected_after_ms: Option<i64>,
    /// From its begin to the first rollback.
    pub rolled_back_after_ms: Option<i64>,
}

/// Holds outcomes against incidents. A rollback of a service in an incident of it belongs to that; so does one up to an hour
/// earlier, if what it took back was still serving in the past when the incident began. Every other one is a false alarm.
pub fn score(
    (from, to): (Timestamp, Timestamp),
    incidents: Vec<Marked>,
    outcomes: Vec<Outcome>,
    remarks: Vec<String>,
) -> Report {
    let weeks = to.duration_since(from).as_secs_f64() / WEEK_S;
    let policies = outcomes.into_iter().map(|outcome| score_one(outcome, &incidents, weeks)).collect();
    Report { from, to, incidents, policies, remarks }
}

fn score_one(mut outcome: Outcome, incidents: &[Marked], weeks: f64) -> Score {
    for rollback in &mut outcome.rollbacks {
        let incident = incidents.iter().find(|incident| belongs(rollback, incident));
        rollback.incident = incident.map(|incident| incident.id.clone());
    }
    let met: Vec<Met> = incidents
        .iter()
        .map(|incident| {
            let after = |at: Timestamp| ms(at.duration_since(incident.from));
            let mut rollbacks = outcome.rollbacks.iter().filter(|rollback| belongs(rollback, incident));
            let rolled_back = rollbacks.next().map(|rollback| after(rollback.at));
            let found = outcome.found.iter().find(|found| is_in(found, incident));
            let found = found.map(|found| after(found.at));
            Met {
                incident: incident.id.clone(),
                detected_after_ms: found.into_iter().chain(rolled_back).min(),
                rolled_back_after_ms: rolled_back,
            }
        })
        .collect();
    let mut times: Vec<i64> = met.iter().filter_map(|met| met.detected_after_ms).collect();
    times.sort_unstable();
    let false_alarms = outcome.rollbacks.iter().filter(|rollback| rollback.incident.is_none()).count();
    Score {
        name: outcome.name,
        found: times.len(),
        rolled_back: met.iter().filter(|met| met.rolled_back_after_ms.is_some()).count(),
        median_ms: median(&times),
        longest_ms: times.last().copied(),
        met,
        rollbacks: outcome.rollbacks,
        findings: outcome.found,
        held_back: outcome.held,
        false_alarms,
        false_alarms_a_week: if weeks > 0.0 { false_alarms as f64 / weeks } else { 0.0 },
        left_out: outcome.left_out,
    }
}

fn belongs(rollback: &WouldRollBack, incident: &Marked) -> bool {
    if !incident.concerns(&rollback.service) || rollback.at > incident.to {
        return false;
    }
    let earliest = incident.from.checked_sub(EARLY).unwrap_or(Timestamp::MIN);
    let was_serving = rollback.until.is_none_or(|until| until >= incident.from);
    rollback.at >= incident.from || rollback.at >= earliest && was_serving
}

fn is_in(found: &Found, incident: &Marked) -> bool {
    let concerns = found.service.as_ref().is_none_or(|service| incident.concerns(service));
    concerns && incident.from <= found.at && found.at <= incident.to
}

fn ms(time: SignedDuration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The middle of sorted values; of an even number of them the mean of the two in the middle.
fn median(sorted: &[i64]) -> Option<i64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len().is_multiple_of(2) { sorted[middle - 1].midpoint(upper) } else { upper })
}
