//! Beginning what an item does: by the engine's own commands, with the same guardrails as when a person types them.

use super::run::Run;
use super::sight::Sight;
use super::{Refusal, act, actions, emit};
use crate::engine::commands::{self, accept};
use crate::engine::core::Work;
use crate::engine::{escalation, messages};
use crate::model::checklist::{ASKED, ChecklistChange};
use crate::model::command::{Command, Envelope, Promote, RollBack};
use crate::model::escalation::Standing;
use crate::model::event::Event;
use crate::model::incident::Incident;
use crate::model::operation::Strategy;
use crate::model::{OperationId, PolicyName, ServiceName, Span};
use crate::runbook::{Escalate, Kind};

/// Begins the action of an item.
pub(super) fn dispatch(
    work: &mut Work<'_>,
    envelope: &Envelope,
    run: &Run,
    index: usize,
    sight: &Sight<'_>,
) -> Result<(), Refusal> {
    let item = &run.book().items[index];
    let Kind::Action { action, params, .. } = &item.kind else {
        return Err(Refusal::because(format!("`{}` has no action", item.id)));
    };
    let values = actions::resolved(run, params, sight)?;
    let digest = actions::digest(run, item, &values, sight);
    let id = &sight.incident.id;
    if item.approve > 1 && !agreed(work, envelope, run, index, sight, &digest)? {
        return Ok(());
    }
    let reason = format!("{id}: {}", item.text);
    let get = |name: &str| values.get(name).map(String::as_str);
    let service = match get("service") {
        Some(name) => Some(known_service(work, name)?),
        None => sight.to_roll_back().or_else(|| only(sight.incident)),
    };
    let of_service = || {
        service.clone().ok_or_else(|| {
            Refusal::because(format!(
                "nothing says which service `{}` is about: name it where the command is typed",
                item.id
            ))
        })
    };
    let generation = run.items.get(&item.id).map_or(0, |it| it.generation) + 1;
    let begun = |operation: Option<OperationId>| ChecklistChange::Dispatched {
        item: item.id.clone(),
        generation,
        operation,
        digest: digest.clone(),
    };
    let by = envelope.by.clone();
    let command = match action.as_str() {
        "rollback" => {
            let service = of_service()?;
            let strategy = match get("strategy") {
                Some("gradual") => Strategy::Gradual,
                _ => Strategy::Immediate,
            };
            let known = sight.state.service(&service).and_then(|known| known.suspect());
            Some(Command::RollBack(RollBack {
                from: known.map(|(_, release)| release.reference.clone()),
                to: get("to").map(Into::into),
                service,
                strategy,
                reason: reason.clone(),
                overrides: Vec::new(),
            }))
        }
        "promote" => Some(Command::Promote(Promote {
            service: of_service()?,
            release: None,
            reason: reason.clone(),
            overrides: Vec::new(),
        })),
        "maintenance" => Some(Command::Maintenance {
            service: of_service()?,
            on: get("on") != Some("false"),
            reason: reason.clone(),
        }),
        _ => None,
    };
    if let Some(command) = command {
        let planned = commands::plan(work, &command)
            .map_err(|(why, guardrails)| Refusal { why: format!("`{}`: {why}", item.id), guardrails })?;
        accept(work, envelope.clone());
        let operation = work.state.next_operation();
        emit(work, id, &run.id, &by, begun(Some(operation.clone())));
        commands::begin(work, planned, &operation, &envelope.id, &by, &reason);
        return Ok(());
    }
    let event = match action.as_str() {
        "acknowledge" => None,
        "freeze" => {
            let until = match get("for") {
                Some(time) => {
                    let time: Span =
                        time.parse().map_err(|why: String| Refusal::because(format!("`for`: {why}")))?;
                    Some(work.now.checked_add(*time).map_err(|error| Refusal::because(error.to_string()))?)
                }
                None => None,
            };
            let service = get("service").map(ServiceName::from);
            Some(Event::FreezeSet { service, until, by: by.clone(), reason: reason.clone() })
        }
        "thaw" => {
            let service = get("service").map(ServiceName::from);
            Some(Event::FreezeLifted { service, by: by.clone(), reason: reason.clone() })
        }
        "page" => {
            let policy = get("policy").map(PolicyName::from);
            let level = level_of(get("level"))?;
            escalation::may_escalate(work, sight.incident, level, policy.as_ref())?;
            accept(work, envelope.clone());
            emit(work, id, &run.id, &by, begun(None));
            escalation::by_hand(work, id, level, policy.as_ref(), &format!("{by} escalates: {}", item.text));
            ended(work, sight.incident, run, index, &by, "people are told");
            return Ok(());
        }
        other => {
            return Err(Refusal::because(format!("`{other}` is no action of this unship")));
        }
    };
    accept(work, envelope.clone());
    match event {
        Some(event) => {
            emit(work, id, &run.id, &by, begun(None));
            work.emit(event);
            ended(work, sight.incident, run, index, &by, "done");
        }
        None => {
            if sight.incident.acknowledged.is_none() {
                work.emit(Event::IncidentAcknowledged { incident: id.clone(), by: by.clone() });
            }
            escalation::acknowledge(work, id, &by);
            let change = ChecklistChange::Done {
                item: item.id.clone(),
                unsensed: false,
                fact: None,
                do_confirm: item.memory,
            };
            emit(work, id, &run.id, &by, change);
        }
    }
    Ok(())
}

/// What was done at once has ended at once.
fn ended(
    work: &mut Work<'_>,
    incident: &Incident,
    run: &Run,
    index: usize,
    by: &crate::model::command::Actor,
    detail: &str,
) {
    let item = &run.book().items[index];
    let change =
        ChecklistChange::Outcome { item: item.id.clone(), succeeded: Some(true), detail: detail.to_owned() };
    emit(work, &incident.id, &run.id, by, change);
    if matches!(&item.kind, Kind::Action { verify: None, .. }) {
        let change = ChecklistChange::Done {
            item: item.id.clone(),
            unsensed: false,
            fact: Some(detail.to_owned()),
            do_confirm: false,
        };
        emit(work, &incident.id, &run.id, by, change);
    }
}

fn known_service(work: &Work<'_>, name: &str) -> Result<ServiceName, Refusal> {
    let service = ServiceName::from(name);
    if work.config().services.contains_key(&service) {
        return Ok(service);
    }
    let names: Vec<_> = work.config().services.keys().map(ServiceName::as_str).collect();
    Err(Refusal::because(format!("no service `{name}`; services: {}", names.join(", "))))
}

fn only(incident: &Incident) -> Option<ServiceName> {
    match incident.services.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn level_of(level: Option<&str>) -> Result<Option<usize>, Refusal> {
    level
        .map(|level| {
            level.parse().map_err(|_| Refusal::because(format!("`level` is a number, not `{level}`")))
        })
        .transpose()
}

/// The time of something is over: those that the runbook names are told, and told `again` until somebody answers.
pub(super) fn overrun(
    work: &mut Work<'_>,
    incident: &Incident,
    title: &str,
    escalate: &Escalate,
    again: bool,
) {
    let running = work.state.escalations.get(&incident.id);
    let is_answered =
        running.is_some_and(|running| matches!(running.standing, Standing::Acknowledged { .. }));
    if incident.drill || !incident.is_open() || again && is_answered {
        return;
    }
    let policy = PolicyName::from(escalate.policy.as_str());
    let level = Some(usize::from(escalate.level));
    if escalation::may_escalate(work, incident, level, Some(&policy)).is_ok() {
        let still = if again { "still over" } else { "over" };
        let reason = format!("the time of `{title}` is {still}");
        escalation::by_hand(work, &incident.id, level, Some(&policy), &reason);
    }
}

/// Whether another person agrees to an action by this. Else it is asked for, and those who listen hear of it. What was asked for and
/// is something else by now is not agreed to.
fn agreed(
    work: &mut Work<'_>,
    envelope: &Envelope,
    run: &Run,
    index: usize,
    sight: &Sight<'_>,
    digest: &str,
) -> Result<bool, Refusal> {
    let item = &run.book().items[index];
    let asked = run.items.get(&item.id).and_then(|it| it.asked.as_ref());
    if let Some(asked) = asked.filter(|asked| asked.until > sight.now) {
        act::is_another(&item.id, asked, &envelope.by, sight)?;
        if asked.digest.as_deref() == Some(digest) {
            return Ok(true);
        }
        let reason = "what would be done is something else by now".to_owned();
        let change = ChecklistChange::AskEnded { item: item.id.clone(), reason };
        emit(work, &sight.incident.id, &run.id, &crate::model::command::Actor::Engine, change);
        return Err(Refusal::because(format!(
            "what `{}` would do is something else than what {} asked for: ask again",
            item.id, asked.by
        )));
    }
    let until = work.now.checked_add(ASKED).map_err(|error| Refusal::because(error.to_string()))?;
    accept(work, envelope.clone());
    let change =
        ChecklistChange::Asked { item: item.id.clone(), until, value: None, digest: Some(digest.to_owned()) };
    emit(work, &sight.incident.id, &run.id, &envelope.by, change);
    messages::agreement(work, sight.incident, &envelope.by, item);
    Ok(false)
}
