//! A service's releases in full: what they are worth, who says so and why, and what was done about them.

use super::sheet::{Sheet, Writer};
use crate::model::ServiceName;
use crate::tui::scene::Scene;

/// Writes it.
pub(super) fn write<'a>(of: &ServiceName, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let page = Writer::new(scene.look(), columns);
    Sheet::new(format!("History · {of}"), page.finish())
}
