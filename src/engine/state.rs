//! The state: nothing but the fold of the events. What is here can be rebuilt from the journal, and is bounded: a state
//! does not grow with the age of its journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::baseline::Baseline;
use crate::model::breaker::{BreakerState, BreakerStatus, Dependency};
use crate::model::command::{Actor, Settlement};
use crate::model::decision::Decision;
use crate::model::escalation::Escalation;
use crate::model::event::Event;
use crate::model::incident::Incident;
use crate::model::joint::Joint;
use crate::model::notification::Notification;
use crate::model::operation::{Operation, OperationStatus, Outcome, Paused, PlanKind, StepState, TakenBack};
use crate::model::release::{Arm, Inventory, Quality, Release};
use crate::model::trigger::{Finding, Verdict};
use crate::model::{
    ChannelName, CommandId, ContactName, DecisionId, FindingId, IncidentId, JointId, NotificationId,
    OperationId, ReleaseRef, RunId, ServiceName, SourceName, Version,
};

use super::checklist::{self, Run};
use super::escalation;
use super::history::HistoryEntry;
use super::incidents::{self, Settled};
use super::joint;
use super::messages::{Rung, phones_fold};
use super::received::{self, Alarms};
use super::watching;

/// The shape of a serialised state. A snapshot of another shape is not read; the journal is folded instead.
pub const STATE_FORMAT: u32 = 3;

/// Ended operations that are kept for people to see.
const OPERATIONS_KEPT: usize = 100;
/// Releases of a service whose quality is remembered.
const QUALITIES_KEPT: usize = 200;
/// Commands whose ids are remembered.
const COMMANDS_KEPT: usize = 512;
/// Things that people were told of, so that they are not told the same again at once.
const TOLD_KEPT: usize = 4_096;

/// Everything that is known from the events.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The last leader, and since when.
    pub leader: Option<(String, Timestamp)>,
    /// What a person said about automatic action; none: as configured.
    pub automatic: Option<Switch>,
    /// A freeze on everything.
    pub freeze: Option<Freeze>,
    /// The services that events have spoken of.
    pub services: BTreeMap<ServiceName, Arc<ServiceState>>,
    /// Sources that cannot be read: since when, and why.
    pub source_faults: BTreeMap<SourceName, Fault>,
    /// Breakers around sources that are not closed.
    #[serde(default)]
    pub source_breakers: BTreeMap<SourceName, BreakerStatus>,
    /// Breakers around channels that are not closed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channel_breakers: BTreeMap<ChannelName, BreakerStatus>,
    /// Findings of triggers over the whole environment.
    pub findings: BTreeMap<FindingId, Finding>,
    /// Operations: the open ones and the newest of the ended.
    pub operations: BTreeMap<OperationId, Arc<Operation>>,
    /// Messages that no channel has taken yet.
    pub outbox: BTreeMap<NotificationId, Notification>,
    /// The order in which they were put there.
    #[serde(default)]
    pub outbox_order: VecDeque<NotificationId>,
    /// Which channels took something of an incident, for those incidents that are known: where its end is worth telling.
    #[serde(default)]
    pub reached: BTreeMap<IncidentId, BTreeSet<ChannelName>>,
    /// How many findings, decisions, operations, messages and incidents there were: the next id.
    pub counts: Counts,
    /// The newest commands, so that one sent twice acts once.
    pub commands: VecDeque<CommandId>,
    /// What people were told of, and when last.
    #[serde(default)]
    pub told: BTreeMap<Told, Timestamp>,
    /// How often the phones of these people have rung lately.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub phones: BTreeMap<ContactName, Rung>,
    /// Incidents: the open one and the newest of the resolved.
    #[serde(default)]
    pub incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// How far the escalations of these incidents have gone.
    #[serde(default)]
    pub escalations: BTreeMap<IncidentId, Arc<Escalation>>,
    /// The runbooks that are worked through in these incidents.
    #[serde(default)]
    pub runs: BTreeMap<RunId, Arc<Run>>,
    /// Alarms that others sent.
    #[serde(default)]
    pub alarms: Arc<Alarms>,
    /// What was wrong when a person resolved the last incident, and still is: it opens no other.
    #[serde(default)]
    pub settled: BTreeMap<ServiceName, Settled>,
    /// Services that change together.
    #[serde(default)]
    pub joints: BTreeMap<JointId, Arc<Joint>>,
    /// The order of the operations, oldest first.
    order: VecDeque<OperationId>,
}

/// What a message is about, without its figures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told(String);

impl Told {
    /// Messages of one topic about one service that name the same triggers and guardrails are about the same.
    pub fn of(topic: &str, service: Option<&ServiceName>, facts: &BTreeMap<String, String>) -> Self {
        let fact = |name: &str| facts.get(name).map_or("", String::as_str);
        let service = service.map_or("", ServiceName::as_str);
        Self([topic, service, fact("triggers"), fact("guardrails")].join("/"))
    }
}

/// How many there were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Findings raised.
    pub findings: u64,
    /// Decisions made.
    pub decisions: u64,
    /// Operations planned.
    pub operations: u64,
    /// Messages queued.
    pub notifications: u64,
    /// Incidents declared.
    #[serde(default)]
    pub incidents: u64,
    /// Joint operations asked for.
    #[serde(default)]
    pub joints: u64,
}

/// Something a person switched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Switch {
    /// On.
    pub on: bool,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Rollbacks and promotions are forbidden for a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Freeze {
    /// Until when; none until lifted.
    pub until: Option<Timestamp>,
    /// Who.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

/// Something that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is known of a service.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceState {
    /// The platform's last word.
    pub inventory: Option<Inventory>,
    /// The platform cannot be read.
    pub platform_fault: Option<Fault>,
    /// The breaker around reading the platform, unless it is closed.
    #[serde(default)]
    pub platform_breaker: Option<BreakerStatus>,
    /// Since when each arm has the release that it has. What was sensed before speaks of another.
    pub arms_since: BTreeMap<Arm, Timestamp>,
    /// The service as a whole, and since when.
    pub verdict: Option<(Verdict, Timestamp)>,
    /// Each arm, and since when.
    pub arms: BTreeMap<Arm, (Verdict, Timestamp)>,
    /// What holds now.
    pub findings: BTreeMap<FindingId, Finding>,
    /// The last decision.
    pub decision: Option<Arc<Decision>>,
    /// What releases are worth.
    pub qualities: BTreeMap<ReleaseRef, Mark>,
    /// Rollbacks since a person last reset the count.
    pub rollbacks: u32,
    /// When the last one began or ended, whichever is later.
    pub last_rollback: Option<Timestamp>,
    /// How a rollback or a promotion ended, if that asks for a person before anything automatic happens again.
    pub needs_person: Option<String>,
    /// The operation that is open.
    pub operation: Option<OperationId>,
    /// A freeze on this service.
    pub freeze: Option<Freeze>,
    /// Releases coming and going, oldest first.
    pub history: VecDeque<HistoryEntry>,
    /// What the last good release was like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Arc<Baseline>>,
}

/// What a release is worth.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Mark {
    /// Its version.
    pub version: Version,
    /// What.
    pub quality: Quality,
    /// Since when.
    pub at: Timestamp,
    /// Who says so.
    pub by: Actor,
    /// Why.
    pub reason: String,
}

impl State {
    /// What is left alone or tried, because it could not be read: the breakers that are not closed.
    pub fn breakers(&self) -> impl Iterator<Item = (Dependency, &BreakerStatus)> {
        let sources = self.source_breakers.iter();
        let sources = sources.map(|(source, breaker)| (Dependency::Source(source.clone()), breaker));
        let platforms = self.services.iter().filter_map(|(service, known)| {
            Some((Dependency::Platform(service.clone()), known.platform_breaker.as_ref()?))
        });
        let channels = self.channel_breakers.iter();
        let channels = channels.map(|(channel, breaker)| (Dependency::Channel(channel.clone()), breaker));
        sources.chain(platforms).chain(channels)
    }

    /// The state after these events, in order.
    #[must_use]
    pub fn fold<'a>(mut self, events: impl IntoIterator<Item = (Timestamp, &'a Event)>) -> Self {
        for (at, event) in events {
            self.apply(event, at);
        }
        self
    }

    /// A service, if an event has spoken of it.
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceState> {
        self.services.get(name).map(Arc::as_ref)
    }

    /// An operation, if it is known.
    pub fn operation(&self, id: &OperationId) -> Option<&Operation> {
        self.operations.get(id).map(Arc::as_ref)
    }

    /// The open operations.
    pub fn open_operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.values().map(Arc::as_ref).filter(|operation| operation.is_open())
    }

    /// The operations that are known, oldest first.
    pub fn operations_in_order(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        self.order.iter().filter_map(|id| self.operation(id))
    }

    /// The messages that no channel has taken yet, in the order in which they were queued.
    pub fn outbox_in_order(&self) -> impl Iterator<Item = &Notification> {
        self.outbox_order.iter().filter_map(|id| self.outbox.get(id))
    }

    /// The id that the next finding gets.
    pub fn next_finding(&self) -> FindingId {
        FindingId::from(format!("f-{}", self.counts.findings + 1))
    }

    /// The id that the next decision gets.
    pub fn next_decision(&self) -> DecisionId {
        DecisionId::from(format!("d-{}", self.counts.decisions + 1))
    }

    /// The id that the next operation gets.
    pub fn next_operation(&self) -> OperationId {
        OperationId::from(format!("op-{}", self.counts.operations + 1))
    }

    /// The id that the next joint operation gets.
    pub fn next_joint(&self) -> JointId {
        JointId::from(format!("joint-{}", self.counts.joints + 1))
    }

    fn service_mut(&mut self, name: &ServiceName) -> &mut ServiceState {
        Arc::make_mut(self.services.entry(name.clone()).or_default())
    }

    /// The release that the open rollback of a service takes away.
    pub(super) fn leaving(&self, service: &ServiceName) -> Option<&ReleaseRef> {
        let operation = self.operation(self.service(service)?.operation.as_ref()?)?;
        (operation.plan.kind == PlanKind::RollBack).then_some(&operation.plan.from.reference)
    }

    fn operation_mut(&mut self, id: &OperationId) -> Option<&mut Operation> {
        self.operations.get_mut(id).map(Arc::make_mut)
    }

    fn step_mut(&mut self, id: &OperationId, step: usize) -> Option<&mut StepState> {
        let operation = self.operation_mut(id)?;
        if !matches!(operation.status, OperationStatus::Ended { .. }) {
            operation.status = OperationStatus::Running;
        }
        operation.steps.get_mut(step)
    }

    /// Takes one event in. Unknown ids change nothing: a fold cannot fail.
    pub fn apply(&mut self, event: &Event, at: Timestamp) {
        // Before the rest: what an event clears is still known there.
        incidents::fold(self, event, at);
        received::fold(self, event, at);
        watching::fold(self, event, at);
        joint::fold(self, event, at);
        match event {
            Event::LeaderChanged { holder, .. } => self.leader = Some((holder.clone(), at)),
            Event::InventoryChanged { service, inventory } => {
                let leaving = self.leaving(service).cloned();
                self.service_mut(service).take_inventory(inventory, leaving.as_ref(), at);
            }
            Event::PlatformReadable { service, fault } => {
                self.service_mut(service).platform_fault =
                    fault.as_ref().map(|reason| Fault { since: at, reason: reason.clone() });
            }
            Event::SourceReadable { source, fault } => match fault {
                Some(reason) => {
                    self.source_faults.insert(source.clone(), Fault { since: at, reason: reason.clone() });
                }
                None => {
                    self.source_faults.remove(source);
                }
            },
            Event::BreakerChanged { dependency, breaker } => {
                let breaker = Some(breaker).filter(|breaker| breaker.state != BreakerState::Closed).cloned();
                match (dependency, breaker) {
                    (Dependency::Source(source), Some(breaker)) => {
                        self.source_breakers.insert(source.clone(), breaker);
                    }
                    (Dependency::Source(source), None) => {
                        self.source_breakers.remove(source);
                    }
                    (Dependency::Platform(service), breaker) => {
                        self.service_mut(service).platform_breaker = breaker;
                    }
                    (Dependency::Channel(channel), Some(breaker)) => {
                        self.channel_breakers.insert(channel.clone(), breaker);
                    }
                    (Dependency::Channel(channel), None) => {
                        self.channel_breakers.remove(channel);
                    }
                }
            }
            Event::VerdictChanged { service, arm, verdict } => {
                let service = self.service_mut(service);
                match arm {
                    None => service.verdict = Some((verdict.clone(), at)),
                    Some(arm) => {
                        service.arms.insert(*arm, (verdict.clone(), at));
                    }
                }
            }
            Event::FindingRaised { finding } => {
                self.counts.findings += 1;
                match &finding.service {
                    Some(service) => {
                        self.service_mut(service).findings.insert(finding.id.clone(), finding.clone());
                    }
                    None => {
                        self.findings.insert(finding.id.clone(), finding.clone());
                    }
                }
            }
            Event::FindingCleared { finding, .. } => {
                if self.findings.remove(finding).is_none() {
                    let holder =
                        self.services.values_mut().find(|service| service.findings.contains_key(finding));
                    if let Some(service) = holder {
                        Arc::make_mut(service).findings.remove(finding);
                    }
                }
            }
            Event::DecisionMade { decision } => {
                self.counts.decisions += 1;
                self.service_mut(&decision.service).decision = Some(Arc::new(decision.clone()));
            }
            Event::CommandAccepted { envelope } | Event::CommandRefused { envelope, .. } => {
                self.commands.push_back(envelope.id.clone());
                if self.commands.len() > COMMANDS_KEPT {
                    self.commands.pop_front();
                }
            }
            // Incidents are folded in `incidents`, alarms in `received`.
            Event::GuardrailOverridden { .. }
            | Event::AlarmChanged { .. }
            | Event::ReleaseWatched { .. }
            | Event::JointChanged { .. }
            | Event::IncidentOpened { .. }
            | Event::IncidentJoined { .. }
            | Event::IncidentAcknowledged { .. }
            | Event::ChecklistTicked { .. }
            | Event::IncidentLevelSet { .. }
            | Event::IncidentNoted { .. }
            | Event::IncidentResolved { .. }
            | Event::IncidentChanged { .. } => {}
            Event::ChecklistChanged { incident, run, by, change } => {
                checklist::fold(self, incident, run, by, change, at);
            }
            Event::EscalationChanged { incident, change } => escalation::fold(self, incident, change, at),
            Event::OperationPlanned { operation, plan, by, reason, decision, command, .. } => {
                self.counts.operations += 1;
                let planned = Operation {
                    id: operation.clone(),
                    steps: vec![StepState::Pending; plan.steps.len()],
                    plan: plan.clone(),
                    status: OperationStatus::Planned,
                    by: by.clone(),
                    reason: reason.clone(),
                    decision: decision.clone(),
                    command: command.clone(),
                    at,
                    traffic_back_at: None,
                    cancelling: false,
                    paused: None,
                    taken_back: None,
                    watched: Vec::new(),
                    raised: BTreeSet::new(),
                };
                let service = self.service_mut(&plan.service);
                service.operation = Some(operation.clone());
                if plan.kind == PlanKind::RollBack {
                    service.rollbacks = service.rollbacks.saturating_add(1);
                    service.last_rollback = Some(at);
                }
                service.take_plan(&planned);
                self.operations.insert(operation.clone(), Arc::new(planned));
                self.order.push_back(operation.clone());
                self.forget_old_operations();
            }
            Event::StepStarted { operation, step, attempt } => {
                let waits = self.operation(operation).and_then(|operation| operation.plan.steps.get(*step));
                let waits = waits.is_some_and(|step| step.action.only_waits());
                if let Some(state) = self.step_mut(operation, *step) {
                    let first = match state {
                        // What waits for time to pass begins anew: nobody looked while nobody led.
                        _ if waits => at,
                        StepState::Waiting { started_at, .. } | StepState::Unknown { started_at, .. } => {
                            *started_at
                        }
                        StepState::Started { at, .. } => *at,
                        _ => at,
                    };
                    *state = StepState::Started { at: first, attempt: *attempt };
                }
            }
            Event::StepSucceeded { operation, step, adopted, .. } => {
                if let Some(state) = self.step_mut(operation, *step) {
                    *state = StepState::Succeeded { at, adopted: *adopted };
                }
            }
            Event::StepRetried { operation, step, until, .. } => {
                if let Some(state) = self.step_mut(operation, *step)
                    && let StepState::Started { at: started_at, attempt } = *state
                {
                    *state = StepState::Waiting { started_at, attempt, until: *until };
                }
            }
            Event::StepFailed { operation, step, reason } => {
                if let Some(state) = self.step_mut(operation, *step) {
                    *state = StepState::Failed { at, reason: reason.clone() };
                }
            }
            Event::StepSkipped { operation, step, reason } => {
                if let Some(state) = self.step_mut(operation, *step) {
                    *state = StepState::Skipped { reason: reason.clone() };
                }
            }
            Event::StepUnknown { operation, step } => {
                if let Some(state) = self.step_mut(operation, *step)
                    && let StepState::Started { at: started_at, attempt } = *state
                {
                    *state = StepState::Unknown { started_at, attempt };
                }
            }
            Event::TrafficBack { operation, .. } => {
                let Some(operation) = self.operation_mut(operation) else { return };
                operation.traffic_back_at = Some(at);
                let (id, service) = (operation.id.clone(), operation.plan.service.clone());
                let service = self.service_mut(&service);
                service.traffic_moved(&id);
                // What was sensed until now speaks of the traffic as it was.
                for arm in Arm::ALL {
                    service.arms_since.insert(arm, at);
                }
            }
            Event::DecisionNeeded { operation, step, facts } => {
                if let Some(operation) = self.operation_mut(operation) {
                    operation.status = OperationStatus::NeedsDecision { step: *step, facts: facts.clone() };
                }
            }
            Event::DecisionSettled { operation, choice, .. } => {
                if let Some(operation) = self.operation_mut(operation) {
                    if let OperationStatus::NeedsDecision { step, .. } = operation.status
                        && *choice == Settlement::Done
                        && let Some(state) = operation.steps.get_mut(step)
                    {
                        *state = StepState::Succeeded { at, adopted: true };
                    }
                    operation.status = OperationStatus::Running;
                }
            }
            Event::CancelRequested { operation, by, reason, rollback, strategy } => {
                if let Some(operation) = self.operation_mut(operation) {
                    operation.cancelling = true;
                    if let Some(command) = rollback {
                        let (command, by, reason) = (command.clone(), by.clone(), reason.clone());
                        let strategy = strategy.unwrap_or_default();
                        operation.taken_back = Some(TakenBack { command, by, reason, strategy });
                    }
                }
            }
            Event::OperationPaused { operation, by, reason } => {
                if let Some(operation) = self.operation_mut(operation) {
                    operation.paused = Some(Paused { at, by: by.clone(), reason: reason.clone() });
                }
            }
            Event::OperationResumed { operation, .. } => {
                if let Some(operation) = self.operation_mut(operation) {
                    operation.paused = None;
                    // What waits for time to pass begins anew: nobody relied on what was seen meanwhile.
                    if let Some(step) = operation.current()
                        && operation.plan.steps[step].action.only_waits()
                        && let StepState::Started { at: began, .. } = &mut operation.steps[step]
                    {
                        *began = at;
                    }
                }
            }
            Event::OperationEnded { operation: id, outcome, detail } => {
                self.end_operation(id, *outcome, detail, at);
            }
            Event::ReleaseMarked { service, version, release, quality, by, reason } => {
                let service = self.service_mut(service);
                let mark = Mark {
                    version: version.clone(),
                    quality: *quality,
                    at,
                    by: by.clone(),
                    reason: reason.clone(),
                };
                service.qualities.insert(release.clone(), mark);
                service.forget_old_qualities();
            }
            Event::FreezeSet { service, until, by, reason } => {
                let freeze = Some(Freeze { until: *until, by: by.clone(), reason: reason.clone() });
                match service {
                    Some(service) => self.service_mut(service).freeze = freeze,
                    None => self.freeze = freeze,
                }
            }
            Event::FreezeLifted { service, .. } => match service {
                Some(service) => self.service_mut(service).freeze = None,
                None => self.freeze = None,
            },
            Event::AutomaticSet { on, by, reason } => {
                self.automatic = Some(Switch { on: *on, by: by.clone(), reason: reason.clone(), at });
            }
            Event::BaselineRecorded { service, baseline, .. } => {
                self.service_mut(service).baseline = Some(Arc::new(baseline.clone()));
            }
            Event::BaselineForgotten { service, .. } => self.service_mut(service).baseline = None,
            Event::CountReset { service, .. } => {
                let service = self.service_mut(service);
                service.rollbacks = 0;
                service.needs_person = None;
            }
            Event::NotificationQueued { notification } => {
                phones_fold(self, notification, at);
                self.counts.notifications += 1;
                let Notification { topic, service, facts, .. } = notification;
                self.told.insert(Told::of(topic, service.as_ref(), facts), at);
                if self.told.len() > TOLD_KEPT {
                    let oldest = self.told.iter().min_by_key(|(_, at)| **at).map(|(told, _)| told.clone());
                    if let Some(oldest) = oldest {
                        self.told.remove(&oldest);
                    }
                }
                if self.outbox.insert(notification.id.clone(), notification.clone()).is_none() {
                    self.outbox_order.push_back(notification.id.clone());
                }
            }
            Event::NotificationSent { notification, .. }
            | Event::NotificationFailed { notification, .. }
            | Event::NotificationSuppressed { notification, .. } => {
                if let Some(ended) = self.outbox.remove(notification)
                    && matches!(event, Event::NotificationSent { .. })
                    && let Some(incident) = ended.incident
                {
                    let known = &self.incidents;
                    self.reached.retain(|id, _| known.contains_key(id));
                    self.reached.entry(incident).or_default().insert(ended.channel);
                }
                self.outbox_order.retain(|id| id != notification);
            }
        }
    }

    fn end_operation(&mut self, id: &OperationId, outcome: Outcome, detail: &str, at: Timestamp) {
        let Some(operation) = self.operation_mut(id) else { return };
        operation.status = OperationStatus::Ended { outcome, detail: detail.to_owned(), at };
        // What is over is not held any more.
        operation.paused = None;
        let (kind, was_automatic) = (operation.plan.kind, operation.by == Actor::Engine);
        let service = operation.plan.service.clone();
        let service = self.service_mut(&service);
        if service.operation.as_ref() == Some(id) {
            service.operation = None;
        }
        service.operation_ended(id, outcome);
        // A rollback that did not help is not followed by another one without a person, and neither is a promotion that went
        // wrong: whoever promoted has to say what now.
        let asks_for_person = match kind {
            PlanKind::RollBack => {
                service.last_rollback = Some(at);
                was_automatic && outcome != Outcome::Verified
            }
            PlanKind::Promote => outcome == Outcome::NotRecovered,
            // It goes back by itself; a person is needed where that cannot be.
            PlanKind::Maintenance { .. }
            | PlanKind::Deploy { .. }
            | PlanKind::Database { .. }
            | PlanKind::Scale { .. }
            | PlanKind::CleanUp => false,
        };
        if asks_for_person {
            service.needs_person = Some(format!("{id} ended {}: {detail}", outcome.words()));
        }
    }

    fn forget_old_operations(&mut self) {
        while self.order.len() > OPERATIONS_KEPT {
            let Some(index) =
                self.order.iter().position(|id| !self.operations.get(id).is_some_and(|op| op.is_open()))
            else {
                return;
            };
            if let Some(id) = self.order.remove(index) {
                self.operations.remove(&id);
            }
        }
    }
}

impl ServiceState {
    /// What a release is worth.
    pub fn quality(&self, release: &ReleaseRef) -> Quality {
        self.qualities.get(release).map_or(Quality::Unknown, |mark| mark.quality)
    }

    /// The release that is tried, if one gets traffic as the canary.
    pub fn canary(&self) -> Option<&Release> {
        let inventory = self.inventory.as_ref()?;
        let share = inventory.share(Arm::Canary).filter(|share| share.percent > 0)?;
        inventory.release(&share.reference)
    }

    /// The release that serves as stable.
    pub fn stable(&self) -> Option<&Release> {
        self.inventory.as_ref()?.on_arm(Arm::Stable)
    }

    /// The release that serves: as stable, else as the only one there is.
    pub fn serving(&self) -> Option<&Release> {
        self.stable().or_else(|| self.canary())
    }

    /// The release that a rollback would leave: the canary if there is one, else what is live.
    pub fn suspect(&self) -> Option<(Arm, &Release)> {
        self.canary()
            .map(|release| (Arm::Canary, release))
            .or_else(|| self.stable().map(|release| (Arm::Stable, release)))
    }

    /// Forgets what the platform no longer has before what it has: a release that serves for years was marked long ago.
    fn forget_old_qualities(&mut self) {
        while self.qualities.len() > QUALITIES_KEPT {
            let is_there = |reference: &ReleaseRef| {
                self.inventory.as_ref().is_some_and(|inventory| inventory.release(reference).is_some())
            };
            let marks = self.qualities.iter();
            let oldest = marks.min_by_key(|(reference, mark)| (is_there(reference), mark.at));
            let Some(oldest) = oldest.map(|(reference, _)| reference.clone()) else { return };
            self.qualities.remove(&oldest);
        }
    }
}
