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

/// A service's log while somebody reads it.
#[derive(Debug)]
pub struct Log {
    lines: mpsc::Receiver<LogLine>,
    task: tokio::task::JoinHandle<Result<(), String>>,
}

impl Log {
    /// The next line; none at the end.
    ///
    /// # Errors
    /// Why it ended, in words, if it did not end by itself.
    pub async fn next(&mut self) -> Result<Option<LogLine>, String> {
        match self.lines.recv().await {
            Some(line) => Ok(Some(line)),
            None => match (&mut self.task).await {
                Ok(ended) => ended.map(|()| None),
                Err(_) => Ok(None),
            },
        }
    }
}

/// Begins to read a service's log.
///
/// # Errors
/// In words: the platform has none.
pub fn log(world: &World, service: &ServiceName, query: LogQuery) -> Result<Log, String> {
    let platform = of(world, service)?;
    if !platform.capabilities().logs {
        return Err(format!("the platform of `{service}` has no log to follow"));
    }
    let (out, lines) = mpsc::channel(LINES);
    let task =
        tokio::spawn(async move { platform.logs(&query, &out).await.map_err(|error| error.to_string()) });
    Ok(Log { lines, task })
}

fn of(world: &World, service: &ServiceName) -> Result<Arc<dyn Platform>, String> {
    world.platforms.get(service).cloned().ok_or_else(|| {
        let names: Vec<_> = world.platforms.keys().map(ServiceName::as_str).collect();
        format!("no service `{service}`; services: {}", names.join(", "))
    })
}
