//! One demo as a process, and what it said.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The longest that a demo may take; the longest scenario lasts a minute.
const PATIENCE: Duration = Duration::from_mins(3);

/// A demo that runs. It is killed when this is dropped.
pub(crate) struct Started {
    process: Child,
    dir: Option<TempDir>,
}

/// A demo that has ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    /// The journal's entries as printed, one after the other.
    pub(crate) events: Vec<Value>,
    /// What the fleet said.
    pub(crate) fleet: Vec<Value>,
    pub(crate) stderr: String,
    dir: TempDir,
}

impl Run {
    pub(crate) fn start(scenario: &str, auto: bool) -> Started {
        let dir = TempDir::new().unwrap();
        let file = |name| File::create(dir.path().join(name)).unwrap();
        let mut command = unship(&dir);
        command.args(["demo", "--headless", "--seed", "7", "--dir"]).arg(dir.path().join("lab"));
        if auto {
            command.arg("--auto");
        }
        // What is asked for without a name is what people see first.
        if scenario != "bad-canary" {
            command.args(["--scenario", scenario]);
        }
        let process = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Started { process, dir: Some(dir) }
    }

    /// The only event of a kind.
    #[track_caller]
    pub(crate) fn one(&self, kind: &str) -> &Value {
        assert_eq!(self.count(kind), 1, "{kind}");
        self.of(kind).next().unwrap()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.of(kind).count()
    }

    fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| event["type"] == kind)
    }

    pub(crate) fn decided(&self, recommendation: &str) -> bool {
        self.of("decision_made").any(|event| event["decision"]["recommendation"] == recommendation)
    }

    pub(crate) fn canary_verdicts(&self) -> impl Iterator<Item = &str> {
        self.of("verdict_changed")
            .filter(|event| event["arm"] == "canary")
            .map(|event| event["verdict"]["verdict"].as_str().unwrap())
    }

    /// No operation, and no call to the fleet that came from the engine.
    #[track_caller]
    pub(crate) fn changed_nothing(&self) {
        assert_eq!(self.count("operation_planned"), 0);
        let calls: Vec<_> =
            self.fleet.iter().filter(|line| line["text"].as_str().unwrap().contains("(call ")).collect();
        assert!(calls.is_empty(), "{calls:?}");
    }

    /// What is said at the end, after the empty line.
    pub(crate) fn conclusion(&self) -> &str {
        self.stderr.rsplit_once("\n\n").map_or("", |(_, conclusion)| conclusion)
    }

    /// Whether the machine was too slow for what this run had to show: no scenario does anything to the other services, so if
    /// one of them looks bad, the cause is outside.
    pub(crate) fn was_starved(&self) -> bool {
        self.of("verdict_changed").any(|event| {
            event["service"] != "checkout"
                && ["failing", "degraded"].iter().any(|word| event["verdict"]["verdict"] == *word)
        })
    }

    /// The last line names a config with which everything can be looked up afterwards.
    #[track_caller]
    pub(crate) fn the_record_can_be_read(&self) {
        let last = self.stderr.lines().last().unwrap();
        let (_, config) = last.split_once("unship -c ").unwrap();
        let config = config.strip_suffix(" history").unwrap();
        for (args, says) in [
            (&["history"][..], "rolled back to 2.8.0 by unship, op-1 verified"),
            (&["why", "d-1"], "errors on canary"),
            (&["journal", "verify"], "is whole"),
        ] {
            let output = unship(&self.dir).arg("-c").arg(config).args(args).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && text.contains(says), "{args:?}: {text}");
        }
    }
}

impl Started {
    pub(crate) fn wait(mut self) -> Run {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "a demo does not end");
            std::thread::sleep(Duration::from_millis(50));
        };
        let dir = self.dir.take().unwrap();
        let text = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        let lines: Vec<Value> = text("out").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (fleet, events) = lines.into_iter().partition(|line| line["type"] == "lab");
        let stderr = text("err");
        Run { code: status.code(), events, fleet, stderr, dir }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn unship(dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
    command.arg("--log-dir").arg(dir.path().join("logs")).stdin(Stdio::null());
    command
}
