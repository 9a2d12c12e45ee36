//! Latency from raw samples.

use serde::{Deserialize, Serialize};

use super::order_statistics::{self, QuantileRange};
use super::sketch::{self, Sketch};
use super::{LatencySettings, QUANTILES, QuantileMonitors, QuantilePlan};
use crate::judge::counts::{ArmCounts, Discard, Taken, check_interval};
use crate::judge::pair::Plan;

/// Compares latencies of single requests.
///
/// Harm: the canary's latency is not stochastically below `slowdown` times the stable one. The thresholds are quantiles
/// of what stable did before the tick, so a drift that both arms share is no evidence. Constant memory; a tick costs as
/// much as it has samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawLatency {
    settings: LatencySettings,
    lately: Sketch,
    canary: Sketch,
    stable: Sketch,
    quantiles: QuantileMonitors,
    last_end_s: Option<f64>,
}

impl RawLatency {
    /// A comparison that has seen nothing.
    pub fn new(settings: LatencySettings) -> Self {
        let settings = settings.sound();
        Self {
            quantiles: QuantileMonitors::new(settings.pair),
            settings,
            lately: Sketch::new(),
            canary: Sketch::new(),
            stable: Sketch::new(),
            last_end_s: None,
        }
    }

    /// What is slow for each of [`QUANTILES`] in the next tick, in seconds of stable; the canary's is `slowdown` times
    /// it. None while too little is known.
    pub fn thresholds(&self) -> Option<[f64; QUANTILES.len()]> {
        (self.lately.total() >= self.settings.least_samples)
            .then(|| QUANTILES.map(|quantile| self.lately.quantile(quantile).0))
    }

    /// Takes what stable did before the watch began, in seconds, oldest first. No evidence.
    pub fn history(&mut self, length_s: f64, stable: &[f64]) -> Result<Taken, Discard> {
        check_interval(0.0, length_s, None)?;
        check(stable)?;
        let plans = self.plans(&[], stable);
        let taken = self.quantiles.history(length_s, &plans)?;
        self.learn(length_s, stable);
        Ok(taken)
    }

    /// Takes the latencies of an interval, in seconds. One that is not sound is left out, with the reason.
    pub fn observe(
        &mut self,
        start_s: f64,
        length_s: f64,
        canary: &[f64],
        stable: &[f64],
    ) -> Result<Taken, Discard> {
        check_interval(start_s, length_s, self.last_end_s)?;
        check(canary)?;
        check(stable)?;
        self.last_end_s = Some(start_s + length_s);
        let plans = self.plans(canary, stable);
        let taken = self.quantiles.observe(start_s, length_s, &plans)?;
        self.learn(length_s, stable);
        for value in canary {
            self.canary.add(*value);
        }
        for value in stable {
            self.stable.add(*value);
        }
        Ok(taken)
    }

    fn plans(&self, canary: &[f64], stable: &[f64]) -> [Option<QuantilePlan>; QUANTILES.len()] {
        let total = self.lately.total();
        if total < self.settings.least_samples {
            return [None; QUANTILES.len()];
        }
        let slower = |samples: &[f64], than: f64| {
            let slow = samples.iter().filter(|value| **value > than).count();
            ArmCounts::new(samples.len() as f64, slow as f64)
        };
        QUANTILES.map(|quantile| {
            let (threshold, above) = self.lately.quantile(quantile);
            let prior = self.settings.pair.prior_requests;
            Some(QuantilePlan {
                plan: Plan { reference: Some(above / (total + prior)), ratio: None },
                canary: slower(canary, self.settings.slowdown * threshold),
                stable: slower(stable, threshold),
            })
        })
    }

    fn learn(&mut self, length_s: f64, stable: &[f64]) {
        self.lately.fade((-length_s / self.settings.half_life_s).exp2());
        for value in stable {
            self.lately.add(*value);
        }
    }

    /// The quantiles of canary and stable since the watch began; none for an arm without samples.
    pub fn quantiles(&self) -> [(Option<QuantileRange>, Option<QuantileRange>); QUANTILES.len()] {
        let bounds = sketch::upper_bounds();
        QUANTILES.map(|quantile| {
            let range = |sketch: &Sketch| order_statistics::range(&bounds, sketch.counts(), quantile);
            (range(&self.canary), range(&self.stable))
        })
    }
}

super::told_by_its_quantiles!(RawLatency);

fn check(samples: &[f64]) -> Result<(), Discard> {
    if samples.iter().any(|value| !value.is_finite()) {
        Err(Discard::NotFinite)
    } else if samples.iter().any(|value| *value < 0.0) {
        Err(Discard::Negative)
    } else {
        Ok(())
    }
}
