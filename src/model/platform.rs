//! Platforms as configured (one file each), and the few things that unship asks of any of them.

mod azure;
mod command;
mod docker;
mod ecs;
mod github;
mod http;
mod kubernetes;
mod lab;
mod netlify;
mod nginx;
mod railway;
mod running;
mod serving;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::azure::AzureSpec;
pub use self::command::{CommandSpec, CommandVerb};
pub use self::docker::{ColourSpec, DockerSpec};
pub use self::ecs::EcsSpec;
pub use self::github::GithubSpec;
pub use self::http::{CallSpec, CurrentSpec, HttpSpec, ReleasesSpec};
pub use self::kubernetes::KubernetesSpec;
pub use self::lab::LabSpec;
pub use self::netlify::NetlifySpec;
pub use self::nginx::{BackendSpec, NginxSpec, NginxTrafficSpec};
pub use self::railway::RailwaySpec;
pub use self::running::{
    Check, CheckOutcome, Instance, LogLine, LogQuery, ServiceLog, Variable, VariableValue,
};
pub use self::serving::ServingSpec;
use super::ReleaseRef;
use super::release::{Inventory, Share};

/// Where a service runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlatformSpec {
    /// The embedded fleet.
    Lab(LabSpec),
    /// An app of Azure App Service.
    #[serde(rename = "azure-app-service")]
    Azure(AzureSpec),
    /// A service on AWS ECS.
    #[serde(rename = "aws-ecs")]
    Ecs(EcsSpec),
    /// Programs of yours, one for each verb.
    Command(CommandSpec),
    /// Containers of a Docker engine.
    Docker(DockerSpec),
    /// A workflow of GitHub Actions.
    #[serde(rename = "github-actions")]
    Github(GithubSpec),
    /// An API of your own.
    Http(HttpSpec),
    /// A Deployment in Kubernetes, or a Rollout of Argo's.
    Kubernetes(KubernetesSpec),
    /// A site on Netlify.
    Netlify(NetlifySpec),
    /// A service on Railway.
    Railway(RailwaySpec),
    /// nginx in front of a few backends.
    Nginx(NginxSpec),
}

impl PlatformSpec {
    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Lab(_) => "lab",
            Self::Azure(_) => "azure-app-service",
            Self::Command(_) => "command",
            Self::Ecs(_) => "aws-ecs",
            Self::Docker(_) => "docker",
            Self::Github(_) => "github-actions",
            Self::Http(_) => "http",
            Self::Kubernetes(_) => "kubernetes",
            Self::Netlify(_) => "netlify",
            Self::Railway(_) => "railway",
            Self::Nginx(_) => "nginx",
        }
    }
}

/// What unship asks of a platform.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verb")]
pub enum PlatformAction {
    /// Bring instances of a release up, without traffic.
    Deploy {
        /// The release.
        release: ReleaseRef,
    },
    /// Give every release its share of the traffic; a release that is not named gets none.
    ShiftTraffic {
        /// The shares; they add up to 100.
        shares: Vec<Share>,
    },
    /// Make one release serve everything, whatever that takes on this platform.
    Restore {
        /// The release.
        release: ReleaseRef,
    },
    /// Turn the maintenance page on or off.
    Maintenance {
        /// On.
        on: bool,
    },
    /// Make every cache in front of the service forget what it holds.
    Purge,
    /// Run so many instances of what serves.
    Scale {
        /// How many.
        instances: u32,
    },
    /// Stop the instances of a release that has no traffic. It can be brought up again.
    Stop {
        /// The release.
        release: ReleaseRef,
    },
    /// Make the platform forget a release that does not run. It cannot be gone back to any more.
    Remove {
        /// The release.
        release: ReleaseRef,
    },
}

impl PlatformAction {
    /// The word in logs and on screen.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::ShiftTraffic { .. } => "shift traffic",
            Self::Restore { .. } => "restore",
            Self::Maintenance { .. } => "maintenance page",
            Self::Purge => "purge",
            Self::Scale { .. } => "scale",
            Self::Stop { .. } => "stop",
            Self::Remove { .. } => "remove",
        }
    }

    /// The post-condition: whether a reading of the platform shows this action's effect, complete. A purge shows in no
    /// reading. Instances that are asked for count, whether they are up or not: to be up is another question, and the health of the
    /// service answers it.
    pub fn holds_in(&self, inventory: &Inventory) -> bool {
        match self {
            Self::Deploy { release } => inventory.release(release).is_some_and(|release| release.running),
            Self::ShiftTraffic { shares } => {
                inventory.settled
                    && shares.iter().all(|share| inventory.percent(&share.reference) == share.percent)
                    && inventory.traffic.iter().all(|share| {
                        share.percent == 0 || shares.iter().any(|asked| asked.reference == share.reference)
                    })
            }
            Self::Restore { release } => inventory.serves_all(release),
            Self::Maintenance { on } => inventory.maintenance == Some(*on),
            Self::Purge => false,
            Self::Scale { instances } => inventory.instances == Some(*instances),
            Self::Stop { release } => inventory.release(release).is_none_or(|release| !release.running),
            Self::Remove { release } => inventory.release(release).is_none(),
        }
    }
}

/// What a platform can do, so that a plan is made of steps that exist there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a thing that a platform can or cannot do")]
pub struct Capabilities {
    /// Traffic can be split by percent.
    pub weights: bool,
    /// Instances of a release can be brought up apart from giving them traffic.
    pub deploy: bool,
    /// One call makes a release serve everything.
    pub restore: bool,
    /// There is a maintenance page.
    pub maintenance: bool,
    /// There is a cache in front of the service that can be told to forget.
    #[serde(default)]
    pub purge: bool,
    /// What a service writes can be followed.
    #[serde(default)]
    pub logs: bool,
    /// The running instances can be listed with what they use.
    #[serde(default)]
    pub instances: bool,
    /// How many instances run can be changed.
    #[serde(default)]
    pub scale: bool,
    /// The instances of a release without traffic can be stopped, and brought up again.
    #[serde(default)]
    pub stop: bool,
    /// A release that does not run can be removed for good.
    #[serde(default)]
    pub remove: bool,
    /// The environment variables of what serves can be read.
    #[serde(default)]
    pub variables: bool,
}

/// What a platform says about repeating an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Declares {
    /// A reading shows whether it has happened.
    pub observable: bool,
    /// Doing it twice is the same as doing it once.
    pub idempotent: bool,
}
