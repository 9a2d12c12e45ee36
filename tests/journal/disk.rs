//! Disks that are full or cannot be written: real ones, made of memory, where this process may mount them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::geteuid;
use unship::journal::{Journal, JournalError, SqliteJournal};

use crate::child::{Other, command, event};

/// Plays a part on a small file system of its own, which goes away with the process. Where that is
/// not allowed nothing is checked.
fn on_a_small_disk(part: &str) {
    let dir = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m tmpfs \"$0\"";
    let may = Command::new("unshare").args(["-m", "sh", "-c", mount]).arg(dir.path()).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: mounting is not allowed here");
        return;
    }
    let play = command(part, &dir.path().join("unship.db"));
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$@\"")]).arg(dir.path());
    command.arg(play.get_program()).args(play.get_args());
    for (name, value) in play.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    assert_eq!(Other::run(&mut command).said().as_deref(), Some("done"), "the part `{part}` failed");
}

/// A disk that really runs full loses nothing that was acknowledged, and when there is room again the same open journal
/// goes on.
#[test]
fn a_full_disk_loses_nothing() {
    on_a_small_disk("full-disk");
}

/// The part: see [`a_full_disk_loses_nothing`].
pub(crate) async fn full_disk(path: &Path) {
    let ballast = path.with_file_name("ballast");
    fs::write(&ballast, vec![1; 300_000]).unwrap();
    let journal = SqliteJournal::open(path).await.unwrap();
    let token = journal.acquire("here", Duration::from_mins(1)).await.unwrap().token;
    let batch: Vec<_> = (0..20).map(event).collect();
    let mut acknowledged = Vec::new();
    let error = loop {
        match journal.append(token, Timestamp::now(), &batch, &[]).await {
            Ok(entries) => acknowledged.extend(entries),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 100_000, "the disk never runs full");
    };
    assert!(matches!(error, JournalError::Full { .. }), "{error}");
    for _ in 0..3 {
        journal.append(token, Timestamp::now(), &batch, &[]).await.unwrap_err();
    }
    assert_eq!(journal.read(0, usize::MAX).await.unwrap(), acknowledged);
    fs::remove_file(&ballast).unwrap();
    acknowledged.extend(journal.append(token, Timestamp::now(), &batch, &[]).await.unwrap());
    journal.close().await;
    let journal = SqliteJournal::open(path).await.unwrap();
    assert_eq!(journal.read(0, usize::MAX).await.unwrap(), acknowledged);
    assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
}

/// On a disk that cannot be written the journal says so when it is opened, and can still be read and checked.
#[test]
fn a_read_only_disk_can_be_read() {
    on_a_small_disk("read-only");
}

/// The part: see [`a_read_only_disk_can_be_read`].
pub(crate) async fn read_only(path: &Path) {
    let journal = SqliteJournal::open(path).await.unwrap();
    let token = journal.acquire("here", Duration::from_mins(1)).await.unwrap().token;
    journal.append(token, Timestamp::now(), &[event(1), event(2)], &[]).await.unwrap();
    // A copy as a crash would leave it, with a log.
    let torn = path.with_file_name("torn.db");
    fs::copy(path, &torn).unwrap();
    fs::copy(path.with_file_name("unship.db-wal"), path.with_file_name("torn.db-wal")).unwrap();
    journal.close().await;
    let disk = path.parent().unwrap();
    let frozen = Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status().unwrap();
    assert!(frozen.success());
    assert_can_only_be_read(path, 2).await;
    let error = SqliteJournal::open_read_only(&torn).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains("copy both files"), "{error}");
    let error = SqliteJournal::open(&path.with_file_name("new.db")).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
}

async fn assert_can_only_be_read(path: &Path, entries: u64) {
    let error = SqliteJournal::open(path).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
    let journal = SqliteJournal::open_read_only(path).await.unwrap();
    let found = journal.verify().await.unwrap();
    assert_eq!((found.entries, found.faults), (entries, Vec::new()));
    let error = journal.acquire("b", Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error}");
}

/// A file or a directory without permission to write is named read-only, and can still be read.
#[test]
fn missing_permission_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command("no-permission", &dir.path().join("own/unship.db"));
    if geteuid().is_root() {
        // Permissions do not bind the superuser: somebody else has to try.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
        let may = Command::new(command.get_program()).arg("--list").uid(NOBODY).gid(NOBODY).output();
        if !may.is_ok_and(|output| output.status.success()) {
            eprintln!("left out: nobody may not run this program here");
            return;
        }
    }
    assert_eq!(Other::run(&mut command).said().as_deref(), Some("done"));
}

/// The user without rights, by convention.
const NOBODY: u32 = 65_534;

/// The part: see [`missing_permission_is_said`].
pub(crate) async fn no_permission(path: &Path) {
    let dir = path.parent().unwrap();
    fs::create_dir(dir).unwrap();
    let journal = SqliteJournal::open(path).await.unwrap();
    let token = journal.acquire("here", Duration::from_mins(1)).await.unwrap().token;
    journal.append(token, Timestamp::now(), &[event(1)], &[]).await.unwrap();
    journal.close().await;
    for (of, mode) in [(path, 0o444), (dir, 0o555)] {
        fs::set_permissions(of, fs::Permissions::from_mode(mode)).unwrap();
        assert_can_only_be_read(path, 1).await;
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
}
