//! Whether the figures are those that a recording expects.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::stream::Stream;
use crate::judge::watch::Decision;

/// What a recording expects, and how far a figure may be off.
pub(super) struct Expected {
    /// By tick: the figures and their values, brought into one list each.
    checkpoints: BTreeMap<usize, Vec<(String, Vec<f64>)>>,
    first_100: FirstAlarm,
    max_log_e: Option<f64>,
    actions: Option<Vec<Change>>,
    tolerance: BTreeMap<String, f64>,
}

/// What is expected of the first tick with an e-value of 100.
enum FirstAlarm {
    Unsaid,
    Never,
    At(usize),
}

/// A change of the action.
#[derive(PartialEq)]
struct Change {
    tick: usize,
    action: String,
    because: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at tick {}", self.action, self.tick)?;
        if self.because.is_empty() { Ok(()) } else { write!(f, " because of {}", self.because) }
    }
}

/// How it came out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Agreement {
    /// How many figures were compared.
    pub(super) compared: usize,
    /// Figures with a name that this comparison does not have.
    pub(super) unknown: usize,
    /// What differs, in words.
    pub(super) differences: Vec<String>,
}

/// What was seen over the whole recording.
pub(super) struct Seen<'a> {
    /// After each tick.
    pub(super) log_e: &'a [f64],
    pub(super) changes: &'a [(usize, Decision)],
}

/// The tolerance of figures that the file names none for: its figures have ten digits and more.
const DEFAULT_TOLERANCE: f64 = 1e-6;
/// Figures are written with twelve digits.
const DIGITS: f64 = 1e-11;

impl Expected {
    /// Reads `expect`; the error says what was found where.
    pub(super) fn read(expect: &Value, tolerance: BTreeMap<String, f64>) -> Result<Self, String> {
        let tick_of = |value: &Value, place: &str| {
            let tick = value.as_u64().and_then(|tick| usize::try_from(tick).ok());
            tick.ok_or_else(|| format!("`{place}` is {value}, expected the number of a tick"))
        };
        let list = |key: &str| match &expect[key] {
            Value::Null => Ok(None),
            Value::Array(items) => Ok(Some(items)),
            other => Err(format!("`{key}` is {other}, expected a list")),
        };
        let mut checkpoints = BTreeMap::new();
        for (i, point) in list("checkpoints")?.into_iter().flatten().enumerate() {
            let place = format!("checkpoints[{i}]");
            let figures = point.as_object().ok_or_else(|| format!("`{place}` is no object"))?;
            let mut known = Vec::new();
            for (name, value) in figures.iter().filter(|(name, value)| *name != "tick" && !value.is_null()) {
                let mut numbers = Vec::new();
                flatten(value, &mut numbers)
                    .ok_or_else(|| format!("`{place}.{name}` is {value}, expected numbers"))?;
                known.push((name.clone(), numbers));
            }
            checkpoints.insert(tick_of(&point["tick"], &format!("{place}.tick"))?, known);
        }
        let first = "first_tick_with_log_e_at_least_ln100";
        let first_100 = match expect.get(first) {
            None => FirstAlarm::Unsaid,
            Some(Value::Null) => FirstAlarm::Never,
            Some(value) => FirstAlarm::At(tick_of(value, first)?),
        };
        let mut actions = None;
        for (i, change) in list("actions")?.into_iter().flatten().enumerate() {
            let word = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
            actions.get_or_insert_with(Vec::new).push(Change {
                tick: tick_of(&change["tick"], &format!("actions[{i}].tick"))?,
                action: word("action"),
                because: word("because"),
            });
        }
        Ok(Self { checkpoints, first_100, max_log_e: expect["max_log_e"].as_f64(), actions, tolerance })
    }

    fn tolerance(&self, name: &str) -> f64 {
        let named = if name.starts_with("log_e") { "log_e" } else { name };
        let given = self.tolerance.get(name).or_else(|| self.tolerance.get(named));
        given.or_else(|| self.tolerance.get("other")).copied().unwrap_or(DEFAULT_TOLERANCE)
    }

    /// Compares the state after a tick, where something is expected of it.
    pub(super) fn compare_at(&self, tick: usize, log_e: f64, stream: &Stream, agreement: &mut Agreement) {
        for (name, expected) in self.checkpoints.get(&tick).into_iter().flatten() {
            let is_combined = name == "log_e" && stream.kinds().len() > 1;
            let got = if is_combined { Some(vec![log_e]) } else { stream.figure(name) };
            match got {
                None => agreement.unknown += 1,
                Some(got) => self.compare(&format!("tick {tick} {name}"), name, &got, expected, agreement),
            }
        }
    }

    fn compare(&self, place: &str, name: &str, got: &[f64], expected: &[f64], agreement: &mut Agreement) {
        agreement.compared += 1;
        let tolerance = self.tolerance(if name == "per_quantile" { "log_e" } else { name });
        let is_close = |got: &f64, expected: &f64| {
            (got - expected).abs() <= tolerance.max(DIGITS * expected.abs())
                || (got.is_nan() && expected.is_nan())
        };
        let is_same = got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| is_close(a, b));
        if !is_same {
            let (got, expected) = (words(got), words(expected));
            agreement.differences.push(format!("{place} is {got}, expected {expected} ± {tolerance}"));
        }
    }

    /// Compares what is expected of the recording as a whole.
    pub(super) fn compare_whole(&self, seen: &Seen<'_>, agreement: &mut Agreement) {
        let first_100 = match self.first_100 {
            FirstAlarm::Unsaid => None,
            FirstAlarm::Never => Some(None),
            FirstAlarm::At(tick) => Some(Some(tick)),
        };
        if let Some(expected) = first_100 {
            let needed = 100f64.ln();
            let got = seen.log_e.iter().position(|log_e| *log_e >= needed);
            agreement.compared += 1;
            if got != expected {
                let word =
                    |tick: Option<usize>| tick.map_or("never".to_owned(), |tick| format!("tick {tick}"));
                let (got, expected) = (word(got), word(expected));
                agreement.differences.push(format!("evidence of 100: {got}, expected {expected}"));
            }
        }
        if let Some(expected) = self.max_log_e {
            let got = seen.log_e.iter().copied().fold(0.0, f64::max);
            self.compare("largest log_e", "log_e", &[got], &[expected], agreement);
        }
        if let Some(expected) = &self.actions {
            let got: Vec<Change> =
                seen.changes.iter().map(|(tick, decision)| change(*tick, decision)).collect();
            agreement.compared += expected.len();
            if got != *expected {
                let words = |changes: &[Change]| {
                    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                let (got, expected) = (words(&got), words(expected));
                agreement.differences.push(format!("the actions are {got}; expected {expected}"));
            }
        }
        let last = seen.log_e.len();
        for tick in self.checkpoints.keys().filter(|tick| **tick >= last) {
            agreement.differences.push(format!("tick {tick} is expected, and there are {last} ticks"));
        }
    }
}

fn change(tick: usize, decision: &Decision) -> Change {
    let action = serde_json::to_value(decision.action).ok();
    let because = decision.blame.as_ref().map_or(String::new(), |blame| blame.metric.to_string());
    Change { tick, action: action.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned(), because }
}

/// The numbers of a list, and of lists in it.
fn flatten(value: &Value, into: &mut Vec<f64>) -> Option<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| flatten(item, into)),
        Value::String(text) if text == "NaN" => {
            into.push(f64::NAN);
            Some(())
        }
        value => {
            into.push(value.as_f64()?);
            Some(())
        }
    }
}

fn words(numbers: &[f64]) -> String {
    match numbers {
        [one] => one.to_string(),
        many => format!("{many:?}"),
    }
}
