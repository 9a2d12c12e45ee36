//! Reads files of reference figures. They live outside the project; where they are not, the tests that need them say so
//! and pass.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// The file's content; none, with a printed line, when it is not there.
pub(crate) fn read(name: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors").join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// A number; "NaN" and "+Inf" are spelled out.
#[track_caller]
pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::String(text) if text == "NaN" => f64::NAN,
        Value::String(text) if text == "+Inf" => f64::INFINITY,
        value => value.as_f64().unwrap(),
    }
}

/// A list of numbers.
#[track_caller]
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// A number, or the default where there is none.
pub(crate) fn number_or(value: &Value, default: f64) -> f64 {
    if value.is_null() { default } else { number(value) }
}

/// Fails unless both are as close as the tolerance says, or both NaN.
#[track_caller]
pub(crate) fn assert_close(name: &str, got: f64, expected: f64, tolerance: f64) {
    let is_close = (got - expected).abs() <= tolerance || (got.is_nan() && expected.is_nan());
    assert!(is_close, "{name}: got {got}, expected {expected} ± {tolerance}");
}
