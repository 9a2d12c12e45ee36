//! The question before leaving while something would stop with this console.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{Overlay, Reaction};
use crate::engine::runtime::Leadership;
use crate::tui::commands::Action;
use crate::tui::key::{Code, Key};
use crate::tui::scene::{Picture, Scene};
use crate::tui::ui::Ui;
use crate::tui::update::Effect;

/// The question before leaving.
#[derive(Debug)]
pub struct Leave {
    /// What would stop.
    pub stops: Vec<String>,
    seen: bool,
}

/// Leaves, or asks first if an operation runs that would stop with this console; `^c` in the question leaves.
pub fn quit(ui: &mut Ui, picture: &Picture, action: Action) -> Vec<Effect> {
    let was_asked = matches!(ui.overlay, Overlay::Leave(_));
    let stops: Vec<String> = match picture.live.leadership {
        Leadership::Ours(_) => picture
            .live
            .state
            .open_operations()
            .map(|operation| format!("{}: {}", operation.id, operation.plan.purpose))
            .collect(),
        _ => Vec::new(),
    };
    if stops.is_empty() || (was_asked && action == Action::ForceQuit) {
        return vec![Effect::Quit];
    }
    ui.overlay = Overlay::Leave(Leave { stops, seen: false });
    Vec::new()
}

impl Leave {
    /// `y` leaves.
    pub fn key(&mut self, key: Key) -> Reaction {
        match key.code {
            Code::Esc | Code::Char('n') => Reaction::Close,
            Code::Char('y') if self.seen => Reaction::CloseAnd(vec![Effect::Quit]),
            _ => Reaction::Stay,
        }
    }

    /// A frame with it has been seen.
    pub fn seen(&mut self) {
        self.seen = true;
    }

    /// In the middle.
    pub fn draw(&self, _scene: &Scene<'_>, _area: Rect, _buf: &mut Buffer) -> Option<Position> {
        None
    }
}
