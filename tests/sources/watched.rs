//! What is counted of probes, read from JSON and from lines, beside the lab's own figures; and a source that dies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use unship::model::breaker::{BreakerState, Dependency};
use unship::model::event::Event;

use crate::harness::{Fleet, Process, count, entries, has, journal_says, text};
use crate::prometheus::status_says;

/// A program's own figures over HTTP, until it is dropped.
struct Stats {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Stats {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stats {
    async fn start(address: &str) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let orders = Arc::new(AtomicU64::new(0));
        let answer = move || {
            let orders = orders.fetch_add(3, Ordering::SeqCst);
            async move { json!({ "orders": orders, "queue": 7 }).to_string() }
        };
        let app = Router::new().route("/stats", get(answer));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, task }
    }
}

fn add(fleet: &Fleet, stats: SocketAddr) {
    let more = format!(
        r#"
[sources.stats]
kind = "json"
url = "http://{stats}/stats"
interval = "200ms"
timeout = "200ms"

[sources.probes]
kind = "probe"
interval = "500ms"

[sources.lines]
kind = "log"
command = ["sh", "-c", "while echo '{{\"status\": 200, \"took\": 12}}'; do sleep 0.05; done"]
interval = "500ms"

[services.checkout.indicators.orders]
source = "stats"
read = {{ kind = "rate", counter = "/orders" }}

[services.checkout.indicators.queue]
source = "stats"
read = {{ kind = "gauge", series = "/queue" }}

[services.checkout.indicators.failing]
source = "probes"
read = {{ kind = "ratio", bad = "failed", total = "checks" }}

[services.checkout.indicators.answers]
source = "lines"
read = {{ kind = "latency", histogram = "/took where /status < 500", unit = "milliseconds" }}

[triggers.queue]
when = {{ kind = "threshold", indicator = "queue", above = 100, over = "1s", aggregate = "max" }}
action = "immediate"
severity = "high"
"#
    );
    fleet.reconfigure(|config| format!("{config}{more}"));
}

async fn said(fleet: &Fleet, args: &[&str]) -> (Option<i32>, Value) {
    let output = fleet.run(args).await;
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)));
    (output.status.code(), value)
}

/// Before anything depends on them, sources can be tried out: every indicator says what it gives, and one that gives nothing
/// makes the exit code.
#[tokio::test(flavor = "multi_thread")]
async fn sources_are_tried_out() {
    let fleet = Fleet::start().await;
    let stats = Stats::start("127.0.0.1:0").await;
    add(&fleet, stats.address);
    let (code, all) = said(&fleet, &["sources", "check", "--json"]).await;
    assert_eq!(code, Some(0), "{all:#}");
    let given = |source: &str, indicator: &str| {
        let sources = all["sources"].as_array().unwrap();
        let source = sources.iter().find(|one| one["source"] == source).unwrap();
        let indicators = source["indicators"].as_array().unwrap();
        indicators.iter().find(|one| one["indicator"] == indicator).unwrap()["seen"].clone()
    };
    assert_eq!(given("stats", "queue")[0]["value"], 7.0);
    assert_eq!(given("stats", "orders")[0]["read"], json!({ "count": 3.0 }));
    assert_eq!(given("probes", "failing")[0]["read"], json!({ "ratio": { "bad": 0.0, "total": 1.0 } }));
    assert!(given("lines", "answers")[0]["value"].as_f64().is_some_and(|ms| (10.0..=25.0).contains(&ms)));
    // Of the lab's own, one for each version.
    assert_eq!(given("fleet", "traffic").as_array().unwrap().len(), 2);

    drop(stats);
    let output = fleet.run(&["sources", "check", "stats", "probes"]).await;
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stdout));
    let shown = text(&output.stdout);
    let mut lines = shown.lines();
    assert_eq!(
        lines.next().map(|line| line.split_whitespace().collect::<Vec<_>>()).unwrap(),
        ["source", "service", "indicator", "arm", "value", "age"]
    );
    let lines: Vec<&str> = lines.collect();
    assert!(lines[0].starts_with("probes  checkout  failing    whole  0 %"), "{shown}");
    assert!(lines[1].starts_with("stats") && lines[1].contains("unknown"), "{shown}");
    assert_eq!(lines.len(), 2, "{shown}");

    let output = fleet.run(&["sources", "check", "nowhere"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no source `nowhere`; sources: fleet, lines, probes, stats"));
}

/// A source that dies is left alone, and that is seen by everyone; what it fed is unknown, and nothing is rolled back for it.
/// When it is back, it is tried, and then read as ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_source_is_left_alone() {
    let fleet = Fleet::start().await;
    let stats = Stats::start("127.0.0.1:0").await;
    let address = stats.address;
    add(&fleet, address);
    let _guard = Process::speaking(fleet.unship(&["guard"]), &fleet.path().join("guard.txt"));
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;

    drop(stats);
    let states = |entries: &[unship::journal::Entry]| -> Vec<BreakerState> {
        let changes = entries.iter().filter_map(|entry| match &entry.event {
            Event::BreakerChanged { dependency, breaker }
                if *dependency == Dependency::Source("stats".into()) =>
            {
                Some(breaker.state)
            }
            _ => None,
        });
        changes.collect()
    };
    journal_says(journal.as_ref(), "it is left alone", |entries| !states(entries).is_empty()).await;
    let status = fleet.run(&["status"]).await;
    let shown = text(&status.stdout);
    assert!(shown.contains("source stats: breaker open since "), "{shown}");
    assert!(shown.contains(", next try ") && shown.contains("refused"), "{shown}");
    // Once its last data are too old to speak of now.
    let status = status_says(&fleet, "what it fed is unknown", |status| {
        let evaluations = status["services"][0]["reading"]["evaluations"].as_array();
        let queue = evaluations.into_iter().flatten().find(|one| one["trigger"] == "queue");
        queue.is_some_and(|queue| queue["status"]["state"] == "unknown")
    })
    .await;
    let breaker = &status["breakers"][0];
    assert_eq!((&breaker["source"], &breaker["state"]), (&json!("stats"), &json!("open")));

    let _stats = Stats::start(&address.to_string()).await;
    let is_closed =
        |entries: &[unship::journal::Entry]| states(entries).last() == Some(&BreakerState::Closed);
    journal_says(journal.as_ref(), "it is read again", is_closed).await;
    let (_, status) = said(&fleet, &["status", "--json"]).await;
    assert_eq!(status["breakers"], json!([]));
    assert_eq!(
        count(&entries(journal.as_ref()).await, "operation_planned"),
        0,
        "something was done without knowing"
    );
}
