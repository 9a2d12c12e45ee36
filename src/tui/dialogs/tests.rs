//! The help, the palette, leaving: keys in, effects and screens out.

use std::sync::Arc;
use std::time::Duration;

use super::Overlay;
use crate::engine::runtime::Leadership;
use crate::tui::key::{Code, Key, Sequence};
use crate::tui::scene::Picture;
use crate::tui::testing;
use crate::tui::ui::{Page, Ui};
use crate::tui::update::{Effect, Message, update};

struct Console {
    picture: Picture,
    ui: Ui,
}

impl Console {
    fn new(picture: Picture) -> Self {
        Self { picture, ui: Ui::new((120, 40)) }
    }

    fn key(&mut self, key: Key) -> Vec<Effect> {
        self.picture.now += Duration::from_secs(1);
        let effects = update(&mut self.ui, &self.picture, Message::Key(key));
        self.ui.overlay.seen();
        effects
    }

    fn keys(&mut self, text: &str) -> Vec<Effect> {
        Sequence::parse(text).unwrap().0.into_iter().flat_map(|key| self.key(key)).collect()
    }

    fn typed(&mut self, text: &str) -> Vec<Effect> {
        text.chars().flat_map(|char| self.key(Key::char(char))).collect()
    }

    fn seen(&self, size: (u16, u16)) -> String {
        testing::text(&testing::drawn(&self.picture, &self.ui, size, |scene, area, buf| {
            scene.ui.overlay.draw(scene, area, buf);
        }))
    }

    fn is_closed(&self) -> bool {
        matches!(self.ui.overlay, Overlay::None)
    }
}

/// A few letters find a command, Enter runs it; what cannot be done now says why and does nothing.
#[test]
fn the_help_runs_what_is_found() {
    let mut console = Console::new(testing::incident());
    console.keys("?");
    console.typed("timel");
    assert!(console.seen((120, 40)).contains("▸ t           timeline"), "{}", console.seen((120, 40)));
    console.keys("Enter");
    assert_eq!(console.ui.page(), Some(&Page::Timeline));
    assert!(console.is_closed());

    console.keys("?");
    console.typed("decide");
    console.keys("Enter");
    assert!(!console.is_closed(), "nothing waits for a decision");
    assert!(console.seen((120, 40)).contains("not now: no operation is going on"));
    console.keys("Esc");
    assert!(!console.is_closed(), "the search first");
    console.keys("Esc");
    assert!(console.is_closed());
}

/// A dangerous command is only opened from the help: it still asks.
#[test]
fn the_help_asks_before_danger() {
    let mut console = Console::new(testing::incident());
    console.keys("?");
    console.typed("roll back");
    let effects = console.keys("Enter");
    assert!(matches!(effects.as_slice(), [Effect::Propose(_)]), "{effects:?}");
    assert!(matches!(console.ui.overlay, Overlay::Action(_)));
    assert_eq!(console.keys("Enter"), []);
}

/// The help goes down to its end, where the tiers and the symbols are explained.
#[test]
fn the_help_at_every_size() {
    let mut console = Console::new(testing::incident());
    console.keys("?");
    for size in [(120, 40), (80, 24), (40, 10), (20, 5)] {
        console.ui.size = size;
        insta::assert_snapshot!(format!("help-{}x{}", size.0, size.1), console.seen(size));
    }
    console.ui.size = (80, 24);
    for _ in 0..12 {
        console.keys("PageDown");
    }
    insta::assert_snapshot!("help-end", console.seen((80, 24)));
    console.keys("PageUp");
    console.typed("frz");
    insta::assert_snapshot!("help-search", console.seen((80, 24)));
}

/// The palette: a command and what it takes, completed by Tab or taken as selected by Enter.
#[test]
fn the_palette_completes() {
    for (typed, keys, line) in [
        ("roll-back che", vec!["Enter"], "roll-back checkout"),
        ("roll-back che", vec!["Tab", "Enter"], "roll-back checkout"),
        ("roll-back checkout 2.7.8", vec!["Enter"], "roll-back checkout 2.7.8"),
        ("rollb", vec!["Tab", "c h e", "Tab", "Enter"], "roll-back checkout"),
        ("timel", vec!["Enter"], "timeline"),
    ] {
        let mut console = Console::new(testing::incident());
        console.keys(":");
        console.typed(typed);
        for keys in keys {
            console.keys(keys);
        }
        assert_eq!(console.ui.palette_history, [line], "{typed}");
    }
}

/// A version that is named is what is asked for, and what is dangerous still asks.
#[test]
fn the_palette_names_the_target() {
    let mut console = Console::new(testing::incident());
    console.keys(":");
    console.typed("roll-back checkout 2.7.8");
    let effects = console.keys("Enter");
    let [Effect::Propose(command)] = effects.as_slice() else { panic!("{effects:?}") };
    let crate::model::command::Command::RollBack(asked) = command.as_ref() else { panic!("{command:?}") };
    assert_eq!(asked.to, Some("2.7.8".into()));
}

/// Earlier lines come back, newest first, and go again.
#[test]
fn the_palette_remembers() {
    let mut console = Console::new(testing::incident());
    for line in ["zoom", "timeline", "zoom"] {
        console.keys(":");
        console.typed(line);
        console.keys("Enter");
    }
    assert_eq!(console.ui.palette_history, ["timeline", "zoom"]);
    console.keys(":");
    console.keys("Up");
    assert!(console.seen((120, 40)).contains(": zoom"));
    console.keys("Up");
    assert!(console.seen((120, 40)).contains(": timeline"));
    console.keys("Up");
    assert!(console.seen((120, 40)).contains(": timeline"), "there is none before");
    console.keys("Down");
    console.keys("Down");
    assert!(!console.seen((120, 40)).contains(": zoom"));
}

/// A theme is shown while it is selected; Esc takes it back, Enter keeps it.
#[test]
fn themes_are_looked_at() {
    let mut console = Console::new(testing::rest());
    console.keys(":");
    let effects = console.typed("theme mono");
    assert_eq!(effects.last(), Some(&Effect::Theme("mono".to_owned())));
    assert_eq!(console.keys("Esc"), [Effect::Theme("dark".to_owned())]);
    assert!(console.is_closed());

    console.keys(":");
    console.typed("theme mono");
    assert_eq!(console.keys("Enter"), [Effect::Theme("mono".to_owned())]);

    console.keys(":");
    console.typed("theme mono");
    let back = console.keys("^u");
    assert_eq!(back, [Effect::Theme("dark".to_owned())], "what is no longer selected is no longer shown");
}

/// At every size: the line, what fits, and why something cannot be done now.
#[test]
fn the_palette_at_every_size() {
    let mut console = Console::new(testing::incident());
    console.keys(":");
    console.typed("roll-back checkout ");
    insta::assert_snapshot!("palette-versions", console.seen((120, 40)));
    console.keys("^u");
    console.typed("res");
    for size in [(120, 40), (80, 24), (40, 10), (20, 5)] {
        insta::assert_snapshot!(format!("palette-{}x{}", size.0, size.1), console.seen(size));
    }
}

fn leading() -> Console {
    let mut console = Console::new(testing::running());
    let live = Arc::make_mut(&mut console.picture.live);
    let Leadership::Theirs(lease) = live.leadership.clone() else { panic!("another leads") };
    live.leadership = Leadership::Ours(lease);
    console
}

/// Where something would stop, leaving asks; Enter and the key that asked do not leave, `y` and a second `^c` do.
#[test]
fn leaving_asks() {
    for (keys, leaves) in [
        (vec!["q"], false),
        (vec!["q", "q"], false),
        (vec!["q", "Enter"], false),
        (vec!["q", "Esc", "y"], false),
        (vec!["q", "Y"], false),
        (vec!["q", "y"], true),
        (vec!["^c"], false),
        (vec!["^c", "^c"], true),
        (vec!["q", "^c"], true),
    ] {
        let mut console = leading();
        let effects: Vec<Effect> = keys.iter().flat_map(|keys| console.keys(keys)).collect();
        assert_eq!(effects.contains(&Effect::Quit), leaves, "{keys:?}");
    }
    // Another leads: nothing stops, nothing is asked.
    let mut console = Console::new(testing::running());
    assert_eq!(console.keys("q"), [Effect::Quit]);
    // Keys before the first frame are not for it.
    let mut console = leading();
    for key in ["q", "y"] {
        let key = Key::parse(key).unwrap();
        assert_eq!(update(&mut console.ui, &console.picture, Message::Key(key)), []);
    }
    let mut console = leading();
    console.keys("q");
    for size in [(120, 40), (40, 10), (20, 5)] {
        insta::assert_snapshot!(format!("leave-{}x{}", size.0, size.1), console.seen(size));
    }
}

/// No size makes any of them write outside or fail.
#[test]
fn drawn_anywhere() {
    for (keys, typed) in
        [("?", ""), ("?", "roll"), (":", ""), (":", "roll-back "), (":", "nothing"), ("/", "che")]
    {
        let mut console = Console::new(testing::incident());
        console.keys(keys);
        console.typed(typed);
        testing::stays_inside(&console.picture, &console.ui, |scene, area, buf| {
            scene.ui.overlay.draw(scene, area, buf);
        });
    }
    let mut console = leading();
    console.key(Key::plain(Code::Char('q')));
    testing::stays_inside(&console.picture, &console.ui, |scene, area, buf| {
        scene.ui.overlay.draw(scene, area, buf);
    });
}
