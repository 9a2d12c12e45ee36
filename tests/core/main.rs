//! The pure core, driven without a clock: what it does with any inputs, and with the ones that matter.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod actions;
mod backtest;
mod checklists;
mod databases;
mod defects;
mod defects_runtime;
mod deliveries;
mod deployments;
mod escalations;
mod following;
mod harness;
mod incidents;
mod instances;
mod joints;
mod judged;
mod odd_journal;
mod operations;
mod properties;
mod rollbacks;
