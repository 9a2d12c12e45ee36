//! Kubernetes: a Deployment, or a Rollout of Argo's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service in a cluster.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesSpec {
    /// The namespace.
    #[serde(default = "default_namespace", skip_serializing_if = "is_default_namespace")]
    pub namespace: String,
    /// The Deployment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The name of a Rollout (Argo Rollouts), in place of `deployment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The container whose image names the version; the first by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The kubeconfig, where it is neither in `KUBECONFIG` nor in `~/.kube/config`. Inside a cluster none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<String>,
    /// The context of the kubeconfig; its current one by default. Name it: a current context is changed by a slip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn is_default_namespace(namespace: &str) -> bool {
    namespace == "default"
}
