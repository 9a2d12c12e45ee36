//! `unship message`: what those who wait are told about an incident, drafted from what is known and sent by a person.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::account::date;
use super::incident::{find, look, send};
use super::output::{note, out, print_json, table};
use super::{Exit, Global};
use crate::config::Loaded;
use crate::engine::messages::{due, fill, update};
use crate::engine::runtime::View;
use crate::model::Span;
use crate::model::command::Command;
use crate::model::incident::{Audience, Incident, IncidentAsk};
use crate::model::units::human;
use crate::templates::{Kind, Rendered};

/// Draft a message about an incident, send one, or show what was sent and when the next one is due.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Print a draft from what is known now. Nothing is sent.
    Draft {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// When the next message will be promised, from now.
        #[arg(long, value_name = "TIME")]
        next: Option<Span>,
    },
    /// Send a message to those who wait.
    Send {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// The text.
        #[arg(long, conflicts_with_all = ["file", "draft"])]
        text: Option<String>,
        /// A file with the text; `-` for what is piped in.
        #[arg(long, value_name = "FILE", conflicts_with = "draft")]
        file: Option<PathBuf>,
        /// The draft as it is, read by you: look at it with `unship message draft` first.
        #[arg(long)]
        draft: bool,
        /// For those outside. Without it: for the house.
        #[arg(long)]
        external: bool,
        /// A channel; can be given several times. Without it: all that listen to what is so urgent.
        #[arg(long = "to", value_name = "CHANNEL")]
        channels: Vec<String>,
        /// When the next message is promised, from now.
        #[arg(long, value_name = "TIME")]
        next: Option<Span>,
    },
    /// Show what was sent last, and when the next message is due.
    Due {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
}

/// Exit codes: 0 sent or shown, 1 there is no such incident, 5 refused, 7 nobody answered.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    match args.what {
        What::Draft { id, next } => {
            let (loaded, view) = look(global).await?;
            let incident = match find(&view, id.as_deref()) {
                Ok(incident) => incident,
                Err(exit) => return Ok(exit),
            };
            let drafted = draft(&loaded, &view, &incident, after(next));
            let drafted = drafted.map_err(anyhow::Error::msg)?;
            if global.json {
                print_json(&json!({ "subject": drafted.subject, "text": drafted.text }))?;
            } else {
                out!("{}", drafted.text);
            }
            Ok(Exit::Fine)
        }
        What::Send { id, text, file, draft: as_drafted, external, channels, next } => {
            let next = after(next);
            let (subject, text) = match (text, file) {
                (Some(text), _) => (None, text),
                (None, Some(file)) => (None, read(&file)?),
                (None, None) if as_drafted => {
                    let (loaded, view) = look(global).await?;
                    let incident = match find(&view, id.as_deref()) {
                        Ok(incident) => incident,
                        Err(exit) => return Ok(exit),
                    };
                    let drafted = draft(&loaded, &view, &incident, next).map_err(anyhow::Error::msg)?;
                    out!("{}", drafted.text);
                    (drafted.subject, drafted.text)
                }
                (None, None) => {
                    note!("what is to be sent? give `--text`, `--file` or `--draft`");
                    return Ok(Exit::Usage);
                }
            };
            let audience = if external { Audience::External } else { Audience::Internal };
            let channels = channels.into_iter().map(Into::into).collect();
            let ask = IncidentAsk::Tell { audience, text, subject, channels, next };
            send(id, global, |incident| Command::Incident { incident, ask }).await
        }
        What::Due { id } => {
            let (_, view) = look(global).await?;
            let incident = match find(&view, id.as_deref()) {
                Ok(incident) => incident,
                Err(exit) => return Ok(exit),
            };
            show(&incident, global)
        }
    }
}

fn after(time: Option<Span>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::now().checked_add(*time).ok())
}

fn read(file: &PathBuf) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).context("what is piped in cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))
}

fn draft(
    loaded: &Loaded,
    view: &View,
    incident: &Incident,
    next: Option<Timestamp>,
) -> Result<Rendered, String> {
    let now = Timestamp::now();
    let values = update(incident, &view.state, next, now);
    fill(&loaded.templates, &loaded.config.environment.name, Kind::Update, values, now)
}

fn show(incident: &Incident, global: &Global) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let rows =
        Audience::ALL.map(|audience| (audience, incident.updates.get(&audience), due(incident, audience)));
    if global.json {
        let all: Vec<_> = rows
            .iter()
            .map(|(audience, update, due)| json!({ "audience": audience, "update": update, "due": due }))
            .collect();
        print_json(&json!(all))?;
        return Ok(Exit::Fine);
    }
    let mut lines = vec![["for", "sent", "last", "late", "next"].map(str::to_owned).to_vec()];
    for (audience, update, due) in rows {
        let next = match due {
            None => "none is due".to_owned(),
            Some(due) if due <= now => {
                let late = now.duration_since(due).unsigned_abs();
                format!("OVERDUE by {}", human(std::time::Duration::from_secs(late.as_secs())))
            }
            Some(due) => {
                let left = due.duration_since(now).unsigned_abs();
                format!("in {}", human(std::time::Duration::from_secs(left.as_secs())))
            }
        };
        lines.push(vec![
            audience.word().to_owned(),
            update.map_or(0, |update| update.count).to_string(),
            update.and_then(|update| update.at).map_or_else(|| "never".to_owned(), date),
            update.map_or(0, |update| update.missed).to_string(),
            next,
        ]);
    }
    out!("{}", table(&lines).trim_end());
    Ok(Exit::Fine)
}
