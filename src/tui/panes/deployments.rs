//! The releases of the service that is looked at, newest first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::ReleaseRef;
use crate::tui::scene::Scene;

/// The releases that are listed, in their order.
pub fn listed(_scene: &Scene<'_>) -> Vec<ReleaseRef> {
    Vec::new()
}

/// Draws it.
pub fn draw(_scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}

/// One line, for where the pane has no room.
pub fn summary(_scene: &Scene<'_>) -> String {
    String::new()
}
