//! What ratatui draws on. It gathers a frame and sends it in one write, within a synchronised update; a frame that
//! changes nothing sends nothing.

use std::io;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::device::Device;
use super::pen::Pen;

/// Collects what a frame changes.
#[derive(Debug)]
pub(super) struct Screen {
    device: &'static Device,
    /// The frame so far: empty if nothing has changed.
    frame: Vec<u8>,
    /// What is still to be sent, and how much of it was.
    unsent: Vec<u8>,
    sent: usize,
    /// What the terminal writes with.
    pen: Pen,
    cursor: Position,
    /// Whether the cursor is wanted, and where the terminal shows it.
    cursor_wanted: bool,
    cursor_shown: Option<Position>,
}

impl Screen {
    pub(super) const fn new(device: &'static Device) -> Self {
        Self {
            device,
            frame: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            pen: Pen::new(),
            cursor: Position::ORIGIN,
            cursor_wanted: false,
            cursor_shown: None,
        }
    }

    /// The terminal was taken again: what was on it is gone.
    pub(super) fn forget(&mut self) {
        self.frame.clear();
        self.unsent.clear();
        self.sent = 0;
        self.pen.forget();
        self.cursor_shown = None;
    }

    /// Whether the terminal has not yet taken the last frame.
    pub(super) const fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Adds something to send, after the last frame.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.go_on()
    }

    /// Sends what is left as far as the terminal takes it.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            match self.device.write(&self.unsent[self.sent..])? {
                0 => return Ok(()),
                count => self.sent += count,
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    /// Where the frame's changes go.
    fn begun(&mut self) -> io::Result<&mut Vec<u8>> {
        if self.frame.is_empty() {
            queue!(self.frame, BeginSynchronizedUpdate)?;
            // It would be seen to jump about where synchronised updates are not known.
            if self.cursor_shown.take().is_some() {
                queue!(self.frame, Hide)?;
            }
        }
        Ok(&mut self.frame)
    }
}

impl Backend for Screen {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.begun()?;
        self.pen.lift();
        self.pen.write(&mut self.frame, content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.cursor_wanted = false;
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor_wanted = true;
        Ok(())
    }

    /// Where it was put last; the terminal is not asked.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cursor = position.into();
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.begun()?;
        // What is cleared gets the colour that is written with.
        self.pen.plain(&mut self.frame)?;
        CrosstermBackend::new(&mut self.frame).clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.device.size()
    }

    /// Without pixels, which nothing here asks for.
    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    /// The end of a frame: sends it.
    fn flush(&mut self) -> io::Result<()> {
        let wanted = self.cursor_wanted.then_some(self.cursor);
        if wanted != self.cursor_shown {
            let is_shown = self.cursor_shown.is_some();
            // This may forget where it is shown, when it is the first change of the frame.
            let frame = self.begun()?;
            match wanted {
                Some(position) => queue!(frame, MoveTo(position.x, position.y), Show)?,
                None if is_shown => {}
                None => queue!(frame, Hide)?,
            }
            self.cursor_shown = wanted;
        }
        if self.frame.is_empty() {
            return Ok(());
        }
        queue!(self.frame, EndSynchronizedUpdate)?;
        self.unsent.append(&mut self.frame);
        self.go_on()
    }
}
