//! Reports: what the journal says afterwards of an incident, of deployments and rollbacks, and of delivery over a time.
//!
//! Pure: entries of the journal go in, in their order and one at a time, and data come out. Nothing here reads a clock: `now` is an
//! argument. What can be said twice is said once: the words of an event are [`account`](crate::engine::account)'s.
//!
//! - [`incident`]: the record of one incident: its instants and intervals, its timeline, who did what.
//! - [`postmortem`]: that record as a document that people go on writing, and that can be generated again over their text.
//! - [`deployment`]: the record of each deployment and rollback of a service.
//! - [`delivery`]: measures over a time: DORA's five, the times of incidents, and the objectives.

pub mod delivery;
pub mod deployment;
pub mod incident;
mod markdown;
mod naming;
pub mod postmortem;
mod releases;
mod sight;
mod span;
#[cfg(test)]
mod testing;

use jiff::Timestamp;

use crate::model::event::Event;

pub use naming::Naming;
pub use span::Millis;

/// An entry of the journal, as far as a report is made of it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its place, from 1.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// What happened.
    pub event: &'a Event,
    /// Its hash, which covers every entry before it.
    pub hash: &'a str,
}
