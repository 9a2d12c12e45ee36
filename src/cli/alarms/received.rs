//! Alarms that others have sent: listed, and silenced where they come from.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::confirm;
use crate::cli::account::date;
use crate::cli::output::{note, print_json, table};
use crate::cli::{Exit, Global, act, session};
use crate::config::schema::Role;
use crate::config::{Config, Loaded};
use crate::engine::runtime::{Engine, Lead, Matchers, Silence, View, World, alarms_to_silence, make_silence};
use crate::model::command::{Actor, Command};
use crate::model::received::{Alarm, AlarmStatus};
use crate::model::units::human;
use crate::model::{IncidentId, Span};

/// The longest that a silence lasts unless a longer one is asked for in so many words.
const LONGEST: Duration = Duration::from_secs(4 * 3_600);
/// Alarms that are named before a silence; the others are counted.
const NAMED: usize = 20;

/// What to list.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct List {
    /// Those too that are over.
    #[arg(long)]
    all: bool,
}

/// What to silence.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct SilenceArgs {
    /// The alarm's name.
    #[arg(value_name = "NAME")]
    alarm: String,
    /// Only where a label has this value; can be given several times.
    #[arg(long = "match", value_name = "LABEL=VALUE", value_parser = matcher)]
    matchers: Vec<(String, String)>,
    /// How long: `30m`, `2h`.
    #[arg(long = "for", value_name = "TIME")]
    lasts: Span,
    /// Allow more than 4 hours.
    #[arg(long)]
    longer: bool,
    /// Why, for the others and for the record.
    #[arg(long)]
    reason: String,
    /// The incident that it is for. Without it: the open one that the alarm belongs to.
    #[arg(long, value_name = "INCIDENT")]
    incident: Option<String>,
    /// Show which alarms it would be for and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    yes: bool,
}

fn matcher(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((label, value)) if !label.trim().is_empty() => Ok((label.trim().to_owned(), value.to_owned())),
        _ => Err("write it as `label=value`".to_owned()),
    }
}

/// Lists what was received.
pub(super) async fn list(args: &List, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let engine = session::look(&loaded, "alarms").await?;
    let view = Arc::clone(&engine.view().borrow());
    engine.shutdown().await;
    let alarms = &view.state.alarms;
    let mut shown: Vec<&Arc<Alarm>> = alarms.all().filter(|alarm| args.all || alarm.is_firing()).collect();
    // What fires first, the newest of each first.
    shown.sort_by_key(|alarm| (!alarm.is_firing(), std::cmp::Reverse(alarm.facts.starts_at)));
    if global.json {
        let list: Vec<Value> = shown.iter().map(|alarm| as_json(alarm, &view)).collect();
        print_json(&json!({ "alarms": list, "path_down": alarms.path_down() }))?;
        return Ok(Exit::Fine);
    }
    let mut out = std::io::stdout().lock();
    if let Some(fault) = alarms.path_down() {
        writeln!(out, "THE ALARM PATH IS DOWN since {}: {}", date(fault.since), fault.reason)?;
    }
    if shown.is_empty() {
        writeln!(out, "no alarm fires{}", if args.all { ", and none is known" } else { "" })?;
        return Ok(Exit::Fine);
    }
    let now = Timestamp::now();
    let head = ["alarm", "service", "severity", "since", "incident", ""].map(str::to_owned).to_vec();
    let rows = shown.iter().map(|alarm| {
        let facts = &alarm.facts;
        vec![
            facts.name.clone(),
            facts.service.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            facts.severity.map_or_else(|| "-".to_owned(), |level| level.to_string()),
            date(facts.starts_at),
            alarm.incident.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            remarks(alarm, &view, now),
        ]
    });
    write!(out, "{}", table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    out.flush()?;
    Ok(Exit::Fine)
}

/// What else there is to know.
fn remarks(alarm: &Alarm, view: &View, now: Timestamp) -> String {
    let mut remarks: Vec<String> = Vec::new();
    if let AlarmStatus::Resolved { at, inferred } = alarm.status {
        let ago = human(Duration::from_secs(at.duration_until(now).as_secs().unsigned_abs()));
        remarks.push(format!("over since {ago}{}", if inferred { ", although nobody said so" } else { "" }));
    }
    remarks.extend(alarm.muted.map(|muted| muted.word().to_owned()));
    remarks.extend(alarm.stale.as_ref().map(|why| format!("may be over: {why}")));
    if view.state.alarms.is_flapping(alarm) {
        remarks.push("comes and goes".to_owned());
    }
    let resolving = alarm.incident.as_ref().filter(|id| view.state.alarms.resolving_since(id).is_some());
    if let Some(id) = resolving
        && view.state.incident(id).is_some_and(|incident| incident.is_open())
    {
        remarks.push(format!("{id} is resolving"));
    }
    remarks.extend(alarm.facts.summary().map(str::to_owned));
    remarks.join("; ")
}

fn as_json(alarm: &Alarm, view: &View) -> Value {
    let mut value = serde_json::to_value(alarm).unwrap_or_default();
    value["flapping"] = view.state.alarms.is_flapping(alarm).into();
    value
}

/// Silences an alarm at the Alertmanager, after showing which ones that concerns.
pub(super) async fn silence(args: &SilenceArgs, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let by = session::actor(global)?;
    if let Err(why) = may_silence(args, &loaded.config, &by) {
        note!("refused: {why}");
        return Ok(Exit::Refused);
    }
    let world = World::build(Arc::new(loaded.config.clone()), Arc::clone(&loaded.secrets), false)?;
    let engine = session::look(&loaded, "alarms").await?;
    let view = Arc::clone(&engine.view().borrow());
    engine.shutdown().await;
    let incident = match incident(args, &view) {
        Ok(incident) => incident,
        Err(why) => {
            note!("{why}");
            return Ok(Exit::Error);
        }
    };
    let mut matchers: Matchers = args.matchers.iter().cloned().collect();
    matchers.insert("alertname".to_owned(), args.alarm.clone());
    let from = Timestamp::now();
    let reason = args.reason.trim();
    let comment = incident.as_ref().map_or_else(|| reason.to_owned(), |id| format!("{id}: {reason}"));
    let until = from.checked_add(*args.lasts)?;
    let silence = Silence { matchers, from, until, by: by.to_string(), comment };
    let matching = match alarms_to_silence(&world, &silence).await {
        Ok(matching) => matching,
        Err(why) => {
            note!("the Alertmanager cannot be asked: {why}");
            return Ok(Exit::Error);
        }
    };
    let matched =
        if matching.len() == 1 { "1 alarm".to_owned() } else { format!("{} alarms", matching.len()) };
    note!("until {}, this silence would be for {matched} that fire now", date(until));
    for report in matching.iter().take(NAMED) {
        let labels = report.labels.iter().filter(|(label, _)| *label != "alertname");
        let labels: Vec<String> = labels.map(|(label, value)| format!("{label}={value}")).collect();
        note!("  {} {}", report.name, labels.join(" "));
    }
    if matching.len() > NAMED {
        note!("  and {} more", matching.len() - NAMED);
    }
    if args.dry_run {
        if global.json {
            print_json(&json!({ "matching": matching, "until": until, "silence": null }))?;
        }
        return Ok(Exit::Fine);
    }
    if !args.yes && !confirm(&loaded.config.environment.name, &format!("silence {matched}"))? {
        return Ok(Exit::Usage);
    }
    let id = match make_silence(&world, &silence).await {
        Ok(id) => id,
        Err(why) => {
            note!("FAILED: {why}");
            return Ok(Exit::Failed);
        }
    };
    note!("silenced until {}: {id}; it ends no escalation and acknowledges nothing", date(until));
    if global.json {
        print_json(&json!({ "matching": matching, "until": until, "silence": id }))?;
    }
    match incident {
        Some(incident) => {
            let text =
                format!("{} is silenced until {until:.0} ({matched}, silence {id}): {reason}", args.alarm);
            record(&loaded, by, Command::Note { incident, text }, global).await
        }
        None => Ok(Exit::Fine),
    }
}

/// Writes it down in the incident. The silence is there, whatever becomes of that.
async fn record(loaded: &Loaded, by: Actor, command: Command, global: &Global) -> anyhow::Result<Exit> {
    let engine: Engine = session::start(loaded, "command", Lead::Auto).await?;
    let quiet = Global { json: false, ..global.clone() };
    act::deliver(engine, loaded, by, command, &quiet).await
}

fn may_silence(args: &SilenceArgs, config: &Config, by: &Actor) -> Result<(), String> {
    if args.reason.trim().is_empty() {
        return Err("a reason is required: it is what the others will read".to_owned());
    }
    if args.lasts.is_zero() {
        return Err("a silence of no time silences nothing: say how long with `--for 2h`".to_owned());
    }
    if *args.lasts > LONGEST && !args.longer {
        return Err(format!(
            "{} is longer than 4 h: by then another person has to decide; `--longer` allows it",
            human(*args.lasts)
        ));
    }
    if config.environment.read_only {
        return Err("the environment is read-only".to_owned());
    }
    let Actor::Person { name } = by else { return Ok(()) };
    match config.operators.get(name) {
        None if config.operators.is_empty() => Ok(()),
        None => Err(format!("`{name}` is not an operator of {}", config.environment.name)),
        Some(operator) if operator.role == Role::Observer => {
            Err(format!("`{name}` may look but not act in {}", config.environment.name))
        }
        Some(_) => Ok(()),
    }
}

/// The incident that a silence is for, if it is for one.
fn incident(args: &SilenceArgs, view: &View) -> Result<Option<IncidentId>, String> {
    if let Some(id) = &args.incident {
        let id = IncidentId::from(id.as_str());
        return match view.state.incident(&id) {
            Some(_) => Ok(Some(id)),
            None => Err(format!("no incident `{id}`")),
        };
    }
    let named = view.state.alarms.all().filter(|alarm| alarm.facts.name == args.alarm);
    let is_open = |id: &&IncidentId| view.state.incident(id).is_some_and(|incident| incident.is_open());
    let of_alarm = named.filter_map(|alarm| alarm.incident.as_ref()).find(is_open);
    Ok(of_alarm.or_else(|| view.state.open_incident().map(|open| &open.id)).cloned())
}
