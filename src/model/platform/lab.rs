//! The embedded fleet as a platform.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service of the embedded fleet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabSpec {
    /// The lab's admin address, as `unship lab` prints it.
    pub admin: String,
    /// The service's name in the lab.
    pub service: String,
}
