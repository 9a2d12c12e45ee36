//! What people are told, and when: queued as events, so that a message survives the process that wanted to send it.

mod incidents;
mod phones;
mod updates;
mod values;

pub(super) use incidents::{
    Turn, agreement, commander_away, exhausted, incident_opened, incident_over, page, remind, storm,
    unacknowledged, withdraw_pages,
};
pub use phones::Rung;
pub(super) use phones::fold as phones_fold;
pub(super) use updates::{drafted, may_tell, send_update, tick as updates_tick};
pub use updates::{due, listeners};
pub use values::{fill, update};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Config;
use crate::model::command::Actor;
use crate::model::decision::{Decision, Guardrail, Recommendation};
use crate::model::event::Event;
use crate::model::joint::Joint;
use crate::model::notification::Notification;
use crate::model::operation::{Operation, Outcome, PlanKind};
use crate::model::trigger::{Finding, Severity};
use crate::model::{ChannelName, OperationId, ServiceName};

use super::core::Work;
use super::input::Effect;
use super::state::Told;
use crate::templates::{Kind, Rendered};

/// After this people are told the same again, if it still comes up. What an operation does is always told.
const TELL_AGAIN: Duration = Duration::from_secs(300);

/// An operation has begun.
pub(super) fn operation_started(work: &mut Work<'_>, operation: &Operation) {
    let plan = &operation.plan;
    let (from, to) = (&plan.from.version, &plan.to.version);
    let (topic, words) = match plan.kind {
        PlanKind::RollBack => {
            let words = format!(
                "{}: rolling back from {from} to {to} ({}), started by {}: {}",
                plan.service,
                plan.strategy.word(),
                operation.by,
                operation.reason
            );
            let own = values::rollback_started(work, operation);
            let rendered = values::rendered(work, Kind::RollbackStarted, own, &words);
            let facts = facts(operation);
            return queue(work, "rollback-started", Severity::High, Some(&plan.service), &rendered, &facts);
        }
        PlanKind::Promote => {
            ("promotion-started", format!("promoting {to}, which gets all the traffic of {from}"))
        }
        PlanKind::Database { .. } => {
            let words = format!("{}, started by {}: {}", plan.purpose, operation.by, operation.reason);
            let (topic, facts) = ("database-change-started", facts(operation));
            return queue(work, topic, Severity::High, Some(&plan.service), &plain(words), &facts);
        }
        // It is one step: people are told how it ended.
        PlanKind::Maintenance { .. } | PlanKind::Scale { .. } | PlanKind::CleanUp => return,
        PlanKind::Deploy { how } => {
            let words = format!(
                "{}: deploying {to} in place of {from} ({}), started by {}: {}",
                plan.service,
                how.word(),
                operation.by,
                operation.reason
            );
            let facts = facts(operation);
            let topic = "deployment-started";
            return queue(work, topic, Severity::Medium, Some(&plan.service), &plain(words), &facts);
        }
    };
    let text = format!("{}: {words}, started by {}: {}", plan.service, operation.by, operation.reason);
    queue(work, topic, Severity::High, Some(&plan.service), &plain(text), &facts(operation));
}

/// An operation has ended.
pub(super) fn operation_ended(work: &mut Work<'_>, operation: &Operation, outcome: Outcome, detail: &str) {
    let is_deployment = matches!(operation.plan.kind, PlanKind::Deploy { .. });
    let severity = match outcome {
        Outcome::Verified | Outcome::Cancelled if is_deployment => Severity::Medium,
        // It goes back by itself; how that ended is said then.
        Outcome::NotRecovered | Outcome::Failed if is_deployment => Severity::High,
        // It costs money, and nobody is hurt.
        _ if operation.plan.kind == PlanKind::CleanUp => Severity::Low,
        Outcome::Verified | Outcome::Cancelled => Severity::High,
        Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => Severity::Critical,
    };
    let (topic, lead) = match operation.plan.kind {
        PlanKind::RollBack => (
            "rollback-ended",
            match outcome {
                Outcome::Verified => "rollback verified",
                Outcome::NotRecovered => "rolled back but NOT recovered, a person is needed",
                Outcome::Unverified => "rolled back but not verified, a person has to look",
                Outcome::Failed => "rollback FAILED, a person is needed",
                Outcome::Cancelled => "rollback cancelled",
            },
        ),
        PlanKind::Promote => (
            "promotion-ended",
            match outcome {
                Outcome::Verified => "promotion verified",
                Outcome::NotRecovered => "promoted and NOT healthy, a person has to decide",
                Outcome::Unverified => "promoted but not verified, a person has to look",
                Outcome::Failed => "promotion FAILED, a person is needed",
                Outcome::Cancelled => "promotion cancelled",
            },
        ),
        PlanKind::Deploy { .. } => (
            "deployment-ended",
            match outcome {
                Outcome::Verified => "deployment verified",
                Outcome::NotRecovered => "deployed and NOT healthy",
                Outcome::Unverified => "deployed but not verified, a person has to look",
                Outcome::Failed => "deployment FAILED",
                Outcome::Cancelled => "deployment cancelled",
            },
        ),
        PlanKind::Database { .. } => (
            "database-change-ended",
            match outcome {
                Outcome::Verified => "database changed",
                Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => {
                    "change of the database FAILED, a person is needed"
                }
                Outcome::Cancelled => "change of the database cancelled",
            },
        ),
        PlanKind::Scale { .. } => (
            "scaling-ended",
            match outcome {
                Outcome::Verified => "scaled",
                Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => {
                    "scaling FAILED, a person is needed"
                }
                Outcome::Cancelled => "scaling cancelled",
            },
        ),
        PlanKind::CleanUp => (
            "clean-up-ended",
            match outcome {
                Outcome::Verified => "cleaned up",
                Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => {
                    "clean-up FAILED: something is left running"
                }
                Outcome::Cancelled => "clean-up cancelled",
            },
        ),
        PlanKind::Maintenance { .. } => (
            "maintenance-ended",
            match outcome {
                Outcome::Verified => "maintenance",
                Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => {
                    "maintenance FAILED, a person is needed"
                }
                Outcome::Cancelled => "maintenance cancelled",
            },
        ),
    };
    let asked = match operation.plan.kind {
        // Nobody was told when it began.
        PlanKind::Maintenance { .. } | PlanKind::Scale { .. } | PlanKind::CleanUp => {
            format!(", asked for by {}: {}", operation.by, operation.reason)
        }
        PlanKind::RollBack | PlanKind::Promote | PlanKind::Deploy { .. } | PlanKind::Database { .. } => {
            String::new()
        }
    };
    let text = format!("{}: {lead}: {detail}{asked}", operation.plan.service);
    let mut facts = facts(operation);
    facts.insert("outcome".to_owned(), outcome.words().to_owned());
    queue(work, topic, severity, Some(&operation.plan.service), &plain(text), &facts);
}

/// Services that changed together have come to an end.
pub(super) fn joint_ended(work: &mut Work<'_>, joint: &Joint, outcome: Outcome, detail: &str) {
    let severity = match outcome {
        Outcome::Verified | Outcome::Cancelled => Severity::Medium,
        Outcome::NotRecovered | Outcome::Unverified | Outcome::Failed => Severity::Critical,
    };
    let text = format!("{} ({}) {}: {detail}", joint.id, joint.kind.noun(), outcome.words());
    let facts = BTreeMap::from([
        ("joint".to_owned(), joint.id.to_string()),
        ("outcome".to_owned(), outcome.words().to_owned()),
    ]);
    queue(work, "joint-ended", severity, None, &plain(text), &facts);
}

/// A deployment did not come to its end and cannot be taken back.
pub(super) fn no_way_back(work: &mut Work<'_>, operation: &Operation, why: &str) {
    let text = format!(
        "{}: {} has moved traffic and CANNOT GO BACK by itself, a person is needed: {why}",
        operation.plan.service, operation.id
    );
    let facts = facts(operation);
    queue(work, "deployment-stuck", Severity::Critical, Some(&operation.plan.service), &plain(text), &facts);
}

/// A person holds an operation.
pub(super) fn operation_paused(work: &mut Work<'_>, id: &OperationId) {
    let Some(operation) = work.state.operations.get(id).cloned() else { return };
    let Some(paused) = &operation.paused else { return };
    held(work, &operation, "operation-paused", "paused", &paused.by, &paused.reason);
}

/// A person lets an operation go on.
pub(super) fn operation_resumed(work: &mut Work<'_>, id: &OperationId, by: &Actor, reason: &str) {
    if let Some(operation) = work.state.operations.get(id).cloned() {
        held(work, &operation, "operation-resumed", "resumed", by, reason);
    }
}

fn held(work: &mut Work<'_>, operation: &Operation, topic: &str, word: &str, by: &Actor, reason: &str) {
    let plan = &operation.plan;
    let text = format!("{}: {} {} {word} by {by}: {reason}", plan.service, plan.kind.noun(), operation.id);
    queue(work, topic, Severity::High, Some(&plan.service), &plain(text), &facts(operation));
}

/// A person has to say what happened.
pub(super) fn decision_needed(work: &mut Work<'_>, operation: &Operation, known: &str) {
    let words = format!("{}: a person has to decide in {}: {known}", operation.plan.service, operation.id);
    let rendered = values::rendered(work, Kind::Approval, values::approval(operation, known), &words);
    let facts = facts(operation);
    queue(work, "decision-needed", Severity::Critical, Some(&operation.plan.service), &rendered, &facts);
}

/// A decision that changed nothing, if people should hear of it: one that would have acted, or one that holds.
pub(super) fn decided(work: &mut Work<'_>, decision: &Decision) {
    let blocking: Vec<_> = decision.guardrails.iter().filter(|check| check.blocks()).collect();
    let because = || {
        let details = blocking.iter().map(|check| format!("{}: {}", check.guardrail.word(), check.detail));
        details.collect::<Vec<_>>().join("; ")
    };
    let (topic, text) = match decision.recommendation {
        Recommendation::Watch => {
            if decision.findings.is_empty() {
                return;
            }
            ("watching", format!("{}: watching: {}", decision.service, decision.reasons.join("; ")))
        }
        Recommendation::Hold => {
            let why = if decision.reasons.is_empty() { &decision.unknowns } else { &decision.reasons };
            ("held", format!("{}: holding: {}", decision.service, why.join("; ")))
        }
        _ if blocking.iter().all(|check| check.guardrail == Guardrail::Busy) => return,
        recommendation => (
            if recommendation.rolls_back() { "rollback-recommended" } else { "scale-out-recommended" },
            format!("{}: would {}, but {}", decision.service, recommendation.words(), because()),
        ),
    };
    let mut facts = BTreeMap::from([
        ("decision".to_owned(), decision.id.to_string()),
        ("confidence".to_owned(), format!("{:.2}", decision.confidence)),
    ]);
    let triggers: BTreeSet<_> = decision.findings.iter().map(|finding| finding.trigger.as_str()).collect();
    if !triggers.is_empty() {
        facts.insert("triggers".to_owned(), Vec::from_iter(triggers).join(", "));
    }
    if !blocking.is_empty() {
        let words: Vec<_> = blocking.iter().map(|check| check.guardrail.word()).collect();
        facts.insert("guardrails".to_owned(), words.join(", "));
    }
    let severity = Work::severity(decision);
    if was_told(work, topic, Some(&decision.service), &facts) {
        return;
    }
    let worst = decision.findings.iter().max_by_key(|finding| finding.severity);
    let rendered = match (decision.recommendation, worst) {
        (Recommendation::Watch, Some(worst)) => {
            let own = values::degraded(work, decision, worst);
            values::rendered(work, Kind::PerformanceDegraded, own, &text)
        }
        _ => plain(text),
    };
    queue(work, topic, severity, Some(&decision.service), &rendered, &facts);
}

/// Something is wrong over the whole environment. Nobody's release may be to blame, and then no decision tells of it.
pub(super) fn environment_finding(work: &mut Work<'_>, finding: &Finding) {
    let environment = work.config().environment.name.clone();
    let text = format!("{environment}: {}: {}", finding.trigger, finding.evidence.told());
    let facts = BTreeMap::from([("triggers".to_owned(), finding.trigger.to_string())]);
    if !was_told(work, "finding-raised", None, &facts) {
        queue(work, "finding-raised", finding.severity, None, &plain(text), &facts);
    }
}

/// Something concerns the whole environment, whatever its services do.
pub(super) fn of_environment(work: &mut Work<'_>, topic: &str, severity: Severity, text: &str) {
    queue(work, topic, severity, None, &plain(text.to_owned()), &BTreeMap::new());
}

/// Whether people were told the same only just: a value that wanders about its limit is no news at every reading.
fn was_told(
    work: &Work<'_>,
    topic: &str,
    service: Option<&ServiceName>,
    facts: &BTreeMap<String, String>,
) -> bool {
    let at = work.state.told.get(&Told::of(topic, service, facts));
    at.is_some_and(|at| *at > work.now || work.now.duration_since(*at).unsigned_abs() < TELL_AGAIN)
}

/// A decision to act that no plan can be made for.
pub(super) fn cannot_plan(work: &mut Work<'_>, decision: &Decision, reason: &str) {
    let what = if decision.recommendation.rolls_back() { "roll back" } else { "scale out" };
    let text = format!("{}: cannot {what}: {reason}; a person is needed", decision.service);
    queue(
        work,
        "rollback-impossible",
        Severity::Critical,
        Some(&decision.service),
        &plain(text),
        &BTreeMap::new(),
    );
}

fn facts(operation: &Operation) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("operation".to_owned(), operation.id.to_string()),
        ("from".to_owned(), operation.plan.from.version.to_string()),
        ("to".to_owned(), operation.plan.to.version.to_string()),
        ("by".to_owned(), operation.by.to_string()),
    ])
}

/// Words that no template is for.
const fn plain(text: String) -> Rendered {
    Rendered { subject: None, text }
}

fn queue(
    work: &mut Work<'_>,
    topic: &str,
    severity: Severity,
    service: Option<&ServiceName>,
    told: &Rendered,
    facts: &BTreeMap<String, String>,
) {
    for channel in listening(work.config(), severity) {
        queue_to(work, channel, |notification| Notification {
            topic: topic.to_owned(),
            severity,
            service: service.cloned(),
            text: told.text.clone(),
            subject: told.subject.clone(),
            facts: facts.clone(),
            ..notification
        });
    }
}

/// The channels that are told what is so urgent.
fn listening(config: &Config, severity: Severity) -> Vec<ChannelName> {
    let channels = config.channels.iter();
    channels.filter(|(_, spec)| spec.least_severity() <= severity).map(|(name, _)| name.clone()).collect()
}

/// Puts a message for a channel into the outbox.
fn queue_to(work: &mut Work<'_>, channel: ChannelName, fill: impl FnOnce(Notification) -> Notification) {
    let environment = work.config().environment.name.clone();
    // Unique across journals: it names the millisecond.
    let id = format!("{environment}-{}-{}", work.state.counts.notifications + 1, work.now.as_millisecond());
    let mut notification = fill(Notification::new(
        id,
        channel,
        String::new(),
        Severity::Low,
        environment,
        String::new(),
        work.now,
    ));
    notification.drill |= work.settings.drill;
    work.emit(Event::NotificationQueued { notification: notification.clone() });
    match notification.held_back.clone() {
        Some(reason) => work.emit(Event::NotificationSuppressed { notification: notification.id, reason }),
        None => work.effects.push(Effect::Notify(notification)),
    }
}
