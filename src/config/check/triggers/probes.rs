//! Triggers on probes: whether there are any to watch, and whether the window has room for what the trigger wants.

use std::collections::BTreeSet;

use super::super::Checker;
use super::super::environment::twice;
use super::super::limits::Kind;
use super::{MOST, Subject, fits, judge_limit, too_many_samples, word};
use crate::config::problem::quoted;
use crate::model::probe::ProbeSpec;
use crate::model::trigger::Scope;
use crate::model::units::human;
use crate::model::{ProbeName, Quantity, ServiceName, Span};

/// The probes that a trigger looks at; says so when there are none.
fn probes<'a>(
    checker: &mut Checker<'_>,
    subject: &Subject<'a>,
    only: Option<&ProbeName>,
) -> Vec<(&'a ServiceName, &'a ProbeName, &'a ProbeSpec)> {
    let all = || {
        subject
            .watched
            .iter()
            .flat_map(|(name, service)| service.probes.iter().map(move |(probe, spec)| (*name, probe, spec)))
    };
    let found: Vec<_> = all().filter(|(_, probe, _)| only.is_none_or(|only| only == *probe)).collect();
    if all().next().is_none() {
        let path = if subject.is_explicit() { subject.at.then("services") } else { subject.when() };
        checker
            .error(&path, "the trigger is on probes, and no service it watches has any")
            .hint("add `[services.NAME.probes.…]`, or watch an indicator");
    } else if let (Some(only), true) = (only, found.is_empty()) {
        let names: BTreeSet<&str> = all().map(|(_, probe, _)| probe.as_str()).collect();
        checker.unknown(&subject.when().then("probe"), "probe", only.as_str(), names);
    } else if let Some(names) = &subject.trigger.services {
        for (index, name) in names.iter().enumerate() {
            let Some((_, service)) = subject.watched.iter().find(|(watched, _)| *watched == name) else {
                continue;
            };
            let path = subject.at.then("services").then(index);
            if service.probes.is_empty() {
                checker
                    .error(&path, format!("the trigger is on probes, and {} has none", quoted(name.as_str())))
                    .hint("give it a probe, or take it out of this list");
            } else if let Some(only) = only.filter(|only| !service.probes.contains_key(*only)) {
                checker
                    .warn(&path, format!("{} has no probe {}", quoted(name.as_str()), quoted(only.as_str())))
                    .hint("the trigger says nothing of it");
            }
        }
    }
    if let Some(arm) = subject.trigger.arm.filter(|_| subject.trigger.scope == Scope::Arm)
        && !found.is_empty()
        && found.iter().all(|(_, _, probe)| probe.arm != Some(arm))
    {
        checker
            .warn(&subject.at.then("arm"), format!("no probe reaches the {}", word(arm)))
            .hint("say in a probe which `arm` its address reaches");
    }
    found
}

/// Checks a trigger on failures in a row.
pub(super) fn consecutive(
    checker: &mut Checker<'_>,
    subject: &Subject<'_>,
    failures: u32,
    within: Span,
    only: Option<&ProbeName>,
) {
    let at = subject.when();
    let found = probes(checker, subject, only);
    let window = checker.positive(&at.then("within"), within);
    if failures == 0 || failures > MOST {
        checker
            .error(
                &at.then("failures"),
                format!("`failures` is {failures}, expected a number from 1 to {MOST}"),
            )
            .hint("three in a row is a good start");
        return;
    }
    if !window {
        return;
    }
    let needs = |probe: &ProbeSpec| Span(probe.interval.saturating_mul(failures - 1));
    let slow: Vec<_> = found.iter().filter(|(_, _, probe)| needs(probe) > within).collect();
    let Some((service, name, probe)) = slow.first() else {
        return;
    };
    let message = format!(
        "{failures} failures in a row take {}, more than the {} of `within`: {} of `{service}` runs every {}",
        human(*needs(probe)),
        human(*within),
        quoted(name.as_str()),
        human(*probe.interval)
    );
    let path = at.then("within");
    let draft =
        if slow.len() == found.len() { checker.error(&path, message) } else { checker.warn(&path, message) };
    draft.hint(format!("write at least `{}`, or check more often", needs(probe)));
}

/// Checks a trigger on the share of checks that succeed.
pub(super) fn availability(
    checker: &mut Checker<'_>,
    subject: &Subject<'_>,
    below: Quantity,
    over: Span,
    only: Option<&ProbeName>,
) {
    let at = subject.when();
    let found = probes(checker, subject, only);
    judge_limit(checker, &at.then("below"), below, false, std::iter::once(Kind::Availability));
    if !checker.positive(&at.then("over"), over) {
        return;
    }
    let slowest = found.iter().max_by_key(|(_, _, probe)| probe.interval);
    if let Some((service, name, probe)) = slowest
        && over < twice(probe.interval)
    {
        checker
            .warn(
                &at.then("over"),
                format!(
                    "`over` is {}, but {} of `{service}` runs every {}",
                    human(*over),
                    quoted(name.as_str()),
                    human(*probe.interval)
                ),
            )
            .hint(format!(
                "a share of fewer than two checks says little: write `{}` or more",
                twice(probe.interval)
            ));
    }
    let checks = |service: &ServiceName| -> u64 {
        found
            .iter()
            .filter(|(name, _, _)| *name == service)
            .map(|(_, _, probe)| fits(over, probe.interval))
            .sum()
    };
    let each = subject.watched.iter().map(|(name, _)| checks(name));
    let most = if subject.trigger.scope == Scope::Environment { each.sum() } else { each.max().unwrap_or(0) };
    too_many_samples(checker, subject, most, "checks");
}
