//! `do="rollback service=checkout to=$version"`: an action of the engine with parameters.

use std::collections::BTreeMap;

use crate::runbook::condition::{Names, Path};
use crate::runbook::document::Param;

/// The name and the parameters.
pub(super) fn parse(text: &str, names: &dyn Names) -> Result<(String, BTreeMap<String, Param>), String> {
    let words = words(text)?;
    let mut words = words.into_iter();
    let name = match words.next() {
        Some(Word { text, is_quoted: false, .. }) if !text.contains('=') => text,
        _ => {
            return Err("`do` begins with the name of an action, like `rollback service=checkout`".to_owned());
        }
    };
    let mut params = BTreeMap::new();
    for Word { text, is_quoted, equals } in words {
        let Some(equals) = equals else {
            return Err(format!("`{text}` is no parameter; write `key=value`"));
        };
        let (key, value) = (text[..equals].to_owned(), &text[equals + 1..]);
        if key.is_empty() || value.is_empty() {
            return Err(format!("`{text}` is no parameter; write `key=value`"));
        }
        let param = match value.strip_prefix('$') {
            Some(record) if !is_quoted && !record.is_empty() => Param::Record(record.to_owned()),
            _ if is_quoted => Param::Literal(value.to_owned()),
            // Only what is known to be a name of the world is one: `2.8.0` and `checkout.api` are themselves.
            _ => match Path::parse(value) {
                Ok(path) if names.quantity(&path).is_ok() => Param::Live(path),
                _ => Param::Literal(value.to_owned()),
            },
        };
        if params.insert(key.clone(), param).is_some() {
            return Err(format!("`{key}` is given twice"));
        }
    }
    Ok((name, params))
}

struct Word {
    text: String,
    /// Its value stood in quotes.
    is_quoted: bool,
    /// Where its first `=` outside of quotes and keys is.
    equals: Option<usize>,
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Ok(words);
        }
        let mut word = Word { text: String::new(), is_quoted: false, equals: None };
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            let is_value_start = word.equals.is_some_and(|at| at + 1 == word.text.len());
            match c {
                '=' if word.equals.is_none() => {
                    word.equals = Some(word.text.len());
                    word.text.push(c);
                }
                '"' | '\'' if is_value_start => {
                    word.is_quoted = true;
                    let mut is_closed = false;
                    while let Some(inner) = chars.next() {
                        match inner {
                            '\\' => word.text.extend(chars.next()),
                            _ if inner == c => {
                                is_closed = true;
                                break;
                            }
                            _ => word.text.push(inner),
                        }
                    }
                    if !is_closed {
                        return Err("the quotes are not closed".to_owned());
                    }
                }
                _ => word.text.push(c),
            }
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::Registry;

    /// A parameter is what is written, what a person will enter, or what is so in that moment.
    #[test]
    fn parameters_are_read() {
        let text = "rollback service=checkout to=stable.version strategy=$how note='it is \"bad\"' at=2.8.0 name=a.b quoted=\"stable.version\"";
        let (name, params) = parse(text, &Registry::unchecked()).unwrap();
        assert_eq!(name, "rollback");
        let literal = |text: &str| Param::Literal(text.to_owned());
        let live = Param::Live(Path::parse("stable.version").unwrap());
        for (key, expected) in [
            ("service", literal("checkout")),
            ("to", live),
            ("strategy", Param::Record("how".to_owned())),
            ("note", literal("it is \"bad\"")),
            ("at", literal("2.8.0")),
            ("name", literal("a.b")),
            ("quoted", literal("stable.version")),
        ] {
            assert_eq!(params[key], expected, "{key}");
        }
        let (_, params) = parse("rollback to=service[\"cart\"].version", &Registry::unchecked()).unwrap();
        assert_eq!(params["to"], Param::Live(Path::parse("service[\"cart\"].version").unwrap()));
    }

    /// What is no action is refused with what was expected.
    #[test]
    fn other_texts_are_refused() {
        for (text, part) in [
            ("", "begins with the name"),
            ("service=checkout", "begins with the name"),
            ("rollback checkout", "write `key=value`"),
            ("rollback service=", "write `key=value`"),
            ("rollback a=1 a=2", "given twice"),
            ("rollback a='b", "not closed"),
        ] {
            let error = parse(text, &Registry::unchecked()).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
