//! Several processes on one file: dying, stopping, taking turns, following.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;
use tempfile::TempDir;
use unship::journal::{Journal, JournalError, SqliteJournal, tail};

use crate::child::{Other, command, event};

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("unship.db");
    (dir, path)
}

async fn assert_whole(journal: &SqliteJournal) {
    assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
}

/// A process that is killed while it appends takes nothing with it that was acknowledged, and leaves no half of an
/// append; the next process goes on after it. Many times over on one file.
#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged() {
    let (_dir, path) = place();
    let mut before = 0;
    for round in 0..12 {
        let mut other = Other::start("stream", &path);
        let mut acknowledged = 0;
        for _ in 0..=round * 3 {
            acknowledged = other.said().unwrap().parse().unwrap();
        }
        other.signal(Signal::KILL);
        while let Some(place) = other.said() {
            acknowledged = place.parse().unwrap();
        }
        drop(other);
        assert!(acknowledged > before);
        let journal = SqliteJournal::open(&path).await.unwrap();
        let last = journal.last().await.unwrap();
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is there");
        assert_whole(&journal).await;
        // The last append is whole: all its events are the same, one to three by their number.
        let entries = journal.read(before, usize::MAX).await.unwrap();
        let end = &entries.last().unwrap().event;
        let number: usize = (0..10_000).find(|number| event(*number) == *end).unwrap().try_into().unwrap();
        let alike = entries.iter().rev().take_while(|entry| entry.event == *end).count();
        assert_eq!(alike, number % 3 + 1);
        before = last;
        journal.close().await;
    }
}

/// Dying right after an entry became durable keeps it, though nobody was told; dying right before it was written leaves
/// nothing of it. The crash points that the engine's tests rely on are where they say.
#[tokio::test]
async fn crash_points_are_where_they_say() {
    // The stream appends the places 1, 2-3, 4-6, 7, 8-9, …
    for (point, said, last) in [("after:5", 3, 6), ("before:5", 3, 3), ("after:1", 0, 1), ("before:1", 0, 0)]
    {
        let (_dir, path) = place();
        let mut other = Other::run(command("stream", &path).env("UNSHIP_TEST_KILL", point));
        let mut acknowledged = 0;
        while let Some(place) = other.said() {
            acknowledged = place.parse().unwrap();
        }
        assert!(!other.end(), "{point}: it was to be killed");
        let journal = SqliteJournal::open(&path).await.unwrap();
        assert_eq!((acknowledged, journal.last().await.unwrap()), (said, last), "{point}");
        assert_whole(&journal).await;
    }
}

/// A leader that was stopped, outlived its lease and wakes up again cannot append any more.
#[tokio::test]
async fn a_stopped_leader_is_fenced_off() {
    let (_dir, path) = place();
    let mut old = Other::start("leader", &path);
    let token: u64 = old.said().unwrap().parse().unwrap();
    old.tell("append");
    assert_eq!(old.said().unwrap(), "stored 1");
    old.signal(Signal::STOP);
    let journal = SqliteJournal::open(&path).await.unwrap();
    let lease = loop {
        match journal.acquire("new", Duration::from_mins(1)).await {
            Ok(lease) => break lease,
            Err(JournalError::Held(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(lease.token > token);
    // It is on its way while it is stopped, and goes on as if nothing had been.
    old.tell("append");
    journal.append(lease.token, Timestamp::now(), &[event(2)], &[]).await.unwrap();
    old.signal(Signal::CONT);
    assert_eq!(old.said().unwrap(), format!("fenced {token} {} new", lease.token));
    assert!(old.end());
    let events: Vec<_> = journal.read(0, 10).await.unwrap().into_iter().map(|entry| entry.event).collect();
    assert_eq!(events, [event(1), event(2)]);
    assert_whole(&journal).await;
}

/// Processes that take turns leave one chain, each append under a token of its own.
#[tokio::test]
async fn processes_take_turns() {
    let (_dir, path) = place();
    let others: Vec<_> = (0..3).map(|_| Other::start("taker", &path)).collect();
    for mut other in others {
        assert_eq!(other.said().as_deref(), Some("done"));
        assert!(other.end());
    }
    let journal = SqliteJournal::open(&path).await.unwrap();
    let entries = journal.read(0, usize::MAX).await.unwrap();
    assert_eq!(entries.len(), 150);
    for pair in entries.chunks(2) {
        assert_eq!((pair[0].token, &pair[0].event), (pair[1].token, &pair[1].event));
    }
    assert!(entries.chunks(2).is_sorted_by(|a, b| a[0].token < b[0].token));
    assert_whole(&journal).await;
}

/// What another process appends is followed here without a gap and without a repetition.
#[tokio::test]
async fn a_follower_sees_another_process_append() {
    let (_dir, path) = place();
    let mut other = Other::start("stream", &path);
    other.said().unwrap();
    let journal = Arc::new(SqliteJournal::open_read_only(&path).await.unwrap());
    let mut tail = tail(journal, 0);
    for expected in 1..=300 {
        assert_eq!(tail.next().await.unwrap().seq, expected);
    }
    other.signal(Signal::KILL);
}

/// What is appended here is followed by another process, the same entries in the same order.
#[tokio::test]
async fn another_process_follows() {
    let (_dir, path) = place();
    let journal = SqliteJournal::open(&path).await.unwrap();
    let token = journal.acquire("here", Duration::from_mins(1)).await.unwrap().token;
    let mut other = Other::start("follower", &path);
    assert_eq!(other.said().unwrap(), "ready");
    for number in 0..50 {
        let events: Vec<_> = (0..=number % 4).map(event).collect();
        journal.append(token, Timestamp::now(), &events, &[]).await.unwrap();
    }
    for entry in journal.read(0, usize::MAX).await.unwrap() {
        assert_eq!(other.said().unwrap(), format!("{} {}", entry.seq, entry.hash));
    }
}

/// A follower that is ahead of the writer gets each entry soon after it is appended, one by one.
#[tokio::test]
async fn another_process_keeps_up() {
    let (_dir, path) = place();
    let journal = SqliteJournal::open(&path).await.unwrap();
    let token = journal.acquire("here", Duration::from_mins(1)).await.unwrap().token;
    let mut other = Other::start("follower", &path);
    assert_eq!(other.said().unwrap(), "ready");
    for number in 0..10 {
        let entry = &journal.append(token, Timestamp::now(), &[event(number)], &[]).await.unwrap()[0];
        assert_eq!(other.said().unwrap(), format!("{} {}", entry.seq, entry.hash));
    }
}
