//! What the engine sees of an incident: sentences, whether they are so, and how new that is. Names of conditions are looked up in
//! `names`, by what is here.
//!
//! Nothing that is not known counts as true or as false. What a service was seen to be is not known any more when nobody has
//! looked at it for [`STALE`]: the leader may be gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::incident::Incident;
use crate::model::operation::{Operation, OperationStatus, Outcome, PlanKind};
use crate::model::reading::ServiceReading;
use crate::model::trigger::{Evaluation, Status, Verdict};
use crate::model::units::human;
use crate::model::{ServiceName, Unit};

use super::super::incidents::{asks_for_rollback, elapsed, whole};
use super::super::state::State;
use super::Fact;
use crate::config::Config;

/// What was looked at longer ago than this is not known any more. A leader looks every second.
pub(super) const STALE: Duration = Duration::from_secs(30);
/// Names that are written out.
const NAMES: usize = 3;

/// What a checklist is computed from.
pub(in crate::engine) struct Sight<'a> {
    pub(super) incident: &'a Incident,
    pub(super) state: &'a State,
    pub(super) config: &'a Config,
    pub(super) readings: &'a BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)>,
    pub(super) now: Timestamp,
}

/// What is known of the health of the incident's services.
pub(super) enum Health {
    /// All of them are healthy.
    Since(Timestamp),
    /// One of them is not.
    Not(String),
    /// Nobody knows.
    Unknown(String),
}

impl Fact {
    pub(super) fn new(text: impl Into<String>, holds: impl Into<Option<bool>>) -> Self {
        Self { text: text.into(), holds: holds.into(), at: None }
    }
}

impl Sight<'_> {
    /// Somebody has taken the incident up.
    pub(super) fn acknowledged(&self) -> Fact {
        let opened_at = self.incident.opened_at;
        if let Some(taken) = &self.incident.acknowledged {
            let after = brief(elapsed(opened_at, taken.at));
            return Fact::new(format!("by {} after {after}", taken.by), true);
        }
        let waited = self.incident.lasted(self.now);
        let text = match self.incident.level.promise() {
            None => "nobody yet".to_owned(),
            Some(within) if waited > within => {
                let late = human(whole(waited.saturating_sub(within)));
                format!("nobody yet, {late} past the promised {}", human(within))
            }
            Some(within) => {
                let left = human(whole(within.saturating_sub(waited)));
                format!("nobody yet, {left} left of {}", human(within))
            }
        };
        Fact::new(text, false)
    }

    /// Every failing service is part of the incident.
    pub(super) fn scope(&self) -> Fact {
        // What is read is what the config has; a follower that has seen no reading takes what the journal speaks of.
        let names: Vec<&ServiceName> = if self.readings.is_empty() {
            self.state.services.keys().collect()
        } else {
            self.readings.keys().collect()
        };
        let mut failing = Vec::new();
        let mut unknown = 0;
        for name in &names {
            match self.state.service(name).and_then(|known| known.verdict.as_ref()) {
                Some((Verdict::Failing { .. }, _)) => failing.push(*name),
                Some((Verdict::Unknown { .. }, _)) | None => unknown += 1,
                Some(_) => {}
            }
        }
        let mut text = format!("{} of {} failing", failing.len(), names.len());
        if unknown > 0 {
            let _ = write!(text, ", {unknown} not known");
        }
        let members: BTreeSet<_> = self.incident.services.iter().collect();
        let outside: Vec<_> = failing.iter().copied().filter(|name| !members.contains(name)).collect();
        if !outside.is_empty() {
            return Fact::new(format!("{text}; {} not in it", names_of(&outside)), false);
        }
        if members.is_empty() {
            return Fact::new(format!("{text}; no service is named"), None);
        }
        Fact::new(text, (unknown == 0).then_some(true))
    }

    /// A rollback has been started.
    pub(super) fn rollback_started(&self) -> Fact {
        match self.rollbacks().last() {
            None => Fact::new("none has been started", false),
            Some(operation) => Fact::new(words(operation), true),
        }
    }

    /// The first service of the incident that needs a rollback: none is under way and none has brought its traffic back.
    pub(super) fn to_roll_back(&self) -> Option<ServiceName> {
        let needs = |service: &&ServiceName| {
            let Some(known) = self.state.service(service) else { return false };
            let is_failing = matches!(known.verdict, Some((Verdict::Failing { .. }, _)));
            let is_decided = asks_for_rollback(self.state, known).is_some();
            let is_served = self.rollbacks().any(|operation| {
                &&operation.plan.service == service
                    && (operation.is_open() || operation.traffic_back_at.is_some())
            });
            (is_failing || is_decided) && !is_served
        };
        self.incident.services.iter().find(needs).cloned()
    }

    /// The traffic of every service that is rolled back is on the release that it returns to.
    pub(super) fn traffic_back(&self) -> Fact {
        // What counts is the newest operation of each service.
        let mut newest: BTreeMap<&ServiceName, &Operation> = BTreeMap::new();
        for operation in self.rollbacks() {
            newest.insert(&operation.plan.service, operation);
        }
        if let Some(missing) = newest.values().find(|operation| operation.traffic_back_at.is_none()) {
            return Fact::new(words(missing), false);
        }
        let mut all = newest.values();
        match (all.next(), all.next()) {
            (None, _) => Fact::new("no rollback has been started", false),
            (Some(one), None) => {
                Fact::new(format!("{} is on {}", one.plan.service, one.plan.to.version), true)
            }
            (Some(_), Some(_)) => {
                Fact::new(format!("all traffic of {} services is back", newest.len()), true)
            }
        }
    }

    /// How many services of the incident are not healthy.
    pub(super) fn health(&self) -> Fact {
        let fact = match self.healthy() {
            Health::Since(since) => {
                Fact::new(format!("{} for {}", self.who(), brief(elapsed(since, self.now))), true)
            }
            Health::Not(why) => Fact::new(why, false),
            Health::Unknown(why) => Fact::new(why, None),
        };
        self.dated(fact)
    }

    /// No error rate of the incident's services is beyond its limit.
    pub(super) fn error_rates(&self) -> Fact {
        // A ratio that must not rise: errors among requests. Availability must not fall, latency is no rate, and a gauge like
        // memory may be a share, too, but not of events, and a difference is no rate: the evidence's words tell them apart.
        let is_rate = |evaluation: &&Evaluation| {
            let evidence = &evaluation.evidence;
            evidence.limit.unit == Unit::Share
                && evidence.above
                && evidence.query.starts_with("share of ")
                && !evidence.query.contains(" that of ")
        };
        let mut worst: Option<(&ServiceName, &Evaluation)> = None;
        let mut unknown = None;
        for service in &self.incident.services {
            let Some((_, reading)) = self.fresh(service) else {
                unknown.get_or_insert_with(|| self.not_seen(service));
                continue;
            };
            for evaluation in reading.evaluations.iter().filter(is_rate) {
                if let Status::Unknown { reason } = &evaluation.status {
                    unknown.get_or_insert_with(|| format!("{service}: {}: {reason}", evaluation.trigger));
                } else if worst.is_none_or(|(_, worst)| badness(evaluation) > badness(worst)) {
                    worst = Some((service, evaluation));
                }
            }
        }
        let Some((service, evaluation)) = worst else {
            let why = unknown.unwrap_or_else(|| "no trigger watches an error rate here".to_owned());
            return Fact::new(why, None);
        };
        let arm = evaluation.arm.map_or_else(String::new, |arm| format!(" {arm}"));
        let text = format!("{service}{arm} {}", evaluation.evidence.line());
        let is_ok = evaluation.status.is_ok();
        let (text, holds) = match unknown {
            Some(why) if is_ok => (format!("{text}, but {why}"), None),
            _ => (text, Some(is_ok)),
        };
        Fact { at: evaluation.evidence.newest, ..Fact::new(text, holds) }
    }

    /// What is or was done to the incident's services, oldest first.
    pub(super) fn operations(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        self.incident.operations.iter().filter_map(|id| self.state.operation(id))
    }

    /// The rollbacks among them that count: one that was cancelled before any traffic moved changed nothing.
    pub(super) fn rollbacks(&self) -> impl DoubleEndedIterator<Item = &Operation> {
        let rollbacks = self.operations().filter(|operation| operation.plan.kind == PlanKind::RollBack);
        rollbacks.filter(|operation| {
            let is_cancelled =
                matches!(operation.status, OperationStatus::Ended { outcome: Outcome::Cancelled, .. });
            !is_cancelled || operation.traffic_back_at.is_some()
        })
    }

    pub(super) fn healthy(&self) -> Health {
        let mut since: Option<Timestamp> = None;
        let mut unknown = None;
        for service in &self.incident.services {
            let verdict = self.state.service(service).and_then(|known| known.verdict.as_ref());
            if self.fresh(service).is_none() {
                unknown.get_or_insert_with(|| self.not_seen(service));
                continue;
            }
            match verdict {
                Some((Verdict::Healthy, at)) => since = since.max(Some(*at)),
                Some((Verdict::Unknown { reasons }, _)) => {
                    let why = reasons.first().map_or("not known", String::as_str);
                    unknown.get_or_insert_with(|| format!("{service}: {why}"));
                }
                Some((verdict, _)) => {
                    let why = verdict.reasons().first().map_or_else(String::new, |why| format!(": {why}"));
                    return Health::Not(format!("{service} {}{why}", verdict.word()));
                }
                None => {
                    unknown.get_or_insert_with(|| format!("{service}: never looked at"));
                }
            }
        }
        match (unknown, since) {
            (Some(why), _) => Health::Unknown(why),
            (None, Some(since)) => Health::Since(since),
            (None, None) => Health::Unknown("no service is named".to_owned()),
        }
    }

    fn who(&self) -> String {
        format!("{} healthy", names(self.incident.services.iter()))
    }

    /// With the moment of the newest data about the incident's services.
    pub(super) fn dated(&self, fact: Fact) -> Fact {
        let newest = self.incident.services.iter().filter_map(|service| self.readings.get(service)?.1.newest);
        Fact { at: newest.max(), ..fact }
    }

    /// What is sensed of a service, if somebody looked at it lately.
    pub(super) fn fresh(&self, service: &ServiceName) -> Option<&(Timestamp, Arc<ServiceReading>)> {
        self.readings.get(service).filter(|(at, _)| elapsed(*at, self.now) <= STALE)
    }

    pub(super) fn not_seen(&self, service: &ServiceName) -> String {
        match self.readings.get(service) {
            Some((at, _)) => {
                format!("{service}: nobody has looked for {}", human(whole(elapsed(*at, self.now))))
            }
            None => format!("{service}: nobody looks at it"),
        }
    }
}

/// How near to its limit an evaluation is, or how far beyond; what holds is beyond in any case.
fn badness(evaluation: &Evaluation) -> (u8, f64) {
    let state = match evaluation.status {
        Status::Breach { .. } => 2,
        Status::Pending { .. } => 1,
        Status::Ok | Status::Unknown { .. } => 0,
    };
    let evidence = &evaluation.evidence;
    (state, evidence.value.unwrap_or(0.0) / evidence.limit.value.max(f64::MIN_POSITIVE))
}

/// Whole seconds, and a moment where there is none.
fn brief(time: Duration) -> String {
    if time.as_secs() == 0 { "a moment".to_owned() } else { human(whole(time)) }
}

/// Where an operation stands, in a few words.
pub(super) fn words(operation: &Operation) -> String {
    let (id, service) = (&operation.id, &operation.plan.service);
    match &operation.status {
        OperationStatus::NeedsDecision { .. } => format!("{id} on {service} needs a decision"),
        OperationStatus::Ended { outcome, .. } => format!("{id} on {service} {}", outcome.words()),
        OperationStatus::Planned | OperationStatus::Running if operation.paused.is_some() => {
            format!("{id} on {service} is paused")
        }
        OperationStatus::Planned | OperationStatus::Running => {
            let steps = &operation.plan.steps;
            match operation.current().and_then(|index| Some((index + 1, steps.get(index)?))) {
                Some((number, step)) => {
                    format!("{id} on {service}: step {number} of {}, {}", steps.len(), step.title)
                }
                None => format!("{id} on {service} is ending"),
            }
        }
    }
}

/// Some names, and how many more.
pub(super) fn names<'a>(services: impl ExactSizeIterator<Item = &'a ServiceName>) -> String {
    let count = services.len();
    let mut text = services.take(NAMES).map(ServiceName::as_str).collect::<Vec<_>>().join(", ");
    if count > NAMES {
        let _ = write!(text, " and {} more", count - NAMES);
    }
    text
}

fn names_of(services: &[&ServiceName]) -> String {
    names(services.iter().copied())
}
