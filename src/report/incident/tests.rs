//! The record of incidents, from journals made by hand.

use std::collections::BTreeMap;

use super::*;
use crate::model::checklist::{ChecklistChange, ItemAct};
use crate::model::command::{Actor, Command, Envelope};
use crate::model::escalation::{EscalationChange, IncidentRole};
use crate::model::event::Event;
use crate::model::incident::IncidentChange;
use crate::model::trigger::Verdict;
use crate::report::Naming;
use crate::report::testing::{Hand, at, person, whole};

#[track_caller]
fn record(hand: &Hand, now: &str) -> Record {
    hand.incident("INC-1", now, Naming::Names).unwrap()
}

/// The intervals by their letters.
fn intervals(record: &Record) -> BTreeMap<&'static str, String> {
    record.intervals.iter().map(|measured| (measured.metric.word(), measured.interval.words())).collect()
}

fn expect(record: &Record, expected: [(&'static str, &str); 6]) {
    let expected: BTreeMap<_, _> = expected.map(|(word, words)| (word, words.to_owned())).into();
    assert_eq!(intervals(record), expected);
}

/// Every interval of an incident that went its whole way, with where each instant is known from.
#[test]
fn all_intervals() {
    let record = record(&whole(), "10:00:00");
    expect(
        &record,
        [
            ("TTD", "40 s"),
            ("TTN", "10 s"),
            ("TTA", "1 m 30 s"),
            ("TTE", "20 s"),
            ("TTM", "5 m 10 s"),
            ("TTR", "18 m 40 s"),
        ],
    );
    let from = |instant: &Option<times::Instant>| {
        let instant = instant.as_ref().unwrap();
        (instant.at, instant.seq, instant.source.clone())
    };
    let instants = &record.instants;
    assert_eq!(
        from(&instants.onset),
        (at("09:01:20"), 4, "checkout: beyond the limit of errors, as f-1 says".to_owned())
    );
    assert_eq!(from(&instants.detect), (at("09:02:00"), 4, "f-1, errors on checkout".to_owned()));
    assert_eq!(from(&instants.notify).2, "the page n-1 was accepted");
    assert_eq!(from(&instants.engage).2, "ana saw to the role of commander");
    assert_eq!(from(&instants.mitigate).0, at("09:06:30"));
    assert_eq!(record.status, Status::Closed);
    assert_eq!((record.worst, record.level), (Level::Sev2, Level::Sev3));
    assert_eq!(
        record.in_each_level,
        [
            InLevel { level: Level::Sev2, lasted: Millis(629_000) },
            InLevel { level: Level::Sev3, lasted: Millis(450_000) },
        ]
    );
    assert_eq!(record.journal.seq, 41);
    assert_eq!(record.journal.hash.len(), 64);
}

/// A person who acknowledges on the console before the page is out was quicker than the page, and that is shown.
#[test]
fn negative_intervals_are_shown() {
    let mut hand = Hand::default();
    hand.raised("09:00:30", "f-1", "checkout", "09:00:00")
        .opened("09:00:31", "INC-1", &["checkout"])
        .queued("09:00:31", "n-1", "INC-1", "page")
        .acked("09:00:40", "INC-1", "ana")
        .sent("09:01:20", "n-1")
        // The impact was over before anybody had noticed it.
        .changed("09:06:00", "INC-1", Actor::Engine, IncidentChange::Mitigated { since: at("08:59:50") });
    let record = record(&hand, "10:00:00");
    expect(
        &record,
        [
            ("TTD", "30 s"),
            ("TTN", "50 s"),
            ("TTA", "-40 s"),
            ("TTE", "> 59 m 20 s"),
            ("TTM", "-10 s"),
            ("TTR", "> 1 h"),
        ],
    );
}

/// Of an open incident it is known that it lasts longer than until now; what cannot be told names what is missing.
#[test]
fn open_and_incomplete_intervals() {
    let mut hand = Hand::default();
    hand.opened_by("09:00:00", "INC-1", &[], person("ana"));
    let open = record(&hand, "12:12:00");
    expect(
        &open,
        [
            ("TTD", "not known: no onset"),
            ("TTN", "> 3 h 12 m"),
            ("TTA", "not known: no notify, no ack"),
            ("TTE", "not known: no ack, no engage"),
            ("TTM", "not known: no onset, no mitigate"),
            ("TTR", "not known: no onset, no resolve"),
        ],
    );
    assert_eq!(open.status, Status::Open);
    hand.resolved("09:30:00", "INC-1", "ana");
    let over = record(&hand, "12:12:00");
    assert_eq!(intervals(&over)["TTN"], "not known: no notify", "nothing more is to come");
    assert_eq!(intervals(&over)["TTR"], "not known: no onset");
    assert_eq!(hand.incident("INC-2", "12:12:00", Naming::Names), None);
}

/// What was opened again within a day is the same incident: it counts to its last end, and not the time in between.
#[test]
fn reopened() {
    let mut hand = Hand::default();
    let again = IncidentChange::Reopened { reason: "it is back".into() };
    hand.raised("09:00:10", "f-1", "checkout", "09:00:00")
        .opened("09:00:10", "INC-1", &["checkout"])
        .acked("09:01:00", "INC-1", "ana")
        .changed("09:09:00", "INC-1", Actor::Engine, IncidentChange::Mitigated { since: at("09:08:00") })
        .resolved("09:10:10", "INC-1", "ana")
        .changed("09:50:00", "INC-1", person("ben"), again);
    let open = record(&hand, "10:00:00");
    assert_eq!(open.status, Status::Open);
    assert_eq!((intervals(&open)["TTR"].as_str(), intervals(&open)["TTM"].as_str()), ("> 1 h", "> 1 h"));
    assert_eq!(open.in_each_level, [InLevel { level: Level::Sev2, lasted: Millis(20 * 60_000) }]);
    hand.resolved("10:20:00", "INC-1", "ben");
    let over = record(&hand, "11:00:00");
    assert_eq!(intervals(&over)["TTR"], "1 h 20 m");
    assert_eq!(intervals(&over)["TTM"], "not known: no mitigate", "that it was over before does not count");
    assert_eq!((over.reopened.len(), over.reopened[0].by.as_str()), (1, "ben"));
    assert_eq!(over.in_each_level[0].lasted, Millis(40 * 60_000));
}

/// How an incident can end otherwise, and what it then is.
#[test]
fn other_ends() {
    let mut hand = Hand::default();
    hand.opened_by("09:00:00", "INC-1", &["checkout"], person("ana"))
        .opened_by("09:01:00", "INC-2", &["pay"], person("ben"))
        .planned("09:02:00", "op-1", "roll_back", "pay", ("2.9", "2.8"), person("ben"))
        .changed(
            "09:03:00",
            "INC-2",
            person("ben"),
            IncidentChange::Merged { into: "INC-1".into(), reason: "one cause".into() },
        )
        .ended("09:05:00", "op-1", crate::model::operation::Outcome::Verified);
    let other = hand.incident("INC-2", "10:00:00", Naming::Names).unwrap();
    assert_eq!(other.status, Status::Merged { into: "INC-1".into() });
    assert_eq!(other.in_each_level[0].lasted, Millis(120_000), "it ended when it was merged");
    let into = record(&hand, "10:00:00");
    assert_eq!(into.merged, ["INC-2".into()]);
    assert_eq!(into.services, ["checkout".into(), "pay".into()]);
    let operation = &into.operations[0];
    assert_eq!((operation.id.as_str(), operation.words().as_str()), ("op-1", "verified: healthy for 30 s"));

    let mut hand = Hand::default();
    hand.opened("09:00:00", "INC-1", &["checkout"]).changed(
        "09:04:00",
        "INC-1",
        person("ana"),
        IncidentChange::FalseAlarm { reason: "the probe was wrong".into() },
    );
    let none = record(&hand, "10:00:00");
    assert_eq!(
        (none.status.words().as_str(), none.end_reason.as_str()),
        ("false alarm", "the probe was wrong")
    );
    assert_eq!(none.in_each_level[0].lasted, Millis(240_000));
    assert_eq!(intervals(&none)["TTR"], "not known: no onset, no resolve");
}

/// What is only suspected has no time in a severity before somebody declares it, and a drill says so.
#[test]
fn suspected_and_drills() {
    let mut hand = Hand::default();
    hand.opened("09:00:00", "INC-1", &["checkout"])
        .changed("09:00:00", "INC-1", Actor::Engine, IncidentChange::Suspected)
        .changed("09:00:00", "INC-1", Actor::Engine, IncidentChange::Drill);
    let suspected = record(&hand, "09:30:00");
    assert_eq!((&suspected.status, suspected.drill), (&Status::Suspected, true));
    assert_eq!(suspected.in_each_level, []);
    assert_eq!(suspected.instants.declare, None);
    hand.changed("09:10:00", "INC-1", person("ana"), IncidentChange::Declared);
    let declared = record(&hand, "09:30:00");
    assert_eq!(declared.instants.declare.unwrap().at, at("09:10:00"));
    assert_eq!(declared.in_each_level[0].lasted, Millis(20 * 60_000));
    assert_eq!(declared.instants.detect.unwrap().at, at("09:00:00"));
}

/// A correction is what counts, and what was said before is kept.
#[test]
fn corrections_keep_the_old_value() {
    let mut hand = whole();
    hand.changed(
        "11:00:00",
        "INC-1",
        person("ben"),
        IncidentChange::OnsetSet { onset: at("08:40:00"), reason: "first complaint".into() },
    )
    .changed(
        "11:05:00",
        "INC-1",
        person("ben"),
        IncidentChange::OnsetSet { onset: at("08:50:00"), reason: "it was 8:50".into() },
    );
    let record = record(&hand, "12:00:00");
    assert_eq!(record.instants.onset.as_ref().unwrap().source, "said by ben: it was 8:50");
    assert_eq!((intervals(&record)["TTD"].as_str(), intervals(&record)["TTR"].as_str()), ("12 m", "30 m"));
    let before: Vec<_> =
        record.corrections.iter().map(|one| (one.seq, one.before.as_ref().unwrap().at)).collect();
    assert_eq!(before, [(42, at("09:01:20")), (43, at("08:40:00"))]);
}

/// Without a policy that pages, the message that tells of it is what reached people.
#[test]
fn a_notice_counts_where_nothing_pages() {
    let mut hand = Hand::default();
    hand.opened("09:00:00", "INC-1", &["checkout"])
        .queued("09:00:00", "n-1", "INC-1", "notice")
        .sent("09:00:05", "n-1");
    assert_eq!(record(&hand, "10:00:00").instants.notify.unwrap().at, at("09:00:05"));
    hand.queued("09:00:00", "n-2", "INC-1", "page").sent("09:05:00", "n-2");
    assert_eq!(record(&hand, "10:00:00").instants.notify.unwrap().at, at("09:05:00"), "a page is due");
}

/// What left the way of the runbook is there with its reason; what the engine itself leaves out is no deviation.
#[test]
fn deviations() {
    let mut hand = whole();
    hand.0.truncate(26);
    let sensed = |holds| ChecklistChange::Sensed {
        item: "stable".into(),
        holds: Some(holds),
        fact: "errors 9 %".into(),
    };
    let refused = |item: &str| Event::CommandRefused {
        envelope: Envelope {
            id: "c-9".into(),
            by: person("ben"),
            at: at("09:30:00"),
            command: Command::Item {
                incident: "INC-1".into(),
                run: None,
                item: item.into(),
                seen: None,
                act: ItemAct::Done,
            },
        },
        reason: format!("`{item}` is not so: errors 9 %"),
        guardrails: Vec::new(),
    };
    hand.list("09:30:00", "INC-1", Actor::Engine, sensed(false))
        .push("09:30:00", refused("stable"))
        .push("09:30:01", refused("sing"))
        .list(
            "09:31:00",
            "INC-1",
            Actor::Engine,
            ChecklistChange::Inactive {
                item: "other-way".into(),
                reason: "`this-way` was decided for".into(),
            },
        );
    let kinds = |record: &Record| -> Vec<(DeviationKind, String)> {
        record.deviations.iter().map(|left| (left.kind, left.what.clone())).collect()
    };
    let some = record(&hand, "10:00:00");
    assert_eq!(
        kinds(&some),
        [
            (DeviationKind::Guardrail, "cooldown on checkout".to_owned()),
            (DeviationKind::Overrun, "assess".to_owned()),
            (DeviationKind::Disagreement, "stable".to_owned()),
        ]
    );
    let all = record(&whole(), "10:00:00");
    let all: Vec<DeviationKind> = all.deviations.iter().map(|left| left.kind).collect();
    for kind in [
        DeviationKind::Overridden,
        DeviationKind::NotApplicable,
        DeviationKind::Unsensed,
        DeviationKind::Deferred,
        DeviationKind::Regression,
    ] {
        assert!(all.contains(&kind), "{kind:?} is not in {all:?}");
    }
}

/// Items say where they ended and how long they took: from their own beginning, or since the one before them.
#[test]
fn items() {
    let record = record(&whole(), "10:00:00");
    let run = &record.checklists[0];
    assert_eq!((run.runbook.as_str(), run.sha256.as_str()), ("emergency", "abc123"));
    let items: Vec<(&str, ItemEnd, Option<Millis>)> =
        run.items.iter().map(|item| (item.item.as_str(), item.end, item.took)).collect();
    assert_eq!(
        items,
        [
            ("start-rollback", ItemEnd::Done, Some(Millis(92_000))),
            ("dashboards", ItemEnd::Overridden, Some(Millis(88_000))),
            ("database", ItemEnd::NotApplicable, Some(Millis(60_000))),
            ("critical-flows", ItemEnd::Done, Some(Millis(60_000))),
            ("stakeholders", ItemEnd::Deferred, None),
        ]
    );
    let dispatch = &record.dispatches[0];
    assert_eq!((dispatch.digest.as_str(), dispatch.succeeded), ("d1ge57", Some(true)));
    let operation = &record.operations[0];
    assert_eq!(operation.digest.as_deref(), Some("d1ge57"));
    assert_eq!(operation.until_traffic(), Some(Millis(20_000)));
    // Ticks of before there were runbooks.
    let mut hand = Hand::default();
    hand.opened("09:00:00", "INC-1", &["checkout"]).push(
        "09:01:00",
        Event::ChecklistTicked {
            incident: "INC-1".into(),
            item: "smoke-tests".into(),
            ticked: Some(crate::model::incident::Ticked::Done),
            by: person("ana"),
            note: None,
        },
    );
    let old = super::tests::record(&hand, "10:00:00");
    assert_eq!(
        (old.checklists[0].items[0].item.as_str(), old.checklists[0].items[0].end),
        ("smoke-tests", ItemEnd::Done)
    );
}

/// With roles nobody's name is anywhere in the record; with names everybody's is.
#[test]
fn roles_and_names() {
    let hand = whole();
    let text = |naming| {
        let record = hand.incident("INC-1", "10:00:00", naming).unwrap();
        serde_json::to_string(&record).unwrap()
    };
    let (names, roles) = (text(Naming::Names), text(Naming::Roles));
    for name in ["ana", "ben", "mira", "jonas"] {
        let has =
            |text: &str| text.to_lowercase().split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
        assert!(has(&names), "{name}");
        assert!(!has(&roles), "{name} is in {roles}");
    }
    for word in ["commander", "responder 1", "on-call 1", "on-call 2"] {
        assert!(roles.contains(word), "{word}");
    }
    assert!(!names.contains(['\u{e000}', '\u{e001}']) && !roles.contains(['\u{e000}', '\u{e001}']));
    let record = hand.incident("INC-1", "10:00:00", Naming::Names).unwrap();
    assert_eq!((record.roles[0].role, record.roles[0].name.as_str()), (IncidentRole::Commander, "ana"));
}

/// What people did stands alone, what machines said is collapsed, and what led to it is there.
#[test]
fn the_timeline() {
    let mut hand = whole();
    hand.0.truncate(13);
    for second in 0..6 {
        let verdict = if second % 2 == 0 {
            Verdict::Unknown { reasons: vec!["no data".into()] }
        } else {
            Verdict::Degraded { reasons: vec!["slow".into()] }
        };
        hand.verdict(&format!("09:04:0{second}"), "checkout", verdict);
    }
    // Of another service, and of no concern.
    hand.verdict("09:04:10", "pay", Verdict::Healthy).noted("09:04:20", "INC-1", "ana", "looking");
    let record = record(&hand, "10:00:00");
    let rows: Vec<(u64, Weight, usize)> = record
        .timeline
        .iter()
        .map(|row| (row.seq, row.weight, row.collapsed.as_ref().map_or(1, |of| of.rows)))
        .collect();
    assert_eq!(
        rows,
        [
            (2, Weight::Machine, 4),
            (6, Weight::Turn, 1),
            (7, Weight::Machine, 1),
            (8, Weight::Turn, 1),
            (9, Weight::Turn, 1),
            (12, Weight::Turn, 1),
            (13, Weight::Person, 1),
            (14, Weight::Machine, 6),
            (21, Weight::Person, 1),
        ]
    );
    let collapsed = &record.timeline[7];
    assert_eq!(collapsed.words, "6 × verdict changed; last: checkout: degraded: slow");
    assert_eq!(collapsed.collapsed.as_ref().unwrap().last_seq, 19);
    assert_eq!(record.timeline[6].actor, "ana");
}

/// The record of an escalation says whom each level told, how late, and what became of it.
#[test]
fn escalations_and_messages() {
    let mut hand = whole();
    hand.escalated(
        "09:50:00",
        "INC-1",
        EscalationChange::LevelTold {
            level: 3,
            pass: 2,
            told: Vec::new(),
            late_ms: 90_000,
            missed: vec![1, 2],
            next_at: None,
            reason: String::new(),
        },
    )
    .escalated("09:51:00", "INC-1", EscalationChange::Exhausted { told: Vec::new() })
    .escalated("09:52:00", "INC-1", EscalationChange::AcknowledgementRanOut { late_ms: 0 })
    .escalated("09:53:00", "INC-1", EscalationChange::Reminded { next_at: None });
    let record = record(&hand, "10:00:00");
    let happened = &record.escalations[0].happened;
    let words: Vec<String> = happened.iter().map(|happened| happened.what.words()).collect();
    assert_eq!(
        words,
        [
            "level 1 told: mira (schedule:payments, phone) by phone",
            "level 1: contact:jonas could NOT be reached: `jonas` has no way to be reached",
            "acknowledged by ana",
            "level 3 told, pass 2, 1 m 30 s late: NOBODY; due meanwhile and not told: level 1, 2",
            "EXHAUSTED: everybody was told and nobody answered; at the last nobody",
            "the acknowledgement ran out",
        ]
    );
    let ends: Vec<String> = record.messages.iter().map(|message| message.end.words()).collect();
    assert_eq!(ends, ["accepted after 8 s", "FAILED: 403 Forbidden", "left out: INC-1 is resolved"]);
    assert_eq!(record.missed().count(), 2);
}

/// A finding that was over before the incident is not where it began, nor is one that only asks to watch.
#[test]
fn the_onset_is_what_still_holds() {
    let mut hand = Hand::default();
    hand.raised("08:00:00", "f-1", "checkout", "07:59:00")
        .cleared("08:05:00", "f-1")
        .raised("08:30:00", "f-2", "pay", "08:29:00")
        .verdict("09:00:00", "checkout", Verdict::Failing { reasons: vec!["down".into()] })
        .opened("09:00:01", "INC-1", &["checkout"]);
    assert_eq!(record(&hand, "10:00:00").instants.onset.unwrap().at, at("09:00:00"));
    // The service that joins was ill before.
    hand.push(
        "09:10:00",
        Event::IncidentJoined { incident: "INC-1".into(), service: "pay".into(), reason: "errors".into() },
    );
    assert_eq!(record(&hand, "10:00:00").instants.onset.unwrap().at, at("08:29:00"));
}

/// An alarm of others knows when it began to fire; that is when it was noticed, and where the incident began unless more is known.
#[test]
fn alarms_of_others() {
    let linked = |alarm: &str| IncidentChange::AlarmLinked { alarm: alarm.to_owned() };
    let onset =
        |when: &str| IncidentChange::OnsetSet { onset: at(when), reason: "it fires since then".into() };
    let mut hand = Hand::default();
    hand.fired("09:01:00", "errors", "checkout", "09:00:30")
        .opened("09:01:00", "INC-1", &["checkout"])
        .changed("09:01:00", "INC-1", Actor::Engine, linked("errors"))
        .changed("09:01:00", "INC-1", Actor::Engine, onset("09:00:30"));
    let first = record(&hand, "10:00:00");
    let detect = first.instants.detect.clone().unwrap();
    assert_eq!(
        (detect.at, detect.seq, detect.source.as_str()),
        (at("09:00:30"), 1, "the alarm errors fired")
    );
    assert_eq!((first.instants.onset.unwrap().at, first.corrections.len()), (at("09:00:30"), 0));
    assert_eq!(first.timeline[0].seq, 1, "it led to the incident");
    // The engine knows of nothing earlier, a person does, and what another alarm says then changes nothing.
    hand.changed("09:02:00", "INC-1", Actor::Engine, onset("09:00:50"))
        .changed("09:03:00", "INC-1", person("ana"), onset("08:50:00"))
        .changed("09:04:00", "INC-1", Actor::Engine, onset("08:40:00"))
        .fired("09:05:00", "slow", "checkout", "09:04:30");
    let later = record(&hand, "10:00:00");
    assert_eq!(later.instants.onset.unwrap().source, "said by ana: it fires since then");
    assert_eq!(later.corrections.len(), 1);
    assert_eq!(later.timeline.last().unwrap().seq, 8, "one on its services belongs to the timeline");
}

/// What those who wait were told is in the record, and so is what they waited for in vain.
#[test]
fn those_who_wait() {
    use crate::model::incident::Audience;
    let mut hand = Hand::default();
    hand.opened("09:00:00", "INC-1", &["checkout"])
        .changed(
            "09:05:00",
            "INC-1",
            person("ana"),
            IncidentChange::Told {
                audience: Audience::External,
                text: "Payments fail. ana works on it.".into(),
                channels: vec!["status".into()],
                next: Some(at("09:25:00")),
            },
        )
        .changed(
            "09:25:10",
            "INC-1",
            Actor::Engine,
            IncidentChange::UpdateMissed { audience: Audience::External, due: at("09:25:00") },
        );
    let record = hand.incident("INC-1", "10:00:00", Naming::Roles).unwrap();
    let [told, missed] = &record.updates[..] else { panic!("{:?}", record.updates) };
    assert_eq!(
        (told.by.as_str(), told.text.as_str()),
        ("responder 1", "Payments fail. responder 1 works on it.")
    );
    assert_eq!((told.next, missed.missed), (Some(at("09:25:00")), Some(at("09:25:00"))));
    assert_eq!(record.instants.engage.unwrap().source, "responder 1 sent an external message");
    let text =
        crate::report::postmortem::document(&hand.incident("INC-1", "10:00:00", Naming::Roles).unwrap());
    assert!(text.contains("**MISSED: one was due at 2026-11-20 09:25:00**"), "{text}");
}
