//! Views of one thing in place of the board, one file each: functions of the scene that draw and change nothing.

pub mod history;
pub mod operation;
pub mod service;
pub mod timeline;
pub mod why;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::Scene;
use super::ui::{Page, Scroll};

/// Draws a page.
pub fn draw(page: &Page, scroll: Scroll, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    match page {
        Page::Service(service) => service::draw(service, scroll, scene, area, buf),
        Page::Why(service) => why::draw(service, scroll, scene, area, buf),
        Page::Operation(id) => operation::draw(id, scroll, scene, area, buf),
        Page::Timeline => timeline::draw(scroll, scene, area, buf),
        Page::History(service) => history::draw(service, scroll, scene, area, buf),
    }
}
