//! The lab's admin interface: what a platform's API would be, plus metrics, faults and the ground truth.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `GET /admin/services` | | names, addresses, shares |
//! | `GET /admin/services/{s}` | | the inventory |
//! | `POST /admin/services/{s}/release` | `{version, author?, schema?}` | its reference |
//! | `POST /admin/services/{s}/deploy` | `{release}` | |
//! | `POST /admin/services/{s}/traffic` | `{shares: [{reference, arm, percent}]}` | |
//! | `POST /admin/services/{s}/restore` | `{release}` | |
//! | `POST /admin/services/{s}/stop` | `{release}` | of a release without traffic |
//! | `POST /admin/services/{s}/remove` | `{release}` | of one that is down |
//! | `POST /admin/services/{s}/maintenance` | `{on}` | |
//! | `POST /admin/services/{s}/fault` | `{kind, …, version?}` | |
//! | `POST /admin/services/{s}/clear` | `{version?}` | |
//! | any `/at/{s}/{version}/{path}` | | what that release answers, with traffic or without |
//! | `GET /admin/facts` | | [`Facts`](super::Facts) |
//! | `POST /admin/effects/delay` | `{ms?, after_ms?}` | |
//! | `POST /admin/effects/lose` | `{calls}` | |
//! | `GET /metrics` | | Prometheus text |
//!
//! The first five changing calls take `X-Idempotency-Key`, `X-Fencing-Token` and `X-Expected-Revision`. A refusal is
//! `{"error": {"code", "message"}}`: 400 `invalid`, 404 `unknown`, 409 `conflict` or `revision`, 412 `stale_token`,
//! 422 `key_reused`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::Fault;
use super::fleet::Fleet;
use super::ledger::{Caller, Delay, Known};
use super::net::Cut;
use super::router;
use super::service::{Refusal, Service};
use crate::model::release::Share;

/// The interface's server.
pub(super) fn app(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/admin/services", get(services))
        .route("/admin/services/{service}", get(inventory))
        .route("/admin/services/{service}/fault", post(fault))
        .route("/admin/services/{service}/clear", post(clear))
        .route("/admin/services/{service}/{verb}", post(change))
        .route("/at/{service}/{version}/{*path}", any(at))
        .route("/admin/facts", get(facts))
        .route("/admin/effects/delay", post(delay))
        .route("/admin/effects/lose", post(lose))
        .fallback(async || refusal(StatusCode::NOT_FOUND, "unknown", "there is nothing at this address"))
        .with_state(fleet)
}

async fn metrics(State(fleet): State<Arc<Fleet>>) -> Response {
    let page = fleet.metrics.page(&fleet.processes());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn services(State(fleet): State<Arc<Fleet>>) -> Response {
    let list: Vec<Value> = fleet
        .services
        .iter()
        .map(|(name, service)| {
            let inventory = service.inventory();
            let backends: serde_json::Map<String, Value> = inventory
                .releases
                .iter()
                .filter_map(|release| {
                    let addr = service.backend_addr(release.version.as_str())?;
                    Some((release.version.to_string(), json!(format!("http://{addr}"))))
                })
                .collect();
            json!({
                "name": name, "router": format!("http://{}", service.router),
                "backends": backends, "traffic": inventory.traffic,
            })
        })
        .collect();
    Json(json!({ "services": list })).into_response()
}

async fn inventory(State(fleet): State<Arc<Fleet>>, Path(name): Path<String>) -> Response {
    match fleet.service(&name) {
        Ok(service) => Json(service.inventory()).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// A release's own address: it answers here whether it has traffic or not, and nothing of it is counted.
async fn at(
    State(fleet): State<Arc<Fleet>>,
    Path((name, version, path)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Response {
    let service = match fleet.service(&name) {
        Ok(service) => service,
        Err(refused) => return refused.into_response(),
    };
    let Some(addr) = service.backend_addr(&version) else {
        return refusal(StatusCode::BAD_GATEWAY, "down", "there is no such release, or it is down");
    };
    match router::pass(&service.route.client, &version, addr, &format!("/{path}"), request).await {
        Ok((response, _)) => response,
        Err((status, text)) => (status, text).into_response(),
    }
}

async fn facts(State(fleet): State<Arc<Fleet>>) -> Response {
    Json(fleet.facts()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    version: String,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    schema: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetBody {
    release: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrafficBody {
    shares: Vec<Share>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceBody {
    on: bool,
}

/// A changing call: told apart by its last word, admitted by the ledger, applied once.
async fn change(
    State(fleet): State<Arc<Fleet>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path((name, verb)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let stop = fleet.stop.clone();
    // A caller that dies in the middle does not stop the effect, as it would not on a real platform. The lab's end does.
    let work = tokio::spawn(stop.run_until_cancelled_owned(async move {
        let delay = fleet.ledger().delay();
        tokio::time::sleep(delay.before).await;
        let (answer, lost) = match change_now(&fleet, &name, &verb, &headers, &body) {
            Ok(answer) => (Json(answer).into_response(), fleet.ledger().loses_one()),
            Err(refused) => (refused.into_response(), false),
        };
        tokio::time::sleep(delay.after).await;
        (answer, lost)
    }));
    match work.await {
        Ok(Some((answer, lost))) => {
            if lost {
                cut.now();
            }
            answer
        }
        Ok(None) => refusal(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the lab is stopping"),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
    }
}

fn change_now(
    fleet: &Fleet,
    name: &str,
    verb: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, Refused> {
    let service = fleet.service(name)?;
    if !["release", "deploy", "traffic", "restore", "maintenance", "stop", "remove"].contains(&verb) {
        return Err(Refusal::Unknown(format!("there is no call `{verb}`")).into());
    }
    let body: Value = parse(body)?;
    let caller = caller(headers)?;
    // The ledger stays locked from the look to the record: of two calls with one key only one acts.
    let mut ledger = fleet.ledger();
    if let Err(known) = ledger.admit(name, verb, &caller, &body) {
        return match known {
            Known::Repeated(answer) => Ok(answer),
            Known::Stale { highest } => Err(Refused(
                StatusCode::PRECONDITION_FAILED,
                "stale_token",
                format!("a leader with the newer token {highest} has acted on `{name}`"),
            )),
            Known::Reused => Err(Refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                "this idempotency key belongs to another call".to_owned(),
            )),
        };
    }
    if let Some(revision) = &caller.expected {
        service.expect(revision)?;
    }
    let done = apply(fleet, service, verb, &body)?;
    let mut answer = json!({ "message": done.0, "revision": service.revision() });
    if let Some(reference) = done.1 {
        answer["reference"] = json!(reference);
    }
    ledger.applied(name, verb, &caller, &body, &answer);
    drop(ledger);
    let by = caller.key.map(|key| format!(" (call {key})")).unwrap_or_default();
    fleet.say(name, format!("{}{by}", done.0));
    Ok(answer)
}

/// Carries the call out; answers in words, and with the reference of a new release.
fn apply(
    fleet: &Fleet,
    service: &Arc<Service>,
    verb: &str,
    body: &Value,
) -> Result<(String, Option<String>), Refused> {
    Ok(match verb {
        "release" => {
            let ReleaseBody { version, author, schema } = shape(body)?;
            let reference = service.register(&version, author, schema)?;
            (format!("release {version} registered"), Some(reference.to_string()))
        }
        "deploy" => {
            let TargetBody { release } = shape(body)?;
            fleet.deploy(service, &release)?;
            (format!("deploy of {release} accepted"), None)
        }
        "restore" => {
            let TargetBody { release } = shape(body)?;
            fleet.restore(service, &release)?;
            (format!("restore of {release} accepted"), None)
        }
        "stop" => {
            let TargetBody { release } = shape(body)?;
            service.stop(&release)?;
            (format!("{release} stopped"), None)
        }
        "remove" => {
            let TargetBody { release } = shape(body)?;
            service.remove(&release)?;
            (format!("{release} removed"), None)
        }
        "traffic" => {
            let TrafficBody { shares } = shape(body)?;
            service.shift(&shares)?;
            let words: Vec<String> = shares
                .iter()
                .filter(|share| share.percent > 0)
                .map(|share| format!("{} {} %", share.reference, share.percent))
                .collect();
            (format!("traffic: {}", words.join(", ")), None)
        }
        _ => {
            let MaintenanceBody { on } = shape(body)?;
            service.set_maintenance(on);
            (format!("maintenance page {}", if on { "on" } else { "off" }), None)
        }
    })
}

async fn fault(State(fleet): State<Arc<Fleet>>, Path(name): Path<String>, body: Bytes) -> Response {
    answer((|| {
        let service = fleet.service(&name)?;
        let mut body: Value = parse(&body)?;
        let version = match body.as_object_mut().and_then(|body| body.remove("version")) {
            None | Some(Value::Null) => None,
            Some(version) => Some(shape::<String>(&version)?),
        };
        let fault: Fault = shape(&body)?;
        let words = fault.words();
        service.set_fault(version.clone(), fault)?;
        fleet.say(&name, format!("{} {words}", version.as_deref().unwrap_or("every version")));
        Ok(json!({ "message": words }))
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearBody {
    #[serde(default)]
    version: Option<String>,
}

async fn clear(State(fleet): State<Arc<Fleet>>, Path(name): Path<String>, body: Bytes) -> Response {
    answer((|| {
        let service = fleet.service(&name)?;
        let ClearBody { version } = shape(&parse(&body)?)?;
        service.clear_faults(version.as_deref());
        fleet.say(&name, "faults end");
        Ok(json!({ "message": "faults end" }))
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DelayBody {
    #[serde(default)]
    ms: u64,
    #[serde(default)]
    after_ms: u64,
}

async fn delay(State(fleet): State<Arc<Fleet>>, body: Bytes) -> Response {
    answer((|| {
        let DelayBody { ms, after_ms } = shape(&parse(&body)?)?;
        let most = |ms: u64| Duration::from_millis(ms.min(600_000));
        fleet.ledger().set_delay(Delay { before: most(ms), after: most(after_ms) });
        Ok(
            json!({ "message": format!("changing calls wait {ms} ms before and {after_ms} ms after the effect") }),
        )
    })())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoseBody {
    calls: u32,
}

async fn lose(State(fleet): State<Arc<Fleet>>, body: Bytes) -> Response {
    answer((|| {
        let LoseBody { calls } = shape(&parse(&body)?)?;
        fleet.ledger().lose(calls);
        Ok(json!({ "message": format!("the next {calls} answers get lost") }))
    })())
}

fn caller(headers: &HeaderMap) -> Result<Caller, Refused> {
    let text = |name: &str| -> Result<Option<String>, Refused> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let value =
            value.to_str().map_err(|_| Refusal::Invalid(format!("the header `{name}` is not plain text")))?;
        Ok(Some(value.to_owned()))
    };
    let token = text("x-fencing-token")?
        .map(|token| {
            token.parse().map_err(|_| {
                Refusal::Invalid(format!("the header `x-fencing-token` is a number, not `{token}`"))
            })
        })
        .transpose()?;
    Ok(Caller { key: text("x-idempotency-key")?, token, expected: text("x-expected-revision")? })
}

/// An empty body is an empty object.
fn parse(body: &[u8]) -> Result<Value, Refused> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Invalid(format!("the body is not JSON: {error}")).into())
}

fn shape<T: DeserializeOwned>(body: &Value) -> Result<T, Refused> {
    T::deserialize(body).map_err(|error| Refusal::Invalid(format!("the body does not fit: {error}")).into())
}

/// A refusal as it is answered: status, code, message.
struct Refused(StatusCode, &'static str, String);

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(message) => Self(StatusCode::NOT_FOUND, "unknown", message),
            Refusal::Conflict(message) => Self(StatusCode::CONFLICT, "conflict", message),
            Refusal::Invalid(message) => Self(StatusCode::BAD_REQUEST, "invalid", message),
            Refusal::Changed(message) => Self(StatusCode::CONFLICT, "revision", message),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refusal(self.0, self.1, &self.2)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Refused::from(self).into_response()
    }
}

fn answer(result: Result<Value, Refused>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "error": { "code": code, "message": message } }))).into_response()
}
