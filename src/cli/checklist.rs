//! `unship checklist`: how far an incident is, and ticking what the engine cannot see.

mod rebase;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::incident::{self, find, look};
use super::output::{out, print_json, table};
use super::{Exit, Global};
use crate::engine::checklist::{Checklist, Item, ItemKind, ItemState, Phase, checklist};
use crate::model::IncidentId;
use crate::model::checklist::ItemAct;
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
    /// Let a checklist go on with its runbook as the file is now: what says the same stays as it is, what says something else
    /// is open again.
    Rebase {
        /// The runbook. Without it: the one that has changed.
        runbook: Option<String>,
        /// Only show what differs.
        #[arg(long)]
        dry_run: bool,
    },
    #[command(flatten)]
    Act(Act),
}

/// What is done to it, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
enum Act {
    /// Work through another runbook.
    Attach {
        /// The runbook, as the config calls it; `emergency` is built in.
        runbook: String,
    },
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
    /// Begin what an item does: a rollback, a freeze, a page. It passes the same guardrails as when it is typed.
    Do {
        /// The item.
        item: String,
    },
    /// Begin the time of a wait or a hold.
    Begin {
        /// The item.
        item: String,
    },
    /// Decide.
    Choose {
        /// The item that asks for a decision.
        item: String,
        /// The option: its id, its number, or its first word.
        option: String,
        /// Why; needed against what is seen.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Enter a value.
    Record {
        /// The item that asks for one.
        item: String,
        /// The value.
        value: String,
    },
    /// Leave an item as it is, against what it says.
    Override {
        /// The item.
        item: String,
        /// Why: it is read in the post-mortem.
        #[arg(long)]
        reason: String,
    },
    /// Do an item later.
    Defer {
        /// The item.
        item: String,
        /// With what: a section after it, `resolved`, or a time like `30m`. Without it: what the runbook proposes.
        #[arg(long, default_value = "")]
        until: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Open an item again. Nothing that was done is undone.
    Reopen {
        /// The item.
        item: String,
        /// Why, for the others and for the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take back what an item did and what has failed, as its runbook says (`undo`).
    Undo {
        /// The item.
        item: String,
    },
    /// Say that you have seen that an item is no longer so.
    Regression {
        /// The item.
        item: String,
    },
    /// Write something beside an item.
    Note {
        /// The item.
        item: String,
        /// What.
        text: String,
    },
    /// Take an item upon yourself, for ten minutes.
    Claim {
        /// The item.
        item: String,
    },
    /// Let go of an item.
    Release {
        /// The item.
        item: String,
    },
}

impl Act {
    /// The command for an incident.
    fn into_command(self, incident: IncidentId) -> Command {
        let (item, act) = match self {
            Self::Attach { runbook } => return Command::Attach { incident, runbook: runbook.into() },
            Self::Tick { item, undo, not_applicable, note } => {
                let ticked = match (undo, not_applicable) {
                    (true, _) => None,
                    (false, true) => Some(Ticked::NotApplicable),
                    (false, false) => Some(Ticked::Done),
                };
                return Command::Tick { incident, item: item.into(), ticked, note };
            }
            Self::Do { item } => (item, ItemAct::Dispatch),
            Self::Undo { item } => (item, ItemAct::Undo),
            Self::Begin { item } => (item, ItemAct::Begin),
            Self::Choose { item, option, reason } => {
                (item, ItemAct::Choose { option: option.into(), reason })
            }
            Self::Record { item, value } => (item, ItemAct::Record { value }),
            Self::Override { item, reason } => (item, ItemAct::Override { reason }),
            Self::Defer { item, until, reason } => (item, ItemAct::Defer { until, reason }),
            Self::Reopen { item, reason } => (item, ItemAct::Reopen { reason }),
            Self::Regression { item } => (item, ItemAct::AcknowledgeRegression),
            Self::Note { item, text } => (item, ItemAct::Note { text }),
            Self::Claim { item } => (item, ItemAct::Claim),
            Self::Release { item } => (item, ItemAct::Release),
        };
        Command::Item { incident, run: None, item: item.into(), seen: None, act }
    }
}

/// Exit codes: 0 shown or done, 1 there is no such incident, 5 refused.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    match args.what {
        None | Some(What::Show) => show(args.incident.as_deref(), global).await,
        Some(What::Rebase { runbook, dry_run }) => {
            rebase::run(args.incident.as_deref(), runbook.as_deref(), dry_run, global).await
        }
        Some(What::Act(act)) => {
            incident::send(args.incident, global, |incident| act.into_command(incident)).await
        }
    }
}

async fn show(id: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
    let (loaded, view) = look(global).await?;
    let incident = match find(&view, id) {
        Ok(incident) => incident,
        Err(exit) => return Ok(exit),
    };
    let now = Timestamp::now();
    let list = checklist(&incident, &view.state, &loaded.config, &view.readings, now);
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
    if list.runs.is_empty() {
        text.push_str("no runbook is worked through yet; `unship checklist attach RUNBOOK`\n");
    }
    for run in &list.runs {
        let _ = writeln!(text, "{}: {} ({})", run.id, run.title, run.progress.words());
    }
    for phase in &list.phases {
        text.push_str(&heading(phase));
        for line in lines.by_ref().take(phase.items.len()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    for run in &list.runs {
        for gone in &run.removed {
            let by = gone.by.as_ref().map_or_else(String::new, |(by, _)| format!(" by {by}"));
            let _ = writeln!(text, "removed from {}: {} ({}{by})", run.id, gone.text, gone.standing.word());
        }
    }
    text
}

/// `0-5 min: Assess and decide, 3/5, 3 m 20 s of 5 m`.
fn heading(phase: &Phase) -> String {
    let window = match phase.until {
        None if phase.from.is_zero() => String::new(),
        None => format!("{}+ min: ", minutes(phase.from)),
        Some(until) => format!("{}-{} min: ", minutes(phase.from), minutes(until)),
    };
    let time = match (phase.until, phase.elapsed) {
        (Some(_), _) if phase.passed_before => ", over before it was attached".to_owned(),
        (Some(_), None) => ", not begun".to_owned(),
        (Some(until), Some(elapsed)) if phase.overdue => {
            format!(", OVERDUE by {}", human(whole(elapsed.saturating_sub(until))))
        }
        (Some(until), Some(elapsed)) if elapsed < until && phase.settled() < phase.counted() => {
            format!(", {} left", human(whole(until.saturating_sub(elapsed))))
        }
        _ => String::new(),
    };
    let gate = phase.gate.as_ref().map_or_else(String::new, |gate| format!(", waits: {gate}"));
    format!("{window}{}, {}{time}{gate}\n", phase.title, phase.progress().words())
}

/// Minutes, with what is left of one.
fn minutes(time: Duration) -> String {
    let minutes = time.as_secs_f64() / 60.0;
    format!("{}", (minutes * 10.0).round() / 10.0)
}

/// Whole seconds: nobody reads the rest.
const fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn row(item: &Item, now: Timestamp) -> Vec<String> {
    let mark = match &item.state {
        ItemState::Open => "  [ ]",
        ItemState::Current => "> [ ]",
        ItemState::Satisfied => "> [?]",
        ItemState::Waiting { .. } | ItemState::Running { .. } => "  [~]",
        ItemState::Failed { .. } | ItemState::Unknown { .. } | ItemState::Regressed { .. } => "  [!]",
        ItemState::Done { .. } => "  [x]",
        ItemState::NotApplicable { .. } => "  [-]",
        ItemState::Overridden { .. } => "  [o]",
        ItemState::Deferred { .. } => "  [>]",
    };
    let title = format!("{}{}", "  ".repeat(usize::from(item.depth)), item.title);
    vec![mark.to_owned(), item.key.clone(), title, right(item, now)]
}

/// The line on the right: who settled it, what the engine sees, and how old that is.
fn right(item: &Item, now: Timestamp) -> String {
    let mut parts: Vec<String> = Vec::new();
    let said = || item.note.clone().filter(|note| !note.is_empty());
    match &item.state {
        // What the engine ticked it still sees, or says why not.
        ItemState::Done { by: by @ Actor::Person { .. }, .. }
            if !matches!(item.kind, ItemKind::Does { .. }) =>
        {
            parts.push(format!("by {by}"));
            parts.extend(item.unsensed.then(|| "which nobody could see".to_owned()));
            parts.extend(said().filter(|_| !matches!(item.kind, ItemKind::Sensed { .. })));
        }
        ItemState::NotApplicable { by, .. } => {
            parts.push(format!("not applicable, says {by}"));
            parts.extend(said());
        }
        ItemState::Overridden { by, .. } => {
            parts.push(format!("overridden by {by}"));
            parts.extend(said());
        }
        ItemState::Deferred { until, by } => {
            parts.push(format!("deferred until {until} by {by}"));
            parts.extend(said());
        }
        ItemState::Failed { why } => parts.push(format!("failed: {why}")),
        ItemState::Unknown { why } => parts.push(format!("not known: {why}")),
        ItemState::Satisfied => parts.push("to be confirmed".to_owned()),
        ItemState::Running { .. } => parts.push("being done".to_owned()),
        ItemState::Waiting { passed, of } if item.fact.is_none() => {
            parts.push(format!("{} of {}", human(whole(*passed)), human(*of)));
        }
        ItemState::Regressed { .. } => parts.push("no longer so".to_owned()),
        _ => {}
    }
    if let Some(fact) = &item.fact {
        let age = fact.at.filter(|at| *at <= now).map(|at| now.duration_since(at).unsigned_abs());
        let age = age.map_or_else(String::new, |age| format!(", {} ago", human(whole(age))));
        parts.push(format!("{}{age}", fact.text));
    }
    if let ItemKind::Decision { options } = &item.kind
        && !item.is_settled()
    {
        let options: Vec<_> = options
            .iter()
            .map(|option| match option.recommended {
                Some(true) => format!("{} (recommended)", option.id),
                Some(false) => format!("{} (not recommended)", option.id),
                None => option.id.to_string(),
            })
            .collect();
        parts.push(format!("options: {}", options.join(", ")));
    }
    parts
        .extend(item.asked.as_ref().map(|asked| format!("{} asks for another person's agreement", asked.by)));
    parts.extend(
        (item.by_two && item.asked.is_none() && !item.is_settled()).then(|| "by two people".to_owned()),
    );
    parts.extend((item.memory && !item.is_settled()).then(|| "from memory".to_owned()));
    parts.extend(item.older.clone());
    parts.extend(item.claimed.as_ref().map(|by| format!("taken by {by}")));
    parts.extend(item.notes.iter().map(|note| format!("{}: {}", note.by, note.text)));
    parts.join("; ")
}
