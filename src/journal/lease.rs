//! The lease: who may act, for how long, under which token.
//!
//! The one row is never deleted, so the token only grows. A lease that was given back has `until` 0. Times are those of the
//! machine that the file is on; all the processes that share a file share its clock.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Row, SqliteConnection};

use super::entries::{LAST_MS, time};
use super::errors::File;
use super::store::{Durability, Store};
use super::{JournalError, Lease};

const GIVEN_BACK: i64 = 0;

/// The row as it is stored.
struct Stored {
    holder: String,
    token: i64,
    until_ms: i64,
}

impl Stored {
    async fn read(connection: &mut SqliteConnection) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query("SELECT holder, token, until FROM lease").fetch_optional(connection).await?;
        row.map(|row| Ok(Self { holder: row.try_get(0)?, token: row.try_get(1)?, until_ms: row.try_get(2)? }))
            .transpose()
    }

    async fn write(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO lease (one, holder, token, until) VALUES (1, ?, ?, ?) \
             ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, token = excluded.token, until = excluded.until",
        )
        .bind(self.holder.as_str())
        .bind(self.token)
        .bind(self.until_ms)
        .execute(connection)
        .await
        .map(drop)
    }

    fn lease(self, file: &File) -> Result<Lease, JournalError> {
        Ok(Lease {
            until: time(file, self.until_ms)?,
            holder: self.holder,
            token: self.token.cast_unsigned(),
        })
    }
}

/// The end of a lease that is taken now. A time to live without end becomes the last instant there is.
fn until(now: Timestamp, ttl: Duration) -> i64 {
    let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
    now.as_millisecond().saturating_add(ttl).min(LAST_MS)
}

pub(super) async fn acquire(store: &Store, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
    take(store, holder, ttl, Running::IsTheirs).await
}

pub(super) async fn seize(store: &Store, holder: &str, ttl: Duration) -> Result<Lease, JournalError> {
    take(store, holder, ttl, Running::IsTaken).await
}

/// What another holder's lease that still runs is to whoever wants it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Running {
    /// It stays theirs.
    IsTheirs,
    /// It is taken from them.
    IsTaken,
}

async fn take(store: &Store, holder: &str, ttl: Duration, running: Running) -> Result<Lease, JournalError> {
    let mut tx = store.begin(Durability::Full).await?;
    // After the lock: what was waited for must not shorten anybody's lease.
    let now = Timestamp::now();
    let stored = Stored::read(tx.on()).await.map_err(|error| store.fault(&error))?;
    let token = match stored {
        None => 1,
        Some(stored) if stored.until_ms > now.as_millisecond() && stored.holder == holder => stored.token,
        Some(stored) if stored.until_ms > now.as_millisecond() && running == Running::IsTheirs => {
            tx.give_up().await?;
            return Err(JournalError::Held(stored.lease(&store.file)?));
        }
        Some(stored) => stored
            .token
            .checked_add(1)
            .ok_or_else(|| store.file.damaged("the lease's token cannot grow any more"))?,
    };
    let granted = Stored { holder: holder.to_owned(), token, until_ms: until(now, ttl) };
    granted.write(tx.on()).await.map_err(|error| store.fault(&error))?;
    tx.commit().await?;
    granted.lease(&store.file)
}

pub(super) async fn renew(store: &Store, token: u64, ttl: Duration) -> Result<Lease, JournalError> {
    let mut tx = store.begin(Durability::Full).await?;
    let stored = Stored::read(tx.on()).await.map_err(|error| store.fault(&error))?;
    match stored {
        Some(stored) if stored.token.cast_unsigned() == token && stored.until_ms != GIVEN_BACK => {
            let renewed = Stored { until_ms: until(Timestamp::now(), ttl), ..stored };
            renewed.write(tx.on()).await.map_err(|error| store.fault(&error))?;
            tx.commit().await?;
            renewed.lease(&store.file)
        }
        other => {
            tx.give_up().await?;
            let (theirs, holder) = other.map_or((0, "nobody yet".to_owned()), |stored| {
                let given_back = stored.until_ms == GIVEN_BACK;
                let holder =
                    if given_back { format!("given back by {}", stored.holder) } else { stored.holder };
                (stored.token.cast_unsigned(), holder)
            });
            Err(JournalError::Fenced { ours: token, theirs, holder })
        }
    }
}

pub(super) async fn release(store: &Store, token: u64) -> Result<(), JournalError> {
    let mut tx = store.begin(Durability::Full).await?;
    sqlx::query("UPDATE lease SET until = ? WHERE token = ?")
        .bind(GIVEN_BACK)
        .bind(i64::try_from(token).unwrap_or(-1))
        .execute(tx.on())
        .await
        .map_err(|error| store.fault(&error))?;
    tx.commit().await
}

pub(super) async fn lease(store: &Store) -> Result<Option<Lease>, JournalError> {
    let mut connection = store.reader().await?;
    let stored = Stored::read(&mut connection).await.map_err(|error| store.fault(&error))?;
    stored.filter(|stored| stored.until_ms != GIVEN_BACK).map(|stored| stored.lease(&store.file)).transpose()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, event, place};
    use super::super::{Journal, SqliteJournal};
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// While a lease runs only its holder has it; taking it again keeps the token and prolongs it.
    #[tokio::test]
    async fn a_running_lease_is_its_holders() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        assert_eq!(journal.lease().await.unwrap(), None);
        let first = journal.acquire("a", LONG).await.unwrap();
        let again = journal.acquire("a", LONG * 2).await.unwrap();
        assert_eq!((again.token, again.holder.as_str()), (first.token, "a"));
        assert!(again.until > first.until);
        let held = journal.acquire("b", LONG).await.unwrap_err();
        assert!(matches!(&held, JournalError::Held(lease) if *lease == again), "{held}");
        let renewed = journal.renew(first.token, LONG * 3).await.unwrap();
        assert!(renewed.until > again.until);
        assert_eq!(journal.lease().await.unwrap(), Some(renewed));
    }

    /// Whoever takes a lease that ran out or was given back gets a new token, the same holder too: in between, another
    /// could have acted.
    #[tokio::test]
    async fn a_free_lease_gets_a_new_token() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        let mut last = 0;
        for holder in ["a", "a", "b"] {
            let lease = journal.acquire(holder, Duration::ZERO).await.unwrap();
            assert_eq!(lease.token, last + 1);
            last = lease.token;
        }
        let lease = journal.acquire("b", LONG).await.unwrap();
        journal.release(lease.token).await.unwrap();
        assert_eq!(journal.lease().await.unwrap(), None);
        assert!(matches!(journal.renew(lease.token, LONG).await, Err(JournalError::Fenced { .. })));
        let next = journal.acquire("b", LONG).await.unwrap();
        assert_eq!(next.token, lease.token + 1);
        let fenced = journal.append(lease.token, at(1), &[event(1)], &[]).await.unwrap_err();
        assert!(matches!(fenced, JournalError::Fenced { .. }), "{fenced}");
    }

    /// A lease can be taken from a holder whose time is not over. From then on its token is an old one: it appends
    /// nothing, prolongs nothing, ends nothing, and its holder does not get the lease back while the new one runs.
    #[tokio::test]
    async fn a_running_lease_can_be_seized() {
        let (_dir, path) = place();
        let (hung, other) =
            (SqliteJournal::open(&path).await.unwrap(), SqliteJournal::open(&path).await.unwrap());
        let old = hung.acquire("hung", LONG).await.unwrap();
        hung.append(old.token, at(1), &[event(1)], &[]).await.unwrap();
        let new = other.seize("other", LONG).await.unwrap();
        assert_eq!((new.token, new.holder.as_str()), (old.token + 1, "other"));
        for fenced in [
            hung.append(old.token, at(2), &[event(2)], &[]).await.unwrap_err(),
            hung.renew(old.token, LONG).await.unwrap_err(),
        ] {
            assert!(matches!(fenced, JournalError::Fenced { ours: 1, theirs: 2, .. }), "{fenced}");
        }
        hung.release(old.token).await.unwrap();
        let held = hung.acquire("hung", LONG).await.unwrap_err();
        assert!(matches!(&held, JournalError::Held(lease) if *lease == new), "{held}");
        other.append(new.token, at(3), &[event(3)], &[]).await.unwrap();
        assert_eq!(hung.read(0, 10).await.unwrap().len(), 2);
        // What is ours already is kept, and what is free is taken as ever.
        assert_eq!(other.seize("other", LONG * 2).await.unwrap().token, new.token);
        other.release(new.token).await.unwrap();
        assert_eq!(other.seize("other", LONG).await.unwrap().token, new.token + 1);
    }

    /// An old token can neither prolong nor end the lease of the one after.
    #[tokio::test]
    async fn an_old_token_changes_nothing() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        let old = journal.acquire("a", Duration::ZERO).await.unwrap();
        let new = journal.acquire("b", LONG).await.unwrap();
        let fenced = journal.renew(old.token, LONG).await.unwrap_err();
        assert!(matches!(fenced, JournalError::Fenced { ours: 1, theirs: 2, .. }), "{fenced}");
        for token in [old.token, 0, u64::MAX] {
            journal.release(token).await.unwrap();
            assert_eq!(journal.lease().await.unwrap().as_ref(), Some(&new));
        }
    }

    /// A holder that is late but was not replaced goes on under its token.
    #[tokio::test]
    async fn a_late_holder_goes_on_if_nobody_came() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        let lease = journal.acquire("a", Duration::ZERO).await.unwrap();
        journal.append(lease.token, at(1), &[event(1)], &[]).await.unwrap();
        assert_eq!(journal.renew(lease.token, LONG).await.unwrap().token, lease.token);
    }

    /// A time to live beyond the calendar is no overflow.
    #[tokio::test]
    async fn a_lease_for_ever_is_possible() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        let lease = journal.acquire("a", Duration::MAX).await.unwrap();
        assert_eq!(lease.until.as_second(), Timestamp::MAX.as_second());
    }

    /// The lease survives the process: what is read after opening again is what was granted.
    #[tokio::test]
    async fn the_lease_is_in_the_file() {
        let (_dir, path) = place();
        let journal = SqliteJournal::open(&path).await.unwrap();
        let lease = journal.acquire("a", LONG).await.unwrap();
        journal.close().await;
        let journal = SqliteJournal::open(&path).await.unwrap();
        assert_eq!(journal.lease().await.unwrap(), Some(lease));
    }
}
