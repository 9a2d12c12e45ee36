//! What the engine sees of an incident, in words, and the built-in checklist. What people and time do to items is in `tests/core`.

use std::fmt::Write as _;

use super::*;
use crate::config::RunbookText;
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
        let RunbookText { source, sha256, .. } = RunbookText::emergency();
        let runbook = EMERGENCY.into();
        let change = ChecklistChange::Attached { runbook, source, bindings: None, sha256, pace_percent: 100 };
        let attached = Event::ChecklistChanged {
            incident: "INC-1".into(),
            run: "INC-1/emergency".into(),
            by: Actor::Engine,
            change,
        };
        Self { events: vec![(at(0), opened), (at(0), attached)], readings: BTreeMap::new(), now: at(60) }
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
            phase: None,
        };
        let plan = Plan {
            kind,
            service: service.into(),
            purpose: "take it back".to_owned(),
            strategy: Strategy::Immediate,
            from: release("2.0"),
            to: release("1.0"),
            steps: vec![step.clone(), step],
            budgets: Vec::new(),
            spares: false,
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

    fn state(&self) -> State {
        State::default().fold(self.events.iter().map(|(at, event)| (*at, event)))
    }

    fn list(&self) -> Checklist {
        let state = self.state();
        let config: Config = toml::from_str("services = {}\n[environment]\nname = \"test\"").unwrap();
        checklist(&state.incidents["INC-1"], &state, &config, &self.readings, self.now)
    }

    fn item(&self, id: &str) -> Item {
        self.list().item(id).unwrap().clone()
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
                ItemKind::Sensed { .. } => "sensed",
                ItemKind::Does { .. } => "does",
                ItemKind::Hold { .. } => "hold",
                _ => "other",
            };
            let _ = writeln!(text, "  {} ({kind}): {}", item.id, item.title);
        }
    }
    insta::assert_snapshot!(text);
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
        scene.shows("acknowledge", text, Some(holds));
        assert_eq!(scene.list().clock.promise.and_then(|promise| promise.kept), kept, "{text}");
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
    scene().shows("decide-scope", "1 of 2 failing", Some(true));
    scene().verdict(0, "cart", unknown()).shows("decide-scope", "1 of 3 failing, 1 not known", None);
    scene().verdict(0, "cart", failing()).shows(
        "decide-scope",
        "2 of 3 failing; cart not in it",
        Some(false),
    );
    let nobody = Scene::of(Level::Sev3, &[]).verdict(0, "pay", Verdict::Healthy);
    nobody.shows("decide-scope", "0 of 1 failing; no service is named", None);
}

/// The rollback is started by a command that names the service; whoever starts it, the item shows it.
#[test]
fn starting_the_rollback() {
    let scene = || Scene::new().verdict(0, "shop", failing());
    scene().shows("start-rollback", "none has been started", Some(false));
    let deed = |scene: &Scene| match scene.item("start-rollback").kind {
        ItemKind::Does { deed } => deed,
        _ => unreachable!("it is done by a command"),
    };
    assert_eq!(deed(&scene()), Deed::RollBack { service: Some("shop".into()) });
    assert_eq!(deed(&scene()).command_line(), "unship rollback shop --reason \"…\"");
    assert_eq!(scene().item("start-rollback").title, "The rollback is started (shop)");

    let begun = scene().planned(10, "op-1", "shop");
    begun.shows("start-rollback", "op-1 on shop: step 1 of 2, give `1.0` all the traffic", Some(true));
    assert_eq!(deed(&begun), Deed::RollBack { service: None }, "one is under way");

    let cancelled = begun.ended(20, "op-1", Outcome::Cancelled);
    cancelled.shows("start-rollback", "none has been started", Some(false));
    assert_eq!(deed(&cancelled), Deed::RollBack { service: Some("shop".into()) });
    let promoted = scene().planned_as(PlanKind::Promote, 10, "op-1", "shop").back(11, "op-1");
    promoted.shows("start-rollback", "none has been started", Some(false));
    promoted.shows("execute", "no rollback has been started", Some(false));
    let held = Event::OperationPaused { operation: "op-1".into(), by: ana(), reason: "wait".into() };
    scene().planned(10, "op-1", "shop").then(11, held).shows(
        "start-rollback",
        "op-1 on shop is paused",
        Some(true),
    );
    let elsewhere = scene().planned(10, "op-1", "pay");
    elsewhere.shows("start-rollback", "none has been started", Some(false));
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
    assert_eq!(scene.item("start-rollback").title, "The rollback is started (shop to 1.0)");
    let cleared = scene.then(5, Event::FindingCleared { finding: "f-1".into(), reason: "well".into() });
    assert_eq!(cleared.item("start-rollback").title, "The rollback is started");
}

/// The traffic of every service has to be back; the newest operation of each counts.
#[test]
fn traffic_back() {
    let scene = || Scene::of(Level::Sev2, &["shop", "pay"]);
    scene().shows("execute", "no rollback has been started", Some(false));
    let one = || scene().planned(1, "op-1", "shop").back(5, "op-1");
    one().shows("execute", "shop is on 1.0", Some(true));
    let two = || one().planned(6, "op-2", "pay");
    two().shows("execute", "op-2 on pay: step 1 of 2, give `1.0` all the traffic", Some(false));
    two().back(9, "op-2").shows("execute", "all traffic of 2 services is back", Some(true));
    two().ended(9, "op-2", Outcome::Failed).shows("execute", "op-2 on pay failed", Some(false));
    let asks = Event::DecisionNeeded { operation: "op-2".into(), step: 0, facts: "?".into() };
    two().then(9, asks).shows("execute", "op-2 on pay needs a decision", Some(false));
    let again = two().ended(9, "op-2", Outcome::Failed).planned(10, "op-3", "pay").back(11, "op-3");
    again.shows("execute", "all traffic of 2 services is back", Some(true));
}

/// Healthy is what is known of all of them and was looked at lately.
#[test]
fn health_and_stability() {
    let two = || Scene::of(Level::Sev2, &["shop", "pay"]).verdict(0, "pay", Verdict::Healthy);
    let well = || two().verdict(20, "shop", Verdict::Healthy);
    well().shows("verify-health", "shop, pay healthy for 40 s", Some(true));
    assert_eq!(well().item("verify-health").fact.unwrap().at, Some(at(59)), "its age is shown");
    for id in ["verify-health", "confirm-stability"] {
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
    let scene = |evaluations| Scene::new().verdict(0, "shop", Verdict::Healthy).read("shop", 59, evaluations);
    // They say nothing while something healed is not seen.
    let ill = Scene::new().verdict(0, "shop", failing()).read("shop", 59, vec![rate(0.01, Status::Ok)]);
    ill.shows("error-rates", "shop canary 1 % < 5 %", None);
    scene(Vec::new()).shows("error-rates", "no trigger watches an error rate here", None);
    let fine = rate(0.01, Status::Ok);
    scene(vec![fine.clone()]).shows("error-rates", "shop canary 1 % < 5 %", Some(true));
    assert_eq!(scene(vec![fine.clone()]).item("error-rates").fact.unwrap().at, Some(at(57)));
    let bad = rate(0.071, Status::Breach { since: at(0) });
    scene(vec![fine.clone(), bad]).shows("error-rates", "shop canary 7.1 % > 5 %", Some(false));
    let soon = rate(0.06, Status::Pending { since: at(0) });
    scene(vec![soon, fine.clone()]).shows("error-rates", "shop canary 6 % > 5 %", Some(false));
    let lost = rate(0.0, Status::Unknown { reason: Unknown::NoData });
    scene(vec![lost.clone()]).shows("error-rates", "shop: errors: no data", None);
    scene(vec![fine.clone(), lost]).shows(
        "error-rates",
        "shop canary 1 % < 5 %, but shop: errors: no data",
        None,
    );
    let mut latency = rate(900.0, Status::Breach { since: at(0) });
    latency.evidence.limit.unit = Unit::Millis;
    let mut availability = rate(0.5, Status::Breach { since: at(0) });
    availability.evidence.above = false;
    scene(vec![fine.clone(), latency, availability]).shows(
        "error-rates",
        "shop canary 1 % < 5 %",
        Some(true),
    );
    Scene::new().read("shop", 10, vec![fine]).shows("error-rates", "shop: nobody has looked for 50 s", None);
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
}
