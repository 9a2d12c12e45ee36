//! Text to tree, and what is wrong with the text as TOML, all of it at once.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Level, Report, Source, quoted};
use super::spanned::{Path, Tree};

/// How far a tree can be trusted after syntax errors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Trust {
    /// Nothing can be said of it: a bracket is missing and everything after it may belong elsewhere.
    None,
    /// What is there is in its place, but something may be missing.
    Places,
    /// As written.
    Whole,
}

/// Parses the text as far as possible.
pub(crate) fn parse<'t>(source: &Source<'t>, report: &mut Report) -> (Tree<'t>, Trust) {
    let (root, errors) = DeTable::parse_recoverable(source.text);
    let tree = Tree { root: root.into_inner() };
    let mut faults: Vec<Fault> = errors
        .iter()
        .map(|error| Fault { span: error.span().unwrap_or(0..0), message: error.message().to_owned() })
        .collect();
    let mut trust = faults.iter().map(|fault| fault.trust(source)).min().unwrap_or(Trust::Whole);
    // An open bracket makes an error of everything after it: only what comes first is worth reading.
    if let Some(open) = faults.iter().filter(|fault| fault.opens()).map(|fault| fault.span.start).min() {
        let first = faults.iter().filter(|fault| fault.in_brackets()).map(|fault| fault.span.start).min();
        let last = first.unwrap_or(open);
        faults.retain(|fault| fault.span.start <= last);
        trust = Trust::None;
    }
    let mut lines = Vec::new();
    for fault in faults {
        let line = source.line(fault.span.start);
        if fault.is_duplicate() {
            duplicate(source, &tree, &fault, report);
        } else if !lines.contains(&line) {
            // One slip often makes several errors on its line; the first says what it is.
            lines.push(line);
            let span = fault.span.clone();
            let (message, hint) = fault.words(source);
            let draft = report.add(Level::Error, span.clone(), &Path::default(), message);
            if let Some(hint) = hint {
                draft.hint(hint);
            }
            if may_hold_secret(source, line) {
                report.hide(span);
            }
        }
    }
    (tree, trust)
}

struct Fault {
    span: Range<usize>,
    message: String,
}

impl Fault {
    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.message.contains(word))
    }

    fn is_duplicate(&self) -> bool {
        self.message == "duplicate key"
    }

    fn opens(&self) -> bool {
        self.has(&["unclosed array", "unclosed inline table"])
    }

    fn in_brackets(&self) -> bool {
        self.has(&["array", "inline table", "key-value pairs"])
    }

    fn trust(&self, source: &Source<'_>) -> Trust {
        let (_, line) = source.line_text(source.line(self.span.start));
        if self.is_duplicate() {
            Trust::Whole
        } else if self.has(&["key with no value", "unquoted key"]) {
            let line = line.trim();
            if line.starts_with('[') || line.ends_with(']') { Trust::None } else { Trust::Places }
        } else if self.has(&[
            "must be quoted",
            "may only go between",
            "invalid date",
            "invalid time",
            "invalid datetime",
            "invalid boolean",
            "invalid integer",
            "invalid float",
            "invalid basic string",
            "invalid literal string",
            "escape",
            "unexpected key or value",
        ]) && !line.contains("\"\"\"")
            && !line.contains("'''")
        {
            Trust::Places
        } else {
            Trust::None
        }
    }

    /// The parser's words, with a way to mend what people slip on most.
    fn words(&self, source: &Source<'_>) -> (String, Option<String>) {
        let text = source.text.get(self.span.clone()).unwrap_or_default();
        let message = self.message.replace("expected literal string", "expected a string in quotes");
        let hint = if self.has(&["must be quoted"]) {
            if text.is_empty() {
                return ("a value is missing behind `=`".to_owned(), None);
            }
            // The value is not repeated: without quotes nobody knows yet whether it is a secret.
            Some("put the value in quotes: `\"…\"`".to_owned())
        } else if self.has(&["key with no value"]) {
            Some("write `key = value`, and table names in brackets: `[name]`".to_owned())
        } else if self.has(&["unclosed table"]) {
            Some("close the table's name with `]`".to_owned())
        } else if self.has(&["missing comma between array", "in array", "unclosed array"]) {
            Some("a `,` or the closing `]` is missing".to_owned())
        } else if self.has(&["key-value pairs", "inline table"]) {
            Some("a `,` or the closing `}` is missing".to_owned())
        } else if self.has(&["invalid basic string", "invalid literal string"]) {
            Some("the closing quote is missing".to_owned())
        } else if self.has(&["invalid boolean"]) {
            Some("write `true` or `false` in small letters".to_owned())
        } else if self.has(&["multi-line"]) {
            Some("close the text with three quotes".to_owned())
        } else if self.has(&["escape"]) {
            Some("write `\\\\` for a backslash, or use single quotes".to_owned())
        } else if self.has(&["date", "time"]) {
            Some("write an instant like `2026-11-27T18:00:00Z`".to_owned())
        } else if self.has(&["digit", "integer", "float", "number"]) {
            Some("write a number like `10`, `0.5` or `1_000`".to_owned())
        } else if self.has(&["unexpected key or value"]) {
            Some("a line holds one key and its value; text is in one pair of quotes".to_owned())
        } else if self.has(&["unquoted key"]) {
            Some("a name that holds anything else is in quotes: `\"my name\"`".to_owned())
        } else if self.has(&["cannot extend"]) {
            Some("the name before it already has a value that is no table".to_owned())
        } else {
            Some("this is not TOML; the language is described at https://toml.io".to_owned())
        };
        (message, hint)
    }
}

/// Says where a name was first defined.
fn duplicate(source: &Source<'_>, tree: &Tree<'_>, fault: &Fault, report: &mut Report) {
    let raw = source.text.get(fault.span.clone()).unwrap_or_default();
    let name = raw.trim_matches(['"', '\'']).to_owned();
    let line = source.line(fault.span.start);
    let (start, text) = source.line_text(line);
    let header = text.trim_start().starts_with('[').then(|| header_path(text)).flatten();
    let first = match &header {
        // The table's first header is no longer in the tree: it is looked up in the text before this line.
        Some(path) => {
            let (before, _) = DeTable::parse_recoverable(&source.text[..start]);
            let tree = Tree { root: before.into_inner() };
            let mut at = Path::default();
            let mut found = None;
            for key in path {
                at = at.then(key);
                if tree.get(&at).is_none() {
                    break;
                }
                found = (*key == name).then(|| tree.key_span(&at));
            }
            found
        }
        None => first_key(&tree.root, &name, &fault.span),
    };
    let shown = quoted(&name);
    let path = header.map(|keys| keys.iter().fold(Path::default(), |path, key| path.then(key)));
    let message = match first {
        Some(first) => format!("{shown} is defined twice, first at line {}", source.line(first.start)),
        None => format!("{shown} is defined twice"),
    };
    report
        .add(Level::Error, fault.span.clone(), &path.unwrap_or_default(), message)
        .hint("give it another name, or put both together");
    // A second value is not in the tree, so whether it is a secret is guessed from the names around it.
    if may_hold_secret(source, line) {
        report.hide(fault.span.clone());
    }
}

/// The keys of a table's header, from its line alone.
fn header_path(line: &str) -> Option<Vec<String>> {
    let mut table = DeTable::parse(line).ok()?.into_inner();
    let mut path = Vec::new();
    loop {
        let (key, value) = table.into_iter().next()?;
        path.push(key.into_inner().into_owned());
        table = match value.into_inner() {
            DeValue::Table(table) => table,
            DeValue::Array(array) => match array.into_iter().next()?.into_inner() {
                DeValue::Table(table) => table,
                _ => return None,
            },
            _ => return None,
        };
        if table.is_empty() {
            return Some(path);
        }
    }
}

/// The nearest key of this name before a place, in the same inline table as the place, if it is in one.
fn first_key(root: &DeTable<'_>, name: &str, second: &Range<usize>) -> Option<Range<usize>> {
    struct Search<'a> {
        name: &'a str,
        second: &'a Range<usize>,
        /// How deep inside inline tables around the place, then where.
        best: Option<(usize, Range<usize>)>,
    }

    fn value(search: &mut Search<'_>, found: &Spanned<DeValue<'_>>, depth: usize) {
        match found.get_ref() {
            DeValue::Table(inner) => {
                let span = found.span();
                let inline = span.len() > 1 && inner.values().all(|value| within(&value.span(), &span));
                if !inline {
                    table(search, inner, depth);
                } else if within(search.second, &span) {
                    table(search, inner, depth + 1);
                }
            }
            DeValue::Array(items) => {
                for item in items {
                    value(search, item, depth);
                }
            }
            _ => {}
        }
    }

    fn table(search: &mut Search<'_>, inside: &DeTable<'_>, depth: usize) {
        for (key, found) in inside {
            let span = key.span();
            if key.get_ref() == search.name && span.start < search.second.start {
                let better =
                    search.best.as_ref().is_none_or(|(d, best)| (depth, span.start) > (*d, best.start));
                if better {
                    search.best = Some((depth, span));
                }
            }
            value(search, found, depth);
        }
    }

    let mut search = Search { name, second, best: None };
    table(&mut search, root, 0);
    search.best.map(|(_, span)| span)
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    inner.start >= outer.start && inner.end <= outer.end
}

/// Whether a line that could not be read may hold a secret: it, or the table that it is in, has a name that says so.
fn may_hold_secret(source: &Source<'_>, line: usize) -> bool {
    for at in (1..=line).rev() {
        let (_, text) = source.line_text(at);
        let low = text.to_lowercase();
        if SENSITIVE.iter().any(|word| low.contains(word)) {
            return true;
        }
        if text.trim_start().starts_with('[') {
            return false;
        }
    }
    false
}

const SENSITIVE: [&str; 9] =
    ["secret", "token", "passw", "passphrase", "authorization", "cookie", "credential", "key", "private"];

/// Whether a key's name says that its value is a secret.
pub(super) fn is_sensitive(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    if name == "key" || name == "auth" {
        return true;
    }
    SENSITIVE.iter().any(|word| *word != "key" && name.contains(word))
        || ["api_key", "apikey", "_key", "access_key"].iter().any(|word| name.ends_with(word))
}
