//! Addresses, methods and headers.

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::config::suggest::choice;
use crate::model::secret::SecretRef;

/// The methods that a health check can sensibly use.
pub(super) const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Headers that carry a secret by their nature.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-auth-token"];

/// What is wrong with an address, without the address, and how to mend it.
pub(in crate::config) fn address_fault(text: &str) -> Option<(&'static str, String)> {
    let complete = || "write it complete, like `https://checkout.example.com/health`".to_owned();
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(_) if text.is_empty() => return Some(("is empty", complete())),
        Err(_) if !text.contains("://") => return Some(("has no `http://` or `https://`", complete())),
        Err(error) => return Some(("is not an address", error.to_string())),
    };
    if !matches!(url.scheme(), "http" | "https") {
        // `localhost:8080` reads as an address with the scheme `localhost`.
        return Some(("does not begin with `http://` or `https://`", complete()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Some(("has no host", complete()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "take the name and the password out and send them as a header in `secret_headers`";
        return Some(("holds a name or a password", hint.to_owned()));
    }
    None
}

impl Checker<'_> {
    /// Checks an address that is written in the file.
    pub(super) fn address(&mut self, path: &Path, text: &str) {
        let Some((fault, hint)) = address_fault(text) else {
            return;
        };
        let key = path.last_key().unwrap_or_default().to_owned();
        // What stands before an `@` may be a password, in a broken address too.
        let shown = if text.contains('@') {
            let span = self.span(path);
            self.report.hide(span);
            "`…`".to_owned()
        } else {
            quoted(text)
        };
        self.error(path, format!("`{key}` {fault}: {shown}")).hint(hint);
    }

    /// Checks the method of a request.
    pub(super) fn method(&mut self, path: &Path, method: &str) {
        if METHODS.contains(&method) {
            return;
        }
        let draft = self.error(path, format!("`method` cannot be {}", quoted(method)));
        if let Some(hint) = choice(method, "valid methods", METHODS) {
            draft.hint(hint);
        }
    }

    /// Checks headers with plain and with secret values.
    pub(super) fn headers(
        &mut self,
        at: &Path,
        plain: &BTreeMap<String, String>,
        secret: &BTreeMap<String, SecretRef>,
    ) {
        for (name, value) in plain {
            let path = at.then("headers").then(name);
            self.header_name(&path, name);
            if HeaderValue::from_str(value).is_err() {
                self.error(&path, format!("the value of {} cannot be sent in a header", quoted(name)))
                    .hint("a header is one line without control characters");
            }
            if SECRET_HEADERS.contains(&name.to_lowercase().as_str()) {
                let span = self.span(&path);
                self.report.hide(span);
                self.error(
                    &path,
                    format!("{} carries a secret, expected it in `secret_headers`", quoted(name)),
                )
                .hint(
                    "put the value in a variable or a file and refer to it there: `env:NAME` or `file:PATH`",
                );
            }
        }
        for name in secret.keys() {
            let path = at.then("secret_headers").then(name);
            self.header_name(&path, name);
            if let Some(other) = plain.keys().find(|other| other.eq_ignore_ascii_case(name)) {
                self.error_at_key(&path, format!("{} is also in `headers`", quoted(other)))
                    .hint("take it out of one of the two");
            }
        }
    }

    fn header_name(&mut self, path: &Path, name: &str) {
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            self.error_at_key(path, format!("{} cannot be the name of a header", quoted(name)))
                .hint("use letters, digits and `-`");
        }
    }
}
