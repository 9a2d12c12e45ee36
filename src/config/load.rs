//! From a file to a checked config with its secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::check;
use super::problem::{Level, Problem, Report, Source, render};
use super::runbooks::{self, RunbookText};
use super::schema::Config;
use super::secrets;
use super::spanned::{self, place, table_json};
use super::syntax::{self, Trust};
use super::templates;
use super::themes;
use super::walk::{self, Reference};
use crate::model::RunbookName;
use crate::model::secret::Secrets;
use crate::templates::Templates;

/// The largest config, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A config that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The config.
    pub config: Config,
    /// What is probably not meant, in the order of the file.
    pub warnings: Vec<Problem>,
    /// The runbooks that it names, as they were read.
    pub runbooks: BTreeMap<RunbookName, RunbookText>,
    /// The texts of messages: its own, and those that are built in.
    pub templates: Arc<Templates>,
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

/// Reads a config alone: no secret, and none of the files that it names.
///
/// # Errors
///
/// If the file cannot be read, or anything in it is wrong.
pub fn load_alone(path: &Path) -> Result<Config, ConfigError> {
    let text = read_text(path)?;
    let read = parse(&text, &path.display().to_string());
    read.map(|(config, _)| config).map_err(ConfigError::Problems)
}

/// [`load_with`] with the environment as a parameter, so that tests need not change that of the process.
fn load_from(
    path: &Path,
    missing: MissingSecrets,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Loaded, ConfigError> {
    let text = read_text(path)?;
    let digest = hex::encode(Sha256::digest(&text));
    let file = path.display().to_string();
    let text = without_mark(&text);
    let source = Source::new(text, &file);
    let mut report = Report::default();
    let folder = path.parent().unwrap_or(Path::new(""));
    let checked = check_text(&source, Some(folder), &mut report);
    if let (Some(config), Some(span)) = (&checked.config, &checked.theme) {
        themes::check(&config.console.theme, span.clone(), variable, &mut report);
    }
    let level = match missing {
        MissingSecrets::Fail => Level::Error,
        MissingSecrets::Warn => Level::Warning,
    };
    let secrets = secrets::resolve(&checked.secrets, folder, variable, level, &mut report);
    match checked.config {
        Some(config) if !report.has_errors() => Ok(Loaded {
            journal_path: folder.join(&config.store.path),
            config,
            runbooks: checked.runbooks,
            templates: Arc::new(checked.templates),
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
    let checked = check_text(&source, None, &mut report);
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
    /// Where the console's theme is written, if it is.
    theme: Option<std::ops::Range<usize>>,
    runbooks: BTreeMap<RunbookName, RunbookText>,
    templates: Templates,
}

impl Checked {
    fn nothing(secrets: Vec<Reference>) -> Self {
        let templates = Templates::default();
        Self { config: None, secrets, theme: None, runbooks: BTreeMap::new(), templates }
    }
}

/// Checks a text; with the folder that its files are relative to also the runbooks that it names.
fn check_text(source: &Source<'_>, folder: Option<&Path>, report: &mut Report) -> Checked {
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
        return Checked::nothing(secrets);
    }
    match Config::deserialize(table_json(&tree.root)) {
        Ok(config) => {
            check::check(&config, &tree, report);
            let theme = place!["console", "theme"];
            let theme = tree.get(&theme).is_some().then(|| tree.value_span(&theme));
            let runbooks =
                folder.map(|folder| runbooks::load(&config, &tree, folder, report)).unwrap_or_default();
            let templates =
                folder.map(|folder| templates::load(&config, &tree, folder, report)).unwrap_or_default();
            Checked { config: Some(config), secrets, theme, runbooks, templates }
        }
        // The walk let something pass that serde does not: the place is unknown, the words are serde's.
        Err(error) => {
            report
                .error(0..0, &spanned::Path::default(), format!("the config cannot be read: {error}"))
                .hint("`unship config schema` prints what may be in it");
            Checked::nothing(secrets)
        }
    }
}

/// Editors on Windows begin a file with a byte order mark; it is not part of the text.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = String::from_utf8_lossy(&error.as_bytes()[..at]).matches('\n').count() + 1;
        unreadable(path, format!("line {line} is not UTF-8 text"), "save it as UTF-8")
    })
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error: std::io::Error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return unreadable(path, "there is no such file".to_owned(), NO_FILE);
        }
        unreadable(path, error.to_string(), "check its permissions")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::SecretRef;

    const CONFIG: &str = r#"[environment]
name = "test"
[store]
path = "data/unship.db"
[services.a]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "a" }
[services.a.probes.live]
url = "http://127.0.0.1:1/"
secret_headers = { authorization = "env:TOKEN" }
[triggers.down]
action = "watch"
when = { kind = "consecutive", failures = 1, within = "1m" }
[channels.c]
kind = "webhook"
secret_url = "file:url"
key = "file:keys/key"
"#;

    /// A folder with the config and its secrets.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("unship.toml"), CONFIG).unwrap();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        write(&folder, "keys/key", b"hunter2-key\n");
        write(&folder, "url", b"https://example.com/hunter2-url\r\n");
        folder
    }

    fn write(folder: &tempfile::TempDir, name: &str, content: &[u8]) {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        own(&path, 0o600);
    }

    #[cfg(unix)]
    fn own(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn own(_: &Path, _: u32) {}

    fn token(name: &str) -> Option<OsString> {
        (name == "TOKEN").then(|| "Bearer hunter2-token".into())
    }

    fn load(
        folder: &tempfile::TempDir,
        missing: MissingSecrets,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Loaded, ConfigError> {
        load_from(&folder.path().join("unship.toml"), missing, variable)
    }

    /// What the problems say, without any secret in it.
    fn refused(result: Result<Loaded, ConfigError>) -> Vec<String> {
        match result {
            Err(ConfigError::Problems(problems)) => {
                let text = format!("{problems:?}{}", render(&problems));
                assert!(!text.contains("hunter2"), "{text}");
                problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Secrets are read from variables and from files beside the config, without the line end that editors add.
    #[test]
    fn secrets_are_read() {
        let folder = folder();
        let loaded = load(&folder, MissingSecrets::Fail, &token).unwrap();
        let get =
            |text: &str| loaded.secrets.get(&text.parse::<SecretRef>().unwrap()).unwrap().expose().to_owned();
        assert_eq!(get("env:TOKEN"), "Bearer hunter2-token");
        assert_eq!(get("file:keys/key"), "hunter2-key");
        assert_eq!(get("file:url"), "https://example.com/hunter2-url");
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.journal_path, folder.path().join("data/unship.db"));
        assert_eq!(loaded.digest, hex::encode(Sha256::digest(CONFIG)));
        assert!(!format!("{loaded:?}").contains("hunter2"));
    }

    /// Every way in which a secret cannot be read is said where the config refers to it, and all of them at once.
    #[test]
    fn unreadable_secrets_are_problems() {
        let folder = folder();
        std::fs::remove_file(folder.path().join("keys/key")).unwrap();
        write(&folder, "url", b"\n");
        let said = refused(load(&folder, MissingSecrets::Fail, &|_| None));
        assert_eq!(said.len(), 3, "{said:#?}");
        assert!(said[0].starts_with("services.a.probes.live.secret_headers.authorization: "), "{said:#?}");
        assert!(
            said[0].contains("is not set")
                && said[1].contains("is empty")
                && said[2].contains("cannot be read")
        );
        for (content, words) in [
            (b"hunter2\xff\xfe".to_vec(), "not UTF-8"),
            (b"hunter2".repeat(20_000), "larger than"),
            (b"not an address hunter2".to_vec(), "the address in the secret"),
            (b"https://me:hunter2@example.com".to_vec(), "holds a name or a password"),
            (b"https://example.com/\0hunter2".to_vec(), "NUL"),
        ] {
            write(&folder, "keys/key", b"whsec_abc");
            write(&folder, "url", &content);
            let said = refused(load(&folder, MissingSecrets::Fail, &token));
            assert!(said.iter().all(|text| text.contains(words)), "{words}: {said:#?}");
        }
        write(&folder, "url", b"https://example.com/");
        let said = refused(load(&folder, MissingSecrets::Fail, &|_| Some("two\nlines hunter2".into())));
        assert!(said[0].contains("cannot be sent in a header"), "{said:#?}");
        std::fs::remove_file(folder.path().join("url")).unwrap();
        std::fs::create_dir(folder.path().join("url")).unwrap();
        let said = refused(load(&folder, MissingSecrets::Fail, &token));
        assert!(said[0].contains("is not a file"), "{said:#?}");
    }

    /// On a machine without the secrets a config can still be checked.
    #[test]
    fn missing_secrets_can_be_warnings() {
        let folder = folder();
        let loaded = load(&folder, MissingSecrets::Warn, &|_| None).unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert_eq!((loaded.warnings[0].line, loaded.warnings[0].severity), (9, Level::Warning));
    }

    /// A secret that every user of the machine can read is pointed out.
    #[cfg(unix)]
    #[test]
    fn open_files_are_pointed_out() {
        let folder = folder();
        own(&folder.path().join("keys/key"), 0o644);
        let loaded = load(&folder, MissingSecrets::Fail, &token).unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].message.contains("everyone"), "{}", loaded.warnings[0]);
    }

    /// A file that is not there, is no file or no text is refused in words that say what to do.
    #[test]
    fn files_that_cannot_be_read() {
        let folder = folder();
        let error = load_with(&folder.path().join("other.toml"), MissingSecrets::Fail).unwrap_err();
        assert!(error.to_string().contains("unship demo"), "{error}");
        let error = load_with(folder.path(), MissingSecrets::Fail).unwrap_err();
        assert!(error.to_string().contains("folder"), "{error}");
        std::fs::write(folder.path().join("unship.toml"), b"a = 1\nb = \"\xff\"").unwrap();
        let error = load(&folder, MissingSecrets::Fail, &token).unwrap_err();
        assert!(error.to_string().contains("line 2 is not UTF-8"), "{error}");
    }

    /// A theme that is not there is pointed out where it is named; a person's own is there.
    #[test]
    fn themes_are_looked_for() {
        let folder = folder();
        let own = folder.path().join("unship/themes");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("mine.toml"), "").unwrap();
        let config = folder.path().to_owned();
        let variable =
            |name: &str| if name == "XDG_CONFIG_HOME" { Some(config.clone().into()) } else { token(name) };
        for (theme, warnings) in [("light", 0), ("mine", 0), ("ligth", 1), ("../mine", 1)] {
            let text = format!("{CONFIG}[console]\ntheme = \"{theme}\"\n");
            std::fs::write(folder.path().join("unship.toml"), &text).unwrap();
            let loaded = load(&folder, MissingSecrets::Fail, &variable).unwrap();
            assert_eq!(loaded.warnings.len(), warnings, "{theme}");
            for warning in loaded.warnings {
                assert_eq!((warning.line, warning.path.as_str()), (18, "console.theme"));
                assert!(warning.message.contains("there is no theme"), "{warning}");
                assert!(warning.hint.unwrap().contains("themes: dark, light"));
            }
        }
    }

    /// Mistakes in the file and missing secrets come together.
    #[test]
    fn mistakes_and_missing_secrets_come_together() {
        let folder = folder();
        let text = CONFIG.replace("failures = 1", "failures = \"one\"");
        std::fs::write(folder.path().join("unship.toml"), text).unwrap();
        assert_eq!(refused(load(&folder, MissingSecrets::Fail, &|_| None)).len(), 2);
    }
}
