//! The alarm that always fires: when it does not come any more, no other one would either.

use jiff::Timestamp;

use super::changed;
use crate::engine::core::Work;
use crate::engine::incidents::{elapsed, whole};
use crate::engine::messages;
use crate::model::AlarmId;
use crate::model::received::ReceivedChange;
use crate::model::trigger::Severity;
use crate::model::units::human;

/// An alarm was heard of: perhaps it is this one.
pub(super) fn heard(work: &mut Work<'_>, name: &str) {
    if work.state.alarms.path_down().is_none() || !work.config().alarms.is_watchdog(name) {
        return;
    }
    let Some((id, _)) = last_heard(work) else { return };
    changed(work, &id, ReceivedChange::PathUp);
    if work.settings.by_itself {
        let text = format!("{}: `{name}` is heard again: alarms arrive", work.config().environment.name);
        messages::of_environment(work, "alarm-path-up", Severity::High, &text);
    }
}

/// Looks whether it is still heard.
pub(super) fn tick(work: &mut Work<'_>) {
    if work.state.alarms.path_down().is_some() {
        return;
    }
    // Never heard of: then nobody can miss it.
    let Some((id, heard)) = last_heard(work) else { return };
    // Whoever did not lead did not listen to all of it.
    let led_since = work.state.leader.as_ref().map_or(Timestamp::MIN, |(_, since)| *since);
    let absent = elapsed(heard.max(led_since), work.now);
    if absent < *work.config().alarms.watchdog_within {
        return;
    }
    changed(work, &id, ReceivedChange::PathDown { since: heard });
    let text = format!(
        "{}: the alarm path is down: `{}` was last heard {} ago. Other alarms would not arrive either: look at Prometheus, \
         Alertmanager and the way from there to here",
        work.config().environment.name,
        work.config().alarms.watchdog,
        human(whole(elapsed(heard, work.now))),
    );
    messages::of_environment(work, "alarm-path-down", Severity::Critical, &text);
}

/// The newest episode of it, and when it was heard of last.
fn last_heard(work: &Work<'_>) -> Option<(AlarmId, Timestamp)> {
    let spec = &work.config().alarms;
    if spec.watchdog.is_empty() {
        return None;
    }
    let prefix = format!("{}/", spec.watchdog);
    let of_it = work.state.alarms.beginning_with(&prefix);
    of_it
        .map(|(id, alarm)| {
            let seen = work.senses.received.seen.get(id).copied();
            (id.clone(), seen.map_or(alarm.last_seen, |seen| seen.max(alarm.last_seen)))
        })
        .max_by_key(|(_, heard)| *heard)
}
