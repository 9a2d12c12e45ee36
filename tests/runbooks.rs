//! Runbooks in the styles that people write them in, counted by hand. Whoever changes how a document is read sees here what
//! that does to others.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use unship::runbook::{
    ActionTable, FLAGS, HEALTH_WORDS, KEYS, Level, Names as _, ROLLBACK_STATES, RULES, Registry, Runbook,
    Tier,
};

/// One document: file, tier, then sections, items, nested items, windows, fences bound, fences that belong to nothing, fences
/// offered, and its problems as `line rule`.
type Row = (&'static str, Tier, [usize; 7], &'static [&'static str]);

const BY_HAND: &[Row] = &[
    // Headings only, as the alert pages of monitoring mixins have them.
    ("alert-page", Tier::Headings, [7, 5, 0, 0, 2, 0, 1], &["33 no-completion-line"]),
    // CRLF, byte order mark and front matter, from an editor on another system.
    ("crlf", Tier::Tasks, [3, 5, 2, 2, 1, 0, 1], &["13 ticked-in-source"]),
    // Attributes in the visible form.
    ("decision", Tier::Tasks, [3, 9, 5, 2, 0, 0, 0], &[]),
    // Steps in steps, parentheses as numbers' marks, fences with tildes.
    ("deep-steps", Tier::Steps, [1, 9, 5, 1, 2, 0, 1], &[]),
    // A checklist of tasks with times in the headings.
    ("incident-checklist", Tier::Tasks, [5, 11, 0, 4, 1, 0, 1], &["12 fence-like-action", "27 window-gap"]),
    // One of every mistake.
    (
        "mistakes",
        Tier::Tasks,
        [3, 9, 1, 2, 1, 0, 0],
        &[
            "5 unknown-name",
            "6 unit",
            "7 duplicate-id",
            "7 unknown-action",
            "8 misplaced-attribute",
            "9 decision-options",
            "12 window-order",
            "14 ticked-in-source",
            "14 no-desired-value",
            "15 two-in-one",
            "15 near-miss",
            "16 critical-not-first",
            "16 no-completion-line",
            "18 command-placeholder",
        ],
    ),
    // Numbered steps with fences at the margin, as a manual has them.
    (
        "numbered-steps",
        Tier::Steps,
        [4, 7, 2, 0, 4, 0, 2],
        &["32 no-completion-line", "33 command-placeholder"],
    ),
    // Numbered groups of tasks.
    ("phases", Tier::Tasks, [2, 7, 1, 3, 1, 0, 1], &[]),
    // A meeting after the incident, with windows in each other.
    ("review", Tier::Tasks, [7, 7, 0, 5, 0, 0, 0], &[]),
    // Strong paragraphs as headings, as wikis export them.
    ("strong-leads", Tier::Steps, [4, 5, 0, 2, 1, 0, 0], &[]),
    // Tables, quotes, plain bullets with tasks in them.
    ("tables", Tier::Tasks, [4, 4, 0, 0, 1, 2, 1], &["8 task-in-quote", "12 near-miss", "13 near-miss"]),
    // Templates of three other languages.
    ("templates", Tier::Tasks, [1, 5, 0, 0, 2, 0, 1], &["35 critical-not-first"]),
    // Underlined headings that begin with their time.
    ("timeline", Tier::Tasks, [5, 7, 0, 4, 0, 0, 0], &[]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/runbooks")
}

fn read(name: &str) -> Runbook {
    let text = std::fs::read_to_string(folder().join(format!("{name}.md"))).unwrap();
    Runbook::parse(name, &text, &Registry::unchecked(), &ActionTable::unchecked()).unwrap()
}

/// What is read in a document is what a person counts in it.
#[test]
fn documents_are_read_as_counted() {
    let mut wrong = Vec::new();
    for (name, tier, counts, problems) in BY_HAND {
        let runbook = read(name);
        let found = runbook.counts();
        let found = [
            found.sections,
            found.items,
            found.nested,
            found.windows,
            found.fences_bound,
            found.fences - found.fences_bound,
            found.fences_offered,
        ];
        let told: Vec<String> =
            runbook.problems.iter().map(|problem| format!("{} {}", problem.line, problem.rule)).collect();
        if runbook.tier != *tier || found != *counts || told != *problems {
            wrong.push(format!(
                "{name}: {:?} {found:?} {told:?}\nby hand: {tier:?} {counts:?} {problems:?}",
                runbook.tier
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every document in the folder is counted, and every count has its document.
#[test]
fn every_document_is_counted() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let counted: BTreeSet<String> = BY_HAND.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(files, counted);
    assert!(counted.len() >= 12);
}

/// An error keeps a runbook from being used; a document that nobody wrote for unship has none.
#[test]
fn foreign_documents_have_no_errors() {
    for (name, ..) in BY_HAND.iter().filter(|(name, ..)| *name != "mistakes") {
        let runbook = read(name);
        let errors: Vec<_> =
            runbook.problems.iter().filter(|problem| problem.level == Level::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    assert!(read("mistakes").has_errors());
}

/// The file has the line ends that it is there for.
#[test]
fn the_odd_file_is_odd() {
    let bytes = std::fs::read(folder().join("crlf.md")).unwrap();
    assert!(bytes.starts_with("\u{feff}---\r\n".as_bytes()), "its line ends were changed, perhaps by git");
}

/// Whoever writes a runbook finds every attribute, every name and every rule in the documentation, in its own words.
#[test]
fn everything_is_documented() {
    let docs = include_str!("../docs/runbooks.md");
    let mut missing = Vec::new();
    for attribute in
        FLAGS.iter().map(|flag| format!("`.{flag}`")).chain(KEYS.iter().map(|key| format!("`{key}`")))
    {
        if !docs.contains(&attribute) {
            missing.push(attribute);
        }
    }
    for (rule, _, meaning) in RULES {
        let row = format!("| `{rule}` | {meaning} |");
        if !docs.contains(&row) {
            missing.push(row);
        }
    }
    for name in ROLLBACK_STATES.iter().chain(&HEALTH_WORDS) {
        if !docs.contains(name) {
            missing.push((*name).to_owned());
        }
    }
    assert!(missing.is_empty(), "not in docs/runbooks.md:\n{}", missing.join("\n"));
    // What stands in braces there is what can be named.
    for line in docs.lines().filter_map(|line| line.strip_prefix("| `")) {
        let Some((name, rest)) = line.split_once('`') else { continue };
        let says_kind = ["number", "share", "yes or no"].iter().any(|kind| rest.contains(kind));
        let is_name = says_kind && !name.starts_with('.');
        if is_name && (name.contains('.') || name.contains('[')) {
            let path = unship::runbook::Path::parse(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(Registry::unchecked().quantity(&path).is_ok(), "`{name}` is documented and not known");
        }
    }
}

/// The example of the documentation is one that is read without an error.
#[test]
fn the_documented_example_is_read() {
    let docs = include_str!("../docs/runbooks.md");
    let examples: Vec<&str> =
        docs.split("\n````markdown\n").skip(1).filter_map(|rest| rest.split("\n````").next()).collect();
    assert!(examples.len() >= 2, "no examples");
    for example in examples {
        let runbook =
            Runbook::parse("docs", example, &Registry::unchecked(), &ActionTable::unchecked()).unwrap();
        assert!(!runbook.has_errors(), "{:?}\n{example}", runbook.problems);
        assert!(!runbook.items.is_empty());
    }
}
