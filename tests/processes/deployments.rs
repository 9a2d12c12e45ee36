//! Bringing a release in with the real program on a lab: a guard that leads, and the command line that asks.

use std::time::Duration;

use serde_json::json;
use unship::model::event::Event;
use unship::model::operation::PlanKind;

use super::harness::{Fleet, Process, eventually, journal_says, read, text};

/// One service, and a release that is up and has no traffic.
const FLEET: &str = r#"
name = "forward"
doc = "One service and a release that waits."
duration = "10m"
expect = "quiet"

[[service]]
name = "checkout"
rps = 120
latency = "2ms"
[[service.release]]
version = "2.8.0"
age = "2d"
[[service.release]]
version = "2.7.0"
age = "9d"

[[at]]
at = "0s"
do = "deploy"
service = "checkout"
version = "2.9.0"
percent = 0
"#;

async fn fleet() -> Fleet {
    let fleet = Fleet::start_with(FLEET, "2.8.0").await;
    let has_waiting = || fleet.lab.inventory("checkout").unwrap().by_version(&"2.9.0".into()).is_some();
    eventually("the release that waits is up", has_waiting).await;
    fleet.reconfigure(|config| {
        config
            .replace("watch = \"4s\"", "watch = \"1s\"")
            .replace("percent = 60, watch = \"2s\"", "percent = 60, watch = \"1s\"")
            .replace("percent = 80, watch = \"2s\"", "percent = 80, watch = \"1s\"")
    });
    fleet
}

/// Waits until a guard has seen the service healthy, so that there is a release to go back to.
async fn guarded(fleet: &Fleet) -> Process {
    let guard = fleet.guard();
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "2.8.0 is good", |entries| {
        entries.iter().any(|entry| matches!(&entry.event, Event::ReleaseMarked { .. }))
    })
    .await;
    guard
}

fn deploy<'a>(strategy: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all =
        vec!["deploy", "checkout", "2.9.0", "--strategy", strategy, "--reason", "sprint 12", "--yes"];
    all.extend(more);
    all
}

/// Every strategy, to its verified end; no call of the platform was made twice.
#[tokio::test(flavor = "multi_thread")]
async fn every_strategy_forward() {
    for strategy in ["blue-green", "canary", "rolling", "emergency"] {
        let fleet = fleet().await;
        let _guard = guarded(&fleet).await;
        let done = fleet.run(&deploy(strategy, &["--go"])).await;
        assert_eq!(done.status.code(), Some(0), "{strategy}: {}", text(&done.stderr));
        assert_eq!(fleet.percent("2.9.0"), 100, "{strategy}");
        assert!(fleet.effects().iter().all(|(_, times)| *times == 1), "{strategy}: {:?}", fleet.effects());
    }
}

/// A fault in the middle of a canary: the command says so, and everything is back where it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_the_middle() {
    let fleet = fleet().await;
    fleet.reconfigure(|config| {
        config.replace("percent = 40, watch = \"1s\"", "percent = 40, watch = \"60s\"")
    });
    let _guard = guarded(&fleet).await;
    let said = fleet.path().join("said");
    let mut command = Process::speaking(fleet.unship(&deploy("canary", &[])), &said);
    eventually("the canary has its share", || fleet.percent("2.9.0") == 40).await;
    fleet
        .ask("/admin/services/checkout/fault", json!({ "kind": "errors", "rate": 0.4, "version": "2.9.0" }))
        .await;
    assert_eq!(command.code().await, Some(4), "{}", read(&said));
    assert_eq!((fleet.percent("2.8.0"), fleet.percent("2.9.0")), (100, 0));
    let said = read(&said);
    assert!(said.contains("is failing at 40 %") && said.contains("op-2 ended: verified"), "{said}");
}

/// The guard is killed while a stage is watched, and another goes on: every step happens once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_stage() {
    let fleet = fleet().await;
    let mut guard = guarded(&fleet).await;
    let said = fleet.path().join("said");
    let mut command = Process::speaking(fleet.unship(&deploy("canary", &[])), &said);
    eventually("the second stage is reached", || fleet.percent("2.9.0") == 60).await;
    guard.0.kill().unwrap();
    guard.0.wait().unwrap();
    let _next = fleet.guard();
    assert_eq!(command.code().await, Some(0), "{}", read(&said));
    assert_eq!(fleet.percent("2.9.0"), 100);
    assert!(fleet.effects().iter().all(|(_, times)| *times == 1), "{:?}", fleet.effects());
}

/// A blue/green switch waits for a person: no traffic moves before, and another shell says go.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_go() {
    let fleet = fleet().await;
    let _guard = guarded(&fleet).await;
    let said = fleet.path().join("said");
    let mut command = Process::speaking(fleet.unship(&deploy("blue-green", &[])), &said);
    eventually("a person is waited for", || read(&said).contains("unship confirm op-1")).await;
    assert_eq!(fleet.percent("2.9.0"), 0);
    let go = fleet.run(&["confirm", "op-1", "--reason", "the tests are green"]).await;
    assert_eq!(go.status.code(), Some(0), "{}", text(&go.stderr));
    assert_eq!(command.code().await, Some(0), "{}", read(&said));
    assert_eq!(fleet.percent("2.9.0"), 100);
}

/// `unship rollback` during a deployment stops it and goes back, without any of its stages.
#[tokio::test(flavor = "multi_thread")]
async fn taken_back_by_name() {
    let fleet = fleet().await;
    fleet.reconfigure(|config| {
        config.replace("percent = 40, watch = \"1s\"", "percent = 40, watch = \"60s\"")
    });
    let _guard = guarded(&fleet).await;
    let mut command = Process(fleet.unship(&deploy("canary", &[])).spawn().unwrap());
    eventually("the canary has its share", || fleet.percent("2.9.0") == 40).await;
    let back = fleet.run(&["rollback", "checkout", "--reason", "the cart is empty", "--yes"]).await;
    assert_eq!(back.status.code(), Some(0), "{}", text(&back.stderr));
    assert_eq!((fleet.percent("2.8.0"), command.code().await), (100, Some(4)));
    let journal = fleet.journal().await;
    let entries = journal_says(journal.as_ref(), "the end of both", |entries| {
        entries.iter().filter(|entry| matches!(entry.event, Event::OperationEnded { .. })).count() == 2
    })
    .await;
    let kinds: Vec<PlanKind> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::OperationPlanned { plan, .. } => Some(plan.kind),
            _ => None,
        })
        .collect();
    assert!(matches!(kinds[..], [PlanKind::Deploy { .. }, PlanKind::RollBack]), "{kinds:?}");
}

/// A suite with a token, a 4xx that passes, and a test that fails and stops no other; as a table, as JUnit, and against another
/// address.
#[tokio::test(flavor = "multi_thread")]
async fn a_smoke_suite() {
    let fleet = fleet().await;
    fleet.reconfigure(|config| {
        config.replace(
            "[load.checkout]",
            "[[smoke.checkout.tests]]\nname = \"gone\"\npath = \"/account\"\nexpect = { \"/cart\" = true }\n\n\
             [[smoke.checkout.tests]]\nname = \"after it\"\npath = \"/\"\n\n[load.checkout]",
        )
    });
    let junit = fleet.path().join("junit.xml");
    let file = junit.to_str().unwrap();
    let done = fleet.run(&["smoke", "checkout", "--junit", file]).await;
    let table = text(&done.stdout);
    assert_eq!(done.status.code(), Some(3), "{table}");
    for line in ["passed  login", "passed  account", "passed  a stranger", "FAILED  gone", "passed  after it"]
    {
        assert!(table.contains(line), "{line}\n{table}");
    }
    assert!(!table.contains("lab-smoke-token"), "what was captured is not shown: {table}");
    let xml = read(&junit);
    assert!(xml.contains("tests=\"6\" failures=\"1\" errors=\"0\""), "{xml}");

    let candidate = fleet.run(&["--json", "smoke", "--service", "checkout", "--candidate", "2.9.0"]).await;
    assert!(text(&candidate.stdout).contains("/at/checkout/2.9.0"), "{}", text(&candidate.stdout));
    // Nobody listens there: no test passes, and those that need a token are not run.
    let nobody = fleet.run(&["smoke", "checkout", "--against", "http://127.0.0.1:9"]).await;
    let table = text(&nobody.stdout);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(table.contains("FAILED   login") && table.contains("not run  account"), "{table}");
    let none = fleet.run(&["smoke", "chekout"]).await;
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("there is: checkout"), "{}", text(&none.stderr));
}

/// The gate as a pipeline sees it: passed, failed, failed and rolled back, not known, out of time.
#[tokio::test(flavor = "multi_thread")]
async fn the_gate() {
    let fleet = fleet().await;
    let gate = |more: &[&'static str]| {
        let mut all = vec!["gate", "checkout", "--every", "100ms"];
        all.extend(more);
        all
    };
    let passed = fleet.run(&gate(&["--smoke", "checkout", "--command", "true"])).await;
    assert_eq!(passed.status.code(), Some(0), "{}", text(&passed.stderr));

    let failed = fleet.run(&gate(&["--command", "false"])).await;
    assert_eq!(failed.status.code(), Some(3), "{}", text(&failed.stderr));

    let slow = fleet.run(&gate(&["--command", "sleep 60", "--timeout", "1s"])).await;
    assert_eq!(slow.status.code(), Some(7), "{}", text(&slow.stderr));

    let _guard = guarded(&fleet).await;
    let done = fleet.run(&deploy("emergency", &[])).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let (junit, summary) = (fleet.path().join("gate.xml"), fleet.path().join("gate.md"));
    let back = fleet
        .run(&[
            "gate",
            "checkout",
            "--command",
            "false",
            "--auto-rollback",
            "--junit",
            junit.to_str().unwrap(),
            "--summary",
            summary.to_str().unwrap(),
        ])
        .await;
    assert_eq!(back.status.code(), Some(3), "{}", text(&back.stderr));
    assert_eq!(fleet.percent("2.8.0"), 100);
    assert!(read(&junit).contains("<failure message=\"ended with exit status: 1\"/>"), "{}", read(&junit));
    let summary = read(&summary);
    assert!(
        summary.contains("## gate of checkout: failed") && summary.contains("was taken back"),
        "{summary}"
    );
    // To roll back once more would be asked for too soon: the gate says that a person is needed.
    let refused = fleet.run(&gate(&["--command", "false", "--auto-rollback"])).await;
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));

    fleet.reconfigure(|config| config.replace("[services.checkout.probes.health]", "[services.checkout.probes.gone]\nurl = \"http://name.invalid/\"\n\n[services.checkout.probes.health]"));
    let unknown = fleet.run(&gate(&["--attempts", "1"])).await;
    assert_eq!(unknown.status.code(), Some(6), "{}", text(&unknown.stderr));
}

/// A watch as a pipeline sees it: well to the end; failing and taken back; nothing ever known.
#[tokio::test(flavor = "multi_thread")]
async fn the_watch() {
    let fleet = fleet().await;
    let guard = guarded(&fleet).await;
    let well = fleet.run(&["watch", "checkout", "--for", "1s"]).await;
    assert_eq!(well.status.code(), Some(0), "{}", text(&well.stderr));

    let done = fleet.run(&deploy("emergency", &[])).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let watching = fleet.run(&["watch", "checkout", "--for", "60s", "--auto-rollback"]);
    let fault = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let fault = json!({ "kind": "errors", "rate": 0.4, "version": "2.9.0" });
        fleet.ask("/admin/services/checkout/fault", fault).await;
    };
    let (back, ()) = tokio::join!(watching, fault);
    assert_eq!(back.status.code(), Some(3), "{}", text(&back.stderr));
    assert_eq!(fleet.percent("2.8.0"), 100);
    drop(guard);

    fleet.reconfigure(|config| {
        let config = config.replace("/metrics\"", "/nothing\"").replace("/health\"", "/nothing\"");
        config.replace("unship.db", "another.db")
    });
    let nothing = fleet.run(&["watch", "checkout", "--for", "2s", "--ready-within", "1s"]).await;
    assert!(matches!(nothing.status.code(), Some(6 | 7)), "{}", text(&nothing.stderr));
}

/// A service's database: its schema is what the guardrail compares, its data are checked, and a deployment begins with a backup.
#[tokio::test(flavor = "multi_thread")]
async fn a_database() {
    let fleet = fleet().await;
    let file = fleet.path().join("shop.db");
    let run = |statements: &str| {
        let done = std::process::Command::new("sqlite3").arg(&file).arg(statements).output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
    };
    if !std::process::Command::new("sqlite3").arg("--version").output().is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: there is no sqlite3; apt-get install sqlite3");
        return;
    }
    run("CREATE TABLE schema_migrations (version BIGINT, dirty BOOLEAN); INSERT INTO schema_migrations VALUES (7, 0);
         CREATE TABLE orders (id INTEGER, lines INTEGER); INSERT INTO orders VALUES (1, 2), (2, 1);");
    let backups = fleet.path().join("backups");
    fleet.reconfigure(|config| {
        format!(
            "{config}\n[databases.shop]\nservices = [\"checkout\"]\nengine = {{ kind = \"sqlite\", file = {file:?} }}\n\
             backups = {backups:?}\n[[databases.shop.checks]]\nname = \"lines\"\n\
             sql = \"SELECT count(*) FROM orders WHERE lines = 0\"\nequals = \"0\"\n"
        )
    });
    let status = fleet.run(&["db", "status"]).await;
    assert_eq!(status.status.code(), Some(0), "{}", text(&status.stderr));
    assert!(text(&status.stdout).contains("golang-migrate"), "{}", text(&status.stdout));
    let _guard = guarded(&fleet).await;
    run("INSERT INTO orders VALUES (3, 0)");
    let refused = fleet.run(&deploy("blue-green", &["--go"])).await;
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));
    assert!(text(&refused.stdout).contains("expected 0, found 1"), "{}", text(&refused.stdout));
    assert_eq!((fleet.percent("2.9.0"), backups.exists()), (0, false));
    assert_eq!(fleet.run(&["db", "check"]).await.status.code(), Some(3));

    run("DELETE FROM orders WHERE lines = 0");
    let done = fleet.run(&deploy("blue-green", &["--go"])).await;
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert_eq!(fleet.percent("2.9.0"), 100);
    let made: Vec<_> = std::fs::read_dir(&backups).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(text(&done.stdout).contains(made[0].to_str().unwrap()), "{}", text(&done.stdout));
    let plan = fleet.run(&["--json", "rollback", "checkout", "--reason", "a look", "--dry-run"]).await;
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let schema = plan["guardrails"].as_array().unwrap().iter().find(|check| check["guardrail"] == "schema");
    assert_eq!(schema.unwrap()["passes"], true);
}
