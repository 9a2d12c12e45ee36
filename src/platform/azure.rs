//! Azure App Service: a rollback swaps the production slot with the slot that still holds the release before
//! (<https://learn.microsoft.com/en-us/azure/app-service/deploy-staging-slots>).
//!
//! | action | state | call | twice |
//! |---|---|---|---|
//! | restore | production holds the release | the traffic rules are cleared, if there are any | nothing is left to do |
//! | restore | the slot holds it | the rules are cleared, then `slotsswap`, with `preview` in two phases | **undoes the first** |
//! | shift traffic | the two slots hold the releases | `rampUpRules`, replaced whole | the same as once |
//! | scale | the plan is not being changed, and does not scale by itself | the plan, with another number | the same as once |
//!
//! So identity comes before position: what a slot holds is asked for right before, and a swap is sent only when production does
//! not hold the release, the slot does, nothing is in progress, and the last swap is the one that was read. When an answer
//! was lost, Azure gets time to show what it does before anything is sent again.
//!
//! Traffic rules name host names, not builds: left standing, the share would go to the other build after a swap. A browser that
//! a rule has sent somewhere stays there for its session.

mod plan;
mod site;
mod token;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use self::site::{Deployment, Deployments, Permissions, Rule, Settings, Site, Web};
use self::token::Entra;
use super::rest::{Ask, Auth, FromCommand, Reply, Rest, TokenSource};
use super::serving::Asker;
use super::text::{escape, first};
use super::{Call, Platform, PlatformError, cannot, reading};
use crate::model::platform::{
    AzureSpec, Capabilities, Check, CheckOutcome, Declares, LogLine, LogQuery, PlatformAction, ServingSpec,
    Variable, VariableValue,
};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::secret::{Secret, Secrets};
use crate::model::{ReleaseRef, ServiceName};

/// The version of the API that is spoken.
const VERSION: &str = "2025-05-01";
/// How long Azure gets to show an operation that an earlier attempt may have begun.
const SHOWS: Duration = Duration::from_secs(15);
/// Pages of deployments that are looked at for the active one.
const PAGES: usize = 5;
/// Longest line of the log, in bytes.
const LINE: usize = 64 * 1024;

/// An app with two slots.
#[derive(Debug)]
pub struct Azure {
    spec: AzureSpec,
    rest: Rest,
    scm: Rest,
    asker: Asker,
}

/// One reading.
struct Seen {
    production: Holds,
    slot: Holds,
    rules: Vec<Rule>,
    /// What is going on, if anything is.
    busy: Option<String>,
    /// A preview of a swap with production is pending.
    is_previewed: bool,
    last_swap: String,
    slot_host: String,
    /// How many instances the plan has, where it may be scaled.
    instances: Option<u32>,
}

/// What a slot holds.
#[derive(Clone)]
struct Holds {
    reference: String,
    version: String,
    created_at: Timestamp,
    author: Option<String>,
}

impl Seen {
    fn revision(&self) -> String {
        format!("{} in production, last swap {}", self.production.reference, self.last_swap)
    }
}

impl Azure {
    /// Looks at the spec; calls nothing yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the field.
    pub fn new(
        service: &ServiceName,
        spec: &AzureSpec,
        secrets: &Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        let wrong = |reason: String| PlatformError::Permanent(format!("service `{service}`: {reason}"));
        let source: Arc<dyn TokenSource> = match &spec.token_command {
            Some(argv) => {
                Arc::new(FromCommand::new(argv).map_err(|reason| wrong(format!("`token_command` {reason}")))?)
            }
            None => Arc::new(Entra::new(spec, secrets).map_err(wrong)?),
        };
        let scm = spec.scm_url.clone();
        let scm = scm.unwrap_or_else(|| format!("https://{}.scm.azurewebsites.net", spec.app));
        let rest = |key: &str, url: &str| {
            Rest::new(url, Auth::Bearer(Arc::clone(&source)), Arc::clone(secrets))
                .map_err(|reason| wrong(format!("`{key}`: {reason}")))
        };
        Ok(Self {
            rest: rest("base_url", &spec.base_url)?,
            scm: rest("scm_url", &scm)?,
            spec: spec.clone(),
            asker: Asker::new(),
        })
    }

    /// A call below the app, or below its other slot.
    fn ask<'a>(&'a self, method: Method, what: &'a str, slot: bool, rest: &[&'a str]) -> Ask<'a> {
        let spec = &self.spec;
        let mut path =
            vec!["subscriptions", spec.subscription.as_str(), "resourceGroups", &spec.resource_group];
        path.extend(["providers", "Microsoft.Web", "sites", &spec.app]);
        if slot {
            path.extend(["slots", spec.slot.as_str()]);
        }
        path.extend(rest);
        Ask::new(method, what, path).query("api-version", VERSION)
    }

    async fn see(&self) -> Result<Seen, PlatformError> {
        let (site, slot, web) = tokio::try_join!(
            async { self.rest.read::<Site>(&self.ask(Method::GET, "read the app", false, &[])).await },
            async { self.rest.read::<Site>(&self.ask(Method::GET, "read the slot", true, &[])).await },
            async {
                let ask = self.ask(Method::GET, "read the traffic rules", false, &["config", "web"]);
                self.rest.read::<Web>(&ask).await
            },
        )?;
        let (production, other, plan) = tokio::try_join!(
            self.holds(false, self.spec.serving.as_ref()),
            self.holds(true, self.spec.slot_serving.as_ref()),
            // How many there are is for scaling alone: where that cannot be read, a rollback is possible all the same.
            async { Ok(if self.spec.scale_plan { self.plan(&site).await.ok() } else { None }) },
        )?;
        let (site, slot) = (site.properties, slot.properties);
        let operation = [&site, &slot].into_iter().find_map(|site| site.in_progress_operation_id.clone());
        let pending = slot.target_swap_slot.as_deref().or(site.target_swap_slot.as_deref());
        let stopped = site.state.as_deref().filter(|state| *state != "Running");
        let busy = match (operation, pending, stopped) {
            (Some(id), ..) => Some(format!("operation {} runs", escape(&id))),
            (_, Some(with), _) => Some(format!("a swap with {} is previewed", escape(with))),
            (.., Some(state)) => Some(format!("the app is {}", escape(state))),
            _ if plan.as_ref().is_some_and(plan::Plan::is_changing) => {
                Some("the number of instances is being changed".to_owned())
            }
            _ => None,
        };
        let swapped = site.slot_swap_status.or(slot.slot_swap_status);
        Ok(Seen {
            production,
            slot: other,
            rules: web.properties.experiments.and_then(|experiments| experiments.rules).unwrap_or_default(),
            busy,
            is_previewed: pending.is_some_and(|with| with.eq_ignore_ascii_case("production")),
            last_swap: swapped
                .map(|status| status.timestamp_utc)
                .filter(|at| !at.is_empty())
                .unwrap_or_else(|| "never".to_owned()),
            slot_host: slot
                .default_host_name
                .unwrap_or_else(|| format!("{}-{}.azurewebsites.net", self.spec.app, self.spec.slot)),
            instances: plan.and_then(|plan| plan.instances()),
        })
    }

    /// What a slot holds: by its own word, else by its active deployment.
    async fn holds(&self, slot: bool, serving: Option<&ServingSpec>) -> Result<Holds, PlatformError> {
        let active = self.active(slot).await;
        if let Some(serving) = serving {
            let said = self.asker.version(&pinned(serving, slot)).await?.ok_or_else(|| {
                let name = if slot { self.spec.slot.as_str() } else { "production" };
                PlatformError::Transient(format!(
                    "`{name}` does not say its version: {}",
                    escape(&serving.url)
                ))
            })?;
            // The record is for the time and the author: what the slot says is what counts.
            let active = active.ok().flatten();
            return Ok(Holds {
                created_at: active.as_ref().map_or(Timestamp::UNIX_EPOCH, time),
                author: active.and_then(|active| active.properties.author).map(|author| escape(&author)),
                reference: said.clone(),
                version: said,
            });
        }
        let active = active?.ok_or_else(|| {
            let name = if slot { self.spec.slot.as_str() } else { "production" };
            PlatformError::Permanent(format!(
                "nobody can say what `{name}` holds: Azure records no active deployment; set `serving` and `slot_serving` to addresses that tell the version"
            ))
        })?;
        Ok(Holds {
            version: escape(first(&active.name, 12)),
            created_at: time(&active),
            author: active.properties.author.as_deref().map(escape),
            reference: active.name,
        })
    }

    async fn active(&self, slot: bool) -> Result<Option<Deployment>, PlatformError> {
        let mut ask = self.ask(Method::GET, "list the deployments", slot, &["deployments"]);
        for _ in 0..PAGES {
            let page: Deployments = self.rest.read(&ask).await?;
            let is_active = |deployment: &Deployment| deployment.properties.active == Some(true);
            if let Some(active) = page.value.into_iter().find(is_active) {
                return Ok(Some(active));
            }
            match page.next.and_then(|next| next.parse::<Url>().ok()) {
                Some(next) => ask.url = Some(next),
                None => break,
            }
        }
        Ok(None)
    }

    /// Sends a changing call and waits until Azure says that it is over.
    async fn send(&self, ask: &Ask<'_>, call: &Call) -> Result<(), PlatformError> {
        let reply = self.rest.act(ask).await?;
        call.progress.line(&format!("{} … {}", ask.what, reply.status.as_u16()));
        if reply.status.as_u16() == 409 {
            return Err(PlatformError::Transient(format!("{}; another operation runs", reply.reason())));
        }
        let reply = reply.taken()?;
        if reply.status.as_u16() == 202 { self.follow(ask.what, reply).await } else { Ok(()) }
    }

    /// Waits for an operation that goes on: 202 until it is over.
    async fn follow(&self, what: &str, reply: Reply) -> Result<(), PlatformError> {
        let place = reply.headers.get("location").and_then(|place| place.to_str().ok()?.parse::<Url>().ok());
        // Without a place to ask, or with one that is not to see the token, the state of the app tells.
        let Some(place) = place.filter(|place| self.rest.is_here(place)) else { return Ok(()) };
        let mut pause = reply.retry_after();
        loop {
            let wait = pause.unwrap_or(Duration::from_secs(2));
            sleep(wait.clamp(Duration::from_millis(200), Duration::from_secs(15))).await;
            let mut ask = Ask::get(what, []);
            ask.url = Some(place.clone());
            let reply = match self.rest.ask(&ask).await {
                Ok(reply) => reply,
                // The operation goes on whether or not anybody hears of it.
                Err(PlatformError::Transient(_)) => continue,
                Err(error) => return Err(error),
            };
            match reply.status.as_u16() {
                202 => pause = reply.retry_after(),
                // Of 404: the operation's record is gone, and the state of the app tells.
                200..=299 | 404 => return Ok(()),
                _ => {
                    return Err(PlatformError::Permanent(format!(
                        "{}; Azure takes a failed swap back",
                        reply.reason()
                    )));
                }
            }
        }
    }

    async fn set_rules(&self, rules: Value, call: &Call) -> Result<(), PlatformError> {
        let body = json!({ "properties": { "experiments": { "rampUpRules": rules } } });
        let ask = self.ask(Method::PATCH, "set the traffic rules", false, &["config", "web"]).body(&body);
        self.send(&ask, call).await
    }

    async fn restore(&self, release: &ReleaseRef, call: &Call) -> Result<String, PlatformError> {
        let mut seen = self.see_as_read(call).await?;
        if call.may_have_happened {
            seen = self.let_it_show(seen, release, call).await?;
        }
        let target = release.as_str();
        let name = &self.spec.slot;
        if seen.production.reference == target && !seen.is_previewed {
            if seen.rules.iter().any(|rule| rule.percent() > 0) {
                self.set_rules(json!([]), call).await?;
                return Ok("production holds it; no slot gets a share any more".to_owned());
            }
            return Ok("production holds it already".to_owned());
        }
        if seen.slot.reference != target {
            return Err(PlatformError::Permanent(format!(
                "neither production ({}) nor `{name}` ({}) holds {}: what was swapped out is gone, deploy it to `{name}` first",
                seen.production.version,
                seen.slot.version,
                escape(target)
            )));
        }
        let body = json!({ "targetSlot": "production", "preserveVnet": true });
        if !seen.is_previewed {
            if let Some(busy) = &seen.busy {
                return Err(PlatformError::Transient(format!("nothing was swapped: {busy}")));
            }
            if !seen.rules.is_empty() {
                self.set_rules(json!([]), call).await?;
            }
            if self.spec.preview {
                let ask = self.ask(Method::POST, "prepare the swap", true, &["applySlotConfig"]).body(&body);
                if let Err(error) = self.send(&ask, call).await {
                    return Err(self.cancel_preview(error, call).await);
                }
            }
        }
        let what = if self.spec.preview || seen.is_previewed { "finish the swap" } else { "swap the slots" };
        self.send(&self.ask(Method::POST, what, true, &["slotsswap"]).body(&body), call).await?;
        Ok(format!("`{name}` was swapped into production"))
    }

    /// A first phase that failed leaves the slot with production's settings: they are taken back.
    async fn cancel_preview(&self, error: PlatformError, call: &Call) -> PlatformError {
        if !matches!(error, PlatformError::Permanent(_)) {
            return error;
        }
        let ask = self.ask(Method::POST, "take the preparation back", true, &["resetSlotConfig"]);
        match self.send(&ask, call).await {
            Ok(()) => error,
            Err(other) => PlatformError::Permanent(format!("{error}; and {other}")),
        }
    }

    /// Waits until what an earlier attempt may have begun shows, or must have shown, and has ended.
    async fn let_it_show(
        &self,
        mut seen: Seen,
        release: &ReleaseRef,
        call: &Call,
    ) -> Result<Seen, PlatformError> {
        call.progress.line("looking whether an earlier attempt has begun a swap");
        let until = Instant::now() + SHOWS;
        loop {
            let is_done = seen.production.reference == release.as_str() && seen.busy.is_none();
            let runs = seen.busy.is_some() && !seen.is_previewed;
            if is_done || seen.is_previewed || (!runs && Instant::now() >= until) {
                return Ok(seen);
            }
            sleep(Duration::from_secs(1)).await;
            seen = self.see().await?;
        }
    }

    /// What the slots hold, which has to be what was read. What an earlier attempt has changed is no surprise.
    async fn see_as_read(&self, call: &Call) -> Result<Seen, PlatformError> {
        let seen = self.see().await?;
        let now = seen.revision();
        match &call.revision {
            Some(expected) if *expected != now && !call.may_have_happened => Err(PlatformError::Transient(
                format!("the slots were changed meanwhile: {now}, where it was {expected}"),
            )),
            _ => Ok(seen),
        }
    }

    async fn shift(&self, shares: &[Share], call: &Call) -> Result<String, PlatformError> {
        if let Some(all) = shares.iter().find(|share| share.percent == 100) {
            return self.restore(&all.reference, call).await;
        }
        let seen = self.see_as_read(call).await?;
        let mut percent = 0;
        for share in shares.iter().filter(|share| share.percent > 0) {
            if share.reference.as_str() == seen.slot.reference {
                percent = share.percent;
            } else if share.reference.as_str() != seen.production.reference {
                return Err(PlatformError::Permanent(format!(
                    "neither production nor `{}` holds {}",
                    self.spec.slot,
                    escape(share.reference.as_str())
                )));
            }
        }
        let rule = json!([{
            "name": self.spec.slot, "actionHostName": seen.slot_host, "reroutePercentage": percent,
        }]);
        self.set_rules(rule, call).await?;
        Ok(format!("`{}` gets {percent} % of what is not pinned by a cookie", self.spec.slot))
    }
}

fn time(deployment: &Deployment) -> Timestamp {
    let properties = &deployment.properties;
    properties.end_time.or(properties.start_time).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The address with what makes a traffic rule send the question to production, not to whoever has a share of it.
fn pinned(serving: &ServingSpec, slot: bool) -> ServingSpec {
    let mut serving = serving.clone();
    if !slot && let Ok(mut url) = Url::parse(&serving.url) {
        url.query_pairs_mut().append_pair("x-ms-routing-name", "self");
        serving.url = url.into();
    }
    serving
}

#[async_trait]
impl Platform for Azure {
    fn capabilities(&self) -> Capabilities {
        let scale = self.spec.scale_plan;
        Capabilities { weights: true, restore: true, logs: true, scale, ..Capabilities::default() }
    }

    fn declares(&self, action: &PlatformAction) -> Declares {
        let is_swap = match action {
            PlatformAction::ShiftTraffic { shares } => shares.iter().any(|share| share.percent == 100),
            PlatformAction::Scale { .. } => false,
            _ => true,
        };
        Declares { observable: true, idempotent: !is_swap }
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let seen = self.see().await?;
        let share =
            |reference: &str, arm: Arm, percent: u8| Share { reference: reference.into(), arm, percent };
        let mut traffic = Vec::new();
        let mut rest = 100_u8;
        for rule in &seen.rules {
            let percent = rule.percent().min(rest);
            if percent == 0 {
                continue;
            }
            rest -= percent;
            let name = rule.name.as_deref().unwrap_or("a rule without a name");
            if name.eq_ignore_ascii_case(&self.spec.slot) {
                traffic.push(share(&seen.slot.reference, Arm::Canary, percent));
            } else {
                // Another slot has a share: nobody here can say of what.
                traffic.push(share(&format!("slot {}", escape(name)), Arm::Canary, percent));
            }
        }
        traffic.insert(0, share(&seen.production.reference, Arm::Stable, rest));
        let mut releases: Vec<Release> = Vec::new();
        for holds in [&seen.production, &seen.slot] {
            if releases.iter().all(|known| known.reference.as_str() != holds.reference) {
                releases.push(Release {
                    version: holds.version.as_str().into(),
                    reference: holds.reference.as_str().into(),
                    created_at: holds.created_at,
                    author: holds.author.clone(),
                    schema: None,
                    running: true,
                });
            }
        }
        releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(Inventory {
            releases,
            traffic,
            settled: seen.busy.is_none(),
            revision: Some(seen.revision()),
            instances: seen.instances,
            ..Inventory::default()
        })
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        match action {
            PlatformAction::Restore { release } => self.restore(release, call).await,
            PlatformAction::ShiftTraffic { shares } => self.shift(shares, call).await,
            PlatformAction::Deploy { .. } => {
                Err(cannot(action, "what a slot holds is deployed by your pipeline"))
            }
            PlatformAction::Maintenance { .. } => Err(cannot(action, "App Service has no such page")),
            PlatformAction::Purge => Err(cannot(action, "App Service has no cache")),
            PlatformAction::Scale { instances } if self.spec.scale_plan => self.scale(*instances, call).await,
            PlatformAction::Scale { .. } => Err(cannot(
                action,
                "the number of instances is the plan's, which other apps may share: `scale_plan = true` allows it",
            )),
            PlatformAction::Stop { .. } | PlatformAction::Remove { .. } => {
                Err(cannot(action, "a slot is kept warm for the way back"))
            }
        }
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = vec![reading(self.read().await)];
        let mut push =
            |what: &str, outcome: CheckOutcome| checks.push(Check { what: what.to_owned(), outcome });
        let slot = self.rest.read::<Site>(&self.ask(Method::GET, "read the slot", true, &[])).await;
        push(
            "nothing swaps by itself",
            match slot.map(|slot| slot.properties.site_config.and_then(|config| config.auto_swap_slot_name)) {
                Ok(Some(name)) if !name.is_empty() => CheckOutcome::Warning(format!(
                    "`{}` swaps with `{}` by itself after each deployment, a rollback's build too",
                    self.spec.slot,
                    escape(&name)
                )),
                Ok(_) => CheckOutcome::Passed("no auto swap".to_owned()),
                Err(error) => CheckOutcome::Failed(error.to_string()),
            },
        );
        let mut ask = self.ask(
            Method::GET,
            "read the permissions",
            false,
            &["providers", "Microsoft.Authorization", "permissions"],
        );
        ask.query = vec![("api-version", "2022-04-01".to_owned())];
        let permissions = self.rest.read::<Permissions>(&ask).await;
        let needed = [
            ("permission to swap", "Microsoft.Web/sites/slots/slotsswap/Action"),
            ("permission to set the traffic rules", "Microsoft.Web/sites/config/Write"),
        ];
        for (what, operation) in needed {
            push(
                what,
                match &permissions {
                    Ok(permissions) if permissions.allow(operation) => {
                        CheckOutcome::Passed(operation.to_owned())
                    }
                    Ok(_) => CheckOutcome::Failed(format!(
                        "no role allows {operation}; `Website Contributor` does"
                    )),
                    Err(error) => CheckOutcome::Unknown(format!("{error}; it needs {operation}")),
                },
            );
        }
        if self.spec.scale_plan {
            checks.extend(self.check_plan().await);
        }
        checks
    }

    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        let path = ["config", "appsettings", "list"];
        let ask = self.ask(Method::POST, "read the application settings", false, &path);
        let settings: Settings = self.rest.read_unseen(&ask).await?;
        Ok(settings.properties.into_iter().map(|(name, value)| setting(name, value)).collect())
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        if !query.follow {
            return Err(PlatformError::Permanent(
                "App Service's log stream only follows; ask for it with `--follow`".to_owned(),
            ));
        }
        loop {
            let mut response = self.scm.stream(&Ask::get("follow the log", ["api", "logstream"])).await?;
            let mut rest = Vec::new();
            loop {
                let chunk = tokio::select! {
                    chunk = response.chunk() => chunk,
                    () = out.closed() => return Ok(()),
                };
                let Ok(Some(chunk)) = chunk else { break };
                rest.extend_from_slice(&chunk);
                while let Some(end) =
                    rest.iter().position(|byte| *byte == b'\n').or((rest.len() > LINE).then_some(LINE))
                {
                    let line: Vec<u8> = rest.drain(..=end.min(rest.len() - 1)).collect();
                    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                    if !text.is_empty() && out.send(line_of(text)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            // Azure ends a stream that was silent for a while.
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// An application setting, which the app sees as a variable. One that names a secret of Key Vault, or a value of App Configuration, is what is there when the app starts.
fn setting(name: String, value: String) -> Variable {
    let is_elsewhere = ["@Microsoft.KeyVault(", "@Microsoft.AppConfiguration("];
    let value = if is_elsewhere.iter().any(|known| value.starts_with(known)) {
        VariableValue::From(value)
    } else {
        VariableValue::Plain(Secret::new(value))
    };
    Variable { container: None, name, value }
}

/// A line with the time that it begins with, if it begins with one.
fn line_of(text: String) -> LogLine {
    let (at, rest) = text
        .split_once(' ')
        .map_or((None, text.as_str()), |(time, rest)| (time.parse::<Timestamp>().ok(), rest));
    match at {
        Some(at) => LogLine { at: Some(at), instance: String::new(), text: rest.to_owned() },
        None => LogLine { at: None, instance: String::new(), text },
    }
}
