//! The journal in a SQLite file.
//!
//! The file is the truth: nothing is kept in memory that another process could make untrue. It runs in WAL mode with
//! `synchronous=FULL`, so an append that returned survives a loss of power (<https://www.sqlite.org/pragma.html#pragma_synchronous>).
//! Many processes may read and write the same file; it has to be on a local disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::model::command::Envelope;
use crate::model::event::Event;
use crate::model::output::OutputLine;
use crate::model::reading::ServiceReading;
use crate::model::source::Sample;
use crate::model::{CommandId, OperationId, ServiceName};

use super::store::{Store, Tuning};
use super::{
    Entry, Glance, Journal, JournalError, Lease, Position, Snapshot, Verification, entries, inbox, lease,
    output, samples, snapshots, verify,
};

/// An open journal file.
#[derive(Debug)]
pub struct SqliteJournal {
    store: Store,
}

impl SqliteJournal {
    /// Opens the file for reading and writing; makes it when it is missing or empty (its directory has to exist). The
    /// time this takes does not depend on how much is in it, but for the first time after a program that knew less.
    ///
    /// A file that is not a journal of ours, or of a newer program, is left as it is.
    pub async fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { store: Store::open(path, Tuning::default()).await? })
    }

    /// Opens the file for reading only, while others may write to it. Also opens a damaged file, as long as anything can
    /// be read from it; [`Journal::verify`] then says what. Every method that writes gives [`JournalError::ReadOnly`].
    pub async fn open_read_only(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { store: Store::open_read_only(path, Tuning::default()).await? })
    }

    /// Closes the file and waits until it is. Without this, dropping closes it too, a moment later.
    pub async fn close(&self) {
        self.store.close().await;
    }

    #[cfg(test)]
    pub(super) async fn open_tuned(path: &Path, tuning: Tuning) -> Result<Self, JournalError> {
        Ok(Self { store: Store::open(path, tuning).await? })
    }

    #[cfg(test)]
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn append(
        &self,
        token: u64,
        at: Timestamp,
        events: &[Event],
        answers: &[CommandId],
    ) -> Result<Vec<Entry>, JournalError> {
        entries::append(&self.store, token, at, events, answers).await
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Entry>, JournalError> {
        entries::read(&self.store, after, limit).await
    }

    async fn last(&self) -> Result<Position, JournalError> {
        entries::last(&self.store).await
    }

    async fn save_snapshot(&self, format: u32, snapshot: &Snapshot) -> Result<(), JournalError> {
        snapshots::save(&self.store, format, snapshot).await
    }

    async fn load_snapshot(&self, format: u32) -> Result<Option<Snapshot>, JournalError> {
        snapshots::load(&self.store, format).await
    }

    async fn acquire(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
        lease::acquire(&self.store, holder, ttl).await
    }

    async fn seize(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
        lease::seize(&self.store, holder, ttl).await
    }

    async fn renew(&self, token: u64, ttl: Duration) -> Result<Lease, JournalError> {
        lease::renew(&self.store, token, ttl).await
    }

    async fn release(&self, token: u64) -> Result<(), JournalError> {
        lease::release(&self.store, token).await
    }

    async fn lease(&self) -> Result<Option<Lease>, JournalError> {
        lease::lease(&self.store).await
    }

    async fn submit(&self, envelope: &Envelope) -> Result<(), JournalError> {
        inbox::submit(&self.store, envelope).await
    }

    async fn inbox(&self) -> Result<Vec<Envelope>, JournalError> {
        inbox::inbox(&self.store).await
    }

    async fn waiting(&self) -> Result<u64, JournalError> {
        inbox::waiting(&self.store).await
    }

    async fn record(&self, samples: &[Sample]) -> Result<(), JournalError> {
        samples::record(&self.store, samples).await
    }

    async fn samples(&self, since: Timestamp) -> Result<Vec<Sample>, JournalError> {
        samples::samples(&self.store, since).await
    }

    async fn samples_of(
        &self,
        service: &ServiceName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>, JournalError> {
        samples::samples_of(&self.store, service, from, to).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        samples::prune(&self.store, before).await
    }

    async fn publish(
        &self,
        at: Timestamp,
        readings: &[(ServiceName, ServiceReading)],
    ) -> Result<(), JournalError> {
        samples::publish(&self.store, at, readings).await
    }

    async fn readings(&self) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
        samples::readings(&self.store).await
    }

    async fn readings_other_than(
        &self,
        known: &BTreeMap<ServiceName, Timestamp>,
    ) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
        samples::readings_other_than(&self.store, known).await
    }

    async fn say(&self, lines: &[(OperationId, OutputLine)]) -> Result<(), JournalError> {
        output::say(&self.store, lines).await
    }

    async fn said(&self, after: u64) -> Result<Vec<(u64, OperationId, OutputLine)>, JournalError> {
        output::said(&self.store, after).await
    }

    fn glance(&self) -> Option<Glance> {
        self.store.glance()
    }

    async fn version(&self) -> Result<u64, JournalError> {
        self.store.version().await
    }

    async fn verify(&self) -> Result<Verification, JournalError> {
        verify::verify(&self.store).await
    }
}
