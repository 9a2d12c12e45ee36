//! A sparkline in one row: one sample a column, the newest at the right end, gaps where samples are missing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text::{clip, put_line};
use super::{Look, Tone};

/// Samples and what they are measured against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spark<'a> {
    /// The samples, oldest first. What is missing, or is no finite number, is a gap.
    pub values: &'a [Option<f64>],
    /// At least so much is the full height; the largest sample shown may be more.
    pub full: f64,
    /// What is above it is drawn in `over`.
    pub limit: Option<f64>,
    /// What the samples mean.
    pub tone: Tone,
    /// What samples above the limit mean.
    pub over: Tone,
}

/// The sparkline as a line of exactly so many columns, for a cell of a table. Without enough samples it begins with spaces.
pub fn line(spark: &Spark<'_>, columns: u16, look: Look<'_>) -> Line<'static> {
    let room = usize::from(columns);
    let shown = &spark.values[spark.values.len().saturating_sub(room)..];
    let finite = |value: &Option<f64>| value.filter(|value| value.is_finite());
    let start = if spark.full.is_finite() { spark.full.max(0.0) } else { 0.0 };
    let top = shown.iter().filter_map(finite).fold(start, f64::max);
    let heights = look.glyphs.spark;
    let space = Span::raw(" ".repeat(room - shown.len()));
    let cells = shown.iter().map(|value| {
        let Some(value) = finite(value) else {
            return Span::styled(look.glyphs.gap, look.style(Tone::Muted));
        };
        let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
        let height = (share * heights.len() as f64).ceil() as usize;
        let is_over = spark.limit.is_some_and(|limit| value > limit);
        let tone = if is_over { spark.over } else { spark.tone };
        Span::styled(heights[height.clamp(1, heights.len()) - 1], look.ink(tone))
    });
    Line::from(std::iter::once(space).chain(cells).collect::<Vec<_>>())
}

/// Draws the sparkline in the first row of the area.
pub fn draw(buf: &mut Buffer, area: Rect, spark: &Spark<'_>, look: Look<'_>) {
    if !clip(buf, area).is_empty() {
        put_line(buf, area, (0, 0), &line(spark, area.width, look), area.width, look.glyphs.ellipsis);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{dark, in_any_area, look};
    use super::*;
    use crate::tui::glyphs::Glyphs;

    fn spark(values: &[Option<f64>]) -> Spark<'_> {
        Spark { values, full: 0.0, limit: Some(5.0), tone: Tone::Ok, over: Tone::Fail }
    }

    /// Newest at the right, zero at the bottom, gaps as gaps; the scale can be wider than the samples.
    #[test]
    fn sparklines() {
        let theme = dark();
        let rising: Vec<Option<f64>> = (0..=8).map(|value| Some(f64::from(value))).collect();
        let gaps = [Some(1.0), None, Some(f64::NAN), Some(4.0)];
        let mut shown = Vec::new();
        for glyphs in [Glyphs::unicode(), Glyphs::ascii()] {
            let look = Look { theme: &theme, glyphs };
            for (values, full, columns) in [
                (&rising[..], 0.0, 12),
                (&rising[..], 0.0, 4),
                (&rising[..], 80.0, 9),
                (&gaps[..], 0.0, 6),
                (&[Some(0.0), Some(0.0)][..], 0.0, 3),
                (&[][..], 0.0, 3),
            ] {
                shown.push(format!("[{}]", line(&Spark { full, ..spark(values) }, columns, look)));
            }
        }
        insta::assert_snapshot!(shown.join("\n"));
    }

    /// What fails is reversed where there is no colour; a bar of it is a bar all the same.
    #[test]
    fn a_bar_is_seen_without_colour() {
        let theme = crate::tui::theme::find("mono", &[]).unwrap();
        let fail = look(&theme).style(Tone::Fail);
        assert!(fail.add_modifier.contains(ratatui::style::Modifier::REVERSED), "the case is still there");
        let line = line(&spark(&[Some(6.0)]), 1, look(&theme));
        assert!(!line.spans[1].style.add_modifier.contains(ratatui::style::Modifier::REVERSED));
    }

    /// What is above the limit looks like it.
    #[test]
    fn the_limit_is_seen() {
        let theme = dark();
        let line = line(&spark(&[Some(5.0), Some(5.1)]), 2, look(&theme));
        let styles: Vec<_> = line.spans[1..].iter().map(|span| span.style).collect();
        let look = look(&theme);
        assert_eq!(styles, [look.ink(Tone::Ok), look.ink(Tone::Fail)]);
    }

    proptest! {
        /// Any samples, any scale, any area; always as long as it was asked to be.
        #[test]
        fn stays_inside(values: Vec<Option<f64>>, full: f64, columns in 0_u16..50, seed: u64) {
            let theme = dark();
            let spark = Spark { full, ..spark(&values) };
            prop_assert_eq!(line(&spark, columns, look(&theme)).width(), usize::from(columns));
            in_any_area(seed, |buf, area| draw(buf, area, &spark, look(&theme)));
        }
    }
}
