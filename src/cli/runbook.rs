//! `unship runbook`: what unship reads in a runbook, before anybody needs it.

mod check;
mod links;
mod show;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Exit, Global};
use crate::config::{self, Config, runbooks};
use crate::runbook::{ActionTable, EMERGENCY, EMERGENCY_NAME, MOST_BYTES, Registry, Runbook, Tier};

/// Check runbooks, or show one as a checklist.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with a runbook.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Action {
    /// Say what is read in it, line by line, and everything that is wrong with it.
    ///
    /// Names of services, indicators and alarms are checked where there is a config. `NAME.bind.toml` beside `NAME.md` is read
    /// with it. The exit code is 1 if there is an error.
    Check {
        /// The runbooks.
        #[arg(required_unless_present = "builtin", value_name = "FILE")]
        files: Vec<PathBuf>,
        /// What counts as an item, whatever the document says.
        #[arg(long, value_name = "WHAT")]
        checklist: Option<Items>,
        /// The built-in runbook.
        #[arg(long)]
        builtin: bool,
        /// Follow links to files beside the runbook and to headings, too.
        #[arg(long)]
        links: bool,
    },
    /// Print the checklist as a reader sees it.
    Show {
        /// The runbook.
        #[arg(required_unless_present = "builtin", conflicts_with = "builtin", value_name = "FILE")]
        file: Option<PathBuf>,
        /// What counts as an item, whatever the document says.
        #[arg(long, value_name = "WHAT")]
        checklist: Option<Items>,
        /// The built-in runbook.
        #[arg(long)]
        builtin: bool,
    },
}

/// What counts as an item.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Items {
    /// Tasks: `- [ ]`.
    Tasks,
    /// Numbered steps.
    Steps,
    /// Headings without a heading below.
    Headings,
}

impl From<Items> for Tier {
    fn from(items: Items) -> Self {
        match items {
            Items::Tasks => Self::Tasks,
            Items::Steps => Self::Steps,
            Items::Headings => Self::Headings,
        }
    }
}

/// Runs `unship runbook`.
///
/// # Errors
///
/// If the config cannot be used, or the answer cannot be written. Problems in a runbook are an answer, with [`Exit::Error`].
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    run_to(args, global, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn run_to(args: &Args, global: &Global, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Exit> {
    let world = World::of(global)?;
    match &args.action {
        Action::Check { files, checklist, builtin, links } => {
            let tier = checklist.map(Tier::from);
            let own =
                builtin.then(|| (BUILT_IN.to_owned(), world.read(EMERGENCY_NAME, EMERGENCY, tier, None)));
            let others = files.iter().map(|file| {
                let mut read = world.file(file, tier);
                if let (Ok(runbook), true) = (&mut read, *links) {
                    runbook.problems.extend(links::broken(file, &text_of(file).unwrap_or_default()));
                    runbook.problems.sort_by_key(|problem| (problem.line, problem.column));
                }
                (file.display().to_string(), read)
            });
            let read: Vec<_> = own.into_iter().chain(others).collect();
            if global.json {
                check::json(&read, out)?;
            } else {
                check::text(&read, out, err)?;
            }
            let fails = |result: &Result<Runbook, String>| result.as_ref().map_or(true, Runbook::has_errors);
            out.flush()?;
            Ok(if read.iter().any(|(_, result)| fails(result)) { Exit::Error } else { Exit::Fine })
        }
        Action::Show { file, checklist, .. } => {
            let tier = checklist.map(Tier::from);
            let (shown, result) = match file {
                Some(file) => (file.display().to_string(), world.file(file, tier)),
                None => (BUILT_IN.to_owned(), world.read(EMERGENCY_NAME, EMERGENCY, tier, None)),
            };
            match result {
                Ok(runbook) if global.json => {
                    serde_json::to_writer_pretty(&mut *out, &runbook)
                        .context("cannot write the runbook as JSON")?;
                    writeln!(out)?;
                }
                Ok(runbook) => show::text(&shown, &runbook, out, err)?,
                Err(error) => {
                    writeln!(err, "{error}")?;
                    return Ok(Exit::Error);
                }
            }
            out.flush()?;
            Ok(Exit::Fine)
        }
    }
}

/// How the built-in runbook is named where a file would be.
const BUILT_IN: &str = "emergency (built in)";

/// What runbooks may name.
struct World {
    names: Registry,
    actions: ActionTable,
}

impl World {
    /// From the config, if there is one; a config that was asked for has to be there.
    fn of(global: &Global) -> anyhow::Result<Self> {
        let is_default = global.config == Path::new("unship.toml");
        if is_default && !global.config.exists() {
            return Ok(Self { names: Registry::unchecked(), actions: ActionTable::unchecked() });
        }
        // A runbook is checked where the secrets are not, and where another one is wrong, or this one.
        Ok(Self::from_config(&config::load_alone(&global.config)?))
    }

    fn from_config(config: &Config) -> Self {
        Self { names: runbooks::names(config), actions: runbooks::actions(config) }
    }

    /// A runbook with the sidecar beside it, or why it cannot be read.
    fn file(&self, file: &Path, tier: Option<Tier>) -> Result<Runbook, String> {
        let text = text_of(file)?;
        let name = file.file_stem().map_or_else(|| "runbook".into(), |stem| stem.to_string_lossy());
        let sidecar = file.with_file_name(format!("{name}.bind.toml"));
        let bound =
            if sidecar.exists() { Some((sidecar.display().to_string(), text_of(&sidecar)?)) } else { None };
        self.read(&name, &text, tier, bound).map_err(|error| format!("{}: {error}", file.display()))
    }

    fn read(
        &self,
        name: &str,
        text: &str,
        tier: Option<Tier>,
        sidecar: Option<(String, String)>,
    ) -> Result<Runbook, String> {
        let mut runbook = Runbook::parse_as(name, text, tier, &self.names, &self.actions)
            .map_err(|error| error.to_string())?;
        if let Some((file, text)) = sidecar {
            runbook.bind(&file, &text, &self.names, &self.actions);
        }
        Ok(runbook)
    }
}

/// The text of a file that is not too large.
fn text_of(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let cannot = |error: io::Error| format!("cannot read `{shown}`: {error}; check the path");
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    File::open(file).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() > MOST_BYTES {
        return Err(format!(
            "`{shown}` has more than {MOST_BYTES} bytes, the most that a runbook may have; split it"
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = String::from_utf8_lossy(&error.as_bytes()[..at]).matches('\n').count() + 1;
        format!("`{shown}` is no UTF-8 from line {line} on; save it as UTF-8")
    })
}

/// Text of a document, safe to print: nothing in it moves the cursor or turns the direction of writing around.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let is_odd = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if c == '\t' || c == '\n' {
            shown.push(c);
        } else if is_odd {
            let _ = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}
