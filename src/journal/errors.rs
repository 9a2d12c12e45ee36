//! From what SQLite says to a [`JournalError`] that names the file and the next step.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::JournalError;

/// The journal's file, as errors speak of it.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Where it is, absolute.
    pub(super) path: PathBuf,
    /// How long a lock of another program is waited for.
    pub(super) patience: Duration,
}

/// The primary result codes that mean something to us: <https://www.sqlite.org/rescode.html>.
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: less could be read than there has to be.
    pub(super) const IOERR_SHORT_READ: i32 = 0x20A;
    /// Extended: the shared-memory file could not grow, which on a full disk comes before anything else.
    pub(super) const IOERR_SHMSIZE: i32 = 0x130A;
}

/// The extended result code, if the error is SQLite's own.
fn extended(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn primary(error: &sqlx::Error) -> Option<i32> {
    extended(error).map(|code| code & 0xff)
}

/// Whether another connection holds a lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    matches!(primary(error), Some(code::BUSY | code::LOCKED))
}

/// Whether the file or one beside it could not be opened.
pub(super) fn is_cantopen(error: &sqlx::Error) -> bool {
    primary(error) == Some(code::CANTOPEN)
}

/// Whether the file is not of SQLite at all.
pub(super) fn is_not_sqlite(error: &sqlx::Error) -> bool {
    primary(error) == Some(code::NOTADB)
}

/// Whether the content is damaged.
pub(super) fn is_corrupt(error: &sqlx::Error) -> bool {
    matches!(primary(error), Some(code::CORRUPT))
}

/// SQLite's words, without the code.
pub(super) fn words(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

impl File {
    /// The path as text.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The directory it is in.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// The file beside it that holds what was written last: <https://www.sqlite.org/wal.html>.
    pub(super) fn wal(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push("-wal");
        name.into()
    }

    /// The file beside it through which processes that have it open share what is in the log.
    pub(super) fn shared(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push("-shm");
        name.into()
    }

    /// What an error of SQLite means for this file.
    pub(super) fn fault(&self, error: &sqlx::Error) -> JournalError {
        let path = self.name();
        let reason = words(error);
        match (extended(error), primary(error)) {
            (Some(code::IOERR_SHORT_READ), _) | (_, Some(code::CORRUPT | code::NOTADB)) => {
                JournalError::Damaged { path, reason }
            }
            (Some(code::IOERR_SHMSIZE), _) | (_, Some(code::FULL)) => JournalError::Full { path },
            (_, Some(code::BUSY | code::LOCKED)) => JournalError::Locked { path, waited: self.patience },
            (_, Some(code::READONLY | code::PERM)) => JournalError::ReadOnly { path, reason },
            (_, Some(code::CANTOPEN)) => self.cannot_open(reason),
            // A table or a column that is gone was there when the file was made.
            _ if reason.starts_with("no such ") => JournalError::Damaged { path, reason },
            _ => JournalError::Store { path, reason },
        }
    }

    /// SQLite does not say why it could not open a file; the usual reasons can be seen from outside.
    fn cannot_open(&self, reason: String) -> JournalError {
        let directory = self.directory();
        if !self.path.exists() && directory.exists() && access(directory, Access::WRITE_OK).is_ok() {
            return self.store("it does not exist");
        }
        if access(directory, Access::WRITE_OK).is_err() {
            return self.read_only(format!(
                "its directory `{}` cannot be written, and the journal keeps two more files there",
                directory.display()
            ));
        }
        if access(&self.path, Access::READ_OK | Access::WRITE_OK).is_err() {
            return self.read_only("no permission");
        }
        self.store(reason)
    }

    /// The content is damaged.
    pub(super) fn damaged(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Damaged { path: self.name(), reason: reason.into() }
    }

    /// It is not ours.
    pub(super) fn foreign(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Foreign { path: self.name(), reason: reason.into() }
    }

    /// The path does not lead to it any more.
    pub(super) fn replaced(&self) -> JournalError {
        JournalError::Replaced { path: self.name() }
    }

    /// It cannot be written.
    pub(super) fn read_only(&self, reason: impl Into<String>) -> JournalError {
        JournalError::ReadOnly { path: self.name(), reason: reason.into() }
    }

    /// Anything else.
    pub(super) fn store(&self, reason: impl Into<String>) -> JournalError {
        JournalError::Store { path: self.name(), reason: reason.into() }
    }
}
