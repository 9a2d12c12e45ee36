//! The grammar of conditions: words first, then a descent that cannot go deeper than its limit.

use super::{BadCondition, Comparison, Expression, Op, Part, Path, Target, Value};

/// Longer than any condition that a person can read in an incident.
const LONGEST: usize = 2_000;
/// How deep parentheses may be.
const DEEPEST: usize = 32;

/// Reads a condition.
pub(super) fn parse(text: &str) -> Result<Expression, BadCondition> {
    let mut parser = Parser::new(text)?;
    let expression = parser.either(0)?;
    parser.end()?;
    Ok(expression)
}

/// Reads a path alone.
pub(super) fn path(text: &str) -> Result<Path, BadCondition> {
    let mut parser = Parser::new(text)?;
    let path = parser.path()?;
    parser.end()?;
    Ok(path)
}

#[derive(Clone, PartialEq, Debug)]
enum Word {
    Name(String),
    Text(String),
    Value(Value),
    Op(Op),
    Dot,
    Open,
    Close,
    OpenKey,
    CloseKey,
}

struct Parser {
    /// Each with the byte where it begins.
    words: Vec<(usize, Word)>,
    next: usize,
    /// The byte behind the last.
    end: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, BadCondition> {
        if text.len() > LONGEST {
            return Err(wrong(
                0,
                format!("a condition may have {LONGEST} bytes and this has {}", text.len()),
            ));
        }
        Ok(Self { words: words(text)?, next: 0, end: text.len() })
    }

    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn take(&mut self, word: &Word) -> bool {
        let found = self.peek() == Some(word);
        self.next += usize::from(found);
        found
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Name(name)) if name == keyword);
        self.next += usize::from(found);
        found
    }

    fn end(&self) -> Result<(), BadCondition> {
        match self.peek() {
            None => Ok(()),
            Some(_) => {
                Err(wrong(self.at(), "expected `and`, `or` or the end of the condition here".to_owned()))
            }
        }
    }

    fn either(&mut self, depth: usize) -> Result<Expression, BadCondition> {
        let first = self.both(depth)?;
        let mut all = vec![first];
        while self.keyword("or") {
            all.push(self.both(depth)?);
        }
        Ok(one_or(all, Expression::Or))
    }

    fn both(&mut self, depth: usize) -> Result<Expression, BadCondition> {
        let first = self.negated(depth)?;
        let mut all = vec![first];
        while self.keyword("and") {
            all.push(self.negated(depth)?);
        }
        Ok(one_or(all, Expression::And))
    }

    fn negated(&mut self, depth: usize) -> Result<Expression, BadCondition> {
        let is_negated = self.keyword("not");
        let at = self.at();
        let inner = if self.take(&Word::Open) {
            if depth == DEEPEST {
                return Err(wrong(at, format!("parentheses may be {DEEPEST} deep")));
            }
            let inner = self.either(depth + 1)?;
            if !self.take(&Word::Close) {
                return Err(wrong(self.at(), "expected `)` here".to_owned()));
            }
            inner
        } else {
            Expression::Compare(self.comparison()?)
        };
        Ok(if is_negated { Expression::Not(Box::new(inner)) } else { inner })
    }

    fn comparison(&mut self) -> Result<Comparison, BadCondition> {
        let path = self.path()?;
        let Some(Word::Op(op)) = self.peek() else {
            return Ok(Comparison { path, target: None });
        };
        let op = *op;
        self.next += 1;
        let target = match self.peek() {
            Some(Word::Value(value)) => Target::Value(value.clone()),
            Some(Word::Text(text)) => Target::Value(Value::Text(text.clone())),
            Some(Word::Name(name)) if name == "true" || name == "false" => {
                Target::Value(Value::Bool(name == "true"))
            }
            Some(Word::Name(_)) => {
                return Ok(Comparison { path, target: Some((op, Target::Path(self.path()?))) });
            }
            _ => {
                return Err(wrong(
                    self.at(),
                    format!(
                        "expected a value behind `{}`: `1%`, `500ms`, `3`, `\"healthy\"`, `true`",
                        op.sign()
                    ),
                ));
            }
        };
        self.next += 1;
        Ok(Comparison { path, target: Some((op, target)) })
    }

    fn path(&mut self) -> Result<Path, BadCondition> {
        let at = self.at();
        let first = match self.peek() {
            Some(Word::Name(name)) if !is_reserved(name) => name.clone(),
            _ => {
                return Err(wrong(at, "expected a name here, like `canary.error_rate`".to_owned()));
            }
        };
        self.next += 1;
        let mut parts = vec![Part::Name(first)];
        loop {
            if self.take(&Word::Dot) {
                let Some(Word::Name(name)) = self.peek() else {
                    return Err(wrong(self.at(), "expected a name behind the dot".to_owned()));
                };
                parts.push(Part::Name(name.clone()));
                self.next += 1;
            } else if self.take(&Word::OpenKey) {
                let Some(Word::Text(key)) = self.peek() else {
                    return Err(wrong(
                        self.at(),
                        "expected a name in quotes, like `[\"checkout\"]`".to_owned(),
                    ));
                };
                parts.push(Part::Key(key.clone()));
                self.next += 1;
                if !self.take(&Word::CloseKey) {
                    return Err(wrong(self.at(), "expected `]` here".to_owned()));
                }
            } else {
                return Ok(Path { parts });
            }
        }
    }
}

fn one_or(mut all: Vec<Expression>, many: fn(Vec<Expression>) -> Expression) -> Expression {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            all.push(last);
            many(all)
        }
        (None, _) => many(all),
    }
}

fn is_reserved(name: &str) -> bool {
    matches!(name, "and" | "or" | "not" | "true" | "false")
}

fn wrong(at: usize, text: String) -> BadCondition {
    BadCondition { at, text, rule: "condition" }
}

fn words(text: &str) -> Result<Vec<(usize, Word)>, BadCondition> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, word) = match c {
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '(' => (1, Word::Open),
            ')' => (1, Word::Close),
            '[' => (1, Word::OpenKey),
            ']' => (1, Word::CloseKey),
            '.' => (1, Word::Dot),
            '<' | '>' | '=' | '!' => operator(rest).map_err(|text| wrong(at, text))?,
            '"' | '\'' => quoted(rest, c).map_err(|text| wrong(at, text))?,
            _ if c.is_ascii_digit() || c == '-' => number(rest).map_err(|text| wrong(at, text))?,
            _ if c.is_alphabetic() => {
                let length =
                    rest.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(rest.len());
                (length, Word::Name(rest[..length].to_owned()))
            }
            _ => return Err(wrong(at, format!("`{}` has no meaning in a condition", c.escape_debug()))),
        };
        words.push((at, word));
        at += length;
    }
    Ok(words)
}

fn operator(rest: &str) -> Result<(usize, Word), String> {
    for (sign, op) in [
        ("<=", Op::AtMost),
        (">=", Op::AtLeast),
        ("==", Op::Is),
        ("!=", Op::IsNot),
        ("<", Op::Less),
        (">", Op::More),
    ] {
        if rest.starts_with(sign) {
            return Ok((sign.len(), Word::Op(op)));
        }
    }
    Err(if rest.starts_with('=') { "write `==` to compare" } else { "write `not` or `!=`" }.to_owned())
}

fn quoted(rest: &str, quote: char) -> Result<(usize, Word), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            _ if c == quote => return Ok((at + 1, Word::Text(text))),
            _ => text.push(c),
        }
    }
    Err("the quotes are not closed".to_owned())
}

/// A number with its unit, also with a space between: `5 %`.
fn number(rest: &str) -> Result<(usize, Word), String> {
    let digits =
        |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |to| from + to);
    let start = usize::from(rest.starts_with('-'));
    let mut end = digits(start);
    if end == start {
        return Err("expected a number behind `-`".to_owned());
    }
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
    }
    let number: f64 = rest[..end].parse().map_err(|_| format!("`{}` is no number", &rest[..end]))?;
    if !number.is_finite() {
        return Err("the number is too large".to_owned());
    }
    let spaces = rest[end..].len() - rest[end..].trim_start().len();
    let behind = &rest[end + spaces..];
    let word = behind.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(behind.len());
    let (unit, value) = match &behind[..word] {
        "" if behind.starts_with('%') => (1, Value::Share(number / 100.0)),
        "" if behind.starts_with("/s") => (2, Value::Rate(number)),
        "ms" => (2, Value::Duration(number / 1_000.0)),
        "s" => (1, Value::Duration(number)),
        "m" => (1, Value::Duration(number * 60.0)),
        "" => (0, Value::Number(number)),
        _ if spaces > 0 => (0, Value::Number(number)),
        unit => return Err(format!("`{unit}` is no unit; units are `%`, `ms`, `s`, `m` and `/s`")),
    };
    let finite = !matches!(value, Value::Duration(seconds) if !seconds.is_finite());
    if !finite {
        return Err("the number is too large".to_owned());
    }
    Ok((if unit == 0 { end } else { end + spaces + unit }, Word::Value(value)))
}
