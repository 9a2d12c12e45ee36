//! What becomes of the actions of a checklist: begun again, taken back, not known after their time, and a message that is sent.

use unship::engine::StepResult;
use unship::model::checklist::ItemAct;
use unship::model::command::Command;
use unship::model::event::Event;
use unship::model::incident::Audience;
use unship::model::operation::PlanKind;
use unship::model::release::{Arm, Inventory};

use crate::checklists::{Play, reason};
use crate::harness::inventory;

/// Turns the page of `shop` as the platform would, or says that it could not.
fn page(play: &mut Play, on: Option<bool>) {
    let world = &mut play.0;
    let step = world.steps.last().unwrap().clone();
    let shares = [("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)];
    let (result, there) = match on {
        Some(_) => (
            StepResult::Done { adopted: false, detail: "ok".into() },
            Inventory { maintenance: on, ..inventory(&shares) },
        ),
        None => (StepResult::Failed("the edge is away".into()), inventory(&shares)),
    };
    world.finish(&step, result, Some(there));
    play.pass(1);
}

const TWICE: &str = r#"
- [ ] The page is up {#up do="maintenance service=shop on=true" retry=2 undo="maintenance service=shop on=false"}
- [ ] It is rolled back {#rb do="rollback service=shop" timeout=30s}
- [ ] Those who wait are told {#told do="message template=update audience=external next=20m"}
- [ ] There are enough {#more do="scale service=shop to=6"}
"#;

/// What may be done twice is begun again by the engine, later each time, as often as the runbook says; a person takes back
/// what is left of it, and then it is open.
#[test]
fn what_failed_is_begun_again_or_taken_back() {
    let mut play = Play::with(TWICE);
    let why = play.act("up", ItemAct::Undo).unwrap_err();
    assert!(why.contains("only what has failed is taken back"), "{why}");
    play.act("up", ItemAct::Dispatch).unwrap();
    page(&mut play, None);
    assert_eq!(play.stands("up"), "failed");
    let note = play.item("up").note.unwrap();
    assert!(
        note.contains("the edge is away") && note.ends_with("it is begun again in 10 s, 1 of 2"),
        "{note}"
    );
    play.pass(8);
    assert_eq!(play.stands("up"), "failed", "not yet");
    // It is remembered across a restart.
    play.0.crash();
    play.pass(2);
    assert_eq!(
        (play.stands("up").as_str(), play.0.operation().by.to_string().as_str()),
        ("running", "unship")
    );
    page(&mut play, None);
    play.pass(21);
    assert_eq!(play.stands("up"), "running", "twice as long, and again");
    page(&mut play, None);
    play.pass(400);
    assert_eq!(play.stands("up"), "failed", "as often as it says and no more");
    let operations = play.0.core.state().operations_in_order().count();
    assert_eq!(operations, 3);

    play.act("up", ItemAct::Undo).unwrap();
    assert_eq!(play.0.operation().plan.kind, PlanKind::Maintenance { on: false });
    page(&mut play, Some(false));
    play.pass(1);
    assert_eq!(play.stands("up"), "current");
    assert!(play.item("up").note.unwrap().starts_with("taken back: op-4"), "{:?}", play.item("up").note);
    let why = play.act("rb", ItemAct::Undo).unwrap_err();
    assert!(why.contains("does not say what takes `rb` back"), "{why}");

    // What a person does about it ends that.
    play.act("up", ItemAct::Dispatch).unwrap();
    page(&mut play, None);
    play.act("up", ItemAct::Override { reason: reason("the vendor has one up") }).unwrap();
    play.pass(60);
    assert_eq!(play.0.core.state().operations_in_order().count(), 5);
}

/// What is to be begun again and cannot be says why, and is left to people.
#[test]
fn what_cannot_be_begun_again_says_so() {
    let mut play = Play::with(TWICE);
    play.act("up", ItemAct::Dispatch).unwrap();
    page(&mut play, None);
    play.act("rb", ItemAct::Dispatch).unwrap();
    play.pass(11);
    let note = play.item("up").note.unwrap();
    assert!(note.starts_with("it is not begun again: `up`: busy"), "{note}");
    play.pass(60);
    assert_eq!(play.0.core.state().operations_in_order().count(), 2);
}

/// Once the incident is resolved nothing is begun again.
#[test]
fn what_is_over_is_left_alone() {
    let mut play = Play::with(TWICE);
    play.act("up", ItemAct::Dispatch).unwrap();
    page(&mut play, None);
    let resolve = Command::Resolve { incident: "INC-1".into(), reason: reason("the vendor has mended it") };
    play.say("ana", resolve).unwrap();
    play.pass(60);
    assert_eq!(play.0.core.state().operations_in_order().count(), 1);
}

/// After its time nobody knows what became of an action; it is not begun a second time, and its end is seen all the same.
#[test]
fn an_action_that_takes_too_long() {
    for (result, end) in [(None, "failed"), (Some(()), "done")] {
        let mut play = Play::with(TWICE);
        play.act("rb", ItemAct::Dispatch).unwrap();
        play.pass(29);
        assert_eq!(play.stands("rb"), "running");
        play.pass(2);
        assert_eq!(play.stands("rb"), "unknown");
        let note = play.item("rb").note.unwrap();
        assert_eq!(note, "op-1 has not ended within 30 s, and goes on");
        let why = play.act("rb", ItemAct::Dispatch).unwrap_err();
        assert!(why.contains("nobody knows whether `rb` has happened"), "{why}");
        match result {
            None => {
                let step = play.0.steps.last().unwrap().clone();
                let failed = StepResult::Failed("the edge is away".into());
                play.0.finish(&step, failed, None);
            }
            Some(()) => {
                play.0.done();
                for _ in 0..8 {
                    play.0.second("shop", &[("3.0", 100.0, 0.0)]);
                }
            }
        }
        play.pass(2);
        assert_eq!(play.stands("rb"), end, "{:?}", play.item("rb"));
    }
}

/// A message that a runbook asks for is the draft of what is known now, through the channels that listen, with its promise.
#[test]
fn a_message_is_sent_from_a_line() {
    let mut play = Play::with(TWICE);
    play.act("told", ItemAct::Dispatch).unwrap();
    assert_eq!(play.stands("told"), "done");
    let incident = play.0.core.state().incident(&"INC-1".into()).unwrap();
    let update = &incident.updates[&Audience::External];
    let promised = play.0.now.checked_add(std::time::Duration::from_secs(20 * 60)).unwrap();
    assert_eq!((update.count, update.promised), (1, Some(promised)));
    let sent = play.0.events.iter().rev().find_map(|(_, event)| match event {
        Event::NotificationQueued { notification } if notification.topic == "incident-update" => {
            Some(notification.text.clone())
        }
        _ => None,
    });
    assert!(sent.unwrap().contains("INC-1"));
}
