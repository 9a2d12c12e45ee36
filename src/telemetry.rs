//! The program's own log: a file a day, the last seven kept, never a word on the screen and never a secret.
//!
//! Telemetry serves the program and never the other way round: if the log cannot be written, that is said once on
//! stderr and everything else goes on.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::model::secret::Secrets;

/// What is logged when `UNSHIP_LOG` does not say.
const FILTER: &str = "unship=info,warn";

/// How many days of logs are kept.
const DAYS: usize = 7;

/// The running log. Dropping it writes out what is still in memory: keep it until the program ends.
#[derive(Debug)]
pub struct Telemetry {
    redactor: Redactor,
    directory: Option<PathBuf>,
    _guard: Option<WorkerGuard>,
}

impl Telemetry {
    /// Where secrets are made known, so that they never reach the log.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The folder with the log files; none if there is no log.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }
}

/// Starts the log in a folder, or in the user's own if none is given. To be called once, first of all.
///
/// A log that cannot be written is reported on stderr; the program goes on without.
pub fn start(log_dir: Option<&Path>) -> Telemetry {
    start_with(log_dir.map(Path::to_owned).or_else(default_directory), &mut io::stderr())
}

fn start_with(directory: Option<PathBuf>, complaints: &mut dyn Write) -> Telemetry {
    let redactor = Redactor::default();
    let mut complain = |text: String| {
        // Without a stderr there is nobody left to tell.
        let _ = writeln!(complaints, "unship: {text}");
    };
    let none = || Telemetry { redactor: Redactor::default(), directory: None, _guard: None };
    let Some(directory) = directory else {
        complain("no log is written: there is no home folder; name a folder with `--log-dir`".to_owned());
        return none();
    };
    let appender = match open(&directory) {
        Ok(appender) => appender,
        Err(reason) => {
            complain(format!(
                "no log is written: cannot use the folder `{}`: {reason}; name another with `--log-dir`",
                directory.display()
            ));
            return none();
        }
    };
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = match std::env::var("UNSHIP_LOG") {
        Ok(text) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            complain(format!("`UNSHIP_LOG` is not a filter: {error}; using `{FILTER}`"));
            EnvFilter::new(FILTER)
        }),
        Err(_) => EnvFilter::new(FILTER),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Redacted { redactor: redactor.clone(), inner: writer })
        .finish();
    // An embedding program may have its own subscriber; then the log is its matter.
    let directory = tracing::subscriber::set_global_default(subscriber).is_ok().then_some(directory);
    Telemetry { redactor, directory, _guard: Some(guard) }
}

/// `$XDG_STATE_HOME/unship`, or `~/.local/state/unship`.
fn default_directory() -> Option<PathBuf> {
    state_directory(std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), std::env::home_dir())
}

/// The XDG Base Directory Specification has relative paths ignored.
fn state_directory(state: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let state = state.filter(|path| path.is_absolute());
    let home = home.filter(|path| !path.as_os_str().is_empty());
    state.or_else(|| home.map(|home| home.join(".local/state"))).map(|path| path.join("unship"))
}

fn open(directory: &Path) -> Result<RollingFileAppender, String> {
    create(directory).map_err(|error| error.to_string())?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("unship")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(directory)
        .map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            cause.unwrap_or_else(|| error.to_string())
        })
}

/// A log is for its owner: it names hosts, people and what went wrong.
#[cfg(unix)]
fn create(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn create(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}

/// Takes known secrets out of text. Clones share what they know.
#[derive(Clone, Default, Debug)]
pub struct Redactor(Arc<RwLock<Vec<Arc<Secrets>>>>);

impl Redactor {
    /// Makes secrets known; from now on they do not reach the log.
    pub fn register(&self, secrets: Arc<Secrets>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|other| Arc::ptr_eq(other, &secrets)) {
            known.push(secrets);
        }
    }

    /// The text without any of them.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(Cow::Borrowed(text), |text, secrets| Cow::Owned(secrets.redact(&text)))
    }
}

/// Makes a writer for each event.
struct Redacted<M> {
    redactor: Redactor,
    inner: M,
}

impl<'w, M: MakeWriter<'w>> MakeWriter<'w> for Redacted<M> {
    type Writer = Event<M::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        Event { redactor: self.redactor.clone(), inner: self.inner.make_writer(), text: Vec::new() }
    }
}

/// Collects one event and writes it, redacted, when it is complete: a secret may come in pieces or over several lines.
struct Event<W: Write> {
    redactor: Redactor,
    inner: W,
    text: Vec<u8>,
}

impl<W: Write> Event<W> {
    fn finish(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        self.inner.write_all(self.redactor.redact(&String::from_utf8_lossy(&text)).as_bytes())
    }
}

impl<W: Write> Write for Event<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: half an event may be half a secret.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for Event<W> {
    fn drop(&mut self) {
        // A log that cannot be written does not stop what it would have told about.
        let _ = self.finish();
    }
}

/// The writer that the log uses outside tests.
const _: fn() = || {
    fn makes_writers<T: for<'w> MakeWriter<'w>>() {}
    makes_writers::<Redacted<NonBlocking>>();
};

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::secret::Secret;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Memory {
        type Writer = Self;

        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    fn secrets(contents: &[&str]) -> Arc<Secrets> {
        let mut secrets = Secrets::default();
        for (index, content) in contents.iter().enumerate() {
            secrets.insert(format!("env:S{index}").parse().unwrap(), Secret::new(*content));
        }
        Arc::new(secrets)
    }

    /// Whatever way a secret gets into an event (message, field, span, debug form), it is not in the log; one that is
    /// registered later is kept out from then on.
    #[test]
    fn no_secret_reaches_the_log() {
        let memory = Memory::default();
        let redactor = Redactor::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(Redacted { redactor: redactor.clone(), inner: memory.clone() })
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            redactor.register(secrets(&["hunter2hunter2", "with \"quotes\"\\"]));
            let _span = tracing::info_span!("call", token = "hunter2hunter2").entered();
            tracing::info!(header = "Bearer hunter2hunter2", "sent hunter2hunter2");
            tracing::info!(body = ?"with \"quotes\"\\", "answer: {}", "with \"quotes\"\\");
            redactor.register(secrets(&["later-secret"]));
            tracing::warn!("later-secret");
        });
        let text = memory.text();
        assert!(text.contains("[redacted]") && text.contains("call"), "{text}");
        for secret in ["hunter2", "quotes", "later-secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    /// A secret that arrives in two writes, with a flush and a line end between them, is still found.
    #[test]
    fn a_secret_in_pieces_is_found() {
        let memory = Memory::default();
        let redactor = Redactor::default();
        redactor.register(secrets(&["first half\nsecond half"]));
        let maker = Redacted { redactor, inner: memory.clone() };
        {
            let mut event = maker.make_writer();
            event.write_all(b"a first ha").unwrap();
            event.flush().unwrap();
            event.write_all(b"lf\nsecond half z\n").unwrap();
            assert_eq!(memory.text(), "", "nothing is written before the event is complete");
        }
        assert_eq!(memory.text(), "a [redacted] z\n");
    }

    /// A folder that cannot be used is reported once, and the program goes on without a log.
    #[test]
    fn an_unusable_folder_is_reported_and_survived() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mut complaints = Vec::new();
        let telemetry = start_with(Some(file.join("below-a-file")), &mut complaints);
        assert_eq!(telemetry.directory(), None);
        let text = String::from_utf8(complaints).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("below-a-file") && text.contains("--log-dir"), "{text}");
        let mut complaints = Vec::new();
        start_with(None, &mut complaints);
        assert_eq!(String::from_utf8(complaints).unwrap().lines().count(), 1);
    }

    /// The log is where the XDG specification puts a program's state.
    #[test]
    fn the_folder_is_the_users_state() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(state_directory(path("/state"), path("/home/a")), path("/state/unship"));
        assert_eq!(state_directory(path("relative"), path("/home/a")), path("/home/a/.local/state/unship"));
        assert_eq!(state_directory(None, path("/home/a")), path("/home/a/.local/state/unship"));
        assert_eq!(state_directory(None, None), None);
    }

    /// What is written is in a file in the folder once the guard is dropped, and no more than seven are kept.
    #[test]
    fn the_log_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for day in 1..=9 {
            std::fs::write(folder.path().join(format!("unship.2020-01-0{day}.log")), "old\n").unwrap();
        }
        let (writer, guard) = tracing_appender::non_blocking(open(folder.path()).unwrap());
        let redactor = Redactor::default();
        redactor.register(secrets(&["hunter2hunter2"]));
        let subscriber = tracing_subscriber::fmt().with_writer(Redacted { redactor, inner: writer }).finish();
        tracing::subscriber::with_default(subscriber, || tracing::info!("started with hunter2hunter2"));
        drop(guard);
        let mut texts = Vec::new();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            texts.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
        assert_eq!(texts.len(), DAYS);
        assert!(texts.iter().any(|text| text.contains("started with [redacted]")), "{texts:?}");
    }
}
