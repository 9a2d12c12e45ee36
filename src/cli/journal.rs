//! `unship journal`: checks, prints and follows a journal's file. It only reads, so it works beside a guard that runs and
//! on a copy of a file that cannot be written.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, Global};
use crate::journal::{Entry, Journal, Position, SqliteJournal, Verification, tail};
use crate::model::event::{Event, encode};

/// Look into the journal.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with a journal.
#[derive(Subcommand, Clone, Debug)]
pub enum Action {
    /// Read everything and check that nothing was changed, taken out or put in.
    Verify,
    /// Print every entry, one JSON object a line.
    Export {
        /// Begin with this entry.
        #[arg(long, value_name = "N", default_value_t = 1)]
        from: Position,
        /// The form of the output.
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
    },
    /// Print the last entries.
    Tail {
        /// Begin with this entry; without it, with the tenth from the end.
        #[arg(long, value_name = "N")]
        from: Option<Position>,
        /// Go on printing what is appended, by whichever process.
        #[arg(long, short)]
        follow: bool,
    },
}

/// How entries are exported.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
}

/// Entries that `tail` shows without `--from`.
const SHOWN: u64 = 10;

/// Entries that are read at a time.
const BATCH: usize = 500;

/// Runs the subcommand on the journal in this file, printing to standard output.
pub async fn run(args: &Args, global: &Global, path: &Path) -> anyhow::Result<Exit> {
    run_to(args, global, path, &mut io::stdout()).await
}

/// Runs the subcommand, printing to `out`. A reader of `out` that has gone away (`| head`) is no error.
pub async fn run_to<W: Write + Send>(
    args: &Args,
    global: &Global,
    path: &Path,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let journal = Arc::new(SqliteJournal::open_read_only(path).await?);
    let done = match args.action {
        Action::Verify => verify(journal.as_ref(), global.json, path, out).await,
        Action::Export { from, format: Format::Jsonl } => export(journal.as_ref(), from, out).await,
        Action::Tail { from, follow } => show(journal.clone(), from, follow, global.json, out).await,
    };
    journal.close().await;
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(Exit::Fine),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What `verify --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: String,
    ok: bool,
    #[serde(flatten)]
    verification: &'a Verification,
}

async fn verify<W: Write>(
    journal: &dyn Journal,
    json: bool,
    path: &Path,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let verification = journal.verify().await?;
    let ok = verification.faults.is_empty();
    if json {
        let report = Report { path: path.display().to_string(), ok, verification: &verification };
        line(out, &serde_json::to_string(&report).context("the report cannot be written as JSON")?)?;
    } else {
        let Verification { entries, head, faults } = &verification;
        let path = path.display();
        if ok && *entries == 0 {
            line(out, &format!("`{path}` is whole: no entries yet"))?;
        } else if ok {
            line(out, &format!("`{path}` is whole: {entries} entries, head {head}"))?;
        } else {
            let count = faults.len();
            let noun = if count == 1 { "fault" } else { "faults" };
            line(out, &format!("`{path}` is not whole: {count} {noun}; {entries} entries could be read"))?;
            for fault in faults {
                line(out, &format!("  {}", printable(fault)))?;
            }
        }
    }
    out.flush()?;
    Ok(if ok { Exit::Fine } else { Exit::Error })
}

/// An entry as it is exported. The event is as the journal holds it, its kind also beside it for easy filtering.
#[derive(Serialize)]
struct Exported<'a> {
    seq: Position,
    at: Timestamp,
    token: u64,
    r#type: &'a str,
    event: &'a Event,
    hash: &'a str,
}

fn exported(entry: &Entry) -> anyhow::Result<String> {
    let line = Exported {
        seq: entry.seq,
        at: entry.at,
        token: entry.token,
        r#type: &entry.event.kind(),
        event: &entry.event,
        hash: &entry.hash,
    };
    serde_json::to_string(&line).with_context(|| format!("entry {} cannot be written as JSON", entry.seq))
}

async fn export<W: Write>(journal: &dyn Journal, from: Position, out: &mut W) -> anyhow::Result<Exit> {
    let mut after = from.saturating_sub(1);
    loop {
        let entries = match journal.read(after, BATCH).await {
            Ok(entries) => entries,
            Err(error) => {
                out.flush()?;
                return Err(error).with_context(|| format!("the export ends after entry {after}"));
            }
        };
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            line(out, &exported(entry)?)?;
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

async fn show<W: Write>(
    journal: Arc<dyn Journal>,
    from: Option<Position>,
    follow: bool,
    json: bool,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let after = match from {
        Some(from) => from.saturating_sub(1),
        None => journal.last().await?.saturating_sub(SHOWN),
    };
    let mut tail = tail(journal, after);
    loop {
        let entry = match tail.next_now().await? {
            Some(entry) => entry,
            None if follow => {
                // Everything is printed before waiting.
                out.flush()?;
                tail.next().await?
            }
            None => break,
        };
        line(out, &if json { exported(&entry)? } else { plain(&entry)? })?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

/// An entry for people: place, time, kind, content.
fn plain(entry: &Entry) -> anyhow::Result<String> {
    let body = encode(&entry.event)
        .with_context(|| format!("entry {} cannot be written as JSON", entry.seq))?;
    let kind = entry.event.kind();
    // The kind has its own column.
    let rest = body.replacen(&format!("\"type\":\"{kind}\""), "", 1).replacen("{,", "{", 1);
    Ok(format!("{:>6}  {:.3}  {kind:<20}  {}", entry.seq, entry.at, printable(&rest)))
}

/// Control characters would be obeyed by a terminal; they are shown instead.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn line<W: Write>(out: &mut W, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}
