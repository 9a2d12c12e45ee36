//! `unship maintenance`: turns a service's maintenance page on or off, and waits until the platform shows it.

use super::act::OnOff;
use super::operate::{self, Ask, Conduct};
use super::{Exit, Global};
use crate::model::command::Command;

/// Turn a service's maintenance page on or off, where its platform has one.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The service.
    pub service: String,
    /// Whether users get the page.
    #[arg(value_enum)]
    pub switch: OnOff,
    /// Why, for the others and for the record.
    #[arg(long)]
    pub reason: String,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    pub dry_run: bool,
}

/// Exit codes: 0 it is so, 4 failed, 5 refused, 7 waited too long.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let asked = Command::Maintenance {
        service: args.service.as_str().into(),
        on: args.switch == OnOff::On,
        reason: args.reason.clone(),
    };
    let conduct = Conduct { role: "maintenance", ask: Ask::Nothing, dry_run: args.dry_run, timeout: None };
    operate::run(asked, conduct, global).await
}
