//! The comparison pane.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::scene::Scene;

/// Draws it.
pub fn draw(_scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}

/// One line, for where the pane has no room.
pub fn summary(_scene: &Scene<'_>) -> String {
    String::new()
}
