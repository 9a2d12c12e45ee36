//! The measures of one service, or of all: what is counted, over what, and from where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Period;
use super::figures::{Figures, Ratio};
use super::objectives::{Objective, objectives};
use super::weeks::{Week, weeks};
use crate::model::ServiceName;
use crate::model::command::Actor;
use crate::model::incident::Level;
use crate::report::Millis;
use crate::report::incident::Status;
use crate::report::incident::course::Course;
use crate::report::incident::times::{Interval, Metric};
use crate::report::releases::{Change, ChangeFate, ChangeKind};

/// Where the time to recover from a failed deployment begins.
pub const RECOVERY_FROM: &str = "from the first traffic of the failed deployment";
/// Where the lead time begins.
pub const LEAD_FROM: &str =
    "from when the platform made the release; when its commit was made is not in the journal";

/// The measures of one service, or of all.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Measures {
    /// The service; none for all together.
    pub service: Option<ServiceName>,
    /// Deployments.
    pub deployments: DeploymentMeasures,
    /// Incidents.
    pub incidents: IncidentMeasures,
    /// What is promised, and whether it is kept.
    pub objectives: Vec<Objective>,
    /// Week by week, oldest first.
    pub weeks: Vec<Week>,
}

/// Measures of deployments.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DeploymentMeasures {
    /// Planned deployments that began.
    pub planned: usize,
    /// Hotfixes that began.
    pub hotfixes: usize,
    /// Rollbacks.
    pub rollbacks: usize,
    /// Deployments and hotfixes that got all the traffic.
    pub completed: usize,
    /// Those that somebody took away before they did.
    pub withdrawn: usize,
    /// Those that go on.
    pub going: usize,
    /// Those that other pipelines made: only their traffic is known.
    pub by_others: usize,
    /// Completed deployments a week; none without data.
    pub per_week: Option<f64>,
    /// How often that is: daily, weekly, monthly, yearly.
    pub frequency: Option<&'static str>,
    /// Change lead time, [`LEAD_FROM`].
    pub lead: Figures,
    /// Failed of the planned.
    pub change_fail_rate: Ratio,
    /// Rollbacks and hotfixes of everything that was deployed.
    pub rework_rate: Ratio,
    /// Failed deployment recovery time, [`RECOVERY_FROM`].
    pub recovery: Figures,
    /// Failed ones of which the release was not the cause: they are not in the recovery time.
    pub not_the_cause: usize,
    /// Those that got all the traffic and kept it, of those that have ended.
    pub success_rate: Ratio,
    /// From first traffic to all of it.
    pub deployment_time: Figures,
    /// From the plan of a rollback until all the traffic was back.
    pub rollback_time: Figures,
}

/// Measures of incidents.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct IncidentMeasures {
    /// Declared ones that are measured here.
    pub n: usize,
    /// Those of each severity, by the worst that it was said to be.
    pub by_level: BTreeMap<Level, usize>,
    /// Those that nobody has resolved.
    pub open: usize,
    /// Those that were opened again.
    pub reopened: usize,
    /// Called a false alarm; in no other figure but the alert accuracy.
    pub false_alarms: usize,
    /// Gone on as another one; in no figure.
    pub merged: usize,
    /// Never declared; in no figure.
    pub suspected: usize,
    /// Drills; in no figure.
    pub drills: usize,
    /// The intervals.
    pub times: Vec<MetricFigures>,
    /// From declared until a person acknowledged.
    pub response: Figures,
    /// From resolved until the next one began, of one service; none for all together.
    pub between: Option<Figures>,
    /// Of what the engine raised by itself and has ended: what was no false alarm.
    pub alert_accuracy: Ratio,
}

/// An interval over several incidents.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MetricFigures {
    /// Which.
    pub metric: Metric,
    /// What they are like.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is measured over.
pub(super) struct Ground<'a> {
    pub(super) changes: &'a [Change],
    pub(super) courses: Vec<&'a Course>,
    /// The part of the period that the journal knows.
    pub(super) known: Option<Period>,
    pub(super) asked: Period,
    pub(super) now: Timestamp,
}

/// The measures of a service, or of all.
pub(super) fn measure(ground: &Ground<'_>, service: Option<&ServiceName>) -> Measures {
    let is_of = |of: &ServiceName| service.is_none_or(|service| service == of);
    let changes: Vec<&Change> = ground
        .changes
        .iter()
        .filter(|change| is_of(&change.service) && ground.asked.has(change.at))
        .collect();
    let courses: Vec<&Course> = ground
        .courses
        .iter()
        .copied()
        .filter(|course| service.is_none_or(|service| course.has(service)))
        .collect();
    let deployments = deployments(&changes, ground.known, ground.now);
    let incidents = incidents(&courses, service.is_some(), ground);
    Measures {
        service: service.cloned(),
        objectives: objectives(&deployments, &incidents),
        weeks: weeks(&changes, &courses, ground.known),
        deployments,
        incidents,
    }
}

fn deployments(changes: &[&Change], known: Option<Period>, now: Timestamp) -> DeploymentMeasures {
    let of = |kind: ChangeKind| changes.iter().copied().filter(move |change| change.kind == kind);
    let made = || changes.iter().copied().filter(|change| change.kind != ChangeKind::Rollback);
    let planned = of(ChangeKind::Deployment).count();
    let (hotfixes, rollbacks) = (of(ChangeKind::Hotfix).count(), of(ChangeKind::Rollback).count());
    let completed = made().filter(|change| change.live_at.is_some()).count();
    let failed = of(ChangeKind::Deployment).filter(|change| change.failure.is_some()).count();
    let ended: Vec<&Change> = made().filter(|change| change.fate != ChangeFate::Going).collect();
    let kept = ended.iter().filter(|change| change.live_at.is_some() && change.failure.is_none()).count();
    let days = known.map(|known| known.days());
    let per_week = days.filter(|_| completed > 0).map(|days| completed as f64 / days * 7.0);
    DeploymentMeasures {
        planned,
        hotfixes,
        rollbacks,
        completed,
        withdrawn: made().filter(|change| change.fate == ChangeFate::Withdrawn).count(),
        going: made().filter(|change| change.fate == ChangeFate::Going).count(),
        by_others: made().filter(|change| change.operation.is_none()).count(),
        per_week,
        frequency: per_week.map(frequency),
        lead: {
            let live: Vec<&Change> = made().filter(|change| change.live_at.is_some()).collect();
            let leads: Vec<Millis> = live.iter().filter_map(|change| change.lead()).collect();
            let incomplete = live.len() - leads.len();
            Figures::of(leads, Vec::new(), incomplete)
        },
        change_fail_rate: Ratio::of(failed, planned),
        rework_rate: Ratio::of(rollbacks + hotfixes, planned + hotfixes + rollbacks),
        recovery: recovery(made(), now),
        not_the_cause: made().filter(|change| not_the_cause(change)).count(),
        success_rate: Ratio::of(kept, ended.len()),
        deployment_time: {
            let live: Vec<&Change> = made().filter(|change| change.live_at.is_some()).collect();
            let took: Vec<Millis> = live.iter().filter_map(|change| change.took()).collect();
            let incomplete = live.len() - took.len();
            Figures::of(took, Vec::new(), incomplete)
        },
        rollback_time: {
            let ours = of(ChangeKind::Rollback);
            let (mut took, mut open, mut incomplete) = (Vec::new(), Vec::new(), 0);
            for change in ours {
                match change.took() {
                    Some(time) => took.push(time),
                    None if change.fate == ChangeFate::Going => open.push(Millis::between(change.at, now)),
                    None => incomplete += 1,
                }
            }
            Figures::of(took, open, incomplete)
        },
    }
}

fn not_the_cause(change: &Change) -> bool {
    change.failure.as_ref().is_some_and(|failure| failure.not_the_cause)
}

fn recovery<'a>(made: impl Iterator<Item = &'a Change>, now: Timestamp) -> Figures {
    let (mut took, mut open, mut incomplete) = (Vec::new(), Vec::new(), 0);
    for change in made {
        let Some(failure) = &change.failure else { continue };
        match change.recovery() {
            Some(recovery) => took.push(recovery),
            None if failure.not_the_cause => {}
            None if change.fate == ChangeFate::Live && !change.at_first_look => {
                open.push(Millis::between(change.at, now));
            }
            None => incomplete += 1,
        }
    }
    Figures::of(took, open, incomplete)
}

/// How often so many a week are.
fn frequency(per_week: f64) -> &'static str {
    if per_week >= 3.0 {
        "daily"
    } else if per_week >= 1.0 {
        "weekly"
    } else if per_week >= 12.0 / 52.0 {
        "monthly"
    } else {
        "yearly"
    }
}

/// When an incident counts as begun for a period.
pub(super) fn declared_at(course: &Course) -> Timestamp {
    course.instants.declare.as_ref().map_or(course.opened_at, |declared| declared.at)
}

fn incidents(courses: &[&Course], is_one_service: bool, ground: &Ground<'_>) -> IncidentMeasures {
    let now = ground.now;
    let all: Vec<&Course> =
        courses.iter().copied().filter(|course| ground.asked.has(declared_at(course))).collect();
    let drills = all.iter().filter(|course| course.drill).count();
    let all: Vec<&Course> = all.into_iter().filter(|course| !course.drill).collect();
    let is = |course: &&&Course, status: &str| match Status::of(course) {
        Status::FalseAlarm => status == "false alarm",
        Status::Merged { .. } => status == "merged",
        Status::Suspected => status == "suspected",
        Status::Open | Status::Resolved | Status::Closed => status == "measured",
    };
    let count = |status: &str| all.iter().filter(|course| is(course, status)).count();
    let measured: Vec<&Course> = all.iter().filter(|course| is(course, "measured")).copied().collect();
    let mut by_level = BTreeMap::new();
    for course in &measured {
        let worst = course.levels.iter().map(|set| set.level).min().unwrap_or(course.level);
        *by_level.entry(worst).or_insert(0) += 1;
    }
    let times = Metric::ALL.map(|metric| MetricFigures {
        metric,
        figures: figures(measured.iter().map(|course| metric.of(&course.instants(), course.is_open(), now))),
    });
    let response = measured.iter().map(|course| match (&course.instants.declare, &course.instants.ack) {
        (Some(declared), Some(ack)) => Interval::Known { ms: Millis::between(declared.at, ack.at) },
        (Some(declared), None) if course.is_open() => {
            Interval::Open { more_than_ms: Millis::between(declared.at, now) }
        }
        _ => Interval::Incomplete { missing: vec!["ack"] },
    });
    let by_engine = |course: &&&Course| matches!(course.by, Actor::Engine) || !course.alarms.is_empty();
    let true_ones = measured.iter().filter(|course| !course.is_open()).filter(by_engine).count();
    let false_ones = all.iter().filter(|course| is(course, "false alarm")).filter(by_engine).count();
    IncidentMeasures {
        n: measured.len(),
        by_level,
        open: measured.iter().filter(|course| course.is_open()).count(),
        reopened: measured.iter().filter(|course| !course.reopened.is_empty()).count(),
        false_alarms: count("false alarm"),
        merged: count("merged"),
        suspected: count("suspected"),
        drills,
        times: times.into(),
        response: figures(response),
        between: is_one_service.then(|| between(&measured)),
        alert_accuracy: Ratio::of(true_ones, true_ones + false_ones),
    }
}

fn figures(intervals: impl Iterator<Item = Interval>) -> Figures {
    let (mut known, mut open, mut incomplete) = (Vec::new(), Vec::new(), 0);
    for interval in intervals {
        match interval {
            Interval::Known { ms } => known.push(ms),
            Interval::Open { more_than_ms } => open.push(more_than_ms),
            Interval::Incomplete { .. } => incomplete += 1,
        }
    }
    Figures::of(known, open, incomplete)
}

/// From the end of each incident to the beginning of the next.
fn between(measured: &[&Course]) -> Figures {
    let mut spans: Vec<(Option<Timestamp>, Option<Timestamp>, Timestamp)> = measured
        .iter()
        .map(|course| {
            let at = |instant: &Option<crate::report::incident::times::Instant>| {
                instant.as_ref().map(|instant| instant.at)
            };
            (at(&course.instants.onset), at(&course.instants.resolve), course.opened_at)
        })
        .collect();
    spans.sort_by_key(|(.., opened)| *opened);
    let mut values = Vec::new();
    let mut incomplete = 0;
    for pair in spans.windows(2) {
        match (pair[0].1, pair[1].0) {
            (Some(resolved), Some(onset)) => values.push(Millis::between(resolved, onset)),
            _ => incomplete += 1,
        }
    }
    Figures::of(values, Vec::new(), incomplete)
}
