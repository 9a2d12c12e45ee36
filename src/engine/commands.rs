//! What people ask. Every command is journaled whole, whether it is taken up or refused, and the refusal says what to do.

use std::time::Duration;

use crate::config::schema::Role;
use crate::model::command::{Actor, Command, Envelope, RollBack, Settlement};
use crate::model::decision::GuardrailCheck;
use crate::model::event::Event;
use crate::model::operation::{OperationStatus, Outcome, Plan};
use crate::model::release::Release;
use crate::model::units::human;
use crate::model::{OperationId, ServiceName, Version};
use jiff::Timestamp;

use super::core::{Core, Work};
use super::executor;
use super::guardrails::{self, Intent};
use super::incidents;
use super::input::Settings;
use super::planner::{self, Draft};
use super::senses::Senses;
use super::state::State;
use super::target::{self, Target};

/// A command that waited longer than this for a leader is refused: the world has moved on.
pub const COMMAND_TTL: Duration = Duration::from_secs(60);

/// What a rollback would be, as shown before it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The release that would be left.
    pub from: Option<Release>,
    /// The release that would be returned to.
    pub target: Target,
    /// The steps, or why there are none.
    pub plan: Result<Plan, String>,
    /// The guardrails.
    pub guardrails: Vec<GuardrailCheck>,
}

impl Proposal {
    /// Why it would be refused; none when it would be taken up.
    pub fn refusal(&self) -> Option<String> {
        let blocking: Vec<_> = self.guardrails.iter().filter(|check| check.blocks()).collect();
        if !blocking.is_empty() {
            let lines = blocking.iter().map(|check| {
                let way = if check.guardrail.can_override() && self.target.release.is_some() {
                    format!(" (to go on all the same: --override {}=\"why\")", check.guardrail.word())
                } else {
                    String::new()
                };
                format!("{}: {}{way}", check.guardrail.word(), check.detail)
            });
            return Some(lines.collect::<Vec<_>>().join("; "));
        }
        self.plan.as_ref().err().cloned()
    }
}

impl Core {
    /// What a rollback would be if it were asked for now. Changes nothing.
    pub fn propose(&self, asked: &RollBack, now: Timestamp) -> Proposal {
        propose(self.settings(), self.state(), self.senses(), asked, now)
    }
}

fn propose(
    settings: &Settings,
    state: &State,
    senses: &Senses,
    asked: &RollBack,
    now: Timestamp,
) -> Proposal {
    let known = state.service(&asked.service);
    let from = known.and_then(|known| known.suspect()).map(|(_, release)| release.clone());
    let target = match (known, &from) {
        (Some(known), Some(from)) => target::choose(known, &from.reference, asked.to.as_ref()),
        _ => Target {
            release: None,
            evidence: String::new(),
            problem: Some(
                "nothing is known to be live: the platform has not been read, or shows no traffic".to_owned(),
            ),
        },
    };
    let intent = Intent {
        service: &asked.service,
        automatic: false,
        from: from.as_ref(),
        target: &target,
        overrides: &asked.overrides,
    };
    let guardrails = guardrails::check(settings, state, senses, intent, now);
    let plan = match (&from, &target.release) {
        (Some(from), Some(to)) => {
            let inventory = known.and_then(|known| known.inventory.as_ref());
            match (settings.platforms.get(&asked.service), inventory) {
                (Some(platform), Some(inventory)) => planner::plan(Draft {
                    service: &asked.service,
                    from,
                    to,
                    strategy: asked.strategy,
                    inventory,
                    platform,
                    settings: &settings.config.rollback,
                    key: &format!(
                        "{}/{}@{}",
                        settings.config.environment.name,
                        state.next_operation(),
                        now.as_millisecond()
                    ),
                }),
                _ => Err(format!("the platform of `{}` is not known", asked.service)),
            }
        }
        _ => Err(target.problem.clone().unwrap_or_else(|| "there is no release to return to".to_owned())),
    };
    Proposal { from, target, plan, guardrails }
}

/// Takes a command up or refuses it.
pub(super) fn handle(work: &mut Work<'_>, envelope: Envelope) {
    if work.state.commands.contains(&envelope.id) {
        return;
    }
    if let Err(reason) = may_command(work, &envelope) {
        return refuse(work, envelope, reason, Vec::new());
    }
    match envelope.command.clone() {
        Command::RollBack(asked) => roll_back(work, envelope, &asked),
        Command::Cancel { operation, reason } => match open_operation(work, &operation) {
            Ok(()) => {
                let by = envelope.by.clone();
                accept(work, envelope);
                work.emit(Event::CancelRequested { operation: operation.clone(), by, reason });
                let awaits_person = work.state.operation(&operation).is_some_and(|operation| {
                    matches!(operation.status, OperationStatus::NeedsDecision { .. })
                });
                if awaits_person {
                    abort(work, &operation);
                } else {
                    executor::advance(work, &operation);
                }
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
        Command::Reset { service, reason } => {
            let by = envelope.by.clone();
            accept(work, envelope);
            work.emit(Event::CountReset { service, by, reason });
        }
        Command::OpenIncident { .. }
        | Command::Acknowledge { .. }
        | Command::Tick { .. }
        | Command::SetLevel { .. }
        | Command::Resolve { .. }
        | Command::Note { .. } => incidents::handle(work, envelope),
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
    if let Some(service) = service_of(&envelope.command)
        && !config.services.contains_key(service)
    {
        let names: Vec<_> = config.services.keys().map(ServiceName::as_str).collect();
        return Err(format!("no service `{service}`; services: {}", names.join(", ")));
    }
    if reason_of(&envelope.command).is_some_and(|reason| reason.trim().is_empty()) {
        return Err("a reason is required: it is what the others will read".to_owned());
    }
    Ok(())
}

const fn service_of(command: &Command) -> Option<&ServiceName> {
    match command {
        Command::RollBack(RollBack { service, .. })
        | Command::Mark { service, .. }
        | Command::Reset { service, .. } => Some(service),
        Command::Freeze { service, .. } | Command::Thaw { service, .. } => service.as_ref(),
        // Those of a new incident are looked at when it is opened.
        Command::Cancel { .. }
        | Command::Settle { .. }
        | Command::Automatic { .. }
        | Command::OpenIncident { .. }
        | Command::Acknowledge { .. }
        | Command::Tick { .. }
        | Command::SetLevel { .. }
        | Command::Resolve { .. }
        | Command::Note { .. } => None,
    }
}

/// The reason given; none for what needs none: it says all by itself, or is itself the text.
fn reason_of(command: &Command) -> Option<&str> {
    match command {
        Command::OpenIncident { .. }
        | Command::Acknowledge { .. }
        | Command::Tick { .. }
        | Command::Note { .. } => None,
        Command::RollBack(RollBack { reason, .. })
        | Command::Mark { reason, .. }
        | Command::Reset { reason, .. }
        | Command::Freeze { reason, .. }
        | Command::Thaw { reason, .. }
        | Command::Cancel { reason, .. }
        | Command::Settle { reason, .. }
        | Command::Automatic { reason, .. }
        | Command::SetLevel { reason, .. }
        | Command::Resolve { reason, .. } => Some(reason),
    }
}

fn roll_back(work: &mut Work<'_>, envelope: Envelope, asked: &RollBack) {
    let proposal = propose(work.settings, work.state, work.senses, asked, work.now);
    if let (Some(expected), Some(live)) = (&asked.from, &proposal.from)
        && expected != &live.reference
    {
        let why = format!("`{}` is live now, not the release you looked at: look again", live.version);
        return refuse(work, envelope, why, proposal.guardrails);
    }
    if let Some(why) = proposal.refusal() {
        return refuse(work, envelope, why, proposal.guardrails);
    }
    let Ok(plan) = proposal.plan else { return };
    let (by, command) = (envelope.by.clone(), envelope.id.clone());
    accept(work, envelope);
    for taken in &asked.overrides {
        let was_needed = proposal
            .guardrails
            .iter()
            .any(|check| check.guardrail == taken.guardrail && check.overridden.is_some());
        if was_needed {
            work.emit(Event::GuardrailOverridden {
                command: command.clone(),
                by: by.clone(),
                service: asked.service.clone(),
                taken: taken.clone(),
            });
        }
    }
    let operation = work.state.next_operation();
    let planned = Event::OperationPlanned {
        operation: operation.clone(),
        plan,
        by,
        reason: asked.reason.clone(),
        decision: None,
        command: Some(command),
        guardrails: proposal.guardrails,
    };
    executor::begin(work, &operation, planned);
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
