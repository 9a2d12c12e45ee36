//! The service page.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::ServiceName;
use crate::tui::scene::Scene;
use crate::tui::ui::Scroll;

/// Draws it.
pub fn draw(_of: &ServiceName, _scroll: Scroll, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) {}
