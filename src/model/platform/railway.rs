//! Railway: a service in an environment of a project.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServingSpec;
use crate::model::secret::SecretRef;

/// A service on Railway.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RailwaySpec {
    /// The project's id (`railway status --json`, or the address in the browser).
    pub project: String,
    /// The environment's id.
    pub environment: String,
    /// The service's id.
    pub service: String,
    /// Where the service says its version. Without it, the commit or the image of the active deployment counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingSpec>,
    /// A token of an account or a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// A token of the project, which is bound to one environment, in place of `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_token: Option<SecretRef>,
    /// A program that prints a token of an account or a workspace, in place of `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_command: Option<Vec<String>>,
    /// The API, where it is not Railway's own.
    #[serde(default = "api", skip_serializing_if = "is_api")]
    pub base_url: String,
}

fn api() -> String {
    "https://backboard.railway.com/graphql/v2".to_owned()
}

fn is_api(url: &str) -> bool {
    url == api()
}
