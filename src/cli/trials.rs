//! `unship preflight`, `smoke` and `load`: what shows that a release may go on, by hand or in a pipeline. Nothing is changed, and
//! nothing is written into the journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;

use super::output::{note, out, print_json, table};
use super::{Exit, Global, junit, session};
use crate::engine::runtime::World;
use crate::engine::runtime::validations::{Place, Subject, Watcher, run_checks, run_load, run_suite};
use crate::model::release::Release;
use crate::model::units::human;
use crate::model::validation::{LoadFigures, Trial, TrialReport};
use crate::model::{ServiceName, Version};

/// Run the checks that have to pass before a deployment of a service, side by side.
#[derive(clap::Args, Clone, Debug)]
pub struct PreflightArgs {
    /// The service.
    service: String,
    /// Only these checks. Without any: all that the service has.
    #[arg(value_name = "CHECK")]
    checks: Vec<String>,
    /// Only the critical ones, as an emergency does.
    #[arg(long)]
    critical: bool,
    /// The version that is to be brought in, for the checks that name it.
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Write the results as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Run smoke suites. One test that fails stops no other.
#[derive(clap::Args, Clone, Debug)]
pub struct SmokeArgs {
    /// The suites. Without any: all of them.
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,
    /// An address in place of the suite's own.
    #[arg(long, value_name = "URL", conflicts_with = "candidate")]
    against: Option<String>,
    /// Test this version where it answers before it has traffic, instead of what is live.
    #[arg(long, value_name = "VERSION", requires = "service")]
    candidate: Option<String>,
    /// The service whose version is tested.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Write the results as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Make the requests of a load run, and measure the answers.
#[derive(clap::Args, Clone, Debug)]
pub struct LoadArgs {
    /// The load run.
    load: String,
    /// An address in place of its own.
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    /// Write the results as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Exit codes: 0 all pass, 2 there is no such service or check, 3 something fails.
pub async fn preflight(args: &PreflightArgs, global: &Global) -> anyhow::Result<Exit> {
    let world = world(global)?;
    let service: ServiceName = args.service.as_str().into();
    let subject = match subject(&world, Some(&service), args.version.as_deref()).await {
        Ok(subject) => subject,
        Err(why) => return Ok(usage(&why)),
    };
    let names: Vec<_> = args.checks.iter().map(|name| name.as_str().into()).collect();
    match run_checks(&world, &names, args.critical, &subject, &live(global, &world)).await {
        Ok(report) if report.trials.is_empty() => Ok(usage(&format!("`{service}` has no such check"))),
        Ok(report) => finish(&[report], args.junit.as_deref(), &world, global),
        Err(why) => Ok(usage(&why)),
    }
}

/// Exit codes: 0 all pass, 2 there is no such suite or it cannot be run there, 3 something fails.
pub async fn smoke(args: &SmokeArgs, global: &Global) -> anyhow::Result<Exit> {
    let world = world(global)?;
    let service = args.service.as_deref().map(ServiceName::from);
    let subject = match subject(&world, service.as_ref(), args.candidate.as_deref()).await {
        Ok(subject) => subject,
        Err(why) => return Ok(usage(&why)),
    };
    let place = match (&args.against, &args.candidate) {
        (Some(address), _) => Place::At(address.clone()),
        (None, Some(_)) => Place::Candidate,
        (None, None) => Place::Live,
    };
    let suites = &world.settings.config.smoke;
    let names: Vec<_> = match args.suites.as_slice() {
        [] => suites.keys().cloned().collect(),
        named => named.iter().map(|name| name.as_str().into()).collect(),
    };
    if names.is_empty() {
        return Ok(usage("the config has no smoke suite: add `[smoke.NAME]`"));
    }
    let mut reports = Vec::new();
    for name in names {
        if !global.json {
            note!("{name}");
        }
        match run_suite(&world, &name, &subject, place.clone(), &live(global, &world)).await {
            Ok(report) => reports.push(report),
            Err(why) => return Ok(usage(&why)),
        }
    }
    finish(&reports, args.junit.as_deref(), &world, global)
}

/// Exit codes: 0 within its limits, 2 there is no such load run, 3 over a limit.
pub async fn load(args: &LoadArgs, global: &Global) -> anyhow::Result<Exit> {
    let world = world(global)?;
    let subject = Subject { service: "".into(), release: None };
    let name = args.load.as_str().into();
    if let Some(spec) = world.settings.config.load.get(&name) {
        note!("{} users for {}", spec.users, human(*spec.duration));
    }
    match run_load(&world, &name, &subject, args.against.as_deref(), &live(global, &world)).await {
        Ok(report) => finish(&[report], args.junit.as_deref(), &world, global),
        Err(why) => Ok(usage(&why)),
    }
}

fn world(global: &Global) -> anyhow::Result<World> {
    let loaded = session::load(global)?;
    Ok(World::build(Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?)
}

fn usage(why: &str) -> Exit {
    note!("{why}");
    Exit::Usage
}

/// What is tried. A version is looked for on the platform, for what it is called there.
async fn subject(
    world: &World,
    service: Option<&ServiceName>,
    version: Option<&str>,
) -> Result<Subject, String> {
    let Some(service) = service else { return Ok(Subject { service: "".into(), release: None }) };
    let Some(platform) = world.platforms.get(service) else {
        let names: Vec<_> = world.platforms.keys().map(ServiceName::as_str).collect();
        return Err(format!("no service `{service}`; services: {}", names.join(", ")));
    };
    let release: Option<Release> = match version {
        None => None,
        Some(version) => {
            let inventory = platform.read().await.map_err(|error| error.to_string())?;
            let found = inventory.by_version(&Version::from(version)).cloned();
            Some(found.ok_or_else(|| format!("the platform of `{service}` has no release `{version}`"))?)
        }
    };
    Ok(Subject { service: service.clone(), release })
}

/// Each result as it comes, for a person who waits.
fn live(global: &Global, world: &World) -> Watcher {
    if global.json {
        return Watcher::nobody();
    }
    let secrets = Arc::clone(&world.secrets);
    Watcher::new(move |trial: &Trial| {
        let detail = secrets.redact(&trial.detail);
        note!("  {:<8} {}  {detail}", trial.outcome.word(), trial.name);
    })
}

/// Shows reports, and writes them where they are wanted; the exit code says how they went.
pub(super) fn finish(
    reports: &[TrialReport],
    junit: Option<&Path>,
    world: &World,
    global: &Global,
) -> anyhow::Result<Exit> {
    let reports: Vec<TrialReport> = reports.iter().map(|report| clean(report, world)).collect();
    let passed = reports.iter().all(TrialReport::passed);
    let exit = if passed { Exit::Fine } else { Exit::Unhealthy };
    if let Some(file) = junit {
        let text = junit::write(&reports);
        std::fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    if global.json {
        print_json(&json!({ "exit": exit as u8, "passed": passed, "reports": reports }))?;
        return Ok(exit);
    }
    for report in &reports {
        let rows: Vec<Vec<String>> = report
            .trials
            .iter()
            .map(|trial| {
                let took =
                    if trial.took_ms > 0.0 { format!("{:.0} ms", trial.took_ms) } else { String::new() };
                vec![format!("  {}", trial.outcome.word()), trial.name.clone(), took, trial.detail.clone()]
            })
            .collect();
        let address = report.address.as_ref().map_or_else(String::new, |address| format!(" at {address}"));
        out!("{}{address}", report.name);
        out!("{}", table(&rows).trim_end());
        if let Some(figures) = &report.latency {
            histogram(figures);
        }
    }
    Ok(exit)
}

fn clean(report: &TrialReport, world: &World) -> TrialReport {
    let mut report = report.clone();
    for trial in &mut report.trials {
        trial.detail = world.secrets.redact(&trial.detail);
    }
    report
}

/// How long the answers took, as bars.
fn histogram(figures: &LoadFigures) {
    for line in figures.chart() {
        out!("  {line}");
    }
}
