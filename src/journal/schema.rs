//! The shape of the file: its marks and its tables.

/// Marks a SQLite file as ours: `unsh`. <https://www.sqlite.org/pragma.html#pragma_application_id>
pub(super) const APPLICATION_ID: i32 = 0x756E_7368;

/// The format that this program writes, kept in `user_version`. It grows when an older program could no longer read or
/// safely write the file.
pub(super) const FORMAT: i64 = 1;

/// Everything a new file gets, in one transaction.
///
/// - `entries`: the events; `hash` is the chain.
/// - `lease`: one row, kept for ever so that the token only grows; `until` 0 means given back.
/// - `inbox` and `answered`: commands on their way, and the ids of those that were answered.
/// - `snapshots`: saved folds, with a checksum because SQLite keeps none.
/// - `series` and `samples`: what was measured. A series is never deleted, so its id can be remembered by any process.
/// - `readings`: the newest of each service.
///
/// [`ADDED`] comes on top.
///
/// Times are milliseconds since 1970, except those of samples and readings, which are nanoseconds so that what is read
/// back is exactly what was measured.
pub(super) const CREATE: &[&str] = &[
    "CREATE TABLE entries (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        token INTEGER NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        hash BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE lease (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        holder TEXT NOT NULL,
        token INTEGER NOT NULL,
        until INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE inbox (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        envelope TEXT NOT NULL
    ) STRICT",
    "CREATE TABLE answered (id TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE snapshots (
        format INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        hash TEXT NOT NULL,
        state TEXT NOT NULL,
        checksum BLOB NOT NULL,
        UNIQUE (format, seq)
    ) STRICT",
    "CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        service TEXT NOT NULL,
        indicator TEXT NOT NULL,
        subject TEXT NOT NULL,
        bounds BLOB NOT NULL,
        UNIQUE (service, indicator, subject, bounds)
    ) STRICT",
    "CREATE TABLE samples (
        at INTEGER NOT NULL,
        series INTEGER NOT NULL,
        start INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (at, series, start)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE readings (
        service TEXT NOT NULL PRIMARY KEY,
        at INTEGER NOT NULL,
        reading TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    // The numbers are APPLICATION_ID and FORMAT; a test compares them.
    "PRAGMA application_id = 1970172776",
    "PRAGMA user_version = 1",
];

/// What was added since, by the names of its parts. A file that was made before gets it when it is opened for writing;
/// opened for reading only, it may lack it. An older program neither knows nor disturbs it, so the format stays.
///
/// - `samples_of_series`: a service's part of the samples, for charts; the table itself is in the order of time.
/// - `readings_at`: when each reading was published, without its text.
/// - `output`: what platforms said during steps, the newest of it. A place is never given out twice.
/// - `figures`: what lines of it tell of that is more than a text, by their places.
pub(super) const ADDED: &[(&str, &str)] = &[
    ("samples_of_series", "CREATE INDEX IF NOT EXISTS samples_of_series ON samples (series, at)"),
    ("readings_at", "CREATE INDEX IF NOT EXISTS readings_at ON readings (at)"),
    (
        "output",
        "CREATE TABLE IF NOT EXISTS output (
            place INTEGER PRIMARY KEY AUTOINCREMENT,
            operation TEXT NOT NULL,
            at INTEGER NOT NULL,
            step INTEGER NOT NULL,
            text TEXT NOT NULL
        ) STRICT",
    ),
    (
        "figures",
        "CREATE TABLE IF NOT EXISTS figures (place INTEGER NOT NULL PRIMARY KEY, figure TEXT NOT NULL) STRICT",
    ),
    ("output_of_operation", "CREATE INDEX IF NOT EXISTS output_of_operation ON output (operation, place)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The names by which it is seen whether a file has a part are those of the parts.
    #[test]
    fn the_added_parts_are_called_by_their_names() {
        for (name, sql) in ADDED {
            assert!(sql.contains(&format!(" IF NOT EXISTS {name} ")), "{sql}");
        }
    }

    /// The marks that a file gets are the ones that are looked for.
    #[test]
    fn the_marks_are_the_constants() {
        assert!(CREATE.contains(&format!("PRAGMA application_id = {APPLICATION_ID}").as_str()));
        assert!(CREATE.contains(&format!("PRAGMA user_version = {FORMAT}").as_str()));
    }
}
