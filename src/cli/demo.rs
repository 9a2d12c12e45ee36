//! `unship demo`: a bad release on the embedded fleet, noticed from real HTTP traffic and taken back.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::account;
use super::console::{self, Look};
use super::follow::Follower;
use super::output::{entry_json, note};
use super::session::actor;
use super::{Exit, Global};
use crate::config::{self, Loaded};
use crate::engine::State;
use crate::engine::runtime::{Engine, Lead, Options, World, open_journal};
use crate::lab::{Action, Expect, Facts, Lab, LabHandle, LabOptions, Scenario};
use crate::model::ServiceName;
use crate::model::command::{Actor, Command, Deploy};
use crate::model::decision::Recommendation;
use crate::model::deploy::DeployStrategy;
use crate::model::event::Event;
use crate::model::operation::{OperationStatus, Outcome, PlanKind};
use crate::model::release::Quality;
use crate::model::trigger::Verdict;
use crate::tui;

/// Take a bad release back on a fleet of real HTTP services on this machine: in the console, or without a screen.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Without a screen: events as JSON lines on stdout, a readable account on stderr. The same as --json.
    #[arg(long)]
    pub headless: bool,
    /// Roll back by itself. Without this a person does it in the console; where there is no terminal to open one on, it is
    /// on unless --headless or --json is given.
    #[arg(long)]
    pub auto: bool,
    /// A built-in scenario or a file; `unship lab --list` names them.
    #[arg(long, default_value = "bad-canary", value_name = "NAME|FILE")]
    pub scenario: String,
    /// The seed of what is random: when requests come, and which of them fail.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where the config and the journal are kept. Without it: a new folder below the system's temporary one.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How the console looks.
    #[command(flatten)]
    pub look: Look,
}

/// How long the fleet is watched on after a rollback has ended.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// Exit codes: 0 nothing happened, or it was taken back or brought in, and verified; 3 something is wrong and nothing was rolled back;
/// 4 a rollback did not help; 6 not enough is known.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let scenario = match Scenario::find(&args.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            note!("{error}");
            return Ok(Exit::Usage);
        }
    };
    let as_json = args.headless || global.json;
    let on_screen = !as_json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let auto = args.auto || !(as_json || on_screen);
    let dir = args.dir.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!(
            "unship-demo-{}-{}",
            std::process::id(),
            Timestamp::now().as_millisecond()
        ))
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    note!("{}: {}", scenario.name, scenario.doc);
    let options = LabOptions { seed: args.seed, ..LabOptions::default() };
    let mut lab = Lab::start_with(scenario.clone(), options).await?;
    let config_path = dir.join("unship.toml");
    std::fs::write(&config_path, lab.config_toml(&dir))
        .with_context(|| format!("cannot write `{}`", config_path.display()))?;
    let loaded = config::load(&config_path)?;
    let engine = start(&loaded, auto).await?;
    if on_screen {
        let options =
            tui::Options { guided: true, ..console::options(&args.look, &loaded, actor(global)?, global)? };
        let ran = play(&engine, options, &mut lab).await;
        let (account, facts) = (console::farewell(&engine, &loaded, lab.facts().started_at), lab.facts());
        engine.shutdown().await;
        lab.shutdown().await;
        // Whatever state the fleet is left in, the person has seen it.
        conclude(&ran?, &facts);
        note!("{}", account.trim_end());
        note!("look with: unship -c {} history", config_path.display());
        return Ok(Exit::Fine);
    }
    let ran = watch(as_json, &scenario, &mut lab, &engine).await;
    let facts = lab.facts();
    engine.shutdown().await;
    lab.shutdown().await;
    let seen = ran?;
    let exit = conclude(&seen, &facts);
    note!("the record is in {}; look with: unship -c {} history", dir.display(), config_path.display());
    Ok(exit)
}

async fn start(loaded: &Loaded, auto: bool) -> anyhow::Result<Engine> {
    // Like a guard, it decides in any case; whether it also acts is the environment's switch.
    let mut config = loaded.config.clone();
    config.environment.automatic = auto;
    let config = Arc::new(config);
    let options = Options {
        lead: Lead::Auto,
        role: "demo",
        lease: *config.store.lease,
        retention: *config.store.retention,
    };
    let journal = open_journal(&loaded.journal_path).await?;
    let world = World::build(config, Arc::clone(&loaded.secrets), true)?.with_texts(loaded);
    Ok(Engine::start(world, journal, options).await?)
}

/// What was seen while the scenario ran.
#[derive(Default)]
struct Seen {
    state: State,
    /// By service: a release was to be brought in, the first decision to roll back, traffic where it was to go, operation ended.
    asked: BTreeMap<ServiceName, Timestamp>,
    detected: BTreeMap<ServiceName, Timestamp>,
    traffic_back: BTreeMap<ServiceName, Timestamp>,
    ended: BTreeMap<ServiceName, (Timestamp, Outcome)>,
}

async fn watch(
    as_json: bool,
    scenario: &Scenario,
    lab: &mut LabHandle,
    engine: &Engine,
) -> anyhow::Result<Seen> {
    let mut follower = Follower::from_now(engine);
    let mut seen = Seen::default();
    let end = tokio::time::sleep(scenario.duration);
    tokio::pin!(end);
    let stop = super::session::asked_to_stop();
    tokio::pin!(stop);
    let mut asked = !matches!(scenario.expect, Expect::Deployed | Expect::TakenBack);
    loop {
        tokio::select! {
            entry = follower.next() => {
                let entry = entry?;
                if as_json {
                    writeln!(std::io::stdout().lock(), "{}", entry_json(&entry))?;
                }
                if let Some(line) = account::line(&entry, follower.state()) {
                    note!("{line}");
                }
                seen.take(&entry.event, entry.at, follower.state());
                if seen.is_over(follower.state()) {
                    end.as_mut().reset(tokio::time::Instant::now() + AFTERWARDS);
                }
            }
            () = tokio::time::sleep(Duration::from_millis(200)), if !asked => {
                if let Some(command) = waits(scenario, follower.state()) {
                    asked = true;
                    engine.send(Actor::Person { name: "demo".to_owned() }, command).await?;
                }
            }
            Some(event) = lab.next_event() => {
                if as_json {
                    writeln!(std::io::stdout().lock(), "{}", json!({ "at": crate::engine::runtime::now(), "type": "lab", "text": event.text }))?;
                }
                let whom = if event.service.is_empty() { "the fleet" } else { event.service.as_str() };
                note!("{}  lab: {whom}: {}", account::clock(Timestamp::now()), event.text);
            }
            () = &mut end => {
                // A rollback that has begun is seen through.
                if follower.state().open_operations().next().is_none() {
                    break;
                }
                end.as_mut().reset(tokio::time::Instant::now() + AFTERWARDS);
            }
            () = &mut stop => break,
        }
    }
    seen.state = follower.state().clone();
    Ok(seen)
}

/// Asks for the release that a scenario has waiting, once its service is healthy and has something to go back to.
fn waits(scenario: &Scenario, state: &State) -> Option<Command> {
    let (service, version) = scenario.timeline.iter().find_map(|event| match &event.action {
        Action::Deploy { version, percent: 0, .. } => Some((event.service.as_str(), version.as_str())),
        _ => None,
    })?;
    let service = ServiceName::new(service);
    let known = state.service(&service)?;
    let is_there =
        known.inventory.as_ref()?.by_version(&version.into()).is_some_and(|release| release.running);
    let stable = known.stable()?;
    let is_good = known.quality(&stable.reference) == Quality::Good;
    let is_healthy = matches!(known.verdict, Some((Verdict::Healthy, _)));
    (is_there && is_good && is_healthy).then(|| {
        Command::Deploy(Deploy {
            service,
            version: version.into(),
            strategy: DeployStrategy::Canary,
            from: None,
            confirmed: true,
            migrations: Vec::new(),
            reason: "the demo brings it in".to_owned(),
            overrides: Vec::new(),
        })
    })
}

/// The console on the running fleet, until the person leaves. What happens meanwhile is remembered for the account.
async fn play(engine: &Engine, options: tui::Options, lab: &mut LabHandle) -> anyhow::Result<Seen> {
    let mut follower = Follower::from_now(engine);
    let mut seen = Seen::default();
    let console = tui::run(engine, options);
    tokio::pin!(console);
    let left = loop {
        tokio::select! {
            left = &mut console => break left,
            entry = follower.next() => {
                let entry = entry?;
                seen.take(&entry.event, entry.at, follower.state());
            }
            // The fleet says what it does, and there is no room for it on this screen.
            Some(_) = lab.next_event() => {}
        }
    };
    left.context("the terminal cannot be used")?;
    seen.state = follower.state().clone();
    Ok(seen)
}

impl Seen {
    fn take(&mut self, event: &Event, at: Timestamp, state: &State) {
        match event {
            Event::DecisionMade { decision } if decision.recommendation.rolls_back() => {
                self.detected.entry(decision.service.clone()).or_insert(at);
            }
            // A person may have been faster than the engine.
            Event::OperationPlanned { plan, .. } if matches!(plan.kind, PlanKind::Deploy { .. }) => {
                self.asked.entry(plan.service.clone()).or_insert(at);
            }
            Event::OperationPlanned { plan, .. } => {
                self.detected.entry(plan.service.clone()).or_insert(at);
            }
            Event::TrafficBack { operation, .. } => {
                if let Some(operation) = state.operation(operation) {
                    self.traffic_back.insert(operation.plan.service.clone(), at);
                }
            }
            Event::OperationEnded { operation, outcome, .. } => {
                if let Some(operation) = state.operation(operation) {
                    self.ended.insert(operation.plan.service.clone(), (at, *outcome));
                }
            }
            _ => {}
        }
    }

    /// Everything that began has ended, or waits for a person.
    fn is_over(&self, state: &State) -> bool {
        let waits = |status: &OperationStatus| matches!(status, OperationStatus::NeedsDecision { .. });
        !self.ended.is_empty() && state.open_operations().all(|operation| waits(&operation.status))
    }
}

/// Says what happened, with times from the fleet's own record, and with which exit code that ends.
fn conclude(seen: &Seen, facts: &Facts) -> Exit {
    let mut exit = Exit::Fine;
    note!("");
    for (service, (ended, outcome)) in &seen.ended {
        let truth = facts.services.get(service.as_str());
        let first_bad = truth.and_then(|truth| truth.first_bad_response_at);
        let since = |at: Timestamp| {
            first_bad.filter(|first| *first <= at).map_or_else(String::new, |first| {
                format!("  +{:.2} s", at.duration_since(first).as_secs_f64())
            })
        };
        note!("{service}");
        match (truth.and_then(|truth| truth.fault_began_at), first_bad) {
            (Some(began), Some(first)) => {
                note!(
                    "  fault began   {}  first bad response {}",
                    account::clock(began),
                    account::clock(first)
                );
            }
            (Some(began), None) => note!("  fault began   {}", account::clock(began)),
            _ => {}
        }
        if let Some(at) = seen.asked.get(service) {
            note!("  asked for     {}", account::clock(*at));
        }
        let detected = seen.detected.get(service);
        if let Some(at) = detected {
            note!("  detected      {}{}", account::clock(*at), since(*at));
        }
        if let Some(at) = seen.traffic_back.get(service) {
            let word = if detected.is_none() { "all traffic" } else { "traffic back" };
            note!("  {word:<12}  {}{}", account::clock(*at), since(*at));
        }
        note!("  {:<12}  {}{}", account::outcome_words(*outcome), account::clock(*ended), since(*ended));
        exit = match outcome {
            Outcome::Unverified if exit == Exit::Fine => Exit::Unknown,
            Outcome::Verified | Outcome::Unverified => exit,
            Outcome::NotRecovered | Outcome::Failed | Outcome::Cancelled => Exit::Failed,
        };
    }
    if !seen.ended.is_empty() {
        return exit;
    }
    for (service, known) in &seen.state.services {
        let Some((verdict, _)) = &known.verdict else { continue };
        let decision =
            known.decision.as_ref().filter(|decision| decision.recommendation != Recommendation::Watch);
        if *verdict == Verdict::Healthy && decision.is_none() {
            continue;
        }
        note!("{service}: {}", account::verdict_words(verdict));
        if let Some(decision) = decision {
            let why = if decision.reasons.is_empty() { &decision.unknowns } else { &decision.reasons };
            note!("  {}: {}", decision.recommendation.words(), why.join("; "));
            for check in decision.guardrails.iter().filter(|check| check.blocks()) {
                note!("  {} forbids it: {}", check.guardrail.word(), check.detail);
            }
        }
        exit = match verdict {
            Verdict::Failing { .. } | Verdict::Degraded { .. } => Exit::Unhealthy,
            Verdict::Unknown { .. } if exit == Exit::Fine => Exit::Unknown,
            _ if decision.is_some() && exit == Exit::Fine => Exit::Unhealthy,
            _ => exit,
        };
    }
    if exit == Exit::Fine {
        note!("nothing was wrong and nothing was changed");
    }
    exit
}
