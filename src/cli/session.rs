//! What most subcommands begin with: the config, the engine on its journal, and who is asking.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::{self, Loaded};
use crate::engine::runtime::{
    Engine, EngineError, Journal, Lead, Leadership, Options, World, open_journal, open_journal_to_look,
};
use crate::model::ServiceName;
use crate::model::command::Actor;

use super::Global;
use super::output::note;

/// The config, loaded; warnings go to stderr.
pub(crate) fn load(global: &Global) -> anyhow::Result<Loaded> {
    let loaded = config::load(&global.config)?;
    global.redactor.register(Arc::clone(&loaded.secrets));
    if !loaded.warnings.is_empty() {
        note!("{}", config::render(&loaded.warnings));
    }
    Ok(loaded)
}

/// Whether the config has this service; if not, says which ones it has.
pub(crate) fn has_service(loaded: &Loaded, service: &str) -> bool {
    let services = &loaded.config.services;
    if !services.contains_key(service) {
        let names: Vec<_> = services.keys().map(ServiceName::as_str).collect();
        note!("no service `{service}`; services: {}", names.join(", "));
        return false;
    }
    true
}

/// When a guard or a console leads.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeadWhen {
    /// Whenever nobody else does.
    Auto,
    /// Never: only show what the leader does; never look or act.
    Never,
    /// At once, also from a guard that leads: for one that hangs. That one then follows.
    Now,
}

impl From<LeadWhen> for Lead {
    fn from(when: LeadWhen) -> Self {
        match when {
            LeadWhen::Auto => Self::Auto,
            LeadWhen::Never => Self::Never,
            LeadWhen::Now => Self::Now,
        }
    }
}

/// An engine on the config's journal. Only a guard or a console that leads acts without being asked.
pub(crate) async fn start(loaded: &Loaded, role: &'static str, lead: Lead) -> anyhow::Result<Engine> {
    start_on(open_journal(&loaded.journal_path).await?, loaded, role, lead).await
}

/// An engine that looks only: it changes nothing, and cannot.
pub(crate) async fn look(loaded: &Loaded, role: &'static str) -> anyhow::Result<Engine> {
    start_on(open_journal_to_look(&loaded.journal_path).await?, loaded, role, Lead::Never).await
}

async fn start_on(
    journal: Arc<dyn Journal>,
    loaded: &Loaded,
    role: &'static str,
    lead: Lead,
) -> anyhow::Result<Engine> {
    let config = Arc::new(loaded.config.clone());
    let options = Options { lead, role, lease: *config.store.lease, retention: *config.store.retention };
    let world = World::build(config, Arc::clone(&loaded.secrets), matches!(role, "guard" | "console"))?
        .with_texts(loaded);
    Ok(Engine::start(world, journal, options).await?)
}

/// Waits until it is known who leads: another process, or (if it may) this one. Nobody, after a lease's time.
pub(crate) async fn leader(engine: &Engine, lease: Duration) -> anyhow::Result<Leadership> {
    let mut view = engine.view();
    let known = tokio::time::timeout(
        lease + Duration::from_secs(2),
        view.wait_for(|view| view.leadership != Leadership::Nobody || view.trouble.is_some()),
    );
    match known.await {
        Ok(Ok(view)) => match &view.trouble {
            Some(trouble) => anyhow::bail!("{trouble}"),
            None => Ok(view.leadership.clone()),
        },
        Ok(Err(_)) => Err(EngineError::Stopped.into()),
        Err(_) => Ok(Leadership::Nobody),
    }
}

/// Who asks: the name given, else the login.
pub(crate) fn actor(global: &Global) -> anyhow::Result<Actor> {
    let name = global
        .name
        .clone()
        .or_else(|| std::env::var("USER").ok())
        .or_else(|| std::env::var("LOGNAME").ok())
        .filter(|name| !name.trim().is_empty());
    // In a container there is often no login: root is who runs it, and that is what the journal says.
    let name = name.or_else(|| rustix::process::getuid().is_root().then(|| "root".to_owned()));
    Ok(Actor::Person { name: name.context("who are you? Give a name with `--as NAME`")? })
}

/// Ends when the process is asked to end: Ctrl-C, SIGTERM or SIGHUP.
pub(crate) async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
