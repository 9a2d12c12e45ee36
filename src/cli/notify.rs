//! `unship notify`: the channels to people, and a test message through one of them.

use jiff::Timestamp;
use serde_json::json;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::World;
use crate::engine::runtime::trial::{self, ChannelFacts, Trial, TrialOutcome};
use crate::model::ChannelName;
use crate::model::units::human;

/// Look at the channels to people, and try one out.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// Send a message that is marked as a test through a channel, and say what the other side made of it.
    Test {
        /// The channel.
        channel: String,
    },
    /// List the channels: kind, host, least severity and fallback. Shows no address and no key.
    List,
}

/// Exit codes of `test`: 0 accepted (or, on a desktop, shown), 1 not taken now and perhaps later, 2 no such channel, 4 refused,
/// 6 sent without an answer. `list` ends with 0.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    match &args.command {
        Command::List => list(&trial::channels(&world), global),
        Command::Test { channel } => {
            let name = ChannelName::from(channel.as_str());
            let by = session::actor(global)?.to_string();
            let Some(trial) = trial::try_channel(&world, &name, &by, Timestamp::now()).await else {
                let known: Vec<&str> = loaded.config.channels.keys().map(ChannelName::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                note!("no channel `{channel}`; channels: {known}");
                return Ok(Exit::Usage);
            };
            test(&trial, global)
        }
    }
}

fn list(channels: &[ChannelFacts], global: &Global) -> anyhow::Result<Exit> {
    if global.json {
        print_json(&json!({ "channels": channels }))?;
        return Ok(Exit::Fine);
    }
    if channels.is_empty() {
        note!("no channels are configured: nobody is told anything");
        return Ok(Exit::Fine);
    }
    let mut rows = vec![["channel", "kind", "host", "from", "fallback", ""].map(str::to_owned).to_vec()];
    rows.extend(channels.iter().map(|facts| {
        vec![
            facts.channel.to_string(),
            facts.kind.to_owned(),
            facts.host.clone(),
            facts.least_severity.word().to_owned(),
            facts.fallback.as_ref().map(ChannelName::to_string).unwrap_or_default(),
            if facts.for_tests { "tests and drills" } else { "" }.to_owned(),
        ]
    }));
    out!("{}", table(&rows).trim_end());
    Ok(Exit::Fine)
}

fn test(trial: &Trial, global: &Global) -> anyhow::Result<Exit> {
    let (exit, words) = match trial.outcome {
        TrialOutcome::Accepted => (Exit::Fine, "accepted"),
        TrialOutcome::Shown => (Exit::Fine, "shown on this machine, which never counts as accepted"),
        TrialOutcome::Retry => (Exit::Error, "not accepted; it may be later"),
        TrialOutcome::Unknown => (Exit::Unknown, "sent, and nobody knows whether it arrived"),
        TrialOutcome::Refused => (Exit::Failed, "refused"),
    };
    if global.json {
        print_json(&json!({ "exit": exit as u8, "at": Timestamp::now(), "trial": trial }))?;
        return Ok(exit);
    }
    let ChannelFacts { channel, kind, host, .. } = &trial.channel;
    let took = human(std::time::Duration::from_millis(trial.took_ms));
    let detail = if trial.detail.is_empty() { String::new() } else { format!(": {}", trial.detail) };
    out!("{channel} ({kind}, {host}): {words} after {took}{detail}");
    if exit == Exit::Fine {
        out!("  look for [TEST] there: accepted is not yet seen");
    }
    Ok(exit)
}
