//! What the terminal sends.

use std::io;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures::{FutureExt as _, StreamExt as _};

/// What the terminal sends, event by event.
#[derive(Debug, Default)]
pub struct Input {
    stream: EventStream,
}

impl Input {
    /// Begins to listen.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next event; none when the terminal is gone. Safe to drop while waiting.
    pub async fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            match self.stream.next().await {
                Some(Ok(event)) if is_wanted(&event) => return Ok(Some(event)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    /// An event that is there already.
    pub fn ready(&mut self) -> Option<Event> {
        loop {
            match self.stream.next().now_or_never() {
                Some(Some(Ok(event))) if is_wanted(&event) => return Some(event),
                Some(Some(Ok(_))) => {}
                // An error comes again when it is waited for.
                Some(Some(Err(_)) | None) | None => return None,
            }
        }
    }
}

/// A key that comes up says nothing.
fn is_wanted(event: &Event) -> bool {
    !matches!(event, Event::Key(key) if key.kind == KeyEventKind::Release)
}
