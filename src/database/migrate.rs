//! Migrations: scripts in a folder, named and recorded as sqlx does. Those that are transactional run in one transaction with the
//! checks of the data behind them, which is committed only when all of that went well.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::{Migrate, MigrateError, Migration as Script, Migrator};
use sqlx::{Connection, Database as Db};

use super::{ChangeError, as_text, judged};
use crate::model::database::{DataCheck, Migration, MigrationState, Undo};

/// The table in which sqlx keeps what has been applied.
pub(super) const TABLE: &str = "_sqlx_migrations";

/// What a database has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Applied {
    /// The digest of each migration's script, in hexadecimal.
    pub(super) checksums: BTreeMap<u64, String>,
    /// One that failed half-way.
    pub(super) failed: Option<u64>,
}

impl Applied {
    /// Reads rows of a version and a digest.
    pub(super) fn read(rows: &[String], failed: Option<&str>) -> Result<Self, String> {
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` in `{TABLE}` is no version"));
        let mut checksums = BTreeMap::new();
        for row in rows {
            let (version, checksum) = row.split_once(' ').unwrap_or((row, ""));
            checksums.insert(number(version)?, checksum.to_owned());
        }
        Ok(Self { checksums, failed: failed.map(number).transpose()? })
    }
}

/// Scripts to be run.
pub(super) struct Run {
    pub(super) scripts: Vec<Script>,
    pub(super) undo: bool,
    pub(super) checks: Vec<DataCheck>,
    pub(super) lock_timeout: Duration,
}

/// A connection in which scripts are run.
#[async_trait]
pub(super) trait Session: Connection + Migrate {
    /// How a transaction begins that will write.
    const BEGIN: &'static str;

    /// Runs a SELECT of one value, as text.
    async fn text(&mut self, sql: &str) -> Result<Option<String>, sqlx::Error>;
}

async fn read(folder: &str) -> Result<Vec<Script>, String> {
    if !Path::new(folder).is_dir() {
        return Err(format!("there is no folder `{folder}` of migrations"));
    }
    let migrator = Migrator::new(Path::new(folder)).await.map_err(|error| format!("`{folder}`: {error}"))?;
    Ok(migrator.iter().cloned().collect())
}

/// The migrations of a folder, the oldest first, with what the database has of them.
pub(super) async fn states(folder: &str, applied: &Applied) -> Result<Vec<MigrationState>, String> {
    let scripts = read(folder).await?;
    if let Some(failed) = applied.failed {
        return Err(format!("{failed} failed half-way: mend it by hand, and its row in `{TABLE}`"));
    }
    let mut states = Vec::new();
    for script in scripts.iter().filter(|script| script.migration_type.is_up_migration()) {
        let version = version(script)?;
        let down = scripts
            .iter()
            .find(|other| other.version == script.version && other.migration_type.is_down_migration());
        let checksum = hex::encode(&script.checksum);
        let known = applied.checksums.get(&version);
        states.push(MigrationState {
            applied: known.is_some(),
            changed: known.is_some_and(|known| *known != checksum),
            migration: Migration {
                version,
                name: script.description.to_string(),
                checksum,
                transactional: !script.no_tx,
                drops: drops(script.sql.as_str()),
                undo: down.map(|down| Undo {
                    checksum: hex::encode(&down.checksum),
                    transactional: !down.no_tx,
                    drops: drops(down.sql.as_str()),
                }),
            },
        });
    }
    states.sort_by_key(|state| state.migration.version);
    let unknown =
        applied.checksums.keys().find(|known| !states.iter().any(|state| state.migration.version == **known));
    match unknown {
        Some(unknown) => Err(format!("the database has migration {unknown}, and `{folder}` has it not")),
        None => Ok(states),
    }
}

fn version(script: &Script) -> Result<u64, String> {
    u64::try_from(script.version).map_err(|_| format!("migration {} has a version below 0", script.version))
}

/// The scripts of these migrations, as they were when somebody looked at them.
pub(super) async fn scripts(
    folder: &str,
    migrations: &[Migration],
    undo: bool,
) -> Result<Vec<Script>, String> {
    let all = read(folder).await?;
    let mut scripts = Vec::new();
    for migration in migrations {
        let Migration { version, name, .. } = migration;
        let wanted =
            if undo { migration.undo.as_ref().map(|undo| &undo.checksum) } else { Some(&migration.checksum) };
        let found = all.iter().find(|script| {
            u64::try_from(script.version) == Ok(*version) && script.migration_type.is_down_migration() == undo
        });
        let (Some(script), Some(wanted)) = (found, wanted) else {
            let what = if undo { "has no way back" } else { "is not there" };
            return Err(format!("migration {version} ({name}) {what} in `{folder}`: nothing was changed"));
        };
        if hex::encode(&script.checksum) != *wanted {
            return Err(format!(
                "migration {version} ({name}) is another script than the one that was looked at: nothing was changed"
            ));
        }
        if !script.no_tx && controls_transactions(script.sql.as_str()) {
            return Err(format!(
                "migration {version} ({name}) begins or ends transactions of its own: leave that out, or put `-- no-transaction` into its first line; nothing was changed"
            ));
        }
        scripts.push(script.clone());
    }
    Ok(scripts)
}

/// The statements of a script, without comments and what stands in quotes, in capitals.
fn statements(sql: &str) -> Vec<String> {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(body) = rest.strip_prefix("$$") {
            body.find("$$").map_or(rest.len(), |end| end + 4)
        } else if first == '\'' || first == '"' {
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else {
            text.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        text.push(' ');
        rest = &rest[skipped..];
    }
    let words = |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    text.split(';').map(words).filter(|statement| !statement.is_empty()).collect()
}

fn controls_transactions(sql: &str) -> bool {
    let is_control = |statement: &String| {
        let first = statement.split(' ').next().unwrap_or_default();
        matches!(first, "BEGIN" | "COMMIT" | "ROLLBACK" | "END" | "START")
    };
    statements(sql).iter().any(is_control)
}

/// Whether it drops data: going back does not bring them back.
fn drops(sql: &str) -> bool {
    let is_loss = |statement: &String| {
        statement.starts_with("DROP TABLE")
            || statement.starts_with("DROP SCHEMA")
            || statement.starts_with("TRUNCATE")
            || statement.starts_with("DELETE ")
            || statement.starts_with("ALTER TABLE") && statement.contains(" DROP COLUMN")
            || statement.starts_with("ALTER TABLE")
                && statement.contains(" DROP ")
                && !statement.contains(" DROP CONSTRAINT")
                && !statement.contains(" DROP DEFAULT")
                && !statement.contains(" DROP NOT NULL")
    };
    statements(sql).iter().any(is_loss)
}

/// Runs scripts on a connection that has been made for it.
pub(super) async fn run<C, D>(connection: &mut C, run: &Run) -> Result<String, ChangeError>
where
    C: Session<Database = D>,
    D: Db<Connection = C>,
{
    let before = |error: MigrateError| ChangeError::Transient(format!("nothing was changed: {error}"));
    // Whoever was here before may be at it still, without the one who asked.
    connection.lock().await.map_err(before)?;
    let done = locked(connection, run).await;
    // With the connection it would be let go as well.
    let _ = connection.unlock().await;
    done
}

async fn locked<C, D>(connection: &mut C, run: &Run) -> Result<String, ChangeError>
where
    C: Session<Database = D>,
    D: Db<Connection = C>,
{
    let before = |error: MigrateError| ChangeError::Transient(format!("nothing was changed: {error}"));
    connection.ensure_migrations_table(TABLE).await.map_err(before)?;
    if let Some(failed) = connection.dirty_version(TABLE).await.map_err(before)? {
        return Err(ChangeError::Failed(format!("{failed} failed half-way before; nothing was changed")));
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(before)?;
    let has = |script: &&Script| applied.iter().any(|known| known.version == script.version);
    let there = run.scripts.iter().filter(has).count();
    let (done, all) = (if run.undo { run.scripts.len() - there } else { there }, run.scripts.len());
    if done == all {
        return Ok("it was so already".to_owned());
    }
    if done > 0 {
        let word = if run.undo { "are not there" } else { "are there already" };
        return Err(ChangeError::Failed(format!("{done} of {all} {word}: look again; nothing was changed")));
    }
    if run.scripts.iter().all(|script| !script.no_tx) {
        in_transaction(connection, run).await
    } else {
        for script in &run.scripts {
            apply(connection, script, run.undo).await.map_err(|error| {
                ChangeError::Failed(format!(
                    "{}: {error}; it ran outside a transaction: what it did before that stays",
                    named(script)
                ))
            })?;
        }
        Ok(words(run, 0))
    }
}

async fn in_transaction<C, D>(connection: &mut C, run: &Run) -> Result<String, ChangeError>
where
    C: Session<Database = D>,
    D: Db<Connection = C>,
{
    let nothing = |why: String| ChangeError::Failed(format!("{why}; nothing was changed"));
    let mut transaction = connection
        .begin_with(sqlx::AssertSqlSafe(C::BEGIN.to_owned()))
        .await
        .map_err(|error| ChangeError::Transient(format!("nothing was changed: {error}")))?;
    for script in &run.scripts {
        if let Err(error) = apply(&mut *transaction, script, run.undo).await {
            let why = format!("{}: {error}", named(script));
            return Err(if may_go_better(&error) {
                ChangeError::Transient(format!("{why}; nothing was changed"))
            } else {
                nothing(why)
            });
        }
    }
    for check in &run.checks {
        let seen = transaction.text(&as_text(&check.sql)).await;
        let seen = seen.map_err(|error| nothing(format!("the check `{}`: {error}", check.name)))?;
        judged(check, seen.as_deref())
            .map_err(|why| nothing(format!("then `{}` would not hold: {why}", check.name)))?;
    }
    // The one moment in which nobody knows.
    transaction
        .commit()
        .await
        .map_err(|error| ChangeError::Unclear(format!("while it was committed: {error}")))?;
    Ok(words(run, run.checks.len()))
}

async fn apply<C: Migrate>(connection: &mut C, script: &Script, undo: bool) -> Result<(), MigrateError> {
    let took = if undo { connection.revert(TABLE, script) } else { connection.apply(TABLE, script) };
    took.await.map(drop)
}

fn named(script: &Script) -> String {
    format!("migration {} ({})", script.version, script.description)
}

fn words(run: &Run, checks: usize) -> String {
    let what = if run.undo { "taken back" } else { "applied" };
    let versions: Vec<String> = run.scripts.iter().map(|script| script.version.to_string()).collect();
    let checks = match checks {
        0 => String::new(),
        1 => "; 1 check holds".to_owned(),
        many => format!("; {many} checks hold"),
    };
    format!("{what}: {}{checks}", versions.join(", "))
}

/// A lock that was not to be had in time, a deadlock, a connection that broke: the database has undone it.
fn may_go_better(error: &MigrateError) -> bool {
    let (MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _)) = error else {
        return false;
    };
    let code = inner.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match inner {
        sqlx::Error::Io(_) => true,
        // PostgreSQL: lock_not_available, deadlock_detected, serialization_failure; SQLite: busy, locked.
        _ => matches!(code.as_deref(), Some("55P03" | "40P01" | "40001" | "5" | "6" | "517")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a script does to data is seen whatever is written beside it, and what is only named in comments and texts is not.
    #[test]
    fn what_a_script_does() {
        for (sql, expected) in [
            ("DROP TABLE carts;", true),
            ("drop  table if exists carts", true),
            ("-- DROP TABLE carts\nCREATE TABLE carts (id int);", false),
            ("INSERT INTO notes VALUES ('it''s; DROP TABLE carts');", false),
            ("ALTER TABLE carts DROP COLUMN note", true),
            ("ALTER TABLE carts ALTER note DROP NOT NULL, DROP CONSTRAINT k", false),
            ("ALTER TABLE carts DROP note", true),
            ("/* TRUNCATE carts; */ SELECT 1", false),
            ("truncate carts", true),
            ("DO $$ BEGIN DELETE FROM carts; END $$", false),
        ] {
            assert_eq!(drops(sql), expected, "{sql}");
        }
        for (sql, expected) in [
            ("BEGIN; CREATE TABLE a (b int); COMMIT;", true),
            ("CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END $$ LANGUAGE plpgsql;", false),
            ("start transaction", true),
            ("SELECT 'x'; -- COMMIT;", false),
        ] {
            assert_eq!(controls_transactions(sql), expected, "{sql}");
        }
    }
}
