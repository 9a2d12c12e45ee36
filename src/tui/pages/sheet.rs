//! What a page is made of: a title and lines, of which as many are seen as there is room for.
//!
//! [`Writer`] makes the lines of a page that is short enough to be written whole. A long one gives its lines as they are
//! asked for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Tone;
use crate::tui::ui::Scroll;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::table::{self, Column, Table};
use crate::tui::widgets::{Look, text};

/// A page, as far as it is drawn.
pub struct Sheet<'a> {
    /// What is in the frame's title.
    pub title: String,
    /// Why the data are old, if they are.
    pub stale: Option<String>,
    /// How many lines there are.
    pub total: usize,
    /// A line, counted from 0.
    pub line: Box<dyn Fn(usize) -> Line<'static> + 'a>,
}

impl Sheet<'_> {
    /// Of lines that are all there.
    pub fn new(title: impl Into<String>, lines: Vec<Line<'static>>) -> Self {
        let total = lines.len();
        let line = move |index: usize| lines.get(index).cloned().unwrap_or_default();
        Self { title: title.into(), stale: None, total, line: Box::new(line) }
    }

    /// Where the first line that is seen is, with so many rows.
    pub fn top(&self, scroll: Scroll, rows: usize) -> usize {
        let last = self.total.saturating_sub(rows);
        if scroll.follows { last } else { scroll.top.min(last) }
    }
}

/// The columns and rows that lines have in a page's area.
pub const fn room(area: Rect) -> (usize, usize) {
    (area.width.saturating_sub(4) as usize, area.height.saturating_sub(2) as usize)
}

/// Draws a page from where it is scrolled to, never beyond its end.
pub fn draw(sheet: &Sheet<'_>, scroll: Scroll, look: Look<'_>, area: Rect, buf: &mut Buffer) {
    let (_, rows) = room(area);
    let top = sheet.top(scroll, rows);
    let bottom = (top + rows).min(sheet.total);
    let info = if sheet.total > rows && rows > 0 {
        let dash = if look.glyphs == Glyphs::ascii() { "-" } else { "–" };
        Line::raw(format!("{}{dash}{bottom} of {}", top + 1, sheet.total))
    } else {
        Line::default()
    };
    let frame = Panel {
        number: None,
        title: &sheet.title,
        info,
        frame: Frame::Focused,
        stale: sheet.stale.as_deref(),
    };
    let inside = panel::draw(buf, area, &frame, look);
    let width = inside.width.saturating_sub(2);
    for (y, index) in (0..inside.height).zip(top..bottom) {
        text::put_line(buf, inside, (1, y), &(sheet.line)(index), width, look.glyphs.ellipsis);
    }
}

/// Columns that text is moved in below a heading.
const INDENT: usize = 2;
/// Columns up to which a table's column holds words and not sentences.
const WORDS: u16 = 60;
/// Columns of a field's name.
const NAME: usize = 12;

/// Writes lines of so many columns.
pub struct Writer<'a> {
    /// What they are drawn with.
    pub look: Look<'a>,
    columns: usize,
    lines: Vec<Line<'static>>,
}

impl<'a> Writer<'a> {
    /// Nothing written yet.
    pub const fn new(look: Look<'a>, columns: usize) -> Self {
        Self { look, columns, lines: Vec::new() }
    }

    /// The columns that there are.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What was written.
    pub fn finish(self) -> Vec<Line<'static>> {
        self.lines
    }

    /// A line as it is; cut when it is drawn.
    pub fn line(&mut self, line: impl Into<Line<'static>>) {
        self.lines.push(line.into());
    }

    /// A line with something at its right end, as far as there is room for both.
    pub fn both_ends(&mut self, left: Vec<Span<'static>>, right: Span<'static>) {
        let taken: usize = left.iter().map(|span| text::width(&text::clean(&span.content))).sum();
        let wanted = text::width(&text::clean(&right.content));
        let mut spans = left;
        if taken + wanted + 2 <= self.columns {
            spans.push(Span::raw(" ".repeat(self.columns - taken - wanted)));
            spans.push(right);
        }
        self.line(spans);
    }

    /// An empty line, unless there is one already or nothing is above it.
    pub fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// Begins a part.
    pub fn heading(&mut self, words: &str) {
        self.blank();
        self.lines.push(Line::styled(words.to_owned(), self.look.style(Tone::Title)));
    }

    /// A text below a heading, in as many lines as it takes.
    pub fn text(&mut self, tone: Tone, words: &str) {
        self.marked(Span::raw(" ".repeat(INDENT)), tone, words);
    }

    /// A text with a mark in front of its first line.
    pub fn bullet(&mut self, mark: &Span<'_>, tone: Tone, words: &str) {
        let mark = Span::styled(format!("{}{} ", " ".repeat(INDENT), mark.content), mark.style);
        self.marked(mark, tone, words);
    }

    /// A named text: the name in a column of its own.
    pub fn field(&mut self, name: &str, tone: Tone, words: &str) {
        let name = format!("{}{}", " ".repeat(INDENT), text::pad(name, NAME, self.look.glyphs.ellipsis));
        self.marked(Span::styled(name, self.look.style(Tone::Dim)), tone, words);
    }

    /// A named line of several meanings.
    pub fn field_line(&mut self, name: &str, spans: Vec<Span<'static>>) {
        let name = format!("{}{}", " ".repeat(INDENT), text::pad(name, NAME, self.look.glyphs.ellipsis));
        let mut all = vec![Span::styled(name, self.look.style(Tone::Dim))];
        all.extend(spans);
        self.line(all);
    }

    /// A text behind something, its further lines below its own beginning.
    pub fn marked(&mut self, first: Span<'static>, tone: Tone, words: &str) {
        self.behind(vec![first], tone, words);
    }

    /// Rows whose last cell is a sentence, in as many lines as it takes: the cells in front of it in columns.
    pub fn sentences(&mut self, rows: Vec<(Vec<Span<'static>>, Tone, String)>) {
        let cells = rows.iter().map(|(cells, ..)| cells.len()).max().unwrap_or(0);
        let width = |span: &Span<'_>| text::width(&text::clean(&span.content));
        let widest = |at: usize| rows.iter().filter_map(|(cells, ..)| cells.get(at)).map(width).max();
        let widths: Vec<usize> = (0..cells).map(|at| widest(at).unwrap_or(0)).collect();
        for (cells, tone, words) in rows {
            let mut first = vec![Span::raw(" ".repeat(INDENT))];
            for (cell, widest) in cells.into_iter().zip(&widths) {
                let air = " ".repeat(widest - width(&cell) + 2);
                first.extend([cell, Span::raw(air)]);
            }
            self.behind(first, tone, &words);
        }
    }

    fn behind(&mut self, first: Vec<Span<'static>>, tone: Tone, words: &str) {
        let indent = first.iter().map(|span| text::width(&text::clean(&span.content))).sum();
        // With no room beside the mark, the text has the whole line.
        let (indent, room) = match self.columns.checked_sub(indent) {
            Some(room) if room >= 8 => (indent, room),
            _ => (0, self.columns.max(1)),
        };
        let style = self.look.style(tone);
        let mut lines = text::wrap(&text::clean(words), room).into_iter();
        let begin = lines.next().unwrap_or_default();
        if indent == 0 {
            self.lines.push(Line::from(first));
            self.lines.push(Line::styled(begin, style));
        } else {
            let mut line = first;
            line.push(Span::styled(begin, style));
            self.lines.push(Line::from(line));
        }
        for more in lines {
            self.lines.push(Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(more, style)]));
        }
    }

    /// Rows and columns, with titles. Where there is too little room, the least important columns go.
    pub fn table(&mut self, columns: &[Column<'_>], rows: &[Vec<Line<'static>>]) {
        self.grid(columns, rows, true);
    }

    fn grid(&mut self, columns: &[Column<'_>], rows: &[Vec<Line<'static>>], header: bool) {
        let columns = &self.whole(columns, rows);
        let ids: Vec<usize> = (0..rows.len()).collect();
        // The header wants a row below it even if there is only one row.
        let height = u16::try_from(rows.len() + 1).unwrap_or(u16::MAX).max(3);
        let width = u16::try_from(self.columns).unwrap_or(u16::MAX);
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        let table = Table { columns, rows: &ids, selected: None, top: None, header, focused: false };
        let cell = |row: &usize, column: usize| rows[*row].get(column).cloned().unwrap_or_default();
        table::draw(&mut buf, area, &table, cell, self.look);
        let lines = rows.len() + usize::from(header);
        self.lines.extend((0..lines).map(|y| row(&buf, y)));
    }
}

impl Writer<'_> {
    /// The columns, none of them so narrow that a word of it is cut while another could go.
    fn whole<'c>(&self, columns: &[Column<'c>], rows: &[Vec<Line<'static>>]) -> Vec<Column<'c>> {
        let widest =
            |at: usize| rows.iter().filter_map(|row| row.get(at)).map(Line::width).max().unwrap_or(0);
        let whole: Vec<Column<'c>> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let content = u16::try_from(widest(at)).unwrap_or(u16::MAX);
                // A column of sentences is cut all the same.
                let min =
                    if column.max > WORDS { column.min } else { content.min(column.max).max(column.min) };
                Column { min, ..*column }
            })
            .collect();
        let least: usize =
            whole.iter().filter(|column| column.rank == 0).map(|column| usize::from(column.min) + 2).sum();
        if least <= self.columns { whole } else { columns.to_vec() }
    }
}

/// A row of a buffer as a line.
fn row(buf: &Buffer, y: usize) -> Line<'static> {
    let width = usize::from(buf.area.width);
    let cells = buf.content().get(y * width..(y + 1) * width).unwrap_or_default();
    let mut spans: Vec<Span<'static>> = Vec::new();
    let (mut skip, mut written, mut style) = (0, String::new(), Style::default());
    for cell in cells {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        if cell.style() != style && !written.is_empty() {
            spans.push(Span::styled(std::mem::take(&mut written), style));
        }
        style = cell.style();
        written.push_str(cell.symbol());
        skip = text::width(cell.symbol()).saturating_sub(1);
    }
    let rest = written.trim_end();
    if !rest.is_empty() {
        spans.push(Span::styled(rest.to_owned(), style));
    }
    Line::from(spans)
}
