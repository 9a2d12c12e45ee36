//! Kubernetes, played by a server with one Deployment or Rollout and a small controller, which answers as a real API server was
//! recorded to. A pod of an image tagged `bad` never becomes ready.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use unship::model::platform::{LogQuery, PlatformAction, PlatformSpec, VariableValue};
use unship::model::release::Inventory;
use unship::model::secret::Secrets;
use unship::platform::{Platform, PlatformError};

use super::{act, act_on, restore, traffic, versions};

const NAMESPACE: &str = "/namespaces/shop";

struct Cluster {
    is_rollout: bool,
    version: u64,
    generation: u64,
    observed: u64,
    template: Value,
    annotations: Value,
    paused: bool,
    replicas: u64,
    /// The autoscalers of the namespace; none: they may not be listed.
    scalers: Option<Vec<Value>>,
    /// Ticks without progress, until the deadline.
    stuck: u32,
    /// Hash, template, annotations, ready pods, creation; oldest first.
    sets: Vec<(String, Value, Value, u64, u64)>,
    status: Value,
    /// Patches are refused with this.
    refuses: Option<u16>,
    /// The status moves before each patch, so that its test fails so many times.
    moves: u32,
    patches: Vec<String>,
}

type Shared = Arc<Mutex<Cluster>>;

fn template(version: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": format!("reg/web:{version}") }] } })
}

fn hash(template: &Value) -> String {
    let image = template["spec"]["containers"][0]["image"].as_str().unwrap();
    format!("h-{}", image.rsplit(':').next().unwrap())
}

impl Cluster {
    fn label(&self) -> &'static str {
        if self.is_rollout { "rollouts-pod-template-hash" } else { "pod-template-hash" }
    }

    fn revision(&self) -> &'static str {
        if self.is_rollout { "rollout.argoproj.io/revision" } else { "deployment.kubernetes.io/revision" }
    }

    /// The controller: looks at the spec, and moves one pod.
    fn tick(&mut self) {
        let label = self.revision();
        if self.observed < self.generation {
            self.observed = self.generation;
            self.stuck = 0;
            if self.paused {
                return;
            }
            let highest = self.sets.iter().filter_map(|set| set.2[label].as_str()?.parse::<u64>().ok()).max();
            let hash = hash(&self.template);
            let mut annotations = self.annotations.clone();
            let newest = highest.unwrap_or(0);
            let at = self.sets.iter().position(|set| set.0 == hash);
            let is_newest = at.is_some_and(|at| self.sets[at].2[label] == json!(newest.to_string()));
            let number = if is_newest { newest } else { newest + 1 };
            annotations[label] = json!(number.to_string());
            self.annotations[label] = json!(number.to_string());
            match at {
                Some(at) => self.sets[at].2 = annotations,
                None => {
                    let created = self.sets.len() as u64;
                    self.sets.push((hash.clone(), self.template.clone(), annotations, 0, created));
                }
            }
            self.status["currentPodHash"] = json!(hash);
            self.version += 1;
        }
        if self.paused {
            return;
        }
        let current = hash(&self.template);
        let is_bad = current.ends_with("bad");
        let has_steps = self.is_rollout
            && self.status["stableRS"] != json!(current)
            && self.status["promoteFull"] != json!(true)
            && self.status["stableRS"].is_string();
        if is_bad || has_steps {
            self.stuck += 1;
            return;
        }
        let before = (self.sets.clone(), self.status.clone());
        let ready = self.sets.iter().find(|set| set.0 == current).map_or(0, |set| set.3);
        for set in &mut self.sets {
            if set.0 == current {
                set.3 = (ready + 1).min(3);
            } else {
                set.3 = set.3.saturating_sub(1);
            }
        }
        if ready == 3 {
            self.status["stableRS"] = json!(current);
            self.status["promoteFull"] = Value::Null;
            self.status["abort"] = Value::Null;
        }
        if before != (self.sets.clone(), self.status.clone()) {
            self.version += 1;
        }
    }

    fn workload(&self) -> Value {
        let current = hash(&self.template);
        let ready = self.sets.iter().find(|set| set.0 == current).map_or(0, |set| set.3);
        let all: u64 = self.sets.iter().map(|set| set.3).sum();
        let is_seen = self.observed == self.generation;
        let updated = if is_seen { ready } else { 3 };
        let mut status = self.status.clone();
        let more = json!({
            "replicas": if is_seen { all } else { 3 }, "updatedReplicas": updated, "readyReplicas": all, "availableReplicas": all,
            "observedGeneration": if self.is_rollout { json!(self.observed.to_string()) } else { json!(self.observed) },
        });
        status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let is_stuck = self.stuck > 3;
        if self.is_rollout {
            let is_stable = self.status["stableRS"] == json!(current) && ready == 3;
            let phase = match (self.status["abort"] == json!(true), is_stable) {
                (true, _) => "Degraded",
                (_, true) => "Healthy",
                _ => "Progressing",
            };
            status["phase"] = json!(phase);
            status["canary"] =
                json!({ "weights": { "canary": { "weight": if phase == "Degraded" { 0 } else { 20 } } } });
        } else {
            let (progressing, reason) = if is_stuck {
                ("False", "ProgressDeadlineExceeded")
            } else {
                ("True", "NewReplicaSetAvailable")
            };
            status["conditions"] = json!([
                { "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "" },
                { "type": "Progressing", "status": progressing, "reason": reason,
                    "message": format!("ReplicaSet \"web-{current}\" has timed out progressing.") },
            ]);
        }
        json!({
            "metadata": { "name": "web", "uid": "uid-web", "resourceVersion": self.version.to_string(),
                "generation": self.generation, "annotations": self.annotations, "labels": { "app.kubernetes.io/managed-by": "Helm" } },
            "spec": { "replicas": self.replicas, "paused": self.paused, "selector": { "matchLabels": { "app": "web" } },
                "template": self.template },
            "status": status,
        })
    }

    fn set(&self, of: &(String, Value, Value, u64, u64)) -> Value {
        let (hash, template, annotations, ready, created) = of;
        let mut template = template.clone();
        template["metadata"]["labels"][self.label()] = json!(hash);
        json!({
            "metadata": { "name": format!("web-{hash}"), "uid": format!("uid-{hash}"), "annotations": annotations,
                "creationTimestamp": format!("2026-11-{:02}T10:00:00Z", 10 + created),
                "labels": { "app": "web", self.label(): hash }, "ownerReferences": [{ "uid": "uid-web", "controller": true }] },
            "spec": { "replicas": ready, "template": template }, "status": { "replicas": ready, "readyReplicas": ready },
        })
    }

    fn deploys(&mut self, version: &str) {
        self.template = template(version);
        self.annotations["kubernetes.io/change-cause"] = json!(format!("release {version}"));
        self.generation += 1;
        self.version += 1;
    }

    fn patch(&mut self, path: &str, kind: &str, body: &Value) -> Response {
        if let Some(status) = self.refuses {
            let message = "deployments.apps \"web\" is forbidden: User \"reader\" cannot patch resource \"deployments\" in API group \"apps\" in the namespace \"shop\"";
            return refused(status, if status == 403 { message } else { "too many requests" }, "Forbidden");
        }
        if self.moves > 0 {
            self.moves -= 1;
            self.version += 1;
        }
        if path.ends_with("/status") {
            assert_eq!(kind, "application/merge-patch+json");
            self.patches.push(format!("status {}", body["status"]));
            let status = body["status"].as_object().unwrap().clone();
            self.status.as_object_mut().unwrap().extend(status);
            self.version += 1;
            return Json(self.workload()).into_response();
        }
        if path.ends_with("/scale") {
            assert_eq!(kind, "application/merge-patch+json");
            self.replicas = body["spec"]["replicas"].as_u64().unwrap();
            self.patches.push(format!("scale {}", self.replicas));
            self.generation += 1;
            self.version += 1;
            let scale = json!({ "kind": "Scale", "apiVersion": "autoscaling/v1", "spec": { "replicas": self.replicas } });
            return Json(scale).into_response();
        }
        assert_eq!(kind, "application/json-patch+json");
        if body[0]["value"] != json!(self.version.to_string()) {
            return refused(422, "the server rejected our request due to an error in our request", "Invalid");
        }
        let new = body[1]["value"].clone();
        assert!(new["metadata"]["labels"][self.label()].is_null(), "the controller's label: {new}");
        self.patches.push(format!("template {}", hash(&new)));
        if new != self.template {
            self.template = new;
            self.generation += 1;
            self.version += 1;
        }
        self.annotations = body[2]["value"].clone();
        Json(self.workload()).into_response()
    }
}

fn refused(status: u16, message: &str, reason: &str) -> Response {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "details": {}, "code": status });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

struct Fake {
    dir: TempDir,
    cluster: Shared,
}

impl Fake {
    /// 2.8.0 and 2.8.1 were deployed, and 2.8.1 serves.
    async fn start(is_rollout: bool) -> Self {
        let mut cluster = Cluster {
            is_rollout,
            version: 1,
            generation: 0,
            observed: 0,
            template: Value::Null,
            annotations: json!({}),
            paused: false,
            replicas: 3,
            scalers: Some(Vec::new()),
            stuck: 0,
            sets: Vec::new(),
            status: json!({}),
            refuses: None,
            moves: 0,
            patches: Vec::new(),
        };
        for version in ["2.8.0", "2.8.1"] {
            cluster.deploys(version);
            cluster.status["stableRS"] = Value::Null;
            for _ in 0..10 {
                cluster.tick();
            }
        }
        let cluster = Shared::new(Mutex::new(cluster));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(Self::answer).with_state(Arc::clone(&cluster));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let dir = TempDir::new().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "prod",
            "clusters": [{ "name": "c", "cluster": { "server": url } }],
            "users": [
                { "name": "us", "user": { "token": "kube-token-that-nobody-sees" } },
                { "name": "them", "user": { "token": "an-old-token" } },
            ],
            "contexts": [
                { "name": "prod", "context": { "cluster": "c", "user": "us" } },
                { "name": "old", "context": { "cluster": "c", "user": "them" } },
            ],
        });
        std::fs::write(dir.path().join("kubeconfig"), config.to_string()).unwrap();
        Self { dir, cluster }
    }

    async fn answer(State(cluster): State<Shared>, request: Request) -> Response {
        let token = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        if token.as_deref() != Some("Bearer kube-token-that-nobody-sees") {
            return refused(401, "Unauthorized", "Unauthorized");
        }
        let (method, uri) = (request.method().to_string(), request.uri().clone());
        let kind = request.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let query: BTreeMap<String, String> =
            reqwest::Url::parse(&format!("http://x{uri}")).unwrap().query_pairs().into_owned().collect();
        let mut cluster = cluster.lock().unwrap();
        let mine = if cluster.is_rollout {
            format!("/apis/argoproj.io/v1alpha1{NAMESPACE}/rollouts/web")
        } else {
            format!("/apis/apps/v1{NAMESPACE}/deployments/web")
        };
        match (method.as_str(), uri.path()) {
            ("GET", path) if path == mine => {
                let now = cluster.workload();
                cluster.tick();
                Json(now).into_response()
            }
            ("PATCH", path) if path.starts_with(&mine) => cluster.patch(path, &kind.unwrap(), &body),
            ("GET", path) if path == format!("/apis/apps/v1{NAMESPACE}/replicasets") => {
                assert_eq!(query["labelSelector"], "app=web");
                // One on each page, so that whoever reads one page only is found out.
                let at: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
                let items: Vec<_> =
                    cluster.sets.iter().skip(at).take(1).map(|set| cluster.set(set)).collect();
                let next = if at + 1 < cluster.sets.len() { (at + 1).to_string() } else { String::new() };
                Json(json!({ "metadata": { "continue": next }, "items": items })).into_response()
            }
            ("GET", path) if path == format!("/apis/autoscaling/v1{NAMESPACE}/horizontalpodautoscalers") => {
                match &cluster.scalers {
                    Some(scalers) => Json(json!({ "metadata": {}, "items": scalers })).into_response(),
                    None => refused(403, "cannot list horizontalpodautoscalers", "Forbidden"),
                }
            }
            ("GET", path) if path == format!("/api/v1{NAMESPACE}/pods") => {
                let pod = |set: &(String, Value, Value, u64, u64), index: u64| {
                    json!({
                        "metadata": { "name": format!("web-{}-{index}", set.0), "ownerReferences": [{ "uid": format!("uid-{}", set.0) }] },
                        "status": { "phase": "Running", "startTime": "2026-11-20T10:00:00Z",
                            "conditions": [{ "type": "Ready", "status": "True" }],
                            "containerStatuses": [{ "restartCount": index, "state": { "running": {} } }] },
                    })
                };
                let pods: Vec<_> = cluster
                    .sets
                    .iter()
                    .flat_map(|set| (0..set.3).map(move |index| pod(set, index)))
                    .collect();
                Json(json!({ "metadata": {}, "items": pods })).into_response()
            }
            ("GET", path) if path.starts_with("/apis/metrics.k8s.io/") => {
                let usage = json!({ "cpu": "250m", "memory": "64Mi" });
                let one = json!({ "metadata": { "name": "web-h-2.8.1-0" }, "containers": [{ "name": "web", "usage": usage }] });
                Json(json!({ "metadata": {}, "items": [one] })).into_response()
            }
            ("GET", path) if path.ends_with("/log") => {
                let pod = path.rsplit('/').nth(1).unwrap();
                assert!(query["timestamps"] == "true");
                format!("2026-11-20T10:00:00.5Z {pod} says\n2026-11-20T10:00:01Z more\n").into_response()
            }
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") => {
                let allowed = body["spec"]["resourceAttributes"]["verb"] != "patch";
                (StatusCode::CREATED, Json(json!({ "status": { "allowed": allowed } }))).into_response()
            }
            (_, path) => refused(404, &format!("{path} not found"), "NotFound"),
        }
    }

    fn platform(&self) -> Arc<dyn Platform> {
        self.as_context("prod")
    }

    fn as_context(&self, context: &str) -> Arc<dyn Platform> {
        let kind = if self.cluster.lock().unwrap().is_rollout { "rollout" } else { "deployment" };
        let spec = json!({
            "kind": "kubernetes", "namespace": "shop", kind: "web", "context": context,
            "kubeconfig": self.dir.path().join("kubeconfig"),
        });
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        unship::platform::build(&"web".into(), &spec, &Arc::new(Secrets::default())).unwrap()
    }

    fn patches(&self) -> Vec<String> {
        std::mem::take(&mut self.cluster.lock().unwrap().patches)
    }
}

/// Reads until this is so.
async fn until(platform: &Arc<dyn Platform>, what: &str, so: impl Fn(&Inventory) -> bool) -> Inventory {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = platform.read().await.unwrap();
        if so(&seen) {
            return seen;
        }
        assert!(Instant::now() < until, "not {what}: {seen:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A rollback names a template. Done is what the controller has observed; asked for again it changes nothing; and a second
/// rollback does not go forward to the bad release again, which an "undo" would.
#[tokio::test]
async fn undo_twice_stays_back() {
    let fake = Fake::start(false).await;
    let platform = fake.platform();
    let seen = platform.read().await.unwrap();
    assert_eq!(
        (versions(&seen), traffic(&seen).as_str(), seen.settled),
        (vec!["2.8.1", "2.8.0"], "2.8.1 stable 100", true)
    );
    let back = restore("h-2.8.0");
    act(&platform, &back).await.unwrap();
    assert!(!back.holds_in(&platform.read().await.unwrap()), "the controller has not seen it yet");
    let rolling = until(&platform, "rolling", |seen| seen.traffic.len() == 2).await;
    let shares = traffic(&rolling);
    assert!(shares.starts_with("2.8.0 canary ") && shares.contains(", 2.8.1 stable "), "{shares}");
    until(&platform, "back", |seen| back.holds_in(seen)).await;
    let another = fake.platform();
    act(&another, &back).await.unwrap();
    assert!(back.holds_in(&another.read().await.unwrap()));
    assert_eq!(fake.patches(), ["template h-2.8.0"]);
    let cluster = fake.cluster.lock().unwrap();
    let cause = |set: usize| cluster.sets[set].2["kubernetes.io/change-cause"].as_str().unwrap();
    assert_eq!((cause(0), cause(1)), ("release 2.8.0", "release 2.8.1"));
}

/// A rollout that is stuck on its deadline is told as failed, and rolled back; what failed of it before is not held against that.
#[tokio::test]
async fn stuck_on_its_deadline() {
    let fake = Fake::start(false).await;
    let platform = fake.platform();
    fake.cluster.lock().unwrap().deploys("3.0-bad");
    let seen = until(&platform, "stuck", |seen| seen.failed.is_some()).await;
    assert!(
        seen.failed.as_ref().unwrap().contains("ProgressDeadlineExceeded: ReplicaSet \"web-h-3.0-bad\""),
        "{seen:?}"
    );
    assert_eq!((traffic(&seen).as_str(), seen.settled), ("3.0-bad canary 0, 2.8.1 stable 100", false));
    let back = restore("h-2.8.1");
    act(&platform, &back).await.unwrap();
    let seen = until(&platform, "back", |seen| back.holds_in(seen)).await;
    assert_eq!(seen.failed, None);
}

/// What somebody else has changed since it was read is reported and not overwritten; a status that only moves is no reason to
/// stop; a paused one would take the patch and roll nothing.
#[tokio::test]
async fn changed_meanwhile() {
    let fake = Fake::start(false).await;
    let platform = fake.platform();
    let revision = platform.read().await.unwrap().revision;
    fake.cluster.lock().unwrap().deploys("2.8.2");
    let error = act_on(&platform, &restore("h-2.8.0"), revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("generation 3 of") && why.contains("generation 2 of h-2.8.1")),
        "{error}"
    );
    assert_eq!(fake.patches(), [""; 0]);
    until(&platform, "settled", |seen| seen.settled).await;
    fake.cluster.lock().unwrap().moves = 3;
    act(&platform, &restore("h-2.8.0")).await.unwrap();
    assert_eq!(fake.patches(), ["template h-2.8.0"]);
    fake.cluster.lock().unwrap().paused = true;
    let error = act(&platform, &restore("h-2.8.1")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("kubectl rollout resume web")),
        "{error}"
    );
    assert!(!platform.read().await.unwrap().settled);
}

/// What is refused says which right is missing; what is too much may be tried again; no error shows a token.
#[tokio::test]
async fn refusals() {
    let fake = Fake::start(false).await;
    let platform = fake.platform();
    let back = restore("h-2.8.0");
    fake.cluster.lock().unwrap().refuses = Some(403);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("cannot patch resource \"deployments\"")),
        "{error}"
    );
    fake.cluster.lock().unwrap().refuses = Some(429);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(_)), "{error}");
    fake.cluster.lock().unwrap().refuses = None;
    let error = act(&platform, &restore("h-2.7.0")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("revisionHistoryLimit")),
        "{error}"
    );
    let error = fake.as_context("old").read().await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("log in to the cluster")),
        "{error}"
    );
    assert!(!error.to_string().contains("an-old-token"), "{error}");
    let error = fake.as_context("nowhere").read().await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("nowhere")), "{error}");
}

/// A canary of Argo's is aborted, and the spec goes back too, or the next controller would begin it again; going back further
/// skips the steps; a canary that is to get everything is promoted.
#[tokio::test]
async fn rollouts() {
    let fake = Fake::start(true).await;
    let platform = fake.platform();
    fake.cluster.lock().unwrap().deploys("2.9.0");
    let seen = until(&platform, "a canary", |seen| traffic(seen) == "2.8.1 stable 80, 2.9.0 canary 20").await;
    assert!(!seen.settled);
    let back = restore("h-2.8.1");
    act(&platform, &back).await.unwrap();
    assert_eq!(fake.patches(), ["status {\"abort\":true}", "template h-2.8.1"]);
    until(&platform, "back", |seen| back.holds_in(seen)).await;
    let further = restore("h-2.8.0");
    act(&platform, &further).await.unwrap();
    assert_eq!(fake.patches(), ["template h-2.8.0", "status {\"promoteFull\":true}"]);
    until(&platform, "back", |seen| further.holds_in(seen)).await;
    fake.cluster.lock().unwrap().deploys("2.9.1");
    until(&platform, "a canary", |seen| traffic(seen).contains("2.9.1 canary 20")).await;
    act(&platform, &restore("h-2.9.1")).await.unwrap();
    assert_eq!(fake.patches(), ["status {\"promoteFull\":true}"]);
    until(&platform, "promoted", |seen| traffic(seen) == "2.9.1 stable 100" && seen.settled).await;
}

/// Pods with what they use, their lines, and what a check says of rights and of owners.
#[tokio::test]
async fn pods_and_rights() {
    let fake = Fake::start(false).await;
    let platform = fake.platform();
    let pods = platform.instances().await.unwrap();
    let first = &pods[0];
    assert_eq!((pods.len(), first.name.as_str(), first.ready), (3, "web-h-2.8.1-0", true));
    assert_eq!((first.cpu_cores, first.memory_bytes), (Some(0.25), Some(64 << 20)));
    assert_eq!((pods[1].cpu_cores, pods[1].restarts), (None, Some(1)));
    let (out, mut lines) = mpsc::channel(16);
    platform.logs(&LogQuery { tail: 10, since: None, follow: false, release: None }, &out).await.unwrap();
    drop(out);
    let mut all = Vec::new();
    while let Some(line) = lines.recv().await {
        assert!(line.at.is_some());
        all.push(format!("{}: {}", line.instance, line.text));
    }
    assert_eq!(all.len(), 6);
    assert!(all.contains(&"web-h-2.8.1-2: web-h-2.8.1-2 says".to_owned()), "{all:?}");
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in [
        "has to allow `patch` on `deployments` of the group \\\"apps\\\"",
        "permission to get pods/log",
        "Helm made this Deployment",
        "10 older ReplicaSets",
        "`unship scale` would need a Role",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// The scale is its own subresource and no release. An autoscaler that would put its number back is left alone, and said; who may
/// not see whether there is one scales all the same.
#[tokio::test]
async fn how_many_pods_run() {
    for is_rollout in [false, true] {
        let fake = Fake::start(is_rollout).await;
        let platform = fake.platform();
        let before = platform.read().await.unwrap();
        assert_eq!(before.instances, Some(3));
        let five = PlatformAction::Scale { instances: 5 };
        act(&platform, &five).await.unwrap();
        let now = platform.read().await.unwrap();
        assert!(five.holds_in(&now), "{now:?}");
        assert_eq!(versions(&now), versions(&before), "no release came");
        fake.cluster.lock().unwrap().scalers = None;
        act(&platform, &PlatformAction::Scale { instances: 4 }).await.unwrap();
        assert_eq!(fake.patches(), ["scale 5", "scale 4"]);
        let kind = if is_rollout { "Rollout" } else { "Deployment" };
        let of = |kind: &str, name: &str| {
            json!({ "metadata": { "name": format!("of-{name}") }, "spec": {
                "scaleTargetRef": { "kind": kind, "name": name }, "minReplicas": 2, "maxReplicas": 9 } })
        };
        fake.cluster.lock().unwrap().scalers = Some(vec![of(kind, "other"), of(kind, "web")]);
        let error = act(&platform, &five).await.unwrap_err().to_string();
        assert!(error.contains("the HorizontalPodAutoscaler of-web (2 to 9)"), "{error}");
        assert_eq!(fake.patches(), [""; 0]);
        let said = serde_json::to_string(&platform.check().await).unwrap();
        assert!(said.contains("`unship scale` is refused"), "{said}");
    }
}

/// What the template sets; what comes from elsewhere by name alone.
#[tokio::test]
async fn what_the_template_sets() {
    let fake = Fake::start(false).await;
    fake.cluster.lock().unwrap().template["spec"]["containers"][0]["env"] = json!([
        { "name": "MODE", "value": "live" },
        { "name": "DB", "valueFrom": { "secretKeyRef": { "name": "shop", "key": "db" } } },
    ]);
    let seen = fake.platform().variables().await.unwrap();
    let words = format!("{seen:?}");
    assert!(
        words.contains("MODE") && words.contains("secret shop, key db") && !words.contains("live"),
        "{words}"
    );
    assert!(matches!(&seen[0].value, VariableValue::Plain(value) if value.expose() == "live"));
}
