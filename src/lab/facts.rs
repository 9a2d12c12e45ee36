//! The ground truth: what happened, as the lab itself knows it, for tests and demonstrations to compare with.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything the lab knows of its run.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The scenario.
    pub scenario: String,
    /// The seed.
    pub seed: u64,
    /// When the timeline began.
    pub started_at: Timestamp,
    /// By service.
    pub services: BTreeMap<String, ServiceFacts>,
    /// Every changing call that had an effect, oldest first.
    pub effects: Vec<EffectFact>,
    /// Changing calls refused because their fencing token was old.
    pub refused_stale_tokens: u64,
    /// Work requests that reached a release.
    pub requests: u64,
    /// Of these, answers with status 5xx, time-outs and broken connections.
    pub errors: u64,
    /// Requests that the load generator did not send because too many were open.
    pub shed: u64,
}

/// What the lab knows of one service.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// When the latest time of faults began.
    pub fault_began_at: Option<Timestamp>,
    /// The first answer after that which a fault made an error, late, or missing.
    pub first_bad_response_at: Option<Timestamp>,
    /// The newest such answer.
    pub last_bad_response_at: Option<Timestamp>,
    /// How many there were, work requests only.
    pub bad_responses: u64,
    /// When the router last chose each version for a work request.
    pub last_routed_at: BTreeMap<String, Timestamp>,
    /// When each version's last answer to a work request left the router.
    pub last_response_at: BTreeMap<String, Timestamp>,
    /// Work requests and errors by version.
    pub versions: BTreeMap<String, VersionFacts>,
    /// Every change of the traffic, oldest first; the newest thousand.
    pub traffic: Vec<TrafficFact>,
    /// The highest fencing token that was seen.
    pub highest_token: u64,
}

/// Counts of one version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct VersionFacts {
    /// Work requests.
    pub requests: u64,
    /// Of these, errors.
    pub errors: u64,
}

/// One change of the traffic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TrafficFact {
    /// When.
    pub at: Timestamp,
    /// Percent by version.
    pub percent: BTreeMap<String, u8>,
}

/// A changing call and what became of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EffectFact {
    /// Its idempotency key, if it had one.
    pub key: Option<String>,
    /// Its fencing token, if it had one.
    pub token: Option<u64>,
    /// The service.
    pub service: String,
    /// What was asked: `deploy`, `traffic`, `restore`, `maintenance`, `stop`, `remove`, `release`.
    pub verb: String,
    /// When it took effect.
    pub at: Timestamp,
    /// How often it took effect. Anything but 1 is a defect.
    pub times_applied: u64,
    /// How often it was asked again and answered from memory.
    pub times_repeated: u64,
}

/// What a router writes down as it goes.
#[derive(Debug, Default)]
pub(super) struct Ground {
    fault_began_at: Option<Timestamp>,
    first_bad: Option<Timestamp>,
    last_bad: Option<Timestamp>,
    bad: u64,
    /// The versions that a fault is on now; every version when it says so.
    faulty: Vec<Option<String>>,
    routed: BTreeMap<Arc<str>, Timestamp>,
    responded: BTreeMap<Arc<str>, Timestamp>,
    traffic: Vec<TrafficFact>,
}

impl Ground {
    /// A work request goes to a version.
    pub(super) fn sent(&mut self, version: &Arc<str>) {
        self.routed.insert(Arc::clone(version), Timestamp::now());
    }

    /// An answer of a version leaves, or its absence is reported. Health requests count as bad answers too.
    pub(super) fn answered(&mut self, version: &Arc<str>, bad: bool, health: bool) {
        let now = Timestamp::now();
        if !health {
            self.responded.insert(Arc::clone(version), now);
        }
        let hit = |faulty: &Option<String>| faulty.as_deref().is_none_or(|hit| hit == &**version);
        if bad && self.faulty.iter().any(hit) {
            self.first_bad.get_or_insert(now);
            self.last_bad = Some(now);
            self.bad += u64::from(!health);
        }
    }

    /// The faults have changed. The first one of a time of faults begins that time.
    pub(super) fn faulty(&mut self, versions: Vec<Option<String>>) {
        if self.faulty.is_empty() && !versions.is_empty() {
            self.fault_began_at = Some(Timestamp::now());
            self.first_bad = None;
            self.last_bad = None;
            self.bad = 0;
        }
        self.faulty = versions;
    }

    /// The traffic has changed.
    pub(super) fn shifted(&mut self, percent: BTreeMap<String, u8>) {
        if self.traffic.len() >= 1_000 {
            self.traffic.remove(0);
        }
        self.traffic.push(TrafficFact { at: Timestamp::now(), percent });
    }

    /// As facts, without what others count.
    pub(super) fn facts(&self) -> ServiceFacts {
        let text = |times: &BTreeMap<Arc<str>, Timestamp>| {
            times.iter().map(|(version, at)| (version.to_string(), *at)).collect()
        };
        ServiceFacts {
            fault_began_at: self.fault_began_at,
            first_bad_response_at: self.first_bad,
            last_bad_response_at: self.last_bad,
            bad_responses: self.bad,
            last_routed_at: text(&self.routed),
            last_response_at: text(&self.responded),
            traffic: self.traffic.clone(),
            ..ServiceFacts::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock of an incident starts with the first bad answer of a faulty version, not with an error of another.
    #[test]
    fn the_first_bad_answer_is_one_of_the_faulty_version() {
        let mut ground = Ground::default();
        let (old, new): (Arc<str>, Arc<str>) = ("1".into(), "2".into());
        ground.answered(&new, true, false);
        assert_eq!(ground.facts().first_bad_response_at, None);
        ground.faulty(vec![Some("2".to_owned())]);
        ground.answered(&old, true, false);
        ground.answered(&new, false, false);
        assert_eq!(ground.facts().first_bad_response_at, None);
        ground.answered(&new, true, false);
        let facts = ground.facts();
        assert!(facts.first_bad_response_at >= facts.fault_began_at);
        assert_eq!(facts.bad_responses, 1);
    }
}
