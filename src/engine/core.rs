//! The pure heart: `(State, Input, now) -> (events, effects)`.
//!
//! No clock, no random number, no I/O, no task. The same inputs at the same times give the same events, so live running,
//! replay and simulation are one code. Whoever drives it makes the events durable before carrying any effect out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::breaker::{Breaker, BreakerLimits, BreakerState, BreakerStatus, Dependency};
use crate::model::command::Actor;
use crate::model::decision::Decision;
use crate::model::decision::Recommendation;
use crate::model::event::Event;
use crate::model::operation::{PlanKind, Strategy};
use crate::model::reading::ServiceReading;
use crate::model::release::{Arm, Inventory, Quality};
use crate::model::source::Sample;
use crate::model::trigger::{Evaluation, Finding, Severity, Status, Verdict};
use crate::model::{DecisionId, FindingId, OperationId, ServiceName};

use super::decide::{self, Weighed};
use super::guardrails::{self, Intent};
use super::input::{Effect, Input, Settings};
use super::planner;
use super::senses::Senses;
use super::state::State;
use super::target::{self, Target};
use super::{
    baseline, checklist, commands, deliveries, executor, incidents, instances, joint, messages, received,
    watching,
};

/// How often a service is looked at anew although nothing was read of it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn is_due(looked_at: Timestamp, now: Timestamp) -> bool {
    looked_at > now || now.duration_since(looked_at).unsigned_abs() >= LOOK_AGAIN
}

/// The engine's mind: the state and what was sensed.
#[derive(Clone, Debug)]
pub struct Core {
    settings: Arc<Settings>,
    state: Arc<State>,
    senses: Senses,
    /// When the environment as a whole was looked at last.
    looked_at: Option<Timestamp>,
    stopping: bool,
}

/// What one step gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What is to be done, once the events are durable.
    pub effects: Vec<Effect>,
}

impl Core {
    /// A core that goes on from a state. What was sensed before can be given back with [`Core::remember`].
    pub fn new(settings: Arc<Settings>, state: Arc<State>) -> Self {
        let mut senses = Senses::new(&settings.config);
        for (name, service) in &state.services {
            senses.follow_arms(name, service);
        }
        Self { settings, state, senses, looked_at: None, stopping: false }
    }

    /// The state after the last step.
    pub const fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// What is sensed now.
    pub const fn senses(&self) -> &Senses {
        &self.senses
    }

    /// What the core knows of the world besides the events.
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Gives back samples that were recorded before this process began.
    pub fn remember(&mut self, samples: &[Sample]) {
        for sample in samples {
            let service = self.state.services.get(&sample.service).map(Arc::as_ref);
            self.senses.take_sample(sample, service);
        }
    }

    /// Takes over what the leader has sensed of a service, to propose by it. A reading from before the arms got what they have
    /// now, or one that is too old to act on, is left.
    pub fn adopt(
        &mut self,
        service: &ServiceName,
        reading: Arc<ServiceReading>,
        at: Timestamp,
        now: Timestamp,
    ) {
        let known = self.state.service(service);
        let speaks_of = known.and_then(|known| known.arms_since.values().max()).copied();
        let is_old =
            at < now && now.duration_since(at).unsigned_abs() > *self.settings.config.guardrails.stale_after;
        if !is_old && speaks_of.is_none_or(|since| since <= at) {
            self.senses.adopt(service, reading);
        }
    }

    /// From now on nothing is begun: the process is about to stop. What is being done is still taken to its end, and what
    /// comes after it is left, not begun, to the next one.
    pub const fn begin_nothing_more(&mut self) {
        self.stopping = true;
    }

    /// Takes in what happened without this core's doing: an event of a past that is played back. Nothing follows from it at
    /// once; the next input is looked at in its light.
    pub fn take_in(&mut self, event: &Event, at: Timestamp) {
        let mut work = Work {
            settings: &self.settings,
            state: &mut self.state,
            senses: &mut self.senses,
            now: at,
            stopping: self.stopping,
            events: Vec::new(),
            effects: Vec::new(),
        };
        work.emit(event.clone());
    }

    /// Takes one input.
    pub fn step(&mut self, input: Input, now: Timestamp) -> Turn {
        let mut work = Work {
            settings: &self.settings,
            state: &mut self.state,
            senses: &mut self.senses,
            now,
            stopping: self.stopping,
            events: Vec::new(),
            effects: Vec::new(),
        };
        match input {
            Input::Tick => {
                let look = self.looked_at.is_none_or(|at| is_due(at, now));
                if look {
                    self.looked_at = Some(now);
                }
                work.tick(look);
            }
            Input::Probe(result) => {
                if let Some(service) = work.senses.take_probe(&result) {
                    work.look(&service);
                }
            }
            Input::Source(report) => work.take_source(&report),
            Input::Inventory { service, at, result } => match result {
                Ok(inventory) => work.take_inventory(&service, inventory, at),
                Err(reason) => work.platform_fault(&service, Some(reason)),
            },
            Input::Breaker { dependency, status } => work.take_breaker(dependency, status),
            Input::StepFinished(finished) => executor::finished(&mut work, finished),
            Input::Command(envelope) => commands::handle(&mut work, envelope),
            Input::Alarms(batch) => received::take(&mut work, &batch),
            Input::AlarmPoll(poll) => received::take_poll(&mut work, &poll),
            Input::Leading { holder, program } => work.lead(holder, program),
            Input::NotificationFinished { id, attempt, end } => {
                deliveries::finished(&mut work, id, attempt, end);
            }
            Input::NotificationFellOver { id, reason } => deliveries::fell_over(&mut work, &id, &reason),
        }
        Turn { events: work.events, effects: work.effects }
    }
}

/// One step in progress: the parts of the core and what came out so far.
pub(super) struct Work<'a> {
    pub(super) settings: &'a Settings,
    pub(super) state: &'a mut Arc<State>,
    pub(super) senses: &'a mut Senses,
    pub(super) now: Timestamp,
    /// Nothing more is begun.
    pub(super) stopping: bool,
    pub(super) events: Vec<Event>,
    pub(super) effects: Vec<Effect>,
}

impl Work<'_> {
    pub(super) fn config(&self) -> &Config {
        &self.settings.config
    }

    /// Lets something have happened: the state takes it in at once, the journal before any effect.
    pub(super) fn emit(&mut self, event: Event) {
        Arc::make_mut(self.state).apply(&event, self.now);
        if let Event::BaselineRecorded { service, .. } | Event::BaselineForgotten { service, .. } = &event {
            let baseline = self.state.service(service).and_then(|known| known.baseline.as_deref());
            self.senses.compare_with(service, baseline);
        }
        let moved = match &event {
            Event::InventoryChanged { service, .. } => Some(service.clone()),
            Event::TrafficBack { operation, .. } => {
                self.state.operation(operation).map(|operation| operation.plan.service.clone())
            }
            _ => None,
        };
        self.events.push(event);
        if let Some(service) = moved
            && let Some(known) = self.state.services.get(&service)
        {
            self.senses.follow_arms(&service, known);
            self.sense(&service);
        }
    }

    fn tick(&mut self, look: bool) {
        // What was read is looked at when it comes; here it is the time that passes which may change something.
        for service in self.settings.config.services.keys() {
            if self.senses.evaluated_at(service).is_none_or(|at| is_due(at, self.now)) {
                self.look(service);
            }
        }
        if look {
            // A finding outlives its trigger when that leaves the config: it has to be cleared all the same.
            if self.senses.watches_environment() || !self.state.findings.is_empty() {
                self.sync_environment();
            }
        }
        let open: Vec<OperationId> =
            self.state.open_operations().map(|operation| operation.id.clone()).collect();
        for operation in open {
            executor::advance(self, &operation);
        }
        if look {
            received::tick(self);
            watching::tick(self);
            instances::tick(self);
            joint::tick(self);
            incidents::tick(self);
            checklist::tick(self);
        }
    }

    fn lead(&mut self, holder: String, program: String) {
        self.emit(Event::LeaderChanged { holder, program });
        // This process has asked nobody yet, so it leaves nobody alone.
        let left_alone: Vec<Dependency> = self.state.breakers().map(|(dependency, _)| dependency).collect();
        for dependency in left_alone {
            let breaker = Breaker::new(BreakerLimits::default(), self.now).status().clone();
            self.emit(Event::BreakerChanged { dependency, breaker });
        }
        deliveries::begin_again(self);
        for service in self.settings.config.services.keys() {
            self.effects.push(Effect::ReadPlatform(service.clone()));
        }
        let open: Vec<OperationId> =
            self.state.open_operations().map(|operation| operation.id.clone()).collect();
        for operation in open {
            executor::take_over(self, &operation);
        }
    }

    fn take_source(&mut self, report: &crate::model::source::SourceReport) {
        let fault = report.result.as_ref().err().map(|fault| fault.reason.clone());
        let was_fault = self.state.source_faults.contains_key(&report.source);
        if fault.is_some() != was_fault {
            self.emit(Event::SourceReadable { source: report.source.clone(), fault });
        }
        let touched: BTreeSet<ServiceName> =
            self.senses.take_source(report, &self.settings.config, &self.state.services);
        for service in touched {
            self.look(&service);
        }
        if self.senses.environment_is_fed() {
            self.sync_environment();
        }
    }

    fn take_breaker(&mut self, dependency: Dependency, breaker: BreakerStatus) {
        let (is_ours, known) = match &dependency {
            Dependency::Source(source) => {
                (self.config().sources.contains_key(source), self.state.source_breakers.get(source))
            }
            Dependency::Platform(service) => (
                self.config().services.contains_key(service),
                self.state.service(service).and_then(|known| known.platform_breaker.as_ref()),
            ),
            Dependency::Channel(channel) => {
                (self.config().channels.contains_key(channel), self.state.channel_breakers.get(channel))
            }
        };
        let is_new = match known {
            Some(known) => *known != breaker,
            None => breaker.state != BreakerState::Closed,
        };
        if is_ours && is_new {
            self.emit(Event::BreakerChanged { dependency, breaker });
        }
    }

    pub(super) fn take_inventory(&mut self, service: &ServiceName, inventory: Inventory, at: Timestamp) {
        // A reading that was asked for before a newer one arrived is old news.
        let is_old = self.senses.inventory_at(service).is_some_and(|newest| at < newest);
        if is_old || !self.settings.config.services.contains_key(service) {
            return;
        }
        self.senses.take_inventory_read(service, at);
        self.platform_fault(service, None);
        let known = self.state.service(service).and_then(|known| known.inventory.as_ref());
        // The platform's own revision moves with every touch; it is not news by itself.
        let is_new = known.is_none_or(|known| {
            Inventory { revision: None, ..known.clone() } != Inventory { revision: None, ..inventory.clone() }
        });
        if is_new {
            baseline::record_before(self, service, &inventory);
            self.emit(Event::InventoryChanged { service: service.clone(), inventory });
            self.review(service);
        }
    }

    fn platform_fault(&mut self, service: &ServiceName, fault: Option<String>) {
        let was = self.state.service(service).is_some_and(|known| known.platform_fault.is_some());
        if was != fault.is_some() && self.settings.config.services.contains_key(service) {
            self.emit(Event::PlatformReadable { service: service.clone(), fault });
            self.look(service);
        }
    }

    /// Looks at a service: verdicts, findings, decision.
    pub(super) fn look(&mut self, service: &ServiceName) {
        self.sense(service);
        self.mark_good(service);
        self.review(service);
        incidents::consider(self, service);
    }

    /// Evaluates a service and journals verdicts that have changed.
    fn sense(&mut self, service: &ServiceName) {
        self.senses.evaluate(service, self.state.service(service), self.now);
        let Some(reading) = self.senses.reading(service).map(Arc::clone) else { return };
        let known = self.state.service(service);
        let mut changed: Vec<(Option<Arm>, Verdict)> = Vec::new();
        if let Some(verdict) = &reading.verdict
            && !known
                .and_then(|known| known.verdict.as_ref())
                .is_some_and(|(old, _)| old.is_same_kind(verdict))
        {
            changed.push((None, verdict.clone()));
        }
        for (arm, verdict) in &reading.arms {
            if !known.and_then(|known| known.arms.get(arm)).is_some_and(|(old, _)| old.is_same_kind(verdict))
            {
                changed.push((Some(*arm), verdict.clone()));
            }
        }
        for (arm, verdict) in changed {
            self.emit(Event::VerdictChanged { service: service.clone(), arm, verdict });
        }
    }

    /// Records that a release is good once it has served stable's traffic and been healthy for long enough.
    fn mark_good(&mut self, service: &ServiceName) {
        let Some(known) = self.state.service(service) else { return };
        // While the platform cannot be read, another release may serve by now. Behind the maintenance page none does.
        if known.operation.is_some()
            || known.inventory.as_ref().is_some_and(|inventory| inventory.maintenance == Some(true))
            || known.platform_fault.is_some()
            || self.senses.inventory_at(service).is_none()
        {
            return;
        }
        let (Some(release), Some((Verdict::Healthy, healthy_since)), Some(serving_since)) =
            (known.stable(), known.arms.get(&Arm::Stable), known.arms_since.get(&Arm::Stable))
        else {
            return;
        };
        // The journaled verdict goes on through the time without a leader, in which nobody looked.
        let led_since = self.state.leader.as_ref().map_or(Timestamp::MIN, |(_, since)| *since);
        let since = (*healthy_since.max(serving_since)).max(led_since);
        let good_after = *self.config().rollback.good_after;
        let is_long_enough = since <= self.now && self.now.duration_since(since).unsigned_abs() >= good_after;
        // A release that was marked bad stays so until a person says otherwise.
        if !is_long_enough || known.quality(&release.reference) != Quality::Unknown {
            return;
        }
        self.emit(Event::ReleaseMarked {
            service: service.clone(),
            version: release.version.clone(),
            release: release.reference.clone(),
            quality: Quality::Good,
            by: Actor::Engine,
            reason: format!("healthy as stable for {}", crate::model::units::human(good_after)),
        });
        baseline::record_first(self, service);
    }

    /// Brings findings up to date and decides.
    fn review(&mut self, service: &ServiceName) {
        if let Some(reading) = self.senses.reading(service).map(Arc::clone) {
            self.sync_findings(Some(service), &reading.evaluations);
        }
        let Some(known) = self.state.service(service) else { return };
        // While an operation runs, it is the answer. A process for a single command leaves deciding to a guard: what it
        // would have done is news to nobody.
        if known.operation.is_some() || !self.settings.by_itself || self.stopping {
            return;
        }
        let is_calm = known.findings.is_empty()
            && self.state.findings.is_empty()
            && known
                .decision
                .as_ref()
                .is_none_or(|decision| decision.recommendation == Recommendation::Watch)
            && !matches!(known.arms.get(&Arm::Canary), Some((Verdict::Unknown { .. }, _)));
        if !is_calm {
            self.decide(service);
        }
    }

    fn decide(&mut self, service: &ServiceName) {
        let weighed = decide::weigh(self.settings, self.state, self.senses, service, self.now);
        let Some(known) = self.state.service(service) else { return };
        let (target, kind) = match &weighed.suspect {
            _ if weighed.recommendation == Recommendation::ScaleOut => {
                let (target, instances) = instances::aim_by_itself(self, service);
                (target, PlanKind::Scale { instances })
            }
            Some((_, release)) => (target::choose(known, &release.reference, None), PlanKind::RollBack),
            None => (Target::none("nothing is live".to_owned()), PlanKind::RollBack),
        };
        let acts = weighed.recommendation.acts();
        let guardrails = if acts {
            let from = weighed.suspect.as_ref().map(|(_, release)| release);
            let intent = Intent {
                service,
                kind,
                automatic: true,
                from,
                target: &target,
                overrides: &[],
                database: None,
            };
            guardrails::check(self.settings, self.state, self.senses, intent, self.now)
        } else {
            Vec::new()
        };
        let blocking: Vec<_> =
            guardrails.iter().filter(|check| check.blocks()).map(|check| check.guardrail).collect();
        let will_act = acts && blocking.is_empty();
        if let Some(last) = &known.decision {
            let is_same = last.recommendation == weighed.recommendation
                && last
                    .findings
                    .iter()
                    .map(|finding| &finding.id)
                    .eq(weighed.findings.iter().map(|finding| &finding.id))
                && last
                    .guardrails
                    .iter()
                    .filter(|check| check.blocks())
                    .map(|check| check.guardrail)
                    .eq(blocking.iter().copied())
                && (last.acted || !will_act);
            // Load that stays asks again; a release that was taken back is not taken back again.
            let is_same = is_same && !(will_act && weighed.recommendation == Recommendation::ScaleOut);
            // Calm after an operation is what was hoped for, not a decision.
            let is_calm =
                weighed.recommendation == Recommendation::Watch && weighed.findings.is_empty() && last.acted;
            if is_same || is_calm {
                return;
            }
        } else if weighed.recommendation == Recommendation::Watch && weighed.findings.is_empty() {
            return;
        }
        let id = self.state.next_decision();
        let Weighed { recommendation, confidence, reasons, findings, unknowns, suspect, would_change } =
            weighed;
        let mut would_change = would_change;
        for check in guardrails.iter().filter(|check| check.blocks()) {
            would_change.push(match check.until {
                Some(until) => format!("{} lets it pass from {until:.0} on", check.guardrail.word()),
                None => format!("{}: {}", check.guardrail.word(), check.detail),
            });
        }
        let decision = Decision {
            id: id.clone(),
            service: service.clone(),
            at: self.now,
            recommendation,
            confidence,
            reasons,
            findings,
            unknowns,
            guardrails,
            from: suspect.map(|(_, release)| release),
            to: target.release,
            acted: will_act,
            would_change,
        };
        self.emit(Event::DecisionMade { decision: decision.clone() });
        // Declared first, so that the account reads in the order of things.
        incidents::consider(self, service);
        if will_act {
            self.act(&id, &decision, kind);
        } else {
            messages::decided(self, &decision);
        }
    }

    /// Starts the operation that a decision asks for.
    fn act(&mut self, id: &DecisionId, decision: &Decision, kind: PlanKind) {
        let strategy = if decision.recommendation == Recommendation::RollBackGradually {
            Strategy::Gradual
        } else {
            Strategy::Immediate
        };
        let (Some(from), Some(to)) = (&decision.from, &decision.to) else { return };
        let operation = self.state.next_operation();
        let key = executor::key_prefix(self, &operation);
        let draft = executor::draft(self, &decision.service, (from, to), strategy, &key);
        let Ok(draft) = draft else { return };
        let plan = match kind {
            PlanKind::Scale { instances } => planner::scale(draft, instances),
            _ => planner::roll_back(draft),
        };
        match plan {
            Ok(plan) => {
                let event = Event::OperationPlanned {
                    operation: operation.clone(),
                    plan,
                    by: Actor::Engine,
                    reason: decision.reasons.join("; "),
                    decision: Some(id.clone()),
                    command: None,
                    guardrails: decision.guardrails.clone(),
                };
                executor::begin(self, &operation, event);
            }
            Err(reason) => messages::cannot_plan(self, decision, &reason),
        }
    }

    fn sync_environment(&mut self) {
        self.senses.evaluate_environment();
        let evaluations = self.senses.environment(self.now);
        let before = self.events.len();
        self.sync_findings(None, &evaluations);
        // Otherwise each service is reviewed when it is looked at.
        if self.events.len() > before {
            for service in self.settings.config.services.keys() {
                self.review(service);
            }
        }
    }

    /// Raises findings for triggers that hold and clears those that do not.
    fn sync_findings(&mut self, service: Option<&ServiceName>, evaluations: &[Evaluation]) {
        let open = match service {
            Some(service) => self.state.service(service).map(|known| &known.findings),
            None => Some(&self.state.findings),
        };
        let mut cleared: Vec<(FindingId, String)> = Vec::new();
        for finding in open.into_iter().flat_map(|findings| findings.values()) {
            let evaluation = evaluations
                .iter()
                .find(|evaluation| evaluation.trigger == finding.trigger && evaluation.arm == finding.arm);
            let reason = match evaluation.map(|evaluation| &evaluation.status) {
                Some(Status::Breach { .. }) => continue,
                Some(Status::Ok | Status::Pending { .. }) => "within its limit again".to_owned(),
                Some(Status::Unknown { reason }) => format!("not known any more: {reason}"),
                None if self.is_watching(finding) => "the release is gone".to_owned(),
                None => "the trigger is gone".to_owned(),
            };
            cleared.push((finding.id.clone(), reason));
        }
        let is_open = |evaluation: &Evaluation| {
            let mut findings = open.into_iter().flat_map(|findings| findings.values());
            findings.any(|finding| finding.trigger == evaluation.trigger && finding.arm == evaluation.arm)
        };
        let raised: Vec<&Evaluation> = evaluations
            .iter()
            .filter(|evaluation| evaluation.status.is_breach() && !is_open(evaluation))
            .collect();
        for (finding, reason) in cleared {
            self.emit(Event::FindingCleared { finding, reason });
        }
        for evaluation in raised {
            let Status::Breach { since } = evaluation.status else { continue };
            let finding = Finding {
                id: self.state.next_finding(),
                trigger: evaluation.trigger.clone(),
                service: evaluation.service.clone(),
                arm: evaluation.arm,
                action: evaluation.action,
                severity: evaluation.severity,
                since,
                evidence: evaluation.evidence.clone(),
            };
            self.emit(Event::FindingRaised { finding: finding.clone() });
            if finding.service.is_none() && self.settings.by_itself {
                messages::environment_finding(self, &finding);
            }
        }
    }

    /// Whether what raised a finding is still in the config.
    fn is_watching(&self, finding: &Finding) -> bool {
        let config = &self.settings.config;
        config.triggers.contains_key(&finding.trigger)
            || (config.judge.is_some() && finding.trigger.as_str() == crate::model::judge::NAME)
    }

    /// The severity that a decision's message has: that of its worst finding.
    pub(super) fn severity(decision: &Decision) -> Severity {
        decision.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Medium)
    }
}
