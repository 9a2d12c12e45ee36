//! `unship why`: the evidence card of a decision.

use std::io::Write as _;

use super::account::{clock, date};
use super::output::{note, print_json};
use super::session;
use super::{Exit, Global};
use crate::engine::evidence;
use crate::engine::runtime::{Engine, EngineError};
use crate::model::decision::Decision;
use crate::model::event::Event;
use crate::model::{DecisionId, ServiceName};

/// Show why something was decided: findings, data, guardrails, and what would change it.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// A decision (`d-7`), a finding (`f-31`), an operation (`op-2`) or a service, for its newest decision. Without it:
    /// the newest of all.
    pub id: Option<String>,
}

/// Exits with 1 if there is no such decision.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let engine = session::look(&loaded, "why").await?;
    let found = find(&engine, args.id.as_deref()).await?;
    engine.shutdown().await;
    let Some(found) = found else {
        match &args.id {
            Some(id) if id.starts_with("op-") => note!(
                "no decision is known for `{id}`: there is no such operation, or a person asked for it; see `unship history`"
            ),
            Some(id) => note!(
                "no decision is known for `{id}`; without an id `unship why` shows the newest, `unship journal tail` shows ids"
            ),
            None => note!("nothing has been decided yet"),
        }
        return Ok(Exit::Error);
    };
    if global.json {
        print_json(&serde_json::to_value(&found.decision)?)?;
    } else {
        print(&found)?;
    }
    Ok(Exit::Fine)
}

struct Found {
    decision: Decision,
    /// How the operation that it led to ended, if it led to one.
    led_to: Option<String>,
    /// The last one before it that rested on findings, on the same service.
    before: Option<DecisionId>,
}

async fn find(engine: &Engine, id: Option<&str>) -> Result<Option<Found>, EngineError> {
    let mut decision: Option<Decision> = None;
    let mut led_to = None;
    let mut with_findings: Vec<(ServiceName, DecisionId)> = Vec::new();
    let mut position = 0;
    // Finding or operation first: what they belong to.
    loop {
        let entries = engine.read(position, 2_000).await?;
        let Some(last) = entries.last() else { break };
        position = last.seq;
        for entry in entries {
            match entry.event {
                Event::DecisionMade { decision: made } => {
                    if !made.findings.is_empty() {
                        with_findings.retain(|(service, _)| *service != made.service);
                        with_findings.push((made.service.clone(), made.id.clone()));
                    }
                    let is_it = match id {
                        None => true,
                        Some(id) => {
                            made.id.as_str() == id
                                || made.service.as_str() == id
                                || made.findings.iter().any(|finding| finding.id.as_str() == id)
                        }
                    };
                    if is_it || id.is_some_and(|id| id.starts_with("op-")) && led_to.is_none() {
                        if is_it {
                            led_to = None;
                        }
                        decision = Some(made);
                    }
                }
                Event::OperationPlanned { operation, decision: of, .. } => {
                    let is_asked = id.is_some_and(|id| operation.as_str() == id);
                    let is_of_it =
                        of.is_some() && of == decision.as_ref().map(|decision| decision.id.clone());
                    if is_asked && of.is_none() {
                        // A person asked for it: there is no decision behind it.
                        return Ok(None);
                    }
                    let wants_operation = id.is_some_and(|id| id.starts_with("op-"));
                    if is_of_it && (is_asked || !wants_operation) {
                        led_to = Some(evidence::goes_on(&operation));
                    }
                }
                Event::OperationEnded { operation, outcome, detail }
                    if led_to.as_ref().is_some_and(|words| words.starts_with(&format!("{operation} "))) =>
                {
                    led_to = Some(evidence::ended(&operation, outcome, &detail));
                }
                _ => {}
            }
        }
    }
    let is_operation = id.is_some_and(|id| id.starts_with("op-"));
    Ok(decision.filter(|_| !is_operation || led_to.is_some()).map(|decision| {
        let before = with_findings.into_iter().find(|(service, _)| *service == decision.service);
        Found { decision, led_to, before: before.map(|(_, id)| id) }
    }))
}

fn print(found: &Found) -> anyhow::Result<()> {
    let Found { decision, led_to, before } = found;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} on {} at {}", decision.id, decision.service, date(decision.at))?;
    writeln!(out, "  {}", evidence::headline(decision))?;
    if let Some(ends) = evidence::ends(decision) {
        writeln!(out, "  {ends}")?;
    }
    match led_to {
        Some(words) => writeln!(out, "  {words}")?,
        None => writeln!(out, "  {}", evidence::consequence(decision, None))?,
    }
    if decision.findings.is_empty()
        && let Some(before) = before
    {
        writeln!(out, "  the last one that rested on findings: {before} (unship why {before})")?;
    }
    if !decision.findings.is_empty() {
        writeln!(out, "findings")?;
    }
    for finding in &decision.findings {
        writeln!(out, "  {}", evidence::title(finding))?;
        for (name, fact) in evidence::facts(finding) {
            writeln!(out, "    {name:<8} {fact}")?;
        }
        writeln!(out, "    since    {}", clock(finding.since))?;
    }
    for (title, lines) in evidence::sections(decision) {
        if !lines.is_empty() {
            writeln!(out, "{title}")?;
            for line in lines {
                writeln!(out, "  {line}")?;
            }
        }
    }
    if !decision.guardrails.is_empty() {
        writeln!(out, "guardrails")?;
    }
    for check in &decision.guardrails {
        let mark = evidence::answer(check);
        writeln!(out, "  {mark:<8} {:<10} {}", check.guardrail.word(), evidence::looked_at(check))?;
    }
    Ok(())
}
