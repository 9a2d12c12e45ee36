//! Two guards on one journal, and a leader that sleeps through its lease.

use std::time::Instant;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use unship::journal::Journal;
use unship::model::event::Event;
use unship::model::operation::Outcome;

use crate::harness::{
    Fleet, PATIENCE, Process, count, eventually, has, journal_says, outcome, read, roll_back,
};

/// A leader stopped in the middle of a step, past its lease, and then continued, writes nothing and changes nothing any
/// more: the other has taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_slept_past_its_lease_is_refused() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let mut first = fleet.guard();
    journal_says(journal.as_ref(), "a leader", |entries| !entries.is_empty()).await;
    let old_token = journal.lease().await.unwrap().unwrap().token;
    // The platform is slow, so that the leader is stopped with its call under way.
    fleet.ask("/admin/effects/delay", json!({ "ms": 1500 })).await;
    let mut second = fleet.guard();
    journal.submit(&roll_back()).await.unwrap();
    journal_says(journal.as_ref(), "a step begun", |entries| {
        entries.iter().any(|entry| matches!(entry.event, Event::StepStarted { .. }))
    })
    .await;
    kill_process(first.pid(), Signal::STOP).unwrap();
    let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    kill_process(first.pid(), Signal::CONT).unwrap();
    // It notices, and follows: its own log says so.
    eventually("the old leader has noticed", || logged(&fleet, "no longer the leader")).await;
    assert!(!first.has_ended() && !second.has_ended());
    let all = journal.read(0, 100_000).await.unwrap();
    let taken_over = all.iter().position(|entry| entry.token > old_token).unwrap();
    assert!(
        all[taken_over..].iter().all(|entry| entry.token > old_token),
        "the old leader wrote after it was replaced"
    );
    let facts = fleet.lab.facts();
    let ours: Vec<_> = facts.effects.iter().filter(|effect| effect.key.is_some()).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(ours[0].times_applied, 1);
    assert!(journal.verify().await.unwrap().faults.is_empty());
}

/// When the leader dies, the guard that followed takes over and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_takes_over() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let first = fleet.guard();
    journal_says(journal.as_ref(), "a leader", |entries| !entries.is_empty()).await;
    let mut second = fleet.guard();
    // A guard that is asked not to follow says who leads.
    let refused = fleet.run(&["guard", "--no-follow"]).await;
    assert_eq!(refused.status.code(), Some(8), "{refused:?}");
    drop(first);
    journal_says(journal.as_ref(), "a second leader", |entries| {
        entries.iter().filter(|entry| matches!(entry.event, Event::LeaderChanged { .. })).count() == 2
    })
    .await;
    journal.submit(&roll_back()).await.unwrap();
    let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert!(!second.has_ended());
}

/// A guard that leads and is not trusted any more can be relieved at once: the new one leads within a lease's time, goes on
/// with the step that was under way without doing it again, and the old one says who leads, writes nothing more and does not
/// take the lead back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_can_be_relieved() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let said = fleet.path().join("first.txt");
    let mut first = Process::speaking(fleet.unship(&["guard"]), &said);
    journal_says(journal.as_ref(), "a leader", |entries| !entries.is_empty()).await;
    let old = journal.lease().await.unwrap().unwrap();
    fleet.ask("/admin/effects/delay", json!({ "ms": 1500 })).await;
    journal.submit(&roll_back()).await.unwrap();
    journal_says(journal.as_ref(), "a step begun", |entries| has(entries, "step_started")).await;
    let begun = Instant::now();
    let relief = Process(fleet.unship(&["guard", "--lead", "now"]).spawn().unwrap());
    journal_says(journal.as_ref(), "a new leader", |entries| count(entries, "leader_changed") == 2).await;
    // The lease was prolonged all the time; nobody could have waited for its end.
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    let new = journal.lease().await.unwrap().unwrap();
    assert!(new.token > old.token && new.holder != old.holder, "{new:?}");
    eventually("the first says who leads", || read(&said).contains(&format!("{} leads", new.holder))).await;
    let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)]);
    let taken_over = all.iter().position(|entry| entry.token > old.token).unwrap();
    assert!(all[taken_over..].iter().all(|entry| entry.token == new.token), "the old leader wrote again");
    // As long as the new one runs the lease stays with it; when it dies the first leads again.
    assert_eq!(journal.lease().await.unwrap().unwrap().token, new.token);
    assert!(!first.has_ended());
    drop(relief);
    journal_says(journal.as_ref(), "the first again", |entries| count(entries, "leader_changed") == 3).await;
    assert_eq!(journal.lease().await.unwrap().unwrap().holder, old.holder);
    assert!(journal.verify().await.unwrap().faults.is_empty());
}

fn logged(fleet: &Fleet, words: &str) -> bool {
    let Ok(files) = std::fs::read_dir(fleet.path().join("logs")) else { return false };
    files.flatten().any(|file| std::fs::read_to_string(file.path()).is_ok_and(|text| text.contains(words)))
}
