//! Yesterday's journal stays readable.
//!
//! `tests/fixtures/journal-v1.jsonl` holds events as they were written, one `{"version": …, "event": …}` a line, in the
//! order of [`events`]. A line is never changed: it stands for the journals in the field. When a kind of event or a new
//! form of one is added, add it at the end of [`events`] and run the tests once with `UNSHIP_BLESS=1`, which adds the
//! missing lines and leaves the others alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use unship::model::baseline::{Baseline, Figure};
use unship::model::breaker::{BreakerState, BreakerStatus, Dependency};
use unship::model::command::{Actor, Command, Deploy, Envelope, Override, Promote, RollBack, Settlement};
use unship::model::decision::{Decision, Guardrail, GuardrailCheck, Recommendation};
use unship::model::deploy::{DeployStrategy, Phase};
use unship::model::event::{EVENT_VERSION, Event, decode, encode};
use unship::model::incident::{Level, Ticked};
use unship::model::notification::{AlertAction, MessageKind, Notification};
use unship::model::operation::{Action, Outcome, Plan, PlanKind, Requirement, Step, Strategy};
use unship::model::platform::{Declares, PlatformAction};
use unship::model::release::{Arm, Inventory, Quality, Release, Share};
use unship::model::trigger::{Evidence, Finding, Severity, TriggerAction, Verdict};
use unship::model::validation::Validation;
use unship::model::{Quantity, Span, Unit};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-01T12:00:00.25Z")
}

fn mira() -> Actor {
    Actor::Person { name: "mira".to_owned() }
}

fn release(version: &str, full: bool) -> Release {
    Release {
        version: version.into(),
        reference: format!("sha256:{version}").into(),
        created_at: at("2026-02-28T09:30:00Z"),
        author: full.then(|| "jonas".to_owned()),
        schema: full.then_some(42),
        running: full,
    }
}

fn finding(arm: Option<Arm>, value: Option<f64>) -> Finding {
    Finding {
        id: "f-31".into(),
        trigger: "error-rate".into(),
        service: arm.map(|_| "checkout".into()),
        arm,
        action: TriggerAction::Immediate,
        severity: Severity::Critical,
        since: noon(),
        evidence: Evidence {
            query: "errors over 30 s".to_owned(),
            value,
            limit: Quantity { value: 0.05, unit: Unit::Share },
            above: true,
            window_ms: 30_000,
            samples: 1_250.0,
            newest: value.map(|_| noon()),
            judgement: None,
            said: None,
        },
    }
}

fn check(guardrail: Guardrail) -> GuardrailCheck {
    GuardrailCheck {
        guardrail,
        passes: false,
        detail: "last rollback 1 m ago, cooldown 5 m".to_owned(),
        until: Some(at("2026-03-01T12:04:00Z")),
        overridden: Some("the cause is known".to_owned()),
    }
}

fn decision() -> Decision {
    Decision {
        id: "d-7".into(),
        service: "checkout".into(),
        at: noon(),
        recommendation: Recommendation::RollBackGradually,
        confidence: 0.875,
        reasons: vec!["errors 7.1 % > 5 %".to_owned()],
        findings: vec![finding(Some(Arm::Canary), Some(0.0625)), finding(None, None)],
        unknowns: vec!["latency of stable".to_owned()],
        guardrails: Guardrail::ALL.into_iter().filter(|one| *one != Guardrail::Health).map(check).collect(),
        from: Some(release("2.8.1", true)),
        to: Some(release("2.8.0", false)),
        acted: true,
        would_change: vec!["errors below 5 % for 30 s".to_owned()],
    }
}

fn step(action: Action) -> Step {
    Step {
        title: "all traffic to 2.8.0".to_owned(),
        action,
        requires: None,
        timeout: Span::secs(300),
        retries: 4,
        key: "op-12/0".into(),
        declares: Declares { observable: true, idempotent: false },
        phase: None,
    }
}

fn platform(action: PlatformAction) -> Step {
    let releases = vec!["sha256:2.8.1".into(), "sha256:2.8.0".into()];
    Step { requires: Some(Requirement::OnlyTheseServe { releases }), ..step(Action::Platform { action }) }
}

fn shares() -> Vec<Share> {
    vec![
        Share { reference: "sha256:2.8.0".into(), arm: Arm::Stable, percent: 90 },
        Share { reference: "sha256:2.8.1".into(), arm: Arm::Canary, percent: 10 },
    ]
}

fn plan(strategy: Strategy) -> Plan {
    Plan {
        // The first fixtures have no kind: they are from when every plan was a rollback.
        kind: PlanKind::RollBack,
        service: "checkout".into(),
        purpose: "take 2.8.1 back".to_owned(),
        strategy,
        from: release("2.8.1", true),
        to: release("2.8.0", true),
        steps: vec![
            platform(PlatformAction::Deploy { release: "sha256:2.8.0".into() }),
            platform(PlatformAction::ShiftTraffic { shares: shares() }),
            step(Action::Watch { lasts: Span::secs(120) }),
            platform(PlatformAction::Restore { release: "sha256:2.8.0".into() }),
            platform(PlatformAction::Maintenance { on: false }),
            step(Action::Verify { hold: Span::secs(30), deadline: Span::millis(300_500), probes_only: true }),
        ],
        budgets: Vec::new(),
        spares: false,
    }
}

fn envelope(command: Command) -> Envelope {
    Envelope { id: "01JNWE9Q9J3V8QJ3QW8YQZ7K5T".into(), by: mira(), at: noon(), command }
}

fn why() -> String {
    "errors since the release \u{2014} \"again\"".to_owned()
}

fn commands() -> Vec<Command> {
    let service = "checkout";
    vec![
        Command::RollBack(RollBack {
            service: service.into(),
            from: Some("sha256:2.8.1".into()),
            to: Some("2.8.0".into()),
            strategy: Strategy::Emergency,
            reason: why(),
            overrides: vec![Override { guardrail: Guardrail::Cooldown, reason: why() }],
        }),
        Command::RollBack(RollBack {
            service: service.into(),
            from: None,
            to: None,
            strategy: Strategy::Immediate,
            reason: why(),
            overrides: Vec::new(),
        }),
        Command::Cancel { operation: "op-12".into(), reason: why() },
        Command::Settle { operation: "op-12".into(), choice: Settlement::Done, reason: why() },
        Command::Mark {
            service: service.into(),
            version: "2.8.1".into(),
            quality: Quality::Bad,
            reason: why(),
        },
        Command::Freeze { service: None, until: Some(noon()), reason: why() },
        Command::Freeze { service: Some(service.into()), until: None, reason: why() },
        Command::Thaw { service: Some(service.into()), reason: why() },
        Command::Automatic { on: false, reason: why() },
        Command::Reset { service: service.into(), reason: why() },
    ]
}

/// At least one event of every kind, and every form of what is in them. New ones go to the end.
fn events() -> Vec<Event> {
    let service = || "checkout".into();
    let operation = || "op-12".into();
    let mut events = vec![
        Event::LeaderChanged { holder: "guard@host:4711".to_owned(), program: "0.1.0".to_owned() },
        Event::InventoryChanged {
            service: service(),
            inventory: Inventory {
                releases: vec![release("2.8.1", true), release("2.8.0", false)],
                traffic: shares(),
                settled: true,
                failed: None,
                schema: Some(41),
                maintenance: Some(false),
                instances: None,
                revision: Some("rv-9".to_owned()),
            },
        },
        Event::InventoryChanged { service: service(), inventory: Inventory::default() },
        Event::PlatformReadable { service: service(), fault: Some("refused".to_owned()) },
        Event::SourceReadable { source: "metrics".into(), fault: None },
        Event::VerdictChanged { service: service(), arm: None, verdict: Verdict::Healthy },
        Event::VerdictChanged {
            service: service(),
            arm: Some(Arm::Stable),
            verdict: Verdict::Degraded { reasons: vec![why()] },
        },
        Event::VerdictChanged {
            service: service(),
            arm: Some(Arm::Canary),
            verdict: Verdict::Failing { reasons: vec![why()] },
        },
        Event::VerdictChanged {
            service: service(),
            arm: None,
            verdict: Verdict::Unknown { reasons: Vec::new() },
        },
        Event::FindingRaised { finding: finding(Some(Arm::Canary), Some(0.0625)) },
        Event::FindingCleared { finding: "f-31".into(), reason: "back within the limit".to_owned() },
        Event::DecisionMade { decision: decision() },
        Event::GuardrailOverridden {
            command: "c-1".into(),
            by: mira(),
            service: service(),
            taken: Override { guardrail: Guardrail::Freeze, reason: why() },
        },
        Event::StepStarted { operation: operation(), step: 0, attempt: 1 },
        Event::StepSucceeded { operation: operation(), step: 0, adopted: true, detail: "done".to_owned() },
        Event::StepRetried { operation: operation(), step: 1, reason: why(), until: noon() },
        Event::StepFailed { operation: operation(), step: 1, reason: why() },
        Event::StepSkipped { operation: operation(), step: 2, reason: why() },
        Event::StepUnknown { operation: operation(), step: 3 },
        Event::TrafficBack { operation: operation(), release: "sha256:2.8.0".into() },
        Event::DecisionNeeded { operation: operation(), step: 3, facts: "nobody knows".to_owned() },
        Event::CancelRequested {
            operation: operation(),
            by: mira(),
            reason: why(),
            rollback: None,
            strategy: None,
        },
        Event::FreezeSet { service: Some(service()), until: Some(noon()), by: mira(), reason: why() },
        Event::FreezeSet { service: None, until: None, by: Actor::Engine, reason: why() },
        Event::FreezeLifted { service: None, by: mira(), reason: why() },
        Event::AutomaticSet { on: true, by: mira(), reason: why() },
        Event::CountReset { service: service(), by: mira(), reason: why() },
        Event::NotificationQueued {
            notification: Notification {
                service: Some(service()),
                facts: [("operation".to_owned(), "op-12".to_owned())].into(),
                ..notification()
            },
        },
        Event::NotificationSent { notification: "n-1".into(), attempt: 2, detail: String::new() },
        Event::NotificationFailed { notification: "n-1".into(), reason: why() },
        Event::CommandRefused {
            envelope: envelope(Command::Automatic { on: true, reason: why() }),
            reason: why(),
            guardrails: vec![check(Guardrail::Schema)],
        },
    ];
    events
        .extend(commands().into_iter().map(|command| Event::CommandAccepted { envelope: envelope(command) }));
    for strategy in [Strategy::Immediate, Strategy::Gradual, Strategy::Emergency] {
        events.push(Event::OperationPlanned {
            operation: operation(),
            plan: plan(strategy),
            by: Actor::Engine,
            reason: why(),
            decision: Some("d-7".into()),
            command: (strategy == Strategy::Gradual).then(|| "c-1".into()),
            guardrails: vec![check(Guardrail::Maximum)],
        });
    }
    for choice in [Settlement::Retry, Settlement::Done, Settlement::Abort] {
        events.push(Event::DecisionSettled { operation: operation(), choice, by: mira(), reason: why() });
    }
    for outcome in
        [Outcome::Verified, Outcome::NotRecovered, Outcome::Unverified, Outcome::Failed, Outcome::Cancelled]
    {
        events.push(Event::OperationEnded { operation: operation(), outcome, detail: why() });
    }
    for quality in [Quality::Good, Quality::Bad, Quality::Unknown] {
        events.push(Event::ReleaseMarked {
            service: service(),
            version: "2.8.1".into(),
            release: "sha256:2.8.1".into(),
            quality,
            by: mira(),
            reason: why(),
        });
    }
    let operations = [
        Command::Promote(Promote {
            service: service(),
            release: Some("sha256:2.8.1".into()),
            reason: why(),
            overrides: vec![Override { guardrail: Guardrail::Health, reason: why() }],
        }),
        Command::Promote(Promote { service: service(), release: None, reason: why(), overrides: Vec::new() }),
        Command::Maintenance { service: service(), on: true, reason: why() },
        Command::Pause { operation: operation(), reason: why() },
        Command::Resume { operation: operation(), reason: why() },
    ];
    events
        .extend(operations.into_iter().map(|command| Event::CommandAccepted { envelope: envelope(command) }));
    for kind in [PlanKind::RollBack, PlanKind::Promote, PlanKind::Maintenance { on: true }] {
        events.push(Event::OperationPlanned {
            operation: operation(),
            plan: Plan { kind, ..plan(Strategy::Immediate) },
            by: mira(),
            reason: why(),
            decision: None,
            command: Some("c-2".into()),
            guardrails: vec![check(Guardrail::Health)],
        });
    }
    events.push(Event::OperationPaused { operation: operation(), by: mira(), reason: why() });
    events.push(Event::OperationResumed { operation: operation(), by: mira(), reason: why() });
    events.extend(incidents());
    events
}

/// The events about incidents, and the commands that lead to them.
fn incidents() -> Vec<Event> {
    let incident = || "INC-3".into();
    let item = || "smoke-tests".into();
    let mut events: Vec<Event> = Vec::new();
    for level in Level::ALL {
        let services = vec!["checkout".into(), "cart".into()];
        let title = "checkout is failing".to_owned();
        let command = Command::OpenIncident { services: services.clone(), title: title.clone(), level };
        events.push(Event::CommandAccepted { envelope: envelope(command) });
        let (by, reason) =
            if level == Level::Sev1 { (mira(), String::new()) } else { (Actor::Engine, why()) };
        events.push(Event::IncidentOpened { incident: incident(), title, level, services, by, reason });
    }
    for ticked in [Some(Ticked::Done), Some(Ticked::NotApplicable), None] {
        let note = ticked.map(|_| why());
        let command = Command::Tick { incident: incident(), item: item(), ticked, note: note.clone() };
        events.push(Event::CommandAccepted { envelope: envelope(command) });
        events.push(Event::ChecklistTicked { incident: incident(), item: item(), ticked, by: mira(), note });
    }
    let commands = [
        Command::Acknowledge { incident: incident() },
        Command::SetLevel { incident: incident(), level: Level::Sev1, reason: why() },
        Command::Resolve { incident: incident(), reason: why() },
        Command::Note { incident: incident(), text: why() },
    ];
    events.extend(commands.map(|command| Event::CommandAccepted { envelope: envelope(command) }));
    events.extend([
        Event::IncidentJoined { incident: incident(), service: "payments".into(), reason: why() },
        Event::IncidentAcknowledged { incident: incident(), by: mira() },
        Event::IncidentLevelSet { incident: incident(), level: Level::Sev2, by: mira(), reason: why() },
        Event::IncidentNoted { incident: incident(), by: mira(), text: why() },
        Event::IncidentResolved { incident: incident(), by: mira(), reason: why() },
        Event::BreakerChanged {
            dependency: Dependency::Source("metrics".into()),
            breaker: BreakerStatus {
                state: BreakerState::Open,
                since: Timestamp::UNIX_EPOCH,
                next_try: Some(Timestamp::UNIX_EPOCH),
                pause: Some(Span::secs(5)),
                reason: why(),
            },
        },
        Event::BreakerChanged {
            dependency: Dependency::Platform("checkout".into()),
            breaker: BreakerStatus {
                state: BreakerState::Closed,
                since: Timestamp::UNIX_EPOCH,
                next_try: None,
                pause: None,
                reason: String::new(),
            },
        },
    ]);
    events.extend([
        Event::BaselineRecorded { service: "checkout".into(), baseline: baseline(), reason: why() },
        Event::BaselineForgotten { service: "checkout".into(), by: mira(), reason: why() },
    ]);
    for set in [true, false] {
        let command = Command::Baseline { service: "checkout".into(), set, reason: why() };
        events.push(Event::CommandAccepted { envelope: envelope(command) });
    }
    events.extend([
        Event::NotificationQueued {
            notification: Notification {
                kind: MessageKind::Page,
                incident: Some(incident()),
                seq: 3,
                key: Some("INC-12/2/pager/1".to_owned()),
                test: true,
                drill: true,
                subject: Some("checkout is down".to_owned()),
                to: vec!["ana@example.com".to_owned()],
                dedup: Some("INC-12/g2".to_owned()),
                action: AlertAction::Acknowledge,
                fallback_of: Some("n-0".into()),
                ..notification()
            },
        },
        Event::NotificationQueued {
            notification: Notification {
                kind: MessageKind::Resolve,
                action: AlertAction::Resolve,
                ..notification()
            },
        },
        Event::NotificationQueued {
            notification: Notification { kind: MessageKind::Update, ..notification() },
        },
        Event::NotificationSent {
            notification: "n-1".into(),
            attempt: 1,
            detail: "1 of 2 took it".to_owned(),
        },
        Event::NotificationSuppressed { notification: "n-1".into(), reason: why() },
        Event::BreakerChanged {
            dependency: Dependency::Channel("pager".into()),
            breaker: BreakerStatus {
                state: BreakerState::HalfOpen,
                since: Timestamp::UNIX_EPOCH,
                next_try: None,
                pause: None,
                reason: why(),
            },
        },
    ]);
    events.extend(crate::people::events());
    events.push(Event::InventoryChanged {
        service: "checkout".into(),
        inventory: Inventory {
            releases: vec![release("2.8.1", true)],
            failed: Some("deployment 17 was taken back".to_owned()),
            ..Inventory::default()
        },
    });
    events.extend(deployment());
    events.extend(crate::people::later());
    events
}

/// A release is brought in and taken back.
fn deployment() -> Vec<Event> {
    let deploy = Command::Deploy(Deploy {
        service: "checkout".into(),
        version: "2.8.1".into(),
        strategy: DeployStrategy::Canary,
        from: Some("sha256:2.8.0".into()),
        confirmed: true,
        migrations: Vec::new(),
        reason: why(),
        overrides: vec![Override { guardrail: Guardrail::Freeze, reason: why() }],
    });
    let phased = |phase, action| Step { phase: Some(phase), ..step(action) };
    let planned = |plan| Event::OperationPlanned {
        operation: "op-13".into(),
        plan,
        by: mira(),
        reason: why(),
        decision: None,
        command: None,
        guardrails: Vec::new(),
    };
    let forward = Plan {
        kind: PlanKind::Deploy { how: DeployStrategy::BlueGreen },
        steps: vec![
            phased(Phase::Preparation, Action::Validate { what: Validation::Checks { only_critical: true } }),
            phased(
                Phase::Candidate,
                Action::Validate { what: Validation::Smoke { suite: "cart".into(), candidate: true } },
            ),
            phased(Phase::Switch, Action::Confirm { deadline: Span::secs(3_600) }),
            phased(
                Phase::Switch,
                Action::Stage { percent: 5, lasts: Span::secs(900), patience: Span::secs(300) },
            ),
            phased(Phase::Validation, Action::Validate { what: Validation::Load { load: "peak".into() } }),
        ],
        budgets: vec![(Phase::Preparation, Span::secs(600)), (Phase::Switch, Span::secs(4_800))],
        ..plan(Strategy::Immediate)
    };
    vec![
        Event::CommandAccepted { envelope: envelope(deploy) },
        planned(forward),
        Event::CommandAccepted {
            envelope: envelope(Command::Confirm { operation: "op-13".into(), reason: why() }),
        },
        Event::CancelRequested {
            operation: "op-13".into(),
            by: mira(),
            reason: why(),
            rollback: Some("01JNWE9Q9J3V8QJ3QW8YQZ7K5T".into()),
            strategy: None,
        },
        planned(Plan { spares: true, ..plan(Strategy::Immediate) }),
        planned(Plan {
            kind: PlanKind::Deploy { how: DeployStrategy::Rolling },
            steps: vec![
                phased(
                    Phase::Preparation,
                    Action::Validate { what: Validation::Data { database: "shop".into() } },
                ),
                phased(
                    Phase::Preparation,
                    Action::Validate { what: Validation::Backup { database: "shop".into() } },
                ),
            ],
            ..plan(Strategy::Immediate)
        }),
        Event::CancelRequested {
            operation: "op-13".into(),
            by: mira(),
            reason: why(),
            rollback: Some("01JNWE9Q9J3V8QJ3QW8YQZ7K5T".into()),
            strategy: Some(Strategy::Emergency),
        },
    ]
}

fn notification() -> Notification {
    Notification::new("n-1", "pager".into(), "rollback-started", Severity::High, "production", why(), noon())
}

/// A figure of each kind.
fn baseline() -> Baseline {
    let figures = [
        ("errors", Figure::Ratio { bad: 1.5, total: 240.0 }),
        ("requests", Figure::Rate { events: 240.0, seconds: 60.0, readings: 12.0 }),
        ("memory", Figure::Gauge { sum: 6.5, readings: 12.0 }),
        ("latency", Figure::Latency { bounds_ms: [100.0, 250.0].into(), counts: vec![200.0, 38.0, 2.0] }),
    ];
    let figures = figures.map(|(name, figure)| (name.into(), figure)).into();
    Baseline {
        version: "2.8.0".into(),
        release: "sha256:2.8.0".into(),
        at: noon(),
        by: Actor::Engine,
        figures,
    }
}

/// How many kinds there are. A new kind does not compile here until it is named, and then [`events`] lacks it.
const KINDS: usize = 50;

const fn number(event: &Event) -> usize {
    match event {
        Event::LeaderChanged { .. } => 0,
        Event::InventoryChanged { .. } => 1,
        Event::PlatformReadable { .. } => 2,
        Event::SourceReadable { .. } => 3,
        Event::VerdictChanged { .. } => 4,
        Event::FindingRaised { .. } => 5,
        Event::FindingCleared { .. } => 6,
        Event::DecisionMade { .. } => 7,
        Event::CommandAccepted { .. } => 8,
        Event::CommandRefused { .. } => 9,
        Event::GuardrailOverridden { .. } => 10,
        Event::OperationPlanned { .. } => 11,
        Event::StepStarted { .. } => 12,
        Event::StepSucceeded { .. } => 13,
        Event::StepRetried { .. } => 14,
        Event::StepFailed { .. } => 15,
        Event::StepSkipped { .. } => 16,
        Event::StepUnknown { .. } => 17,
        Event::TrafficBack { .. } => 18,
        Event::DecisionNeeded { .. } => 19,
        Event::DecisionSettled { .. } => 20,
        Event::CancelRequested { .. } => 21,
        Event::OperationEnded { .. } => 22,
        Event::ReleaseMarked { .. } => 23,
        Event::FreezeSet { .. } => 24,
        Event::FreezeLifted { .. } => 25,
        Event::AutomaticSet { .. } => 26,
        Event::CountReset { .. } => 27,
        Event::NotificationQueued { .. } => 28,
        Event::NotificationSent { .. } => 29,
        Event::NotificationFailed { .. } => 30,
        Event::OperationPaused { .. } => 31,
        Event::OperationResumed { .. } => 32,
        Event::IncidentOpened { .. } => 33,
        Event::IncidentJoined { .. } => 34,
        Event::IncidentAcknowledged { .. } => 35,
        Event::ChecklistTicked { .. } => 36,
        Event::IncidentLevelSet { .. } => 37,
        Event::IncidentNoted { .. } => 38,
        Event::IncidentResolved { .. } => 39,
        Event::BaselineRecorded { .. } => 40,
        Event::BaselineForgotten { .. } => 41,
        Event::BreakerChanged { .. } => 42,
        Event::NotificationSuppressed { .. } => 43,
        Event::IncidentChanged { .. } => 44,
        Event::EscalationChanged { .. } => 45,
        Event::ChecklistChanged { .. } => 46,
        Event::AlarmChanged { .. } => 47,
        Event::ReleaseWatched { .. } => 48,
        Event::JointChanged { .. } => 49,
    }
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1.jsonl")
}

/// Every event that a journal in the field can hold is read as what it meant when it was written.
#[test]
fn yesterdays_events_are_read() {
    let events = events();
    let mut text = fs::read_to_string(fixture()).unwrap_or_default();
    if std::env::var_os("UNSHIP_BLESS").is_some() {
        for event in &events[text.lines().count()..] {
            let body = encode(event).unwrap();
            writeln!(text, "{{\"version\":{EVENT_VERSION},\"event\":{body}}}").unwrap();
        }
        fs::write(fixture(), &text).unwrap();
    }
    assert_eq!(text.lines().count(), events.len(), "run once with UNSHIP_BLESS=1 to add the missing lines");
    for (line, expected) in text.lines().zip(&events) {
        let stored: serde_json::Value = serde_json::from_str(line).unwrap();
        let version = u32::try_from(stored["version"].as_u64().unwrap()).unwrap();
        let read = decode(version, &stored["event"].to_string()).unwrap();
        assert_eq!(&read, expected);
    }
}

/// No kind of event is left out of the check above.
#[test]
fn every_kind_is_there() {
    let numbers: BTreeSet<_> = events().iter().map(number).collect();
    assert_eq!(numbers, (0..KINDS).collect());
}

/// An event is called in the log what it is called in the journal.
#[test]
fn a_kind_is_what_is_stored() {
    for event in events() {
        let stored: serde_json::Value = serde_json::from_str(&encode(&event).unwrap()).unwrap();
        assert_eq!(stored["type"], event.kind());
    }
}

/// What is written today is read back as it was, field for field.
#[test]
fn todays_events_are_read() {
    for event in events() {
        assert_eq!(decode(EVENT_VERSION, &encode(&event).unwrap()).unwrap(), event);
    }
}

/// An event of a later version is refused with its number, never guessed at.
#[test]
fn tomorrows_events_are_refused() {
    let body = encode(&events()[0]).unwrap();
    let error = decode(EVENT_VERSION + 1, &body).unwrap_err();
    assert!(error.to_string().contains("event version 2"), "{error}");
}
