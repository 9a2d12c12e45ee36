//! A guard that dies with messages in every state, against a receiver that is really there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use unship::journal::Entry;
use unship::model::event::Event;
use unship::model::notification::{MessageKind, Notification};
use unship::model::trigger::Severity;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::harness::{Fleet, PATIENCE, Process, entries, eventually, journal_says, read, seed};

/// Rounds that run beside each other: they mostly wait.
const BESIDE: usize = 4;

/// The messages of an incident, in their order; their ids sort otherwise.
const IDS: [&str; 4] = ["n-9", "n-10", "n-11", "n-2"];

fn messages() -> Vec<Notification> {
    let kinds = [MessageKind::Page, MessageKind::Notice, MessageKind::Update, MessageKind::Resolve];
    let message = |(id, kind): (&str, MessageKind)| Notification {
        kind,
        incident: Some("INC-1".into()),
        key: Some(format!("INC-1/1/hook/{id}")),
        ..Notification::new(id, "hook".into(), "page", Severity::High, "production", "down", Timestamp::now())
    };
    IDS.into_iter().zip(kinds).map(message).collect()
}

/// How the receiver answers, by a number that tests change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// 503, and come back in some seconds.
    Busy,
    /// No answer for a long time.
    Silent,
}

struct Receiver {
    server: MockServer,
    mood: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start(mood: Mood) -> Self {
        let server = MockServer::start().await;
        let kept = Arc::new(AtomicUsize::new(mood as usize));
        let answer = {
            let mood = Arc::clone(&kept);
            move |_: &Request| match mood.load(Ordering::SeqCst) {
                mood if mood == Mood::Busy as usize => {
                    ResponseTemplate::new(503).insert_header("retry-after", "3")
                }
                mood if mood == Mood::Silent as usize => ResponseTemplate::new(204).set_delay(PATIENCE),
                _ => ResponseTemplate::new(204),
            }
        };
        Mock::given(method("POST")).respond_with(answer).mount(&server).await;
        Self { server, mood: kept }
    }

    /// From now on it is well.
    fn recover(&self) {
        self.mood.store(Mood::Well as usize, Ordering::SeqCst);
    }

    /// What arrived, in order: the id in the body of each request, after the header that says the same by the key.
    async fn arrived(&self) -> Vec<String> {
        let requests = self.server.received_requests().await.unwrap();
        let id = |request: &Request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let id = body["id"].as_str().unwrap().to_owned();
            assert_eq!(request.headers["webhook-id"].to_str().unwrap(), format!("INC-1/1/hook/{id}"));
            id
        };
        // The fleet's own messages are no part of this.
        let ours = requests.iter().filter(|request| {
            request.headers["webhook-id"].to_str().is_ok_and(|key| key.starts_with("INC-1/1/"))
        });
        ours.map(id).collect()
    }
}

async fn fleet(receiver: &Receiver) -> Fleet {
    let fleet = Fleet::start().await;
    let channel = format!(
        "\n[channels.hook]\nkind = \"webhook\"\nurl = \"{}/hook\"\ntimeout = \"60s\"\n",
        receiver.server.uri()
    );
    fleet.reconfigure(|config| config + &channel);
    fleet
}

fn accepted(entries: &[Entry]) -> Vec<String> {
    let ids = entries.iter().filter_map(|entry| match &entry.event {
        Event::NotificationSent { notification, .. } => Some(notification.to_string()),
        _ => None,
    });
    ids.filter(|id| IDS.contains(&id.as_str())).collect()
}

/// Another guard delivers what is left: every message at least once, in their order, each journaled once.
async fn another_finishes(fleet: &Fleet, receiver: &Receiver, when: &str) {
    let journal = fleet.journal().await;
    receiver.recover();
    let _second = fleet.guard();
    let all = journal_says(journal.as_ref(), &format!("all accepted ({when})"), |entries| {
        accepted(entries).len() == IDS.len()
    })
    .await;
    assert_eq!(accepted(&all), IDS, "{when}");
    let mut arrived = receiver.arrived().await;
    assert!(arrived.len() >= IDS.len(), "{when}: {arrived:?}");
    // A repetition comes right after the one that it repeats.
    arrived.dedup();
    assert_eq!(arrived, IDS, "{when}");
}

/// Whatever entry the guard dies right before or right after (messages queued and not begun, or accepted and not journaled),
/// every message arrives, in order, and what arrives twice has the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_survive_a_kill_at_every_entry() {
    if cfg!(not(debug_assertions)) {
        eprintln!("skipped: the places to be killed at are compiled into debug builds only");
        return;
    }
    // Enough for the entries of a beginning and an end for each message.
    let points: Vec<(&str, u64)> = (1..=6).flat_map(|entry| [("before", entry), ("after", entry)]).collect();
    let points = Arc::new(points);
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..BESIDE {
        let (points, next) = (Arc::clone(&points), Arc::clone(&next));
        workers.spawn(async move {
            let (mut unsent, mut unjournaled) = (0, 0);
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
                let Some((moment, entry)) = points.get(index) else { return (unsent, unjournaled) };
                let receiver = Receiver::start(Mood::Well).await;
                let fleet = fleet(&receiver).await;
                let journal = fleet.journal().await;
                let seeded = seed(journal.as_ref(), messages()).await;
                let point = format!("{moment}:{}", seeded + entry);
                let mut first =
                    Process(fleet.unship(&["guard"]).env("UNSHIP_TEST_KILL", &point).spawn().unwrap());
                eventually("the guard dies", || first.has_ended()).await;
                let journaled = accepted(&entries(journal.as_ref()).await).len();
                let arrived = receiver.arrived().await.len();
                unsent += usize::from(arrived == 0);
                unjournaled += usize::from(arrived > journaled);
                another_finishes(&fleet, &receiver, &format!("killed {point}")).await;
            }
        });
    }
    let (mut unsent, mut unjournaled) = (0, 0);
    while let Some(counts) = workers.join_next().await {
        let counts = counts.unwrap();
        unsent += counts.0;
        unjournaled += counts.1;
    }
    assert!(unsent > 0, "none was killed with everything queued");
    assert!(unjournaled > 0, "none was killed with a message accepted and not journaled");
}

/// A guard that dies while a message is on its way leaves nobody knowing; the next one sends it again, under the same key, before
/// those behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_on_its_way_is_sent_again() {
    let receiver = Receiver::start(Mood::Silent).await;
    let fleet = fleet(&receiver).await;
    seed(fleet.journal().await.as_ref(), messages()).await;
    let mut first = fleet.guard();
    let begun = std::time::Instant::now();
    while receiver.arrived().await.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "nothing arrived");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    first.0.kill().unwrap();
    first.code().await;
    assert_eq!(receiver.arrived().await, [IDS[0]]);
    another_finishes(&fleet, &receiver, "killed while sending").await;
    assert_eq!(receiver.arrived().await.len(), IDS.len() + 1, "one came twice");
}

/// A guard that dies while a message waits to be sent again leaves it to the next one, which does not wait for what the
/// first was asked to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_waits_is_sent_again() {
    let receiver = Receiver::start(Mood::Busy).await;
    let fleet = fleet(&receiver).await;
    seed(fleet.journal().await.as_ref(), messages()).await;
    let mut first = fleet.guard();
    let logs = fleet.path().join("logs");
    let waits = || {
        let files = std::fs::read_dir(&logs).into_iter().flatten();
        files.filter_map(Result::ok).any(|file| read(&file.path()).contains("not accepted"))
    };
    eventually("the first attempt has failed", waits).await;
    first.0.kill().unwrap();
    first.code().await;
    another_finishes(&fleet, &receiver, "killed while waiting").await;
}

/// A page whose channel is down goes to the fallback, under the same key, while it is still tried where it belongs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_arrives_by_the_fallback() {
    let receiver = Receiver::start(Mood::Well).await;
    let fleet = fleet(&receiver).await;
    let down = "\n[channels.down]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\nfallback = \"hook\"\n";
    fleet.reconfigure(|config| config + down);
    let journal = fleet.journal().await;
    let page = Notification {
        channel: "down".into(),
        // So old that nothing is waited for.
        at: Timestamp::now() - Duration::from_secs(31),
        ..messages().remove(0)
    };
    let id = page.id.clone();
    seed(journal.as_ref(), [page]).await;
    let _guard = fleet.guard();
    let all = journal_says(journal.as_ref(), "the fallback's acceptance", |entries| {
        entries.iter().any(|entry| matches!(&entry.event, Event::NotificationSent { notification, .. } if notification.as_str() == format!("{id}~hook")))
    })
    .await;
    let has_ended = |entry: &Entry| matches!(&entry.event, Event::NotificationFailed { notification, .. } if *notification == id);
    assert!(!all.iter().any(has_ended), "it is still tried");
    let requests = receiver.server.received_requests().await.unwrap();
    assert_eq!(requests[0].headers["webhook-id"].to_str().unwrap(), format!("INC-1/1/hook/{id}"));
}
