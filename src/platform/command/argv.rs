//! Argument lists with placeholders. A value becomes one argument or a part of one, whatever characters it has: nothing
//! is split, quoted or expanded a second time, and no shell sees it.

use std::collections::BTreeMap;

/// What can stand in an argument, as `{service}`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Placeholder {
    Service,
    Release,
    Version,
    Percent,
    Shares,
    On,
    Instances,
    Key,
    Token,
}

impl Placeholder {
    const ALL: [Self; 9] = [
        Self::Service,
        Self::Release,
        Self::Version,
        Self::Percent,
        Self::Shares,
        Self::On,
        Self::Instances,
        Self::Key,
        Self::Token,
    ];

    /// The word between the braces.
    const fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Release => "release",
            Self::Version => "version",
            Self::Percent => "percent",
            Self::Shares => "shares",
            Self::On => "on",
            Self::Instances => "instances",
            Self::Key => "key",
            Self::Token => "token",
        }
    }

    /// The environment variable that carries the same value.
    pub(super) fn variable(self) -> String {
        format!("UNSHIP_{}", self.word().to_ascii_uppercase())
    }
}

/// The values of one call.
pub(super) type Values = BTreeMap<Placeholder, String>;

/// A program and its arguments, checked.
#[derive(Debug)]
pub(super) struct Template {
    program: String,
    arguments: Vec<Vec<Piece>>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Value(Placeholder),
}

impl Template {
    /// Checks an argv array. `allowed` are the placeholders that this verb has values for. The error says what is wrong
    /// and what is allowed; the caller names the verb.
    pub(super) fn parse(argv: &[String], allowed: &[Placeholder]) -> Result<Self, String> {
        let [program, arguments @ ..] = argv else {
            return Err("is empty; give a program and its arguments, each as one text".to_owned());
        };
        if program.is_empty() {
            return Err("has an empty program name".to_owned());
        }
        if argv.iter().any(|argument| argument.contains('\0')) {
            return Err("has a NUL character in an argument".to_owned());
        }
        if split(program).iter().any(|piece| matches!(piece, Split::Word(_))) {
            return Err(format!("takes its program's name as it is, `{program}` has a placeholder in it"));
        }
        let arguments = arguments
            .iter()
            .map(|argument| split(argument).into_iter().map(|piece| piece.check(allowed)).collect())
            .collect::<Result<_, String>>()?;
        Ok(Self { program: program.clone(), arguments })
    }

    /// The program, as it was written.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Whether a value goes into an argument.
    pub(super) fn uses(&self, placeholder: Placeholder) -> bool {
        self.arguments
            .iter()
            .flatten()
            .any(|piece| matches!(piece, Piece::Value(value) if *value == placeholder))
    }

    /// The arguments with the values in place. A placeholder without a value becomes nothing.
    pub(super) fn arguments(&self, values: &Values) -> Vec<String> {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(placeholder) => values.get(placeholder).cloned().unwrap_or_default(),
        };
        self.arguments.iter().map(|pieces| pieces.iter().map(text).collect()).collect()
    }
}

/// An argument taken apart.
enum Split<'a> {
    Text(&'a str),
    Word(&'a str),
}

impl Split<'_> {
    fn check(self, allowed: &[Placeholder]) -> Result<Piece, String> {
        let word = match self {
            Self::Text(text) => return Ok(Piece::Text(text.to_owned())),
            Self::Word(word) => word,
        };
        if let Some(placeholder) = allowed.iter().find(|placeholder| placeholder.word() == word) {
            return Ok(Piece::Value(*placeholder));
        }
        let here: Vec<String> =
            allowed.iter().map(|placeholder| format!("`{{{}}}`", placeholder.word())).collect();
        let here = here.join(", ");
        if Placeholder::ALL.iter().any(|placeholder| placeholder.word() == word) {
            Err(format!("has no value for `{{{word}}}`; it has {here}"))
        } else {
            Err(format!(
                "has an unknown placeholder `{{{word}}}`; it has {here}. Text in braces that is no placeholder is written with a space: `{{ {word} }}`"
            ))
        }
    }
}

/// A placeholder is a lower-case word in single braces. `{"json": 1}`, `{}` and the `{{…}}` of Go templates are text.
fn split(argument: &str) -> Vec<Split<'_>> {
    let mut pieces = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    while let Some(open) = argument[at..].find('{').map(|found| at + found) {
        let inside = &argument[open + 1..];
        if inside.starts_with('{') {
            at = inside.find("}}").map_or(argument.len(), |end| open + 1 + end + 2);
            continue;
        }
        let length = inside.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(inside.len());
        if length > 0 && inside[length..].starts_with('}') {
            pieces.push(Split::Text(&argument[text_from..open]));
            pieces.push(Split::Word(&inside[..length]));
            at = open + length + 2;
            text_from = at;
        } else {
            at = open + 1;
        }
    }
    pieces.push(Split::Text(&argument[text_from..]));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    /// A value lands in its argument and only there; text that merely looks similar is left alone.
    #[test]
    fn values_go_into_arguments() {
        let values = Values::from([
            (Placeholder::Service, "check out".to_owned()),
            (Placeholder::Release, "{service} $(rm -rf /)".to_owned()),
        ]);
        for (argument, expected) in [
            ("{service}", "check out"),
            ("--to={release}/{service}!", "--to={service} $(rm -rf /)/check out!"),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            ("{}", "{}"),
            ("{{range .service}}{{end}} {service}", "{{range .service}}{{end}} check out"),
            ("{{service", "{{service"),
            ("${HOME}", "${HOME}"),
            ("{ service }", "{ service }"),
            ("}{", "}{"),
            ("größe{service}", "größecheck out"),
            ("", ""),
        ] {
            let template =
                Template::parse(&argv(&["prog", argument]), &[Placeholder::Service, Placeholder::Release])
                    .unwrap();
            assert_eq!(template.arguments(&values), [expected], "{argument}");
        }
    }

    /// A mistake in a placeholder is found before the program is needed.
    #[test]
    fn wrong_placeholders_are_refused() {
        for (argv, expected) in [
            (argv(&[]), "is empty"),
            (argv(&[""]), "empty program"),
            (argv(&["{service}"]), "as it is"),
            (argv(&["prog", "{relase}"]), "unknown placeholder `{relase}`; it has `{service}`"),
            (argv(&["prog", "{percent}"]), "has no value for `{percent}`"),
            (argv(&["prog", "a\0b"]), "NUL"),
        ] {
            let error = Template::parse(&argv, &[Placeholder::Service]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
