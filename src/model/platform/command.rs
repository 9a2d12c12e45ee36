//! Programs that speak for a platform.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Span;
use crate::model::secret::SecretRef;

/// Programs that speak for a platform. Each is an argv array; no shell is involved. `{service}`, `{release}`, `{version}`,
/// `{percent}`, `{shares}`, `{on}`, `{instances}`, `{key}` and `{token}` inside an argument are replaced; README says which verb gets which.
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
    /// Makes every cache in front of the service forget what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Vec<String>>,
    /// Has so many instances run. To do it twice has to be the same as once, and `observe` has to print `instances`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Vec<String>>,
    /// Stops the instances of a release that has no traffic. To do it twice has to be the same as once, and `observe` has to say
    /// what is `running`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Vec<String>>,
    /// Removes a release that does not run. To do it twice has to be the same as once, and `observe` must not name it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove: Option<Vec<String>>,
    /// Prints the environment variables of what serves as a JSON object of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<String>>,
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
    /// Make the caches forget.
    Purge,
    /// Have so many instances run.
    Scale,
    /// Stop a release.
    Stop,
    /// Remove a release.
    Remove,
}
