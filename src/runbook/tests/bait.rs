//! What only looks like an attribute, and attributes in odd places.

use super::*;

/// Braces of other languages stay text, without a word.
#[test]
fn other_braces_stay_text() {
    for text in [
        "use {{ .Values.image }}",
        "use {{ critical }}",
        "use {% include a %}",
        "use ${CRITICAL}",
        "use {1..5}",
        "use {a,b}",
        "use {.items[0].name}",
        "use {foo=bar}",
        "use {}",
        "use { }",
        "use {:.class}",
        "set {name}",
        "use {\"sense\": 1}",
        "use `{.critical}`",
        "use [a {.critical}](x)",
        "use \\{.critical}",
        "use {#1}",
        "use ${.critical}",
    ] {
        let runbook = read(&format!("- [ ] {text}\n\nThe incident is resolved.\n"));
        assert!(!runbook.items[0].critical, "{text}");
        assert_eq!(problems(&runbook), Vec::<String>::new(), "{text}");
        assert_eq!(runbook.items[0].id.as_str(), "name/1", "{text}");
    }
}

/// What was probably meant to be an attribute stays text and says so.
#[test]
fn near_misses_are_told() {
    for text in [
        "a {sens=x}",
        "a {.critcal}",
        "a{.critical}",
        "a {.critical} b",
        "a {sense=b < c}",
        "a { .critical }",
        "a {.critical} {#x}",
        "a <!-- {.critical} --> b",
        "a {sense=\"x\" oops}",
    ] {
        let runbook = read(&format!("- [ ] {text}\n\nThe incident is resolved.\n"));
        assert!(!runbook.items[0].critical, "{text}");
        assert_eq!(problems(&runbook), ["1 near-miss"], "{text}");
    }
    // On what is no item they mean nothing.
    for text in [
        "- [ ] a\n- b {.critical}\n",
        "- [ ] a\n\n  b {.critical}\n",
        "- b {.critical}\n  - [ ] a\n",
        "b {.critical}\n\n- [ ] a\n",
        "- b\n  - c <!-- {.critical} -->\n\n# A\n- [ ] a\n",
    ] {
        let runbook = read(&format!("{text}\nThe incident is resolved.\n"));
        let found = problems(&runbook);
        assert!(found.len() == 1 && found[0].ends_with("near-miss"), "{text}: {found:?}");
    }
    // A comment on a line of its own belongs to nothing.
    for text in ["- [ ] a\n  <!-- {.critical} -->\n", "<!-- {.pause} -->\n\n- [ ] a\n"] {
        let runbook = read(&format!("{text}\nThe incident is resolved.\n"));
        assert!(problems(&runbook).iter().any(|problem| problem.ends_with("near-miss")), "{text}");
    }
}

/// Attributes are read in both forms, at the end of an item or a heading, over lines, with quotes in quotes.
#[test]
fn attributes_are_read() {
    for text in [
        "- [ ] a {.critical #x}",
        "- [ ] a <!-- {.critical #x} -->",
        "- [ ] a <!--{#x .critical}-->",
        "- [ ] a {#x\n  .critical}",
        "- [ ] a <!-- {#x\n  .critical} -->",
        "- [ ] a {1..5} {#x .critical}",
        "- [ ] a <!-- why --> <!-- {#x .critical} -->",
        "- [ ] a {#x .critical}\n\n  more\n",
        "- [ ] a {#x .critical}\n  - b\n",
        "1. [ ] a {#x .critical}  ",
    ] {
        let runbook = read(&format!("{text}\n\nThe incident is resolved.\n"));
        assert!(runbook.items[0].critical, "{text}");
        assert_eq!(runbook.items[0].id.as_str(), "x", "{text}");
        assert!(
            runbook.items[0].text.starts_with('a') && !runbook.items[0].text.contains("critical"),
            "{text}"
        );
        assert_eq!(problems(&runbook), Vec::<String>::new(), "{text}");
    }
    // Markdown that is read inside of them does not break them.
    for (text, expected) in [
        ("{sense='freeze[\"checkout\"] == false'}", "freeze[\"checkout\"] == false"),
        ("{sense=\"freeze[\\\"a_b_c\\\"] == false\"}", "freeze[\"a_b_c\"] == false"),
        ("{sense=\"canary.p99<1s and stable.p99>2s\"}", "canary.p99 < 1s and stable.p99 > 2s"),
        ("{sense=\"canary.indicator['*a*'] < 3\"}", "canary.indicator[\"*a*\"] < 3"),
        ("<!-- {sense=\"canary.error_rate -- 1\"} -->", ""),
        (
            "{sense=\"canary.error_rate < 1%\n  and incident.scoped\"}",
            "canary.error_rate < 1% and incident.scoped",
        ),
    ] {
        let runbook = read(&format!("- [ ] a {text}\n"));
        match &runbook.items[0].kind {
            Kind::Sensed { sense, .. } => assert_eq!(sense.to_string(), expected, "{text}"),
            _ => assert!(expected.is_empty() && runbook.has_errors(), "{text}: {:?}", runbook.items[0]),
        }
    }
}

/// Line ends, a byte order mark and front matter change nothing but the lines.
#[test]
fn line_ends_change_nothing() {
    let text = "# A (0-5 min) {#a}\n\n- [ ] x {.critical}\n  ```sh\n  $ ls\n  out\n  ```\n- [ ] y\n  two\n\n> q\n> r\n\n**B**\n\n1. [ ] z <!-- {for=1m\n   sense=incident.scoped} -->\n";
    let plain = read(text);
    let crlf = read(&text.replace('\n', "\r\n"));
    assert_eq!(
        (&plain.sections, &plain.items, &plain.problems),
        (&crlf.sections, &crlf.items, &crlf.problems)
    );
    let marked = read(&format!("\u{feff}{text}"));
    assert_eq!((&plain.sections, &plain.items), (&marked.sections, &marked.items));
    let front = read(&format!("---\ntitle: T\n---\n{text}"));
    assert_eq!(front.items[0].line, plain.items[0].line + 3);
    assert_eq!(front.title.as_deref(), Some("T"));
    assert_ne!(plain.sha256, crlf.sha256, "the digest is that of the file as it is");
    assert_eq!(read("").sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/// A column is counted in characters, as an editor does.
#[test]
fn places_are_exact() {
    let runbook = read("- [ ] äöü {sense=\"nothing.here\" .critical}\n");
    let problem = runbook.problems.iter().find(|problem| problem.rule == "unknown-name").unwrap();
    assert_eq!((problem.line, problem.column), (1, 12));
    let shown = problem.to_string();
    assert!(shown.starts_with("1:12: error: `sense`: `nothing.here` is not known;"), "{shown}");
    assert!(shown.ends_with("(unknown-name)"), "{shown}");
}
