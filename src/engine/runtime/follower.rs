//! Following: showing what the leader did, and taking the lead when nobody has it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::journal::{Entry, Journal, JournalError, Lease, Position};

use super::super::state::{STATE_FORMAT, State};
use super::view::Leadership;
use super::{Lead, Shared};

/// How often the journal is asked for new entries.
const POLL: Duration = Duration::from_millis(50);
/// How often readings and the lease are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Entries read at once.
const BATCH: usize = 2_000;

/// The state as the journal has it: the newest snapshot and what came after.
pub(super) async fn fold(journal: &dyn Journal) -> Result<(Arc<State>, Position), JournalError> {
    let (mut state, mut position) = match journal.load_snapshot(STATE_FORMAT).await? {
        // A snapshot that cannot be read is no loss: the events are all there.
        Some(snapshot) => match serde_json::from_str(&snapshot.state) {
            Ok(state) => (state, snapshot.seq),
            Err(error) => {
                tracing::warn!(%error, "a snapshot cannot be read; the whole journal is read instead");
                (State::default(), 0)
            }
        },
        None => (State::default(), 0),
    };
    loop {
        let entries = journal.read(position, BATCH).await?;
        let Some(last) = entries.last() else { return Ok((Arc::new(state), position)) };
        position = last.seq;
        state = state.fold(entries.iter().map(|entry| (entry.at, &entry.event)));
    }
}

/// Follows until the lease is ours (then gives it) or the engine stops (then gives none).
pub(super) async fn follow(shared: &Arc<Shared>) -> Result<Option<Lease>, JournalError> {
    let mut looked: Option<tokio::time::Instant> = None;
    loop {
        catch_up(shared).await?;
        if looked.is_none_or(|at| at.elapsed() >= LOOK) {
            looked = Some(tokio::time::Instant::now());
            if let Some(lease) = look(shared).await? {
                catch_up(shared).await?;
                return Ok(Some(lease));
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(None),
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Reads what is new.
async fn catch_up(shared: &Arc<Shared>) -> Result<(), JournalError> {
    loop {
        let position = shared.view.borrow().position;
        let entries = shared.journal.read(position, BATCH).await?;
        if entries.is_empty() {
            return Ok(());
        }
        take(shared, entries);
    }
}

/// Folds entries into the view and passes them on.
fn take(shared: &Arc<Shared>, entries: Vec<Entry>) {
    shared.view.send_modify(|view| {
        let view = Arc::make_mut(view);
        let state = Arc::make_mut(&mut view.state);
        for entry in &entries {
            state.apply(&entry.event, entry.at);
            view.position = entry.seq;
        }
        view.trouble = None;
    });
    for entry in entries {
        // Nobody listening is fine.
        let _ = shared.entries.send(Arc::new(entry));
    }
}

/// Looks at the readings and the lease; takes the lease if it may.
async fn look(shared: &Arc<Shared>) -> Result<Option<Lease>, JournalError> {
    let lease = shared.journal.lease().await?;
    let is_free = lease.as_ref().is_none_or(|lease| lease.until <= Timestamp::now());
    if is_free && shared.options.lead == Lead::Auto {
        match shared.journal.acquire(&shared.holder, shared.options.lease).await {
            Ok(lease) => return Ok(Some(lease)),
            // Somebody was faster.
            Err(JournalError::Held(_)) => {}
            Err(error) => return Err(error),
        }
    }
    let readings = shared.journal.readings().await?;
    let leadership = Leadership::seen(lease);
    shared.view.send_if_modified(|view| {
        // It could be read: what was wrong with it is over.
        let is_new = view.trouble.is_some()
            || view.leadership != leadership
            || readings
                .iter()
                .any(|(service, at, _)| view.readings.get(service).is_none_or(|(seen, _)| seen != at));
        if is_new {
            let view = Arc::make_mut(view);
            view.leadership = leadership;
            view.trouble = None;
            view.readings = readings
                .into_iter()
                .map(|(service, at, reading)| (service, (at, Arc::new(reading))))
                .collect::<BTreeMap<_, _>>();
        }
        is_new
    });
    Ok(None)
}
