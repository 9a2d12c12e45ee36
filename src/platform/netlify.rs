//! Netlify: a rollback publishes a deploy that is there already (<https://docs.netlify.com/api/get-started/>).
//!
//! | action | calls | twice |
//! |---|---|---|
//! | restore | `POST /sites/{site}/deploys/{deploy}/restore`, then `POST /deploys/{deploy}/lock` | the same as once: it names the deploy |
//! | purge | the lock of what is published, then `POST /purge` | the same as once |
//!
//! The deploy is locked, or the next build from git would be published over the rollback; a person unlocks it when the incident
//! is over. The lock stands in both actions: whoever dies between publishing and locking finds the deploy published, and goes
//! on with the purge. `PUT /sites/{site}/rollback` is never used: it chooses "the previous" by itself.
//!
//! A site's split tests divide traffic by branch, not between two deploys of one branch, so a rollback here is immediate.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::rest::{Ask, Auth, Reply, Rest};
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, reading, shares};
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, NetlifySpec, PlatformAction, Variable, VariableValue,
};
use crate::model::release::{Inventory, Release};
use crate::model::secret::{Secret, Secrets};
use crate::model::{ReleaseRef, ServiceName};

/// Pages of deploys that are read: three hundred deploys are more than anybody goes back.
const PAGES: usize = 3;
/// Deploys of one page: the most that the API gives.
const PER_PAGE: usize = 100;

/// A site.
#[derive(Debug)]
pub struct Netlify {
    site: String,
    rest: Rest,
}

/// A deploy, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
struct Deploy {
    id: String,
    #[serde(default)]
    state: String,
    context: Option<String>,
    commit_ref: Option<String>,
    committer: Option<String>,
    created_at: Option<Timestamp>,
    published_at: Option<Timestamp>,
    locked: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Site {
    /// Its own id, whatever it was asked for by.
    id: Option<String>,
    account_slug: Option<String>,
    published_deploy: Option<Deploy>,
}

/// An environment variable of a site.
#[derive(Debug, Deserialize)]
struct Setting {
    key: String,
    #[serde(default)]
    values: Vec<SettingValue>,
    #[serde(default)]
    is_secret: bool,
}

#[derive(Debug, Deserialize)]
struct SettingValue {
    #[serde(default)]
    value: String,
    #[serde(default)]
    context: String,
}

impl Setting {
    /// What production gets. A secret's value is told to no client.
    fn of_production(self) -> Option<Variable> {
        let value = match self.values.iter().find(|value| value.context == "production") {
            _ if self.is_secret => {
                VariableValue::From("a secret of Netlify, which no client can read".to_owned())
            }
            Some(own) => VariableValue::Plain(Secret::new(&*own.value)),
            None => {
                let of_all = self.values.iter().find(|value| value.context == "all")?;
                VariableValue::Plain(Secret::new(&*of_all.value))
            }
        };
        Some(Variable { container: None, name: self.key, value })
    }
}

impl Netlify {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(
        service: &ServiceName,
        spec: &NetlifySpec,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let auth = Auth::token(spec.token.as_ref(), spec.token_command.as_deref(), secrets).map_err(wrong)?;
        let rest = Rest::new(&spec.base_url, auth, Arc::clone(secrets))
            .map_err(|reason| wrong(format!("`base_url`: {reason}")))?;
        Ok(Self { site: spec.site.clone(), rest })
    }

    async fn site(&self) -> Result<Site, PlatformError> {
        self.rest.read(&Ask::get("read the site", ["sites", self.site.as_str()])).await
    }

    /// The deploys of production that can be published, newest first.
    async fn deploys(&self) -> Result<Vec<Deploy>, PlatformError> {
        let path = ["sites", self.site.as_str(), "deploys"];
        let mut all: Vec<Deploy> = Vec::new();
        for page in 1..=PAGES {
            let ask = Ask::get("list the deploys", path)
                .query("per_page", PER_PAGE.to_string())
                .query("page", page.to_string());
            let deploys: Vec<Deploy> = self.rest.read(&ask).await?;
            let is_last = deploys.len() < PER_PAGE;
            all.extend(deploys);
            if is_last {
                break;
            }
        }
        all.retain(|deploy| {
            deploy.state == "ready" && deploy.context.as_deref().is_none_or(|context| context == "production")
        });
        Ok(all)
    }

    /// Sends a changing call about a deploy.
    async fn send(&self, what: &str, path: &[&str], call: &Call) -> Result<Reply, PlatformError> {
        let reply = self.rest.act(&Ask::new(Method::POST, what, path.iter().copied())).await?;
        call.progress.line(&format!("{what} … {}", reply.status.as_u16()));
        reply.taken()
    }

    async fn lock(&self, deploy: &str, call: &Call) -> Result<(), PlatformError> {
        self.send("lock the deploy", &["deploys", deploy, "lock"], call).await.map(drop)
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let published = self.site().await?.published_deploy.map(|deploy| deploy.id);
        // The API takes no precondition: the nearest is to look right before.
        if let Some(expected) =
            call.revision.as_ref().filter(|expected| Some(*expected) != published.as_ref())
        {
            let now = published.as_deref().unwrap_or("none");
            return Err(PlatformError::Transient(format!(
                "another deploy was published meanwhile: {now} where {expected} was read"
            )));
        }
        let deploy = release.as_str();
        let path = ["sites", self.site.as_str(), "deploys", deploy, "restore"];
        self.send("publish the deploy", &path, call).await.map_err(|error| match error {
            PlatformError::Permanent(reason) if reason.contains("answered 404") => PlatformError::Permanent(
                format!("{reason}; deploys are kept for 30 to 90 days by plan: this one may be gone"),
            ),
            error => error,
        })?;
        match self.lock(deploy, call).await {
            Ok(()) => Ok(format!("deploy {deploy} is published and locked")),
            // It is published. The purge that follows locks it again, and says so if it cannot.
            Err(error) => Ok(format!("deploy {deploy} is published; not locked yet: {error}")),
        }
    }

    async fn purge(&self, call: &Call) -> Result<String, PlatformError> {
        if let Some(published) = self.site().await?.published_deploy
            && published.locked != Some(true)
        {
            self.lock(&published.id, call).await?;
        }
        let body = json!({ "site_id": self.site });
        let ask = Ask::new(Method::POST, "purge the cache", ["purge"]).body(&body);
        let reply = self.rest.act(&ask).await?;
        call.progress.line(&format!("purge the cache … {}", reply.status.as_u16()));
        reply.taken()?;
        Ok("the cache was told to forget".to_owned())
    }
}

/// What people call a deploy: its commit, else its own id.
fn version(deploy: &Deploy) -> String {
    let commit =
        deploy.commit_ref.as_deref().map(|commit| first(commit, 9)).filter(|commit| !commit.is_empty());
    escape(commit.unwrap_or_else(|| first(&deploy.id, 9)))
}

#[async_trait]
impl Platform for Netlify {
    fn capabilities(&self) -> Capabilities {
        Capabilities { restore: true, purge: true, variables: true, ..Capabilities::default() }
    }

    fn declares(&self, _: &PlatformAction) -> Declares {
        Declares { observable: true, idempotent: true }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let (site, deploys) = tokio::join!(self.site(), self.deploys());
        let (published, mut deploys) = (site?.published_deploy, deploys?);
        if let Some(published) = &published
            && !deploys.iter().any(|deploy| deploy.id == published.id)
        {
            deploys.push(published.clone());
        }
        let live = published.as_ref().map(|deploy| deploy.id.as_str());
        let mut releases: Vec<Release> = deploys
            .iter()
            .map(|deploy| Release {
                version: version(deploy).into(),
                reference: deploy.id.as_str().into(),
                created_at: deploy.created_at.or(deploy.published_at).unwrap_or(Timestamp::UNIX_EPOCH),
                author: deploy.committer.as_deref().map(escape),
                schema: None,
                // Netlify serves any deploy at its own address.
                running: true,
            })
            .collect();
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(Inventory {
            traffic: shares::all_to(live.map(Into::into)),
            settled: published.as_ref().is_none_or(|deploy| deploy.state == "ready"),
            revision: live.map(str::to_owned),
            releases,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::Purge => self.purge(call).await,
            PlatformAction::ShiftTraffic { .. } => {
                Err(cannot(action, "Netlify splits traffic by branch, not between deploys"))
            }
            PlatformAction::Deploy { .. } => Err(cannot(action, "Netlify builds from git")),
            PlatformAction::Maintenance { .. } => Err(cannot(action, "Netlify has no such page")),
            PlatformAction::Remove { .. } => {
                Err(cannot(action, "Netlify keeps deploys for as long as its plan says"))
            }
            PlatformAction::Scale { .. } | PlatformAction::Stop { .. } => {
                Err(cannot(action, "Netlify serves files, and every deploy at its own address"))
            }
        }
    }

    /// Those of the build and of functions, as the next deploy gets them: a deploy keeps what it was built with.
    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        let site = self.site().await?;
        let account = site.account_slug.ok_or_else(|| {
            PlatformError::Permanent("Netlify does not say to which team the site belongs".to_owned())
        })?;
        let ask = Ask::get("read the environment variables", ["accounts", account.as_str(), "env"])
            .query("site_id", site.id.unwrap_or_else(|| self.site.clone()))
            .query("context_name", "production".to_owned());
        let settings: Vec<Setting> = self.rest.read_unseen(&ask).await?;
        Ok(settings.into_iter().filter_map(Setting::of_production).collect())
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let outcome = match self.site().await.map(|site| site.published_deploy) {
            Ok(Some(deploy)) if deploy.locked == Some(true) => CheckOutcome::Warning(format!(
                "deploy {} is locked: builds from git are not published until somebody unlocks it",
                deploy.id
            )),
            Ok(Some(deploy)) => {
                CheckOutcome::Passed(format!("deploy {} is published, not locked", deploy.id))
            }
            Ok(None) => CheckOutcome::Warning("nothing was published yet".to_owned()),
            Err(error) => CheckOutcome::Failed(error.to_string()),
        };
        checks.push(Check { what: "publishing is free".to_owned(), outcome });
        checks.push(Check {
            what: "permission to restore, lock and purge".to_owned(),
            outcome: CheckOutcome::Unknown(
                "Netlify has no call that tells; the token's user needs the role Developer or Owner of the team"
                    .to_owned(),
            ),
        });
        checks
    }
}
