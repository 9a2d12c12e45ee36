//! The house rules that a compiler does not check: which module may use which, and how files look.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs;
use std::path::{Path, PathBuf};

/// What a place may use of ours, beside itself. A place is a path under `src` without `.rs` and stands for the file and
/// everything below it; where several fit, the longest counts alone.
const MAY_USE: &[(&str, &[&str])] = &[
    // The nouns: everything may use them, they use nothing.
    ("model", &[]),
    // Pure thinking.
    ("config", &["model", "runbook", "templates"]),
    ("judge", &["model"]),
    ("runbook", &["model"]),
    ("templates", &["model"]),
    ("triggers", &["model"]),
    ("engine", &["triggers", "judge", "runbook", "templates", "config", "model"]),
    // What the journal says afterwards, in the engine's words.
    ("report", &["engine", "model"]),
    // The one async part of the engine; it alone knows the adapters.
    (
        "engine/runtime",
        &[
            "triggers",
            "judge",
            "runbook",
            "templates",
            "config",
            "model",
            "journal",
            "observe",
            "platform",
            "notify",
            "validate",
            "database",
        ],
    ),
    // Adapters are leaves: they know nothing of each other.
    ("journal", &["model"]),
    ("lab", &["model"]),
    ("notify", &["model"]),
    ("observe", &["aws", "model", "process"]),
    ("validate", &["model", "process"]),
    ("database", &["model", "process"]),
    // What adapters that start programs have in common.
    ("process", &[]),
    ("platform", &["aws", "model"]),
    // What adapters of one provider have in common.
    ("aws", &["model"]),
    // Faces speak to the engine.
    ("api", &["engine", "config", "model"]),
    ("cli", &["engine", "config", "model", "telemetry"]),
    ("cli/guard", &["engine", "config", "model", "telemetry", "api"]),
    ("cli/console", &["engine", "config", "model", "tui"]),
    ("cli/demo", &["engine", "config", "model", "lab", "tui"]),
    ("cli/journal", &["engine", "config", "model", "journal"]),
    ("cli/report", &["config", "model", "journal", "report"]),
    // What it judges is a file, not a fleet.
    ("cli/judge", &["judge"]),
    ("cli/drill", &["engine", "config", "model", "lab", "runbook"]),
    ("cli/message", &["engine", "config", "model", "templates"]),
    ("cli/template", &["engine", "config", "model", "templates"]),
    // What it reads is a document.
    ("cli/runbook", &["runbook", "config", "model"]),
    ("cli/themes", &["config", "tui"]),
    ("cli/lab", &["engine", "config", "model", "lab"]),
    ("cli/tests", &["model", "tui"]),
    ("tui", &["engine", "config", "model"]),
    // What the journal says afterwards, where a person looks at it.
    ("tui/measured", &["engine", "report", "tui"]),
    ("tui/pages/delivery", &["model", "report", "tui"]),
    ("tui/pages/tests", &["engine", "config", "model", "report", "tui"]),
    // A message is written from a template.
    ("tui/dialogs/compose", &["engine", "config", "model", "templates", "tui"]),
    // The log knows what a secret is, and nothing else.
    ("telemetry", &["model"]),
    // The crate's roots: the library only lists its modules, the program starts a face.
    ("lib", &[]),
    ("main", &["cli", "tui", "api", "config", "model"]),
];

/// The longest that a file may be, in lines.
const LONGEST: usize = 800;

/// A file of the library or the program.
struct Source {
    /// Below `src`.
    path: PathBuf,
    text: String,
}

impl Source {
    /// `engine/runtime/effects` for `src/engine/runtime/effects.rs`.
    fn place(&self) -> String {
        self.path.with_extension("").to_str().unwrap().replace('\\', "/")
    }

    fn shown(&self, line: usize) -> String {
        format!("src/{}:{line}", self.path.display())
    }
}

fn sources() -> Vec<Source> {
    fn collect(root: &Path, dir: &Path, into: &mut Vec<Source>) {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for entry in entries {
            if entry.is_dir() {
                collect(root, &entry, into);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(root).unwrap().to_owned();
                into.push(Source { path, text: fs::read_to_string(&entry).unwrap() });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 10, "the sources were not found below {}", root.display());
    sources
}

/// The rule for a place.
fn may_use(place: &str) -> Option<(&'static str, &'static [&'static str])> {
    MAY_USE
        .iter()
        .filter(|(rule, _)| {
            place == *rule || place.strip_prefix(rule).is_some_and(|rest| rest.starts_with('/'))
        })
        .max_by_key(|(rule, _)| rule.len())
        .copied()
}

/// The text with comments and the content of strings blanked out, lines kept.
fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            // Comments nest.
            let (mut depth, mut end) = (0, 0);
            loop {
                if rest[end..].starts_with("/*") {
                    depth += 1;
                    end += 2;
                } else if rest[end..].starts_with("*/") {
                    depth -= 1;
                    end += 2;
                } else {
                    match rest[end..].chars().next() {
                        Some(c) => end += c.len_utf8(),
                        None => break end,
                    }
                }
                if depth == 0 {
                    break end;
                }
            }
        } else if let Some(hashes) = raw_string(rest).filter(|_| !word_before) {
            let close = format!("\"{}", "#".repeat(hashes));
            let from = hashes + 2;
            rest[from..].find(&close).map_or(rest.len(), |end| from + end + close.len())
        } else if rest.starts_with('"') {
            quoted(rest, '"')
        } else if rest.starts_with("'\\") {
            quoted(rest, '\'')
        } else if rest.starts_with('\'') && rest.chars().nth(2) == Some('\'') {
            // A character, not a lifetime.
            rest.char_indices().nth(3).map_or(rest.len(), |(end, _)| end)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        for byte in &mut code[at..at + end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += end;
    }
    String::from_utf8(code).unwrap()
}

/// How many `#` a raw string begins with, if one begins here.
fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// The length of a quoted text with escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// Cuts a file at its unit tests: those may use whatever they need.
fn without_tests(code: &str) -> &str {
    const MARK: &str = "#[cfg(test)]";
    let mut from = 0;
    while let Some(at) = code[from..].find(MARK).map(|at| from + at) {
        let after = code[at + MARK.len()..].trim_start();
        let opens_module = after.starts_with("mod ")
            && after.find(['{', ';']).is_some_and(|end| after[end..].starts_with('{'));
        if opens_module {
            return &code[..at];
        }
        from = at + MARK.len();
    }
    code
}

/// The modules of ours that a file names, each with its line. `depth` is how many modules the file is below the root, so
/// that `super::super::engine` is seen for what it is.
fn uses(text: &str, depth: usize) -> Vec<(usize, String)> {
    let code = code_only(text);
    let code = without_tests(&code);
    let mut found = Vec::new();
    let mut words = code.match_indices("::").map(|(at, _)| at).peekable();
    while let Some(at) = words.next() {
        let head = &code[..at];
        let start = head.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let mut end = at + 2;
        let from_root = match &head[start..] {
            "crate" | "unship" => true,
            "super" => {
                let mut climbed = 1;
                while code[end..].starts_with("super::") {
                    climbed += 1;
                    end += "super::".len();
                    words.next();
                }
                climbed >= depth
            }
            _ => false,
        };
        if from_root {
            let line = code[..start].matches('\n').count() + 1;
            found.extend(first_segments(&code[end..]).into_iter().map(|(down, name)| (line + down, name)));
        }
    }
    found
}

/// The first segment of a path, or those of a group, with how many lines further down each is.
fn first_segments(rest: &str) -> Vec<(usize, String)> {
    let word = |text: &str| -> String {
        if text.starts_with('*') {
            return "*".to_owned();
        }
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![(0, word(rest))] };
    let mut segments = Vec::new();
    let (mut depth, mut expected) = (1, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => expected = true,
            c if c.is_whitespace() => {}
            _ if expected && depth == 1 => {
                segments.push((group[..at].matches('\n').count(), word(&group[at..])));
                expected = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    segments
}

/// Who adds a `use` against the direction of the arrows learns where, and what is allowed there.
#[test]
fn arrows_point_downward() {
    let sources = sources();
    let modules: Vec<String> = sources
        .iter()
        .filter(|source| source.path.components().count() == 1)
        .map(Source::place)
        .filter(|place| place != "lib" && place != "main")
        .collect();
    let mut wrong = Vec::new();
    for source in &sources {
        let place = source.place();
        // `tests.rs` beside a module is its unit tests in a file of their own.
        if place.split('/').any(|part| part == "tests") {
            continue;
        }
        let Some((rule, allowed)) = may_use(&place) else {
            wrong.push(format!("{}: `{place}` has no row in MAY_USE; add one", source.shown(1)));
            continue;
        };
        let depth = if rule == "lib" || rule == "main" { 0 } else { place.split('/').count() };
        let own = place.split('/').next().unwrap();
        for (line, used) in uses(&source.text, depth) {
            let fine = used == own || allowed.contains(&used.as_str());
            // What the root exports beside its modules (a macro, say) belongs to no place.
            let ours = used == "*" || modules.contains(&used);
            if ours && !fine {
                let allowed =
                    if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
                wrong.push(format!("{}: `{rule}` uses `{used}`; it may use {allowed}", source.shown(line)));
            }
        }
    }
    assert!(wrong.is_empty(), "against the direction of the house:\n{}", wrong.join("\n"));
}

/// Every file says what lives in it, none has grown past reading, and a module's root stands beside its folder.
#[test]
fn files_keep_the_house_form() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if !source.text.starts_with("//!") {
            wrong.push(format!("{}: does not begin with `//!`, what lives here", source.shown(1)));
        }
        if lines > LONGEST {
            wrong.push(format!("{}: has {lines} lines, split it by topic", source.shown(lines)));
        }
        if source.path.file_name().is_some_and(|name| name == "mod.rs") {
            wrong.push(format!("{}: is a `mod.rs`, name it after its folder", source.shown(1)));
        }
    }
    assert!(wrong.is_empty(), "against the form of the house:\n{}", wrong.join("\n"));
}

/// The check sees a use in every way that it can be written, and nothing that only looks like one.
#[test]
fn uses_are_found() {
    for (text, depth, expected) in [
        ("use crate::engine::State;", 1, &[(1, "engine")][..]),
        (
            "\nuse crate::{\n    model::Span,\n    engine::{State, core::{Input}},\n};",
            1,
            &[(3, "model"), (4, "engine")],
        ),
        ("fn f() -> crate::journal::Entry {}", 2, &[(1, "journal")]),
        ("use crate::*;", 1, &[(1, "*")]),
        ("use super::engine::State;", 1, &[(1, "engine")]),
        ("use super::engine::State;", 2, &[]),
        ("use super::super::{engine, model};", 2, &[(1, "engine"), (1, "model")]),
        ("use unship::cli;", 0, &[(1, "cli")]),
        ("use std::sync::Arc; use othercrate::engine;", 1, &[]),
        ("// crate::engine\n/// [`crate::engine`]\n/* crate::engine /* */ crate::tui */", 1, &[]),
        ("const A: &str = \"crate::engine \\\" crate::tui\"; use crate::model;", 1, &[(1, "model")]),
        ("const A: &str = r#\"crate::engine \" \"#; use crate::model;", 1, &[(1, "model")]),
        ("fn f<'a>(a: &'a str) { '\"'; '\\''; crate::model::f() }", 1, &[(1, "model")]),
        ("use crate::model;\n#[cfg(test)]\nmod tests {\n use crate::engine;\n}", 1, &[(1, "model")]),
        ("#[cfg(test)]\nmod tests;\nuse crate::engine;", 1, &[(3, "engine")]),
        ("#[cfg(test)]\nuse crate::engine;", 1, &[(2, "engine")]),
    ] {
        let found = uses(text, depth);
        let found: Vec<(usize, &str)> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }
}

/// The longest row counts, and a row does not reach into a neighbour with a longer name.
#[test]
fn rows_are_found() {
    assert_eq!(may_use("engine/core").unwrap().0, "engine");
    assert_eq!(may_use("engine/runtime").unwrap().0, "engine/runtime");
    assert_eq!(may_use("engine/runtime/effects").unwrap().0, "engine/runtime");
    assert_eq!(may_use("engine/runtimes").unwrap().0, "engine");
    assert!(may_use("engines").is_none());
}
