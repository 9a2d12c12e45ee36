//! `unship incident`: what people work on, declared, acknowledged, noted, resolved.

mod ask;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{date, verdict_words};
use super::act;
use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::config::{Config, Loaded};
use crate::engine::State;
use crate::engine::checklist::{self, Checklist, Clock};
use crate::engine::incidents::{self, IncidentStatus};
use crate::engine::runtime::{Engine, Lead, View};
use crate::model::command::Command;
use crate::model::escalation::{Escalation, Standing};
use crate::model::incident::{Incident, Level};
use crate::model::operation::OperationStatus;
use crate::model::units::human;
use crate::model::{IncidentId, ServiceName};

/// Show incidents, declare one, take it up, say how bad it is, write something down, or say that it is over.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// List the incidents, newest first.
    List,
    /// Show one incident.
    Show {
        /// The incident, like `INC-3`. Without it: the one that is open.
        id: Option<String>,
    },
    /// Declare an incident.
    Open {
        /// What is wrong, in a few words.
        title: String,
        /// A service that is hurt; can be given several times. Without it: not known yet.
        #[arg(long = "service", value_name = "SERVICE")]
        services: Vec<String>,
        /// How bad it is: 1 (the worst) to 4. Without it: by the criticality of the services, or 2 when none is named.
        #[arg(long, value_name = "LEVEL")]
        severity: Option<Level>,
    },
    /// Say that you work on it.
    Ack {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
    /// Say how bad it is.
    Severity {
        /// 1 (the worst) to 4.
        level: Level,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Write something down.
    Note {
        /// What.
        text: String,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
    /// Say that it is over.
    Resolve {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// What ended it, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    #[command(flatten)]
    Ask(ask::What),
}

/// Exit codes: 0 done or shown, 1 there is no such incident, 5 refused.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    match args.what {
        What::List => list(global).await,
        What::Show { id } => show(id.as_deref(), global).await,
        What::Open { title, services, severity } => {
            let loaded = session::load(global)?;
            if services.iter().any(|service| !session::has_service(&loaded, service)) {
                return Ok(Exit::Usage);
            }
            let services: Vec<ServiceName> = services.into_iter().map(Into::into).collect();
            let level = severity.unwrap_or_else(|| usual_level(&loaded.config, &services));
            let by = session::actor(global)?;
            let engine = session::start(&loaded, "command", Lead::Auto).await?;
            act::deliver(engine, &loaded, by, Command::OpenIncident { services, title, level }, global).await
        }
        What::Ack { id } => send(id, global, |incident| Command::Acknowledge { incident }).await,
        What::Severity { level, id, reason } => {
            send(id, global, |incident| Command::SetLevel { incident, level, reason }).await
        }
        What::Note { text, id } => send(id, global, |incident| Command::Note { incident, text }).await,
        What::Resolve { id, reason } => {
            send(id, global, |incident| Command::Resolve { incident, reason }).await
        }
        What::Ask(what) => {
            let (id, ask) = what.into_ask(Timestamp::now());
            send(id, global, |incident| Command::Incident { incident, ask }).await
        }
    }
}

/// The severity of an incident of these services, if nobody says another.
fn usual_level(config: &Config, services: &[ServiceName]) -> Level {
    let specs = services.iter().filter_map(|name| config.services.get(name));
    specs.map(|spec| incidents::level_of(spec.criticality)).min().unwrap_or(Level::Sev2)
}

/// Sends a command about an incident: the one named, else the one that is open.
pub(super) async fn send(
    id: Option<String>,
    global: &Global,
    command: impl FnOnce(IncidentId) -> Command,
) -> anyhow::Result<Exit> {
    let by = session::actor(global)?;
    let loaded = session::load(global)?;
    let engine = session::start(&loaded, "command", Lead::Auto).await?;
    let id = match id {
        Some(id) => IncidentId::from(id),
        None => {
            let view = Arc::clone(&engine.view().borrow());
            let Some(open) = view.state.open_incident() else {
                engine.shutdown().await;
                return Ok(none_open(&view.state));
            };
            open.id.clone()
        }
    };
    act::deliver(engine, &loaded, by, command(id), global).await
}

/// Says that no incident is open, and which was the last.
fn none_open(state: &State) -> Exit {
    match state.incidents_in_order().last() {
        Some(last) => note!("no incident is open; the last one was {}, name it to speak of it", last.id),
        None => note!("no incident is open, and there was none before"),
    }
    Exit::Error
}

/// What is known, with the readings, once they have been read.
pub(super) async fn look(global: &Global) -> anyhow::Result<(Loaded, Arc<View>)> {
    let loaded = session::load(global)?;
    let engine = session::start(&loaded, "incident", Lead::Never).await?;
    let view = readings(&engine).await;
    engine.shutdown().await;
    Ok((loaded, view))
}

async fn readings(engine: &Engine) -> Arc<View> {
    let mut view = engine.view();
    // They come a moment after the journal; where nobody ever led there are none.
    let read = view.wait_for(|view| !view.readings.is_empty());
    let _ = tokio::time::timeout(Duration::from_millis(600), read).await;
    Arc::clone(&view.borrow())
}

/// The incident that is asked for: the one named, else the one that is open. Says so if there is none.
pub(super) fn find(view: &View, id: Option<&str>) -> Result<Arc<Incident>, Exit> {
    let Some(id) = id else {
        return view.state.open_incident().cloned().ok_or_else(|| none_open(&view.state));
    };
    view.state.incident(&id.into()).cloned().ok_or_else(|| {
        note!("no incident `{id}`; `unship incident list` names those that are known");
        Exit::Error
    })
}

async fn list(global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let engine = session::start(&loaded, "incident", Lead::Never).await?;
    let state = Arc::clone(&engine.view().borrow().state);
    engine.shutdown().await;
    let now = Timestamp::now();
    let incidents = state.incidents_in_order();
    let newest_first = incidents.iter().rev();
    if global.json {
        let all: Vec<_> = newest_first.map(|incident| json(incident, &state, now)).collect();
        print_json(&json!(all))?;
        return Ok(Exit::Fine);
    }
    if incidents.is_empty() {
        note!("there was no incident yet");
        return Ok(Exit::Fine);
    }
    let head = ["incident", "severity", "status", "declared", "lasted", "services", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(newest_first.map(|incident| {
        vec![
            incident.id.to_string(),
            incident.level.to_string(),
            incidents::status(incident, &state, now).word().to_owned(),
            date(incident.opened_at),
            human(whole(incident.lasted(now))),
            services(incident),
            incident.title.clone(),
        ]
    }));
    out!("{}", table(&rows).trim_end());
    Ok(Exit::Fine)
}

async fn show(id: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
    let (loaded, view) = look(global).await?;
    let incident = match find(&view, id) {
        Ok(incident) => incident,
        Err(exit) => return Ok(exit),
    };
    let now = Timestamp::now();
    let list = checklist::checklist(&incident, &view.state, &loaded.config, &view.readings, now);
    if global.json {
        let mut value = json(&incident, &view.state, now);
        value["checklist"] = serde_json::to_value(&list)?;
        print_json(&value)?;
    } else {
        out!("{}", text(&incident, &view.state, &list, now).trim_end());
    }
    Ok(Exit::Fine)
}

fn text(incident: &Incident, state: &State, list: &Checklist, now: Timestamp) -> String {
    let mut text = String::new();
    let mut add = |name: &str, words: &str| {
        let _ = writeln!(text, "  {name:<13} {words}");
    };
    add("declared", &format!("{} by {}", date(incident.opened_at), incident.by));
    if !incident.reason.is_empty() {
        add("because", &incident.reason);
    }
    for service in &incident.services {
        let verdict = state.service(service).and_then(|known| known.verdict.as_ref());
        let words =
            verdict.map_or_else(|| "never looked at".to_owned(), |(verdict, _)| verdict_words(verdict));
        add("service", &format!("{service} {words}"));
    }
    add("answer", &answer(incident, list.clock, now));
    for (role, held) in &incident.roles {
        add(role.word(), &format!("{} since {}", held.name, date(held.at)));
    }
    for (role, offer) in &incident.offers {
        add("offered", &format!("{role}, to {} by {}", offer.to, offer.by));
    }
    if let Some(escalation) = state.escalations.get(&incident.id) {
        for line in escalation_lines(escalation, now) {
            add("escalation", &line);
        }
    }
    if let Some(onset) = incident.onset {
        add("began", &date(onset));
    }
    if let Some(since) = incident.mitigated_at {
        add("impact over", &format!("since {}", date(since)));
    }
    for operation in incident.operations.iter().filter_map(|id| state.operation(id)) {
        let how = match &operation.status {
            OperationStatus::Ended { outcome, .. } => outcome.words(),
            OperationStatus::NeedsDecision { .. } => "needs a decision",
            OperationStatus::Planned | OperationStatus::Running => "running",
        };
        add("operation", &format!("{}: {}, {how}", operation.id, operation.plan.purpose));
    }
    let (settled, all) = list.progress();
    add("checklist", &format!("{settled} of {all} settled (unship checklist)"));
    for note in &incident.notes {
        add("note", &format!("{} {}: {}", date(note.at), note.by, note.text));
    }
    if let Some(end) = &incident.resolved {
        let how = incidents::status(incident, state, now);
        let how = if how == IncidentStatus::Closed { "resolved" } else { how.word() };
        add(how, &format!("{} by {}: {}", date(end.at), end.by, end.reason));
    }
    if let Some(end) = &incident.closed {
        add("closed", format!("{} by {}: {}", date(end.at), end.by, end.reason).trim_end_matches(": "));
    }
    format!("{}\n{text}", head(incident, state, now))
}

/// Where an escalation stands, and who was told last.
fn escalation_lines(escalation: &Escalation, now: Timestamp) -> Vec<String> {
    let in_time = |at: Timestamp| {
        let left = at.duration_since(now);
        if left.is_negative() {
            "now".to_owned()
        } else {
            format!("in {}", human(whole(left.unsigned_abs())))
        }
    };
    let count = escalation.levels.level.len();
    let at = format!("level {} of {count} of {}", escalation.level, escalation.policy);
    let words = match &escalation.standing {
        Standing::Paging => {
            let next =
                escalation.next_at.map_or_else(String::new, |at| format!(", the next {}", in_time(at)));
            format!("{at} was told{next}")
        }
        Standing::Acknowledged { by, until, .. } => {
            let until = until.map_or_else(String::new, |until| format!("; again {}", in_time(until)));
            format!("{by} answered at {at}{until}")
        }
        Standing::Snoozed { until, by, reason } => {
            format!("{at}; quiet, says {by}, again {}: {reason}", in_time(*until))
        }
        Standing::Exhausted { .. } => format!("EXHAUSTED: everybody of {} was told", escalation.policy),
        Standing::Stopped { reason } => format!("ended at {at}: {reason}"),
    };
    let mut lines = vec![words];
    lines.extend(
        escalation.told.iter().rev().take(3).map(|told| {
            format!("{} level {}: {} by {}", date(told.at), told.level, told.target, told.channel)
        }),
    );
    lines.extend(escalation.unreachable.iter().rev().take(3).map(|why| format!("cannot be reached: {why}")));
    lines
}

/// What an incident is and where it stands: `INC-1 SEV2 mitigating for 3 m: checkout is failing`.
pub(super) fn head(incident: &Incident, state: &State, now: Timestamp) -> String {
    let lasted = human(whole(incident.lasted(now)));
    let status = match incidents::status(incident, state, now) {
        status if status.is_over() => format!("{} after {lasted}", status.word()),
        status => format!("{}, open for {lasted}", status.word()),
    };
    let proposal = match incidents::status(incident, state, now) {
        IncidentStatus::Monitoring { propose_resolve: true, .. } => {
            "; all is well: `unship incident resolve --reason …`"
        }
        _ => "",
    };
    format!("{} {} {status}: {}{proposal}", incident.id, incident.level, incident.title)
}

/// What became of the promise to answer.
fn answer(incident: &Incident, clock: Clock, now: Timestamp) -> String {
    let promise = match (clock.promise, incident.answer_by()) {
        (Some(promise), Some(by)) => match promise.kept {
            Some(true) => format!("in time, promised within {}", human(promise.within)),
            Some(false) => format!("too late, promised within {}", human(promise.within)),
            None if incident.is_open() => {
                let left = by.duration_since(now).unsigned_abs();
                format!("{} left of {}", human(whole(left)), human(promise.within))
            }
            None => format!("promised within {}", human(promise.within)),
        },
        _ => "none promised".to_owned(),
    };
    match &incident.acknowledged {
        Some(taken) => format!("acknowledged by {}, {promise}", taken.by),
        None => format!("not acknowledged, {promise}"),
    }
}

/// One line about an incident, for `unship status`.
pub(super) fn line(incident: &Incident, state: &State, now: Timestamp) -> String {
    format!("{}; {}", head(incident, state, now), answer(incident, checklist::clock(incident, now), now))
}

/// An incident as JSON: itself, where it stands, and its clock.
pub(super) fn json(incident: &Incident, state: &State, now: Timestamp) -> Value {
    let mut value = json!(incident);
    if let (Some(object), Value::Object(status)) =
        (value.as_object_mut(), json!(incidents::status(incident, state, now)))
    {
        object.extend(status);
        object.insert("clock".to_owned(), json!(checklist::clock(incident, now)));
        object.insert("escalation".to_owned(), json!(state.escalations.get(&incident.id)));
    }
    value
}

fn services(incident: &Incident) -> String {
    incident.services.iter().map(ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

/// Whole seconds: nobody reads the rest.
const fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
