//! Plans about how many instances run: more or fewer of what serves, or none of what was left. No traffic moves.

use super::Draft;
use crate::model::ReleaseRef;
use crate::model::operation::{Plan, PlanKind, Step};
use crate::model::platform::PlatformAction;
use crate::model::release::{Inventory, Release};

/// Makes the plan that has so many instances run, or says why the platform cannot, or need not.
pub fn scale(draft: Draft<'_>, instances: u32) -> Result<Plan, String> {
    let Draft { service, inventory, platform, .. } = draft;
    if !platform.capabilities.scale {
        return Err(format!("the platform of `{service}` does not let unship say how many instances run"));
    }
    if instances == 0 {
        return Err(format!(
            "without an instance `{service}` serves nobody; what users get meanwhile is the maintenance page's task"
        ));
    }
    let now = inventory.instances;
    if now == Some(instances) {
        return Err(format!("{instances} instances of `{service}` are asked for already"));
    }
    let from = now.map_or_else(String::new, |now| format!(", now {now}"));
    let title = format!("run {instances} instances{from}");
    let steps = vec![draft.step(0, title, PlatformAction::Scale { instances })];
    let purpose = format!("run {instances} instances of {service}{from}");
    Ok(draft.finish(PlanKind::Scale { instances }, purpose, steps))
}

/// The releases that run and get no traffic.
pub fn left_running(inventory: &Inventory) -> impl Iterator<Item = &Release> {
    let is_left = |release: &&Release| release.running && inventory.percent(&release.reference) == 0;
    inventory.releases.iter().filter(is_left)
}

/// The releases beyond the newest so many that neither run nor get traffic, the oldest first. Those that `spared` names stay.
pub fn beyond<'i>(inventory: &'i Inventory, keep: u32, spared: &[&ReleaseRef]) -> Vec<&'i Release> {
    let is_over = |release: &&Release| {
        !release.running
            && inventory.percent(&release.reference) == 0
            && !spared.contains(&&release.reference)
    };
    inventory.releases.iter().skip(keep as usize).filter(is_over).rev().collect()
}

/// Makes the plan that stops these releases and removes those, or says why the platform cannot, or need not.
pub fn clean_up<'r>(
    draft: Draft<'_>,
    left: impl Iterator<Item = &'r Release>,
    old: &[&'r Release],
) -> Result<Plan, String> {
    let Draft { service, platform, .. } = draft;
    let can = platform.capabilities;
    if !can.stop && !can.remove {
        return Err(format!("the platform of `{service}` does not let unship stop or remove a release"));
    }
    let left: Vec<_> = left.filter(|_| can.stop).collect();
    let old: Vec<_> = old.iter().copied().filter(|_| can.remove).collect();
    let stop = left.iter().map(|release| {
        let action = PlatformAction::Stop { release: release.reference.clone() };
        (format!("stop `{}`, which has no traffic", release.version), action)
    });
    let remove = old.iter().map(|release| {
        let action = PlatformAction::Remove { release: release.reference.clone() };
        (format!("remove `{}` for good", release.version), action)
    });
    let step = |(index, (title, action))| draft.step(index, title, action);
    let steps: Vec<Step> = stop.chain(remove).enumerate().map(step).collect();
    if steps.is_empty() {
        return Err(format!("nothing of `{service}` runs without traffic, and nothing is too old"));
    }
    let named = |word: &str, releases: &[&Release]| {
        let names: Vec<&str> = releases.iter().map(|release| release.version.as_str()).collect();
        (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
    };
    let what: Vec<String> = named("stop", &left).into_iter().chain(named("remove", &old)).collect();
    let purpose = format!("{} of {service}", what.join(", "));
    Ok(draft.finish(PlanKind::CleanUp, purpose, steps))
}
