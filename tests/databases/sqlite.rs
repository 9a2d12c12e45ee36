//! SQLite.

use std::path::PathBuf;

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};
use tempfile::TempDir;
use unship::database::ChangeError;
use unship::model::database::DataAction;
use unship::model::validation::TrialOutcome::{Failed, NotRun, Passed};

use super::{changes, checked, database, names, one_value};

/// A folder with files that statements made.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn run(&self, name: &str, statements: &str) {
        let options = SqliteConnectOptions::new().filename(self.path(name)).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn sum(&self, file: &str) -> (i64, i64) {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let row =
            sqlx::query("SELECT count(*), sum(length(item) * id) FROM orders").fetch_one(&mut connection);
        let row = row.await.unwrap();
        (row.get(0), row.get(1))
    }

    fn spec(&self, name: &str) -> serde_json::Value {
        json!({
            "engine": { "kind": "sqlite", "file": self.path(name).to_str().unwrap() },
            "backups": self.path("backups").to_str().unwrap(),
        })
    }
}

const ORDERS: &str = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
    INSERT INTO orders SELECT i, 'item ' || i FROM n;";

/// Each tool's own table tells the version; a migration that failed half-way is told; a version that is no number says what to do.
#[tokio::test]
async fn the_tools() {
    let files = Files::new();
    let tables = [
        (
            "sqlx",
            "CREATE TABLE _sqlx_migrations (version BIGINT, description TEXT, success BOOLEAN, checksum BLOB); \
             INSERT INTO _sqlx_migrations VALUES (20260101, 'orders', 1, x''), (20260301, 'carts', 1, x''), (20260401, 'bad', 0, x'');",
            Some(20_260_301),
            Some("20260401"),
        ),
        (
            "golang-migrate",
            "CREATE TABLE schema_migrations (version BIGINT, dirty BOOLEAN); INSERT INTO schema_migrations VALUES (12, 0);",
            Some(12),
            None,
        ),
        (
            "rails",
            "CREATE TABLE schema_migrations (version VARCHAR); INSERT INTO schema_migrations VALUES ('9'), ('20240101120000');",
            Some(20_240_101_120_000),
            None,
        ),
        (
            "flyway",
            "CREATE TABLE flyway_schema_history (installed_rank INT, version VARCHAR, description VARCHAR, success BOOLEAN); \
             INSERT INTO flyway_schema_history VALUES (1, '1', 'init', 1), (2, '2', 'carts', 1), (3, NULL, 'view', 1);",
            Some(2),
            None,
        ),
        (
            "liquibase",
            "CREATE TABLE databasechangelog (id TEXT, author TEXT, orderexecuted INT); \
             INSERT INTO databasechangelog VALUES ('a', 'ana', 1), ('b', 'ana', 2);",
            Some(2),
            None,
        ),
        (
            "prisma",
            "CREATE TABLE _prisma_migrations (migration_name TEXT, finished_at TEXT, rolled_back_at TEXT); \
             INSERT INTO _prisma_migrations VALUES ('20240101120000_init', 'x', NULL), ('20240201120000_bad', NULL, NULL);",
            Some(20_240_101_120_000),
            Some("20240201120000_bad"),
        ),
        ("nothing", "CREATE TABLE orders (id INTEGER);", None, None),
    ];
    for (tool, statements, version, failed) in tables {
        files.run(tool, statements).await;
        let schema = database("shop", files.spec(tool), "").schema().await.unwrap();
        assert_eq!((schema.told_by.as_str(), schema.version), (tool, version));
        assert_eq!(schema.failed.as_deref(), failed, "{tool}");
    }
    files
        .run(
            "dotted",
            "CREATE TABLE flyway_schema_history (installed_rank INT, version VARCHAR, description VARCHAR, success BOOLEAN); \
             INSERT INTO flyway_schema_history VALUES (1, '2.1', 'init', 1);",
        )
        .await;
    let why = database("shop", files.spec("dotted"), "").schema().await.unwrap_err();
    assert!(why.contains("`2.1` is no whole number"), "{why}");
    let mut spec = files.spec("dotted");
    spec["version"] = json!("SELECT 201");
    assert_eq!(database("shop", spec, "").schema().await.unwrap().version, Some(201));
    let why = database("shop", files.spec("none"), "").schema().await.unwrap_err();
    assert!(why.contains("none"), "{why}");
    assert!(!files.path("none").exists(), "to look is not to make");
}

/// What holds, what does not, what cannot be said; two databases that must agree; nothing can be changed by a check.
#[tokio::test]
async fn checks() {
    let files = Files::new();
    files.run("shop", ORDERS).await;
    files.run("ledger", "CREATE TABLE entries (id INTEGER); INSERT INTO entries VALUES (1), (2);").await;
    let mut spec = files.spec("shop");
    spec["checks"] = json!([
        one_value("SELECT count(*) FROM orders;", &json!({ "equals": "5000.0" })),
        one_value("SELECT count(*) FROM orders", &json!({ "at_least": 5001.0 })),
        one_value("SELECT 7", &json!({ "at_least": 1.0, "at_most": 7.0 })),
        one_value("SELECT item FROM orders WHERE id = 0", &json!({ "at_most": 3.0 })),
        one_value(
            "SELECT count(*) FROM orders",
            &json!({ "agrees_with": { "database": "ledger", "sql": "SELECT count(*) FROM entries" } })
        ),
        one_value("SELECT count(*) FROM nowhere", &json!({ "equals": "0" })),
        one_value("DELETE FROM orders", &json!({ "equals": "0" })),
    ]);
    let shop = database("shop", spec, "");
    let ledger = database("ledger", files.spec("ledger"), "");
    let seen = checked(&shop, &[("ledger", ledger)]).await;
    let outcomes: Vec<_> = seen.iter().map(|(outcome, _)| *outcome).collect();
    assert_eq!(outcomes, [Passed, Failed, Passed, Failed, Failed, NotRun, NotRun], "{seen:#?}");
    assert_eq!(seen[4].1, "5000 here, 2 in ledger");
    assert_eq!(seen[3].1, "expected a number, found nothing");
    assert_eq!(files.sum(files.path("shop").to_str().unwrap()).await.0, 5_000);
}

/// A backup holds the same, also while somebody writes; one that cannot be made leaves nothing behind.
#[tokio::test]
async fn backups() {
    let files = Files::new();
    files.run("shop", &format!("PRAGMA journal_mode = WAL; {ORDERS}")).await;
    let shop = database("shop", files.spec("shop"), "");
    let backup = shop.back_up().await.unwrap();
    let original = files.path("shop");
    assert_eq!(files.sum(&backup.file).await, files.sum(original.to_str().unwrap()).await);
    assert!(backup.verified.contains("integrity check passed"), "{backup:?}");
    let sha = std::process::Command::new("sha256sum").arg(&backup.file).output().unwrap();
    assert!(String::from_utf8_lossy(&sha.stdout).starts_with(&backup.sha256));

    // Another one within the same second is another file.
    let (first, second) = (shop.back_up().await.unwrap(), shop.back_up().await.unwrap());
    assert!(backup.file != first.file && first.file != second.file, "{} {}", first.file, second.file);

    std::fs::write(files.path("broken"), "this is no database, whatever its name says").unwrap();
    let broken = database("broken", files.spec("broken"), "");
    assert!(broken.back_up().await.is_err());
    let mut spec = files.spec("shop");
    spec["backups"] = json!(original.to_str().unwrap());
    assert!(database("shop", spec, "").back_up().await.is_err());
    assert_eq!(
        names(&files.path("backups")).len(),
        3,
        "half a backup is left: {:?}",
        names(&files.path("backups"))
    );
}

/// The disk is full: it is said, and nothing is left behind. Needs the right to mount a small disk.
#[tokio::test]
async fn a_full_disk() {
    let files = Files::new();
    files.run("shop", ORDERS).await;
    let folder = files.path("backups");
    std::fs::create_dir(&folder).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none", folder.to_str().unwrap()])
        .output();
    if !mounted.is_ok_and(|mounted| mounted.status.success()) {
        eprintln!("skipped: no right to mount a disk of 64 KiB");
        return;
    }
    let full = database("shop", files.spec("shop"), "").back_up().await;
    let left = names(&folder);
    assert!(std::process::Command::new("umount").arg(&folder).status().unwrap().success());
    let why = full.unwrap_err();
    assert!(why.contains("full"), "{why}");
    assert_eq!(left, Vec::<String>::new());
}

/// A schema goes up and back; see [`changes::life`].
#[tokio::test]
async fn migrations() {
    let files = Files::new();
    files.run("shop", "CREATE TABLE other (id INTEGER)").await;
    let folder = files.path("migrations");
    let shop = changes::with_folder(files.spec("shop"), &folder, "");
    let file = files.path("shop");
    let sum = async || format!("{:?}", files.sum(file.to_str().unwrap()).await);
    changes::life(&shop, &folder, sum).await;
}

/// Somebody else writes: what does not get the lock in time changes nothing and says that it may go better.
#[tokio::test]
async fn a_lock_that_is_not_to_be_had() {
    let files = Files::new();
    files.run("shop", ORDERS).await;
    let folder = files.path("migrations");
    changes::write(&folder, &[("1_note.sql", "ALTER TABLE orders ADD COLUMN note TEXT;")]);
    let shop = changes::with_folder(files.spec("shop"), &folder, "");
    let pending = changes::pending(&shop).await;
    let options = SqliteConnectOptions::new().filename(files.path("shop"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let locked = shop.change(&changes::apply(&pending)).await;
    assert!(
        matches!(&locked, Err(ChangeError::Transient(why)) if why.contains("nothing was changed")),
        "{locked:?}"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(shop.change(&changes::apply(&pending)).await.unwrap(), "applied: 1; 1 check holds");
}

/// A backup takes the place of what is there; one that is another file than was agreed to, or is none, changes nothing.
#[tokio::test]
async fn restoring() {
    if std::process::Command::new("sqlite3").arg("-version").output().is_err() {
        assert!(
            !std::env::var("UNSHIP_TEST_REQUIRES").unwrap_or_default().contains("postgres"),
            "where PostgreSQL is required, sqlite3 is too"
        );
        eprintln!("skipped: there is no sqlite3; apt-get install sqlite3");
        return;
    }
    let files = Files::new();
    files.run("shop", ORDERS).await;
    let shop = database("shop", files.spec("shop"), "");
    let backup = shop.back_up().await.unwrap();
    let original = files.path("shop");
    let sum = async || files.sum(original.to_str().unwrap()).await;
    let before = sum().await;
    files.run("shop", "DELETE FROM orders WHERE id > 10; CREATE TABLE more (id INTEGER)").await;
    let after = sum().await;
    let restore = |file: &str, sha256: &str| DataAction::Restore {
        database: "shop".into(),
        file: file.to_owned(),
        sha256: sha256.to_owned(),
    };
    std::fs::write(files.path("none"), "this is no database, whatever its name says").unwrap();
    for (file, sha256) in [
        (backup.file.as_str(), "0".repeat(64)),
        (files.path("none").to_str().unwrap(), backup.sha256.clone()),
        ("/nowhere", backup.sha256.clone()),
    ] {
        let why = changes::failed(shop.change(&restore(file, &sha256)).await);
        assert!(why.contains("nothing was changed"), "{why}");
    }
    // Somebody writes and does not end: nothing is restored.
    let options = SqliteConnectOptions::new().filename(files.path("shop"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE; DELETE FROM orders WHERE id = 1").execute(&mut other).await.unwrap();
    let why = changes::failed(shop.change(&restore(&backup.file, &backup.sha256)).await);
    assert!(why.contains("nothing was changed"), "{why}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(sum().await, after);

    let said = shop.change(&restore(&backup.file, &backup.sha256)).await.unwrap();
    assert!(said.contains("integrity check passed"), "{said}");
    assert_eq!(sum().await, before);
}
