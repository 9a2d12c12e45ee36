//! What shows that a release may go on: checks before anything is changed, smoke suites, load runs; and what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::SecretRef;
use super::{DatabaseName, LoadName, ServiceName, Span, SuiteName};

/// What a step of a deployment has to see pass.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Validation {
    /// The checks of the service.
    Checks {
        /// Only those that are critical.
        only_critical: bool,
    },
    /// A smoke suite.
    Smoke {
        /// Which.
        suite: SuiteName,
        /// Against the place where the release answers before it gets traffic; else against the live address.
        candidate: bool,
    },
    /// A load run.
    Load {
        /// Which.
        load: LoadName,
    },
    /// What has to be true in a database.
    Data {
        /// Which.
        database: DatabaseName,
    },
    /// A backup of a database, written and read again.
    Backup {
        /// Which.
        database: DatabaseName,
    },
    /// The environment variables of what serves, written to a file.
    Variables,
}

/// Something that has to be true before a deployment: one of `command`, `env`, `http`, `tcp`, `disk`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// The services whose deployments need it; none named: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// Whether an emergency needs it, too.
    #[serde(default)]
    pub critical: bool,
    /// A program with its arguments, without a shell; it passes by ending with 0. `{service}`, `{version}` and `{release}` are
    /// replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Working directory of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// Environment variables that have to be set and not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// An address that has to answer with a 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// A `host:port` that has to take a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// A place on a disk that needs room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskSpec>,
    /// Time after which it has failed.
    #[serde(default = "one_minute")]
    pub timeout: Span,
}

impl CheckSpec {
    /// Whether deployments of this service need it.
    pub fn concerns(&self, service: &ServiceName) -> bool {
        self.services.is_empty() || self.services.contains(service)
    }
}

/// Room on a disk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiskSpec {
    /// A path on it.
    pub path: String,
    /// The least that has to be free, in MiB.
    pub free_mib: u64,
}

const fn one_minute() -> Span {
    Span::secs(60)
}

const fn ten_seconds() -> Span {
    Span::secs(10)
}

/// Requests that show whether a release works for users.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeSpec {
    /// The services whose deployments run it; none named: it runs by hand alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// Where the service answers its users.
    pub url: String,
    /// Where a release answers before it has traffic: a slot's or a colour's own address. `{service}`, `{version}` and `{release}`
    /// are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// The same where no pattern says it: the address of each release by what the platform calls it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub candidates: BTreeMap<String, String>,
    /// Headers of every request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Values for the tests that are secrets: `{password}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretRef>,
    /// The tests, in order. One that fails does not stop the others.
    pub tests: Vec<SmokeTest>,
}

/// One test of a smoke suite: a request, or a program.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmokeTest {
    /// Its name.
    pub name: String,
    /// `GET`, `POST`, …
    #[serde(default = "get")]
    pub method: String,
    /// The path, below the suite's address. `{name}` is replaced by what an earlier test captured, or by a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A body as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A body as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// A program with its arguments instead of a request; it passes by ending with 0. `{url}` is the suite's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The statuses that pass: `200`, `2xx`, `<500`, several with commas. Without it: any 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What has to stand at places of the JSON answer, by JSON pointer; `true` means that anything but null is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, serde_json::Value>,
    /// Headers that the answer has to have; an empty text means that any value does.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect_headers: BTreeMap<String, String>,
    /// Text that has to be in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// What later tests use: by name a JSON pointer into the answer, or `header:NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
    /// Time within which the whole answer has to be there.
    #[serde(default = "ten_seconds")]
    pub limit: Span,
}

fn get() -> String {
    "GET".to_owned()
}

/// Requests in numbers, and what they may take.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// The address that is asked.
    pub url: String,
    /// Another program that makes the load, instead of `url`'s requests: it passes by ending with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Users that ask one after the other, side by side.
    #[serde(default = "ten_users")]
    #[schemars(range(min = 1, max = 1_000))]
    pub users: u32,
    /// Requests a second of all users together at most; none: as fast as the answers come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How long.
    #[serde(default = "one_minute")]
    pub duration: Span,
    /// In which time the users come, one after the other.
    #[serde(default)]
    pub ramp: Span,
    /// Headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// Time for one answer.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// The 95th percentile of the time for an answer that still passes.
    #[serde(default = "two_seconds")]
    pub max_p95: Span,
    /// The percent of requests that may fail (5xx or no answer).
    #[serde(default = "five_percent")]
    #[schemars(range(min = 0.0, max = 100.0))]
    pub max_errors: f64,
    /// Whether being over a limit is only said, and stops nothing.
    #[serde(default)]
    pub only_warn: bool,
}

const fn ten_users() -> u32 {
    10
}

const fn two_seconds() -> Span {
    Span::secs(2)
}

const fn five_percent() -> f64 {
    5.0
}

/// How one check or test went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// How.
    pub outcome: TrialOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// What was seen, or what was expected and what came instead.
    pub detail: String,
}

/// How a check or test ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialOutcome {
    /// It passed.
    Passed,
    /// It did not pass, and that stops nothing.
    Warned,
    /// It failed.
    Failed,
    /// It could not be tried: what it needs was not there.
    NotRun,
}

impl TrialOutcome {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "FAILED",
            Self::NotRun => "not run",
        }
    }

    /// Whether it stops what waits for it.
    pub const fn stops(self) -> bool {
        matches!(self, Self::Failed | Self::NotRun)
    }
}

/// What came of some trials.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TrialReport {
    /// Of what: `checks`, a suite's name, a load run's name.
    pub name: String,
    /// The address that was asked, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When they began.
    pub at: Timestamp,
    /// How long all took together, in milliseconds.
    pub took_ms: f64,
    /// Each, in order.
    pub trials: Vec<Trial>,
    /// How long answers took under load, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LoadFigures>,
}

/// What a load run measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LoadFigures {
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Of those: 5xx, or no answer.
    pub failed: u64,
    /// Requests a second over the whole run.
    pub per_second: f64,
    /// Percentiles of the time for an answer, in milliseconds: `(50.0, 12.3)`.
    pub percentiles: Vec<(f64, f64)>,
    /// How many answers took at most so many milliseconds and more than the bound before: `(16.0, 120)`.
    pub buckets: Vec<(f64, u64)>,
}

impl LoadFigures {
    /// How long the answers took, a line each: the counts, the percentiles, and a bar for every bucket that is not beyond the last
    /// one with an answer.
    ///
    /// ```text
    /// 1200 requests, 3 failed, 39.8 a second
    /// p50 4.1 ms, p95 9.0 ms
    ///    <= 5 ms      800 ########################################
    /// ```
    pub fn chart(&self) -> Vec<String> {
        const BAR: f64 = 40.0;
        let mut lines = vec![self.words(), self.took()];
        lines.extend(self.bars().into_iter().map(|(bound, count, share)| {
            let bar = "#".repeat((share * BAR).ceil() as usize);
            format!("{bound:>12} {count:>8} {bar}").trim_end().to_owned()
        }));
        lines
    }

    /// The counts: `1200 requests, 3 failed, 39.8 a second`.
    pub fn words(&self) -> String {
        let Self { requests, failed, per_second, .. } = self;
        format!("{requests} requests, {failed} failed, {per_second:.1} a second")
    }

    /// The percentiles: `p50 4.1 ms, p95 9.0 ms`.
    pub fn took(&self) -> String {
        let at = self.percentiles.iter().map(|(percent, took)| format!("p{percent:.0} {took:.1} ms"));
        at.collect::<Vec<String>>().join(", ")
    }

    /// The buckets up to the last one with an answer: the bound, how many, and that as a share of the fullest one.
    pub fn bars(&self) -> Vec<(String, u64, f64)> {
        let last = self.buckets.iter().rposition(|(_, count)| *count > 0).map_or(0, |last| last + 1);
        let most = self.buckets.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
        let bar = |(bound, count): &(f64, u64)| {
            let words = if bound.is_finite() { format!("<= {bound} ms") } else { "more".to_owned() };
            (words, *count, *count as f64 / most as f64)
        };
        self.buckets[..last].iter().map(bar).collect()
    }
}

/// The statuses of a rule: `200`, `2xx`, `<500`. None if it is no rule.
pub fn status_rule(rule: &str) -> Option<std::ops::Range<u16>> {
    let number = |text: &str| text.parse::<u16>().ok().filter(|status| (100..=600).contains(status));
    if let Some(below) = rule.strip_prefix('<') {
        return Some(100..number(below.trim())?);
    }
    if let Some(class) = rule.strip_suffix("xx") {
        let class = class.parse::<u16>().ok().filter(|class| (1..=5).contains(class))?;
        return Some(class * 100..class * 100 + 100);
    }
    let status = number(rule)?;
    Some(status..status + 1)
}

impl TrialReport {
    /// Whether nothing in it stops anything.
    pub fn passed(&self) -> bool {
        !self.trials.iter().any(|trial| trial.outcome.stops())
    }

    /// In a line: how many passed, and what did not; of one that passed what was seen.
    pub fn words(&self) -> String {
        if let [trial] = self.trials.as_slice()
            && trial.outcome == TrialOutcome::Passed
            && !trial.detail.is_empty()
        {
            return format!("{}: {} passed: {}", self.name, trial.name, trial.detail);
        }
        let total = self.trials.len();
        let passed = self.trials.iter().filter(|trial| trial.outcome == TrialOutcome::Passed).count();
        let others = self.trials.iter().filter(|trial| trial.outcome != TrialOutcome::Passed);
        let mut words = format!("{}: {passed} of {total} passed", self.name);
        for (index, trial) in others.enumerate() {
            if index == 3 {
                words.push_str("; …");
                break;
            }
            let _ = write!(words, "; {} {}: {}", trial.name, trial.outcome.word(), trial.detail);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of statuses, and what is none.
    #[test]
    fn statuses() {
        assert_eq!(status_rule("204"), Some(204..205));
        assert_eq!(status_rule("4xx"), Some(400..500));
        assert_eq!(status_rule("<500"), Some(100..500));
        for wrong in ["", "2x", "7xx", "<", "< x", "99", "65000", "xx"] {
            assert_eq!(status_rule(wrong), None, "{wrong}");
        }
    }

    /// The longest bar is the fullest bucket, and what nothing fell into at the end is left out.
    #[test]
    fn a_chart() {
        let figures = LoadFigures {
            requests: 103,
            failed: 2,
            per_second: 20.6,
            percentiles: vec![(50.0, 4.1), (100.0, 18.0)],
            buckets: vec![(2.0, 0), (5.0, 100), (20.0, 3), (50.0, 0), (f64::INFINITY, 0)],
        };
        let chart = figures.chart();
        assert_eq!(chart[0], "103 requests, 2 failed, 20.6 a second");
        assert_eq!(chart[1], "p50 4.1 ms, p100 18.0 ms");
        assert_eq!(chart[2], "     <= 2 ms        0");
        assert_eq!(chart[3], format!("     <= 5 ms      100 {}", "#".repeat(40)));
        assert_eq!(chart[4], "    <= 20 ms        3 ##");
        assert_eq!(chart.len(), 5);
    }

    /// A line says how many passed and what did not; a warning stops nothing, what could not be tried does.
    #[test]
    fn a_report_in_a_line() {
        let trial = |name: &str, outcome| Trial {
            name: name.to_owned(),
            outcome,
            took_ms: 1.0,
            detail: "503".to_owned(),
        };
        let mut report = TrialReport {
            name: "shop".to_owned(),
            address: None,
            at: Timestamp::UNIX_EPOCH,
            took_ms: 2.0,
            latency: None,
            trials: vec![trial("health", TrialOutcome::Passed), trial("load", TrialOutcome::Warned)],
        };
        assert!(report.passed());
        assert_eq!(report.words(), "shop: 1 of 2 passed; load warned: 503");
        report.trials.push(trial("pay", TrialOutcome::NotRun));
        assert!(!report.passed());
    }
}
