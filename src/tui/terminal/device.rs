//! The terminal as a device: taken, written to, given back. There is one in a process, and whoever finds the program
//! broken has to be able to give it back, so it is found without a lock that a drawing thread could hold.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ratatui::layout::Size;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio::{stdin, stdout};
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, isatty, tcflush, tcgetattr,
    tcgetpgrp, tcgetwinsize, tcsetattr, ttyname,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The alternate screen, empty, without a cursor; a paste is marked as one.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m\x1b[2J";
/// Presses, drags and the wheel, in the form that has no limit of columns.
pub(super) const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h";
pub(super) const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// Undoes all of it. It begins with the end of a string, because a frame may have been cut off within a sequence.
const GIVE_BACK: &[u8] = b"\x1b\\\x1b[?2026l\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1004l\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h";

/// The most columns and rows that are drawn on, in the upper left corner of a larger terminal: no person has one, and a
/// picture costs memory for each cell.
const LARGEST: Size = Size { width: 1_000, height: 500 };

/// How long a terminal that takes nothing is waited for.
const STALLED: Duration = Duration::from_millis(500);

static DEVICE: OnceLock<Device> = OnceLock::new();
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The settings to give back. Held only for a copy.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The terminal behind stdin and stdout.
#[derive(Debug)]
pub(super) struct Device {
    input: OwnedFd,
    output: OwnedFd,
}

impl Device {
    /// The terminal of this process; an error that says so if there is none.
    pub(super) fn open() -> io::Result<&'static Self> {
        if let Some(device) = DEVICE.get() {
            return Ok(device);
        }
        for (fd, name) in [(stdin(), "stdin"), (stdout(), "stdout")] {
            if !isatty(fd) {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!(
                        "the console needs a terminal, and {name} is none; \
                         `unship status` and `unship guard` work without one"
                    ),
                ));
            }
        }
        let device =
            Self { input: reopen(stdin(), OFlags::RDONLY)?, output: reopen(stdout(), OFlags::WRONLY)? };
        Ok(DEVICE.get_or_init(|| device))
    }

    /// Says when there is something to read. To be called within the runtime.
    pub(super) fn readable(&'static self) -> io::Result<Watch> {
        watch(self.input.as_fd(), Interest::READABLE)
    }

    /// Says when it takes more. To be called within the runtime.
    pub(super) fn writable(&'static self) -> io::Result<Watch> {
        watch(self.output.as_fd(), Interest::WRITABLE)
    }

    /// Takes the terminal, or takes it again after somebody else had it.
    pub(super) fn take(&self, mouse: bool) -> io::Result<()> {
        let now = tcgetattr(&self.input)?;
        let mut raw = now.clone();
        raw.make_raw();
        // A read never waits, also where the descriptor is shared with a shell and must not be made non-blocking.
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        {
            let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
            // Settings that are still ours are not what anybody wants back.
            if before.is_none() || now.local_modes.contains(LocalModes::ICANON) {
                *before = Some(now);
            }
        }
        TAKEN.store(true, Ordering::SeqCst);
        tcsetattr(&self.input, OptionalActions::Now, &raw)?;
        self.write_all(TAKE)?;
        if mouse { self.write_all(MOUSE_ON) } else { Ok(()) }
    }

    /// What the terminal says its size is. One that does not know is taken for the classic one.
    pub(super) fn size(&self) -> io::Result<Size> {
        let size = tcgetwinsize(&self.output)?;
        let or = |value: u16, usual: u16| if value == 0 { usual } else { value };
        Ok(Size {
            width: or(size.ws_col, 80).min(LARGEST.width),
            height: or(size.ws_row, 24).min(LARGEST.height),
        })
    }

    /// Reads what is there. `WouldBlock` when that is nothing, `UnexpectedEof` when nothing will come any more.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(&self.input, &mut *into) {
                Ok(0) => {
                    let mut fds = [PollFd::new(&self.input, PollFlags::IN)];
                    poll(&mut fds, Some(&Timespec::default()))?;
                    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
                    return Err(if fds[0].revents().intersects(gone) {
                        io::ErrorKind::UnexpectedEof.into()
                    } else {
                        io::ErrorKind::WouldBlock.into()
                    });
                }
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes as much as the terminal takes now, in one call.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(&self.output, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => return Ok(count),
                Err(Errno::AGAIN) => return Ok(0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes all of it, unless the terminal takes nothing for too long.
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        let until = Instant::now() + STALLED;
        while !bytes.is_empty() {
            let count = self.write(bytes)?;
            bytes = &bytes[count..];
            if count == 0 {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
                match poll(&mut [PollFd::new(&self.output, PollFlags::OUT)], Some(&left)) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn restore(&self) {
        // An error is no job control, and then nobody else has it.
        let in_background = tcgetpgrp(&self.input).is_ok_and(|group| group != getpgrp());
        if in_background {
            // A shell has the terminal and its own settings; touching those would stop this process, and so would a
            // word where the shell forbids them.
            let quiet = tcgetattr(&self.input).is_ok_and(|now| now.local_modes.contains(LocalModes::TOSTOP));
            if !quiet {
                let _ = self.write_all(GIVE_BACK);
            }
            return;
        }
        let _ = self.write_all(GIVE_BACK);
        // Keys that were meant for the console are no commands for a shell.
        let _ = tcflush(&self.input, QueueSelector::IFlush);
        let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(before) = before {
            // Not after what is still to be written: a terminal that takes nothing would hold up the end.
            let _ = tcsetattr(&self.input, OptionalActions::Now, &before);
        }
    }
}

/// Tells when the terminal is ready.
pub(super) type Watch = AsyncFd<BorrowedFd<'static>>;

#[expect(
    deprecated,
    reason = "its successor is unsafe and asks that the descriptor stays open, which this one does"
)]
fn watch(fd: BorrowedFd<'static>, interest: Interest) -> io::Result<Watch> {
    AsyncFd::with_interest(fd, interest)
}

/// The same terminal with a description of its own, which can be made non-blocking: the one of stdin and stdout is
/// shared with the shell, and would stay so after a crash. Where its name is not known here, as in some containers, a
/// copy has to do; then a terminal that takes nothing holds up the drawing.
fn reopen(fd: BorrowedFd<'static>, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = ttyname(fd, Vec::new()).and_then(|name| rustix::fs::open(name, flags, Mode::empty()));
    opened.or_else(|_| rustix::io::fcntl_dupfd_cloexec(fd, 3)).map_err(Into::into)
}

/// Whether the terminal is the console's now.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Gives the terminal back as it was: its settings, its screen, a visible cursor, no modes. Does nothing if it is not
/// taken. For any thread at any time, also while another one draws.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst)
        && let Some(device) = DEVICE.get()
    {
        device.restore();
    }
}
