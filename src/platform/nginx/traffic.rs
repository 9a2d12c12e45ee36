//! Moving traffic: the file is written, tested, loaded, and the load is seen, or everything is as it was.
//!
//! `nginx -t` and `nginx -s reload` both end well when a port is taken, and the old configuration goes on. So a change is done
//! only when nginx answers the new generation on new connections. If it does not, the old file is put back.
//!
//! Two files are kept: the generated one, and beside it the one before (`FILE.before`). When a process dies between writing and
//! loading, nginx still answers the generation of the one before, and that file says where the traffic goes.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reqwest::{Client, Url};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::generated::{Generated, Serving, variable};
use crate::model::platform::NginxTrafficSpec;
use crate::platform::process::{self, End, Job};
use crate::platform::text::{escape, first};
use crate::platform::{Call, PlatformError, Progress};

/// Time for one question to nginx.
const ANSWER: Duration = Duration::from_secs(2);
/// Time for `nginx -t` and for the reload's program.
const PROGRAM: Duration = Duration::from_secs(20);
/// How often nginx is asked after a reload.
const LOOK: Duration = Duration::from_millis(25);
/// How many new connections in a row have to be answered by the new configuration: while workers change, one may still
/// come to an old one.
const IN_A_ROW: u32 = 3;
/// Most of what a program says that is shown, in bytes.
const SHOWN: usize = 1_500;

/// What nginx runs, and what the files say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::platform) struct Seen {
    /// What nginx runs.
    pub(in crate::platform) running: Generated,
    /// The generation of the file, to be given back as a precondition.
    pub(in crate::platform) revision: u64,
    /// When the file was written.
    pub(in crate::platform) written: SystemTime,
    /// Nothing is in progress.
    pub(in crate::platform) settled: bool,
    /// The file was not loaded.
    pub(in crate::platform) failed: Option<String>,
}

/// One upstream of one nginx.
#[derive(Debug)]
pub(in crate::platform) struct Traffic {
    file: PathBuf,
    before: PathBuf,
    upstream: String,
    generation: Url,
    test: Vec<String>,
    reload: Vec<String>,
    within: Duration,
    error_log: Option<PathBuf>,
    pub(in crate::platform) has_page: bool,
    client: Client,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Traffic {
    /// Looks at the spec only. The error names the field.
    pub(in crate::platform) fn new(service: &str, spec: &NginxTrafficSpec) -> Result<Self, String> {
        let generation = spec
            .generation
            .parse()
            .map_err(|_| "`traffic.generation` is not an address like `http://127.0.0.1/-/generation`")?;
        // Without a provider reqwest refuses to build, TLS or not. A second install is refused, and that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            // A connection that is kept would be answered by the old worker for as long as it lasts.
            .pool_max_idle_per_host(0)
            .timeout(ANSWER)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        let with = |given: &Option<Vec<String>>, arguments: &[&str]| match given {
            Some(given) => given.clone(),
            None => {
                spec.program.iter().cloned().chain(arguments.iter().map(|one| (*one).to_owned())).collect()
            }
        };
        let file = PathBuf::from(&spec.file);
        let mut before = file.clone().into_os_string();
        before.push(".before");
        Ok(Self {
            before: before.into(),
            file,
            upstream: spec.upstream.clone().unwrap_or_else(|| service.to_owned()),
            generation,
            test: with(&spec.test, &["-t"]),
            reload: with(&spec.reload, &["-s", "reload"]),
            within: *spec.reload_within,
            error_log: spec.error_log.as_ref().map(PathBuf::from),
            has_page: spec.maintenance,
            client,
            changing: Mutex::new(()),
        })
    }

    /// What nginx runs now.
    pub(in crate::platform) async fn read(&self) -> Result<Seen, PlatformError> {
        let (file, written) = self.parsed(&self.file).await?;
        let runs = self.ask().await?;
        if runs == file.generation {
            let revision = file.generation;
            return Ok(Seen { running: file, revision, written, settled: true, failed: None });
        }
        let failed = format!(
            "`{}` has generation {}, but nginx runs {runs}: it was not loaded",
            self.file.display(),
            file.generation
        );
        // Read only now: a change replaces this one first.
        match self.parsed(&self.before).await {
            Ok((before, _)) if before.generation == runs => {
                let age = written.elapsed().unwrap_or(Duration::ZERO);
                Ok(Seen {
                    running: before,
                    revision: file.generation,
                    written,
                    settled: age > self.within + PROGRAM,
                    // Whoever wrote it may be about to load it.
                    failed: (age > self.within).then_some(failed),
                })
            }
            _ => Err(PlatformError::Transient(format!(
                "{failed}, and what that generation says is not known; test and reload nginx by hand"
            ))),
        }
    }

    /// Gives each of these its percent of the traffic, which have to add up to 100, and nobody else any.
    pub(in crate::platform) async fn divide(
        &self,
        backends: Vec<Serving>,
        call: &Call,
    ) -> Result<String, PlatformError> {
        let sum: u32 = backends.iter().map(|backend| u32::from(backend.percent)).sum();
        if sum != 100 {
            return Err(PlatformError::Permanent(format!("the shares add up to {sum} %, expected 100 %")));
        }
        self.change(call, |now| Generated { backends, ..now }).await
    }

    /// Turns the maintenance page on or off.
    pub(in crate::platform) async fn maintain(&self, on: bool, call: &Call) -> Result<String, PlatformError> {
        self.change(call, |now| Generated { maintenance: on, ..now }).await
    }

    /// Makes the change, and sees it, or leaves everything as it was.
    async fn change(
        &self,
        call: &Call,
        change: impl FnOnce(Generated) -> Generated + Send,
    ) -> Result<String, PlatformError> {
        let progress = &call.progress;
        let _one = self.changing.lock().await;
        let seen = self.read().await?;
        if let Some(expected) =
            call.revision.as_deref().filter(|expected| *expected != seen.revision.to_string())
        {
            return Err(PlatformError::Transient(format!(
                "`{}` was changed meanwhile: generation {} where {expected} was read",
                self.file.display(),
                seen.revision
            )));
        }
        let runs = seen.running.generation;
        let old = seen.running.render(&self.upstream);
        let mut wanted = change(seen.running);
        // Above whatever was written and not loaded, too.
        wanted.generation = seen.revision.max(runs) + 1;
        let generation = wanted.generation;
        let log_from = self.log_length().await;
        write(&self.before, &old).await?;
        write(&self.file, &wanted.render(&self.upstream)).await?;
        progress.line(&format!("wrote generation {generation} to {}", self.file.display()));
        if let Err(reason) = self.program("test", &self.test).await {
            self.put_back(&old, progress).await?;
            return Err(PlatformError::Permanent(format!("nginx refuses the new configuration: {reason}")));
        }
        progress.line("nginx takes the configuration");
        if let Err(reason) = self.program("reload", &self.reload).await {
            self.put_back(&old, progress).await?;
            return Err(PlatformError::Permanent(format!("nginx could not be reloaded: {reason}")));
        }
        if self.answers(generation).await {
            progress.line(&format!("nginx runs generation {generation}"));
            return Ok(format!("nginx runs generation {generation}"));
        }
        self.put_back(&old, progress).await?;
        let within = crate::model::units::human(self.within);
        let why = self.emergency(log_from).await.map_or_else(
            || "; its error log may say why".to_owned(),
            |said| format!("; its error log says: {said}"),
        );
        // What it loads if the reload is only late is the old file again.
        Err(PlatformError::Permanent(format!(
            "nginx still runs generation {runs} {within} after the reload, so the old file was put back{why}"
        )))
    }

    /// Whether nginx could be told of a change: the rows of a check.
    pub(in crate::platform) async fn can_change(&self) -> Result<String, String> {
        let probe = beside(&self.file);
        let written = tokio::fs::write(&probe, "# a test whether this folder can be written\n").await;
        let _ = tokio::fs::remove_file(&probe).await;
        written.map_err(|error| {
            format!(
                "the folder of `{}` cannot be written: {error}; give unship's user the right",
                self.file.display()
            )
        })?;
        self.program("test", &self.test).await?;
        Ok("the folder can be written, and the configuration test passes".to_owned())
    }

    /// The generation that nginx answers on a new connection.
    async fn ask(&self) -> Result<u64, PlatformError> {
        let url = &self.generation;
        let unreachable = |why: &str| {
            PlatformError::Transient(format!("nginx does not answer its generation at {url}: {why}"))
        };
        let answer = self.client.get(url.clone()).send().await.map_err(|error| {
            unreachable(if error.is_connect() { "no connection" } else { "no answer in time" })
        })?;
        let status = answer.status();
        let text = answer.text().await.map_err(|_| unreachable("the answer was cut off"))?;
        text.trim().parse().map_err(|_| {
            PlatformError::Permanent(format!(
                "{url} answered {} with `{}` where the generation was expected; nginx needs `location = {} {{ return 200 \"{}\"; }}`",
                status.as_u16(),
                escape(first(text.trim(), 60)),
                url.path(),
                variable(&self.upstream, "generation"),
            ))
        })
    }

    /// Asks until the new configuration answers, several times in a row, or time is over.
    async fn answers(&self, generation: u64) -> bool {
        let until = Instant::now() + self.within;
        let mut in_a_row = 0;
        while in_a_row < IN_A_ROW {
            match self.ask().await {
                Ok(runs) if runs == generation => {
                    in_a_row += 1;
                    continue;
                }
                _ => in_a_row = 0,
            }
            if Instant::now() >= until {
                return false;
            }
            sleep(LOOK).await;
        }
        true
    }

    async fn parsed(&self, path: &Path) -> Result<(Generated, SystemTime), PlatformError> {
        let shown = path.display();
        let read = async {
            let written = tokio::fs::metadata(path).await?.modified()?;
            Ok::<_, std::io::Error>((tokio::fs::read_to_string(path).await?, written))
        };
        let (text, written) = read.await.map_err(|error| {
            let hint = if error.kind() == std::io::ErrorKind::NotFound {
                "; the page of nginx in the documentation has the file to begin with"
            } else {
                ""
            };
            PlatformError::Permanent(format!("`{shown}` cannot be read: {error}{hint}"))
        })?;
        let parsed = Generated::parse(&text, &self.upstream)
            .map_err(|reason| PlatformError::Permanent(format!("`{shown}`: {reason}")))?;
        Ok((parsed, written))
    }

    async fn put_back(&self, old: &str, progress: &Progress) -> Result<(), PlatformError> {
        write(&self.file, old).await.map_err(|error| {
            PlatformError::Unclear(format!(
                "the new configuration is not loaded, and the old file could not be put back: {error}; look before nginx is reloaded"
            ))
        })?;
        progress.line("the old file was put back");
        Ok(())
    }

    /// Runs a program; what it says on failure.
    async fn program(&self, what: &str, argv: &[String]) -> Result<(), String> {
        let Some((program, arguments)) = argv.split_first() else {
            return Err(format!("`traffic.{what}` names no program"));
        };
        let job = Job {
            program: program.clone(),
            arguments: arguments.to_vec(),
            dir: None,
            env: Vec::new(),
            timeout: PROGRAM,
        };
        let shown = escape(&argv.join(" "));
        let finished = process::run(&job, &|_| {}).await.map_err(|error| {
            format!("`{shown}` could not be started: {error}; `traffic.program` says which program")
        })?;
        let said = finished.stderr.text();
        let said = escape(first(said.trim(), SHOWN));
        match finished.end {
            End::Exited(status) if status.success() => Ok(()),
            End::Exited(status) => Err(format!("`{shown}` ended with {status}: {said}")),
            End::TimedOut => Err(format!("`{shown}` did not end within {} s", PROGRAM.as_secs())),
            End::Lost(error) => Err(format!("`{shown}` was lost sight of: {error}")),
        }
    }

    async fn log_length(&self) -> u64 {
        let Some(log) = &self.error_log else { return 0 };
        tokio::fs::metadata(log).await.map_or(0, |metadata| metadata.len())
    }

    /// The last `[emerg]` that nginx has logged since then.
    async fn emergency(&self, from: u64) -> Option<String> {
        let read = async {
            let mut file = tokio::fs::File::open(self.error_log.as_ref()?).await.ok()?;
            file.seek(std::io::SeekFrom::Start(from)).await.ok()?;
            let mut bytes = Vec::new();
            file.take(256 * 1024).read_to_end(&mut bytes).await.ok()?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let line = text.lines().rev().find(|line| line.contains("[emerg]"))?;
            Some(escape(first(line.trim(), 400)))
        };
        timeout(ANSWER, read).await.ok().flatten()
    }
}

/// A name in the same folder that is nobody else's. nginx includes `*.conf` from folders, so it does not end like that.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    name.into()
}

/// Replaces a file as a whole: whoever reads it meanwhile sees the old or the new one.
async fn write(path: &Path, text: &str) -> Result<(), PlatformError> {
    let new = beside(path);
    let write = async {
        let mut file = tokio::fs::File::create(&new).await?;
        file.write_all(text.as_bytes()).await?;
        file.sync_all().await?;
        tokio::fs::rename(&new, path).await
    };
    let result: std::io::Result<()> = write.await;
    if let Err(error) = result {
        let _ = tokio::fs::remove_file(&new).await;
        return Err(PlatformError::Permanent(format!(
            "`{}` cannot be written: {error}; its folder has to be writable for unship's user",
            path.display()
        )));
    }
    Ok(())
}
