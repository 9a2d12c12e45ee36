//! The tree against the schema: every key, type and word that cannot be, all at once, before serde sees anything.

use std::ops::Range;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Draft, Report, quoted};
use super::shape::{Shape, description, json_schema};
use super::spanned::{Path, Tree, float, integer};
use super::suggest::{choice, nearest};
use super::syntax::{Trust, is_sensitive};
use crate::model::secret::SecretRef;
use crate::model::{Quantity, Span};

/// A secret that the config refers to.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// Where it is kept.
    pub(super) secret: SecretRef,
    /// What it is for.
    pub(super) path: Path,
    /// Where it is written.
    pub(super) span: Range<usize>,
}

/// Checks the tree; answers the secrets that it refers to.
pub(super) fn walk(tree: &Tree<'_>, trust: Trust, report: &mut Report) -> Vec<Reference> {
    let mut walk = Walk { report, trust, secrets: Vec::new() };
    walk.hide_sensitive(&tree.root, false);
    if trust > Trust::None {
        walk.table(&tree.root, 0..0, json_schema(), &Path::default());
    }
    walk.secrets
}

struct Walk<'r> {
    report: &'r mut Report,
    trust: Trust,
    secrets: Vec<Reference>,
}

impl Walk<'_> {
    /// Keeps what looks like a secret by the name of its key from being shown, wherever it is: a misspelt
    /// `secret_headers` does not make its content less of a secret.
    fn hide_sensitive(&mut self, table: &DeTable<'_>, all: bool) {
        for (key, value) in table {
            let name = key.get_ref();
            let sensitive = all || is_sensitive(name);
            self.hide_value(
                value,
                sensitive,
                all || nearest(name, ["secret_headers", "secret_env"]).is_some(),
            );
        }
    }

    fn hide_value(&mut self, value: &Spanned<DeValue<'_>>, sensitive: bool, all: bool) {
        match value.get_ref() {
            DeValue::Table(table) => self.hide_sensitive(table, all),
            DeValue::Array(items) => {
                for item in items {
                    self.hide_value(item, sensitive, all);
                }
            }
            DeValue::Boolean(_) => {}
            DeValue::String(text) if SecretRef::from_str(text).is_ok() => {}
            _ if sensitive => self.report.hide(value.span()),
            _ => {}
        }
    }

    /// A table, whose name is written at `named`.
    fn table(&mut self, table: &DeTable<'_>, named: Range<usize>, schema: &'static Json, path: &Path) {
        match Shape::of(schema) {
            Shape::Keys { keys, required } => self.keys(table, &named, &keys, &required, path),
            Shape::Names(schema) => {
                for (key, value) in table {
                    self.value(value, key.span(), schema, &path.then(key.get_ref().as_ref()));
                }
            }
            Shape::Tagged { tag, forms } => {
                let words: Vec<&str> = forms.iter().map(|(word, _)| *word).collect();
                let form = self.form(table, &named, tag, &words, path);
                if let Some((_, schema)) = form.and_then(|form| forms.iter().find(|(word, _)| *word == form))
                {
                    self.table(table, named, schema, path);
                }
            }
            shape => {
                self.mismatch(named, path, "a table", &shape);
            }
        }
    }

    /// Which form a tagged table has, as far as one can tell.
    fn form<'w>(
        &mut self,
        table: &DeTable<'_>,
        named: &Range<usize>,
        tag: &str,
        words: &[&'w str],
        path: &Path,
    ) -> Option<&'w str> {
        let Some(value) = table.get(tag) else {
            // The keys' own check says that it is missing, if there is one form to check by.
            if let [only] = words {
                return Some(only);
            }
            if self.trust == Trust::Whole {
                self.report
                    .error(named.clone(), path, format!("`{tag}` is missing in `{path}`"))
                    .hint(format!("add `{tag}`: one of {}", words.join(", ")));
            }
            return None;
        };
        let DeValue::String(text) = value.get_ref() else {
            let found = found(value.get_ref());
            self.mismatch(value.span(), &path.then(tag), &found, &Shape::Words(Vec::new()))
                .hint(format!("one of {}", words.join(", ")));
            return None;
        };
        if let Some(word) = words.iter().find(|word| **word == text.as_ref()) {
            return Some(word);
        }
        self.word(value.span(), &path.then(tag), text, words);
        nearest(text, words.iter().copied())
    }

    fn keys(
        &mut self,
        table: &DeTable<'_>,
        named: &Range<usize>,
        keys: &[(&'static str, &'static Json)],
        required: &[&'static str],
        path: &Path,
    ) {
        let mut meant = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if let Some((_, schema)) = keys.iter().find(|(valid, _)| *valid == name) {
                self.value(value, key.span(), schema, &path.then(name));
                continue;
            }
            let place = path.to_string();
            let place = if place.is_empty() { "at the top".to_owned() } else { format!("in `{place}`") };
            let free = || keys.iter().map(|(key, _)| *key).filter(|key| !table.contains_key(*key));
            meant.extend(nearest(name, free()));
            let draft = self.report.error(
                key.span(),
                &path.then(name),
                format!("unknown key {} {place}", quoted(name)),
            );
            let all = keys.iter().map(|(key, _)| *key);
            let list = || format!("valid keys: {}", all.clone().collect::<Vec<_>>().join(", "));
            // A key that is there already is not what was meant.
            let Some(near) = nearest(name, free()) else {
                draft.hint(list());
                continue;
            };
            draft.hint(format!("did you mean `{near}`? {}", list()));
            // What is below a misspelt name has mistakes of its own.
            if let Some((_, schema)) = keys.iter().find(|(valid, _)| *valid == near) {
                self.value(value, key.span(), schema, &path.then(name));
            }
        }
        if self.trust < Trust::Whole {
            return;
        }
        for key in required {
            // A misspelt key is one mistake, not two.
            if table.contains_key(*key) || meant.contains(key) {
                continue;
            }
            let schema = keys.iter().find(|(name, _)| name == key).map(|(_, schema)| *schema);
            let place = path.to_string();
            let message = if place.is_empty() {
                format!("`{key}` is missing")
            } else {
                format!("`{key}` is missing in `{place}`")
            };
            let shape = schema.map_or(Shape::Anything, Shape::of);
            let how = match (place.is_empty(), &shape) {
                (true, _) => format!("add a table `[{key}]`"),
                (_, Shape::Tagged { tag, forms }) => format!(
                    "add a table `{key}` with `{tag}`: {}",
                    forms.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
                ),
                _ => format!("add `{key}`, {}", shape.expected()),
            };
            let what = schema.and_then(description).map(|text| format!(": {text}")).unwrap_or_default();
            self.report.error(named.clone(), path, message).hint(format!("{how}{what}"));
        }
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, key: Range<usize>, schema: &'static Json, path: &Path) {
        let span = value.span();
        let shape = Shape::of(schema);
        match (&shape, value.get_ref()) {
            (Shape::Anything, _)
            | (Shape::Text, DeValue::String(_))
            | (Shape::Boolean, DeValue::Boolean(_)) => {}
            (Shape::Keys { .. } | Shape::Names(_) | Shape::Tagged { .. }, DeValue::Table(table)) => {
                self.table(table, key, schema, path);
            }
            (Shape::List(schema), DeValue::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, item.span(), schema, &path.then(index));
                }
            }
            (Shape::Words(words), DeValue::String(text)) => {
                if !words.contains(&text.as_ref()) {
                    self.word(span, path, text, words);
                }
            }
            (Shape::Span, DeValue::String(text)) => self.parsed(span, path, text, Span::from_str, &shape),
            (Shape::Quantity, DeValue::String(text)) => {
                self.parsed(span, path, text, Quantity::from_str, &shape);
            }
            (Shape::Secret, DeValue::String(text)) => match SecretRef::from_str(text) {
                Ok(secret) => self.secrets.push(Reference { secret, path: path.clone(), span }),
                Err(_) => self.pasted(span, path),
            },
            (Shape::Secret, _) => self.pasted(span, path),
            (Shape::Instant, DeValue::String(text)) => {
                if Timestamp::from_str(text).is_err() {
                    self.instant(span, path, text);
                }
            }
            (Shape::Instant, DeValue::Datetime(instant)) => {
                let text = instant.to_string();
                // An instant that is no date at all was reported by the parser.
                if Timestamp::from_str(&text).is_err() && instant.date.is_some() {
                    self.instant(span, path, &text);
                }
            }
            (Shape::Integer { least, most }, DeValue::Integer(number)) => {
                if !integer(number).is_some_and(|number| (*least..=*most).contains(&number)) {
                    let message = format!("{} cannot be {}", name(path), quoted(&number.to_string()));
                    self.report.error(span, path, message).hint(format!("write {}", shape.expected()));
                }
            }
            (Shape::Number | Shape::Quantity, DeValue::Integer(number)) => {
                if integer(number).is_none() {
                    self.mismatch(span, path, "a number too large to be stored", &shape);
                }
            }
            (Shape::Number | Shape::Quantity, DeValue::Float(number)) => {
                if float(number).is_none() {
                    self.mismatch(span, path, "not a finite number", &shape);
                }
            }
            (_, other) => self.wrong_type(value, other, key, path, &shape),
        }
    }

    fn wrong_type(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        other: &DeValue<'_>,
        key: Range<usize>,
        path: &Path,
        shape: &Shape,
    ) {
        // A table with a header is pointed at by its name: it has no other place.
        let span = if matches!(other, DeValue::Table(_)) { key } else { value.span() };
        let hidden = path.last_key().is_some_and(is_sensitive);
        let hint = match (shape, other) {
            _ if hidden => None,
            (Shape::Span, DeValue::Integer(number)) => {
                Some(format!("say in which unit: `\"{number}s\"`, `\"{number}ms\"` or `\"{number}m\"`"))
            }
            (Shape::Span, DeValue::Float(number)) => Some(format!("say in which unit: `\"{number}s\"`")),
            (Shape::Integer { .. } | Shape::Number, DeValue::String(text))
                if text.trim().parse::<f64>().is_ok() =>
            {
                Some(format!("write it without quotes: `{}`", text.trim()))
            }
            (Shape::Boolean, DeValue::String(text)) => {
                matches!(text.trim().to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off")
                    .then(|| "write `true` or `false`, without quotes".to_owned())
            }
            (Shape::Boolean, DeValue::Integer(_)) => Some("write `true` or `false`".to_owned()),
            (Shape::List(items), DeValue::String(_)) if matches!(Shape::of(items), Shape::Text) => {
                let argv = path.has_key("platform");
                Some(if argv {
                    "no shell is involved: write each argument as its own string, `[\"program\", \"argument\"]`".to_owned()
                } else {
                    "put it in brackets: `[\"…\"]`".to_owned()
                })
            }
            (Shape::List(items), DeValue::Integer(number))
                if matches!(Shape::of(items), Shape::Integer { .. }) =>
            {
                Some(format!("put it in brackets: `[{number}]`"))
            }
            (Shape::List(items), DeValue::String(text))
                if matches!(Shape::of(items), Shape::Integer { .. }) && text.parse::<i64>().is_ok() =>
            {
                Some(format!("put it in brackets, without quotes: `[{text}]`"))
            }
            (Shape::List(items), DeValue::Table(_)) if matches!(Shape::of(items), Shape::Keys { .. }) => {
                Some("write its header with double brackets: `[[…]]`".to_owned())
            }
            (Shape::Keys { .. } | Shape::Names(_) | Shape::Tagged { .. }, DeValue::Array(_)) => {
                Some("write its header with single brackets: `[…]`".to_owned())
            }
            (
                Shape::Text,
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_),
            ) => Some("put it in quotes".to_owned()),
            _ => None,
        };
        let found = if hidden { "`…`".to_owned() } else { found(other) };
        let draft = self.mismatch(span, path, &found, shape);
        if let Some(hint) = hint {
            draft.hint(hint);
        }
    }

    fn mismatch(&mut self, span: Range<usize>, path: &Path, found: &str, shape: &Shape) -> &mut Draft {
        let expected = match shape {
            Shape::Words(words) if words.is_empty() => "a string".to_owned(),
            shape => shape.expected(),
        };
        let draft = self.report.error(span, path, format!("{} is {found}, expected {expected}", name(path)));
        draft.hint(format!("write {expected}"));
        draft
    }

    fn word(&mut self, span: Range<usize>, path: &Path, text: &str, words: &[&str]) {
        let message = format!("{} cannot be {}", name(path), quoted(text));
        let draft = self.report.error(span, path, message);
        if let Some(hint) = choice(text, "valid words", words.iter().copied()) {
            draft.hint(hint);
        }
    }

    fn parsed<T>(
        &mut self,
        span: Range<usize>,
        path: &Path,
        text: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        shape: &Shape,
    ) {
        let Err(error) = parse(text) else {
            return;
        };
        let message = if error.contains("longer than") {
            format!("{} is longer than ten years: {}", name(path), quoted(text))
        } else {
            format!("{} is {}, expected {}", name(path), quoted(text), shape.expected())
        };
        let draft = self.report.error(span, path, message);
        let text = text.trim();
        let word = |text: &str| {
            text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim().to_lowercase()
        };
        if error.contains("longer than") {
            draft.hint("write a shorter time");
        } else if matches!(shape, Shape::Span) && text.parse::<f64>().is_ok_and(|number| number >= 0.0) {
            draft.hint(format!("did you mean `{text}s`?"));
        } else if text.starts_with('-') {
            draft.hint("it cannot be negative");
        } else {
            let units = [
                ("sec", "s"),
                ("second", "s"),
                ("minute", "m"),
                ("mins", "m"),
                ("hour", "h"),
                ("hr", "h"),
                ("day", "d"),
                ("week", "d"),
                ("milli", "ms"),
                ("us", "ms"),
            ];
            let unit = word(text);
            match units.iter().find(|(long, _)| unit.starts_with(long)) {
                Some((_, short)) => draft.hint(format!("units are ms, s, m, h and d; here `{short}`")),
                None => draft.hint("units are ms, s, m, h and d"),
            }
        }
    }

    fn instant(&mut self, span: Range<usize>, path: &Path, text: &str) {
        let message = format!("{} is {}, expected {}", name(path), quoted(text), Shape::Instant.expected());
        let offset = Timestamp::from_str(&format!("{text}Z")).is_ok();
        let day = Timestamp::from_str(&format!("{text}T00:00:00Z")).is_ok();
        let draft = self.report.error(span, path, message);
        if offset {
            draft.hint(format!("say in which time zone: `{text}Z` or `{text}+02:00`"));
        } else if day {
            draft.hint(format!("say at what time: `{text}T00:00:00Z`"));
        } else {
            draft.hint("write year-month-day, `T`, hours:minutes:seconds and `Z` or an offset");
        }
    }

    /// Something stands where only a reference may. It may be the secret itself: neither it nor its line is repeated.
    fn pasted(&mut self, span: Range<usize>, path: &Path) {
        self.report.hide(span.clone());
        self.report
            .error(span, path, format!("{} is `…`, expected {}", name(path), Shape::Secret.expected()))
            .hint("a secret is never written in the config: put it in a variable or a file and name that");
    }
}

/// The last key of a path between backticks, with an index if the path ends in one.
fn name(path: &Path) -> String {
    let text = path.to_string();
    let from = path.last_key().and_then(|key| text.rfind(key)).unwrap_or(0);
    let name = text.get(from..).unwrap_or(&text).trim_end_matches('"');
    quoted(name)
}

/// What a value is, in words.
fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string {}", quoted(text)),
        DeValue::Integer(number) => format!("the number {}", quoted(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", quoted(&number.to_string())),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(instant) => format!("the date {}", quoted(&instant.to_string())),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
