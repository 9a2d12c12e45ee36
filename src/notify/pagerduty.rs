//! PagerDuty, by the Events API version 2: an alert is triggered, acknowledged and resolved.
//!
//! `dedup_key` names the alert, not the message: it is the incident, `INC-12`. A second trigger of an open alert is only logged
//! over there and pages nobody; paging again takes a new alert, `INC-12/g2`, which then has to be resolved, too.
//! Accepted means 202, before anything has become an incident; to acknowledge or resolve an alert that is not known there
//! is taken as well, and means nothing.
//!
//! Source: <https://developer.pagerduty.com/docs/send-alert-event>.

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{self, Address, Poster};
use super::text::shorten;
use super::{Accepted, Channel, SendError};
use crate::model::channel::PagerdutySpec;
use crate::model::notification::{AlertAction, Notification, fact};
use crate::model::secret::{Secret, Secrets};
use crate::model::trigger::Severity;

/// A summary, in characters.
const SUMMARY: usize = 1_024;
/// A `dedup_key`, in characters.
const DEDUP_KEY: usize = 255;
/// An event, in bytes; 512 KB would be refused.
const EVENT: usize = 500_000;

/// A PagerDuty service.
#[derive(Debug)]
pub struct Pagerduty {
    poster: Poster,
    key: Secret,
}

impl Pagerduty {
    /// Takes the key. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`] when the secret was not read or the endpoint is no address.
    pub fn new(spec: &PagerdutySpec, secrets: &Secrets) -> Result<Self, SendError> {
        let key = Secret::new(http::read("pagerduty", &spec.key, secrets)?.trim());
        let endpoint = spec.endpoint.as_deref().unwrap_or(spec.region.endpoint());
        let address = Address::parse(endpoint, false)
            .map_err(|reason| SendError::config(format!("pagerduty: `endpoint` {reason}")))?;
        Ok(Self { poster: Poster::new(address, spec.timeout, secrets), key })
    }
}

#[async_trait]
impl Channel for Pagerduty {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let answer = self.poster.post(HeaderMap::new(), event(notification, &self.key)).await?;
        self.poster.judge(answer.status, &answer.headers, &self.said(&answer.body))?;
        Ok(Accepted::default())
    }

    fn host(&self) -> String {
        self.poster.address.host()
    }
}

impl Pagerduty {
    /// What it does not like: `{"status": …, "message": …, "errors": […]}`.
    fn said(&self, body: &str) -> String {
        let said: Value = serde_json::from_str(body).unwrap_or_default();
        let errors = said["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<&str> = said["message"].as_str().into_iter().chain(errors).collect();
        // The key is echoed in some answers.
        self.poster.quote(&words.join(": ").replace(self.key.expose(), "[redacted]"))
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "info",
    }
}

/// The alert that is meant. One whose name is too long is told from others by a digest.
fn dedup_key(notification: &Notification) -> String {
    let name = notification.alert().unwrap_or(notification.key());
    if name.chars().count() <= DEDUP_KEY {
        return name.to_owned();
    }
    let digest = hex::encode(Sha256::digest(name.as_bytes()));
    let beginning: String = name.chars().take(DEDUP_KEY - digest.len() - 1).collect();
    format!("{beginning}-{digest}")
}

fn event(notification: &Notification, key: &Secret) -> String {
    let mut event = json!({
        "routing_key": key.expose(),
        "event_action": notification.action.word(),
        "dedup_key": dedup_key(notification),
    });
    if notification.action == AlertAction::Trigger {
        let heading = notification.heading();
        let summary = if heading.trim().is_empty() { &notification.topic } else { &heading };
        event["client"] = json!("unship");
        event["payload"] = json!({
            "summary": shorten(summary, SUMMARY),
            "source": notification.environment,
            "severity": severity(notification.severity),
            "timestamp": notification.at,
            "class": notification.topic,
            "component": notification.service,
            "custom_details": {
                "text": notification.marked_text(),
                "key": notification.key(),
                "facts": notification.facts,
            },
        });
        let urls = notification.facts.get(fact::URL).into_iter().flat_map(|urls| urls.split_whitespace());
        let links: Vec<Value> = urls
            .filter(|url| url.starts_with("http"))
            .map(|url| json!({"href": url, "text": "more"}))
            .collect();
        if !links.is_empty() {
            event["links"] = Value::Array(links);
        }
    }
    let whole = event.to_string();
    if whole.len() <= EVENT {
        return whole;
    }
    // The summary has what matters.
    event["payload"]["custom_details"] = json!({
        "text": shorten(&notification.marked_text(), EVENT / 16),
        "key": shorten(notification.key(), SUMMARY),
        "truncated": ["text", "facts"],
    });
    if let Some(payload) = event.as_object_mut() {
        payload.remove("links");
    }
    event["payload"]["source"] = json!(shorten(&notification.environment, SUMMARY));
    event.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;

    fn sent(message: &Notification) -> Value {
        serde_json::from_str(&event(message, &Secret::new("R0UT1NG"))).unwrap()
    }

    /// The alert of an incident is one from trigger to resolve, whatever its messages are called; a generation is another.
    #[test]
    fn an_incident_is_one_alert() {
        let mut message = notification();
        assert_eq!(sent(&message)["dedup_key"], "n-1", "outside an incident each message stands alone");
        message.incident = Some("INC-12".into());
        for (action, word) in [
            (AlertAction::Trigger, "trigger"),
            (AlertAction::Acknowledge, "acknowledge"),
            (AlertAction::Resolve, "resolve"),
        ] {
            message.action = action;
            message.key = Some(format!("INC-12/1/pd/{word}"));
            let event = sent(&message);
            assert_eq!((&event["event_action"], &event["dedup_key"]), (&json!(word), &json!("INC-12")));
            assert_eq!(event["routing_key"], "R0UT1NG");
            assert_eq!(event.get("payload").is_some(), action == AlertAction::Trigger);
        }
        message.dedup = Some("INC-12/g2".to_owned());
        assert_eq!(sent(&message)["dedup_key"], "INC-12/g2");
    }

    /// What a trigger has to have is there, in PagerDuty's own words.
    #[test]
    fn a_trigger_is_complete() {
        let mut message = notification();
        message.facts.insert("url".to_owned(), "https://unship.example/INC-12 nonsense".to_owned());
        message.drill = true;
        for (ours, theirs) in [
            (Severity::Critical, "critical"),
            (Severity::High, "error"),
            (Severity::Medium, "warning"),
            (Severity::Low, "info"),
        ] {
            message.severity = ours;
            let event = sent(&message);
            let payload = &event["payload"];
            assert_eq!(payload["summary"], "[DRILL] rolling back checkout 2.8.1");
            assert_eq!((&payload["source"], &payload["severity"]), (&json!("production"), &json!(theirs)));
            assert_eq!(payload["component"], "checkout");
            assert_eq!(event["links"], json!([{"href": "https://unship.example/INC-12", "text": "more"}]));
        }
    }

    /// Whatever is too long is shortened, and two alerts whose names begin alike for ever stay two.
    #[test]
    fn everything_fits() {
        let mut message = notification();
        message.text = "\u{1b}".repeat(600_000);
        message.dedup = Some(format!("{}a", "x".repeat(300)));
        message.facts.insert("log".to_owned(), "y".repeat(600_000));
        message.environment = "e".repeat(5_000);
        let body = event(&message, &Secret::new("R0UT1NG"));
        assert!(body.len() <= EVENT, "{}", body.len());
        let event: Value = serde_json::from_str(&body).unwrap();
        assert!(event["payload"]["summary"].as_str().unwrap().chars().count() <= SUMMARY);
        let first = dedup_key(&message);
        message.dedup = Some(format!("{}b", "x".repeat(300)));
        assert!(first.chars().count() == DEDUP_KEY && first != dedup_key(&message));
    }
}
