//! Cells as the terminal's own language, in as few bytes as that takes: over a slow line every one of them counts, and a
//! console that only tells the time should cost next to nothing.
//!
//! What the terminal writes with (its colours and weights) is remembered from frame to frame and only said when it changes.
//! ECMA-48, section 8.3.117 (SGR), and xterm's `ctlseqs` for colours of 24 bits.

use std::io::{self, Write};

use ratatui::buffer::{Cell, CellWidth as _};
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};

/// What a cell is written with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ink {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Ink = Ink { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

/// The weights, each with its number.
const WEIGHTS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// How the terminal writes now, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    /// None until it is known.
    ink: Option<Ink>,
    /// Where the next character goes; none where that is not known.
    at: Option<Position>,
}

impl Pen {
    /// Of which nothing is known yet.
    pub(super) const fn new() -> Self {
        Self { ink: None, at: None }
    }

    /// Nothing is known any more: another program may have written.
    pub(super) const fn forget(&mut self) {
        self.ink = None;
        self.at = None;
    }

    /// The cursor is elsewhere.
    pub(super) const fn lift(&mut self) {
        self.at = None;
    }

    /// Writes with nothing special from here on, as what clears the screen has to.
    pub(super) fn plain(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.take(out, PLAIN)
    }

    /// Writes cells, each with its column and row.
    pub(super) fn write<'a>(
        &mut self,
        out: &mut impl Write,
        cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
    ) -> io::Result<()> {
        for (x, y, cell) in cells {
            self.go(out, Position { x, y })?;
            self.take(out, Ink { fg: cell.fg, bg: cell.bg, modifier: cell.modifier })?;
            out.write_all(cell.symbol().as_bytes())?;
            // How far a terminal goes on behind a wide character is its own opinion.
            self.at = (cell.symbol().cell_width() == 1).then_some(Position { x: x + 1, y });
        }
        Ok(())
    }

    fn go(&mut self, out: &mut impl Write, to: Position) -> io::Result<()> {
        match self.at {
            Some(at) if at == to => {}
            Some(at) if at.y == to.y && at.x < to.x => match to.x - at.x {
                1 => out.write_all(b"\x1b[C")?,
                columns => write!(out, "\x1b[{columns}C")?,
            },
            _ => write!(out, "\x1b[{};{}H", u32::from(to.y) + 1, u32::from(to.x) + 1)?,
        }
        Ok(())
    }

    fn take(&mut self, out: &mut impl Write, ink: Ink) -> io::Result<()> {
        if self.ink == Some(ink) {
            return Ok(());
        }
        // A weight can only be taken away with all the others, in a way that every terminal understands.
        let kept = self.ink.filter(|now| ink.modifier.contains(now.modifier));
        let mut numbers = Numbers { out, written: false };
        let now = match kept {
            Some(now) => now,
            None => {
                numbers.add(format_args!("0"))?;
                PLAIN
            }
        };
        for (weight, number) in WEIGHTS {
            if ink.modifier.contains(weight) && !now.modifier.contains(weight) {
                numbers.add(format_args!("{number}"))?;
            }
        }
        if ink.fg != now.fg {
            numbers.colour(ink.fg, 30)?;
        }
        if ink.bg != now.bg {
            numbers.colour(ink.bg, 40)?;
        }
        if numbers.written {
            out.write_all(b"m")?;
        }
        self.ink = Some(ink);
        Ok(())
    }
}

/// The numbers of one sequence.
struct Numbers<'w, W: Write> {
    out: &'w mut W,
    written: bool,
}

impl<W: Write> Numbers<'_, W> {
    fn add(&mut self, number: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.out.write_all(if self.written { b";" } else { b"\x1b[" })?;
        self.written = true;
        self.out.write_fmt(number)
    }

    /// A colour; `base` is 30 for letters and 40 for what is behind them.
    fn colour(&mut self, colour: Color, base: u8) -> io::Result<()> {
        let (plain, bright) = (base, base + 60);
        let number = match colour {
            Color::Reset => base + 9,
            Color::Black => plain,
            Color::Red => plain + 1,
            Color::Green => plain + 2,
            Color::Yellow => plain + 3,
            Color::Blue => plain + 4,
            Color::Magenta => plain + 5,
            Color::Cyan => plain + 6,
            Color::Gray => plain + 7,
            Color::DarkGray => bright,
            Color::LightRed => bright + 1,
            Color::LightGreen => bright + 2,
            Color::LightYellow => bright + 3,
            Color::LightBlue => bright + 4,
            Color::LightMagenta => bright + 5,
            Color::LightCyan => bright + 6,
            Color::White => bright + 7,
            Color::Indexed(index) => return self.add(format_args!("{};5;{index}", base + 8)),
            Color::Rgb(red, green, blue) => {
                return self.add(format_args!("{};2;{red};{green};{blue}", base + 8));
            }
        };
        self.add(format_args!("{number}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn colour() -> impl Strategy<Value = Color> {
        prop_oneof![
            Just(Color::Reset),
            any::<u8>().prop_map(Color::Indexed),
            any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
        ]
    }

    fn style() -> impl Strategy<Value = Style> {
        // The weights that the emulator knows.
        let weights = prop_oneof![
            Just(Modifier::empty()),
            Just(Modifier::BOLD),
            Just(Modifier::REVERSED),
            Just(Modifier::UNDERLINED | Modifier::BOLD),
            Just(Modifier::ITALIC),
        ];
        (colour(), colour(), weights)
            .prop_map(|(fg, bg, weights)| Style::new().fg(fg).bg(bg).add_modifier(weights))
    }

    /// What a terminal shows of a buffer.
    fn shown(screen: &vt100::Screen, at: (u16, u16)) -> (String, vt100::Color, vt100::Color, [bool; 4]) {
        let cell = screen.cell(at.1, at.0).unwrap();
        let contents = if cell.has_contents() { cell.contents().to_owned() } else { " ".to_owned() };
        (
            contents,
            cell.fgcolor(),
            cell.bgcolor(),
            [cell.bold(), cell.italic(), cell.underline(), cell.inverse()],
        )
    }

    fn colour_of(colour: Color) -> vt100::Color {
        match colour {
            Color::Indexed(index) => vt100::Color::Idx(index),
            Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
            _ => vt100::Color::Default,
        }
    }

    proptest! {
        /// Whatever changes from frame to frame, the terminal shows each cell as it was meant, also where only a few are
        /// written and also after it was cleared.
        #[test]
        fn the_terminal_shows_what_is_meant(
            frames in proptest::collection::vec(
                (proptest::collection::vec((0_u16..12, 0_u16..4, "[a-c]", style()), 0..20), any::<bool>()),
                1..5,
            ),
        ) {
            let area = Rect::new(0, 0, 12, 4);
            let [four, twelve] = [4, 12].map(|size| std::num::NonZeroU16::new(size).unwrap());
            let mut terminal = vt100::Parser::new(four, twelve, 0);
            let mut pen = Pen::new();
            let mut before = Buffer::empty(area);
            for (words, cleared) in frames {
                let mut bytes = Vec::new();
                if cleared {
                    pen.plain(&mut bytes).unwrap();
                    bytes.extend_from_slice(b"\x1b[2J");
                    before = Buffer::empty(area);
                }
                let mut after = Buffer::empty(area);
                for (x, y, word, style) in words {
                    after.set_stringn(x, y, word, usize::from(12 - x), style);
                }
                pen.lift();
                let changes = before.diff(&after);
                pen.write(&mut bytes, changes.into_iter()).unwrap();
                terminal.process(&bytes);
                for y in 0..4 {
                    for x in 0..12 {
                        let cell = &after[(x, y)];
                        let (text, fg, bg, weights) = shown(terminal.screen(), (x, y));
                        prop_assert_eq!(text.as_str(), cell.symbol(), "{} {}", x, y);
                        prop_assert_eq!((fg, bg), (colour_of(cell.fg), colour_of(cell.bg)), "{} {}", x, y);
                        let has = |weight| cell.modifier.contains(weight);
                        let meant =
                            [has(Modifier::BOLD), has(Modifier::ITALIC), has(Modifier::UNDERLINED), has(Modifier::REVERSED)];
                        prop_assert_eq!(weights, meant, "{} {}", x, y);
                    }
                }
                before = after;
            }
        }
    }

    /// Behind a wide character the place is said anew: terminals differ in how wide it is.
    #[test]
    fn wide_characters_have_their_places() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(0, 0, "日本a", Style::new());
        let mut bytes = Vec::new();
        let changes =
            Buffer::empty(buffer.area).diff(&buffer).into_iter().map(|(x, y, cell)| (x, y, cell.clone()));
        let changes: Vec<_> = changes.collect();
        Pen::new().write(&mut bytes, changes.iter().map(|(x, y, cell)| (*x, *y, cell))).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "\x1b[1;1H\x1b[0m日\x1b[1;3H本\x1b[1;5Ha");
    }

    /// What is already so is not said again.
    #[test]
    fn nothing_is_said_twice() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 1));
        buffer.set_string(0, 0, "ab", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        buffer.set_string(4, 0, "c", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        let mut pen = Pen::new();
        let mut write = |columns: &[u16]| {
            let mut bytes = Vec::new();
            pen.lift();
            pen.write(&mut bytes, columns.iter().map(|x| (*x, 0, &buffer[(*x, 0)]))).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(write(&[0, 1, 4]), "\x1b[1;1H\x1b[0;1;38;2;1;2;3mab\x1b[2Cc");
        assert_eq!(write(&[0]), "\x1b[1;1Ha");
        assert_eq!(write(&[2]), "\x1b[1;3H\x1b[0m ");
    }
}
