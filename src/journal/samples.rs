//! Recorded samples and the newest readings: kept beside the events, never part of the chain.
//!
//! They are committed without waiting for the disk, so that measuring does not slow the journal down.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use futures::TryStreamExt;
use jiff::Timestamp;
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row, SqliteConnection};

use crate::model::reading::ServiceReading;
use crate::model::source::{Sample, Subject};
use crate::model::{IndicatorName, ServiceName};

use super::JournalError;
use super::sample_codec::{self, SeriesKey};
use super::store::{Durability, Store};

/// Rows of one INSERT.
const ROWS: usize = 250;

/// Samples that one transaction forgets, so that an append never waits long for it.
const CHUNK: i64 = 5_000;

/// Series that are remembered; beyond this the memory starts again, which costs a question for each.
const REMEMBERED: usize = 20_000;

/// A time in nanoseconds since 1970. What lies beyond the years 1677 to 2262 becomes their end.
pub(super) fn nanos(at: Timestamp) -> i64 {
    let nanos = at.as_nanosecond();
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn from_nanos(store: &Store, nanos: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_nanosecond(i128::from(nanos))
        .map_err(|error| store.file.damaged(format!("the time of a sample is wrong: {error}")))
}

pub(super) async fn record(store: &Store, samples: &[Sample]) -> Result<(), JournalError> {
    if samples.is_empty() {
        return Ok(());
    }
    let keys = samples.iter().map(SeriesKey::of).collect::<Result<Vec<_>, _>>();
    let keys = keys.map_err(|error| store.file.store(format!("a sample cannot be stored: {error}")))?;
    let mut tx = store.begin(Durability::Loose).await?;
    let mut fresh = HashMap::new();
    let mut series = Vec::with_capacity(samples.len());
    for key in &keys {
        let known = store.series.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let id = match known.or_else(|| fresh.get(key).copied()) {
            Some(id) => id,
            None => series_id(tx.on(), key).await.map_err(|error| store.fault(&error))?,
        };
        if known.is_none() {
            fresh.insert(key.clone(), id);
        }
        series.push(id);
    }
    let rows: Vec<_> = samples.iter().zip(series).collect();
    for rows in rows.chunks(ROWS) {
        insert(tx.on(), rows).await.map_err(|error| store.fault(&error))?;
    }
    tx.commit().await?;
    // Only now: before the commit these ids might never have come to be.
    let mut known = store.series.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() + fresh.len() > REMEMBERED {
        known.clear();
    }
    known.extend(fresh);
    Ok(())
}

async fn series_id(connection: &mut SqliteConnection, key: &SeriesKey) -> Result<i64, sqlx::Error> {
    sqlx::query("INSERT OR IGNORE INTO series (service, indicator, subject, bounds) VALUES (?, ?, ?, ?)")
        .bind(key.service.as_str())
        .bind(key.indicator.as_str())
        .bind(key.subject.as_str())
        .bind(key.bounds.as_slice())
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar(
        "SELECT id FROM series WHERE service = ? AND indicator = ? AND subject = ? AND bounds = ?",
    )
    .bind(key.service.as_str())
    .bind(key.indicator.as_str())
    .bind(key.subject.as_str())
    .bind(key.bounds.as_slice())
    .fetch_one(connection)
    .await
}

/// The same reading of the same series twice is one sample.
async fn insert(connection: &mut SqliteConnection, rows: &[(&Sample, i64)]) -> Result<(), sqlx::Error> {
    let mut sql = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO samples (at, series, start, value) ");
    sql.push_values(rows, |mut row, (sample, series)| {
        row.push_bind(nanos(sample.at))
            .push_bind(*series)
            .push_bind(nanos(sample.from))
            .push_bind(sample_codec::encode(&sample.value));
    });
    sql.build().execute(connection).await.map(drop)
}

pub(super) async fn samples(store: &Store, since: Timestamp) -> Result<Vec<Sample>, JournalError> {
    let mut connection = store.reader().await?;
    let mut rows = sqlx::query(
        "SELECT samples.at, samples.start, samples.value, series.service, series.indicator, series.subject, \
         series.bounds FROM samples JOIN series ON series.id = samples.series \
         WHERE samples.at >= ? ORDER BY samples.at, samples.series, samples.start",
    )
    .bind(nanos(since))
    .fetch(&mut *connection);
    let fault = |error: sqlx::Error| store.fault(&error);
    let mut samples = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(fault)? {
        let at = from_nanos(store, row.try_get(0).map_err(fault)?)?;
        let from = from_nanos(store, row.try_get(1).map_err(fault)?)?;
        let service: &str = row.try_get(3).map_err(fault)?;
        let indicator: &str = row.try_get(4).map_err(fault)?;
        let wrong =
            |what: &str| store.file.damaged(format!("the {what} of a sample of `{service}` is wrong"));
        let value = sample_codec::decode(row.try_get(2).map_err(fault)?, row.try_get(6).map_err(fault)?)
            .ok_or_else(|| wrong("value"))?;
        let subject = serde_json::from_str(row.try_get(5).map_err(fault)?).map_err(|_| wrong("subject"))?;
        samples.push(Sample {
            service: service.into(),
            indicator: indicator.into(),
            subject,
            from,
            at,
            value,
        });
    }
    Ok(samples)
}

/// The series of a service first and then each one's samples, by `samples_of_series`: left to itself, SQLite may take the
/// whole of a time, which is everybody's.
const OF_SERVICE: &str = "SELECT samples.series, samples.at, samples.start, samples.value \
     FROM series CROSS JOIN samples ON samples.series = series.id \
     WHERE series.service = ? AND samples.at >= ? AND samples.at <= ?";

pub(super) async fn samples_of(
    store: &Store,
    service: &ServiceName,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Sample>, JournalError> {
    let mut connection = store.reader().await?;
    let fault = |error: sqlx::Error| store.fault(&error);
    let wrong = |what: &str| store.file.damaged(format!("the {what} of a sample of `{service}` is wrong"));
    // What belongs to the series is read once, not with every sample. A series that comes to be in between has no sample
    // that was there when this was asked for.
    let series = sqlx::query("SELECT id, indicator, subject, bounds FROM series WHERE service = ?")
        .bind(service.as_str())
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;
    let mut known = HashMap::with_capacity(series.len());
    for row in series {
        let id: i64 = row.try_get(0).map_err(fault)?;
        let indicator: IndicatorName = row.try_get::<&str, _>(1).map_err(fault)?.into();
        let subject: Subject =
            serde_json::from_str(row.try_get(2).map_err(fault)?).map_err(|_| wrong("subject"))?;
        let bounds: Vec<u8> = row.try_get(3).map_err(fault)?;
        known.insert(id, (indicator, subject, bounds));
    }
    let mut rows = sqlx::query(OF_SERVICE)
        .bind(service.as_str())
        .bind(nanos(from))
        .bind(nanos(to))
        .fetch(&mut *connection);
    let mut samples = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(fault)? {
        let id: i64 = row.try_get(0).map_err(fault)?;
        let Some((indicator, subject, bounds)) = known.get(&id) else { continue };
        samples.push(Sample {
            service: service.clone(),
            indicator: indicator.clone(),
            subject: subject.clone(),
            at: from_nanos(store, row.try_get(1).map_err(fault)?)?,
            from: from_nanos(store, row.try_get(2).map_err(fault)?)?,
            value: sample_codec::decode(row.try_get(3).map_err(fault)?, bounds)
                .ok_or_else(|| wrong("value"))?,
        });
    }
    // They come series by series.
    samples.sort_by_key(|sample| (sample.at, sample.from));
    Ok(samples)
}

/// Forgets in small transactions; appends go in between.
pub(super) async fn prune(store: &Store, before: Timestamp) -> Result<u64, JournalError> {
    let mut forgotten = 0;
    loop {
        let mut tx = store.begin(Durability::Loose).await?;
        let end: Option<i64> =
            sqlx::query_scalar("SELECT at FROM samples WHERE at < ? ORDER BY at LIMIT 1 OFFSET ?")
                .bind(nanos(before))
                .bind(CHUNK)
                .fetch_optional(tx.on())
                .await
                .map_err(|error| store.fault(&error))?;
        // Everything up to the time of the next chunk's first; those of that same time go along.
        let done = sqlx::query("DELETE FROM samples WHERE at < ? AND at <= ?")
            .bind(nanos(before))
            .bind(end.unwrap_or(i64::MAX))
            .execute(tx.on())
            .await
            .map_err(|error| store.fault(&error))?;
        tx.commit().await?;
        forgotten += done.rows_affected();
        if end.is_none() {
            return Ok(forgotten);
        }
    }
}

pub(super) async fn publish(
    store: &Store,
    at: Timestamp,
    readings: &[(ServiceName, ServiceReading)],
) -> Result<(), JournalError> {
    let mut texts = Vec::with_capacity(readings.len());
    for (service, reading) in readings {
        let text = serde_json::to_string(reading).map_err(|error| {
            store.file.store(format!("the readings of `{service}` cannot be stored: {error}"))
        })?;
        texts.push((service, text));
    }
    let mut tx = store.begin(Durability::Loose).await?;
    for (service, text) in texts {
        sqlx::query("INSERT OR REPLACE INTO readings (service, at, reading) VALUES (?, ?, ?)")
            .bind(service.as_str())
            .bind(nanos(at))
            .bind(text)
            .execute(tx.on())
            .await
            .map_err(|error| store.fault(&error))?;
    }
    tx.commit().await
}

/// The newest readings by service. One that this program cannot read (a newer one wrote it) is left out.
pub(super) async fn readings(
    store: &Store,
) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
    let mut connection = store.reader().await?;
    let fault = |error: sqlx::Error| store.fault(&error);
    let rows = sqlx::query("SELECT service, at, reading FROM readings ORDER BY service")
        .fetch_all(&mut *connection)
        .await
        .map_err(fault)?;
    parse(store, &rows)
}

/// The times alone, from `readings_at`.
const TIMES: &str = "SELECT service, at FROM readings";

/// Those of another time than the one that is known. Only they are read, and parsed.
pub(super) async fn readings_other_than(
    store: &Store,
    known: &BTreeMap<ServiceName, Timestamp>,
) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
    let mut connection = store.reader().await?;
    let fault = |error: sqlx::Error| store.fault(&error);
    let mut other = Vec::new();
    for row in sqlx::query(TIMES).fetch_all(&mut *connection).await.map_err(fault)? {
        let service: ServiceName = row.try_get::<&str, _>(0).map_err(fault)?.into();
        if known.get(&service).copied().map(nanos) != Some(row.try_get(1).map_err(fault)?) {
            other.push(service);
        }
    }
    if other.is_empty() {
        return Ok(Vec::new());
    }
    let names = serde_json::to_string(&other)
        .map_err(|error| store.file.store(format!("the services cannot be named: {error}")))?;
    let rows = sqlx::query(
        "SELECT service, at, reading FROM readings WHERE service IN (SELECT value FROM json_each(?)) ORDER BY service",
    )
    .bind(names)
    .fetch_all(&mut *connection)
    .await
    .map_err(fault)?;
    parse(store, &rows)
}

fn parse(
    store: &Store,
    rows: &[SqliteRow],
) -> Result<Vec<(ServiceName, Timestamp, ServiceReading)>, JournalError> {
    let fault = |error: sqlx::Error| store.fault(&error);
    let mut readings = Vec::with_capacity(rows.len());
    for row in rows {
        let service: &str = row.try_get(0).map_err(fault)?;
        let at = from_nanos(store, row.try_get(1).map_err(fault)?)?;
        match serde_json::from_str(row.try_get(2).map_err(fault)?) {
            Ok(reading) => readings.push((service.into(), at, reading)),
            Err(error) => tracing::debug!(service, %error, "readings in the journal cannot be read"),
        }
    }
    Ok(readings)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, event, fill, led, meddle};
    use super::super::{Journal, SqliteJournal};
    use super::*;
    use crate::model::release::Arm;
    use crate::model::source::{SampleValue, Subject};

    fn sample(second: i64, indicator: &str, subject: Subject, value: SampleValue) -> Sample {
        let at = at(second) + std::time::Duration::from_nanos(123_456_789);
        Sample {
            service: "checkout".into(),
            indicator: indicator.into(),
            subject,
            from: at - std::time::Duration::from_secs(5),
            at,
            value,
        }
    }

    fn mixed(second: i64) -> Vec<Sample> {
        let bounds_ms = [5.0, 10.0, 25.5].into();
        vec![
            sample(second, "errors", Subject::Whole, SampleValue::Ratio { bad: 1.0, total: 99.5 }),
            sample(
                second,
                "latency",
                Subject::Arm(Arm::Canary),
                SampleValue::Histogram { bounds_ms, counts: vec![1.0, 2.0, 0.0, 4.0] },
            ),
            sample(second, "memory", Subject::Version("2.8.1".into()), SampleValue::Gauge(-0.25)),
            sample(second, "requests", Subject::Arm(Arm::Stable), SampleValue::Count(1e9)),
        ]
    }

    /// Samples come back exactly, oldest first, from the time that is asked for, also in another process.
    #[tokio::test]
    async fn samples_come_back_exactly() {
        let (_dir, path, journal, _) = led().await;
        journal.record(&mixed(20)).await.unwrap();
        journal.record(&mixed(10)).await.unwrap();
        journal.record(&[]).await.unwrap();
        let other = SqliteJournal::open(&path).await.unwrap();
        other.record(&mixed(30)).await.unwrap();
        let all = [mixed(10), mixed(20), mixed(30)].concat();
        assert_eq!(journal.samples(Timestamp::MIN).await.unwrap(), all);
        assert_eq!(other.samples(mixed(20)[0].at).await.unwrap(), all[4..]);
        assert_eq!(other.samples(Timestamp::MAX).await.unwrap(), []);
    }

    /// One service's part of a time comes back as it was recorded, both ends included, and is found by the index: it costs
    /// the same however many other services there are.
    #[tokio::test]
    async fn a_services_part_is_found_by_the_index() {
        let (_dir, path, journal, _) = led().await;
        let others: Vec<_> = (0..2_000)
            .map(|second| {
                let sample = sample(second, "memory", Subject::Whole, SampleValue::Gauge(1.0));
                Sample { service: format!("s{}", second % 50).as_str().into(), ..sample }
            })
            .collect();
        journal.record(&others).await.unwrap();
        for second in [30, 10, 20] {
            journal.record(&mixed(second)).await.unwrap();
        }
        let (from, to) = (mixed(10)[0].at, mixed(20)[0].at);
        let other = SqliteJournal::open_read_only(&path).await.unwrap();
        let found = other.samples_of(&"checkout".into(), from, to).await.unwrap();
        let [mut expected, mut found] = [[mixed(10), mixed(20)].concat(), found];
        for samples in [&mut expected, &mut found] {
            assert!(samples.is_sorted_by_key(|sample| sample.at));
            samples.sort_by_key(|sample| (sample.at, sample.indicator.clone()));
        }
        assert_eq!(found, expected);
        assert_eq!(other.samples_of(&"nobody".into(), from, to).await.unwrap(), []);
        assert_eq!(other.samples_of(&"checkout".into(), to, from).await.unwrap(), []);
        let mut connection = journal.store().reader().await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {OF_SERVICE}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
            .bind("checkout")
            .bind(nanos(from))
            .bind(nanos(to))
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let plan: Vec<_> = plan.into_iter().map(|(_, _, _, detail)| detail).collect();
        assert_eq!(
            plan,
            [
                "SEARCH series USING COVERING INDEX sqlite_autoindex_series_1 (service=?)",
                "SEARCH samples USING INDEX samples_of_series (series=? AND at>? AND at<?)",
            ]
        );
    }

    /// A journal that was made before this index is given it when it is opened for writing, and is readable without.
    #[tokio::test]
    async fn an_older_file_gets_what_was_added() {
        let (_dir, path, journal, _) = led().await;
        journal.record(&mixed(1)).await.unwrap();
        journal.close().await;
        meddle(&path, "DROP INDEX samples_of_series").await;
        let count = async |journal: &SqliteJournal| {
            let found = journal.samples_of(&"checkout".into(), at(0), at(100)).await.unwrap();
            let mut connection = journal.store().reader().await.unwrap();
            let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'samples_of_series'";
            let indexes: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await.unwrap();
            (found.len(), indexes)
        };
        assert_eq!(count(&SqliteJournal::open_read_only(&path).await.unwrap()).await, (4, 0));
        assert_eq!(count(&SqliteJournal::open(&path).await.unwrap()).await, (4, 1));
    }

    /// A histogram whose buckets change is another series: old samples keep the buckets they were measured with.
    #[tokio::test]
    async fn buckets_belong_to_their_samples() {
        let (_dir, _path, journal, _) = led().await;
        let with = |second, bounds: &[f64]| {
            let value =
                SampleValue::Histogram { bounds_ms: bounds.into(), counts: vec![1.0; bounds.len() + 1] };
            sample(second, "latency", Subject::Whole, value)
        };
        let all = [with(1, &[1.0, 2.0]), with(2, &[1.0, 2.0, 4.0]), with(3, &[1.0, 2.0]), with(4, &[])];
        journal.record(&all).await.unwrap();
        assert_eq!(journal.samples(at(0)).await.unwrap(), all);
    }

    /// Forgetting takes all that is older, in small parts, and nothing else: events stay.
    #[tokio::test]
    async fn pruning_forgets_the_old_samples_only() {
        let (_dir, _path, journal, token) = led().await;
        fill(&journal, token, 3, 3).await;
        let count = CHUNK.cast_unsigned() * 2 + 17;
        let samples: Vec<_> = (0..count.cast_signed())
            .map(|second| sample(second, "memory", Subject::Whole, SampleValue::Gauge(1.0)))
            .collect();
        journal.record(&samples).await.unwrap();
        assert_eq!(journal.prune(samples[5].at).await.unwrap(), 5);
        assert_eq!(journal.prune(samples[5].at).await.unwrap(), 0);
        assert_eq!(journal.samples(at(0)).await.unwrap().len() as u64, count - 5);
        assert_eq!(journal.prune(Timestamp::MAX).await.unwrap(), count - 5);
        assert_eq!(journal.samples(at(0)).await.unwrap(), []);
        assert_eq!(journal.last().await.unwrap(), 3);
    }

    /// Recording without waiting for the disk does not rub off on the appends after it.
    #[tokio::test]
    async fn appends_stay_durable_after_recording() {
        let (_dir, _path, journal, token) = led().await;
        journal.record(&mixed(1)).await.unwrap();
        journal.append(token, at(1), &[event(1)], &[]).await.unwrap();
        let mut tx = journal.store().begin(Durability::Full).await.unwrap();
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(tx.on()).await.unwrap();
        assert_eq!(synchronous, 2, "FULL");
    }

    /// Whoever knows some readings is given the others: newer ones, ones of a clock that was set back, and new services.
    #[tokio::test]
    async fn only_other_readings_are_read() {
        let (_dir, _path, journal, _) = led().await;
        let reading = |second| ServiceReading { newest: Some(at(second)), ..ServiceReading::default() };
        let services = ["a", "b", "c", "d"].map(|name| (name.into(), reading(5)));
        journal.publish(at(5), &services).await.unwrap();
        let mut known = BTreeMap::new();
        let next = async |known: &mut BTreeMap<ServiceName, Timestamp>| {
            let found = journal.readings_other_than(known).await.unwrap();
            known.extend(found.iter().map(|(service, at, _)| (service.clone(), *at)));
            found
        };
        assert_eq!(next(&mut known).await.len(), 4);
        assert_eq!(next(&mut known).await, []);
        journal.publish(at(6), &[("c".into(), reading(6))]).await.unwrap();
        journal.publish(at(4), &[("a".into(), reading(4)), ("e".into(), reading(4))]).await.unwrap();
        let other = [
            ("a".into(), at(4), reading(4)),
            ("c".into(), at(6), reading(6)),
            ("e".into(), at(4), reading(4)),
        ];
        assert_eq!(next(&mut known).await, other);
        assert_eq!(next(&mut known).await, []);
        let mut connection = journal.store().reader().await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {TIMES}"));
        let plan: (i64, i64, i64, String) =
            sqlx::query_as(explain).fetch_one(&mut *connection).await.unwrap();
        assert_eq!(plan.3, "SCAN readings USING COVERING INDEX readings_at");
    }

    /// The newest readings of each service are there for other processes, and what cannot be read is left out.
    #[tokio::test]
    async fn the_newest_readings_are_shown() {
        let (_dir, path, journal, _) = led().await;
        let reading = |second| ServiceReading { newest: Some(at(second)), ..ServiceReading::default() };
        journal.publish(at(1), &[("b".into(), reading(1)), ("a".into(), reading(1))]).await.unwrap();
        journal.publish(at(2), &[("a".into(), reading(2))]).await.unwrap();
        meddle(&path, "INSERT INTO readings VALUES ('c', 1, '{\"arms\":7}')").await;
        let other = SqliteJournal::open_read_only(&path).await.unwrap();
        assert_eq!(
            other.readings().await.unwrap(),
            [("a".into(), at(2), reading(2)), ("b".into(), at(1), reading(1)),]
        );
    }
}
