//! The fold of what happens in checklists.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::incident::{Note, Ticked};
use crate::model::{IncidentId, ItemId, RunId};
use crate::runbook::Runbook;

use super::super::state::State;
use super::run::{Asked, Attachment, Clock, ItemRun, Regression, Run, SectionRun, Seen, Standing};

/// Notes beside an item that are kept.
const NOTES_KEPT: usize = 50;

/// Takes a change of a checklist into the state.
pub(in crate::engine) fn fold(
    state: &mut State,
    incident: &IncidentId,
    id: &RunId,
    by: &Actor,
    change: &ChecklistChange,
    at: Timestamp,
) {
    if let ChecklistChange::Attached { runbook, source, bindings, sha256, pace_percent } = change {
        let attachment =
            Attachment { runbook, source, bindings: bindings.as_ref(), sha256, pace_percent: *pace_percent };
        let mut run = Run::new(id, incident, &attachment, at);
        // What was ticked before there were runbooks stays ticked.
        if let Some(incident) = state.incidents.get(incident) {
            let book = Arc::clone(run.book());
            for (item, tick) in incident.ticks.iter().filter(|(item, _)| book.item(item.as_str()).is_some()) {
                let standing = match tick.ticked {
                    Ticked::Done => Standing::Done,
                    Ticked::NotApplicable => Standing::Inactive,
                };
                let ticked = ItemRun {
                    standing,
                    by: Some((tick.by.clone(), tick.at)),
                    words: tick.note.clone(),
                    ..ItemRun::default()
                };
                run.items.insert(item.clone(), ticked);
            }
        }
        state.runs.insert(id.clone(), Arc::new(run));
        return;
    }
    let Some(run) = state.runs.get_mut(id).map(Arc::make_mut) else { return };
    let book = Arc::clone(run.book());
    match change {
        ChecklistChange::Closed => run.closed = true,
        ChecklistChange::WindowWarning { section } => of(run, section).warned = true,
        ChecklistChange::WindowOverrun { section, .. } => of(run, section).overrun_at = Some(at),
        ChecklistChange::WindowMet { section, late } => of(run, section).met = Some(*late),
        ChecklistChange::WindowReminder { section, count, .. } => {
            of(run, section).reminded = Some((*count, at));
        }
        ChecklistChange::Rebased { .. } => super::rebase::fold(run, change),
        _ => {}
    }
    let Some(id) = change.item() else { return };
    if let ChecklistChange::Recorded { name, value, .. } = change {
        run.records.insert(name.clone(), value.clone());
    }
    if is_an_act(change) {
        let section = book.item(id.as_str()).and_then(|item| book.sections.get(item.section));
        if let Some(section) = section {
            let section = of(run, &section.id);
            // What the engine ticks by itself begins no section.
            if matches!(by, Actor::Person { .. }) {
                section.touched_at.get_or_insert(at);
            }
            // What is opened again has to be gone through again.
            if matches!(change, ChecklistChange::Reopened { .. } | ChecklistChange::Regressed { .. }) {
                section.met = None;
            }
        }
    }
    let item = run.items.entry(id.clone()).or_default();
    if is_an_act(change) {
        item.changes += 1;
        item.touched |= matches!(by, Actor::Person { .. });
    }
    if settles(change) {
        item.asked = None;
    }
    changed(item, by, change, at);
    if let ChecklistChange::Chosen { option, .. } = change {
        choose(run, &book, id, option, by, at);
    }
}

fn of<'a>(run: &'a mut Run, section: &str) -> &'a mut SectionRun {
    run.sections.entry(section.to_owned()).or_default()
}

/// What only tells how the world is changes nothing that a person could have overlooked.
const fn is_an_act(change: &ChecklistChange) -> bool {
    !matches!(change, ChecklistChange::Sensed { .. } | ChecklistChange::Noted { .. })
}

/// What brings an item to stand otherwise ends what was asked about it.
const fn settles(change: &ChecklistChange) -> bool {
    !matches!(
        change,
        ChecklistChange::Sensed { .. }
            | ChecklistChange::Noted { .. }
            | ChecklistChange::Claimed { .. }
            | ChecklistChange::Released { .. }
            | ChecklistChange::Satisfied { .. }
            | ChecklistChange::Asked { .. }
    )
}

fn changed(item: &mut ItemRun, by: &Actor, change: &ChecklistChange, at: Timestamp) {
    let was_unknown = item.standing == Standing::Unknown;
    let mut stand = |standing: Standing, words: Option<&str>| {
        item.standing = standing;
        item.by = Some((by.clone(), at));
        item.words = words.filter(|words| !words.is_empty()).map(str::to_owned);
        item.again_at = None;
    };
    match change {
        ChecklistChange::Done { unsensed, fact, .. } => {
            stand(Standing::Done, fact.as_deref());
            item.unsensed = *unsensed;
            item.regression = None;
            item.clock = None;
            item.deferred = None;
        }
        ChecklistChange::Sensed { holds, fact, .. } => sensed(item, *holds, fact, at),
        ChecklistChange::Satisfied { fact, .. } => stand(Standing::Satisfied, Some(fact)),
        ChecklistChange::Unsatisfied { fact, .. } => stand(Standing::Open, Some(fact)),
        ChecklistChange::Regressed { fact, .. } => {
            let by_engine = matches!(item.by, Some((Actor::Engine, _)));
            item.regression = Some(Regression { since: at, fact: fact.clone(), acknowledged: false });
            // What the engine ticked it unticks; what a person said stays said, and is marked.
            if by_engine {
                item.standing = Standing::Open;
            }
        }
        ChecklistChange::RegressionAcknowledged { .. } => {
            if let Some(regression) = &mut item.regression {
                regression.acknowledged = true;
            }
        }
        ChecklistChange::Reopened { reason, .. } => {
            stand(Standing::Open, Some(reason));
            item.regression = None;
            item.unsensed = false;
            item.clock = None;
            item.deferred = None;
            item.chosen = None;
        }
        ChecklistChange::Inactive { reason, .. } => stand(Standing::Inactive, Some(reason)),
        ChecklistChange::Overridden { reason, .. } => stand(Standing::Overridden, Some(reason)),
        ChecklistChange::Deferred { until, due, reason, .. } => {
            stand(Standing::Deferred, Some(reason));
            item.deferred = Some((until.clone(), *due));
        }
        ChecklistChange::Due { .. } => stand(Standing::Open, None),
        ChecklistChange::Began { .. } => {
            stand(Standing::Waiting, None);
            // The time of a hold runs while what it holds for is seen to be so; that of a wait always.
            let runs = item.seen.as_ref().is_none_or(|seen| seen.holds == Some(true));
            item.clock = Some(Clock { began: at, gathered_ms: 0, runs_since: runs.then_some(at) });
        }
        ChecklistChange::ClockReset { .. } => {
            item.clock = Some(Clock { began: at, gathered_ms: 0, runs_since: None });
        }
        ChecklistChange::Elapsed { .. } => {
            stand(Standing::Done, None);
            item.clock = None;
        }
        ChecklistChange::Chosen { option, reason, .. } => {
            stand(Standing::Done, Some(reason));
            item.chosen = Some(option.clone());
        }
        ChecklistChange::Recorded { value, .. } => stand(Standing::Done, Some(value)),
        ChecklistChange::Dispatched { generation, operation, digest, undo, .. } => {
            stand(Standing::Running, None);
            item.retried = if *by == Actor::Engine { item.retried.saturating_add(1) } else { 0 };
            item.generation = *generation;
            item.operation = operation.clone();
            item.digest = Some(digest.clone());
            item.undoing = *undo;
            item.acted_at = None;
        }
        ChecklistChange::Outcome { succeeded, detail, again_at, .. } => match succeeded {
            // Whether it has helped is seen next.
            Some(true) => {
                if was_unknown {
                    stand(Standing::Running, None);
                }
                item.acted_at = Some(at);
            }
            Some(false) => {
                stand(Standing::Failed, Some(detail));
                item.again_at = *again_at;
            }
            None => stand(Standing::Unknown, Some(detail)),
        },
        ChecklistChange::Noted { text, .. } => {
            item.notes.push(Note { by: by.clone(), at, text: text.clone() });
            if item.notes.len() > NOTES_KEPT {
                item.notes.remove(0);
            }
        }
        ChecklistChange::Asked { until, value, digest, .. } => {
            let (until, value, digest) = (*until, value.clone(), digest.clone());
            item.asked = Some(Asked { by: by.clone(), at, until, value, digest });
        }
        ChecklistChange::AskEnded { .. } => item.asked = None,
        ChecklistChange::Claimed { until, .. } => item.claim = Some((by.clone(), *until)),
        ChecklistChange::Released { .. } => item.claim = None,
        ChecklistChange::Attached { .. }
        | ChecklistChange::WindowWarning { .. }
        | ChecklistChange::WindowOverrun { .. }
        | ChecklistChange::WindowMet { .. }
        | ChecklistChange::WindowReminder { .. }
        | ChecklistChange::Rebased { .. }
        | ChecklistChange::Closed => {}
    }
}

fn sensed(item: &mut ItemRun, holds: Option<bool>, fact: &str, at: Timestamp) {
    item.seen = Some(Seen { holds, since: at, fact: fact.to_owned() });
    // What is not known stops the clock; that it is not so is another event, which sets it back.
    if let Some(clock) = &mut item.clock {
        match (holds, clock.runs_since) {
            (Some(true), None) => clock.runs_since = Some(at),
            (Some(false) | None, Some(since)) => {
                let passed = super::elapsed(since, at).as_millis();
                clock.gathered_ms =
                    clock.gathered_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
                clock.runs_since = None;
            }
            _ => {}
        }
    }
    // So again. That it was not, meanwhile, is in the journal.
    if holds == Some(true) && item.standing == Standing::Done {
        item.regression = None;
    }
}

/// The other ways, and all that lies on them, are not gone.
fn choose(run: &mut Run, book: &Runbook, decision: &ItemId, option: &ItemId, by: &Actor, at: Timestamp) {
    let Some(place) = book.items.iter().position(|item| item.id == *decision) else { return };
    let chosen = book.items.iter().position(|item| item.id == *option);
    // A parent comes before its children, so one pass finds all that is below.
    let mut below: Vec<usize> = Vec::new();
    for (index, item) in book.items.iter().enumerate() {
        let is_option = item.parent == Some(place) && Some(index) != chosen;
        if is_option || item.parent.is_some_and(|parent| below.contains(&parent)) {
            below.push(index);
        }
    }
    for item in below.into_iter().map(|index| &book.items[index]) {
        let item = run.items.entry(item.id.clone()).or_default();
        if !matches!(item.standing, Standing::Done | Standing::Overridden | Standing::Running) {
            item.standing = Standing::Inactive;
            item.by = Some((by.clone(), at));
            item.words = Some(format!("`{option}` was decided for"));
            item.changes += 1;
        }
    }
    if let Some(chosen) = chosen.map(|index| &book.items[index]) {
        let is_leaf = chosen.children.is_empty();
        let item = run.items.entry(chosen.id.clone()).or_default();
        item.by = Some((by.clone(), at));
        item.changes += 1;
        item.touched = true;
        // What is still to be done on this way keeps it open.
        item.standing = if is_leaf && matches!(chosen.kind, crate::runbook::Kind::Manual) {
            Standing::Done
        } else {
            Standing::Open
        };
    }
}
