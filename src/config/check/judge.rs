//! The judge: whether its chances are chances, and whether there is anything that it could compare.

use super::Checker;
use super::limits::Kind;
use crate::config::schema::ServiceSpec;
use crate::config::spanned::{Path, place};
use crate::model::judge::{Judging, NAME};
use crate::model::source::{IndicatorSpec, SeriesSpec};
use crate::model::{TriggerName, Unit};

/// Checks the section, and what indicators say of the judge.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, service) in &config.services {
        indicators(checker, service, &place!["services", name]);
    }
    let Some(judge) = &config.judge else { return };
    let at = place!["judge"];
    for (key, value, most) in [("alpha", judge.alpha, 0.2), ("beta", judge.beta, 0.5)] {
        if !(0.0001..=most).contains(&value) {
            let draft = checker
                .error(&at.then(key), format!("`{key}` is {value}, expected a chance from 0.0001 to {most}"));
            if value > most && value <= 100.0 * most {
                draft.hint(format!("a chance of {value} % is written `{}`", value / 100.0));
            } else {
                draft.hint("0.01 is one in a hundred");
            }
        }
    }
    let name = TriggerName::new(NAME);
    if config.triggers.contains_key(&name) {
        checker
            .error_at_key(&place!["triggers", &name], "a trigger is named `judge`, as the judge itself is")
            .hint("give it another name, so that their findings can be told apart");
    }
    let mut all = config
        .services
        .values()
        .flat_map(|service| service.indicators.values().map(move |indicator| (service, indicator)));
    let is_compared = |(service, indicator): (&ServiceSpec, &IndicatorSpec)| {
        let source = config.sources.get(&indicator.source);
        indicator.judge != Judging::Off
            && !matches!(indicator.read, SeriesSpec::Rate { .. })
            && source.is_some_and(|source| source.tells_arms(&indicator.read, &service.probes))
    };
    if !all.any(is_compared) {
        checker
            .warn_at_key(&at, "there is nothing to compare: no indicator speaks for canary and stable apart")
            .hint("give a source `arms`, so that it tells whom a series speaks for");
    }
}

fn indicators(checker: &mut Checker<'_>, service: &ServiceSpec, at: &Path) {
    for (name, indicator) in &service.indicators {
        let at = at.then("indicators").then(name);
        if checker.config.judge.is_none() {
            for key in ["judge", "objective"] {
                if checker.is_written(&at.then(key)) {
                    checker
                        .warn(&at.then(key), format!("`{key}` has no meaning without the judge"))
                        .hint("add a section `[judge]`, or take the line out");
                }
            }
        }
        objective(checker, indicator, &at.then("objective"));
    }
}

fn objective(checker: &mut Checker<'_>, indicator: &IndicatorSpec, at: &Path) {
    let Some(objective) = &indicator.objective else { return };
    let below = objective.below;
    match indicator.read {
        SeriesSpec::Ratio { .. } => {
            if below.unit == Unit::Millis || !(below.value > 0.0 && below.value < 0.95) {
                checker
                    .error(
                        &at.then("below"),
                        format!("the objective is {below}, expected a share above 0 % and below 95 %"),
                    )
                    .hint("write how many of the events may be bad at most, like \"1%\"");
            }
            if checker.is_written(&at.then("quantile")) {
                checker
                    .warn(&at.then("quantile"), "`quantile` has no meaning for a ratio")
                    .hint("it is for indicators of the kind `latency`");
            }
        }
        SeriesSpec::Latency { .. } => {
            if below.unit == Unit::Share || below.value <= 0.0 {
                checker
                    .error(&at.then("below"), format!("the objective is {below}, expected a time"))
                    .hint("write how long the events may take, like \"2s\"");
            }
            if !(0.05..1.0).contains(&objective.quantile) || objective.quantile > 0.9999 {
                checker
                    .error(
                        &at.then("quantile"),
                        format!("`quantile` is {}, expected 0.05 to 0.9999", objective.quantile),
                    )
                    .hint("write 0.95 for the 95th percentile");
            }
        }
        SeriesSpec::Gauge { .. } | SeriesSpec::Rate { .. } => {
            let kind = Kind::of(&indicator.read).words();
            checker
                .error(at, format!("an objective has no meaning for {kind}"))
                .hint("it is for ratios and latencies; a trigger with a threshold watches the others");
        }
    }
}
