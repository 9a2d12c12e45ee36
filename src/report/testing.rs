//! Journals made by hand, for the tests of reports.

use jiff::Timestamp;
use serde_json::json;

use super::{Entry, Naming, deployment, incident};
use crate::model::IncidentId;
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::escalation::EscalationChange;
use crate::model::event::Event;
use crate::model::incident::{IncidentChange, Level};
use crate::model::operation::Outcome;
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::trigger::Verdict;

/// A time of the day on which everything happens, or a whole time.
pub(super) fn at(text: &str) -> Timestamp {
    if text.contains('T') { text.parse().unwrap() } else { format!("2026-11-20T{text}Z").parse().unwrap() }
}

pub(super) fn person(name: &str) -> Actor {
    Actor::Person { name: name.to_owned() }
}

/// Entries with their times.
#[derive(Clone, Default)]
pub(super) struct Hand(pub(super) Vec<(Timestamp, Event)>);

impl Hand {
    pub(super) fn push(&mut self, when: &str, event: Event) -> &mut Self {
        self.0.push((at(when), event));
        self
    }

    pub(super) fn read(&self, mut take: impl FnMut(&Entry<'_>)) {
        for (index, (at, event)) in self.0.iter().enumerate() {
            let seq = index as u64 + 1;
            take(&Entry { seq, at: *at, event, hash: &format!("{seq:064x}") });
        }
    }

    pub(super) fn incident(&self, id: &str, now: &str, naming: Naming) -> Option<incident::Record> {
        let mut recorder = incident::Recorder::new(IncidentId::from(id));
        self.read(|entry| recorder.take(entry));
        recorder.finish(at(now), naming)
    }

    pub(super) fn changes(&self, now: &str) -> Vec<deployment::Change> {
        let mut recorder = deployment::Recorder::default();
        self.read(|entry| recorder.take(entry));
        let mut changes = recorder.finish(&deployment::Only::All, at(now)).changes;
        changes.reverse();
        changes
    }

    /// An incident is declared by the engine.
    pub(super) fn opened(&mut self, when: &str, id: &str, services: &[&str]) -> &mut Self {
        self.opened_by(when, id, services, Actor::Engine)
    }

    pub(super) fn opened_by(&mut self, when: &str, id: &str, services: &[&str], by: Actor) -> &mut Self {
        self.push(
            when,
            Event::IncidentOpened {
                incident: id.into(),
                title: "checkout is failing".to_owned(),
                level: Level::Sev2,
                services: services.iter().map(|service| (*service).into()).collect(),
                by,
                reason: "errors 7.1 % > 5 %".to_owned(),
            },
        )
    }

    pub(super) fn changed(&mut self, when: &str, id: &str, by: Actor, change: IncidentChange) -> &mut Self {
        self.push(when, Event::IncidentChanged { incident: id.into(), by, change })
    }

    pub(super) fn acked(&mut self, when: &str, id: &str, name: &str) -> &mut Self {
        self.push(when, Event::IncidentAcknowledged { incident: id.into(), by: person(name) })
    }

    pub(super) fn resolved(&mut self, when: &str, id: &str, name: &str) -> &mut Self {
        let reason = "2.9.0 is gone".to_owned();
        self.push(when, Event::IncidentResolved { incident: id.into(), by: person(name), reason })
    }

    pub(super) fn noted(&mut self, when: &str, id: &str, name: &str, text: &str) -> &mut Self {
        self.push(when, Event::IncidentNoted { incident: id.into(), by: person(name), text: text.to_owned() })
    }

    pub(super) fn escalated(&mut self, when: &str, id: &str, change: EscalationChange) -> &mut Self {
        self.push(when, Event::EscalationChanged { incident: id.into(), change })
    }

    pub(super) fn list(&mut self, when: &str, id: &str, by: Actor, change: ChecklistChange) -> &mut Self {
        let run = format!("{id}/emergency");
        self.push(when, Event::ChecklistChanged { incident: id.into(), run: run.into(), by, change })
    }

    /// A trigger begins to hold; `since` is when its limit was crossed.
    pub(super) fn raised(&mut self, when: &str, id: &str, service: &str, since: &str) -> &mut Self {
        let finding = json!({
            "id": id, "trigger": "errors", "service": service, "arm": "canary", "action": "immediate",
            "severity": "critical", "since": at(since),
            "evidence": {
                "query": "share of errors over 30 s", "value": 0.071, "limit": "5%", "above": true,
                "window_ms": 30_000, "samples": 900.0, "newest": null,
            },
        });
        self.push(when, Event::FindingRaised { finding: serde_json::from_value(finding).unwrap() })
    }

    /// An alarm of others fires; `since` is when they say that it began.
    pub(super) fn fired(&mut self, when: &str, id: &str, service: &str, since: &str) -> &mut Self {
        let change = json!({
            "what": "firing", "source": "alertmanager", "name": id, "fingerprint": "a1b2", "starts_at": at(since),
            "service": service,
        });
        let change = serde_json::from_value(change).unwrap();
        self.push(when, Event::AlarmChanged { alarm: id.into(), change })
    }

    pub(super) fn cleared(&mut self, when: &str, id: &str) -> &mut Self {
        self.push(when, Event::FindingCleared { finding: id.into(), reason: "within its limit".to_owned() })
    }

    pub(super) fn verdict(&mut self, when: &str, service: &str, verdict: Verdict) -> &mut Self {
        self.push(when, Event::VerdictChanged { service: service.into(), arm: None, verdict })
    }

    /// A message of an incident is put into the outbox.
    pub(super) fn queued(&mut self, when: &str, id: &str, incident: &str, kind: &str) -> &mut Self {
        let notification = json!({
            "id": id, "channel": "team", "topic": "page", "severity": "critical", "environment": "production",
            "text": format!("{incident} waits for mira"), "at": at(when), "kind": kind, "incident": incident,
        });
        self.push(
            when,
            Event::NotificationQueued { notification: serde_json::from_value(notification).unwrap() },
        )
    }

    pub(super) fn sent(&mut self, when: &str, id: &str) -> &mut Self {
        self.push(
            when,
            Event::NotificationSent { notification: id.into(), attempt: 1, detail: String::new() },
        )
    }

    /// The platform says where the traffic goes. Releases are made an hour apart, 2.7 at midnight of the day before.
    pub(super) fn traffic(&mut self, when: &str, service: &str, shares: &[(&str, Arm, u8)]) -> &mut Self {
        let traffic = shares.iter().map(|(version, arm, percent)| Share {
            reference: format!("ref-{version}").into(),
            arm: *arm,
            percent: *percent,
        });
        let inventory = Inventory {
            releases: ["2.10", "2.9", "2.8", "2.7"].map(release).into(),
            traffic: traffic.collect(),
            settled: true,
            ..Inventory::default()
        };
        self.push(when, Event::InventoryChanged { service: service.into(), inventory })
    }

    /// An operation is planned: `roll_back` or `promote`.
    pub(super) fn planned(
        &mut self,
        when: &str,
        id: &str,
        what: &str,
        service: &str,
        (from, to): (&str, &str),
        by: Actor,
    ) -> &mut Self {
        let plan = json!({
            "kind": { "what": what }, "service": service, "purpose": format!("{service} from {from} to {to}"),
            "strategy": "immediate", "from": release(from), "to": release(to), "steps": [],
        });
        self.push(
            when,
            Event::OperationPlanned {
                operation: id.into(),
                plan: serde_json::from_value(plan).unwrap(),
                by,
                reason: "5xx".to_owned(),
                decision: None,
                command: None,
                guardrails: Vec::new(),
            },
        )
    }

    pub(super) fn back(&mut self, when: &str, id: &str, version: &str) -> &mut Self {
        let release = format!("ref-{version}").into();
        self.push(when, Event::TrafficBack { operation: id.into(), release })
    }

    pub(super) fn ended(&mut self, when: &str, id: &str, outcome: Outcome) -> &mut Self {
        let detail = "healthy for 30 s".to_owned();
        self.push(when, Event::OperationEnded { operation: id.into(), outcome, detail })
    }
}

pub(super) fn release(version: &str) -> Release {
    let minor: i64 = version.split('.').nth(1).unwrap().parse().unwrap();
    Release {
        version: version.into(),
        reference: format!("ref-{version}").into(),
        created_at: at("2026-11-19T00:00:00Z") + std::time::Duration::from_hours((minor - 7) as u64),
        author: None,
        schema: None,
        running: true,
    }
}

/// An incident as it should go: noticed, paged, answered, rolled back, resolved, closed; with everything that a record can have.
pub(super) fn whole() -> Hand {
    use ChecklistChange as List;
    let mut hand = Hand::default();
    let policy = json!({
        "last_resort": "channel:team",
        "level": [{ "targets": ["schedule:payments"], "delay": "5m" }],
    });
    hand.push("08:59:00", Event::LeaderChanged { holder: "guard@a:1".into(), program: "0.1.0".into() })
        .traffic("08:59:30", "checkout", &[("2.8", Arm::Stable, 100)])
        .traffic("09:00:00", "checkout", &[("2.8", Arm::Stable, 80), ("2.9", Arm::Canary, 20)])
        .raised("09:02:00", "f-1", "checkout", "09:01:20")
        .verdict("09:02:00", "checkout", Verdict::Failing { reasons: vec!["errors 7.1 % > 5 %".into()] })
        .opened("09:02:01", "INC-1", &["checkout"])
        .list(
            "09:02:01",
            "INC-1",
            Actor::Engine,
            List::Attached {
                runbook: "emergency".into(),
                source: String::new(),
                bindings: None,
                sha256: "abc123".into(),
                pace_percent: 100,
            },
        )
        .escalated(
            "09:02:01",
            "INC-1",
            EscalationChange::Began {
                policy: "primary".into(),
                levels: serde_json::from_value(policy).unwrap(),
                next_at: at("09:02:01"),
                reason: "it was declared".into(),
            },
        )
        .escalated(
            "09:02:02",
            "INC-1",
            EscalationChange::LevelTold {
                level: 1,
                pass: 1,
                told: vec![("mira (schedule:payments, phone)".into(), "phone".into())],
                late_ms: 0,
                missed: Vec::new(),
                next_at: Some(at("09:07:02")),
                reason: String::new(),
            },
        )
        .queued("09:02:02", "n-1", "INC-1", "page")
        .sent("09:02:10", "n-1")
        .escalated(
            "09:02:12",
            "INC-1",
            EscalationChange::Unreachable {
                level: 1,
                target: "contact:jonas".into(),
                reason: "`jonas` has no way to be reached".into(),
            },
        )
        .acked("09:03:40", "INC-1", "ana")
        .escalated(
            "09:03:40",
            "INC-1",
            EscalationChange::Acknowledged { by: person("ana"), until: None, next_at: None },
        )
        .changed(
            "09:04:00",
            "INC-1",
            person("ana"),
            IncidentChange::RoleTaken {
                role: crate::model::escalation::IncidentRole::Commander,
                name: "ana".into(),
            },
        )
        .planned("09:05:00", "op-1", "roll_back", "checkout", ("2.9", "2.8"), person("ben"))
        .list(
            "09:05:00",
            "INC-1",
            person("ben"),
            List::Dispatched {
                item: "start-rollback".into(),
                generation: 1,
                operation: Some("op-1".into()),
                digest: "d1ge57".into(),
                undo: false,
            },
        )
        .push(
            "09:05:01",
            Event::GuardrailOverridden {
                command: "c-1".into(),
                by: person("ben"),
                service: "checkout".into(),
                taken: crate::model::command::Override {
                    guardrail: crate::model::decision::Guardrail::Cooldown,
                    reason: "users are hurt".into(),
                },
            },
        )
        .traffic("09:05:20", "checkout", &[("2.8", Arm::Stable, 100)])
        .back("09:05:20", "op-1", "2.8")
        .cleared("09:06:00", "f-1")
        .verdict("09:06:00", "checkout", Verdict::Healthy)
        .ended("09:06:30", "op-1", Outcome::Verified)
        .list(
            "09:06:31",
            "INC-1",
            Actor::Engine,
            List::Outcome {
                item: "start-rollback".into(),
                succeeded: Some(true),
                detail: "op-1 verified".into(),
                again_at: None,
            },
        )
        .list(
            "09:06:32",
            "INC-1",
            Actor::Engine,
            List::Done {
                item: "start-rollback".into(),
                unsensed: false,
                fact: Some("checkout is on 2.8".into()),
                do_confirm: false,
            },
        )
        .list(
            "09:07:01",
            "INC-1",
            Actor::Engine,
            List::WindowOverrun { section: "assess".into(), late_ms: 0, open: vec!["dashboards".into()] },
        )
        .list(
            "09:08:00",
            "INC-1",
            person("ana"),
            List::Overridden { item: "dashboards".into(), reason: "Ben looks at them | all the time".into() },
        )
        .list(
            "09:09:00",
            "INC-1",
            person("ana"),
            List::Inactive { item: "database".into(), reason: "no schema change".into() },
        )
        .list(
            "09:10:00",
            "INC-1",
            person("ana"),
            List::Done { item: "critical-flows".into(), unsensed: true, fact: None, do_confirm: false },
        )
        .list(
            "09:10:30",
            "INC-1",
            person("ana"),
            List::Noted { item: "critical-flows".into(), text: "the link <b>is</b> dead".into() },
        )
        .list(
            "09:11:00",
            "INC-1",
            person("ana"),
            List::Deferred {
                item: "stakeholders".into(),
                until: "resolved".into(),
                due: None,
                reason: "ben writes it".into(),
            },
        )
        .list(
            "09:11:10",
            "INC-1",
            Actor::Engine,
            List::Regressed { item: "critical-flows".into(), fact: "1 of 4 failing".into() },
        )
        .noted("09:12:00", "INC-1", "ben", "mira says the root cause is <!-- unship:end summary --> in 2.9")
        .push(
            "09:12:30",
            Event::IncidentLevelSet {
                incident: "INC-1".into(),
                level: Level::Sev3,
                by: person("ana"),
                reason: "few users".into(),
            },
        )
        .changed("09:13:00", "INC-1", Actor::Engine, IncidentChange::Mitigated { since: at("09:06:30") })
        .resolved("09:20:00", "INC-1", "ana")
        .queued("09:20:00", "n-2", "INC-1", "resolve")
        .push(
            "09:20:05",
            Event::NotificationFailed { notification: "n-2".into(), reason: "403 Forbidden".into() },
        )
        .queued("09:20:06", "n-3", "INC-1", "update")
        .push(
            "09:20:07",
            Event::NotificationSuppressed { notification: "n-3".into(), reason: "INC-1 is resolved".into() },
        )
        .changed("09:40:00", "INC-1", person("ana"), IncidentChange::Closed { reason: String::new() });
    hand
}
