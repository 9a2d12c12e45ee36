//! `unship report deployment`: each deployment and rollback, as a table, as Markdown, or as JSON.

use jiff::Timestamp;

use super::super::output::{note, out, print_json, table};
use super::super::session;
use super::{Exit, Global, printable, read};
use crate::config::Loaded;
use crate::report::deployment::{Change, Only, Record, Recorder, markdown};

/// How a record is written.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    /// All facts, for a file or a ticket.
    Markdown,
    /// The record as data.
    Json,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// An operation (`op-2`) or a service. Without it: everything.
    #[arg(value_name = "OPERATION|SERVICE")]
    what: Option<String>,
    /// How it is written. Without it: a table.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) async fn run(args: &Args, loaded: &Loaded, global: &Global) -> anyhow::Result<Exit> {
    let only = match args.what.as_deref() {
        None => Only::All,
        // A service may have any name, so the config is asked first.
        Some(name) if loaded.config.services.contains_key(name) => Only::Service(name.into()),
        Some(id) if id.starts_with("op-") => Only::Operation(id.into()),
        Some(name) => {
            session::has_service(loaded, name);
            return Ok(Exit::Usage);
        }
    };
    let mut recorder = Recorder::default();
    read(&loaded.journal_path, |entry| recorder.take(entry)).await?;
    let record = recorder.finish(&only, Timestamp::now());
    if record.changes.is_empty()
        && let Only::Operation(id) = &only
    {
        note!("no deployment or rollback `{id}`; `unship report deployment` shows all");
        return Ok(Exit::Error);
    }
    match args.format.or_else(|| global.json.then_some(Format::Json)) {
        Some(Format::Json) => print_json(&serde_json::to_value(&record)?)?,
        Some(Format::Markdown) => out!("{}", markdown(&record).trim_end()),
        None if record.changes.is_empty() => note!("nothing was deployed or rolled back yet"),
        None => out!("{}", shown(&record).trim_end()),
    }
    Ok(Exit::Fine)
}

fn shown(record: &Record) -> String {
    let head =
        ["began", "entry", "service", "what", "from", "to", "by", "took", "ended", "why"].map(str::to_owned);
    let rows = record.changes.iter().map(row);
    table(&[head.to_vec()].into_iter().chain(rows).collect::<Vec<_>>())
}

fn row(change: &Change) -> Vec<String> {
    let took = change.took().map_or_else(|| "-".to_owned(), |took| took.to_string());
    let why = if change.reason.is_empty() { change.findings.first() } else { Some(&change.reason) };
    vec![
        format!("{:.0}", change.at),
        format!("#{}", change.seq),
        change.service.to_string(),
        change.kind.word().to_owned(),
        change.from.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        change.version.to_string(),
        printable(&change.by),
        took,
        change.ended(),
        why.map_or_else(String::new, |why| printable(why)),
    ]
}
