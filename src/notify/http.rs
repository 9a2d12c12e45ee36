//! What the channels over HTTP have in common: an address that may be a secret, a client that follows no redirect, an answer
//! that is read only so far, and what its status means.
//!
//! Any 2xx means that the other side took it. 408, 425, 429, 5xx and a connection that was not made can be tried again; any
//! other answer cannot. Where the request was sent and no whole answer came, nobody knows.
//!
//! Redirects are not followed: they would carry the message, and the headers with secrets, to a place that nobody named.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::{Fault, SendError};
use crate::model::Span;
use crate::model::fault::causes;
use crate::model::retry::retry_after;
use crate::model::secret::{Secret, SecretRef, Secrets};

/// Time to reach the other side.
const CONNECT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read; the rest is of no use to us.
const ANSWER: usize = 16 * 1024;
/// Characters of an answer that are repeated in a reason.
const QUOTED: usize = 200;
/// A part of an address that is as long as this may be a token.
const TOKEN: usize = 6;

/// The content of a secret that a channel needs.
pub(super) fn read<'s>(
    kind: &str,
    reference: &SecretRef,
    secrets: &'s Secrets,
) -> Result<&'s str, SendError> {
    secrets
        .get(reference)
        .map(Secret::expose)
        .ok_or_else(|| SendError::config(format!("{kind}: the secret `{reference}` was not read")))
}

/// Where it goes, and how that is written in errors.
pub(super) struct Address {
    pub(super) url: Url,
    /// Without anything that could be a secret: for a secret address the scheme and the host, otherwise without user, password
    /// and query.
    pub(super) shown: String,
}

impl Address {
    /// The error does not repeat the text.
    pub(super) fn parse(text: &str, secret: bool) -> Result<Self, String> {
        let url: Url =
            text.trim().parse().map_err(|_| "is not an address like `https://host/path`".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("does not begin with `http://` or `https://`".to_owned());
        }
        let host = url.host_str().ok_or("has no host")?;
        let mut shown = format!("{}://{host}", url.scheme());
        if let Some(port) = url.port() {
            let _ = write!(shown, ":{port}");
        }
        if !secret {
            shown.push_str(url.path());
        }
        Ok(Self { url, shown })
    }

    /// The host, and the port where it is not the usual one.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// An address that is kept as a secret.
    pub(super) fn secret(kind: &str, reference: &SecretRef, secrets: &Secrets) -> Result<Self, SendError> {
        Self::parse(read(kind, reference, secrets)?, true)
            .map_err(|reason| SendError::config(format!("{kind}: the address in `{reference}` {reason}")))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// What the other side answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The beginning of its body.
    pub(super) body: String,
    /// The body was not cut off by a lost connection.
    pub(super) is_whole: bool,
}

/// Posts to one address.
#[derive(Debug)]
pub(super) struct Poster {
    pub(super) address: Address,
    /// Made when it is first needed: it reads all the certificates that the system trusts.
    client: OnceLock<Result<Client, String>>,
    timeout: Duration,
    secrets: Secrets,
}

impl Poster {
    pub(super) fn new(address: Address, timeout: Span, secrets: &Secrets) -> Self {
        Self { address, client: OnceLock::new(), timeout: *timeout, secrets: secrets.clone() }
    }

    fn client(&self) -> Result<&Client, SendError> {
        let made = self.client.get_or_init(|| {
            // The one provider of the house. Whoever was first has installed the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::builder()
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(self.timeout)
                .user_agent(concat!("unship/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| causes(&error))
        });
        let shown = &self.address.shown;
        made.as_ref().map_err(|reason| SendError::config(format!("{shown}: no HTTP client: {reason}")))
    }

    /// Posts JSON and reads the answer, whatever its status.
    pub(super) async fn post(&self, headers: HeaderMap, body: String) -> Result<Answer, SendError> {
        let shown = &self.address.shown;
        let request = self
            .client()?
            .post(self.address.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .headers(headers)
            .body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let (is_builder, is_connect) = (error.is_builder(), error.is_connect());
                let reason = format!("{shown}: {}", causes(&error.without_url()));
                return Err(match (is_builder, is_connect) {
                    (true, _) => SendError::config(reason),
                    (_, true) => SendError::Retry { reason, after: None },
                    // It was on its way.
                    _ => SendError::Unknown { reason },
                });
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        let is_whole = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break true,
                Err(_) => break false,
            }
            if bytes.len() >= ANSWER {
                bytes.truncate(ANSWER);
                break true;
            }
        };
        Ok(Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), is_whole })
    }

    /// What an answer's status means. `said` is what the other side said besides, fit to be shown.
    pub(super) fn judge(&self, status: StatusCode, headers: &HeaderMap, said: &str) -> Result<(), SendError> {
        let shown = &self.address.shown;
        let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
        let refused = |hint: &str| Err(SendError::config(format!("{shown} answered {status}{said}{hint}")));
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => {
                let after = headers
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| retry_after(value, Timestamp::now()));
                Err(SendError::Retry { reason: format!("{shown} answered {status}{said}"), after })
            }
            300..=399 => refused("; redirects are not followed, give the final address"),
            401 | 403 => refused("; check the key and the secret headers"),
            404 => refused("; check the address"),
            410 => Err(SendError::Permanent {
                reason: format!(
                    "{shown} answered {status}{said}; it wants no more messages, remove the channel"
                ),
                fault: Fault::Gone,
            }),
            _ => refused(""),
        }
    }

    /// Words of the other side that may be shown: one line, short, and without anything that is a secret or a part of a secret
    /// address.
    pub(super) fn quote(&self, text: &str) -> String {
        let mut text = self.secrets.redact(text);
        let parts = self.address.url.path_segments().into_iter().flatten();
        let pairs = self.address.url.query_pairs().map(|(_, value)| value.into_owned());
        for part in parts.map(str::to_owned).chain(pairs).filter(|part| part.len() >= TOKEN) {
            text = text.replace(&part, "[redacted]");
        }
        let line: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        let line = line.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        super::text::shorten(&line, QUOTED)
    }
}
