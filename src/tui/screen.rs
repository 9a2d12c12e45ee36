//! The whole picture: header, body, footer, and what is over them, at any size.
//!
//! ```text
//! wide                            one pane at a time            40×10              less
//! ┌ header ─────────────────────┐ ┌ header ───────────────┐ ┌ header ────────┐ ┌ worst status ┐
//! │ health      │ comparison    │ │ the focused pane      │ │ worst service  │ └──────────────┘
//! │ deployments │ checklist     │ │ the others, a line    │ │ current step   │
//! └ footer ─────────────────────┘ └ footer ───────────────┘ └ footer ────────┘
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::scene::Scene;
use super::theme::Tone;
use super::ui::Pane;
use super::widgets::text::clip;
use super::{footer, header, pages, panes, small};

/// Below this there is only a line or two.
pub const SMALL: (u16, u16) = (60, 16);

/// A page that was asked for is read on less: what is asked for is seen.
const SMALLEST_PAGE: (u16, u16) = (30, 7);

/// Draws everything, and says where the cursor is if a field is edited.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let (columns, rows) = (area.width, area.height);
    buf.set_style(clip(buf, area), scene.look().style(Tone::Text));
    let is_page = scene.ui.page().is_some() && columns >= SMALLEST_PAGE.0 && rows >= SMALLEST_PAGE.1;
    // So is the checklist, where keys speak to it.
    let is_list = scene.ui.focus == Pane::Checklist
        && columns >= SMALLEST_PAGE.0
        && rows >= SMALLEST_PAGE.1
        && panes::checklist::incident(scene).is_some();
    let is_small = columns < SMALL.0 || rows < SMALL.1;
    if is_small && !is_page && !is_list {
        small::draw(scene, area, buf);
        // A question is seen at every size.
        return scene.ui.overlay.draw(scene, area, buf);
    }
    let head = Rect { height: 1, ..area };
    let body = Rect { y: area.y + 1, height: rows - 2, ..area };
    header::draw(scene, head, buf);
    if let Some((page, scroll)) = scene.ui.pages.last() {
        pages::draw(page, *scroll, scene, body, buf);
    } else if scene.ui.zoom || is_small {
        panes::draw(scene.ui.focus, scene, body, buf);
    } else if scene.ui.is_wide() {
        board(scene, body, buf);
    } else {
        single(scene, body, buf);
    }
    // The menu of a key that begins a command rises over the body.
    footer::draw(scene, Rect { y: area.y + 1, height: rows - 1, ..area }, buf);
    scene.ui.overlay.draw(scene, area, buf)
}

/// Four panes in two columns. The column and the row that matter now are the larger ones.
fn board(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let left = (u32::from(area.width) * 42 / 100) as u16;
    let (top_left, top_right) = heights(scene, area.height);
    let cut = |x: u16, width: u16, top: u16| {
        (
            Rect { x, y: area.y, width, height: top },
            Rect { x, y: area.y + top, width, height: area.height - top },
        )
    };
    let (health, deployments) = cut(area.x, left, top_left);
    let (comparison, checklist) = cut(area.x + left, area.width - left, top_right);
    panes::draw(Pane::Health, scene, health, buf);
    panes::draw(Pane::Deployments, scene, deployments, buf);
    panes::draw(Pane::Comparison, scene, comparison, buf);
    panes::draw(Pane::Checklist, scene, checklist, buf);
}

/// Rows of the upper panes: left by how many services there are, right by what matters now.
fn heights(scene: &Scene<'_>, rows: u16) -> (u16, u16) {
    let services = u16::try_from(scene.picture.roster.total()).unwrap_or(u16::MAX);
    let left = services.saturating_add(3).clamp(rows / 3, rows * 3 / 5);
    let right = if scene.incident_is_open() { rows / 2 } else { rows * 3 / 5 };
    (left, right)
}

/// The focused pane, and the others in a line each.
fn single(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let others: Vec<Pane> = Pane::ALL.into_iter().filter(|pane| *pane != scene.ui.focus).collect();
    let lines = others.len() as u16;
    let pane = Rect { height: area.height.saturating_sub(lines), ..area };
    panes::draw(scene.ui.focus, scene, pane, buf);
    for (index, other) in others.into_iter().enumerate() {
        let line = Rect { y: pane.bottom() + index as u16, height: 1, ..area };
        panes::summary_line(other, scene, line, buf);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{self, drawn, stays_inside, text};
    use crate::tui::ui::{Page, Scroll, Ui};

    /// A page that is asked for on a small screen is shown there; below that, what matters most.
    #[test]
    fn pages_are_read_on_small_screens() {
        let picture = testing::incident();
        let shown = |size| {
            let pages = vec![(Page::Why("checkout".into()), Scroll::default())];
            let ui = Ui { pages, ..Ui::new(size) };
            text(&drawn(&picture, &ui, size, |scene, area, buf| {
                draw(scene, area, buf);
            }))
        };
        let page = shown((40, 10));
        assert!(page.contains("Why · checkout") && page.contains("ROLL BACK IMMEDIATELY"), "{page}");
        let tiny = shown((24, 5));
        assert!(tiny.contains("FAIL") && !tiny.contains("Why"), "{tiny}");
    }

    /// Who goes to the checklist on a small screen works on lines that are seen.
    #[test]
    fn the_checklist_is_worked_on_on_small_screens() {
        let shown = |picture: &crate::tui::scene::Picture, size| {
            let ui = Ui { focus: Pane::Checklist, ..Ui::new(size) };
            text(&drawn(picture, &ui, size, |scene, area, buf| {
                draw(scene, area, buf);
            }))
        };
        let list = shown(&testing::incident(), (40, 10));
        assert!(list.contains("▸ ○ The incident is acknowledged") && list.contains("INC-1 SEV1"), "{list}");
        let calm = shown(&testing::rest(), (40, 10));
        assert!(!calm.contains("No incident is open"), "{calm}");
    }

    /// Whatever is shown at whatever size, nothing is drawn outside, and nothing ends the program.
    #[test]
    fn everything_stays_inside_at_every_size() {
        let pictures = [
            testing::rest(),
            testing::incident(),
            testing::running(),
            testing::needs_decision(),
            testing::stale(),
            testing::beginning(),
            testing::many(60),
        ];
        for picture in pictures {
            for pane in Pane::ALL {
                let ui = Ui { focus: pane, ..Ui::new((120, 40)) };
                stays_inside(&picture, &ui, |scene, area, buf| {
                    draw(scene, area, buf);
                });
            }
            let ui = Ui { zoom: true, ..Ui::new((80, 24)) };
            stays_inside(&picture, &ui, |scene, area, buf| {
                draw(scene, area, buf);
            });
        }
    }
}
