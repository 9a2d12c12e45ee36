//! A guard as a process that takes alarms in and is killed.

use std::path::Path;
use std::process::Command;

use unship::engine::State;
use unship::journal::Journal;

use crate::harness::{PATIENCE, Process, entries, eventually, read, run, text, unship};
use crate::listener::{alert, firing, message};

/// A config whose guard listens on a port that the system chooses.
pub(crate) const CONFIG: &str = r#"
[environment]
name = "test"
[store]
lease = "1s"
[services.shop]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "shop" }
probes.live = { url = "http://127.0.0.1:1/", interval = "5s", timeout = "1s" }
[api]
listen = "127.0.0.1:0"
"#;

/// Starts a guard; gives it with its address, once it listens.
pub(crate) async fn guard(dir: &Path, log: &str) -> (Process, String) {
    let said = dir.join(log);
    let command: Command = unship(dir, &["guard"]);
    let process = Process::speaking(command, &said);
    let address = || {
        let said = read(&said);
        let line = said.lines().find(|line| line.starts_with("listening on "))?.to_owned();
        line.split_whitespace().last().map(str::to_owned)
    };
    eventually("the guard listens", || address().is_some()).await;
    (process, address().unwrap())
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// The state as the journal has it.
pub(crate) async fn state(journal: &dyn Journal) -> State {
    let entries = entries(journal).await;
    State::default().fold(entries.iter().map(|entry| (entry.at, &entry.event)))
}

/// Waits until the journal says that it is so.
pub(crate) async fn knows(journal: &dyn Journal, what: &str, says: impl Fn(&State) -> bool) -> State {
    let begun = std::time::Instant::now();
    loop {
        let state = state(journal).await;
        if says(&state) {
            return state;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited in vain until {what}: {:?} {:?}",
            state.alarms,
            state.incidents
        );
        tokio::task::yield_now().await;
    }
}

/// What was answered with 200 is never lost: guards are killed right after it, one after the other, and the last one knows
/// every alarm.
#[tokio::test(flavor = "multi_thread")]
async fn killed_after_200() {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::write(dir.path().join("unship.toml"), CONFIG).unwrap();
    let client = client();
    let mut taken = 0;
    for round in 0..4 {
        let (mut process, address) = guard(dir.path(), &format!("guard-{round}.log")).await;
        for _ in 0..=round * 5 {
            let body = message(vec![alert(taken, "firing", 1)]);
            let url = format!("{address}/api/v1/alarms/alertmanager");
            let answer = client.post(url).json(&body).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            taken += 1;
        }
        // SIGKILL: no step of it is carried to its end.
        process.0.kill().unwrap();
        process.0.wait().unwrap();
    }
    let (mut last, _) = guard(dir.path(), "guard-last.log").await;
    let journal = unship::journal::SqliteJournal::open(&dir.path().join("unship.db")).await.unwrap();
    knows(&journal, "every alarm is known", |state| firing(state) == taken).await;
    let listed = run(unship(dir.path(), &["alarms", "list", "--json"])).await;
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["alarms"].as_array().unwrap().len(), taken);
    let shown = run(unship(dir.path(), &["alarms", "list"])).await;
    assert!(text(&shown.stdout).contains("Alarm0"), "{}", text(&shown.stdout));
    rustix::process::kill_process(last.pid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(last.code().await, Some(0), "it stops when it is asked to");
}
