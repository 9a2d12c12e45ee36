//! Alarms that a metric service keeps by itself: which ones the triggers watch, and which ones would do the work of the
//! triggers. Pure: all of it follows from the config.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::Config;
use crate::model::alarm::{AlarmDefinition, LeftOut, Measure};
use crate::model::release::Arm;
use crate::model::source::cloudwatch::Metric;
use crate::model::source::{CloudwatchSpec, SeriesSpec, SourceSpec};
use crate::model::trigger::{Condition, OutOf, Scope, TriggerSpec};
use crate::model::units::human;
use crate::model::{Quantity, ServiceName, SourceName, TriggerName};

use super::senses;

/// What an alarm may look back over: a day, or a week with periods of an hour or more.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;

/// The longest name of an alarm, in characters.
const LONGEST_NAME: usize = 255;

/// The names of the alarms of a source that triggers watch, each once.
pub fn watched(config: &Config, source: &SourceName) -> Vec<String> {
    let names: BTreeSet<String> = config
        .triggers
        .values()
        .flat_map(|spec| senses::watched(config, spec).filter_map(|service| spec.when.alarm(service)))
        .filter(|(of, _)| *of == source)
        .map(|(_, name)| name)
        .collect();
    names.into_iter().collect()
}

/// The alarms that do the work of the triggers on indicators of CloudWatch, and the triggers that no alarm can stand for.
pub fn wanted(config: &Config) -> (Vec<AlarmDefinition>, Vec<LeftOut>) {
    let (mut alarms, mut left_out) = (Vec::new(), Vec::new());
    for (trigger, spec) in &config.triggers {
        let Condition::Threshold { indicator, .. } = &spec.when else { continue };
        for service in senses::watched(config, spec) {
            let Some(known) = config.services.get(service) else { continue };
            let Some(read) = known.indicators.get(indicator) else { continue };
            let Some(SourceSpec::Cloudwatch(source)) = config.sources.get(&read.source) else { continue };
            let subject = Subject { config, trigger, spec, service, source };
            match subject.alarms(&read.source, &read.read) {
                Ok(made) => alarms.extend(made),
                Err(reason) => left_out.push(LeftOut {
                    trigger: trigger.clone(),
                    service: Some(service.clone()),
                    reason,
                }),
            }
        }
    }
    (alarms, left_out)
}

/// A trigger on an indicator of one service.
struct Subject<'a> {
    config: &'a Config,
    trigger: &'a TriggerName,
    spec: &'a TriggerSpec,
    service: &'a ServiceName,
    source: &'a CloudwatchSpec,
}

/// When an alarm goes off.
struct Rhythm {
    /// The length of a data point in seconds.
    period: i64,
    evaluations: u32,
    breaches: u32,
}

impl Subject<'_> {
    fn alarms(&self, source: &SourceName, read: &SeriesSpec) -> Result<Vec<AlarmDefinition>, String> {
        let Condition::Threshold { indicator, above, below, over, hold, out_of, .. } = &self.spec.when else {
            return Ok(Vec::new());
        };
        let (limit, is_above) = match (above, below) {
            (Some(limit), _) => (limit, true),
            (None, Some(limit)) => (limit, false),
            (None, None) => return Err("it has no limit".to_owned()),
        };
        let by_arm = read.asks_by_arm();
        if self.spec.scope == Scope::Environment {
            return Err("an alarm stands for one service, and the trigger adds all of them up".to_owned());
        }
        if self.spec.scope == Scope::Service && by_arm {
            return Err("an alarm stands for one arm, and the trigger adds them up".to_owned());
        }
        let rhythm = self.rhythm(**over, **hold, *out_of)?;
        let arms: Vec<Option<Arm>> = match (by_arm, self.spec.arm) {
            (false, _) => vec![None],
            (true, Some(arm)) => vec![Some(arm)],
            (true, None) => Arm::ALL.into_iter().map(Some).collect(),
        };
        let made = arms.into_iter().map(|arm| {
            let end = arm.map_or_else(String::new, |arm| format!("-{}", arm.word()));
            let environment = &self.config.environment.name;
            let name =
                format!("{}{environment}-{}-{}{end}", self.source.alarms.prefix, self.service, self.trigger);
            if name.chars().count() > LONGEST_NAME {
                return Err(format!("the alarm's name would be longer than {LONGEST_NAME} characters"));
            }
            let (measure, threshold) = self.measure(read, arm, *limit)?;
            let of = arm.map_or_else(String::new, |arm| format!(" ({})", arm.word()));
            let side = if is_above { "above" } else { "below" };
            let description = format!(
                "{indicator} of {}{of} in {environment} {side} {limit} over {}. Made by unship from its trigger {}.",
                self.service,
                human(**over),
                self.trigger
            );
            Ok(AlarmDefinition {
                name,
                description,
                source: source.clone(),
                trigger: self.trigger.clone(),
                service: self.service.clone(),
                arm,
                measure,
                above: is_above,
                threshold,
                period: rhythm.period,
                evaluations: rhythm.evaluations,
                breaches: rhythm.breaches,
                no_data: self.spec.no_data,
                actions: self.source.alarms.actions.clone(),
                ok_actions: self.source.alarms.ok_actions.clone(),
            })
        });
        made.collect()
    }

    /// A window becomes a data point, so that what is compared is worked out over the same time; what has to hold for a time
    /// becomes that many data points more.
    fn rhythm(&self, over: Duration, hold: Duration, out_of: Option<OutOf>) -> Result<Rhythm, String> {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX / 4);
        let (over_s, shortest) = (seconds(over), seconds(self.source.period.0));
        let period = if shortest < 60 && matches!(over_s, 10 | 20 | 30) && over_s >= shortest {
            over_s
        } else {
            (over_s.max(shortest).max(60) + 59) / 60 * 60
        };
        let (evaluations, breaches) = if let Some(out_of) = out_of {
            (out_of.evaluations, out_of.breaches)
        } else {
            let more = u32::try_from((seconds(hold) + period - 1) / period).unwrap_or(u32::MAX - 1);
            (more + 1, more + 1)
        };
        let longest = if period >= 3_600 { WEEK } else { DAY };
        if period.saturating_mul(i64::from(evaluations)) > longest {
            return Err(format!(
                "an alarm looks back over {} at most, and this would need {evaluations} data points of {}",
                human(Duration::from_secs(longest.unsigned_abs())),
                human(Duration::from_secs(period.unsigned_abs()))
            ));
        }
        Ok(Rhythm { period, evaluations, breaches })
    }

    /// What is compared, and with what, in the unit of the metric.
    fn measure(
        &self,
        read: &SeriesSpec,
        arm: Option<Arm>,
        limit: Quantity,
    ) -> Result<(Measure, f64), String> {
        let metric = |text: &str, stat: &str| {
            let mut metric = Metric::parse(text)?.of(self.service, arm, self.source.arms.as_ref());
            metric.stat.get_or_insert_with(|| stat.to_owned());
            Ok::<_, String>(metric)
        };
        // Fewer events than the trigger wants are no data point.
        let enough = |metric: &str, value: String| match self.spec.min_samples {
            0 | 1 => value,
            least => format!("IF({metric} >= {least}, {value})"),
        };
        Ok(match read {
            SeriesSpec::Ratio { bad, total, absent_is_zero } => {
                let bad_or_zero = if *absent_is_zero { "FILL(bad, 0)" } else { "bad" };
                let expression = enough("total", format!("{bad_or_zero} / total"));
                let metrics = vec![("bad", metric(bad, "Sum")?), ("total", metric(total, "Sum")?)];
                (Measure::Math { metrics, expression }, limit.value)
            }
            SeriesSpec::Rate { counter } => {
                let metrics = vec![("events", metric(counter, "Sum")?)];
                (Measure::Math { metrics, expression: "events / PERIOD(events)".to_owned() }, limit.value)
            }
            SeriesSpec::Gauge { series, divide_by: Some(by), .. } => {
                let metrics = vec![("value", metric(series, "Average")?), ("by", metric(by, "Average")?)];
                (Measure::Math { metrics, expression: "value / by".to_owned() }, limit.value)
            }
            SeriesSpec::Gauge { series, divide_by: None, unit } => {
                (Measure::Metric(metric(series, "Average")?), limit.value / unit.scale())
            }
            SeriesSpec::Latency { .. } => return Err("CloudWatch keeps no histograms".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests;
