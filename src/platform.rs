//! Deployment platforms: one small trait, one file each, and the registry that makes one from the config.
//!
//! An adapter reads and acts; it decides nothing. When to call, what must hold before and after, whether a call may be
//! repeated and what to do after a crash are the engine's; an adapter says what it *can* say: the state it sees, what it
//! declares of each action, and how a call ended.
//!
//! # How the platforms map
//!
//! | platform | releases and traffic (`read`) | `Deploy` | `ShiftTraffic` | `Restore` |
//! |---|---|---|---|---|
//! | Azure slots | the build in each slot; `rampUpRules` as shares; the build in production and the last swap as `revision` | – | `rampUpRules`, replaced whole | clear the rules, then `slotsswap`: observable, **not** idempotent |
//! | ECS | task definitions of past service deployments; running tasks as shares; settled = one deployment, COMPLETED, all tasks | – | – | `StopServiceDeployment` while one runs that came from the target, else `UpdateService` with the pinned ARN: idempotent |
//! | Railway | commits or images; `activeDeployments` | – | – | `deploymentRollback(id)` makes a *new* deployment: observable, not idempotent |
//! | Netlify | deploys in state ready; `published_deploy` | – | – | `restore` by id, then lock: idempotent |
//! | nginx | what each backend serves; weights of the generated upstream; our generation number as `revision` | – | write the whole upstream file, test, reload, poll the generation: idempotent | the same with one backend |
//! | Docker | what each colour's containers run; traffic as nginx has it, else where containers run | start the colour | as nginx | start, wait for health, then all the traffic: idempotent |
//! | Kubernetes | ReplicaSets by template hash; settled = `observedGeneration` caught up and all replicas updated and available | – | – | JSON patch of the pinned template with `resourceVersion` as test: idempotent; of a Rollout with `abort` or `promoteFull` |
//! | GitHub Actions | commits of an environment's deployments | – | – | dispatch and follow the run: not observable, and idempotent only where the run can be found by its key |
//! | HTTP, command | what they say | command | command | as they declare it |
//!
//! A platform without weights rolls back by `Restore` alone; one without a maintenance page makes an emergency plan
//! without it. "Done" always means one reading in which the target serves *and* the platform has settled
//! ([`PlatformAction::holds_in`]).

pub mod azure;
mod client;
pub mod command;
#[cfg(feature = "docker")]
pub mod docker;
pub mod ecs;
pub mod github;
pub mod http;
mod image;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lab;
pub mod netlify;
pub mod nginx;
mod process;
pub mod railway;
mod rest;
mod serving;
mod shares;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, Instance, LogLine, LogQuery, PlatformAction, PlatformSpec,
    Variable,
};
use crate::model::release::Inventory;
use crate::model::secret::Secrets;
use crate::model::{IdempotencyKey, ServiceName};

/// One service on its platform.
#[async_trait]
pub trait Platform: Send + Sync {
    /// What can be done there.
    fn capabilities(&self) -> Capabilities;

    /// What may be done when nobody knows whether an action has happened.
    fn declares(&self, action: &PlatformAction) -> Declares;

    /// Reads releases and traffic in one consistent look. Changes nothing, may be called at any time.
    async fn read(&self) -> Result<Inventory, PlatformError>;

    /// Asks for an action and answers when the platform has taken it, not when it is done: the engine reads until the
    /// post-condition holds. Dropping the future gives the call up; what it started is stopped where that is possible.
    /// Where [`Declares::observable`] is false of the action, the answer means that it is done.
    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError>;

    /// Tries every kind of call that only reads, and finds out whether the changing ones would be allowed, where the platform
    /// can tell. Changes nothing. For a person who sets a service up; the order is the order of the rows.
    async fn check(&self) -> Vec<Check> {
        vec![reading(self.read().await)]
    }

    /// The instances that run, with what they use. Only where [`Capabilities::instances`] says so.
    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        Err(PlatformError::Permanent("this platform does not list instances".to_owned()))
    }

    /// The environment variables of what serves, in the platform's own order. Only where [`Capabilities::variables`] says so.
    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        Err(PlatformError::Permanent("this platform does not tell environment variables".to_owned()))
    }

    /// Gives lines of the service's log to `out`: the last ones, and (if asked) what comes, until `out` is closed or the
    /// platform says no more. A connection that is lost while following is made again by the adapter. Only where
    /// [`Capabilities::logs`] says so.
    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        let _ = (query, out);
        Err(PlatformError::Permanent("this platform has no logs to follow".to_owned()))
    }
}

/// A reading as a row of [`Platform::check`]: what is there and what serves.
fn reading(read: Result<Inventory, PlatformError>) -> Check {
    let outcome = match read {
        Ok(inventory) => {
            let serving = inventory.traffic.iter().filter(|share| share.percent > 0).map(|share| {
                let release = inventory.release(&share.reference);
                let name = release.map_or(share.reference.as_str(), |release| release.version.as_str());
                format!("{name} {} %", share.percent)
            });
            let serving: Vec<_> = serving.collect();
            let serving = if serving.is_empty() { "nothing serves".to_owned() } else { serving.join(", ") };
            let settled = if inventory.settled { "" } else { "; something is in progress" };
            let text = format!("releases: {}; {serving}{settled}", inventory.releases.len());
            match &inventory.failed {
                Some(reason) => CheckOutcome::Warning(format!("{text}; {reason}")),
                None if inventory.releases.len() < 2 => CheckOutcome::Warning(format!(
                    "{text}; with fewer than two releases there is nothing to go back to"
                )),
                None => CheckOutcome::Passed(text),
            }
        }
        Err(error) => CheckOutcome::Failed(error.to_string()),
    };
    Check { what: "read releases and traffic".to_owned(), outcome }
}

/// For a kind that this build was made without.
#[cfg(not(all(feature = "docker", feature = "kubernetes")))]
fn left_out(service: &ServiceName, kind: &str) -> PlatformError {
    PlatformError::Permanent(format!(
        "service `{service}`: this build has no `{kind}`; build unship with `--features {kind}`"
    ))
}

/// For an action that the platform's [`Capabilities`] leave out.
fn cannot(action: &PlatformAction, why: &str) -> PlatformError {
    PlatformError::Permanent(format!("{} is not possible there: {why}", action.verb()))
}

/// What goes along with an action.
#[derive(Clone, Debug)]
pub struct Call {
    /// The same for every attempt of the same step, also after a crash.
    pub key: IdempotencyKey,
    /// The leader's fencing token, for platforms that can refuse an older one.
    pub token: u64,
    /// The platform's version of the state that was read right before, as a precondition where the platform takes one.
    pub revision: Option<String>,
    /// Whether an earlier attempt of the same step, with the same key, may have arrived.
    pub may_have_happened: bool,
    /// Where what goes on can be told to people, while it goes on.
    pub progress: Progress,
}

/// Takes lines about a call while it goes on, for people to read along. Saying nothing is fine, and nothing depends on what
/// is said.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Take>>);

/// Takes a line.
type Take = dyn Fn(&str) + Send + Sync;

impl Progress {
    /// Gives every line to this, which must not wait.
    pub fn new(take: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(take)))
    }

    /// Says a line. Text from outside has to come without control characters.
    pub fn line(&self, text: &str) {
        if let Some(take) = &self.0 {
            take(text);
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// How a call to a platform failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It did not happen and may work later: no connection, too many requests, a server error before anything was done.
    #[error("{0}")]
    Transient(String),
    /// It did not happen and will not: refused, not found, not possible there.
    #[error("{0}")]
    Permanent(String),
    /// It may have happened: the answer was lost or cannot be understood.
    #[error("{0}")]
    Unclear(String),
}

/// Makes the adapter of a service. Connects to nothing yet.
///
/// # Errors
/// [`PlatformError::Permanent`] when the spec cannot work.
pub fn build(
    service: &ServiceName,
    spec: &PlatformSpec,
    secrets: &Arc<Secrets>,
) -> Result<Arc<dyn Platform>, PlatformError> {
    Ok(match spec {
        PlatformSpec::Lab(spec) => Arc::new(lab::Lab::new(spec)?),
        PlatformSpec::Azure(spec) => Arc::new(azure::Azure::new(service, spec, secrets)?),
        PlatformSpec::Command(spec) => Arc::new(command::Command::new(service, spec, Arc::clone(secrets))?),
        PlatformSpec::Ecs(spec) => Arc::new(ecs::Ecs::new(service, spec, secrets)?),
        #[cfg(feature = "docker")]
        PlatformSpec::Docker(spec) => Arc::new(docker::Docker::new(service, spec)?),
        #[cfg(not(feature = "docker"))]
        PlatformSpec::Docker(_) => return Err(left_out(service, "docker")),
        PlatformSpec::Github(spec) => Arc::new(github::Github::new(service, spec, secrets)?),
        PlatformSpec::Http(spec) => Arc::new(http::Http::new(service, spec, secrets)?),
        #[cfg(feature = "kubernetes")]
        PlatformSpec::Kubernetes(spec) => Arc::new(kubernetes::Kubernetes::new(service, spec)?),
        #[cfg(not(feature = "kubernetes"))]
        PlatformSpec::Kubernetes(_) => return Err(left_out(service, "kubernetes")),
        PlatformSpec::Netlify(spec) => Arc::new(netlify::Netlify::new(service, spec, secrets)?),
        PlatformSpec::Railway(spec) => Arc::new(railway::Railway::new(service, spec, secrets)?),
        PlatformSpec::Nginx(spec) => Arc::new(nginx::Nginx::new(service, spec)?),
    })
}
