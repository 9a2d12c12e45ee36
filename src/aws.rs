//! Signed requests to AWS, for the adapters that need them: credentials, and Signature Version 4
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>). How a request is sent is the adapter's own.
//!
//! Credentials are looked for where every AWS tool looks, in this order: the variables `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; a profile of the shared files; single sign-on; the web identity of a pod;
//! the role of a container; the role of a machine. `credential_process` of a profile is not run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::{Request, Response};
use hyper::{Method, Uri};
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner};
use reqsign_aws_v4::{ProfileCredentialProvider, SSOCredentialProvider, StaticCredentialProvider};
use reqsign_core::{Context, Env, FileRead, HttpSend, OsEnv, ProvideCredential, ProvideCredentialChain};
use sha2::{Digest, Sha256};

use crate::model::fault::causes;
use crate::model::secret::{Secret, SecretRef, Secrets};
use crate::model::source::AwsKeys;

/// Time for one question to whoever hands out credentials. On a machine that is not AWS's nobody answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where credentials come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// Wherever they are found first.
    Anywhere,
    /// This profile of the shared files.
    Profile(String),
    /// A key that is known.
    Key {
        /// Its id.
        id: Secret,
        /// The secret half.
        secret: Secret,
        /// The token of a temporary one.
        token: Option<Secret>,
    },
}

/// Where the credentials come from that a spec names: its keys, its profile, or wherever they are found first.
///
/// # Errors
/// When a secret of the keys was not read.
pub(crate) fn origin(
    profile: Option<&str>,
    keys: Option<&AwsKeys>,
    secrets: &Secrets,
) -> Result<Origin, String> {
    let Some(keys) = keys else {
        return Ok(profile.map_or(Origin::Anywhere, |profile| Origin::Profile(profile.to_owned())));
    };
    let secret = |reference: &SecretRef| {
        secrets.get(reference).cloned().ok_or_else(|| format!("the secret `{reference}` was not read"))
    };
    Ok(Origin::Key {
        id: secret(&keys.access_key_id)?,
        secret: secret(&keys.secret_access_key)?,
        token: keys.session_token.as_ref().map(secret).transpose()?,
    })
}

/// AWS's own address of a service in a region. <https://docs.aws.amazon.com/general/latest/gr/rande.html>
pub(crate) fn endpoint(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{end}/")
}

/// Signs requests to one service in one region. Credentials are read when they are needed first, and again before they
/// expire.
#[derive(Debug)]
pub(crate) struct Signer {
    inner: reqsign_core::Signer<Credential>,
    seen: Arc<Mutex<Secrets>>,
    origin: Origin,
}

impl Signer {
    /// A signer for a service, by the name that signatures call it, like `monitoring`.
    pub(crate) fn new(service: &str, region: &str, origin: Origin) -> Self {
        Self::with_env(service, region, origin, OsEnv)
    }

    fn with_env(service: &str, region: &str, origin: Origin, env: impl Env) -> Self {
        let seen = Arc::default();
        let context = Context::new().with_env(env).with_file_read(Files).with_http_send(Http(Arc::default()));
        let provider = match &origin {
            Origin::Anywhere => {
                let chain = DefaultCredentialProvider::builder().no_process().build();
                Provider::new(&seen, ProvideCredentialChain::new().push(chain))
            }
            Origin::Profile(profile) => {
                let shared = ProfileCredentialProvider::new().with_profile(profile.clone());
                let signed_on = SSOCredentialProvider::new().with_profile(profile.clone());
                Provider::new(&seen, ProvideCredentialChain::new().push(shared).push(signed_on))
            }
            Origin::Key { id, secret, token } => {
                let mut key = StaticCredentialProvider::new(id.expose(), secret.expose());
                if let Some(token) = token {
                    key = key.with_session_token(token.expose());
                }
                Provider::new(&seen, ProvideCredentialChain::new().push(key))
            }
        };
        let inner = reqsign_core::Signer::new(context, provider, RequestSigner::new(service, region));
        Self { inner, seen, origin }
    }

    /// The headers that have to be sent with a `POST` of this body, on top of those given, which are signed too. An error is
    /// in words and holds no secret.
    pub(crate) async fn sign(&self, uri: &Uri, headers: HeaderMap, body: &[u8]) -> Result<HeaderMap, String> {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = Method::POST;
        parts.uri = uri.clone();
        parts.headers = headers;
        let hash = HeaderValue::from_str(&hex::encode(Sha256::digest(body)))
            .map_err(|_| "a hash that cannot be sent".to_owned())?;
        // Without it the signer would say that the body is not signed, which only S3 takes.
        parts.headers.insert(HeaderName::from_static("x-amz-content-sha256"), hash);
        match self.inner.sign(&mut parts, None).await {
            Ok(()) if parts.headers.contains_key("authorization") => Ok(parts.headers),
            Ok(()) => Err(self.nothing_found("")),
            Err(error) => Err(self.nothing_found(&self.redact(&causes(&error).replace(['\n', '\r'], " ")))),
        }
    }

    /// Looks for credentials anew at the next request: those there were are refused.
    pub(crate) fn renewed(self, service: &str, region: &str) -> Self {
        Self { seen: self.seen, ..Self::new(service, region, self.origin) }
    }

    /// Takes the secrets that were read out of a text: an error of AWS repeats what was signed, with the session token.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).redact(text)
    }

    fn nothing_found(&self, why: &str) -> String {
        let where_to = match &self.origin {
            Origin::Anywhere => {
                "no credentials for AWS: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or give this \
                 machine a role"
                    .to_owned()
            }
            Origin::Profile(profile) => {
                format!("no credentials for AWS in the profile `{profile}` of the shared files")
            }
            Origin::Key { .. } => "the access key cannot be used".to_owned(),
        };
        if why.is_empty() { where_to } else { format!("{where_to} ({why})") }
    }
}

/// Hands credentials on and remembers what of them no text may show.
#[derive(Debug)]
struct Provider {
    inner: ProvideCredentialChain<Credential>,
    seen: Arc<Mutex<Secrets>>,
}

impl Provider {
    fn new(seen: &Arc<Mutex<Secrets>>, inner: ProvideCredentialChain<Credential>) -> Self {
        Self { inner, seen: Arc::clone(seen) }
    }
}

impl ProvideCredential for Provider {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        let found = self.inner.provide_credential(context).await?;
        if let Some(found) = &found {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let mut note = |name: &str, content: &str| {
                seen.insert(SecretRef::Env(name.to_owned()), Secret::new(content));
            };
            note("AWS_SECRET_ACCESS_KEY", &found.secret_access_key);
            if let Some(token) = &found.session_token {
                note("AWS_SESSION_TOKEN", token);
            }
        }
        Ok(found)
    }
}

/// Reads the shared files.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        tokio::fs::read(path).await.map_err(|error| {
            reqsign_core::Error::config_invalid(format!("`{path}` cannot be read")).with_source(error)
        })
    }
}

/// Asks whoever hands out credentials. The client is made when it is needed first.
#[derive(Debug)]
struct Http(Arc<Mutex<Option<reqwest::Client>>>);

impl Http {
    fn client(&self) -> Result<reqwest::Client, reqwest::Error> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.as_ref() {
            return Ok(client.clone());
        }
        // The one provider of the house. Whoever was first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("unship/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(made.insert(client).clone())
    }
}

impl HttpSend for Http {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let failed = |error: reqwest::Error| {
            reqsign_core::Error::unexpected("the credentials could not be asked for").with_source(error)
        };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let answer = self.client().map_err(failed)?.execute(request).await.map_err(failed)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await.map_err(failed)?;
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
