//! The databases of services: where they are, what has to be true in them, where their backups go.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;
use super::{DatabaseName, ServiceName, Span};

/// A database.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    /// The services whose releases work with it. Its schema version is what their guardrail `schema` compares, where the platform
    /// tells none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// What it is.
    pub engine: EngineSpec,
    /// A query that gives the schema version as a whole number that only grows. Without it the tables of sqlx, golang-migrate,
    /// Rails, Flyway, Liquibase and Prisma are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The folder that backups are written to. With it, deployments of its services begin with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<String>,
    /// Time for one query.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// Time for a backup with its verification.
    #[serde(default = "ten_minutes")]
    pub backup_timeout: Span,
    /// What has to be true in it. Deployments of its services look before they begin and when they have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<DataCheck>,
}

/// Which engine, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EngineSpec {
    /// PostgreSQL. Backups need `pg_dump` and `pg_restore` of at least the server's version.
    Postgres(PostgresSpec),
    /// SQLite.
    Sqlite(SqliteSpec),
}

/// A PostgreSQL server's database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgresSpec {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require`.
    pub url: SecretRef,
}

/// An SQLite file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteSpec {
    /// The file.
    pub file: String,
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

const fn ten_minutes() -> Span {
    Span::secs(600)
}

/// A query that gives one value, and what that has to be: one of `equals`, `at_least`, `at_most`, `agrees_with`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataCheck {
    /// Its name.
    pub name: String,
    /// One SELECT with one value. It cannot change anything.
    pub sql: String,
    /// The value, as text; numbers are compared as numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// The same value in another place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agrees_with: Option<Elsewhere>,
}

/// A value in another database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The database.
    pub database: DatabaseName,
    /// One SELECT with one value.
    pub sql: String,
}

/// What is known of a database's schema.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SchemaState {
    /// Its version; none where nothing tells one.
    pub version: Option<u64>,
    /// What told it: `sqlx`, `flyway`, …, or `query`.
    pub told_by: String,
    /// The newest migrations, newest first, as the tool names them.
    pub migrations: Vec<String>,
    /// A migration that failed half-way, as the tool recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A backup that was written and read again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Backup {
    /// The file.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    /// When it was begun: nothing that was committed later is in it.
    pub at: Timestamp,
    /// How it was verified, in words.
    pub verified: String,
}
