//! What was wrong with the services at a place of the journal, as far as it says when that began and who noticed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::evidence;
use crate::model::event::Event;
use crate::model::trigger::{TriggerAction, Verdict};
use crate::model::{FindingId, ServiceName};

use super::Entry;

/// Something that was noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Noticed {
    /// When it began, or when it was noticed, as asked.
    pub(super) at: Timestamp,
    /// The entry that says so.
    pub(super) seq: u64,
    /// In words: `f-3, errors`.
    pub(super) words: String,
}

/// What holds now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    findings: BTreeMap<FindingId, Held>,
    failing: BTreeMap<ServiceName, (Timestamp, u64)>,
}

#[derive(Clone, Debug)]
struct Held {
    service: Option<ServiceName>,
    trigger: String,
    since: Timestamp,
    raised_at: Timestamp,
    seq: u64,
    /// It asks for more than watching.
    serious: bool,
    told: String,
}

impl Sight {
    /// Takes an entry in.
    pub(super) fn take(&mut self, entry: &Entry<'_>) {
        match entry.event {
            Event::FindingRaised { finding } => {
                let held = Held {
                    service: finding.service.clone(),
                    trigger: finding.trigger.to_string(),
                    since: finding.since,
                    raised_at: entry.at,
                    seq: entry.seq,
                    serious: finding.action != TriggerAction::Watch,
                    told: format!("{}: {}", evidence::title(finding), finding.evidence.told()),
                };
                self.findings.insert(finding.id.clone(), held);
            }
            Event::FindingCleared { finding, .. } => {
                self.findings.remove(finding);
            }
            Event::VerdictChanged { service, arm: None, verdict } => match verdict {
                Verdict::Failing { .. } => {
                    self.failing.entry(service.clone()).or_insert((entry.at, entry.seq));
                }
                // Not to know how it is, as after a restart, is no end of it.
                Verdict::Unknown { .. } => {}
                Verdict::Healthy | Verdict::Degraded { .. } => {
                    self.failing.remove(service);
                }
            },
            _ => {}
        }
    }

    /// The service that a finding is about.
    pub(super) fn service_of(&self, finding: &FindingId) -> Option<&ServiceName> {
        self.findings.get(finding)?.service.as_ref()
    }

    /// When what is wrong with a service began, by what the triggers say: they know since when a limit is crossed.
    pub(super) fn onset(&self, service: &ServiceName) -> Option<Noticed> {
        let findings = self.serious(service).map(|(id, held)| Noticed {
            at: held.since,
            seq: held.seq,
            words: format!("{service}: beyond the limit of {}, as {id} says", held.trigger),
        });
        let failing = self.failing.get(service).map(|(at, seq)| Noticed {
            at: *at,
            seq: *seq,
            words: format!("{service} was seen failing"),
        });
        findings.chain(failing).min_by_key(|noticed| noticed.at)
    }

    /// When it was first noticed.
    pub(super) fn detected(&self, service: &ServiceName) -> Option<Noticed> {
        let findings = self.serious(service).map(|(id, held)| Noticed {
            at: held.raised_at,
            seq: held.seq,
            words: format!("{id}, {} on {service}", held.trigger),
        });
        let failing = self.failing.get(service).map(|(at, seq)| Noticed {
            at: *at,
            seq: *seq,
            words: format!("{service} was seen failing"),
        });
        findings.chain(failing).min_by_key(|noticed| (noticed.at, noticed.seq))
    }

    /// What holds of a service, in words.
    pub(super) fn holding(&self, service: &ServiceName) -> Vec<String> {
        let held = self.findings.values().filter(|held| held.service.as_ref().is_none_or(|of| of == service));
        held.map(|held| held.told.clone()).collect()
    }

    fn serious<'a>(&'a self, service: &'a ServiceName) -> impl Iterator<Item = (&'a FindingId, &'a Held)> {
        self.findings.iter().filter(move |(_, held)| held.serious && held.service.as_ref() == Some(service))
    }
}
