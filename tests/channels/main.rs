//! Channels against servers: every answer that an HTTP receiver can give, and a mail server that is not ours.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod http;
mod receiver;
mod smtp;

use unship::model::channel::ChannelSpec;
use unship::model::notification::Notification;
use unship::model::secret::{Secret, Secrets};
use unship::model::trigger::Severity;

/// Says that a test is skipped, unless the run requires what it needs.
fn skip(name: &str, reason: &str) {
    let required = std::env::var("UNSHIP_TEST_REQUIRES").unwrap_or_default();
    assert!(!required.split_whitespace().any(|one| one == name), "required, but {reason}");
    eprintln!("skipped: {reason}");
}

/// Secrets by the names of variables.
fn secrets<'a>(all: impl IntoIterator<Item = (&'a str, String)>) -> Secrets {
    let mut secrets = Secrets::default();
    for (name, content) in all {
        secrets.insert(format!("env:{name}").parse().unwrap(), Secret::new(content));
    }
    secrets
}

fn spec(json: serde_json::Value) -> ChannelSpec {
    serde_json::from_value(json).unwrap()
}

/// The third message of an incident, in the middle of the night.
fn page() -> Notification {
    Notification {
        incident: Some("INC-12".into()),
        seq: 3,
        key: Some("INC-12/2/team/1".to_owned()),
        subject: Some("checkout is failing".to_owned()),
        service: Some("checkout".into()),
        ..Notification::new(
            "n-1",
            "team".into(),
            "page",
            Severity::Critical,
            "production",
            "checkout: 28.9 % of requests fail",
            "2026-01-02T03:04:05Z".parse().unwrap(),
        )
    }
}
