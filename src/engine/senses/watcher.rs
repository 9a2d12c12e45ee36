//! One trigger, watching one subject.

pub(super) mod alarms;
mod probes;
mod threshold;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::release::Arm;
use crate::model::source::{Sample, SeriesSpec};
use crate::model::trigger::{
    Aggregate, Condition, Evaluation, Evidence, NoData, Reference, Scope, Status, TriggerSpec, Unknown,
};
use crate::model::units::human;
use crate::model::{IndicatorName, Quantity, ServiceName, SourceName, TriggerName, Unit};

use threshold::Threshold;

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

impl Watcher {
    fn threshold(
        config: &Config,
        trigger: &TriggerName,
        spec: &Arc<TriggerSpec>,
        service: Option<&ServiceName>,
        arm: Option<Arm>,
        slots: impl Iterator<Item = (ServiceName, Option<Arm>)>,
    ) -> Self {
        let (threshold, first) = Threshold::new(config, spec, service, slots);
        Self {
            trigger: trigger.clone(),
            query: query(spec, first.map(|indicator| &indicator.read)),
            spec: Arc::clone(spec),
            service: service.cloned(),
            arm,
            source: first.map(|indicator| indicator.source.clone()),
            threshold: Some(threshold),
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

    pub(super) const fn threshold_mut(&mut self) -> Option<&mut Threshold> {
        self.threshold.as_mut()
    }

    /// Takes a sample that speaks for this arm of its service, if it is one of this trigger's. Says whether it was.
    pub(super) fn take(&mut self, sample: &Sample, arm: Option<Arm>) -> bool {
        let is_ours = self.indicator() == Some(&sample.indicator);
        is_ours && self.threshold.as_mut().is_some_and(|threshold| threshold.take(sample, arm))
    }

    /// Forgets what was read of an arm before a time.
    pub(super) fn forget(&mut self, service: &ServiceName, arm: Arm, since: Timestamp) {
        // Over the whole environment the others go on: where somebody always deploys, nothing would ever hold for its time.
        let begins_anew = self.service.is_some();
        if let Some(threshold) = &mut self.threshold {
            threshold.forget(service, arm, since, begins_anew);
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
