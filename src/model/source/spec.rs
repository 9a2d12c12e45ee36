//! The kinds of sources, as a config describes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::probe::ProbeSpec;
use crate::model::secret::SecretRef;
use crate::model::{ProbeName, Span, placeholder};

use super::SeriesSpec;
use super::checks::CheckSeries;

/// Where indicators come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceSpec {
    /// A Prometheus exposition endpoint, read directly.
    Scrape(ScrapeSpec),
    /// A Prometheus server, or one that speaks its HTTP API.
    Prometheus(PrometheusSpec),
    /// AWS CloudWatch: metrics, and the states of its alarms.
    Cloudwatch(Box<CloudwatchSpec>),
    /// The active probes of each service.
    Probe(ProbeSourceSpec),
    /// An HTTP endpoint that answers JSON.
    Json(JsonSpec),
    /// JSON lines, from a file or from what a program prints.
    Log(LogSpec),
}

impl SourceSpec {
    /// The word of its kind, as a config has it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Scrape(_) => "scrape",
            Self::Prometheus(_) => "prometheus",
            Self::Cloudwatch(_) => "cloudwatch",
            Self::Probe(_) => "probe",
            Self::Json(_) => "json",
            Self::Log(_) => "log",
        }
    }

    /// Time between two readings.
    pub fn interval(&self) -> Span {
        match self {
            Self::Scrape(scrape) => scrape.interval,
            Self::Prometheus(prometheus) => prometheus.interval,
            Self::Cloudwatch(cloudwatch) => cloudwatch.interval,
            Self::Probe(probe) => probe.interval,
            Self::Json(json) => json.interval,
            Self::Log(log) => log.interval,
        }
    }

    /// Time between two samples of an indicator. Longer than the interval where what is read is made less often.
    pub fn spacing(&self) -> Span {
        match self {
            Self::Cloudwatch(cloudwatch) => cloudwatch.interval.max(cloudwatch.period),
            _ => self.interval(),
        }
    }

    /// How old the newest sample gets before the next one is there, when all is well.
    pub fn oldest(&self) -> Span {
        match self {
            Self::Cloudwatch(cloudwatch) => {
                let CloudwatchSpec { interval, period, delay, .. } = &**cloudwatch;
                Span(interval.0.saturating_add(period.0).saturating_add(delay.0))
            }
            _ => self.interval(),
        }
    }

    /// The times that it is given, each with its key. None of them may be zero.
    pub fn times(&self) -> Vec<(&'static str, Span)> {
        let mut times = vec![("interval", self.interval())];
        match self {
            Self::Scrape(scrape) => times.push(("timeout", scrape.timeout)),
            Self::Prometheus(prometheus) => {
                times.extend([("timeout", prometheus.timeout), ("stale_after", prometheus.stale_after)]);
            }
            Self::Cloudwatch(cloudwatch) => times.extend([
                ("timeout", cloudwatch.timeout),
                ("period", cloudwatch.period),
                ("stale_after", cloudwatch.stale_after),
            ]),
            Self::Json(json) => times.push(("timeout", json.timeout)),
            Self::Probe(_) | Self::Log(_) => {}
        }
        times
    }

    /// Whether it says which arm an indicator that is read so speaks for. `probes` are those of the indicator's service.
    pub fn tells_arms(&self, read: &SeriesSpec, probes: &BTreeMap<ProbeName, ProbeSpec>) -> bool {
        let by_label = |arms: &Option<ArmLabel>| arms.as_ref().is_some_and(|arms| arms.label.is_some());
        match self {
            Self::Scrape(scrape) => by_label(&scrape.arms),
            Self::Prometheus(prometheus) => by_label(&prometheus.arms) || read.asks_by_arm(),
            Self::Cloudwatch(_) => read.asks_by_arm(),
            Self::Json(json) => placeholder::has(&json.url, placeholder::ARM) || read.asks_by_arm(),
            Self::Log(log) => by_label(&log.arms),
            Self::Probe(_) => {
                read.series().iter().filter_map(|(_, text)| CheckSeries::parse(text).ok()).any(|series| {
                    probes.iter().any(|(name, probe)| probe.arm.is_some() && series.counts(name))
                })
            }
        }
    }
}

/// A Prometheus exposition endpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrapeSpec {
    /// `http://` or `https://` address, usually ending in `/metrics`.
    pub url: String,
    /// Time between two readings.
    #[serde(default = "five_seconds")]
    pub interval: Span,
    /// Time after which a reading has failed.
    #[serde(default = "three_seconds")]
    pub timeout: Span,
    /// How a series tells which arm it speaks for. Without it every series speaks for the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Largest body that is read, in bytes.
    #[serde(default = "body_limit")]
    pub max_body: u64,
}

/// A Prometheus server, asked by instant queries. <https://prometheus.io/docs/prometheus/latest/querying/api/>
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrometheusSpec {
    /// `http://` or `https://` address of the server, with its path if it has one, without `/api/v1`.
    pub url: String,
    /// Time between two readings. Nothing is gained by reading more often than the server scrapes.
    #[serde(default = "fifteen_seconds")]
    pub interval: Span,
    /// Time after which one query has failed.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// How a series tells which arm it speaks for: by a label, or by what stands for `{arm}` in the queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// What was measured longer ago than this is not taken.
    #[serde(default = "two_minutes")]
    pub stale_after: Span,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Largest body that is read, in bytes.
    #[serde(default = "body_limit")]
    pub max_body: u64,
}

/// AWS CloudWatch in one region of one account.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudwatchSpec {
    /// The region, like `eu-central-1`.
    pub region: String,
    /// Address of the API, where it is not AWS's own for the region: a private endpoint, a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The profile of the shared AWS files that holds the credentials. Without it and without `keys`: the environment, the
    /// profile in `AWS_PROFILE`, the role of the pod, the container or the machine, whichever there is first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// An access key of this source's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<AwsKeys>,
    /// Time between two readings. AWS charges by the metrics that are asked for.
    #[serde(default = "one_minute")]
    pub interval: Span,
    /// The length of one data point: 1, 5, 10, 20 or 30 s, or whole minutes.
    #[serde(default = "one_minute")]
    pub period: Span,
    /// How long after the end of its period a data point is taken: until then values may still be coming in, and what has
    /// been taken is not taken again.
    #[serde(default = "one_minute")]
    pub delay: Span,
    /// Data points whose period ended longer ago than this are not taken.
    #[serde(default = "ten_minutes")]
    pub stale_after: Span,
    /// Time after which a reading has failed.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// What stands for `{arm}` in dimensions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// The alarms that `unship alarms apply` makes.
    #[serde(default)]
    pub alarms: AlarmsSpec,
}

/// An access key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsKeys {
    /// Its id.
    pub access_key_id: SecretRef,
    /// The secret half.
    pub secret_access_key: SecretRef,
    /// The token of a temporary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<SecretRef>,
}

/// What the alarms have in common that are made from the triggers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmsSpec {
    /// What their names begin with. The environment, the service and the trigger follow.
    #[serde(default = "unship")]
    pub prefix: String,
    /// ARNs of what is told when one goes into ALARM: SNS topics, usually. At most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// ARNs of what is told when one goes back to OK. At most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ok_actions: Vec<String>,
}

impl Default for AlarmsSpec {
    fn default() -> Self {
        Self { prefix: unship(), actions: Vec::new(), ok_actions: Vec::new() }
    }
}

fn unship() -> String {
    "unship-".to_owned()
}

/// The active probes of the services that have indicators of it: what share of the checks failed, and how long they took.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProbeSourceSpec {
    /// Time between two readings of what the checks gave. The checks themselves run at the probes' own intervals.
    #[serde(default = "five_seconds")]
    pub interval: Span,
}

/// An HTTP endpoint that answers JSON; each series is a number at a JSON pointer (RFC 6901).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonSpec {
    /// `http://` or `https://` address. `{service}` and `{arm}` in it are filled in; each address that comes of that is asked.
    pub url: String,
    /// Time between two readings.
    #[serde(default = "ten_seconds")]
    pub interval: Span,
    /// Time after which a reading has failed.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// What stands for `{arm}`; without it `stable` and `canary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// Request headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Largest body that is read, in bytes.
    #[serde(default = "body_limit")]
    pub max_body: u64,
}

/// JSON lines, from a file that may be rotated or from what a program prints: one of `file` and `command`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogSpec {
    /// The file, followed from its end on, also when it is moved away or cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The program with its arguments, without a shell. It is started again when it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Time between two readings of what was counted.
    #[serde(default = "five_seconds")]
    pub interval: Span,
    /// How a line tells its arm: `label` is a JSON pointer. Without it every line speaks for the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arms: Option<ArmLabel>,
    /// Longest line that is read, in bytes. A longer one is left out, and that is said.
    #[serde(default = "line_limit")]
    pub max_line: u64,
}

const fn line_limit() -> u64 {
    64 * 1024
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

const fn one_minute() -> Span {
    Span::secs(60)
}

const fn ten_minutes() -> Span {
    Span::secs(600)
}

const fn three_seconds() -> Span {
    Span::secs(3)
}

const fn five_seconds() -> Span {
    Span::secs(5)
}

const fn fifteen_seconds() -> Span {
    Span::secs(15)
}

const fn two_minutes() -> Span {
    Span::secs(120)
}

const fn body_limit() -> u64 {
    16 * 1024 * 1024
}

/// How the arms are told apart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArmLabel {
    /// The label that holds the arm, or the version. A source that is asked by queries with `{arm}` needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The label holds the release's version; the platform says which arm that version serves on.
    #[serde(default)]
    pub by_version: bool,
    /// The value that means stable (without `by_version`).
    #[serde(default = "stable")]
    pub stable: String,
    /// The value that means canary (without `by_version`).
    #[serde(default = "canary")]
    pub canary: String,
}

fn stable() -> String {
    "stable".to_owned()
}

fn canary() -> String {
    "canary".to_owned()
}
