//! `unship gate` and `unship watch`: a pipeline waits here, and goes on or stops by the exit code. Both can take the release
//! back, by the same rollback as everything else.

mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::operate::{self, Ask, Conduct};
use super::output::{note, print_json};
use super::{Exit, Global, junit, session};
use crate::config::Loaded;
use crate::engine::runtime::validations::{Place, Subject, Watcher, run_program, run_suite};
use crate::engine::runtime::{self, Lead, View, World};
use crate::model::command::{Command, RollBack};
use crate::model::operation::{OperationStatus, Outcome, PlanKind, Strategy};
use crate::model::probe::{Health, ProbeOutcome, ProbeResult};
use crate::model::release::Arm;
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::model::validation::{Trial, TrialOutcome, TrialReport};
use crate::model::{OperationId, ServiceName, Span};

/// What both can do beside the exit code.
#[derive(clap::Args, Clone, Debug)]
pub struct Then {
    /// Take the release back when it fails, and wait until that is verified.
    #[arg(long)]
    auto_rollback: bool,
    /// Write the results as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Add a summary in Markdown to this file, like `$GITHUB_STEP_SUMMARY`.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

/// Wait until a service's health checks pass, then run suites and programs: a gate of a pipeline after a deployment.
#[derive(clap::Args, Clone, Debug)]
pub struct GateArgs {
    /// The service.
    service: String,
    /// How often the health checks are tried until all pass.
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// Time between two attempts.
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    every: Span,
    /// After this it has failed, whatever is still going on.
    #[arg(long, default_value = "300s", value_name = "DURATION")]
    timeout: Span,
    /// A smoke suite that has to pass after that. May be given several times.
    #[arg(long, value_name = "SUITE")]
    smoke: Vec<String>,
    /// A program that has to end with 0 after that, with its arguments, split at spaces. May be given several times.
    #[arg(long, value_name = "COMMAND")]
    command: Vec<String>,
    #[command(flatten)]
    then: Then,
}

/// Watch a service for a time by its triggers, its probes and the judge, as the guard sees them.
#[derive(clap::Args, Clone, Debug)]
pub struct WatchArgs {
    /// The service.
    service: String,
    /// How long.
    #[arg(long = "for", default_value = "15m", value_name = "DURATION")]
    lasts: Span,
    /// Time in which something has to be known of it for the first time.
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    ready_within: Span,
    #[command(flatten)]
    then: Then,
}

/// Exit codes: 0 passed, 3 failed or rolled back, 4 failed and not rolled back although asked, 6 it could not be tried, 7 the time
/// ran out.
pub async fn gate(args: &GateArgs, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    if !session::has_service(&loaded, &args.service) {
        return Ok(Exit::Usage);
    }
    let world = World::build(Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    if let Some(unknown) = args.smoke.iter().find(|name| !loaded.config.smoke.contains_key(name.as_str())) {
        note!("no smoke suite `{unknown}`");
        return Ok(Exit::Usage);
    }
    let (at, began) = (Timestamp::now(), Instant::now());
    let mut reports = Vec::new();
    let tried = tokio::time::timeout(*args.timeout, try_gate(args, &world, &mut reports)).await;
    let exit = match tried {
        Ok(Ok(exit)) => exit,
        Ok(Err(why)) => {
            note!("{why}");
            return Ok(Exit::Usage);
        }
        Err(_) => {
            let trial = Trial {
                name: "time".to_owned(),
                outcome: TrialOutcome::Failed,
                took_ms: began.elapsed().as_secs_f64() * 1e3,
                detail: format!("not through within {}", human(*args.timeout)),
            };
            reports.push(report("gate", at, began, vec![trial]));
            Exit::TimedOut
        }
    };
    finish(&args.service, "gate", exit, reports, &args.then, &loaded, global).await
}

async fn try_gate(args: &GateArgs, world: &World, reports: &mut Vec<TrialReport>) -> Result<Exit, String> {
    let health = healthy(args, world).await;
    let passed = health.passed();
    let could_be_tried = !health.trials.iter().any(|trial| trial.outcome == TrialOutcome::NotRun);
    reports.push(health);
    if !passed {
        return Ok(if could_be_tried { Exit::Unhealthy } else { Exit::Unknown });
    }
    let subject = Subject { service: args.service.as_str().into(), release: None };
    for suite in &args.smoke {
        note!("smoke suite {suite}");
        let suite = suite.as_str().into();
        reports.push(run_suite(world, &suite, &subject, Place::Live, &Watcher::nobody()).await?);
    }
    if !args.command.is_empty() {
        let (at, began) = (Timestamp::now(), Instant::now());
        let mut trials = Vec::new();
        for command in &args.command {
            note!("running {command}");
            let argv: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            // What takes too long is ended by the gate's own limit, which is another answer than a command that fails.
            trials.push(run_program(command, &argv, *args.timeout + Duration::from_secs(60)).await);
        }
        reports.push(report("commands", at, began, trials));
    }
    Ok(if reports.iter().all(TrialReport::passed) { Exit::Fine } else { Exit::Unhealthy })
}

/// Tries every health check of the service until all pass, or the attempts are used up.
async fn healthy(args: &GateArgs, world: &World) -> TrialReport {
    let mut world = world.clone();
    world.probes.retain(|probe| probe.service.as_str() == args.service);
    let (at, began) = (Timestamp::now(), Instant::now());
    if world.probes.is_empty() {
        let trial = Trial {
            name: "health".to_owned(),
            outcome: TrialOutcome::NotRun,
            took_ms: 0.0,
            detail: "the service has no health check".to_owned(),
        };
        return report("health", at, began, vec![trial]);
    }
    let mut attempt = 1;
    loop {
        let results = runtime::check(&world).await;
        let trials: Vec<Trial> =
            results.iter().map(|result| of_probe(result, attempt, args.attempts)).collect();
        let all = report("health", at, began, trials);
        if all.passed() || attempt >= args.attempts {
            return all;
        }
        note!("attempt {attempt} of {}: {}", args.attempts, all.words());
        attempt += 1;
        sleep(*args.every).await;
    }
}

fn of_probe(result: &ProbeResult, attempt: u32, attempts: u32) -> Trial {
    let (outcome, detail) = match &result.outcome {
        ProbeOutcome::Answered { health: Health::Unhealthy, reason } => {
            (TrialOutcome::Failed, reason.clone())
        }
        ProbeOutcome::Answered { health: Health::Degraded, reason } => (TrialOutcome::Warned, reason.clone()),
        ProbeOutcome::Answered { health: Health::Healthy, .. } => {
            (TrialOutcome::Passed, "healthy".to_owned())
        }
        ProbeOutcome::NotRun { reason } => (TrialOutcome::NotRun, reason.clone()),
    };
    let detail = format!("{detail} (attempt {attempt} of {attempts})");
    Trial { name: result.probe.to_string(), outcome, took_ms: result.latency_ms, detail }
}

fn report(name: &str, at: Timestamp, began: Instant, trials: Vec<Trial>) -> TrialReport {
    TrialReport {
        name: name.to_owned(),
        address: None,
        at,
        took_ms: began.elapsed().as_secs_f64() * 1e3,
        trials,
        latency: None,
    }
}

/// How a watch ended.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    /// It was well to the end.
    Well(String),
    /// It is failing.
    Failing(Vec<String>),
    /// Somebody or something else takes it back already.
    TakenBack(OperationId),
    /// At the end it was not known.
    Unknown(Vec<String>),
    /// Nothing was ever known.
    Nothing,
}

/// Exit codes: 0 well to the end, 3 failing or rolled back, 4 failing and not rolled back although asked, 6 not known at the end,
/// 7 nothing was known of it in time.
pub async fn watch(args: &WatchArgs, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    if !session::has_service(&loaded, &args.service) {
        return Ok(Exit::Usage);
    }
    let service: ServiceName = args.service.as_str().into();
    let engine = session::start(&loaded, "watch", Lead::Auto).await?;
    let (at, began) = (Timestamp::now(), Instant::now());
    let mut view = engine.view();
    note!("watching {service} for {}", human(*args.lasts));
    let mut last_said = String::new();
    let seen = loop {
        let now = Arc::clone(&view.borrow_and_update());
        if let Some(seen) = look(&now, &service, began.elapsed(), args) {
            break seen;
        }
        let words = words(&now, &service);
        if words != last_said {
            note!("{} {words}", human(Duration::from_secs(began.elapsed().as_secs())));
            last_said = words;
        }
        tokio::select! {
            changed = view.changed() => changed.context("the engine has stopped")?,
            // Time passes also where nothing changes.
            () = sleep(Duration::from_millis(250)) => {}
            () = session::asked_to_stop() => {
                engine.shutdown().await;
                note!("not watched to the end");
                return Ok(Exit::TimedOut);
            }
        }
    };
    let (outcome, detail, mut exit) = match &seen {
        Seen::Well(words) => (TrialOutcome::Passed, words.clone(), Exit::Fine),
        Seen::Failing(reasons) => (TrialOutcome::Failed, reasons.join("; "), Exit::Unhealthy),
        Seen::TakenBack(id) => (TrialOutcome::Failed, format!("{id} takes it back"), Exit::Unhealthy),
        Seen::Unknown(reasons) => (TrialOutcome::NotRun, reasons.join("; "), Exit::Unknown),
        Seen::Nothing => (
            TrialOutcome::NotRun,
            format!("nothing was known of it within {}", human(*args.ready_within)),
            Exit::TimedOut,
        ),
    };
    let mut trials = vec![Trial {
        name: "watch".to_owned(),
        outcome,
        took_ms: began.elapsed().as_secs_f64() * 1e3,
        detail,
    }];
    if let Seen::TakenBack(id) = &seen {
        let (trial, verified) = taken_back(&mut view, id).await?;
        trials.push(trial);
        exit = if verified { Exit::Unhealthy } else { Exit::Failed };
    }
    engine.shutdown().await;
    let asks = matches!(seen, Seen::Failing(_));
    let then = Then { auto_rollback: args.then.auto_rollback && asks, ..args.then.clone() };
    finish(&args.service, "watch", exit, vec![report("watch", at, began, trials)], &then, &loaded, global)
        .await
}

/// The arm that matters, and what is seen of it: the canary's while there is one.
fn verdict(view: &View, service: &ServiceName) -> Option<Verdict> {
    let known = view.state.service(service)?;
    let (_, reading) = view.readings.get(service)?;
    match known.canary() {
        Some(_) => reading.arms.get(&Arm::Canary).cloned(),
        None => reading.verdict.clone(),
    }
}

fn words(view: &View, service: &ServiceName) -> String {
    verdict(view, service).map_or_else(
        || "nothing is known yet".to_owned(),
        |verdict| {
            let reasons = verdict.reasons().join("; ");
            if reasons.is_empty() {
                verdict.word().to_owned()
            } else {
                format!("{}: {reasons}", verdict.word())
            }
        },
    )
}

/// Whether the watch is over.
fn look(view: &View, service: &ServiceName, elapsed: Duration, args: &WatchArgs) -> Option<Seen> {
    let known = view.state.service(service);
    let open = known.and_then(|known| known.operation.as_ref()).and_then(|id| view.state.operation(id));
    if let Some(open) = open.filter(|open| open.plan.kind == PlanKind::RollBack) {
        return Some(Seen::TakenBack(open.id.clone()));
    }
    let verdict = verdict(view, service);
    if let Some(Verdict::Failing { reasons }) = verdict {
        return Some(Seen::Failing(reasons));
    }
    if elapsed >= *args.ready_within && verdict.is_none() {
        return Some(Seen::Nothing);
    }
    if elapsed < *args.lasts {
        return None;
    }
    Some(match verdict {
        Some(Verdict::Healthy) => Seen::Well(format!("healthy after {}", human(*args.lasts))),
        Some(Verdict::Degraded { reasons }) => Seen::Well(format!("degraded: {}", reasons.join("; "))),
        Some(verdict) => Seen::Unknown(verdict.reasons().to_vec()),
        None => Seen::Nothing,
    })
}

/// Waits until somebody else's rollback has ended.
async fn taken_back(
    view: &mut tokio::sync::watch::Receiver<Arc<View>>,
    id: &OperationId,
) -> anyhow::Result<(Trial, bool)> {
    let began = Instant::now();
    note!("{id} takes it back; waiting for its end");
    let ended = view.wait_for(|view| view.state.operation(id).is_none_or(|operation| !operation.is_open()));
    let now = ended.await.context("the engine has stopped")?;
    let (outcome, detail) = match now.state.operation(id).map(|operation| &operation.status) {
        Some(OperationStatus::Ended { outcome, detail, .. }) => (Some(*outcome), detail.clone()),
        _ => (None, "it is not remembered any more".to_owned()),
    };
    let verified = outcome == Some(Outcome::Verified);
    let trial = Trial {
        name: "rollback".to_owned(),
        outcome: if verified { TrialOutcome::Warned } else { TrialOutcome::Failed },
        took_ms: began.elapsed().as_secs_f64() * 1e3,
        detail,
    };
    Ok((trial, verified))
}

/// Takes the release back if that was asked for, and writes everything down.
async fn finish(
    service: &str,
    what: &str,
    mut exit: Exit,
    mut reports: Vec<TrialReport>,
    then: &Then,
    loaded: &Loaded,
    global: &Global,
) -> anyhow::Result<Exit> {
    let failed = matches!(exit, Exit::Unhealthy | Exit::TimedOut);
    if failed && then.auto_rollback {
        let (at, began) = (Timestamp::now(), Instant::now());
        let why = reports.iter().filter(|report| !report.passed()).map(TrialReport::words);
        let reason = format!("{what} failed: {}", why.collect::<Vec<_>>().join("; "));
        note!("taking it back: {reason}");
        let command = Command::RollBack(RollBack {
            service: service.into(),
            from: None,
            to: None,
            strategy: Strategy::Immediate,
            reason: loaded.secrets.redact(&reason),
            overrides: Vec::new(),
        });
        let conduct = Conduct { role: "gate", ask: Ask::Nothing, dry_run: false, timeout: None };
        let quiet = Global { json: false, ..global.clone() };
        let rolled_back = operate::run(command, conduct, &quiet).await?;
        let (outcome, detail) = match rolled_back {
            Exit::Fine => (TrialOutcome::Warned, "the release was taken back"),
            Exit::Refused => (TrialOutcome::Failed, "the rollback was refused: a person is needed"),
            Exit::Unknown => (TrialOutcome::Failed, "taken back, and nothing says whether that helped"),
            _ => (TrialOutcome::Failed, "the rollback did not come to a good end: a person is needed"),
        };
        exit = if rolled_back == Exit::Fine { Exit::Unhealthy } else { Exit::Failed };
        let trial = Trial {
            name: "rollback".to_owned(),
            outcome,
            took_ms: began.elapsed().as_secs_f64() * 1e3,
            detail: detail.to_owned(),
        };
        reports.push(report("rollback", at, began, vec![trial]));
    }
    for report in &mut reports {
        for trial in &mut report.trials {
            trial.detail = loaded.secrets.redact(&trial.detail);
        }
    }
    if let Some(file) = &then.junit {
        std::fs::write(file, junit::write(&reports))
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if let Some(file) = &then.summary {
        summary::add(file, service, what, exit, &reports)
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if global.json {
        print_json(&json!({ "exit": exit as u8, "service": service, "reports": reports }))?;
    } else {
        for report in &reports {
            note!("{}", report.words());
        }
        note!("{what} of {service}: {}", summary::verdict(exit));
    }
    Ok(exit)
}
