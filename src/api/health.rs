//! How unship itself is: the same document that it reads of others, with a liveness and a readiness path beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::runtime::{Leadership, View};
use crate::model::breaker::{BreakerState, Dependency};
use crate::model::probe::Health;

use super::{Shared, tally};

/// How long the journal may take to answer.
const JOURNAL_WITHIN: Duration = Duration::from_secs(2);

/// Something that unship depends on.
struct Part {
    name: String,
    kind: &'static str,
    /// Why it is down; none when it is not.
    error: Option<String>,
    response_ms: Option<f64>,
    last_checked: Option<Timestamp>,
}

/// The process answers.
pub(super) async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// The journal is open and it is known who leads.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let view = shared.door.view();
    let why = match (&view.trouble, &view.leadership) {
        (Some(_), _) => Some("the journal cannot be used"),
        (None, Leadership::Nobody) => Some("it is not known who leads"),
        (None, _) => None,
    };
    match why {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "error": why })))
            .into_response(),
    }
}

/// The whole document; 503 carries it too.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let view = shared.door.view();
    let now = Timestamp::now();
    let mut parts = parts(&shared, &view);
    let journal = journal(&shared, &view, now).await;
    let journal_is_down = journal.error.is_some();
    parts.insert(0, journal);
    let down = parts.iter().filter(|part| part.error.is_some()).count();
    let health = overall(parts.len(), down, journal_is_down, view.leadership == Leadership::Nobody);
    let seconds = shared.began.elapsed().as_secs_f64();
    let (requests, failed) = shared.tally.requests();
    let (cpu, memory) = tally::process();
    let dependencies: Vec<Value> = parts
        .into_iter()
        .map(|part| {
            json!({
                "name": part.name,
                "kind": part.kind,
                "status": if part.error.is_some() { Health::Unhealthy.word() } else { Health::Healthy.word() },
                "response_ms": part.response_ms,
                "last_checked": part.last_checked,
                "error": part.error.map(|error| shared.secrets.redact(&error)),
            })
        })
        .collect();
    let document = json!({
        "service": "unship",
        "environment": shared.door.config().environment.name,
        "status": health.word(),
        "timestamp": now,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": (seconds * 1_000.0).round() / 1_000.0,
        "started_at": shared.began_at,
        "role": match view.leadership {
            Leadership::Ours(_) => "leading",
            Leadership::Theirs(_) => "following",
            Leadership::Nobody => "nobody leads",
        },
        "leader": view.leadership.holder(),
        "alarm_path_down": view.state.alarms.path_down(),
        "dependencies": dependencies,
        "metrics": {
            "memory_bytes": memory,
            "cpu_seconds": cpu,
            "connections": shared.tally.connections.load(Ordering::Relaxed),
            // Over the time since it began, which is less than a minute at first.
            "requests_per_minute": requests as f64 * 60.0 / seconds.max(60.0),
            "error_rate": if requests == 0 { 0.0 } else { failed as f64 / requests as f64 },
        },
    });
    let status = if health == Health::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(document)).into_response()
}

/// No dependency down: healthy; up to half: degraded; more: unhealthy. Without a journal nothing works, and while nobody
/// leads nothing is watched.
fn overall(parts: usize, down: usize, journal_is_down: bool, nobody_leads: bool) -> Health {
    if journal_is_down || down * 2 > parts {
        Health::Unhealthy
    } else if down > 0 || nobody_leads {
        Health::Degraded
    } else {
        Health::Healthy
    }
}

async fn journal(shared: &Shared, view: &View, now: Timestamp) -> Part {
    let asked = tokio::time::timeout(JOURNAL_WITHIN, shared.door.ask_journal()).await;
    let (took, error) = match asked {
        Ok(Ok(took)) => (Some(took), view.trouble.clone()),
        Ok(Err(error)) => (None, Some(error.to_string())),
        Err(_) => (None, Some(format!("no answer within {} s", JOURNAL_WITHIN.as_secs()))),
    };
    Part {
        name: "journal".to_owned(),
        kind: "journal",
        error,
        response_ms: took.map(millis),
        last_checked: Some(now),
    }
}

/// Sources, platforms and channels.
fn parts(shared: &Shared, view: &View) -> Vec<Part> {
    let config = shared.door.config();
    let state = &view.state;
    let asked = |dependency: &Dependency| {
        let asked = view.asked.get(dependency);
        (asked.map(|asked| millis(asked.took)), asked.map(|asked| asked.at))
    };
    let sources = config.sources.keys().map(|name| {
        let (response_ms, last_checked) = asked(&Dependency::Source(name.clone()));
        let error = state.source_faults.get(name).map(|fault| fault.reason.clone());
        Part { name: name.to_string(), kind: "source", error, response_ms, last_checked }
    });
    let platforms = config.services.keys().map(|name| {
        let (response_ms, last_checked) = asked(&Dependency::Platform(name.clone()));
        let fault = state.service(name).and_then(|known| known.platform_fault.as_ref());
        let error = fault.map(|fault| fault.reason.clone());
        Part { name: name.to_string(), kind: "platform", error, response_ms, last_checked }
    });
    let channels = config.channels.keys().map(|name| {
        let breaker = state.channel_breakers.get(name);
        let open = breaker.filter(|breaker| breaker.state == BreakerState::Open);
        // Nobody writes to a channel only to see whether it is there.
        Part {
            name: name.to_string(),
            kind: "channel",
            error: open.map(|breaker| breaker.reason.clone()),
            response_ms: None,
            last_checked: breaker.map(|breaker| breaker.since),
        }
    });
    sources.chain(platforms).chain(channels).collect()
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of what it depends on may be down before unship calls itself unhealthy; the journal may not.
    #[test]
    fn the_half_rule() {
        use Health::{Degraded, Healthy, Unhealthy};
        for (parts, down, journal, nobody, health) in [
            (4, 0, false, false, Healthy),
            (4, 1, false, false, Degraded),
            (4, 2, false, false, Degraded),
            (4, 3, false, false, Unhealthy),
            (5, 2, false, false, Degraded),
            (5, 3, false, false, Unhealthy),
            (1, 0, false, false, Healthy),
            (4, 1, true, false, Unhealthy),
            (4, 0, false, true, Degraded),
            (4, 3, false, true, Unhealthy),
        ] {
            assert_eq!(overall(parts, down, journal, nobody), health, "{parts} {down} {journal} {nobody}");
        }
    }
}
