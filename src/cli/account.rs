//! The readable account: one line for an event, in the words that the console and the reports use too.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::engine::State;
use crate::engine::runtime::Entry;
use crate::model::event::Event;
use crate::model::incident::Ticked;
use crate::model::operation::{Operation, Outcome, PlanKind, Step};
use crate::model::release::{Arm, Inventory};
use crate::model::trigger::Verdict;
use crate::model::{OperationId, ServiceName};

/// The time of day with milliseconds, in the local zone.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string()
}

/// The date and time to the second, in the local zone.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A line for an event, or none for one that is only bookkeeping. `state` is the state after the event.
pub(crate) fn line(entry: &Entry, state: &State) -> Option<String> {
    let words = words(&entry.event, state)?;
    Some(format!("{}  {words}", clock(entry.at)))
}

fn words(event: &Event, state: &State) -> Option<String> {
    Some(match event {
        Event::LeaderChanged { holder, .. } => format!("{holder} leads"),
        Event::InventoryChanged { service, inventory } => format!("{service}: {}", traffic(inventory)),
        Event::PlatformReadable { service, fault: Some(fault) } => {
            format!("{service}: the platform cannot be read: {fault}")
        }
        Event::PlatformReadable { service, fault: None } => {
            format!("{service}: the platform can be read again")
        }
        Event::SourceReadable { source, fault: Some(fault) } => {
            format!("source {source} cannot be read: {fault}")
        }
        Event::SourceReadable { source, fault: None } => format!("source {source} can be read again"),
        Event::VerdictChanged { service, arm, verdict } => {
            // With one arm, the arm's verdict says the same again.
            let is_told =
                arm.is_none() || state.service(service).is_some_and(|known| known.canary().is_some());
            if !is_told {
                return None;
            }
            let whom = arm.map_or_else(String::new, |arm| format!(" {arm}"));
            format!("{service}{whom}: {}", verdict_words(verdict))
        }
        Event::FindingRaised { finding } => format!(
            "{}{}: {} finding {}: {}: {}, {}",
            service_name(finding.service.as_ref()),
            arm_name(finding.arm),
            finding.severity.word(),
            finding.id,
            finding.trigger,
            finding.evidence.query,
            finding.evidence.line()
        ),
        Event::FindingCleared { finding, reason } => format!("finding {finding} cleared: {reason}"),
        Event::DecisionMade { decision } => {
            let blocking: Vec<_> = decision.guardrails.iter().filter(|check| check.blocks()).collect();
            let would = if blocking.is_empty() { "" } else { "WOULD " };
            let mut words = format!(
                "{}: {} decides: {would}{}",
                decision.service,
                decision.id,
                decision.recommendation.words().to_uppercase()
            );
            if decision.recommendation.acts() {
                if let Some(to) = &decision.to {
                    let _ = write!(words, " to {}", to.version);
                }
                let _ = write!(words, ", confidence {:.2}", decision.confidence);
            }
            for check in blocking {
                let _ = write!(
                    words,
                    "\n              but {} forbids it: {}",
                    check.guardrail.word(),
                    check.detail
                );
            }
            let why = if decision.reasons.is_empty() { &decision.unknowns } else { &decision.reasons };
            for reason in why {
                let _ = write!(words, "\n              because {reason}");
            }
            words
        }
        Event::CommandAccepted { envelope } => {
            format!("{} asked to {}: taken up", envelope.by, envelope.command.verb())
        }
        Event::CommandRefused { envelope, reason, .. } => {
            format!("{} asked to {}: refused: {reason}", envelope.by, envelope.command.verb())
        }
        Event::GuardrailOverridden { by, taken, .. } => {
            format!("{by} overrides {}: {}", taken.guardrail.word(), taken.reason)
        }
        Event::OperationPlanned { operation, plan, by, .. } => {
            format!(
                "{}: {operation} begins, asked for by {by}: {}, {} steps",
                plan.service,
                plan.purpose,
                plan.steps.len()
            )
        }
        Event::StepStarted { operation, step, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            format!("{operation} {} started{again}", step_words(state, operation, *step))
        }
        Event::StepSucceeded { operation, step, adopted, detail } => {
            let how = if *adopted { "found done" } else { "done" };
            format!("{operation} {} {how}: {detail}", step_words(state, operation, *step))
        }
        Event::StepRetried { operation, step, reason, .. } => {
            format!("{operation} {} will be tried again: {reason}", step_words(state, operation, *step))
        }
        Event::StepFailed { operation, step, reason } => {
            format!("{operation} {} FAILED: {reason}", step_words(state, operation, *step))
        }
        Event::StepSkipped { operation, step, reason } => {
            format!("{operation} {} skipped: {reason}", step_words(state, operation, *step))
        }
        Event::StepUnknown { operation, step } => format!(
            "{operation} {}: the process that began it is gone; looking whether it has happened",
            step_words(state, operation, *step)
        ),
        Event::TrafficBack { operation, .. } => {
            let plan = &state.operation(operation)?.plan;
            let back = if plan.kind == PlanKind::RollBack { "back " } else { "" };
            format!("{}: all traffic is {back}on {}", plan.service, plan.to.version)
        }
        Event::DecisionNeeded { operation, facts, .. } => format!("{operation} NEEDS A DECISION: {facts}"),
        Event::DecisionSettled { operation, choice, by, reason } => {
            format!("{operation}: {by} says {}: {reason}", format!("{choice:?}").to_lowercase())
        }
        Event::CancelRequested { operation, by, reason } => {
            format!("{operation}: {by} asks to stop: {reason}")
        }
        Event::OperationPaused { operation, by, reason } => {
            format!("{operation}: paused by {by}: {reason}")
        }
        Event::OperationResumed { operation, by, reason } => {
            format!("{operation}: resumed by {by}: {reason}")
        }
        Event::OperationEnded { operation, outcome, detail } => {
            format!("{operation} ended: {}: {detail}", outcome_words(*outcome))
        }
        Event::ReleaseMarked { service, version, quality, reason, .. } => {
            format!("{service}: {version} is {}: {reason}", quality.word())
        }
        Event::FreezeSet { service, by, reason, .. } => {
            format!("{}: frozen by {by}: {reason}", service_name(service.as_ref()))
        }
        Event::FreezeLifted { service, by, reason } => {
            format!("{}: freeze lifted by {by}: {reason}", service_name(service.as_ref()))
        }
        Event::AutomaticSet { on, by, reason } => {
            format!("automatic action is {}, says {by}: {reason}", if *on { "on" } else { "off" })
        }
        Event::CountReset { service, by, reason } => {
            format!("{service}: count of rollbacks reset by {by}: {reason}")
        }
        Event::IncidentOpened { incident, title, level, by, reason, .. } => {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!("{incident} {level} declared by {by}: {title}{why}")
        }
        Event::IncidentJoined { incident, service, reason } => {
            format!("{incident}: {service} is part of it: {reason}")
        }
        Event::IncidentAcknowledged { incident, by } => format!("{incident}: acknowledged by {by}"),
        Event::ChecklistTicked { incident, item, ticked, by, note } => {
            let how = match ticked {
                Some(Ticked::Done) => "ticked",
                Some(Ticked::NotApplicable) => "not applicable",
                None => "unticked",
            };
            let note = note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            format!("{incident}: {item} {how} by {by}{note}")
        }
        Event::IncidentLevelSet { incident, level, by, reason } => {
            format!("{incident}: is {level}, says {by}: {reason}")
        }
        Event::IncidentNoted { incident, by, text } => format!("{incident}: {by} notes: {text}"),
        Event::IncidentResolved { incident, by, reason } => {
            format!("{incident}: resolved by {by}: {reason}")
        }
        Event::NotificationFailed { notification, reason } => {
            format!("message {notification} was not delivered: {reason}")
        }
        Event::NotificationQueued { .. } | Event::NotificationSent { .. } => return None,
    })
}

fn service_name(service: Option<&ServiceName>) -> &str {
    service.map_or("everything", ServiceName::as_str)
}

fn arm_name(arm: Option<Arm>) -> String {
    arm.map_or_else(String::new, |arm| format!(" {arm}"))
}

fn step_words(state: &State, operation: &OperationId, index: usize) -> String {
    let step: Option<(&Operation, &Step)> =
        state.operation(operation).and_then(|operation| Some((operation, operation.plan.steps.get(index)?)));
    match step {
        Some((operation, step)) => {
            format!("step {} of {}, {}:", index + 1, operation.plan.steps.len(), step.title)
        }
        None => format!("step {}:", index + 1),
    }
}

/// Where the traffic goes: `2.8.0 stable 80 %, 2.8.1 canary 20 %`.
pub(crate) fn traffic(inventory: &Inventory) -> String {
    let shares: Vec<_> = inventory
        .traffic
        .iter()
        .filter(|share| share.percent > 0)
        .map(|share| {
            let version = inventory
                .release(&share.reference)
                .map_or(share.reference.as_str(), |release| release.version.as_str());
            format!("{version} {} {} %", share.arm, share.percent)
        })
        .collect();
    let mut words = if shares.is_empty() { "no traffic".to_owned() } else { shares.join(", ") };
    if inventory.maintenance == Some(true) {
        words.push_str(", maintenance page on");
    }
    if !inventory.settled {
        words.push_str(" (changing)");
    }
    words
}

/// A verdict with its first reasons.
pub(crate) fn verdict_words(verdict: &Verdict) -> String {
    let reasons = verdict.reasons();
    match reasons {
        [] => verdict.word().to_owned(),
        [first] => format!("{}: {first}", verdict.word()),
        [first, rest @ ..] => format!("{}: {first} (and {} more)", verdict.word(), rest.len()),
    }
}

/// An outcome, so that a bad one stands out in a log.
pub(crate) fn outcome_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Verified => outcome.words().to_owned(),
        _ => outcome.words().to_uppercase(),
    }
}
