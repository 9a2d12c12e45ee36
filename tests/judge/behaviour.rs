//! What a user relies on beside the figures: steps, strata, waiting counts, shares.

use unship::judge::latency::is_warm;
use unship::judge::{ArmCounts, Discard, PairMonitor, Settings, SplitMonitor, Taken, Tick};

fn tick(start_s: f64, canary: (f64, f64), stable: (f64, f64)) -> Tick {
    let counts = |(requests, bad)| ArmCounts::new(requests, bad);
    Tick { start_s, length_s: 1.0, canary: counts(canary), stable: counts(stable) }
}

/// When it fails, evidence for safe of one step of the traffic counts for the next, or evidence of harm is forgotten.
#[test]
fn a_step_restarts_safe_and_nothing_else() {
    let mut monitor = PairMonitor::new(Settings { is_guarded: false, ..Settings::default() });
    for second in 0..300 {
        monitor.observe(&tick(f64::from(second), (20.0, 0.0), (180.0, 1.0))).unwrap();
    }
    assert!(monitor.log_e_safe() > 20_f64.ln());
    let harm = monitor.log_e();
    // Of the old step and still waiting for stable.
    assert_eq!(monitor.observe(&tick(300.0, (5.0, 5.0), (0.0, 0.0))), Ok(Taken::Carried));
    monitor.restart_safe();
    assert!(monitor.log_e_safe().abs() < 1e-12 && (monitor.log_e() - harm).abs() < 1e-12);
    assert_eq!(monitor.observe(&tick(301.0, (5.0, 0.0), (90.0, 0.0))), Ok(Taken::Counted));
    assert!(monitor.log_e_safe().abs() < 1e-12, "a count of the old step speaks for the new one");
    assert!(monitor.log_e() > harm, "but it is evidence of harm");
    monitor.observe(&tick(302.0, (5.0, 0.0), (90.0, 0.0))).unwrap();
    assert!(monitor.log_e_safe() > 0.0);
}

/// When it fails, a canary that gets more of a bad route is taken for a bad canary.
#[test]
fn strata_remove_a_difference_of_mix() {
    let settings = Settings { is_guarded: false, ..Settings::default() };
    let mut mixed = PairMonitor::new(settings);
    let mut apart = PairMonitor::stratified(settings, 2);
    for second in 0..300 {
        let start_s = f64::from(second);
        let (good, bad) = ((ArmCounts::new(5.0, 0.0), ArmCounts::new(90.0, 0.0)), (15.0, 30.0));
        // One in five of the bad route fails, on both arms.
        let bad = (ArmCounts::new(bad.0, bad.0 / 5.0), ArmCounts::new(bad.1, bad.1 / 5.0));
        apart.observe_strata(start_s, 1.0, &[good, bad]).unwrap();
        let counts = |a: ArmCounts, b: ArmCounts| (a.requests + b.requests, a.bad + b.bad);
        mixed.observe(&tick(start_s, counts(good.0, bad.0), counts(good.1, bad.1))).unwrap();
    }
    assert!(mixed.log_e() > 100_f64.ln(), "together: {}", mixed.log_e());
    assert!(apart.log_e() < 0.0, "apart: {}", apart.log_e());
}

/// When it fails, counts wait for the other arm for ever, or are dropped at once.
#[test]
fn waiting_counts_are_dropped_after_a_minute() {
    let with_gap = |gap: u32| {
        let mut monitor = PairMonitor::new(Settings { is_guarded: false, ..Settings::default() });
        monitor.observe(&tick(0.0, (0.0, 0.0), (50.0, 40.0))).unwrap();
        for second in 1..gap {
            assert_eq!(monitor.observe(&tick(f64::from(second), (0.0, 0.0), (1.0, 0.0))), Ok(Taken::Carried));
        }
        assert_eq!(monitor.observe(&tick(f64::from(gap), (10.0, 5.0), (1.0, 0.0))), Ok(Taken::Counted));
        monitor.log_e()
    };
    // Forty errors of stable speak for the canary as long as they count.
    assert!(with_gap(60) < 0.0, "{}", with_gap(60));
    assert!(with_gap(62) > 0.0, "{}", with_gap(62));
}

/// When it fails, errors are compared with a split that cannot be one.
#[test]
fn a_split_is_between_none_and_all() {
    let mut monitor = SplitMonitor::new(Settings::default());
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        assert_eq!(monitor.observe(0.0, 1.0, 1.0, 1.0, share), Err(Discard::ShareOutOfRange));
    }
    assert_eq!(monitor.observe(0.0, 1.0, 1.0, 1.0, 0.5), Ok(Taken::Counted));
}

/// When it fails, a hiccup of a single interval decides.
#[test]
fn no_single_tick_decides() {
    let mut monitor = PairMonitor::new(Settings { is_guarded: false, ..Settings::default() });
    monitor.observe(&tick(0.0, (1e6, 1e6), (9e6, 0.0))).unwrap();
    assert!(monitor.log_e() < 100_f64.ln());
    monitor.observe(&tick(1.0, (1e6, 1e6), (9e6, 0.0))).unwrap();
    assert!(monitor.log_e() >= 100_f64.ln());
}

/// When it fails, cold caches count as a slow release.
#[test]
fn instances_warm_up() {
    assert!(!is_warm(29.9) && is_warm(30.0));
}
