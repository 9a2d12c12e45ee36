//! `unship promote`: shows the canary, the plan and the guardrails; asks; gives the canary all the traffic and verifies it.

use super::operate::{self, Ask, Conduct, parse_override};
use super::{Exit, Global};
use crate::model::Span;
use crate::model::command::{Command, Override, Promote};

/// Give the canary all the traffic: show the plan and the guardrails, ask, do it, and wait until health is seen.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The service.
    pub service: String,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    pub yes: bool,
    /// Go on although a guardrail forbids it, with a reason: `--override health="the alert is about a test account"`.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    pub overrides: Vec<Override>,
    /// Stop waiting for the end after this, like `5m`. The promotion goes on if a guard leads.
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
}

/// Exit codes: 0 verified, 4 failed or not healthy, 5 refused, 6 unverified, 7 waited too long.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let asked = Command::Promote(Promote {
        service: args.service.as_str().into(),
        release: None,
        reason: args.reason.clone(),
        overrides: args.overrides.clone(),
    });
    let ask = if args.yes { Ask::Nothing } else { Ask::ServiceName };
    operate::run(
        asked,
        Conduct { role: "promote", ask, dry_run: args.dry_run, timeout: args.timeout },
        global,
    )
    .await
}
