//! Arms that are read at different times: what both did over the same time.

use serde::{Deserialize, Serialize};

/// What one arm did since the last common tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Side {
    from_s: f64,
    until_s: f64,
    counts: Vec<f64>,
}

/// Counts of both arms over the same time, as far as their readings allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Aligned {
    /// When the canary's part begins, in seconds.
    pub start_s: f64,
    /// How long that is, in seconds.
    pub length_s: f64,
    /// Counts of the canary, in the order in which they were given.
    pub canary: Vec<f64>,
    /// The same of stable.
    pub stable: Vec<f64>,
}

/// Makes ticks of two streams of deltas. A gap over several readings becomes one longer tick, and what one arm did while
/// the other was not read is left out: a minute of stable is nothing to compare a second of the canary with. Constant
/// memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    slack_s: f64,
    canary: Option<Side>,
    stable: Option<Side>,
}

impl Alignment {
    /// Readings of the two arms may be so many seconds apart, as those of two targets that are scraped in turn.
    pub const fn new(slack_s: f64) -> Self {
        Self { slack_s, canary: None, stable: None }
    }

    /// Takes what the canary did between two times. Gives a tick when stable has been read up to then too.
    pub fn canary(&mut self, from_s: f64, until_s: f64, counts: &[f64]) -> Option<Aligned> {
        add(&mut self.canary, from_s, until_s, counts, self.slack_s);
        self.tick()
    }

    /// The same for stable.
    pub fn stable(&mut self, from_s: f64, until_s: f64, counts: &[f64]) -> Option<Aligned> {
        add(&mut self.stable, from_s, until_s, counts, self.slack_s);
        self.tick()
    }

    fn tick(&mut self) -> Option<Aligned> {
        let (canary, stable) = (self.canary.as_ref()?, self.stable.as_ref()?);
        // The one that was read for longer has nothing to be compared with.
        if canary.from_s + self.slack_s < stable.from_s {
            self.canary = None;
            return None;
        }
        if stable.from_s + self.slack_s < canary.from_s {
            self.stable = None;
            return None;
        }
        if (canary.until_s - stable.until_s).abs() > self.slack_s {
            return None;
        }
        let (canary, stable) = (self.canary.take()?, self.stable.take()?);
        // Those of the canary, so that ticks never overlap.
        Some(Aligned {
            start_s: canary.from_s,
            length_s: canary.until_s - canary.from_s,
            canary: canary.counts,
            stable: stable.counts,
        })
    }
}

/// A gap, or other buckets, begins anew. What is no time is left out.
fn add(side: &mut Option<Side>, from_s: f64, until_s: f64, counts: &[f64], slack_s: f64) {
    if !(from_s.is_finite() && until_s > from_s) {
        return;
    }
    match side {
        Some(side) if side.counts.len() == counts.len() && (from_s - side.until_s).abs() <= slack_s => {
            for (count, more) in side.counts.iter_mut().zip(counts) {
                *count += more;
            }
            side.until_s = side.until_s.max(until_s);
        }
        _ => *side = Some(Side { from_s, until_s, counts: counts.to_vec() }),
    }
}
