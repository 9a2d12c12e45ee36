//! What a condition comes to now, in words.

use super::Fact;
use super::sight::Sight;
use crate::runbook::{Compared, Condition, Truth, Value};

/// Whether a condition holds; none: not known.
pub(super) fn holds(condition: &Condition, sight: &Sight<'_>) -> Option<bool> {
    known(condition.evaluate(sight).truth)
}

const fn known(truth: Truth) -> Option<bool> {
    match truth {
        Truth::True => Some(true),
        Truth::False => Some(false),
        Truth::Unknown => None,
    }
}

/// What a condition comes to, with the values and their age.
pub(super) fn fact(condition: &Condition, sight: &Sight<'_>) -> Fact {
    let evaluation = condition.evaluate(sight);
    let parts: Vec<String> = evaluation.comparisons.iter().map(words).collect();
    // The oldest value is as new as the whole is.
    let at = evaluation.comparisons.iter().filter_map(|compared| compared.at).min();
    Fact { text: parts.join("; "), holds: known(evaluation.truth), at }
}

/// A value to the digits that a person reads, unless that would make it look like what it is compared with.
fn read(value: &Value, target: Option<&Value>) -> String {
    let short = |number: f64| -> f64 {
        if number == 0.0 || !number.is_finite() {
            number
        } else {
            format!("{number:.3e}").parse().unwrap_or(number)
        }
    };
    let shown = match value {
        Value::Number(number) => short(*number).to_string(),
        Value::Share(share) => format!("{}%", short(share * 100.0)),
        Value::Rate(rate) => format!("{}/s", short(*rate)),
        Value::Duration(seconds) => Value::Duration(short(*seconds)).to_string(),
        Value::Text(_) | Value::Bool(_) => value.to_string(),
    };
    let is_taken = target.is_some_and(|target| target.to_string() == shown);
    if is_taken { value.to_string() } else { shown }
}

/// `canary.error_rate 0.42% < 1%`, or what was said of it.
fn words(compared: &Compared) -> String {
    if let Some(told) = &compared.told {
        return told.clone();
    }
    let value =
        compared.value.as_ref().map_or_else(|| "?".to_owned(), |value| read(value, compared.target.as_ref()));
    match (compared.op, &compared.target) {
        (Some(op), Some(target)) => format!("{} {value} {} {target}", compared.path, op.sign()),
        (Some(op), None) => format!("{} {value} {} ?", compared.path, op.sign()),
        (None, _) => format!("{} is {value}", compared.path),
    }
}
