//! Plans: which steps take a release back, promote one, bring one in or turn the maintenance page, on a platform that can do
//! this and that.

mod data;
mod deploy;
mod instances;

pub use data::change;
pub use deploy::{Forward, deploy};
pub use instances::{beyond, clean_up, left_running, scale};

use crate::config::schema::RollbackSpec;
use crate::model::operation::{Action, Plan, PlanKind, Requirement, Step, Strategy};
use crate::model::platform::PlatformAction;
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{IdempotencyKey, ReleaseRef, ServiceName, Span};

use super::input::PlatformFacts;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// The release that is left.
    pub from: &'a Release,
    /// The release that gets the traffic.
    pub to: &'a Release,
    /// How.
    pub strategy: Strategy,
    /// The platform as it was read last.
    pub inventory: &'a Inventory,
    /// What it can do.
    pub platform: &'a PlatformFacts,
    /// Times and limits.
    pub settings: &'a RollbackSpec,
    /// What every step's idempotency key begins with.
    pub key: &'a str,
}

/// Makes the plan of a rollback, or says why the platform cannot do it.
///
/// With weights the target is brought up if it is not running, then traffic moves: at once, or first a part of it, watched.
/// Without weights the platform's own "make this release serve" is the one change. An emergency puts the maintenance page
/// before it, where there is one, and takes it away only when health is seen.
pub fn roll_back(draft: Draft<'_>) -> Result<Plan, String> {
    let Draft { service, from, to, strategy, inventory, platform, settings, .. } = draft;
    let can = platform.capabilities;
    if !can.weights && !can.restore {
        return Err(format!("the platform of `{service}` can neither move traffic nor restore a release"));
    }
    let page = strategy == Strategy::Emergency && can.maintenance;
    let mut steps = Vec::new();
    if page {
        let action = PlatformAction::Maintenance { on: true };
        steps.push(draft.step(steps.len(), "turn the maintenance page on".to_owned(), action));
    }
    if can.weights {
        if !to.running && can.deploy {
            let action = PlatformAction::Deploy { release: to.reference.clone() };
            steps.push(draft.step(steps.len(), format!("bring `{}` up", to.version), action));
        }
        if strategy == Strategy::Gradual {
            let now = inventory.percent(&from.reference);
            let left = gradual_share(now, settings.first_percent);
            if left > 0 {
                let shares = vec![
                    Share { reference: to.reference.clone(), arm: Arm::Stable, percent: 100 - left },
                    Share { reference: from.reference.clone(), arm: Arm::Canary, percent: left },
                ];
                let title = format!("give `{}` {} % of the traffic", to.version, 100 - left);
                steps.push(draft.step(steps.len(), title, PlatformAction::ShiftTraffic { shares }));
                steps.push(draft.wait(
                    steps.len(),
                    format!("watch `{}`", to.version),
                    Action::Watch { lasts: settings.watch },
                ));
            }
        }
        let shares = vec![Share { reference: to.reference.clone(), arm: Arm::Stable, percent: 100 }];
        let title = format!("give `{}` all the traffic", to.version);
        steps.push(draft.step(steps.len(), title, PlatformAction::ShiftTraffic { shares }));
    } else {
        let title = format!("make `{}` serve", to.version);
        steps.push(draft.step(steps.len(), title, PlatformAction::Restore { release: to.reference.clone() }));
    }
    if can.purge {
        // What the edge still holds is the release that is left.
        let title = "make the caches in front forget".to_owned();
        steps.push(draft.step(steps.len(), title, PlatformAction::Purge));
    }
    steps.push(draft.verify(steps.len(), page));
    if page {
        let action = PlatformAction::Maintenance { on: false };
        steps.push(draft.step(steps.len(), "turn the maintenance page off".to_owned(), action));
    }
    let purpose = format!("roll back {service} from {} to {}", from.version, to.version);
    Ok(draft.finish(PlanKind::RollBack, purpose, steps))
}

/// Makes the plan of a promotion, or says why the platform cannot do it: all the traffic to the canary, then verify.
///
/// It needs weights. Where a platform has one call that makes a release serve, that call is for going back, and may do more
/// than move traffic.
pub fn promote(draft: Draft<'_>) -> Result<Plan, String> {
    let Draft { service, from, to, platform, .. } = draft;
    if !platform.capabilities.weights {
        return Err(format!(
            "the platform of `{service}` cannot move traffic by weights: promote `{}` with its own tools",
            to.version
        ));
    }
    let shares = vec![Share { reference: to.reference.clone(), arm: Arm::Stable, percent: 100 }];
    let title = format!("give `{}` all the traffic", to.version);
    let mut steps = vec![draft.step(0, title, PlatformAction::ShiftTraffic { shares })];
    if platform.capabilities.purge {
        let title = "make the caches in front forget".to_owned();
        steps.push(draft.step(steps.len(), title, PlatformAction::Purge));
    }
    steps.push(draft.verify(steps.len(), false));
    let purpose = format!("promote {} of {service}, now {}", to.version, from.version);
    Ok(draft.finish(PlanKind::Promote, purpose, steps))
}

/// Makes the plan that turns the maintenance page on or off, or says why the platform cannot, or need not.
pub fn maintenance(draft: Draft<'_>, on: bool) -> Result<Plan, String> {
    let Draft { service, inventory, platform, .. } = draft;
    let word = if on { "on" } else { "off" };
    if !platform.capabilities.maintenance {
        return Err(format!("the platform of `{service}` has no maintenance page"));
    }
    if inventory.maintenance == Some(on) {
        return Err(format!("the maintenance page of `{service}` is already {word}"));
    }
    let action = PlatformAction::Maintenance { on };
    let steps = vec![draft.step(0, format!("turn the maintenance page {word}"), action)];
    let purpose = format!("turn the maintenance page of {service} {word}");
    Ok(draft.finish(PlanKind::Maintenance { on }, purpose, steps))
}

/// What the release being left keeps after the first part of a gradual rollback.
fn gradual_share(now: u8, first_percent: u8) -> u8 {
    let keep = u32::from(now) * u32::from(100_u8.saturating_sub(first_percent)) / 100;
    u8::try_from(keep.min(99)).unwrap_or(99)
}

impl Draft<'_> {
    fn step(&self, index: usize, title: String, action: PlatformAction) -> Step {
        let moves_traffic =
            matches!(action, PlatformAction::ShiftTraffic { .. } | PlatformAction::Restore { .. });
        let action = Action::Platform { action };
        Step {
            title,
            declares: self.platform.declares(&action),
            requires: match &action {
                _ if moves_traffic => Some(Requirement::OnlyTheseServe { releases: self.known() }),
                Action::Platform {
                    action: PlatformAction::Stop { release } | PlatformAction::Remove { release },
                } => {
                    let others = self.inventory.releases.iter().map(|release| &release.reference);
                    let others = others.filter(|other| *other != release).cloned().collect();
                    Some(Requirement::OnlyTheseServe { releases: others })
                }
                _ => None,
            },
            action,
            timeout: self.settings.step_timeout,
            retries: self.settings.retries,
            key: self.key(index),
            phase: None,
        }
    }

    /// Users' traffic says nothing while the maintenance page keeps it away.
    fn verify(&self, index: usize, page: bool) -> Step {
        let action = Action::Verify {
            hold: self.settings.verify_hold,
            deadline: self.settings.verify_deadline,
            probes_only: page || self.inventory.maintenance == Some(true),
        };
        self.wait(index, format!("verify that `{}` is healthy", self.to.version), action)
    }

    fn finish(&self, kind: PlanKind, purpose: String, steps: Vec<Step>) -> Plan {
        Plan {
            kind,
            service: self.service.clone(),
            purpose,
            strategy: self.strategy,
            from: self.from.clone(),
            to: self.to.clone(),
            steps,
            budgets: Vec::new(),
            spares: false,
        }
    }

    fn wait(&self, index: usize, title: String, action: Action) -> Step {
        let timeout = match action {
            Action::Watch { lasts } => lasts,
            Action::Verify { deadline, .. } | Action::Confirm { deadline } => deadline,
            Action::Stage { lasts, patience, .. } => Span(*lasts + *patience),
            Action::Platform { .. } | Action::Validate { .. } | Action::Data { .. } => {
                self.settings.step_timeout
            }
        };
        Step {
            title,
            declares: self.platform.declares(&action),
            action,
            requires: None,
            timeout,
            retries: 0,
            key: self.key(index),
            phase: None,
        }
    }

    fn key(&self, index: usize) -> IdempotencyKey {
        IdempotencyKey::from(format!("{}/{index}", self.key))
    }

    /// The releases that may have traffic while this plan runs: the two ends and whatever served when it was made.
    fn known(&self) -> Vec<ReleaseRef> {
        let mut releases = vec![self.from.reference.clone(), self.to.reference.clone()];
        for share in self.inventory.traffic.iter().filter(|share| share.percent > 0) {
            if !releases.contains(&share.reference) {
                releases.push(share.reference.clone());
            }
        }
        releases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gradual rollback always leaves less than there was, and never all of it.
    #[test]
    fn the_first_part_of_a_gradual_rollback() {
        assert_eq!(gradual_share(100, 50), 50);
        assert_eq!(gradual_share(20, 50), 10);
        assert_eq!(gradual_share(1, 50), 0);
        assert_eq!(gradual_share(100, 1), 99);
        assert_eq!(gradual_share(0, 50), 0);
    }
}
