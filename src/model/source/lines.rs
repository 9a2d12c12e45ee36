//! What a `log` source looks for in a line, as it is written: `*`, `/status >= 500, /service = "checkout"`, or for a number
//! `/took where /status < 500`.
//!
//! ```text
//! count      = "*" | condition ("," condition)*
//! number     = pointer ["where" condition ("," condition)*]
//! condition  = pointer [sign literal]         without a sign: something other than null is there
//! sign       = "=" | "!=" | "=~" | "!~" | "<" | "<=" | ">" | ">="
//! pointer    = a JSON pointer (RFC 6901), in double quotes if it holds spaces, commas or signs
//! literal    = a word, or a text in double quotes
//! ```
//!
//! All conditions have to hold. One on what is not in the line does not hold, whatever its sign. Many programs log numbers
//! as texts, so a text that is a number counts as one. Regular expressions are anchored at both ends.

use std::borrow::Cow;

use regex::Regex;
use serde_json::Value;

use crate::model::pointer;

/// What is looked for in a line.
#[derive(Clone, Debug)]
pub struct LineSeries {
    /// Where its number is; none where lines are only counted.
    pub number: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Condition {
    pointer: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    IsThere,
    Is(String),
    IsNot(String),
    Like(Regex),
    NotLike(Regex),
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
}

/// The signs, the longer ones first.
const SIGNS: [&str; 8] = ["!=", "=~", "!~", "<=", ">=", "=", "<", ">"];

impl LineSeries {
    /// Reads what lines are counted by.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn count(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim() };
        if reader.rest == "*" {
            return Ok(Self { number: None, conditions: Vec::new() });
        }
        Ok(Self { number: None, conditions: reader.conditions()? })
    }

    /// Reads where a number is, and in which lines.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn number(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim() };
        let number = Some(reader.pointer()?);
        reader.spaces();
        let conditions = if reader.rest.is_empty() {
            Vec::new()
        } else if let Some(rest) =
            reader.rest.strip_prefix("where").filter(|rest| rest.starts_with(char::is_whitespace))
        {
            reader.rest = rest;
            reader.conditions()?
        } else {
            return Err(format!("`{}` stands where only `where` and conditions can", reader.shown()));
        };
        Ok(Self { number, conditions })
    }

    /// Whether a line is meant.
    pub fn matches(&self, line: &Value) -> bool {
        self.conditions.iter().all(|condition| {
            let value = line.pointer(&condition.pointer);
            value.filter(|value| !value.is_null()).is_some_and(|value| condition.test.holds(value))
        })
    }
}

/// A value as a number, also one that was logged as a text.
pub fn number_of(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A value as a text; nothing for what has parts.
pub fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(_) | Value::Bool(_) => Some(Cow::Owned(value.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        let compare = |holds: &dyn Fn(f64) -> bool| number_of(value).is_some_and(holds);
        let text = |holds: &dyn Fn(&str) -> bool| text_of(value).is_some_and(|text| holds(&text));
        match self {
            Self::IsThere => true,
            Self::Is(wanted) => is(value, wanted),
            Self::IsNot(unwanted) => !is(value, unwanted),
            Self::Like(pattern) => text(&|text| pattern.is_match(text)),
            Self::NotLike(pattern) => text(&|text| !pattern.is_match(text)),
            Self::Below(limit) => compare(&|number| number < *limit),
            Self::AtMost(limit) => compare(&|number| number <= *limit),
            Self::Above(limit) => compare(&|number| number > *limit),
            Self::AtLeast(limit) => compare(&|number| number >= *limit),
        }
    }
}

/// Whether a value is what was written: as the same number, or as the same text.
fn is(value: &Value, wanted: &str) -> bool {
    if let (Some(number), Ok(wanted)) = (number_of(value), wanted.parse::<f64>()) {
        return number.total_cmp(&wanted).is_eq();
    }
    text_of(value).is_some_and(|text| text == wanted)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// What comes next, short.
    fn shown(&self) -> String {
        self.rest.chars().take(20).flat_map(char::escape_debug).collect()
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, String> {
        let mut conditions = Vec::new();
        loop {
            conditions.push(self.condition()?);
            self.spaces();
            match self.rest.strip_prefix(',') {
                Some(rest) => self.rest = rest,
                None if self.rest.is_empty() => return Ok(conditions),
                None => {
                    return Err(format!(
                        "`{}` stands where only `,` and another condition can",
                        self.shown()
                    ));
                }
            }
        }
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let pointer = self.pointer()?;
        self.spaces();
        let Some((sign, rest)) = SIGNS.iter().find_map(|sign| Some((*sign, self.rest.strip_prefix(sign)?)))
        else {
            return Ok(Condition { pointer, test: Test::IsThere });
        };
        self.rest = rest;
        self.spaces();
        let literal = self
            .literal()?
            .ok_or_else(|| format!("behind `{pointer} {sign}` there is nothing to compare with"))?;
        let number = || literal.parse::<f64>().ok().filter(|number| number.is_finite());
        let limit = || number().ok_or_else(|| format!("`{sign}` compares numbers, and `{literal}` is none"));
        let pattern = || {
            Regex::new(&format!("^(?s:{literal})$"))
                .map_err(|_| format!("`{literal}` is not a regular expression"))
        };
        let test = match sign {
            "=" => Test::Is(literal),
            "!=" => Test::IsNot(literal),
            "=~" => Test::Like(pattern()?),
            "!~" => Test::NotLike(pattern()?),
            "<" => Test::Below(limit()?),
            "<=" => Test::AtMost(limit()?),
            ">" => Test::Above(limit()?),
            _ => Test::AtLeast(limit()?),
        };
        Ok(Condition { pointer, test })
    }

    fn pointer(&mut self) -> Result<String, String> {
        self.spaces();
        let pointer = if self.rest.starts_with('"') {
            self.literal()?.unwrap_or_default()
        } else {
            let ends = |c: char| c.is_whitespace() || matches!(c, ',' | '=' | '!' | '<' | '>');
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (pointer, rest) = self.rest.split_at(end);
            self.rest = rest;
            pointer.to_owned()
        };
        match pointer::fault(&pointer) {
            _ if pointer.is_empty() => Err("a pointer is missing, like `/status`".to_owned()),
            Some(fault) => Err(format!("`{pointer}` is not a JSON pointer: {fault}")),
            None => Ok(pointer),
        }
    }

    /// A word up to a space or a comma, or a text in double quotes.
    fn literal(&mut self) -> Result<Option<String>, String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok((!word.is_empty()).then(|| word.to_owned()));
        };
        let mut text = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Ok(Some(text));
                }
                // Other escapes are a regular expression's.
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err("a closing `\"` is missing".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Every sign, on numbers, on numbers that were logged as texts, and on what is not there.
    #[test]
    fn lines_are_matched() {
        let line =
            json!({ "status": 503, "took": "0.25", "path": "/pay/7", "ok": false, "who": null, "a b": 1 });
        for (text, wanted) in [
            ("*", true),
            ("/status", true),
            ("/who", false),
            ("/nothing", false),
            ("/status>=500", true),
            ("/status >= 500, /status < 503", false),
            ("/status = 503", true),
            ("/status = \"503\"", true),
            ("/status = 503.0", true),
            ("/status != 503", false),
            ("/took <= 0.25", true),
            ("/took > 0.25", false),
            ("/path =~ \"/pay/.*\"", true),
            ("/path =~ pay", false),
            ("/path !~ \"/pay/\\d\"", false),
            ("/ok = false", true),
            ("/path > 1", false),
            // What is not there is neither equal nor different.
            ("/nothing != 1", false),
            ("/who !~ a", false),
            ("\"/a b\" = 1", true),
        ] {
            let series = LineSeries::count(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(series.matches(&line), wanted, "{text}");
        }
    }

    /// A number with and without conditions.
    #[test]
    fn numbers_are_found() {
        let series = LineSeries::number("/took where /status < 500").unwrap();
        assert_eq!(series.number.as_deref(), Some("/took"));
        assert!(series.matches(&json!({ "status": 200 })) && !series.matches(&json!({ "status": 500 })));
        assert!(LineSeries::number("/took").unwrap().matches(&json!({})));
        for (value, wanted) in [
            (json!(1.5), Some(1.5)),
            (json!(" 2 "), Some(2.0)),
            (json!("NaN"), None),
            (json!("2s"), None),
            (json!(true), None),
        ] {
            assert_eq!(number_of(&value), wanted, "{value}");
        }
    }

    /// What cannot be read says what is wrong.
    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("", "a pointer is missing, like `/status`"),
            ("status = 1", "`status` is not a JSON pointer: it does not begin with `/`"),
            ("/status >=", "behind `/status >=` there is nothing to compare with"),
            ("/status >= high", "`>=` compares numbers, and `high` is none"),
            ("/a =~ \"(\"", "`(` is not a regular expression"),
            ("/a = \"b", "a closing `\"` is missing"),
            ("/a = b /c = d", "`/c = d` stands where only `,` and another condition can"),
            ("/a,", "a pointer is missing, like `/status`"),
        ] {
            assert_eq!(LineSeries::count(text).map(|_| ()), Err(wanted.to_owned()), "{text}");
        }
        let fault = LineSeries::number("/took if /a").unwrap_err();
        assert_eq!(fault, "`if /a` stands where only `where` and conditions can");
    }
}
