//! Comparisons: whether there is something to compare with, and whether the difference can ever be reached.

use super::super::Checker;
use super::super::limits::Kind;
use super::{Subject, found, meaning, quantile_in_range, windows};
use crate::config::problem::quoted;
use crate::model::release::Arm;
use crate::model::trigger::{Condition, Reference, Scope};
use crate::model::{Quantity, Unit};

/// Checks a comparison.
pub(super) fn check(checker: &mut Checker<'_>, subject: &Subject<'_>) {
    let Condition::Comparison { indicator, with, more_than, times, over, hold: _, quantile, aggregate: _ } =
        &subject.trigger.when
    else {
        return;
    };
    let at = subject.when();
    match (more_than, times) {
        (None, None) => {
            checker
                .error_at_key(&at, "the comparison has no limit: neither `more_than` nor `times`")
                .hint("add one of the two: `more_than = \"2%\"` for points, or `times = 1.5`");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("times"), "the comparison has both `more_than` and `times`")
                .hint("keep one of the two, and write a second trigger for the other");
        }
        _ => {}
    }
    if let Some(times) = times
        && !(*times > 0.0 && times.is_finite())
    {
        checker
            .error(&at.then("times"), format!("`times` is {times}, expected a number above 0"))
            .hint("1.5 holds when it is half as much again, 0.8 when a fifth of it is missing");
    }
    quantile_in_range(checker, &at, *quantile);
    let window = checker.positive(&at.then("over"), *over);
    if subject.trigger.scope == Scope::Environment {
        checker
            .error(&subject.at.then("scope"), "the environment as a whole has nothing to be compared with")
            .hint("take `scope` out: every service is compared by itself");
    }
    if *with == Reference::Stable && subject.trigger.arm == Some(Arm::Stable) {
        checker
            .error(&subject.at.then("arm"), "stable is compared with itself")
            .hint("take `arm` out: it is the canary that is compared with stable");
    }
    let Some(found) = found(checker, subject, indicator) else { return };
    if let Some(limit) = more_than {
        for (_, indicator) in &found {
            if let Some((message, hint)) = fault(*limit, Kind::of(&indicator.read)) {
                checker.error(&at.then("more_than"), message).hint(hint);
                break;
            }
        }
    }
    meaning(checker, &at, &found);
    if window {
        windows(checker, subject, *over, &found);
    }
    if *with == Reference::Stable {
        let silent = found.iter().find(|(name, indicator)| {
            let source = checker.config.sources.get(&indicator.source);
            let service = checker.config.services.get(*name);
            source
                .zip(service)
                .is_some_and(|(source, service)| !source.tells_arms(&indicator.read, &service.probes))
        });
        if let Some((service, indicator)) = silent {
            let message = format!(
                "{} of {} is not read by arm: there is nothing to compare",
                quoted(indicator_name(subject)),
                quoted(service.as_str())
            );
            checker
                .error(&at.then("with"), message)
                .hint(format!("say in `arms` of the source `{}` how it tells them apart", indicator.source));
        }
    }
}

fn indicator_name<'a>(subject: &Subject<'a>) -> &'a str {
    subject.trigger.when.indicator().map_or("", |name| name.as_str())
}

/// What is wrong with a difference for what is measured, and how to mend it.
fn fault(limit: Quantity, kind: Kind) -> Option<(String, &'static str)> {
    let (expected, hint, fits) = match kind {
        Kind::Ratio | Kind::Share | Kind::Divided | Kind::Availability => (
            "points of a share, above 0 % and below 100 %",
            "write points in percent, like \"2%\"",
            limit.unit == Unit::Share && limit.value > 0.0 && limit.value < 1.0,
        ),
        Kind::Latency | Kind::Time => (
            "a time",
            "write a time with its unit, like \"200ms\"",
            limit.unit == Unit::Millis && limit.value > 0.0,
        ),
        Kind::Rate | Kind::Gauge => (
            "a plain number above 0",
            "write a number without a unit",
            limit.unit == Unit::Plain && limit.value > 0.0,
        ),
    };
    (!fits).then(|| (format!("`more_than` is {limit}, expected {expected}"), hint))
}
