//! Checklists: runbooks that are worked through in an incident, closed-loop.
//!
//! A run holds the text of its runbook as it was when it was attached, so nothing that a file says later changes it. What
//! people and the engine do to its items are events; where an item stands is their fold. What the engine can see it notes by
//! itself, with the fact beside it; what it sees to be false nobody can tick. Nothing is done because a document says so:
//! an action begins when a person begins it.

mod act;
mod actions;
mod dispatch;
mod facts;
mod fold;
mod gate;
mod names;
mod rebase;
mod run;
mod sight;
#[cfg(test)]
mod tests;
mod view;
mod watch;
mod windows;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::{Config, RunbookText};
use crate::model::checklist::{ChecklistChange, ItemAct};
use crate::model::command::{Actor, Command, Envelope};
use crate::model::event::Event;
use crate::model::incident::{Incident, Ticked};
use crate::model::reading::ServiceReading;
use crate::model::{IncidentId, ItemId, RunId, RunbookName, ServiceName};

pub use crate::runbook::EMERGENCY_NAME as EMERGENCY;

use super::commands::{accept, refuse};
use super::core::Work;
use super::incidents::{self, elapsed};
use super::state::State;
pub use crate::runbook::{Anchor, Command as Fence, Offer};
use act::{Attempt, Follows};
pub(super) use fold::fold;
pub use rebase::{Difference, Line as ChangedLine, asking, difference};
pub use run::{Asked, ItemRun, Regression, Removed, Run, SectionRun, Seen, Standing};
use sight::Sight;
pub use view::{
    Acts, Checklist, Choice, Clock, Deed, Head, Item, ItemKind, ItemState, Phase, Progress, Promise, clock,
};

/// What the engine sees of an item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Fact {
    /// In words: `errors 7.1 % > 5 %`, `1 of 4 failing`.
    pub text: String,
    /// Whether the item is so; none when that is not known, or when the fact only informs.
    pub holds: Option<bool>,
    /// The newest reading that it rests on, where it rests on readings: its age is shown.
    pub at: Option<Timestamp>,
}

/// What is sensed of every service, with the moment of each look.
pub type Readings = BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)>;

impl State {
    /// The checklists of an incident, in the order in which they were attached.
    pub fn runs_of(&self, incident: &IncidentId) -> Vec<&Run> {
        let mut runs: Vec<&Run> =
            self.runs.values().map(Arc::as_ref).filter(|run| run.incident == *incident).collect();
        runs.sort_by_key(|run| (run.attached_at, run.id.clone()));
        runs
    }
}

/// How far an incident is in its checklists, seen from `now`.
///
/// `readings` is what is sensed; what was looked at too long ago is not known.
pub fn checklist(
    incident: &Incident,
    state: &State,
    config: &Config,
    readings: &Readings,
    now: Timestamp,
) -> Checklist {
    view::checklist(&Sight { incident, state, config, readings, now })
}

/// What is sensed of every service, as the faces see it.
fn readings(work: &Work<'_>) -> Readings {
    let seen = work.settings.config.services.keys().filter_map(|name| {
        let at = work.senses.evaluated_at(name)?;
        Some((name.clone(), (at, Arc::clone(work.senses.reading(name)?))))
    });
    seen.collect()
}

/// Attaches the runbooks that are for an incident: those of the config, else the one that is built in.
pub(super) fn attach_own(work: &mut Work<'_>, id: &IncidentId) {
    let Some(incident) = work.state.incident(id).cloned() else { return };
    let config = Arc::clone(&work.settings.config);
    let is_for = |name: &RunbookName| {
        let Some(spec) = config.runbooks.get(name) else { return false };
        let of_service =
            spec.services.is_empty() || spec.services.iter().any(|service| incident.has(service));
        let of_level = spec.severities.is_empty() || spec.severities.contains(&incident.level);
        spec.attach && of_service && of_level
    };
    let mut wanted: Vec<RunbookName> =
        work.settings.runbooks.keys().filter(|name| is_for(name)).cloned().collect();
    if wanted.is_empty() {
        wanted.push(RunbookName::from(EMERGENCY));
    }
    for name in wanted {
        attach(work, id, &name, &Actor::Engine);
    }
}

/// The text of a runbook: the config's, or the one that is built in.
fn text_of(work: &Work<'_>, name: &RunbookName) -> Option<RunbookText> {
    let own = work.settings.runbooks.get(name).cloned();
    own.or_else(|| (name.as_str() == EMERGENCY).then(RunbookText::emergency))
}

fn attach(work: &mut Work<'_>, id: &IncidentId, name: &RunbookName, by: &Actor) {
    let Some(RunbookText { source, bindings, sha256, .. }) = text_of(work, name) else { return };
    let run = RunId::from(format!("{id}/{name}"));
    if work.state.runs.contains_key(&run) {
        return;
    }
    let pace_percent = work.config().checklists.pace_percent();
    let change = ChecklistChange::Attached { runbook: name.clone(), source, bindings, sha256, pace_percent };
    emit(work, id, &run, by, change);
}

fn emit(work: &mut Work<'_>, incident: &IncidentId, run: &RunId, by: &Actor, change: ChecklistChange) {
    work.emit(Event::ChecklistChanged {
        incident: incident.clone(),
        run: run.clone(),
        by: by.clone(),
        change,
    });
}

/// Looks at the checklists of all incidents that are not closed as time passes.
pub(super) fn tick(work: &mut Work<'_>) {
    if !work.settings.by_itself || work.stopping {
        return;
    }
    let incidents: Vec<Arc<Incident>> =
        work.state.incidents.values().filter(|incident| !incident.is_closed()).cloned().collect();
    if incidents.is_empty() {
        return;
    }
    let readings = readings(work);
    let config = Arc::clone(&work.settings.config);
    for incident in incidents {
        let is_new = work.state.runs_of(&incident.id).is_empty();
        if is_new && incident.is_open() && !incident.suspected {
            attach_own(work, &incident.id);
        }
        let runs: Vec<RunId> = work
            .state
            .runs_of(&incident.id)
            .iter()
            .filter(|run| !run.closed)
            .map(|run| run.id.clone())
            .collect();
        for id in runs {
            look(work, &incident.id, &id, &config, &readings);
        }
    }
}

fn look(work: &mut Work<'_>, incident: &IncidentId, id: &RunId, config: &Config, readings: &Readings) {
    let state = Arc::clone(work.state);
    let (Some(incident), Some(run)) = (state.incident(incident), state.runs.get(id)) else { return };
    let sight = Sight { incident, state: &state, config, readings, now: work.now };
    for change in watch::watch(run, &sight) {
        emit(work, &incident.id, id, &Actor::Engine, change);
    }
    // What was just ticked is not open any more.
    let state = Arc::clone(work.state);
    let Some(run) = state.runs.get(id) else { return };
    let sight = Sight { state: &state, ..sight };
    // Once it is over nobody expects anything to be begun.
    if incident.is_open() {
        for index in watch::to_begin_again(run, work.now) {
            dispatch::again(work, run, index, &sight);
        }
    }
    for change in windows::watch(run, &sight) {
        let overrun = match &change {
            ChecklistChange::WindowOverrun { section: id, .. }
            | ChecklistChange::WindowReminder { section: id, .. } => {
                let section = run.book().section(id).map(|it| (it.title.clone(), it.escalate.as_ref()));
                let item = || run.book().item(id).map(|it| (it.text.clone(), it.escalate.as_ref()));
                section.or_else(item)
            }
            _ => None,
        };
        let again = matches!(change, ChecklistChange::WindowReminder { .. });
        emit(work, &incident.id, id, &Actor::Engine, change);
        if let Some((title, Some(escalate))) = overrun {
            dispatch::overrun(work, incident, &title, escalate, again);
        }
    }
}

/// Nothing is left to do about the checklists of an incident.
pub(super) fn close(work: &mut Work<'_>, id: &IncidentId, by: &Actor) {
    let open: Vec<RunId> =
        work.state.runs_of(id).iter().filter(|run| !run.closed).map(|run| run.id.clone()).collect();
    for run in open {
        emit(work, id, &run, by, ChecklistChange::Closed);
    }
}

/// Whether an incident may be closed as far as its checklists go, and if not, why.
pub(super) fn may_close(state: &State, id: &IncidentId) -> Result<(), String> {
    for run in state.runs_of(id) {
        for item in &run.book().items {
            let Some(it) = run.items.get(&item.id) else { continue };
            let why = match it.standing {
                Standing::Running => "is being done",
                Standing::Unknown => "has ended and nobody knows how",
                Standing::Deferred => "was deferred and is not settled",
                Standing::Done if it.regression.as_ref().is_some_and(|it| !it.acknowledged) => {
                    "is no longer so, and nobody has said that they saw it"
                }
                _ => continue,
            };
            return Err(format!("`{}` of {} {why}; settle it first", item.id, run.runbook));
        }
    }
    Ok(())
}

/// Takes a command about checklists up or refuses it.
pub(super) fn handle(work: &mut Work<'_>, envelope: Envelope) {
    let result = match envelope.command.clone() {
        Command::Attach { incident, runbook } => attach_by_hand(work, &envelope, &incident, &runbook),
        Command::Rebase(asked) => rebase::handle(work, &envelope, &asked),
        Command::Tick { incident, item, ticked, note } => {
            let note = note.unwrap_or_default();
            let (act, beside) = match ticked {
                Some(Ticked::Done) => (ItemAct::Done, note),
                Some(Ticked::NotApplicable) => (ItemAct::NotApplicable { reason: note }, String::new()),
                None => (ItemAct::Reopen { reason: note }, String::new()),
            };
            on_item(work, &envelope, &incident, None, &item, None, &act, &beside)
        }
        Command::Item { incident, run, item, seen, act } => {
            on_item(work, &envelope, &incident, run.as_ref(), &item, seen, &act, "")
        }
        other => {
            Err(Refusal::because(format!("`{}` is not about a checklist (a defect of unship)", other.verb())))
        }
    };
    if let Err(Refusal { why, guardrails }) = result {
        refuse(work, envelope, why, guardrails);
    }
}

/// Why a command was not taken up.
pub(super) struct Refusal {
    pub(super) why: String,
    /// The guardrails consulted, if it was they who refused.
    pub(super) guardrails: Vec<crate::model::decision::GuardrailCheck>,
}

impl Refusal {
    fn because(why: String) -> Self {
        Self { why, guardrails: Vec::new() }
    }
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::because(why)
    }
}

fn attach_by_hand(
    work: &mut Work<'_>,
    envelope: &Envelope,
    id: &IncidentId,
    name: &RunbookName,
) -> Result<(), Refusal> {
    let incident = incidents::known(work, id)?;
    if incident.is_closed() {
        return Err(format!("{id} is closed").into());
    }
    if text_of(work, name).is_none() {
        let own = work.settings.runbooks.keys().map(RunbookName::as_str);
        let names: Vec<_> = own.chain([EMERGENCY]).collect();
        return Err(format!("no runbook `{name}`; runbooks: {}", names.join(", ")).into());
    }
    if work.state.runs.contains_key(format!("{id}/{name}").as_str()) {
        return Err(format!("{name} is worked through in {id} already").into());
    }
    accept(work, envelope.clone());
    attach(work, id, name, &envelope.by);
    Ok(())
}

/// Finds the run and the item that are meant: `item`, or `runbook:item` where several have one of that name.
fn find(
    work: &Work<'_>,
    id: &IncidentId,
    run: Option<&RunId>,
    item: &ItemId,
) -> Result<(RunId, usize), String> {
    let (runbook, item) = match item.as_str().split_once(':') {
        Some((runbook, item)) => (Some(runbook), item),
        None => (None, item.as_str()),
    };
    let runs = work.state.runs_of(id);
    let is_meant = |candidate: &&&Run| {
        run.is_none_or(|run| candidate.id == *run)
            && runbook.is_none_or(|runbook| candidate.runbook.as_str() == runbook)
    };
    let found = runs.iter().filter(is_meant).find_map(|run| {
        let place = run.book().items.iter().position(|line| line.id.as_str() == item)?;
        Some((run.id.clone(), place))
    });
    found.ok_or_else(|| {
        let ids: Vec<_> =
            runs.iter().flat_map(|run| &run.book().items).map(|item| item.id.as_str()).collect();
        if ids.is_empty() {
            return format!("no runbook is worked through in {id}: `unship checklist attach RUNBOOK`");
        }
        format!("no item `{item}`; items: {}", ids.join(", "))
    })
}

#[expect(clippy::too_many_arguments, reason = "they are the parts of one command")]
fn on_item(
    work: &mut Work<'_>,
    envelope: &Envelope,
    id: &IncidentId,
    run: Option<&RunId>,
    item: &ItemId,
    seen: Option<u64>,
    act: &ItemAct,
    beside: &str,
) -> Result<(), Refusal> {
    let incident = incidents::known(work, id)?;
    if incident.is_closed() {
        return Err(format!("{id} is closed: what is written stays as it is").into());
    }
    // A command can come before the first look of the engine.
    if work.state.runs_of(id).is_empty() && incident.is_open() {
        attach_own(work, id);
    }
    let (run_id, index) = find(work, id, run, item)?;
    let beside = beside.trim();
    if !beside.is_empty() {
        incidents::text(beside, incidents::NOTE_LIMIT, "a note")?;
    }
    let state = Arc::clone(work.state);
    let (Some(incident), Some(run)) = (state.incident(id), state.runs.get(&run_id)) else {
        return Err(format!("no run `{run_id}`").into());
    };
    let config = Arc::clone(&work.settings.config);
    let readings = readings(work);
    let sight = Sight { incident, state: &state, config: &config, readings: &readings, now: work.now };
    let attempt = Attempt { run, index, sight: &sight, by: &envelope.by, seen };
    match attempt.answer(act)? {
        Follows::Change(change) => {
            let item = run.book().items[index].id.clone();
            accept(work, envelope.clone());
            emit(work, id, &run_id, &envelope.by, change);
            if !beside.is_empty() {
                let note = ChecklistChange::Noted { item, text: beside.to_owned() };
                emit(work, id, &run_id, &envelope.by, note);
            }
        }
        Follows::Dispatch { back } => dispatch::dispatch(work, envelope, run, index, &sight, back)?,
    }
    // What follows from it is seen at once.
    if work.settings.by_itself {
        look(work, id, &run_id, &config, &readings);
    }
    Ok(())
}
