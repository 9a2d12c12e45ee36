//! One policy, driven through the past.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::operation::{Outcome as Ended, Plan, PlanKind};
use crate::model::release::{Arm, Inventory, Quality, Share};
use crate::model::source::{Sample, SourceFault, SourceReport, Subject};
use crate::model::trigger::{Finding, TriggerAction};
use crate::model::{FindingId, OperationId, ReleaseRef, ServiceName, Version};

use super::super::core::Core;
use super::super::input::Input;
use super::super::state::{ServiceState, State};
use super::{Found, HeldBack, Moment, Outcome, Policy, WouldRollBack};

/// How often time passes where nothing was read: as often as the fastest source is read, within these bounds.
const TICKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Why nothing is decided about a service whose past is ignored.
const ASIDE: &str = "a would-be rollback: its past is ignored until its next release";

/// A policy on its way through the past.
#[derive(Debug)]
pub struct Replay {
    core: Core,
    now: Timestamp,
    tick: Duration,
    read_every: Duration,
    tracks: BTreeMap<ServiceName, Track>,
    outcome: Outcome,
}

/// What is known of a service besides what the core knows.
#[derive(Debug, Default)]
struct Track {
    /// What its platform said.
    recorded: Option<Inventory>,
    /// The platform cannot be read.
    unreadable: bool,
    read_at: Option<Timestamp>,
    aside: Option<Aside>,
    /// Findings that ask for a rollback, where no releases are known.
    open: BTreeSet<FindingId>,
}

/// A rollback that would have been: from here on the past of a release is ignored.
#[derive(Debug)]
struct Aside {
    release: ReleaseRef,
    version: Version,
    /// What got traffic then.
    served: BTreeSet<ReleaseRef>,
    /// The traffic as it would be.
    traffic: Vec<Share>,
    /// Its place among the rollbacks.
    rollback: usize,
}

impl Replay {
    /// Begins at a time, with what was known then. Of the state only what is of the world is taken: releases and what they
    /// are worth, baselines and freezes. What the guard of that time found, decided and did is left.
    pub fn new(policy: &Policy, known: &State, from: Timestamp) -> Self {
        let config = &policy.settings.config;
        let mut state = State::default();
        state.freeze.clone_from(&known.freeze);
        let mut tracks = BTreeMap::new();
        for name in config.services.keys() {
            let mut track = Track::default();
            if let Some(before) = known.service(name) {
                track.recorded.clone_from(&before.inventory);
                track.unreadable = before.platform_fault.is_some();
                let kept = ServiceState {
                    inventory: before.inventory.clone(),
                    arms_since: before.arms_since.clone(),
                    qualities: before.qualities.clone(),
                    freeze: before.freeze.clone(),
                    history: before.history.clone(),
                    baseline: before.baseline.clone(),
                    ..ServiceState::default()
                };
                state.services.insert(name.clone(), Arc::new(kept));
            }
            tracks.insert(name.clone(), track);
        }
        let fastest = config.sources.values().map(|source| *source.spacing()).min().unwrap_or(TICKS.1);
        Self {
            core: Core::new(Arc::clone(&policy.settings), Arc::new(state)),
            now: from,
            tick: fastest.clamp(TICKS.0, TICKS.1),
            read_every: (*config.rollback.read_every).max(TICKS.0),
            tracks,
            outcome: Outcome {
                name: policy.name.clone(),
                left_out: policy.left_out.clone(),
                ..Outcome::default()
            },
        }
    }

    /// Gives back what was sensed before it began.
    pub fn remember(&mut self, samples: &[Sample]) {
        self.core.remember(samples);
    }

    /// Takes what happened next. `recorded` is the fold of everything that was journaled until then, this moment included.
    pub fn take(&mut self, at: Timestamp, moment: &Moment, recorded: &State) {
        self.pass(at);
        match moment {
            Moment::Event(event) => self.take_event(event, recorded),
            Moment::Read(report) => {
                let report = self.without_what_would_not_be(report);
                self.step(Input::Source(report));
            }
        }
    }

    /// Goes on to the end of the past.
    pub fn finish(mut self, to: Timestamp) -> Outcome {
        self.pass(to);
        self.outcome
    }

    /// Lets time pass.
    fn pass(&mut self, to: Timestamp) {
        while let Ok(next) = self.now.checked_add(self.tick)
            && next < to
        {
            self.now = next;
            self.read_platforms();
            self.step(Input::Tick);
        }
        // Times of one source may be before those of another.
        self.now = self.now.max(to);
        self.read_platforms();
    }

    /// The guard reads every platform again and again; only what is new is journaled.
    fn read_platforms(&mut self) {
        let now = self.now;
        let is_due = |at: Timestamp| now.duration_since(at).unsigned_abs() >= self.read_every;
        let due = self.tracks.iter().filter(|(_, track)| {
            track.recorded.is_some() && !track.unreadable && track.read_at.is_none_or(is_due)
        });
        let due: Vec<ServiceName> = due.map(|(name, _)| name.clone()).collect();
        for service in due {
            self.read_platform(&service);
        }
    }

    /// Gives the core what the platform would say.
    fn read_platform(&mut self, service: &ServiceName) {
        let Some(track) = self.tracks.get_mut(service) else { return };
        let Some(mut inventory) = track.recorded.clone() else { return };
        if let Some(aside) = &track.aside {
            inventory.traffic.clone_from(&aside.traffic);
        }
        track.read_at = Some(self.now);
        self.step(Input::Inventory { service: service.clone(), at: self.now, result: Ok(inventory) });
    }

    fn step(&mut self, input: Input) {
        let turn = self.core.step(input, self.now);
        for event in turn.events {
            self.follow(event);
        }
    }

    /// What the core says that it does.
    fn follow(&mut self, event: Event) {
        match event {
            Event::FindingRaised { finding } => self.found(&finding),
            Event::FindingCleared { finding, .. } => {
                for track in self.tracks.values_mut() {
                    track.open.remove(&finding);
                }
            }
            Event::DecisionMade { decision } if decision.recommendation.rolls_back() && !decision.acted => {
                let track = self.tracks.get(&decision.service);
                if track.is_some_and(|track| track.aside.is_none() && track.recorded.is_some()) {
                    let blocking = decision.guardrails.iter().filter(|check| check.blocks());
                    self.outcome.held.push(HeldBack {
                        at: self.now,
                        service: decision.service.clone(),
                        guardrails: blocking.map(|check| check.guardrail).collect(),
                    });
                }
            }
            Event::OperationPlanned { operation, plan, reason, .. } if plan.kind == PlanKind::RollBack => {
                self.carry_out(&operation, &plan, reason);
            }
            // Nobody works on it: the next one is an incident of its own.
            Event::IncidentOpened { incident, .. } => {
                let reason = "a back-test".to_owned();
                let over = Event::IncidentResolved { incident, by: Actor::Engine, reason };
                self.core.take_in(&over, self.now);
            }
            _ => {}
        }
    }

    fn found(&mut self, finding: &Finding) {
        let at = self.now;
        let found = Found { at, service: finding.service.clone(), trigger: finding.trigger.clone() };
        let Some(service) = &finding.service else {
            self.outcome.found.push(found);
            return;
        };
        let Some(track) = self.tracks.get_mut(service) else { return };
        if track.aside.is_some() {
            return;
        }
        self.outcome.found.push(found);
        // Where no releases are known, what asks for a rollback stands for one.
        if track.recorded.is_none() && finding.action.rolls_back() {
            let is_first = track.open.is_empty();
            track.open.insert(finding.id.clone());
            let strategy = if finding.action == TriggerAction::Gradual {
                crate::model::operation::Strategy::Gradual
            } else {
                crate::model::operation::Strategy::Immediate
            };
            if is_first {
                self.outcome.rollbacks.push(WouldRollBack {
                    at,
                    service: service.clone(),
                    from: None,
                    to: None,
                    strategy,
                    triggers: vec![finding.trigger.clone()],
                    reason: format!("{}, {}", finding.evidence.query, finding.evidence.line()),
                    until: Some(at),
                    incident: None,
                });
            }
        }
    }

    /// Takes a rollback to have been carried out at once.
    fn carry_out(&mut self, operation: &OperationId, plan: &Plan, reason: String) {
        let service = &plan.service;
        let decision = self.core.state().service(service).and_then(|known| known.decision.clone());
        let findings = decision.iter().flat_map(|decision| &decision.findings);
        let mut triggers: Vec<_> = findings.map(|finding| finding.trigger.clone()).collect();
        triggers.sort();
        triggers.dedup();
        let Some(track) = self.tracks.get_mut(service) else { return };
        let rollback = self.outcome.rollbacks.len();
        self.outcome.rollbacks.push(WouldRollBack {
            at: self.now,
            service: service.clone(),
            from: Some((plan.from.version.clone(), plan.from.reference.clone())),
            to: Some(plan.to.version.clone()),
            strategy: plan.strategy,
            triggers,
            reason: reason.clone(),
            until: None,
            incident: None,
        });
        let served = track.recorded.as_ref().map(serving).unwrap_or_default();
        let traffic = vec![Share { reference: plan.to.reference.clone(), arm: Arm::Stable, percent: 100 }];
        track.aside = Some(Aside {
            release: plan.from.reference.clone(),
            version: plan.from.version.clone(),
            served,
            traffic,
            rollback,
        });
        self.read_platform(service);
        let (now, release) = (self.now, plan.to.reference.clone());
        let operation = operation.clone();
        let events = [
            Event::TrafficBack { operation: operation.clone(), release },
            Event::ReleaseMarked {
                service: service.clone(),
                version: plan.from.version.clone(),
                release: plan.from.reference.clone(),
                quality: Quality::Bad,
                by: Actor::Engine,
                reason,
            },
            Event::OperationEnded { operation, outcome: Ended::Verified, detail: ASIDE.to_owned() },
            Event::FreezeSet {
                service: Some(service.clone()),
                until: None,
                by: Actor::Engine,
                reason: ASIDE.to_owned(),
            },
        ];
        for event in &events {
            self.core.take_in(event, now);
        }
    }

    fn take_event(&mut self, event: &Event, recorded: &State) {
        match event {
            Event::InventoryChanged { service, inventory } => {
                let Some(track) = self.tracks.get_mut(service) else { return };
                let is_over = track.aside.as_ref().is_some_and(|aside| aside.is_over(inventory));
                track.recorded = Some(inventory.clone());
                track.unreadable = false;
                if is_over {
                    self.end_aside(service, recorded);
                }
                self.read_platform(service);
            }
            Event::PlatformReadable { service, fault } => {
                let Some(track) = self.tracks.get_mut(service) else { return };
                track.unreadable = fault.is_some();
                match fault {
                    None => self.read_platform(service),
                    Some(reason) => {
                        let (at, result) = (self.now, Err(reason.clone()));
                        self.step(Input::Inventory { service: service.clone(), at, result });
                    }
                }
            }
            Event::SourceReadable { source, fault: Some(reason) } => {
                let result = Err(SourceFault { reason: reason.clone() });
                self.step(Input::Source(SourceReport { source: source.clone(), at: self.now, result }));
            }
            Event::ReleaseMarked { service, release, .. } => {
                let is_aside = |aside: &Aside| aside.release == *release;
                if !self.aside(service).is_some_and(is_aside) {
                    self.core.take_in(event, self.now);
                }
            }
            // A freeze of ours holds meanwhile; theirs is taken up when it ends.
            Event::BaselineRecorded { service, .. }
            | Event::BaselineForgotten { service, .. }
            | Event::CountReset { service, .. }
            | Event::FreezeSet { service: Some(service), .. }
            | Event::FreezeLifted { service: Some(service), .. }
                if self.tracks.contains_key(service) && self.aside(service).is_none() =>
            {
                self.core.take_in(event, self.now);
            }
            Event::FreezeSet { service: None, .. } | Event::FreezeLifted { service: None, .. } => {
                self.core.take_in(event, self.now);
            }
            _ => {}
        }
    }

    fn aside(&self, service: &ServiceName) -> Option<&Aside> {
        self.tracks.get(service)?.aside.as_ref()
    }

    /// The past is taken as it was recorded again.
    fn end_aside(&mut self, service: &ServiceName, recorded: &State) {
        let Some(aside) = self.tracks.get_mut(service).and_then(|track| track.aside.take()) else { return };
        if let Some(rollback) = self.outcome.rollbacks.get_mut(aside.rollback) {
            rollback.until = Some(self.now);
        }
        let known = recorded.service(service);
        let mark = known.and_then(|known| known.qualities.get(&aside.release));
        let (service, by, reason) = (service.clone(), Actor::Engine, "a back-test".to_owned());
        let mut events = vec![
            Event::ReleaseMarked {
                service: service.clone(),
                version: aside.version,
                release: aside.release,
                quality: mark.map_or(Quality::Unknown, |mark| mark.quality),
                by: by.clone(),
                reason: reason.clone(),
            },
            Event::CountReset { service: service.clone(), by: by.clone(), reason: reason.clone() },
            match known.and_then(|known| known.freeze.clone()) {
                None => Event::FreezeLifted {
                    service: Some(service.clone()),
                    by: by.clone(),
                    reason: reason.clone(),
                },
                Some(freeze) => Event::FreezeSet {
                    service: Some(service.clone()),
                    until: freeze.until,
                    by: freeze.by,
                    reason: freeze.reason,
                },
            },
        ];
        events.push(match known.and_then(|known| known.baseline.clone()) {
            None => Event::BaselineForgotten { service, by, reason },
            Some(baseline) => {
                Event::BaselineRecorded { service, baseline: baseline.as_ref().clone(), reason }
            }
        });
        for event in &events {
            self.core.take_in(event, self.now);
        }
    }

    /// A reading without what speaks of a release that would have been taken back.
    fn without_what_would_not_be(&self, report: &SourceReport) -> SourceReport {
        let mut report = report.clone();
        if let Ok(reading) = &mut report.result
            && self.tracks.values().any(|track| track.aside.is_some())
        {
            reading.samples.retain(|sample| {
                let Some(track) = self.tracks.get(&sample.service) else { return true };
                let (Some(aside), Some(recorded)) = (&track.aside, &track.recorded) else { return true };
                match &sample.subject {
                    Subject::Version(version) => *version != aside.version,
                    Subject::Arm(arm) => {
                        recorded.share(*arm).is_none_or(|share| share.reference != aside.release)
                    }
                    Subject::Whole => recorded.percent(&aside.release) == 0,
                }
            });
        }
        report
    }
}

impl Aside {
    /// Whether the past goes on with another release, or without the one that would have been taken back.
    fn is_over(&self, inventory: &Inventory) -> bool {
        let serving = serving(inventory);
        !serving.contains(&self.release) || serving.difference(&self.served).next().is_some()
    }
}

/// What gets traffic.
fn serving(inventory: &Inventory) -> BTreeSet<ReleaseRef> {
    let shares = inventory.traffic.iter().filter(|share| share.percent > 0);
    shares.map(|share| share.reference.clone()).collect()
}
