//! What the journal costs: an append that survives a loss of power, a second's samples, and opening a large file.
//!
//! `cargo bench --bench journal`. Percentiles of the append are printed first: a mean hides the slow ones. The large
//! journal is made once in the temporary directory and takes a minute. `UNSHIP_BENCH_DIR` chooses another disk to measure.

use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use tokio::runtime::Runtime;
use unship::journal::{Journal, Snapshot, SqliteJournal};
use unship::model::event::Event;
use unship::model::source::{Sample, SampleValue, Subject};

const LARGE: u64 = 1_000_000;
const APPENDS: usize = 2_000;

fn event(number: u64) -> Event {
    Event::StepSucceeded {
        operation: format!("op-{number}").into(),
        step: 1,
        adopted: false,
        detail: "all traffic on 2.8.0".to_owned(),
    }
}

fn directory() -> PathBuf {
    env::var_os("UNSHIP_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from)
}

/// A directory that goes away with the bench.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(directory()).expect("a directory for the bench")
}

async fn led(path: &Path) -> (SqliteJournal, u64) {
    let journal = SqliteJournal::open(path).await.expect("the journal opens");
    let lease = journal.acquire("bench", Duration::from_hours(1)).await.expect("the lease is free");
    (journal, lease.token)
}

/// The value below which this share of the sorted durations lies.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted[place.clamp(1, sorted.len()) - 1]
}

fn append(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = scratch();
    let (journal, token) = runtime.block_on(led(&dir.path().join("unship.db")));
    let once = async |number: u64| {
        journal.append(token, Timestamp::now(), &[event(number)], &[]).await.expect("it is appended")
    };
    let mut times: Vec<_> = (0..APPENDS)
        .map(|number| {
            let started = Instant::now();
            black_box(runtime.block_on(once(number as u64)));
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "durable append of one event, {APPENDS} times: p50 {:?}, p99 {:?}, longest {:?}",
        percentile(&times, 0.5),
        percentile(&times, 0.99),
        percentile(&times, 1.0),
    );
    criterion.bench_function("durable append", |bench| {
        bench.iter(|| black_box(runtime.block_on(once(1))));
    });
    runtime.block_on(journal.close());
}

fn record(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = scratch();
    let (journal, _) = runtime.block_on(led(&dir.path().join("unship.db")));
    let mut second = 0;
    criterion.bench_function("record 1,000 samples", |bench| {
        bench.iter(|| {
            second += 1;
            let at = Timestamp::from_second(second).expect("a small number of seconds");
            let samples: Vec<_> = (0..1_000)
                .map(|series| Sample {
                    service: format!("service-{}", series / 20).into(),
                    indicator: format!("indicator-{}", series % 20).into(),
                    subject: Subject::Whole,
                    from: at,
                    at,
                    value: SampleValue::Ratio { bad: 1.0, total: 250.0 },
                })
                .collect();
            runtime.block_on(journal.record(&samples)).expect("they are recorded");
        });
    });
    runtime.block_on(journal.close());
}

async fn fill(path: &Path) {
    let (journal, token) = led(path).await;
    let mut next = 1;
    while next <= LARGE {
        let events: Vec<_> = (next..next + 10_000).map(event).collect();
        let entries = journal.append(token, Timestamp::now(), &events, &[]).await.expect("they are appended");
        next += 10_000;
        if let Some(entry) = entries.first()
            && next > LARGE
        {
            // The last thousands are left to be read after the snapshot.
            let state = "{\"state\":\"".to_owned() + &"x".repeat(1 << 20) + "\"}";
            let snapshot = Snapshot { seq: entry.seq, hash: entry.hash.clone(), state };
            journal.save_snapshot(1, &snapshot).await.expect("it is saved");
        }
    }
    journal.close().await;
}

async fn start(path: &Path) -> usize {
    let journal = SqliteJournal::open(path).await.expect("the journal opens");
    let snapshot = journal.load_snapshot(1).await.expect("it is read").expect("there is one");
    let mut after = snapshot.seq;
    let mut read = 0;
    loop {
        let entries = journal.read(after, 1_000).await.expect("they are read");
        let Some(last) = entries.last() else { break };
        after = last.seq;
        read += entries.len();
    }
    journal.close().await;
    read
}

fn open(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = scratch();
    let path = dir.path().join("large.db");
    runtime.block_on(fill(&path));
    let started = Instant::now();
    let read = black_box(runtime.block_on(start(&path)));
    println!("opening a journal of {LARGE} events and reading the last {read}: {:?}", started.elapsed());
    let mut group = criterion.benchmark_group("a journal of 1,000,000 events");
    group.sample_size(10);
    group.bench_function("open, load the snapshot, read 9,999 entries after it", |bench| {
        bench.iter(|| black_box(runtime.block_on(start(&path))));
    });
    group.finish();
}

criterion_group!(benches, append, record, open);
criterion_main!(benches);
