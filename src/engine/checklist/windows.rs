//! The time of a section: from when until when, and what is noticed as it passes.

use std::time::Duration;

use jiff::Timestamp;

use super::run::Run;
use super::sight::Sight;
use crate::model::checklist::ChecklistChange;
use crate::model::incident::Incident;
use crate::runbook::Anchor;

/// What is noticed later than this is noted with how late: before, it is the clock that the engine ticks by.
const LATE: Duration = Duration::from_secs(5);

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

/// Up to when the clocks of an incident run: now, or when it was resolved.
pub(super) fn end(sight: &Sight<'_>) -> Timestamp {
    sight.now
}

/// Whether the time of a section was over before its runbook was attached: nobody could keep it.
pub(super) fn passed_before(run: &Run, incident: &Incident, section: usize) -> bool {
    let Times { anchor, until, .. } = times(run, incident, section);
    let deadline = anchor.zip(until).and_then(|(anchor, until)| anchor.checked_add(until).ok());
    deadline.is_some_and(|deadline| deadline <= run.attached_at)
}

/// What is to be noticed about the times of the sections now.
pub(super) fn watch(run: &Run, sight: &Sight<'_>) -> Vec<ChecklistChange> {
    let mut changes = Vec::new();
    for (index, section) in run.book().sections.iter().enumerate() {
        let Some(window) = &section.window else { continue };
        let Times { anchor: Some(anchor), until: Some(until), .. } = times(run, sight.incident, index) else {
            continue;
        };
        let past = run.sections.get(&section.id);
        if past.is_some_and(|past| past.met.is_some()) || passed_before(run, sight.incident, index) {
            continue;
        }
        let Ok(deadline) = anchor.checked_add(until) else { continue };
        let open: Vec<_> = run.open_in(index).map(|item| item.id.clone()).collect();
        let has_items = run.book().items.iter().any(|item| item.section == index);
        let id = || section.id.clone();
        if open.is_empty() {
            if has_items {
                let late = past.is_some_and(|past| past.overrun_at.is_some());
                changes.push(ChecklistChange::WindowMet { section: id(), late });
            }
            continue;
        }
        let is_overrun = past.is_some_and(|past| past.overrun_at.is_some());
        if sight.now >= deadline {
            if !is_overrun {
                let late = super::elapsed(deadline, sight.now);
                let late_ms = if late < LATE { 0 } else { u64::try_from(late.as_millis()).unwrap_or(u64::MAX) };
                changes.push(ChecklistChange::WindowOverrun { section: id(), late_ms, open });
            }
            continue;
        }
        let warn = window.warn_at.and_then(|warn| anchor.checked_add(warn).ok());
        if warn.is_some_and(|warn| sight.now >= warn) && !past.is_some_and(|past| past.warned) {
            changes.push(ChecklistChange::WindowWarning { section: id() });
        }
    }
    changes
}
