//! AWS ECS: a rollback runs a task definition again that has run before
//! (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html>).
//!
//! | state | call | twice |
//! |---|---|---|
//! | the deployment that has to go is still running, and came from the target | `StopServiceDeployment` with `ROLLBACK` | refused with `ConflictException`, then as below |
//! | anything else | `UpdateService` with the task definition's ARN | the same task definition starts nothing |
//!
//! Done is one deployment, of the target's ARN, `COMPLETED`, with all its tasks running. AWS's own waiter looks at no ARN: it is
//! content, too, when the circuit breaker has put the bad release back. `forceNewDeployment` is never sent.
//!
//! Releases are the task definitions of past service deployments that went well. Where those are not recorded (before October
//! 2024) or may not be read, they are the family's newest task definitions, which says only that somebody registered them.

mod api;
mod logs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::mpsc;

use self::api::{Api, Deployment, Service, ServiceDeployment, TaskDefinition};
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, image, reading, shares};
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, EcsSpec, Instance, LogLine, LogQuery, PlatformAction,
    Variable,
};
use crate::model::release::{Inventory, Release};
use crate::model::secret::Secrets;
use crate::model::{ReleaseRef, ServiceName};

/// Task definitions that are looked at where service deployments cannot be read.
const FAMILY: usize = 20;
/// Service deployments that are looked at.
const DEPLOYMENTS: usize = 50;

/// A service on ECS.
#[derive(Debug)]
pub struct Ecs {
    spec: EcsSpec,
    api: Api,
    logs: logs::Logs,
    /// A task definition never changes.
    definitions: Mutex<BTreeMap<String, TaskDefinition>>,
}

/// What past deployments say.
struct History {
    /// Task definitions that served well or serve now, the last deployed first.
    good: Vec<String>,
    /// The newest one, if it ended badly.
    failed: Option<String>,
    /// Why it is only the family's list.
    poor: Option<String>,
    newest: Option<ServiceDeployment>,
}

impl Ecs {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(service: &ServiceName, spec: &EcsSpec, secrets: &Arc<Secrets>) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        Ok(Self {
            api: Api::new(spec, secrets).map_err(wrong)?,
            logs: logs::Logs::new(spec, secrets).map_err(wrong)?,
            spec: spec.clone(),
            definitions: Mutex::default(),
        })
    }

    async fn definition(&self, arn: &str) -> Result<TaskDefinition, PlatformError> {
        let known = self.definitions.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let definition = self.api.task_definition(arn).await?;
        let mut definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        definitions.insert(arn.to_owned(), definition.clone());
        Ok(definition)
    }

    async fn history(&self, service: &Service) -> Result<History, PlatformError> {
        match self.deployed(service).await {
            Ok(history) if !history.good.is_empty() => Ok(history),
            Ok(history) => {
                let good = self.family(service).await?;
                Ok(History { good, poor: Some("no service deployments are recorded".to_owned()), ..history })
            }
            Err(PlatformError::Permanent(reason)) => {
                let good = self.family(service).await?;
                Ok(History { good, failed: None, poor: Some(reason), newest: None })
            }
            Err(error) => Err(error),
        }
    }

    /// The task definitions of the service's past deployments.
    async fn deployed(&self, service: &Service) -> Result<History, PlatformError> {
        let all = self.api.service_deployments(&self.spec, DEPLOYMENTS).await?;
        let mut good_revisions = Vec::new();
        for deployment in &all {
            let target = deployment.target.as_ref().map(|revision| revision.arn.clone());
            let sources = deployment.sources.iter().map(|revision| revision.arn.clone());
            if !deployment.ended_badly() {
                good_revisions.extend(target);
            }
            good_revisions.extend(sources);
        }
        let mut seen = BTreeSet::new();
        good_revisions.retain(|arn| seen.insert(arn.clone()));
        let definitions = self.api.revisions(&good_revisions).await?;
        let mut seen = BTreeSet::new();
        let serving = service.deployments.iter().map(|deployment| deployment.task_definition.clone());
        let in_order = good_revisions.iter().filter_map(|arn| definitions.get(arn).cloned());
        let good = serving.chain(in_order).filter(|arn| seen.insert(arn.clone())).collect();
        let newest = all.into_iter().next();
        let failed = newest.as_ref().filter(|deployment| deployment.ended_badly()).map(|deployment| {
            let why = deployment.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            escape(&format!("the deployment of {} is {}{why}", deployment.created(), deployment.status))
        });
        Ok(History { good, failed, poor: None, newest })
    }

    /// The newest task definitions of the service's family, those that serve first.
    async fn family(&self, service: &Service) -> Result<Vec<String>, PlatformError> {
        let mut good: Vec<_> =
            service.deployments.iter().map(|deployment| deployment.task_definition.clone()).collect();
        for arn in self.api.family(family_of(&service.task_definition), FAMILY).await? {
            if !good.contains(&arn) {
                good.push(arn);
            }
        }
        Ok(good)
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let service = self.api.service(&self.spec).await?;
        if let Some(controller) = service.foreign_controller() {
            return Err(PlatformError::Permanent(format!(
                "the service's deployments are made by {controller}, and ECS takes no task definition from anybody else"
            )));
        }
        let primary = service.primary()?;
        // The API takes no precondition: the nearest is to look right before.
        let now = revision(primary);
        if let Some(expected) = call.revision.as_ref().filter(|expected| **expected != now) {
            return Err(PlatformError::Transient(format!(
                "the service was deployed meanwhile: {now} is the primary deployment where {expected} was read"
            )));
        }
        let target = release.as_str();
        if primary.task_definition == target {
            return Ok(format!("{} is the primary deployment already", short(target)));
        }
        if let Some(arn) = self.can_be_stopped(target, call).await {
            match self.api.stop(&arn).await {
                Ok(()) => {
                    call.progress.line("the running deployment was stopped, and ECS rolls back");
                    return Ok(format!("the running deployment goes back to {}", short(target)));
                }
                Err(PlatformError::Permanent(reason)) => {
                    call.progress.line(&format!("{reason}; the task definition is set instead"));
                }
                Err(error) => return Err(error),
            }
        }
        self.api.update(&self.spec, target).await?;
        call.progress.line(&format!("the service was told to run {}", short(target)));
        Ok(format!("the service rolls to {}", short(target)))
    }

    /// The service deployment that is running and would go back to the target if it was stopped. That it cannot be found out
    /// is no obstacle: there is another way.
    async fn can_be_stopped(&self, target: &str, call: &Call) -> Option<String> {
        let newest = match self.api.service_deployments(&self.spec, 1).await {
            Ok(deployments) => deployments.into_iter().next()?,
            Err(error) => {
                call.progress.line(&error.to_string());
                return None;
            }
        };
        if !matches!(newest.status.as_str(), "PENDING" | "IN_PROGRESS") || newest.sources.len() != 1 {
            return None;
        }
        let source = newest.sources.first()?.arn.clone();
        let definitions = self.api.revisions(std::slice::from_ref(&source)).await.ok()?;
        (definitions.get(&source).map(String::as_str) == Some(target)).then_some(newest.arn)
    }
}

/// Which deployment is the primary one, and of what.
fn revision(primary: &Deployment) -> String {
    format!("{} of {}", primary.id, short(&primary.task_definition))
}

/// `family:7` of `arn:aws:ecs:…:task-definition/family:7`.
fn short(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

/// 7 of `family:7`.
fn number(arn: &str) -> Option<u64> {
    arn.rsplit_once(':').and_then(|(_, number)| number.parse().ok())
}

fn family_of(arn: &str) -> &str {
    short(arn).rsplit_once(':').map_or(short(arn), |(family, _)| family)
}

#[async_trait]
impl Platform for Ecs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            restore: true,
            logs: true,
            instances: true,
            scale: true,
            remove: true,
            variables: true,
            ..Capabilities::default()
        }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let service = self.api.service(&self.spec).await?;
        let primary = service.primary()?;
        let history = self.history(&service).await?;
        let mut releases = Vec::with_capacity(history.good.len());
        for arn in &history.good {
            let definition = self.definition(arn).await?;
            // Nobody can run one that was deregistered; what serves is shown anyway.
            let serves = service.deployments.iter().any(|deployment| &deployment.task_definition == arn);
            if !serves && definition.status == "INACTIVE" {
                continue;
            }
            let image = definition.image(self.spec.container.as_deref());
            let running = service
                .deployments
                .iter()
                .any(|deployment| &deployment.task_definition == arn && deployment.running > 0);
            releases.push(Release {
                version: image.map_or_else(|| short(arn).to_owned(), image::version).as_str().into(),
                reference: arn.as_str().into(),
                created_at: definition.registered(),
                author: definition.registered_by.as_deref().map(|by| escape(short(by))),
                schema: None,
                running,
            });
        }
        releases.sort_by_key(|release| {
            std::cmp::Reverse((release.created_at, number(release.reference.as_str())))
        });
        let stuck = (primary.rollout.as_deref() == Some("FAILED")).then(|| {
            let why = primary.reason.as_deref().unwrap_or("ECS gives no reason");
            escape(&format!("deployment {} has failed: {why}", primary.id))
        });
        let running: Vec<_> = service
            .deployments
            .iter()
            .map(|deployment| (deployment.task_definition.as_str(), deployment.running))
            .collect();
        Ok(Inventory {
            releases,
            traffic: shares::by_count(&running),
            settled: service.deployments.len() == 1
                && primary.rollout.as_deref().is_none_or(|state| state == "COMPLETED")
                && primary.running == service.desired,
            failed: stuck.or(history.failed),
            instances: u32::try_from(service.desired).ok(),
            revision: Some(revision(primary)),
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::ShiftTraffic { .. } => {
                Err(cannot(action, "ECS moves traffic by its own deployment strategy"))
            }
            PlatformAction::Deploy { .. } => {
                Err(cannot(action, "ECS replaces the tasks as it moves traffic"))
            }
            PlatformAction::Maintenance { .. } => Err(cannot(action, "ECS has no such page")),
            PlatformAction::Purge => Err(cannot(action, "ECS has no cache")),
            PlatformAction::Scale { instances } => {
                self.api.scale(&self.spec, *instances).await?;
                Ok(format!("the service was told to run {instances} tasks"))
            }
            PlatformAction::Remove { release } => {
                self.api.deregister(release.as_str()).await?;
                // What was known of it says that it can still be run.
                self.definitions.lock().unwrap_or_else(PoisonError::into_inner).remove(release.as_str());
                Ok(format!("{} is deregistered", short(release.as_str())))
            }
            PlatformAction::Stop { .. } => {
                Err(cannot(action, "ECS stops the tasks that it replaces by itself"))
            }
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let mut push =
            |what: &str, outcome: CheckOutcome| checks.push(Check { what: what.to_owned(), outcome });
        let service = match self.api.service(&self.spec).await {
            Ok(service) => service,
            Err(error) => {
                push("read the service", CheckOutcome::Failed(error.to_string()));
                return checks;
            }
        };
        match self.history(&service).await {
            Ok(History { poor: Some(why), .. }) => push(
                "know which task definitions served",
                CheckOutcome::Warning(format!(
                    "{}; the family's newest task definitions stand for them, deployed or not (allow ecs:ListServiceDeployments and ecs:DescribeServiceRevisions)",
                    first(&why, 300)
                )),
            ),
            Ok(History { newest, .. }) => push(
                "know which task definitions served",
                CheckOutcome::Passed(newest.map_or_else(
                    || "no deployment yet".to_owned(),
                    |newest| format!("last deployment {}, {}", newest.created(), newest.status),
                )),
            ),
            Err(error) => {
                push("know which task definitions served", CheckOutcome::Failed(error.to_string()));
            }
        }
        push(
            "ECS makes the deployments itself",
            match service.foreign_controller() {
                Some(controller) => CheckOutcome::Failed(format!(
                    "the deployment controller is {controller}: ECS refuses a task definition from anybody else, so unship cannot roll this service back"
                )),
                None => CheckOutcome::Passed("deployment controller ECS".to_owned()),
            },
        );
        push(
            "nothing undoes a rollback",
            if service.breaker_rolls_back() {
                CheckOutcome::Warning(
                    "the circuit breaker rolls back by itself: if the target does not start, it puts the release back that you leave"
                        .to_owned(),
                )
            } else {
                CheckOutcome::Passed("the circuit breaker does not roll back".to_owned())
            },
        );
        push(
            "permission to update the service",
            CheckOutcome::Unknown(
                "AWS has no call that tells without doing it; allow ecs:UpdateService, ecs:StopServiceDeployment and iam:PassRole for the task's roles"
                    .to_owned(),
            ),
        );
        let outcome = match self.log_group().await {
            Ok(group) => match self.logs.probe(&group).await {
                Ok(()) => CheckOutcome::Passed(group.name),
                Err(error) => CheckOutcome::Warning(error.to_string()),
            },
            Err(error) => CheckOutcome::Warning(error.to_string()),
        };
        push("follow the log", outcome);
        checks
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        let tasks = self.api.tasks(&self.spec).await?;
        Ok(tasks.into_iter().map(api::Task::instance).collect())
    }

    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        let service = self.api.service(&self.spec).await?;
        let primary = service.primary()?;
        Ok(self.definition(&primary.task_definition).await?.variables())
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        let group = self.log_group().await?;
        self.logs.follow(&group, query, out).await
    }
}

impl Ecs {
    /// Where the tasks of the primary deployment write.
    async fn log_group(&self) -> Result<logs::Group, PlatformError> {
        let service = self.api.service(&self.spec).await?;
        let primary = service.primary()?;
        let definition = self.definition(&primary.task_definition).await?;
        definition.log_group(self.spec.container.as_deref()).ok_or_else(|| {
            PlatformError::Permanent(format!(
                "the container of {} does not write to CloudWatch Logs (log driver `awslogs`)",
                short(&primary.task_definition)
            ))
        })
    }

    /// The body that every call about the service has.
    fn of(spec: &EcsSpec) -> serde_json::Value {
        json!({ "cluster": spec.cluster, "service": spec.service })
    }
}
