//! What was wrong with the services at a place of the journal, as far as it says when that began and who noticed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::engine::evidence;
use crate::model::event::Event;
use crate::model::received::ReceivedChange;
use crate::model::trigger::Verdict;
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
    /// Alarms of others, by their ids.
    alarms: BTreeMap<String, Alarm>,
}

#[derive(Clone, Debug)]
struct Alarm {
    service: Option<ServiceName>,
    fired: Noticed,
    over: bool,
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
                    serious: finding.action.rolls_back(),
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
            Event::AlarmChanged { alarm, change } => self.alarm(entry, alarm.as_str(), change),
            _ => {}
        }
    }

    fn alarm(&mut self, entry: &Entry<'_>, id: &str, change: &ReceivedChange) {
        match change {
            ReceivedChange::Firing { facts } => {
                // What is over is kept until its name fires again, for an incident that it is linked to late.
                self.alarms.retain(|_, known| !known.over);
                let fired = Noticed {
                    at: facts.starts_at,
                    seq: entry.seq,
                    words: format!("the alarm {} fired", facts.name),
                };
                let alarm = Alarm { service: facts.service.clone(), fired, over: false };
                self.alarms.insert(id.to_owned(), alarm);
            }
            ReceivedChange::Resolved { .. } => {
                if let Some(known) = self.alarms.get_mut(id) {
                    known.over = true;
                }
            }
            ReceivedChange::Stale { .. }
            | ReceivedChange::Fresh
            | ReceivedChange::Muted { .. }
            | ReceivedChange::Flapping
            | ReceivedChange::Steady
            | ReceivedChange::Opened { .. }
            | ReceivedChange::PathDown { .. }
            | ReceivedChange::PathUp => {}
        }
    }

    /// When an alarm of others fired, as they say.
    pub(super) fn fired(&self, alarm: &str) -> Option<&Noticed> {
        self.alarms.get(alarm).map(|known| &known.fired)
    }

    /// The service that an alarm of others is about.
    pub(super) fn service_of_alarm(&self, alarm: &str) -> Option<&ServiceName> {
        self.alarms.get(alarm)?.service.as_ref()
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
