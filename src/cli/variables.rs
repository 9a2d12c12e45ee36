//! `unship variables`: the environment variables of what serves, by name; kept in a file, or compared with one. What they are set to
//! is shown nowhere.

use std::path::PathBuf;

use serde_json::json;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::World;
use crate::engine::runtime::variables::{self, Difference};
use crate::model::ServiceName;
use crate::model::platform::VariableValue;

/// List the environment variables of what serves by name, keep them in a file, or tell what has changed since.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The service.
    service: String,
    /// Write them into a file in the folder of the config (`deploy.variables`), in clear text, for its owner alone.
    #[arg(long, conflicts_with = "against")]
    keep: bool,
    /// Say which of them differ from those in this file.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// Exit codes: 0 shown, kept, or as they were; 2 no such service or file, 3 they differ, 6 the platform does not tell them.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    if !session::has_service(&loaded, &args.service) {
        return Ok(Exit::Usage);
    }
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let service = ServiceName::new(args.service.as_str());
    if args.keep {
        return keep(&world, &service, global).await;
    }
    let now = match variables::read(&world, &service).await {
        Ok(now) => now,
        Err(why) => {
            note!("{why}");
            return Ok(Exit::Unknown);
        }
    };
    if let Some(file) = &args.against {
        return match variables::compare(&service, &now, file) {
            Ok(difference) => tell(&difference, global),
            Err(why) => {
                note!("{why}");
                Ok(Exit::Usage)
            }
        };
    }
    if global.json {
        let each = now.iter().map(|variable| {
            let from = match &variable.value {
                VariableValue::Plain(_) => None,
                VariableValue::From(from) => Some(from),
            };
            json!({ "container": variable.container, "name": variable.name, "from": from })
        });
        print_json(&json!({ "service": service, "variables": each.collect::<Vec<_>>() }))?;
        return Ok(Exit::Fine);
    }
    let mut rows = vec![["variable", "container", "set"].map(str::to_owned).to_vec()];
    rows.extend(now.iter().map(|variable| {
        let set = match &variable.value {
            VariableValue::Plain(value) if value.expose().is_empty() => "to nothing".to_owned(),
            VariableValue::Plain(_) => "to a value".to_owned(),
            VariableValue::From(from) => format!("from {from}"),
        };
        vec![variable.name.clone(), variable.container.clone().unwrap_or_default(), set]
    }));
    out!("{}", table(&rows).trim_end());
    Ok(Exit::Fine)
}

async fn keep(world: &World, service: &ServiceName, global: &Global) -> anyhow::Result<Exit> {
    let Some(folder) = world.settings.config.deploy_of(service).variables.as_deref() else {
        note!("the config names no folder for them: set `variables` of `[deploy]`");
        return Ok(Exit::Usage);
    };
    match variables::keep(world, service, folder.as_ref()).await {
        Ok(kept) if global.json => {
            print_json(&json!({ "service": service, "kept": kept })).map(|()| Exit::Fine)
        }
        Ok(kept) => {
            out!("{}", kept.words());
            Ok(Exit::Fine)
        }
        Err(why) => {
            note!("{why}");
            Ok(Exit::Unknown)
        }
    }
}

fn tell(difference: &Difference, global: &Global) -> anyhow::Result<Exit> {
    let exit = if difference.is_none() { Exit::Fine } else { Exit::Unhealthy };
    if global.json {
        print_json(&json!({ "exit": exit as u8, "difference": difference }))?;
        return Ok(exit);
    }
    let Difference { since, added, removed, changed } = difference;
    let since = since.map_or_else(String::new, |since| format!(" since {since:.0}"));
    if difference.is_none() {
        out!("no variable has changed{since}");
    }
    for (word, names) in [("added", added), ("removed", removed), ("changed", changed)] {
        for name in names {
            out!("{word:<8} {name}");
        }
    }
    Ok(exit)
}
