//! The terminal, taken and always given back: at the end, on an error, on a panic, on a signal, and while suspended.
//!
//! A frame is the difference to the one before, written at once, between the marks of a synchronised update. A frame that
//! changes nothing writes nothing.

mod input;
mod signals;

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::{Command as _, cursor, event, style, terminal};
use ratatui::backend::{Backend as _, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};

pub use input::Input;
pub use signals::{Signal, Signals};

/// Screens larger than this are drawn in their upper left corner: no terminal of people is larger, and a picture costs
/// memory for each cell.
const LARGEST: (u16, u16) = (1_000, 500);

/// The terminal is ours; what gives it back looks here first.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The mouse is ours too.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal.
pub struct Terminal {
    shown: Buffer,
    next: Buffer,
    cursor: Option<Position>,
    /// What the terminal shows is not known: everything is written.
    unknown: bool,
    out: Vec<u8>,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// If there is none, or it does not do what it is told.
    pub fn take() -> io::Result<Self> {
        use std::io::IsTerminal as _;
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the console needs a terminal on its input and output; without one use `unship status`, `why`, \
                 `rollback` or `guard`",
            ));
        }
        // Before anything is taken: whatever goes wrong from here on gives it back.
        give_back_on_panic();
        let mut taken = Self {
            shown: Buffer::empty(Rect::ZERO),
            next: Buffer::empty(Rect::ZERO),
            cursor: None,
            unknown: true,
            out: Vec::with_capacity(16 * 1024),
        };
        taken.enter()?;
        Ok(taken)
    }

    fn enter(&mut self) -> io::Result<()> {
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut start = String::new();
        // Writing to a string cannot fail.
        let _ = terminal::EnterAlternateScreen.write_ansi(&mut start);
        let _ = event::EnableBracketedPaste.write_ansi(&mut start);
        let _ = cursor::Hide.write_ansi(&mut start);
        if MOUSE.load(Ordering::SeqCst) {
            let _ = event::EnableMouseCapture.write_ansi(&mut start);
        }
        self.unknown = true;
        write_all(start.as_bytes())
    }

    /// Its size in columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Draws a frame. What is drawn says where the cursor is, if it is seen.
    pub fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer) -> Option<Position>) -> io::Result<()> {
        let (columns, rows) = self.size()?;
        let area = Rect::new(0, 0, columns.min(LARGEST.0), rows.min(LARGEST.1));
        if *self.shown.area() != area {
            self.unknown = true;
        }
        if *self.next.area() != area {
            self.next.resize(area);
        }
        self.next.reset();
        let cursor = draw(area, &mut self.next);
        self.out.clear();
        self.out.extend_from_slice(b"\x1b[?2026h");
        let begun = self.out.len();
        if self.unknown {
            self.out.extend_from_slice(b"\x1b[0m\x1b[2J");
            self.shown = Buffer::empty(area);
        }
        let changed: Vec<(u16, u16, &Cell)> = self.shown.diff(&self.next);
        if !changed.is_empty() {
            if self.cursor.is_some() {
                self.out.extend_from_slice(b"\x1b[?25l");
            }
            CrosstermBackend::new(&mut self.out).draw(changed.into_iter())?;
        }
        let is_drawn = self.out.len() > begun;
        if cursor != self.cursor || (is_drawn && cursor.is_some()) {
            let mut text = String::new();
            match cursor {
                Some(at) => {
                    let _ = cursor::MoveTo(at.x, at.y).write_ansi(&mut text);
                    let _ = cursor::Show.write_ansi(&mut text);
                }
                None => {
                    let _ = cursor::Hide.write_ansi(&mut text);
                }
            }
            self.out.extend_from_slice(text.as_bytes());
        }
        if self.out.len() > begun {
            self.out.extend_from_slice(b"\x1b[?2026l");
            write_all(&self.out)?;
        }
        self.cursor = cursor;
        self.unknown = false;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(())
    }

    /// Forgets what the terminal shows: the next frame writes everything.
    pub const fn clear(&mut self) {
        self.unknown = true;
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub fn set_mouse(&self, on: bool) -> io::Result<()> {
        MOUSE.store(on, Ordering::SeqCst);
        let mut text = String::new();
        let _ = if on {
            event::EnableMouseCapture.write_ansi(&mut text)
        } else {
            event::DisableMouseCapture.write_ansi(&mut text)
        };
        write_all(text.as_bytes())
    }

    /// Puts text into the terminal's clipboard (OSC 52), which works over SSH too where the terminal allows it.
    pub fn copy(&self, text: &str) -> io::Result<()> {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        write_all(format!("\x1b]52;c;{text}\x07").as_bytes())
    }

    /// Gives the terminal back, stops until the shell says go on, and takes it again.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // The whole job stops, as with any program; what follows runs after the shell's `fg`.
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)
            .map_err(io::Error::from)?;
        self.enter()
    }

    /// Gives the terminal back.
    pub fn give_back(self) {
        drop(self);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back if it is taken. Takes no lock of ours and may be called anywhere, also while a frame is drawn.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut end = String::from("\x1b[?2026l");
    let _ = style::ResetColor.write_ansi(&mut end);
    end.push_str("\x1b[0m");
    if MOUSE.load(Ordering::SeqCst) {
        let _ = event::DisableMouseCapture.write_ansi(&mut end);
    }
    let _ = event::DisableBracketedPaste.write_ansi(&mut end);
    let _ = terminal::LeaveAlternateScreen.write_ansi(&mut end);
    let _ = cursor::Show.write_ansi(&mut end);
    // The terminal may be gone; then there is nothing to give back.
    let _ = write_all(end.as_bytes());
    let _ = terminal::disable_raw_mode();
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}

/// One write for all of it where the system takes it whole. Past the standard library's lock, which a panic while drawing
/// may hold.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
