//! Every way of tampering is found, with its place, and does not hide another.

use std::fs;

use sqlx::{ConnectOptions as _, Connection as _};

use super::super::testing::{fill, led, meddle};
use super::super::{Journal, JournalError, Snapshot, SqliteJournal};
use super::*;

/// A whole journal has no faults and names its end.
#[tokio::test]
async fn a_whole_journal_is_whole() {
    let (_dir, _path, journal, token) = led().await;
    let empty = Verification { entries: 0, head: String::new(), faults: Vec::new() };
    assert_eq!(journal.verify().await.unwrap(), empty);
    fill(&journal, token, 2_500, 700).await;
    let head = journal.read(2_499, 1).await.unwrap()[0].hash.clone();
    assert_eq!(journal.verify().await.unwrap(), Verification { entries: 2_500, head, faults: Vec::new() });
}

/// Each change of a stored entry is found at that entry.
#[tokio::test]
async fn each_change_is_found() {
    for (change, faults) in [
        (
            "UPDATE entries SET body = replace(body, '0.1.0', '0.1.1') WHERE seq = 4",
            vec!["entry 4: the chain is broken"],
        ),
        ("UPDATE entries SET at = at + 1 WHERE seq = 4", vec!["entry 4: the chain is broken"]),
        ("UPDATE entries SET token = 2 WHERE seq = 4", vec!["entry 4: the chain is broken"]),
        (
            "UPDATE entries SET hash = zeroblob(32) WHERE seq = 4",
            vec!["entry 4: the chain", "entry 5: the chain"],
        ),
        ("UPDATE entries SET hash = zeroblob(3) WHERE seq = 4", vec!["entry 4: its hash has not 32 bytes"]),
        (
            "UPDATE entries SET version = 2 WHERE seq = 4",
            vec!["entry 4: the chain", "entry 4: written by a newer unship (event version 2"],
        ),
        (
            "UPDATE entries SET body = '{}' WHERE seq = 4",
            vec!["entry 4: the chain", "entry 4: not an event of unship"],
        ),
        ("DELETE FROM entries WHERE seq = 4", vec!["entry 4: it is missing"]),
        ("DELETE FROM entries WHERE seq < 4", vec!["entries 1 to 3: they are missing"]),
        (
            "UPDATE entries SET seq = -2 WHERE seq = 4",
            vec!["entry -2: its place is before the first", "entry 4: it is missing"],
        ),
        // An entry that was put in or exchanged with its own hash recomputed would still not fit the next one.
        (
            "UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 1) WHERE seq = 10",
            vec!["entry 10: the chain is broken"],
        ),
    ] {
        let (_dir, path, journal, token) = led().await;
        fill(&journal, token, 10, 10).await;
        meddle(&path, change).await;
        let found = journal.verify().await.unwrap();
        assert_eq!(found.faults.len(), faults.len(), "{change}: {:?}", found.faults);
        for (found, expected) in found.faults.iter().zip(faults) {
            assert!(found.starts_with(expected), "{change}: {found}");
        }
    }
}

/// One fault does not hide the next.
#[tokio::test]
async fn every_fault_is_listed() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 3_000, 1_000).await;
    meddle(
        &path,
        "UPDATE entries SET body = replace(body, '0.1.0', '0.1.1') WHERE seq IN (3, 1500, 3000); \
         DELETE FROM entries WHERE seq BETWEEN 2000 AND 2009",
    )
    .await;
    let found = journal.verify().await.unwrap();
    let places: Vec<_> = found.faults.iter().map(|fault| fault.split(':').next().unwrap()).collect();
    assert_eq!(places, ["entry 3", "entry 1500", "entries 2000 to 2009", "entry 3000"]);
    assert_eq!(found.entries, 2_990);
    assert_eq!(found.head, journal.read(2_998, 1).await.unwrap()[0].hash);
}

/// A journal with more faults than anyone reads says how many more there are.
#[tokio::test]
async fn the_list_of_faults_ends() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, LISTED as u64 + 7, 2_000).await;
    meddle(&path, "UPDATE entries SET at = at + 1").await;
    let found = journal.verify().await.unwrap();
    assert_eq!(found.faults.len(), LISTED + 1);
    assert_eq!(found.faults.last().unwrap(), "and 7 more");
    assert_eq!(found.head, "");
}

/// An end that was cut off is noticed if a snapshot remembers it.
#[tokio::test]
async fn a_lost_end_is_noticed() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 10, 10).await;
    let hash = journal.read(8, 1).await.unwrap()[0].hash.clone();
    journal.save_snapshot(1, &Snapshot { seq: 9, hash, state: "{}".to_owned() }).await.unwrap();
    meddle(&path, "DELETE FROM entries WHERE seq > 7").await;
    let found = journal.verify().await.unwrap();
    assert_eq!(found.faults, ["entry 9: a snapshot was made of it, but it is not there"]);
}

/// Pages that hold nothing but noise cost the entries on them; all the others are read and checked.
#[tokio::test]
async fn damaged_pages_cost_only_their_entries() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 2_000, 500).await;
    journal.close().await;
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let leaves: Vec<i64> = sqlx::query_scalar(
        "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'leaf' ORDER BY path",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    let mut file = fs::read(&path).unwrap();
    let last = leaves.len() - 1;
    for leaf in [leaves[3], leaves[4], leaves[10], leaves[last]] {
        let start = (leaf as usize - 1) * 4_096;
        file[start..start + 4_096].fill(0xAB);
    }
    fs::write(&path, &file).unwrap();

    let journal = SqliteJournal::open(&path).await.unwrap();
    let found = journal.verify().await.unwrap();
    assert_eq!(found.faults.len(), 3, "{:?}", found.faults);
    assert!(found.faults[2].contains("and what comes after it"), "{:?}", found.faults);
    assert!(found.faults.iter().all(|fault| fault.contains("cannot be read")), "{:?}", found.faults);
    let expected = 2_000 * (leaves.len() as u64 - 4) / leaves.len() as u64;
    assert!(found.entries.abs_diff(expected) < 100, "{} of {expected}", found.entries);

    // Reading gives what is before the damage, then says so; appending after a damaged end is refused.
    let first = journal.read(0, 2_000).await.unwrap();
    let error = journal.read(first.len() as u64, 10).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    let error = journal.append(token, first[0].at, &[first[0].event.clone()], &[]).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
}
