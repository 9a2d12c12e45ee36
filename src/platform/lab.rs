//! The embedded fleet as a platform, over its admin interface.
//!
//! Every changing call carries the step's idempotency key and the leader's fencing token, so that it may be repeated
//! freely and an old leader is refused; the revision that was read goes along as a precondition.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Platform, PlatformError};
use crate::model::platform::{Capabilities, Declares, LabSpec, PlatformAction};
use crate::model::release::Inventory;

/// Time for one call, answer included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time for the connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of an unexpected answer goes into an error.
const TEXT_LIMIT: usize = 2 * 1024;

/// A service of the embedded fleet.
#[derive(Debug)]
pub struct Lab {
    client: OnceLock<Result<Client, String>>,
    /// `…/admin/services/{service}`.
    base: Url,
    service: String,
}

impl Lab {
    /// Looks at the address; calls nothing. Permanent when the address is not an `http://` one.
    pub fn new(spec: &LabSpec) -> Result<Self, PlatformError> {
        let wrong = |why: &str| {
            PlatformError::Permanent(format!(
                "the lab's address `{}` {why}; write it as `unship lab` prints it, like `http://127.0.0.1:4600`",
                spec.admin
            ))
        };
        let mut base = Url::parse(&spec.admin).map_err(|error| wrong(&format!("is not one: {error}")))?;
        if base.scheme() != "http" {
            return Err(wrong("does not begin with `http://`"));
        }
        base.path_segments_mut().map_err(|()| wrong("cannot have a path"))?.pop_if_empty().extend([
            "admin",
            "services",
            &spec.service,
        ]);
        Ok(Self { client: OnceLock::new(), base, service: spec.service.clone() })
    }

    /// The client is made when it is first needed: a process that only looks at the journal needs none.
    fn client(&self) -> Result<&Client, PlatformError> {
        let made = self.client.get_or_init(|| client().map_err(|error| words(&error)));
        made.as_ref().map_err(|reason| PlatformError::Permanent(format!("no HTTP client: {reason}")))
    }

    fn post(&self, verb: &str, body: &Value, call: &Call) -> Result<RequestBuilder, PlatformError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(verb);
        }
        let mut request = self
            .client()?
            .post(url)
            .json(body)
            .header("x-idempotency-key", call.key.as_str())
            .header("x-fencing-token", call.token);
        if let Some(revision) = &call.revision {
            request = request.header("x-expected-revision", revision);
        }
        Ok(request)
    }
}

/// A client without the environment's proxy: the lab is on loopback.
fn client() -> reqwest::Result<Client> {
    // Without a provider reqwest refuses to build, TLS or not. A second install is refused, and that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .build()
}

#[async_trait]
impl Platform for Lab {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            weights: true,
            deploy: true,
            restore: true,
            maintenance: true,
            stop: true,
            remove: true,
            ..Capabilities::default()
        }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let what = format!("reading `{}` from the lab", self.service);
        // Nothing changes by reading: whatever got lost, asking again is safe.
        let lost =
            |error: reqwest::Error| PlatformError::Transient(format!("{what} failed: {}", words(&error)));
        let answer = self.client()?.get(self.base.clone()).send().await.map_err(lost)?;
        let status = answer.status();
        let text = answer.text().await.map_err(lost)?;
        if status != StatusCode::OK {
            return Err(refused(&what, status, &text));
        }
        serde_json::from_str(&text).map_err(|error| {
            PlatformError::Transient(format!("{what} was answered oddly ({error}): {}", head(&text)))
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        let (verb, body) = match action {
            PlatformAction::Deploy { release } => ("deploy", json!({ "release": release })),
            PlatformAction::ShiftTraffic { shares } => ("traffic", json!({ "shares": shares })),
            PlatformAction::Restore { release } => ("restore", json!({ "release": release })),
            PlatformAction::Maintenance { on } => ("maintenance", json!({ "on": on })),
            PlatformAction::Purge => return Err(super::cannot(action, "the lab has no cache")),
            PlatformAction::Stop { release } => ("stop", json!({ "release": release })),
            PlatformAction::Remove { release } => ("remove", json!({ "release": release })),
            PlatformAction::Scale { .. } => {
                return Err(super::cannot(action, "a release of the lab is one server"));
            }
        };
        let what = format!("{} of `{}` in the lab", action.verb(), self.service);
        let request = format!("POST {}/{verb}", self.base.path());
        let answer = self.post(verb, &body, call)?.send().await.map_err(|error| {
            let error = unsent(&what, &error);
            call.progress.line(&format!("{request} … {error}"));
            error
        })?;
        let status = answer.status();
        call.progress.line(&format!("{request} … {}", status.as_u16()));
        let text = answer.text().await.map_err(|error| unsent(&what, &error))?;
        if !status.is_success() {
            return Err(refused(&what, status, &text));
        }
        let Done { message, revision } = serde_json::from_str(&text).map_err(|error| {
            PlatformError::Unclear(format!("{what} was answered oddly ({error}): {}", head(&text)))
        })?;
        Ok(format!("{message} (revision {revision})"))
    }
}

#[derive(Deserialize)]
struct Done {
    message: String,
    revision: String,
}

#[derive(Deserialize)]
struct Refused {
    error: Why,
}

#[derive(Deserialize)]
struct Why {
    code: String,
    message: String,
}

/// A call that brought no answer: not sent, or nobody knows.
fn unsent(what: &str, error: &reqwest::Error) -> PlatformError {
    let text = format!("{what} failed: {}", words(error));
    if error.is_connect() {
        PlatformError::Transient(text)
    } else if error.is_builder() {
        PlatformError::Permanent(text)
    } else {
        PlatformError::Unclear(text)
    }
}

/// A call that was answered with anything but success.
fn refused(what: &str, status: StatusCode, text: &str) -> PlatformError {
    let (code, message) = match serde_json::from_str::<Refused>(text) {
        Ok(Refused { error }) => (error.code, error.message),
        Err(_) => (String::new(), head(text)),
    };
    let text = format!("{what} was refused with {}: {message}", status.as_u16());
    let again = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        // Changed meanwhile: a fresh reading brings the new revision.
        || code == "revision";
    if again { PlatformError::Transient(text) } else { PlatformError::Permanent(text) }
}

/// The beginning of a text from outside.
fn head(text: &str) -> String {
    if text.trim().is_empty() {
        return "(no text)".to_owned();
    }
    let end = (0..=TEXT_LIMIT.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].trim().to_owned()
}

/// An error with its causes: the client's own text leaves out what happened.
fn words(error: &reqwest::Error) -> String {
    if error.is_connect() {
        let place = error.url().map_or("there", reqwest::Url::as_str);
        return format!("nobody answers at {place}; is `unship lab` running?");
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(admin: &str) -> Result<Lab, PlatformError> {
        Lab::new(&LabSpec { admin: admin.to_owned(), service: "checkout".to_owned() })
    }

    /// The address is taken with and without a slash at its end, and refused when it is none.
    #[test]
    fn the_address_is_checked() {
        for admin in ["http://127.0.0.1:4600", "http://127.0.0.1:4600/"] {
            assert_eq!(lab(admin).unwrap().base.as_str(), "http://127.0.0.1:4600/admin/services/checkout");
        }
        for admin in ["127.0.0.1:4600", "https://127.0.0.1:4600", "", "mailto:x"] {
            assert!(matches!(lab(admin), Err(PlatformError::Permanent(_))), "{admin} was taken");
        }
    }

    /// A changed state may be tried again, an old token or a missing release never, a server's trouble later.
    #[test]
    fn refusals_are_told_apart() {
        let body = |code: &str| json!({ "error": { "code": code, "message": "no" } }).to_string();
        for (status, code, transient) in [
            (409, "revision", true),
            (409, "conflict", false),
            (412, "stale_token", false),
            (404, "unknown", false),
            (400, "invalid", false),
            (422, "key_reused", false),
            (500, "internal", true),
            (429, "slow_down", true),
        ] {
            let error = refused("deploy", StatusCode::from_u16(status).unwrap(), &body(code));
            assert_eq!(matches!(error, PlatformError::Transient(_)), transient, "{status} {code}: {error}");
        }
    }

    /// A page from a proxy is quoted, but only its beginning, and never cut inside a letter.
    #[test]
    fn a_long_page_is_cut() {
        let error = refused("deploy", StatusCode::BAD_GATEWAY, &"ä".repeat(3_000)).to_string();
        assert!(error.len() < 2_200 && error.ends_with('ä'), "{}", error.len());
    }
}
