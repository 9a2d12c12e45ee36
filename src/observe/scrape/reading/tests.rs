//! What two readings after each other say.

use super::*;
use crate::model::Version;
use crate::model::source::{GaugeUnit, LatencyUnit, Subject};
use crate::observe::testing::told;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn arms() -> ArmLabel {
    ArmLabel {
        label: Some("track".to_owned()),
        by_version: false,
        stable: "stable".to_owned(),
        canary: "canary".to_owned(),
    }
}

fn readings(spec: SeriesSpec, arms: Option<ArmLabel>) -> Readings {
    Readings::new(vec![("checkout".into(), "it".into(), spec)], arms).unwrap()
}

fn rate() -> SeriesSpec {
    SeriesSpec::Rate { counter: "requests_total{service=\"checkout\"}".to_owned() }
}

fn ratio(absent_is_zero: bool) -> SeriesSpec {
    SeriesSpec::Ratio {
        bad: "requests_total{code=~\"5..\"}".to_owned(),
        total: "requests_total".to_owned(),
        absent_is_zero,
    }
}

/// Samples as `subject from..at value`, then what is missing.
fn take(readings: &mut Readings, second: i64, text: &str) -> Vec<String> {
    let reading = readings.take(text, at(second)).unwrap();
    told(reading, |at| at.as_second().to_string())
}

/// A counter says what happened between two readings: nothing on the first, what it grew by on the next, all of it after
/// a reset.
#[test]
fn a_counter_grows_and_is_reset() {
    let mut it = readings(rate(), None);
    let line = |value| format!("requests_total{{service=\"checkout\"}} {value}\n");
    assert!(take(&mut it, 0, &line(100)).is_empty());
    assert_eq!(take(&mut it, 5, &line(130)), ["whole 0..5 +30"]);
    assert_eq!(take(&mut it, 10, &line(130)), ["whole 5..10 +0"]);
    assert_eq!(take(&mut it, 15, &line(7)), ["whole 10..15 +7"]);
}

/// Each series is compared with itself, so that a reset of one instance is not hidden by the growth of another.
#[test]
fn a_reset_of_one_instance_of_two() {
    let mut it = readings(rate(), None);
    let text = |one, two| {
        format!(
            "requests_total{{service=\"checkout\",pod=\"1\"}} {one}\n\
             requests_total{{pod=\"2\",service=\"checkout\"}} {two}\nrequests_total{{service=\"cart\"}} 999\n"
        )
    };
    assert!(take(&mut it, 0, &text(100, 1_000)).is_empty());
    assert_eq!(take(&mut it, 5, &text(4, 1_010)), ["whole 0..5 +14"]);
}

/// After readings that failed, the next sample spans all of the gap.
#[test]
fn a_gap_is_spanned() {
    let mut it = readings(rate(), None);
    let line = |value| format!("requests_total{{service=\"checkout\"}} {value}\n");
    take(&mut it, 0, &line(100));
    assert!(it.take("<html>", at(5)).is_err());
    assert!(it.take("requests_total{service=\"checkout\"} 1\nbroken", at(10)).is_err());
    assert_eq!(take(&mut it, 15, &line(160)), ["whole 0..15 +60"]);
}

/// A series that appears between two readings is new and counts in full; one that was left out for a moment does not
/// count its whole life again; one that is gone says nothing.
#[test]
fn series_come_and_go() {
    let mut it = readings(rate(), Some(arms()));
    let line = |track, value| format!("requests_total{{service=\"checkout\",track=\"{track}\"}} {value}\n");
    let stable = |value| line("stable", value);
    assert!(take(&mut it, 0, &stable(1_000)).is_empty());
    let both = stable(1_050) + &line("canary", 5);
    assert_eq!(take(&mut it, 5, &both), ["stable 0..5 +50", "canary 0..5 +5"]);
    assert_eq!(take(&mut it, 10, &line("canary", 9)), ["canary 5..10 +4"]);
    let back = stable(1_070) + &line("canary", 9);
    assert_eq!(take(&mut it, 15, &back), ["stable 10..15 +20", "canary 10..15 +0"]);
    for second in 16..30 {
        take(&mut it, second, &stable(1_070));
    }
    assert_eq!(take(&mut it, 30, &(stable(1_070) + &line("canary", 12)))[1], "canary 29..30 +12");
}

/// Nothing that matches is missing, already at the first reading, and is told apart from a counter at rest.
#[test]
fn nothing_matches() {
    let mut it = readings(rate(), None);
    let wanted = ["missing: no series matches `requests_total{service=\"checkout\"}`"];
    assert_eq!(take(&mut it, 0, "up 1\n"), wanted);
    assert_eq!(take(&mut it, 5, ""), wanted);
}

/// The share of bad events needs both counters; an absent `bad` one means none only where the config says so.
#[test]
fn a_ratio_needs_both() {
    let text = |good, bad| {
        let bad = if bad > 0 { format!("requests_total{{code=\"503\"}} {bad}\n") } else { String::new() };
        format!("requests_total{{code=\"200\"}} {good}\n{bad}")
    };
    let mut strict = readings(ratio(false), None);
    let none = "missing: no series matches `requests_total{code=~\"5..\"}`";
    assert_eq!(take(&mut strict, 0, &text(100, 0)), [none]);
    assert_eq!(take(&mut strict, 5, &text(110, 0)), [none]);
    assert_eq!(take(&mut strict, 10, &text(120, 2)), ["whole 5..10 2/12"]);
    let mut lenient = readings(ratio(true), None);
    assert!(take(&mut lenient, 0, &text(100, 0)).is_empty());
    assert_eq!(take(&mut lenient, 5, &text(110, 0)), ["whole 0..5 0/10"]);
    assert_eq!(take(&mut lenient, 10, &text(120, 2)), ["whole 5..10 2/12"]);
    assert_eq!(take(&mut lenient, 15, "up 1\n"), ["missing: no series matches `requests_total`"]);
}

/// A `bad` counter that exists but carries no arm is not taken for "no bad events".
#[test]
fn a_bad_counter_without_an_arm_is_not_zero() {
    let spec = SeriesSpec::Ratio { bad: "errors".to_owned(), total: "all".to_owned(), absent_is_zero: true };
    let mut it = readings(spec, Some(arms()));
    let text = "all{track=\"canary\"} 10\nerrors 3\n";
    take(&mut it, 0, text);
    assert_eq!(
        take(&mut it, 5, text),
        ["missing: no series that matches `errors` can be used: `errors` has no label `track`"]
    );
}

/// One arm without a `bad` counter is missing by itself; the other one still speaks.
#[test]
fn arms_are_missing_by_themselves() {
    let mut it = readings(ratio(false), Some(arms()));
    let text = "requests_total{track=\"stable\",code=\"200\"} 10\nrequests_total{track=\"stable\",code=\"500\"} 1\n\
                requests_total{track=\"canary\",code=\"200\"} 4\nrequests_total{track=\"other\",code=\"200\"} 4\n";
    take(&mut it, 0, text);
    assert_eq!(
        take(&mut it, 5, text),
        ["stable 0..5 0/0", "missing: canary: no series matches `requests_total{code=~\"5..\"}`"]
    );
}

/// A label that names neither arm, or is not there, leaves the indicator missing with that reason, not counted somewhere.
#[test]
fn labels_that_name_no_arm() {
    let mut it = readings(rate(), Some(arms()));
    let shown = "missing: no series that matches `requests_total{service=\"checkout\"}` can be used: ";
    assert_eq!(
        take(&mut it, 0, "requests_total{service=\"checkout\",track=\"blue\"} 1\n"),
        [format!("{shown}the label `track` of `requests_total` is `blue`, neither `stable` nor `canary`")]
    );
    assert_eq!(
        take(&mut it, 5, "requests_total{service=\"checkout\"} 1\n"),
        [format!("{shown}`requests_total` has no label `track`")]
    );
}

/// A label that holds the version speaks for the version.
#[test]
fn versions_as_subjects() {
    let label = ArmLabel { label: Some("version".to_owned()), by_version: true, ..arms() };
    let mut it = readings(
        SeriesSpec::Gauge { series: "up".to_owned(), divide_by: None, unit: GaugeUnit::Plain },
        Some(label),
    );
    let reading = it.take("up{version=\"2.8.1\"} 3\n", at(0)).unwrap();
    assert_eq!(reading.samples[0].subject, Subject::Version(Version::new("2.8.1")));
}

/// A gauge speaks from the first reading, is added up, and is never made of values that are no numbers.
#[test]
fn gauges() {
    let spec = SeriesSpec::Gauge { series: "memory".to_owned(), divide_by: None, unit: GaugeUnit::Plain };
    let mut it = readings(spec, Some(arms()));
    let text = "memory{track=\"stable\",pod=\"1\"} 3\nmemory{track=\"stable\",pod=\"2\"} 4\n\
                memory{track=\"stable\",pod=\"2\"} 4\nmemory{track=\"canary\",pod=\"3\"} 1\n\
                memory{track=\"canary\",pod=\"4\"} NaN\n";
    assert_eq!(take(&mut it, 0, text), ["stable 0..0 7", "missing: canary: its value is NaN"]);
}

/// A share of a limit needs a limit that is there and not zero.
#[test]
fn a_gauge_with_a_divisor() {
    let spec = SeriesSpec::Gauge {
        series: "memory".to_owned(),
        divide_by: Some("memory_limit".to_owned()),
        unit: GaugeUnit::Plain,
    };
    let mut it = readings(spec, Some(arms()));
    let text = "memory{track=\"stable\"} 3\nmemory_limit{track=\"stable\"} 4\nmemory{track=\"canary\"} 3\n";
    assert_eq!(
        take(&mut it, 0, text),
        ["stable 0..0 0.75", "missing: canary: no series matches `memory_limit`"]
    );
    assert_eq!(
        take(&mut it, 5, "memory{track=\"stable\"} 3\nmemory_limit{track=\"stable\"} 0\n"),
        ["missing: stable: `memory_limit` is zero"]
    );
    assert_eq!(
        take(&mut it, 10, "memory{track=\"stable\"} 3\n"),
        ["missing: no series matches `memory_limit`"]
    );
}

/// A counter that is no number is missing, and what it grew by meanwhile arrives with the next number.
#[test]
fn a_counter_that_is_no_number() {
    let mut it = readings(rate(), None);
    let line = |value: &str| format!("requests_total{{service=\"checkout\"}} {value}\n");
    take(&mut it, 0, &line("10"));
    assert_eq!(take(&mut it, 5, &line("NaN")), ["missing: its value is NaN"]);
    assert_eq!(take(&mut it, 10, &line("+Inf")), ["missing: its value is inf"]);
    assert_eq!(take(&mut it, 15, &line("14")), ["whole 10..15 +4"]);
    let mut late = readings(rate(), None);
    take(&mut late, 0, &line("NaN"));
    assert_eq!(take(&mut late, 5, &line("1000")), ["missing: it had no value before"]);
    assert_eq!(take(&mut late, 10, &line("1001")), ["whole 5..10 +1"]);
}

fn histogram(bounds: &[(&str, u32)], labels: &str) -> String {
    let line = |(le, count): &(&str, u32)| format!("latency_seconds_bucket{{le=\"{le}\"{labels}}} {count}\n");
    bounds.iter().map(line).collect::<Vec<_>>().concat()
}

fn latency() -> Readings {
    let spec = SeriesSpec::Latency { histogram: "latency_seconds".to_owned(), unit: LatencyUnit::Seconds };
    readings(spec, None)
}

/// A histogram arrives as events per bucket, with bounds in milliseconds; after a reset all of it is new.
#[test]
fn histograms_by_bucket() {
    let mut it = latency();
    assert!(take(&mut it, 0, &histogram(&[("0.07", 10), ("0.1", 20), ("+Inf", 21)], "")).is_empty());
    assert_eq!(
        take(&mut it, 5, &histogram(&[("+Inf", 30), ("0.07", 12), ("0.1", 25)], "")),
        ["whole 0..5 [70.0, 100.0] [2.0, 3.0, 4.0]"]
    );
    assert_eq!(
        take(&mut it, 10, &histogram(&[("0.07", 1), ("0.1", 1), ("+Inf", 3)], "")),
        ["whole 5..10 [70.0, 100.0] [1.0, 0.0, 2.0]"]
    );
    // A bucket that was read before an event that the next one has: no negative events.
    assert_eq!(
        take(&mut it, 15, &histogram(&[("0.07", 3), ("0.1", 2), ("+Inf", 5)], "")),
        ["whole 10..15 [70.0, 100.0] [2.0, 0.0, 0.0]"]
    );
}

/// Another build may have other bounds: it began at zero, and two builds are added up where their bounds agree.
#[test]
fn histograms_with_other_bounds() {
    let mut it = latency();
    take(&mut it, 0, &histogram(&[("0.1", 100), ("1", 200), ("+Inf", 200)], ""));
    assert_eq!(
        take(&mut it, 5, &histogram(&[("0.2", 3), ("1", 5), ("+Inf", 6)], "")),
        ["whole 0..5 [200.0, 1000.0] [3.0, 2.0, 1.0]"]
    );
    let both = histogram(&[("0.2", 4), ("1", 6), ("+Inf", 8)], "")
        + &histogram(&[("0.1", 4), ("1", 9), ("+Inf", 9)], ",pod=\"2\"");
    assert_eq!(take(&mut it, 10, &both), ["whole 5..10 [1000.0] [10.0, 1.0]"]);
    let apart = histogram(&[("0.2", 4), ("1", 6), ("+Inf", 8)], "")
        + &histogram(&[("0.3", 4), ("+Inf", 9)], ",pod=\"3\"");
    assert_eq!(take(&mut it, 15, &apart), ["missing: its series have no bounds in common"]);
}

/// A histogram that cannot be right is missing.
#[test]
fn broken_histograms() {
    for (text, reason) in [
        (histogram(&[("0.1", 1)], ""), "missing: there is no `+Inf` bucket"),
        ("latency_seconds_bucket{le=\"+Inf\"} NaN\n".to_owned(), "missing: a bucket is not a number"),
        (
            "latency_seconds_bucket 4\n".to_owned(),
            "missing: no series that matches `latency_seconds_bucket` can be used: \
             `latency_seconds_bucket` has no bound in its label `le`",
        ),
    ] {
        assert_eq!(take(&mut latency(), 0, &text), [reason]);
    }
}

/// A selector that cannot be read is refused at the start, with the indicator's name.
#[test]
fn a_wrong_selector_is_refused() {
    let spec = SeriesSpec::Rate { counter: "rate(x)".to_owned() };
    let error = Readings::new(vec![("checkout".into(), "errors".into(), spec)], None).unwrap_err();
    assert!(error.to_string().starts_with("the indicator `errors` of `checkout`: `rate(x)` is not a series"));
}
