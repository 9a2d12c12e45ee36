//! The history of a service's releases, as part of its state: what came, what became stable, what was taken away, and by
//! which operation. What people read of it is made in [`mod@super::deployments`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::command::Actor;
use crate::model::operation::{Action, Operation, Outcome, PlanKind};
use crate::model::platform::PlatformAction;
use crate::model::release::{Arm, Inventory, Release};
use crate::model::{OperationId, ReleaseRef, Version};

use super::state::ServiceState;

/// Entries of a service's history that are kept.
const HISTORY_KEPT: usize = 50;

/// Something that happened to a service's releases.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The version of the release it is about.
    pub version: Version,
    /// The release it is about. A version may have been built twice.
    pub release: ReleaseRef,
    /// What.
    pub what: HistoryKind,
}

/// What happened to a release.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum HistoryKind {
    /// It began to get traffic as the canary.
    CanaryStarted {
        /// Percent.
        percent: u8,
    },
    /// It serves as stable.
    BecameStable,
    /// It no longer gets traffic, and nothing of ours took it away.
    Withdrawn,
    /// It was taken back.
    RolledBack {
        /// By which operation.
        operation: OperationId,
        /// To which version.
        to: Version,
        /// How that ended; none while it goes on.
        outcome: Option<Outcome>,
        /// Who asked.
        by: Actor,
        /// Why.
        reason: String,
        /// What it served as when it was taken back.
        arm: Arm,
        /// Nothing had to be brought up for it: the traffic moved to a release that was still running.
        fast: bool,
        /// All the traffic has been seen on the other release.
        moved: bool,
    },
    /// It was the canary and was given all the traffic.
    Promoted {
        /// By which operation.
        operation: OperationId,
        /// How that ended; none while it goes on.
        outcome: Option<Outcome>,
        /// Who asked.
        by: Actor,
        /// Why.
        reason: String,
    },
}

impl ServiceState {
    fn remember(&mut self, at: Timestamp, release: &Release, what: HistoryKind) {
        let (version, release) = (release.version.clone(), release.reference.clone());
        self.history.push_back(HistoryEntry { at, version, release, what });
        if self.history.len() > HISTORY_KEPT {
            self.history.pop_front();
        }
    }

    /// Takes in that an operation was planned.
    pub(super) fn take_plan(&mut self, planned: &Operation) {
        let Operation { id, plan, by, reason, at, .. } = planned;
        let (operation, by, reason) = (id.clone(), by.clone(), reason.clone());
        match plan.kind {
            PlanKind::RollBack => {
                let is_canary = self.canary().is_some_and(|canary| canary.reference == plan.from.reference);
                let brings_up = plan.steps.iter().any(|step| {
                    matches!(step.action, Action::Platform { action: PlatformAction::Deploy { .. } })
                });
                let what = HistoryKind::RolledBack {
                    operation,
                    to: plan.to.version.clone(),
                    outcome: None,
                    by,
                    reason,
                    arm: if is_canary { Arm::Canary } else { Arm::Stable },
                    fast: plan.to.running && !brings_up,
                    moved: false,
                };
                self.remember(*at, &plan.from, what);
            }
            PlanKind::Promote | PlanKind::Deploy { .. } => {
                let what = HistoryKind::Promoted { operation, outcome: None, by, reason };
                self.remember(*at, &plan.to, what);
            }
            // No release comes or goes.
            PlanKind::Maintenance { .. }
            | PlanKind::Database { .. }
            | PlanKind::Scale { .. }
            | PlanKind::CleanUp => {}
        }
    }

    /// Takes in that an operation brought the traffic where it was to go.
    pub(super) fn traffic_moved(&mut self, id: &OperationId) {
        for entry in &mut self.history {
            if let HistoryKind::RolledBack { operation, moved, .. } = &mut entry.what
                && operation == id
            {
                *moved = true;
            }
        }
    }

    /// Takes in that an operation has ended.
    pub(super) fn operation_ended(&mut self, id: &OperationId, ended: Outcome) {
        for entry in &mut self.history {
            if let HistoryKind::RolledBack { operation, outcome, .. }
            | HistoryKind::Promoted { operation, outcome, .. } = &mut entry.what
                && operation == id
            {
                *outcome = Some(ended);
            }
        }
    }

    /// Takes a reading of the platform in. `leaving` is what the open rollback takes away: its leaving is no withdrawal.
    pub(super) fn take_inventory(
        &mut self,
        inventory: &Inventory,
        leaving: Option<&ReleaseRef>,
        at: Timestamp,
    ) {
        let before = self.inventory.take();
        for arm in Arm::ALL {
            let old = before.as_ref().and_then(|inventory| serving(inventory, arm));
            let new = serving(inventory, arm);
            if old.map(|(release, _)| &release.reference) == new.map(|(release, _)| &release.reference) {
                continue;
            }
            self.arms_since.insert(arm, at);
            self.arms.remove(&arm);
            match (arm, new) {
                (Arm::Stable, Some((release, _))) => self.remember(at, release, HistoryKind::BecameStable),
                (Arm::Canary, new) => {
                    let gone = old.filter(|(release, _)| {
                        inventory.percent(&release.reference) == 0 && leaving != Some(&release.reference)
                    });
                    if let Some((release, _)) = gone {
                        self.remember(at, release, HistoryKind::Withdrawn);
                    }
                    // What a gradual rollback leaves for a while to the release that it takes away is no canary.
                    if let Some((release, percent)) = new.filter(|(new, _)| leaving != Some(&new.reference)) {
                        self.remember(at, release, HistoryKind::CanaryStarted { percent });
                    }
                }
                (Arm::Stable, None) => {}
            }
        }
        self.inventory = Some(inventory.clone());
    }
}

/// The release that gets traffic as this arm, and how much.
fn serving(inventory: &Inventory, arm: Arm) -> Option<(&Release, u8)> {
    let share = inventory.share(arm).filter(|share| share.percent > 0)?;
    Some((inventory.release(&share.reference)?, share.percent))
}
