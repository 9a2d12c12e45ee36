//! Writing a message: keys in, what is sent and what is seen out.

use std::time::Duration;

use crate::model::command::Command;
use crate::model::incident::{Audience, IncidentAsk};
use crate::tui::dialogs::Overlay;
use crate::tui::key::{Key, Sequence};
use crate::tui::testing::{self, World};
use crate::tui::ui::Ui;
use crate::tui::update::{Effect, Message, update};

struct Console {
    world: World,
    ui: Ui,
}

impl Console {
    fn new() -> Self {
        Self { world: testing::awaited(), ui: Ui::new((120, 40)) }
    }

    /// A key, before a frame is drawn.
    fn blind(&mut self, key: Key) -> Vec<Effect> {
        let mut picture = self.world.picture();
        picture.now += Duration::from_secs(1);
        update(&mut self.ui, &picture, Message::Key(key))
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        let effects = self.blind(key);
        self.ui.overlay.seen();
        effects
    }

    fn keys(&mut self, text: &str) -> Vec<Effect> {
        Sequence::parse(text).unwrap().0.into_iter().flat_map(|key| self.key(key)).collect()
    }

    fn typed(&mut self, text: &str) {
        for char in text.chars() {
            assert!(self.key(Key::char(char)).is_empty(), "`{char}` did something");
        }
    }

    fn seen(&self, size: (u16, u16)) -> String {
        testing::text(&testing::drawn(&self.world.picture(), &self.ui, size, |scene, area, buf| {
            scene.ui.overlay.draw(scene, area, buf);
        }))
    }
}

/// What is sent is the text that was seen last, with what was typed and what is known, to the channels that were named.
#[test]
fn what_is_seen_is_sent() {
    let mut console = Console::new();
    assert!(console.keys("m").is_empty());
    console.key(Key::control('u'));
    console.typed("payments of some users fail");
    console.keys("S-Tab Right");
    console.key(Key::control('s'));
    let seen = console.seen((120, 40));
    assert!(seen.contains("Known: payments of some users fail") && seen.contains("to chat"), "{seen}");
    let effects = console.keys("y");
    let [Effect::Send(command, _)] = effects.as_slice() else { panic!("{effects:?}") };
    let Command::Incident { ask: IncidentAsk::Tell { audience, text, channels, next, .. }, .. } =
        command.as_ref()
    else {
        panic!("{command:?}")
    };
    assert_eq!((*audience, channels.as_slice()), (Audience::External, &["chat".into()][..]));
    assert!(text.contains("Known: payments of some users fail"), "{text}");
    assert!(text.contains("Next message by 2026-11-21 14:2"), "{text}");
    assert!(next.is_some());
    assert!(matches!(console.ui.overlay, Overlay::None));
}

/// Nothing but `y` sends, and `y` only once the text as it would be sent was on the screen; Enter never does.
#[test]
fn a_slip_sends_nothing() {
    let mut console = Console::new();
    console.keys("m Enter Enter");
    console.key(Key::control('s'));
    assert!(console.keys("Enter").is_empty());
    assert!(console.seen((120, 40)).contains("^s shows what is sent"), "{}", console.seen((120, 40)));
    // Read before the first frame with the text: it was typed for something else.
    console.blind(Key::control('s'));
    assert!(console.blind(Key::char('y')).is_empty());
    console.ui.overlay.seen();
    assert!(console.seen((120, 40)).contains("y came before this was on the screen"));
    assert_eq!(console.keys("y").len(), 1);
}

/// A draft is there again after Esc, also one that was sent and not taken, until the incident says that it was told.
#[test]
fn a_draft_is_kept() {
    let mut console = Console::new();
    console.keys("m");
    console.key(Key::control('u'));
    console.typed("the bank is down");
    console.keys("Esc");
    assert!(matches!(console.ui.overlay, Overlay::None));
    console.keys("m");
    assert!(console.seen((120, 40)).contains("the bank is down"));
    console.key(Key::control('s'));
    let effects = console.keys("y");
    console.keys("m");
    assert!(console.seen((120, 40)).contains("the bank is down"), "it was not taken yet");
    console.keys("Esc");
    let [Effect::Send(command, _)] = effects.as_slice() else { panic!("{effects:?}") };
    console.world.send(command.as_ref().clone());
    console.world.pass(1);
    console.keys("m");
    let seen = console.seen((120, 40));
    assert!(!seen.contains("the bank is down"), "{seen}");
    assert!(seen.contains("internal: told 0:01 ago, due in"), "{seen}");
}

/// What is known goes on in a field that nobody touched; one that was edited stays, and it says that there is news.
#[test]
fn news_never_replaces_what_was_typed() {
    let impact = |console: &Console| {
        let seen = console.seen((120, 40));
        seen.lines().find(|line| line.contains(" impact ")).map(str::to_owned).unwrap_or_default()
    };
    let news = |console: &mut Console| {
        console.world.load(
            "checkout",
            "2.8.1",
            testing::Load { errors: 0.3, latency_ms: 1_900.0, memory: 0.52 },
        );
        console.world.pass(20);
    };
    let mut console = Console::new();
    console.keys("m Tab");
    console.typed("!");
    console.keys("Tab");
    let before = impact(&console);
    news(&mut console);
    assert_eq!(before, impact(&console));
    let seen = console.seen((120, 40));
    assert!(seen.contains("the impact has changed since you edited it"), "{seen}");
    console.keys("S-Tab");
    console.key(Key::control('r'));
    assert!(!console.seen((120, 40)).contains("has changed since"), "{}", console.seen((120, 40)));
    assert_ne!(before, impact(&console));

    let mut untouched = Console::new();
    untouched.keys("m");
    let before = impact(&untouched);
    news(&mut untouched);
    assert_ne!(before, impact(&untouched));
}

/// A time that is none is said, and nothing is put up to be sent.
#[test]
fn a_promise_that_is_none() {
    let mut console = Console::new();
    console.keys("m Tab Tab Tab");
    console.typed("x");
    console.key(Key::control('s'));
    let seen = console.seen((120, 40));
    assert!(seen.contains("20mx is no time; write one like 20m, or nothing"), "{seen}");
    assert!(console.keys("y").is_empty());
}

/// Without a channel there is nobody to tell, and the key says so.
#[test]
fn nobody_listens() {
    let mut ui = Ui::new((120, 40));
    update(&mut ui, &testing::incident(), Message::Key(Key::char('m')));
    assert!(matches!(ui.overlay, Overlay::None));
    assert!(ui.toast.unwrap().text.contains("no channel"));
}

/// At every size the field, the text and what the keys do are there; nothing is drawn outside.
#[test]
fn every_size() {
    let mut console = Console::new();
    console.keys("m");
    let mut looks: Vec<String> = [(120, 40), (80, 22), (40, 8)].map(|size| console.seen(size)).into();
    console.key(Key::control('s'));
    looks.extend([(120, 40), (40, 8)].map(|size| console.seen(size)));
    insta::assert_snapshot!(looks.join("\n"));
    testing::stays_inside(&console.world.picture(), &console.ui, |scene, area, buf| {
        scene.ui.overlay.draw(scene, area, buf);
    });
}
