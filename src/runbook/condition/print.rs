//! Conditions as text that reads back as the same condition.

use std::fmt::{self, Display, Formatter};

use super::{Comparison, Condition, Expression, Op, Part, Path, Target, Value};

impl Display for Condition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl Display for Expression {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(all) => joined(f, all, " or ", |inner| matches!(inner, Self::Or(_))),
            Self::And(all) => joined(f, all, " and ", |inner| matches!(inner, Self::Or(_) | Self::And(_))),
            Self::Not(inner) if matches!(**inner, Self::Compare(_)) => write!(f, "not {inner}"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare(comparison) => comparison.fmt(f),
        }
    }
}

fn joined(
    f: &mut Formatter<'_>,
    all: &[Expression],
    word: &str,
    needs_parentheses: fn(&Expression) -> bool,
) -> fmt::Result {
    for (index, inner) in all.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if needs_parentheses(inner) {
            write!(f, "({inner})")?;
        } else {
            inner.fmt(f)?;
        }
    }
    Ok(())
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)?;
        match &self.target {
            None => Ok(()),
            Some((op, Target::Value(Value::Text(text)))) => write!(f, " {op} {}", Quoted(text)),
            Some((op, Target::Value(value))) => write!(f, " {op} {value}"),
            Some((op, Target::Path(path))) => write!(f, " {op} {path}"),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Name(name) if index == 0 => f.write_str(name)?,
                Part::Name(name) => write!(f, ".{name}")?,
                Part::Key(key) => write!(f, "[{}]", Quoted(key))?,
            }
        }
        Ok(())
    }
}

/// A text in double quotes.
struct Quoted<'t>(&'t str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl Display for Value {
    /// Exactly, with its unit: `0.42%`, `500ms`, `3`, `12/s`. A word is without quotes.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Share(share) => write!(f, "{}%", percent(*share)),
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::Text(text) => f.write_str(text),
            Self::Bool(is_so) => write!(f, "{is_so}"),
            Self::Duration(seconds) => {
                let (minutes, millis) = (seconds / 60.0, seconds * 1_000.0);
                if *seconds >= 60.0 && minutes.fract() == 0.0 && is_exactly(minutes * 60.0, *seconds) {
                    write!(f, "{minutes}m")
                } else if seconds.abs() < 1.0 && *seconds != 0.0 && is_exactly(millis / 1_000.0, *seconds) {
                    write!(f, "{millis}ms")
                } else {
                    write!(f, "{seconds}s")
                }
            }
        }
    }
}

fn is_exactly(one: f64, other: f64) -> bool {
    one.to_bits() == other.to_bits()
}

/// The shortest number of percent that is read as this share: 0.07 is `7`, not `7.000000000000001`.
fn percent(share: f64) -> String {
    let middle = share * 100.0;
    let near = [
        middle.next_down().next_down(),
        middle.next_down(),
        middle,
        middle.next_up(),
        middle.next_up().next_up(),
    ];
    near.into_iter()
        .filter(|percent| is_exactly(percent / 100.0, share))
        .map(|percent| format!("{percent}"))
        .min_by_key(String::len)
        .unwrap_or_else(|| format!("{middle}"))
}
