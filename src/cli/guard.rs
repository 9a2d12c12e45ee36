//! `unship guard`: the engine without a screen, for as long as it is let.

use std::io::Write as _;
use std::time::Duration;

use super::account;
use super::follow::Follower;
use super::output::note;
use super::session::{self, LeadWhen};
use super::{Exit, Global};
use crate::api::Api;
use crate::engine::runtime::{EngineError, Lead, Leadership};

/// How long a journal that cannot be read is left alone.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Watch the environment and roll bad releases back.
///
/// One guard leads; others follow and take over when it dies.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Exit with code 8 if another process leads, instead of waiting to take over.
    #[arg(long)]
    pub no_follow: bool,
    /// Whether this guard leads.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = LeadWhen::Auto)]
    pub lead: LeadWhen,
}

/// Runs until asked to stop.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    if args.no_follow && args.lead != LeadWhen::Auto {
        note!("--no-follow is for a guard that leads when nobody else does: leave out --lead");
        return Ok(Exit::Usage);
    }
    let engine = match args.lead {
        LeadWhen::Auto => session::start(&loaded, "guard", Lead::Auto).await?,
        LeadWhen::Now => session::start(&loaded, "guard", Lead::Now).await?,
        LeadWhen::Never => session::look(&loaded, "guard").await?,
    };
    let mut follower = Follower::from_now(&engine);
    if args.no_follow
        && let Leadership::Theirs(lease) = session::leader(&engine, *loaded.config.store.lease).await?
    {
        note!("`{}` leads until {}", lease.holder, account::clock(lease.until));
        engine.shutdown().await;
        return Ok(Exit::NotLeader);
    }
    note!(
        "guarding {} ({} services), journal {}; Ctrl-C stops",
        loaded.config.environment.name,
        loaded.config.services.len(),
        loaded.journal_path.display()
    );
    let api = match &loaded.config.api {
        Some(spec) => {
            let samples = global.log.as_ref().map(|folder| folder.join("refused"));
            let api = Api::start(engine.door(), spec, loaded.secrets.clone(), samples).await?;
            note!("listening on http://{}", api.address());
            Some(api)
        }
        None => None,
    };
    let stop = session::asked_to_stop();
    tokio::pin!(stop);
    let mut view = engine.view();
    let mut trouble: Option<String> = None;
    loop {
        tokio::select! {
            entry = follower.next() => {
                let entry = match entry {
                    Ok(entry) => entry,
                    // The engine tries again and says what is wrong; what cannot be read now is shown later.
                    Err(EngineError::Journal(_)) => {
                        tokio::select! {
                            () = tokio::time::sleep(READ_AGAIN) => continue,
                            () = &mut stop => break,
                        }
                    }
                    Err(error) => return Err(error.into()),
                };
                let mut out = std::io::stdout().lock();
                if global.json {
                    writeln!(out, "{}", super::output::entry_json(&entry))?;
                } else if let Some(line) = account::line(&entry, follower.state()) {
                    writeln!(out, "{line}")?;
                }
                out.flush()?;
            }
            changed = view.changed() => {
                changed.map_err(|_| EngineError::Stopped)?;
                let now = view.borrow_and_update().trouble.clone();
                match (&trouble, &now) {
                    (before, Some(words)) if before.as_ref() != Some(words) => {
                        note!("nothing is watched or acted on: {words}");
                    }
                    (Some(_), None) => note!("the journal can be used again"),
                    _ => {}
                }
                trouble = now;
            }
            () = &mut stop => break,
        }
    }
    // First nothing more comes in: what was answered with 200 is in the journal.
    if let Some(api) = api {
        api.stop().await;
    }
    engine.shutdown().await;
    // What the engine knew at its end: what is printed comes a moment later.
    let open = view.borrow().state.open_operations().count();
    if open > 0 {
        note!("{open} operation(s) go on when another process leads");
    }
    Ok(Exit::Fine)
}
