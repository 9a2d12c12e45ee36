//! Channels of every kind in real processes: what `unship notify` says, and that no token, key or password is written down on
//! the way, even when everything is logged and the other side repeats it.

use std::process::Command;

use jiff::Timestamp;
use unship::model::event::Event;
use unship::model::notification::{MessageKind, Notification};
use unship::model::trigger::Severity;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::harness::{Fleet, Process, entries, journal_says, read, run, seed, text};
use crate::outbox::search_for;

const TOKEN: &str = "T024BE7LD-hush-XXo7Zq2fJ4";
const KEY: &str = "hush0123456789abcdef0123456789ab";
const PASSWORD: &str = "hush-9f86d081884c7d659a2f";
/// Base64 of the password alone, and as SMTP's PLAIN sends it.
const ENCODED: [&str; 2] =
    ["aHVzaC05Zjg2ZDA4MTg4NGM3ZDY1OWEyZg==", "AHVuc2hpcABodXNoLTlmODZkMDgxODg0YzdkNjU5YTJm"];

const KINDS: [&str; 6] = ["slack", "teams", "discord", "pager", "hook", "mail"];

fn config(url: &str) -> String {
    format!(
        r#"
[channels.slack]
kind = "slack"
secret_url = "env:TEST_URL"
fallback = "hook"
severity = "high"

[channels.teams]
kind = "teams"
secret_url = "env:TEST_URL"

[channels.discord]
kind = "discord"
secret_url = "env:TEST_URL"

[channels.pager]
kind = "pagerduty"
key = "env:TEST_KEY"
endpoint = "{url}/v2/enqueue"

[channels.hook]
kind = "webhook"
secret_url = "env:TEST_URL"
secret_headers = {{ X-Token = "env:TEST_KEY" }}

[channels.mail]
kind = "email"
server = "127.0.0.1"
port = 1
user = "unship"
password = "env:TEST_PASSWORD"
from = "unship@example.com"
to = ["ana@example.com"]

[notify]
test = "hook"
"#
    )
}

fn with_secrets(mut command: Command, server: &MockServer) -> Command {
    command
        .env("TEST_URL", format!("{}/hooks/{TOKEN}?sig={TOKEN}", server.uri()))
        .env("TEST_KEY", KEY)
        .env("TEST_PASSWORD", PASSWORD)
        .env("UNSHIP_LOG", "trace");
    command
}

async fn receiver(status: u16, body: &str) -> MockServer {
    let server = MockServer::start().await;
    let template = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(method("POST")).respond_with(template).mount(&server).await;
    server
}

/// A test message is accepted, and says so by the exit code and by the words, which never claim that anybody has seen it; a
/// channel that refuses, or that is not there, has a code of its own. The list shows hosts and nothing after them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_can_be_tried_out() {
    let fleet = Fleet::start().await;
    let (well, ill) = (receiver(200, "ok").await, receiver(404, "no_service").await);
    fleet.reconfigure(|text| text + &config(&well.uri()));
    for name in ["slack", "teams", "discord", "pager", "hook"] {
        let output = run(with_secrets(fleet.unship(&["notify", "test", name]), &well)).await;
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{name}: {said}{}", text(&output.stderr));
        assert!(said.contains(": accepted after ") && !said.contains("delivered"), "{said}");
    }
    let requests = well.received_requests().await.unwrap();
    // PagerDuty's alert is ended again.
    assert_eq!(requests.len(), 6);
    let bodies: Vec<String> = requests.iter().map(|request| text(&request.body)).collect();
    assert!(bodies[..4].iter().all(|body| body.contains("TEST")), "{bodies:?}");
    assert!(bodies[4].contains(r#""event_action":"resolve""#), "{bodies:?}");
    assert!(bodies[5].contains(r#""test":true"#), "{bodies:?}");

    let output = run(with_secrets(fleet.unship(&["notify", "test", "slack", "--json"]), &ill)).await;
    assert_eq!(output.status.code(), Some(4));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["trial"]["outcome"], &json["exit"]), (&"refused".into(), &4.into()));
    assert!(json["trial"]["detail"].as_str().unwrap().contains("404 Not Found (no_service)"), "{json}");

    let output = run(with_secrets(fleet.unship(&["notify", "test", "mail"]), &well)).await;
    assert_eq!(output.status.code(), Some(1), "nobody listens there: {}", text(&output.stdout));
    let output = run(with_secrets(fleet.unship(&["notify", "test", "slak"]), &well)).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no channel `slak`; channels: discord, hook, mail"));

    let output = run(with_secrets(fleet.unship(&["notify", "list"]), &well)).await;
    let (said, host) = (text(&output.stdout), well.address().to_string());
    let row = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("slack"), ["slack", "slack", &host, "high", "hook"]);
    assert_eq!(row("hook"), ["hook", "webhook", &host, "low", "tests", "and", "drills"]);
    assert_eq!(row("mail"), ["mail", "email", "127.0.0.1", "low"]);
}

/// Whatever a receiver does with them, tokens in addresses, keys and passwords stay out of the journal, the log, error texts
/// and everything that is printed; that a channel refuses what it is sent is seen by everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_stay_secret_in_every_channel() {
    let fleet = Fleet::start().await;
    let journal = fleet.journal().await;
    let server = receiver(400, &format!(r#"{{"message":"bad {TOKEN} {KEY}","retry_after":0.1}}"#)).await;
    // The token is in no address of PagerDuty's, and no secret there.
    let pager = receiver(400, &format!(r#"{{"message":"bad {KEY}","errors":["{KEY}"]}}"#)).await;
    fleet.reconfigure(|text| text + &config(&pager.uri()));
    let messages = KINDS.map(|channel| {
        let id = format!("n-{channel}");
        // So old that it falls over at once. Where nobody listens it is given up when it is too old.
        let age = if channel == "mail" { 15 * 60 - 10 } else { 40 };
        let at = Timestamp::now() - std::time::Duration::from_secs(age);
        Notification {
            kind: MessageKind::Page,
            incident: Some("INC-1".into()),
            ..Notification::new(id, channel.into(), "page", Severity::Critical, "production", "down", at)
        }
    });
    seed(journal.as_ref(), messages).await;
    let _guard =
        Process::speaking(with_secrets(fleet.unship(&["guard"]), &server), &fleet.path().join("guard.said"));
    journal_says(journal.as_ref(), "every message given up", |entries| {
        let ended = |channel: &&str| {
            entries.iter().any(|entry| {
                matches!(&entry.event, Event::NotificationFailed { notification, .. } if notification.as_str() == format!("n-{channel}"))
            })
        };
        KINDS.iter().all(ended) && entries.iter().any(|entry| entry.event.kind() == "breaker_changed")
    })
    .await;
    let all = entries(journal.as_ref()).await;
    let copies = all.iter().filter(|entry| {
        matches!(&entry.event, Event::NotificationQueued { notification } if notification.id.as_str() == "n-slack~hook" && notification.key() == "n-slack")
    });
    assert_eq!(copies.count(), 1, "handed to the fallback under its key");
    let mut outputs = vec![
        ("status", vec!["status"]),
        ("status-json", vec!["status", "--json"]),
        ("export", vec!["journal", "export"]),
        ("list", vec!["notify", "list"]),
        ("list-json", vec!["notify", "list", "--json"]),
        ("check", vec!["config", "check", "--secrets"]),
        ("show", vec!["config", "show"]),
    ];
    outputs.extend(KINDS.map(|channel| (channel, vec!["notify", "test", channel, "--json"])));
    for (name, args) in outputs {
        let output = run(with_secrets(fleet.unship(&args), &server)).await;
        let said = [output.stdout, output.stderr].concat();
        std::fs::write(fleet.path().join(format!("{name}.said")), said).unwrap();
    }
    let status = read(&fleet.path().join("status.said"));
    assert!(status.contains("channel slack refuses messages; check its config: "), "{status}");
    let mut looked_at = Vec::new();
    let secrets = [TOKEN, KEY, PASSWORD, ENCODED[0], ENCODED[1]].map(str::as_bytes);
    search_for(&secrets, fleet.path(), &mut looked_at);
    for name in ["unship.db", "guard.said", "export.said", "mail.said", "pager.said", "status.said"] {
        assert!(looked_at.iter().any(|looked| looked == name), "{name} is not in {looked_at:?}");
    }
    assert!(looked_at.iter().any(|name| name.starts_with("unship.2")), "no log in {looked_at:?}");
}
