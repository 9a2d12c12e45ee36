//! CloudWatch: the source, the metrics that indicators read there, and triggers on its alarms.

use super::Checker;
use super::indicators::placeholders;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::config::suggest::choice;
use crate::model::source::cloudwatch::{Metric, counts_events};
use crate::model::source::{CloudwatchSpec, IndicatorSpec, SeriesSpec, SourceSpec};
use crate::model::trigger::{Scope, TriggerSpec};
use crate::model::{SourceName, Span, TriggerName, placeholder};

/// Most ARNs that an alarm can tell, for each state.
const ACTIONS: usize = 5;

/// A metric, as an example.
const EXAMPLE: &str = "write it as the source of a graph in the AWS console has it, like \
                       '[\"AWS/ApplicationELB\", \"RequestCount\", \"LoadBalancer\", \"app/shop/50dc6c495c0c9188\"]'";

impl Checker<'_> {
    /// Checks the code of an AWS region.
    pub(super) fn region(&mut self, at: &Path, region: &str) {
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !region.contains('-') || !region.chars().all(valid) {
            self.error(&at.then("region"), format!("{} is not a region", quoted(region)))
                .hint("write its code, like `eu-central-1`");
        }
    }

    /// Checks that credentials for AWS are given in one way.
    pub(super) fn credentials_once(&mut self, at: &Path, profile: bool, keys: bool) {
        if profile && keys {
            self.error_at_key(&at.then("profile"), "there are credentials twice: `profile` and `keys`")
                .hint("keep one of the two");
        }
    }
}

/// Checks what is peculiar to a CloudWatch source.
pub(super) fn source(checker: &mut Checker<'_>, at: &Path, source: &CloudwatchSpec) {
    checker.region(at, &source.region);
    if let Some(endpoint) = &source.endpoint {
        checker.address(&at.then("endpoint"), endpoint);
    }
    checker.credentials_once(at, source.profile.is_some(), source.keys.is_some());
    if !is_period(source.period) && !source.period.is_zero() {
        checker
            .error(
                &at.then("period"),
                format!("`period` is {}, which CloudWatch does not have", source.period),
            )
            .hint("write `1s`, `5s`, `10s`, `20s`, `30s` or whole minutes");
    } else if source.stale_after < source.period && !source.stale_after.is_zero() {
        checker
            .error(
                &at.then("stale_after"),
                "`stale_after` is shorter than one `period`: nothing is ever taken",
            )
            .hint(format!(
                "write at least `{}`; data points come one to three minutes late",
                twice(source.period)
            ));
    }
    if let Some(arms) = &source.arms {
        for (key, is_said) in [("label", arms.label.is_some()), ("by_version", arms.by_version)] {
            if is_said {
                checker
                    .error(&at.then("arms").then(key), format!("`{key}` has no meaning for CloudWatch"))
                    .hint("metrics have dimensions: write `{arm}` into one, and what stands for it as `stable` and `canary`");
            }
        }
    }
    for (key, actions) in [("actions", &source.alarms.actions), ("ok_actions", &source.alarms.ok_actions)] {
        let at = at.then("alarms").then(key);
        if actions.len() > ACTIONS {
            checker
                .error(&at, format!("an alarm tells at most {ACTIONS}, and these are {}", actions.len()))
                .hint("a topic can have many who listen");
        }
        for (index, action) in actions.iter().enumerate().filter(|(_, action)| !action.starts_with("arn:")) {
            checker
                .error(&at.then(index), format!("{} is not an ARN", quoted(action)))
                .hint("write it in full, like `arn:aws:sns:eu-central-1:123456789012:on-call`");
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>
fn is_period(period: Span) -> bool {
    let (seconds, rest) = (period.as_secs(), period.subsec_nanos());
    rest == 0 && (matches!(seconds, 1 | 5 | 10 | 20 | 30) || seconds > 0 && seconds.is_multiple_of(60))
}

fn twice(span: Span) -> Span {
    super::environment::twice(span)
}

/// Whether an indicator's metrics can be read. Says what is wrong with them.
pub(super) fn metrics(checker: &mut Checker<'_>, indicator: &IndicatorSpec, read: &Path) -> bool {
    if matches!(indicator.read, SeriesSpec::Latency { .. }) {
        checker
            .error_at_key(read, "CloudWatch keeps no histograms to read a latency from")
            .hint("read a percentile as a gauge: `kind = \"gauge\"`, `unit = \"milliseconds\"`, with { \"stat\": \"p95\" } in the metric");
        return false;
    }
    let counts = !matches!(indicator.read, SeriesSpec::Gauge { .. });
    let mut fine = true;
    let mut by_arm = Vec::new();
    for (key, text) in indicator.read.series() {
        let path = read.then(key);
        let metric = match Metric::parse(text) {
            Ok(metric) => metric,
            Err(fault) => {
                checker.error(&path, format!("`{key}` is not a metric: {fault}")).hint(EXAMPLE);
                fine = false;
                continue;
            }
        };
        for part in metric.texts() {
            fine &= placeholders(checker, &path, part, &[placeholder::SERVICE, placeholder::ARM]);
        }
        by_arm.push(metric.texts().any(|part| placeholder::has(part, placeholder::ARM)));
        if let Some(stat) = metric.stat.filter(|stat| counts && !counts_events(stat)) {
            checker
                .error(&path, format!("`{key}` has to count events, and {} does not", quoted(&stat)))
                .hint("take `stat` out, or write `Sum` or `SampleCount`");
            fine = false;
        }
    }
    if fine
        && matches!(indicator.read, SeriesSpec::Ratio { .. })
        && by_arm.windows(2).any(|two| two[0] != two[1])
    {
        checker
            .error_at_key(read, "one of `bad` and `total` is read per `{arm}`, the other is not")
            .hint("both have to count the same events");
        fine = false;
    }
    fine
}

/// Checks a trigger on an alarm.
pub(super) fn alarm(
    checker: &mut Checker<'_>,
    name: &TriggerName,
    trigger: &TriggerSpec,
    source: &SourceName,
    alarm: &str,
) {
    let config = checker.config;
    let at = place!["triggers", name];
    let when = at.then("when");
    let keeps_alarms = |spec: &SourceSpec| matches!(spec, SourceSpec::Cloudwatch(_));
    let keepers =
        || config.sources.iter().filter(|(_, spec)| keeps_alarms(spec)).map(|(name, _)| name.as_str());
    match config.sources.get(source) {
        None => checker.unknown(
            &when.then("source"),
            "source",
            source.as_str(),
            config.sources.keys().map(SourceName::as_str),
        ),
        Some(spec) if !keeps_alarms(spec) => {
            let hint = choice(source.as_str(), "sources that do", keepers())
                .unwrap_or_else(|| "add a source of `kind = \"cloudwatch\"`".to_owned());
            checker
                .error(
                    &when.then("source"),
                    format!("the source {} keeps no alarms", quoted(source.as_str())),
                )
                .hint(hint);
        }
        Some(_) => {}
    }
    if alarm.trim().is_empty() {
        checker
            .error(&when.then("alarm"), "`alarm` is empty")
            .hint("write the alarm's name, as AWS shows it");
        return;
    }
    placeholders(checker, &when.then("alarm"), alarm, &[placeholder::SERVICE]);
    if trigger.scope == Scope::Environment {
        checker
            .error(&at.then("scope"), "an alarm speaks of services, not of the environment")
            .hint("take `scope` out, and name the `services` that it speaks of");
    }
    if trigger.services.is_none()
        && config.services.len() > 1
        && !placeholder::has(alarm, placeholder::SERVICE)
    {
        checker
            .error_at_key(
                &at,
                "nothing says of which service the alarm speaks: all of them would be rolled back",
            )
            .hint("add `services`, or write `{service}` into the alarm's name");
    }
    if checker.is_written(&at.then("min_samples")) {
        checker
            .warn(&at.then("min_samples"), "`min_samples` has no meaning for an alarm")
            .hint("how much data it wants is a matter of the alarm itself");
    }
}
