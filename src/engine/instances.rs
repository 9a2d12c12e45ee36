//! How many instances run: more where a trigger asks for that, and none of a release that was left behind.
//!
//! To scale out is what load asks for, and not a bad release: it never takes anything back, goes up to `scaling.most` and no
//! further, and not again before the cooldown is over. What a deployment has left running is stopped once that was to drain
//! (`deploy.stop_old_after`), and what is more than the config keeps (`deploy.keep`) is removed; both only while the release in
//! its place is healthy with all the traffic.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::command::Actor;
use crate::model::decision::GuardrailCheck;
use crate::model::event::Event;
use crate::model::operation::{Operation, OperationStatus, Outcome, PlanKind, Strategy};
use crate::model::release::Release;
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::model::{OperationId, ServiceName};

use super::core::Work;
use super::executor;
use super::guardrails::{self, Intent};
use super::incidents::elapsed;
use super::planner;
use super::state::{ServiceState, State};
use super::target::{self, Target};

/// How many instances come next for a service that asks for more; none where nothing says how many may run, or do.
pub fn next(config: &Config, service: &ServiceName, known: Option<&ServiceState>) -> Option<u32> {
    let scaling = config.services.get(service)?.scaling?;
    let now = known?.inventory.as_ref()?.instances?;
    let more = u64::from(now) * u64::from(scaling.add_percent);
    let more = u32::try_from(more.div_ceil(100)).unwrap_or(u32::MAX).max(1);
    Some(now.saturating_add(more).min(scaling.most.max(now)))
}

/// Says of a target what it means for the number of instances, and what speaks against it.
pub(super) fn aim(
    target: &mut Target,
    config: &Config,
    service: &ServiceName,
    known: Option<&ServiceState>,
    instances: u32,
) {
    let now = known.and_then(|known| known.inventory.as_ref()?.instances);
    let most = config.services.get(service).and_then(|spec| spec.scaling).map(|scaling| scaling.most);
    let now = now.map_or_else(|| "nobody knows how many".to_owned(), |now| now.to_string());
    let limit = most.map_or_else(|| "no limit in the config".to_owned(), |most| format!("at most {most}"));
    target.evidence = format!("{instances} instances, now {now}, {limit}");
    if target.problem.is_none() && most.is_some_and(|most| instances > most) {
        target.problem = Some(format!("{instances} instances are more than the config allows: {limit}"));
    }
}

/// What a service would be scaled out to by itself, and what speaks against that.
pub(super) fn aim_by_itself(work: &Work<'_>, service: &ServiceName) -> (Target, u32) {
    let known = work.state.service(service);
    let serves = known.and_then(ServiceState::serving).cloned();
    let problem = serves.is_none().then(|| "nothing is live".to_owned());
    let mut target = Target { release: serves, evidence: String::new(), problem };
    let Some(next) = next(work.config(), service, known) else {
        let has_limit = work.config().services.get(service).is_some_and(|spec| spec.scaling.is_some());
        let why = if has_limit {
            "the platform does not tell how many instances run"
        } else {
            "the config does not say how many instances may run (`scaling`)"
        };
        target.problem.get_or_insert_with(|| why.to_owned());
        return (target, 0);
    };
    aim(&mut target, work.config(), service, known, next);
    let now = known.and_then(|known| known.inventory.as_ref()?.instances);
    if now.is_some_and(|now| now >= next) {
        let why = format!("{next} instances run already, the most that the config allows (`scaling.most`)");
        target.problem.get_or_insert(why);
    }
    (target, next)
}

/// When the service was scaled last, as far as is remembered.
pub(super) fn last_scaled(state: &State, service: &ServiceName) -> Option<Timestamp> {
    let is_one = |operation: &&Operation| {
        operation.plan.service == *service && matches!(operation.plan.kind, PlanKind::Scale { .. })
    };
    state.operations_in_order().filter(is_one).map(|operation| operation.at).max()
}

/// Stops and removes what deployments have left, once that is due.
pub(super) fn tick(work: &mut Work<'_>) {
    let config = Arc::clone(&work.settings.config);
    for service in config.services.keys() {
        if let Some((operation, planned)) = clean_up(work, service) {
            executor::begin(work, &operation, planned);
        }
    }
}

/// The deployment that is the last thing that happened to a service, if it was verified, and when.
fn replaced<'s>(state: &'s State, service: &ServiceName) -> Option<(&'s Operation, Timestamp)> {
    let last = state.operations_in_order().rfind(|operation| operation.plan.service == *service)?;
    match last.status {
        OperationStatus::Ended { outcome: Outcome::Verified, at, .. } => {
            matches!(last.plan.kind, PlanKind::Deploy { .. }).then_some((last, at))
        }
        _ => None,
    }
}

/// The releases of a service that are more than the config keeps, without what a rollback would go to, or compares with.
pub(super) fn too_old<'s>(
    config: &Config,
    known: Option<&'s ServiceState>,
    service: &ServiceName,
) -> Vec<&'s Release> {
    let Some(keep) = config.deploy_of(service).keep else { return Vec::new() };
    let Some((known, inventory)) = known.and_then(|known| Some((known, known.inventory.as_ref()?))) else {
        return Vec::new();
    };
    let target = known.suspect().and_then(|(_, from)| target::choose(known, &from.reference, None).release);
    let baseline = known.baseline.as_ref().map(|baseline| &baseline.release);
    let spared: Vec<_> = target.iter().map(|target| &target.reference).chain(baseline).collect();
    planner::beyond(inventory, keep, &spared)
}

/// The operation that cleans up after the last deployment of a service; none where that is not due, or not to be done.
fn clean_up(work: &Work<'_>, service: &ServiceName) -> Option<(OperationId, Event)> {
    let spec = work.config().deploy_of(service);
    if spec.stop_old_after.is_none() && spec.keep.is_none() {
        return None;
    }
    let (deployment, verified_at) = replaced(work.state, service)?;
    let since = elapsed(verified_at, work.now);
    let known = work.state.service(service)?;
    let inventory = known.inventory.as_ref()?;
    let (from, to) = (&deployment.plan.from, &deployment.plan.to);
    let is_due = spec.stop_old_after.is_none_or(|after| since >= *after);
    let is_well = matches!(known.verdict, Some((Verdict::Healthy, _))) && inventory.serves_all(&to.reference);
    if !is_due || !is_well {
        return None;
    }
    let left = planner::left_running(inventory)
        .filter(|release| spec.stop_old_after.is_some() && release.reference == from.reference);
    let operation = work.state.next_operation();
    let key = executor::key_prefix(work, &operation);
    let draft = executor::draft(work, service, (to, to), Strategy::Immediate, &key).ok()?;
    let plan = planner::clean_up(draft, left, &too_old(work.config(), Some(known), service)).ok()?;
    let target = Target { release: Some(to.clone()), evidence: String::new(), problem: None };
    let intent = Intent {
        service,
        kind: PlanKind::CleanUp,
        automatic: true,
        from: Some(to),
        target: &target,
        overrides: &[],
        database: None,
    };
    let guardrails = guardrails::check(work.settings, work.state, work.senses, intent, work.now);
    if guardrails.iter().any(GuardrailCheck::blocks) {
        return None;
    }
    let planned = Event::OperationPlanned {
        operation: operation.clone(),
        plan,
        by: Actor::Engine,
        reason: format!("{} was verified {} ago", deployment.id, human(since)),
        decision: None,
        command: None,
        guardrails,
    };
    Some((operation, planned))
}
