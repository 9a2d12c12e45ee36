//! `unship platform`: whether unship can work with a service's platform, and what runs there.

use jiff::Timestamp;
use serde_json::json;

use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::World;
use crate::engine::runtime::platforms::{self, PlatformCheck};
use crate::model::ServiceName;
use crate::model::platform::{CheckOutcome, Instance};
use crate::model::units::human;

/// Try out a platform, or list what runs there.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum Command {
    /// Try every call that only reads, and find out whether the changing ones would be allowed. Changes nothing.
    Check {
        /// Only these services. Without any: all of them.
        #[arg(value_name = "SERVICE")]
        services: Vec<String>,
    },
    /// List a service's instances: their state, their release, and what they use.
    Instances {
        /// The service.
        service: String,
    },
}

/// Exit codes: 0 all works (perhaps with warnings), 6 something does not or cannot be read.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let loaded = session::load(global)?;
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    match &args.command {
        Command::Check { services } => check(&world, services, global).await,
        Command::Instances { service } => instances(&world, &service.as_str().into(), global).await,
    }
}

async fn check(world: &World, services: &[String], global: &Global) -> anyhow::Result<Exit> {
    let known: Vec<_> = world.platforms.keys().map(ServiceName::as_str).collect();
    if let Some(unknown) = services.iter().find(|name| !known.contains(&name.as_str())) {
        note!("no service `{unknown}`; services: {}", known.join(", "));
        return Ok(Exit::Usage);
    }
    let services: Vec<ServiceName> = services.iter().map(|name| name.as_str().into()).collect();
    let checks = platforms::check(world, &services).await;
    let exit = if checks.iter().any(PlatformCheck::has_failed) { Exit::Unknown } else { Exit::Fine };
    if global.json {
        print_json(&json!({ "exit": exit as u8, "at": Timestamp::now(), "platforms": checks }))?;
        return Ok(exit);
    }
    for (index, one) in checks.iter().enumerate() {
        if index > 0 {
            out!("");
        }
        out!("{} ({})", one.service, one.kind);
        let rows = one.checks.iter().map(|check| {
            let (word, detail) = words(&check.outcome);
            vec![format!("  {word}"), check.what.clone(), world.secrets.redact(detail)]
        });
        out!("{}", table(&rows.collect::<Vec<_>>()).trim_end());
    }
    Ok(exit)
}

fn words(outcome: &CheckOutcome) -> (&'static str, &str) {
    match outcome {
        CheckOutcome::Passed(detail) => ("ok", detail),
        CheckOutcome::Warning(detail) => ("warning", detail),
        CheckOutcome::Failed(detail) => ("FAILS", detail),
        CheckOutcome::Unknown(detail) => ("unknown", detail),
    }
}

async fn instances(world: &World, service: &ServiceName, global: &Global) -> anyhow::Result<Exit> {
    let instances = match platforms::instances(world, service).await {
        Ok(instances) => instances,
        Err(reason) => {
            note!("{reason}");
            return Ok(Exit::Unknown);
        }
    };
    if global.json {
        print_json(&json!({ "at": Timestamp::now(), "service": service, "instances": instances }))?;
    } else if instances.is_empty() {
        out!("no instance runs");
    } else {
        out!("{}", table(&rows(&instances, Timestamp::now())).trim_end());
    }
    Ok(Exit::Fine)
}

fn rows(instances: &[Instance], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["instance", "ready", "state", "release", "restarts", "cpu", "memory", "since"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for one in instances {
        // What the platform does not say is left empty.
        let or_none = |text: Option<String>| text.unwrap_or_default();
        let since = one.since.map(|since| human(now.duration_since(since).unsigned_abs()));
        rows.push(vec![
            one.name.clone(),
            if one.ready { "yes" } else { "no" }.to_owned(),
            one.state.clone(),
            or_none(one.release.as_ref().map(|release| short(release.as_str()))),
            or_none(one.restarts.map(|count| count.to_string())),
            or_none(one.cpu_cores.map(|cores| format!("{cores:.2}"))),
            or_none(one.memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20))),
            or_none(since),
        ]);
    }
    rows
}

/// What comes after the last `/`: of an ARN the part that tells.
fn short(reference: &str) -> String {
    reference.rsplit_once('/').map_or(reference, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What a platform does not say is empty, not zero.
    #[test]
    fn what_is_not_known_is_empty() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let full = Instance {
            name: "web-1".to_owned(),
            release: Some("arn:aws:ecs:eu:1:task-definition/web:7".into()),
            state: "RUNNING".to_owned(),
            ready: true,
            restarts: Some(0),
            cpu_cores: Some(0.254),
            memory_bytes: Some(64 << 20),
            since: Some(now - Duration::from_mins(90)),
        };
        let bare = Instance {
            name: "web-2".to_owned(),
            release: None,
            ready: false,
            state: "PENDING".to_owned(),
            restarts: None,
            cpu_cores: None,
            memory_bytes: None,
            since: None,
        };
        assert_eq!(
            table(&rows(&[full, bare], now)),
            "instance  ready  state    release  restarts  cpu   memory  since\n\
             web-1     yes    RUNNING  web:7    0         0.25  64 MiB  1 h 30 m\n\
             web-2     no     PENDING\n"
        );
    }
}
