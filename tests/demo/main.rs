//! `unship demo --headless` as people and scripts run it: every built-in scenario from start to end, with its exit code,
//! its events and its account.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod run;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;
use unship::lab::Scenario;

use crate::run::Run;

/// What is expected of one run.
#[derive(Clone, Copy)]
struct Case {
    scenario: &'static str,
    /// Whether it may roll back by itself.
    auto: bool,
    check: fn(&Run),
}

/// The longest first, so that nothing long is left when the rest is done.
const CASES: &[Case] = &[
    Case { scenario: "healthy", auto: true, check: nothing_is_changed_when_nothing_is_wrong },
    Case { scenario: "forward", auto: true, check: a_canary_is_brought_in },
    Case { scenario: "forward-bad", auto: true, check: a_canary_goes_back },
    Case { scenario: "memory-leak", auto: true, check: it_is_taken_back },
    Case { scenario: "bad-canary", auto: false, check: it_is_only_recommended },
    Case { scenario: "both-bad", auto: true, check: it_holds_when_stable_is_bad_too },
    Case { scenario: "no-traffic", auto: true, check: a_canary_without_traffic_is_never_healthy },
    Case { scenario: "dependency-down", auto: true, check: a_dependency_is_no_reason_to_go_back },
    Case { scenario: "flapping", auto: true, check: flapping_is_no_reason_to_go_back },
    Case { scenario: "slow-canary", auto: true, check: it_is_taken_back },
    Case { scenario: "bad-release", auto: true, check: it_is_taken_back },
    Case { scenario: "hang", auto: true, check: it_is_taken_back },
    Case { scenario: "crash", auto: true, check: it_is_taken_back },
    Case { scenario: "bad-canary", auto: true, check: the_default_shows_the_whole_loop },
];

/// Demos that run beside each other for each processor, in the first round and in those after it: they mostly wait.
const BESIDE: [usize; 3] = [3, 1, 1];

/// Each scenario ends as it should; the names of the checks say what. If one fails, the loop of sensing, deciding, acting and
/// verifying does not do on real HTTP what it promises.
#[test]
fn every_scenario_ends_as_it_should() {
    let failed = Mutex::new(Vec::new());
    let mut cases: VecDeque<Case> = CASES.iter().copied().collect();
    for (round, beside) in BESIDE.into_iter().enumerate() {
        let is_last = round + 1 == BESIDE.len();
        let (waiting, slow) = (Mutex::new(cases), Mutex::new(VecDeque::new()));
        let workers = beside * std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    // The lock is held while the next one is taken, not while it runs.
                    let next = || lock(&waiting).pop_front();
                    while let Some(case) = next() {
                        let run = Run::start(case.scenario, case.auto).wait();
                        let passed = catch_unwind(AssertUnwindSafe(|| (case.check)(&run))).is_ok();
                        if passed {
                            continue;
                        }
                        let (name, code) = (case.scenario, run.code);
                        if run.was_starved() && !is_last {
                            eprintln!("{name}: the machine was too slow for it, it is run again");
                            lock(&slow).push_back(case);
                        } else {
                            eprintln!("--- {name} (exit code {code:?}) said:\n{}", run.stderr);
                            lock(&failed).push(name);
                        }
                    }
                });
            }
        });
        cases = slow.into_inner().unwrap();
    }
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "these did not end as they should: {failed:?}");
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scenarios that are built in are the ones that are run here.
#[test]
fn no_scenario_is_left_out() {
    for scenario in Scenario::builtin() {
        let name = &scenario.name;
        assert!(CASES.iter().any(|case| case.scenario == name), "`{name}` is not run");
    }
}

fn it_is_taken_back(run: &Run) {
    assert_eq!(run.code, Some(0));
    assert_eq!(run.count("operation_planned"), 1);
    let ended = run.one("operation_ended");
    assert_eq!(ended["outcome"], "verified", "{ended}");
    let planned = &run.one("operation_planned")["plan"];
    assert_eq!(
        (&planned["service"], &planned["from"]["version"], &planned["to"]["version"]),
        (&"checkout".into(), &"2.9.0".into(), &"2.8.0".into())
    );
    let account = run.conclusion();
    for words in ["fault began", "detected", "traffic back", "verified"] {
        assert!(account.contains(words), "`{words}` is not in the conclusion:\n{account}");
    }
}

fn the_default_shows_the_whole_loop(run: &Run) {
    it_is_taken_back(run);
    for (index, line) in run.events.iter().enumerate() {
        assert!(line["at"].is_string() && line["type"].is_string(), "{line}");
        assert_eq!(line["seq"], index + 1, "{line}");
    }
    assert!(run.fleet.iter().all(|line| line["at"].is_string() && line["text"].is_string()));
    assert!(run.fleet.iter().any(|line| line["text"].as_str().unwrap().contains("30 % errors")));
    // Nothing is done before it is said, and nothing is said twice.
    let order = [
        "finding_raised",
        "decision_made",
        "operation_planned",
        "step_started",
        "step_succeeded",
        "traffic_back",
        "operation_ended",
    ];
    let places = order.map(|kind| run.events.iter().position(|event| event["type"] == kind).unwrap());
    assert!(places.is_sorted(), "{order:?} came at {places:?}");
    run.the_record_can_be_read();
}

fn it_is_only_recommended(run: &Run) {
    assert_eq!(run.code, Some(3));
    run.changed_nothing();
    assert!(run.decided("roll_back_immediately"));
    let account = run.conclusion();
    assert!(account.contains("roll back immediately"), "{account}");
    assert!(account.contains("automatic forbids it: automatic action is off"), "{account}");
}

fn nothing_is_changed_when_nothing_is_wrong(run: &Run) {
    assert_eq!(run.code, Some(0));
    run.changed_nothing();
    assert!(!run.decided("roll_back_immediately") && !run.decided("roll_back_gradually"));
    assert!(run.conclusion().contains("nothing was wrong and nothing was changed"));
}

fn it_holds_when_stable_is_bad_too(run: &Run) {
    assert_eq!(run.code, Some(3));
    run.changed_nothing();
    assert!(run.conclusion().contains("stable is bad too"), "{}", run.conclusion());
}

/// A whole canary: every stage of the config in its order, all of them watched, and verified at the end.
fn a_canary_is_brought_in(run: &Run) {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let planned = run.one("operation_planned");
    assert_eq!(planned["plan"]["kind"], json!({ "what": "deploy", "how": "canary" }));
    let steps = planned["plan"]["steps"].as_array().unwrap();
    let stages: Vec<_> = steps.iter().filter_map(|step| step["action"]["percent"].as_u64()).collect();
    assert_eq!(stages, [40, 60, 80]);
    assert_eq!(run.count("step_succeeded"), steps.len());
    assert_eq!(run.one("operation_ended")["outcome"], "verified");
}

/// One that fails with users on it goes back at once, by the ordinary rollback.
fn a_canary_goes_back(run: &Run) {
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(run.count("operation_planned"), 2);
    assert!(run.stderr.contains("is failing at 40 %"), "{}", run.stderr);
    assert!(run.stderr.contains("roll back checkout from 2.9.0 to 2.8.0"), "{}", run.stderr);
}

fn a_canary_without_traffic_is_never_healthy(run: &Run) {
    assert_eq!(run.code, Some(6));
    run.changed_nothing();
    let verdicts: Vec<_> = run.canary_verdicts().collect();
    assert!(verdicts.contains(&"unknown"), "{verdicts:?}");
    assert!(!verdicts.contains(&"healthy"), "{verdicts:?}");
    assert!(run.conclusion().contains("unknown"), "{}", run.conclusion());
}

fn a_dependency_is_no_reason_to_go_back(run: &Run) {
    assert_eq!(run.code, Some(3));
    run.changed_nothing();
}

fn flapping_is_no_reason_to_go_back(run: &Run) {
    assert_eq!(run.code, Some(3));
    run.changed_nothing();
}
