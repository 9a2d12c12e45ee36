//! Following a journal that others write to: nothing is missed, and nothing is read twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tempfile::TempDir;
use unship::engine::runtime::{Engine, Lead, Leadership, Options, World};
use unship::journal::{Glance, Journal, Lease, SqliteJournal};
use unship::model::command::{Actor, Command, Override, RollBack};
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::operation::Strategy;
use unship::model::platform::{Capabilities, Declares, PlatformAction};
use unship::model::reading::ServiceReading;
use unship::model::release::{Arm, Inventory};
use unship::model::{OperationId, ServiceName};
use unship::platform::{Call, Platform, PlatformError};

use crate::harness::{inventory, settings};
use crate::odd_journal::Odd;

const PATIENCE: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(600);

fn world() -> World {
    World {
        settings: settings(|_| {}),
        secrets: Arc::default(),
        platforms: BTreeMap::new(),
        channels: BTreeMap::new(),
        probes: Vec::new(),
        sources: Vec::new(),
        alertmanager: None,
        heartbeat: None,
        databases: BTreeMap::new(),
    }
}

fn options(role: &'static str, lead: Lead) -> Options {
    Options { lead, role, lease: Duration::from_secs(2), retention: LONG }
}

/// A journal with another process's lease on it.
async fn led() -> (TempDir, Arc<SqliteJournal>, Lease) {
    let dir = TempDir::new().unwrap();
    let journal = SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap();
    let lease = journal.acquire("other", LONG).await.unwrap();
    (dir, Arc::new(journal), lease)
}

async fn opened(dir: &Path) -> Arc<dyn Journal> {
    Arc::new(SqliteJournal::open_read_only(&dir.join("unship.db")).await.unwrap())
}

fn readable() -> Event {
    Event::SourceReadable { source: "metrics".into(), fault: None }
}

fn reading(at: Timestamp) -> ServiceReading {
    ServiceReading { newest: Some(at), ..ServiceReading::default() }
}

async fn until(engine: &Engine, what: &str, holds: impl FnMut(&Arc<unship::engine::runtime::View>) -> bool) {
    let mut view = engine.view();
    let seen = tokio::time::timeout(PATIENCE, view.wait_for(holds)).await;
    assert!(seen.is_ok(), "waited in vain until {what}");
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Entries, readings and the lease come to a follower, each write of its own and all of them at once.
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_written_is_seen() {
    let (dir, journal, lease) = led().await;
    let engine = Engine::start(world(), opened(dir.path()).await, options("a", Lead::Never)).await.unwrap();
    let shop: ServiceName = "shop".into();
    for round in 1..=40 {
        let at = Timestamp::from_second(1_800_000_000 + round).unwrap();
        let position =
            journal.append(lease.token, at, &[readable()], &[]).await.unwrap().last().map(|entry| entry.seq);
        until(&engine, "an entry shows", |view| Some(view.position) == position).await;
        journal.publish(at, &[(shop.clone(), reading(at))]).await.unwrap();
        until(&engine, "a reading shows", |view| {
            view.readings.get(&shop).is_some_and(|(seen, _)| *seen == at)
        })
        .await;
        let until_then =
            journal.renew(lease.token, LONG + Duration::from_secs(round.unsigned_abs())).await.unwrap();
        until(&engine, "the lease shows", |view| view.leadership == Leadership::Theirs(until_then.clone()))
            .await;
    }
    journal.release(lease.token).await.unwrap();
    until(&engine, "nobody leads", |view| view.leadership == Leadership::Nobody).await;
    engine.shutdown().await;
}

/// Two writes that the file system's clock cannot tell apart: the second does not show from outside, and is seen all the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_show_from_outside_is_seen() {
    let (dir, journal, lease) = led().await;
    let odd = Arc::new(Odd { looks: Some(Glance(7)), ..Odd::on(opened(dir.path()).await) });
    let engine = Engine::start(world(), odd, options("a", Lead::Never)).await.unwrap();
    for _ in 0..3 {
        let entries = journal.append(lease.token, Timestamp::now(), &[readable()], &[]).await.unwrap();
        until(&engine, "the entry shows", |view| view.position == entries[0].seq).await;
    }
    engine.shutdown().await;
}

/// A journal to which nobody writes is not read; that it was looked at shows in its time alone, which wakes nobody. And of
/// two hundred readings only those that changed are read.
#[tokio::test(flavor = "multi_thread")]
async fn a_still_journal_is_left_alone() {
    let (dir, journal, _lease) = led().await;
    let now = Timestamp::now();
    let names: Vec<ServiceName> = (0..200).map(|number| format!("s{number:03}").as_str().into()).collect();
    let all: Vec<_> = names.iter().map(|name| (name.clone(), reading(now))).collect();
    journal.publish(now, &all).await.unwrap();
    let odd = Arc::new(Odd::on(opened(dir.path()).await));
    let engine = Engine::start(world(), Arc::clone(&odd) as Arc<dyn Journal>, options("a", Lead::Never))
        .await
        .unwrap();
    until(&engine, "all readings show", |view| view.readings.len() == 200).await;
    // They were there at the start; the second look begins when the first is over.
    eventually("the first look is over", || odd.versions.load(Ordering::SeqCst) >= 2).await;
    let before = odd.readings.load(Ordering::SeqCst);
    let (reads, versions) = (odd.reads.load(Ordering::SeqCst), odd.versions.load(Ordering::SeqCst));
    let (mut view, looked) = (engine.view(), engine.looked_at());
    view.borrow_and_update();
    eventually("it was looked into twice more", || odd.versions.load(Ordering::SeqCst) >= versions + 2).await;
    assert_eq!(odd.reads.load(Ordering::SeqCst), reads);
    assert!(!view.has_changed().unwrap());
    eventually("its time goes on", || engine.looked_at() > looked).await;
    assert_eq!(odd.readings.load(Ordering::SeqCst), before);
    let later = now + Duration::from_secs(1);
    journal.publish(later, &[(names[3].clone(), reading(later))]).await.unwrap();
    until(&engine, "it shows", |view| view.readings.get(&names[3]).is_some_and(|(seen, _)| *seen == later))
        .await;
    assert_eq!(odd.readings.load(Ordering::SeqCst), before + 1);
    engine.shutdown().await;
}

/// A lease that ends without anybody writing is seen to end.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_runs_out_is_seen() {
    let (dir, journal, lease) = led().await;
    let engine = Engine::start(world(), opened(dir.path()).await, options("a", Lead::Never)).await.unwrap();
    journal.renew(lease.token, Duration::from_millis(300)).await.unwrap();
    until(&engine, "it is known", |view| view.leadership != Leadership::Theirs(lease.clone())).await;
    until(&engine, "nobody leads", |view| view.leadership == Leadership::Nobody).await;
    engine.shutdown().await;
}

/// The lead can be taken from an engine that holds it. The one that lost it follows, and does not take it back.
#[tokio::test(flavor = "multi_thread")]
async fn the_lead_is_taken_at_once_and_only_once() {
    let (_dir, journal, lease) = led().await;
    let first: Arc<dyn Journal> = Arc::clone(&journal) as Arc<dyn Journal>;
    let first = Engine::start(world(), first, options("first", Lead::Now)).await.unwrap();
    let ours = |view: &Arc<unship::engine::runtime::View>| matches!(view.leadership, Leadership::Ours(_));
    until(&first, "the first leads, though another's lease runs", ours).await;
    let token = journal.lease().await.unwrap().unwrap().token;
    assert_eq!(token, lease.token + 1);
    let second: Arc<dyn Journal> = Arc::clone(&journal) as Arc<dyn Journal>;
    let second = Engine::start(world(), second, options("second", Lead::Now)).await.unwrap();
    until(&second, "the second leads", ours).await;
    until(
        &first,
        "the first follows",
        |view| matches!(&view.leadership, Leadership::Theirs(lease) if lease.holder.starts_with("second@")),
    )
    .await;
    let position = second.view().borrow().position;
    until(&first, "it shows what the second did", |view| view.position >= position).await;
    assert_eq!(journal.lease().await.unwrap().unwrap().token, token + 1);
    // Given back, it is free for the first.
    second.shutdown().await;
    until(&first, "the first leads again", ours).await;
    first.shutdown().await;
}

/// A platform that says what it does and is told when it may go on.
struct Talking {
    goes_on: tokio::sync::Notify,
}

#[async_trait]
impl Platform for Talking {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, ..Capabilities::default() }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: false, idempotent: false }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        Ok(inventory(&[("4.0", Arm::Stable, 100)]))
    }

    async fn act(&self, _: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        call.progress.line("swapping");
        self.goes_on.notified().await;
        call.progress.line("swapped");
        Ok("taken".into())
    }
}

/// What a platform says while a step is carried out is seen by the leader and by others, while it is still at it, and by
/// whoever comes later; once each. It is no part of the journal's chain.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_platform_says_is_seen_meanwhile() {
    let dir = TempDir::new().unwrap();
    let journal = Arc::new(SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap());
    let talking = Arc::new(Talking { goes_on: tokio::sync::Notify::new() });
    let mut led = world();
    led.platforms.insert("swap".into(), Arc::clone(&talking) as Arc<dyn Platform>);
    let leader =
        Engine::start(led, Arc::clone(&journal) as Arc<dyn Journal>, options("a", Lead::Auto)).await.unwrap();
    let follower = Engine::start(world(), opened(dir.path()).await, options("b", Lead::Never)).await.unwrap();
    let rollback = Command::RollBack(RollBack {
        service: "swap".into(),
        from: None,
        to: Some("3.0".into()),
        strategy: Strategy::Immediate,
        reason: "a test".into(),
        overrides: vec![Override { guardrail: Guardrail::Target, reason: "a test".into() }],
    });
    leader.send(Actor::Person { name: "ana".into() }, rollback).await.unwrap();
    let operation: OperationId = "op-1".into();
    let texts = |view: &Arc<unship::engine::runtime::View>| -> Vec<String> {
        let lines = view.output.get(&operation).into_iter().flat_map(|lines| lines.iter());
        lines.map(|line| format!("{} {}", line.step, line.text)).collect()
    };
    for engine in [&leader, &follower] {
        until(engine, "the first line shows", |view| texts(view) == ["0 swapping"]).await;
    }
    talking.goes_on.notify_one();
    for engine in [&leader, &follower] {
        until(engine, "the second line shows", |view| texts(view) == ["0 swapping", "0 swapped"]).await;
    }
    let later = Engine::start(world(), opened(dir.path()).await, options("c", Lead::Never)).await.unwrap();
    until(&later, "both lines show", |view| texts(view) == ["0 swapping", "0 swapped"]).await;
    leader.shutdown().await;
    until(&follower, "nobody leads", |view| view.leadership == Leadership::Nobody).await;
    assert_eq!(texts(&follower.view().borrow()), ["0 swapping", "0 swapped"]);
    let entries = journal.read(0, 10_000).await.unwrap();
    assert!(entries.iter().all(|entry| !format!("{:?}", entry.event).contains("swapping")));
    assert!(journal.verify().await.unwrap().faults.is_empty());
}

/// The journal, or the log beside it, that is moved away under a follower is trouble, and the trouble says how to mend it.
/// What was known stays shown, visibly not of now. When the file is back, so is everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_away_for_a_while() {
    for name in ["unship.db", "unship.db-wal"] {
        let (dir, journal, lease) = led().await;
        journal.append(lease.token, Timestamp::now(), &[readable(), readable()], &[]).await.unwrap();
        let engine =
            Engine::start(world(), opened(dir.path()).await, options("a", Lead::Never)).await.unwrap();
        until(&engine, "the lease shows", |view| view.leadership != Leadership::Nobody).await;
        let (file, away) = (dir.path().join(name), dir.path().join("away"));
        std::fs::rename(&file, &away).unwrap();
        until(&engine, "there is trouble", |view| view.trouble.is_some()).await;
        let view = Arc::clone(&engine.view().borrow());
        let trouble = view.trouble.clone().unwrap();
        assert!(trouble.contains("moved away") && trouble.contains("Put it back"), "{name}: {trouble}");
        assert_eq!(view.position, 2);
        assert!(matches!(view.leadership, Leadership::Theirs(_)), "{name}: {:?}", view.leadership);
        let looked = engine.looked_at();
        // Longer than a follower that sees it waits between two looks.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(engine.looked_at(), looked, "{name}");
        std::fs::rename(&away, &file).unwrap();
        until(&engine, "the trouble is over", |view| view.trouble.is_none()).await;
        journal.append(lease.token, Timestamp::now(), &[readable()], &[]).await.unwrap();
        until(&engine, "what came after shows", |view| view.position == 3).await;
        assert!(engine.looked_at() > looked, "{name}");
        engine.shutdown().await;
    }
}

/// A journal that another program keeps locked for some time holds up what has to be written, and nothing else: who looks
/// goes on looking, and a command that was given meanwhile is taken up afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_is_locked_for_a_while() {
    use sqlx::{ConnectOptions as _, Connection as _};
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("unship.db");
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&path).await.unwrap());
    let leader = Engine::start(world(), journal, options("a", Lead::Auto)).await.unwrap();
    let own: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&path).await.unwrap());
    let follower = Engine::start(world(), own, options("b", Lead::Never)).await.unwrap();
    until(&follower, "the leader shows", |view| view.leadership != Leadership::Nobody).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let (looked, position) = (follower.looked_at(), follower.view().borrow().position);
    let command = Command::Automatic { on: false, reason: "a test".into() };
    let mut sent = Box::pin(follower.send(Actor::Person { name: "ana".into() }, command));
    // For longer than the lease lasts.
    let waited = tokio::time::timeout(Duration::from_millis(2_500), &mut sent).await;
    assert!(waited.is_err(), "it was locked");
    assert!(follower.looked_at() > looked && follower.view().borrow().trouble.is_none());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let command = tokio::time::timeout(PATIENCE, sent).await.expect("it is sent").unwrap();
    follower.answer(&command, position, PATIENCE).await.unwrap();
    until(&leader, "there is no trouble", |view| view.trouble.is_none()).await;
    other.close().await.unwrap();
    follower.shutdown().await;
    leader.shutdown().await;
}
