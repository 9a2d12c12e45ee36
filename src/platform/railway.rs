//! Railway: a rollback makes a new deployment of an image that is kept
//! (<https://docs.railway.com/integrations/api/manage-deployments>; the schema is the API's own).
//!
//! | state | call | twice |
//! |---|---|---|
//! | the newest deployment is of the release, and runs or is coming | none | |
//! | anything else | `deploymentRollback(id)` of the release's newest deployment that can be rolled back to | a second deployment of the same image |
//!
//! A deployment's id is not what a rollback goes back to: it makes a new one, and does not say which. So a release is a commit,
//! or an image where there is no commit, and the deployment that comes after the call is known by that; one that says neither is
//! taken for the one asked for as long as this process lives. `REMOVED` is what good deployments become when the next one is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderName;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::rest::{Ask, Auth, Reply, Rest};
use super::serving::{self, Asker};
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, reading, shares};
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, LogLine, LogQuery, PlatformAction, RailwaySpec, Variable,
    VariableValue,
};
use crate::model::release::{Inventory, Release};
use crate::model::secret::{Secret, Secrets};
use crate::model::{ReleaseRef, ServiceName};

/// What is asked for at every reading.
const READ: &str = "query Read($project: String!, $environment: String!, $service: String!) {
  deployments(input: {projectId: $project, environmentId: $environment, serviceId: $service}, first: 50) {
    edges { node { id status createdAt canRollback meta creator { name email } } }
  }
  serviceInstance(environmentId: $environment, serviceId: $service) { activeDeployments { id } }
}";
const ROLL_BACK: &str = "mutation RollBack($id: String!) { deploymentRollback(id: $id) }";
const AUTO: &str = "query Auto($project: String!, $environment: String!, $service: String!) {
  serviceInstanceAutoDeployStatus(projectId: $project, environmentId: $environment, serviceId: $service) { enabled }
}";
const LOGS: &str = "query Logs($id: String!, $limit: Int, $from: DateTime) {
  deploymentLogs(deploymentId: $id, limit: $limit, startDate: $from) { timestamp message }
}";
const VARIABLES: &str = "query Variables($project: String!, $environment: String!, $service: String!) {
  variables(projectId: $project, environmentId: $environment, serviceId: $service, unrendered: true)
}";

/// Time between two questions for the log.
const PAUSE: Duration = Duration::from_secs(3);
/// Most lines of one question.
const LINES: u32 = 5000;

/// A service on Railway.
#[derive(Debug)]
pub struct Railway {
    spec: RailwaySpec,
    rest: Rest,
    asker: Asker,
    /// What was asked for last, and when the newest deployment before that was made.
    asked: Mutex<Option<(Timestamp, String)>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deployment {
    id: String,
    status: String,
    created_at: Timestamp,
    #[serde(default)]
    can_rollback: bool,
    #[serde(default)]
    meta: Option<Value>,
    creator: Option<Creator>,
}

#[derive(Clone, Debug, Deserialize)]
struct Creator {
    name: Option<String>,
    #[serde(default)]
    email: String,
}

impl Deployment {
    fn said(&self, name: &str) -> Option<&str> {
        self.meta.as_ref()?[name].as_str().filter(|text| !text.is_empty())
    }

    /// What it is a deployment of, if it says.
    fn identity(&self) -> Option<&str> {
        ["commitHash", "imageDigest", "image"].into_iter().find_map(|name| self.said(name))
    }

    fn is_coming(&self) -> bool {
        matches!(
            self.status.as_str(),
            "BUILDING" | "DEPLOYING" | "INITIALIZING" | "NEEDS_APPROVAL" | "QUEUED" | "WAITING"
        )
    }

    fn has_failed(&self) -> bool {
        matches!(self.status.as_str(), "FAILED" | "CRASHED")
    }
}

/// One reading, the newest deployment first.
struct Seen {
    deployments: Vec<(Deployment, String)>,
    active: BTreeSet<String>,
}

impl Railway {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(
        service: &ServiceName,
        spec: &RailwaySpec,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let auth = match &spec.project_token {
            Some(reference) => {
                let token = secrets.get(reference).ok_or_else(|| {
                    wrong(format!("`project_token`: the secret `{reference}` was not read"))
                })?;
                let name = HeaderName::from_static("project-access-token");
                Auth::header(name, token.expose().trim())
                    .map_err(|reason| wrong(format!("`project_token`: the secret `{reference}` {reason}")))?
            }
            None => {
                Auth::token(spec.token.as_ref(), spec.token_command.as_deref(), secrets).map_err(wrong)?
            }
        };
        let rest = Rest::new(&spec.base_url, auth, Arc::clone(secrets))
            .map_err(|reason| wrong(format!("`base_url`: {reason}")))?;
        Ok(Self { rest, asker: Asker::new(), spec: spec.clone(), asked: Mutex::default() })
    }

    fn place(&self) -> Value {
        json!({
            "project": self.spec.project, "environment": self.spec.environment, "service": self.spec.service,
        })
    }

    async fn query<T: DeserializeOwned>(
        &self,
        what: &str,
        query: &str,
        variables: &Value,
    ) -> Result<T, PlatformError> {
        let body = json!({ "query": query, "variables": variables });
        let reply = self.rest.ask(&Ask::new(Method::POST, what, []).body(&body)).await?;
        if !reply.status.is_success() {
            return Err(PlatformError::Permanent(reply.reason()));
        }
        let mut answer: Value = reply.json()?;
        if let Some(refusal) = refusal(what, &answer, &self.rest) {
            return Err(refusal);
        }
        serde_json::from_value(answer["data"].take()).map_err(|error| {
            PlatformError::Transient(format!(
                "could not {what}: the answer is not what was expected ({error})"
            ))
        })
    }

    async fn see(&self) -> Result<Seen, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read {
            deployments: Edges,
            service_instance: Instance,
        }
        #[derive(Deserialize)]
        struct Edges {
            edges: Vec<Edge>,
        }
        #[derive(Deserialize)]
        struct Edge {
            node: Deployment,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Instance {
            active_deployments: Vec<Active>,
        }
        #[derive(Deserialize)]
        struct Active {
            id: String,
        }
        let read: Read = self.query("read the deployments", READ, &self.place()).await?;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut deployments: Vec<_> = read
            .deployments
            .edges
            .into_iter()
            .map(|edge| {
                let node = edge.node;
                let is_asked = |(before, _): &&(Timestamp, String)| node.created_at > *before;
                let identity = match (node.identity(), asked.as_ref().filter(is_asked)) {
                    (Some(identity), _) => identity.to_owned(),
                    (None, Some((_, identity))) => identity.clone(),
                    (None, None) => node.id.clone(),
                };
                (node, identity)
            })
            .collect();
        deployments.sort_by_key(|(deployment, _)| std::cmp::Reverse(deployment.created_at));
        let active = read.service_instance.active_deployments.into_iter().map(|active| active.id).collect();
        Ok(Seen { deployments, active })
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let seen = self.see().await?;
        let target = release.as_str();
        let newest = seen.deployments.first();
        // The API takes no precondition: the nearest is to look right before. What an earlier attempt has made is no surprise.
        let is_ours =
            newest.is_some_and(|(deployment, identity)| identity == target && !deployment.has_failed());
        if is_ours {
            return Ok("the newest deployment is of it already".to_owned());
        }
        let id = newest.map(|(deployment, _)| deployment.id.as_str());
        if let Some(expected) = call.revision.as_deref().filter(|expected| Some(*expected) != id) {
            return Err(PlatformError::Transient(format!(
                "there is a newer deployment meanwhile: {} where {expected} was read",
                escape(id.unwrap_or("none"))
            )));
        }
        let is_it = |(_, identity): &&(Deployment, String)| identity == target;
        let Some((kept, _)) =
            seen.deployments.iter().filter(is_it).find(|(deployment, _)| deployment.can_rollback)
        else {
            return Err(PlatformError::Permanent(format!(
                "no deployment of {} can be rolled back to: Railway keeps images for 1 to 15 days by plan",
                escape(target)
            )));
        };
        let body = json!({ "query": ROLL_BACK, "variables": { "id": kept.id } });
        let what = "roll back";
        if let Some((deployment, _)) = newest {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            *asked = Some((deployment.created_at, target.to_owned()));
        }
        let reply = self.rest.act(&Ask::new(Method::POST, what, []).body(&body)).await?;
        call.progress.line(&format!("deploymentRollback {} … {}", escape(&kept.id), reply.status.as_u16()));
        self.taken(what, reply)?;
        Ok(format!("Railway deploys the image of {} again", escape(first(&kept.id, 8))))
    }

    /// Whether a mutation was taken. Its refusal comes with 200.
    fn taken(&self, what: &str, reply: Reply) -> Result<(), PlatformError> {
        let reply = reply.taken()?;
        let answer: Value = reply.done()?;
        match refusal(what, &answer, &self.rest) {
            // For a reading this may be tried again; here nobody knows how far it got.
            Some(PlatformError::Transient(reason)) => Err(PlatformError::Unclear(reason)),
            Some(error) => Err(error),
            None if answer["data"]["deploymentRollback"] == json!(true) => Ok(()),
            None => {
                Err(PlatformError::Permanent(format!("could not {what}: Railway said no, without a reason")))
            }
        }
    }
}

/// The errors inside an answer.
fn refusal(what: &str, answer: &Value, rest: &Rest) -> Option<PlatformError> {
    let errors = answer["errors"].as_array().filter(|errors| !errors.is_empty())?;
    let said: Vec<_> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
    let said = rest.safe(&said.join("; "));
    let reason = format!("could not {what}: {said}");
    let hint = "; the token is wrong, has expired, or is not for this project and environment";
    Some(match said.as_str() {
        _ if said.contains("Not Authorized") => PlatformError::Permanent(format!("{reason}{hint}")),
        _ if said.contains("Problem processing request") || said.to_lowercase().contains("rate limit") => {
            PlatformError::Transient(reason)
        }
        _ => PlatformError::Permanent(reason),
    })
}

/// What people call a deployment: its tag or its commit, else its id.
fn version(deployment: &Deployment, identity: &str) -> String {
    let image = deployment.said("image").map(super::image::version);
    escape(&match (deployment.said("commitHash"), image) {
        (Some(commit), _) => first(commit, 7).to_owned(),
        (None, Some(tag)) => tag,
        (None, None) => first(identity, 12).to_owned(),
    })
}

#[async_trait]
impl Platform for Railway {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, logs: true, ..Capabilities::default() }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: false }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let (seen, said) = tokio::try_join!(self.see(), self.asker.said(self.spec.serving.as_ref()))?;
        let newest = seen.deployments.first();
        let mut releases: Vec<Release> = Vec::new();
        for (deployment, identity) in &seen.deployments {
            let serves = seen.active.contains(&deployment.id);
            if let Some(known) = releases.iter_mut().find(|known| known.reference.as_str() == identity) {
                known.running |= serves;
            } else if serves || (deployment.can_rollback && !deployment.has_failed()) {
                let creator = deployment.creator.as_ref();
                releases.push(Release {
                    version: version(deployment, identity).as_str().into(),
                    reference: identity.as_str().into(),
                    created_at: deployment.created_at,
                    author: creator.map(|creator| escape(creator.name.as_deref().unwrap_or(&creator.email))),
                    schema: None,
                    running: serves,
                });
            }
        }
        let mut active =
            seen.deployments.iter().filter(|(deployment, _)| seen.active.contains(&deployment.id));
        let live: Option<ReleaseRef> = match said {
            None => active.next().map(|(_, identity)| identity.as_str().into()),
            Some(said) => Some(serving::release(&releases, said)?),
        };
        Ok(Inventory {
            traffic: shares::all_to(live),
            settled: seen.active.len() <= 1 && newest.is_none_or(|(newest, _)| !newest.is_coming()),
            failed: newest.filter(|(newest, _)| newest.has_failed()).map(|(newest, identity)| {
                format!(
                    "deployment {} of {} is {}",
                    escape(first(&newest.id, 8)),
                    version(newest, identity),
                    escape(&newest.status)
                )
            }),
            revision: newest.map(|(newest, _)| newest.id.clone()),
            releases,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::ShiftTraffic { .. } => Err(cannot(action, "Railway serves one deployment")),
            PlatformAction::Deploy { .. } => Err(cannot(action, "Railway builds from git or an image")),
            PlatformAction::Maintenance { .. } => Err(cannot(action, "Railway has no such page")),
            PlatformAction::Purge => Err(cannot(action, "Railway has no cache")),
            PlatformAction::Scale { .. } => {
                Err(cannot(action, "on Railway the number of replicas changes with a new deployment"))
            }
            PlatformAction::Stop { .. } | PlatformAction::Remove { .. } => {
                Err(cannot(action, "Railway removes what it replaces by itself"))
            }
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let mut push =
            |what: &str, outcome: CheckOutcome| checks.push(Check { what: what.to_owned(), outcome });
        let auto = self.query::<Value>("read whether git pushes are deployed", AUTO, &self.place()).await;
        push(
            "nothing deploys over a rollback",
            match auto {
                Ok(auto) if auto["serviceInstanceAutoDeployStatus"]["enabled"] == json!(true) => CheckOutcome::Warning(
                    "the next push to git is deployed over a rollback: switch auto-deploy off while an incident lasts"
                        .to_owned(),
                ),
                Ok(_) => CheckOutcome::Passed("auto-deploy is off".to_owned()),
                Err(error) => CheckOutcome::Unknown(error.to_string()),
            },
        );
        push(
            "deployments name what they run",
            match self.see().await {
                Ok(seen) if seen.deployments.iter().any(|(deployment, _)| deployment.identity().is_none()) => {
                    CheckOutcome::Warning(
                        "some deployments have neither commit nor image in their `meta`: set `serving`, so that unship knows after a restart what was rolled back to"
                            .to_owned(),
                    )
                }
                Ok(_) => CheckOutcome::Passed("each has a commit or an image".to_owned()),
                Err(error) => CheckOutcome::Failed(error.to_string()),
            },
        );
        push(
            "permission to roll back",
            CheckOutcome::Unknown(
                "Railway has no call that tells; a token of the project may, one that only reads may not"
                    .to_owned(),
            ),
        );
        checks
    }

    /// As they are set: a reference to another service's variable is one. Sealed ones Railway tells nobody.
    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        #[derive(Deserialize)]
        struct Read {
            variables: BTreeMap<String, Value>,
        }
        let what = "read the environment variables";
        let read: Read = self.query(what, VARIABLES, &self.place()).await?;
        let variable = |(name, value): (String, Value)| {
            let Value::String(value) = value else { return None };
            // Words around a reference may be a secret, so that only a reference alone is one to be shown.
            let is_reference = value.starts_with("${{") && value.find("}}") == Some(value.len() - 2);
            let value = if is_reference {
                VariableValue::From(value)
            } else {
                VariableValue::Plain(Secret::new(value))
            };
            Some(Variable { container: None, name, value })
        };
        Ok(read.variables.into_iter().filter_map(variable).collect())
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Read {
            deployment_logs: Vec<Line>,
        }
        #[derive(Deserialize)]
        struct Line {
            timestamp: String,
            message: String,
        }
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        let mut from = query.since;
        let mut limit = query.tail.clamp(1, LINES);
        let mut followed = String::new();
        let mut is_first = true;
        loop {
            let now = self.see().await;
            // What is followed goes on when the network is back.
            let deployment = match now {
                Ok(seen) => {
                    let is_active =
                        |(deployment, _): &&(Deployment, String)| seen.active.contains(&deployment.id);
                    seen.deployments.iter().find(is_active).map(|(deployment, _)| deployment.id.clone())
                }
                Err(PlatformError::Transient(_)) if query.follow && !is_first => Some(followed.clone()),
                Err(error) => return Err(error),
            };
            let Some(deployment) = deployment else {
                return Err(PlatformError::Permanent("no deployment is active".to_owned()));
            };
            if followed != deployment {
                followed.clone_from(&deployment);
                seen.clear();
            }
            let variables = json!({ "id": deployment, "limit": limit, "from": from });
            let lines = match self.query::<Read>("read the log", LOGS, &variables).await {
                Ok(read) => read.deployment_logs,
                Err(PlatformError::Transient(_)) if query.follow && !is_first => Vec::new(),
                Err(error) => return Err(error),
            };
            let mut lines: Vec<_> = lines
                .into_iter()
                .filter(|line| seen.insert((line.timestamp.clone(), line.message.clone())))
                .map(|line| LogLine {
                    at: line.timestamp.parse().ok(),
                    instance: first(&deployment, 8).to_owned(),
                    text: line.message.trim_end().to_owned(),
                })
                .collect();
            lines.sort_by_key(|line| line.at);
            // The last second is read again: lines of the same time may come later.
            let newest = lines.iter().filter_map(|line| line.at).max();
            from = newest.and_then(|at| at.checked_sub(Duration::from_secs(1)).ok()).or(from);
            if seen.len() > 2 * LINES as usize {
                let keep = seen.len() - LINES as usize;
                seen = seen.into_iter().skip(keep).collect();
            }
            for line in lines {
                if out.send(line).await.is_err() {
                    return Ok(());
                }
            }
            if !query.follow {
                return Ok(());
            }
            is_first = false;
            limit = LINES;
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = out.closed() => return Ok(()),
            }
        }
    }
}
