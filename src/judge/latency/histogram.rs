//! Latency from histograms.

use serde::{Deserialize, Serialize};

use super::order_statistics::{self, QuantileRange};
use super::{LatencySettings, QUANTILES, QuantileMonitors, QuantilePlan};
use crate::judge::counts::{ArmCounts, Discard, LARGEST_COUNT, Taken, check_interval};
use crate::judge::pair::Plan;

/// A bound is of use while this share of stable's requests, at least and at most, is above it.
const USEFUL: std::ops::RangeInclusive<f64> = 0.0005..=0.98;
/// The highest ratio that a slowdown is translated to.
const HIGHEST_RATIO: f64 = 50.0;

/// What is settled for one quantile before a tick.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketPlan {
    /// The place of the bucket above whose bound a request is slow.
    pub bucket: usize,
    /// How many times as many slow requests a canary would have that is just as slow as tolerated.
    pub ratio: f64,
    /// The usual share of slow requests of stable.
    pub reference: f64,
}

/// Compares latencies that come as counts per bucket, such as deltas of Prometheus' `le` buckets or of a native
/// histogram.
///
/// Canary and stable are compared at the same bound, so a canary equal to stable alarms with at most the promised
/// chance whatever the buckets are. What "so many times slower" means there is read off stable's own recent histogram,
/// and is as good as its interpolation. Constant memory and time per tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramLatency {
    settings: LatencySettings,
    bounds_s: Vec<f64>,
    /// Counts of stable per bucket that fade.
    lately: Vec<f64>,
    canary: Vec<f64>,
    stable: Vec<f64>,
    quantiles: QuantileMonitors,
    last_end_s: Option<f64>,
}

impl HistogramLatency {
    /// A comparison for buckets with these upper bounds in seconds; the bucket without a bound is not listed. None
    /// unless the bounds are above zero, finite and ascending, and there is one.
    pub fn new(bounds_s: Vec<f64>, settings: LatencySettings) -> Option<Self> {
        let is_sound = bounds_s.first().is_some_and(|first| *first > 0.0)
            && bounds_s.iter().all(|bound| bound.is_finite())
            && bounds_s.windows(2).all(|pair| pair[0] < pair[1]);
        if !is_sound {
            return None;
        }
        let settings = settings.sound();
        let none = vec![0.0; bounds_s.len() + 1];
        Some(Self {
            quantiles: QuantileMonitors::new(settings.pair),
            settings,
            bounds_s,
            lately: none.clone(),
            canary: none.clone(),
            stable: none,
            last_end_s: None,
        })
    }

    /// A comparison for another watch: it has no evidence, and knows what this one knows of stable.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let none = vec![0.0; self.lately.len()];
        Self {
            quantiles: self.quantiles.renewed(),
            canary: none.clone(),
            stable: none,
            last_end_s: None,
            ..self.clone()
        }
    }

    /// The bounds in seconds.
    pub fn bounds_s(&self) -> &[f64] {
        &self.bounds_s
    }

    /// What is settled for the next tick, for each of [`QUANTILES`]; none while too little is known, or when no bound
    /// is near.
    pub fn plan(&self) -> [Option<BucketPlan>; QUANTILES.len()] {
        let total: f64 = self.lately.iter().sum();
        if total < self.settings.least_samples {
            return [None; QUANTILES.len()];
        }
        let survival = survival(&self.lately, total);
        QUANTILES.map(|quantile| {
            let log_odds = |share: f64| (share / (1.0 - share)).ln();
            let aim = log_odds(1.0 - quantile);
            let mut best: Option<(usize, f64)> = None;
            for (i, share) in survival.iter().enumerate().filter(|(_, share)| USEFUL.contains(*share)) {
                let distance = (log_odds(*share) - aim).abs();
                if best.is_none_or(|(_, nearest)| distance < nearest) {
                    best = Some((i, distance));
                }
            }
            let (bucket, _) = best?;
            let slowed = self.survival_at(&survival, self.bounds_s[bucket] / self.settings.slowdown);
            Some(BucketPlan {
                bucket,
                ratio: (slowed / survival[bucket]).clamp(1.0, HIGHEST_RATIO),
                reference: above(&self.lately, bucket) / (total + self.settings.pair.prior_requests),
            })
        })
    }

    /// The share of requests above a value, between the bounds: linear in the logarithm of the latency, and below the
    /// first bound in the latency itself.
    fn survival_at(&self, survival: &[f64], value_s: f64) -> f64 {
        let i = self.bounds_s.partition_point(|bound| *bound < value_s);
        let (Some(high), Some(share)) = (self.bounds_s.get(i), survival.get(i)) else {
            return survival.last().copied().unwrap_or(1.0);
        };
        if i == 0 {
            return 1.0 + (share - 1.0) * value_s / high;
        }
        let low = self.bounds_s[i - 1];
        let part = (value_s / low).ln() / (high / low).ln();
        survival[i - 1] + (share - survival[i - 1]) * part
    }

    /// Takes what stable did before the watch began, oldest first: counts per bucket, the one without a bound last.
    pub fn history(&mut self, length_s: f64, stable: &[f64]) -> Result<Taken, Discard> {
        check_interval(0.0, length_s, None)?;
        self.check(stable)?;
        let none = vec![0.0; stable.len()];
        let plans = self.plans(&none, stable);
        let taken = self.quantiles.history(length_s, &plans)?;
        self.learn(length_s, stable);
        Ok(taken)
    }

    /// Takes the counts per bucket of an interval, not cumulative, the one without a bound last. An interval that is not
    /// sound is left out, with the reason.
    pub fn observe(
        &mut self,
        start_s: f64,
        length_s: f64,
        canary: &[f64],
        stable: &[f64],
    ) -> Result<Taken, Discard> {
        check_interval(start_s, length_s, self.last_end_s)?;
        self.check(canary)?;
        self.check(stable)?;
        self.last_end_s = Some(start_s + length_s);
        let plans = self.plans(canary, stable);
        let taken = self.quantiles.observe(start_s, length_s, &plans)?;
        self.learn(length_s, stable);
        add(&mut self.canary, canary);
        add(&mut self.stable, stable);
        Ok(taken)
    }

    fn plans(&self, canary: &[f64], stable: &[f64]) -> [Option<QuantilePlan>; QUANTILES.len()] {
        // A sum in another order may differ in its last digit; bad must not exceed it.
        let slow = |counts: &[f64], bucket: usize| {
            let (all, bad) = (counts.iter().sum::<f64>(), above(counts, bucket));
            ArmCounts::new(all, bad.min(all))
        };
        self.plan().map(|plan| {
            plan.map(|BucketPlan { bucket, ratio, reference }| QuantilePlan {
                plan: Plan { reference: Some(reference), ratio: Some(ratio) },
                canary: slow(canary, bucket),
                stable: slow(stable, bucket),
            })
        })
    }

    fn learn(&mut self, length_s: f64, stable: &[f64]) {
        let keep = (-length_s / self.settings.half_life_s).exp2();
        for (count, more) in self.lately.iter_mut().zip(stable) {
            *count = *count * keep + more;
        }
    }

    fn check(&self, counts: &[f64]) -> Result<(), Discard> {
        if counts.len() != self.bounds_s.len() + 1 {
            Err(Discard::OtherBuckets)
        } else if counts.iter().any(|count| !count.is_finite()) {
            Err(Discard::NotFinite)
        } else if counts.iter().any(|count| *count < 0.0) {
            Err(Discard::Negative)
        } else if counts.iter().sum::<f64>() > LARGEST_COUNT {
            Err(Discard::TooLarge)
        } else {
            Ok(())
        }
    }

    /// The quantiles of canary and stable since the watch began; none for an arm without samples.
    pub fn quantiles(&self) -> [(Option<QuantileRange>, Option<QuantileRange>); QUANTILES.len()] {
        QUANTILES.map(|quantile| {
            let range = |counts: &[f64]| order_statistics::range(&self.bounds_s, counts, quantile);
            (range(&self.canary), range(&self.stable))
        })
    }
}

super::told_by_its_quantiles!(HistogramLatency);

/// The count above a bucket's bound.
fn above(counts: &[f64], bucket: usize) -> f64 {
    counts.iter().skip(bucket + 1).sum()
}

/// The share of requests above each bound, with half a request added, so that it is never 0.
fn survival(counts: &[f64], total: f64) -> Vec<f64> {
    (0..counts.len() - 1).map(|i| (above(counts, i) + 0.5) / (total + 1.0)).collect()
}

fn add(counts: &mut [f64], more: &[f64]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}
