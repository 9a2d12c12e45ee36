//! unship takes a bad release back: it senses, judges, decides, plans, acts and records.
//!
//! The map of the house. Arrows point downward only: faces → engine → (judge, triggers, runbook, config) → model, and adapters → model.
//!
//! - [`model`]: the nouns as plain data. No I/O, no clock; everything may import it.
//! - [`config`]: `unship.toml`: schema, loading, checking with file positions, secrets by reference.
//! - [`judge`]: statistics over streams of counts: evidence that a canary is worse, or safe. Pure.
//! - [`runbook`]: Markdown runbooks as data: sections, items, windows, conditions, and what is wrong with them. Pure.
//! - [`triggers`]: conditions over indicators and probes. Pure.
//! - [`engine`]: the pure core (state, senses, decisions, guardrails, plans, steps) and the runtime that feeds it.
//! - [`journal`]: the event store: append-only, hash-chained, with leases, an inbox, and recorded samples.
//! - [`observe`]: the senses: probes and sources, one file each.
//! - [`mod@aws`]: signed requests to AWS, for the adapters that need them.
//! - [`platform`]: what can be changed, and where, one file each.
//! - [`validate`]: trying whether a release may go on: checks, smoke suites, load runs.
//! - [`database`]: looking into the databases of services, and backing them up.
//! - [`notify`]: channels to people, one file each.
//! - [`lab`]: the embedded fleet: real HTTP services, a weighted router, traffic and faults, all on loopback.
//! - [`templates`]: what people are told, in words that a team can make its own. Pure.
//! - [`report`]: post-mortems, deployment records and delivery measures out of the journal. Pure.
//! - [`telemetry`]: the log: a rolling file that no secret gets into.
//! - [`api`]: the guard's HTTP listener: alarms in, health and metrics out.
//! - [`cli`]: the headless face, one file a subcommand.
//! - [`tui`]: the console, the full-screen face.

pub mod api;
pub mod aws;
pub mod cli;
pub mod config;
pub mod database;
pub mod engine;
pub mod journal;
pub mod judge;
pub mod lab;
pub mod model;
pub mod notify;
pub mod observe;
pub mod platform;
mod process;
pub mod report;
pub mod runbook;
pub mod telemetry;
pub mod templates;
pub mod triggers;
pub mod tui;
pub mod validate;
