//! Defects of the running engine: tasks that die, channels that hang, leases that end, answers that are far away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tempfile::TempDir;
use unship::engine::runtime::{Engine, Lead, Options, World};
use unship::journal::{Journal, JournalError, SqliteJournal};
use unship::model::command::{Actor, Command, Envelope, Override, RollBack};
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::notification::Notification;
use unship::model::operation::{OperationStatus, Strategy};
use unship::model::platform::{Capabilities, Declares, PlatformAction};
use unship::model::release::{Arm, Inventory};
use unship::model::trigger::Severity;
use unship::notify::{Accepted, Channel, SendError};
use unship::platform::{Call, Platform, PlatformError};

use crate::harness::{inventory, settings};
use crate::odd_journal::Odd;

const PATIENCE: Duration = Duration::from_secs(20);

/// A platform on which 4.0 serves, and calls go as they are told to.
struct Fake {
    calls: AtomicUsize,
    panics: bool,
    takes: Duration,
}

#[async_trait]
impl Platform for Fake {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, ..Capabilities::default() }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: false, idempotent: false }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        Ok(inventory(&[("4.0", Arm::Stable, 100)]))
    }

    async fn act(&self, _: &PlatformAction, _: &Call) -> Result<String, PlatformError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "an adapter with a defect");
        tokio::time::sleep(self.takes).await;
        Ok("taken".into())
    }
}

fn world(platform: Arc<Fake>) -> World {
    World {
        settings: settings(|_| {}),
        secrets: Arc::default(),
        platforms: BTreeMap::from([("swap".into(), platform as Arc<dyn Platform>)]),
        channels: BTreeMap::new(),
        probes: Vec::new(),
        sources: Vec::new(),
        alertmanager: None,
        heartbeat: None,
        databases: BTreeMap::new(),
    }
}

fn options(lead: Lead) -> Options {
    let (lease, retention) = (Duration::from_secs(2), Duration::from_secs(3_600));
    Options { lead, role: "test", lease, retention }
}

async fn journal() -> (TempDir, Arc<dyn Journal>) {
    let dir = TempDir::new().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap();
    (dir, Arc::new(journal))
}

fn roll_back() -> Command {
    Command::RollBack(RollBack {
        service: "swap".into(),
        from: None,
        to: Some("3.0".into()),
        strategy: Strategy::Immediate,
        reason: "a test".into(),
        overrides: vec![Override { guardrail: Guardrail::Target, reason: "a test".into() }],
    })
}

fn ana() -> Actor {
    Actor::Person { name: "ana".into() }
}

/// A platform's adapter that panics does not leave its step begun for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_panics_ends_its_step() {
    let (_dir, journal) = journal().await;
    let fake = Arc::new(Fake { calls: AtomicUsize::new(0), panics: true, takes: Duration::ZERO });
    let engine = Engine::start(world(Arc::clone(&fake)), journal, options(Lead::Auto)).await.unwrap();
    let mut view = engine.view();
    engine.send(ana(), roll_back()).await.unwrap();
    let asked = view.wait_for(|view| {
        let mut operations = view.state.operations_in_order();
        operations
            .next()
            .is_some_and(|operation| matches!(operation.status, OperationStatus::NeedsDecision { .. }))
    });
    tokio::time::timeout(PATIENCE, asked).await.expect("a person is asked").unwrap();
    assert_eq!(fake.calls.load(Ordering::SeqCst), 1);
    engine.shutdown().await;
}

/// What a step came to while the process was asked to stop is in the journal: nobody has to be asked afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_ends_while_stopping_is_journaled() {
    let (_dir, journal) = journal().await;
    let takes = Duration::from_millis(300);
    let fake = Arc::new(Fake { calls: AtomicUsize::new(0), panics: false, takes });
    let engine =
        Engine::start(world(Arc::clone(&fake)), Arc::clone(&journal), options(Lead::Auto)).await.unwrap();
    let mut view = engine.view();
    engine.send(ana(), roll_back()).await.unwrap();
    let begun = view.wait_for(|view| view.state.open_operations().next().is_some());
    tokio::time::timeout(PATIENCE, begun).await.expect("it begins").unwrap();
    engine.shutdown().await;
    let entries = journal.read(0, 10_000).await.unwrap();
    assert!(entries.iter().any(|entry| matches!(entry.event, Event::StepSucceeded { step: 0, .. })));
    assert_eq!(journal.lease().await.unwrap(), None, "the lease was given back");
}

/// Counts what it takes, or takes nothing and does not say so.
struct Post(Option<Arc<AtomicUsize>>);

#[async_trait]
impl Channel for Post {
    async fn send(&self, _: &Notification) -> Result<Accepted, SendError> {
        match &self.0 {
            None => std::future::pending().await,
            Some(taken) => {
                taken.fetch_add(1, Ordering::SeqCst);
                Ok(Accepted::default())
            }
        }
    }

    fn host(&self) -> String {
        "test".to_owned()
    }
}

/// A channel that hangs does not keep the messages of another from being sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_hangs_holds_no_other_up() {
    let (_dir, journal) = journal().await;
    let lease = journal.acquire("before", Duration::from_secs(60)).await.unwrap();
    let message = |number: usize, channel: &str| Event::NotificationQueued {
        notification: Notification::new(
            format!("n-{number:02}"),
            channel.into(),
            "held",
            Severity::High,
            "test",
            "holding",
            Timestamp::now(),
        ),
    };
    let mut events: Vec<_> = (0..50).map(|number| message(number, "dead")).collect();
    events.push(message(99, "live"));
    journal.append(lease.token, Timestamp::now(), &events, &[]).await.unwrap();
    journal.release(lease.token).await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let mut world =
        world(Arc::new(Fake { calls: AtomicUsize::new(0), panics: false, takes: Duration::ZERO }));
    world.settings = settings(|config| {
        let hook = config.channels["hook"].clone();
        config.channels = ["dead", "live"].map(|name| (name.into(), hook.clone())).into();
    });
    world.channels.insert("dead".into(), Arc::new(Post(None)));
    world.channels.insert("live".into(), Arc::new(Post(Some(Arc::clone(&taken)))));
    let engine = Engine::start(world, journal, options(Lead::Auto)).await.unwrap();
    let mut view = engine.view();
    let sent = view.wait_for(|view| view.state.counts.notifications == 51 && view.state.outbox.len() == 50);
    tokio::time::timeout(PATIENCE, sent).await.expect("it is sent").unwrap();
    assert_eq!(taken.load(Ordering::SeqCst), 1);
    engine.shutdown().await;
}

/// An answer is found however much was journaled before it, also when nothing happens any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_far_away_is_found() {
    let (_dir, journal) = journal().await;
    let lease = journal.acquire("before", Duration::from_secs(60)).await.unwrap();
    let filler = Event::SourceReadable { source: "metrics".into(), fault: None };
    let command = Command::Automatic { on: false, reason: "hm".into() };
    let envelope = Envelope { id: "far".into(), by: ana(), at: Timestamp::now(), command };
    let mut events = vec![filler; 1_200];
    events.push(Event::CommandRefused { envelope, reason: "no".into(), guardrails: Vec::new() });
    journal.append(lease.token, Timestamp::now(), &events, &[]).await.unwrap();
    let fake = Arc::new(Fake { calls: AtomicUsize::new(0), panics: false, takes: Duration::ZERO });
    let engine = Engine::start(world(fake), journal, options(Lead::Never)).await.unwrap();
    // Until the follower has looked at the lease once; after that nothing changes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answer = engine.answer(&"far".into(), 0, Duration::from_secs(2)).await.unwrap();
    assert_eq!(answer.seq, 1_201);
    engine.shutdown().await;
}

/// The lease is kept while the journal is still being read: else two slow processes would take it from each other for ever
/// and none would lead.
#[tokio::test(flavor = "multi_thread")]
async fn the_lease_is_kept_while_loading() {
    let (_dir, inner) = journal().await;
    let lease = Duration::from_millis(600);
    let slow: Arc<dyn Journal> = Arc::new(Odd { takes: lease * 4, ..Odd::on(Arc::clone(&inner)) });
    let fake = Arc::new(Fake { calls: AtomicUsize::new(0), panics: false, takes: Duration::ZERO });
    let engine = Engine::start(world(fake), slow, Options { lease, ..options(Lead::Auto) }).await.unwrap();
    let begun = std::time::Instant::now();
    while inner.lease().await.unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "it takes the lease");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while inner.last().await.unwrap() == 0 {
        assert!(begun.elapsed() < PATIENCE, "it leads");
        let taken = inner.acquire("thief", lease).await;
        assert!(matches!(taken, Err(JournalError::Held(_))), "{taken:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    engine.shutdown().await;
}
