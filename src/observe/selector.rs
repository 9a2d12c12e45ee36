//! Series selectors as in PromQL, without functions: `http_requests_total{service="checkout",code=~"5.."}`.
//!
//! Names and labels follow the Prometheus data model; a name or a label with other characters is quoted
//! (`{"http.requests",service="checkout"}`). Regular expressions are anchored at both ends, and a label that is not there
//! has the empty value, both as in PromQL. <https://prometheus.io/docs/prometheus/latest/querying/basics/>

use std::fmt;

use regex::Regex;

/// Which series are meant.
#[derive(Clone, Debug)]
pub struct Selector {
    name: String,
    matchers: Vec<Matcher>,
}

/// A condition on one label.
#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(String),
    IsNot(String),
    /// The pattern as it was written, and anchored.
    Like(String, Regex),
    NotLike(String, Regex),
}

/// What is wrong with a selector, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{text}` is not a series: {problem} at character {position}; write it like `requests_total{{code=~\"5..\"}}`"
)]
pub struct SelectorError {
    /// The selector as it was written.
    pub text: String,
    /// The character, counted from 1.
    pub position: usize,
    /// What is wrong there.
    pub problem: String,
}

/// Reads a selector.
pub fn parse(text: &str) -> Result<Selector, SelectorError> {
    let mut reader = Reader { text, at: 0 };
    reader.selector().map_err(|problem| SelectorError {
        text: text.to_owned(),
        position: text[..reader.at].chars().count() + 1,
        problem,
    })
}

impl Selector {
    /// The metric's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same conditions on another name: a histogram's `_bucket` series.
    #[must_use]
    pub fn renamed(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// Whether a series is meant. `label` gives the value of a label, or nothing.
    pub fn matches<'a>(&self, name: &str, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.name == name
            && self.matchers.iter().all(|matcher| matcher.test.holds(label(&matcher.label).unwrap_or("")))
    }
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Is(wanted) => value == wanted,
            Self::IsNot(unwanted) => value != unwanted,
            Self::Like(_, pattern) => pattern.is_match(value),
            Self::NotLike(_, pattern) => !pattern.is_match(value),
        }
    }
}

impl fmt::Display for Selector {
    /// The form that [`parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = is_name(&self.name, true);
        if bare {
            f.write_str(&self.name)?;
            if self.matchers.is_empty() {
                return Ok(());
            }
        }
        f.write_str("{")?;
        let mut comma = false;
        if !bare {
            quoted(f, &self.name)?;
            comma = true;
        }
        for Matcher { label, test } in &self.matchers {
            if comma {
                f.write_str(",")?;
            }
            comma = true;
            if is_name(label, false) {
                f.write_str(label)?;
            } else {
                quoted(f, label)?;
            }
            let (sign, value) = match test {
                Test::Is(value) => ("=", value),
                Test::IsNot(value) => ("!=", value),
                Test::Like(value, _) => ("=~", value),
                Test::NotLike(value, _) => ("!~", value),
            };
            f.write_str(sign)?;
            quoted(f, value)?;
        }
        f.write_str("}")
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            _ => write!(f, "{char}")?,
        }
    }
    f.write_str("\"")
}

/// A name that needs no quotes. Colons are for metric names only.
fn is_name(text: &str, colon: bool) -> bool {
    text.bytes().enumerate().all(|(at, byte)| name_byte(byte, at == 0, colon)) && !text.is_empty()
}

const fn name_byte(byte: u8, first: bool, colon: bool) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || (colon && byte == b':') || (!first && byte.is_ascii_digit())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn selector(&mut self) -> Result<Selector, String> {
        self.spaces();
        let mut name = self.bare(true);
        let mut matchers = Vec::new();
        self.spaces();
        if self.take('{') {
            loop {
                self.spaces();
                if self.take('}') {
                    break;
                }
                self.item(&mut name, &mut matchers)?;
                self.spaces();
                if self.take('}') {
                    break;
                }
                if !self.take(',') {
                    return Err(self.unexpected("`,` or `}`"));
                }
            }
        } else if name.is_none() {
            return Err(self.unexpected("a metric name"));
        }
        self.spaces();
        if self.at < self.text.len() {
            return Err(self.unexpected("nothing more"));
        }
        match name {
            Some(name) if !name.is_empty() => Ok(Selector { name, matchers }),
            _ => Err("there is no metric name".to_owned()),
        }
    }

    /// A matcher, or the metric's name in quotes.
    fn item(&mut self, name: &mut Option<String>, matchers: &mut Vec<Matcher>) -> Result<(), String> {
        let start = self.at;
        let (label, was_quoted) = match self.peek() {
            Some('"' | '\'') => (self.string()?, true),
            _ => (self.bare(false).ok_or_else(|| self.unexpected("a label"))?, false),
        };
        self.spaces();
        if was_quoted && matches!(self.peek(), Some(',' | '}')) {
            if name.is_some() {
                self.at = start;
                return Err("a second metric name".to_owned());
            }
            *name = Some(label);
            return Ok(());
        }
        let sign = ["=~", "!~", "!=", "="].into_iter().find(|sign| self.text[self.at..].starts_with(sign));
        let Some(sign) = sign else { return Err(self.unexpected("`=`, `!=`, `=~` or `!~`")) };
        self.at += sign.len();
        self.spaces();
        let value_at = self.at;
        if !matches!(self.peek(), Some('"' | '\'')) {
            return Err(self.unexpected("a value in quotes"));
        }
        let value = self.string()?;
        if label == "__name__" {
            if sign != "=" || name.is_some() {
                self.at = start;
                return Err("the metric name has to be one plain name".to_owned());
            }
            *name = Some(value);
            return Ok(());
        }
        let mut pattern = |value: &str| {
            // By itself first, so that no stray parenthesis closes the group that keeps an alternation inside the
            // anchors. A dot matches a line end, as in Prometheus.
            Regex::new(value).and_then(|_| Regex::new(&format!("^(?s:{value})$"))).map_err(|_| {
                self.at = value_at;
                format!("`{value}` is not a regular expression")
            })
        };
        let test = match sign {
            "=" => Test::Is(value),
            "!=" => Test::IsNot(value),
            "=~" => pattern(&value).map(|regex| Test::Like(value, regex))?,
            _ => pattern(&value).map(|regex| Test::NotLike(value, regex))?,
        };
        matchers.push(Matcher { label, test });
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += self.peek().map_or(0, char::len_utf8);
        }
    }

    fn bare(&mut self, colon: bool) -> Option<String> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest
            .iter()
            .enumerate()
            .position(|(at, byte)| !name_byte(*byte, at == 0, colon))
            .unwrap_or(rest.len());
        let name = &self.text[self.at..self.at + length];
        self.at += length;
        (length > 0).then(|| name.to_owned())
    }

    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        let mut chars = self.text[self.at..].char_indices();
        let quote = chars.next().map(|(_, quote)| quote);
        let mut out = String::new();
        while let Some((offset, char)) = chars.next() {
            match char {
                _ if Some(char) == quote => {
                    self.at = start + offset + char.len_utf8();
                    return Ok(out);
                }
                '\\' => match chars.next() {
                    Some((_, 'n')) => out.push('\n'),
                    Some((_, 't')) => out.push('\t'),
                    Some((_, 'r')) => out.push('\r'),
                    Some((_, char @ ('\\' | '"' | '\''))) => out.push(char),
                    // `\.` is an error in PromQL; it can only mean the regular expression's own escape.
                    Some((_, char)) => out.extend(['\\', char]),
                    None => break,
                },
                _ => out.push(char),
            }
        }
        Err("a quote that is not closed".to_owned())
    }

    fn unexpected(&self, wanted: &str) -> String {
        match self.peek() {
            Some(char) => format!("`{char}` where {wanted} belongs"),
            None => format!("an end where {wanted} belongs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(selector: &str, name: &str, labels: &[(&str, &str)]) -> bool {
        let labels: Vec<(String, String)> =
            labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        parse(selector).unwrap().matches(name, |wanted| {
            labels.iter().find(|(label, _)| label == wanted).map(|(_, value)| value.as_str())
        })
    }

    /// A selector means the same series here as in PromQL.
    #[test]
    fn selectors_match_as_in_promql() {
        let series = [("service", "checkout"), ("code", "503")];
        for (selector, wanted) in [
            ("requests", true),
            ("  requests { } ", true),
            ("other", false),
            (r#"requests{service="checkout"}"#, true),
            (r"requests{service='checkout',}", true),
            (r#"requests{service="check"}"#, false),
            (r#"requests{service!="cart", code=~"5.."}"#, true),
            (r#"requests{code=~"5"}"#, false),
            (r#"requests{code=~"4..|5.."}"#, true),
            (r#"requests{code=~"50|3"}"#, false),
            (r#"requests{code!~"5.."}"#, false),
            (r#"requests{code=~"5\d\d"}"#, true),
            (r#"requests{zone=""}"#, true),
            (r#"requests{zone!=""}"#, false),
            (r#"requests{zone!~".+"}"#, true),
            (r#"{__name__="requests",code="503"}"#, true),
            (r#"{"requests",code="503"}"#, true),
        ] {
            assert_eq!(matches(selector, "requests", &series), wanted, "{selector}");
        }
    }

    /// Whoever writes a selector wrongly is told where.
    #[test]
    fn errors_name_the_place() {
        for (selector, position, problem) in [
            ("", 1, "an end where a metric name belongs"),
            ("9lives", 1, "`9` where a metric name belongs"),
            (r#"requests{code="5"#, 15, "a quote that is not closed"),
            ("requests{code}", 14, "`}` where `=`, `!=`, `=~` or `!~` belongs"),
            ("requests{code=5}", 15, "`5` where a value in quotes belongs"),
            (r#"requests{code=~"("}"#, 16, "`(` is not a regular expression"),
            (r#"requests{code="5" zone="a"}"#, 19, "`z` where `,` or `}` belongs"),
            ("requests[5m]", 9, "`[` where nothing more belongs"),
            ("rate(requests)", 5, "`(` where nothing more belongs"),
            ("{}", 3, "there is no metric name"),
            (r#"ä{code="5"}"#, 1, "`ä` where a metric name belongs"),
            (r#"a{__name__="b"}"#, 3, "the metric name has to be one plain name"),
        ] {
            let error = parse(selector).unwrap_err();
            assert_eq!((error.position, error.problem.as_str()), (position, problem), "{selector}");
        }
        assert_eq!(
            parse("a b").unwrap_err().to_string(),
            "`a b` is not a series: `b` where nothing more belongs at character 3; \
             write it like `requests_total{code=~\"5..\"}`"
        );
    }

    proptest! {
        /// No text, however odd, makes the reader panic; and what it accepts it prints in a form that means the same.
        #[test]
        fn any_text_is_read_or_refused(text in r#"[a-z{}="~!,\\'|(). äß\n]{0,40}"#) {
            if let Ok(selector) = parse(&text) {
                let again = parse(&selector.to_string()).unwrap();
                prop_assert_eq!(again.to_string(), selector.to_string());
            }
        }

        /// Every name and value survives being written and read.
        #[test]
        fn written_and_read(name in "\\PC{1,10}", label in "[a-z.]{1,8}", value in any::<String>()) {
            let selector = Selector {
                name: name.clone(),
                matchers: vec![Matcher { label: label.clone(), test: Test::Is(value.clone()) }],
            };
            let again = parse(&selector.to_string()).unwrap();
            prop_assert!(again.matches(&name, |wanted| (wanted == label).then_some(value.as_str())));
        }
    }
}
