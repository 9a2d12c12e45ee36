//! `unship deploy`: shows both ends, the plan and the guardrails; asks; brings a release in stage by stage, and goes back by
//! itself when it fails.

use super::operate::{self, Ask, Conduct, parse_override};
use super::output::note;
use super::{Exit, Global, db};
use crate::config::Config;
use crate::model::Span;
use crate::model::command::{Command, Deploy, Override};
use crate::model::deploy::DeployStrategy;

/// Bring a release in: show the plan and the guardrails, ask, do it stage by stage, and go back if it fails.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The service.
    pub service: String,
    /// The version, which the platform has to know.
    pub version: String,
    /// How: `blue-green`, `canary`, `rolling` or `emergency`. Without it: as the config says.
    #[arg(long, value_name = "STRATEGY")]
    pub strategy: Option<DeployStrategy>,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// Say go in advance: a blue/green switch waits for nobody.
    #[arg(long)]
    pub go: bool,
    /// Apply the pending migrations of the service's databases before the release is brought up. They stay when it goes back.
    #[arg(long)]
    pub migrate: bool,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    pub yes: bool,
    /// Go on although a guardrail forbids it, with a reason: `--override freeze="it fixes the outage"`.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    pub overrides: Vec<Override>,
    /// Stop waiting for the end after this, like `45m`. The deployment goes on if a guard leads.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
}

/// Exit codes: 0 verified, 4 failed, cancelled or taken back, 5 refused, 6 unverified, 7 waited too long.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let migrations = if args.migrate {
        match db::pending_of(&args.service.as_str().into(), global).await? {
            Ok(migrations) => migrations,
            Err(why) => {
                note!("refused: {why}");
                return Ok(Exit::Refused);
            }
        }
    } else {
        Vec::new()
    };
    let asked = |config: &Config| {
        let service = args.service.as_str().into();
        Command::Deploy(Deploy {
            strategy: args.strategy.unwrap_or(config.deploy_of(&service).strategy),
            service,
            version: args.version.as_str().into(),
            from: None,
            confirmed: args.go,
            migrations,
            reason: args.reason.clone(),
            overrides: args.overrides.clone(),
        })
    };
    let ask = if args.yes { Ask::Nothing } else { Ask::ServiceName };
    let conduct = Conduct { role: "deploy", ask, dry_run: args.dry_run, timeout: args.timeout };
    operate::run_for(asked, conduct, global).await
}
