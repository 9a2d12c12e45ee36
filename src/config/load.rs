//! From a file to a checked config with its secrets.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::check;
use super::problem::{Level, Problem, Report, Source, render};
use super::schema::Config;
use super::secrets;
use super::spanned::{self, table_json};
use super::syntax::{self, Trust};
use super::walk::{self, Reference};
use crate::model::secret::Secrets;

/// The largest config, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A config that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// What is probably not meant, in the order of the file.
    pub warnings: Vec<Problem>,
    /// The secrets that it refers to.
    pub secrets: Arc<Secrets>,
    /// The file.
    pub path: PathBuf,
    /// The SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// The journal's file: `store.path`, relative to the config's folder.
    pub journal_path: PathBuf,
}

/// What it means that a secret cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingSecrets {
    /// The config cannot be used: it is about to be.
    Fail,
    /// A warning: the config is only looked at, perhaps on a machine that has no business with its secrets.
    Warn,
}

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {reason}; {hint}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// Something in it is wrong. There is at least one error among the problems, and all warnings.
    #[error("{}", render(.0))]
    Problems(Vec<Problem>),
}

const NO_FILE: &str = "name the file with `--config FILE`, or try `unship demo`, which needs none; \
                       `unship config schema` prints what may be in it";

/// Reads a config and its secrets.
///
/// # Errors
///
/// If the file cannot be read, anything in it is wrong, or a secret is missing. All problems come at once.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    load_with(path, MissingSecrets::Fail)
}

/// Reads a config; what a missing secret means is the caller's choice.
///
/// # Errors
///
/// As [`load`].
pub fn load_with(path: &Path, missing: MissingSecrets) -> Result<Loaded, ConfigError> {
    load_from(path, missing, &|name| std::env::var_os(name))
}

/// [`load_with`] with the environment as a parameter, so that tests need not change that of the process.
fn load_from(
    path: &Path,
    missing: MissingSecrets,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, ConfigError> {
    let bytes = read(path)?;
    let digest = hex::encode(Sha256::digest(&bytes));
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        unreadable(path, format!("line {line} is not UTF-8 text"), "save it as UTF-8")
    })?;
    let file = path.display().to_string();
    let text = without_mark(&text);
    let source = Source::new(text, &file);
    let mut report = Report::default();
    let checked = check_text(&source, &mut report);
    let folder = path.parent().unwrap_or(Path::new(""));
    let level = match missing {
        MissingSecrets::Fail => Level::Error,
        MissingSecrets::Warn => Level::Warning,
    };
    let secrets = secrets::resolve(&checked.secrets, folder, variable, level, &mut report);
    match checked.config {
        Some(config) if !report.has_errors() => Ok(Loaded {
            journal_path: folder.join(&config.store.path),
            config,
            warnings: report.problems(&source),
            secrets: Arc::new(secrets),
            path: path.to_owned(),
            digest,
        }),
        _ => Err(ConfigError::Problems(report.problems(&source))),
    }
}

/// Checks the text of a config. Reads no file and no secret.
///
/// # Errors
///
/// All problems, at least one of them an error, in the order of the file.
pub fn parse(text: &str, file: &str) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let source = Source::new(without_mark(text), file);
    let mut report = Report::default();
    let checked = check_text(&source, &mut report);
    let problems = report.problems(&source);
    match checked.config {
        Some(config) if !report.has_errors() => Ok((config, problems)),
        _ => Err(problems),
    }
}

struct Checked {
    /// Without errors in the report it is there.
    config: Option<Config>,
    secrets: Vec<Reference>,
}

fn check_text(source: &Source<'_>, report: &mut Report) -> Checked {
    let (tree, trust) = syntax::parse(source, report);
    let mut walked = Report::default();
    let secrets = walk::walk(&tree, trust, &mut walked);
    if trust < Trust::Whole {
        // What the schema says of a line that is no TOML is noise.
        let broken = report.lines(source);
        walked.retain(|draft| !broken.contains(&source.line(draft.start())));
    }
    report.append(walked);
    if report.has_errors() {
        return Checked { config: None, secrets };
    }
    match Config::deserialize(table_json(&tree.root)) {
        Ok(config) => {
            check::check(&config, &tree, report);
            Checked { config: Some(config), secrets }
        }
        // The walk let something pass that serde does not: the place is unknown, the words are serde's.
        Err(error) => {
            report
                .error(0..0, &spanned::Path::default(), format!("the config cannot be read: {error}"))
                .hint("`unship config schema` prints what may be in it");
            Checked { config: None, secrets }
        }
    }
}

/// Editors on Windows begin a file with a byte order mark; it is not part of the text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error: std::io::Error| {
        let hint =
            if error.kind() == std::io::ErrorKind::NotFound { NO_FILE } else { "check its permissions" };
        unreadable(path, error.to_string(), hint)
    };
    // A folder can be opened; only reading it fails, in words that help nobody.
    if std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(unreadable(path, "it is a folder".to_owned(), "name the file in it"));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(
            path,
            format!("it is larger than {} MiB", LARGEST / 1024 / 1024),
            "is it the right file?",
        ));
    }
    Ok(bytes)
}

fn unreadable(path: &Path, reason: String, hint: &'static str) -> ConfigError {
    ConfigError::Unreadable { path: path.to_owned(), reason, hint }
}
