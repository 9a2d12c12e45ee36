//! The grammar of attributes: `{#id .flag key=value}`, visible or in a comment. What they mean is in `meaning`.

use std::sync::Arc;

/// Flags that mean something.
pub const FLAGS: &[&str] =
    &["critical", "memory", "pause", "decide", "cross-check", "steps", "latch", "note"];

/// Keys that mean something.
pub const KEYS: &[&str] = &[
    "sense", "when", "do", "undo", "verify", "for", "stale", "confirm", "wait", "hold", "ask", "type",
    "within", "every", "warn", "anchor", "window", "role", "approve", "timeout", "retry", "defer",
    "escalate", "order",
];

/// The longest that an id may be.
const LONGEST_ID: usize = 64;

/// Where something is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The sidecar; none for the runbook itself.
    pub(super) file: Option<Arc<str>>,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// One attribute as it is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Attribute {
    /// `#id`
    Id(String),
    /// `.flag`
    Flag(String),
    /// `key=value`
    Pair(String, String),
}

impl Attribute {
    /// The name without its value.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Id(name) | Self::Flag(name) | Self::Pair(name, _) => name,
        }
    }

    /// A flag or a key that means something.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Id(_) => false,
            Self::Flag(flag) => FLAGS.contains(&flag.as_str()),
            Self::Pair(key, _) => KEYS.contains(&key.as_str()),
        }
    }
}

/// The attributes of one thing, each with its place. What is added later stands before what was there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<(Attribute, Place)>);

/// What stands in braces, where it is attributes: each with the byte where it begins. `text` is the braces and all between.
pub(super) fn braces(text: &str) -> Option<Vec<(usize, Attribute)>> {
    let found = tokens(text)?;
    found
        .iter()
        .any(|(_, attribute)| attribute.is_ours() || matches!(attribute, Attribute::Id(_)))
        .then_some(found)
}

/// The same whether or not anything in it is known: for what only looks like attributes.
pub(super) fn tokens(text: &str) -> Option<Vec<(usize, Attribute)>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut found = Vec::new();
    let mut at = 0;
    while at < inner.len() {
        if !found.is_empty() {
            let spaces = inner[at..].len() - inner[at..].trim_start().len();
            if spaces == 0 {
                return None;
            }
            at += spaces;
        }
        let (length, attribute) = token(&inner[at..])?;
        found.push((at + 1, attribute));
        at += length;
    }
    (!found.is_empty()).then_some(found)
}

fn token(rest: &str) -> Option<(usize, Attribute)> {
    if let Some(name) = rest.strip_prefix('#') {
        let id = ident(name)?;
        return Some((id.len() + 1, Attribute::Id(id.to_owned())));
    }
    if let Some(name) = rest.strip_prefix('.') {
        let flag = ident(name)?;
        return Some((flag.len() + 1, Attribute::Flag(flag.to_owned())));
    }
    let key = ident(rest)?;
    let value = rest[key.len()..].strip_prefix('=')?;
    let (length, value) = match value.chars().next()? {
        quote @ ('"' | '\'') => quoted(value, quote)?,
        _ => {
            let end = value.find(|c: char| c.is_whitespace()).unwrap_or(value.len());
            let bare = &value[..end];
            if bare.is_empty() || bare.contains(['"', '\'', '{', '}']) {
                return None;
            }
            (end, bare.to_owned())
        }
    };
    Some((key.len() + 1 + length, Attribute::Pair(key.to_owned(), value)))
}

fn ident(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
    let ident = &text[..end];
    (ident.starts_with(|c: char| c.is_ascii_alphabetic()) && ident.len() <= LONGEST_ID).then_some(ident)
}

fn quoted(text: &str, quote: char) -> Option<(usize, String)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            _ if c == quote => return Some((at + 1, value)),
            // A line that goes on is indented; that is no part of the value.
            '\n' | '\r' => {
                if !value.ends_with(' ') {
                    value.push(' ');
                }
            }
            ' ' | '\t' if value.ends_with(' ') => {}
            _ => value.push(c),
        }
    }
    None
}
