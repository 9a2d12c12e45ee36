//! What may forbid an action. Consulted for every automatic one and shown for every manual one, always all that concern a
//! plan of its kind, in one order, so that people see the same list everywhere.

use jiff::Timestamp;

use crate::model::command::Override;
use crate::model::decision::{Guardrail, GuardrailCheck};
use crate::model::operation::{Action, Operation, PlanKind};
use crate::model::release::{Arm, Release};
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::model::{DatabaseName, ServiceName};

use super::input::Settings;
use super::instances;
use super::senses::Senses;
use super::state::{Freeze, State};
use super::target::Target;

/// What is about to be done, as far as guardrails care.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'a> {
    /// The service.
    pub service: &'a ServiceName,
    /// What for.
    pub kind: PlanKind,
    /// Nobody asked: the engine acts by itself.
    pub automatic: bool,
    /// The release that would be left.
    pub from: Option<&'a Release>,
    /// The release that would get the traffic.
    pub target: &'a Target,
    /// What a person takes upon themselves.
    pub overrides: &'a [Override],
    /// The database that would be changed, if one would.
    pub database: Option<&'a DatabaseName>,
}

/// Consults every guardrail that concerns this.
pub fn check(
    settings: &Settings,
    state: &State,
    senses: &Senses,
    intent: Intent<'_>,
    now: Timestamp,
) -> Vec<GuardrailCheck> {
    Guardrail::ALL
        .into_iter()
        .filter(|guardrail| guardrail.concerns(intent.kind))
        .filter(|guardrail| intent.automatic || !guardrail.only_automatic(intent.kind))
        .map(|guardrail| {
            let mut check = GuardrailCheck {
                guardrail,
                passes: true,
                detail: String::new(),
                until: None,
                overridden: None,
            };
            consult(&mut check, settings, state, senses, intent, now);
            if !check.passes && guardrail.can_override() {
                let taken = intent
                    .overrides
                    .iter()
                    .find(|taken| taken.guardrail == guardrail && !taken.reason.trim().is_empty());
                // Nobody can override the absence of a release to give the traffic to.
                if guardrail != Guardrail::Target || intent.target.release.is_some() {
                    check.overridden = taken.map(|taken| taken.reason.clone());
                }
            }
            check
        })
        .collect()
}

/// An open operation that concerns the same data: one that changes a database of this service; and for a change of a database one
/// on any of its services.
fn on_its_data<'s>(settings: &Settings, state: &'s State, intent: Intent<'_>) -> Option<&'s Operation> {
    let works_with = |database: &DatabaseName, service: &ServiceName| {
        settings.config.databases.get(database).is_some_and(|spec| spec.services.contains(service))
    };
    state.open_operations().filter(|open| open.plan.service != *intent.service).find(|open| {
        let changes = open.plan.steps.iter().find_map(|step| match &step.action {
            Action::Data { what } => Some(what.database()),
            _ => None,
        });
        changes.is_some_and(|database| works_with(database, intent.service))
            || intent.database.is_some_and(|database| {
                open.plan.kind.moves_traffic() && works_with(database, &open.plan.service)
            })
    })
}

fn consult(
    check: &mut GuardrailCheck,
    settings: &Settings,
    state: &State,
    senses: &Senses,
    intent: Intent<'_>,
    now: Timestamp,
) {
    let config = &settings.config;
    let service = state.service(intent.service);
    match check.guardrail {
        Guardrail::ReadOnly => {
            check.passes = !config.environment.read_only;
            check.detail = if check.passes {
                "the environment may be changed".to_owned()
            } else {
                "the environment is read-only (`environment.read_only`)".to_owned()
            };
        }
        Guardrail::Automatic => {
            let (on, words) = match &state.automatic {
                Some(switch) => (switch.on, format!("switched by {}: {}", switch.by, switch.reason)),
                None => (config.environment.automatic, "as configured".to_owned()),
            };
            check.passes = on && settings.by_itself;
            check.detail = if settings.by_itself {
                format!("automatic action is {}, {words}", if on { "on" } else { "off" })
            } else {
                "this process does only what it is asked".to_owned()
            };
        }
        Guardrail::Busy => {
            let open = service.and_then(|service| service.operation.as_ref());
            // Taking a release back that is still being brought in stops that, and waits for none of its stages.
            let yields = open.and_then(|id| state.operation(id)).is_some_and(|open| {
                intent.kind == PlanKind::RollBack && !intent.automatic && is_way_back(open, intent.target)
            });
            let elsewhere = on_its_data(settings, state, intent);
            check.passes = (open.is_none() || yields) && elsewhere.is_none();
            check.detail = match open {
                None if elsewhere.is_some() => elsewhere.map_or_else(String::new, |other| {
                    let Operation { id, plan, .. } = other;
                    format!("{id} ({}) concerns the same database; cancel that first", plan.purpose)
                }),
                None => "no operation runs on it".to_owned(),
                Some(id) if yields => format!("{id} brings it in; that is stopped first"),
                Some(id) => format!("{id} runs on it; cancel that first"),
            };
        }
        Guardrail::Freeze => {
            freeze(check, settings, state, service.and_then(|service| service.freeze.as_ref()), now);
        }
        Guardrail::Cooldown => {
            let cooldown = *config.guardrails.cooldown;
            let (last, never, what) = match intent.kind {
                PlanKind::Scale { .. } => {
                    (instances::last_scaled(state, intent.service), "never scaled", "last scaled")
                }
                _ => {
                    let last = service.and_then(|service| service.last_rollback);
                    (last, "never rolled back", "last rollback")
                }
            };
            match last {
                None => never.clone_into(&mut check.detail),
                Some(last) => {
                    let age = now.duration_since(last).unsigned_abs();
                    check.passes = last <= now && age >= cooldown;
                    check.detail = format!("{what} {} ago, cooldown {}", human(age), human(cooldown));
                    if !check.passes {
                        check.until = last.checked_add(cooldown).ok();
                    }
                }
            }
        }
        Guardrail::Maximum => {
            let (count, most) = (service.map_or(0, |service| service.rollbacks), config.guardrails.maximum);
            check.passes = count < most;
            check.detail = format!("{count} of {most} rollbacks since a person last reset the count");
            // A rollback that did not help is not followed by another without a person.
            if intent.automatic
                && let Some(why) = service.and_then(|service| service.needs_person.as_ref())
            {
                check.passes = false;
                check.detail = format!("{why}; a person has to look and reset the count");
            }
        }
        Guardrail::StaleData => {
            stale_data(check, settings, senses, intent, now);
            if let Some(fault) = service.and_then(|service| service.platform_fault.as_ref())
                && (intent.automatic || !check.passes)
            {
                check.passes = false;
                check.detail =
                    format!("the platform cannot be read since {:.0}: {}", fault.since, fault.reason);
            }
        }
        Guardrail::Target => match (&intent.target.problem, &intent.target.release, intent.from) {
            (_, Some(to), Some(from)) if to.reference == from.reference && intent.kind.moves_traffic() => {
                check.passes = false;
                check.detail = format!("`{}` is the release that would be left", to.version);
            }
            (Some(problem), ..) => {
                check.passes = false;
                check.detail.clone_from(problem);
            }
            (None, ..) => check.detail.clone_from(&intent.target.evidence),
        },
        Guardrail::Schema => {
            let database =
                service.and_then(|service| service.inventory.as_ref()).and_then(|inventory| inventory.schema);
            let needs = intent.target.release.as_ref().and_then(|release| release.schema);
            let now_has = database.or_else(|| intent.from.and_then(|from| from.schema));
            match (needs, now_has) {
                (Some(needs), Some(has)) => {
                    // What the release that is left needs says how far the database is at least.
                    check.passes = needs == has || (needs > has && database.is_none());
                    check.detail = if check.passes {
                        format!("the target works with schema {needs}, the database has {has}")
                    } else if needs < has {
                        format!(
                            "the target needs schema {needs}, the database is at {has}: going back may lose data"
                        )
                    } else {
                        format!("the target needs schema {needs}, the database is only at {has}")
                    };
                }
                _ if intent.target.release.is_none() => {
                    check.detail = "without a target there is nothing to compare".to_owned();
                }
                _ => check.detail = "the platform names no schema".to_owned(),
            }
        }
        Guardrail::Health => health(check, senses, intent),
    }
}

/// Whether to go to this release is to go back from a deployment that is still going on.
pub(super) fn is_way_back(open: &Operation, target: &Target) -> bool {
    let to = target.release.as_ref().map(|release| &release.reference);
    matches!(open.plan.kind, PlanKind::Deploy { .. }) && to == Some(&open.plan.from.reference)
}

/// Only what is seen now counts: a verdict from the journal may be as old as the last leader.
fn health(check: &mut GuardrailCheck, senses: &Senses, intent: Intent<'_>) {
    let seen = senses.reading(intent.service).and_then(|reading| reading.arms.get(&Arm::Canary));
    check.passes = seen == Some(&Verdict::Healthy);
    check.detail = match seen {
        Some(Verdict::Healthy) => "the canary is healthy".to_owned(),
        Some(verdict) => format!("the canary is {}: {}", verdict.word(), verdict.reasons().join("; ")),
        None => "nothing is known of the canary's health".to_owned(),
    };
}

fn freeze(
    check: &mut GuardrailCheck,
    settings: &Settings,
    state: &State,
    own: Option<&Freeze>,
    now: Timestamp,
) {
    let planned =
        settings.config.guardrails.freeze.iter().find(|freeze| freeze.from <= now && now <= freeze.to);
    if let Some(freeze) = planned {
        check.passes = false;
        check.until = Some(freeze.to);
        check.detail = format!("planned freeze until {:.0}: {}", freeze.to, freeze.reason);
        return;
    }
    let set = [own, state.freeze.as_ref()].into_iter().flatten();
    let mut holding = set.filter(|freeze| freeze.until.is_none_or(|until| now < until));
    if let Some(freeze) = holding.next() {
        check.passes = false;
        check.until = freeze.until;
        let until =
            freeze.until.map_or_else(|| "until lifted".to_owned(), |until| format!("until {until:.0}"));
        check.detail = format!("frozen by {} {until}: {}", freeze.by, freeze.reason);
    } else {
        check.detail = "no freeze".to_owned();
    }
}

/// For an automatic action both what is sensed and what the platform says have to be new. A person may act on their own
/// eyes, but the platform has to have been read: otherwise nobody knows what would be left.
fn stale_data(
    check: &mut GuardrailCheck,
    settings: &Settings,
    senses: &Senses,
    intent: Intent<'_>,
    now: Timestamp,
) {
    let limit = *settings.config.guardrails.stale_after;
    // The platform is asked less often than the sources.
    let platform_limit = limit.max(*settings.config.rollback.read_every * 3);
    let age = |at: Option<Timestamp>| {
        at.map(|at| if at > now { std::time::Duration::ZERO } else { now.duration_since(at).unsigned_abs() })
    };
    let (data, platform) = (age(senses.newest(intent.service)), age(senses.inventory_at(intent.service)));
    let words = |age: Option<std::time::Duration>| {
        age.map_or_else(|| "never".to_owned(), |age| format!("{} ago", human(age)))
    };
    let platform_passes = platform.is_some_and(|age| age <= platform_limit);
    check.passes = platform_passes && (!intent.automatic || data.is_some_and(|age| age <= limit));
    let platform = words(platform);
    check.detail = match data {
        // Whoever asks may have data that this process never took in.
        None if !intent.automatic => format!("platform read {platform}, limit {}", human(platform_limit)),
        data => format!("newest data {}, platform read {platform}, limit {}", words(data), human(limit)),
    };
}
