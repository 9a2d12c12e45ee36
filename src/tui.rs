//! The console: the full-screen terminal face. Drawing is a function of state; nothing here calls an adapter.
//!
//! A terminal's event becomes a [`key`], the [`keymap`] makes it a command of the one table ([`commands`], with
//! [`available`] saying what cannot be done now and why), [`update`] changes where the person is looking ([`ui`]) and says
//! what has to happen outside, and [`app`] lets it happen.
//!
//! - [`scene`]: what is drawn: the engine's view ([`roster`], [`trends`], [`past`]) and where the person is looking.
//! - [`screen`]: the layout; [`header`], [`footer`], [`panes`], [`pages`], [`dialogs`], [`small`]: its parts.
//! - [`terminal`]: the terminal, taken and always given back; [`clock`]: when a frame is due.
//! - [`telling`]: what is told first about a service, and what to do now; [`signs`]: every state as symbol, word and
//!   meaning; [`widgets`]: what panes and pages are built from.
//! - [`theme`]: colours and weights by meaning, from files; [`glyphs`]: the symbols that go with them.

pub mod app;
pub mod available;
pub mod clock;
pub mod commands;
pub mod dialogs;
pub mod escalating;
pub mod footer;
pub mod glyphs;
pub mod guide;
pub mod header;
pub mod key;
pub mod keymap;
pub mod measured;
mod mouse;
pub mod pages;
pub mod panes;
pub mod past;
pub mod roster;
pub mod scene;
pub mod screen;
mod select;
pub mod signs;
pub mod small;
pub mod tail;
pub mod telling;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
pub mod theme;
pub mod trends;
pub mod ui;
pub mod update;
pub mod widgets;

pub use app::{Left, Options, run};
pub use keymap::Keymap;
