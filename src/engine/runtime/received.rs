//! Alarms on their way in: through the journal's inbox, as commands are, and from the Alertmanager itself when it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, broadcast, mpsc};

use crate::config::Config;
use crate::model::CommandId;
use crate::model::command::{Actor, Command, Envelope};
use crate::model::received::{AlarmBatch, AlarmReport};
use crate::observe::{Alertmanager, Silence};

use super::super::input::Input;
use super::{Engine, EngineError, Entry, Shared, View, World, now};

/// Alarms of one message that are put into the inbox together.
const CHUNK: usize = 1_000;
/// Commands that may wait in the inbox before no alarms are put there any more.
const WAITING: u64 = 100;
/// The least time between two questions, whoever asks.
const PAUSE: Duration = Duration::from_secs(1);

/// What an HTTP listener needs of an engine: it looks, and hands in what others sent. It outlives the engine without harm.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
}

impl Engine {
    /// The way in for what others send.
    pub fn door(&self) -> Door {
        Door { shared: Arc::clone(&self.shared) }
    }
}

impl Door {
    /// What is known now, always the newest.
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.shared.view.borrow())
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.shared.world.settings.config
    }

    /// New journal entries, from now on.
    pub fn entries(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.shared.entries.subscribe()
    }

    /// Takes alarms in: when this returns they are in the journal's inbox and survive a loss of power; whoever leads, now
    /// or next, makes of them what follows.
    ///
    /// # Errors
    ///
    /// If the journal cannot be written, or nobody has taken what waits there already. Some of them may have been taken in
    /// then; to send all again changes nothing about these.
    pub async fn receive(&self, batch: AlarmBatch) -> Result<(), EngineError> {
        let journal = &self.shared.journal;
        if journal.waiting().await? > WAITING {
            return Err(EngineError::Backlog(WAITING));
        }
        let AlarmBatch { at, mut reports, truncated } = batch;
        loop {
            let rest = reports.split_off(reports.len().min(CHUNK));
            // The last one asks for what was left out.
            let truncated = if rest.is_empty() { truncated } else { 0 };
            let command = Command::Alarms(AlarmBatch { at, reports, truncated });
            let id = CommandId::from(ulid::Ulid::generate().to_string());
            journal.submit(&Envelope { id, by: Actor::Engine, at: now(), command }).await?;
            self.shared.inbox.notify_one();
            if rest.is_empty() {
                return Ok(());
            }
            reports = rest;
        }
    }

    /// Asks the journal for its newest entry, and says how long that took.
    ///
    /// # Errors
    ///
    /// If the journal cannot be read.
    pub async fn ask_journal(&self) -> Result<Duration, EngineError> {
        let asked = Instant::now();
        self.shared.journal.last().await?;
        Ok(asked.elapsed())
    }
}

/// The alarms that a silence would be for now. An error is in words.
pub async fn alarms_to_silence(world: &World, silence: &Silence) -> Result<Vec<AlarmReport>, String> {
    alertmanager(world)?.matching(&silence.matchers).await
}

/// Makes a silence, and gives its id. An error is in words.
pub async fn make_silence(world: &World, silence: &Silence) -> Result<String, String> {
    if world.settings.config.environment.read_only {
        return Err("the environment is read-only".to_owned());
    }
    alertmanager(world)?.silence(silence).await
}

fn alertmanager(world: &World) -> Result<&Alertmanager, String> {
    world.alertmanager.as_deref().ok_or_else(|| {
        "the config names no Alertmanager: add `[alarms.alertmanager]` with its `urls`".to_owned()
    })
}

/// What a command of the inbox is for the core.
pub(super) fn input(envelope: Envelope) -> Input {
    match envelope.command {
        Command::Alarms(batch) => Input::Alarms(batch),
        command => Input::Command(Envelope { command, ..envelope }),
    }
}

/// Asks the Alertmanager again and again, and whenever somebody wants to know at once.
pub(super) async fn poll(alertmanager: Arc<Alertmanager>, poke: Arc<Notify>, inputs: mpsc::Sender<Input>) {
    let mut silent: Vec<String> = Vec::new();
    loop {
        let poll = alertmanager.poll().await;
        let failed = poll.peers.iter().filter_map(|(url, answer)| Some((url, answer.as_ref().err()?)));
        let failed: Vec<(&String, &String)> = failed.collect();
        for (url, why) in &failed {
            if !silent.contains(url) {
                tracing::warn!(%url, %why, "this Alertmanager cannot be asked; its alarms are stale");
            }
        }
        silent = failed.into_iter().map(|(url, _)| url.clone()).collect();
        if inputs.send(Input::AlarmPoll(poll)).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = poke.notified() => {}
            () = tokio::time::sleep(alertmanager.interval.saturating_sub(PAUSE)) => {}
        }
    }
}
