//! A canary that lost its traffic: no errors because of no requests is not health.

use serde::{Deserialize, Serialize};

const WINDOW_S: i64 = 30;
/// So many canary requests have to be expected before a lack of them says anything.
const LEAST_EXPECTED: f64 = 30.0;
/// The canary lost its traffic below this share of what is expected.
const LEAST_SHARE: f64 = 0.5;

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Second {
    number: i64,
    expected: f64,
    seen: f64,
}

/// What is to be said of the canary's traffic over the last half minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// It gets what the split promises, or at least half of it.
    Enough,
    /// Too little traffic is expected to tell.
    TooLittleExpected,
    /// It gets less than half: hold; with failing probes, roll back.
    Lost {
        /// Requests that the split promises.
        expected: f64,
        /// Requests that came.
        seen: f64,
    },
}

/// Watches the canary's share of the traffic over 30 s. Constant memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficWatch {
    seconds: [Second; WINDOW_S as usize],
}

impl TrafficWatch {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the requests of an interval that ended at `end_s` (seconds since the watch began), with the share that the
    /// canary should have had (0 to 1), and says where it stands. What is no count is left out. An interval counts as a
    /// whole for the second in which it ended.
    pub fn observe(&mut self, end_s: f64, canary: f64, total: f64, share: f64) -> Traffic {
        let now = end_s.floor();
        let is_sound = now.abs() < 1e15
            && [canary, total, share].iter().all(|value| value.is_finite() && *value >= 0.0)
            && share <= 1.0;
        if is_sound {
            let number = now as i64;
            let second = &mut self.seconds[number.rem_euclid(WINDOW_S) as usize];
            if second.number != number {
                *second = Second { number, ..Second::default() };
            }
            second.expected += share * total;
            second.seen += canary;
        }
        self.at(end_s)
    }

    /// Where it stands at a time.
    pub fn at(&self, now_s: f64) -> Traffic {
        let oldest = now_s.floor() - WINDOW_S as f64;
        let (mut expected, mut seen) = (0.0, 0.0);
        for second in &self.seconds {
            let number = second.number as f64;
            if number > oldest && number <= now_s {
                expected += second.expected;
                seen += second.seen;
            }
        }
        if expected < LEAST_EXPECTED {
            Traffic::TooLittleExpected
        } else if seen < LEAST_SHARE * expected {
            Traffic::Lost { expected, seen }
        } else {
            Traffic::Enough
        }
    }
}
