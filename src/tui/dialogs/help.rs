//! Every command with its keys, searchable; Enter runs the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::Reaction;
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;

/// The help.
#[derive(Debug)]
pub struct Help {}

impl Help {
    /// From its beginning.
    pub fn new(_scene: &Scene<'_>) -> Self {
        Self {}
    }

    /// Esc closes.
    pub fn key(&mut self, _scene: &Scene<'_>, key: Key) -> Reaction {
        if key.code == Code::Esc { Reaction::Close } else { Reaction::Stay }
    }

    /// Into the search.
    pub fn paste(&mut self, _scene: &Scene<'_>, _text: &str) -> Reaction {
        Reaction::Stay
    }

    /// Over the board.
    pub fn draw(&self, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) -> Option<Position> {
        None
    }
}
