//! Indicators over time: recorded samples drawn through the same windows that the readings are made of.
//!
//! What a point shows is what the reading showed at that time, so that a chart and the number beside it never disagree.
//! What was not read is a gap: it is neither filled with what was there before nor with nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::config::schema::ServiceSpec;
use crate::model::release::Arm;
use crate::model::series::{Limit, Series, SeriesRequest};
use crate::model::source::{Sample, Subject};
use crate::model::trigger::{Aggregate, Condition, Scope};
use crate::model::{IndicatorName, ServiceName, Version};
use crate::triggers::window::Window;

use super::history::HistoryKind;
use super::senses::{DISPLAY_QUANTILE, display_window, watched};
use super::state::ServiceState;

/// The shortest time that a point stands for.
const SHORTEST_STEP: Duration = Duration::from_secs(1);

/// From when on samples are needed to draw this: the first window begins before the first point.
pub fn needed_since(config: &Config, asked: &SeriesRequest) -> Timestamp {
    let reach = config.services.get(&asked.service).into_iter().flat_map(|service| {
        service.indicators.keys().map(|indicator| {
            let interval = interval(config, service, indicator);
            Grid::new(asked, interval).step() + display_window(interval)
        })
    });
    asked.from.checked_sub(reach.max().unwrap_or_default()).unwrap_or(Timestamp::MIN)
}

/// Every indicator of the service, per arm, that anything was read of. `samples` are the recorded ones of the service
/// since [`needed_since`], oldest first; `state` says which version was which arm, and since when.
pub fn draw(
    config: &Config,
    state: Option<&ServiceState>,
    asked: &SeriesRequest,
    samples: &[Sample],
) -> Vec<Series> {
    let Some(service) = config.services.get(&asked.service) else { return Vec::new() };
    if asked.points == 0 || asked.from >= asked.to {
        return Vec::new();
    }
    let mut lines: BTreeMap<(&IndicatorName, Option<Arm>), Line> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.service == asked.service) {
        let arm = match &sample.subject {
            Subject::Whole => None,
            Subject::Arm(arm) => Some(*arm),
            Subject::Version(version) => match state.and_then(|state| arm_at(state, version, sample.at)) {
                Some(arm) => Some(arm),
                None => continue,
            },
        };
        let Some((indicator, _)) = service.indicators.get_key_value(&sample.indicator) else { continue };
        let line = lines.entry((indicator, arm)).or_insert_with(|| {
            let interval = interval(config, service, indicator);
            Line {
                grid: Grid::new(asked, interval),
                window: Window::new(display_window(interval)),
                floors: floors(state, arm),
                open: None,
                points: BTreeMap::new(),
            }
        });
        line.take(sample);
    }
    lines
        .into_iter()
        .filter_map(|((indicator, arm), mut line)| {
            line.close_step();
            let points = line.points(asked.to);
            if points.iter().all(|(_, value)| value.is_none()) {
                return None;
            }
            Some(Series {
                indicator: indicator.clone(),
                arm,
                unit: service.indicators.get(indicator)?.read.unit(),
                step: line.grid.step(),
                limits: limits(config, &asked.service, indicator, arm),
                points,
            })
        })
        .collect()
}

fn interval(config: &Config, service: &ServiceSpec, indicator: &IndicatorName) -> Duration {
    let source = service.indicators.get(indicator).and_then(|spec| config.sources.get(&spec.source));
    source.map_or(Duration::ZERO, |source| *source.spacing())
}

/// The steps that a series is cut into. They begin at whole multiples of their length since 1970.
#[derive(Clone, Copy, Debug)]
struct Grid {
    step_ms: i64,
    first: i64,
    /// The one after the last.
    end: i64,
}

impl Grid {
    fn new(asked: &SeriesRequest, interval: Duration) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let points = u32::try_from(asked.points.max(1)).unwrap_or(u32::MAX);
        let (from, to) =
            (asked.from.as_millisecond(), asked.to.as_millisecond().max(asked.from.as_millisecond()));
        // Readings come at their interval, give or take: with half as much again none is without one by bad luck.
        let shortest = SHORTEST_STEP.max(interval * 3 / 2);
        let even = to.abs_diff(from).div_ceil(points.into());
        let step_ms = i64::try_from(even).unwrap_or(i64::MAX).max(ms(shortest)).max(1);
        let end = to.div_euclid(step_ms) + i64::from(to.rem_euclid(step_ms) > 0);
        // Cut by the clock there may be one more than was asked for: the oldest goes.
        let first = from.div_euclid(step_ms).max(end - i64::from(points));
        Self { step_ms, first, end }
    }

    fn step(self) -> Duration {
        Duration::from_millis(self.step_ms.unsigned_abs())
    }

    fn of(self, at: Timestamp) -> i64 {
        at.as_millisecond().div_euclid(self.step_ms)
    }

    fn begin(self, step: i64) -> Timestamp {
        Timestamp::from_millisecond(step.saturating_mul(self.step_ms)).unwrap_or(Timestamp::MAX)
    }
}

/// A series while it is drawn.
struct Line {
    grid: Grid,
    window: Window,
    /// When what was there before stopped to count, oldest first.
    floors: Vec<Timestamp>,
    /// What each step holds. A step that is not here is a gap.
    points: BTreeMap<i64, f64>,
    /// The step that readings go into now.
    open: Option<i64>,
}

impl Line {
    fn take(&mut self, sample: &Sample) {
        let step = self.grid.of(sample.at);
        if self.open.is_some_and(|open| open != step) {
            self.close_step();
        }
        while self.floors.first().is_some_and(|floor| *floor <= sample.at) {
            self.window.forget_before(self.floors.remove(0));
        }
        if self.window.push(sample.from, sample.at, sample.value.clone()) {
            self.open = Some(step);
        }
    }

    /// The step is over: what the window holds now is what was shown at its last reading.
    fn close_step(&mut self) {
        let Some(step) = self.open.take() else { return };
        if step < self.grid.first || step >= self.grid.end {
            return;
        }
        let totals = self.window.totals();
        if let Some(value) = totals.and_then(|totals| totals.value(DISPLAY_QUANTILE, Aggregate::Last)) {
            self.points.insert(step, value);
        }
    }

    fn points(&self, to: Timestamp) -> Vec<(Timestamp, Option<f64>)> {
        let mut points: Vec<_> = (self.grid.first..self.grid.end)
            .map(|step| (self.grid.begin(step), self.points.get(&step).copied()))
            .collect();
        let is_over = self.grid.begin(self.grid.end) <= to;
        if !is_over && points.last().is_some_and(|(_, value)| value.is_none()) {
            points.pop();
        }
        points
    }
}

/// Since when what is remembered of an arm speaks of what it has now, as the senses forget it.
fn floors(state: Option<&ServiceState>, arm: Option<Arm>) -> Vec<Timestamp> {
    let since = state.into_iter().flat_map(|state| &state.arms_since);
    let mut floors: Vec<_> =
        since.filter(|(of, _)| arm.is_none_or(|arm| arm == **of)).map(|(_, since)| *since).collect();
    floors.sort_unstable();
    floors
}

/// The arm that a version served on at a time, by what is remembered of the service's releases. One that was rolled back
/// stays the canary that it was until there is another: it is what people look at.
fn arm_at(state: &ServiceState, version: &Version, at: Timestamp) -> Option<Arm> {
    let (mut stable, mut canary) = (None, None);
    for entry in state.history.iter().take_while(|entry| entry.at <= at) {
        let is_canary = canary == Some(&entry.version);
        match entry.what {
            HistoryKind::CanaryStarted { .. } => canary = Some(&entry.version),
            HistoryKind::BecameStable => {
                stable = Some(&entry.version);
                canary = canary.filter(|_| !is_canary);
            }
            HistoryKind::Withdrawn => {
                stable = stable.filter(|stable| **stable != entry.version);
                canary = canary.filter(|_| !is_canary);
            }
            HistoryKind::RolledBack { .. } | HistoryKind::Promoted { .. } => {}
        }
    }
    if canary == Some(version) {
        return Some(Arm::Canary);
    }
    if stable == Some(version) {
        return Some(Arm::Stable);
    }
    // What the history does not reach back to is as it is now.
    let now = state.inventory.as_ref()?.arm_of(version)?;
    let is_told = match now {
        Arm::Stable => stable.is_some(),
        Arm::Canary => canary.is_some(),
    };
    (!is_told).then_some(now)
}

/// The limits that triggers set an indicator of a service, as it is drawn for an arm.
fn limits(config: &Config, service: &ServiceName, indicator: &IndicatorName, arm: Option<Arm>) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (name, trigger) in &config.triggers {
        let Condition::Threshold { indicator: of, above, below, over, quantile, .. } = &trigger.when else {
            continue;
        };
        // A limit on the sum of all services is none on one of them.
        let is_asked = of == indicator
            && trigger.scope != Scope::Environment
            && trigger.arm.is_none_or(|only| arm.is_none_or(|arm| arm == only))
            && watched(config, trigger).any(|watched| watched == service);
        if !is_asked {
            continue;
        }
        let is_latency = config
            .services
            .get(service)
            .and_then(|service| service.indicators.get(indicator))
            .is_some_and(|spec| matches!(spec.read, crate::model::source::SeriesSpec::Latency { .. }));
        let sides = above.iter().map(|limit| (limit, true)).chain(below.iter().map(|limit| (limit, false)));
        limits.extend(sides.map(|(limit, above)| Limit {
            trigger: name.clone(),
            limit: *limit,
            above,
            over: *over,
            quantile: is_latency.then_some(*quantile),
        }));
    }
    limits
}

#[cfg(test)]
mod tests;
