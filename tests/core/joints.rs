//! Several services that change together: in which order, what happens when one fails, and what a death in the middle leaves.

use std::sync::Arc;

use unship::engine::input::StepFinished;
use unship::engine::{Core, Input, StepResult};
use unship::model::command::Command;
use unship::model::deploy::DeployStrategy;
use unship::model::event::Event;
use unship::model::joint::{Joint, JointChange, JointKind, JointPart, PartState, Together};
use unship::model::operation::{Outcome, PlanKind, StepState, Strategy};
use unship::model::release::Arm;

use crate::harness::{World, after, settings};

const EMERGENCY: JointKind = JointKind::Deploy { how: Some(DeployStrategy::Emergency), confirmed: true };
const BACK: JointKind = JointKind::RollBack { strategy: Strategy::Immediate };

/// `shop`, which depends on `pay`, both on 3.0 and well.
fn world() -> World {
    let mut world =
        World::new(settings(|config| config.triggers.retain(|name, _| name.as_str() == "errors")));
    for service in ["shop", "pay"] {
        world.inventory(service, &[("3.0", Arm::Stable, 100)]);
    }
    for _ in 0..8 {
        seconds(&mut world);
    }
    world
}

/// A second in which all that serves serves well.
fn seconds(world: &mut World) {
    let all = [("3.0", 100.0, 0.0), ("4.0", 100.0, 0.0), ("2.0", 100.0, 0.0)];
    world.second("shop", &all);
    world.span(0, "pay", &all);
    for service in ["shop", "pay"] {
        let known = world.core.state().service(&service.into()).unwrap().inventory.clone().unwrap();
        let at = world.now;
        world.give(Input::Inventory { service: service.into(), at, result: Ok(known) });
    }
}

fn together(world: &mut World, kind: JointKind, parts: &[(&str, Option<&str>)]) {
    let part = |(service, version): &(&str, Option<&str>)| JointPart {
        service: (*service).into(),
        version: version.map(Into::into),
        from: None,
    };
    let parts = parts.iter().map(part).collect();
    let reason = "the new checkout".to_owned();
    world.send(Command::Together(Together { kind, parts, reason, overrides: Vec::new() }));
}

fn joint(world: &World) -> Joint {
    let (core, folded) = (&world.core.state().joints, &world.folded.joints);
    assert_eq!(core, folded, "the fold says the same");
    (**core.get("joint-1").unwrap()).clone()
}

/// Steps that were begun and wait for their platform, each ended once, well unless `fails` says otherwise.
fn answer(world: &mut World, fails: &dyn Fn(&str, PlanKind) -> bool) {
    let waiting: Vec<_> = world
        .steps
        .iter()
        .filter(|step| {
            let operation = world.core.state().operation(&step.operation).unwrap();
            operation.is_open() && matches!(operation.steps[step.step], StepState::Started { attempt, .. } if attempt == step.attempt)
        })
        .cloned()
        .collect();
    for step in waiting {
        let kind = world.core.state().operation(&step.operation).unwrap().plan.kind;
        let (result, inventory) = if fails(step.service.as_str(), kind) {
            (StepResult::Failed("the platform says no".to_owned()), None)
        } else {
            (StepResult::Done { adopted: false, detail: "taken".to_owned() }, Some(after(&step)))
        };
        let (operation, attempt) = (step.operation.clone(), step.attempt);
        world.give(Input::StepFinished(StepFinished {
            operation,
            step: step.step,
            attempt,
            result,
            inventory,
        }));
    }
}

/// Goes on until the joint operation is over.
fn to_the_end(world: &mut World, fails: &dyn Fn(&str, PlanKind) -> bool) -> (Outcome, String) {
    for _ in 0..400 {
        if let Some((outcome, detail, _)) = joint(world).ended {
            return (outcome, detail);
        }
        answer(world, fails);
        seconds(world);
    }
    panic!("it never ends: {}", joint(world).words());
}

/// Goes on until `pay` is done and `shop` has begun.
fn until_the_second_runs(world: &mut World) {
    for _ in 0..100 {
        if matches!(joint(world).states[1], PartState::Running { .. }) {
            return;
        }
        answer(world, &never);
        seconds(world);
    }
    panic!("it never begins: {}", joint(world).words());
}

/// The operations in the order in which they were begun: the service, what for, and to which version.
fn begun(world: &World) -> Vec<String> {
    let one = |(_, event): &(jiff::Timestamp, Event)| match event {
        Event::OperationPlanned { plan, .. } => {
            Some(format!("{} {} {}", plan.service, plan.kind.noun(), plan.to.version))
        }
        _ => None,
    };
    world.events.iter().filter_map(one).collect()
}

const fn never(_: &str, _: PlanKind) -> bool {
    false
}

/// What others depend on comes first, one after the other, in whatever order they were named.
#[test]
fn forward() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    assert_eq!(world.refusal(), None);
    assert_eq!(begun(&world), ["pay deployment 4.0"], "one at a time");
    assert_eq!(joint(&world).words(), "pay 4.0 runs (op-1), shop 4.0 waits");
    let (outcome, detail) = to_the_end(&mut world, &never);
    assert_eq!((outcome, detail.as_str()), (Outcome::Verified, "all of it: pay 4.0 done, shop 4.0 done"));
    assert_eq!(begun(&world), ["pay deployment 4.0", "shop deployment 4.0"]);
}

/// One that fails goes back by its own way; those before it after that, and nothing of them is called bad.
#[test]
fn one_fails() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    let (outcome, detail) =
        to_the_end(&mut world, &|service, kind| service == "shop" && matches!(kind, PlanKind::Deploy { .. }));
    assert_eq!(outcome, Outcome::Failed);
    assert!(detail.contains("the platform says no") && detail.contains("pay 4.0 taken back"), "{detail}");
    let order = ["pay deployment 4.0", "shop deployment 4.0", "shop rollback 3.0", "pay rollback 3.0"]
        .map(str::to_owned);
    assert_eq!(begun(&world), order);
    let state = world.core.state();
    let pay = state.service(&"pay".into()).unwrap();
    assert_ne!(pay.quality(&"ref-4.0".into()), unship::model::release::Quality::Bad);
}

/// What cannot be taken back needs a person, and is said.
#[test]
fn no_way_back() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    let (outcome, detail) = to_the_end(&mut world, &|service, kind| {
        (service == "shop") == matches!(kind, PlanKind::Deploy { .. })
    });
    assert_eq!(outcome, Outcome::Failed);
    assert!(detail.contains("pay 4.0 NOT back"), "{detail}");
    assert!(
        matches!(&joint(&world).states[0], PartState::NotBack { reason, .. } if reason.contains("says no"))
    );
}

/// All of them have to be allowed before any begins; and what is asked has to make sense.
#[test]
fn refused_whole() {
    let mut world = world();
    for (kind, parts, says) in [
        (EMERGENCY, vec![("shop", Some("4.0"))], "at least two"),
        (EMERGENCY, vec![("shop", Some("4.0")), ("shop", Some("2.0"))], "named twice"),
        (EMERGENCY, vec![("shop", Some("4.0")), ("shed", Some("4.0"))], "no service `shed`"),
        (EMERGENCY, vec![("shop", Some("9.9")), ("pay", Some("4.0"))], "shop: "),
        (BACK, vec![("shop", Some("3.0")), ("pay", None)], "is the release that would be left"),
    ] {
        together(&mut world, kind, &parts);
        let refused = world.refusal().unwrap_or_default();
        assert!(refused.contains(says), "{says}: {refused}");
    }
    assert!(begun(&world).is_empty() && world.core.state().joints.is_empty());
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    together(&mut world, EMERGENCY, &[("shop", Some("2.0")), ("pay", Some("2.0"))]);
    let refused = world.refusal().unwrap();
    assert!(refused.contains("joint-1 concerns pay already"), "{refused}");
}

/// A rollback takes those first that depend on others, and stops where one fails: nothing is rolled forward again.
#[test]
fn back() {
    let mut world = world();
    for service in ["shop", "pay"] {
        world.inventory(service, &[("4.0", Arm::Stable, 100)]);
    }
    for _ in 0..8 {
        seconds(&mut world);
    }
    together(&mut world, BACK, &[("pay", Some("3.0")), ("shop", Some("3.0"))]);
    assert_eq!(world.refusal(), None);
    let (outcome, detail) = to_the_end(&mut world, &|service, _| service == "pay");
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(begun(&world), ["shop rollback 3.0", "pay rollback 3.0"]);
    assert!(detail.contains("shop 3.0 done, pay 3.0 failed"), "{detail}");
}

/// Whoever cancels the whole has what runs stopped and what was done taken back.
#[test]
fn cancelled() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    until_the_second_runs(&mut world);
    world.send(Command::Cancel { operation: "joint-1".into(), reason: "not today".into() });
    assert_eq!(world.refusal(), None);
    let (outcome, detail) = to_the_end(&mut world, &never);
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(detail.contains("cancelled by ana: not today"), "{detail}");
    let last = begun(&world).pop().unwrap();
    assert_eq!(last, "pay rollback 3.0");
    world.send(Command::Cancel { operation: "joint-1".into(), reason: "again".into() });
    assert!(world.refusal().unwrap().contains("already ended"));
}

/// A part that somebody takes back meanwhile ends the whole: the others are not left with what they do not fit.
#[test]
fn undone_meanwhile() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    until_the_second_runs(&mut world);
    world.roll_back("pay", Some("3.0"), &[]);
    assert_eq!(world.refusal(), None);
    let (outcome, detail) = to_the_end(&mut world, &never);
    assert_eq!(outcome, Outcome::Failed);
    assert!(detail.contains("pay was done, and then op-3 began on it"), "{detail}");
    let state = world.core.state();
    for service in ["pay", "shop"] {
        let inventory = state.service(&service.into()).unwrap().inventory.clone().unwrap();
        assert_eq!(inventory.percent(&"ref-3.0".into()), 100, "{service}");
    }
}

/// Whoever leads next goes on where the one before died, and begins nothing twice.
#[test]
fn a_death_in_the_middle() {
    let mut world = world();
    together(&mut world, EMERGENCY, &[("shop", Some("4.0")), ("pay", Some("4.0"))]);
    until_the_second_runs(&mut world);
    world.core = Core::new(
        settings(|config| config.triggers.retain(|name, _| name.as_str() == "errors")),
        Arc::new(world.folded.clone()),
    );
    world.give(Input::Leading { holder: "another".into(), program: "test".into() });
    let (outcome, _) = to_the_end(&mut world, &never);
    assert_eq!(outcome, Outcome::Verified);
    assert_eq!(begun(&world), ["pay deployment 4.0", "shop deployment 4.0"]);
    let planned = |(_, event): &&(jiff::Timestamp, Event)| {
        matches!(event, Event::JointChanged { change: JointChange::Planned { .. }, .. })
    };
    assert_eq!(world.events.iter().filter(planned).count(), 1);
}
