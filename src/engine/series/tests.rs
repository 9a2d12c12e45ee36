//! Drawing the samples of a service whose every reading is known.

use super::*;
use crate::engine::history::HistoryEntry;
use crate::engine::senses::Senses;
use crate::model::Unit;
use crate::model::source::SampleValue;

const CONFIG: &str = r#"
[environment]
name = "test"

[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "1s"
arms = { label = "arm" }

[sources.slow]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "5s"

[services.shop]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "shop" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }
indicators.latency = { source = "metrics", read = { kind = "latency", histogram = "h" } }
indicators.memory = { source = "slow", read = { kind = "gauge", series = "m" } }

[services.pay]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "pay" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "30s" }
action = "immediate"

[triggers.idle-canary]
when = { kind = "threshold", indicator = "errors", below = "0.1%", over = "30s" }
action = "watch"
arm = "canary"

[triggers.everywhere]
when = { kind = "threshold", indicator = "errors", above = "50%", over = "30s" }
action = "watch"
scope = "environment"

[triggers.of-pay]
when = { kind = "threshold", indicator = "errors", above = "1%", over = "30s" }
action = "watch"
services = ["pay"]

[triggers.slow]
when = { kind = "threshold", indicator = "latency", above = "2s", over = "30s", quantile = 0.99 }
action = "watch"
"#;

fn config() -> Config {
    toml::from_str(CONFIG).unwrap()
}

/// Milliseconds after a whole hour.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn asked(from: i64, to: i64, points: usize) -> SeriesRequest {
    SeriesRequest { service: "shop".into(), from: at(from), to: at(to), points }
}

fn sample(indicator: &str, subject: Subject, from: i64, to: i64, value: SampleValue) -> Sample {
    Sample { service: "shop".into(), indicator: indicator.into(), subject, from: at(from), at: at(to), value }
}

/// One reading of the ratio of an arm, over the second that ends then.
fn ratio(arm: Arm, to: i64, bad: f64, total: f64) -> Sample {
    sample("errors", Subject::Arm(arm), to - 1_000, to, SampleValue::Ratio { bad, total })
}

fn values(series: &Series) -> Vec<Option<f64>> {
    series.points.iter().map(|(_, value)| *value).collect()
}

fn is(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 1e-12
}

/// A chart and the number beside it say the same: each point is what the reading showed at the last sample of its step,
/// for a ratio, a latency's quantile and a gauge.
#[test]
fn a_point_is_what_the_reading_showed() {
    let config = config();
    let mut senses = Senses::new(&config);
    let mut samples = Vec::new();
    let mut shown = Vec::new();
    for second in 1..120 {
        let to = second * 1_000 + 250;
        let wave = (second % 17) as f64;
        let counts = vec![20.0, wave, 3.0 * wave, (second / 40) as f64];
        let bounds_ms = [100.0, 500.0, 1_000.0].into();
        let mut read = vec![
            ratio(Arm::Stable, to, wave, 100.0),
            sample(
                "latency",
                Subject::Arm(Arm::Stable),
                to - 1_000,
                to,
                SampleValue::Histogram { bounds_ms, counts },
            ),
        ];
        if second % 5 == 0 {
            read.push(sample("memory", Subject::Whole, to, to, SampleValue::Gauge(wave * 7.0)));
        }
        for sample in &read {
            assert!(senses.take_sample(sample, None));
        }
        samples.extend(read);
        senses.evaluate(&"shop".into(), None, at(to));
        let reading = senses.reading(&"shop".into()).unwrap();
        let values: BTreeMap<_, _> =
            reading.indicators.iter().map(|shown| (shown.indicator.clone(), shown.value)).collect();
        shown.push((at(to), values));
    }
    let drawn = draw(&config, None, &asked(0, 120_000, 60), &samples);
    let names: Vec<_> = drawn.iter().map(|series| series.indicator.as_str()).collect();
    assert_eq!(names, ["errors", "latency", "memory"]);
    for series in &drawn {
        assert!(series.points.iter().filter(|(_, value)| value.is_some()).count() >= 15, "{series:?}");
        for (begin, value) in &series.points {
            let end = *begin + series.step;
            let last = shown.iter().rev().find(|(at, _)| at >= begin && *at < end);
            let expected = last.and_then(|(_, values)| values.get(&series.indicator).copied().flatten());
            assert_eq!(*value, expected, "{} at {begin}", series.indicator);
        }
    }
}

/// Where nothing was read there is nothing: not the value before, not zero. Neither is a value made of no events.
#[test]
fn a_gap_is_a_gap() {
    let mut samples: Vec<_> = (1..=10).map(|second| ratio(Arm::Stable, second * 2_000, 1.0, 10.0)).collect();
    // Nothing for ten seconds, then readings of a service that nobody calls.
    samples.extend((16..=20).map(|second| ratio(Arm::Stable, second * 2_000, 0.0, 0.0)));
    let drawn = draw(&config(), None, &asked(0, 40_000, 20), &samples);
    assert_eq!(drawn.len(), 1);
    assert_eq!((drawn[0].points.len(), drawn[0].points[0].0), (20, at(0)));
    let known: Vec<_> = values(&drawn[0]).iter().map(Option::is_some).collect();
    // The reading at 20 s is in the step that begins there.
    let expected: Vec<_> = (0..20).map(|step| (1..=10).contains(&step)).collect();
    assert_eq!(known, expected);
    assert!(values(&drawn[0]).iter().flatten().all(|value| (value - 0.1).abs() < 1e-12));
    // All gaps: no series.
    assert_eq!(draw(&config(), None, &asked(40_000, 80_000, 20), &samples), []);
}

/// A step that is not over and holds nothing yet is no gap.
#[test]
fn the_last_step_waits() {
    let samples: Vec<_> = (0..20).map(|second| ratio(Arm::Stable, second * 1_000, 1.0, 10.0)).collect();
    let points = |to| draw(&config(), None, &asked(0, to, 10), &samples)[0].points.len();
    // Steps of 2.5 s: the last begins at 20 s.
    assert_eq!((points(25_000), points(24_900)), (10, 9));
}

/// There are never more points than asked for, and no step is shorter than what the source can fill.
#[test]
fn steps_are_long_enough() {
    let samples: Vec<_> = (0..900)
        .map(|second| ratio(Arm::Stable, second * 1_000 + 999 - second % 3, 1.0, 10.0))
        .chain((0..180).map(|turn| {
            let to = turn * 5_000 + 4_999;
            sample("memory", Subject::Whole, to, to, SampleValue::Gauge(1.0))
        }))
        .collect();
    for (from, points) in [(0, 900), (0, 899), (317, 100), (0, 7), (450, 1)] {
        let drawn = draw(&config(), None, &asked(from, 900_000, points), &samples);
        assert_eq!(drawn.len(), 2, "{points} points");
        for series in &drawn {
            assert!(series.points.len() <= points && !series.points.is_empty(), "{points}: {series:?}");
            assert!(series.points.iter().all(|(_, value)| value.is_some()), "{points}: {series:?}");
            assert!(series.points.windows(2).all(|pair| pair[0].0 + series.step == pair[1].0));
        }
    }
    let drawn = draw(&config(), None, &asked(0, 900_000, 900), &samples);
    assert_eq!(drawn.iter().map(|series| series.step.as_millis()).collect::<Vec<_>>(), [1_500, 7_500]);
    assert_eq!(draw(&config(), None, &asked(0, 900_000, 0), &samples), []);
    assert_eq!(draw(&config(), None, &asked(900_000, 0, 10), &samples), []);
}

/// The same time gives the same points, however the clock has moved on since.
#[test]
fn points_stay_where_they_are() {
    let samples: Vec<_> = (0..300).map(|second| ratio(Arm::Stable, second * 1_000, 1.0, 10.0)).collect();
    let at_once = draw(&config(), None, &asked(0, 200_000, 50), &samples);
    let later = draw(&config(), None, &asked(1_700, 201_700, 50), &samples);
    let shared = later[0].points.iter().filter(|point| at_once[0].points.contains(point)).count();
    assert!(shared >= 49, "{shared}");
}

/// The arms are drawn apart, each with the limits that are set to it.
#[test]
fn both_arms_have_their_own_line_and_limits() {
    let samples: Vec<_> = (1..60)
        .flat_map(|second| {
            [ratio(Arm::Stable, second * 1_000, 0.0, 90.0), ratio(Arm::Canary, second * 1_000, 5.0, 10.0)]
        })
        .collect();
    let drawn = draw(&config(), None, &asked(0, 60_000, 30), &samples);
    let arms: Vec<_> = drawn.iter().map(|series| (series.arm, series.unit)).collect();
    assert_eq!(arms, [(Some(Arm::Stable), Unit::Share), (Some(Arm::Canary), Unit::Share)]);
    let triggers = |series: &Series| -> Vec<_> {
        let limits = series.limits.iter();
        limits.map(|limit| (limit.trigger.to_string(), limit.above, limit.limit.to_string())).collect()
    };
    assert_eq!(triggers(&drawn[0]), [("errors".into(), true, "5 %".to_owned())]);
    assert_eq!(
        triggers(&drawn[1]),
        [("errors".into(), true, "5 %".to_owned()), ("idle-canary".into(), false, "0.1 %".to_owned())]
    );
    assert!(values(&drawn[0]).iter().flatten().all(|value| is(*value, 0.0)));
    assert!(values(&drawn[1]).iter().flatten().all(|value| is(*value, 0.5)));
}

/// A latency is drawn as the quantile that people are shown, in milliseconds; the limit says which quantile it is for.
#[test]
fn a_latency_is_a_quantile() {
    let samples: Vec<_> = (1..30)
        .map(|second| {
            let counts = vec![50.0, 50.0, 0.0, 0.0];
            let value = SampleValue::Histogram { bounds_ms: [100.0, 200.0, 400.0].into(), counts };
            sample("latency", Subject::Arm(Arm::Stable), second * 1_000 - 1_000, second * 1_000, value)
        })
        .collect();
    let drawn = draw(&config(), None, &asked(0, 30_000, 15), &samples);
    assert_eq!((drawn.len(), drawn[0].unit), (1, Unit::Millis));
    assert!(values(&drawn[0]).iter().flatten().all(|value| is(*value, 190.0)), "{:?}", values(&drawn[0]));
    assert_eq!(drawn[0].limits.len(), 1);
    assert_eq!((drawn[0].limits[0].quantile, drawn[0].limits[0].limit.value), (Some(0.99), 2_000.0));
}

/// A counter that began again (a restart) is recorded as what it shows since; the line goes on and never goes below zero.
/// Buckets that changed with the restart begin a new window, and what cannot be true is left out.
#[test]
fn a_restart_does_not_bend_the_line() {
    let with = |second: i64, bounds: &[f64], counts: &[f64]| {
        let value = SampleValue::Histogram { bounds_ms: bounds.into(), counts: counts.to_vec() };
        sample("latency", Subject::Arm(Arm::Stable), second * 1_000 - 1_000, second * 1_000, value)
    };
    let mut samples: Vec<_> = (1..=10).map(|second| with(second, &[100.0], &[10.0, 0.0])).collect();
    samples.push(with(11, &[100.0], &[-5.0, 0.0]));
    samples.extend((12..=20).map(|second| with(second, &[50.0, 80.0], &[0.0, 10.0, 0.0])));
    let drawn = draw(&config(), None, &asked(0, 21_000, 14), &samples);
    let values = values(&drawn[0]);
    assert!(values.iter().flatten().all(|value| *value > 0.0), "{values:?}");
    assert_eq!(values.last().copied().flatten(), Some(78.5), "only the new buckets count");
}

/// What a version did is drawn on the arm that it was at that time, also after it was promoted or rolled back.
#[test]
fn versions_are_drawn_on_the_arm_they_were() {
    let entry = |ms, version: &str, what| {
        let release = version.into();
        HistoryEntry { at: at(ms), version: version.into(), release, what }
    };
    let mut state = ServiceState::default();
    state.history.extend([
        entry(-60_000, "1", HistoryKind::BecameStable),
        entry(20_000, "2", HistoryKind::CanaryStarted { percent: 10 }),
        entry(40_000, "2", HistoryKind::BecameStable),
        entry(40_000, "1", HistoryKind::Withdrawn),
    ]);
    let of = |version: &str, second: i64, bad| {
        let value = SampleValue::Ratio { bad, total: 10.0 };
        sample("errors", Subject::Version(version.into()), second * 1_000 - 1_000, second * 1_000, value)
    };
    let samples: Vec<_> = (1..60).flat_map(|second| [of("1", second, 0.0), of("2", second, 5.0)]).collect();
    let drawn = draw(&config(), Some(&state), &asked(0, 60_000, 6), &samples);
    let lines: Vec<_> = drawn.iter().map(|series| (series.arm, values(series))).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1], (Some(Arm::Canary), vec![None, None, Some(0.5), Some(0.5), None, None]));
    let stable = &lines[0].1;
    assert_eq!((stable[0], stable[3], stable[5]), (Some(0.0), Some(0.0), Some(0.5)));
    // From the change on, only what the new release did: the window forgets as the senses do.
    state.arms_since.insert(Arm::Stable, at(40_000));
    let drawn = draw(&config(), Some(&state), &asked(0, 60_000, 60), &samples);
    let after = drawn[0].points.iter().filter(|(begin, _)| *begin > at(40_000));
    assert!(after.clone().count() > 10);
    assert!(after.filter_map(|(_, value)| *value).all(|value| is(value, 0.5)), "{drawn:?}");
}

/// The samples that are asked for reach back far enough for the first point to be whole.
#[test]
fn the_first_point_is_whole() {
    let config = config();
    let asked = asked(100_000, 200_000, 20);
    let all: Vec<_> =
        (1..200).map(|second| ratio(Arm::Stable, second * 1_000, f64::from(second < 95), 10.0)).collect();
    let since = needed_since(&config, &asked);
    let needed: Vec<_> = all.iter().filter(|sample| sample.at >= since).cloned().collect();
    assert!(needed.len() < all.len());
    assert_eq!(draw(&config, None, &asked, &needed), draw(&config, None, &asked, &all));
}
