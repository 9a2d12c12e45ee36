//! Kubernetes: a rollback gives a Deployment, or a Rollout of Argo's, the template of an older ReplicaSet, which is named
//! (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>, <https://argo-rollouts.readthedocs.io/>).
//!
//! | workload | state | call | twice |
//! |---|---|---|---|
//! | Deployment | always | a JSON patch of the template and the annotations, with `resourceVersion` as a test | the same template changes nothing |
//! | Rollout | the target is the stable one, a canary is on its way | `abort`, then the patch as above | nothing is left to do |
//! | Rollout | the canary is to get everything | `promoteFull` | nothing is left to do |
//! | Rollout | anything else | the patch, then `promoteFull`, so that going back has no steps | nothing is left to do |
//!
//! Releases are ReplicaSets by the hash of their template: the number of a revision changes when one is rolled back to, and a
//! second "undo" would bring the bad one back. Done is what the controller has observed, complete: right after a patch the old
//! status still says so of the generation before.

mod api;
mod patch;
mod pods;
mod scale;
mod variables;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep};

use self::api::Api;
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, image, reading, shares};
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, Instance, KubernetesSpec, LogLine, LogQuery, PlatformAction,
    Variable,
};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{ReleaseRef, ServiceName};

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
/// How often a patch is made anew when the status has moved under it.
const CONFLICTS: u32 = 5;
/// How long the Rollouts controller gets to observe a patch.
const OBSERVES: Duration = Duration::from_secs(30);

/// A service in a cluster.
#[derive(Debug)]
pub struct Kubernetes {
    spec: KubernetesSpec,
    name: String,
    is_rollout: bool,
    api: Api,
}

/// One reading.
struct Seen {
    workload: Value,
    /// The workload's ReplicaSets, the newest revision first.
    sets: Vec<Set>,
    /// The hash of the template that the workload has now.
    current: Option<String>,
}

/// A ReplicaSet.
struct Set {
    object: Value,
    hash: String,
    revision: u64,
    ready: u64,
}

/// The labels that the workload's ReplicaSets and pods have, as a list is asked for.
fn selector(workload: &Value) -> String {
    let labels = workload["spec"]["selector"]["matchLabels"].as_object();
    let labels = labels.into_iter().flatten();
    labels
        .filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)))
        .collect::<Vec<_>>()
        .join(",")
}

impl Seen {
    fn set(&self, hash: &str) -> Option<&Set> {
        self.sets.iter().find(|set| set.hash == hash)
    }

    fn status(&self, name: &str) -> u64 {
        self.workload["status"][name].as_u64().unwrap_or(0)
    }

    fn desired(&self) -> u64 {
        self.workload["spec"]["replicas"].as_u64().unwrap_or(1)
    }

    /// Whether the controller has seen the newest spec. Argo writes the number as text.
    fn is_observed(&self) -> bool {
        let observed = &self.workload["status"]["observedGeneration"];
        let observed = observed.as_u64().or_else(|| observed.as_str()?.parse().ok()).unwrap_or(0);
        observed >= self.workload["metadata"]["generation"].as_u64().unwrap_or(0)
    }

    fn is_complete(&self) -> bool {
        let desired = self.desired();
        let all = ["updatedReplicas", "replicas", "availableReplicas"];
        self.is_observed() && all.iter().all(|name| self.status(name) == desired)
    }

    fn is_paused(&self) -> bool {
        self.workload["spec"]["paused"] == json!(true)
    }

    /// The spec as a whole: what somebody else may have changed.
    fn revision(&self) -> String {
        let generation = self.workload["metadata"]["generation"].as_u64().unwrap_or(0);
        format!("generation {generation} of {}", self.current.as_deref().unwrap_or("a template without pods"))
    }

    /// A condition that says that the rollout has failed, with what it was about.
    fn failure(&self) -> Option<String> {
        let conditions = self.workload["status"]["conditions"].as_array()?;
        let bad = conditions.iter().find(|condition| {
            let is = |kind: &str, status: &str| condition["type"] == kind && condition["status"] == status;
            is("Progressing", "False") || is("ReplicaFailure", "True")
        })?;
        let text = |name: &str| bad[name].as_str().unwrap_or_default();
        Some(escape(first(&format!("{}: {}", text("reason"), text("message")), 400)))
    }
}

impl Kubernetes {
    /// Looks at the spec; connects to nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(service: &ServiceName, spec: &KubernetesSpec) -> Result<Self, PlatformError> {
        let (name, is_rollout) = match (&spec.deployment, &spec.rollout) {
            (Some(name), None) => (name, false),
            (None, Some(name)) => (name, true),
            _ => {
                return Err(PlatformError::Permanent(format!(
                    "service `{service}`: give it a `deployment` or a `rollout`, one of the two"
                )));
            }
        };
        Ok(Self { spec: spec.clone(), name: name.clone(), is_rollout, api: Api::new(spec) })
    }

    /// The label by which the controller tells ReplicaSets apart.
    const fn label(&self) -> &'static str {
        if self.is_rollout { "rollouts-pod-template-hash" } else { "pod-template-hash" }
    }

    const fn kind(&self) -> &'static str {
        if self.is_rollout { "Rollout" } else { "Deployment" }
    }

    fn path(&self) -> String {
        let (group, kind) =
            if self.is_rollout { ("argoproj.io/v1alpha1", "rollouts") } else { ("apps/v1", "deployments") };
        format!("/apis/{group}/namespaces/{}/{kind}/{}", self.spec.namespace, self.name)
    }

    async fn see(&self) -> Result<Seen, PlatformError> {
        let what = format!("read the {} {}", self.kind(), self.name);
        let workload = self.api.get(&what, &self.path()).await?;
        let selector = selector(&workload);
        let path = format!("/apis/apps/v1/namespaces/{}/replicasets", self.spec.namespace);
        let sets = self.api.list("list the ReplicaSets", &path, &selector).await?;
        let uid = &workload["metadata"]["uid"];
        let annotation = if self.is_rollout {
            "rollout.argoproj.io/revision"
        } else {
            "deployment.kubernetes.io/revision"
        };
        let mut sets: Vec<Set> = sets
            .into_iter()
            .filter(|set| {
                let owners = set["metadata"]["ownerReferences"].as_array();
                owners.is_some_and(|owners| owners.iter().any(|owner| &owner["uid"] == uid))
            })
            .filter_map(|object| {
                let hash = object["metadata"]["labels"][self.label()].as_str()?.to_owned();
                let revision = object["metadata"]["annotations"][annotation].as_str();
                Some(Set {
                    hash,
                    revision: revision.and_then(|revision| revision.parse().ok()).unwrap_or(0),
                    ready: object["status"]["readyReplicas"].as_u64().unwrap_or(0),
                    object,
                })
            })
            .collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.revision));
        let template = patch::template(&workload, self.label());
        let same = sets.iter().find(|set| patch::template(&set.object, self.label()) == template);
        let current = same.map(|set| set.hash.clone()).or_else(|| {
            let status = workload["status"]["currentPodHash"].as_str();
            status.map(str::to_owned)
        });
        Ok(Seen { workload, sets, current })
    }

    fn version(&self, set: &Set) -> String {
        let containers = set.object["spec"]["template"]["spec"]["containers"].as_array();
        let wanted = |container: &&Value| {
            self.spec.container.as_ref().is_none_or(|name| container["name"].as_str() == Some(name))
        };
        let image = containers.and_then(|containers| containers.iter().find(wanted)?["image"].as_str());
        escape(&image.map_or_else(|| set.hash.clone(), image::version))
    }

    /// Gives the workload the template of a ReplicaSet. What only moves in its status is no reason to stop; a changed spec is.
    async fn undo(&self, target: &str, mut seen: Seen, call: &Call) -> Result<(), PlatformError> {
        let revision = seen.revision();
        let mut attempt = 0;
        loop {
            let set = seen.set(target).ok_or_else(|| {
                PlatformError::Permanent(format!(
                    "there is no ReplicaSet with the template {} any more; `revisionHistoryLimit` says how many are kept",
                    escape(target)
                ))
            })?;
            let patch = patch::rollback(&seen.workload, &set.object, self.label());
            let what = format!("patch the {} {}", self.kind(), self.name);
            let Err(refused) = self.api.patch(&what, &self.path(), JSON_PATCH, &patch).await else {
                call.progress.line(&format!("{} has the template {} again", self.name, set.hash));
                return Ok(());
            };
            // A failed test of the resourceVersion is said with 422 and without a cause.
            let is_conflict = matches!(refused.status, Some(409 | 422)) && !refused.has_causes;
            if !is_conflict {
                return Err(refused.into());
            }
            if attempt >= CONFLICTS {
                return Err(PlatformError::Transient(format!(
                    "{}; it changes faster than it can be patched",
                    refused.error
                )));
            }
            attempt += 1;
            sleep(Duration::from_millis(100 << attempt)).await;
            seen = self.see().await?;
            self.require(&seen, &revision)?;
        }
    }

    fn require(&self, seen: &Seen, expected: &str) -> Result<(), PlatformError> {
        let now = seen.revision();
        if now == expected {
            return Ok(());
        }
        Err(PlatformError::Transient(format!(
            "the {} was changed meanwhile: {now} where it was {expected}",
            self.kind()
        )))
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let seen = self.see().await?;
        if let Some(expected) = &call.revision {
            self.require(&seen, expected)?;
        }
        let target = release.as_str();
        if seen.is_paused() {
            return Err(PlatformError::Permanent(format!(
                "the {} is paused: it would take the change and roll nothing; resume it first (`kubectl{} resume {}`)",
                self.kind(),
                if self.is_rollout { " argo rollouts" } else { " rollout" },
                self.name
            )));
        }
        if self.is_rollout {
            return self.restore_rollout(target, seen, call).await;
        }
        if seen.current.as_deref() == Some(target) {
            return Ok(format!("{} has this template already", self.name));
        }
        self.undo(target, seen, call).await?;
        Ok(format!("{} rolls back", self.name))
    }

    async fn restore_rollout(&self, target: &str, seen: Seen, call: &Call) -> Result<String, PlatformError> {
        if seen.workload["spec"]["workloadRef"].is_object() {
            return Err(PlatformError::Permanent(
                "the Rollout takes its template from another object (`workloadRef`), which unship does not change"
                    .to_owned(),
            ));
        }
        let stable = seen.workload["status"]["stableRS"].as_str().unwrap_or_default().to_owned();
        if seen.current.as_deref() == Some(target) {
            if stable == target {
                return Ok(format!("{} has this template already", self.name));
            }
            self.set_status("promote it fully", &json!({ "promoteFull": true }), call).await?;
            return Ok("the canary gets everything".to_owned());
        }
        let is_back = stable == target;
        if is_back && seen.workload["status"]["abort"] != json!(true) {
            // The traffic goes back at once; the spec still has the bad template until it is patched.
            self.set_status("abort it", &json!({ "abort": true }), call).await?;
        }
        self.undo(target, seen, call).await?;
        if is_back {
            return Ok("the canary was aborted, and the stable template is back".to_owned());
        }
        let until = Instant::now() + OBSERVES;
        loop {
            let now = self.see().await?;
            if now.is_observed() && now.workload["status"]["currentPodHash"].as_str() == Some(target) {
                break;
            }
            if Instant::now() >= until {
                return Ok("it goes back by the steps of its strategy: the controller has not observed the change in time".to_owned());
            }
            sleep(Duration::from_millis(500)).await;
        }
        self.set_status("skip the steps", &json!({ "promoteFull": true }), call).await?;
        Ok("it goes back without the steps of its strategy".to_owned())
    }

    /// Argo's verbs are fields of the status, taken only at its subresource.
    async fn set_status(&self, what: &str, status: &Value, call: &Call) -> Result<(), PlatformError> {
        let path = format!("{}/status", self.path());
        self.api.patch(what, &path, MERGE_PATCH, &json!({ "status": status })).await?;
        call.progress.line(&format!("{}: {what}", self.name));
        Ok(())
    }

    /// Where the traffic goes: by Argo's weights where there is a canary, else by what is ready.
    fn traffic(&self, seen: &Seen) -> Vec<Share> {
        let current = seen.current.as_deref();
        if self.is_rollout {
            let status = &seen.workload["status"];
            let weight = status["canary"]["weights"]["canary"]["weight"].as_u64();
            let stable = status["stableRS"].as_str().filter(|stable| !stable.is_empty());
            if let (Some(weight), Some(stable), Some(current)) = (weight, stable, current)
                && stable != current
            {
                let percent = u8::try_from(weight.min(100)).unwrap_or(100);
                return vec![
                    Share { reference: stable.into(), arm: Arm::Stable, percent: 100 - percent },
                    Share { reference: current.into(), arm: Arm::Canary, percent },
                ];
            }
        }
        let first = current.map(|hash| (hash, seen.set(hash).map_or(0, |set| set.ready)));
        let others = seen.sets.iter().filter(|set| Some(set.hash.as_str()) != current);
        let counts: Vec<_> =
            first.into_iter().chain(others.map(|set| (set.hash.as_str(), set.ready))).collect();
        shares::by_count(&counts)
    }
}

#[async_trait]
impl Platform for Kubernetes {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            restore: true,
            logs: true,
            instances: true,
            scale: true,
            variables: true,
            ..Capabilities::default()
        }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let seen = self.see().await?;
        let mut releases: Vec<Release> = seen
            .sets
            .iter()
            .map(|set| Release {
                version: self.version(set).as_str().into(),
                reference: set.hash.as_str().into(),
                created_at: set.object["metadata"]["creationTimestamp"]
                    .as_str()
                    .and_then(|at| at.parse().ok())
                    .unwrap_or(Timestamp::UNIX_EPOCH),
                author: None,
                schema: None,
                running: set.ready > 0,
            })
            .collect();
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        let status = &seen.workload["status"];
        let is_healthy = !self.is_rollout || status["phase"].as_str() == Some("Healthy");
        let failed = match (self.is_rollout, status["phase"].as_str()) {
            (true, Some("Degraded")) => {
                let why = status["message"].as_str().unwrap_or("Degraded");
                Some(format!(
                    "generation {}: {}",
                    seen.workload["metadata"]["generation"],
                    escape(first(why, 400))
                ))
            }
            // Of a generation that the controller has not seen yet the conditions say nothing.
            _ if !seen.is_observed() => None,
            _ => seen.failure(),
        };
        Ok(Inventory {
            traffic: self.traffic(&seen),
            settled: seen.is_complete() && is_healthy && !seen.is_paused(),
            failed,
            instances: u32::try_from(seen.desired()).ok(),
            revision: Some(seen.revision()),
            releases,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::ShiftTraffic { .. } => {
                Err(cannot(action, "pods share the traffic by their number"))
            }
            PlatformAction::Deploy { .. } => {
                Err(cannot(action, "the controller replaces pods as it moves traffic"))
            }
            PlatformAction::Maintenance { .. } => Err(cannot(action, "there is no such page")),
            PlatformAction::Purge => Err(cannot(action, "there is no cache")),
            PlatformAction::Scale { instances } => self.scale(*instances, call).await,
            PlatformAction::Remove { .. } => {
                Err(cannot(action, "`revisionHistoryLimit` says how many ReplicaSets are kept"))
            }
            PlatformAction::Stop { .. } => {
                Err(cannot(action, "the controller stops the pods that it replaces by itself"))
            }
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let mut push = |what: String, outcome: CheckOutcome| checks.push(Check { what, outcome });
        let (group, resource) =
            if self.is_rollout { ("argoproj.io", "rollouts") } else { ("apps", "deployments") };
        let mut needed =
            vec![("patch", group, resource, ""), ("list", "", "pods", ""), ("get", "", "pods", "log")];
        if self.is_rollout {
            needed.push(("patch", group, resource, "status"));
        }
        needed.push(("patch", group, resource, "scale"));
        for (verb, group, resource, sub) in needed {
            let name = if sub.is_empty() { resource.to_owned() } else { format!("{resource}/{sub}") };
            let outcome = match self.api.may(verb, group, resource, sub).await {
                Ok(true) => CheckOutcome::Passed("allowed".to_owned()),
                Ok(false) if sub == "scale" => CheckOutcome::Warning(format!(
                    "`unship scale` would need a Role in `{}` that allows `{verb}` on `{name}` of the group \"{group}\"",
                    self.spec.namespace
                )),
                Ok(false) => CheckOutcome::Failed(format!(
                    "a Role in `{}` has to allow `{verb}` on `{name}` of the group \"{group}\"",
                    self.spec.namespace
                )),
                Err(refused) => CheckOutcome::Unknown(refused.error.to_string()),
            };
            push(format!("permission to {verb} {name}"), outcome);
        }
        if let Ok(seen) = self.see().await {
            let metadata = &seen.workload["metadata"];
            let (labels, notes) = (&metadata["labels"], &metadata["annotations"]);
            let owner = if notes["argocd.argoproj.io/tracking-id"].is_string()
                || labels["argocd.argoproj.io/instance"].is_string()
            {
                Some("Argo CD")
            } else if labels["kustomize.toolkit.fluxcd.io/name"].is_string()
                || labels["helm.toolkit.fluxcd.io/name"].is_string()
            {
                Some("Flux")
            } else if labels["app.kubernetes.io/managed-by"] == "Helm" {
                Some("Helm")
            } else {
                None
            };
            push(
                "nothing puts the old state back".to_owned(),
                match owner {
                    Some(owner) => CheckOutcome::Warning(format!(
                        "{owner} made this {}, and puts the bad release back when it next applies what it knows: take the release back there too",
                        self.kind()
                    )),
                    None => CheckOutcome::Passed("no mark of Argo CD, Flux or Helm".to_owned()),
                },
            );
            let kept = seen.workload["spec"]["revisionHistoryLimit"].as_u64().unwrap_or(10);
            push(
                "there is a history".to_owned(),
                if kept == 0 {
                    CheckOutcome::Failed(
                        "`revisionHistoryLimit` is 0: there is nothing to go back to".to_owned(),
                    )
                } else {
                    CheckOutcome::Passed(format!("{kept} older ReplicaSets are kept"))
                },
            );
            match self.autoscaler().await {
                Ok(None) => {}
                Ok(Some(scaler)) => push(
                    "unship may say how many pods run".to_owned(),
                    CheckOutcome::Warning(format!(
                        "{scaler} says how many: `unship scale` is refused, and its limits are the ones to change"
                    )),
                ),
                Err(error) => push(
                    "unship may say how many pods run".to_owned(),
                    CheckOutcome::Unknown(format!("{error}; an autoscaler would put the number back")),
                ),
            }
            if seen.is_paused() {
                let text = format!("the {} is paused: nothing rolls until it is resumed", self.kind());
                push("it is not paused".to_owned(), CheckOutcome::Warning(text));
            }
        }
        checks
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        self.pods().await
    }

    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        let what = format!("read the {} {}", self.kind(), self.name);
        Ok(variables::of(&self.api.get(&what, &self.path()).await?))
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        self.follow(query, out).await
    }
}
