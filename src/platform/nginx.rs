//! nginx in front of backends that something else starts: blue/green and weighted canaries.
//!
//! A release is what a backend serves: its reference is `backend@version`, so that a backend that was given another version
//! meanwhile is another release, and a plan made for the old one is refused. Which version a backend serves it says itself
//! (`version`); while it does not answer, what it said last counts, also what the generated file has kept of it.
//!
//! | action | what happens |
//! |---|---|
//! | shift traffic, restore | the whole upstream is written anew, tested, loaded, and seen: idempotent, observable |
//! | maintenance | a variable in the same file, where the configuration looks at it |
//!
//! The new file and how it is loaded are in `nginx/traffic.rs`; how the file looks is in `nginx/generated.rs`.

pub(super) mod generated;
pub(super) mod traffic;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;

use self::generated::Serving;
use self::traffic::{Seen, Traffic};
use super::serving::Asker;
use super::{Call, Platform, PlatformError, cannot, reading};
use crate::model::platform::{
    BackendSpec, Capabilities, Check, CheckOutcome, Declares, NginxSpec, PlatformAction,
};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{ReleaseRef, ServiceName};

/// The version of a backend that never said one.
const NAMELESS: &str = "unknown";

/// A version, and when it was made if the backend says so.
type Said = (String, Option<Timestamp>);
/// What each backend said; none: it does not answer now.
type Answers = BTreeMap<String, Option<Said>>;

/// A service behind nginx.
#[derive(Debug)]
pub struct Nginx {
    traffic: Traffic,
    backends: BTreeMap<String, BackendSpec>,
    asker: Asker,
    /// What each backend said last.
    said: Mutex<BTreeMap<String, Said>>,
}

impl Nginx {
    /// Looks at the spec; asks nobody yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(service: &ServiceName, spec: &NginxSpec) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let traffic = Traffic::new(service.as_str(), &spec.traffic).map_err(wrong)?;
        Ok(Self { traffic, backends: spec.backends.clone(), asker: Asker::new(), said: Mutex::default() })
    }

    /// Asks every backend for its version. None: it does not answer now.
    async fn versions(&self) -> Result<Answers, PlatformError> {
        let asked =
            self.backends.iter().map(async |(name, spec)| Ok((name.clone(), self.version(spec).await?)));
        let answers: Answers = join_all(asked).await.into_iter().collect::<Result<_, PlatformError>>()?;
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, answer) in &answers {
            if let Some(answer) = answer {
                said.insert(name.clone(), answer.clone());
            }
        }
        Ok(answers)
    }

    async fn version(&self, spec: &BackendSpec) -> Result<Option<Said>, PlatformError> {
        if !spec.version.contains("://") {
            return Ok(Some((spec.version.clone(), None)));
        }
        self.asker
            .ask(&spec.version, spec.pointer.as_deref(), spec.header.as_deref(), spec.created.as_deref())
            .await
    }

    /// What a backend serves, as far as anybody knows.
    fn known(&self, name: &str, seen: &Seen) -> Said {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        said.unwrap_or_else(|| {
            let kept = seen.running.backends.iter().find(|serving| serving.name == name);
            let kept = kept.map(|serving| serving.version.clone()).filter(|version| !version.is_empty());
            (kept.unwrap_or_else(|| NAMELESS.to_owned()), None)
        })
    }

    /// The backend of a release, which has to serve that version still.
    fn backend_of(&self, reference: &ReleaseRef) -> Result<(&str, &BackendSpec, String), PlatformError> {
        let gone = |why: String| PlatformError::Permanent(format!("`{reference}` {why}"));
        let (name, version) = reference
            .as_str()
            .split_once('@')
            .ok_or_else(|| gone("is no release here; releases are named `backend@version`".to_owned()))?;
        let (name, spec) = self.backends.get_key_value(name).ok_or_else(|| {
            let names: Vec<_> = self.backends.keys().map(String::as_str).collect();
            gone(format!("is on no backend of the config; backends: {}", names.join(", ")))
        })?;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.get(name) {
            Some((now, _)) if now != version => Err(gone(format!("is gone: `{name}` serves `{now}` by now"))),
            _ => Ok((name, spec, version.to_owned())),
        }
    }

    fn serving(&self, shares: &[Share]) -> Result<Vec<Serving>, PlatformError> {
        let mut backends: Vec<Serving> = Vec::new();
        for share in shares.iter().filter(|share| share.percent > 0) {
            let (name, spec, version) = self.backend_of(&share.reference)?;
            backends.push(Serving {
                name: name.to_owned(),
                arm: share.arm,
                percent: share.percent,
                version,
                servers: spec.servers.clone(),
            });
        }
        Ok(backends)
    }
}

#[async_trait]
impl Platform for Nginx {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            weights: true,
            restore: true,
            maintenance: self.traffic.has_page,
            ..Capabilities::default()
        }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let (seen, answers) = tokio::try_join!(self.traffic.read(), self.versions())?;
        let written = Timestamp::try_from(seen.written).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut releases = Vec::new();
        for (name, answer) in &answers {
            let serves = seen.running.backends.iter().any(|serving| &serving.name == name);
            // One that never answered and has no traffic is nothing that traffic could go to.
            let never = || self.said.lock().unwrap_or_else(PoisonError::into_inner).get(name).is_none();
            if !serves && never() {
                continue;
            }
            let (version, created) = self.known(name, &seen);
            releases.push(Release {
                reference: reference(name, &version),
                version: version.into(),
                created_at: created.unwrap_or(written),
                author: None,
                schema: None,
                running: answer.is_some(),
            });
        }
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        let share = |serving: &Serving| Share {
            reference: reference(&serving.name, &self.known(&serving.name, &seen).0),
            arm: serving.arm,
            percent: serving.percent,
        };
        Ok(Inventory {
            releases,
            traffic: seen.running.backends.iter().map(share).collect(),
            settled: seen.settled,
            failed: seen.failed.clone(),
            schema: None,
            maintenance: self.traffic.has_page.then_some(seen.running.maintenance),
            instances: None,
            revision: Some(seen.revision.to_string()),
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        let shares = match action {
            PlatformAction::ShiftTraffic { shares } => shares.clone(),
            PlatformAction::Restore { release } => {
                vec![Share { reference: release.clone(), arm: Arm::Stable, percent: 100 }]
            }
            PlatformAction::Maintenance { on } if self.traffic.has_page => {
                return self.traffic.maintain(*on, call).await;
            }
            PlatformAction::Maintenance { .. } => {
                return Err(cannot(action, "`traffic.maintenance` is not set"));
            }
            PlatformAction::Deploy { .. } => {
                return Err(cannot(action, "its backends are started by something else"));
            }
            PlatformAction::Purge => return Err(cannot(action, "there is no cache")),
            PlatformAction::Scale { .. } | PlatformAction::Stop { .. } | PlatformAction::Remove { .. } => {
                return Err(cannot(action, "its backends are run by something else"));
            }
        };
        self.versions().await?;
        self.traffic.divide(self.serving(&shares)?, call).await
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        // A failure is in the row of the reading.
        for (name, answer) in self.versions().await.unwrap_or_default() {
            let outcome = match answer {
                Some((version, _)) => CheckOutcome::Passed(version),
                None => CheckOutcome::Warning(
                    "no answer with a version: it is down, or `pointer` does not fit the answer".to_owned(),
                ),
            };
            checks.push(Check { what: format!("ask `{name}` for its version"), outcome });
        }
        let outcome = match self.traffic.can_change().await {
            Ok(detail) => CheckOutcome::Passed(detail),
            Err(reason) => CheckOutcome::Failed(reason),
        };
        checks.push(Check { what: "permission to change nginx".to_owned(), outcome });
        checks
    }
}

fn reference(backend: &str, version: &str) -> ReleaseRef {
    ReleaseRef::new(format!("{backend}@{version}"))
}
