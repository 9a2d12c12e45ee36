//! A lab, its journal, and `unship` processes on both.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use unship::journal::sqlite::SqliteJournal;
use unship::journal::{Entry, Journal};
use unship::lab::{Lab, LabHandle, Scenario};
use unship::model::command::{self, Actor, Envelope, Override, RollBack};
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::notification::Notification;
use unship::model::operation::{Outcome, Strategy};

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// One service with a canary that is there from the start.
const FLEET: &str = r#"
name = "one-canary"
doc = "One service with a canary from the start."
duration = "10m"
expect = "quiet"

[[service]]
name = "checkout"
rps = 60
latency = "2ms"
[[service.release]]
version = "2.8.0"
age = "2d"
[[service.release]]
version = "2.7.0"
age = "9d"

[[at]]
at = "0s"
do = "deploy"
service = "checkout"
version = "2.9.0"
percent = 20
"#;

/// A running fleet with a folder for its config and journal.
pub(crate) struct Fleet {
    pub(crate) lab: LabHandle,
    pub(crate) dir: TempDir,
}

impl Fleet {
    /// Starts it and waits until the canary has its share.
    pub(crate) async fn start() -> Self {
        Self::start_with(FLEET, "2.9.0").await
    }

    pub(crate) async fn start_with(scenario: &str, until_serving: &str) -> Self {
        let scenario = Scenario::parse("test.toml", scenario).unwrap();
        let lab = Lab::start(scenario, 7).await.unwrap();
        let dir = TempDir::new().unwrap();
        let fleet = Self { lab, dir };
        let config = fleet
            .lab
            .config_toml(fleet.dir.path())
            .replace("verify_hold = \"2s\"", "verify_hold = \"300ms\"")
            .replace("lease = \"2s\"", "lease = \"1s\"")
            .replace("min_samples = 20", "min_samples = 5");
        std::fs::write(fleet.config(), config).unwrap();
        eventually("the release serves", || fleet.percent(until_serving) > 0).await;
        fleet
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("unship.toml")
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn percent(&self, version: &str) -> u8 {
        let inventory = self.lab.inventory("checkout").unwrap();
        inventory.by_version(&version.into()).map_or(0, |release| inventory.percent(&release.reference))
    }

    /// `unship` with these arguments on this fleet's config, not started.
    pub(crate) fn unship(&self, args: &[&str]) -> Command {
        unship(self.path(), args)
    }

    /// Runs `unship` to its end without holding up the fleet, which lives in this process.
    pub(crate) async fn run(&self, args: &[&str]) -> Output {
        run(self.unship(args)).await
    }

    /// Changes the config, which no process has read yet.
    pub(crate) fn reconfigure(&self, change: impl Fn(String) -> String) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(config)).unwrap();
    }

    /// Asks something of the lab itself.
    pub(crate) async fn ask(&self, path: &str, body: Value) {
        // A second install is refused, and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("{}{path}", self.lab.admin_url());
        let answer = client.post(url).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// The calls of engines that had an effect: what they asked for, and how often it was done.
    pub(crate) fn effects(&self) -> Vec<(String, u64)> {
        let facts = self.lab.facts();
        let ours = facts.effects.iter().filter(|effect| effect.key.is_some());
        ours.map(|effect| (effect.verb.clone(), effect.times_applied)).collect()
    }

    pub(crate) fn guard(&self) -> Process {
        Process(self.unship(&["guard"]).spawn().unwrap())
    }

    pub(crate) async fn journal(&self) -> Arc<SqliteJournal> {
        Arc::new(SqliteJournal::open(&self.path().join("unship.db")).await.unwrap())
    }
}

/// `unship` on the config in this folder, not started.
pub(crate) fn unship(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
    command
        .arg("--config")
        .arg(dir.join("unship.toml"))
        .args(["--as", "ana", "--log-dir"])
        .arg(dir.join("logs"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs a command to its end beside everything else that goes on in this process.
pub(crate) async fn run(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// A process that is killed when the test is over.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts a command; what it says is kept in a file.
    pub(crate) fn speaking(mut command: Command, said: &Path) -> Self {
        let file = File::create(said).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Self(command.spawn().unwrap())
    }

    /// Waits for its end.
    pub(crate) async fn code(&mut self) -> Option<i32> {
        eventually("a process ends", || self.has_ended()).await;
        self.0.try_wait().unwrap().unwrap().code()
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.0)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a file holds by now; nothing if it is not there yet.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| text(&bytes)).unwrap_or_default()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The command of a person who takes the canary back and trusts stable without a record.
pub(crate) fn roll_back() -> Envelope {
    roll_back_to("checkout", "2.8.0")
}

/// The same for any service.
pub(crate) fn roll_back_to(service: &str, version: &str) -> Envelope {
    Envelope {
        id: "test-1".into(),
        by: Actor::Person { name: "ana".into() },
        at: Timestamp::now(),
        command: command::Command::RollBack(RollBack {
            service: service.into(),
            from: None,
            to: Some(version.into()),
            strategy: Strategy::Immediate,
            reason: "a test".into(),
            overrides: vec![Override { guardrail: Guardrail::Target, reason: "a test".into() }],
        }),
    }
}

/// Puts messages into the outbox of a journal that nobody leads, as a guard does that dies right after it. Answers how many
/// entries the journal has then.
pub(crate) async fn seed(journal: &dyn Journal, messages: impl IntoIterator<Item = Notification>) -> u64 {
    let lease = journal.acquire("before", Duration::from_secs(60)).await.unwrap();
    let events: Vec<Event> =
        messages.into_iter().map(|notification| Event::NotificationQueued { notification }).collect();
    let entries = journal.append(lease.token, Timestamp::now(), &events, &[]).await.unwrap();
    journal.release(lease.token).await.unwrap();
    entries.last().unwrap().seq
}

/// All entries of a journal.
pub(crate) async fn entries(journal: &dyn Journal) -> Vec<Entry> {
    journal.read(0, 100_000).await.unwrap()
}

/// How the only operation of a journal ended, if it has.
pub(crate) fn outcome(entries: &[Entry]) -> Option<Outcome> {
    entries.iter().find_map(|entry| match &entry.event {
        Event::OperationEnded { outcome, .. } => Some(*outcome),
        _ => None,
    })
}

/// Whether an entry of this kind is there.
pub(crate) fn has(entries: &[Entry], kind: &str) -> bool {
    count(entries, kind) > 0
}

/// How many entries of this kind are there.
pub(crate) fn count(entries: &[Entry], kind: &str) -> usize {
    entries.iter().filter(|entry| entry.event.kind() == kind).count()
}

/// Waits for a condition and fails with its name when it takes too long.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let what = what.to_owned();
    async move {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits until the journal says something.
pub(crate) async fn journal_says(
    journal: &dyn Journal,
    what: &str,
    mut says: impl FnMut(&[Entry]) -> bool,
) -> Vec<Entry> {
    let begun = Instant::now();
    loop {
        let entries = entries(journal).await;
        if says(&entries) {
            return entries;
        }
        let kinds: Vec<_> = entries.iter().map(|entry| entry.event.kind()).collect();
        assert!(
            begun.elapsed() < PATIENCE,
            "waited in vain until the journal says {what}; it says {kinds:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
