//! The deployments, looked at and moved through.

use super::*;
use crate::tui::scene::Picture;
use crate::tui::testing::{self, drawn, in_mono, stays_inside, text as picture_text};
use crate::tui::ui::Ui;

/// What the pane gets on screens of 160×45, 120×40 and 80×24.
const SIZES: [(u16, u16); 3] = [(67, 20), (50, 14), (80, 19)];

fn focused() -> Ui {
    Ui { focus: Pane::Deployments, ..Ui::new((120, 40)) }
}

fn shown(picture: &Picture, ui: &Ui) -> String {
    SIZES.map(|size| picture_text(&drawn(picture, ui, size, draw))).join("\n")
}

/// What is tried, what serves, what was taken back and where a rollback would go are all seen at once.
#[test]
fn a_canary_and_its_past() {
    insta::assert_snapshot!(shown(&testing::incident(), &focused()));
}

/// While a rollback runs, it says so on the release that is left, and no target is offered.
#[test]
fn a_rollback_under_way() {
    let shown = shown(&in_mono(testing::running()), &focused());
    assert!(shown.contains("rolling back") && !shown.contains("target"), "{shown}");
    insta::assert_snapshot!(shown);
}

/// What was taken back stays in the list with what became of it.
#[test]
fn after_a_rollback() {
    let mut ui = Ui::new((120, 40));
    ui.service.what = Some("checkout".into());
    insta::assert_snapshot!(shown(&testing::recovered(), &ui));
}

/// Without a reading of the platform there is nothing to list, and it says why.
#[test]
fn nothing_is_known() {
    let shown = shown(&testing::beginning(), &Ui::new((120, 40)));
    assert!(shown.contains("The platform has not been read yet."), "{shown}");
}

/// What keys move through is what is seen, in the same order, and the selection is marked.
#[test]
fn the_selection_is_what_is_listed() {
    let picture = testing::incident();
    let listed = listed(&Scene::new(&picture, &Ui::new((120, 40))));
    assert_eq!(listed.len(), 4);
    for (index, reference) in listed.iter().enumerate() {
        let mut ui = focused();
        ui.release.what = Some(reference.clone());
        let shown = picture_text(&drawn(&picture, &ui, (67, 20), draw));
        let marked = shown.lines().skip(2).position(|line| line.contains('▸'));
        assert_eq!(marked, Some(index), "{shown}");
    }
}

/// The line for a small screen says where the traffic is and where it would go back to.
#[test]
fn the_summary() {
    let picture = testing::incident();
    let summary = summary(&Scene::new(&picture, &Ui::new((80, 24))));
    assert_eq!(summary, "2.8.1 canary 20 % · 2.8.0 stable 80 % · target 2.8.0");
}

/// It never writes outside its frame.
#[test]
fn it_stays_inside() {
    for picture in [testing::incident(), testing::running(), testing::beginning()] {
        stays_inside(&picture, &focused(), draw);
    }
}
