//! Alarms on their way in: read, checked, handed to the engine, and answered when they are safe.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::model::received::{AlarmBatch, AlarmReport, alertmanager as wire};

use super::gate::busy;
use super::{Shared, refuse};

mod plain;
mod samples;

/// The largest body, in bytes.
const BODY_LIMIT: usize = 8 * 1024 * 1024;
/// The most alarms in one message.
const ALARMS_LIMIT: usize = 10_000;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);
/// How long the journal may take. Whoever sends waits for it.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

/// What a body says: its alarms, and how many were left out of it.
type Parsed = Result<(Vec<AlarmReport>, u64), String>;

/// A webhook of Alertmanager.
pub(super) async fn alertmanager(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    take(&shared, request, "alertmanager", wire::webhook).await
}

/// Plain JSON.
pub(super) async fn plain(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    take(&shared, request, "json", |body| Ok((plain::read(body)?, 0))).await
}

async fn take(
    shared: &Arc<Shared>,
    request: Request,
    source: &'static str,
    read: fn(&Value) -> Parsed,
) -> Response {
    if !is_json(request.headers()) {
        let message = "alarms are sent as JSON, with `Content-Type: application/json`";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message);
    }
    let body = match body(request).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let parsed = {
        let Ok(_turn) = shared.readers.acquire().await else { return busy("the listener stops") };
        let (shared, body) = (Arc::clone(shared), body.clone());
        // The largest would hold up everything else on this thread.
        tokio::task::spawn_blocking(move || parse(&shared, &body, read)).await
    };
    let (reports, truncated) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(why)) => {
            shared.tally.malformed.fetch_add(1, Ordering::Relaxed);
            samples::keep(shared, source, &why, body).await;
            return refuse(StatusCode::BAD_REQUEST, "malformed", &why);
        }
        Err(_) => {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "defect", "a defect of unship; the log has it");
        }
    };
    if reports.len() > ALARMS_LIMIT {
        let message = format!("{} alarms in one message, expected at most {ALARMS_LIMIT}", reports.len());
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "too_many", &message);
    }
    let count = reports.len();
    let batch = AlarmBatch { at: Timestamp::now(), reports, truncated };
    match tokio::time::timeout(TAKEN_WITHIN, shared.door.receive(batch)).await {
        Ok(Ok(())) => {
            shared.tally.alarms.fetch_add(count as u64, Ordering::Relaxed);
            Json(json!({ "taken": count })).into_response()
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, count, "alarms were not taken in");
            busy(&format!("the alarms could not be written down: {error}; send them again"))
        }
        Err(_) => {
            tracing::warn!(count, "alarms were not taken in: the journal takes too long");
            busy("the journal takes too long; send them again")
        }
    }
}

/// A browser can send anything but this to another site without asking it first.
fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

async fn body(request: Request) -> Result<Bytes, Response> {
    let too_large = || {
        let message = format!("the body is larger than {BODY_LIMIT} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &message)
    };
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > BODY_LIMIT) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(request.into_body(), BODY_LIMIT)).await {
        Ok(Ok(body)) => Ok(body),
        // It ended early, or it is too long.
        Ok(Err(error)) if is_too_long(&error) => Err(too_large()),
        Ok(Err(_)) => Err(refuse(StatusCode::BAD_REQUEST, "incomplete", "the body did not arrive whole")),
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_WITHIN.as_secs());
            Err(refuse(StatusCode::REQUEST_TIMEOUT, "slow", &message))
        }
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn parse(shared: &Shared, body: &[u8], read: fn(&Value) -> Parsed) -> Parsed {
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8 text".to_owned())?;
    // A secret of ours in a label would get into the journal, which is kept for ever.
    let text = shared.secrets.redact(text);
    let value: Value =
        serde_json::from_str(&text).map_err(|error| format!("the body is not JSON: {error}"))?;
    read(&value)
}
