//! Trying whether a release may go on, with what the config says of checks, suites and load runs.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{World, variables};
use crate::config::Config;
use crate::database;
pub use crate::database::Database;
use crate::model::database::Backup;
use crate::model::units::human;
use crate::model::validation::{Trial, TrialOutcome, TrialReport, Validation};
use crate::model::{CheckName, DatabaseName, LoadName, SuiteName};
pub use crate::validate::{Subject, Watcher};
use crate::validate::{candidate, checks, load, program, smoke};

/// Tries it, for no longer than `limit`. What cannot be tried is a trial that was not run.
pub async fn run(
    world: &World,
    what: &Validation,
    subject: &Subject,
    limit: Duration,
    watcher: &Watcher,
) -> TrialReport {
    let (began, at) = (Instant::now(), Timestamp::now());
    let name = match what {
        Validation::Checks { .. } => "checks",
        Validation::Smoke { suite, .. } => suite.as_str(),
        Validation::Load { load } => load.as_str(),
        Validation::Data { database } | Validation::Backup { database } => database.as_str(),
        Validation::Variables => "environment variables",
    };
    let not_run = |detail: String| TrialReport {
        name: name.to_owned(),
        address: None,
        at,
        took_ms: began.elapsed().as_secs_f64() * 1e3,
        trials: vec![Trial {
            name: name.to_owned(),
            outcome: TrialOutcome::NotRun,
            took_ms: began.elapsed().as_secs_f64() * 1e3,
            detail,
        }],
        latency: None,
    };
    let one = |name: &str, result: Result<String, String>| {
        let (outcome, detail) = match result {
            Ok(detail) => (TrialOutcome::Passed, detail),
            Err(why) => (TrialOutcome::Failed, why),
        };
        let took_ms = began.elapsed().as_secs_f64() * 1e3;
        let trial = Trial { name: name.to_owned(), outcome, took_ms, detail };
        watcher.saw(&trial);
        TrialReport { trials: vec![trial], ..not_run(String::new()) }
    };
    let trying = async {
        match what {
            Validation::Checks { only_critical } => {
                let config = &world.settings.config;
                let asked = config.checks.iter().filter(|(_, check)| check.concerns(&subject.service));
                let asked: Vec<_> = asked.filter(|(_, check)| check.critical || !only_critical).collect();
                Ok(checks(&asked, subject, watcher).await)
            }
            Validation::Smoke { suite, candidate } => {
                let place = if *candidate { Place::Candidate } else { Place::Live };
                run_suite(world, suite, subject, place, watcher).await
            }
            Validation::Load { load } => run_load(world, load, subject, None, watcher).await,
            Validation::Data { database } => check_data(world, database, watcher).await,
            Validation::Backup { database } => {
                let backup = database_of(world, database)?.back_up().await;
                Ok(one("backup", backup.map(|backup| backup_words(&backup))))
            }
            Validation::Variables => {
                let folder = world.settings.config.deploy_of(&subject.service).variables.as_deref();
                let folder = folder.ok_or("the config names no folder for them (`deploy.variables`)")?;
                let kept = variables::keep(world, &subject.service, Path::new(folder)).await;
                Ok(one("kept", kept.map(|kept| kept.words())))
            }
        }
    };
    match tokio::time::timeout(limit, trying).await {
        Ok(Ok(report)) => report,
        Ok(Err(why)) => not_run(why),
        Err(_) => not_run(format!("did not end within {}", human(limit))),
    }
}

/// Runs these checks, all that there are where none is named.
///
/// # Errors
/// In words: there is no such check.
pub async fn run_checks(
    world: &World,
    names: &[CheckName],
    only_critical: bool,
    subject: &Subject,
    watcher: &Watcher,
) -> Result<TrialReport, String> {
    let config = &world.settings.config;
    if let Some(unknown) = names.iter().find(|name| !config.checks.contains_key(*name)) {
        return Err(unknown_name("check", unknown.as_str(), config.checks.keys().map(CheckName::as_str)));
    }
    let asked = config.checks.iter().filter(|(name, check)| {
        let is_named = if names.is_empty() { check.concerns(&subject.service) } else { names.contains(name) };
        is_named && (check.critical || !only_critical)
    });
    let asked: Vec<_> = asked.collect();
    Ok(checks(&asked, subject, watcher).await)
}

/// Where a suite is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the service answers its users.
    Live,
    /// Where the release answers before it has traffic.
    Candidate,
    /// At an address that a person names.
    At(String),
}

/// Runs a smoke suite.
///
/// # Errors
/// In words: there is no such suite, or it does not say where the release answers.
pub async fn run_suite(
    world: &World,
    name: &SuiteName,
    subject: &Subject,
    place: Place,
    watcher: &Watcher,
) -> Result<TrialReport, String> {
    let config: &Config = &world.settings.config;
    let Some(spec) = config.smoke.get(name) else {
        return Err(unknown_name("smoke suite", name.as_str(), config.smoke.keys().map(SuiteName::as_str)));
    };
    let address = match place {
        Place::Live => spec.url.clone(),
        Place::Candidate => candidate(name, spec, subject)?,
        Place::At(address) => address,
    };
    Ok(smoke(name, spec, &address, &world.secrets, watcher).await)
}

/// Runs a load run, against its own address where none is named.
///
/// # Errors
/// In words: there is no such load run.
pub async fn run_load(
    world: &World,
    name: &LoadName,
    subject: &Subject,
    address: Option<&str>,
    watcher: &Watcher,
) -> Result<TrialReport, String> {
    let config = &world.settings.config;
    let Some(spec) = config.load.get(name) else {
        return Err(unknown_name("load run", name.as_str(), config.load.keys().map(LoadName::as_str)));
    };
    Ok(load(name, spec, address, subject, &world.secrets, watcher).await)
}

/// Tries what has to be true in a database.
///
/// # Errors
/// In words: there is no such database.
pub async fn check_data(
    world: &World,
    name: &DatabaseName,
    watcher: &Watcher,
) -> Result<TrialReport, String> {
    let (began, at) = (Instant::now(), Timestamp::now());
    let trials = database::check(database_of(world, name)?, &world.databases).await;
    for trial in &trials {
        watcher.saw(trial);
    }
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    Ok(TrialReport { name: name.to_string(), address: None, at, took_ms, trials, latency: None })
}

/// A database of the config.
///
/// # Errors
/// In words: there is none of this name.
pub fn database_of<'w>(world: &'w World, name: &DatabaseName) -> Result<&'w Database, String> {
    world.databases.get(name).ok_or_else(|| {
        unknown_name("database", name.as_str(), world.databases.keys().map(DatabaseName::as_str))
    })
}

/// What was backed up and where it is.
pub fn backup_words(backup: &Backup) -> String {
    format!("{}, {} bytes, sha256 {}; {}", backup.file, backup.bytes, backup.sha256, backup.verified)
}

/// Runs a program that has to end with 0.
pub async fn run_program(name: &str, argv: &[String], limit: Duration) -> Trial {
    program(name, argv, limit).await
}

fn unknown_name<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.collect();
    let known = if known.is_empty() { "the config has none".to_owned() } else { known.join(", ") };
    format!("no {what} `{name}`; there is: {known}")
}
