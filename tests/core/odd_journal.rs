//! A journal that passes everything on, and is odd where a test wants it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use unship::journal::{Entry, Glance, Journal, JournalError, Lease, Position, Snapshot, Verification};
use unship::model::command::Envelope;
use unship::model::event::Event;
use unship::model::output::OutputLine;
use unship::model::reading::ServiceReading;
use unship::model::source::Sample;
use unship::model::{CommandId, OperationId, ServiceName};

/// The journal, how long its samples take to be read, how it looks from outside if not as it does, and how often it was
/// asked for entries, for readings and for its version.
pub(crate) struct Odd {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) takes: Duration,
    pub(crate) looks: Option<Glance>,
    pub(crate) reads: AtomicUsize,
    pub(crate) readings: AtomicUsize,
    pub(crate) versions: AtomicUsize,
}

impl Odd {
    pub(crate) fn on(journal: Arc<dyn Journal>) -> Self {
        Self {
            journal,
            takes: Duration::ZERO,
            looks: None,
            reads: AtomicUsize::new(0),
            readings: AtomicUsize::new(0),
            versions: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl Journal for Odd {
    async fn append(
        &self,
        token: u64,
        at: Timestamp,
        events: &[Event],
        answers: &[CommandId],
    ) -> Result<Vec<Entry>, JournalError> {
        self.journal.append(token, at, events, answers).await
    }
    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Entry>, JournalError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.journal.read(after, limit).await
    }
    async fn last(&self) -> Result<Position, JournalError> {
        self.journal.last().await
    }
    async fn save_snapshot(&self, format: u32, snapshot: &Snapshot) -> Result<(), JournalError> {
        self.journal.save_snapshot(format, snapshot).await
    }
    async fn load_snapshot(&self, format: u32) -> Result<Option<Snapshot>, JournalError> {
        self.journal.load_snapshot(format).await
    }
    async fn acquire(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
        self.journal.acquire(holder, ttl).await
    }
    async fn seize(&self, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
        self.journal.seize(holder, ttl).await
    }
    async fn renew(&self, token: u64, ttl: Duration) -> Result<Lease, JournalError> {
        self.journal.renew(token, ttl).await
    }
    async fn release(&self, token: u64) -> Result<(), JournalError> {
        self.journal.release(token).await
    }
    async fn lease(&self) -> Result<Option<Lease>, JournalError> {
        self.journal.lease().await
    }
    async fn submit(&self, envelope: &Envelope) -> Result<(), JournalError> {
        self.journal.submit(envelope).await
    }
    async fn waiting(&self) -> Result<u64, JournalError> {
        self.journal.waiting().await
    }
    async fn inbox(&self) -> Result<Vec<Envelope>, JournalError> {
        self.journal.inbox().await
    }
    async fn record(&self, samples: &[Sample]) -> Result<(), JournalError> {
        self.journal.record(samples).await
    }
    async fn samples(&self, since: Timestamp) -> Result<Vec<Sample>, JournalError> {
        tokio::time::sleep(self.takes).await;
        self.journal.samples(since).await
    }
    async fn samples_of(
        &self,
        service: &ServiceName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>, JournalError> {
        self.journal.samples_of(service, from, to).await
    }
    async fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        self.journal.prune(before).await
    }
    async fn publish(
        &self,
        at: Timestamp,
        readings: &[(ServiceName, ServiceReading)],
    ) -> Result<(), JournalError> {
        self.journal.publish(at, readings).await
    }
    async fn readings(&self) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
        self.journal.readings().await
    }
    async fn readings_other_than(
        &self,
        known: &BTreeMap<ServiceName, Timestamp>,
    ) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
        let found = self.journal.readings_other_than(known).await?;
        self.readings.fetch_add(found.len(), Ordering::SeqCst);
        Ok(found)
    }
    async fn say(&self, lines: &[(OperationId, OutputLine)]) -> Result<(), JournalError> {
        self.journal.say(lines).await
    }
    async fn said(&self, after: u64) -> Result<Vec<(u64, OperationId, OutputLine)>, JournalError> {
        self.journal.said(after).await
    }
    async fn version(&self) -> Result<u64, JournalError> {
        self.versions.fetch_add(1, Ordering::SeqCst);
        self.journal.version().await
    }
    fn glance(&self) -> Option<Glance> {
        self.looks.or_else(|| self.journal.glance())
    }
    async fn verify(&self) -> Result<Verification, JournalError> {
        self.journal.verify().await
    }
}
