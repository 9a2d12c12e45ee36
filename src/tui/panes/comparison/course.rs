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
    let now = scene.now();
    let from = now.checked_sub(window).unwrap_or(Timestamp::MIN);
    let marks = marks(known, from);
    let chart = Chart {
        series: &series,
        from,
        to: now,
        join: (interval(scene, service, &shown.name) * 3).max(Duration::from_secs(2)),
        unit: shown.unit,
        limits: &limits,
        marks: &marks,
        times: Times::Clock(scene.picture.zone.clone()),
        legend: true,
    };
    chart::draw(buf, area, &chart, look);
}

/// What happened to the service's releases since then.
fn marks(known: &ServiceState, from: Timestamp) -> Vec<Mark<'static>> {
    let recent = known.history.iter().rev().take_while(|entry| entry.at >= from);
    recent
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
        .collect()
}
