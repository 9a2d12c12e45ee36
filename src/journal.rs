//! The event store: the append-only, hash-chained record that everything else is made from.
//!
//! The trait lives here with its words and errors. Leases, the inbox for commands
//! from other processes, recorded samples and readings live in the same store, so that one file is all that several
//! processes need to share. What an event *means* does not live here: the store keeps it as text.
//!
//! [`sqlite`] keeps it in a SQLite file; the files beside it hold one idea each (the chain, the lease, the inbox, samples,
//! snapshots, checking). [`mod@tail`] follows a journal that other processes write to.

mod chain;
#[cfg(debug_assertions)]
mod crash_point;
mod entries;
mod errors;
mod inbox;
mod inode;
mod lease;
mod output;
mod sample_codec;
mod samples;
mod schema;
mod snapshots;
pub mod sqlite;
mod store;
pub mod tail;
#[cfg(test)]
mod testing;
mod verify;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::command::Envelope;
use crate::model::event::{DecodeError, Event};
use crate::model::output::OutputLine;
use crate::model::reading::ServiceReading;
use crate::model::source::Sample;
use crate::model::{CommandId, OperationId, ServiceName};

pub use sqlite::SqliteJournal;
pub use tail::{Tail, tail};

/// A place in the journal: the sequence number of an entry, from 1; 0 is before the first.
pub type Position = u64;

/// One stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place.
    pub seq: Position,
    /// When it was appended, to the millisecond.
    pub at: Timestamp,
    /// The fencing token of the leader that appended it.
    pub token: u64,
    /// What happened.
    pub event: Event,
    /// SHA-256 over the entry before, this one's place, time, token, version and text; hexadecimal.
    pub hash: String,
}

/// The right to act for an environment, held for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it, as `guard@host:pid`.
    pub holder: String,
    /// Grows with every change of holder; every append carries it.
    pub token: u64,
    /// When it ends unless renewed.
    pub until: Timestamp,
}

/// How a store looks from outside. While it stays the same, nothing was written, as far as the store's clock can tell two
/// writes apart: of two in the same instant the later one may not show, so it has to be looked inside now and then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance(pub u64);

/// A saved fold of the events up to a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that is in it.
    pub seq: Position,
    /// The hash of that entry, so that a snapshot of another history is noticed.
    pub hash: String,
    /// The state as JSON, in the format that the reader asked for.
    pub state: String,
}

/// What checking the chain found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verification {
    /// Entries read.
    pub entries: u64,
    /// The last good entry's hash; empty for an empty journal.
    pub head: String,
    /// What is wrong, each with the entry it is wrong at; empty when the journal is whole.
    pub faults: Vec<String>,
}

/// Why the journal could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process leads; nothing was written.
    #[error("the lease is no longer ours: token {ours}, now {theirs} ({holder})")]
    Fenced {
        /// The token that was offered.
        ours: u64,
        /// The token that holds.
        theirs: u64,
        /// Who holds it.
        holder: String,
    },
    /// Another process holds the lease.
    #[error("`{}` leads until {:.0}", .0.holder, .0.until)]
    Held(Lease),
    /// The file is not a journal of unship.
    #[error(
        "`{path}` is not a journal of unship: {reason}; nothing was changed. Give another path in `store.path`"
    )]
    Foreign {
        /// The file.
        path: String,
        /// What it looks like.
        reason: String,
    },
    /// The file was written by a newer program.
    #[error(
        "`{path}` was written by a newer unship (format {found}, this program knows {known}); use that one"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The content is damaged.
    #[error("`{path}` is damaged: {reason}. Keep the file; `unship journal verify` says what can be read")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The file, or the log beside it, is no longer the one that was opened. What was appended since may be lost.
    #[error(
        "`{path}` (or its `-wal` file) was deleted, moved away or replaced while it was open; nothing more is done with \
         it. Put it back, or start again with the file that is there now"
    )]
    Replaced {
        /// The file.
        path: String,
    },
    /// The file cannot be written.
    #[error("`{path}` cannot be written: {reason}")]
    ReadOnly {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// No room on the disk; what was acknowledged before is safe.
    #[error(
        "no room left for `{path}`; what was acknowledged is safe, nothing new was written. Free some space"
    )]
    Full {
        /// The file.
        path: String,
    },
    /// Another program keeps the file locked.
    #[error("`{path}` is locked by another program for longer than {} s", .waited.as_secs())]
    Locked {
        /// The file.
        path: String,
        /// How long we waited.
        waited: Duration,
    },
    /// A stored event cannot be read.
    #[error("entry {seq} of `{path}`: {source}")]
    Entry {
        /// The file.
        path: String,
        /// The entry.
        seq: Position,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// Anything else the store says.
    #[error("`{path}`: {reason}")]
    Store {
        /// The file.
        path: String,
        /// What it says.
        reason: String,
    },
}

/// The event store. Every method is safe to call from several processes at once.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends events in one transaction, in order, if `token` is the newest that was granted. When this returns, they
    /// survive a loss of power. `answers` are commands of the inbox that these events take care of; they leave it in
    /// the same transaction (also when `events` is empty).
    async fn append(
        &self,
        token: u64,
        at: Timestamp,
        events: &[Event],
        answers: &[CommandId],
    ) -> Result<Vec<Entry>, JournalError>;

    /// At most `limit` entries after a place, in order. Entries that this process or another appended before the call
    /// are seen.
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Entry>, JournalError>;

    /// The last entry's place; 0 for an empty journal.
    async fn last(&self) -> Result<Position, JournalError>;

    /// Saves a fold. `format` names the shape of the state; a reader that knows another shape does not see it.
    async fn save_snapshot(&self, format: u32, snapshot: &Snapshot) -> Result<(), JournalError>;

    /// The newest fold of this format whose entry is still the one it was made from.
    async fn load_snapshot(&self, format: u32) -> Result<Option<Snapshot>, JournalError>;

    /// Takes the lease if it is free, ours already, or past its time; a change of holder makes a new token.
    /// [`JournalError::Held`] if another holder's lease still runs.
    async fn acquire(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError>;

    /// Takes the lease at once, whoever holds it; from another holder under a new token. For a leader that hangs.
    ///
    /// What this makes sure of: from the moment it returns, nothing is appended under the old token, and the old one is
    /// neither prolonged nor given back in the new one's stead. What it cannot: a call to a platform that the old leader
    /// has sent may still arrive. Its step is in the journal as begun, so whoever leads now knows that it may have happened
    /// and looks before doing anything; a platform that keeps the tokens refuses the call.
    async fn seize(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError>;

    /// Prolongs the lease that carries this token. [`JournalError::Fenced`] if a newer token was granted.
    async fn renew(&self, token: u64, ttl: Duration) -> Result<Lease, JournalError>;

    /// Gives the lease back, so that the next one need not wait. A token that is no longer the newest changes nothing.
    async fn release(&self, token: u64) -> Result<(), JournalError>;

    /// The lease as it stands, also one past its time; none if it was never taken or was given back.
    async fn lease(&self) -> Result<Option<Lease>, JournalError>;

    /// Puts a command into the inbox, durably. The same id twice is one command.
    async fn submit(&self, envelope: &Envelope) -> Result<(), JournalError>;

    /// Commands that no append has answered yet, oldest first.
    async fn inbox(&self) -> Result<Vec<Envelope>, JournalError>;

    /// How many commands wait in the inbox.
    async fn waiting(&self) -> Result<u64, JournalError>;

    /// Records samples, apart from the events; losing the last second of them in a crash is allowed.
    async fn record(&self, samples: &[Sample]) -> Result<(), JournalError>;

    /// Recorded samples from a time on, oldest first.
    async fn samples(&self, since: Timestamp) -> Result<Vec<Sample>, JournalError>;

    /// Recorded samples of one service, from a time on and up to another (that one too), oldest first. Costs by what comes
    /// back, however much else there is.
    async fn samples_of(
        &self,
        service: &ServiceName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>, JournalError>;

    /// Forgets samples before a time. Events are never forgotten. Says how many.
    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError>;

    /// Replaces the newest readings, for other processes to show.
    async fn publish(
        &self,
        at: Timestamp,
        readings: &[(ServiceName, ServiceReading)],
    ) -> Result<(), JournalError>;

    /// The newest readings and when each was published.
    async fn readings(&self) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError>;

    /// The newest readings of those services whose reading is of another time than the one that is known.
    async fn readings_other_than(
        &self,
        known: &BTreeMap<ServiceName, Timestamp>,
    ) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError>;

    /// Keeps what platforms said during steps: the newest lines of the newest operations, for other processes to show.
    async fn say(&self, lines: &[(OperationId, OutputLine)]) -> Result<(), JournalError>;

    /// What was said after a place (0 is before the first), in order, each with its own place.
    async fn said(&self, after: u64) -> Result<Vec<(u64, OperationId, OutputLine)>, JournalError>;

    /// How the store looks from outside, at next to no cost. None where that cannot be told: then [`Journal::version`] has
    /// to be asked.
    fn glance(&self) -> Option<Glance> {
        None
    }

    /// Changes whenever anybody has written anything that was not there already, and may change without. Compares only with what the same open
    /// journal said before. What was written before the call can be read after it.
    async fn version(&self) -> Result<u64, JournalError>;

    /// Reads everything and checks the chain.
    async fn verify(&self) -> Result<Verification, JournalError>;
}
