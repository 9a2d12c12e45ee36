//! One instance of one release: a real HTTP server with a health document, and the faults of its version.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::faults::{Fault, Faults};
use super::metrics::Process;
use super::net;
use super::scenario::ServiceSpec;

/// Tells the router that an answer was touched by a fault; the router takes it off.
pub(super) const TOUCHED: HeaderName = HeaderName::from_static("x-lab-fault");

/// A share of the memory limit that a process uses without a leak.
const MEMORY_AT_REST: f64 = 0.38;

/// A running backend. Dropping it is a crash: the port refuses and connections break.
#[derive(Debug)]
pub(super) struct Backend {
    addr: SocketAddr,
    stop: CancellationToken,
    process: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    spec: Arc<ServiceSpec>,
    version: Arc<str>,
    started: Instant,
    faults: Mutex<Faults>,
    rng: Mutex<StdRng>,
    connections: AtomicU64,
    recent: Mutex<Recent>,
    stop: CancellationToken,
}

impl Backend {
    /// Takes a port and starts to serve.
    pub(super) fn start(
        spec: Arc<ServiceSpec>,
        version: Arc<str>,
        faults: Faults,
        seed: u64,
        parent: &CancellationToken,
    ) -> io::Result<Self> {
        let (listener, addr) = net::bind(None)?;
        let stop = parent.child_token();
        // Each version draws its own numbers, whatever the others do.
        let seed = spec.name.bytes().chain(version.bytes()).fold(seed, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17)
        });
        let process = Arc::new(Running {
            spec,
            version,
            started: Instant::now(),
            faults: Mutex::new(faults),
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            connections: AtomicU64::new(0),
            recent: Mutex::default(),
            stop: stop.clone(),
        });
        let app = Router::new()
            .route("/health", get(health))
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/login", post(login))
            .route("/account", get(account))
            .fallback(any(work))
            .with_state(Arc::clone(&process));
        net::serve(listener, app, stop.clone())?;
        Ok(Self { addr, stop, process })
    }

    /// Where it listens.
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is wrong with it from now on.
    pub(super) fn set_faults(&self, faults: Faults) {
        *self.process.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Its process figures now.
    pub(super) fn figures(&self) -> Process {
        self.process.figures()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    fn faults(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn draw(&self) -> f64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    fn figures(&self) -> Process {
        let limit = f64::from(self.spec.memory_limit_mb) * 1024.0 * 1024.0;
        let mut share = MEMORY_AT_REST;
        for (fault, since) in self.faults().iter() {
            if let Fault::MemoryLeak { per_second } = fault {
                // A restart begins with an empty heap, the leak goes on.
                share += per_second * since.max(self.started).elapsed().as_secs_f64();
            }
        }
        let connections = self.connections.load(Ordering::Relaxed) as f64;
        let (rate, _) = self.recent.lock().unwrap_or_else(PoisonError::into_inner).read(self.started);
        Process {
            memory: share.min(0.99) * limit,
            memory_limit: limit,
            cpu: (0.03 + rate * 0.001 + connections * 0.002).min(0.98),
        }
    }

    /// No dependency down: healthy; up to half down: degraded; more: unhealthy.
    fn status(&self, faults: &Faults) -> &'static str {
        let flapped = faults.iter().any(|(fault, since)| match fault {
            Fault::FlappingHealth { period } => {
                let period = period.as_millis().max(2);
                since.elapsed().as_millis() % period < period / 2
            }
            _ => false,
        });
        let all = self.spec.dependencies.len();
        let down = self.spec.dependencies.iter().filter(|name| is_down(faults, name)).count();
        match down {
            _ if flapped => "unhealthy",
            0 => "healthy",
            down if down * 2 <= all => "degraded",
            _ => "unhealthy",
        }
    }

    async fn hang(&self, faults: &Faults) {
        if faults.any(|fault| *fault == Fault::Hang) {
            self.stop.cancelled().await;
        }
    }
}

fn is_down(faults: &Faults, dependency: &str) -> bool {
    faults.any(|fault| matches!(fault, Fault::DependencyDown { name } if name == dependency))
}

/// Takes any user and gives a token, as users of a smoke suite need it. It fails as often as everything else here does.
async fn login(State(process): State<Arc<Running>>, Json(body): Json<Value>) -> Response {
    let answer = work(State(Arc::clone(&process)), Uri::from_static("/login")).await.into_response();
    if !answer.status().is_success() {
        return answer;
    }
    match body["user"].as_str().filter(|user| !user.is_empty()) {
        Some(user) => Json(json!({ "user": user, "token": token(user) })).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "error": "no user" }))).into_response(),
    }
}

/// Who the token belongs to.
async fn account(State(process): State<Arc<Running>>, headers: HeaderMap) -> Response {
    let answer = work(State(Arc::clone(&process)), Uri::from_static("/account")).await.into_response();
    if !answer.status().is_success() {
        return answer;
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let user = given.strip_prefix("Bearer lab-").and_then(|rest| rest.strip_suffix("-token"));
    match user {
        Some(user) => {
            Json(json!({ "user": user, "version": &*process.version, "cart": null })).into_response()
        }
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "error": "no token" }))).into_response(),
    }
}

fn token(user: &str) -> String {
    format!("lab-{user}-token")
}

async fn health(State(process): State<Arc<Running>>) -> Response {
    let faults = process.faults();
    process.hang(&faults).await;
    let now = Timestamp::now();
    let status = process.status(&faults);
    let dependencies: Vec<Value> = process
        .spec
        .dependencies
        .iter()
        .map(|name| {
            if is_down(&faults, name) {
                json!({
                    "name": name, "status": "unhealthy", "responseTime": 1000.0, "lastChecked": now,
                    "error": "connection timed out",
                })
            } else {
                let ms = (1.0 + process.draw() * 4.0 * 10.0).round() / 10.0;
                json!({ "name": name, "status": "healthy", "responseTime": ms, "lastChecked": now })
            }
        })
        .collect();
    let figures = process.figures();
    let (rate, errors) = process.recent.lock().unwrap_or_else(PoisonError::into_inner).read(process.started);
    let body = json!({
        "service": process.spec.name,
        "status": status,
        "timestamp": now,
        "version": &*process.version,
        "uptime": process.started.elapsed().as_secs_f64(),
        "dependencies": dependencies,
        "metrics": {
            "memory": figures.memory / figures.memory_limit,
            "cpu": figures.cpu,
            "connections": process.connections.load(Ordering::Relaxed),
            "requestsPerMinute": rate * 60.0,
            "errorRate": errors,
        },
    });
    answer(if status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, body, None)
}

async fn live(State(process): State<Arc<Running>>) -> Response {
    process.hang(&process.faults()).await;
    answer(StatusCode::OK, json!({ "status": "alive" }), None)
}

async fn ready(State(process): State<Arc<Running>>) -> Response {
    let faults = process.faults();
    process.hang(&faults).await;
    if process.status(&faults) == "unhealthy" {
        return answer(StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "not ready" }), None);
    }
    answer(StatusCode::OK, json!({ "status": "ready" }), None)
}

async fn work(State(process): State<Arc<Running>>, uri: Uri) -> Response {
    let _open = Open::new(&process.connections);
    let faults = process.faults();
    process.hang(&faults).await;
    let mut touched = None;
    let mut took = process.spec.latency.mul_f64(0.6 + 0.8 * process.draw());
    let mut failure = (process.draw() < process.spec.errors).then_some("internal error");
    for (fault, _) in faults.iter() {
        match fault {
            Fault::Latency { extra } => {
                took += extra.0;
                touched = Some("latency");
            }
            Fault::Errors { rate } if process.draw() < *rate => {
                failure = Some("internal error");
                touched = Some("errors");
            }
            Fault::DependencyDown { name }
                if process.spec.dependencies.contains(name)
                    && process.draw() < 1.0 / process.spec.dependencies.len() as f64 =>
            {
                failure = Some("a dependency does not answer");
                touched = Some("dependency_down");
            }
            _ => {}
        }
    }
    tokio::time::sleep(took).await;
    process.recent.lock().unwrap_or_else(PoisonError::into_inner).count(process.started, failure.is_some());
    let (status, body) = match failure {
        Some(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": error })),
        None => (
            StatusCode::OK,
            json!({ "service": process.spec.name, "version": &*process.version, "path": uri.path() }),
        ),
    };
    answer(status, body, touched)
}

fn answer(status: StatusCode, body: Value, touched: Option<&'static str>) -> Response {
    match touched {
        Some(fault) => (status, [(TOUCHED, fault)], Json(body)).into_response(),
        None => (status, Json(body)).into_response(),
    }
}

/// Counts an open request for as long as it lives, however it ends.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn new(count: &'a AtomicU64) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Requests of the last ten seconds, by second.
#[derive(Default, Debug)]
struct Recent([(u64, u32, u32); 10]);

impl Recent {
    fn count(&mut self, started: Instant, bad: bool) {
        let second = started.elapsed().as_secs();
        let slot = &mut self.0[(second % 10) as usize];
        if slot.0 != second {
            *slot = (second, 0, 0);
        }
        slot.1 += 1;
        slot.2 += u32::from(bad);
    }

    /// Requests a second and the share of bad ones.
    fn read(&self, started: Instant) -> (f64, f64) {
        let age = started.elapsed();
        let (mut all, mut bad) = (0, 0);
        for (second, count, errors) in self.0 {
            if second + 10 > age.as_secs() {
                all += count;
                bad += errors;
            }
        }
        let over = age.clamp(Duration::from_secs(1), Duration::from_secs(10)).as_secs_f64();
        (f64::from(all) / over, if all == 0 { 0.0 } else { f64::from(bad) / f64::from(all) })
    }
}
