//! The checklist, looked at and worked through.

use std::time::Duration;

use super::*;
use crate::model::checklist::ItemAct;
use crate::model::command::Command;
use crate::tui::commands::Action;
use crate::tui::commands::{Motion, of as command_of};
use crate::tui::key::Key;
use crate::tui::scene::Picture;
use crate::tui::testing::{self, drawn, in_mono, stays_inside, text as picture_text};
use crate::tui::ui::Ui;
use crate::tui::update::{Effect, Message, update};

/// What the pane gets on screens of 160×45, 120×40 and 80×24.
const SIZES: [(u16, u16); 3] = [(93, 22), (70, 19), (80, 19)];

fn focused() -> Ui {
    Ui { focus: Pane::Checklist, ..Ui::new((120, 40)) }
}

fn shown(picture: &Picture, ui: &Ui) -> String {
    SIZES.map(|size| picture_text(&drawn(picture, ui, size, draw))).join("\n")
}

/// The line to look at next, what the engine sees of it and the key that does it are seen.
#[test]
fn an_incident_begins() {
    let picture = testing::incident();
    let shown = shown(&picture, &Ui::new((120, 40)));
    assert!(shown.contains("a runs it") && shown.contains("R runs it"), "{shown}");
    insta::assert_snapshot!(shown);
}

/// What is settled is ticked, and the window of the phase that is worked through is in the frame.
#[test]
fn a_rollback_under_way() {
    insta::assert_snapshot!(shown(&in_mono(testing::running()), &focused()));
}

/// The engine has ticked what it saw to be so.
#[test]
fn everything_is_well_again() {
    insta::assert_snapshot!(shown(&testing::recovered(), &focused()));
}

/// A window that is over is said once, without shouting.
#[test]
fn overdue() {
    let mut picture = testing::incident();
    picture.now = picture.now.checked_add(Duration::from_secs(7 * 60)).unwrap();
    let shown = picture_text(&drawn(&picture, &Ui::new((120, 40)), (70, 19), draw));
    assert!(shown.contains("of 05:00, overdue"), "{shown}");
}

/// Without an incident it says so, says what opens one, and recommends nothing.
#[test]
fn no_incident() {
    for picture in [testing::rest(), testing::resolved()] {
        let ui = Ui::new((120, 40));
        let shown = picture_text(&drawn(&picture, &ui, (70, 12), draw));
        assert!(shown.contains("No incident is open.") && shown.contains("opens one by hand"), "{shown}");
        assert!(listed(&Scene::new(&picture, &ui)).is_empty());
        assert_eq!(at_hand(&Scene::new(&picture, &ui)), None);
    }
    insta::assert_snapshot!(picture_text(&drawn(&testing::resolved(), &Ui::new((120, 40)), (70, 12), draw)));
}

/// With little room the phases that are not at hand are one line each, and the line at hand is always seen.
#[test]
fn the_current_line_is_always_seen() {
    for picture in [testing::incident(), testing::running(), testing::recovered()] {
        let scene_ui = Ui::new((80, 24));
        let at_hand = at_hand(&Scene::new(&picture, &scene_ui)).unwrap();
        let title = of(&Scene::new(&picture, &scene_ui), picture.live.state.open_incident().unwrap())
            .item(&at_hand)
            .unwrap()
            .title
            .clone();
        for height in 3..26 {
            let shown = picture_text(&drawn(&picture, &scene_ui, (70, height), draw));
            assert!(shown.contains(&title), "{title} at {height}:\n{shown}");
        }
    }
}

/// Moving goes through every line, also those of phases that are folded, and the chosen one is always seen.
#[test]
fn a_chosen_line_is_always_seen() {
    let picture = testing::incident();
    let mut ui = focused();
    ui.size = (80, 24);
    let all = listed(&Scene::new(&picture, &ui));
    assert_eq!(all.len(), 17);
    let mut seen = vec![at_hand(&Scene::new(&picture, &ui)).unwrap()];
    for _ in 1..all.len() {
        crate::tui::select::moved(&mut ui, &picture, Motion::Down);
        seen.push(ui.item.what.clone().unwrap());
        let incident = picture.live.state.open_incident().unwrap();
        let checklist = of(&Scene::new(&picture, &ui), incident);
        let title = &checklist.item(seen.last().unwrap()).unwrap().title;
        let shown = picture_text(&drawn(&picture, &ui, (80, 12), draw));
        // A long title goes on below; its first and its last word are seen.
        let line =
            shown.lines().find(|line| line.contains('▸')).unwrap_or_else(|| panic!("{title}:\n{shown}"));
        let (first, last) = (title.split(' ').next().unwrap(), title.rsplit(' ').next().unwrap());
        assert!(line.contains(first) && shown.contains(last), "{title}:\n{shown}");
    }
    assert_eq!(seen, all);
}

/// `space` ticks the line at hand at once, without a question; `a` acknowledges, and then has nothing left to do.
#[test]
fn ticking_needs_no_question() {
    let picture = testing::incident();
    let mut ui = focused();
    ui.item.what = Some("look-at-dashboards".to_owned());
    let effects = update(&mut ui, &picture, Message::Key(Key::char(' ')));
    let [Effect::Send(command, _)] = effects.as_slice() else { panic!("{effects:?}") };
    let expected = Command::Item {
        incident: picture.live.state.open_incident().unwrap().id.clone(),
        run: Some("INC-1/emergency".into()),
        item: "look-at-dashboards".into(),
        seen: Some(0),
        act: ItemAct::Done,
    };
    assert_eq!(**command, expected);
    let can = |picture: &Picture, action| {
        let ui = Ui::new((120, 40));
        (command_of(action).unwrap().available)(&Scene::new(picture, &ui))
    };
    assert_eq!(can(&picture, Action::Acknowledge), Ok(()));
    let taken = can(&testing::running(), Action::Acknowledge).unwrap_err();
    assert!(taken.contains("acknowledged it"), "{taken}");
    assert_eq!(can(&testing::rest(), Action::Tick), Err("no incident is open".to_owned()));
    assert!(can(&picture, Action::OpenIncident).unwrap_err().ends_with("is open"));
    assert_eq!(can(&testing::rest(), Action::OpenIncident), Ok(()));
}

/// It never writes outside its frame.
#[test]
fn it_stays_inside() {
    for picture in [testing::incident(), testing::running(), testing::rest()] {
        stays_inside(&picture, &focused(), draw);
    }
}

/// A line of every kind in every state that the runbook's world has, at every size.
#[test]
fn a_runbook_at_every_size() {
    let begun = testing::worked::begun().picture();
    let underway = testing::worked::underway().picture();
    let ui = focused();
    let sizes = [(93, 40), (70, 30), (80, 19), (40, 8)];
    let states = [("begun", &begun, &ui), ("under way", &underway, &ui)];
    insta::assert_snapshot!(testing::gallery(&states, &sizes, draw));
}

/// Where several runbooks are worked through, each has its heading, and its lines its name.
#[test]
fn two_runbooks() {
    let mut world = testing::worked::begun();
    let incident = world.core.state().open_incident().unwrap().id.clone();
    world.send(Command::Attach { incident, runbook: "network".into() });
    world.pass(1);
    let picture = world.picture();
    let shown = picture_text(&drawn(&picture, &focused(), (80, 40), draw));
    assert!(shown.contains("Checkout errors  0/16 ─") && shown.contains("The network  0/2"), "{shown}");
    insta::assert_snapshot!(shown);
}

/// What was settled and is no longer so stands out, and so does what was taken back.
#[test]
fn after_the_rollback() {
    let picture = testing::worked::taken_back().picture();
    let mut ui = focused();
    let mut shown = Vec::new();
    for item in ["errors", "logs", "why"] {
        ui.item.what = Some(item.to_owned());
        shown.push(picture_text(&drawn(&picture, &ui, (93, 34), draw)));
    }
    insta::assert_snapshot!(shown.join("\n"));
}

/// The line at hand shows what is written in it, its commands and how they are copied; each press copies the next.
#[test]
fn commands_are_copied() {
    let picture = testing::worked::begun().picture();
    let mut ui = focused();
    ui.item.what = Some("logs".to_owned());
    let shown = picture_text(&drawn(&picture, &ui, (80, 40), draw));
    for words in [
        "Look at the last ten minutes",
        "$ kubectl logs deploy/checkout",
        "y copies the command",
        "to be filled in",
    ] {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    let mut copied = Vec::new();
    for _ in 0..3 {
        match update(&mut ui, &picture, Message::Key(Key::char('y'))).as_slice() {
            [Effect::Copy(text)] => copied.push(text.split(' ').nth(2).unwrap().to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(copied, ["deploy/checkout", "deploy/<dependency>", "deploy/checkout"]);
    ui.item.what = Some("why".to_owned());
    assert_eq!(update(&mut ui, &picture, Message::Key(Key::char('y'))), [Effect::Copy("why".to_owned())]);
}

/// Without colour and without Unicode every state is still told apart by its symbol and its word.
#[test]
fn a_runbook_in_ascii() {
    let picture = Picture {
        glyphs: crate::tui::glyphs::Glyphs::ascii(),
        ..in_mono(testing::worked::underway().picture())
    };
    let shown = picture_text(&drawn(&picture, &focused(), (80, 34), draw));
    assert!(shown.is_ascii(), "{:?}", shown.chars().find(|char| !char.is_ascii()));
    insta::assert_snapshot!(shown);
}
