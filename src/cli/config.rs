//! `unship config`: look at the config without doing anything with it.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use super::{Exit, Global};
use crate::config::{self, Config, ConfigError, Level, Loaded, MissingSecrets, Problem, json_schema, render};

/// Check the config, show it with its defaults, or print its schema.
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

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full.toml");

    fn run(action: Action, config: &Path, json: bool) -> (Exit, String, String) {
        let global = Global { config: config.to_owned(), json, ..Global::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = run_to(&Args { action }, &global, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn bad(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("unship.toml");
        std::fs::write(
            &path,
            "[environment]\nnmae = \"a\"\n[services]\n[channels.c]\nkind = \"webhook\"\nkey = \"hunter2\"\n",
        )
        .unwrap();
        path
    }

    /// A good config is fine without its secrets; asked for them, each that is missing is an error.
    #[test]
    fn check_passes_a_good_config() {
        let check = |secrets| run(Action::Check { secrets }, Path::new(FULL), false);
        let (exit, out, err) = check(false);
        assert_eq!(exit, Exit::Fine, "{err}");
        assert!(out.contains("fine. `production`: 12 services, 9 sources, 11 triggers, 9 channels"), "{out}");
        assert!(err.contains("warning: the secret `env:METRICS_TOKEN` is not set"), "{err}");
        let (exit, out, err) = check(true);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(err.contains("the secret `file:secrets/probe-token` cannot be read"), "{err}");
        assert!(err.trim_end().ends_with("errors"), "{err}");
    }

    /// Problems end with the code for a wrong config, in words for people and as data for programs.
    #[test]
    fn check_refuses_a_bad_config() {
        let folder = tempfile::tempdir().unwrap();
        let path = bad(&folder);
        let (exit, out, err) = run(Action::Check { secrets: false }, &path, false);
        assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
        assert!(err.contains("unship.toml:2:1: unknown key `nmae`") && err.contains("2 errors"), "{err}");
        assert!(!err.contains("hunter2"), "{err}");
        let (exit, out, err) = run(Action::Check { secrets: false }, &path, true);
        assert_eq!((exit, err.as_str()), (Exit::Usage, ""));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["ok"], false);
        assert_eq!(answer["problems"][0]["path"], "environment.nmae");
        assert_eq!(answer["problems"].as_array().unwrap().len(), 2);
        assert!(!out.contains("hunter2"), "{out}");
        let (exit, out, _) = run(Action::Show, &folder.path().join("none.toml"), true);
        assert_eq!(exit, Exit::Usage);
        assert!(out.contains("unship demo"), "{out}");
    }

    /// What is shown has the defaults filled in, keeps secrets as references, and is a config itself.
    #[test]
    fn show_prints_the_whole_config() {
        let (exit, out, _) = run(Action::Show, Path::new(FULL), false);
        assert_eq!(exit, Exit::Fine);
        assert!(out.contains("keep_alive = false") && out.contains("env:DEPLOY_TOKEN"), "{out}");
        let shown = config::parse(&out, "shown").unwrap().0;
        let text = std::fs::read_to_string(FULL).unwrap();
        assert_eq!(shown, config::parse(&text, "full").unwrap().0);
        let (_, out, _) = run(Action::Show, Path::new(FULL), true);
        assert_eq!(serde_json::from_str::<Config>(&out).unwrap(), shown);
    }

    /// The schema can be asked for without a config.
    #[test]
    fn schema_needs_no_config() {
        let (exit, out, _) = run(Action::Schema, Path::new("/nowhere"), false);
        assert_eq!(exit, Exit::Fine);
        let schema: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(schema["title"], "unship.toml");
    }
}
