//! How a metric of CloudWatch is written: as one element of `metrics` in the source of a dashboard, which the AWS console
//! shows for every graph. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>

use std::borrow::Cow;

use serde_json::Value;

use crate::model::release::Arm;
use crate::model::{ServiceName, placeholder};

use super::ArmLabel;

/// Most dimensions of a metric.
const DIMENSIONS: usize = 30;

/// A metric and the statistic that is asked of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metric {
    /// The namespace, like `AWS/ApplicationELB`.
    pub namespace: String,
    /// The name, like `RequestCount`.
    pub name: String,
    /// Names and values, in the order they are written. A metric with other dimensions is another metric.
    pub dimensions: Vec<(String, String)>,
    /// `Sum`, `Average`, `p95`…, if one is written.
    pub stat: Option<String>,
}

impl Metric {
    /// Reads a metric: `["NAMESPACE", "NAME", "DIMENSION", "VALUE", …, { "stat": "Sum" }]`. The error is in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Ok(Value::Array(mut items)) = serde_json::from_str(text) else {
            return Err("it is not a JSON array".to_owned());
        };
        let mut stat = None;
        if let Some(Value::Object(_)) = items.last()
            && let Some(Value::Object(options)) = items.pop()
        {
            for (key, value) in options {
                match (key.as_str(), value) {
                    ("stat", Value::String(word)) => stat = Some(statistic(&word)?.to_owned()),
                    ("stat", _) => return Err("`stat` is not a string".to_owned()),
                    ("expression", _) => {
                        return Err("it is an expression, and only a metric can be read".to_owned());
                    }
                    ("period", _) => return Err("the `period` is the source's".to_owned()),
                    ("region" | "accountId", _) => {
                        return Err(format!("the `{key}` is the source's: write a second source"));
                    }
                    // How a graph is drawn.
                    ("label" | "id" | "color" | "yAxis" | "visible", _) => {}
                    (other, _) => return Err(format!("there is no option `{other}`")),
                }
            }
        }
        let words = items.into_iter().map(|item| match item {
            Value::String(word) if word == "." || word == "..." => {
                Err(format!("`{word}` stands for what another metric has: write it out"))
            }
            Value::String(word) if word.trim().is_empty() => Err("it has an empty name".to_owned()),
            Value::String(word) => Ok(word),
            other => Err(format!("`{other}` is not a string")),
        });
        let mut words = words.collect::<Result<Vec<_>, _>>()?.into_iter();
        let (Some(namespace), Some(name)) = (words.next(), words.next()) else {
            return Err("it needs a namespace and a name at least".to_owned());
        };
        let mut dimensions = Vec::new();
        while let Some(dimension) = words.next() {
            let value = words.next().ok_or_else(|| format!("the dimension `{dimension}` has no value"))?;
            dimensions.push((dimension, value));
        }
        if dimensions.len() > DIMENSIONS {
            return Err(format!("it has more than {DIMENSIONS} dimensions"));
        }
        Ok(Self { namespace, name, dimensions, stat })
    }

    /// The metric of one service and one arm. `arms` says what stands for `{arm}`.
    #[must_use]
    pub fn of(&self, service: &ServiceName, arm: Option<Arm>, arms: Option<&ArmLabel>) -> Self {
        self.filled(|name| match (name, arm) {
            (placeholder::SERVICE, _) => Some(Cow::Borrowed(service.as_str())),
            (placeholder::ARM, Some(arm)) => Some(Cow::Borrowed(match (arms, arm) {
                (Some(arms), Arm::Stable) => arms.stable.as_str(),
                (Some(arms), Arm::Canary) => arms.canary.as_str(),
                (None, arm) => arm.word(),
            })),
            _ => None,
        })
    }

    fn filled<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Self {
        let fill = |text: &str| placeholder::fill(text, &value);
        Self {
            namespace: fill(&self.namespace),
            name: fill(&self.name),
            dimensions: self.dimensions.iter().map(|(name, value)| (name.clone(), fill(value))).collect(),
            stat: self.stat.clone(),
        }
    }

    /// Every text in it that may hold a placeholder.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let dimensions = self.dimensions.iter().map(|(_, value)| value.as_str());
        [self.namespace.as_str(), self.name.as_str()].into_iter().chain(dimensions)
    }
}

/// For people: the statistic, the metric, and its dimensions.
impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(stat) = &self.stat {
            write!(f, "{stat} of ")?;
        }
        write!(f, "{} {}", self.namespace, self.name)?;
        let dimensions: Vec<String> =
            self.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if dimensions.is_empty() { Ok(()) } else { write!(f, " ({})", dimensions.join(", ")) }
    }
}

/// Whether a statistic counts events, so that two of it can be divided and one of it be a rate.
pub fn counts_events(stat: &str) -> bool {
    matches!(stat, "Sum" | "SampleCount")
}

/// The statistics that `GetMetricData` takes.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
fn statistic(word: &str) -> Result<&str, String> {
    let is_plain = matches!(word, "Sum" | "SampleCount" | "Average" | "Minimum" | "Maximum" | "IQM");
    let is_percentile = ["p", "tm", "wm", "tc", "ts"].iter().any(|kind| {
        word.strip_prefix(kind)
            .and_then(|share| share.parse::<f64>().ok())
            .is_some_and(|share| share > 0.0 && share <= 100.0)
    });
    let is_range = ["PR(", "TM(", "WM(", "TC(", "TS("]
        .iter()
        .any(|kind| word.starts_with(kind) && word.ends_with(')') && word.contains(':'));
    if is_plain || is_percentile || is_range {
        return Ok(word);
    }
    Err(format!("`{word}` is not a statistic, like `Sum`, `Average`, `Maximum` or `p95`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the console shows of a graph can be pasted; what cannot be read says why.
    #[test]
    fn a_metric_as_a_dashboard_has_it() {
        let text =
            r#"["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "TargetGroup", "targetgroup/{arm}/73e2",
            { "stat": "Sum", "label": "bad", "color": "\#d62728", "id": "m1" }]"#
                .replace("\\#", "#");
        let metric = Metric::parse(&text).unwrap();
        assert_eq!((metric.namespace.as_str(), metric.stat.as_deref()), ("AWS/ApplicationELB", Some("Sum")));
        let filled = metric.filled(|name| (name == "arm").then_some("blue".into()));
        assert_eq!(
            filled.to_string(),
            "Sum of AWS/ApplicationELB HTTPCode_Target_5XX_Count (TargetGroup=targetgroup/blue/73e2)"
        );
        for (text, says) in [
            ("RequestCount", "not a JSON array"),
            (r#"["AWS/ELB"]"#, "a namespace and a name"),
            (r#"["A", "B", "Service"]"#, "`Service` has no value"),
            (r#"["A", "B", 5, "x"]"#, "`5` is not a string"),
            (r#"["A", "B", { "stat": "Mean" }]"#, "`Mean` is not a statistic"),
            (r#"["A", "B", { "stat": "p0" }]"#, "`p0` is not a statistic"),
            (r#"["A", ".", ".", "x"]"#, "write it out"),
            (r#"[{ "expression": "m1/m2" }]"#, "an expression"),
            (r#"["A", "B", { "period": 60 }]"#, "the `period` is the source's"),
            (r#"["A", "B", { "statistic": "Sum" }]"#, "no option `statistic`"),
        ] {
            let error = Metric::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        for stat in ["p95", "p99.9", "Maximum", "tm99", "PR(:300)"] {
            Metric::parse(&format!(r#"["A", "B", {{ "stat": "{stat}" }}]"#)).unwrap();
        }
    }
}
