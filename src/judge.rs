//! Is a canary worse than the stable release? Evidence from streams of counts, and what follows from it. Pure: no
//! clock, no I/O, no randomness; constant memory and time a tick.
//!
//! Every test here is a bet against "no harm" that starts with 1. Without harm the wealth, the **e-value**, ever
//! reaches `1/α` with probability at most α (Ville's inequality), so it may be looked at after every sample, for ever.
//! All are kept as natural logarithms.
//!
//! ```text
//!  counts ──► PairMonitor, OneArmMonitor, SplitMonitor ─┐
//!  latency ─► latency::RawLatency, HistogramLatency ────┼─► Evidence ──► watch::Watch ──► Decision
//!  gauges ──► GaugeMonitor ─────────────────────────────┘                    ▲
//!  silence, lost traffic, leaks ── DataProblem, Traffic, Leak ───────────────┘
//! ```
//!
//! - A [`PairMonitor`] compares two arms, a [`OneArmMonitor`] one arm with a limit or with a recorded baseline, a
//!   [`SplitMonitor`] errors with the split of the traffic, a [`GaugeMonitor`] a gauge by the medians of blocks;
//!   [`latency`] compares quantiles.
//! - [`BurstGuard`] discounts errors that come in bursts. The bound is exact for independent requests, whatever both
//!   arms share and however traffic and split move. With clusters of errors it rests on the guard, which has to have
//!   seen them: give ten minutes of history. Clusters that are rare beside many single errors hardly show in it; where
//!   stable has them, one burst may bring a limited amount of evidence, whatever its size. That makes false alarms
//!   rarer there, not as rare as α: 8 of 100 healthy hours with a burst of ten errors a minute beside 1 % single ones,
//!   16 where bursts are half as large and stable hardly shows them (see docs/judge.md). There use [`Preset::Relaxed`],
//!   or a plain threshold over minutes.
//! - [`watch`] combines the metrics of a service and decides; [`discoveries`] chooses among many services.
//! - [`Freshness`], [`Heard`], [`arm_counts`] and [`Alignment`] say what missing and late data mean, [`TrafficWatch`]
//!   and [`LeakWatch`] what else speaks against going on.
//! - [`fixed_window`] is the classical comparison of finished windows, kept apart. [`threshold_risk`] says how often a
//!   plain threshold errs.
//!
//! What is not covered: a canary on a worse machine or with a worse mix of requests (it is worse; strata help), and
//! arms that wander apart by themselves for minutes at high traffic (use [`Preset::Relaxed`]).
//!
//! ```
//! use unship::judge::{ArmCounts, PairMonitor, Preset, Tick};
//!
//! let mut errors = PairMonitor::of(Preset::Default);
//! for _ in 0..600 {
//!     errors.history(1.0, ArmCounts::new(90.0, 1.0)).unwrap();
//! }
//! for second in 0..3 {
//!     let (canary, stable) = (ArmCounts::new(10.0, 8.0), ArmCounts::new(90.0, 1.0));
//!     errors.observe(&Tick { start_s: f64::from(second), length_s: 1.0, canary, stable }).unwrap();
//! }
//! assert!(errors.evidence().p_value < 0.01);
//! ```

mod alignment;
mod betting;
mod block_samples;
mod burst_guard;
mod burst_limit;
mod carry;
mod confidence;
mod counts;
mod evidence;
mod false_discovery;
pub mod fixed_window;
mod freshness;
mod gauge;
pub mod latency;
mod leak;
mod log_space;
mod one_arm;
mod onset;
mod pair;
mod reference;
mod settings;
mod split;
pub mod threshold_risk;
mod traffic;
pub mod watch;
mod wilson;

pub use alignment::{Aligned, Alignment};
pub use burst_guard::BurstGuard;
pub use confidence::Interval;
pub use counts::{ArmCounts, Discard, LARGEST_COUNT, Taken, Tick};
pub use evidence::{Conclusion, Evidence, Method, Outlook};
pub use false_discovery::{discoveries, needed};
pub use freshness::{Answer, DataProblem, Freshness, Heard, arm_counts};
pub use gauge::{GaugeMonitor, GaugeSettings, block_length_s};
pub use leak::{Leak, LeakWatch, theil_sen};
pub use one_arm::OneArmMonitor;
pub use pair::PairMonitor;
pub use settings::{Preset, Settings, Tolerance};
pub use split::SplitMonitor;
pub use traffic::{Traffic, TrafficWatch};
