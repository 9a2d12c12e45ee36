//! What attributes make of items and sections, what is refused, what is warned of, and sidecars.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

fn condition(text: &str) -> Condition {
    Condition::parse(text).unwrap()
}

/// The maintenance page of `shop`, on or off.
fn page(on: &str) -> BTreeMap<String, Param> {
    let literal = |text: &str| Param::Literal(text.to_owned());
    [("service".to_owned(), literal("shop")), ("on".to_owned(), literal(on))].into()
}

/// One item with these attributes, of a document without any other problem.
fn item(attributes: &str) -> Item {
    let runbook = read(&format!("- [ ] a {attributes}\n  - one\n  - two\n\nThe incident is resolved.\n"));
    assert_eq!(problems(&runbook), Vec::<String>::new(), "{attributes}: {:?}", runbook.problems);
    runbook.items[0].clone()
}

/// Each kind of item is what its attributes say.
#[test]
fn attributes_make_kinds() {
    let secs = Duration::from_secs;
    for (attributes, kind) in [
        ("", Kind::Manual),
        (
            "{sense=incident.scoped}",
            Kind::Sensed { sense: condition("incident.scoped"), held: secs(0), auto: false },
        ),
        (
            "{sense=\"canary.p99 < 1s\" for=30s confirm=auto}",
            Kind::Sensed { sense: condition("canary.p99 < 1s"), held: secs(30), auto: true },
        ),
        ("{wait=5m}", Kind::Wait { time: secs(300) }),
        (
            "{hold=\"services.failing == 0\" for=10m}",
            Kind::Hold { hold: condition("services.failing == 0"), held: secs(600) },
        ),
        ("{ask=who}", Kind::Record { name: "who".to_owned(), value: RecordKind::Text }),
        ("{ask=who type=number}", Kind::Record { name: "who".to_owned(), value: RecordKind::Number }),
        ("{ask=who type=time}", Kind::Record { name: "who".to_owned(), value: RecordKind::Time }),
        (
            "{ask=who type=choice}",
            Kind::Record {
                name: "who".to_owned(),
                value: RecordKind::Choice { choices: vec!["one".to_owned(), "two".to_owned()] },
            },
        ),
        ("{every=20m}", Kind::Cadence { every: secs(1_200) }),
        (
            "{do=acknowledge}",
            Kind::Action {
                action: "acknowledge".to_owned(),
                params: [].into(),
                verify: None,
                held: secs(0),
                verify_within: secs(300),
                timeout: None,
                retries: 0,
                undo: None,
            },
        ),
        (
            "{do=\"rollback service=checkout to=stable.version\" verify=rollback.started within=3m for=10s}",
            Kind::Action {
                action: "rollback".to_owned(),
                params: [
                    ("service".to_owned(), Param::Literal("checkout".to_owned())),
                    ("to".to_owned(), Param::Live(Path::parse("stable.version").unwrap())),
                ]
                .into(),
                verify: Some(condition("rollback.started")),
                held: secs(10),
                verify_within: secs(180),
                timeout: None,
                retries: 0,
                undo: None,
            },
        ),
        (
            "{do=\"maintenance service=shop on=true\" timeout=2m retry=2 undo=\"maintenance service=shop on=false\"}",
            Kind::Action {
                action: "maintenance".to_owned(),
                params: page("true"),
                verify: None,
                held: secs(0),
                verify_within: secs(300),
                timeout: Some(secs(120)),
                retries: 2,
                undo: Some(Undo { action: "maintenance".to_owned(), params: page("false") }),
            },
        ),
        // A sense beside an action is what verifies it.
        (
            "{do=rollback sense=rollback.started}",
            Kind::Action {
                action: "rollback".to_owned(),
                params: [].into(),
                verify: Some(condition("rollback.started")),
                held: secs(0),
                verify_within: secs(300),
                timeout: None,
                retries: 0,
                undo: None,
            },
        ),
    ] {
        assert_eq!(item(attributes).kind, kind, "{attributes}");
    }
}

/// Flags and the rest say what they say.
#[test]
fn attributes_make_flags() {
    let item = item(
        "{.critical sense=incident.scoped .latch when=canary.present within=10m warn=50% role=IC escalate=primary@2 defer=30m stale=1m}",
    );
    assert!(item.critical && item.latch && item.countable);
    assert_eq!(item.when, Some(condition("canary.present")));
    assert_eq!(item.within, Some(Duration::from_secs(600)));
    assert_eq!(item.warn, Some(Warn::Share(0.5)));
    assert_eq!(item.role.as_deref(), Some("ic"));
    assert_eq!(item.escalate, Some(Escalate { policy: "primary".to_owned(), level: 2 }));
    assert_eq!(item.defer.as_deref(), Some("30m"));
    assert_eq!(item.stale, Some(Duration::from_secs(60)));
    assert_eq!(item.approve, 1);
    assert!(!self::item("{.note}").countable);

    let runbook = read(
        "# A (0-5 min) {#a .pause order=strict when=canary.present role=scribe escalate=duty every=1h}\n- [ ] x\n",
    );
    let section = &runbook.sections[0];
    assert!(section.pause && section.strict);
    assert_eq!(section.when, Some(condition("canary.present")));
    assert_eq!(section.role.as_deref(), Some("scribe"));
    assert_eq!(section.escalate, Some(Escalate { policy: "duty".to_owned(), level: 1 }));
    assert_eq!(section.every, Some(Duration::from_secs(3_600)));
}

/// A decision has its options with what recommends them.
#[test]
fn decisions_have_options() {
    let runbook = read(
        "- [ ] Which? {.decide confirm=auto for=10s}\n  - [ ] Yes {when=\"canary.error_rate > 5%\" for=1m}\n    - [ ] deep\n  - [ ] No\n\nDone.\n",
    );
    assert_eq!(problems(&runbook), Vec::<String>::new());
    assert_eq!(
        runbook.items[0].kind,
        Kind::Decision { options: vec![1, 3], held: Duration::from_secs(10), auto: true }
    );
    assert_eq!(runbook.items[1].when_held, Duration::from_secs(60));
}

/// On the heading of a document of headings attributes are the item's and the section's.
#[test]
fn headings_can_be_items_with_attributes() {
    let runbook = read(
        "# Top\n## Health {#h sense=\"services.failing == 0\" .critical .pause role=ic}\ntext\n\nThe incident is over.\n",
    );
    assert_eq!(problems(&runbook), Vec::<String>::new());
    assert_eq!(
        (runbook.items[0].id.as_str(), runbook.items[0].kind.word(), runbook.items[0].critical),
        ("h", "sensed", true)
    );
    assert_eq!((runbook.sections[1].pause, runbook.sections[1].role.as_deref()), (true, Some("ic")));
    assert_eq!(runbook.items[0].notes, ["text", "The incident is over."]);
}

/// Each mistake is an error with the line it is in and its rule.
#[test]
fn mistakes_are_errors() {
    for (text, rule) in [
        ("- [ ] a {#x}\n- [ ] b {#x}", "2 duplicate-id"),
        ("# A {#x}\n- [ ] b {#x}", "2 duplicate-id"),
        ("- [ ] a {#x #y}", "1 duplicate-attribute"),
        ("- [ ] a {.critical role=ic role=scribe}", "1 duplicate-attribute"),
        ("- [ ] a {.critical .urgent}", "1 unknown-attribute"),
        ("- [ ] a {#x .critcal}", "1 unknown-attribute"),
        ("- [ ] a {.critical .sense}", "1 unknown-attribute"),
        ("- [ ] a {.critical note=x}", "1 unknown-attribute"),
        ("- [ ] a {approve=2}", "1 misplaced-attribute"),
        ("- [ ] a {do=rollback approve=3}", "1 bad-value"),
        ("- [ ] a {wait=5m .cross-check}", "1 misplaced-attribute"),
        ("- [ ] a {do=rollback .cross-check}", "1 misplaced-attribute"),
        ("- [ ] a {do=rollback undo=x}", "1 unknown-action"),
        ("- [ ] a {do=rollback undo=\"freeze service=$who\"}", "1 unknown-record"),
        ("- [ ] a {do=rollback retry=2}", "1 misplaced-attribute"),
        ("- [ ] a {do=\"scale service=shop to=6\" retry=9}", "1 bad-value"),
        ("- [ ] a {do=\"freeze service=shop\" timeout=2m}", "1 misplaced-attribute"),
        ("- [ ] a {do=rollback timeout=soon}", "1 bad-value"),
        ("- [ ] a {timeout=2m}", "1 misplaced-attribute"),
        ("- [ ] a {retry=2}", "1 misplaced-attribute"),
        ("- [ ] a {undo=acknowledge}", "1 misplaced-attribute"),
        ("- [ ] a {.pause}", "1 misplaced-attribute"),
        ("- [ ] a {anchor=section}", "1 misplaced-attribute"),
        ("# A {sense=incident.scoped}\n- [ ] a", "1 misplaced-attribute"),
        ("- [ ] a {for=1m}", "1 misplaced-attribute"),
        ("- [ ] a {verify=incident.scoped}", "1 misplaced-attribute"),
        ("- [ ] a {type=text}", "1 misplaced-attribute"),
        ("- [ ] a {confirm=auto}", "1 misplaced-attribute"),
        ("- [ ] a {do=rollback confirm=auto}", "1 misplaced-attribute"),
        ("- [ ] a {stale=1m}", "1 misplaced-attribute"),
        ("- [ ] a {warn=50%}", "1 misplaced-attribute"),
        ("- [ ] a {.latch}", "1 misplaced-attribute"),
        ("# A (30+ min) {warn=50%}\n- [ ] a", "1 misplaced-attribute"),
        ("- [ ] a\n  ```sh {.critical}\n  ls\n  ```", "2 misplaced-attribute"),
        ("- [ ] a {do=rollback wait=5m}", "1 attribute-conflict"),
        ("- [ ] a {sense=incident.scoped hold=incident.scoped for=1m}", "1 attribute-conflict"),
        ("- [ ] a {do=rollback ask=x}", "1 attribute-conflict"),
        ("- [ ] a {do=rollback sense=incident.scoped verify=incident.scoped}", "1 attribute-conflict"),
        ("- [ ] a {sense=\"incident.scopd\"}", "1 unknown-name"),
        ("- [ ] a {when=\"canary.health == 'fine'\"}", "1 unknown-name"),
        ("- [ ] a {sense=\"canary.error_rate < 1\"}", "1 unit"),
        ("- [ ] a {sense=\"canary.error_rate <\"}", "1 condition"),
        ("- [ ] a {hold=incident.scoped}", "1 bad-value"),
        ("- [ ] a {wait=soon}", "1 bad-value"),
        ("- [ ] a {wait=0s}", "1 bad-value"),
        ("- [ ] a {role=boss}", "1 bad-value"),
        ("- [ ] a {sense=incident.scoped confirm=maybe}", "1 bad-value"),
        ("- [ ] a {escalate=primary@x}", "1 bad-value"),
        ("- [ ] a {within=5m warn=150%}", "1 bad-value"),
        ("- [ ] a {ask=\"two words\"}", "1 bad-value"),
        ("- [ ] a {ask=x type=colour}", "1 bad-value"),
        ("- [ ] a {ask=x type=choice}", "1 bad-value"),
        ("# A {window=soon}\n- [ ] a", "1 bad-value"),
        ("# A {window=\"5-1 min\"}\n- [ ] a", "1 bad-value"),
        ("# A {order=random}\n- [ ] a", "1 bad-value"),
        ("---\nchecklist: task\n---\n- [ ] a", "2 bad-value"),
        ("- [ ] a {do=reboot}", "1 unknown-action"),
        ("- [ ] a {do=\"rollback force=yes\"}", "1 unknown-action"),
        ("- [ ] a {do=\"freeze\"}", "1 unknown-action"),
        ("- [ ] a {do=\"rollback service=$who\"}", "1 unknown-record"),
        ("- [ ] a {do=\"rollback service=$who\"}\n- [ ] b {ask=who}", "1 unknown-record"),
        ("- [ ] a {ask=who}\n- [ ] b {ask=who}", "2 duplicate-record"),
        ("- [ ] a {.decide}\n  - [ ] one", "1 decision-options"),
        ("- [ ] a {.decide}\n  - one\n  - two", "1 decision-options"),
        ("- [ ] a {defer=later}", "1 unknown-section"),
        ("# A {.pause}\n- [ ] a {defer=b}\n# B\n- [ ] c", "2 gate-cycle"),
    ] {
        let runbook = read(&format!("{text}\n\nDone.\n"));
        let errors: Vec<_> = runbook
            .problems
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .map(|problem| format!("{} {}", problem.line, problem.rule))
            .collect();
        assert_eq!(errors, [rule], "{text}: {:?}", runbook.problems);
        assert_known(&runbook);
        assert!(runbook.has_errors());
    }
    for text in [
        "- [ ] a {ask=who}\n- [ ] b {do=\"rollback service=$who\"}",
        "# A\n- [ ] a {defer=b}\n# B\n- [ ] c",
        "- [ ] a {defer=resolved}",
    ] {
        assert!(!read(text).has_errors(), "{text}: {:?}", read(text).problems);
    }
}

/// Where two people have to agree there have to be two, and who is told has to be somebody.
#[test]
fn the_roster_is_checked() {
    let rules = |text: &str, actions: &ActionTable| -> Vec<&'static str> {
        let runbook = Runbook::parse("it", text, &Registry::unchecked(), actions).unwrap();
        runbook
            .problems
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .map(|problem| problem.rule)
            .collect()
    };
    let table = || ActionTable::unchecked().with_policies([("primary".to_owned(), 2)]);
    let both = "- [ ] a {do=rollback approve=2}\n- [ ] b {.cross-check}\n";
    assert_eq!(rules(both, &table().with_people(1)), ["too-few-people", "too-few-people"]);
    assert_eq!(rules(both, &table().with_people(2)), [""; 0]);
    assert_eq!(rules(both, &table()), [""; 0], "anybody may act");
    assert_eq!(rules("# A {escalate=primary@3}\n- [ ] a", &table()), ["unknown-policy"]);
    assert_eq!(rules("- [ ] a {within=5m escalate=secondary}", &table()), ["unknown-policy"]);
    assert_eq!(rules("- [ ] a {within=5m escalate=primary@2}", &table()), [""; 0]);
}

/// What would trip a person is a warning with its line.
#[test]
fn habits_are_warned_of() {
    let long = "- [ ] x\n".repeat(10);
    for (text, warnings) in [
        ("- [ ] a", &[][..]),
        (long.as_str(), &["1 long-list"]),
        ("- [ ] a\n- [ ] b {.critical}", &["2 critical-not-first"]),
        ("- [ ] b {.critical}\n- [ ] a", &[]),
        ("- [ ] Stop it and then start it", &["1 two-in-one"]),
        ("- [ ] Check the dashboard", &["1 no-desired-value"]),
        ("- [ ] Check the dashboard {sense=incident.scoped}", &[]),
        ("- [ ] Check the dashboard\n  - no red line", &[]),
        ("- [x] a", &["1 ticked-in-source"]),
        // What other programs write beside an id.
        ("# A {#x .unnumbered}\n- [ ] a", &["1 near-miss"]),
        ("- [ ] a\n  ```sh {#x .numbered}\n  ls\n  ```", &[]),
        ("- [ ]", &["1 empty-item"]),
        ("> - [ ] a\n\n- [ ] b", &["1 task-in-quote"]),
        ("- [ ] a\n  ```sh\n  kubectl logs <pod>\n  ```", &["2 command-placeholder"]),
        ("- [ ] a\n  ```sh\n  kubectl rollout undo x\n  ```", &["2 fence-like-action"]),
        ("- [ ] a {do=rollback}\n  ```sh\n  kubectl rollout undo x\n  ```", &[]),
        ("# A (0-5 min)\n# B (10-15 min)\n- [ ] a", &["2 window-gap"]),
        ("# A (0-5 min)\n# B (3-15 min)\n- [ ] a", &["2 window-overlap"]),
        ("# A (30+ min)\n# B (40+ min)\n- [ ] a", &["2 window-overlap"]),
        ("# A (5-10 min)\n# B (0-5 min)\n- [ ] a", &["2 window-order"]),
        ("# A (10-5 min)\n- [ ] a", &["1 window-inverted"]),
        ("# A (0-5 min)\n## B (3-10 min)\n- [ ] a", &["2 window-outside"]),
        ("# A (0-5 min)\n## B (0-2 min)\n## C (2-5 min)\n# D (5-10 min)\n- [ ] a", &[]),
        ("# A (T-30)\n# B (T+0-5)\n# C (T+5-10)\n- [ ] a", &[]),
        // Counted from elsewhere, or only how long it may take.
        ("# A (0-5 min)\n# Post-mortem (1-2 days)\n- [ ] a", &[]),
        ("# A (0-5 min)\n# B (10 min)\n# C (5-10 min)\n- [ ] a", &[]),
        ("1. **A (0-5 min)**\n   - [ ] a\n2. **B (10-15 min)**\n   - [ ] b", &["3 window-gap"]),
    ] {
        let runbook = read(&format!("{text}\n\nDone.\n"));
        assert_eq!(problems(&runbook), warnings, "{text}: {:?}", runbook.problems);
        assert_known(&runbook);
        assert!(!runbook.has_errors());
    }
    assert_eq!(problems(&read("- [ ] a\n")), ["1 no-completion-line"]);
    assert_eq!(problems(&read("text\n")), ["1 no-items"]);
}

fn bound(text: &str, sidecar: &str) -> Runbook {
    let mut runbook = read(text);
    runbook.bind("name.bind.toml", sidecar, &Registry::unchecked(), &ActionTable::unchecked());
    runbook
}

/// A sidecar makes items of another team's runbook sensed and dispatched without a change of its file.
#[test]
fn a_sidecar_binds_items() {
    let text = "# Stabilise (5-15 min)\n- [ ] Post a status\n- [ ] Error rate below 1% {.critical sense=incident.scoped}\n\nDone.\n";
    let sidecar = "['stabilise/1']\ndo = 'acknowledge'\n[\"stabilise/2\"]\nsense = \"stable.error_rate < 1%\"\nfor = '30s'\ncritical = false\n[stabilise]\npause = true\n";
    let runbook = bound(text, sidecar);
    assert_eq!(problems(&runbook), Vec::<String>::new());
    assert_eq!(runbook.items[0].kind.word(), "action");
    let expected = Kind::Sensed {
        sense: condition("stable.error_rate < 1%"),
        held: Duration::from_secs(30),
        auto: false,
    };
    assert_eq!(runbook.items[1].kind, expected);
    assert!(!runbook.items[1].critical && runbook.sections[0].pause);
    assert_eq!(runbook.sha256, read(text).sha256);
    // A heading that is an item takes what is the item's and what is the section's.
    let runbook = bound(
        "# A\n# B\n",
        "[\"b/1\"]\nsense = \"incident.scoped\"\nrole = \"ic\"\n[a]\nsense = 'incident.scoped'\n",
    );
    let kinds: Vec<_> = runbook.items.iter().map(|item| item.kind.word()).collect();
    assert_eq!(
        (kinds.as_slice(), runbook.sections[1].role.as_deref()),
        (&["sensed", "sensed"][..], Some("ic"))
    );
    // The later sidecar outweighs the earlier one.
    let mut runbook = bound("- [ ] a\n", "['name/1']\nwait = '1m'\n");
    runbook.bind("b.toml", "['name/1']\nwait = '2m'\n", &Registry::unchecked(), &ActionTable::unchecked());
    assert_eq!(runbook.items[0].kind, Kind::Wait { time: Duration::from_secs(120) });
}

/// A mistake in a sidecar is an error with its file and line.
#[test]
fn a_sidecar_is_checked() {
    for (sidecar, place, rule, part) in [
        ("['name/3']\nwait = '1m'\n", "name.bind.toml:1", "unknown-item", "did you mean `name/"),
        ("\n['name/1']\nsens = 'x'\n", "name.bind.toml:3", "unknown-attribute", "did you mean `sense`"),
        (
            "['name/1']\nsense = 'incident.scopd'\n",
            "name.bind.toml:2",
            "unknown-name",
            "did you mean `incident.scoped`",
        ),
        ("['name/1']\ncritical = 'yes'\n", "name.bind.toml:2", "bad-value", "critical = true"),
        ("['name/1']\nwait = 5\n", "name.bind.toml:2", "bad-value", "wait = \"…\""),
        (
            "['name/1']\ndo = 'rollback'\nretry = '2'\n",
            "name.bind.toml:3",
            "misplaced-attribute",
            "a person decides",
        ),
        ("['name/1']\npause = true\n", "name.bind.toml:2", "misplaced-attribute", "belongs on a heading"),
        ("wait = '5m'\n", "name.bind.toml:1", "sidecar-syntax", "no table"),
        ("['name/1'\nwait = '5m'\n", "name.bind.toml:1", "sidecar-syntax", "no TOML"),
    ] {
        let runbook = bound("- [ ] a\n- [ ] b\n\nDone.\n", sidecar);
        let errors: Vec<_> =
            runbook.problems.iter().filter(|problem| problem.level == Level::Error).collect();
        assert!(!errors.is_empty(), "{sidecar}");
        assert_known(&runbook);
        assert_eq!(errors[0].rule, rule, "{sidecar}: {errors:?}");
        let shown = errors[0].to_string();
        assert!(shown.starts_with(place) && shown.contains(part), "{sidecar}: {shown}");
    }
}
