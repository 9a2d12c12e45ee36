//! How many instances run: more where a trigger asks for that, and none of a release that was left behind.
//!
//! To scale out is what load asks for, and not a bad release: it never takes anything back, goes up to `scaling.most` and no
//! further, and not again before the cooldown is over. What a deployment has left running is stopped once that was to drain
//! (`deploy.stop_old_after`), and what is more than the config keeps (`deploy.keep`) is removed; both only while the release in its place is healthy with all the traffic.

use jiff::Timestamp;

use crate::config::Config;
use crate::model::command::Actor;
use crate::model::decision::GuardrailCheck;
use crate::model::event::Event;
use crate::model::operation::{Operation, OperationStatus, Outcome, PlanKind, Strategy};
use crate::model::release::Release;
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::model::{ServiceName, Span};

use super::core::Work;
use super::executor;
use super::guardrails::{self, Intent};
use super::incidents::elapsed;
use super::planner::{self, Draft};
use super::state::{ServiceState, State};
use super::target::{self, Target};

/// How many instances come next for a service that asks for more; none where nothing says how many may run, or do.
pub(super) fn next(config: &Config, service: &ServiceName, known: Option<&ServiceState>) -> Option<u32> {
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
    let serves = known.and_then(|known| known.stable().or_else(|| known.canary())).cloned();
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

/// Stops what deployments have left running, once that is due.
pub(super) fn tick(work: &mut Work<'_>) {
    let config = work.settings.config.clone();
    for service in config.services.keys() {
        let spec = config.deploy_of(service);
        if spec.stop_old_after.is_none() && spec.keep.is_none() {
            continue;
        }
        let after = spec.stop_old_after.unwrap_or(Span::secs(0));
        let Some(operation) = replaced(work, service) else { continue };
        let OperationStatus::Ended { at, .. } = operation.status else { continue };
        if elapsed(at, work.now) < *after {
            continue;
        }
        clean_up(work, service, &operation);
    }
}

/// The deployment that is the last thing that happened to a service, if it was verified.
fn replaced(work: &Work<'_>, service: &ServiceName) -> Option<Operation> {
    let mut of = work.state.operations_in_order().filter(|operation| operation.plan.service == *service);
    let last = of.next_back()?;
    let is_verified = matches!(last.status, OperationStatus::Ended { outcome: Outcome::Verified, .. });
    (matches!(last.plan.kind, PlanKind::Deploy { .. }) && is_verified).then(|| last.clone())
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

fn clean_up(work: &mut Work<'_>, service: &ServiceName, deployment: &Operation) {
    let config = work.settings.config.clone();
    let Some(known) = work.state.service(service) else { return };
    let (Some(platform), Some(inventory)) = (work.settings.platforms.get(service), &known.inventory) else {
        return;
    };
    let (from, to) = (&deployment.plan.from, &deployment.plan.to);
    let is_well = matches!(known.verdict, Some((Verdict::Healthy, _))) && inventory.serves_all(&to.reference);
    let stops = config.deploy_of(service).stop_old_after.is_some() && platform.capabilities.stop;
    let left = planner::left_running(inventory).find(|release| release.reference == from.reference && stops);
    let old = too_old(&config, Some(known), service);
    if !is_well || (left.is_none() && (old.is_empty() || !platform.capabilities.remove)) {
        return;
    }
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
        return;
    }
    let operation = work.state.next_operation();
    let key = executor::key_prefix(work, &operation);
    let draft = Draft {
        service,
        from: to,
        to,
        strategy: Strategy::Immediate,
        inventory,
        platform,
        settings: &work.settings.config.rollback,
        key: &key,
    };
    let Ok(plan) = planner::clean_up(draft, left.into_iter(), &old) else { return };
    let ended = match deployment.status {
        OperationStatus::Ended { at, .. } => human(elapsed(at, work.now)),
        _ => String::new(),
    };
    let reason = format!("{} was verified {ended} ago", deployment.id);
    let planned = Event::OperationPlanned {
        operation: operation.clone(),
        plan,
        by: Actor::Engine,
        reason,
        decision: None,
        command: None,
        guardrails,
    };
    executor::begin(work, &operation, planned);
}
