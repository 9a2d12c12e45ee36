//! Evaluation: Kleene's three values, and every comparison with what it found, for the line that a person reads.

use jiff::Timestamp;
use serde::Serialize;

use super::{Comparison, Condition, Expression, Op, Path, Target, Value};

/// What is so, asked when a condition is evaluated.
pub trait Facts {
    /// Reads one value. What is too old is no value.
    fn read(&self, path: &Path) -> Sensed;
}

/// A value of the world as it was read.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Sensed {
    /// The value; none where it is not known.
    pub value: Option<Value>,
    /// When it was measured, as far as that is known; also of a value that is too old.
    pub at: Option<Timestamp>,
    /// Why there is no value, or what else there is to say of it.
    pub told: Option<String>,
}

/// One of three values. What is not known is never false and never true.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody knows.
    Unknown,
}

/// How a condition came out.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Evaluation {
    /// Whether it is so.
    pub truth: Truth,
    /// All its comparisons, from left to right, also those that decided nothing.
    pub comparisons: Vec<Compared>,
}

/// One comparison, as for `canary.error_rate 0.42% < 1% ✓ 3s ago`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Compared {
    /// What was looked at.
    pub path: Path,
    /// How it was compared; none where the value itself is true or false.
    pub op: Option<Op>,
    /// With what: the value that is written down, or the one that another path has now; none where that is not known.
    pub target: Option<Value>,
    /// What was found.
    pub value: Option<Value>,
    /// Whether it is so.
    pub truth: Truth,
    /// When it was measured: of two values, the older.
    pub at: Option<Timestamp>,
    /// What was said of it.
    pub told: Option<String>,
}

impl Truth {
    /// All of them: false outweighs unknown.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().fold(Self::True, |one, other| match (one, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::True, Self::True) => Self::True,
        })
    }

    /// Any of them: true outweighs unknown.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        !Self::all(truths.into_iter().map(std::ops::Not::not))
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(is_so: bool) -> Self {
        if is_so { Self::True } else { Self::False }
    }
}

impl Condition {
    /// Whether it is so. Every comparison is made, so that all of them can be shown.
    pub fn evaluate(&self, facts: &dyn Facts) -> Evaluation {
        let mut comparisons = Vec::new();
        let truth = evaluate(&self.expression, facts, &mut comparisons);
        Evaluation { truth, comparisons }
    }
}

fn evaluate(expression: &Expression, facts: &dyn Facts, comparisons: &mut Vec<Compared>) -> Truth {
    match expression {
        Expression::Or(all) => {
            let truths: Vec<_> = all.iter().map(|inner| evaluate(inner, facts, comparisons)).collect();
            Truth::any(truths)
        }
        Expression::And(all) => {
            let truths: Vec<_> = all.iter().map(|inner| evaluate(inner, facts, comparisons)).collect();
            Truth::all(truths)
        }
        Expression::Not(inner) => !evaluate(inner, facts, comparisons),
        Expression::Compare(comparison) => {
            let compared = compare(comparison, facts);
            let truth = compared.truth;
            comparisons.push(compared);
            truth
        }
    }
}

fn compare(comparison: &Comparison, facts: &dyn Facts) -> Compared {
    let path = comparison.path.clone();
    let Sensed { value, mut at, mut told } = facts.read(&path);
    let Some((op, target)) = &comparison.target else {
        let truth = match &value {
            Some(Value::Bool(is_so)) => Truth::from(*is_so),
            _ => Truth::Unknown,
        };
        return Compared { path, op: None, target: None, value, truth, at, told };
    };
    let target = match target {
        Target::Value(value) => Some(value.clone()),
        Target::Path(other) => {
            let theirs = facts.read(other);
            at = match (at, theirs.at) {
                (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                (ours, theirs) => ours.or(theirs),
            };
            told = told.or(theirs.told);
            theirs.value
        }
    };
    let truth = match (&value, &target) {
        (Some(value), Some(target)) => holds(value, *op, target),
        _ => Truth::Unknown,
    };
    Compared { path, op: Some(*op), target, value, truth, at, told }
}

fn holds(value: &Value, op: Op, target: &Value) -> Truth {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let ordering = match (value, target) {
        (Value::Number(value), Value::Number(target))
        | (Value::Share(value), Value::Share(target))
        | (Value::Duration(value), Value::Duration(target))
        | (Value::Rate(value), Value::Rate(target)) => order(*value, *target),
        (Value::Text(value), Value::Text(target)) if matches!(op, Op::Is | Op::IsNot) => {
            Some(value.cmp(target))
        }
        (Value::Bool(value), Value::Bool(target)) if matches!(op, Op::Is | Op::IsNot) => {
            Some(value.cmp(target))
        }
        _ => None,
    };
    let Some(ordering) = ordering else { return Truth::Unknown };
    Truth::from(match op {
        Op::Less => ordering == Less,
        Op::AtMost => ordering != Greater,
        Op::More => ordering == Greater,
        Op::AtLeast => ordering != Less,
        Op::Is => ordering == Equal,
        Op::IsNot => ordering != Equal,
    })
}

/// Numbers that differ only in what arithmetic lost are equal: a share of 20 % that was computed is 20 %.
fn order(value: f64, target: f64) -> Option<std::cmp::Ordering> {
    let scale = value.abs().max(target.abs());
    if scale.is_finite() && (value - target).abs() <= scale * 1e-12 {
        return Some(std::cmp::Ordering::Equal);
    }
    value.partial_cmp(&target)
}
