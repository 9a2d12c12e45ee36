//! Saved folds, so that a start need not read everything. They are a convenience: a wrong one is ignored, a lost one costs
//! time.

use sha2::{Digest, Sha256};
use sqlx::Row;

use super::store::{Durability, Store};
use super::{JournalError, Snapshot};

/// SQLite does not notice a bit that changed on the disk; this does.
fn checksum(state: &str) -> [u8; 32] {
    Sha256::digest(state.as_bytes()).into()
}

/// Saves a fold; keeps it and the one before it. Those of another history go, so that they never push out good ones.
pub(super) async fn save(store: &Store, format: u32, snapshot: &Snapshot) -> Result<(), JournalError> {
    let mut tx = store.begin(Durability::Full).await?;
    sqlx::query(
        "INSERT OR REPLACE INTO snapshots (format, seq, hash, state, checksum) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(i64::from(format))
    .bind(i64::try_from(snapshot.seq).unwrap_or(i64::MAX))
    .bind(snapshot.hash.as_str())
    .bind(snapshot.state.as_str())
    .bind(checksum(&snapshot.state).to_vec())
    .execute(tx.on())
    .await
    .map_err(|error| store.fault(&error))?;
    sqlx::query(
        "DELETE FROM snapshots WHERE format = ?1 AND seq NOT IN (\
             SELECT s.seq FROM snapshots AS s JOIN entries AS e ON e.seq = s.seq AND lower(hex(e.hash)) = s.hash \
             WHERE s.format = ?1 ORDER BY s.seq DESC LIMIT 2)",
    )
    .bind(i64::from(format))
    .execute(tx.on())
    .await
    .map_err(|error| store.fault(&error))?;
    tx.commit().await
}

/// The newest fold of this format that belongs to this history and is whole.
pub(super) async fn load(store: &Store, format: u32) -> Result<Option<Snapshot>, JournalError> {
    let mut connection = store.reader().await?;
    let rows = sqlx::query(
        "SELECT s.seq, s.hash, s.state, s.checksum FROM snapshots AS s \
         JOIN entries AS e ON e.seq = s.seq AND lower(hex(e.hash)) = s.hash \
         WHERE s.format = ? ORDER BY s.seq DESC LIMIT 2",
    )
    .bind(i64::from(format))
    .fetch_all(&mut *connection)
    .await
    .map_err(|error| store.fault(&error))?;
    for row in rows {
        // A state that is not text any more is as good as lost, like one whose checksum does not fit.
        let (Ok(seq), Ok(hash), Ok(state), Ok(sum)) = (
            row.try_get::<i64, _>(0),
            row.try_get::<String, _>(1),
            row.try_get::<String, _>(2),
            row.try_get::<Vec<u8>, _>(3),
        ) else {
            continue;
        };
        if sum == checksum(&state) {
            return Ok(Some(Snapshot { seq: seq.cast_unsigned(), hash, state }));
        }
        tracing::warn!(seq, "a snapshot in the journal is damaged and not used");
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fill, led, meddle};
    use super::super::{Journal, SqliteJournal};
    use super::*;

    async fn snapshot(journal: &SqliteJournal, seq: u64) -> Snapshot {
        let hash = journal.read(seq - 1, 1).await.unwrap()[0].hash.clone();
        Snapshot { seq, hash, state: format!("{{\"events\":{seq}}}") }
    }

    /// The newest fold of the reader's own format is used; two of each are kept.
    #[tokio::test]
    async fn the_newest_of_a_format_is_loaded() {
        let (_dir, path, journal, token) = led().await;
        fill(&journal, token, 10, 10).await;
        assert_eq!(journal.load_snapshot(1).await.unwrap(), None);
        for seq in [3, 9, 6] {
            journal.save_snapshot(1, &snapshot(&journal, seq).await).await.unwrap();
        }
        journal.save_snapshot(2, &snapshot(&journal, 4).await).await.unwrap();
        assert_eq!(journal.load_snapshot(1).await.unwrap(), Some(snapshot(&journal, 9).await));
        assert_eq!(journal.load_snapshot(2).await.unwrap(), Some(snapshot(&journal, 4).await));
        assert_eq!(journal.load_snapshot(3).await.unwrap(), None);
        meddle(&path, "DELETE FROM snapshots WHERE seq = 9").await;
        assert_eq!(journal.load_snapshot(1).await.unwrap(), Some(snapshot(&journal, 6).await));
        meddle(&path, "DELETE FROM snapshots WHERE seq = 6").await;
        assert_eq!(journal.load_snapshot(1).await.unwrap(), None, "only two are kept");
    }

    /// A fold of another history, or one that changed on the disk, is not used; the one before it is.
    #[tokio::test]
    async fn a_wrong_snapshot_is_not_used() {
        let (_dir, path, journal, token) = led().await;
        fill(&journal, token, 10, 10).await;
        let good = snapshot(&journal, 3).await;
        journal.save_snapshot(1, &good).await.unwrap();
        journal.save_snapshot(1, &Snapshot { seq: 8, ..good.clone() }).await.unwrap();
        journal.save_snapshot(1, &Snapshot { seq: 11, ..good.clone() }).await.unwrap();
        assert_eq!(journal.load_snapshot(1).await.unwrap(), Some(good.clone()));
        journal.save_snapshot(1, &snapshot(&journal, 5).await).await.unwrap();
        meddle(&path, "UPDATE snapshots SET state = '{\"events\":4}' WHERE seq = 5").await;
        assert_eq!(journal.load_snapshot(1).await.unwrap(), Some(good.clone()));
        meddle(&path, "UPDATE entries SET hash = zeroblob(32) WHERE seq = 3").await;
        assert_eq!(journal.load_snapshot(1).await.unwrap(), None);
    }
}
