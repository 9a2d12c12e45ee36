//! The console: the full-screen face. It shows the engine's state and sends it commands; it calls no adapter.

pub mod clock;
pub mod terminal;
