//! `unship console`: the full-screen terminal UI.

use std::io::Write as _;

use anyhow::Context as _;
use jiff::Timestamp;

use super::account;
use super::session::{self, LeadWhen};
use super::{Exit, Global};
use crate::config::schema::GlyphSet;
use crate::config::{Loaded, theme_dirs};
use crate::engine::runtime::{Engine, Leadership};
use crate::model::command::Actor;
use crate::model::operation::OperationStatus;
use crate::tui::glyphs::Glyphs;
use crate::tui::{self, Keymap, Left};

/// Open the full-screen console: health, canary against stable, deployments, checklist.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Whether this console leads.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = LeadWhen::Auto)]
    pub lead: LeadWhen,
    /// How it looks.
    #[command(flatten)]
    pub look: Look,
}

/// How the console looks.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Look {
    /// The colours: a built-in theme or one of your own; `unship themes` lists them.
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Only ASCII symbols, for fonts that lack the others.
    #[arg(long)]
    pub ascii: bool,
}

/// Exit codes: 0 left by the person; 128 and a signal's number by that signal.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let me = session::actor(global)?;
    let loaded = session::load(global)?;
    let options = options(&args.look, &loaded, me, global)?;
    let engine = session::start(&loaded, "console", args.lead.into()).await?;
    let opened_at = Timestamp::now();
    let left = tui::run(&engine, options).await;
    let account = farewell(&engine, &loaded, opened_at);
    engine.shutdown().await;
    let left = left.context("the terminal cannot be used")?;
    // Nobody may be there to read it.
    let _ = write!(std::io::stdout(), "{account}");
    if let Left::Stopped(reason) = left {
        // What a shell expects of a program that was ended by a signal.
        std::process::exit(i32::from(reason.exit_code()));
    }
    Ok(Exit::Fine)
}

/// How the console looks and what its keys are: the command line counts before the config.
pub(crate) fn options(
    look: &Look,
    loaded: &Loaded,
    me: Actor,
    global: &Global,
) -> anyhow::Result<tui::Options> {
    let console = &loaded.config.console;
    let keymap = Keymap::new(&console.keys).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}: {}", loaded.path.display(), lines.join("\n"))
    })?;
    let variable = |name: &str| std::env::var_os(name);
    let theme_dirs = theme_dirs(&variable);
    let name = look.theme.as_deref().unwrap_or(&console.theme);
    let (theme, problem) = tui::theme::choose(name, &theme_dirs, &variable);
    // Asked for just now, so there is somebody to mend it; a theme of the config is no reason to stay out of an incident.
    let notice = match problem {
        Some(problem) if look.theme.is_some() => return Err(problem.into()),
        problem => problem.map(|problem| problem.to_string()),
    };
    Ok(tui::Options {
        me,
        config_path: loaded.path.clone(),
        theme,
        theme_dirs,
        glyphs: Glyphs::of(if look.ascii { GlyphSet::Ascii } else { console.glyphs }),
        keymap,
        notice,
        log: global.log.clone(),
        guided: false,
    })
}

/// What was done while the console was open, and where the record is.
pub(crate) fn farewell(engine: &Engine, loaded: &Loaded, opened_at: Timestamp) -> String {
    let view = engine.view().borrow().clone();
    let mut lines = Vec::new();
    for operation in view.state.operations_in_order().filter(|operation| operation.at >= opened_at) {
        let end = match &operation.status {
            OperationStatus::Ended { outcome, .. } => account::outcome_words(*outcome),
            OperationStatus::NeedsDecision { .. } => "waits for a person".to_owned(),
            _ => match view.leadership {
                Leadership::Theirs(ref lease) => format!("goes on with {}", lease.holder),
                _ => "goes on when another process leads".to_owned(),
            },
        };
        lines.push(format!("{}  {} (by {}): {end}\n", operation.id, operation.plan.purpose, operation.by));
    }
    // The incident is what the others will ask about.
    if let Some(incident) = view.state.open_incident() {
        lines.push(format!("{} is open: {}\n", incident.id, incident.title));
    }
    let written =
        view.state.incidents_in_order().into_iter().rfind(|incident| incident.opened_at >= opened_at);
    if let Some(incident) = written {
        let config = loaded.path.display();
        let id = &incident.id;
        lines.push(format!("its post-mortem: unship -c {config} report incident {id} --out {id}.md\n"));
    }
    lines.push(format!("the record is {}\n", loaded.journal_path.display()));
    lines.concat()
}
