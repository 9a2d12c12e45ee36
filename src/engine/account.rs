//! The readable account: what an event says, in the words that every face uses.
//!
//! Pure: made from an event and the state when somebody looks, stored nowhere.

mod incident;
mod received;

use std::fmt::Write as _;

use crate::model::baseline::Baseline;
use crate::model::breaker::{BreakerState, BreakerStatus, Dependency};
use crate::model::command::Settlement;
use crate::model::decision::{Decision, GuardrailCheck, Recommendation};
use crate::model::event::Event;
use crate::model::joint::{JointChange, PartState};
use crate::model::operation::{Outcome, Plan, PlanKind, watched_words};
use crate::model::received::ReceivedChange;
use crate::model::release::{Arm, Inventory, Quality};
use crate::model::trigger::{Finding, Severity, Verdict};
use crate::model::units::human;
use crate::model::{JointId, OperationId, ServiceName};

use super::history::HistoryKind;
use super::state::State;

/// What an event says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The service that it is about, if it is about one.
    pub service: Option<ServiceName>,
    /// The arm of the service, if it is about one alone.
    pub arm: Option<Arm>,
    /// Whether the words need to be told whom they are about.
    needs_subject: bool,
    /// What happened.
    pub words: String,
    /// What is behind it, a line each; empty for most.
    pub because: Vec<String>,
    /// Whether it is good or bad news.
    pub mood: Mood,
}

/// Whether something is good or bad news.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    /// Neither.
    Plain,
    /// Something is being done, or asked for.
    Acts,
    /// Something is well, or done.
    Good,
    /// Something to look at.
    Wary,
    /// Something is wrong.
    Bad,
    /// Nobody knows.
    Unknown,
}

impl Told {
    fn new(mood: Mood, words: impl Into<String>) -> Self {
        let because = Vec::new();
        Self { service: None, arm: None, needs_subject: false, words: words.into(), because, mood }
    }

    /// About a service; without one, about all of them.
    fn on(service: Option<&ServiceName>, mood: Mood, words: impl Into<String>) -> Self {
        Self { service: service.cloned(), needs_subject: true, ..Self::new(mood, words) }
    }

    /// About an operation, whose name is in the words.
    fn of(state: &State, operation: &OperationId, mood: Mood, words: impl Into<String>) -> Self {
        let service = state.operation(operation).map(|operation| operation.plan.service.clone());
        Self { service, ..Self::new(mood, words) }
    }

    /// The words with whom they are about, for a line of its own: `checkout canary: failing: errors 7.1 % > 5 %`.
    pub fn sentence(&self) -> String {
        if !self.needs_subject {
            return self.words.clone();
        }
        let service = self.service.as_ref().map_or("everything", ServiceName::as_str);
        let arm = self.arm.map_or_else(String::new, |arm| format!(" {arm}"));
        format!("{service}{arm}: {}", self.words)
    }

    /// The words for a line that has the service in a column: `canary: failing: errors 7.1 % > 5 %`.
    pub fn beside_service(&self) -> String {
        match self.arm {
            Some(arm) => format!("{arm}: {}", self.words),
            None => self.words.clone(),
        }
    }
}

/// Whether an event says again what another one has said: the verdict of an arm of a service that has only this one.
/// `has_canary` is asked for how a service is when the event comes.
pub fn is_repetition(event: &Event, has_canary: impl FnOnce(&ServiceName) -> bool) -> bool {
    matches!(event, Event::VerdictChanged { service, arm: Some(_), .. } if !has_canary(service))
}

/// Whether an event is only bookkeeping, of which nothing is told.
pub const fn is_bookkeeping(event: &Event) -> bool {
    matches!(
        event,
        Event::NotificationQueued { .. }
            | Event::NotificationSent { .. }
            | Event::AlarmChanged { change: ReceivedChange::Fresh | ReceivedChange::Opened { .. }, .. }
    )
}

/// What happens to services that change together.
fn joint_told(id: &JointId, change: &JointChange, state: &State) -> Told {
    match change {
        JointChange::Planned { kind, parts, by, reason, .. } => {
            let parts = parts.iter().map(|part| match &part.version {
                Some(version) => format!("{} {version}", part.service),
                None => part.service.to_string(),
            });
            let parts = parts.collect::<Vec<_>>().join(", then ");
            Told::new(Mood::Acts, format!("{id} planned by {by}: {}: {parts}: {reason}", kind.noun()))
        }
        JointChange::Part { part, to } => {
            let joint = state.joints.get(id);
            let part = joint.and_then(|joint| joint.parts.get(*part));
            let mood = match to {
                PartState::Failed { .. } | PartState::NotBack { .. } => Mood::Bad,
                PartState::Done { .. } | PartState::Back { .. } => Mood::Good,
                _ => Mood::Acts,
            };
            let operation = to.operation().map_or_else(String::new, |operation| format!(" ({operation})"));
            let reason = to.reason().map_or_else(String::new, |reason| format!(": {reason}"));
            let service = part.map(|part| part.service.clone());
            let words = format!("{id}: {}{operation}{reason}", to.word());
            Told::on(service.as_ref(), mood, words)
        }
        JointChange::Turned { reason, .. } => {
            Told::new(Mood::Wary, format!("{id} goes no further: {reason}"))
        }
        JointChange::Ended { outcome, detail } => {
            Told::new(Mood::of_outcome(*outcome), format!("{id} {}: {detail}", outcome.words()))
        }
    }
}

/// What an event says; none for one that is only bookkeeping. `state` is one that knows the operations spoken of.
pub fn tell(event: &Event, state: &State) -> Option<Told> {
    Some(match event {
        Event::NotificationQueued { .. } | Event::NotificationSent { .. } => return None,
        Event::LeaderChanged { holder, .. } => Told::new(Mood::Plain, format!("{holder} leads")),
        Event::InventoryChanged { service, inventory } => {
            Told::on(Some(service), Mood::Plain, traffic(inventory))
        }
        Event::PlatformReadable { service, fault: Some(fault) } => {
            Told::on(Some(service), Mood::Wary, format!("the platform cannot be read: {fault}"))
        }
        Event::PlatformReadable { service, fault: None } => {
            Told::on(Some(service), Mood::Good, "the platform can be read again")
        }
        Event::SourceReadable { source, fault: Some(fault) } => {
            Told::new(Mood::Wary, format!("source {source} cannot be read: {fault}"))
        }
        Event::SourceReadable { source, fault: None } => {
            Told::new(Mood::Good, format!("source {source} can be read again"))
        }
        Event::BreakerChanged { dependency, breaker } => {
            let mood = if breaker.state == BreakerState::Open { Mood::Wary } else { Mood::Plain };
            let words = breaker_words(breaker);
            match dependency {
                Dependency::Source(source) => Told::new(mood, format!("source {source} {words}")),
                Dependency::Platform(service) => {
                    Told::on(Some(service), mood, format!("the platform {words}"))
                }
                Dependency::Channel(channel) => {
                    Told::new(mood, format!("channel {channel} {}", channel_words(breaker)))
                }
            }
        }
        Event::VerdictChanged { service, arm, verdict } => {
            Told { arm: *arm, ..Told::on(Some(service), Mood::of_verdict(verdict), verdict_words(verdict)) }
        }
        Event::FindingRaised { finding } => Told {
            arm: finding.arm,
            ..Told::on(finding.service.as_ref(), Mood::of_severity(finding.severity), raised(finding))
        },
        Event::FindingCleared { finding, reason } => {
            Told::new(Mood::Good, format!("finding {finding} cleared: {reason}"))
        }
        Event::DecisionMade { decision } => Told {
            because: behind(decision),
            ..Told::on(
                Some(&decision.service),
                Mood::of_recommendation(decision.recommendation),
                decided(decision),
            )
        },
        Event::CommandAccepted { envelope } => {
            Told::new(Mood::Plain, format!("{} asked to {}: taken up", envelope.by, envelope.command.verb()))
        }
        Event::CommandRefused { envelope, reason, .. } => Told::new(
            Mood::Wary,
            format!("{} asked to {}: refused: {reason}", envelope.by, envelope.command.verb()),
        ),
        Event::GuardrailOverridden { by, taken, .. } => {
            Told::new(Mood::Wary, format!("{by} overrides {}: {}", taken.guardrail.word(), taken.reason))
        }
        Event::ReleaseMarked { service, version, quality, reason, .. } => Told::on(
            Some(service),
            Mood::of_quality(*quality),
            format!("{version} is {}: {reason}", quality.word()),
        ),
        Event::FreezeSet { service, by, reason, .. } => {
            Told::on(service.as_ref(), Mood::Wary, format!("frozen by {by}: {reason}"))
        }
        Event::FreezeLifted { service, by, reason } => {
            Told::on(service.as_ref(), Mood::Plain, format!("freeze lifted by {by}: {reason}"))
        }
        Event::AutomaticSet { on, by, reason } => {
            let (mood, how) = if *on { (Mood::Plain, "on") } else { (Mood::Wary, "off") };
            Told::new(mood, format!("automatic action is {how}, says {by}: {reason}"))
        }
        Event::BaselineRecorded { service, baseline, reason } => {
            let Baseline { version, by, figures, .. } = baseline;
            let text = match figures.len() {
                1 => format!("baseline of {version} recorded by {by}, 1 indicator: {reason}"),
                many => format!("baseline of {version} recorded by {by}, {many} indicators: {reason}"),
            };
            Told::on(Some(service), Mood::Plain, text)
        }
        Event::BaselineForgotten { service, by, reason } => {
            Told::on(Some(service), Mood::Plain, format!("baseline forgotten by {by}: {reason}"))
        }
        Event::ReleaseWatched { operation, service, version, window, verdict, raised, .. } => {
            let mood = if raised.is_empty() { Mood::of_verdict(verdict) } else { Mood::Wary };
            let text = format!(
                "{version} ({operation}) after {}: {}",
                human(**window),
                watched_words(verdict, raised)
            );
            Told::on(Some(service), mood, text)
        }
        Event::JointChanged { joint, change } => joint_told(joint, change, state),
        Event::CountReset { service, by, reason } => {
            Told::on(Some(service), Mood::Plain, format!("count of rollbacks reset by {by}: {reason}"))
        }
        Event::NotificationFailed { notification, reason } => {
            Told::new(Mood::Wary, format!("message {notification} was not accepted: {reason}"))
        }
        Event::NotificationSuppressed { notification, reason } => {
            Told::new(Mood::Plain, format!("message {notification} was left out: {reason}"))
        }
        Event::AlarmChanged { alarm, change } => return received::alarm(alarm, change, state),
        Event::OperationPlanned { .. }
        | Event::StepStarted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepRetried { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepUnknown { .. }
        | Event::TrafficBack { .. }
        | Event::DecisionNeeded { .. }
        | Event::DecisionSettled { .. }
        | Event::CancelRequested { .. }
        | Event::OperationPaused { .. }
        | Event::OperationResumed { .. }
        | Event::OperationEnded { .. } => return operation(event, state),
        Event::IncidentOpened { .. }
        | Event::IncidentJoined { .. }
        | Event::IncidentAcknowledged { .. }
        | Event::ChecklistTicked { .. }
        | Event::IncidentLevelSet { .. }
        | Event::IncidentNoted { .. }
        | Event::IncidentResolved { .. }
        | Event::IncidentChanged { .. }
        | Event::EscalationChanged { .. }
        | Event::ChecklistChanged { .. } => return incident::incident(event),
    })
}

/// What an event of an operation says.
fn operation(event: &Event, state: &State) -> Option<Told> {
    let of = |operation, mood, words: String| Told::of(state, operation, mood, words);
    // `op-3 step 2 of 4, shift traffic:`
    let step = |operation: &OperationId, index: usize| {
        let plan = state.operation(operation).map(|operation| &operation.plan);
        format!("{operation} {}", step_words(plan, index))
    };
    Some(match event {
        Event::OperationPlanned { operation, plan, by, .. } => Told::on(
            Some(&plan.service),
            Mood::Acts,
            format!("{operation} begins, asked for by {by}: {}, {} steps", plan.purpose, plan.steps.len()),
        ),
        Event::StepStarted { operation, step: index, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            of(operation, Mood::Acts, format!("{} started{again}", step(operation, *index)))
        }
        Event::StepSucceeded { operation, step: index, adopted, detail } => {
            let how = if *adopted { "found done" } else { "done" };
            of(operation, Mood::Good, format!("{} {how}: {detail}", step(operation, *index)))
        }
        Event::StepRetried { operation, step: index, reason, .. } => {
            of(operation, Mood::Wary, format!("{} will be tried again: {reason}", step(operation, *index)))
        }
        Event::StepFailed { operation, step: index, reason } => {
            of(operation, Mood::Bad, format!("{} FAILED: {reason}", step(operation, *index)))
        }
        Event::StepSkipped { operation, step: index, reason } => {
            of(operation, Mood::Plain, format!("{} skipped: {reason}", step(operation, *index)))
        }
        Event::StepUnknown { operation, step: index } => of(
            operation,
            Mood::Unknown,
            format!(
                "{} the process that began it is gone; looking whether it has happened",
                step(operation, *index)
            ),
        ),
        Event::TrafficBack { operation, .. } => {
            let plan = &state.operation(operation)?.plan;
            let back = if plan.kind == PlanKind::RollBack { "back " } else { "" };
            Told::on(Some(&plan.service), Mood::Good, format!("all traffic is {back}on {}", plan.to.version))
        }
        Event::DecisionNeeded { operation, facts, .. } => {
            of(operation, Mood::Bad, format!("{operation} NEEDS A DECISION: {facts}"))
        }
        Event::DecisionSettled { operation, choice, by, reason } => {
            let choice = match choice {
                Settlement::Retry => "retry",
                Settlement::Done => "done",
                Settlement::Abort => "abort",
            };
            of(operation, Mood::Plain, format!("{operation}: {by} says {choice}: {reason}"))
        }
        Event::CancelRequested { operation, by, reason, rollback: Some(_), .. } => {
            of(operation, Mood::Wary, format!("{operation}: {by} takes the release back: {reason}"))
        }
        Event::CancelRequested { operation, by, reason, .. } => {
            of(operation, Mood::Wary, format!("{operation}: {by} asks to stop: {reason}"))
        }
        Event::OperationPaused { operation, by, reason } => {
            of(operation, Mood::Wary, format!("{operation}: paused by {by}: {reason}"))
        }
        Event::OperationResumed { operation, by, reason } => {
            of(operation, Mood::Acts, format!("{operation}: resumed by {by}: {reason}"))
        }
        Event::OperationEnded { operation, outcome, detail } => of(
            operation,
            Mood::of_outcome(*outcome),
            format!("{operation} ended: {}: {detail}", outcome_words(*outcome)),
        ),
        _ => return None,
    })
}

impl Mood {
    /// The news of a verdict.
    pub const fn of_verdict(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Healthy => Self::Good,
            Verdict::Degraded { .. } => Self::Wary,
            Verdict::Failing { .. } => Self::Bad,
            Verdict::Unknown { .. } => Self::Unknown,
        }
    }

    /// The news of a finding.
    pub const fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Low | Severity::Medium => Self::Wary,
            Severity::High | Severity::Critical => Self::Bad,
        }
    }

    /// The news of a recommendation.
    pub const fn of_recommendation(recommendation: Recommendation) -> Self {
        match recommendation {
            Recommendation::Watch => Self::Plain,
            Recommendation::Hold | Recommendation::ScaleOut => Self::Wary,
            Recommendation::RollBackGradually | Recommendation::RollBackImmediately => Self::Bad,
        }
    }

    /// The news of a release's quality.
    pub const fn of_quality(quality: Quality) -> Self {
        match quality {
            Quality::Good => Self::Good,
            Quality::Bad => Self::Bad,
            Quality::Unknown => Self::Unknown,
        }
    }

    /// The news of an outcome.
    pub const fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::Good,
            Outcome::Cancelled => Self::Wary,
            Outcome::Unverified => Self::Unknown,
            Outcome::NotRecovered | Outcome::Failed => Self::Bad,
        }
    }
}

fn raised(finding: &Finding) -> String {
    let told = finding.evidence.told();
    format!("{} finding {}: {}: {told}", finding.severity.word(), finding.id, finding.trigger)
}

fn decided(decision: &Decision) -> String {
    let would = if decision.guardrails.iter().any(GuardrailCheck::blocks) { "WOULD " } else { "" };
    let mut words =
        format!("{} decides: {would}{}", decision.id, decision.recommendation.words().to_uppercase());
    if decision.recommendation.rolls_back() {
        if let Some(to) = &decision.to {
            let _ = write!(words, " to {}", to.version);
        }
        let _ = write!(words, ", confidence {:.2}", decision.confidence);
    }
    words
}

/// What forbids what was decided, and why it was decided.
fn behind(decision: &Decision) -> Vec<String> {
    let blocking = decision.guardrails.iter().filter(|check| check.blocks());
    let blocking =
        blocking.map(|check| format!("but {} forbids it: {}", check.guardrail.word(), check.detail));
    let why = if decision.reasons.is_empty() { &decision.unknowns } else { &decision.reasons };
    blocking.chain(why.iter().map(|reason| format!("because {reason}"))).collect()
}

fn step_words(plan: Option<&Plan>, index: usize) -> String {
    let found = plan.and_then(|plan| Some((plan.steps.len(), plan.steps.get(index)?)));
    match found {
        Some((total, step)) => format!("step {} of {total}, {}:", index + 1, step.title),
        None => format!("step {}:", index + 1),
    }
}

/// Where the traffic goes: `2.8.0 stable 80 %, 2.8.1 canary 20 %`.
pub fn traffic(inventory: &Inventory) -> String {
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

/// What a breaker does, without times of day: `is left alone for up to 5 s (breaker open): refused`.
pub fn breaker_words(breaker: &BreakerStatus) -> String {
    match breaker.state {
        BreakerState::Closed => "is read as usual (breaker closed)".to_owned(),
        BreakerState::HalfOpen => "answers and is tried (breaker half-open)".to_owned(),
        BreakerState::Open => {
            let pause = breaker.pause.map_or_else(|| "a while".to_owned(), |pause| human(*pause));
            format!("is left alone for up to {pause} (breaker open): {}", breaker.reason)
        }
    }
}

/// The breaker of a channel, as a sentence goes on after its name.
pub fn channel_words(breaker: &BreakerStatus) -> String {
    match (breaker.state, breaker.pause) {
        (BreakerState::Closed, _) => "takes messages as usual (breaker closed)".to_owned(),
        (BreakerState::HalfOpen, _) => "is tried with one message (breaker half-open)".to_owned(),
        (BreakerState::Open, Some(pause)) => {
            format!("is left alone for up to {} (breaker open): {}", human(*pause), breaker.reason)
        }
        // It answered; what was configured is not what is there.
        (BreakerState::Open, None) => format!("refuses messages; check its config: {}", breaker.reason),
    }
}

/// A verdict with its first reason.
pub fn verdict_words(verdict: &Verdict) -> String {
    match verdict.reasons() {
        [] => verdict.word().to_owned(),
        [first] => format!("{}: {first}", verdict.word()),
        [first, rest @ ..] => format!("{}: {first} (and {} more)", verdict.word(), rest.len()),
    }
}

/// An outcome, so that a bad one stands out.
pub fn outcome_words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Verified => outcome.words().to_owned(),
        _ => outcome.words().to_uppercase(),
    }
}

/// What happened to a release: `canary at 20 %`, `rolled back to 2.8.0 by kim, op-3 verified: …`.
pub fn happened(kind: &HistoryKind) -> String {
    match kind {
        HistoryKind::CanaryStarted { percent } => format!("canary at {percent} %"),
        HistoryKind::BecameStable => "stable".to_owned(),
        HistoryKind::Withdrawn => "withdrawn".to_owned(),
        HistoryKind::RolledBack { operation, to, outcome, by, reason, .. } => {
            let outcome = outcome.map_or("going on", Outcome::words);
            format!("rolled back to {to} by {by}, {operation} {outcome}: {reason}")
        }
        HistoryKind::Promoted { operation, outcome, by, reason } => {
            let outcome = outcome.map_or("going on", Outcome::words);
            format!("promoted by {by}, {operation} {outcome}: {reason}")
        }
    }
}
