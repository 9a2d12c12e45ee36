//! Probes: failures in a row, successes in a row, and the share that succeeds.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::probe::{Health, ProbeOutcome, ProbeResult};

/// Failures in a row that make a probe "failing" on their own, without any trigger.
pub const FAILURES_TO_FAIL: u32 = 3;
/// Successes in a row after which a failing probe is well again.
pub const SUCCESSES_TO_CLEAR: u32 = 2;

/// The memory of one probe.
#[derive(Clone, Debug)]
pub struct Streak {
    keep: Duration,
    answers: VecDeque<(Timestamp, bool)>,
    failures: VecDeque<Timestamp>,
    failed: u32,
    succeeded: u32,
    well_since: Option<Timestamp>,
    is_failing: bool,
    last: Option<ProbeResult>,
    floor: Timestamp,
}

impl Streak {
    /// An empty memory that keeps answers this long for availability.
    pub fn new(keep: Duration) -> Self {
        Self {
            keep,
            answers: VecDeque::new(),
            failures: VecDeque::new(),
            failed: 0,
            succeeded: 0,
            well_since: None,
            is_failing: false,
            last: None,
            floor: Timestamp::MIN,
        }
    }

    /// Takes a result. One sent before the floor, or not after the last, is left out. A check that could not be run counts
    /// for nothing but is remembered as the last.
    pub fn push(&mut self, result: &ProbeResult) -> bool {
        if result.at < self.floor || self.last.as_ref().is_some_and(|last| result.at <= last.at) {
            return false;
        }
        if let ProbeOutcome::Answered { health, .. } = &result.outcome {
            let is_up = *health != Health::Unhealthy;
            self.answers.push_back((result.at, is_up));
            while self
                .answers
                .front()
                .is_some_and(|(at, _)| result.at.duration_since(*at).unsigned_abs() > self.keep)
            {
                self.answers.pop_front();
            }
            if is_up {
                self.failed = 0;
                self.failures.clear();
                self.succeeded = self.succeeded.saturating_add(1);
                if self.succeeded >= SUCCESSES_TO_CLEAR {
                    self.is_failing = false;
                }
            } else {
                self.succeeded = 0;
                self.failed = self.failed.saturating_add(1);
                self.failures.push_back(result.at);
                while self.failures.len() > 1_000 {
                    self.failures.pop_front();
                }
                if self.failed >= FAILURES_TO_FAIL {
                    self.is_failing = true;
                }
            }
            if *health == Health::Healthy {
                self.well_since.get_or_insert(result.at);
            } else {
                self.well_since = None;
            }
        } else {
            // Nobody knows whether it was well meanwhile.
            self.well_since = None;
        }
        self.last = Some(result.clone());
        true
    }

    /// Forgets what was sent before a time.
    pub fn forget_before(&mut self, floor: Timestamp) {
        if floor > self.floor {
            *self = Self { floor, ..Self::new(self.keep) };
        }
    }

    /// The newest result.
    pub const fn last(&self) -> Option<&ProbeResult> {
        self.last.as_ref()
    }

    /// When the newest check that gave an answer was sent. One that could not be run gave none.
    pub fn answered(&self) -> Option<Timestamp> {
        self.answers.back().map(|(at, _)| *at)
    }

    /// Failures in a row, up to now.
    pub const fn failed(&self) -> u32 {
        self.failed
    }

    /// Whether it failed often enough in a row, and has not been well often enough since.
    pub const fn is_failing(&self) -> bool {
        self.is_failing
    }

    /// Since when every answer was healthy.
    pub const fn well_since(&self) -> Option<Timestamp> {
        self.well_since
    }

    /// When the last `count` failures in a row began, if there are that many and they lie within this time.
    pub fn failing_since(&self, count: u32, within: Duration) -> Option<Timestamp> {
        let count = (count as usize).max(1);
        let first = *self.failures.get(self.failures.len().checked_sub(count)?)?;
        let last = *self.failures.back()?;
        (last.duration_since(first).unsigned_abs() <= within).then_some(first)
    }

    /// Answers since a time: how many, and how many were up.
    pub fn availability(&self, since: Timestamp) -> (u64, u64) {
        let answers = self.answers.iter().filter(|(at, _)| *at > since);
        answers.fold((0, 0), |(all, up), (_, is_up)| (all + 1, up + u64::from(*is_up)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(second: i64, health: Option<Health>) -> ProbeResult {
        let outcome = health.map_or(ProbeOutcome::NotRun { reason: "no network".into() }, |health| {
            ProbeOutcome::Answered { health, reason: String::new() }
        });
        ProbeResult {
            service: "a".into(),
            probe: "live".into(),
            arm: None,
            at: at(second),
            latency_ms: 1.0,
            status: None,
            outcome,
            document: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    const BAD: Option<Health> = Some(Health::Unhealthy);
    const GOOD: Option<Health> = Some(Health::Healthy);

    /// Three failures in a row fail it, one success does not yet clear it, two do.
    #[test]
    fn fails_and_clears_with_hysteresis() {
        let mut streak = Streak::new(Duration::from_secs(60));
        for (second, health, failing) in [
            (0, BAD, false),
            (1, BAD, false),
            (2, BAD, true),
            (3, GOOD, true),
            (4, GOOD, false),
            (5, BAD, false),
        ] {
            assert!(streak.push(&result(second, health)));
            assert_eq!(streak.is_failing(), failing, "after second {second}");
        }
    }

    /// A check that could not be run is no failure and no success.
    #[test]
    fn a_check_that_did_not_run_counts_for_nothing() {
        let mut streak = Streak::new(Duration::from_secs(60));
        for (second, health) in [(0, BAD), (1, None), (2, BAD), (3, None)] {
            streak.push(&result(second, health));
        }
        assert_eq!(streak.failed(), 2);
        assert_eq!(streak.availability(at(-1)), (2, 0));
        assert_eq!(streak.failing_since(2, Duration::from_secs(2)), Some(at(0)));
        assert_eq!(streak.failing_since(2, Duration::from_secs(1)), None);
        assert_eq!(streak.failing_since(3, Duration::from_secs(9)), None);
    }

    /// An answer that was asked for before the release changed says nothing of the new one.
    #[test]
    fn a_floor_forgets() {
        let mut streak = Streak::new(Duration::from_secs(60));
        streak.push(&result(0, BAD));
        streak.forget_before(at(5));
        assert_eq!(streak.failed(), 0);
        assert!(!streak.push(&result(4, BAD)));
        assert!(streak.push(&result(5, GOOD)));
    }
}
