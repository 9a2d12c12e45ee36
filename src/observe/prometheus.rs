//! Asking a Prometheus server, or one that speaks its HTTP API, by instant and by range queries.
//!
//! # What is asked
//!
//! - **A series** (`http_requests_total{code=~"5.."}`) is asked for as it is, and `timestamp(…)` of it beside, in the same
//!   instant: so what a counter grew by is exact, a restart of one instance of many is seen as one, and a sample is as old
//!   as the scrape that it comes from, not as the question. What the server has not scraped anew makes no sample.
//! - **An expression with `{window}`** (`sum by (track) (increase(x[{window}]))`) gives what happened since the reading before;
//!   the windows of one reading and the next touch each other. For servers that have too many series to fetch them all.
//! - **Any other expression** is the value of a gauge, and has to give one series for each arm.
//!
//! All questions of a reading are for one instant. A query that is answered with an error, with nothing, with too much or
//! with old samples leaves its own indicators missing, each in its own words; a server that does not answer, or not in its
//! language, is a source that cannot be read.

mod answer;
mod history;
mod question;

use std::collections::HashMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use crate::model::source::{PrometheusSpec, Reading};

use super::http::{Ask, Client, Endpoint, Line};
use super::schedule::ObserveError;
use super::series::{Habits, Readings, Slot};
use super::source::{Indicators, Read};
use answer::Answer;
use question::{Question, Style};

pub(super) use history::history;

/// Series come and go in a server for reasons of its own, and what it shows after that was counted long before: a target
/// that it could not scrape, a restart of the server. They are remembered for an hour at the usual interval.
const HABITS: Habits = Habits { remembered: 240, careful: true };

/// Connections that the questions of one reading are spread over.
const LINES: usize = 4;

/// A request line longer than this is sent as a form: proxies refuse long ones.
const LONGEST_LINE: usize = 2_000;

/// A server that is ready to be asked, again and again.
pub(super) struct Prometheus {
    spec: PrometheusSpec,
    lines: Result<Vec<Line>, String>,
    /// The path before `/api/v1`.
    base: String,
    questions: Vec<Question>,
    readings: Readings,
    /// The last reading that succeeded.
    last: Option<Timestamp>,
}

/// Answers by query. A query that failed has its reason.
type Answers = HashMap<String, Result<Answer, String>>;

impl Prometheus {
    pub(super) fn new(
        spec: PrometheusSpec,
        indicators: Indicators,
        client: &Client,
    ) -> Result<Self, ObserveError> {
        let mut questions: Vec<Question> = Vec::new();
        let readings = Readings::new(indicators, HABITS, |service, indicator, role, text| {
            let question = Question::new(service, role, text, spec.arms.as_ref()).map_err(|reason| {
                ObserveError::Series { service: service.clone(), indicator: indicator.clone(), reason }
            })?;
            let has_grown = question.style == Style::Grown;
            let shown = question.shown.clone();
            questions.push(question);
            Ok(Slot { number: questions.len() - 1, shown, has_grown })
        })?;
        let lines = (0..LINES)
            .map(|_| Endpoint::json("GET", &spec.url, &spec.secret_headers, client.secrets()).map(Line::new))
            .collect();
        let base = reqwest::Url::parse(&spec.url)
            .map(|url| url.path().trim_end_matches('/').to_owned())
            .unwrap_or_default();
        Ok(Self { spec, lines, base, questions, readings, last: None })
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Read {
        let at = to_the_millisecond(Timestamp::now());
        let mut hung = false;
        let result = self.read_at(at, client, &mut hung).await;
        Read { at, hung, result }
    }

    async fn read_at(&mut self, at: Timestamp, client: &Client, hung: &mut bool) -> Result<Reading, String> {
        let window = self.window(at);
        let queries = queries(&self.questions, window);
        let instant = seconds(at);
        let asks = queries.iter().map(|query| self.ask("query", query, &[("time", instant.clone())]));
        let asks = asks.collect::<Result<Vec<_>, _>>()?;
        let (answers, waited) = self.exchange(&queries, asks, client).await;
        *hung = waited;
        let answers = answers?;
        let mut remarks: Vec<String> =
            answers.values().flatten().flat_map(|answer| answer.remarks.clone()).collect();
        remarks.sort();
        remarks.dedup();
        let found = self
            .questions
            .iter()
            .map(|question| question.found(&answers, window, at, self.spec.stale_after.0))
            .collect();
        // Without a window nothing was asked that has one, and the next one reaches back to the last.
        let since = window.and_then(|window| at.checked_sub(window).ok());
        if since.is_some() || self.last.is_none() {
            self.last = Some(at);
        }
        Ok(Reading { remarks, ..self.readings.take(found, at, since) })
    }

    /// What `{window}` stands for: the time since the last reading, in whole milliseconds. None while that is much shorter
    /// than an interval: it would hold too few scrapes for the server to say anything.
    fn window(&self, at: Timestamp) -> Option<Duration> {
        let interval = self.spec.interval.0;
        let Some(last) = self.last.filter(|last| *last < at) else { return Some(interval) };
        let passed = at.duration_since(last).unsigned_abs();
        (passed >= interval.mul_f64(0.9)).then(|| passed.min(LONGEST_WINDOW.max(interval)))
    }

    fn ask(&self, what: &str, query: &str, more: &[(&str, String)]) -> Result<Ask, String> {
        // Part of an answer is no answer: Thanos and VictoriaMetrics say so when they are asked to, others do not care.
        let timeout = format!("{}ms", self.spec.timeout.as_millis());
        let form = form(
            [
                ("query", query),
                ("timeout", &timeout),
                ("partial_response", "false"),
                ("deny_partial_response", "1"),
            ]
            .into_iter()
            .chain(more.iter().map(|(key, value)| (*key, value.as_str()))),
        );
        let path = format!("{}/api/v1/{what}", self.base);
        if path.len() + form.len() < LONGEST_LINE {
            Ask::get(&format!("{path}?{form}"))
        } else {
            Ask::post(&path, "application/x-www-form-urlencoded", form)
        }
    }

    /// Asks everything, over a few connections; also whether it had to be waited for to the end. An error is one of the
    /// source.
    async fn exchange(
        &mut self,
        queries: &[String],
        asks: Vec<Ask>,
        client: &Client,
    ) -> (Result<Answers, String>, bool) {
        let lines = match &mut self.lines {
            Ok(lines) => lines,
            Err(reason) => return (Err(reason.clone()), false),
        };
        let (timeout, limit) = (self.spec.timeout.0, self.spec.max_body);
        let used = lines.len();
        let asked = lines.iter_mut().enumerate().map(|(number, line)| {
            let mine = queries.iter().zip(&asks).skip(number).step_by(used);
            async move {
                let mut answers = Vec::new();
                for (query, ask) in mine {
                    let exchange = line.ask_for(ask, client, timeout, limit).await;
                    let hung = exchange.hung(timeout);
                    let shown = &line.endpoint().shown;
                    let answer = match (exchange.status, exchange.body) {
                        (Some(status), Ok(body)) => answer::read(status, &body),
                        (_, Err(failure)) => Err(failure.words().to_owned()),
                        (None, Ok(_)) => Err("an answer without a status".to_owned()),
                    };
                    match answer {
                        Ok(answer) => answers.push((query.clone(), answer)),
                        // The others would fare no better, and take as long.
                        Err(reason) => return Err((format!("`{shown}`: {reason}"), hung)),
                    }
                }
                Ok(answers)
            }
        });
        let mut answers = Answers::new();
        for result in join_all(asked).await {
            match result {
                Ok(some) => answers.extend(some),
                Err((reason, hung)) => return (Err(reason), hung),
            }
        }
        (Ok(answers), false)
    }
}

/// The longest time that one window reaches back, unless the interval is longer: what lies further back is old.
const LONGEST_WINDOW: Duration = Duration::from_secs(600);

/// Every query that has to be asked, once.
fn queries(questions: &[Question], window: Option<Duration>) -> Vec<String> {
    let mut queries: Vec<String> =
        questions.iter().flat_map(|question| question.queries(window)).map(|(_, query)| query).collect();
    queries.sort();
    queries.dedup();
    queries
}

fn form<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    // The encoder of the HTTP client's own addresses.
    let Ok(mut url) = reqwest::Url::parse("http://any/") else { return String::new() };
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// A time as the API takes it: seconds since 1970, with three digits behind the point.
fn seconds(at: Timestamp) -> String {
    let ms = at.as_millisecond();
    format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000))
}

fn to_the_millisecond(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
