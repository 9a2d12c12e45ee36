//! One indicator of both arms, compared.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::judge::latency::{HistogramLatency, LatencySettings, is_warm};
use crate::judge::watch::{Metric, MetricKind};
use crate::judge::{
    Aligned, Alignment, ArmCounts, DataProblem, Evidence, GaugeMonitor, GaugeSettings, Heard, Leak,
    LeakWatch, OneArmMonitor, PairMonitor, Settings, block_length_s,
};
use crate::model::judge::{Against, JudgeSpec, Judging, ObjectiveSpec};
use crate::model::release::Arm;
use crate::model::source::{Sample, SampleValue, SeriesSpec};
use crate::model::trigger::Condition;
use crate::model::units::human;
use crate::model::{IndicatorName, ServiceName, SourceName};

use super::{preset, seconds};

/// Readings of stable's gauge that tell how it moves.
const GAUGE_HISTORY: usize = 120;

/// One comparison of one indicator.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    indicator: IndicatorName,
    source: SourceName,
    metric: Metric,
    against: Against,
    is_muted: bool,
    interval_s: f64,
    /// The newest reading of each arm, in seconds since the watch began.
    heard: [Heard; 2],
    newest: Option<Timestamp>,
    monitor: Monitor,
}

#[derive(Clone, Debug)]
enum Monitor {
    Errors { pair: Box<PairMonitor>, alignment: Alignment },
    Latency { settings: LatencySettings, monitor: Option<Box<HistogramLatency>>, alignment: Alignment },
    Gauge(Box<Gauge>),
    Objective { made: Box<OneArmMonitor>, monitor: Box<OneArmMonitor>, spec: ObjectiveSpec },
}

#[derive(Clone, Debug)]
struct Gauge {
    settings: GaugeSettings,
    history: VecDeque<f64>,
    /// None while it is not known how the gauge moves, or when it moves too slowly to be compared.
    monitor: Option<GaugeMonitor>,
    canary: Vec<f64>,
    last_s: f64,
    limit: Option<f64>,
    leak: Option<LeakWatch>,
}

/// What both arms did in the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) end_s: f64,
    pub(super) canary: f64,
    pub(super) stable: f64,
}

/// The comparisons of a service, as configured.
pub(super) fn of(config: &Config, service: &ServiceName, spec: &JudgeSpec) -> Vec<Compared> {
    let mut all = Vec::new();
    let Some(service) = config.services.get(service) else { return all };
    let preset = preset(spec.tolerance);
    let pair = Settings { alpha: spec.alpha, beta: spec.beta, ..Settings::of(preset) };
    for (name, indicator) in &service.indicators {
        let Some(source) = config.sources.get(&indicator.source) else { continue };
        if indicator.judge == Judging::Off || !source.tells_arms(&indicator.read, &service.probes) {
            continue;
        }
        let interval_s = source.spacing().as_secs_f64();
        let alignment = alignment(interval_s);
        let mut add = |kind, against, monitor| {
            let named = match against {
                Against::Stable => name.to_string(),
                Against::Objective => format!("{name} objective"),
            };
            all.push(Compared {
                indicator: name.clone(),
                source: indicator.source.clone(),
                metric: Metric::new(kind, named),
                against,
                is_muted: indicator.judge == Judging::Watch,
                interval_s,
                heard: [Heard::new(interval_s, 0.0); 2],
                newest: None,
                monitor,
            });
        };
        match &indicator.read {
            SeriesSpec::Ratio { .. } => add(
                MetricKind::Errors,
                Against::Stable,
                Monitor::Errors { pair: Box::new(PairMonitor::new(pair)), alignment },
            ),
            SeriesSpec::Latency { .. } => {
                let settings = LatencySettings { pair, ..LatencySettings::of(preset) };
                add(
                    MetricKind::Latency,
                    Against::Stable,
                    Monitor::Latency { settings, monitor: None, alignment },
                );
            }
            SeriesSpec::Gauge { .. } => {
                let settings = GaugeSettings { ratio: preset.slowdown(), ..GaugeSettings::default() };
                let gauge = Gauge {
                    settings,
                    history: VecDeque::new(),
                    monitor: None,
                    canary: Vec::new(),
                    last_s: 0.0,
                    limit: limit_of(config, name),
                    leak: None,
                };
                add(MetricKind::Gauge, Against::Stable, Monitor::Gauge(Box::new(gauge)));
            }
            // More or less traffic is neither better nor worse; a canary that gets too little of it is noticed.
            SeriesSpec::Rate { .. } => {}
        }
        if let Some(objective) = indicator.objective {
            let (kind, limit) = match &indicator.read {
                SeriesSpec::Ratio { .. } => (MetricKind::ErrorObjective, objective.below.value),
                SeriesSpec::Latency { .. } => (MetricKind::LatencyObjective, 1.0 - objective.quantile),
                SeriesSpec::Gauge { .. } | SeriesSpec::Rate { .. } => continue,
            };
            let monitor = Box::new(OneArmMonitor::against_limit(limit, pair));
            let monitor = Monitor::Objective { made: monitor.clone(), monitor, spec: objective };
            add(kind, Against::Objective, monitor);
        }
    }
    all
}

/// Two targets that a server reads in turn are up to an interval apart.
const fn alignment(interval_s: f64) -> Alignment {
    Alignment::new(interval_s + 1.0)
}

/// The lowest limit that a trigger which acts sets to a gauge.
fn limit_of(config: &Config, name: &IndicatorName) -> Option<f64> {
    let limits = config.triggers.values().filter(|trigger| trigger.action.rolls_back());
    let limits = limits.filter_map(|trigger| match &trigger.when {
        Condition::Threshold { indicator, above: Some(above), .. } if indicator == name => Some(above.value),
        _ => None,
    });
    limits.min_by(f64::total_cmp)
}

impl Compared {
    pub(super) const fn indicator(&self) -> &IndicatorName {
        &self.indicator
    }

    pub(super) const fn source(&self) -> &SourceName {
        &self.source
    }

    pub(super) const fn metric(&self) -> &Metric {
        &self.metric
    }

    pub(super) const fn against(&self) -> Against {
        self.against
    }

    /// It is shown and does not count: the config says so, or it cannot be compared.
    pub(super) fn is_muted(&self) -> bool {
        self.is_muted || matches!(&self.monitor, Monitor::Gauge(gauge) if gauge.monitor.is_none())
    }

    pub(super) const fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    pub(super) const fn counts_requests(&self) -> bool {
        matches!(self.monitor, Monitor::Errors { .. } | Monitor::Latency { .. })
    }

    /// Takes a sample of its indicator. What stable did before the watch teaches what is usual. What
    /// the canary's side did before is left out, for it speaks of another release.
    pub(super) fn take(&mut self, sample: &Sample, arm: Arm, since: Option<Timestamp>) -> Option<Counted> {
        if arm == Arm::Canary || since.is_none() {
            self.newest = self.newest.max(Some(sample.at));
        }
        let Some(since) = since else {
            if arm == Arm::Stable {
                self.learn(sample);
            }
            return None;
        };
        let (from_s, at_s) = (seconds(since, sample.from), seconds(since, sample.at));
        if from_s < 0.0 {
            if at_s <= 0.0 && arm == Arm::Stable {
                self.learn(sample);
            }
            return None;
        }
        self.heard[place(arm)].sample(at_s);
        match (&mut self.monitor, &sample.value) {
            (Monitor::Errors { pair, alignment }, SampleValue::Ratio { bad, total }) => {
                let tick = align(alignment, arm, from_s, at_s, &[*total, *bad])?;
                let counts = |of: &[f64]| ArmCounts::new(of[0], of[1]);
                let (canary, stable) = (counts(&tick.canary), counts(&tick.stable));
                let (start_s, length_s) = (tick.start_s, tick.length_s);
                // What is not sound brings no evidence, and it is not repaired either.
                let taken = pair.observe(&crate::judge::Tick { start_s, length_s, canary, stable });
                taken.ok().map(|_| counted(&tick, canary.requests, stable.requests))
            }
            (
                Monitor::Latency { settings, monitor, alignment },
                SampleValue::Histogram { bounds_ms, counts },
            ) => {
                let monitor = with_bounds(monitor, bounds_ms, *settings)?;
                let tick = align(alignment, arm, from_s, at_s, counts)?;
                if is_warm(tick.start_s) {
                    // As above.
                    let _ = monitor.observe(tick.start_s, tick.length_s, &tick.canary, &tick.stable);
                }
                Some(counted(&tick, tick.canary.iter().sum(), tick.stable.iter().sum()))
            }
            (Monitor::Gauge(gauge), SampleValue::Gauge(value)) => {
                gauge.take(arm, at_s, *value);
                None
            }
            (Monitor::Objective { monitor, spec, .. }, value) if arm == Arm::Canary => {
                let counts = match value {
                    SampleValue::Ratio { bad, total } => ArmCounts::new(*total, *bad),
                    SampleValue::Histogram { bounds_ms, counts } => {
                        slower_than(bounds_ms, counts, spec.below.value)?
                    }
                    SampleValue::Count(_) | SampleValue::Gauge(_) => return None,
                };
                // As above.
                let _ = monitor.observe(from_s, at_s - from_s, counts);
                None
            }
            _ => None,
        }
    }

    /// What stable did while there was no canary.
    fn learn(&mut self, sample: &Sample) {
        let length_s = seconds(sample.from, sample.at);
        match (&mut self.monitor, &sample.value) {
            (Monitor::Errors { pair, .. }, SampleValue::Ratio { bad, total }) => {
                // What is not sound teaches nothing.
                let _ = pair.history(length_s, ArmCounts::new(*total, *bad));
            }
            (Monitor::Latency { settings, monitor, .. }, SampleValue::Histogram { bounds_ms, counts }) => {
                if let Some(monitor) = with_bounds(monitor, bounds_ms, *settings) {
                    // As above.
                    let _ = monitor.history(length_s, counts);
                }
            }
            (Monitor::Gauge(gauge), SampleValue::Gauge(value)) => gauge.remember(*value),
            _ => {}
        }
    }

    /// Another release serves as stable: what is usual is to be learned anew.
    pub(super) fn forget(&mut self) {
        match &mut self.monitor {
            Monitor::Errors { pair, .. } => **pair = PairMonitor::new(*pair.settings()),
            Monitor::Latency { monitor, .. } => *monitor = None,
            Monitor::Gauge(gauge) => gauge.history.clear(),
            Monitor::Objective { .. } => {}
        }
    }

    /// A watch begins.
    pub(super) fn begin(&mut self) {
        self.heard = [Heard::new(self.interval_s, 0.0); 2];
        self.newest = None;
        let interval_s = self.interval_s;
        let fresh = alignment(interval_s);
        match &mut self.monitor {
            Monitor::Errors { pair, alignment } => {
                **pair = pair.renewed();
                *alignment = fresh;
            }
            Monitor::Latency { monitor, alignment, .. } => {
                if let Some(monitor) = monitor {
                    **monitor = monitor.renewed();
                }
                *alignment = fresh;
            }
            Monitor::Gauge(gauge) => gauge.begin(interval_s),
            Monitor::Objective { made, monitor, .. } => monitor.clone_from(made),
        }
    }

    /// The canary's share changes: that it is safe has to be shown anew.
    pub(super) fn begin_step(&mut self) {
        match &mut self.monitor {
            Monitor::Errors { pair, .. } => pair.restart_safe(),
            Monitor::Latency { monitor: Some(monitor), .. } => monitor.restart_safe(),
            Monitor::Objective { monitor, .. } => monitor.restart_safe(),
            Monitor::Latency { monitor: None, .. } | Monitor::Gauge(_) => {}
        }
    }

    /// What there is to show; none while nothing was compared.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        match &self.monitor {
            Monitor::Errors { pair, .. } => Some(pair.evidence()),
            Monitor::Latency { monitor, .. } => monitor.as_ref().map(|monitor| monitor.evidence()),
            Monitor::Gauge(gauge) => gauge.monitor.as_ref().map(GaugeMonitor::evidence),
            Monitor::Objective { monitor, .. } => Some(monitor.evidence()),
        }
    }

    /// Seconds of stable's data, what was before the watch included.
    pub(super) fn known_s(&self) -> f64 {
        match &self.monitor {
            Monitor::Errors { pair, .. } => pair.known_s(),
            Monitor::Latency { monitor, .. } => monitor.as_ref().map_or(0.0, |monitor| monitor.known_s()),
            Monitor::Gauge(_) => 0.0,
            Monitor::Objective { monitor, .. } => monitor.known_s(),
        }
    }

    /// Whether the canary's gauge is about to reach the limit of a trigger.
    pub(super) fn leak(&self) -> Option<Leak> {
        match &self.monitor {
            Monitor::Gauge(gauge) => gauge.leak.as_ref()?.leak(),
            _ => None,
        }
    }

    /// Why nothing is known of it, as data and in words.
    pub(super) fn problem(&self, now_s: f64, fault: Option<&str>) -> Option<(DataProblem, String)> {
        let silent = self.heard.iter().zip(Arm::ALL).find_map(|(heard, arm)| {
            // An objective is the canary's own.
            let matters = self.against == Against::Stable || arm == Arm::Canary;
            heard.problem(now_s).filter(|_| matters).map(|problem| (problem, arm))
        });
        let (problem, arm) = silent?;
        if let Some(fault) = fault {
            // For how long matters as much as why.
            let problem = if matches!(problem, DataProblem::Absent { .. }) {
                problem
            } else {
                DataProblem::Unreachable
            };
            return Some((problem, fault.to_owned()));
        }
        let said = match problem {
            DataProblem::Stale { age_s } | DataProblem::Absent { age_s } => {
                let age = std::time::Duration::from_secs_f64(age_s.clamp(0.0, 1e9).round());
                format!("nothing new of {arm} for {}", human(age))
            }
            _ => format!("nothing is read of {arm}"),
        };
        Some((problem, said))
    }
}

impl Gauge {
    fn remember(&mut self, value: f64) {
        if self.history.len() == GAUGE_HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(value);
    }

    fn begin(&mut self, interval_s: f64) {
        let block_s = block_length_s(interval_s, self.history.make_contiguous());
        self.monitor = block_s.map(|block_s| GaugeMonitor::new(block_s, self.settings));
        self.leak = self.limit.map(LeakWatch::new);
        self.canary.clear();
        self.last_s = 0.0;
    }

    fn take(&mut self, arm: Arm, at_s: f64, value: f64) {
        if arm == Arm::Canary {
            if let Some(leak) = &mut self.leak {
                leak.observe(at_s, value);
            }
            // Stable is read as often; without it there is nothing to compare with.
            if self.canary.len() < GAUGE_HISTORY {
                self.canary.push(value);
            }
            return;
        }
        self.remember(value);
        if let Some(monitor) = &mut self.monitor
            && at_s > self.last_s
        {
            // What is no number brings nothing.
            let _ = monitor.observe(at_s - self.last_s, &self.canary, &[value]);
            self.last_s = at_s;
        }
        self.canary.clear();
    }
}

const fn place(arm: Arm) -> usize {
    match arm {
        Arm::Stable => 0,
        Arm::Canary => 1,
    }
}

fn align(alignment: &mut Alignment, arm: Arm, from_s: f64, at_s: f64, counts: &[f64]) -> Option<Aligned> {
    match arm {
        Arm::Canary => alignment.canary(from_s, at_s, counts),
        Arm::Stable => alignment.stable(from_s, at_s, counts),
    }
}

fn counted(tick: &Aligned, canary: f64, stable: f64) -> Counted {
    Counted { end_s: tick.start_s + tick.length_s, canary, stable }
}

/// The comparison for a histogram with these bounds; other bounds than before begin anew.
fn with_bounds<'a>(
    monitor: &'a mut Option<Box<HistogramLatency>>,
    bounds_ms: &Arc<[f64]>,
    settings: LatencySettings,
) -> Option<&'a mut HistogramLatency> {
    let is_same = monitor.as_ref().is_some_and(|monitor| {
        let bounds_s = monitor.bounds_s();
        bounds_s.len() == bounds_ms.len()
            && bounds_s
                .iter()
                .zip(bounds_ms.iter())
                .all(|(s, ms)| (s * 1_000.0 - ms).abs() <= ms.abs() * 1e-9)
    });
    if !is_same {
        let bounds_s = bounds_ms.iter().map(|ms| ms / 1_000.0).collect();
        *monitor = HistogramLatency::new(bounds_s, settings).map(Box::new);
    }
    monitor.as_deref_mut()
}

/// All events, and those in buckets beyond the smallest bound that is not below a limit in milliseconds. None when no
/// bound is: the histogram cannot tell.
fn slower_than(bounds_ms: &[f64], counts: &[f64], limit_ms: f64) -> Option<ArmCounts> {
    let bucket = bounds_ms.iter().position(|bound| *bound >= limit_ms)?;
    let slow: f64 = counts.iter().skip(bucket + 1).sum();
    Some(ArmCounts::new(counts.iter().sum(), slow))
}
