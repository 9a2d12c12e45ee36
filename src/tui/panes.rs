//! The four panes of the board, one file each: functions of the scene that draw and change nothing.

pub mod checklist;
pub mod comparison;
pub mod deployments;
pub mod health;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::Scene;
use super::ui::Pane;

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

/// A pane in one line, with its number.
pub fn summary_line(pane: Pane, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let text = format!(" {} {}  {}", pane.number(), pane.title(), summary(pane, scene));
    buf.set_stringn(
        area.x,
        area.y,
        text,
        usize::from(area.width),
        scene.picture.theme.style(super::theme::Tone::Dim),
    );
}
