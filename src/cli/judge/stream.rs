//! A recorded stream and the monitor that it is fed to, tick by tick.

use crate::judge::latency::{HistogramLatency, RawLatency};
use crate::judge::watch::{MetricKind, MetricReading};
use crate::judge::{
    ArmCounts, Discard, Evidence, GaugeMonitor, OneArmMonitor, PairMonitor, SplitMonitor, Taken, Tick,
};

/// Values of both arms over an interval: counts by bucket, or samples.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) start_s: f64,
    pub(super) length_s: f64,
    pub(super) canary: Vec<f64>,
    pub(super) stable: Vec<f64>,
}

/// Errors of both arms over an interval, with the canary's share of the traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Errors {
    pub(super) start_s: f64,
    pub(super) length_s: f64,
    pub(super) canary: f64,
    pub(super) stable: f64,
    pub(super) share: f64,
}

/// Errors and latency of one interval.
#[derive(Clone, Debug)]
pub(super) struct Both {
    pub(super) counts: Tick,
    pub(super) buckets: Values,
    /// Why the interval brings no evidence.
    pub(super) problem: Option<String>,
}

/// A monitor that has learned its history, and what it is yet to be fed.
pub(super) enum Stream {
    Pair(Box<PairMonitor>, Vec<Tick>),
    OneArm(Box<OneArmMonitor>, Vec<Tick>),
    Split(Box<SplitMonitor>, Vec<Errors>),
    Buckets(Box<HistogramLatency>, Vec<Values>),
    Samples(Box<RawLatency>, Vec<Values>),
    Gauge(Box<GaugeMonitor>, Vec<Values>),
    Service(Box<PairMonitor>, Box<HistogramLatency>, Vec<Both>),
}

impl Stream {
    /// What is compared, in words.
    pub(super) const fn about(&self) -> &'static str {
        match self {
            Self::Pair(..) => "errors, canary against stable",
            Self::OneArm(..) => "errors of one arm against a limit",
            Self::Split(..) => "errors without requests, against the split of the traffic",
            Self::Buckets(..) => "latency by buckets, canary against stable",
            Self::Samples(..) => "latency by samples, canary against stable",
            Self::Gauge(..) => "a gauge by medians of blocks, canary against stable",
            Self::Service(..) => "errors and latency together, canary against stable",
        }
    }

    /// The metrics of the watch.
    pub(super) fn kinds(&self) -> Vec<MetricKind> {
        match self {
            Self::Pair(..) | Self::Split(..) => vec![MetricKind::Errors],
            Self::OneArm(..) => vec![MetricKind::ErrorObjective],
            Self::Buckets(..) | Self::Samples(..) => vec![MetricKind::Latency],
            Self::Gauge(..) => vec![MetricKind::Gauge],
            Self::Service(..) => vec![MetricKind::Errors, MetricKind::Latency],
        }
    }

    /// How many ticks there are.
    pub(super) fn ticks(&self) -> usize {
        match self {
            Self::Pair(_, ticks) | Self::OneArm(_, ticks) => ticks.len(),
            Self::Split(_, ticks) => ticks.len(),
            Self::Buckets(_, ticks) | Self::Samples(_, ticks) | Self::Gauge(_, ticks) => ticks.len(),
            Self::Service(_, _, ticks) => ticks.len(),
        }
    }

    /// When a tick ends, in seconds since the watch began.
    pub(super) fn end_s(&self, tick: usize) -> f64 {
        match self {
            Self::Pair(_, ticks) | Self::OneArm(_, ticks) => ticks[tick].end_s(),
            Self::Split(_, ticks) => ticks[tick].start_s + ticks[tick].length_s,
            Self::Buckets(_, ticks) | Self::Samples(_, ticks) | Self::Gauge(_, ticks) => {
                ticks[tick].start_s + ticks[tick].length_s
            }
            Self::Service(_, _, ticks) => ticks[tick].counts.end_s(),
        }
    }

    /// The data problem that was recorded with a tick.
    pub(super) fn problem(&self, tick: usize) -> Option<&str> {
        match self {
            Self::Service(_, _, ticks) => ticks[tick].problem.as_deref(),
            _ => None,
        }
    }

    /// Feeds a tick.
    pub(super) fn take(&mut self, tick: usize) -> Result<Taken, Discard> {
        match self {
            Self::Pair(monitor, ticks) => monitor.observe(&ticks[tick]),
            Self::OneArm(monitor, ticks) => {
                let Tick { start_s, length_s, canary, .. } = ticks[tick];
                monitor.observe(start_s, length_s, canary)
            }
            Self::Split(monitor, ticks) => {
                let Errors { start_s, length_s, canary, stable, share } = ticks[tick];
                monitor.observe(start_s, length_s, canary, stable, share)
            }
            Self::Buckets(monitor, ticks) => {
                let Values { start_s, length_s, canary, stable } = &ticks[tick];
                monitor.observe(*start_s, *length_s, canary, stable)
            }
            Self::Samples(monitor, ticks) => {
                let Values { start_s, length_s, canary, stable } = &ticks[tick];
                monitor.observe(*start_s, *length_s, canary, stable)
            }
            Self::Gauge(monitor, ticks) => {
                let Values { length_s, canary, stable, .. } = &ticks[tick];
                monitor.observe(*length_s, canary, stable)
            }
            Self::Service(errors, latency, ticks) => {
                let Both { counts, buckets, problem } = &ticks[tick];
                if problem.is_some() {
                    return Ok(Taken::Learned);
                }
                errors.observe(counts)?;
                let Values { start_s, length_s, canary, stable } = buckets;
                latency.observe(*start_s, *length_s, canary, stable)
            }
        }
    }

    /// What there is to show of every metric.
    pub(super) fn evidence(&self) -> Vec<(MetricKind, Evidence)> {
        let evidence = match self {
            Self::Pair(monitor, _) => vec![monitor.evidence()],
            Self::OneArm(monitor, _) => vec![monitor.evidence()],
            Self::Split(monitor, _) => vec![monitor.evidence()],
            Self::Buckets(monitor, _) => vec![monitor.evidence()],
            Self::Samples(monitor, _) => vec![monitor.evidence()],
            Self::Gauge(monitor, _) => vec![monitor.evidence()],
            Self::Service(errors, latency, _) => vec![errors.evidence(), latency.evidence()],
        };
        self.kinds().into_iter().zip(evidence).collect()
    }

    /// The same for the watch.
    pub(super) fn readings(&self) -> Vec<MetricReading> {
        self.evidence().iter().map(|(kind, evidence)| MetricReading::of(*kind, evidence)).collect()
    }

    /// Canary requests so far; none where they are not known.
    pub(super) fn canary_requests(&self) -> Option<f64> {
        match self {
            Self::Split(..) | Self::Gauge(..) => None,
            _ => self.evidence().first().map(|(_, evidence)| evidence.canary.requests),
        }
    }

    /// Seconds of stable data, history included; of the arm itself where there is only one.
    pub(super) fn known_s(&self, end_s: f64) -> f64 {
        match self {
            Self::Pair(monitor, _) | Self::Service(monitor, ..) => monitor.known_s(),
            Self::OneArm(monitor, _) => monitor.known_s(),
            // It does not keep account; a recording has no pauses.
            Self::Split(..) => end_s,
            Self::Buckets(monitor, _) => monitor.known_s(),
            Self::Samples(monitor, _) => monitor.known_s(),
            Self::Gauge(monitor, _) => monitor.known_s(),
        }
    }

    /// A figure by the name that recordings use; none when this comparison has none of the name.
    pub(super) fn figure(&self, name: &str) -> Option<Vec<f64>> {
        let all = self.evidence();
        let (_, evidence) = all.first()?;
        let is_one = all.len() == 1;
        match (self, name) {
            (Self::Service(errors, ..), "errors") => Some(vec![errors.log_e()]),
            (Self::Service(errors, ..), "errors_safe") => Some(vec![errors.log_e_safe()]),
            (Self::Service(_, latency, _), "latency") => Some(vec![latency.log_e()]),
            (Self::Service(_, latency, _), "latency_safe") => Some(vec![latency.log_e_safe()]),
            (Self::Buckets(monitor, _), "phi") => Some(monitor.phi().to_vec()),
            (Self::Samples(monitor, _), "phi") => Some(monitor.phi().to_vec()),
            (Self::Buckets(monitor, _), "per_quantile") => Some(monitor.per_quantile().to_vec()),
            (Self::Samples(monitor, _), "per_quantile") => Some(monitor.per_quantile().to_vec()),
            (Self::Buckets(monitor, _), "plan_next") => {
                let plans: Option<Vec<_>> = monitor.plan().into_iter().collect();
                Some(
                    plans?.iter().flat_map(|plan| [plan.bucket as f64, plan.ratio, plan.reference]).collect(),
                )
            }
            (Self::Samples(monitor, _), "thresholds_next") => Some(monitor.thresholds()?.to_vec()),
            (Self::Gauge(monitor, _), "blocks") => Some(vec![monitor.blocks() as f64]),
            (Self::Pair(monitor, _), "cs") => Some(ends(monitor.interval())),
            (Self::OneArm(monitor, _), "cs") => Some(ends(monitor.interval())),
            (_, "log_e") if is_one => Some(vec![evidence.log_e]),
            (_, "log_e_safe") if is_one => evidence.log_e_safe.map(|log_e| vec![log_e]),
            (_, "phi") if is_one => Some(vec![evidence.phi]),
            (_, "p_value") if is_one => Some(vec![evidence.p_value]),
            (_, "suspected_ratio") if is_one => evidence.suspected_ratio.map(|ratio| vec![ratio]),
            _ => None,
        }
    }
}

fn ends(interval: crate::judge::Interval) -> Vec<f64> {
    vec![interval.lower, interval.upper]
}

/// Counts of an arm, of which the order in a row is requests, bad.
pub(super) const fn counts(requests: f64, bad: f64) -> ArmCounts {
    ArmCounts::new(requests, bad)
}
