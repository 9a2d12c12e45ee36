//! What every channel over HTTP makes of every answer.

use std::time::Duration;

use serde_json::{Value, json};
use unship::model::channel::ChannelSpec;
use unship::model::secret::Secrets;
use unship::notify::{self, Accepted, Fault, SendError};

use crate::receiver::{Answer, Receiver};
use crate::{page, secrets, spec};

const TOKEN: &str = "T024BE7LD-hush-XXo7Zq2fJ4";
const KEY: &str = "hush0123456789abcdef0123456789ab";
const KINDS: [&str; 5] = ["webhook", "slack", "teams", "discord", "pagerduty"];

/// A channel of this kind that leads there; its address, or its key, is a secret.
fn channel(kind: &str, url: &str, timeout: &str) -> (ChannelSpec, Secrets) {
    let json = match kind {
        "pagerduty" => {
            json!({"kind": kind, "key": "env:KEY", "endpoint": format!("{url}/v2/enqueue"), "timeout": timeout})
        }
        _ => json!({"kind": kind, "secret_url": "env:URL", "timeout": timeout}),
    };
    let secrets = secrets([("URL", format!("{url}/hooks/{TOKEN}?sig={TOKEN}")), ("KEY", KEY.to_owned())]);
    (spec(json), secrets)
}

async fn send(kind: &str, url: &str, timeout: &str) -> Result<Accepted, SendError> {
    let (spec, secrets) = channel(kind, url, timeout);
    notify::build(&spec, &secrets).unwrap().send(&page()).await
}

/// An answer, what is expected of it, and of which channels something else.
type Row = (Answer, &'static str, &'static [(&'static str, &'static str)]);

/// What is expected of an answer, as one word.
fn word(result: &Result<Accepted, SendError>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(SendError::Retry { after: None, .. }) => "retry".to_owned(),
        Err(SendError::Retry { after: Some(after), .. }) => format!("retry after {}", after.as_secs_f64()),
        Err(SendError::Unknown { .. }) => "unknown".to_owned(),
        Err(SendError::Permanent { fault: Fault::Config, .. }) => "suspect".to_owned(),
        Err(SendError::Permanent { fault: Fault::Gone, .. }) => "gone".to_owned(),
        Err(SendError::Permanent { fault: Fault::Message, .. }) => "refused".to_owned(),
    }
}

/// Whatever a receiver answers, each channel makes the right thing of it: taken, again later, for good not, or nobody knows;
/// and no token gets into what is said about it, even where the receiver repeats it.
#[tokio::test]
async fn every_answer_is_judged() {
    let echo = format!("{{\"message\":\"no {TOKEN} {KEY}\",\"errors\":[\"{KEY}\"]}}");
    let teams_429 = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId 1";
    let teams_400 = "Webhook Bad Request - Microsoft Teams endpoint returned HTTP error 400 with ContextId 1";
    let wish = r#"{"message":"You are being rate limited.","retry_after":1.5,"global":false}"#;
    let table: Vec<Row> = vec![
        (Answer::body(200, "ok"), "accepted", &[]),
        (Answer::body(200, "1"), "accepted", &[]),
        (Answer::status(202), "accepted", &[]),
        (Answer::status(204), "accepted", &[]),
        (Answer::body(400, "invalid_payload"), "suspect", &[]),
        (Answer::body(400, &echo), "suspect", &[]),
        (Answer::status(401), "suspect", &[]),
        (Answer::body(403, &echo), "suspect", &[]),
        (Answer::body(404, "no_service"), "suspect", &[]),
        (Answer::status(410), "gone", &[]),
        (Answer::status(408), "retry", &[]),
        (Answer::status(425), "retry", &[]),
        (Answer::status(429), "retry", &[]),
        (Answer::header(429, "retry-after", "7"), "retry after 7", &[]),
        (Answer::header(429, "retry-after", "Fri, 02 Jan 1970 00:00:00 GMT"), "retry after 0", &[]),
        (Answer::header(503, "retry-after", "Thu, 31 Dec 2099 23:59:59 GMT"), "retry after 86400", &[]),
        (Answer::body(429, wish), "retry", &[("discord", "retry after 1.5")]),
        (Answer::body(500, "rollup_error"), "retry", &[]),
        (Answer::body(502, "<html>bad gateway</html>"), "retry", &[]),
        (Answer::status(503), "retry", &[]),
        // Only Teams has to read the body to know.
        (Answer::Half(200), "accepted", &[("teams", "unknown")]),
        (Answer::Half(500), "retry", &[]),
        (Answer::Nothing, "unknown", &[]),
        (Answer::Silence, "unknown", &[]),
        (Answer::body(200, teams_429), "accepted", &[("teams", "retry")]),
        (Answer::body(200, teams_400), "accepted", &[("teams", "suspect")]),
    ];
    for (answer, expected, exceptions) in table {
        for kind in KINDS {
            let receiver = Receiver::start(answer.clone()).await;
            let timeout = if matches!(answer, Answer::Silence) { "300ms" } else { "10s" };
            let result = send(kind, &receiver.url, timeout).await;
            let expected = exceptions.iter().find(|(of, _)| *of == kind).map_or(expected, |(_, word)| word);
            assert_eq!(word(&result), expected, "{kind} {answer:?}: {result:?}");
            assert_eq!(receiver.requests().len(), 1, "{kind} {answer:?}: sent once");
            if let Err(error) = &result {
                let said = format!("{error} {error:?}");
                // The token is in no address of PagerDuty's.
                assert!(kind == "pagerduty" || !said.contains(TOKEN), "{said}");
                assert!(!said.contains(KEY) && !said.contains("<html>"), "{said}");
                assert!(said.contains(&receiver.url), "{said}");
            }
        }
    }
}

/// What was refused is told in the receiver's own word, where it is one of its words.
#[tokio::test]
async fn the_reason_is_told() {
    for (kind, body, expected) in [
        ("slack", "no_service", "(no_service)"),
        ("discord", r#"{"message": "Unknown Webhook", "code": 10015}"#, "(Unknown Webhook)"),
        (
            "pagerduty",
            r#"{"status":"invalid event","message":"Event object is invalid","errors":["Length of 'routing_key' is incorrect"]}"#,
            "(Event object is invalid: Length of 'routing_key' is incorrect)",
        ),
    ] {
        let receiver = Receiver::start(Answer::body(404, body)).await;
        let error = send(kind, &receiver.url, "10s").await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A message, and the secrets that go with it, do not follow a redirect to another place.
#[tokio::test]
async fn nothing_follows_a_redirect() {
    for kind in KINDS {
        for status in [301, 302, 307, 308] {
            let elsewhere = Receiver::start(Answer::status(200)).await;
            let receiver = Receiver::start(Answer::header(status, "location", elsewhere.url.clone())).await;
            let result = send(kind, &receiver.url, "10s").await;
            assert_eq!(word(&result), "suspect", "{kind} {status}");
            assert!(elsewhere.requests().is_empty(), "{kind} {status}");
        }
    }
}

/// Where nobody listens nothing has arrived, and it is tried again.
#[tokio::test]
async fn nobody_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for kind in KINDS {
        let result = send(kind, &url, "10s").await;
        assert_eq!(word(&result), "retry", "{kind}: {result:?}");
    }
}

/// What arrives is what each receiver reads: the text, marked as what it is, and the key or the tag to know it again by.
#[tokio::test]
async fn what_arrives() {
    for kind in KINDS {
        let receiver = Receiver::start(Answer::body(200, "ok")).await;
        let (spec, secrets) = channel(kind, &receiver.url, "10s");
        let channel = notify::build(&spec, &secrets).unwrap();
        let mut drill = page();
        drill.drill = true;
        // Twice, as after a lost answer.
        for _ in 0..2 {
            channel.send(&drill).await.unwrap();
        }
        let requests = receiver.requests();
        assert_eq!(requests[0].body, requests[1].body, "{kind}: a repetition can be recognised");
        let expected = match kind {
            "pagerduty" => "POST /v2/enqueue".to_owned(),
            "discord" => format!("POST /hooks/{TOKEN}?sig={TOKEN}&wait=true"),
            _ => format!("POST /hooks/{TOKEN}?sig={TOKEN}"),
        };
        assert_eq!(requests[0].line, expected);
        let body: Value = serde_json::from_str(&requests[0].body).unwrap();
        let (drilled, known) = match kind {
            "webhook" => (body["drill"].to_string(), body["key"].to_string()),
            "pagerduty" => (body["payload"]["summary"].to_string(), body["dedup_key"].to_string()),
            _ => (requests[0].body.clone(), requests[0].body.clone()),
        };
        assert!(drilled.contains("DRILL") || drilled == "true", "{kind}: {drilled}");
        assert!(known.contains("INC-12"), "{kind}: {known}");
    }
}

/// A wish as a date is waited for until that date.
#[tokio::test]
async fn a_date_is_a_wish() {
    let at = jiff::Timestamp::now() + Duration::from_secs(600);
    let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for kind in KINDS {
        let receiver = Receiver::start(Answer::header(429, "retry-after", date.clone())).await;
        let result = send(kind, &receiver.url, "10s").await;
        let Err(SendError::Retry { after: Some(after), .. }) = result else { panic!("{kind}: {result:?}") };
        assert!(after > Duration::from_secs(300) && after <= Duration::from_secs(600), "{kind}: {after:?}");
    }
}
