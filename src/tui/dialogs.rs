//! What is over everything else: questions before something dangerous, the palette, the help, the filter. One at a time, in
//! one enum; each is a struct with what it remembers, how it answers keys, and how it is drawn.

pub mod action;
pub mod compose;
pub mod filter;
mod frame;
pub mod help;
pub mod leave;
pub mod line;
pub mod palette;
mod search;

#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::commands::{Command as Entry, Reason};
use super::key::Key;
use super::roster::Filter;
use super::scene::{Picture, Scene};
use super::ui::Ui;
use super::update::{Effect, Invocation};
use super::widgets::text::clean;

pub use action::ActionDialog;
pub use compose::Compose;
pub use filter::FilterLine;
pub use help::Help;
pub use leave::Leave;
pub use line::{command_line, rollback_line};
pub use palette::Palette;

/// What is over everything else.
#[derive(Debug, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// A question before something is done.
    Action(Box<ActionDialog>),
    /// A question before leaving.
    Leave(Leave),
    /// A message to those who wait.
    Compose(Box<Compose>),
    /// Every command, searchable.
    Help(Box<Help>),
    /// Commands by name, with what they take.
    Palette(Box<Palette>),
    /// The filter's line.
    Filter(FilterLine),
}

/// What an overlay's answer to a key is.
#[derive(Debug)]
pub enum Reaction {
    /// It stays.
    Stay,
    /// It stays, and this has to happen.
    StayAnd(Vec<Effect>),
    /// It stays, and this is put into the terminal's clipboard.
    Copy(String),
    /// It stays, and the services are filtered.
    Filter(Filter),
    /// It goes.
    Close,
    /// It goes, and this has to happen.
    CloseAnd(Vec<Effect>),
    /// It goes, and what is written in it is kept.
    Keep,
    /// It goes, what is written in it is kept, and this has to happen.
    KeepAnd(Vec<Effect>),
    /// It goes, and a command of the table is run with this.
    Run {
        /// The command.
        command: &'static Entry,
        /// What it is given.
        args: Vec<String>,
        /// The line of the palette that asked for it.
        line: Option<String>,
    },
    /// Another takes its place.
    Replace(Overlay),
}

impl Overlay {
    /// Answers a key.
    pub fn key(&mut self, scene: &Scene<'_>, key: Key) -> Reaction {
        match self {
            Self::None => Reaction::Close,
            Self::Action(dialog) => dialog.key(scene, key),
            Self::Compose(dialog) => dialog.key(scene, key),
            Self::Leave(dialog) => dialog.key(key),
            Self::Help(help) => help.key(scene, key),
            Self::Palette(palette) => palette.key(scene, key),
            Self::Filter(line) => line.key(scene, key),
        }
    }

    /// Takes pasted text: into the field that is being edited, never as keys.
    pub fn paste(&mut self, scene: &Scene<'_>, text: &str) -> Reaction {
        // One line, without what a terminal would take for a command.
        let text: String = clean(text).chars().take(400).collect();
        match self {
            Self::None => Reaction::Close,
            Self::Leave(_) => Reaction::Stay,
            Self::Action(dialog) => {
                dialog.paste(&text);
                Reaction::Stay
            }
            Self::Compose(dialog) => {
                dialog.paste(scene, &text);
                Reaction::Stay
            }
            Self::Help(help) => help.paste(scene, &text),
            Self::Palette(palette) => palette.paste(scene, &text),
            Self::Filter(line) => line.paste(&text),
        }
    }

    /// Draws it over the board, and says where the cursor is if a field is edited.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        match self {
            Self::None => None,
            Self::Action(dialog) => dialog.draw(scene, area, buf),
            Self::Compose(dialog) => dialog.draw(scene, area, buf),
            Self::Leave(dialog) => dialog.draw(scene, area, buf),
            Self::Help(help) => help.draw(scene, area, buf),
            Self::Palette(palette) => palette.draw(scene, area, buf),
            Self::Filter(line) => line.draw(scene, area, buf),
        }
    }

    /// A frame with it, as it is now, has been drawn: called after every frame. Keys that were read before the first one are not
    /// for it, and nothing is confirmed that was not seen as it is.
    pub fn seen(&mut self) {
        match self {
            Self::Action(dialog) => dialog.seen(),
            Self::Compose(dialog) => dialog.seen(),
            Self::Leave(dialog) => dialog.seen(),
            Self::None | Self::Help(_) | Self::Palette(_) | Self::Filter(_) => {}
        }
    }
}

/// The question before something is done, and what has to be asked of the engine for it. What needs no question is sent at
/// once.
///
/// # Errors
///
/// If there is nothing to ask about, with the reason.
pub fn ask(
    scene: &Scene<'_>,
    entry: &'static Entry,
    asked: &Invocation,
) -> Result<(Overlay, Vec<Effect>), Reason> {
    action::ask(scene, entry, asked)
}

/// The filter's line.
pub fn filter(scene: &Scene<'_>) -> Overlay {
    Overlay::Filter(FilterLine::new(&scene.ui.filter))
}

/// The help.
pub fn help(scene: &Scene<'_>) -> Overlay {
    Overlay::Help(Box::new(Help::new(scene)))
}

/// The palette, with this typed already.
pub fn palette(scene: &Scene<'_>, typed: &str) -> Overlay {
    Overlay::Palette(Box::new(Palette::new(scene, typed)))
}

/// Leaves, or asks first.
pub fn quit(ui: &mut Ui, picture: &Picture, asked: &Invocation) -> Vec<Effect> {
    leave::quit(ui, picture, asked)
}
