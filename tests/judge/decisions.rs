//! From evidence to an action: the rules in their order, what is latched, and many services at once.

use unship::judge::watch::{
    Action, Concern, HardTrigger, Metric, MetricKind, MetricReading, Reading, Reason, Verdict, Watch,
    WatchSettings, WhenAbsent, WhenUndecided,
};
use unship::judge::{DataProblem, discoveries, needed};

/// A reading at which a canary is safe.
fn safe(at_s: f64) -> Reading {
    Reading {
        at_s,
        metrics: vec![MetricReading {
            metric: MetricKind::Errors.into(),
            log_e: -0.5,
            log_e_safe: Some(4.0),
            lower_difference: Some(-0.01),
        }],
        canary_requests: 1_000.0,
        known_s: 600.0,
        ..Reading::default()
    }
}

fn with_e(at_s: f64, e: f64) -> Reading {
    let mut reading = safe(at_s);
    reading.metrics[0].log_e = e.ln();
    reading
}

fn watch() -> Watch {
    Watch::new(WatchSettings::of([MetricKind::Errors]))
}

/// When it fails, the rules are applied in another order than the one that is documented.
#[test]
fn the_first_rule_that_holds_decides() {
    use Action::{Hold, KeepWatching, Promote, RollbackGradual, RollbackImmediate};
    use Verdict::{Harm, Safe, Undecided, Unknown};
    let severe = |mut reading: Reading| {
        reading.metrics[0].lower_difference = Some(0.02);
        reading
    };
    let hard = |mut reading: Reading| {
        reading.hard.push(HardTrigger::Probe("live".into()));
        reading
    };
    let blind = |mut reading: Reading| {
        reading.problem = Some(DataProblem::Stale { age_s: 61.0 });
        reading
    };
    let young = |mut reading: Reading| {
        reading.known_s = 119.0;
        reading
    };
    let lost = |mut reading: Reading| {
        reading.concerns.push(Concern::LostTraffic { expected: 60.0, seen: 2.0 });
        reading
    };
    let few = |mut reading: Reading| {
        reading.canary_requests = 199.0;
        reading
    };
    let unsure = |mut reading: Reading| {
        reading.metrics[0].log_e_safe = Some(2.9);
        reading
    };
    for (name, reading, verdict, action) in [
        ("a hard trigger", hard(safe(200.0)), Harm, RollbackImmediate),
        ("a hard trigger without data", hard(blind(safe(0.0))), Harm, RollbackImmediate),
        ("severe", severe(with_e(200.0, 100.0)), Harm, RollbackImmediate),
        ("severe, and stable hardly known", young(severe(with_e(5.0, 100.0))), Harm, RollbackImmediate),
        ("severe without evidence", severe(with_e(200.0, 2.0)), Safe, Promote),
        ("evidence", with_e(200.0, 101.0), Harm, RollbackGradual),
        ("evidence without data", blind(with_e(200.0, 101.0)), Harm, RollbackGradual),
        ("evidence, but stable hardly known", young(with_e(50.0, 101.0)), Harm, Hold),
        ("not quite enough evidence", with_e(200.0, 99.0), Undecided, Hold),
        ("no data", blind(safe(200.0)), Unknown, Hold),
        ("no data, and suspicion", blind(with_e(200.0, 11.0)), Unknown, Hold),
        ("no traffic", lost(safe(200.0)), Unknown, Hold),
        ("suspicion", with_e(200.0, 10.0), Undecided, Hold),
        ("safe", safe(120.0), Safe, Promote),
        ("a little evidence", with_e(200.0, 3.0), Undecided, KeepWatching),
        ("too early", safe(119.0), Undecided, KeepWatching),
        ("too few requests", few(safe(200.0)), Undecided, KeepWatching),
        ("not yet safe", unsure(safe(200.0)), Undecided, KeepWatching),
    ] {
        let decision = watch().decide(&reading);
        assert_eq!((decision.verdict, decision.action), (verdict, action), "{name}: {decision:?}");
        assert!(!decision.reasons.is_empty(), "{name} has no reason");
    }
}

/// When it fails, a rollback that was decided is taken back by good news, or does not become more urgent by bad.
#[test]
fn a_rollback_is_latched() {
    let mut watch = watch();
    let decision = watch.decide(&with_e(200.0, 150.0));
    assert_eq!((decision.action, decision.keep_weight), (Action::RollbackGradual, Some(0.5)));
    assert_eq!(decision.blame.unwrap().metric.kind, MetricKind::Errors);
    let decision = watch.decide(&safe(230.0));
    assert_eq!((decision.action, decision.keep_weight), (Action::RollbackGradual, Some(0.5)));
    assert_eq!(decision.decided_at_s, Some(200.0));
    assert!(decision.p_value < 0.01, "the best evidence counts: {}", decision.p_value);
    assert_eq!(watch.decide(&safe(260.0)).keep_weight, Some(0.0));
    let mut hard = safe(261.0);
    hard.hard.push(HardTrigger::Operator("ada".into()));
    assert_eq!(watch.decide(&hard).action, Action::RollbackImmediate);
    let decision = watch.decide(&with_e(270.0, 150.0));
    assert_eq!((decision.action, decision.keep_weight), (Action::RollbackImmediate, Some(0.0)));
}

/// When it fails, a canary under suspicion is released too early, or never.
#[test]
fn a_hold_is_released_after_a_quiet_minute() {
    let mut watch = watch();
    for (at_s, e, action) in [
        (130.0, 10.0, Action::Hold),
        (140.0, 5.0, Action::Hold),
        (150.0, 2.0, Action::Hold),
        (200.0, 2.0, Action::Hold),
        // Quiet no more: the minute begins anew.
        (205.0, 3.5, Action::Hold),
        (210.0, 2.0, Action::Hold),
        (269.0, 2.0, Action::Hold),
        (270.0, 2.0, Action::Promote),
    ] {
        let decision = watch.decide(&with_e(at_s, e));
        assert_eq!(decision.action, action, "at {at_s}: {decision:?}");
    }
}

/// When it fails, one step's evidence promotes the next one too.
#[test]
fn each_step_needs_evidence_of_its_own() {
    let mut watch = watch();
    assert_eq!(watch.decide(&safe(130.0)).action, Action::Promote);
    watch.begin_step();
    let mut silent = safe(131.0);
    silent.metrics.clear();
    let decision = watch.decide(&silent);
    assert_eq!(decision.action, Action::KeepWatching);
    assert!(matches!(decision.reasons[0], Reason::MetricNotYetSafe { log_e: None, .. }));
    assert_eq!(watch.decide(&safe(140.0)).action, Action::Promote);
}

/// When it fails, a step that ends by its own clock is promoted against suspicion, or without data.
#[test]
fn the_end_of_a_step() {
    let undecided = |e: f64| {
        let mut reading = with_e(300.0, e);
        reading.metrics[0].log_e_safe = Some(0.0);
        reading
    };
    let mut blind = undecided(1.0);
    blind.problem = Some(DataProblem::Empty);
    assert_eq!(watch().decide_at_step_end(&undecided(2.9)).action, Action::Promote);
    assert_eq!(watch().decide_at_step_end(&undecided(3.1)).action, Action::Hold);
    assert_eq!(watch().decide_at_step_end(&blind).action, Action::Hold);
    let strict =
        WatchSettings { when_undecided: WhenUndecided::Hold, ..WatchSettings::of([MetricKind::Errors]) };
    assert_eq!(Watch::new(strict).decide_at_step_end(&undecided(1.0)).action, Action::Hold);
}

/// When it fails, flying blind for minutes does not do what was configured.
#[test]
fn absent_data_as_configured() {
    let mut blind = safe(400.0);
    blind.problem = Some(DataProblem::Absent { age_s: 301.0 });
    assert_eq!(watch().decide(&blind).action, Action::Hold);
    let settings =
        WatchSettings { when_absent: WhenAbsent::RollBack, ..WatchSettings::of([MetricKind::Errors]) };
    let decision = Watch::new(settings).decide(&blind);
    assert_eq!((decision.verdict, decision.action), (Verdict::Unknown, Action::RollbackGradual));
}

/// When it fails, metrics are not combined by their weights, or the wrong one is blamed.
#[test]
fn metrics_add_up_by_weight() {
    let mut watch = Watch::new(WatchSettings::of([
        MetricKind::Errors.into(),
        MetricKind::Latency.into(),
        Metric::new(MetricKind::Gauge, "memory"),
    ]));
    let mut reading = with_e(200.0, 100.0);
    let latency = MetricReading {
        metric: MetricKind::Latency.into(),
        log_e: 300_f64.ln(),
        log_e_safe: None,
        lower_difference: None,
    };
    reading.metrics.push(latency);
    let decision = watch.decide(&reading);
    // Errors 4, latency 3, gauge 1, which has not been heard and counts as 1.
    assert!((decision.e_value - (400.0 + 900.0 + 1.0) / 8.0).abs() < 1e-6);
    let blame = decision.blame.unwrap();
    assert_eq!(blame.metric.kind, MetricKind::Latency);
    assert!((blame.part - 900.0 / 1301.0).abs() < 1e-9);
    // A gauge is harm-only; without a metric that can be safe nothing is promoted.
    let mut only = Watch::new(WatchSettings::of([Metric::new(MetricKind::Gauge, "memory")]));
    let mut quiet = safe(500.0);
    quiet.metrics.clear();
    assert_eq!(only.decide(&quiet).reasons, [Reason::NothingToShow]);
}

/// When it fails, acting on many services at once has more false alarms among the actions than promised, or misses
/// clear ones.
#[test]
fn many_services_at_once() {
    let e = |values: &[f64]| values.iter().map(|e| e.ln()).collect::<Vec<f64>>();
    assert_eq!(discoveries(&e(&[1.0, 500.0, 2.0, 250.0]), 0.01), [1, 3]);
    assert_eq!(discoveries(&e(&[1.0, 399.0, 2.0, 3.0]), 0.01), [0_usize; 0]);
    assert_eq!(discoveries(&e(&[100.0]), 0.01), [0]);
    // Three at 134 are enough together, none is alone.
    assert_eq!(discoveries(&e(&[134.0, 134.0, 134.0, 0.1]), 0.01), [0, 1, 2]);
    assert_eq!(discoveries(&[], 0.01), [0_usize; 0]);
    assert_eq!(discoveries(&[f64::NAN, 100.0], 0.01), [1]);
}

/// When it fails, what a service needs beside others is not what makes it one of those that are acted on.
#[test]
fn what_is_needed_is_what_is_acted_on() {
    let logs = [1.0_f64, 3.0, 40.0, 101.0, 134.0, 199.0, 201.0, 399.0, 401.0, 1e6].map(f64::ln);
    for own in logs {
        for a in logs {
            for b in logs {
                let acts = discoveries(&[own, a, b], 0.01).contains(&0);
                assert_eq!(acts, own >= needed(&[a, b], 0.01), "{own} beside {a} and {b}");
            }
        }
    }
    assert!((needed(&[], 0.01) - 100.0_f64.ln()).abs() < 1e-12, "alone it is the plain limit");
}
