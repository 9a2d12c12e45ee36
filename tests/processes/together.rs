//! Two services that change together, with the real program on a lab: forward, back when the second fails, and a guard that is
//! killed between the two.

use serde_json::json;
use unship::model::event::Event;

use super::harness::{Fleet, PATIENCE, Process, eventually, journal_says, read, text};

/// Two services of which one depends on the other, and a release of each that waits.
const FLEET: &str = r#"
name = "two"
doc = "Two services, each with a release that waits."
duration = "10m"
expect = "quiet"

[[service]]
name = "checkout"
depends_on = ["payments"]
rps = 60
latency = "2ms"
[[service.release]]
version = "2.8.0"
age = "2d"

[[service]]
name = "payments"
rps = 60
latency = "2ms"
[[service.release]]
version = "1.3.0"
age = "2d"

[[at]]
at = "0s"
do = "deploy"
service = "checkout"
version = "2.9.0"
percent = 0

[[at]]
at = "0s"
do = "deploy"
service = "payments"
version = "1.4.0"
percent = 0
"#;

async fn fleet() -> (Fleet, Process) {
    let fleet = Fleet::start_with(FLEET, "2.8.0").await;
    for (service, version) in [("checkout", "2.9.0"), ("payments", "1.4.0")] {
        let waits = || fleet.lab.inventory(service).unwrap().by_version(&version.into()).is_some();
        eventually("the release that waits is known", waits).await;
    }
    let guard = fleet.guard();
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "both are good", |entries| {
        entries.iter().filter(|entry| matches!(&entry.event, Event::ReleaseMarked { .. })).count() >= 2
    })
    .await;
    (fleet, guard)
}

fn percent(fleet: &Fleet, service: &str, version: &str) -> u8 {
    let inventory = fleet.lab.inventory(service).unwrap();
    inventory.by_version(&version.into()).map_or(0, |release| inventory.percent(&release.reference))
}

const DEPLOY: [&str; 8] = [
    "together",
    "deploy",
    "checkout=2.9.0",
    "payments=1.4.0",
    "--strategy=emergency",
    "--reason",
    "the new checkout",
    "--yes",
];

/// What is depended on comes first, whoever was named first; the other way round on the way back.
#[tokio::test(flavor = "multi_thread")]
async fn there_and_back() {
    let (fleet, _guard) = fleet().await;
    let shown = fleet
        .run(&["together", "deploy", "checkout=2.9.0", "payments=1.4.0", "--reason", "x", "--dry-run"])
        .await;
    let plan = text(&shown.stderr);
    let (first, second) = (plan.find("deploy payments"), plan.find("deploy checkout"));
    assert!(shown.status.success() && first.is_some() && first < second, "{plan}");
    let done = fleet.run(&DEPLOY).await;
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    assert!(said.contains("all of it: payments 1.4.0 done, checkout 2.9.0 done"), "{said}");
    assert_eq!((percent(&fleet, "checkout", "2.9.0"), percent(&fleet, "payments", "1.4.0")), (100, 100));
    let back =
        ["together", "rollback", "payments=1.3.0", "checkout=2.8.0", "--reason", "5xx on both", "--yes"];
    let done = fleet.run(&back).await;
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    assert!(said.contains("all of it: checkout 2.8.0 done, payments 1.3.0 done"), "{said}");
    assert_eq!((percent(&fleet, "checkout", "2.8.0"), percent(&fleet, "payments", "1.3.0")), (100, 100));
}

/// The second one fails with users on it: both are back where they were, and the command says so.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_fails() {
    let (fleet, _guard) = fleet().await;
    fleet
        .ask("/admin/services/checkout/fault", json!({ "kind": "errors", "rate": 0.6, "version": "2.9.0" }))
        .await;
    let done = tokio::time::timeout(PATIENCE * 2, fleet.run(&DEPLOY)).await.unwrap();
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(4), "{said}{}", text(&done.stderr));
    assert!(said.contains("payments 1.4.0 taken back, checkout 2.9.0 failed"), "{said}");
    assert_eq!((percent(&fleet, "checkout", "2.8.0"), percent(&fleet, "payments", "1.3.0")), (100, 100));
}

/// The guard dies between the two, and another goes on: every call of the platform was made once.
#[tokio::test(flavor = "multi_thread")]
async fn killed_between_the_two() {
    let (fleet, mut guard) = fleet().await;
    let said = fleet.path().join("said");
    let mut command = Process::speaking(fleet.unship(&DEPLOY), &said);
    eventually("the first has moved", || percent(&fleet, "payments", "1.4.0") == 100).await;
    guard.0.kill().unwrap();
    guard.0.wait().unwrap();
    let status = fleet.run(&["status"]).await;
    assert!(
        text(&status.stdout).contains("joint-1 (joint deployment): payments 1.4.0"),
        "{}",
        text(&status.stdout)
    );
    let _next = fleet.guard();
    assert_eq!(command.code().await, Some(0), "{}", read(&said));
    assert_eq!((percent(&fleet, "checkout", "2.9.0"), percent(&fleet, "payments", "1.4.0")), (100, 100));
    assert!(fleet.effects().iter().all(|(_, times)| *times == 1), "{:?}", fleet.effects());
}
