//! `unship backtest`: what this config, or others, would have done in the past.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::config;
use crate::engine::backtest::{Marked, Met, Report, Score, WouldRollBack};
use crate::engine::runtime::{
    BacktestError, BacktestRequest, PastSource, World, backtest, open_journal_to_look,
};
use crate::model::units::human;
use crate::model::{ServiceName, Span};

/// Try the config on the past: what it would have rolled back, how soon, and how often for nothing. Changes nothing.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Where the past begins: `2026-11-14T09:00:00Z`, `2026-11-14`, `2026-11-14 09:00`, or how long ago: `7d`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Timestamp,
    /// Where it ends. Without it: now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Where the indicators come from: the samples that the guard has recorded, or the Prometheus servers of the config.
    #[arg(long, value_enum, default_value_t)]
    source: From,
    /// Another config for the same services, to be compared with the present one. Can be repeated.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// An incident that really was: `TIME=SERVICE` (an hour long) or `TIME/TIME=SERVICE`, several services with commas. Can be
    /// repeated. Without any, the incidents of the journal count.
    #[arg(long, value_name = "TIME[/TIME]=SERVICE", value_parser = incident)]
    incident: Vec<Incident>,
    /// A file with such incidents, one a line; `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
enum From {
    /// The journal.
    #[default]
    Journal,
    /// The Prometheus servers.
    Prometheus,
}

/// An incident as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Incident {
    from: Timestamp,
    to: Option<Timestamp>,
    services: Vec<ServiceName>,
}

/// Exit codes: 0 compared, 1 nothing is recorded or it cannot be read, 2 what was asked makes no sense.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let config = Arc::new(loaded.config.clone());
    let mut policies = vec![(global.config.clone(), Arc::clone(&config))];
    for path in &args.policy {
        let policy = config::load(path)?;
        global.redactor.register(Arc::clone(&policy.secrets));
        if !policy.warnings.is_empty() {
            note!("{}", config::render(&policy.warnings));
        }
        policies.push((path.clone(), Arc::new(policy.config)));
    }
    let names = names(&policies.iter().map(|(path, _)| path.as_path()).collect::<Vec<_>>());
    let policies = names.into_iter().zip(policies).map(|(name, (_, config))| (name, config)).collect();
    let mut incidents = args.incident.clone();
    if let Some(path) = &args.incidents {
        match read_incidents(path)? {
            Ok(more) => incidents.extend(more),
            Err(mistake) => {
                note!("{mistake}");
                return Ok(Exit::Usage);
            }
        }
    }
    let incidents = incidents.into_iter().enumerate();
    let incidents =
        incidents.map(|(index, one)| Marked::by_hand(index + 1, one.services, one.from, one.to)).collect();
    let now = Timestamp::now();
    let (from, to) = (args.from, args.to.unwrap_or(now).min(now));
    let source = match args.source {
        From::Journal => PastSource::Journal,
        From::Prometheus => PastSource::Prometheus,
    };
    let request = BacktestRequest { from, to, source, policies, incidents };
    let world = World::build(config, Arc::clone(&loaded.secrets), true)?;
    let journal = open_journal_to_look(&loaded.journal_path).await?;
    let is_watched = std::io::stderr().is_terminal();
    let mut progress = |at: Timestamp| {
        if is_watched {
            let done = at.duration_since(from).as_secs_f64() / to.duration_since(from).as_secs_f64();
            // Whoever no longer looks is no reason to stop.
            let _ = write!(std::io::stderr(), "\rplaying the past: {:3.0} %", done * 100.0);
        }
    };
    let result = backtest(&world, journal.as_ref(), request, &mut progress).await;
    if is_watched {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let report = match result {
        Ok(report) => report,
        Err(error @ BacktestError::Asked(_)) => {
            note!("{error}");
            return Ok(Exit::Usage);
        }
        Err(error) => return Err(error.into()),
    };
    if global.json {
        print_json(&serde_json::to_value(&report)?)?;
    } else {
        out!("{}", text(&report, &TimeZone::system()).trim_end());
    }
    Ok(Exit::Fine)
}

/// The files' names; whole paths where two have the same.
fn names(paths: &[&Path]) -> Vec<String> {
    let short = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_alone = |path: &Path| paths.iter().filter(|other| short(other) == short(path)).count() == 1;
    paths
        .iter()
        .map(|path| {
            short(path).filter(|_| is_alone(path)).unwrap_or_else(|| path.to_string_lossy().into_owned())
        })
        .collect()
}

/// A time as people write it; a time without a zone is of the local one.
fn time(text: &str) -> Result<Timestamp, String> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<civil::DateTime>() {
        return at.to_zoned(TimeZone::system()).map(|at| at.timestamp()).map_err(|error| error.to_string());
    }
    if let Ok(ago) = text.parse::<Span>() {
        return Timestamp::now().checked_sub(*ago).map_err(|error| error.to_string());
    }
    Err("write `2026-11-14T09:00:00Z`, `2026-11-14`, `2026-11-14 09:00`, or how long ago: `7d`".to_owned())
}

fn incident(text: &str) -> Result<Incident, String> {
    let form = "write `TIME=SERVICE` or `TIME/TIME=SERVICE`";
    let (times, services) = text.split_once('=').ok_or(form)?;
    let (from, to) = match times.split_once('/') {
        Some((from, to)) => (time(from)?, Some(time(to)?)),
        None => (time(times)?, None),
    };
    let services: Vec<ServiceName> =
        services.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ServiceName::from).collect();
    if services.is_empty() {
        return Err(form.to_owned());
    }
    Ok(Incident { from, to, services })
}

/// The incidents of a file; the inner error is a line that is none.
fn read_incidents(path: &Path) -> anyhow::Result<Result<Vec<Incident>, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index, line.split('#').next().unwrap_or("")));
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(index, line)| {
        incident(line.trim()).map_err(|why| format!("{}:{}: {why}", path.display(), index + 1))
    });
    Ok(read.collect())
}

fn when(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time to detect, as a person would say it.
fn took(ms: i64) -> String {
    let time = human(Duration::from_millis(ms.unsigned_abs()));
    if ms < 0 { format!("{time} before") } else { time }
}

/// The same in a sentence.
fn after(ms: i64) -> String {
    if ms < 0 { took(ms) } else { format!("after {}", took(ms)) }
}

fn cells(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The report for people.
fn text(report: &Report, zone: &TimeZone) -> String {
    let mut text = String::new();
    let long = human(report.to.duration_since(report.from).unsigned_abs());
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} to {} ({long})\n", when(report.from, zone), when(report.to, zone));

    let mut rows = vec![cells(&[
        "policy",
        "incidents found",
        "rolled back",
        "median time",
        "longest",
        "would-be rollbacks",
        "held back",
        "false alarms",
        "a week",
    ])];
    rows.extend(report.policies.iter().map(|policy| compared(policy, report.incidents.len())));
    text.push_str(&table(&rows));

    if !report.incidents.is_empty() {
        text.push('\n');
        let mut head = cells(&["incident", "services", "from", "known by"]);
        head.extend(report.policies.iter().map(|policy| policy.name.clone()));
        let mut rows = vec![head];
        for (index, incident) in report.incidents.iter().enumerate() {
            let services: Vec<&str> = incident.services.iter().map(ServiceName::as_str).collect();
            let mut row = vec![
                incident.id.to_string(),
                if services.is_empty() { "not said".to_owned() } else { services.join(", ") },
                when(incident.from, zone),
                incident.origin.words().to_owned(),
            ];
            let met = report.policies.iter().map(|policy| policy.met.get(index));
            row.extend(met.map(|met| met.map_or_else(String::new, |met| how(met, incident))));
            rows.push(row);
        }
        text.push_str(&table(&rows));
    }

    let rollbacks: Vec<Vec<String>> = report
        .policies
        .iter()
        .flat_map(|policy| policy.rollbacks.iter().map(|rollback| would(&policy.name, rollback, zone)))
        .collect();
    if !rollbacks.is_empty() {
        text.push('\n');
        let head =
            cells(&["policy", "would roll back", "service", "release", "how", "because of", "incident"]);
        text.push_str(&table(&[vec![head], rollbacks].concat()));
    }
    if !report.remarks.is_empty() {
        text.push('\n');
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "note: {remark}");
    }
    text
}

fn compared(policy: &Score, incidents: usize) -> Vec<String> {
    let time = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), took);
    vec![
        policy.name.clone(),
        format!("{} of {incidents}", policy.found),
        format!("{} of {incidents}", policy.rolled_back),
        time(policy.median_ms),
        time(policy.longest_ms),
        policy.rollbacks.len().to_string(),
        policy.held_back.len().to_string(),
        policy.false_alarms.to_string(),
        format!("{:.1}", policy.false_alarms_a_week),
    ]
}

/// How a policy met an incident.
fn how(met: &Met, incident: &Marked) -> String {
    match (met.detected_after_ms, met.rolled_back_after_ms) {
        (Some(found), Some(back)) if found == back => format!("rolled back {}", after(back)),
        (Some(found), Some(back)) => {
            format!("found {}, rolled back {}", after(found), after(back))
        }
        (Some(found), None) => format!("found {}, not rolled back", after(found)),
        (None, _) => match incident.taken_back_at {
            Some(at) => {
                let within = human(at.duration_since(incident.from).unsigned_abs());
                format!("not within {within}, when it was taken back")
            }
            None => "not found".to_owned(),
        },
    }
}

fn would(policy: &str, rollback: &WouldRollBack, zone: &TimeZone) -> Vec<String> {
    let version = |(version, _): &(crate::model::Version, crate::model::ReleaseRef)| version.to_string();
    let release = rollback.from.as_ref().map_or_else(|| "not known".to_owned(), version);
    let to = rollback.to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
    let triggers: Vec<&str> = rollback.triggers.iter().map(crate::model::TriggerName::as_str).collect();
    let incident = rollback.incident.as_ref().map_or("false alarm", crate::model::IncidentId::as_str);
    vec![
        policy.to_owned(),
        when(rollback.at, zone),
        rollback.service.to_string(),
        format!("{release}{to}"),
        rollback.strategy.word().to_owned(),
        triggers.join(", "),
        incident.to_owned(),
    ]
}

#[cfg(test)]
mod tests;
