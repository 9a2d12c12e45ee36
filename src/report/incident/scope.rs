//! What an event is about, and who did it. Both name every kind of event, so that a new one is not overlooked.

use crate::model::command::{Actor, Command, Rebase};
use crate::model::escalation::EscalationChange;
use crate::model::event::Event;
use crate::model::{AlarmId, FindingId, IncidentId, NotificationId, OperationId, ServiceName};

/// What an event is about.
pub(super) enum Scope<'a> {
    Incident(&'a IncidentId),
    Operation(&'a OperationId),
    /// None: about all of them.
    Service(Option<&'a ServiceName>),
    Finding(&'a FindingId),
    Notification(&'a NotificationId),
    /// An alarm of others.
    Alarm(&'a AlarmId),
    /// A command: what it is about, as far as it says.
    Command(&'a Command),
    /// The process, or what it reads from.
    Process,
}

/// What an event is about.
pub(super) const fn scope(event: &Event) -> Scope<'_> {
    match event {
        Event::LeaderChanged { .. } | Event::SourceReadable { .. } | Event::BreakerChanged { .. } => {
            Scope::Process
        }
        Event::InventoryChanged { service, .. }
        | Event::PlatformReadable { service, .. }
        | Event::VerdictChanged { service, .. }
        | Event::ReleaseMarked { service, .. }
        | Event::BaselineRecorded { service, .. }
        | Event::BaselineForgotten { service, .. }
        | Event::ReleaseWatched { service, .. }
        | Event::CountReset { service, .. }
        | Event::GuardrailOverridden { service, .. } => Scope::Service(Some(service)),
        Event::FindingRaised { finding } => Scope::Service(finding.service.as_ref()),
        Event::FindingCleared { finding, .. } => Scope::Finding(finding),
        Event::DecisionMade { decision } => Scope::Service(Some(&decision.service)),
        Event::FreezeSet { service, .. } | Event::FreezeLifted { service, .. } => {
            Scope::Service(service.as_ref())
        }
        Event::AutomaticSet { .. } => Scope::Service(None),
        Event::JointChanged { .. } => Scope::Process,
        Event::CommandAccepted { envelope } | Event::CommandRefused { envelope, .. } => {
            Scope::Command(&envelope.command)
        }
        Event::OperationPlanned { operation, .. }
        | Event::StepStarted { operation, .. }
        | Event::StepSucceeded { operation, .. }
        | Event::StepRetried { operation, .. }
        | Event::StepFailed { operation, .. }
        | Event::StepSkipped { operation, .. }
        | Event::StepUnknown { operation, .. }
        | Event::TrafficBack { operation, .. }
        | Event::DecisionNeeded { operation, .. }
        | Event::DecisionSettled { operation, .. }
        | Event::CancelRequested { operation, .. }
        | Event::OperationPaused { operation, .. }
        | Event::OperationResumed { operation, .. }
        | Event::OperationEnded { operation, .. } => Scope::Operation(operation),
        Event::IncidentOpened { incident, .. }
        | Event::IncidentJoined { incident, .. }
        | Event::IncidentAcknowledged { incident, .. }
        | Event::ChecklistTicked { incident, .. }
        | Event::IncidentLevelSet { incident, .. }
        | Event::IncidentNoted { incident, .. }
        | Event::IncidentResolved { incident, .. }
        | Event::IncidentChanged { incident, .. }
        | Event::EscalationChanged { incident, .. }
        | Event::ChecklistChanged { incident, .. } => Scope::Incident(incident),
        Event::AlarmChanged { alarm, .. } => Scope::Alarm(alarm),
        Event::NotificationQueued { notification } => Scope::Notification(&notification.id),
        Event::NotificationSent { notification, .. }
        | Event::NotificationFailed { notification, .. }
        | Event::NotificationSuppressed { notification, .. } => Scope::Notification(notification),
    }
}

/// The incident or the operation that a command names.
pub(super) const fn named(command: &Command) -> (Option<&IncidentId>, Option<&OperationId>) {
    match command {
        Command::Acknowledge { incident }
        | Command::Tick { incident, .. }
        | Command::SetLevel { incident, .. }
        | Command::Resolve { incident, .. }
        | Command::Note { incident, .. }
        | Command::Incident { incident, .. }
        | Command::Item { incident, .. }
        | Command::Attach { incident, .. }
        | Command::Rebase(Rebase { incident, .. }) => (Some(incident), None),
        Command::Pause { operation, .. }
        | Command::Resume { operation, .. }
        | Command::Cancel { operation, .. }
        | Command::Confirm { operation, .. }
        | Command::Settle { operation, .. } => (None, Some(operation)),
        Command::RollBack(_)
        | Command::Promote(_)
        | Command::Deploy(_)
        | Command::Database(_)
        | Command::Scale(_)
        | Command::CleanUp { .. }
        | Command::Together(_)
        | Command::Maintenance { .. }
        | Command::Mark { .. }
        | Command::Freeze { .. }
        | Command::Thaw { .. }
        | Command::Automatic { .. }
        | Command::Baseline { .. }
        | Command::Reset { .. }
        | Command::OpenIncident { .. }
        | Command::Alarms(_) => (None, None),
    }
}

/// Who did it; none for what only happened.
pub(super) const fn actor(event: &Event) -> Option<&Actor> {
    match event {
        Event::CommandAccepted { envelope } | Event::CommandRefused { envelope, .. } => Some(&envelope.by),
        Event::GuardrailOverridden { by, .. }
        | Event::OperationPlanned { by, .. }
        | Event::DecisionSettled { by, .. }
        | Event::CancelRequested { by, .. }
        | Event::OperationPaused { by, .. }
        | Event::OperationResumed { by, .. }
        | Event::ReleaseMarked { by, .. }
        | Event::FreezeSet { by, .. }
        | Event::FreezeLifted { by, .. }
        | Event::AutomaticSet { by, .. }
        | Event::BaselineForgotten { by, .. }
        | Event::CountReset { by, .. }
        | Event::IncidentOpened { by, .. }
        | Event::IncidentAcknowledged { by, .. }
        | Event::ChecklistTicked { by, .. }
        | Event::IncidentLevelSet { by, .. }
        | Event::IncidentNoted { by, .. }
        | Event::IncidentResolved { by, .. }
        | Event::IncidentChanged { by, .. }
        | Event::ChecklistChanged { by, .. } => Some(by),
        Event::BaselineRecorded { baseline, .. } => Some(&baseline.by),
        Event::EscalationChanged { change, .. } => match change {
            EscalationChange::Acknowledged { by, .. }
            | EscalationChange::Snoozed { by, .. }
            | EscalationChange::Stopped { by, .. } => Some(by),
            EscalationChange::Began { .. }
            | EscalationChange::LevelTold { .. }
            | EscalationChange::Unreachable { .. }
            | EscalationChange::Reminded { .. }
            | EscalationChange::AcknowledgementRanOut { .. }
            | EscalationChange::Woke { .. }
            | EscalationChange::Exhausted { .. } => None,
        },
        Event::LeaderChanged { .. }
        | Event::InventoryChanged { .. }
        | Event::PlatformReadable { .. }
        | Event::SourceReadable { .. }
        | Event::BreakerChanged { .. }
        | Event::VerdictChanged { .. }
        | Event::FindingRaised { .. }
        | Event::FindingCleared { .. }
        | Event::DecisionMade { .. }
        | Event::StepStarted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepRetried { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepUnknown { .. }
        | Event::TrafficBack { .. }
        | Event::DecisionNeeded { .. }
        | Event::OperationEnded { .. }
        | Event::IncidentJoined { .. }
        | Event::AlarmChanged { .. }
        | Event::NotificationQueued { .. }
        | Event::NotificationSent { .. }
        | Event::NotificationFailed { .. }
        | Event::NotificationSuppressed { .. }
        | Event::JointChanged { .. }
        | Event::ReleaseWatched { .. } => None,
    }
}
