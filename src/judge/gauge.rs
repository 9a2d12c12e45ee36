//! Gauges such as memory and cpu: a sign test on medians of blocks.
//!
//! Samples of a gauge depend on the ones before: sixty scrapes are not sixty facts. Blocks are made so long that what
//! is left of that is small, and each block is one bit: was the canary's median above the tolerated one? Without harm
//! it is so at most every second time, whatever came before, which a bettor at `2q : 2(1-q)` can test for ever (Ville's
//! inequality).

use serde::{Deserialize, Serialize};

use super::block_samples::BlockSamples;
use super::counts::{ArmCounts, Discard, Taken};
use super::evidence::{Evidence, Method, p_value};
use super::log_space::log_sum;
use super::onset::Onset;

/// How often a harmful canary is above: one bettor each.
const SHARES: [f64; 4] = [0.6, 0.75, 0.9, 0.97];
/// The shortest block, in seconds.
const SHORTEST_BLOCK_S: f64 = 60.0;
/// Beyond this a gauge moves too slowly to be compared.
const LONGEST_BLOCK_S: f64 = 600.0;
/// A block needs so many samples of each arm.
const LEAST_SAMPLES: u64 = 3;
/// It takes so many samples to know how a gauge moves.
const LEAST_HISTORY: usize = 10;

/// How long a block has to be, in seconds: the time over which a gauge forgets itself, from stable's own history of
/// evenly spaced samples (`scrape·(1 + ρ₁)/(1 - ρ₁)` of a first-order autoregression), at least a minute and three
/// scrapes.
///
/// None when the history is too short or the gauge moves too slowly: then only limits protect.
pub fn block_length_s(scrape_s: f64, history: &[f64]) -> Option<f64> {
    if history.len() < LEAST_HISTORY || !(scrape_s > 0.0 && scrape_s.is_finite()) {
        return None;
    }
    let mean = history.iter().sum::<f64>() / history.len() as f64;
    let variance: f64 = history.iter().map(|value| (value - mean).powi(2)).sum();
    let together: f64 = history.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    // A gauge that does not move at all forgets at once.
    let lag = if variance == 0.0 { 0.0 } else { together / variance };
    let time_s = scrape_s * (1.0 + lag) / (1.0 - lag);
    if time_s.is_nan() || time_s > LONGEST_BLOCK_S {
        return None;
    }
    let block_s = time_s.max(SHORTEST_BLOCK_S).max(LEAST_SAMPLES as f64 * scrape_s);
    (block_s <= LONGEST_BLOCK_S).then_some(block_s)
}

/// The constants of a comparison of gauges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeSettings {
    /// The canary's median may be so many times the stable one.
    pub ratio: f64,
    /// And so much above it, in the gauge's unit.
    pub offset: f64,
    /// Half of the bets on a late regression are placed within so many seconds.
    pub horizon_s: f64,
}

impl Default for GaugeSettings {
    fn default() -> Self {
        Self { ratio: 1.2, offset: 0.0, horizon_s: 3600.0 }
    }
}

/// Compares a gauge of two arms. Harm-only; a decision takes about ten blocks, so it may hold or roll back gradually,
/// and fast protection comes from limits. Bounded memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GaugeMonitor {
    settings: GaugeSettings,
    block_s: f64,
    length_s: f64,
    canary: BlockSamples,
    stable: BlockSamples,
    logs: [f64; SHARES.len()],
    blocks: u64,
    above: u64,
    max_log_e: f64,
    known_s: f64,
}

impl GaugeMonitor {
    /// A monitor with blocks of this length in seconds, see [`block_length_s`]; brought into 1 to 600 s.
    pub fn new(block_s: f64, settings: GaugeSettings) -> Self {
        let block_s =
            if block_s.is_finite() { block_s.clamp(1.0, LONGEST_BLOCK_S) } else { SHORTEST_BLOCK_S };
        let horizon_s =
            if settings.horizon_s.is_finite() { settings.horizon_s.clamp(1.0, 1e9) } else { 3600.0 };
        Self {
            settings: GaugeSettings { horizon_s, ..settings },
            block_s,
            length_s: 0.0,
            canary: BlockSamples::default(),
            stable: BlockSamples::default(),
            logs: [Onset::start(SHARES.len()); SHARES.len()],
            blocks: 0,
            above: 0,
            max_log_e: 0.0,
            known_s: 0.0,
        }
    }

    /// Takes the samples of an interval of both arms, all instances together. A block in which an arm had fewer than
    /// three is dropped.
    pub fn observe(&mut self, length_s: f64, canary: &[f64], stable: &[f64]) -> Result<Taken, Discard> {
        if !length_s.is_finite() || canary.iter().chain(stable).any(|value| !value.is_finite()) {
            return Err(Discard::NotFinite);
        }
        if length_s <= 0.0 {
            return Err(Discard::NoLength);
        }
        for value in canary {
            self.canary.add(*value);
        }
        for value in stable {
            self.stable.add(*value);
        }
        if !stable.is_empty() {
            self.known_s += length_s;
        }
        self.length_s += length_s;
        if self.length_s + 1e-9 < self.block_s {
            return Ok(Taken::Carried);
        }
        self.length_s = 0.0;
        let has_enough = self.canary.seen() >= LEAST_SAMPLES && self.stable.seen() >= LEAST_SAMPLES;
        let medians = self.canary.median().zip(self.stable.median()).filter(|_| has_enough);
        self.canary.clear();
        self.stable.clear();
        let Some((canary, stable)) = medians else { return Ok(Taken::Learned) };
        self.weigh(canary > self.settings.ratio * stable + self.settings.offset);
        Ok(Taken::Counted)
    }

    fn weigh(&mut self, is_above: bool) {
        let onset = self.onset();
        if self.blocks > 0 {
            onset.pay(&mut self.logs, self.blocks - 1, self.blocks);
        }
        for (log, share) in self.logs.iter_mut().zip(SHARES) {
            *log += if is_above { (2.0 * share).ln() } else { (2.0 * (1.0 - share)).ln() };
        }
        self.blocks += 1;
        self.above += u64::from(is_above);
        self.max_log_e = self.max_log_e.max(self.log_e());
    }

    const fn onset(&self) -> Onset {
        Onset { horizon_s: self.settings.horizon_s, slot_s: self.block_s }
    }

    /// Blocks that were compared.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Blocks in which the canary was above.
    pub const fn above(&self) -> u64 {
        self.above
    }

    /// Natural logarithm of the e-value against "the canary is above at most every second time".
    pub fn log_e(&self) -> f64 {
        log_sum(self.logs.into_iter().chain([self.onset().log_cash(self.blocks)]))
    }

    /// The always-valid p-value, from the best evidence so far.
    pub fn p_value(&self) -> f64 {
        p_value(self.max_log_e)
    }

    /// Seconds with samples of stable that were seen.
    pub const fn known_s(&self) -> f64 {
        self.known_s
    }

    /// Everything that is to be shown: the counts are blocks, and those in which the canary was above.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            canary: ArmCounts::new(self.blocks as f64, self.above as f64),
            ..Evidence::blank(Method::Medians).with_log_e(self.log_e(), self.max_log_e)
        }
    }
}
