//! Asks a service which version of it answers.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Response;
use serde_json::Value;

use super::PlatformError;
use super::client::LazyClient;
use super::text::{escape, first};
use crate::model::ReleaseRef;
use crate::model::platform::ServingSpec;
use crate::model::release::Release;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks addresses for versions.
#[derive(Debug)]
pub(super) struct Asker(LazyClient);

impl Asker {
    pub(super) const fn new() -> Self {
        Self(LazyClient::new(|builder| builder.timeout(PATIENCE)))
    }

    /// The version, and when it was made if `created` points at a time (RFC 3339). None: no answer with a version.
    pub(super) async fn ask(
        &self,
        url: &str,
        pointer: Option<&str>,
        header: Option<&str>,
        created: Option<&str>,
    ) -> Result<Option<(String, Option<Timestamp>)>, PlatformError> {
        let Ok(answer) = self.0.get()?.get(url).send().await else { return Ok(None) };
        Ok(read(answer, pointer, header, created).await)
    }

    /// The version at an address of the config.
    pub(super) async fn version(&self, spec: &ServingSpec) -> Result<Option<String>, PlatformError> {
        let answer = self.ask(&spec.url, spec.pointer.as_deref(), spec.header.as_deref(), None).await?;
        Ok(answer.map(|(version, _)| version))
    }

    /// What the service says, where the config has an address for that; inside, none: it gave no version.
    pub(super) async fn said(
        &self,
        spec: Option<&ServingSpec>,
    ) -> Result<Option<Option<String>>, PlatformError> {
        match spec {
            Some(spec) => self.version(spec).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The version in an answer.
async fn read(
    answer: Response,
    pointer: Option<&str>,
    header: Option<&str>,
    created: Option<&str>,
) -> Option<(String, Option<Timestamp>)> {
    if let Some(header) = header {
        let value = answer.headers().get(header)?.to_str().ok()?;
        return named(value).map(|version| (version, None));
    }
    if !answer.status().is_success() {
        return None;
    }
    let text = answer.text().await.ok()?;
    let document: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let at = |pointer: Option<&str>| match document.pointer(pointer?)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let version = if pointer.is_some() { at(pointer)? } else { text };
    let created = at(created).and_then(|text| text.parse().ok());
    named(&version).map(|version| (version, created))
}

/// The release that a service says it is: by its version, its reference, or the beginning of a commit. One that nobody knows
/// stands for itself.
pub(super) fn release(releases: &[Release], said: Option<String>) -> Result<ReleaseRef, PlatformError> {
    let said = said.ok_or_else(|| {
        PlatformError::Transient("the service does not say its version (`serving`)".to_owned())
    })?;
    let is_it = |release: &&Release| {
        let reference = release.reference.as_str();
        release.version.as_str() == said
            || reference == said
            || (said.len() >= 7
                && (reference.starts_with(&said) || said.starts_with(release.version.as_str())))
    };
    let found = releases.iter().find(is_it);
    Ok(found.map_or_else(|| said.as_str().into(), |release| release.reference.clone()))
}

/// A version as it may be shown and written: one line of plain text. None when nothing is left.
fn named(text: &str) -> Option<String> {
    let line = text.trim().lines().next().unwrap_or_default();
    let line = escape(first(line.trim(), 100));
    (!line.is_empty()).then_some(line)
}
