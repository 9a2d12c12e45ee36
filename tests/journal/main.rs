//! The journal as several processes, a full disk and yesterday's file see it.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it has to be")]

mod child;
mod compatibility;
mod disk;
mod people;
mod processes;
