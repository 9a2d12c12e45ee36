//! Arms that are read at different times: wait for both, then count what both did since the last common tick.

use serde::{Deserialize, Serialize};

use super::counts::{ArmCounts, Tick};

/// What one arm did since the last common tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Side {
    counts: ArmCounts,
    end_s: Option<f64>,
}

impl Side {
    fn add(&mut self, end_s: f64, counts: ArmCounts) {
        self.counts.add(counts);
        self.end_s = Some(self.end_s.map_or(end_s, |before| before.max(end_s)));
    }
}

/// Makes ticks of two streams of deltas. A gap over several scrapes becomes one longer tick. Constant memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alignment {
    start_s: f64,
    canary: Side,
    stable: Side,
}

impl Alignment {
    /// Ticks begin at this time, in seconds since the watch began.
    pub fn new(start_s: f64) -> Self {
        Self { start_s, ..Self::default() }
    }

    /// Takes what the canary did up to a time, since it was last read. Gives a tick when stable has been read too.
    pub fn canary(&mut self, end_s: f64, counts: ArmCounts) -> Option<Tick> {
        self.canary.add(end_s, counts);
        self.tick()
    }

    /// The same for stable.
    pub fn stable(&mut self, end_s: f64, counts: ArmCounts) -> Option<Tick> {
        self.stable.add(end_s, counts);
        self.tick()
    }

    /// Counts that are none, and times that do not advance, are passed on as they are: the monitor refuses and names
    /// them.
    fn tick(&mut self) -> Option<Tick> {
        let end_s = self.canary.end_s?.max(self.stable.end_s?);
        let tick = Tick {
            start_s: self.start_s,
            length_s: end_s - self.start_s,
            canary: self.canary.counts,
            stable: self.stable.counts,
        };
        *self = Self::new(if end_s.is_finite() { end_s.max(self.start_s) } else { self.start_s });
        Some(tick)
    }
}
