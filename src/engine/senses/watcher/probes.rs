//! Conditions on the answers of probes.

use std::time::Duration;

use jiff::Timestamp;

use super::{Missing, Watcher};
use crate::model::release::Arm;
use crate::model::trigger::{Condition, Evaluation, Evidence, Scope, Status, Unknown};
use crate::model::{ProbeName, Quantity, Unit};
use crate::triggers::streak::Streak;

/// A probe of the service: its name, its arm, its interval, its memory.
pub(in crate::engine::senses) type ProbeView<'a> = (&'a ProbeName, Option<Arm>, Duration, &'a Streak);

impl Watcher {
    /// The evaluation of a condition on probes.
    pub(in crate::engine::senses) fn probe_evaluation(
        &self,
        probes: &[ProbeView<'_>],
        now: Timestamp,
        stale_after: Duration,
        expected: Option<Timestamp>,
    ) -> Evaluation {
        let slowest = probes.iter().map(|(_, _, interval, _)| *interval).max().unwrap_or_default();
        let missing = Missing { expected, after: stale_after.max(slowest * 2), now };
        let limit = |interval: Duration| stale_after.max(interval * 2);
        // What an answer says holds until the next one is due, and a check that could not be run is no answer.
        let is_fresh = |(.., interval, streak): &&ProbeView<'_>| {
            streak
                .answered()
                .is_some_and(|at| at >= now || now.duration_since(at).unsigned_abs() <= limit(*interval))
        };
        let of_this = |probe: &Option<ProbeName>| {
            let is_meant = |(name, arm, ..): &&ProbeView<'_>| {
                probe.as_ref().is_none_or(|probe| probe == *name)
                    && (*arm == self.arm || self.spec.scope != Scope::Arm)
            };
            probes.iter().filter(is_meant).collect::<Vec<_>>()
        };
        match &self.spec.when {
            Condition::Consecutive { failures, within, probe } => {
                let probes = of_this(probe);
                let newest = probes.iter().filter_map(|(.., streak)| streak.answered()).max();
                let fresh = probes.iter().copied().filter(is_fresh);
                let since =
                    fresh.clone().filter_map(|(.., streak)| streak.failing_since(*failures, **within)).min();
                let failed = fresh.map(|(.., streak)| streak.failed()).max().unwrap_or_default();
                let evidence = Evidence {
                    query: self.query.clone(),
                    value: newest.map(|_| f64::from(failed)),
                    limit: Quantity { value: f64::from(*failures), unit: Unit::Plain },
                    above: true,
                    window_ms: within.as_millis() as u64,
                    samples: f64::from(failed),
                    newest,
                    judgement: None,
                    said: None,
                };
                let silent = probes.iter().copied().find(|probe| !is_fresh(probe));
                let status = match (since, silent) {
                    (Some(since), _) => Status::Breach { since },
                    (None, None) if probes.is_empty() => Status::Unknown { reason: Unknown::NoData },
                    (None, None) => Status::Ok,
                    (None, Some((.., streak))) => Status::Unknown { reason: unanswered(streak.answered()) },
                };
                self.answer(status, evidence, missing)
            }
            Condition::Availability { below, over, probe } => {
                let probes = of_this(probe);
                let newest = probes.iter().filter_map(|(.., streak)| streak.answered()).max();
                let start = now.checked_sub(**over).unwrap_or(Timestamp::MIN);
                let (all, up) = probes.iter().fold((0, 0), |(all, up), (.., streak)| {
                    let (a, u) = streak.availability(start);
                    (all + a, up + u)
                });
                let share = if all > 0 { Some(up as f64 / all as f64) } else { None };
                let evidence = Evidence {
                    query: self.query.clone(),
                    value: share,
                    limit: Quantity { unit: Unit::Share, ..*below },
                    above: false,
                    window_ms: over.as_millis() as u64,
                    samples: all as f64,
                    newest,
                    judgement: None,
                    said: None,
                };
                let status = match share {
                    _ if !probes.iter().copied().any(|probe| is_fresh(&probe)) => {
                        Status::Unknown { reason: unanswered(newest) }
                    }
                    Some(share) if all >= self.spec.min_samples => {
                        if share < below.value {
                            Status::Breach { since: newest.unwrap_or(now) }
                        } else {
                            Status::Ok
                        }
                    }
                    _ => Status::Unknown {
                        reason: Unknown::TooFewSamples { have: all, need: self.spec.min_samples },
                    },
                };
                self.answer(status, evidence, missing)
            }
            Condition::Threshold { .. } | Condition::Comparison { .. } | Condition::Alarm { .. } => {
                self.unknown(Unknown::NoData, None, stale_after)
            }
        }
    }
}

/// Why nothing is known of a probe whose last answer was then.
fn unanswered(last: Option<Timestamp>) -> Unknown {
    last.map_or(Unknown::NoData, |since| Unknown::Stale { since })
}
