//! Defects that were found by reading the engine as an adversary would, each with the sequence that showed it.

use std::sync::Arc;
use std::time::Duration;

use unship::engine::{Core, Input, Settings, State};
use unship::model::command::{Actor, Command, Envelope, Override, RollBack, Settlement};
use unship::model::decision::Guardrail;
use unship::model::event::{self, EVENT_VERSION, Event};
use unship::model::operation::{OperationStatus, Outcome, StepState, Strategy};
use unship::model::probe::{Health, ProbeOutcome, ProbeResult};
use unship::model::release::{Arm, Inventory, Quality, Share};
use unship::model::source::{Reading, Sample, SampleValue, SourceReport, Subject};
use unship::model::trigger::{NoData, Scope, TriggerAction, Verdict};

use crate::harness::{World, inventory, service, settings};

fn outcome(world: &World) -> Option<Outcome> {
    match world.operation().status {
        OperationStatus::Ended { outcome, .. } => Some(outcome),
        _ => None,
    }
}

fn refusal(world: &World) -> Option<&str> {
    world.events.iter().rev().find_map(|(_, event)| match event {
        Event::CommandRefused { reason, .. } => Some(reason.as_str()),
        _ => None,
    })
}

/// One check of a probe of `shop`; no health: it could not be run.
fn probe(world: &mut World, name: &str, arm: Option<Arm>, health: Option<Health>) {
    let outcome = health.map_or(ProbeOutcome::NotRun { reason: "no network".into() }, |health| {
        ProbeOutcome::Answered { health, reason: String::new() }
    });
    let at = world.now;
    world.give(Input::Probe(ProbeResult {
        service: "shop".into(),
        probe: name.into(),
        arm,
        at,
        latency_ms: 1.0,
        status: None,
        outcome,
        document: None,
    }));
}

/// A reading of `errors` of some services, whatever its kind, each for the service as a whole or a version.
fn read(world: &mut World, samples: &[(&str, Subject, SampleValue)]) {
    let at = world.now;
    let from = at - Duration::from_secs(1);
    let samples = samples
        .iter()
        .map(|(service, subject, value)| Sample {
            service: (*service).into(),
            indicator: "errors".into(),
            subject: subject.clone(),
            from: if matches!(value, SampleValue::Gauge(_)) { at } else { from },
            at,
            value: value.clone(),
        })
        .collect();
    let result = Ok(Reading { samples, ..Reading::default() });
    world.give(Input::Source(SourceReport { source: "metrics".into(), at, result }));
}

/// The process dies and another begins, after a time and with another config.
fn begin_again(world: &mut World, later: Duration, settings: Arc<Settings>) {
    world.now += later;
    world.core = Core::new(settings, Arc::new(world.folded.clone()));
    world.give(Input::Leading { holder: "guard@other:2".into(), program: "test".into() });
}

/// `shop` on 4.0, with 3.0 recorded good before it.
fn with_good_past(settings: Arc<Settings>) -> World {
    let mut world = World::new(settings);
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("shop", &[("4.0", Arm::Stable, 100)]);
    world
}

/// "No data" can hold only once there was time to read some: not the moment a canary gets traffic, nor the moment the
/// process begins. Else a guard that restarts takes releases back for not having looked at them yet.
#[test]
fn missing_data_needs_time_to_be_missing() {
    let settings = settings(|config| {
        config.triggers.get_mut("errors").unwrap().no_data = NoData::Breach;
    });
    let mut world = World::new(settings.clone());
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..5 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    assert_eq!(world.says("operation_planned"), 0, "the canary has served for 5 s");
    begin_again(&mut world, Duration::from_secs(3_600), settings);
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..5 {
        world.pass(1_000);
        world.probe(Some(Health::Healthy));
    }
    assert_eq!(world.says("operation_planned"), 0, "the process has looked for 5 s");
    for _ in 0..10 {
        world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    assert_eq!(world.says("operation_planned"), 1, "no data of the canary for longer than data may be old");
}

/// What the last process saw does not verify a rollback: nobody has looked since, and the time in between proves nothing.
#[test]
fn nothing_is_verified_while_nobody_looks() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.done();
    for _ in 0..2 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(outcome(&world), None);
    let settings = Arc::clone(world.core.settings());
    begin_again(&mut world, Duration::from_secs(600), settings);
    assert_eq!(outcome(&world), None, "neither verified nor given up before anything was read");
    world.pass(1_000);
    assert_eq!(outcome(&world), None);
    for _ in 0..6 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    assert_eq!(outcome(&world), Some(Outcome::Verified));
}

/// Time without a leader proves nothing good: a release that was healthy when its guard died, and is when the next one
/// begins, is not recorded as good for the time in which nobody looked.
#[test]
fn the_time_without_a_leader_proves_nothing_good() {
    let settings = settings(|config| config.rollback.good_after = "10s".parse().unwrap());
    let mut world = World::new(settings.clone());
    let healthy = [("pay", Subject::Version("3.0".into()), SampleValue::Ratio { bad: 0.0, total: 100.0 })];
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..6 {
        read(&mut world, &healthy);
        world.pass(1_000);
    }
    let pay = |world: &World| world.core.state().service(&service("pay")).cloned().unwrap();
    assert_eq!(pay(&world).arms[&Arm::Stable].0, Verdict::Healthy);
    begin_again(&mut world, Duration::from_secs(3_600), settings);
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    for seconds in 0..10 {
        read(&mut world, &healthy);
        assert_eq!(pay(&world).quality(&"ref-3.0".into()), Quality::Unknown, "after {seconds} s");
        world.pass(1_000);
    }
    read(&mut world, &healthy);
    assert_eq!(pay(&world).quality(&"ref-3.0".into()), Quality::Good);
}

/// The watch of a gradual rollback is a time in which somebody looked.
#[test]
fn nothing_is_watched_while_nobody_looks() {
    let mut world = World::with_canary();
    world.send(Command::RollBack(RollBack {
        service: "shop".into(),
        from: None,
        to: None,
        strategy: Strategy::Gradual,
        reason: "5xx".into(),
        overrides: Vec::new(),
    }));
    world.done();
    assert!(matches!(world.operation().steps[1], StepState::Started { .. }), "{:?}", world.operation().steps);
    let settings = Arc::clone(world.core.settings());
    begin_again(&mut world, Duration::from_secs(600), settings);
    world.pass(1_000);
    assert!(matches!(world.operation().steps[1], StepState::Started { .. }), "{:?}", world.operation().steps);
    world.pass(5_000);
    assert!(
        matches!(world.operation().steps[1], StepState::Succeeded { .. }),
        "{:?}",
        world.operation().steps
    );
}

/// A verdict that nobody keeps up to date (the service has left the config) verifies nothing.
#[test]
fn a_service_that_left_the_config_is_not_verified() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.done();
    for _ in 0..2 {
        world.second("shop", &[("3.0", 130.0, 0.0)]);
    }
    let without = settings(|config| {
        config.services.remove("shop");
    });
    begin_again(&mut world, Duration::from_secs(1), without);
    for _ in 0..20 {
        world.pass(2_000);
    }
    assert_eq!(outcome(&world), Some(Outcome::Unverified));
}

fn with_colours() -> Arc<Settings> {
    settings(|config| {
        let shop = config.services.get_mut("shop").unwrap();
        let mut live = shop.probes["live"].clone();
        live.arm = Some(Arm::Canary);
        shop.probes.insert("idle".into(), live);
    })
}

/// The idle colour is down by design: its probe says nothing of the release that serves.
#[test]
fn a_probe_of_an_arm_that_does_not_serve_blames_nobody() {
    let mut world = with_good_past(with_colours());
    for _ in 0..8 {
        world.second("shop", &[("4.0", 100.0, 0.0)]);
        probe(&mut world, "idle", Some(Arm::Canary), Some(Health::Unhealthy));
    }
    assert_eq!(world.says("finding_raised"), 0);
    assert_eq!(world.says("operation_planned"), 0);
    world.inventory("shop", &[("4.0", Arm::Stable, 80), ("2.0", Arm::Canary, 20)]);
    for _ in 0..4 {
        world.second("shop", &[("4.0", 100.0, 0.0), ("2.0", 100.0, 0.0)]);
        probe(&mut world, "idle", Some(Arm::Canary), Some(Health::Unhealthy));
    }
    assert_eq!(world.operation().plan.from.version.as_str(), "2.0", "now it serves, and fails");
}

/// When stable's own probe fails, the canary is not taken back for it.
#[test]
fn a_probe_of_stable_does_not_blame_the_canary() {
    let settings = settings(|config| {
        let shop = config.services.get_mut("shop").unwrap();
        shop.probes.get_mut("live").unwrap().arm = Some(Arm::Stable);
    });
    let mut world = World::new(settings);
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..6 {
        world.pass(1_000);
        probe(&mut world, "live", Some(Arm::Stable), Some(Health::Unhealthy));
    }
    let shop = world.core.state().service(&service("shop")).unwrap();
    assert!(shop.findings.values().all(|finding| finding.arm == Some(Arm::Stable)), "{:?}", shop.findings);
    assert_eq!(shop.findings.len(), 1);
    assert_eq!(world.says("operation_planned"), 0);
}

fn with_two_probes() -> Arc<Settings> {
    settings(|config| {
        let shop = config.services.get_mut("shop").unwrap();
        let live = shop.probes["live"].clone();
        shop.probes.insert("deep".into(), live);
    })
}

/// A probe that failed and then fell silent is not failing still, however lively the others are.
#[test]
fn old_failures_are_no_failures() {
    for silent in [true, false] {
        let mut world = with_good_past(with_two_probes());
        world.send(Command::Automatic { on: false, reason: "test".into() });
        for _ in 0..4 {
            world.second("shop", &[("4.0", 100.0, 0.0)]);
            probe(&mut world, "deep", None, Some(Health::Unhealthy));
        }
        let open = |world: &World| world.core.state().service(&service("shop")).unwrap().findings.len();
        assert_eq!(open(&world), 1);
        for _ in 0..20 {
            world.second("shop", &[("4.0", 100.0, 0.0)]);
            if !silent {
                probe(&mut world, "deep", None, None);
            }
        }
        assert_eq!(open(&world), 0, "silent: {silent}");
    }
}

/// A probe that was well and then could not be run is not known to be well.
#[test]
fn old_successes_are_no_successes() {
    let mut world = with_good_past(settings(|_| {}));
    for _ in 0..20 {
        world.pass(1_000);
        world.probe(None);
    }
    let reading = world.core.senses().reading(&service("shop")).unwrap();
    let down = reading.evaluations.iter().find(|evaluation| evaluation.trigger.as_str() == "down").unwrap();
    assert!(!down.status.is_ok(), "{:?}", down.status);
}

/// Behind the maintenance page only probes can verify, and only those that were really run.
#[test]
fn a_probe_that_cannot_be_run_does_not_verify() {
    let mut world = World::with_canary();
    world.send(Command::RollBack(RollBack {
        service: "shop".into(),
        from: None,
        to: None,
        strategy: Strategy::Emergency,
        reason: "5xx".into(),
        overrides: Vec::new(),
    }));
    world.done();
    world.done();
    assert!(world.operation().traffic_back_at.is_some());
    let verify = world.operation().current().unwrap();
    world.pass(1_000);
    world.probe(Some(Health::Healthy));
    for _ in 0..25 {
        world.pass(1_000);
        world.probe(None);
    }
    assert!(
        matches!(world.operation().steps[verify], StepState::Started { .. }),
        "{:?}",
        world.operation().steps
    );
    for _ in 0..4 {
        world.pass(1_000);
        world.probe(Some(Health::Healthy));
    }
    assert!(
        matches!(world.operation().steps[verify], StepState::Succeeded { .. }),
        "{:?}",
        world.operation().steps
    );
}

fn with_environment_trigger() -> Arc<Settings> {
    settings(|config| {
        let mut trigger = config.triggers["errors"].clone();
        trigger.scope = Scope::Environment;
        config.triggers.insert("everywhere".into(), trigger);
        config.triggers.get_mut("errors").unwrap().action = TriggerAction::Watch;
        config.triggers.get_mut("slow").unwrap().action = TriggerAction::Watch;
        config.rollback.findings = 0;
        config.rollback.read_every = "1s".parse().unwrap();
    })
}

/// A trigger that was taken out of the config acts no more, also when it held at that moment.
#[test]
fn a_trigger_that_left_the_config_acts_no_more() {
    let mut world = World::new(with_environment_trigger());
    for name in ["shop", "pay"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
    }
    for _ in 0..4 {
        world.second("pay", &[("3.0", 100.0, 60.0)]);
    }
    assert_eq!(world.core.state().findings.len(), 1);
    let without = settings(|_| {});
    begin_again(&mut world, Duration::from_secs(1), without);
    world.pass(1_000);
    assert_eq!(world.core.state().findings.len(), 0);
}

/// A service that left the config does not stand in the way of telling whose release it is.
#[test]
fn a_service_that_left_the_config_is_not_the_one_that_changes() {
    let mut world = World::new(with_environment_trigger());
    for name in ["shop", "swap"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
    }
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("swap", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    let settings = with_environment_trigger();
    let mut settings = Settings::clone(&settings);
    Arc::make_mut(&mut settings.config).services.remove("swap");
    begin_again(&mut world, Duration::from_secs(1), Arc::new(settings));
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..5 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 100.0, 60.0)]);
    }
    assert_eq!(world.operation().plan.from.version.as_str(), "4.0");
}

/// What failed before a canary began is not the canary's fault.
#[test]
fn what_was_there_before_the_canary_is_not_its_fault() {
    let mut world = World::new(with_environment_trigger());
    for name in ["shop", "pay"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
    }
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
        world.second("pay", &[("3.0", 100.0, 0.0)]);
    }
    for _ in 0..4 {
        world.second("pay", &[("3.0", 100.0, 60.0)]);
    }
    assert_eq!(world.core.state().findings.len(), 1);
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 100.0, 0.0)]);
        world.second("pay", &[("3.0", 300.0, 250.0)]);
    }
    assert_eq!(world.core.state().findings.len(), 1, "it holds on");
    assert_eq!(world.says("operation_planned"), 0);
}

/// Where many services are deployed all the time, a trigger over all of them can still hold for its time.
#[test]
fn a_deployment_elsewhere_does_not_begin_the_environment_anew() {
    let settings = settings(|config| {
        let mut trigger = config.triggers["slow"].clone();
        trigger.scope = Scope::Environment;
        config.triggers.insert("everywhere".into(), trigger);
    });
    let mut world = World::new(settings);
    for name in ["shop", "pay"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
    }
    for round in 0..8 {
        world.inventory("shop", &[(["2.0", "3.0"][round % 2], Arm::Stable, 100)]);
        world.second("pay", &[("3.0", 100.0, 10.0)]);
    }
    assert_eq!(world.core.state().findings.len(), 1);
}

/// An operation on a service that has left the config waits for a person: it neither hangs nor guesses.
#[test]
fn an_operation_on_a_service_that_left_the_config_waits_for_a_person() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    let mut without = Settings::clone(world.core.settings());
    Arc::make_mut(&mut without.config).services.remove("shop");
    without.platforms.remove("shop");
    begin_again(&mut world, Duration::from_secs(1), Arc::new(without));
    assert_eq!(world.steps.len(), 1, "there is nothing to act on");
    let OperationStatus::NeedsDecision { facts, .. } = &world.operation().status else {
        panic!("{:?}", world.operation().status)
    };
    assert!(facts.contains("no service `shop`"), "{facts}");
    let operation = world.operation().id.clone();
    world.send(Command::Settle {
        operation: operation.clone(),
        choice: Settlement::Retry,
        reason: "try".into(),
    });
    assert!(matches!(world.operation().status, OperationStatus::NeedsDecision { .. }));
    world.send(Command::Cancel { operation, reason: "it is gone".into() });
    assert_eq!(outcome(&world), Some(Outcome::Cancelled));
}

/// Read-only means that nothing is changed: also not by what began before.
#[test]
fn read_only_stops_what_began_before() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    let mut read_only = Settings::clone(world.core.settings());
    Arc::make_mut(&mut read_only.config).environment.read_only = true;
    begin_again(&mut world, Duration::from_secs(1), Arc::new(read_only));
    assert_eq!(world.steps.len(), 1, "nothing was asked of the platform");
    let OperationStatus::NeedsDecision { facts, .. } = &world.operation().status else {
        panic!("{:?}", world.operation().status)
    };
    assert!(facts.contains("read-only"), "{facts}");
}

/// A sum of which a part is missing is not a small sum: a silent source is no loss of traffic.
#[test]
fn a_part_that_is_missing_is_no_loss() {
    let limit = |scope| {
        settings(move |config| {
            config.triggers = toml::from_str(
                r#"[loss]
                when = { kind = "threshold", indicator = "errors", below = 50, over = "3s" }
                action = "immediate""#,
            )
            .unwrap();
            config.triggers.get_mut("loss").unwrap().scope = scope;
            config.services.remove("swap");
        })
    };
    let version = || Subject::Version("3.0".into());
    let count = SampleValue::Count;
    let mut world = World::new(limit(Scope::Environment));
    for name in ["shop", "pay"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
        world.pass(1_000);
    }
    for _ in 0..4 {
        world.pass(1_000);
        read(&mut world, &[("pay", version(), count(30.0))]);
    }
    assert_eq!(world.says("finding_raised"), 0, "one service was not read yet");
    for _ in 0..4 {
        world.pass(1_000);
        read(&mut world, &[("pay", version(), count(30.0)), ("shop", version(), count(30.0))]);
    }
    for _ in 0..20 {
        world.pass(1_000);
        read(&mut world, &[("pay", version(), count(30.0))]);
    }
    assert_eq!(world.says("finding_raised"), 0, "one service is not read any more");
    for _ in 0..4 {
        world.pass(1_000);
        read(&mut world, &[("pay", version(), count(10.0)), ("shop", version(), count(30.0))]);
    }
    assert_eq!(world.says("finding_raised"), 1, "both are read, and together they are too few");

    // A service without a canary has only one part.
    let mut world = World::new(limit(Scope::Service));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..4 {
        world.pass(1_000);
        read(&mut world, &[("shop", version(), count(10.0))]);
    }
    assert_eq!(world.says("finding_raised"), 1);
}

/// Numbers beyond all measure make no event that the journal would refuse: it would be refused for ever, and nobody would
/// lead.
#[test]
fn every_event_can_be_stored() {
    let huge = 1.7e308;
    let bounds: Arc<[f64]> = [1.0, 2_000.0].into();
    for value in [
        SampleValue::Ratio { bad: huge, total: huge },
        SampleValue::Count(huge),
        SampleValue::Gauge(huge),
        SampleValue::Histogram { bounds_ms: bounds, counts: vec![0.0, huge, huge] },
    ] {
        let mut world = World::new(settings(|_| {}));
        world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
        world.pass(1_000);
        for _ in 0..30 {
            world.pass(1_000);
            read(&mut world, &[("pay", Subject::Version("3.0".into()), value.clone())]);
        }
        for (_, happened) in &world.events {
            let text = event::encode(happened).unwrap();
            let back = event::decode(EVENT_VERSION, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(&back, happened);
        }
        let reading = world.core.senses().reading(&service("pay")).unwrap();
        let text = serde_json::to_string(reading.as_ref()).unwrap();
        serde_json::from_str::<unship::model::reading::ServiceReading>(&text).unwrap();
    }
}

fn told(world: &World, topic: &str) -> usize {
    let is_told = |event: &&Event| matches!(event, Event::NotificationQueued { notification } if notification.topic == topic);
    world.events.iter().map(|(_, event)| event).filter(is_told).count()
}

/// A value that wanders about its limit does not call people at every reading.
#[test]
fn people_are_not_told_the_same_again_and_again() {
    let settings = settings(|config| {
        config.triggers = toml::from_str(
            r#"[noisy]
            when = { kind = "threshold", indicator = "errors", above = "5%", over = "1s" }
            action = "watch""#,
        )
        .unwrap();
    });
    let mut world = World::new(settings);
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    for second in 0..240 {
        world.second("pay", &[("3.0", 100.0, f64::from(second % 2) * 50.0)]);
    }
    assert!(world.says("finding_raised") > 100);
    assert_eq!(told(&world, "watching"), 1, "once in five minutes");
    for second in 0..240 {
        world.second("pay", &[("3.0", 100.0, f64::from(second % 2) * 50.0)]);
    }
    assert_eq!(told(&world, "watching"), 2);
}

/// A release that needs more of the database than there is cannot be returned to, as little as one that needs less.
#[test]
fn a_target_ahead_of_the_database_does_not_pass() {
    for (needs, passes) in [(2, false), (3, true), (4, false)] {
        let mut world = World::new(settings(|_| {}));
        let mut seen = Inventory { schema: Some(3), ..inventory(&[("4.0", Arm::Stable, 100)]) };
        seen.releases[1].schema = Some(needs);
        let at = world.now;
        world.give(Input::Inventory { service: "shop".into(), at, result: Ok(seen) });
        world.roll_back("shop", Some("3.0"), &[Guardrail::Target]);
        assert_eq!(world.says("operation_planned") == 1, passes, "needs {needs}: {:?}", refusal(&world));
    }
}

/// A guardrail is taken upon oneself with a reason or not at all, whichever face the command comes from.
#[test]
fn an_override_needs_a_reason() {
    let mut world = World::with_canary();
    world.send(Command::Freeze { service: None, until: None, reason: "audit".into() });
    world.send(Command::RollBack(RollBack {
        service: "shop".into(),
        from: None,
        to: None,
        strategy: Strategy::Immediate,
        reason: "5xx".into(),
        overrides: vec![Override { guardrail: Guardrail::Freeze, reason: "  ".into() }],
    }));
    assert_eq!(world.says("operation_planned"), 0);
    assert!(refusal(&world).unwrap().contains("freeze"));
}

/// Nobody gets around the list of operators by calling themselves the engine.
#[test]
fn the_engine_sends_no_commands() {
    let mut world = World::with_canary();
    let command = Command::Automatic { on: false, reason: "hm".into() };
    let at = world.now;
    world.give(Input::Command(Envelope { id: "x".into(), by: Actor::Engine, at, command }));
    assert_eq!(world.says("automatic_set"), 0);
    assert!(refusal(&world).is_some());
}

/// Shares that make no sense are no reason to die.
#[test]
fn shares_beyond_all_percent() {
    let mut world = World::new(settings(|_| {}));
    let share = |percent| Share { reference: "ref-4.0".into(), arm: Arm::Stable, percent };
    let seen = Inventory { traffic: vec![share(200), share(156)], ..inventory(&[]) };
    assert_eq!(seen.percent(&"ref-4.0".into()), 255);
    let at = world.now;
    world.give(Input::Inventory { service: "shop".into(), at, result: Ok(seen) });
    world.roll_back("shop", Some("3.0"), &[Guardrail::Target]);
    assert_eq!(world.says("operation_planned"), 1);
}

/// A release is recorded as good only while the platform says that it serves: what is sensed meanwhile may be another's.
#[test]
fn no_release_is_good_while_the_platform_cannot_be_read() {
    let mut world = World::new(settings(|_| {}));
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    let at = world.now;
    world.give(Input::Inventory { service: "pay".into(), at, result: Err("no route".into()) });
    for _ in 0..20 {
        world.second("pay", &[("3.0", 100.0, 0.0)]);
    }
    assert_eq!(world.says("release_marked"), 0);
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    world.second("pay", &[("3.0", 100.0, 0.0)]);
    assert_eq!(world.says("release_marked"), 1);
}

/// What the platform still has is remembered longer than what it has forgotten.
#[test]
fn the_worth_of_a_present_release_is_not_forgotten() {
    let mut state = State::default();
    let mut at = crate::harness::start();
    let mark = |reference: String| Event::ReleaseMarked {
        service: "shop".into(),
        version: "1".into(),
        release: reference.into(),
        quality: Quality::Good,
        by: Actor::Engine,
        reason: "healthy".into(),
    };
    let seen = inventory(&[("3.0", Arm::Stable, 100)]);
    state.apply(&Event::InventoryChanged { service: "shop".into(), inventory: seen }, at);
    state.apply(&mark("ref-3.0".into()), at);
    for number in 0..1_000 {
        at += Duration::from_secs(60);
        state.apply(&mark(format!("old-{number}")), at);
    }
    let shop = state.service(&service("shop")).unwrap();
    assert_eq!(shop.quality(&"ref-3.0".into()), Quality::Good);
    assert!(shop.qualities.len() <= 200);
}

/// A process that was started for one command neither decides nor tells people that it would have.
#[test]
fn a_process_for_one_command_decides_nothing() {
    let mut once = Settings::clone(&settings(|_| {}));
    once.by_itself = false;
    let mut world = World::with_canary();
    begin_again(&mut world, Duration::ZERO, Arc::new(once));
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    for _ in 0..6 {
        world.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
    }
    assert!(world.says("finding_raised") > 0, "what holds is recorded all the same");
    assert_eq!((world.says("decision_made"), world.says("notification_queued")), (0, 0));
    world.roll_back("shop", None, &[]);
    assert_eq!(world.says("operation_planned"), 1);
    world.done();
    assert!(world.operation().traffic_back_at.is_some());
}

/// When something is wrong everywhere and no single release can be blamed, people hear of it all the same.
#[test]
fn people_hear_of_what_is_wrong_everywhere() {
    let mut world = World::new(with_environment_trigger());
    for name in ["shop", "pay"] {
        world.inventory(name, &[("3.0", Arm::Stable, 100)]);
    }
    for _ in 0..10 {
        world.second("pay", &[("3.0", 100.0, 60.0)]);
    }
    assert_eq!(told(&world, "finding-raised"), 1);
}

/// A process that is asked to stop begins nothing more: the next one finds the step not begun, and has nothing to ask.
#[test]
fn nothing_is_begun_while_stopping() {
    let mut world = World::with_canary();
    world.send(Command::RollBack(RollBack {
        service: "shop".into(),
        from: None,
        to: None,
        strategy: Strategy::Emergency,
        reason: "5xx".into(),
        overrides: Vec::new(),
    }));
    world.core.begin_nothing_more();
    world.done();
    world.pass(1_000);
    assert_eq!(world.steps.len(), 1);
    assert!(matches!(world.operation().steps[0], StepState::Succeeded { .. }));
    assert!(matches!(world.operation().steps[1], StepState::Pending));
    world.crash();
    assert_eq!(world.steps.len(), 2);
    assert!(!world.steps[1].may_have_happened);
}

/// When another release has got the traffic meanwhile, what is seen is its health, not that of the one that was returned to.
#[test]
fn another_release_does_not_verify_the_target() {
    let mut world = World::with_canary();
    world.roll_back("shop", None, &[]);
    world.done();
    world.inventory("shop", &[("2.0", Arm::Stable, 100)]);
    for _ in 0..40 {
        world.second("shop", &[("2.0", 130.0, 0.0)]);
    }
    assert_eq!(outcome(&world), Some(Outcome::Unverified));
    let OperationStatus::Ended { detail, .. } = &world.operation().status else { unreachable!() };
    assert!(detail.contains("`2.0` gets traffic"), "{detail}");
}

/// A freeze that is over before it begins protects nothing, and whoever asks for one should know.
#[test]
fn a_freeze_in_the_past_is_refused() {
    let mut world = World::with_canary();
    let until = Some(world.now - Duration::from_secs(1));
    world.send(Command::Freeze { service: None, until, reason: "audit".into() });
    assert_eq!(world.says("freeze_set"), 0);
    assert!(refusal(&world).unwrap().contains("past"), "{:?}", refusal(&world));
}
