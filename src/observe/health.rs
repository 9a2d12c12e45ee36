//! Judging a health answer: an HTTP status and a body in, a verdict and a health document out. Pure.
//!
//! # The rules
//!
//! 1. A status outside the expected ones is unhealthy, whatever a body says that calls itself healthy. One exception: a
//!    JSON body that says `degraded` makes it degraded, because services that work with a part missing commonly say so
//!    with a 503.
//! 2. Under an expected status the body decides, where it can be understood and its rule does not say to ignore it.
//! 3. A JSON body without a status of its own, but with dependencies, is judged by them: none down is healthy, up to half
//!    of them down is degraded, more is unhealthy. A dependency that is itself degraded makes it degraded.
//! 4. A text that has to be in the body and is not makes it unhealthy.
//!
//! # The dialects
//!
//! The state is a word (in any case) under `status`, `health` or `state`, or a boolean under `healthy`, `ok`, `up`,
//! `ready` or `alive`. Spring Boot's Actuator, health+json (draft-inadarei-api-health-check), MicroProfile Health and
//! ASP.NET Core's health reports are covered. Spring's `UNKNOWN` is neither up nor down: as a service's state it is
//! degraded, as a dependency's it is not counted.
//!
//! Every text that is taken over is bounded and without control characters: the other side writes it, a terminal shows it.

mod document;

use serde_json::Value;

use crate::model::probe::{BodyRule, DependencyHealth, Health, HealthDocument};

/// What a probe expects of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Statuses that mean "up"; none: any 2xx.
    pub status: &'a [u16],
    /// How the body is judged.
    pub body: BodyRule,
    /// Text that has to be in the body.
    pub contains: Option<&'a str>,
}

/// What an answer means.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// The verdict.
    pub health: Health,
    /// Why, in words; empty when healthy.
    pub reason: String,
    /// The health document, if the body was one.
    pub document: Option<HealthDocument>,
}

/// What a body says by itself.
struct Said {
    health: Health,
    /// In words, quoted: "`down`", "1 of 3 dependencies is down".
    words: String,
    json: bool,
}

/// Judges an answer. Never fails: what cannot be understood is either left to the status or unhealthy, as the rule asks.
pub fn judge(status: u16, body: &[u8], expected: &Expected<'_>) -> Judgement {
    let up = if expected.status.is_empty() {
        (200..300).contains(&status)
    } else {
        expected.status.contains(&status)
    };
    let (said, document) = match expected.body {
        BodyRule::Ignore => (Ok(None), None),
        BodyRule::Text => (must_be_a_word(body), None),
        BodyRule::Json => must_be_json(body),
        BodyRule::Auto => whatever_it_is(body),
    };
    let (mut health, mut reason) = match (up, said) {
        (true, Ok(None)) => (Health::Healthy, String::new()),
        (true, Ok(Some(said))) if said.health == Health::Healthy => (Health::Healthy, String::new()),
        (true, Ok(Some(said))) => (said.health, format!("the body says {}", said.words)),
        (true, Err(problem)) => (Health::Unhealthy, problem),
        (false, Ok(Some(said))) if said.health == Health::Degraded && said.json => {
            (Health::Degraded, format!("{}: the body says {}", status_words(status), said.words))
        }
        (false, Ok(Some(said))) if said.health == Health::Healthy => {
            (Health::Unhealthy, format!("{}, although the body says {}", status_words(status), said.words))
        }
        (false, Ok(Some(said))) => {
            (Health::Unhealthy, format!("{}: the body says {}", status_words(status), said.words))
        }
        (false, _) => (Health::Unhealthy, status_words(status)),
    };
    if let Some(text) = expected.contains
        && !String::from_utf8_lossy(body).contains(text)
    {
        let problem = format!("`{}` is not in the body", clip(text, 60));
        reason = if health == Health::Unhealthy { format!("{reason}; {problem}") } else { problem };
        health = Health::Unhealthy;
    }
    Judgement { health, reason, document }
}

fn status_words(status: u16) -> String {
    if (300..400).contains(&status) {
        format!("status {status}, a redirect; redirects are not followed")
    } else {
        format!("status {status}")
    }
}

type Reading = (Result<Option<Said>, String>, Option<HealthDocument>);

/// The longest text that is taken for a single word.
const WORD_LIMIT: usize = 64;

fn must_be_a_word(body: &[u8]) -> Result<Option<Said>, String> {
    match plain_word(body) {
        Some(said) => Ok(Some(said)),
        None if body.trim_ascii().is_empty() => Err("the body is empty".to_owned()),
        None => Err(format!("the body `{}` is not a known word", clip(&String::from_utf8_lossy(body), 60))),
    }
}

fn plain_word(body: &[u8]) -> Option<Said> {
    let text = body.trim_ascii();
    if text.len() > WORD_LIMIT {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.trim_end_matches(['.', '!']);
    let health = match state_word(text)? {
        State::Known(health) => health,
        State::Unknown => Health::Degraded,
    };
    Some(Said { health, words: format!("`{}`", clip(text, WORD_LIMIT)), json: false })
}

fn must_be_json(body: &[u8]) -> Reading {
    if body.trim_ascii().is_empty() {
        return (Err("the body is empty, not JSON".to_owned()), None);
    }
    match serde_json::from_slice::<Value>(without_mark(body)) {
        Err(_) => (Err("the body is not JSON".to_owned()), None),
        Ok(value) => match json(&value) {
            (Some(said), document) => (Ok(Some(said)), document),
            (None, document) => (Err(document::no_status(&value)), document),
        },
    }
}

fn whatever_it_is(body: &[u8]) -> Reading {
    let body = without_mark(body);
    if let Some(b'{' | b'[' | b'"') = body.trim_ascii_start().first() {
        return match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                let (said, document) = json(&value);
                (Ok(said), document)
            }
            Err(_) => (Ok(None), None),
        };
    }
    (Ok(plain_word(body)), None)
}

/// Some frameworks of the Windows world put a byte order mark before JSON.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn json(value: &Value) -> (Option<Said>, Option<HealthDocument>) {
    if let Value::String(text) = value {
        let mut said = plain_word(text.as_bytes());
        if let Some(said) = &mut said {
            said.json = true;
        }
        return (said, None);
    }
    let Some(document) = document::read(value) else { return (None, None) };
    let said = match document::stated(value) {
        Some((health, word)) => {
            Some(Said { health, words: with_culprits(&word, health, &document), json: true })
        }
        None => by_dependencies(&document.dependencies),
    };
    (said, Some(document))
}

/// "`degraded` (redis: timeout after 2 s)": a state that is not healthy, and the dependencies that explain it.
fn with_culprits(word: &str, health: Health, document: &HealthDocument) -> String {
    let word = format!("`{}`", clip(word, WORD_LIMIT));
    if health == Health::Healthy {
        return word;
    }
    let names = culprits(&document.dependencies);
    if names.is_empty() { word } else { format!("{word} ({names})") }
}

/// The dependencies that are not healthy, the first three by name.
fn culprits(dependencies: &[DependencyHealth]) -> String {
    let bad: Vec<_> = dependencies.iter().filter(|one| one.health != Health::Healthy).collect();
    let mut words: Vec<String> = bad
        .iter()
        .take(3)
        .map(|one| match &one.error {
            Some(error) => format!("{}: {}", one.name, clip(error, 80)),
            None => format!("{} {}", one.name, one.health.word()),
        })
        .collect();
    if bad.len() > 3 {
        words.push(format!("{} more", bad.len() - 3));
    }
    words.join(", ")
}

/// The rule for a document that names dependencies and no state of its own.
fn by_dependencies(dependencies: &[DependencyHealth]) -> Option<Said> {
    if dependencies.is_empty() {
        return None;
    }
    let all = dependencies.len();
    let down = dependencies.iter().filter(|one| one.health == Health::Unhealthy).count();
    let degraded = dependencies.iter().any(|one| one.health == Health::Degraded);
    let health = match down {
        0 if degraded => Health::Degraded,
        0 => Health::Healthy,
        _ if down * 2 <= all => Health::Degraded,
        _ => Health::Unhealthy,
    };
    let words = match health {
        Health::Healthy => "that every dependency is up".to_owned(),
        _ => format!("that {down} of {all} dependencies are down ({})", culprits(dependencies)),
    };
    Some(Said { health, words, json: true })
}

/// What a word for a state means.
#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    Known(Health),
    /// The other side says that it does not know.
    Unknown,
}

/// The meaning of a word, in any case; `-` and a space count as `_`.
fn state_word(text: &str) -> Option<State> {
    let text = text.trim();
    if text.is_empty() || text.len() > WORD_LIMIT {
        return None;
    }
    let word = text.to_ascii_lowercase().replace(['-', ' '], "_");
    Some(State::Known(match word.as_str() {
        "healthy" | "ok" | "okay" | "up" | "pass" | "passed" | "passing" | "alive" | "live" | "ready"
        | "green" | "connected" | "available" | "running" | "online" | "operational" | "serving"
        | "success" | "good" => Health::Healthy,
        "degraded" | "warn" | "warning" | "yellow" | "partial" | "slow" | "impaired" => Health::Degraded,
        "unhealthy" | "down" | "fail" | "failed" | "failing" | "failure" | "error" | "critical" | "red"
        | "dead" | "out_of_service" | "disconnected" | "unavailable" | "unreachable" | "offline"
        | "not_ready" | "not_serving" | "not_connected" | "refused" | "timeout" | "stopped" | "broken" => {
            Health::Unhealthy
        }
        "unknown" => return Some(State::Unknown),
        _ => return None,
    }))
}

/// At most `limit` characters, on one line, without anything that a terminal would act on.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 4));
    for (count, char) in text.trim().chars().enumerate() {
        if count == limit {
            out.push('…');
            break;
        }
        out.push(if char.is_control() { ' ' } else { char });
    }
    out
}

#[cfg(test)]
mod tests;
