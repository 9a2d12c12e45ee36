//! Rows and columns. Where there is too little room, whole columns go, the least important first, before a word is cut.
//!
//! Rows are known by their ids: selection and scrolling follow them wherever they move. Only rows that are seen are asked for.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::text::{clean, clip, put, put_line, width};
use super::{Look, Tone};

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column<'a> {
    /// Its title, for the header.
    pub title: &'a str,
    /// Below this width it is dropped rather than shown.
    pub min: u16,
    /// It grows with its content up to this width.
    pub max: u16,
    /// How important it is: 0 is never dropped, the highest goes first.
    pub rank: u8,
    /// Numbers stand at the right end of their column.
    pub right: bool,
}

impl<'a> Column<'a> {
    /// A column that is as wide as its content, between two widths.
    pub const fn new(title: &'a str, min: u16, max: u16, rank: u8) -> Self {
        Self { title, min, max, rank, right: false }
    }

    /// With its content at the right end.
    #[must_use]
    pub const fn at_right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// A table to draw.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a, I> {
    /// The columns, from left to right.
    pub columns: &'a [Column<'a>],
    /// The ids of all rows, in order.
    pub rows: &'a [I],
    /// The selected row.
    pub selected: Option<&'a I>,
    /// The row that was the first to be seen until now, so that nothing moves without need.
    pub top: Option<&'a I>,
    /// Whether the titles are shown.
    pub header: bool,
    /// Whether the table has the focus: the selected row is then marked in its whole width.
    pub focused: bool,
}

/// What of a table was drawn.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// The places of the rows that are seen; the id of the first is the `top` of the next frame.
    pub rows: Range<usize>,
    /// Where the first of them is drawn, counted from the top of the area.
    pub first_y: u16,
    /// The places of the columns that are seen.
    pub columns: Vec<usize>,
}

/// Columns for the mark in front of the selected row.
const MARK: u16 = 2;
/// Columns between two columns.
const GAP: u16 = 2;

/// Which rows are seen: the selected one always, `top` as the first if that is possible. If `top` is gone, the selected one
/// comes to the middle.
pub fn visible<I: PartialEq>(
    rows: &[I],
    selected: Option<&I>,
    top: Option<&I>,
    height: usize,
) -> Range<usize> {
    let place = |id: Option<&I>| id.and_then(|id| rows.iter().position(|row| row == id));
    let height = height.min(rows.len());
    let last = rows.len() - height;
    let selected = place(selected);
    let first = match (place(top), selected) {
        (Some(top), Some(selected)) => top.max((selected + 1).saturating_sub(height)).min(selected),
        (Some(top), None) => top,
        (None, Some(selected)) => selected.saturating_sub(height / 2),
        (None, None) => 0,
    };
    let first = first.min(last);
    first..first + height
}

/// Which columns are shown in so much room, and how wide they are. `content` is the widest content of each.
fn layout(columns: &[Column<'_>], content: &[u16], room: u16) -> Vec<(usize, u16)> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let least = |shown: &[usize]| {
        let widths: u32 = shown.iter().map(|at| u32::from(columns[*at].min)).sum();
        widths + u32::from(GAP) * (shown.len().saturating_sub(1) as u32)
    };
    while least(&shown) > u32::from(room) {
        // Of equals, the one further to the right.
        let drop = shown.iter().enumerate().max_by_key(|(at, column)| (columns[**column].rank, *at));
        match drop {
            Some((at, column)) if columns[*column].rank > 0 => shown.remove(at),
            _ => break,
        };
    }
    let mut left = u32::from(room).saturating_sub(least(&shown));
    let mut widths: Vec<(usize, u16)> = shown.iter().map(|at| (*at, columns[*at].min)).collect();
    // The most important ones get what they need first.
    let mut order: Vec<usize> = (0..widths.len()).collect();
    order.sort_by_key(|at| columns[widths[*at].0].rank);
    for at in order {
        let (column, width) = &mut widths[at];
        let wanted = content[*column].min(columns[*column].max).saturating_sub(*width);
        let more = u32::from(wanted).min(left);
        *width += more as u16;
        left -= more;
    }
    widths
}

/// Draws the table. `cell` gives the content of a row's column, and is asked only for rows that are seen.
pub fn draw<'c, I: PartialEq>(
    buf: &mut Buffer,
    area: Rect,
    table: &Table<'_, I>,
    cell: impl Fn(&I, usize) -> Line<'c>,
    look: Look<'_>,
) -> Shown {
    let seen = clip(buf, area);
    if seen.is_empty() || area.width <= MARK {
        return Shown::default();
    }
    // A header over a single row costs more than it says.
    let header = u16::from(table.header && area.height > 2);
    let height = usize::from(area.height - header);
    let rows = visible(table.rows, table.selected, table.top, height);
    let scrolls = rows.len() < table.rows.len();
    // The last column says that there is more.
    let room = area.width.saturating_sub(MARK + u16::from(scrolls) * 2);
    let cells: Vec<Vec<Line<'c>>> = table.rows[rows.clone()]
        .iter()
        .map(|row| (0..table.columns.len()).map(|column| cell(row, column)).collect())
        .collect();
    let content: Vec<u16> = (0..table.columns.len())
        .map(|column| {
            let title = if header > 0 { width(table.columns[column].title) } else { 0 };
            let widest = cells.iter().map(|row| line_width(&row[column])).max().unwrap_or(0);
            u16::try_from(widest.max(title)).unwrap_or(u16::MAX)
        })
        .collect();
    let widths = layout(table.columns, &content, room);
    if header > 0 {
        let titles: Vec<Line<'_>> =
            table.columns.iter().map(|column| Line::styled(column.title, look.style(Tone::Dim))).collect();
        draw_row(buf, area, 0, &widths, table.columns, &titles, look);
    }
    for (y, (row, cells)) in (header..).zip(table.rows[rows.clone()].iter().zip(&cells)) {
        draw_row(buf, area, y, &widths, table.columns, cells, look);
        if table.selected == Some(row) {
            let tone = if table.focused { Tone::Accent } else { Tone::Dim };
            put(buf, area, (0, y), look.glyphs.selected, look.style(tone));
            if table.focused {
                let line = Rect { y: area.y.saturating_add(y), height: 1, ..area };
                buf.set_style(clip(buf, line), look.style(Tone::Selection));
            }
        }
    }
    if scrolls {
        let more = |buf: &mut Buffer, y: u16, glyph: &str| {
            put(buf, area, (area.width - 1, y), glyph, look.style(Tone::Dim));
        };
        // With one row for both, what is below counts more.
        if rows.start > 0 {
            more(buf, header, look.glyphs.up);
        }
        if rows.end < table.rows.len() {
            more(buf, area.height - 1, look.glyphs.down);
        }
    }
    Shown { rows, first_y: header, columns: widths.into_iter().map(|(column, _)| column).collect() }
}

fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&clean(&span.content))).sum()
}

fn draw_row(
    buf: &mut Buffer,
    area: Rect,
    y: u16,
    widths: &[(usize, u16)],
    columns: &[Column<'_>],
    cells: &[Line<'_>],
    look: Look<'_>,
) {
    let mut x = MARK;
    for (column, room) in widths {
        let taken = u16::try_from(line_width(&cells[*column])).unwrap_or(u16::MAX);
        let from = if columns[*column].right { x + room.saturating_sub(taken) } else { x };
        put_line(buf, area, (from, y), &cells[*column], *room, look.glyphs.ellipsis);
        x = x.saturating_add(*room).saturating_add(GAP);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{any_text, dark, in_any_area, look, picture};
    use super::*;

    const COLUMNS: [Column<'_>; 4] = [
        Column::new("service", 8, 20, 0),
        Column::new("state", 6, 8, 0),
        Column::new("5xx", 6, 8, 1).at_right(),
        Column::new("since", 8, 12, 2),
    ];

    fn rows() -> Vec<&'static str> {
        vec!["checkout", "cart", "search", "payments-gateway", "stock"]
    }

    fn content(row: &str, column: usize) -> Line<'static> {
        Line::from(match column {
            0 => row.to_owned(),
            1 => "OK".to_owned(),
            2 => format!("{}.1 %", row.len()),
            _ => "14:01:07".to_owned(),
        })
    }

    fn shown(width: u16, height: u16, selected: Option<&&str>, top: Option<&&str>) -> (String, Shown) {
        let theme = dark();
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let rows = rows();
        let table = Table { columns: &COLUMNS, rows: &rows, selected, top, header: true, focused: true };
        let shown = draw(&mut buf, area, &table, |row, column| content(row, column), look(&theme));
        (picture(&buf), shown)
    }

    /// Columns go by their rank, and only then are words cut; numbers line up at the right.
    #[test]
    fn columns_give_way() {
        let tables = [50, 40, 30, 22, 18, 10].map(|width| shown(width, 6, Some(&"cart"), None).0);
        insta::assert_snapshot!(tables.join("\n\n"));
        assert_eq!(shown(34, 6, None, None).1.columns, [0, 1, 2]);
    }

    /// What does not fit is pointed at, and the selected row is always seen.
    #[test]
    fn tables_scroll() {
        let (text, what) = shown(40, 4, Some(&"search"), Some(&"cart"));
        assert_eq!((what.rows, what.first_y), (1..4, 1));
        insta::assert_snapshot!(text);
    }

    /// The top stays where it is as long as the selected row is seen; scrolling follows ids, not places.
    #[test]
    fn scrolling_follows_ids() {
        let rows = ["a", "b", "c", "d", "e", "f"];
        for (selected, top, height, range) in [
            (Some("a"), Some("a"), 3, 0..3),
            (Some("c"), Some("a"), 3, 0..3),
            (Some("d"), Some("a"), 3, 1..4),
            (Some("b"), Some("d"), 3, 1..4),
            (Some("f"), None, 3, 3..6),
            (Some("c"), Some("gone"), 3, 1..4),
            (None, Some("e"), 3, 3..6),
            (Some("gone"), None, 3, 0..3),
            (Some("f"), Some("f"), 0, 5..5),
            (None, None, 9, 0..6),
        ] {
            let found = visible(&rows, selected.as_ref(), top.as_ref(), height);
            assert_eq!(found, range, "{selected:?} {top:?} {height}");
        }
    }

    /// Rows that are not seen are not asked for: a thousand cost what the visible ones cost.
    #[test]
    fn only_visible_rows_are_asked_for() {
        let theme = dark();
        let rows: Vec<usize> = (0..1_000).collect();
        let asked = std::cell::Cell::new(0);
        let area = Rect::new(0, 0, 60, 10);
        let table = Table {
            columns: &COLUMNS,
            rows: &rows,
            selected: Some(&500),
            top: None,
            header: false,
            focused: true,
        };
        draw(
            &mut Buffer::empty(area),
            area,
            &table,
            |row, _| {
                asked.set(asked.get() + 1);
                Line::from(row.to_string())
            },
            look(&theme),
        );
        assert_eq!(asked.get(), 10 * COLUMNS.len());
    }

    proptest! {
        /// Any content, any area; and the selected row is always among those seen.
        #[test]
        fn stays_inside(
            texts in proptest::collection::vec(any_text(), 0..12),
            selected in 0_usize..14,
            top in 0_usize..14,
            header: bool,
            seed: u64,
        ) {
            let theme = dark();
            let rows: Vec<usize> = (0..texts.len()).collect();
            in_any_area(seed, |buf, area| {
                let table = Table {
                    columns: &COLUMNS,
                    rows: &rows,
                    selected: Some(&selected),
                    top: Some(&top),
                    header,
                    focused: true,
                };
                let cell = |row: &usize, column: usize| Line::from(texts[(row + column) % texts.len()].as_str());
                let shown = draw(buf, area, &table, cell, look(&theme));
                assert!(shown.rows.is_empty() || selected >= rows.len() || shown.rows.contains(&selected));
            });
        }
    }
}
