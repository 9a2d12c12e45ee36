//! `unship checklist`: how far an incident is, and ticking what the engine cannot see.

use jiff::Timestamp;
use serde_json::json;

use super::incident::{self, find, look};
use super::output::{out, print_json, table};
use super::{Exit, Global};
use crate::engine::checklist::{Checklist, Item, ItemKind, ItemState, Phase, checklist};
use crate::model::command::{Actor, Command};
use crate::model::incident::Ticked;
use crate::model::units::human;

/// Show the emergency checklist of an incident, or tick an item of it.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The incident, like `INC-3`. Without it: the one that is open.
    #[arg(long, global = true, value_name = "ID")]
    incident: Option<String>,
}

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Show it. The same as without a word.
    Show,
    /// Tick an item.
    Tick {
        /// The item, like `smoke-tests`.
        item: String,
        /// Take the tick back.
        #[arg(long, conflicts_with_all = ["not_applicable", "note"])]
        undo: bool,
        /// It does not concern this incident.
        #[arg(long)]
        not_applicable: bool,
        /// What the others should know of it.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// Exit codes: 0 shown or ticked, 1 there is no such incident, 5 refused.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    match args.what {
        None | Some(What::Show) => show(args.incident.as_deref(), global).await,
        Some(What::Tick { item, undo, not_applicable, note }) => {
            let ticked = match (undo, not_applicable) {
                (true, _) => None,
                (false, true) => Some(Ticked::NotApplicable),
                (false, false) => Some(Ticked::Done),
            };
            let tick =
                |incident| Command::Tick { incident, item: item.as_str().into(), ticked, note: note.clone() };
            incident::send(args.incident, global, tick).await
        }
    }
}

async fn show(id: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
    let (_, view) = look(global).await?;
    let incident = match find(&view, id) {
        Ok(incident) => incident,
        Err(exit) => return Ok(exit),
    };
    let now = Timestamp::now();
    let list = checklist(&incident, &view.state, &view.readings, now);
    if global.json {
        let mut value = incident::json(&incident, &view.state, now);
        value["checklist"] = json!(list);
        print_json(&value)?;
    } else {
        out!("{}", incident::line(&incident, &view.state, now));
        out!("{}", text(&list, now).trim_end());
    }
    Ok(Exit::Fine)
}

fn text(list: &Checklist, now: Timestamp) -> String {
    let rows: Vec<Vec<String>> = list.items().map(|item| row(item, now)).collect();
    let lines = table(&rows);
    let mut lines = lines.lines();
    let mut text = String::new();
    for phase in &list.phases {
        text.push_str(&heading(phase));
        for line in lines.by_ref().take(phase.items.len()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn heading(phase: &Phase) -> String {
    let from = phase.from.as_secs() / 60;
    let window = phase
        .until
        .map_or_else(|| format!("{from}+ min"), |until| format!("{from}-{} min", until.as_secs() / 60));
    let overdue = if phase.overdue { ", OVERDUE" } else { "" };
    format!("{window}: {}, {} of {} settled{overdue}\n", phase.title, phase.settled(), phase.items.len())
}

fn row(item: &Item, now: Timestamp) -> Vec<String> {
    let mark = match &item.state {
        ItemState::Open => "  [ ]",
        ItemState::Current => "> [ ]",
        ItemState::Done { .. } => "  [x]",
        ItemState::NotApplicable { .. } => "  [-]",
        ItemState::Regressed { .. } => "  [!]",
    };
    vec![mark.to_owned(), item.id.to_string(), item.title.clone(), right(item, now)]
}

/// The line on the right: who settled it, what the engine sees, and how old that is.
fn right(item: &Item, now: Timestamp) -> String {
    let mut parts: Vec<String> = Vec::new();
    // What the engine ticked it still sees, or says why not.
    if let ItemState::Done { by: by @ Actor::Person { .. }, .. } = &item.state
        && !matches!(item.kind, ItemKind::Does { .. })
    {
        parts.push(format!("by {by}"));
        parts.extend(item.note.clone());
    }
    match &item.state {
        ItemState::NotApplicable { by, .. } => {
            parts.push(format!("not applicable, says {by}"));
            parts.extend(item.note.clone());
        }
        ItemState::Regressed { .. } => parts.push("no longer so".to_owned()),
        _ => {}
    }
    if let Some(fact) = &item.fact {
        let age = fact.at.filter(|at| *at <= now).map(|at| now.duration_since(at).unsigned_abs());
        let age = age.map_or_else(String::new, |age| {
            format!(", {} ago", human(std::time::Duration::from_secs(age.as_secs())))
        });
        parts.push(format!("{}{age}", fact.text));
    }
    parts.join("; ")
}
