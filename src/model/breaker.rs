//! A circuit breaker around something outside that may be down: it is left alone for a while, and then tried again.
//!
//! A pure state machine: what time it is and the randomness of its pauses are given to it. After so many failures in a row it
//! opens. When the pause is over it is half-open: one trial at a time; one that fails opens it again, for longer, and after
//! enough that succeed it is closed. <https://martinfowler.com/bliki/CircuitBreaker.html>

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelName, ServiceName, SourceName, Span};

/// What is behind a breaker.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// A source.
    Source(SourceName),
    /// The platform of a service, as it is read.
    Platform(ServiceName),
    /// A channel, as it is written to.
    Channel(ChannelName),
}

/// Whether something is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// It is asked.
    #[default]
    Closed,
    /// It is left alone.
    Open,
    /// It is tried.
    HalfOpen,
}

impl BreakerState {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A breaker as it is shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BreakerStatus {
    /// Whether it is asked.
    pub state: BreakerState,
    /// Since when.
    pub since: Timestamp,
    /// When it will be tried; none unless it is open. One that has passed was in vain, and `pause` says how often it is
    /// tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
    /// The longest that it is left alone between two trials; none unless it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Span>,
    /// The failure that opened it; empty when it is closed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Pauses that double up to a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Pause {
    /// The pause after so many failures in a row, from 1, without jitter.
    pub fn whole(self, failures: u32) -> Duration {
        // A shift by more than that has long passed any limit.
        let factor = 1_u32 << failures.saturating_sub(1).min(30);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// The pause after so many failures in a row, from 1: between three quarters of it and all of it, as `jitter` (0 to 1)
    /// says, so that many who failed together do not come back together.
    pub fn after(self, failures: u32, jitter: f64) -> Duration {
        self.whole(failures).mul_f64(0.75 + 0.25 * jitter.clamp(0.0, 1.0))
    }
}

/// When a breaker opens and closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerLimits {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Trials in a row that have to succeed to close it.
    pub successes: u32,
    /// How long it is left alone.
    pub pause: Pause,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        let pause = Pause { first: Duration::from_secs(5), longest: Duration::from_secs(60) };
        Self { failures: 5, successes: 3, pause }
    }
}

/// A breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    limits: BreakerLimits,
    status: BreakerStatus,
    /// In a row, while it is closed.
    failures: u32,
    /// In a row, while it is half-open.
    successes: u32,
    /// How often it opened without closing in between.
    opened: u32,
    /// A trial is on its way.
    is_trying: bool,
    /// What was told last.
    told: (BreakerState, Option<Span>),
}

impl Breaker {
    /// A closed one.
    pub const fn new(limits: BreakerLimits, now: Timestamp) -> Self {
        let status = BreakerStatus {
            state: BreakerState::Closed,
            since: now,
            next_try: None,
            pause: None,
            reason: String::new(),
        };
        let told = (BreakerState::Closed, None);
        Self { limits, status, failures: 0, successes: 0, opened: 0, is_trying: false, told }
    }

    /// As it is now.
    pub const fn status(&self) -> &BreakerStatus {
        &self.status
    }

    /// Whether it may be asked now. Who is told so has to say how that went, before anybody else may try.
    pub fn may_try(&mut self, now: Timestamp) -> bool {
        match self.status.state {
            BreakerState::Closed => true,
            BreakerState::HalfOpen if self.is_trying => false,
            BreakerState::HalfOpen => {
                self.is_trying = true;
                true
            }
            BreakerState::Open => {
                let wait = self.wait(now);
                // After a clock that was set back, nothing is waited for longer than the longest pause.
                let is_over = wait.is_zero() || wait > self.limits.pause.longest;
                if is_over {
                    self.successes = 0;
                    self.is_trying = true;
                    self.set(BreakerState::HalfOpen, now);
                }
                is_over
            }
        }
    }

    /// How long it is left alone from now on; nothing unless it is open.
    pub fn wait(&self, now: Timestamp) -> Duration {
        match self.status.next_try {
            Some(next) if next > now => next.duration_since(now).unsigned_abs(),
            _ => Duration::ZERO,
        }
    }

    /// It was asked, and answered.
    pub fn succeeded(&mut self, now: Timestamp) {
        match self.status.state {
            BreakerState::Closed => self.failures = 0,
            // The answer to a question from before it opened.
            BreakerState::Open => {}
            BreakerState::HalfOpen => {
                self.is_trying = false;
                self.successes += 1;
                if self.successes >= self.limits.successes {
                    (self.failures, self.opened) = (0, 0);
                    self.status.reason.clear();
                    self.set(BreakerState::Closed, now);
                }
            }
        }
    }

    /// It was asked, and failed. `jitter`, 0 to 1, is any random number.
    pub fn failed(&mut self, now: Timestamp, reason: &str, jitter: f64) {
        match self.status.state {
            BreakerState::Open => return,
            BreakerState::Closed => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < self.limits.failures {
                    return;
                }
            }
            BreakerState::HalfOpen => self.is_trying = false,
        }
        self.opened = self.opened.saturating_add(1);
        reason.clone_into(&mut self.status.reason);
        self.set(BreakerState::Open, now);
        self.status.next_try = now.checked_add(self.limits.pause.after(self.opened, jitter)).ok();
        self.status.pause = Some(Span(self.limits.pause.whole(self.opened)));
    }

    /// What has changed since this was asked last and is worth telling. A trial is told by its end, and one that failed only
    /// as long as the pauses grow: a thing that stays down is not told for ever.
    pub fn news(&mut self) -> Option<BreakerStatus> {
        let now = (self.status.state, self.status.pause);
        if self.is_trying || now == self.told {
            return None;
        }
        self.told = now;
        Some(self.status.clone())
    }

    fn set(&mut self, state: BreakerState, now: Timestamp) {
        self.status.state = state;
        self.status.since = now;
        self.status.next_try = None;
        self.status.pause = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + i64::try_from(ms).unwrap()).unwrap()
    }

    /// The life of one: five failures open it, the pauses double, one trial at a time, three successes close it.
    #[test]
    fn a_life() {
        let mut breaker = Breaker::new(BreakerLimits::default(), at(0));
        for n in 0..5 {
            assert!(breaker.may_try(at(n)) && breaker.news().is_none());
            breaker.failed(at(n), "refused", 1.0);
        }
        let news = breaker.news().unwrap();
        assert_eq!((news.state, news.since, news.next_try), (BreakerState::Open, at(4), Some(at(5_004))));
        assert_eq!((news.reason.as_str(), news.pause), ("refused", Some(Span::secs(5))));
        assert!(!breaker.may_try(at(5_003)) && breaker.may_try(at(5_004)));
        // Nobody else while a trial is on its way.
        assert!(!breaker.may_try(at(5_005)) && breaker.news().is_none());
        breaker.failed(at(5_010), "still", 0.0);
        let news = breaker.news().unwrap();
        assert_eq!((news.state, news.next_try), (BreakerState::Open, Some(at(5_010 + 7_500))));
        for n in 0..3 {
            assert!(breaker.may_try(at(20_000 + n)));
            breaker.succeeded(at(20_000 + n));
            let wanted =
                [Some(BreakerState::HalfOpen), None, Some(BreakerState::Closed)][usize::try_from(n).unwrap()];
            assert_eq!(breaker.news().map(|news| news.state), wanted);
        }
        assert_eq!(breaker.status().reason, "");
        // A new failure is a first one again.
        breaker.failed(at(30_000), "refused", 1.0);
        assert!(breaker.may_try(at(30_000)) && breaker.news().is_none());
    }

    /// Something that stays down is told while the pauses grow, and then no more.
    #[test]
    fn what_stays_down_is_not_told_for_ever() {
        let mut breaker = Breaker::new(BreakerLimits::default(), at(0));
        let (mut now, mut told) = (0, 0);
        for _ in 0..1_000 {
            now += 1_000;
            if breaker.may_try(at(now)) {
                breaker.failed(at(now), "down", 0.5);
            }
            told += usize::from(breaker.news().is_some());
        }
        // 5, 10, 20, 40 and 60 seconds.
        assert_eq!(told, 5);
    }

    /// A clock that is set back by a day does not leave anything alone for a day.
    #[test]
    fn a_clock_that_is_set_back() {
        let mut breaker = Breaker::new(BreakerLimits::default(), at(0));
        for _ in 0..5 {
            breaker.failed(at(86_400_000), "down", 1.0);
        }
        assert!(breaker.may_try(at(0)));
    }

    /// What can happen to one.
    #[derive(Clone, Debug)]
    enum Turn {
        Passes(u64),
        Try {
            succeeds: bool,
            jitter: f64,
        },
        /// An answer that nobody waits for any more.
        Late {
            succeeds: bool,
        },
    }

    fn turn() -> impl Strategy<Value = Turn> {
        prop_oneof![
            (0_u64..120_000).prop_map(Turn::Passes),
            (any::<bool>(), 0.0..=1.0_f64).prop_map(|(succeeds, jitter)| Turn::Try { succeeds, jitter }),
            any::<bool>().prop_map(|succeeds| Turn::Late { succeeds }),
        ]
    }

    proptest! {
        /// Whatever happens: nothing is asked while it is open and its pause lasts, no pause is longer than the longest or
        /// shorter than three quarters of the first, it opens only by enough failures in a row and closes only by enough
        /// trials in a row, and after the longest pause it is always tried.
        #[test]
        fn it_keeps_its_word(turns in proptest::collection::vec(turn(), 0..200)) {
            let limits = BreakerLimits::default();
            let mut breaker = Breaker::new(limits, at(0));
            let (mut now, mut failed, mut succeeded) = (0_u64, 0_u32, 0_u32);
            for turn in turns {
                let before = breaker.status().clone();
                match turn {
                    Turn::Passes(ms) => now += ms,
                    Turn::Try { succeeds, jitter } => {
                        let may = breaker.may_try(at(now));
                        if before.state == BreakerState::Open {
                            prop_assert_eq!(may, before.next_try.unwrap() <= at(now));
                        } else {
                            prop_assert!(may, "nobody else is trying");
                        }
                        if !may {
                            continue;
                        }
                        if before.state == BreakerState::Open {
                            succeeded = 0;
                        }
                        if succeeds {
                            (failed, succeeded) = (0, succeeded + 1);
                            breaker.succeeded(at(now));
                        } else {
                            (failed, succeeded) = (failed + 1, 0);
                            breaker.failed(at(now), "down", jitter);
                        }
                    }
                    // It comes as an answer only where none is waited for: while the breaker is open.
                    Turn::Late { succeeds } => {
                        if before.state != BreakerState::Open {
                            continue;
                        }
                        if succeeds {
                            breaker.succeeded(at(now));
                        } else {
                            breaker.failed(at(now), "late", 0.0);
                        }
                        prop_assert_eq!(breaker.status(), &before);
                    }
                }
                let after = breaker.status();
                if after.state == BreakerState::Open && *after != before {
                    prop_assert!(before.state != BreakerState::Closed || failed >= limits.failures);
                    let pause = after.next_try.unwrap().duration_since(at(now)).unsigned_abs();
                    prop_assert!(pause <= limits.pause.longest && pause >= limits.pause.first.mul_f64(0.75));
                    let mut later = breaker.clone();
                    prop_assert!(later.may_try(at(now + 60_000)));
                }
                if after.state == BreakerState::Closed && before.state != BreakerState::Closed {
                    prop_assert_eq!(succeeded, limits.successes);
                }
                prop_assert_eq!(after.next_try.is_some(), after.state == BreakerState::Open);
            }
        }
    }
}
