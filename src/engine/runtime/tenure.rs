//! Whether this process still leads, as far as can be told before it acts.
//!
//! What is appended is safe without this: the journal refuses an old token. A call to a platform is not, so right before
//! one both are asked, the clocks and the journal.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::{Journal, JournalError, Lease};

/// The time in which one token may act.
pub(super) struct Tenure {
    clock: LeaseClock,
    token: u64,
    ask: Box<Ask>,
}

/// Reads the lease as it stands.
type Ask = dyn Fn() -> BoxFuture<'static, Result<Option<Lease>, JournalError>> + Send + Sync;

impl Tenure {
    pub(super) fn new(clock: LeaseClock, token: u64, journal: &Arc<dyn Journal>) -> Self {
        let journal = Arc::clone(journal);
        let ask = move || {
            let journal = Arc::clone(&journal);
            async move { journal.lease().await }.boxed()
        };
        Self { clock, token, ask: Box::new(ask) }
    }

    /// By a lease that this gives instead of the journal.
    #[cfg(test)]
    pub(super) fn of(clock: LeaseClock, token: u64, lease: Lease) -> Self {
        Self { clock, token, ask: Box::new(move || futures::future::ready(Ok(Some(lease.clone()))).boxed()) }
    }

    /// Whether the lease runs and nobody has taken it. A journal that cannot be read at this moment says nothing: then the
    /// clocks decide.
    pub(super) async fn lasts(&self) -> bool {
        let is_newest = match (self.ask)().await {
            Ok(lease) => lease.is_some_and(|lease| lease.token == self.token),
            Err(error) => {
                tracing::warn!(%error, "the lease cannot be read; going by the clock");
                true
            }
        };
        // Last: reading takes time.
        is_newest && self.clock.runs()
    }
}

/// Whether a lease still runs, seen by two clocks: one that cannot be set, and one that goes on while the machine sleeps.
#[derive(Clone, Debug)]
pub(super) struct LeaseClock(Arc<Mutex<(Instant, Timestamp)>>);

impl LeaseClock {
    pub(super) fn new(lease: &Lease, ttl: Duration, asked_at: Instant) -> Self {
        Self(Arc::new(Mutex::new((asked_at + ttl, lease.until))))
    }

    pub(super) fn renew(&self, lease: &Lease, ttl: Duration, asked_at: Instant) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *ends = (asked_at + ttl, lease.until);
    }

    /// Whether nobody else can have been granted the lease yet.
    pub(super) fn runs(&self) -> bool {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Instant::now() < ends.0 && Timestamp::now() < ends.1
    }
}
