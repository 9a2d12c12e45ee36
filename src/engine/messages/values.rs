//! What the placeholders of templates stand for, and the texts that come of them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::core::Work;
use crate::engine::incidents::{elapsed, status, whole};
use crate::engine::proposal;
use crate::engine::state::State;
use crate::model::ServiceName;
use crate::model::decision::Decision;
use crate::model::incident::Incident;
use crate::model::operation::{Operation, OperationStatus, Step, StepState};
use crate::model::trigger::Finding;
use crate::model::units::human;
use crate::templates::{Kind, Rendered, Templates, Values};

/// Fills the template of a kind in. A template that cannot be filled in keeps no message back: then it is `words`.
pub(super) fn rendered(work: &Work<'_>, kind: Kind, own: Values, words: &str) -> Rendered {
    let environment = &work.config().environment.name;
    fill(&work.settings.templates, environment, kind, own, work.now)
        .unwrap_or_else(|_| Rendered { subject: None, text: words.to_owned() })
}

/// Fills the template of a kind in.
///
/// # Errors
///
/// What cannot be filled in, in words.
pub fn fill(
    templates: &Templates,
    environment: &str,
    kind: Kind,
    own: Values,
    now: Timestamp,
) -> Result<Rendered, String> {
    let mut values = own;
    values.insert("environment", json!(environment));
    values.insert("time", json!(moment(now)));
    values.entry("drill").or_insert(json!(false));
    let template = templates.get(kind);
    template.ok_or_else(|| format!("there is no template `{}`", kind.name()))?.render(&values)
}

/// A moment as people read it: `2026-11-26 14:05 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn lasting(since: Timestamp, now: Timestamp) -> String {
    human(whole(elapsed(since, now)))
}

/// A rollback that has begun.
pub(super) fn rollback_started(work: &Work<'_>, operation: &Operation) -> Values {
    let plan = &operation.plan;
    let expected = proposal::expected(work.state, &plan.service, plan.kind, plan.strategy);
    let end = expected.and_then(|expected| operation.at.checked_add(expected.lasts).ok());
    let (done, next): (Vec<_>, Vec<_>) = plan
        .steps
        .iter()
        .zip(&operation.steps)
        .partition(|(_, state)| matches!(state, StepState::Succeeded { .. } | StepState::Skipped { .. }));
    let titles = |steps: Vec<(&Step, &StepState)>| {
        Value::from(steps.into_iter().map(|(step, _)| step.title.clone()).collect::<Vec<_>>())
    };
    let current = operation.current().and_then(|index| Some((index + 1, plan.steps.get(index)?)));
    let status = match current {
        Some((number, step)) => format!("step {number} of {}: {}", plan.steps.len(), step.title),
        None => plan.purpose.clone(),
    };
    BTreeMap::from([
        ("service", json!(plan.service)),
        ("reason", json!(operation.reason)),
        ("status", json!(status)),
        ("expected_end", json!(end.map(moment).unwrap_or_default())),
        ("actions_taken", titles(done)),
        ("next_steps", titles(next)),
        ("from", json!(plan.from.version)),
        ("to", json!(plan.to.version)),
        ("operation", json!(operation.id)),
        ("by", json!(operation.by.to_string())),
        ("strategy", json!(plan.strategy.word())),
    ])
}

/// A decision that only watches, by its worst finding.
pub(super) fn degraded(work: &Work<'_>, decision: &Decision, finding: &Finding) -> Values {
    let evidence = &finding.evidence;
    let unit = evidence.limit.unit;
    let arm = finding
        .arm
        .map_or_else(|| decision.service.to_string(), |arm| format!("the {arm} of {}", decision.service));
    let dashboard = work.config().services.get(&decision.service).and_then(|spec| spec.dashboard.clone());
    let findings: Vec<String> = decision
        .findings
        .iter()
        .map(|finding| format!("{}: {}", finding.trigger, finding.evidence.told()))
        .collect();
    BTreeMap::from([
        ("service", json!(decision.service)),
        ("metric", json!(evidence.query)),
        ("value", json!(evidence.value.map_or_else(|| "not known".to_owned(), |value| unit.show(value)))),
        ("threshold", json!(unit.show(evidence.limit.value))),
        ("duration", json!(lasting(finding.since, work.now))),
        ("remediation", json!("It is watched; nothing is changed")),
        ("impact", json!(format!("{arm}, {}", finding.severity.word()))),
        ("dashboard", json!(dashboard.unwrap_or_default())),
        ("findings", json!(findings)),
    ])
}

/// An operation that waits for a person.
pub(super) fn approval(operation: &Operation, known: &str) -> Values {
    BTreeMap::from([
        ("service", json!(operation.plan.service)),
        ("operation", json!(operation.id)),
        ("what", json!(operation.plan.purpose)),
        ("facts", json!(known)),
        ("by", json!(operation.by.to_string())),
        ("answer", json!(format!("unship settle {} done|retry|abort --reason \"…\"", operation.id))),
    ])
}

/// How an incident stands, for those who wait.
pub fn update(incident: &Incident, state: &State, next: Option<Timestamp>, now: Timestamp) -> Values {
    let mut values = common(incident, state, now);
    let mut known = vec![];
    known.extend((!incident.reason.is_empty()).then(|| incident.reason.clone()));
    for service in &incident.services {
        let Some((verdict, _)) = state.service(service).and_then(|known| known.verdict.as_ref()) else {
            continue;
        };
        let why = verdict.reasons().first().map_or_else(String::new, |why| format!(": {why}"));
        known.push(format!("{service} is {}{why}", verdict.word()));
    }
    known.dedup();
    let findings = incident.services.iter().filter_map(|service| state.service(service));
    let impact: Vec<String> = findings
        .flat_map(|known| known.findings.values())
        .map(|finding| {
            let service = finding.service.as_ref().map_or("all", ServiceName::as_str);
            let arm = finding.arm.map_or_else(String::new, |arm| format!(" {arm}"));
            format!("{service}{arm}: {}", finding.evidence.told())
        })
        .collect();
    values.insert("since", json!(moment(incident.opened_at)));
    values.insert("known", json!(known));
    values.insert("impact", json!(impact));
    values.insert("commander", json!(incident.commander().unwrap_or_default()));
    values.insert("next_update", json!(next.map(moment).unwrap_or_default()));
    values
}

/// What an incident that is over was.
pub(super) fn resolved(incident: &Incident, state: &State, now: Timestamp) -> Values {
    let mut values = common(incident, state, now);
    let end = incident.resolved.as_ref();
    values.insert("reason", json!(end.map(|end| end.reason.clone()).unwrap_or_default()));
    values.insert("by", json!(end.map(|end| end.by.to_string()).unwrap_or_default()));
    values
}

/// What whoever is told by an escalation reads.
pub(super) fn escalation(
    incident: &Incident,
    state: &State,
    turn: super::Turn<'_>,
    who: &str,
    why: &str,
    now: Timestamp,
) -> Values {
    let mut values = common(incident, state, now);
    values.insert("reason", json!(incident.reason));
    values.insert("who", json!(who));
    values.insert("policy", json!(turn.policy));
    values.insert("level", json!(turn.level));
    values.insert("why", json!(why));
    values.insert("answer", json!(format!("unship incident ack {}", incident.id)));
    values
}

fn common(incident: &Incident, state: &State, now: Timestamp) -> Values {
    let services: Vec<_> = incident.services.iter().map(ServiceName::as_str).collect();
    let operations = incident.operations.iter().filter_map(|id| state.operation(id));
    let actions: Vec<String> = operations
        .map(|operation| {
            let how = match &operation.status {
                OperationStatus::Ended { outcome, .. } => outcome.words(),
                OperationStatus::NeedsDecision { .. } => "needs a decision",
                OperationStatus::Planned | OperationStatus::Running => "under way",
            };
            format!("{}: {}, {how}", operation.id, operation.plan.purpose)
        })
        .collect();
    BTreeMap::from([
        ("incident", json!(incident.id)),
        ("title", json!(incident.title)),
        ("severity", json!(incident.level.to_string())),
        ("status", json!(status(incident, state, now).word())),
        ("services", json!(services.join(", "))),
        ("lasted", json!(human(whole(incident.lasted(now)).max(Duration::from_secs(1))))),
        ("actions", json!(actions)),
        ("drill", json!(incident.drill)),
    ])
}
