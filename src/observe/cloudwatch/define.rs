//! Making alarms, and telling what that would change. `PutMetricAlarm` replaces the whole alarm:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::model::alarm::{AlarmChange, AlarmDefinition, Measure};
use crate::model::source::CloudwatchSpec;
use crate::model::trigger::NoData;
use crate::observe::http::Client;

use super::Known;
use super::api::{Api, Fault, metric_stat};

/// Everything that an alarm can be given, in the order that differences are told in.
const KEYS: [&str; 22] = [
    "AlarmDescription",
    "Metrics",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Unit",
    "Period",
    "ComparisonOperator",
    "Threshold",
    "ThresholdMetricId",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "EvaluationCriteria",
    "EvaluationInterval",
];

/// What making each of the alarms would change, in their order. An error is in words.
pub(in crate::observe) async fn compare(
    spec: &CloudwatchSpec,
    alarms: &[&AlarmDefinition],
    client: &Client,
) -> Result<Vec<AlarmChange>, String> {
    let mut api = Api::new(spec, client);
    let names: Vec<String> = alarms.iter().map(|alarm| alarm.name.clone()).collect();
    let deadline = Instant::now() + spec.timeout.0;
    let known = api.described(&names, client, deadline).await.map_err(|fault| words(&api, &fault))?;
    Ok(alarms.iter().map(|alarm| change(alarm, &known)).collect())
}

/// Makes one alarm, whatever there was of its name. An error is in words.
pub(in crate::observe) async fn apply(
    spec: &CloudwatchSpec,
    alarm: &AlarmDefinition,
    client: &Client,
) -> Result<(), String> {
    let mut api = Api::new(spec, client);
    let deadline = Instant::now() + spec.timeout.0;
    // It answers with nothing at all, or with an empty object.
    let made: Result<Value, Fault> = api.call(client, "PutMetricAlarm", &request(alarm), deadline).await;
    made.map(drop).map_err(|fault| words(&api, &fault))
}

fn words(api: &Api, fault: &Fault) -> String {
    format!("`{}`: {}", api.shown(), fault.words)
}

/// The request that makes it.
fn request(alarm: &AlarmDefinition) -> Value {
    let operator = if alarm.above { "GreaterThanThreshold" } else { "LessThanThreshold" };
    let missing = match alarm.no_data {
        NoData::Unknown => "missing",
        NoData::Ok => "notBreaching",
        NoData::Breach => "breaching",
    };
    let mut request = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "ActionsEnabled": true,
        "ComparisonOperator": operator,
        "Threshold": alarm.threshold,
        "EvaluationPeriods": alarm.evaluations,
        "DatapointsToAlarm": alarm.breaches,
        "TreatMissingData": missing,
        "AlarmActions": alarm.actions,
        "OKActions": alarm.ok_actions,
        "InsufficientDataActions": [],
    });
    match &alarm.measure {
        Measure::Metric(metric) => {
            let stat = metric_stat(metric, alarm.period);
            for key in ["Namespace", "MetricName", "Dimensions"] {
                request[key] = stat["Metric"][key].clone();
            }
            request["Period"] = alarm.period.into();
            // A percentile and its kin go under another key.
            let stat = metric.stat.as_deref().unwrap_or("Average");
            let is_plain = matches!(stat, "Sum" | "SampleCount" | "Average" | "Minimum" | "Maximum");
            request[if is_plain { "Statistic" } else { "ExtendedStatistic" }] = stat.into();
        }
        Measure::Math { metrics, expression } => {
            let mut parts: Vec<Value> = metrics
                .iter()
                .map(|(id, metric)| {
                    json!({ "Id": id, "MetricStat": metric_stat(metric, alarm.period), "ReturnData": false })
                })
                .collect();
            parts.push(json!({ "Id": "measure", "Expression": expression, "ReturnData": true }));
            request["Metrics"] = parts.into();
        }
    }
    request
}

fn change(alarm: &AlarmDefinition, known: &Known) -> AlarmChange {
    let Some(there) = known.get(&alarm.name) else { return AlarmChange::Create };
    if there.get("AlarmRule").is_some() {
        let reason = "a composite alarm has this name".to_owned();
        return AlarmChange::Refused { reason };
    }
    let wanted = request(alarm);
    let differences: Vec<String> = KEYS
        .iter()
        .filter_map(|key| {
            let (was, is) = (normal(key, there.get(*key)), normal(key, wanted.get(*key)));
            (was != is).then(|| format!("`{key}`: {} → {}", shown(&was), shown(&is)))
        })
        .collect();
    if differences.is_empty() { AlarmChange::Unchanged } else { AlarmChange::Update { differences } }
}

/// A value in the one form that two of the same meaning share: without what is the default, numbers as such, sets in order.
fn normal(key: &str, value: Option<&Value>) -> Value {
    match value {
        None | Some(Value::Null) => Value::Null,
        Some(Value::Array(items)) if items.is_empty() => Value::Null,
        Some(Value::Array(items)) => {
            let mut items: Vec<Value> = items.iter().map(|item| normal("", Some(item))).collect();
            // Actions, dimensions and metrics are sets.
            items.sort_by_key(Value::to_string);
            items.into()
        }
        Some(Value::Object(object)) => {
            let entries = object.iter().filter(|(key, value)| {
                // A metric in an expression is returned unless it says otherwise.
                !(value.is_null() || *key == "ReturnData" && value.as_bool() == Some(true))
            });
            let entries = entries.map(|(key, value)| (key.clone(), normal(key, Some(value))));
            entries.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
        }
        Some(Value::Number(number)) => number.as_f64().map_or(Value::Null, Value::from),
        Some(Value::Bool(true)) if key == "ActionsEnabled" => Value::Null,
        Some(Value::String(text)) if key == "TreatMissingData" && text == "missing" => Value::Null,
        Some(other) => other.clone(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "the default".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::source::cloudwatch::Metric;

    fn metric(name: &str, stat: &str) -> Metric {
        let text =
            format!(r#"["Shop", "{name}", "Service", "checkout", "Arm", "canary", {{ "stat": "{stat}" }}]"#);
        Metric::parse(&text).unwrap()
    }

    fn alarm(measure: Measure) -> AlarmDefinition {
        AlarmDefinition {
            name: "unship-production-checkout-errors".to_owned(),
            description: "errors".to_owned(),
            source: "aws".into(),
            trigger: "errors".into(),
            service: "checkout".into(),
            arm: None,
            measure,
            above: true,
            threshold: 0.05,
            period: 60,
            evaluations: 3,
            breaches: 3,
            no_data: NoData::Unknown,
            actions: vec!["arn:aws:sns:eu-central-1:123456789012:on-call".to_owned()],
            ok_actions: Vec::new(),
        }
    }

    fn known(there: Value) -> Known {
        [(there["AlarmName"].as_str().unwrap_or_default().to_owned(), there)].into()
    }

    /// What was made and comes back in AWS's own form, with its defaults and in another order, is not a change; anything
    /// else is, also what was set by hand and would be lost.
    #[test]
    fn what_is_different_is_said() {
        let math = Measure::Math {
            metrics: vec![("bad", metric("Errors", "Sum")), ("total", metric("Requests", "Sum"))],
            expression: "bad / total".to_owned(),
        };
        let wanted = alarm(math);
        let mut there = request(&wanted);
        there["StateValue"] = json!("OK");
        there["AlarmArn"] = json!("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:x");
        there["EvaluationPeriods"] = json!(3.0);
        there.as_object_mut().unwrap().remove("TreatMissingData");
        there.as_object_mut().unwrap().remove("OKActions");
        let metrics = there["Metrics"].as_array_mut().unwrap();
        metrics.reverse();
        metrics[0].as_object_mut().unwrap().remove("ReturnData");
        assert_eq!(change(&wanted, &known(there.clone())), AlarmChange::Unchanged);
        assert_eq!(change(&wanted, &Known::new()), AlarmChange::Create);

        there["Threshold"] = json!(0.1);
        there["ActionsEnabled"] = json!(false);
        there["Metrics"][0]["Expression"] = json!("bad / 2");
        let AlarmChange::Update { differences } = change(&wanted, &known(there)) else { panic!() };
        assert_eq!(differences.len(), 3, "{differences:?}");
        assert!(differences[0].starts_with("`Metrics`: ["), "{differences:?}");
        assert_eq!(differences[1..], ["`Threshold`: 0.1 → 0.05", "`ActionsEnabled`: false → the default"]);

        let plain = alarm(Measure::Metric(metric("Latency", "p95")));
        let mut there = request(&plain);
        assert_eq!((&there["ExtendedStatistic"], &there["Period"]), (&json!("p95"), &json!(60)));
        there["Unit"] = json!("Seconds");
        let AlarmChange::Update { differences } = change(&plain, &known(there)) else { panic!() };
        assert_eq!(differences, ["`Unit`: \"Seconds\" → the default"]);

        let composite = json!({ "AlarmName": plain.name, "AlarmRule": "ALARM(a)" });
        assert!(matches!(change(&plain, &known(composite)), AlarmChange::Refused { .. }));
    }
}
