//! What has happened. The journal holds these and nothing else; the state is their fold.
//!
//! A stored event carries its kind and a version. A kind is never given another meaning: a field may be added with a
//! default; anything else is a new version, read by [`decode`] for as long as journals hold the old one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::breaker::{BreakerStatus, Dependency};
use super::checklist::ChecklistChange;
use super::command::{Actor, Envelope, Override, Settlement};
use super::decision::{Decision, GuardrailCheck};
use super::escalation::EscalationChange;
use super::incident::{IncidentChange, Level, Ticked};
use super::joint::JointChange;
use super::notification::Notification;
use super::operation::{Outcome, Plan, Strategy};
use super::received::ReceivedChange;
use super::release::{Arm, Inventory, Quality};
use super::trigger::{Finding, Verdict};
use super::{
    AlarmId, CommandId, DecisionId, FindingId, IncidentId, ItemId, JointId, NotificationId, OperationId,
    ReleaseRef, RunId, ServiceName, SourceName, Span, TriggerName, Version,
};

/// The version that [`Event`]s are written with.
pub const EVENT_VERSION: u32 = 1;

/// Something that happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// A process became the leader.
    LeaderChanged {
        /// Who, as `guard@host:pid`.
        holder: String,
        /// Its program's version.
        program: String,
    },
    /// The platform says something new about a service's releases or traffic.
    InventoryChanged {
        /// The service.
        service: ServiceName,
        /// What it says.
        inventory: Inventory,
    },
    /// The platform of a service cannot be read, or can be again.
    PlatformReadable {
        /// The service.
        service: ServiceName,
        /// Why not; none when it can be again.
        fault: Option<String>,
    },
    /// A source cannot be read, or can be again.
    SourceReadable {
        /// The source.
        source: SourceName,
        /// Why not; none when it can be again.
        fault: Option<String>,
    },
    /// What cannot be read is left alone for a while, is tried again, or is read again as usual.
    BreakerChanged {
        /// What is behind the breaker.
        dependency: Dependency,
        /// How it is now.
        breaker: BreakerStatus,
    },
    /// What is known of a service or one of its arms has another verdict.
    VerdictChanged {
        /// The service.
        service: ServiceName,
        /// The arm; none for the service as a whole.
        arm: Option<Arm>,
        /// The new one.
        verdict: Verdict,
    },
    /// A trigger began to hold.
    FindingRaised {
        /// What holds.
        finding: Finding,
    },
    /// A trigger no longer holds.
    FindingCleared {
        /// Which.
        finding: FindingId,
        /// Why: back within the limit, release changed, no data.
        reason: String,
    },
    /// What the findings of a service add up to has changed.
    DecisionMade {
        /// The decision.
        decision: Decision,
    },
    /// A command was taken up.
    CommandAccepted {
        /// The command, whole.
        envelope: Envelope,
    },
    /// A command was refused; nothing was changed.
    CommandRefused {
        /// The command, whole.
        envelope: Envelope,
        /// Why, ready to be read.
        reason: String,
        /// The guardrails consulted, if it was they who refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        guardrails: Vec<GuardrailCheck>,
    },
    /// A person took a guardrail upon themselves.
    GuardrailOverridden {
        /// The command it was done with.
        command: CommandId,
        /// Who.
        by: Actor,
        /// The service.
        service: ServiceName,
        /// Which and why.
        taken: Override,
    },
    /// An operation begins; no step has.
    OperationPlanned {
        /// Its id.
        operation: OperationId,
        /// What will be done.
        plan: Plan,
        /// Who asked.
        by: Actor,
        /// Why.
        reason: String,
        /// The decision behind it.
        decision: Option<DecisionId>,
        /// The command behind it.
        command: Option<CommandId>,
        /// The guardrails consulted.
        guardrails: Vec<GuardrailCheck>,
    },
    /// A step is about to be done. Written before the platform is called.
    StepStarted {
        /// The operation.
        operation: OperationId,
        /// The step, from 0.
        step: usize,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// A step has happened.
    StepSucceeded {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
        /// It had already happened and was not done again.
        adopted: bool,
        /// What the platform said.
        detail: String,
    },
    /// A step failed in a way that may pass; it will be tried again.
    StepRetried {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
        /// What happened.
        reason: String,
        /// When the next attempt is due.
        until: Timestamp,
    },
    /// A step failed.
    StepFailed {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
        /// What happened.
        reason: String,
    },
    /// A step is not needed.
    StepSkipped {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
        /// Why.
        reason: String,
    },
    /// The process that began a step is gone; whether it has happened is not known.
    StepUnknown {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
    },
    /// All traffic of the service is seen on the release that was to get it.
    TrafficBack {
        /// The operation.
        operation: OperationId,
        /// The target.
        release: ReleaseRef,
    },
    /// The engine cannot know whether a step has happened; a person has to say.
    DecisionNeeded {
        /// The operation.
        operation: OperationId,
        /// The step.
        step: usize,
        /// What is known.
        facts: String,
    },
    /// A person said.
    DecisionSettled {
        /// The operation.
        operation: OperationId,
        /// What.
        choice: Settlement,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A person asked to stop an operation.
    CancelRequested {
        /// The operation.
        operation: OperationId,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
        /// The command, if it asked to take a release back that was still being brought in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollback: Option<CommandId>,
        /// How it asked for that; none: at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strategy: Option<Strategy>,
    },
    /// A person holds an operation.
    OperationPaused {
        /// The operation.
        operation: OperationId,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A person lets an operation go on.
    OperationResumed {
        /// The operation.
        operation: OperationId,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Nothing more happens in an operation.
    OperationEnded {
        /// The operation.
        operation: OperationId,
        /// How it ended.
        outcome: Outcome,
        /// In words.
        detail: String,
    },
    /// What a release is worth was recorded.
    ReleaseMarked {
        /// The service.
        service: ServiceName,
        /// Its version.
        version: Version,
        /// The release.
        release: ReleaseRef,
        /// What it is worth.
        quality: Quality,
        /// Who says so.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Rollbacks and promotions are forbidden for a time.
    FreezeSet {
        /// The service; none for all.
        service: Option<ServiceName>,
        /// Until when; none until lifted.
        until: Option<Timestamp>,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// A freeze was lifted.
    FreezeLifted {
        /// The service; none for the freeze on all.
        service: Option<ServiceName>,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Automatic action was turned on or off.
    AutomaticSet {
        /// On.
        on: bool,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// What a release's indicators were like was recorded, for the next one to be compared with.
    BaselineRecorded {
        /// The service.
        service: ServiceName,
        /// What was recorded.
        baseline: Baseline,
        /// Why.
        reason: String,
    },
    /// What was recorded is forgotten.
    BaselineForgotten {
        /// The service.
        service: ServiceName,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// The count of rollbacks is zero again.
    CountReset {
        /// The service.
        service: ServiceName,
        /// Who.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// An incident was declared.
    IncidentOpened {
        /// Its id.
        incident: IncidentId,
        /// What is wrong, in a few words.
        title: String,
        /// How bad it is.
        level: Level,
        /// The services that are hurt; none when a person could not say yet.
        services: Vec<ServiceName>,
        /// Who.
        by: Actor,
        /// What it was declared for, with the figures; empty when a person's title says it all.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Another service became part of an incident.
    IncidentJoined {
        /// The incident.
        incident: IncidentId,
        /// The service.
        service: ServiceName,
        /// Why.
        reason: String,
    },
    /// Somebody works on an incident.
    IncidentAcknowledged {
        /// The incident.
        incident: IncidentId,
        /// Who.
        by: Actor,
    },
    /// An item of an incident's checklist was ticked, or a tick was taken back.
    ChecklistTicked {
        /// The incident.
        incident: IncidentId,
        /// The item.
        item: ItemId,
        /// How it was settled; none: the tick was taken back.
        ticked: Option<Ticked>,
        /// Who; the engine for what it sensed itself.
        by: Actor,
        /// In words: what a person wrote, or the fact that the engine saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// An incident is worse, or less bad, than it was said to be.
    IncidentLevelSet {
        /// The incident.
        incident: IncidentId,
        /// How bad it is.
        level: Level,
        /// Who says so.
        by: Actor,
        /// Why.
        reason: String,
    },
    /// Somebody wrote something down.
    IncidentNoted {
        /// The incident.
        incident: IncidentId,
        /// Who.
        by: Actor,
        /// What.
        text: String,
    },
    /// An incident is over.
    IncidentResolved {
        /// The incident.
        incident: IncidentId,
        /// Who says so.
        by: Actor,
        /// What ended it.
        reason: String,
    },
    /// A message was put into the outbox.
    NotificationQueued {
        /// The message.
        notification: Notification,
    },
    /// A message was taken by its channel.
    NotificationSent {
        /// The message.
        notification: NotificationId,
        /// Which attempt, from 1.
        attempt: u32,
        /// What the other side said, where it is worth keeping.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// A message was given up.
    NotificationFailed {
        /// The message.
        notification: NotificationId,
        /// Why.
        reason: String,
    },
    /// Something happened to an incident.
    IncidentChanged {
        /// The incident.
        incident: IncidentId,
        /// Who.
        by: Actor,
        /// What.
        change: IncidentChange,
    },
    /// Something happened in the escalation of an incident.
    EscalationChanged {
        /// The incident.
        incident: IncidentId,
        /// What.
        change: EscalationChange,
    },
    /// Something happened in a checklist.
    ChecklistChanged {
        /// The incident that it is worked through in.
        incident: IncidentId,
        /// The checklist.
        run: RunId,
        /// Who; the engine for what it sensed, and for time that ran out.
        by: Actor,
        /// What.
        change: ChecklistChange,
    },
    /// A message was left out on purpose.
    NotificationSuppressed {
        /// The message.
        notification: NotificationId,
        /// Why.
        reason: String,
    },
    /// Something happened to an alarm that others sent.
    AlarmChanged {
        /// The alarm.
        alarm: AlarmId,
        /// What.
        change: ReceivedChange,
    },
    /// Several services that change together stand elsewhere.
    JointChanged {
        /// Which.
        joint: JointId,
        /// What.
        change: JointChange,
    },
    /// A release that was brought in has served for a while: how it is, and what came up meanwhile.
    ReleaseWatched {
        /// The operation that brought it in.
        operation: OperationId,
        /// The service.
        service: ServiceName,
        /// The release.
        version: Version,
        /// For how long, since the operation ended.
        window: Span,
        /// How the service is.
        verdict: Verdict,
        /// The triggers that came up since the last such look.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        raised: Vec<TriggerName>,
        /// How much later than it should have been noticed, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        late_ms: u64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

impl Event {
    /// The operation that it is about, if it is about one.
    pub const fn operation(&self) -> Option<&OperationId> {
        match self {
            Self::OperationPlanned { operation, .. }
            | Self::StepStarted { operation, .. }
            | Self::StepSucceeded { operation, .. }
            | Self::StepRetried { operation, .. }
            | Self::StepFailed { operation, .. }
            | Self::StepSkipped { operation, .. }
            | Self::StepUnknown { operation, .. }
            | Self::TrafficBack { operation, .. }
            | Self::DecisionNeeded { operation, .. }
            | Self::DecisionSettled { operation, .. }
            | Self::CancelRequested { operation, .. }
            | Self::OperationPaused { operation, .. }
            | Self::OperationResumed { operation, .. }
            | Self::OperationEnded { operation, .. } => Some(operation),
            _ => None,
        }
    }

    /// The kind, as stored: `step_started`.
    pub fn kind(&self) -> String {
        // Asked of every journaled event for the log, so nothing is serialised for it; a test holds these words to those
        // that are stored.
        let kind = match self {
            Self::LeaderChanged { .. } => "leader_changed",
            Self::InventoryChanged { .. } => "inventory_changed",
            Self::PlatformReadable { .. } => "platform_readable",
            Self::SourceReadable { .. } => "source_readable",
            Self::BreakerChanged { .. } => "breaker_changed",
            Self::VerdictChanged { .. } => "verdict_changed",
            Self::FindingRaised { .. } => "finding_raised",
            Self::FindingCleared { .. } => "finding_cleared",
            Self::DecisionMade { .. } => "decision_made",
            Self::CommandAccepted { .. } => "command_accepted",
            Self::CommandRefused { .. } => "command_refused",
            Self::GuardrailOverridden { .. } => "guardrail_overridden",
            Self::OperationPlanned { .. } => "operation_planned",
            Self::StepStarted { .. } => "step_started",
            Self::StepSucceeded { .. } => "step_succeeded",
            Self::StepRetried { .. } => "step_retried",
            Self::StepFailed { .. } => "step_failed",
            Self::StepSkipped { .. } => "step_skipped",
            Self::StepUnknown { .. } => "step_unknown",
            Self::TrafficBack { .. } => "traffic_back",
            Self::DecisionNeeded { .. } => "decision_needed",
            Self::DecisionSettled { .. } => "decision_settled",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::OperationPaused { .. } => "operation_paused",
            Self::OperationResumed { .. } => "operation_resumed",
            Self::OperationEnded { .. } => "operation_ended",
            Self::ReleaseMarked { .. } => "release_marked",
            Self::FreezeSet { .. } => "freeze_set",
            Self::FreezeLifted { .. } => "freeze_lifted",
            Self::AutomaticSet { .. } => "automatic_set",
            Self::BaselineRecorded { .. } => "baseline_recorded",
            Self::BaselineForgotten { .. } => "baseline_forgotten",
            Self::CountReset { .. } => "count_reset",
            Self::IncidentOpened { .. } => "incident_opened",
            Self::IncidentJoined { .. } => "incident_joined",
            Self::IncidentAcknowledged { .. } => "incident_acknowledged",
            Self::ChecklistTicked { .. } => "checklist_ticked",
            Self::IncidentLevelSet { .. } => "incident_level_set",
            Self::IncidentNoted { .. } => "incident_noted",
            Self::IncidentResolved { .. } => "incident_resolved",
            Self::NotificationQueued { .. } => "notification_queued",
            Self::NotificationSent { .. } => "notification_sent",
            Self::NotificationFailed { .. } => "notification_failed",
            Self::IncidentChanged { .. } => "incident_changed",
            Self::EscalationChanged { .. } => "escalation_changed",
            Self::ChecklistChanged { .. } => "checklist_changed",
            Self::NotificationSuppressed { .. } => "notification_suppressed",
            Self::AlarmChanged { .. } => "alarm_changed",
            Self::ReleaseWatched { .. } => "release_watched",
            Self::JointChanged { .. } => "joint_changed",
        };
        kind.to_owned()
    }
}

/// An event that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It was written by a newer program.
    #[error(
        "written by a newer unship (event version {0}, this program reads up to {EVENT_VERSION}); use that one"
    )]
    Newer(u32),
    /// It is not one of ours.
    #[error("not an event of unship: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Writes an event as it is stored.
pub fn encode(event: &Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(event)
}

/// Reads an event as it was stored by this or an earlier version of the program.
pub fn decode(version: u32, body: &str) -> Result<Event, DecodeError> {
    match version {
        EVENT_VERSION => Ok(serde_json::from_str(body)?),
        newer => Err(DecodeError::Newer(newer)),
    }
}
