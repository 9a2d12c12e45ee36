//! Streams of counts with what the judge has to make of them, tick by tick.

use serde_json::Value;
use unship::judge::latency::{HistogramLatency, LatencySettings};
use unship::judge::watch::{
    Action, Decision, Metric, MetricKind, MetricReading, MetricSettings, Reading, Watch, WatchSettings,
};
use unship::judge::{
    ArmCounts, DataProblem, GaugeMonitor, GaugeSettings, Interval, OneArmMonitor, PairMonitor, Settings,
    Tick, Tolerance,
};

use crate::reference::{assert_close, number, number_or, numbers, read};

/// A stream and how far its figures may be off.
struct Stream {
    name: &'static str,
    file: Value,
}

impl Stream {
    fn read(name: &'static str) -> Option<Self> {
        Some(Self { name, file: read(name)? })
    }

    fn rows(&self, key: &str) -> impl Iterator<Item = &Vec<Value>> {
        self.file[key].as_array().unwrap().iter().map(|row| row.as_array().unwrap())
    }

    fn checkpoint(&self, tick: usize) -> Option<&Value> {
        self.file["expect"]["checkpoints"].as_array().unwrap().iter().find(|point| point["tick"] == tick)
    }

    /// Compares one figure at a tick, where the file has it.
    #[track_caller]
    fn assert(&self, tick: usize, key: &str, got: &[f64]) -> bool {
        let Some(expected) = self.checkpoint(tick).map(|point| &point[key]).filter(|value| !value.is_null())
        else {
            return false;
        };
        let expected = if expected.is_array() { numbers(expected) } else { vec![number(expected)] };
        let tolerances = &self.file["tolerance"];
        let named = if key.starts_with("log_e") || key == "per_quantile" { "log_e" } else { key };
        let tolerance = number_or(&tolerances[named], number(&tolerances["other"]));
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            // The file has twelve digits.
            let tolerance = tolerance.max(1e-11 * expected.abs());
            assert_close(&format!("{} tick {tick} {key}", self.name), *got, expected, tolerance);
        }
        true
    }

    fn assert_first_alarm(&self, log_e: &[f64]) {
        let first = log_e.iter().position(|log_e| *log_e >= 100f64.ln());
        let expected = &self.file["expect"]["first_tick_with_log_e_at_least_ln100"];
        assert_eq!(first, expected.as_u64().map(|tick| tick as usize), "{}", self.name);
        if let Some(max) = self.file["expect"]["max_log_e"].as_f64() {
            assert_close(self.name, log_e.iter().copied().fold(0.0, f64::max), max, 1e-6);
        }
    }

    fn settings(&self) -> Settings {
        let config = &self.file["config"];
        let default = Settings::default();
        Settings {
            harm: Tolerance::new(
                number_or(&config["slope"], default.harm.ratio),
                number_or(&config["intercept"], default.harm.difference),
            ),
            safe: Tolerance::new(
                number_or(&config["safe_slope"], default.safe.ratio),
                number_or(&config["safe_intercept"], default.safe.difference),
            ),
            horizon_s: number_or(&config["horizon"], default.horizon_s),
            slot_s: number_or(&config["slot"], default.slot_s),
            is_guarded: config["guard"].as_bool().unwrap_or(true),
            ..default
        }
    }
}

fn counts(requests: &Value, bad: &Value) -> ArmCounts {
    ArmCounts::new(number(requests), number(bad))
}

fn ends(interval: Interval) -> [f64; 2] {
    [interval.lower, interval.upper]
}

fn pair(name: &'static str) {
    let Some(stream) = Stream::read(name) else { return };
    let mut monitor = PairMonitor::new(stream.settings());
    for row in stream.rows("history") {
        monitor.history(number(&row[0]), counts(&row[1], &row[2])).unwrap();
    }
    let mut log_e = Vec::new();
    let mut compared = 0;
    for (i, row) in stream.rows("ticks").enumerate() {
        let tick = Tick {
            start_s: number(&row[0]),
            length_s: number(&row[1]),
            canary: counts(&row[2], &row[3]),
            stable: counts(&row[4], &row[5]),
        };
        monitor.observe(&tick).unwrap();
        log_e.push(monitor.log_e());
        compared += usize::from(stream.assert(i, "log_e", &[monitor.log_e()]));
        stream.assert(i, "log_e_safe", &[monitor.log_e_safe()]);
        stream.assert(i, "phi", &[monitor.phi()]);
        stream.assert(i, "p_value", &[monitor.p_value()]);
        stream.assert(i, "cs", &ends(monitor.interval()));
        stream.assert(i, "suspected_ratio", &[monitor.suspected_ratio()]);
    }
    stream.assert_first_alarm(&log_e);
    println!("{name}: {compared} checkpoints");
}

/// When it fails, a real regression of errors is not weighed as the mathematics says.
#[test]
fn five_points_more_errors() {
    pair("judge_pair_plus5pp.json");
}

/// When it fails, spikes that both arms share count against the canary, or for it.
#[test]
fn shared_spikes_are_no_evidence() {
    pair("judge_pair_healthy_spikes.json");
}

/// When it fails, an absolute limit at two requests a second is weighed wrongly: empty ticks, and a guard without
/// history.
#[test]
fn one_arm_against_an_objective() {
    let name = "judge_one_arm_slo.json";
    let Some(stream) = Stream::read(name) else { return };
    let settings = stream.settings();
    let mut monitor = OneArmMonitor::between(settings.harm.difference, settings.safe.difference, settings);
    for row in stream.rows("history") {
        monitor.history(number(&row[0]), counts(&row[1], &row[2])).unwrap();
    }
    let mut log_e = Vec::new();
    let mut compared = 0;
    for (i, row) in stream.rows("ticks").enumerate() {
        monitor.observe(number(&row[0]), number(&row[1]), counts(&row[2], &row[3])).unwrap();
        log_e.push(monitor.log_e());
        compared += usize::from(stream.assert(i, "log_e", &[monitor.log_e()]));
        stream.assert(i, "log_e_safe", &[monitor.log_e_safe()]);
        stream.assert(i, "phi", &[monitor.phi()]);
        stream.assert(i, "p_value", &[monitor.p_value()]);
        stream.assert(i, "cs", &ends(monitor.interval()));
        stream.assert(i, "suspected_ratio", &[monitor.suspected_ratio()]);
    }
    stream.assert_first_alarm(&log_e);
    println!("{name}: {compared} checkpoints");
}

/// When it fails, latency from buckets is compared at other bounds, or weighed otherwise, than the mathematics says.
#[test]
fn latency_twice_as_slow() {
    let name = "judge_latency_hist_x2.json";
    let Some(stream) = Stream::read(name) else { return };
    let settings = LatencySettings { slowdown: number(&stream.file["rho"]), ..LatencySettings::default() };
    let mut latency = HistogramLatency::new(numbers(&stream.file["edges"]), settings).unwrap();
    for row in stream.rows("history") {
        latency.history(number(&row[0]), &numbers(&row[1])).unwrap();
    }
    let mut log_e = Vec::new();
    let mut compared = 0;
    for (i, row) in stream.rows("ticks").enumerate() {
        latency.observe(number(&row[0]), number(&row[1]), &numbers(&row[2]), &numbers(&row[3])).unwrap();
        log_e.push(latency.log_e());
        compared += usize::from(stream.assert(i, "log_e", &[latency.log_e()]));
        stream.assert(i, "log_e_safe", &[latency.log_e_safe()]);
        stream.assert(i, "per_quantile", &latency.per_quantile());
        stream.assert(i, "phi", &latency.phi());
        let Some(point) = stream.checkpoint(i) else { continue };
        for (plan, expected) in latency.plan().iter().zip(point["plan_next"].as_array().unwrap()) {
            let plan = plan.unwrap();
            assert_eq!(plan.bucket as u64, expected[0].as_u64().unwrap(), "{name} tick {i}");
            assert_close(name, plan.ratio, number(&expected[1]), 1e-9);
            assert_close(name, plan.reference, number(&expected[2]), 1e-9);
        }
    }
    stream.assert_first_alarm(&log_e);
    println!("{name}: {compared} checkpoints");
}

/// When it fails, a gauge is compared by other blocks, or bet on otherwise, than the mathematics says.
#[test]
fn memory_grows_in_a_step() {
    let name = "judge_gauge_step.json";
    let Some(stream) = Stream::read(name) else { return };
    let config = &stream.file["config"];
    let settings = GaugeSettings {
        ratio: number(&config["rho"]),
        offset: number(&config["tol"]),
        horizon_s: number(&config["horizon"]),
    };
    let mut gauge = GaugeMonitor::new(number(&config["block"]), settings);
    let mut log_e = Vec::new();
    let mut compared = 0;
    for (i, row) in stream.rows("ticks").enumerate() {
        gauge.observe(number(&row[0]), &numbers(&row[1]), &numbers(&row[2])).unwrap();
        log_e.push(gauge.log_e());
        compared += usize::from(stream.assert(i, "log_e", &[gauge.log_e()]));
        stream.assert(i, "blocks", &[gauge.blocks() as f64]);
    }
    stream.assert_first_alarm(&log_e);
    println!("{name}: {compared} checkpoints");
}

fn name_of(action: Action) -> String {
    serde_json::to_value(action).unwrap().as_str().unwrap().to_owned()
}

/// When it fails, the evidence of a canary leads to another action, or at another time, than the rules say.
#[test]
fn a_watch_holds_and_then_rolls_back() {
    let name = "judge_watch_regression_at_200.json";
    let Some(stream) = Stream::read(name) else { return };
    let mut errors = PairMonitor::new(stream.settings());
    let settings = LatencySettings { slowdown: number(&stream.file["rho"]), ..LatencySettings::default() };
    let mut latency = HistogramLatency::new(numbers(&stream.file["edges"]), settings).unwrap();
    let rules = WatchSettings::of(Vec::<Metric>::new());
    let given = &stream.file["config"]["judge"];
    let weights = &stream.file["weights"];
    let metric = |metric: Metric, name: &str| MetricSettings {
        weight: number(&weights[name]),
        ..MetricSettings::of(metric)
    };
    let mut watch = Watch::new(WatchSettings {
        metrics: vec![
            metric(MetricKind::Errors.into(), "errors"),
            metric(MetricKind::Latency.into(), "latency"),
        ],
        alpha: number_or(&given["alpha"], rules.alpha),
        beta: number_or(&given["beta"], rules.beta),
        hold_e: number_or(&given["hold_e"], rules.hold_e),
        release_e: number_or(&given["release_e"], rules.release_e),
        release_s: number_or(&given["release_s"], rules.release_s),
        min_watch_s: number_or(&given["min_watch_s"], rules.min_watch_s),
        min_canary_requests: number_or(&given["min_canary_requests"], rules.min_canary_requests),
        severe_difference: number_or(&given["severe_diff"], rules.severe_difference),
        ..rules
    });
    for row in stream.rows("history") {
        errors.history(number(&row[0]), counts(&row[1], &row[2])).unwrap();
        latency.history(number(&row[0]), &numbers(&row[3])).unwrap();
    }
    let mut changes: Vec<(usize, Decision)> = Vec::new();
    let mut compared = 0;
    for (i, row) in stream.rows("ticks").enumerate() {
        let (start_s, length_s) = (number(&row[0]), number(&row[1]));
        let (canary, stable) = (counts(&row[2], &row[3]), counts(&row[4], &row[5]));
        let problem = row.get(8).map(|_| DataProblem::Empty);
        if problem.is_none() {
            errors.observe(&Tick { start_s, length_s, canary, stable }).unwrap();
            latency.observe(start_s, length_s, &numbers(&row[6]), &numbers(&row[7])).unwrap();
        }
        let decision = watch.decide(&Reading {
            at_s: start_s + length_s,
            metrics: vec![
                MetricReading::of(MetricKind::Errors, &errors.evidence()),
                MetricReading::of(MetricKind::Latency, &latency.evidence()),
            ],
            canary_requests: errors.canary().requests,
            known_s: errors.known_s(),
            problem,
            ..Reading::default()
        });
        compared += usize::from(stream.assert(i, "log_e", &[decision.log_e]));
        for (key, value) in [
            ("errors", errors.log_e()),
            ("latency", latency.log_e()),
            ("errors_safe", errors.log_e_safe()),
            ("latency_safe", latency.log_e_safe()),
        ] {
            stream.assert(i, key, &[value]);
        }
        if changes.last().is_none_or(|(_, last)| last.action != decision.action) {
            changes.push((i, decision));
        }
    }
    let expected = stream.file["expect"]["actions"].as_array().unwrap();
    assert_eq!(changes.len(), expected.len(), "{changes:?}");
    for ((tick, decision), expected) in changes.iter().zip(expected) {
        assert_eq!(*tick as u64, expected["tick"].as_u64().unwrap());
        assert_eq!(name_of(decision.action), expected["action"].as_str().unwrap());
        let because = decision.blame.as_ref().map_or(String::new(), |blame| blame.metric.to_string());
        assert_eq!(because, expected["because"].as_str().unwrap(), "{decision:?}");
    }
    println!("{name}: {compared} checkpoints, {} actions", changes.len());
}
