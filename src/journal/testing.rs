//! What the journal's own tests share.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::model::event::Event;

use super::{Journal, SqliteJournal};

/// A directory of its own and the path of a journal in it.
pub(super) fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unship.db");
    (dir, path)
}

/// An open journal with a lease, and its token.
pub(super) async fn led() -> (TempDir, PathBuf, SqliteJournal, u64) {
    let (dir, path) = place();
    let journal = SqliteJournal::open(&path).await.unwrap();
    let token = journal.acquire("guard@test:1", Duration::from_mins(1)).await.unwrap().token;
    (dir, path, journal, token)
}

/// A small event that can be told from others.
pub(super) fn event(number: u64) -> Event {
    Event::LeaderChanged { holder: format!("guard@test:{number}"), program: "0.1.0".to_owned() }
}

/// A whole number of seconds since 1970.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Appends `count` events, `batch` at a time.
pub(super) async fn fill(journal: &SqliteJournal, token: u64, count: u64, batch: usize) {
    let events: Vec<_> = (1..=count).map(event).collect();
    for events in events.chunks(batch) {
        journal.append(token, at(1_000), events, &[]).await.unwrap();
    }
}

/// Runs statements on the file as another program would.
pub(super) async fn meddle(path: &std::path::Path, sql: &'static str) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A decision without much in it.
pub(super) fn decision() -> crate::model::decision::Decision {
    crate::model::decision::Decision {
        id: "d-1".into(),
        service: "checkout".into(),
        at: at(1),
        recommendation: crate::model::decision::Recommendation::Watch,
        confidence: 0.5,
        reasons: Vec::new(),
        findings: Vec::new(),
        unknowns: Vec::new(),
        guardrails: Vec::new(),
        from: None,
        to: None,
        acted: false,
        would_change: Vec::new(),
    }
}
