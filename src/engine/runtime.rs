//! The one part of the engine that touches the world: it feeds the core with inputs, makes its events durable, and carries
//! its effects out.
//!
//! [`Engine`] is the handle that the faces hold. It follows the journal, leads when it may and nobody else does, and takes
//! commands through the journal's inbox, so that a command takes the same way whichever process leads. [`leader`] is the
//! loop of the one that acts; [`follower`] shows what it did; [`world`] makes adapters from the config; [`act`] carries one
//! step out, as long as this process's `tenure` lasts, and [`mod@output`] is what the platform says meanwhile; `outbox` sends messages until they are accepted;
//! [`preflight`] tries sources out and [`trial`] channels, and [`mod@backtest`] reads the past for policies to be tried on; `memory` is how far back
//! samples are of use to either.

pub mod act;
pub mod alarms;
pub mod backtest;
mod clock;
mod data;
pub mod follower;
pub mod leader;
mod memory;
mod outbox;
pub mod output;
pub mod platforms;
pub mod preflight;
pub mod received;
mod tenure;
pub mod trial;
pub mod validations;
pub mod variables;
pub mod view;
mod with_schema;
pub mod world;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use jiff::Timestamp;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use crate::journal::{Entry, Journal, JournalError, Lease, Position};

use crate::model::command::{Actor, Command, Envelope};
use crate::model::event::Event;
use crate::model::platform::LogQuery;
use crate::model::probe::ProbeResult;
use crate::model::reading::ServiceReading;
use crate::model::release::Inventory;
use crate::model::series::{Series, SeriesRequest};
use crate::model::{CommandId, ServiceName};

use super::core::Core;
use super::input::{Input, Settings};
use super::proposal::Proposal;
use super::series;
pub use crate::observe::{Matchers, Silence};
pub use alarms::{AlarmsPlan, make_alarm, plan_alarms};
pub use backtest::{BacktestError, BacktestRequest, PastSource, backtest};
pub use output::Output;
pub use received::{Door, alarms_to_silence, make_silence};
pub use view::{Asked, Leadership, View, Waiting};
pub use world::World;

/// Entries that a slow reader of [`Engine::entries`] may fall behind before it has to read the journal instead.
const ENTRIES_KEPT: usize = 4_096;
/// Entries that are searched at once for the answer to a command.
const ANSWERS: usize = 500;
/// How long a shutdown waits: for the last step of a leader, and a little more.
const SHUTDOWN: Duration = Duration::from_secs(leader::STOP_GRACE.as_secs() + 3);

/// Why the engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal said no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An adapter cannot be made from the config.
    #[error("`{part}`: {reason}")]
    Adapter {
        /// The part of the config, like `services.checkout.platform`.
        part: String,
        /// Why.
        reason: String,
    },
    /// A probe or a source cannot be used as configured.
    #[error(transparent)]
    Senses(#[from] crate::observe::ObserveError),
    /// Nobody takes what waits in the inbox.
    #[error(
        "more than {0} messages wait in the journal's inbox: is a guard running, and is its journal this one?"
    )]
    Backlog(u64),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
    /// Nobody answered a command in time.
    #[error("no answer within {} s: is a guard running, and is its journal this one?", .0.as_secs())]
    NoAnswer(Duration),
}

/// Whether this process may lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lead {
    /// Whenever nobody else does.
    Auto,
    /// At once, also from a process that holds the lease, because that one hangs; afterwards as [`Lead::Auto`].
    ///
    /// The journal makes this safe: the new token fences the old leader off, whatever it still does, and it does not take
    /// the lease back while ours runs. A call that it has already sent to a platform may still arrive; its step is then
    /// begun and not ended in the journal, and is looked at before anything else is done with it.
    Now,
    /// Never: look only.
    Never,
}

/// How an engine is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether this process may lead.
    pub lead: Lead,
    /// What it calls itself: `guard`, `rollback`, `demo`.
    pub role: &'static str,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How long samples are kept.
    pub retention: Duration,
}

/// A running engine. Dropping it stops everything at once; [`Engine::shutdown`] gives the lease back first.
pub struct Engine {
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

/// What the parts of an engine share.
pub(crate) struct Shared {
    pub(crate) world: World,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) options: Options,
    pub(crate) holder: String,
    pub(crate) view: watch::Sender<Arc<View>>,
    pub(crate) entries: broadcast::Sender<Arc<Entry>>,
    /// A command was put into the inbox by this process.
    pub(crate) inbox: Notify,
    pub(crate) stop: CancellationToken,
    /// When the journal was last read, in milliseconds since 1970.
    pub(crate) looked_at: AtomicI64,
}

impl Shared {
    /// The journal was read, or written to, just now.
    pub(crate) fn looked(&self) {
        self.looked_at.store(Timestamp::now().as_millisecond(), Ordering::Relaxed);
    }
}

impl Engine {
    /// Starts an engine on a journal. It has read the whole journal (or a snapshot and what came after) when this returns.
    pub async fn start(
        world: World,
        journal: Arc<dyn Journal>,
        options: Options,
    ) -> Result<Self, EngineError> {
        let folded = follower::fold(journal.as_ref()).await?;
        let lease = journal.lease().await?;
        let mut seen = View::of(folded, lease);
        // So that the first picture has figures. The follower reads them again, and says what is wrong if they cannot be read.
        let readings = journal.readings().await.unwrap_or_default();
        seen.readings =
            readings.into_iter().map(|(service, at, reading)| (service, (at, Arc::new(reading)))).collect();
        let (view, _) = watch::channel(Arc::new(seen));
        let (entries, _) = broadcast::channel(ENTRIES_KEPT);
        let shared = Arc::new(Shared {
            holder: holder(options.role),
            world,
            journal,
            options,
            view,
            entries,
            inbox: Notify::new(),
            stop: CancellationToken::new(),
            looked_at: AtomicI64::new(Timestamp::now().as_millisecond()),
        });
        let task = tokio::spawn(run(Arc::clone(&shared)));
        Ok(Self { shared, task: Some(task) })
    }

    /// What is known, always the newest.
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.shared.view.subscribe()
    }

    /// When the journal was last known to be what the view shows: how old the picture is. It goes on by itself while nothing
    /// changes, at least once a second, and stands still while the journal cannot be used.
    pub fn looked_at(&self) -> Timestamp {
        let at = self.shared.looked_at.load(Ordering::Relaxed);
        Timestamp::from_millisecond(at).unwrap_or(Timestamp::MIN)
    }

    /// New journal entries, from now on, whichever process appended them.
    pub fn entries(&self) -> broadcast::Receiver<Arc<Entry>> {
        self.shared.entries.subscribe()
    }

    /// Entries of the journal after a place; at most `limit`.
    pub async fn read(&self, after: Position, limit: usize) -> Result<Vec<Entry>, EngineError> {
        Ok(self.shared.journal.read(after, limit).await?)
    }

    /// A service's indicators over time, from the recorded samples, whoever recorded them.
    pub async fn series(&self, asked: &SeriesRequest) -> Result<Vec<Series>, EngineError> {
        let config = &self.settings().config;
        let since = series::needed_since(config, asked);
        let samples = self.shared.journal.samples_of(&asked.service, since, asked.to).await?;
        let state = Arc::clone(&self.shared.view.borrow().state);
        Ok(series::draw(config, state.service(&asked.service), asked, &samples))
    }

    /// What the core knows of the world besides the events.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.shared.world.settings
    }

    /// Sends a command to whoever leads. The answer is an entry of the journal: see [`Engine::answer`].
    pub async fn send(&self, by: Actor, command: Command) -> Result<CommandId, EngineError> {
        let id = CommandId::from(ulid::Ulid::generate().to_string());
        let envelope = Envelope { id: id.clone(), by, at: now(), command };
        self.shared.journal.submit(&envelope).await?;
        self.shared.inbox.notify_one();
        Ok(id)
    }

    /// Waits until a command has been taken up or refused, and gives that entry.
    pub async fn answer(
        &self,
        command: &CommandId,
        after: Position,
        limit: Duration,
    ) -> Result<Entry, EngineError> {
        let found = tokio::time::timeout(limit, async {
            let mut position = after;
            let mut view = self.view();
            loop {
                let entries = self.read(position, ANSWERS).await?;
                let is_all = entries.len() < ANSWERS;
                for entry in entries {
                    position = entry.seq;
                    let is_answer = match &entry.event {
                        Event::CommandAccepted { envelope } | Event::CommandRefused { envelope, .. } => {
                            &envelope.id == command
                        }
                        _ => false,
                    };
                    if is_answer {
                        return Ok(entry);
                    }
                }
                if is_all {
                    view.changed().await.map_err(|_| EngineError::Stopped)?;
                }
            }
        });
        found.await.map_err(|_| EngineError::NoAnswer(limit))?
    }

    /// Reads a service's platform and says what the operation would be now that a command asks for; if it cannot be read, the
    /// guardrails say so. Changes nothing.
    pub async fn propose(&self, command: &Command) -> Proposal {
        let view = Arc::clone(&self.shared.view.borrow());
        let mut core = Core::new(Arc::clone(self.settings()), Arc::clone(&view.state));
        if let Some(service) = command.service()
            && let Some(platform) = self.shared.world.platforms.get(service)
        {
            let at = now();
            let result = platform.read().await.map_err(|error| error.to_string());
            core.step(Input::Inventory { service: service.clone(), at, result }, now());
            if let Some((at, reading)) = self.sensed(&view, service).await {
                core.adopt(service, reading, at, now());
            }
        }
        core.propose(command, now())
    }

    /// Reads a service's platform now. What it says is for the person who asked; the leader reads for itself.
    ///
    /// # Errors
    ///
    /// If there is no such service or it cannot be read, in words.
    pub async fn inventory(&self, service: &ServiceName) -> Result<Inventory, String> {
        match self.shared.world.platforms.get(service) {
            Some(platform) => platform.read().await.map_err(|error| error.to_string()),
            None => Err(format!("no service `{service}`")),
        }
    }

    /// Begins to read a service's log.
    ///
    /// # Errors
    ///
    /// If there is none, in words.
    pub fn log(&self, service: &ServiceName, query: LogQuery) -> Result<platforms::Log, String> {
        platforms::log(&self.shared.world, service, query)
    }

    /// What is sensed of a service. An engine that has only just begun to follow has not looked yet.
    async fn sensed(&self, view: &View, service: &ServiceName) -> Option<(Timestamp, Arc<ServiceReading>)> {
        if let Some((at, reading)) = view.readings.get(service) {
            return Some((*at, Arc::clone(reading)));
        }
        // Without them the guardrails say what is not known.
        let readings = self.shared.journal.readings().await.unwrap_or_default();
        let found = readings.into_iter().find(|(name, _, _)| name == service);
        found.map(|(_, at, reading)| (at, Arc::new(reading)))
    }

    /// Gives the lease back and stops. A step that is being carried out is left to whoever leads next.
    pub async fn shutdown(mut self) {
        self.shared.stop.cancel();
        // The task stays ours: if it does not end in time, dropping the engine ends it.
        if let Some(task) = &mut self.task
            && tokio::time::timeout(SHUTDOWN, task).await.is_err()
        {
            tracing::warn!("the engine did not stop in time; its lease ends by itself");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Opens the journal of an environment, and makes it where there is none.
pub async fn open_journal(path: &std::path::Path) -> Result<Arc<dyn Journal>, EngineError> {
    Ok(Arc::new(crate::journal::sqlite::SqliteJournal::open(path).await?))
}

/// Opens the journal of an environment for looking only: nothing that writes works, and nothing that others do is held up.
/// Where there is none yet, an empty one is made, so that there is something to look at.
pub async fn open_journal_to_look(path: &std::path::Path) -> Result<Arc<dyn Journal>, EngineError> {
    if path.metadata().is_ok_and(|meta| meta.len() > 0) {
        return Ok(Arc::new(crate::journal::sqlite::SqliteJournal::open_read_only(path).await?));
    }
    open_journal(path).await
}

/// Runs every probe of the environment once.
pub async fn check(world: &World) -> Vec<ProbeResult> {
    crate::observe::once(&world.probes, &world.secrets).await
}

/// The time, to the millisecond: what a journal keeps.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// What this process calls itself in the journal: `guard@host:pid`.
fn holder(role: &str) -> String {
    let uname = rustix::system::uname();
    format!("{role}@{}:{}", uname.nodename().to_string_lossy(), std::process::id())
}

/// Follows until it may lead, leads until it may not, and so on.
async fn run(shared: Arc<Shared>) {
    let mut wait = Duration::from_millis(200);
    let mut lead = shared.options.lead;
    loop {
        let followed = follower::follow(&shared, lead).await;
        let ended = match followed {
            // Nobody would hear of a task that ended in a panic: it would look as if nothing ever happened any more.
            Ok(Some(lease)) => {
                // Once: two that take it from each other again and again would both get nothing done.
                if lead == Lead::Now {
                    lead = Lead::Auto;
                }
                AssertUnwindSafe(leader::lead(&shared, lease)).catch_unwind().await.unwrap_or_else(|_| {
                    let reason = "it failed (a defect of unship; the log has it) and begins anew".to_owned();
                    Err(JournalError::Store { path: "the engine".to_owned(), reason })
                })
            }
            Ok(None) => return,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => return,
            Err(error @ JournalError::Fenced { .. }) => {
                tracing::warn!(%error, "no longer the leader; following");
                wait = Duration::from_millis(200);
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be used; nothing is acted on until it can");
                View::set_trouble(&shared.view, error.to_string());
                wait = (wait * 2).min(Duration::from_secs(5));
            }
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
