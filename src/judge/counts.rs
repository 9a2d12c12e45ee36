//! What is fed: counts of two arms over an interval, and why some of them are not taken.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Requests of one arm, and how many of them were bad: failed, or slower than a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmCounts {
    /// All requests. Fractions are allowed: some sources extrapolate.
    pub requests: f64,
    /// Bad ones among them.
    pub bad: f64,
}

impl ArmCounts {
    /// Counts of an arm.
    pub const fn new(requests: f64, bad: f64) -> Self {
        Self { requests, bad }
    }

    /// The share of bad requests; none without requests.
    pub fn rate(&self) -> Option<f64> {
        (self.requests > 0.0).then(|| self.bad / self.requests)
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.bad += more.bad;
    }

    /// Whether these are counts at all.
    fn check(self) -> Result<(), Discard> {
        if !self.requests.is_finite() || !self.bad.is_finite() {
            Err(Discard::NotFinite)
        } else if self.requests < 0.0 || self.bad < 0.0 {
            Err(Discard::Negative)
        } else if self.bad > self.requests {
            Err(Discard::MoreBadThanRequests)
        } else if self.requests > LARGEST_COUNT {
            Err(Discard::TooLarge)
        } else {
            Ok(())
        }
    }
}

/// The largest count of one arm in one tick. Beyond it a double no longer counts in ones.
pub const LARGEST_COUNT: f64 = 1e15;

/// How far a tick may begin before the end of the one before it, in seconds: sums of intervals are not exact.
const OVERLAP_S: f64 = 1e-6;

/// One evaluation interval with the counts of both arms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// When it begins, in seconds since the watch began.
    pub start_s: f64,
    /// How long it is, in seconds.
    pub length_s: f64,
    /// The release that is watched.
    pub canary: ArmCounts,
    /// The release it is compared with.
    pub stable: ArmCounts,
}

impl Tick {
    /// The end of the interval, in seconds since the watch began.
    pub fn end_s(&self) -> f64 {
        self.start_s + self.length_s
    }
}

/// Why an interval was not taken. It brings no evidence, and nothing about it is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Discard {
    /// A number is NaN or infinite.
    NotFinite,
    /// A count is below zero: a counter was reset.
    Negative,
    /// More bad requests than requests.
    MoreBadThanRequests,
    /// A count above [`LARGEST_COUNT`].
    TooLarge,
    /// The interval has no length: equal timestamps, or an end before its start.
    NoLength,
    /// The interval begins before the last one ended.
    NotAfterLast,
    /// The canary's share of the traffic is not between 0 and 1.
    ShareOutOfRange,
    /// A histogram has other buckets than the comparison was made for.
    OtherBuckets,
    /// Counts for another number of strata than the comparison was made for.
    OtherStrata,
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "a number is missing or infinite",
            Self::Negative => "a count is negative, as after a reset of its counter",
            Self::MoreBadThanRequests => "more bad requests than requests",
            Self::TooLarge => "a count is too large to be one",
            Self::NoLength => "the interval has no length",
            Self::NotAfterLast => "the interval begins before the last one ended",
            Self::ShareOutOfRange => "the share of the traffic is not between 0 and 1",
            Self::OtherBuckets => "the histogram has other buckets than before",
            Self::OtherStrata => "the counts are for another number of strata",
        })
    }
}

impl std::error::Error for Discard {}

/// What became of an interval that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It was weighed.
    Counted,
    /// An arm had no request yet: it is kept until both have some.
    Carried,
    /// Nothing could be compared yet; it only taught what is usual.
    Learned,
}

/// Checks the interval itself. `last_end_s` is where the one before ended.
pub(crate) fn check_interval(start_s: f64, length_s: f64, last_end_s: Option<f64>) -> Result<(), Discard> {
    if !start_s.is_finite() || !length_s.is_finite() {
        Err(Discard::NotFinite)
    } else if length_s <= 0.0 || start_s + length_s <= start_s {
        Err(Discard::NoLength)
    } else if last_end_s.is_some_and(|last| start_s < last - OVERLAP_S) {
        Err(Discard::NotAfterLast)
    } else {
        Ok(())
    }
}

/// Checks the counts of both arms.
pub(crate) fn check_counts(canary: ArmCounts, stable: ArmCounts) -> Result<(), Discard> {
    canary.check()?;
    stable.check()
}
