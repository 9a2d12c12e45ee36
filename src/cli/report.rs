//! `unship report`: what the journal says afterwards of an incident, of deployments, and of delivery over a time.
//!
//! It only reads the journal's file, so it works beside a guard that leads, and on a journal that nobody leads any more.

mod delivery;
mod deployment;
mod file;
mod incident;
#[cfg(test)]
mod tests;

use std::path::Path;

use super::session;
use super::{Exit, Global};
use crate::journal::{Journal as _, SqliteJournal};
use crate::report::Entry;

/// Entries that are read at a time.
const BATCH: usize = 2_000;

/// Report on an incident, on deployments, or on delivery.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Show the record of an incident, or write its post-mortem.
    Incident(incident::Args),
    /// Show the record of each deployment and rollback.
    Deployment(deployment::Args),
    /// Show the measures of delivery over a time.
    Delivery(delivery::Args),
}

/// Exit codes: 0 reported, 1 there is nothing of the kind, 2 the command line is wrong.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    match &args.what {
        What::Incident(args) => incident::run(args, &loaded.journal_path, global).await,
        What::Deployment(args) => deployment::run(args, &loaded, global).await,
        What::Delivery(args) => delivery::run(args, &loaded, global).await,
    }
}

/// Reads the whole journal, entry by entry.
async fn read(path: &Path, mut take: impl FnMut(&Entry<'_>)) -> anyhow::Result<()> {
    let journal = SqliteJournal::open_read_only(path).await?;
    let mut after = 0;
    let read = loop {
        match journal.read(after, BATCH).await {
            Ok(entries) => {
                let Some(last) = entries.last() else { break Ok(()) };
                after = last.seq;
                for entry in &entries {
                    take(&Entry { seq: entry.seq, at: entry.at, event: &entry.event, hash: &entry.hash });
                }
            }
            Err(error) => break Err(error),
        }
    };
    journal.close().await;
    Ok(read?)
}

/// Text that goes to a terminal: control characters would be obeyed by it.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
