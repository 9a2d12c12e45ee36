//! The open file: one connection that writes, a few that read, and the rule that a transaction which did not end well takes
//! its connection with it.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    Sqlite, SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

use super::errors::{File, is_busy, is_cantopen, is_corrupt, is_not_sqlite, words};
use super::inode::{Inode, Log};
use super::sample_codec::SeriesKey;
use super::schema::{ADDED, APPLICATION_ID, CREATE, FORMAT};
use super::{Glance, JournalError};

/// How a file is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// How long a lock of another program is waited for.
    pub(super) patience: Duration,
    /// Most pages that the file may have; for tests of a full disk.
    pub(super) max_pages: Option<u32>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { patience: Duration::from_secs(5), max_pages: None }
    }
}

/// What survives when a transaction has been committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Durability {
    /// It survives a loss of power.
    Full,
    /// It survives the end of the process; a loss of power may take the last second.
    Loose,
}

/// What a connection keeps of the file that only reads, in KiB with SQLite's minus: the system has it cached, too, and each of
/// them would take two MiB.
const READ_CACHE: &str = "-256";
/// Why a file that holds nothing is no journal.
const EMPTY: &str = "it is empty";
/// How long a journal may take from its first byte to its tables.
const IN_THE_MAKING: Duration = Duration::from_secs(1);
/// Connections that read at the same time; more wait.
const READERS: u32 = 4;

/// The write-ahead log is cut back to this many bytes after it was copied into the file.
const WAL_KEPT: &str = "16777216";

/// An open journal file.
#[derive(Debug)]
pub(super) struct Store {
    /// What errors call it.
    pub(super) file: File,
    /// The ids of the series that this process has recorded. Rows of `series` never change or go away.
    pub(super) series: StdMutex<HashMap<SeriesKey, i64>>,
    /// What is wrong with the file as a whole, if it was opened in spite of it.
    pub(super) damage: Option<String>,
    /// The file that was opened, whatever its path leads to by now.
    opened: Inode,
    /// Without a writer the file was opened for reading only.
    writer: Option<Writer>,
    readers: SqlitePool,
    watch: Mutex<Watch>,
    /// The log that was read last.
    log: StdMutex<Option<Log>>,
}

/// The connection that tells whether anything was written. It has to stay the same: what it says compares with nothing else.
#[derive(Debug)]
struct Watch {
    options: SqliteConnectOptions,
    connection: Option<Watching>,
    /// How many connections there were.
    opened: u32,
}

#[derive(Debug)]
struct Watching {
    connection: SqliteConnection,
    /// The log that it reads; none where nobody may write, so that there is none.
    wal: Option<Inode>,
}

#[derive(Debug)]
struct Writer {
    options: SqliteConnectOptions,
    /// Empty while a transaction has it, and after one that did not end well.
    connection: Mutex<Option<Writing>>,
}

/// The connection that writes.
#[derive(Debug)]
struct Writing {
    connection: SqliteConnection,
    /// The log that it writes to; known from its first transaction on. Nobody else takes the log away while it is open.
    wal: Option<Inode>,
}

/// A file that SQLite can read, looked at.
enum Identity {
    /// No tables and no marks.
    Empty,
    /// A journal in a format that we know.
    Ours,
}

impl Store {
    /// Opens the file for reading and writing; makes it when it is missing or empty.
    pub(super) async fn open(path: &Path, tuning: Tuning) -> Result<Self, JournalError> {
        let file = locate(path, tuning)?;
        let size = size_of(&file)?;
        if size.is_none() && !file.directory().is_dir() {
            return Err(file.store(format!(
                "the directory `{}` does not exist; make it first",
                file.directory().display()
            )));
        }
        // SQLite takes an empty or missing file for a new one and throws its log away.
        if size == Some(0) && wal_size(&file) > 0 {
            return Err(file.damaged("it is empty, but the `-wal` file beside it is not"));
        }
        if size.is_none() && wal_size(&file) > 0 {
            return Err(file.store(
                "it is missing, but its `-wal` file is there; put it back, or delete that file too to begin a new journal",
            ));
        }
        if size == Some(1) {
            // SQLite takes this for an empty file too.
            return Err(not_sqlite(&file));
        }
        let mut options = options(&file)
            .synchronous(SqliteSynchronous::Full)
            // Where a plain fsync stops at the drive's cache (macOS), ask for more.
            .pragma("fullfsync", "1")
            .pragma("journal_size_limit", WAL_KEPT);
        if let Some(pages) = tuning.max_pages {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let create = options.clone().create_if_missing(size.is_none());
        let mut connection = connect(&file, &create).await?;
        prepare(&file, &mut connection).await?;
        let reading = self::options(&file).pragma("query_only", "1").pragma("cache_size", READ_CACHE);
        let writing = Writing { connection, wal: None };
        Ok(Self {
            opened: Inode::of(&file)?,
            writer: Some(Writer { options, connection: Mutex::new(Some(writing)) }),
            readers: pool(reading.clone(), tuning),
            watch: Mutex::new(Watch::new(reading)),
            damage: None,
            series: StdMutex::default(),
            log: StdMutex::new(Log::of(&file)),
            file,
        })
    }

    /// Opens the file for reading only, also when it is damaged as long as something can be read. One that is empty may be in
    /// the making by a guard that has just begun: it gets a moment.
    pub(super) async fn open_read_only(path: &Path, tuning: Tuning) -> Result<Self, JournalError> {
        let begun = Instant::now();
        loop {
            match Self::look_into(path, tuning).await {
                Err(JournalError::Foreign { reason, .. })
                    if reason == EMPTY && begun.elapsed() < IN_THE_MAKING =>
                {
                    sleep(IN_THE_MAKING / 20).await;
                }
                opened => return opened,
            }
        }
    }

    async fn look_into(path: &Path, tuning: Tuning) -> Result<Self, JournalError> {
        let file = locate(path, tuning)?;
        match size_of(&file)? {
            None => return Err(file.store("it does not exist")),
            Some(0) => return Err(file.foreign(EMPTY)),
            Some(1) => return Err(not_sqlite(&file)),
            Some(_) => {}
        }
        let mut options = options(&file).read_only(true);
        let mut tried = look(&options).await;
        if tried.as_ref().is_err_and(is_cantopen) {
            // The two files that readers share cannot be made here. Without a log there is nothing in them.
            if wal_size(&file) > 0 {
                return Err(file.read_only(format!(
                    "and the newest entries are in `{}`, which can be read only together with a directory that can be \
                     written; copy both files to a directory of yours and read them there",
                    file.wal().display()
                )));
            }
            options = options.immutable(true);
            tried = look(&options).await;
        }
        let mut damage = None;
        if let Err(error) = &tried
            && is_corrupt(error)
        {
            damage = Some(words(error));
            // With this, SQLite reads a file that is shorter than it should be. Nothing can be written through it.
            options = options.pragma("writable_schema", "1");
            tried = look(&options).await;
        }
        match tried {
            Err(error) if is_not_sqlite(&error) => Err(not_sqlite(&file)),
            Err(error) => Err(file.fault(&error)),
            Ok(marks) => match marks.identify(&file)? {
                Identity::Empty => Err(file.foreign(EMPTY)),
                Identity::Ours => Ok(Self {
                    opened: Inode::of(&file)?,
                    writer: None,
                    readers: pool(options.clone(), tuning),
                    watch: Mutex::new(Watch::new(options)),
                    damage,
                    series: StdMutex::default(),
                    log: StdMutex::new(Log::of(&file)),
                    file,
                }),
            },
        }
    }

    /// Closes every connection; the last one on a file that can be written copies the log into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        if let Some(watching) = self.watch.lock().await.connection.take() {
            let _ = watching.connection.close().await;
        }
        if let Some(writer) = &self.writer {
            let writing = writer.connection.lock().await.take();
            if let Some(writing) = writing {
                let _ = writing.connection.close().await;
            }
        }
    }

    /// A connection to read with.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, JournalError> {
        self.must_be_there()?;
        self.must_have_its_log()?;
        let mut connection = self.readers.acquire().await.map_err(|error| self.fault(&error))?;
        // It may have been opened just now, and then the file may be another one.
        self.must_be_there().inspect_err(|_| connection.close_on_drop())?;
        Ok(connection)
    }

    /// The sizes and times of the file and its log. Every write changes the log: it grows, or is begun again.
    pub(super) fn glance(&self) -> Option<Glance> {
        let mut hasher = DefaultHasher::new();
        for path in [&self.file.path, &self.file.wal()] {
            let meta = match std::fs::metadata(path) {
                Ok(meta) => Some(meta),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(_) => return None,
            };
            let looks = meta.map(|meta| {
                let written = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
                (meta.dev(), meta.ino(), meta.len(), written)
            });
            looks.hash(&mut hasher);
        }
        Some(Glance(hasher.finish()))
    }

    /// Changes with every transaction of anybody: <https://www.sqlite.org/pragma.html#pragma_data_version>.
    ///
    /// Fails when the file or the log that is read is not the one that everybody else finds there: SQLite would go on
    /// reading the old one, and nothing would ever be new in it.
    pub(super) async fn version(&self) -> Result<u64, JournalError> {
        let mut watch = self.watch.lock().await;
        self.must_be_there()?;
        self.must_have_its_log()?;
        let mut watching = match watch.connection.take() {
            Some(watching) => watching,
            None => {
                let connected = connect(&self.file, &watch.options).await;
                let connection = connected.map_err(|error| self.unless_gone(error))?;
                watch.opened += 1;
                Watching { connection, wal: None }
            }
        };
        if let Some(wal) = watching.wal
            && let Err(error) = self.must_be_wal(wal)
        {
            // Kept, so that it goes on when the log is put back.
            watch.connection = Some(watching);
            return Err(error);
        }
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut watching.connection)
            .await
            .map_err(|error| self.fault(&error))?;
        if watching.wal.is_none() {
            watching.wal = Inode::of_wal(&self.file).ok();
            self.remember_log();
        }
        watch.connection = Some(watching);
        self.must_be_there()?;
        Ok(u64::from(watch.opened) << 32 | (version.cast_unsigned() & u64::from(u32::MAX)))
    }

    /// Whether the path still leads to the file that was opened. SQLite goes on writing to a file that was deleted or
    /// moved away, where nobody will ever read it, while other processes begin a new one under the same name.
    fn must_be_there(&self) -> Result<(), JournalError> {
        if Inode::of(&self.file)? == self.opened { Ok(()) } else { Err(self.file.replaced()) }
    }

    /// Whether the log is there, if anybody has the file open. Without it SQLite calls the file damaged, or takes an older
    /// state for the newest. What SQLite shares between processes is made after the log and goes before it.
    fn must_have_its_log(&self) -> Result<(), JournalError> {
        let is_there = |path: &Path| path.try_exists().unwrap_or(true);
        if !is_there(&self.file.wal()) && is_there(&self.file.shared()) {
            return Err(self.file.replaced());
        }
        // Whoever opens a file whose log was taken away makes a new one; a log that is done with goes with what was shared.
        let known = *self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match (known, Log::of(&self.file)) {
            (Some(known), Some(now)) if known.shared == now.shared && known.wal != now.wal => {
                Err(self.file.replaced())
            }
            _ => Ok(()),
        }
    }

    /// Remembers which log was read, unless it is one that was put in the place of another.
    fn remember_log(&self) {
        let mut known = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(now) = Log::of(&self.file)
            && known.is_none_or(|known| known.shared != now.shared)
        {
            *known = Some(now);
        }
    }

    /// The same for the log: what is in another one, nobody else reads.
    fn must_be_wal(&self, wal: Inode) -> Result<(), JournalError> {
        if Inode::of_wal(&self.file)? == wal { Ok(()) } else { Err(self.file.replaced()) }
    }

    /// What an error of SQLite means for this file. One whose log was taken away in the middle of a look is called damaged
    /// or unreadable by SQLite, and is neither.
    pub(super) fn fault(&self, error: &sqlx::Error) -> JournalError {
        self.unless_gone(self.file.fault(error))
    }

    /// An error, or that the file or its log is not there any more, which explains every other one.
    fn unless_gone(&self, error: JournalError) -> JournalError {
        match self.must_be_there().and_then(|()| self.must_have_its_log()) {
            Err(gone @ JournalError::Replaced { .. }) => gone,
            _ => error,
        }
    }

    /// Begins to write. One transaction of this process at a time; other processes are waited for.
    pub(super) async fn begin(&self, durability: Durability) -> Result<Tx<'_>, JournalError> {
        let writer =
            self.writer.as_ref().ok_or_else(|| self.file.read_only("it was opened for reading only"))?;
        let mut slot = writer.connection.lock().await;
        self.must_be_there()?;
        let mut writing = match slot.take() {
            Some(writing) => writing,
            None => self.reopen(writer).await?,
        };
        if let Some(wal) = writing.wal
            && let Err(error) = self.must_be_wal(wal)
        {
            // As long as this connection is kept, it goes on when the log is put back, and no other log takes its place.
            *slot = Some(writing);
            return Err(error);
        }
        if durability == Durability::Loose {
            run(&mut writing.connection, "PRAGMA synchronous = NORMAL")
                .await
                .map_err(|error| self.fault(&error))?;
        }
        match run(&mut writing.connection, "BEGIN IMMEDIATE").await {
            Ok(()) => {
                if writing.wal.is_none() {
                    writing.wal = Some(Inode::of_wal(&self.file)?);
                }
                Ok(Tx { writing, slot, store: self, durability })
            }
            Err(error) => {
                if is_busy(&error) && durability == Durability::Full {
                    // Waiting in vain changes nothing about the connection.
                    *slot = Some(writing);
                }
                Err(self.fault(&error))
            }
        }
    }

    /// A new writer, after a transaction that did not end well. The file may be another one by now.
    async fn reopen(&self, writer: &Writer) -> Result<Writing, JournalError> {
        let connected = connect(&self.file, &writer.options).await;
        let mut connection = connected.map_err(|error| self.unless_gone(error))?;
        self.must_be_there()?;
        match Marks::read(&mut connection).await.map_err(|error| self.fault(&error))?.identify(&self.file)? {
            Identity::Ours => Ok(Writing { connection, wal: None }),
            Identity::Empty => Err(self.file.damaged("it was emptied while it was open")),
        }
    }
}

impl Watch {
    fn new(options: SqliteConnectOptions) -> Self {
        Self { options, connection: None, opened: 0 }
    }
}

/// A transaction that writes. Dropped without [`Tx::commit`] or [`Tx::give_up`], its connection is closed, which undoes
/// everything: so an error, or a caller that stops waiting, never leaves half a transaction behind.
pub(super) struct Tx<'a> {
    writing: Writing,
    slot: MutexGuard<'a, Option<Writing>>,
    store: &'a Store,
    durability: Durability,
}

impl Tx<'_> {
    /// The connection, to run statements on.
    pub(super) fn on(&mut self) -> &mut SqliteConnection {
        &mut self.writing.connection
    }

    /// Makes it durable, in the file that everybody else reads: if that was taken away meanwhile, the error says so.
    pub(super) async fn commit(self) -> Result<(), JournalError> {
        let (store, wal) = (self.store, self.writing.wal);
        self.end("COMMIT").await?;
        store.must_be_there()?;
        wal.map_or(Ok(()), |wal| store.must_be_wal(wal))
    }

    /// Undoes everything.
    pub(super) async fn give_up(self) -> Result<(), JournalError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), JournalError> {
        run(&mut self.writing.connection, how).await.map_err(|error| self.store.fault(&error))?;
        // What was committed is committed: if this fails, only the connection is not kept.
        if self.durability == Durability::Full
            || run(&mut self.writing.connection, "PRAGMA synchronous = FULL").await.is_ok()
        {
            *self.slot = Some(self.writing);
        }
        Ok(())
    }
}

/// The numbers that tell whose file it is.
struct Marks {
    application: i32,
    format: i64,
    tables: i64,
}

impl Marks {
    async fn read(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        // One question, so that the answers are of one moment: another process may be making the file right now.
        let (application, format, tables) = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id), \
             (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self { application, format, tables })
    }

    fn identify(&self, file: &File) -> Result<Identity, JournalError> {
        match self {
            Self { application: APPLICATION_ID, format, .. } if *format > FORMAT => {
                Err(JournalError::Newer { path: file.name(), found: *format, known: FORMAT })
            }
            Self { application: APPLICATION_ID, .. } => Ok(Identity::Ours),
            Self { application: 0, format: 0, tables: 0 } => Ok(Identity::Empty),
            _ => Err(file.foreign("it is another program's SQLite database")),
        }
    }
}

/// The place of the file, whatever the process does with its working directory later. An absolute path is also never
/// taken for one of SQLite's `file:` addresses.
fn locate(path: &Path, tuning: Tuning) -> Result<File, JournalError> {
    let file = |path: &Path| File { path: path.to_owned(), patience: tuning.patience };
    std::path::absolute(path)
        .map(|path| file(&path))
        .map_err(|error| file(path).store(format!("the path cannot be made absolute: {error}")))
}

/// The file's size; none when there is no file. The file is not opened for this: closing it again would drop the locks
/// that SQLite holds on it in this process (<https://www.sqlite.org/howtocorrupt.html>, 2.2).
fn size_of(file: &File) -> Result<Option<u64>, JournalError> {
    match std::fs::metadata(&file.path) {
        Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
        Ok(_) => Err(file.foreign("it is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file.store(error.to_string())),
    }
}

fn wal_size(file: &File) -> u64 {
    std::fs::metadata(file.wal()).map_or(0, |meta| meta.len())
}

fn not_sqlite(file: &File) -> JournalError {
    file.foreign("it is not a SQLite database, or its first page is gone")
}

/// What every connection has. None of it reads or changes the file yet.
fn options(file: &File) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&file.path)
        .busy_timeout(file.patience)
        .disable_statement_logging()
        .thread_name(|id| format!("journal-{id}"))
}

fn pool(options: SqliteConnectOptions, tuning: Tuning) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(tuning.patience.max(Duration::from_secs(1)) * 2)
        .idle_timeout(Duration::from_mins(1))
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

async fn connect(file: &File, options: &SqliteConnectOptions) -> Result<SqliteConnection, JournalError> {
    options.connect().await.map_err(
        |error| {
            if is_not_sqlite(&error) { not_sqlite(file) } else { file.fault(&error) }
        },
    )
}

/// Looks at a file without changing it.
async fn look(options: &SqliteConnectOptions) -> Result<Marks, sqlx::Error> {
    let mut connection = options.connect().await?;
    let marks = Marks::read(&mut connection).await;
    let _ = connection.close().await;
    marks
}

/// Makes sure that the file is a journal that can be written; makes it one if it is empty. Nothing is changed in a file
/// that is not ours.
async fn prepare(file: &File, connection: &mut SqliteConnection) -> Result<(), JournalError> {
    let fault = |error: sqlx::Error| {
        if is_not_sqlite(&error) { not_sqlite(file) } else { file.fault(&error) }
    };
    Marks::read(connection).await.map_err(fault)?.identify(file)?;
    enter_wal(file, connection).await?;
    run(connection, "BEGIN IMMEDIATE").await.map_err(fault)?;
    // Another process may have made it one in the meantime.
    match Marks::read(connection).await.map_err(fault)?.identify(file)? {
        Identity::Ours => {
            // Changes nothing. A file that cannot be written is opened, and even a transaction begun, without a word:
            // only a statement that writes is refused.
            run(connection, "UPDATE lease SET token = token WHERE 0").await.map_err(fault)?;
            if has_all(connection).await.map_err(fault)? {
                return run(connection, "ROLLBACK").await.map_err(fault);
            }
        }
        Identity::Empty => {
            for statement in CREATE {
                run(connection, statement).await.map_err(fault)?;
            }
        }
    }
    for (_, statement) in ADDED {
        run(connection, statement).await.map_err(fault)?;
    }
    run(connection, "COMMIT").await.map_err(fault)
}

/// Whether a journal has what was added to the format.
async fn has_all(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let names: HashSet<String> = sqlx::query_scalar("SELECT name FROM sqlite_schema")
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
    Ok(ADDED.iter().all(|(name, _)| names.contains(*name)))
}

/// Turns the write-ahead log on. SQLite does not wait for others here, so we do.
async fn enter_wal(file: &File, connection: &mut SqliteConnection) -> Result<(), JournalError> {
    let started = Instant::now();
    loop {
        match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(file.store(format!(
                    "this file system cannot hold a write-ahead log (the journal mode stays `{mode}`); put the \
                     journal on a local disk"
                )));
            }
            Err(error) if is_busy(&error) && started.elapsed() < file.patience => {
                sleep(Duration::from_millis(10)).await;
            }
            Err(error) => return Err(file.fault(&error)),
        }
    }
}

/// Runs a statement that gives no rows.
async fn run(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests;
