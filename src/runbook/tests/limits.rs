//! What is too big, too deep, or no text that anybody would write.

use proptest::prelude::*;

use super::*;

fn refused(text: &str) -> String {
    Runbook::parse("big", text, &Registry::unchecked(), &ActionTable::unchecked()).unwrap_err().to_string()
}

/// What no person can work through is refused with what to do, and what is just within the limits is read.
#[test]
fn limits_hold() {
    let bytes = "a".repeat(MOST_BYTES + 1);
    assert_eq!(refused(&bytes), "`big` has 1048577 bytes and a runbook may have 1048576; split it");
    assert_eq!(
        refused(&"- [ ] a\n".repeat(2_001)),
        "`big` has more than 2000 items from line 2001 on; split it"
    );
    assert_eq!(read(&"- [ ] a\n".repeat(2_000)).items.len(), 2_000);
    let nested = |depth: usize| {
        let lines: Vec<String> = (0..depth).map(|depth| format!("{}- [ ] a", "  ".repeat(depth))).collect();
        lines.join("\n")
    };
    assert_eq!(refused(&nested(7)), "line 7 of `big` is nested deeper than 6 levels; make a section of it");
    assert_eq!(read(&nested(6)).items.len(), 6);
    assert!(refused(&("- ".repeat(5_000) + "x")).contains("nested deeper"));
}

/// A file that somebody made to hang the reader does not: each of these is read or refused, and quickly enough to be a test.
#[test]
fn hostile_files_are_read() {
    for text in [
        ">".repeat(200_000),
        "[".repeat(200_000),
        "# a\n".repeat(60_000),
        " {a=\"".repeat(50_000),
        "{.critical} ".repeat(50_000),
        "{".repeat(200_000),
        "- [ ] a {".to_owned() + &"x='{ ".repeat(50_000),
        "(".repeat(200_000) + " (0-5 min)",
        "# ".to_owned() + &"(".repeat(200_000) + ")",
        "**a**\n- b\n\n".repeat(20_000),
        "<!-- {.critical} --> ".repeat(20_000),
        "```\n".repeat(60_001),
        "- [ ] a\n  ".to_owned() + &"```sh\n  <a $\n  ```\n  ".repeat(20_000),
        "\u{feff}".repeat(1_000),
        "---\n".repeat(60_000),
        "| a ".repeat(50_000) + "\n" + &"|-".repeat(50_000),
        "&amp;".repeat(50_000),
        "\r".repeat(100_000),
        "1. a\n".repeat(1_900),
    ] {
        let _ = Runbook::parse("hostile", &text, &Registry::unchecked(), &ActionTable::unchecked());
    }
}

fn a_line() -> impl Strategy<Value = String> {
    let indent = prop::sample::select(vec!["", "  ", "    ", "\t"]);
    let start = prop::sample::select(vec![
        "", "- ", "- [ ] ", "* [x] ", "1. ", "2) [ ] ", "# ", "### ", "> ", "```", "```sh", "~~~", "<!-- ",
        "-->", "**", "| ", "---", "===",
    ]);
    let middle = prop::sample::select(vec![
        "text",
        "(0-5 min)",
        "**Lead (5 min)**",
        "**a:**",
        "T+5",
        "`code`",
        "[l](u)",
        "é 🚨",
        "&lt;",
        "{{ x }}",
        "$ ls",
        "",
        "kubectl rollout undo",
    ]);
    let end = prop::sample::select(vec![
        "",
        " {.critical}",
        " {#a}",
        " <!-- {#b sense=incident.scoped} -->",
        " {sens=x}",
        "{",
        " {do=\"rollback",
        " (0-5 min) {.pause}",
        "\r",
    ]);
    (indent, start, middle, end)
        .prop_map(|(indent, start, middle, end)| format!("{indent}{start}{middle}{end}"))
}

proptest! {
    /// Whatever is in a file, reading it gives a runbook that holds together: every index leads somewhere, every line is in the
    /// file, every id is there once or is told, and nothing is both bound and unbound.
    #[test]
    fn every_file_is_read(lines in prop::collection::vec(a_line(), 0..40)) {
        let text = lines.join("\n");
        let Ok(runbook) = Runbook::parse("any", &text, &Registry::unchecked(), &ActionTable::unchecked()) else {
            return Ok(());
        };
        let last = text.lines().count().max(1) + text.matches('\r').count();
        for (index, item) in runbook.items.iter().enumerate() {
            prop_assert!(item.line >= 1 && item.line <= last);
            prop_assert!(item.section < runbook.sections.len());
            prop_assert!(!item.text.is_empty());
            match item.parent {
                Some(parent) => prop_assert!(parent < index && runbook.items[parent].children.contains(&index)),
                None => prop_assert!(runbook.sections[item.section].items.contains(&index)),
            }
        }
        for (index, section) in runbook.sections.iter().enumerate() {
            prop_assert!(section.line >= 1 && section.line <= last);
            if let Some(parent) = section.parent {
                prop_assert!(parent < index && runbook.sections[parent].level < section.level);
            }
        }
        let ids: std::collections::BTreeSet<_> = runbook.items.iter().map(|item| item.id.as_str()).collect();
        let is_told = runbook.problems.iter().any(|problem| problem.rule == "duplicate-id");
        prop_assert!(is_told || ids.len() == runbook.items.len());
        for problem in &runbook.problems {
            prop_assert!(problem.line >= 1 && problem.line <= last && problem.column >= 1, "{}", problem);
        }
    }

    /// Line ends of another system make no difference to what is read.
    #[test]
    fn line_ends_make_no_difference(lines in prop::collection::vec(a_line().prop_map(|line| line.replace('\r', "")), 0..30)) {
        let read = |end: &str| Runbook::parse("any", &lines.join(end), &Registry::unchecked(), &ActionTable::unchecked());
        if let (Ok(unix), Ok(dos)) = (read("\n"), read("\r\n")) {
            prop_assert_eq!(unix.sections, dos.sections);
            prop_assert_eq!(unix.items, dos.items);
        }
    }
}
