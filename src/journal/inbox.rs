//! The inbox: commands from other processes, on their way to the leader. They leave it in the append that answers them
//! ([`super::entries`]).

use sqlx::Row;

use crate::model::command::Envelope;

use super::JournalError;
use super::store::{Durability, Store};

/// Most commands that are given at once; the next ones come when these are answered.
const BATCH: i64 = 1_000;

pub(super) async fn submit(store: &Store, envelope: &Envelope) -> Result<(), JournalError> {
    let text = serde_json::to_string(envelope)
        .map_err(|error| store.file.store(format!("command `{}` cannot be stored: {error}", envelope.id)))?;
    let mut tx = store.begin(Durability::Full).await?;
    sqlx::query(
        "INSERT INTO inbox (id, envelope) SELECT ?1, ?2 \
         WHERE NOT EXISTS (SELECT 1 FROM answered WHERE id = ?1) ON CONFLICT (id) DO NOTHING",
    )
    .bind(envelope.id.as_str())
    .bind(text)
    .execute(tx.on())
    .await
    .map_err(|error| store.fault(&error))?;
    tx.commit().await
}

/// At most [`BATCH`] commands, oldest first. One that this program cannot read stays where it is for a program that can:
/// it must not keep the others from being read.
pub(super) async fn inbox(store: &Store) -> Result<Vec<Envelope>, JournalError> {
    let mut connection = store.reader().await?;
    let rows = sqlx::query("SELECT id, envelope FROM inbox ORDER BY place LIMIT ?")
        .bind(BATCH)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| store.fault(&error))?;
    let mut envelopes = Vec::with_capacity(rows.len());
    for row in rows {
        let text: &str = row.try_get(1).map_err(|error| store.fault(&error))?;
        match serde_json::from_str(text) {
            Ok(envelope) => envelopes.push(envelope),
            Err(error) => {
                let id: &str = row.try_get(0).map_err(|error| store.fault(&error))?;
                tracing::debug!(id, %error, "a command in the inbox cannot be read; a newer program may have sent it");
            }
        }
    }
    Ok(envelopes)
}

/// How many commands wait.
pub(super) async fn waiting(store: &Store) -> Result<u64, JournalError> {
    let mut connection = store.reader().await?;
    let row = sqlx::query("SELECT count(*) FROM inbox")
        .fetch_one(&mut *connection)
        .await
        .map_err(|error| store.fault(&error))?;
    let count: i64 = row.try_get(0).map_err(|error| store.fault(&error))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, event, led, meddle};
    use super::super::{Journal, SqliteJournal};
    use super::*;
    use crate::model::command::{Actor, Command};

    fn envelope(id: &str) -> Envelope {
        Envelope {
            id: id.into(),
            by: Actor::Person { name: "mira".to_owned() },
            at: at(1),
            command: Command::Automatic { on: false, reason: "a look first".to_owned() },
        }
    }

    /// Commands wait in the order in which they came, until an append answers them.
    #[tokio::test]
    async fn commands_wait_for_their_answer() {
        let (_dir, path, journal, token) = led().await;
        for id in ["c", "a", "b"] {
            journal.submit(&envelope(id)).await.unwrap();
        }
        journal.close().await;
        let journal = SqliteJournal::open(&path).await.unwrap();
        assert_eq!(journal.inbox().await.unwrap(), ["c", "a", "b"].map(envelope));
        assert_eq!(journal.waiting().await.unwrap(), 3);
        journal.append(token, at(1), &[event(1)], &["a".into()]).await.unwrap();
        assert_eq!(journal.inbox().await.unwrap(), ["c", "b"].map(envelope));
        journal.append(token, at(1), &[], &["b".into(), "c".into()]).await.unwrap();
        assert_eq!(journal.inbox().await.unwrap(), []);
    }

    /// Sending a command again acts once, whether it still waits or was answered long ago.
    #[tokio::test]
    async fn the_same_id_is_one_command() {
        let (_dir, _path, journal, token) = led().await;
        journal.submit(&envelope("a")).await.unwrap();
        journal.submit(&Envelope { at: at(2), ..envelope("a") }).await.unwrap();
        assert_eq!(journal.inbox().await.unwrap(), [envelope("a")]);
        // `b` was given to the leader without the inbox.
        journal.append(token, at(1), &[event(1)], &["a".into(), "b".into()]).await.unwrap();
        for id in ["a", "b"] {
            journal.submit(&envelope(id)).await.unwrap();
        }
        assert_eq!(journal.inbox().await.unwrap(), []);
    }

    /// A refused append answers nothing: the command stays for the leader that may answer it.
    #[tokio::test]
    async fn a_refused_append_answers_nothing() {
        let (_dir, _path, journal, token) = led().await;
        journal.submit(&envelope("a")).await.unwrap();
        journal.append(token + 1, at(1), &[event(1)], &["a".into()]).await.unwrap_err();
        assert_eq!(journal.inbox().await.unwrap(), [envelope("a")]);
    }

    /// A command that only a newer program understands does not keep the others from being read.
    #[tokio::test]
    async fn a_strange_command_is_passed_over() {
        let (_dir, path, journal, _) = led().await;
        meddle(&path, "INSERT INTO inbox (id, envelope) VALUES ('z', '{\"do\":\"teleport\"}')").await;
        journal.submit(&envelope("a")).await.unwrap();
        assert_eq!(journal.inbox().await.unwrap(), [envelope("a")]);
    }
}
