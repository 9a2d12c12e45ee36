//! Looking into the databases of services, and backing them up. Nothing here changes anything in them: every query runs where
//! nothing can be written.

#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;
mod tools;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::model::DatabaseName;
use crate::model::database::{Backup, DataCheck, DatabaseSpec, EngineSpec, SchemaState};
use crate::model::secret::Secrets;
use crate::model::units::human;
use crate::model::validation::{Trial, TrialOutcome};

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
        let file = format!("{folder}/{}-{}.{ending}", self.name, at.strftime("%Y%m%dT%H%M%SZ"));
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
    if let Some(expected) = &check.equals {
        let is_so = seen.as_deref().is_some_and(|seen| is_equal(seen, expected));
        return Ok(if is_so { Ok(shown) } else { Err(format!("expected {expected}, found {shown}")) });
    }
    let Some(number) = seen.as_deref().and_then(|seen| seen.trim().parse::<f64>().ok()) else {
        return Ok(Err(format!("expected a number, found {shown}")));
    };
    if let Some(least) = check.at_least.filter(|least| number < *least) {
        return Ok(Err(format!("expected at least {least}, found {shown}")));
    }
    if let Some(most) = check.at_most.filter(|most| number > *most) {
        return Ok(Err(format!("expected at most {most}, found {shown}")));
    }
    Ok(Ok(shown))
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
