//! Commands by name, with what they take.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::Reaction;
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;

/// The palette.
#[derive(Debug)]
pub struct Palette {}

impl Palette {
    /// With this typed already.
    pub fn new(_scene: &Scene<'_>, _typed: &str) -> Self {
        Self {}
    }

    /// Esc closes.
    pub fn key(&mut self, _scene: &Scene<'_>, key: Key) -> Reaction {
        if key.code == Code::Esc { Reaction::Close } else { Reaction::Stay }
    }

    /// Into the line.
    pub fn paste(&mut self, _scene: &Scene<'_>, _text: &str) -> Reaction {
        Reaction::Stay
    }

    /// Over the board.
    pub fn draw(&self, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) -> Option<Position> {
        None
    }
}
