//! Which release is returned to: by what is recorded of it, where other tools take the one before. Their known mistakes are
//! asserted the other way round.

use jiff::Timestamp;
use serde_json::Value;
use unship::engine::ServiceState;
use unship::engine::state::Mark;
use unship::engine::target;
use unship::model::command::Actor;
use unship::model::release::{Arm, Inventory, Quality, Release, Share};
use unship::model::trigger::Verdict;

use crate::reference::read;

/// A service with these releases, oldest first, of which one serves as stable and one may be the canary.
fn service(releases: &[(&str, Quality)], stable: &str, canary: Option<&str>) -> ServiceState {
    let at = |place: usize| Timestamp::from_second(1_800_000_000 + i64::try_from(place).unwrap()).unwrap();
    let release = |(place, (version, _)): (usize, &(&str, Quality))| Release {
        version: (*version).into(),
        reference: (*version).into(),
        created_at: at(place),
        author: None,
        schema: None,
        running: true,
    };
    let share = |version: &str, arm, percent| Share { reference: version.into(), arm, percent };
    let traffic = match canary {
        Some(canary) => vec![share(stable, Arm::Stable, 90), share(canary, Arm::Canary, 10)],
        None => vec![share(stable, Arm::Stable, 100)],
    };
    let inventory = Inventory {
        releases: releases.iter().enumerate().map(release).rev().collect(),
        traffic,
        settled: true,
        ..Inventory::default()
    };
    let mark = |version: &str, quality| Mark {
        version: version.into(),
        quality,
        at: at(0),
        by: Actor::Person { name: "ana".into() },
        reason: "a test".into(),
    };
    let known = releases.iter().filter(|(_, quality)| *quality != Quality::Unknown);
    ServiceState {
        inventory: Some(inventory),
        qualities: known.map(|(version, quality)| ((*version).into(), mark(version, *quality))).collect(),
        ..ServiceState::default()
    }
}

/// What is returned to when this is left; none when a person has to name it.
fn chosen(service: &ServiceState, leaving: &str) -> Option<String> {
    let target = target::choose(service, &leaving.into(), None);
    assert_eq!(target.release.is_none(), target.problem.is_some(), "{target:?}");
    target.release.map(|release| release.version.to_string())
}

/// When it fails, a rollback goes to a release that was bad, back to the one that was left, or nowhere although a good one
/// is there.
#[test]
fn the_target_has_proved_itself() {
    let Some(file) = read("peers/rollback_target.json") else { return };
    let case = |name: &str| {
        let all = file["target_selection_derived"].as_array().unwrap();
        all.iter().find(|case| case["name"].as_str().unwrap().contains(name)).unwrap()
    };
    let healthy = |revision: &Value| {
        if revision["was_healthy"] == true { Quality::Good } else { Quality::Bad }
    };
    // "Undo" and "rollback" without a number go to the revision before, healthy or not. Here health decides.
    for name in ["argo/kubectl undo with no revision", "helm rollback with no revision"] {
        let case = case(name);
        let history = case["history"].as_array().unwrap();
        let names: Vec<String> = history.iter().map(|revision| revision["rev"].to_string()).collect();
        let releases: Vec<(&str, Quality)> =
            names.iter().map(String::as_str).zip(history.iter().map(healthy)).collect();
        let current = names.last().unwrap();
        let got = chosen(&service(&releases, current, None), current);
        assert_eq!(got, Some(case["safe_selection"].to_string()), "{name}");
        assert_ne!(got, Some(case["selected_rev"].to_string()), "{name}: the mistake");
    }
    // Undone twice, they are back on the bad version. Here the second one is refused: nothing else is good.
    let undone = case("undo twice toggles");
    let releases = [("A", Quality::Good), ("B", Quality::Bad)];
    assert_eq!(chosen(&service(&releases, "B", None), "B").as_deref(), undone["safe_after_each"][0].as_str());
    assert_eq!(chosen(&service(&releases, "A", None), "A"), None);
    assert_eq!(undone["image_after_each"][1], "B", "the mistake");
    // The same of Helm, where nothing is recorded: then a person has to name one.
    assert_eq!(case("helm rollback twice toggles")["image_after_each"][1], "B", "the mistake");
    assert_eq!(chosen(&service(&[("A", Quality::Unknown), ("B", Quality::Bad)], "B", None), "B"), None);
    // A hotfix over an unfinished canary goes back to what serves as stable, not to that canary.
    let hotfix = case("hotfix over an unfinished canary");
    let releases = [("1.3", Quality::Good), ("1.4", Quality::Unknown), ("1.5", Quality::Unknown)];
    let got = chosen(&service(&releases, "1.3", Some("1.5")), "1.5");
    assert_eq!(got.as_deref(), hotfix["expected_rollback_to"].as_str());
    // Only what was completed is a target; without any there is none.
    for name in ["ECS: last deployment in COMPLETED", "ECS: no COMPLETED deployment"] {
        let case = case(name);
        let releases: Vec<(&str, Quality)> = case["history"]
            .as_array()
            .unwrap()
            .iter()
            .map(|deployment| {
                let quality = match deployment["state"].as_str().unwrap() {
                    "COMPLETED" => Quality::Good,
                    "FAILED" => Quality::Bad,
                    _ => Quality::Unknown,
                };
                (deployment["id"].as_str().unwrap(), quality)
            })
            .collect();
        let current = releases.last().unwrap().0;
        let got = chosen(&service(&releases, current, None), current);
        assert_eq!(got.as_deref(), case["expected_rollback_to"].as_str(), "{name}");
    }
    println!(
        "rollback_target: {} cases of selection",
        file["target_selection_derived"].as_array().unwrap().len()
    );
}

/// When it fails, traffic goes back to a release that is failing itself, as with Flagger before fluxcd/flagger#1898: its
/// canary is left for a primary that is not ready. Here that has a problem, which a person has to take upon themselves.
#[test]
fn a_failing_stable_is_no_target_by_itself() {
    let releases = [("A", Quality::Good), ("B", Quality::Unknown)];
    let mut service = service(&releases, "A", Some("B"));
    let leaving = "B".into();
    assert_eq!(target::choose(&service, &leaving, None).problem, None);
    let failing = Verdict::Failing { reasons: vec!["not ready".to_owned()] };
    service.arms.insert(Arm::Stable, (failing, Timestamp::UNIX_EPOCH));
    let problem = target::choose(&service, &leaving, None).problem;
    assert!(problem.is_some_and(|problem| problem.contains("failing now: not ready")));
}

/// When it fails, a release far back is no target although it is good. Argo skips its analysis for a target within a window
/// of revisions (modelled here); how far back a target is means nothing to this program, which has seen its health.
#[test]
fn how_far_back_it_is_does_not_matter() {
    let Some(file) = read("peers/rollback_target.json") else { return };
    let window = &file["fast_track_window"];
    // Oldest first; experiments are no revisions.
    let revisions = ["foo-4", "foo-3", "foo-2", "foo-1", "foo"];
    let place = |value: &Value| revisions.iter().position(|revision| Some(*revision) == value.as_str());
    let mut compared = 0;
    for case in window["cases"].as_array().unwrap() {
        let (stable, target) = (place(&case["stable"]), place(&case["target"]));
        let width = case["window"].as_u64().unwrap() as usize;
        let is_within = match (stable, target) {
            (Some(stable), Some(target)) => target < stable && stable - target - 1 < width,
            _ => false,
        };
        assert_eq!(is_within, case["expected_within"] == true, "{case}");
        compared += 1;
        let (Some(stable), Some(target)) = (stable, target) else { continue };
        if target < stable {
            let quality = |revision: usize| if revision == target { Quality::Good } else { Quality::Unknown };
            let releases: Vec<(&str, Quality)> =
                revisions[..=stable].iter().enumerate().map(|(i, name)| (*name, quality(i))).collect();
            let got = chosen(&service(&releases, revisions[stable], None), revisions[stable]);
            assert_eq!(got.as_deref(), Some(revisions[target]), "{case}");
        }
    }
    println!("rollback_target: {compared} windows");
}
