//! What became of each release, as tables of what happened.

use std::time::Duration;

use super::*;
use crate::model::Span;
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::operation::{Action, Plan, PlanKind, Step, Strategy};
use crate::model::platform::{Declares, PlatformAction};
use crate::model::release::{Inventory, Share};

/// What happens, one a minute.
#[derive(Clone, Copy)]
enum Do {
    /// The platform shows this release as stable, and perhaps one as the canary.
    Shows(&'static str, Option<&'static str>),
    /// A rollback from one to the other is planned; true if the other has to be brought up first.
    RollsBack(&'static str, &'static str, bool),
    /// A promotion of one in the place of the other is planned.
    Promotes(&'static str, &'static str),
    /// The traffic is where the newest operation wants it.
    Moved,
    /// The newest operation ends.
    Ends(Outcome),
    /// A release is marked.
    Marks(&'static str, Quality),
    /// The platform has only these releases from now on.
    Keeps(&'static [&'static str]),
}
use Do::{Ends, Keeps, Marks, Moved, Promotes, RollsBack, Shows};

const RELEASES: [&str; 4] = ["4", "3", "2", "1"];

fn start() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

fn release(version: &str) -> Release {
    let day = u64::from(version.bytes().next().unwrap() - b'0');
    Release {
        version: version.into(),
        reference: format!("ref-{version}").into(),
        created_at: start() - Duration::from_secs((10 - day) * 86_400),
        author: Some("mira".to_owned()),
        schema: None,
        running: true,
    }
}

fn planned(number: u64, kind: PlanKind, from: &str, to: &str, brings_up: bool) -> Event {
    let release_of = |version: &str, running| Release { running, ..release(version) };
    let deploy = Step {
        title: String::new(),
        action: Action::Platform { action: PlatformAction::Deploy { release: "any".into() } },
        requires: None,
        timeout: Span::secs(1),
        retries: 0,
        key: "k".into(),
        declares: Declares { observable: true, idempotent: true },
        phase: None,
    };
    Event::OperationPlanned {
        operation: format!("op-{number}").into(),
        plan: Plan {
            kind,
            service: "shop".into(),
            purpose: String::new(),
            strategy: Strategy::Immediate,
            from: release_of(from, true),
            to: release_of(to, !brings_up),
            steps: if brings_up { vec![deploy] } else { Vec::new() },
            budgets: Vec::new(),
            spares: false,
        },
        by: Actor::Engine,
        reason: "5xx".to_owned(),
        decision: None,
        command: None,
        guardrails: Vec::new(),
    }
}

/// The state after all that, and the time of each.
fn state(script: &[Do]) -> State {
    let mut state = State::default();
    let (mut number, mut kept, mut shown) = (0, RELEASES.as_slice(), ("1", None));
    for (minute, what) in (0..).zip(script) {
        let operation = || OperationId::from(format!("op-{number}"));
        let event = match *what {
            Shows(..) | Keeps(_) => {
                match *what {
                    Shows(stable, canary) => shown = (stable, canary),
                    Keeps(releases) => kept = releases,
                    _ => {}
                }
                let share = |version: &str, arm, percent| Share {
                    reference: format!("ref-{version}").into(),
                    arm,
                    percent,
                };
                let traffic = match shown.1 {
                    None => vec![share(shown.0, Arm::Stable, 100)],
                    Some(canary) => vec![share(shown.0, Arm::Stable, 80), share(canary, Arm::Canary, 20)],
                };
                let releases = kept.iter().map(|version| release(version)).collect();
                let inventory = Inventory { releases, traffic, settled: true, ..Inventory::default() };
                Event::InventoryChanged { service: "shop".into(), inventory }
            }
            RollsBack(from, to, brings_up) => {
                number += 1;
                planned(number, PlanKind::RollBack, from, to, brings_up)
            }
            Promotes(canary, stable) => {
                number += 1;
                planned(number, PlanKind::Promote, stable, canary, false)
            }
            Moved => Event::TrafficBack { operation: operation(), release: "any".into() },
            Ends(outcome) => Event::OperationEnded { operation: operation(), outcome, detail: String::new() },
            Marks(version, quality) => Event::ReleaseMarked {
                service: "shop".into(),
                version: version.into(),
                release: format!("ref-{version}").into(),
                quality,
                by: Actor::Engine,
                reason: "seen".to_owned(),
            },
        };
        state.apply(&event, start() + Duration::from_secs(60 * minute));
    }
    state
}

fn found(state: &State) -> Vec<Deployment> {
    deployments(state, &"shop".into())
}

const VERIFIED: Do = Ends(Outcome::Verified);

/// What became of each release, newest first, after each of these stories.
#[test]
fn fates() {
    let (live, canary) = (Fate::Live(Arm::Stable), Fate::Live(Arm::Canary));
    let never = Fate::Never;
    let table: &[(&str, &[Do], [Fate; 4])] = &[
        ("first sight", &[Shows("1", None)], [never, never, never, live]),
        ("a canary", &[Shows("1", None), Shows("1", Some("2"))], [never, never, canary, live]),
        (
            "promoted by another hand",
            &[Shows("1", None), Shows("1", Some("2")), Shows("2", None)],
            [never, never, Fate::Promoted, Fate::Superseded],
        ),
        (
            "promoted by us",
            &[Shows("1", None), Shows("1", Some("2")), Promotes("2", "1"), Shows("2", None), Moved, VERIFIED],
            [never, never, Fate::Promoted, Fate::Superseded],
        ),
        (
            "a promotion that was stopped",
            &[Shows("1", None), Shows("1", Some("2")), Promotes("2", "1"), Ends(Outcome::Cancelled)],
            [never, never, canary, live],
        ),
        (
            "released without a canary",
            &[Shows("1", None), Shows("2", None)],
            [never, never, live, Fate::Superseded],
        ),
        (
            "aborted",
            &[Shows("1", None), Shows("1", Some("2")), RollsBack("2", "1", false), Shows("1", None), Moved],
            [never, never, Fate::Aborted, live],
        ),
        (
            "withdrawn by another hand",
            &[Shows("1", None), Shows("1", Some("2")), Shows("1", None)],
            [never, never, Fate::Withdrawn, live],
        ),
        (
            "one canary after the other",
            &[Shows("1", None), Shows("1", Some("2")), Shows("1", Some("3"))],
            [never, canary, Fate::Withdrawn, live],
        ),
        (
            "fast rolled back",
            &[
                Shows("1", None),
                Shows("2", None),
                RollsBack("2", "1", false),
                Shows("1", None),
                Moved,
                VERIFIED,
            ],
            [never, never, Fate::FastRolledBack, live],
        ),
        (
            "rolled back",
            &[
                Shows("1", None),
                Shows("2", None),
                RollsBack("2", "1", true),
                Shows("1", None),
                Moved,
                VERIFIED,
            ],
            [never, never, Fate::RolledBack, live],
        ),
        (
            "gradually, half of the way",
            &[Shows("1", None), Shows("2", None), RollsBack("2", "1", false), Shows("1", Some("2"))],
            [never, never, canary, live],
        ),
        (
            "gradually, all of the way",
            &[
                Shows("1", None),
                Shows("2", None),
                RollsBack("2", "1", false),
                Shows("1", Some("2")),
                Shows("1", None),
                Moved,
                VERIFIED,
            ],
            [never, never, Fate::FastRolledBack, live],
        ),
        (
            "a rollback that was stopped, and then the next release",
            &[
                Shows("1", None),
                Shows("2", None),
                RollsBack("2", "1", false),
                Ends(Outcome::Cancelled),
                Shows("3", None),
            ],
            [never, live, Fate::Superseded, Fate::Superseded],
        ),
        (
            "released again after it was taken back",
            &[
                Shows("1", None),
                Shows("1", Some("2")),
                RollsBack("2", "1", false),
                Shows("1", None),
                Moved,
                VERIFIED,
                Shows("2", None),
            ],
            [never, never, live, Fate::Superseded],
        ),
    ];
    for (story, script, fates) in table {
        let state = state(script);
        let told: Vec<_> = found(&state).into_iter().map(|one| one.fate).collect();
        assert_eq!(told, fates, "{story}");
    }
}

/// Beside the fate: who serves how much, since when, what it is worth, who moves it, and where a rollback would go.
#[test]
fn what_is_told_of_each() {
    let script = [
        Shows("1", None),
        Marks("1", Quality::Good),
        Shows("3", None),
        Marks("3", Quality::Good),
        Shows("3", Some("4")),
        RollsBack("4", "3", false),
    ];
    let minute = |minutes: u64| start() + Duration::from_secs(60 * minutes);
    let list = found(&state(&script));
    let serving: Vec<_> = list.iter().map(|one| (one.version.as_str(), one.serves)).collect();
    let (stable, canary) = (Some((Arm::Stable, 80)), Some((Arm::Canary, 20)));
    assert_eq!(serving, [("4", canary), ("3", stable), ("2", None), ("1", None)]);
    let at: Vec<_> = list.iter().map(|one| one.at).collect();
    assert_eq!(at, [minute(4), minute(2), release("2").created_at, minute(0)]);
    let qualities: Vec<_> = list.iter().map(Deployment::quality).collect();
    assert_eq!(qualities, [Quality::Unknown, Quality::Good, Quality::Unknown, Quality::Good]);
    let moving: Vec<_> = list.iter().map(|one| one.operation.as_ref().map(OperationId::as_str)).collect();
    assert_eq!(moving, [Some("op-1"), Some("op-1"), None, None]);
    let targets: Vec<_> = list.iter().map(|one| one.is_target).collect();
    assert_eq!(targets, [false, true, false, false]);
    assert_eq!(list[0].author.as_deref(), Some("mira"));

    // Without the canary the way back is to what was recorded as good before; what took a release away is named.
    let list = found(&state(&[&script[..], &[Shows("3", None), Moved, VERIFIED]].concat()));
    let targets: Vec<_> = list.iter().map(|one| one.is_target).collect();
    assert_eq!(targets, [false, false, false, true]);
    assert_eq!((list[0].fate, list[0].operation.as_ref().unwrap().as_str()), (Fate::Aborted, "op-1"));
    assert_eq!(list[1].operation, None);
}

/// A release that the platform has forgotten is still told of, in its place.
#[test]
fn what_the_platform_forgot() {
    let script = [Shows("1", None), Shows("2", None), RollsBack("2", "1", true), Shows("1", None), Moved];
    let list = found(&state(&[&script[..], &[Keeps(&["3", "1"])]].concat()));
    let told: Vec<_> = list.iter().map(|one| (one.version.as_str(), one.fate)).collect();
    assert_eq!(told, [("2", Fate::RolledBack), ("3", Fate::Never), ("1", Fate::Live(Arm::Stable))]);
    assert_eq!((list[0].created_at, list[0].author.as_deref()), (None, None));
}

/// A record of having been good outlives the history.
#[test]
fn a_record_outlives_the_history() {
    let list = found(&state(&[Marks("2", Quality::Good), Shows("3", None)]));
    let told: Vec<_> = list.iter().map(|one| one.fate).collect();
    assert_eq!(told, [Fate::Never, Fate::Live(Arm::Stable), Fate::Superseded, Fate::Never]);
}

/// Nothing is told of a service that nothing is known of.
#[test]
fn nothing_known() {
    assert!(found(&State::default()).is_empty());
}
