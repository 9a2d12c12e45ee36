//! What the dialogs are drawn in and with: a cleared place in the middle (all of a small screen), a frame, fields.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::Look;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::text::{Cut, clip, fit, put, width};

/// Below the first a screen is all a dialog's; below the second the dialog has no frame.
const SMALL: (u16, u16) = (64, 18);
const FRAMELESS: (u16, u16) = (36, 9);

/// Where a dialog is, and what of it is inside its frame, for a screen and the rows and columns that it would like inside.
pub(super) fn place(screen: Rect, columns: u16, rows: u16) -> (Rect, Rect) {
    let outer = if screen.width < SMALL.0 || screen.height < SMALL.1 {
        screen
    } else {
        // The header and the footer stay in sight.
        let width = columns.saturating_add(4).min(screen.width - 4);
        let height = rows.saturating_add(2).min(screen.height - 2);
        Rect {
            x: screen.x + (screen.width - width) / 2,
            y: screen.y + (screen.height - height) / 2,
            width,
            height,
        }
    };
    if screen.width < FRAMELESS.0 || screen.height < FRAMELESS.1 {
        return (outer, outer);
    }
    let inner = Rect { x: outer.x + 2, y: outer.y + 1, width: outer.width - 4, height: outer.height - 2 };
    (outer, inner)
}

/// Clears a place and draws the frame, if there is room for one. Without a frame whoever calls shows the title.
pub(super) fn open(
    scene: &Scene<'_>,
    (outer, inner): (Rect, Rect),
    buf: &mut Buffer,
    title: &str,
    frame: Frame,
) {
    let look = scene.look();
    let seen = clip(buf, outer);
    for y in seen.top()..seen.bottom() {
        for x in seen.left()..seen.right() {
            buf[(x, y)].reset();
        }
    }
    buf.set_style(seen, look.style(Tone::Text));
    if outer != inner {
        panel::draw(buf, outer, &Panel { title, frame, ..Panel::default() }, look);
    }
}

/// A field in a line: its label, then what is typed. Answers where the cursor is, if it is edited.
pub(super) fn field(
    look: Look<'_>,
    area: Rect,
    buf: &mut Buffer,
    label: &str,
    input: &Input,
    edited: bool,
) -> Option<Position> {
    if clip(buf, area).is_empty() {
        return None;
    }
    // The text needs more room than its label.
    let label = fit(label, usize::from(area.width) / 2, Cut::default(), look.glyphs.ellipsis);
    let tone = if edited { Tone::Focus } else { Tone::Dim };
    let mut at = 0;
    if !label.is_empty() {
        at = put(buf, area, (0, 0), &label, look.style(tone)) + 1;
    }
    let room = area.width.saturating_sub(at);
    if room == 0 {
        return None;
    }
    let field = Rect { x: area.x + at, width: room, height: 1, ..area };
    buf.set_style(clip(buf, field), look.style(Tone::Input));
    // Only what is edited is seen from where the cursor is.
    if !edited {
        put(
            buf,
            field,
            (0, 0),
            &fit(input.value(), usize::from(room), Cut::default(), look.glyphs.ellipsis),
            look.style(Tone::Input),
        );
        return None;
    }
    let scroll = input.visual_scroll(usize::from(room.saturating_sub(1)));
    let (mut skipped, mut shown) = (0, String::new());
    for char in input.value().chars() {
        if skipped < scroll {
            skipped += width(char.encode_utf8(&mut [0; 4]));
        } else {
            shown.push(char);
        }
    }
    put(buf, field, (0, 0), &shown, look.style(Tone::Input));
    let column = input.visual_cursor().saturating_sub(scroll).min(usize::from(room - 1));
    Some(Position::new(field.x + u16::try_from(column).unwrap_or(0), field.y))
}
