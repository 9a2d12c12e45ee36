//! Following: showing what the leader did, and taking the lead when nobody has it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::journal::{Entry, Glance, Journal, JournalError, Lease, Position};
use crate::model::ServiceName;
use crate::model::reading::ServiceReading;

use super::super::state::{STATE_FORMAT, State};
use super::output::{self, Output};
use super::view::Leadership;
use super::{Lead, Shared};

/// How often it is looked whether anything was written. Where somebody writes all the time this is how often all of it is
/// read: a few times a second is as much as a person sees.
const POLL: Duration = Duration::from_millis(200);
/// The same after a command of ours, whose answer is waited for.
const AWAITING_POLL: Duration = Duration::from_millis(50);
/// For how long.
const AWAITING: Duration = Duration::from_secs(3);
/// The same for a journal to which nobody has written for [`QUIET`]: a glance costs nothing, and news is seen soon.
const QUIET_POLL: Duration = Duration::from_millis(100);
/// How long after a write the next one is expected soon.
const QUIET: Duration = Duration::from_secs(5);
/// How often the journal is looked into in any case.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);
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

/// What was seen at the last look inside the journal.
#[derive(Default)]
struct Seen {
    glance: Option<Glance>,
    version: Option<u64>,
    at: Option<Instant>,
    /// When something new was seen last.
    new_at: Option<Instant>,
    /// A command was sent from here.
    asked_at: Option<Instant>,
    lease: Option<Lease>,
    /// The last line of output that was read. None: none yet, and what the view has is replaced.
    said: Option<u64>,
}

impl Seen {
    /// How long to wait before the next look.
    fn pause(&self) -> Duration {
        let is_within = |at: Option<Instant>, time: Duration| at.is_some_and(|at| at.elapsed() < time);
        if is_within(self.asked_at, AWAITING) {
            AWAITING_POLL
        } else if is_within(self.new_at, QUIET) {
            POLL
        } else {
            QUIET_POLL
        }
    }

    /// Whether nothing can be new, as far as that shows from outside.
    fn is_still(&self, glance: Option<Glance>) -> bool {
        glance.is_some() && glance == self.glance && self.at.is_some_and(|at| at.elapsed() < LOOK_ANYWAY)
    }
}

/// Follows until the lease is ours (then gives it) or the engine stops (then gives none).
///
/// A journal to which nobody writes costs a glance from outside ten times a second and one question once a second.
pub(super) async fn follow(shared: &Arc<Shared>, lead: Lead) -> Result<Option<Lease>, JournalError> {
    let mut seen = Seen::default();
    loop {
        // Before the look: what is written meanwhile is seen again.
        let glance = shared.journal.glance();
        if !seen.is_still(glance) {
            look(shared, &mut seen).await?;
            (seen.glance, seen.at) = (glance, Some(Instant::now()));
        }
        let is_free = seen.lease.as_ref().is_none_or(|lease| lease.until <= Timestamp::now());
        if is_free {
            show_nobody(shared);
        }
        let taken = match lead {
            Lead::Now => shared.journal.seize(&shared.holder, shared.options.lease).await.map(Some)?,
            Lead::Auto if is_free => take_lead(shared).await?,
            Lead::Auto | Lead::Never => None,
        };
        if let Some(lease) = taken {
            catch_up(shared).await?;
            return Ok(Some(lease));
        }
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(None),
            () = shared.inbox.notified() => seen.asked_at = Some(Instant::now()),
            () = tokio::time::sleep(seen.pause()) => {}
        }
    }
}

/// Takes the lease, unless somebody is faster.
async fn take_lead(shared: &Shared) -> Result<Option<Lease>, JournalError> {
    match shared.journal.acquire(&shared.holder, shared.options.lease).await {
        Ok(lease) => Ok(Some(lease)),
        Err(JournalError::Held(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A lease can end without anybody writing.
fn show_nobody(shared: &Shared) {
    shared.view.send_if_modified(|view| {
        let is_new = view.leadership != Leadership::Nobody;
        if is_new {
            Arc::make_mut(view).leadership = Leadership::Nobody;
        }
        is_new
    });
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

/// Reads everything that is new, if anything is.
async fn look(shared: &Arc<Shared>, seen: &mut Seen) -> Result<(), JournalError> {
    let version = shared.journal.version().await?;
    if seen.version != Some(version) {
        catch_up(shared).await?;
        let lease = shared.journal.lease().await?;
        let known = shared.view.borrow().readings.iter().map(|(name, (at, _))| (name.clone(), *at)).collect();
        let readings = shared.journal.readings_other_than(&known).await?;
        show(shared, lease.clone(), readings);
        show_output(shared, seen).await?;
        (seen.version, seen.lease, seen.new_at) = (Some(version), lease, Some(Instant::now()));
    }
    shared.looked();
    Ok(())
}

/// Reads what platforms have said since the last time.
async fn show_output(shared: &Shared, seen: &mut Seen) -> Result<(), JournalError> {
    let said = shared.journal.said(seen.said.unwrap_or(0)).await?;
    let last = said.last().map(|(place, _, _)| *place);
    let lines = said.into_iter().map(|(_, operation, line)| (operation, line));
    if seen.said.is_none() {
        let mut output = Output::new();
        output::add(&mut output, lines);
        shared.view.send_if_modified(|view| {
            let is_new = view.output != output;
            if is_new {
                Arc::make_mut(view).output = output;
            }
            is_new
        });
    } else if last.is_some() {
        shared.view.send_modify(|view| output::add(&mut Arc::make_mut(view).output, lines));
    }
    seen.said = last.or(seen.said).or(Some(0));
    Ok(())
}

fn show(shared: &Shared, lease: Option<Lease>, readings: Vec<(ServiceName, Timestamp, ServiceReading)>) {
    // A lease of our own that we could not go on with (a full disk) does not show that the journal can be used again.
    let is_well = lease.as_ref().is_none_or(|lease| lease.holder != shared.holder);
    let leadership = Leadership::seen(lease);
    shared.view.send_if_modified(|view| {
        let is_new =
            view.leadership != leadership || is_well && view.trouble.is_some() || !readings.is_empty();
        if is_new {
            let view = Arc::make_mut(view);
            view.leadership = leadership;
            if is_well {
                view.trouble = None;
            }
            for (service, at, reading) in readings {
                view.readings.insert(service, (at, Arc::new(reading)));
            }
        }
        is_new
    });
}
