//! What Argo Rollouts makes of a measured value, NaN and nothing among them, and what this program does.

use std::cmp::Ordering;

use serde_json::Value;
use unship::judge::{Answer, DataProblem, arm_counts};

use crate::argo::{Phase, cases};
use crate::reference::read;

/// A condition of Argo on one number: comparisons of `result`, joined. None where it is of its expression language.
fn holds(condition: &str, result: &Value) -> Option<Result<bool, ()>> {
    let mut any = false;
    for all in condition.split("||") {
        let mut together = true;
        for part in all.split("&&") {
            match atom(part.trim(), result)? {
                Ok(true) => {}
                Ok(false) => {
                    together = false;
                    break;
                }
                Err(()) => return Some(Err(())),
            }
        }
        any |= together;
        if any {
            break;
        }
    }
    Some(Ok(any))
}

fn atom(text: &str, result: &Value) -> Option<Result<bool, ()>> {
    if text == "true" || text == "false" {
        return Some(Ok(text == "true"));
    }
    let number = |value: &Value| match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "+Inf" => Some(f64::INFINITY),
            text => text.parse().ok(),
        },
        value => value.as_f64(),
    };
    match text {
        "isNaN(result)" => return Some(number(result).map(f64::is_nan).ok_or(())),
        "isInf(result)" => return Some(number(result).map(f64::is_infinite).ok_or(())),
        _ => {}
    }
    let mut words = text.split_whitespace();
    let subject: String =
        words.by_ref().take_while(|word| !["==", "!=", ">=", "<=", ">", "<"].contains(word)).collect();
    let operator = text[subject.len() + usize::from(subject.contains(','))..].split_whitespace().next()?;
    let limit: f64 = match text.rsplit(' ').next()?.parse() {
        Ok(limit) => limit,
        // Something that there is not, or of the language.
        Err(_) if subject == "a" => return Some(Err(())),
        Err(_) => return None,
    };
    let value = match subject.as_str() {
        "result" | "asInt(result)" | "asFloat(result)" => number(result),
        "result[0]" => result.get(0).and_then(number),
        "len(result)" => result.as_array().map(|items| items.len() as f64),
        _ => {
            let default = subject.strip_prefix("default(result,")?.strip_suffix(')')?;
            number(result).or_else(|| default.parse().ok())
        }
    };
    let Some(value) = value else { return Some(Err(())) };
    Some(Ok(match operator {
        "==" => value.partial_cmp(&limit) == Some(Ordering::Equal),
        "!=" => value.partial_cmp(&limit) != Some(Ordering::Equal),
        ">=" => value >= limit,
        "<=" => value <= limit,
        ">" => value > limit,
        _ => value < limit,
    }))
}

/// When it fails, the model of Argo's conditions is wrong, or NaN or nothing is a value here. There it is what the condition
/// makes of it: with a condition for failure alone, NaN is a success.
#[test]
fn no_number_is_no_verdict() {
    let Some(file) = read("peers/argo_evaluate.json") else { return };
    let (mut compared, mut of_language, mut contrasts) = (0, 0, 0);
    for case in cases(&file, "cases") {
        let result = &case["result"];
        let condition = |key: &str| {
            let text = case[key].as_str().unwrap();
            if text.is_empty() { Some(None) } else { holds(text, result).map(Some) }
        };
        let (Some(success), Some(failure)) = (condition("success_condition"), condition("failure_condition"))
        else {
            // Conditions on lists and objects: a trigger here has one number.
            of_language += 1;
            continue;
        };
        let phase = match (success, failure) {
            (Some(Err(())), _) | (_, Some(Err(()))) => Phase::Error,
            (_, Some(Ok(true))) | (Some(Ok(false)), None) => Phase::Failed,
            (Some(Ok(true)) | None, _) => Phase::Successful,
            (Some(Ok(false)), Some(Ok(false))) => Phase::Inconclusive,
        };
        assert_eq!(phase, Phase::named(&case["expected"]), "{case}");
        compared += 1;
        let answer = match result {
            Value::String(text) if text == "NaN" => Answer::Value(f64::NAN),
            Value::String(text) if text == "+Inf" => Answer::Value(f64::INFINITY),
            Value::Null => Answer::Empty,
            Value::Array(items) if items.is_empty() => Answer::Empty,
            _ => continue,
        };
        let problem = arm_counts(Answer::Value(100.0), answer, false).unwrap_err();
        assert!(
            matches!(problem, DataProblem::NotANumber | DataProblem::ErrorsMissing),
            "{case}: {problem:?}"
        );
        contrasts += 1;
    }
    println!(
        "argo_evaluate: {compared} cases, {of_language} of its expression language, {contrasts} unknown here"
    );
}
