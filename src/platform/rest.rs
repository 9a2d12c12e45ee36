//! What the platforms over HTTP have in common: one client, credentials that are renewed, readings that are tried again, and
//! what an answer means for a call that changes something.
//!
//! | answer | to a reading | to a changing call |
//! |---|---|---|
//! | no connection | tried again, then transient | transient: it did not happen |
//! | connection lost on the way, 500, 502, 504 | tried again, then transient | unclear: it may have happened |
//! | 408, 429, 503 | tried again after `Retry-After`, then transient | transient: it was turned away |
//! | 401 | once more with fresh credentials, then permanent | the same: nobody did anything for a stranger |
//! | 403, 404, other 4xx | permanent | permanent |
//!
//! An adapter that knows better looks at [`Reply::status`] first. Redirects are not followed: they would carry the credentials
//! to a place that nobody named. Bodies that are not JSON (a proxy's page) are normal in an outage: their beginning is kept.

mod token;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{ClientBuilder, Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, sleep};

pub(super) use self::token::{FromCommand, Handed, Kept, TokenSource, parse};
use super::PlatformError;
use super::client::LazyClient;
use super::text::{escape, first};
use crate::model::fault::causes;
use crate::model::retry;
use crate::model::secret::{Secret, SecretRef, Secrets};

/// Time to reach the other side.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for one call, answer included.
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long a reading is tried again before the adapter gives up; whoever asked has a longer breath.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most of an answer that is read, in bytes.
const ANSWER: usize = 16 * 1024 * 1024;
/// Most of an odd answer that is shown, in bytes.
const SHOWN: usize = 2 * 1024;

/// How a call proves who it is.
#[derive(Debug)]
pub(super) enum Auth {
    /// It does not.
    None,
    /// This header.
    Header(HeaderName, HeaderValue),
    /// A bearer token that is renewed.
    Bearer(Arc<dyn TokenSource>),
    /// Signature Version 4. Only `POST`.
    Aws(crate::aws::Signer),
}

impl Auth {
    /// A bearer token that does not change. The error does not repeat it.
    pub(super) fn bearer(token: &Secret) -> Result<Self, String> {
        Self::header(AUTHORIZATION, &format!("Bearer {}", token.expose().trim()))
    }

    /// The way that a spec names: a token, or a program that prints one.
    pub(super) fn token(
        token: Option<&SecretRef>,
        command: Option<&[String]>,
        secrets: &Secrets,
    ) -> Result<Self, String> {
        match (token, command) {
            (Some(reference), None) => {
                let token = secrets
                    .get(reference)
                    .ok_or_else(|| format!("`token`: the secret `{reference}` was not read"))?;
                Self::bearer(token).map_err(|reason| format!("`token`: the secret `{reference}` {reason}"))
            }
            (None, Some(argv)) => {
                let source = FromCommand::new(argv).map_err(|reason| format!("`token_command` {reason}"))?;
                Ok(Self::Bearer(Arc::new(source)))
            }
            _ => Err("give it a `token` or a `token_command`, one of the two".to_owned()),
        }
    }

    /// A secret header. The error does not repeat the value.
    pub(super) fn header(name: HeaderName, value: &str) -> Result<Self, String> {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| "has characters that no header can carry".to_owned())?;
        value.set_sensitive(true);
        Ok(Self::Header(name, value))
    }
}

/// One API of a platform.
pub(super) struct Rest {
    client: LazyClient,
    base: Url,
    auth: Auth,
    headers: HeaderMap,
    secrets: Arc<Secrets>,
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    /// What it is for, to be read after "could not": `list the deployments of site-1`.
    pub(super) what: &'a str,
    pub(super) method: Method,
    /// The segments below the base; each is escaped. A `/` inside one stays inside it.
    pub(super) path: Vec<&'a str>,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Option<&'a Value>,
    /// A full address of the same host (a page's `next`) in place of path and query.
    pub(super) url: Option<Url>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: Method, what: &'a str, path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().collect();
        Self { what, method, path, query: Vec::new(), headers: Vec::new(), body: None, url: None }
    }

    pub(super) fn get(what: &'a str, path: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(Method::GET, what, path)
    }

    pub(super) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn body(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    what: String,
    /// The body as far as it may be shown.
    shown: String,
}

impl Reply {
    /// The body as JSON. What was asked only reads: asking again is safe.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, PlatformError> {
        serde_json::from_str(&self.body)
            .map_err(|error| PlatformError::Transient(self.odd(&error.to_string())))
    }

    /// The body as JSON after a call that changes something and was answered with success.
    pub(super) fn done<T: DeserializeOwned>(&self) -> Result<T, PlatformError> {
        serde_json::from_str(&self.body).map_err(|error| PlatformError::Unclear(self.odd(&error.to_string())))
    }

    fn odd(&self, why: &str) -> String {
        format!(
            "could not {}: the answer is not what was expected ({}): {}",
            self.what,
            escape(why),
            self.shown
        )
    }

    /// The platform's own words about a refusal: its code and message where they are found, else the beginning of the body.
    pub(super) fn words(&self) -> String {
        let value: Value = serde_json::from_str(&self.body).unwrap_or(Value::Null);
        let at =
            |pointer: &str| value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let code = at("/error/code").or_else(|| at("/code")).or_else(|| at("/__type"));
        let message =
            ["/error/message", "/message", "/Message", "/error_description", "/error", "/errors/0/message"]
                .into_iter()
                .find_map(at);
        match (code, message) {
            (Some(code), Some(message)) if !message.contains(code) => {
                escape(first(&format!("{code}: {message}"), SHOWN))
            }
            (_, Some(message)) => escape(first(message, SHOWN)),
            (Some(code), None) => escape(first(code, SHOWN)),
            (None, None) => self.shown.clone(),
        }
    }

    /// The refusal as a reason.
    pub(super) fn reason(&self) -> String {
        let status = self.status.as_u16();
        let hint = match status {
            401 => "; the credentials are not accepted: a wrong or an expired token",
            403 => "; the credentials lack a permission for this",
            _ => "",
        };
        format!("could not {}: answered {status}: {}{hint}", self.what, self.words())
    }

    /// This answer if it is a success; what any other means for a call that changes something.
    pub(super) fn taken(self) -> Result<Self, PlatformError> {
        match self.status.as_u16() {
            200..=299 => Ok(self),
            408 | 429 | 503 => Err(PlatformError::Transient(self.reason())),
            500..=599 => Err(PlatformError::Unclear(self.reason())),
            _ => Err(PlatformError::Permanent(self.reason())),
        }
    }

    /// Whether a refusal is for too many calls rather than for a missing right, as GitHub's 403 may be.
    pub(super) fn is_limited(&self) -> bool {
        let none_left = self.headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        none_left || self.headers.contains_key(RETRY_AFTER)
    }

    /// When the other side wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        retry::retry_after(value, Timestamp::now())
    }
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Rest {
    /// Calls nothing. The error names what is wrong with the address.
    pub(super) fn new(base: &str, auth: Auth, secrets: Arc<Secrets>) -> Result<Self, String> {
        let base: Url = base
            .trim()
            .parse()
            .map_err(|_| format!("`{}` is not an address like `https://host/path`", escape(base)))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(format!("`{base}` does not begin with `http://` or `https://`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err("the address holds a user or a password; give credentials by reference".to_owned());
        }
        Ok(Self { client: LazyClient::new(client), base, auth, headers: HeaderMap::new(), secrets })
    }

    /// With these headers on every call.
    pub(super) fn with_headers(mut self, headers: &[(&'static str, &'static str)]) -> Self {
        for (name, value) in headers {
            self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        self
    }

    /// Asks for something that changes nothing, again where that may help. Any status that is not worth another attempt is
    /// an answer.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, PlatformError> {
        let until = Instant::now() + PATIENCE;
        let mut attempt = 0;
        loop {
            let (reason, after) = match self.send(ask).await {
                Ok(reply) => match reply.status.as_u16() {
                    408 | 429 | 500..=599 => (reply.reason(), reply.retry_after()),
                    _ => return Ok(reply),
                },
                Err(Lost { error: error @ PlatformError::Permanent(_), .. }) => return Err(error),
                Err(Lost { error, .. }) => (error.to_string(), None),
            };
            let pause = retry::backoff(attempt, rand::random()).max(after.unwrap_or_default());
            if Instant::now() + pause >= until {
                let wish = after.map_or_else(String::new, |after| {
                    format!("; it asks to wait {}", crate::model::units::human(after))
                });
                return Err(PlatformError::Transient(format!("{reason}{wish}")));
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// Asks for something that changes nothing, which has to succeed: its body as JSON.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, PlatformError> {
        self.succeeded(ask).await?.json()
    }

    /// The same for what nobody is to see: an answer that cannot be read is not shown.
    pub(super) async fn read_unseen<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, PlatformError> {
        let reply = self.succeeded(ask).await?;
        serde_json::from_str(&reply.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            PlatformError::Transient(format!(
                "could not {}: the answer is not what was expected, at line {line}, character {column}",
                ask.what
            ))
        })
    }

    async fn succeeded(&self, ask: &Ask<'_>) -> Result<Reply, PlatformError> {
        let reply = self.ask(ask).await?;
        if reply.status.is_success() { Ok(reply) } else { Err(PlatformError::Permanent(reply.reason())) }
    }

    /// Sends a call that changes something, once. Any status is an answer; see [`Reply::taken`].
    pub(super) async fn act(&self, ask: &Ask<'_>) -> Result<Reply, PlatformError> {
        self.send(ask).await.map_err(|lost| match (lost.error, lost.was_sent) {
            (PlatformError::Transient(reason), true) => PlatformError::Unclear(reason),
            (error, _) => error,
        })
    }

    /// Begins a call whose answer has no end, like a log that is followed. Success only.
    pub(super) async fn stream(&self, ask: &Ask<'_>) -> Result<reqwest::Response, PlatformError> {
        let response = self.dispatch(ask, false, None).await.map_err(|lost| lost.error)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let reply = self.collect(ask, response).await.map_err(|lost| lost.error)?;
        Err(match reply.status.as_u16() {
            408 | 429 | 500..=599 => PlatformError::Transient(reply.reason()),
            _ => PlatformError::Permanent(reply.reason()),
        })
    }

    /// Text from outside, without secrets and without anything that a terminal would act upon.
    pub(super) fn safe(&self, text: &str) -> String {
        let text = self.secrets.redact(text);
        let text = match &self.auth {
            Auth::Aws(signer) => signer.redact(&text),
            Auth::Bearer(source) => source.redact(&text),
            Auth::None | Auth::Header(..) => text,
        };
        escape(first(text.trim(), SHOWN))
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<Reply, Lost> {
        let response = self.dispatch(ask, false, Some(TIMEOUT)).await?;
        let reply = self.collect(ask, response).await?;
        if reply.status == StatusCode::UNAUTHORIZED && matches!(self.auth, Auth::Bearer(_)) {
            // The token may have run out early. A stranger's call was not carried out.
            let response = self.dispatch(ask, true, Some(TIMEOUT)).await?;
            return self.collect(ask, response).await;
        }
        Ok(reply)
    }

    async fn dispatch(
        &self,
        ask: &Ask<'_>,
        fresh: bool,
        timeout: Option<Duration>,
    ) -> Result<reqwest::Response, Lost> {
        let what = ask.what;
        let client = self.client.get().map_err(|error| Lost { error, was_sent: false })?;
        let url = self.address(ask);
        let mut request = client.request(ask.method.clone(), url.clone()).headers(self.headers.clone());
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let body = ask.body.map(|body| serde_json::to_vec(body).expect("a JSON value can be written"));
        let refused = |reason: String| Lost {
            error: PlatformError::Transient(format!("could not {what}: {reason}")),
            was_sent: false,
        };
        match &self.auth {
            Auth::None => {}
            Auth::Header(name, value) => request = request.header(name, value),
            Auth::Bearer(source) => {
                let token = source.token(fresh).await.map_err(|error| Lost { error, was_sent: false })?;
                request = request.bearer_auth(token.expose());
            }
            Auth::Aws(signer) => {
                let uri =
                    url.as_str().parse().map_err(|_| refused("the address cannot be signed".to_owned()))?;
                let mut headers = self.headers.clone();
                headers.extend(ask.headers.iter().cloned());
                let signed = signer.sign(&uri, headers, body.as_deref().unwrap_or_default()).await;
                request = request.headers(signed.map_err(refused)?);
            }
        }
        if let Some(body) = body {
            if !self.headers.contains_key("content-type")
                && !ask.headers.iter().any(|(name, _)| name == "content-type")
            {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        request.send().await.map_err(|error| {
            let (is_builder, is_connect) = (error.is_builder(), error.is_connect());
            let reason = format!("could not {what}: {}", self.safe(&causes(&error.without_url())));
            match (is_builder, is_connect) {
                (true, _) => Lost { error: PlatformError::Permanent(reason), was_sent: false },
                (_, connect) => Lost { error: PlatformError::Transient(reason), was_sent: !connect },
            }
        })
    }

    async fn collect(&self, ask: &Ask<'_>, mut response: reqwest::Response) -> Result<Reply, Lost> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        loop {
            let lost = |reason: String| Lost {
                error: PlatformError::Transient(format!("could not {}: {reason}", ask.what)),
                was_sent: true,
            };
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > ANSWER => {
                    return Err(lost(format!("the answer is longer than {} MiB", ANSWER >> 20)));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    return Err(lost(format!(
                        "the answer was cut off: {}",
                        self.safe(&causes(&error.without_url()))
                    )));
                }
            }
        }
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let shown = if body.trim().is_empty() { "(no text)".to_owned() } else { self.safe(&body) };
        // The words of a refusal are taken from the body: what may not be shown goes here. A success is needed as it is.
        let body = if status.is_success() { body } else { self.secrets.redact(&body) };
        Ok(Reply { status, headers, body, what: ask.what.to_owned(), shown })
    }

    /// Whether this is an address of the same place: only such a one gets the credentials.
    pub(super) fn is_here(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    fn address(&self, ask: &Ask<'_>) -> Url {
        if let Some(url) = ask.url.as_ref().filter(|url| self.is_here(url)) {
            return url.clone();
        }
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&ask.path);
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(ask.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        url
    }
}

fn client(builder: ClientBuilder) -> ClientBuilder {
    builder.connect_timeout(CONNECT).user_agent(concat!("unship/", env!("CARGO_PKG_VERSION")))
}

/// A call without a whole answer.
#[derive(Debug)]
struct Lost {
    error: PlatformError,
    /// It may have arrived.
    was_sent: bool,
}

#[cfg(test)]
mod tests;
