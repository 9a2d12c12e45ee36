//! The calls of ECS: JSON 1.1 over `POST`, signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::PlatformError;
use super::super::rest::{Ask, Auth, Reply, Rest};
use super::super::text::escape;
use super::{Ecs, logs, short};
use crate::aws::Signer;
use crate::model::platform::{EcsSpec, Instance, Variable, VariableValue};
use crate::model::secret::{Secret, Secrets};

/// What the version of the API is called in requests.
const TARGET: &str = "AmazonEC2ContainerServiceV20141113";
/// Service revisions of one call.
const REVISIONS: usize = 20;
/// Tasks of one call.
const TASKS: usize = 100;

/// A signed API of AWS that speaks JSON 1.1.
#[derive(Debug)]
pub(super) struct Json {
    rest: Rest,
    target: &'static str,
}

impl Json {
    /// `service` is its name in signatures and addresses.
    pub(super) fn new(
        spec: &EcsSpec,
        service: &str,
        endpoint: Option<&str>,
        target: &'static str,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, String> {
        let origin = crate::aws::origin(spec.profile.as_deref(), spec.keys.as_ref(), secrets)?;
        let signer = Signer::new(service, &spec.region, origin);
        let own = crate::aws::endpoint(service, &spec.region);
        let rest = Rest::new(endpoint.unwrap_or(&own), Auth::Aws(signer), Arc::clone(secrets))
            .map_err(|reason| format!("`endpoint`: {reason}"))?;
        Ok(Self { rest, target })
    }

    fn ask<'a>(&self, what: &'a str, operation: &str, body: &'a Value) -> Result<Ask<'a>, PlatformError> {
        let target = HeaderValue::from_str(&format!("{}.{operation}", self.target))
            .map_err(|_| PlatformError::Permanent(format!("{operation} is no operation of AWS")))?;
        Ok(Ask::new(Method::POST, what, [])
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"))
            .header(HeaderName::from_static("x-amz-target"), target)
            .body(body))
    }

    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        operation: &str,
        body: &Value,
    ) -> Result<T, PlatformError> {
        let reply = self.rest.ask(&self.ask(what, operation, body)?).await?;
        if reply.status.is_success() { reply.json() } else { Err(refusal(&reply)) }
    }

    async fn act(&self, what: &str, operation: &str, body: &Value) -> Result<(), PlatformError> {
        let reply = self.rest.act(&self.ask(what, operation, body)?).await?;
        if reply.status.is_client_error() {
            return Err(refusal(&reply));
        }
        reply.taken().map(drop)
    }
}

/// AWS says with 400 what others say with 429, and with 400 what others say with 403.
fn refusal(reply: &Reply) -> PlatformError {
    let reason = reply.reason();
    let is = |name: &str| reply.body.contains(name);
    if is("Throttling") || is("TooManyRequests") {
        return PlatformError::Transient(reason);
    }
    if is("AccessDenied") {
        return PlatformError::Permanent(format!("{reason}; the credentials lack this permission"));
    }
    PlatformError::Permanent(reason)
}

/// A service as ECS describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Service {
    #[serde(default)]
    pub(super) task_definition: String,
    #[serde(default)]
    status: String,
    #[serde(default, rename = "desiredCount")]
    pub(super) desired: u64,
    #[serde(default)]
    pub(super) deployments: Vec<Deployment>,
    deployment_controller: Option<Controller>,
    deployment_configuration: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Controller {
    #[serde(rename = "type", default)]
    kind: String,
}

/// One of its deployments that still has tasks; the primary one comes first.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deployment {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    status: String,
    pub(super) task_definition: String,
    #[serde(default, rename = "runningCount")]
    pub(super) running: u64,
    #[serde(rename = "rolloutState")]
    pub(super) rollout: Option<String>,
    #[serde(rename = "rolloutStateReason")]
    pub(super) reason: Option<String>,
}

impl Service {
    pub(super) fn primary(&self) -> Result<&Deployment, PlatformError> {
        self.deployments.first().ok_or_else(|| {
            PlatformError::Permanent(format!(
                "the service has no deployment (its status is {})",
                escape(&self.status)
            ))
        })
    }

    /// Who makes the deployments, if it is not ECS.
    pub(super) fn foreign_controller(&self) -> Option<&str> {
        let controller = self.deployment_controller.as_ref()?;
        (!matches!(controller.kind.as_str(), "" | "ECS")).then_some(controller.kind.as_str())
    }

    pub(super) fn breaker_rolls_back(&self) -> bool {
        let rolls = |value: &Value| value.pointer("/deploymentCircuitBreaker/rollback") == Some(&json!(true));
        self.deployment_configuration.as_ref().is_some_and(rolls)
    }
}

/// A past or running deployment in the records.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceDeployment {
    #[serde(rename = "serviceDeploymentArn")]
    pub(super) arn: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(rename = "statusReason")]
    pub(super) reason: Option<String>,
    created_at: Option<f64>,
    #[serde(rename = "targetServiceRevision")]
    pub(super) target: Option<Revision>,
    #[serde(default, rename = "sourceServiceRevisions")]
    pub(super) sources: Vec<Revision>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Revision {
    pub(super) arn: String,
}

impl ServiceDeployment {
    /// Whether it did not become what serves. What is not known yet is no failure.
    pub(super) fn ended_badly(&self) -> bool {
        self.status.starts_with("ROLLBACK") || self.status.starts_with("STOP")
    }

    pub(super) fn created(&self) -> String {
        self.created_at.map_or_else(|| "unknown time".to_owned(), |at| time(at).to_string())
    }
}

/// What a task runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskDefinition {
    #[serde(default)]
    pub(super) status: String,
    registered_at: Option<f64>,
    pub(super) registered_by: Option<String>,
    #[serde(default, rename = "containerDefinitions")]
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    #[serde(default)]
    name: String,
    #[serde(default)]
    image: String,
    essential: Option<bool>,
    log_configuration: Option<LogConfiguration>,
    #[serde(default)]
    environment: Vec<Setting>,
    #[serde(default)]
    secrets: Vec<SecretSetting>,
    #[serde(default)]
    environment_files: Vec<SettingFile>,
}

/// An environment variable.
#[derive(Clone, Debug, Deserialize)]
struct Setting {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

/// One that ECS fills in from a store of secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretSetting {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value_from: String,
}

/// A file of them in S3.
#[derive(Clone, Debug, Deserialize)]
struct SettingFile {
    #[serde(default)]
    value: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogConfiguration {
    #[serde(default)]
    log_driver: String,
    #[serde(default)]
    options: BTreeMap<String, String>,
}

impl TaskDefinition {
    fn container(&self, name: Option<&str>) -> Option<&Container> {
        match name {
            Some(name) => self.containers.iter().find(|container| container.name == name),
            None => self.containers.iter().find(|container| container.essential != Some(false)),
        }
    }

    pub(super) fn image(&self, container: Option<&str>) -> Option<&str> {
        self.container(container).map(|container| container.image.as_str()).filter(|image| !image.is_empty())
    }

    /// The environment variables of all its containers. What a file has is known to whoever may read the file.
    pub(super) fn variables(&self) -> Vec<Variable> {
        let of = |container: &Container| {
            let variable = |name: &str, value| Variable {
                container: Some(container.name.clone()),
                name: name.to_owned(),
                value,
            };
            let plain = container.environment.iter();
            let plain = plain.map(|it| variable(&it.name, VariableValue::Plain(Secret::new(&*it.value))));
            let secret = container.secrets.iter();
            let secret = secret.map(|it| variable(&it.name, VariableValue::From(it.value_from.clone())));
            let files = container.environment_files.iter();
            let files = files.map(|it| variable("*", VariableValue::From(it.value.clone())));
            plain.chain(secret).chain(files).collect::<Vec<_>>()
        };
        self.containers.iter().flat_map(of).collect()
    }

    pub(super) fn registered(&self) -> Timestamp {
        self.registered_at.map_or(Timestamp::UNIX_EPOCH, time)
    }

    pub(super) fn log_group(&self, container: Option<&str>) -> Option<logs::Group> {
        let container = self.container(container)?;
        let config = container.log_configuration.as_ref().filter(|config| config.log_driver == "awslogs")?;
        let prefix = config.options.get("awslogs-stream-prefix");
        Some(logs::Group {
            name: config.options.get("awslogs-group")?.clone(),
            prefix: prefix.map(|prefix| format!("{prefix}/{}/", container.name)),
        })
    }
}

/// Seconds since 1970, as AWS writes times.
fn time(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and such a time is refused below")]
    Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A running copy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task {
    #[serde(default, rename = "taskArn")]
    arn: String,
    #[serde(default, rename = "taskDefinitionArn")]
    definition_arn: String,
    #[serde(default)]
    last_status: String,
    health_status: Option<String>,
    started_at: Option<f64>,
}

impl Task {
    pub(super) fn instance(self) -> Instance {
        let health = self.health_status.filter(|health| health != "UNKNOWN");
        Instance {
            name: escape(short(&self.arn)),
            ready: self.last_status == "RUNNING"
                && health.as_deref().is_none_or(|health| health == "HEALTHY"),
            state: escape(&match &health {
                Some(health) => format!("{} {health}", self.last_status),
                None => self.last_status,
            }),
            release: Some(self.definition_arn.as_str().into()),
            restarts: None,
            cpu_cores: None,
            memory_bytes: None,
            since: self.started_at.map(time),
        }
    }
}

/// ECS.
#[derive(Debug)]
pub(super) struct Api(Json);

impl Api {
    pub(super) fn new(spec: &EcsSpec, secrets: &Arc<Secrets>) -> Result<Self, String> {
        Json::new(spec, "ecs", spec.endpoint.as_deref(), TARGET, secrets).map(Self)
    }

    pub(super) async fn service(&self, spec: &EcsSpec) -> Result<Service, PlatformError> {
        #[derive(Deserialize)]
        struct Described {
            #[serde(default)]
            services: Vec<Service>,
            #[serde(default)]
            failures: Vec<Value>,
        }
        let body = json!({ "cluster": spec.cluster, "services": [spec.service] });
        let described: Described = self.0.read("describe the service", "DescribeServices", &body).await?;
        // What is missing is said inside a success.
        let service = described.services.into_iter().next().map(|mut service| {
            service.deployments.sort_by_key(|deployment| deployment.status != "PRIMARY");
            service
        });
        service.ok_or_else(|| {
            let why = described.failures.first().and_then(|failure| failure["reason"].as_str());
            PlatformError::Permanent(format!(
                "cluster `{}` has no service `{}` ({})",
                spec.cluster,
                spec.service,
                escape(why.unwrap_or("MISSING"))
            ))
        })
    }

    /// The newest ones first.
    pub(super) async fn service_deployments(
        &self,
        spec: &EcsSpec,
        most: usize,
    ) -> Result<Vec<ServiceDeployment>, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Brief {
            service_deployment_arn: String,
            created_at: Option<f64>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            service_deployments: Vec<Brief>,
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Described {
            #[serde(default)]
            service_deployments: Vec<ServiceDeployment>,
        }
        let mut body = Ecs::of(spec);
        let mut briefs: Vec<Brief> = Vec::new();
        loop {
            let page: Page =
                self.0.read("list the service's deployments", "ListServiceDeployments", &body).await?;
            let is_empty = page.service_deployments.is_empty();
            briefs.extend(page.service_deployments);
            match page.next_token {
                Some(token) if !is_empty && briefs.len() < most.max(100) => body["nextToken"] = json!(token),
                _ => break,
            }
        }
        briefs.sort_by(|a, b| b.created_at.unwrap_or(0.0).total_cmp(&a.created_at.unwrap_or(0.0)));
        briefs.truncate(most);
        let mut all: Vec<ServiceDeployment> = Vec::new();
        for chunk in briefs.chunks(REVISIONS) {
            let arns: Vec<_> = chunk.iter().map(|brief| brief.service_deployment_arn.as_str()).collect();
            let body = json!({ "serviceDeploymentArns": arns });
            let what = "describe the service's deployments";
            let described: Described = self.0.read(what, "DescribeServiceDeployments", &body).await?;
            all.extend(described.service_deployments);
        }
        all.sort_by(|a, b| b.created_at.unwrap_or(0.0).total_cmp(&a.created_at.unwrap_or(0.0)));
        Ok(all)
    }

    /// The task definition of each service revision.
    pub(super) async fn revisions(&self, arns: &[String]) -> Result<BTreeMap<String, String>, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct One {
            service_revision_arn: String,
            task_definition: Option<String>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Described {
            #[serde(default)]
            service_revisions: Vec<One>,
        }
        let mut all = BTreeMap::new();
        for chunk in arns.chunks(REVISIONS) {
            let body = json!({ "serviceRevisionArns": chunk });
            let what = "describe the service's revisions";
            let described: Described = self.0.read(what, "DescribeServiceRevisions", &body).await?;
            all.extend(
                described
                    .service_revisions
                    .into_iter()
                    .filter_map(|revision| Some((revision.service_revision_arn, revision.task_definition?))),
            );
        }
        Ok(all)
    }

    pub(super) async fn task_definition(&self, arn: &str) -> Result<TaskDefinition, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Described {
            task_definition: TaskDefinition,
        }
        let body = json!({ "taskDefinition": arn });
        let what = format!("describe the task definition {}", short(arn));
        let described: Described = self.0.read(&what, "DescribeTaskDefinition", &body).await?;
        Ok(described.task_definition)
    }

    /// ARNs of the family's active task definitions, the highest revision first.
    pub(super) async fn family(&self, family: &str, most: usize) -> Result<Vec<String>, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Listed {
            #[serde(default)]
            task_definition_arns: Vec<String>,
        }
        let body = json!({ "familyPrefix": family, "status": "ACTIVE", "sort": "DESC", "maxResults": 100 });
        let listed: Listed = self.0.read("list the task definitions", "ListTaskDefinitions", &body).await?;
        let mut arns = listed.task_definition_arns;
        // A prefix is also that of other families.
        arns.retain(|arn| super::family_of(arn) == family);
        arns.sort_by_key(|arn| std::cmp::Reverse(super::number(arn)));
        arns.truncate(most);
        Ok(arns)
    }

    pub(super) async fn update(&self, spec: &EcsSpec, task_definition: &str) -> Result<(), PlatformError> {
        let mut body = Ecs::of(spec);
        body["taskDefinition"] = json!(task_definition);
        self.0.act("update the service", "UpdateService", &body).await
    }

    pub(super) async fn scale(&self, spec: &EcsSpec, tasks: u32) -> Result<(), PlatformError> {
        let mut body = Ecs::of(spec);
        body["desiredCount"] = json!(tasks);
        self.0.act("scale the service", "UpdateService", &body).await
    }

    /// A task definition that is deregistered runs on where it runs, and can be given to no service any more.
    pub(super) async fn deregister(&self, task_definition: &str) -> Result<(), PlatformError> {
        let body = json!({ "taskDefinition": task_definition });
        self.0.act("deregister the task definition", "DeregisterTaskDefinition", &body).await
    }

    pub(super) async fn stop(&self, deployment: &str) -> Result<(), PlatformError> {
        let body = json!({ "serviceDeploymentArn": deployment, "stopType": "ROLLBACK" });
        self.0.act("stop the running deployment", "StopServiceDeployment", &body).await
    }

    pub(super) async fn tasks(&self, spec: &EcsSpec) -> Result<Vec<Task>, PlatformError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            task_arns: Vec<String>,
            next_token: Option<String>,
        }
        #[derive(Deserialize)]
        struct Described {
            #[serde(default)]
            tasks: Vec<Task>,
        }
        let mut body = json!({ "cluster": spec.cluster, "serviceName": spec.service, "maxResults": TASKS });
        let mut all = Vec::new();
        loop {
            let page: Page = self.0.read("list the service's tasks", "ListTasks", &body).await?;
            if page.task_arns.is_empty() {
                return Ok(all);
            }
            let asked = json!({ "cluster": spec.cluster, "tasks": page.task_arns });
            let described: Described =
                self.0.read("describe the service's tasks", "DescribeTasks", &asked).await?;
            all.extend(described.tasks);
            match page.next_token {
                Some(token) => body["nextToken"] = json!(token),
                None => return Ok(all),
            }
        }
    }
}
