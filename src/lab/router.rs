//! The weighted router in front of a service: forwards real requests, and measures what comes back.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::backend::TOUCHED;
use super::facts::Ground;
use super::metrics::{Key, Metrics};
use crate::model::release::Arm;

/// The version that answered.
const VERSION: HeaderName = HeaderName::from_static("x-unship-version");
/// The arm that it serves on.
const ARM: HeaderName = HeaderName::from_static("x-unship-arm");
/// Largest request body that is passed on, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;
/// Headers that belong to one connection and are not passed on (RFC 9110, 7.6.1), and those the client sets itself.
const OWN: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
];

/// How long a backend may take to answer. A slow one answers within it, a hanging one does not.
pub(super) const BACKEND_TIMEOUT: Duration = Duration::from_secs(2);

/// A release that has a share of the traffic.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    /// What is counted under.
    pub(super) key: Key,
    /// Percent of the traffic.
    pub(super) weight: u8,
    /// Where its backend listens; none while it is down.
    pub(super) addr: Option<SocketAddr>,
    /// Whether it gets nothing in spite of its weight.
    pub(super) muted: bool,
}

/// Where traffic goes now.
#[derive(Debug, Default)]
pub(super) struct Table {
    maintenance: bool,
    upstreams: Vec<Upstream>,
    /// Work and health requests take turns apart from each other, so that a probe does not disturb the weights.
    work: RoundRobin,
    health: RoundRobin,
}

impl Table {
    /// Takes a new state over. The turn goes on where it was unless the weights have changed.
    pub(super) fn update(&mut self, maintenance: bool, upstreams: Vec<Upstream>) {
        let shape = |upstreams: &[Upstream]| -> Vec<(Key, u8, bool)> {
            upstreams.iter().map(|upstream| (upstream.key.clone(), upstream.weight, upstream.muted)).collect()
        };
        if shape(&self.upstreams) != shape(&upstreams) {
            let weights: Vec<u8> =
                upstreams.iter().map(|upstream| if upstream.muted { 0 } else { upstream.weight }).collect();
            self.work = RoundRobin::new(&weights);
            self.health = RoundRobin::new(&weights);
        }
        self.maintenance = maintenance;
        self.upstreams = upstreams;
    }

    fn pick(&mut self, health: bool) -> Option<Upstream> {
        let turn = if health { &mut self.health } else { &mut self.work };
        self.upstreams.get(turn.next()?).cloned()
    }
}

/// Smooth weighted round robin as nginx does it: every choice raises each candidate by its weight and takes the sum of
/// weights from the one that is chosen. Any run of as many choices as the sum hits every weight exactly.
#[derive(Debug, Default)]
struct RoundRobin(Vec<(i64, i64)>);

impl RoundRobin {
    fn new(weights: &[u8]) -> Self {
        Self(weights.iter().map(|weight| (i64::from(*weight), 0)).collect())
    }

    fn next(&mut self) -> Option<usize> {
        let sum: i64 = self.0.iter().map(|(weight, _)| weight).sum();
        let mut best: Option<usize> = None;
        for index in 0..self.0.len() {
            let (weight, current) = self.0[index];
            if weight == 0 {
                continue;
            }
            self.0[index].1 = current + weight;
            if best.is_none_or(|best| self.0[index].1 > self.0[best].1) {
                best = Some(index);
            }
        }
        let best = best?;
        self.0[best].1 -= sum;
        Some(best)
    }
}

/// What a router needs.
#[derive(Debug)]
pub(super) struct Route {
    /// Where traffic goes.
    pub(super) table: Mutex<Table>,
    /// What truly happened.
    pub(super) ground: Mutex<Ground>,
    /// What was measured.
    pub(super) metrics: Arc<Metrics>,
    /// To the backends.
    pub(super) client: reqwest::Client,
}

/// The router's server.
pub(super) fn app(route: Arc<Route>) -> Router {
    Router::new().fallback(forward).with_state(route)
}

async fn forward(State(route): State<Arc<Route>>, request: Request<Body>) -> Response {
    // Health stays visible behind the page: that is how one knows when to take it off.
    let health = matches!(request.uri().path(), "/health" | "/live" | "/ready");
    let upstream = {
        let mut table = route.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.maintenance && !health {
            return page();
        }
        table.pick(health)
    };
    let Some(upstream) = upstream else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no release has traffic\n").into_response();
    };
    let began = Instant::now();
    if !health {
        route.ground().sent(&upstream.key.version);
    }
    let (mut response, touched) = match ask(&route.client, &upstream, request).await {
        Ok(answer) => answer,
        Err((status, text)) => ((status, text).into_response(), false),
    };
    let error = response.status().is_server_error();
    if !health {
        route.metrics.count(&upstream.key, began.elapsed(), error);
    }
    route.ground().answered(&upstream.key.version, error || touched, health);
    if let Ok(version) = HeaderValue::from_str(&upstream.key.version) {
        response.headers_mut().insert(VERSION, version);
    }
    response.headers_mut().insert(ARM, HeaderValue::from_static(upstream.key.arm.word()));
    response
}

impl Route {
    /// What truly happened, locked.
    pub(super) fn ground(&self) -> std::sync::MutexGuard<'_, Ground> {
        self.ground.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the backend; the flag says whether a fault touched the answer.
async fn ask(
    client: &reqwest::Client,
    upstream: &Upstream,
    request: Request<Body>,
) -> Result<(Response, bool), (StatusCode, String)> {
    let version = &upstream.key.version;
    let Some(addr) = upstream.addr else {
        return Err((StatusCode::BAD_GATEWAY, format!("{version} is down\n")));
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    pass(client, version, addr, &path, request).await
}

/// Passes a request on to one backend.
pub(super) async fn pass(
    client: &reqwest::Client,
    version: &str,
    addr: SocketAddr,
    path: &str,
    request: Request<Body>,
) -> Result<(Response, bool), (StatusCode, String)> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| (StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large\n".to_owned()))?;
    let mut headers = parts.headers;
    for name in &OWN {
        headers.remove(name);
    }
    let failed = |error: reqwest::Error| {
        if error.is_timeout() {
            (StatusCode::GATEWAY_TIMEOUT, format!("{version} did not answer in time\n"))
        } else {
            (StatusCode::BAD_GATEWAY, format!("{version} cannot be reached\n"))
        }
    };
    let answer = client
        .request(parts.method, format!("http://{addr}{path}"))
        .headers(headers)
        .body(body)
        .send()
        .await
        .map_err(failed)?;
    let status = answer.status();
    let mut headers = answer.headers().clone();
    let body: Bytes = answer.bytes().await.map_err(failed)?;
    for name in &OWN {
        headers.remove(name);
    }
    let touched = headers.remove(TOUCHED).is_some();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok((response, touched))
}

/// What users see while the service is closed on purpose.
fn page() -> Response {
    const TEXT: &str = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>\n";
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(header::RETRY_AFTER, "30"), (header::CONTENT_TYPE, "text/html; charset=utf-8")],
        TEXT,
    )
        .into_response()
}

/// The key of a series.
pub(super) fn key(service: &Arc<str>, version: &Arc<str>, arm: Arm) -> Key {
    Key { service: Arc::clone(service), version: Arc::clone(version), arm }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over one round every weight is met exactly, and the lighter one is spread instead of coming in a row.
    #[test]
    fn the_round_robin_is_exact_and_smooth() {
        let mut turn = RoundRobin::new(&[80, 20]);
        let picks: Vec<usize> = (0..100).filter_map(|_| turn.next()).collect();
        assert_eq!(picks.iter().filter(|pick| **pick == 1).count(), 20);
        assert!(picks.windows(2).all(|pair| pair != [1, 1]), "{picks:?}");
        assert!(picks.chunks(5).all(|round| round.iter().sum::<usize>() == 1), "{picks:?}");
    }

    /// Nothing is chosen when nothing has weight.
    #[test]
    fn no_weight_no_choice() {
        assert_eq!(RoundRobin::new(&[]).next(), None);
        assert_eq!(RoundRobin::new(&[0, 0]).next(), None);
    }
}
