//! The API of a cluster, as far as it is needed: JSON in and out.

use std::time::Duration;

use futures::AsyncBufRead;
use hyper::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use super::super::PlatformError;
use super::super::text::{escape, first};
use crate::model::fault::causes;
use crate::model::platform::KubernetesSpec;
use crate::model::retry;

/// Time for one call.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a reading is tried again.
const READS: Duration = Duration::from_secs(10);
/// Objects of one page.
const PAGE: &str = "500";

/// A cluster. It is connected to when it is first needed.
pub(super) struct Api {
    spec: KubernetesSpec,
    client: OnceCell<Client>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Refused {
    /// The HTTP status; none when there was no answer.
    pub(super) status: Option<u16>,
    /// Whether the server says what exactly is wrong with the object.
    pub(super) has_causes: bool,
    pub(super) error: PlatformError,
}

impl From<Refused> for PlatformError {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

/// Whether a call never got as far as the server.
fn was_never_sent(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(cause) = source {
        if let Some(client) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
            return client.is_connect();
        }
        source = cause.source();
    }
    false
}

fn fault(what: &str, changes: bool, error: &kube::Error) -> Refused {
    let kube::Error::Api(status) = error else {
        let reason = format!("could not {what}: {}", escape(first(&causes(error), 600)));
        let error = match error {
            kube::Error::Auth(_) | kube::Error::InferConfig(_) => PlatformError::Permanent(reason),
            error if changes && !was_never_sent(error) => PlatformError::Unclear(reason),
            _ => PlatformError::Transient(reason),
        };
        return Refused { status: None, has_causes: false, error };
    };
    let hint = match status.code {
        401 => "; the credentials are not accepted: log in to the cluster again",
        _ => "",
    };
    let said = if status.message.is_empty() { &status.reason } else { &status.message };
    let reason = format!("could not {what}: answered {}: {}{hint}", status.code, escape(first(said, 600)));
    let error = match status.code {
        408 | 429 | 503 => PlatformError::Transient(reason),
        409 => PlatformError::Transient(format!("{reason}; it was changed meanwhile")),
        500..=599 if changes => PlatformError::Unclear(reason),
        500..=599 => PlatformError::Transient(reason),
        _ => PlatformError::Permanent(reason),
    };
    let has_causes = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
    Refused { status: Some(status.code), has_causes, error }
}

impl Api {
    pub(super) fn new(spec: &KubernetesSpec) -> Self {
        Self { spec: spec.clone(), client: OnceCell::new() }
    }

    async fn client(&self) -> Result<&Client, PlatformError> {
        self.client
            .get_or_try_init(|| async {
                // The one provider of the house. Whoever was first has installed the same.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let wrong = |error: &dyn std::error::Error| {
                    PlatformError::Permanent(format!(
                        "no way to the cluster: {}",
                        escape(first(&causes(error), 600))
                    ))
                };
                let options =
                    KubeConfigOptions { context: self.spec.context.clone(), ..KubeConfigOptions::default() };
                let mut config = match &self.spec.kubeconfig {
                    Some(file) => {
                        let kubeconfig = Kubeconfig::read_from(file).map_err(|error| wrong(&error))?;
                        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                        config.map_err(|error| wrong(&error))?
                    }
                    None if self.spec.context.is_some() => {
                        Config::from_kubeconfig(&options).await.map_err(|error| wrong(&error))?
                    }
                    None => Config::infer().await.map_err(|error| wrong(&error))?,
                };
                config.connect_timeout = Some(Duration::from_secs(5));
                // What is tried again is decided here: kube would do it for longer than anybody waits, changes too.
                config.default_retry = false;
                Client::try_from(config).map_err(|error| wrong(&error))
            })
            .await
    }

    async fn send(
        &self,
        what: &str,
        method: &str,
        path: &str,
        content: Option<(&str, &Value)>,
    ) -> Result<Value, Refused> {
        let changes = method != "GET" && !path.contains("selfsubjectaccessreviews");
        let unsent = |error: PlatformError| Refused { status: None, has_causes: false, error };
        let client = self.client().await.map_err(unsent)?;
        let mut request = Request::builder().method(method).uri(path);
        let mut body = Vec::new();
        if let Some((kind, value)) = content {
            request = request.header("content-type", kind);
            body = value.to_string().into_bytes();
        }
        let request = request.body(body).map_err(|error| {
            unsent(PlatformError::Permanent(format!("could not {what}: {}", escape(&error.to_string()))))
        })?;
        match timeout(PATIENCE, client.request::<Value>(request)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(fault(what, changes, &error)),
            Err(_) => {
                let reason = format!("could not {what}: no answer within {} s", PATIENCE.as_secs());
                Err(unsent(if changes {
                    PlatformError::Unclear(reason)
                } else {
                    PlatformError::Transient(reason)
                }))
            }
        }
    }

    /// A reading, again where that may help.
    pub(super) async fn get(&self, what: &str, path: &str) -> Result<Value, Refused> {
        let until = Instant::now() + READS;
        let mut attempt = 0;
        loop {
            let refused = match self.send(what, "GET", path, None).await {
                Err(refused) if matches!(refused.error, PlatformError::Transient(_)) => refused,
                answer => return answer,
            };
            let pause = retry::backoff(attempt, rand::random());
            if Instant::now() + pause >= until {
                return Err(refused);
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    pub(super) async fn patch(
        &self,
        what: &str,
        path: &str,
        kind: &str,
        patch: &Value,
    ) -> Result<Value, Refused> {
        self.send(what, "PATCH", path, Some((kind, patch))).await
    }

    /// All objects of a list, page by page.
    pub(super) async fn list(&self, what: &str, path: &str, selector: &str) -> Result<Vec<Value>, Refused> {
        let mut all = Vec::new();
        let mut next = String::new();
        loop {
            let query = reqwest::Url::parse_with_params(
                "https://list",
                [("limit", PAGE), ("labelSelector", selector), ("continue", &next)]
                    .into_iter()
                    .filter(|(_, value)| !value.is_empty()),
            );
            let query = query.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
            let mut page = self.get(what, &format!("{path}?{query}")).await?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            match page["metadata"]["continue"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => token.clone_into(&mut next),
                None => return Ok(all),
            }
        }
    }

    /// A body that goes on.
    pub(super) async fn stream(&self, what: &str, path: &str) -> Result<impl AsyncBufRead + use<>, Refused> {
        let unsent = |error: PlatformError| Refused { status: None, has_causes: false, error };
        let client = self.client().await.map_err(unsent)?;
        let request = Request::builder().uri(path).body(Vec::new()).map_err(|error| {
            unsent(PlatformError::Permanent(format!("could not {what}: {}", escape(&error.to_string()))))
        })?;
        client.request_stream(request).await.map_err(|error| fault(what, false, &error))
    }

    /// Whether the user may do this.
    pub(super) async fn may(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
    ) -> Result<bool, Refused> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "namespace": self.spec.namespace, "verb": verb, "group": group, "resource": resource,
                "subresource": subresource,
            } },
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer =
            self.send("ask for a permission", "POST", path, Some(("application/json", &review))).await?;
        Ok(answer["status"]["allowed"] == json!(true))
    }
}
