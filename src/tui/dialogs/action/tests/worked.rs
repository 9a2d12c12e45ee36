//! An incident worked through by keys: the checklist's lines, the escalation, the roles; with the engine's answers.

use super::*;
use crate::engine::checklist::{Item, ItemState, checklist};
use crate::model::checklist::ItemAct;
use crate::model::escalation::{IncidentRole, Standing};
use crate::model::event::Event;
use crate::model::incident::{IncidentAsk, Level};
use crate::tui::available;
use crate::tui::testing::worked;
use crate::tui::ui::{Page, Pane, Scroll};

impl Console {
    fn at(world: World, item: &str) -> Self {
        let mut console = Self::new(world);
        console.ui.focus = Pane::Checklist;
        console.select(item);
        console
    }

    /// Looks at a line, a moment later.
    fn select(&mut self, item: &str) {
        self.ui.item.what = Some(item.to_owned());
        self.world.pass(1);
        self.picture = self.world.picture();
    }

    /// What is to be sent goes to the engine, and its answer comes back.
    fn deliver(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let Effect::Send(command, asked) = effect else { continue };
            let before = self.world.timeline.len();
            self.world.send(*command);
            let refused = self.world.timeline.iter().skip(before).find_map(|entry| match &entry.event {
                Event::CommandRefused { reason, .. } => Some(reason.clone()),
                _ => None,
            });
            let answer = refused.map_or(Ok(()), Err);
            self.look();
            update(&mut self.ui, &self.picture, Message::Answered { asked, answer });
        }
    }

    fn press(&mut self, keys: &str) {
        let effects = self.keys(keys);
        self.deliver(effects);
    }

    fn types(&mut self, text: &str) {
        let effects = self.typed(text);
        self.deliver(effects);
    }

    fn item(&self, id: &str) -> Item {
        let view = &self.picture.live;
        let incident = view.state.incidents_in_order().pop().unwrap();
        let config = &self.picture.settings.config;
        let list = checklist(incident, &view.state, config, &view.readings, self.world.now);
        list.item(id).unwrap_or_else(|| panic!("no {id}")).clone()
    }

    fn toast(&self) -> &str {
        self.ui.toast.as_ref().map_or("", |toast| toast.text.as_str())
    }
}

/// The one key does what each kind of line asks for; what the engine refuses is said in its words.
#[test]
fn a_runbook_is_worked_through_by_keys() {
    let mut console = Console::at(worked::begun(), "ack");
    console.press("Space");
    assert!(matches!(console.item("ack").state, ItemState::Done { .. }), "{}", console.toast());

    console.select("errors");
    console.press("Space");
    assert!(console.toast().contains("it is not so: canary.error_rate 7"), "{}", console.toast());
    console.open("c o");
    console.types("too late");
    console.press("Tab y");
    assert!(console.says("at least 10 characters, this has 8"), "{}", console.seen((120, 40)));
    console.press("S-Tab");
    console.types(" to wait");
    console.press("Tab Enter");
    assert!(is_open(&console), "Enter never confirms what leaves the runbook's way");
    console.press("Tab y");
    assert!(matches!(console.item("errors").state, ItemState::Overridden { .. }), "{}", console.toast());

    console.select("calls");
    console.open("Space");
    console.types("many");
    console.press("Enter");
    assert_eq!(console.toast(), "enter calls: refused: calls is a number; `many` is none");
    console.press("Esc");
    console.open("Space");
    console.types("17");
    console.press("Enter");
    assert!(matches!(console.item("calls").state, ItemState::Done { .. }), "{}", console.toast());

    console.select("region");
    console.open("Space");
    console.press("2 Enter");
    assert_eq!(console.item("region").note.as_deref(), Some("America"));

    // What is seen speaks for one of them, and that one is chosen at first.
    console.select("cause");
    console.open("Space");
    assert!(
        console.says("1 Yes: take it back (recommended); canary.error_rate"),
        "{}",
        console.seen((120, 40))
    );
    console.press("Right Enter");
    assert!(
        is_open(&console) && console.says("a reason is needed"),
        "against what is seen it wants a reason"
    );
    console.press("Left Enter");
    assert!(matches!(console.item("cause").state, ItemState::Done { .. }), "{}", console.toast());
    assert!(matches!(console.item("owner").state, ItemState::NotApplicable { .. }));

    console.select("caches");
    console.press("Space");
    assert!(matches!(console.item("caches").state, ItemState::Waiting { .. }), "{}", console.toast());
    console.press("Space");
    assert!(console.toast().contains("its time passes: 0:0"), "{}", console.toast());

    console.select("freeze");
    console.open("Space");
    assert!(console.says("It begins freeze: for 2h, service checkout."), "{}", console.seen((120, 40)));
    console.press("Enter");
    assert!(is_open(&console));
    console.press("y");
    let state = &console.picture.live.state;
    assert!(state.service(&"checkout".into()).unwrap().freeze.is_some(), "{}", console.toast());
}

/// Figures move while somebody thinks: a decision shows what speaks for each way now, and wants a reason by that.
#[test]
fn a_decision_shows_what_is_seen_now() {
    let mut console = Console::at(worked::begun(), "cause");
    console.open("Space");
    assert!(console.says("1 Yes: take it back (recommended)"), "{}", console.seen((120, 40)));
    console.world.load("checkout", "2.8.1", testing::Load { errors: 0.0, latency_ms: 280.0, memory: 0.5 });
    console.world.pass(15);
    console.picture = console.world.picture();
    assert!(console.says("1 Yes: take it back (not advised)"), "{}", console.seen((120, 40)));
    console.press("Enter");
    assert!(console.says("a reason is needed"), "{}", console.seen((120, 40)));
}

/// A rollback that a line asks for is asked with the question that every rollback is asked with.
#[test]
fn a_line_asks_for_a_rollback() {
    let mut console = Console::at(worked::begun(), "rb");
    console.open("Space");
    assert!(console.says("Abort 2.8.1 of checkout"), "{}", console.seen((120, 40)));
    assert_eq!(sent(&console.keys("Space Enter")), None);
}

/// Keys beside the one key: not applicable, later, again, a note, taken and let go.
#[test]
fn other_ways_for_a_line() {
    let mut console = Console::at(worked::begun(), "logs");
    console.press("c c");
    assert_eq!(console.item("logs").claimed, Some(console.picture.me.clone()), "{}", console.toast());
    console.press("c l");
    assert_eq!(console.item("logs").claimed, None);
    console.open("c n");
    console.types("nothing yet");
    console.press("Enter");
    assert_eq!(console.item("logs").notes[0].text, "nothing yet");
    console.open("c d");
    assert!(
        console.says("▸ resolved when the incident is resolved"),
        "the runbook's proposal is chosen at first"
    );
    console.types("not now");
    console.press("Enter");
    assert!(matches!(&console.item("logs").state, ItemState::Deferred { until, .. } if until == "resolved"));
    console.open("c r");
    console.press("Enter");
    assert!(matches!(console.item("logs").state, ItemState::Open));
    console.open("x");
    console.types("no logs here");
    console.press("Enter");
    assert!(matches!(console.item("logs").state, ItemState::NotApplicable { .. }));
    console.press("x");
    assert!(console.toast().contains("it is not applicable"), "{}", console.toast());
    console.press("Space");
    assert!(matches!(console.item("logs").state, ItemState::Open), "{}", console.toast());
    console.select("rb");
    console.press("x");
    assert!(console.toast().contains("it is critical"), "{}", console.toast());
    console.press("c o");
    assert!(
        console.toast().contains("only the commander overrides it, and nobody is"),
        "{}",
        console.toast()
    );
}

/// Whoever was quicker is not overruled: a question that is open says so, and a key on an old picture is refused by the
/// engine, in its words.
#[test]
fn somebody_was_quicker() {
    let mut console = Console::at(worked::begun(), "calls");
    console.open("Space");
    console.types("17");
    console.world.item_by("mira", "calls", ItemAct::Record { value: "19".to_owned() });
    console.look();
    console.press("Enter");
    assert!(
        console.says("changed since you pressed Space: it is done now, says mira"),
        "{}",
        console.seen((120, 40))
    );
    console.press("Esc");

    console.select("logs");
    console.world.item_by("mira", "logs", ItemAct::Done);
    // The picture is still the old one.
    console.press("Space");
    assert!(console.toast().starts_with("tick logs: refused: mira changed `logs`"), "{}", console.toast());
}

/// Escalating names who is told before anything is sent, and wants a reason; if others would be told by then, nothing is sent.
#[test]
fn escalating_names_who_is_told() {
    let mut console = Console::new(worked::begun());
    console.open("! e");
    assert!(
        console.says("next level 2: jonas (schedule:payments, phone) through pager"),
        "{}",
        console.seen((120, 40))
    );
    assert!(console.says("Told at once: jonas (schedule:payments, phone) through pager."));
    console.press("Tab");
    assert_eq!(sent(&console.keys("Enter")), None);
    let mut later = console.world.clone();
    console.press("Esc");

    console.open("! e");
    console.types("nobody answers");
    console.press("Tab y");
    let escalations =
        |console: &Console| console.picture.live.state.escalations.values().next().unwrap().clone();
    assert_eq!(escalations(&console).level, 2, "{}", console.toast());

    console.open("! z");
    console.press("Right Tab");
    console.types("mira is on it");
    console.press("Tab y");
    assert!(matches!(escalations(&console).standing, Standing::Snoozed { .. }), "{}", console.toast());

    // Five minutes pass while the question is open.
    let mut console = Console::new(worked::begun());
    console.open("! e");
    console.types("nobody answers");
    let then = later.now + Duration::from_secs(300);
    later.jump(&then.to_string());
    console.world = later;
    console.look();
    console.press("Tab y");
    assert!(is_open(&console) && console.says("others would be told"), "{}", console.seen((120, 40)));
}

/// Roles are taken, offered and given by name; what nobody can do says why.
#[test]
fn roles() {
    let mut console = Console::new(worked::begun());
    let roles = |console: &Console| console.picture.live.state.open_incident().unwrap().roles.clone();
    let run = |console: &mut Console, line: &str| {
        console.press(":");
        console.types(line);
        console.press("Enter");
    };
    run(&mut console, "take-role commander");
    assert!(is_open(&console), "{}", console.toast());
    console.press("Enter");
    assert_eq!(roles(&console)[&IncidentRole::Commander].name, "ana", "{}", console.toast());
    run(&mut console, "give-role scribe jonas");
    console.press("Enter");
    assert_eq!(roles(&console)[&IncidentRole::Scribe].name, "jonas", "{}", console.toast());
    run(&mut console, "offer-role deputy");
    assert!(console.says("a name is needed"), "{}", console.seen((120, 40)));
    console.types("mira");
    console.press("Enter");
    let offers = console.picture.live.state.open_incident().unwrap().offers.clone();
    assert_eq!(offers[&IncidentRole::Deputy].to, "mira", "{}", console.toast());
    run(&mut console, "merge");
    assert!(console.says("not now: no other incident is open"), "{}", console.seen((120, 40)));
}

/// An incident is closed when it is resolved, and opened again before that.
#[test]
fn the_end_of_an_incident() {
    let mut world = worked::begun();
    let incident = world.core.state().open_incident().unwrap().id.clone();
    world.send(Command::Resolve { incident, reason: "it was the cable".to_owned() });
    let mut console = Console::new(world);
    let run = |console: &mut Console, line: &str| {
        console.press(":");
        console.types(line);
        console.press("Enter");
    };
    run(&mut console, "reopen-incident");
    console.types("it was not the cable");
    console.press("Tab y");
    assert!(console.picture.live.state.open_incident().is_some(), "{}", console.toast());
    run(&mut console, "close");
    assert!(console.says("not now: INC-1 is not resolved"), "{}", console.seen((120, 40)));
    console.press("Esc");
    run(&mut console, "attach network");
    console.press("Enter");
    assert_eq!(console.picture.live.state.runs.len(), 2, "{}", console.toast());
    run(&mut console, "add-service cart");
    console.press("y");
    assert!(console.picture.live.state.open_incident().unwrap().has(&"cart".into()), "{}", console.toast());
}

/// With an incident's page open, a command is about that one: it never falls on another that is open beside it.
#[test]
fn the_page_says_which_incident() {
    let mut world = worked::begun();
    let first = world.core.state().open_incident().unwrap().id.clone();
    world.send(Command::Resolve { incident: first.clone(), reason: "it was the cable".to_owned() });
    world.send(Command::OpenIncident {
        services: vec!["cart".into()],
        title: "cart is slow".to_owned(),
        level: Level::Sev3,
    });
    let second = world.core.state().open_incident().unwrap().id.clone();
    assert_ne!(first, second);
    let mut console = Console::new(world);
    console.ui.pages.push((Page::Incident(first), Scroll::default()));
    console.press("a");
    assert!(console.toast().contains("INC-1 is not open"), "{}", console.toast());
    console.ui.pages.clear();
    console.press("a");
    assert!(
        console.picture.live.state.incident(&second).unwrap().acknowledged.is_some(),
        "{}",
        console.toast()
    );
}

/// The questions, at every size that people use: what confirms is seen at each.
#[test]
fn questions_at_every_size() {
    let mut shown = Vec::new();
    for (item, keys, confirms) in [
        ("cause", "Space", "decides"),
        ("calls", "Space", "a value is needed"),
        ("errors", "c o", "a reason is needed"),
        ("logs", "c d", "a reason is needed"),
        ("freeze", "Space", "does it"),
        ("ack", "! e", "a reason is needed"),
    ] {
        let mut console = Console::at(worked::begun(), item);
        console.open(keys);
        for size in [(120, 40), (80, 24), (40, 10)] {
            let seen = console.seen(size);
            let flat =
                seen.replace(['┃', '│', '┏', '┗', '━'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(flat.contains(confirms), "{item} {keys} at {size:?}:\n{seen}");
            let lines = seen.lines().filter(|line| !line.trim().is_empty());
            shown.push(format!(
                "{item} {keys} {}x{}\n{}",
                size.0,
                size.1,
                lines.collect::<Vec<_>>().join("\n")
            ));
        }
        for size in [(24, 6), (12, 4), (3, 1)] {
            console.seen(size);
        }
    }
    insta::assert_snapshot!(shown.join("\n\n"));
}

/// What is asked of the incident and of its lines has a command line, and it is copied from the question.
#[test]
fn questions_are_copied_as_command_lines() {
    for (item, keys, text, line) in [
        (
            "errors",
            "c o",
            "the canary is the patient",
            "checklist override errors --reason 'the canary is the patient' --incident INC-1",
        ),
        ("freeze", "Space", "", "checklist do freeze --incident INC-1"),
        ("ack", "! e", "nobody answers", "incident escalate INC-1 --reason 'nobody answers'"),
    ] {
        let mut console = Console::at(worked::begun(), item);
        console.open(keys);
        console.types(text);
        let effects = console.keys("^y");
        let [Effect::Copy(copied)] = effects.as_slice() else { panic!("{effects:?}") };
        assert!(copied.ends_with(line), "{copied}");
    }
}

/// Asking about the incident keeps to it: nothing is sent to one that is resolved meanwhile.
#[test]
fn an_incident_that_is_resolved_meanwhile() {
    let mut console = Console::new(worked::begun());
    console.open("! e");
    console.types("nobody answers");
    let incident = console.world.core.state().open_incident().unwrap().id.clone();
    console.world.send(Command::Resolve { incident, reason: "it was the cable".to_owned() });
    console.look();
    console.press("Tab y");
    assert!(is_open(&console) && console.says("INC-1 is resolved"), "{}", console.seen((120, 40)));
    console.world.ask(IncidentAsk::Reopen { reason: "it was not".to_owned() });
}

/// A runbook that was mended on disk is offered: the question says what differs, and nothing is taken over before a person says so.
#[test]
fn a_changed_runbook_is_taken_over() {
    let mut console = Console::at(worked::begun(), "ack");
    console.press("Space");
    let can = available::rebase(&Scene::new(&console.picture, &console.ui));
    assert_eq!(can.unwrap_err(), "no runbook that is worked through has changed");

    let text = console.picture.runbooks.get_mut("checkout").unwrap();
    text.source = text.source.replace("The incident is acknowledged", "Somebody has acknowledged").replace(
        "- [ ] How many customers called? {#calls ask=calls type=number}\n",
        "- [ ] Is it a holiday? {#day}\n",
    );
    console.frame();
    console.ui.pages.push((Page::Incident("INC-1".into()), Scroll::default()));
    let page =
        testing::text(&testing::drawn(&console.picture, &console.ui, (120, 60), |scene, area, buf| {
            crate::tui::screen::draw(scene, area, buf);
        }));
    assert!(page.contains("checkout: 1 changed, 1 added, 1 removed; :rebase goes on with it"), "{page}");
    console.ui.pages.clear();
    console.open(": r e b a s e Enter");
    for words in [
        "Changed: Somebody has acknowledged (done, open again).",
        "Added: Is it a holiday?.",
        "Removed: How many customers called?.",
        "1 changed, 1 added, 1 removed",
    ] {
        assert!(console.says(words), "{words}: {}", console.seen((120, 40)));
    }
    console.press("Enter");
    let sha = console.picture.live.state.runs.values().next().unwrap().sha256.clone();
    console.select("ack");
    assert!(
        matches!(console.item("ack").state, ItemState::Done { .. }),
        "it is so, whatever it is called: {sha}"
    );
    assert!(matches!(console.item("day").state, ItemState::Open), "{}", console.toast());
}

/// An operation is linked, and when it all began is said, from what is known or as typed.
#[test]
fn the_record_is_mended_by_keys() {
    let mut console = Console::at(worked::begun(), "ack");
    console.open(": o n s e t Space - 2 m Enter");
    assert!(console.says("13:58:23 as typed"), "{}", console.seen((120, 40)));
    assert!(
        console.says("checkout was failing") && console.says("it was declared"),
        "{}",
        console.seen((120, 40))
    );
    console.types("first calls of customers");
    console.press("Tab Enter");
    let incident = console.picture.live.state.incidents_in_order().pop().unwrap().clone();
    let before = incident.opened_at.duration_since(incident.onset.unwrap());
    assert!(before.as_secs() > 60, "{before:?} {}", console.toast());
    let can = available::link(&Scene::new(&console.picture, &console.ui));
    assert_eq!(can.unwrap_err(), "every operation that is known belongs to it");
}

/// An action that two people agree to: one asks, nothing is begun, another one agrees.
#[test]
fn two_people_agree() {
    let mut world = worked::begun();
    let text = worked::source().replace("{#rb .critical do=", "{#rb .critical approve=2 do=");
    let run = world.core.state().runs.values().next().unwrap().clone();
    world.send(Command::Rebase(crate::model::command::Rebase {
        incident: "INC-1".into(),
        run: run.id.clone(),
        from: run.sha256.clone(),
        source: text,
        bindings: None,
    }));
    world.item("cause", ItemAct::Choose { option: "yes".into(), reason: String::new() });
    let mut console = Console::at(world, "rb");
    console.open("Space");
    assert!(
        console.says("You ask for rollback") && console.says("before another person agrees"),
        "{}",
        console.seen((120, 40))
    );
    console.types("checkout");
    console.press("y");
    assert!(console.picture.live.state.open_operations().next().is_none(), "nothing is begun");
    console.select("rb");
    let asked = console.item("rb").asked.unwrap();
    console.open("Space");
    console.types("checkout");
    console.press("y");
    assert!(console.toast().contains("waits for another person to agree"), "{}", console.toast());
    console.press("Esc");
    console.world.item_by("jonas", "rb", ItemAct::Dispatch);
    console.select("rb");
    assert!(console.picture.live.state.open_operations().next().is_some(), "{asked:?}");
}

/// What has failed is taken back as the runbook says, with the question that says what is done.
#[test]
fn what_failed_is_taken_back() {
    let mut world = worked::begun();
    let undo = "{#rb .critical undo=\"freeze service=checkout for=30m\" do=";
    let run = world.core.state().runs.values().next().unwrap().clone();
    world.send(Command::Rebase(crate::model::command::Rebase {
        incident: "INC-1".into(),
        run: run.id.clone(),
        from: run.sha256.clone(),
        source: worked::source()
            .replace("{#rb .critical do=", undo)
            .replace(" verify=\"rollback.traffic_back\"", ""),
        bindings: None,
    }));
    world.item("cause", ItemAct::Choose { option: "yes".into(), reason: String::new() });
    let mut console = Console::at(world, "rb");
    let can = available::take_back(&Scene::new(&console.picture, &console.ui));
    assert_eq!(can.unwrap_err(), "only what has failed is taken back");
    console.world.item("rb", ItemAct::Dispatch);
    console.world.send(Command::Cancel { operation: "op-1".into(), reason: "the wrong one".to_owned() });
    console.world.done();
    console.world.pass(2);
    console.select("rb");
    assert!(matches!(console.item("rb").state, ItemState::Failed { .. }), "{:?}", console.item("rb").state);
    console.press("c");
    console.open("u");
    assert!(
        console.says("It begins freeze: for 30m, service checkout")
            && console.says("The line is open again once that has worked"),
        "{}",
        console.seen((120, 40))
    );
    console.types("checkout");
    console.press("y");
    console.world.pass(1);
    console.select("rb");
    assert!(console.item("rb").note.unwrap().starts_with("taken back"), "{}", console.toast());
    let known = console.picture.live.state.service(&"checkout".into()).unwrap();
    assert!(known.freeze.is_some());
}
