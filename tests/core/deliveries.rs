//! How messages end, and what follows from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use unship::config::Config;
use unship::engine::{DeliveryEnd, Effect, Input, Settings, State, Turn};
use unship::model::NotificationId;
use unship::model::breaker::{BreakerState, BreakerStatus, Dependency};
use unship::model::channel::ChannelSpec;
use unship::model::event::Event;
use unship::model::notification::{MessageKind, Notification};
use unship::model::trigger::Severity;

use crate::harness::{World, settings, start};

fn channel(fallback: Option<&str>) -> ChannelSpec {
    let mut json = serde_json::json!({"kind": "webhook", "url": "http://127.0.0.1:1/"});
    if let Some(fallback) = fallback {
        json["fallback"] = fallback.into();
    }
    serde_json::from_value(json).unwrap()
}

/// `hook`, whose pages go on to `second`.
fn with_fallback() -> Arc<Settings> {
    settings(|config: &mut Config| {
        config.channels.insert("hook".into(), channel(Some("second")));
        config.channels.insert("second".into(), channel(None));
    })
}

fn page(id: &str) -> Notification {
    Notification {
        kind: MessageKind::Page,
        incident: Some("INC-1".into()),
        key: Some("INC-1/1/hook/1".to_owned()),
        to: vec!["ana@example.com".to_owned()],
        ..Notification::new(id, "hook".into(), "page", Severity::High, "test", "down", start())
    }
}

/// A world in whose outbox these are.
fn queued(messages: impl IntoIterator<Item = Notification>) -> World {
    let mut world = World::new(with_fallback());
    for notification in messages {
        let event = Event::NotificationQueued { notification };
        world.core.take_in(&event, world.now);
        world.folded.apply(&event, world.now);
    }
    world
}

fn fell_over(world: &mut World, id: &str) -> Turn {
    world.give(Input::NotificationFellOver { id: id.into(), reason: "not accepted within 30 s".to_owned() })
}

fn finished(world: &mut World, id: &str, end: DeliveryEnd) -> Turn {
    world.give(Input::NotificationFinished { id: id.into(), attempt: 2, end })
}

/// The fallback gets the same page under the same key, once, whatever the first channel makes of it; it is journaled before it
/// is sent.
#[test]
fn a_page_is_handed_to_the_fallback_once() {
    let mut world = queued([page("n-1")]);
    let turn = fell_over(&mut world, "n-1");
    let [Event::NotificationQueued { notification: copy }] = &turn.events[..] else { panic!("{turn:?}") };
    assert_eq!(turn.effects, [Effect::Notify(copy.clone())]);
    assert_eq!((copy.channel.as_str(), copy.id.as_str()), ("second", "n-1~second"));
    assert_eq!((copy.key(), copy.at, copy.kind), ("INC-1/1/hook/1", start(), MessageKind::Page));
    assert_eq!(copy.fallback_of, Some("n-1".into()));
    assert_eq!(copy.to, [""; 0], "the fallback knows whom it writes to");
    assert_eq!(fell_over(&mut world, "n-1"), Turn::default());
    assert_eq!(fell_over(&mut world, "n-1~second"), Turn::default(), "it has no fallback of its own");
    assert!(world.core.state().outbox.contains_key("n-1"), "the first is still tried");
}

/// What is no page, is not known, or has ended already is handed to nobody.
#[test]
fn nothing_else_falls_over() {
    let notice = Notification { kind: MessageKind::Update, ..page("n-1") };
    let mut world = queued([notice, page("n-2")]);
    finished(&mut world, "n-2", DeliveryEnd::Accepted { detail: String::new() });
    for id in ["n-1", "n-2", "n-3"] {
        assert_eq!(fell_over(&mut world, id), Turn::default(), "{id}");
    }
}

/// Each way to end is an event of its own, and each ends a message once.
#[test]
fn each_end_is_said_once() {
    let why = || "because".to_owned();
    for (end, kind) in [
        (DeliveryEnd::Accepted { detail: "1 of 2 took it".to_owned() }, "notification_sent"),
        (DeliveryEnd::Failed(why()), "notification_failed"),
        (DeliveryEnd::Suppressed(why()), "notification_suppressed"),
    ] {
        let mut world = queued([page("n-1")]);
        let turn = finished(&mut world, "n-1", end.clone());
        assert_eq!(turn.events.iter().map(Event::kind).collect::<Vec<_>>(), [kind]);
        assert_eq!(finished(&mut world, "n-1", end), Turn::default());
        assert!(world.core.state().outbox.is_empty() && world.core.state().outbox_order.is_empty());
        assert_eq!(world.folded, State::clone(world.core.state()));
    }
}

/// Which channels an incident has reached is known from what was accepted alone.
#[test]
fn reached_is_what_was_accepted() {
    let mut world = queued([page("n-1"), page("n-2"), page("n-3")]);
    finished(&mut world, "n-1", DeliveryEnd::Failed("no".to_owned()));
    finished(&mut world, "n-2", DeliveryEnd::Suppressed("no".to_owned()));
    assert!(world.core.state().reached.is_empty());
    finished(&mut world, "n-3", DeliveryEnd::Accepted { detail: String::new() });
    assert_eq!(world.core.state().reached["INC-1"], BTreeSet::from(["hook".into()]));
}

/// Whoever leads next sends what is left in the order in which it was queued, under the same ids, however these sort.
#[test]
fn the_next_leader_keeps_the_order() {
    let ids = ["test-9-1", "test-10-1", "test-11-1", "test-2-2"];
    let mut world = queued(ids.map(page));
    finished(&mut world, "test-10-1", DeliveryEnd::Failed("no".to_owned()));
    let turn = world.give(Input::Leading { holder: "guard@other:2".into(), program: "test".into() });
    let sent: Vec<NotificationId> = turn
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify(message) => Some(message.id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(sent, ["test-9-1", "test-11-1", "test-2-2"].map(NotificationId::from));
}

/// A channel that is left alone, or refuses what it is sent, is seen by everybody; one that is not in the config is not.
#[test]
fn channels_in_trouble_are_seen() {
    let mut world = World::new(with_fallback());
    let status = BreakerStatus {
        state: BreakerState::Open,
        since: world.now,
        next_try: None,
        pause: None,
        reason: "answered 404".to_owned(),
    };
    for name in ["hook", "hook", "other"] {
        let dependency = Dependency::Channel(name.into());
        world.give(Input::Breaker { dependency, status: status.clone() });
    }
    assert_eq!(world.says("breaker_changed"), 1);
    assert_eq!(world.core.state().channel_breakers["hook"], status);
    world.give(Input::Leading { holder: "guard@other:2".into(), program: "test".into() });
    assert!(world.core.state().channel_breakers.is_empty(), "the next leader has asked nobody yet");
}
