//! How many instances run: more by hand or by a trigger, and none of what a deployment has left.

use std::sync::Arc;
use std::time::Duration;

use unship::engine::input::StepFinished;
use unship::engine::{Input, Settings, StepResult};
use unship::model::Span;
use unship::model::command::{Actor, Command, Deploy, Override, Scale};
use unship::model::decision::{Guardrail, Recommendation};
use unship::model::deploy::{DeploySpec, DeployStrategy};
use unship::model::event::Event;
use unship::model::operation::{OperationStatus, Outcome, PlanKind};
use unship::model::platform::PlatformAction;
use unship::model::release::{Arm, Inventory};

use crate::harness::{World, after, inventory, settings};

/// `shop` on a platform that can do all of it, with a trigger that asks for more instances.
fn able(more: &str) -> Arc<Settings> {
    let made = settings(|config| {
        let trigger = "action = \"scale_out\"\nseverity = \"high\"\nmin_samples = 20\nservices = [\"shop\"]\n\
             when = { kind = \"threshold\", indicator = \"errors\", above = \"1%\", over = \"3s\", for = \"1s\" }";
        config.triggers.insert("load".into(), toml::from_str(trigger).unwrap());
        config.triggers.remove("slow");
        if !more.is_empty() {
            let scaling = toml::from_str(more).unwrap();
            config.services.get_mut("shop").unwrap().scaling = Some(scaling);
        }
    });
    let mut made = (*made).clone();
    let shop = made.platforms.get_mut("shop").unwrap();
    shop.capabilities.scale = true;
    shop.capabilities.stop = true;
    shop.capabilities.remove = true;
    Arc::new(made)
}

fn running(world: &mut World, instances: Option<u32>) {
    let at = world.now;
    let inventory = Inventory { instances, ..inventory(&[("4.0", Arm::Stable, 100)]) };
    world.give(Input::Inventory { service: "shop".into(), at, result: Ok(inventory) });
}

/// Seconds in which so many percent of the requests fail.
fn seconds(world: &mut World, count: u32, percent: f64) {
    for _ in 0..count {
        world.second("shop", &[("4.0", 100.0, percent)]);
    }
}

fn scale(world: &mut World, instances: u32, seen: Option<u32>, overrides: &[Guardrail]) {
    let overrides = overrides
        .iter()
        .map(|guardrail| Override { guardrail: *guardrail, reason: "I looked".into() })
        .collect();
    let reason = "a sale begins".to_owned();
    world.send(Command::Scale(Scale { service: "shop".into(), instances, seen, reason, overrides }));
}

fn finish_with(world: &mut World, shown: Option<Inventory>) {
    let step = world.steps.last().unwrap().clone();
    let inventory = Some(shown.unwrap_or_else(|| after(&step)));
    world.give(Input::StepFinished(StepFinished {
        operation: step.operation.clone(),
        step: step.step,
        attempt: step.attempt,
        result: StepResult::Done { adopted: false, detail: "taken".to_owned() },
        inventory,
    }));
}

fn ended(world: &World) -> (Outcome, String) {
    match &world.operation().status {
        OperationStatus::Ended { outcome, detail, .. } => (*outcome, detail.clone()),
        status => panic!("{status:?}"),
    }
}

/// A person asks for a number: one step, done when the platform asks for it. Beyond the config's limit it takes a reason, and what
/// was not seen so is refused.
#[test]
fn by_hand() {
    let mut world = World::new(able("most = 6"));
    running(&mut world, Some(3));
    scale(&mut world, 5, Some(4), &[]);
    let refused = world.refusal().unwrap();
    assert!(refused.contains("3 instances are asked for now, not the 4"), "{refused}");
    scale(&mut world, 3, None, &[]);
    assert!(world.refusal().unwrap().contains("asked for already"));
    scale(&mut world, 0, None, &[]);
    assert!(world.refusal().unwrap().contains("maintenance page"));
    scale(&mut world, 9, None, &[]);
    let refused = world.refusal().unwrap();
    assert!(refused.contains("at most 6") && refused.contains("--override target"), "{refused}");

    scale(&mut world, 5, Some(3), &[]);
    assert_eq!(world.refusal(), None);
    assert_eq!(world.operation().plan.kind, PlanKind::Scale { instances: 5 });
    assert_eq!(world.steps.last().unwrap().action, PlatformAction::Scale { instances: 5 });
    finish_with(&mut world, None);
    let (outcome, detail) = ended(&world);
    assert_eq!(outcome, Outcome::Verified);
    assert!(detail.contains("5 instances of shop are asked for"), "{detail}");
    // Neither the cooldown nor the age of what is known holds a person back.
    scale(&mut world, 9, Some(5), &[Guardrail::Target]);
    assert_eq!(world.refusal(), None);
    assert_eq!(world.says("guardrail_overridden"), 1);
}

/// Where nobody can say how many run, it is refused and says so.
#[test]
fn not_everywhere() {
    let mut world = World::new(settings(|_| {}));
    running(&mut world, None);
    scale(&mut world, 5, None, &[]);
    let refused = world.refusal().unwrap();
    assert!(refused.contains("does not let unship say how many"), "{refused}");
    world.send(Command::CleanUp { service: "shop".into(), reason: "tidy".into() });
    let refused = world.refusal().unwrap();
    assert!(refused.contains("does not let unship stop or remove a release"), "{refused}");
}

/// A trigger asks for half as many again, after the cooldown once more, and never beyond the limit. No release is called bad.
#[test]
fn by_a_trigger() {
    let mut world = World::new(able("most = 6"));
    running(&mut world, Some(3));
    seconds(&mut world, 8, 3.0);
    let plan = world.operation().plan.kind;
    assert_eq!(plan, PlanKind::Scale { instances: 5 });
    assert_eq!(world.operation().by, Actor::Engine);
    let verdict = world.core.state().service(&"shop".into()).unwrap().verdict.clone().unwrap().0;
    assert_eq!(verdict.word(), "degraded", "load is no failure of the release: {verdict:?}");
    assert_eq!(world.says("incident_opened"), 0);
    let shown = || Inventory { instances: Some(5), ..inventory(&[("4.0", Arm::Stable, 100)]) };
    finish_with(&mut world, Some(shown()));
    assert_eq!(ended(&world).0, Outcome::Verified);
    // It holds on: nothing before the cooldown is over.
    for _ in 0..6 {
        running(&mut world, Some(5));
        seconds(&mut world, 5, 3.0);
    }
    assert_eq!(world.says("operation_planned"), 1);
    for _ in 0..8 {
        running(&mut world, Some(5));
        seconds(&mut world, 5, 3.0);
    }
    assert_eq!(world.says("operation_planned"), 2);
    assert_eq!(
        world.operation().plan.kind,
        PlanKind::Scale { instances: 6 },
        "not 8: no more than the limit"
    );
    let shown = Inventory { instances: Some(6), ..inventory(&[("4.0", Arm::Stable, 100)]) };
    finish_with(&mut world, Some(shown));
    for _ in 0..20 {
        running(&mut world, Some(6));
        seconds(&mut world, 5, 3.0);
    }
    assert_eq!(world.says("operation_planned"), 2);
    let state = world.core.state();
    let decision = state.service(&"shop".into()).unwrap().decision.clone().unwrap();
    assert_eq!(decision.recommendation, Recommendation::ScaleOut);
    let target = decision.guardrails.iter().find(|check| check.guardrail == Guardrail::Target).unwrap();
    assert!(target.detail.contains("the most that the config allows"), "{}", target.detail);
    assert_eq!(world.says("release_marked"), 0, "{:?}", world.events.last());
}

/// Without a limit in the config nothing is done by itself, and why is said.
#[test]
fn no_limit_no_growth() {
    let mut world = World::new(able(""));
    running(&mut world, Some(3));
    seconds(&mut world, 8, 3.0);
    assert_eq!(world.says("operation_planned"), 0);
    let state = world.core.state();
    let decision = state.service(&"shop".into()).unwrap().decision.clone().unwrap();
    assert!(!decision.acted);
    let says = decision.guardrails.iter().any(|check| check.blocks() && check.detail.contains("`scaling`"));
    assert!(says, "{:?}", decision.guardrails);
}

/// A release that fails is taken back, whatever else asks for more of it.
#[test]
fn a_rollback_comes_first() {
    let mut world = World::new(able("most = 6"));
    let at = world.now;
    let shown = |shares: &[(&str, Arm, u8)]| Inventory { instances: Some(3), ..inventory(shares) };
    let result = Ok(shown(&[("3.0", Arm::Stable, 100)]));
    world.give(Input::Inventory { service: "shop".into(), at, result });
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    let (at, result) = (world.now, Ok(shown(&[("4.0", Arm::Stable, 100)])));
    world.give(Input::Inventory { service: "shop".into(), at, result });
    seconds(&mut world, 6, 30.0);
    assert_eq!(world.operation().plan.kind, PlanKind::RollBack, "{}", world.operation().plan.purpose);
}

/// What a deployment has left is stopped once that is due, while the new release is well; what serves never is.
#[test]
fn the_old_release_is_stopped() {
    let mut world = deployed(|deploy| deploy.stop_old_after = Some(Span::secs(20)));
    let deployment = world.operation().id.clone();
    let quiet = |world: &mut World| {
        world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
        seconds(world, 5, 0.0);
    };
    for _ in 0..3 {
        quiet(&mut world);
    }
    assert_eq!(world.operation().id, deployment, "it is not due");
    for _ in 0..3 {
        quiet(&mut world);
    }
    assert_eq!(
        world.operation().plan.kind,
        PlanKind::CleanUp,
        "{:?} {}",
        deployment,
        world.operation().reason
    );
    let step = world.steps.last().unwrap().clone();
    assert_eq!(step.action, PlatformAction::Stop { release: "ref-3.0".into() });
    // Whoever moves traffic there meanwhile is not cut off.
    let requires = format!("{:?}", step.requires);
    assert!(requires.contains("ref-4.0") && !requires.contains("ref-3.0"), "{requires}");
    finish_with(&mut world, None);
    let (outcome, detail) = ended(&world);
    assert_eq!((outcome, detail.as_str()), (Outcome::Verified, "done: stop 3.0 of shop"));
    let planned = |event: &&(jiff::Timestamp, Event)| matches!(event.1, Event::OperationPlanned { .. });
    let before = world.events.iter().filter(planned).count();
    world.now += Duration::from_secs(60);
    for _ in 0..6 {
        quiet(&mut world);
    }
    assert_eq!(world.events.iter().filter(planned).count(), before, "once is enough");
}

/// A world in which 4.0 was brought in, in place of 3.0.
fn deployed(change: impl FnOnce(&mut DeploySpec)) -> World {
    let mut made = (*able("")).clone();
    let mut config = (*made.config).clone();
    change(&mut config.deploy);
    config.triggers.remove("load");
    made.config = Arc::new(config);
    let mut world = World::new(Arc::new(made));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.send(Command::Deploy(Deploy {
        service: "shop".into(),
        version: "4.0".into(),
        from: None,
        strategy: DeployStrategy::Rolling,
        confirmed: true,
        migrations: Vec::new(),
        reason: "sprint 12".into(),
        overrides: Vec::new(),
    }));
    assert_eq!(world.refusal(), None);
    let deployment = world.operation().id.clone();
    let is_open = |world: &World| world.core.state().operation(&deployment).unwrap().is_open();
    let mut begun = 0;
    while is_open(&world) {
        if world.steps.len() > begun {
            begun = world.steps.len();
            finish_with(&mut world, None);
        }
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 100.0, 0.0)]);
    }
    assert_eq!(ended(&world).0, Outcome::Verified, "{}", ended(&world).1);
    world
}

/// What is more than the config keeps goes, the oldest first: not what runs, and not what a rollback would go to, however old.
#[test]
fn the_oldest_go() {
    let mut world = deployed(|deploy| deploy.keep = Some(2));
    let shown = |gone: usize, good_is_old: bool| {
        let mut inventory = inventory(&[("4.0", Arm::Stable, 100)]);
        // 4.0, 3.0, 2.0, 1.0, or with the good one as the oldest of all.
        if good_is_old {
            inventory.releases[1..].rotate_left(1);
        }
        for release in &mut inventory.releases[1..] {
            release.running = false;
        }
        inventory.releases.truncate(4 - gone);
        inventory
    };
    let see = |world: &mut World, inventory: &Inventory| {
        let (at, result) = (world.now, Ok(inventory.clone()));
        world.give(Input::Inventory { service: "shop".into(), at, result });
        seconds(world, 3, 0.0);
    };
    for _ in 0..3 {
        see(&mut world, &shown(0, false));
    }
    let removed = |world: &World| -> Vec<String> {
        let steps = &world.operation().plan.steps;
        steps.iter().map(|step| step.title.replace('`', "")).collect()
    };
    assert_eq!(world.operation().plan.kind, PlanKind::CleanUp);
    assert_eq!(removed(&world), ["remove 1.0 for good", "remove 2.0 for good"]);
    finish_with(&mut world, Some(shown(1, false)));
    finish_with(&mut world, Some(shown(2, false)));
    assert_eq!(ended(&world), (Outcome::Verified, "done: remove 1.0, 2.0 of shop".to_owned()));

    let mut world = deployed(|deploy| deploy.keep = Some(2));
    for _ in 0..3 {
        see(&mut world, &shown(0, true));
    }
    assert_eq!(removed(&world), ["remove 1.0 for good"], "3.0 is the last, and what a rollback would go to");
}
