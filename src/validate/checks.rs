//! What has to be true before anything is changed, all at once.

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::client::{ask, client};
use super::{Subject, Trying, Watcher, began, programs, report};
use crate::model::CheckName;
use crate::model::units::human;
use crate::model::validation::{CheckSpec, Trial, TrialReport};

/// Runs checks side by side. None of them stops another.
pub async fn checks(specs: &[(&CheckName, &CheckSpec)], subject: &Subject, watcher: &Watcher) -> TrialReport {
    let at = began();
    let all = specs.iter().map(async |(name, spec)| {
        let trial = one(name, spec, subject).await;
        watcher.saw(&trial);
        trial
    });
    report("checks", None, at, join_all(all).await)
}

async fn one(name: &CheckName, spec: &CheckSpec, subject: &Subject) -> Trial {
    let trying = Trying::begin(name.as_str());
    let result = timeout(*spec.timeout, parts(spec, subject)).await;
    trying.end(result.unwrap_or_else(|_| Err(format!("no end within {}", human(*spec.timeout)))))
}

/// Every part of a check; the first that does not hold ends it.
async fn parts(spec: &CheckSpec, subject: &Subject) -> Result<String, String> {
    let mut said = Vec::new();
    let missing: Vec<&str> = spec
        .env
        .iter()
        .filter(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(format!("not set: {}", missing.join(", ")));
    }
    if !spec.env.is_empty() {
        said.push(format!("{} set", spec.env.join(", ")));
    }
    if let Some(disk) = &spec.disk {
        let free = free_mib(&disk.path)?;
        if free < disk.free_mib {
            return Err(format!("{} MiB are free on `{}`, {} are needed", free, disk.path, disk.free_mib));
        }
        said.push(format!("{free} MiB free"));
    }
    if let Some(address) = &spec.tcp {
        let address = subject.fill(address);
        TcpStream::connect(&address).await.map_err(|error| format!("{address}: {error}"))?;
        said.push(format!("{address} takes connections"));
    }
    if let Some(url) = &spec.http {
        let url = subject.fill(url);
        let answer = ask(client()?.get(&url), *spec.timeout).await?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("{url} answers {}", answer.status));
        }
        said.push(format!("{url} answers {}", answer.status));
    }
    if let Some(command) = &spec.command {
        let argv: Vec<String> = command.iter().map(|argument| subject.fill(argument)).collect();
        let line = programs::run(&argv, spec.dir.as_deref(), *spec.timeout).await?;
        if !line.is_empty() {
            said.push(line);
        }
    }
    Ok(said.join("; "))
}

/// What is free for us on the disk of a path.
fn free_mib(path: &str) -> Result<u64, String> {
    let disk = rustix::fs::statvfs(path).map_err(|error| format!("`{path}`: {error}"))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >> 20)
}
