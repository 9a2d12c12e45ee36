//! The deployments of a service as people read them: every release that is known, what it is now and what became of it.
//!
//! Pure: made from the state when somebody looks, stored nowhere.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::model::operation::{Operation, Outcome};
use crate::model::release::{Arm, Quality, Release};
use crate::model::{OperationId, ReleaseRef, ServiceName, Version};

use super::history::{HistoryEntry, HistoryKind};
use super::state::{Mark, ServiceState, State};
use super::target;

/// One release of a service, and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Deployment {
    /// What people call it.
    pub version: Version,
    /// What the platform calls it.
    pub reference: ReleaseRef,
    /// When the platform made it; none once the platform no longer has it.
    pub created_at: Option<Timestamp>,
    /// Who released it, where the platform knows.
    pub author: Option<String>,
    /// The database schema that it needs, where there is one.
    pub schema: Option<u64>,
    /// The arm that it serves as now, and its percent of the traffic; none when it gets none.
    pub serves: Option<(Arm, u8)>,
    /// What it is worth, who says so and why; none when nothing was recorded.
    pub mark: Option<Mark>,
    /// What became of it.
    pub fate: Fate,
    /// Since when that is so. For [`Fate::Never`] when the platform made it.
    pub at: Timestamp,
    /// Whether a rollback that names no version would return to it now.
    pub is_target: bool,
    /// The open operation that moves its traffic, else the one that made its fate.
    pub operation: Option<OperationId>,
}

impl Deployment {
    /// What it is worth.
    pub fn quality(&self) -> Quality {
        self.mark.as_ref().map_or(Quality::Unknown, |mark| mark.quality)
    }
}

/// What became of a release. What gets traffic now is live or promoted; of any other the last thing that happened to it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It gets traffic now: as the canary, or as stable without having been the canary right before, or since it was returned
    /// to.
    Live(Arm),
    /// It serves as stable now, and became that from being the canary, by a promotion of ours or by another hand.
    Promoted,
    /// It was taken back after it had become stable, to a release that was not running: something had to be brought up for it.
    RolledBack,
    /// It was taken back after it had become stable, by moving the traffic to a release that was still running.
    FastRolledBack,
    /// It was taken back while it was the canary.
    Aborted,
    /// It served as stable until another release did, and not by a rollback.
    Superseded,
    /// It was the canary, and something other than a rollback of ours took its traffic away.
    Withdrawn,
    /// It was never seen to get traffic, as far as the history reaches.
    Never,
}

impl Fate {
    /// The words on screen.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Live(Arm::Canary) => "canary",
            Self::Live(Arm::Stable) => "stable",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled back",
            Self::FastRolledBack => "fast rolled back",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
            Self::Never => "never live",
        }
    }
}

/// The deployments of a service, newest first: what the platform has by when it was made, and among them what it no longer has
/// by when it was first seen. Empty for a service that nothing is known of.
pub fn deployments(state: &State, service: &ServiceName) -> Vec<Deployment> {
    let Some(known) = state.service(service) else { return Vec::new() };
    let open = known.operation.as_ref().and_then(|id| state.operation(id));
    let target = known.suspect().map(|(_, suspect)| target::choose(known, &suspect.reference, None));
    let target = target.filter(|target| target.problem.is_none()).and_then(|target| target.release);
    let there = known.inventory.iter().flat_map(|inventory| &inventory.releases);
    let mut seen = BTreeSet::new();
    let mut list: Vec<(Timestamp, Deployment)> = Vec::new();
    let there = there.map(|release| (&release.reference, &release.version, Some(release)));
    let gone = known.history.iter().map(|entry| (&entry.release, &entry.version, None));
    for (reference, version, release) in there.chain(gone) {
        if !seen.insert(reference) {
            continue;
        }
        let entries: Vec<&HistoryEntry> =
            known.history.iter().filter(|entry| &entry.release == reference).collect();
        let first = release.map(|release| release.created_at).or_else(|| Some(entries.first()?.at));
        let Some(first) = first else { continue };
        let is_target = target.as_ref().is_some_and(|target| &target.reference == reference);
        list.push((
            first,
            deployment(known, open, &entries, (reference, version, release), first, is_target),
        ));
    }
    // Stable: what was made in the same moment stays in the platform's order.
    list.sort_by_key(|(first, _)| std::cmp::Reverse(*first));
    list.into_iter().map(|(_, deployment)| deployment).collect()
}

fn deployment(
    known: &ServiceState,
    open: Option<&Operation>,
    entries: &[&HistoryEntry],
    (reference, version, release): (&ReleaseRef, &Version, Option<&Release>),
    first: Timestamp,
    is_target: bool,
) -> Deployment {
    let share = known.inventory.as_ref().and_then(|inventory| {
        inventory.traffic.iter().find(|share| share.percent > 0 && &share.reference == reference)
    });
    let serves = share.map(|share| (share.arm, share.percent));
    let mark = known.qualities.get(reference);
    let (fate, at, made_by) = match serves {
        Some((arm, _)) => live(arm, entries).unwrap_or((Fate::Live(arm), first, None)),
        None => past(entries).unwrap_or_else(|| match mark.filter(|mark| mark.quality == Quality::Good) {
            // The history does not reach back as far as the record: it once proved itself as stable.
            Some(mark) => (Fate::Superseded, mark.at, None),
            None => (Fate::Never, first, None),
        }),
    };
    let moving = open.filter(|open| {
        open.plan.kind.moves_traffic()
            && [&open.plan.from.reference, &open.plan.to.reference].contains(&reference)
    });
    Deployment {
        version: version.clone(),
        reference: reference.clone(),
        created_at: release.map(|release| release.created_at),
        author: release.and_then(|release| release.author.clone()),
        schema: release.and_then(|release| release.schema),
        serves,
        mark: mark.cloned(),
        fate,
        at,
        is_target,
        operation: moving.map(|open| open.id.clone()).or(made_by),
    }
}

type Found = Option<(Fate, Timestamp, Option<OperationId>)>;

/// What it is while it gets traffic, from when it began to get it as this arm.
fn live(arm: Arm, entries: &[&HistoryEntry]) -> Found {
    let began = |entry: &&HistoryEntry| match arm {
        Arm::Stable => entry.what == HistoryKind::BecameStable,
        Arm::Canary => matches!(entry.what, HistoryKind::CanaryStarted { .. }),
    };
    let index = entries.iter().rposition(began)?;
    let at = entries[index].at;
    if arm == Arm::Canary {
        return Some((Fate::Live(arm), at, None));
    }
    Some(match entries[..index].last().map(|entry| &entry.what) {
        Some(HistoryKind::CanaryStarted { .. }) => (Fate::Promoted, at, None),
        Some(HistoryKind::Promoted { operation, .. }) => (Fate::Promoted, at, Some(operation.clone())),
        _ => (Fate::Live(arm), at, None),
    })
}

/// What became of it when it gets no traffic: the last thing that explains it.
fn past(entries: &[&HistoryEntry]) -> Found {
    entries.iter().rev().find_map(|entry| {
        Some(match &entry.what {
            HistoryKind::RolledBack { operation, outcome, arm, fast, moved, .. } => {
                // A rollback that was stopped or failed before it moved the traffic did not take this away.
                if !moved && matches!(outcome, Some(Outcome::Cancelled | Outcome::Failed)) {
                    return None;
                }
                let fate = match (arm, fast) {
                    (Arm::Canary, _) => Fate::Aborted,
                    (Arm::Stable, true) => Fate::FastRolledBack,
                    (Arm::Stable, false) => Fate::RolledBack,
                };
                (fate, entry.at, Some(operation.clone()))
            }
            HistoryKind::Withdrawn | HistoryKind::CanaryStarted { .. } => (Fate::Withdrawn, entry.at, None),
            HistoryKind::BecameStable => (Fate::Superseded, entry.at, None),
            HistoryKind::Promoted { .. } => return None,
        })
    })
}

#[cfg(test)]
mod tests;
