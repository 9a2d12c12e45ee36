//! What people ask for besides rolling back: promote, maintenance, pause and resume.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use unship::engine::checklist::checklist;
use unship::engine::{Core, Expected, Input, StepResult};
use unship::model::command::{Actor, Command, Promote, RollBack, Settlement};
use unship::model::decision::{Guardrail, Recommendation};
use unship::model::event::Event;
use unship::model::incident::Level;
use unship::model::operation::{OperationStatus, Outcome, PlanKind, StepState, Strategy};
use unship::model::platform::PlatformAction;
use unship::model::release::{Arm, Inventory, Quality};

use crate::harness::{World, inventory, service, settings};

/// `shop` with a canary that has been healthy for a while.
fn with_healthy_canary() -> World {
    let mut world = World::with_canary();
    for _ in 0..6 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 0.0)]);
    }
    world
}

fn shop(world: &World) -> unship::engine::ServiceState {
    world.core.state().service(&service("shop")).expect("shop is known").clone()
}

#[track_caller]
fn refused(world: &World, words: &str) {
    let why = world.refusal().expect("the command was taken up");
    assert!(why.contains(words), "{why}");
}

fn topics(world: &World) -> Vec<&str> {
    let queued = world.events.iter().filter_map(|(_, event)| match event {
        Event::NotificationQueued { notification } => Some(notification.topic.as_str()),
        _ => None,
    });
    queued.collect()
}

/// A healthy canary gets all the traffic, is verified there, and is not called a rollback by anything.
#[test]
fn a_healthy_canary_is_promoted() {
    let mut world = with_healthy_canary();
    world.promote("shop", Some("4.0"), &[]);
    assert_eq!(world.refusal(), None);
    let plan = world.operation().plan.clone();
    assert_eq!(plan.kind, PlanKind::Promote);
    assert_eq!((plan.from.version.as_str(), plan.to.version.as_str()), ("3.0", "4.0"));
    let PlatformAction::ShiftTraffic { shares } = &world.steps.last().unwrap().action else { panic!() };
    assert_eq!(
        shares.iter().map(|share| (share.reference.as_str(), share.percent)).collect::<Vec<_>>(),
        [("ref-4.0", 100)]
    );
    world.done();
    assert!(world.operation().traffic_back_at.is_some());
    for _ in 0..6 {
        world.second("shop", &[("4.0", 130.0, 0.0)]);
    }
    assert_eq!(world.outcome(), Some(Outcome::Verified));
    let known = shop(&world);
    assert_eq!((known.rollbacks, known.last_rollback), (0, None));
    assert_eq!(known.quality(&"ref-3.0".into()), Quality::Good, "what was left is as good as it was");
    assert_eq!(world.says("decision_made"), 0);
    assert_eq!(topics(&world), ["promotion-started", "promotion-ended"]);
}

/// A verified promotion is no record: the release earns that as stable, like any other.
#[test]
fn a_promoted_release_earns_its_record() {
    let mut world = with_healthy_canary();
    world.promote("shop", None, &[]);
    world.done();
    while world.outcome().is_none() {
        world.second("shop", &[("4.0", 130.0, 0.0)]);
    }
    assert_eq!(shop(&world).quality(&"ref-4.0".into()), Quality::Unknown);
    for _ in 0..8 {
        world.second("shop", &[("4.0", 130.0, 0.0)]);
    }
    assert_eq!(shop(&world).quality(&"ref-4.0".into()), Quality::Good);
}

/// What a promotion is refused for, and what can be overridden.
#[test]
fn a_promotion_is_refused() {
    let mut world = World::new(settings(|_| {}));
    world.promote("shop", None, &[]);
    refused(&world, "the platform has not been read");
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    world.promote("shop", None, &Guardrail::ALL);
    refused(&world, "there is nothing to promote");

    let mut world = World::with_canary();
    world.promote("shop", None, &[]);
    refused(&world, "health: the canary is unknown");
    let mut world = with_healthy_canary();
    world.promote("shop", Some("2.0"), &[]);
    refused(&world, "`4.0` is the canary now");
    world.send(Command::Mark {
        service: "shop".into(),
        version: "4.0".into(),
        quality: Quality::Bad,
        reason: "it loses orders".into(),
    });
    world.promote("shop", Some("4.0"), &[]);
    refused(&world, "target: `4.0` is marked bad: it loses orders");
    world.promote("shop", Some("4.0"), &[Guardrail::Target]);
    assert_eq!((world.refusal(), world.says("guardrail_overridden")), (None, 1));
    world.promote("shop", Some("4.0"), &Guardrail::ALL);
    refused(&world, "busy: op-1 runs on it");

    for (guardrail, change) in [(Guardrail::Freeze, true), (Guardrail::ReadOnly, false)] {
        let mut world = World::new(settings(|config| config.environment.read_only = !change));
        world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
        for _ in 0..6 {
            world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 0.0)]);
        }
        if change {
            world.send(Command::Freeze { service: None, until: None, reason: "audit".into() });
        }
        world.promote("shop", None, &[]);
        refused(&world, guardrail.word());
    }
}

/// A failing canary is promoted only by somebody who says why.
#[test]
fn a_failing_canary_needs_an_override() {
    let mut world = World::with_canary();
    world.send(Command::Automatic { on: false, reason: "I am at it".into() });
    for _ in 0..4 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    world.promote("shop", None, &[]);
    refused(&world, "health: the canary is failing");
    refused(&world, "--override health=");
    world.promote("shop", None, &[Guardrail::Health]);
    assert_eq!((world.refusal(), world.says("guardrail_overridden")), (None, 1));
}

/// A platform that only knows "make this serve" is not asked to do that in order to go forward.
#[test]
fn a_promotion_needs_weights() {
    let mut world = World::new(settings(|_| {}));
    world.inventory("pay", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..6 {
        world.second("pay", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 0.0)]);
    }
    world.promote("pay", None, &[]);
    refused(&world, "cannot move traffic by weights");
    assert!(world.steps.is_empty());
}

/// A promotion that is not well with all the traffic ends and says so; nothing further happens by itself.
#[test]
fn a_promotion_that_goes_wrong_is_for_a_person() {
    let mut world = with_healthy_canary();
    world.promote("shop", None, &[]);
    world.done();
    for _ in 0..60 {
        world.second("shop", &[("4.0", 100.0, 50.0)]);
    }
    assert_eq!(world.outcome(), Some(Outcome::NotRecovered));
    let OperationStatus::Ended { detail, .. } = &world.operation().status else { panic!() };
    assert!(detail.contains("`4.0` has all the traffic and is failing"), "{detail}");
    assert_eq!(world.says("operation_planned"), 1, "nothing is rolled back by itself");
    assert_eq!(shop(&world).rollbacks, 0);
    let decision = shop(&world).decision.unwrap();
    assert!(decision.recommendation.acts());
    let maximum = decision.guardrails.iter().find(|check| check.guardrail == Guardrail::Maximum).unwrap();
    assert!(maximum.blocks() && maximum.detail.contains("a person has to look"), "{}", maximum.detail);
    // The person has the way back open, at once.
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    world.roll_back("shop", None, &[]);
    assert_eq!(world.operation().plan.to.version.as_str(), "3.0");
}

/// The page goes on by one step, whatever is frozen or frequent, and is refused where it would be idle or cannot be.
#[test]
fn the_maintenance_page() {
    let mut world = World::with_canary();
    world.maintenance("pay", true);
    refused(&world, "nothing is known to be live");
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    world.maintenance("pay", true);
    refused(&world, "has no maintenance page");
    world.send(Command::Freeze { service: None, until: None, reason: "audit".into() });
    let before = shop(&world).history;
    world.maintenance("shop", true);
    assert_eq!(world.refusal(), None);
    let step = world.steps.last().unwrap().clone();
    assert_eq!((&step.action, &step.requires), (&PlatformAction::Maintenance { on: true }, &None));
    let shares = [("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)];
    let with_page = Inventory { maintenance: Some(true), ..inventory(&shares) };
    let done = StepResult::Done { adopted: false, detail: "ok".into() };
    world.finish(&step, done, Some(with_page));
    assert_eq!(world.outcome(), Some(Outcome::Verified));
    let known = shop(&world);
    assert_eq!((known.rollbacks, known.last_rollback, known.operation.clone()), (0, None, None));
    assert_eq!(known.quality(&"ref-4.0".into()), Quality::Unknown);
    assert_eq!(known.history, before, "no release came or went");
    assert_eq!(topics(&world), ["maintenance-ended"]);
    world.maintenance("shop", true);
    refused(&world, "is already on");
}

/// Behind the maintenance page nothing is rolled back by itself, and nothing proves itself good: users do not get through.
#[test]
fn behind_the_maintenance_page_nothing_is_judged() {
    let mut world = World::with_canary();
    let shares = [("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)];
    let at = world.now;
    let with_page = Inventory { maintenance: Some(true), ..inventory(&shares) };
    world.give(Input::Inventory { service: "shop".into(), at, result: Ok(with_page) });
    for _ in 0..6 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    assert_eq!(world.says("operation_planned"), 0);
    let decision = shop(&world).decision.unwrap();
    assert_eq!(decision.recommendation, Recommendation::Hold);
    assert!(decision.reasons.iter().any(|reason| reason.contains("maintenance page")), "{decision:?}");
}

/// A paused operation lets the step that is under way end, and begins no other, whatever comes; resumed, it goes on.
#[test]
fn a_paused_operation_begins_nothing() {
    let mut world = World::with_canary();
    let ask = |world: &mut World| {
        world.send(Command::RollBack(RollBack {
            service: "shop".into(),
            from: None,
            to: None,
            strategy: Strategy::Gradual,
            reason: "5xx".into(),
            overrides: Vec::new(),
        }));
    };
    ask(&mut world);
    world.pause();
    assert_eq!(world.refusal(), None);
    let paused = world.operation().paused.clone().unwrap();
    assert_eq!((paused.by, paused.reason.as_str()), (Actor::Person { name: "ana".into() }, "wait for me"));
    world.pause();
    refused(&world, "already paused by ana: wait for me");
    // The step that was under way.
    world.done();
    assert!(matches!(world.operation().steps[0], StepState::Succeeded { .. }));
    for _ in 0..5 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    world.crash();
    world.pass(60_000);
    assert_eq!((world.says("step_started"), world.steps.len()), (1, 1));
    assert_eq!(world.operation().steps[1], StepState::Pending);
    world.resume();
    assert!(matches!(world.operation().steps[1], StepState::Started { .. }));
    world.resume();
    refused(&world, "is not paused");
    assert_eq!((world.says("operation_paused"), world.says("operation_resumed")), (1, 1));
    let held: Vec<_> = topics(&world).into_iter().filter(|topic| topic.starts_with("operation-")).collect();
    assert_eq!(held, ["operation-paused", "operation-resumed"]);
}

/// What waits begins its wait anew when it is resumed: nobody relied on what was seen meanwhile.
#[test]
fn a_wait_begins_anew_when_it_is_resumed() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.done();
    for _ in 0..2 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert!(world.operation().steps[1] != StepState::Pending);
    world.pause();
    for _ in 0..40 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(world.outcome(), None, "neither verified nor past its deadline");
    world.resume();
    let resumed = world.now;
    assert!(matches!(world.operation().steps[1], StepState::Started { at, .. } if at == resumed));
    while world.outcome().is_none() {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(world.outcome(), Some(Outcome::Verified));
    assert!(world.now.duration_since(resumed).unsigned_abs() >= Duration::from_secs(3), "held for its time");
}

/// A failed attempt waits for its person, not for its time; a failure for good is said at once.
#[test]
fn a_pause_holds_retries() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.pause();
    let step = world.steps.last().unwrap().clone();
    world.finish(&step, StepResult::Transient("503".into()), None);
    world.pass(60_000);
    assert!(matches!(world.operation().steps[0], StepState::Waiting { .. }));
    assert_eq!(world.steps.len(), 1);
    world.resume();
    assert_eq!(world.steps.len(), 2, "it is due");
    world.pause();
    let step = world.steps.last().unwrap().clone();
    world.finish(&step, StepResult::Failed("gone".into()), None);
    assert_eq!(world.outcome(), Some(Outcome::Failed));
    world.resume();
    refused(&world, "already ended");
}

/// A pause outlives its leader: the step that the last one began is looked at only when somebody resumes.
#[test]
fn a_pause_survives_a_change_of_leader() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.pause();
    world.crash();
    world.pass(5_000);
    assert!(matches!(world.operation().steps[0], StepState::Unknown { .. }));
    assert_eq!(world.steps.len(), 1);
    world.resume();
    let step = world.steps.last().unwrap();
    assert_eq!((world.steps.len(), step.attempt, step.may_have_happened), (2, 2, true));
}

/// A paused operation can be cancelled, and then it is over.
#[test]
fn a_paused_operation_can_be_cancelled() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.pause();
    world.done();
    let operation = world.operation().id.clone();
    world.send(Command::Cancel { operation, reason: "never mind".into() });
    assert_eq!(world.outcome(), Some(Outcome::Cancelled));
    assert_eq!(world.operation().paused, None);
    world.pause();
    refused(&world, "already ended");
}

/// An operation that both is paused and needs a decision takes `done` and `abort`; `retry` would begin a step.
#[test]
fn a_pause_and_a_decision() {
    let mut world = World::new(settings(|_| {}));
    world.inventory("swap", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("swap", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("swap", &[("4.0", Arm::Stable, 100)]);
    world.roll_back("swap", None, &[]);
    world.crash();
    assert!(matches!(world.operation().status, OperationStatus::NeedsDecision { .. }));
    world.pause();
    assert_eq!(world.refusal(), None);
    let settle = |world: &mut World, choice| {
        let operation = world.operation().id.clone();
        world.send(Command::Settle { operation, choice, reason: "I looked".into() });
    };
    settle(&mut world, Settlement::Retry);
    refused(&world, "resume it, then say `retry`");
    settle(&mut world, Settlement::Done);
    assert_eq!(world.refusal(), None);
    assert_eq!(world.operation().steps[1], StepState::Pending, "verifying waits for the person");
    world.resume();
    assert!(matches!(world.operation().steps[1], StepState::Started { .. }));
}

/// A proposal says how long it takes by what is remembered of the same on the same service, and nothing where nothing is.
#[test]
fn a_proposal_says_how_long_it_takes() {
    let mut world = World::new(settings(|_| {}));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    let page = |on| Command::Maintenance { service: "shop".into(), on, reason: "a repair".into() };
    let expected = |world: &World, on| world.core.propose(&page(on), world.now).expected;
    assert_eq!(expected(&world, true), None);
    for (seconds, median) in [(4, 4_000), (1, 2_500), (2, 2_000)] {
        world.send(page(true));
        world.now += Duration::from_secs(seconds);
        world.done();
        assert_eq!(world.outcome(), Some(Outcome::Verified));
        let of = world.says("operation_planned");
        assert_eq!(expected(&world, true), Some(Expected { lasts: Duration::from_millis(median), from: of }));
    }
    assert_eq!(expected(&world, false), None, "turning it off is something else");
    // One that a person stopped says nothing of it.
    world.send(page(true));
    world.now += Duration::from_secs(100);
    let operation = world.operation().id.clone();
    world.send(Command::Cancel { operation, reason: "never mind".into() });
    let step = world.steps.last().unwrap().clone();
    world.finish(&step, StepResult::Transient("503".into()), None);
    assert_eq!(world.outcome(), Some(Outcome::Cancelled));
    assert_eq!(expected(&world, true), Some(Expected { lasts: Duration::from_secs(2), from: 3 }));
}

/// A proposal changes nothing, and a command that begins no operation has none.
#[test]
fn a_proposal_is_only_one() {
    let world = with_healthy_canary();
    let before = world.core.state().clone();
    let promote = Command::Promote(Promote {
        service: "shop".into(),
        release: Some("ref-4.0".into()),
        reason: "it is fine".into(),
        overrides: Vec::new(),
    });
    let proposal = world.core.propose(&promote, world.now);
    assert_eq!(proposal.refusal(), None);
    assert_eq!(proposal.plan.unwrap().steps.len(), 2);
    let consulted = proposal.guardrails.iter().map(|check| check.guardrail);
    assert!(consulted.eq([
        Guardrail::ReadOnly,
        Guardrail::Busy,
        Guardrail::Freeze,
        Guardrail::StaleData,
        Guardrail::Target,
        Guardrail::Schema,
        Guardrail::Health,
    ]));
    let thaw = Command::Thaw { service: None, reason: "over".into() };
    let refusal = world.core.propose(&thaw, world.now).refusal();
    assert_eq!(refusal.as_deref(), Some("to lift a freeze makes no plan"));
    assert_eq!(world.core.state(), &before);
}

/// Whoever does not sense itself proposes by what the leader has sensed, unless that is old or of another canary.
#[test]
fn a_proposal_by_the_leaders_readings() {
    let world = with_healthy_canary();
    let reading = Arc::clone(world.core.senses().reading(&service("shop")).unwrap());
    let promote = Command::Promote(Promote {
        service: "shop".into(),
        release: None,
        reason: "it is fine".into(),
        overrides: Vec::new(),
    });
    let health = |canary: &str, age| {
        let mut core = Core::new(Arc::clone(world.core.settings()), Arc::clone(world.core.state()));
        let result = Ok(inventory(&[("3.0", Arm::Stable, 80), (canary, Arm::Canary, 20)]));
        let at = world.now + Duration::from_secs(1);
        core.step(Input::Inventory { service: "shop".into(), at, result }, at);
        core.adopt(&"shop".into(), Arc::clone(&reading), at - Duration::from_secs(age), at);
        let checks = core.propose(&promote, at).guardrails;
        checks.into_iter().find(|check| check.guardrail == Guardrail::Health).unwrap().passes
    };
    assert!(health("4.0", 1));
    assert!(!health("4.0", 11), "older than data may be");
    assert!(!health("2.0", 1), "of another canary");
}

/// Only a rollback ticks what the checklist says of rollbacks: the maintenance page takes no release back.
#[test]
fn the_checklist_counts_rollbacks_alone() {
    let mut world = World::with_canary();
    let (services, level) = (vec!["shop".into()], Level::Sev2);
    world.send(Command::OpenIncident { services, title: "slow".into(), level });
    let started = |world: &World| {
        let state = world.core.state();
        let incident = state.open_incident().expect("an incident is open");
        let list = checklist(incident, state, &world.core.settings().config, &BTreeMap::new(), world.now);
        let item = list.item("start-rollback").expect("the item is there").clone();
        (incident.operations.len(), item.fact.expect("it has a fact").holds)
    };
    world.maintenance("shop", true);
    assert_eq!(started(&world), (1, Some(false)));
    let step = world.steps.last().unwrap().clone();
    world.finish(&step, StepResult::Done { adopted: false, detail: "ok".into() }, None);
    assert_eq!(started(&world), (1, Some(false)));
    world.roll_back("shop", None, &[]);
    assert_eq!(started(&world), (2, Some(true)));
}
