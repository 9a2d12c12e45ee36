//! An incident as people on call meet it: declared by a guard, taken up, checked off and resolved from another terminal.

use serde_json::{Value, json};
use unship::model::checklist::ChecklistChange;
use unship::model::event::Event;

use crate::harness::{Fleet, count, entries, has, journal_says, text};

/// What a command printed, as JSON.
#[track_caller]
fn parsed(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout).unwrap_or_else(|error| panic!("{error}: {}", text(stdout)))
}

/// An item of a checklist as printed.
fn item<'a>(shown: &'a Value, id: &str) -> &'a Value {
    let phases = shown["checklist"]["phases"].as_array().unwrap();
    let mut items = phases.iter().flat_map(|phase| phase["items"].as_array().unwrap());
    items.find(|item| item["id"] == id).unwrap()
}

/// A canary goes bad under a guard. A person sees the incident, takes it up, ticks what the guard cannot see, is refused what
/// the guard sees to be false, and resolves it; the guard ticks the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_from_another_terminal() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let _guard = fleet.guard();
    journal_says(journal.as_ref(), "a good release", |entries| {
        entries.iter().any(|entry| matches!(&entry.event, Event::ReleaseMarked { version, .. } if version.as_str() == "2.8.0"))
    })
    .await;
    let none = fleet.run(&["incident", "ack"]).await;
    assert_eq!(none.status.code(), Some(1), "{}", text(&none.stderr));
    assert!(text(&none.stderr).contains("no incident is open, and there was none before"));
    assert_eq!(fleet.run(&["checklist"]).await.status.code(), Some(1));

    let bad = json!({ "kind": "errors", "rate": 0.6, "version": "2.9.0" });
    fleet.ask("/admin/services/checkout/fault", bad).await;
    journal_says(journal.as_ref(), "an incident", |entries| has(entries, "incident_opened")).await;
    let ack = fleet.run(&["incident", "ack", "--json"]).await;
    assert_eq!(ack.status.code(), Some(0), "{}", text(&ack.stderr));
    assert_eq!(parsed(&ack.stdout)["type"], "command_accepted");
    let again = fleet.run(&["incident", "ack", "INC-1"]).await;
    assert_eq!(again.status.code(), Some(5));
    assert!(text(&again.stderr).contains("ana acknowledged INC-1"), "{}", text(&again.stderr));

    journal_says(journal.as_ref(), "healthy again", |entries| {
        entries.iter().any(|entry| {
            let Event::ChecklistChanged { change, .. } = &entry.event else { return false };
            matches!(change, ChecklistChange::Done { item, .. } if item.as_str() == "verify-health")
        })
    })
    .await;
    let shown = fleet.run(&["checklist", "--json"]).await;
    let list = parsed(&shown.stdout);
    assert_eq!((&list["id"], &list["level"]), (&json!("INC-1"), &json!("sev2")), "{list}");
    assert_eq!(list["operations"], json!(["op-1"]));
    for (id, state, by) in [
        ("acknowledge", "done", json!({ "kind": "engine" })),
        ("start-rollback", "done", json!({ "kind": "engine" })),
        ("execute", "done", json!({ "kind": "engine" })),
    ] {
        let item = item(&list, id);
        assert_eq!((&item["state"], &item["by"]), (&json!(state), &by), "{item}");
    }
    assert_eq!(list["checklist"]["current"], "assess-severity");
    assert_eq!(list["clock"]["promise"]["kept"], true);

    let unstable = fleet.run(&["checklist", "tick", "confirm-stability"]).await;
    assert_eq!(unstable.status.code(), Some(5), "{}", text(&unstable.stderr));
    assert!(text(&unstable.stderr).contains("`confirm-stability` is "), "{}", text(&unstable.stderr));
    let args = ["checklist", "tick", "smoke-tests", "--note", "all 12 pass"];
    assert_eq!(fleet.run(&args).await.status.code(), Some(0));
    assert_eq!(
        fleet.run(&["checklist", "tick", "database-integrity", "--not-applicable"]).await.status.code(),
        Some(0)
    );
    assert_eq!(fleet.run(&["checklist", "tick", "critical-flows"]).await.status.code(), Some(0));
    assert_eq!(fleet.run(&["checklist", "tick", "critical-flows", "--undo"]).await.status.code(), Some(0));
    let readable = text(&fleet.run(&["checklist", "show"]).await.stdout);
    // Columns are as wide as what is in them.
    let words: Vec<_> = readable.split_whitespace().collect();
    let readable = words.join(" ");
    for words in [
        "INC-1 SEV2 ",
        "acknowledged by ana, in time",
        "0-5 min: Assess and decide, ",
        "> [ ] assess-severity",
        "[x] execute The traffic is back on the release before checkout is on 2.8.0",
        "[x] smoke-tests The smoke tests pass by ana; ana: all 12 pass",
        "[-] database-integrity",
        "[ ] critical-flows",
    ] {
        assert!(readable.contains(words), "{words} is not in\n{readable}");
    }
    let status = text(&fleet.run(&["status"]).await.stdout);
    assert!(status.contains("INC-1 SEV2 ") && status.contains("checkout"), "{status}");
    assert_eq!(parsed(&fleet.run(&["status", "--json"]).await.stdout)["incident"]["id"], "INC-1");

    assert_eq!(
        fleet.run(&["incident", "severity", "3", "--reason", "few users"]).await.status.code(),
        Some(0)
    );
    assert_eq!(fleet.run(&["incident", "note", "the fix is on its way"]).await.status.code(), Some(0));
    let end = fleet.run(&["incident", "resolve", "--reason", "2.9.0 is gone"]).await;
    assert_eq!(end.status.code(), Some(0), "{}", text(&end.stderr));
    let shown = text(&fleet.run(&["incident", "show", "INC-1"]).await.stdout);
    for words in [
        "INC-1 SEV3 resolved after",
        "because",
        "op-1: roll back checkout",
        "ana: the fix is on its way",
        "2.9.0 is gone",
    ] {
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    let listed = parsed(&fleet.run(&["incident", "list", "--json"]).await.stdout);
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!("INC-1"), &json!("resolved")));
    assert_eq!(count(&entries(journal.as_ref()).await, "incident_opened"), 1);
}

/// Without a guard a person declares an incident all the same, and whoever leads next finds it. A wrong command line is told
/// apart from a refusal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_declares_without_a_guard() {
    let fleet = Fleet::start().await;
    for args in [
        &["incident", "open", "down", "--severity", "5"][..],
        &["incident", "open", "down", "--service", "nope"],
        &["incident", "severity", "1"],
        &["checklist", "tick", "watch", "--undo", "--not-applicable"],
    ] {
        assert_eq!(fleet.run(args).await.status.code(), Some(2), "{args:?}");
    }
    let opened = fleet.run(&["incident", "open", "customers call", "--service", "checkout"]).await;
    assert_eq!(opened.status.code(), Some(0), "{}", text(&opened.stderr));
    let twice = fleet.run(&["incident", "open", "again"]).await;
    assert_eq!(twice.status.code(), Some(5));
    assert!(
        text(&twice.stderr).contains("INC-1 is open already (customers call)"),
        "{}",
        text(&twice.stderr)
    );
    let list = parsed(&fleet.run(&["checklist", "--json"]).await.stdout);
    assert_eq!((&list["services"], &list["by"]["name"]), (&json!(["checkout"]), &json!("ana")));
    assert_eq!(item(&list, "verify-health")["fact"]["holds"], Value::Null, "nobody looks");
    let wrong = fleet.run(&["checklist", "tick", "sing"]).await;
    assert_eq!(wrong.status.code(), Some(5));
    assert!(text(&wrong.stderr).contains("no item `sing`; items: acknowledge, "), "{}", text(&wrong.stderr));
}
