//! The lab: an embedded fleet on loopback, for trying unship out and for testing it against something real.
//!
//! Backends, routers, load, metrics and the admin interface are real HTTP servers and clients; only the machines are
//! missing. A [`Scenario`] says which services there are and what goes wrong when; the fleet knows the truth of its run
//! ([`Facts`]), so that what unship says can be compared with what happened. Nothing here knows the engine: the fleet
//! is driven through its admin interface, by [`crate::platform`] like any other platform.

mod admin;
mod backend;
mod config;
mod facts;
mod faults;
mod fleet;
mod ledger;
mod load;
mod metrics;
mod net;
mod router;
mod scenario;
mod service;
mod timeline;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use facts::{EffectFact, Facts, ServiceFacts, TrafficFact, VersionFacts};
pub use faults::Fault;
pub use scenario::{Action, Criticality, Event, Expect, ReleaseSpec, Scenario, ScenarioError, ServiceSpec};

use crate::model::release::Inventory;
use fleet::Fleet;

/// How many events wait for a reader; more are dropped.
const EVENTS: usize = 1_024;
/// How long a user waits.
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts fleets.
#[derive(Debug)]
pub struct Lab;

/// What can be chosen about a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LabOptions {
    /// The seed of everything that is random.
    pub seed: u64,
    /// The admin interface's port; the routers take the ports after it. Without it the system chooses all of them.
    pub port: Option<u16>,
    /// Whether the timeline begins again at its end.
    pub repeat: bool,
}

/// Why a lab cannot start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A port cannot be taken.
    #[error("cannot listen for {what}: {source}; choose another port, or none")]
    Bind {
        /// Whose port.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The client for the load cannot be made.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
}

/// Something that has happened in the fleet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabEvent {
    /// When, from the start.
    pub at: Duration,
    /// To which service; empty for the fleet.
    pub service: String,
    /// What, in words.
    pub text: String,
}

/// A service of a running lab, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabService {
    /// Its name.
    pub name: String,
    /// Where users reach it.
    pub url: String,
    /// The version that is stable.
    pub stable: Option<String>,
    /// Requests a second that it is sent.
    pub rps: u32,
}

impl Lab {
    /// Starts a fleet on free ports. It ends when the handle is dropped.
    pub async fn start(scenario: Scenario, seed: u64) -> Result<LabHandle, LabError> {
        Self::start_with(scenario, LabOptions { seed, ..LabOptions::default() }).await
    }

    /// Starts a fleet. The timeline begins at once.
    #[expect(clippy::unused_async, reason = "servers and load are tasks: starting needs a runtime around it")]
    pub async fn start_with(scenario: Scenario, options: LabOptions) -> Result<LabHandle, LabError> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let (sender, events) = mpsc::channel(EVENTS);
        let bind = |source| LabError::Bind { what: "the admin interface".to_owned(), source };
        let (listener, admin) = net::bind(options.port).map_err(bind)?;
        let first = options.port.filter(|port| *port > 0).and_then(|port| port.checked_add(1));
        let fleet = Fleet::start(&scenario, options.seed, first, &stop, sender)?;
        net::serve(listener, admin::app(Arc::clone(&fleet)), stop.child_token()).map_err(bind)?;
        let client = net::client(USER_TIMEOUT).map_err(LabError::Client)?;
        let mut tasks = JoinSet::new();
        for (index, service) in fleet.services.values().enumerate() {
            tasks.spawn(load::generate(
                client.clone(),
                format!("http://{}", service.router),
                service.spec.rps,
                options.seed.wrapping_add(index as u64 + 1),
                Arc::clone(&fleet.shed),
                stop.clone(),
            ));
        }
        let order = scenario.services.iter().map(|service| service.name.clone()).collect();
        tasks.spawn(timeline::run(Arc::clone(&fleet), scenario, options.repeat));
        Ok(LabHandle { fleet, order, admin, events, tasks, stop: guard })
    }
}

/// A running fleet. Dropping it stops everything.
#[derive(Debug)]
pub struct LabHandle {
    fleet: Arc<Fleet>,
    order: Vec<String>,
    admin: SocketAddr,
    events: mpsc::Receiver<LabEvent>,
    tasks: JoinSet<()>,
    stop: DropGuard,
}

impl LabHandle {
    /// Where the admin interface is: `http://127.0.0.1:4600`.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The content of an `unship.toml` for this fleet, to be written into `dir`.
    pub fn config_toml(&self, dir: &Path) -> String {
        config::toml(&self.fleet, &self.admin_url(), dir)
    }

    /// The services, in the order of the scenario.
    pub fn services(&self) -> Vec<LabService> {
        self.order
            .iter()
            .filter_map(|name| self.fleet.services.get(name))
            .map(|service| LabService {
                name: service.spec.name.clone(),
                url: format!("http://{}", service.router),
                stable: service.stable(),
                rps: service.spec.rps.round() as u32,
            })
            .collect()
    }

    /// Where users reach a service.
    pub fn router_url(&self, service: &str) -> Option<String> {
        self.fleet.services.get(service).map(|service| format!("http://{}", service.router))
    }

    /// Where the backend of a version listens, while it is up.
    pub fn backend_addr(&self, service: &str, version: &str) -> Option<SocketAddr> {
        self.fleet.services.get(service)?.backend_addr(version)
    }

    /// What the admin interface says of a service.
    pub fn inventory(&self, service: &str) -> Option<Inventory> {
        self.fleet.services.get(service).map(|service| service.inventory())
    }

    /// What truly happened so far.
    pub fn facts(&self) -> Facts {
        self.fleet.facts()
    }

    /// The next thing that happens; none when the lab has stopped. May be dropped and called again.
    pub async fn next_event(&mut self) -> Option<LabEvent> {
        self.events.recv().await
    }

    /// Stops everything and waits until load and timeline have ended.
    pub async fn shutdown(self) {
        let Self { mut tasks, stop, .. } = self;
        drop(stop);
        tasks.shutdown().await;
    }
}
