//! A platform of your own that speaks HTTP and JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServingSpec;
use crate::model::secret::SecretRef;

/// An API that lists releases, says which one serves, and rolls back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSpec {
    /// What the paths of all requests come after.
    pub base_url: String,
    /// A bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// A program that prints a bearer token, in place of `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_command: Option<Vec<String>>,
    /// Lists the releases.
    pub releases: ReleasesSpec,
    /// Says what serves.
    pub current: CurrentSpec,
    /// Makes one release serve everything.
    pub roll_back: CallSpec,
    /// Makes the cache in front of the service forget what it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<CallSpec>,
    /// Where the service says its version, which is then believed before `current`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingSpec>,
}

/// The request that lists releases, and where in the answer they are. All are JSON pointers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleasesSpec {
    /// Its path. `{service}` is put in.
    pub path: String,
    /// Where the list is in the answer; by default the answer is the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub list: String,
    /// Where in an item the platform's own name of the release is.
    pub reference: String,
    /// Where in an item its version is; the reference by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where in an item its time is, RFC 3339 or seconds since 1970. Without it the order of the list counts, newest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Where in an item its author is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// The request that says what serves. All are JSON pointers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrentSpec {
    /// Its path. `{service}` is put in.
    pub path: String,
    /// Where the reference of the release is that serves.
    pub reference: String,
    /// Where the state of the last deployment is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The states in which something is still in progress.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busy: Vec<String>,
    /// The states that say that the last deployment has failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
}

/// A request that changes something.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// Its method.
    #[serde(default = "post", skip_serializing_if = "is_post")]
    pub method: String,
    /// Its path. `{service}`, `{release}` and `{version}` are put in.
    pub path: String,
    /// Its body as JSON. In every text of it `{service}`, `{release}`, `{version}` and `{key}` are put in; the key is the same
    /// for every attempt of one step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether sending it twice is the same as sending it once. Without it a lost answer is looked into, and sent again only
    /// when nothing shows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
}

fn post() -> String {
    "POST".to_owned()
}

fn is_post(method: &str) -> bool {
    method == "POST"
}
