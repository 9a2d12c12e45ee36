//! One call of CloudWatch's API: JSON 1.0 over `POST`, signed. Protocol:
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.

use std::collections::BTreeMap;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{self, Signer};
use crate::model::source::cloudwatch::Metric;
use crate::model::source::{AlarmReading, AlarmState, CloudwatchSpec};
use crate::observe::http::{Ask, Client, Endpoint, Line};

/// What the version of the API is called in requests.
const TARGET: &str = "GraniteServiceVersion20100801";

/// What signatures call CloudWatch.
const SERVICE: &str = "monitoring";

const MEDIA: &str = "application/x-amz-json-1.0";

/// Largest answer that is read, in bytes.
const LARGEST: u64 = 32 * 1024 * 1024;

/// Alarms of one `DescribeAlarms`.
const ALARMS: usize = 100;

/// Why a call gave nothing.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// In words, with AWS's own.
    pub(super) words: String,
    /// It kept us waiting to the end.
    pub(super) hung: bool,
    kind: FaultKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FaultKind {
    /// Asked too often.
    Throttled,
    /// Who asks is not known, or not believed.
    Credentials,
    Other,
}

impl Fault {
    pub(super) fn plain(words: impl Into<String>) -> Self {
        Self { words: words.into(), hung: false, kind: FaultKind::Other }
    }

    pub(super) fn is_throttled(&self) -> bool {
        self.kind == FaultKind::Throttled
    }
}

/// Where CloudWatch is, and who asks.
pub(super) struct Api {
    region: String,
    shown: String,
    uri: Uri,
    /// The connection, or why there can be none.
    line: Result<Line, String>,
    signer: Result<Signer, String>,
}

impl Api {
    pub(super) fn new(spec: &CloudwatchSpec, client: &Client) -> Self {
        let url = spec.endpoint.clone().unwrap_or_else(|| aws::endpoint(SERVICE, &spec.region));
        let line = line(&url, client);
        let shown = line.as_ref().map_or_else(|_| url.clone(), |line| line.endpoint().shown.clone());
        let uri = shown.parse().unwrap_or_default();
        let signer = aws::origin(spec.profile.as_deref(), spec.keys.as_ref(), client.secrets())
            .map(|origin| Signer::new(SERVICE, &spec.region, origin));
        Self { region: spec.region.clone(), shown, uri, line, signer }
    }

    /// The address, for people.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Asks for an operation. An error is in words and holds no secret.
    pub(super) async fn call<T: DeserializeOwned>(
        &mut self,
        client: &Client,
        operation: &str,
        ask: &Value,
        deadline: Instant,
    ) -> Result<T, Fault> {
        let (line, signer) = match (&mut self.line, &self.signer) {
            (Ok(line), Ok(signer)) => (line, signer),
            (Err(reason), _) => return Err(Fault::plain(reason.clone())),
            (_, Err(reason)) => return Err(Fault::plain(reason.clone())),
        };
        let body = ask.to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA));
        let target = HeaderValue::from_str(&format!("{TARGET}.{operation}"))
            .map_err(|_| Fault::plain("an operation with odd characters"))?;
        headers.insert(HeaderName::from_static("x-amz-target"), target);
        let late = || Fault { hung: true, ..Fault::plain(format!("no time left for {operation}")) };
        let signed = tokio::time::timeout_at(deadline, signer.sign(&self.uri, headers, body.as_bytes()));
        let headers = signed
            .await
            .map_err(|_| Fault { hung: true, ..Fault::plain("no credentials for AWS in time") })?
            .map_err(|words| Fault { kind: FaultKind::Credentials, ..Fault::plain(words) })?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let ask = Ask { headers, ..Ask::post(path, MEDIA, body).map_err(Fault::plain)? };
        let left = deadline.checked_duration_since(Instant::now()).ok_or_else(late)?;
        let exchange = line.ask_for(&ask, client, left, LARGEST).await;
        let hung = exchange.hung(left);
        let result = match (exchange.status, exchange.body) {
            // What has nothing to say may say nothing.
            (Some(200), Ok(body)) => serde_json::from_slice(if body.is_empty() { b"null" } else { &body })
                .map_err(|_| Fault::plain(format!("the answer to {operation} is not CloudWatch's"))),
            (Some(status), Ok(body)) => Err(refusal(operation, status, &body)),
            (_, Err(failure)) => Err(Fault { hung, ..Fault::plain(failure.words()) }),
            (None, Ok(_)) => Err(Fault::plain("an answer without a status")),
        };
        let result = result.map_err(|fault| Fault { words: signer.redact(&fault.words), ..fault });
        if result.as_ref().is_err_and(|fault: &Fault| fault.kind == FaultKind::Credentials)
            && let Ok(signer) = std::mem::replace(&mut self.signer, Err(String::new()))
        {
            self.signer = Ok(signer.renewed(SERVICE, &self.region));
        }
        result
    }

    /// The states of these alarms, in this order.
    pub(super) async fn alarms(
        &mut self,
        names: &[String],
        client: &Client,
        deadline: Instant,
    ) -> Result<Vec<AlarmReading>, Fault> {
        let mut found: BTreeMap<String, AlarmReading> = BTreeMap::new();
        for (name, alarm) in self.described(names, client, deadline).await? {
            let alarm: Alarm = serde_json::from_value(alarm)
                .map_err(|_| Fault::plain(format!("the alarm `{name}` cannot be read")))?;
            found.insert(name.clone(), alarm.reading(name));
        }
        let absent = |name: &String| AlarmReading {
            name: name.clone(),
            state: Err(format!("there is no alarm `{name}`")),
            since: None,
        };
        Ok(names.iter().map(|name| found.remove(name).unwrap_or_else(|| absent(name))).collect())
    }

    /// The alarms of these names that there are, as AWS describes them.
    pub(super) async fn described(
        &mut self,
        names: &[String],
        client: &Client,
        deadline: Instant,
    ) -> Result<super::Known, Fault> {
        let mut known = super::Known::new();
        for names in names.chunks(ALARMS) {
            // Composite ones come only when they are asked for.
            let ask = json!({
                "AlarmNames": names,
                "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
                "MaxRecords": ALARMS,
            });
            let answer: Described = self.call(client, "DescribeAlarms", &ask, deadline).await?;
            for alarm in answer.metric_alarms.into_iter().chain(answer.composite_alarms) {
                if let Some(name) = alarm["AlarmName"].as_str().map(str::to_owned) {
                    known.insert(name, alarm);
                }
            }
        }
        Ok(known)
    }
}

fn line(url: &str, client: &Client) -> Result<Line, String> {
    Endpoint::json(Method::POST.as_str(), url, &BTreeMap::new(), client.secrets()).map(Line::new)
}

/// A metric and its statistic, as requests have it. `period` is in seconds.
pub(super) fn metric_stat(metric: &Metric, period: i64) -> Value {
    let dimensions: Vec<Value> =
        metric.dimensions.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
    json!({
        "Metric": { "Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions },
        "Period": period,
        "Stat": metric.stat,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default)]
    metric_alarms: Vec<Value>,
    #[serde(default)]
    composite_alarms: Vec<Value>,
}

#[derive(Deserialize)]
struct Alarm {
    #[serde(rename = "StateValue")]
    state: String,
    /// Moves with every evaluation that changes anything, also within a state.
    #[serde(rename = "StateUpdatedTimestamp")]
    updated: Option<f64>,
    #[serde(rename = "StateTransitionedTimestamp")]
    transitioned: Option<f64>,
}

impl Alarm {
    fn reading(&self, name: String) -> AlarmReading {
        let state = match self.state.as_str() {
            "OK" => Ok(AlarmState::Ok),
            "ALARM" => Ok(AlarmState::Alarm),
            "INSUFFICIENT_DATA" => Ok(AlarmState::InsufficientData),
            other => {
                Err(format!("the alarm `{name}` is in a state that is not known: `{}`", one_line(other)))
            }
        };
        let since = self.transitioned.or(self.updated);
        let since = since.and_then(|s| Timestamp::from_millisecond((s * 1_000.0) as i64).ok());
        AlarmReading { name, state, since }
    }
}

/// What an answer that is no success says. AWS writes its code as `__type`, sometimes with a namespace before `#`.
fn refusal(operation: &str, status: u16, body: &[u8]) -> Fault {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * 1024)]);
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |names: &[&str]| names.iter().find_map(|name| json[*name].as_str()).map(str::to_owned);
    let code = field(&["__type", "code"])
        .map(|code| {
            code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default().to_owned()
        })
        // Proxies, and what AWS itself says before it knows the protocol, come as XML.
        .or_else(|| between(&text, "<Code>", "</Code>"));
    let message = field(&["message", "Message"]).or_else(|| between(&text, "<Message>", "</Message>"));
    let kind = match (code.as_deref().unwrap_or_default(), status) {
        (
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestLimitExceeded"
            | "TooManyRequestsException"
            | "LimitExceeded"
            | "LimitExceededException"
            | "SlowDown",
            _,
        )
        | (_, 429) => FaultKind::Throttled,
        (
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
            | "AuthFailure"
            | "OptInRequired"
            | "NotAuthorized",
            _,
        ) => FaultKind::Credentials,
        _ => FaultKind::Other,
    };
    let says = match (&code, &message) {
        (Some(code), Some(message)) => format!("{code}: {}", one_line(message)),
        (Some(code), None) => code.clone(),
        (None, Some(message)) => format!("status {status}: {}", one_line(message)),
        (None, None) => format!("status {status}"),
    };
    let words = match kind {
        FaultKind::Throttled => format!("{operation} is asked for too often: {says}"),
        FaultKind::Credentials => format!("AWS does not accept the credentials: {says}"),
        FaultKind::Other
            if status == 403 || code.as_deref().is_some_and(|code| code.starts_with("AccessDenied")) =>
        {
            format!("{operation} is not allowed with these credentials: {says}")
        }
        FaultKind::Other => format!("{operation} failed: {says}"),
    };
    Fault { words, hung: false, kind }
}

fn between(text: &str, from: &str, to: &str) -> Option<String> {
    let rest = text.split_once(from)?.1;
    Some(rest.split_once(to)?.0.trim().to_owned())
}

/// What AWS says, short and in one line. A wrong signature is answered with all that was signed; the first line says it.
fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let first = text.split("\n\n").next().unwrap_or_default();
    let mut line: String = first.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if first.chars().count() > MOST {
        line.push('…');
    }
    line
}
