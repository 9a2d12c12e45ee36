//! `unship history`: releases coming and going, every rollback and promotion with its outcome, and what became of each.

use std::collections::BTreeMap;

use serde_json::json;

use super::account::date;
use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::account::happened;
use crate::engine::history::HistoryEntry;
use crate::engine::state::ServiceState;
use crate::engine::{Fate, deployments};
use crate::model::{ReleaseRef, ServiceName};

/// Show which releases came, went, were promoted and were rolled back, newest first.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Only this service. Without it: all of them.
    pub service: Option<String>,
}

/// Always exits with 0 if the journal can be read.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let engine = session::look(&loaded, "history").await?;
    let state = std::sync::Arc::clone(&engine.view().borrow().state);
    engine.shutdown().await;
    if let Some(service) = &args.service
        && !session::has_service(&loaded, service.as_str())
    {
        return Ok(Exit::Usage);
    }
    let fates: BTreeMap<(&ServiceName, ReleaseRef), Fate> = state
        .services
        .keys()
        .flat_map(|name| {
            deployments(&state, name).into_iter().map(move |one| ((name, one.reference), one.fate))
        })
        .collect();
    let fate = |name, entry: &HistoryEntry| {
        fates.get(&(name, entry.release.clone())).map_or("", |fate| fate.words())
    };
    let mut entries: Vec<(&ServiceName, &ServiceState, &HistoryEntry)> = state
        .services
        .iter()
        .filter(|(name, _)| args.service.as_deref().is_none_or(|only| only == name.as_str()))
        .flat_map(|(name, known)| known.history.iter().map(move |entry| (name, known.as_ref(), entry)))
        .collect();
    entries.sort_by_key(|(_, _, entry)| std::cmp::Reverse(entry.at));
    if global.json {
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, _, entry)| {
                json!({
                    "service": name,
                    "at": entry.at,
                    "version": entry.version,
                    "reference": entry.release,
                    "fate": fate(name, entry),
                    "what": entry.what,
                })
            })
            .collect();
        print_json(&json!(entries))?;
        return Ok(Exit::Fine);
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|(name, known, entry)| {
            vec![
                date(entry.at),
                name.to_string(),
                entry.version.to_string(),
                // Before the words, which are long.
                known.quality(&entry.release).word().to_owned(),
                fate(name, entry).to_owned(),
                happened(&entry.what),
            ]
        })
        .collect();
    if rows.is_empty() {
        note!("nothing has happened yet");
        return Ok(Exit::Fine);
    }
    let head = ["when", "service", "version", "record", "now", "what happened"].map(str::to_owned).to_vec();
    out!("{}", table(&[vec![head], rows].concat()).trim_end());
    Ok(Exit::Fine)
}
