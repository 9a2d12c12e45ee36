//! What a Prometheus server answers. Format: <https://prometheus.io/docs/prometheus/latest/querying/api/>; `isPartial` is
//! VictoriaMetrics' own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;

/// A series with its values, oldest first; one value for an instant query.
pub(super) type Course = (Labels, Vec<(Timestamp, f64)>);

/// An answer that holds data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// Each series.
    pub(super) series: Vec<Course>,
    /// Warnings and infos: the answer is one all the same.
    pub(super) remarks: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    #[serde(rename = "errorType")]
    error_type: Option<String>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: Labels,
    value: Option<Point>,
    values: Option<Vec<Point>>,
    histogram: Option<Value>,
    histograms: Option<Value>,
}

/// Seconds since 1970 and a number as text.
type Point = (f64, String);

/// Reads an answer. The outer error is one of the source: nobody there speaks the language. The inner one is the server's
/// word on this query.
pub(super) fn read(status: u16, body: &[u8]) -> Result<Result<Answer, String>, String> {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
        return Err(match status {
            200..300 => "the answer is not that of a Prometheus server".to_owned(),
            401 | 403 => format!("status {status}: it wants other `secret_headers`"),
            _ => format!("status {status}"),
        });
    };
    let remarks = envelope.warnings.into_iter().chain(envelope.infos).collect();
    let Some(data) = envelope.data.filter(|_| envelope.status == "success") else {
        let kind = envelope.error_type.unwrap_or_else(|| "error".to_owned());
        let words = envelope.error.unwrap_or_else(|| format!("status {status} without a reason"));
        return Ok(Err(format!("the server answers {kind}: {}", one_line(&words))));
    };
    if envelope.is_partial {
        return Ok(Err("the server has only part of the data".to_owned()));
    }
    Ok(series(data).map(|series| Answer { series, remarks }))
}

fn series(data: Data) -> Result<Vec<Course>, String> {
    let unreadable = |error: serde_json::Error| format!("the result cannot be read: {error}");
    match data.result_type.as_str() {
        "vector" | "matrix" => {}
        "scalar" => {
            let point: Point = serde_json::from_value(data.result).map_err(unreadable)?;
            return Ok(vec![(Labels::new(), vec![value(&point)?])]);
        }
        other => return Err(format!("the result is a {other}, not numbers")),
    }
    let all: Vec<Series> = serde_json::from_value(data.result).map_err(unreadable)?;
    all.into_iter()
        .map(|one| {
            if one.histogram.is_some() || one.histograms.is_some() {
                return Err("the result is a native histogram, which is not read; use its classic buckets, \
                            or `histogram_quantile` as a gauge"
                    .to_owned());
            }
            let points = one.values.or_else(|| one.value.map(|point| vec![point])).unwrap_or_default();
            Ok((one.metric, points.iter().map(value).collect::<Result<_, _>>()?))
        })
        .collect()
}

fn value((seconds, text): &Point) -> Result<(Timestamp, f64), String> {
    let at = Timestamp::from_millisecond((seconds * 1_000.0).round() as i64)
        .map_err(|_| format!("the result has the time {seconds}"))?;
    let value = match text.as_str() {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().map_err(|_| format!("the result has the value `{}`", one_line(number)))?,
    };
    Ok((at, value))
}

/// What a server says, short and in one line.
fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if text.chars().count() > MOST {
        line.push('…');
    }
    line
}
