//! An engine with a listener in this process, and what reaches it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use unship::api::Api;
use unship::config;
use unship::engine::State;
use unship::engine::runtime::{Engine, Lead, Options, World, open_journal};
use unship::model::received::Alarm;
use unship::model::secret::{Secret, Secrets};

use crate::harness::PATIENCE;

pub(crate) const TOKEN: &str = "a-token-of-some-length";

const CONFIG: &str = r#"
[environment]
name = "test"
[services.shop]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "shop" }
[services.pay]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "pay" }
[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "1s"
[services.shop.indicators.errors]
source = "metrics"
read = { kind = "ratio", bad = "bad", total = "all" }
[services.shop.probes.live]
url = "http://127.0.0.1:1/"
interval = "1s"
timeout = "1s"
"#;

/// An engine with its listener.
pub(crate) struct Listener {
    pub(crate) engine: Engine,
    pub(crate) api: Api,
    pub(crate) client: reqwest::Client,
    pub(crate) dir: Arc<TempDir>,
}

impl Listener {
    pub(crate) async fn start() -> Self {
        Self::start_with("", Lead::Auto, Arc::new(TempDir::new().unwrap())).await
    }

    /// Starts one on the journal in a folder. `api` is what `[api]` says besides the address.
    pub(crate) async fn start_with(api: &str, lead: Lead, dir: Arc<TempDir>) -> Self {
        let text = format!("{CONFIG}[api]\nlisten = \"127.0.0.1:0\"\n{api}\n");
        let (config, _) = config::parse(&text, "unship.toml")
            .unwrap_or_else(|problems| panic!("{}", config::render(&problems)));
        let mut secrets = Secrets::default();
        secrets.insert("env:TOKEN".parse().unwrap(), Secret::new(TOKEN));
        let secrets = Arc::new(secrets);
        let spec = config.api.clone().unwrap();
        let world = World::build(Arc::new(config), Arc::clone(&secrets), true).unwrap();
        let journal = open_journal(&dir.path().join("unship.db")).await.unwrap();
        let options = Options {
            lead,
            role: "guard",
            lease: Duration::from_secs(2),
            retention: Duration::from_secs(3_600),
        };
        let engine = Engine::start(world, journal, options).await.unwrap();
        let samples = Some(dir.path().join("refused"));
        let api = Api::start(engine.door(), &spec, secrets, samples).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { engine, api, client, dir }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api.address())
    }

    pub(crate) fn samples(&self) -> PathBuf {
        self.dir.path().join("refused")
    }

    /// Sends a body; gives the status and what was said.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let answer = self.client.post(self.url(path)).json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path)).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    pub(crate) async fn webhook(&self, alerts: Vec<Value>) -> (u16, Value) {
        self.post("/api/v1/alarms/alertmanager", &message(alerts)).await
    }

    /// Waits until what is known is so.
    pub(crate) async fn knows(&self, what: &str, says: impl Fn(&State) -> bool) -> Arc<State> {
        let begun = Instant::now();
        let mut view = self.engine.view();
        loop {
            let state = Arc::clone(&view.borrow_and_update().state);
            if says(&state) {
                return state;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {:?}", state.alarms);
            let _ = tokio::time::timeout(PATIENCE, view.changed()).await;
        }
    }
}

/// What Alertmanager sends.
pub(crate) fn message(alerts: impl Into<Value>) -> Value {
    let alerts: Value = alerts.into();
    json!({
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "unship",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://am", "alerts": alerts
    })
}

/// An alarm as Alertmanager writes it, with the number as its fingerprint and the minute in which it began.
pub(crate) fn alert(number: usize, status: &str, minute: u32) -> Value {
    let ends_at = if status == "resolved" { "2026-11-26T09:00:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "status": status, "labels": { "alertname": format!("Alarm{number}"), "service": "shop", "severity": "error" },
        "annotations": { "summary": "it is broken" }, "startsAt": format!("2026-11-26T08:{minute:02}:00Z"),
        "endsAt": ends_at, "generatorURL": "http://prometheus", "fingerprint": format!("{number:016x}")
    })
}

pub(crate) fn firing(state: &State) -> usize {
    state.alarms.firing().count()
}

fn names(state: &State) -> Vec<&str> {
    let firing: Vec<&Arc<Alarm>> = state.alarms.firing().collect();
    firing.into_iter().map(|alarm| alarm.facts.name.as_str()).collect()
}

/// What is sent twice is known once, an end that is overtaken by its beginning is no new alarm, and the incident that an
/// alarm opens has what its labels say.
#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_disorder() {
    let listener = Listener::start().await;
    for _ in 0..3 {
        let (status, answer) = listener.webhook(vec![alert(1, "firing", 1), alert(2, "firing", 1)]).await;
        assert_eq!((status, &answer["taken"]), (200, &json!(2)));
    }
    let state = listener.knows("both fire", |state| firing(state) == 2).await;
    assert_eq!(state.incidents.len(), 1);
    let incident = state.open_incident().unwrap();
    assert_eq!((incident.suspected, incident.level.number()), (true, 2));
    assert_eq!(incident.reason, "it is broken (severity=error)");
    // The end of a newer episode comes before its beginning; the beginning of an old one comes late.
    listener.webhook(vec![alert(1, "resolved", 5)]).await;
    listener.knows("one is over", |state| names(state) == ["Alarm2"]).await;
    listener.webhook(vec![alert(1, "firing", 1)]).await;
    listener.webhook(vec![alert(3, "firing", 1)]).await;
    let state = listener.knows("the third fires", |state| firing(state) >= 2).await;
    assert_eq!(names(&state), ["Alarm2", "Alarm3"]);
    let entries = listener.engine.read(0, 10_000).await.unwrap();
    let repeats = entries.iter().filter(|entry| entry.event.kind() == "command_accepted").count();
    assert_eq!(repeats, 0, "messages themselves are not journaled");
    listener.api.stop().await;
}

/// Plain JSON does the same, one or many at once.
#[tokio::test(flavor = "multi_thread")]
async fn plain_json() {
    let listener = Listener::start().await;
    let one = json!({ "name": "DiskFull", "status": "firing", "service": "pay", "severity": "critical" });
    assert_eq!(listener.post("/api/v1/alarms", &one).await.0, 200);
    let state = listener.knows("it fires", |state| firing(state) == 1).await;
    assert_eq!(state.open_incident().unwrap().services, ["pay".into()]);
    let many = json!([
        { "name": "DiskFull", "status": "resolved", "service": "pay" },
        { "name": "Cold", "status": "firing", "id": "room-5" }
    ]);
    assert_eq!(listener.post("/api/v1/alarms", &many).await.0, 200);
    listener.knows("the other one fires", |state| names(state) == ["Cold"]).await;
}

/// The most that one message may hold is taken in whole.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_alarms() {
    let listener = Listener::start().await;
    let alerts = (0..10_000).map(|number| alert(number, "firing", 1)).collect();
    let (status, answer) = listener.webhook(alerts).await;
    // A machine that is too slow for it says so, and takes it when it is sent again.
    assert!(status == 200 || status == 503, "{status} {answer}");
    if status == 200 {
        listener.knows("all fire", |state| firing(state) == 10_000).await;
    }
}

/// Any guard takes alarms in, also one that follows; the one that leads makes of them what follows.
#[tokio::test(flavor = "multi_thread")]
async fn through_a_follower() {
    let leader = Listener::start().await;
    leader.knows("it leads", |state| state.leader.is_some()).await;
    let follower = Listener::start_with("", Lead::Auto, Arc::clone(&leader.dir)).await;
    assert_eq!(follower.webhook(vec![alert(1, "firing", 1)]).await.0, 200);
    leader.knows("the leader knows", |state| firing(state) == 1).await;
    follower.knows("the follower sees it", |state| state.open_incident().is_some()).await;
}

/// What was answered with 200 while nobody led is taken in by whoever leads next.
#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_leads() {
    let dir = Arc::new(TempDir::new().unwrap());
    let alone = Listener::start_with("", Lead::Never, Arc::clone(&dir)).await;
    assert_eq!(alone.webhook(vec![alert(1, "firing", 1)]).await.0, 200);
    assert_eq!(alone.get("/health/ready").await.0, 503, "nobody leads");
    // What nobody takes does not pile up for ever: it is refused with what may be sent again.
    let mut status = 200;
    for _ in 0..150 {
        status = alone.webhook(vec![alert(1, "firing", 1)]).await.0;
        if status != 200 {
            break;
        }
    }
    assert_eq!(status, 503);
    drop(alone);
    let next = Listener::start_with("", Lead::Auto, dir).await;
    next.knows("it is known", |state| firing(state) == 1).await;
    let journal = open_journal(&next.dir.path().join("unship.db")).await.unwrap();
    let begun = Instant::now();
    while journal.waiting().await.unwrap() > 0 {
        assert!(begun.elapsed() < PATIENCE, "the inbox is not emptied");
        tokio::task::yield_now().await;
    }
}
