//! Missing and stale data: unknown is not good and not bad.

use serde::{Deserialize, Serialize};

use super::counts::ArmCounts;

/// How old the newest sample of a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// As it should be.
    Fresh,
    /// More than two scrapes: there is no evidence meanwhile.
    Late,
    /// More than four scrapes and more than a minute: nothing is known, nothing is promoted.
    Stale,
    /// More than five minutes, and longer than stale.
    Absent,
}

impl Freshness {
    /// What an age in seconds means for a source that is read every `scrape_s`. An age that is no number is absence.
    pub fn of(age_s: f64, scrape_s: f64) -> Self {
        let scrape_s = if scrape_s.is_finite() { scrape_s.max(0.0) } else { 0.0 };
        let stale_s = (4.0 * scrape_s).max(60.0);
        if age_s.is_nan() || age_s > stale_s.max(300.0) {
            Self::Absent
        } else if age_s > stale_s {
            Self::Stale
        } else if age_s > 2.0 * scrape_s {
            Self::Late
        } else {
            Self::Fresh
        }
    }
}

/// Why nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataProblem {
    /// The newest sample is old.
    Stale {
        /// Its age in seconds.
        age_s: f64,
    },
    /// There has been no sample for minutes.
    Absent {
        /// Since when, in seconds.
        age_s: f64,
    },
    /// The source answers, with nothing.
    Empty,
    /// The source answers with NaN or infinity, as a division by zero does. It is not zero.
    NotANumber,
    /// The query gives several series, and it is not said how they belong together.
    SeveralSeries {
        /// How many.
        count: usize,
    },
    /// There are requests but no counter of errors, and it is not declared that this means none.
    ErrorsMissing,
    /// The source cannot be reached. That is no failure of the release.
    Unreachable,
    /// Only errors are counted, and the split of the traffic is not known.
    SplitUnknown,
}

/// When a source was last heard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    scrape_s: f64,
    last_s: f64,
}

impl Heard {
    /// A source that is read every `scrape_s` from `since_s` on, and has not answered yet.
    pub const fn new(scrape_s: f64, since_s: f64) -> Self {
        Self { scrape_s, last_s: since_s }
    }

    /// Takes the time of a sample; an older one than the last changes nothing.
    pub fn sample(&mut self, at_s: f64) {
        self.last_s = self.last_s.max(at_s);
    }

    /// How fresh it is now.
    pub fn freshness(&self, now_s: f64) -> Freshness {
        Freshness::of(now_s - self.last_s, self.scrape_s)
    }

    /// What is to be said about it now; none while it is fresh or only late.
    pub fn problem(&self, now_s: f64) -> Option<DataProblem> {
        let age_s = now_s - self.last_s;
        match self.freshness(now_s) {
            Freshness::Fresh | Freshness::Late => None,
            Freshness::Stale => Some(DataProblem::Stale { age_s }),
            Freshness::Absent => {
                Some(DataProblem::Absent { age_s: if age_s.is_finite() { age_s } else { 0.0 } })
            }
        }
    }
}

/// What a source answered for one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    /// One value; it may be NaN.
    Value(f64),
    /// No series.
    Empty,
    /// More than one series.
    Several(usize),
    /// No answer.
    Unreachable,
}

impl Answer {
    fn value(self) -> Result<f64, DataProblem> {
        match self {
            Self::Value(value) if value.is_finite() => Ok(value),
            Self::Value(_) => Err(DataProblem::NotANumber),
            Self::Empty => Err(DataProblem::Empty),
            Self::Several(count) => Err(DataProblem::SeveralSeries { count }),
            Self::Unreachable => Err(DataProblem::Unreachable),
        }
    }
}

/// The counts of an arm from what was answered for its requests and its errors.
///
/// A counter of errors appears with the first error only. `absent_is_zero` declares that its absence beside fresh
/// requests means none. No requests are no problem: they are no evidence either way.
pub fn arm_counts(requests: Answer, errors: Answer, absent_is_zero: bool) -> Result<ArmCounts, DataProblem> {
    let requests = requests.value()?;
    match errors.value() {
        Ok(bad) => Ok(ArmCounts::new(requests, bad)),
        Err(DataProblem::Empty) if absent_is_zero => Ok(ArmCounts::new(requests, 0.0)),
        Err(DataProblem::Empty) => Err(DataProblem::ErrorsMissing),
        Err(problem) => Err(problem),
    }
}
