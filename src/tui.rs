//! The console: the full-screen terminal face. Drawing is a function of state; nothing here calls an adapter.
//!
//! - [`theme`]: colours and weights by meaning, from files; [`glyphs`]: the symbols that go with them.
//! - [`widgets`]: what panes are built from: text, tables, frames, bars, charts.

pub mod glyphs;
pub mod theme;
pub mod widgets;
