//! Data points, by the minute.

use serde_json::json;

use super::*;

const START: i64 = 1_800_000_000;

fn window(ends: i64) -> Window {
    let now = Timestamp::from_second(START + ends * 60 + 5).unwrap();
    Window::new(now, Duration::ZERO, Duration::from_secs(60), Duration::from_secs(300))
}

/// The minutes of a metric that have a point, and what it is.
fn result(number: usize, points: &[(i64, f64)], status: &str) -> serde_json::Value {
    json!({
        "Id": format!("q{number}"),
        "Timestamps": points.iter().map(|(minute, _)| START + minute * 60).collect::<Vec<_>>(),
        "Values": points.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
        "StatusCode": status,
    })
}

fn courses(window: &Window, results: &[serde_json::Value]) -> Vec<Course> {
    let answer = serde_json::from_value(json!({ "MetricDataResults": results })).unwrap();
    let mut courses = vec![Course::default(); 2];
    note(answer, window, &mut courses, &mut Vec::new());
    courses
}

fn indicator(kind: Kind, other: bool) -> Indicator {
    let side = Side { arm: Some(Arm::Canary), main: 0, other: other.then_some(1), known: None };
    Indicator { service: "checkout".into(), name: "it".into(), kind, sides: vec![side] }
}

/// What one reading gives, in words: minutes, value; what is missing.
fn taken(indicator: &mut Indicator, window: &Window, results: &[serde_json::Value]) -> Vec<String> {
    let metrics = ["Main", "Other"].map(|name| Metric::parse(&format!(r#"["Shop", "{name}"]"#)).unwrap());
    let mut reading = Reading::default();
    indicator.take(&courses(window, results), &metrics, window, &mut reading);
    let minute = |at: Timestamp| (at.as_second() - START) / 60;
    let samples = reading.samples.iter().map(|sample| {
        assert_eq!(sample.subject, Subject::Arm(Arm::Canary));
        let value = match &sample.value {
            SampleValue::Ratio { bad, total } => format!("{bad}/{total}"),
            SampleValue::Count(count) => format!("+{count}"),
            SampleValue::Gauge(value) => format!("={value}"),
            SampleValue::Histogram { .. } => panic!("CloudWatch has no histograms"),
        };
        format!("{}..{} {value}", minute(sample.from), minute(sample.at))
    });
    samples.chain(reading.missing.iter().map(|(_, _, reason)| reason.clone())).collect()
}

/// The window ends with a period that is over, at least the delay ago, and holds no more than may be old.
#[test]
fn a_window_ends_before_the_present_period() {
    let at = |second: i64| Timestamp::from_second(START + second).unwrap();
    let seconds = Duration::from_secs;
    for (now, delay, period, stale_after, start, end) in [
        (59, 0, 60, 300, -300, 0),
        (60, 0, 60, 300, -240, 60),
        (125, 60, 60, 300, -240, 60),
        (119, 60, 60, 61, -120, 0),
        (0, 0, 300, 1, -300, 0),
    ] {
        let window = Window::new(at(now), seconds(delay), seconds(period), seconds(stale_after));
        assert_eq!((window.start - START, window.end - START), (start, end), "at {now}");
    }
}

/// A point is taken once, with its own time, also one that comes late; the one that is still being added to is not.
#[test]
fn each_point_is_taken_once() {
    let mut rate = indicator(Kind::Rate, false);
    let points = [(1, 60.0), (2, 50.0), (4, 3.0)];
    assert_eq!(
        taken(&mut rate, &window(4), &[result(0, &points[..2], "Complete")]),
        ["1..2 +60", "2..3 +50"]
    );
    assert_eq!(taken(&mut rate, &window(4), &[result(0, &points[..2], "Complete")]), [""; 0]);
    assert_eq!(taken(&mut rate, &window(4), &[result(0, &points, "Complete")]), [""; 0], "minute 4 goes on");
    assert_eq!(taken(&mut rate, &window(5), &[result(0, &points, "Complete")]), ["4..5 +3"]);
    let late = [(1, 60.0), (2, 50.0), (3, 40.0), (4, 3.0)];
    assert_eq!(
        taken(&mut rate, &window(5), &[result(0, &late, "Complete")]),
        [""; 0],
        "before what was taken"
    );
    assert_eq!(
        taken(&mut rate, &window(20), &[result(0, &[], "Complete")]),
        ["canary: no data point of `Shop Main` in 5 m"]
    );
}

/// Nothing written is not zero: bad events without a point wait for one, unless the config says that none means none.
#[test]
fn a_ratio_waits_for_both() {
    let total = result(0, &[(1, 100.0), (2, 100.0), (3, 100.0)], "Complete");
    let bad = |points: &[(i64, f64)], status| result(1, points, status);
    let mut ratio = indicator(Kind::Ratio { absent_is_zero: false }, true);
    let lacks = "canary: no data point of `Shop Other` beside the total; where none means that nothing was bad, say \
                 `absent_is_zero = true`";
    let seen = taken(&mut ratio, &window(4), &[total.clone(), bad(&[(1, 2.0)], "Complete")]);
    assert_eq!(seen, ["1..2 2/100", lacks]);
    let seen =
        taken(&mut ratio, &window(4), &[total.clone(), bad(&[(1, 2.0), (2, 1.0), (3, 130.0)], "Complete")]);
    assert_eq!(seen, ["2..3 1/100", "3..4 100/100"]);

    let mut ratio = indicator(Kind::Ratio { absent_is_zero: true }, true);
    let seen = taken(&mut ratio, &window(4), &[total.clone(), bad(&[(2, 1.0)], "Complete")]);
    assert_eq!(seen, ["1..2 0/100", "2..3 1/100", "3..4 0/100"]);
    // What could not be read is not what is not there.
    for (status, why) in [
        ("Forbidden", "canary: `Shop Other`: reading it is forbidden"),
        ("InternalError", "canary: `Shop Other`: CloudWatch failed at it, and is asked again"),
        ("PartialData", "canary: `Shop Other`: CloudWatch answers with part of the data only"),
        ("Odd", "canary: `Shop Other`: CloudWatch answers `Odd`"),
    ] {
        let mut ratio = indicator(Kind::Ratio { absent_is_zero: true }, true);
        assert_eq!(taken(&mut ratio, &window(4), &[total.clone(), bad(&[], status)]), [why]);
    }
    let nothing = [result(0, &[], "Forbidden"), bad(&[], "Complete")];
    assert_eq!(taken(&mut ratio, &window(4), &nothing), ["canary: `Shop Main`: reading it is forbidden"]);
}

/// A gauge is in the unit that it is shown in; what it is divided by may have been written long before.
#[test]
fn a_gauge_is_scaled_or_divided() {
    let value = result(0, &[(2, 0.25), (3, 0.5)], "Complete");
    let mut gauge = indicator(Kind::Gauge { scale: 1_000.0 }, false);
    assert_eq!(taken(&mut gauge, &window(4), std::slice::from_ref(&value)), ["3..3 =250", "4..4 =500"]);
    let mut share = indicator(Kind::Gauge { scale: 1.0 }, true);
    let by = |points: &[(i64, f64)]| result(1, points, "Complete");
    assert_eq!(
        taken(&mut share, &window(4), &[value.clone(), by(&[(0, 2.0)])]),
        ["3..3 =0.125", "4..4 =0.25"]
    );
    let mut share = indicator(Kind::Gauge { scale: 1.0 }, true);
    let seen = taken(&mut share, &window(4), &[value.clone(), by(&[])]);
    assert_eq!(seen, ["canary: no data point of `Shop Other`"]);
    let seen = taken(&mut share, &window(4), &[value, by(&[(1, 0.0)])]);
    assert_eq!(seen, ["canary: `Shop Other` is zero"]);
}
