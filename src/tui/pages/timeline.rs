//! What happened, newest last.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::tui::scene::Scene;
use crate::tui::ui::Scroll;

/// Draws it.
pub fn draw(_scroll: Scroll, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}
