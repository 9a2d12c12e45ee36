//! A platform made of shell scripts, rolled back by a guard and by the command line; scripts that hang; and a guard that is
//! killed by what it started.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use unship::journal::{Entry, Journal, SqliteJournal};
use unship::model::event::Event;
use unship::model::operation::Outcome;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{
    Process, count, entries, eventually, has, journal_says, outcome, read, roll_back_to, run, text, unship,
};

/// Makes a release serve, as a deploy tool would: it takes down who called, then changes the state in one move.
const WORKS: &str = r#"echo "$UNSHIP_KEY" >> calls
cp "state-$UNSHIP_VERSION.json" new.json && mv new.json state.json
"#;

/// Does it, and then takes its caller with it.
const KILLS_ITS_GUARD: &str = r#"echo "$UNSHIP_KEY" >> calls
cp "state-$UNSHIP_VERSION.json" new.json && mv new.json state.json
kill -9 $PPID
"#;

/// Never ends, and has a child that does not either.
const HANGS: &str = r#"echo "$UNSHIP_KEY" >> calls
sleep 1000 &
echo "$$ $!" > pids
wait
"#;

const CONFIG: &str = r#"
[environment]
name = "shop"

[store]
lease = "1s"

[guardrails]
stale_after = "5s"

[rollback]
verify_hold = "300ms"
verify_deadline = "30s"
step_timeout = "4s"
retries = 1
read_every = "200ms"

[services.shop.platform]
kind = "command"
observe = ["cat", "state.json"]
roll_back = ["sh", "roll_back.sh"]
dir = "DIR"
timeout = "TIMEOUT"
unobservable = [UNOBSERVABLE]

[services.shop.probes.health]
url = "URL/health"
interval = "100ms"
timeout = "2s"

[triggers.down]
when = { kind = "consecutive", failures = 3, within = "5s" }
action = "watch"
"#;

/// A shop whose second release fails every request.
struct Shop {
    dir: TempDir,
    _server: MockServer,
}

impl Shop {
    async fn open(roll_back: &str, unobservable: &str, timeout: &str) -> Self {
        let dir = TempDir::new().unwrap();
        for (version, percents) in [("1.0", [100, 0]), ("2.0", [0, 100])] {
            let state = serde_json::json!({
                "releases": [
                    {"version": "2.0", "reference": "r2", "created_at": "2026-02-01T00:00:00Z"},
                    {"version": "1.0", "reference": "r1", "created_at": "2026-01-01T00:00:00Z"},
                ],
                "traffic": [
                    {"reference": "r1", "arm": "stable", "percent": percents[0]},
                    {"reference": "r2", "arm": "canary", "percent": percents[1]},
                ],
            });
            fs::write(dir.path().join(format!("state-{version}.json")), state.to_string()).unwrap();
        }
        fs::copy(dir.path().join("state-2.0.json"), dir.path().join("state.json")).unwrap();
        fs::write(dir.path().join("roll_back.sh"), roll_back).unwrap();
        let server = MockServer::start().await;
        let (state, bad) = (dir.path().join("state.json"), read(&dir.path().join("state-2.0.json")));
        let health = move |_: &Request| ResponseTemplate::new(if read(&state) == bad { 500 } else { 200 });
        Mock::given(method("GET")).respond_with(health).mount(&server).await;
        let config = CONFIG
            .replace("DIR", dir.path().to_str().unwrap())
            .replace("TIMEOUT", timeout)
            .replace("UNOBSERVABLE", unobservable)
            .replace("URL", &server.uri());
        fs::write(dir.path().join("unship.toml"), config).unwrap();
        Self { dir, _server: server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn journal(&self) -> SqliteJournal {
        SqliteJournal::open(&self.path("unship.db")).await.unwrap()
    }

    async fn run(&self, args: &[&str]) -> std::process::Output {
        run(unship(self.dir.path(), args)).await
    }

    fn guard(&self) -> Process {
        Process(unship(self.dir.path(), &["guard"]).spawn().unwrap())
    }

    /// The keys of the calls to the script that changes something.
    fn calls(&self) -> Vec<String> {
        read(&self.path("calls")).lines().map(str::to_owned).collect()
    }

    fn serves_the_good_one(&self) -> bool {
        read(&self.path("state.json")) == read(&self.path("state-1.0.json"))
    }

    async fn roll_back(&self) -> std::process::Output {
        let args =
            ["rollback", "shop", "--reason", "5xx", "--yes", "--to", "1.0", "--override", "target=I know it"];
        self.run(&args).await
    }
}

/// The key of the step that changes the platform.
fn key(entries: &[Entry]) -> String {
    let planned = entries.iter().find_map(|entry| match &entry.event {
        Event::OperationPlanned { plan, .. } => Some(plan.steps[0].key.to_string()),
        _ => None,
    });
    planned.unwrap()
}

/// Scripts are a whole platform: a rollback by command, alone and through a guard, runs the script once with the step's key
/// and ends verified by real probes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_a_platform() {
    for guarded in [false, true] {
        let shop = Shop::open(WORKS, "", "3s").await;
        let journal = shop.journal().await;
        let _guard = guarded.then(|| shop.guard());
        if guarded {
            journal_says(&journal, "a leader", |entries| has(entries, "leader_changed")).await;
        }
        let done = shop.roll_back().await;
        let said = text(&[done.stdout, done.stderr].concat());
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert!(said.contains("ended: verified"), "{said}");
        assert!(shop.serves_the_good_one());
        assert_eq!(shop.calls(), [key(&entries(&journal).await)]);
    }
}

/// A script that does not end is killed with everything that it started; the rollback stops there, exits with 4, says
/// that nobody knows whether it has happened, and leaves the choice to a person, who can end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_hangs_is_killed() {
    let shop = Shop::open(HANGS, "", "1s").await;
    let failed = shop.roll_back().await;
    let said = text(&[failed.stdout, failed.stderr].concat());
    assert_eq!(failed.status.code(), Some(4), "{said}");
    for words in ["did not end within 1 s and was killed", "NEEDS A DECISION", "unship settle op-1"] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let pids = read(&shop.path("pids"));
    assert_eq!(pids.split_whitespace().count(), 2, "{pids}");
    for pid in pids.split_whitespace() {
        eventually("the script and its child are gone", || !runs(pid)).await;
    }
    assert_eq!(shop.calls().len(), 1, "what may have happened is not done again by itself");
    let status = shop.run(&["status"]).await;
    assert!(text(&status.stdout).contains("op-1 needs a decision"), "{}", text(&status.stdout));
    let settled = shop.run(&["settle", "op-1", "abort", "--reason", "the tool hangs"]).await;
    assert_eq!(settled.status.code(), Some(0), "{}", text(&settled.stderr));
    assert_eq!(outcome(&entries(&shop.journal().await).await), Some(Outcome::Cancelled));
}

/// Whether a process is there, not counting one that has ended and was not collected.
fn runs(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

/// A guard killed while a script ran whose effect cannot be seen and must not be repeated: the next guard does not run it
/// again but asks, and when a person says that it has happened, goes on to the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_known_is_asked() {
    let shop = Shop::open(KILLS_ITS_GUARD, "\"roll_back\"", "3s").await;
    let journal = shop.journal().await;
    let mut first = shop.guard();
    journal.submit(&roll_back_to("shop", "1.0")).await.unwrap();
    assert_eq!(first.code().await, None, "killed by a signal");
    let _second = shop.guard();
    let all = journal_says(&journal, "a question", |entries| has(entries, "decision_needed")).await;
    assert_eq!((count(&all, "step_started"), count(&all, "step_unknown")), (1, 1));
    assert_eq!(shop.calls(), [key(&all)]);
    // Settling what does not wait, or does not exist, is refused.
    let refused = shop.run(&["settle", "op-2", "done", "--reason", "x"]).await;
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    let settled = shop.run(&["settle", "op-1", "done", "--reason", "the shop shows 1.0"]).await;
    assert_eq!(settled.status.code(), Some(0), "{}", text(&settled.stderr));
    let all = journal_says(&journal, "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert!(has(&all, "traffic_back"));
    assert_eq!(shop.calls().len(), 1, "it is not run twice");
}

/// The same when the guard dies after it wrote that it would run the script and before it did: nobody can tell the two apart
/// from outside, so it asks too, and when a person says that it has not happened, runs it once, with the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_only_announced_is_asked_too() {
    if cfg!(not(debug_assertions)) {
        eprintln!("skipped: the places to be killed at are compiled into debug builds only");
        return;
    }
    // Which entry begins the step depends on what was sensed before: each place is tried until it was the one.
    for entry in 2..40 {
        let shop = Shop::open(WORKS, "\"roll_back\"", "3s").await;
        let journal = shop.journal().await;
        journal.submit(&roll_back_to("shop", "1.0")).await.unwrap();
        let point = format!("after:{entry}");
        let mut command = unship(shop.dir.path(), &["guard"]);
        let mut first = Process(command.env("UNSHIP_TEST_KILL", point).spawn().unwrap());
        assert_eq!(first.code().await, None, "killed by a signal");
        let all = entries(&journal).await;
        if !has(&all, "step_started") {
            continue;
        }
        assert_eq!(shop.calls(), [""; 0], "{entry} is right after the step was announced");
        let _second = shop.guard();
        journal_says(&journal, "a question", |entries| has(entries, "decision_needed")).await;
        assert_eq!(shop.calls(), [""; 0], "nothing is run before the answer");
        let settled = shop.run(&["settle", "op-1", "retry", "--reason", "it still shows 2.0"]).await;
        assert_eq!(settled.status.code(), Some(0), "{}", text(&settled.stderr));
        let all = journal_says(&journal, "the end", |entries| outcome(entries).is_some()).await;
        assert_eq!(outcome(&all), Some(Outcome::Verified));
        assert_eq!(shop.calls(), [key(&all)]);
        return;
    }
    panic!("the step never began");
}

/// A platform that cannot be read makes the service unknown, and a rollback of what nobody can see is refused with the reason
/// and the way to go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_platform_is_not_acted_on() {
    let shop = Shop::open(WORKS, "", "3s").await;
    fs::copy(shop.path("state-1.0.json"), shop.path("state.json")).unwrap();
    let journal = shop.journal().await;
    let _guard = shop.guard();
    journal_says(&journal, "a healthy shop", |entries| last_verdict(entries) == Some("healthy")).await;
    // The probes go on to be answered well.
    fs::rename(shop.path("state.json"), shop.path("hidden.json")).unwrap();
    journal_says(&journal, "an unknown shop", |entries| {
        last_verdict(entries) == Some("unknown") && is_unreadable(entries)
    })
    .await;
    // The readings that `status` shows are published now and then.
    let status = loop {
        let status = shop.run(&["status"]).await;
        if !text(&status.stdout).contains("no data yet") {
            break status;
        }
    };
    assert_eq!(status.status.code(), Some(6), "{}", text(&status.stdout));
    assert!(text(&status.stdout).contains("unknown: platform"), "{}", text(&status.stdout));
    let refused = shop.run(&["rollback", "shop", "--reason", "5xx", "--yes", "--to", "2.0"]).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{said}");
    for words in ["stale-data", "the platform cannot be read since", "state.json", "--override stale-data="] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    fs::rename(shop.path("hidden.json"), shop.path("state.json")).unwrap();
    journal_says(&journal, "a healthy shop again", |entries| {
        last_verdict(entries) == Some("healthy") && !is_unreadable(entries)
    })
    .await;
    assert!(shop.calls().is_empty());
}

/// Whether the last that was said of the platform is that it cannot be read.
fn is_unreadable(entries: &[Entry]) -> bool {
    let last = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::PlatformReadable { fault, .. } => Some(fault.is_some()),
        _ => None,
    });
    last == Some(true)
}

fn last_verdict(entries: &[Entry]) -> Option<&'static str> {
    entries.iter().rev().find_map(|entry| match &entry.event {
        Event::VerdictChanged { arm: None, verdict, .. } => Some(verdict.word()),
        _ => None,
    })
}
