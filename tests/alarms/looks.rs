//! What the listener tells of unship itself.

use std::collections::BTreeMap;

use serde_json::Value;
use unship::observe::exposition;

use crate::listener::{Listener, alert, firing};

/// The metrics as a scraper reads them: by name, each with its labels and value.
fn parsed(text: &str) -> BTreeMap<String, Vec<(String, f64)>> {
    let mut metrics: BTreeMap<String, Vec<(String, f64)>> = BTreeMap::new();
    exposition::parse(text, |series| {
        let labels: Vec<String> =
            series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        metrics.entry(series.name.to_string()).or_default().push((labels.join(","), series.value));
    })
    .unwrap_or_else(|error| panic!("{error}\n{text}"));
    metrics
}

/// The metrics are in the format, each announced with its type, and say what is known.
#[tokio::test(flavor = "multi_thread")]
async fn metrics() {
    let listener = Listener::start().await;
    listener.webhook(vec![alert(1, "firing", 1), alert(2, "firing", 1), alert(2, "resolved", 1)]).await;
    listener.knows("one fires", |state| firing(state) == 1 && state.open_incident().is_some()).await;
    listener.knows("the source is asked", |state| !state.source_faults.is_empty()).await;
    let (status, text) = listener.get("/metrics").await;
    assert_eq!(status, 200);
    let metrics = parsed(&text);
    for (name, labels, value) in [
        ("unship_leading", "", 1.0),
        ("unship_led", "", 1.0),
        ("unship_journal_usable", "", 1.0),
        ("unship_alarms_firing", "", 1.0),
        ("unship_alarm_path_up", "", 1.0),
        ("unship_incidents_open", "severity=2", 1.0),
        ("unship_incidents_open", "severity=1", 0.0),
        ("unship_incidents_suspected", "", 1.0),
        ("unship_services", "verdict=healthy", 0.0),
        ("unship_source_up", "source=metrics", 0.0),
        ("unship_alarms_received_total", "", 3.0),
        ("unship_http_requests_total", "class=4xx", 0.0),
    ] {
        let found = metrics.get(name).and_then(|series| series.iter().find(|(one, _)| one == labels));
        assert_eq!(found.map(|(_, value)| *value), Some(value), "{name} {labels}\n{text}");
    }
    assert!(metrics["unship_journal_position"][0].1 > 0.0);
    assert!(metrics["process_resident_memory_bytes"][0].1 > 0.0);
    for name in metrics.keys() {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} has no type");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

/// The document about unship itself has what it asks of others, and 503 carries it: here everything but the journal is down.
#[tokio::test(flavor = "multi_thread")]
async fn health() {
    let listener = Listener::start().await;
    let is_down = |state: &unship::engine::State| {
        let platforms = state.services.values().filter(|known| known.platform_fault.is_some()).count();
        !state.source_faults.is_empty() && platforms == 2
    };
    listener.knows("all is down", is_down).await;
    let (status, text) = listener.get("/health").await;
    assert_eq!(status, 503, "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"], "unhealthy");
    assert_eq!(document["service"], "unship");
    assert_eq!(document["role"], "leading");
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert!(document["uptime_s"].as_f64().unwrap() >= 0.0);
    let dependencies = document["dependencies"].as_array().unwrap();
    let of = |name: &str, kind: &str| {
        dependencies
            .iter()
            .find(|one| one["name"] == name && one["kind"] == kind)
            .unwrap_or_else(|| panic!("{text}"))
    };
    let journal = of("journal", "journal");
    assert_eq!((&journal["status"], &journal["error"]), (&"healthy".into(), &Value::Null));
    assert!(journal["response_ms"].as_f64().is_some() && journal["last_checked"].is_string());
    for (name, kind) in [("metrics", "source"), ("shop", "platform"), ("pay", "platform")] {
        let one = of(name, kind);
        assert_eq!(one["status"], "unhealthy", "{one}");
        assert!(!one["error"].as_str().unwrap().is_empty(), "{one}");
    }
    for metric in ["memory_bytes", "cpu_seconds", "connections", "requests_per_minute", "error_rate"] {
        assert!(document["metrics"][metric].is_number(), "{metric}: {document}");
    }
    assert_eq!(listener.get("/health/live").await.0, 200);
    assert_eq!(listener.get("/health/ready").await.0, 200);
}
