//! The course of the indicator that tells most: both arms, its limit, what happened meanwhile.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::indicators::Indicator;
use crate::engine::history::HistoryKind;
use crate::engine::state::ServiceState;
use crate::model::ServiceName;
use crate::model::release::Arm;
use crate::tui::scene::Scene;
use crate::tui::telling::interval;
use crate::tui::theme::Tone;
use crate::tui::widgets::chart::{self, Chart, Limit, Mark, Series, Times};
use crate::tui::widgets::text::{put, width};

/// Parts of the window that the picture moves on by.
const PARTS: u64 = 12;

/// Draws it: of the first indicator, which is the worst.
pub(super) fn draw(
    scene: &Scene<'_>,
    service: &ServiceName,
    known: &ServiceState,
    indicators: &[Indicator],
    area: Rect,
    buf: &mut Buffer,
) {
    let look = scene.look();
    let Some(shown) = indicators.first() else { return };
    let window = scene.ui.window();
    let points = |arm: Option<Arm>| scene.points(service, &shown.name, arm, window);
    let has_canary = known.canary().is_some() || !points(Some(Arm::Canary)).is_empty();
    let whole = shown.judged.arm.is_none();
    let (stable, canary) = (points(if whole { None } else { Some(Arm::Stable) }), points(Some(Arm::Canary)));
    // Opposite the names of the series.
    let from = usize::from(area.width).saturating_sub(width(shown.name.as_str())) as u16;
    put(buf, area, (from, 0), shown.name.as_str(), look.style(Tone::Dim));
    let name = if has_canary { "stable" } else { "live" };
    let mut series = vec![Series { name, points: &stable, tone: Tone::Stable, dotted: has_canary }];
    if has_canary {
        series.push(Series { name: "canary", points: &canary, tone: Tone::Canary, dotted: false });
    }
    let limit = shown.limit.map(|(limit, _)| (limit.value, format!("limit {limit}")));
    let limits: Vec<Limit<'_>> = limit.iter().map(|(value, label)| Limit { value: *value, label }).collect();
    let to = end(scene.now(), window);
    let from = to.checked_sub(window).unwrap_or(Timestamp::MIN);
    let marks = marks(known, from, window, area.width.saturating_sub(8));
    // Two points of the journal's past are a step apart.
    let past = scene.past(service, window);
    let steps = past.into_iter().flat_map(|past| &past.series).filter(|it| it.indicator == shown.name);
    let step = steps.map(|series| series.step).max().unwrap_or_default();
    let chart = Chart {
        series: &series,
        from,
        to,
        join: (interval(scene, service, &shown.name) * 3).max(Duration::from_secs(2)).max(step * 2),
        unit: shown.unit,
        limits: &limits,
        marks: &marks,
        times: Times::Clock(scene.picture.zone.clone()),
        legend: true,
    };
    chart::draw(buf, area, &chart, look);
}

/// Where the window ends: ahead of now, at a whole part of its length, so that the picture stands still while it fills.
fn end(now: Timestamp, window: Duration) -> Timestamp {
    let part = i64::try_from(window.as_secs() / PARTS).unwrap_or(i64::MAX).max(1);
    let whole = now.as_second().div_euclid(part).saturating_add(1).saturating_mul(part);
    Timestamp::from_second(whole).unwrap_or(Timestamp::MAX)
}

/// What happened to the service's releases in the window, newest first. Where two happened within the room of a label the
/// newer one keeps its own.
fn marks(known: &ServiceState, from: Timestamp, window: Duration, columns: u16) -> Vec<Mark<'static>> {
    // What was there at the first look did not happen then.
    let seen = known
        .history
        .iter()
        .enumerate()
        .skip_while(|(at, entry)| *at == 0 && matches!(entry.what, HistoryKind::BecameStable));
    let recent = seen.map(|(_, entry)| entry).filter(|entry| entry.at >= from);
    let mut marks: Vec<Mark<'static>> = recent
        .map(|entry| Mark {
            at: entry.at,
            label: match entry.what {
                HistoryKind::CanaryStarted { .. } => "canary",
                HistoryKind::BecameStable => "live",
                HistoryKind::Withdrawn => "withdrawn",
                HistoryKind::RolledBack { .. } => "rollback",
                HistoryKind::Promoted { .. } => "promotion",
            },
        })
        .collect();
    marks.reverse();
    let column = |at: Timestamp| {
        let share = at.duration_since(from).as_secs_f64() / window.as_secs_f64().max(1.0);
        (share * f64::from(columns)) as usize
    };
    let mut taken = usize::MAX;
    for mark in &mut marks {
        let end = column(mark.at) + width(mark.label) + 2;
        if end > taken {
            mark.label = "";
        } else {
            // The newest one may stand to the left of its line, at the right end.
            taken = column(mark.at).saturating_sub(if taken == usize::MAX { width(mark.label) } else { 0 });
        }
    }
    marks
}
