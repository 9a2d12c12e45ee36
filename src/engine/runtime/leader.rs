//! Leading: inputs into the core, events into the journal, effects out into the world, in this order. How effects are carried out is
//! in `effects`.

mod effects;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::journal::{Glance, JournalError, Lease, Position, Snapshot};
use crate::model::breaker::Dependency;
use crate::model::command::Envelope;
use crate::model::output::OutputLine;
use crate::model::reading::ServiceReading;
use crate::model::source::Sample;
use crate::model::{CommandId, OperationId, ServiceName};
use crate::observe::Observation;
use crate::observe::Observer;

use super::super::core::Core;
use super::super::input::Input;
use super::super::state::STATE_FORMAT;
use super::clock::HouseClock;
use super::outbox::{Outbox, Returned};
use super::tenure::LeaseClock;
use super::view::{Asked, Leadership};
use super::{Shared, follower, memory, now, output, received};

/// How often time passes for the core.
const TICK: Duration = Duration::from_millis(100);
/// How often the inbox is looked at for commands of other processes, if anything was written.
const INBOX: Duration = Duration::from_millis(100);
/// How often it is looked at in any case.
const INBOX_ANYWAY: Duration = Duration::from_secs(1);
/// How often samples are recorded and readings are published.
const FLUSH: Duration = Duration::from_millis(500);
/// Inputs taken into one transaction at most.
const BATCH: usize = 256;
/// Events after which a snapshot is taken.
const SNAPSHOT_EVERY: u64 = 1_000;
/// Samples that wait for the recorder at most; beyond that the oldest are dropped, and that is logged.
const SAMPLES_KEPT: usize = 100_000;
/// How long a step that is being carried out may go on when the engine is asked to stop.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long commands wait for the first reading of every platform after a change of leader.
const FIRST_READINGS: Duration = Duration::from_secs(5);
/// How long the tasks of a leader have to end with it.
const LAST_TASKS: Duration = Duration::from_secs(1);

/// Leads until the engine stops (`Ok`), the lease is lost or the journal fails (`Err`).
pub(super) async fn lead(shared: &Arc<Shared>, lease: Lease) -> Result<(), JournalError> {
    let token = lease.token;
    tracing::info!(holder = %lease.holder, token, "leading");
    let result = Leader::begin(shared, lease).await;
    let result = match result {
        Ok(mut leader) => {
            let result = leader.run().await;
            // Whoever leads next must not meet a call of ours that is still on its way out.
            if timeout(LAST_TASKS, leader.tasks.shutdown()).await.is_err() {
                tracing::warn!("a task of the engine does not end");
            }
            result
        }
        Err(error) => Err(error),
    };
    // A lease that is no longer ours is not given back; anything else would make the next one wait.
    if let Err(error) = shared.journal.release(token).await {
        tracing::warn!(%error, "the lease was not given back; it ends by itself");
    }
    shared.view.send_modify(|view| {
        let view = Arc::make_mut(view);
        view.leadership = Leadership::Nobody;
        // Whoever leads next knows how they are.
        view.deliveries.clear();
    });
    result
}

struct Leader<'a> {
    shared: &'a Arc<Shared>,
    core: Core,
    token: u64,
    clock: LeaseClock,
    /// Every task that this leader started; they end with it.
    tasks: JoinSet<()>,
    inputs: mpsc::Sender<Input>,
    inbox: mpsc::Receiver<Input>,
    observations: mpsc::Receiver<Observation>,
    _observer: Observer,
    pollers: BTreeMap<ServiceName, Arc<Notify>>,
    outbox: Outbox,
    /// What came of attempts to send.
    returns: mpsc::Receiver<Returned>,
    /// What was asked since that was shown last.
    asked: BTreeMap<Dependency, Asked>,
    /// Has the Alertmanager asked at once.
    ask_alarms: Arc<Notify>,
    steps_in_flight: Arc<AtomicUsize>,
    /// What platforms say goes in here, is shown from here, and waits in the third to be stored.
    output: mpsc::Sender<(OperationId, OutputLine)>,
    heard: mpsc::Receiver<(OperationId, OutputLine)>,
    said: Vec<(OperationId, OutputLine)>,
    samples: Vec<Sample>,
    recording: Arc<AtomicBool>,
    published: BTreeMap<ServiceName, Arc<ServiceReading>>,
    snapshot_at: Position,
    pruned_at: Instant,
    time: HouseClock,
    stopping: bool,
    /// Services whose platform has not been read yet. Until it has, nobody knows what a command would change.
    unread: BTreeSet<ServiceName>,
    led_since: Instant,
    /// How the journal looked when the inbox was read, and when that was.
    inbox_read: Option<(Option<Glance>, Instant)>,
}

impl<'a> Leader<'a> {
    async fn begin(shared: &'a Arc<Shared>, lease: Lease) -> Result<Self, JournalError> {
        let asked_at = Instant::now();
        let ttl = shared.options.lease;
        let lease = shared.journal.renew(lease.token, ttl).await?;
        let clock = LeaseClock::new(&lease, ttl, asked_at);
        let load = async {
            let folded = follower::fold(shared.journal.as_ref()).await?;
            let config = &shared.world.settings.config;
            let samples = memory::recorded(shared.journal.as_ref(), config, &folded.0, now()).await;
            Ok((folded, samples))
        };
        let ((state, position), samples) = while_renewing(shared, lease.token, &clock, load).await?;
        let mut core = Core::new(Arc::clone(&shared.world.settings), state);
        match samples {
            Ok(samples) => core.remember(&samples),
            // Without them the windows fill anew: nothing is known for a while, and that is what is said.
            Err(error) => tracing::warn!(%error, "recorded samples cannot be read"),
        }
        shared.view.send_modify(|view| {
            let view = Arc::make_mut(view);
            view.state = Arc::clone(core.state());
            view.position = position;
            view.leadership = Leadership::Ours(lease.clone());
            view.trouble = None;
        });
        let (inputs, inbox) = mpsc::channel(4_096);
        let (out, observations) = mpsc::channel(4_096);
        let (output, heard) = mpsc::channel(output::ON_THE_WAY);
        let (returned, returns) = mpsc::channel(256);
        let world = &shared.world;
        // What it could refuse was checked when the world was built.
        let observer =
            Observer::start(world.probes.clone(), world.sources.clone(), Arc::clone(&world.secrets), out)
                .map_err(|error| JournalError::Store {
                    path: "sources and probes".to_owned(),
                    reason: error.to_string(),
                })?;
        let mut leader = Self {
            shared,
            core,
            token: lease.token,
            clock,
            tasks: JoinSet::new(),
            inputs,
            inbox,
            observations,
            _observer: observer,
            pollers: BTreeMap::new(),
            outbox: Outbox::new(&world.settings.config, world.channels.clone(), returned, now()),
            returns,
            asked: BTreeMap::new(),
            ask_alarms: Arc::default(),
            steps_in_flight: Arc::default(),
            output,
            heard,
            said: Vec::new(),
            samples: Vec::new(),
            recording: Arc::default(),
            published: BTreeMap::new(),
            snapshot_at: position,
            pruned_at: Instant::now(),
            time: HouseClock::default(),
            stopping: false,
            unread: world.platforms.keys().cloned().collect(),
            led_since: Instant::now(),
            inbox_read: None,
        };
        leader.start_pollers();
        leader.start_heartbeat(&lease.holder);
        let leading = Input::Leading { holder: lease.holder, program: env!("CARGO_PKG_VERSION").to_owned() };
        leader.take(vec![leading], &[]).await?;
        Ok(leader)
    }

    async fn run(&mut self) -> Result<(), JournalError> {
        let mut tick = every(TICK);
        let mut look = every(INBOX);
        let mut flush = every(FLUSH);
        let mut renew = every(self.shared.options.lease / 3);
        let stop = self.shared.stop.clone();
        let mut stop_at: Option<Instant> = None;
        loop {
            tokio::select! {
                Some(input) = self.inbox.recv() => self.take_inputs(input).await?,
                Some(observation) = self.observations.recv() => self.take_observations(observation).await?,
                Some(returned) = self.returns.recv() => self.take_returns(returned).await?,
                _ = tick.tick() => {
                    self.show_output();
                    self.take(vec![Input::Tick], &[]).await?;
                }
                _ = look.tick() => self.look_for_commands().await?,
                () = self.shared.inbox.notified() => self.take_commands().await?,
                _ = renew.tick() => self.renew().await?,
                _ = flush.tick() => self.flush().await,
                Some(ended) = self.tasks.join_next() => report(ended),
                () = stop.cancelled(), if !self.stopping => {
                    self.stopping = true;
                    self.core.begin_nothing_more();
                    stop_at = Some(Instant::now() + STOP_GRACE);
                }
            }
            if let Some(at) = stop_at
                && (self.steps_in_flight.load(Ordering::Acquire) == 0 || Instant::now() >= at)
            {
                // A step is counted until its end has been sent: what is known of it must not be lost now.
                while let Ok(input) = self.inbox.try_recv() {
                    self.take_inputs(input).await?;
                }
                self.show_output();
                if let Err(error) = self.shared.journal.say(&std::mem::take(&mut self.said)).await {
                    tracing::warn!(%error, "what platforms said was not stored");
                }
                self.save_snapshot().await;
                return Ok(());
            }
        }
    }

    fn now(&mut self) -> Timestamp {
        self.time.read(Timestamp::now(), Instant::now())
    }

    async fn take_inputs(&mut self, first: Input) -> Result<(), JournalError> {
        let mut inputs = vec![first];
        while inputs.len() < BATCH {
            let Ok(input) = self.inbox.try_recv() else { break };
            inputs.push(input);
        }
        self.take(inputs, &[]).await
    }

    async fn take_observations(&mut self, first: Observation) -> Result<(), JournalError> {
        let mut inputs = Vec::new();
        let mut next = Some(first);
        while let Some(observation) = next {
            inputs.push(match observation {
                Observation::Probe(result) => Input::Probe(result),
                Observation::Breaker(source, status) => {
                    Input::Breaker { dependency: Dependency::Source(source), status }
                }
                Observation::Source(report) => {
                    if let Ok(reading) = &report.result {
                        self.samples.extend(reading.samples.iter().cloned());
                    }
                    Input::Source(report)
                }
            });
            next = if inputs.len() < BATCH { self.observations.try_recv().ok() } else { None };
        }
        self.take(inputs, &[]).await
    }

    /// Attempts to send have ended.
    async fn take_returns(&mut self, first: Returned) -> Result<(), JournalError> {
        let now = self.now();
        let mut next = Some(first);
        while let Some(returned) = next {
            self.outbox.returned(returned, now);
            next = self.returns.try_recv().ok();
        }
        // What follows from them is told to the core.
        self.take(Vec::new(), &[]).await
    }

    /// Reads the inbox if anything was written since it was read last.
    async fn look_for_commands(&mut self) -> Result<(), JournalError> {
        let is_as_it_was = self.inbox_read.is_some_and(|(glance, at)| {
            at.elapsed() < INBOX_ANYWAY && glance.is_some() && glance == self.shared.journal.glance()
        });
        if is_as_it_was { Ok(()) } else { self.take_commands().await }
    }

    async fn take_commands(&mut self) -> Result<(), JournalError> {
        let knows_the_world = self.unread.is_empty() || self.led_since.elapsed() >= FIRST_READINGS;
        if self.stopping || !knows_the_world {
            return Ok(());
        }
        // Before it is read: what is written meanwhile is looked for the next time.
        self.inbox_read = Some((self.shared.journal.glance(), Instant::now()));
        let envelopes: Vec<Envelope> = self.shared.journal.inbox().await?;
        self.shared.looked();
        if envelopes.is_empty() {
            return Ok(());
        }
        let ids: Vec<CommandId> = envelopes.iter().map(|envelope| envelope.id.clone()).collect();
        for envelope in &envelopes {
            tracing::info!(command = %envelope.id, by = %envelope.by, verb = envelope.command.verb(), "command");
        }
        self.take(envelopes.into_iter().map(received::input).collect(), &ids).await
    }

    /// The heart of leading: core, journal, view, world. What the outbox makes of it goes in again, until there is no news.
    async fn take(&mut self, inputs: Vec<Input>, answers: &[CommandId]) -> Result<(), JournalError> {
        let (mut inputs, mut answers) = (inputs, answers);
        loop {
            self.take_once(inputs, answers).await?;
            let now = self.now();
            inputs = self.outbox.turn(now, &mut self.tasks);
            answers = &[];
            if inputs.is_empty() {
                return Ok(());
            }
        }
    }

    async fn take_once(&mut self, inputs: Vec<Input>, answers: &[CommandId]) -> Result<(), JournalError> {
        let now = self.now();
        let mut events = Vec::new();
        let mut effects = Vec::new();
        for input in inputs {
            if let Input::Inventory { service, at, .. } = &input {
                self.unread.remove(service);
                self.asked(Dependency::Platform(service.clone()), *at, now);
            }
            if let Input::Source(report) = &input {
                self.asked(Dependency::Source(report.source.clone()), report.at, now);
            }
            let turn = self.core.step(input, now);
            events.extend(turn.events);
            effects.extend(turn.effects);
        }
        if !events.is_empty() || !answers.is_empty() {
            let entries = self.shared.journal.append(self.token, now, &events, answers).await?;
            let position = entries.last().map(|entry| entry.seq);
            self.shared.view.send_modify(|view| {
                let view = Arc::make_mut(view);
                view.state = Arc::clone(self.core.state());
                view.position = position.unwrap_or(view.position);
            });
            for entry in entries {
                tracing::info!(seq = entry.seq, kind = entry.event.kind(), "journaled");
                // Nobody listening is fine.
                let _ = self.shared.entries.send(Arc::new(entry));
            }
        }
        for effect in effects {
            self.carry_out(effect);
        }
        Ok(())
    }

    /// Something was asked and has answered by now.
    fn asked(&mut self, dependency: Dependency, at: Timestamp, now: Timestamp) {
        let took = if at < now { now.duration_since(at).unsigned_abs() } else { Duration::ZERO };
        self.asked.insert(dependency, Asked { at, took });
    }

    async fn renew(&mut self) -> Result<(), JournalError> {
        if let Some(lease) = renew(self.shared, self.token, &self.clock).await? {
            self.shared.view.send_modify(|view| Arc::make_mut(view).leadership = Leadership::Ours(lease));
        }
        Ok(())
    }

    /// Shows the readings, records the samples, prunes and saves now and then.
    async fn flush(&mut self) {
        let readings = self.core.senses().readings();
        let at = self.now();
        let changed: Vec<(ServiceName, Arc<ServiceReading>)> = readings
            .iter()
            .filter(|(service, reading)| {
                !self.published.get(*service).is_some_and(|published| Arc::ptr_eq(published, reading))
            })
            .map(|(service, reading)| (service.clone(), Arc::clone(reading)))
            .collect();
        if !changed.is_empty() || !self.asked.is_empty() {
            self.shared.view.send_if_modified(|view| {
                let view = Arc::make_mut(view);
                view.asked.append(&mut self.asked);
                for (service, reading) in &changed {
                    view.readings.insert(service.clone(), (at, Arc::clone(reading)));
                }
                // That something was asked is no news by itself.
                !changed.is_empty()
            });
        }
        let deliveries = self.outbox.deliveries();
        if self.shared.view.borrow().deliveries != deliveries {
            self.shared.view.send_modify(|view| Arc::make_mut(view).deliveries = deliveries);
        }
        if self.samples.len() > SAMPLES_KEPT {
            let surplus = self.samples.len() - SAMPLES_KEPT;
            tracing::warn!(surplus, "samples are not recorded fast enough; the oldest are dropped");
            self.samples.drain(..surplus);
        }
        // One write at a time; what comes meanwhile goes with the next.
        if !self.recording.swap(true, Ordering::AcqRel) {
            self.published = readings;
            let (samples, said) = (std::mem::take(&mut self.samples), std::mem::take(&mut self.said));
            let must_prune = self.pruned_at.elapsed() >= Duration::from_secs(3_600);
            if must_prune {
                self.pruned_at = Instant::now();
            }
            let (shared, recording) = (Arc::clone(self.shared), Recording(Arc::clone(&self.recording)));
            self.tasks.spawn(async move {
                record(&shared, at, &samples, &said, changed, must_prune).await;
                drop(recording);
            });
        }
        let position = self.shared.view.borrow().position;
        if position >= self.snapshot_at + SNAPSHOT_EVERY {
            self.save_snapshot().await;
        }
    }

    async fn save_snapshot(&mut self) {
        let position = self.shared.view.borrow().position;
        if position == self.snapshot_at || position == 0 {
            return;
        }
        let state = match serde_json::to_string(self.core.state().as_ref()) {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%error, "no snapshot");
                return;
            }
        };
        let saved = async {
            let entry = self.shared.journal.read(position - 1, 1).await?;
            let Some(entry) = entry.into_iter().next() else { return Ok(()) };
            let snapshot = Snapshot { seq: position, hash: entry.hash, state };
            self.shared.journal.save_snapshot(STATE_FORMAT, &snapshot).await
        };
        match saved.await {
            Ok(()) => self.snapshot_at = position,
            Err(error) => tracing::warn!(%error, "no snapshot; opening the journal will take longer"),
        }
    }
}

/// Prolongs the lease. None when that failed while it still runs: one missed renewal is no loss.
async fn renew(shared: &Shared, token: u64, clock: &LeaseClock) -> Result<Option<Lease>, JournalError> {
    let (asked_at, ttl) = (Instant::now(), shared.options.lease);
    match shared.journal.renew(token, ttl).await {
        Ok(lease) => {
            clock.renew(&lease, ttl, asked_at);
            Ok(Some(lease))
        }
        // Others may lead already: with a newer token, or on another file under the same name.
        Err(error @ (JournalError::Fenced { .. } | JournalError::Replaced { .. })) => Err(error),
        // One missed renewal is no loss while the lease runs.
        Err(error) if clock.runs() => {
            tracing::warn!(%error, "the lease was not renewed; trying again");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Does something that may take longer than the lease lasts. Without renewal two processes that load for longer than that
/// would take the lead from each other for ever.
async fn while_renewing<T>(
    shared: &Shared,
    token: u64,
    clock: &LeaseClock,
    work: impl Future<Output = Result<T, JournalError>>,
) -> Result<T, JournalError> {
    let mut due = every(shared.options.lease / 3);
    due.reset();
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = due.tick() => {
                renew(shared, token, clock).await?;
            }
        }
    }
}

/// A write of samples that goes on, until dropped.
struct Recording(Arc<AtomicBool>);

impl Drop for Recording {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = interval(period.max(Duration::from_millis(10)));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a task of the engine panicked");
    }
}

async fn record(
    shared: &Shared,
    at: Timestamp,
    samples: &[Sample],
    said: &[(OperationId, OutputLine)],
    changed: Vec<(ServiceName, Arc<ServiceReading>)>,
    must_prune: bool,
) {
    if !samples.is_empty()
        && let Err(error) = shared.journal.record(samples).await
    {
        tracing::warn!(%error, "samples were not recorded");
    }
    if !said.is_empty()
        && let Err(error) = shared.journal.say(said).await
    {
        tracing::warn!(%error, "what platforms said was not stored");
    }
    let readings: Vec<_> =
        changed.into_iter().map(|(service, reading)| (service, Arc::unwrap_or_clone(reading))).collect();
    if !readings.is_empty()
        && let Err(error) = shared.journal.publish(at, &readings).await
    {
        tracing::warn!(%error, "readings were not published");
    }
    if must_prune && let Ok(before) = at.checked_sub(shared.options.retention) {
        match shared.journal.prune(before).await {
            Ok(count) => tracing::info!(count, "old samples forgotten"),
            Err(error) => tracing::warn!(%error, "old samples were not forgotten"),
        }
    }
}
