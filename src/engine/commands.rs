//! What people ask. Every command is journaled whole, whether it is taken up or refused, and the refusal says what to do.

use std::time::Duration;

use crate::config::Config;
use crate::config::schema::Role;
use crate::model::command::{
    Actor, Command, Deploy, Envelope, Override, Promote, RollBack, Scale, Settlement,
};
use crate::model::decision::GuardrailCheck;
use crate::model::event::Event;
use crate::model::operation::{OperationStatus, Outcome, Plan, Strategy};
use crate::model::release::Release;
use crate::model::units::human;
use crate::model::{CommandId, OperationId, ServiceName, Version};

use super::core::Work;
use super::proposal::propose;
use super::{baseline, checklist, executor, incidents, joint, messages, received};

/// A command that waited longer than this for a leader is refused: the world has moved on.
pub const COMMAND_TTL: Duration = Duration::from_secs(60);

/// Takes a command up or refuses it.
pub(super) fn handle(work: &mut Work<'_>, envelope: Envelope) {
    if work.state.commands.contains(&envelope.id) {
        return;
    }
    // They come from no person, and grow no less true by waiting for a leader.
    if let Command::Alarms(batch) = &envelope.command {
        return received::take(work, batch);
    }
    if let Err(reason) = may_command(work, &envelope) {
        return refuse(work, envelope, reason, Vec::new());
    }
    match envelope.command.clone() {
        Command::RollBack(_)
        | Command::Promote(_)
        | Command::Maintenance { .. }
        | Command::Deploy(_)
        | Command::Scale(_)
        | Command::CleanUp { .. }
        | Command::Database(_) => {
            operate(work, envelope);
        }
        Command::Confirm { operation, reason } => confirm(work, envelope, &operation, &reason),
        Command::Pause { operation, reason } => pause(work, envelope, &operation, reason),
        Command::Resume { operation, reason } => resume(work, envelope, &operation, &reason),
        Command::Together(asked) => joint::begin(work, envelope, &asked),
        Command::Cancel { operation, reason } if work.state.joints.contains_key(operation.as_str()) => {
            let is_open = work.state.joints.get(operation.as_str()).is_some_and(|joint| joint.is_open());
            if !is_open {
                return refuse(work, envelope, format!("{operation} has already ended"), Vec::new());
            }
            let by = envelope.by.clone();
            accept(work, envelope);
            joint::cancel(work, operation.as_str(), &by, &reason);
        }
        Command::Cancel { operation, reason } => match open_operation(work, &operation) {
            Ok(()) => {
                let by = envelope.by.clone();
                accept(work, envelope);
                stop(work, &operation, by, reason, None);
            }
            Err(why) => refuse(work, envelope, why, Vec::new()),
        },
        Command::Settle { operation, choice, reason } => settle(work, envelope, &operation, choice, reason),
        Command::Mark { service, version, quality, reason } => match release_of(work, &service, &version) {
            Ok(release) => {
                let by = envelope.by.clone();
                accept(work, envelope);
                work.emit(Event::ReleaseMarked {
                    service,
                    version,
                    release: release.reference,
                    quality,
                    by,
                    reason,
                });
            }
            Err(why) => refuse(work, envelope, why, Vec::new()),
        },
        Command::Freeze { until: Some(until), .. } if until <= work.now => {
            refuse(
                work,
                envelope,
                format!("{until:.0} is past: this freeze would protect nothing"),
                Vec::new(),
            );
        }
        Command::Freeze { service, until, reason } => {
            let by = envelope.by.clone();
            accept(work, envelope);
            work.emit(Event::FreezeSet { service, until, by, reason });
        }
        Command::Thaw { service, reason } => {
            let by = envelope.by.clone();
            accept(work, envelope);
            work.emit(Event::FreezeLifted { service, by, reason });
        }
        Command::Automatic { on, reason } => {
            let by = envelope.by.clone();
            accept(work, envelope);
            work.emit(Event::AutomaticSet { on, by, reason });
        }
        Command::Baseline { service, set: true, reason } => {
            match baseline::present(work, &service, envelope.by.clone()) {
                Ok(baseline) => {
                    accept(work, envelope);
                    work.emit(Event::BaselineRecorded { service, baseline, reason });
                }
                Err(why) => refuse(work, envelope, why, Vec::new()),
            }
        }
        Command::Baseline { service, set: false, reason } => {
            let is_there = work.state.service(&service).is_some_and(|known| known.baseline.is_some());
            if is_there {
                let by = envelope.by.clone();
                accept(work, envelope);
                work.emit(Event::BaselineForgotten { service, by, reason });
            } else {
                refuse(work, envelope, format!("{service} has no baseline to forget"), Vec::new());
            }
        }
        Command::Reset { service, reason } => {
            let by = envelope.by.clone();
            accept(work, envelope);
            work.emit(Event::CountReset { service, by, reason });
        }
        Command::OpenIncident { .. }
        | Command::Acknowledge { .. }
        | Command::SetLevel { .. }
        | Command::Resolve { .. }
        | Command::Note { .. }
        | Command::Incident { .. } => incidents::handle(work, envelope),
        Command::Alarms(batch) => received::take(work, &batch),
        Command::Tick { .. } | Command::Item { .. } | Command::Attach { .. } | Command::Rebase(_) => {
            checklist::handle(work, envelope);
        }
    }
}

pub(super) fn accept(work: &mut Work<'_>, envelope: Envelope) {
    work.emit(Event::CommandAccepted { envelope });
}

pub(super) fn refuse(
    work: &mut Work<'_>,
    envelope: Envelope,
    reason: String,
    guardrails: Vec<GuardrailCheck>,
) {
    work.emit(Event::CommandRefused { envelope, reason, guardrails });
}

/// Whether this sender may ask for this, now.
fn may_command(work: &Work<'_>, envelope: &Envelope) -> Result<(), String> {
    let age = if envelope.at < work.now {
        work.now.duration_since(envelope.at).unsigned_abs()
    } else {
        Duration::ZERO
    };
    if age > COMMAND_TTL {
        return Err(format!(
            "sent {} ago and nobody led meanwhile: look again, then send it anew",
            human(age)
        ));
    }
    let config = work.config();
    if envelope.by == Actor::Engine {
        return Err("a command comes from a person: say who you are with `--as NAME`".to_owned());
    }
    if let Actor::Person { name } = &envelope.by
        && !config.operators.is_empty()
    {
        match config.operators.get(name) {
            None => {
                let names: Vec<_> = config.operators.keys().map(String::as_str).collect();
                return Err(format!(
                    "`{name}` is not an operator of {}; operators: {}. Say who you are with `--as NAME`",
                    config.environment.name,
                    names.join(", ")
                ));
            }
            Some(operator) if operator.role == Role::Observer => {
                return Err(format!("`{name}` may look but not act in {}", config.environment.name));
            }
            Some(_) => {}
        }
    }
    if let Some(service) = envelope.command.service() {
        exists(config, service)?;
    }
    if envelope.command.reason().is_some_and(|reason| reason.trim().is_empty()) {
        return Err("a reason is required: it is what the others will read".to_owned());
    }
    Ok(())
}

/// Whether the config has this service; in words when it has not.
pub(super) fn exists(config: &Config, service: &ServiceName) -> Result<(), String> {
    if config.services.contains_key(service) {
        return Ok(());
    }
    let names: Vec<_> = config.services.keys().map(ServiceName::as_str).collect();
    Err(format!("no service `{service}`; services: {}", names.join(", ")))
}

/// Has an operation stop at its next step, or at once where it waits for a person.
pub(super) fn stop(
    work: &mut Work<'_>,
    id: &OperationId,
    by: Actor,
    reason: String,
    rollback: Option<(CommandId, Strategy)>,
) {
    let (rollback, strategy) = rollback.unzip();
    work.emit(Event::CancelRequested { operation: id.clone(), by, reason, rollback, strategy });
    let awaits_person = work
        .state
        .operation(id)
        .is_some_and(|operation| matches!(operation.status, OperationStatus::NeedsDecision { .. }));
    if awaits_person {
        abort(work, id);
    } else {
        executor::advance(work, id);
    }
}

/// A person says go to a deployment that waits for it.
fn confirm(work: &mut Work<'_>, envelope: Envelope, id: &OperationId, reason: &str) {
    let why = open_operation(work, id).err().or_else(|| {
        let operation = work.state.operation(id)?;
        match &operation.paused {
            _ if !operation.awaits_confirmation() => {
                Some(format!("{id} does not wait for a person to say go"))
            }
            Some(paused) => {
                Some(format!("{id} is paused by {}: {}; resume it first", paused.by, paused.reason))
            }
            None => None,
        }
    });
    if let Some(why) = why {
        return refuse(work, envelope, why, Vec::new());
    }
    let by = envelope.by.clone();
    accept(work, envelope);
    executor::confirm(work, id, &by, reason);
}

fn overrides_of(command: &Command) -> &[Override] {
    match command {
        Command::RollBack(RollBack { overrides, .. })
        | Command::Promote(Promote { overrides, .. })
        | Command::Scale(Scale { overrides, .. })
        | Command::Deploy(Deploy { overrides, .. }) => overrides,
        _ => &[],
    }
}

/// Begins the operation that a command asks for.
fn operate(work: &mut Work<'_>, envelope: Envelope) {
    let planned = match plan(work, &envelope.command) {
        Ok(planned) => planned,
        Err((why, guardrails)) => return refuse(work, envelope, why, guardrails),
    };
    let (by, command) = (envelope.by.clone(), envelope.id.clone());
    let reason = envelope.command.reason().unwrap_or_default().to_owned();
    let overrides = overrides_of(&envelope.command).to_vec();
    accept(work, envelope);
    for taken in overrides {
        let was_needed = planned
            .guardrails
            .iter()
            .any(|check| check.guardrail == taken.guardrail && check.overridden.is_some());
        if was_needed {
            work.emit(Event::GuardrailOverridden {
                command: command.clone(),
                by: by.clone(),
                service: planned.plan.service.clone(),
                taken,
            });
        }
    }
    // A release that is still being brought in goes back by the deployment's own way, without any of its stages.
    let open = work.state.service(&planned.plan.service).and_then(|known| known.operation.clone());
    if let Some(open) = open {
        return stop(work, &open, by, reason, Some((command, planned.plan.strategy)));
    }
    let operation = work.state.next_operation();
    begin(work, planned, &operation, Some(&command), &by, &reason);
}

/// What is to be done for a command, and the guardrails that let it pass.
pub(super) struct Planned {
    plan: Plan,
    guardrails: Vec<GuardrailCheck>,
}

/// What is to be done for a command, or why nothing is.
pub(super) fn plan(work: &Work<'_>, command: &Command) -> Result<Planned, (String, Vec<GuardrailCheck>)> {
    let proposal = propose(work.settings, work.state, work.senses, command, work.now);
    if let Some(why) = proposal.refusal() {
        return Err((why, proposal.guardrails));
    }
    match proposal.plan {
        Ok(plan) => Ok(Planned { plan, guardrails: proposal.guardrails }),
        Err(why) => Err((why, proposal.guardrails)),
    }
}

/// Begins what was planned.
pub(super) fn begin(
    work: &mut Work<'_>,
    planned: Planned,
    operation: &OperationId,
    command: Option<&CommandId>,
    by: &Actor,
    reason: &str,
) {
    let planned = Event::OperationPlanned {
        operation: operation.clone(),
        plan: planned.plan,
        by: by.clone(),
        reason: reason.to_owned(),
        decision: None,
        command: command.cloned(),
        guardrails: planned.guardrails,
    };
    executor::begin(work, operation, planned);
}

fn pause(work: &mut Work<'_>, envelope: Envelope, id: &OperationId, reason: String) {
    let why = open_operation(work, id).err().or_else(|| {
        let operation = work.state.operation(id)?;
        match &operation.paused {
            Some(paused) => Some(format!("{id} is already paused by {}: {}", paused.by, paused.reason)),
            None if operation.cancelling => {
                Some(format!("{id} is being cancelled: it stops after its present step"))
            }
            None => None,
        }
    });
    if let Some(why) = why {
        return refuse(work, envelope, why, Vec::new());
    }
    let by = envelope.by.clone();
    accept(work, envelope);
    work.emit(Event::OperationPaused { operation: id.clone(), by, reason });
    messages::operation_paused(work, id);
}

fn resume(work: &mut Work<'_>, envelope: Envelope, id: &OperationId, reason: &str) {
    let why = open_operation(work, id).err().or_else(|| {
        let is_paused = work.state.operation(id).is_some_and(|operation| operation.paused.is_some());
        (!is_paused).then(|| format!("{id} is not paused"))
    });
    if let Some(why) = why {
        return refuse(work, envelope, why, Vec::new());
    }
    let by = envelope.by.clone();
    accept(work, envelope);
    work.emit(Event::OperationResumed { operation: id.clone(), by: by.clone(), reason: reason.to_owned() });
    messages::operation_resumed(work, id, &by, reason);
    executor::advance(work, id);
}

fn settle(work: &mut Work<'_>, envelope: Envelope, id: &OperationId, choice: Settlement, reason: String) {
    let awaits = work
        .state
        .operation(id)
        .is_some_and(|operation| matches!(operation.status, OperationStatus::NeedsDecision { .. }));
    if !awaits {
        let why = match open_operation(work, id) {
            Ok(()) => format!("{id} does not wait for a person"),
            Err(why) => why,
        };
        return refuse(work, envelope, why, Vec::new());
    }
    // To say `retry` is to begin the step again, which a pause forbids.
    let paused = work.state.operation(id).and_then(|operation| operation.paused.as_ref());
    if choice == Settlement::Retry
        && let Some(paused) = paused
    {
        let why = format!("{id} is paused by {}: {}; resume it, then say `retry`", paused.by, paused.reason);
        return refuse(work, envelope, why, Vec::new());
    }
    let by = envelope.by.clone();
    accept(work, envelope);
    work.emit(Event::DecisionSettled { operation: id.clone(), choice, by, reason });
    match choice {
        Settlement::Abort => abort(work, id),
        Settlement::Done | Settlement::Retry => executor::settled(work, id, choice),
    }
}

fn abort(work: &mut Work<'_>, id: &OperationId) {
    if let Some(operation) = work.state.operations.get(id).cloned() {
        let detail =
            "stopped by a person while it was not known whether a step had happened: look at the platform";
        executor::end(work, &operation, Outcome::Cancelled, detail);
    }
}

fn open_operation(work: &Work<'_>, id: &OperationId) -> Result<(), String> {
    match work.state.operation(id) {
        None => {
            let open: Vec<_> =
                work.state.open_operations().map(|operation| operation.id.to_string()).collect();
            let open = if open.is_empty() {
                "none is open".to_owned()
            } else {
                format!("open: {}", open.join(", "))
            };
            Err(format!("no operation `{id}`; {open}"))
        }
        Some(operation) => match &operation.status {
            OperationStatus::Ended { outcome, .. } => {
                Err(format!("{id} has already ended: {}", outcome.words()))
            }
            _ => Ok(()),
        },
    }
}

fn release_of(work: &Work<'_>, service: &ServiceName, version: &Version) -> Result<Release, String> {
    let inventory = work.state.service(service).and_then(|known| known.inventory.as_ref());
    let Some(inventory) = inventory else {
        return Err(format!("the platform of `{service}` has not been read yet"));
    };
    inventory.by_version(version).cloned().ok_or_else(|| {
        let versions: Vec<_> =
            inventory.releases.iter().map(|release| release.version.as_str()).take(8).collect();
        format!("`{service}` has no release `{version}`; it has {}", versions.join(", "))
    })
}
