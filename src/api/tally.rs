//! What has happened since this process listens, counted: from the journal's entries, and by the listener itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast::error::RecvError;

use crate::engine::runtime::Door;
use crate::model::SourceName;
use crate::model::event::Event;
use crate::model::received::ReceivedChange;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Connections that are open.
    pub(super) connections: AtomicI64,
    /// Requests that were answered well.
    pub(super) fine: AtomicU64,
    /// Requests that were refused: 4xx.
    pub(super) refused: AtomicU64,
    /// Requests that failed: 5xx.
    pub(super) failed: AtomicU64,
    /// Alarms that were taken in.
    pub(super) alarms: AtomicU64,
    /// Messages with alarms that were not understood.
    pub(super) malformed: AtomicU64,
    /// What the journal said.
    journal: Mutex<Journaled>,
}

/// What the journal said, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Journaled {
    pub(super) accepted: u64,
    pub(super) failed: u64,
    pub(super) suppressed: u64,
    /// By kind and outcome.
    pub(super) operations: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) fired: u64,
    pub(super) resolved: u64,
    pub(super) source_failures: BTreeMap<SourceName, u64>,
    /// Entries that came faster than they could be counted.
    pub(super) missed: u64,
}

impl Tally {
    pub(super) fn journaled(&self) -> Journaled {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, event: &Event, door: &Door) {
        let mut counted = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::NotificationSent { .. } => counted.accepted += 1,
            Event::NotificationFailed { .. } => counted.failed += 1,
            Event::NotificationSuppressed { .. } => counted.suppressed += 1,
            Event::OperationEnded { operation, outcome, .. } => {
                let view = door.view();
                let kind =
                    view.state.operation(operation).map_or("operation", |known| known.plan.kind.noun());
                *counted.operations.entry((kind, outcome.words())).or_default() += 1;
            }
            Event::AlarmChanged { change: ReceivedChange::Firing { .. }, .. } => counted.fired += 1,
            Event::AlarmChanged { change: ReceivedChange::Resolved { .. }, .. } => counted.resolved += 1,
            Event::SourceReadable { source, fault: Some(_) } => {
                *counted.source_failures.entry(source.clone()).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// Counts what is journaled, for as long as the engine runs.
pub(super) async fn count(door: Door, tally: Arc<Tally>) {
    let mut entries = door.entries();
    loop {
        match entries.recv().await {
            Ok(entry) => tally.take(&entry.event, &door),
            Err(RecvError::Lagged(missed)) => {
                tally.journal.lock().unwrap_or_else(PoisonError::into_inner).missed += missed;
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Seconds of processor time and bytes of memory that this process has used, where the system says.
pub(super) fn process() -> (Option<f64>, Option<u64>) {
    // Both in the form of proc(5): times in hundredths of a second, memory in pages.
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    let cpu = stat.and_then(|stat| {
        // The program's name is in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks / 100.0)
    });
    let status = std::fs::read_to_string("/proc/self/status").ok();
    let memory = status.and_then(|status| {
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    });
    (cpu, memory)
}

impl Tally {
    /// Requests answered, and how many of them were not answered well by our own fault.
    pub(super) fn requests(&self) -> (u64, u64) {
        let failed = self.failed.load(Ordering::Relaxed);
        (self.fine.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed) + failed, failed)
    }
}
