//! Reading a template: its front matter, its body, and what is wrong with them, by line.

use minijinja::ErrorKind;

use super::Kind;

/// Something that is wrong with a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What was found, what was expected, and how to mend it.
    pub text: String,
}

/// The parts of a template, each with its first line.
pub(super) struct Parts {
    pub(super) subject: Option<(usize, String)>,
    pub(super) body: (usize, String),
}

/// Takes a text apart. The front matter stands between two lines of `---` and has one key.
pub(super) fn parts(text: &str) -> Result<Parts, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let Some(rest) = text.strip_prefix("---\n") else {
        return Ok(Parts { subject: None, body: (1, text) });
    };
    let Some(end) = rest.find("\n---\n").or_else(|| rest.strip_suffix("\n---").map(str::len)) else {
        return Err(vec![Fault {
            line: 1,
            text: "the front matter has no end: add a line `---` below it".to_owned(),
        }]);
    };
    let (head, body) = (&rest[..end], rest.get(end + 5..).unwrap_or_default());
    let mut subject = None;
    let mut faults = Vec::new();
    for (number, line) in head.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = number + 2;
        match line.split_once(':') {
            Some((key, value)) if key.trim() == "subject" => {
                let value = value.trim();
                let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                subject = Some((at, bare.unwrap_or(value).to_owned()));
            }
            Some((key, _)) => faults.push(Fault {
                line: at,
                text: format!("unknown key `{}` in the front matter; there is `subject`", key.trim()),
            }),
            None => faults.push(Fault {
                line: at,
                text: format!("`{}` is no `key: value`; there is `subject: …`", line.trim()),
            }),
        }
    }
    let first = head.lines().count() + 3;
    if faults.is_empty() { Ok(Parts { subject, body: (first, body.to_owned()) }) } else { Err(faults) }
}

/// What is no template at all.
pub(super) fn syntax(error: &minijinja::Error, first_line: usize) -> Fault {
    let line = first_line + error.line().unwrap_or(1).saturating_sub(1);
    let detail = error.detail().unwrap_or("it cannot be read");
    let text = match error.kind() {
        ErrorKind::UnknownFilter => format!("unknown filter: {detail}"),
        ErrorKind::UnknownTest => format!("unknown test: {detail}"),
        _ => format!("not a template: {detail}"),
    };
    Fault { line, text }
}

/// A placeholder that there is not.
pub(super) fn unknown(kind: Kind, name: &str, source: &str, first_line: usize) -> Fault {
    let line = source.lines().position(|line| line.contains(name)).unwrap_or(0);
    let near = kind
        .placeholders()
        .map(|(known, _)| known)
        .max_by(|one, other| strsim::jaro(one, name).total_cmp(&strsim::jaro(other, name)))
        .filter(|near| strsim::jaro(near, name) > 0.75);
    let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    let names: Vec<_> = kind.placeholders().map(|(known, _)| known).collect();
    Fault {
        line: first_line + line,
        text: format!("unknown placeholder `{name}`; {near}`{}` has {}", kind.name(), names.join(", ")),
    }
}
