//! Whether something can be done now, and if not, why not: decided here for the footer, the palette, the help and the keys.
//! The engine decides again when it is asked; this only saves the person the way.

mod incident;

pub use incident::{
    acknowledge, add_service, attach, attachable, claim, closable, close, declare, defer, escalate,
    is_message_overdue, let_go, link, linkable, merge, message, not_applicable, on_line, others,
    override_line, rebasable, rebase, reopen, reopen_incident, reopenable, seen, snooze, take_back, tick,
    with_incident, with_roles,
};

use super::commands::Reason;
use super::scene::Scene;
use crate::config::schema::Role;
use crate::engine::runtime::Leadership;
use crate::model::command::Actor;
use crate::model::operation::{OperationStatus, PlanKind};

type Answer = Result<(), Reason>;

fn because(reason: impl Into<Reason>) -> Answer {
    Err(reason.into())
}

/// Always.
pub const fn always(_: &Scene<'_>) -> Answer {
    Ok(())
}

/// With a service to speak of.
pub fn with_service(scene: &Scene<'_>) -> Answer {
    scene.service().map(drop).ok_or_else(|| "no service is shown; Esc clears the filter".to_owned())
}

/// With a service whose log can be read.
pub fn read_log(scene: &Scene<'_>) -> Answer {
    with_service(scene)?;
    let settings = &scene.picture.settings;
    let Some(service) = scene.service() else { return Ok(()) };
    let is_named = settings.config.services.get(service).is_some_and(|spec| spec.log.is_some());
    match settings.platforms.get(service) {
        Some(facts) if facts.capabilities.logs || is_named => Ok(()),
        _ => because(format!("the platform of {service} has no log; the config can name one")),
    }
}

/// With an operation to look at.
pub fn with_operation(scene: &Scene<'_>) -> Answer {
    with_service(scene)?;
    scene.newest_operation().map(drop).ok_or_else(|| "nothing was done to this service yet".to_owned())
}

/// Whether this person may change anything here and now.
pub fn act(scene: &Scene<'_>) -> Answer {
    let config = scene.config();
    if let Actor::Person { name } = &scene.picture.me
        && !config.operators.is_empty()
    {
        match config.operators.get(name) {
            None => return because(format!("{name} is not an operator of {}", config.environment.name)),
            Some(operator) if operator.role == Role::Observer => {
                return because(format!("{name} may look but not act in {}", config.environment.name));
            }
            Some(_) => {}
        }
    }
    if scene.picture.live.leadership == Leadership::Nobody {
        return because("nobody leads: nobody would take it up");
    }
    Ok(())
}

/// Acting, with a service to act on.
pub fn act_on_service(scene: &Scene<'_>) -> Answer {
    with_service(scene)?;
    act(scene)
}

/// Acting on a service's platform.
fn change(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)?;
    let environment = &scene.config().environment;
    if environment.read_only {
        return because(format!("{} is read-only", environment.name));
    }
    if let Some(operation) = scene.open_operation() {
        return because(format!("{} is going on", operation.id));
    }
    if scene.known().and_then(|known| known.inventory.as_ref()).is_none() {
        return because("the platform has not been read yet");
    }
    Ok(())
}

/// Taking a release back.
pub fn roll_back(scene: &Scene<'_>) -> Answer {
    // What is still being brought in can be taken back.
    if let Some(operation) = scene.open_operation()
        && matches!(operation.plan.kind, PlanKind::Deploy { .. })
        && !scene.config().environment.read_only
    {
        return act_on_service(scene);
    }
    change(scene)
}

/// Giving a canary everything.
pub fn promote(scene: &Scene<'_>) -> Answer {
    change(scene)?;
    match scene.known().and_then(|known| known.canary()) {
        Some(_) => Ok(()),
        None => because("there is no canary"),
    }
}

/// Bringing a release in.
pub fn deploy(scene: &Scene<'_>) -> Answer {
    change(scene)
}

/// Saying go to a deployment.
pub fn confirm(scene: &Scene<'_>) -> Answer {
    running(scene)?;
    match scene.open_operation() {
        Some(operation) if operation.awaits_confirmation() => Ok(()),
        _ => because("no deployment waits for a person to say go"),
    }
}

/// Turning the maintenance page on or off.
pub fn maintenance(scene: &Scene<'_>) -> Answer {
    change(scene)?;
    let inventory = scene.known().and_then(|known| known.inventory.as_ref());
    match inventory.and_then(|inventory| inventory.maintenance) {
        Some(_) => Ok(()),
        None => because("this platform has no maintenance page"),
    }
}

/// Letting another number of instances run.
pub fn scale(scene: &Scene<'_>) -> Answer {
    change(scene)?;
    let inventory = scene.known().and_then(|known| known.inventory.as_ref());
    match inventory.and_then(|inventory| inventory.instances) {
        Some(_) => Ok(()),
        None => because("this platform does not tell how many instances run"),
    }
}

fn running(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)?;
    scene.open_operation().map(drop).ok_or_else(|| "no operation is going on".to_owned())
}

/// Pausing an operation.
pub fn pause(scene: &Scene<'_>) -> Answer {
    running(scene)?;
    match scene.open_operation() {
        Some(operation) if operation.paused.is_some() => because(format!("{} is paused", operation.id)),
        _ => Ok(()),
    }
}

/// Letting a paused operation go on.
pub fn resume(scene: &Scene<'_>) -> Answer {
    running(scene)?;
    match scene.open_operation() {
        Some(operation) if operation.paused.is_none() => because(format!("{} is not paused", operation.id)),
        _ => Ok(()),
    }
}

/// Stopping an operation.
pub fn cancel(scene: &Scene<'_>) -> Answer {
    running(scene)?;
    match scene.open_operation() {
        Some(operation) if operation.cancelling => because(format!("{} is being stopped", operation.id)),
        _ => Ok(()),
    }
}

/// Saying what happened.
pub fn settle(scene: &Scene<'_>) -> Answer {
    running(scene)?;
    match scene.open_operation().map(|operation| &operation.status) {
        Some(OperationStatus::NeedsDecision { .. }) => Ok(()),
        _ => because("no operation waits for a person"),
    }
}

/// Forbidding rollbacks.
pub fn freeze_rollbacks(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)
}

/// Allowing them again.
pub fn thaw_rollbacks(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)?;
    match scene.known().and_then(|known| known.freeze.as_ref()) {
        Some(_) => Ok(()),
        None => because("no freeze holds on this service"),
    }
}

/// Saying what a release is worth.
pub fn mark(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)?;
    match scene.ui.release.what {
        Some(_) => Ok(()),
        None => because("select a release in pane 3 first"),
    }
}

/// With an incident.
pub fn on_incident(scene: &Scene<'_>) -> Answer {
    act(scene)?;
    scene.incident_to_act_on().map(drop)
}

/// Opening an incident: there is never more than one.
pub fn open_incident(scene: &Scene<'_>) -> Answer {
    act_on_service(scene)?;
    match scene.incident() {
        Some(incident) => because(format!("{} is open", incident.id)),
        None => Ok(()),
    }
}
