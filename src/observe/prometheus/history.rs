//! The past of indicators, by range queries: what readings at even steps would have said.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::source::{PrometheusSpec, Reading};
use crate::observe::http::Client;
use crate::observe::source::Indicators;

use super::answer::{Answer, Course};
use super::{Answers, Prometheus, queries, seconds, to_the_millisecond};

/// Steps that are asked for at once; a server refuses more than 11,000 points a series.
const STEPS: i64 = 2_000;

/// Readings of a source at every `interval` of it from `from` to `to`, made by range queries. Warnings and what is missing
/// are part of each, as in a live reading.
///
/// # Errors
///
/// In words, if the server cannot be asked.
pub(in crate::observe) async fn history(
    spec: PrometheusSpec,
    indicators: Indicators,
    client: &Client,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, Reading)>, String> {
    let step = spec.interval.0.max(Duration::from_millis(1));
    let mut server = Prometheus::new(spec, indicators, client).map_err(|error| error.to_string())?;
    let queries = queries(&server.questions, Some(step));
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let (first, last) = (from.as_millisecond(), to.as_millisecond());
    let mut readings = Vec::new();
    let mut begin = first;
    while begin <= last {
        let end = begin.saturating_add(step_ms.saturating_mul(STEPS - 1)).min(last);
        let bounds = [("start", millis(begin)), ("end", millis(end)), ("step", format!("{step_ms}ms"))];
        let asks = queries.iter().map(|query| server.ask("query_range", query, &bounds));
        let asks = asks.collect::<Result<Vec<_>, _>>()?;
        let mut past = Past::new(server.exchange(&queries, asks, client).await.0?);
        let mut at = begin;
        while at <= end {
            let Ok(time) = Timestamp::from_millisecond(at) else { break };
            readings.push((time, server.at_step(&mut past, time, step)));
            at = at.saturating_add(step_ms);
        }
        begin = at;
    }
    Ok(readings)
}

impl Prometheus {
    fn at_step(&mut self, past: &mut Past, at: Timestamp, step: Duration) -> Reading {
        let answers = past.at(at);
        let remarks = answers.values().flatten().flat_map(|answer| answer.remarks.clone()).collect();
        let found = self
            .questions
            .iter()
            .map(|question| question.found(&answers, Some(step), at, self.spec.stale_after.0))
            .collect();
        Reading { remarks, ..self.readings.take(found, at, at.checked_sub(step).ok()) }
    }
}

/// The answers to range queries, taken up step by step.
struct Past(Vec<(String, Result<Series, String>)>);

struct Series {
    /// Each series and how many of its points have passed.
    series: Vec<(Course, usize)>,
    remarks: Vec<String>,
}

impl Past {
    fn new(answers: Answers) -> Self {
        let open = |answer: Answer| Series {
            series: answer.series.into_iter().map(|course| (course, 0)).collect(),
            remarks: answer.remarks,
        };
        Self(answers.into_iter().map(|(query, answer)| (query, answer.map(open))).collect())
    }

    /// What instant queries at that time would have been answered with. Times have to come in order.
    fn at(&mut self, at: Timestamp) -> Answers {
        let instant = |series: &mut Series| {
            let mut answer = Answer { series: Vec::new(), remarks: std::mem::take(&mut series.remarks) };
            for ((labels, points), passed) in &mut series.series {
                while points.get(*passed).is_some_and(|(time, _)| *time < at) {
                    *passed += 1;
                }
                if let Some(point) = points.get(*passed).filter(|(time, _)| *time == at) {
                    answer.series.push((labels.clone(), vec![*point]));
                }
            }
            answer
        };
        self.0
            .iter_mut()
            .map(|(query, series)| {
                (query.clone(), series.as_mut().map(instant).map_err(|reason| reason.clone()))
            })
            .collect()
    }
}

fn millis(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| seconds(to_the_millisecond(at)))
}
