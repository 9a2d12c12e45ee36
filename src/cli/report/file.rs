//! A report in a file: written whole or not at all, over nothing that somebody else made, and without losing what people wrote into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What is in the file now; none if there is no file.
pub(super) fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes);
            Ok(Some(text.with_context(|| {
                format!("`{}` is not text in UTF-8; nothing was written, give another file", path.display())
            })?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("`{}` cannot be read; nothing was written", path.display()))
        }
    }
}

/// Puts a text in the place of `before`, which is what was read. What somebody has changed meanwhile is not overwritten.
pub(super) fn replace(path: &Path, before: Option<&str>, text: &str) -> anyhow::Result<()> {
    // Behind a link it is the file that is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = || format!("`{}` cannot be written; it is as it was", path.display());
    let draft = Draft::create(&path).with_context(failed)?;
    draft.fill(text).with_context(failed)?;
    if let Ok(known) = fs::metadata(&path) {
        fs::set_permissions(&draft.path, known.permissions()).with_context(failed)?;
    }
    if read(&path)?.as_deref() != before {
        anyhow::bail!(
            "`{}` was changed while the report was made; nothing was written, run the command again",
            path.display()
        );
    }
    draft.into(&path).with_context(failed)
}

/// A file beside the one that is meant, gone again unless it takes its place.
struct Draft {
    path: PathBuf,
    kept: bool,
}

impl Draft {
    fn create(beside: &Path) -> io::Result<Self> {
        let name = beside.file_name().ok_or_else(|| io::Error::other("it is not the name of a file"))?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.unship-tmp", std::process::id()));
        let path = beside.with_file_name(hidden);
        OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self { path, kept: false })
    }

    fn fill(&self, text: &str) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn into(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.kept = true;
        // The rename itself is durable once the folder is; a file system that cannot say so has done what it can.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}
