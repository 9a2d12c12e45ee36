//! What is wrong with a config, as data and as text with the line it is about.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::spanned::Path;

/// How bad a problem is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The config cannot be used.
    Error,
    /// The config can be used and probably does not do what its author thinks.
    Warning,
}

/// One thing that is wrong with a config. [`fmt::Display`] writes it with its line and a caret, without a line end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Where in the config: `services.checkout.probes.live.url`. Empty for the file as a whole.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// How to mend it, with the nearest valid name where there is one.
    pub hint: Option<String>,
    /// Whether the config can be used all the same.
    pub severity: Level,
    /// The line itself, when it may be shown.
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// A source line, ready to be printed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Excerpt {
    text: String,
    /// Characters of `text` before the caret.
    before: usize,
    /// Characters under the caret.
    width: usize,
}

impl Problem {
    /// A problem with a file as a whole.
    pub fn of_file(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 1,
            column: 1,
            path: String::new(),
            message,
            hint: None,
            severity: Level::Error,
            excerpt: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, .. } = self;
        let warning = if self.severity == Level::Warning { "warning: " } else { "" };
        write!(f, "{file}:{line}:{column}: {warning}{message}")?;
        let hint = self.hint.as_deref().unwrap_or_default();
        if let Some(Excerpt { text, before, width }) = &self.excerpt {
            write!(f, "\n{line:>5} | {text}\n      | {:before$}{:^>width$}", "", "")?;
            if !hint.is_empty() {
                write!(f, " {hint}")?;
            }
        } else {
            write!(f, "\n{line:>5} | … (not shown: it may hold a secret)")?;
            if !hint.is_empty() {
                write!(f, "\n      | {hint}")?;
            }
        }
        Ok(())
    }
}

/// Writes problems one after the other, an empty line between them.
pub fn render(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n\n")
}

/// A problem that does not know its line yet: which lines may be shown is known only when the whole file was read.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    span: Range<usize>,
    path: String,
    message: String,
    hint: Option<String>,
    level: Level,
}

impl Draft {
    /// Says how to mend it.
    pub(crate) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    /// Where it begins, in bytes.
    pub(super) const fn start(&self) -> usize {
        self.span.start
    }
}

/// Everything found so far, and the parts of the text that must not be repeated.
#[derive(Default, Debug)]
pub(crate) struct Report {
    drafts: Vec<Draft>,
    hidden: Vec<Range<usize>>,
}

impl Report {
    /// Adds a problem.
    pub(crate) fn add(
        &mut self,
        level: Level,
        span: Range<usize>,
        path: &Path,
        message: impl Into<String>,
    ) -> &mut Draft {
        let draft = Draft { span, path: path.to_string(), message: message.into(), hint: None, level };
        let at = self.drafts.len();
        self.drafts.push(draft);
        &mut self.drafts[at]
    }

    /// Adds an error.
    pub(crate) fn error(
        &mut self,
        span: Range<usize>,
        path: &Path,
        message: impl Into<String>,
    ) -> &mut Draft {
        self.add(Level::Error, span, path, message)
    }

    /// Keeps a part of the text, and so the lines it is on, out of everything that is printed.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// Shows every line again: for a file that cannot hold a secret.
    pub(crate) fn show_all(&mut self) {
        self.hidden.clear();
    }

    /// Whether there is an error among the problems.
    pub(crate) fn has_errors(&self) -> bool {
        self.drafts.iter().any(|draft| draft.level == Level::Error)
    }

    /// Drops the problems that the rule does not want.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Draft) -> bool) {
        self.drafts.retain(keep);
    }

    /// Takes over what another report found.
    pub(super) fn append(&mut self, other: Self) {
        self.drafts.extend(other.drafts);
        self.hidden.extend(other.hidden);
    }

    /// The lines that there are problems on.
    pub(super) fn lines(&self, source: &Source<'_>) -> Vec<usize> {
        self.drafts.iter().map(|draft| source.line(draft.span.start)).collect()
    }

    /// The problems with their lines, in the order of the file.
    pub(crate) fn problems(&self, source: &Source<'_>) -> Vec<Problem> {
        let mut drafts: Vec<&Draft> = self.drafts.iter().collect();
        drafts.sort_by(|a, b| (a.span.start, a.level, &a.message).cmp(&(b.span.start, b.level, &b.message)));
        drafts.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        drafts.into_iter().map(|draft| source.problem(draft, &self.hidden)).collect()
    }
}

/// The text of a config, with the places of its lines.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    /// The text, without a byte order mark.
    pub(crate) text: &'t str,
    file: &'t str,
    /// Where each line begins.
    starts: Vec<usize>,
}

/// The longest piece of a line that is printed, in characters.
const EXCERPT: usize = 120;

impl<'t> Source<'t> {
    /// Finds the lines.
    pub(crate) fn new(text: &'t str, file: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file, starts }
    }

    /// The line that holds a byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).max(1)
    }

    /// A line, from 1, without its end, and where it begins.
    pub(super) fn line_text(&self, line: usize) -> (usize, &'t str) {
        let start = self.starts.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let text = self.text.get(start..end).unwrap_or_default();
        (start, text.strip_suffix('\r').unwrap_or(text))
    }

    fn problem(&self, draft: &Draft, hidden: &[Range<usize>]) -> Problem {
        let line = self.line(draft.span.start);
        let (start, text) = self.line_text(line);
        let mut byte = draft.span.start.saturating_sub(start).min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        let before = text[..byte].chars().count();
        let end = start + text.len();
        // Touching counts: the span of an unfinished value may be empty.
        let shown = !hidden.iter().any(|part| part.start <= end && part.end >= start);
        let excerpt = shown.then(|| {
            let mut until = draft.span.end.saturating_sub(start).clamp(byte, text.len());
            while !text.is_char_boundary(until) {
                until += 1;
            }
            let width = text[byte..until].chars().count().max(1);
            excerpt(text, before, width)
        });
        Problem {
            file: self.file.to_owned(),
            line,
            column: before + 1,
            path: draft.path.clone(),
            message: draft.message.clone(),
            hint: draft.hint.clone(),
            severity: draft.level,
            excerpt,
        }
    }
}

/// Cuts a long line around the caret. A file is not trusted with the terminal: control characters are not passed on.
fn excerpt(text: &str, before: usize, width: usize) -> Excerpt {
    let long = text.chars().count() > EXCERPT;
    let skipped = if long && before > EXCERPT / 2 { before - EXCERPT / 4 } else { 0 };
    let mut shown: String = text
        .chars()
        .skip(skipped)
        .take(EXCERPT)
        .map(|c| if c == '\t' { ' ' } else { c })
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if skipped > 0 {
        shown = format!("…{}", shown.chars().skip(1).collect::<String>());
    }
    if text.chars().count() > skipped + EXCERPT {
        shown.push('…');
    }
    let before = before - skipped;
    Excerpt { text: shown, before, width: width.min((EXCERPT + 1).saturating_sub(before)).max(1) }
}

/// A value from the file for use in a message: short, in one line, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).flat_map(char::escape_debug).collect();
    // Quotes are common in selectors and harmless between backticks.
    shown = shown.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().count() > MOST {
        shown.push('…');
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str, span: Range<usize>, hidden: Option<Range<usize>>) -> Problem {
        let mut report = Report::default();
        report.error(span, &Path::default(), "wrong").hint("mend it");
        if let Some(hidden) = hidden {
            report.hide(hidden);
        }
        report.problems(&Source::new(text, "f.toml")).remove(0)
    }

    /// The caret stands under the word, also behind letters of several bytes, tabs and Windows line ends.
    #[test]
    fn the_caret_is_under_the_word() {
        let text = "a = 1\r\n\tü = \"ä\" # x\r\n";
        let at = text.find("\"ä\"").unwrap();
        let problem = one(text, at..at + 4, None);
        assert_eq!((problem.line, problem.column), (2, 6));
        assert_eq!(
            problem.to_string(),
            "f.toml:2:6: wrong\n    2 |  ü = \"ä\" # x\n      |      ^^^ mend it"
        );
    }

    /// A line with a hidden part is not printed at all, whatever on it the problem is about.
    #[test]
    fn a_hidden_part_hides_its_line() {
        let problem = one("a = 1\nb = \"hunter2\"\n", 6..7, Some(10..19));
        assert!(!problem.to_string().contains("hunter2"));
        assert!(problem.to_string().contains("mend it"));
    }

    /// Positions at or past the end of the text, and in lines of any length, print without a panic.
    #[test]
    fn any_position_prints() {
        let long = "é".repeat(1_000);
        for text in ["", "\n", "a", long.as_str()] {
            for at in [0, 1, 2, 501, 1_999, 5_000] {
                let problem = one(text, at..at + 1, None);
                assert!(problem.line >= 1 && problem.column >= 1);
                assert!(problem.to_string().chars().count() < 400);
            }
        }
    }

    /// An escape sequence in a file does not reach the terminal.
    #[test]
    fn control_characters_do_not_pass() {
        let text = one("a = \u{1b}[31m", 0..1, None).to_string();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(!quoted("\u{1b}[31m").contains('\u{1b}'));
    }
}
