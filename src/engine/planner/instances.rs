//! Plans about how many instances run: more or fewer of what serves, or none of what was left. No traffic moves.

use super::Draft;
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

/// Makes the plan that stops these releases, or says why the platform cannot, or need not.
pub fn clean_up<'r>(draft: Draft<'_>, left: impl Iterator<Item = &'r Release>) -> Result<Plan, String> {
    let Draft { service, platform, .. } = draft;
    if !platform.capabilities.stop {
        return Err(format!("the platform of `{service}` does not let unship stop a release by itself"));
    }
    let stop = |(index, release): (usize, &Release)| -> Step {
        let action = PlatformAction::Stop { release: release.reference.clone() };
        draft.step(index, format!("stop `{}`, which has no traffic", release.version), action)
    };
    let left: Vec<_> = left.collect();
    let steps: Vec<Step> = left.iter().copied().enumerate().map(stop).collect();
    if steps.is_empty() {
        return Err(format!("nothing of `{service}` runs without traffic"));
    }
    let names: Vec<&str> = left.iter().map(|release| release.version.as_str()).collect();
    let purpose = format!("stop {} of {service}", names.join(", "));
    Ok(draft.finish(PlanKind::CleanUp, purpose, steps))
}
