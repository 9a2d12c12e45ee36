//! The console in a real terminal: how it takes one, and how it gives it back.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it has to be")]

mod harness;
mod part;
mod terminal;
