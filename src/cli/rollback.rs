//! `unship rollback`: shows both ends, the plan and the guardrails; asks; hands the command to the leader, or leads.

use super::operate::{self, Ask, Conduct, parse_override};
use super::{Exit, Global};
use crate::model::command::{Command, Override, RollBack};
use crate::model::operation::Strategy;
use crate::model::{Span, Version};

/// Take a release back: show the plan and the guardrails, ask, do it, and wait until health is seen.
#[derive(clap::Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Args {
    /// The service.
    pub service: String,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// The version to return to. Without it: what serves as stable beside a canary, else the newest release recorded as good.
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// First a part of the traffic, watched, then all of it.
    #[arg(long, conflicts_with = "emergency")]
    pub gradual: bool,
    /// Put the maintenance page up first, where the platform has one, and take it down when health is seen.
    #[arg(long)]
    pub emergency: bool,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    pub yes: bool,
    /// Go on although a guardrail forbids it, with a reason: `--override cooldown="the first one went to a bad release"`.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    pub overrides: Vec<Override>,
    /// Stop waiting for the end after this, like `5m`. The rollback goes on if a guard leads.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
}

/// Exit codes: 0 verified, 4 failed or not recovered, 5 refused, 6 unverified, 7 waited too long.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let strategy = match (args.gradual, args.emergency) {
        (true, _) => Strategy::Gradual,
        (_, true) => Strategy::Emergency,
        _ => Strategy::Immediate,
    };
    let asked = Command::RollBack(RollBack {
        service: args.service.as_str().into(),
        from: None,
        to: args.to.as_deref().map(Version::from),
        strategy,
        reason: args.reason.clone(),
        overrides: args.overrides.clone(),
    });
    let ask = if args.yes { Ask::Nothing } else { Ask::ServiceName };
    operate::run(
        asked,
        Conduct { role: "rollback", ask, dry_run: args.dry_run, timeout: args.timeout },
        global,
    )
    .await
}
