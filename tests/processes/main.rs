//! Real processes on a real fleet: guards that are killed, stopped and replaced, and the commands that people type.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod answers;
mod backtest;
mod channels;
mod commands;
mod databases;
mod deployments;
mod drill;
mod file;
mod harness;
mod heartbeat;
mod incidents;
mod instances;
mod judge;
mod killed;
mod outbox;
mod outbox_killed;
mod programs;
mod report;
mod starts;
mod stopped;
mod themes;
mod together;
