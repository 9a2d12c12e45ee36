//! What holds whatever happens: any inputs, in any order, with crashes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use unship::engine::{Effect, Input, Settings, State, StepResult, Turn};
use unship::model::command::{Actor, Command, Settlement};
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::operation::{OperationStatus, PlanKind, StepState};
use unship::model::probe::Health;
use unship::model::release::{Arm, Quality};
use unship::model::{OperationId, ServiceName};

use crate::harness::{World, after, settings};

/// Inputs in one case.
const INPUTS: usize = 200;
/// Cases. Every one starts anew.
const CASES: u32 = 10_000;

const SERVICES: [&str; 3] = ["shop", "pay", "swap"];
const VERSIONS: [&str; 4] = ["4.0", "3.0", "2.0", "1.0"];

/// One input in four bytes: what, on which service, and two numbers. Decoded against the present state, so that most of
/// them hit something; small, so that shrinking is quick.
type Draw = (u8, u8, u8, u8);

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    prop::collection::vec(any::<(u8, u8, u8, u8)>(), INPUTS)
}

fn pick<'a>(from: &[&'a str], by: u8) -> &'a str {
    from[by as usize % from.len()]
}

fn give(world: &mut World, draw: Draw) -> Vec<Turn> {
    let (what, who, a, b) = draw;
    let service = pick(&SERVICES, who);
    let newest = world.core.state().operations_in_order().last().map(|operation| operation.id.clone());
    let operation = newest.unwrap_or_else(|| OperationId::from("op-1"));
    let reason = String::from("because");
    match what % 28 {
        0..=2 => stretch(world, service, a, b),
        3..=5 => {
            let rate = [0.0, 0.0, 0.0, 0.03, 0.2, 1.0][b as usize % 6];
            let total = f64::from(a);
            let stable_rate = if b > 240 { rate } else { 0.0 };
            world.second(
                service,
                &[
                    (pick(&VERSIONS, a), total, total * stable_rate),
                    (pick(&VERSIONS, b), total, total * rate),
                ],
            );
        }
        6 | 7 => world.pass(u64::from(a) * u64::from(b)),
        8 => {
            let health = [Some(Health::Healthy), Some(Health::Unhealthy), Some(Health::Degraded), None]
                [a as usize % 4];
            world.probe(health);
        }
        9 => world.source_fault(),
        10 | 11 => {
            let (stable, canary) = (pick(&VERSIONS, a), pick(&VERSIONS, b));
            let turn = if stable == canary {
                world.inventory(service, &[(stable, Arm::Stable, 100)])
            } else {
                world.inventory(service, &[(stable, Arm::Stable, 80), (canary, Arm::Canary, 20)])
            };
            return vec![turn];
        }
        12 => {
            let (service, at) = (ServiceName::from(service), world.now);
            return vec![world.give(Input::Inventory { service, at, result: Err("no route".into()) })];
        }
        13..=16 => {
            if let Some(step) = world.steps.get(world.steps.len().wrapping_sub(1 + a as usize % 2)).cloned() {
                let result = match b % 6 {
                    0 | 1 => StepResult::Done { adopted: a > 127, detail: String::new() },
                    2 => StepResult::Transient("503".into()),
                    3 => StepResult::Failed("no".into()),
                    _ => StepResult::Unclear("lost".into()),
                };
                let inventory = (b % 6 < 2).then(|| after(&step));
                return vec![world.finish(&step, result, inventory)];
            }
        }
        17 => {
            let to = [None, Some(pick(&VERSIONS, b))][a as usize % 2];
            let overrides: &[Guardrail] = if a > 100 { &Guardrail::ALL } else { &[] };
            return vec![world.roll_back(service, to, overrides)];
        }
        18 => {
            let choice = [Settlement::Retry, Settlement::Done, Settlement::Abort][a as usize % 3];
            return vec![world.send(Command::Settle { operation, choice, reason })];
        }
        19 => return vec![world.send(Command::Cancel { operation, reason })],
        20 => return vec![world.send(Command::Automatic { on: a > 64, reason })],
        21 => {
            let service = Some(service.into()).filter(|_| a > 127);
            return vec![world.send(if b > 127 {
                Command::Freeze {
                    service,
                    until: Some(world.now + Duration::from_secs(u64::from(b))),
                    reason,
                }
            } else {
                Command::Thaw { service, reason }
            })];
        }
        22 => {
            let quality = [Quality::Good, Quality::Bad, Quality::Unknown][a as usize % 3];
            let (service, version) = (service.into(), pick(&VERSIONS, b).into());
            return vec![
                world.send(Command::Mark { service, version, quality, reason: reason.clone() }),
                world.send(Command::Reset { service: pick(&SERVICES, who).into(), reason }),
            ];
        }
        23 => {
            let command = Command::Pause { operation, reason };
            return vec![world.send(command)];
        }
        24 => {
            let command = Command::Resume { operation, reason };
            return vec![world.send(command)];
        }
        25 => {
            let seen = [None, Some(pick(&VERSIONS, b))][a as usize % 2];
            let overrides: &[Guardrail] = if a > 60 { &Guardrail::ALL } else { &[] };
            return vec![world.promote(service, seen, overrides)];
        }
        26 => return vec![world.maintenance(service, a > 127)],
        _ => return vec![world.crash()],
    }
    Vec::new()
}

/// Some seconds of traffic on what serves now: the suspect well or failing, the rest well. Long enough for a release to
/// prove itself, or for a trigger to hold.
fn stretch(world: &mut World, service: &str, a: u8, b: u8) {
    let rate = if b.is_multiple_of(3) { 0.3 } else { 0.0 };
    for _ in 0..2 + a % 7 {
        let known = world.core.state().service(&ServiceName::from(service));
        let on = |arm| {
            known
                .and_then(|known| known.inventory.as_ref()?.on_arm(arm))
                .map(|release| release.version.clone())
        };
        let (stable, canary) = (on(Arm::Stable), on(Arm::Canary));
        let stable_rate = if canary.is_some() { 0.0 } else { rate };
        let traffic: Vec<_> = [(stable, 80.0, stable_rate), (canary, 25.0, rate)]
            .into_iter()
            .filter_map(|(version, total, rate)| Some((version?, total, total * rate)))
            .collect();
        let traffic: Vec<_> =
            traffic.iter().map(|(version, total, bad)| (version.as_str(), *total, *bad)).collect();
        world.second(service, &traffic);
    }
}

/// The checker keeps its own books from the events alone, and knows nothing of how the core decides.
#[derive(Default)]
struct Books {
    seen: usize,
    open: BTreeMap<ServiceName, OperationId>,
    last_rollback: BTreeMap<ServiceName, Timestamp>,
    rollbacks: BTreeMap<ServiceName, u32>,
    automatic: Option<bool>,
    frozen: BTreeMap<Option<ServiceName>, Timestamp>,
    services: BTreeMap<OperationId, ServiceName>,
    kinds: BTreeMap<OperationId, PlanKind>,
    paused: BTreeSet<OperationId>,
    bad: BTreeMap<(ServiceName, String), bool>,
    /// How often each step that can neither be looked at nor repeated was asked for, less what a person allowed.
    unrepeatable: BTreeMap<String, i64>,
}

impl Books {
    fn check(&mut self, world: &World) -> Result<(), TestCaseError> {
        let settings = Arc::clone(world.core.settings());
        for (at, event) in &world.events[self.seen..] {
            match event {
                Event::OperationPlanned { operation, plan, by, guardrails, .. } => {
                    let service = &plan.service;
                    prop_assert!(!self.open.contains_key(service), "two operations on {service:?}");
                    prop_assert!(!settings.config.environment.read_only, "an operation on what is read-only");
                    let stays = matches!(plan.kind, PlanKind::Maintenance { .. });
                    prop_assert_eq!(plan.from.reference == plan.to.reference, stays);
                    prop_assert!(
                        guardrails.iter().all(|check| !check.blocks()),
                        "a guardrail was passed over"
                    );
                    if *by == Actor::Engine {
                        prop_assert_eq!(plan.kind, PlanKind::RollBack, "only a person does anything else");
                        prop_assert!(
                            guardrails.iter().all(|check| check.passes && check.overridden.is_none())
                        );
                        prop_assert!(self.automatic.unwrap_or(true), "automatic was off");
                        for key in [None, Some(service.clone())] {
                            prop_assert!(self.frozen.get(&key).is_none_or(|until| at >= until), "frozen");
                        }
                        if let Some(last) = self.last_rollback.get(service) {
                            prop_assert!(*last + *settings.config.guardrails.cooldown <= *at, "cooldown");
                        }
                        prop_assert!(
                            self.rollbacks.get(service).copied().unwrap_or(0)
                                < settings.config.guardrails.maximum
                        );
                        let key = (service.clone(), plan.to.reference.to_string());
                        prop_assert!(
                            !self.bad.get(&key).copied().unwrap_or(false),
                            "returned to a bad release"
                        );
                    }
                    self.open.insert(service.clone(), operation.clone());
                    self.services.insert(operation.clone(), service.clone());
                    self.kinds.insert(operation.clone(), plan.kind);
                    if plan.kind == PlanKind::RollBack {
                        self.last_rollback.insert(service.clone(), *at);
                        *self.rollbacks.entry(service.clone()).or_default() += 1;
                    }
                }
                Event::OperationEnded { operation, .. } => {
                    self.paused.remove(operation);
                    if let Some(service) = self.services.get(operation) {
                        self.open.remove(service);
                        if self.kinds.get(operation) == Some(&PlanKind::RollBack) {
                            self.last_rollback.insert(service.clone(), *at);
                        }
                    }
                }
                Event::StepStarted { operation, .. } => {
                    prop_assert!(!self.paused.contains(operation), "a paused operation began a step");
                }
                Event::OperationPaused { operation, .. } => {
                    prop_assert!(self.paused.insert(operation.clone()), "paused twice");
                }
                Event::OperationResumed { operation, .. } => {
                    prop_assert!(self.paused.remove(operation), "resumed without a pause");
                }
                Event::AutomaticSet { on, .. } => self.automatic = Some(*on),
                Event::FreezeSet { service, until, .. } => {
                    self.frozen.insert(service.clone(), until.unwrap_or(Timestamp::MAX));
                }
                Event::FreezeLifted { service, .. } => {
                    self.frozen.remove(service);
                }
                Event::CountReset { service, .. } => {
                    self.rollbacks.insert(service.clone(), 0);
                }
                Event::ReleaseMarked { service, release, quality, .. } => {
                    self.bad.insert((service.clone(), release.to_string()), *quality == Quality::Bad);
                }
                Event::DecisionSettled { operation, choice: Settlement::Retry, .. } => {
                    *self.unrepeatable.entry(operation.to_string()).or_default() -= 1;
                }
                _ => {}
            }
        }
        self.seen = world.events.len();
        Ok(())
    }

    fn check_effects(&mut self, world: &World, turn: &Turn) -> Result<(), TestCaseError> {
        for effect in &turn.effects {
            let Effect::RunStep(step) = effect else { continue };
            let operation = world.folded.operation(&step.operation);
            let state = operation.and_then(|operation| operation.steps.get(step.step));
            prop_assert!(
                turn.events
                    .iter()
                    .any(|event| matches!(event, Event::StepStarted { operation, step: index, attempt }
                    if operation == &step.operation && index == &step.step && attempt == &step.attempt)),
                "an effect without an event"
            );
            let is_current =
                matches!(state, Some(StepState::Started { attempt, .. }) if *attempt == step.attempt);
            prop_assert!(is_current, "{state:?}");
            if !step.declares.observable && !step.declares.idempotent {
                // A transient failure says that nothing happened, so trying again is no repetition; the harness' answers
                // decide that, and the core counts the attempts.
                let count = self.unrepeatable.entry(step.operation.to_string()).or_default();
                *count += 1;
                let retried = world
                    .events
                    .iter()
                    .filter(|(_, event)| {
                        matches!(event,
                    Event::StepRetried { operation, .. } if operation == &step.operation)
                    })
                    .count();
                prop_assert!(*count - i64::try_from(retried).unwrap_or(0) <= 1, "done twice");
            }
        }
        Ok(())
    }
}

/// Any sequence of inputs, crashes included: at most one operation a service, none where nothing may be changed, no step of one
/// that is paused, no effect without its event, nothing automatic against a guardrail, nothing unrepeatable repeated, and the fold of the events is the state.
fn holds(draws: Vec<Draw>) -> Result<(), TestCaseError> {
    static SETTINGS: LazyLock<Arc<Settings>> =
        LazyLock::new(|| settings(|config| config.guardrails.cooldown = "20s".parse().expect("a span")));
    static READ_ONLY: LazyLock<Arc<Settings>> =
        LazyLock::new(|| settings(|config| config.environment.read_only = true));
    // A few of the worlds may only be looked at.
    let is_read_only = draws.first().is_some_and(|(what, ..)| what.is_multiple_of(32));
    let mut world = World::new(Arc::clone(if is_read_only { &READ_ONLY } else { &SETTINGS }));
    let mut books = Books::default();
    for (index, draw) in draws.into_iter().enumerate() {
        let turns = give(&mut world, draw);
        books.check(&world)?;
        for turn in turns {
            books.check_effects(&world, &turn)?;
        }
        if index % 50 == 49 {
            prop_assert_eq!(world.core.state().as_ref(), &world.folded);
        }
    }
    for operation in world.folded.open_operations() {
        let needs_person = matches!(operation.status, OperationStatus::NeedsDecision { .. });
        prop_assert!(
            needs_person || operation.current().is_some(),
            "an open operation with nothing left to do"
        );
    }
    let json = serde_json::to_string(&world.folded).expect("a state is JSON");
    let back: State = serde_json::from_str(&json).expect("a state reads back");
    prop_assert_eq!(back, world.folded);
    Ok(())
}

// Two halves, so that they run beside each other.
proptest! {
    #![proptest_config(ProptestConfig { cases: CASES / 2, failure_persistence: None, ..ProptestConfig::default() })]

    /// See [`holds`].
    #[test]
    fn holds_whatever_happens(draws in draws()) {
        holds(draws)?;
    }

    /// See [`holds`].
    #[test]
    fn holds_whatever_else_happens(draws in draws()) {
        holds(draws)?;
    }
}
