//! Tokens of Microsoft Entra ID: for a client with a secret or a federated token
//! (<https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>), or for the machine's managed
//! identity (<https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>).

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{RequestBuilder, Url};

use super::super::PlatformError;
use super::super::client::LazyClient;
use super::super::rest::{Handed, Kept, TokenSource, parse};
use super::super::text::{escape, first};
use crate::model::platform::AzureSpec;
use crate::model::secret::{Secret, Secrets};

/// Time for one question. On a machine that is not Azure's nobody answers for its identity.
const PATIENCE: Duration = Duration::from_secs(5);
/// The address at which a machine asks for its identity's tokens.
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// Who asks.
#[derive(Debug)]
enum Who {
    /// A client that proves itself with a secret.
    Client { tenant: String, id: String, secret: Secret },
    /// A client that proves itself with a token of the cluster's, renewed in a file.
    Federated { tenant: String, id: String, file: PathBuf },
    /// The identity of an app, a container or a function.
    App { endpoint: String, header: Secret, id: Option<String> },
    /// The identity of a machine.
    Machine { id: Option<String> },
}

/// Asks for tokens as whoever is configured.
#[derive(Debug)]
pub(super) struct Entra {
    who: Who,
    login: String,
    resource: String,
    client: LazyClient,
    kept: Kept,
}

impl Entra {
    /// Who asks by the spec, else by the usual variables, else the machine. Asks nobody yet.
    pub(super) fn new(spec: &AzureSpec, secrets: &Secrets) -> Result<Self, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
        let who = match (&spec.tenant, &spec.client_id, &spec.client_secret) {
            (Some(tenant), Some(id), Some(reference)) => {
                let secret = secrets
                    .get(reference)
                    .ok_or_else(|| format!("`client_secret`: the secret `{reference}` was not read"))?;
                Who::Client { tenant: tenant.clone(), id: id.clone(), secret: secret.clone() }
            }
            _ => Self::by_variables(variable),
        };
        Ok(Self {
            who,
            login: spec.login_url.trim_end_matches('/').to_owned(),
            resource: spec.base_url.trim_end_matches('/').to_owned(),
            client: LazyClient::new(|builder| builder.timeout(PATIENCE)),
            kept: Kept::default(),
        })
    }

    fn by_variables(variable: impl Fn(&str) -> Option<String>) -> Who {
        let id = variable("AZURE_CLIENT_ID");
        if let (Some(tenant), Some(id)) = (variable("AZURE_TENANT_ID"), id.clone()) {
            if let Some(secret) = variable("AZURE_CLIENT_SECRET") {
                return Who::Client { tenant, id, secret: Secret::new(secret) };
            }
            if let Some(file) = variable("AZURE_FEDERATED_TOKEN_FILE") {
                return Who::Federated { tenant, id, file: file.into() };
            }
        }
        match (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => Who::App { endpoint, header: Secret::new(header), id },
            _ => Who::Machine { id },
        }
    }

    /// In words, for an error.
    fn who(&self) -> &'static str {
        match self.who {
            Who::Client { .. } => "the client with its secret",
            Who::Federated { .. } => "the client with the cluster's token",
            Who::App { .. } => "the app's managed identity",
            Who::Machine { .. } => {
                "the machine's managed identity (there are no `tenant`, `client_id` and `client_secret`, no AZURE_* variables, and no `token_command`)"
            }
        }
    }

    async fn request(&self) -> Result<RequestBuilder, PlatformError> {
        let client = self.client.get()?;
        let scope = format!("{}/.default", self.resource);
        let grant = |tenant: &str, fields: &[(&str, &str)]| {
            let always = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
            let form = Url::parse_with_params("https://form", always.iter().chain(fields));
            let form = form.ok().and_then(|form| form.query().map(str::to_owned)).unwrap_or_default();
            client
                .post(format!("{}/{tenant}/oauth2/v2.0/token", self.login))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form)
        };
        Ok(match &self.who {
            Who::Client { tenant, id, secret } => {
                grant(tenant, &[("client_id", id), ("client_secret", secret.expose())])
            }
            Who::Federated { tenant, id, file } => {
                let assertion = tokio::fs::read_to_string(file).await.map_err(|error| {
                    PlatformError::Permanent(format!(
                        "the token file `{}` cannot be read: {error}",
                        file.display()
                    ))
                })?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let fields = [
                    ("client_id", id.as_str()),
                    ("client_assertion_type", kind),
                    ("client_assertion", assertion.trim()),
                ];
                grant(tenant, &fields)
            }
            Who::App { endpoint, header, id } => {
                let mut query = vec![("api-version", "2019-08-01"), ("resource", self.resource.as_str())];
                query.extend(id.as_deref().map(|id| ("client_id", id)));
                client.get(with(endpoint, &query)?).header("x-identity-header", header.expose())
            }
            Who::Machine { id } => {
                let mut query = vec![("api-version", "2018-02-01"), ("resource", self.resource.as_str())];
                query.extend(id.as_deref().map(|id| ("client_id", id)));
                client.get(with(MACHINE, &query)?).header("metadata", "true")
            }
        })
    }
}

fn with(address: &str, query: &[(&str, &str)]) -> Result<Url, PlatformError> {
    Url::parse_with_params(address, query)
        .map_err(|_| PlatformError::Permanent("IDENTITY_ENDPOINT is not an address".to_owned()))
}

#[async_trait]
impl TokenSource for Entra {
    async fn token(&self, fresh: bool) -> Result<Secret, PlatformError> {
        self.kept.or_ask(fresh, self.asked()).await
    }

    fn redact(&self, text: &str) -> String {
        let text = self.kept.redact(text);
        match &self.who {
            Who::Client { secret, .. } | Who::App { header: secret, .. } if secret.expose().len() >= 8 => {
                text.replace(secret.expose(), "[redacted]")
            }
            _ => text,
        }
    }
}

impl Entra {
    async fn asked(&self) -> Result<Handed, PlatformError> {
        let now = Timestamp::now();
        let who = self.who();
        let answer = self.request().await?.send().await.map_err(|error| {
            PlatformError::Transient(format!("no token for {who}: {}", error.without_url()))
        })?;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        if status != 200 {
            let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let said = said["error_description"].as_str().or(said["error"].as_str()).unwrap_or("no reason");
            let reason = format!("no token for {who}: answered {status}: {}", escape(first(said, 400)));
            return Err(match status {
                408 | 429 | 500..=599 => PlatformError::Transient(reason),
                _ => PlatformError::Permanent(reason),
            });
        }
        parse(&text, now)
            .ok_or_else(|| PlatformError::Transient(format!("no token for {who}: the answer holds none")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(variables: &[(&str, &str)]) -> &'static str {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match Entra::by_variables(find) {
            Who::Client { .. } => "client",
            Who::Federated { .. } => "federated",
            Who::App { .. } => "app",
            Who::Machine { .. } => "machine",
        }
    }

    /// The usual variables are looked at in the usual order, and half of a credential is none.
    #[test]
    fn the_usual_variables() {
        let client = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
        assert_eq!(who(&client), "client");
        assert_eq!(who(&client[..2]), "machine");
        let federated = [client[0], client[1], ("AZURE_FEDERATED_TOKEN_FILE", "/f")];
        assert_eq!(who(&federated), "federated");
        assert_eq!(who(&[("IDENTITY_ENDPOINT", "http://e"), ("IDENTITY_HEADER", "h")]), "app");
        assert_eq!(who(&[]), "machine");
    }
}
