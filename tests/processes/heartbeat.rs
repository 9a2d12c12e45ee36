//! A monitor outside hears that a guard leads, and hears nothing when none does.

use std::time::Duration;

use wiremock::matchers::{body_partial_json, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::harness::{Fleet, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_heart_beats() {
    let fleet = Fleet::start().await;
    let monitor = MockServer::start().await;
    Mock::given(method("POST"))
        .and(body_partial_json(serde_json::json!({ "environment": "lab" })))
        .respond_with(ResponseTemplate::new(200))
        .mount(&monitor)
        .await;
    std::fs::write(fleet.path().join("monitor"), format!("{}/ping/secret-part\n", monitor.uri())).unwrap();
    fleet.reconfigure(|config| {
        format!("{config}\n[heartbeat]\nsecret_url = \"file:monitor\"\ninterval = \"50ms\"\n")
    });
    // Whoever only looks, or leads for one command, is no guard.
    assert_eq!(fleet.run(&["status"]).await.status.code(), Some(6));
    assert_eq!(beats(&monitor).await, 0);
    let mut guard = fleet.guard();
    let mut heard = 0;
    for _ in 0..400 {
        heard = beats(&monitor).await;
        if heard >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(heard >= 3, "{heard} beats");
    guard.0.kill().unwrap();
    eventually("the guard is gone", || guard.has_ended()).await;
    let last = beats(&monitor).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(beats(&monitor).await, last, "it beats without a guard");
}

async fn beats(monitor: &MockServer) -> usize {
    monitor.received_requests().await.unwrap().len()
}
