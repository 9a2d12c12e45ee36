//! What CloudWatch does that moto does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::model::secret::{Secret, Secrets};
use crate::model::source::{AlarmState, GaugeUnit};

/// A server that answers each call in its turn, and remembers what it was asked.
async fn server(answers: Vec<(u16, Value)>) -> MockServer {
    let server = MockServer::start().await;
    let turn = AtomicUsize::new(0);
    let answer = move |_: &Request| {
        let (status, body) = &answers[turn.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
        ResponseTemplate::new(*status).set_body_raw(body.to_string(), "application/x-amz-json-1.0")
    };
    Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    server
}

fn client() -> Client {
    let mut secrets = Secrets::default();
    secrets.insert("env:ID".parse().unwrap(), Secret::new("AKIDEXAMPLE"));
    secrets.insert("env:SECRET".parse().unwrap(), Secret::new("wJalrXUtnFEMI"));
    Client::new(4, Arc::new(secrets))
}

fn source(server: &MockServer, indicators: Indicators, alarms: &[&str]) -> Cloudwatch {
    let spec = json!({
        "region": "eu-central-1",
        "endpoint": server.uri(),
        "keys": { "access_key_id": "env:ID", "secret_access_key": "env:SECRET" },
    });
    let alarms = alarms.iter().map(|name| (*name).to_owned()).collect();
    Cloudwatch::new(serde_json::from_value(spec).unwrap(), indicators, alarms, &client()).unwrap()
}

fn gauge(series: &str) -> SeriesSpec {
    SeriesSpec::Gauge { series: series.to_owned(), divide_by: None, unit: GaugeUnit::Milliseconds }
}

fn p95() -> Indicators {
    let series = r#"["AWS/ApplicationELB", "TargetResponseTime", "TargetGroup", "{arm}", { "stat": "p95" }]"#;
    vec![("checkout".into(), "latency".into(), gauge(series))]
}

async fn asked(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

fn page(id: &str, at: i64, value: f64, next: Option<&str>) -> Value {
    let status = if next.is_some() { "PartialData" } else { "Complete" };
    json!({
        "MetricDataResults": [{ "Id": id, "Timestamps": [at], "Values": [value], "StatusCode": status }],
        "NextToken": next,
    })
}

/// All pages of an answer are one answer; a percentile is asked for as the statistic that it is, for each arm.
#[tokio::test]
async fn pages_are_put_together() {
    let last = Timestamp::now().as_second().div_euclid(60) * 60 - 180;
    let server = server(vec![
        (200, page("q0", last - 60, 210.0, Some("more"))),
        (200, page("q0", last, 230.0, Some("and more"))),
        (200, page("q1", last, 900.0, None)),
    ])
    .await;
    let reading = source(&server, p95(), &[]).read(&client()).await.result.unwrap();
    let values: Vec<_> = reading.samples.iter().map(|sample| format!("{:?}", sample.value)).collect();
    assert_eq!(values, ["Gauge(210.0)", "Gauge(230.0)", "Gauge(900.0)"]);
    let asked = asked(&server).await;
    let tokens: Vec<&Value> = asked.iter().map(|ask| &ask["NextToken"]).collect();
    assert_eq!(tokens, [&Value::Null, &json!("more"), &json!("and more")]);
    let queries = asked[0]["MetricDataQueries"].as_array().unwrap();
    let arms: Vec<&Value> =
        queries.iter().map(|query| &query["MetricStat"]["Metric"]["Dimensions"][0]["Value"]).collect();
    assert_eq!(
        (arms, &queries[0]["MetricStat"]["Stat"]),
        (vec![&json!("stable"), &json!("canary")], &json!("p95"))
    );
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["x-amz-target"], "GraniteServiceVersion20100801.GetMetricData");
}

/// Too many metrics for one question are asked for in several.
#[tokio::test]
async fn many_metrics_are_many_questions() {
    let indicators = (0..501).map(|number| {
        let series = format!(r#"["Shop", "Metric{number}"]"#);
        ("checkout".into(), format!("i{number}").as_str().into(), gauge(&series))
    });
    let server = server(vec![(200, json!({ "MetricDataResults": [] }))]).await;
    let reading = source(&server, indicators.collect(), &[]).read(&client()).await.result.unwrap();
    assert_eq!(reading.missing.len(), 501);
    assert!(reading.missing[0].2.ends_with("CloudWatch says nothing of it"), "{}", reading.missing[0].2);
    let asked = asked(&server).await;
    let counts: Vec<usize> =
        asked.iter().map(|ask| ask["MetricDataQueries"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [500, 1]);
    assert_eq!(asked[1]["MetricDataQueries"][0]["Id"], "q500");
}

/// Asked too often, it is left alone for a while, and says so.
#[tokio::test]
async fn throttled() {
    let refusal =
        json!({ "__type": "com.amazonaws.cloudwatch#ThrottlingException", "message": "Rate exceeded" });
    let server = server(vec![(400, refusal)]).await;
    let mut source = source(&server, p95(), &[]);
    let words = format!(
        "`{}/`: GetMetricData is asked for too often: ThrottlingException: Rate exceeded",
        server.uri()
    );
    assert_eq!(source.read(&client()).await.result.unwrap_err(), words);
    let second = source.read(&client()).await.result.unwrap_err();
    assert!(second.starts_with(&format!("{words}; it is asked again in ")), "{second}");
    assert_eq!(asked(&server).await.len(), 1);
    let mut rest = Rest::default();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        rest.take("", Duration::from_secs(20));
        pauses.push(rest.until.unwrap().duration_since(Instant::now()).as_secs());
    }
    for (pause, most) in pauses.into_iter().zip([20, 40, 80, 160, 300, 300]) {
        assert!((most * 7 / 10..=most).contains(&pause), "{pause} s for at most {most} s");
    }
}

/// A composite alarm is read as a metric one is; since when counts from the change of its state, not from its last touch.
#[tokio::test]
async fn composite_alarms() {
    let server = server(vec![(
        200,
        json!({
            "MetricAlarms": [],
            "CompositeAlarms": [{
                "AlarmName": "shop", "AlarmRule": "ALARM(a) OR ALARM(b)", "StateValue": "ALARM",
                "StateUpdatedTimestamp": 1_800_000_600.5, "StateTransitionedTimestamp": 1_800_000_000.25,
            }],
        }),
    )])
    .await;
    let reading = source(&server, Vec::new(), &["shop", "gone"]).read(&client()).await.result.unwrap();
    let since = Timestamp::from_millisecond(1_800_000_000_250).unwrap();
    assert_eq!(
        reading.alarms,
        [
            AlarmReading { name: "shop".to_owned(), state: Ok(AlarmState::Alarm), since: Some(since) },
            AlarmReading {
                name: "gone".to_owned(),
                state: Err("there is no alarm `gone`".to_owned()),
                since: None
            },
        ]
    );
    let asked = asked(&server).await;
    assert_eq!(asked.len(), 1, "metrics were asked for that nobody wants: {asked:?}");
    assert_eq!(asked[0]["AlarmTypes"], json!(["MetricAlarm", "CompositeAlarm"]));
}

/// A proxy's page, and an answer of something else, are not taken for CloudWatch's.
#[tokio::test]
async fn something_else_answers() {
    for (status, body, says) in [
        (502, json!("<html>"), "GetMetricData failed: status 502"),
        (200, json!([1, 2]), "the answer to GetMetricData is not CloudWatch's"),
        (
            400,
            json!({ "__type": "AccessDeniedException", "Message": "User: x is not authorized" }),
            "GetMetricData is not allowed with these credentials: AccessDeniedException: User: x is not authorized",
        ),
        (
            400,
            json!({ "__type": "ExpiredTokenException", "message": "The security token included in the request is expired" }),
            "AWS does not accept the credentials: ExpiredTokenException: The security token included in the request is expired",
        ),
        (
            400,
            json!({ "__type": "com.amazonaws.cloudwatch#InvalidParameterCombinationException", "message": "a\nb\n\nwJalrXUtnFEMI" }),
            "GetMetricData failed: InvalidParameterCombinationException: a b",
        ),
    ] {
        let server = server(vec![(status, body)]).await;
        let reason = source(&server, p95(), &[]).read(&client()).await.result.unwrap_err();
        assert_eq!(reason, format!("`{}/`: {says}", server.uri()));
    }
}
