//! Carries a scenario's events out at their times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::fleet::Fleet;
use super::scenario::{Action, Scenario};
use super::service::{Refusal, Service};
use crate::model::ReleaseRef;
use crate::model::release::{Arm, Share};

/// How often the timeline looks whether a deployment is up.
const LOOK: Duration = Duration::from_millis(20);
/// After this it goes on without.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the events once, or again and again. Each further round releases new versions, since a version is never
/// released twice.
pub(super) async fn run(fleet: Arc<Fleet>, scenario: Scenario, repeat: bool) {
    let started = tokio::time::Instant::from_std(fleet.started);
    let mut begin = started;
    let new: BTreeSet<&str> = scenario
        .timeline
        .iter()
        .filter_map(|event| match &event.action {
            Action::Deploy { version, .. } => Some(version.as_str()),
            _ => None,
        })
        .collect();
    for round in 0.. {
        let name = |version: &str| {
            if new.contains(version) { in_round(version, round) } else { version.to_owned() }
        };
        for event in &scenario.timeline {
            tokio::time::sleep_until(begin + event.at).await;
            let Ok(service) = fleet.service(&event.service) else { continue };
            match carry_out(&fleet, service, &event.action, &name).await {
                Ok(text) => fleet.say(&event.service, text),
                Err(
                    Refusal::Unknown(why)
                    | Refusal::Conflict(why)
                    | Refusal::Invalid(why)
                    | Refusal::Changed(why),
                ) => fleet.say(&event.service, format!("does not happen: {why}")),
            }
        }
        begin += scenario.duration;
        tokio::time::sleep_until(begin).await;
        if !repeat {
            fleet.say("", "end of the timeline");
            return;
        }
        for service in fleet.services.values() {
            service.clear_faults(None);
        }
        fleet.say("", format!("round {}: all faults end, the timeline begins again", round + 2));
    }
}

async fn carry_out(
    fleet: &Fleet,
    service: &Arc<Service>,
    action: &Action,
    name: &impl Fn(&str) -> String,
) -> Result<String, Refusal> {
    match action {
        Action::Deploy { version, percent, author, schema } => {
            let version = name(version);
            let new = service.register(&version, author.clone(), *schema)?;
            fleet.deploy(service, new.as_str())?;
            let mut left = PATIENCE;
            while !service.inventory().release(&new).is_some_and(|release| release.running) {
                if left.is_zero() {
                    return Err(Refusal::Conflict(format!("{version} does not come up")));
                }
                tokio::time::sleep(LOOK).await;
                left = left.saturating_sub(LOOK);
            }
            if *percent == 0 {
                return Ok(format!("{version} is up, without traffic"));
            }
            let mut shares = vec![Share { reference: new, arm: Arm::Canary, percent: *percent }];
            if *percent < 100 {
                let stable = service
                    .stable()
                    .ok_or_else(|| Refusal::Conflict("there is no stable release".to_owned()))?;
                shares.push(Share {
                    reference: ReleaseRef::new(stable),
                    arm: Arm::Stable,
                    percent: 100 - percent,
                });
            }
            service.shift(&shares)?;
            Ok(format!("{version} is released, with {percent} % of the traffic"))
        }
        Action::Traffic(weights) => {
            let weights: BTreeMap<String, u8> =
                weights.iter().map(|(version, percent)| (name(version), *percent)).collect();
            let stable = service.stable();
            // What is stable stays so; if it gets nothing, the larger share is.
            let first = weights
                .iter()
                .filter(|(_, percent)| **percent > 0)
                .max_by_key(|(version, percent)| (Some(*version) == stable.as_ref(), **percent))
                .map(|(version, _)| version.clone());
            let shares: Vec<Share> = weights
                .iter()
                .map(|(version, percent)| Share {
                    reference: ReleaseRef::new(version),
                    arm: if Some(version) == first.as_ref() { Arm::Stable } else { Arm::Canary },
                    percent: *percent,
                })
                .collect();
            service.shift(&shares)?;
            let words: Vec<String> =
                weights.iter().map(|(version, percent)| format!("{version} {percent} %")).collect();
            Ok(format!("weights: {}", words.join(", ")))
        }
        Action::Fault { version, fault } => {
            let version = version.as_deref().map(name);
            service.set_fault(version.clone(), fault.clone())?;
            Ok(format!("{} {}", version.as_deref().unwrap_or("every version"), fault.words()))
        }
        Action::Clear { version } => {
            service.clear_faults(version.as_deref().map(name).as_deref());
            Ok("faults end".to_owned())
        }
    }
}

/// The name of a version in a later round: its last number is raised.
fn in_round(version: &str, round: u64) -> String {
    if round == 0 {
        return version.to_owned();
    }
    let digits = version.len() - version.bytes().rev().take_while(u8::is_ascii_digit).count();
    match version[digits..].parse::<u64>() {
        Ok(last) => format!("{}{}", &version[..digits], last.saturating_add(round)),
        Err(_) => format!("{version}.{round}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every round has versions of its own, in an order that people read as such.
    #[test]
    fn rounds_have_their_own_versions() {
        assert_eq!(in_round("2.9.0", 0), "2.9.0");
        assert_eq!(in_round("2.9.0", 2), "2.9.2");
        assert_eq!(in_round("build-9", 1), "build-10");
        assert_eq!(in_round("main", 1), "main.1");
    }
}
