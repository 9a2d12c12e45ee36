//! Railway, played by a server with a service's deployments, which refuses every query that Railway's schema refuses.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use unship::model::platform::{LogQuery, PlatformSpec, VariableValue};
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Platform, PlatformError};

use super::{act, act_on, restore, skip, traffic, versions};

const TOKEN: &str = "project-token-that-nobody-sees";

/// How the next rollback goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Fault {
    #[default]
    None,
    /// It is done, and the answer is a proxy's page.
    LostAnswer,
    Forbidden,
    Limited,
    /// It may have been done.
    Problem,
    /// The new deployment crashes.
    Crashes,
}

/// A deployment: id, commit, status, whether its image is kept.
type Deployment = (String, Option<String>, &'static str, bool);

#[derive(Default)]
struct Service {
    /// Oldest first.
    deployments: Vec<Deployment>,
    active: Vec<String>,
    fault: Fault,
    rollbacks: Vec<String>,
    queries: BTreeSet<String>,
    logs: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Service>>;

struct Fake {
    url: String,
    service: Shared,
}

impl Fake {
    /// Three deployments: the first one's image is gone, the last one serves.
    async fn start() -> Self {
        let deployment =
            |id: &str, commit: &str, status, kept| (id.to_owned(), Some(commit.to_owned()), status, kept);
        let service = Service {
            deployments: vec![
                deployment("d-1", "1111111aaaa", "REMOVED", false),
                deployment("d-2", "2222222bbbb", "REMOVED", true),
                deployment("d-3", "3333333cccc", "SUCCESS", true),
            ],
            active: vec!["d-3".to_owned()],
            ..Service::default()
        };
        let service = Shared::new(Mutex::new(service));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/graphql/v2", listener.local_addr().unwrap());
        let router = Router::new().route("/graphql/v2", post(Self::answer)).with_state(Arc::clone(&service));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, service }
    }

    async fn answer(State(service): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
        let errors =
            |message: &str| Json(json!({ "errors": [{ "message": message }], "data": null })).into_response();
        if headers.get("project-access-token").is_none_or(|token| token != TOKEN) {
            return errors("Not Authorized");
        }
        let query = body["query"].as_str().unwrap();
        let mut service = service.lock().unwrap();
        service.queries.insert(query.to_owned());
        let variables = &body["variables"];
        let data = if query.contains("deploymentRollback") {
            let id = variables["id"].as_str().unwrap().to_owned();
            let fault = std::mem::take(&mut service.fault);
            match fault {
                Fault::Forbidden => return errors("Not Authorized"),
                Fault::Limited => {
                    return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")], "slow down")
                        .into_response();
                }
                _ => {}
            }
            let status = if fault == Fault::Crashes { "CRASHED" } else { "SUCCESS" };
            service.roll_back(&id, status);
            match fault {
                Fault::LostAnswer => {
                    return (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response();
                }
                Fault::Problem => return errors("Problem processing request"),
                _ => json!({ "deploymentRollback": true }),
            }
        } else if query.contains("deploymentLogs") {
            let lines = service.logs.iter().map(|(at, text)| json!({ "timestamp": at, "message": text }));
            json!({ "deploymentLogs": lines.collect::<Value>() })
        } else if query.contains("AutoDeploy") {
            json!({ "serviceInstanceAutoDeployStatus": { "enabled": true } })
        } else if query.contains("unrendered") {
            json!({ "variables": {
                "DATABASE_URL": "${{Postgres.DATABASE_URL}}", "LOG_LEVEL": "info",
                "REPLICA_URL": "postgres://app:hunter2hunter2@${{Postgres.HOST}}/shop",
            } })
        } else {
            assert_eq!(variables, &json!({ "project": "p", "environment": "e", "service": "s" }));
            let edges = service.deployments.iter().zip(1..).map(|((id, commit, status, kept), day)| {
                json!({ "node": {
                    "id": id, "status": status, "createdAt": format!("2026-11-{day:02}T10:00:00.000Z"), "canRollback": kept,
                    "meta": commit.as_ref().map_or(json!({}), |commit| json!({ "commitHash": commit, "branch": "main" })),
                    "creator": { "name": "Kim", "email": "kim@example.com" },
                } })
            });
            let active = service.active.iter().map(|id| json!({ "id": id }));
            json!({
                "deployments": { "edges": edges.collect::<Value>() },
                "serviceInstance": { "activeDeployments": active.collect::<Value>() },
            })
        };
        Json(json!({ "data": data })).into_response()
    }

    fn platform(&self) -> Arc<dyn Platform> {
        self.with(TOKEN)
    }

    fn with(&self, token: &str) -> Arc<dyn Platform> {
        let spec = json!({
            "kind": "railway", "project": "p", "environment": "e", "service": "s", "project_token": "env:RAILWAY",
            "base_url": self.url,
        });
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("env:RAILWAY".parse().unwrap(), Secret::new(token));
        unship::platform::build(&"shop".into(), &spec, &Arc::new(secrets)).unwrap()
    }

    fn will(&self, fault: Fault) {
        self.service.lock().unwrap().fault = fault;
    }

    fn rollbacks(&self) -> Vec<String> {
        std::mem::take(&mut self.service.lock().unwrap().rollbacks)
    }
}

impl Service {
    /// A rollback makes a new deployment of the old image.
    fn roll_back(&mut self, id: &str, status: &'static str) {
        self.rollbacks.push(id.to_owned());
        let commit = self.deployments.iter().find(|(known, ..)| known == id).unwrap().1.clone();
        let new = format!("d-{}", self.deployments.len() + 1);
        if status == "SUCCESS" {
            for deployment in &mut self.deployments {
                if self.active.contains(&deployment.0) {
                    deployment.2 = "REMOVED";
                }
            }
            self.active = vec![new.clone()];
        }
        self.deployments.push((new, commit, status, true));
    }
}

/// What GraphQL's own implementation in Python says of queries against the schema, a line for each mistake.
fn judged(queries: &[String]) -> Option<Vec<String>> {
    let script = "import json, sys, graphql\n\
        schema = graphql.build_schema(open(sys.argv[1]).read())\n\
        for query in json.load(sys.stdin):\n    \
            for error in graphql.validate(schema, graphql.parse(query)): print(error.message)";
    let python = super::ecs::python();
    if skip("moto", python.is_some(), "graphql-core comes with moto: pip install 'moto[server]'") {
        return None;
    }
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/platforms/railway.graphql");
    let mut command = Command::new(python?);
    command.args(["-c", script, schema]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(queries).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

/// Railway's schema takes every query that unship sends, and refuses the one that Railway's own guide shows.
#[tokio::test]
async fn the_schema_takes_every_query() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    platform.check().await;
    platform.variables().await.unwrap();
    act(&platform, &restore("2222222bbbb")).await.unwrap();
    let (out, _lines) = mpsc::channel(16);
    platform.logs(&LogQuery { tail: 10, since: None, follow: false, release: None }, &out).await.unwrap();
    let queries: Vec<_> = std::mem::take(&mut fake.service.lock().unwrap().queries).into_iter().collect();
    assert_eq!(queries.len(), 5);
    let Some(mistakes) = judged(&queries) else { return };
    assert_eq!(mistakes, [""; 0]);
    let guide = "mutation R($id: String!) { deploymentRollback(id: $id) { id status } }";
    assert_eq!(judged(&[guide.to_owned()]).unwrap().len(), 1);
}

/// Variables as they are set: a reference says where from, and what stands beside one is kept from sight.
#[tokio::test]
async fn the_variables_are_read() {
    let fake = Fake::start().await;
    let variables = fake.platform().variables().await.unwrap();
    let plain = |value: &str| VariableValue::Plain(Secret::new(value));
    let expected = [
        ("DATABASE_URL", VariableValue::From("${{Postgres.DATABASE_URL}}".to_owned())),
        ("LOG_LEVEL", plain("info")),
        ("REPLICA_URL", plain("postgres://app:hunter2hunter2@${{Postgres.HOST}}/shop")),
    ];
    let seen: Vec<_> =
        variables.iter().map(|variable| (variable.name.as_str(), variable.value.clone())).collect();
    assert_eq!(seen, expected);
    let error = fake.with("another").variables().await.unwrap_err();
    assert!(
        error.to_string().contains("could not read the environment variables: Not Authorized"),
        "{error}"
    );
}

/// A release is a commit, whichever deployment it is of; a rollback names a deployment whose image is kept, and the new one is
/// known by its commit.
#[tokio::test]
async fn history_and_rollback() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    let seen = platform.read().await.unwrap();
    assert_eq!(
        (versions(&seen), traffic(&seen).as_str()),
        (vec!["3333333", "2222222"], "3333333 stable 100")
    );
    let back = restore("2222222bbbb");
    act(&platform, &back).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert!(back.holds_in(&seen), "{seen:?}");
    // Asked for again, also by another process, it makes no further deployment.
    act(&fake.platform(), &back).await.unwrap();
    assert_eq!(fake.rollbacks(), ["d-2"]);
}

/// After a lost answer a reading tells, and whoever goes on calls nothing twice.
#[tokio::test]
async fn lost_in_the_middle() {
    for fault in [Fault::LostAnswer, Fault::Problem] {
        let fake = Fake::start().await;
        fake.will(fault);
        let back = restore("2222222bbbb");
        let error = act(&fake.platform(), &back).await.unwrap_err();
        assert!(matches!(error, PlatformError::Unclear(_)), "{fault:?}: {error}");
        let another = fake.platform();
        assert!(back.holds_in(&another.read().await.unwrap()));
        act(&another, &back).await.unwrap();
        assert_eq!(fake.rollbacks(), ["d-2"]);
    }
}

/// Deployments that do not say what they run are known as long as the process that asked lives.
#[tokio::test]
async fn without_commits() {
    let fake = Fake::start().await;
    for deployment in &mut fake.service.lock().unwrap().deployments {
        deployment.1 = None;
    }
    let platform = fake.platform();
    let back = restore("d-2");
    act(&platform, &back).await.unwrap();
    assert!(back.holds_in(&platform.read().await.unwrap()));
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in ["have neither commit nor image", "the next push to git is deployed over a rollback"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// What is refused says why, whether by status or inside a success; a crash is told; no error shows the token.
#[tokio::test]
async fn refusals() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    let back = restore("2222222bbbb");
    fake.will(Fault::Forbidden);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("Not Authorized")), "{error}");
    fake.will(Fault::Limited);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("429")), "{error}");
    let error = act(&platform, &restore("1111111aaaa")).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("keeps images")), "{error}");
    let error = fake.with("an-old-token").read().await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("has expired")), "{error}");
    assert!(!error.to_string().contains("an-old-token"), "{error}");
    assert_eq!(fake.rollbacks(), [""; 0]);
    fake.will(Fault::Crashes);
    act(&platform, &back).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert!(!back.holds_in(&seen), "{seen:?}");
    assert_eq!(seen.failed.as_deref(), Some("deployment d-4 of 2222222 is CRASHED"));
}

/// What somebody else has deployed since it was read is not overwritten.
#[tokio::test]
async fn deployed_by_somebody_else() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    let revision = platform.read().await.unwrap().revision;
    let new = ("d-9".to_owned(), Some("9999999ffff".to_owned()), "BUILDING", false);
    fake.service.lock().unwrap().deployments.push(new);
    let error = act_on(&platform, &restore("2222222bbbb"), revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("d-9 where d-3 was read")),
        "{error}"
    );
    assert!(!platform.read().await.unwrap().settled);
    assert_eq!(fake.rollbacks(), [""; 0]);
}

/// The lines of the active deployment, each once.
#[tokio::test]
async fn what_it_writes() {
    let fake = Fake::start().await;
    let line =
        |second: u32, text: &str| (format!("2026-11-20T10:00:{second:02}.123456789Z"), text.to_owned());
    fake.service.lock().unwrap().logs = vec![line(1, "first"), line(2, "second")];
    let platform = fake.platform();
    let (out, mut lines) = mpsc::channel(16);
    let query = LogQuery { tail: 10, since: None, follow: true, release: None };
    let following = tokio::spawn(async move { platform.logs(&query, &out).await });
    assert_eq!(lines.recv().await.unwrap().text, "first");
    assert_eq!(lines.recv().await.unwrap().text, "second");
    fake.service.lock().unwrap().logs.push(line(2, "third"));
    assert_eq!(lines.recv().await.unwrap().text, "third");
    drop(lines);
    following.await.unwrap().unwrap();
}
