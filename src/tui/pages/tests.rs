use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::tui::scene::Picture;
use crate::tui::testing::{self, drawn, in_mono, stays_inside, text};
use crate::tui::ui::Ui;

/// The bodies of the three sizes that people use: without header and footer.
const SIZES: [(u16, u16); 3] = [(160, 43), (120, 38), (80, 22)];

fn of(page: &str) -> Page {
    let checkout = || "checkout".into();
    match page {
        "service" => Page::Service(checkout()),
        "why" => Page::Why(checkout()),
        "history" => Page::History(checkout()),
        "timeline" => Page::Timeline,
        operation => Page::Operation(operation.into()),
    }
}

fn shown(picture: &Picture, page: &Page, scroll: Scroll, size: (u16, u16)) -> String {
    let ui = Ui::new((size.0, size.1 + 2));
    text(&drawn(picture, &ui, size, |scene, area, buf| draw(page, scroll, scene, area, buf)))
}

#[test]
fn look() {
    let which = std::env::var("LOOK").unwrap_or_default();
    let (state, page) = which.split_once('/').unwrap();
    let picture = match state {
        "rest" => testing::rest(),
        "incident" => testing::incident(),
        "running" => testing::running(),
        "recovered" => testing::recovered(),
        "needs_decision" => testing::needs_decision(),
        "stale" => testing::stale(),
        "beginning" => testing::beginning(),
        _ => panic!(),
    };
    let scroll = Scroll { top: 0, follows: page == "timeline" };
    for size in [(160, 90), (80, 60)] {
        println!("{}", shown(&picture, &of(page), scroll, size));
    }
}
