//! A server that speaks the API, in every mood; the real one is in `tests/sources`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::any;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::*;
use crate::model::Span;
use crate::model::secret::Secrets;
use crate::model::source::{ArmLabel, GaugeUnit, LatencyUnit, SeriesSpec, SourceSpec};
use crate::observe::SourceTarget;
use crate::observe::testing::told;

/// What was asked, each with its method.
type Asked = Arc<Mutex<Vec<(String, HashMap<String, String>)>>>;
/// What is answered, by query: a status and a body.
type Script = Arc<Mutex<HashMap<String, (u16, String)>>>;

/// A server below `/prom` that answers by a script, and remembers what it was asked, each with its method.
struct Server {
    url: String,
    script: Script,
    asked: Asked,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Shared = (Script, Asked);

async fn answer(
    State((script, asked)): State<Shared>,
    method: axum::http::Method,
    RawQuery(query): RawQuery,
    body: String,
) -> (StatusCode, String) {
    let mut url = reqwest::Url::parse("http://any/").unwrap();
    url.set_query(Some(query.as_deref().filter(|query| !query.is_empty()).unwrap_or(&body)));
    let pairs: HashMap<String, String> =
        url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    let query = pairs["query"].clone();
    asked.lock().unwrap().push((method.to_string(), pairs));
    let script = script.lock().unwrap();
    let (status, body) = script.get(&query).cloned().unwrap_or_else(|| (200, vector(&[]).to_string()));
    (StatusCode::from_u16(status).unwrap(), body)
}

impl Server {
    async fn start() -> Self {
        let shared: Shared = Shared::default();
        let (script, asked) = (Arc::clone(&shared.0), Arc::clone(&shared.1));
        let app = Router::new()
            .route("/prom/api/v1/query", any(answer))
            .route("/prom/api/v1/query_range", any(answer))
            .with_state(shared);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prom/", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, script, asked, task }
    }

    fn says(&self, query: &str, body: &Value) {
        self.says_raw(query, 200, &body.to_string());
    }

    fn says_raw(&self, query: &str, status: u16, body: &str) {
        self.script.lock().unwrap().insert(query.to_owned(), (status, body.to_owned()));
    }

    /// Series with values, scraped at a time.
    fn shows(&self, query: &str, at: Timestamp, series: &[(Value, f64)]) {
        let values: Vec<(Value, Value)> =
            series.iter().map(|(labels, value)| (labels.clone(), json!(value.to_string()))).collect();
        let at = at.as_millisecond() as f64 / 1_000.0;
        let times: Vec<(Value, Value)> =
            series.iter().map(|(labels, _)| (labels.clone(), json!(at.to_string()))).collect();
        self.says(query, &vector(&values));
        self.says(&format!("timestamp({query})"), &vector(&times));
    }
}

fn vector(series: &[(Value, Value)]) -> Value {
    let result: Vec<Value> = series
        .iter()
        .map(|(labels, value)| json!({ "metric": labels, "value": [1_800_000_000.5, value] }))
        .collect();
    json!({ "status": "success", "data": { "resultType": "vector", "result": result } })
}

fn gauge(series: &str) -> SeriesSpec {
    SeriesSpec::Gauge { series: series.to_owned(), divide_by: None, unit: GaugeUnit::Plain }
}

fn rate(counter: &str) -> SeriesSpec {
    SeriesSpec::Rate { counter: counter.to_owned() }
}

fn track() -> ArmLabel {
    ArmLabel {
        label: Some("track".to_owned()),
        by_version: false,
        stable: "stable".to_owned(),
        canary: "canary".to_owned(),
    }
}

fn spec(url: &str) -> PrometheusSpec {
    PrometheusSpec {
        url: url.to_owned(),
        interval: Span::secs(15),
        timeout: Span::secs(20),
        arms: None,
        stale_after: Span::secs(120),
        secret_headers: BTreeMap::new(),
        max_body: 1_000_000,
    }
}

struct Fixture {
    prometheus: Prometheus,
    client: Client,
}

impl Fixture {
    fn new(spec: PrometheusSpec, read: SeriesSpec) -> Self {
        let client = Client::new(8, Arc::default());
        let indicators = vec![("checkout".into(), "it".into(), read)];
        Self { prometheus: Prometheus::new(spec, indicators, &client).unwrap(), client }
    }

    /// Samples as `subject from..at value` with times in seconds from `zero`, then what is missing; or the fault.
    async fn at(&mut self, zero: Timestamp, second: u64) -> Vec<String> {
        let at = zero + Duration::from_secs(second);
        let mut hung = false;
        match self.prometheus.read_at(at, &self.client, &mut hung).await {
            Ok(reading) => shown(reading, zero),
            Err(reason) => vec![format!("fault: {reason}")],
        }
    }
}

fn shown(reading: Reading, zero: Timestamp) -> Vec<String> {
    let seconds = |at: Timestamp| (at.as_millisecond() - zero.as_millisecond()) as f64 / 1_000.0;
    told(reading, |at| seconds(at).to_string())
}

fn zero() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn second(second: u64) -> Timestamp {
    zero() + Duration::from_secs(second)
}

/// Counters are counted by their own scrapes: each sample is as old as its scrape, nothing is counted twice when the
/// server has not scraped anew, and one instance of two that restarts hides nothing.
#[tokio::test]
async fn series_are_counted_by_their_scrapes() {
    let server = Server::start().await;
    let query = "requests_total{service=\"checkout\"}";
    let mut it = Fixture::new(spec(&server.url), rate("requests_total{service=\"{service}\"}"));
    let two = |one: f64, other: f64| [(json!({"pod": "a"}), one), (json!({"pod": "b"}), other)];
    server.shows(query, second(3), &two(100.0, 1_000.0));
    assert_eq!(it.at(zero(), 5).await, [""; 0]);
    server.shows(query, second(18), &two(130.0, 7.0));
    assert_eq!(it.at(zero(), 20).await, ["whole 3..18 +37"]);
    assert_eq!(it.at(zero(), 25).await, [""; 0]);
    server.shows(query, second(33), &two(130.0, 8.0));
    assert_eq!(it.at(zero(), 35).await, ["whole 18..33 +1"]);
}

/// What the server lost sight of and finds again is not taken for new: neither all of it, nor one instance after a while.
#[tokio::test]
async fn what_is_found_again_is_not_new() {
    let server = Server::start().await;
    let mut it = Fixture::new(spec(&server.url), rate("x"));
    let pod = |pod: &str, value: f64| (json!({ "pod": pod }), value);
    assert_eq!(it.at(zero(), 0).await, ["missing: no series matches `x`"]);
    server.shows("x", second(1), &[pod("a", 5_000.0), pod("b", 6_000.0)]);
    let begins = ["missing: it is counted from now on"];
    assert_eq!(it.at(zero(), 2).await, begins, "the first sight of a counter is no event");
    server.shows("x", second(16), &[pod("a", 5_010.0)]);
    assert_eq!(it.at(zero(), 17).await, ["whole 1..16 +10"]);
    for reading in 2..30 {
        server.shows("x", second(1 + reading * 15), &[pod("a", 5_010.0)]);
        it.at(zero(), 2 + reading * 15).await;
    }
    server.shows("x", second(451), &[pod("a", 5_011.0), pod("b", 6_002.0), pod("new", 4.0)]);
    assert_eq!(it.at(zero(), 452).await, ["whole 436..451 +7"], "a series beside one that stayed is new");
    server.says("x", &vector(&[]));
    assert_eq!(it.at(zero(), 467).await, ["missing: no series matches `x`"]);
    server.shows("x", second(481), &[pod("a", 5_021.0), pod("b", 6_002.0), pod("other", 9_000.0)]);
    assert_eq!(
        it.at(zero(), 482).await,
        ["whole 451..481 +10"],
        "what is known spans the gap, the rest begins"
    );
}

/// Arms by a label, and the age of each by itself: an arm that was not scraped anew says nothing and is not missing.
#[tokio::test]
async fn arms_by_a_label() {
    let server = Server::start().await;
    let spec = PrometheusSpec { arms: Some(track()), ..spec(&server.url) };
    let read = SeriesSpec::Ratio { bad: "bad".to_owned(), total: "all".to_owned(), absent_is_zero: true };
    let mut it = Fixture::new(spec, read);
    let (stable, canary) = (json!({"track": "stable"}), json!({"track": "canary"}));
    server.shows("all", second(0), &[(stable.clone(), 50.0), (canary.clone(), 5.0)]);
    assert_eq!(it.at(zero(), 1).await, [""; 0]);
    server.shows("all", second(10), &[(stable.clone(), 80.0), (canary.clone(), 9.0)]);
    server.shows("bad", second(10), &[(canary.clone(), 2.0)]);
    assert_eq!(it.at(zero(), 11).await, ["stable 0..10 0/30", "canary 0..10 2/4"]);
    server.shows("all", second(20), &[(stable.clone(), 90.0), (canary.clone(), 9.0)]);
    let times = vector(&[(stable, json!("1800000020")), (canary, json!("1800000010"))]);
    server.says("timestamp(all)", &times);
    assert_eq!(it.at(zero(), 21).await, ["stable 10..20 0/10"]);
    server.shows("all", second(30), &[(json!({"pod": "a"}), 95.0)]);
    assert_eq!(
        it.at(zero(), 31).await,
        ["missing: no series that matches `all` can be used: `{pod=\"a\"}` has no label `track`"]
    );
}

/// Arms by query: each arm is asked for by itself, in the words of the config, with events that the server has counted.
#[tokio::test]
async fn arms_by_query() {
    let server = Server::start().await;
    let arms =
        ArmLabel { label: None, by_version: false, stable: "blue".to_owned(), canary: "green".to_owned() };
    let spec = PrometheusSpec { arms: Some(arms), ..spec(&server.url) };
    let of =
        |name: &str| format!("sum(increase({name}{{svc=\"{{service}}\",colour=\"{{arm}}\"}}[{{window}}]))");
    let read = SeriesSpec::Ratio { bad: of("bad"), total: of("all"), absent_is_zero: true };
    let mut it = Fixture::new(spec, read);
    let query = |name: &str, colour: &str, ms: u32| {
        format!("sum(increase({name}{{svc=\"checkout\",colour=\"{colour}\"}}[{ms}ms]))")
    };
    let one = |value: &str| vector(&[(json!({}), json!(value))]);
    server.says(&query("all", "blue", 15_000), &one("120"));
    server.says(&query("bad", "blue", 15_000), &one("3"));
    server.says(&query("all", "green", 15_000), &one("10"));
    assert_eq!(it.at(zero(), 0).await, ["stable -15..0 3/120", "canary -15..0 0/10"]);
    // Sooner than the window could hold anything, nothing is asked and nothing is missing.
    assert_eq!(it.at(zero(), 8).await, [""; 0]);
    server.says(&query("all", "blue", 20_000), &one("200"));
    server.says_raw(
        &query("bad", "blue", 20_000),
        422,
        r#"{"status":"error","errorType":"execution","error":"too many samples"}"#,
    );
    server.says(&query("all", "green", 20_000), &one("10"));
    assert_eq!(
        it.at(zero(), 20).await,
        ["canary 0..20 0/10", "missing: stable: the server answers execution: too many samples"]
    );
    let shown = "sum(increase(all{svc=\"checkout\",colour=\"{arm}\"}[{window}]))";
    assert_eq!(
        it.at(zero(), 36).await,
        [format!(
            "missing: `{shown}`: the result is empty: nothing matches, or there are too few scrapes in the window"
        )]
    );
}

/// Histograms by series and by query give the same counts per bucket.
#[tokio::test]
async fn histograms() {
    let server = Server::start().await;
    let latency =
        |histogram: &str| SeriesSpec::Latency { histogram: histogram.to_owned(), unit: LatencyUnit::Seconds };
    let mut it = Fixture::new(spec(&server.url), latency("took_seconds"));
    let le = |le: &str, value: f64| (json!({"__name__": "took_seconds_bucket", "le": le}), value);
    server.shows("took_seconds_bucket", second(0), &[le("0.1", 5.0), le("+Inf", 6.0)]);
    assert_eq!(it.at(zero(), 1).await, [""; 0]);
    server.shows("took_seconds_bucket", second(15), &[le("0.1", 7.0), le("+Inf", 9.0)]);
    assert_eq!(it.at(zero(), 16).await, ["whole 0..15 [100.0] [2.0, 1.0]"]);

    let query = "sum by (le) (increase(took_seconds_bucket[{window}]))";
    let mut it = Fixture::new(spec(&server.url), latency(query));
    let buckets = vector(&[(json!({"le": "0.1"}), json!("2")), (json!({"le": "+Inf"}), json!("3"))]);
    server.says(&query.replace("{window}", "15000ms"), &buckets);
    assert_eq!(it.at(zero(), 0).await, ["whole -15..0 [100.0] [2.0, 1.0]"]);
    let native = json!({ "status": "success", "data": { "resultType": "vector", "result": [
        { "metric": {}, "histogram": [1_800_000_000, { "count": "3" }] }] } });
    server.says(&query.replace("{window}", "15000ms"), &native);
    let missing = it.at(zero(), 15).await.remove(0);
    assert!(missing.contains("native histogram"), "{missing}");
}

/// Each way for an answer to be of no use has words of its own, and leaves only its own indicator missing.
#[tokio::test]
async fn answers_of_no_use_are_told_apart() {
    let server = Server::start().await;
    let value = |text: &str| vector(&[(json!({}), json!(text))]);
    let two = vector(&[(json!({"pod": "a"}), json!("1")), (json!({"pod": "b"}), json!("2"))]);
    let error =
        json!({"status": "error", "errorType": "bad_data", "error": "1:4: parse error: unexpected \")\""});
    let partial = json!({"status": "success", "isPartial": true,
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "1"]}]}});
    let text = json!({"status": "success", "data": {"resultType": "string", "result": [0, "hm"]}});
    for (body, wanted) in [
        (value("NaN"), "its value is NaN"),
        (value("+Inf"), "its value is inf"),
        (value("-Inf"), "its value is -inf"),
        (vector(&[]), "`max(x)`: the result is empty"),
        (two, "2 series where one was expected: {pod=\"a\"}, {pod=\"b\"}, …; add them up, or take one"),
        (error, "`max(x)`: the server answers bad_data: 1:4: parse error: unexpected \")\""),
        (partial, "`max(x)`: the server has only part of the data"),
        (text, "`max(x)`: the result is a string, not numbers"),
    ] {
        let mut it = Fixture::new(spec(&server.url), gauge("max(x)"));
        server.says("max(x)", &body);
        assert_eq!(it.at(zero(), 0).await, [format!("missing: {wanted}")]);
    }
    // A sample that is older than the limit, and one that is not.
    let mut it = Fixture::new(spec(&server.url), gauge("x"));
    server.shows("x", second(0), &[(json!({}), 4.0)]);
    assert_eq!(it.at(zero(), 300).await, ["missing: its newest sample is 5 m old, limit 2 m"]);
    assert_eq!(it.at(zero(), 60).await, ["whole 0..0 4"]);
}

/// A scalar is a value; warnings and infos are kept beside the answer, and do not make it less of one.
#[tokio::test]
async fn remarks_are_kept() {
    let server = Server::start().await;
    let body = json!({"status": "success", "warnings": ["store b is down"], "infos": ["metric might not be a counter"],
        "data": {"resultType": "scalar", "result": [1_800_000_000, "7"]}});
    server.says("scalar(x)", &body);
    let mut it = Fixture::new(spec(&server.url), gauge("scalar(x)"));
    let reading = it.prometheus.read_at(zero(), &it.client, &mut false).await.unwrap();
    assert_eq!(reading.remarks, ["metric might not be a counter", "store b is down"]);
    assert_eq!(shown(reading, zero()), ["whole 0..0 7"]);
}

/// A server that is not one, or not there, is a source that cannot be read, with its address and no secret.
#[tokio::test]
async fn servers_that_cannot_be_read() {
    let server = Server::start().await;
    let shown = server.url.clone();
    for (status, body, wanted) in [
        (200, "<html>hunter2</html>", "the answer is not that of a Prometheus server"),
        (502, "<html>bad gateway</html>", "status 502"),
        (401, "who are you?", "status 401: it wants other `secret_headers`"),
        (200, "", "the answer is not that of a Prometheus server"),
    ] {
        server.says_raw("max(x)", status, body);
        let mut it = Fixture::new(spec(&server.url), gauge("max(x)"));
        assert_eq!(it.at(zero(), 0).await, [format!("fault: `{shown}`: {wanted}")]);
    }
    let small = PrometheusSpec { max_body: 10, ..spec(&server.url) };
    let mut it = Fixture::new(small, gauge("max(y)"));
    assert_eq!(it.at(zero(), 0).await, [format!("fault: `{shown}`: the body is larger than 10 bytes")]);
    drop(server);
    let mut it = Fixture::new(spec(&shown), gauge("max(x)"));
    let fault = it.at(zero(), 0).await.remove(0);
    assert!(fault.starts_with(&format!("fault: `{shown}`: ")), "{fault}");
}

/// A query is asked below the server's own path, all at one instant, each once; a long one goes as a form.
#[tokio::test]
async fn questions_are_asked_once() {
    let server = Server::start().await;
    let client = Client::new(8, Arc::default());
    let long = format!("max({{__name__=~\"{}\"}})", "a|".repeat(1_500));
    let indicators = vec![
        ("checkout".into(), "a".into(), gauge("max(x)")),
        ("checkout".into(), "b".into(), gauge("max(x)")),
        ("checkout".into(), "c".into(), gauge("y")),
        ("checkout".into(), "d".into(), gauge(&long)),
    ];
    let mut it = Prometheus::new(spec(&server.url), indicators, &client).unwrap();
    it.read_at(zero(), &client, &mut false).await.unwrap();
    let mut asked = server.asked.lock().unwrap().clone();
    asked.sort_by(|one, other| one.1["query"].cmp(&other.1["query"]));
    let queries: Vec<(&str, &str)> =
        asked.iter().map(|(method, pairs)| (method.as_str(), pairs["query"].as_str())).collect();
    assert_eq!(queries, [("GET", "max(x)"), ("POST", &long), ("GET", "timestamp(y)"), ("GET", "y")]);
    for (_, pairs) in &asked {
        assert_eq!((pairs["time"].as_str(), pairs["timeout"].as_str()), ("1800000000.000", "20000ms"));
        assert_eq!(
            (pairs["partial_response"].as_str(), pairs["deny_partial_response"].as_str()),
            ("false", "1")
        );
    }
}

/// The past is told by range queries, step by step, as live readings would have told it.
#[tokio::test]
async fn the_past_is_told() {
    let server = Server::start().await;
    let matrix = |values: &[(u32, &str)]| {
        let values: Vec<Value> =
            values.iter().map(|(at, value)| json!([1_800_000_000.0 + f64::from(*at), value])).collect();
        json!({ "status": "success", "data": { "resultType": "matrix", "result": [{ "metric": {}, "values": values }] } })
    };
    server.says("x", &matrix(&[(0, "10"), (15, "10"), (30, "25"), (60, "31")]));
    let times = [(0, "1800000000"), (15, "1800000000"), (30, "1800000029"), (60, "1800000059")];
    server.says("timestamp(x)", &matrix(&times));
    let source = SourceTarget {
        source: "past".into(),
        spec: SourceSpec::Prometheus(spec(&server.url)),
        indicators: vec![("checkout".into(), "it".into(), rate("x"))],
        alarms: Vec::new(),
    };
    let past = crate::observe::history(&source, &Secrets::default(), zero(), second(60)).await.unwrap();
    let told: Vec<Vec<String>> = past.into_iter().map(|(_, reading)| shown(reading, zero())).collect();
    let none: Vec<String> = Vec::new();
    let wanted = [
        none.clone(),
        none,
        vec!["whole 0..29 +15".to_owned()],
        vec!["missing: no series matches `x`".to_owned()],
        vec!["whole 29..59 +6".to_owned()],
    ];
    assert_eq!(told, wanted);
    let (_, pairs) = server.asked.lock().unwrap()[0].clone();
    assert_eq!(
        (pairs["start"].as_str(), pairs["end"].as_str(), pairs["step"].as_str()),
        ("1800000000.000", "1800000060.000", "15000ms")
    );
}
