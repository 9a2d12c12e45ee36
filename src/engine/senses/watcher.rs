//! One trigger, watching one subject.

pub(super) mod alarms;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::baseline::Baseline;
use crate::model::release::Arm;
use crate::model::source::{Sample, SeriesSpec};
use crate::model::trigger::{
    Aggregate, Condition, Evaluation, Evidence, NoData, Reference, Scope, Status, TriggerSpec, Unknown,
};
use crate::model::units::human;
use crate::model::{IndicatorName, ProbeName, Quantity, ServiceName, SourceName, TriggerName, Unit};
use crate::triggers::condition::Sustained;
use crate::triggers::figure;
use crate::triggers::streak::Streak;
use crate::triggers::window::{Totals, Window};

use super::{arms_of, watched};

/// A trigger on a service, on one of its arms, or on the environment.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    trigger: TriggerName,
    spec: Arc<TriggerSpec>,
    service: Option<ServiceName>,
    arm: Option<Arm>,
    source: Option<SourceName>,
    threshold: Option<Threshold>,
    /// The question in words.
    query: String,
}

/// The memory of a threshold.
#[derive(Clone, Debug)]
pub(super) struct Threshold {
    spec: Arc<TriggerSpec>,
    /// In the order of their services.
    slots: Vec<Slot>,
    compared: Option<Compared>,
    memory: Sustained,
    max_gap: Duration,
    unit: Unit,
    /// The newest reading that was evaluated, and what that gave.
    evaluated: Option<(Timestamp, Judged)>,
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

#[derive(Clone, Debug)]
struct Judged {
    status: Status,
    value: Option<f64>,
    samples: f64,
}

/// What it takes for data to be missing: that there was time to read some.
#[derive(Clone, Copy)]
struct Missing {
    /// Since when this process has looked at what is there now; none before its first look.
    expected: Option<Timestamp>,
    after: Duration,
    now: Timestamp,
}

impl Missing {
    /// Since when data are missing, if that is long enough to say so.
    fn since(self, reason: &Unknown, newest: Option<Timestamp>) -> Option<Timestamp> {
        let last = match reason {
            Unknown::NoData | Unknown::Alarm { .. } => None,
            Unknown::Stale { since } => Some(*since),
            Unknown::SourceError { .. } => newest,
            Unknown::TooFewSamples { .. } | Unknown::StableIsBadToo | Unknown::NoReference { .. } => {
                return None;
            }
        };
        let since = last.max(Some(self.expected?))?;
        let is_long_enough = since < self.now && self.now.duration_since(since).unsigned_abs() > self.after;
        is_long_enough.then_some(since)
    }
}

/// A probe of the service: its name, its arm, its interval, its memory.
pub(super) type ProbeView<'a> = (&'a ProbeName, Option<Arm>, Duration, &'a Streak);

/// The watchers of a service.
pub(super) fn for_service(config: &Config, service: &ServiceName) -> Vec<Watcher> {
    let mut watchers = Vec::new();
    for (trigger, spec) in &config.triggers {
        if spec.scope == Scope::Environment || !watched(config, spec).any(|name| name == service) {
            continue;
        }
        let spec = Arc::new(spec.clone());
        if let Condition::Alarm { source, .. } = &spec.when {
            watchers.push(Watcher {
                trigger: trigger.clone(),
                arm: spec.arm,
                query: query(&spec, None),
                spec: Arc::clone(&spec),
                service: Some(service.clone()),
                source: Some(source.clone()),
                threshold: None,
            });
            continue;
        }
        let Some(indicator) = spec.when.indicator() else {
            for arm in probed_arms(config, service, &spec) {
                watchers.push(Watcher {
                    trigger: trigger.clone(),
                    arm,
                    spec: Arc::clone(&spec),
                    service: Some(service.clone()),
                    source: None,
                    threshold: None,
                    query: query(&spec, None),
                });
            }
            continue;
        };
        let mut arms = arms_of(config, service, indicator, spec.scope);
        if matches!(spec.when, Condition::Comparison { with: Reference::Stable, .. }) {
            arms.retain(|arm| *arm == Some(Arm::Canary));
            if arms.is_empty() {
                continue;
            }
        }
        let groups: Vec<(Option<Arm>, Vec<Option<Arm>>)> = match spec.scope {
            Scope::Arm => arms.into_iter().map(|arm| (arm, vec![arm])).collect(),
            Scope::Service | Scope::Environment => vec![(None, arms)],
        };
        for (arm, slots) in groups {
            if arm.is_some() && spec.arm.is_some() && spec.arm != arm {
                continue;
            }
            let slots = slots.into_iter().map(|arm| (service.clone(), arm));
            watchers.push(Watcher::threshold(config, trigger, &spec, Some(service), arm, slots));
        }
    }
    watchers
}

/// The arms that the probes of a trigger speak for: each is watched by itself, so that no arm is blamed for another. With
/// the scope of the whole service they are watched together.
fn probed_arms(config: &Config, service: &ServiceName, spec: &TriggerSpec) -> BTreeSet<Option<Arm>> {
    let (Condition::Consecutive { probe: only, .. } | Condition::Availability { probe: only, .. }) =
        &spec.when
    else {
        return BTreeSet::new();
    };
    if spec.arm.is_some() || spec.scope != Scope::Arm {
        return [spec.arm].into();
    }
    let probes = config.services.get(service).into_iter().flat_map(|service| &service.probes);
    let named = probes.filter(|(name, _)| only.as_ref().is_none_or(|only| only == *name));
    named.map(|(_, probe)| probe.arm).collect()
}

/// The watchers of the environment.
pub(super) fn for_environment(config: &Config) -> Vec<Watcher> {
    let mut watchers = Vec::new();
    for (trigger, spec) in config.triggers.iter().filter(|(_, spec)| spec.scope == Scope::Environment) {
        let spec = Arc::new(spec.clone());
        let Some(indicator) = spec.when.indicator() else { continue };
        let slots = watched(config, &spec)
            .flat_map(|service| {
                arms_of(config, service, indicator, spec.scope).into_iter().map(|arm| (service.clone(), arm))
            })
            .collect::<Vec<_>>();
        watchers.push(Watcher::threshold(config, trigger, &spec, None, None, slots.into_iter()));
    }
    watchers
}

/// How often the indicator of a threshold is read for a service.
fn interval_of(config: &Config, service: &ServiceName, spec: &TriggerSpec) -> Option<Duration> {
    let indicator = config.services.get(service)?.indicators.get(spec.when.indicator()?)?;
    Some(*config.sources.get(&indicator.source)?.spacing())
}

impl Watcher {
    fn threshold(
        config: &Config,
        trigger: &TriggerName,
        spec: &Arc<TriggerSpec>,
        service: Option<&ServiceName>,
        arm: Option<Arm>,
        slots: impl Iterator<Item = (ServiceName, Option<Arm>)>,
    ) -> Self {
        let slot = |(service, arm)| Slot {
            service,
            arm,
            window: Window::new(*spec.when.over()),
            totals: None,
            has_changed: false,
        };
        let slots: Vec<_> = slots.map(slot).collect();
        let compared = match &spec.when {
            Condition::Comparison { with: Reference::Stable, .. } => {
                let stable = service.map(|service| slot((service.clone(), Some(Arm::Stable))));
                stable.map(|stable| Compared::Stable(Box::new(stable)))
            }
            Condition::Comparison { with: Reference::Baseline, .. } => {
                Some(Compared::Baseline(Err("there is no baseline".to_owned())))
            }
            _ => None,
        };
        let first = slots
            .first()
            .and_then(|slot| config.services.get(&slot.service)?.indicators.get(spec.when.indicator()?));
        let source = first.map(|indicator| indicator.source.clone());
        // The slowest of the sources says what a gap is.
        let interval = slots.iter().filter_map(|slot| interval_of(config, &slot.service, spec)).max();
        let interval = interval.unwrap_or_default();
        Self {
            trigger: trigger.clone(),
            query: query(spec, first.map(|indicator| &indicator.read)),
            spec: Arc::clone(spec),
            service: service.cloned(),
            arm,
            source,
            threshold: Some(Threshold {
                spec: Arc::clone(spec),
                slots,
                compared,
                memory: Sustained::default(),
                max_gap: (interval * 3).max(Duration::from_secs(2)),
                unit: match &spec.when {
                    // So many times something.
                    Condition::Comparison { times: Some(_), .. } => Unit::Plain,
                    _ => first.map_or(Unit::Plain, |indicator| indicator.read.unit()),
                },
                evaluated: None,
            }),
        }
    }

    pub(super) const fn arm(&self) -> Option<Arm> {
        self.arm
    }

    pub(super) const fn source(&self) -> Option<&SourceName> {
        self.source.as_ref()
    }

    pub(super) fn condition(&self) -> &Condition {
        &self.spec.when
    }

    pub(super) fn indicator(&self) -> Option<&IndicatorName> {
        self.spec.when.indicator()
    }

    /// Takes over what was recorded of the last good release.
    pub(super) fn compare_with(&mut self, baseline: Option<&Baseline>) {
        let Condition::Comparison { indicator, quantile, .. } = &self.spec.when else { return };
        let Some(Compared::Baseline(value)) =
            self.threshold.as_mut().and_then(|threshold| threshold.compared.as_mut())
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
            if let Some(threshold) = &mut self.threshold {
                threshold.evaluated = None;
                threshold.memory.clear();
            }
        }
    }

    pub(super) const fn threshold_mut(&mut self) -> Option<&mut Threshold> {
        self.threshold.as_mut()
    }

    /// Takes a sample that speaks for this arm of its service, if it is one of this trigger's. Says whether it was.
    pub(super) fn take(&mut self, sample: &Sample, arm: Option<Arm>) -> bool {
        if self.indicator() != Some(&sample.indicator) {
            return false;
        }
        let Some(threshold) = &mut self.threshold else { return false };
        let mut was_taken = false;
        if let Some(Compared::Stable(stable)) = &mut threshold.compared
            && arm == Some(Arm::Stable)
            && stable.service == sample.service
        {
            stable.has_changed |= stable.window.push(sample.from, sample.at, sample.value.clone());
        }
        for slot in threshold.slots_of(&sample.service) {
            if slot.arm == arm && slot.window.push(sample.from, sample.at, sample.value.clone()) {
                slot.has_changed = true;
                was_taken = true;
            }
        }
        was_taken
    }

    /// Forgets what was read of an arm before a time.
    pub(super) fn forget(&mut self, service: &ServiceName, arm: Arm, since: Timestamp) {
        let Some(threshold) = &mut self.threshold else { return };
        let mut has_forgotten = false;
        if let Some(Compared::Stable(stable)) = &mut threshold.compared
            && arm == Arm::Stable
        {
            stable.window.forget_before(since);
            stable.has_changed = true;
            has_forgotten = true;
        }
        for slot in threshold.slots_of(service) {
            if slot.arm.is_none_or(|slot_arm| slot_arm == arm) {
                slot.window.forget_before(since);
                slot.has_changed = true;
                has_forgotten = true;
            }
        }
        if has_forgotten {
            threshold.evaluated = None;
            // Over the whole environment the others go on: where somebody always deploys, nothing would ever hold for its
            // time.
            if self.service.is_some() {
                threshold.memory.clear();
            }
        }
    }

    /// The evaluation of a threshold, seen from now.
    pub(super) fn evaluation(
        &self,
        now: Timestamp,
        stale_after: Duration,
        fault: Option<&str>,
        missing: Option<&str>,
        expected: Option<Timestamp>,
    ) -> Evaluation {
        let Some(threshold) = &self.threshold else {
            // Probes of the whole environment are not a thing the config allows.
            return self.unknown(Unknown::NoData, None, Duration::ZERO);
        };
        let newest = threshold.newest();
        let (over, limit, above) = threshold.limit();
        let mut evidence = Evidence {
            query: self.query.clone(),
            value: None,
            limit: Quantity { unit: threshold.unit, ..limit },
            above,
            window_ms: over.as_millis() as u64,
            samples: 0.0,
            newest,
            judgement: None,
            said: None,
        };
        let is_stale = newest
            .is_some_and(|newest| now.duration_since(newest).unsigned_abs() > stale_after && newest < now);
        let status = match (&threshold.evaluated, newest) {
            (Some((_, judged)), Some(_)) if !is_stale => {
                evidence.value = judged.value;
                evidence.samples = judged.samples;
                judged.status.clone()
            }
            (_, newest) => {
                let reason = match (fault.or(missing), newest) {
                    (Some(reason), _) => Unknown::SourceError { reason: reason.to_owned() },
                    (None, Some(since)) => Unknown::Stale { since },
                    (None, None) => Unknown::NoData,
                };
                Status::Unknown { reason }
            }
        };
        let missing = Missing { expected, after: stale_after.max(threshold.max_gap), now };
        self.answer(status, evidence, missing)
    }

    /// The evaluation of a condition on probes.
    pub(super) fn probe_evaluation(
        &self,
        probes: &[ProbeView<'_>],
        now: Timestamp,
        stale_after: Duration,
        expected: Option<Timestamp>,
    ) -> Evaluation {
        let slowest = probes.iter().map(|(_, _, interval, _)| *interval).max().unwrap_or_default();
        let missing = Missing { expected, after: stale_after.max(slowest * 2), now };
        let limit = |interval: Duration| stale_after.max(interval * 2);
        // What an answer says holds until the next one is due, and a check that could not be run is no answer.
        let is_fresh = |(.., interval, streak): &&ProbeView<'_>| {
            streak
                .answered()
                .is_some_and(|at| at >= now || now.duration_since(at).unsigned_abs() <= limit(*interval))
        };
        let of_this = |probe: &Option<ProbeName>| {
            let is_meant = |(name, arm, ..): &&ProbeView<'_>| {
                probe.as_ref().is_none_or(|probe| probe == *name)
                    && (*arm == self.arm || self.spec.scope != Scope::Arm)
            };
            probes.iter().filter(is_meant).collect::<Vec<_>>()
        };
        match &self.spec.when {
            Condition::Consecutive { failures, within, probe } => {
                let probes = of_this(probe);
                let newest = probes.iter().filter_map(|(.., streak)| streak.answered()).max();
                let fresh = probes.iter().copied().filter(is_fresh);
                let since =
                    fresh.clone().filter_map(|(.., streak)| streak.failing_since(*failures, **within)).min();
                let failed = fresh.map(|(.., streak)| streak.failed()).max().unwrap_or_default();
                let evidence = Evidence {
                    query: self.query.clone(),
                    value: newest.map(|_| f64::from(failed)),
                    limit: Quantity { value: f64::from(*failures), unit: Unit::Plain },
                    above: true,
                    window_ms: within.as_millis() as u64,
                    samples: f64::from(failed),
                    newest,
                    judgement: None,
                    said: None,
                };
                let silent = probes.iter().copied().find(|probe| !is_fresh(probe));
                let status = match (since, silent) {
                    (Some(since), _) => Status::Breach { since },
                    (None, None) if probes.is_empty() => Status::Unknown { reason: Unknown::NoData },
                    (None, None) => Status::Ok,
                    (None, Some((.., streak))) => Status::Unknown { reason: unanswered(streak.answered()) },
                };
                self.answer(status, evidence, missing)
            }
            Condition::Availability { below, over, probe } => {
                let probes = of_this(probe);
                let newest = probes.iter().filter_map(|(.., streak)| streak.answered()).max();
                let start = now.checked_sub(**over).unwrap_or(Timestamp::MIN);
                let (all, up) = probes.iter().fold((0, 0), |(all, up), (.., streak)| {
                    let (a, u) = streak.availability(start);
                    (all + a, up + u)
                });
                let share = if all > 0 { Some(up as f64 / all as f64) } else { None };
                let evidence = Evidence {
                    query: self.query.clone(),
                    value: share,
                    limit: Quantity { unit: Unit::Share, ..*below },
                    above: false,
                    window_ms: over.as_millis() as u64,
                    samples: all as f64,
                    newest,
                    judgement: None,
                    said: None,
                };
                let status = match share {
                    _ if !probes.iter().copied().any(|probe| is_fresh(&probe)) => {
                        Status::Unknown { reason: unanswered(newest) }
                    }
                    Some(share) if all >= self.spec.min_samples => {
                        if share < below.value {
                            Status::Breach { since: newest.unwrap_or(now) }
                        } else {
                            Status::Ok
                        }
                    }
                    _ => Status::Unknown {
                        reason: Unknown::TooFewSamples { have: all, need: self.spec.min_samples },
                    },
                };
                self.answer(status, evidence, missing)
            }
            Condition::Threshold { .. } | Condition::Comparison { .. } | Condition::Alarm { .. } => {
                self.unknown(Unknown::NoData, None, stale_after)
            }
        }
    }

    fn unknown(&self, reason: Unknown, newest: Option<Timestamp>, window: Duration) -> Evaluation {
        self.stated(Status::Unknown { reason }, self.nothing(newest, window))
    }

    /// Evidence of nothing.
    fn nothing(&self, newest: Option<Timestamp>, window: Duration) -> Evidence {
        Evidence {
            query: self.query.clone(),
            value: None,
            limit: Quantity { value: 0.0, unit: Unit::Plain },
            above: true,
            window_ms: window.as_millis() as u64,
            samples: 0.0,
            newest,
            judgement: None,
            said: None,
        }
    }

    /// Applies the trigger's own word on missing data.
    fn answer(&self, status: Status, evidence: Evidence, missing: Missing) -> Evaluation {
        let status = match (&status, self.spec.no_data) {
            (Status::Unknown { .. }, NoData::Ok) => Status::Ok,
            (Status::Unknown { reason }, NoData::Breach) => match missing.since(reason, evidence.newest) {
                Some(since) => Status::Breach { since },
                None => status,
            },
            _ => status,
        };
        self.stated(status, evidence)
    }

    fn stated(&self, status: Status, evidence: Evidence) -> Evaluation {
        Evaluation {
            trigger: self.trigger.clone(),
            service: self.service.clone(),
            arm: self.arm,
            action: self.spec.action,
            severity: self.spec.severity,
            status,
            evidence,
        }
    }
}

/// The question in words.
fn query(spec: &TriggerSpec, read: Option<&SeriesSpec>) -> String {
    let value = |indicator: &IndicatorName, quantile: f64, aggregate: Aggregate| match read {
        Some(SeriesSpec::Latency { .. }) => format!("p{} of {indicator}", trim(quantile * 100.0)),
        Some(SeriesSpec::Ratio { .. }) => format!("share of {indicator}"),
        Some(SeriesSpec::Rate { .. }) => format!("{indicator} a second"),
        _ => format!("{} of {indicator}", format!("{aggregate:?}").to_lowercase()),
    };
    match &spec.when {
        Condition::Threshold { indicator, over, quantile, aggregate, .. } => {
            format!("{} over {}", value(indicator, *quantile, *aggregate), human(**over))
        }
        Condition::Comparison { indicator, with, times, over, quantile, aggregate, .. } => {
            let how = if times.is_some() { "by that of" } else { "minus that of" };
            let value = value(indicator, *quantile, *aggregate);
            format!("{value} over {} {how} {}", human(**over), with.word())
        }
        Condition::Consecutive { within, probe, .. } => match probe {
            Some(probe) => format!("failures in a row of probe {probe} within {}", human(**within)),
            None => format!("failures in a row of a probe within {}", human(**within)),
        },
        Condition::Availability { over, probe, .. } => match probe {
            Some(probe) => format!("share of checks of {probe} that succeed over {}", human(**over)),
            None => format!("share of checks that succeed over {}", human(**over)),
        },
        Condition::Alarm { source, .. } => format!("state of an alarm of {source}"),
    }
}

fn trim(percent: f64) -> String {
    let text = format!("{percent:.1}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Why nothing is known of a probe whose last answer was then.
fn unanswered(last: Option<Timestamp>) -> Unknown {
    last.map_or(Unknown::NoData, |since| Unknown::Stale { since })
}

impl Slot {
    /// What it says, for another to be compared with.
    fn reference(
        &mut self,
        newest: Timestamp,
        quantile: f64,
        aggregate: Aggregate,
        need: u64,
    ) -> Result<f64, String> {
        if self.window.expire(newest) || self.has_changed {
            self.totals = self.window.totals();
            self.has_changed = false;
        }
        let totals = self.totals.as_ref().ok_or("stable has no readings to compare with")?;
        let samples = totals.samples();
        if samples < need as f64 {
            return Err(format!("stable has too few samples to compare with: {samples:.0} of {need}"));
        }
        totals.value(quantile, aggregate).ok_or_else(|| "stable has no value to compare with".to_owned())
    }
}

impl Threshold {
    /// The slots of a service: few among those of a whole environment.
    fn slots_of<'a>(&'a mut self, service: &'a ServiceName) -> impl Iterator<Item = &'a mut Slot> {
        let first = self.slots.partition_point(|slot| slot.service < *service);
        self.slots[first..].iter_mut().take_while(move |slot| slot.service == *service)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.slots.iter().filter_map(|slot| slot.window.newest()).max()
    }

    /// The window, the limit, and whether it holds above it.
    fn limit(&self) -> (Duration, Quantity, bool) {
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
    pub(super) fn advance(&mut self) {
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
            if slot.window.expire(newest) || slot.has_changed {
                slot.totals = slot.window.totals();
                slot.has_changed = false;
            }
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
