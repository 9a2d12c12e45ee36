//! This test program, started again as another process with a part to play.
//!
//! A part speaks in lines on its standard output that begin with `@`, so that the test harness's own lines can be told
//! apart, and hears lines on its standard input.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use unship::journal::{Journal, JournalError, SqliteJournal, tail};
use unship::model::event::Event;

const PART: &str = "UNSHIP_TEST_PART";
const PATH: &str = "UNSHIP_TEST_PATH";

/// A process that plays a part; it is killed when this is dropped.
pub(crate) struct Other {
    process: Child,
    hears: Option<ChildStdin>,
    says: BufReader<ChildStdout>,
}

/// What to run to play a part on this journal.
pub(crate) fn command(part: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["child::part", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(PART, part).env(PATH, path).env_remove("UNSHIP_TEST_KILL");
    command
}

impl Other {
    pub(crate) fn start(part: &str, path: &Path) -> Self {
        Self::run(&mut command(part, path))
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let hears = process.stdin.take();
        let says = BufReader::new(process.stdout.take().unwrap());
        Self { process, hears, says }
    }

    /// The next thing it says, without the `@`; none when it has ended.
    pub(crate) fn said(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.says.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // A line without its end was cut off by the process's death: it was not said.
            if let Some((_, words)) = line.split_once("@ ")
                && let Some(words) = words.strip_suffix('\n')
            {
                return Some(words.to_owned());
            }
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.hears.as_mut().unwrap(), "{line}").unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Closes its standard input and waits for its end; whether it ended well.
    pub(crate) fn end(mut self) -> bool {
        self.hears = None;
        while self.said().is_some() {}
        self.process.wait().unwrap().success()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn event(number: u64) -> Event {
    Event::LeaderChanged { holder: format!("guard@test:{number}"), program: "0.1.0".to_owned() }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@ {line}").unwrap();
    out.flush().unwrap();
}

/// Lines from the other side, until it closes.
fn heard() -> impl Iterator<Item = String> {
    std::io::stdin().lines().map_while(Result::ok)
}

/// Not a test by itself: what the other process does. Without a part it does nothing.
#[tokio::test]
async fn part() {
    let (Ok(part), Ok(path)) = (env::var(PART), env::var(PATH)) else { return };
    let path = Path::new(&path);
    match part.as_str() {
        "stream" => stream(path).await,
        "leader" => leader(path).await,
        "taker" => taker(path).await,
        "follower" => follower(path).await,
        "full-disk" => {
            super::disk::full_disk(path).await;
            say("done");
        }
        "no-permission" => {
            super::disk::no_permission(path).await;
            say("done");
        }
        "read-only" => {
            super::disk::read_only(path).await;
            say("done");
        }
        other => panic!("no such part: {other}"),
    }
}

/// Appends one, two, three events and so on, and says the last place of each append that was acknowledged, until killed.
async fn stream(path: &Path) {
    let journal = SqliteJournal::open(path).await.unwrap();
    let token = journal.acquire("stream", Duration::from_mins(10)).await.unwrap().token;
    for number in 0.. {
        let events: Vec<_> = (0..=number % 3).map(|_| event(number)).collect();
        let entries = journal.append(token, Timestamp::now(), &events, &[]).await.unwrap();
        say(&entries.last().unwrap().seq.to_string());
    }
}

/// Takes a lease that soon runs out, and appends one event for each line it hears.
async fn leader(path: &Path) {
    let journal = SqliteJournal::open(path).await.unwrap();
    let lease = journal.acquire("old", Duration::from_millis(100)).await.unwrap();
    say(&lease.token.to_string());
    for _ in heard() {
        match journal.append(lease.token, Timestamp::now(), &[event(1)], &[]).await {
            Ok(entries) => say(&format!("stored {}", entries[0].seq)),
            Err(JournalError::Fenced { ours, theirs, holder }) => {
                say(&format!("fenced {ours} {theirs} {holder}"));
            }
            Err(error) => say(&format!("error {error}")),
        }
    }
}

/// Takes the lease, appends, gives it back: 25 times.
async fn taker(path: &Path) {
    let journal = SqliteJournal::open(path).await.unwrap();
    let me = format!("taker:{}", std::process::id());
    let mut turns = 0;
    while turns < 25 {
        match journal.acquire(&me, Duration::from_mins(1)).await {
            Ok(lease) => {
                journal
                    .append(lease.token, Timestamp::now(), &[event(turns), event(turns)], &[])
                    .await
                    .unwrap();
                journal.release(lease.token).await.unwrap();
                turns += 1;
            }
            Err(JournalError::Held(_)) => tokio::time::sleep(Duration::from_millis(2)).await,
            Err(error) => panic!("{error}"),
        }
    }
    say("done");
}

/// Says the place and the hash of every entry, whoever appends it.
async fn follower(path: &Path) {
    let journal = Arc::new(SqliteJournal::open_read_only(path).await.unwrap());
    let mut tail = tail(journal, 0);
    say("ready");
    loop {
        let entry = tail.next().await.unwrap();
        say(&format!("{} {}", entry.seq, entry.hash));
    }
}
