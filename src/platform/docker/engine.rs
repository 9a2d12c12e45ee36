//! The engine's API, as far as it is needed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    ListContainersOptionsBuilder, LogsOptionsBuilder, StartContainerOptions, StatsOptionsBuilder,
    StopContainerOptionsBuilder,
};
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::timeout;

use super::super::PlatformError;
use super::super::image;
use super::super::text::{escape, first};
use crate::model::ReleaseRef;
use crate::model::fault::causes;
use crate::model::platform::{Instance, LogLine, LogQuery, Variable, VariableValue};
use crate::model::secret::Secret;

/// Time for one call, but for the stop of a container, which has its own.
const PATIENCE: Duration = Duration::from_secs(15);
/// The label with the version, by <https://specs.opencontainers.org/image-spec/annotations/>.
const VERSION: &str = "org.opencontainers.image.version";

/// An engine. It is connected to when it is first needed.
pub(super) struct Engine {
    host: Option<String>,
    docker: OnceCell<bollard::Docker>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("host", &self.host).finish_non_exhaustive()
    }
}

/// A container as the engine shows it.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image_id: String,
    pub(super) created: Timestamp,
    /// `created`, `running`, `paused`, `restarting`, `exited`, `dead`.
    pub(super) state: String,
    /// `starting`, `healthy`, `unhealthy`; none where the image has no health check.
    health: Option<String>,
    image_name: String,
    label: Option<String>,
    restarts: u32,
    started: Option<Timestamp>,
    exit: Option<i64>,
}

impl Container {
    /// What people call what it runs.
    pub(super) fn version(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None if self.image_name.starts_with("sha256:") => self.image(),
            None => image::version(&self.image_name),
        }
    }

    /// The beginning of its image's digest.
    pub(super) fn image(&self) -> String {
        first(self.image_id.trim_start_matches("sha256:"), 12).to_owned()
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state == "running" && self.health.as_deref().is_none_or(|health| health == "healthy")
    }

    /// It is on its way.
    pub(super) fn is_coming(&self) -> bool {
        self.state == "restarting" || (self.state == "running" && self.health.as_deref() == Some("starting"))
    }

    /// It was started and is not there any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state.as_str(), "exited" | "dead")
    }

    /// What is wrong with it, if it should run.
    pub(super) fn trouble(&self) -> Option<String> {
        match (self.state.as_str(), self.health.as_deref()) {
            ("running", Some("unhealthy")) => Some("is unhealthy".to_owned()),
            ("restarting", _) => Some(format!("is in a restart loop ({} times)", self.restarts)),
            ("dead", _) => Some("is dead".to_owned()),
            _ => None,
        }
    }

    /// Its state in words.
    pub(super) fn words(&self) -> String {
        match (&self.health, self.exit) {
            (Some(health), _) if self.state == "running" => format!("running, {}", escape(health)),
            (_, Some(code)) if self.has_ended() => format!("{} with {code}", escape(&self.state)),
            _ => escape(&self.state),
        }
    }
}

/// What an error of the engine means. `changes`: the call was to change something.
fn fault(what: &str, changes: bool, error: &Error) -> PlatformError {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            let reason = format!("could not {what}: answered {status_code}: {}", escape(message.trim()));
            match status_code {
                408 | 429 | 503 => PlatformError::Transient(reason),
                // A port that is taken is said with 500, at the start.
                _ => PlatformError::Permanent(reason),
            }
        }
        Error::RequestTimeoutError if changes => {
            PlatformError::Unclear(format!("could not {what}: the engine did not answer in time"))
        }
        error => PlatformError::Transient(format!("could not {what}: {}", escape(&causes(error)))),
    }
}

impl Engine {
    pub(super) fn new(host: Option<&str>) -> Self {
        Self { host: host.map(str::to_owned), docker: OnceCell::new() }
    }

    /// The connection, in the newest version of the API that both speak.
    async fn docker(&self) -> Result<&bollard::Docker, PlatformError> {
        self.docker
            .get_or_try_init(|| async {
                let docker = match &self.host {
                    Some(host) => bollard::Docker::connect_with_host(host),
                    None => bollard::Docker::connect_with_defaults(),
                };
                let docker = docker.map_err(|error| {
                    let reason = format!("the engine cannot be reached: {}", escape(&causes(&error)));
                    match error {
                        Error::UnsupportedURISchemeError { .. } => PlatformError::Permanent(reason),
                        // Its socket is not there while it is started again.
                        _ => PlatformError::Transient(reason),
                    }
                })?;
                let negotiated = timeout(PATIENCE, docker.negotiate_version()).await;
                let silent = || PlatformError::Transient("the engine did not answer in time".to_owned());
                negotiated.map_err(|_| silent())?.map_err(|error| fault("reach the engine", false, &error))
            })
            .await
    }

    pub(super) async fn version(&self) -> Result<String, PlatformError> {
        let version = self.docker().await?.version().await;
        let version = version.map_err(|error| fault("ask the engine for its version", false, &error))?;
        let word = |text: Option<String>| escape(&text.unwrap_or_else(|| "?".to_owned()));
        Ok(format!("Docker {}, API {}", word(version.version), word(version.api_version)))
    }

    /// All containers that have these labels, also those that are stopped, by name.
    pub(super) async fn containers(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<Vec<Container>, PlatformError> {
        let docker = self.docker().await?;
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| fault("list the containers", false, &error))?;
        let mut all = Vec::with_capacity(listed.len());
        for id in listed.into_iter().filter_map(|container| container.id) {
            match docker.inspect_container(&id, None).await {
                Ok(inspected) => all.push(container(id, inspected)),
                // It was removed in between.
                Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
                Err(error) => return Err(fault("look at a container", false, &error)),
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Starts a container; one that runs is left alone.
    pub(super) async fn start(&self, id: &str) -> Result<(), PlatformError> {
        let docker = self.docker().await?;
        let started = docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| fault("start a container", true, &error))
    }

    /// Asks a container to end, and kills it when it has not within this time.
    pub(super) async fn stop(&self, id: &str, within: Duration) -> Result<(), PlatformError> {
        let docker = self.docker().await?;
        let seconds = i32::try_from(within.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let stopped = docker.stop_container(id, Some(options)).await;
        stopped.map_err(|error| fault("stop a container", true, &error))
    }

    /// A container with what it uses, where the engine says so in time.
    pub(super) async fn instance(&self, container: &Container, release: Option<ReleaseRef>) -> Instance {
        let used = timeout(PATIENCE, self.used(&container.id)).await.ok().flatten();
        Instance {
            name: escape(&container.name),
            release,
            state: container.words(),
            ready: container.is_ready(),
            restarts: Some(container.restarts),
            cpu_cores: used.and_then(|(cpu, _)| cpu),
            memory_bytes: used.and_then(|(_, memory)| memory),
            since: container.started,
        }
    }

    /// Cores and bytes, from two samples of the engine's own.
    async fn used(&self, id: &str) -> Option<(Option<f64>, Option<u64>)> {
        let docker = self.docker().await.ok()?;
        let options = StatsOptionsBuilder::new().stream(false).one_shot(false).build();
        let stats = Box::pin(docker.stats(id, Some(options))).next().await?.ok()?;
        let memory = stats.memory_stats.and_then(|memory| {
            // What the page cache holds could be given back at once: `docker stats` leaves it out, too.
            let cache = memory.stats.as_ref().and_then(|stats| {
                stats.get("inactive_file").or_else(|| stats.get("total_inactive_file")).copied()
            });
            memory.usage.map(|usage| usage.saturating_sub(cache.unwrap_or(0)))
        });
        let now = stats.cpu_stats?;
        let before = stats.precpu_stats?;
        let total = |stats: &bollard::models::ContainerCpuStats| stats.cpu_usage.as_ref()?.total_usage;
        let cpu = || {
            let used = total(&now)?.checked_sub(total(&before)?)?;
            let passed =
                now.system_cpu_usage?.checked_sub(before.system_cpu_usage?).filter(|passed| *passed > 0)?;
            Some(used as f64 / passed as f64 * f64::from(now.online_cpus?))
        };
        Some((cpu(), memory))
    }

    /// The environment variables that a container was made with, those of its image among them.
    pub(super) async fn variables(&self, container: &Container) -> Result<Vec<Variable>, PlatformError> {
        let inspected = self.docker().await?.inspect_container(&container.id, None).await;
        let inspected = inspected.map_err(|error| fault("look at a container", false, &error))?;
        let lines = inspected.config.and_then(|config| config.env).unwrap_or_default();
        let variable = |line: String| {
            let (name, value) = line.split_once('=')?;
            Some(Variable {
                container: Some(container.name.clone()),
                name: name.to_owned(),
                value: VariableValue::Plain(Secret::new(value)),
            })
        };
        Ok(lines.into_iter().filter_map(variable).collect())
    }

    /// Gives a container's lines to `out`, and what comes if that is wanted.
    pub(super) async fn follow(
        &self,
        container: &Container,
        query: &LogQuery,
        out: &mpsc::Sender<LogLine>,
    ) -> Result<(), PlatformError> {
        let docker = self.docker().await?;
        let since = query.since.map_or(0, |since| i32::try_from(since.as_second()).unwrap_or(0));
        let options = LogsOptionsBuilder::new()
            .follow(query.follow)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(since)
            .tail(&query.tail.to_string())
            .build();
        let mut lines = Box::pin(docker.logs(&container.id, Some(options)));
        loop {
            let next = tokio::select! {
                next = lines.next() => next,
                () = out.closed() => return Ok(()),
            };
            let chunk = match next {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => return Err(fault("read a container's log", false, &error)),
                None => return Ok(()),
            };
            let (LogOutput::StdErr { message }
            | LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message }) = chunk;
            let text = String::from_utf8_lossy(&message);
            for line in text.trim_end_matches(['\r', '\n']).split('\n') {
                let (at, rest) = line.split_once(' ').unwrap_or((line, ""));
                let at: Option<Timestamp> = at.parse().ok();
                let text = if at.is_some() { rest } else { line };
                let line = LogLine {
                    at,
                    instance: container.name.clone(),
                    text: text.trim_end_matches('\r').to_owned(),
                };
                if out.send(line).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
}

fn container(id: String, seen: ContainerInspectResponse) -> Container {
    let state = seen.state.unwrap_or_default();
    let config = seen.config.unwrap_or_default();
    let word = |word: Option<String>| word.filter(|word| !word.is_empty() && word != "none");
    Container {
        name: seen.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        image_id: seen.image.unwrap_or_default(),
        created: seen.created.and_then(|at| at.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH),
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        health: word(state.health.and_then(|health| health.status).map(|status| status.to_string())),
        image_name: config.image.unwrap_or_default(),
        label: config.labels.and_then(|mut labels| labels.remove(VERSION)).filter(|label| !label.is_empty()),
        restarts: seen.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        started: state.started_at.and_then(|at| at.parse().ok()).filter(|at| *at > Timestamp::UNIX_EPOCH),
        exit: state.exit_code,
        id,
    }
}
