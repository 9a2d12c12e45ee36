//! AWS ECS: a service and its task definitions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::source::AwsKeys;

/// A service on ECS.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EcsSpec {
    /// The region, like `eu-central-1`.
    pub region: String,
    /// The cluster, by name or ARN.
    #[serde(default = "default_cluster", skip_serializing_if = "is_default_cluster")]
    pub cluster: String,
    /// The service's name in the cluster.
    pub service: String,
    /// The container whose image names the version; the first essential one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The profile of the shared AWS files that holds the credentials. Without it and without `keys`: the environment, the
    /// profile in `AWS_PROFILE`, the role of the pod, the container or the machine, whichever there is first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// An access key of this service's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<AwsKeys>,
    /// Address of ECS, where it is not AWS's own for the region: a private endpoint, a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Address of CloudWatch Logs, where it is not AWS's own for the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_endpoint: Option<String>,
}

fn default_cluster() -> String {
    "default".to_owned()
}

fn is_default_cluster(cluster: &str) -> bool {
    cluster == "default"
}
