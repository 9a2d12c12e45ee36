//! `unship backtest` on a journal with samples.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use unship::journal::Journal;
use unship::journal::sqlite::SqliteJournal;
use unship::model::command::Actor;
use unship::model::event::Event;
use unship::model::release::{Arm, Inventory, Quality, Release, Share};
use unship::model::source::{Sample, SampleValue, Subject};

use crate::harness::{run, text, unship};

const CONFIG: &str = r#"
[environment]
name = "production"
automatic = false

[guardrails]
stale_after = "10s"

[rollback]
good_after = "60s"

[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "1s"
timeout = "500ms"
arms = { label = "version", by_version = true }

[services.checkout]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "checkout" }
probes.live = { url = "http://127.0.0.1:1/health", interval = "1s", timeout = "500ms" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "LIMIT", over = "10s", for = "5s" }
action = "immediate"
min_samples = 20

[triggers.down]
when = { kind = "consecutive", failures = 3, within = "10s" }
action = "immediate"
"#;

fn inventory(shares: &[(&str, Arm, u8)]) -> Inventory {
    let release = |version: &str| Release {
        version: version.into(),
        reference: version.into(),
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        author: None,
        schema: None,
        running: true,
    };
    let share = |(version, arm, percent): &(&str, Arm, u8)| Share {
        reference: (*version).into(),
        arm: *arm,
        percent: *percent,
    };
    Inventory {
        releases: vec![release("2.0"), release("1.0")],
        traffic: shares.iter().map(share).collect(),
        settled: true,
        ..Inventory::default()
    }
}

/// Two minutes of 1.0, then two with a canary with 8 % of errors, then two without it.
async fn record(dir: &Path, begin: Timestamp) {
    std::fs::write(dir.join("unship.toml"), CONFIG.replace("LIMIT", "5%")).unwrap();
    std::fs::write(dir.join("calm.toml"), CONFIG.replace("LIMIT", "20%")).unwrap();
    std::fs::write(
        dir.join("other.toml"),
        CONFIG.replace("LIMIT", "5%").replace("services.checkout", "services.cart"),
    )
    .unwrap();
    let journal = SqliteJournal::open(&dir.join("unship.db")).await.unwrap();
    let token = journal.acquire("guard@test:1", Duration::from_secs(60)).await.unwrap().token;
    let at = |second: u64| begin + Duration::from_secs(second);
    let serves = |shares: &[(&str, Arm, u8)]| Event::InventoryChanged {
        service: "checkout".into(),
        inventory: inventory(shares),
    };
    let good = Event::ReleaseMarked {
        service: "checkout".into(),
        version: "1.0".into(),
        release: "1.0".into(),
        quality: Quality::Good,
        by: Actor::Engine,
        reason: "healthy as stable".into(),
    };
    let stable = [("1.0", Arm::Stable, 100)];
    let canary = [("1.0", Arm::Stable, 80), ("2.0", Arm::Canary, 20)];
    journal.append(token, at(0), &[serves(&stable), good], &[]).await.unwrap();
    journal.append(token, at(120), &[serves(&canary)], &[]).await.unwrap();
    journal.append(token, at(240), &[serves(&stable)], &[]).await.unwrap();
    let mut samples = Vec::new();
    for second in 0..360 {
        let has_canary = (120..240).contains(&second);
        let traffic: &[(&str, f64, f64)] =
            if has_canary { &[("1.0", 80.0, 0.0), ("2.0", 50.0, 4.0)] } else { &[("1.0", 100.0, 0.0)] };
        samples.extend(traffic.iter().map(|(version, total, bad)| Sample {
            service: "checkout".into(),
            indicator: "errors".into(),
            subject: Subject::Version((*version).into()),
            from: at(second),
            at: at(second + 1),
            value: SampleValue::Ratio { bad: *bad, total: *total },
        }));
    }
    journal.record(&samples).await.unwrap();
    journal.release(token).await.unwrap();
}

/// Two policies on the same past, as JSON and as tables; the journal is as it was afterwards.
#[tokio::test]
async fn policies_are_tried_on_a_journal() {
    let dir = TempDir::new().unwrap();
    let begin: Timestamp = "2026-01-10T09:00:00Z".parse().unwrap();
    record(dir.path(), begin).await;
    let calm = dir.path().join("calm.toml");
    let mut args = vec![
        "backtest",
        "--from",
        "2026-01-10T09:00:00Z",
        "--to",
        "2026-01-10T09:06:00Z",
        "--incident",
        "2026-01-10T09:02:00Z/2026-01-10T09:04:00Z=checkout",
        "--policy",
        calm.to_str().unwrap(),
    ];
    let output = run(unship(dir.path(), &args)).await;
    let (said, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}{stderr}");
    assert!(said.contains("unship.toml") && said.contains("rolled back after "), "{said}");
    assert!(said.contains("probes and alarms are not recorded: `down`"), "{said}");
    assert!(said.contains("not found"), "{said}");
    assert!(said.contains("(6 m)"), "{said}");

    args.push("--json");
    let output = run(unship(dir.path(), &args)).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [ours, calm] = &report["policies"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&ours["found"], &ours["false_alarms"]), (&1.into(), &0.into()), "{report}");
    assert_eq!(ours["rollbacks"][0]["from"][0], "2.0", "{report}");
    assert_eq!(ours["rollbacks"][0]["incident"], "#1", "{report}");
    let took = ours["met"][0]["rolled_back_after_ms"].as_i64().unwrap();
    assert!((5_000..30_000).contains(&took), "{report}");
    assert_eq!(ours["left_out"][0], "down", "{report}");
    assert_eq!((&calm["found"], calm["rollbacks"].as_array().unwrap().len()), (&0.into(), 0), "{report}");

    let journal = SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap();
    assert_eq!(journal.last().await.unwrap(), 4, "nothing was written");
    assert_eq!(journal.lease().await.unwrap(), None, "nobody leads");
}

/// What makes no sense and what is not there is said, each with its exit code.
#[tokio::test]
async fn mistakes_are_named() {
    let dir = TempDir::new().unwrap();
    record(dir.path(), "2026-01-10T09:00:00Z".parse().unwrap()).await;
    let other = dir.path().join("other.toml");
    let (day, next) = ("2026-01-10", "2026-01-12");
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--from", next, "--to", day], 2, "has to begin before it ends"),
        (&["--from", "2026-02-01", "--to", "2026-02-02"], 1, "nothing is recorded between"),
        (
            &["--from", day, "--to", next, "--policy", other.to_str().unwrap()],
            2,
            "`other.toml` has `cart` instead of `checkout`",
        ),
        (&["--from", day, "--to", next, "--incident", "2026-01-10T09:00:00Z=cart"], 2, "no service `cart`"),
        (&["--from", day, "--to", next, "--incident", "2026-03-01=checkout"], 2, "is outside of the past"),
        (&["--from", day, "--to", next, "--source", "prometheus"], 2, "no source of `kind = \"prometheus\"`"),
    ];
    for (args, code, words) in cases {
        let output = run(unship(dir.path(), &[&["backtest"], args].concat())).await;
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
