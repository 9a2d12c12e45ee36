//! Deployments and rollbacks as the journal saw them: by operations of ours, and by other hands, of which only the traffic tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::history::{HistoryEntry, HistoryKind};
use crate::engine::state::State;
use crate::model::baseline::Baseline;
use crate::model::event::Event;
use crate::model::incident::IncidentChange;
use crate::model::operation::{Outcome, PlanKind, Watched};
use crate::model::release::{Inventory, Quality, Release};
use crate::model::{IncidentId, OperationId, ReleaseRef, ServiceName, Version};

use super::sight::Sight;
use super::{Entry, Millis};

/// How long after a rollback has ended what it brought about may still be seen.
const ECHO: Duration = Duration::from_secs(2 * 60);

/// Who deployed what no operation of ours did.
const OTHER_HANDS: &str = "another pipeline";

/// A deployment or a rollback of a service.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// The service.
    pub service: ServiceName,
    /// What it was.
    pub kind: ChangeKind,
    /// The version that got the traffic.
    pub version: Version,
    /// What the platform calls it.
    pub release: ReleaseRef,
    /// The version that had it before, as far as is known.
    pub from: Option<Version>,
    /// When it began: the first traffic, or the plan of a rollback.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
    /// When all the traffic was there.
    pub live_at: Option<Timestamp>,
    /// Nothing was seen of it before it had all the traffic, so how long it took is not known.
    pub at_once: bool,
    /// It was there already when the journal first saw the service, so when it began is not known.
    pub at_first_look: bool,
    /// Who did it.
    pub by: String,
    /// Why; empty for what others did.
    pub reason: String,
    /// How, where an operation of ours did it.
    pub strategy: Option<&'static str>,
    /// The operation of ours.
    pub operation: Option<OperationId>,
    /// How that ended.
    pub outcome: Option<Outcome>,
    /// The end in words: how it was verified.
    pub detail: String,
    /// When the operation ended.
    pub ended_at: Option<Timestamp>,
    /// What became of it.
    pub fate: ChangeFate,
    /// What held when it was taken back, or when it took something back.
    pub findings: Vec<String>,
    /// When the platform made the release, where it says so.
    pub created_at: Option<Timestamp>,
    /// What the release turned out to be worth, and why.
    pub quality: Option<(Quality, String)>,
    /// What it was like once it had proved itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Baseline>,
    /// It had to be taken back or repaired.
    pub failure: Option<Failure>,
    /// How it was later, where an operation of ours brought it in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Watched>,
}

/// What it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A release began to get traffic.
    Deployment,
    /// The same while an incident was open on the service: it was not planned.
    Hotfix,
    /// A release was taken back.
    Rollback,
}

impl ChangeKind {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Hotfix => "hotfix",
            Self::Rollback => "rollback",
        }
    }
}

/// What became of a deployment or a rollback.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeFate {
    /// It has not ended.
    Going,
    /// It has all the traffic.
    Live,
    /// It had all the traffic until another one got it.
    Superseded,
    /// It was taken back.
    RolledBack,
    /// Something other than a rollback took its traffic away before it had all of it.
    Withdrawn,
    /// The rollback brought the traffic back.
    Done,
    /// The rollback failed, or was stopped, before it did.
    Failed,
}

impl ChangeFate {
    /// The words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Going => "going on",
            Self::Live => "live",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolled back",
            Self::Withdrawn => "withdrawn",
            Self::Done => "traffic back",
            Self::Failed => "not carried out",
        }
    }
}

/// A deployment had to be taken back or repaired.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
    /// When that began.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
    /// How it was met.
    pub by: ChangeKind,
    /// When the service had recovered by that; none when it has not, or it is not known.
    pub recovered_at: Option<Timestamp>,
    /// Why it did not: the release was not the cause.
    pub not_the_cause: bool,
}

impl Change {
    /// How long until all the traffic was there; none when that is not known.
    pub fn took(&self) -> Option<Millis> {
        if self.at_once || self.at_first_look { None } else { Some(Millis::between(self.at, self.live_at?)) }
    }

    /// How long it took from its first traffic until the service had recovered from it; none when either is not known.
    pub fn recovery(&self) -> Option<Millis> {
        let recovered_at = self.failure.as_ref()?.recovered_at?;
        (!self.at_first_look).then(|| Millis::between(self.at, recovered_at))
    }

    /// From when the platform made the release until it had all the traffic.
    pub fn lead(&self) -> Option<Millis> {
        Some(Millis::between(self.created_at?, self.live_at?)).filter(|lead| lead.0 > 0)
    }
}

/// What is known of a service.
#[derive(Debug, Default)]
struct Known {
    /// Releases that have been stable.
    been_stable: BTreeSet<ReleaseRef>,
    stable: Option<(ReleaseRef, Version, Timestamp)>,
    /// The last rollback, and when it ended.
    rollback: Option<(OperationId, ReleaseRef, Option<Timestamp>)>,
    last_rollback_at: Option<Timestamp>,
}

#[derive(Debug)]
struct OpenIncident {
    services: Vec<ServiceName>,
    since: Timestamp,
    counts: bool,
    open: bool,
}

/// Reads a journal entry by entry and keeps its deployments and rollbacks.
#[derive(Debug, Default)]
pub(super) struct Releases {
    state: State,
    services: BTreeMap<ServiceName, Known>,
    incidents: BTreeMap<IncidentId, OpenIncident>,
    pub(super) changes: Vec<Change>,
}

impl Releases {
    /// Takes the next entry. `sight` is what was known before it.
    pub(super) fn take(&mut self, entry: &Entry<'_>, sight: &Sight) {
        match entry.event {
            Event::InventoryChanged { service, inventory } => self.seen(entry, sight, service, inventory),
            Event::OperationPlanned { .. } => {
                self.state.apply(entry.event, entry.at);
                self.planned(entry, sight);
            }
            Event::TrafficBack { operation, .. } => {
                self.state.apply(entry.event, entry.at);
                self.traffic_back(operation, entry);
            }
            Event::OperationEnded { operation, outcome, detail } => {
                self.state.apply(entry.event, entry.at);
                self.ended(operation, *outcome, detail, entry);
            }
            Event::ReleaseMarked { release, service, quality, reason, .. } => {
                if let Some(change) = self.newest(service, release) {
                    change.quality = Some((*quality, reason.clone()));
                }
            }
            Event::ReleaseWatched { operation, window, verdict, raised, .. } => {
                let brought = |change: &&mut Change| {
                    change.operation.as_ref() == Some(operation) && change.kind != ChangeKind::Rollback
                };
                if let Some(change) = self.changes.iter_mut().rev().find(brought) {
                    let (window, at) = (*window, entry.at);
                    let watched = Watched { window, at, verdict: verdict.clone(), raised: raised.clone() };
                    change.watched.push(watched);
                }
            }
            Event::BaselineRecorded { service, baseline, .. } => {
                let of = self.changes.iter_mut().rev().find(|change| {
                    change.service == *service
                        && change.version == baseline.version
                        && change.kind != ChangeKind::Rollback
                });
                if let Some(change) = of {
                    change.metrics = Some(baseline.clone());
                }
            }
            event => self.incident(event, entry.at),
        }
    }

    fn incident(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::IncidentOpened { incident, services, .. } => {
                let opened = OpenIncident { services: services.clone(), since: at, counts: true, open: true };
                self.incidents.insert(incident.clone(), opened);
            }
            Event::IncidentJoined { incident, service, .. } => {
                if let Some(known) = self.incidents.get_mut(incident) {
                    known.services.push(service.clone());
                }
            }
            Event::IncidentResolved { incident, .. } => {
                if let Some(known) = self.incidents.get_mut(incident) {
                    known.open = false;
                }
            }
            Event::IncidentChanged { incident, change, .. } => {
                let Some(known) = self.incidents.get_mut(incident) else { return };
                match change {
                    IncidentChange::Suspected | IncidentChange::Drill => known.counts = false,
                    IncidentChange::Declared => known.counts = true,
                    IncidentChange::FalseAlarm { .. } | IncidentChange::Merged { .. } => known.open = false,
                    IncidentChange::Reopened { .. } => known.open = true,
                    IncidentChange::Closed { .. }
                    | IncidentChange::RoleTaken { .. }
                    | IncidentChange::RoleOffered { .. }
                    | IncidentChange::OfferLapsed { .. }
                    | IncidentChange::Linked { .. }
                    | IncidentChange::OnsetSet { .. }
                    | IncidentChange::Mitigated { .. }
                    | IncidentChange::AlarmLinked { .. }
                    | IncidentChange::Unacknowledged
                    | IncidentChange::CommanderAway { .. }
                    | IncidentChange::StormBegan { .. }
                    | IncidentChange::ToldWith { .. }
                    | IncidentChange::StormPassed
                    | IncidentChange::StormTold { .. }
                    | IncidentChange::ToldAlone { .. }
                    | IncidentChange::Told { .. }
                    | IncidentChange::UpdateMissed { .. } => {}
                }
            }
            _ => {}
        }
    }

    /// Since when an incident is open on a service.
    fn in_incident(&self, service: &ServiceName) -> Option<Timestamp> {
        let open = self.incidents.values().filter(|known| known.open && known.counts);
        open.filter(|known| known.services.contains(service)).map(|known| known.since).min()
    }

    fn newest(&mut self, service: &ServiceName, release: &ReleaseRef) -> Option<&mut Change> {
        self.changes.iter_mut().rev().find(|change| {
            change.service == *service && change.release == *release && change.kind != ChangeKind::Rollback
        })
    }

    fn of_operation(&mut self, operation: &OperationId) -> Option<&mut Change> {
        self.changes.iter_mut().rev().find(|change| change.operation.as_ref() == Some(operation))
    }

    /// The platform said something new: what became of the releases is told by the history that the state keeps.
    fn seen(&mut self, entry: &Entry<'_>, sight: &Sight, service: &ServiceName, inventory: &Inventory) {
        let mut is_first = true;
        if let Some(known) = self.state.services.get_mut(service) {
            is_first = known.inventory.is_none();
            // What was in it has been taken; what is there afterwards is new.
            Arc::make_mut(known).history.clear();
        }
        self.state.apply(entry.event, entry.at);
        let new: Vec<HistoryEntry> = self
            .state
            .service(service)
            .map(|known| known.history.iter().cloned().collect())
            .unwrap_or_default();
        for HistoryEntry { version, release, what, .. } in new {
            let made = inventory.release(&release).cloned();
            match what {
                HistoryKind::CanaryStarted { .. } => {
                    if !self.is_echo(service, &release, entry.at) {
                        self.began(entry, service, (&release, &version), made.as_ref(), None);
                        if let Some(change) = self.changes.last_mut() {
                            change.at_first_look = is_first;
                        }
                    }
                }
                HistoryKind::BecameStable if is_first => {
                    let known = self.services.entry(service.clone()).or_default();
                    known.been_stable.insert(release.clone());
                    let created_at = made.map_or(entry.at, |made| made.created_at);
                    known.stable = Some((release, version, created_at));
                }
                HistoryKind::BecameStable => {
                    self.became_stable(entry, sight, service, (&release, &version), made.as_ref());
                }
                HistoryKind::Withdrawn => {
                    let findings = sight.holding(service);
                    if let Some(change) = self.newest(service, &release)
                        && change.fate == ChangeFate::Going
                    {
                        change.fate = ChangeFate::Withdrawn;
                        change.ended_at = Some(entry.at);
                        change.findings = findings;
                    }
                }
                // An operation says it itself.
                HistoryKind::RolledBack { .. } | HistoryKind::Promoted { .. } => {}
            }
        }
    }

    /// Whether a release gets traffic because a rollback of ours gives it back.
    fn is_echo(&self, service: &ServiceName, release: &ReleaseRef, at: Timestamp) -> bool {
        let rollback = self.services.get(service).and_then(|known| known.rollback.as_ref());
        rollback.is_some_and(|(_, to, ended)| {
            to == release && ended.is_none_or(|ended| ended.checked_add(ECHO).is_ok_and(|until| at <= until))
        })
    }

    fn began(
        &mut self,
        entry: &Entry<'_>,
        service: &ServiceName,
        (release, version): (&ReleaseRef, &Version),
        made: Option<&Release>,
        live_at: Option<Timestamp>,
    ) {
        let kind = match self.in_incident(service) {
            Some(_) => ChangeKind::Hotfix,
            None => ChangeKind::Deployment,
        };
        let from = self.services.get(service).and_then(|known| known.stable.as_ref());
        let from = from.map(|(_, version, _)| version.clone());
        let by = made.and_then(|made| made.author.clone()).unwrap_or_else(|| OTHER_HANDS.to_owned());
        self.changes.push(Change {
            service: service.clone(),
            kind,
            version: version.clone(),
            release: release.clone(),
            from,
            at: entry.at,
            seq: entry.seq,
            live_at,
            at_once: live_at.is_some(),
            at_first_look: false,
            by,
            reason: String::new(),
            strategy: None,
            operation: None,
            outcome: None,
            detail: String::new(),
            ended_at: None,
            fate: if live_at.is_some() { ChangeFate::Live } else { ChangeFate::Going },
            findings: Vec::new(),
            created_at: made.map(|made| made.created_at),
            quality: None,
            metrics: None,
            watched: Vec::new(),
            failure: None,
        });
    }

    fn became_stable(
        &mut self,
        entry: &Entry<'_>,
        sight: &Sight,
        service: &ServiceName,
        (release, version): (&ReleaseRef, &Version),
        made: Option<&Release>,
    ) {
        let at = entry.at;
        let created_at = made.map_or(at, |made| made.created_at);
        let known = self.services.entry(service.clone()).or_default();
        let before = known.stable.replace((release.clone(), version.clone(), created_at));
        let was_stable = !known.been_stable.insert(release.clone());
        if self.is_echo(service, release, at) {
            return;
        }
        let going = self.newest(service, release).is_some_and(|change| change.fate == ChangeFate::Going);
        let is_older = before.as_ref().is_some_and(|(_, _, made)| created_at < *made);
        if going {
            if let Some(change) = self.newest(service, release) {
                change.live_at = Some(at);
                change.fate = ChangeFate::Live;
            }
        } else if was_stable || is_older {
            // Another hand took the release back that was there.
            self.began(entry, service, (release, version), made, Some(at));
            if let Some(change) = self.changes.last_mut() {
                change.kind = ChangeKind::Rollback;
                change.fate = ChangeFate::Done;
                change.findings = sight.holding(service);
                change.by = OTHER_HANDS.to_owned();
            }
            self.services.entry(service.clone()).or_default().last_rollback_at = Some(at);
            if let Some((left, ..)) = &before {
                let failure = Failure {
                    at,
                    seq: entry.seq,
                    by: ChangeKind::Rollback,
                    recovered_at: Some(at),
                    not_the_cause: false,
                };
                self.failed(service, left, failure, sight);
            }
            return;
        } else {
            self.began(entry, service, (release, version), made, Some(at));
        }
        let Some((left, ..)) = before else { return };
        let is_hotfix = self.newest(service, release).is_some_and(|change| change.kind == ChangeKind::Hotfix);
        // What a rollback had returned to was not what had to be repaired.
        let incident = self.in_incident(service);
        let rolled_back = self.services.get(service).and_then(|known| known.last_rollback_at);
        let repairs = is_hotfix && rolled_back.is_none_or(|back| incident.is_none_or(|since| back < since));
        if repairs {
            let failure = Failure {
                at,
                seq: entry.seq,
                by: ChangeKind::Hotfix,
                recovered_at: Some(at),
                not_the_cause: false,
            };
            self.failed(service, &left, failure, sight);
        }
        if let Some(change) = self.newest(service, &left)
            && change.fate == ChangeFate::Live
        {
            change.fate = ChangeFate::Superseded;
            change.ended_at = Some(at);
        }
    }

    fn failed(&mut self, service: &ServiceName, release: &ReleaseRef, failure: Failure, sight: &Sight) {
        let findings = sight.holding(service);
        if let Some(change) = self.newest(service, release)
            && change.failure.is_none()
        {
            if failure.by == ChangeKind::Rollback {
                change.fate = ChangeFate::RolledBack;
                change.ended_at = Some(failure.at);
            }
            change.findings = findings;
            change.failure = Some(failure);
        }
    }

    fn planned(&mut self, entry: &Entry<'_>, sight: &Sight) {
        let Event::OperationPlanned { operation, plan, by, reason, .. } = entry.event else { return };
        let service = &plan.service;
        match plan.kind {
            PlanKind::RollBack => {
                let to = (&plan.to.reference, &plan.to.version);
                self.began(entry, service, to, Some(&plan.to), None);
                if let Some(change) = self.changes.last_mut() {
                    change.kind = ChangeKind::Rollback;
                    change.from = Some(plan.from.version.clone());
                    change.by = by.to_string();
                    change.reason = reason.clone();
                    change.strategy = Some(plan.how());
                    change.operation = Some(operation.clone());
                    change.findings = sight.holding(service);
                }
                let known = self.services.entry(service.clone()).or_default();
                known.rollback = Some((operation.clone(), plan.to.reference.clone(), None));
                known.last_rollback_at = Some(entry.at);
            }
            PlanKind::Promote | PlanKind::Deploy { .. } => {
                let release = (&plan.to.reference, &plan.to.version);
                if self.newest(service, release.0).is_none_or(|change| change.fate != ChangeFate::Going) {
                    self.began(entry, service, release, Some(&plan.to), None);
                }
                if let Some(change) = self.newest(service, &plan.to.reference) {
                    change.by = by.to_string();
                    change.reason = reason.clone();
                    change.strategy = Some(plan.how());
                    change.operation = Some(operation.clone());
                }
            }
            PlanKind::Maintenance { .. }
            | PlanKind::Database { .. }
            | PlanKind::Scale { .. }
            | PlanKind::CleanUp => {}
        }
    }

    fn traffic_back(&mut self, operation: &OperationId, entry: &Entry<'_>) {
        let Some(plan) = self.state.operation(operation).map(|operation| operation.plan.clone()) else {
            return;
        };
        let Some(change) = self.of_operation(operation) else { return };
        change.live_at.get_or_insert(entry.at);
        if plan.kind == PlanKind::RollBack {
            change.fate = ChangeFate::Done;
            let (planned_at, seq, findings) = (change.at, change.seq, change.findings.clone());
            let failure = Failure {
                at: planned_at,
                seq,
                by: ChangeKind::Rollback,
                recovered_at: Some(entry.at),
                not_the_cause: false,
            };
            self.taken_back(&plan.service, &plan.from.reference, failure, findings);
        } else if change.fate == ChangeFate::Going {
            change.fate = ChangeFate::Live;
        }
    }

    fn taken_back(
        &mut self,
        service: &ServiceName,
        release: &ReleaseRef,
        failure: Failure,
        findings: Vec<String>,
    ) {
        if let Some(change) = self.newest(service, release) {
            change.fate = ChangeFate::RolledBack;
            change.ended_at = Some(failure.at);
            change.findings = findings;
            change.failure = Some(failure);
        }
    }

    fn ended(&mut self, operation: &OperationId, outcome: Outcome, detail: &str, entry: &Entry<'_>) {
        let Some(plan) = self.state.operation(operation).map(|operation| operation.plan.clone()) else {
            return;
        };
        let Some(change) = self.of_operation(operation) else { return };
        change.outcome = Some(outcome);
        change.detail = detail.to_owned();
        if plan.kind != PlanKind::RollBack {
            return;
        }
        change.ended_at = Some(entry.at);
        let moved = change.live_at.is_some();
        let (at, seq, findings) = (change.at, change.seq, change.findings.clone());
        if !moved {
            change.fate = ChangeFate::Failed;
        }
        if let Some(known) = self.services.get_mut(&plan.service)
            && let Some((id, _, ended)) = &mut known.rollback
            && id == operation
        {
            *ended = Some(entry.at);
        }
        let by = ChangeKind::Rollback;
        match outcome {
            // Nothing came of it: whether it was needed nobody knows.
            Outcome::Cancelled if !moved => {}
            Outcome::Failed if !moved => {
                let failure = Failure { at, seq, by, recovered_at: None, not_the_cause: false };
                if let Some(change) = self.newest(&plan.service, &plan.from.reference) {
                    change.failure.get_or_insert(failure);
                    change.findings = findings;
                }
            }
            Outcome::NotRecovered => {
                if let Some(change) = self.newest(&plan.service, &plan.from.reference)
                    && let Some(failure) = &mut change.failure
                {
                    failure.recovered_at = None;
                    failure.not_the_cause = true;
                }
            }
            Outcome::Verified | Outcome::Unverified | Outcome::Cancelled | Outcome::Failed => {}
        }
    }
}
