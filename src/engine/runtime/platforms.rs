//! What platforms say beside their releases, for people who set one up or look into one: whether everything is allowed, which
//! instances run, and what they write. None of it goes into the journal.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::World;
use crate::model::ServiceName;
use crate::model::platform::{Check, CheckOutcome, Instance, LogLine, LogQuery};
use crate::model::secret::Secrets;
use crate::observe::follow_log;
use crate::platform::Platform;

/// Time for all the checks of one service.
const PATIENCE: Duration = Duration::from_mins(1);
/// Lines that are on their way to whoever reads them.
const LINES: usize = 256;

/// What was tried on one service's platform.
#[derive(Clone, Debug, Serialize)]
pub struct PlatformCheck {
    /// The service.
    pub service: ServiceName,
    /// The platform's kind.
    pub kind: &'static str,
    /// What was tried, in the order of trying.
    pub checks: Vec<Check>,
}

impl PlatformCheck {
    /// Whether something does not work.
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed(_)))
    }
}

/// Tries every reading call of these services' platforms, all at once, and finds out what the changing ones would need. None
/// means all of them. Changes nothing.
pub async fn check(world: &World, services: &[ServiceName]) -> Vec<PlatformCheck> {
    let asked = world.platforms.iter().filter(|(name, _)| services.is_empty() || services.contains(name));
    let asked = asked.map(async |(service, platform)| {
        let checks = timeout(PATIENCE, platform.check()).await.unwrap_or_else(|_| {
            let outcome = CheckOutcome::Failed(format!("no answer within {} s", PATIENCE.as_secs()));
            vec![Check { what: "reach the platform".to_owned(), outcome }]
        });
        let kind = world.settings.config.services.get(service).map_or("", |spec| spec.platform.kind());
        PlatformCheck { service: service.clone(), kind, checks }
    });
    join_all(asked).await
}

/// The instances of a service.
///
/// # Errors
/// In words: the platform lists none, or cannot be read.
pub async fn instances(world: &World, service: &ServiceName) -> Result<Vec<Instance>, String> {
    let platform = of(world, service)?;
    if !platform.capabilities().instances {
        return Err(format!("the platform of `{service}` does not list instances"));
    }
    platform.instances().await.map_err(|error| error.to_string())
}

/// A service's log while somebody reads it. Nothing reads on once this is dropped.
#[derive(Debug)]
pub struct Log {
    lines: mpsc::Receiver<LogLine>,
    task: tokio::task::JoinHandle<Result<(), String>>,
    secrets: Arc<Secrets>,
}

impl Log {
    /// The lines that have come, at least one, without secrets; none at the end. Waiting may be given up without losing any.
    ///
    /// # Errors
    /// Why it ended, in words, if it did not end by itself.
    pub async fn next(&mut self) -> Result<Vec<LogLine>, String> {
        let mut lines = Vec::new();
        if self.lines.recv_many(&mut lines, LINES).await == 0 {
            let ended = (&mut self.task).await.unwrap_or(Ok(()));
            return ended.map(|()| lines).map_err(|reason| self.secrets.redact(&reason));
        }
        for line in &mut lines {
            line.text = self.secrets.redact(&line.text);
        }
        Ok(lines)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to read a service's log: where the config says that it is, else on its platform.
///
/// # Errors
/// In words: the platform has none.
pub fn log(world: &World, service: &ServiceName, query: LogQuery) -> Result<Log, String> {
    let platform = of(world, service)?;
    let place = world.settings.config.services.get(service).and_then(|spec| spec.log.clone());
    if place.is_none() && !platform.capabilities().logs {
        return Err(format!(
            "the platform of `{service}` has no log to follow; `[services.{service}.log]` can name a file or a program"
        ));
    }
    let (out, lines) = mpsc::channel(LINES);
    let task = tokio::spawn(async move {
        match place {
            Some(place) => follow_log(&place, &query, &out).await,
            None => platform.logs(&query, &out).await.map_err(|error| error.to_string()),
        }
    });
    Ok(Log { lines, task, secrets: Arc::clone(&world.secrets) })
}

fn of(world: &World, service: &ServiceName) -> Result<Arc<dyn Platform>, String> {
    world.platforms.get(service).cloned().ok_or_else(|| {
        let names: Vec<_> = world.platforms.keys().map(ServiceName::as_str).collect();
        format!("no service `{service}`; services: {}", names.join(", "))
    })
}
