//! What people and time do to the items of a checklist, on simulated time: a runbook with one item of each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use unship::config::RunbookText;
use unship::engine::checklist::{Checklist, Item, checklist};
use unship::engine::{Input, Settings};
use unship::model::RunId;
use unship::model::checklist::ItemAct;
use unship::model::command::{Actor, Command, Envelope, Rebase};
use unship::model::event::Event;
use unship::model::incident::{IncidentAsk, Level};
use unship::model::release::Arm;

use crate::harness::{World, settings};

const RUNBOOK: &str = r#"
# Everything
## First (0-5 minutes) {.pause}
- [ ] The page is answered {#plain}
- [ ] The parent is done {#parent}
  - [ ] Its child is done {#child}
- [ ] The canary is gone {#sensed sense="canary.traffic == 0%" for=3s}
- [ ] Traffic is frozen {#freeze do="freeze service=shop" verify="freeze[\"shop\"]"}
## Second (5-10 minutes)
- [ ] Who is to blame? {#cause .decide}
  - [ ] Yes: the canary {#yes when="canary.traffic > 0%"}
    - [ ] It is rolled back {#rb do="rollback service=shop" verify="rollback.traffic_back"}
  - [ ] No: another one {#no when="canary.traffic == 0%"}
- [ ] The ticket is known {#ticket ask="ticket" type=number}
- [ ] Caches are cold for ten minutes {#wait wait=10m}
- [ ] No canary for a minute {#hold hold="canary.traffic == 0%" for=1m}
- [ ] The vault is closed {#vault .critical}
- [ ] Only in an emergency {#rare when="incident.sev <= 1"}
## Afterwards
- [ ] The report is written {#report}
- [ ] The status page is updated {#status every=20m}
"#;

pub(crate) struct Play(pub(crate) World, u64);

impl Play {
    fn new() -> Self {
        Self::with(RUNBOOK)
    }

    pub(crate) fn with(source: &str) -> Self {
        let mut with: Settings = Settings::clone(&settings(|config| {
            config.environment.automatic = false;
            let spec = r#"file = "everything.md""#;
            config.runbooks = BTreeMap::from([("everything".into(), toml::from_str(spec).unwrap())]);
        }));
        let text = RunbookText {
            file: "everything.md".to_owned(),
            source: source.to_owned(),
            bindings: None,
            sha256: "0".repeat(64),
        };
        with.runbooks = BTreeMap::from([("everything".into(), text)]);
        let mut world = World::new(Arc::new(with));
        // What serves is recorded as good, so that it can be returned to.
        world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
        for _ in 0..8 {
            world.second("shop", &[("3.0", 100.0, 0.0)]);
        }
        world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
        let mut play = Self(world, 0);
        let open = Command::OpenIncident {
            services: vec!["shop".into()],
            title: "it".to_owned(),
            level: Level::Sev2,
        };
        play.say("ana", open).unwrap();
        play.pass(1);
        play
    }

    pub(crate) fn say(&mut self, by: &str, command: Command) -> Result<(), String> {
        self.1 += 1;
        let by = Actor::Person { name: by.to_owned() };
        let (id, at) = (format!("p-{}", self.1).into(), self.0.now);
        let turn = self.0.give(Input::Command(Envelope { id, by, at, command }));
        turn.events
            .iter()
            .find_map(|event| match event {
                Event::CommandRefused { reason, .. } => Some(Err(reason.clone())),
                Event::CommandAccepted { .. } => Some(Ok(())),
                _ => None,
            })
            .expect("it is answered")
    }

    fn by(&mut self, by: &str, item: &str, act: ItemAct) -> Result<(), String> {
        let (incident, item) = ("INC-1".into(), item.into());
        self.say(by, Command::Item { incident, run: None, item, seen: None, act })
    }

    pub(crate) fn act(&mut self, item: &str, act: ItemAct) -> Result<(), String> {
        self.by("ana", item, act)
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.0.pass(1_000);
        }
        assert_eq!(self.0.core.state().as_ref(), &self.0.folded, "the state is the fold");
    }

    fn list(&self) -> Checklist {
        let core = &self.0.core;
        let incident = core.state().incident(&"INC-1".into()).unwrap();
        checklist(incident, core.state(), &core.settings().config, &BTreeMap::new(), self.0.now)
    }

    pub(crate) fn item(&self, id: &str) -> Item {
        self.list().item(id).unwrap().clone()
    }

    /// Where an item stands, in a word.
    pub(crate) fn stands(&self, id: &str) -> String {
        let value = serde_json::to_value(&self.item(id).state).unwrap();
        value["state"].as_str().unwrap().to_owned()
    }

    fn canary(&mut self, percent: u8) {
        let shares = [("3.0", Arm::Stable, 100 - percent), ("4.0", Arm::Canary, percent)];
        self.0.inventory("shop", if percent == 0 { &shares[..1] } else { &shares });
        self.pass(1);
    }

    /// Everything in the first section is settled.
    fn through_first(&mut self) {
        for item in ["plain", "child", "parent"] {
            self.act(item, ItemAct::Done).unwrap();
        }
        self.act("freeze", ItemAct::Dispatch).unwrap();
        self.act("sensed", ItemAct::Override { reason: "it is known to be fine".to_owned() }).unwrap();
        self.pass(1);
    }
}

pub(crate) fn reason(text: &str) -> String {
    text.to_owned()
}

/// A runbook of the config is attached instead of the built-in one; what it cannot be is said.
#[test]
fn the_own_runbook_is_attached() {
    let mut play = Play::new();
    assert_eq!(play.list().runs[0].id.as_str(), "INC-1/everything");
    let attach = |runbook: &str| Command::Attach { incident: "INC-1".into(), runbook: runbook.into() };
    assert!(play.say("ana", attach("nothing")).unwrap_err().contains("runbooks: everything, emergency"));
    assert!(play.say("ana", attach("everything")).unwrap_err().contains("already"));
    play.say("ana", attach("emergency")).unwrap();
    assert_eq!(play.list().runs.len(), 2);
}

/// A parent waits for what is below it, what is done is not done again, and two people who do the same hear of each other.
#[test]
fn manual_items() {
    let mut play = Play::new();
    assert!(play.act("parent", ItemAct::Done).unwrap_err().contains("1 item below `parent`"));
    play.act("child", ItemAct::Done).unwrap();
    play.act("parent", ItemAct::Done).unwrap();
    play.pass(2);
    assert_eq!(play.by("jonas", "parent", ItemAct::Done).unwrap_err(), "ana ticked `parent` 2 s ago");
    play.act("parent", ItemAct::Reopen { reason: reason("a slip") }).unwrap();
    assert_eq!(play.stands("parent"), "open");
    let seen = Some(play.item("parent").changes);
    play.act("parent", ItemAct::Done).unwrap();
    let stale = Command::Item {
        incident: "INC-1".into(),
        run: None,
        item: "parent".into(),
        seen,
        act: ItemAct::Reopen { reason: String::new() },
    };
    let why = play.say("jonas", stale).unwrap_err();
    assert!(why.contains("ana changed `parent`") && why.contains("it is done now"), "{why}");
    play.act("plain", ItemAct::Note { text: reason("called the vendor") }).unwrap();
    assert_eq!(play.item("plain").notes[0].text, "called the vendor");
    play.act("plain", ItemAct::Claim).unwrap();
    assert_eq!(play.item("plain").claimed.unwrap().to_string(), "ana");
    play.pass(601);
    assert_eq!(play.item("plain").claimed, None, "a claim lapses");
}

/// What is sensed is seen to be so for long enough, then a person confirms it; while it is false nobody can, and when it is no
/// longer so that shows.
#[test]
fn sensed_items() {
    let mut play = Play::new();
    let why = play.act("sensed", ItemAct::Done).unwrap_err();
    assert!(why.contains("is not so: canary.traffic 20% == 0%"), "{why}");
    play.canary(0);
    assert_eq!(play.stands("sensed"), "open", "not for long enough");
    play.pass(3);
    assert_eq!(play.stands("sensed"), "satisfied");
    play.canary(10);
    assert_eq!(play.stands("sensed"), "open");
    play.canary(0);
    play.pass(4);
    play.act("sensed", ItemAct::Done).unwrap();
    play.canary(10);
    assert_eq!(play.stands("sensed"), "regressed");
    let id = "INC-1".into();
    play.say("ana", Command::Resolve { incident: id, reason: reason("well") }).unwrap();
    let close =
        || Command::Incident { incident: "INC-1".into(), ask: IncidentAsk::Close { reason: String::new() } };
    assert!(play.say("ana", close()).unwrap_err().contains("`sensed` of everything is no longer so"));
    play.act("sensed", ItemAct::AcknowledgeRegression).unwrap();
    play.say("ana", close()).unwrap();
    assert!(play.act("plain", ItemAct::Done).unwrap_err().contains("is closed"));
}

/// While something cannot be seen, a person may say that it is so, and it is shown that nobody could see it.
#[test]
fn what_cannot_be_seen_is_open_loop() {
    let mut play = Play::new();
    // Another incident, of a service whose platform was never read.
    let open =
        Command::OpenIncident { services: vec!["pay".into()], title: "pay".into(), level: Level::Sev3 };
    play.say("ana", open).unwrap();
    let done = Command::Item {
        incident: "INC-2".into(),
        run: None,
        item: "sensed".into(),
        seen: None,
        act: ItemAct::Done,
    };
    play.say("ana", done).unwrap();
    let state = play.0.core.state();
    let run = state.runs_of(&"INC-2".into())[0];
    assert!(run.items[&unship::model::ItemId::from("sensed")].unsensed);
}

/// What comes behind a pause waits for it, unless what comes before is overridden.
#[test]
fn a_pause_gates() {
    let mut play = Play::new();
    assert!(play.item("ticket").gate.is_some());
    let why = play.act("ticket", ItemAct::Record { value: reason("7") }).unwrap_err();
    assert!(why.contains("`First` comes first"), "{why}");
    play.through_first();
    assert_eq!(play.item("ticket").gate, None);
    play.act("ticket", ItemAct::Record { value: reason("7") }).unwrap();
}

/// An action is begun by a person, is done when what it verifies is so, and is not begun twice.
#[test]
fn actions() {
    let mut play = Play::new();
    let why = play.act("freeze", ItemAct::Done).unwrap_err();
    assert!(why.contains("`unship checklist do freeze` does it"), "{why}");
    play.act("freeze", ItemAct::Dispatch).unwrap();
    assert!(play.0.core.state().service(&"shop".into()).unwrap().freeze.is_some());
    play.pass(1);
    assert_eq!(play.stands("freeze"), "done");
    assert!(play.act("freeze", ItemAct::Dispatch).is_err(), "it is done");
    let thaw = Command::Thaw { service: Some("shop".into()), reason: reason("for now") };
    play.say("ana", thaw).unwrap();
    play.pass(1);
    assert_eq!(play.stands("freeze"), "regressed");
}

/// A decision makes the other ways inactive; against what is seen it takes a reason; its own way is done when all on it is.
/// The rollback on it is the engine's own, with its guardrails, and belongs to the item.
#[test]
fn decisions_and_the_rollback_on_them() {
    let mut play = Play::new();
    play.through_first();
    let thaw = Command::Thaw { service: Some("shop".into()), reason: reason("to roll back") };
    play.say("ana", thaw).unwrap();
    let choose = |option: &str, why: &str| ItemAct::Choose { option: option.into(), reason: reason(why) };
    assert!(play.act("cause", ItemAct::Done).unwrap_err().contains("options: yes, no"));
    assert!(play.act("cause", choose("maybe", "")).unwrap_err().contains("no option of `cause`"));
    let why = play.act("cause", choose("no", "")).unwrap_err();
    assert!(why.contains("what is seen speaks against `no`: canary.traffic 20% == 0%"), "{why}");
    play.pass(1);
    // The thaw has opened the first section again: it gates what comes behind it.
    assert!(play.act("cause", choose("yes", "")).unwrap_err().contains("`First` comes first"));
    play.act("freeze", ItemAct::Override { reason: reason("thawed for the rollback") }).unwrap();
    play.act("cause", choose("yes", "")).unwrap();
    assert_eq!((play.stands("no"), play.stands("cause")), ("not_applicable".into(), "done".into()));
    assert_eq!(play.stands("yes"), "open", "something on it is to be done");
    play.act("rb", ItemAct::Dispatch).unwrap();
    assert_eq!(play.stands("rb"), "running");
    assert_eq!(play.0.operation().plan.service.as_str(), "shop");
    assert!(play.act("rb", ItemAct::Dispatch).unwrap_err().contains("is being done"));
    let why = play.act("rb", ItemAct::Override { reason: reason("it takes too long") }).unwrap_err();
    assert!(why.contains("is being done"), "{why}");
    play.0.done();
    for _ in 0..8 {
        play.0.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    play.pass(2);
    assert_eq!(play.stands("rb"), "done", "{:?}", play.item("rb"));
    assert_eq!(play.stands("yes"), "done");
}

/// A value is checked when it is entered.
#[test]
fn records() {
    let mut play = Play::new();
    play.through_first();
    assert!(play.act("ticket", ItemAct::Done).unwrap_err().contains("checklist record ticket VALUE"));
    assert!(
        play.act("ticket", ItemAct::Record { value: reason("many") }).unwrap_err().contains("is a number")
    );
    play.act("ticket", ItemAct::Record { value: reason("17") }).unwrap();
    let state = play.0.core.state();
    assert_eq!(state.runs_of(&"INC-1".into())[0].records["ticket"], "17");
}

/// A wait passes by itself, also while nobody led, and says then how late that was noticed. A hold begins by itself when its turn
/// comes, and anything false sets it back.
#[test]
fn waits_and_holds() {
    let mut play = Play::new();
    play.through_first();
    play.act("wait", ItemAct::Begin).unwrap();
    assert!(play.act("wait", ItemAct::Done).unwrap_err().contains("ticked when its time has passed"));
    play.pass(599);
    assert_eq!(play.stands("wait"), "waiting");
    play.0.now += std::time::Duration::from_secs(300);
    play.0.crash();
    play.pass(1);
    assert_eq!(play.stands("wait"), "done");
    assert!(
        play.0.events.iter().any(|(_, event)| {
            serde_json::to_string(event).unwrap().contains(r#""what":"elapsed","item":"wait","late_ms":"#)
        }),
        "it says how late"
    );
    play.canary(20);
    assert_eq!(play.stands("hold"), "open");
    let choose = ItemAct::Choose { option: "yes".into(), reason: String::new() };
    play.act("cause", choose).unwrap();
    play.act("rb", ItemAct::NotApplicable { reason: reason("by hand") }).unwrap();
    play.canary(0);
    play.pass(2);
    assert_eq!(play.stands("hold"), "waiting");
    play.pass(40);
    play.canary(5);
    play.canary(0);
    play.pass(50);
    assert_eq!(play.stands("hold"), "waiting", "it began anew");
    play.pass(15);
    assert_eq!(play.stands("hold"), "done");
}

/// Overriding takes a reason that can be read, and of what is critical only the commander.
#[test]
fn overrides_and_deferrals() {
    let mut play = Play::new();
    play.through_first();
    let over = |text: &str| ItemAct::Override { reason: reason(text) };
    assert!(play.act("ticket", over("no")).unwrap_err().contains("at least 10 characters"));
    assert!(play.act("vault", over("the vault is gone")).unwrap_err().contains("nobody is"));
    let take = Command::Incident {
        incident: "INC-1".into(),
        ask: IncidentAsk::Take { role: "ic".parse().unwrap(), who: None },
    };
    play.say("mira", take).unwrap();
    assert!(play.act("vault", over("the vault is gone")).unwrap_err().contains("only the commander, mira"));
    assert!(
        play.act("vault", ItemAct::NotApplicable { reason: String::new() }).unwrap_err().contains("critical")
    );
    play.by("mira", "vault", over("the vault is gone")).unwrap();
    assert_eq!(play.stands("vault"), "overridden");
    let defer = |until: &str| ItemAct::Defer { until: reason(until), reason: reason("not now") };
    assert!(play.act("ticket", defer("soon")).unwrap_err().contains("a section after it: afterwards"));
    assert!(play.act("ticket", defer("first")).unwrap_err().contains("comes before"));
    play.act("ticket", defer("30m")).unwrap();
    assert_eq!(play.stands("ticket"), "deferred");
    play.pass(1_801);
    assert_eq!(play.stands("ticket"), "open", "it is due");
    play.act("ticket", defer("afterwards")).unwrap();
    play.act("report", ItemAct::Done).unwrap();
    play.pass(1);
    assert_eq!(play.stands("ticket"), "open", "its section has begun");
}

/// What is done again and again opens again when its time has come, until the incident is over.
#[test]
fn cadence() {
    let mut play = Play::new();
    play.through_first();
    play.act("status", ItemAct::Done).unwrap();
    play.pass(1_198);
    assert_eq!(play.stands("status"), "done");
    play.pass(3);
    assert_eq!(play.stands("status"), "open");
    play.say("ana", Command::Resolve { incident: "INC-1".into(), reason: reason("well") }).unwrap();
    play.pass(1);
    assert_eq!(play.stands("status"), "not_applicable");
}

/// What depends on something is left out while that is false, and comes back when it is true, until a person touches it.
#[test]
fn conditions() {
    let mut play = Play::new();
    assert_eq!(play.stands("rare"), "not_applicable");
    let worse = Command::SetLevel { incident: "INC-1".into(), level: Level::Sev1, reason: reason("worse") };
    play.say("ana", worse).unwrap();
    play.pass(1);
    assert_eq!(play.stands("rare"), "open");
}

/// The time of a section warns, is overrun once, and says how late that was noticed; early work is counted as in time.
#[test]
fn windows() {
    let told = |play: &Play, what: &str| {
        let words = format!(r#""what":"{what}""#);
        let events = play.0.events.iter().map(|(_, event)| serde_json::to_string(event).unwrap());
        events.filter(|event| event.contains(&words)).count()
    };
    let mut play = Play::new();
    play.pass(238);
    assert_eq!((told(&play, "window_warning"), told(&play, "window_overrun")), (0, 0));
    play.pass(2);
    assert_eq!(told(&play, "window_warning"), 1, "at four fifths");
    play.0.now += std::time::Duration::from_secs(400);
    play.0.crash();
    play.pass(60);
    assert_eq!(told(&play, "window_overrun"), 2, "both are over, each once");
    let overruns: Vec<String> = play
        .0
        .events
        .iter()
        .map(|(_, event)| serde_json::to_string(event).unwrap())
        .filter(|event| event.contains("window_overrun"))
        .collect();
    assert!(overruns.iter().all(|event| event.contains("late_ms")), "{overruns:?}");
    let mut early = Play::new();
    early.through_first();
    early.pass(1);
    assert_eq!(told(&early, "window_met"), 1);
    // What stays open is said again three times, five minutes apart at least, and then no more.
    let reminders = |play: &Play| told(play, "window_reminder");
    assert_eq!(reminders(&play), 0);
    for expected in [2, 4, 6, 6] {
        play.pass(301);
        assert_eq!(reminders(&play), expected, "two windows are over");
    }
}

/// A runbook that is mended while it is worked through: what says the same stays as it is, also where it moved; what says something
/// else is open again and tells what was done before; what is gone stays in the record. Nothing of it happens by itself.
#[test]
fn a_run_is_taken_over_to_another_text() {
    let numbered = "\n## Numbers\n- [ ] One\n- [ ] Two\n- [ ] Three\n";
    let mut play = Play::new();
    play.through_first();
    let rebase = |play: &Play, source: &str| {
        let run = play.0.core.state().runs[&RunId::from("INC-1/everything")].clone();
        Command::Rebase(Rebase {
            incident: "INC-1".into(),
            run: run.id.clone(),
            from: run.sha256.clone(),
            source: source.to_owned(),
            bindings: None,
        })
    };
    let same = rebase(&play, RUNBOOK);
    assert!(play.say("ana", same).unwrap_err().contains("has that text already"));
    let broken = rebase(&play, &RUNBOOK.replace("sense=\"canary.traffic == 0%\"", "sense=\"moon.full\""));
    let why = play.say("ana", broken).unwrap_err();
    assert!(why.contains("the new text of everything, line 7"), "{why}");

    let with_numbers = rebase(&play, &format!("{RUNBOOK}{numbered}"));
    let stale = with_numbers.clone();
    play.say("ana", with_numbers).unwrap();
    assert_eq!((play.stands("plain"), play.stands("numbers/2")), ("done".to_owned(), "open".to_owned()));
    let why = play.say("mira", stale).unwrap_err();
    assert!(why.contains("was taken over meanwhile"), "{why}");

    play.act("numbers/2", ItemAct::Done).unwrap();
    play.act("numbers/3", ItemAct::Done).unwrap();
    play.act(
        "cause",
        ItemAct::Choose { option: "no".into(), reason: "the figures say otherwise".to_owned() },
    )
    .unwrap();
    play.act("ticket", ItemAct::Record { value: "4711".to_owned() }).unwrap();
    let text = format!("{RUNBOOK}\n## Numbers\n- [ ] Two\n- [ ] One\n- [ ] Three, twice\n")
        .replace("- [ ] The page is answered {#plain}\n", "")
        .replace("The ticket is known", "The ticket is known and linked")
        .replace(
            "  - [ ] No: another one {#no when=\"canary.traffic == 0%\"}",
            "  - [ ] No: the dependency {#dependency}",
        );
    let taken = rebase(&play, &text);
    play.say("mira", taken).unwrap();
    play.pass(1);
    // Two moved and is done; three says something else.
    assert_eq!((play.stands("numbers/1"), play.stands("numbers/2")), ("done".to_owned(), "open".to_owned()));
    let three = play.item("numbers/3");
    assert_eq!(play.stands("numbers/3"), "open");
    assert_eq!(three.older.as_deref(), Some("done by ana on an older text"));
    // What was recorded is known; that it was is to be confirmed.
    assert_eq!(play.stands("ticket"), "open");
    assert_eq!(play.item("ticket").older.as_deref(), Some("done by ana on an older text: 4711"));
    // The way that was chosen is no more.
    assert_eq!(play.stands("cause"), "current");
    let list = play.list();
    let removed: Vec<(&str, &str)> =
        list.runs[0].removed.iter().map(|gone| (gone.id.as_str(), gone.standing.word())).collect();
    assert_eq!(removed, [("no", "done"), ("plain", "done")]);
    // What is done again is done on this text.
    play.act("numbers/3", ItemAct::Done).unwrap();
    assert_eq!(play.item("numbers/3").older, None);
    play.0.crash();
    play.pass(1);
    assert_eq!(play.stands("numbers/3"), "done");
}

/// Two people: what one reads back or enters another one confirms, what one asks for another one begins. Nobody agrees with themselves;
/// what is something else by then, or took too long, is asked anew; and whoever does not agree says so.
#[test]
fn two_people() {
    let two = "\n## Two\n- [ ] The valve is shut {#valve .cross-check}\n- [ ] The code is known {#code ask=code .cross-check}\n\
               - [ ] Traffic is frozen again {#again do=\"freeze service=pay\" approve=2}\n- [ ] The call is answered {#call .memory}\n";
    let mut play = Play::with(&RUNBOOK.replace("## Afterwards", &format!("{two}## Afterwards")));
    // From memory: nothing on paper holds it up, and the record says how it was done.
    play.act("call", ItemAct::Done).unwrap();
    let says = |play: &Play, word: &str| {
        let events = play.0.events.iter().map(|(_, event)| serde_json::to_string(event).unwrap());
        events.filter(|event| event.contains(word)).count()
    };
    assert_eq!(says(&play, "\"do_confirm\":true"), 1);
    let first = play.list().phases.iter().find(|phase| phase.section == "two").unwrap().items[0].id.clone();
    assert_eq!(first.as_str(), "call", "shown first");
    let section = |play: &Play| play.list().phases.into_iter().find(|phase| phase.section == "two").unwrap();
    assert_eq!(section(&play).gate.as_deref(), Some("`First` comes first"), "the others wait");
    play.through_first();

    play.act("valve", ItemAct::Done).unwrap();
    assert_eq!(play.item("valve").asked.unwrap().by, Actor::Person { name: "ana".to_owned() });
    let why = play.act("valve", ItemAct::Done).unwrap_err();
    assert!(why.contains("waits for another person to agree: you asked"), "{why}");
    play.by("mira", "valve", ItemAct::Done).unwrap();
    assert_eq!((play.stands("valve"), play.item("valve").asked), ("done".to_owned(), None));

    play.act("code", ItemAct::Record { value: "4711".to_owned() }).unwrap();
    let why = play.by("mira", "code", ItemAct::Record { value: "4712".to_owned() }).unwrap_err();
    assert!(why.contains("ana entered `4711`"), "{why}");
    play.by("mira", "code", ItemAct::Record { value: "4711".to_owned() }).unwrap();
    assert_eq!(play.stands("code"), "done");

    // Asked for, withdrawn; asked for, too late; asked for by one and begun by another.
    play.act("again", ItemAct::Dispatch).unwrap();
    assert_eq!(says(&play, "agreement-asked"), 1, "those who listen hear of it");
    assert!(play.0.core.state().service(&"pay".into()).is_none_or(|known| known.freeze.is_none()));
    play.by("mira", "again", ItemAct::Reopen { reason: "not during the sale".to_owned() }).unwrap();
    assert_eq!((play.stands("again"), play.item("again").asked), ("open".to_owned(), None));
    play.act("again", ItemAct::Dispatch).unwrap();
    play.0.now += std::time::Duration::from_secs(601);
    play.pass(1);
    assert_eq!(says(&play, "nobody else agreed within 10 m"), 1);
    assert!(play.by("mira", "again", ItemAct::Dispatch).is_ok(), "that asks anew");
    let why = play.by("mira", "again", ItemAct::Dispatch).unwrap_err();
    assert!(why.contains("waits for another person"), "{why}");
    play.act("again", ItemAct::Dispatch).unwrap();
    assert!(play.0.core.state().service(&"pay".into()).unwrap().freeze.is_some());
    assert_eq!(play.stands("again"), "done");
}
