//! Following a journal that others write to: nothing is missed, and nothing is read twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use unship::engine::runtime::{Engine, Lead, Leadership, Options, World};
use unship::journal::{Glance, Journal, Lease, SqliteJournal};
use unship::model::ServiceName;
use unship::model::event::Event;
use unship::model::reading::ServiceReading;

use crate::harness::settings;
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
    let (reads, versions) = (odd.reads.load(Ordering::SeqCst), odd.versions.load(Ordering::SeqCst));
    let (mut view, looked) = (engine.view(), engine.looked_at());
    view.borrow_and_update();
    eventually("it was looked into twice more", || odd.versions.load(Ordering::SeqCst) >= versions + 2).await;
    assert_eq!(odd.reads.load(Ordering::SeqCst), reads);
    assert!(!view.has_changed().unwrap());
    eventually("its time goes on", || engine.looked_at() > looked).await;
    assert_eq!(odd.readings.load(Ordering::SeqCst), 200);
    let later = now + Duration::from_secs(1);
    journal.publish(later, &[(names[3].clone(), reading(later))]).await.unwrap();
    until(&engine, "it shows", |view| view.readings.get(&names[3]).is_some_and(|(seen, _)| *seen == later))
        .await;
    assert_eq!(odd.readings.load(Ordering::SeqCst), 201);
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
