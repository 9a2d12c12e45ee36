//! The sequences that matter, one by one.

use unship::engine::{Input, StepResult};
use unship::model::breaker::{Breaker, BreakerLimits, Dependency};
use unship::model::command::{Actor, Command, Settlement};
use unship::model::decision::{Guardrail, Recommendation};
use unship::model::event::Event;
use unship::model::operation::{OperationStatus, Outcome, PlanKind, StepState};
use unship::model::probe::Health;
use unship::model::release::{Arm, Quality};
use unship::model::trigger::Verdict;

use crate::harness::{World, service, settings};

fn outcome(world: &World) -> Option<Outcome> {
    match world.operation().status {
        OperationStatus::Ended { outcome, .. } => Some(outcome),
        _ => None,
    }
}

fn refusal(world: &World) -> &str {
    let refused = world.events.iter().rev().find_map(|(_, event)| match event {
        Event::CommandRefused { reason, .. } => Some(reason.as_str()),
        _ => None,
    });
    refused.expect("a command was refused")
}

/// A canary with errors is taken back by itself, its traffic goes to stable, and it ends verified.
#[test]
fn a_bad_canary_is_rolled_back() {
    let mut world = World::with_canary();
    for _ in 0..4 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    let operation = world.operation().clone();
    assert_eq!(operation.by, Actor::Engine);
    assert_eq!((operation.plan.from.version.as_str(), operation.plan.to.version.as_str()), ("4.0", "3.0"));
    let decision = world.core.state().service(&service("shop")).unwrap().decision.clone().unwrap();
    assert_eq!(decision.recommendation, Recommendation::RollBackImmediately);
    let consulted = decision.guardrails.iter().map(|check| check.guardrail);
    let concerning = Guardrail::ALL.into_iter().filter(|guardrail| guardrail.concerns(PlanKind::RollBack));
    assert!(decision.acted && !decision.reasons.is_empty() && consulted.eq(concerning));
    world.done();
    assert!(world.operation().traffic_back_at.is_some());
    for _ in 0..6 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(outcome(&world), Some(Outcome::Verified));
    let shop = world.core.state().service(&service("shop")).unwrap();
    assert_eq!(shop.quality(&"ref-4.0".into()), Quality::Bad);
    assert_eq!(shop.quality(&"ref-3.0".into()), Quality::Good);
    assert_eq!(world.steps.len(), 1, "one change on the platform");
}

/// When stable breaks its limit too, going back may not help: hold, and say so.
#[test]
fn stable_is_bad_too() {
    let mut world = World::with_canary();
    for _ in 0..10 {
        world.second("shop", &[("3.0", 100.0, 30.0), ("4.0", 30.0, 9.0)]);
    }
    assert_eq!(world.says("operation_planned"), 0);
    let shop = world.core.state().service(&service("shop")).unwrap();
    let decision = shop.decision.clone().unwrap();
    assert_eq!(decision.recommendation, Recommendation::Hold);
    assert!(decision.reasons.iter().any(|reason| reason.contains("stable is bad too")), "{decision:?}");
    assert!(matches!(shop.arms[&Arm::Canary].0, Verdict::Unknown { .. }));
    assert!(matches!(shop.arms[&Arm::Stable].0, Verdict::Failing { .. }));
}

/// A canary that nobody sends requests to is unknown: neither healthy nor rolled back.
#[test]
fn a_canary_without_traffic_is_unknown() {
    let mut world = World::with_canary();
    for _ in 0..30 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    let shop = world.core.state().service(&service("shop")).unwrap();
    assert!(matches!(shop.arms[&Arm::Canary].0, Verdict::Unknown { .. }));
    assert_eq!(shop.verdict.as_ref().unwrap().0.word(), "unknown");
    assert_eq!(shop.decision.as_ref().unwrap().recommendation, Recommendation::Hold);
    assert_eq!(world.says("operation_planned"), 0);
}

/// A source that goes away makes things unknown, and nothing is rolled back for it.
#[test]
fn a_dead_source_is_no_failure() {
    let mut world = World::with_canary();
    world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 0.0)]);
    for _ in 0..30 {
        world.pass(1_000);
        world.source_fault();
        world.probe(Some(Health::Healthy));
    }
    let shop = world.core.state().service(&service("shop")).unwrap();
    assert_eq!(shop.verdict.as_ref().unwrap().0.word(), "unknown");
    assert!(world.core.state().source_faults.contains_key("metrics"));
    assert_eq!(world.says("operation_planned"), 0);
    assert_eq!(world.says("source_readable"), 1, "said once");
}

/// A breaker that opens is said once, and again only when it changes; whoever leads next has asked nobody yet, so for it
/// everything is closed. What is not in the config is no business of ours.
#[test]
fn breakers_are_said_and_begin_anew() {
    let mut world = World::with_canary();
    let mut open = Breaker::new(BreakerLimits { failures: 1, ..BreakerLimits::default() }, world.now);
    open.failed(world.now, "refused", 0.5);
    let status = open.status().clone();
    let metrics = Dependency::Source("metrics".into());
    for dependency in
        [metrics.clone(), Dependency::Platform(service("shop")), Dependency::Source("other".into())]
    {
        for _ in 0..2 {
            world.give(Input::Breaker { dependency: dependency.clone(), status: status.clone() });
        }
    }
    assert_eq!(world.says("breaker_changed"), 2);
    assert_eq!(world.core.state().source_breakers["metrics"], status);
    assert_eq!(world.core.state().breakers().count(), 2);
    world.give(Input::Leading { holder: "guard@other:2".into(), program: "test".into() });
    assert_eq!(world.core.state().breakers().count(), 0);
    assert_eq!(world.says("breaker_changed"), 4);
}

/// Rolling back twice goes further back or refuses; it never returns to the release that was left.
#[test]
fn rolling_back_twice_never_toggles() {
    let mut world = World::new(settings(|config| config.guardrails.cooldown = "0s".parse().unwrap()));
    // 2.0, then 3.0, then 4.0 were live; 2.0 and 3.0 proved good.
    for version in ["2.0", "3.0"] {
        world.inventory("shop", &[(version, Arm::Stable, 100)]);
        for _ in 0..8 {
            world.second("shop", &[(version, 100.0, 0.0)]);
        }
    }
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    for expected in ["3.0", "2.0"] {
        world.roll_back("shop", None, &[]);
        assert_eq!(world.operation().plan.to.version.as_str(), expected);
        world.done();
        for _ in 0..6 {
            world.second("shop", &[(expected, 130.0, 0.0)]);
        }
        assert_eq!(outcome(&world), Some(Outcome::Verified));
    }
    world.roll_back("shop", None, &[]);
    assert_eq!(world.says("operation_planned"), 2);
    assert!(refusal(&world).contains("no other release has recorded health"), "{}", refusal(&world));
    // Going forward again is possible for a person who names the release and says why.
    world.roll_back("shop", Some("4.0"), &[]);
    assert!(refusal(&world).contains("marked bad"), "{}", refusal(&world));
    world.roll_back("shop", Some("4.0"), &[Guardrail::Target]);
    assert_eq!((world.says("operation_planned"), world.says("guardrail_overridden")), (3, 1));
}

/// With no release that has recorded health there is nowhere to go, and it says so instead of guessing.
#[test]
fn no_target_no_rollback() {
    let mut world = World::new(settings(|_| {}));
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    for _ in 0..5 {
        world.second("shop", &[("4.0", 100.0, 50.0)]);
    }
    assert_eq!(world.says("operation_planned"), 0);
    let decision = world.core.state().service(&service("shop")).unwrap().decision.clone().unwrap();
    assert_eq!(decision.recommendation, Recommendation::RollBackImmediately);
    let blocking: Vec<_> =
        decision.guardrails.iter().filter(|check| check.blocks()).map(|check| check.guardrail).collect();
    assert_eq!(blocking, [Guardrail::Target]);
    assert!(world.events.iter().any(|(_, event)| matches!(event, Event::NotificationQueued { notification } if notification.topic == "rollback-recommended")));
}

/// When the failure goes on after the traffic is back, the release was not the cause: people are told, nothing is repeated.
#[test]
fn not_recovered_is_said_and_not_repeated() {
    let mut world = World::new(settings(|config| config.guardrails.cooldown = "1s".parse().unwrap()));
    for version in ["2.0", "3.0"] {
        world.inventory("shop", &[(version, Arm::Stable, 100)]);
        for _ in 0..8 {
            world.second("shop", &[(version, 100.0, 0.0)]);
        }
    }
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    for _ in 0..4 {
        world.second("shop", &[("4.0", 100.0, 50.0)]);
    }
    world.done();
    for _ in 0..60 {
        world.second("shop", &[("3.0", 100.0, 50.0)]);
    }
    assert_eq!(outcome(&world), Some(Outcome::NotRecovered));
    assert_eq!(world.says("operation_planned"), 1, "not rolled back further without a person");
    let decision = world.core.state().service(&service("shop")).unwrap().decision.clone().unwrap();
    let maximum = decision.guardrails.iter().find(|check| check.guardrail == Guardrail::Maximum).unwrap();
    assert!(maximum.blocks() && maximum.detail.contains("a person has to look"), "{}", maximum.detail);
}

/// Without data after the rollback it is not called recovered, nor not recovered.
#[test]
fn no_data_after_the_rollback_is_unverified() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.done();
    for _ in 0..60 {
        world.pass(1_000);
    }
    assert_eq!(outcome(&world), Some(Outcome::Unverified));
}

/// A transient failure is tried again with the same key and gives up after its retries.
#[test]
fn transient_failures_are_retried_with_the_same_key() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    for _ in 0..3 {
        let step = world.steps.last().unwrap().clone();
        world.finish(&step, StepResult::Transient("503".into()), None);
        for _ in 0..100 {
            world.pass(100);
        }
    }
    assert_eq!(world.steps.len(), 3);
    assert!(world.steps.iter().all(|step| step.key == world.steps[0].key));
    assert_eq!(outcome(&world), Some(Outcome::Failed));
}

/// After a crash a step that can be observed is looked at again; one that cannot, and must not be repeated, waits for a
/// person, who settles it.
#[test]
fn a_crash_in_a_step() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.crash();
    assert_eq!(world.steps.len(), 2);
    assert!(world.steps[1].may_have_happened && world.steps[1].key == world.steps[0].key);
    world.done();
    for _ in 0..6 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(outcome(&world), Some(Outcome::Verified));

    let mut world = World::new(settings(|_| {}));
    world.inventory("swap", &[("4.0", Arm::Stable, 100)]);
    world.roll_back("swap", Some("3.0"), &[Guardrail::Target]);
    assert_eq!(world.steps.len(), 1);
    world.crash();
    assert_eq!(world.steps.len(), 1, "not repeated blindly");
    let operation = world.operation().clone();
    assert!(matches!(operation.status, OperationStatus::NeedsDecision { step: 0, .. }));
    world.crash();
    assert_eq!(world.says("decision_needed"), 1, "asked once");
    let (operation, reason) = (operation.id, "I looked: 3.0 serves".to_owned());
    world.send(Command::Settle { operation, choice: Settlement::Done, reason });
    assert!(matches!(world.operation().steps[0], StepState::Succeeded { adopted: true, .. }));
    assert!(world.operation().traffic_back_at.is_some());
}

/// The same command twice acts once; a command that waited too long is refused.
#[test]
fn a_command_acts_once_and_in_time() {
    let mut world = World::with_canary();
    let envelope = unship::model::command::Envelope {
        id: "same".into(),
        by: Actor::Person { name: "ana".into() },
        at: world.now,
        command: Command::Automatic { on: false, reason: "maintenance".into() },
    };
    world.give(Input::Command(envelope.clone()));
    world.give(Input::Command(envelope.clone()));
    assert_eq!(world.says("automatic_set"), 1);
    world.pass(120_000);
    world.give(Input::Command(unship::model::command::Envelope { id: "other".into(), ..envelope }));
    assert!(refusal(&world).contains("send it anew"), "{}", refusal(&world));
}

/// A person sees every guardrail, can override those that may be overridden, and that is journaled with the reason.
#[test]
fn overriding_takes_a_reason_and_is_journaled() {
    let mut world = World::with_canary();
    world.send(Command::Freeze { service: None, until: None, reason: "audit".into() });
    world.roll_back("shop", None, &[]);
    assert!(refusal(&world).contains("--override freeze"), "{}", refusal(&world));
    world.roll_back("shop", None, &[Guardrail::Freeze]);
    assert_eq!((world.says("operation_planned"), world.says("guardrail_overridden")), (1, 1));
    world.roll_back("shop", None, &[Guardrail::Busy]);
    assert!(refusal(&world).contains("busy: op-1 runs on it"), "{}", refusal(&world));
}

/// Cancelling stops before the next change, and says where things stand.
#[test]
fn cancelling_stops_at_the_next_step() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    let operation = world.operation().id.clone();
    world.send(Command::Cancel { operation, reason: "wrong service".into() });
    assert_eq!(outcome(&world), None, "the call that is out is waited for");
    world.done();
    assert_eq!(outcome(&world), Some(Outcome::Cancelled));
}

/// With a read-only environment nothing acts, whoever asks.
#[test]
fn read_only_means_nobody() {
    let mut world = World::new(settings(|config| config.environment.read_only = true));
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    world.roll_back("shop", Some("3.0"), &[Guardrail::Target, Guardrail::ReadOnly]);
    assert!(refusal(&world).contains("read-only"), "{}", refusal(&world));
    assert!(world.steps.is_empty());
}

/// When a service that this one depends on fails, and there is no canary to compare with, its release is not blamed.
#[test]
fn a_failing_dependency_is_not_the_release() {
    let mut world = World::new(settings(|_| {}));
    for version in ["3.0", "4.0"] {
        for name in ["shop", "pay"] {
            world.inventory(name, &[(version, Arm::Stable, 100)]);
        }
        for _ in 0..8 {
            world.second("pay", &[(version, 100.0, 0.0)]);
            world.second("shop", &[(version, 100.0, 0.0)]);
        }
    }
    world.send(Command::Automatic { on: false, reason: "test".into() });
    for _ in 0..8 {
        world.second("pay", &[("4.0", 100.0, 90.0)]);
        world.second("shop", &[("4.0", 100.0, 50.0)]);
    }
    let shop = world.core.state().service(&service("shop")).unwrap();
    let decision = shop.decision.clone().unwrap();
    assert_eq!(decision.recommendation, Recommendation::Hold);
    assert!(
        decision.reasons.iter().any(|reason| reason.contains("pay, which shop depends on")),
        "{:?}",
        decision.reasons
    );
}

/// When everything else fails in the same moment, it is the network or our own view, not this release: hold.
#[test]
fn when_everything_fails_no_release_is_blamed() {
    for (others_fail, rolls_back) in [(true, 0), (false, 1)] {
        let mut world = World::with_canary();
        for other in ["pay", "swap"] {
            world.inventory(other, &[("3.0", Arm::Stable, 100)]);
        }
        let errors = if others_fail { 90.0 } else { 0.0 };
        for _ in 0..6 {
            world.second("pay", &[("3.0", 100.0, errors)]);
            world.second("swap", &[("3.0", 100.0, errors)]);
        }
        for _ in 0..4 {
            world.second("pay", &[("3.0", 100.0, errors)]);
            world.second("swap", &[("3.0", 100.0, errors)]);
            world.probe(Some(Health::Unhealthy));
        }
        let planned = world.events.iter().filter(|(_, event)| {
            matches!(event, Event::OperationPlanned { plan, .. } if plan.service.as_str() == "shop")
        });
        assert_eq!(planned.count(), rolls_back);
        if others_fail {
            let shop = world.core.state().service(&service("shop")).unwrap();
            let decision = shop.decision.clone().unwrap();
            assert_eq!(decision.recommendation, Recommendation::Hold);
            let says = |reason: &String| reason.contains("all 2 other services are failing too");
            assert!(decision.reasons.iter().any(says), "{:?}", decision.reasons);
        }
    }
}

/// While the platform cannot be read, nothing is done by itself: nobody knows what is live.
#[test]
fn an_unreadable_platform_forbids_acting() {
    let mut world = World::with_canary();
    let at = world.now;
    world.give(Input::Inventory { service: service("shop"), at, result: Err("no route".into()) });
    for _ in 0..4 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    assert_eq!(world.says("operation_planned"), 0);
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    assert_eq!(world.says("operation_planned"), 1, "as soon as it can be read again");
}
