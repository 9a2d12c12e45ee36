//! Views of one thing in place of the board, one file each: functions of the scene that write a [`sheet`] and change nothing.

pub mod delivery;
pub mod history;
pub mod incident;
pub mod log;
pub mod operation;
pub mod service;
pub mod sheet;
pub mod sources;
pub mod timeline;
pub mod why;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::sheet::Sheet;
use super::scene::Scene;
use super::ui::{Page, Scroll};

/// Draws a page.
pub fn draw(page: &Page, scroll: Scroll, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (columns, _) = sheet::room(area);
    sheet::draw(&write(page, scene, columns), scroll, scene.look(), area, buf);
}

/// Where a page that is drawn in this area begins, and where it begins when its end is seen.
pub fn place(page: &Page, scroll: Scroll, scene: &Scene<'_>, area: Rect) -> (usize, usize) {
    let (columns, rows) = sheet::room(area);
    let sheet = write(page, scene, columns);
    (sheet.top(scroll, rows), sheet.total.saturating_sub(rows))
}

/// A page in lines of so many columns.
fn write<'a>(page: &Page, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    match page {
        Page::Service(service) => service::write(service, scene, columns),
        Page::Why(service) => why::write(service, scene, columns),
        Page::Operation(id) => operation::write(id, scene, columns),
        Page::Timeline => timeline::write(scene, columns),
        Page::Incident(id) => incident::write(id, scene, columns),
        Page::Sources => sources::write(scene, columns),
        Page::Delivery => delivery::write(scene, columns),
        Page::Log(service) => log::write(service, scene, columns),
        Page::History(service) => history::write(service, scene, columns),
    }
}

#[cfg(test)]
mod tests;
