//! Which release is to get the traffic: by evidence, never by "previous".

use crate::model::release::{Quality, Release};
use crate::model::trigger::Verdict;
use crate::model::{ReleaseRef, Version};

use super::state::ServiceState;

/// The release that is to get the traffic, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The release, if one can be named at all.
    pub release: Option<Release>,
    /// What speaks for it, in words.
    pub evidence: String,
    /// What speaks against it; a person may take it upon themselves when there is a release.
    pub problem: Option<String>,
}

impl Target {
    pub(super) const fn none(problem: String) -> Self {
        Self { release: None, evidence: String::new(), problem: Some(problem) }
    }
}

/// Chooses the release to return to when `leaving` is left.
///
/// With a canary: what serves as stable, if its health is recorded or seen now. Without one: the newest release with
/// recorded health. Never the one being left, never one marked bad. A version that a person names is taken if it exists
/// and is not the one being left; without recorded health, or marked bad, it has a problem.
pub fn choose(service: &ServiceState, leaving: &ReleaseRef, asked: Option<&Version>) -> Target {
    let Some(inventory) = &service.inventory else {
        return Target::none("the platform has not been read yet".to_owned());
    };
    if let Some(version) = asked {
        let mut named = inventory.releases.iter().filter(|release| &release.version == version);
        return match named.find(|release| &release.reference != leaving) {
            None if inventory.by_version(version).is_some() => {
                Target::none(format!("`{version}` is the release that would be left"))
            }
            None => {
                Target::none(format!("the platform has no release `{version}`; it has {}", known(service)))
            }
            Some(release) => judged(service, release),
        };
    }
    if service.canary().is_some_and(|canary| &canary.reference == leaving) {
        return match service.stable() {
            Some(stable) if &stable.reference != leaving => judged(service, stable),
            _ => Target::none("nothing serves as stable".to_owned()),
        };
    }
    let good = inventory.releases.iter().find(|release| {
        &release.reference != leaving && service.quality(&release.reference) == Quality::Good
    });
    match good {
        Some(release) => judged(service, release),
        None => Target::none(format!(
            "no other release has recorded health; name one you trust with `--to` and override `target` with a reason ({})",
            known(service)
        )),
    }
}

/// The release that a promotion gives the traffic: what is tried as the canary. Marked bad, it has a problem.
pub fn canary(service: &ServiceState) -> Target {
    let Some(canary) = service.canary() else {
        return Target::none("nothing gets traffic as the canary: there is nothing to promote".to_owned());
    };
    let version = &canary.version;
    let (evidence, problem) = match service.qualities.get(&canary.reference) {
        Some(mark) if mark.quality == Quality::Bad => {
            (String::new(), Some(format!("`{version}` is marked bad: {}", mark.reason)))
        }
        Some(mark) if mark.quality == Quality::Good => {
            (format!("`{version}` recorded good at {:.0}: {}", mark.at, mark.reason), None)
        }
        _ => (format!("`{version}` is the canary, and nothing recorded speaks against it"), None),
    };
    Target { release: Some(canary.clone()), evidence, problem }
}

/// The release that a deployment brings in: one that the platform knows and that is not live. Marked bad, it has a problem.
pub fn incoming(service: &ServiceState, version: &Version) -> Target {
    let Some(inventory) = &service.inventory else {
        return Target::none("the platform has not been read yet".to_owned());
    };
    let Some(release) = inventory.by_version(version) else {
        return Target::none(format!("the platform has no release `{version}`; it has {}", known(service)));
    };
    if service.stable().is_some_and(|stable| stable.reference == release.reference) {
        return Target::none(format!("`{version}` is live already"));
    }
    if let Some(other) = service.canary().filter(|canary| canary.reference != release.reference) {
        return Target::none(format!(
            "`{}` gets traffic as the canary: promote it or roll it back first",
            other.version
        ));
    }
    let (evidence, problem) = match service.qualities.get(&release.reference) {
        Some(mark) if mark.quality == Quality::Bad => {
            (String::new(), Some(format!("`{version}` is marked bad: {}", mark.reason)))
        }
        Some(mark) if mark.quality == Quality::Good => {
            (format!("`{version}` recorded good at {:.0}: {}", mark.at, mark.reason), None)
        }
        _ => (format!("`{version}` has not served before"), None),
    };
    Target { release: Some(release.clone()), evidence, problem }
}

fn judged(service: &ServiceState, release: &Release) -> Target {
    let is_stable = service.stable().is_some_and(|stable| stable.reference == release.reference);
    let stable_verdict = service
        .arms
        .get(&crate::model::release::Arm::Stable)
        .map(|(verdict, _)| verdict)
        .filter(|_| is_stable);
    let version = &release.version;
    let (evidence, problem) = match (service.qualities.get(&release.reference), stable_verdict) {
        (Some(mark), _) if mark.quality == Quality::Bad => {
            (String::new(), Some(format!("`{version}` is marked bad: {}", mark.reason)))
        }
        (_, Some(Verdict::Failing { reasons })) => {
            (String::new(), Some(format!("`{version}` is failing now: {}", reasons.join("; "))))
        }
        (Some(mark), _) if mark.quality == Quality::Good => {
            (format!("`{version}` recorded good at {:.0}: {}", mark.at, mark.reason), None)
        }
        (_, Some(Verdict::Healthy)) => (format!("`{version}` serves as stable and is healthy now"), None),
        _ => (String::new(), Some(format!("`{version}` has no recorded health"))),
    };
    Target { release: Some(release.clone()), evidence, problem }
}

fn known(service: &ServiceState) -> String {
    let releases = service.inventory.iter().flat_map(|inventory| &inventory.releases);
    let words: Vec<_> = releases
        .take(8)
        .map(|release| format!("{} {}", release.version, service.quality(&release.reference).word()))
        .collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
