//! Trying whether a release may go on: checks before anything is changed, smoke suites, load runs. Nothing here changes a
//! platform, and nothing decides: what comes out is what was expected and what came.

mod checks;
mod client;
mod load;
mod programs;
mod smoke;

pub use checks::checks;
pub use load::load;
pub use smoke::{candidate, smoke};

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::model::release::Release;
use crate::model::validation::{Trial, TrialOutcome, TrialReport};
use crate::model::{ServiceName, placeholder};

/// Whoever watches while it goes on: each result as it comes.
#[derive(Clone)]
pub struct Watcher(Arc<dyn Fn(&Trial) + Send + Sync>);

impl Watcher {
    /// Gives every result to this, which must not wait.
    pub fn new(take: impl Fn(&Trial) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Nobody watches.
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    /// A result has come.
    pub fn saw(&self, trial: &Trial) {
        (self.0)(trial);
    }
}

/// What is tried: a release of a service.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The service.
    pub service: ServiceName,
    /// The release; none where nothing is to be brought in.
    pub release: Option<Release>,
}

impl Subject {
    /// A text with the release's names filled in; what is not known stays as it is.
    fn fill(&self, text: &str) -> String {
        placeholder::fill(text, |name| {
            let release = self.release.as_ref();
            match name {
                "service" => Some(self.service.to_string().into()),
                "version" => release.map(|release| release.version.to_string().into()),
                "release" => release.map(|release| release.reference.to_string().into()),
                _ => None,
            }
        })
    }
}

/// One thing that is being tried.
struct Trying {
    name: String,
    began: Instant,
}

impl Trying {
    fn begin(name: &str) -> Self {
        Self { name: name.to_owned(), began: Instant::now() }
    }

    fn end(self, result: Result<String, String>) -> Trial {
        let (outcome, detail) = match result {
            Ok(detail) => (TrialOutcome::Passed, detail),
            Err(detail) => (TrialOutcome::Failed, detail),
        };
        self.conclude(outcome, detail)
    }

    fn conclude(self, outcome: TrialOutcome, detail: String) -> Trial {
        Trial { name: self.name, outcome, took_ms: self.began.elapsed().as_secs_f64() * 1e3, detail }
    }
}

/// Runs a program that has to end with 0.
pub async fn program(name: &str, argv: &[String], limit: Duration) -> Trial {
    let trying = Trying::begin(name);
    trying.end(programs::run(argv, None, limit).await)
}

/// A report over trials that began together.
fn report(name: &str, address: Option<&str>, began: (Timestamp, Instant), trials: Vec<Trial>) -> TrialReport {
    TrialReport {
        name: name.to_owned(),
        address: address.map(str::to_owned),
        at: began.0,
        took_ms: began.1.elapsed().as_secs_f64() * 1e3,
        trials,
        latency: None,
    }
}

fn began() -> (Timestamp, Instant) {
    (Timestamp::now(), Instant::now())
}
