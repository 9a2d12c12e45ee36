//! `unship check`: every probe once, now, and an exit code.

use serde_json::json;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::{self, World};
use crate::model::probe::{Health, ProbeOutcome};

/// Run every health check once and say how that went.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only this service. Without it: all of them.
    pub service: Option<String>,
    /// Count degraded as unhealthy.
    #[arg(long)]
    pub strict: bool,
}

/// Exit codes: 0 all well, 3 something unhealthy, 6 something could not be checked (or there is nothing to check).
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let mut world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    if let Some(service) = &args.service {
        if !session::has_service(&loaded, service.as_str()) {
            return Ok(Exit::Usage);
        }
        world.probes.retain(|probe| probe.service.as_str() == service);
    }
    let mut results = runtime::check(&world).await;
    results.sort_by(|a, b| (&a.service, &a.probe).cmp(&(&b.service, &b.probe)));
    let mut exit = if results.is_empty() { Exit::Unknown } else { Exit::Fine };
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for result in &results {
        let (word, reason) = match &result.outcome {
            ProbeOutcome::Answered { health, reason } => {
                if *health == Health::Unhealthy || (args.strict && *health == Health::Degraded) {
                    exit = Exit::Unhealthy;
                }
                (health.word(), reason.clone())
            }
            ProbeOutcome::NotRun { reason } => {
                if exit == Exit::Fine {
                    exit = Exit::Unknown;
                }
                ("unknown", reason.clone())
            }
        };
        rows.push(vec![
            result.service.to_string(),
            result.probe.to_string(),
            word.to_owned(),
            format!("{:.0} ms", result.latency_ms),
            reason,
        ]);
        lines.push(serde_json::to_value(result)?);
    }
    if global.json {
        print_json(&json!({ "exit": exit as u8, "probes": lines }))?;
    } else if rows.is_empty() {
        note!("nothing to check: no probes are configured");
    } else {
        out!("{}", table(&rows).trim_end());
    }
    Ok(exit)
}
