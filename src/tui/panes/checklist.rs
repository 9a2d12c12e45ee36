//! What to do: the checklist of the open incident.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::scene::Scene;

/// The lines that are listed, in their order.
pub fn listed(_scene: &Scene<'_>) -> Vec<String> {
    Vec::new()
}

/// Draws it.
pub fn draw(_scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}

/// One line, for where the pane has no room.
pub fn summary(_scene: &Scene<'_>) -> String {
    String::new()
}
