//! A program whose output is followed; it is started again when it ends, each time after a longer pause.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::model::breaker::Pause;
use crate::model::units::human;
use crate::process::start;

use super::counts::{Counts, Tally};
use super::lines::{Line, Lines};

/// The pauses between two starts.
const PAUSE: Pause = Pause { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
/// A program that ran for this long had started well.
const WELL: Duration = Duration::from_secs(60);
/// Bytes of its last words that are repeated.
const WORDS: usize = 300;
/// How long its last lines and its end are waited for.
const LAST: Duration = Duration::from_millis(500);

/// A program to follow. It is started with the first reading, and ended when this is dropped.
pub(super) struct Program {
    argv: Vec<String>,
    counts: Counts,
    limit: usize,
    shared: Arc<Mutex<Progress>>,
    task: Option<JoinHandle<()>>,
}

/// What has come of it since the reading before.
#[derive(Default)]
struct Progress {
    tally: Tally,
    /// Why it does not run, and until when not.
    down: Option<(String, Instant)>,
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Program {
    pub(super) fn new(argv: Vec<String>, counts: Counts, limit: usize) -> Self {
        Self { argv, counts, limit, shared: Arc::default(), task: None }
    }

    /// What its lines gave since the reading before, or why it does not run.
    pub(super) fn read(&mut self) -> Result<(Tally, Vec<String>), String> {
        if self.task.is_none() {
            lock(&self.shared).tally = self.counts.tally();
            let shared = Arc::clone(&self.shared);
            self.task = Some(tokio::spawn(keep(self.argv.clone(), self.counts.clone(), self.limit, shared)));
        }
        let mut progress = lock(&self.shared);
        if let Some((reason, until)) = &progress.down {
            let name = self.argv.first().map_or("", String::as_str);
            let pause =
                human(Duration::from_secs(until.saturating_duration_since(Instant::now()).as_secs() + 1));
            return Err(format!("`{name}` {reason}; it is started again within {pause}"));
        }
        Ok((std::mem::replace(&mut progress.tally, self.counts.tally()), Vec::new()))
    }
}

fn lock(shared: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps it running.
async fn keep(argv: Vec<String>, counts: Counts, limit: usize, shared: Arc<Mutex<Progress>>) {
    let mut ended = 0;
    loop {
        let began = Instant::now();
        let reason = run(&argv, &counts, limit, &shared).await;
        ended = if began.elapsed() >= WELL { 1 } else { ended + 1 };
        let pause = PAUSE.after(ended, rand::random());
        tracing::warn!(program = argv.first().map_or("", String::as_str), %reason, "a followed program ended");
        lock(&shared).down = Some((reason, Instant::now() + pause));
        sleep(pause).await;
    }
}

/// Runs it to its end, and says how it ended.
async fn run(argv: &[String], counts: &Counts, limit: usize, shared: &Mutex<Progress>) -> String {
    let Some((program, arguments)) = argv.split_first() else { return "names no program".to_owned() };
    let (mut child, mut group) = match start(Command::new(program).args(arguments)) {
        Ok(started) => started,
        Err(error) => return format!("cannot be started: {error}"),
    };
    lock(shared).down = None;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut lines = Lines::new(limit);
    let mut words = Vec::new();
    let status = {
        let hear = |bytes: &[u8]| {
            let mut progress = lock(shared);
            lines.push(bytes, &mut |line: Line<'_>| counts.take(&mut progress.tally, line));
        };
        let listen = |bytes: &[u8]| {
            words.extend_from_slice(bytes);
            words.drain(..words.len().saturating_sub(WORDS));
        };
        let mut pumps = pin!(async { tokio::join!(pump(stdout, hear), pump(stderr, listen)) }.fuse());
        tokio::select! {
            status = child.wait() => {
                // What it left behind may hold the pipes for ever.
                if timeout(LAST, &mut pumps).await.is_ok() {
                    group.disarm();
                }
                Some(status)
            }
            _ = &mut pumps => {
                // Nothing more can come of it, whether it goes on or not.
                let status = timeout(LAST, child.wait()).await.ok();
                if status.is_some() {
                    group.disarm();
                }
                status
            }
        }
    };
    lines.finish(&mut |line: Line<'_>| counts.take(&mut lock(shared).tally, line));
    let how = match status {
        Some(Ok(status)) => format!("ended with {status}"),
        Some(Err(error)) => format!("ended: {error}"),
        None => "closed its output".to_owned(),
    };
    let words = String::from_utf8_lossy(&words);
    let last = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let last: String = last.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if last.is_empty() { how } else { format!("{how}: {last}") }
}

/// Reads to the end of a pipe. An error is an end.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, mut hear: impl FnMut(&[u8])) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        hear(&buffer[..count]);
    }
}
