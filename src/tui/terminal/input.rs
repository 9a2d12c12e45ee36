//! Keys, pastes, the mouse and changes of size, as events.
//!
//! The loop's own thread reads, when there is something to read: no other thread has to be woken, stopped, or kept from
//! taking keys that are no longer the console's.

use std::io;

use crossterm::event::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::device::{Device, Watch};
use super::parser::Parser;

/// How much is read at once.
const CHUNK: usize = 4096;

/// What the person at the terminal does.
#[derive(Debug)]
pub struct Input {
    device: &'static Device,
    ready: Watch,
    resized: Signal,
    parser: Parser,
    /// When the rest of what has begun counts as missing.
    gives_up: Option<Instant>,
    /// Whether the end was reported.
    ended: bool,
    chunk: Box<[u8; CHUNK]>,
}

impl Input {
    pub(super) fn new(device: &'static Device) -> io::Result<Self> {
        Ok(Self {
            device,
            ready: device.readable()?,
            resized: signal(SignalKind::window_change())?,
            parser: Parser::new(),
            gives_up: None,
            ended: false,
            chunk: Box::new([0; CHUNK]),
        })
    }

    /// The next event. Keys are presses and repeats, never releases. Safe to drop while waiting.
    ///
    /// # Errors
    /// The terminal is gone, or cannot be read. This is said once; after it nothing comes any more.
    pub async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.parser.pop() {
                return Ok(event);
            }
            if self.ended {
                std::future::pending::<()>().await;
            }
            let gives_up = self.gives_up;
            tokio::select! {
                Some(()) = self.resized.recv() => {
                    let size = self.device.size()?;
                    return Ok(Event::Resize(size.width, size.height));
                }
                ready = self.ready.readable() => {
                    let read = match ready {
                        Ok(mut ready) => match self.device.read(&mut *self.chunk) {
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                                ready.clear_ready();
                                continue;
                            }
                            read => read,
                        },
                        Err(error) => Err(error),
                    };
                    match read {
                        Ok(count) => self.feed(count),
                        Err(error) => {
                            self.ended = true;
                            return Err(error);
                        }
                    }
                }
                () = sleep_until(gives_up.unwrap_or_else(Instant::now)), if gives_up.is_some() => {
                    self.gives_up = None;
                    self.parser.give_up();
                }
            }
        }
    }

    /// What is there already, without waiting: at most `most` events, all from before the next frame. The end of the
    /// terminal is left to [`Input::next`].
    pub fn drain(&mut self, most: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < most {
            if let Some(event) = self.parser.pop() {
                events.push(event);
            } else if !self.ended
                && let Ok(count) = self.device.read(&mut *self.chunk)
            {
                self.feed(count);
            } else {
                break;
            }
        }
        events
    }

    /// Forgets what was read but not asked for.
    pub fn clear(&mut self) {
        self.parser.clear();
        self.gives_up = None;
    }

    fn feed(&mut self, count: usize) {
        self.parser.feed(&self.chunk[..count]);
        self.gives_up = self.parser.patience().map(|patience| Instant::now() + patience);
    }
}
