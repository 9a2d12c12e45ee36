//! The time of a section: from when until when, and what is noticed as it passes.

use std::time::Duration;

use jiff::Timestamp;

use super::run::Run;
use super::sight::Sight;
use crate::engine::incidents::late_ms;
use crate::model::ItemId;
use crate::model::checklist::ChecklistChange;
use crate::model::incident::Incident;
use crate::runbook::{Anchor, Kind, Warn};

/// The times of a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    /// What they are counted from; none where that has not happened.
    pub(super) anchor: Option<Timestamp>,
    /// When it begins.
    pub(super) from: Duration,
    /// When it should be through; none where nothing says so.
    pub(super) until: Option<Duration>,
}

/// The times of a section.
pub(super) fn times(run: &Run, incident: &Incident, section: usize) -> Times {
    let section = &run.book().sections[section];
    let anchor = match section.anchor {
        Anchor::Declared => Some(incident.opened_at),
        Anchor::Resolved => incident.resolved.as_ref().map(|resolved| resolved.at),
        Anchor::Section => run.sections.get(&section.id).and_then(|section| section.touched_at),
        Anchor::Detected => Some(incident.onset.unwrap_or(incident.opened_at)),
    };
    let window = section.window.as_ref();
    Times {
        anchor,
        from: window.map_or(Duration::ZERO, |window| window.from),
        until: window.and_then(|window| window.until),
    }
}

/// Whether the time of a section was over before its runbook was attached: nobody could keep it.
pub(super) fn passed_before(run: &Run, incident: &Incident, section: usize) -> bool {
    let Times { anchor, until, .. } = times(run, incident, section);
    let deadline = anchor.zip(until).and_then(|(anchor, until)| anchor.checked_add(until).ok());
    deadline.is_some_and(|deadline| deadline <= run.attached_at)
}

/// How often it is said again that a time is over.
const REMINDERS: u8 = 3;
/// Between two of those passes as much time as what ran out had, and at least this.
const REMINDER_LEAST: Duration = Duration::from_secs(5 * 60);

/// A time in which something has to be through.
struct Deadline<'a> {
    /// What has it: the id of a section, or of an item.
    id: &'a str,
    /// How long it lasts.
    lasts: Duration,
    /// When it is over.
    at: Timestamp,
    /// When to warn of it.
    warn: Option<Timestamp>,
    /// What is open in it.
    open: Vec<ItemId>,
}

/// What is to be noticed about the times of sections and items now.
pub(super) fn watch(run: &Run, sight: &Sight<'_>) -> Vec<ChecklistChange> {
    deadlines(run, sight.incident)
        .into_iter()
        .filter_map(|deadline| notice(run, deadline, sight.now))
        .collect()
}

/// Every time that runs out, of what was not over before the runbook was attached.
fn deadlines<'a>(run: &'a Run, incident: &Incident) -> Vec<Deadline<'a>> {
    let book = run.book();
    let mut deadlines = Vec::new();
    for (index, section) in book.sections.iter().enumerate() {
        let Times { anchor: Some(anchor), until, .. } = times(run, incident, index) else { continue };
        let has_items = book.items.iter().any(|item| item.section == index);
        if let Some(window) = section.window.as_ref().filter(|_| has_items)
            && let Some(until) = until
        {
            let open = run.open_in(index).map(|item| item.id.clone()).collect();
            let lasts = until.saturating_sub(window.from);
            deadlines.extend(deadline(&section.id, anchor, until, lasts, window.warn_at, open));
        }
        for (place, item) in book.items.iter().enumerate().filter(|(_, item)| item.section == index) {
            let window = item.window.as_ref().filter(|_| !item.children.is_empty());
            let until = item.within.or_else(|| window.and_then(|window| window.until));
            let Some(until) = until.filter(|_| !matches!(item.kind, Kind::Action { .. })) else { continue };
            let warn = match item.warn {
                Some(Warn::Share(share)) => Some(until.mul_f64(share.clamp(0.0, 1.0))),
                Some(Warn::At(at)) => Some(at),
                None => Some(until.mul_f64(0.8)),
            };
            let open = book
                .items
                .iter()
                .enumerate()
                .filter(|(other, it)| book.is_within(*other, place) && it.countable && !run.is_settled(it))
                .map(|(_, it)| it.id.clone())
                .collect();
            let lasts = until.saturating_sub(window.map_or(Duration::ZERO, |window| window.from));
            deadlines.extend(deadline(item.id.as_str(), anchor, until, lasts, warn, open));
        }
    }
    deadlines.retain(|deadline| deadline.at > run.attached_at);
    deadlines
}

fn deadline(
    id: &str,
    anchor: Timestamp,
    until: Duration,
    lasts: Duration,
    warn: Option<Duration>,
    open: Vec<ItemId>,
) -> Option<Deadline<'_>> {
    let at = anchor.checked_add(until).ok()?;
    Some(Deadline { id, lasts, at, warn: warn.and_then(|warn| anchor.checked_add(warn).ok()), open })
}

fn notice(run: &Run, deadline: Deadline<'_>, now: Timestamp) -> Option<ChecklistChange> {
    let Deadline { id, lasts, at, warn, open } = deadline;
    let section = || id.to_owned();
    let past = run.sections.get(id);
    if past.is_some_and(|past| past.met.is_some()) {
        return None;
    }
    let overrun_at = past.and_then(|past| past.overrun_at);
    let is_overrun = overrun_at.is_some();
    if open.is_empty() {
        return Some(ChecklistChange::WindowMet { section: section(), late: is_overrun });
    }
    if now >= at {
        // It fires once, and is said again a few times.
        let Some(overrun_at) = overrun_at else {
            let late_ms = late_ms(super::elapsed(at, now));
            return Some(ChecklistChange::WindowOverrun { section: section(), late_ms, open });
        };
        let (count, last) = past.and_then(|past| past.reminded).unwrap_or((0, overrun_at));
        let is_due = count < REMINDERS && super::elapsed(last, now) >= lasts.max(REMINDER_LEAST);
        return is_due.then(|| ChecklistChange::WindowReminder {
            section: section(),
            count: count + 1,
            open,
        });
    }
    let is_warned = past.is_some_and(|past| past.warned);
    (!is_warned && warn.is_some_and(|warn| now >= warn))
        .then(|| ChecklistChange::WindowWarning { section: section() })
}
