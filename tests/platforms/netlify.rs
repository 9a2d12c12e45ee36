//! Netlify, played by a server with a site's state: what is published, what is locked, and what was called.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use unship::model::platform::{PlatformAction, PlatformSpec, VariableValue};
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Platform, PlatformError};

use super::prism::{Judge, without_nulls};
use super::{act, act_on, restore, traffic};

const TOKEN: &str = "nfp_a-token-that-nobody-sees";

/// How the next call to publish goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Fault {
    #[default]
    None,
    /// It is done, and the answer is a proxy's page.
    LostAnswer,
    /// The user's role is too low.
    Forbidden,
    /// Too many requests.
    Limited,
    /// The deploy is published, and locking it fails.
    NoLock,
}

#[derive(Default)]
struct Site {
    published: String,
    locked: bool,
    fault: Fault,
    calls: Vec<String>,
    /// Says nothing with `null`.
    is_judged: bool,
}

type Shared = Arc<Mutex<Site>>;

struct Fake {
    url: String,
    site: Shared,
}

fn deploy(id: &str, site: &Site) -> Value {
    let number: u32 = id.trim_start_matches('d').parse().unwrap_or(0);
    let state = if number == 3 { "error" } else { "ready" };
    // What is not known is carried, and is no reason to fail.
    let deploy = json!({
        "id": id, "state": state, "context": if number == 4 { "deploy-preview" } else { "production" },
        "commit_ref": format!("{number:07}abcdef"), "committer": "kim", "locked": site.published == id && site.locked,
        "created_at": format!("2026-11-{:02}T10:00:00.000Z", 10 + number % 10), "published_at": null,
        "something_new": { "a": 1 },
    });
    if site.is_judged { without_nulls(deploy) } else { deploy }
}

fn refused(status: u16, message: &str) -> Response {
    let body = json!({ "code": status, "message": message });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

/// The token is needed for everything.
fn is_stranger(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_none_or(|value| value != format!("Bearer {TOKEN}").as_str())
}

impl Fake {
    /// Deploy 1 to 5 are there, of which 5 is published.
    async fn start() -> Self {
        let site = Shared::new(Mutex::new(Site { published: "d5".to_owned(), ..Site::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/api/v1/sites/{site}", get(Self::read))
            .route("/api/v1/sites/{site}/deploys", get(Self::list))
            .route("/api/v1/sites/{site}/deploys/{deploy}/restore", post(Self::publish))
            .route("/api/v1/deploys/{deploy}/lock", post(Self::lock))
            .route("/api/v1/purge", post(Self::purge))
            .route("/api/v1/accounts/{account}/env", get(Self::variables))
            .with_state(Arc::clone(&site));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, site }
    }

    async fn read(State(site): State<Shared>, headers: HeaderMap) -> Response {
        if is_stranger(&headers) {
            return refused(401, "Access Denied");
        }
        let site = site.lock().unwrap();
        Json(json!({ "id": "site-1", "account_slug": "team", "published_deploy": deploy(&site.published, &site) }))
            .into_response()
    }

    async fn list(
        State(site): State<Shared>,
        Query(query): Query<std::collections::BTreeMap<String, String>>,
    ) -> Response {
        let site = site.lock().unwrap();
        let page = query["page"].parse::<usize>().unwrap();
        assert_eq!(query["per_page"], "100");
        // The first page is full of previews, as it is where every pull request has one.
        let deploys: Vec<Value> = match page {
            1 => (0..100).map(|_| deploy("d4", &site)).collect(),
            2 => ["d5", "d4", "d3", "d2", "d1"].map(|id| deploy(id, &site)).into(),
            _ => Vec::new(),
        };
        Json(deploys).into_response()
    }

    async fn publish(State(site): State<Shared>, Path((_, id)): Path<(String, String)>) -> Response {
        let mut site = site.lock().unwrap();
        site.calls.push(format!("restore {id}"));
        match std::mem::take(&mut site.fault) {
            Fault::Forbidden => return refused(403, "Forbidden"),
            Fault::Limited => {
                return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")], "slow down").into_response();
            }
            Fault::LostAnswer => {
                site.published = id;
                return (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response();
            }
            fault => site.fault = fault,
        }
        if !["d1", "d2", "d5"].contains(&id.as_str()) {
            return refused(404, "Not Found");
        }
        site.published = id.clone();
        site.locked = false;
        (StatusCode::CREATED, Json(deploy(&id, &site))).into_response()
    }

    async fn lock(State(site): State<Shared>, Path(id): Path<String>) -> Response {
        let mut site = site.lock().unwrap();
        site.calls.push(format!("lock {id}"));
        if std::mem::take(&mut site.fault) == Fault::NoLock {
            return refused(500, "Internal Server Error");
        }
        site.locked = true;
        Json(deploy(&id, &site)).into_response()
    }

    async fn variables(
        Path(account): Path<String>,
        Query(query): Query<std::collections::BTreeMap<String, String>>,
    ) -> Response {
        assert_eq!((account.as_str(), query["site_id"].as_str()), ("team", "site-1"));
        assert_eq!(query["context_name"], "production");
        let value = |context: &str, value: &str| json!({ "id": context, "context": context, "value": value });
        Json(json!([
            { "key": "MODE", "scopes": ["builds"], "values": [value("all", "test"), value("production", "live")], "is_secret": false },
            { "key": "REGION", "scopes": ["runtime"], "values": [value("all", "eu")], "is_secret": false },
            { "key": "PREVIEW", "scopes": ["builds"], "values": [value("deploy-preview", "x")], "is_secret": false },
            { "key": "STRIPE", "scopes": ["functions"], "values": [value("production", "")], "is_secret": true },
        ]))
        .into_response()
    }

    async fn purge(State(site): State<Shared>, body: String) -> Response {
        let body: Value = serde_json::from_str(&body).unwrap();
        site.lock().unwrap().calls.push(format!("purge {}", body["site_id"].as_str().unwrap()));
        StatusCode::ACCEPTED.into_response()
    }

    fn platform(&self, token: &str) -> Arc<dyn Platform> {
        let spec =
            json!({ "kind": "netlify", "site": "site-1", "token": "env:NETLIFY", "base_url": self.url });
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("env:NETLIFY".parse().unwrap(), Secret::new(token));
        unship::platform::build(&"shop".into(), &spec, &Arc::new(secrets)).unwrap()
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.site.lock().unwrap().calls)
    }

    fn will(&self, fault: Fault) {
        self.site.lock().unwrap().fault = fault;
    }
}

/// What can be published are the good deploys of production, on whatever page they are; going back names one and locks it.
#[tokio::test]
async fn history_and_rollback() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    let seen = platform.read().await.unwrap();
    let names: Vec<_> = seen.releases.iter().map(|release| release.reference.as_str()).collect();
    assert_eq!((names, traffic(&seen).as_str()), (vec!["d5", "d2", "d1"], "0000005ab stable 100"));
    let back = restore("d2");
    act(&platform, &back).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert!(back.holds_in(&seen), "{seen:?}");
    assert_eq!(fake.calls(), ["restore d2", "lock d2"]);
    // Twice is the same as once.
    act(&platform, &back).await.unwrap();
    assert_eq!(traffic(&platform.read().await.unwrap()), "0000002ab stable 100");
    fake.calls();
    act(&platform, &PlatformAction::Purge).await.unwrap();
    assert_eq!(fake.calls(), ["purge site-1"]);
}

/// A lost answer leaves open whether it happened, and a reading tells; who goes on locks what is published.
#[tokio::test]
async fn lost_in_the_middle() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    fake.will(Fault::LostAnswer);
    let error = act(&platform, &restore("d1")).await.unwrap_err();
    assert!(matches!(error, PlatformError::Unclear(_)), "{error}");
    let another = fake.platform(TOKEN);
    assert!(restore("d1").holds_in(&another.read().await.unwrap()));
    act(&another, &PlatformAction::Purge).await.unwrap();
    assert_eq!(fake.calls(), ["restore d1", "lock d1", "purge site-1"]);

    fake.will(Fault::NoLock);
    let said = act(&platform, &restore("d2")).await.unwrap();
    assert!(said.contains("not locked yet") && said.contains("500"), "{said}");
    act(&platform, &PlatformAction::Purge).await.unwrap();
    assert!(fake.site.lock().unwrap().locked);
}

/// What is refused says why, and no error shows the token.
#[tokio::test]
async fn refusals() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    fake.will(Fault::Forbidden);
    let error = act(&platform, &restore("d1")).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("lack a permission")), "{error}");
    fake.will(Fault::Limited);
    let error = act(&platform, &restore("d1")).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("429")), "{error}");
    let error = act(&platform, &restore("d9")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("kept for 30 to 90 days")),
        "{error}"
    );
    let error = fake.platform("an-old-token").read().await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("expired token")), "{error}");
    assert!(!error.to_string().contains("an-old-token"), "{error}");
    assert_eq!(traffic(&platform.read().await.unwrap()), "0000005ab stable 100");
}

/// What somebody else has published since it was read is not overwritten.
#[tokio::test]
async fn published_by_somebody_else() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    let revision = platform.read().await.unwrap().revision;
    "d2".clone_into(&mut fake.site.lock().unwrap().published);
    let error = act_on(&platform, &restore("d1"), revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("d2 where d5 was read")),
        "{error}"
    );
    assert_eq!(fake.calls(), [""; 0]);
}

/// A check says what works, what will bite, and what cannot be known.
#[tokio::test]
async fn what_a_check_says() {
    let fake = Fake::start().await;
    fake.site.lock().unwrap().locked = true;
    let said = serde_json::to_string(&fake.platform(TOKEN).check().await).unwrap();
    for part in
        ["releases: 3; 0000005ab 100 %", "is locked: builds from git are not published", "\"unknown\""]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = serde_json::to_string(&fake.platform("another").check().await).unwrap();
    assert!(said.contains("\"failed\"") && said.contains("expired token"), "{said}");
}

/// What production gets: its own value before that of all, no other context's, and a secret by name alone.
#[tokio::test]
async fn what_production_is_set() {
    let fake = Fake::start().await;
    let seen = fake.platform(TOKEN).variables().await.unwrap();
    let of: Vec<_> = seen
        .iter()
        .map(|one| match &one.value {
            VariableValue::Plain(value) => format!("{}={}", one.name, value.expose()),
            VariableValue::From(from) => format!("{} {from}", one.name),
        })
        .collect();
    assert_eq!(of, ["MODE=live", "REGION=eu", "STRIPE a secret of Netlify, which no client can read"]);
}

/// A whole life, with Netlify's own description between the two: nothing that is asked or answered breaks it.
#[tokio::test]
async fn held_to_the_description() {
    let mut fake = Fake::start().await;
    let Some(judge) = Judge::before(&fake.url, "netlify/openapi.json").await else { return };
    fake.url.clone_from(&judge.url);
    fake.site.lock().unwrap().is_judged = true;
    let platform = fake.platform(TOKEN);
    let back = restore("d2");
    act(&platform, &back).await.unwrap();
    assert!(back.holds_in(&platform.read().await.unwrap()));
    act(&platform, &PlatformAction::Purge).await.unwrap();
    assert_eq!(platform.variables().await.unwrap().len(), 3);
    platform.check().await;
    assert_eq!(fake.calls(), ["restore d2", "lock d2", "purge site-1"]);
    judge.is_content();
}
