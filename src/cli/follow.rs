//! Following the journal from a subcommand: entry by entry, with the state after each, none missed.

use std::sync::Arc;

use crate::engine::State;
use crate::engine::runtime::{Engine, EngineError, Entry, Position, View};
use tokio::sync::watch;

/// Reads entries as they come, folding its own state, so that a line is written with the state of its moment.
pub(crate) struct Follower<'a> {
    engine: &'a Engine,
    view: watch::Receiver<Arc<View>>,
    position: Position,
    state: State,
    waiting: std::collections::VecDeque<Entry>,
}

impl<'a> Follower<'a> {
    /// Begins after what the engine knows now.
    pub(crate) fn from_now(engine: &'a Engine) -> Self {
        let view = engine.view();
        let (position, state) = {
            let view = view.borrow();
            (view.position, State::clone(&view.state))
        };
        Self { engine, view, position, state, waiting: std::collections::VecDeque::new() }
    }

    /// Where it stands.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// The state after the last entry.
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// The next entry. Safe to drop while waiting.
    pub(crate) async fn next(&mut self) -> Result<Entry, EngineError> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                self.position = entry.seq;
                self.state.apply(&entry.event, entry.at);
                return Ok(entry);
            }
            if self.view.borrow_and_update().position > self.position {
                self.waiting = self.engine.read(self.position, 500).await?.into();
                if !self.waiting.is_empty() {
                    continue;
                }
            }
            self.view.changed().await.map_err(|_| EngineError::Stopped)?;
        }
    }
}
