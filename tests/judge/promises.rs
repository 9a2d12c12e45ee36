//! What holds for every stream, however odd.

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use unship::judge::latency::{HistogramLatency, LatencySettings, RawLatency};
use unship::judge::watch::{MetricKind, MetricReading, Reading, Watch, WatchSettings};
use unship::judge::{
    ArmCounts, Discard, GaugeMonitor, GaugeSettings, OneArmMonitor, PairMonitor, Preset, Settings,
    SplitMonitor, Taken, Tick,
};

/// Any double at all.
fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (0_u32..2000).prop_map(f64::from),
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -1.0, f64::NAN, f64::INFINITY, 1e15, 1e300, 5e-324, 0.3]),
    ]
}

/// Sound counts of one arm.
fn counts(most: u32) -> impl Strategy<Value = ArmCounts> {
    (0..=most).prop_flat_map(move |requests| {
        (0..=requests).prop_map(move |bad| ArmCounts::new(f64::from(requests), f64::from(bad)))
    })
}

/// Sound counts with few errors.
fn calm(most: u32) -> impl Strategy<Value = ArmCounts> {
    (1..=most).prop_flat_map(|requests| {
        (0..=requests / 20).prop_map(move |bad| ArmCounts::new(f64::from(requests), f64::from(bad)))
    })
}

fn tick(start_s: f64, length_s: f64, canary: ArmCounts, stable: ArmCounts) -> Tick {
    Tick { start_s, length_s, canary, stable }
}

/// What was written and read again.
fn again<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn preset() -> impl Strategy<Value = Preset> {
    prop::sample::select(vec![Preset::Default, Preset::Strict, Preset::Relaxed])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// When it fails, some input makes evidence that is no number, and everything built on it is void.
    #[test]
    fn evidence_is_always_a_number(
        rows in prop::collection::vec((any_number(), any_number(), any_number(), any_number(), any_number()), 1..40),
        odd in prop::collection::vec(any_number(), 8),
        limit in any_number(),
    ) {
        let settings = Settings { slot_s: odd[0], horizon_s: odd[1], half_life_s: odd[2], ..Settings::default() };
        let mut pair = PairMonitor::new(settings);
        let mut one = OneArmMonitor::against_limit(limit, settings);
        let mut split = SplitMonitor::new(settings);
        let mut gauge = GaugeMonitor::new(odd[3], GaugeSettings { ratio: odd[4], offset: odd[5], horizon_s: odd[6] });
        let mut raw = RawLatency::new(LatencySettings { least_samples: 1.0, ..LatencySettings::default() });
        let mut buckets = HistogramLatency::new(vec![0.1, 1.0], LatencySettings { slowdown: odd[7], least_samples: 1.0,
            ..LatencySettings::default() }).unwrap();
        let mut watch = Watch::new(WatchSettings::of([MetricKind::Errors, MetricKind::Latency]));
        let mut at = 0.0;
        for (a, b, c, d, length) in rows {
            let (canary, stable) = (ArmCounts::new(a, b), ArmCounts::new(c, d));
            let _ = pair.history(length, stable);
            let was = pair.log_e();
            let taken = pair.observe(&tick(at, length, canary, stable));
            if a < b || c < d {
                prop_assert!(taken.is_err());
            }
            prop_assert!(pair.log_e() <= was + 8.0 + 1e-9);
            let _ = one.observe(at, length, canary);
            let _ = split.observe(at, length, b, d, a / 2000.0);
            let _ = gauge.observe(length, &[a, b, c], &[b, c, d]);
            let _ = raw.observe(at, length, &[a, b], &[c, d]);
            let _ = buckets.observe(at, length, &[a, b, c], &[b, c, d]);
            let evidence = [
                pair.evidence(), one.evidence(), split.evidence(), gauge.evidence(), raw.evidence(), buckets.evidence(),
            ];
            for evidence in &evidence {
                prop_assert!(evidence.log_e.is_finite() && evidence.phi >= 1.0 && evidence.p_value <= 1.0);
                // A number that is not finite does not survive JSON.
                prop_assert_eq!(&again(evidence), evidence);
            }
            let decision = watch.decide(&Reading {
                at_s: at,
                metrics: vec![
                    MetricReading::of(MetricKind::Errors, &evidence[0]),
                    MetricReading::of(MetricKind::Latency, &evidence[5]),
                ],
                canary_requests: pair.canary().requests,
                known_s: pair.known_s(),
                ..Reading::default()
            });
            prop_assert_eq!(&again(&decision), &decision);
            at += if length.is_finite() && length > 0.0 && length < 1e6 { length } else { 1.0 };
        }
    }

    /// When it fails, counts that waited for the other arm weigh otherwise than if they had come at once.
    #[test]
    fn a_carry_equals_one_longer_tick(
        history in prop::collection::vec(calm(500), 1..20),
        parts in prop::collection::vec(counts(80), 1..8),
        canary in calm(60),
        preset in preset(),
    ) {
        let mut apart = PairMonitor::of(preset);
        for counts in &history {
            apart.history(5.0, *counts).unwrap();
        }
        let mut merged = apart.clone();
        let mut sum = ArmCounts::new(1.0, 0.0);
        for (i, stable) in parts.iter().enumerate() {
            let taken = apart.observe(&tick(i as f64 * 2.0, 2.0, ArmCounts::default(), *stable));
            prop_assert_eq!(taken, Ok(Taken::Carried));
            sum = ArmCounts::new(sum.requests + stable.requests, sum.bad + stable.bad);
        }
        let last = parts.len() as f64 * 2.0;
        apart.observe(&tick(last, 2.0, canary, ArmCounts::new(1.0, 0.0))).unwrap();
        merged.observe(&tick(0.0, last + 2.0, canary, sum)).unwrap();
        prop_assert!((apart.log_e() - merged.log_e()).abs() < 1e-9);
        prop_assert!((apart.log_e_safe() - merged.log_e_safe()).abs() < 1e-9);
    }

    /// When it fails, the order in which a tick's parts are given changes what it means.
    #[test]
    fn order_within_a_tick_does_not_matter(
        rows in prop::collection::vec((counts(50), counts(300), counts(50), counts(300)), 1..15),
        samples in prop::collection::vec(0.001_f64..2.0, 10..60),
    ) {
        let mut one = PairMonitor::stratified(Settings::default(), 2);
        let mut other = PairMonitor::stratified(Settings::default(), 2);
        for (i, (a, b, c, d)) in rows.iter().enumerate() {
            one.observe_strata(i as f64, 1.0, &[(*a, *b), (*c, *d)]).unwrap();
            other.observe_strata(i as f64, 1.0, &[(*c, *d), (*a, *b)]).unwrap();
        }
        prop_assert!((one.log_e() - other.log_e()).abs() < 1e-9);
        prop_assert_eq!(one.observe_strata(99.0, 1.0, &[]), Err(Discard::OtherStrata));

        let settings = LatencySettings { least_samples: 1.0, ..LatencySettings::default() };
        let (mut one, mut other) = (RawLatency::new(settings), RawLatency::new(settings));
        let backwards: Vec<f64> = samples.iter().rev().copied().collect();
        for i in 0..4 {
            one.observe(f64::from(i), 1.0, &samples[..5], &samples).unwrap();
            let canary: Vec<f64> = samples[..5].iter().rev().copied().collect();
            other.observe(f64::from(i), 1.0, &canary, &backwards).unwrap();
        }
        prop_assert!((one.log_e() - other.log_e()).abs() < 1e-12);
    }

    /// When it fails, a canary that does exactly what stable does is called harmful, or both harmful and safe.
    #[test]
    fn equal_arms_are_not_harmful(
        rows in prop::collection::vec(counts(400), 1..80),
        preset in preset(),
    ) {
        let mut monitor = PairMonitor::of(preset);
        for (i, counts) in rows.iter().enumerate() {
            monitor.observe(&tick(i as f64, 1.0, *counts, *counts)).unwrap();
            prop_assert!(monitor.log_e() < 1e-9, "log_e {}", monitor.log_e());
        }
    }

    /// When it fails, a watch that was interrupted goes on with other figures.
    #[test]
    fn monitors_survive_being_written_down(
        rows in prop::collection::vec((counts(60), counts(400)), 2..30),
        cut in 0.0_f64..1.0,
    ) {
        let cut = (cut * rows.len() as f64) as usize;
        let mut monitor = PairMonitor::new(Settings::default());
        let mut other = monitor.clone();
        let mut watch = Watch::new(WatchSettings::of([MetricKind::Errors]));
        for (i, (canary, stable)) in rows.iter().enumerate() {
            if i == cut {
                other = again(&other);
                watch = again(&watch);
            }
            let tick = tick(i as f64, 1.0, *canary, *stable);
            monitor.observe(&tick).unwrap();
            other.observe(&tick).unwrap();
            let metrics = vec![MetricReading::of(MetricKind::Errors, &other.evidence())];
            let reading = Reading { at_s: i as f64, metrics, known_s: 500.0, ..Reading::default() };
            prop_assert_eq!(&again(&reading), &reading);
            let before = watch.decide(&reading).action;
            prop_assert!(!before.is_rollback() || watch.decide(&reading).action.is_rollback());
        }
        prop_assert_eq!(monitor, other);
    }

    /// When it fails, an interval is upside down or leaves out what was observed.
    #[test]
    fn intervals_hold_what_was_observed(rows in prop::collection::vec((calm(100), calm(900)), 5..60)) {
        let mut monitor = PairMonitor::new(Settings::default());
        for (i, (canary, stable)) in rows.iter().enumerate() {
            monitor.observe(&tick(i as f64, 1.0, *canary, *stable)).unwrap();
        }
        let interval = monitor.interval();
        let observed = monitor.canary().rate().unwrap() - monitor.stable().rate().unwrap();
        prop_assert!(interval.lower <= interval.upper);
        // The pooled rates of a changing split are not exactly the mean of the ticks' differences.
        prop_assert!(interval.lower - 0.02 <= observed && observed <= interval.upper + 0.02);
    }
}

/// When it fails, a long watch needs more memory than a short one.
#[test]
fn memory_is_constant() {
    let size = |ticks: u32| {
        let mut pair = PairMonitor::new(Settings::default());
        let mut gauge = GaugeMonitor::new(60.0, GaugeSettings::default());
        let mut raw = RawLatency::new(LatencySettings::default());
        for i in 0..ticks {
            let at = f64::from(i);
            pair.observe(&tick(at, 1.0, ArmCounts::new(10.0, f64::from(i % 2)), ArmCounts::new(90.0, 1.0)))
                .unwrap();
            gauge.observe(1.0, &[1.0 + at % 7.0; 40], &[1.0 + at % 5.0; 40]).unwrap();
            raw.observe(at, 1.0, &[0.1 + at % 3.0], &[0.1 + at % 4.0; 9]).unwrap();
        }
        serde_json::to_string(&(pair, gauge, raw)).unwrap().len() as f64
    };
    let (short, long) = (size(1_000), size(10_000));
    assert!(long < 1.3 * short, "{short} characters after 1,000 ticks, {long} after 10,000");
}

/// When it fails, a bad interval is repaired silently, or its reason is lost.
#[test]
fn bad_intervals_are_named() {
    let mut monitor = PairMonitor::new(Settings::default());
    let (some, more) = (ArmCounts::new(10.0, 1.0), ArmCounts::new(90.0, 1.0));
    monitor.observe(&tick(0.0, 10.0, some, more)).unwrap();
    let before = monitor.clone();
    for (tick, expected) in [
        (tick(10.0, 10.0, ArmCounts::new(5.0, 6.0), more), Discard::MoreBadThanRequests),
        (tick(10.0, 10.0, ArmCounts::new(-5.0, 0.0), more), Discard::Negative),
        (tick(10.0, 10.0, some, ArmCounts::new(f64::NAN, 0.0)), Discard::NotFinite),
        (tick(10.0, 10.0, some, ArmCounts::new(1e16, 0.0)), Discard::TooLarge),
        (tick(10.0, 0.0, some, more), Discard::NoLength),
        (tick(10.0, -1.0, some, more), Discard::NoLength),
        (tick(5.0, 10.0, some, more), Discard::NotAfterLast),
        (tick(0.0, 10.0, some, more), Discard::NotAfterLast),
    ] {
        assert_eq!(monitor.observe(&tick), Err(expected));
        assert_eq!(monitor, before, "{expected}");
    }
    assert_eq!(monitor.observe(&tick(10.0, 10.0, some, more)), Ok(Taken::Counted));
    assert!(HistogramLatency::new(vec![], LatencySettings::default()).is_none());
    assert!(HistogramLatency::new(vec![0.2, 0.1], LatencySettings::default()).is_none());
    let mut buckets = HistogramLatency::new(vec![0.1], LatencySettings::default()).unwrap();
    assert_eq!(buckets.observe(0.0, 1.0, &[1.0], &[1.0, 2.0]), Err(Discard::OtherBuckets));
}
