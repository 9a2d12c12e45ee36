//! Checks, smoke suites and load runs against real servers and programs.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use unship::model::CheckName;
use unship::model::release::Release;
use unship::model::secret::{Secret, SecretRef, Secrets};
use unship::model::validation::TrialOutcome::{self, Failed, NotRun, Passed, Warned};
use unship::model::validation::{CheckSpec, TrialReport};
use unship::validate::{Subject, Watcher, candidate, checks, load, smoke};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn subject() -> Subject {
    let release = Release {
        version: "2.9.0".into(),
        reference: "green".into(),
        created_at: "2026-11-26T10:00:00Z".parse().unwrap(),
        author: None,
        schema: None,
        running: true,
    };
    Subject { service: "checkout".into(), release: Some(release) }
}

fn outcomes(report: &TrialReport) -> Vec<TrialOutcome> {
    report.trials.iter().map(|trial| trial.outcome).collect()
}

async fn check(spec: Value) -> (TrialOutcome, String) {
    let (name, spec): (CheckName, CheckSpec) = ("it".into(), serde_json::from_value(spec).unwrap());
    let report = checks(&[(&name, &spec)], &subject(), &Watcher::nobody()).await;
    (report.trials[0].outcome, report.trials[0].detail.clone())
}

/// Every kind of check, as it passes and as it fails.
#[tokio::test]
async fn every_kind_of_check() {
    let server = MockServer::start().await;
    Mock::given(path("/ok")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    Mock::given(path("/slow"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(30)))
        .mount(&server)
        .await;
    let address = server.address().to_string();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let cases = [
        (json!({ "command": ["sh", "-c", "echo migrated to {version}"] }), Passed, "migrated to 2.9.0"),
        (json!({ "command": ["sh", "-c", "echo no room >&2; exit 3"] }), Failed, "exit status: 3: no room"),
        (json!({ "command": ["/no/such/program"] }), Failed, "cannot be started"),
        (json!({ "command": ["sleep", "60"], "timeout": "200ms" }), Failed, "200 ms"),
        (json!({ "command": ["pwd"], "dir": "/" }), Passed, "/"),
        (json!({ "env": ["PATH"] }), Passed, "PATH set"),
        (json!({ "env": ["PATH", "UNSHIP_NO_SUCH_VARIABLE"] }), Failed, "not set: UNSHIP_NO_SUCH_VARIABLE"),
        (json!({ "http": format!("{}/ok", server.uri()) }), Passed, "answers 204"),
        (json!({ "http": format!("{}/gone", server.uri()) }), Failed, "answers 404"),
        (json!({ "http": format!("{}/slow", server.uri()), "timeout": "200ms" }), Failed, "200 ms"),
        (json!({ "tcp": address }), Passed, "takes connections"),
        (json!({ "tcp": free }), Failed, "refused"),
        (json!({ "disk": { "path": "/", "free_mib": 0 } }), Passed, "MiB free"),
        (json!({ "disk": { "path": "/", "free_mib": 1_000_000_000_000_u64 } }), Failed, "are needed"),
        (json!({ "disk": { "path": "/no/such/place", "free_mib": 1 } }), Failed, "/no/such/place"),
    ];
    for (spec, expected, words) in cases {
        let (outcome, detail) = check(spec.clone()).await;
        assert_eq!(outcome, expected, "{spec}: {detail}");
        assert!(detail.contains(words), "{spec}: {detail}");
    }
}

/// They run side by side, each is told when it ends, and one that fails stops no other.
#[tokio::test]
async fn side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let flag = dir.path().join("flag");
    // The first ends only when somebody has been told that the last has ended.
    let wait = format!("until [ -e {} ]; do sleep 0.01; done", flag.display());
    let specs = [
        ("waits", json!({ "command": ["sh", "-c", wait] })),
        ("fails", json!({ "command": ["false"] })),
        ("ends", json!({ "command": ["true"] })),
    ];
    let specs: Vec<(CheckName, CheckSpec)> =
        specs.into_iter().map(|(name, spec)| (name.into(), serde_json::from_value(spec).unwrap())).collect();
    let asked: Vec<_> = specs.iter().map(|(name, spec)| (name, spec)).collect();
    let told = Arc::new(Mutex::new(Vec::new()));
    let watcher = {
        let told = Arc::clone(&told);
        Watcher::new(move |trial| {
            told.lock().unwrap().push(trial.name.clone());
            if trial.name == "ends" {
                std::fs::write(&flag, "").unwrap();
            }
        })
    };
    let report = checks(&asked, &subject(), &watcher).await;
    assert_eq!(outcomes(&report), [Passed, Failed, Passed]);
    let told = told.lock().unwrap();
    assert_eq!((told.len(), told.last().map(String::as_str)), (3, Some("waits")));
}

/// Captures, secrets, rules of statuses, headers, pointers and times; a failure says what came; nothing captured is shown.
#[tokio::test]
async fn a_suite() {
    let server = MockServer::start().await;
    let login = ResponseTemplate::new(201)
        .insert_header("x-request-id", "request-0123456789")
        .set_body_json(json!({ "token": "token-0123456789", "user": { "id": 7 } }));
    Mock::given(method("POST"))
        .and(path("/login"))
        .and(body_json(json!({ "user": "smoke", "password": "hunter2hunter2" })))
        .respond_with(login)
        .mount(&server)
        .await;
    Mock::given(path("/cart"))
        .and(header("authorization", "Bearer token-0123456789"))
        .and(header("x-after", "request-0123456789"))
        .respond_with(ResponseTemplate::new(200).set_body_string("it is token-0123456789"))
        .mount(&server)
        .await;
    Mock::given(path("/slow"))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(30)))
        .mount(&server)
        .await;
    Mock::given(path("/moved"))
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/cart"))
        .mount(&server)
        .await;
    let spec = serde_json::from_value(json!({
        "url": "http://unused.example",
        "secrets": { "password": "env:PASSWORD" },
        "tests": [
            {
                "name": "login", "method": "POST", "path": "/login",
                "json": { "user": "smoke", "password": "{password}" },
                "status": "200, 201", "expect": { "/user/id": 7, "/token": true },
                "capture": { "token": "/token", "id": "/user/id", "request": "header:x-request-id" }
            },
            {
                "name": "cart", "path": "/cart",
                "headers": { "authorization": "Bearer {token}", "x-after": "{request}" },
                "contains": "nothing of the kind"
            },
            { "name": "a stranger", "path": "/nowhere/{id}", "status": "<500" },
            { "name": "slow", "path": "/slow", "limit": "200ms" },
            { "name": "moved", "path": "/moved", "status": "3xx", "expect_headers": { "location": "/cart" } },
            { "name": "no header", "path": "/moved", "status": "302", "expect_headers": { "x-none": "" } },
            { "name": "no JSON", "path": "/moved", "status": "302", "expect": { "/a": 1 } },
            { "name": "order", "path": "/order", "status": "<500", "capture": { "order": "/id" } },
            { "name": "pay", "path": "/pay/{order}" },
            { "name": "a program", "command": ["sh", "-c", "test -n \"$0\" && echo {url}", "{token}"] }
        ]
    }))
    .unwrap();
    let mut secrets = Secrets::default();
    secrets.insert(SecretRef::Env("PASSWORD".to_owned()), Secret::new("hunter2hunter2"));
    let report = smoke(&"shop".into(), &spec, &server.uri(), &secrets, &Watcher::nobody()).await;
    let all: Vec<_> = report.trials.iter().map(|trial| (trial.name.as_str(), trial.outcome)).collect();
    let expected = [
        ("login", Passed),
        ("cart", Failed),
        ("a stranger", Passed),
        ("slow", Failed),
        ("moved", Passed),
        ("no header", Failed),
        ("no JSON", Failed),
        ("order", Failed),
        ("pay", NotRun),
        ("a program", Passed),
    ];
    assert_eq!(all, expected, "{report:#?}");
    let shown = format!("{report:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("token-0123456789"), "{shown}");
    assert!(report.trials[1].detail.contains("it is [captured]"), "{}", report.trials[1].detail);
    assert!(report.trials[8].detail.contains("{order}"), "{}", report.trials[8].detail);
}

/// Where a release answers before it has traffic: by its own name, else by the pattern.
#[test]
fn where_a_candidate_answers() {
    let suite = |more: Value| {
        let mut spec = json!({ "url": "http://a/", "tests": [] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        candidate(&"shop".into(), &serde_json::from_value(spec).unwrap(), &subject())
    };
    let pattern = "http://{service}-{release}.a/{version}";
    assert_eq!(suite(json!({ "candidate": pattern })).unwrap(), "http://checkout-green.a/2.9.0");
    let both = json!({ "candidate": pattern, "candidates": { "green": "http://b/" } });
    assert_eq!(suite(both).unwrap(), "http://b/");
    assert!(suite(json!({ "candidates": { "blue": "http://b/" } })).unwrap_err().contains("`green`"));
}

/// A run within its limits, over them, only warned of; a server that is not there; another program instead.
#[tokio::test]
async fn a_load_run() {
    let server = MockServer::start().await;
    Mock::given(path("/ok")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    Mock::given(path("/ill")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let run = async |at: &str, more: Value| {
        let mut spec = json!({ "url": format!("{}{at}", server.uri()), "users": 3, "duration": "300ms", "ramp": "50ms" });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let spec = serde_json::from_value(spec).unwrap();
        load(&"peak".into(), &spec, None, &subject(), &Secrets::default(), &Watcher::nobody()).await
    };
    let well = run("/ok", json!({})).await;
    assert_eq!(outcomes(&well), [Passed, Passed], "{well:#?}");
    let figures = well.latency.unwrap();
    assert!(figures.requests > 3 && figures.failed == 0 && figures.percentiles.len() == 5, "{figures:?}");
    // Twenty a second for three tenths of a second, from whoever's turn it is.
    let paced = run("/ok", json!({ "rate": 20.0 })).await.latency.unwrap();
    assert!(paced.requests <= 7, "{paced:?}");
    assert_eq!(outcomes(&run("/ill", json!({})).await), [Failed, Passed]);
    assert_eq!(outcomes(&run("/ill", json!({ "only_warn": true })).await), [Warned, Passed]);
    let gone = run("/ok", json!({ "url": "http://127.0.0.1:9/" })).await;
    assert_eq!(outcomes(&gone)[0], Failed, "{gone:#?}");
    assert_eq!(
        outcomes(&run("/ok", json!({ "command": ["sh", "-c", "test {url} = $0", "{url}"] })).await),
        [Passed]
    );
    assert_eq!(outcomes(&run("/ok", json!({ "command": ["false"] })).await), [Failed]);
}
