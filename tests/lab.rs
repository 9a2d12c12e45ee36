//! The lab as its users meet it: real HTTP to routers, backends and the admin interface of a started fleet.

#![expect(clippy::unwrap_used, reason = "a set-up that fails fails its test")]

use std::future::Future;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use unship::config::Config;
use unship::lab::{Facts, Lab, LabHandle, LabOptions, Scenario};
use unship::model::platform::{LabSpec, PlatformAction, PlatformSpec};
use unship::model::release::{Arm, Inventory, Share};
use unship::model::{IdempotencyKey, ReleaseRef};
use unship::platform::{Call, Platform, PlatformError, Progress, lab::Lab as LabPlatform};

/// One service without load of its own: every request is one of the test's.
const QUIET: &str = r#"
name = "quiet"
doc = "A fleet for tests."
duration = "10s"
expect = "quiet"
settle = "20ms"
[[service]]
name = "cart"
rps = 0
latency = "1ms"
dependencies = ["postgres", "redis", "mail"]
[[service.release]]
version = "2.0"
schema = 7
running = true
[[service.release]]
version = "1.0"
age = "2d"
author = "mara"
schema = 6
running = true
[[service.release]]
version = "0.9"
age = "30d"
"#;

struct Fleet {
    lab: LabHandle,
    client: Client,
}

impl Fleet {
    async fn start(more: &str) -> Self {
        let scenario = Scenario::parse("test.toml", &format!("{QUIET}{more}")).unwrap();
        let lab = Lab::start(scenario, 7).await.unwrap();
        let client =
            Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10)).build().unwrap();
        Self { lab, client }
    }

    async fn user(&self, path: &str) -> reqwest::Response {
        self.client.get(format!("{}{path}", self.lab.router_url("cart").unwrap())).send().await.unwrap()
    }

    async fn statuses(&self, count: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.user("/items").await.status().as_u16());
        }
        statuses
    }

    async fn post(&self, path: &str, body: Value, headers: &[(&str, &str)]) -> (StatusCode, Value) {
        let mut request = self.client.post(format!("{}{path}", self.lab.admin_url())).json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
    }

    async fn must(&self, path: &str, body: Value) {
        let (status, answer) = self.post(path, body, &[]).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
    }

    async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.lab.admin_url());
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    fn inventory(&self) -> Inventory {
        self.lab.inventory("cart").unwrap()
    }

    fn platform(&self) -> LabPlatform {
        LabPlatform::new(&LabSpec { admin: self.lab.admin_url(), service: "cart".to_owned() }).unwrap()
    }
}

fn shares(stable: u8, canary: u8) -> Value {
    json!({ "shares": [
        { "reference": "cart@2.0", "arm": "canary", "percent": canary },
        { "reference": "cart@1.0", "arm": "stable", "percent": stable },
    ] })
}

fn share(version: &str, arm: Arm, percent: u8) -> Share {
    Share { reference: ReleaseRef::new(format!("cart@{version}")), arm, percent }
}

fn call(key: &str, token: u64, inventory: Option<&Inventory>) -> Call {
    Call {
        key: IdempotencyKey::new(key),
        token,
        revision: inventory.and_then(|inventory| inventory.revision.clone()),
        may_have_happened: false,
        progress: Progress::default(),
    }
}

/// Waits until something is so; a bug makes it give up instead of hanging.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "gave up waiting until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn sum(page: &str, series: &str, label: &str) -> f64 {
    page.lines()
        .filter(|line| line.starts_with(&format!("{series}{{")) && line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The router obeys the weights exactly, says which version and arm answered, and its counters agree with the users.
#[tokio::test]
async fn weights_are_obeyed_and_counted() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/traffic", shares(80, 20)).await;
    let mut canary = 0;
    for _ in 0..100 {
        let answer = fleet.user("/items/17?size=2").await;
        assert_eq!(answer.status(), 200);
        let (version, arm) =
            (answer.headers()["x-unship-version"].clone(), &answer.headers()["x-unship-arm"]);
        assert_eq!(arm, if version == "2.0" { "canary" } else { "stable" });
        canary += u32::from(version == "2.0");
        // A probe in between takes its own turns.
        fleet.user("/health").await;
    }
    assert_eq!(canary, 20);
    let page = fleet.metrics().await;
    assert!((sum(&page, "http_requests_total", r#"version="2.0""#) - 20.0).abs() < 0.1, "{page}");
    assert!((sum(&page, "http_requests_total", r#"arm="stable""#) - 80.0).abs() < 0.1, "{page}");
    let count = sum(&page, "http_request_duration_seconds_count", r#"service="cart""#);
    assert!((count - 100.0).abs() < 0.1, "{page}");
    assert!(!page.contains("http_request_errors_total{"), "an error that nobody made:\n{page}");
    assert!(!page.contains(r#"version="0.9""#), "a release that was never up has series:\n{page}");
    assert!(sum(&page, "process_memory_limit_bytes", r#"version="1.0""#) > 0.0, "{page}");
}

/// After all traffic has gone to one release it is stable and the other has no share, whatever arm it was before.
#[tokio::test]
async fn what_serves_alone_is_stable() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/traffic", shares(80, 20)).await;
    fleet.must("/admin/services/cart/traffic", shares(0, 100)).await;
    let inventory = fleet.inventory();
    assert_eq!(inventory.traffic, [share("2.0", Arm::Stable, 100)]);
    let facts = fleet.lab.facts();
    let last = facts.services["cart"].traffic.last().unwrap();
    assert_eq!(last.percent.get("2.0"), Some(&100));
    assert_eq!(last.percent.len(), 1);
}

/// What has no traffic can be stopped, and what is down can be removed; both once or twice. What serves is left alone.
#[tokio::test]
async fn what_is_left_is_stopped_and_removed() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/traffic", shares(0, 100)).await;
    let of = |release: &str| json!({ "release": release });
    for (verb, release, says) in [
        ("stop", "cart@2.0", "has traffic"),
        ("remove", "cart@1.0", "runs; stop it first"),
        ("stop", "cart@9.9", "no release"),
    ] {
        let (_, answer) = fleet.post(&format!("/admin/services/cart/{verb}"), of(release), &[]).await;
        assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{answer}");
    }
    for verb in ["stop", "stop", "remove", "remove"] {
        fleet.must(&format!("/admin/services/cart/{verb}"), of("cart@1.0")).await;
    }
    let left: Vec<_> =
        fleet.inventory().releases.into_iter().map(|release| release.version.to_string()).collect();
    assert!(left.contains(&"2.0".to_owned()) && !left.contains(&"1.0".to_owned()), "{left:?}");
}

/// Traffic that does not add up, or that names what cannot take it, is refused with a reason, and nothing changes.
#[tokio::test]
async fn odd_weights_are_refused() {
    let fleet = Fleet::start("").await;
    let before = fleet.inventory();
    let one =
        |reference: &str| json!({ "shares": [{ "reference": reference, "arm": "stable", "percent": 100 }] });
    for (body, status, code, part) in [
        (shares(80, 30), 409, "conflict", "add up to 110"),
        (one("cart@0.9"), 409, "conflict", "not running"),
        (one("cart@9.9"), 404, "unknown", "no release `cart@9.9`"),
        (json!({ "shares": "all" }), 400, "invalid", "does not fit"),
        (json!({ "sharse": [] }), 400, "invalid", "sharse"),
    ] {
        let (got, answer) = fleet.post("/admin/services/cart/traffic", body, &[]).await;
        assert_eq!(got.as_u16(), status, "{answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(part), "{answer}");
    }
    let (status, answer) = fleet.post("/admin/services/kart/traffic", shares(80, 20), &[]).await;
    assert_eq!(status, 404, "{answer}");
    assert_eq!(fleet.inventory().revision, before.revision);
}

/// Behind the maintenance page users get a 503 that says when to come back, and health can still be seen.
#[tokio::test]
async fn the_maintenance_page_closes_the_service() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/maintenance", json!({ "on": true })).await;
    let answer = fleet.user("/items").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(!answer.headers().contains_key("x-unship-version"));
    assert_eq!(fleet.user("/health").await.status(), 200);
    assert_eq!(fleet.inventory().maintenance, Some(true));
    fleet.must("/admin/services/cart/maintenance", json!({ "on": false })).await;
    assert_eq!(fleet.user("/items").await.status(), 200);
    assert_eq!(fleet.lab.facts().requests, 1);
}

/// A fault of one version hits that version alone, is counted against it, and ends when it is cleared.
#[tokio::test]
async fn errors_hit_the_version_they_are_set_on() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/traffic", shares(50, 50)).await;
    fleet
        .must("/admin/services/cart/fault", json!({ "kind": "errors", "rate": 1.0, "version": "2.0" }))
        .await;
    let statuses = fleet.statuses(20).await;
    assert_eq!(statuses.iter().filter(|status| **status == 500).count(), 10, "{statuses:?}");
    let page = fleet.metrics().await;
    assert!((sum(&page, "http_request_errors_total", r#"version="2.0""#) - 10.0).abs() < 0.1, "{page}");
    assert!((sum(&page, "http_request_errors_total", r#"version="1.0""#)).abs() < 0.1, "{page}");
    let facts = &fleet.lab.facts().services["cart"];
    assert_eq!(facts.bad_responses, 10);
    assert!(facts.first_bad_response_at >= facts.fault_began_at && facts.fault_began_at.is_some());
    assert!(facts.last_routed_at["2.0"] >= facts.first_bad_response_at.unwrap());
    fleet.must("/admin/services/cart/clear", json!({})).await;
    assert!(fleet.statuses(10).await.iter().all(|status| *status == 200));
}

/// With the same seed the same requests fail.
#[tokio::test]
async fn a_seed_repeats_its_errors() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let fleet = Fleet::start("").await;
        fleet.must("/admin/services/cart/fault", json!({ "kind": "errors", "rate": 0.3 })).await;
        runs.push(fleet.statuses(60).await);
    }
    assert_eq!(runs[0], runs[1]);
    assert!((5..=35).contains(&runs[0].iter().filter(|status| **status == 500).count()), "{:?}", runs[0]);
}

/// A crash closes the port and breaks the version's answers; when the fault ends the process is back with empty gauges.
#[tokio::test]
async fn a_crash_refuses_connections() {
    let fleet = Fleet::start("").await;
    let addr = fleet.lab.backend_addr("cart", "2.0").unwrap();
    fleet.must("/admin/services/cart/fault", json!({ "kind": "memory_leak", "per_second": 1.0 })).await;
    fleet.must("/admin/services/cart/fault", json!({ "kind": "crash", "version": "2.0" })).await;
    until("the port refuses", async || {
        tokio::net::TcpStream::connect(addr)
            .await
            .err()
            .filter(|error| error.kind() == ErrorKind::ConnectionRefused)
    })
    .await;
    assert_eq!(fleet.user("/items").await.status(), 502);
    assert!(!fleet.inventory().releases[0].running);
    let page = fleet.metrics().await;
    assert!(!page.contains(r#"process_memory_bytes{service="cart",version="2.0"}"#), "{page}");
    fleet.must("/admin/services/cart/clear", json!({ "version": "2.0" })).await;
    assert_eq!(fleet.user("/items").await.status(), 200);
    let page = fleet.metrics().await;
    let requests = sum(&page, "http_requests_total", r#"version="2.0""#);
    assert!((requests - 2.0).abs() < 0.1, "the router's counters go on: {page}");
    let old = sum(&page, "process_memory_bytes", r#"version="1.0""#);
    assert!(sum(&page, "process_memory_bytes", r#"version="2.0""#) < old, "the leak began anew: {page}");
}

/// A hanging version answers nothing, neither work nor health; the router gives up on it.
#[tokio::test]
async fn a_hang_is_a_time_out() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/fault", json!({ "kind": "hang" })).await;
    let (work, health) = tokio::join!(fleet.user("/items"), fleet.user("/health"));
    assert_eq!((work.status().as_u16(), health.status().as_u16()), (504, 504));
    assert_eq!(fleet.lab.facts().errors, 1);
}

/// A slow version answers late and well.
#[tokio::test]
async fn latency_is_added() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/fault", json!({ "kind": "latency", "extra": "300ms" })).await;
    assert_eq!(fleet.user("/items").await.status(), 200);
    let page = fleet.metrics().await;
    assert!(sum(&page, "http_request_duration_seconds_sum", r#"service="cart""#) >= 0.3, "{page}");
    assert_eq!(fleet.lab.facts().services["cart"].bad_responses, 1);
}

/// The health document has every field that health readers know, and follows its dependencies: some down is degraded,
/// most down is unhealthy with a body.
#[tokio::test]
async fn health_follows_the_dependencies() {
    let fleet = Fleet::start("").await;
    let document: Value = fleet.user("/health").await.json().await.unwrap();
    assert_eq!(document["status"], "healthy");
    assert_eq!((&document["service"], &document["version"]), (&json!("cart"), &json!("2.0")));
    for pointer in [
        "/uptime",
        "/dependencies/0/responseTime",
        "/metrics/memory",
        "/metrics/cpu",
        "/metrics/connections",
        "/metrics/requestsPerMinute",
        "/metrics/errorRate",
    ] {
        assert!(document.pointer(pointer).is_some_and(Value::is_number), "{pointer} in {document}");
    }
    for pointer in ["/timestamp", "/dependencies/0/lastChecked"] {
        let text = document.pointer(pointer).and_then(Value::as_str).unwrap();
        assert!(text.parse::<jiff::Timestamp>().is_ok(), "{text}");
    }
    for (name, status, word) in [("redis", 200, "degraded"), ("mail", 503, "unhealthy")] {
        fleet.must("/admin/services/cart/fault", json!({ "kind": "dependency_down", "name": name })).await;
        let answer = fleet.user("/health").await;
        assert_eq!(answer.status(), status);
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["status"], word);
        assert_eq!(document["dependencies"][1]["status"], "unhealthy");
        assert!(document["dependencies"][1]["error"].is_string());
    }
    assert_eq!(fleet.user("/ready").await.status(), 503);
    assert_eq!(fleet.user("/live").await.status(), 200);
}

/// Health that flaps says both in turn while every work request is answered.
#[tokio::test]
async fn flapping_health_goes_both_ways() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/fault", json!({ "kind": "flapping_health", "period": "200ms" })).await;
    for status in [503, 200, 503] {
        until("health turns", async || (fleet.user("/health").await.status() == status).then_some(())).await;
    }
    assert_eq!(fleet.user("/items").await.status(), 200);
}

/// A muted canary keeps its weight on paper, gets nothing, and so has no series at all.
#[tokio::test]
async fn a_canary_without_traffic_has_no_series() {
    let fleet = Fleet::start("").await;
    fleet.must("/admin/services/cart/fault", json!({ "kind": "no_traffic", "version": "2.0" })).await;
    fleet.must("/admin/services/cart/traffic", shares(80, 20)).await;
    fleet.statuses(20).await;
    let page = fleet.metrics().await;
    assert!(!page.contains(r#"http_requests_total{service="cart",version="2.0""#), "{page}");
    assert_eq!(fleet.inventory().percent(&ReleaseRef::new("cart@2.0")), 20);
    assert!(!fleet.lab.facts().services["cart"].last_routed_at.contains_key("2.0"));
}

/// A key acts once: the second call gets the first one's answer, and the facts count it as a repeat.
#[tokio::test]
async fn a_key_does_not_act_twice() {
    let fleet = Fleet::start("").await;
    let headers = [("x-idempotency-key", "op-1/2"), ("x-fencing-token", "3")];
    let first = fleet.post("/admin/services/cart/traffic", shares(80, 20), &headers).await;
    fleet.must("/admin/services/cart/traffic", shares(50, 50)).await;
    let again = fleet.post("/admin/services/cart/traffic", shares(80, 20), &headers).await;
    assert_eq!(first, again);
    assert_eq!(fleet.inventory().percent(&ReleaseRef::new("cart@2.0")), 50);
    let (status, answer) = fleet.post("/admin/services/cart/traffic", shares(90, 10), &headers).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (422, &json!("key_reused")));
    let effects = fleet.lab.facts().effects;
    assert_eq!(effects.len(), 2);
    assert_eq!(effects[0].key.as_deref(), Some("op-1/2"));
    assert_eq!((effects[0].token, effects[0].times_applied, effects[0].times_repeated), (Some(3), 1, 1));
}

/// A leader that was replaced is refused, and the facts count that.
#[tokio::test]
async fn an_old_token_is_refused() {
    let fleet = Fleet::start("").await;
    let with = |token: &'static str| [("x-fencing-token", token)];
    let maintenance = "/admin/services/cart/maintenance";
    let (status, _) = fleet.post(maintenance, json!({ "on": true }), &with("5")).await;
    assert_eq!(status, 200);
    let (status, answer) = fleet.post(maintenance, json!({ "on": false }), &with("4")).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (412, &json!("stale_token")));
    assert_eq!(fleet.inventory().maintenance, Some(true));
    let facts = fleet.lab.facts();
    assert_eq!((facts.refused_stale_tokens, facts.services["cart"].highest_token), (1, 5));
    let (status, _) = fleet.post(maintenance, json!({ "on": false }), &with("five")).await;
    assert_eq!(status, 400);
}

/// A precondition that no longer holds is refused before anything happens.
#[tokio::test]
async fn a_changed_state_is_refused() {
    let fleet = Fleet::start("").await;
    let seen = fleet.inventory().revision.unwrap();
    let headers = [("x-expected-revision", seen.as_str())];
    let (status, _) = fleet.post("/admin/services/cart/traffic", shares(80, 20), &headers).await;
    assert_eq!(status, 200);
    let (status, answer) = fleet.post("/admin/services/cart/traffic", shares(70, 30), &headers).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (409, &json!("revision")));
    assert_eq!(fleet.inventory().percent(&ReleaseRef::new("cart@2.0")), 20);
}

/// The engine's whole round with the adapter: read, act, read until the post-condition holds, for every action.
#[tokio::test]
async fn the_adapter_reads_acts_and_sees_the_effect() {
    let fleet = Fleet::start("").await;
    let platform = fleet.platform();
    let capable = platform.capabilities();
    assert!(capable.weights && capable.deploy && capable.restore && capable.maintenance);
    let old = ReleaseRef::new("cart@0.9");
    let actions = [
        PlatformAction::Deploy { release: old.clone() },
        PlatformAction::ShiftTraffic {
            shares: vec![share("2.0", Arm::Stable, 70), share("0.9", Arm::Canary, 30)],
        },
        PlatformAction::Maintenance { on: true },
        PlatformAction::Maintenance { on: false },
        PlatformAction::ShiftTraffic { shares: vec![share("0.9", Arm::Stable, 100)] },
        PlatformAction::Restore { release: ReleaseRef::new("cart@1.0") },
    ];
    for (step, action) in actions.iter().enumerate() {
        assert!(platform.declares(action).observable && platform.declares(action).idempotent);
        let seen = platform.read().await.unwrap();
        assert!(
            !action.holds_in(&seen) || *action == PlatformAction::Maintenance { on: false },
            "{action:?}"
        );
        let text = platform.act(action, &call(&format!("op-1/{step}"), 1, Some(&seen))).await.unwrap();
        assert!(text.contains("revision"), "{text}");
        let inventory = until("the effect shows", async || {
            platform.read().await.ok().filter(|inventory| action.holds_in(inventory) && inventory.settled)
        })
        .await;
        assert_eq!(inventory, fleet.inventory());
    }
    let inventory = platform.read().await.unwrap();
    assert_eq!(inventory.releases.len(), 3);
    assert_eq!(inventory.releases[1].author.as_deref(), Some("mara"));
    assert_eq!((inventory.schema, inventory.releases[1].schema), (Some(7), Some(6)));
    assert!(inventory.releases.windows(2).all(|pair| pair[0].created_at >= pair[1].created_at));
}

/// Restoring a release that is down brings it up first, in one call.
#[tokio::test]
async fn restore_brings_a_release_up() {
    let fleet = Fleet::start("").await;
    let platform = fleet.platform();
    let action = PlatformAction::Restore { release: ReleaseRef::new("cart@0.9") };
    platform.act(&action, &call("op-2/1", 1, None)).await.unwrap();
    until("it serves", async || platform.read().await.ok().filter(|seen| action.holds_in(seen))).await;
    assert_eq!(fleet.user("/items").await.headers()["x-unship-version"], "0.9");
}

/// An answer that gets lost is unclear to the caller; asking again with the same key acts once in all.
#[tokio::test]
async fn a_lost_answer_is_applied_once() {
    let fleet = Fleet::start("").await;
    let platform = fleet.platform();
    let action = PlatformAction::ShiftTraffic { shares: vec![share("1.0", Arm::Stable, 100)] };
    fleet.must("/admin/effects/lose", json!({ "calls": 1 })).await;
    let first = platform.act(&action, &call("op-3/1", 1, None)).await;
    assert!(matches!(first, Err(PlatformError::Unclear(_))), "{first:?}");
    assert_eq!(fleet.inventory().percent(&ReleaseRef::new("cart@1.0")), 100, "it had its effect");
    platform.act(&action, &call("op-3/1", 1, None)).await.unwrap();
    let effects = fleet.lab.facts().effects;
    assert_eq!(effects.len(), 1);
    assert_eq!((effects[0].times_applied, effects[0].times_repeated), (1, 1));
}

/// A call that was on its way when its caller died has its effect all the same.
#[tokio::test]
async fn a_slow_call_outlives_its_caller() {
    let fleet = Fleet::start("").await;
    let platform = fleet.platform();
    fleet.must("/admin/effects/delay", json!({ "ms": 600 })).await;
    let action = PlatformAction::Maintenance { on: true };
    let call = call("op-4/1", 1, None);
    let gone = tokio::time::timeout(Duration::from_millis(300), platform.act(&action, &call)).await;
    assert!(gone.is_err(), "the call was to be slow");
    until("the effect shows", async || (fleet.inventory().maintenance == Some(true)).then_some(())).await;
}

/// The adapter tells what may work later from what never will, and what did not happen from what may have.
#[tokio::test]
async fn the_adapter_tells_failures_apart() {
    let fleet = Fleet::start("").await;
    let platform = fleet.platform();
    let seen = platform.read().await.unwrap();
    let on = PlatformAction::Maintenance { on: true };
    platform.act(&on, &call("a", 5, None)).await.unwrap();
    let stale = platform.act(&on, &call("b", 4, None)).await.unwrap_err();
    assert!(matches!(&stale, PlatformError::Permanent(text) if text.contains("newer token 5")), "{stale:?}");
    let changed = platform.act(&on, &call("c", 5, Some(&seen))).await.unwrap_err();
    assert!(
        matches!(&changed, PlatformError::Transient(text) if text.contains("read it again")),
        "{changed:?}"
    );
    let missing = PlatformAction::Deploy { release: ReleaseRef::new("cart@9") };
    let missing = platform.act(&missing, &call("d", 5, None)).await.unwrap_err();
    assert!(
        matches!(&missing, PlatformError::Permanent(text) if text.contains("no release `cart@9`")),
        "{missing:?}"
    );
    fleet.lab.shutdown().await;
    let down = until("the port refuses", async || platform.read().await.err()).await;
    assert!(matches!(down, PlatformError::Transient(_)), "{down:?}");
    let down = until("the port refuses", async || match platform.act(&on, &call("e", 5, None)).await {
        Err(error @ PlatformError::Transient(_)) => Some(error),
        _ => None,
    })
    .await;
    assert!(down.to_string().contains("maintenance page of `cart`"), "{down}");
}

/// The timeline releases, breaks and reports in its order, under load; the facts know what happened.
#[tokio::test]
async fn the_timeline_happens() {
    let scenario = format!(
        "{}{}",
        QUIET.replace("rps = 0", "rps = 200"),
        r#"
[[at]]
at = "50ms"
do = "deploy"
service = "cart"
version = "3.0"
author = "priya"
percent = 40
[[at]]
at = "100ms"
do = "fault"
service = "cart"
version = "3.0"
fault = { kind = "errors", rate = 1.0 }
[[at]]
at = "800ms"
do = "traffic"
service = "cart"
weights = { "2.0" = 100, "3.0" = 0 }
"#
    );
    let scenario = Scenario::parse("test.toml", &scenario).unwrap();
    let mut lab = Lab::start(scenario, 1).await.unwrap();
    let mut texts = Vec::new();
    for _ in 0..3 {
        texts.push(lab.next_event().await.unwrap().text);
    }
    assert_eq!(
        texts,
        ["3.0 is released, with 40 % of the traffic", "3.0 100 % errors", "weights: 2.0 100 %, 3.0 0 %"]
    );
    let inventory = lab.inventory("cart").unwrap();
    assert_eq!((inventory.releases[0].version.as_str(), inventory.traffic.len()), ("3.0", 1));
    let facts = lab.facts();
    let cart = &facts.services["cart"];
    assert!(cart.bad_responses > 0 && cart.versions["3.0"].errors >= cart.bad_responses, "{cart:?}");
    assert!(cart.versions["2.0"].requests > cart.versions["3.0"].requests, "{cart:?}");
    assert_eq!(cart.versions["2.0"].errors, 0);
    lab.shutdown().await;
}

/// A timeline that repeats releases a version of its own each time, and begins without the faults of the last one.
#[tokio::test]
async fn a_repeated_timeline_has_new_versions() {
    let scenario = QUIET.replace("10s", "600ms")
        + "[[at]]\nat = \"50ms\"\ndo = \"deploy\"\nservice = \"cart\"\nversion = \"3.0\"\npercent = 40\n\
           [[at]]\nat = \"60ms\"\ndo = \"fault\"\nservice = \"cart\"\nversion = \"3.0\"\nfault = { kind = \"crash\" }\n";
    let scenario = Scenario::parse("test.toml", &scenario).unwrap();
    let options = LabOptions { repeat: true, ..LabOptions::default() };
    let mut lab = Lab::start_with(scenario, options).await.unwrap();
    let mut texts = Vec::new();
    while texts.len() < 5 {
        texts.push(lab.next_event().await.unwrap().text);
    }
    assert_eq!(
        texts,
        [
            "3.0 is released, with 40 % of the traffic",
            "3.0 crashes",
            "round 2: all faults end, the timeline begins again",
            "3.1 is released, with 40 % of the traffic",
            "3.1 crashes",
        ]
    );
    let inventory = lab.inventory("cart").unwrap();
    let running: Vec<bool> = inventory.releases.iter().take(2).map(|release| release.running).collect();
    assert_eq!(running, [false, true], "3.1 is down, 3.0 is back");
}

/// The facts over HTTP are the facts, and can be read back.
#[tokio::test]
async fn the_facts_can_be_read() {
    let fleet = Fleet::start("").await;
    fleet.statuses(3).await;
    let url = format!("{}/admin/facts", fleet.lab.admin_url());
    let facts: Facts = fleet.client.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(facts, fleet.lab.facts());
    assert_eq!((facts.requests, facts.seed, facts.scenario.as_str()), (3, 7, "quiet"));
}

/// The config that the lab writes is one that unship takes, for every built-in scenario.
#[tokio::test]
async fn the_written_config_is_valid() {
    for scenario in Scenario::builtin() {
        let name = scenario.name.clone();
        let lab = Lab::start(scenario, 1).await.unwrap();
        let text = lab.config_toml(Path::new("/tmp/a lab"));
        let config: Config = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        assert_eq!(config.services.len(), 4, "{name}");
        let checkout = &config.services["checkout"];
        let PlatformSpec::Lab(spec) = &checkout.platform else { panic!("{text}") };
        let inventory = LabPlatform::new(spec).unwrap().read().await.unwrap();
        assert_eq!(inventory.traffic.len(), 1);
        assert_eq!(checkout.indicators.len(), 5);
        assert_eq!(config.triggers.len(), 5);
    }
}

/// A chosen port is the admin interface's and the routers follow it; a taken one is an error with the way out.
#[tokio::test]
async fn a_port_can_be_chosen() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    let scenario = Scenario::parse("test.toml", QUIET).unwrap();
    let options = LabOptions { port: Some(port), ..LabOptions::default() };
    let error = Lab::start_with(scenario, options).await.unwrap_err().to_string();
    assert!(error.contains("the admin interface") && error.contains("choose another port"), "{error}");
}

/// A dropped lab leaves nothing behind: its ports refuse.
#[tokio::test]
async fn a_dropped_lab_is_gone() {
    let fleet = Fleet::start("").await;
    fleet.statuses(1).await;
    let urls = [fleet.lab.admin_url(), fleet.lab.router_url("cart").unwrap()];
    let backend = fleet.lab.backend_addr("cart", "2.0").unwrap();
    drop(fleet.lab);
    for addr in
        urls.iter().map(|url| url.trim_start_matches("http://").to_owned()).chain([backend.to_string()])
    {
        until("the port refuses", async || tokio::net::TcpStream::connect(&addr).await.err()).await;
    }
}
