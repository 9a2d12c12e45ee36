//! GitHub Actions: a rollback runs a workflow and follows the run that it started, and no other
//! (<https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event>).
//!
//! | state | call | twice |
//! |---|---|---|
//! | always | `POST …/dispatches` with `return_run_details`, then the run is followed until it has ended | two runs |
//!
//! Every dispatch is a new run, so a lost answer is the danger. With `key_input` the run carries a key of ours in its title, and
//! whoever comes again looks for it before dispatching; without it a lost answer is left to a person. Giving up on a run does
//! not cancel it: half a rollback is worse than a whole one, and whoever starts again goes on following it.
//!
//! The history is the environment's deployments: a release is a commit, which was served when its deployment became `success`
//! (GitHub marks it `inactive` when the next one does).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::rest::{Ask, Auth, Rest};
use super::serving::{self, Asker};
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, reading, shares};
use crate::model::platform::{Capabilities, Check, CheckOutcome, Declares, GithubSpec, PlatformAction};
use crate::model::release::{Inventory, Release};
use crate::model::secret::Secrets;
use crate::model::{ReleaseRef, ServiceName, placeholder};

/// Deployments that are looked at.
const DEPLOYMENTS: &str = "30";
/// How long a run is looked for that an earlier attempt may have started: it shows after up to 15 s.
const APPEARS: Duration = Duration::from_secs(20);
/// Time between two looks at a run: short at first.
const LOOKS: [u64; 4] = [1, 2, 3, 5];
/// Time between two looks at a run that takes long.
const SLOW: Duration = Duration::from_secs(10);

/// A service that a workflow deploys.
#[derive(Debug)]
pub struct Github {
    spec: GithubSpec,
    service: ServiceName,
    owner: String,
    repository: String,
    rest: Rest,
    asker: Asker,
    /// Deployments whose state does not change any more.
    ended: Mutex<BTreeMap<u64, String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Deployment {
    id: u64,
    sha: String,
    #[serde(rename = "ref", default)]
    branch: String,
    created_at: Timestamp,
    creator: Option<Person>,
}

#[derive(Clone, Debug, Deserialize)]
struct Person {
    #[serde(default)]
    login: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(default)]
    state: String,
}

/// A run of the workflow.
#[derive(Clone, Debug, Deserialize)]
struct Run {
    id: u64,
    #[serde(default)]
    status: Option<String>,
    conclusion: Option<String>,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    display_title: String,
}

impl Github {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(
        service: &ServiceName,
        spec: &GithubSpec,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let auth = Auth::token(spec.token.as_ref(), spec.token_command.as_deref(), secrets).map_err(wrong)?;
        let (owner, repository) = spec
            .repository
            .split_once('/')
            .ok_or_else(|| wrong("`repository` is not `owner/name`".to_owned()))?;
        let rest = Rest::new(&spec.base_url, auth, Arc::clone(secrets))
            .map_err(|reason| wrong(format!("`base_url`: {reason}")))?
            .with_headers(&[
                ("accept", "application/vnd.github+json"),
                ("x-github-api-version", "2022-11-28"),
            ]);
        Ok(Self {
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            spec: spec.clone(),
            service: service.clone(),
            rest,
            asker: Asker::new(),
            ended: Mutex::default(),
        })
    }

    /// A path below the repository.
    fn path<'a>(&'a self, rest: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        ["repos", &self.owner, &self.repository].into_iter().chain(rest).collect()
    }

    /// The environment's deployments with their state, newest first.
    async fn deployments(&self) -> Result<Vec<(Deployment, String)>, PlatformError> {
        let ask = Ask::get("list the deployments", self.path(["deployments"]))
            .query("environment", &self.spec.environment)
            .query("per_page", DEPLOYMENTS);
        let mut deployments: Vec<Deployment> = self.rest.read(&ask).await?;
        deployments.sort_by_key(|deployment| std::cmp::Reverse(deployment.created_at));
        let mut all = Vec::with_capacity(deployments.len());
        for deployment in deployments {
            let state = self.state(deployment.id).await?;
            all.push((deployment, state));
        }
        Ok(all)
    }

    async fn state(&self, deployment: u64) -> Result<String, PlatformError> {
        let known = self.ended.lock().unwrap_or_else(PoisonError::into_inner).get(&deployment).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let id = deployment.to_string();
        let ask = Ask::get("read a deployment's state", self.path(["deployments", &id, "statuses"]))
            .query("per_page", "1");
        let statuses: Vec<Status> = self.rest.read(&ask).await?;
        let state = statuses.into_iter().next().map_or_else(|| "pending".to_owned(), |status| status.state);
        if matches!(state.as_str(), "inactive" | "failure" | "error") {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.insert(deployment, state.clone());
        }
        Ok(state)
    }

    /// Text of the config with what is known put in.
    fn fill(&self, text: &str, release: &Release) -> String {
        placeholder::fill(text, |name| match name {
            "version" => Some(release.version.as_str().into()),
            "release" => Some(release.reference.as_str().into()),
            placeholder::SERVICE => Some(self.service.as_str().into()),
            _ => None,
        })
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let title = format!("unship {}", call.key.as_str());
        if call.may_have_happened && self.spec.key_input.is_some() {
            call.progress.line("looking for the run that an earlier attempt may have started");
            if let Some(run) = self.find(&title, APPEARS).await? {
                call.progress.line(&format!("an earlier attempt started the run: {}", escape(&run.html_url)));
                return self.follow(run, call).await;
            }
        }
        let seen = self.read().await?;
        if let Some(expected) =
            call.revision.as_ref().filter(|expected| Some(*expected) != seen.revision.as_ref())
        {
            return Err(PlatformError::Transient(format!(
                "there is a newer deployment meanwhile: {} where {expected} was read",
                seen.revision.as_deref().unwrap_or("none")
            )));
        }
        let target = seen.release(release).ok_or_else(|| {
            PlatformError::Permanent(format!(
                "`{release}` is not among the last {DEPLOYMENTS} deployments of `{}` that went well",
                self.spec.environment
            ))
        })?;
        let mut inputs: BTreeMap<&str, String> = BTreeMap::new();
        inputs.extend(self.spec.inputs.iter().map(|(name, text)| (name.as_str(), self.fill(text, target))));
        if let Some(name) = &self.spec.key_input {
            inputs.insert(name, title.clone());
        }
        let body = json!({
            "ref": self.fill(&self.spec.branch, target), "inputs": inputs, "return_run_details": true,
        });
        let path = self.path(["actions", "workflows", &self.spec.workflow, "dispatches"]);
        let ask = Ask::new(Method::POST, "start the workflow", path).body(&body);
        let reply = self.rest.act(&ask).await?;
        call.progress.line(&format!("start {} … {}", self.spec.workflow, reply.status.as_u16()));
        if reply.status.as_u16() == 404 {
            return Err(PlatformError::Permanent(format!(
                "{}; GitHub says this also of a repository or workflow that the token may not use (Actions: write)",
                reply.reason()
            )));
        }
        if reply.status.as_u16() == 403 && reply.is_limited() {
            return Err(PlatformError::Transient(reply.reason()));
        }
        let reply = reply.taken()?;
        let id =
            serde_json::from_str::<Value>(&reply.body).ok().and_then(|body| body["workflow_run_id"].as_u64());
        let run = match id {
            Some(id) => self.run(id).await?,
            // Older Enterprise servers do not say which run it is.
            None if self.spec.key_input.is_some() => self.find(&title, APPEARS).await?.ok_or_else(|| {
                PlatformError::Unclear(
                    "the workflow was started, and no run shows the key; does its `run-name` hold the input that `key_input` names?"
                        .to_owned(),
                )
            })?,
            None => {
                return Err(PlatformError::Unclear(
                    "the workflow was started, and this server does not say as which run; set `key_input` so that it can be found"
                        .to_owned(),
                ));
            }
        };
        self.follow(run, call).await
    }

    async fn run(&self, id: u64) -> Result<Run, PlatformError> {
        let id = id.to_string();
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let reply = self.rest.ask(&Ask::get("read the run", self.path(["actions", "runs", &id]))).await;
            match reply {
                Ok(reply) if reply.status.is_success() => return reply.json(),
                // It was just made, and not every server knows it yet.
                Ok(reply) if reply.status.as_u16() == 404 && Instant::now() < until => {}
                Ok(reply) => return Err(PlatformError::Unclear(reply.reason())),
                Err(error) => return Err(error),
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// The run whose title has this key, looked for until it must have appeared.
    async fn find(&self, key: &str, within: Duration) -> Result<Option<Run>, PlatformError> {
        #[derive(Deserialize)]
        struct Runs {
            #[serde(default)]
            workflow_runs: Vec<Run>,
        }
        let until = Instant::now() + within;
        loop {
            let path = self.path(["actions", "workflows", &self.spec.workflow, "runs"]);
            let ask = Ask::get("list the workflow's runs", path)
                .query("event", "workflow_dispatch")
                .query("per_page", "50");
            let runs: Runs = self.rest.read(&ask).await?;
            let is_it = |run: &Run| {
                run.display_title.split_once(key).is_some_and(|(_, rest)| {
                    !rest.starts_with(|next: char| next.is_alphanumeric() || next == '/')
                })
            };
            if let Some(run) = runs.workflow_runs.into_iter().find(is_it) {
                return Ok(Some(run));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(Duration::from_secs(2)).await;
        }
    }

    /// Waits for the end of the run. Whoever asked bounds the time.
    async fn follow(&self, mut run: Run, call: &Call) -> Result<String, PlatformError> {
        let mut told = String::new();
        for look in 0.. {
            let status = run.status.as_deref().unwrap_or("queued");
            if status == "completed" {
                return self.ended(&run).await;
            }
            if status != told {
                let mut line = format!("the run is {}: {}", escape(status), escape(&run.html_url));
                if status == "waiting" {
                    let _ = write!(line, "; it waits for a person: {}", self.waits_for(run.id).await);
                }
                call.progress.line(&line);
                status.clone_into(&mut told);
            }
            sleep(LOOKS.get(look).map_or(SLOW, |seconds| Duration::from_secs(*seconds))).await;
            match self.run(run.id).await {
                Ok(now) => run = now,
                // The run goes on whether or not it is seen.
                Err(PlatformError::Transient(reason)) => call.progress.line(&reason),
                Err(error) => return Err(error),
            }
        }
        Err(PlatformError::Unclear("the run has not ended".to_owned()))
    }

    async fn ended(&self, run: &Run) -> Result<String, PlatformError> {
        let url = escape(&run.html_url);
        match run.conclusion.as_deref() {
            Some("success") => Ok(format!("the workflow has run: {url}")),
            conclusion => {
                let failed = self.failed_jobs(run.id).await;
                Err(PlatformError::Permanent(format!(
                    "the workflow's run ended with {}{failed}: {url}; how far it got is in its log",
                    escape(conclusion.unwrap_or("no conclusion")),
                )))
            }
        }
    }

    /// The jobs that failed, for an error's text.
    async fn failed_jobs(&self, run: u64) -> String {
        let id = run.to_string();
        let ask = Ask::get("list the run's jobs", self.path(["actions", "runs", &id, "jobs"]))
            .query("per_page", "100");
        let Ok(jobs) = self.rest.read::<Value>(&ask).await else { return String::new() };
        let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
        let bad = jobs.iter().filter(|job| job["conclusion"].as_str() == Some("failure"));
        let names: Vec<_> =
            bad.filter_map(|job| job["name"].as_str()).map(|name| escape(first(name, 60))).collect();
        if names.is_empty() { String::new() } else { format!(" in {}", names.join(", ")) }
    }

    /// Who has to approve it, for a line of progress.
    async fn waits_for(&self, run: u64) -> String {
        let id = run.to_string();
        let ask = Ask::get(
            "read what the run waits for",
            self.path(["actions", "runs", &id, "pending_deployments"]),
        );
        let Ok(waits) = self.rest.read::<Value>(&ask).await else { return "an approval".to_owned() };
        let waits = waits.as_array().cloned().unwrap_or_default();
        let names = waits.iter().filter_map(|wait| wait["environment"]["name"].as_str());
        let names: Vec<_> = names.map(|name| format!("approval for `{}`", escape(name))).collect();
        if names.is_empty() { "an approval".to_owned() } else { names.join(", ") }
    }
}

/// The tag that was deployed, if it looks like one: GitHub does not say which a `ref` is.
fn tag(deployment: &Deployment) -> Option<&str> {
    let tag = deployment.branch.as_str();
    let is_tag = tag.chars().any(|c| c.is_ascii_digit()) && tag.contains('.') && !tag.contains('/');
    is_tag.then_some(tag)
}

/// What people call a deployment: its tag; else, of a branch, the commit.
fn version(deployment: &Deployment) -> String {
    escape(tag(deployment).unwrap_or_else(|| first(&deployment.sha, 7)))
}

#[async_trait]
impl Platform for Github {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, ..Capabilities::default() }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        // A run with the key is found again, so asking twice is asking once.
        Declares { observable: false, idempotent: self.spec.key_input.is_some() }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let (deployments, said) =
            tokio::try_join!(self.deployments(), self.asker.said(self.spec.serving.as_ref()))?;
        let newest = deployments.first();
        let mut releases: Vec<Release> = Vec::new();
        for (deployment, state) in &deployments {
            if !matches!(state.as_str(), "success" | "inactive") {
                continue;
            }
            if let Some(known) = releases.iter_mut().find(|known| known.reference.as_str() == deployment.sha)
            {
                // A rollback deploys from a branch what was once deployed as a tag.
                if tag(deployment).is_some() {
                    known.version = version(deployment).into();
                }
            } else {
                releases.push(Release {
                    version: version(deployment).into(),
                    reference: deployment.sha.as_str().into(),
                    created_at: deployment.created_at,
                    author: deployment.creator.as_ref().map(|person| escape(&person.login)),
                    schema: None,
                    running: false,
                });
            }
        }
        let live: Option<ReleaseRef> = match said {
            None => {
                let live = deployments.iter().find(|(_, state)| state == "success");
                live.map(|(deployment, _)| deployment.sha.as_str().into())
            }
            Some(said) => Some(serving::release(&releases, said)?),
        };
        for release in &mut releases {
            release.running = Some(&release.reference) == live.as_ref();
        }
        Ok(Inventory {
            traffic: shares::all_to(live),
            settled: newest.is_none_or(|(_, state)| {
                !matches!(state.as_str(), "pending" | "queued" | "in_progress" | "waiting")
            }),
            failed: newest.filter(|(_, state)| matches!(state.as_str(), "failure" | "error")).map(
                |(deployment, state)| {
                    format!("deployment {} of {} is in state {state}", deployment.id, version(deployment))
                },
            ),
            revision: newest.map(|(deployment, _)| deployment.id.to_string()),
            releases,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::ShiftTraffic { .. }
            | PlatformAction::Deploy { .. }
            | PlatformAction::Maintenance { .. }
            | PlatformAction::Purge
            | PlatformAction::Scale { .. }
            | PlatformAction::Stop { .. }
            | PlatformAction::Remove { .. } => Err(cannot(action, "there is one workflow, which rolls back")),
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let mut push = |what: String, outcome: CheckOutcome| checks.push(Check { what, outcome });
        let workflow = self.spec.workflow.as_str();
        let ask = Ask::get("read the workflow", self.path(["actions", "workflows", workflow]));
        let outcome = match self.rest.read::<Value>(&ask).await {
            Ok(found) => match found["state"].as_str() {
                Some("active") => CheckOutcome::Passed("active".to_owned()),
                state => CheckOutcome::Failed(format!(
                    "it is {}: switch it on again in the repository's Actions",
                    escape(state.unwrap_or("in no known state"))
                )),
            },
            Err(error) => CheckOutcome::Failed(error.to_string()),
        };
        push(format!("find the workflow {workflow}"), outcome);
        let ask = Ask::get("list the environments", self.path(["environments"])).query("per_page", "100");
        let outcome = match self.rest.read::<Value>(&ask).await {
            Ok(found) => {
                let all = found["environments"].as_array().cloned().unwrap_or_default();
                let name = self.spec.environment.as_str();
                match all.iter().find(|one| one["name"].as_str() == Some(name)) {
                    None => {
                        CheckOutcome::Warning(format!("the repository has no environment `{}`", escape(name)))
                    }
                    Some(one) => {
                        let rules = one["protection_rules"].as_array().cloned().unwrap_or_default();
                        let needs =
                            rules.iter().any(|rule| rule["type"].as_str() == Some("required_reviewers"));
                        if needs {
                            CheckOutcome::Warning(
                                "a person has to approve each run for it on GitHub: a rollback waits there"
                                    .to_owned(),
                            )
                        } else {
                            CheckOutcome::Passed("no approval is needed".to_owned())
                        }
                    }
                }
            }
            Err(error) => CheckOutcome::Warning(error.to_string()),
        };
        push(format!("see what the environment {} asks for", escape(&self.spec.environment)), outcome);
        push(
            "find a run again whose id was lost".to_owned(),
            if self.spec.key_input.is_some() {
                CheckOutcome::Unknown(
                    "only a run tells whether the workflow's `run-name` holds the input that `key_input` names".to_owned(),
                )
            } else {
                CheckOutcome::Warning(
                    "there is no `key_input`: after a lost answer a person has to look".to_owned(),
                )
            },
        );
        push(
            "permission to start the workflow".to_owned(),
            CheckOutcome::Unknown(
                "GitHub has no call that tells; the token needs Actions: write and Deployments: read"
                    .to_owned(),
            ),
        );
        checks
    }
}
