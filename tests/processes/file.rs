//! The journal's file under a running guard: read by others, taken away, replaced, and on a disk that runs full.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use unship::journal::{Journal, SqliteJournal};
use unship::model::operation::Outcome;

use crate::harness::{
    Fleet, PATIENCE, Process, entries, eventually, has, journal_says, outcome, read, roll_back, run, text,
    unship,
};

/// The canary begins to fail a third of its requests, which a guard that could act would act on.
async fn spoil(fleet: &Fleet) {
    let fault = json!({ "kind": "errors", "rate": 0.3, "version": "2.9.0" });
    fleet.ask("/admin/services/checkout/fault", fault).await;
}

/// Everything that only looks works beside a guard that writes, and what another process follows is what the guard appends,
/// entry by entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_does_not_disturb() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let _guard = fleet.guard();
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;
    let followed = fleet.path().join("followed");
    let args = ["journal", "tail", "--follow", "--from", "1", "--json"];
    let mut tail = Process::speaking(fleet.unship(&args), &followed);
    // A decision is made meanwhile, so that there is something to look at.
    spoil(&fleet).await;
    loop {
        let over = outcome(&entries(journal.as_ref()).await).is_some();
        for args in [&["status"][..], &["journal", "verify"], &["journal", "tail"], &["history"]] {
            let output = fleet.run(args).await;
            assert!(matches!(output.status.code(), Some(0 | 3 | 6)), "{args:?}: {}", text(&output.stderr));
            assert_eq!(text(&output.stderr), "", "{args:?}");
        }
        let export = text(&fleet.run(&["journal", "export"]).await.stdout);
        for (line, number) in export.lines().zip(1..) {
            let entry: Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["seq"], number);
        }
        if over {
            break;
        }
    }
    let why = text(&fleet.run(&["why", "op-1"]).await.stdout);
    assert!(why.contains("ROLL BACK IMMEDIATELY") && why.contains("op-1 ended verified"), "{why}");
    assert_eq!(fleet.run(&["freeze", "--reason", "an audit"]).await.status.code(), Some(0));
    eventually("the freeze is followed", || read(&followed).contains("an audit")).await;
    assert!(!tail.has_ended());
    let seen = read(&followed);
    let all = entries(journal.as_ref()).await;
    for (line, entry) in seen.lines().zip(&all) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["seq"], &line["hash"]), (&json!(entry.seq), &json!(entry.hash)));
    }
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert!(journal.verify().await.unwrap().faults.is_empty());
}

/// A guard whose journal was deleted stops leading and says so: it does not act on what nobody will ever read, although the
/// system would let it go on writing. Another guard begins a new journal and acts; the first one stays out of its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_journal_is_noticed() {
    let fleet = Fleet::start().await;
    let said = fleet.path().join("first.said");
    let mut first = Process::speaking(fleet.unship(&["guard"]), &said);
    let path = fleet.path().join("unship.db");
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;
    let mut tail =
        Process::speaking(fleet.unship(&["journal", "tail", "--follow"]), &fleet.path().join("tail.said"));
    eventually("the tail follows", || !read(&fleet.path().join("tail.said")).is_empty()).await;
    for name in ["unship.db", "unship.db-wal", "unship.db-shm"] {
        fs::remove_file(fleet.path().join(name)).unwrap();
    }
    let error = journal.submit(&roll_back()).await.unwrap_err();
    assert!(error.to_string().contains("was deleted, moved away or replaced"), "{error}");
    eventually("the guard says so", || {
        read(&said).contains("nothing is watched or acted on: `") && read(&said).contains("was deleted")
    })
    .await;
    spoil(&fleet).await;
    // Who only follows has nothing to wait for.
    assert_eq!(tail.code().await, Some(1), "{}", read(&fleet.path().join("tail.said")));
    assert!(!path.exists(), "a guard does not make a journal anew behind one's back");

    let _second = fleet.guard();
    eventually("there is a new journal", || path.exists()).await;
    let journal = fleet.journal().await;
    let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)], "only the second acts");
    assert!(!first.has_ended());
    // When it ends it takes nothing of the new journal with it.
    rustix::process::kill_process(first.pid(), rustix::process::Signal::TERM).unwrap();
    assert_eq!(first.code().await, Some(0));
    journal.submit(&roll_back()).await.unwrap();
    assert!(journal.verify().await.unwrap().faults.is_empty());
    let logs: Vec<_> = fs::read_dir(fleet.path().join("logs")).unwrap().flatten().collect();
    assert!(logs.iter().any(|log| read(&log.path()).contains("was deleted")), "the log says it too");
}

/// A journal that was moved away and is put back is gone on with, by the same guard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_put_back_is_gone_on_with() {
    let fleet = Fleet::start().await;
    let said = fleet.path().join("guard.said");
    let _guard = Process::speaking(fleet.unship(&["guard"]), &said);
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;
    for name in ["unship.db", "unship.db-wal"] {
        let (here, away) = (fleet.path().join(name), fleet.path().join("away"));
        fs::rename(&here, &away).unwrap();
        let before = read(&said).matches("nothing is watched or acted on").count();
        eventually("the guard says so", || {
            read(&said).matches("nothing is watched or acted on").count() > before
        })
        .await;
        let back = read(&said).matches("the journal can be used again").count();
        assert!(!here.exists(), "nothing was made in its place");
        fs::rename(&away, &here).unwrap();
        eventually("the guard goes on", || {
            read(&said).matches("the journal can be used again").count() > back
        })
        .await;
    }
    spoil(&fleet).await;
    let all = journal_says(journal.as_ref(), "the end", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&all), Some(Outcome::Verified));
    assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)]);
    assert!(journal.verify().await.unwrap().faults.is_empty());
}

/// A guard whose disk runs full says so and does nothing, because it could not write down what it did; with room again it
/// leads, decides and acts by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_done() {
    let fleet = Fleet::start().await;
    let disk = fleet.path().join("disk");
    fs::create_dir(&disk).unwrap();
    fleet.reconfigure(|config| config.replace("path = \"unship.db\"", "path = \"disk/unship.db\""));
    // A small file system of the guard's own, which goes away with it.
    let mount = "mount -t tmpfs -o size=16m tmpfs \"$0\"";
    let may = Command::new("unshare").args(["-m", "sh", "-c", mount]).arg(&disk).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: mounting is not allowed here");
        return;
    }
    let guard = fleet.unship(&["guard"]);
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$@\"")]).arg(&disk);
    command.arg(guard.get_program()).args(guard.get_args());
    let said = fleet.path().join("guard.said");
    let mut guard = Process::speaking(command, &said);
    // Its disk, seen from here.
    let pid = guard.0.id().to_string();
    let disk = Path::new("/proc").join(&pid).join("root").join(disk.strip_prefix("/").unwrap());
    let journal = Inside { fleet: &fleet, pid };
    eventually("the guard is up", || read(&said).contains("guarding lab")).await;
    journal.says("\"type\":\"release_marked\"").await;

    let mut ballast = fs::File::create(disk.join("ballast")).unwrap();
    while ballast.write_all(&[1; 4_096]).is_ok() {}
    eventually("the guard says so", || read(&said).contains("no room left for")).await;
    let before = journal.export().await;
    spoil(&fleet).await;
    would_be_acted_on(&fleet).await;
    assert_eq!(fleet.effects(), [], "nothing is done that cannot be written down");
    assert_eq!(journal.export().await, before);
    assert!(!guard.has_ended(), "{}", read(&said));

    fs::remove_file(disk.join("ballast")).unwrap();
    drop(ballast);
    let all = journal.says("\"type\":\"operation_ended\"").await;
    assert!(all.contains("\"outcome\":\"verified\""), "{all}");
    assert!(all.starts_with(&before), "what was written before the disk was full is there");
    assert_eq!(fleet.effects(), [("traffic".to_owned(), 1)]);
    let verified = journal.unship(&["journal", "verify"]).await;
    assert!(verified.contains("is whole"), "{verified}");
    assert!(read(&said).contains("the journal can be used again"), "{}", read(&said));
}

/// A journal that only processes beside this one can see.
struct Inside<'a> {
    fleet: &'a Fleet,
    pid: String,
}

impl Inside<'_> {
    /// What a subcommand prints there.
    async fn unship(&self, args: &[&str]) -> String {
        let inner = self.fleet.unship(args);
        let mut command = Command::new("nsenter");
        command.args(["-m", "-t", &self.pid]).arg(inner.get_program()).args(inner.get_args());
        let output = run(command).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    async fn export(&self) -> String {
        self.unship(&["journal", "export"]).await
    }

    /// Waits until the journal has these words, and gives all of it.
    async fn says(&self, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let export = self.export().await;
            if export.contains(words) {
                return export;
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {words}; the journal says\n{export}");
        }
    }
}

/// Lets a guard that may not act by itself look at the same fleet, with a journal elsewhere, until it would have acted: then
/// one that may has had the time to.
async fn would_be_acted_on(fleet: &Fleet) {
    let dir = fleet.path().join("elsewhere");
    fs::create_dir(&dir).unwrap();
    let config = read(&fleet.config())
        .replace("disk/unship.db", "unship.db")
        .replace("name = \"lab\"", "name = \"lab\"\nautomatic = false");
    fs::write(dir.join("unship.toml"), config).unwrap();
    let _guard = Process(unship(&dir, &["guard"]).spawn().unwrap());
    let journal = SqliteJournal::open(&dir.join("unship.db")).await.unwrap();
    journal_says(&journal, "a decision", |entries| has(entries, "decision_made")).await;
}
