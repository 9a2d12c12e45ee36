//! Documents and what is read of them: the cases that a reader of plain Markdown gets wrong.

mod bait;
mod limits;
mod mapping;
mod meaning;

use super::*;

/// A document read without a config.
fn read(text: &str) -> Runbook {
    Runbook::parse("name", text, &Registry::unchecked(), &ActionTable::unchecked()).unwrap()
}

/// What is wrong with it: `line rule`.
fn problems(runbook: &Runbook) -> Vec<String> {
    runbook.problems.iter().map(|problem| format!("{} {}", problem.line, problem.rule)).collect()
}

/// Every rule that is broken somewhere in the tests is one that the documentation has, at that level.
fn assert_known(runbook: &Runbook) {
    for problem in &runbook.problems {
        let is_known = RULES.iter().any(|(rule, level, _)| *rule == problem.rule && *level == problem.level);
        assert!(is_known, "not in RULES: {problem}");
    }
}

fn texts(runbook: &Runbook) -> Vec<&str> {
    runbook.items.iter().map(|item| item.text.as_str()).collect()
}

/// The built-in runbook has the items that journals name, is of the kinds that it promises, and passes its own lint.
#[test]
fn the_built_in_runbook_is_sound() {
    let runbook =
        Runbook::parse(EMERGENCY_NAME, EMERGENCY, &Registry::of([].into()), &ActionTable::of([])).unwrap();
    assert_eq!(runbook.problems, []);
    assert_eq!(runbook.title.as_deref(), Some("Emergency"));
    let phases: Vec<_> = runbook.sections.iter().filter(|section| !section.items.is_empty()).collect();
    let minutes =
        |window: &Window| (window.from.as_secs() / 60, window.until.map(|until| until.as_secs() / 60));
    let found: Vec<_> = phases
        .iter()
        .map(|section| (section.title.as_str(), minutes(section.window.as_ref().unwrap()), section.anchor))
        .collect();
    let declared = Anchor::Declared;
    assert_eq!(
        found,
        [
            ("Assess and decide", (0, Some(5)), declared),
            ("Take it back", (5, Some(15)), declared),
            ("Make sure", (15, Some(30)), declared),
            ("Afterwards", (30, None), declared),
        ]
    );
    let items: Vec<_> =
        runbook.items.iter().map(|item| format!("{} {}", item.id, item.kind.word())).collect();
    assert_eq!(
        items,
        [
            "acknowledge action",
            "assess-severity manual",
            "look-at-dashboards manual",
            "decide-scope sensed",
            "start-rollback action",
            "execute sensed",
            "watch manual",
            "verify-health sensed",
            "confirm-stability hold",
            "smoke-tests manual",
            "critical-flows manual",
            "error-rates sensed",
            "database-integrity manual",
            "tell-stakeholders manual",
            "write-timeline manual",
            "schedule-post-mortem manual",
            "plan-fix manual",
        ]
    );
}

/// A runbook can be handed between threads and written as JSON with its times in milliseconds.
#[test]
fn a_runbook_is_data() {
    fn is_data<T: Clone + PartialEq + std::fmt::Debug + serde::Serialize + Send + Sync>(_: &T) {}
    let runbook = read("## A (0-5 min)\n- [ ] x {sense=\"canary.error_rate<1%\" for=30s}\n");
    is_data(&runbook);
    let json = serde_json::to_value(&runbook).unwrap();
    assert_eq!(json["tier"], "tasks");
    assert_eq!(json["sections"][0]["window"]["until_ms"], 300_000);
    assert_eq!(json["items"][0]["kind"]["kind"], "sensed");
    assert_eq!(json["items"][0]["kind"]["sense"], "canary.error_rate < 1%");
    assert_eq!(json["items"][0]["kind"]["held_ms"], 30_000);
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
}
