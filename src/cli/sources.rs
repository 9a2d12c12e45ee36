//! `unship sources check`: whether every indicator has data, and an exit code.

use jiff::Timestamp;
use serde_json::json;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::World;
use crate::engine::runtime::preflight::{self, IndicatorCheck, Seen, SourceCheck};
use crate::model::source::SampleValue;
use crate::model::units::human;
use crate::model::{SourceName, Span};

/// Try out where numbers come from.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// Read every source, twice and an interval apart, and say what each indicator gives.
    Check {
        /// Only these sources. Without any: all of them.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Exit codes: 0 every indicator has data, 6 one has none, or not for an arm, or a source cannot be read.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let Command::Check { names } = &args.command;
    let loaded = session::load(global)?;
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let known: Vec<&str> = loaded.config.sources.keys().map(SourceName::as_str).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(&name.as_str())) {
        note!("no source `{unknown}`; sources: {}", known.join(", "));
        return Ok(Exit::Usage);
    }
    let names: Vec<SourceName> = names.iter().map(|name| SourceName::from(name.as_str())).collect();
    let asked = loaded.config.sources.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
    let slowest = asked.map(|(_, source)| source.interval()).max();
    let Some(slowest) = slowest else {
        note!("nothing to check: no sources are configured");
        return Ok(Exit::Unknown);
    };
    note!("{}", patience(slowest));
    let checks = preflight::check_sources(&world, &names).await?;
    let lacks = checks.iter().any(SourceCheck::lacks_something);
    let exit = if lacks { Exit::Unknown } else { Exit::Fine };
    if global.json {
        print_json(&json!({ "exit": exit as u8, "at": Timestamp::now(), "sources": checks }))?;
    } else {
        out!("{}", table(&rows(&checks, Timestamp::now())).trim_end());
        for check in &checks {
            for remark in &check.remarks {
                out!("  {} remarks: {remark}", check.source);
            }
        }
    }
    Ok(exit)
}

fn patience(slowest: Span) -> String {
    format!("reading every source again after its interval, of which the longest is {}", human(*slowest))
}

fn rows(checks: &[SourceCheck], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows =
        vec![["source", "service", "indicator", "arm", "value", "age", ""].map(str::to_owned).to_vec()];
    for check in checks {
        let source = check.source.to_string();
        if let Some(fault) = &check.fault {
            let cells = [source.as_str(), "", "", "", "unknown", "", fault.as_str()];
            rows.push(cells.map(str::to_owned).to_vec());
            continue;
        }
        for one in &check.indicators {
            let row = |arm: &str, value: &str, age: &str, words: &str| {
                let (service, indicator) = (one.service.as_str(), one.indicator.as_str());
                let cells = [source.as_str(), service, indicator, arm, value, age, words];
                cells.map(str::to_owned).to_vec()
            };
            for seen in &one.seen {
                let age = if seen.at < now {
                    now.duration_since(seen.at).unsigned_abs()
                } else {
                    std::time::Duration::ZERO
                };
                let value = seen.value.map_or_else(|| "none".to_owned(), |value| one.unit.show(value));
                rows.push(row(seen.subject.word(), &value, &human(age), &behind(seen)));
            }
            for reason in missing(one) {
                rows.push(row("", "missing", "", reason));
            }
        }
    }
    rows
}

fn missing(one: &IndicatorCheck) -> impl Iterator<Item = &str> {
    one.missing.iter().map(String::as_str)
}

/// What a value is made of.
fn behind(seen: &Seen) -> String {
    let over = human(std::time::Duration::from_millis(seen.over_ms));
    match &seen.read {
        SampleValue::Ratio { bad, total } => format!("{bad} of {total} in {over}"),
        SampleValue::Count(count) => format!("{count} in {over}"),
        SampleValue::Gauge(_) => String::new(),
        SampleValue::Histogram { .. } => format!("95th percentile of {} in {over}", seen.samples),
    }
}
