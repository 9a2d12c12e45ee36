//! Alarms as plain JSON: `{"name": "DiskFull", "status": "firing", "service": "checkout"}`, one or a list.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::received::{AlarmReport, AlarmSource};

/// An alarm as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    name: String,
    status: Status,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    starts_at: Option<Timestamp>,
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// Tells it from others of its name; without it, its labels do.
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Status {
    Firing,
    Resolved,
}

/// The alarms of a body.
pub(super) fn read(body: &Value) -> Result<Vec<AlarmReport>, String> {
    match body {
        Value::Array(list) => {
            let alarms = list.iter().enumerate();
            alarms.map(|(index, one)| report(one).map_err(|why| format!("`[{index}]`: {why}"))).collect()
        }
        one => Ok(vec![report(one)?]),
    }
}

fn report(value: &Value) -> Result<AlarmReport, String> {
    let plain = Plain::deserialize(value).map_err(|error| {
        format!("{error}; expected at least `name` and `status` (`firing` or `resolved`)")
    })?;
    if plain.name.trim().is_empty() {
        return Err("`name` is empty: it is what people read".to_owned());
    }
    let mut labels = plain.labels;
    for (label, value) in [("service", plain.service), ("severity", plain.severity)] {
        if let Some(value) = value {
            labels.insert(label.to_owned(), value);
        }
    }
    let firing = plain.status == Status::Firing;
    let fingerprint = match plain.id {
        Some(id) if !id.trim().is_empty() => id,
        _ => hash(&plain.name, &labels),
    };
    let report = AlarmReport {
        source: AlarmSource::Json,
        name: plain.name,
        fingerprint,
        firing,
        starts_at: plain.starts_at,
        ends_at: plain.ends_at.filter(|_| !firing),
        labels,
        annotations: plain.annotations,
        muted: None,
    };
    Ok(report.bounded())
}

/// The first eight bytes of a hash over what tells alarms apart. How bad it is may change while it goes on.
fn hash(name: &str, labels: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    let labels = labels.iter().filter(|(label, _)| label.as_str() != "severity");
    for text in std::iter::once(name).chain(labels.flat_map(|(label, value)| [label.as_str(), value])) {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// One alarm or many, with little or with everything.
    #[test]
    fn what_is_taken() {
        let small = json!({ "name": "Full", "status": "firing" });
        let whole = json!({
            "name": "Full", "status": "resolved", "service": "shop", "severity": "error", "id": "disk-1",
            "starts_at": "2026-11-26T07:00:00Z", "ends_at": "2026-11-26T07:05:00Z",
            "labels": { "disk": "a" }, "annotations": { "summary": "no room" }
        });
        let reports = read(&json!([small, whole])).unwrap();
        assert_eq!(reports.len(), 2);
        assert!(reports[0].firing && reports[0].starts_at.is_none());
        assert_eq!(reports[0].fingerprint.len(), 16);
        assert!(!reports[1].firing && reports[1].ends_at.is_some());
        assert_eq!(reports[1].fingerprint, "disk-1");
        assert_eq!(
            (reports[1].labels["service"].as_str(), reports[1].labels["severity"].as_str()),
            ("shop", "error")
        );
        assert_eq!(read(&small).unwrap()[0], reports[0]);
        assert_eq!(read(&json!([])).unwrap(), []);
    }

    /// Labels tell alarms of a name apart; how bad one is does not make it another.
    #[test]
    fn what_tells_them_apart() {
        let of = |more: Value| {
            let mut body = json!({ "name": "Full", "status": "firing" });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&body).unwrap()[0].fingerprint.clone()
        };
        let shop = of(json!({ "service": "shop" }));
        assert_eq!(shop, of(json!({ "service": "shop", "severity": "critical" })));
        assert_eq!(shop, of(json!({ "labels": { "service": "shop" } })));
        assert_ne!(shop, of(json!({ "service": "pay" })));
        assert_ne!(of(json!({ "labels": { "ab": "c" } })), of(json!({ "labels": { "a": "bc" } })));
    }

    /// What is wrong is said with its place and what would be right.
    #[test]
    fn what_is_refused() {
        for (body, said) in [
            (json!(5), "expected at least `name` and `status`"),
            (json!({ "status": "firing" }), "missing field `name`"),
            (json!({ "name": " ", "status": "firing" }), "`name` is empty"),
            (
                json!([{ "name": "a", "status": "firing" }, { "name": "a", "status": "on" }]),
                "`[1]`: unknown variant `on`",
            ),
            (json!({ "name": "a", "status": "firing", "sevrity": "x" }), "unknown field `sevrity`"),
            (json!({ "name": "a", "status": "firing", "labels": { "a": 1 } }), "expected a string"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.contains(said), "{error:?} lacks {said:?}");
        }
    }
}
