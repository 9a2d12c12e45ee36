//! Which blocks become sections, items, notes and commands.

use super::*;

/// The outline: sections as `level title`, items as `depth text`, in order.
fn outline(text: &str) -> (Tier, Vec<String>, Vec<String>) {
    let runbook = read(text);
    let sections =
        runbook.sections.iter().map(|section| format!("{} {}", section.level, section.title)).collect();
    let depth = |item: &Item| {
        let mut depth = 0;
        let mut outer = item.parent;
        while let Some(index) = outer {
            depth += 1;
            outer = runbook.items[index].parent;
        }
        depth
    };
    let items = runbook.items.iter().map(|item| format!("{} {}", depth(item), item.text)).collect();
    (runbook.tier, sections, items)
}

/// One task makes tasks the items; without any, steps are; without those, headings are.
#[test]
fn the_tier_is_the_documents() {
    for (text, tier, sections, items) in [
        ("# A\n1. step\n- [ ] task\n", Tier::Tasks, &["1 A"][..], &["0 task"][..]),
        (
            "# A\n1. step\n2. other\n   1. deep\n- plain\n",
            Tier::Steps,
            &["1 A"],
            &["0 step", "0 other", "1 deep"],
        ),
        (
            "# A\n- plain\n## B\ntext\n## C\n### D\n",
            Tier::Headings,
            &["1 A", "2 B", "2 C", "3 D"],
            &["0 B", "0 D"],
        ),
        // A task in a fence, a comment, a quote or indented code is no live task.
        ("# A\n```\n- [ ] a\n```\n1. step\n", Tier::Steps, &["1 A"], &["0 step"]),
        ("# A\n<!--\n- [ ] a\n-->\n1. step\n", Tier::Steps, &["1 A"], &["0 step"]),
        ("# A\n\n    - [ ] a\n\n1. step\n", Tier::Steps, &["1 A"], &["0 step"]),
        ("# A\n> - [ ] a\n\n1. step\n", Tier::Steps, &["1 A"], &["0 step"]),
        ("# A\n~~~\n1. step\n~~~\n", Tier::Headings, &["1 A"], &["0 A"]),
        // The document may say it.
        ("---\nchecklist: steps\n---\n# A\n1. step\n- [ ] task\n", Tier::Steps, &["1 A"], &["0 step"]),
        ("---\nchecklist: headings\n---\n# A\n## B\n1. step\n", Tier::Headings, &["1 A", "2 B"], &["0 B"]),
        ("", Tier::Headings, &[], &[]),
        ("only text\n", Tier::Headings, &[], &[]),
    ] {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(outline(text), (tier, owned(sections), owned(items)), "{text}");
    }
    let forced = Runbook::parse_as(
        "a",
        "1. s\n- [ ] t\n",
        Some(Tier::Steps),
        &Registry::unchecked(),
        &ActionTable::unchecked(),
    );
    assert_eq!(texts(&forced.unwrap()), ["s"]);
}

/// A task is a task in every kind of list, at every depth, in any spacing, and nothing else is one.
#[test]
fn tasks_are_found() {
    for (text, items) in [
        ("- [ ] a\n* [x] b\n+ [X] c\n1. [ ] d\n2) [ ] e\n", &["0 a", "0 b", "0 c", "0 d", "0 e"][..]),
        ("- [ ] a\n  - [ ] b\n    - [ ] c\n  - [ ] d\n- [ ] e\n", &["0 a", "1 b", "2 c", "1 d", "0 e"]),
        // Below a plain bullet a task is in no item; below a plain bullet of an item it is in that item.
        ("- plain\n  - [ ] a\n", &["0 a"]),
        ("- [ ] a\n  - plain\n    - [ ] b\n", &["0 a", "1 b"]),
        ("1. [ ] a\n1. [ ] b\n1. [ ] c\n", &["0 a", "0 b", "0 c"]),
        ("- [ ] a\n\n- [ ] b\n\n  more\n", &["0 a", "0 b"]),
        ("- [ ] **bold** and `code` and [a link](x) &amp; more\n", &["0 bold and code and a link & more"]),
        ("- [ ] two\n  lines\n", &["0 two lines"]),
        ("- [ ]\ta\n", &["0 a"]),
        ("- [x] a\n\n[x]: https://example.org\n", &["0 a"]),
        ("- [ ] <br>a<!-- b --> c\n", &["0 a c"]),
        ("<details>\n<summary>s</summary>\n\n- [ ] a\n\n</details>\n", &["0 a"]),
        // None of these is one.
        ("- [ ]a\n- []  b\n- [y] c\n- \\[ ] d\n- `[ ]` e\n- ( ) f\n[ ] g\n\n[x] h\n- [ ] i\n", &["0 i"]),
        ("| a |\n|---|\n| - [ ] b |\n\n- [ ] c\n", &["0 c"]),
        ("- [x](url) a\n- [ ] b\n", &["0 b"]),
    ] {
        assert_eq!(outline(text).2, items, "{text}");
    }
}

/// Headings of both kinds and strong paragraphs before a list are sections, nested by level.
#[test]
fn sections_are_found() {
    let text = "# A\n## B\n**C:**\n- [ ] c\n\n### D ###\nE\n===\nF f\n---\n__G__:\n\n1. [ ] g\n\n## H\n";
    let runbook = read(text);
    let found: Vec<_> = runbook
        .sections
        .iter()
        .map(|section| {
            let parent = section.parent.map(|parent| runbook.sections[parent].title.as_str());
            (section.title.as_str(), section.level, parent, section.line)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("A", 1, None, 1),
            ("B", 2, Some("A"), 2),
            ("C", 3, Some("B"), 3),
            ("D", 3, Some("B"), 6),
            ("E", 1, None, 7),
            ("F f", 2, Some("E"), 9),
            ("G", 3, Some("F f"), 11),
            ("H", 2, Some("E"), 15),
        ]
    );
    assert_eq!(runbook.title.as_deref(), Some("A"));
}

/// Only a paragraph that is nothing but strong, directly before a list, is a heading.
#[test]
fn other_strong_text_is_no_section() {
    for text in [
        "**A** b\n- [ ] c\n",
        "**A** **B**\n- [ ] c\n",
        "**A**\n\ntext\n\n- [ ] c\n",
        "*A*\n- [ ] c\n",
        "**A**\n```\nx\n```\n- [ ] c\n",
        "- [ ] **A**\n  - [ ] c\n",
        "> **A**\n\n- [ ] c\n",
        "- [ ] # A\n",
        "> # A\n\n- [ ] c\n",
    ] {
        let runbook = read(text);
        assert!(runbook.sections.iter().all(|section| section.level == 0), "{text}: {:?}", runbook.sections);
    }
    // A comment between is not there; attributes stand behind.
    for text in [
        "**A**\n\n<!-- x -->\n\n- [ ] c\n",
        "**A:** {.pause}\n- [ ] c\n",
        "**A** <!-- {.pause} -->\n- [ ] c\n",
    ] {
        assert_eq!(read(text).sections[0].title, "A", "{text}");
    }
}

/// Items have ids that stay when the file grows below them: the section and a number.
#[test]
fn items_have_ids() {
    let text = "- [ ] z\n\n# Roll *back* now! (0-5 min)\n- [ ] a\n  - [ ] b\n- [ ] c {#own}\n- [ ] d\n\n# Verify\n- [ ] e\n# Verify\n- [ ] f\n# 🚨\n- [ ] g\n# X {#verify-3}\n- [ ] h\n# Verify\n- [ ] i\n# Über uns/API\n- [ ] j\n";
    let runbook = read(text);
    let ids: Vec<_> = runbook.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "name/1",
            "roll-back-now/1",
            "roll-back-now/2",
            "own",
            "roll-back-now/4",
            "verify/1",
            "verify-2/1",
            "section/1",
            "verify-3/1",
            "verify-4/1",
            "über-uns-api/1",
        ]
    );
    assert_eq!(runbook.item("own").map(|item| item.line), Some(6));
    assert_eq!(runbook.section("verify-2").map(|section| section.items.len()), Some(1));
}

/// The same text has the same hash wherever it stands; another text, note or command has another.
#[test]
fn rewording_changes_the_hash() {
    let hashes = |text: &str| read(text).items.iter().map(|item| item.hash.clone()).collect::<Vec<_>>();
    let same = hashes("- [ ] a\n- [ ] b\n\n# X\n- [ ] a {.critical}\n");
    assert_eq!(same[0], same[2]);
    assert_ne!(same[0], same[1]);
    let command = hashes("- [ ] a\n  ```sh\n  x\n  ```\n- [ ] a\n  ```sh\n  y\n  ```\n- [ ] a\n\n  note\n");
    assert_eq!(command.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(hashes("- [ ] a\r\n  b\r\n"), hashes("- [ ] a\n  b\n"));
}

/// A fence belongs to the item it is in, or, at the margin directly behind a list, to the list's last item.
#[test]
fn fences_belong_to_items() {
    for (text, owners, unbound) in [
        ("- [ ] a\n  ```sh\n  x\n  ```\n- [ ] b\n", &[("a", 1)][..], 0),
        ("- [ ] a\n- [ ] b\n```sh\nx\n```\n", &[("b", 1)], 0),
        ("- [ ] a\n- [ ] b\n\n```sh\nx\n```\n\n```sh\ny\n```\n", &[("b", 1)], 1),
        ("- [ ] a\n  - [ ] b\n```sh\nx\n```\n", &[("a", 1)], 0),
        ("- [ ] a\n  - [ ] b\n\n    ```sh\n    x\n    ```\n", &[("b", 1)], 0),
        ("- [ ] a\n  - plain\n    ```sh\n    x\n    ```\n", &[("a", 1)], 0),
        ("- [ ] a\n\ntext\n```sh\nx\n```\n", &[], 1),
        ("- [ ] a\n<!-- c -->\n```sh\nx\n```\n", &[("a", 1)], 0),
        ("- [ ] a\n# B\n```sh\nx\n```\n", &[], 1),
        ("- plain\n```sh\nx\n```\n- [ ] a\n", &[], 1),
        ("- plain\n  ```sh\n  x\n  ```\n- [ ] a\n", &[], 1),
        ("- plain\n  ```sh\n  x\n  ```\n\n# A\n- [ ] a\n", &[], 1),
        ("1. one\n```sh\nx\n```\n2. two\n```sh\ny\n```\n", &[("one", 1), ("two", 1)], 0),
        ("1. one\n\n   ```sh\n   x\n   ```\n\n   ```\n   y\n   ```\n2. two\n", &[("one", 2)], 0),
        // Indented code is no fence, and a fence in a quote is part of the quote.
        ("- [ ] a\n\n      x\n", &[], 0),
        ("- [ ] a\n  > ```sh\n  > x\n  > ```\n", &[], 0),
        // In a document of headings the body is the item's.
        ("# A\n```sh\nx\n```\ntext\n```sh\ny\n```\n", &[("A", 2)], 0),
        ("# A\n```sh\nx\n```\n## B\n- c\n  ```sh\n  y\n  ```\n", &[("B", 1)], 1),
    ] {
        let runbook = read(text);
        let found: Vec<_> = runbook
            .items
            .iter()
            .filter(|item| !item.commands.is_empty())
            .map(|item| (item.text.as_str(), item.commands.len()))
            .collect();
        assert_eq!((found.as_slice(), runbook.unbound.len()), (owners, unbound), "{text}");
    }
    let fence = &read("- [ ] a\n\n  ```Bash title=x\n  $ ls\n  out\n  ```\n").items[0].commands[0];
    assert_eq!(
        (fence.line, fence.language.as_deref(), fence.text.as_str(), &fence.offered),
        (3, Some("bash"), "ls", &Offer::Offered)
    );
}

/// Everything else is kept as a note where it was written, so that nothing of a runbook is lost on the screen.
#[test]
fn the_rest_is_notes() {
    let text = "before\n\n# A\nprose *with* marks\n\n- plain\n  - deep\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- [ ] x\n\n  para\n\n  > quote\n  > more\n\n  - bullet\n  - two\n- plain\n  - [ ] y\n\n---\n\n<div>html <b>here</b></div>\n";
    let runbook = read(text);
    assert_eq!(runbook.notes, ["before"]);
    assert_eq!(
        runbook.sections[0].notes,
        ["prose with marks", "- plain\n  - deep", "| a | b |\n|---|---|\n| 1 | 2 |", "html here"]
    );
    assert_eq!(runbook.items[0].notes, ["para", "> quote\n> more", "- bullet\n- two"]);
    // A plain entry with items in it is their label.
    let groups: Vec<_> = runbook.items.iter().map(|item| item.group.as_deref()).collect();
    assert_eq!(groups, [None, Some("plain")]);
    let runbook =
        read("1. **Triage (0-5 min)**: look\n   - [ ] a\n     - [ ] b\n     - why\n       - [ ] c\n");
    let groups: Vec<_> = runbook.items.iter().map(|item| item.group.as_deref()).collect();
    assert_eq!(groups, [Some("Triage: look"), None, Some("why")]);
}

/// `{.steps}` makes the numbered entries of a section items in a document of tasks; beside a task it has no effect and says so.
#[test]
fn steps_can_be_asked_for() {
    let runbook =
        read("# A\n- [ ] a\n# B {.steps}\n1. b\n   1. c\n2. d\n# C\n1. no\n# D {.steps}\n1. no\n- [ ] e\n");
    assert_eq!(texts(&runbook), ["a", "b", "c", "d", "e"]);
    assert!(problems(&runbook).contains(&"9 steps-beside-tasks".to_owned()));
}

/// Windows stand in headings, in their own place, and nowhere else.
#[test]
fn windows_stand_in_headings() {
    for (heading, title, window) in [
        ("# A (0-5 minutes)", "A", Some("0-5 minutes")),
        ("# A (0-5 minutes):", "A", Some("0-5 minutes")),
        ("# Phase 1 (0-5 min): Triage", "Phase 1: Triage", Some("0-5 min")),
        ("# A (see docs) (10 min)", "A (see docs)", Some("10 min")),
        ("# A *(0-5 min)*", "A", Some("0-5 min")),
        ("# A (0-5 min) {.pause}", "A", Some("0-5 min")),
        ("# A (0-5 min) ##", "A", Some("0-5 min")),
        ("# 0-5 minutes", "0-5 minutes", Some("0-5 minutes")),
        ("# First 5 minutes:", "First 5 minutes", Some("First 5 minutes")),
        ("# (0-5 min)", "0-5 min", Some("0-5 min")),
        ("# T+15: Mitigate", "Mitigate", Some("T+15")),
        ("# T+15-30 min – Use `this`", "Use this", Some("T+15-30 min")),
        ("**A (0-5 min):**", "A", Some("0-5 min")),
        ("A (0-5 min)\n---", "A", Some("0-5 min")),
        // None of these.
        ("# A (0-5 min) (critical)", "A (0-5 min) (critical)", None),
        ("# A `(0-5 min)`", "A (0-5 min)", None),
        ("# A [(0-5 min)](x)", "A (0-5 min)", None),
        ("# [A](x) 0-5 min", "A 0-5 min", None),
        ("# `0-5 min`", "0-5 min", None),
        ("# 10 minutes", "10 minutes", None),
        ("# A 0-5 min", "A 0-5 min", None),
        ("# A (1-3 replicas)", "A (1-3 replicas)", None),
        ("# A (80-90%)", "A (80-90%)", None),
        ("# A ((0-5 min) or so)", "A ((0-5 min) or so)", None),
        ("# A (10 min) {window=none}", "A (10 min)", None),
        ("# A (9-3 min)", "A", None),
    ] {
        let runbook =
            read(&format!("{heading}\n- [ ] x (0-5 min)\n- [ ] **y (0-5 min)**\n\ntext (0-5 min)\n"));
        let section = &runbook.sections[0];
        let found = section.window.as_ref().map(|window| window.text.as_str());
        assert_eq!((section.title.as_str(), found), (title, window), "{heading}");
        assert!(runbook.items.iter().all(|item| item.window.is_none()), "{heading}");
    }
    let said = read("# A (0-5 min) {window=\"30+ min\"}\n- [ ] x\n");
    assert_eq!(said.sections[0].window.as_ref().map(|window| window.from.as_secs()), Some(1_800));
    let every = read("# A (Every 15 min)\n- [ ] x\n");
    assert_eq!(
        (every.sections[0].window.as_ref(), every.sections[0].every.map(|every| every.as_secs())),
        (None, Some(900))
    );
}

/// A numbered entry with items in it may have a window in its strong lead; one without items, or without a number, has none.
#[test]
fn numbered_groups_have_windows() {
    let window = |text: &str| -> Vec<_> {
        let runbook = read(text);
        runbook
            .items
            .iter()
            .map(|item| {
                (item.text.clone(), item.window.as_ref().map(|window| (window.text.clone(), window.line)))
            })
            .collect()
    };
    let some = |text: &str, line| Some((text.to_owned(), line));
    let found = window(
        "1. **Triage (0-5 min)**: look\n   1. a\n   2. b\n2. **Wait (5 min)**\n3. Act (5-10 min)\n   1. c\n",
    );
    assert_eq!(found[0], ("Triage : look".replace(" :", ":"), some("0-5 min", 1)));
    assert_eq!(found[1], ("a".to_owned(), None));
    assert_eq!(found[3], ("Wait (5 min)".to_owned(), None));
    assert_eq!(found[4], ("Act (5-10 min)".to_owned(), None));
    // The group is no item where tasks are: the tasks in it have its window.
    let found = window(
        "1. **Triage (0-5 min)**\n   - [ ] a\n   - [ ] b\n2. **Act (5-10 min)**\n   - [ ] c\n- **No (0-5 min)**\n  - [ ] d\n",
    );
    assert_eq!(
        found,
        [
            ("a".to_owned(), some("0-5 min", 1)),
            ("b".to_owned(), some("0-5 min", 1)),
            ("c".to_owned(), some("5-10 min", 4)),
            ("d".to_owned(), None),
        ]
    );
}

/// Times are counted from where the headings say.
#[test]
fn anchors_follow_the_headings() {
    for (text, anchor) in [
        ("# A (0-5 min)", Anchor::Declared),
        ("# A (10 min)", Anchor::Section),
        ("# Post-incident (1-2 days)", Anchor::Resolved),
        ("# Post-Mortem (within 2 days)", Anchor::Resolved),
        ("# Retrospective (first 2 days)", Anchor::Resolved),
        ("# Postmortem\n## Write it (1-2 days)", Anchor::Resolved),
        ("# Post-deploy checks (0-5 min)", Anchor::Section),
        ("# Post-deploy\n## Look (0-5 min)", Anchor::Section),
        ("# Post the status (0-5 min)", Anchor::Declared),
        ("# Compost-incident (0-5 min)", Anchor::Declared),
        ("# A (0-5 min) {anchor=detected}", Anchor::Detected),
        ("# A {anchor=detected}\n## B (0-5 min)", Anchor::Detected),
        ("# A {anchor=detected}\n## B (5 min)", Anchor::Section),
        ("# Post-mortem (1 day) {anchor=declared}", Anchor::Declared),
    ] {
        let runbook = read(&format!("{text}\n- [ ] x\n"));
        assert_eq!(runbook.sections.last().unwrap().anchor, anchor, "{text}");
    }
}

/// A window warns at 80 %, at the first number of `first 5-10 minutes`, or where it is said.
#[test]
fn windows_warn() {
    for (heading, warn) in [
        ("# A (0-10 min)", Some(480)),
        ("# A (5-15 min)", Some(780)),
        ("# A (first 5-10 min)", Some(300)),
        ("# A (0-10 min) {warn=50%}", Some(300)),
        ("# A (0-10 min) {warn=7m}", Some(420)),
        ("# A (30+ min)", None),
        ("# A {within=10m}", Some(480)),
    ] {
        let runbook = read(&format!("{heading}\n- [ ] x\n"));
        let found = runbook.sections[0].window.as_ref().and_then(|window| window.warn_at);
        assert_eq!(found.map(|at| at.as_secs()), warn, "{heading}");
    }
}
