//! Delivery week by week, small enough to be drawn.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Period;
use super::figures::median;
use super::measures::declared_at;
use crate::report::Millis;
use crate::report::incident::course::Course;
use crate::report::releases::{Change, ChangeKind};

const WEEK_MS: i64 = 7 * 86_400_000;
/// More weeks than anybody draws.
const MOST: usize = 520;

/// A week, from Monday on, in UTC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Week {
    /// Its Monday.
    pub from: Timestamp,
    /// Deployments and hotfixes that began in it and got all the traffic.
    pub deployments: usize,
    /// Those that began in it and failed.
    pub failures: usize,
    /// Rollbacks that began in it.
    pub rollbacks: usize,
    /// Incidents that were declared in it, without drills and false alarms.
    pub incidents: usize,
    /// The median of the recoveries from failures that began in it; none without one.
    pub median_recovery_ms: Option<Millis>,
}

/// Every week of a period, those without anything too.
pub(super) fn weeks(changes: &[&Change], courses: &[&Course], known: Option<Period>) -> Vec<Week> {
    let Some(known) = known else { return Vec::new() };
    let mut out = Vec::new();
    let mut from = monday(known.from);
    while from < known.to && out.len() < MOST {
        let Ok(to) = Timestamp::from_millisecond(from.as_millisecond().saturating_add(WEEK_MS)) else {
            break;
        };
        let week = Period { from: from.max(known.from), to: to.min(known.to) };
        let made = changes.iter().filter(|change| week.has(change.at) && change.kind != ChangeKind::Rollback);
        let made: Vec<&&Change> = made.collect();
        let mut recoveries: Vec<Millis> = made.iter().filter_map(|change| change.recovery()).collect();
        recoveries.sort();
        out.push(Week {
            from,
            deployments: made.iter().filter(|change| change.live_at.is_some()).count(),
            failures: made.iter().filter(|change| change.failure.is_some()).count(),
            rollbacks: changes
                .iter()
                .filter(|change| week.has(change.at) && change.kind == ChangeKind::Rollback)
                .count(),
            incidents: courses
                .iter()
                .filter(|course| !course.drill && course.ended.is_none() && !course.suspected)
                .filter(|course| week.has(declared_at(course)))
                .count(),
            median_recovery_ms: median(&recoveries),
        });
        from = to;
    }
    out
}

/// The Monday at or before an instant.
fn monday(at: Timestamp) -> Timestamp {
    let day = at.to_zoned(TimeZone::UTC).date();
    let back = i64::from(day.weekday().to_monday_zero_offset());
    let monday = day.checked_sub(jiff::Span::new().days(back)).unwrap_or(day);
    monday.to_zoned(TimeZone::UTC).map_or(at, |zoned| zoned.timestamp())
}
