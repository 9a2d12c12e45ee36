//! Bringing a release in: every strategy forward, and back from every stage.

use unship::engine::StepResult;
use unship::model::Span;
use unship::model::command::{Command, Deploy, RollBack};
use unship::model::decision::Guardrail;
use unship::model::deploy::{DeployStrategy, Phase, StageSpec, ValidationPhase};
use unship::model::event::Event;
use unship::model::operation::{Action, Operation, OperationStatus, Outcome, PlanKind, StepState, Strategy};
use unship::model::platform::PlatformAction;
use unship::model::release::{Arm, Quality};
use unship::model::validation::{CheckSpec, SmokeSpec, Validation};

use crate::harness::{World, settings};

/// `shop` with 3.0 as stable, recorded as good; 4.0 is known and has no traffic.
fn ready(change: impl FnOnce(&mut unship::config::Config)) -> World {
    let mut world = World::new(settings(|config| {
        config.deploy.canary = vec![
            StageSpec { percent: 5, watch: Span::secs(20) },
            StageSpec { percent: 50, watch: Span::secs(5) },
        ];
        config.deploy.rolling = vec![StageSpec { percent: 50, watch: Span::secs(5) }];
        config.deploy.patience = Span::secs(15);
        config.deploy.verify_hold = Span::secs(3);
        config.deploy.verify_deadline = Span::secs(20);
        change(config);
    }));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world
}

fn check(critical: bool) -> CheckSpec {
    let mut check: CheckSpec = serde_json::from_value(serde_json::json!({ "command": ["true"] })).unwrap();
    check.critical = critical;
    check
}

fn suite(candidate: bool) -> SmokeSpec {
    let mut suite: SmokeSpec = serde_json::from_value(serde_json::json!({
        "services": ["shop"], "url": "http://127.0.0.1:1", "tests": [],
    }))
    .unwrap();
    suite.candidate = candidate.then(|| "http://127.0.0.1:2".to_owned());
    suite
}

fn deploy_as(world: &mut World, strategy: DeployStrategy, confirmed: bool, overrides: &[Guardrail]) {
    let overrides = overrides
        .iter()
        .map(|guardrail| unship::model::command::Override {
            guardrail: *guardrail,
            reason: "I looked".into(),
        })
        .collect();
    world.send(Command::Deploy(Deploy {
        service: "shop".into(),
        version: "4.0".into(),
        strategy,
        from: Some("ref-3.0".into()),
        confirmed,
        migrations: Vec::new(),
        reason: "sprint 12".into(),
        overrides,
    }));
}

fn deploy(world: &mut World, strategy: DeployStrategy) {
    deploy_as(world, strategy, false, &[]);
    assert_eq!(world.refusal(), None);
}

fn first(world: &World) -> Operation {
    world.core.state().operation(&"op-1".into()).unwrap().clone()
}

fn ended(operation: &Operation) -> Option<Outcome> {
    match operation.status {
        OperationStatus::Ended { outcome, .. } => Some(outcome),
        _ => None,
    }
}

fn quality(world: &World) -> Quality {
    world.core.state().service(&"shop".into()).unwrap().quality(&"ref-4.0".into())
}

fn percent(world: &World) -> u8 {
    let PlatformAction::ShiftTraffic { shares } = &world.steps.last().unwrap().action else { return 0 };
    shares.iter().filter(|share| share.reference.as_str() == "ref-4.0").map(|share| share.percent).sum()
}

/// A second of traffic on whatever serves; errors are on 4.0 alone.
fn second(world: &mut World, errors: f64) {
    match percent(world) {
        0 => world.second("shop", &[("3.0", 100.0, 0.0)]),
        100 => world.second("shop", &[("4.0", 100.0, errors)]),
        _ => world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 50.0, errors)]),
    }
}

/// Goes on as a platform and a world would that work, until something else is asked for or the time is up.
fn until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    for _ in 0..200 {
        if is_so(world) {
            return;
        }
        let asked = world.operation().clone();
        let waits =
            asked.current().and_then(|step| match (&asked.plan.steps[step].action, &asked.steps[step]) {
                (Action::Platform { .. }, StepState::Started { .. }) => Some(true),
                (Action::Validate { .. }, StepState::Started { .. }) => Some(false),
                _ => None,
            });
        match waits {
            Some(true) => drop(world.done()),
            Some(false) => {
                drop(world.tried(StepResult::Done { adopted: false, detail: "4 of 4 passed".into() }));
            }
            None => second(world, 0.0),
        }
    }
    panic!("it did not happen: {:#?}", world.operation());
}

fn titles(world: &World) -> Vec<String> {
    first(world).plan.steps.iter().map(|step| step.title.replace('`', "")).collect()
}

/// Checks, the candidate tested without users, a person's go, all the traffic, verified, tested with users.
#[test]
fn blue_green_waits_for_a_person() {
    let mut world = ready(|config| {
        config.checks.insert("disk".into(), check(false));
        config.smoke.insert("cart".into(), suite(true));
    });
    deploy(&mut world, DeployStrategy::BlueGreen);
    assert_eq!(
        titles(&world),
        [
            "run the checks",
            "test 4.0 before it has traffic: cart",
            "wait for a person to say go",
            "give 4.0 all the traffic",
            "verify that 4.0 is healthy",
            "test 4.0 with traffic: cart",
        ]
    );
    until(&mut world, |world| world.operation().awaits_confirmation());
    assert!(world.steps.is_empty(), "no traffic moves before a person says go");
    world.pass(600_000);
    assert!(world.operation().awaits_confirmation());
    world.send(Command::Confirm { operation: "op-1".into(), reason: "the tests are green".into() });
    assert_eq!((world.refusal(), percent(&world)), (None, 100));
    world.send(Command::Confirm { operation: "op-1".into(), reason: "again".into() });
    assert!(world.refusal().unwrap().contains("does not wait for a person"));
    until(&mut world, |world| world.outcome().is_some());
    assert_eq!((world.outcome(), world.says("operation_planned")), (Some(Outcome::Verified), 1));
    let phases: Vec<_> = first(&world).plan.steps.iter().filter_map(|step| step.phase).collect();
    assert!(phases.is_sorted(), "{phases:?}");
    assert_eq!(first(&world).plan.budgets.len(), Phase::ALL.len());
}

/// Nobody says go: it ends and has moved nothing. Said in advance, nobody is waited for.
#[test]
fn a_go_that_does_not_come() {
    let mut world = ready(|_| {});
    deploy(&mut world, DeployStrategy::BlueGreen);
    assert!(world.operation().awaits_confirmation());
    world.pass(3_600_000);
    assert_eq!((world.outcome(), world.says("operation_planned")), (Some(Outcome::Failed), 1));
    assert!(world.steps.is_empty());
    let mut world = ready(|_| {});
    deploy_as(&mut world, DeployStrategy::BlueGreen, true, &[]);
    assert_eq!((world.refusal(), percent(&world)), (None, 100));
}

/// Every stage lasts its time, the last gives everything, and the whole is verified.
#[test]
fn a_canary_in_stages() {
    let mut world = ready(|config| {
        config.deploy.validation = vec![ValidationPhase {
            name: "health".into(),
            watch: Some(Span::secs(120)),
            smoke: None,
            load: None,
        }];
    });
    deploy(&mut world, DeployStrategy::Canary);
    let began = world.now;
    until(&mut world, |world| percent(world) == 50);
    assert!(world.now.duration_since(began).as_secs() >= 20);
    until(&mut world, |world| world.outcome().is_some());
    assert_eq!(world.outcome(), Some(Outcome::Verified));
    assert!(world.now.duration_since(began).as_secs() >= 20 + 5 + 120);
    assert_eq!(world.core.state().service(&"shop".into()).unwrap().rollbacks, 0);
}

/// At every stage and after it: a release that fails with users on it is taken back at once, without any stage, and whatever
/// was planned after it never happens.
#[test]
fn a_failing_release_goes_back_from_every_stage() {
    for strategy in DeployStrategy::ALL {
        let shares: &[u8] = match strategy {
            DeployStrategy::Canary => &[5, 50, 100],
            DeployStrategy::Rolling => &[50, 100],
            _ => &[100],
        };
        for share in shares {
            let mut world = ready(|config| {
                config.deploy.validation = vec![ValidationPhase {
                    name: "health".into(),
                    watch: Some(Span::secs(60)),
                    smoke: None,
                    load: None,
                }];
            });
            deploy_as(&mut world, strategy, true, &[]);
            until(&mut world, |world| percent(world) == *share);
            world.done();
            let failed = world.now;
            for _ in 0..15 {
                if world.says("operation_planned") == 1 {
                    second(&mut world, 40.0);
                }
            }
            let (deployment, back) = (first(&world), world.operation().clone());
            assert_eq!(ended(&deployment), Some(Outcome::Failed), "{strategy:?} at {share}: {deployment:#?}");
            assert_eq!(back.plan.kind, PlanKind::RollBack, "{strategy:?} at {share}");
            assert!(back.reason.contains("failing at"), "{}", back.reason);
            assert!(world.now.duration_since(failed).as_secs() < 15);
            assert_eq!((back.plan.to.version.as_str(), percent(&world)), ("3.0", 0));
            assert_eq!(
                world.steps.last().unwrap().step,
                0,
                "the first step of the way back moves the traffic"
            );
            until(&mut world, |world| world.outcome().is_some());
            assert_eq!((world.outcome(), world.says("operation_planned")), (Some(Outcome::Verified), 2));
            let shop = world.core.state().service(&"shop".into()).unwrap();
            assert_eq!(shop.quality(&"ref-4.0".into()), Quality::Bad);
        }
    }
}

/// Nothing that is not known lets a release through: a stage without data waits as long as it may, then goes back.
#[test]
fn a_stage_without_data_goes_back() {
    let mut world = ready(|_| {});
    deploy(&mut world, DeployStrategy::Canary);
    world.done();
    for _ in 0..30 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    assert_eq!(world.says("operation_planned"), 1, "it is waited for");
    for _ in 0..10 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    let OperationStatus::Ended { outcome: Outcome::Failed, detail, .. } = first(&world).status else {
        panic!()
    };
    assert!(detail.contains("was not seen healthy at 5 %"), "{detail}");
    assert_eq!(world.operation().plan.kind, PlanKind::RollBack);
    world.done();
    assert_eq!(quality(&world), Quality::Unknown, "nothing says that it is bad");
}

/// A check that fails, or a test without users: nothing was moved, so nothing is put back.
#[test]
fn before_any_traffic_nothing_is_put_back() {
    let mut world = ready(|config| {
        config.checks.insert("disk".into(), check(true));
        config.smoke.insert("cart".into(), suite(true));
    });
    deploy(&mut world, DeployStrategy::Canary);
    world.tried(StepResult::Failed("checks: 0 of 1 passed; disk FAILED: 3 MiB are free".into()));
    assert_eq!((world.outcome(), world.says("operation_planned")), (Some(Outcome::Failed), 1));
    assert!(world.steps.is_empty());
    deploy(&mut world, DeployStrategy::Canary);
    world.tried(StepResult::Done { adopted: false, detail: "1 of 1 passed".into() });
    let what = &world.trials.last().unwrap().what;
    assert_eq!(*what, Validation::Smoke { suite: "cart".into(), candidate: true });
    world.tried(StepResult::Failed("cart: 3 of 4 passed; login FAILED: expected status 2xx, got 500".into()));
    assert_eq!((world.outcome(), world.says("operation_planned")), (Some(Outcome::Failed), 2));
    assert!(world.steps.is_empty());
    let shop = world.core.state().service(&"shop".into()).unwrap();
    assert_eq!(shop.quality(&"ref-4.0".into()), Quality::Unknown, "users never had it");
}

/// A test with users on it that fails takes the release back.
#[test]
fn a_failing_suite_takes_it_back() {
    let mut world = ready(|config| drop(config.smoke.insert("cart".into(), suite(false))));
    deploy(&mut world, DeployStrategy::Rolling);
    until(&mut world, |world| !world.trials.is_empty());
    world.tried(StepResult::Failed("cart: 0 of 1 passed".into()));
    assert_eq!(ended(&first(&world)), Some(Outcome::Failed));
    assert_eq!((world.operation().plan.kind, percent(&world)), (PlanKind::RollBack, 0));
}

/// What the service and its machines were like under load stands beside what the release before it was like.
#[test]
fn a_load_run_beside_the_baseline() {
    let mut world = ready(|config| {
        let load = toml::from_str("url = \"http://127.0.0.1:1/\"\nduration = \"10s\"").unwrap();
        config.load.insert("peak".into(), load);
        config.deploy.validation = vec![toml::from_str("name = \"load\"\nload = \"peak\"").unwrap()];
    });
    for _ in 0..10 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    deploy(&mut world, DeployStrategy::Rolling);
    until(&mut world, |world| !world.trials.is_empty());
    for _ in 0..4 {
        second(&mut world, 1.0);
    }
    world.tried(StepResult::Done { adopted: false, detail: "peak: 3 of 3 passed".into() });
    let detail = world.events.iter().rev().find_map(|(_, event)| match event {
        Event::StepSucceeded { detail, .. } => Some(detail.clone()),
        _ => None,
    });
    let detail = detail.unwrap();
    assert!(detail.starts_with("peak: 3 of 3 passed; beside 3.0: errors 0."), "{detail}");
    assert!(detail.contains(" % (0 % before)"), "{detail}");
}

/// A person cancels at a stage, or takes the release back by name: both are one way back, and its record says who.
#[test]
fn a_person_takes_it_back() {
    let mut world = ready(|_| {});
    deploy(&mut world, DeployStrategy::Canary);
    world.done();
    second(&mut world, 0.0);
    world.send(Command::Cancel { operation: "op-1".into(), reason: "marketing calls".into() });
    assert_eq!(ended(&first(&world)), Some(Outcome::Cancelled));
    assert_eq!((world.operation().plan.kind, percent(&world)), (PlanKind::RollBack, 0));
    world.done();
    assert_eq!(quality(&world), Quality::Unknown, "to cancel is not to say that it is bad");

    let mut world = ready(|_| {});
    deploy(&mut world, DeployStrategy::Canary);
    world.done();
    for _ in 0..6 {
        second(&mut world, 0.0);
    }
    let back = || {
        Command::RollBack(RollBack {
            service: "shop".into(),
            from: Some("ref-4.0".into()),
            to: None,
            strategy: Strategy::Immediate,
            reason: "the cart is empty".into(),
            overrides: Vec::new(),
        })
    };
    world.send(back());
    assert_eq!(world.refusal(), None);
    // One who sees the canary before the engine has looked again is not sent away.
    let mut early = ready(|_| {});
    deploy(&mut early, DeployStrategy::Canary);
    let known = early.core.state().service(&"shop".into()).unwrap();
    assert_eq!(known.suspect().unwrap().1.reference.as_str(), "ref-3.0");
    early.send(back());
    assert_eq!(early.refusal(), None);
    let operation = world.operation().clone();
    assert_eq!((operation.plan.kind, operation.reason.as_str()), (PlanKind::RollBack, "the cart is empty"));
    assert_eq!(operation.by.to_string(), "ana");
    assert!(operation.command.is_some(), "whoever asked can follow it");
    // The way that was asked for is the way that is gone.
    assert_eq!(operation.plan.strategy, Strategy::Immediate);
    // A second one does not begin another.
    world.send(back());
    assert!(world.refusal().unwrap().contains("busy: op-2 runs on it"), "{:?}", world.refusal());
    world.done();
    assert_eq!(quality(&world), Quality::Bad, "to take it back by name is to say so");
}

/// The process dies at every step in turn: the next one goes on, and every step happens once.
#[test]
fn killed_at_every_step() {
    for dies_at in 0..12 {
        let mut world = ready(|config| {
            config.checks.insert("disk".into(), check(false));
            config.smoke.insert("cart".into(), suite(true));
        });
        deploy(&mut world, DeployStrategy::Canary);
        let mut has_died = false;
        for _ in 0..200 {
            if world.outcome().is_some() {
                break;
            }
            let begun = world.says("step_started");
            if begun > dies_at && !has_died {
                has_died = true;
                world.crash();
                let at = world.now;
                let traffic = world.core.state().service(&"shop".into()).unwrap().inventory.clone().unwrap();
                world.give(unship::engine::Input::Inventory {
                    service: "shop".into(),
                    at,
                    result: Ok(traffic),
                });
            }
            let operation = world.operation().clone();
            match operation.current().map(|step| (&operation.plan.steps[step].action, &operation.steps[step]))
            {
                Some((Action::Platform { .. }, StepState::Started { .. })) => drop(world.done()),
                Some((Action::Validate { .. }, StepState::Started { .. })) => {
                    world.tried(StepResult::Done { adopted: false, detail: "passed".into() });
                }
                _ => second(&mut world, 0.0),
            }
        }
        assert_eq!(world.outcome(), Some(Outcome::Verified), "killed at {dies_at}: {:#?}", world.operation());
        let succeeded = world.events.iter().filter(|(_, event)| matches!(event, Event::StepSucceeded { .. }));
        assert_eq!(succeeded.count(), first(&world).plan.steps.len(), "killed at {dies_at}");
    }
}

/// What a deployment is refused for.
#[test]
fn refusals() {
    let refused = |world: &mut World, strategy, words: &str| {
        deploy_as(world, strategy, false, &[]);
        let why = world.refusal().expect("it was taken up");
        assert!(why.contains(words), "{why}");
    };
    let mut world = ready(|config| config.environment.read_only = true);
    refused(&mut world, DeployStrategy::Canary, "read-only");
    let mut world = ready(|_| {});
    world.send(Command::Mark {
        service: "shop".into(),
        version: "4.0".into(),
        quality: Quality::Bad,
        reason: "it loses orders".into(),
    });
    refused(&mut world, DeployStrategy::Canary, "`4.0` is marked bad: it loses orders");
    deploy_as(&mut world, DeployStrategy::Canary, false, &[Guardrail::Target]);
    assert_eq!(world.refusal(), None);
    refused(&mut world, DeployStrategy::Canary, "busy: op-1 runs on it");

    let mut world = ready(|_| {});
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    refused(&mut world, DeployStrategy::Canary, "`4.0` is live now, not the release you looked at");
    let mut world = ready(|_| {});
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("2.0", Arm::Canary, 20)]);
    refused(&mut world, DeployStrategy::Canary, "`2.0` gets traffic as the canary");
}

/// Without weights only what the platform does itself is possible, and it goes back the same way.
#[test]
fn a_platform_without_weights() {
    let mut world = ready(|_| {});
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("pay", &[("3.0", 100.0, 0.0)]);
    }
    let ask = |strategy| {
        Command::Deploy(Deploy {
            service: "pay".into(),
            version: "4.0".into(),
            strategy,
            from: None,
            migrations: Vec::new(),
            confirmed: true,
            reason: "sprint 12".into(),
            overrides: Vec::new(),
        })
    };
    world.send(ask(DeployStrategy::Canary));
    assert!(world.refusal().unwrap().contains("cannot move traffic by weights"));
    world.send(ask(DeployStrategy::Rolling));
    assert_eq!(world.refusal(), None);
    let restored = |world: &World| match &world.steps.last().unwrap().action {
        PlatformAction::Restore { release } => release.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(restored(&world), "ref-4.0");
    world.done();
    for _ in 0..12 {
        world.second("pay", &[("4.0", 100.0, 40.0)]);
    }
    assert_eq!((world.operation().plan.kind, restored(&world).as_str()), (PlanKind::RollBack, "ref-3.0"));
}

/// In an emergency the page goes up before the traffic goes back, also when a deployment is what is left.
#[test]
fn an_emergency_during_a_deployment() {
    let mut world = ready(|_| {});
    deploy(&mut world, DeployStrategy::Canary);
    world.done();
    for _ in 0..6 {
        second(&mut world, 0.0);
    }
    world.send(Command::RollBack(RollBack {
        service: "shop".into(),
        from: None,
        to: None,
        strategy: Strategy::Emergency,
        reason: "orders are lost".into(),
        overrides: Vec::new(),
    }));
    assert_eq!((world.refusal(), world.operation().plan.strategy), (None, Strategy::Emergency));
    assert_eq!(world.steps.last().unwrap().action, PlatformAction::Maintenance { on: true });
}

/// What is looked at after it came: the windows that have passed, oldest first, in words.
fn afterwards(world: &World) -> Vec<String> {
    let watched = first(world).watched;
    watched
        .iter()
        .map(|watched| format!("{}: {}", unship::model::units::human(*watched.window), watched.words()))
        .collect()
}

/// Most regressions are late: the release is looked at after five minutes, half an hour and a day, and what came up between is named.
/// A process that was away notes how late it is; a release that is gone is not looked at any more.
#[test]
fn a_day_of_watching() {
    let mut world = ready(|_| {});
    deploy_as(&mut world, DeployStrategy::Emergency, true, &[]);
    until(&mut world, |world| world.outcome().is_some());
    assert_eq!(world.outcome(), Some(Outcome::Verified));
    let pass = |world: &mut World, seconds: u64| {
        // A second in every minute is enough to be seen as it is.
        for _ in 0..seconds / 60 {
            world.now += std::time::Duration::from_secs(59);
            second(world, 0.0);
        }
    };
    pass(&mut world, 240);
    assert_eq!(afterwards(&world), Vec::<String>::new());
    pass(&mut world, 120);
    assert_eq!(afterwards(&world).len(), 1, "{:?}", afterwards(&world));
    assert!(afterwards(&world)[0].starts_with("5 m: "), "{:?}", afterwards(&world));
    // Something comes up, which the triggers act on: here a person has switched that off.
    world.send(Command::Automatic { on: false, reason: "I look at it".into() });
    for _ in 0..6 {
        second(&mut world, 40.0);
    }
    // Nobody leads for two days.
    world.now += std::time::Duration::from_secs(2 * 86_400);
    world.crash();
    world.pass(1_000);
    world.pass(1_000);
    let seen = afterwards(&world);
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen[1].starts_with("30 m: ") && seen[1].contains("errors"), "{seen:?}");
    assert!(seen[2].starts_with("1 d: ") && seen[2].ends_with("nothing came up"), "{seen:?}");
    let late = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::ReleaseWatched { late_ms, .. } if *late_ms > 86_000_000));
    assert_eq!(late.count(), 2, "both say how late");
    world.pass(1_000);
    assert_eq!(afterwards(&world).len(), 3, "each once");
    assert_eq!(&world.folded, world.core.state().as_ref(), "a fold");

    // Taken back within the first minutes: it is looked at no more.
    let mut world = ready(|_| {});
    deploy_as(&mut world, DeployStrategy::Emergency, true, &[]);
    until(&mut world, |world| world.outcome().is_some());
    world.roll_back("shop", Some("3.0"), &[Guardrail::Target]);
    assert_eq!(world.refusal(), None);
    world.done();
    for _ in 0..10 {
        world.pass(3_600_000);
    }
    assert_eq!(afterwards(&world), Vec::<String>::new());
}
