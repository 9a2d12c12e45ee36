//! A real Alertmanager that sends to a guard and is asked by it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use unship::journal::SqliteJournal;
use unship::model::command::Actor;
use unship::model::received::{AlarmStatus, Muted};

use crate::guard::{CONFIG, client, guard, knows};
use crate::harness::{Process, eventually, read, run, text, unship};
use crate::listener::firing;

/// As Debian calls it, or its makers.
const PROGRAMS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// A server with its folder.
struct Server {
    process: Process,
    dir: PathBuf,
    address: String,
    program: &'static str,
}

impl Server {
    /// Starts it on a free port, where Alertmanager is installed.
    async fn start(dir: &Path) -> Option<Self> {
        let is_there = |program: &&str| {
            let version =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let Some(program) = PROGRAMS.into_iter().find(|program| is_there(program)) else {
            let why = "Alertmanager is not installed (apt-get install prometheus-alertmanager)";
            crate::skip("alertmanager", why);
            return None;
        };
        let dir = dir.join("alertmanager");
        std::fs::create_dir(&dir).unwrap();
        configure(&dir, "http://127.0.0.1:1/");
        let (process, address) = launch(program, &dir, "127.0.0.1:0").await;
        Some(Self { process, dir, address, program })
    }

    async fn stop(&mut self) {
        rustix::process::kill_process(self.process.pid(), rustix::process::Signal::TERM).unwrap();
        self.process.code().await;
    }

    async fn start_again(&mut self) {
        let (process, _) = launch(self.program, &self.dir, &self.address).await;
        self.process = process;
    }

    /// Has it send to another address from now on.
    async fn send_to(&self, url: &str) {
        configure(&self.dir, url);
        let answer = client().post(format!("http://{}/-/reload", self.address)).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Posts alarms as Prometheus does: they fire until a minute from now, or end now.
    async fn post(&self, names: &[&str], firing: bool) {
        let now = Timestamp::now();
        let began = now - SignedDuration::from_mins(2);
        let alerts: Vec<Value> = names
            .iter()
            .map(|name| {
                let ends_at = if firing { now + SignedDuration::from_mins(10) } else { now };
                json!({
                    "labels": { "alertname": name, "service": "shop", "severity": "critical" },
                    "annotations": { "summary": format!("{name} says so") },
                    "startsAt": began, "endsAt": ends_at,
                })
            })
            .collect();
        let url = format!("http://{}/api/v2/alerts", self.address);
        let answer = client().post(url).json(&alerts).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }
}

/// At most two alarms in a message.
fn configure(dir: &Path, url: &str) {
    let text = format!(
        "route:\n  receiver: unship\n  group_by: [service]\n  group_wait: 100ms\n  group_interval: 500ms\n  \
         repeat_interval: 1s\nreceivers:\n- name: unship\n  webhook_configs:\n  - url: {url}\n    max_alerts: 2\n"
    );
    std::fs::write(dir.join("alertmanager.yml"), text).unwrap();
}

async fn launch(program: &str, dir: &Path, address: &str) -> (Process, String) {
    let log = dir.join(format!("{}.log", std::fs::read_dir(dir).unwrap().count()));
    let mut command = Command::new(program);
    command
        .arg(format!("--config.file={}", dir.join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", dir.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .arg("--cluster.listen-address=")
        .stdin(Stdio::null());
    let process = Process::speaking(command, &log);
    let listens = || {
        let said = read(&log);
        let line = said.lines().find(|line| line.to_lowercase().contains("listening on"))?.to_owned();
        let address = line.split("address=").nth(1)?.split_whitespace().next()?.to_owned();
        Some(address)
    };
    eventually("Alertmanager listens", || listens().is_some()).await;
    (process, listens().unwrap())
}

/// The whole life of alarms: fired, repeated, truncated, resolved, silenced from the command line, lost with the messages and
/// found by asking, stale while nobody can be asked, and over by inference.
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_alarms() {
    let dir = TempDir::new().unwrap();
    let Some(mut server) = Server::start(dir.path()).await else { return };
    let asked = format!(
        "[alarms.alertmanager]\nurls = [\"http://{}\"]\ninterval = \"2s\"\ntimeout = \"2s\"\n",
        server.address
    );
    std::fs::write(dir.path().join("unship.toml"), format!("{CONFIG}{asked}")).unwrap();
    let (mut first, address) = guard(dir.path(), "guard.log").await;
    server.send_to(&format!("{address}/api/v1/alarms/alertmanager")).await;
    let journal = Arc::new(SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap());
    let journal = journal.as_ref();

    server.post(&["Down"], true).await;
    let state = knows(journal, "it fires", |state| state.open_incident().is_some()).await;
    let incident = state.open_incident().unwrap().clone();
    assert_eq!((incident.suspected, incident.level.number(), &incident.by), (true, 1, &Actor::Engine));
    let down = state.alarms.firing().next().unwrap().clone();
    assert_eq!(down.facts.summary(), Some("Down says so"));

    // Repeats arrive (every second) and change nothing; more than two in a group are truncated, and asked for.
    server.post(&["Down", "Slow", "Full", "Hot"], true).await;
    let state = knows(journal, "all fire, those that were left out too", |state| firing(state) == 4).await;
    assert_eq!(state.incidents.len(), 1, "all of one service");
    let known = state.alarms.get(&down.id).unwrap();
    assert_eq!(known.changed_at, down.changed_at, "a repeat is no news");

    server.post(&["Hot"], false).await;
    let is_over = |state: &unship::engine::State, name: &str, by_inference: Option<bool>| {
        state.alarms.all().any(|alarm| {
            alarm.facts.name == name
                && match alarm.status {
                    AlarmStatus::Resolved { inferred, .. } => {
                        by_inference.is_none_or(|wanted| wanted == inferred)
                    }
                    AlarmStatus::Firing => false,
                }
        })
    };
    knows(journal, "one is over", |state| is_over(state, "Hot", None)).await;

    // Silenced from the command line: who, why, until when, and a note in the incident.
    let silence = ["alarms", "silence", "Full", "--for", "2h", "--reason", "known", "--yes", "--json"];
    let output = run(unship(dir.path(), &silence)).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stderr).contains("this silence would be for 1 alarm"), "{}", text(&output.stderr));
    let silences = client().get(format!("http://{}/api/v2/silences", server.address)).send().await.unwrap();
    let silences: Value = silences.json().await.unwrap();
    assert_eq!(silences[0]["createdBy"], "ana");
    assert_eq!(silences[0]["comment"], format!("{}: known", incident.id));
    let muted = |state: &unship::engine::State| {
        state.alarms.firing().any(|alarm| alarm.facts.name == "Full" && alarm.muted == Some(Muted::Silenced))
    };
    let state = knows(journal, "it is seen to be silenced", muted).await;
    let noted = |state: &unship::engine::State| {
        state
            .incident(&incident.id)
            .unwrap()
            .notes
            .iter()
            .any(|note| note.text.starts_with("Full is silenced until"))
    };
    assert!(noted(&state) || noted(&knows(journal, "it is noted", noted).await));
    let long = ["alarms", "silence", "Full", "--for", "5h", "--reason", "known", "--yes"];
    let output = run(unship(dir.path(), &long)).await;
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("longer than 4 h"), "{}", text(&output.stderr));

    // While it cannot be asked, nothing is over, and what fires is stale; back again, what it has is fresh.
    server.stop().await;
    let stale =
        |state: &unship::engine::State| state.alarms.firing().filter(|alarm| alarm.stale.is_some()).count();
    let state = knows(journal, "all are stale", |state| stale(state) == 3).await;
    assert_eq!(firing(&state), 3);
    server.start_again().await;
    server.post(&["Down", "Full"], true).await;
    knows(journal, "what it has is fresh", |state| stale(state) <= 1).await;

    // The guard dies while an alarm ends whose message nobody takes: the next one finds out by asking.
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let (_second, address) = guard(dir.path(), "guard-2.log").await;
    // It lost what nobody posted again: over by inference.
    knows(journal, "the lost one is over", |state| is_over(state, "Slow", Some(true))).await;
    server.send_to("http://127.0.0.1:1/").await;
    server.post(&["Down"], false).await;
    knows(journal, "over, although no message says so", |state| is_over(state, "Down", Some(true))).await;
    server.send_to(&format!("{address}/api/v1/alarms/alertmanager")).await;
    server.post(&["New"], true).await;
    knows(journal, "a new one fires", |state| state.alarms.firing().any(|alarm| alarm.facts.name == "New"))
        .await;
}
