//! Which file a path leads to. SQLite goes on with one that was moved away or deleted, as if nothing had happened.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::JournalError;
use super::errors::File;

/// Which file it is, whatever it is called. While it is open, no other one gets the same numbers; once it is deleted, the
/// next one may, and then the time of its making tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Inode {
    device: u64,
    number: u64,
    /// None where the file system does not say.
    made: Option<SystemTime>,
}

impl Inode {
    pub(super) fn of(file: &File) -> Result<Self, JournalError> {
        Self::at(file, &file.path)
    }

    pub(super) fn of_wal(file: &File) -> Result<Self, JournalError> {
        Self::at(file, &file.wal())
    }

    fn at(file: &File, path: &Path) -> Result<Self, JournalError> {
        match std::fs::metadata(path) {
            Ok(meta) => Ok(Self { device: meta.dev(), number: meta.ino(), made: meta.created().ok() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(file.replaced()),
            Err(error) => Err(file.store(error.to_string())),
        }
    }
}

/// A log, and what the processes share that read it: they come and go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Log {
    pub(super) wal: Inode,
    pub(super) shared: Inode,
}

impl Log {
    /// The one that is there now, if one is.
    pub(super) fn of(file: &File) -> Option<Self> {
        Some(Self { wal: Inode::of_wal(file).ok()?, shared: Inode::at(file, &file.shared()).ok()? })
    }
}
