//! Reading an HTTP endpoint that answers JSON: each series is a number at a JSON pointer.
//!
//! The address and the pointers may hold `{service}` and `{arm}`. Every address that comes of that is asked once a reading.
//! What cannot be read in an answer is missing for the subject that it speaks for, in its own words; only when no address
//! can be read at all, the source cannot.

use std::borrow::Cow;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::Value;

use crate::model::release::Arm;
use crate::model::source::{JsonSpec, Subject};
use crate::model::{ServiceName, placeholder, pointer};

use super::http::{Client, Endpoint, Exchange, Line};
use super::schedule::ObserveError;
use super::series::{Found, Habits, One, Readings, Role, Slot};
use super::source::{Indicators, Read};

/// What is in an answer for the first time counts in full only beside something that has been there before; an hour at the
/// usual interval.
const HABITS: Habits = Habits { remembered: 360, careful: true };

/// Addresses that are asked at the same time.
const AT_ONCE: usize = 4;

/// An answer larger than this is read on a thread for blocking work, so that it does not hold up the probes.
const LARGE: usize = 512 * 1024;

/// Endpoints that are ready to be read, again and again.
pub(super) struct Json {
    spec: JsonSpec,
    addresses: Vec<Address>,
    series: Vec<Series>,
    readings: Readings,
}

/// One address with its placeholders filled in.
struct Address {
    /// The connection, or why it can never be asked as it is configured.
    line: Result<Line, String>,
}

/// One series of an indicator.
#[derive(Debug)]
struct Series {
    /// As it is written, the service filled in.
    shown: String,
    role: Role,
    /// Where it is, for each subject: the address's place, and the pointer.
    places: Vec<(Subject, usize, String)>,
}

/// What an address answered, or why that is of no use.
type Answer = Result<Value, String>;

impl Json {
    pub(super) fn new(spec: JsonSpec, indicators: Indicators, client: &Client) -> Result<Self, ObserveError> {
        let mut urls: Vec<String> = Vec::new();
        let mut series = Vec::new();
        let readings = Readings::new(indicators, HABITS, |service, indicator, role, text| {
            let fault = match role {
                Role::Histogram(_) => Some("JSON has no histograms; read a quantile as a gauge".to_owned()),
                _ => pointer::fault(text).map(|fault| format!("`{text}` is not a JSON pointer: {fault}")),
            };
            if let Some(reason) = fault {
                let (service, indicator) = (service.clone(), indicator.clone());
                return Err(ObserveError::Series { service, indicator, reason });
            }
            let one = Series::new(&spec, service, role, text, &mut urls);
            let shown = one.shown.clone();
            series.push(one);
            Ok(Slot { number: series.len() - 1, shown, has_grown: false })
        })?;
        let addresses = urls.into_iter().map(|url| {
            let endpoint = Endpoint::json("GET", &url, &spec.secret_headers, client.secrets());
            Address { line: endpoint.map(Line::new) }
        });
        Ok(Self { addresses: addresses.collect(), spec, series, readings })
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Read {
        let at = Timestamp::now();
        let (timeout, limit) = (self.spec.timeout.0, self.spec.max_body);
        let asked = self.addresses.iter_mut().map(|address| address.ask(client, timeout, limit));
        let asked: Vec<_> = asked.collect();
        let answers: Vec<(Answer, bool)> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let hung = answers.iter().any(|(_, hung)| *hung);
        let answers: Vec<Answer> = answers.into_iter().map(|(answer, _)| answer).collect();
        if let Some(Err(reason)) = answers.first()
            && answers.iter().all(Result::is_err)
        {
            return Read { at, hung, result: Err(reason.clone()) };
        }
        let found = self.series.iter().map(|series| series.find(&answers)).collect();
        Read { at, hung, result: Ok(self.readings.take(found, at, None)) }
    }
}

impl Address {
    /// Asks it; also whether it had to be waited for to the end.
    async fn ask(&mut self, client: &Client, timeout: Duration, limit: u64) -> (Answer, bool) {
        let line = match &mut self.line {
            Ok(line) => line,
            Err(reason) => return (Err(reason.clone()), false),
        };
        let exchange = line.ask(client, timeout, limit).await;
        let hung = exchange.hung(timeout);
        let shown = &line.endpoint().shown;
        (understand(exchange).await.map_err(|reason| format!("`{shown}`: {reason}")), hung)
    }
}

impl Series {
    fn new(spec: &JsonSpec, service: &ServiceName, role: Role, text: &str, urls: &mut Vec<String>) -> Self {
        let by_arm =
            placeholder::has(&spec.url, placeholder::ARM) || placeholder::has(text, placeholder::ARM);
        let arms: &[Option<Arm>] = if by_arm { &[Some(Arm::Stable), Some(Arm::Canary)] } else { &[None] };
        let word = |arm: Arm| match (&spec.arms, arm) {
            (Some(arms), Arm::Stable) => arms.stable.as_str(),
            (Some(arms), Arm::Canary) => arms.canary.as_str(),
            (None, arm) => arm.word(),
        };
        let places = arms.iter().map(|arm| {
            let value = |name: &str| match name {
                placeholder::SERVICE => Some(service.as_str()),
                placeholder::ARM => arm.map(word),
                _ => None,
            };
            let url = placeholder::fill(&spec.url, |name| value(name).map(Cow::Borrowed));
            let number = urls.iter().position(|known| *known == url).unwrap_or_else(|| {
                urls.push(url);
                urls.len() - 1
            });
            let pointer =
                placeholder::fill(text, |name| value(name).map(|value| Cow::Owned(pointer::escape(value))));
            (arm.map_or(Subject::Whole, Subject::Arm), number, pointer)
        });
        let shown = placeholder::fill(text, |name| {
            (name == placeholder::SERVICE).then(|| Cow::Owned(pointer::escape(service.as_str())))
        });
        Self { places: places.collect(), shown, role }
    }

    fn find(&self, answers: &[Answer]) -> Found {
        let mut found = Found {
            absent: Some(format!("nothing is at `{}` in the answer", self.shown)),
            ..Found::default()
        };
        for (subject, address, pointer) in &self.places {
            let value = match &answers[*address] {
                Ok(document) => match document.pointer(pointer) {
                    Some(value) => self.number(pointer, value),
                    None => continue,
                },
                Err(reason) => Err(reason.clone()),
            };
            // What has no value now has one before and after: it is known, so that it does not begin anew.
            let number = value.unwrap_or_else(|reason| {
                found.failed.insert(subject.clone(), reason);
                f64::NAN
            });
            found.series.insert(format!("{subject:?}"), One::new(subject.clone(), number));
        }
        found
    }

    fn number(&self, pointer: &str, value: &Value) -> Result<f64, String> {
        let what = match value {
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if self.role == Role::Counter && number < 0.0 {
                    return Err(format!("`{pointer}` is {number}: a counter is never negative"));
                }
                return Ok(number);
            }
            Value::Null => return Err(format!("`{pointer}` is null")),
            Value::Bool(_) => "`true` or `false`",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Err(format!("`{pointer}` is {what}, expected a number"))
    }
}

async fn understand(exchange: Exchange) -> Answer {
    match (exchange.status, exchange.body) {
        (Some(200), Ok(body)) if body.len() > LARGE => {
            let task = tokio::task::spawn_blocking(move || parse(&body));
            task.await.map_err(|_| "the reading was cancelled".to_owned())?
        }
        (Some(200), Ok(body)) => parse(&body),
        (Some(status @ (401 | 403)), Ok(_)) => {
            Err(format!("status {status}: it wants other `secret_headers`"))
        }
        (Some(status), Ok(_)) => Err(format!("status {status}")),
        (_, Err(failure)) => Err(failure.words().to_owned()),
        (None, Ok(_)) => Err("an answer without a status".to_owned()),
    }
}

fn parse(body: &[u8]) -> Answer {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the answer is empty".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        let text = error.to_string();
        if text.starts_with("number out of range") {
            format!("a number at {place} is too large to be one")
        } else if is_no_number(body, error.line(), error.column()) {
            format!("not JSON: `NaN` or `Infinity` at {place}")
        } else if error.is_eof() {
            format!("not JSON: it breaks off at {place}")
        } else {
            format!("not JSON: {text}")
        }
    })
}

/// Whether what is wrong at a place is one of the words that some programs write for what is no number.
fn is_no_number(body: &[u8], line: usize, column: usize) -> bool {
    let line = body.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let rest = line.get(column.saturating_sub(1)..).unwrap_or_default();
    let rest = rest.strip_prefix(b"-").unwrap_or(rest);
    rest.starts_with(b"NaN") || rest.starts_with(b"Infinity")
}

#[cfg(test)]
mod tests;
