//! Whether something can be done about the incident, its escalation and the line of its checklist that is at hand.

use super::{Answer, act, act_on_service, because, on_incident};
use crate::config::RunbookText;
use crate::engine::checklist::{Deed, Difference, EMERGENCY, Item, ItemKind, ItemState, Run, difference};
use crate::engine::escalation::preview;
use crate::engine::messages::due;
use crate::model::RunbookName;
use crate::model::command::Actor;
use crate::model::incident::{Audience, Incident, REOPEN_WITHIN};
use crate::model::operation::Operation;
use crate::tui::escalating;
use crate::tui::panes::checklist::{self, space};
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::widgets::text::plain;

/// Operations that are offered to be linked.
const LINKABLE: usize = 12;

/// With an incident to look at, whether it is open or not.
pub fn with_incident(scene: &Scene<'_>) -> Answer {
    scene.incident_at_hand().map(drop).ok_or_else(|| "there was no incident yet".to_owned())
}

/// Acknowledging it: also again, where others were asked since.
pub fn acknowledge(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    let Ok(incident) = scene.incident_to_act_on() else { return Ok(()) };
    match &incident.acknowledged {
        Some(_) if escalating::asks_again(escalating::of(scene, incident)) => Ok(()),
        Some(taken) => because(format!("{} has acknowledged it already", taken.by)),
        None => Ok(()),
    }
}

/// Telling those who wait about the incident at hand.
pub fn message(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    let incident = scene.incident_at_hand().ok_or_else(|| "there was no incident yet".to_owned())?;
    if incident.closed.is_some() {
        return because(format!("{} is closed", incident.id));
    }
    if scene.config().channels.is_empty() {
        return because("the config has no channel to send it through");
    }
    Ok(())
}

/// Whether somebody in the house, or outside who was told before, waits for longer than was promised.
pub fn is_message_overdue(scene: &Scene<'_>) -> bool {
    let late = |incident: &Incident| {
        Audience::ALL.into_iter().any(|audience| {
            let is_awaited = audience == Audience::Internal || incident.updates.contains_key(&audience);
            is_awaited && due(incident, audience).is_some_and(|due| due <= scene.now())
        })
    };
    message(scene).is_ok() && scene.incident().is_some_and(late)
}

/// Acting, with a line of a checklist at hand.
fn line(scene: &Scene<'_>) -> Result<Item, String> {
    act(scene)?;
    if checklist::incident(scene).is_none() {
        return Err("no incident is open".to_owned());
    }
    // Nobody acts on a line that they do not see.
    if scene.ui.page().is_some() {
        return Err("the checklist is not on the screen; Esc first".to_owned());
    }
    checklist::item_at_hand(scene)
        .ok_or_else(|| "every line is settled; select one to take that back".to_owned())
}

/// Doing something about a line, whatever it is like.
pub fn on_line(scene: &Scene<'_>) -> Answer {
    line(scene).map(drop)
}

/// What the line asks for.
pub fn tick(scene: &Scene<'_>) -> Answer {
    line(scene)?;
    match checklist::asks(scene) {
        Some(space::Asks::Nothing(why)) => Err(why),
        _ => Ok(()),
    }
}

fn state_words(item: &Item) -> &'static str {
    checklist::word(&item.state)
}

/// It is being done, and nobody can say otherwise meanwhile.
fn is_not_running(item: &Item) -> Answer {
    match item.state {
        ItemState::Running { .. } => because("it is being done"),
        _ => Ok(()),
    }
}

/// Saying that a line does not concern this incident.
pub fn not_applicable(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    if item.critical {
        return because("it is critical: do it, or override it with a reason");
    }
    if matches!(item.kind, ItemKind::Does { deed: Deed::Acknowledge { .. } }) {
        return because("somebody has to acknowledge");
    }
    is_not_running(&item)?;
    if item.is_settled() || matches!(item.state, ItemState::Regressed { .. }) {
        return because(format!("it is {}", state_words(&item)));
    }
    Ok(())
}

/// Leaving a line as it is.
pub fn override_line(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    is_not_running(&item)?;
    if item.is_settled() || matches!(item.state, ItemState::Deferred { .. }) {
        return because(format!("it is {}; open it again first", state_words(&item)));
    }
    if item.critical {
        let commander = checklist::incident(scene).and_then(Incident::commander);
        let is_me = |name: &str| matches!(&scene.picture.me, Actor::Person { name: me } if me == name);
        match commander {
            Some(name) if is_me(name) => {}
            Some(name) => {
                return because(format!("it is critical: only the commander, {name}, overrides it"));
            }
            None => return because("it is critical: only the commander overrides it, and nobody is"),
        }
    }
    Ok(())
}

/// Doing a line later.
pub fn defer(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    if item.critical {
        return because("it is critical: it cannot be deferred");
    }
    match item.state {
        ItemState::Open | ItemState::Current | ItemState::Satisfied | ItemState::Failed { .. } => Ok(()),
        _ => because(format!("it is {}", state_words(&item))),
    }
}

/// Taking back what a line did.
pub fn take_back(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    match &item.undo {
        Some(undo) => undo.lacks.as_ref().map_or(Ok(()), because),
        None if matches!(item.state, ItemState::Failed { .. }) => {
            because("the runbook does not say what takes it back")
        }
        None => because("only what has failed is taken back"),
    }
}

/// Opening a line again.
pub fn reopen(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    is_not_running(&item)?;
    match item.state {
        ItemState::Open | ItemState::Current => because("it is open"),
        _ => Ok(()),
    }
}

/// Taking a line upon oneself.
pub fn claim(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    match &item.claimed {
        Some(by) if *by == scene.picture.me => because("you have it already"),
        _ => Ok(()),
    }
}

/// Letting go of a line.
pub fn let_go(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    item.claimed.map(drop).ok_or_else(|| "nobody has taken it".to_owned())
}

/// Saying that one has seen that a line is no longer so.
pub fn seen(scene: &Scene<'_>) -> Answer {
    let item = line(scene)?;
    match item.state {
        ItemState::Regressed { .. } if item.acknowledged => because("that was seen already"),
        ItemState::Regressed { .. } => Ok(()),
        _ => because("nothing has changed about it since it was done"),
    }
}

/// The runbooks that could be worked through as well.
pub fn attachable(scene: &Scene<'_>) -> Vec<RunbookName> {
    let Some(incident) = checklist::incident(scene) else { return Vec::new() };
    let runs = scene.picture.live.state.runs_of(&incident.id);
    let mut names: Vec<RunbookName> = scene.picture.settings.runbooks.keys().cloned().collect();
    if !names.iter().any(|name| name.as_str() == EMERGENCY) {
        names.push(RunbookName::from(EMERGENCY));
    }
    names.retain(|name| runs.iter().all(|run| run.runbook != *name));
    names
}

/// Working through another runbook.
pub fn attach(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    if checklist::incident(scene).is_none() {
        return because("no incident is open");
    }
    if attachable(scene).is_empty() {
        return because("every runbook is worked through; the config names others under `runbooks`");
    }
    Ok(())
}

/// Telling others now.
pub fn escalate(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    let Ok(incident) = scene.incident_to_act_on() else { return Ok(()) };
    let next = preview(scene.state(), scene.config(), incident, None, scene.now());
    next.map(drop).map_err(|why| plain(&why))
}

/// Telling nobody for a while, or any more.
pub fn snooze(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    let Ok(incident) = scene.incident_to_act_on() else { return Ok(()) };
    match escalating::of(scene, incident) {
        Some(escalation) if escalating::is_running(escalation) => Ok(()),
        _ => because("nobody is being told"),
    }
}

/// Saying that it is one.
pub fn declare(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    match scene.incident_to_act_on() {
        Ok(incident) if !incident.suspected => because(format!("{} is declared", incident.id)),
        _ => Ok(()),
    }
}

/// Letting another one go on with it.
pub fn merge(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    if others(scene).is_empty() {
        return because("no other incident is open");
    }
    Ok(())
}

/// The other incidents that are open.
pub fn others<'a>(scene: &Scene<'a>) -> Vec<&'a Incident> {
    let mine = scene.incident_to_act_on().ok().map(|incident| &incident.id);
    let all = scene.picture.live.state.incidents_in_order().into_iter().map(AsRef::as_ref);
    all.filter(|incident: &&Incident| incident.is_open() && Some(&incident.id) != mine).collect()
}

/// The incident that can be opened again.
pub fn reopenable<'a>(scene: &Scene<'a>) -> Result<&'a Incident, String> {
    let incident = scene.incident_at_hand().ok_or_else(|| "there was no incident yet".to_owned())?;
    let id = &incident.id;
    let Some(resolved) = &incident.resolved else { return Err(format!("{id} is open")) };
    if incident.ended.is_some() {
        return Err(format!("{id} was no incident of its own; declare another one"));
    }
    if age(resolved.at, scene.picture.now) > REOPEN_WITHIN {
        return Err(format!("{id} was resolved more than a day ago: declare another one"));
    }
    Ok(incident)
}

/// Opening the last incident again.
pub fn reopen_incident(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    reopenable(scene).map(drop)
}

/// The incident that can be closed.
pub fn closable<'a>(scene: &Scene<'a>) -> Result<&'a Incident, String> {
    let incident = scene.incident_at_hand().ok_or_else(|| "there was no incident yet".to_owned())?;
    if incident.is_open() {
        return Err(format!("{} is not resolved", incident.id));
    }
    if incident.is_closed() {
        return Err(format!("{} is closed", incident.id));
    }
    Ok(incident)
}

/// Closing a resolved incident.
pub fn close(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    closable(scene).map(drop)
}

/// With an incident in which people have roles.
pub fn with_roles(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    match scene.incident_at_hand() {
        Some(incident) if incident.is_closed() => because(format!("{} is closed", incident.id)),
        Some(_) => Ok(()),
        None => because("no incident is open"),
    }
}

/// Making another service part of it.
pub fn add_service(scene: &Scene<'_>) -> Answer {
    on_incident(scene)?;
    act_on_service(scene)?;
    match (scene.incident_to_act_on(), scene.service()) {
        (Ok(incident), Some(service)) if incident.has(service) => {
            because(format!("{service} is part of {}", incident.id))
        }
        _ => Ok(()),
    }
}

/// The newest operations that do not belong to the incident, newest first.
pub fn linkable<'a>(scene: &Scene<'a>) -> Vec<&'a Operation> {
    let Some(incident) = scene.incident_at_hand() else { return Vec::new() };
    let operations = scene.picture.live.state.operations_in_order().rev();
    operations.filter(|operation| !incident.operations.contains(&operation.id)).take(LINKABLE).collect()
}

/// Letting an operation belong to the incident.
pub fn link(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    with_incident(scene)?;
    if linkable(scene).is_empty() {
        return because("every operation that is known belongs to it");
    }
    Ok(())
}

/// The checklists whose runbooks have changed on disk, with what that changes.
pub fn rebasable<'a>(scene: &Scene<'a>) -> Vec<(&'a Run, &'a RunbookText, Difference)> {
    rewritten(scene).filter_map(|(run, text)| Some((run, text, difference(run, text)?))).collect()
}

/// The checklists whose runbooks have another text on disk.
fn rewritten<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (&'a Run, &'a RunbookText)> {
    let picture = scene.picture;
    let runs = checklist::incident(scene).map(|incident| picture.live.state.runs_of(&incident.id));
    let with_text = |run: &'a Run| Some((run, picture.runbooks.get(&run.runbook)?));
    let open = runs.into_iter().flatten().filter(|run| !run.closed).filter_map(with_text);
    open.filter(|(run, text)| !run.has_text(&text.source, text.bindings.as_ref()))
}

/// Letting a checklist go on with its runbook as it is now.
pub fn rebase(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    if checklist::incident(scene).is_none() {
        return because("no incident is open");
    }
    // Asked for every frame: what differs is worked out where it is shown.
    if rewritten(scene).next().is_none() {
        return because("no runbook that is worked through has changed");
    }
    Ok(())
}
