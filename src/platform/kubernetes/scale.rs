//! How many pods run: the `scale` subresource, which Deployments and Rollouts have alike, and no change of the template. Where an
//! autoscaler says how many, it would put its own number back within seconds, so that it is left alone.

use serde_json::json;

use super::super::text::escape;
use super::super::{Call, PlatformError};
use super::{Kubernetes, MERGE_PATCH};

impl Kubernetes {
    pub(super) async fn scale(&self, instances: u32, call: &Call) -> Result<String, PlatformError> {
        match self.autoscaler().await {
            Ok(Some(scaler)) => {
                return Err(PlatformError::Permanent(format!(
                    "{scaler} says how many pods run, and would put its own number back: change its `minReplicas`"
                )));
            }
            Ok(None) => {}
            // Whoever may scale need not be allowed to see who else does.
            Err(error @ PlatformError::Permanent(_)) => {
                call.progress.line(&format!("whether an autoscaler is there is not known: {error}"));
            }
            Err(error) => return Err(error),
        }
        let what = format!("scale the {} {}", self.kind(), self.name);
        let body = json!({ "spec": { "replicas": instances } });
        self.api.patch(&what, &format!("{}/scale", self.path()), MERGE_PATCH, &body).await?;
        Ok(format!("{} is to have {instances} pods", self.name))
    }

    /// The autoscaler of this workload, with its limits.
    pub(super) async fn autoscaler(&self) -> Result<Option<String>, PlatformError> {
        let path =
            format!("/apis/autoscaling/v1/namespaces/{}/horizontalpodautoscalers", self.spec.namespace);
        let all = self.api.list("list the autoscalers", &path, "").await?;
        let is_of_this = |target: &serde_json::Value| {
            target["kind"].as_str() == Some(self.kind()) && target["name"].as_str() == Some(&*self.name)
        };
        let found = all.iter().find(|scaler| is_of_this(&scaler["spec"]["scaleTargetRef"]));
        Ok(found.map(|scaler| {
            let least = scaler["spec"]["minReplicas"].as_u64().unwrap_or(1);
            let most = scaler["spec"]["maxReplicas"].as_u64().unwrap_or(0);
            let name = escape(scaler["metadata"]["name"].as_str().unwrap_or_default());
            format!("the HorizontalPodAutoscaler {name} ({least} to {most})")
        }))
    }
}
