//! `unship config`: look at the config without doing anything with it.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use super::{Exit, Global};
use crate::config::{self, Config, ConfigError, Level, Loaded, MissingSecrets, Problem, json_schema, render};

/// Arguments of `unship config`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the config.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Action {
    /// Say everything that is wrong with it.
    Check {
        /// A secret that cannot be read here is an error; without this it is a warning.
        #[arg(long)]
        secrets: bool,
    },
    /// Print it with every default filled in. Secrets stay references.
    Show,
    /// Print the JSON Schema of the file, for editors.
    Schema,
}

/// The answer of `config check --json`.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    ok: bool,
    /// SHA-256 of the file, if it can be used.
    digest: Option<&'a str>,
    problems: &'a [Problem],
}

/// Runs `unship config`.
///
/// # Errors
///
/// If the answer cannot be written. Problems in the config are an answer, with [`Exit::Usage`].
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let done = run_to(args, global, &mut io::stdout().lock(), &mut io::stderr().lock());
    match done {
        // Whoever reads has read enough: `unship config schema | head`.
        Err(error) if is_closed(&error) => Ok(Exit::Fine),
        done => done,
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run_to(args: &Args, global: &Global, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Exit> {
    let missing = match args.action {
        Action::Schema => {
            json(out, json_schema())?;
            return Ok(Exit::Fine);
        }
        Action::Check { secrets: true } => MissingSecrets::Fail,
        Action::Check { secrets: false } | Action::Show => MissingSecrets::Warn,
    };
    let loaded = match config::load_with(&global.config, missing) {
        Ok(loaded) => loaded,
        Err(error) => {
            refuse(&error, global, out, err)?;
            return Ok(Exit::Usage);
        }
    };
    if matches!(args.action, Action::Show) {
        if global.json {
            json(out, &loaded.config)?;
        } else {
            let text = toml::to_string_pretty(&loaded.config).context("cannot write the config as TOML")?;
            out.write_all(text.as_bytes())?;
        }
    } else if global.json {
        let problems = &loaded.warnings;
        let file = global.config.display().to_string();
        json(out, &Answer { file, ok: true, digest: Some(&loaded.digest), problems })?;
    } else {
        if !loaded.warnings.is_empty() {
            writeln!(err, "{}\n", render(&loaded.warnings))?;
        }
        writeln!(out, "{}", summary(&loaded))?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

fn refuse(
    error: &ConfigError,
    global: &Global,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    let unreadable;
    let problems: &[Problem] = match error {
        ConfigError::Problems(problems) => problems,
        ConfigError::Unreadable { .. } => {
            unreadable = Problem::of_file(&global.config.display().to_string(), error.to_string());
            std::slice::from_ref(&unreadable)
        }
    };
    if global.json {
        let file = global.config.display().to_string();
        json(out, &Answer { file, ok: false, digest: None, problems })?;
    } else if let ConfigError::Problems(problems) = error {
        let errors = problems.iter().filter(|problem| problem.severity == Level::Error).count();
        let warnings = problems.len() - errors;
        let also = if warnings == 0 { String::new() } else { format!(" and {}", count(warnings, "warning")) };
        writeln!(err, "{}\n\n{}{also}", render(problems), count(errors, "error"))?;
    } else {
        writeln!(err, "{error}")?;
    }
    out.flush()?;
    Ok(())
}

fn json(out: &mut dyn Write, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write the answer as JSON")?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// One line that says what the config holds, so that a forgotten part is seen.
fn summary(loaded: &Loaded) -> String {
    let Config { environment, services, sources, triggers, channels, .. } = &loaded.config;
    let mut parts = vec![
        count(services.len(), "service"),
        count(sources.len(), "source"),
        count(triggers.len(), "trigger"),
        count(channels.len(), "channel"),
    ];
    if !loaded.warnings.is_empty() {
        parts.push(count(loaded.warnings.len(), "warning"));
    }
    format!("{}: fine. `{}`: {}", loaded.path.display(), environment.name, parts.join(", "))
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
