//! A file that is written to at its end, followed over rotation: moved away and made anew, or copied and cut off.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use super::lines::{Line, Lines};

/// Bytes that one reading takes at most; the rest is left for the next.
const MOST: u64 = 64 * 1024 * 1024;
/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// Bytes before the place that was read to, by which a file that was cut off and has grown past it again is known.
const REMEMBERED: usize = 64;

/// A file to follow.
#[derive(Debug, Default)]
pub(super) struct Tail {
    path: String,
    limit: usize,
    open: Option<Open>,
    /// The one that was moved away: its writer may go on with it for a moment.
    retired: Option<Open>,
    /// There was no file when it was looked for last.
    was_missing: bool,
    /// Bytes before the end at which the first look begins.
    back: u64,
}

/// A file and how far it was read.
#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    position: u64,
    /// The bytes before `position`.
    before: Vec<u8>,
    lines: Lines,
}

impl Tail {
    pub(super) fn new(path: String, limit: usize) -> Self {
        Self { path, limit, ..Self::default() }
    }

    /// Gives at the first look the lines of the file's last bytes as well.
    pub(super) fn begin_before_the_end(mut self, bytes: u64) -> Self {
        self.back = bytes;
        self
    }

    /// Gives every line that is new. What was in the file before the first look is not; a file that came later is new from
    /// its beginning. Answers remarks.
    pub(super) fn read(&mut self, take: &mut dyn FnMut(Line<'_>)) -> Result<Vec<String>, String> {
        let mut budget = MOST;
        let meta = match fs::metadata(&self.path) {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => return Err(format!("`{}` is not a file", self.path)),
            Err(error) if error.kind() == ErrorKind::NotFound => return self.read_without(&mut budget, take),
            Err(error) => return Err(format!("`{}`: {error}", self.path)),
        };
        let identity = (meta.dev(), meta.ino());
        if let Some(mut old) = self.retired.take() {
            old.drain(&mut budget, take).map_err(|error| format!("`{}`: {error}", self.path))?;
            old.lines.finish(take);
        }
        if let Some(mut old) = self.open.take_if(|open| open.identity != identity) {
            old.drain(&mut budget, take).map_err(|error| format!("`{}`: {error}", self.path))?;
            self.retired = Some(old);
            self.was_missing = true;
        }
        let result = match &mut self.open {
            Some(open) => open.follow(meta.len(), self.limit),
            None => {
                let back = if self.was_missing { u64::MAX } else { self.back };
                Open::new(&self.path, self.limit, back).map(|open| self.open = Some(open))
            }
        };
        self.was_missing = false;
        let result =
            result.and_then(|()| self.open.as_mut().map_or(Ok(()), |open| open.drain(&mut budget, take)));
        result.map_err(|error| format!("`{}`: {error}", self.path))?;
        Ok(if budget == 0 {
            vec![format!("more than {} MiB have come at once; the rest is read next time", MOST >> 20)]
        } else {
            Vec::new()
        })
    }

    /// There is no file under the name. Between moving it away and making it anew that is so for a moment.
    fn read_without(
        &mut self,
        budget: &mut u64,
        take: &mut dyn FnMut(Line<'_>),
    ) -> Result<Vec<String>, String> {
        self.retired = None;
        let was_missing = std::mem::replace(&mut self.was_missing, true);
        match &mut self.open {
            Some(open) if !was_missing => {
                open.drain(budget, take).map_err(|error| format!("`{}`: {error}", self.path))?;
                Ok(vec![format!("`{}` is gone; the file that it was is still read", self.path)])
            }
            _ => {
                if let Some(mut open) = self.open.take() {
                    // What can still be had of it; that the file is gone is what is said in any case.
                    let _ = open.drain(budget, take);
                }
                Err(format!("`{}`: there is no such file", self.path))
            }
        }
    }
}

impl Open {
    /// Opens a file so many bytes before its end.
    fn new(path: &str, limit: usize, back: u64) -> std::io::Result<Self> {
        // Whatever took the file's place meanwhile, opening it does not wait.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        let mut open = Self {
            identity: (meta.dev(), meta.ino()),
            file,
            position: 0,
            before: Vec::new(),
            lines: Lines::new(limit),
        };
        if meta.len() > back {
            open.position = meta.len() - back;
            open.before = open.last_bytes()?;
            if open.before.last() != Some(&b'\n') {
                open.lines = Lines::in_the_middle(limit);
            }
        }
        Ok(open)
    }

    /// Begins anew if the file was cut off since it was read last.
    fn follow(&mut self, length: u64, limit: usize) -> std::io::Result<()> {
        if length < self.position || self.last_bytes()? != self.before {
            self.position = 0;
            self.before.clear();
            // What was begun before will never be finished.
            self.lines = Lines::new(limit);
        }
        Ok(())
    }

    /// The bytes before the place that was read to, as they are now.
    fn last_bytes(&self) -> std::io::Result<Vec<u8>> {
        let length = usize::try_from(self.position).unwrap_or(REMEMBERED).min(REMEMBERED);
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, self.position - length as u64) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Vec::new()),
            result => result.map(|()| bytes),
        }
    }

    /// Reads to the end, or as far as the budget goes.
    fn drain(&mut self, budget: &mut u64, take: &mut dyn FnMut(Line<'_>)) -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        while *budget > 0 {
            let most = CHUNK.min(usize::try_from(*budget).unwrap_or(CHUNK));
            let count = match self.file.read_at(&mut chunk[..most], self.position) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = &chunk[..count];
            self.lines.push(bytes, take);
            self.position += count as u64;
            *budget -= count as u64;
            self.before.extend_from_slice(&bytes[count.saturating_sub(REMEMBERED)..]);
            let surplus = self.before.len().saturating_sub(REMEMBERED);
            self.before.drain(..surplus);
        }
        Ok(())
    }
}
