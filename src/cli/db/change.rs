//! What changes a database: migrations and their way back, a backup in the place of what is there, a point in time.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::super::operate::{self, Ask, Conduct, parse_override};
use super::super::output::{note, out, print_json, table};
use super::super::{Exit, Global, session};
use crate::config::Loaded;
use crate::engine::runtime::World;
use crate::engine::runtime::validations::{Database, database_of};
use crate::model::command::{Command, DataChange, Override};
use crate::model::database::{DataAsk, Migration, MigrationState};
use crate::model::{DatabaseName, ServiceName};

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
pub(super) enum Change {
    /// Apply the migrations that the database has not: those that are transactional in one transaction with the checks of the data,
    /// after a backup.
    Migrate {
        /// The database.
        database: String,
        /// Up to this version. Without it: all.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Take migrations back by their own scripts, the newest first.
    Undo {
        /// The database.
        database: String,
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 1, conflicts_with = "to")]
        last: usize,
        /// Everything above this version.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// Put a backup in the place of what is there. Everything since then is lost.
    Restore {
        /// The database.
        database: String,
        /// The backup, as `unship db backup` names it.
        file: String,
        #[command(flatten)]
        how: How,
    },
    /// Take the database back to a point in time by the config's program. Everything since then is lost.
    PointInTime {
        /// The database.
        database: String,
        /// When: `2026-11-26T14:02:00Z`.
        to: Timestamp,
        #[command(flatten)]
        how: How,
    },
}

/// How it is done.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct How {
    /// Why, for the others and for the record.
    #[arg(long)]
    reason: String,
    /// Make no backup first.
    #[arg(long)]
    without_backup: bool,
    /// Show the plan and the guardrails and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// Go on although a guardrail forbids it: `freeze="why"`.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    overrides: Vec<Override>,
}

/// Exit codes: 0 done, 1 there is nothing to do or it cannot be said, 2 no such database, 4 failed, 5 refused, 6 unverified, 7 waited too long.
pub(super) async fn run(asked: &Change, global: &Global) -> anyhow::Result<Exit> {
    let (Change::Migrate { database, how, .. }
    | Change::Undo { database, how, .. }
    | Change::Restore { database, how, .. }
    | Change::PointInTime { database, how, .. }) = asked;
    let loaded = session::load(global)?;
    let world = World::build(Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let name = DatabaseName::from(database.as_str());
    let found = match database_of(&world, &name) {
        Ok(found) => found,
        Err(why) => {
            note!("{why}");
            return Ok(Exit::Usage);
        }
    };
    let Some(service) = found.spec().services.first().cloned() else {
        note!("`{name}` names no service that works with it: add `services` to `databases.{name}`");
        return Ok(Exit::Usage);
    };
    let what = match wanted(asked, found).await {
        Ok(what) => what,
        Err(why) => {
            note!("{}", world.secrets.redact(&why));
            return Ok(Exit::Error);
        }
    };
    if !global.json {
        warn(&what, found, &loaded).await?;
    }
    let command = Command::Database(DataChange {
        database: name,
        service,
        what,
        backup: !how.without_backup,
        reason: how.reason.clone(),
        overrides: how.overrides.clone(),
    });
    let ask = if how.yes { Ask::Nothing } else { Ask::ServiceName };
    let conduct = Conduct { role: "database", ask, dry_run: how.dry_run, timeout: None };
    operate::run(command, conduct, global).await
}

/// What is asked of the database, with what it has now.
async fn wanted(asked: &Change, database: &Database) -> Result<DataAsk, String> {
    let by_program = database.spec().migrations.as_ref().is_some_and(|spec| spec.folder.is_none());
    match asked {
        Change::Migrate { to, .. } | Change::Undo { to, .. } if by_program => {
            let undo = matches!(asked, Change::Undo { .. });
            if undo && to.is_none() {
                return Err("say to which version: the other tool counts by itself (--to VERSION)".to_owned());
            }
            Ok(DataAsk::Program { undo, version: to.clone() })
        }
        Change::Migrate { to, .. } => {
            let migrations = pending(&database.migrations().await?, to.as_deref())?;
            if migrations.is_empty() {
                return Err("the database has all of them already".to_owned());
            }
            Ok(DataAsk::Migrate { migrations })
        }
        Change::Undo { last, to, .. } => undo(&database.migrations().await?, *last, to.as_deref()),
        Change::Restore { file, .. } => {
            let (_, sha256, words) = database.read_backup(file).await?;
            note!("{file}: {words}");
            Ok(DataAsk::Restore { file: file.clone(), sha256 })
        }
        Change::PointInTime { to, .. } => Ok(DataAsk::PointInTime { to: *to }),
    }
}

fn number(version: &str) -> Result<u64, String> {
    version.parse().map_err(|_| format!("`{version}` is no version of a migration: a whole number"))
}

/// The migrations that the database has not, up to a version; none where it has all.
fn pending(states: &[MigrationState], to: Option<&str>) -> Result<Vec<Migration>, String> {
    if let Some(changed) = states.iter().find(|state| state.changed) {
        return Err(format!(
            "migration {} ({}) was changed after it was applied: put its script back as it was",
            changed.migration.version, changed.migration.name
        ));
    }
    let to = to.map(number).transpose()?;
    if let Some(to) = to.filter(|to| !states.iter().any(|state| state.migration.version == *to)) {
        let known: Vec<String> = states.iter().map(|state| state.migration.version.to_string()).collect();
        return Err(format!("there is no migration {to}; there are {}", known.join(", ")));
    }
    let pending = states.iter().filter(|state| !state.applied);
    let pending = pending.filter(|state| to.is_none_or(|to| state.migration.version <= to));
    Ok(pending.map(|state| state.migration.clone()).collect())
}

/// The migrations that the databases of a service have not, for a deployment of it; or why that cannot be said.
pub(in crate::cli) async fn pending_of(
    service: &ServiceName,
    global: &Global,
) -> anyhow::Result<Result<Vec<(DatabaseName, Vec<Migration>)>, String>> {
    let loaded = session::load(global)?;
    let world = World::build(Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let mut all = Vec::new();
    for (name, database) in &world.databases {
        let spec = database.spec();
        let Some(migrations) = spec.migrations.as_ref().filter(|_| spec.services.contains(service)) else {
            continue;
        };
        if migrations.folder.is_none() {
            return Ok(Err(format!(
                "`{name}` is migrated by a program: run `unship db migrate {name}` first, without --migrate here"
            )));
        }
        match database.migrations().await.and_then(|states| pending(&states, None)) {
            Ok(migrations) if migrations.is_empty() => {}
            Ok(migrations) => all.push((name.clone(), migrations)),
            Err(why) => return Ok(Err(world.secrets.redact(&format!("{name}: {why}")))),
        }
    }
    if all.is_empty() {
        note!("the databases of {service} have all their migrations already");
    }
    Ok(Ok(all))
}

/// The migrations to take back, the newest first.
fn undo(states: &[MigrationState], last: usize, to: Option<&str>) -> Result<DataAsk, String> {
    let applied = states.iter().rev().filter(|state| state.applied).map(|state| state.migration.clone());
    let migrations: Vec<_> = match to.map(number).transpose()? {
        Some(to) => applied.take_while(|migration| migration.version > to).collect(),
        None => applied.take(last).collect(),
    };
    if migrations.is_empty() {
        return Err("the database has none of them".to_owned());
    }
    Ok(DataAsk::Undo { migrations })
}

/// What depends on it: the services, and which of their releases need the schema that they would lose, as far as is known.
async fn warn(what: &DataAsk, database: &Database, loaded: &Loaded) -> anyhow::Result<()> {
    let services: Vec<&str> = database.spec().services.iter().map(ServiceName::as_str).collect();
    note!("works with it: {}", services.join(", "));
    let DataAsk::Undo { migrations } = what else { return Ok(()) };
    let Some(lowest) = migrations.iter().map(|migration| migration.version).min() else { return Ok(()) };
    let engine = session::look(loaded, "database").await?;
    let view = Arc::clone(&engine.view().borrow());
    engine.shutdown().await;
    for name in &database.spec().services {
        let Some(inventory) = view.state.service(name).and_then(|known| known.inventory.as_ref()) else {
            note!("{name}: what its releases need is not known, its platform was never read");
            continue;
        };
        let live = inventory.traffic.iter().filter(|share| share.percent > 0);
        for release in live.filter_map(|share| inventory.release(&share.reference)) {
            if let Some(needs) = release.schema.filter(|needs| *needs >= lowest) {
                note!("{name}: {} is live and needs schema {needs}", release.version);
            }
        }
    }
    Ok(())
}

/// Lists the migrations of a database's folder.
pub(super) async fn list(world: &World, name: &DatabaseName, global: &Global) -> anyhow::Result<Exit> {
    let database = database_of(world, name).map_err(anyhow::Error::msg)?;
    let states = match database.migrations().await {
        Ok(states) => states,
        Err(why) => {
            note!("{}", world.secrets.redact(&why));
            return Ok(Exit::Unknown);
        }
    };
    let exit = if states.iter().any(|state| state.changed) { Exit::Unhealthy } else { Exit::Fine };
    if global.json {
        print_json(&json!({ "exit": exit as u8, "database": name, "migrations": states }))?;
        return Ok(exit);
    }
    let mut rows = vec![["version", "name", "state", ""].map(str::to_owned).to_vec()];
    for MigrationState { migration, applied, changed } in &states {
        let state = match (applied, changed) {
            (_, true) => "CHANGED SINCE",
            (true, false) => "applied",
            (false, false) => "pending",
        };
        let mut remarks = Vec::new();
        remarks.extend(migration.undo.is_none().then_some("no way back"));
        remarks.extend(migration.drops.then_some("drops data"));
        remarks.extend((!migration.transactional).then_some("outside a transaction"));
        let name = migration.name.clone();
        rows.push(vec![migration.version.to_string(), name, state.to_owned(), remarks.join(", ")]);
    }
    out!("{}", table(&rows).trim_end());
    Ok(exit)
}
