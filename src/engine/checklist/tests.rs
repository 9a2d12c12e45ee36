//! The checklist, item by item: what is seen, what it says, and where the item stands.

use std::fmt::Write as _;

use super::*;
use crate::model::decision::{Decision, Recommendation};
use crate::model::event::Event;
use crate::model::incident::Level;
use crate::model::operation::{Action, Outcome, Plan, PlanKind, Step, Strategy};
use crate::model::platform::Declares;
use crate::model::release::Release;
use crate::model::trigger::{Evaluation, Evidence, Severity, Status, TriggerAction, Unknown, Verdict};
use crate::model::{Quantity, Span, Unit};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn ana() -> Actor {
    Actor::Person { name: "ana".to_owned() }
}

fn failing() -> Verdict {
    Verdict::Failing { reasons: vec!["errors: 7.1 % > 5 %".to_owned()] }
}

fn unknown() -> Verdict {
    Verdict::Unknown { reasons: vec!["errors: no data".to_owned()] }
}

/// An incident that `shop` is part of, seen a minute after it was declared.
struct Scene {
    events: Vec<(Timestamp, Event)>,
    readings: BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)>,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self::of(Level::Sev2, &["shop"])
    }

    fn of(level: Level, services: &[&str]) -> Self {
        let opened = Event::IncidentOpened {
            incident: "INC-1".into(),
            title: "shop is failing".to_owned(),
            level,
            services: services.iter().map(|name| ServiceName::from(*name)).collect(),
            by: Actor::Engine,
            reason: String::new(),
        };
        Self { events: vec![(at(0), opened)], readings: BTreeMap::new(), now: at(60) }
    }

    fn then(mut self, seconds: i64, event: Event) -> Self {
        self.events.push((at(seconds), event));
        self
    }

    fn verdict(self, seconds: i64, service: &str, verdict: Verdict) -> Self {
        let mut scene = self.read(service, 59, Vec::new());
        scene
            .events
            .push((at(seconds), Event::VerdictChanged { service: service.into(), arm: None, verdict }));
        scene
    }

    fn read(mut self, service: &str, seconds: i64, evaluations: Vec<Evaluation>) -> Self {
        let reading = ServiceReading { evaluations, newest: Some(at(seconds)), ..ServiceReading::default() };
        self.readings.insert(service.into(), (at(seconds), Arc::new(reading)));
        self
    }

    fn planned(self, seconds: i64, id: &str, service: &str) -> Self {
        self.planned_as(PlanKind::RollBack, seconds, id, service)
    }

    fn planned_as(self, kind: PlanKind, seconds: i64, id: &str, service: &str) -> Self {
        let release = |version: &str| Release {
            version: version.into(),
            reference: version.into(),
            created_at: at(0),
            author: None,
            schema: None,
            running: true,
        };
        let step = Step {
            title: "give `1.0` all the traffic".to_owned(),
            action: Action::Watch { lasts: Span::secs(1) },
            requires: None,
            timeout: Span::secs(9),
            retries: 0,
            key: "k".into(),
            declares: Declares { observable: true, idempotent: true },
        };
        let plan = Plan {
            kind,
            service: service.into(),
            purpose: "take it back".to_owned(),
            strategy: Strategy::Immediate,
            from: release("2.0"),
            to: release("1.0"),
            steps: vec![step.clone(), step],
        };
        let planned = Event::OperationPlanned {
            operation: id.into(),
            plan,
            by: ana(),
            reason: "5xx".to_owned(),
            decision: None,
            command: None,
            guardrails: Vec::new(),
        };
        self.then(seconds, planned)
    }

    fn back(self, seconds: i64, id: &str) -> Self {
        self.then(seconds, Event::TrafficBack { operation: id.into(), release: "1.0".into() })
    }

    fn ended(self, seconds: i64, id: &str, outcome: Outcome) -> Self {
        self.then(seconds, Event::OperationEnded { operation: id.into(), outcome, detail: String::new() })
    }

    fn ticked(self, seconds: i64, item: &str, by: Actor) -> Self {
        let ticked = Some(Ticked::Done);
        let note = Some("looked".to_owned());
        self.then(
            seconds,
            Event::ChecklistTicked { incident: "INC-1".into(), item: item.into(), ticked, by, note },
        )
    }

    fn state(&self) -> State {
        State::default().fold(self.events.iter().map(|(at, event)| (*at, event)))
    }

    fn list(&self) -> Checklist {
        let state = self.state();
        checklist(&state.incidents["INC-1"], &state, &self.readings, self.now)
    }

    fn item(&self, id: &str) -> Item {
        self.list().item(&id.into()).unwrap().clone()
    }

    #[track_caller]
    fn shows(&self, id: &str, text: &str, holds: Option<bool>) {
        let fact = self.item(id).fact.unwrap();
        assert_eq!((fact.text.as_str(), fact.holds), (text, holds));
    }
}

/// The list as people know it: four phases without a gap, and ids that no journal may lose.
#[test]
fn the_emergency_checklist() {
    let list = Scene::new().list();
    let mut text = String::new();
    for phase in &list.phases {
        let until = phase.until.map_or(String::new(), |until| (until.as_secs() / 60).to_string());
        let _ = writeln!(text, "{}-{until} {}", phase.from.as_secs() / 60, phase.title);
        for item in &phase.items {
            let kind = match item.kind {
                ItemKind::Manual => "manual",
                ItemKind::Sensed => "sensed",
                ItemKind::Does { .. } => "does",
            };
            let _ = writeln!(text, "  {} ({kind}): {}", item.id, item.title);
        }
    }
    insta::assert_snapshot!(text, @r"
    0-5 Assess and decide
      acknowledge (does): acknowledge
      assess-severity (manual): assess the severity
      look-at-dashboards (manual): look at the dashboards
      decide-scope (sensed): scope: shop
      start-rollback (does): start the rollback
    5-15 Take it back
      execute (sensed): the traffic is back
      watch (manual): watch while the traffic moves
      verify-health (sensed): the services are healthy
      confirm-stability (sensed): they stay healthy
    15-30 Make sure
      smoke-tests (manual): run the smoke tests
      critical-flows (manual): walk through the critical user flows
      error-rates (sensed): error rates are within their limits
      database-integrity (manual): check the integrity of the database
    30- Afterwards
      tell-stakeholders (manual): tell the stakeholders
      write-timeline (manual): write the timeline
      schedule-post-mortem (manual): schedule the post-mortem
      plan-fix (manual): plan the fix
    ");
}

/// The clock runs until somebody answers, and the promise is kept or not from then on.
#[test]
fn the_promise() {
    let taken = Event::IncidentAcknowledged { incident: "INC-1".into(), by: ana() };
    for (level, seconds, answered, text, holds, kept) in [
        (Level::Sev1, 60, None, "nobody yet, 4 m left of 5 m", false, None),
        (Level::Sev1, 301, None, "nobody yet, 1 s past the promised 5 m", false, Some(false)),
        (Level::Sev1, 400, Some(299), "by ana after 4 m 59 s", true, Some(true)),
        (Level::Sev1, 400, Some(301), "by ana after 5 m 1 s", true, Some(false)),
        (Level::Sev2, 400, None, "nobody yet, 8 m 20 s left of 15 m", false, None),
        (Level::Sev4, 99_999, None, "nobody yet", false, None),
    ] {
        let mut scene = Scene::of(level, &["shop"]);
        scene.now = at(seconds);
        if let Some(answered) = answered {
            scene = scene.then(answered, taken.clone());
        }
        scene.shows(ACKNOWLEDGE, text, Some(holds));
        assert_eq!(scene.list().clock.promise.and_then(|promise| promise.kept), kept, "{text}");
        let is_done = matches!(scene.item(ACKNOWLEDGE).state, ItemState::Done { .. });
        assert_eq!(is_done, answered.is_some());
    }
    let mut over = Scene::new();
    over.now = at(4_000);
    let end = Event::IncidentResolved { incident: "INC-1".into(), by: ana(), reason: "well".into() };
    let clock = over.then(90, end).list().clock;
    assert_eq!((clock.elapsed.as_secs(), clock.promise.unwrap().kept), (90, None), "it stands still");
}

/// Every failing service is in it, as far as all are known.
#[test]
fn scope() {
    let scene = || Scene::new().verdict(0, "shop", failing()).verdict(0, "pay", Verdict::Healthy);
    scene().shows(SCOPE, "1 of 2 failing", Some(true));
    assert_eq!(scene().item(SCOPE).title, "scope: shop");
    scene().verdict(0, "cart", unknown()).shows(SCOPE, "1 of 3 failing, 1 not known", None);
    scene().verdict(0, "cart", failing()).shows(SCOPE, "2 of 3 failing; cart not in it", Some(false));
    let nobody = Scene::of(Level::Sev3, &[]).verdict(0, "pay", Verdict::Healthy);
    nobody.shows(SCOPE, "0 of 1 failing; no service is named", None);
    assert_eq!(nobody.item(SCOPE).title, "decide the scope");
    let many = Scene::of(Level::Sev3, &["a", "b", "c", "d", "e"]);
    assert_eq!(many.item(SCOPE).title, "scope: a, b, c and 2 more");
}

/// The rollback is started by a command that names the service; whoever starts it, the item shows it.
#[test]
fn starting_the_rollback() {
    let scene = || Scene::new().verdict(0, "shop", failing());
    scene().shows(ROLL_BACK, "none has been started", Some(false));
    let deed = |scene: &Scene| match scene.item(ROLL_BACK).kind {
        ItemKind::Does { deed } => deed,
        _ => unreachable!("it is done by a command"),
    };
    assert_eq!(deed(&scene()), Deed::RollBack { service: Some("shop".into()) });
    assert_eq!(deed(&scene()).command_line(), "unship rollback shop --reason \"…\"");
    assert_eq!(scene().item(ROLL_BACK).title, "roll shop back");

    let begun = scene().planned(10, "op-1", "shop");
    begun.shows(ROLL_BACK, "op-1 on shop: step 1 of 2, give `1.0` all the traffic", Some(true));
    assert_eq!(begun.item(ROLL_BACK).state, ItemState::Done { by: ana(), at: at(10) });
    assert_eq!(deed(&begun), Deed::RollBack { service: None }, "one is under way");

    let cancelled = begun.ended(20, "op-1", Outcome::Cancelled);
    cancelled.shows(ROLL_BACK, "none has been started", Some(false));
    assert_eq!(deed(&cancelled), Deed::RollBack { service: Some("shop".into()) });
    let promoted = scene().planned_as(PlanKind::Promote, 10, "op-1", "shop").back(11, "op-1");
    promoted.shows(ROLL_BACK, "none has been started", Some(false));
    promoted.shows(EXECUTE, "no rollback has been started", Some(false));
    let held = Event::OperationPaused { operation: "op-1".into(), by: ana(), reason: "wait".into() };
    scene().planned(10, "op-1", "shop").then(11, held).shows(ROLL_BACK, "op-1 on shop is paused", Some(true));
    let elsewhere = scene().planned(10, "op-1", "pay");
    elsewhere.shows(ROLL_BACK, "none has been started", Some(false));
}

/// A decision names the version that is returned to, while what it rests on holds.
#[test]
fn the_target_is_named() {
    let finding = crate::model::trigger::Finding {
        id: "f-1".into(),
        trigger: "errors".into(),
        service: Some("shop".into()),
        arm: None,
        action: TriggerAction::Immediate,
        severity: Severity::High,
        since: at(0),
        evidence: evidence(0.3),
    };
    let to = Release {
        version: "1.0".into(),
        reference: "1.0".into(),
        created_at: at(0),
        author: None,
        schema: None,
        running: true,
    };
    let decision = Decision {
        id: "d-1".into(),
        service: "shop".into(),
        at: at(0),
        recommendation: Recommendation::RollBackImmediately,
        confidence: 1.0,
        reasons: Vec::new(),
        findings: vec![finding.clone()],
        unknowns: Vec::new(),
        guardrails: Vec::new(),
        from: None,
        to: Some(to),
        acted: false,
        would_change: Vec::new(),
    };
    let scene =
        Scene::new().then(0, Event::FindingRaised { finding }).then(0, Event::DecisionMade { decision });
    assert_eq!(scene.item(ROLL_BACK).title, "roll shop back to 1.0");
    let cleared = scene.then(5, Event::FindingCleared { finding: "f-1".into(), reason: "well".into() });
    assert_eq!(cleared.item(ROLL_BACK).title, "start the rollback");
}

/// The traffic of every service has to be back; the newest operation of each counts.
#[test]
fn traffic_back() {
    let scene = || Scene::of(Level::Sev2, &["shop", "pay"]);
    scene().shows(EXECUTE, "no rollback has been started", Some(false));
    let one = || scene().planned(1, "op-1", "shop").back(5, "op-1");
    one().shows(EXECUTE, "shop is on 1.0", Some(true));
    let two = || one().planned(6, "op-2", "pay");
    two().shows(EXECUTE, "op-2 on pay: step 1 of 2, give `1.0` all the traffic", Some(false));
    two().back(9, "op-2").shows(EXECUTE, "all traffic of 2 services is back", Some(true));
    two().ended(9, "op-2", Outcome::Failed).shows(EXECUTE, "op-2 on pay failed", Some(false));
    let asks = Event::DecisionNeeded { operation: "op-2".into(), step: 0, facts: "?".into() };
    two().then(9, asks).shows(EXECUTE, "op-2 on pay needs a decision", Some(false));
    let again = two().ended(9, "op-2", Outcome::Failed).planned(10, "op-3", "pay").back(11, "op-3");
    again.shows(EXECUTE, "all traffic of 2 services is back", Some(true));
}

/// Healthy is what is known of all of them and was looked at lately.
#[test]
fn health_and_stability() {
    let two = || Scene::of(Level::Sev2, &["shop", "pay"]).verdict(0, "pay", Verdict::Healthy);
    let well = || two().verdict(20, "shop", Verdict::Healthy);
    well().shows(HEALTH, "shop, pay healthy for 40 s", Some(true));
    assert_eq!(well().item(HEALTH).fact.unwrap().at, Some(at(59)), "its age is shown");
    well().shows(STABILITY, "40 s of 1 m", Some(false));
    let mut long = well();
    long.now = at(85);
    long.shows(STABILITY, "1 m 5 s without a break", Some(true));
    let mut changing = well().planned(21, "op-1", "shop");
    changing.now = at(85);
    changing.shows(STABILITY, "op-1 on shop: step 1 of 2, give `1.0` all the traffic", Some(false));
    for id in [HEALTH, STABILITY] {
        two().verdict(0, "shop", failing()).shows(id, "shop failing: errors: 7.1 % > 5 %", Some(false));
        two().verdict(0, "shop", unknown()).shows(id, "shop: errors: no data", None);
        two().shows(id, "shop: nobody looks at it", None);
        let mut old = well();
        old.now = at(90);
        old.shows(id, "shop: nobody has looked for 31 s", None);
        Scene::of(Level::Sev2, &[]).shows(id, "no service is named", None);
    }
}

fn evidence(value: f64) -> Evidence {
    Evidence {
        query: "share of errors over 30 s".to_owned(),
        value: Some(value),
        limit: Quantity { value: 0.05, unit: Unit::Share },
        above: true,
        window_ms: 30_000,
        samples: 100.0,
        newest: Some(at(57)),
        judgement: None,
        said: None,
    }
}

fn rate(value: f64, status: Status) -> Evaluation {
    Evaluation {
        trigger: "errors".into(),
        service: Some("shop".into()),
        arm: Some(crate::model::release::Arm::Canary),
        action: TriggerAction::Immediate,
        severity: Severity::High,
        status,
        evidence: evidence(value),
    }
}

/// The worst rate counts, with its value, its limit and its age; latency and availability are not rates of errors.
#[test]
fn error_rates() {
    let scene = |evaluations| Scene::new().read("shop", 59, evaluations);
    scene(Vec::new()).shows(ERRORS, "no trigger watches an error rate here", None);
    let fine = rate(0.01, Status::Ok);
    scene(vec![fine.clone()]).shows(ERRORS, "shop canary 1 % < 5 %", Some(true));
    assert_eq!(scene(vec![fine.clone()]).item(ERRORS).fact.unwrap().at, Some(at(57)));
    let bad = rate(0.071, Status::Breach { since: at(0) });
    scene(vec![fine.clone(), bad]).shows(ERRORS, "shop canary 7.1 % > 5 %", Some(false));
    let soon = rate(0.06, Status::Pending { since: at(0) });
    scene(vec![soon, fine.clone()]).shows(ERRORS, "shop canary 6 % > 5 %", Some(false));
    let lost = rate(0.0, Status::Unknown { reason: Unknown::NoData });
    scene(vec![lost.clone()]).shows(ERRORS, "shop: errors: no data", None);
    scene(vec![fine.clone(), lost]).shows(ERRORS, "shop canary 1 % < 5 %, but shop: errors: no data", None);
    let mut latency = rate(900.0, Status::Breach { since: at(0) });
    latency.evidence.limit.unit = Unit::Millis;
    let mut availability = rate(0.5, Status::Breach { since: at(0) });
    availability.evidence.above = false;
    scene(vec![fine.clone(), latency, availability]).shows(ERRORS, "shop canary 1 % < 5 %", Some(true));
    Scene::new().read("shop", 10, vec![fine]).shows(ERRORS, "shop: nobody has looked for 50 s", None);
}

/// A tick stands while the fact is so or not known, and shows when it is so no longer, whoever ticked.
#[test]
fn ticks_and_facts() {
    for by in [Actor::Engine, ana()] {
        let scene = |verdict| {
            Scene::new().verdict(0, "shop", verdict).ticked(30, HEALTH, by.clone()).item(HEALTH).state
        };
        let (by, at) = (by.clone(), at(30));
        assert_eq!(scene(Verdict::Healthy), ItemState::Done { by: by.clone(), at });
        assert_eq!(scene(unknown()), ItemState::Done { by: by.clone(), at });
        assert_eq!(scene(failing()), ItemState::Regressed { by: by.clone(), at });
    }
    let manual = Scene::new().ticked(30, "watch", ana());
    assert_eq!(manual.item("watch").note.as_deref(), Some("looked"));
    // What the engine has seen it ticks once, and rates only when there is health.
    let seen = |scene: &Scene| {
        let seen = scene.list().seen_to_be_done();
        seen.into_iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>()
    };
    let rates = || Scene::new().verdict(0, "shop", failing()).read("shop", 59, vec![rate(0.01, Status::Ok)]);
    assert_eq!(seen(&rates()), [SCOPE]);
    let well = || {
        rates()
            .then(20, Event::VerdictChanged { service: "shop".into(), arm: None, verdict: Verdict::Healthy })
    };
    assert_eq!(seen(&well()), [SCOPE, HEALTH, ERRORS]);
    assert_eq!(seen(&well().ticked(30, HEALTH, ana()).ticked(30, SCOPE, ana())), [ERRORS]);
}

/// A phase is overdue when its time is over and something in it is left.
#[test]
fn overdue() {
    let overdue = |scene: &Scene| scene.list().phases.iter().map(|phase| phase.overdue).collect::<Vec<_>>();
    for (seconds, expected) in [
        (300, [false; 4]),
        (301, [true, false, false, false]),
        (901, [true, true, false, false]),
        (9_000, [true, true, true, false]),
    ] {
        let mut scene = Scene::new();
        scene.now = at(seconds);
        assert_eq!(overdue(&scene), expected, "{seconds}");
    }
    let mut scene = Scene::new().planned(1, "op-1", "shop");
    for item in ["assess-severity", "look-at-dashboards", SCOPE] {
        scene = scene.ticked(2, item, ana());
    }
    scene.now = at(301);
    assert_eq!(scene.list().phases[0].settled(), 4);
    assert_eq!(scene.list().current, Some(ACKNOWLEDGE.into()));
    let scene = scene.then(3, Event::IncidentAcknowledged { incident: "INC-1".into(), by: ana() });
    assert_eq!(overdue(&scene), [false; 4]);
    assert_eq!(scene.list().current, Some(EXECUTE.into()));
}
