//! The queue, driven without a clock: what is sent when, how each message ends, and that nothing is lost whatever happens.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::breaker::BreakerState;
use crate::model::trigger::Severity;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

/// Channels of these kinds; one whose name has an arrow falls back on what stands behind it.
fn channels(all: &[(&str, &str)]) -> BTreeMap<ChannelName, ChannelSpec> {
    let spec = |kind: &str, fallback: Option<&str>| {
        let mut json = match kind {
            "desktop" => json!({"kind": kind}),
            "webhook" => json!({"kind": kind, "url": "https://a.example/"}),
            _ => json!({"kind": kind, "secret_url": "env:U"}),
        };
        if let Some(fallback) = fallback {
            json["fallback"] = json!(fallback);
        }
        serde_json::from_value(json).unwrap()
    };
    let one = |(name, kind): &(&str, &str)| match name.split_once("->") {
        Some((name, fallback)) => (ChannelName::new(name), spec(kind, Some(fallback))),
        None => (ChannelName::new(name), spec(kind, None)),
    };
    all.iter().map(one).collect()
}

fn message(id: &str, channel: &str, kind: MessageKind, incident: Option<&str>) -> Notification {
    Notification {
        kind,
        incident: incident.map(Into::into),
        key: incident.map(|incident| format!("{incident}/1/{channel}/{id}")),
        ..Notification::new(id, channel.into(), "held", Severity::High, "test", "text", at(0))
    }
}

fn page(id: &str) -> Notification {
    message(id, "a", MessageKind::Page, Some("INC-1"))
}

fn update(id: &str) -> Notification {
    message(id, "a", MessageKind::Update, Some("INC-1"))
}

fn resolve(id: &str) -> Notification {
    message(id, "a", MessageKind::Resolve, Some("INC-1"))
}

/// The queue of one channel `a`, and what it said so far.
struct World {
    queue: Queue,
    said: Vec<Step>,
    now: i64,
}

impl World {
    fn new(all: &[(&str, &str)]) -> Self {
        Self { queue: Queue::new(&channels(all), at(0)), said: Vec::new(), now: 0 }
    }

    fn push(&mut self, message: Notification) {
        let steps = self.queue.push(message, false);
        self.said.extend(steps);
    }

    /// What is to be sent at this time, by id.
    fn sent_at(&mut self, ms: i64) -> Vec<String> {
        self.now = ms;
        let steps = self.queue.next(at(ms));
        let sent = steps.iter().filter_map(|step| match step {
            Step::Send(message) => Some(message.id.to_string()),
            Step::Tell(_) => None,
        });
        let sent = sent.collect();
        self.said.extend(steps);
        sent
    }

    fn finish(&mut self, id: &str, result: Result<Accepted, SendError>) {
        let steps = self.queue.finished(&id.into(), result, at(self.now), 1.0);
        self.said.extend(steps);
    }

    fn accept(&mut self, id: &str) {
        self.finish(id, Ok(Accepted::default()));
    }

    fn refuse(&mut self, id: &str) {
        self.finish(id, retry(None));
    }

    /// How a message ended, in words.
    fn end(&self, id: &str) -> Option<String> {
        let ends: Vec<_> = self.said.iter().filter_map(|step| end_of(step, id)).collect();
        assert!(ends.len() <= 1, "{id} ended more than once: {ends:?}");
        ends.into_iter().next()
    }

    fn fell_over(&self, id: &str) -> Option<String> {
        let reasons = self.said.iter().filter_map(|step| match step {
            Step::Tell(Input::NotificationFellOver { id: of, reason }) if of.as_str() == id => {
                Some(reason.clone())
            }
            _ => None,
        });
        let reasons: Vec<_> = reasons.collect();
        assert!(reasons.len() <= 1, "{id} fell over more than once");
        reasons.into_iter().next()
    }

    fn breakers(&self) -> Vec<(BreakerState, String)> {
        let told = self.said.iter().filter_map(|step| match step {
            Step::Tell(Input::Breaker { status, .. }) => Some((status.state, status.reason.clone())),
            _ => None,
        });
        told.collect()
    }
}

fn end_of(step: &Step, id: &str) -> Option<String> {
    match step {
        Step::Tell(Input::NotificationFinished { id: of, end, .. }) if of.as_str() == id => Some(match end {
            DeliveryEnd::Accepted { .. } => "accepted".to_owned(),
            DeliveryEnd::Failed(reason) => format!("failed: {reason}"),
            DeliveryEnd::Suppressed(reason) => format!("left out: {reason}"),
        }),
        _ => None,
    }
}

fn retry(after: Option<Duration>) -> Result<Accepted, SendError> {
    Err(SendError::Retry { reason: "answered 503".to_owned(), after })
}

fn permanent(fault: Fault) -> Result<Accepted, SendError> {
    Err(SendError::Permanent { reason: "answered 404".to_owned(), fault })
}

/// Messages of one incident go one after the other, in their order; those of another are not held up by them.
#[test]
fn an_incident_has_its_order() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    world.push(message("2", "a", MessageKind::Notice, Some("INC-1")));
    world.push(message("3", "a", MessageKind::Page, Some("INC-2")));
    assert_eq!(world.sent_at(0), ["1", "3"]);
    assert_eq!(world.sent_at(10), [""; 0]);
    world.refuse("1");
    // The first is tried again after a second at the latest; until then the second waits.
    assert_eq!(world.sent_at(900), [""; 0]);
    assert_eq!(world.sent_at(1_100), ["1"]);
    world.accept("1");
    assert_eq!(world.sent_at(1_200), ["2"]);
    world.accept("2");
    world.accept("3");
    assert_eq!(["1", "2", "3"].map(|id| world.end(id).unwrap()), ["accepted"; 3]);
}

/// Waiting for the next attempt doubles up to a minute, the other side's wish is a floor for everything that goes there, and a
/// wish for longer than the message is worth ends it.
#[test]
fn when_it_is_tried_again() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    assert_eq!(world.sent_at(0), ["1"]);
    world.finish("1", retry(Some(Duration::from_secs(20))));
    world.push(message("2", "a", MessageKind::Page, Some("INC-2")));
    assert_eq!(world.sent_at(19_900), [""; 0], "nothing goes there before the time that it asked for");
    assert_eq!(world.sent_at(20_100), ["1", "2"]);
    world.accept("2");
    world.refuse("1");
    assert_eq!(world.sent_at(22_000), [""; 0], "two seconds after the second attempt");
    assert_eq!(world.sent_at(22_200), ["1"]);
    world.finish("1", retry(Some(Duration::from_secs(86_400))));
    assert_eq!(world.end("1").unwrap(), "failed: given up after 3 attempts: answered 503");
}

/// What nobody knows the end of is sent again, as the same message.
#[test]
fn the_unknown_is_sent_again() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    assert_eq!(world.sent_at(0), ["1"]);
    world.finish("1", Err(SendError::Unknown { reason: "no answer".to_owned() }));
    assert_eq!(world.sent_at(2_000), ["1"]);
    let sent = world.said.iter().filter_map(|step| match step {
        Step::Send(message) => Some(message.key().to_owned()),
        Step::Tell(_) => None,
    });
    assert_eq!(sent.collect::<BTreeSet<_>>().len(), 1);
}

/// Each kind is worth sending for its time and no longer, also when it was never sent.
#[test]
fn old_news_is_given_up() {
    for (kind, minutes) in [
        (MessageKind::Page, 15),
        (MessageKind::Update, 10),
        (MessageKind::Notice, 15),
        (MessageKind::Resolve, 24 * 60),
    ] {
        let mut world = World::new(&[("a", "webhook")]);
        let mut blocker = page("0");
        blocker.incident = Some("INC-9".into());
        world.push(blocker);
        assert_eq!(world.sent_at(0), ["0"]);
        world.finish("0", retry(Some(Duration::from_secs(800))));
        let mut old = message("1", "a", kind, Some("INC-1"));
        old.at = at(-minutes * 60_000 + 60_000);
        world.queue.push(old, true);
        world.sent_at(59_000);
        assert_eq!(world.end("1"), None, "{kind:?}");
        world.sent_at(60_000);
        assert!(world.end("1").unwrap().starts_with("failed: given up after"), "{kind:?}");
        assert!(world.end("1").unwrap().ends_with("0 attempts: never sent"), "{:?}", world.end("1"));
    }
}

/// Of updates that wait only the newest is sent; one that is on its way is not touched. How many were left out is in the next
/// message that is taken there.
#[test]
fn updates_give_way_to_newer_ones() {
    let mut world = World::new(&[("a", "webhook")]);
    for id in ["1", "2", "3"] {
        world.push(update(id));
        world.sent_at(0);
    }
    assert_eq!(world.end("2").unwrap(), "left out: a newer update took its place");
    assert_eq!((world.end("1"), world.end("3")), (None, None));
    world.refuse("1");
    world.push(update("4"));
    assert_eq!(world.end("3").unwrap(), "left out: a newer update took its place");
    assert_eq!(world.sent_at(2_000), ["1"], "it was begun, so that it keeps its place");
    let told = |world: &World| {
        let text = world.said.iter().rev().find_map(|step| match step {
            Step::Send(message) => Some(message.text.clone()),
            Step::Tell(_) => None,
        });
        text.unwrap_or_default()
    };
    assert!(told(&world).starts_with("text\n(2 messages were left out here"), "{}", told(&world));
    world.refuse("1");
    assert_eq!(world.sent_at(5_000), ["1"]);
    assert!(told(&world).contains("(2 messages were left out here"), "nobody was told yet: {}", told(&world));
    world.accept("1");
    assert_eq!(world.sent_at(5_100), ["4"]);
    assert_eq!(told(&world), "text", "it was told once");
    // Outside incidents nothing stands for anything else.
    world.push(message("5", "a", MessageKind::Update, None));
    world.push(message("6", "a", MessageKind::Update, None));
    assert_eq!((world.end("5"), world.end("6")), (None, None));
}

/// A resolve waits for its trigger, is left out if that was never taken, and is sent if something of its incident was: in
/// this process or before it.
#[test]
fn a_resolve_ends_what_was_begun() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    world.push(resolve("2"));
    assert_eq!(world.sent_at(0), ["1"]);
    world.finish("1", permanent(Fault::Config));
    assert_eq!(world.sent_at(100), [""; 0]);
    assert!(
        world.end("2").unwrap().starts_with("left out: nothing of INC-1 was accepted there"),
        "{:?}",
        world.end("2")
    );

    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    world.push(resolve("2"));
    assert_eq!(world.sent_at(0), ["1"]);
    world.accept("1");
    assert_eq!(world.sent_at(100), ["2"]);
    world.accept("2");
    world.push(resolve("3"));
    assert_eq!(world.sent_at(200), ["3"], "remembered after everything was sent");

    let mut world = World::new(&[("a", "webhook")]);
    world.said = world.queue.push(resolve("1"), true);
    assert_eq!(world.sent_at(0), ["1"], "known from before");
}

/// After five failures a channel is left alone for 30 s, then tried with one message; pages do not wait for that where there is
/// a fallback, and each is handed over once.
#[test]
fn a_channel_that_fails_is_left_alone() {
    let mut world = World::new(&[("a->b", "webhook"), ("b", "webhook")]);
    for number in 0..5 {
        world.push(message(&format!("n{number}"), "a", MessageKind::Notice, Some(&format!("INC-2{number}"))));
    }
    assert_eq!(world.sent_at(0).len(), 5);
    for number in 0..5 {
        world.refuse(&format!("n{number}"));
    }
    world.push(page("p"));
    assert_eq!(world.sent_at(20_000), [""; 0]);
    assert_eq!(world.breakers(), [(BreakerState::Open, "answered 503".to_owned())]);
    assert!(world.fell_over("p").unwrap().contains("breaker open"));
    assert_eq!(world.sent_at(29_900), [""; 0]);
    assert_eq!(world.sent_at(30_000), ["p"], "one trial, and the page first");
    assert_eq!(world.sent_at(30_100), [""; 0]);
    world.accept("p");
    assert_eq!(world.sent_at(30_200).len(), 5);
    assert_eq!(world.breakers().last().unwrap().0, BreakerState::Closed);
    assert_eq!(world.fell_over("n1"), None, "only pages");
}

/// A page that is not accepted within 30 s goes to the fallback, too, while it is still tried here; so does one that is given
/// up. Without a fallback nothing is handed over.
#[test]
fn a_page_falls_over_in_time() {
    for (all, expected) in [
        (&[("a->b", "slack"), ("b", "webhook")][..], Some("not accepted within 30 s")),
        (&[("a", "slack")][..], None),
    ] {
        let mut world = World::new(all);
        world.push(page("1"));
        world.push(update("2"));
        assert_eq!(world.sent_at(0), ["1"]);
        world.sent_at(29_000);
        assert_eq!(world.fell_over("1"), None);
        world.sent_at(30_000);
        world.sent_at(31_000);
        assert_eq!(world.fell_over("1").as_deref(), expected);
        assert_eq!(world.fell_over("2"), None);
        world.accept("1");
        assert_eq!(world.end("1").unwrap(), "accepted");
    }
    let mut world = World::new(&[("a->b", "slack"), ("b", "webhook")]);
    world.push(page("1"));
    world.sent_at(0);
    world.finish("1", permanent(Fault::Message));
    let told: Vec<_> = world.said.iter().filter(|step| matches!(step, Step::Tell(_))).collect();
    assert!(matches!(told[0], Step::Tell(Input::NotificationFellOver { .. })), "before it ends: {told:?}");
    assert_eq!(world.end("1").unwrap(), "failed: answered 404");
}

/// A refusal for good marks the channel until it takes something again; a channel that wants nothing more gets nothing more.
#[test]
fn refusals_are_shown() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    world.sent_at(0);
    world.finish("1", permanent(Fault::Config));
    world.push(page("2"));
    assert_eq!(world.sent_at(100), ["2"], "somebody may have mended it");
    assert_eq!(world.breakers(), [(BreakerState::Open, "answered 404".to_owned())]);
    world.accept("2");
    world.sent_at(200);
    assert_eq!(world.breakers().last().unwrap().0, BreakerState::Closed);
    world.push(page("3"));
    world.push(page("4"));
    world.sent_at(300);
    world.finish("3", permanent(Fault::Gone));
    world.sent_at(400);
    assert_eq!(world.end("4").unwrap(), "failed: answered 404");
    world.push(page("5"));
    assert_eq!(world.sent_at(500), [""; 0]);
    assert_eq!(world.end("5").unwrap(), "failed: answered 404");
}

/// An acknowledgement ends what waits, in every channel and before another second has passed; what is on its way is not
/// repeated, and what does not page, or belongs to another incident, is left.
#[test]
fn an_acknowledgement_ends_the_waiting() {
    let mut world = World::new(&[("a", "webhook"), ("c", "webhook")]);
    let mut other = page("o");
    other.incident = Some("INC-11".into());
    other.key = Some("INC-11/1/a/1".to_owned());
    for message in
        [page("1"), page("2"), update("3"), other, message("5", "c", MessageKind::Page, Some("INC-1"))]
    {
        world.push(message);
    }
    assert_eq!(world.sent_at(0), ["1", "o", "5"]);
    world.refuse("5");
    let steps = world.queue.withdraw("INC-1", true, "acknowledged by ana");
    world.said.extend(steps);
    for id in ["2", "5"] {
        assert_eq!(world.end(id).unwrap(), "left out: acknowledged by ana");
    }
    world.refuse("1");
    assert_eq!(world.end("1").unwrap(), "left out: acknowledged by ana", "not tried again");
    assert_eq!(world.sent_at(5_000), ["3"]);
    assert_eq!((world.end("o"), world.end("3")), (None, None));
    let steps = world.queue.withdraw("INC-11", false, "resolved");
    world.said.extend(steps);
    world.accept("o");
    assert_eq!(world.end("o").unwrap(), "accepted", "it had arrived");
}

/// Each kind of channel is written to at its own pace.
#[test]
fn channels_have_their_pace() {
    for (kind, at_once, in_ten_seconds) in
        [("slack", 5, 14), ("discord", 5, 29), ("teams", 4, 43), ("webhook", 10, 40)]
    {
        let mut world = World::new(&[("a", kind)]);
        let mut sent = 0;
        for number in 0..40 {
            let id = format!("{number:03}");
            world.push(message(&id, "a", MessageKind::Page, Some(&format!("INC-{id}"))));
        }
        for tick in 0..100 {
            for id in world.sent_at(tick * 100) {
                world.accept(&id);
                sent += 1;
            }
            if tick == 0 {
                assert_eq!(sent, at_once, "{kind}");
            }
        }
        assert_eq!(sent, 40.min(in_ten_seconds), "{kind}");
    }
}

/// What waits is bounded: in a storm the oldest that is no page is left out, and counted.
#[test]
fn a_storm_is_bounded() {
    let mut world = World::new(&[("a", "webhook")]);
    for number in 0..WAITING {
        world.push(message(&format!("{number:05}"), "a", MessageKind::Notice, Some("INC-1")));
    }
    world.push(page("p"));
    assert!(world.end("00000").unwrap().starts_with("left out: storm"));
    assert_eq!((world.end("00001"), world.end("p")), (None, None));
    assert_eq!(world.queue.destinations["a"].jobs().count(), WAITING);
}

/// A notice on a desktop never counts as accepted, and a channel that has left the config is named.
#[test]
fn what_is_never_accepted() {
    let mut world = World::new(&[("a", "desktop")]);
    world.push(page("1"));
    world.sent_at(0);
    world.accept("1");
    assert!(world.end("1").unwrap().starts_with("left out: shown as a notice"));
    world.push(message("2", "gone", MessageKind::Page, None));
    assert_eq!(world.end("2").unwrap(), "failed: the config has no channel `gone` any more");
}

/// What people see of a message that was tried.
#[test]
fn deliveries_are_shown() {
    let mut world = World::new(&[("a", "webhook")]);
    world.push(page("1"));
    world.push(page("2"));
    assert_eq!(world.queue.deliveries(), [], "nothing was tried yet");
    world.sent_at(0);
    world.refuse("1");
    let [delivery] = &world.queue.deliveries()[..] else { panic!("one was tried") };
    assert_eq!(delivery.words(at(0)), "retrying 1, next in 1 s: answered 503");
}

/// What can happen.
#[derive(Clone, Debug)]
enum Turn {
    Push { channel: usize, incident: usize, kind: MessageKind },
    Passes(i64),
    Finish { which: usize, result: usize, after: u64 },
    Withdraw { incident: usize, pages_only: bool },
}

fn turn() -> impl Strategy<Value = Turn> {
    let kind = prop::sample::select(vec![
        MessageKind::Page,
        MessageKind::Update,
        MessageKind::Resolve,
        MessageKind::Notice,
    ]);
    prop_oneof![
        4 => (0_usize..3, 0_usize..3, kind).prop_map(|(channel, incident, kind)| Turn::Push { channel, incident, kind }),
        4 => (0_i64..40_000).prop_map(Turn::Passes),
        6 => (any::<usize>(), 0_usize..6, 0_u64..100).prop_map(|(which, result, after)| Turn::Finish { which, result, after }),
        1 => (0_usize..3, any::<bool>()).prop_map(|(incident, pages_only)| Turn::Withdraw { incident, pages_only }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever happens, in whatever order: within an incident and a channel messages are begun in the order in which they came;
    /// one at a time is on its way; nothing is sent after it ended; and in the end every message has ended exactly once.
    #[test]
    fn order_holds_and_nothing_is_lost(turns in proptest::collection::vec(turn(), 1..120)) {
        let names = ["a", "b", "c"];
        let all = [("a->b", "webhook"), ("b", "slack"), ("c", "discord")];
        let mut queue = Queue::new(&channels(&all), at(0));
        let (mut now, mut count) = (0_i64, 0_usize);
        let mut flying: Vec<NotificationId> = Vec::new();
        let mut begun: BTreeMap<(ChannelName, String), Vec<usize>> = BTreeMap::new();
        let mut ended: BTreeSet<NotificationId> = BTreeSet::new();
        let mut take = |steps: Vec<Step>, flying: &mut Vec<NotificationId>| -> Result<(), TestCaseError> {
            for step in steps {
                match step {
                    Step::Send(message) => {
                        prop_assert!(!ended.contains(&message.id), "sent after its end");
                        let lane = (message.channel.clone(), message.incident.as_ref().unwrap().to_string());
                        let number: usize = message.id.as_str().parse().unwrap();
                        let before = begun.entry(lane).or_default();
                        prop_assert!(before.last().is_none_or(|last| *last <= number), "out of order");
                        before.push(number);
                        prop_assert!(!flying.contains(&message.id), "twice at once");
                        flying.push(message.id);
                    }
                    Step::Tell(Input::NotificationFinished { id, .. }) => {
                        prop_assert!(ended.insert(id), "ended twice");
                    }
                    Step::Tell(_) => {}
                }
            }
            Ok(())
        };
        let close = std::iter::repeat_n(Turn::Passes(600_000), 200);
        let last = turns.len();
        for (index, turn) in turns.into_iter().chain(close).enumerate() {
            match turn {
                Turn::Push { channel, incident, kind } => {
                    count += 1;
                    let incident = format!("INC-{incident}");
                    let mut message = message(&format!("{count:06}"), names[channel], kind, Some(&incident));
                    message.at = at(now);
                    let steps = queue.push(message, false);
                    take(steps, &mut flying)?;
                }
                Turn::Passes(ms) => now += ms,
                Turn::Finish { which, result, after } => {
                    if flying.is_empty() {
                        continue;
                    }
                    let id = flying.remove(which % flying.len());
                    let result = match result {
                        0 | 1 => Ok(Accepted::default()),
                        2 => retry(None),
                        3 => retry(Some(Duration::from_secs(after))),
                        4 => Err(SendError::Unknown { reason: "silence".to_owned() }),
                        _ => permanent(Fault::Config),
                    };
                    let steps = queue.finished(&id, result, at(now), 0.5);
                    take(steps, &mut flying)?;
                }
                Turn::Withdraw { incident, pages_only } => {
                    let steps = queue.withdraw(&format!("INC-{incident}"), pages_only, "acknowledged");
                    take(steps, &mut flying)?;
                }
            }
            if index >= last {
                // Every attempt ends some time.
                for id in std::mem::take(&mut flying) {
                    let steps = queue.finished(&id, retry(None), at(now), 0.5);
                    take(steps, &mut flying)?;
                }
            }
            let steps = queue.next(at(now));
            take(steps, &mut flying)?;
            for name in names {
                let destination = &queue.destinations[name];
                for lane in destination.lanes.values() {
                    let sending = lane.iter().filter(|job| job.state == JobState::Sending).count();
                    prop_assert!(sending <= 1, "two of one incident at once");
                }
            }
        }
        prop_assert_eq!(ended.len(), count, "some never ended");
    }
}
