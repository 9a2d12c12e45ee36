//! unship takes a bad release back: it senses, judges, decides, plans, acts and records.
//!
//! The map of the house. Arrows point downward only: faces → engine → (triggers, config) → model, and adapters → model.
//!
//! - [`model`]: the nouns as plain data.
//! - [`config`]: `unship.toml`: schema, loading, checking, secrets by reference.
//! - [`journal`]: the event store: append-only, hash-chained, with leases.
//! - [`observe`]: the senses: probes and sources.
//! - [`platform`]: what can be changed, and where.
//! - [`notify`]: channels to people.
//! - [`cli`]: the headless face.
//! - [`telemetry`]: the program's own log, without secrets.

pub mod cli;
pub mod config;
pub mod journal;
pub mod model;
pub mod notify;
pub mod observe;
pub mod platform;
pub mod telemetry;
