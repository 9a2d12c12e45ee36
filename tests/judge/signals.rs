//! What is not evidence and still counts: missing data, lost traffic, leaks, arms out of step, how gauges move.

use unship::judge::{
    Alignment, Answer, ArmCounts, DataProblem, Freshness, Heard, LeakWatch, Traffic, TrafficWatch,
    arm_counts, block_length_s, theil_sen,
};

/// When it fails, old data passes for new, or a late scrape for an outage.
#[test]
fn data_ages() {
    for (age_s, scrape_s, expected) in [
        (0.0, 15.0, Freshness::Fresh),
        (30.0, 15.0, Freshness::Fresh),
        (31.0, 15.0, Freshness::Late),
        (60.0, 15.0, Freshness::Late),
        (61.0, 15.0, Freshness::Stale),
        (119.0, 30.0, Freshness::Late),
        (121.0, 30.0, Freshness::Stale),
        (300.0, 15.0, Freshness::Stale),
        (301.0, 15.0, Freshness::Absent),
        // Slow scrapes are not absent before they are stale.
        (390.0, 100.0, Freshness::Late),
        (401.0, 100.0, Freshness::Absent),
        (f64::NAN, 15.0, Freshness::Absent),
    ] {
        assert_eq!(Freshness::of(age_s, scrape_s), expected, "{age_s} s with scrapes of {scrape_s} s");
    }
    let mut heard = Heard::new(15.0, 100.0);
    assert_eq!(heard.problem(110.0), None);
    assert_eq!(heard.problem(165.0), Some(DataProblem::Stale { age_s: 65.0 }));
    heard.sample(160.0);
    heard.sample(120.0);
    assert_eq!(heard.freshness(165.0), Freshness::Fresh);
    assert_eq!(heard.problem(500.0), Some(DataProblem::Absent { age_s: 340.0 }));
}

/// When it fails, what is missing is taken for zero.
#[test]
fn missing_is_not_zero() {
    use Answer::{Empty, Several, Unreachable, Value};
    let ten = Ok(ArmCounts::new(10.0, 0.0));
    for (requests, errors, absent_is_zero, expected) in [
        (Value(10.0), Value(0.0), false, ten.clone()),
        (Value(10.0), Empty, true, ten),
        (Value(10.0), Empty, false, Err(DataProblem::ErrorsMissing)),
        (Value(0.0), Value(0.0), false, Ok(ArmCounts::default())),
        (Empty, Empty, true, Err(DataProblem::Empty)),
        (Value(f64::NAN), Value(0.0), true, Err(DataProblem::NotANumber)),
        (Value(10.0), Value(f64::NAN), true, Err(DataProblem::NotANumber)),
        (Value(10.0), Several(3), true, Err(DataProblem::SeveralSeries { count: 3 })),
        (Unreachable, Value(0.0), true, Err(DataProblem::Unreachable)),
    ] {
        assert_eq!(arm_counts(requests, errors, absent_is_zero), expected);
    }
}

/// When it fails, a canary that nobody reaches looks healthy, or one with little traffic lost.
#[test]
fn traffic_that_is_lost() {
    let mut watch = TrafficWatch::new();
    let mut last = Traffic::Enough;
    for second in 1..=60 {
        last = watch.observe(f64::from(second), 10.0, 100.0, 0.1);
    }
    assert_eq!(last, Traffic::Enough);
    for second in 61..=76 {
        last = watch.observe(f64::from(second), 0.0, 100.0, 0.1);
    }
    assert_eq!(last, Traffic::Lost { expected: 300.0, seen: 140.0 });
    assert_eq!(watch.at(200.0), Traffic::TooLittleExpected);
    let mut quiet = TrafficWatch::new();
    for second in 1..=60 {
        last = quiet.observe(f64::from(second), 0.0, 9.0, 0.1);
    }
    assert_eq!(last, Traffic::TooLittleExpected);
    assert_eq!(quiet.observe(f64::NAN, 1.0, 1.0, 0.5), Traffic::TooLittleExpected);
}

/// When it fails, a leak is seen too late, or in a gauge that only jumps about.
#[test]
fn leaks_are_seen_before_the_limit() {
    let mut watch = LeakWatch::new(1.0);
    let mut seen = None;
    for i in 0..(60 * 4) {
        let at_s = f64::from(i) * 15.0;
        // 40 % and one point a minute, with single samples far off.
        let value = if i % 13 == 0 { 0.99 } else { 0.4 + at_s / 60.0 * 0.01 };
        if let Some(leak) = watch.observe(at_s, value)
            && seen.is_none()
        {
            seen = Some((at_s, leak));
        }
    }
    let (at_s, leak) = seen.unwrap();
    assert!((1700.0..2000.0).contains(&at_s), "seen at {at_s}: {leak:?}");
    assert!((leak.slope_per_s * 60.0 - 0.01).abs() < 1e-3);
    let mut steady = LeakWatch::new(1.0);
    for i in 0..240 {
        let leak = steady.observe(f64::from(i) * 15.0, 0.7 + 0.1 * f64::from(i % 2));
        assert_eq!(leak, None);
    }
    assert_eq!(theil_sen(&[(0.0, 0.0), (1.0, 2.0), (2.0, 4.0), (3.0, 600.0)]), Some(101.0));
    assert_eq!(theil_sen(&[(1.0, 1.0), (1.0, 2.0)]), None);
}

/// When it fails, arms that are read at different times are compared over different times, or counts get lost.
#[test]
fn arms_wait_for_each_other() {
    let mut alignment = Alignment::new(6.0);
    assert_eq!(alignment.canary(0.0, 10.0, &[5.0, 1.0]), None);
    let tick = alignment.stable(2.0, 12.0, &[50.0, 2.0]).unwrap();
    assert_eq!((tick.start_s, tick.length_s), (0.0, 10.0));
    assert_eq!((tick.canary, tick.stable), (vec![5.0, 1.0], vec![50.0, 2.0]));
    assert_eq!(alignment.stable(12.0, 22.0, &[60.0, 0.0]), None);
    assert_eq!(alignment.stable(22.0, 32.0, &[70.0, 3.0]), None);
    let tick = alignment.canary(10.0, 30.0, &[12.0, 0.0]).unwrap();
    assert_eq!((tick.start_s, tick.length_s), (10.0, 20.0), "a gap is one longer tick");
    assert_eq!((tick.canary, tick.stable), (vec![12.0, 0.0], vec![130.0, 3.0]));
}

/// When it fails, a minute of stable is compared with a second of the canary: what hit both in that second is then taken
/// for the canary's.
#[test]
fn what_only_one_arm_saw_is_left_out() {
    let mut alignment = Alignment::new(2.0);
    for second in 0..60 {
        let from = f64::from(second);
        assert_eq!(alignment.stable(from, from + 1.0, &[100.0]), None);
    }
    assert_eq!(alignment.canary(59.0, 60.0, &[10.0]), None);
    assert_eq!(alignment.canary(60.0, 61.0, &[11.0]), None);
    let tick = alignment.stable(60.0, 61.0, &[101.0]).unwrap();
    assert_eq!((tick.start_s, tick.length_s), (59.0, 2.0));
    assert_eq!((tick.canary, tick.stable), (vec![21.0], vec![101.0]), "within the slack");
    assert_eq!(alignment.canary(61.0, 61.0, &[5.0]), None, "an interval without a length is none");
    assert_eq!(alignment.canary(61.0, 62.0, &[1.0]), None);
    let tick = alignment.stable(61.0, 62.0, &[9.0]).unwrap();
    assert_eq!((tick.start_s, tick.canary, tick.stable), (61.0, vec![1.0], vec![9.0]));
}

/// When it fails, blocks of a gauge are so short that they are not independent, or a slow gauge is compared at all.
#[test]
fn blocks_are_as_long_as_a_gauge_remembers() {
    let walk = |keep: f64| {
        let mut draws = crate::draws::Draws::new(7);
        let mut value = 0.0;
        (0..2000)
            .map(|_| {
                value = keep * value + draws.unit() - 0.5;
                value
            })
            .collect::<Vec<f64>>()
    };
    assert_eq!(block_length_s(15.0, &walk(0.0)), Some(60.0));
    let slow = block_length_s(15.0, &walk(0.9)).unwrap();
    assert!((200.0..400.0).contains(&slow), "{slow}");
    assert_eq!(block_length_s(15.0, &walk(0.99)), None);
    assert_eq!(block_length_s(30.0, &[5.0; 50]), Some(90.0));
    assert_eq!(block_length_s(15.0, &[5.0; 3]), None);
    assert_eq!(block_length_s(f64::NAN, &[5.0; 50]), None);
}
