//! The checklist, looked at and worked through.

use super::*;
use crate::model::command::Command;
use crate::model::incident::Ticked;
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
        assert!(
            shown.lines().any(|line| line.contains('▸') && line.contains(title.as_str())),
            "{title}:\n{shown}"
        );
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
    let expected = Command::Tick {
        incident: picture.live.state.open_incident().unwrap().id.clone(),
        item: "look-at-dashboards".into(),
        ticked: Some(Ticked::Done),
        note: None,
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
