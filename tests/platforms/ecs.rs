//! ECS as moto has it, with a scheduler (`ecs_server.py`): deployments that take their time, a circuit breaker, and records.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use unship::model::platform::{LogQuery, PlatformAction, PlatformSpec, VariableValue};
use unship::model::release::Inventory;
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Platform, PlatformError};

use super::{act, act_on, restore, skip, traffic, versions};

const SECRET: &str = "wJalrXUtnFEMI-a-key-that-nobody-sees";

/// A running server with a cluster, a service of two tasks, and versions 1.0 and 1.1 behind it.
struct Aws {
    child: Child,
    dir: TempDir,
    url: String,
    client: reqwest::Client,
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Python that moto is installed in: the one that its program names in its first line, or the usual one.
pub(super) fn python() -> Option<PathBuf> {
    let named = std::env::var_os("UNSHIP_TEST_MOTO").map(PathBuf::from);
    let beside = named.and_then(|program| {
        let text = std::fs::read_to_string(program).ok()?;
        text.lines().next()?.strip_prefix("#!").map(|python| PathBuf::from(python.trim()))
    });
    let has_moto = |python: &PathBuf| {
        let mut probe = Command::new(python);
        probe.args(["-c", "import moto.moto_server, graphql"]).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    beside.into_iter().chain([PathBuf::from("python3")]).find(has_moto)
}

impl Aws {
    async fn start() -> Option<Self> {
        let python = python();
        if skip("moto", python.is_some(), "pip install 'moto[server]'; or its path in UNSHIP_TEST_MOTO") {
            return None;
        }
        let dir = TempDir::new().unwrap();
        let said = dir.path().join("said");
        let file = std::fs::File::create(&said).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/platforms/ecs_server.py");
        let mut command = Command::new(python.unwrap());
        command
            .arg(script)
            .arg(dir.path())
            .stdin(Stdio::null())
            .stderr(file.try_clone().unwrap())
            .stdout(file);
        let child = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_mins(1);
        let url = loop {
            let text = std::fs::read_to_string(&said).unwrap();
            if let Some(url) = text.lines().find_map(|line| line.strip_prefix("listening on ")) {
                break url.to_owned();
            }
            assert!(Instant::now() < until, "moto did not start: {text}");
            sleep(Duration::from_millis(50)).await;
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let aws = Self { child, dir, url, client: reqwest::Client::new() };
        aws.asks("CreateCluster", json!({ "clusterName": "shop" })).await;
        for version in ["1.0", "1.1", "1.2", "bad"] {
            aws.registers(version).await;
        }
        let body =
            json!({ "cluster": "shop", "serviceName": "web", "taskDefinition": "web:1", "desiredCount": 2 });
        aws.asks("CreateService", body).await;
        let platform = aws.platform();
        settled(&platform).await;
        aws.deploys(2).await;
        settled(&platform).await;
        aws.calls();
        Some(aws)
    }

    async fn registers(&self, version: &str) {
        let logs = json!({ "awslogs-group": "/shop/web", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "web" });
        let sidecar = json!({ "name": "sidecar", "image": "envoy:9", "memory": 64, "essential": false });
        let main = json!({
            "name": "app", "image": format!("registry:5000/shop:{version}"), "memory": 64, "essential": true,
            "environment": [{ "name": "MODE", "value": "live" }],
            "secrets": [{ "name": "DB", "valueFrom": "arn:aws:ssm:eu-central-1:123456789012:parameter/db" }],
            "logConfiguration": { "logDriver": "awslogs", "options": logs },
        });
        self.asks(
            "RegisterTaskDefinition",
            json!({ "family": "web", "containerDefinitions": [sidecar, main] }),
        )
        .await;
    }

    /// Somebody deploys a revision of the task definition.
    async fn deploys(&self, revision: u32) {
        let body =
            json!({ "cluster": "shop", "service": "web", "taskDefinition": format!("web:{revision}") });
        self.asks("UpdateService", body).await;
    }

    /// A call as some other program would make it, with a signature that nobody checks.
    async fn asks(&self, operation: &str, body: Value) -> Value {
        self.says("ecs", &format!("AmazonEC2ContainerServiceV20141113.{operation}"), body).await
    }

    async fn says(&self, service: &str, target: &str, body: Value) -> Value {
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=b"
        );
        let call = self.client.post(&self.url).header("x-amz-target", target);
        let call =
            call.header("content-type", "application/x-amz-json-1.1").header("authorization", signature);
        let answer = call.body(body.to_string()).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{target}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The changing calls since the last question.
    fn calls(&self) -> Vec<String> {
        let file = self.dir.path().join("calls");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        text.lines().map(str::to_owned).collect()
    }

    /// Refuses the next call of an operation.
    fn refuses(&self, operation: &str, code: &str) {
        std::fs::write(self.dir.path().join("refuse"), format!("{operation} {code}")).unwrap();
    }

    fn platform(&self) -> Arc<dyn Platform> {
        let spec = json!({
            "kind": "aws-ecs", "region": "eu-central-1", "cluster": "shop", "service": "web",
            "keys": { "access_key_id": "env:ID", "secret_access_key": "env:KEY" },
            "endpoint": self.url, "logs_endpoint": self.url,
        });
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("env:ID".parse().unwrap(), Secret::new("AKIDEXAMPLE"));
        secrets.insert("env:KEY".parse().unwrap(), Secret::new(SECRET));
        unship::platform::build(&"web".into(), &spec, &Arc::new(secrets)).unwrap()
    }
}

/// Reads until this is so.
async fn until(platform: &Arc<dyn Platform>, what: &str, so: impl Fn(&Inventory) -> bool) -> Inventory {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let seen = platform.read().await.unwrap();
        if so(&seen) {
            return seen;
        }
        assert!(Instant::now() < until, "not {what}: {seen:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn settled(platform: &Arc<dyn Platform>) -> Inventory {
    until(platform, "settled", |seen| seen.settled).await
}

fn reference(seen: &Inventory, version: &str) -> String {
    seen.by_version(&version.into()).unwrap().reference.to_string()
}

/// What has served can be named, what was only registered cannot; going back is one call however often it is asked for, and
/// shows complete only when the last old task is gone.
#[tokio::test]
async fn history_and_rollback() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let seen = platform.read().await.unwrap();
    assert_eq!((versions(&seen), traffic(&seen).as_str()), (vec!["1.1", "1.0"], "1.1 stable 100"));
    let back = restore(&reference(&seen, "1.0"));
    act(&platform, &back).await.unwrap();
    assert!(!back.holds_in(&platform.read().await.unwrap()), "it has not rolled yet");
    // Whoever died after the call and comes again asks for the same, and nothing new is started.
    let another = aws.platform();
    act(&another, &back).await.unwrap();
    let seen = until(&another, "back", |seen| back.holds_in(seen)).await;
    assert_eq!((traffic(&seen).as_str(), seen.failed), ("1.0 stable 100", None));
    assert_eq!(aws.calls(), ["UpdateService web:1"]);
}

/// While the bad release is still being rolled out, its deployment is stopped, which needs no new one.
#[tokio::test]
async fn stops_what_is_running() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let back = restore(&reference(&platform.read().await.unwrap(), "1.1"));
    aws.asks("UpdateService", json!({ "cluster": "shop", "service": "web", "desiredCount": 40 })).await;
    aws.deploys(3).await;
    aws.calls();
    let rolling = until(&platform, "rolling", |seen| !seen.settled && versions(seen).contains(&"1.2")).await;
    assert!(!back.holds_in(&rolling), "{rolling:?}");
    act(&platform, &back).await.unwrap();
    let seen = until(&platform, "back", |seen| back.holds_in(seen)).await;
    assert_eq!(aws.calls(), ["StopServiceDeployment ROLLBACK"]);
    // What was stopped on the way did not serve well.
    assert_eq!(versions(&seen), ["1.1", "1.0"]);
}

/// The platform's own rollback is told as a failure, and is not taken for the target's success.
#[tokio::test]
async fn the_circuit_breaker_takes_it_back() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let seen = platform.read().await.unwrap();
    assert_eq!(seen.failed, None);
    let bad = aws.asks("DescribeTaskDefinition", json!({ "taskDefinition": "web:4" })).await;
    let bad = restore(bad["taskDefinition"]["taskDefinitionArn"].as_str().unwrap());
    act(&platform, &bad).await.unwrap();
    let seen = until(&platform, "taken back", |seen| seen.settled && seen.failed.is_some()).await;
    assert!(!bad.holds_in(&seen), "{seen:?}");
    assert!(seen.failed.as_ref().unwrap().contains("tasks failed to start"), "{seen:?}");
    assert_eq!(traffic(&seen), "1.1 stable 100");
}

/// What is refused says which permission is missing; what is only too much may be tried again; no error shows a key.
#[tokio::test]
async fn refusals() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let seen = platform.read().await.unwrap();
    let back = restore(&reference(&seen, "1.0"));
    aws.refuses("UpdateService", "AccessDeniedException");
    let error = act(&platform, &back).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("ecs:UpdateService") && why.contains("lack this permission")),
        "{error}"
    );
    aws.refuses("UpdateService", "ThrottlingException");
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(_)), "{error}");
    assert!(!error.to_string().contains(SECRET), "{error}");
    let gone = restore("arn:aws:ecs:eu-central-1:123456789012:task-definition/web:99");
    let error = act(&platform, &gone).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(_)), "{error}");
    assert_eq!(traffic(&platform.read().await.unwrap()), "1.1 stable 100");
}

/// What somebody else has deployed since it was read is not overwritten.
#[tokio::test]
async fn deployed_by_somebody_else() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let seen = platform.read().await.unwrap();
    aws.deploys(3).await;
    aws.calls();
    let error = act_on(&platform, &restore(&reference(&seen, "1.0")), seen.revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("web:3") && why.contains("web:2 was read")),
        "{error}"
    );
    assert_eq!(aws.calls(), [""; 0]);
}

/// Without the records there is the family's list, and a check says what that is worth.
#[tokio::test]
async fn what_a_check_says() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in ["releases: 2; 1.1 100 %", "SUCCESSFUL", "deployment controller ECS", "ecs:UpdateService"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    aws.refuses("ListServiceDeployments", "AccessDeniedException");
    let seen = platform.read().await.unwrap();
    assert_eq!(versions(&seen), ["bad", "1.2", "1.1", "1.0"]);
    assert_eq!(traffic(&seen), "1.1 stable 100");
    let spec = json!({ "kind": "aws-ecs", "region": "eu-central-1", "cluster": "shop", "service": "wep", "endpoint": aws.url,
        "keys": { "access_key_id": "env:ID", "secret_access_key": "env:ID" } });
    let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
    let mut secrets = Secrets::default();
    secrets.insert("env:ID".parse().unwrap(), Secret::new("AKIDEXAMPLE"));
    let missing = unship::platform::build(&"web".into(), &spec, &Arc::new(secrets)).unwrap();
    let error = missing.read().await.unwrap_err().to_string();
    assert_eq!(error, "cluster `shop` has no service `wep` (MISSING)");
    let error = act(&platform, &PlatformAction::Purge).await.unwrap_err().to_string();
    assert!(error.contains("ECS has no cache"), "{error}");
}

/// The lines of all tasks in their order, and what comes while they are followed.
#[tokio::test]
async fn what_the_tasks_write() {
    let Some(aws) = Aws::start().await else { return };
    let logs = async |operation: &str, body: Value| {
        aws.says("logs", &format!("Logs_20140328.{operation}"), body).await;
    };
    logs("CreateLogGroup", json!({ "logGroupName": "/shop/web" })).await;
    let now = Timestamp::now().as_millisecond();
    let write = async |task: &str, at: i64, text: &str| {
        let events = json!([{ "timestamp": at, "message": text }]);
        let stream = format!("web/{task}");
        logs(
            "PutLogEvents",
            json!({ "logGroupName": "/shop/web", "logStreamName": stream, "logEvents": events }),
        )
        .await;
    };
    for task in ["app/1", "app/2", "sidecar/1"] {
        let stream = format!("web/{task}");
        logs("CreateLogStream", json!({ "logGroupName": "/shop/web", "logStreamName": stream })).await;
    }
    write("app/1", now - 3000, "first\n").await;
    write("app/2", now - 2000, "second").await;
    write("sidecar/1", now - 1500, "not the app's").await;
    write("app/1", now - 1000, "third").await;
    let platform = aws.platform();
    let (out, mut lines) = mpsc::channel(16);
    let query = LogQuery { tail: 2, since: None, follow: true, release: None };
    let following = tokio::spawn(async move { platform.logs(&query, &out).await });
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(20), lines.recv()).await.unwrap().unwrap();
        format!("{} {}", line.instance, line.text)
    };
    assert_eq!((next().await, next().await), ("2 second".to_owned(), "1 third".to_owned()));
    write("app/2", now, "fourth").await;
    // What comes late is not lost.
    write("app/1", now - 500, "late").await;
    let mut came = [next().await, next().await];
    came.sort();
    assert_eq!(came, ["1 late", "2 fourth"]);
    drop(lines);
    following.await.unwrap().unwrap();
}

/// The number of tasks is the service's, and no deployment begins by it. What the task definition sets is told, secrets by name.
#[tokio::test]
async fn how_many_tasks_run_and_what_they_are_set() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let before = settled(&platform).await;
    assert_eq!(before.instances, Some(2));
    let three = PlatformAction::Scale { instances: 3 };
    act(&platform, &three).await.unwrap();
    let now = until(&platform, "three tasks", |seen| three.holds_in(seen) && seen.settled).await;
    assert_eq!((versions(&now), traffic(&now)), (versions(&before), traffic(&before)));
    assert_eq!(aws.calls(), ["UpdateService None"], "no task definition is named");
    aws.refuses("UpdateService", "AccessDeniedException");
    let error = act(&platform, &three).await.unwrap_err().to_string();
    assert!(error.contains("lack this permission"), "{error}");
    let seen = platform.variables().await.unwrap();
    let of: Vec<_> = seen
        .iter()
        .map(|one| {
            let value = match &one.value {
                VariableValue::Plain(value) => value.expose().to_owned(),
                VariableValue::From(from) => format!("from {from}"),
            };
            format!("{}/{} {value}", one.container.as_deref().unwrap(), one.name)
        })
        .collect();
    assert_eq!(of, ["app/MODE live", "app/DB from arn:aws:ssm:eu-central-1:123456789012:parameter/db"]);
}

/// A task definition that is removed is no release any more; the one that serves stays.
#[tokio::test]
async fn a_task_definition_is_removed() {
    let Some(aws) = Aws::start().await else { return };
    let platform = aws.platform();
    let before = settled(&platform).await;
    assert_eq!(versions(&before), ["1.1", "1.0"]);
    let remove = PlatformAction::Remove { release: reference(&before, "1.0").as_str().into() };
    act(&platform, &remove).await.unwrap();
    let now = until(&platform, "removed", |seen| remove.holds_in(seen)).await;
    assert_eq!((versions(&now), traffic(&now)), (vec!["1.1"], "1.1 stable 100".to_owned()));
}
