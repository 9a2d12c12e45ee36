//! What the findings on a service add up to.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::ServiceName;
use crate::model::decision::Recommendation;
use crate::model::release::{Arm, Release};
use crate::model::trigger::{Finding, Severity, Status, TriggerAction, Unknown, Verdict};
use crate::model::units::human;

use super::input::Settings;
use super::senses::Senses;
use super::state::{ServiceState, State};

/// How long after it went live a release without a canary is still suspected of what goes wrong: the longest of the
/// watch windows that teams keep after a deployment (a day).
pub const SUSPECT_FOR: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);

/// What the findings add up to, before any guardrail is consulted.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighed {
    /// What is recommended.
    pub recommendation: Recommendation,
    /// 0 to 1.
    pub confidence: f64,
    /// Why.
    pub reasons: Vec<String>,
    /// The findings that counted.
    pub findings: Vec<Finding>,
    /// What is not known.
    pub unknowns: Vec<String>,
    /// The release that is suspected.
    pub suspect: Option<(Arm, Release)>,
    /// What would lead to another recommendation.
    pub would_change: Vec<String>,
}

/// Adds up what is known of a service.
///
/// One finding that asks for it is enough to roll back at once, or gradually; below those, to run more instances. Findings that ask only to watch add up to a
/// gradual rollback when there are as many as configured. Nothing is rolled back when stable is bad too, when a service that
/// this one depends on is failing and there is no canary to compare, when the maintenance page is on, or when the release has been live for so long that it
/// is unlikely to be the cause: then the answer is to hold, and to say so.
pub fn weigh(
    settings: &Settings,
    state: &State,
    senses: &Senses,
    service: &ServiceName,
    now: Timestamp,
) -> Weighed {
    let Some(known) = state.service(service) else { return nothing() };
    let suspect = known.suspect().map(|(arm, release)| (arm, release.clone()));
    let has_canary = known.canary().is_some();
    let mut findings: Vec<Finding> = known
        .findings
        .values()
        .filter(|finding| match finding.arm {
            None => true,
            Some(arm) => suspect.as_ref().is_none_or(|(suspected, _)| *suspected == arm),
        })
        .cloned()
        .collect();
    findings.extend(environment_findings(settings, state, service));
    let unknowns = unknowns(known, senses, service, has_canary, settings, now);
    let mut weighed = Weighed {
        recommendation: Recommendation::Watch,
        confidence: confidence(&findings, has_canary, !unknowns.is_empty()),
        reasons: findings.iter().map(|finding| reason(finding, now)).collect(),
        unknowns,
        suspect,
        would_change: Vec::new(),
        findings,
    };
    let wanted = wanted(settings, &weighed.findings);
    if wanted == Recommendation::ScaleOut {
        // More of the same takes nothing back: what speaks against blaming the release says nothing of load.
        weighed.recommendation = match under_maintenance(known) {
            Some(why) => {
                weighed.reasons.push(why);
                Recommendation::Hold
            }
            None => Recommendation::ScaleOut,
        };
        weighed.would_change = would_change(&weighed, known, has_canary);
        return weighed;
    }
    let is_compared = weighed.findings.iter().any(|finding| finding.evidence.judgement.is_some());
    let against = everything_fails(settings, senses, service, &weighed.findings)
        .or_else(|| against(settings, state, senses, service, known, (has_canary, is_compared), now));
    weighed.recommendation = match (&against, wanted) {
        (Some(_), _) if wanted.acts() || has_canary => Recommendation::Hold,
        (_, wanted) if wanted.acts() => wanted,
        // An unknown canary is not let through.
        _ if has_canary && !weighed.unknowns.is_empty() => Recommendation::Hold,
        (_, wanted) => wanted,
    };
    if weighed.recommendation == Recommendation::Hold
        && let Some(against) = against
    {
        weighed.reasons.push(against);
    }
    weighed.would_change = would_change(&weighed, known, has_canary);
    weighed
}

const fn nothing() -> Weighed {
    Weighed {
        recommendation: Recommendation::Watch,
        confidence: 0.0,
        reasons: Vec::new(),
        findings: Vec::new(),
        unknowns: Vec::new(),
        suspect: None,
        would_change: Vec::new(),
    }
}

/// A finding over the whole environment speaks against a service only when that service is the one that changes: the only
/// one with a canary. Otherwise nobody can tell whose release it is. What was wrong before the canary began is not its doing
/// either; a platform is read now and then, so that a canary may be that much older than its first sight.
fn environment_findings<'a>(
    settings: &'a Settings,
    state: &'a State,
    service: &'a ServiceName,
) -> impl Iterator<Item = Finding> + use<'a> {
    let mut changing = state
        .services
        .iter()
        .filter(|(name, service)| service.canary().is_some() && settings.config.services.contains_key(*name))
        .map(|(name, _)| name);
    let is_the_one =
        !state.findings.is_empty() && changing.next() == Some(service) && changing.next().is_none();
    let seen = state.service(service).and_then(|known| known.arms_since.get(&Arm::Canary));
    let began =
        seen.map(|seen| seen.checked_sub(*settings.config.rollback.read_every * 2).unwrap_or(Timestamp::MIN));
    let is_its_doing = move |finding: &&Finding| began.is_some_and(|began| finding.since >= began);
    state.findings.values().filter(is_its_doing).filter(move |_| is_the_one).cloned()
}

fn wanted(settings: &Settings, findings: &[Finding]) -> Recommendation {
    let strongest = findings.iter().map(|finding| finding.action).max();
    let limit = settings.config.rollback.findings as usize;
    let only_watch = findings.iter().filter(|finding| finding.action == TriggerAction::Watch).count();
    match strongest {
        Some(TriggerAction::Immediate) => Recommendation::RollBackImmediately,
        Some(TriggerAction::Gradual) => Recommendation::RollBackGradually,
        Some(_) if limit > 0 && only_watch >= limit => Recommendation::RollBackGradually,
        Some(TriggerAction::ScaleOut) => Recommendation::ScaleOut,
        _ => Recommendation::Watch,
    }
}

/// What speaks against taking the release for the cause.
fn against(
    settings: &Settings,
    state: &State,
    senses: &Senses,
    service: &ServiceName,
    known: &ServiceState,
    (has_canary, is_compared): (bool, bool),
    now: Timestamp,
) -> Option<String> {
    if let Some(why) = under_maintenance(known) {
        return Some(why);
    }
    // The canary is worse than stable, however bad that is.
    if has_canary && is_compared {
        return None;
    }
    if has_canary {
        let reading = senses.reading(service)?;
        let shared = reading.evaluations.iter().find(|evaluation| {
            evaluation.status == Status::Unknown { reason: Unknown::StableIsBadToo }
                || (evaluation.arm == Some(Arm::Stable)
                    && evaluation.action.rolls_back()
                    && evaluation.status.is_breach())
        })?;
        return Some(format!(
            "stable is bad too ({}): the canary may not be the cause, going back may not help",
            shared.trigger
        ));
    }
    let spec = settings.config.services.get(service)?;
    let failing = spec.depends_on.iter().find(|name| {
        let verdict = state.service(name).and_then(|dependency| dependency.verdict.as_ref());
        matches!(verdict, Some((Verdict::Failing { .. }, _)))
    });
    if let Some(dependency) = failing {
        return Some(format!(
            "{dependency}, which {service} depends on, is failing: its release may not be the cause"
        ));
    }
    let since = known.arms_since.get(&Arm::Stable).filter(|since| **since <= now)?;
    let age = now.duration_since(*since).unsigned_abs();
    let version = &known.stable()?.version;
    (age > SUSPECT_FOR).then(|| {
        format!("{version} has been live for {}: the release is unlikely to be the cause", human(age))
    })
}

/// Nothing is done by itself behind the maintenance page.
fn under_maintenance(known: &ServiceState) -> Option<String> {
    let is_on = known.inventory.as_ref().is_some_and(|inventory| inventory.maintenance == Some(true));
    is_on.then(|| {
        "the maintenance page is on: what is seen is not what users would get, and a person is at it"
            .to_owned()
    })
}

/// When every other service that could not have been dragged along fails in the same moment, the cause is elsewhere: a
/// network, a shared platform, or our own view of them. A finding on the canary alone stands against that.
fn everything_fails(
    settings: &Settings,
    senses: &Senses,
    service: &ServiceName,
    findings: &[Finding],
) -> Option<String> {
    if findings.iter().any(|finding| finding.arm == Some(Arm::Canary)) {
        return None;
    }
    let mut count = 0;
    for name in settings.config.services.keys() {
        if name == service || depends(&settings.config, name, service) {
            continue;
        }
        let reading = senses.reading(name)?;
        let is_failing = matches!(reading.verdict, Some(Verdict::Failing { .. }))
            || (!reading.probes.is_empty() && reading.probes.values().all(|probe| probe.failures > 0));
        // With a thousand services, the first that is well ends the search.
        if !is_failing {
            return None;
        }
        count += 1;
    }
    (count >= 2).then(|| {
        format!(
            "all {count} other services are failing too: the cause is likely not the release of {service}"
        )
    })
}

/// Whether a service depends on another, directly or through others.
pub(super) fn depends(config: &Config, service: &ServiceName, on: &ServiceName) -> bool {
    let mut seen: Vec<&ServiceName> = Vec::new();
    let mut next = vec![service];
    while let Some(name) = next.pop() {
        let Some(spec) = config.services.get(name) else { continue };
        for dependency in &spec.depends_on {
            if dependency == on {
                return true;
            }
            if !seen.contains(&dependency) {
                seen.push(dependency);
                next.push(dependency);
            }
        }
    }
    false
}

/// What is not known of the arm that matters, once it has not been known for longer than data may be old.
fn unknowns(
    known: &ServiceState,
    senses: &Senses,
    service: &ServiceName,
    has_canary: bool,
    settings: &Settings,
    now: Timestamp,
) -> Vec<String> {
    let verdict = if has_canary { known.arms.get(&Arm::Canary) } else { known.verdict.as_ref() };
    let Some((Verdict::Unknown { reasons }, since)) = verdict else { return Vec::new() };
    let has_lasted =
        *since <= now && now.duration_since(*since).unsigned_abs() >= *settings.config.guardrails.stale_after;
    if !has_lasted {
        return Vec::new();
    }
    // The journaled verdict has the reasons of its first moment; the present ones say more.
    let present = senses.reading(service).map(Arc::as_ref).and_then(|reading| {
        if has_canary { reading.arms.get(&Arm::Canary).cloned() } else { reading.verdict.clone() }
    });
    match present {
        Some(Verdict::Unknown { reasons }) => reasons,
        _ => reasons.clone(),
    }
}

/// How sure the findings together make it that the release is the cause: one minus the product of what each leaves open
/// (critical leaves 10 %, high 25 %, medium 50 %, low 70 %), times 0.8 without a canary to compare with, times 0.9 when
/// something is not known. A figure to compare decisions by, not a probability.
fn confidence(findings: &[Finding], has_canary: bool, has_unknowns: bool) -> f64 {
    let open: f64 = findings
        .iter()
        .map(|finding| match finding.severity {
            Severity::Critical => 0.1,
            Severity::High => 0.25,
            Severity::Medium => 0.5,
            Severity::Low => 0.7,
        })
        .product();
    let confidence = (1.0 - open) * if has_canary { 1.0 } else { 0.8 } * if has_unknowns { 0.9 } else { 1.0 };
    (confidence * 100.0).round() / 100.0
}

fn reason(finding: &Finding, now: Timestamp) -> String {
    let whom = finding.arm.map_or_else(String::new, |arm| format!(" on {arm}"));
    let age = if finding.since <= now {
        now.duration_since(finding.since).unsigned_abs()
    } else {
        std::time::Duration::ZERO
    };
    let told = finding.evidence.told();
    // Evidence is not held for a time.
    if finding.evidence.judgement.is_some() {
        return format!("{}{whom}: {told}", finding.trigger);
    }
    format!("{}{whom}: {told} for {}", finding.trigger, human(age))
}

fn would_change(weighed: &Weighed, known: &ServiceState, has_canary: bool) -> Vec<String> {
    // What the judge has decided stays decided.
    let findings = weighed.findings.iter().filter(|finding| finding.evidence.judgement.is_none());
    let mut lines: Vec<String> = findings
        .map(|finding| {
            let side = if finding.evidence.above { "at or below" } else { "at or above" };
            format!("{}: {} {side} {}", finding.trigger, finding.evidence.query, finding.evidence.limit)
        })
        .collect();
    if !weighed.unknowns.is_empty() {
        lines.push("data for what is not known".to_owned());
    }
    if weighed.recommendation == Recommendation::Hold && has_canary {
        lines.push("stable back within its limits while the canary is not".to_owned());
    }
    if !weighed.findings.is_empty() && known.inventory.is_none() {
        lines.push("a reading of the platform".to_owned());
    }
    lines
}
