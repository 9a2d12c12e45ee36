//! Triggers: whether what they watch exists, and whether they can ever hold.

mod comparison;
mod probes;

use std::collections::BTreeSet;

use super::environment::twice;
use super::limits::{self, Kind};
use super::{Checker, cloudwatch};
use crate::config::problem::quoted;
use crate::config::schema::ServiceSpec;
use crate::config::spanned::{Path, place};
use crate::config::suggest::choice;
use crate::model::release::Arm;
use crate::model::source::{IndicatorSpec, SourceSpec};
use crate::model::trigger::{Condition, Scope, TriggerAction, TriggerSpec};
use crate::model::units::human;
use crate::model::{IndicatorName, Quantity, ServiceName, Span};

/// The longest memory of evaluations or failures that a trigger may ask for.
const MOST: u32 = 1_000;

/// Checks every trigger.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    if config.triggers.is_empty() {
        checker
            .warn_at_key(&place!["triggers"], "there is no trigger: nothing will ever count as wrong")
            .hint("add one: `[triggers.NAME]` with `when` and `action`");
    }
    for (name, trigger) in &config.triggers {
        let at = place!["triggers", name];
        let watched = watched(checker, trigger, &at);
        if trigger.arm.is_some() && trigger.scope != Scope::Arm {
            checker
                .error(&at.then("arm"), "`arm` has a meaning only with `scope = \"arm\"`")
                .hint("take `arm` out, or set `scope = \"arm\"`");
        }
        if trigger.min_samples == 0 {
            checker
                .error(&at.then("min_samples"), "`min_samples` is 0: a conclusion from nothing")
                .hint("write at least 1");
        }
        if watched.is_empty() {
            continue;
        }
        let subject = Subject { trigger, watched: &watched, at: &at };
        scale_out(checker, &subject);
        match &trigger.when {
            Condition::Threshold { .. } => threshold(checker, &subject),
            Condition::Comparison { .. } => comparison::check(checker, &subject),
            Condition::Consecutive { failures, within, probe } => {
                probes::consecutive(checker, &subject, *failures, *within, probe.as_ref());
            }
            Condition::Availability { below, over, probe } => {
                probes::availability(checker, &subject, *below, *over, probe.as_ref());
            }
            Condition::Alarm { source, alarm } => cloudwatch::alarm(checker, name, trigger, source, alarm),
        }
    }
}

/// A trigger and the services that it watches.
struct Subject<'a> {
    trigger: &'a TriggerSpec,
    watched: &'a [(&'a ServiceName, &'a ServiceSpec)],
    at: &'a Path,
}

impl Subject<'_> {
    fn when(&self) -> Path {
        self.at.then("when")
    }

    /// Whether the trigger names its services itself.
    fn is_explicit(&self) -> bool {
        self.trigger.services.is_some()
    }
}

/// The services that exist among those a trigger watches.
fn watched<'a>(
    checker: &mut Checker<'a>,
    trigger: &TriggerSpec,
    at: &Path,
) -> Vec<(&'a ServiceName, &'a ServiceSpec)> {
    let config = checker.config;
    let Some(names) = &trigger.services else {
        return config.services.iter().collect();
    };
    let at = at.then("services");
    if names.is_empty() {
        checker
            .error(&at, "the trigger watches no service")
            .hint("name services, or take the line out to watch every service that has the data");
    }
    let mut seen = BTreeSet::new();
    let mut watched = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match config.services.get_key_value(name) {
            Some(_) if !seen.insert(name) => {
                checker
                    .warn(&at.then(index), format!("{} is named twice", quoted(name.as_str())))
                    .hint("once is enough");
            }
            Some(found) => watched.push(found),
            None => {
                let services = config.services.keys().map(ServiceName::as_str);
                checker.unknown(&at.then(index), "service", name.as_str(), services);
            }
        }
    }
    watched
}

/// More instances can only be asked for where somebody says how many are too many.
fn scale_out(checker: &mut Checker<'_>, subject: &Subject<'_>) {
    if subject.trigger.action != TriggerAction::ScaleOut {
        return;
    }
    let without: Vec<&str> = subject
        .watched
        .iter()
        .filter(|(_, spec)| spec.scaling.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    let at = subject.at.then("action");
    if without.len() == subject.watched.len() {
        checker
            .error(&at, "`scale_out` has no service that may grow")
            .hint("say how far: `scaling = { most = 12 }` of the service");
    } else if !without.is_empty() && subject.is_explicit() {
        checker
            .warn(&at, format!("`scale_out` does nothing for {}", without.join(", ")))
            .hint("say how far it may grow: `scaling = { most = 12 }`");
    }
}

fn threshold(checker: &mut Checker<'_>, subject: &Subject<'_>) {
    let Condition::Threshold { indicator, above, below, over, hold, quantile, aggregate: _, out_of } =
        &subject.trigger.when
    else {
        return;
    };
    let at = subject.when();
    match (above, below) {
        (None, None) => {
            checker
                .error_at_key(&at, "the threshold has no limit: neither `above` nor `below`")
                .hint("add one of the two, like `above = \"5%\"`");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("below"), "the threshold has both `above` and `below`")
                .hint("keep one of the two, and write a second trigger for the other");
        }
        _ => {}
    }
    quantile_in_range(checker, &at, *quantile);
    let window = checker.positive(&at.then("over"), *over);
    if let Some(out_of) = out_of {
        let at = at.then("out_of");
        if out_of.breaches == 0 || out_of.evaluations == 0 {
            let key = if out_of.breaches == 0 { "breaches" } else { "evaluations" };
            checker.error(&at.then(key), format!("`{key}` is 0")).hint("write at least 1");
        } else if out_of.breaches > out_of.evaluations {
            checker
                .error(
                    &at.then("breaches"),
                    format!(
                        "{} breaches of {} evaluations can never be",
                        out_of.breaches, out_of.evaluations
                    ),
                )
                .hint("`breaches` is at most `evaluations`");
        }
        if out_of.evaluations > MOST {
            checker
                .error(
                    &at.then("evaluations"),
                    format!("`evaluations` is {}, expected at most {MOST}", out_of.evaluations),
                )
                .hint("make the window `over` longer instead");
        }
        if !hold.is_zero() {
            checker
                .warn(&subject.when().then("for"), "`for` has no meaning with `out_of`")
                .hint("keep one of the two");
        }
    }
    let Some(found) = found(checker, subject, indicator) else { return };
    for (limit, side, key) in [(above, true, "above"), (below, false, "below")] {
        if let Some(limit) = limit {
            judge_limit(checker, &at.then(key), *limit, side, found.iter().map(|(_, i)| Kind::of(&i.read)));
        }
    }
    meaning(checker, &at, &found);
    if window {
        windows(checker, subject, *over, &found);
    }
    arms(checker, subject, &found);
}

/// The indicators that a trigger is about, by service; none when there is none.
fn found<'a>(
    checker: &mut Checker<'_>,
    subject: &Subject<'a>,
    indicator: &IndicatorName,
) -> Option<Vec<(&'a ServiceName, &'a IndicatorSpec)>> {
    let at = subject.when();
    let found: Vec<(&ServiceName, &IndicatorSpec)> = subject
        .watched
        .iter()
        .filter_map(|(name, service)| Some((*name, service.indicators.get(indicator)?)))
        .collect();
    if found.is_empty() {
        no_indicator(checker, subject, indicator);
        return None;
    }
    if subject.is_explicit() {
        for (name, _) in
            subject.watched.iter().filter(|(_, service)| !service.indicators.contains_key(indicator))
        {
            checker
                .warn(
                    &at.then("indicator"),
                    format!("{} has no indicator `{indicator}`", quoted(name.as_str())),
                )
                .hint(format!(
                    "the trigger says nothing of it; take it out of `services`, or give it `{indicator}`"
                ));
        }
    }
    Some(found)
}

/// Whether the quantile and the aggregate mean something for what is measured.
fn meaning(checker: &mut Checker<'_>, at: &Path, found: &[(&ServiceName, &IndicatorSpec)]) {
    let kinds: Vec<Kind> = found.iter().map(|(_, indicator)| Kind::of(&indicator.read)).collect();
    if checker.is_written(&at.then("quantile")) && !kinds.contains(&Kind::Latency) {
        checker
            .warn(&at.then("quantile"), format!("`quantile` has no meaning for {}", kinds[0].words()))
            .hint("it is for indicators of the kind `latency`");
    }
    let gauge = kinds.iter().any(|kind| kind.is_gauge());
    if checker.is_written(&at.then("aggregate")) && !gauge {
        checker
            .warn(&at.then("aggregate"), format!("`aggregate` has no meaning for {}", kinds[0].words()))
            .hint("it is for indicators of the kind `gauge`");
    }
}

fn quantile_in_range(checker: &mut Checker<'_>, at: &Path, quantile: f64) {
    if quantile <= 0.0 || quantile >= 1.0 {
        let draft = checker.error(
            &at.then("quantile"),
            format!("`quantile` is {quantile}, expected more than 0 and less than 1"),
        );
        if (1.0..100.0).contains(&quantile) {
            draft.hint(format!("did you mean `{}`?", quantile / 100.0));
        } else {
            draft.hint("write 0.95 for the 95th percentile");
        }
    }
}

fn no_indicator(checker: &mut Checker<'_>, subject: &Subject<'_>, indicator: &IndicatorName) {
    let config = checker.config;
    let path = subject.when().then("indicator");
    let elsewhere: Vec<&str> = config
        .services
        .iter()
        .filter(|(_, service)| service.indicators.contains_key(indicator))
        .map(|(name, _)| name.as_str())
        .collect();
    if subject.is_explicit() && !elsewhere.is_empty() {
        checker
            .error(
                &path,
                format!("none of the services it watches has an indicator {}", quoted(indicator.as_str())),
            )
            .hint(format!("it belongs to: {}", elsewhere.join(", ")));
        return;
    }
    let all: BTreeSet<&str> = subject
        .watched
        .iter()
        .flat_map(|(_, service)| service.indicators.keys())
        .map(IndicatorName::as_str)
        .collect();
    let hint = choice(indicator.as_str(), "indicators", all)
        .unwrap_or_else(|| "the services it watches have no indicators at all".to_owned());
    checker
        .error(
            &path,
            format!("no service has an indicator {}, no source feeds it", quoted(indicator.as_str())),
        )
        .hint(hint);
}

/// Says of a limit what is wrong with it for each kind of indicator that it is compared with, once.
fn judge_limit(
    checker: &mut Checker<'_>,
    path: &Path,
    limit: Quantity,
    above: bool,
    kinds: impl Iterator<Item = Kind>,
) {
    let mut said = Vec::new();
    for kind in kinds {
        if said.contains(&kind) {
            continue;
        }
        said.push(kind);
        if let Some(fault) = limits::fault(limit, above, kind) {
            let draft = if fault.warning {
                checker.warn(path, fault.message)
            } else {
                checker.error(path, fault.message)
            };
            draft.hint(fault.hint);
        }
    }
}

/// Whether the window is long enough for the readings that a conclusion needs.
fn windows(
    checker: &mut Checker<'_>,
    subject: &Subject<'_>,
    over: Span,
    found: &[(&ServiceName, &IndicatorSpec)],
) {
    let config = checker.config;
    let slowest = found
        .iter()
        .filter_map(|(_, indicator)| {
            Some((&indicator.source, config.sources.get(&indicator.source)?.spacing()))
        })
        .max_by_key(|(_, interval)| *interval);
    if let Some((source, interval)) = slowest
        && over < twice(interval)
    {
        checker
            .warn(
                &subject.when().then("over"),
                format!(
                    "`over` is {}, but {} is read every {}",
                    human(*over),
                    quoted(source.as_str()),
                    human(*interval)
                ),
            )
            .hint(format!("a window needs two readings at least: write `{}` or more", twice(interval)));
    }
    // Only a gauge's samples are readings, and so bounded by the window.
    let mut most = 0;
    for (_, indicator) in found {
        let interval = config.sources.get(&indicator.source).map(SourceSpec::spacing);
        match (Kind::of(&indicator.read), interval) {
            (kind, Some(interval)) if kind.is_gauge() && !interval.is_zero() => {
                let readings = fits(over, interval);
                most = if subject.trigger.scope == Scope::Environment {
                    most + readings
                } else {
                    most.max(readings)
                };
            }
            _ => return,
        }
    }
    too_many_samples(checker, subject, most, "readings");
}

/// How many readings are in a window at most.
fn fits(over: Span, interval: Span) -> u64 {
    let count = over.as_millis() / interval.as_millis().max(1) + 1;
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn too_many_samples(checker: &mut Checker<'_>, subject: &Subject<'_>, most: u64, what: &str) {
    let wanted = subject.trigger.min_samples;
    if most > 0 && wanted > most {
        checker
            .error(
                &subject.at.then("min_samples"),
                format!(
                    "the trigger can never hold: it wants {wanted} {what}, its window has at most {most}"
                ),
            )
            .hint("make the window longer or `min_samples` smaller");
    }
}

/// Whether a trigger on one arm can hear anything of that arm.
fn arms(checker: &mut Checker<'_>, subject: &Subject<'_>, found: &[(&ServiceName, &IndicatorSpec)]) {
    let config = checker.config;
    let Some(arm) = subject.trigger.arm.filter(|_| subject.trigger.scope == Scope::Arm) else {
        return;
    };
    let mut known = found
        .iter()
        .filter_map(|(service, indicator)| {
            let probes = &config.services.get(*service)?.probes;
            Some((config.sources.get(&indicator.source)?, &indicator.read, probes))
        })
        .peekable();
    let silent =
        known.peek().is_some() && known.all(|(source, read, probes)| !source.tells_arms(read, probes));
    if silent {
        checker
            .warn(&subject.at.then("arm"), format!("no source tells what the {} does", word(arm)))
            .hint("say in the source's `arms` which label holds the arm; for the source `probe`, give probes an `arm`");
    }
}

const fn word(arm: Arm) -> &'static str {
    match arm {
        Arm::Stable => "stable arm",
        Arm::Canary => "canary",
    }
}
