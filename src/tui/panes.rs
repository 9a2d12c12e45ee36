//! The four panes of the board, one file each: functions of the scene that draw and change nothing.

pub mod checklist;
pub mod comparison;
pub mod deployments;
pub mod health;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::Scene;
use super::theme::Tone;
use super::ui::Pane;
use super::widgets::text::{Cut, clean, fit, put, width};

/// Draws a pane.
pub fn draw(pane: Pane, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    match pane {
        Pane::Health => health::draw(scene, area, buf),
        Pane::Comparison => comparison::draw(scene, area, buf),
        Pane::Deployments => deployments::draw(scene, area, buf),
        Pane::Checklist => checklist::draw(scene, area, buf),
    }
}

/// A pane in one line, for where it has no room.
pub fn summary(pane: Pane, scene: &Scene<'_>) -> String {
    match pane {
        Pane::Health => health::summary(scene),
        Pane::Comparison => comparison::summary(scene),
        Pane::Deployments => deployments::summary(scene),
        Pane::Checklist => checklist::summary(scene),
    }
}

/// The columns that a frame has for what stands opposite its title.
fn info_room(area: Rect, title: &str) -> usize {
    // Corner, number, spaces around both, corner.
    usize::from(area.width).saturating_sub(width(title) + 8)
}

/// A pane in one line, with the key that leads to it.
///
/// ```text
///  1 Health            1 failing · 1 degraded · checkout: errors 7.1 %
/// ```
pub fn summary_line(pane: Pane, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let x = put(buf, area, (1, 0), &pane.number().to_string(), look.style(Tone::Key));
    put(buf, area, (x + 1, 0), pane.title(), look.style(Tone::Title));
    // Below each other, the words begin in one column.
    let widest = Pane::ALL.into_iter().map(|pane| width(pane.title())).max().unwrap_or(0) as u16;
    let from = x + 1 + widest + 2;
    let room = usize::from(area.width.saturating_sub(from + 1));
    let text = clean(&summary(pane, scene)).into_owned();
    put(buf, area, (from, 0), &fit(&text, room, Cut::End, look.glyphs.ellipsis), look.style(Tone::Dim));
}
