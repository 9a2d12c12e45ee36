//! `unship baseline`: what the last good release of a service was like, which the next one is compared with.

use serde_json::json;

use super::account::date;
use super::act;
use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::baseline;
use crate::engine::runtime::Lead;
use crate::model::baseline::Baseline;
use crate::model::command::Command;
use crate::model::{ServiceName, Unit};

/// Show, record or forget what the last good release was like.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Show what is recorded.
    Show {
        /// Only this service. Without it: all of them.
        service: Option<String>,
    },
    /// Record what serves as stable now.
    Set {
        /// The service.
        service: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Forget what is recorded.
    Clear {
        /// The service.
        service: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
}

/// Exit codes: 0 done or shown, 5 refused, 7 nobody answered.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let (service, set, reason) = match args.what {
        What::Show { service } => return show(service.as_deref(), global).await,
        What::Set { service, reason } => (service, true, reason),
        What::Clear { service, reason } => (service, false, reason),
    };
    let by = session::actor(global)?;
    let loaded = session::load(global)?;
    if !session::has_service(&loaded, &service) {
        return Ok(Exit::Usage);
    }
    let engine = session::start(&loaded, "command", Lead::Auto).await?;
    let command = Command::Baseline { service: service.into(), set, reason };
    act::deliver(engine, &loaded, by, command, global).await
}

async fn show(service: Option<&str>, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    if let Some(service) = service
        && !session::has_service(&loaded, service)
    {
        return Ok(Exit::Usage);
    }
    let engine = session::look(&loaded, "baseline").await?;
    let state = std::sync::Arc::clone(&engine.view().borrow().state);
    engine.shutdown().await;
    let services = state.services.iter();
    let named = services.filter(|(name, _)| service.is_none_or(|only| only == name.as_str()));
    let all: Vec<(&ServiceName, &Baseline)> =
        named.filter_map(|(name, known)| Some((name, known.baseline.as_deref()?))).collect();
    if global.json {
        let all: Vec<_> =
            all.iter().map(|(name, baseline)| json!({ "service": name, "baseline": baseline })).collect();
        print_json(&json!(all))?;
        return Ok(Exit::Fine);
    }
    if all.is_empty() {
        note!("no baseline is recorded yet; a good release leaves one, or `unship baseline set SERVICE`");
        return Ok(Exit::Fine);
    }
    let head = ["service", "version", "indicator", "value", "rests on", "recorded", "by"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (name, recorded) in all {
        for (indicator, figure) in &recorded.figures {
            let spec = loaded.config.services.get(name).and_then(|service| service.indicators.get(indicator));
            let unit = spec.map_or(Unit::Plain, |indicator| indicator.read.unit());
            rows.push(vec![
                name.to_string(),
                recorded.version.to_string(),
                indicator.to_string(),
                baseline::shown(figure, unit),
                baseline::rests_on(figure),
                date(recorded.at),
                recorded.by.to_string(),
            ]);
        }
    }
    out!("{}", table(&rows).trim_end());
    Ok(Exit::Fine)
}
