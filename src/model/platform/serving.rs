//! How a service says which version of it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address at which a service says its version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingSpec {
    /// The address.
    pub url: String,
    /// Where in its JSON the version stands, as a JSON pointer; without it, the whole body is the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The header of the answer that holds the version, in place of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
}
