//! Times and incidents as people write them, and the report as they read it.

use super::*;
use crate::engine::backtest::{HeldBack, Origin};
use crate::model::decision::Guardrail;
use crate::model::operation::Strategy;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A time with a zone, one without, a day, and how long ago.
#[test]
fn times_are_read_as_people_write_them() {
    assert_eq!(time("2026-11-14T09:00:00Z"), Ok(at("2026-11-14T09:00:00Z")));
    let day = time("2026-11-14").unwrap();
    assert_eq!(time("2026-11-14 09:30").unwrap(), day + Duration::from_secs(9 * 3_600 + 1_800));
    let before = Timestamp::now();
    let ago = time("7d").unwrap();
    let week = Duration::from_secs(7 * 86_400);
    assert!(before - week <= ago && ago <= Timestamp::now() - week, "{ago}");
    assert!(time("yesterday").unwrap_err().contains("how long ago"));
}

/// One time or two, one service or several; a file has one on each line, and its mistakes have theirs.
#[test]
fn incidents_are_read_as_people_write_them() {
    let one = incident("2026-11-14T09:00:00Z=checkout").unwrap();
    assert_eq!((one.from, one.to, one.services), (at("2026-11-14T09:00:00Z"), None, vec!["checkout".into()]));
    let two = incident("2026-11-14T09:00:00Z/2026-11-14T09:20:00Z=checkout, cart").unwrap();
    assert_eq!((two.to, two.services.len()), (Some(at("2026-11-14T09:20:00Z")), 2));
    for wrong in ["", "checkout", "2026-11-14=", "then=checkout"] {
        assert!(incident(wrong).unwrap_err().contains("write"), "{wrong}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incidents");
    std::fs::write(&file, "# last month\n\n2026-11-14T09:00:00Z=checkout  # the bad coupon\n").unwrap();
    assert_eq!(read_incidents(&file).unwrap().unwrap().len(), 1);
    std::fs::write(&file, "2026-11-14=checkout\nnone\n").unwrap();
    assert!(read_incidents(&file).unwrap().unwrap_err().contains("incidents:2: write"));
}

/// Files of the same name are told apart.
#[test]
fn policies_are_named_by_their_files() {
    let paths = [Path::new("a/unship.toml"), Path::new("b/unship.toml"), Path::new("b/strict.toml")];
    assert_eq!(names(&paths), ["a/unship.toml", "b/unship.toml", "strict.toml"]);
}

fn report() -> Report {
    let incident = |id: &str, services: &[&str], from: &str, to: &str, origin, back: Option<&str>| Marked {
        id: id.into(),
        services: services.iter().map(|name| ServiceName::from(*name)).collect(),
        from: at(from),
        to: at(to),
        origin,
        taken_back_at: back.map(at),
    };
    let met = |id: &str, detected_after_ms, rolled_back_after_ms| Met {
        incident: id.into(),
        detected_after_ms,
        rolled_back_after_ms,
    };
    let rollback = |time: &str, from: &str, to: &str, trigger: &str, incident: Option<&str>| WouldRollBack {
        at: at(time),
        service: "checkout".into(),
        from: Some((from.into(), from.into())),
        to: Some(to.into()),
        strategy: Strategy::Immediate,
        triggers: vec![trigger.into()],
        reason: "errors".to_owned(),
        until: None,
        incident: incident.map(Into::into),
    };
    Report {
        from: at("2026-11-14T09:00:00Z"),
        to: at("2026-11-21T09:00:00Z"),
        incidents: vec![
            incident(
                "INC-1",
                &["checkout"],
                "2026-11-15T10:00:05Z",
                "2026-11-15T10:12:00Z",
                Origin::Guard,
                Some("2026-11-15T10:00:45Z"),
            ),
            incident(
                "INC-2",
                &["cart", "checkout"],
                "2026-11-18T02:10:00Z",
                "2026-11-18T03:00:00Z",
                Origin::Person,
                None,
            ),
        ],
        policies: vec![
            Score {
                name: "unship.toml".to_owned(),
                met: vec![
                    met("INC-1", Some(10_000), Some(12_500)),
                    met("INC-2", Some(-20_000), Some(-20_000)),
                ],
                found: 2,
                rolled_back: 2,
                median_ms: Some(-5_000),
                longest_ms: Some(10_000),
                rollbacks: vec![
                    rollback("2026-11-15T10:00:17Z", "2.9.0", "2.8.0", "errors", Some("INC-1")),
                    rollback("2026-11-18T02:09:40Z", "2.9.1", "2.8.0", "judge", Some("INC-2")),
                    rollback("2026-11-20T12:00:00Z", "2.9.2", "2.8.0", "slow", None),
                ],
                findings: Vec::new(),
                held_back: Vec::new(),
                false_alarms: 1,
                false_alarms_a_week: 1.0,
                left_out: vec!["down".into()],
            },
            Score {
                name: "calm.toml".to_owned(),
                met: vec![met("INC-1", None, None), met("INC-2", Some(90_000), None)],
                found: 1,
                rolled_back: 0,
                median_ms: Some(90_000),
                longest_ms: Some(90_000),
                rollbacks: Vec::new(),
                findings: Vec::new(),
                held_back: vec![HeldBack {
                    at: at("2026-11-18T02:11:30Z"),
                    service: "cart".into(),
                    guardrails: vec![Guardrail::Freeze],
                }],
                false_alarms: 0,
                false_alarms_a_week: 0.0,
                left_out: Vec::new(),
            },
        ],
        remarks: vec!["unship.toml: triggers on probes and alarms were not played".to_owned()],
    }
}

/// What a person reads: the comparison first, then each incident, then each rollback that would have been.
#[test]
fn the_report_for_people() {
    insta::assert_snapshot!(text(&report(), &TimeZone::UTC));
}
