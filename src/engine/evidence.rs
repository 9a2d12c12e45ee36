//! The evidence card of a decision, in the words that every face uses.
//!
//! Pure: what is here makes text of a decision that was journaled with everything it rests on.

use std::time::Duration;

use crate::model::OperationId;
use crate::model::decision::{Decision, GuardrailCheck};
use crate::model::operation::{Operation, OperationStatus, Outcome};
use crate::model::trigger::Finding;
use crate::model::units::human;

/// What is recommended, and how sure that is: `ROLL BACK IMMEDIATELY, confidence 0.97`.
pub fn headline(decision: &Decision) -> String {
    let words = decision.recommendation.words().to_uppercase();
    if decision.findings.is_empty() {
        format!("{words}: no trigger holds")
    } else {
        format!("{words}, confidence {:.2}", decision.confidence)
    }
}

/// Between which releases, if there are two.
pub fn ends(decision: &Decision) -> Option<String> {
    let (from, to) = (decision.from.as_ref()?, decision.to.as_ref()?);
    Some(format!("from {} to {}", from.version, to.version))
}

/// What came of it: `op-3 ended verified: …`, `op-3 goes on`, `nothing was changed`.
pub fn consequence(decision: &Decision, operation: Option<&Operation>) -> String {
    match operation {
        Some(operation) => match &operation.status {
            OperationStatus::Ended { outcome, detail, .. } => ended(&operation.id, *outcome, detail),
            _ => goes_on(&operation.id),
        },
        None if decision.acted => "acted".to_owned(),
        None => "nothing was changed".to_owned(),
    }
}

/// An operation that is not over.
pub fn goes_on(operation: &OperationId) -> String {
    format!("{operation} goes on")
}

/// An operation that is over.
pub fn ended(operation: &OperationId, outcome: Outcome, detail: &str) -> String {
    format!("{operation} ended {}: {detail}", outcome.words())
}

/// A finding: `f-31 errors on canary, critical`.
pub fn title(finding: &Finding) -> String {
    let arm = finding.arm.map_or_else(String::new, |arm| format!(" on {arm}"));
    format!("{} {}{arm}, {}", finding.id, finding.trigger, finding.severity.word())
}

/// What a finding rests on, each with its name: query, value, window.
pub fn facts(finding: &Finding) -> [(&'static str, String); 3] {
    let evidence = &finding.evidence;
    let window = human(Duration::from_millis(evidence.window_ms));
    let window = if evidence.said.is_some() {
        "the source's own".to_owned()
    } else {
        format!("{window}, {:.0} samples", evidence.samples)
    };
    [("query", evidence.query.clone()), ("value", evidence.line()), ("window", window)]
}

/// The lines that a decision gives as its reasons, as not known, and as what would change it, each with its heading.
pub fn sections(decision: &Decision) -> [(&'static str, &[String]); 3] {
    [
        ("reasons", &decision.reasons),
        ("not known", &decision.unknowns),
        ("what would change it", &decision.would_change),
    ]
}

/// What a guardrail says: `passes`, `forbids`, `overridden`.
pub const fn answer(check: &GuardrailCheck) -> &'static str {
    match (check.passes, &check.overridden) {
        (true, _) => "passes",
        (false, None) => "forbids",
        (false, Some(_)) => "overridden",
    }
}

/// What a guardrail looked at, and the reason for overriding it if somebody did.
pub fn looked_at(check: &GuardrailCheck) -> String {
    match &check.overridden {
        Some(reason) if !check.passes => format!("{} (taken upon oneself: {reason})", check.detail),
        _ => check.detail.clone(),
    }
}
