//! What platforms said during steps: the newest lines of the newest operations, beside the events and never part of the
//! chain. Committed without waiting for the disk.

use sqlx::Row;

use crate::model::OperationId;
use crate::model::output::{LINES_KEPT, OPERATIONS_KEPT, OutputLine};

use super::JournalError;
use super::samples::{from_nanos, nanos};
use super::store::{Durability, Store};

pub(super) async fn say(store: &Store, lines: &[(OperationId, OutputLine)]) -> Result<(), JournalError> {
    if lines.is_empty() {
        return Ok(());
    }
    let fault = |error: sqlx::Error| store.fault(&error);
    let kept = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let mut tx = store.begin(Durability::Loose).await?;
    for (operation, line) in lines {
        let said = sqlx::query("INSERT INTO output (operation, at, step, text) VALUES (?, ?, ?, ?)")
            .bind(operation.as_str())
            .bind(nanos(line.at))
            .bind(kept(line.step))
            .bind(line.text.as_str())
            .execute(tx.on())
            .await
            .map_err(fault)?;
        let figure = line.figure.as_ref().and_then(|figure| serde_json::to_string(figure).ok());
        if let Some(figure) = figure {
            sqlx::query("INSERT INTO figures (place, figure) VALUES (?, ?)")
                .bind(said.last_insert_rowid())
                .bind(figure)
                .execute(tx.on())
                .await
                .map_err(fault)?;
        }
    }
    let mut operations: Vec<_> = lines.iter().map(|(operation, _)| operation).collect();
    operations.sort_unstable();
    operations.dedup();
    for operation in operations {
        sqlx::query(
            "DELETE FROM output WHERE operation = ?1 AND place <= (\
                 SELECT place FROM output WHERE operation = ?1 ORDER BY place DESC LIMIT 1 OFFSET ?2)",
        )
        .bind(operation.as_str())
        .bind(kept(LINES_KEPT))
        .execute(tx.on())
        .await
        .map_err(fault)?;
    }
    sqlx::query(
        "DELETE FROM output WHERE operation NOT IN (\
             SELECT operation FROM output GROUP BY operation ORDER BY max(place) DESC LIMIT ?)",
    )
    .bind(kept(OPERATIONS_KEPT))
    .execute(tx.on())
    .await
    .map_err(fault)?;
    sqlx::query("DELETE FROM figures WHERE place NOT IN (SELECT place FROM output)")
        .execute(tx.on())
        .await
        .map_err(fault)?;
    tx.commit().await
}

pub(super) async fn said(
    store: &Store,
    after: u64,
) -> Result<Vec<(u64, OperationId, OutputLine)>, JournalError> {
    let fault = |error: sqlx::Error| store.fault(&error);
    let mut connection = store.reader().await?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = sqlx::query(
        "SELECT place, operation, at, step, text, figure FROM output LEFT JOIN figures USING (place) \
         WHERE place > ? ORDER BY place",
    );
    let rows = match rows.bind(after).fetch_all(&mut *connection).await {
        // Made by a program that did not keep it, and opened for reading only.
        Err(error) if error.to_string().contains("no such table: output") => return Ok(Vec::new()),
        Err(error) if error.to_string().contains("no such table: figures") => sqlx::query(
            "SELECT place, operation, at, step, text, NULL FROM output WHERE place > ? ORDER BY place",
        )
        .bind(after)
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?,
        rows => rows.map_err(fault)?,
    };
    let mut said = Vec::with_capacity(rows.len());
    for row in rows {
        let place: i64 = row.try_get(0).map_err(fault)?;
        let operation: &str = row.try_get(1).map_err(fault)?;
        let step: i64 = row.try_get(3).map_err(fault)?;
        let line = OutputLine {
            at: from_nanos(store, row.try_get(2).map_err(fault)?)?,
            step: usize::try_from(step).unwrap_or(usize::MAX),
            text: row.try_get(4).map_err(fault)?,
            // One that a newer program wrote is a text for this one.
            figure: row
                .try_get::<Option<&str>, _>(5)
                .map_err(fault)?
                .and_then(|figure| serde_json::from_str(figure).ok()),
        };
        said.push((place.cast_unsigned(), operation.into(), line));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, led, meddle};
    use super::super::{Journal, SqliteJournal};
    use super::*;
    use crate::model::output::Figure;
    use crate::model::validation::{Trial, TrialOutcome};

    fn line(operation: &str, number: i64) -> (OperationId, OutputLine) {
        let text = format!("line {number}");
        (operation.into(), OutputLine { at: at(number), step: 1, text, figure: None })
    }

    fn texts(said: &[(u64, OperationId, OutputLine)]) -> Vec<String> {
        said.iter().map(|(_, operation, line)| format!("{operation} {}", line.text)).collect()
    }

    /// Another process gets every line once, in order, as it was said.
    #[tokio::test]
    async fn lines_come_once_and_in_order() {
        let (_dir, path, journal, _) = led().await;
        let other = SqliteJournal::open_read_only(&path).await.unwrap();
        assert_eq!(other.said(0).await.unwrap(), []);
        journal.say(&[line("op-1", 1), line("op-2", 2)]).await.unwrap();
        let said = other.said(0).await.unwrap();
        assert_eq!((&said[0].1, &said[0].2), (&line("op-1", 1).0, &line("op-1", 1).1));
        let last = said[1].0;
        assert_eq!(other.said(last).await.unwrap(), []);
        journal.say(&[line("op-1", 3)]).await.unwrap();
        assert_eq!(texts(&other.said(last).await.unwrap()), ["op-1 line 3"]);
        assert_eq!(texts(&other.said(0).await.unwrap()), ["op-1 line 1", "op-2 line 2", "op-1 line 3"]);
    }

    /// Only the newest lines of an operation and the newest operations are kept, and no place is given out twice.
    #[tokio::test]
    async fn only_the_newest_are_kept() {
        let (_dir, _path, journal, _) = led().await;
        journal.say(&[line("quiet", 0)]).await.unwrap();
        let many: Vec<_> = (1..=500).map(|number| line("chatty", number)).collect();
        for lines in many.chunks(70) {
            journal.say(lines).await.unwrap();
        }
        let said = texts(&journal.said(0).await.unwrap());
        assert_eq!(said.len(), LINES_KEPT + 1);
        assert_eq!((said[0].as_str(), said[1].as_str()), ("quiet line 0", "chatty line 301"));
        for number in 0..OPERATIONS_KEPT {
            journal.say(&[line(&format!("op-{number}"), 1)]).await.unwrap();
        }
        let said = journal.said(0).await.unwrap();
        assert_eq!(said.len(), OPERATIONS_KEPT);
        assert!(said[0].0 > 501);
    }

    /// What a line tells of comes with it, goes with it, and is missing in a journal of a program that did not keep it.
    #[tokio::test]
    async fn figures_go_with_their_lines() {
        let (_dir, path, journal, _) = led().await;
        let (name, detail) = ("login".to_owned(), "answers 204".to_owned());
        let trial = Trial { name, outcome: TrialOutcome::Passed, took_ms: 4.5, detail };
        let mut first = line("op-1", 1);
        first.1.figure = Some(Figure::Trial(trial));
        journal.say(&[first.clone(), line("op-1", 2)]).await.unwrap();
        let said = journal.said(0).await.unwrap();
        assert_eq!((&said[0].2, &said[1].2.figure), (&first.1, &None));
        let more: Vec<_> = (3..=300).map(|number| line("op-1", number)).collect();
        journal.say(&more).await.unwrap();
        journal.close().await;
        let kept = SqliteJournal::open(&path).await.unwrap();
        assert!(kept.said(0).await.unwrap().iter().all(|(_, _, line)| line.figure.is_none()));
        kept.close().await;
        meddle(&path, "DROP TABLE figures").await;
        assert_eq!(
            SqliteJournal::open_read_only(&path).await.unwrap().said(0).await.unwrap().len(),
            LINES_KEPT
        );
    }

    /// A journal of a program that kept no output can be looked at.
    #[tokio::test]
    async fn an_older_file_has_none() {
        let (_dir, path, journal, _) = led().await;
        journal.close().await;
        meddle(&path, "DROP TABLE output").await;
        assert_eq!(SqliteJournal::open_read_only(&path).await.unwrap().said(0).await.unwrap(), []);
        let journal = SqliteJournal::open(&path).await.unwrap();
        journal.say(&[line("op-1", 1)]).await.unwrap();
        assert_eq!(journal.said(0).await.unwrap().len(), 1);
    }
}
