//! Opening files of every kind, and what happens when writing fails.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::super::testing::{at, event, fill, led, meddle, place};
use super::super::{Journal, SqliteJournal};
use super::*;
use crate::model::reading::ServiceReading;

const SHORT: Tuning = Tuning { patience: Duration::from_millis(200), max_pages: None };

/// Every file of the directory with its content.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// A path given by mistake (a text file, another program's database, a directory) is refused and left as it is.
#[tokio::test]
async fn a_foreign_file_is_left_alone() {
    let (dir, path) = place();
    let text = dir.path().join("notes.txt");
    fs::write(&text, "not a database, but longer than the header of one would be ".repeat(20)).unwrap();
    let other = dir.path().join("other.db");
    meddle(&other, "CREATE TABLE t (x); INSERT INTO t VALUES (1)").await;
    let marked = dir.path().join("marked.db");
    meddle(&marked, "PRAGMA application_id = 77; CREATE TABLE t (x)").await;
    let versioned = dir.path().join("versioned.db");
    meddle(&versioned, "PRAGMA user_version = 3").await;
    let before = contents(dir.path());
    for path in [&text, &other, &marked, &versioned] {
        for tried in [SqliteJournal::open(path).await, SqliteJournal::open_read_only(path).await] {
            let error = tried.unwrap_err();
            assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
            assert!(error.to_string().contains("`store.path`"), "{error}");
        }
    }
    assert_eq!(contents(dir.path()), before);
    let error = SqliteJournal::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
    let error = SqliteJournal::open(&path.join("below")).await.unwrap_err();
    assert!(error.to_string().contains("does not exist; make it first"), "{error}");
    let error = SqliteJournal::open_read_only(&path).await.unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
}

/// An empty file is taken (a crash can leave one), and a path that looks like one of SQLite's addresses is a path.
#[tokio::test]
async fn an_empty_file_becomes_a_journal() {
    let (dir, path) = place();
    fs::write(&path, "").unwrap();
    let error = SqliteJournal::open_read_only(&path).await.unwrap_err();
    assert!(matches!(error, JournalError::Foreign { .. }), "{error}");
    for name in ["unship.db", "file:odd?mode=memory", "with space %20 #.db", ":memory:"] {
        let path = dir.path().join(name);
        let journal = SqliteJournal::open(&path).await.unwrap();
        let token = journal.acquire("a", Duration::ZERO).await.unwrap().token;
        fill(&journal, token, 1, 1).await;
        journal.close().await;
        assert!(fs::metadata(&path).unwrap().len() > 0, "{name}");
        let journal = SqliteJournal::open_read_only(&path).await.unwrap();
        assert_eq!(journal.last().await.unwrap(), 1);
    }
}

/// Many that open a new file at the same moment make one journal.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_is_made_once() {
    for _ in 0..20 {
        let (_dir, path) = place();
        let opening: Vec<_> = (0..6)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { SqliteJournal::open(&path).await.unwrap() })
            })
            .collect();
        let mut tokens = Vec::new();
        for journal in opening {
            tokens.push(journal.await.unwrap().acquire("a", Duration::ZERO).await.unwrap().token);
        }
        assert_eq!(tokens, [1, 2, 3, 4, 5, 6]);
    }
}

/// A journal of a newer program is neither read wrongly nor written to.
#[tokio::test]
async fn a_newer_format_is_refused() {
    let (dir, path, journal, _) = led().await;
    journal.close().await;
    meddle(&path, "PRAGMA user_version = 2").await;
    let before = contents(dir.path());
    for tried in [SqliteJournal::open(&path).await, SqliteJournal::open_read_only(&path).await] {
        let error = tried.unwrap_err();
        assert!(matches!(error, JournalError::Newer { found: 2, known: 1, .. }), "{error}");
    }
    assert_eq!(contents(dir.path())[0], before[0]);
}

/// Another program's lock is waited for, then named; when it is gone the same journal goes on.
#[tokio::test]
async fn a_lock_of_another_program_passes() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 2, 2).await;
    journal.close().await;
    let journal = SqliteJournal::open_tuned(&path, SHORT).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    run(&mut other, "BEGIN EXCLUSIVE").await.unwrap();
    for _ in 0..2 {
        let error = journal.append(token, at(1), &[event(3)], &[]).await.unwrap_err();
        assert!(matches!(error, JournalError::Locked { waited, .. } if waited == SHORT.patience), "{error}");
    }
    let error = journal.record(&[]).await.err();
    assert!(error.is_none(), "nothing to record needs no lock");
    let error = SqliteJournal::open_tuned(&path, SHORT).await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    assert_eq!(journal.last().await.unwrap(), 2, "reading goes on");
    run(&mut other, "ROLLBACK").await.unwrap();
    let given = journal.append(token, at(1), &[event(3)], &[]).await.unwrap();
    assert_eq!(given[0].seq, 3);
    assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
}

/// A program that keeps the whole file to itself keeps readers out too; that is said as well.
#[tokio::test]
async fn a_file_that_is_kept_is_locked() {
    let (_dir, path, journal, _) = led().await;
    journal.close().await;
    let mut other = SqliteConnectOptions::new()
        .filename(&path)
        .pragma("locking_mode", "EXCLUSIVE")
        .connect()
        .await
        .unwrap();
    run(&mut other, "UPDATE lease SET until = until").await.unwrap();
    let error = SqliteJournal::open_tuned(&path, SHORT).await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
    let error = Store::open_read_only(&path, SHORT).await.unwrap_err();
    assert!(matches!(error, JournalError::Locked { .. }), "{error}");
}

/// When the disk is full nothing is written and nothing is lost; with room again, appending goes on where it was.
#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let (_dir, path, journal, token) = led().await;
    journal.close().await;
    let small = Tuning { max_pages: Some(40), ..SHORT };
    let journal = SqliteJournal::open_tuned(&path, small).await.unwrap();
    let batch: Vec<_> = (0..50).map(event).collect();
    let mut acknowledged = Vec::new();
    let error = loop {
        match journal.append(token, at(1), &batch, &[]).await {
            Ok(entries) => acknowledged.extend(entries),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 10_000, "40 pages cannot hold that much");
    };
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    assert_eq!(journal.read(0, usize::MAX).await.unwrap(), acknowledged);
    // Still full, several times over: every refusal is whole.
    for _ in 0..3 {
        journal.append(token, at(1), &batch, &[]).await.unwrap_err();
    }
    journal.close().await;
    let journal = SqliteJournal::open(&path).await.unwrap();
    acknowledged.extend(journal.append(token, at(1), &batch, &[]).await.unwrap());
    assert_eq!(journal.read(0, usize::MAX).await.unwrap(), acknowledged);
    assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
}

/// A file that lost its end, wherever, is named damaged (or foreign, if even its first page is gone); it is never taken
/// for a new one, and not changed.
#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let (dir, path, journal, token) = led().await;
    fill(&journal, token, 2_000, 500).await;
    journal.close().await;
    let whole = fs::read(&path).unwrap();
    for length in [1, 50, 100, 511, 512, 4_095, 4_096, 5_000, whole.len() / 2, whole.len() - 4_096] {
        fs::write(&path, &whole[..length]).unwrap();
        let Err(error) = SqliteJournal::open(&path).await else {
            panic!("{length} of {} bytes were taken for a journal", whole.len());
        };
        if length < 4_096 {
            assert!(matches!(error, JournalError::Foreign { .. } | JournalError::Damaged { .. }), "{error}");
        } else {
            assert!(matches!(error, JournalError::Damaged { .. }), "{length}: {error}");
            assert!(error.to_string().contains("Keep the file"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), whole[..length]);
    }
    // What is left can be read and is reported.
    fs::write(&path, &whole[..whole.len() - 40_960]).unwrap();
    let journal = SqliteJournal::open_read_only(&path).await.unwrap();
    let found = journal.verify().await.unwrap();
    assert!(found.entries > 1_000 && found.entries < 2_000, "{}", found.entries);
    assert!(found.faults[0].starts_with("the file: "), "{:?}", found.faults);
    assert!(!journal.read(0, 1_000).await.unwrap().is_empty());
    journal.close().await;
    drop(dir);
}

/// An empty file beside a log that is not empty is damage: taking it for a new journal would throw the log away.
#[tokio::test]
async fn an_emptied_file_with_a_log_is_damaged() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 3, 3).await;
    let log = fs::read(journal.store().file.wal()).unwrap();
    let wal = journal.store().file.wal();
    journal.close().await;
    fs::write(&path, "").unwrap();
    fs::write(&wal, &log).unwrap();
    let error = SqliteJournal::open(&path).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(fs::read(&wal).unwrap(), log);
}

/// A log that was cut anywhere (the machine stopped while it was written) costs at most the appends that were not
/// acknowledged: what was in the log up to the cut opens, verifies and can be appended to.
#[tokio::test]
async fn a_torn_log_keeps_what_was_whole() {
    let (dir, path, journal, token) = led().await;
    let mut acknowledged = Vec::new();
    let wal = journal.store().file.wal();
    for number in 0..12 {
        let given = journal.append(token, at(1), &[event(number), event(number)], &[]).await.unwrap();
        acknowledged.push((fs::metadata(&wal).unwrap().len(), given[1].seq));
    }
    let (file, log) = (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    for cut in (0..=log.len()).step_by(1_777).chain([log.len() - 1, log.len()]) {
        let copy = dir.path().join(format!("copy-{cut}.db"));
        fs::write(&copy, &file).unwrap();
        fs::write(dir.path().join(format!("copy-{cut}.db-wal")), &log[..cut]).unwrap();
        let durable = acknowledged.iter().rfind(|(end, _)| *end <= cut as u64).map_or(0, |(_, seq)| *seq);
        let opened = SqliteJournal::open(&copy).await;
        let journal = match opened {
            Ok(journal) => journal,
            Err(error) => panic!("cut at {cut}: {error}"),
        };
        assert_eq!(journal.last().await.unwrap(), durable, "cut at {cut}");
        let token = journal.acquire("later", Duration::from_mins(1)).await;
        // The lease may be younger than the cut.
        let token = token.map_or(token_of(&journal).await, |lease| lease.token);
        assert_eq!(journal.append(token, at(2), &[event(99)], &[]).await.unwrap()[0].seq, durable + 1);
        let checked = journal.verify().await.unwrap();
        assert_eq!((checked.faults, checked.entries), (Vec::new(), durable + 1));
        journal.close().await;
    }
}

async fn token_of(journal: &SqliteJournal) -> u64 {
    journal.lease().await.unwrap().map_or(0, |lease| lease.token)
}

/// A journal that was opened for reading only reads everything, sees what others append, and writes nothing.
#[tokio::test]
async fn read_only_reads_beside_a_writer() {
    let (_dir, path, journal, token) = led().await;
    fill(&journal, token, 2, 1).await;
    let reader = SqliteJournal::open_read_only(&path).await.unwrap();
    assert_eq!(reader.last().await.unwrap(), 2);
    fill(&journal, token, 1, 1).await;
    assert_eq!(reader.read(0, 10).await.unwrap(), journal.read(0, 10).await.unwrap());
    assert_eq!(reader.lease().await.unwrap(), journal.lease().await.unwrap());
    assert_eq!(reader.verify().await.unwrap().faults, [""; 0]);
    let error = reader.append(token, at(1), &[event(1)], &[]).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    let error = reader.acquire("b", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    assert_eq!(journal.last().await.unwrap(), 3);
}

/// The path of a journal in a folder of its own, and the journal with two entries.
async fn two_entries() -> (TempDir, PathBuf, SqliteJournal, u64) {
    let (dir, path, journal, token) = led().await;
    fill(&journal, token, 2, 2).await;
    (dir, path, journal, token)
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

#[track_caller]
fn assert_replaced<T: std::fmt::Debug>(done: Result<T, JournalError>) {
    let error = done.unwrap_err();
    assert!(matches!(error, JournalError::Replaced { .. }), "{error}");
}

/// A journal whose file was deleted is neither written nor read any more, although the system would let us; so nothing is
/// acknowledged that nobody else will ever see. A new journal under the same name is left alone, also when the old one ends.
#[tokio::test]
async fn a_deleted_file_is_noticed() {
    for is_replaced in [false, true] {
        let (_dir, path, journal, token) = two_entries().await;
        fs::remove_file(&path).unwrap();
        fs::remove_file(wal(&path)).unwrap();
        fs::remove_file(path.with_extension("db-shm")).unwrap();
        let new = if is_replaced { Some(SqliteJournal::open(&path).await.unwrap()) } else { None };
        for _ in 0..2 {
            assert_replaced(journal.append(token, at(1), &[event(3)], &[]).await);
            assert_replaced(journal.renew(token, Duration::from_secs(1)).await);
            assert_replaced(journal.acquire("b", Duration::from_secs(1)).await);
            assert_replaced(journal.read(0, 10).await);
            assert_replaced(journal.inbox().await);
        }
        if let Some(new) = &new {
            let token = new.acquire("b", Duration::from_mins(1)).await.unwrap().token;
            fill(new, token, 3, 1).await;
        } else {
            assert!(!path.exists(), "nothing is made in its place");
        }
        journal.close().await;
        if let Some(new) = new {
            assert_eq!(new.last().await.unwrap(), 3);
            assert_eq!(new.verify().await.unwrap().faults, [""; 0]);
        }
    }
}

/// The same for the log alone, where the newest entries are.
#[tokio::test]
async fn a_deleted_log_is_noticed() {
    let (_dir, path, journal, token) = two_entries().await;
    fs::remove_file(wal(&path)).unwrap();
    for _ in 0..2 {
        assert_replaced(journal.append(token, at(1), &[event(3)], &[]).await);
    }
    // Another log in its place is not taken for it.
    fs::write(wal(&path), "").unwrap();
    assert_replaced(journal.append(token, at(1), &[event(3)], &[]).await);
}

/// What was moved away and is put back is gone on with.
#[tokio::test]
async fn a_file_that_is_put_back_goes_on() {
    let (dir, path, journal, token) = two_entries().await;
    for name in [path.clone(), wal(&path)] {
        let away = dir.path().join("away");
        fs::rename(&name, &away).unwrap();
        assert_replaced(journal.append(token, at(1), &[event(3)], &[]).await);
        fs::rename(&away, &name).unwrap();
        journal.append(token, at(1), &[event(3)], &[]).await.unwrap();
    }
    assert_eq!(journal.last().await.unwrap(), 4);
    assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
}

/// Taken away while an append is under way, after it began and before it is acknowledged: it is not acknowledged.
#[tokio::test]
async fn an_append_to_a_file_that_is_gone_is_not_acknowledged() {
    let (_dir, path, journal, _) = two_entries().await;
    let tx = journal.store().begin(Durability::Full).await.unwrap();
    fs::remove_file(&path).unwrap();
    assert_replaced(tx.commit().await);
}

/// A log without its file is somebody's newest entries: a new journal in its place would throw them away.
#[tokio::test]
async fn a_log_without_its_file_is_kept() {
    let (_dir, path, journal, _) = two_entries().await;
    let log = fs::read(wal(&path)).unwrap();
    journal.close().await;
    fs::remove_file(&path).unwrap();
    fs::write(wal(&path), &log).unwrap();
    let error = SqliteJournal::open(&path).await.unwrap_err();
    assert!(error.to_string().contains("its `-wal` file is there"), "{error}");
    assert_eq!(fs::read(wal(&path)).unwrap(), log);
    fs::remove_file(wal(&path)).unwrap();
    SqliteJournal::open(&path).await.unwrap();
}

/// Every write of anybody shows: in the version for certain, and from outside because the log is another one. What was not
/// written to stays the same.
#[tokio::test]
async fn writing_shows() {
    let (_dir, path, journal, token) = led().await;
    let reader = SqliteJournal::open_read_only(&path).await.unwrap();
    let mut seen = std::collections::HashSet::new();
    for number in 0..50 {
        assert!(seen.insert(reader.version().await.unwrap()));
        let glance = reader.glance().unwrap();
        assert_eq!(Some(glance), reader.glance());
        assert!(seen.contains(&reader.version().await.unwrap()));
        // What was there already, SQLite does not write again: each is another.
        let other = Duration::from_mins(number + 1);
        match number % 3 {
            0 => drop(journal.append(token, at(1), &[event(number)], &[]).await.unwrap()),
            1 => journal.publish(at(1) + other, &[("a".into(), ServiceReading::default())]).await.unwrap(),
            _ => drop(journal.renew(token, other).await.unwrap()),
        }
    }
    // The log is begun again and again: that does not hide anything.
    let before = reader.version().await.unwrap();
    meddle(&path, "PRAGMA wal_checkpoint(TRUNCATE); UPDATE lease SET until = until + 1").await;
    assert_ne!(reader.version().await.unwrap(), before);
}
