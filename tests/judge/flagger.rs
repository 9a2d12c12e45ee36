//! "Failed so often" as Flagger counts it, beside the triggers of this program.

use serde_json::Value;
use unship::judge::{Answer, DataProblem, arm_counts};

use crate::argo::{cases, fires};
use crate::reference::read;

/// A check of Flagger: within its range. No value, NaN and no answer fail it.
fn check(metric: &Value, value: &Value) -> bool {
    let Some(value) = (match value {
        Value::String(text) if text == "+Inf" => Some(f64::INFINITY),
        value => value.as_f64(),
    }) else {
        return false;
    };
    let is_rate = metric["kind"] == "request-success-rate";
    let (low, high) = if metric["range"].is_object() {
        (metric["range"]["min"].as_f64(), metric["range"]["max"].as_f64())
    } else {
        let threshold = metric["threshold"].as_f64().unwrap_or(0.0);
        if is_rate { (Some(threshold), None) } else { (None, Some(threshold)) }
    };
    low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high)
}

/// When it fails, whoever brings a `threshold` of failed checks from Flagger gets another count here, or an unanswered
/// query is a failure of the release. Phases, weights and webhooks of Flagger are not compared: this program shifts no
/// traffic forward and asks no webhook for leave.
#[test]
fn failed_checks_are_counted_as_by_flagger() {
    let Some(file) = read("peers/flagger.json") else { return };
    let (mut compared, mut contrasts) = (0, 0);
    for case in cases(&file, "threshold_checks") {
        assert_eq!(check(&case["metric"], &case["value"]), case["expected_ok"] == true, "{case}");
        compared += 1;
        let answer = match case["value"].as_str() {
            Some("no values") => Answer::Empty,
            Some("NaN") => Answer::Value(f64::NAN),
            Some("query error") => Answer::Unreachable,
            _ => continue,
        };
        assert!(
            arm_counts(answer, Answer::Value(0.0), false).is_err(),
            "no value is a failed check there, unknown here"
        );
        contrasts += 1;
    }
    for case in cases(&file, "failed_check_counter") {
        let threshold = u32::try_from(case["threshold"].as_u64().unwrap()).unwrap();
        let ticks = case["ticks"].as_str().unwrap();
        let readings: Vec<Option<bool>> = ticks.chars().map(|tick| Some(tick == 'F')).collect();
        // Failures are never forgotten there: as if the last evaluations were all of them. And it looks at the count
        // before it checks, so that it acts an interval later.
        let fired = fires(&readings, threshold, readings.len() as u32);
        let expected = case["expected"]["rolled_back_at_tick"].as_u64();
        assert_eq!(fired.map(|place| place as u64 + 2), expected, "{}", case["name"]);
        if ticks.contains("FSSSSSSSSSF") {
            // With a window, ten failures scattered over an hour and more are none.
            assert_eq!(fires(&readings, threshold, 2 * threshold), None);
            contrasts += 1;
        }
        compared += 1;
    }
    for case in cases(&file, "provider_parsing") {
        let Some(series) = case["response"]["data"]["result"].as_array() else { continue };
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        let answer = match series.as_slice() {
            [] => Answer::Empty,
            [one] => Answer::Value(value(one).unwrap_or(f64::NAN)),
            many => Answer::Several(many.len()),
        };
        let got = arm_counts(answer, Answer::Value(0.0), false);
        match case["expected"].as_f64() {
            // There the last series wins; here several are none.
            Some(_) if series.len() > 1 => assert_eq!(got, Err(DataProblem::SeveralSeries { count: 2 })),
            Some(expected) => assert_eq!(got.map(|counts| counts.requests), Ok(expected)),
            None => assert!(got.is_err(), "{case}"),
        }
        compared += 1;
    }
    println!("flagger: {compared} cases, {contrasts} otherwise here");
}
