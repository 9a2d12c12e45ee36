//! Alarms as an Alertmanager writes them: its webhook (version 4) and its API (version 2).
//!
//! Fields that are not known are passed over; newer versions add some. What has to be there and is not is named with its
//! place. <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{AlarmReport, AlarmSource, Muted};

/// The version of the webhook that is understood.
pub const WEBHOOK_VERSION: &str = "4";

/// Reads what a webhook sends: its alarms, and how many were left out. An error is in words and shows none of the texts.
pub fn webhook(body: &Value) -> Result<(Vec<AlarmReport>, u64), String> {
    let object = body.as_object().ok_or("the body is no JSON object")?;
    match object.get("version") {
        Some(Value::String(version)) if version == WEBHOOK_VERSION => {}
        Some(Value::String(version)) => {
            let shown: String = version.chars().take(20).collect();
            return Err(format!(
                "`version` is `{shown}`, expected `{WEBHOOK_VERSION}`: this is not a webhook of Alertmanager that is understood"
            ));
        }
        _ => {
            return Err(format!(
                "`version` is missing, expected `{WEBHOOK_VERSION}`: send what Alertmanager sends by itself, or use \
                 `/api/v1/alarms`"
            ));
        }
    }
    let alerts =
        object.get("alerts").and_then(Value::as_array).ok_or("`alerts` is missing, expected a list")?;
    let truncated = object.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or(0);
    let reports = alerts.iter().enumerate().map(|(index, alert)| {
        let at = |field: &str| format!("`alerts[{index}].{field}`");
        let alert = alert.as_object().ok_or_else(|| format!("`alerts[{index}]` is no object"))?;
        let firing = match alert.get("status").and_then(Value::as_str) {
            Some("firing") => true,
            Some("resolved") => false,
            _ => return Err(format!("{} is missing, expected `firing` or `resolved`", at("status"))),
        };
        report(alert, firing, None, &at)
    });
    Ok((reports.collect::<Result<_, String>>()?, truncated))
}

/// Reads what `GET /api/v2/alerts` answers: the alarms that fire there, also those that nobody is told of.
pub fn listed(body: &Value) -> Result<Vec<AlarmReport>, String> {
    let alerts = body.as_array().ok_or("the answer is no list of alerts")?;
    let reports = alerts.iter().enumerate().map(|(index, alert)| {
        let at = |field: &str| format!("`[{index}].{field}`");
        let alert = alert.as_object().ok_or_else(|| format!("`[{index}]` is no object"))?;
        let status = alert.get("status").and_then(Value::as_object);
        let names = |field: &str| {
            status.and_then(|status| status.get(field)?.as_array()).is_some_and(|names| !names.is_empty())
        };
        let muted = match status.and_then(|status| status.get("state")?.as_str()) {
            Some("suppressed") if names("inhibitedBy") && !names("silencedBy") => Some(Muted::Inhibited),
            Some("suppressed") => Some(Muted::Silenced),
            _ => None,
        };
        report(alert, true, muted, &at)
    });
    reports.collect()
}

fn report(
    alert: &Map<String, Value>,
    firing: bool,
    muted: Option<Muted>,
    at: &dyn Fn(&str) -> String,
) -> Result<AlarmReport, String> {
    let labels = texts(alert, "labels", at)?;
    let annotations = texts(alert, "annotations", at)?;
    let fingerprint = alert.get("fingerprint").and_then(Value::as_str).unwrap_or_default();
    if fingerprint.is_empty() {
        return Err(format!("{} is missing", at("fingerprint")));
    }
    let starts_at = time(alert, "startsAt", at)?.ok_or_else(|| format!("{} is missing", at("startsAt")))?;
    let ends_at = time(alert, "endsAt", at)?;
    // One that has no end goes on, whatever its status is called.
    let firing = firing || ends_at.is_none();
    let name = labels.get("alertname").cloned().unwrap_or_else(|| fingerprint.to_owned());
    let report = AlarmReport {
        source: AlarmSource::Alertmanager,
        name,
        fingerprint: fingerprint.to_owned(),
        firing,
        starts_at: Some(starts_at),
        ends_at: if firing { None } else { ends_at },
        labels,
        annotations,
        muted,
    };
    Ok(report.bounded())
}

fn texts(
    alert: &Map<String, Value>,
    field: &str,
    at: &dyn Fn(&str) -> String,
) -> Result<BTreeMap<String, String>, String> {
    let object = match alert.get(field) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(object)) => object,
        Some(_) => return Err(format!("{} is no object of texts", at(field))),
    };
    let texts = object.iter().map(|(key, value)| match value {
        Value::String(text) => Ok((key.clone(), text.clone())),
        _ => Err(format!("{} holds something that is no text", at(field))),
    });
    texts.collect()
}

/// A time; none for the year 1, which is how Go writes that there is none.
fn time(
    alert: &Map<String, Value>,
    field: &str,
    at: &dyn Fn(&str) -> String,
) -> Result<Option<Timestamp>, String> {
    let Some(value) = alert.get(field).filter(|value| !value.is_null()) else { return Ok(None) };
    let time: Timestamp = value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{} is no time, expected one like `2026-11-26T07:00:00Z`", at(field)))?;
    Ok((time.as_second() > YEAR_ONE_ENDS).then_some(time))
}

/// The last second of the year 1.
const YEAR_ONE_ENDS: i64 = -62_104_060_801;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn alert(status: &str, ends_at: &str) -> Value {
        json!({
            "status": status, "labels": { "alertname": "Down", "job": "shop" }, "annotations": {},
            "startsAt": "2026-11-26T07:00:00.5Z", "endsAt": ends_at, "generatorURL": "http://x",
            "fingerprint": "f00d", "somethingNew": [1]
        })
    }

    fn message(alerts: &[Value]) -> Value {
        json!({
            "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 3, "status": "firing", "receiver": "unship",
            "notification_reason": "new", "routeLabels": {}, "alerts": alerts
        })
    }

    const ZERO: &str = "0001-01-01T00:00:00Z";
    const LATER: &str = "2026-11-26T08:00:00+01:00";

    /// An alarm without an end fires, one with an end is over, and what is not known of the message does not matter.
    #[test]
    fn what_a_webhook_says() {
        for (status, ends_at, firing, ended) in [
            ("firing", ZERO, true, None),
            ("resolved", LATER, false, Some(LATER)),
            // What has no end goes on.
            ("resolved", ZERO, true, None),
            ("firing", LATER, true, None),
        ] {
            let (reports, truncated) = webhook(&message(&[alert(status, ends_at)])).unwrap();
            assert_eq!(truncated, 3);
            assert_eq!(reports[0].firing, firing, "{status} {ends_at}");
            assert_eq!(reports[0].ends_at, ended.map(|text| text.parse().unwrap()), "{status} {ends_at}");
            assert_eq!((reports[0].name.as_str(), reports[0].fingerprint.as_str()), ("Down", "f00d"));
            assert_eq!(reports[0].starts_at, Some("2026-11-26T07:00:00.5Z".parse().unwrap()));
        }
    }

    /// A message that is not understood is refused with the place where it is wrong, not taken in half.
    #[test]
    fn what_is_not_understood() {
        let change = |field: &str, value: Value| {
            let mut one = alert("firing", ZERO);
            one[field] = value;
            message(&[alert("firing", ZERO), one])
        };
        let mut old = message(&[]);
        old["version"] = json!("3");
        let mut none = message(&[]);
        none["alerts"] = json!({});
        for (body, said) in [
            (json!([]), "no JSON object"),
            (json!({}), "`version` is missing, expected `4`"),
            (old, "`version` is `3`, expected `4`"),
            (none, "`alerts` is missing"),
            (message(&[json!(1)]), "`alerts[0]` is no object"),
            (
                change("status", json!("odd")),
                "`alerts[1].status` is missing, expected `firing` or `resolved`",
            ),
            (change("startsAt", json!("soon")), "`alerts[1].startsAt` is no time"),
            (change("startsAt", json!(ZERO)), "`alerts[1].startsAt` is missing"),
            (change("endsAt", json!(5)), "`alerts[1].endsAt` is no time"),
            (change("fingerprint", json!("")), "`alerts[1].fingerprint` is missing"),
            (change("labels", json!({ "a": 1 })), "`alerts[1].labels` holds something that is no text"),
            (change("annotations", json!("a")), "`alerts[1].annotations` is no object of texts"),
        ] {
            let error = webhook(&body).unwrap_err();
            assert!(error.contains(said), "{error:?} lacks {said:?}");
        }
    }

    /// Who is silenced and who is inhibited is told apart; both still fire.
    #[test]
    fn what_the_api_lists() {
        let with = |state: &str, silenced: &[&str], inhibited: &[&str]| {
            let mut one = alert("", LATER);
            one["status"] = json!({ "state": state, "silencedBy": silenced, "inhibitedBy": inhibited });
            one
        };
        let body = json!([
            with("active", &[], &[]),
            with("unprocessed", &[], &[]),
            with("suppressed", &["s"], &[]),
            with("suppressed", &[], &["f"]),
            with("suppressed", &["s"], &["f"]),
        ]);
        let reports = listed(&body).unwrap();
        let muted: Vec<_> = reports.iter().map(|report| report.muted).collect();
        let (silenced, inhibited) = (Some(Muted::Silenced), Some(Muted::Inhibited));
        assert_eq!(muted, [None, None, silenced, inhibited, silenced]);
        assert!(reports.iter().all(|report| report.firing && report.ends_at.is_none()));
        assert!(listed(&json!({})).is_err());
    }
}
