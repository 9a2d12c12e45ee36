//! Docker: each colour's containers hold a release; a rollback starts those of the target, waits for their health, and gives
//! them the traffic (<https://docs.docker.com/reference/api/engine/>).
//!
//! | action | with nginx | without | twice |
//! |---|---|---|---|
//! | deploy | the colour's containers are started | the same | nothing is left to do |
//! | shift traffic | the upstream is written anew (see [`super::nginx`]) | – | the same as once |
//! | restore | started, healthy, then all the traffic | started and healthy, then the other colours are stopped | nothing is left to do |
//!
//! Containers are found by their labels, never by their names. A release is what a colour's containers run: its reference is
//! `colour@image`, with the image's digest, so that a colour that was given another image meanwhile is another release.

mod engine;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use self::engine::{Container, Engine};
use super::nginx::generated::Serving;
use super::nginx::traffic::Traffic;
use super::text::escape;
use super::{Call, Platform, PlatformError, cannot, reading};
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, DockerSpec, Instance, LogLine, LogQuery, PlatformAction,
    Variable,
};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{ReleaseRef, ServiceName};

/// How long a colour's containers get to become healthy once they are started. The step's own time may be shorter.
const HEALTHY: Duration = Duration::from_mins(5);
/// Time between two looks at them.
const LOOK: Duration = Duration::from_millis(300);

/// A service whose releases are containers.
#[derive(Debug)]
pub struct Docker {
    spec: DockerSpec,
    engine: Engine,
    traffic: Option<Traffic>,
    /// The colour that was to come up or to get traffic last. Only of it trouble says that what was asked for has failed: the
    /// colour that is left may be as ill as it likes.
    asked: Mutex<Option<String>>,
}

/// A colour as it is now.
struct Colour {
    name: String,
    containers: Vec<Container>,
}

impl Colour {
    /// What its containers run. None: it has none, or they do not run the same.
    fn release(&self) -> Option<Release> {
        let first = self.containers.first()?;
        if self.containers.iter().any(|container| container.image_id != first.image_id) {
            return None;
        }
        Some(Release {
            version: escape(&first.version()).as_str().into(),
            reference: self.reference()?,
            created_at: self
                .containers
                .iter()
                .map(|container| container.created)
                .max()
                .unwrap_or(Timestamp::UNIX_EPOCH),
            author: None,
            schema: None,
            running: self.is_up(),
        })
    }

    fn reference(&self) -> Option<ReleaseRef> {
        let image = self.containers.first()?.image();
        Some(ReleaseRef::new(format!("{}@{image}", self.name)))
    }

    /// All of its containers run and may get traffic.
    fn is_up(&self) -> bool {
        !self.containers.is_empty() && self.containers.iter().all(Container::is_ready)
    }

    fn runs(&self) -> bool {
        self.containers.iter().any(|container| container.state == "running")
    }

    /// Which containers are not ready, and how they are.
    fn waits(&self) -> String {
        let waits = self.containers.iter().filter(|container| !container.is_ready());
        let waits = waits.map(|container| format!("{} is {}", escape(&container.name), container.words()));
        waits.collect::<Vec<_>>().join(", ")
    }

    /// What is wrong with a container that should run.
    fn trouble(&self) -> Option<String> {
        self.containers.iter().find_map(|container| {
            let what = container.trouble()?;
            Some(format!("`{}`: container {} {what}", self.name, escape(&container.name)))
        })
    }
}

/// The colour of `colour@image`.
fn colour_of(reference: &ReleaseRef) -> &str {
    reference.as_str().split_once('@').map_or(reference.as_str(), |(colour, _)| colour)
}

impl Docker {
    /// Looks at the spec; connects to nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(service: &ServiceName, spec: &DockerSpec) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let traffic = spec.traffic.as_ref().map(|traffic| Traffic::new(service.as_str(), traffic));
        Ok(Self {
            engine: Engine::new(spec.host.as_deref()),
            traffic: traffic.transpose().map_err(wrong)?,
            asked: Mutex::default(),
            spec: spec.clone(),
        })
    }

    async fn colours(&self) -> Result<Vec<Colour>, PlatformError> {
        let asked = self.spec.colours.iter().map(async |(name, spec)| {
            let containers = self.engine.containers(&spec.labels).await?;
            Ok::<_, PlatformError>(Colour { name: name.clone(), containers })
        });
        join_all(asked).await.into_iter().collect()
    }

    /// The colour of a release, which has to hold that image still.
    async fn colour(&self, reference: &ReleaseRef) -> Result<Colour, PlatformError> {
        let name = colour_of(reference);
        let colours = self.colours().await?;
        let colour = colours.into_iter().find(|colour| colour.name == name).ok_or_else(|| {
            PlatformError::Permanent(format!("`{reference}` is of no colour of the config"))
        })?;
        match colour.release() {
            Some(release) if release.reference == *reference => Ok(colour),
            Some(release) => Err(PlatformError::Permanent(format!(
                "`{reference}` is gone: `{name}` holds {} by now",
                release.reference
            ))),
            None => Err(PlatformError::Permanent(format!(
                "`{name}` has no containers that all run one image; make them first (`docker compose create`)"
            ))),
        }
    }

    /// Starts a colour's containers; those that run are left alone.
    async fn start(&self, colour: &Colour, call: &Call) -> Result<(), PlatformError> {
        for container in colour.containers.iter().filter(|container| container.state != "running") {
            self.engine.start(&container.id).await?;
            call.progress.line(&format!("started {}", escape(&container.name)));
        }
        Ok(())
    }

    /// Waits until a colour may get traffic.
    async fn healthy(&self, release: &ReleaseRef, call: &Call) -> Result<Colour, PlatformError> {
        let until = Instant::now() + HEALTHY;
        let mut told = String::new();
        loop {
            let colour = self.colour(release).await?;
            if colour.is_up() {
                return Ok(colour);
            }
            let waits = colour.containers.iter().filter(|container| !container.is_ready());
            let waits: Vec<_> = waits
                .map(|container| format!("{} is {}", escape(&container.name), container.words()))
                .collect();
            let waits = waits.join(", ");
            if let Some(container) = colour.containers.iter().find(|container| container.has_ended()) {
                return Err(PlatformError::Permanent(format!(
                    "{} ended at once ({}); the traffic was left where it is",
                    escape(&container.name),
                    container.words()
                )));
            }
            if Instant::now() >= until {
                return Err(PlatformError::Permanent(format!("{waits}; the traffic was left where it is")));
            }
            if waits != told {
                call.progress.line(&format!("waiting: {waits}"));
                told = waits;
            }
            sleep(LOOK).await;
        }
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let colour = self.colour(release).await?;
        if let Some(traffic) = &self.traffic {
            if !colour.is_up() {
                self.start(&colour, call).await?;
                self.healthy(release, call).await?;
            }
            let shares = [Share { reference: release.clone(), arm: Arm::Stable, percent: 100 }];
            return self.shift(traffic, &shares, call).await;
        }
        let others: Vec<_> =
            self.colours().await?.into_iter().filter(|other| other.name != colour.name).collect();
        if !colour.is_up() {
            if let Err(error) = self.start(&colour, call).await {
                let is_taken = error.to_string().contains("port is already allocated");
                if !is_taken || !others.iter().any(Colour::runs) {
                    return Err(error);
                }
                // Both want the same port: the one that serves has to go first.
                call.progress.line("the port is taken by the colour that serves: it is stopped first");
                self.stop(&others, call).await?;
                self.start(&colour, call).await?;
            }
            self.healthy(release, call).await?;
        }
        self.stop(&others, call).await?;
        Ok(format!("`{}` runs, the other colours are stopped", colour.name))
    }

    async fn stop(&self, colours: &[Colour], call: &Call) -> Result<(), PlatformError> {
        let running = colours.iter().flat_map(|colour| &colour.containers);
        for container in running.filter(|container| container.state == "running") {
            self.engine.stop(&container.id, *self.spec.stop_within).await?;
            call.progress.line(&format!("stopped {}", escape(&container.name)));
        }
        Ok(())
    }

    async fn shift(&self, traffic: &Traffic, shares: &[Share], call: &Call) -> Result<String, PlatformError> {
        let running = traffic.read().await?.running.backends;
        let mut backends: Vec<Serving> = Vec::new();
        for share in shares.iter().filter(|share| share.percent > 0) {
            let colour = self.colour(&share.reference).await?;
            let has = running.iter().find(|serving| serving.name == colour.name);
            // The release that is left may be ill: only who gets more has to be well.
            if share.percent > has.map_or(0, |serving| serving.percent) && !colour.is_up() {
                return Err(PlatformError::Permanent(format!(
                    "`{}` is not ready for traffic: {}",
                    colour.name,
                    colour.waits()
                )));
            }
            let spec = self.spec.colours.get(&colour.name);
            backends.push(Serving {
                arm: share.arm,
                percent: share.percent,
                version: colour.release().map_or_else(String::new, |release| release.version.to_string()),
                servers: spec.map(|spec| spec.servers.clone()).unwrap_or_default(),
                name: colour.name,
            });
        }
        traffic.divide(backends, call).await
    }

    /// The traffic without nginx: it goes to whichever colour runs, evenly if several do.
    fn by_running(colours: &[Colour]) -> Vec<Share> {
        let running: Vec<_> =
            colours.iter().filter(|colour| colour.runs()).filter_map(Colour::reference).collect();
        let count = u8::try_from(running.len()).unwrap_or(u8::MAX).max(1);
        let (each, mut rest) = (100 / count, 100 % count);
        let share = |(index, reference): (usize, ReleaseRef)| {
            let extra = u8::from(rest > 0);
            rest -= extra;
            let arm = if index == 0 { Arm::Stable } else { Arm::Canary };
            Share { reference, arm, percent: each + extra }
        };
        running.into_iter().enumerate().map(share).collect()
    }

    /// The state that matters without nginx, as a precondition.
    fn fingerprint(colours: &[Colour]) -> String {
        let running = colours.iter().filter(|colour| colour.runs()).filter_map(Colour::reference);
        running.map(|reference| reference.to_string()).collect::<Vec<_>>().join(" ")
    }
}

#[async_trait]
impl Platform for Docker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            weights: self.traffic.is_some(),
            deploy: true,
            restore: true,
            maintenance: self.traffic.as_ref().is_some_and(|traffic| traffic.has_page),
            purge: false,
            logs: true,
            instances: true,
            // Without nginx a colour that runs has the traffic.
            stop: self.traffic.is_some(),
            variables: true,
            scale: false,
            remove: false,
        }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let colours = self.colours().await?;
        let mut releases: Vec<_> = colours.iter().filter_map(Colour::release).collect();
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = colours.iter().find(|colour| Some(&colour.name) == asked.as_ref() && colour.runs());
        let trouble = asked.and_then(Colour::trouble);
        let mixed = colours.iter().any(|colour| !colour.containers.is_empty() && colour.release().is_none());
        let is_coming = colours.iter().flat_map(|colour| &colour.containers).any(Container::is_coming);
        let Some(traffic) = &self.traffic else {
            let traffic = Self::by_running(&colours);
            return Ok(Inventory {
                settled: traffic.len() == 1 && !is_coming && !mixed,
                traffic,
                failed: trouble,
                revision: Some(Self::fingerprint(&colours)),
                releases,
                ..Inventory::default()
            });
        };
        let seen = traffic.read().await?;
        let by_name: BTreeMap<&str, &Colour> =
            colours.iter().map(|colour| (colour.name.as_str(), colour)).collect();
        let share = |serving: &Serving| {
            let held = by_name.get(serving.name.as_str()).and_then(|colour| colour.reference());
            Share {
                reference: held.unwrap_or_else(|| ReleaseRef::new(format!("{}@gone", serving.name))),
                arm: serving.arm,
                percent: serving.percent,
            }
        };
        Ok(Inventory {
            releases,
            traffic: seen.running.backends.iter().map(share).collect(),
            settled: seen.settled && !mixed,
            failed: seen.failed.clone().or(trouble),
            schema: None,
            maintenance: traffic.has_page.then_some(seen.running.maintenance),
            instances: None,
            revision: Some(seen.revision.to_string()),
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        let towards = match action {
            PlatformAction::Deploy { release } | PlatformAction::Restore { release } => Some(release),
            PlatformAction::ShiftTraffic { shares } => {
                shares.iter().max_by_key(|share| share.percent).map(|share| &share.reference)
            }
            _ => None,
        };
        if let Some(release) = towards {
            let colour = colour_of(release).to_owned();
            *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(colour);
        }
        if self.traffic.is_none()
            && let Some(expected) = &call.revision
        {
            let now = Self::fingerprint(&self.colours().await?);
            if *expected != now {
                return Err(PlatformError::Transient(format!(
                    "other containers run meanwhile: {now} where {expected} was read"
                )));
            }
        }
        match (action, &self.traffic) {
            (PlatformAction::Deploy { release }, _) => {
                let colour = self.colour(release).await?;
                self.start(&colour, call).await?;
                Ok(format!("`{}` is started", colour.name))
            }
            (PlatformAction::Restore { release }, _) => self.restore(release, call).await,
            (PlatformAction::ShiftTraffic { shares }, Some(traffic)) => {
                self.shift(traffic, shares, call).await
            }
            (PlatformAction::ShiftTraffic { .. }, None) => {
                Err(cannot(action, "`traffic` is not set: there is nothing that divides it"))
            }
            (PlatformAction::Maintenance { on }, Some(traffic)) if traffic.has_page => {
                traffic.maintain(*on, call).await
            }
            (PlatformAction::Maintenance { .. }, _) => {
                Err(cannot(action, "`traffic.maintenance` is not set"))
            }
            (PlatformAction::Stop { release }, _) => {
                let colour = self.colour(release).await?;
                self.stop(std::slice::from_ref(&colour), call).await?;
                Ok(format!("the containers of `{}` are stopped", colour.name))
            }
            (PlatformAction::Remove { .. }, _) => {
                Err(cannot(action, "a colour holds its release until you give it another"))
            }
            (PlatformAction::Scale { .. }, _) => {
                Err(cannot(action, "a colour has the containers that it was made with"))
            }
            (PlatformAction::Purge, _) => Err(cannot(action, "there is no cache")),
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        let mut push = |what: String, outcome: CheckOutcome| checks.push(Check { what, outcome });
        push(
            "reach the engine".to_owned(),
            match self.engine.version().await {
                Ok(version) => CheckOutcome::Passed(version),
                Err(error) => CheckOutcome::Failed(format!(
                    "{error}; unship's user has to be allowed to use its socket"
                )),
            },
        );
        if let Ok(colours) = self.colours().await {
            for colour in colours {
                let outcome = match (colour.release(), colour.trouble()) {
                    (Some(_), Some(trouble)) => CheckOutcome::Warning(trouble),
                    (Some(release), None) => {
                        let state = if release.running { "running" } else { "stopped" };
                        CheckOutcome::Passed(format!(
                            "{} in {} container(s), {state}",
                            release.version,
                            colour.containers.len()
                        ))
                    }
                    (None, _) if colour.containers.is_empty() => {
                        CheckOutcome::Warning("no container has these labels".to_owned())
                    }
                    (None, _) => {
                        CheckOutcome::Failed("its containers do not run one and the same image".to_owned())
                    }
                };
                push(format!("find the containers of `{}`", colour.name), outcome);
            }
        }
        if let Some(traffic) = &self.traffic {
            push(
                "permission to change nginx".to_owned(),
                match traffic.can_change().await {
                    Ok(detail) => CheckOutcome::Passed(detail),
                    Err(reason) => CheckOutcome::Failed(reason),
                },
            );
        }
        let read = reading(self.read().await);
        checks.insert(0, read);
        checks
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        let colours = self.colours().await?;
        let asked = colours.iter().flat_map(|colour| {
            let reference = colour.reference();
            colour.containers.iter().map(move |container| (reference.clone(), container))
        });
        let asked =
            asked.map(async |(reference, container)| self.engine.instance(container, reference).await);
        Ok(join_all(asked).await)
    }

    /// Those of the colours that serve, of one container of each: the others of a colour are made alike.
    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        let (colours, inventory) = tokio::try_join!(self.colours(), self.read())?;
        let serves =
            |colour: &&Colour| colour.reference().is_some_and(|reference| inventory.percent(&reference) > 0);
        let containers = colours.iter().filter(serves).filter_map(|colour| colour.containers.first());
        let asked = containers.map(|container| self.engine.variables(container));
        let all: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
        Ok(all?.into_iter().flatten().collect())
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        let colours = self.colours().await?;
        let wanted = |colour: &&Colour| match &query.release {
            Some(release) => colour.reference().as_ref() == Some(release),
            None => colour.runs(),
        };
        let containers: Vec<_> =
            colours.iter().filter(wanted).flat_map(|colour| &colour.containers).collect();
        if containers.is_empty() {
            return Err(PlatformError::Permanent(
                "no container runs that could have written something".to_owned(),
            ));
        }
        let followed = containers.into_iter().map(|container| self.engine.follow(container, query, out));
        join_all(followed).await.into_iter().collect()
    }
}
