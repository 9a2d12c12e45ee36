//! A platform of your own that speaks HTTP and JSON: requests with placeholders, and pointers into the answers.
//!
//! | action | call | twice |
//! |---|---|---|
//! | restore | `roll_back` | as the config declares it (`idempotent`); a reading tells whether it has happened |
//! | purge | `purge` | as the config declares it |

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use super::rest::{Ask, Auth, Rest};
use super::serving::{self, Asker};
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, reading, shares};
use crate::model::platform::{
    CallSpec, Capabilities, Check, CheckOutcome, Declares, HttpSpec, PlatformAction,
};
use crate::model::release::{Inventory, Release};
use crate::model::secret::Secrets;
use crate::model::{ReleaseRef, ServiceName, placeholder};

/// An API of somebody's own.
#[derive(Debug)]
pub struct Http {
    spec: HttpSpec,
    service: ServiceName,
    rest: Rest,
    asker: Asker,
}

impl Http {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(
        service: &ServiceName,
        spec: &HttpSpec,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let auth = match (&spec.token, &spec.token_command) {
            (None, None) => Auth::None,
            (token, command) => Auth::token(token.as_ref(), command.as_deref(), secrets).map_err(wrong)?,
        };
        let rest = Rest::new(&spec.base_url, auth, Arc::clone(secrets))
            .map_err(|reason| wrong(format!("`base_url`: {reason}")))?;
        Ok(Self { rest, spec: spec.clone(), service: service.clone(), asker: Asker::new() })
    }

    async fn get(&self, what: &str, path: &str) -> Result<Value, PlatformError> {
        let path = path.replace("{service}", self.service.as_str());
        let (path, query) = parts(&path);
        let mut ask = Ask::get(what, path.iter().map(String::as_str));
        ask.query = query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.rest.read(&ask).await
    }

    async fn releases(&self) -> Result<Vec<Release>, PlatformError> {
        let spec = &self.spec.releases;
        let answer = self.get("list the releases", &spec.path).await?;
        let items = answer.pointer(&spec.list).and_then(Value::as_array).ok_or_else(|| {
            PlatformError::Transient(format!(
                "the releases are not where `releases.list` says (`{}`): {}",
                spec.list,
                self.rest.safe(first(&answer.to_string(), 300))
            ))
        })?;
        let now = Timestamp::now();
        let mut releases = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at = |pointer: &Option<String>| pointer.as_deref().and_then(|pointer| text(item, pointer));
            let reference = text(item, &spec.reference).ok_or_else(|| {
                PlatformError::Transient(format!(
                    "release {index} has nothing where `releases.reference` says (`{}`): {}",
                    spec.reference,
                    self.rest.safe(first(&item.to_string(), 300))
                ))
            })?;
            let created = at(&spec.created).and_then(|text| time(&text));
            // In the order of the list, if nothing says when.
            let in_order = now.checked_sub(std::time::Duration::from_secs(index as u64)).unwrap_or(now);
            releases.push(Release {
                version: escape(at(&spec.version).as_deref().unwrap_or(&reference)).as_str().into(),
                reference: reference.as_str().into(),
                created_at: created.unwrap_or(if spec.created.is_some() {
                    Timestamp::UNIX_EPOCH
                } else {
                    in_order
                }),
                author: at(&spec.author).map(|author| escape(&author)),
                schema: None,
                running: false,
            });
        }
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(releases)
    }

    /// What serves, and the state of the last deployment.
    async fn current(&self) -> Result<(Option<String>, Option<String>), PlatformError> {
        let spec = &self.spec.current;
        let answer = self.get("read what serves", &spec.path).await?;
        let state = spec.state.as_deref().and_then(|pointer| text(&answer, pointer));
        Ok((text(&answer, &spec.reference), state))
    }

    async fn send(
        &self,
        what: &str,
        spec: &CallSpec,
        release: Option<&Release>,
        call: &Call,
    ) -> Result<String, PlatformError> {
        let fill = |text: &str| {
            placeholder::fill(text, |name| match name {
                placeholder::SERVICE => Some(self.service.as_str().into()),
                "key" => Some(call.key.as_str().into()),
                "release" => release.map(|release| release.reference.as_str().into()),
                "version" => release.map(|release| release.version.as_str().into()),
                _ => None,
            })
        };
        let method = Method::from_bytes(spec.method.as_bytes())
            .map_err(|_| PlatformError::Permanent(format!("`{}` is no method", escape(&spec.method))))?;
        // Segments are filled one by one: a `/` in a version stays inside its segment.
        let (segments, query) = parts(&spec.path);
        let segments: Vec<_> = segments.iter().map(|segment| fill(segment)).collect();
        let body = spec.body.as_deref().map(|body| {
            let body: Value = serde_json::from_str(body).map_err(|error| {
                PlatformError::Permanent(format!("could not {what}: `body` is not JSON: {error}"))
            })?;
            Ok::<_, PlatformError>(filled(&body, &fill))
        });
        let body = body.transpose()?;
        let mut ask = Ask::new(method, what, segments.iter().map(String::as_str));
        ask.query = query.iter().map(|(name, value)| (name.as_str(), fill(value))).collect();
        if let Some(body) = &body {
            ask = ask.body(body);
        }
        let reply = self.rest.act(&ask).await?;
        call.progress.line(&format!("{what} … {}", reply.status.as_u16()));
        let status = reply.taken()?.status;
        Ok(format!("the platform has taken it ({})", status.as_u16()))
    }
}

/// The segments of a path and its query, without anything escaped.
fn parts(path: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let segments = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.to_owned())
    });
    (segments, pairs.collect())
}

/// A text or a number.
fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| Timestamp::from_second(text.parse().ok()?).ok())
}

fn filled(value: &Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text)),
        Value::Array(items) => items.iter().map(|item| filled(item, fill)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), filled(value, fill))).collect()
        }
        other => other.clone(),
    }
}

#[async_trait]
impl Platform for Http {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, purge: self.spec.purge.is_some(), ..Capabilities::default() }
    }

    fn declares(&self, action: &PlatformAction) -> Declares {
        let call = match action {
            PlatformAction::Purge => self.spec.purge.as_ref(),
            _ => Some(&self.spec.roll_back),
        };
        Declares { observable: true, idempotent: call.is_some_and(|call| call.idempotent) }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let (releases, current, said) =
            tokio::try_join!(self.releases(), self.current(), self.asker.said(self.spec.serving.as_ref()))?;
        let (mut releases, (current, state)) = (releases, current);
        let live: Option<ReleaseRef> = match said {
            Some(said) => Some(serving::release(&releases, said)?),
            None => current.as_deref().map(Into::into),
        };
        for release in &mut releases {
            release.running = Some(&release.reference) == live.as_ref();
        }
        let is = |states: &[String]| state.as_ref().is_some_and(|state| states.contains(state));
        let spec = &self.spec.current;
        Ok(Inventory {
            traffic: shares::all_to(live),
            settled: !is(&spec.busy),
            failed: is(&spec.failed).then(|| {
                let state = state.as_deref().unwrap_or_default();
                format!(
                    "the deployment of {} is {}",
                    escape(current.as_deref().unwrap_or("?")),
                    escape(state)
                )
            }),
            revision: current,
            releases,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match (action, &self.spec.purge) {
            (PlatformAction::Restore { release }, _) => {
                let seen = self.read().await?;
                if let Some(expected) =
                    call.revision.as_ref().filter(|expected| Some(*expected) != seen.revision.as_ref())
                {
                    return Err(PlatformError::Transient(format!(
                        "another release serves meanwhile: {} where {} was read",
                        escape(seen.revision.as_deref().unwrap_or("none")),
                        escape(expected)
                    )));
                }
                let target = seen.release(release).ok_or_else(|| {
                    PlatformError::Permanent(format!("the platform lists no release `{release}` any more"))
                })?;
                self.send("roll back", &self.spec.roll_back, Some(target), call).await
            }
            (PlatformAction::Purge, Some(purge)) => self.send("purge the cache", purge, None, call).await,
            (PlatformAction::Purge, None) => Err(cannot(action, "`purge` is not set")),
            (
                PlatformAction::ShiftTraffic { .. }
                | PlatformAction::Deploy { .. }
                | PlatformAction::Scale { .. }
                | PlatformAction::Stop { .. }
                | PlatformAction::Remove { .. },
                _,
            ) => Err(cannot(action, "this kind only rolls back; a `command` can do more")),
            (PlatformAction::Maintenance { .. }, _) => Err(cannot(action, "this kind has no such page")),
        }
    }

    async fn check(&self) -> Vec<Check> {
        let unknown =
            "only the call itself would tell; the platform's own documentation says what the token needs";
        vec![
            reading(self.read().await),
            Check {
                what: "permission to roll back".to_owned(),
                outcome: CheckOutcome::Unknown(unknown.to_owned()),
            },
        ]
    }
}
