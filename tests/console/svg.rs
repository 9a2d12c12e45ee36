//! A terminal's screen as an SVG picture: text stays text, so the picture is small, sharp and can be searched.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// Width and height of a cell, and where in it the text stands.
const CELL: (f64, f64) = (8.4, 18.0);
const BASELINE: f64 = 13.5;
const MARGIN: f64 = 14.0;

/// The colours of the terminal that the picture pretends to be.
pub(crate) struct Terminal {
    pub background: &'static str,
    pub text: &'static str,
    /// The sixteen named colours.
    pub named: [&'static str; 16],
}

pub(crate) const DARK: Terminal = Terminal {
    background: "#14181d",
    text: "#d5dae0",
    named: [
        "#1c2128", "#e5616a", "#7fbf7a", "#d9b35b", "#6ea3dd", "#b78ad6", "#5fb8bf", "#c8cdd3", "#6b747f",
        "#f47d85", "#98d493", "#ecca7a", "#8dbcf0", "#cfa6e8", "#7fd3d9", "#eef1f4",
    ],
};

pub(crate) const LIGHT: Terminal = Terminal {
    background: "#fdfdfb",
    text: "#24292f",
    named: [
        "#24292f", "#b3202c", "#23743a", "#8a5a00", "#1a5fb4", "#7a3e9d", "#0f6f78", "#e6e8ea", "#6b747f",
        "#cf222e", "#2da44e", "#9a6700", "#0969da", "#8250df", "#1b7c83", "#ffffff",
    ],
};

/// How a run of cells looks.
#[expect(clippy::struct_excessive_bools, reason = "each is something that a cell is or is not")]
#[derive(Clone, PartialEq, Eq)]
struct Look {
    fg: String,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
}

impl Terminal {
    fn colour(&self, color: Color) -> Option<String> {
        match color {
            Color::Default => None,
            Color::Idx(index @ 0..=15) => Some(self.named[usize::from(index)].to_owned()),
            Color::Idx(index @ 16..=231) => {
                let cube = index - 16;
                let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * u16::from(step) };
                Some(format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6)))
            }
            Color::Idx(index) => {
                let grey = 8 + 10 * u16::from(index - 232);
                Some(format!("#{grey:02x}{grey:02x}{grey:02x}"))
            }
            Color::Rgb(red, green, blue) => Some(format!("#{red:02x}{green:02x}{blue:02x}")),
        }
    }

    fn look(&self, cell: &Cell) -> Look {
        let (mut fg, mut bg) = (self.colour(cell.fgcolor()), self.colour(cell.bgcolor()));
        if cell.inverse() {
            (fg, bg) = (
                Some(bg.unwrap_or_else(|| self.background.to_owned())),
                Some(fg.unwrap_or_else(|| self.text.to_owned())),
            );
        }
        Look {
            fg: fg.unwrap_or_else(|| self.text.to_owned()),
            bg,
            bold: cell.bold(),
            dim: cell.dim(),
            italic: cell.italic(),
            underline: cell.underline(),
        }
    }
}

/// The picture of a screen, with a title for those who cannot see it.
pub(crate) fn picture(screen: &Screen, terminal: &Terminal, title: &str) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) =
        (f64::from(columns) * CELL.0 + 2.0 * MARGIN, f64::from(rows) * CELL.1 + 2.0 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\">\n\
         <title>{}</title>\n\
         <style>text{{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>",
        escaped(title),
        terminal.background
    );
    for row in 0..rows {
        let (mut column, y) = (0, f64::from(row) * CELL.1 + MARGIN);
        while column < columns {
            let Some(cell) = screen.cell(row, column) else { break };
            let look = terminal.look(cell);
            let start = column;
            let mut text = String::new();
            while let Some(cell) = screen.cell(row, column).filter(|cell| terminal.look(cell) == look) {
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += if cell.is_wide() { 2 } else { 1 };
                if column >= columns {
                    break;
                }
            }
            run(&mut svg, &look, &text, (start, column), y);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn run(svg: &mut String, look: &Look, text: &str, (start, end): (u16, u16), y: f64) {
    let (x, width) = (f64::from(start) * CELL.0 + MARGIN, f64::from(end - start) * CELL.0);
    if let Some(bg) = &look.bg {
        let height = CELL.1;
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{bg}\"/>"
        );
    }
    let blank = text.trim_end();
    if blank.trim().is_empty() {
        return;
    }
    let lead = blank.len() - blank.trim_start().len();
    let shown = blank.trim_start();
    let columns = shown.chars().count() as f64;
    let mut attributes = String::new();
    for (is_on, attribute) in [
        (look.bold, " font-weight=\"bold\""),
        (look.dim, " opacity=\"0.65\""),
        (look.italic, " font-style=\"italic\""),
        (look.underline, " text-decoration=\"underline\""),
    ] {
        if is_on {
            attributes.push_str(attribute);
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" fill=\"{}\"{attributes}>{}</text>",
        x + lead as f64 * CELL.0,
        y + BASELINE,
        columns * CELL.0,
        look.fg,
        escaped(shown)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
