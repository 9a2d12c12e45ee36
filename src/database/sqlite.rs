//! SQLite: the file is opened for reading alone. Backups are made by SQLite itself, beside whoever writes.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::{Engine, as_text};
use crate::model::database::SqliteSpec;

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
}
