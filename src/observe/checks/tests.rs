//! Counts of made-up checks, and of real ones against a real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::*;
use crate::model::Span;
use crate::model::source::{ProbeSourceSpec, Reading, SampleValue, SeriesSpec, SourceSpec};
use crate::observe::testing::{head, http, server, spec, target};
use crate::observe::{Observation, Observer, SourceTarget};

const TIMEOUT: Duration = Duration::from_secs(2);

fn second(after: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + after).unwrap()
}

fn check(probe: &str, arm: Option<Arm>, at: i64, latency_ms: f64, health: Option<Health>) -> ProbeResult {
    ProbeResult {
        service: "checkout".into(),
        probe: probe.into(),
        arm,
        at: second(at),
        latency_ms,
        status: health.filter(|health| *health != Health::Unhealthy).map(|_| 200),
        outcome: match health {
            Some(health) => ProbeOutcome::Answered { health, reason: String::new() },
            None => ProbeOutcome::NotRun { reason: "no route".to_owned() },
        },
        document: None,
    }
}

fn ratio(bad: &str, total: &str) -> SeriesSpec {
    SeriesSpec::Ratio { bad: bad.to_owned(), total: total.to_owned(), absent_is_zero: false }
}

fn latency(histogram: &str) -> SeriesSpec {
    SeriesSpec::Latency { histogram: histogram.to_owned(), unit: LatencyUnit::Seconds }
}

fn fixture(read: SeriesSpec) -> (Tallies, Checks) {
    let tallies = Tallies::default();
    let indicators = vec![("checkout".into(), "it".into(), read)];
    let checks = Checks::new(indicators, &tallies).unwrap();
    (tallies, checks)
}

/// Each sample as its subject, its times in seconds and its value; then what is missing.
fn shown(reading: Reading) -> Vec<String> {
    let time = |at: Timestamp| at.as_second() - 1_800_000_000;
    let samples = reading.samples.into_iter().map(|sample| {
        let subject = match sample.subject {
            Subject::Arm(arm) => arm.word().to_owned(),
            _ => "whole".to_owned(),
        };
        let value = match sample.value {
            SampleValue::Ratio { bad, total } => format!("{bad} of {total}"),
            SampleValue::Histogram { bounds_ms, counts } => {
                let mut bounds: Vec<String> = bounds_ms.iter().map(f64::to_string).collect();
                bounds.push("more".to_owned());
                let filled = bounds.iter().zip(counts).filter(|(_, count)| *count > 0.0);
                filled.map(|(bound, count)| format!("{bound}: {count}")).collect::<Vec<_>>().join(", ")
            }
            other => format!("{other:?}"),
        };
        format!("{subject} ..{} {value}", time(sample.at))
    });
    samples.chain(reading.missing.into_iter().map(|(_, _, reason)| format!("missing: {reason}"))).collect()
}

fn read(checks: &mut Checks) -> Vec<String> {
    shown(checks.read().result.unwrap())
}

/// Every check is counted once, for the arm of its probe; between two checks there is nothing new and nothing missing.
#[test]
fn checks_are_counted_by_arm() {
    let (tallies, mut checks) = fixture(ratio("failed", "checks"));
    assert!(read(&mut checks).is_empty());
    tallies.note(&check("live", Some(Arm::Stable), 1, 3.0, Some(Health::Healthy)), TIMEOUT);
    tallies.note(&check("live", Some(Arm::Stable), 2, 3.0, Some(Health::Degraded)), TIMEOUT);
    tallies.note(&check("new", Some(Arm::Canary), 2, 3.0, Some(Health::Unhealthy)), TIMEOUT);
    assert_eq!(read(&mut checks), ["stable ..2 0 of 2", "canary ..2 1 of 1"]);
    assert!(read(&mut checks).is_empty());
    tallies.note(&check("live", Some(Arm::Stable), 3, 3.0, Some(Health::Unhealthy)), TIMEOUT);
    assert_eq!(read(&mut checks), ["stable ..3 1 of 1"]);
}

/// A count can be of some probes alone, and of the degraded.
#[test]
fn probes_can_be_chosen() {
    let (tallies, mut checks) = fixture(ratio("degraded of live", "checks of live"));
    read(&mut checks);
    tallies.note(&check("live", None, 1, 3.0, Some(Health::Degraded)), TIMEOUT);
    tallies.note(&check("other", None, 2, 3.0, Some(Health::Degraded)), TIMEOUT);
    assert_eq!(read(&mut checks), ["whole ..1 1 of 1"]);
}

/// A check that could not be run counts nowhere and is no time; why it could not is said.
#[test]
fn what_cannot_be_run_is_missing() {
    let (tallies, mut checks) = fixture(ratio("failed", "checks"));
    read(&mut checks);
    tallies.note(&check("live", None, 1, 3.0, Some(Health::Healthy)), TIMEOUT);
    assert_eq!(read(&mut checks), ["whole ..1 0 of 1"]);
    tallies.note(&check("live", None, 2, 3.0, None), TIMEOUT);
    assert_eq!(read(&mut checks), ["missing: the probe `live` could not be run: no route"]);
    tallies.note(&check("live", None, 3, 3.0, Some(Health::Healthy)), TIMEOUT);
    assert_eq!(read(&mut checks), ["whole ..3 0 of 1"]);
}

/// A refusal is no time; silence to the end is one as long as the time-out, so that an outage does not look quick.
#[test]
fn times_are_those_of_answers_and_of_silence() {
    let (tallies, mut checks) = fixture(latency("duration"));
    read(&mut checks);
    tallies.note(&check("live", None, 1, 7.0, Some(Health::Healthy)), TIMEOUT);
    tallies.note(&check("live", None, 2, 0.2, Some(Health::Unhealthy)), TIMEOUT);
    tallies.note(&check("live", None, 3, 2_001.0, Some(Health::Unhealthy)), TIMEOUT);
    assert_eq!(read(&mut checks), ["whole ..3 10: 1, 2500: 1"]);
}

/// A kind of indicator that does not fit what is counted is refused before anything runs.
#[test]
fn a_wrong_count_is_refused() {
    for (read, wanted) in [
        (latency("failed"), "`failed` cannot be read as this kind of indicator"),
        (ratio("failed", "duration"), "`duration` cannot be read as this kind of indicator"),
        (ratio("wrong", "checks"), "nothing of a check is called `wrong`"),
    ] {
        let indicators = vec![("checkout".into(), "it".into(), read)];
        let error = Checks::new(indicators, &Tallies::default()).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, format!("the indicator `it` of `checkout`: {wanted}"));
    }
}

/// What the probes of a running observer see comes out of the source beside them: of a server that fails every other time,
/// as many bad checks as there were.
#[tokio::test]
async fn real_checks_are_counted() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let server = server(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            while head(&mut stream).await.is_some() {
                let is_bad = counter.fetch_add(1, Ordering::SeqCst) % 2 == 1;
                let answer = if is_bad { http("500 Oh", "") } else { http("200 OK", "") };
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let mut probe = spec(&server.url);
    probe.interval = Span::millis(10);
    let source = SourceTarget {
        source: "probes".into(),
        spec: SourceSpec::Probe(ProbeSourceSpec { interval: Span::millis(15) }),
        indicators: vec![
            ("checkout".into(), "failing".into(), ratio("failed", "checks")),
            ("checkout".into(), "slow".into(), latency("duration")),
        ],
        alarms: Vec::new(),
    };
    let (out, mut seen) = mpsc::channel(100);
    let _observer = Observer::start(vec![target("http", probe)], vec![source], Arc::default(), out).unwrap();
    let (mut bad, mut total, mut timed) = (0.0, 0.0, 0.0);
    while total < 10.0 || timed < 10.0 {
        let Observation::Source(report) = seen.recv().await.unwrap() else { continue };
        for sample in report.result.unwrap().samples {
            match sample.value {
                SampleValue::Ratio { bad: more, total: all } => {
                    bad += more;
                    total += all;
                }
                SampleValue::Histogram { counts, .. } => timed += counts.iter().sum::<f64>(),
                other => panic!("{other:?}"),
            }
        }
    }
    // Half of them, but for one at each end.
    assert!((bad * 2.0 - total).abs() <= 2.0, "{bad} of {total}");
    assert!(total <= asked.load(Ordering::SeqCst) as f64, "{total} were counted");
}
