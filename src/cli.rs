//! The command line: one file a subcommand. A subcommand talks to the engine (or, for `config`, to the config); it never
//! calls an adapter. The exceptions are `journal` and `report`, which only read the journal, and `judge` and `runbook`, which read a file and
//! need no engine.

mod account;
pub mod act;
pub mod alarms;
pub mod backtest;
pub mod baseline;
pub mod check;
pub mod checklist;
pub mod config;
pub mod console;
pub mod db;
pub mod demo;
pub mod deploy;
pub mod drill;
pub mod exit;
mod follow;
pub mod gate;
pub mod guard;
pub mod history;
pub mod incident;
pub mod init;
pub mod journal;
pub mod judge;
mod junit;
pub mod lab;
pub mod logs;
pub mod maintenance;
pub mod message;
pub mod notify;
mod operate;
mod output;
pub mod platform;
pub mod promote;
pub mod report;
pub mod rollback;
pub mod runbook;
pub mod scale;
mod session;
pub mod sources;
pub mod status;
pub mod template;
#[cfg(test)]
mod tests;
pub mod themes;
pub mod together;
pub mod trials;
pub mod variables;
pub mod version;
pub mod why;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use crate::config::ConfigError;
use crate::engine::runtime::{EngineError, JournalError};
use crate::telemetry::{self, Redactor};

pub use exit::Exit;
use output::note;

/// The incident console that takes a bad release back.
#[derive(clap::Parser, Debug)]
#[command(name = "unship", version, about, after_help = exit_codes())]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Subcommand,
}

fn exit_codes() -> String {
    let lines = Exit::ALL.map(|(exit, words)| format!("  {}  {words}", exit as u8));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// Their place in the help, apart from a subcommand's own.
const EVERYWHERE: &str = "Options of every command";

/// Options that every subcommand takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Global {
    /// The config file.
    #[arg(
        long,
        short,
        global = true,
        env = "UNSHIP_CONFIG",
        default_value = "unship.toml",
        value_name = "FILE",
        help_heading = EVERYWHERE
    )]
    pub config: PathBuf,
    /// Print JSON on stdout, for programs.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// Who you are, for the journal. Without it: your login name.
    #[arg(long = "as", global = true, env = "UNSHIP_AS", value_name = "NAME", help_heading = EVERYWHERE)]
    pub name: Option<String>,
    /// Where the log files are kept. Without it: `$XDG_STATE_HOME/unship` or `~/.local/state/unship`.
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub log_dir: Option<PathBuf>,
    /// Keeps the config's secrets out of the log.
    #[arg(skip)]
    pub redactor: Redactor,
    /// Where the log files are; none if there is no log.
    #[arg(skip)]
    pub log: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Subcommand {
    Demo(demo::Args),
    Console(console::Args),
    Lab(lab::Args),
    Guard(guard::Args),
    Status(status::Args),
    Check(check::Args),
    Alarms(alarms::Args),
    Sources(sources::Args),
    Platform(platform::Args),
    Logs(logs::Args),
    Init(init::Args),
    Notify(notify::Args),
    Rollback(rollback::Args),
    Promote(promote::Args),
    Deploy(deploy::Args),
    Together(together::Args),
    Preflight(trials::PreflightArgs),
    Smoke(trials::SmokeArgs),
    Load(trials::LoadArgs),
    Gate(gate::GateArgs),
    Watch(gate::WatchArgs),
    Db(db::Args),
    Version(version::Args),
    Maintenance(maintenance::Args),
    Scale(scale::ScaleArgs),
    Cleanup(scale::CleanupArgs),
    Variables(variables::Args),
    Incident(incident::Args),
    Checklist(checklist::Args),
    Message(message::Args),
    Template(template::Args),
    Drill(drill::Args),
    Runbook(runbook::Args),
    History(history::Args),
    Report(report::Args),
    Why(why::Args),
    Backtest(backtest::Args),
    Baseline(baseline::Args),
    Config(config::Args),
    Journal(journal::Args),
    Judge(judge::Args),
    Themes(themes::Args),
    #[command(flatten)]
    Act(act::Act),
}

/// Runs the program.
pub fn main() -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        // Here and not in the binary: whatever runs is compiled with the library then, on all cores.
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => {
            note!("cannot start: {error}");
            Exit::Error.into()
        }
    }
}

async fn run() -> ExitCode {
    let mut cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Help and version are no mistakes.
            return if error.use_stderr() { Exit::Usage } else { Exit::Fine }.into();
        }
    };
    let log = telemetry::start(cli.global.log_dir.as_deref());
    cli.global.redactor = log.redactor().clone();
    cli.global.log = log.directory().map(std::path::Path::to_owned);
    let global = &cli.global;
    let result = match cli.command {
        Subcommand::Demo(args) => demo::run(&args, global).await,
        Subcommand::Console(args) => console::run(&args, global).await,
        Subcommand::Lab(args) => lab::run(args, global).await,
        Subcommand::Guard(args) => guard::run(&args, global).await,
        Subcommand::Status(args) => status::run(&args, global).await,
        Subcommand::Check(args) => check::run(&args, global).await,
        Subcommand::Alarms(args) => alarms::run(&args, global).await,
        Subcommand::Sources(args) => sources::run(&args, global).await,
        Subcommand::Platform(args) => platform::run(&args, global).await,
        Subcommand::Logs(args) => logs::run(&args, global).await,
        Subcommand::Init(args) => init::run(&args, global),
        Subcommand::Notify(args) => notify::run(&args, global).await,
        Subcommand::Rollback(args) => rollback::run(&args, global).await,
        Subcommand::Promote(args) => promote::run(&args, global).await,
        Subcommand::Deploy(args) => deploy::run(&args, global).await,
        Subcommand::Together(args) => together::run(&args, global).await,
        Subcommand::Preflight(args) => trials::preflight(&args, global).await,
        Subcommand::Smoke(args) => trials::smoke(&args, global).await,
        Subcommand::Load(args) => trials::load(&args, global).await,
        Subcommand::Gate(args) => gate::gate(&args, global).await,
        Subcommand::Watch(args) => gate::watch(&args, global).await,
        Subcommand::Db(args) => db::run(&args, global).await,
        Subcommand::Version(args) => version::run(&args, global),
        Subcommand::Maintenance(args) => maintenance::run(&args, global).await,
        Subcommand::Scale(args) => scale::run(&args, global).await,
        Subcommand::Cleanup(args) => scale::clean_up(&args, global).await,
        Subcommand::Variables(args) => variables::run(&args, global).await,
        Subcommand::Incident(args) => incident::run(args, global).await,
        Subcommand::Checklist(args) => checklist::run(args, global).await,
        Subcommand::Message(args) => message::run(args, global).await,
        Subcommand::Drill(args) => drill::run(&args, global).await,
        Subcommand::Template(args) => template::run(&args, global).await,
        Subcommand::Runbook(args) => runbook::run(&args, global),
        Subcommand::History(args) => history::run(&args, global).await,
        Subcommand::Report(args) => report::run(&args, global).await,
        Subcommand::Why(args) => why::run(&args, global).await,
        Subcommand::Backtest(args) => backtest::run(&args, global).await,
        Subcommand::Baseline(args) => baseline::run(args, global).await,
        Subcommand::Config(args) => config::run(&args, global),
        Subcommand::Themes(args) => themes::run(&args, global),
        Subcommand::Judge(args) => judge::run(&args, global),
        Subcommand::Journal(args) => with_journal(&args, global).await,
        Subcommand::Act(act) => act::run(&act, global).await,
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            // A reader that has gone away, like `head`, is no error.
            let is_broken_pipe = error.chain().any(|cause| {
                cause
                    .downcast_ref::<std::io::Error>()
                    .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
            });
            if is_broken_pipe {
                return Exit::Fine.into();
            }
            tracing::error!("{error:#}");
            note!("{error:#}");
            exit_of(&error).into()
        }
    }
}

/// The journal's file is the config's.
async fn with_journal(args: &journal::Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    journal::run(args, global, &loaded.journal_path).await
}

/// The exit code of an error.
fn exit_of(error: &anyhow::Error) -> Exit {
    if error.downcast_ref::<ConfigError>().is_some() {
        return Exit::Usage;
    }
    match error.downcast_ref::<EngineError>() {
        Some(EngineError::Adapter { .. } | EngineError::Senses(_)) => Exit::Usage,
        Some(EngineError::Journal(JournalError::Held(_))) => Exit::NotLeader,
        Some(EngineError::NoAnswer(_)) => Exit::TimedOut,
        _ => Exit::Error,
    }
}
