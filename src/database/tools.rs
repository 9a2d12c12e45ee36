//! The schema version, from the tables that the common migration tools keep.
//!
//! Sources: the tools' own documentation of their tables: sqlx `_sqlx_migrations`, golang-migrate and Rails
//! `schema_migrations`, Flyway `flyway_schema_history`, Liquibase `databasechangelog`, Prisma `_prisma_migrations`.

use super::Engine;
use crate::model::database::SchemaState;

/// Migrations that are told.
const TOLD: usize = 10;

/// A tool, the table that it is known by, and what its table says.
struct Tool {
    name: &'static str,
    table: &'static str,
    /// A column that only its table has, where two tools call their tables the same.
    column: &'static str,
    /// The newest migration that is complete.
    version: &'static str,
    /// All that are complete, newest first.
    migrations: &'static str,
    /// One that failed half-way.
    failed: Option<&'static str>,
}

const TOOLS: [Tool; 6] = [
    Tool {
        name: "sqlx",
        table: "_sqlx_migrations",
        column: "checksum",
        version: "SELECT max(version) FROM _sqlx_migrations WHERE success",
        migrations: "SELECT version || ' ' || description FROM _sqlx_migrations WHERE success ORDER BY version DESC",
        failed: Some("SELECT version FROM _sqlx_migrations WHERE NOT success LIMIT 1"),
    },
    Tool {
        name: "golang-migrate",
        table: "schema_migrations",
        column: "dirty",
        version: "SELECT version FROM schema_migrations WHERE NOT dirty",
        migrations: "SELECT CAST(version AS TEXT) FROM schema_migrations WHERE NOT dirty",
        failed: Some("SELECT version FROM schema_migrations WHERE dirty"),
    },
    Tool {
        name: "rails",
        table: "schema_migrations",
        column: "version",
        version: "SELECT max(CAST(version AS BIGINT)) FROM schema_migrations",
        migrations: "SELECT CAST(version AS TEXT) FROM schema_migrations ORDER BY CAST(version AS BIGINT) DESC",
        failed: None,
    },
    Tool {
        name: "flyway",
        table: "flyway_schema_history",
        column: "installed_rank",
        version: "SELECT version FROM flyway_schema_history WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC LIMIT 1",
        migrations: "SELECT version || ' ' || description FROM flyway_schema_history WHERE success AND version IS NOT NULL ORDER BY installed_rank DESC",
        failed: Some("SELECT version FROM flyway_schema_history WHERE NOT success LIMIT 1"),
    },
    Tool {
        name: "liquibase",
        table: "databasechangelog",
        column: "orderexecuted",
        version: "SELECT max(orderexecuted) FROM databasechangelog",
        migrations: "SELECT id || ' by ' || author FROM databasechangelog ORDER BY orderexecuted DESC",
        failed: None,
    },
    Tool {
        name: "prisma",
        table: "_prisma_migrations",
        column: "migration_name",
        version: "SELECT max(substr(migration_name, 1, 14)) FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL",
        migrations: "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY migration_name DESC",
        failed: Some(
            "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL LIMIT 1",
        ),
    },
];

/// The schema's version: by the config's query, else by the first tool whose table is there.
pub(super) async fn schema(engine: &dyn Engine, query: Option<&str>) -> Result<SchemaState, String> {
    if let Some(query) = query {
        let value = engine.value(query).await?;
        return Ok(SchemaState {
            version: value.as_deref().map(number).transpose()?,
            told_by: "query".to_owned(),
            migrations: Vec::new(),
            failed: None,
        });
    }
    for tool in &TOOLS {
        let columns = engine.columns(tool.table).await?;
        if !columns.iter().any(|column| column.eq_ignore_ascii_case(tool.column)) {
            continue;
        }
        let value = engine.value(tool.version).await?;
        let mut migrations = engine.column(&format!("{} LIMIT {TOLD}", tool.migrations)).await?;
        migrations.truncate(TOLD);
        let failed = match tool.failed {
            Some(query) => engine.value(query).await?,
            None => None,
        };
        return Ok(SchemaState {
            version: value.as_deref().map(number).transpose()?,
            told_by: tool.name.to_owned(),
            migrations,
            failed,
        });
    }
    Ok(SchemaState { version: None, told_by: "nothing".to_owned(), migrations: Vec::new(), failed: None })
}

/// A version as a number that only grows. `3` and `20240101120000` are some; of `2.1` nobody knows what comes after it.
fn number(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| {
        format!("the schema version `{text}` is no whole number: give a query that makes one of it (`version = \"SELECT …\"`)")
    })
}
