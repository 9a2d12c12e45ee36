//! What a webhook sends: the [`Notification`] as JSON with `"schema": "incident-event/1"` in front, below 16 KiB.
//!
//! A longer one loses the end of `text`; where that would leave less than 1 KiB of it, it loses `facts` first, and then
//! all of `incident` but its id. What was cut is named in `truncated`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::notification::{AlertAction, MessageKind, Notification, fact};
use crate::model::trigger::Severity;
use crate::model::{ChannelName, IncidentId, NotificationId, ServiceName};

/// A receiver can rely on what it has seen under this name.
const SCHEMA: &str = "incident-event/1";
/// A body is smaller than this, in bytes: receivers commonly take 20 kB.
pub(super) const LIMIT: usize = 16 * 1024;
/// Bytes of the text that are kept for as long as there is something else to leave out.
const LEAST_TEXT: usize = 1024;

#[derive(Clone, Serialize)]
struct Body<'a> {
    schema: &'static str,
    id: &'a NotificationId,
    channel: &'a ChannelName,
    topic: &'a str,
    severity: Severity,
    environment: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a ServiceName>,
    text: &'a str,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a BTreeMap<String, String>>,
    /// `page`, `update`, `resolve`, `notice`.
    r#type: MessageKind,
    action: AlertAction,
    /// The alert that this belongs to: the incident, or this message alone.
    dedup_key: &'a str,
    /// Which message of its incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// What `webhook-id` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<Incident<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    /// Whom it is for, where the channel leads to several: a gateway to phones.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    to: &'a [String],
    test: bool,
    drill: bool,
    /// Fields that were cut or left out.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    truncated: &'a [&'static str],
}

#[derive(Clone, Serialize)]
struct Incident<'a> {
    id: &'a IncidentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    urls: Vec<&'a str>,
}

impl<'a> Body<'a> {
    fn whole(message: &'a Notification) -> Self {
        let fact = |name: &str| message.facts.get(name).map(String::as_str);
        Self {
            schema: SCHEMA,
            id: &message.id,
            channel: &message.channel,
            topic: &message.topic,
            severity: message.severity,
            environment: &message.environment,
            service: message.service.as_ref(),
            text: &message.text,
            at: message.at,
            facts: Some(&message.facts).filter(|facts| !facts.is_empty()),
            r#type: message.kind,
            action: message.action,
            dedup_key: message.alert().unwrap_or(message.key()),
            seq: Some(message.seq).filter(|seq| *seq > 0),
            key: message.key.as_deref(),
            subject: message.subject.as_deref(),
            incident: message.incident.as_ref().map(|id| Incident {
                id,
                title: fact(fact::TITLE),
                severity: fact(fact::LEVEL),
                state: fact(fact::STATE),
                services: fact(fact::SERVICES).into_iter().flat_map(|all| all.split(", ")).collect(),
                urls: fact(fact::URL).into_iter().flat_map(str::split_whitespace).collect(),
            }),
            actor: fact(fact::BY),
            to: &message.to,
            test: message.test,
            drill: message.drill,
            truncated: &[],
        }
    }

    fn without_facts(mut self) -> Self {
        self.facts = None;
        self
    }

    fn without_the_incident(mut self) -> Self {
        if let Some(Incident { id, .. }) = self.incident {
            self.incident = Some(Incident {
                id,
                title: None,
                severity: None,
                state: None,
                services: Vec::new(),
                urls: Vec::new(),
            });
        }
        (self.subject, self.actor) = (None, None);
        self
    }

    fn write(&self) -> Option<String> {
        let body = serde_json::to_string(self).expect("a notification is plain data");
        (body.len() < LIMIT).then_some(body)
    }

    /// With this list of what is missing.
    fn lacking(&self, truncated: &[&'static str]) -> Option<String> {
        Body { truncated, ..self.clone() }.write()
    }

    /// With the longest beginning of the text that fits, at least `least` bytes of it. Found by halving, as how long a text
    /// gets in JSON depends on its characters.
    fn cut(&self, mut least: usize, truncated: &[&'static str]) -> Option<String> {
        let mut fitting = None;
        let mut past = self.text.len();
        while least < past {
            let middle = usize::midpoint(least, past);
            let text = format!("{}…", &self.text[..self.text.floor_char_boundary(middle)]);
            match (Body { text: &text, truncated, ..self.clone() }).write() {
                Some(body) => {
                    fitting = Some(body);
                    least = middle + 1;
                }
                None => past = middle,
            }
        }
        fitting
    }
}

/// The body, small enough; none if it cannot be made so.
pub(super) fn of(notification: &Notification) -> Option<String> {
    // Whoever hears only the text, as from a phone's gateway, has to hear that it is a drill or a test.
    let mark = notification.mark();
    let marked = (!mark.is_empty()).then(|| Notification {
        text: format!("{mark}{}", notification.text),
        subject: notification.subject.as_ref().map(|subject| format!("{mark}{subject}")),
        ..notification.clone()
    });
    let whole = Body::whole(marked.as_ref().unwrap_or(notification));
    whole.write().or_else(|| whole.cut(LEAST_TEXT, &["text"])).or_else(|| {
        let bare = whole.without_facts();
        bare.lacking(&["facts"]).or_else(|| bare.cut(LEAST_TEXT, &["text", "facts"])).or_else(|| {
            let barest = bare.clone().without_the_incident();
            barest
                .lacking(&["facts", "incident", "subject", "actor"])
                .or_else(|| barest.cut(0, &["text", "facts", "incident", "subject", "actor"]))
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::notify::tests::notification;

    fn body(notification: &Notification) -> Value {
        serde_json::from_str(&of(notification).unwrap()).unwrap()
    }

    /// A receiver reads the message under a name that says what it is, with nothing else around it.
    #[test]
    fn the_body_is_the_notification() {
        let expected = serde_json::json!({
            "schema": "incident-event/1",
            "id": "n-1",
            "channel": "team",
            "topic": "rollback-started",
            "severity": "high",
            "environment": "production",
            "service": "checkout",
            "text": "rolling back checkout 2.8.1",
            "at": "2026-01-02T03:04:05Z",
            "facts": {"to": "2.8.0"},
            "type": "notice",
            "action": "trigger",
            "dedup_key": "n-1",
            "test": false,
            "drill": false,
        });
        assert_eq!(body(&notification()), expected);
    }

    /// A message about an incident says which, how bad it is and where it stands, so that a receiver need not read the text.
    #[test]
    fn an_incident_is_described() {
        let mut message = notification();
        message.kind = MessageKind::Page;
        message.incident = Some("INC-12".into());
        message.seq = 3;
        message.key = Some("INC-12/1/team/1".to_owned());
        message.to = vec!["+44 20 7946 0000".to_owned()];
        message.facts = [
            ("title", "checkout is failing"),
            ("level", "SEV2"),
            ("state", "mitigating"),
            ("services", "checkout, cart"),
            ("url", "https://a.example/1 https://a.example/2"),
            ("by", "kim"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let body = body(&message);
        assert_eq!(
            body["incident"],
            serde_json::json!({
                "id": "INC-12", "title": "checkout is failing", "severity": "SEV2", "state": "mitigating",
                "services": ["checkout", "cart"], "urls": ["https://a.example/1", "https://a.example/2"],
            })
        );
        assert_eq!((&body["type"], &body["seq"], &body["actor"]), (&"page".into(), &3.into(), &"kim".into()));
        assert_eq!((&body["dedup_key"], &body["key"]), (&"INC-12".into(), &"INC-12/1/team/1".into()));
        assert_eq!(body["to"], serde_json::json!(["+44 20 7946 0000"]));
    }

    /// A message of any size fits, keeps what matters and says what it lost.
    #[test]
    fn long_messages_are_cut() {
        let short = "why".to_owned();
        let all = serde_json::json!(["text", "facts", "incident", "subject", "actor"]);
        for (text, facts, title, truncated, kept) in [
            ("x".repeat(100_000), 1, 1, serde_json::json!(["text"]), 15_000),
            ("é\n\u{1b}\"".repeat(30_000), 1, 1, serde_json::json!(["text"]), 5_000),
            (short.clone(), 40_000, 1, serde_json::json!(["facts"]), 3),
            ("x".repeat(100_000), 40_000, 1, serde_json::json!(["text", "facts"]), 15_000),
            ("x".repeat(100_000), 16_000, 1, serde_json::json!(["text", "facts"]), 15_000),
            (short, 1, 40_000, serde_json::json!(["facts", "incident", "subject", "actor"]), 3),
            ("x".repeat(100_000), 1, 40_000, all, 15_000),
        ] {
            let mut long = notification();
            long.text = text;
            long.incident = Some("INC-12".into());
            long.subject = Some("y".repeat(title));
            long.facts.insert("log".to_owned(), "y".repeat(facts));
            let written = of(&long).unwrap();
            assert!(written.len() < LIMIT);
            let body = body(&long);
            assert_eq!(body["truncated"], truncated);
            assert_eq!(body["incident"]["id"], "INC-12");
            let text = body["text"].as_str().unwrap();
            assert!(text.len() >= kept, "{} bytes of {}", text.len(), long.text.len());
            assert!(long.text.starts_with(text.trim_end_matches('…')));
        }
    }

    /// What cannot be made to fit is said to the caller, not sent as half a message.
    #[test]
    fn some_messages_cannot_be_cut() {
        let mut long = notification();
        long.environment = "x".repeat(LIMIT);
        assert_eq!(of(&long), None);
    }
}
