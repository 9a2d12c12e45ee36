//! The parsed file with the place of every key and value, and the dotted paths that lead to them.

use std::fmt;
use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::{
    ChannelName, CheckName, DatabaseName, IndicatorName, LoadName, ProbeName, ServiceName, SourceName,
    SuiteName, TriggerName,
};

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Into a table.
    Key(String),
    /// Into an array.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

macro_rules! name_steps {
    ($($name:ty),*) => {
        $(impl From<&$name> for Step {
            fn from(name: &$name) -> Self {
                Self::Key(name.as_str().to_owned())
            }
        })*
    };
}
name_steps!(
    ChannelName,
    CheckName,
    DatabaseName,
    IndicatorName,
    LoadName,
    ProbeName,
    ServiceName,
    SourceName,
    SuiteName,
    TriggerName
);

/// A place in the config: `services.checkout.probes.live.url`, `guardrails.freeze[0].from`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    /// The place one step further.
    pub(crate) fn then(&self, step: impl Into<Step>) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.into());
        Self(steps)
    }

    /// The last key on the way, if there is any.
    pub(super) fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// Whether a table of this name is on the way.
    pub(super) fn has_key(&self, wanted: &str) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Key(key) if key == wanted))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    if !key.is_empty() && key.chars().all(plain) {
                        f.write_str(key)?;
                    } else {
                        write!(f, "\"{}\"", key.escape_debug())?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Builds a [`Path`] from its steps.
macro_rules! place {
    ($($step:expr),* $(,)?) => {
        $crate::config::spanned::Path::default()$(.then($step))*
    };
}
pub(super) use place;

/// The parsed file.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    /// Its top.
    pub(crate) root: DeTable<'t>,
}

impl Tree<'_> {
    /// The value at a place.
    pub(super) fn get(&self, path: &Path) -> Option<&DeValue<'_>> {
        self.find(path).0.map(|found| found.value.get_ref())
    }

    /// Where the value at a place is. If it is not in the file, because it is a default, the nearest thing around it.
    pub(super) fn value_span(&self, path: &Path) -> Range<usize> {
        match self.find(path) {
            (Some(found), _) if !is_block(found.value) => found.value.span(),
            (Some(Found { key: Some(key), .. }), _) => key,
            (Some(found), _) => found.value.span(),
            (None, around) => around,
        }
    }

    /// Where the key of a place is.
    pub(super) fn key_span(&self, path: &Path) -> Range<usize> {
        match self.find(path) {
            (Some(found), _) => found.key.unwrap_or_else(|| found.value.span()),
            (None, around) => around,
        }
    }

    /// The value, or the place of the last key on the way to it that exists.
    fn find(&self, path: &Path) -> (Option<Found<'_>>, Range<usize>) {
        let mut around = 0..0;
        let mut found: Option<Found<'_>> = None;
        for step in &path.0 {
            let next = match (step, found.as_ref().map(|found| found.value.get_ref())) {
                (Step::Key(key), None) => entry(&self.root, key),
                (Step::Key(key), Some(DeValue::Table(table))) => entry(table, key),
                (Step::Index(index), Some(DeValue::Array(array))) => {
                    array.get(*index).map(|value| Found { key: None, value })
                }
                _ => None,
            };
            let Some(next) = next else {
                return (None, around);
            };
            around = next.key.clone().unwrap_or_else(|| next.value.span());
            found = Some(next);
        }
        (found, around)
    }
}

/// A value and, if it is in a table, the place of its key.
struct Found<'a> {
    key: Option<Range<usize>>,
    value: &'a Spanned<DeValue<'a>>,
}

fn entry<'a>(table: &'a DeTable<'a>, key: &str) -> Option<Found<'a>> {
    table.get_key_value(key).map(|(key, value)| Found { key: Some(key.span()), value })
}

/// Whether a value has no place of its own: a table with a header is everywhere below it.
fn is_block(value: &Spanned<DeValue<'_>>) -> bool {
    matches!(value.get_ref(), DeValue::Table(_))
}

/// The number in an integer, if it is one that TOML guarantees.
pub(crate) fn integer(value: &toml::de::DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

/// The number in a float. Infinities and NaN are none: nothing in a config can be compared with them.
pub(super) fn float(value: &toml::de::DeFloat<'_>) -> Option<f64> {
    value.as_str().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The tree as JSON, for serde: an instant becomes its text, whichever of the two ways it was written.
pub(super) fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => integer(number).map_or(Json::Null, Json::from),
        DeValue::Float(number) => float(number).map_or(Json::Null, Json::from),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(instant) => Json::String(instant.to_string()),
        DeValue::Array(array) => array.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => table_json(table),
    }
}

/// A table as JSON.
pub(super) fn table_json(table: &DeTable<'_>) -> Json {
    Json::Object(
        table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref()))).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A problem points at the value it is about, and at the nearest thing around it when the value is a default.
    #[test]
    fn places_are_found() {
        let text = "[services.a.probes.live]\nurl = \"x\"\n[[guardrails.freeze]]\nfrom = 1\n[[guardrails.freeze]]\nfrom = 2\n";
        let tree = Tree { root: DeTable::parse(text).unwrap().into_inner() };
        let at = |path: &Path| &text[tree.value_span(path)];
        assert_eq!(at(&place!["services", "a", "probes", "live", "url"]), "\"x\"");
        assert_eq!(at(&place!["services", "a", "probes", "live", "interval"]), "live");
        assert_eq!(at(&place!["services", "a"]), "a");
        assert_eq!(at(&place!["guardrails", "freeze", 1, "from"]), "2");
        assert_eq!(at(&place!["nothing", "here"]), "");
        assert_eq!(&text[tree.key_span(&place!["guardrails", "freeze", 0, "from"])], "from");
        assert_eq!(place!["a", 1, "b c", "d"].to_string(), "a[1].\"b c\".d");
    }
}
