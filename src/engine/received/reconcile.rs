//! What is known of alarms against what every peer of the Alertmanager has: messages are fast, the list is true.
//!
//! An alarm is over when two polls, one after the other, in which every peer answered did not have it. While a peer cannot
//! be asked, nothing is over: what only it may have is stale.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::intake::{Heard, one, resolve};
use super::{changed, incident};
use crate::engine::core::Work;
use crate::engine::incidents::elapsed;
use crate::model::AlarmId;
use crate::model::received::{Alarm, AlarmPoll, AlarmReport, AlarmSource, ReceivedChange};

/// Polls in which an alarm is not there before it is over.
const ABSENT: u8 = 2;
/// How long a doubt waits for a poll. After that the alarm counts as firing.
const DOUBT_LASTS: Duration = Duration::from_secs(60);

/// Takes in what the peers of the Alertmanager have.
pub(in crate::engine) fn take_poll(work: &mut Work<'_>, poll: &AlarmPoll) {
    let mut listed: BTreeSet<(String, String)> = BTreeSet::new();
    let answers = poll.peers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    // A peer that has an alarm silenced and one that has not do not agree yet: somebody is told of it.
    let mut reports: Vec<&AlarmReport> = answers.flatten().collect();
    reports.sort_by_key(|report| (report.name.as_str(), report.fingerprint.as_str(), report.muted));
    for report in reports {
        if listed.insert((report.name.clone(), report.fingerprint.clone())) {
            one(work, report, Heard::Listed(poll.asked_at));
        }
    }
    let silent: Vec<String> = poll
        .peers
        .iter()
        .filter_map(|(url, answer)| answer.as_ref().err().map(|why| format!("{url}: {why}")))
        .collect();
    let is_there =
        |alarm: &Alarm| listed.contains(&(alarm.facts.name.clone(), alarm.facts.fingerprint.clone()));
    let missing: Vec<Arc<Alarm>> = work
        .state
        .alarms
        .firing()
        .filter(|alarm| alarm.facts.source == AlarmSource::Alertmanager && !is_there(alarm))
        .cloned()
        .collect();
    for alarm in missing {
        absent(work, &alarm, poll.asked_at, &silent);
    }
    settle_doubts(work, poll.asked_at, !silent.is_empty());
    incident::attend(work);
}

/// No peer that answered has this alarm.
fn absent(work: &mut Work<'_>, alarm: &Alarm, asked_at: Timestamp, silent: &[String]) {
    if let Some(why) = silent.first() {
        // Whether the others have it is not known, so the count begins anew.
        work.senses.received.absent.remove(&alarm.id);
        if alarm.stale.is_none() {
            changed(work, &alarm.id, ReceivedChange::Stale { reason: why.clone() });
        }
        return;
    }
    // What came after they were asked says more than their answer.
    let seen = work.senses.received.seen.get(&alarm.id).copied();
    if seen.is_some_and(|seen| seen >= asked_at) || alarm.changed_at >= asked_at {
        return;
    }
    let absent = work.senses.received.absent.entry(alarm.id.clone()).or_default();
    *absent += 1;
    if *absent >= ABSENT {
        resolve(work, alarm, work.now, true);
    }
}

/// What was in doubt and was not in the list is over, if everybody was asked after the doubt arose.
fn settle_doubts(work: &mut Work<'_>, asked_at: Timestamp, is_partial: bool) {
    let doubtful = &work.senses.received.doubtful;
    let asked: Vec<AlarmId> =
        doubtful.iter().filter(|(_, doubt)| doubt.since <= asked_at).map(|(id, _)| id.clone()).collect();
    for id in asked {
        let Some(doubt) = work.senses.received.doubtful.remove(&id) else { continue };
        if is_partial {
            one(work, &doubt.report, Heard::Doubted);
        }
    }
}

/// What nobody could be asked about in time counts as firing.
pub(super) fn decide_doubts(work: &mut Work<'_>) {
    let doubtful = &work.senses.received.doubtful;
    let late: Vec<AlarmId> = doubtful
        .iter()
        .filter(|(_, doubt)| elapsed(doubt.since, work.now) >= DOUBT_LASTS)
        .map(|(id, _)| id.clone())
        .collect();
    for id in late {
        if let Some(doubt) = work.senses.received.doubtful.remove(&id) {
            one(work, &doubt.report, Heard::Doubted);
        }
    }
}
