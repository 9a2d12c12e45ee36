//! `unship report incident`: the record of an incident on screen, as JSON, or as a post-mortem that people go on writing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::output::{note, out, table};
use super::{Exit, Global, file, printable, read};
use crate::model::event::Event;
use crate::model::incident::IncidentChange;
use crate::model::{IncidentId, ServiceName};
use crate::report::Naming;
use crate::report::incident::{Record, Recorder, SCHEMA};
use crate::report::postmortem;

/// How a record is written.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    /// A post-mortem, with prompts where people have to judge.
    Markdown,
    /// The record as data.
    Json,
}

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// The incident, like `INC-3`. Without it: the newest.
    id: Option<String>,
    /// How it is written. Without it: a summary on screen, and a post-mortem in a file.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write it into this file. A post-mortem that is there already keeps everything that people wrote into it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Call people by what they were in the incident. This is so in files and in a post-mortem unless `--names` is given.
    #[arg(long, conflicts_with = "names")]
    roles: bool,
    /// Call people by their names. This is so on screen and in JSON unless `--roles` or `--out` is given.
    #[arg(long)]
    names: bool,
    /// Write over a file that unship did not make.
    #[arg(long, requires = "out")]
    force: bool,
}

impl Args {
    fn format(&self, global: &Global) -> Option<Format> {
        let json = global.json.then_some(Format::Json);
        self.format.or(json).or_else(|| self.out.as_ref().map(|_| Format::Markdown))
    }

    fn naming(&self, format: Option<Format>) -> Naming {
        let leaves = self.out.is_some() || format == Some(Format::Markdown);
        if self.roles || leaves && !self.names { Naming::Roles } else { Naming::Names }
    }
}

pub(super) async fn run(args: &Args, journal: &Path, global: &Global) -> anyhow::Result<Exit> {
    let id = match &args.id {
        Some(id) => Some(IncidentId::from(id.as_str())),
        None => newest(journal).await?,
    };
    let Some(id) = id else {
        note!("there was no incident yet");
        return Ok(Exit::Error);
    };
    let mut recorder = Recorder::new(id.clone());
    read(journal, |entry| recorder.take(entry)).await?;
    let format = args.format(global);
    let Some(record) = recorder.finish(Timestamp::now(), args.naming(format)) else {
        note!("no incident `{id}`; `unship incident list` shows them");
        return Ok(Exit::Error);
    };
    match &args.out {
        Some(path) => write(&record, format, path, args.force),
        None => {
            match format {
                Some(Format::Markdown) => out!("{}", postmortem::document(&record).trim_end()),
                Some(Format::Json) => out!("{}", json(&record)?.trim_end()),
                None => out!("{}", summary(&record).trim_end()),
            }
            Ok(Exit::Fine)
        }
    }
}

/// The incident that was opened last, and is none that another one goes on with.
async fn newest(journal: &Path) -> anyhow::Result<Option<IncidentId>> {
    let mut known: Vec<IncidentId> = Vec::new();
    read(journal, |entry| match entry.event {
        Event::IncidentOpened { incident, .. } => known.push(incident.clone()),
        Event::IncidentChanged { incident, change: IncidentChange::Merged { .. }, .. } => {
            known.retain(|id| id != incident);
        }
        _ => {}
    })
    .await?;
    Ok(known.pop())
}

fn json(record: &Record) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(record)?))
}

fn write(record: &Record, format: Option<Format>, path: &Path, force: bool) -> anyhow::Result<Exit> {
    let before = file::read(path)?;
    let is_markdown = format != Some(Format::Json);
    let is_ours = before.as_deref().is_none_or(|text| {
        text.trim().is_empty() || if is_markdown { postmortem::is_ours(text) } else { is_our_json(text) }
    });
    if !is_markdown && before.as_deref().is_some_and(postmortem::is_ours) {
        // What people wrote into it would be gone, so not even if forced.
        note!("`{}` is a post-mortem; nothing was written, give another file for the data", path.display());
        return Ok(Exit::Usage);
    }
    if !is_ours && !force {
        note!(
            "`{}` was not made by `unship report incident` in this form; nothing was written. Give another file, or `--force` to write over it",
            path.display()
        );
        return Ok(Exit::Usage);
    }
    let text = match before.as_deref().filter(|text| is_markdown && postmortem::is_ours(text)) {
        Some(text) => match postmortem::regenerate(text, record) {
            Ok(text) => text,
            Err(error) => {
                note!("`{}`: {error}; nothing was written", path.display());
                return Ok(Exit::Usage);
            }
        },
        None if is_markdown => postmortem::document(record),
        None => json(record)?,
    };
    let again = if before.as_deref().is_some_and(|text| !text.trim().is_empty()) {
        "written again"
    } else {
        "written"
    };
    file::replace(path, before.as_deref(), &text)?;
    note!("`{}` is {again}: {} up to entry {}", path.display(), record.id, record.journal.seq);
    Ok(Exit::Fine)
}

fn is_our_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value["schema"] == SCHEMA)
}

/// The record on a screen.
fn summary(record: &Record) -> String {
    let mut out = String::new();
    let services: Vec<&str> = record.services.iter().map(ServiceName::as_str).collect();
    let drill = if record.drill { " [DRILL]" } else { "" };
    let _ = writeln!(
        out,
        "{} {} {}{drill}: {}",
        record.id,
        record.level,
        record.status.words(),
        printable(&record.title)
    );
    let of = if services.is_empty() { "no service named".to_owned() } else { services.join(", ") };
    let _ = writeln!(out, "  {of}; opened {:.0} by {}", record.opened_at, printable(&record.by));
    if !record.end_reason.is_empty() {
        let _ = writeln!(out, "  ended: {}", printable(&record.end_reason));
    }
    for held in &record.roles {
        let until = held.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
        let _ = writeln!(out, "  {}: {} since {:.0}{until}", held.role, printable(&held.name), held.since);
    }
    for spent in &record.in_each_level {
        let _ = writeln!(out, "  {} for {}", spent.level, spent.lasted);
    }
    part(
        &mut out,
        "times",
        record.intervals.iter().map(|measured| {
            let (from, to) = measured.metric.ends();
            vec![measured.metric.word().to_owned(), measured.interval.words(), format!("{from} to {to}")]
        }),
    );
    part(
        &mut out,
        "instants",
        record.instants.all().into_iter().map(|(name, instant)| match instant {
            Some(instant) => vec![
                name.to_owned(),
                format!("{:.0}", instant.at),
                format!("#{}", instant.seq),
                printable(&instant.source),
            ],
            None => vec![name.to_owned(), "not known".to_owned()],
        }),
    );
    part(
        &mut out,
        "operations",
        record.operations.iter().map(|operation| {
            vec![
                operation.id.to_string(),
                format!("#{}", operation.seq),
                printable(&operation.purpose),
                printable(&operation.words()),
            ]
        }),
    );
    part(
        &mut out,
        "deviations",
        record.deviations.iter().map(|left| {
            vec![
                format!("{:.0}", left.at),
                format!("#{}", left.seq),
                left.kind.words().to_owned(),
                printable(&left.what),
                printable(&left.by),
                printable(&left.reason),
            ]
        }),
    );
    let happened = record.escalations.iter().flat_map(|escalation| {
        let policy = &escalation.policy;
        escalation.happened.iter().map(move |happened| {
            vec![
                format!("{:.0}", happened.at),
                format!("#{}", happened.seq),
                policy.to_string(),
                printable(&happened.what.words()),
            ]
        })
    });
    part(&mut out, "escalation", happened);
    part(
        &mut out,
        "messages",
        record.messages.iter().map(|message| {
            vec![
                format!("{:.0}", message.at),
                format!("#{}", message.seq),
                message.channel.to_string(),
                message.topic.clone(),
                printable(&message.end.words()),
            ]
        }),
    );
    part(
        &mut out,
        "told to those who wait",
        record.updates.iter().map(|update| {
            let text = match update.missed {
                Some(due) => format!("MISSED: one was due at {due:.0}"),
                None => update.text.clone(),
            };
            vec![
                format!("{:.0}", update.at),
                format!("#{}", update.seq),
                update.audience.word().to_owned(),
                printable(&update.by),
                printable(&text),
            ]
        }),
    );
    part(
        &mut out,
        "timeline",
        record.timeline.iter().map(|row| {
            let words = match &row.collapsed {
                Some(of) => format!("({} entries) {}", of.rows, row.words),
                None => row.words.clone(),
            };
            vec![format!("{:.0}", row.at), format!("#{}", row.seq), printable(&row.actor), printable(&words)]
        }),
    );
    let _ = writeln!(out, "\njournal up to #{}, hash {}", record.journal.seq, record.journal.hash);
    out
}

fn part(out: &mut String, title: &str, rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let _ = write!(out, "\n{title}\n");
    for line in table(&rows).lines() {
        let _ = writeln!(out, "  {line}");
    }
}
