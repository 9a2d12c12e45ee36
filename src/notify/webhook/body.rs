//! What a webhook sends: the [`Notification`] as JSON with `"schema": "incident-event/1"` in front, below 16 KiB.
//!
//! A longer one loses the end of `text`; where that would leave less than 1 KiB of it, it loses `facts` first. What was cut is
//! named in `truncated`.

use serde::Serialize;

use crate::model::notification::Notification;

/// A receiver can rely on what it has seen under this name.
const SCHEMA: &str = "incident-event/1";
/// A body is smaller than this, in bytes: receivers commonly take 20 kB.
pub(super) const LIMIT: usize = 16 * 1024;
/// Bytes of the text that are kept for as long as there is something else to leave out.
const LEAST_TEXT: usize = 1024;

#[derive(Serialize)]
struct Body<'a> {
    schema: &'static str,
    #[serde(flatten)]
    notification: &'a Notification,
    /// Fields that were cut or left out.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    truncated: &'a [&'static str],
}

fn write(notification: &Notification, truncated: &[&'static str]) -> Option<String> {
    let body = serde_json::to_string(&Body { schema: SCHEMA, notification, truncated })
        .expect("a notification is plain data");
    (body.len() < LIMIT).then_some(body)
}

/// The body, small enough; none if it cannot be made so.
pub(super) fn of(notification: &Notification) -> Option<String> {
    write(notification, &[]).or_else(|| cut(notification, LEAST_TEXT, &["text"])).or_else(|| {
        let mut bare = notification.clone();
        bare.facts.clear();
        write(&bare, &["facts"]).or_else(|| cut(&bare, 0, &["text", "facts"]))
    })
}

/// The body with the longest beginning of the text that fits, at least `least` bytes of it. Found by halving, as how
/// long a text gets in JSON depends on its characters.
fn cut(notification: &Notification, mut least: usize, truncated: &[&'static str]) -> Option<String> {
    let mut short = notification.clone();
    let mut fitting = None;
    let mut past = notification.text.len();
    while least < past {
        let middle = usize::midpoint(least, past);
        short.text = format!("{}…", &notification.text[..notification.text.floor_char_boundary(middle)]);
        match write(&short, truncated) {
            Some(body) => {
                fitting = Some(body);
                least = middle + 1;
            }
            None => past = middle,
        }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::notify::tests::notification;

    /// A receiver reads the message under a name that says what it is, with nothing else around it.
    #[test]
    fn the_body_is_the_notification() {
        let body: Value = serde_json::from_str(&of(&notification()).unwrap()).unwrap();
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
        });
        assert_eq!(body, expected);
    }

    /// A message of any size fits, keeps what matters and says what it lost.
    #[test]
    fn long_messages_are_cut() {
        let short = "why".to_owned();
        for (text, facts, truncated, kept) in [
            ("x".repeat(100_000), 1, serde_json::json!(["text"]), 15_000),
            ("é\n\u{1b}\"".repeat(30_000), 1, serde_json::json!(["text"]), 5_000),
            (short, 40_000, serde_json::json!(["facts"]), 3),
            ("x".repeat(100_000), 40_000, serde_json::json!(["text", "facts"]), 15_000),
            ("x".repeat(100_000), 16_000, serde_json::json!(["text", "facts"]), 15_000),
        ] {
            let mut long = notification();
            long.text = text;
            long.facts.insert("log".to_owned(), "y".repeat(facts));
            let body = of(&long).unwrap();
            assert!(body.len() < LIMIT);
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["truncated"], truncated);
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
