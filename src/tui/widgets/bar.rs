//! A bar in one row: a value against its maximum, with a mark at the limit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::put_line;
use super::{Look, Tone};

/// A value and what it is measured against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bar {
    /// What is shown; none for missing data: the bar is then made of gaps.
    pub value: Option<f64>,
    /// What fills the bar. What is larger fills it too.
    pub max: f64,
    /// Where the mark stands.
    pub limit: Option<f64>,
    /// What the filled part means.
    pub tone: Tone,
}

/// The bar as a line of exactly so many columns, for a cell of a table.
pub fn line(bar: &Bar, columns: u16, look: Look<'_>) -> Line<'static> {
    let glyphs = look.glyphs;
    let share = |value: f64| {
        let share = value / bar.max;
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    };
    let eighths = bar.value.map(|value| (share(value) * f64::from(columns) * 8.0).round() as usize);
    // What is not nothing shows, at least as the smallest part.
    let eighths = eighths.map(|eighths| eighths.max(usize::from(bar.value.is_some_and(|value| value > 0.0))));
    let limit = bar.limit.filter(|_| columns > 1).map(|limit| {
        let column = (share(limit) * f64::from(columns)) as u16;
        column.min(columns - 1)
    });
    let cells = (0..columns).map(|column| {
        if limit == Some(column) {
            return Span::styled(glyphs.bar_limit, look.style(Tone::Limit));
        }
        let Some(eighths) = eighths else { return Span::styled(glyphs.gap, look.style(Tone::Muted)) };
        match eighths.saturating_sub(usize::from(column) * 8) {
            0 => Span::styled(glyphs.bar_empty, look.style(Tone::Muted)),
            part @ 1..8 => Span::styled(glyphs.bar_part[part - 1], look.ink(bar.tone)),
            _ => Span::styled(glyphs.bar_full, look.ink(bar.tone)),
        }
    });
    Line::from(cells.collect::<Vec<_>>())
}

/// Draws the bar in the first row of the area.
pub fn draw(buf: &mut Buffer, area: Rect, bar: &Bar, look: Look<'_>) {
    let seen = super::text::clip(buf, area);
    if !seen.is_empty() {
        put_line(buf, area, (0, 0), &line(bar, area.width, look), area.width, look.glyphs.ellipsis);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{dark, in_any_area, look};
    use super::*;
    use crate::tui::glyphs::Glyphs;

    /// Bars of both symbol sets: filled in eighths, something for anything, gaps for nothing known.
    #[test]
    fn bars() {
        let theme = dark();
        let bar = |value: Option<f64>, limit| Bar { value, max: 1.0, limit, tone: Tone::Canary };
        let mut shown = Vec::new();
        for glyphs in [Glyphs::unicode(), Glyphs::ascii()] {
            let look = Look { theme: &theme, glyphs };
            for (value, limit) in [
                (Some(0.0), None),
                (Some(0.001), None),
                (Some(0.2), None),
                (Some(0.55), Some(0.8)),
                (Some(0.95), Some(0.3)),
                (Some(7.0), Some(1.0)),
                (None, Some(0.5)),
                (Some(f64::NAN), None),
            ] {
                shown.push(format!("[{}]", line(&bar(value, limit), 10, look)));
            }
        }
        insta::assert_snapshot!(shown.join("\n"));
    }

    proptest! {
        /// A larger value never makes a shorter bar, and a bar is always as long as it was asked to be.
        #[test]
        fn bars_grow(a in 0.0..2.0, b in 0.0..2.0, columns in 0_u16..60) {
            let theme = dark();
            let shown = |value: f64| {
                let bar = Bar { value: Some(value), max: 1.0, limit: None, tone: Tone::Ok };
                line(&bar, columns, look(&theme)).to_string()
            };
            let filled = |text: &str| text.chars().filter(|c| *c != '░').count();
            let (a, b) = (shown(f64::min(a, b)), shown(f64::max(a, b)));
            prop_assert!(filled(&a) <= filled(&b));
            prop_assert_eq!(a.chars().count(), usize::from(columns));
        }

        /// Any number, any area.
        #[test]
        fn stays_inside(value: Option<f64>, max: f64, limit: Option<f64>, seed: u64) {
            let theme = dark();
            in_any_area(seed, |buf, area| {
                draw(buf, area, &Bar { value, max, limit, tone: Tone::Fail }, look(&theme));
            });
        }
    }
}
