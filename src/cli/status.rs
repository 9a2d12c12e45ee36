//! `unship status`: what is known now, and who leads.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::account::{channel_words, clock, traffic, verdict_words};
use super::incident;
use super::output::{print_json, table};
use super::session;
use super::{Exit, Global};
use crate::config::Config;
use crate::engine::runtime::{Engine, Leadership, View, Waiting};
use crate::model::ServiceName;
use crate::model::breaker::{BreakerStatus, Dependency};
use crate::model::operation::OperationStatus;
use crate::model::trigger::Verdict;
use crate::model::units::human;

/// Show every service: verdict, traffic, findings, and who leads.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Show it again whenever it changes, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// Exit codes: 0 all healthy, 3 something failing or degraded, 6 something unknown.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let engine = session::look(&loaded, "status").await?;
    let mut view = engine.view();
    // The first look at the readings and the lease takes a moment.
    let _ = tokio::time::timeout(Duration::from_millis(600), view.changed()).await;
    let redraw = args.watch && std::io::stdout().is_terminal();
    let mut exit = show(&engine, &loaded.config, global, redraw)?;
    if args.watch {
        let stop = session::asked_to_stop();
        tokio::pin!(stop);
        loop {
            // At most four times a second, and at least every other second, because ages go on.
            tokio::time::sleep(Duration::from_millis(250)).await;
            tokio::select! {
                changed = view.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
                () = &mut stop => break,
            }
            show(&engine, &loaded.config, global, redraw)?;
        }
        exit = Exit::Fine;
    }
    engine.shutdown().await;
    Ok(exit)
}

fn show(engine: &Engine, config: &Config, global: &Global, redraw: bool) -> anyhow::Result<Exit> {
    let view = std::sync::Arc::clone(&engine.view().borrow());
    let now = Timestamp::now();
    let stale_after = *config.guardrails.stale_after;
    let mut exit = Exit::Fine;
    let mut rows = vec![["service", "verdict", "traffic", "data age", ""].map(str::to_owned).to_vec()];
    let mut services = Vec::new();
    for name in config.services.keys() {
        let known = view.state.service(name);
        let age = age(&view, name, now);
        // What was known and is old is not known.
        let sensed = view.readings.get(name).and_then(|(_, reading)| reading.verdict.as_ref());
        let journaled = known.and_then(|known| known.verdict.as_ref()).map(|(verdict, _)| verdict);
        // The journal is never behind with the kind of a verdict; the reading has the newer reasons.
        let verdict = match sensed
            .filter(|sensed| journaled.is_none_or(|known| known.is_same_kind(sensed)))
            .or(journaled)
        {
            Some(verdict) if age.is_some_and(|age| age <= stale_after.max(Duration::from_secs(5))) => {
                verdict.clone()
            }
            Some(_) => Verdict::Unknown {
                reasons: vec![age.map_or_else(
                    || "no data yet".to_owned(),
                    |age| format!("no new data for {}", human(age)),
                )],
            },
            None => Verdict::Unknown { reasons: vec!["never looked at; is a guard running?".to_owned()] },
        };
        exit = match (&verdict, exit) {
            (Verdict::Failing { .. } | Verdict::Degraded { .. }, _) => Exit::Unhealthy,
            (Verdict::Unknown { .. }, Exit::Fine) => Exit::Unknown,
            (_, exit) => exit,
        };
        let operation =
            known.and_then(|known| known.operation.as_ref()).and_then(|id| view.state.operation(id));
        let activity = operation.map_or_else(String::new, |operation| match &operation.status {
            OperationStatus::NeedsDecision { .. } => format!("{} needs a decision", operation.id),
            _ if operation.paused.is_some() => {
                let by =
                    operation.paused.as_ref().map_or_else(String::new, |paused| format!(" by {}", paused.by));
                format!("{} is paused{by}", operation.id)
            }
            _ => {
                let step = operation.current().and_then(|step| operation.plan.steps.get(step));
                format!("{}: {}", operation.id, step.map_or("ending", |step| step.title.as_str()))
            }
        });
        rows.push(vec![
            name.to_string(),
            verdict_words(&verdict),
            known.and_then(|known| known.inventory.as_ref()).map_or_else(|| "unknown".to_owned(), traffic),
            age.map_or_else(|| "never".to_owned(), human),
            activity,
        ]);
        services.push(json!({
            "service": name,
            "verdict": verdict,
            "state": known,
            "reading": view.readings.get(name).map(|(_, reading)| reading),
            "data_age_ms": age.map(|age| age.as_millis() as u64),
            "operation": operation,
        }));
    }
    if global.json {
        let leader = match &view.leadership {
            Leadership::Nobody => Value::Null,
            Leadership::Ours(lease) | Leadership::Theirs(lease) => {
                json!({ "holder": lease.holder, "token": lease.token, "until": lease.until })
            }
        };
        print_json(&json!({
            "environment": config.environment.name,
            "at": now,
            "position": view.position,
            "leader": leader,
            "trouble": view.trouble,
            "source_faults": view.state.source_faults,
            "breakers": breakers(&view, now),
            "alarms": {
                "firing": view.state.alarms.firing().count(),
                "path_down": view.state.alarms.path_down(),
            },
            "outbox": view.state.outbox.len(),
            "joints": view.state.joints.values().filter(|joint| joint.is_open()).collect::<Vec<_>>(),
            "incident": view.state.open_incident().map(|open| incident::json(open, &view.state, now)),
            "services": services,
        }))?;
        return Ok(exit);
    }
    let mut out = std::io::stdout().lock();
    if redraw {
        // Home, and clear what was below: one picture instead of a scroll.
        write!(out, "\x1b[H\x1b[J")?;
    }
    let leader = view.leadership.holder().map_or_else(
        || "nobody leads: nothing is watched or acted on; start `unship guard`".to_owned(),
        |holder| format!("{holder} leads"),
    );
    writeln!(out, "{} at {}, entry {}: {leader}", config.environment.name, clock(now), view.position)?;
    write!(out, "{}", table(&rows))?;
    if let Some(open) = view.state.open_incident() {
        writeln!(out, "  {}", incident::line(open, &view.state, now))?;
    }
    for joint in view.state.joints.values().filter(|joint| joint.is_open()) {
        writeln!(out, "  {} ({}): {}", joint.id, joint.kind.noun(), joint.words())?;
    }
    for (name, known) in &view.state.services {
        for finding in known.findings.values() {
            let arm = finding.arm.map_or_else(String::new, |arm| format!(" {arm}"));
            writeln!(
                out,
                "  {name}{arm}: {} {}: {} since {}",
                finding.severity.word(),
                finding.trigger,
                finding.evidence.told(),
                clock(finding.since)
            )?;
        }
    }
    for (source, fault) in &view.state.source_faults {
        writeln!(out, "  source {source} cannot be read since {}: {}", clock(fault.since), fault.reason)?;
    }
    for (dependency, breaker) in view.state.breakers() {
        writeln!(out, "  {}", breaker_line(&dependency, breaker, now))?;
    }
    for line in waiting(&view, now) {
        writeln!(out, "  {line}")?;
    }
    if let Some(fault) = view.state.alarms.path_down() {
        writeln!(out, "  THE ALARM PATH IS DOWN since {}: {}", clock(fault.since), fault.reason)?;
    }
    if let Some(trouble) = &view.trouble {
        writeln!(out, "  journal: {trouble}")?;
    }
    writeln!(out)?;
    out.flush()?;
    Ok(exit)
}

/// The breakers that are not closed. What is not here is read as usual.
fn breakers(view: &View, now: Timestamp) -> Vec<Value> {
    let open = view.state.breakers().map(|(dependency, breaker)| {
        let next = breaker.next_try.filter(|next| *next > now);
        let mut object = json!({
            "state": breaker.state,
            "since": breaker.since,
            "next_try": next,
            "pause_ms": breaker.pause.map(|pause| pause.as_millis() as u64),
            "reason": breaker.reason,
        });
        let (key, name) = match dependency {
            Dependency::Source(source) => ("source", source.to_string()),
            Dependency::Platform(service) => ("platform", service.to_string()),
            Dependency::Channel(channel) => ("channel", channel.to_string()),
        };
        object[key] = Value::from(name);
        object
    });
    open.collect()
}

fn breaker_line(dependency: &Dependency, breaker: &BreakerStatus, now: Timestamp) -> String {
    let what = match dependency {
        Dependency::Source(source) => format!("source {source}"),
        Dependency::Platform(service) => format!("platform of {service}"),
        Dependency::Channel(channel) => {
            let since = clock(breaker.since);
            return format!("channel {channel} {}, since {since}", channel_words(breaker));
        }
    };
    let next = match (breaker.next_try, breaker.pause) {
        (Some(next), _) if next > now => format!(", next try {}", clock(next)),
        (_, Some(pause)) => format!(", tried at least every {}", human(*pause)),
        _ => String::new(),
    };
    let reason = if breaker.reason.is_empty() { String::new() } else { format!(": {}", breaker.reason) };
    format!("{what}: breaker {} since {}{next}{reason}", breaker.state.word(), clock(breaker.since))
}

/// Messages that no channel has accepted yet.
fn waiting(view: &View, now: Timestamp) -> Vec<String> {
    let lines = view.waiting().into_iter().map(|(channel, Waiting { count, oldest, tried })| {
        let many = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        let tried = tried.map(|delivery| format!(", {}", delivery.words(now))).unwrap_or_default();
        format!("{many} to {channel} not accepted yet, the oldest of {}{tried}", clock(oldest))
    });
    lines.collect()
}

fn age(view: &View, service: &ServiceName, now: Timestamp) -> Option<Duration> {
    let newest = view.readings.get(service)?.1.newest?;
    Some(if newest > now { Duration::ZERO } else { now.duration_since(newest).unsigned_abs() })
}
