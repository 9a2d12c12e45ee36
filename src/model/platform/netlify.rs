//! Netlify: a site and its deploys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::secret::SecretRef;

/// A site on Netlify.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetlifySpec {
    /// The site's id (Site configuration, "Site ID"), or its name like `shop.netlify.app`.
    pub site: String,
    /// A personal access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// A program that prints a token, in place of `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_command: Option<Vec<String>>,
    /// The API, where it is not Netlify's own.
    #[serde(default = "api", skip_serializing_if = "is_api")]
    pub base_url: String,
}

fn api() -> String {
    "https://api.netlify.com/api/v1".to_owned()
}

fn is_api(url: &str) -> bool {
    url == api()
}
