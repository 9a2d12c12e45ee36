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
    /// How its schema is changed by `unship db migrate` and `unship db undo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<MigrationsSpec>,
    /// A program that takes it back to a point in time; `{time}` is replaced, as `2026-11-26T14:02:00Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_in_time: Option<Vec<String>>,
    /// Time for a restore, and for that program.
    #[serde(default = "an_hour")]
    pub restore_timeout: Span,
}

/// How a schema is changed: by scripts in a folder, or by programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationsSpec {
    /// Scripts named as sqlx names them: `20260301120000_carts.up.sql` with `.down.sql` beside it, or `…_carts.sql` for one without a
    /// way back. What has been applied is kept in sqlx's table. `-- no-transaction` in the first line runs a script outside a
    /// transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Instead: a program of another tool that brings the schema up; `{version}` is replaced by the version that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<Vec<String>>,
    /// Its way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Vec<String>>,
    /// Time for one step.
    #[serde(default = "ten_minutes")]
    pub timeout: Span,
    /// How long a script waits for a lock: behind it everybody else waits, too. What does not get it changes nothing and is tried
    /// again.
    #[serde(default = "five_seconds")]
    pub lock_timeout: Span,
}

const fn five_seconds() -> Span {
    Span::secs(5)
}

const fn an_hour() -> Span {
    Span::secs(3_600)
}

/// A migration, as it was when somebody looked at it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Migration {
    /// Its version: what its file's name begins with.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// The digest of its script, in hexadecimal.
    pub checksum: String,
    /// It runs in a transaction: when it fails it has changed nothing.
    pub transactional: bool,
    /// It drops something, so that going back does not bring the data back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drops: bool,
    /// Its way back, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Undo>,
}

/// The way back of a migration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Undo {
    /// The digest of its script, in hexadecimal.
    pub checksum: String,
    /// It runs in a transaction.
    pub transactional: bool,
    /// It drops something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drops: bool,
}

/// Where a migration stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MigrationState {
    /// Which.
    #[serde(flatten)]
    pub migration: Migration,
    /// The database has it.
    pub applied: bool,
    /// The database has it with another script.
    pub changed: bool,
}

/// What changes a database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum DataAction {
    /// Applies migrations, in this order: all of them or none where they are transactional. Those that are not come alone.
    Migrate {
        /// The database.
        database: DatabaseName,
        /// Which.
        migrations: Vec<Migration>,
    },
    /// Takes migrations back, in this order: the newest first.
    Undo {
        /// The database.
        database: DatabaseName,
        /// Which.
        migrations: Vec<Migration>,
    },
    /// Runs the program of another tool.
    Program {
        /// The database.
        database: DatabaseName,
        /// Its way back.
        undo: bool,
        /// To which version; none: all the way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Puts a backup in the place of what is there.
    Restore {
        /// The database.
        database: DatabaseName,
        /// The backup.
        file: String,
        /// SHA-256 of it, in hexadecimal.
        sha256: String,
    },
    /// Takes it back to a point in time.
    PointInTime {
        /// The database.
        database: DatabaseName,
        /// When.
        to: Timestamp,
    },
}

impl DataAction {
    /// The database.
    pub const fn database(&self) -> &DatabaseName {
        match self {
            Self::Migrate { database, .. }
            | Self::Undo { database, .. }
            | Self::Program { database, .. }
            | Self::Restore { database, .. }
            | Self::PointInTime { database, .. } => database,
        }
    }
}

/// What is asked of a database.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum DataAsk {
    /// Apply these migrations, the oldest first.
    Migrate {
        /// As the sender saw them.
        migrations: Vec<Migration>,
    },
    /// Take these migrations back, the newest first.
    Undo {
        /// As the sender saw them.
        migrations: Vec<Migration>,
    },
    /// Run the program that brings the schema up, or back.
    Program {
        /// Back.
        undo: bool,
        /// To which version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// Put a backup in the place of what is there.
    Restore {
        /// The backup.
        file: String,
        /// SHA-256 of it, in hexadecimal.
        sha256: String,
    },
    /// Take it back to a point in time.
    PointInTime {
        /// When.
        to: Timestamp,
    },
}

/// What a plan does to a database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataKind {
    /// Its schema goes up.
    Migrate,
    /// Its schema goes back.
    Undo,
    /// A backup takes its place.
    Restore,
    /// It goes back to a point in time.
    PointInTime,
}

impl DataKind {
    /// The noun on screen.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Migrate => "migration",
            Self::Undo => "way back of migrations",
            Self::Restore => "restore",
            Self::PointInTime => "point-in-time restore",
        }
    }
}

impl DataAsk {
    /// What a plan for it does.
    pub const fn kind(&self) -> DataKind {
        match self {
            Self::Migrate { .. } | Self::Program { undo: false, .. } => DataKind::Migrate,
            Self::Undo { .. } | Self::Program { undo: true, .. } => DataKind::Undo,
            Self::Restore { .. } => DataKind::Restore,
            Self::PointInTime { .. } => DataKind::PointInTime,
        }
    }
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
