//! The databases of services: looked into, backed up, and changed where a person asks for it. To look is never to change: every
//! query of a check runs where nothing can be written. What changes something is in `migrate` and in the engines' `restore`.

mod migrate;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::model::DatabaseName;
use crate::model::database::{
    Backup, DataAction, DataCheck, DatabaseSpec, EngineSpec, MigrationState, SchemaState,
};
use crate::model::output::escape;
use crate::model::secret::Secrets;
use crate::model::units::human;
use crate::model::validation::{Trial, TrialOutcome};
use crate::process::start;

/// What differs from engine to engine.
#[async_trait]
trait Engine: Send + Sync {
    /// Runs a SELECT of one value, as text; none for NULL and for no row.
    async fn value(&self, sql: &str) -> Result<Option<String>, String>;

    /// Runs a SELECT of one column, as texts.
    async fn column(&self, sql: &str) -> Result<Vec<String>, String>;

    /// The columns of a table; empty where there is none.
    async fn columns(&self, table: &str) -> Result<Vec<String>, String>;

    /// Writes a backup into this file, and reads it again. Answers how it was verified.
    async fn back_up(&self, file: &str) -> Result<String, String>;

    /// How its backups' names end.
    fn ending(&self) -> &'static str;

    /// The migrations that the database has, with the digests of their scripts; and one that failed half-way.
    async fn applied(&self) -> Result<migrate::Applied, String>;

    /// Applies migrations or takes them back.
    async fn migrate(&self, run: &migrate::Run) -> Result<String, ChangeError>;

    /// Reads a backup to its end. Answers what is in it.
    async fn read_backup(&self, file: &str) -> Result<String, String>;

    /// Puts a backup in the place of what is there, whole or not at all.
    async fn restore(&self, file: &str, lock_timeout: Duration) -> Result<String, String>;
}

/// Why a change was not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangeError {
    /// Nothing was changed, and it may go better the next time.
    Transient(String),
    /// It failed; the reason says what is left of it.
    Failed(String),
    /// Nobody knows whether it was made.
    Unclear(String),
}

/// A database.
#[derive(Clone)]
pub struct Database {
    name: DatabaseName,
    spec: DatabaseSpec,
    engine: Arc<dyn Engine>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.name)
    }
}

impl Database {
    /// Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// In words: the address is none, or this build has no such engine.
    pub fn new(name: &DatabaseName, spec: &DatabaseSpec, secrets: &Secrets) -> Result<Self, String> {
        let engine: Arc<dyn Engine> = match &spec.engine {
            EngineSpec::Sqlite(sqlite) => Arc::new(sqlite::Sqlite::new(sqlite)),
            #[cfg(feature = "postgres")]
            EngineSpec::Postgres(server) => Arc::new(postgres::Postgres::new(server, secrets)?),
            #[cfg(not(feature = "postgres"))]
            EngineSpec::Postgres(_) => {
                let _ = secrets;
                return Err(
                    "this build of unship has no PostgreSQL: build it with the feature `postgres`".to_owned()
                );
            }
        };
        Ok(Self { name: name.clone(), spec: spec.clone(), engine })
    }

    /// How it is described in the config.
    pub const fn spec(&self) -> &DatabaseSpec {
        &self.spec
    }

    /// The version of its schema, and what tells it.
    ///
    /// # Errors
    ///
    /// In words: it cannot be asked, or not in time.
    pub async fn schema(&self) -> Result<SchemaState, String> {
        self.in_time(tools::schema(self.engine.as_ref(), self.spec.version.as_deref())).await
    }

    /// Writes a backup into its folder and reads it again. A backup that cannot be read is none: its file is taken away.
    ///
    /// # Errors
    ///
    /// In words: there is no folder for it, it could not be written, or not be read again.
    pub async fn back_up(&self) -> Result<Backup, String> {
        let Some(folder) = &self.spec.backups else {
            return Err(format!("database `{}` has no `backups` folder in the config", self.name));
        };
        let at = Timestamp::now();
        let ending = self.engine.ending();
        let stem = format!("{folder}/{}-{}", self.name, at.strftime("%Y%m%dT%H%M%SZ"));
        // Two within a second are two: no backup takes the place of another, least of all of the one that is to be restored.
        let mut file = format!("{stem}.{ending}");
        for number in 2.. {
            let is_there = |name: &str| std::fs::exists(name).unwrap_or(true);
            if !is_there(&file) && !is_there(&format!("{file}.partial")) {
                break;
            }
            // A folder that cannot be looked into says so when it is written to.
            if number > 99 {
                return Err(format!("`{folder}` has a hundred backups of this second, or cannot be read"));
            }
            file = format!("{stem}-{number}.{ending}");
        }
        let partial = format!("{file}.partial");
        tokio::fs::create_dir_all(folder).await.map_err(|error| format!("`{folder}`: {error}"))?;
        let made = timeout(*self.spec.backup_timeout, self.engine.back_up(&partial)).await;
        let made =
            made.unwrap_or_else(|_| Err(format!("no end within {}", human(*self.spec.backup_timeout))));
        let digested = match made {
            Ok(verified) => digest(&partial).await.map(|(bytes, sha256)| (verified, bytes, sha256)),
            Err(why) => Err(why),
        };
        match digested {
            Ok((verified, bytes, sha256)) => {
                tokio::fs::rename(&partial, &file).await.map_err(|error| format!("`{file}`: {error}"))?;
                Ok(Backup { file, bytes, sha256, at, verified })
            }
            Err(why) => {
                // Half a backup is worse than none.
                let _ = tokio::fs::remove_file(&partial).await;
                Err(why)
            }
        }
    }

    /// The migrations of its folder, the oldest first, with what the database has of them.
    ///
    /// # Errors
    ///
    /// In words: there is no folder, its scripts cannot be read, the database cannot be asked.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, String> {
        let applied = self.in_time(self.engine.applied());
        migrate::states(&self.folder()?, &applied.await?).await
    }

    fn folder(&self) -> Result<String, String> {
        let folder = self.spec.migrations.as_ref().and_then(|spec| spec.folder.clone());
        folder.ok_or_else(|| {
            format!(
                "database `{}` has no folder of migrations in the config (`migrations.folder`)",
                self.name
            )
        })
    }

    /// The size and the SHA-256 of a backup that can be read to its end, and what is in it.
    ///
    /// # Errors
    ///
    /// In words: it is not there, or is none.
    pub async fn read_backup(&self, file: &str) -> Result<(u64, String, String), String> {
        let (bytes, sha256) = digest(file).await?;
        let read = timeout(*self.spec.backup_timeout, self.engine.read_backup(file)).await;
        let words =
            read.unwrap_or_else(|_| Err(format!("no end within {}", human(*self.spec.backup_timeout))))?;
        Ok((bytes, sha256, words))
    }

    /// Changes it. What is done already is not done again. Answers what was done.
    ///
    /// # Errors
    ///
    /// Why not, and what is left of it.
    pub async fn change(&self, what: &DataAction) -> Result<String, ChangeError> {
        let spec = self.spec.migrations.as_ref();
        let lock_timeout = spec.map_or(Duration::from_secs(5), |spec| *spec.lock_timeout);
        match what {
            DataAction::Migrate { migrations, .. } | DataAction::Undo { migrations, .. } => {
                let undo = matches!(what, DataAction::Undo { .. });
                let folder = self.folder().map_err(ChangeError::Failed)?;
                let scripts =
                    migrate::scripts(&folder, migrations, undo).await.map_err(ChangeError::Failed)?;
                let checks = self.spec.checks.iter().filter(|check| check.agrees_with.is_none()).cloned();
                self.engine
                    .migrate(&migrate::Run { scripts, undo, checks: checks.collect(), lock_timeout })
                    .await
            }
            DataAction::Program { undo, version, .. } => {
                let argv = spec.and_then(|spec| if *undo { spec.undo.as_ref() } else { spec.apply.as_ref() });
                let Some(argv) = argv else {
                    let key = if *undo { "undo" } else { "apply" };
                    let why =
                        format!("database `{}` has no program for that (`migrations.{key}`)", self.name);
                    return Err(ChangeError::Failed(why));
                };
                let version = version.as_deref().unwrap_or("latest");
                let said = program(argv, &[("version", version)]).await?;
                match self.schema().await {
                    Ok(SchemaState { failed: Some(failed), .. }) => {
                        Err(ChangeError::Failed(format!("{failed} failed half-way, as its tool recorded")))
                    }
                    Ok(SchemaState { version: Some(now), .. }) => {
                        Ok(format!("the schema is at {now}; {said}"))
                    }
                    _ => Ok(said),
                }
            }
            DataAction::Restore { file, sha256, .. } => {
                let (_, found, _) = self.read_backup(file).await.map_err(|why| {
                    ChangeError::Failed(format!("the backup cannot be read, nothing was changed: {why}"))
                })?;
                if found != *sha256 {
                    let why = format!(
                        "`{file}` is another file than the one that was looked at: nothing was changed"
                    );
                    return Err(ChangeError::Failed(why));
                }
                self.engine.restore(file, lock_timeout).await.map_err(ChangeError::Failed)
            }
            DataAction::PointInTime { to, .. } => {
                let Some(argv) = &self.spec.point_in_time else {
                    let why = format!("database `{}` has no program for that (`point_in_time`)", self.name);
                    return Err(ChangeError::Failed(why));
                };
                program(argv, &[("time", &to.to_string())]).await
            }
        }
    }

    async fn one(&self, sql: &str) -> Result<Option<String>, String> {
        self.in_time(self.engine.value(sql)).await
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let limit = *self.spec.timeout;
        timeout(limit, work).await.unwrap_or_else(|_| Err(format!("no answer within {}", human(limit))))
    }
}

/// Tries what has to be true in a database. `others` are those that it may have to agree with.
pub async fn check(database: &Database, others: &BTreeMap<DatabaseName, Database>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for check in &database.spec.checks {
        let began = Instant::now();
        let (outcome, detail) = match holds(database, check, others).await {
            Ok(Ok(detail)) => (TrialOutcome::Passed, detail),
            Ok(Err(detail)) => (TrialOutcome::Failed, detail),
            Err(why) => (TrialOutcome::NotRun, why),
        };
        let took_ms = began.elapsed().as_secs_f64() * 1e3;
        trials.push(Trial { name: format!("{}: {}", database.name, check.name), outcome, took_ms, detail });
    }
    trials
}

/// Whether it holds, with what was seen; or why it cannot be said.
async fn holds(
    database: &Database,
    check: &DataCheck,
    others: &BTreeMap<DatabaseName, Database>,
) -> Result<Result<String, String>, String> {
    let seen = database.one(&check.sql).await?;
    let shown = seen.clone().unwrap_or_else(|| "nothing".to_owned());
    if let Some(elsewhere) = &check.agrees_with {
        let other = others
            .get(&elsewhere.database)
            .ok_or_else(|| format!("there is no database `{}`", elsewhere.database))?;
        let there =
            other.one(&elsewhere.sql).await.map_err(|why| format!("{}: {why}", elsewhere.database))?;
        let is_same = match (&seen, &there) {
            (Some(here), Some(there)) => is_equal(here, there),
            (here, there) => here == there,
        };
        let there = there.unwrap_or_else(|| "nothing".to_owned());
        return Ok(if is_same {
            Ok(format!("{shown} in both"))
        } else {
            Err(format!("{shown} here, {there} in {}", elsewhere.database))
        });
    }
    Ok(judged(check, seen.as_deref()))
}

/// Whether a value is what a check asks for, with what was seen.
fn judged(check: &DataCheck, seen: Option<&str>) -> Result<String, String> {
    let shown = seen.unwrap_or("nothing").to_owned();
    if let Some(expected) = &check.equals {
        let is_so = seen.is_some_and(|seen| is_equal(seen, expected));
        return if is_so { Ok(shown) } else { Err(format!("expected {expected}, found {shown}")) };
    }
    let Some(number) = seen.and_then(|seen| seen.trim().parse::<f64>().ok()) else {
        return Err(format!("expected a number, found {shown}"));
    };
    if let Some(least) = check.at_least.filter(|least| number < *least) {
        return Err(format!("expected at least {least}, found {shown}"));
    }
    if let Some(most) = check.at_most.filter(|most| number > *most) {
        return Err(format!("expected at most {most}, found {shown}"));
    }
    Ok(shown)
}

/// Runs a program that changes a database; the last line that it says is the detail.
async fn program(argv: &[String], values: &[(&str, &str)]) -> Result<String, ChangeError> {
    let mut words = argv.iter().map(|word| {
        values.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value))
    });
    let name = words.next().unwrap_or_default();
    let mut command = Command::new(&name);
    command.args(words);
    let started = start(&mut command);
    // What was never started has changed nothing.
    let (child, mut group) =
        started.map_err(|error| ChangeError::Failed(format!("`{name}` cannot be started: {error}")))?;
    let output = child.wait_with_output().await;
    let output = output.map_err(|error| ChangeError::Unclear(format!("`{name}`: {error}")))?;
    group.disarm();
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(escape)
    };
    let said = last(&output.stdout).unwrap_or_else(|| format!("`{name}` ended well"));
    if output.status.success() {
        return Ok(said);
    }
    let why = last(&output.stderr).unwrap_or(said);
    Err(ChangeError::Failed(format!(
        "`{name}` ended with {}: {why}; what it did before that stays",
        output.status
    )))
}

/// As numbers where both are some: `1` and `1.0` are the same.
fn is_equal(one: &str, other: &str) -> bool {
    match (one.trim().parse::<f64>(), other.trim().parse::<f64>()) {
        (Ok(one), Ok(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// The size and the SHA-256 of a file.
async fn digest(file: &str) -> Result<(u64, String), String> {
    let fault = |error: std::io::Error| format!("`{file}`: {error}");
    let mut open = tokio::fs::File::open(file).await.map_err(fault)?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0_u64, vec![0; 256 * 1024]);
    loop {
        let count = open.read(&mut buffer).await.map_err(fault)?;
        if count == 0 {
            return Ok((bytes, hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
}

/// A query that gives one value, made to give it as text whatever it is.
fn as_text(sql: &str) -> String {
    format!("SELECT CAST(({}) AS TEXT)", sql.trim().trim_end_matches(';'))
}
