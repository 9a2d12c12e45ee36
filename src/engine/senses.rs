//! The senses' memory: windows over what was read, the triggers evaluated on them, and the verdict of each service.
//!
//! It is the fold of samples and probe results, as the state is the fold of the events; neither is stored in the other.
//! What was read before an arm got its present release (or before traffic moved back) is forgotten, so that no verdict
//! speaks of another release. The judge of the two arms stands beside the triggers: it is fed the same samples and adds its
//! own [`Evaluation`].

mod judged;
mod verdict;
mod watcher;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::baseline::Baseline;
use crate::model::command::Actor;
use crate::model::judge::Promise;
use crate::model::probe::{ProbeOutcome, ProbeResult};
use crate::model::reading::{IndicatorReading, ProbeReading, ServiceReading};
use crate::model::release::{Arm, Release};
use crate::model::source::{Sample, SourceReport, Subject};
use crate::model::trigger::{Aggregate, Condition, Evaluation, Scope};
use crate::model::{IndicatorName, ProbeName, ReleaseRef, ServiceName, SourceName, Unit};
use crate::triggers::figure::Tally;
use crate::triggers::streak::Streak;
use crate::triggers::window::Window;

use super::state::ServiceState;
use judged::Judged;
use watcher::Watcher;
use watcher::alarms::{self, Alarms};

/// How far back the values shown to people look, at least.
const DISPLAY_WINDOW: Duration = Duration::from_secs(10);

/// The quantile of a latency that is shown to people.
pub(super) const DISPLAY_QUANTILE: f64 = 0.95;

/// What is remembered of the samples.
#[derive(Clone, Debug)]
pub struct Senses {
    services: BTreeMap<ServiceName, ServiceSense>,
    /// Triggers over the whole environment.
    environment: Vec<Watcher>,
    /// One of them was given something since they were evaluated.
    environment_is_fed: bool,
    /// Sources that cannot be read.
    faults: BTreeMap<SourceName, String>,
    /// The alarms that triggers watch, as they were read last.
    alarms: Alarms,
    /// What was heard of alarms that others send.
    pub(super) received: super::received::Memory,
    /// Indicators that a readable source does not have, and why.
    missing: BTreeMap<(ServiceName, IndicatorName), String>,
    stale_after: Duration,
    /// The judge's promise is one for all canaries.
    is_one_promise: bool,
    /// The first look. What was there before was not looked at, so it is not missing either.
    began: Option<Timestamp>,
}

/// What is remembered of one service.
#[derive(Clone, Debug)]
struct ServiceSense {
    probes: BTreeMap<ProbeName, ProbeSense>,
    watchers: Vec<Watcher>,
    judged: Option<Box<Judged>>,
    /// What each indicator of stable was like since it got its release.
    tallies: BTreeMap<IndicatorName, Tally>,
    stable: Option<ReleaseRef>,
    shown: BTreeMap<(IndicatorName, Option<Arm>), Shown>,
    arms_since: BTreeMap<Arm, Timestamp>,
    inventory_at: Option<Timestamp>,
    evaluated_at: Option<Timestamp>,
    reading: Arc<ServiceReading>,
}

#[derive(Clone, Debug)]
struct ProbeSense {
    arm: Option<Arm>,
    interval: Duration,
    streak: Streak,
}

#[derive(Clone, Debug)]
struct Shown {
    window: Window,
    unit: Unit,
}

impl Senses {
    /// Empty senses for an environment.
    pub fn new(config: &Config) -> Self {
        let stale_after = *config.guardrails.stale_after;
        let longest = longest_availability(config);
        let mut services = BTreeMap::new();
        for (name, spec) in &config.services {
            let probes = spec.probes.iter().map(|(probe, spec)| {
                let streak = Streak::new(longest);
                (probe.clone(), ProbeSense { arm: spec.arm, interval: *spec.interval, streak })
            });
            let mut shown = BTreeMap::new();
            for (indicator, spec) in &spec.indicators {
                let interval =
                    config.sources.get(&spec.source).map_or(DISPLAY_WINDOW, |source| *source.spacing());
                let unit = spec.read.unit();
                for arm in [None, Some(Arm::Stable), Some(Arm::Canary)] {
                    let window = Window::new(display_window(interval));
                    shown.insert((indicator.clone(), arm), Shown { window, unit });
                }
            }
            services.insert(
                name.clone(),
                ServiceSense {
                    probes: probes.collect(),
                    watchers: watcher::for_service(config, name),
                    judged: Judged::new(config, name).map(Box::new),
                    tallies: BTreeMap::new(),
                    stable: None,
                    shown,
                    arms_since: BTreeMap::new(),
                    inventory_at: None,
                    evaluated_at: None,
                    reading: Arc::default(),
                },
            );
        }
        Self {
            services,
            environment: watcher::for_environment(config),
            environment_is_fed: false,
            faults: BTreeMap::new(),
            alarms: Alarms::default(),
            received: super::received::Memory::default(),
            missing: BTreeMap::new(),
            stale_after,
            is_one_promise: config.judge.as_ref().is_some_and(|judge| judge.promise == Promise::All),
            began: None,
        }
    }

    /// The newest reading of a service.
    pub fn reading(&self, service: &ServiceName) -> Option<&Arc<ServiceReading>> {
        self.services.get(service).map(|sense| &sense.reading)
    }

    /// Takes over what another process has sensed of a service, until it is evaluated here.
    pub fn adopt(&mut self, service: &ServiceName, reading: Arc<ServiceReading>) {
        if let Some(sense) = self.services.get_mut(service) {
            sense.reading = reading;
        }
    }

    /// The newest readings of all services.
    pub fn readings(&self) -> BTreeMap<ServiceName, Arc<ServiceReading>> {
        self.services.iter().map(|(name, sense)| (name.clone(), Arc::clone(&sense.reading))).collect()
    }

    /// When a service was evaluated last.
    pub fn evaluated_at(&self, service: &ServiceName) -> Option<Timestamp> {
        self.services.get(service)?.evaluated_at
    }

    /// When the platform of a service was read last, successfully.
    pub fn inventory_at(&self, service: &ServiceName) -> Option<Timestamp> {
        self.services.get(service)?.inventory_at
    }

    /// Since when every answer of every probe of what serves as stable was healthy; none when one is not, when one gives
    /// no answers any more, or when there are none.
    pub fn probes_well_since(&self, service: &ServiceName, now: Timestamp) -> Option<Timestamp> {
        let sense = self.services.get(service)?;
        let mut since = None;
        for probe in sense.probes.values().filter(|probe| probe.arm != Some(Arm::Canary)) {
            let answered = probe.streak.answered()?;
            let limit = self.stale_after.max(probe.interval * 2);
            if answered < now && now.duration_since(answered).unsigned_abs() > limit {
                return None;
            }
            let is_answer = |last: &ProbeResult| matches!(last.outcome, ProbeOutcome::Answered { .. });
            probe.streak.last().filter(|last| is_answer(last))?;
            since = since.max(Some(probe.streak.well_since()?));
        }
        since
    }

    /// The newest data of a service.
    pub fn newest(&self, service: &ServiceName) -> Option<Timestamp> {
        self.services.get(service)?.reading.newest
    }

    /// The evaluations of triggers over the whole environment.
    pub fn environment(&self, now: Timestamp) -> Vec<Evaluation> {
        let evaluate = |watcher: &Watcher| watcher.evaluation(now, self.stale_after, None, None, self.began);
        self.environment.iter().map(evaluate).collect()
    }

    /// Notes that a platform was read.
    pub fn take_inventory_read(&mut self, service: &ServiceName, at: Timestamp) {
        if let Some(sense) = self.services.get_mut(service) {
            sense.inventory_at = sense.inventory_at.max(Some(at));
        }
    }

    /// Takes a probe's result. Says which service it concerned, if it was one of ours.
    pub fn take_probe(&mut self, result: &ProbeResult) -> Option<ServiceName> {
        let sense = self.services.get_mut(&result.service)?;
        let probe = sense.probes.get_mut(&result.probe)?;
        probe.streak.push(result).then(|| result.service.clone())
    }

    /// Takes a source's report. Says which services it concerned.
    pub fn take_source(
        &mut self,
        report: &SourceReport,
        config: &Config,
        services: &BTreeMap<ServiceName, Arc<ServiceState>>,
    ) -> BTreeSet<ServiceName> {
        let mut touched = BTreeSet::new();
        match &report.result {
            Err(fault) => {
                self.faults.insert(report.source.clone(), fault.reason.clone());
                let fed = config.services.iter().filter(|(_, spec)| {
                    spec.indicators.values().any(|indicator| indicator.source == report.source)
                });
                touched.extend(fed.map(|(name, _)| name.clone()));
                touched.extend(alarms::watching(config, &report.source));
            }
            Ok(reading) => {
                self.faults.remove(&report.source);
                if !reading.alarms.is_empty() {
                    self.alarms.take(report, &reading.alarms, config);
                    touched.extend(alarms::watching(config, &report.source));
                }
                for (service, indicator, reason) in &reading.missing {
                    self.missing.insert((service.clone(), indicator.clone()), reason.clone());
                    touched.insert(service.clone());
                }
                for sample in &reading.samples {
                    if self.take_sample(sample, services.get(&sample.service).map(Arc::as_ref)) {
                        touched.insert(sample.service.clone());
                    }
                }
            }
        }
        touched
    }

    /// Takes one sample. False when it speaks of nothing that is watched, or of no release that gets traffic.
    pub fn take_sample(&mut self, sample: &Sample, state: Option<&ServiceState>) -> bool {
        let arm = match &sample.subject {
            Subject::Whole => None,
            Subject::Arm(arm) => Some(*arm),
            Subject::Version(version) => {
                let arm = state
                    .and_then(|state| state.inventory.as_ref())
                    .and_then(|inventory| inventory.arm_of(version));
                let Some(arm) = arm else { return false };
                Some(arm)
            }
        };
        let Some(sense) = self.services.get_mut(&sample.service) else { return false };
        if !self.missing.is_empty() {
            self.missing.remove(&(sample.service.clone(), sample.indicator.clone()));
        }
        if let Some(shown) = sense.shown.get_mut(&(sample.indicator.clone(), arm)) {
            shown.window.push(sample.from, sample.at, sample.value.clone());
        }
        for watcher in &mut sense.watchers {
            watcher.take(sample, arm);
        }
        if let (Some(judged), Some(arm)) = (&mut sense.judged, arm) {
            judged.take(sample, arm);
        }
        if arm != Some(Arm::Canary) {
            // What began before stable got its release speaks of another.
            let since = sense.arms_since.get(&Arm::Stable);
            if since.is_some_and(|since| sample.from >= *since) {
                let tally = sense.tallies.entry(sample.indicator.clone()).or_default();
                tally.push(sample.from, sample.at, &sample.value);
            }
        }
        for watcher in &mut self.environment {
            self.environment_is_fed |= watcher.take(sample, arm);
        }
        true
    }

    /// Forgets what was read before a service's arms got what they have now.
    pub fn follow_arms(&mut self, service: &ServiceName, state: &ServiceState) {
        let Some(sense) = self.services.get_mut(service) else { return };
        let stable = state.stable().map(|release| &release.reference);
        let is_another = stable.is_some() && stable != sense.stable.as_ref();
        if is_another {
            sense.tallies.clear();
            sense.stable = stable.cloned();
        }
        if let Some(judged) = &mut sense.judged {
            if is_another {
                judged.forget_stable();
            }
            judged.follow(state);
        }
        sense.compare_with(state.baseline.as_deref());
        for (arm, since) in &state.arms_since {
            if sense.arms_since.get(arm) == Some(since) {
                continue;
            }
            sense.arms_since.insert(*arm, *since);
            for ((_, shown_arm), shown) in &mut sense.shown {
                if shown_arm.is_none_or(|shown_arm| shown_arm == *arm) {
                    shown.window.forget_before(*since);
                }
            }
            for watcher in sense.watchers.iter_mut().chain(&mut self.environment) {
                watcher.forget(service, *arm, *since);
            }
            for probe in sense.probes.values_mut() {
                // A probe without an arm speaks of whatever serves: any change makes its past old.
                if probe.arm.is_none_or(|probe_arm| probe_arm == *arm) {
                    probe.streak.forget_before(*since);
                }
            }
        }
    }

    /// Takes over another baseline.
    pub fn compare_with(&mut self, service: &ServiceName, baseline: Option<&Baseline>) {
        if let Some(sense) = self.services.get_mut(service) {
            sense.compare_with(baseline);
        }
    }

    /// What the release that serves as stable is like, as far as enough was read of it; none when nothing was.
    pub fn baseline(
        &self,
        service: &ServiceName,
        release: &Release,
        by: Actor,
        at: Timestamp,
    ) -> Option<Baseline> {
        let sense =
            self.services.get(service).filter(|sense| sense.stable.as_ref() == Some(&release.reference))?;
        let figures = sense.tallies.iter();
        let figures: BTreeMap<_, _> =
            figures.filter_map(|(name, tally)| Some((name.clone(), tally.figure()?.clone()))).collect();
        let (version, release) = (release.version.clone(), release.reference.clone());
        (!figures.is_empty()).then_some(Baseline { version, release, at, by, figures })
    }

    /// Evaluates everything about a service anew, from what is remembered.
    pub fn evaluate(&mut self, service: &ServiceName, state: Option<&ServiceState>, now: Timestamp) {
        let began = *self.began.get_or_insert(now);
        let others = self.others(service);
        let Some(sense) = self.services.get_mut(service) else { return };
        sense.evaluated_at = Some(now);
        let has_canary = state.is_some_and(|state| state.canary().is_some());
        let mut evaluations = Vec::with_capacity(sense.watchers.len());
        for watcher in &mut sense.watchers {
            if watcher.arm() == Some(Arm::Canary) && !has_canary {
                continue;
            }
            if let Some(threshold) = watcher.threshold_mut() {
                threshold.advance();
            }
            let fault = watcher.source().and_then(|source| self.faults.get(source)).map(String::as_str);
            let missing = watcher.indicator().filter(|_| !self.missing.is_empty()).and_then(|indicator| {
                self.missing.get(&(service.clone(), indicator.clone())).map(String::as_str)
            });
            let expected = Some(began).max(match watcher.arm() {
                Some(arm) => sense.arms_since.get(&arm).copied(),
                None => sense.arms_since.values().max().copied(),
            });
            let evaluation = match watcher.condition() {
                Condition::Threshold { .. } | Condition::Comparison { .. } => {
                    watcher.evaluation(now, self.stale_after, fault, missing, expected)
                }
                Condition::Alarm { .. } => {
                    // Not since this process looks: an alarm keeps its own memory.
                    let arrived = match watcher.arm() {
                        Some(arm) => sense.arms_since.get(&arm).copied(),
                        None => sense.arms_since.values().max().copied(),
                    };
                    watcher.alarm_evaluation(&self.alarms, now, self.stale_after, fault, arrived, expected)
                }
                _ => {
                    let probes = sense
                        .probes
                        .iter()
                        // The probe of an arm that does not serve speaks of no release: an idle colour may be down.
                        .filter(|(_, probe)| has_canary || probe.arm != Some(Arm::Canary))
                        .map(|(name, probe)| (name, probe.arm, probe.interval, &probe.streak))
                        .collect::<Vec<_>>();
                    watcher.probe_evaluation(&probes, now, self.stale_after, expected)
                }
            };
            evaluations.push(evaluation);
        }
        if let Some(judged) = &mut sense.judged {
            let fault = |source: &SourceName, indicator: &IndicatorName| {
                let missing = || self.missing.get(&(service.clone(), indicator.clone()));
                self.faults.get(source).or_else(missing).map(String::as_str)
            };
            evaluations.extend(judged.evaluate(now, &fault, &others).filter(|_| has_canary));
        }
        let reading = sense.read(evaluations, state, has_canary, now, self.stale_after);
        sense.reading = Arc::new(reading);
    }

    /// The evidence against the canaries of other services, where the judge's promise is one for all of them.
    fn others(&self, service: &ServiceName) -> Vec<f64> {
        let judged = |sense: &ServiceSense| sense.judged.as_ref()?.log_e();
        if !self.is_one_promise || self.services.get(service).and_then(judged).is_none() {
            return Vec::new();
        }
        let others = self.services.iter().filter(|(name, _)| *name != service);
        others.filter_map(|(_, sense)| judged(sense)).collect()
    }

    /// Whether there is something new for the triggers over the whole environment.
    pub const fn environment_is_fed(&self) -> bool {
        self.environment_is_fed
    }

    /// Evaluates the triggers over the whole environment anew.
    pub fn evaluate_environment(&mut self) {
        self.environment_is_fed = false;
        for watcher in &mut self.environment {
            if let Some(threshold) = watcher.threshold_mut() {
                threshold.advance();
            }
        }
    }

    /// Whether any trigger watches the whole environment.
    pub fn watches_environment(&self) -> bool {
        !self.environment.is_empty()
    }
}

impl ServiceSense {
    fn compare_with(&mut self, baseline: Option<&Baseline>) {
        for threshold in self.watchers.iter_mut().filter_map(Watcher::threshold_mut) {
            threshold.compare_with(baseline);
        }
    }

    fn read(
        &self,
        mut evaluations: Vec<Evaluation>,
        state: Option<&ServiceState>,
        has_canary: bool,
        now: Timestamp,
        stale_after: Duration,
    ) -> ServiceReading {
        let mut newest = None;
        let mut indicators = Vec::new();
        for ((indicator, arm), shown) in &self.shown {
            if *arm == Some(Arm::Canary) && !has_canary {
                continue;
            }
            let Some(at) = shown.window.newest() else { continue };
            newest = newest.max(Some(at));
            let totals = shown.window.totals();
            indicators.push(IndicatorReading {
                indicator: indicator.clone(),
                arm: *arm,
                value: totals.as_ref().and_then(|totals| totals.value(DISPLAY_QUANTILE, Aggregate::Last)),
                unit: shown.unit,
                samples: totals.as_ref().map_or(0.0, crate::triggers::window::Totals::samples),
                at,
            });
        }
        // The state of an alarm is data too, as old as the question.
        let alarms = evaluations.iter().filter(|evaluation| evaluation.evidence.said.is_some());
        newest = newest.max(alarms.filter_map(|evaluation| evaluation.evidence.newest).max());
        let mut probes = BTreeMap::new();
        for (name, probe) in &self.probes {
            if let Some(last) = probe.streak.last() {
                newest = newest.max(Some(last.at));
                probes.insert(
                    name.clone(),
                    ProbeReading { last: last.clone(), failures: probe.streak.failed() },
                );
            }
        }
        let senses = verdict::ProbeView { probes: &self.probes, now, stale_after };
        let verdicts = verdict::form(&mut evaluations, &senses, state, has_canary);
        ServiceReading {
            verdict: Some(verdicts.whole),
            arms: verdicts.arms,
            probes,
            indicators,
            evaluations,
            newest,
        }
    }
}

/// How far back the value shown of an indicator looks, by the interval of its source.
pub(super) fn display_window(interval: Duration) -> Duration {
    DISPLAY_WINDOW.max(interval * 3)
}

fn longest_availability(config: &Config) -> Duration {
    let spans = config.triggers.values().map(|trigger| match &trigger.when {
        Condition::Availability { over, .. } => **over,
        _ => Duration::ZERO,
    });
    spans.max().unwrap_or_default().max(Duration::from_secs(60))
}

/// The services that a trigger watches.
pub(super) fn watched<'a>(
    config: &'a Config,
    spec: &'a crate::model::trigger::TriggerSpec,
) -> impl Iterator<Item = &'a ServiceName> {
    config.services.iter().filter_map(move |(name, service)| {
        let has = match &spec.when {
            Condition::Threshold { indicator, .. } | Condition::Comparison { indicator, .. } => {
                service.indicators.contains_key(indicator)
            }
            Condition::Consecutive { probe, .. } | Condition::Availability { probe, .. } => {
                probe.as_ref().map_or(!service.probes.is_empty(), |probe| service.probes.contains_key(probe))
            }
            Condition::Alarm { .. } => true,
        };
        let asked = spec.services.as_ref().is_none_or(|services| services.contains(name));
        (has && asked).then_some(name)
    })
}

/// The arms that a trigger has to look at for an indicator: both, or only "the service" where the source cannot tell.
fn arms_of(
    config: &Config,
    service: &ServiceName,
    indicator: &IndicatorName,
    scope: Scope,
) -> Vec<Option<Arm>> {
    let tells = config.services.get(service).is_some_and(|service| {
        service.indicators.get(indicator).is_some_and(|spec| {
            let source = config.sources.get(&spec.source);
            source.is_some_and(|source| source.tells_arms(&spec.read, &service.probes))
        })
    });
    match (scope, tells) {
        (_, false) => vec![None],
        (_, true) => vec![Some(Arm::Stable), Some(Arm::Canary)],
    }
}
