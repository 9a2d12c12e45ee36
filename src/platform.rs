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
//! | Azure slots | the build in each slot; `rampUpRules` as shares; `slotSwapStatus` time as `revision` | deploy to the staging slot | `rampUpRules`, replaced whole | clear the rules, then `slotsswap`: observable, **not** idempotent; `read` tells by the build in production |
//! | ECS | task definitions of past service deployments; PRIMARY and ACTIVE as shares; settled = one deployment, its ARN, COMPLETED | – | native canary weights where configured | `StopServiceDeployment` while one runs, else `UpdateService` with the pinned ARN: idempotent |
//! | Railway | deployments; `activeDeployments`; image kept = can be named | – | – | `deploymentRollback(id)` makes a *new* deployment: observable by "newer than the newest seen before" (`revision`) |
//! | Netlify | deploys in state ready; `published_deploy`; split test as shares | a deploy that is not published | split test `PUT` | `restore` by id, then lock: idempotent |
//! | Docker + nginx | containers by label and image digest; weights of the generated upstream; our generation number as `revision` | start the idle colour | write the whole upstream file, test, reload, poll the generation: idempotent | the same with one server |
//! | Kubernetes | ReplicaSets by template hash; settled = `observedGeneration` caught up and all replicas updated and available; `resourceVersion` as `revision` | – | – (Rollouts, Gateway weights) | JSON patch of the pinned template with `resourceVersion` as test: idempotent |
//! | GitHub Actions | deployments of an environment with their commit | – | – | dispatch and follow the run: **neither**, every dispatch is a new run; the key goes in as an input, so that a lost answer can be looked for |
//!
//! A platform without weights rolls back by `Restore` alone; one without a maintenance page makes an emergency plan
//! without it. "Done" always means one reading in which the target serves *and* the platform has settled
//! ([`PlatformAction::holds_in`]).

pub mod command;
pub mod lab;

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::platform::{Capabilities, Declares, PlatformAction, PlatformSpec};
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
    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError>;
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
        PlatformSpec::Command(spec) => Arc::new(command::Command::new(service, spec, Arc::clone(secrets))?),
    })
}
