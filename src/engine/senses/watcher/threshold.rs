//! A limit on an indicator, fixed or relative: the readings that feed it, and since when it is beyond.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::baseline::Baseline;
use crate::model::release::Arm;
use crate::model::source::{IndicatorSpec, Sample};
use crate::model::trigger::{Aggregate, Condition, Reference, Status, TriggerSpec, Unknown};
use crate::model::{Quantity, ServiceName, Unit};
use crate::triggers::condition::Sustained;
use crate::triggers::figure;
use crate::triggers::window::{Totals, Window};

/// The memory of a threshold.
#[derive(Clone, Debug)]
pub(in crate::engine::senses) struct Threshold {
    spec: Arc<TriggerSpec>,
    /// In the order of their services.
    slots: Vec<Slot>,
    compared: Option<Compared>,
    memory: Sustained,
    /// A longer time without a reading begins anew.
    pub(super) max_gap: Duration,
    pub(super) unit: Unit,
    /// The newest reading that was evaluated, and what that gave.
    pub(super) evaluated: Option<(Timestamp, Judged)>,
}

/// What a threshold is compared with, where that is no fixed limit.
#[derive(Clone, Debug)]
enum Compared {
    /// Stable, read over the same window.
    Stable(Box<Slot>),
    /// The baseline's figure, and why there is none.
    Baseline(Result<f64, String>),
}

/// One series that feeds a threshold.
#[derive(Clone, Debug)]
struct Slot {
    service: ServiceName,
    arm: Option<Arm>,
    window: Window,
    /// What the window held when it was added up last, and whether it has changed since.
    totals: Option<Totals>,
    has_changed: bool,
}

/// What an evaluation gave.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) status: Status,
    pub(super) value: Option<f64>,
    pub(super) samples: f64,
}

impl Slot {
    fn new(service: ServiceName, arm: Option<Arm>, over: Duration) -> Self {
        Self { service, arm, window: Window::new(over), totals: None, has_changed: false }
    }

    /// Takes a reading. Says whether it did.
    fn push(&mut self, sample: &Sample) -> bool {
        let was_taken = self.window.push(sample.from, sample.at, sample.value.clone());
        self.has_changed |= was_taken;
        was_taken
    }

    fn forget_before(&mut self, since: Timestamp) {
        self.window.forget_before(since);
        self.has_changed = true;
    }

    /// What the window holds, seen from its trigger's newest reading; added up only when that has changed.
    fn add_up(&mut self, newest: Timestamp) -> Option<&Totals> {
        if self.window.expire(newest) || self.has_changed {
            self.totals = self.window.totals();
            self.has_changed = false;
        }
        self.totals.as_ref()
    }

    /// What it says, for another to be compared with.
    fn reference(
        &mut self,
        newest: Timestamp,
        quantile: f64,
        aggregate: Aggregate,
        need: u64,
    ) -> Result<f64, String> {
        let totals = self.add_up(newest).ok_or("stable has no readings to compare with")?;
        let samples = totals.samples();
        if samples < need as f64 {
            return Err(format!("stable has too few samples to compare with: {samples:.0} of {need}"));
        }
        totals.value(quantile, aggregate).ok_or_else(|| "stable has no value to compare with".to_owned())
    }
}

impl Threshold {
    /// A threshold on these series, and the first of the indicators that feed it.
    pub(super) fn new<'a>(
        config: &'a Config,
        spec: &Arc<TriggerSpec>,
        service: Option<&ServiceName>,
        slots: impl Iterator<Item = (ServiceName, Option<Arm>)>,
    ) -> (Self, Option<&'a IndicatorSpec>) {
        let over = *spec.when.over();
        let slots: Vec<_> = slots.map(|(service, arm)| Slot::new(service, arm, over)).collect();
        let compared = match &spec.when {
            Condition::Comparison { with: Reference::Stable, .. } => service.map(|service| {
                Compared::Stable(Box::new(Slot::new(service.clone(), Some(Arm::Stable), over)))
            }),
            Condition::Comparison { with: Reference::Baseline, .. } => {
                Some(Compared::Baseline(Err("there is no baseline".to_owned())))
            }
            _ => None,
        };
        let indicator =
            |slot: &Slot| config.services.get(&slot.service)?.indicators.get(spec.when.indicator()?);
        let first = slots.first().and_then(indicator);
        let sources = slots.iter().filter_map(|slot| config.sources.get(&indicator(slot)?.source));
        // The slowest of the sources says what a gap is.
        let spacing = sources.map(|source| *source.spacing()).max().unwrap_or_default();
        let threshold = Self {
            spec: Arc::clone(spec),
            slots,
            compared,
            memory: Sustained::default(),
            max_gap: (spacing * 3).max(Duration::from_secs(2)),
            unit: match &spec.when {
                // So many times something.
                Condition::Comparison { times: Some(_), .. } => Unit::Plain,
                _ => first.map_or(Unit::Plain, |indicator| indicator.read.unit()),
            },
            evaluated: None,
        };
        (threshold, first)
    }

    /// Takes a sample that speaks for this arm of its service. Says whether it feeds the threshold; what it is compared with
    /// does not.
    pub(super) fn take(&mut self, sample: &Sample, arm: Option<Arm>) -> bool {
        if let Some(Compared::Stable(stable)) = &mut self.compared
            && (stable.arm, &stable.service) == (arm, &sample.service)
        {
            stable.push(sample);
        }
        let mut was_taken = false;
        for slot in self.slots_of(&sample.service).filter(|slot| slot.arm == arm) {
            was_taken |= slot.push(sample);
        }
        was_taken
    }

    /// Forgets what was read of an arm before a time; with `begins_anew` also for how long it has held.
    pub(super) fn forget(&mut self, service: &ServiceName, arm: Arm, since: Timestamp, begins_anew: bool) {
        let mut has_forgotten = false;
        if let Some(Compared::Stable(stable)) = &mut self.compared
            && stable.arm == Some(arm)
        {
            stable.forget_before(since);
            has_forgotten = true;
        }
        for slot in self.slots_of(service).filter(|slot| slot.arm.is_none_or(|slot_arm| slot_arm == arm)) {
            slot.forget_before(since);
            has_forgotten = true;
        }
        if has_forgotten {
            self.evaluated = None;
            if begins_anew {
                self.memory.clear();
            }
        }
    }

    /// Takes over what was recorded of the last good release.
    pub(in crate::engine::senses) fn compare_with(&mut self, baseline: Option<&Baseline>) {
        let (Some(Compared::Baseline(value)), Condition::Comparison { indicator, quantile, .. }) =
            (&mut self.compared, &self.spec.when)
        else {
            return;
        };
        let found = match baseline {
            None => Err("there is no baseline".to_owned()),
            Some(baseline) => {
                let found =
                    baseline.figures.get(indicator).and_then(|figure| figure::value(figure, *quantile));
                found.ok_or_else(|| format!("the baseline ({}) has too few samples of it", baseline.version))
            }
        };
        if *value != found {
            *value = found;
            self.evaluated = None;
            self.memory.clear();
        }
    }

    /// The slots of a service: few among those of a whole environment.
    fn slots_of<'a>(&'a mut self, service: &'a ServiceName) -> impl Iterator<Item = &'a mut Slot> {
        let first = self.slots.partition_point(|slot| slot.service < *service);
        self.slots[first..].iter_mut().take_while(move |slot| slot.service == *service)
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.slots.iter().filter_map(|slot| slot.window.newest()).max()
    }

    /// The window, the limit, and whether it holds above it.
    pub(super) fn limit(&self) -> (Duration, Quantity, bool) {
        match &self.spec.when {
            Condition::Threshold { over, above: Some(limit), .. }
            | Condition::Comparison { over, more_than: Some(limit), .. } => (**over, *limit, true),
            Condition::Threshold { over, below: Some(limit), .. } => (**over, *limit, false),
            Condition::Comparison { over, times: Some(times), .. } => {
                (**over, Quantity { value: *times, unit: Unit::Plain }, *times >= 1.0)
            }
            _ => (Duration::ZERO, Quantity { value: 0.0, unit: Unit::Plain }, true),
        }
    }

    /// Evaluates once for every new reading.
    pub(in crate::engine::senses) fn advance(&mut self) {
        let Some(newest) = self.newest() else { return };
        if self.evaluated.as_ref().is_some_and(|(at, _)| *at == newest) {
            return;
        }
        let (hold, out_of, quantile, aggregate) = match &self.spec.when {
            Condition::Threshold { hold, out_of, quantile, aggregate, .. } => {
                (*hold, *out_of, *quantile, *aggregate)
            }
            Condition::Comparison { hold, quantile, aggregate, .. } => (*hold, None, *quantile, *aggregate),
            Condition::Consecutive { .. } | Condition::Availability { .. } | Condition::Alarm { .. } => {
                return;
            }
        };
        let (_, limit, above) = self.limit();
        let mut totals: Option<Cow<'_, Totals>> = None;
        let mut silent: Option<&ServiceName> = None;
        for slot in &mut self.slots {
            slot.add_up(newest);
            match (&mut totals, &slot.totals) {
                (Some(sum), Some(more)) => {
                    sum.to_mut().merge(more);
                }
                (None, Some(more)) => totals = Some(Cow::Borrowed(more)),
                // There need not be a canary.
                (_, None) if slot.arm == Some(Arm::Canary) && slot.window.newest().is_none() => {}
                (_, None) => silent = silent.or(Some(&slot.service)),
            }
        }
        // A share or a mean of some of the services is still one; a sum that lacks a part is only a smaller number.
        let silent = silent.filter(|_| matches!(totals.as_deref(), Some(Totals::Count { .. })));
        let mut samples = totals.as_deref().map_or(0.0, Totals::samples);
        let mut value = totals.as_ref().and_then(|totals| totals.value(quantile, aggregate));
        // Fewer than one event is none, whatever the trigger asks for.
        let need = self.spec.min_samples.max(1);
        let mut nothing_there = None;
        if let Some(compared) = &mut self.compared {
            let reference = match compared {
                Compared::Baseline(value) => value.clone(),
                Compared::Stable(stable) => stable.reference(newest, quantile, aggregate, need),
            };
            let by_ratio = matches!(self.spec.when, Condition::Comparison { times: Some(_), .. });
            match (value, reference) {
                (_, Err(reason)) => {
                    value = None;
                    samples = 0.0;
                    nothing_there = Some(reason);
                }
                (Some(_), Ok(0.0)) if by_ratio => {
                    value = None;
                    nothing_there =
                        Some("what it is compared with is 0: nothing is so many times that".to_owned());
                }
                (Some(own), Ok(other)) => value = Some(if by_ratio { own / other } else { own - other }),
                (None, Ok(_)) => {}
            }
        }
        let is_enough = samples >= need as f64;
        let beyond = match value {
            Some(value) if is_enough && silent.is_none() => {
                Some(if above { value > limit.value } else { value < limit.value })
            }
            _ => None,
        };
        let status = self.memory.reading(newest, beyond, *hold, out_of, self.max_gap);
        let reason = match silent {
            None if nothing_there.is_some() => {
                Unknown::NoReference { reason: nothing_there.unwrap_or_default() }
            }
            Some(service) => {
                Unknown::SourceError { reason: format!("no readings of {service}, a part of the sum") }
            }
            None => Unknown::TooFewSamples { have: samples as u64, need },
        };
        let status = status.unwrap_or(Status::Unknown { reason });
        self.evaluated = Some((newest, Judged { status, value, samples }));
    }
}
