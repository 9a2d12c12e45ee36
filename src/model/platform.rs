//! Platforms as configured, and the few things that unship asks of any of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::release::{Inventory, Share};
use super::secret::SecretRef;
use super::{ReleaseRef, Span};

/// Where a service runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one for a service, read once")]
pub enum PlatformSpec {
    /// The embedded fleet.
    Lab(LabSpec),
    /// Programs of yours, one for each verb.
    Command(CommandSpec),
}

impl PlatformSpec {
    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Lab(_) => "lab",
            Self::Command(_) => "command",
        }
    }
}

/// A service of the embedded fleet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabSpec {
    /// The lab's admin address, as `unship lab` prints it.
    pub admin: String,
    /// The service's name in the lab.
    pub service: String,
}

/// Programs that speak for a platform. Each is an argv array; no shell is involved. `{service}`, `{release}`, `{version}`,
/// `{percent}`, `{shares}`, `{on}`, `{key}` and `{token}` inside an argument are replaced; README says which verb gets which.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Prints the inventory as JSON. Required: without it nothing is known.
    pub observe: Vec<String>,
    /// Makes one release serve everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll_back: Option<Vec<String>>,
    /// Brings a release up without traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Vec<String>>,
    /// Moves traffic by weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_weight: Option<Vec<String>>,
    /// Turns the maintenance page on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Vec<String>>,
    /// Prints the releases as JSON, newest first, where `observe` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<String>>,
    /// Prints where traffic goes as JSON, where `observe` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Vec<String>>,
    /// Working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Environment variables whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_env: BTreeMap<String, SecretRef>,
    /// Time after which a program and all that it started is killed.
    #[serde(default = "thirty_seconds")]
    pub timeout: Span,
    /// The verbs that may be repeated freely; for any other the state is read before a call is repeated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotent: Vec<CommandVerb>,
    /// The verbs whose effect `observe` cannot show. Without `idempotent` such a call is never repeated by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unobservable: Vec<CommandVerb>,
}

const fn thirty_seconds() -> Span {
    Span::secs(30)
}

/// The verbs of a `command` platform that change something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandVerb {
    /// Bring a release up.
    Deploy,
    /// Move traffic.
    SetWeight,
    /// Make one release serve everything.
    RollBack,
    /// Turn the maintenance page on or off.
    Maintenance,
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
}

impl PlatformAction {
    /// The word in logs and on screen.
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Deploy { .. } => "deploy",
            Self::ShiftTraffic { .. } => "shift traffic",
            Self::Restore { .. } => "restore",
            Self::Maintenance { .. } => "maintenance page",
        }
    }

    /// The post-condition: whether a reading of the platform shows this action's effect, complete.
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
}

/// What a platform says about repeating an action.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Declares {
    /// A reading shows whether it has happened.
    pub observable: bool,
    /// Doing it twice is the same as doing it once.
    pub idempotent: bool,
}
