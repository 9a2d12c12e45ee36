//! Latency: is the canary more than so many times slower at p50, p90, p95 or p99?
//!
//! Each quantile is a comparison of two counts: requests slower than a threshold that was settled before the tick. Their
//! e-values are averaged, which is an e-value again under any dependence between them. Only successful requests are to be
//! fed: a quick error is no good answer, and errors are judged for themselves.

use serde::{Deserialize, Serialize};

use super::counts::{ArmCounts, Discard, Taken, Tick};
use super::evidence::{Evidence, Method, p_value};
use super::log_space::log_sum;
use super::pair::{PairMonitor, Plan};
use super::settings::{Preset, Settings, Tolerance};

/// What a comparison of latencies tells, whatever it is fed: all of it is told by the comparisons of its quantiles.
macro_rules! told_by_its_quantiles {
    ($comparison:ty) => {
        impl $comparison {
            /// Forgets the evidence for safe: a step of the traffic needs evidence of its own.
            pub fn restart_safe(&mut self) {
                self.quantiles.restart_safe();
            }

            /// Natural logarithm of the e-value against "not slower than tolerated".
            pub fn log_e(&self) -> f64 {
                self.quantiles.log_e()
            }

            /// Natural logarithm of the e-value for safe: the smaller one of p50 and p95.
            pub fn log_e_safe(&self) -> f64 {
                self.quantiles.log_e_safe()
            }

            /// The logarithms of the e-values of each of [`QUANTILES`](crate::judge::latency::QUANTILES).
            pub fn per_quantile(&self) -> [f64; $crate::judge::latency::QUANTILES.len()] {
                self.quantiles.monitors.each_ref().map($crate::judge::PairMonitor::log_e)
            }

            /// What the evidence of each quantile's next tick will be divided by.
            pub fn phi(&self) -> [f64; $crate::judge::latency::QUANTILES.len()] {
                self.quantiles.monitors.each_ref().map($crate::judge::PairMonitor::phi)
            }

            /// The always-valid p-value, from the best evidence so far.
            pub fn p_value(&self) -> f64 {
                self.quantiles.p_value()
            }

            /// Seconds with samples of stable that were compared, history included.
            pub fn known_s(&self) -> f64 {
                self.quantiles.known_s()
            }

            /// Everything that is to be shown. Counts, interval, size and outlook are of the quantile with the strongest
            /// evidence.
            pub fn evidence(&self) -> $crate::judge::Evidence {
                self.quantiles.evidence()
            }
        }
    };
}
use told_by_its_quantiles;

mod histogram;
mod order_statistics;
mod raw;
mod sketch;

pub use histogram::{BucketPlan, HistogramLatency};
pub use order_statistics::QuantileRange;
pub use raw::RawLatency;

/// The quantiles that are compared.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// How long an instance is left alone after its start, in seconds: cold caches and compilers make everything slow at
/// first.
pub const WARM_UP_S: f64 = 30.0;

/// Whether the latency of an instance of this age, in seconds, is to be fed. Errors count from its first request on.
pub fn is_warm(age_s: f64) -> bool {
    age_s >= WARM_UP_S
}

/// The constants of a comparison of latencies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySettings {
    /// How many times slower a canary may be, from 1 to 50.
    pub slowdown: f64,
    /// Half-life of what is known of stable's latency, in seconds.
    pub half_life_s: f64,
    /// How many recent samples of stable it takes to know what is slow.
    pub least_samples: f64,
    /// The constants of the comparison of each quantile. Its tolerances are not used.
    pub pair: Settings,
}

impl Default for LatencySettings {
    fn default() -> Self {
        Self::of(Preset::Default)
    }
}

impl LatencySettings {
    /// The constants of a preset.
    pub const fn of(preset: Preset) -> Self {
        Self {
            slowdown: preset.slowdown(),
            half_life_s: 300.0,
            least_samples: 200.0,
            pair: Settings::of(preset),
        }
    }

    fn sound(self) -> Self {
        let within = |value: f64, default: f64, low: f64, high: f64| {
            if value.is_finite() { value.clamp(low, high) } else { default }
        };
        Self {
            slowdown: within(self.slowdown, 1.2, 1.0, 50.0),
            half_life_s: within(self.half_life_s, 300.0, 1.0, 1e9),
            least_samples: within(self.least_samples, 200.0, 1.0, 1e9),
            pair: self.pair.sound(),
        }
    }
}

/// What is settled for one quantile before a tick.
#[derive(Clone, Copy, Debug)]
struct QuantilePlan {
    plan: Plan,
    /// Slow and all requests of the tick.
    canary: ArmCounts,
    stable: ArmCounts,
}

/// One comparison a quantile, and the mean of their e-values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct QuantileMonitors {
    monitors: [PairMonitor; QUANTILES.len()],
    canary: f64,
    stable: f64,
    max_log_e: f64,
}

impl QuantileMonitors {
    fn new(settings: Settings) -> Self {
        let level = Tolerance::new(1.0, 0.0);
        let monitor = PairMonitor::new(Settings { harm: level, safe: level, ..settings });
        Self { monitors: std::array::from_fn(|_| monitor.clone()), canary: 0.0, stable: 0.0, max_log_e: 0.0 }
    }

    fn renewed(&self) -> Self {
        Self {
            monitors: std::array::from_fn(|i| self.monitors[i].renewed()),
            canary: 0.0,
            stable: 0.0,
            max_log_e: 0.0,
        }
    }

    fn history(
        &mut self,
        length_s: f64,
        plans: &[Option<QuantilePlan>; QUANTILES.len()],
    ) -> Result<Taken, Discard> {
        let mut taken = Taken::Learned;
        for (monitor, plan) in self.monitors.iter_mut().zip(plans) {
            if let Some(plan) = plan {
                monitor.history(length_s, plan.stable)?;
                taken = Taken::Counted;
            }
        }
        Ok(taken)
    }

    fn observe(
        &mut self,
        start_s: f64,
        length_s: f64,
        plans: &[Option<QuantilePlan>; QUANTILES.len()],
    ) -> Result<Taken, Discard> {
        let mut taken = Taken::Learned;
        for (monitor, plan) in self.monitors.iter_mut().zip(plans) {
            let Some(QuantilePlan { plan, canary, stable }) = *plan else { continue };
            let became = monitor.observe_planned(&Tick { start_s, length_s, canary, stable }, plan)?;
            if taken != Taken::Counted {
                taken = became;
            }
        }
        self.max_log_e = self.max_log_e.max(self.log_e());
        Ok(taken)
    }

    fn log_e(&self) -> f64 {
        log_sum(self.monitors.iter().map(PairMonitor::log_e)) - (QUANTILES.len() as f64).ln()
    }

    /// The smaller one of p50 and p95: both have to be shown.
    fn log_e_safe(&self) -> f64 {
        self.monitors[0].log_e_safe().min(self.monitors[2].log_e_safe())
    }

    fn restart_safe(&mut self) {
        for monitor in &mut self.monitors {
            monitor.restart_safe();
        }
    }

    /// The place in [`QUANTILES`] where the evidence is strongest.
    fn loudest(&self) -> usize {
        let mut best = 0;
        for i in 1..self.monitors.len() {
            if self.monitors[i].log_e() > self.monitors[best].log_e() {
                best = i;
            }
        }
        best
    }

    fn known_s(&self) -> f64 {
        self.monitors.iter().map(PairMonitor::known_s).fold(0.0, f64::max)
    }

    fn evidence(&self) -> Evidence {
        let loudest = self.monitors[self.loudest()].evidence();
        Evidence {
            method: Method::LatencyArms,
            log_e_safe: Some(self.log_e_safe()),
            ..loudest.with_log_e(self.log_e(), self.max_log_e)
        }
    }

    fn p_value(&self) -> f64 {
        p_value(self.max_log_e)
    }
}
