//! The terminal: taken for the console, drawn on, and always given back.
//!
//! Whatever happens (the end, an error, a panic, a signal, a stop), the person gets the terminal as it was. Here live
//! the device, what is sent to it and what comes from it; what is drawn and what a key means do not.

mod device;
mod input;
mod job;
mod panics;
mod parser;
mod pen;
mod screen;
mod signals;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ratatui::Frame;
use ratatui::layout::Size;

pub use device::give_back;
pub use input::Input;
pub use panics::PANICKED;
pub use signals::{Signal, Signals, StopReason};

use device::{Device, MOUSE_OFF, MOUSE_ON, Watch};
use screen::Screen;

/// The longest text that is copied, in bytes: with its frame it fills the 100,000 bytes that terminals take.
pub const LONGEST_COPY: usize = 74_994;

/// How long to wait for being stopped, before taking the terminal back because nobody could continue this process.
const STOPPED_BY: Duration = Duration::from_millis(100);

/// How the terminal is taken.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Whether the mouse is the console's at first. While it is, text cannot be selected as usual.
    pub mouse: bool,
    /// Where the log files are, for the message after a panic; none if there is no log.
    pub log: Option<PathBuf>,
}

/// What came of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Drawn {
    /// It was sent, and nothing if it changed nothing. The terminal has it; whoever reads later keys has seen it, or could
    /// have.
    Frame,
    /// The terminal takes nothing more for now. This frame is on its way, or was left out because the last one is: draw
    /// again after [`Terminal::caught_up`].
    Behind,
}

/// Why a text was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Terminals cut or drop what is longer.
    #[error("{0} bytes are too long to copy through the terminal: it takes {LONGEST_COPY}")]
    TooLong(usize),
    /// The terminal cannot be written to.
    #[error("cannot write to the terminal")]
    Write(#[from] io::Error),
}

/// Where a test wants a panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TestPanic {
    Draw,
    Task,
}

/// The terminal while it is the console's. Dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    device: &'static Device,
    screen: ratatui::Terminal<Screen>,
    /// Only while the terminal is behind: otherwise every frame would be followed by word that there is room again.
    writable: Option<Watch>,
    mouse: bool,
    frames: u64,
    test_panic: Option<TestPanic>,
}

impl Terminal {
    /// Takes the terminal. To be called within the runtime, by the thread that draws.
    ///
    /// # Errors
    /// Stdin or stdout is no terminal, or it cannot be written to. It is then as it was.
    pub fn take(options: Options) -> io::Result<Self> {
        let device = Device::open()?;
        // First of all: from the next step on a panic has something to give back.
        panics::guard(options.log);
        let taken = Self::taken(device, options.mouse);
        if taken.is_err() {
            give_back();
        }
        taken
    }

    fn taken(device: &'static Device, mouse: bool) -> io::Result<Self> {
        device.take(mouse)?;
        Ok(Self {
            device,
            screen: ratatui::Terminal::new(Screen::new(device))?,
            writable: None,
            mouse,
            frames: 0,
            // Documented in CONTRIBUTING.md. In every build, because it is the released one that has to give the
            // terminal back.
            test_panic: match std::env::var("UNSHIP_TEST_PANIC").as_deref() {
                Ok("draw") => Some(TestPanic::Draw),
                Ok("task") => Some(TestPanic::Task),
                _ => None,
            },
        })
    }

    /// What comes from this terminal.
    pub fn input(&self) -> io::Result<Input> {
        Input::new(self.device)
    }

    /// The size now, in columns and rows.
    pub fn size(&self) -> io::Result<Size> {
        self.device.size()
    }

    /// Draws a frame at the present size. What has changed is sent in one write; nothing is sent if nothing has. The
    /// cursor is shown only where the frame sets one.
    ///
    /// # Errors
    /// The terminal cannot be written to; see [`is_gone`].
    ///
    /// # Panics
    /// In the second frame, if the environment says `UNSHIP_TEST_PANIC=draw`; with `task`, a task does.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<Drawn> {
        self.screen.backend_mut().go_on()?;
        if self.screen.backend().is_behind() {
            return Ok(Drawn::Behind);
        }
        self.frames += 1;
        let test_panic = self.test_panic.filter(|_| self.frames == 2);
        if test_panic == Some(TestPanic::Task) {
            tokio::spawn(async { panic!("forced in a task by UNSHIP_TEST_PANIC") });
        }
        self.screen.draw(|frame| {
            render(frame);
            assert!(test_panic != Some(TestPanic::Draw), "forced while drawing by UNSHIP_TEST_PANIC");
        })?;
        Ok(if self.screen.backend().is_behind() { Drawn::Behind } else { Drawn::Frame })
    }

    /// Sends what was too much for the terminal at once, and returns when it has taken that; for ever without, if there is
    /// nothing. To be waited for whenever the loop waits, with a frame after it. Safe to drop while waiting.
    pub async fn caught_up(&mut self) -> io::Result<()> {
        if !self.screen.backend().is_behind() {
            std::future::pending::<()>().await;
        }
        loop {
            self.screen.backend_mut().go_on()?;
            if !self.screen.backend().is_behind() {
                self.writable = None;
                return Ok(());
            }
            let writable = match &self.writable {
                Some(writable) => writable,
                None => self.writable.insert(self.device.writable()?),
            };
            writable.writable().await?.clear_ready();
        }
    }

    /// Has the next frame drawn in full.
    pub fn repaint(&mut self) -> io::Result<()> {
        self.screen.clear()
    }

    /// Turns the mouse on or off.
    pub fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        self.screen.backend_mut().send(if on { MOUSE_ON } else { MOUSE_OFF })
    }

    /// Whether the mouse is on.
    pub const fn mouse(&self) -> bool {
        self.mouse
    }

    /// Puts a text on the clipboard of the person's terminal, also over SSH. Whether the terminal allows it is not
    /// known.
    ///
    /// OSC 52 of xterm's `ctlseqs`.
    pub fn copy(&mut self, text: &str) -> Result<(), CopyError> {
        if text.len() > LONGEST_COPY {
            return Err(CopyError::TooLong(text.len()));
        }
        let sequence = format!("\x1b]52;c;{}\x1b\\", BASE64.encode(text));
        Ok(self.screen.backend_mut().send(sequence.as_bytes())?)
    }

    /// Gives the terminal back, stops as Ctrl-Z does, and takes it again when continued; the next frame is drawn in full.
    /// What was typed before is dropped; so should be what was taken from `input` already.
    ///
    /// False where no shell could continue this process: then nothing happens at all.
    pub async fn suspend(&mut self, signals: &mut Signals, input: &mut Input) -> io::Result<bool> {
        signals.settle();
        if !job::can_be_continued() {
            return Ok(false);
        }
        give_back();
        input.clear();
        job::stop()?;
        // It takes effect at some time after the call. Stopped time does not count here: if it took effect, both are
        // ready when it is over.
        let _ = tokio::time::timeout(STOPPED_BY, signals.continued()).await;
        signals.settle();
        self.resume()?;
        Ok(true)
    }

    /// Takes the terminal again, after another process had it. The next frame is drawn in full.
    pub fn resume(&mut self) -> io::Result<()> {
        self.screen.backend_mut().forget();
        self.device.take(self.mouse)?;
        self.repaint()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
        panics::print();
    }
}

/// Whether this error of the terminal means that there is none any more: end quietly, nobody is looking.
pub fn is_gone(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe)
        || Errno::from_io_error(error)
            .is_some_and(|errno| matches!(errno, Errno::IO | Errno::NXIO | Errno::BADF))
}
