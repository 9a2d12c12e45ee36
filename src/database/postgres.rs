//! PostgreSQL: queries in transactions that cannot write; backups by its own `pg_dump`, read again and restored by `pg_restore`.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Row as _};
use tokio::process::Command;

use super::migrate::{self, Applied, Run, Session, TABLE};
use super::{ChangeError, Engine, as_text};
use crate::model::database::PostgresSpec;
use crate::model::output::escape;
use crate::model::secret::Secrets;
use crate::process::start;

/// One database of a PostgreSQL server.
pub(super) struct Postgres {
    options: PgConnectOptions,
    /// For the programs: never on a command line, where everybody sees it.
    env: Vec<(&'static str, String)>,
}

impl Postgres {
    pub(super) fn new(spec: &PostgresSpec, secrets: &Secrets) -> Result<Self, String> {
        // The one provider of the house. Whoever was first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = secrets.get(&spec.url).ok_or_else(|| format!("the secret `{}` is not there", spec.url))?;
        let wrong = || {
            format!(
                "what `{}` holds is no address like `postgres://USER:PASSWORD@HOST:PORT/DATABASE`",
                spec.url
            )
        };
        let options = PgConnectOptions::from_str(url.expose()).map_err(|_| wrong())?;
        let parsed = Url::parse(url.expose()).map_err(|_| wrong())?;
        let decoded = |text: &str| percent_decoded(text);
        let mut env = Vec::new();
        let mut put = |name, value: Option<String>| env.extend(value.map(|value| (name, value)));
        put("PGHOST", parsed.host_str().filter(|host| !host.is_empty()).map(decoded));
        put("PGPORT", parsed.port().map(|port| port.to_string()));
        put("PGUSER", Some(parsed.username()).filter(|user| !user.is_empty()).map(decoded));
        put("PGPASSWORD", parsed.password().map(decoded));
        put(
            "PGDATABASE",
            Some(parsed.path().trim_start_matches('/')).filter(|it| !it.is_empty()).map(decoded),
        );
        for (key, value) in parsed.query_pairs() {
            match key.as_ref() {
                "sslmode" => put("PGSSLMODE", Some(value.into_owned())),
                "sslrootcert" => put("PGSSLROOTCERT", Some(value.into_owned())),
                "host" => put("PGHOST", Some(value.into_owned())),
                _ => {}
            }
        }
        Ok(Self { options, env })
    }

    async fn texts(&self, sql: &str) -> Result<Vec<Option<String>>, String> {
        let fault = |error: sqlx::Error| error.to_string();
        let mut connection = PgConnection::connect_with(&self.options).await.map_err(fault)?;
        sqlx::query("SET default_transaction_read_only = on")
            .execute(&mut connection)
            .await
            .map_err(fault)?;
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.map_err(fault)?;
        let texts = rows.iter().map(|row| row.try_get(0).map_err(fault)).collect();
        let _ = connection.close().await;
        texts
    }

    /// What is in a backup that can be read to its end: a line a part.
    async fn read_to_its_end(&self, file: &str) -> Result<Vec<String>, String> {
        let entries = self.entries(file).await?;
        // Every byte is read and unpacked; what comes of it is thrown away.
        self.program("pg_restore", &["--file", "/dev/null", file]).await?;
        Ok(entries)
    }

    /// What its list says is in a backup: a line a part.
    async fn entries(&self, file: &str) -> Result<Vec<String>, String> {
        let list = self.program("pg_restore", &["--list", file]).await?;
        let lines =
            list.lines().filter(|line| !line.trim_start().starts_with(';') && !line.trim().is_empty());
        Ok(lines.map(str::to_owned).collect())
    }

    async fn program(&self, name: &str, arguments: &[&str]) -> Result<String, String> {
        self.program_with(name, arguments, &[]).await
    }

    /// Runs one of its programs; what it says when it fails is the reason.
    async fn program_with(
        &self,
        name: &str,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> Result<String, String> {
        let mut command = Command::new(name);
        command
            .args(arguments)
            .envs(self.env.iter().map(|(name, value)| (*name, value.as_str())))
            .env("PGCONNECT_TIMEOUT", "10")
            .envs(more.iter().copied());
        let started = start(&mut command);
        let (child, mut group) = started.map_err(|error| format!("`{name}` cannot be started: {error}"))?;
        let output = child.wait_with_output().await.map_err(|error| format!("`{name}`: {error}"))?;
        group.disarm();
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last =
            said.lines().map(str::trim).find(|line| line.contains("error")).or_else(|| said.lines().last());
        Err(format!("`{name}` ended with {}: {}", output.status, escape(last.unwrap_or_default())))
    }
}

/// Text of an address without its escapes.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.filter(|_| bytes[at] == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[async_trait]
impl Engine for Postgres {
    async fn value(&self, sql: &str) -> Result<Option<String>, String> {
        Ok(self.texts(&as_text(sql)).await?.into_iter().next().flatten())
    }

    async fn column(&self, sql: &str) -> Result<Vec<String>, String> {
        Ok(self.texts(sql).await?.into_iter().flatten().collect())
    }

    async fn columns(&self, table: &str) -> Result<Vec<String>, String> {
        let sql = format!(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0"
        );
        self.column(&sql).await
    }

    async fn back_up(&self, file: &str) -> Result<String, String> {
        self.program("pg_dump", &["--format=custom", "--no-password", "--file", file]).await?;
        let dumped = tables_of(&self.read_to_its_end(file).await?).len();
        let there = self.column(TABLES).await?.len();
        if dumped < there {
            return Err(format!("the backup has the data of {dumped} tables, the database has {there}"));
        }
        Ok(format!("read to its end, data of {dumped} tables"))
    }

    fn ending(&self) -> &'static str {
        "dump"
    }

    async fn applied(&self) -> Result<Applied, String> {
        if self.columns(TABLE).await?.is_empty() {
            return Ok(Applied::default());
        }
        let rows = format!("SELECT version || ' ' || encode(checksum, 'hex') FROM {TABLE} WHERE success");
        let failed = format!("SELECT version FROM {TABLE} WHERE NOT success LIMIT 1");
        Applied::read(&self.column(&rows).await?, self.value(&failed).await?.as_deref())
    }

    async fn migrate(&self, run: &Run) -> Result<String, ChangeError> {
        let before = |error: sqlx::Error| ChangeError::Transient(format!("nothing was changed: {error}"));
        let mut connection = PgConnection::connect_with(&self.options).await.map_err(before)?;
        let limit = format!("SET lock_timeout = {}", run.lock_timeout.as_millis());
        sqlx::query(sqlx::AssertSqlSafe(limit)).execute(&mut connection).await.map_err(before)?;
        let done = migrate::run(&mut connection, run).await;
        let _ = connection.close().await;
        done
    }

    async fn read_backup(&self, file: &str) -> Result<String, String> {
        let entries = self.read_to_its_end(file).await?;
        Ok(format!("data of {} tables", tables_of(&entries).len()))
    }

    /// One transaction: what was there is taken away and the backup put in its place, or nothing happens.
    async fn restore(&self, file: &str, lock_timeout: Duration) -> Result<String, String> {
        let entries = self.entries(file).await?;
        let database = self.env.iter().find(|(name, _)| *name == "PGDATABASE");
        let database = database.map_or("postgres", |(_, value)| value.as_str());
        // Whoever reads a table holds it; behind a wait for it everybody else would wait, too.
        let options = format!("-c lock_timeout={}", lock_timeout.as_millis());
        let arguments = [
            "--clean",
            "--if-exists",
            "--single-transaction",
            "--exit-on-error",
            "--no-password",
            "--dbname",
            database,
            file,
        ];
        self.program_with("pg_restore", &arguments, &[("PGOPTIONS", &options)])
            .await
            .map_err(|why| format!("nothing was changed: {why}"))?;
        let dumped = tables_of(&entries);
        let there = self.column(TABLES).await?;
        let more: Vec<&str> =
            there.iter().map(String::as_str).filter(|table| !dumped.contains(*table)).collect();
        let more = if more.is_empty() {
            String::new()
        } else {
            format!("; the backup does not know {}, which stays as it is", more.join(", "))
        };
        Ok(format!("data of {} tables are as they were{more}", dumped.len()))
    }
}

/// The tables of a database, as `schema.name`.
const TABLES: &str = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' \
     AND n.nspname NOT LIKE 'pg_temp%' ORDER BY 1";

/// The tables whose data a backup has, by the lines of its list: `215; 0 16390 TABLE DATA public orders shop`.
fn tables_of(entries: &[String]) -> BTreeSet<String> {
    let named = entries.iter().filter_map(|entry| {
        let mut words = entry.split_once(" TABLE DATA ")?.1.split(' ');
        Some(format!("{}.{}", words.next()?, words.next()?))
    });
    named.collect()
}

#[async_trait]
impl Session for PgConnection {
    const BEGIN: &'static str = "BEGIN";

    async fn text(&mut self, sql: &str) -> Result<Option<String>, sqlx::Error> {
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_optional(self).await?;
        row.map_or(Ok(None), |row| row.try_get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::{Secret, SecretRef};

    /// The parts of an address reach the programs by their environment, decoded; no error repeats it.
    #[test]
    fn an_address() {
        let reference = SecretRef::Env("URL".to_owned());
        let of = |url: &str| {
            let mut secrets = Secrets::default();
            secrets.insert(reference.clone(), Secret::new(url));
            Postgres::new(&PostgresSpec { url: reference.clone() }, &secrets)
        };
        let server = of("postgres://shop:p%40ss%2Fword@db.example.com:5433/shop?sslmode=require").unwrap();
        let value =
            |name: &str| server.env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
        assert_eq!((value("PGPASSWORD"), value("PGPORT")), (Some("p@ss/word"), Some("5433")));
        assert_eq!((value("PGDATABASE"), value("PGSSLMODE")), (Some("shop"), Some("require")));
        let why = of("secret-and-wrong").err().unwrap();
        assert!(!why.contains("secret-and-wrong") && why.contains("env:URL"), "{why}");
    }
}
