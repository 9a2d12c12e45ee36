//! Databases that are changed: migrations with what goes wrong in them, their way back, backups put in the place of what is there.
//! The same on SQLite and on PostgreSQL; what is only PostgreSQL's is in `postgres`.

use std::path::Path;

use serde_json::{Value, json};
use unship::database::{ChangeError, Database};
use unship::model::database::{DataAction, Migration, MigrationState};

use super::database;

/// Scripts in a folder.
pub(crate) fn write(folder: &Path, scripts: &[(&str, &str)]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, sql) in scripts {
        std::fs::write(folder.join(name), sql).unwrap();
    }
}

/// A database with a folder of migrations, and a check: every item has a text.
pub(crate) fn with_folder(mut spec: Value, folder: &Path, url: &str) -> Database {
    spec["migrations"] = json!({ "folder": folder.to_str().unwrap(), "lock_timeout": "300ms" });
    spec["checks"] = json!([
        { "name": "items have a text", "sql": "SELECT count(*) FROM orders WHERE item IS NULL", "equals": "0" },
    ]);
    database("shop", spec, url)
}

pub(crate) async fn states(database: &Database) -> Vec<MigrationState> {
    database.migrations().await.unwrap()
}

/// The pending ones, as a command would name them.
pub(crate) async fn pending(database: &Database) -> Vec<Migration> {
    let states = states(database).await.into_iter();
    states.filter(|state| !state.applied).map(|state| state.migration).collect()
}

pub(crate) async fn applied(database: &Database) -> Vec<u64> {
    let states = states(database).await.into_iter();
    states.filter(|state| state.applied).map(|state| state.migration.version).collect()
}

pub(crate) fn apply(migrations: &[Migration]) -> DataAction {
    DataAction::Migrate { database: "shop".into(), migrations: migrations.to_vec() }
}

pub(crate) fn undo(migrations: &[Migration]) -> DataAction {
    DataAction::Undo { database: "shop".into(), migrations: migrations.to_vec() }
}

pub(crate) fn failed(result: Result<String, ChangeError>) -> String {
    match result {
        Err(ChangeError::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// The life of a schema: applied, seen, applied again without harm, refused where a script is another one, taken back; a script
/// that fails in the middle and one after which the data would be wrong leave everything as it was.
pub(crate) async fn life(database: &Database, folder: &Path, sum: impl AsyncFn() -> String) {
    write(
        folder,
        &[
            ("1_orders.up.sql", "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT);"),
            ("1_orders.down.sql", "DROP TABLE orders;"),
            ("2_some.up.sql", "INSERT INTO orders VALUES (1, 'a'), (2, 'b');"),
            ("2_some.down.sql", "DELETE FROM orders;"),
            ("3_note.sql", "ALTER TABLE orders ADD COLUMN note TEXT;"),
        ],
    );
    let all = pending(database).await;
    let told: Vec<_> = all.iter().map(|it| (it.version, it.undo.is_some(), it.drops)).collect();
    assert_eq!(told, [(1, true, false), (2, true, false), (3, false, false)]);
    assert!(all[0].undo.as_ref().unwrap().drops, "going back drops a table");

    let done = database.change(&apply(&all)).await.unwrap();
    assert_eq!(done, "applied: 1, 2, 3; 1 check holds");
    assert_eq!(applied(database).await, [1, 2, 3]);
    assert_eq!(database.schema().await.unwrap().version, Some(3), "the guardrail sees it");
    assert_eq!(database.change(&apply(&all)).await.unwrap(), "it was so already");
    let before = sum().await;

    // It fails in the middle: the first statement is undone, too.
    write(
        folder,
        &[("4_bad.sql", "INSERT INTO orders (id, item) VALUES (3, 'c'); INSERT INTO nowhere VALUES (1);")],
    );
    let why = failed(database.change(&apply(&pending(database).await)).await);
    assert!(why.contains("migration 4 (bad)") && why.ends_with("nothing was changed"), "{why}");
    assert_eq!((sum().await, applied(database).await), (before.clone(), vec![1, 2, 3]));

    // It would leave the data wrong: seen before it is committed.
    write(folder, &[("4_bad.sql", "INSERT INTO orders (id, item) VALUES (3, NULL);")]);
    let why = failed(database.change(&apply(&pending(database).await)).await);
    assert!(why.contains("then `items have a text` would not hold: expected 0, found 1"), "{why}");
    assert_eq!((sum().await, applied(database).await), (before.clone(), vec![1, 2, 3]));

    // It is another one than was agreed to, or has transactions of its own.
    let agreed = pending(database).await;
    write(folder, &[("4_bad.sql", "BEGIN; DELETE FROM orders; COMMIT;")]);
    let why = failed(database.change(&apply(&agreed)).await);
    assert!(why.contains("is another script than the one that was looked at"), "{why}");
    let why = failed(database.change(&apply(&pending(database).await)).await);
    assert!(why.contains("transactions of its own"), "{why}");
    assert_eq!(sum().await, before);

    // Outside a transaction what was done stays, and nobody claims otherwise.
    write(
        folder,
        &[(
            "4_bad.sql",
            "-- no-transaction\nINSERT INTO orders (id, item) VALUES (3, 'c'); INSERT INTO nowhere VALUES (1);",
        )],
    );
    let agreed = pending(database).await;
    assert!(!agreed[0].transactional);
    let why = failed(database.change(&apply(&agreed)).await);
    assert!(why.contains("what it did before that stays"), "{why}");
    std::fs::remove_file(folder.join("4_bad.sql")).unwrap();

    // A script that was changed after it was applied is seen.
    write(folder, &[("3_note.sql", "ALTER TABLE orders ADD COLUMN note VARCHAR;")]);
    assert!(states(database).await[2].changed);
    write(folder, &[("3_note.sql", "ALTER TABLE orders ADD COLUMN note TEXT;")]);

    let newest: Vec<Migration> = states(database).await.into_iter().rev().map(|it| it.migration).collect();
    let why = failed(database.change(&undo(&newest[..1])).await);
    assert!(why.contains("migration 3 (note) has no way back"), "{why}");
    assert_eq!(database.change(&undo(&newest[1..2])).await.unwrap(), "taken back: 2; 1 check holds");
    assert_eq!(applied(database).await, [1, 3]);
}
