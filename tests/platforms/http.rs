//! A platform of somebody's own over HTTP, as the config describes it.

use std::sync::Arc;

use serde_json::{Value, json};
use unship::model::platform::{PlatformAction, PlatformSpec};
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Platform, PlatformError};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{act, act_on, restore, traffic};

const TOKEN: &str = "deploy-token-that-nobody-sees";

async fn server(current: &str, state: &str) -> MockServer {
    let server = MockServer::start().await;
    let releases = json!({ "data": { "items": [
        { "id": 41, "tag": "v1/2.8.0", "at": "2026-11-10T10:00:00Z", "by": { "name": "kim" } },
        { "id": 42, "tag": "v1/2.8.1", "at": "2026-11-11T10:00:00Z" },
    ] } });
    let answers = [
        ("/api/apps/shop/releases", releases),
        (
            "/api/apps/shop",
            json!({ "live": { "id": current.parse::<u32>().unwrap() }, "deployment": { "status": state } }),
        ),
    ];
    for (place, body) in answers {
        Mock::given(method("GET"))
            .and(path(place))
            .and(header("authorization", format!("Bearer {TOKEN}").as_str()))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
            .mount(&server)
            .await;
    }
    server
}

fn platform(server: &MockServer, token: &str) -> Arc<dyn Platform> {
    let spec = json!({
        "kind": "http", "base_url": format!("{}/api", server.uri()), "token": "env:TOKEN",
        "releases": { "path": "/apps/{service}/releases", "list": "/data/items", "reference": "/id", "version": "/tag",
            "created": "/at", "author": "/by/name" },
        "current": { "path": "/apps/{service}", "reference": "/live/id", "state": "/deployment/status",
            "busy": ["rolling"], "failed": ["failed"] },
        "roll_back": { "method": "PUT", "path": "/apps/{service}/live/{version}?wait={key}",
            "body": r#"{ "target": { "id": "{release}" }, "force": true }"# },
        "purge": { "path": "/apps/{service}/purge", "idempotent": true },
    });
    let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
    let mut secrets = Secrets::default();
    secrets.insert("env:TOKEN".parse().unwrap(), Secret::new(token));
    unship::platform::build(&"shop".into(), &spec, &Arc::new(secrets)).unwrap()
}

/// What the answers hold is found, what the request needs is put in, and a `/` in a version stays inside its segment.
#[tokio::test]
async fn history_and_rollback() {
    let server = server("42", "done").await;
    let platform = platform(&server, TOKEN);
    let seen = platform.read().await.unwrap();
    assert_eq!(
        (traffic(&seen).as_str(), seen.settled, seen.failed.clone()),
        ("v1/2.8.1 stable 100", true, None)
    );
    let first = &seen.releases[1];
    assert_eq!((first.reference.as_str(), first.author.as_deref()), ("41", Some("kim")));
    let taken = Mock::given(method("PUT"))
        .and(path("/api/apps/shop/live/v1%2F2.8.0"))
        .and(query_param("wait", "op-1/0"))
        .and(body_json(json!({ "target": { "id": "41" }, "force": true })))
        .respond_with(ResponseTemplate::new(202))
        .expect(1);
    taken.mount(&server).await;
    act(&platform, &restore("41")).await.unwrap();
    let declared = [restore("41"), PlatformAction::Purge].map(|action| platform.declares(&action).idempotent);
    assert_eq!(declared, [false, true]);
    Mock::given(method("POST"))
        .and(path("/api/apps/shop/purge"))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    act(&platform, &PlatformAction::Purge).await.unwrap();
}

/// States that the config names are told; what is refused, lost or changed by somebody else is what it is.
#[tokio::test]
async fn states_and_refusals() {
    let rolling = server("41", "rolling").await;
    assert!(!platform(&rolling, TOKEN).read().await.unwrap().settled);
    let failed = server("42", "failed").await;
    let there = platform(&failed, TOKEN);
    assert_eq!(there.read().await.unwrap().failed.as_deref(), Some("the deployment of 42 is failed"));
    for (status, unclear) in [(403, false), (502, true)] {
        let answer = Mock::given(method("PUT")).respond_with(ResponseTemplate::new(status)).up_to_n_times(1);
        answer.mount(&failed).await;
        let error = act(&there, &restore("41")).await.unwrap_err();
        assert_eq!(matches!(error, PlatformError::Unclear(_)), unclear, "{error}");
    }
    let error = act_on(&there, &restore("41"), Some("40".to_owned())).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("42 where 40 was read")),
        "{error}"
    );
    let error = act(&there, &restore("40")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("lists no release `40`")),
        "{error}"
    );
    let error = platform(&failed, "another-token").read().await.unwrap_err();
    assert!(!error.to_string().contains("another-token"), "{error}");
}

/// An answer in another form says which pointer found nothing, and shows what came instead.
#[tokio::test]
async fn another_form() {
    let server = MockServer::start().await;
    let odd: Value = json!({ "data": { "items": [{ "number": 1 }] }, "live": {} });
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(odd))
        .mount(&server)
        .await;
    let error = platform(&server, TOKEN).read().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "release 0 has nothing where `releases.reference` says (`/id`): {\"number\":1}"
    );
}
