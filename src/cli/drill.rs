//! `unship drill`: a rollback on purpose, by the real runbook, with messages that reach nobody who is not in it; and how long
//! each step took against its time.

mod player;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::output::{note, out, print_json};
use super::session::{self, actor};
use super::{Exit, Global};
use crate::config::schema::RunbookSpec;
use crate::config::{self, Config, Loaded, RunbookText};
use crate::engine::runtime::{Engine, Lead, Leadership, Options, World, open_journal};
use crate::lab::{Lab, LabHandle, LabOptions, Scenario};
use crate::model::{RunbookName, ServiceName, Span};
use crate::runbook::Runbook;
use player::Player;

/// Rehearse a rollback: on the embedded fleet, or on an environment like staging, by the real runbook.
///
/// Messages go to the channel that `[notify] test` names, marked as a drill, or to nobody.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Roll this service of the config's environment back on purpose. Without it: a scenario on the embedded fleet.
    #[arg(long, conflicts_with_all = ["scenario", "seed"])]
    pub service: Option<String>,
    /// Say that the environment of the config is one to rehearse on: needed with `--service`.
    #[arg(long, requires = "service")]
    pub yes: bool,
    /// A built-in scenario or a file; `unship lab --list` names them.
    #[arg(long, default_value = "bad-canary", value_name = "NAME|FILE")]
    pub scenario: String,
    /// The seed of what is random in the scenario.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The runbook: a name in the config, or a file. Without it: those that the incident gets by itself.
    #[arg(long, value_name = "NAME|FILE")]
    pub runbook: Option<String>,
    /// What waits and holds of the runbook are multiplied by, 0.01 to 1.
    #[arg(long, default_value_t = 0.1)]
    pub pace: f64,
    /// After this the drill ends, however far it is.
    #[arg(long, default_value = "10m", value_name = "TIME")]
    pub within: Span,
    /// Where the config and the journal of a scenario are kept. Without it: a new folder below the system's temporary one.
    #[arg(long, value_name = "DIR", conflicts_with = "service")]
    pub dir: Option<PathBuf>,
}

/// Exit codes: 0 everything was done in time; 3 something is open or came late; 4 the rollback did not help.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    if !(0.01..=1.0).contains(&args.pace) {
        note!("`--pace` is {}, expected 0.01 to 1", args.pace);
        return Ok(Exit::Usage);
    }
    let own = if global.config.exists() { Some(session::load(global)?) } else { None };
    match &args.service {
        Some(service) => on_environment(args, service, own, global).await,
        None => on_fleet(args, own.as_ref(), global).await,
    }
}

/// A scenario of the embedded fleet, with the runbooks and the people of the config.
async fn on_fleet(args: &Args, own: Option<&Loaded>, global: &Global) -> anyhow::Result<Exit> {
    let scenario = match Scenario::find(&args.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            note!("{error}");
            return Ok(Exit::Usage);
        }
    };
    let dir = args.dir.clone().unwrap_or_else(|| {
        let name = format!("unship-drill-{}-{}", std::process::id(), Timestamp::now().as_millisecond());
        std::env::temp_dir().join(name)
    });
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    note!("drill on the embedded fleet, {}: {}", scenario.name, scenario.doc);
    let options = LabOptions { seed: args.seed, ..LabOptions::default() };
    let lab = Lab::start_with(scenario, options).await?;
    let path = dir.join("unship.toml");
    std::fs::write(&path, lab.config_toml(&dir))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    let mut loaded = config::load(&path)?;
    if let Some(own) = own {
        bring(&mut loaded, own);
    }
    if let Err(why) = choose_runbook(args, &mut loaded) {
        note!("{why}");
        return Ok(Exit::Usage);
    }
    prepare(args, &mut loaded.config);
    let engine = start(&loaded).await?;
    let played = play(args, &engine, None, global, Some(lab)).await;
    engine.shutdown().await;
    let exit = conclude(&played?, &loaded.config, global)?;
    note!("the record is in {}; look with: unship -c {} history", dir.display(), path.display());
    Ok(exit)
}

/// A real rollback on the environment of the config.
async fn on_environment(
    args: &Args,
    service: &str,
    own: Option<Loaded>,
    global: &Global,
) -> anyhow::Result<Exit> {
    let Some(mut loaded) = own else {
        note!(
            "there is no `{}`: name the config of the environment with `--config`",
            global.config.display()
        );
        return Ok(Exit::Usage);
    };
    if !session::has_service(&loaded, service) {
        return Ok(Exit::Usage);
    }
    let environment = loaded.config.environment.name.clone();
    if !args.yes {
        note!(
            "this rolls {service} back in {environment}, for real; if that is an environment to rehearse on, say `--yes`"
        );
        return Ok(Exit::Usage);
    }
    if let Err(why) = choose_runbook(args, &mut loaded) {
        note!("{why}");
        return Ok(Exit::Usage);
    }
    prepare(args, &mut loaded.config);
    // What is rolled back on purpose is rolled back by whoever drills.
    loaded.config.environment.automatic = false;
    note!("drill in {environment}: {service} is rolled back on purpose");
    let engine = start(&loaded).await?;
    if !matches!(session::leader(&engine, *loaded.config.store.lease).await?, Leadership::Ours(_)) {
        engine.shutdown().await;
        note!("a guard leads in {environment}: end it for the drill, so that nobody real is told");
        return Ok(Exit::NotLeader);
    }
    let played = play(args, &engine, Some(service.into()), global, None).await;
    engine.shutdown().await;
    conclude(&played?, &loaded.config, global)
}

/// The people, the runbooks and the texts of the config, on the fleet's services.
fn bring(loaded: &mut Loaded, own: &Loaded) {
    let config = &mut loaded.config;
    config.channels = own.config.channels.clone();
    config.contacts = own.config.contacts.clone();
    config.schedules = own.config.schedules.clone();
    config.policy = own.config.policy.clone();
    config.escalation = own.config.escalation.clone();
    config.notify = own.config.notify.clone();
    config.runbooks = own.config.runbooks.clone();
    for spec in config.runbooks.values_mut() {
        // They name services that the fleet does not have.
        spec.services.clear();
    }
    loaded.runbooks = own.runbooks.clone();
    loaded.templates = Arc::clone(&own.templates);
    loaded.secrets = Arc::clone(&own.secrets);
}

/// With one runbook alone, if one is named.
fn choose_runbook(args: &Args, loaded: &mut Loaded) -> Result<(), String> {
    let Some(named) = &args.runbook else { return Ok(()) };
    let name = RunbookName::from(named.as_str());
    if let Some(text) = loaded.runbooks.get(&name).cloned() {
        loaded.runbooks = [(name.clone(), text)].into();
        loaded.config.runbooks.retain(|known, _| *known == name);
        return Ok(());
    }
    let path = std::path::Path::new(named);
    let source = std::fs::read_to_string(path).map_err(|error| {
        format!("`{named}` is no runbook of the config, and no file that can be read: {error}")
    })?;
    let stem = path.file_stem().map_or_else(|| "drill".into(), |stem| stem.to_string_lossy().into_owned());
    let names = config::runbooks::names(&loaded.config);
    let actions = config::runbooks::actions(&loaded.config);
    let book = Runbook::parse(&stem, &source, &names, &actions).map_err(|error| error.to_string())?;
    if book.has_errors() {
        return Err(format!("`{named}` has errors: `unship runbook check {named}` tells which"));
    }
    let name = RunbookName::from(stem);
    let sha256 = book.sha256.clone();
    let text = RunbookText { file: named.clone(), source, bindings: None, sha256 };
    loaded.runbooks = [(name.clone(), text)].into();
    let spec =
        RunbookSpec { file: named.clone(), services: Vec::new(), severities: Vec::new(), attach: true };
    loaded.config.runbooks = [(name, spec)].into();
    Ok(())
}

/// Nobody who is not in it is told: everything goes to the channel for tests, or nowhere.
fn prepare(args: &Args, config: &mut Config) {
    config.checklists.pace = args.pace;
    let test = config.notify.test.clone().filter(|test| config.channels.contains_key(test));
    config.channels.retain(|name, _| Some(name) == test.as_ref());
    let Some(test) = test else {
        config.policy.clear();
        config.escalation = crate::model::escalation::EscalationSpec::default();
        return;
    };
    for contact in config.contacts.values_mut() {
        for way in [&mut contact.chat, &mut contact.email, &mut contact.phone].into_iter().flatten() {
            way.channel = test.clone();
            way.address = None;
        }
    }
    let divert = |target: &mut crate::model::escalation::TargetSpec| {
        if let crate::model::escalation::TargetSpec::Channel(channel) = target {
            *channel = test.clone();
        }
    };
    for policy in config.policy.values_mut() {
        divert(&mut policy.last_resort);
        policy.level.iter_mut().flat_map(|level| &mut level.targets).for_each(divert);
    }
}

async fn start(loaded: &Loaded) -> anyhow::Result<Engine> {
    let config = Arc::new(loaded.config.clone());
    let options = Options {
        lead: Lead::Auto,
        role: "drill",
        lease: *config.store.lease,
        retention: *config.store.retention,
    };
    let journal = open_journal(&loaded.journal_path).await?;
    let world = World::build(config, Arc::clone(&loaded.secrets), true)?.with_texts(loaded).as_drill();
    Ok(Engine::start(world, journal, options).await?)
}

async fn play(
    args: &Args,
    engine: &Engine,
    service: Option<ServiceName>,
    global: &Global,
    lab: Option<LabHandle>,
) -> anyhow::Result<Player> {
    let mut player = Player::new(engine, actor(global)?, service);
    let ended = tokio::time::timeout(*args.within, player.play(engine)).await;
    if let Some(lab) = lab {
        lab.shutdown().await;
    }
    match ended {
        Ok(done) => done?,
        Err(_) => note!("{} are over: the drill ends here", crate::model::units::human(*args.within)),
    }
    Ok(player)
}

fn conclude(player: &Player, config: &Config, global: &Global) -> anyhow::Result<Exit> {
    let account = report::Account::of(player);
    if global.json {
        print_json(&json!(account))?;
    } else {
        out!("{}", account.text().trim_end());
    }
    match &config.notify.test {
        Some(test) if config.channels.contains_key(test) => {
            note!("{} messages went to {test}, marked as a drill", player.messages);
        }
        _ => note!("nobody was told: `[notify] test` names no channel"),
    }
    Ok(account.exit())
}

/// How long nothing may change before a drill has nothing left to do.
pub(super) const QUIET: Duration = Duration::from_secs(5);
