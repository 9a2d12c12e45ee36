//! SQLite: to look, the file is opened for reading alone. Backups are made by SQLite itself, beside whoever writes.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};
use tokio::process::Command;

use super::migrate::{self, Applied, Run, Session, TABLE};
use super::{ChangeError, Engine, as_text};
use crate::model::database::SqliteSpec;
use crate::model::output::escape;
use crate::process::start;

/// One SQLite file.
pub(super) struct Sqlite {
    file: String,
}

impl Sqlite {
    pub(super) fn new(spec: &SqliteSpec) -> Self {
        Self { file: spec.file.clone() }
    }

    async fn open(&self, file: &str) -> Result<SqliteConnection, String> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true).create_if_missing(false);
        SqliteConnection::connect_with(&options).await.map_err(|error| format!("`{file}`: {error}"))
    }

    async fn texts(&self, file: &str, sql: &str) -> Result<Vec<Option<String>>, String> {
        let mut connection = self.open(file).await?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await;
        let rows = rows.map_err(|error| error.to_string())?;
        rows.iter().map(|row| row.try_get(0).map_err(|error| error.to_string())).collect()
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn value(&self, sql: &str) -> Result<Option<String>, String> {
        Ok(self.texts(&self.file, &as_text(sql)).await?.into_iter().next().flatten())
    }

    async fn column(&self, sql: &str) -> Result<Vec<String>, String> {
        Ok(self.texts(&self.file, sql).await?.into_iter().flatten().collect())
    }

    async fn columns(&self, table: &str) -> Result<Vec<String>, String> {
        self.column(&format!("SELECT name FROM pragma_table_info('{table}')")).await
    }

    /// `VACUUM INTO` reads one snapshot and writes nothing into the file that it reads.
    async fn back_up(&self, file: &str) -> Result<String, String> {
        let tables = "SELECT CAST(count(*) AS TEXT) FROM sqlite_schema";
        let quoted = file.replace('\'', "''");
        let mut connection = self.open(&self.file).await?;
        let made = sqlx::query(sqlx::AssertSqlSafe(format!("VACUUM INTO '{quoted}'")));
        made.execute(&mut connection).await.map_err(|error| format!("`{file}`: {error}"))?;
        drop(connection);
        let verdict = self.texts(file, "PRAGMA integrity_check").await?;
        let verdict: Vec<String> = verdict.into_iter().flatten().collect();
        if verdict != ["ok"] {
            return Err(format!("the backup is not whole: {}", verdict.join("; ")));
        }
        let count = |texts: Vec<Option<String>>| texts.into_iter().flatten().next().unwrap_or_default();
        let (here, there) =
            (count(self.texts(&self.file, tables).await?), count(self.texts(file, tables).await?));
        if here != there {
            return Err(format!("the backup has {there} tables and indexes, the database {here}"));
        }
        Ok(format!("integrity check passed, {there} tables and indexes"))
    }

    fn ending(&self) -> &'static str {
        "sqlite"
    }

    async fn applied(&self) -> Result<Applied, String> {
        if self.columns(TABLE).await?.is_empty() {
            return Ok(Applied::default());
        }
        let rows = format!("SELECT version || ' ' || lower(hex(checksum)) FROM {TABLE} WHERE success");
        let failed = format!("SELECT version FROM {TABLE} WHERE NOT success LIMIT 1");
        Applied::read(&self.column(&rows).await?, self.value(&failed).await?.as_deref())
    }

    async fn migrate(&self, run: &Run) -> Result<String, ChangeError> {
        let options = SqliteConnectOptions::new()
            .filename(&self.file)
            .create_if_missing(false)
            .busy_timeout(run.lock_timeout);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| {
            ChangeError::Transient(format!("nothing was changed: `{}`: {error}", self.file))
        })?;
        let done = migrate::run(&mut connection, run).await;
        let _ = connection.close().await;
        done
    }

    async fn read_backup(&self, file: &str) -> Result<String, String> {
        let verdict: Vec<String> =
            self.texts(file, "PRAGMA integrity_check").await?.into_iter().flatten().collect();
        if verdict != ["ok"] {
            return Err(format!("`{file}` is not whole: {}", verdict.join("; ")));
        }
        let tables = self.texts(file, "SELECT name FROM sqlite_schema WHERE type = 'table'").await?.len();
        Ok(format!("integrity check passed, {tables} tables"))
    }

    /// By SQLite's own program, whose backup API writes all pages in one transaction beside whoever reads.
    async fn restore(&self, file: &str, lock_timeout: Duration) -> Result<String, String> {
        let quoted = file.replace('\'', "''");
        let mut command = Command::new("sqlite3");
        command
            .args(["-bail", &self.file])
            .arg(format!(".timeout {}", lock_timeout.as_millis()))
            .arg(format!(".restore '{quoted}'"));
        let (child, mut group) = start(&mut command)
            .map_err(|error| format!("nothing was changed: `sqlite3` cannot be started: {error}"))?;
        let output = child.wait_with_output().await.map_err(|error| format!("`sqlite3`: {error}"))?;
        group.disarm();
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || !said.trim().is_empty() {
            let last = said.lines().last().unwrap_or_default();
            return Err(format!(
                "nothing was changed: `sqlite3` ended with {}: {}",
                output.status,
                escape(last)
            ));
        }
        self.read_backup(&self.file).await
    }
}

#[async_trait]
impl Session for SqliteConnection {
    // One that began by reading could lose the right to write.
    const BEGIN: &'static str = "BEGIN IMMEDIATE";

    async fn text(&mut self, sql: &str) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(self).await?;
        row.map_or(Ok(None), |row| row.try_get(0))
    }
}
