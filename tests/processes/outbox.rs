//! Messages that outlive the guard that wanted to send them, and secrets that stay where they are.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use unship::journal::Journal;
use unship::model::event::Event;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{Fleet, PATIENCE, Process, entries, has, journal_says, outcome, roll_back, run};

/// The part of the address that only the channel may know.
const PLACE: &str = "T024BE7LD-hush-XXo7Zq2fJ4";
/// The header that lets the message in.
const TOKEN: &str = "Bearer hush-9f86d081884c7d659a2f";
/// The bytes of the key that signs.
const KEY: &[u8] = b"hush: twenty-four bytes!";

const CHANNEL: &str = r#"
[channels.hook]
kind = "webhook"
secret_url = "env:TEST_HOOK_URL"
key = "env:TEST_HOOK_KEY"
secret_headers = { Authorization = "env:TEST_HOOK_TOKEN" }
"#;

/// A message that the other side refused before the guard was killed is sent by the next guard under the same id, signed, and
/// the journal says so; and nowhere on the way is a secret written down, even when everything is logged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_outlives_its_guard_and_secrets_stay_secret() {
    let fleet = Fleet::start().await;
    fleet.reconfigure(|config| config + CHANNEL);
    let journal = fleet.journal().await;
    let accepts = Arc::new(AtomicBool::new(false));
    let server = MockServer::start().await;
    let answer = {
        let accepts = Arc::clone(&accepts);
        move |_: &Request| ResponseTemplate::new(if accepts.load(Ordering::SeqCst) { 204 } else { 503 })
    };
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    let unship = |args: &[&str]| with_secrets(fleet.unship(args), &server);

    let mut first = Process::speaking(unship(&["guard"]), &fleet.path().join("first.said"));
    journal.submit(&roll_back()).await.unwrap();
    journal_says(journal.as_ref(), "a message", |entries| has(entries, "notification_queued")).await;
    received(&server, 1).await;
    first.0.kill().unwrap();
    first.code().await;
    let before = entries(journal.as_ref()).await;
    assert!(!has(&before, "notification_sent"));
    let refused: Vec<String> = ids(&server).await;

    let _second = Process::speaking(unship(&["guard", "--json"]), &fleet.path().join("second.said"));
    // The next guard is refused too before the other side is well again.
    received(&server, refused.len() + 1).await;
    accepts.store(true, Ordering::SeqCst);
    let all = journal_says(journal.as_ref(), "everything delivered", |entries| {
        let (queued, sent) = (queued(entries), sent(entries));
        outcome(entries).is_some() && queued.iter().all(|id| sent.contains(id))
    })
    .await;
    assert!(!has(&all, "notification_failed"));
    let (queued, sent, arrived) = (queued(&all), sent(&all), ids(&server).await);
    assert!(queued.len() >= 2, "a begin and an end are told: {queued:?}");
    assert!(sent.iter().all(|id| sent.iter().filter(|other| other == &id).count() == 1), "{sent:?}");
    assert!(arrived.iter().all(|id| queued.contains(id)), "{arrived:?} of {queued:?}");
    // What was refused is what came again.
    assert!(refused.iter().all(|id| arrived.iter().filter(|other| other == &id).count() >= 2));
    for request in server.received_requests().await.unwrap() {
        assert_signed(&request);
        assert_eq!(request.headers["authorization"].to_str().unwrap(), TOKEN);
        assert_eq!(request.url.path(), format!("/hooks/{PLACE}"));
    }

    for (args, into) in [
        (&["journal", "export"][..], "export"),
        (&["status", "--json"], "status"),
        (&["config", "check"], "check"),
        (&["history", "--json"], "history"),
    ] {
        let output = run(unship(args)).await;
        let said = [output.stdout, output.stderr].concat();
        fs::write(fleet.path().join(format!("{into}.said")), said).unwrap();
    }
    let mut looked_at = Vec::new();
    search(fleet.path(), &mut looked_at);
    for name in ["unship.db", "unship.db-wal", "first.said", "second.said", "export.said"] {
        assert!(looked_at.iter().any(|looked| looked == name), "{name} is not in {looked_at:?}");
    }
    assert!(looked_at.iter().any(|name| name.starts_with("unship.2")), "no log in {looked_at:?}");
}

/// A guard that cannot have its secrets says which, and does not start half-blind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_is_named() {
    let fleet = Fleet::start().await;
    fleet.reconfigure(|config| config + CHANNEL);
    let refused = run(fleet.unship(&["guard"])).await;
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("TEST_HOOK_URL") && said.contains("TEST_HOOK_KEY"), "{said}");
}

fn with_secrets(mut command: Command, server: &MockServer) -> Command {
    command
        .env("TEST_HOOK_URL", format!("{}/hooks/{PLACE}", server.uri()))
        .env("TEST_HOOK_KEY", format!("whsec_{}", STANDARD.encode(KEY)))
        .env("TEST_HOOK_TOKEN", TOKEN)
        .env("UNSHIP_LOG", "trace");
    command
}

async fn received(server: &MockServer, at_least: usize) {
    let begun = std::time::Instant::now();
    while ids(server).await.len() < at_least {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for message {at_least}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// The ids of what arrived, refused or not.
async fn ids(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    requests.iter().map(|request| header(request, "webhook-id").to_owned()).collect()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

/// As a receiver checks it: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.
#[track_caller]
fn assert_signed(request: &Request) {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let (id, timestamp) = (header(request, "webhook-id"), header(request, "webhook-timestamp"));
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&request.body);
    let signature = header(request, "webhook-signature").strip_prefix("v1,").unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
}

fn queued(entries: &[unship::journal::Entry]) -> Vec<String> {
    let ids = entries.iter().filter_map(|entry| match &entry.event {
        Event::NotificationQueued { notification } => Some(notification.id.to_string()),
        _ => None,
    });
    ids.collect()
}

fn sent(entries: &[unship::journal::Entry]) -> Vec<String> {
    let ids = entries.iter().filter_map(|entry| match &entry.event {
        Event::NotificationSent { notification, .. } => Some(notification.to_string()),
        _ => None,
    });
    ids.collect()
}

/// Looks into every file for what must be in none of them.
fn search(dir: &Path, looked_at: &mut Vec<String>) {
    let encoded = STANDARD.encode(KEY);
    search_for(&[PLACE.as_bytes(), TOKEN.as_bytes(), encoded.as_bytes(), KEY], dir, looked_at);
}

/// Looks into every file for these.
pub(crate) fn search_for(secrets: &[&[u8]], dir: &Path, looked_at: &mut Vec<String>) {
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            search_for(secrets, &path, looked_at);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for secret in secrets {
            let found = bytes.windows(secret.len()).position(|window| window == *secret);
            let around = found.map(|at| {
                let around = at.saturating_sub(200)..(at + 200).min(bytes.len());
                String::from_utf8_lossy(&bytes[around]).into_owned()
            });
            assert_eq!(around, None, "a secret is in {}", path.display());
        }
        looked_at.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
}
