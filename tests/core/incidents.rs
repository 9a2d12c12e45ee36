//! Incidents and their checklist, on simulated time.

use std::sync::Arc;

use proptest::prelude::*;
use unship::config::schema::Criticality;
use unship::engine::checklist::{Checklist, ItemState, checklist};
use unship::engine::incidents::{IncidentStatus, NOTE_LIMIT, TITLE_LIMIT, status};
use unship::engine::{Settings, State};
use unship::model::command::{Actor, Command};
use unship::model::event::Event;
use unship::model::incident::{Incident, Level, Ticked};
use unship::model::probe::Health;
use unship::model::release::Arm;
use unship::model::{IncidentId, ItemId, ServiceName};

use crate::harness::{World, settings};

impl World {
    fn incident(&self) -> Arc<Incident> {
        let incidents = self.core.state().incidents_in_order();
        Arc::clone(incidents.last().expect("an incident was declared"))
    }

    fn checklist(&self) -> Checklist {
        let readings = self.core.senses().readings().into_iter().filter_map(|(name, reading)| {
            let at = self.core.senses().evaluated_at(&name)?;
            Some((name, (at, reading)))
        });
        let config = &self.core.settings().config;
        checklist(&self.incident(), self.core.state(), config, &readings.collect(), self.now)
    }

    #[track_caller]
    fn item(&self, id: &str) -> (ItemState, String) {
        let list = self.checklist();
        let item = list.item(id).expect("an item");
        (item.state.clone(), item.fact.as_ref().map(|fact| fact.text.clone()).unwrap_or_default())
    }

    fn is_done(&self, id: &str) -> bool {
        matches!(self.item(id).0, ItemState::Done { .. })
    }

    /// Sends a command; gives why it was refused, if it was.
    fn ask(&mut self, command: Command) -> Result<(), String> {
        let turn = self.send(command);
        match turn.events.first() {
            Some(Event::CommandRefused { reason, .. }) => Err(reason.clone()),
            _ => Ok(()),
        }
    }

    fn tick_item(&mut self, item: &str, ticked: Option<Ticked>) -> Result<(), String> {
        let incident = self.incident().id.clone();
        self.ask(Command::Tick { incident, item: item.into(), ticked, note: None })
    }

    fn resolve(&mut self) {
        let incident = self.incident().id.clone();
        self.ask(Command::Resolve { incident, reason: "known".to_owned() }).expect("resolved");
    }

    /// Seconds in which the canary of `shop` fails.
    fn bad_canary(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second("shop", &[("3.0", 100.0, 0.0), ("4.0", 30.0, 9.0)]);
        }
    }

    /// Seconds in which 3.0 alone serves `shop`, well.
    fn well(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.second("shop", &[("3.0", 130.0, 0.0)]);
        }
    }
}

fn with_canary(change: impl FnOnce(&mut unship::config::Config)) -> World {
    let mut world = World::new(settings(change));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    world
}

/// A service that fails, because its health check does.
fn failing_probe(world: &mut World, seconds: usize) {
    for _ in 0..seconds {
        world.pass(1_000);
        world.probe(Some(Health::Unhealthy));
    }
}

/// A bad canary: an incident is declared before the rollback begins, the rollback belongs to it, and the engine ticks what it
/// sees, until only a person's part is left.
#[test]
fn a_bad_canary_from_declared_to_resolved() {
    let mut world = with_canary(|_| {});
    world.bad_canary(4);
    let kinds: Vec<_> = world.events.iter().map(|(_, event)| event.kind()).collect();
    let place = |kind: &str| kinds.iter().position(|known| known == kind).expect("it happened");
    assert!(place("decision_made") < place("incident_opened"));
    assert!(place("incident_opened") < place("operation_planned"));
    let incident = world.incident();
    assert_eq!((incident.id.as_str(), incident.level), ("INC-1", Level::Sev2));
    assert_eq!(incident.services, [ServiceName::from("shop")]);
    assert_eq!(incident.by, Actor::Engine);
    assert_eq!(incident.operations, [world.operation().id.clone()]);
    assert!(incident.reason.contains("errors"), "{incident:?}");
    assert_eq!(status(&incident, world.core.state(), world.now), IncidentStatus::Mitigating);
    // Who started the rollback is known without a tick; the traffic is not back.
    assert!(matches!(world.item("start-rollback").0, ItemState::Done { by: Actor::Engine, .. }));
    assert!(!world.is_done("execute") && !world.is_done("verify-health"));
    assert_eq!(world.checklist().current, Some("acknowledge".into()));

    world.tick_item("acknowledge", Some(Ticked::Done)).expect("taken up");
    assert_eq!(world.incident().acknowledged.as_ref().map(|taken| taken.by.to_string()), Some("ana".into()));
    assert_eq!(world.checklist().clock.promise.and_then(|promise| promise.kept), Some(true));
    world.done();
    world.well(3);
    for item in ["execute", "verify-health", "error-rates"] {
        assert!(world.is_done(item), "{item}: {:?}", world.item(item));
    }
    assert!(!world.is_done("confirm-stability"), "not for long enough yet");
    let now = world.now;
    assert!(matches!(
        status(&world.incident(), world.core.state(), now),
        IncidentStatus::Mitigating | IncidentStatus::Monitoring { propose_resolve: false, .. }
    ));
    world.well(65);
    assert!(!world.is_done("confirm-stability"), "{:?}", world.item("confirm-stability"));
    world.well(60);
    assert!(world.is_done("confirm-stability"), "{:?}", world.item("confirm-stability"));
    let now = world.now;
    assert!(matches!(
        status(&world.incident(), world.core.state(), now),
        IncidentStatus::Monitoring { propose_resolve: true, .. }
    ));
    assert!(world.incident().is_open(), "only a person resolves");
    world.resolve();
    assert!(world.core.state().open_incident().is_none());
    world.well(10);
    assert_eq!(world.says("incident_opened"), 1);
    // What comes afterwards is ticked afterwards.
    world.tick_item("write-timeline", Some(Ticked::Done)).expect("ticked");
    assert_eq!(world.core.state().as_ref(), &world.folded);
}

/// While an incident is open, what fails joins it, and the severity follows the worst of them; a person's lowering stands.
#[test]
fn what_fails_meanwhile_joins() {
    let mut world = with_canary(|config| {
        config.environment.automatic = false;
        config.services.get_mut("shop").unwrap().criticality = Criticality::Low;
        config.services.get_mut("pay").unwrap().criticality = Criticality::Critical;
    });
    world.bad_canary(4);
    assert_eq!(world.incident().level, Level::Sev3);
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..6 {
        world.second("pay", &[("3.0", 100.0, 50.0)]);
    }
    let incident = world.incident();
    assert_eq!(incident.services, [ServiceName::from("shop"), ServiceName::from("pay")]);
    assert_eq!((incident.level, world.says("incident_opened")), (Level::Sev1, 1));
    let by = world.events.iter().find_map(|(_, event)| match event {
        Event::IncidentLevelSet { by, .. } => Some(by.clone()),
        _ => None,
    });
    assert_eq!(by, Some(Actor::Engine));
    let lower = |level| Command::SetLevel { incident: "INC-1".into(), level, reason: "read-only".into() };
    world.ask(lower(Level::Sev4)).unwrap();
    for _ in 0..10 {
        world.second("pay", &[("3.0", 100.0, 50.0)]);
    }
    assert_eq!(world.incident().level, Level::Sev4, "nothing new has joined");
    // Nothing was read of `shop` for a while, and of `swap` never.
    let scope = world.item("decide-scope");
    assert_eq!((scope.0, scope.1.as_str()), (ItemState::Open, "1 of 3 failing, 2 not known"));
}

/// A new leader goes on with the incident that there is, whatever it has forgotten, and links what is done about it.
#[test]
fn a_new_leader_opens_no_second_one() {
    let mut world = with_canary(|config| config.environment.automatic = false);
    world.bad_canary(4);
    for wait in [1_000, 60_000] {
        world.crash();
        world.pass(wait);
        world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
        world.bad_canary(6);
    }
    assert_eq!((world.says("incident_opened"), world.says("incident_joined")), (1, 0));
    world.roll_back("shop", None, &[]);
    assert_eq!(world.incident().operations, [world.operation().id.clone()]);
}

/// What was wrong when a person resolved an incident opens no other, also not for a leader that had to look anew; what gets
/// worse after it had got better does, and so does something else that goes wrong.
#[test]
fn what_is_settled_stays_settled() {
    let mut world = with_canary(|config| config.environment.automatic = false);
    world.bad_canary(9);
    world.resolve();
    world.bad_canary(6);
    assert_eq!(world.says("incident_opened"), 1, "the same still holds");
    world.crash();
    world.pass(60_000);
    world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
    world.bad_canary(8);
    assert!(world.says("finding_raised") > 1, "the new leader found it anew");
    assert_eq!(world.says("incident_opened"), 1, "a restart is no news");
    failing_probe(&mut world, 4);
    assert_eq!(world.says("incident_opened"), 2, "another trigger holds: {:?}", world.incident());
    world.resolve();
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    world.well(15);
    assert!(world.core.state().settled.is_empty(), "{:?}", world.core.state().settled);
    failing_probe(&mut world, 4);
    assert_eq!(world.says("incident_opened"), 3, "it was well in between");
    assert_eq!(world.core.state().as_ref(), &world.folded);
}

/// A process that was started for one command declares nothing by itself; a person may, once, and ticks what it cannot see.
#[test]
fn a_person_declares() {
    let mut once = Settings::clone(&settings(|_| {}));
    once.by_itself = false;
    let mut world = World::new(Arc::new(once));
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    failing_probe(&mut world, 6);
    assert_eq!(world.says("incident_opened"), 0);
    let open = |services: &[&str], title: &str| Command::OpenIncident {
        services: services.iter().map(|name| ServiceName::from(*name)).collect(),
        title: title.to_owned(),
        level: Level::Sev3,
    };
    for (command, says) in [
        (open(&["shop", "cart"], "down"), "no service `cart`; services: pay, shop, swap"),
        (open(&["shop"], "  "), "a title is required"),
        (open(&["shop"], &"x".repeat(TITLE_LIMIT + 1)), "at most 200 characters, this one has 201"),
    ] {
        let why = world.ask(command).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    world.ask(open(&["shop", "shop"], " customers call ")).unwrap();
    let incident = world.incident();
    assert_eq!((incident.title.as_str(), incident.services.len()), ("customers call", 1));
    let why = world.ask(open(&[], "again")).unwrap_err();
    assert!(why.contains("INC-1 is open already (customers call)"), "{why}");
    assert_eq!(world.says("checklist_ticked"), 0);
}

/// Every refusal says what is the matter.
#[test]
fn refusals_say_why() {
    let mut world = with_canary(|config| config.environment.automatic = false);
    world.bad_canary(4);
    let id = || IncidentId::from("INC-1");
    let nobody = Command::Acknowledge { incident: "INC-7".into() };
    assert_eq!(world.ask(nobody).unwrap_err(), "no incident `INC-7`; INC-1 is open");
    world.ask(Command::Acknowledge { incident: id() }).unwrap();
    world.pass(3_000);
    assert_eq!(
        world.ask(Command::Acknowledge { incident: id() }).unwrap_err(),
        "ana acknowledged INC-1 3 s ago"
    );
    for (command, says) in [
        (
            Command::SetLevel { incident: id(), level: Level::Sev2, reason: "x".into() },
            "INC-1 is SEV2 already",
        ),
        (
            Command::SetLevel { incident: id(), level: Level::Sev1, reason: " ".into() },
            "a reason is required",
        ),
        (Command::Resolve { incident: id(), reason: String::new() }, "a reason is required"),
        (Command::Note { incident: id(), text: " ".into() }, "a text is required"),
        (Command::Note { incident: id(), text: "x".repeat(NOTE_LIMIT + 1) }, "at most 4000 characters"),
    ] {
        let why = world.ask(command).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    world.ask(Command::Note { incident: id(), text: "vendor called".into() }).unwrap();
    assert_eq!(world.incident().notes[0].text, "vendor called");
    world.resolve();
    let again = Command::Resolve { incident: id(), reason: "again".into() };
    assert_eq!(world.ask(again).unwrap_err(), "ana resolved INC-1 0 ms ago: known");
    let after = world.ask(Command::SetLevel { incident: id(), level: Level::Sev1, reason: "x".into() });
    assert!(after.unwrap_err().contains("ana resolved INC-1"));
    world.ask(Command::Note { incident: id(), text: "the review is on Monday".into() }).unwrap();
}

/// What the engine sees to be false cannot be ticked, what it sees to be true cannot be unticked, and what it cannot see a
/// person may confirm.
#[test]
fn ticks_obey_what_is_seen() {
    let done = Some(Ticked::Done);
    let mut world = with_canary(|config| config.environment.automatic = false);
    world.bad_canary(4);
    for (item, says) in [
        ("verify-health", "`verify-health` is not so: shop failing: canary: errors: "),
        ("execute", "`execute` is not so: no rollback has been started; it is ticked by itself"),
        ("start-rollback", "; `unship rollback shop --reason \"…\"` does it, or tick it as not applicable"),
        ("sing", "no item `sing`; items: acknowledge, assess-severity, "),
    ] {
        let why = world.tick_item(item, done).unwrap_err();
        assert!(why.contains(says), "{why}");
    }
    assert!(world.tick_item("watch", None).unwrap_err().contains("is not ticked"));
    world.tick_item("watch", done).unwrap();
    world.pass(2_000);
    assert_eq!(world.tick_item("watch", done).unwrap_err(), "ana ticked `watch` 2 s ago");
    assert!(world.tick_item("watch", Some(Ticked::NotApplicable)).is_err(), "what is done applied");
    world.tick_item("watch", None).unwrap();
    world.tick_item("watch", Some(Ticked::NotApplicable)).unwrap();
    world.tick_item("watch", None).unwrap();
    assert_eq!(world.item("watch").0, ItemState::Open);
    let not = Some(Ticked::NotApplicable);
    assert!(world.tick_item("acknowledge", not).unwrap_err().contains("somebody has to"));
    world.tick_item("acknowledge", done).unwrap();
    assert!(world.tick_item("acknowledge", None).unwrap_err().contains("cannot be taken back"));

    world.roll_back("shop", None, &[]);
    world.pass(1_000);
    let why = world.tick_item("start-rollback", None).unwrap_err();
    assert!(why.contains("unship sees `start-rollback` done: op-1 on shop: step 1 of 2"), "{why}");
    world.done();
    world.well(5);
    let why = world.tick_item("execute", None).unwrap_err();
    assert!(why.contains("unship sees `execute` done: shop is on 3.0"), "{why}");
    assert!(world.is_done("verify-health"));
    // What the engine ticked and is no longer so it unticks, and ticks again when it is so again.
    failing_probe(&mut world, 4);
    assert!(matches!(world.item("verify-health").0, ItemState::Regressed { by: Actor::Engine, .. }));
    world.well(12);
    assert!(world.is_done("verify-health"));
    // Without a source nothing is known of the rates, and a person may say so.
    for _ in 0..40 {
        world.pass(1_000);
        world.source_fault();
    }
    let (state, fact) = world.item("confirm-stability");
    assert!(
        matches!(state, ItemState::Open | ItemState::Current | ItemState::Waiting { .. }),
        "{state:?} {fact}"
    );
    world.tick_item("confirm-stability", done).unwrap();
    assert!(matches!(world.item("confirm-stability").0, ItemState::Done { by: Actor::Person { .. }, .. }));
}

/// A state does not grow with its incidents.
#[test]
fn old_incidents_are_forgotten() {
    let mut world = World::new(settings(|_| {}));
    for number in 1..=30 {
        let title = format!("number {number}");
        world.ask(Command::OpenIncident { services: vec![], title, level: Level::Sev4 }).unwrap();
        for _ in 0..number * 5 {
            let id = world.incident().id.clone();
            world.ask(Command::Note { incident: id, text: "a note".into() }).unwrap();
        }
        if number < 30 {
            world.resolve();
        }
    }
    let incidents = world.core.state().incidents_in_order();
    let ids: Vec<_> = incidents.iter().map(|incident| incident.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[20]), (21, "INC-10", "INC-30"), "the open one and twenty");
    assert_eq!(incidents[20].notes.len(), 100);
}

/// One act of a person or of the world in three bytes.
fn act(world: &mut World, (what, a, b): (u8, u8, u8)) {
    let items = world.core.state().open_incident().map(|_| world.checklist());
    let id = world.core.state().open_incident().map_or_else(|| "INC-1".into(), |open| open.id.clone());
    let item = match &items {
        Some(list) => list.items().nth(a as usize % 18).map_or("nothing".into(), |item| item.id.clone()),
        None => ItemId::from("watch"),
    };
    match what % 12 {
        0..=4 => {
            let ticked = [Some(Ticked::Done), Some(Ticked::NotApplicable), None][b as usize % 3];
            let _ = world.ask(Command::Tick { incident: id, item, ticked, note: None });
        }
        5 => world.bad_canary(1 + a as usize % 4),
        6 => world.well(1 + a as usize % 4),
        7 => {
            let level = Level::ALL[a as usize % 4];
            let services = if b > 99 { vec!["shop".into()] } else { Vec::new() };
            let _ = world.ask(Command::OpenIncident { services, title: "it".into(), level });
        }
        8 => drop(world.ask(Command::Resolve { incident: id, reason: "so".into() })),
        9 => drop(world.roll_back("shop", None, &[])),
        10 if !world.steps.is_empty() => drop(world.done()),
        10 => world.pass(u64::from(a) * 1_000),
        _ => drop(world.crash()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever people tick and whatever happens: a service is in one open incident at most, ids are unique, phases follow one
    /// another, the current item is the first that is open, and the fold of the events is the state.
    #[test]
    fn checklists_hold(acts in prop::collection::vec(any::<(u8, u8, u8)>(), 40)) {
        let mut world = with_canary(|config| config.environment.automatic = false);
        for one in acts {
            act(&mut world, one);
            let state = world.core.state();
            let open = || state.incidents.values().filter(|incident| incident.is_open());
            for service in ["shop", "pay"] {
                prop_assert!(open().filter(|incident| incident.has(&service.into())).count() <= 1);
            }
            prop_assert_eq!(state.as_ref(), &world.folded);
            if state.incidents.is_empty() {
                continue;
            }
            let list = world.checklist();
            let mut ids: Vec<_> = list.items().map(|item| item.id.clone()).collect();
            let is_next = |item: &&unship::engine::checklist::Item| {
                !item.is_settled() && !matches!(item.state, ItemState::Waiting { .. } | ItemState::Running { .. })
            };
            prop_assert_eq!(list.items().find(is_next).map(|item| &item.id), list.current.as_ref());
            let is_current = |item: &&unship::engine::checklist::Item| item.state == ItemState::Current;
            prop_assert!(list.items().filter(is_current).count() <= 1);
            for two in list.phases.windows(2) {
                prop_assert_eq!(two[0].until, Some(two[1].from));
            }
            let count = ids.len();
            ids.sort();
            ids.dedup();
            prop_assert_eq!(ids.len(), count);
        }
        let json = serde_json::to_string(&world.folded).expect("a state is JSON");
        let back: State = serde_json::from_str(&json).expect("a state reads back");
        prop_assert_eq!(back, world.folded);
    }
}
