//! GitHub Actions: a workflow that takes a release back, and the deployments of an environment as its history.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServingSpec;
use crate::model::secret::SecretRef;

/// A service that a workflow deploys.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GithubSpec {
    /// `owner/name`.
    pub repository: String,
    /// The environment whose deployments are the history.
    pub environment: String,
    /// The workflow's file name, like `rollback.yml`. It has to have the trigger `workflow_dispatch`.
    pub workflow: String,
    /// The branch or tag whose version of the workflow runs. `{version}` and `{release}` are put in.
    #[serde(rename = "ref", default = "main", skip_serializing_if = "is_main")]
    pub branch: String,
    /// Its inputs, at most 25. `{version}`, `{release}` (the commit) and `{service}` are put in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// The input that is given a key of unship's, which the workflow shows in its `run-name`. With it a run can be found
    /// again whose id was lost; without it a lost answer needs a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_input: Option<String>,
    /// Where the service says its version. Without it, what GitHub records as deployed counts as what serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingSpec>,
    /// A token that may read deployments and run workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// A program that prints a token, in place of `token`: `["gh", "auth", "token"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_command: Option<Vec<String>>,
    /// The API, where it is not github.com's.
    #[serde(default = "api", skip_serializing_if = "is_api")]
    pub base_url: String,
}

fn main() -> String {
    "main".to_owned()
}

fn is_main(branch: &str) -> bool {
    branch == "main"
}

fn api() -> String {
    "https://api.github.com".to_owned()
}

fn is_api(url: &str) -> bool {
    url == api()
}
