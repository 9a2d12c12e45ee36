//! The fleet: its services, and the operations that change them. The admin interface and the timeline call the same ones.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::facts::{EffectFact, Facts, ServiceFacts, VersionFacts};
use super::ledger::Ledger;
use super::metrics::{Metrics, Process};
use super::router::{Route, Table};
use super::scenario::Scenario;
use super::service::{Refusal, Service};
use super::{LabError, LabEvent, net, router};

/// All services together.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) scenario: String,
    pub(super) seed: u64,
    pub(super) started_at: Timestamp,
    pub(super) started: Instant,
    pub(super) settle: Duration,
    pub(super) services: BTreeMap<String, Arc<Service>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ledger: Mutex<Ledger>,
    pub(super) shed: Arc<AtomicU64>,
    pub(super) stop: CancellationToken,
    events: mpsc::Sender<LabEvent>,
}

impl Fleet {
    /// Brings up routers and backends, without load and timeline.
    pub(super) fn start(
        scenario: &Scenario,
        seed: u64,
        first_port: Option<u16>,
        stop: &CancellationToken,
        events: mpsc::Sender<LabEvent>,
    ) -> Result<Arc<Self>, LabError> {
        let metrics = Arc::new(Metrics::default());
        let client = net::client(router::BACKEND_TIMEOUT).map_err(LabError::Client)?;
        let now = Timestamp::now();
        let mut services = BTreeMap::new();
        for (index, spec) in scenario.services.iter().enumerate() {
            let route = Arc::new(Route {
                table: Mutex::new(Table::default()),
                ground: Mutex::default(),
                metrics: Arc::clone(&metrics),
                client: client.clone(),
            });
            let what = || format!("the router of {}", spec.name);
            let port = first_port.and_then(|port| port.checked_add(u16::try_from(index).ok()?));
            let (listener, addr) =
                net::bind(port).map_err(|source| LabError::Bind { what: what(), source })?;
            net::serve(listener, router::app(Arc::clone(&route)), stop.child_token())
                .map_err(|source| LabError::Bind { what: what(), source })?;
            let service = Service::new(spec, addr, route, seed, stop, now)
                .map_err(|source| LabError::Bind { what: format!("a backend of {}", spec.name), source })?;
            services.insert(spec.name.clone(), Arc::new(service));
        }
        Ok(Arc::new(Self {
            scenario: scenario.name.clone(),
            seed,
            started_at: now,
            started: Instant::now(),
            settle: scenario.settle,
            services,
            metrics,
            ledger: Mutex::default(),
            shed: Arc::default(),
            stop: stop.clone(),
            events,
        }))
    }

    /// The service of this name.
    pub(super) fn service(&self, name: &str) -> Result<&Arc<Service>, Refusal> {
        self.services.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.services.keys().map(String::as_str).collect();
            Refusal::Unknown(format!("there is no service `{name}`; there are {}", names.join(", ")))
        })
    }

    /// The record of changing calls, locked.
    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever listens; nobody has to.
    pub(super) fn say(&self, service: &str, text: impl Into<String>) {
        let event = LabEvent { at: self.started.elapsed(), service: service.to_owned(), text: text.into() };
        // A full queue means that nobody reads: the event is told to nobody.
        let _ = self.events.try_send(event);
    }

    /// Brings a release up after the settle time, without traffic. A release that is up or on its way stays so.
    pub(super) fn deploy(&self, service: &Arc<Service>, release: &str) -> Result<(), Refusal> {
        if service.begin_start(release)? {
            let (service, release) = (Arc::clone(service), release.to_owned());
            let (settle, stop) = (self.settle, self.stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(settle) => service.finish_start(&release, false),
                }
            });
        }
        Ok(())
    }

    /// Makes one release serve everything; brings it up first if it is down.
    pub(super) fn restore(&self, service: &Arc<Service>, release: &str) -> Result<(), Refusal> {
        if !service.begin_start(release)? {
            return service.serve_all(release);
        }
        let (service, release) = (Arc::clone(service), release.to_owned());
        let (settle, stop) = (self.settle, self.stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(settle) => service.finish_start(&release, true),
            }
        });
        Ok(())
    }

    /// The process figures of all running backends.
    pub(super) fn processes(&self) -> BTreeMap<(Arc<str>, Arc<str>), Process> {
        let mut processes = BTreeMap::new();
        for service in self.services.values() {
            for (version, process) in service.processes() {
                processes.insert((Arc::clone(&service.name), version), process);
            }
        }
        processes
    }

    /// The ground truth.
    pub(super) fn facts(&self) -> Facts {
        let (effects, refused_stale_tokens): (Vec<EffectFact>, u64) = {
            let ledger = self.ledger();
            (ledger.facts(), ledger.refused())
        };
        let mut facts = Facts {
            scenario: self.scenario.clone(),
            seed: self.seed,
            started_at: self.started_at,
            effects,
            refused_stale_tokens,
            shed: self.shed.load(Ordering::Relaxed),
            ..Facts::default()
        };
        for (name, service) in &self.services {
            // The counters come last: every bad answer that is told here is in them.
            let ground = service.route.ground().facts();
            let versions: BTreeMap<String, VersionFacts> = self
                .metrics
                .totals(name)
                .into_iter()
                .map(|(version, (requests, errors))| (version, VersionFacts { requests, errors }))
                .collect();
            facts.requests += versions.values().map(|version| version.requests).sum::<u64>();
            facts.errors += versions.values().map(|version| version.errors).sum::<u64>();
            let highest_token = self.ledger().highest(name);
            facts.services.insert(name.clone(), ServiceFacts { versions, highest_token, ..ground });
        }
        facts
    }
}
