//! Dots in cells: braille (2 × 4 a cell), half blocks (1 × 2) or ASCII (1 × 1).

use crate::tui::glyphs::ChartMarks;

/// What ASCII draws the first series with, the second, and so on.
const LETTERS: [&str; 4] = ["+", "*", "x", "o"];

/// A grid of cells whose dots are set one by one.
#[derive(Debug)]
pub(super) struct Canvas {
    width: u16,
    height: u16,
    marks: ChartMarks,
    /// The dots of each cell, and the series that set the last of them.
    cells: Vec<(u8, u8)>,
}

impl Canvas {
    pub(super) fn new(width: u16, height: u16, marks: ChartMarks) -> Self {
        Self { width, height, marks, cells: vec![(0, 0); usize::from(width) * usize::from(height)] }
    }

    /// Dots in a cell: across and down.
    const fn density(&self) -> (u32, u32) {
        match self.marks {
            ChartMarks::Braille => (2, 4),
            ChartMarks::Block => (1, 2),
            ChartMarks::Ascii => (1, 1),
        }
    }

    /// Dots in the whole grid: across and down.
    pub(super) fn dots(&self) -> (u32, u32) {
        let (across, down) = self.density();
        (u32::from(self.width) * across, u32::from(self.height) * down)
    }

    /// The row of cells that a row of dots is in.
    pub(super) fn row_of(&self, dot: i64) -> u16 {
        let row = dot.max(0) / i64::from(self.density().1);
        u16::try_from(row).unwrap_or(u16::MAX).min(self.height.saturating_sub(1))
    }

    /// Whether no dot is set in a cell.
    pub(super) fn is_empty(&self, x: u16, y: u16) -> bool {
        let at = usize::from(y) * usize::from(self.width) + usize::from(x);
        self.cells.get(at).is_none_or(|(dots, _)| *dots == 0)
    }

    /// A straight line between two dots, both included.
    pub(super) fn line(&mut self, from: (i64, i64), to: (i64, i64), series: usize, dotted: bool) {
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let steps = across.abs().max(down.abs());
        for step in 0..=steps {
            let along = |start: i64, length: i64| {
                if steps == 0 {
                    start
                } else {
                    start + (2 * length * step + steps * length.signum()) / (2 * steps)
                }
            };
            let (x, y) = (along(from.0, across), along(from.1, down));
            // Counted in places, not in steps, so that the rhythm goes on from piece to piece.
            let place = if down.abs() > across.abs() { y } else { x };
            // ASCII has no finer dots; there the series differ by their letters.
            if !dotted || self.marks == ChartMarks::Ascii || place % 2 == 0 {
                self.set(x, y, series);
            }
        }
    }

    fn set(&mut self, x: i64, y: i64, series: usize) {
        let (across, down) = self.density();
        let (wide, high) = self.dots();
        if !(0..i64::from(wide)).contains(&x) || !(0..i64::from(high)).contains(&y) {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let (column, row) = (x / across as usize, y / down as usize);
        let (inner_x, inner_y) = (x % across as usize, y % down as usize);
        let bit = match self.marks {
            // The order of the dots in the code points of braille.
            ChartMarks::Braille => [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]][inner_x][inner_y],
            ChartMarks::Block => 1 << inner_y,
            ChartMarks::Ascii => 1,
        };
        let at = row * usize::from(self.width) + column;
        if let Some((dots, last)) = self.cells.get_mut(at) {
            *dots |= bit;
            *last = series as u8;
        }
    }

    /// Calls `draw` for every cell with dots: its place, what it looks like, and the series that it belongs to.
    pub(super) fn each(&self, mut draw: impl FnMut((u16, u16), &str, usize)) {
        let mut buffer = [0; 4];
        for y in 0..self.height {
            for x in 0..self.width {
                let (dots, series) = self.cells[usize::from(y) * usize::from(self.width) + usize::from(x)];
                if dots != 0 {
                    draw(
                        (x, y),
                        symbol(self.marks, dots, usize::from(series), &mut buffer),
                        usize::from(series),
                    );
                }
            }
        }
    }
}

fn symbol(marks: ChartMarks, dots: u8, series: usize, buffer: &mut [u8; 4]) -> &str {
    match marks {
        ChartMarks::Braille => char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ').encode_utf8(buffer),
        ChartMarks::Block => ["▀", "▄", "█"][usize::from(dots.clamp(1, 3)) - 1],
        ChartMarks::Ascii => LETTERS[series % LETTERS.len()],
    }
}

/// A piece of a series' line, for the legend.
pub(super) fn sample(marks: ChartMarks, series: usize, dotted: bool) -> &'static str {
    match (marks, dotted) {
        (ChartMarks::Braille, false) => "⠒⠒",
        (ChartMarks::Braille, true) => "⠂⠂",
        (ChartMarks::Block, false) => "▀▀",
        (ChartMarks::Block, true) => "▀ ▀",
        (ChartMarks::Ascii, _) => LETTERS[series % LETTERS.len()],
    }
}
