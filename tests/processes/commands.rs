//! The commands that people type, as processes of their own beside a guard.

use serde_json::Value;
use unship::model::event::Event;
use unship::model::operation::Outcome;
use unship::model::release::Arm;
use unship::model::trigger::Verdict;

use crate::harness::{Fleet, PATIENCE, Process, entries, has, journal_says, outcome, read, text};

/// A person in another terminal: looks, tries, is refused with the way to go on, goes on, and asks why and what happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_rolls_back_through_the_guard() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let _guard = fleet.guard();
    // Stable has proved itself, so that it is a target by evidence.
    journal_says(journal.as_ref(), "a good release", |entries| {
        entries.iter().any(|entry| matches!(&entry.event, Event::ReleaseMarked { version, .. } if version.as_str() == "2.8.0"))
    })
    .await;
    let status = fleet.run(&["status", "--json"]).await;
    let json: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["services"][0]["service"], "checkout");
    assert!(json["leader"]["holder"].as_str().unwrap().starts_with("guard@"), "{json}");
    assert_eq!(status.status.code(), Some(0), "{json}");

    let dry = fleet.run(&["rollback", "checkout", "--reason", "5xx", "--dry-run"]).await;
    let shown = text(&dry.stderr);
    assert_eq!(dry.status.code(), Some(0), "{shown}");
    for words in ["from  2.9.0", "to    2.8.0", "recorded good", "give `2.8.0` all the traffic", "cooldown"] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    assert_eq!(fleet.percent("2.9.0"), 20, "a dry run changes nothing");

    let unconfirmed = fleet.run(&["rollback", "checkout", "--reason", "5xx"]).await;
    assert_eq!(unconfirmed.status.code(), Some(2));
    assert!(text(&unconfirmed.stderr).contains("--yes"));

    assert_eq!(fleet.run(&["freeze", "--reason", "audit"]).await.status.code(), Some(0));
    let frozen = fleet.run(&["rollback", "checkout", "--reason", "5xx", "--yes"]).await;
    assert_eq!(frozen.status.code(), Some(5), "{}", text(&frozen.stderr));
    assert!(text(&frozen.stderr).contains("--override freeze="));

    let args = ["rollback", "checkout", "--reason", "5xx", "--yes", "--override", "freeze=users are hurt"];
    let done = fleet.run(&args).await;
    let (account, said) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{account}{said}");
    assert!(said.contains("handing it to guard@"), "{said}");
    assert!(
        account.contains("all traffic is back on 2.8.0") && account.contains("ended: verified"),
        "{account}"
    );
    assert_eq!(outcome(&entries(journal.as_ref()).await), Some(Outcome::Verified));

    let history = text(&fleet.run(&["history"]).await.stdout);
    assert!(history.contains("rolled back to 2.8.0 by ana, op-1 verified: 5xx"), "{history}");
    let verify = fleet.run(&["journal", "verify"]).await;
    assert_eq!(verify.status.code(), Some(0), "{}", text(&verify.stdout));
    assert_eq!(fleet.run(&["why", "d-999"]).await.status.code(), Some(1));
}

/// A command that leads for itself goes on when nobody reads what it prints, as behind `| head`: a rollback never ends in the
/// middle because of a pipe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_outlives_its_readers() {
    let fleet = Fleet::start().await;
    let args = ["rollback", "checkout", "--reason", "5xx", "--yes", "--override", "target=I know 2.8.0"];
    let mut command = fleet.unship(&args);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert_eq!(outcome(&entries(fleet.journal().await.as_ref()).await), Some(Outcome::Verified));
}

/// Without a guard the command leads for itself, and nothing else is acted on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_guard_the_command_acts_itself() {
    let fleet = Fleet::start().await;
    let refused = fleet.run(&["rollback", "checkout", "--reason", "5xx", "--yes"]).await;
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("no recorded health"), "{}", text(&refused.stderr));
    let args = [
        "rollback",
        "checkout",
        "--reason",
        "5xx",
        "--yes",
        "--gradual",
        "--override",
        "target=I know 2.8.0",
    ];
    let done = fleet.run(&args).await;
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    assert!(text(&done.stderr).contains("nobody leads: acting from here"));
    let steps: Vec<_> = fleet
        .lab
        .facts()
        .effects
        .iter()
        .filter(|effect| effect.key.is_some())
        .map(|effect| effect.times_applied)
        .collect();
    assert_eq!(steps, [1, 1], "first a part of the traffic, then all");
    assert_eq!((fleet.percent("2.8.0"), fleet.percent("2.9.0")), (100, 0));
    let status = fleet.run(&["status"]).await;
    assert!(text(&status.stdout).contains("nobody leads"), "{}", text(&status.stdout));
}

/// An emergency puts the maintenance page up first and takes it away only when health was seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_goes_behind_the_maintenance_page() {
    let fleet = Fleet::start().await;
    let args = [
        "rollback",
        "checkout",
        "--reason",
        "down",
        "--yes",
        "--emergency",
        "--override",
        "target=I know 2.8.0",
    ];
    let done = fleet.run(&args).await;
    assert_eq!(done.status.code(), Some(0), "{}{}", text(&done.stdout), text(&done.stderr));
    let verbs: Vec<_> = fleet
        .lab
        .facts()
        .effects
        .iter()
        .filter(|effect| effect.key.is_some())
        .map(|effect| effect.verb.clone())
        .collect();
    assert_eq!(verbs, ["maintenance", "traffic", "maintenance"]);
    assert_eq!(fleet.lab.inventory("checkout").unwrap().maintenance, Some(false));
}

/// Runs a command, again while it is refused because too little of the canary was seen: on a busy machine its few requests may
/// not come in time.
async fn once_healthy(fleet: &Fleet, args: &[&str]) -> std::process::Output {
    let begun = std::time::Instant::now();
    loop {
        let done = fleet.run(args).await;
        let said = text(&done.stderr);
        let is_unseen = ["the canary is unknown", "nothing is known of the canary's health"]
            .iter()
            .any(|unseen| said.contains(&format!("refused: health: {unseen}")));
        if !is_unseen || begun.elapsed() > PATIENCE {
            return done;
        }
    }
}

/// A person promotes the canary through the guard: looks, has to say yes, and sees it through to its verified end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_promotes_the_canary() {
    let fleet = Fleet::start().await;
    fleet.reconfigure(|config| config.replace("min_samples = 5", "min_samples = 1"));
    let journal = fleet.journal().await;
    let alone = fleet.run(&["promote", "checkout", "--reason", "it is fine", "--dry-run"]).await;
    assert_eq!(alone.status.code(), Some(5), "nobody has seen its health: {}", text(&alone.stderr));
    assert!(text(&alone.stderr).contains("--override health="), "{}", text(&alone.stderr));

    let _guard = fleet.guard();
    journal_says(journal.as_ref(), "a healthy canary", |entries| {
        entries.iter().any(|entry| {
            let arm = Some(Arm::Canary);
            matches!(&entry.event, Event::VerdictChanged { arm: seen, verdict: Verdict::Healthy, .. } if *seen == arm)
        })
    })
    .await;
    let dry = once_healthy(&fleet, &["promote", "checkout", "--reason", "it is fine", "--dry-run"]).await;
    let shown = text(&dry.stderr);
    assert_eq!(dry.status.code(), Some(0), "{shown}");
    for words in [
        "promote checkout",
        "from  2.8.0",
        "to    2.9.0",
        "give `2.9.0` all the traffic",
        "the canary is healthy",
    ] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    let unconfirmed = once_healthy(&fleet, &["promote", "checkout", "--reason", "it is fine"]).await;
    assert_eq!(unconfirmed.status.code(), Some(2));
    assert_eq!(fleet.percent("2.9.0"), 20, "nothing is changed yet");

    let done = once_healthy(&fleet, &["promote", "checkout", "--reason", "it is fine", "--yes"]).await;
    let (account, said) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{account}{said}");
    assert!(account.contains("all traffic is on 2.9.0") && account.contains("ended: verified"), "{account}");
    assert_eq!((fleet.percent("2.8.0"), fleet.percent("2.9.0")), (0, 100));
    let history = fleet.run(&["history", "--json"]).await;
    let history: Value = serde_json::from_slice(&history.stdout).unwrap();
    let fate = |version: &str| {
        history.as_array().unwrap().iter().find(|one| one["version"] == version).unwrap()["fate"].clone()
    };
    assert_eq!((fate("2.9.0"), fate("2.8.0")), (Value::from("promoted"), Value::from("superseded")));
    let again = fleet.run(&["promote", "checkout", "--reason", "it is fine", "--yes"]).await;
    assert_eq!(again.status.code(), Some(5), "{}", text(&again.stderr));
    assert!(text(&again.stderr).contains("there is nothing to promote"), "{}", text(&again.stderr));
}

/// The maintenance page is turned by the command itself where nobody leads, and seen on the platform before it ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_maintenance_page_is_turned() {
    let fleet = Fleet::start().await;
    for (word, on) in [("on", true), ("off", false)] {
        let done = fleet.run(&["maintenance", "checkout", word, "--reason", "a repair"]).await;
        let account = text(&done.stdout);
        assert_eq!(done.status.code(), Some(0), "{account}{}", text(&done.stderr));
        assert!(
            account.contains(&format!("ended: verified: the maintenance page of checkout is {word}")),
            "{account}"
        );
        assert_eq!(fleet.lab.inventory("checkout").unwrap().maintenance, Some(on));
        let again = fleet.run(&["maintenance", "checkout", word, "--reason", "a repair", "--json"]).await;
        assert_eq!(again.status.code(), Some(5), "{}", text(&again.stderr));
        let shown: Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(shown["refused"], format!("the maintenance page of `checkout` is already {word}"));
    }
    assert_eq!(fleet.effects(), [("maintenance".to_owned(), 1), ("maintenance".to_owned(), 1)]);
}

/// A rollback is held by one person, seen so by another, and goes on from where it was when it is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_held_and_goes_on() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    // Long enough for a person: the watch between the two parts of the traffic.
    fleet.reconfigure(|config| config.replace("watch = \"3s\"", "watch = \"10s\""));
    let _guard = fleet.guard();
    let args =
        ["rollback", "checkout", "--reason", "5xx", "--yes", "--gradual", "--override", "target=I know it"];
    let said = fleet.path().join("said");
    let mut rollback = Process::speaking(fleet.unship(&args), &said);
    journal_says(journal.as_ref(), "a step that is done", |entries| has(entries, "step_succeeded")).await;
    let paused = fleet.run(&["pause", "op-1", "--reason", "wait for me"]).await;
    assert_eq!(paused.status.code(), Some(0), "{}", text(&paused.stderr));
    let again = fleet.run(&["pause", "op-1", "--reason", "me too", "--json"]).await;
    assert_eq!(again.status.code(), Some(5));
    assert!(text(&again.stderr).contains("already paused by ana: wait for me"), "{}", text(&again.stderr));
    let status = text(&fleet.run(&["status"]).await.stdout);
    assert!(status.contains("op-1 is paused by ana"), "{status}");
    let resumed = fleet.run(&["resume", "op-1", "--reason", "go on"]).await;
    assert_eq!(resumed.status.code(), Some(0), "{}", text(&resumed.stderr));
    assert_eq!(rollback.code().await, Some(0), "{}", read(&said));
    let account = read(&said);
    assert!(account.contains("op-1: paused by ana: wait for me"), "{account}");
    assert_eq!((fleet.percent("2.8.0"), fleet.percent("2.9.0")), (100, 0));
    let none = fleet.run(&["resume", "op-1", "--reason", "go on"]).await;
    assert_eq!(none.status.code(), Some(5));
}

/// A check probes now and its exit code says how that went, also when the fleet is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_it_sees() {
    let fleet = Fleet::start().await;
    let well = fleet.run(&["check"]).await;
    assert_eq!(well.status.code(), Some(0), "{}{}", text(&well.stdout), text(&well.stderr));
    assert_eq!(fleet.run(&["check", "nope"]).await.status.code(), Some(2));
    let Fleet { lab, dir } = fleet;
    lab.shutdown().await;
    let config = dir.path().join("unship.toml");
    let gone = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_unship"))
            .arg("-c")
            .arg(config)
            .arg("check")
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone.stdout));
}

/// A wrong command line or config is told apart from everything else by its exit code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_and_config_errors_are_two() {
    let fleet = Fleet::start().await;
    assert_eq!(fleet.run(&["frobnicate"]).await.status.code(), Some(2));
    assert_eq!(fleet.run(&["--help"]).await.status.code(), Some(0));
    assert_eq!(
        fleet.run(&["rollback", "checkout", "--reason", "x", "--override", "busy=x"]).await.status.code(),
        Some(2)
    );
    std::fs::write(fleet.config(), "[environment]\nnam = \"x\"\n").unwrap();
    let wrong = fleet.run(&["status"]).await;
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
}
