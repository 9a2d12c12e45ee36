//! The mouse, for those who turned it on: the wheel moves, a click selects. Nothing dangerous is ever done by it.

use crossterm::event::{MouseEvent, MouseEventKind};

use super::commands::Motion;
use super::dialogs::Overlay;
use super::scene::Picture;
use super::ui::Ui;
use super::update::Effect;

/// Takes one event in.
pub(super) fn update(ui: &mut Ui, picture: &Picture, event: MouseEvent) -> Vec<Effect> {
    if !ui.mouse || !matches!(ui.overlay, Overlay::None) {
        return Vec::new();
    }
    match event.kind {
        MouseEventKind::ScrollDown => super::select::moved(ui, picture, Motion::Down),
        MouseEventKind::ScrollUp => super::select::moved(ui, picture, Motion::Up),
        _ => {}
    }
    Vec::new()
}
