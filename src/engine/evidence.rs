//! The evidence card of a decision, in the words that every face uses.
//!
//! Pure: what is here makes text of a decision that was journaled with everything it rests on.

use std::fmt::Write as _;
use std::time::Duration;

use crate::model::OperationId;
use crate::model::decision::{Decision, GuardrailCheck};
use crate::model::judge::{Against, Comparison, Conclusion, Judgement};
use crate::model::operation::{Operation, OperationStatus, Outcome};
use crate::model::trigger::Finding;
use crate::model::units::human;

/// From so many bad events on it is known how they come.
const KNOWN_BURSTS: f64 = 30.0;

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

/// What a finding rests on, each with its name: query, value, window; of the judge also each comparison.
pub fn facts(finding: &Finding) -> Vec<(&'static str, String)> {
    let evidence = &finding.evidence;
    let window = human(Duration::from_millis(evidence.window_ms));
    let window = if evidence.said.is_some() {
        "the source's own".to_owned()
    } else {
        format!("{window}, {:.0} samples", evidence.samples)
    };
    let mut facts = vec![("query", evidence.query.clone()), ("value", evidence.line()), ("window", window)];
    if let Some(judgement) = &evidence.judgement {
        facts.extend(judgement.comparisons.iter().map(|one| ("by", comparison(one))));
        facts.push(("error", format!("{} if it is none", chance(judgement.p_value))));
    }
    facts
}

/// What the judge concludes: `undecided, evidence 1.2 of 100`.
pub fn judged(judgement: &Judgement) -> String {
    format!("{}, {}", judgement.conclusion.word(), judgement.evidence())
}

/// How much more it takes while nothing is decided, if that can be said: `about 400 more requests to call it safe`.
pub fn outlook(judgement: &Judgement) -> Option<String> {
    if judgement.conclusion != Conclusion::Undecided {
        return None;
    }
    // What takes longest decides when all of it is safe; what is soonest, when it is harmful.
    let needs = judgement.comparisons.iter().filter(|one| !one.muted).filter_map(|one| one.needs);
    let (harm, safe): (Vec<_>, Vec<_>) = needs.partition(|(_, to)| *to == Conclusion::Harm);
    let soonest = harm.into_iter().map(|(needed, _)| needed).reduce(f64::min);
    let longest = safe.into_iter().map(|(needed, _)| needed).reduce(f64::max);
    let (needed, to) = soonest.map(|it| (it, "worse")).or(longest.map(|it| (it, "safe")))?;
    (needed >= 1.0).then(|| format!("about {} more requests to call it {to}", rounded(needed)))
}

/// One comparison: `errors 7.1 % against 0.2 % of stable: evidence 412, 3.1 to 9.8 points apart`.
pub fn comparison(one: &Comparison) -> String {
    let mut text = format!("{}: evidence {}", one.line(), Judgement::show(one.e_value));
    // Anything is possible says nothing.
    let interval = one.interval.filter(|[lower, upper]| upper - lower < 1.0);
    if let Some([lower, upper]) = interval {
        let points = |share: f64| {
            let points = share * 100.0;
            if points.abs() < 9.95 { format!("{points:.1}") } else { format!("{points:.0}") }
        };
        let _ = match one.against {
            Against::Stable => write!(text, ", {} to {} points apart", points(lower), points(upper)),
            Against::Objective => write!(text, ", between {} % and {} %", points(lower), points(upper)),
        };
    }
    if one.bursts > 2.0 {
        // So few bad events say little of how they come; until more is known the worst is assumed.
        let is_known = one.canary_bad + one.stable_bad.unwrap_or_default() >= KNOWN_BURSTS;
        let why =
            if is_known { "they come in bursts" } else { "it is not known yet whether they come in bursts" };
        let _ = write!(text, ", {:.0} bad ones count as 1: {why}", one.bursts);
    }
    if one.muted {
        text.push_str(", not counted");
    }
    if let Some(problem) = &one.problem {
        let _ = write!(text, " ({problem})");
    }
    text
}

/// A chance as people say it: `1 in 412`, `under 1 in a million`.
fn chance(p_value: f64) -> String {
    if p_value < 1e-6 {
        "under 1 in a million".to_owned()
    } else {
        format!("1 in {:.0}", 1.0 / p_value.min(1.0))
    }
}

/// Two digits of a large number: more would promise too much.
fn rounded(number: f64) -> String {
    if number < 100.0 {
        return format!("{:.0}", number.ceil());
    }
    let unit = 10_f64.powf(number.log10().floor() - 1.0);
    format!("{:.0}", (number / unit).ceil() * unit)
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
