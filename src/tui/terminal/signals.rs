//! Signals that concern a program with a terminal, for its loop.

use std::fmt;
use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use super::panics;

/// Something from outside that the loop has to answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Signal {
    /// End, and say why.
    Stop(StopReason),
    /// Stop until continued: [`super::Terminal::suspend`].
    Suspend,
    /// Continued after somebody else had the terminal: [`super::Terminal::resume`].
    Continue,
    /// Another task than the one that has the terminal panicked, with this message. The log has it, and it is printed
    /// when the terminal is given back. Whether the console can go on without that task is for the loop to say; to end by it,
    /// end with [`super::PANICKED`].
    Panicked(String),
}

/// Why the program has to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// SIGTERM.
    Terminated,
    /// SIGHUP: the terminal is going or gone.
    HungUp,
    /// SIGINT from outside; the key is a key.
    Interrupted,
    /// SIGQUIT from outside.
    Quit,
}

impl StopReason {
    const fn number(self) -> Number {
        match self {
            Self::Terminated => Number::TERM,
            Self::HungUp => Number::HUP,
            Self::Interrupted => Number::INT,
            Self::Quit => Number::QUIT,
        }
    }

    /// What a shell calls the end by this signal: 128 and its number.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "these four are below 16")]
    pub const fn exit_code(self) -> u8 {
        128 + self.number().as_raw() as u8
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminated => "SIGTERM",
            Self::HungUp => "SIGHUP",
            Self::Interrupted => "SIGINT",
            Self::Quit => "SIGQUIT",
        })
    }
}

/// The signals, from when this is made. From then on none of them ends the process by itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Stream,
    hangup: Stream,
    interrupt: Stream,
    quit: Stream,
    suspend: Stream,
    resume: Stream,
}

impl Signals {
    /// Listens from now on. To be called within the runtime.
    pub fn listen() -> io::Result<Self> {
        let listen = |number: Number| signal(SignalKind::from_raw(number.as_raw()));
        Ok(Self {
            terminate: listen(Number::TERM)?,
            hangup: listen(Number::HUP)?,
            interrupt: listen(Number::INT)?,
            quit: listen(Number::QUIT)?,
            suspend: listen(Number::TSTP)?,
            resume: listen(Number::CONT)?,
        })
    }

    /// The next one. Safe to drop while waiting.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            // To end comes before all else.
            biased;
            Some(()) = self.hangup.recv() => Signal::Stop(StopReason::HungUp),
            Some(()) = self.terminate.recv() => Signal::Stop(StopReason::Terminated),
            Some(()) = self.interrupt.recv() => Signal::Stop(StopReason::Interrupted),
            Some(()) = self.quit.recv() => Signal::Stop(StopReason::Quit),
            Some(()) = self.suspend.recv() => Signal::Suspend,
            Some(()) = self.resume.recv() => Signal::Continue,
            message = panics::elsewhere() => Signal::Panicked(message),
            // The streams end with the runtime, and this with it.
            else => std::future::pending().await,
        }
    }

    /// Waits until continued.
    pub(super) async fn continued(&mut self) {
        if self.resume.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Forgets that somebody asked to suspend or continue, because that was just done.
    pub(super) fn settle(&mut self) {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        while self.suspend.poll_recv(&mut cx).is_ready() || self.resume.poll_recv(&mut cx).is_ready() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts see the same code as if the signal had ended the program.
    #[test]
    fn a_stop_has_the_shells_exit_code() {
        assert_eq!(StopReason::Terminated.exit_code(), 143);
        assert_eq!(StopReason::HungUp.exit_code(), 129);
        assert_eq!(StopReason::Interrupted.exit_code(), 130);
        assert_eq!(StopReason::Quit.exit_code(), 131);
    }
}
