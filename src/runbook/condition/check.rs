//! Whether what a condition names is there and is compared with something of its own kind, asked when a runbook is loaded.

use super::{BadCondition, Comparison, Condition, Expression, Op, Path, Target, Value};

/// What may be named. A name that is not there is an error when the runbook is loaded, not at three in the morning.
pub trait Names {
    /// What kind of value a path has.
    ///
    /// # Errors
    ///
    /// If there is nothing of that name.
    fn quantity(&self, path: &Path) -> Result<ValueKind, UnknownName>;
}

/// What kind of value a name has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// A number without a unit.
    Number,
    /// A share, compared with percent.
    Share,
    /// A stretch of time, compared with `ms`, `s` or `m`.
    Duration,
    /// Events a second, compared with `/s`.
    Rate,
    /// A word: one of these, or any where there are none.
    Text(Vec<String>),
    /// True or false.
    Bool,
    /// Not known without a config; compared with anything.
    Any,
}

/// A name that is not there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct UnknownName {
    /// What is not there, and what there is.
    pub text: String,
}

impl ValueKind {
    /// How a value of this kind is written.
    fn written(&self) -> &'static str {
        match self {
            Self::Number => "a number without a unit, like `3`",
            Self::Share => "percent, like `1%`",
            Self::Duration => "a time, like `500ms`, `30s` or `5m`",
            Self::Rate => "events a second, like `10/s`",
            Self::Text(_) => "a word in quotes",
            Self::Bool => "`true` or `false`",
            Self::Any => "a value",
        }
    }

    fn is_ordered(&self) -> bool {
        !matches!(self, Self::Text(_) | Self::Bool)
    }

    fn takes(&self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Any, _)
                | (Self::Number, Value::Number(_))
                | (Self::Share, Value::Share(_))
                | (Self::Duration, Value::Duration(_))
                | (Self::Rate, Value::Rate(_))
                | (Self::Text(_), Value::Text(_))
                | (Self::Bool, Value::Bool(_))
        )
    }

    fn is_like(&self, other: &Self) -> bool {
        let same = std::mem::discriminant(self) == std::mem::discriminant(other);
        same || matches!(self, Self::Any) || matches!(other, Self::Any)
    }
}

impl Condition {
    /// What it asks for that is not there, or compares with something of another kind; nothing if it is fine.
    pub fn check(&self, names: &dyn Names) -> Vec<BadCondition> {
        let mut wrong = Vec::new();
        each(&self.expression, &mut |comparison| {
            if let Err((rule, text)) = check(comparison, names) {
                let at = self.source.find(&comparison.path.to_string()).unwrap_or_default();
                wrong.push(BadCondition { at, text, rule });
            }
        });
        wrong
    }
}

/// Calls for every comparison, from left to right.
pub(super) fn each<'e>(expression: &'e Expression, call: &mut dyn FnMut(&'e Comparison)) {
    match expression {
        Expression::Or(all) | Expression::And(all) => all.iter().for_each(|inner| each(inner, call)),
        Expression::Not(inner) => each(inner, call),
        Expression::Compare(comparison) => call(comparison),
    }
}

fn check(comparison: &Comparison, names: &dyn Names) -> Result<(), (&'static str, String)> {
    let unknown = |error: UnknownName| ("unknown-name", error.text);
    let path = &comparison.path;
    let kind = names.quantity(path).map_err(unknown)?;
    let Some((op, target)) = &comparison.target else {
        return match kind {
            ValueKind::Bool | ValueKind::Any => Ok(()),
            kind => {
                Err(("unit", format!("`{path}` is not true or false; compare it with {}", kind.written())))
            }
        };
    };
    if !matches!(op, Op::Is | Op::IsNot) && !kind.is_ordered() {
        return Err(("unit", format!("`{path}` has no order; compare it with `==` or `!=`")));
    }
    match target {
        Target::Value(value) => {
            if !kind.takes(value) {
                return Err((
                    "unit",
                    format!("`{path}` is compared with {}, not with `{value}`", kind.written()),
                ));
            }
            if let (ValueKind::Text(words), Value::Text(word)) = (&kind, value)
                && !words.is_empty()
                && !words.contains(word)
            {
                let text = format!("`{path}` is never `{word}`; it is one of {}", words.join(", "));
                return Err(("unknown-name", text));
            }
            Ok(())
        }
        Target::Path(other) => {
            // A word without quotes.
            if let (ValueKind::Text(words), [super::Part::Name(word)]) = (&kind, other.parts())
                && (words.is_empty() || words.contains(word))
            {
                return Err(("condition", format!("write the word in quotes: `\"{word}\"`")));
            }
            let theirs = names.quantity(other).map_err(unknown)?;
            if kind.is_like(&theirs) {
                Ok(())
            } else {
                Err((
                    "unit",
                    format!("`{path}` is compared with {}, and `{other}` is not that", kind.written()),
                ))
            }
        }
    }
}
