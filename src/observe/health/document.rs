//! Reading a health document out of JSON, from any of the dialects that are understood.

use serde_json::{Map, Value};

use super::{State, clip, state_word};
use crate::model::Span;
use crate::model::probe::{DependencyHealth, Health, HealthDocument};

/// A document is kept with every result: it may not grow with what the other side sends.
const MOST_ENTRIES: usize = 64;
const NAME_LIMIT: usize = 80;
const ERROR_LIMIT: usize = 200;

/// Where a state is written as a word.
const STATE_KEYS: [&str; 5] = ["status", "health", "state", "overall_status", "overallStatus"];
/// Where a state is written as a boolean.
const FLAG_KEYS: [&str; 7] = ["healthy", "ok", "up", "ready", "alive", "connected", "available"];
/// Where dependencies are listed, as objects, words or booleans.
const DEPENDENCY_KEYS: [&str; 4] = ["dependencies", "checks", "components", "services"];
/// Where dependencies are listed as objects only, because other things stand there too: `details` is Spring Boot 2's
/// `components`, `entries` and `results` are ASP.NET's, `info` is Terminus's.
const OBJECT_KEYS: [&str; 4] = ["details", "entries", "results", "info"];
const VERSION_KEYS: [&str; 5] = ["releaseId", "version", "app_version", "appVersion", "release"];
const ERROR_KEYS: [&str; 6] = ["error", "output", "message", "description", "reason", "exception"];
const MILLISECOND_KEYS: [&str; 12] = [
    "response_ms",
    "response_time_ms",
    "responseTimeMs",
    "responseTime",
    "response_time",
    "latency_ms",
    "latencyMs",
    "latency",
    "duration_ms",
    "durationMs",
    "duration",
    "ms",
];

/// The document of a JSON object, or nothing where it has none of a health document's parts.
pub(super) fn read(value: &Value) -> Option<HealthDocument> {
    let object = value.as_object()?;
    let document = HealthDocument {
        version: VERSION_KEYS.iter().find_map(|key| text_or_number(object.get(*key)?)),
        uptime_s: uptime(object),
        dependencies: dependencies(object),
        metrics: object.get("metrics").and_then(Value::as_object).map(metrics).unwrap_or_default(),
    };
    (document != HealthDocument::default() || stated(value).is_some()).then_some(document)
}

/// The state that a document claims for itself, and the word that it uses.
pub(super) fn stated(value: &Value) -> Option<(Health, String)> {
    let (state, word) = state_of(value.as_object()?)?;
    Some(match state {
        State::Known(health) => (health, word),
        State::Unknown => (Health::Degraded, word),
    })
}

/// Why a document that has to have a state has none.
pub(super) fn no_status(value: &Value) -> String {
    let word =
        value.as_object().and_then(|object| STATE_KEYS.iter().find_map(|key| object.get(*key)?.as_str()));
    match word {
        Some(word) => format!("the body's status `{}` is not a known word", clip(word, NAME_LIMIT)),
        None => "the body has no status".to_owned(),
    }
}

fn state_of(object: &Map<String, Value>) -> Option<(State, String)> {
    STATE_KEYS.iter().find_map(|key| state_value(object.get(*key)?)).or_else(|| {
        FLAG_KEYS.iter().find_map(|key| {
            let flag = object.get(*key)?.as_bool()?;
            Some((flag_state(flag), format!("{key}: {flag}")))
        })
    })
}

/// A state as a word, as a boolean, or (older Spring) as `{"code": "UP"}`.
fn state_value(value: &Value) -> Option<(State, String)> {
    match value {
        Value::String(word) => Some((state_word(word)?, word.clone())),
        Value::Bool(flag) => Some((flag_state(*flag), flag.to_string())),
        Value::Object(object) => ["code", "status", "state"].iter().find_map(|key| {
            let word = object.get(*key)?.as_str()?;
            Some((state_word(word)?, word.to_owned()))
        }),
        _ => None,
    }
}

const fn flag_state(flag: bool) -> State {
    State::Known(if flag { Health::Healthy } else { Health::Unhealthy })
}

fn dependencies(object: &Map<String, Value>) -> Vec<DependencyHealth> {
    let mut found: Vec<DependencyHealth> = Vec::new();
    let free = DEPENDENCY_KEYS.iter().map(|key| (key, true));
    for (key, any) in free.chain(OBJECT_KEYS.iter().map(|key| (key, false))) {
        match object.get(*key) {
            Some(Value::Object(entries)) => {
                for (name, value) in entries.iter().filter(|(_, value)| any || value.is_object()) {
                    add(&mut found, dependency(name, value));
                }
            }
            Some(Value::Array(entries)) => {
                for value in entries {
                    let name = ["name", "id", "key", "service", "component"]
                        .iter()
                        .find_map(|key| value.get(*key)?.as_str());
                    add(&mut found, name.and_then(|name| dependency(name, value)));
                }
            }
            _ => {}
        }
    }
    found
}

/// Terminus and others list the same dependency twice (`info` and `details`); the first stays.
fn add(found: &mut Vec<DependencyHealth>, new: Option<DependencyHealth>) {
    if let Some(new) = new
        && found.len() < MOST_ENTRIES
        && !found.iter().any(|one| one.name == new.name)
    {
        found.push(new);
    }
}

fn dependency(name: &str, value: &Value) -> Option<DependencyHealth> {
    match value {
        // health+json: each key has an array of observations; the worst of them speaks.
        Value::Array(observations) => observations
            .iter()
            .take(MOST_ENTRIES)
            .filter_map(|one| if one.is_array() { None } else { dependency(name, one) })
            .reduce(|worst, one| if one.health > worst.health { one } else { worst }),
        Value::Object(object) => {
            let State::Known(health) = state_of(object)?.0 else { return None };
            Some(DependencyHealth {
                name: clip(name, NAME_LIMIT),
                health,
                response_ms: response_ms(object),
                error: if health == Health::Healthy { None } else { error(object) },
            })
        }
        _ => match state_value(value)?.0 {
            State::Unknown => None,
            State::Known(health) => Some(DependencyHealth {
                name: clip(name, NAME_LIMIT),
                health,
                response_ms: None,
                error: None,
            }),
        },
    }
}

fn error(object: &Map<String, Value>) -> Option<String> {
    let text = |object: &Map<String, Value>| {
        ERROR_KEYS.iter().find_map(|key| {
            let text = clip(object.get(*key)?.as_str()?, ERROR_LIMIT);
            (!text.is_empty()).then_some(text)
        })
    };
    text(object).or_else(|| text(object.get("details")?.as_object()?))
}

/// Milliseconds as a number, as text with a unit, or as a health+json observation with its unit beside it.
fn response_ms(object: &Map<String, Value>) -> Option<f64> {
    let written = MILLISECOND_KEYS.iter().find_map(|key| match object.get(*key)? {
        Value::String(text) => Some(text.parse::<Span>().ok()?.as_secs_f64() * 1_000.0),
        value => value.as_f64(),
    });
    written.or_else(|| {
        let value = object.get("observedValue")?.as_f64()?;
        match object.get("observedUnit")?.as_str()? {
            "ms" | "milliseconds" => Some(value),
            "s" | "seconds" => Some(value * 1_000.0),
            _ => None,
        }
    })
}

fn uptime(object: &Map<String, Value>) -> Option<f64> {
    for (key, seconds) in [
        ("uptime_s", 1.0),
        ("uptime_seconds", 1.0),
        ("uptimeSeconds", 1.0),
        ("uptime_ms", 0.001),
        ("uptimeMs", 0.001),
        ("uptime", 1.0),
    ] {
        match object.get(key) {
            Some(Value::String(text)) => {
                if let Ok(span) = text.parse::<Span>() {
                    return Some(span.as_secs_f64());
                }
            }
            Some(value) => {
                if let Some(number) = value.as_f64() {
                    return Some(number * seconds);
                }
            }
            None => {}
        }
    }
    None
}

fn metrics(object: &Map<String, Value>) -> std::collections::BTreeMap<String, f64> {
    object
        .iter()
        .filter_map(|(name, value)| Some((clip(name, NAME_LIMIT), value.as_f64()?)))
        .take(MOST_ENTRIES)
        .collect()
}

fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(clip(text, NAME_LIMIT)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
