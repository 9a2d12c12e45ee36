//! "Failed so often" as Argo Rollouts counts it, beside the triggers of this program.
//!
//! Their analyses are not reproduced here on purpose: an analysis without a measurement succeeds, one whose checks all
//! failed can succeed, and a source that does not answer fails the release. What they do is modelled in a few lines, so
//! that their published figures hold, and the triggers are put beside it: where counting is the same they agree to the
//! measurement, where it is not the test says how.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use unship::model::trigger::OutOf;
use unship::triggers::condition::Sustained;

use crate::reference::read;

/// The cases of a part of a file.
pub(crate) fn cases<'a>(file: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    file[key].as_array().unwrap().iter()
}

/// How a measurement, a metric or a run of Argo Rollouts ends; the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Successful,
    Running,
    Pending,
    Inconclusive,
    Error,
    Failed,
}

impl Phase {
    pub(crate) fn named(value: &Value) -> Self {
        match value.as_str().unwrap() {
            "Successful" | "S" => Self::Successful,
            "Running" => Self::Running,
            "Pending" => Self::Pending,
            "Inconclusive" | "I" => Self::Inconclusive,
            "Error" | "E" => Self::Error,
            "Failed" | "F" => Self::Failed,
            other => panic!("no phase {other}"),
        }
    }

    const fn is_final(self) -> bool {
        !matches!(self, Self::Running | Self::Pending)
    }
}

/// The limits of a metric, with Argo's defaults.
struct Limits {
    failure: i64,
    inconclusive: i64,
    consecutive_error: i64,
    consecutive_success: i64,
    /// How many measurements are made; none goes on until it is stopped.
    count: Option<i64>,
}

impl Limits {
    fn of(metric: &Value) -> Self {
        let limit = |key: &str, default| metric[key].as_i64().unwrap_or(default);
        Self {
            failure: limit("failure_limit", 0),
            inconclusive: limit("inconclusive_limit", 0),
            consecutive_error: limit("consecutive_error_limit", 4),
            consecutive_success: limit("consecutive_success_limit", 0),
            count: match metric["count"].as_i64().filter(|count| *count > 0) {
                Some(count) => Some(count),
                None if metric["interval"].is_string() => None,
                None => Some(1),
            },
        }
    }
}

/// What was measured of a metric.
#[derive(Clone, Copy, Default)]
struct Counters {
    count: i64,
    failed: i64,
    inconclusive: i64,
    consecutive_error: i64,
    consecutive_success: i64,
}

impl Counters {
    fn of(value: &Value) -> Self {
        let counter = |key: &str| value[key].as_i64().unwrap_or(0);
        Self {
            count: counter("count"),
            failed: counter("failed"),
            inconclusive: counter("inconclusive"),
            consecutive_error: counter("consecutive_error"),
            consecutive_success: counter("consecutive_success"),
        }
    }

    fn add(&mut self, measured: Phase) {
        let is = |phase| i64::from(measured == phase);
        self.count += 1 - is(Phase::Error);
        self.failed += is(Phase::Failed);
        self.inconclusive += is(Phase::Inconclusive);
        self.consecutive_error = if measured == Phase::Error { self.consecutive_error + 1 } else { 0 };
        self.consecutive_success =
            if measured == Phase::Successful { self.consecutive_success + 1 } else { 0 };
    }
}

/// The limit that is crossed, with the words for it: the last of the three wins.
fn crossed(limits: &Limits, counters: &Counters) -> Option<(Phase, String)> {
    let Counters { failed, inconclusive, consecutive_error, .. } = counters;
    if *consecutive_error > limits.consecutive_error {
        let words = format!(
            "consecutiveErrors ({consecutive_error}) > consecutiveErrorLimit ({})",
            limits.consecutive_error
        );
        return Some((Phase::Error, words));
    }
    if *inconclusive > limits.inconclusive {
        let words = format!("inconclusive ({inconclusive}) > inconclusiveLimit ({})", limits.inconclusive);
        return Some((Phase::Inconclusive, words));
    }
    if limits.failure >= 0 && *failed > limits.failure {
        return Some((Phase::Failed, format!("failed ({failed}) > failureLimit ({})", limits.failure)));
    }
    None
}

/// Argo's assessment of a metric (analysis/analysis.go, assessMetricStatus).
fn assess(limits: &Limits, counters: &Counters, last: Option<Phase>, is_terminating: bool) -> Phase {
    let at_rest = |phase| if is_terminating { Phase::Successful } else { phase };
    match last {
        None => return at_rest(Phase::Pending),
        Some(last) if !last.is_final() => return Phase::Running,
        Some(_) => {}
    }
    if let Some((phase, _)) = crossed(limits, counters) {
        return phase;
    }
    let wants_successes = limits.consecutive_success > 0;
    if wants_successes && counters.consecutive_success >= limits.consecutive_success {
        return Phase::Successful;
    }
    if limits.count.is_some_and(|count| counters.count >= count) {
        return match (wants_successes, limits.failure >= 0) {
            (true, true) => Phase::Inconclusive,
            (true, false) => Phase::Failed,
            (false, _) => Phase::Successful,
        };
    }
    at_rest(Phase::Running)
}

/// When it fails, the model of Argo's counting is wrong, and so is what the study and the documentation say of it.
#[test]
fn metrics_are_assessed_as_by_argo() {
    let Some(file) = read("peers/argo_analysis.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "metric_assessment") {
        let (limits, counters) = (Limits::of(&case["metric"]), Counters::of(&case["counters"]));
        let last = (!case["last_measurement"].is_null()).then(|| Phase::named(&case["last_measurement"]));
        for (key, is_terminating) in [("expected_phase", false), ("expected_phase_when_terminating", true)] {
            if !case[key].is_null() {
                assert_eq!(
                    assess(&limits, &counters, last, is_terminating),
                    Phase::named(&case[key]),
                    "{case}"
                );
            }
        }
        compared += 1;
    }
    for case in cases(&file, "reason_messages") {
        let (phase, message) = crossed(&Limits::of(&Value::Null), &Counters::of(&case["counters"])).unwrap();
        assert_eq!(
            (phase, message.as_str()),
            (Phase::named(&case["expected_phase"]), case["expected_message"].as_str().unwrap())
        );
        compared += 1;
    }
    for case in cases(&file, "run_assessment") {
        run(case);
        compared += 1;
    }
    for case in cases(&file, "scheduling") {
        schedule(case);
        compared += 1;
    }
    println!("argo_analysis: {compared} cases");
}

/// The worst of the metrics, once all have ended; those of a dry run are counted apart.
fn run(case: &Value) {
    let is_terminating = case["terminate_requested"] == true;
    let is_dry = |name: &Value| case["dry_run"].as_array().is_some_and(|dry| dry.contains(name));
    let defaults = Limits::of(&serde_json::json!({ "interval": "60s" }));
    let (mut worst, mut message) = (Phase::Successful, None);
    let mut is_over = true;
    let mut dry = [0_u64; 5];
    for metric in cases(case, "metrics") {
        let name = &metric["name"];
        let counters = Counters::of(metric);
        let given = Phase::named(&metric["phase"]);
        let measured = counters.failed + counters.inconclusive + counters.count > 0;
        let phase = match given {
            given if given.is_final() => given,
            Phase::Pending => assess(&defaults, &counters, None, is_terminating),
            _ if measured => assess(&defaults, &counters, Some(Phase::Failed), is_terminating),
            given => given,
        };
        if let Some(expected) = case["expected_metric_phase"].get(name.as_str().unwrap()) {
            assert_eq!(phase, Phase::named(expected), "{case}");
        }
        if is_dry(name) {
            let place = match phase {
                Phase::Successful => 1,
                Phase::Failed => 2,
                Phase::Inconclusive => 3,
                _ => 4,
            };
            dry[0] += 1;
            dry[place] += 1;
        } else if !phase.is_final() {
            is_over = false;
        } else if phase > worst {
            worst = phase;
            message = crossed(&defaults, &counters)
                .map(|(phase, why)| format!("Metric {name} assessed {phase:?} due to {why}"));
        }
    }
    let got = if is_over { worst } else { Phase::Running };
    assert_eq!(got, Phase::named(&case["expected"]), "{case}");
    if let Some(expected) = case["expected_message"].as_str().filter(|_| !is_terminating) {
        assert_eq!(message.as_deref(), Some(expected));
    }
    if let Some(expected) = case["expected_dry_run_summary"].as_object() {
        let keys = ["count", "successful", "failed", "inconclusive", "error"];
        assert_eq!(dry.to_vec(), keys.map(|key| expected[key].as_u64().unwrap()).to_vec(), "{case}");
    }
}

/// In how many seconds a metric is measured next; none is never.
fn next_in(metric: &Value, run_started_ago: Option<f64>) -> Option<f64> {
    if !metric["initial_delay_s"].is_null() {
        let delay = metric["initial_delay_s"].as_f64()?;
        if metric["last_finished_ago_s"].is_null() {
            return Some((delay - run_started_ago.unwrap_or(0.0)).max(0.0));
        }
    }
    let wait = if metric["last_phase"] == "Error" { 10.0 } else { metric["interval_s"].as_f64()? };
    Some((wait - metric["last_finished_ago_s"].as_f64().unwrap_or(f64::INFINITY)).max(0.0))
}

fn schedule(case: &Value) {
    let run_started_ago = case["run_started_ago_s"].as_f64();
    if let Some(expected) = case["expected_due"].as_bool() {
        let sibling_failed = case["sibling_metric_phase"] == "Failed";
        let got = !sibling_failed && next_in(case, run_started_ago) == Some(0.0);
        assert_eq!(got, expected, "{case}");
    } else if let Some(expected) = case["expected_next_in_s"].as_f64() {
        let one = [case.clone()];
        let metrics = case["metrics"].as_array().map_or(&one[..], Vec::as_slice);
        let got = metrics.iter().filter_map(|metric| next_in(metric, run_started_ago)).reduce(f64::min);
        assert_eq!(got, Some(expected), "{case}");
    } else {
        let measurements = case["measurements"].as_array().unwrap();
        let keep = case["retention_override"].as_u64().or(case["limit"].as_u64()).unwrap() as usize;
        let kept = &measurements[measurements.len().saturating_sub(keep)..];
        assert_eq!(kept, case["expected_kept"].as_array().unwrap().as_slice(), "{case}");
    }
}

/// The reading, counted from 0, at which a trigger "so many breaches of the last so many" fires. Readings are a minute
/// apart; one without a conclusion is none.
pub(crate) fn fires(readings: &[Option<bool>], breaches: u32, evaluations: u32) -> Option<usize> {
    let mut trigger = Sustained::default();
    let out_of = Some(OutOf { breaches, evaluations });
    readings.iter().enumerate().position(|(minute, beyond)| {
        let at = Timestamp::from_second(1_800_000_000 + 60 * i64::try_from(minute).unwrap()).unwrap();
        let status = trigger.reading(at, *beyond, Duration::ZERO, out_of, Duration::from_secs(120));
        status.is_some_and(|status| status.is_breach())
    })
}

/// When it fails, whoever brings a `failureLimit` from Argo gets another count here. Over as many evaluations as there are
/// measurements the count is the same; errors and inconclusive measurements count for nothing here, where they end an
/// analysis there.
#[test]
fn a_failure_limit_is_so_many_breaches() {
    let Some(file) = read("peers/argo_sequences_derived.json") else { return };
    let (mut compared, mut contrasts) = (0, 0);
    for case in cases(&file, "cases") {
        let name = &case["name"];
        let limits = Limits::of(&case["metric"]);
        let measured: Vec<Phase> = cases(case, "measurements").map(Phase::named).collect();
        let expected = &case["expected"];
        let mut counters = Counters::default();
        let mut phases = Vec::new();
        for phase in &measured {
            counters.add(*phase);
            phases.push(assess(&limits, &counters, Some(*phase), false));
            if phases.last().is_some_and(|phase| phase.is_final()) {
                break;
            }
        }
        let after: Vec<Phase> = cases(expected, "phase_after_each").map(Phase::named).collect();
        assert_eq!(phases, after, "{name}");
        let decided = phases.iter().position(|phase| phase.is_final()).map(|place| place as u64 + 1);
        assert_eq!(decided, expected["decided_at_measurement"].as_u64(), "{name}");
        let last = measured.last().copied();
        let ended = assess(&limits, &counters, last, case["terminate_after"] == true);
        assert_eq!(ended, Phase::named(&expected["final_phase"]), "{name}");
        compared += 1;

        // The same here.
        let reading = |phase: &Phase| match phase {
            Phase::Successful => Some(false),
            Phase::Failed => Some(true),
            _ => None,
        };
        let readings: Vec<Option<bool>> = measured.iter().map(reading).collect();
        let Ok(breaches) = u32::try_from(limits.failure + 1) else { continue };
        if breaches == 0 {
            continue;
        }
        let fired = fires(&readings, breaches, breaches.max(readings.len() as u32));
        let failed = phases.iter().position(|phase| *phase == Phase::Failed);
        let is_by_count = expected["why"].as_str().is_some_and(|why| why.starts_with("failed"));
        if is_by_count {
            assert_eq!(fired, failed, "{name}");
        } else if ended == Phase::Successful && !readings.contains(&Some(true)) {
            // It ends well there, also when nothing was measured at all. Here it is Ok only if something was seen to be.
            assert_eq!(fired, None, "{name}");
        }
        if ended == Phase::Successful
            && !readings.is_empty()
            && readings.iter().all(|beyond| *beyond == Some(true))
        {
            // All failed, and successful there, since as many may fail as are made. Here it is never well, and one less
            // than may fail is enough.
            let mut trigger = Sustained::default();
            for (minute, beyond) in readings.iter().enumerate() {
                let at = Timestamp::from_second(1_800_000_000 + 60 * i64::try_from(minute).unwrap()).unwrap();
                let out_of = Some(OutOf { breaches, evaluations: breaches });
                let status = trigger.reading(at, *beyond, Duration::ZERO, out_of, Duration::from_secs(120));
                assert!(status.is_some_and(|status| !status.is_ok()), "{name}");
            }
            assert!(fires(&readings, breaches - 1, breaches).is_some(), "{name}");
            contrasts += 1;
        }
        if readings.is_empty() {
            // Without a measurement it is successful there; here nothing is known.
            assert_eq!(ended, Phase::Successful, "{name}");
            assert_eq!(
                Sustained::default().reading(
                    Timestamp::UNIX_EPOCH,
                    None,
                    Duration::ZERO,
                    None,
                    Duration::MAX
                ),
                None
            );
            contrasts += 1;
        }
    }
    println!("argo_sequences_derived: {compared} cases, {contrasts} of them otherwise here");
}
