//! Beginnings and ends of guards.

use std::fs;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use unship::journal::{Journal, SqliteJournal};
use unship::model::operation::Outcome;

use crate::harness::{
    Fleet, Process, count, entries, eventually, has, journal_says, outcome, read, roll_back, unship,
};

/// A guard that is asked to end (by the system or from its terminal) gives the lease back and exits with 0, in the middle of a
/// rollback too; the next one leads and finishes it, without doing anything twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_asked_to_end_hands_over() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let fleet = Fleet::start().await;
        let journal = fleet.journal().await;
        fleet.ask("/admin/effects/delay", json!({ "ms": 1_500 })).await;
        let said = fleet.path().join("first.said");
        let mut first = Process::speaking(fleet.unship(&["guard"]), &said);
        journal.submit(&roll_back()).await.unwrap();
        journal_says(journal.as_ref(), "a step begun", |entries| has(entries, "step_started")).await;
        kill_process(first.pid(), signal).unwrap();
        assert_eq!(first.code().await, Some(0), "{signal:?}");
        assert_eq!(journal.lease().await.unwrap(), None, "{signal:?}: the lease is given back");
        assert!(read(&said).contains("1 operation(s) go on when another process leads"), "{}", read(&said));
        assert_eq!(outcome(&entries(journal.as_ref()).await), None, "{signal:?}");
        let _second = fleet.guard();
        let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
        assert_eq!(outcome(&all), Some(Outcome::Verified), "{signal:?}");
        assert_eq!(count(&all, "leader_changed"), 2, "{signal:?}");
        assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)], "{signal:?}");
    }
}

/// Guards that are started at the same moment where there is no journal yet make one journal with one leader, and none of them
/// gives up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_started_together_have_one_leader() {
    let fleet = Fleet::start().await;
    for round in 0..5 {
        let dir = fleet.path().join(format!("round-{round}"));
        fs::create_dir(&dir).unwrap();
        fs::copy(fleet.config(), dir.join("unship.toml")).unwrap();
        let said = |guard: usize| dir.join(format!("{guard}.said"));
        let mut guards: Vec<Process> =
            (0..3).map(|guard| Process::speaking(unship(&dir, &["guard"]), &said(guard))).collect();
        for guard in 0..3 {
            eventually("a guard is up", || read(&said(guard)).contains("guarding lab")).await;
        }
        let journal = SqliteJournal::open(&dir.join("unship.db")).await.unwrap();
        // The followers have had as much time as the leader.
        let all = journal_says(&journal, "a good release", |entries| has(entries, "release_marked")).await;
        assert_eq!(count(&all, "leader_changed"), 1);
        assert!(all.iter().all(|entry| entry.token == 1));
        let holder = journal.lease().await.unwrap().unwrap().holder;
        let pids: Vec<_> = guards.iter().map(|guard| guard.0.id()).collect();
        let leading: Vec<_> = pids.iter().filter(|pid| holder.ends_with(&format!(":{pid}"))).collect();
        assert_eq!(leading.len(), 1, "{holder} of {pids:?}");
        for (guard, process) in guards.iter_mut().enumerate() {
            assert!(!process.has_ended(), "{}", read(&said(guard)));
        }
    }
}
