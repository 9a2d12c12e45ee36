//! Conditions: what is asked of the world, as a tree that is checked when a runbook is loaded and evaluated with three values.
//!
//! There are no functions, loops or effects in it, so evaluating one always ends, at once, with true, false or unknown.

mod check;
mod evaluate;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Serialize, Serializer};

pub use check::{Names, UnknownName, ValueKind};
pub use evaluate::{Compared, Evaluation, Facts, Sensed, Truth};

/// A condition as it was written, and what it means.
#[derive(Clone, Debug)]
pub struct Condition {
    source: String,
    expression: Expression,
}

impl Condition {
    /// Reads a condition. The names in it are not looked up; [`Condition::check`] does that.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the byte where it is.
    pub fn parse(text: &str) -> Result<Self, BadCondition> {
        Ok(Self { source: text.to_owned(), expression: parse::parse(text)? })
    }

    /// The text it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What it means.
    pub const fn expression(&self) -> &Expression {
        &self.expression
    }
}

/// Two conditions are the same when they mean the same, however they are spaced.
impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The tree of a condition.
#[derive(Clone, PartialEq, Debug)]
pub enum Expression {
    /// At least one is true.
    Or(Vec<Expression>),
    /// All are true.
    And(Vec<Expression>),
    /// It is false.
    Not(Box<Expression>),
    /// A value of the world is so.
    Compare(Comparison),
}

/// A value of the world, compared. Without `target` the value itself is true or false.
#[derive(Clone, PartialEq, Debug)]
pub struct Comparison {
    /// What is looked at.
    pub path: Path,
    /// How it is compared and with what.
    pub target: Option<(Op, Target)>,
}

/// How two values are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
pub enum Op {
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `>`
    #[serde(rename = ">")]
    More,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
    /// `==`
    #[serde(rename = "==")]
    Is,
    /// `!=`
    #[serde(rename = "!=")]
    IsNot,
}

impl Op {
    /// As it is written.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Is => "==",
            Self::IsNot => "!=",
        }
    }
}

/// What a value is compared with.
#[derive(Clone, PartialEq, Debug)]
pub enum Target {
    /// A value that is written down.
    Value(Value),
    /// Another value of the world.
    Path(Path),
}

/// A value, with its unit in its type.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "value")]
pub enum Value {
    /// A number without a unit.
    Number(f64),
    /// A share, 0 to 1; written and shown in percent.
    Share(f64),
    /// A stretch of time, in seconds.
    Duration(f64),
    /// Events a second.
    Rate(f64),
    /// A word.
    Text(String),
    /// True or false.
    Bool(bool),
}

impl Value {
    /// A stretch of time.
    pub fn duration(duration: Duration) -> Self {
        Self::Duration(duration.as_secs_f64())
    }
}

/// The name of a value of the world: `canary.error_rate`, `service["x"].health`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Path {
    parts: Vec<Part>,
}

/// A part of a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// `.name`
    Name(String),
    /// `["key"]`
    Key(String),
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the byte where it is.
    pub fn parse(text: &str) -> Result<Self, BadCondition> {
        parse::path(text)
    }

    /// Its parts; the first is a name.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Serialize for Path {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A condition that cannot be read, or that asks for what is not there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text}")]
pub struct BadCondition {
    /// The byte in the condition's text.
    pub at: usize,
    /// What is wrong and what was expected.
    pub text: String,
    /// Which rule it breaks: `condition`, `unknown-name` or `unit`.
    pub rule: &'static str,
}
