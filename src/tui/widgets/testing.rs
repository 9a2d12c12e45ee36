//! What the tests of the widgets share: any text, any area, and a picture of a buffer.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::Look;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::{self, Theme};

/// The default theme.
pub(crate) fn dark() -> Theme {
    theme::find("dark", &[]).unwrap()
}

/// The default look, of a theme that outlives it.
pub(crate) fn look(theme: &Theme) -> Look<'_> {
    Look { theme, glyphs: Glyphs::unicode() }
}

/// Text of all kinds: wide, combining, emoji, control characters and escape sequences.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    "([a-z ]|[äéß日本語한]|e\u{301}|👩‍👩‍👧|❤\u{fe0f}|🇩🇪|\u{1b}\\[3[0-9]m|[\u{0}-\u{1f}]|\u{200b}|\\PC){0,30}"
}

/// Draws into areas of any size at any place, also beyond the buffer, and panics if a cell outside was touched.
pub(crate) fn in_any_area(seed: u64, draw: impl Fn(&mut Buffer, Rect)) {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..4 {
        let (left, top) =
            if random.random() { (0, 0) } else { (random.random_range(0..9), random.random_range(0..9)) };
        let whole = Rect::new(left, top, random.random_range(0..70), random.random_range(0..24));
        let area = Rect::new(
            random.random_range(0..80),
            random.random_range(0..30),
            random.random_range(0..80),
            random.random_range(0..30),
        );
        let mut mark = Cell::new("▒");
        mark.set_style(ratatui::style::Style::new().on_magenta());
        let mut buf = Buffer::filled(whole, mark.clone());
        draw(&mut buf, area);
        for y in whole.top()..whole.bottom() {
            for x in whole.left()..whole.right() {
                let inside = area.contains((x, y).into());
                assert!(inside || buf[(x, y)] == mark, "({x}, {y}) is outside {area:?}");
            }
        }
    }
}

/// The text of a buffer, a line for a line, without the spaces at the end.
pub(crate) fn picture(buf: &Buffer) -> String {
    let rows = usize::from(buf.area.width.max(1));
    let mut lines = Vec::new();
    for row in buf.content().chunks(rows) {
        let (mut line, mut skip) = (String::new(), 0);
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = super::text::width(cell.symbol()).saturating_sub(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}
