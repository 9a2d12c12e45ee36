//! GitHub, played by a server with a repository's state: deployments of an environment, and runs that go on when they are
//! looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use unship::model::IdempotencyKey;
use unship::model::platform::PlatformSpec;
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Call, Platform, PlatformError, Progress};

use super::prism::Judge;
use super::{act, act_on, again, restore, traffic, versions};

const TOKEN: &str = "ghp_a-token-that-nobody-sees";
const COMMITS: [&str; 4] = ["1111111aaaa", "2222222bbbb", "3333333cccc", "4444444dddd"];

/// How the next dispatch goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Fault {
    #[default]
    None,
    /// It is done, and the connection breaks.
    LostAnswer,
    /// An Enterprise server that does not say which run it is.
    NoId,
    NoAccess,
    Limited,
    /// The job fails.
    Fails,
    /// A person has to approve it.
    Waits,
}

#[derive(Default)]
struct Repository {
    /// Id, commit and state of each deployment, oldest first.
    deployments: Vec<(u64, String, String)>,
    /// Title, commit, looks until it ends, and how it ends.
    runs: Vec<(String, String, u32, &'static str)>,
    fault: Fault,
    dispatches: Vec<Value>,
}

type Shared = Arc<Mutex<Repository>>;

struct Fake {
    url: String,
    repository: Shared,
}

fn refused(status: u16, message: &str) -> Response {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest", "status": status.to_string() });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

impl Fake {
    /// Four deployments: the second one failed, the last one serves.
    async fn start() -> Self {
        let states = ["inactive", "failure", "inactive", "success"];
        let deployments = COMMITS.iter().zip(states).zip(1..);
        let deployments =
            deployments.map(|((commit, state), id)| (id, (*commit).to_owned(), state.to_owned())).collect();
        let repository = Shared::new(Mutex::new(Repository { deployments, ..Repository::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/repos/acme/shop/deployments", get(Self::deployments))
            .route("/repos/acme/shop/deployments/{id}/statuses", get(Self::statuses))
            .route("/repos/acme/shop/actions/workflows/rollback.yml", get(Self::workflow))
            .route("/repos/acme/shop/actions/workflows/rollback.yml/dispatches", post(Self::dispatch))
            .route("/repos/acme/shop/actions/workflows/rollback.yml/runs", get(Self::runs))
            .route("/repos/acme/shop/actions/runs/{id}", get(Self::run))
            .route("/repos/acme/shop/actions/runs/{id}/jobs", get(Self::jobs))
            .route("/repos/acme/shop/actions/runs/{id}/pending_deployments", get(Self::pending))
            .route("/repos/acme/shop/environments", get(Self::environments))
            .with_state(Arc::clone(&repository));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, repository }
    }

    async fn deployments(
        State(repository): State<Shared>,
        Query(query): Query<BTreeMap<String, String>>,
        headers: HeaderMap,
    ) -> Response {
        if headers["authorization"] != format!("Bearer {TOKEN}").as_str() {
            return refused(401, "Bad credentials");
        }
        assert!(
            headers["user-agent"].to_str().unwrap().starts_with("unship/"),
            "GitHub refuses who has no name"
        );
        assert_eq!(query["environment"], "production");
        let repository = repository.lock().unwrap();
        let deployments = repository.deployments.iter().rev().map(|(id, commit, _)| {
            json!({
                "id": id, "sha": commit, "ref": if *id == 3 { "v2.8.1" } else { "main" }, "task": "deploy",
                "environment": "production", "created_at": format!("2026-11-{:02}T10:00:00Z", 10 + id),
                "creator": { "login": "kim", "id": 1 }, "payload": {}, "something_new": [1],
            })
        });
        Json(deployments.collect::<Value>()).into_response()
    }

    async fn statuses(State(repository): State<Shared>, Path(id): Path<u64>) -> Response {
        let repository = repository.lock().unwrap();
        let state = &repository.deployments.iter().find(|(known, ..)| *known == id).unwrap().2;
        Json(json!([{ "id": 1, "state": state, "created_at": "2026-11-20T10:00:00Z" }])).into_response()
    }

    async fn workflow() -> Response {
        Json(json!({ "id": 7, "state": "active", "path": ".github/workflows/rollback.yml" })).into_response()
    }

    async fn environments() -> Response {
        let rules = json!([{ "id": 1, "node_id": "GR_1", "type": "required_reviewers" }]);
        Json(json!({ "total_count": 1, "environments": [{ "name": "production", "protection_rules": rules }] }))
            .into_response()
    }

    async fn dispatch(State(repository): State<Shared>, Json(body): Json<Value>) -> Response {
        let mut repository = repository.lock().unwrap();
        let fault = std::mem::take(&mut repository.fault);
        match fault {
            Fault::NoAccess => return refused(404, "Not Found"),
            Fault::Limited => {
                let limit = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795700000")];
                return (StatusCode::FORBIDDEN, limit, "{\"message\":\"API rate limit exceeded\"}")
                    .into_response();
            }
            _ => {}
        }
        let conclusion = if fault == Fault::Fails { "failure" } else { "success" };
        let looks = if fault == Fault::Waits { 3 } else { 1 };
        let text = |name: &str| body["inputs"][name].as_str().unwrap_or_default().to_owned();
        let run = (format!("Roll back ({})", text("unship")), text("commit"), looks, conclusion);
        repository.runs.push(run);
        repository.dispatches.push(body);
        let id = repository.runs.len();
        match fault {
            Fault::LostAnswer => (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response(),
            Fault::NoId => StatusCode::NO_CONTENT.into_response(),
            _ => {
                let run = format!("actions/runs/{id}");
                let (api, page) = ("https://api.github.com/repos/acme/shop", "https://github.com/acme/shop");
                let urls = [format!("{api}/{run}"), format!("{page}/{run}")];
                Json(json!({ "workflow_run_id": id, "run_url": urls[0], "html_url": urls[1] }))
                    .into_response()
            }
        }
    }

    fn shown(id: usize, run: &(String, String, u32, &str)) -> Value {
        let (title, _, looks, conclusion) = run;
        let (status, conclusion) = match looks {
            0 => ("completed", json!(conclusion)),
            1 => ("in_progress", Value::Null),
            _ => ("waiting", Value::Null),
        };
        json!({
            "id": id, "status": status, "conclusion": conclusion, "display_title": title, "run_attempt": 1,
            "html_url": format!("https://github.com/acme/shop/actions/runs/{id}"), "event": "workflow_dispatch",
        })
    }

    async fn runs(State(repository): State<Shared>) -> Response {
        let repository = repository.lock().unwrap();
        let runs = (1..).zip(&repository.runs).map(|(id, run)| Self::shown(id, run));
        Json(json!({ "total_count": repository.runs.len(), "workflow_runs": runs.rev_sorted() }))
            .into_response()
    }

    async fn run(State(repository): State<Shared>, Path(id): Path<usize>) -> Response {
        let mut repository = repository.lock().unwrap();
        let shown = Self::shown(id, &repository.runs[id - 1]);
        let run = &mut repository.runs[id - 1];
        if run.2 > 0 {
            run.2 -= 1;
            if run.2 == 0 && run.3 == "success" {
                let commit = run.1.clone();
                for deployment in &mut repository.deployments {
                    if deployment.2 == "success" {
                        "inactive".clone_into(&mut deployment.2);
                    }
                }
                let id = u64::try_from(repository.deployments.len()).unwrap() + 1;
                repository.deployments.push((id, commit, "success".to_owned()));
            }
        }
        Json(shown).into_response()
    }

    async fn jobs(Path(_): Path<usize>) -> Response {
        let jobs = json!([{ "name": "build", "conclusion": "success" }, { "name": "shift", "conclusion": "failure" }]);
        Json(json!({ "total_count": 2, "jobs": jobs })).into_response()
    }

    async fn pending(Path(_): Path<usize>) -> Response {
        Json(json!([{ "environment": { "name": "production" }, "reviewers": [] }])).into_response()
    }

    fn platform(&self, token: &str) -> Arc<dyn Platform> {
        self.with(token, &json!({ "key_input": "unship" }))
    }

    fn with(&self, token: &str, more: &Value) -> Arc<dyn Platform> {
        let mut spec = json!({
            "kind": "github-actions", "repository": "acme/shop", "environment": "production",
            "workflow": "rollback.yml", "inputs": { "commit": "{release}", "name": "{version} of {service}" },
            "token": "env:GITHUB", "base_url": self.url,
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("env:GITHUB".parse().unwrap(), Secret::new(token));
        unship::platform::build(&"shop".into(), &spec, &Arc::new(secrets)).unwrap()
    }

    fn will(&self, fault: Fault) {
        self.repository.lock().unwrap().fault = fault;
    }

    fn dispatches(&self) -> Vec<Value> {
        std::mem::take(&mut self.repository.lock().unwrap().dispatches)
    }
}

trait Newest: Iterator + Sized {
    /// The last one first, as GitHub lists.
    fn rev_sorted(self) -> Vec<Self::Item> {
        let mut all: Vec<_> = self.collect();
        all.reverse();
        all
    }
}

impl<I: Iterator> Newest for I {}

/// What went well can be named, the tag is the version where there is one; a rollback is one run with the commit, the version
/// and the key, which is followed to its end.
#[tokio::test]
async fn history_and_rollback() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    let seen = platform.read().await.unwrap();
    assert_eq!(
        (versions(&seen), traffic(&seen).as_str()),
        (vec!["4444444", "v2.8.1", "1111111"], "4444444 stable 100")
    );
    let back = restore(COMMITS[2]);
    let said = act(&platform, &back).await.unwrap();
    assert_eq!(said, "the workflow has run: https://github.com/acme/shop/actions/runs/1");
    let seen = platform.read().await.unwrap();
    assert!(back.holds_in(&seen), "{seen:?}");
    let sent = fake.dispatches();
    let inputs = json!({ "commit": COMMITS[2], "name": "v2.8.1 of shop", "unship": "unship op-1/0" });
    assert_eq!(sent, [json!({ "ref": "main", "inputs": inputs, "return_run_details": true })]);
}

/// After a lost answer the run is found by its key and followed; no second one is started, also where the id was never said.
#[tokio::test]
async fn one_run_whatever_is_lost() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    fake.will(Fault::LostAnswer);
    let back = restore(COMMITS[0]);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(error, PlatformError::Unclear(_)), "{error}");
    assert!(platform.declares(&back).idempotent, "so the engine asks again");
    again(&fake.platform(TOKEN), &back).await.unwrap();
    assert!(back.holds_in(&platform.read().await.unwrap()));
    assert_eq!(fake.dispatches().len(), 1);

    fake.will(Fault::NoId);
    act(&platform, &restore(COMMITS[2])).await.unwrap();
    assert_eq!(traffic(&platform.read().await.unwrap()), "v2.8.1 stable 100");
    let without = fake.with(TOKEN, &json!({}));
    assert!(!without.declares(&back).idempotent, "so a person is asked");
    fake.will(Fault::NoId);
    let error = act(&without, &restore(COMMITS[3])).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Unclear(why) if why.contains("key_input")), "{error}");
}

/// A run that fails says in which job; one that waits for a person says so while it waits.
#[tokio::test]
async fn how_a_run_goes() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    fake.will(Fault::Fails);
    let error = act(&platform, &restore(COMMITS[0])).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("ended with failure in shift: https://")),
        "{error}"
    );
    assert_eq!(traffic(&platform.read().await.unwrap()), "4444444 stable 100");
    fake.will(Fault::Waits);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lines);
    let progress = Progress::new(move |line| into.lock().unwrap().push(line.to_owned()));
    let key = IdempotencyKey::new("op-2/0");
    let call = Call { key, token: 1, revision: None, may_have_happened: false, progress };
    platform.act(&restore(COMMITS[0]), &call).await.unwrap();
    let lines = lines.lock().unwrap().join("\n");
    assert!(lines.contains("it waits for a person: approval for `production`"), "{lines}");
}

/// What is refused says why, and no error shows the token.
#[tokio::test]
async fn refusals() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    let back = restore(COMMITS[0]);
    fake.will(Fault::NoAccess);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("Actions: write")), "{error}");
    fake.will(Fault::Limited);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("rate limit")), "{error}");
    let error = act(&platform, &restore(COMMITS[1])).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("that went well")), "{error}");
    let error = fake.platform("an-old-token").read().await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("expired token")), "{error}");
    assert!(!error.to_string().contains("an-old-token"), "{error}");
    assert_eq!(fake.dispatches(), [Value::Null; 0]);
}

/// What somebody else has deployed since it was read is not overwritten.
#[tokio::test]
async fn deployed_by_somebody_else() {
    let fake = Fake::start().await;
    let platform = fake.platform(TOKEN);
    let revision = platform.read().await.unwrap().revision;
    fake.repository.lock().unwrap().deployments.push((5, "5555555eeee".to_owned(), "in_progress".to_owned()));
    let error = act_on(&platform, &restore(COMMITS[0]), revision).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("5 where 4 was read")), "{error}");
    assert_eq!(fake.dispatches(), [Value::Null; 0]);
    assert!(!platform.read().await.unwrap().settled);
}

/// A service that says its version is believed before any record; a check says what will bite.
#[tokio::test]
async fn what_is_believed_and_checked() {
    let fake = Fake::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/version", listener.local_addr().unwrap());
    let page = Router::new().route("/version", get(async || Json(json!({ "git": { "sha": "1111111" } }))));
    tokio::spawn(async move { axum::serve(listener, page).await.unwrap() });
    let platform = fake.with(TOKEN, &json!({ "serving": { "url": url, "pointer": "/git/sha" } }));
    let seen = platform.read().await.unwrap();
    assert_eq!(traffic(&seen), "1111111 stable 100");
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in [
        "releases: 3; 1111111 100 %",
        "a person has to approve each run",
        "there is no `key_input`",
        "Deployments: read",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// A whole life, with GitHub's own description between the two: nothing that is asked or answered breaks it.
#[tokio::test]
async fn held_to_the_description() {
    let mut fake = Fake::start().await;
    let Some(judge) = Judge::before(&fake.url, "github/openapi.json").await else { return };
    fake.url.clone_from(&judge.url);
    let platform = fake.platform(TOKEN);
    let back = restore(COMMITS[2]);
    act(&platform, &back).await.unwrap();
    assert!(back.holds_in(&platform.read().await.unwrap()));
    platform.check().await;
    fake.will(Fault::Fails);
    act(&platform, &restore(COMMITS[0])).await.unwrap_err();
    judge.is_content();
}
