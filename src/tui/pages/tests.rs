//! The pages, looked at in every state and size.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use ratatui::buffer::Buffer;

use super::*;
use crate::engine::runtime::View;
use crate::model::breaker::{BreakerState, BreakerStatus};
use crate::model::delivery::{Delivery, DeliveryState};
use crate::model::event::Event;
use crate::model::notification::{MessageKind, Notification};
use crate::model::output::{Figure, OutputLine};
use crate::model::trigger::Severity;
use crate::model::validation::{LoadFigures, Trial, TrialOutcome};
use crate::tui::commands::Motion;
use crate::tui::glyphs::Glyphs;
use crate::tui::scene::Picture;
use crate::tui::testing::{self, drawn, in_mono, stays_inside, text};
use crate::tui::ui::{Frozen, Ui};

/// The bodies of the three sizes that people use: without header and footer.
const SIZES: [(u16, u16); 3] = [(160, 43), (120, 38), (80, 22)];

const TOP: Scroll = Scroll { top: 0, follows: false };
const END: Scroll = Scroll { top: 0, follows: true };

fn service() -> Page {
    Page::Service("checkout".into())
}

fn why() -> Page {
    Page::Why("checkout".into())
}

fn history() -> Page {
    Page::History("checkout".into())
}

/// The newest operation's page.
fn operation(picture: &Picture) -> Page {
    let newest = picture.live.state.operations_in_order().next_back().unwrap();
    Page::Operation(newest.id.clone())
}

fn look(picture: &Picture, page: &Page, scroll: Scroll, size: (u16, u16)) -> String {
    let ui = Ui::new((size.0, size.1 + 2));
    text(&drawn(picture, &ui, size, |scene, area, buf| draw(page, scroll, scene, area, buf)))
}

fn looks(picture: &Picture, page: &Page, scroll: Scroll) -> String {
    SIZES.map(|size| look(picture, page, scroll, size)).join("\n")
}

/// Everything about a service in trouble: verdict, arms, dependencies, indicators, probes, triggers, findings.
#[test]
fn a_service_in_trouble() {
    insta::assert_snapshot!(looks(&testing::incident(), &service(), TOP));
    insta::assert_snapshot!(look(&testing::incident(), &service(), TOP, (120, 70)));
}

/// A canary under a judge: what it has, comparison by comparison, and the baseline; and the decision that rests on it.
#[test]
fn a_judged_service() {
    insta::assert_snapshot!(look(&testing::watched(), &service(), TOP, (120, 80)));
    insta::assert_snapshot!(look(&testing::judged(), &why(), TOP, (120, 60)));
}

/// Where the figures come from, when all can be read and when not.
#[test]
fn the_sources() {
    insta::assert_snapshot!(looks(&testing::incident(), &Page::Sources, TOP));
    insta::assert_snapshot!(look(&testing::rest(), &Page::Sources, TOP, (80, 14)));
}

/// A message that no channel takes is seen, with when it is tried again; so is a channel that refuses what it is sent.
#[test]
fn what_is_not_accepted() {
    let mut picture = testing::incident();
    let mut live = View::clone(&picture.live);
    let now = picture.looked_at;
    live.deliveries.push(Delivery {
        notification: "n-1".into(),
        channel: "team".into(),
        kind: MessageKind::Page,
        attempt: 3,
        state: DeliveryState::RetryAt(now + std::time::Duration::from_secs(8)),
        reason: "https://chat.example.com answered 503 Service Unavailable".to_owned(),
    });
    let refuses = BreakerStatus {
        state: BreakerState::Open,
        since: now,
        next_try: None,
        pause: None,
        reason: "https://hooks.slack.com answered 404 Not Found (no_service)".to_owned(),
    };
    let state = Arc::make_mut(&mut live.state);
    state.channel_breakers.insert("slack".into(), refuses);
    // Nobody here knows how often these were tried: another process leads.
    state.outbox.clear();
    for (id, seconds) in [("n-2", 60), ("n-3", 1)] {
        let at = now - std::time::Duration::from_secs(seconds);
        let message = Notification::new(id, "mail".into(), "held", Severity::High, "production", "x", at);
        state.outbox.insert(id.into(), message);
    }
    picture.live = Arc::new(live);
    let shown = look(&picture, &Page::Sources, END, (160, 60));
    for expected in [
        "slack refuses messages; check its config: https://hooks.slack.com answered 404 Not Found (no_service)",
        "2 messages to mail not accepted yet, the oldest of ",
        "page to team: retrying 3, next in 8 s: https://chat.example.com answered 503 Service Unavailable",
    ] {
        assert!(shown.contains(expected), "{shown}");
    }
}

/// A service that is well, in the theme without colours.
#[test]
fn a_service_at_rest() {
    insta::assert_snapshot!(look(&in_mono(testing::rest()), &service(), TOP, (120, 60)));
}

/// What is too old says so, and does not pass for known.
#[test]
fn a_service_without_data() {
    let shown = look(&testing::stale(), &service(), TOP, (120, 38));
    assert!(shown.contains("NO DATA: no data for 1 m"), "{shown}");
    let shown = look(&testing::beginning(), &service(), TOP, (80, 22));
    assert!(shown.contains("The platform has not been read yet."), "{shown}");
}

/// A decision with its findings, its guardrails and what would change it.
#[test]
fn why_to_roll_back() {
    insta::assert_snapshot!(looks(&testing::incident(), &why(), TOP));
}

/// Before the first decision it says that there is none, and when there will be one.
#[test]
fn why_nothing() {
    let shown = look(&testing::beginning(), &why(), TOP, (80, 22));
    assert!(shown.contains("Nothing has been decided about checkout yet."), "{shown}");
}

/// An operation under way.
#[test]
fn an_operation_under_way() {
    let picture = testing::running();
    insta::assert_snapshot!(looks(&picture, &operation(&picture), TOP));
}

/// What the platform says while it works is at the end of the page, without what a terminal would act upon.
#[test]
fn the_output_of_an_operation() {
    let mut picture = testing::running();
    let id = picture.live.state.open_operations().next().unwrap().id.clone();
    let text = "\u{1b}[31mrouter: 2.8.0 gets 100 %\u{1b}[0m".to_owned();
    let line = OutputLine { at: picture.now, step: 1, text, figure: None };
    let mut view = View::clone(&picture.live);
    view.output.insert(id.clone(), Arc::new([line].into()));
    picture.live = Arc::new(view);
    let shown = look(&picture, &Page::Operation(id), END, (80, 22));
    let last = shown.lines().rev().nth(1).unwrap();
    assert!(last.contains("14:01:47  step 2  router: 2.8.0 gets 100 %"), "{shown}");
}

/// Checks and tests are a table, a load run is a chart; what was tried twice is there once, as it was the last time.
#[test]
fn what_an_operation_has_tried() {
    let mut picture = testing::running();
    let id = picture.live.state.open_operations().next().unwrap().id.clone();
    let trial = |name: &str, outcome, took_ms: f64, detail: &str| {
        let (name, detail) = (name.to_owned(), detail.to_owned());
        Figure::Trial(Trial { name, outcome, took_ms, detail })
    };
    let load = LoadFigures {
        requests: 1_200,
        failed: 3,
        per_second: 39.8,
        percentiles: vec![(50.0, 4.1), (95.0, 9.0), (99.0, 21.4)],
        buckets: vec![(2.0, 100), (5.0, 800), (10.0, 250), (25.0, 50), (f64::INFINITY, 0)],
    };
    let long = "answered nothing within 5 s, where a status below 500 was expected from /cart?of=42";
    let figures = [
        (0, trial("disk", TrialOutcome::Passed, 1.2, "6100 MiB free")),
        (0, trial("schema", TrialOutcome::Warned, 31.0, "20260301 is not there yet")),
        (1, trial("login", TrialOutcome::Failed, 12.0, "answers 500")),
        (1, trial("login", TrialOutcome::Passed, 9.0, "answers 201")),
        (1, trial("the cart of a user", TrialOutcome::Failed, 5_012.0, long)),
        (1, trial("stock", TrialOutcome::NotRun, 0.0, "`token` was not captured")),
        (1, Figure::Load(load)),
    ];
    let lines = figures.into_iter().map(|(step, figure)| OutputLine {
        at: picture.now,
        step,
        text: "once more as text".to_owned(),
        figure: Some(figure),
    });
    let mut view = View::clone(&picture.live);
    view.output.insert(id.clone(), Arc::new(lines.collect()));
    picture.live = Arc::new(view);
    let shown = look(&picture, &Page::Operation(id.clone()), TOP, (100, 50));
    assert!(!shown.contains("once more"), "{shown}");
    insta::assert_snapshot!(shown);
    let narrow = look(&picture, &Page::Operation(id), TOP, (44, 90));
    assert!(narrow.contains("was not captured"), "{narrow}");
}

/// One that has ended well.
#[test]
fn an_operation_that_ended() {
    let picture = in_mono(testing::recovered());
    insta::assert_snapshot!(look(&picture, &operation(&picture), TOP, (120, 38)));
}

/// One that waits for a person: what is known and the key that answers come first.
#[test]
fn an_operation_that_needs_a_person() {
    let picture = testing::needs_decision();
    let page = operation(&picture);
    let shown = look(&picture, &page, TOP, (80, 22));
    let key = picture.keymap.key_of("decide").unwrap();
    let answer = format!("{key} says what happened");
    let first: Vec<&str> = shown.lines().take(8).collect();
    assert!(first.iter().any(|line| line.contains("NEEDS A DECISION")), "{shown}");
    assert!(first.iter().any(|line| line.contains(&answer)), "{shown}");
    insta::assert_snapshot!(looks(&picture, &page, TOP));
}

/// One that is no longer remembered.
#[test]
fn an_operation_long_ago() {
    let shown = look(&testing::rest(), &Page::Operation("op-999".into()), TOP, (80, 22));
    assert!(shown.contains("op-999 is not remembered any more."), "{shown}");
}

/// What happened, day by day, a line each, the newest at the end.
#[test]
fn the_timeline() {
    let picture = testing::recovered();
    insta::assert_snapshot!(looks(&picture, &Page::Timeline, END));
    let shown = look(&picture, &Page::Timeline, TOP, (120, 400));
    let told =
        picture.timeline.iter().filter(|entry| !matches!(entry.event, Event::NotificationQueued { .. }));
    assert!(shown.lines().count() > 0 && told.count() > 20);
    let days = shown.lines().filter(|line| line.contains("November 2026")).count();
    assert_eq!(days, 3, "{shown}");
}

/// A held picture ends where it was held.
#[test]
fn a_held_timeline() {
    let (before, mut after) = (testing::incident(), testing::recovered());
    let held = Frozen { since: before.now, view: before.live.clone() };
    let last = before.timeline.back().unwrap().seq;
    let mut ui = Ui { frozen: Some(held), ..Ui::new((120, 40)) };
    let place = |picture: &Picture, ui: &Ui| write(&Page::Timeline, &Scene::new(picture, ui), 116).total;
    let with_it = place(&after, &ui);
    after.timeline.retain(|entry| entry.seq <= last);
    assert_eq!(with_it, place(&after, &ui));
    ui.frozen = None;
    assert_eq!(with_it, place(&after, &ui));
}

fn incident() -> Page {
    Page::Incident("INC-1".into())
}

/// An incident: where it stands, who was told and who is next, its checklists; at every size.
#[test]
fn an_incident_that_is_told() {
    let begun = testing::worked::begun().picture();
    insta::assert_snapshot!(looks(&begun, &incident(), TOP));
    insta::assert_snapshot!(look(&begun, &incident(), TOP, (40, 8)));
}

/// What went another way than the runbook says stands beside the checklists; roles, notes, operations and severities are there.
#[test]
fn an_incident_that_is_worked_on() {
    use crate::model::command::Command;
    use crate::model::escalation::IncidentRole;
    use crate::model::incident::{IncidentAsk, Level};
    let mut world = testing::worked::underway();
    world.ask(IncidentAsk::Take { role: IncidentRole::Commander, who: None });
    world.ask(IncidentAsk::Offer { role: IncidentRole::Scribe, to: "jonas".to_owned() });
    let id = world.core.state().open_incident().unwrap().id.clone();
    let reason = "only one region".to_owned();
    world.send(Command::SetLevel { incident: id.clone(), level: Level::Sev2, reason });
    world.send(Command::Note { incident: id, text: "the cable company was called".to_owned() });
    world.roll_back("2.8.0", "5xx on the canary");
    let shown = look(&world.picture(), &incident(), TOP, (120, 70));
    for words in
        ["commander", "offered to jonas by ana", "SEV2 by ana: only one region", "overridden", "op-1"]
    {
        assert!(shown.contains(words), "{words}:\n{shown}");
    }
    insta::assert_snapshot!(shown);
}

/// That everybody was told and nobody answered cannot be overlooked.
#[test]
fn an_incident_that_nobody_answers() {
    let picture = testing::worked::unanswered(12).picture();
    let shown = look(&picture, &incident(), TOP, (80, 40));
    assert!(shown.contains("EXHAUSTED since") && shown.contains("by nobody"), "{shown}");
    insta::assert_snapshot!(shown);
}

/// One that is over says how it ended and what closes it; one that is not remembered says so.
#[test]
fn an_incident_that_is_over() {
    let shown = look(&testing::resolved(), &incident(), TOP, (100, 30));
    assert!(shown.contains("resolved by ana") && shown.contains(":close closes it"), "{shown}");
    let shown = look(&testing::rest(), &incident(), TOP, (80, 22));
    assert!(shown.contains("INC-1 is not remembered any more."), "{shown}");
}

/// Releases, operations and events in full.
#[test]
fn the_history() {
    insta::assert_snapshot!(looks(&testing::recovered(), &history(), TOP));
    let shown = look(&testing::beginning(), &history(), TOP, (80, 22));
    assert!(shown.contains("Nothing is known of the releases of checkout yet."), "{shown}");
}

/// The ASCII set draws no other character than ASCII.
#[test]
fn ascii_is_ascii() {
    let picture = Picture { glyphs: Glyphs::ascii(), ..testing::running() };
    for page in [service(), why(), history(), incident(), Page::Timeline, operation(&picture)] {
        let shown = look(&picture, &page, TOP, (120, 38));
        assert!(shown.is_ascii(), "{page:?}: {:?}", shown.chars().find(|char| !char.is_ascii()));
    }
}

/// Scrolling stops at both ends, so that no key is lost beyond them, and the end is followed as lines come.
#[test]
fn scrolling_stops_at_the_ends() {
    let picture = testing::incident();
    let mut ui = Ui::new((80, 24));
    ui.pages.push((service(), Scroll::default()));
    let top = |ui: &Ui| ui.pages.last().unwrap().1.top;
    let go = |ui: &mut Ui, motion| crate::tui::select::moved(ui, &picture, motion);
    go(&mut ui, Motion::Up);
    assert_eq!(top(&ui), 0);
    go(&mut ui, Motion::Bottom);
    let last = top(&ui);
    assert!(last > 0 && ui.pages.last().unwrap().1.follows);
    for _ in 0..5 {
        go(&mut ui, Motion::Down);
        go(&mut ui, Motion::HalfDown);
    }
    assert_eq!(top(&ui), last);
    go(&mut ui, Motion::Up);
    assert_eq!(top(&ui), last - 1);
    assert!(!ui.pages.last().unwrap().1.follows);
}

/// Where the page is seen is said in its frame, and not where all of it is seen.
#[test]
fn the_position_is_said() {
    let picture = testing::incident();
    let shown = look(&picture, &service(), TOP, (80, 22));
    assert!(shown.lines().next().unwrap().contains("1–20 of "), "{shown}");
    let shown = look(&picture, &service(), END, (80, 22));
    let total = write(&service(), &Scene::new(&picture, &Ui::new((80, 24))), 76).total;
    assert!(shown.lines().next().unwrap().contains(&format!("{}–{total} of {total}", total - 19)), "{shown}");
    let shown = look(&picture, &why(), TOP, (160, 80));
    assert!(!shown.lines().next().unwrap().contains(" of "), "{shown}");
}

fn pictures() -> &'static [Picture] {
    static PICTURES: OnceLock<Vec<Picture>> = OnceLock::new();
    PICTURES.get_or_init(|| {
        vec![
            testing::rest(),
            testing::incident(),
            testing::running(),
            testing::recovered(),
            testing::resolved(),
            testing::needs_decision(),
            testing::stale(),
            testing::beginning(),
            testing::worked::underway().picture(),
            testing::worked::unanswered(12).picture(),
        ]
    })
}

/// No page writes outside its frame.
#[test]
fn pages_stay_inside() {
    let picture = testing::incident();
    for page in [service(), why(), history(), incident(), Page::Timeline, Page::Sources] {
        let draw = |scene: &Scene<'_>, area: Rect, buf: &mut Buffer| draw(&page, END, scene, area, buf);
        stays_inside(&picture, &Ui::new((120, 40)), draw);
    }
}

proptest! {
    /// No page panics, whatever its size, its state and where it is scrolled to.
    #[test]
    fn no_page_panics(
        state in 0_usize..10,
        page in 0_usize..7,
        width in 0_u16..260,
        height in 0_u16..90,
        top in prop_oneof![0_usize..200, Just(usize::MAX)],
        follows: bool,
    ) {
        let picture = &pictures()[state];
        let page = match page {
            0 => service(),
            1 => why(),
            2 => history(),
            3 => Page::Timeline,
            4 => Page::Sources,
            5 => incident(),
            _ => match picture.live.state.operations_in_order().next_back() {
                Some(newest) => Page::Operation(newest.id.clone()),
                None => Page::Operation("op-1".into()),
            },
        };
        look(picture, &page, Scroll { top, follows }, (width, height));
    }
}

/// Delivery over a quarter: what is promised, the measures with their weeks, and what is not known as that.
#[test]
fn delivery() {
    use crate::report::Entry;
    use crate::report::delivery::{Period, Recorder};
    let mut picture = testing::recovered();
    insta::assert_snapshot!("delivery_is_being_read", look(&picture, &Page::Delivery, TOP, (80, 6)));
    let mut recorder = Recorder::default();
    for entry in &picture.timeline {
        recorder.take(&Entry { seq: entry.seq, at: entry.at, event: &entry.event, hash: "" });
    }
    let from = picture.now - std::time::Duration::from_secs(13 * 7 * 86_400);
    let delivery = recorder.finish(Period { from, to: picture.now }, None, picture.now);
    picture.delivery = Some(Ok(Box::new(delivery)));
    insta::assert_snapshot!(looks(&picture, &Page::Delivery, TOP));
    picture.delivery = Some(Err("disk I/O error".to_owned()));
    assert!(look(&picture, &Page::Delivery, TOP, (80, 6)).contains("cannot be read: disk I/O error"));
}

/// A service's log: times, instances and long lines in columns; where nothing came, where it ended, and why.
#[test]
fn a_log() {
    use crate::model::platform::LogLine;
    use crate::tui::tail::Tail;
    let mut picture = testing::incident();
    let page = Page::Log("checkout".into());
    assert!(look(&picture, &page, END, (80, 6)).contains("The log is not read."));
    picture.log = Some(Tail::new("checkout".into()));
    assert!(look(&picture, &page, END, (80, 6)).contains("Nothing has come yet."));
    let tail = picture.log.as_mut().unwrap();
    let texts = [
        "GET /cart 200 12ms",
        "GET /pay 500 1003ms upstream timed out while reading response header from upstream, client: 10.0.3.17, server: checkout, request: POST /pay",
        "panic: \u{1b}[31mnil pointer",
    ];
    tail.take(
        texts.iter().enumerate().map(|(number, text)| LogLine {
            at: Some(picture.now + std::time::Duration::from_millis(1_250 * number as u64)),
            instance: format!("checkout-7d9f-{number}"),
            text: (*text).to_owned(),
        }),
        true,
    );
    insta::assert_snapshot!(SIZES.map(|(width, _)| look(&picture, &page, END, (width, 8))).join("\n"));
    picture.log.as_mut().unwrap().ended = Some(Err("no answer within 30 s".to_owned()));
    insta::assert_snapshot!("a_log_that_ended", look(&picture, &page, END, (60, 12)));
}
