//! Real sockets and the clock: no target holds up another, and none is left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::model::Span;
use crate::model::breaker::BreakerState;
use crate::model::probe::{Health, ProbeSpec};
use crate::model::source::{JsonSpec, SeriesSpec};
use crate::observe::testing::{head, http, says, server, spec, target, words};

/// Takes results until the condition holds.
async fn until(results: &mut mpsc::Receiver<Observation>, mut enough: impl FnMut(Observation) -> bool) {
    while !enough(results.recv().await.unwrap()) {}
}

fn start(probes: Vec<ProbeTarget>) -> (Observer, mpsc::Receiver<Observation>) {
    let (out, results) = mpsc::channel(64);
    (Observer::start(probes, Vec::new(), Arc::default(), out).unwrap(), results)
}

fn every(millis: u64, spec: ProbeSpec) -> ProbeSpec {
    ProbeSpec { interval: Span::millis(millis), ..spec }
}

fn healthy(observation: &Observation) -> bool {
    matches!(observation, Observation::Probe(result) if words(result) == (Some(Health::Healthy), ""))
}

/// A kept connection serves many checks; without keeping, each check proves that a new client gets through.
#[tokio::test]
async fn connections_are_kept_or_not() {
    for keep_alive in [true, false] {
        let up = says(http("200 OK", "ok")).await;
        let (_observer, mut results) =
            start(vec![target("http", every(10, ProbeSpec { keep_alive, ..spec(&up.url) }))]);
        let mut seen = 0;
        until(&mut results, |observation| {
            assert!(healthy(&observation), "{observation:?}");
            seen += 1;
            seen == 5
        })
        .await;
        let connections = up.connections.load(Ordering::SeqCst);
        assert!(if keep_alive { connections == 1 } else { connections >= 5 }, "{connections} connections");
    }
}

/// A server that closes a kept connection between two checks has not failed.
#[tokio::test]
async fn a_kept_connection_that_was_closed_is_opened_again() {
    let once = server(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(http("200 OK", "ok").as_bytes()).await.unwrap();
    })
    .await;
    let (_observer, mut results) =
        start(vec![target("http", every(10, ProbeSpec { keep_alive: true, ..spec(&once.url) }))]);
    let mut seen = 0;
    until(&mut results, |observation| {
        assert!(healthy(&observation), "{observation:?}");
        seen += 1;
        seen == 5
    })
    .await;
}

/// Targets that hang hold up nobody: all the others go on being checked while not one of those has been answered.
#[tokio::test]
async fn hanging_targets_delay_nobody() {
    let silent = server(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let up = says(http("200 OK", "ok")).await;
    let mut probes: Vec<_> = (0..40)
        .map(|n| {
            target(
                &format!("hangs-{n}"),
                every(20, ProbeSpec { timeout: Span::secs(600), ..spec(&silent.url) }),
            )
        })
        .collect();
    probes.extend((0..20).map(|n| target(&format!("up-{n}"), every(20, spec(&up.url)))));
    let (_observer, mut results) = start(probes);
    let mut seen: HashMap<ProbeName, u32> = HashMap::new();
    until(&mut results, |observation| {
        assert!(healthy(&observation), "{observation:?}");
        let Observation::Probe(result) = observation else { return false };
        *seen.entry(result.probe).or_default() += 1;
        seen.len() == 20 && seen.values().all(|count| *count >= 3)
    })
    .await;
}

/// However many targets hang, they queue among themselves: with every place of theirs taken, another target gets one.
#[tokio::test]
async fn hanging_targets_have_places_of_their_own() {
    let shared = Shared {
        client: Client::new(0, Arc::default()),
        answering: Semaphore::new(1),
        hanging: Semaphore::new(1),
        tallies: Tallies::default(),
    };
    let stuck = shared.run(true, std::future::pending::<()>());
    let queued = shared.run(true, async { unreachable!("the place is taken") });
    tokio::select! {
        biased;
        () = stuck => unreachable!("it hangs"),
        () = queued => unreachable!("the place is taken"),
        answered = shared.run(false, async { 7 }) => assert_eq!(answered, 7),
    }
}

/// Two thousand targets all come to their turns, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_targets_are_all_checked() {
    let up = says(http("200 OK", r#"{"status":"healthy"}"#)).await;
    let probes = (0..2_000)
        .map(|n| target(&format!("p{n}"), ProbeSpec { keep_alive: n % 2 == 0, ..spec(&up.url) }))
        .collect();
    let (_observer, mut results) = start(probes);
    let mut seen: HashMap<ProbeName, u32> = HashMap::new();
    let mut again = 0;
    until(&mut results, |observation| {
        assert!(healthy(&observation), "{observation:?}");
        let Observation::Probe(result) = observation else { return false };
        let count = seen.entry(result.probe).or_default();
        *count += 1;
        again += u32::from(*count == 2);
        again == 2_000
    })
    .await;
}

/// A slow receiver gets every target's results late, and no more than fit the channel and one for each target.
#[tokio::test(start_paused = true)]
async fn a_slow_receiver_is_waited_for() {
    let (out, mut results) = mpsc::channel(2);
    // Nothing is asked: an address that cannot be asked answers at once, so that time can be skipped.
    let probes = (0..3).map(|n| target(&format!("p{n}"), spec("ftp://x/"))).collect();
    let _observer = Observer::start(probes, Vec::new(), Arc::default(), out).unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let mut waiting = 0;
    while results.try_recv().is_ok() {
        waiting += 1;
    }
    assert_eq!(waiting, 2, "more than the channel holds was ready at once");
}

/// Dropping the observer ends every task, also one in the middle of an exchange.
#[tokio::test]
async fn dropping_ends_everything() {
    let silent = server(|mut stream| async move {
        head(&mut stream).await;
        // Answers the end of the connection, which is the client's.
        assert!(head(&mut stream).await.is_none());
    })
    .await;
    let (observer, mut results) = start(vec![target("http", every(10, spec(&silent.url)))]);
    while silent.connections.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    drop(observer);
    assert!(results.recv().await.is_none(), "a task lives on with its sender");
}

/// A time of zero would be a check without pause, or one that can never be answered.
#[tokio::test]
async fn times_of_zero_are_refused() {
    let (out, _results) = mpsc::channel(1);
    let probes = vec![target("http", ProbeSpec { timeout: Span::default(), ..spec("http://x/") })];
    let error = Observer::start(probes, Vec::new(), Arc::default(), out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the timeout of the probe `http` of `checkout` is zero; give it a time, like `10s`"
    );
}

/// Turns lie on a grid: a late run does not move the ones after it, and turns that have passed are skipped.
#[test]
fn turns_keep_to_the_grid() {
    let began = Instant::now();
    let at = |millis: u64| began + Duration::from_millis(millis);
    let mut turns = Turns::new(began, Duration::from_secs(1), 0.25);
    assert_eq!(turns.due, at(250));
    assert_eq!(turns.next(at(260)), at(1_250));
    assert_eq!(turns.next(at(1_999)), at(2_250));
    assert_eq!(turns.next(at(5_251)), at(6_250));
    // A long interval: a first run within a second, then the target's own place, not sooner than half an interval later.
    let mut turns = Turns::new(began, Duration::from_mins(1), 0.25);
    assert_eq!(turns.due, at(250));
    assert_eq!(turns.next(at(300)), at(75_000));
    assert_eq!(turns.next(at(75_010)), at(135_000));
    let mut turns = Turns::new(began, Duration::from_mins(1), 0.75);
    assert_eq!(turns.next(at(900)), at(45_000));
}

/// A source that fails is read five times, then left alone, and that is told with the reason; one that answers beside it is
/// read on.
#[tokio::test]
async fn a_source_that_fails_is_left_alone() {
    let down = says(http("500 Oh", "")).await;
    let up = says(http("200 OK", "{\"n\": 1}")).await;
    let json = |name: &str, url: &str| SourceTarget {
        source: name.into(),
        spec: SourceSpec::Json(JsonSpec {
            url: url.to_owned(),
            interval: Span::millis(10),
            timeout: Span::secs(20),
            arms: None,
            secret_headers: BTreeMap::new(),
            max_body: 1_000,
        }),
        indicators: vec![("checkout".into(), "it".into(), SeriesSpec::Rate { counter: "/n".to_owned() })],
        alarms: Vec::new(),
    };
    let (out, mut results) = mpsc::channel(64);
    let sources = vec![json("down", &down.url), json("up", &up.url)];
    let _observer = Observer::start(Vec::new(), sources, Arc::default(), out).unwrap();
    let (mut read, mut told) = (BTreeMap::new(), None);
    while told.is_none() || read["up"] < 20 {
        match results.recv().await.unwrap() {
            Observation::Source(report) => *read.entry(report.source.to_string()).or_insert(0) += 1,
            Observation::Breaker(source, status) => {
                assert_eq!(source.as_str(), "down");
                told = Some((read["down"], status.state, status.reason));
            }
            Observation::Probe(_) => unreachable!("there are no probes"),
        }
    }
    assert_eq!(told, Some((5, BreakerState::Open, format!("`{}`: status 500", down.url))));
}
