//! Reports out of the journal that real processes wrote: beside a guard that leads, and after everybody has gone.

use serde_json::{Value, json};
use unship::model::event::Event;

use crate::harness::{Fleet, has, journal_says, text};

#[track_caller]
fn parsed(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout).unwrap_or_else(|error| panic!("{error}: {}", text(stdout)))
}

/// Words of a table, whatever the width of its columns.
fn words(stdout: &[u8]) -> String {
    let shown = text(stdout);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A rollback that a person asked for is in the record and in the measures, though no process is left; what is not known is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_reported_when_nobody_leads() {
    let fleet = Fleet::start().await;
    // Before anything has written a journal there is nothing to report from, and nothing is made.
    let early = fleet.run(&["report", "delivery"]).await;
    assert_eq!(early.status.code(), Some(1), "{}", text(&early.stderr));
    assert!(!fleet.path().join("unship.db").exists());
    let args = [
        "rollback",
        "checkout",
        "--to",
        "2.8.0",
        "--yes",
        "--reason",
        "5xx",
        "--override",
        "target=it was fine",
    ];
    let done = fleet.run(&args).await;
    assert!(done.status.code().is_some(), "{}", text(&done.stderr));

    let shown = words(&fleet.run(&["report", "deployment", "checkout"]).await.stdout);
    for part in ["rollback 2.9.0 2.8.0 ana", "traffic back, ", "5xx"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let one = parsed(&fleet.run(&["report", "deployment", "op-1", "--json"]).await.stdout);
    assert_eq!(one["schema"], "unship-deployment-report/1");
    let change = &one["changes"][0];
    assert_eq!((&change["kind"], &change["from"]), (&json!("rollback"), &json!("2.9.0")), "{change}");
    assert!(change["live_at"].is_string() && change["detail"].is_string(), "{change}");
    let markdown = text(&fleet.run(&["report", "deployment", "op-1", "--format", "markdown"]).await.stdout);
    assert!(markdown.contains("## checkout: rollback to 2.8.0"), "{markdown}");
    assert_eq!(fleet.run(&["report", "deployment", "op-9"]).await.status.code(), Some(1));
    assert_eq!(fleet.run(&["report", "deployment", "nope"]).await.status.code(), Some(2));

    let delivery = parsed(&fleet.run(&["report", "delivery", "--json", "--from", "1d"]).await.stdout);
    assert_eq!(delivery["all"]["deployments"]["rollbacks"], 1, "{delivery}");
    assert_eq!(delivery["all"]["deployments"]["rollback_time"]["n"], 1);
    let shown = words(&fleet.run(&["report", "delivery"]).await.stdout);
    for part in [
        "rollback time n 1: ",
        "alert accuracy no data",
        "lead time: the journal does not hold when commits were made",
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert_eq!(fleet.run(&["report", "delivery", "--from", "soon"]).await.status.code(), Some(2));
    assert_eq!(fleet.run(&["report", "delivery", "--service", "nope"]).await.status.code(), Some(2));
    let none = fleet.run(&["report", "incident"]).await;
    assert_eq!((none.status.code(), text(&none.stderr).trim()), (Some(1), "there was no incident yet"));
}

/// An incident under a guard: its record while the guard leads, and a post-mortem that keeps what people wrote when it is written
/// again, and is not written at all over a broken marker or somebody else's file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_mortem_is_written_again() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let _guard = fleet.guard();
    journal_says(journal.as_ref(), "a good release", |entries| {
        entries.iter().any(|entry| {
            matches!(&entry.event, Event::ReleaseMarked { version, .. } if version.as_str() == "2.8.0")
        })
    })
    .await;
    let bad = json!({ "kind": "errors", "rate": 0.6, "version": "2.9.0" });
    fleet.ask("/admin/services/checkout/fault", bad).await;
    journal_says(journal.as_ref(), "an incident", |entries| has(entries, "incident_opened")).await;
    assert_eq!(fleet.run(&["incident", "ack"]).await.status.code(), Some(0));
    journal_says(journal.as_ref(), "the end of the rollback", |entries| has(entries, "operation_ended"))
        .await;

    let record = parsed(&fleet.run(&["report", "incident", "--json"]).await.stdout);
    assert_eq!((&record["id"], &record["status"]["is"]), (&json!("INC-1"), &json!("open")));
    let interval = |word: &str| {
        let all = record["intervals"].as_array().unwrap();
        all.iter().find(|interval| interval["metric"] == word).unwrap()["state"].clone()
    };
    assert_eq!((interval("ttd"), interval("ttr")), (json!("known"), json!("open")), "{record}");
    assert_eq!(record["operations"][0]["id"], "op-1");
    assert_eq!(record["instants"]["ack"]["source"], "by ana");
    assert!(record["checklists"][0]["sha256"].as_str().unwrap().len() == 64, "{record}");

    let path = fleet.path().join("pm.md");
    let file = path.to_str().unwrap();
    let write = ["report", "incident", "INC-1", "--out", file];
    let written = fleet.run(&write).await;
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let first = std::fs::read_to_string(&path).unwrap();
    assert!(first.contains("**INC-1: acknowledged by responder 1**"), "{first}");
    // `canary` is no name.
    let is_named = first.split(|c: char| !c.is_alphanumeric()).any(|word| word == "ana");
    assert!(!is_named, "a file calls people by their roles: {first}");
    let ours = first
        .replace("## 2. Summary\n", "## 2. Summary\n\nMore from us.\n")
        .replace("- Authors:", "- Authors: us");
    std::fs::write(&path, &ours).unwrap();
    assert_eq!(fleet.run(&["incident", "resolve", "--reason", "2.9.0 is gone"]).await.status.code(), Some(0));
    assert_eq!(fleet.run(&write).await.status.code(), Some(0));
    let second = std::fs::read_to_string(&path).unwrap();
    for part in ["More from us.", "- Authors: us", "Ended: 2.9.0 is gone"] {
        assert!(second.contains(part), "{part} is not in {second}");
    }

    let broken = second.replace("<!-- unship:end summary -->\n", "");
    std::fs::write(&path, &broken).unwrap();
    for args in [&write[..], &["report", "incident", "--out", file, "--force"]] {
        let refused = fleet.run(args).await;
        assert_eq!(refused.status.code(), Some(2));
        let said = text(&refused.stderr);
        assert!(
            said.contains("line ") && said.contains("`summary`") && said.contains("nothing was written"),
            "{said}"
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
    }
    std::fs::write(&path, "# My notes\n").unwrap();
    let refused = fleet.run(&write).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("was not made by"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# My notes\n");
    let forced = ["report", "incident", "--out", file, "--force", "--names"];
    assert_eq!(fleet.run(&forced).await.status.code(), Some(0));
    assert!(std::fs::read_to_string(&path).unwrap().contains("acknowledged by ana"));

    let data = ["report", "incident", "--json", "--out", file, "--force"];
    assert_eq!(fleet.run(&data).await.status.code(), Some(2), "a post-mortem is not written over with data");

    let shown = words(&fleet.run(&["report", "incident"]).await.stdout);
    for part in ["INC-1 SEV2 resolved: ", "TTR ", "onset to resolve", "op-1 ", "acknowledged by ana"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let piped = text(&fleet.run(&["report", "incident", "--format", "markdown"]).await.stdout);
    assert!(piped.starts_with("<!-- unship:post-mortem INC-1 -->") && !piped.contains("by ana"), "{piped}");
    let delivery = parsed(&fleet.run(&["report", "delivery", "--json"]).await.stdout);
    assert_eq!(delivery["all"]["incidents"]["n"], 1);
    assert_eq!(delivery["all"]["incidents"]["alert_accuracy"]["of"], 1);
    assert_eq!(fleet.run(&["report", "incident", "INC-7"]).await.status.code(), Some(1));
}
