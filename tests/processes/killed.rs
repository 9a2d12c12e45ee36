//! A guard that dies at every point of a rollback.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use unship::journal::Journal;
use unship::model::operation::Outcome;

use crate::harness::{Fleet, Process, entries, journal_says, outcome, roll_back};

/// Rollbacks that run beside each other: they mostly wait.
const BESIDE: usize = 4;

/// Whatever entry the guard dies right before or right after, the next one finishes the rollback: verified, every change
/// of the platform done exactly once, the journal whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_survives_a_kill_at_every_entry() {
    if cfg!(not(debug_assertions)) {
        eprintln!("skipped: the places to be killed at are compiled into debug builds only");
        return;
    }
    let mut points = 0;
    for moment in ["before", "after"] {
        // Points are taken in turn until one lies beyond the last entry.
        let (next, last) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(u64::MAX)));
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..BESIDE {
            let (next, last) = (Arc::clone(&next), Arc::clone(&last));
            workers.spawn(async move {
                let mut killed = 0;
                loop {
                    let entry = next.fetch_add(1, Ordering::SeqCst);
                    if entry > last.load(Ordering::SeqCst) {
                        return killed;
                    }
                    if one(moment, entry).await {
                        killed += 1;
                    } else {
                        last.fetch_min(entry, Ordering::SeqCst);
                    }
                }
            });
        }
        while let Some(killed) = workers.join_next().await {
            points += killed.unwrap();
        }
    }
    // A rollback has some twenty entries; far fewer would mean that the kills missed it.
    assert!(points >= 30, "only {points} points were tried");
    println!("killed at {points} points");
}

/// One rollback with a kill at one point. False when it ended before it came there.
async fn one(moment: &str, entry: u64) -> bool {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let point = format!("{moment}:{entry}");
    let mut first = Process(fleet.unship(&["guard"]).env("UNSHIP_TEST_KILL", &point).spawn().unwrap());
    // The command waits in the inbox for whoever leads.
    let mut command = roll_back();
    journal.submit(&command).await.unwrap();
    loop {
        if first.has_ended() {
            break;
        }
        if outcome(&entries(journal.as_ref()).await).is_some() {
            return false;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let _second = fleet.guard();
    // Submitting it again is what a person would do who got no answer; it must not act twice.
    command.at = jiff::Timestamp::now();
    journal.submit(&command).await.unwrap();
    let all = journal_says(journal.as_ref(), &format!("the end (killed {point})"), |entries| {
        outcome(entries).is_some()
    })
    .await;
    assert_eq!(outcome(&all), Some(Outcome::Verified), "killed {point}");
    let planned = all.iter().filter(|entry| entry.event.kind() == "operation_planned").count();
    assert_eq!(planned, 1, "killed {point}");
    let facts = fleet.lab.facts();
    let ours: Vec<_> = facts.effects.iter().filter(|effect| effect.key.is_some()).collect();
    assert_eq!(ours.len(), 1, "killed {point}: {ours:?}");
    assert_eq!((ours[0].verb.as_str(), ours[0].times_applied), ("traffic", 1), "killed {point}");
    assert_eq!((fleet.percent("2.8.0"), fleet.percent("2.9.0")), (100, 0), "killed {point}");
    let verification = journal.verify().await.unwrap();
    assert!(verification.faults.is_empty(), "killed {point}: {:?}", verification.faults);
    assert!(journal.inbox().await.unwrap().is_empty(), "killed {point}");
    true
}
