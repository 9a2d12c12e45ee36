//! The events themselves: appending under a fencing token, and reading.

use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, SqliteConnection};

use crate::model::CommandId;
use crate::model::event::{self, EVENT_VERSION, Event};

use super::chain::{Covered, Link, START};
#[cfg(debug_assertions)]
use super::crash_point::{self, Moment};
use super::errors::File;
use super::store::{Durability, Store};
use super::{Entry, JournalError, Position};

/// Rows of one INSERT; six values each, far below SQLite's limit of 32,766.
const ROWS: usize = 100;

/// The newest token and its holder, and the end of the chain, in one question.
const HEAD: &str = "SELECT lease.token, lease.holder, last.seq, last.hash FROM (SELECT 1) \
     LEFT JOIN lease LEFT JOIN (SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1) AS last";

struct Head {
    token: u64,
    holder: String,
    seq: Position,
    hash: Link,
}

/// An event on its way into the file.
struct Draft {
    body: String,
    event: Event,
}

pub(super) async fn append(
    store: &Store,
    token: u64,
    at: Timestamp,
    events: &[Event],
    answers: &[CommandId],
) -> Result<Vec<Entry>, JournalError> {
    let drafts = events.iter().map(|event| draft(&store.file, event)).collect::<Result<Vec<_>, _>>()?;
    let mut tx = store.begin(Durability::Full).await?;
    let row = sqlx::query(HEAD).fetch_one(tx.on()).await.map_err(|error| store.fault(&error))?;
    let head = head(&store.file, &row)?;
    if token == 0 || token != head.token {
        tx.give_up().await?;
        return Err(JournalError::Fenced { ours: token, theirs: head.token, holder: head.holder });
    }
    let entries = link(&store.file, &head, token, at, drafts)?;
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        answer(tx.on(), answers).await.map_err(|error| store.fault(&error))?;
        tx.commit().await?;
        return Ok(Vec::new());
    };
    let places = first.entry.seq..=last.entry.seq;
    #[cfg(debug_assertions)]
    crash_point::pass(Moment::Before, &places);
    for rows in entries.chunks(ROWS) {
        insert(tx.on(), rows).await.map_err(|error| store.fault(&error))?;
    }
    answer(tx.on(), answers).await.map_err(|error| store.fault(&error))?;
    tx.commit().await?;
    #[cfg(debug_assertions)]
    crash_point::pass(Moment::After, &places);
    tracing::trace!(from = places.start(), to = places.end(), "appended");
    Ok(entries.into_iter().map(|linked| linked.entry).collect())
}

/// Writes the event as text and reads it again: what cannot be read back is never acknowledged, and what the caller gets
/// is what every later reader gets.
fn draft(file: &File, event: &Event) -> Result<Draft, JournalError> {
    let refuse = |reason: String| {
        file.store(format!(
            "an event of kind `{}` cannot be stored: {reason}; nothing was written",
            event.kind()
        ))
    };
    let body = event::encode(event).map_err(|error| refuse(error.to_string()))?;
    let event = event::decode(EVENT_VERSION, &body).map_err(|error| refuse(error.to_string()))?;
    Ok(Draft { body, event })
}

fn head(file: &File, row: &SqliteRow) -> Result<Head, JournalError> {
    let fault = |error: sqlx::Error| file.fault(&error);
    let token: Option<i64> = row.try_get(0).map_err(fault)?;
    let holder: Option<String> = row.try_get(1).map_err(fault)?;
    let seq: Option<i64> = row.try_get(2).map_err(fault)?;
    let hash: Option<Vec<u8>> = row.try_get(3).map_err(fault)?;
    let seq = seq.unwrap_or(0).cast_unsigned();
    let hash = match hash {
        None => START,
        Some(hash) => Link::try_from(hash)
            .map_err(|_| file.damaged(format!("the hash of entry {seq} has not 32 bytes")))?,
    };
    Ok(Head {
        token: token.unwrap_or(0).cast_unsigned(),
        holder: holder.unwrap_or_else(|| "nobody yet".to_owned()),
        seq,
        hash,
    })
}

/// An entry with the text and the hash that are stored.
struct Linked {
    entry: Entry,
    body: String,
    hash: Link,
}

fn link(
    file: &File,
    head: &Head,
    token: u64,
    at: Timestamp,
    drafts: Vec<Draft>,
) -> Result<Vec<Linked>, JournalError> {
    let at_ms = at.as_millisecond().min(LAST_MS);
    let at = time(file, at_ms)?;
    let mut before = head.hash;
    let mut seq = head.seq;
    let mut entries = Vec::with_capacity(drafts.len());
    for Draft { body, event } in drafts {
        seq = seq
            .checked_add(1)
            .filter(|seq| i64::try_from(*seq).is_ok())
            .ok_or_else(|| file.damaged(format!("the last entry has the place {seq}")))?;
        let covered = Covered { seq, at_ms, token, version: EVENT_VERSION, body: body.as_bytes() };
        let hash = covered.link(&before);
        before = hash;
        let entry = Entry { seq, at, token, event, hash: hex::encode(hash) };
        entries.push(Linked { entry, body, hash });
    }
    Ok(entries)
}

async fn insert(connection: &mut SqliteConnection, rows: &[Linked]) -> Result<(), sqlx::Error> {
    let mut sql = QueryBuilder::<Sqlite>::new("INSERT INTO entries (seq, at, token, version, body, hash) ");
    sql.push_values(rows, |mut row, linked| {
        row.push_bind(linked.entry.seq.cast_signed())
            .push_bind(linked.entry.at.as_millisecond())
            .push_bind(linked.entry.token.cast_signed())
            .push_bind(i64::from(EVENT_VERSION))
            .push_bind(linked.body.as_str())
            .push_bind(linked.hash.as_slice());
    });
    sql.build().execute(connection).await.map(drop)
}

/// Takes commands out of the inbox and remembers their ids, so that they never come back.
async fn answer(connection: &mut SqliteConnection, answers: &[CommandId]) -> Result<(), sqlx::Error> {
    for id in answers {
        sqlx::query("DELETE FROM inbox WHERE id = ?").bind(id.as_str()).execute(&mut *connection).await?;
        sqlx::query("INSERT OR IGNORE INTO answered (id) VALUES (?)")
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Entries after a place. If one cannot be read, those before it are given; asked again from there, the error is.
pub(super) async fn read(store: &Store, after: Position, limit: usize) -> Result<Vec<Entry>, JournalError> {
    let mut connection = store.reader().await?;
    let mut rows = sqlx::query(
        "SELECT seq, at, token, version, body, hash FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",
    )
    .bind(i64::try_from(after).unwrap_or(i64::MAX))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch(&mut *connection);
    let mut entries = Vec::new();
    loop {
        let next = match rows.try_next().await {
            Ok(None) => return Ok(entries),
            Ok(Some(row)) => entry(&store.file, &row),
            Err(error) => Err(store.fault(&error)),
        };
        match next {
            Ok(entry) => entries.push(entry),
            Err(error) if entries.is_empty() => return Err(error),
            Err(_) => return Ok(entries),
        }
    }
}

fn entry(file: &File, row: &SqliteRow) -> Result<Entry, JournalError> {
    let fault = |error: sqlx::Error| file.fault(&error);
    let seq = row.try_get::<i64, _>(0).map_err(fault)?.cast_unsigned();
    let at = time(file, row.try_get(1).map_err(fault)?)?;
    let token = row.try_get::<i64, _>(2).map_err(fault)?.cast_unsigned();
    let version: i64 = row.try_get(3).map_err(fault)?;
    let body: &str = row
        .try_get(4)
        .map_err(|error| file.damaged(format!("the text of entry {seq} cannot be read: {error}")))?;
    let hash: &[u8] = row.try_get(5).map_err(fault)?;
    let version = u32::try_from(version).unwrap_or(u32::MAX);
    let event = event::decode(version, body).map_err(|source| JournalError::Entry {
        path: file.name(),
        seq,
        source,
    })?;
    Ok(Entry { seq, at, token, event, hash: hex::encode(hash) })
}

/// The last time that is stored. The last milliseconds of the calendar are not times that can be made again.
pub(super) const LAST_MS: i64 = 253_402_207_200_000;

/// A time as it is stored.
pub(super) fn time(file: &File, at_ms: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_millisecond(at_ms).map_err(|error| file.damaged(format!("a time is wrong: {error}")))
}

pub(super) async fn last(store: &Store) -> Result<Position, JournalError> {
    let mut connection = store.reader().await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM entries")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| store.fault(&error))?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::testing::{at, event, fill, led, place};
    use super::super::{Journal, SqliteJournal};
    use super::*;

    /// What is appended is what is read: place, time to the millisecond, token, event and hash, also after closing.
    #[tokio::test]
    async fn entries_come_back_as_they_were_given() {
        let (_dir, path, journal, token) = led().await;
        let when: Timestamp = "2026-03-01T10:00:00.123456789Z".parse().unwrap();
        let mut given = journal.append(token, when, &[event(1), event(2)], &[]).await.unwrap();
        given.extend(journal.append(token, when, &[event(3)], &[]).await.unwrap());
        journal.close().await;
        let journal = SqliteJournal::open(&path).await.unwrap();
        let read = journal.read(0, 100).await.unwrap();
        assert_eq!(read, given);
        assert_eq!(read.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(read[0].at, "2026-03-01T10:00:00.123Z".parse().unwrap());
        assert_eq!(read[2].event, event(3));
        assert_eq!(journal.read(1, 1).await.unwrap(), read[1..2]);
        assert_eq!(journal.read(3, 10).await.unwrap(), []);
        assert_eq!(journal.read(u64::MAX, usize::MAX).await.unwrap(), []);
        assert_eq!(journal.last().await.unwrap(), 3);
        for when in [Timestamp::MIN, Timestamp::MAX] {
            let given = journal.append(token, when, &[event(4)], &[]).await.unwrap();
            assert_eq!(given[0].at.as_second(), when.as_second());
        }
        assert_eq!(journal.verify().await.unwrap().entries, 5);
    }

    /// Only the newest token that was granted may append; nothing of a refused append is stored.
    #[tokio::test]
    async fn only_the_newest_token_appends() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        for token in [0, 1, u64::MAX] {
            let refused = journal.append(token, at(1), &[event(1)], &[]).await.unwrap_err();
            assert!(
                matches!(refused, JournalError::Fenced { ours, theirs: 0, .. } if ours == token),
                "{refused}"
            );
        }
        let old = journal.acquire("a", Duration::ZERO).await.unwrap().token;
        let new = journal.acquire("b", Duration::from_mins(1)).await.unwrap().token;
        journal.append(new, at(1), &[event(1)], &[]).await.unwrap();
        for token in [0, old, new + 1] {
            let refused = journal.append(token, at(1), &[event(2)], &[]).await.unwrap_err();
            let JournalError::Fenced { ours, theirs, holder } = refused else { panic!("{refused}") };
            assert_eq!((ours, theirs, holder.as_str()), (token, new, "b"));
        }
        assert_eq!(journal.last().await.unwrap(), 1);
    }

    /// Appends of one process that come at the same time are stored one after the other, each whole.
    #[tokio::test(flavor = "multi_thread")]
    async fn appends_at_the_same_time_do_not_mix() {
        let (_dir, _path, journal, token) = led().await;
        let journal = Arc::new(journal);
        let tasks: Vec<_> = (0..20)
            .map(|task| {
                let journal = Arc::clone(&journal);
                tokio::spawn(async move {
                    let events: Vec<_> = (0..5).map(|number| event(task * 5 + number)).collect();
                    journal.append(token, at(1), &events, &[]).await.unwrap()
                })
            })
            .collect();
        let mut given = Vec::new();
        for task in tasks {
            let entries = task.await.unwrap();
            assert!(entries.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
            given.extend(entries);
        }
        given.sort_by_key(|entry| entry.seq);
        assert_eq!(journal.read(0, 1_000).await.unwrap(), given);
        assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
    }

    /// An append whose caller stops waiting is stored whole or not at all, and the next one works.
    #[tokio::test]
    async fn a_dropped_append_leaves_nothing_half() {
        let (_dir, _path, journal, token) = led().await;
        for polls in 0..40 {
            let events = [event(1), event(2), event(3)];
            let mut append = journal.append(token, at(1), &events, &[]);
            for _ in 0..polls {
                if futures::poll!(&mut append).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(append);
            journal.append(token, at(1), &[event(4)], &[]).await.unwrap();
        }
        let all = journal.read(0, 1_000).await.unwrap();
        let kinds: Vec<_> = all.iter().filter(|entry| entry.event != event(4)).collect();
        assert_eq!(kinds.len() % 3, 0);
        assert_eq!(all.len() - kinds.len(), 40);
        assert_eq!(journal.verify().await.unwrap().faults, [""; 0]);
    }

    /// A large append is one transaction too.
    #[tokio::test]
    async fn many_events_are_one_append() {
        let (_dir, _path, journal, token) = led().await;
        fill(&journal, token, 1_234, 1_234).await;
        assert_eq!(journal.last().await.unwrap(), 1_234);
        assert_eq!(journal.verify().await.unwrap().entries, 1_234);
        assert_eq!(journal.append(token, at(1), &[], &[]).await.unwrap(), []);
    }

    /// An event that could not be read back (a number that JSON cannot hold) is refused, never acknowledged.
    #[tokio::test]
    async fn what_cannot_be_read_back_is_refused() {
        let (_dir, _path, journal, token) = led().await;
        let mut decision = super::super::testing::decision();
        decision.confidence = f64::NAN;
        let refused = journal
            .append(token, at(1), &[event(1), Event::DecisionMade { decision }], &[])
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("`decision_made`"), "{refused}");
        assert_eq!(journal.last().await.unwrap(), 0);
    }
}
