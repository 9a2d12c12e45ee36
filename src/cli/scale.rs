//! `unship scale` and `unship cleanup`: how many instances run, and nothing of what was left.

use super::operate::{self, Ask, Conduct, parse_override};
use super::{Exit, Global};
use crate::model::command::{Command, Override, Scale};

/// Run more or fewer instances of what serves.
#[derive(clap::Args, Clone, Debug)]
pub struct ScaleArgs {
    /// The service.
    pub service: String,
    /// How many, all together.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub instances: u32,
    /// Refuse it if another number than this is asked for by now.
    #[arg(long, value_name = "INSTANCES")]
    pub from: Option<u32>,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// Go on although a guardrail forbids it, with the reason: `target="twice the load, by request"`.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    pub overrides: Vec<Override>,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// Stop the releases that run and get no traffic, where the platform keeps them running.
#[derive(clap::Args, Clone, Debug)]
pub struct CleanupArgs {
    /// The service.
    pub service: String,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// Exit codes: 0 so many are asked for, 4 failed, 5 refused, 7 waited too long.
pub async fn run(args: &ScaleArgs, global: &Global) -> anyhow::Result<Exit> {
    let asked = Command::Scale(Scale {
        service: args.service.as_str().into(),
        instances: args.instances,
        seen: args.from,
        reason: args.reason.clone(),
        overrides: args.overrides.clone(),
    });
    let conduct = Conduct { role: "scale", ask: Ask::Nothing, dry_run: args.dry_run, timeout: None };
    operate::run(asked, conduct, global).await
}

/// Exit codes: 0 they are stopped, 4 failed, 5 refused, 7 waited too long.
pub async fn clean_up(args: &CleanupArgs, global: &Global) -> anyhow::Result<Exit> {
    let asked = Command::CleanUp { service: args.service.as_str().into(), reason: args.reason.clone() };
    let conduct = Conduct { role: "cleanup", ask: Ask::Nothing, dry_run: args.dry_run, timeout: None };
    operate::run(asked, conduct, global).await
}
