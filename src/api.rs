//! The guard's HTTP listener: alarms come in, health and metrics go out.
//!
//! | call | answer |
//! |---|---|
//! | `POST /api/v1/alarms/alertmanager` | takes a webhook of Alertmanager, version 4 |
//! | `POST /api/v1/alarms` | takes plain JSON: one alarm, or a list |
//! | `GET /health` | how unship itself is, with what it depends on; 503 with the same body when it is unhealthy |
//! | `GET /health/live` | the process answers |
//! | `GET /health/ready` | the journal is open and it is known who leads |
//! | `GET /metrics` | Prometheus text |
//!
//! A refusal is `{"error": {"code", "message"}}`. Alertmanager takes every 4xx, 429 too, as final; so whatever may be sent
//! again is refused with 503. `200` to an alarm means that it is in the journal and survives a loss of power.

mod alarms;
mod gate;
mod health;
mod metrics;
mod server;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::runtime::Door;
use crate::model::received::spec::ApiSpec;
use crate::model::secret::Secrets;

use tally::Tally;

/// Alarms that are read at once: the largest of them take much memory.
const READ_AT_ONCE: usize = 4;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{listen}`, as `api.listen` says: {source}")]
    Listen {
        /// The address.
        listen: String,
        /// Why.
        source: io::Error,
    },
    /// The token was not read.
    #[error("the secret `{0}` of `api.token` was not read")]
    Token(String),
    /// Anybody on the network could send alarms.
    #[error("`api.listen` can be reached from other machines, and there is no `api.token`")]
    Open,
}

/// A listener. Dropping it ends it at once; [`Api::stop`] lets what is being answered come to its end.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

/// What the handlers share.
struct Shared {
    door: Door,
    secrets: Arc<Secrets>,
    /// What callers have to show.
    token: Option<gate::Token>,
    /// Requests that may be answered at once.
    requests: Semaphore,
    /// Alarms that may be read at once.
    readers: Semaphore,
    /// Where what was not understood is kept.
    samples: Option<PathBuf>,
    /// How many of these there were.
    sampled: AtomicU64,
    tally: Arc<Tally>,
    began: Instant,
    began_at: Timestamp,
}

impl Api {
    /// Begins to listen. What is not understood is kept in `samples`, a few of it.
    ///
    /// # Errors
    ///
    /// If the address cannot be listened on, or may not without a token.
    pub async fn start(
        door: Door,
        spec: &ApiSpec,
        secrets: Arc<Secrets>,
        samples: Option<PathBuf>,
    ) -> Result<Self, ApiError> {
        let cannot = |source| ApiError::Listen { listen: spec.listen.clone(), source };
        let token = match &spec.token {
            Some(reference) => {
                let secret = secrets.get(reference).ok_or_else(|| ApiError::Token(reference.to_string()))?;
                Some(gate::Token::new(secret))
            }
            None => None,
        };
        let listener = TcpListener::bind(&spec.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        if token.is_none() && !address.ip().is_loopback() {
            return Err(ApiError::Open);
        }
        let tally = Arc::<Tally>::default();
        let counting = tokio::spawn(tally::count(door.clone(), Arc::clone(&tally)));
        let shared = Arc::new(Shared {
            door,
            secrets,
            token,
            requests: Semaphore::new(usize::from(spec.requests)),
            readers: Semaphore::new(READ_AT_ONCE),
            samples,
            sampled: AtomicU64::new(0),
            tally,
            began: Instant::now(),
            began_at: Timestamp::now(),
        });
        let stop = CancellationToken::new();
        let open = Arc::clone(&shared.tally);
        let serving = tokio::spawn(server::serve(listener, app(shared), open, stop.clone()));
        Ok(Self { address, stop, tasks: vec![serving, counting] })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing more in, and waits a moment for what is being answered.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.tasks.first_mut() {
            let _ = serving.await;
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop.cancel();
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn app(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/v1/alarms/alertmanager", post(alarms::alertmanager))
        .route("/api/v1/alarms", post(alarms::plain))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "unknown", "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "method", "this address takes another method")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), gate::gate))
        .with_state(shared)
}

/// A refusal in the form that all of them have.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}
