//! A platform whose answers get lost, and one that goes away.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use unship::journal::Journal;
use unship::model::event::Event;
use unship::model::operation::Outcome;

use crate::harness::{
    Fleet, Process, count, entries, eventually, has, journal_says, outcome, read, roll_back,
};

/// An answer that gets lost after its effect is not taken for a failure and not for a reason to do it again: the effect is
/// looked for and found, and the rollback ends verified, whether a guard or the command carries it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_looked_for() {
    for guarded in [true, false] {
        let fleet = Fleet::start().await;
        let journal = fleet.journal().await;
        fleet.ask("/admin/effects/lose", json!({ "calls": 1 })).await;
        let _guard = guarded.then(|| fleet.guard());
        if guarded {
            journal_says(journal.as_ref(), "a leader", |entries| has(entries, "leader_changed")).await;
        }
        let args = ["rollback", "checkout", "--reason", "5xx", "--yes", "--override", "target=I know 2.8.0"];
        let done = fleet.run(&args).await;
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let all = entries(journal.as_ref()).await;
        assert_eq!(outcome(&all), Some(Outcome::Verified));
        assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)]);
        let found = all.iter().any(|entry| match &entry.event {
            Event::StepSucceeded { adopted, detail, .. } => {
                *adopted || detail.contains("the answer was lost")
            }
            _ => false,
        });
        assert!(found, "nothing says that the answer was lost");
    }
}

/// A platform that goes away in the middle of a rollback is asked again as often as the config says, and then the rollback
/// fails with exit code 4 and says on which step, why, and what to look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_is_gone_fails_the_rollback() {
    let fleet = Fleet::start().await;
    fleet
        .reconfigure(|config| config.replace("step_timeout = \"10s\"", "step_timeout = \"1s\"\nretries = 1"));
    let journal = fleet.journal().await;
    let _guard = fleet.guard();
    journal_says(journal.as_ref(), "a leader", |entries| has(entries, "leader_changed")).await;
    // The call is on its way when the platform goes.
    fleet.ask("/admin/effects/delay", json!({ "ms": 600_000 })).await;
    let said = fleet.path().join("rollback.said");
    let args = ["rollback", "checkout", "--reason", "5xx", "--yes", "--override", "target=I know 2.8.0"];
    let mut command = Process::speaking(fleet.unship(&args), &said);
    journal_says(journal.as_ref(), "a step begun", |entries| has(entries, "step_started")).await;
    let Fleet { lab, dir: _dir } = fleet;
    lab.shutdown().await;
    assert_eq!(command.code().await, Some(4), "{}", read(&said));
    let said = read(&said);
    let words = [
        "will be tried again",
        "FAILED: the platform cannot be read: reading `checkout` from the lab failed",
        "(tried 2 times)",
        "the traffic may be where it was: look at the platform",
    ];
    for words in words {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let all = entries(journal.as_ref()).await;
    assert_eq!((outcome(&all), count(&all, "step_started")), (Some(Outcome::Failed), 2));
}

/// A fleet that is gone altogether is never called healthy, and what a person asks for then is refused by the guard, which
/// goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_is_gone_is_not_acted_on() {
    let fleet = Fleet::start().await;
    // By itself the guard would try to take the canary back as long as what it has read is new.
    fleet.reconfigure(|config| {
        config
            .replace("stale_after = \"5s\"", "stale_after = \"1s\"")
            .replace("name = \"lab\"", "name = \"lab\"\nautomatic = false")
    });
    let journal = fleet.journal().await;
    let mut guard = fleet.guard();
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;
    let Fleet { lab, dir: _dir } = fleet;
    lab.shutdown().await;
    let gone = journal_says(journal.as_ref(), "that nothing can be read", |entries| {
        has(entries, "source_readable") && has(entries, "platform_readable")
    })
    .await;
    // What was read last is too old to act on only after a time; until then the platform itself refuses.
    let read_at = gone.iter().rev().find(|entry| entry.event.kind() == "platform_readable").unwrap().at;
    eventually("that is some time ago", || {
        Timestamp::now().duration_since(read_at).unsigned_abs() > Duration::from_secs(3)
    })
    .await;
    journal.submit(&roll_back()).await.unwrap();
    let all = journal_says(journal.as_ref(), "a refusal", |entries| has(entries, "command_refused")).await;
    let reason = all.iter().find_map(|entry| match &entry.event {
        Event::CommandRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let reason = reason.unwrap();
    assert!(reason.contains("stale-data") && reason.contains("the platform cannot be read"), "{reason}");
    assert!(!has(&all, "operation_planned"));
    let verdicts: Vec<_> = all
        .iter()
        .filter(|entry| entry.seq > gone.last().unwrap().seq)
        .filter_map(|entry| match &entry.event {
            Event::VerdictChanged { verdict, .. } => Some(verdict.word()),
            _ => None,
        })
        .collect();
    assert!(!verdicts.contains(&"healthy"), "{verdicts:?}");
    assert!(!guard.has_ended());
}
