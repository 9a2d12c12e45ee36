//! The question before something is done to a service.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{Overlay, Reaction};
use crate::engine::Proposal;
use crate::model::command::Command;
use crate::tui::commands::Command as Entry;
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;
use crate::tui::update::{Effect, Invocation};

/// The question before something is done.
#[derive(Debug)]
pub struct ActionDialog {
    seen: bool,
}

/// Asks, or sends at once what needs no question.
pub fn ask(_scene: &Scene<'_>, _entry: &'static Entry, _asked: &Invocation) -> (Overlay, Vec<Effect>) {
    (Overlay::Action(Box::new(ActionDialog { seen: false })), Vec::new())
}

impl ActionDialog {
    /// Answers a key.
    pub fn key(&mut self, _scene: &Scene<'_>, key: Key) -> Reaction {
        if key.code == Code::Esc { Reaction::Close } else { Reaction::Stay }
    }

    /// Into the field that is edited.
    pub fn paste(&mut self, _text: &str) {}

    /// What the command would do, as the engine says.
    pub fn proposed(&mut self, _of: &Command, _proposal: Proposal) {}

    /// A frame with it has been seen.
    pub fn seen(&mut self) {
        self.seen = true;
    }

    /// Over the board.
    pub fn draw(&self, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) -> Option<Position> {
        None
    }
}
