//! A database that the real program migrates, takes back and restores, with a guard that leads.

use std::path::Path;
use std::process::Command;

use super::harness::{Fleet, text};

fn sqlite(file: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3").arg(file).arg(sql).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// The whole way: pending, shown, applied, seen by `db status`, taken back, spoiled by hand, restored.
#[tokio::test(flavor = "multi_thread")]
async fn there_and_back() {
    if Command::new("sqlite3").arg("-version").output().is_err() {
        eprintln!("skipped: there is no sqlite3; apt-get install sqlite3");
        return;
    }
    let fleet = Fleet::start().await;
    let (file, folder) = (fleet.path().join("shop.db"), fleet.path().join("migrations"));
    sqlite(
        &file,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT); INSERT INTO orders VALUES (1, 'a')",
    );
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("20260301_note.up.sql"), "ALTER TABLE orders ADD COLUMN note TEXT;").unwrap();
    std::fs::write(folder.join("20260301_note.down.sql"), "ALTER TABLE orders DROP COLUMN note;").unwrap();
    let added = format!(
        "\n[databases.shop]\nservices = [\"checkout\"]\nengine = {{ kind = \"sqlite\", file = {file:?} }}\nbackups = {:?}\n\
         migrations = {{ folder = {folder:?} }}\n",
        fleet.path().join("backups"),
    );
    fleet.reconfigure(|config| format!("{config}{added}"));
    let _guard = fleet.guard();

    let listed = fleet.run(&["db", "migrations", "shop"]).await;
    assert!(text(&listed.stdout).contains("20260301  note  pending"), "{}", text(&listed.stdout));
    let shown = fleet.run(&["db", "migrate", "shop", "--reason", "sprint 12", "--dry-run"]).await;
    let plan = text(&shown.stderr);
    assert!(plan.contains("apply 20260301 note, in a transaction"), "{plan}");
    assert!(
        !text(&sqlite(&file, ".schema orders").into_bytes()).contains("note"),
        "a dry run changes nothing"
    );

    let done = fleet.run(&["db", "migrate", "shop", "--reason", "sprint 12", "--yes"]).await;
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(sqlite(&file, ".schema orders").contains("note"));
    let status = fleet.run(&["db", "status"]).await;
    assert!(text(&status.stdout).contains("20260301"), "{}", text(&status.stdout));
    let again = fleet.run(&["db", "migrate", "shop", "--reason", "sprint 12", "--yes"]).await;
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));

    let back = fleet.run(&["db", "undo", "shop", "--reason", "it was wrong", "--yes"]).await;
    assert_eq!(back.status.code(), Some(0), "{}{}", text(&back.stdout), text(&back.stderr));
    assert!(text(&back.stderr).contains("drops data"), "{}", text(&back.stderr));
    assert!(!sqlite(&file, ".schema orders").contains("note"));

    let made = fleet.run(&["db", "backup", "shop"]).await;
    let backup = text(&made.stdout).split(',').next().unwrap().trim().to_owned();
    sqlite(&file, "DELETE FROM orders");
    let restored = fleet.run(&["db", "restore", "shop", &backup, "--reason", "a slip", "--yes"]).await;
    assert_eq!(restored.status.code(), Some(0), "{}{}", text(&restored.stdout), text(&restored.stderr));
    assert_eq!(sqlite(&file, "SELECT item FROM orders"), "a");
}
