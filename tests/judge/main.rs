//! The judge: its figures, its promises, and the fixed-window comparison.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod argo;
mod argo_conditions;
mod behaviour;
mod decisions;
mod draws;
mod false_alarms;
mod figures;
mod fixed_window;
mod flagger;
mod promises;
mod reference;
mod rollback_target;
mod signals;
mod streams;
