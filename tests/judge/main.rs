//! The judge: its figures, its promises, and the fixed-window comparison.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod behaviour;
mod decisions;
mod draws;
mod false_alarms;
mod figures;
mod fixed_window;
mod promises;
mod reference;
mod signals;
mod streams;
