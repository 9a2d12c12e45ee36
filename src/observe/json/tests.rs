//! A server that answers by path, in every mood.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::json;
use tokio::task::JoinHandle;

use super::*;
use crate::model::Span;
use crate::model::source::{ArmLabel, GaugeUnit, LatencyUnit, Reading, SampleValue, SeriesSpec};

/// What is answered, by path and query: a status and a body.
type Script = Arc<Mutex<HashMap<String, (u16, String)>>>;

struct Server {
    url: String,
    script: Script,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(script): State<Script>, uri: Uri) -> (StatusCode, String) {
    let (status, body) =
        script.lock().unwrap().get(&uri.to_string()).cloned().unwrap_or((404, String::new()));
    (StatusCode::from_u16(status).unwrap(), body)
}

impl Server {
    async fn start() -> Self {
        let script = Script::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, script, task }
    }

    fn says(&self, path: &str, status: u16, body: &str) {
        self.script.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    fn shows(&self, path: &str, body: &Value) {
        self.says(path, 200, &body.to_string());
    }
}

struct Fixture {
    json: Json,
    client: Client,
}

impl Fixture {
    fn new(url: &str, reads: &[SeriesSpec]) -> Self {
        Self::with(spec(url), reads)
    }

    fn with(spec: JsonSpec, reads: &[SeriesSpec]) -> Self {
        let client = Client::new(8, Arc::default());
        let indicators = reads.iter().map(|read| ("checkout".into(), "it".into(), read.clone())).collect();
        Self { json: Json::new(spec, indicators, &client).unwrap(), client }
    }

    /// Each sample as its subject and its value; then what is missing; or why nothing could be read.
    async fn read(&mut self) -> Vec<String> {
        match self.json.read(&self.client).await.result {
            Ok(reading) => shown(reading),
            Err(reason) => vec![format!("fault: {reason}")],
        }
    }
}

fn shown(reading: Reading) -> Vec<String> {
    let samples = reading.samples.into_iter().map(|sample| {
        let subject = match sample.subject {
            Subject::Arm(arm) => arm.word(),
            _ => "whole",
        };
        match sample.value {
            SampleValue::Ratio { bad, total } => format!("{subject} {bad} of {total}"),
            SampleValue::Count(count) => format!("{subject} +{count}"),
            SampleValue::Gauge(value) => format!("{subject} {value}"),
            other @ SampleValue::Histogram { .. } => format!("{other:?}"),
        }
    });
    samples.chain(reading.missing.into_iter().map(|(_, _, reason)| format!("missing: {reason}"))).collect()
}

fn spec(url: &str) -> JsonSpec {
    JsonSpec {
        url: url.to_owned(),
        interval: Span::secs(10),
        timeout: Span::secs(20),
        arms: None,
        secret_headers: BTreeMap::new(),
        max_body: 10_000,
    }
}

fn ratio(bad: &str, total: &str) -> SeriesSpec {
    SeriesSpec::Ratio { bad: bad.to_owned(), total: total.to_owned(), absent_is_zero: false }
}

fn rate(counter: &str) -> SeriesSpec {
    SeriesSpec::Rate { counter: counter.to_owned() }
}

fn gauge(series: &str) -> SeriesSpec {
    SeriesSpec::Gauge { series: series.to_owned(), divide_by: None, unit: GaugeUnit::Plain }
}

/// Counters are what they grew by, also over a reset, a gap and an answer that has no number for once.
#[tokio::test]
async fn counters_grow() {
    let server = Server::start().await;
    let mut it = Fixture::new(&server.url, &[ratio("/http/bad", "/http/all"), rate("/jobs/0")]);
    for (bad, all, jobs, wanted) in [
        (json!(1), json!(100), json!(7), vec![]),
        (json!(3), json!(150), json!(8.5), vec!["whole 2 of 50", "whole +1.5"]),
        // The program was started anew.
        (json!(2), json!(20), json!(1), vec!["whole 2 of 20", "whole +1"]),
        (
            json!(2),
            json!(null),
            json!("2"),
            vec!["missing: `/http/all` is null", "missing: `/jobs/0` is a string, expected a number"],
        ),
        (json!(5), json!(40), json!(4), vec!["whole 3 of 20", "whole +3"]),
        (
            json!(-1),
            json!(50),
            json!([1]),
            vec![
                "missing: `/http/bad` is -1: a counter is never negative",
                "missing: `/jobs/0` is an array, expected a number",
            ],
        ),
    ] {
        server.shows("/", &json!({ "http": { "bad": bad, "all": all }, "jobs": [jobs] }));
        assert_eq!(it.read().await, wanted);
    }
}

/// A gauge is the number, or its share of another.
#[tokio::test]
async fn gauges() {
    let server = Server::start().await;
    let share = SeriesSpec::Gauge {
        series: "/used".to_owned(),
        divide_by: Some("/limit".to_owned()),
        unit: GaugeUnit::Plain,
    };
    let percent =
        SeriesSpec::Gauge { series: "/cpu~1percent".to_owned(), divide_by: None, unit: GaugeUnit::Percent };
    let mut it = Fixture::new(&server.url, &[share, percent]);
    server.shows("/", &json!({ "used": 30, "limit": 40, "cpu/percent": 50 }));
    assert_eq!(it.read().await, ["whole 0.75", "whole 0.5"]);
    server.shows("/", &json!({ "used": 30, "limit": 0, "cpu/percent": false }));
    assert_eq!(
        it.read().await,
        ["missing: `/limit` is zero", "missing: `/cpu~1percent` is `true` or `false`, expected a number"]
    );
    server.shows("/", &json!({ "used": 30 }));
    assert_eq!(
        it.read().await,
        [
            "missing: nothing is at `/limit` in the answer",
            "missing: nothing is at `/cpu~1percent` in the answer"
        ]
    );
}

/// With `{arm}` in the address each arm is asked by itself; one that does not answer is missing, not the other, and what it
/// counted while nobody saw it does not count at once.
#[tokio::test]
async fn arms_by_address() {
    let server = Server::start().await;
    let url = format!("{}/{{service}}?of={{arm}}", server.url);
    let arms =
        ArmLabel { label: None, by_version: false, stable: "blue".to_owned(), canary: "green".to_owned() };
    let mut it = Fixture::with(JsonSpec { arms: Some(arms), ..spec(&url) }, &[rate("/n")]);
    let gone = format!("missing: canary: `{}/checkout`: status 404", server.url);
    server.shows("/checkout?of=blue", &json!({ "n": 1 }));
    assert_eq!(it.read().await, std::slice::from_ref(&gone));
    server.shows("/checkout?of=blue", &json!({ "n": 3 }));
    assert_eq!(it.read().await, ["stable +2".to_owned(), gone]);
    server.shows("/checkout?of=green", &json!({ "n": 1_000_000 }));
    assert_eq!(it.read().await, ["stable +0", "missing: canary: it had no value before"]);
    server.shows("/checkout?of=green", &json!({ "n": 1_000_001 }));
    assert_eq!(it.read().await, ["stable +0", "canary +1"]);
}

/// With `{arm}` in the pointers one answer has both; a canary that is not there is not a missing one.
#[tokio::test]
async fn arms_by_pointer() {
    let server = Server::start().await;
    let mut it = Fixture::new(&server.url, &[ratio("/{service}/{arm}/bad", "/{service}/{arm}/all")]);
    server.shows("/", &json!({ "checkout": { "stable": { "bad": 0, "all": 10 } } }));
    assert!(it.read().await.is_empty());
    server.shows(
        "/",
        &json!({ "checkout": { "stable": { "bad": 0, "all": 20 }, "canary": { "bad": 3, "all": 4 } } }),
    );
    assert_eq!(it.read().await, ["stable 0 of 10", "canary 3 of 4"]);
    server.shows("/", &json!({}));
    assert_eq!(it.read().await, ["missing: nothing is at `/checkout/{arm}/all` in the answer"]);
}

/// An answer of no use says of which kind it is, with the address but without the query, which may hold a secret.
#[tokio::test]
async fn answers_of_no_use_are_told_apart() {
    let server = Server::start().await;
    let url = format!("{}/stats?key=hunter2", server.url);
    for (status, body, wanted) in [
        (200, "<html>", "not JSON: expected value at line 1 column 1"),
        (200, " \n", "the answer is empty"),
        (200, "{\"n\": 1", "not JSON: it breaks off at line 1 column 7"),
        (200, "{\"n\": NaN}", "not JSON: `NaN` or `Infinity` at line 1 column 7"),
        (200, "{\"n\": -Infinity}", "not JSON: `NaN` or `Infinity` at line 1 column 8"),
        (200, "{\"n\": 1e999}", "a number at line 1 column 11 is too large to be one"),
        (500, "{\"n\": 1}", "status 500"),
        (204, "", "status 204"),
        (302, "", "status 302"),
        (403, "", "status 403: it wants other `secret_headers`"),
    ] {
        server.says("/stats?key=hunter2", status, body);
        let mut it = Fixture::new(&url, &[rate("/n")]);
        assert_eq!(it.read().await, [format!("fault: `{}/stats`: {wanted}", server.url)], "{body}");
    }
    let big = format!("[{}1]", "1,".repeat(5_000));
    server.says("/stats?key=hunter2", 200, &big);
    let mut it = Fixture::new(&url, &[rate("/0")]);
    assert_eq!(
        it.read().await,
        [format!("fault: `{}/stats`: the body is larger than 10000 bytes", server.url)]
    );
    // On a thread of its own, and deeper than anybody can mean.
    let deep = "[".repeat(600_000);
    server.says("/stats?key=hunter2", 200, &deep);
    let mut it = Fixture::with(JsonSpec { max_body: 1_000_000, ..spec(&url) }, &[rate("/0")]);
    let fault = it.read().await.remove(0);
    assert!(fault.contains("not JSON: recursion limit exceeded"), "{fault}");
    let at = server.url.clone();
    drop(server);
    let mut it = Fixture::new(&url, &[rate("/n")]);
    let fault = it.read().await.remove(0);
    assert!(fault.starts_with(&format!("fault: `{at}/stats`: ")) && !fault.contains("hunter2"), "{fault}");
}

/// What can never be read is refused before anything is asked.
#[test]
fn what_cannot_be_read_is_refused() {
    let client = Client::new(0, Arc::default());
    let latency = SeriesSpec::Latency { histogram: "/a".to_owned(), unit: LatencyUnit::Seconds };
    for (read, wanted) in [
        (gauge("a"), "`a` is not a JSON pointer: it does not begin with `/`"),
        (latency, "JSON has no histograms; read a quantile as a gauge"),
    ] {
        let indicators = vec![("checkout".into(), "it".into(), read)];
        let error = Json::new(spec("http://127.0.0.1:1/"), indicators, &client).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("the indicator `it` of `checkout`: {wanted}"));
    }
}
