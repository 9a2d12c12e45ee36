//! `unship db`: what schema the databases of services have, whether what has to be true in them is, and backups of them. What
//! changes one is in `change`: an operation with a plan, guardrails and a record, like any other.

mod change;

pub(super) use change::pending_of;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::output::{note, out, print_json, table};
use super::{Exit, Global, session, trials};
use crate::engine::runtime::World;
use crate::engine::runtime::validations::{Watcher, backup_words, check_data, database_of};
use crate::model::DatabaseName;

/// Look into the databases of services, back one up, change its schema, or restore it.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// Show the schema version of each database, what tells it, and the newest migrations.
    Status {
        /// Only this database.
        database: Option<String>,
    },
    /// Try what has to be true in the databases.
    Check {
        /// Only this database.
        database: Option<String>,
        /// Write the results as JUnit XML, too.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// Write a backup into the database's folder, and read it again.
    Backup {
        /// The database.
        database: String,
    },
    /// List the migrations of the database's folder: which it has, which have a way back, which drop data.
    Migrations {
        /// The database.
        database: String,
    },
    #[command(flatten)]
    Change(change::Change),
}

/// Exit codes: 0 all well, 2 there is no such database, 3 something is not as it has to be, 4 the backup or the change failed, 5
/// refused, 6 something could not be asked.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    if let Command::Change(asked) = &args.command {
        return change::run(asked, global).await;
    }
    let loaded = session::load(global)?;
    let world = World::build(Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let named = match &args.command {
        Command::Status { database } | Command::Check { database, .. } => database.as_deref(),
        Command::Backup { database } | Command::Migrations { database } => Some(database.as_str()),
        Command::Change(_) => None,
    };
    let names: Vec<DatabaseName> = match named {
        Some(name) => match database_of(&world, &name.into()) {
            Ok(_) => vec![name.into()],
            Err(why) => {
                note!("{why}");
                return Ok(Exit::Usage);
            }
        },
        None => world.databases.keys().cloned().collect(),
    };
    if names.is_empty() {
        note!("the config has no database: add `[databases.NAME]`");
        return Ok(Exit::Usage);
    }
    match &args.command {
        Command::Status { .. } => status(&world, &names, global).await,
        Command::Check { junit, .. } => {
            let mut reports = Vec::new();
            for name in &names {
                reports.push(check_data(&world, name, &Watcher::nobody()).await.map_err(anyhow::Error::msg)?);
            }
            trials::finish(&reports, junit.as_deref(), &world, global)
        }
        Command::Backup { .. } => backup(&world, &names[0], global).await,
        Command::Migrations { .. } => change::list(&world, &names[0], global).await,
        Command::Change(_) => Ok(Exit::Usage),
    }
}

async fn status(world: &World, names: &[DatabaseName], global: &Global) -> anyhow::Result<Exit> {
    let (mut exit, mut rows, mut all) = (Exit::Fine, Vec::new(), Vec::new());
    for name in names {
        let Some(database) = world.databases.get(name) else { continue };
        let schema = database.schema().await.map_err(|reason| world.secrets.redact(&reason));
        match &schema {
            Ok(schema) => {
                let version =
                    schema.version.map_or_else(|| "unknown".to_owned(), |version| version.to_string());
                let newest = schema.migrations.first().cloned().unwrap_or_default();
                let failed = schema
                    .failed
                    .as_ref()
                    .map_or_else(String::new, |failed| format!("FAILED half-way: {failed}"));
                if schema.failed.is_some() {
                    exit = Exit::Unhealthy;
                }
                rows.push(vec![name.to_string(), version, schema.told_by.clone(), newest, failed]);
            }
            Err(reason) => {
                if exit == Exit::Fine {
                    exit = Exit::Unknown;
                }
                rows.push(vec![
                    name.to_string(),
                    "unknown".to_owned(),
                    String::new(),
                    String::new(),
                    reason.clone(),
                ]);
            }
        }
        all.push(json!({ "database": name, "schema": schema.as_ref().ok(), "error": schema.as_ref().err() }));
    }
    if global.json {
        print_json(&json!({ "exit": exit as u8, "databases": all }))?;
    } else {
        rows.insert(0, ["database", "schema", "told by", "newest migration", ""].map(str::to_owned).to_vec());
        out!("{}", table(&rows).trim_end());
    }
    Ok(exit)
}

async fn backup(world: &World, name: &DatabaseName, global: &Global) -> anyhow::Result<Exit> {
    let database = database_of(world, name).map_err(anyhow::Error::msg)?;
    match database.back_up().await {
        Ok(backup) => {
            if global.json {
                print_json(&json!({ "exit": Exit::Fine as u8, "backup": backup }))?;
            } else {
                out!("{}", backup_words(&backup));
            }
            Ok(Exit::Fine)
        }
        Err(why) => {
            note!("no backup was made: {}", world.secrets.redact(&why));
            Ok(Exit::Failed)
        }
    }
}
