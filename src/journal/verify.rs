//! Checking everything: that no entry was changed, taken out or put in, and that each can be read.
//!
//! One fault does not end the check. After a changed entry the chain goes on from the hash that is stored, so one change
//! is one fault; around pages that cannot be read every entry that can be is still checked.

use futures::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::model::event;

use super::chain::{Covered, Link, START};
use super::errors::words;
use super::store::Store;
use super::{JournalError, Position, Verification};

/// Entries of one question.
const BATCH: i64 = 1_000;

/// Faults that are listed; the others are counted.
const LISTED: usize = 1_000;

/// Places that are tried one by one after a page that cannot be read, before larger steps.
const ONE_BY_ONE: u64 = 4_096;

/// The last place that is tried.
const FARTHEST: u64 = i64::MAX.cast_unsigned();

/// An entry as it is stored, whatever is in it.
struct Raw {
    seq: Position,
    at_ms: i64,
    token: i64,
    version: i64,
    body: Vec<u8>,
    hash: Vec<u8>,
}

impl Raw {
    const COLUMNS_AFTER: &str = "SELECT seq, at, token, version, CAST(body AS BLOB), hash FROM entries \
         WHERE seq > ? ORDER BY seq LIMIT ?";

    fn from(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
            at_ms: row.try_get(1)?,
            token: row.try_get(2)?,
            version: row.try_get(3)?,
            body: row.try_get(4)?,
            hash: row.try_get(5)?,
        })
    }
}

/// Why a batch ended before its limit.
enum Stopped {
    /// There is no more.
    End,
    /// The limit was reached.
    Full,
    /// What comes next cannot be read.
    Unreadable(String),
}

struct Check {
    entries: u64,
    /// The last place that was dealt with, readable or not.
    seq: Position,
    /// The stored hash of the entry there; none if it is not known.
    before: Option<Link>,
    head: String,
    faults: Vec<String>,
    more: u64,
}

impl Check {
    fn fault(&mut self, text: String) {
        if self.faults.len() < LISTED {
            self.faults.push(text);
        } else {
            self.more += 1;
        }
    }

    /// Checks the next entry.
    fn take(&mut self, raw: &Raw) {
        let Raw { seq, at_ms, .. } = *raw;
        self.entries += 1;
        if seq == 0 || seq > FARTHEST {
            self.fault(format!("entry {}: its place is before the first", seq.cast_signed()));
            return;
        }
        let expected = self.seq + 1;
        if seq > expected {
            let missing = if seq - expected == 1 {
                format!("entry {expected}: it is missing")
            } else {
                format!("entries {expected} to {}: they are missing", seq - 1)
            };
            self.fault(missing);
            self.before = None;
        }
        let faults = self.faults.len() as u64 + self.more;
        let stored = Link::try_from(raw.hash.as_slice()).ok();
        let version = u32::try_from(raw.version).unwrap_or(u32::MAX);
        let covered = Covered { seq, at_ms, token: raw.token.cast_unsigned(), version, body: &raw.body };
        match (stored, self.before) {
            (None, _) => self.fault(format!("entry {seq}: its hash has not 32 bytes")),
            (Some(stored), Some(before)) if covered.link(&before) != stored => self.fault(format!(
                "entry {seq}: the chain is broken; this entry was changed, or the one before it was replaced"
            )),
            _ => {}
        }
        match std::str::from_utf8(&raw.body) {
            Err(error) => self.fault(format!("entry {seq}: it is not text: {error}")),
            Ok(body) => {
                if let Err(error) = event::decode(version, body) {
                    self.fault(format!("entry {seq}: {error}"));
                }
            }
        }
        if faults == self.faults.len() as u64 + self.more {
            self.head = hex::encode(&raw.hash);
        }
        self.seq = seq;
        self.before = stored;
    }

    fn unreadable(&mut self, to: Option<Position>, reason: &str) {
        let from = self.seq + 1;
        self.fault(match to {
            None => format!("entry {from} and what comes after it: they cannot be read: {reason}"),
            Some(to) if to == from => format!("entry {from}: it cannot be read: {reason}"),
            Some(to) => format!("entries {from} to {to}: they cannot be read: {reason}"),
        });
        self.before = None;
    }
}

pub(super) async fn verify(store: &Store) -> Result<Verification, JournalError> {
    let mut check =
        Check { entries: 0, seq: 0, before: Some(START), head: String::new(), faults: Vec::new(), more: 0 };
    if let Some(damage) = &store.damage {
        check.fault(format!("the file: {damage}; this is what can still be read of it"));
    }
    let mut connection = store.reader().await?;
    // From below the first place, so that nothing is overlooked.
    let mut from = i64::MIN;
    loop {
        let stopped = batch(&mut connection, from, &mut check).await;
        match stopped {
            Stopped::End => break,
            Stopped::Full => {}
            Stopped::Unreadable(reason) => {
                let next = next_readable(&mut connection, check.seq + 1).await;
                check.unreadable(next.map(|next| next - 1), &reason);
                let Some(next) = next else { break };
                check.seq = next - 1;
            }
        }
        from = check.seq.cast_signed();
    }
    snapshots(&mut connection, &mut check).await;
    tables(&mut connection, &mut check).await;
    let Check { entries, head, mut faults, more, .. } = check;
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    Ok(Verification { entries, head, faults })
}

async fn batch(connection: &mut SqliteConnection, from: i64, check: &mut Check) -> Stopped {
    let mut rows = sqlx::query(Raw::COLUMNS_AFTER).bind(from).bind(BATCH).fetch(connection);
    let mut read = 0;
    loop {
        match rows.try_next().await {
            Ok(None) => return if read == BATCH { Stopped::Full } else { Stopped::End },
            Ok(Some(row)) => match Raw::from(&row) {
                Ok(raw) => check.take(&raw),
                Err(error) => return Stopped::Unreadable(words(&error)),
            },
            Err(error) => return Stopped::Unreadable(words(&error)),
        }
        read += 1;
    }
}

/// The first place from here on with an entry that can be read; none if there is none.
async fn next_readable(connection: &mut SqliteConnection, from: Position) -> Option<Position> {
    let mut seq = from;
    while seq < from.saturating_add(ONE_BY_ONE).min(FARTHEST) {
        match probe(connection, seq).await {
            Probe::There(found) => return Some(found),
            Probe::Nothing => return None,
            Probe::Unreadable => seq += 1,
        }
    }
    // A large part is gone: double the steps until something can be read, then look for where that begins.
    let mut step = ONE_BY_ONE;
    let mut low = seq.min(FARTHEST);
    let mut high = loop {
        let next = low.saturating_add(step).min(FARTHEST);
        if !matches!(probe(connection, next).await, Probe::Unreadable) {
            break next;
        }
        if next == FARTHEST {
            return None;
        }
        (low, step) = (next, step.saturating_mul(2));
    };
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match probe(connection, middle).await {
            Probe::Unreadable => low = middle,
            Probe::There(_) | Probe::Nothing => high = middle,
        }
    }
    match probe(connection, high).await {
        Probe::There(found) => Some(found),
        Probe::Nothing | Probe::Unreadable => None,
    }
}

enum Probe {
    /// The first entry from there on, which can be read.
    There(Position),
    /// There is no entry from there on.
    Nothing,
    /// It cannot be read.
    Unreadable,
}

async fn probe(connection: &mut SqliteConnection, from: Position) -> Probe {
    let before = from.cast_signed().saturating_sub(1);
    match sqlx::query(Raw::COLUMNS_AFTER).bind(before).bind(1_i64).fetch_optional(connection).await {
        Ok(None) => Probe::Nothing,
        Ok(Some(row)) => Raw::from(&row).map_or(Probe::Unreadable, |raw| Probe::There(raw.seq)),
        Err(_) => Probe::Unreadable,
    }
}

/// A snapshot remembers an entry: if that is not there any more, the end of the journal was cut off.
async fn snapshots(connection: &mut SqliteConnection, check: &mut Check) {
    let lost: Result<Vec<i64>, _> = sqlx::query_scalar(
        "SELECT DISTINCT s.seq FROM snapshots AS s LEFT JOIN entries AS e ON e.seq = s.seq \
         WHERE e.seq IS NULL ORDER BY s.seq",
    )
    .fetch_all(connection)
    .await;
    match lost {
        Ok(lost) => {
            let end = check.seq;
            for seq in lost.into_iter().filter(|seq| seq.cast_unsigned() > end) {
                check.fault(format!("entry {seq}: a snapshot was made of it, but it is not there"));
            }
        }
        Err(error) => check.fault(format!("the snapshots cannot be read: {}", words(&error))),
    }
}

/// The small tables that acting rests on. Samples and readings are not checked: they can be lost.
async fn tables(connection: &mut SqliteConnection, check: &mut Check) {
    for (table, question) in [
        ("lease", "PRAGMA quick_check(lease)"),
        ("inbox", "PRAGMA quick_check(inbox)"),
        ("answered", "PRAGMA quick_check(answered)"),
        ("snapshots", "PRAGMA quick_check(snapshots)"),
    ] {
        match sqlx::query_scalar::<_, String>(question).fetch_all(&mut *connection).await {
            Ok(lines) => {
                for line in lines.into_iter().filter(|line| line != "ok") {
                    check.fault(format!("table `{table}`: {line}"));
                }
            }
            Err(error) => check.fault(format!("table `{table}`: {}", words(&error))),
        }
    }
}

#[cfg(test)]
mod tests;
