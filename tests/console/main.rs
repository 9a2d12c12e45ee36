//! The console in a real terminal: how it takes one and gives it back, and how a person gets through an incident with it.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it has to be")]

mod demo;
mod fleet;
mod harness;
mod incidents;
mod part;
mod pictures;
mod slips;
mod survival;
mod svg;
mod terminal;
mod two;
