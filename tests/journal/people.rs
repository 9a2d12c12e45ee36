//! The events of incidents as they are stored: what happens to them, to their escalations and their checklists, and to alarms.

use jiff::Timestamp;
use unship::model::Span;
use unship::model::checklist::ChecklistChange;
use unship::model::command::{Actor, Command, DataChange, Envelope, Rebase, Scale};
use unship::model::database::{DataAsk, Migration, Undo};
use unship::model::deploy::DeployStrategy;
use unship::model::escalation::{
    EscalationChange, IncidentRole, LevelMode, LevelSpec, OnNewAlarm, PolicySpec, TargetSpec,
};
use unship::model::event::Event;
use unship::model::incident::{Audience, IncidentChange};
use unship::model::joint::{JointChange, JointKind, JointPart, PartState, Together};
use unship::model::operation::{Outcome, Strategy};
use unship::model::received::{AlarmFacts, AlarmSource, Muted, ReceivedChange};
use unship::model::trigger::Verdict;

fn at() -> Timestamp {
    "2026-03-01T12:00:00.25Z".parse().unwrap()
}

fn mira() -> Actor {
    Actor::Person { name: "mira".to_owned() }
}

fn why() -> String {
    "the cause is known".to_owned()
}

/// One of each form. A new one goes to the end.
pub(crate) fn events() -> Vec<Event> {
    let mut events = Vec::new();
    events.extend(incidents().map(|change| Event::IncidentChanged {
        incident: "INC-1".into(),
        by: mira(),
        change,
    }));
    events.extend(escalations().map(|change| Event::EscalationChanged { incident: "INC-1".into(), change }));
    events.extend(checklists().map(|change| Event::ChecklistChanged {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        by: Actor::Engine,
        change,
    }));
    events.extend(alarms().map(|change| Event::AlarmChanged { alarm: "a-1".into(), change }));
    events
}

/// Forms that came later.
pub(crate) fn later() -> impl Iterator<Item = Event> {
    let incident = [
        IncidentChange::CommanderAway { name: "mira".to_owned(), since: at() },
        IncidentChange::StormBegan { count: 11 },
        IncidentChange::ToldWith { lead: "INC-2".into() },
        IncidentChange::StormTold { incidents: vec!["INC-3".into(), "INC-4".into()] },
        IncidentChange::StormPassed,
        IncidentChange::ToldAlone { reason: why() },
    ];
    let incident = incident.into_iter().map(|change| Event::IncidentChanged {
        incident: "INC-1".into(),
        by: Actor::Engine,
        change,
    });
    let checklist = [ChecklistChange::WindowReminder {
        section: "decide".to_owned(),
        count: 1,
        open: vec!["verify-health".into()],
    }];
    let checklist = checklist.into_iter().map(|change| Event::ChecklistChanged {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        by: Actor::Engine,
        change,
    });
    let database = [Command::Database(DataChange {
        database: "shop".into(),
        service: "checkout".into(),
        what: DataAsk::Migrate {
            migrations: vec![Migration {
                version: 20_260_301,
                name: "carts".to_owned(),
                checksum: "ab12".to_owned(),
                transactional: true,
                drops: true,
                undo: Some(Undo { checksum: "cd34".to_owned(), transactional: false, drops: true }),
            }],
        },
        backup: true,
        reason: why(),
        overrides: Vec::new(),
    })];
    let rebased = Command::Rebase(Rebase {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        from: "ab12".to_owned(),
        source: "# It".to_owned(),
        bindings: None,
    });
    let commands = database.into_iter().chain([rebased]).map(|command| Event::CommandAccepted {
        envelope: Envelope { id: "c-later".into(), by: mira(), at: at(), command },
    });
    let rebased = ChecklistChange::Rebased {
        source: "# It".to_owned(),
        bindings: None,
        sha256: "cd34".to_owned(),
        moved: vec![("a/1".into(), "a/2".into())],
        changed: vec!["b".into()],
        added: vec!["c".into()],
        removed: vec!["d".into()],
    };
    let rebased = Event::ChecklistChanged {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        by: mira(),
        change: rebased,
    };
    let watched = Event::ReleaseWatched {
        operation: "op-2".into(),
        service: "checkout".into(),
        version: "2.8.1".into(),
        window: Span::secs(300),
        verdict: Verdict::Healthy,
        raised: vec!["errors".into()],
        late_ms: 0,
    };
    let by_two = [
        ChecklistChange::Asked {
            item: "rb".into(),
            until: at(),
            value: Some("4711".to_owned()),
            digest: Some("ab12".to_owned()),
        },
        ChecklistChange::AskEnded { item: "rb".into(), reason: why() },
        ChecklistChange::Done { item: "rb".into(), unsensed: false, fact: None, do_confirm: true },
    ];
    let by_two = by_two.into_iter().map(|change| Event::ChecklistChanged {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        by: mira(),
        change,
    });
    let instances = [
        Command::Scale(Scale {
            service: "checkout".into(),
            instances: 8,
            seen: Some(4),
            reason: why(),
            overrides: Vec::new(),
        }),
        Command::CleanUp { service: "checkout".into(), reason: why() },
    ];
    let instances = instances.into_iter().map(|command| Event::CommandAccepted {
        envelope: Envelope { id: "c-instances".into(), by: mira(), at: at(), command },
    });
    let once_more = [
        ChecklistChange::Dispatched {
            item: "page".into(),
            generation: 3,
            operation: Some("op-4".into()),
            digest: "cd34".to_owned(),
            undo: true,
        },
        ChecklistChange::Outcome {
            item: "page".into(),
            succeeded: Some(false),
            detail: why(),
            again_at: Some(at()),
        },
    ];
    let once_more = once_more.into_iter().map(|change| Event::ChecklistChanged {
        incident: "INC-1".into(),
        run: "INC-1/emergency".into(),
        by: mira(),
        change,
    });
    incident
        .chain(checklist)
        .chain(commands)
        .chain([rebased, watched])
        .chain(by_two)
        .chain(instances)
        .chain(joints())
        .chain(once_more)
}

/// Several services that change together: asked for, each part, and the end.
fn joints() -> impl Iterator<Item = Event> {
    let part = |service: &str| JointPart {
        service: service.into(),
        version: Some("2.9.0".into()),
        from: Some("sha256:2.8.1".into()),
    };
    let parts = || vec![part("payments"), part("checkout")];
    let kind = JointKind::Deploy { how: Some(DeployStrategy::Canary), confirmed: true };
    let back = JointKind::RollBack { strategy: Strategy::Immediate };
    let asked = [kind, back].map(|kind| Event::CommandAccepted {
        envelope: Envelope {
            id: "c-joint".into(),
            by: mira(),
            at: at(),
            command: Command::Together(Together {
                kind,
                parts: parts(),
                reason: why(),
                overrides: Vec::new(),
            }),
        },
    });
    let operation = || "op-7".into();
    let states = [
        PartState::Running { operation: operation() },
        PartState::Done { operation: operation() },
        PartState::Failed { operation: Some(operation()), reason: why() },
        PartState::GoingBack { operation: operation() },
        PartState::Back { operation: operation() },
        PartState::NotBack { operation: None, reason: why() },
        PartState::Waiting,
    ];
    let planned = JointChange::Planned {
        kind,
        parts: parts(),
        by: mira(),
        reason: why(),
        command: "c-joint".into(),
        overrides: Vec::new(),
    };
    let states = states.into_iter().map(|to| JointChange::Part { part: 1, to });
    let ends = [
        JointChange::Turned { reason: why(), cancelled: true },
        JointChange::Ended { outcome: Outcome::Cancelled, detail: why() },
    ];
    let changes = std::iter::once(planned).chain(states).chain(ends);
    let changes = changes.map(|change| Event::JointChanged { joint: "joint-1".into(), change });
    asked.into_iter().chain(changes)
}

fn incidents() -> impl Iterator<Item = IncidentChange> {
    let role = IncidentRole::Commander;
    [
        IncidentChange::Suspected,
        IncidentChange::Drill,
        IncidentChange::Declared,
        IncidentChange::FalseAlarm { reason: why() },
        IncidentChange::Merged { into: "INC-2".into(), reason: why() },
        IncidentChange::Reopened { reason: why() },
        IncidentChange::Closed { reason: String::new() },
        IncidentChange::RoleTaken { role, name: "mira".to_owned() },
        IncidentChange::RoleOffered { role: IncidentRole::Deputy, to: "jonas".to_owned() },
        IncidentChange::OfferLapsed { role: IncidentRole::Scribe, to: "jonas".to_owned() },
        IncidentChange::Linked { operation: "op-1".into() },
        IncidentChange::OnsetSet { onset: at(), reason: why() },
        IncidentChange::Mitigated { since: at() },
        IncidentChange::AlarmLinked { alarm: "a-1".to_owned() },
        IncidentChange::Unacknowledged,
        IncidentChange::Told {
            audience: Audience::External,
            text: why(),
            channels: vec!["team".into()],
            next: Some(at()),
        },
        IncidentChange::UpdateMissed { audience: Audience::Internal, due: at() },
    ]
    .into_iter()
}

fn policy() -> PolicySpec {
    PolicySpec {
        repeat: 2,
        ack_timeout: Span::secs(1_800),
        ack_reminder: Span::secs(600),
        on_new_alarm: OnNewAlarm::Restart,
        last_resort: TargetSpec::Contact("lee".into()),
        level: vec![LevelSpec {
            targets: vec![
                TargetSpec::Schedule("shop".into()),
                TargetSpec::Role(IncidentRole::Commander),
                TargetSpec::Channel("team".into()),
            ],
            mode: LevelMode::RoundRobin,
            delay: Span::secs(300),
            severity: Some(2),
        }],
    }
}

fn escalations() -> impl Iterator<Item = EscalationChange> {
    let told = || vec![("mira (phone)".to_owned(), "phone".into())];
    [
        EscalationChange::Began { policy: "primary".into(), levels: policy(), next_at: at(), reason: why() },
        EscalationChange::LevelTold {
            level: 2,
            pass: 1,
            told: told(),
            late_ms: 720_000,
            missed: vec![3],
            next_at: Some(at()),
            reason: why(),
        },
        EscalationChange::LevelTold {
            level: 1,
            pass: 1,
            told: Vec::new(),
            late_ms: 0,
            missed: Vec::new(),
            next_at: None,
            reason: String::new(),
        },
        EscalationChange::Unreachable { level: 1, target: "role:commander".to_owned(), reason: why() },
        EscalationChange::Acknowledged { by: mira(), until: Some(at()), next_at: None },
        EscalationChange::Reminded { next_at: Some(at()) },
        EscalationChange::AcknowledgementRanOut { late_ms: 0 },
        EscalationChange::Snoozed { until: at(), by: mira(), reason: why() },
        EscalationChange::Woke { next_at: at() },
        EscalationChange::Exhausted { told: told() },
        EscalationChange::Stopped { by: Actor::Engine, reason: why() },
    ]
    .into_iter()
}

fn checklists() -> impl Iterator<Item = ChecklistChange> {
    let item = || "verify-health".into();
    let fact = why;
    let reason = why;
    [
        ChecklistChange::Attached {
            runbook: "emergency".into(),
            source: "# Emergency\n- [ ] The services are healthy <!-- {#verify-health} -->\n".to_owned(),
            bindings: Some(("emergency.bind.toml".to_owned(), String::new())),
            sha256: "ab12".to_owned(),
            pace_percent: 10,
        },
        ChecklistChange::Done { item: item(), unsensed: true, fact: Some(why()), do_confirm: false },
        ChecklistChange::Done { item: item(), unsensed: false, fact: None, do_confirm: false },
        ChecklistChange::Sensed { item: item(), holds: Some(true), fact: fact() },
        ChecklistChange::Sensed { item: item(), holds: None, fact: fact() },
        ChecklistChange::Satisfied { item: item(), fact: fact() },
        ChecklistChange::Unsatisfied { item: item(), fact: fact() },
        ChecklistChange::Regressed { item: item(), fact: fact() },
        ChecklistChange::RegressionAcknowledged { item: item() },
        ChecklistChange::Reopened { item: item(), reason: reason() },
        ChecklistChange::Inactive { item: item(), reason: reason() },
        ChecklistChange::Overridden { item: item(), reason: reason() },
        ChecklistChange::Deferred {
            item: item(),
            until: "30m".to_owned(),
            due: Some(at()),
            reason: reason(),
        },
        ChecklistChange::Due { item: item() },
        ChecklistChange::Began { item: item() },
        ChecklistChange::ClockReset { item: item(), fact: fact() },
        ChecklistChange::Elapsed { item: item(), late_ms: 9_000 },
        ChecklistChange::Chosen { item: item(), option: "yes".into(), reason: reason() },
        ChecklistChange::Recorded { item: item(), name: "ticket".to_owned(), value: "OPS-7".to_owned() },
        ChecklistChange::Dispatched {
            item: item(),
            generation: 2,
            operation: Some("op-1".into()),
            digest: "cd34".to_owned(),
            undo: false,
        },
        ChecklistChange::Outcome { item: item(), succeeded: Some(false), detail: why(), again_at: None },
        ChecklistChange::Outcome { item: item(), succeeded: None, detail: why(), again_at: None },
        ChecklistChange::Noted { item: item(), text: why() },
        ChecklistChange::Claimed { item: item(), until: at() },
        ChecklistChange::Released { item: item() },
        ChecklistChange::WindowWarning { section: "decide".to_owned() },
        ChecklistChange::WindowOverrun { section: "decide".to_owned(), late_ms: 0, open: vec![item()] },
        ChecklistChange::WindowMet { section: "decide".to_owned(), late: true },
        ChecklistChange::Closed,
    ]
    .into_iter()
}

fn alarms() -> impl Iterator<Item = ReceivedChange> {
    let facts = AlarmFacts {
        source: AlarmSource::Alertmanager,
        name: "HighErrors".to_owned(),
        fingerprint: "0123456789abcdef".to_owned(),
        starts_at: at(),
        labels: [("service".to_owned(), "checkout".to_owned())].into(),
        annotations: [("summary".to_owned(), why())].into(),
        service: Some("checkout".into()),
        severity: Some(unship::model::incident::Level::Sev2),
        runbook_url: Some("https://runbooks.example.com/errors".to_owned()),
    };
    [
        ReceivedChange::Firing { facts: Box::new(facts) },
        ReceivedChange::Resolved { at: at(), inferred: true },
        ReceivedChange::Stale { reason: why() },
        ReceivedChange::Fresh,
        ReceivedChange::Muted { by: Some(Muted::Silenced) },
        ReceivedChange::Flapping,
        ReceivedChange::Steady,
        ReceivedChange::Opened { incident: "INC-1".into(), storm: true },
        ReceivedChange::PathDown { since: at() },
        ReceivedChange::PathUp,
    ]
    .into_iter()
}
