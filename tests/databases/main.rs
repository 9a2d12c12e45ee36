//! Looking into real databases, backing them up, changing them: SQLite files, and a PostgreSQL server of the test's own.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod changes;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use unship::database::{Database, check};
use unship::model::DatabaseName;
use unship::model::secret::{Secret, SecretRef, Secrets};
use unship::model::validation::TrialOutcome;

/// A database of this description. `url`: what `env:URL` holds.
fn database(name: &str, spec: Value, url: &str) -> Database {
    let mut secrets = Secrets::default();
    secrets.insert(SecretRef::Env("URL".to_owned()), Secret::new(url));
    let spec = serde_json::from_value(spec).unwrap();
    Database::new(&DatabaseName::from(name), &spec, &secrets).unwrap()
}

/// The outcome of each of these checks, with what was seen.
async fn checked(database: &Database, others: &[(&str, Database)]) -> Vec<(TrialOutcome, String)> {
    let others: BTreeMap<DatabaseName, Database> =
        others.iter().map(|(name, database)| ((*name).into(), database.clone())).collect();
    check(database, &others).await.into_iter().map(|trial| (trial.outcome, trial.detail)).collect()
}

/// What a check of this kind is about.
fn one_value(sql: &str, more: &Value) -> Value {
    let mut check = json!({ "name": "it", "sql": sql });
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    check
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}
