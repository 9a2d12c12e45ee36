//! What an operation would be, as shown before it is asked for, and as decided when it is.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::command::{Command, DataChange, Deploy, Promote, RollBack, Scale};
use crate::model::database::DataAsk;
use crate::model::decision::GuardrailCheck;
use crate::model::deploy::DeployStrategy;
use crate::model::operation::{Operation, OperationStatus, Outcome, Plan, PlanKind, Strategy};
use crate::model::release::Release;
use crate::model::{DatabaseName, ServiceName};

use super::core::Core;
use super::guardrails::{self, Intent};
use super::input::Settings;
use super::instances;
use super::planner::{self, Draft, Forward};
use super::senses::Senses;
use super::state::{ServiceState, State};
use super::target::{self, Target};

/// What an operation would be, as shown before it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The release that would be left. For maintenance the one that serves, which stays.
    pub from: Option<Release>,
    /// The release that would get the traffic. For maintenance the same as `from`.
    pub target: Target,
    /// The steps, or why there are none.
    pub plan: Result<Plan, String>,
    /// The guardrails.
    pub guardrails: Vec<GuardrailCheck>,
    /// Something else is there than what the sender saw, in words.
    pub moved_on: Option<String>,
    /// How long it takes, by what is remembered of others like it; none where there were none.
    pub expected: Option<Expected>,
}

/// How long an operation takes, from planned to ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The median.
    pub lasts: Duration,
    /// How many earlier ones it is the median of.
    pub from: usize,
}

impl Proposal {
    /// Why it would be refused; none when it would be taken up.
    pub fn refusal(&self) -> Option<String> {
        if let Some(why) = &self.moved_on {
            return Some(why.clone());
        }
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
    /// What the operation would be that a command asks for, if it were asked for now. Changes nothing. A command that asks for
    /// none gets a proposal without a plan that says so.
    pub fn propose(&self, command: &Command, now: Timestamp) -> Proposal {
        propose(self.settings(), self.state(), self.senses(), command, now)
    }
}

/// See [`Core::propose`].
pub(super) fn propose(
    settings: &Settings,
    state: &State,
    senses: &Senses,
    command: &Command,
    now: Timestamp,
) -> Proposal {
    let (service, kind, strategy, overrides) = match command {
        Command::RollBack(asked) => {
            (&asked.service, PlanKind::RollBack, asked.strategy, asked.overrides.as_slice())
        }
        Command::Promote(asked) => {
            (&asked.service, PlanKind::Promote, Strategy::Immediate, asked.overrides.as_slice())
        }
        Command::Maintenance { service, on, .. } => {
            (service, PlanKind::Maintenance { on: *on }, Strategy::Immediate, [].as_slice())
        }
        Command::Deploy(asked) => (
            &asked.service,
            PlanKind::Deploy { how: asked.strategy },
            Strategy::Immediate,
            asked.overrides.as_slice(),
        ),
        Command::Database(asked) => {
            let kind = PlanKind::Database { change: asked.what.kind() };
            (&asked.service, kind, Strategy::Immediate, asked.overrides.as_slice())
        }
        Command::Scale(asked) => {
            let kind = PlanKind::Scale { instances: asked.instances };
            (&asked.service, kind, Strategy::Immediate, asked.overrides.as_slice())
        }
        Command::CleanUp { service, .. } => (service, PlanKind::CleanUp, Strategy::Immediate, [].as_slice()),
        _ => return nothing(format!("to {} makes no plan", command.verb())),
    };
    let known = state.service(service);
    let (from, mut target) = ends(state, known, command);
    if let Command::Scale(asked) = command {
        instances::aim(&mut target, &settings.config, service, known, asked.instances);
    }
    let database = if let Command::Database(asked) = command { Some(&asked.database) } else { None };
    let intent =
        Intent { service, kind, automatic: false, from: from.as_ref(), target: &target, overrides, database };
    let guardrails = guardrails::check(settings, state, senses, intent, now);
    let inventory = known.and_then(|known| known.inventory.as_ref());
    let plan = match (&from, &target.release) {
        (_, Some(release)) if database.is_some() => match command {
            Command::Database(asked) => change(settings, state, asked, release, now),
            _ => Err("no database was named (a defect of unship)".to_owned()),
        },
        (Some(from), Some(to)) => match (settings.platforms.get(service), inventory) {
            (Some(platform), Some(inventory)) => {
                let name = &settings.config.environment.name;
                let key = format!("{name}/{}@{}", state.next_operation(), now.as_millisecond());
                let config = &settings.config;
                let settings = &config.rollback;
                let draft = Draft { service, from, to, strategy, inventory, platform, settings, key: &key };
                match kind {
                    PlanKind::Deploy { how } => {
                        let Command::Deploy(asked) = command else {
                            return nothing("no release was named (a defect of unship)".to_owned());
                        };
                        forward(config, asked, how).and_then(|forward| planner::deploy(draft, &forward))
                    }
                    PlanKind::RollBack => planner::roll_back(draft),
                    PlanKind::Promote => planner::promote(draft),
                    PlanKind::Maintenance { on } => planner::maintenance(draft, on),
                    PlanKind::Scale { instances } => planner::scale(draft, instances),
                    PlanKind::CleanUp => {
                        let old = instances::too_old(config, known, service);
                        planner::clean_up(draft, planner::left_running(inventory), &old)
                    }
                    PlanKind::Database { .. } => Err("no database was named (a defect of unship)".to_owned()),
                }
            }
            _ => Err(format!("the platform of `{service}` is not known")),
        },
        (None, Some(_)) => Err("nothing serves as stable beside it".to_owned()),
        (_, None) => {
            Err(target.problem.clone().unwrap_or_else(|| "there is no release to return to".to_owned()))
        }
    };
    let moved_on = moved_on(command, from.as_ref(), target.release.as_ref()).or_else(|| {
        let Command::Scale(Scale { seen: Some(seen), .. }) = command else { return None };
        let now = inventory.and_then(|inventory| inventory.instances).filter(|now| now != seen)?;
        Some(format!("{now} instances are asked for now, not the {seen} that you saw: look again"))
    });
    let expected = expected(state, service, kind, strategy);
    Proposal { from, target, plan, guardrails, moved_on, expected }
}

/// The plan that changes a database.
fn change(
    settings: &Settings,
    state: &State,
    asked: &DataChange,
    release: &Release,
    now: Timestamp,
) -> Result<Plan, String> {
    let config = &settings.config;
    let spec = config.databases.get(&asked.database).ok_or_else(|| {
        let known: Vec<&str> = config.databases.keys().map(DatabaseName::as_str).collect();
        format!("no database `{}`; databases: {}", asked.database, known.join(", "))
    })?;
    if !spec.services.contains(&asked.service) {
        return Err(format!("`{}` does not work with the database `{}`", asked.service, asked.database));
    }
    if let DataAsk::PointInTime { to } = asked.what
        && to >= now
    {
        return Err(format!("{to:.0} is still to come"));
    }
    let name = &config.environment.name;
    let key = format!("{name}/{}@{}", state.next_operation(), now.as_millisecond());
    planner::change(asked, spec, release, &key)
}

/// What the config says of a deployment of a service.
fn forward<'c>(config: &'c Config, asked: &'c Deploy, how: DeployStrategy) -> Result<Forward<'c>, String> {
    let service = &asked.service;
    let mut migrations = Vec::new();
    for (database, scripts) in &asked.migrations {
        let spec = config.databases.get(database).filter(|spec| spec.services.contains(service));
        let spec = spec.and_then(|spec| spec.migrations.as_ref());
        let timeout = spec.map(|spec| spec.timeout).ok_or_else(|| {
            format!("`{service}` works with no database `{database}` that has `migrations` in the config")
        })?;
        migrations.push((database, scripts.as_slice(), timeout));
    }
    let checks = || config.checks.values().filter(|check| check.concerns(service));
    Ok(Forward {
        how,
        spec: config.deploy_of(service),
        checks: (checks().next().is_some(), checks().any(|check| check.critical)),
        suites: config
            .smoke
            .iter()
            .filter(|(_, suite)| suite.services.contains(service))
            .map(|(name, suite)| (name.clone(), suite.candidate.is_some() || !suite.candidates.is_empty()))
            .collect(),
        databases: config
            .databases
            .iter()
            .filter(|(_, spec)| spec.services.contains(service))
            .map(|(name, spec)| {
                let backup = spec.backups.as_ref().map(|_| spec.backup_timeout);
                (name.clone(), !spec.checks.is_empty(), backup)
            })
            .collect(),
        loads: config.load.iter().map(|(name, load)| (name.clone(), load.duration)).collect(),
        confirmed: asked.confirmed,
        migrations,
    })
}

fn nothing(why: String) -> Proposal {
    Proposal {
        from: None,
        target: Target::none(why.clone()),
        plan: Err(why),
        guardrails: Vec::new(),
        moved_on: None,
        expected: None,
    }
}

/// The release that would be left, and the one that would get the traffic.
fn ends(state: &State, known: Option<&ServiceState>, command: &Command) -> (Option<Release>, Target) {
    let unread =
        || "nothing is known to be live: the platform has not been read, or shows no traffic".to_owned();
    match command {
        Command::RollBack(RollBack { from: seen, to, .. }) => {
            // Whoever looked at what a deployment brings in saw its first traffic sooner than the next look of the engine.
            let incoming = known.and_then(|known| incoming(state, known));
            let incoming = incoming.filter(|release| seen.as_ref() == Some(&release.reference));
            let suspect = || known.and_then(|known| known.suspect()).map(|(_, release)| release);
            let from = incoming.or_else(suspect).cloned();
            let target = match (known, &from) {
                (Some(known), Some(from)) => target::choose(known, &from.reference, to.as_ref()),
                _ => Target::none(unread()),
            };
            (from, target)
        }
        Command::Promote(_) => {
            let target = known.filter(|known| known.inventory.is_some()).map(target::canary);
            let from = known.and_then(|known| known.stable()).cloned();
            (from, target.unwrap_or_else(|| Target::none(unread())))
        }
        Command::Deploy(asked) => {
            let target = known.filter(|known| known.inventory.is_some());
            let target = target.map(|known| target::incoming(known, &asked.version));
            let from = known.and_then(|known| known.stable()).cloned();
            (from, target.unwrap_or_else(|| Target::none(unread())))
        }
        // Neither does a database, and it can be changed while the platform cannot be read.
        Command::Database(_) => {
            let serves = known.and_then(ServiceState::serving).cloned();
            let serves = Some(serves.unwrap_or_else(|| Release {
                version: "unknown".into(),
                reference: "unknown".into(),
                created_at: Timestamp::UNIX_EPOCH,
                author: None,
                schema: None,
                running: false,
            }));
            (serves.clone(), Target { release: serves, evidence: String::new(), problem: None })
        }
        // The page does not care who serves: where nothing does, the newest release stands for the service.
        _ => {
            let newest = || known.and_then(|known| known.inventory.as_ref()?.releases.first());
            let serves = known.and_then(ServiceState::serving).or_else(newest);
            let serves = serves.cloned();
            let problem = serves.is_none().then(unread);
            (serves.clone(), Target { release: serves, evidence: String::new(), problem })
        }
    }
}

/// The release that a deployment is bringing in.
fn incoming<'s>(state: &'s State, known: &ServiceState) -> Option<&'s Release> {
    let open = &state.operation(known.operation.as_ref()?)?.plan;
    matches!(open.kind, PlanKind::Deploy { .. }).then_some(&open.to)
}

/// What is there now when it is not what the sender of a command saw.
fn moved_on(command: &Command, from: Option<&Release>, to: Option<&Release>) -> Option<String> {
    match command {
        Command::RollBack(RollBack { from: Some(seen), .. }) => {
            let live = from.filter(|live| &live.reference != seen)?;
            Some(format!("`{}` is live now, not the release you looked at: look again", live.version))
        }
        Command::Deploy(Deploy { from: Some(seen), .. }) => {
            let live = from.filter(|live| &live.reference != seen)?;
            Some(format!("`{}` is live now, not the release you looked at: look again", live.version))
        }
        Command::Promote(Promote { release: Some(seen), .. }) => {
            let canary = to.filter(|canary| &canary.reference != seen)?;
            Some(format!("`{}` is the canary now, not the release you looked at: look again", canary.version))
        }
        _ => None,
    }
}

/// How long an operation of this kind takes, by what is remembered of others like it; none where there were none. One that a
/// person stopped says nothing of how long such an operation takes.
pub fn expected(
    state: &State,
    service: &ServiceName,
    kind: PlanKind,
    strategy: Strategy,
) -> Option<Expected> {
    let took = |operation: &Operation| match operation.status {
        OperationStatus::Ended { outcome, at, .. } if outcome != Outcome::Cancelled => {
            Some(at.duration_since(operation.at).unsigned_abs())
        }
        _ => None,
    };
    let mut times: Vec<Duration> = state
        .operations_in_order()
        .map(|operation| (operation, &operation.plan))
        .filter(|(_, plan)| plan.service == *service && plan.kind == kind && plan.strategy == strategy)
        .filter_map(|(operation, _)| took(operation))
        .collect();
    times.sort_unstable();
    let from = times.len();
    let upper = *times.get(from / 2)?;
    let lasts = if from.is_multiple_of(2) { (times[from / 2 - 1] + upper) / 2 } else { upper };
    Some(Expected { lasts, from })
}
