//! One service of the fleet: its releases and their instances, where its traffic goes, and what is wrong with it.
//!
//! Every change happens under one lock and is handed to the router before the lock is given back.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::faults::{Active, Fault, Faults};
use super::metrics::Process;
use super::router::{Route, Upstream, key};
use super::scenario::{ServiceSpec, check_version};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{ReleaseRef, Version};

/// How long the router needs until it calls a change of the traffic settled.
const SHIFT_SETTLE: Duration = Duration::from_millis(50);
/// How many releases a service may have; a program that registers them in a loop is stopped there.
const RELEASES: usize = 1_000;

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) spec: Arc<ServiceSpec>,
    pub(super) router: SocketAddr,
    pub(super) route: Arc<Route>,
    pub(super) name: Arc<str>,
    seed: u64,
    stop: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Newest first.
    releases: Vec<Entry>,
    traffic: Vec<Share>,
    generation: u64,
    maintenance: bool,
    schema: Option<u64>,
    faults: Vec<Active>,
    settled_at: Instant,
}

#[derive(Debug)]
struct Entry {
    version: Arc<str>,
    reference: ReleaseRef,
    created_at: Timestamp,
    author: Option<String>,
    schema: Option<u64>,
    phase: Phase,
}

/// The life of a release's one instance.
#[derive(Debug)]
enum Phase {
    Stopped,
    /// Being brought up.
    Starting,
    Up(Backend),
    /// Gone by a fault; comes back when that ends.
    Crashed,
}

/// Why an operation is refused. Nothing has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It names something that is not there.
    Unknown(String),
    /// It does not fit the state.
    Conflict(String),
    /// It makes no sense in itself.
    Invalid(String),
    /// The state has changed since the caller looked.
    Changed(String),
}

impl Service {
    /// Brings up what the scenario says is up.
    pub(super) fn new(
        spec: &Arc<ServiceSpec>,
        router: SocketAddr,
        route: Arc<Route>,
        seed: u64,
        stop: &CancellationToken,
        now: Timestamp,
    ) -> io::Result<Self> {
        let releases = spec
            .releases
            .iter()
            .map(|release| Entry {
                version: release.version.as_str().into(),
                reference: reference(&spec.name, &release.version),
                created_at: SignedDuration::try_from(release.age.0)
                    .ok()
                    .and_then(|age| now.checked_sub(age).ok())
                    .unwrap_or(now),
                author: release.author.clone(),
                schema: release.schema,
                phase: Phase::Stopped,
            })
            .collect::<Vec<_>>();
        let traffic = releases
            .first()
            .map(|entry| Share { reference: entry.reference.clone(), arm: Arm::Stable, percent: 100 })
            .into_iter()
            .collect();
        let service = Self {
            name: spec.name.as_str().into(),
            spec: Arc::clone(spec),
            router,
            route,
            seed,
            stop: stop.clone(),
            state: Mutex::new(State {
                schema: releases.first().and_then(|entry| entry.schema),
                releases,
                traffic,
                generation: 1,
                maintenance: false,
                faults: Vec::new(),
                settled_at: Instant::now(),
            }),
        };
        {
            let mut state = service.state();
            for (index, release) in spec.releases.iter().enumerate() {
                if index == 0 || release.running {
                    let backend = service.backend(&state, &state.releases[index])?;
                    state.releases[index].phase = Phase::Up(backend);
                }
            }
            service.publish(&state);
            service.record_traffic(&state);
        }
        Ok(service)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn backend(&self, state: &State, entry: &Entry) -> io::Result<Backend> {
        let faults = Faults::of(&entry.version, &state.faults);
        Backend::start(Arc::clone(&self.spec), Arc::clone(&entry.version), faults, self.seed, &self.stop)
    }

    /// What a platform would say of the service now.
    pub(super) fn inventory(&self) -> Inventory {
        let state = self.state();
        let starting = state.releases.iter().any(|entry| matches!(entry.phase, Phase::Starting));
        Inventory {
            releases: state
                .releases
                .iter()
                .map(|entry| Release {
                    version: Version::new(&entry.version),
                    reference: entry.reference.clone(),
                    created_at: entry.created_at,
                    author: entry.author.clone(),
                    schema: entry.schema,
                    running: matches!(entry.phase, Phase::Up(_)),
                })
                .collect(),
            traffic: state.traffic.clone(),
            settled: !starting && Instant::now() >= state.settled_at,
            failed: None,
            schema: state.schema,
            maintenance: Some(state.maintenance),
            instances: None,
            revision: Some(state.generation.to_string()),
        }
    }

    /// The process figures of its running backends.
    pub(super) fn processes(&self) -> Vec<(Arc<str>, Process)> {
        let state = self.state();
        let figures = |entry: &Entry| match &entry.phase {
            Phase::Up(backend) => Some((Arc::clone(&entry.version), backend.figures())),
            _ => None,
        };
        state.releases.iter().filter_map(figures).collect()
    }

    /// The address of a version's backend, while it is up.
    pub(super) fn backend_addr(&self, version: &str) -> Option<SocketAddr> {
        let state = self.state();
        match &state.releases.iter().find(|entry| &*entry.version == version)?.phase {
            Phase::Up(backend) => Some(backend.addr()),
            _ => None,
        }
    }

    /// The version that is stable.
    pub(super) fn stable(&self) -> Option<String> {
        let state = self.state();
        let share = state.traffic.iter().find(|share| share.arm == Arm::Stable)?;
        state
            .releases
            .iter()
            .find(|entry| entry.reference == share.reference)
            .map(|entry| entry.version.to_string())
    }

    /// The number of this state; it grows with every change that was asked for.
    pub(super) fn revision(&self) -> String {
        self.state().generation.to_string()
    }

    /// Refuses when the state is not the one that the caller has seen.
    pub(super) fn expect(&self, revision: &str) -> Result<(), Refusal> {
        let now = self.revision();
        if now == revision {
            return Ok(());
        }
        Err(Refusal::Changed(format!(
            "the state of `{}` is at revision {now}, not {revision}; read it again",
            self.name
        )))
    }

    /// Makes a release known, as the newest.
    pub(super) fn register(
        &self,
        version: &str,
        author: Option<String>,
        schema: Option<u64>,
    ) -> Result<ReleaseRef, Refusal> {
        check_version(version).map_err(Refusal::Invalid)?;
        let mut state = self.state();
        if state.releases.iter().any(|entry| &*entry.version == version) {
            return Err(Refusal::Conflict(format!("`{}` has the version `{version}` already", self.name)));
        }
        if state.releases.len() >= RELEASES {
            return Err(Refusal::Conflict(format!(
                "`{}` has {RELEASES} releases; that is enough",
                self.name
            )));
        }
        let reference = reference(&self.name, version);
        let entry = Entry {
            version: version.into(),
            reference: reference.clone(),
            created_at: Timestamp::now(),
            author,
            schema,
            phase: Phase::Stopped,
        };
        state.releases.insert(0, entry);
        state.generation += 1;
        Ok(reference)
    }

    /// Marks a release as being brought up. `false`: it is up already.
    pub(super) fn begin_start(&self, release: &str) -> Result<bool, Refusal> {
        let mut state = self.state();
        let index = self.find(&state, release)?;
        match state.releases[index].phase {
            Phase::Up(_) => return Ok(false),
            // A second call waits for the same instance.
            Phase::Starting => return Ok(true),
            Phase::Stopped | Phase::Crashed => {}
        }
        state.releases[index].phase = Phase::Starting;
        // A deployment migrates the database forward, and nothing takes that back by itself.
        state.schema = state.schema.max(state.releases[index].schema);
        state.generation += 1;
        Ok(true)
    }

    /// The settle time is over: the release is up, unless a fault keeps it down.
    pub(super) fn finish_start(&self, release: &str, then_all: bool) {
        let mut state = self.state();
        let Ok(index) = self.find(&state, release) else { return };
        if matches!(state.releases[index].phase, Phase::Starting) {
            let crashes =
                Faults::of(&state.releases[index].version, &state.faults).any(|fault| *fault == Fault::Crash);
            state.releases[index].phase = if crashes {
                Phase::Crashed
            } else {
                match self.backend(&state, &state.releases[index]) {
                    Ok(backend) => Phase::Up(backend),
                    // No port left: the release stays down, and its readers see that.
                    Err(_) => Phase::Stopped,
                }
            };
        }
        self.publish(&state);
        drop(state);
        if then_all {
            // Refused when the release did not come up: its readers see that as well.
            let _ = self.serve_all(release);
        }
    }

    /// Stops a release that has no traffic. One that is down already stays so.
    pub(super) fn stop(&self, release: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let index = self.find(&state, release)?;
        let reference = state.releases[index].reference.clone();
        if state.traffic.iter().any(|share| share.reference == reference && share.percent > 0) {
            return Err(Refusal::Conflict(format!("`{reference}` has traffic; move that first")));
        }
        state.releases[index].phase = Phase::Stopped;
        state.generation += 1;
        self.publish(&state);
        Ok(())
    }

    /// Forgets a release that is down. One that is not known is forgotten already.
    pub(super) fn remove(&self, release: &str) -> Result<(), Refusal> {
        let mut state = self.state();
        let Ok(index) = self.find(&state, release) else { return Ok(()) };
        if matches!(state.releases[index].phase, Phase::Up(_) | Phase::Starting) {
            let reference = &state.releases[index].reference;
            return Err(Refusal::Conflict(format!("`{reference}` runs; stop it first")));
        }
        state.releases.remove(index);
        state.generation += 1;
        self.publish(&state);
        Ok(())
    }

    /// Gives every release its share.
    pub(super) fn shift(&self, shares: &[Share]) -> Result<(), Refusal> {
        let mut state = self.state();
        let sum: u32 = shares.iter().map(|share| u32::from(share.percent)).sum();
        if sum != 100 {
            return Err(Refusal::Conflict(format!("the shares add up to {sum}, not to 100")));
        }
        let mut wanted: Vec<Share> = Vec::new();
        for share in shares {
            let index = self.find(&state, share.reference.as_str())?;
            let entry = &state.releases[index];
            if wanted.iter().any(|other| other.reference == entry.reference) {
                return Err(Refusal::Conflict(format!("`{}` is there twice", entry.reference)));
            }
            if share.percent == 0 {
                continue;
            }
            if !matches!(entry.phase, Phase::Up(_)) {
                return Err(Refusal::Conflict(format!(
                    "`{}` is not running; deploy it first",
                    entry.reference
                )));
            }
            if wanted.iter().any(|other| other.arm == share.arm) {
                return Err(Refusal::Conflict(format!("two releases cannot both be {}", share.arm)));
            }
            wanted.push(Share { reference: entry.reference.clone(), ..share.clone() });
        }
        // What serves alone is stable, whatever it was before.
        if let [only] = wanted.as_mut_slice() {
            only.arm = Arm::Stable;
        }
        wanted.sort_by_key(|share| share.arm);
        state.traffic = wanted;
        state.settled_at = Instant::now() + SHIFT_SETTLE;
        state.generation += 1;
        self.publish(&state);
        self.record_traffic(&state);
        Ok(())
    }

    /// Gives one release everything.
    pub(super) fn serve_all(&self, release: &str) -> Result<(), Refusal> {
        let reference = {
            let state = self.state();
            state.releases[self.find(&state, release)?].reference.clone()
        };
        self.shift(&[Share { reference, arm: Arm::Stable, percent: 100 }])
    }

    /// Turns the maintenance page on or off.
    pub(super) fn set_maintenance(&self, on: bool) {
        let mut state = self.state();
        if state.maintenance != on {
            state.maintenance = on;
            state.generation += 1;
            self.publish(&state);
        }
    }

    /// Begins a fault. A version may be named before it exists.
    pub(super) fn set_fault(&self, version: Option<String>, fault: Fault) -> Result<(), Refusal> {
        fault.check().map_err(Refusal::Invalid)?;
        let mut state = self.state();
        // A new fault of the same kind on the same version takes the old one's place.
        state.faults.retain(|active| active.version != version || !active.fault.is_same_kind(&fault));
        state.faults.push(Active { version, fault, since: Instant::now() });
        self.apply_faults(&mut state);
        Ok(())
    }

    /// Ends the faults of a version, or all of them. What had crashed comes back.
    pub(super) fn clear_faults(&self, version: Option<&str>) {
        let mut state = self.state();
        state.faults.retain(|active| version.is_some() && active.version.as_deref() != version);
        self.apply_faults(&mut state);
    }

    fn apply_faults(&self, state: &mut State) {
        for index in 0..state.releases.len() {
            let faults = Faults::of(&state.releases[index].version, &state.faults);
            let crashes = faults.any(|fault| *fault == Fault::Crash);
            let next = match &state.releases[index].phase {
                Phase::Up(_) if crashes => Some(Phase::Crashed),
                Phase::Up(backend) => {
                    backend.set_faults(faults);
                    None
                }
                Phase::Crashed if !crashes => self.backend(state, &state.releases[index]).ok().map(Phase::Up),
                _ => None,
            };
            if let Some(next) = next {
                state.releases[index].phase = next;
            }
        }
        self.route.ground().faulty(state.faults.iter().map(|active| active.version.clone()).collect());
        self.publish(state);
    }

    /// By reference, or by version for people.
    fn find(&self, state: &State, release: &str) -> Result<usize, Refusal> {
        state
            .releases
            .iter()
            .position(|entry| entry.reference.as_str() == release || &*entry.version == release)
            .ok_or_else(|| Refusal::Unknown(format!("`{}` has no release `{release}`", self.name)))
    }

    /// Hands the state to the router. Called with the state locked, so that the router never goes back in time.
    fn publish(&self, state: &State) {
        let upstreams = state
            .traffic
            .iter()
            .filter_map(|share| {
                let entry = state.releases.iter().find(|entry| entry.reference == share.reference)?;
                Some(Upstream {
                    key: key(&self.name, &entry.version, share.arm),
                    weight: share.percent,
                    addr: match &entry.phase {
                        Phase::Up(backend) => Some(backend.addr()),
                        _ => None,
                    },
                    muted: Faults::of(&entry.version, &state.faults).any(|fault| *fault == Fault::NoTraffic),
                })
            })
            .collect();
        let mut table = self.route.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.update(state.maintenance, upstreams);
    }

    fn record_traffic(&self, state: &State) {
        let percent = state
            .traffic
            .iter()
            .filter_map(|share| {
                let entry = state.releases.iter().find(|entry| entry.reference == share.reference)?;
                Some((entry.version.to_string(), share.percent))
            })
            .collect();
        self.route.ground().shifted(percent);
    }
}

/// The lab's identity of a release.
fn reference(service: &str, version: &str) -> ReleaseRef {
    ReleaseRef::new(format!("{service}@{version}"))
}
