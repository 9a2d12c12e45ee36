//! The measures, from journals made by hand.

use super::*;
use crate::model::Version;
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::incident::IncidentChange;
use crate::model::operation::Outcome;
use crate::model::release::Arm;
use crate::report::Millis;
use crate::report::deployment::{ChangeFate, ChangeKind};
use crate::report::incident::Metric;
use crate::report::testing::{Hand, at, person, whole};

fn delivery_of(hand: &Hand, service: Option<&str>, from: &str, to: &str) -> Delivery {
    let mut recorder = Recorder::default();
    hand.read(|entry| recorder.take(entry));
    let service = service.map(crate::model::ServiceName::from);
    recorder.finish(Period { from: at(from), to: at(to) }, service.as_ref(), at("2026-11-30T00:00:00Z"))
}

fn delivery(hand: &Hand) -> Delivery {
    delivery_of(hand, None, "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z")
}

/// 2.8 was there; 2.9 went to all the traffic by a promotion, 2.10 was rolled back as the canary.
fn two_deployments() -> Hand {
    let mut hand = Hand::default();
    hand.traffic("08:00:00", "checkout", &[("2.8", Arm::Stable, 100)])
        .traffic("09:00:00", "checkout", &[("2.8", Arm::Stable, 80), ("2.9", Arm::Canary, 20)])
        .planned("09:10:00", "op-1", "promote", "checkout", ("2.8", "2.9"), person("ana"))
        .traffic("09:10:30", "checkout", &[("2.9", Arm::Stable, 100)])
        .back("09:10:31", "op-1", "2.9")
        .ended("09:11:00", "op-1", Outcome::Verified)
        .traffic("10:00:00", "checkout", &[("2.9", Arm::Stable, 90), ("2.10", Arm::Canary, 10)])
        .raised("10:04:00", "f-1", "checkout", "10:03:30")
        .planned("10:05:00", "op-2", "roll_back", "checkout", ("2.10", "2.9"), Actor::Engine)
        .traffic("10:05:40", "checkout", &[("2.9", Arm::Stable, 100)])
        .back("10:05:41", "op-2", "2.9")
        .ended("10:06:30", "op-2", Outcome::Verified);
    hand
}

/// Each deployment and rollback is there once, with who, when, how long and how it ended.
#[test]
fn deployments_and_rollbacks() {
    let changes = two_deployments().changes("12:00:00");
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let from = change.from.as_ref().map(Version::as_str);
            (change.kind, change.version.as_str(), from, change.fate, change.took(), change.by.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (ChangeKind::Deployment, "2.9", Some("2.8"), ChangeFate::Live, Some(Millis(630_000)), "ana"),
            (ChangeKind::Deployment, "2.10", Some("2.9"), ChangeFate::RolledBack, None, "another pipeline"),
            (ChangeKind::Rollback, "2.9", Some("2.10"), ChangeFate::Done, Some(Millis(41_000)), "unship"),
        ]
    );
    assert_eq!(changes[0].operation.as_ref().unwrap().as_str(), "op-1");
    assert_eq!(
        (changes[0].outcome, changes[0].detail.as_str()),
        (Some(Outcome::Verified), "healthy for 30 s")
    );
    assert_eq!(changes[1].findings, changes[2].findings);
    assert!(changes[2].findings[0].starts_with("f-1 errors on canary, critical: share of errors"));
    let failure = changes[1].failure.as_ref().unwrap();
    assert_eq!((failure.by, failure.recovered_at), (ChangeKind::Rollback, Some(at("10:05:41"))));
}

/// What other hands do is told by the traffic alone: deployed at once, returned to what was there, taken away.
#[test]
fn other_hands() {
    let mut hand = Hand::default();
    hand.traffic("08:00:00", "checkout", &[("2.8", Arm::Stable, 100)])
        .traffic("09:00:00", "checkout", &[("2.9", Arm::Stable, 100)])
        .traffic("09:20:00", "checkout", &[("2.8", Arm::Stable, 100)])
        .traffic("10:00:00", "checkout", &[("2.8", Arm::Stable, 95), ("2.10", Arm::Canary, 5)])
        .traffic("10:30:00", "checkout", &[("2.8", Arm::Stable, 100)]);
    let changes = hand.changes("12:00:00");
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.kind, change.version.as_str(), change.fate, change.took()))
        .collect();
    assert_eq!(
        told,
        [
            (ChangeKind::Deployment, "2.9", ChangeFate::RolledBack, None),
            (ChangeKind::Rollback, "2.8", ChangeFate::Done, None),
            (ChangeKind::Deployment, "2.10", ChangeFate::Withdrawn, None),
        ]
    );
    assert_eq!(changes[0].took_words(), "not known: it was seen at once");
    let delivery = delivery(&hand);
    let made = &delivery.all.deployments;
    assert_eq!((made.by_others, made.withdrawn, made.completed), (2, 1, 1));
    assert_eq!(made.change_fail_rate, Ratio::of(1, 2));
    assert_eq!(made.recovery.middle(), Some(Millis(20 * 60_000)));
    for words in [
        "2 deployments were made by another pipeline",
        "1 deployment was seen with all the traffic at once",
        "the journal begins at",
    ] {
        assert!(delivery.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", delivery.notes);
    }
}

/// DORA's five, each over what it says it is over.
#[test]
fn the_five() {
    let delivery = delivery(&two_deployments());
    let made = &delivery.all.deployments;
    assert_eq!((made.planned, made.hotfixes, made.rollbacks, made.completed), (2, 0, 1, 1));
    assert_eq!(made.change_fail_rate, Ratio::of(1, 2));
    assert_eq!(made.rework_rate, Ratio::of(1, 3));
    assert_eq!(made.success_rate, Ratio::of(1, 2));
    assert_eq!(made.recovery.middle(), Some(Millis(341_000)), "from its first traffic");
    // Made two hours after midnight of the day before, live at 9:10:30.
    assert_eq!(made.lead.middle(), Some(Millis::between(at("2026-11-19T02:00:00Z"), at("09:10:30"))));
    assert_eq!(made.frequency, Some("monthly"));
    assert_eq!(delivery.services.len(), 1);
    assert_eq!(delivery.services[0].deployments, *made);
    let other = delivery_of(&two_deployments(), Some("pay"), "2026-11-01T00:00:00Z", "2026-11-30T00:00:00Z");
    assert_eq!((other.all.deployments.planned, other.services.len()), (0, 0));
}

/// A deployment that needed a hotfix failed, once; what a rollback returned to did not.
#[test]
fn hotfixes() {
    let mut hand = Hand::default();
    hand.traffic("08:00:00", "checkout", &[("2.7", Arm::Stable, 100)])
        .traffic("09:00:00", "checkout", &[("2.8", Arm::Stable, 100)])
        .opened("09:05:00", "INC-1", &["checkout"])
        .traffic("09:30:00", "checkout", &[("2.9", Arm::Stable, 100)])
        .resolved("09:40:00", "INC-1", "ana");
    let changes = hand.changes("12:00:00");
    assert_eq!(changes[1].kind, ChangeKind::Hotfix);
    assert_eq!(changes[0].failure.as_ref().unwrap().by, ChangeKind::Hotfix);
    let made = delivery(&hand).all.deployments;
    assert_eq!((made.change_fail_rate, made.rework_rate), (Ratio::of(1, 1), Ratio::of(1, 2)));
    assert_eq!(made.recovery.middle(), Some(Millis(30 * 60_000)));

    let mut hand = two_deployments();
    hand.0.truncate(8);
    hand.opened("10:04:10", "INC-1", &["checkout"])
        .planned("10:05:00", "op-2", "roll_back", "checkout", ("2.10", "2.9"), Actor::Engine)
        .traffic("10:05:40", "checkout", &[("2.9", Arm::Stable, 100)])
        .back("10:05:41", "op-2", "2.9")
        .ended("10:06:30", "op-2", Outcome::NotRecovered)
        .traffic("11:00:00", "checkout", &[("2.7", Arm::Canary, 50), ("2.9", Arm::Stable, 50)])
        .traffic("11:01:00", "checkout", &[("2.7", Arm::Stable, 100)]);
    let changes = hand.changes("12:00:00");
    assert_eq!(changes[3].kind, ChangeKind::Hotfix);
    assert!(changes[0].failure.is_none(), "2.9 was what the rollback returned to");
    let made = delivery(&hand).all.deployments;
    assert_eq!((made.not_the_cause, made.recovery.n, made.change_fail_rate), (1, 0, Ratio::of(1, 2)));
}

/// A rollback that was stopped before it moved anything takes nothing back; one that failed says that it was needed.
#[test]
fn rollbacks_that_moved_nothing() {
    for (outcome, failed) in [(Outcome::Cancelled, false), (Outcome::Failed, true)] {
        let mut hand = two_deployments();
        hand.0.truncate(9);
        hand.ended("10:05:10", "op-2", outcome);
        let changes = hand.changes("12:00:00");
        assert_eq!(changes[2].fate, ChangeFate::Failed, "{outcome:?}");
        assert_eq!(changes[1].failure.is_some(), failed, "{outcome:?}");
        assert_eq!(changes[1].fate, ChangeFate::Going, "{outcome:?}");
    }
}

/// Where nothing is known that is said, and no zero stands for it.
#[test]
fn no_data_is_no_zero() {
    for hand in [Hand::default(), {
        let mut hand = Hand::default();
        hand.traffic("08:00:00", "checkout", &[("2.8", Arm::Stable, 100)]);
        hand
    }] {
        let all = delivery(&hand).all;
        assert_eq!((all.deployments.per_week, all.deployments.frequency), (None, None));
        assert_eq!(all.deployments.change_fail_rate.words(), "no data");
        assert_eq!(all.deployments.recovery.words(), "no data");
        for objective in &all.objectives {
            assert_eq!((objective.verdict, objective.value.as_str()), (Verdict::NoData, "no data"));
        }
    }
    let nothing = delivery(&Hand::default());
    assert_eq!((nothing.known, nothing.all.weeks.len()), (None, 0));
    assert!(nothing.notes[0].contains("knows nothing of this time"));
}

/// Objectives are met, missed, or not known; exactly on the limit is not within it.
#[test]
fn objectives() {
    let delivery = delivery(&whole());
    let verdicts: Vec<(&str, Verdict, &str)> = delivery
        .all
        .objectives
        .iter()
        .map(|objective| (objective.name, objective.verdict, objective.value.as_str()))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("deployment success", Verdict::Missed, "0 % (0 of 1)"),
            ("change failure", Verdict::Missed, "100 % (1 of 1)"),
            ("deployment time", Verdict::NoData, "no data"),
            ("rollback time", Verdict::Met, "median 20 s (n 1)"),
            ("time to recovery", Verdict::Met, "median 5 m 20 s (n 1)"),
            ("detection time", Verdict::Met, "median 40 s (n 1)"),
            ("response time", Verdict::Met, "median 1 m 39 s (n 1)"),
            ("alert accuracy", Verdict::Met, "100 % (1 of 1)"),
        ]
    );
    // 20 of 20 is more than 95 %, 19 of 20 is not.
    for (good, expected) in [(20, Verdict::Met), (19, Verdict::Missed)] {
        let mut hand = Hand::default();
        for number in 0..20 {
            let id = format!("INC-{number}");
            let minute = format!("09:{number:02}:00");
            hand.raised(&minute, &format!("f-{number}"), "checkout", "09:00:00").opened(
                &minute,
                &id,
                &["checkout"],
            );
            if number < good {
                hand.resolved(&minute, &id, "ana");
            } else {
                let reason = "nothing was wrong".to_owned();
                hand.changed(&minute, &id, person("ana"), IncidentChange::FalseAlarm { reason });
            }
        }
        let all = super::tests::delivery(&hand).all;
        assert_eq!(all.incidents.alert_accuracy, Ratio::of(good, 20));
        // Of accuracy more than 90 % is promised.
        assert_eq!(all.objectives[7].verdict, Verdict::Met);
        let success = super::objectives::objectives(
            &DeploymentMeasures { success_rate: Ratio::of(good, 20), ..all.deployments.clone() },
            &all.incidents,
        );
        assert_eq!(success[0].verdict, expected);
    }
}

/// Which incidents are measured: those declared in the period; open ones are longer than until now, incomplete ones are counted,
/// and drills, false alarms, merged and suspected ones are apart.
#[test]
fn incidents() {
    let mut hand = whole();
    hand.raised("11:00:00", "f-2", "pay", "10:59:00")
        .opened("11:00:00", "INC-2", &["pay"])
        .opened_by("11:10:00", "INC-3", &["checkout"], person("ana"))
        .resolved("11:20:00", "INC-3", "ana")
        .opened("11:30:00", "INC-4", &["pay"])
        .changed("11:30:00", "INC-4", Actor::Engine, IncidentChange::Drill)
        .resolved("11:31:00", "INC-4", "ana")
        .opened("11:40:00", "INC-5", &["pay"])
        .changed(
            "11:41:00",
            "INC-5",
            person("ana"),
            IncidentChange::Merged { into: "INC-2".into(), reason: "the same".into() },
        )
        .opened("11:50:00", "INC-6", &["pay"])
        .changed("11:50:00", "INC-6", Actor::Engine, IncidentChange::Suspected)
        .opened("2026-12-01T00:00:00Z", "INC-7", &["pay"]);
    let delivery = delivery(&hand);
    let all = &delivery.all.incidents;
    assert_eq!((all.n, all.open, all.reopened), (3, 1, 0));
    assert_eq!((all.false_alarms, all.merged, all.suspected, all.drills), (0, 1, 1, 1));
    let of = |metric: Metric| {
        all.times.iter().find(|time| time.metric == metric).map(|time| &time.figures).unwrap()
    };
    let resolve = of(Metric::Ttr);
    assert_eq!((resolve.n, resolve.open_ms.len(), resolve.incomplete), (1, 1, 1));
    assert_eq!(resolve.words(), "n 1: 18 m 40 s; 1 open: > 9 d 13 h; 1 incomplete, left out");
    assert_eq!(all.between, None, "between incidents of several services there is no such time");
    let checkout =
        delivery.services.iter().find(|service| service.service == Some("checkout".into())).unwrap();
    assert_eq!(checkout.incidents.n, 2);
    assert_eq!(checkout.incidents.between.as_ref().unwrap().incomplete, 1, "the second has no onset");
}

/// Weeks begin on Mondays and are all there, also those without anything.
#[test]
fn weeks() {
    let mut hand = two_deployments();
    hand.traffic("2026-11-24T09:00:00Z", "pay", &[("2.8", Arm::Stable, 100)]).traffic(
        "2026-11-29T09:00:00Z",
        "pay",
        &[("2.9", Arm::Stable, 100)],
    );
    let weeks = delivery(&hand).all.weeks;
    let told: Vec<(String, usize, usize, usize, Option<Millis>)> = weeks
        .iter()
        .map(|week| {
            (week.from.to_string(), week.deployments, week.failures, week.rollbacks, week.median_recovery_ms)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("2026-11-16T00:00:00Z".to_owned(), 1, 1, 1, Some(Millis(341_000))),
            ("2026-11-23T00:00:00Z".to_owned(), 1, 0, 0, None),
        ]
    );
}

/// Which sections run over and which items are left out, of how many runs.
#[test]
fn checklists() {
    let mut hand = whole();
    hand.opened("11:00:00", "INC-2", &["checkout"])
        .list(
            "11:01:00",
            "INC-2",
            person("ana"),
            ChecklistChange::WindowMet { section: "assess".into(), late: false },
        )
        .list(
            "11:02:00",
            "INC-2",
            person("ana"),
            ChecklistChange::Done {
                item: "dashboards".into(),
                unsensed: false,
                fact: None,
                do_confirm: false,
            },
        )
        .opened("11:30:00", "INC-3", &["pay"])
        .changed("11:30:00", "INC-3", Actor::Engine, IncidentChange::Drill)
        .list(
            "11:31:00",
            "INC-3",
            person("ana"),
            ChecklistChange::Overridden { item: "dashboards".into(), reason: "this is a drill".into() },
        );
    let runbooks = delivery(&hand).runbooks;
    assert_eq!(runbooks.len(), 1);
    let book = &runbooks[0];
    assert_eq!((book.runbook.as_str(), book.runs), ("emergency", 2));
    assert_eq!(book.sections[0].overruns, Ratio::of(1, 2));
    let item = |id: &str| book.items.iter().find(|item| item.item.as_str() == id).unwrap();
    assert_eq!((item("dashboards").overridden, item("dashboards").took.n), (Ratio::of(1, 2), 2));
    assert_eq!(item("stakeholders").deferred, Ratio::of(1, 2));
    assert_eq!((item("critical-flows").unsensed, item("critical-flows").regressions), (1, 1));
    assert_eq!(item("database").not_applicable, Ratio::of(1, 2));
}

/// What was there before the journal began has no beginning: its times are not known, and what is left out is said.
#[test]
fn before_the_first_look() {
    let mut hand = Hand::default();
    hand.traffic("09:00:00", "checkout", &[("2.8", Arm::Stable, 80), ("2.9", Arm::Canary, 20)])
        .planned("09:05:00", "op-1", "roll_back", "checkout", ("2.9", "2.8"), person("ana"))
        .back("09:05:41", "op-1", "2.8")
        .ended("09:06:30", "op-1", Outcome::Verified)
        .traffic("09:05:40", "pay", &[("2.8", Arm::Stable, 100)])
        .planned("09:10:00", "op-2", "roll_back", "pay", ("2.8", "2.7"), person("ana"))
        .traffic("09:10:10", "pay", &[("2.7", Arm::Stable, 100)])
        .back("09:10:10", "op-2", "2.7")
        .ended("09:11:00", "op-2", Outcome::Verified);
    let changes = hand.changes("12:00:00");
    assert_eq!(changes.len(), 3, "what was stable at the first look is no deployment: {changes:?}");
    assert_eq!(changes[0].took_words(), "not known: it was there at the first look");
    let delivery = delivery(&hand);
    let made = &delivery.all.deployments;
    assert_eq!((made.recovery.n, made.recovery.incomplete), (0, 1));
    assert_eq!((made.rollback_time.n, made.change_fail_rate), (2, Ratio::of(1, 1)));
    for words in [
        "1 deployment was there when the journal began",
        "1 rollback took back a release that was live before the journal began",
    ] {
        assert!(delivery.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", delivery.notes);
    }
}

/// The record of a deployment says what people ask of it, also as Markdown.
#[test]
fn deployments_as_markdown() {
    let mut hand = two_deployments();
    hand.push(
        "10:07:00",
        crate::model::event::Event::ReleaseMarked {
            service: "checkout".into(),
            version: "2.10".into(),
            release: "ref-2.10".into(),
            quality: crate::model::release::Quality::Bad,
            by: Actor::Engine,
            reason: "rolled back by op-2".into(),
        },
    );
    let figures = [("errors".into(), crate::model::baseline::Figure::Ratio { bad: 4.0, total: 1_000.0 })];
    hand.push(
        "10:08:00",
        crate::model::event::Event::BaselineRecorded {
            service: "checkout".into(),
            baseline: crate::model::baseline::Baseline {
                version: "2.9".into(),
                release: "ref-2.9".into(),
                at: at("10:08:00"),
                by: Actor::Engine,
                figures: figures.into(),
            },
            reason: "good for an hour".into(),
        },
    );
    let mut recorder = crate::report::deployment::Recorder::default();
    hand.read(|entry| recorder.take(entry));
    let record = recorder.finish(&crate::report::deployment::Only::All, at("12:00:00"));
    insta::assert_snapshot!(crate::report::deployment::markdown(&record));
}
