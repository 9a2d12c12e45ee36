//! Keys in, effects out, at the states of a real core; and what is seen of it.

mod scaled;
mod worked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::model::command::{Command, Settlement};
use crate::model::operation::Strategy as How;
use crate::model::release::Arm;
use crate::tui::dialogs::Overlay;
use crate::tui::key::{Code, Key, Sequence};
use crate::tui::keymap::Keymap;
use crate::tui::scene::{Picture, Scene};
use crate::tui::testing::{self, World};
use crate::tui::ui::{Page, ToastKind, Ui};
use crate::tui::update::{Effect, Message, update};

/// A console in front of a world.
struct Console {
    world: World,
    picture: Picture,
    ui: Ui,
}

impl Console {
    fn new(world: World) -> Self {
        Self { picture: world.picture(), ui: Ui::new((120, 40)), world }
    }

    /// A key, at a moment of its own; no frame follows by itself.
    fn key(&mut self, key: Key) -> Vec<Effect> {
        self.picture.now += Duration::from_secs(1);
        update(&mut self.ui, &self.picture, Message::Key(key))
    }

    /// Keys as they are written, each seen before the next.
    fn keys(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in Sequence::parse(text).unwrap().0 {
            effects.extend(self.key(key));
            self.frame();
        }
        effects
    }

    /// Text as it is typed, each letter seen before the next.
    fn typed(&mut self, text: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for char in text.chars() {
            effects.extend(self.key(Key::char(char)));
            self.frame();
        }
        effects
    }

    fn frame(&mut self) {
        self.ui.overlay.seen();
    }

    /// What the engine says to what it was asked last.
    fn answer(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Propose(command) = effect {
                let proposal = Box::new(self.world.core.propose(command, self.world.now));
                update(&mut self.ui, &self.picture, Message::Proposed { of: command.clone(), proposal });
            }
        }
        self.frame();
    }

    /// Presses keys and lets the engine answer.
    fn open(&mut self, keys: &str) {
        let effects = self.keys(keys);
        self.answer(&effects);
        assert!(is_open(self), "{:?}", self.ui.toast);
    }

    /// The world went on.
    fn look(&mut self) {
        let picture = self.world.picture();
        self.picture.live = picture.live;
    }

    /// Whether these words are seen, wherever the lines end.
    fn says(&self, words: &str) -> bool {
        let seen = self.seen((120, 40)).replace(['┃', '│'], " ");
        seen.split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    }

    fn seen(&self, size: (u16, u16)) -> String {
        let ui = &self.ui;
        testing::text(&testing::drawn(&self.picture, ui, size, |scene, area, buf| {
            scene.ui.overlay.draw(scene, area, buf);
        }))
    }
}

fn incident() -> Console {
    Console::new(testing::in_incident())
}

fn sent(effects: &[Effect]) -> Option<Command> {
    effects.iter().find_map(|effect| match effect {
        Effect::Send(command, _) => Some(command.as_ref().clone()),
        _ => None,
    })
}

fn is_open(console: &Console) -> bool {
    matches!(console.ui.overlay, Overlay::Action(_))
}

/// The right way: the name, letter by letter, and then `y`. Both ends are named in what is sent.
#[test]
fn the_name_and_then_y() {
    let mut console = incident();
    console.open("R");
    assert_eq!(sent(&console.typed("checkout")), None);
    let command = sent(&console.typed("y")).expect("it is sent");
    let Command::RollBack(asked) = command else { panic!("{command:?}") };
    let known = console.picture.live.state.service(&"checkout".into()).unwrap();
    assert_eq!(asked.from.as_ref(), known.canary().map(|release| &release.reference));
    assert_eq!(asked.to, Some("2.8.0".into()));
    assert_eq!(asked.strategy, How::Immediate);
    assert!(
        asked.reason.starts_with("errors 6.91 % above 5 % on the canary since 14:01"),
        "{}",
        asked.reason
    );
    assert!(!is_open(&console));
    let toast = console.ui.toast.as_ref().unwrap();
    assert_eq!((toast.text.as_str(), toast.kind), ("roll back checkout: sent", ToastKind::Said));
}

/// What does not confirm a rollback. Each begins with the dialog open and its proposal seen.
#[test]
fn what_never_confirms_a_rollback() {
    for (what, keys) in [
        ("the key alone", vec!["y"]),
        ("Enter", vec!["Enter", "Enter", "Enter"]),
        ("the key that asked", vec!["R", "R", "R"]),
        ("half of the name", vec!["c h e c k", "y"]),
        ("a wrong name", vec!["C h e c k o u t", "y"]),
        ("more than the name", vec!["c h e c k o u t s", "y"]),
        ("a name that is edited again", vec!["c h e c k o u t", "Backspace", "y"]),
        ("Enter after the name", vec!["c h e c k o u t", "Enter", "Enter"]),
        ("Y after the name", vec!["c h e c k o u t", "Y"]),
        ("a blank after the name", vec!["c h e c k o u t", "Space", "y"]),
        ("Esc", vec!["c h e c k o u t", "Esc"]),
        ("the name in the wrong field", vec!["S-Tab", "c h e c k o u t", "y"]),
        ("a strategy that is not proposed yet", vec!["c h e c k o u t", "Tab", "Right", "y"]),
        ("an empty reason", vec!["S-Tab", "^u", "Tab", "c h e c k o u t", "y"]),
    ] {
        let mut console = incident();
        console.open("R");
        let effects: Vec<Effect> = keys.iter().flat_map(|keys| console.keys(keys)).collect();
        assert_eq!(sent(&effects), None, "{what}");
    }
}

/// Nothing that was read before the first frame, nothing that comes faster than frames, nothing that is held down.
#[test]
fn keys_that_were_not_meant() {
    // All in one go, before the dialog was there.
    let mut console = incident();
    let mut effects = Vec::new();
    for char in "Rcheckouty".chars() {
        effects.extend(console.key(Key::char(char)));
    }
    console.answer(&effects);
    assert_eq!(sent(&effects), None);
    assert_eq!(sent(&console.typed("y")), None, "and the name was not taken from those keys either");

    // The name and `y` in one go: a clipboard without marks.
    let mut console = incident();
    console.open("R");
    let effects: Vec<_> = "checkouty".chars().flat_map(|char| console.key(Key::char(char))).collect();
    assert_eq!(sent(&effects), None);
    console.frame();
    assert!(sent(&console.typed("y")).is_some(), "after a look it is");

    // Held down: it comes again and again.
    let mut console = incident();
    console.open("R");
    console.typed("checkout");
    console.picture.live = Arc::clone(&console.picture.live);
    let mut is_sent = false;
    console.ui.overlay = {
        let overlay = std::mem::take(&mut console.ui.overlay);
        match overlay {
            Overlay::Action(mut dialog) => {
                dialog.last = Some((Key::char('y'), console.picture.now));
                Overlay::Action(dialog)
            }
            other => other,
        }
    };
    for _ in 0..50 {
        console.picture.now += Duration::from_millis(33);
        is_sent |= sent(&update(&mut console.ui, &console.picture, Message::Key(Key::char('y')))).is_some();
        console.frame();
    }
    assert!(!is_sent);
    assert!(sent(&console.typed("y")).is_some(), "let go and pressed again it is");
}

/// Pasted text is text, and the name is not pasted.
#[test]
fn pasting_confirms_nothing() {
    for text in ["checkout", "checkout\ny", "y", "\r", "checkouty"] {
        let mut console = incident();
        console.open("R");
        let mut effects = update(&mut console.ui, &console.picture, Message::Paste(text.to_owned()));
        console.frame();
        effects.extend(console.typed("y"));
        assert_eq!(sent(&effects), None, "{text:?}");
    }
}

/// A key that confirms elsewhere does not where it asked, or where it is part of a name.
#[test]
fn the_key_that_asked_never_confirms() {
    let remapped = |id: &str, key: &str| {
        let taken = BTreeMap::from([
            (id.to_owned(), vec![key.to_owned()]),
            ("copy-id".to_owned(), Vec::new()),
            ("copy-command".to_owned(), Vec::new()),
        ]);
        Keymap::new(&taken).unwrap()
    };
    let mut console = incident();
    console.picture.keymap = remapped("roll-back", "y");
    console.open("y");
    console.typed("checkout");
    assert!(console.says("checkout ✓ · Y aborts it"), "it says which key");
    assert_eq!(sent(&console.typed("y")), None);
    console.keys("Backspace");
    assert!(sent(&console.typed("Y")).is_some());

    let mut console = Console::new(testing::at_rest());
    console.picture.keymap = remapped("freeze-rollbacks", "y");
    console.open("y");
    console.typed("a release train");
    console.keys("Tab");
    assert_eq!(sent(&console.typed("yyy")), None);
    assert!(sent(&console.typed("Y")).is_some());
}

/// A freeze holds until somebody lifts it, or for as long as was chosen, from when it is confirmed.
#[test]
fn a_freeze_can_end_by_itself() {
    for (choose, lasts) in [("", None), ("Right", Some(30 * 60)), ("Left", Some(8 * 3_600))] {
        let mut console = Console::new(testing::at_rest());
        console.open("!f");
        console.typed("a release train");
        for key in ["S-Tab", choose, "Tab", "Tab"].into_iter().filter(|key| !key.is_empty()) {
            console.keys(key);
        }
        let Some(Command::Freeze { until, .. }) = sent(&console.typed("y")) else { panic!("{choose}") };
        let lasts = lasts.map(|secs| console.picture.now + Duration::from_secs(secs));
        assert_eq!(until, lasts, "{choose}");
    }
}

/// Where the world moved on while the dialog was open, it says so and cannot be confirmed; asked anew it can.
#[test]
fn what_changed_is_not_confirmed() {
    let ready = || {
        let mut console = incident();
        console.open("R");
        console.typed("checkout");
        console
    };
    // Another release is the canary.
    let mut console = ready();
    let newer = testing::release("2.8.2", "lee", "2026-11-21T14:01:30Z");
    console.world.serve("checkout", Some(newer), &[("2.8.0", Arm::Stable, 80), ("2.8.2", Arm::Canary, 20)]);
    console.world.pass(1);
    console.look();
    assert_eq!(sent(&console.typed("y")), None);
    assert!(console.says("changed since you pressed R: 2.8.2 is the canary now"));
    assert!(console.seen((40, 10)).contains("changed since you pressed R"));
    console.keys("Esc");
    console.open("R");
    // Nothing has been found on this one: the reason has to be typed.
    console.typed("it is no better");
    console.keys("Tab");
    console.typed("checkout");
    let Some(Command::RollBack(asked)) = sent(&console.typed("y")) else { panic!("asked anew it is sent") };
    let known = console.picture.live.state.service(&"checkout".into()).unwrap();
    assert_eq!(asked.from.as_ref(), known.canary().map(|release| &release.reference));

    // Somebody else was faster.
    let mut console = ready();
    console.world.roll_back("2.8.0", "from elsewhere");
    console.look();
    assert_eq!(sent(&console.typed("y")), None);
    assert!(console.says("is going on now"), "{}", console.seen((120, 40)));

    // The picture is held: what counts is what is.
    let mut console = ready();
    console.keys("Esc");
    console.keys("f");
    console.world.serve("checkout", None, &[("2.8.0", Arm::Stable, 100)]);
    console.world.pass(1);
    console.look();
    console.open("R");
    assert!(console.says("Roll back checkout"), "there is no canary any more");
}

/// An answer to another question is not taken for this one's.
#[test]
fn a_late_answer_is_dropped() {
    let mut console = incident();
    let first = console.keys("R");
    console.keys("Tab");
    let second = console.keys("Right");
    assert!(!second.is_empty(), "another strategy is asked anew");
    console.answer(&first);
    console.keys("S-Tab");
    console.typed("checkout");
    assert_eq!(sent(&console.typed("y")), None, "the answer was about the other strategy");
    console.answer(&second);
    let Some(Command::RollBack(asked)) = sent(&console.typed("y")) else { panic!("it is sent") };
    assert_eq!(asked.strategy, How::Gradual);
}

/// The tier in between: `y`, after a reason.
#[test]
fn y_after_a_reason() {
    for (keys, sends) in [
        (vec!["y"], false),
        (vec!["Tab", "y"], false),
        (vec!["o k", "y"], false),
        (vec!["o k", "Enter", "Enter"], false),
        (vec!["o k", "Tab", "Enter"], false),
        (vec!["o k", "Tab", "f"], false),
        (vec!["o k", "Tab", "Y"], false),
        (vec!["o k", "Esc"], false),
        (vec!["o k", "Tab", "y"], true),
        (vec!["o k", "Enter", "y"], true),
    ] {
        let mut console = Console::new(testing::at_rest());
        console.open("!f");
        let effects: Vec<Effect> = keys.iter().flat_map(|keys| console.keys(keys)).collect();
        assert_eq!(sent(&effects).is_some(), sends, "{keys:?}");
    }
}

/// A guardrail that blocks keeps the dialog shut until it is overridden, with a reason of its own.
#[test]
fn overriding() {
    let mut console = incident();
    console.world.send(Command::Freeze {
        service: Some("checkout".into()),
        until: None,
        reason: "a sale".to_owned(),
    });
    console.look();
    console.open("R");
    console.typed("checkout");
    assert_eq!(sent(&console.typed("y")), None);
    assert!(console.says("freeze blocks: ^o overrides it, with a reason"));
    console.keys("^o");
    console.typed("the sale is broken");
    console.keys("Tab");
    console.keys("Tab");
    let Some(Command::RollBack(asked)) = sent(&console.typed("y")) else { panic!("it is sent") };
    assert_eq!(asked.overrides.len(), 1);
    assert_eq!(asked.overrides[0].reason, "the sale is broken");

    // One that nobody can override says what to do.
    let mut console = incident();
    let effects = console.keys("R");
    console.world.roll_back("2.8.0", "from elsewhere");
    console.answer(&effects);
    console.typed("checkout");
    assert_eq!(sent(&console.typed("y")), None);
    assert!(console.says("pause or cancel the one that is going on"), "{}", console.seen((120, 40)));
}

/// A note asks nothing but its text: Enter writes it, and an empty one is not written.
#[test]
fn notes() {
    let mut console = incident();
    console.open("!n");
    assert_eq!(sent(&console.keys("Enter")), None);
    console.typed("it began with the deploy");
    let Some(Command::Note { text, .. }) = sent(&console.keys("Enter")) else { panic!("it is sent") };
    assert_eq!(text, "it began with the deploy");
}

/// What happened is never said by default: the choice, the reason, then `y`.
#[test]
fn settling() {
    let mut console = Console::new(World::clone(&testing::undecided()));
    console.open("!d");
    assert!(console.says("cannot show whether it has happened"), "{}", console.seen((120, 40)));
    let mut effects = console.keys("Tab");
    effects.extend(console.typed("looked"));
    effects.extend(console.keys("Tab"));
    effects.extend(console.typed("y"));
    assert_eq!(sent(&effects), None, "nothing is chosen");
    console.keys("Tab");
    console.keys("Right");
    console.keys("Right");
    let Some(Command::Settle { choice, reason, .. }) = sent(&console.typed("y")) else {
        panic!("it is sent")
    };
    assert_eq!((choice, reason.as_str()), (Settlement::Done, "looked"));
}

/// When it is accepted, its page opens as soon as it is known, unless the person went elsewhere.
#[test]
fn the_operations_page_opens() {
    let accepted = |console: &mut Console| {
        let answer = Message::Answered { asked: "roll back checkout".to_owned(), answer: Ok(()) };
        update(&mut console.ui, &console.picture, answer);
        console.world.roll_back("2.8.0", "errors");
        console.look();
        super::super::super::update::arrived(&mut console.ui, &console.picture);
    };
    let ready = || {
        let mut console = incident();
        console.open("R");
        console.typed("checkouty");
        console
    };
    let mut console = ready();
    accepted(&mut console);
    assert!(matches!(console.ui.page(), Some(Page::Operation(_))), "{:?}", console.ui.pages);
    assert_eq!(console.ui.toast.as_ref().unwrap().text, "roll back checkout: accepted");

    let mut console = ready();
    console.keys("t");
    accepted(&mut console);
    assert_eq!(console.ui.page(), Some(&Page::Timeline));

    let mut console = ready();
    let answer = Message::Answered { asked: "roll back checkout".to_owned(), answer: Err("no".to_owned()) };
    update(&mut console.ui, &console.picture, answer);
    let toast = console.ui.toast.as_ref().unwrap();
    assert_eq!((toast.text.as_str(), toast.kind), ("roll back checkout: refused: no", ToastKind::Refused));
}

/// What is copied is what would be sent.
#[test]
fn copying_as_a_command_line() {
    let mut console = incident();
    console.open("R");
    let effects = console.keys("^y");
    let [Effect::Copy(line)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(
        line.starts_with("unship -c unship.toml rollback checkout --to 2.8.0 --reason 'errors 6.91"),
        "{line}"
    );
    assert!(is_open(&console));
}

/// At every size it is seen what it is about, which field is edited, and what confirms.
#[test]
fn seen_at_every_size() {
    let mut console = incident();
    console.open("R");
    for size in [(160, 45), (120, 40), (80, 24), (40, 10), (20, 5)] {
        insta::assert_snapshot!(format!("rollback-{}x{}", size.0, size.1), console.seen(size));
    }
    console.typed("checkout");
    insta::assert_snapshot!("rollback-armed-20x5", console.seen((20, 5)));
    console.picture = testing::in_mono(console.picture);
    insta::assert_snapshot!("rollback-mono", console.seen((80, 24)));

    let mut console = incident();
    console.keys("R");
    insta::assert_snapshot!("rollback-waiting", console.seen((80, 24)));
    let mut console = Console::new(testing::undecided());
    console.open("!d");
    for size in [(120, 40), (80, 24), (40, 10), (20, 5)] {
        insta::assert_snapshot!(format!("settle-{}x{}", size.0, size.1), console.seen(size));
    }
    let mut console = Console::new(testing::in_rollback());
    console.open("!c");
    for size in [(120, 40), (40, 10), (20, 5)] {
        insta::assert_snapshot!(format!("cancel-{}x{}", size.0, size.1), console.seen(size));
    }
}

/// No size, however odd, makes it write outside or fail.
#[test]
fn drawn_anywhere() {
    for keys in ["R", "!f", "!a", "!s", "!n", "!x"] {
        let mut console = incident();
        console.open(keys);
        testing::stays_inside(&console.picture, &console.ui, |scene: &Scene<'_>, area, buf| {
            scene.ui.overlay.draw(scene, area, buf);
        });
    }
}

/// What a cat on the keyboard does between two frames.
#[derive(Clone, Debug)]
enum Doing {
    Key(Key),
    Paste(String),
    Frame,
    Answer,
    Wait(u64),
}

fn doing() -> impl Strategy<Value = Doing> {
    let named = [
        Code::Enter,
        Code::Esc,
        Code::Tab,
        Code::BackTab,
        Code::Up,
        Code::Down,
        Code::Left,
        Code::Right,
        Code::Backspace,
        Code::Delete,
        Code::Home,
    ];
    prop_oneof![
        6 => "[yYRcheckoutqn:!mP ]".prop_map(|text| Doing::Key(Key::char(text.chars().next().unwrap_or('y')))),
        3 => prop::sample::select(named.to_vec()).prop_map(|code| Doing::Key(Key::plain(code))),
        1 => "[a-z]".prop_map(|text| Doing::Key(Key::control(text.chars().next().unwrap_or('c')))),
        2 => prop::sample::select(vec!["checkout", "checkout\ny", "y", "yes\r\n"]).prop_map(|text| Doing::Paste(text.to_owned())),
        4 => Just(Doing::Frame),
        2 => Just(Doing::Answer),
        1 => (0_u64..2_000).prop_map(Doing::Wait),
    ]
}

fn moves_traffic(effects: &[Effect]) -> bool {
    matches!(sent(effects), Some(Command::RollBack(_) | Command::Promote(_) | Command::Maintenance { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Without the name, typed letter by letter, nothing moves traffic: whatever is pressed, pasted and drawn in between.
    #[test]
    fn nothing_by_accident(doings in prop::collection::vec(doing(), 0..60)) {
        let mut console = incident();
        let mut asked: Vec<Effect> = console.key(Key::char('R'));
        let mut typed = String::new();
        for doing in doings {
            let effects = match doing {
                Doing::Key(key) => {
                    typed.extend(key.text());
                    // Whoever types all of it, with corrections, has typed it.
                    if is_subsequence("checkout", &typed) {
                        return Ok(());
                    }
                    update(&mut console.ui, &console.picture, Message::Key(key))
                }
                Doing::Paste(text) => update(&mut console.ui, &console.picture, Message::Paste(text)),
                Doing::Frame => {
                    console.frame();
                    Vec::new()
                }
                Doing::Answer => {
                    let asking = std::mem::take(&mut asked);
                    console.answer(&asking);
                    Vec::new()
                }
                Doing::Wait(ms) => {
                    console.picture.now += Duration::from_millis(ms);
                    Vec::new()
                }
            };
            prop_assert!(!moves_traffic(&effects));
            asked.extend(effects);
        }
    }
}

fn is_subsequence(wanted: &str, typed: &str) -> bool {
    let mut typed = typed.chars();
    wanted.chars().all(|char| typed.any(|other| other == char))
}
