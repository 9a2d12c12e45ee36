//! What becomes of alarms that others send, on simulated time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::config;
use crate::engine::core::Core;
use crate::engine::input::{Effect, Input, Settings};
use crate::engine::state::State;
use crate::model::command::{Actor, Command, Envelope};
use crate::model::incident::{Incident, IncidentAsk, IncidentChange, Level};
use crate::model::probe::{Health, ProbeOutcome, ProbeResult};
use crate::model::received::{AlarmBatch, AlarmPoll, AlarmSource, AlarmStatus, Muted};

const CONFIG: &str = r#"
[environment]
name = "production"
[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
[alarms.services]
"payments-api" = "pay"
"#;

const ASKED: &str = "[alarms.alertmanager]\nurls = [\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"]\n";

/// A core on simulated time, with the fold of everything that it said.
struct Rig {
    core: Core,
    now: Timestamp,
    folded: State,
    events: Vec<Event>,
    effects: Vec<Effect>,
    commands: u32,
}

fn start() -> Timestamp {
    "2026-11-26T07:00:00Z".parse().unwrap()
}

impl Rig {
    fn new(more: &str) -> Self {
        let mut text = CONFIG.to_owned();
        for service in ["shop", "pay"].into_iter().map(str::to_owned).chain((0..20).map(|n| format!("s{n}")))
        {
            let lines = format!(
                "[services.{service}]\nplatform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"{service}\" }}\n\
                 probes.live = {{ url = \"http://127.0.0.1:1/\" }}\n"
            );
            text.push_str(&lines);
        }
        let text = format!("{text}{more}");
        let config = config::parse(&text, "unship.toml")
            .unwrap_or_else(|problems| panic!("{}", config::render(&problems)))
            .0;
        let settings = Arc::new(Settings {
            config: Arc::new(config),
            runbooks: BTreeMap::new(),
            templates: Arc::default(),
            drill: false,
            platforms: BTreeMap::new(),
            by_itself: true,
        });
        Self {
            core: Core::new(settings, Arc::default()),
            now: start(),
            folded: State::default(),
            events: Vec::new(),
            effects: Vec::new(),
            commands: 0,
        }
    }

    /// Lets the core take something in; gives the events. What it knows is the fold of what it said.
    fn step(&mut self, input: Input) -> Vec<Event> {
        let turn = self.core.step(input, self.now);
        for event in &turn.events {
            self.folded.apply(event, self.now);
        }
        assert_eq!(self.folded.alarms, self.core.state().alarms);
        assert_eq!(self.folded.incidents, self.core.state().incidents);
        self.effects.extend(turn.effects);
        self.events.extend(turn.events.iter().cloned());
        turn.events
    }

    fn send(&mut self, reports: Vec<AlarmReport>) -> Vec<Event> {
        let batch = AlarmBatch { at: self.now, reports, truncated: 0 };
        self.step(Input::Alarms(batch))
    }

    fn poll(&mut self, peers: [Result<Vec<AlarmReport>, &str>; 2]) -> Vec<Event> {
        self.pass(1);
        let asked_at = self.now;
        self.pass(1);
        let peers = peers
            .into_iter()
            .enumerate()
            .map(|(number, answer)| (format!("http://peer{number}"), answer.map_err(str::to_owned)));
        self.step(Input::AlarmPoll(AlarmPoll { asked_at, peers: peers.collect() }))
    }

    /// Lets time pass, second by second.
    fn pass(&mut self, seconds: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            events.extend(self.step(Input::Tick));
        }
        events
    }

    fn command(&mut self, command: Command) -> Vec<Event> {
        self.commands += 1;
        let id = format!("c-{}", self.commands).into();
        let by = Actor::Person { name: "ana".into() };
        self.step(Input::Command(Envelope { id, by, at: self.now, command }))
    }

    fn incidents(&self) -> Vec<Arc<Incident>> {
        self.core.state().incidents_in_order().into_iter().cloned().collect()
    }

    fn incident(&self) -> Arc<Incident> {
        let incidents = self.incidents();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        Arc::clone(&incidents[0])
    }

    fn firing(&self) -> usize {
        self.core.state().alarms.firing().count()
    }

    fn newest(&self, name: &str) -> Arc<Alarm> {
        let alarms = self.core.state().alarms.all().filter(|alarm| alarm.facts.name == name);
        Arc::clone(alarms.max_by_key(|alarm| alarm.facts.starts_at).unwrap())
    }

    fn ask(&mut self) -> bool {
        let asks = self.effects.contains(&Effect::AskAlarms);
        self.effects.clear();
        asks
    }
}

/// An alarm of a service that began so many seconds after the start.
fn alarm(name: &str, service: &str, firing: bool, began: i64) -> AlarmReport {
    let starts_at = start() + jiff::SignedDuration::from_secs(began);
    let labels = [("alertname", name), ("service", service)];
    AlarmReport {
        source: AlarmSource::Alertmanager,
        name: name.to_owned(),
        fingerprint: format!("{name}-{service}"),
        firing,
        starts_at: Some(starts_at),
        ends_at: (!firing).then(|| starts_at + Duration::from_secs(30)),
        labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        annotations: BTreeMap::new(),
        muted: None,
    }
}

fn fires(began: i64) -> AlarmReport {
    alarm("Down", "shop", true, began)
}

fn over(began: i64) -> AlarmReport {
    alarm("Down", "shop", false, began)
}

fn labelled(mut report: AlarmReport, label: &str, value: &str) -> AlarmReport {
    report.labels.insert(label.to_owned(), value.to_owned());
    report
}

/// What of these events happened to alarms: `firing`, `resolved`.
fn changes(events: &[Event]) -> Vec<String> {
    let changes = events.iter().filter_map(|event| match event {
        Event::AlarmChanged { change, .. } => {
            serde_json::to_value(change).unwrap()["what"].as_str().map(str::to_owned)
        }
        _ => None,
    });
    changes.filter(|what| what != "opened").collect()
}

fn noted(events: &[Event], text: &str) -> usize {
    events
        .iter()
        .filter(|event| matches!(event, Event::IncidentNoted { text: noted, .. } if noted.contains(text)))
        .count()
}

/// Each case is what was sent, one message after the other, and what the last one changed.
#[test]
fn transitions_and_repeats() {
    let merged = AlarmReport { ends_at: Some(start() + Duration::from_secs(100)), ..over(-5) };
    let cases: [(&str, Vec<AlarmReport>, &[&str]); 14] = [
        ("the first is news", vec![fires(0)], &["firing"]),
        ("a repeat is not", vec![fires(0), fires(0)], &[]),
        ("an end is", vec![fires(0), over(0)], &["resolved"]),
        ("a repeated end is not", vec![fires(0), over(0), over(0)], &[]),
        ("a newer beginning after the end is a new episode", vec![fires(0), over(0), fires(60)], &["firing"]),
        ("the end before a newer beginning was lost", vec![fires(0), fires(60)], &["resolved", "firing"]),
        ("an older beginning of what fires is the same", vec![fires(10), fires(5)], &[]),
        ("an older beginning after the end is old news", vec![fires(60), over(60), fires(0)], &[]),
        ("an end of an older episode ends nothing", vec![fires(60), over(0)], &[]),
        ("an end that overlaps ends it, whenever it began", vec![fires(10), merged], &["resolved"]),
        (
            "an end of a newer episode ends both",
            vec![fires(0), over(60)],
            &["resolved", "firing", "resolved"],
        ),
        ("and what comes late of the first is old news", vec![fires(0), over(60), fires(0)], &[]),
        ("an end without a beginning is written down", vec![over(0)], &["firing", "resolved"]),
        ("the same beginning after the end, with nobody to ask, fires", vec![over(0), fires(0)], &["firing"]),
    ];
    for (what, sent, changed) in cases {
        let mut rig = Rig::new("");
        let mut last = Vec::new();
        for report in sent {
            rig.now += Duration::from_secs(1);
            last = rig.send(vec![report]);
        }
        assert_eq!(changes(&last), changed, "{what}");
    }
}

/// Plain JSON need not say when it began: a second message about what fires is a repeat, and an end ends it.
#[test]
fn without_a_beginning() {
    let plain = |firing| AlarmReport {
        source: AlarmSource::Json,
        starts_at: None,
        ends_at: None,
        ..alarm("Full", "shop", firing, 0)
    };
    let mut rig = Rig::new(ASKED);
    assert_eq!(changes(&rig.send(vec![plain(true)])), ["firing"]);
    rig.pass(5);
    assert_eq!(changes(&rig.send(vec![plain(true)])), [""; 0]);
    assert_eq!(changes(&rig.send(vec![plain(false)])), ["resolved"]);
    assert_eq!(changes(&rig.send(vec![plain(false)])), [""; 0]);
    rig.pass(5);
    assert_eq!(changes(&rig.send(vec![plain(true)])), ["firing"]);
    // No Alertmanager has it, and that says nothing about it.
    for _ in 0..4 {
        rig.poll([Ok(vec![]), Ok(vec![])]);
    }
    assert_eq!(rig.firing(), 1);
}

/// An alarm that is repeated for hours costs the journal one line an hour.
#[test]
fn repeats_are_written_down_once_an_hour() {
    let mut rig = Rig::new("[escalation]\nunacknowledged = \"0s\"\n");
    rig.send(vec![fires(0)]);
    let mut written = Vec::new();
    for _ in 0..180 {
        rig.now += Duration::from_secs(60);
        written.extend(rig.send(vec![fires(0)]));
    }
    assert_eq!(changes(&written), ["fresh"; 3]);
    assert_eq!(written.len(), 3);
}

/// Firing again since the same instant may be a late duplicate: the Alertmanager is asked, and its word counts; where a peer
/// is silent, or nobody answers at all, the alarm counts as firing.
#[test]
fn the_same_beginning_after_the_end() {
    let unreachable = Err("no answer within 10 s");
    let cases = [
        ("both peers have it not: it was late", Some([Ok(vec![]), Ok(vec![])]), 0),
        ("one peer has it: it is back", Some([Ok(vec![]), Ok(vec![fires(0)])]), 1),
        ("one is silent and the other has it not: it counts as firing", Some([Ok(vec![]), unreachable]), 1),
        ("nobody answers: it counts as firing", None, 1),
    ];
    for (what, answer, firing) in cases {
        let mut rig = Rig::new(ASKED);
        rig.send(vec![fires(0)]);
        rig.pass(40);
        rig.send(vec![over(0)]);
        rig.pass(1);
        rig.ask();
        assert_eq!(changes(&rig.send(vec![fires(0)])), [""; 0], "{what}");
        assert!(rig.ask(), "{what}");
        match answer {
            Some(answer) => drop(rig.poll(answer)),
            None => drop(rig.pass(61)),
        }
        assert_eq!(rig.firing(), firing, "{what}");
    }
}

/// What no peer has any more in two polls of all of them is over, and it says that nobody said so; one poll is not enough, a
/// silent peer makes it stale and the count begin anew, and an alarm that one peer has goes on.
#[test]
fn absent_from_two_polls() {
    let mut rig = Rig::new(ASKED);
    rig.send(vec![fires(0)]);
    rig.pass(1);
    assert_eq!(changes(&rig.poll([Ok(vec![]), Ok(vec![])])), [""; 0]);
    assert_eq!(changes(&rig.poll([Ok(vec![]), Err("refused")])), ["stale"]);
    assert_eq!(changes(&rig.poll([Err("refused"), Err("refused")])), [""; 0], "stale once");
    assert!(rig.newest("Down").stale.as_ref().unwrap().contains("refused"));
    assert_eq!(changes(&rig.poll([Ok(vec![]), Ok(vec![fires(0)])])), ["fresh"]);
    assert_eq!(changes(&rig.poll([Ok(vec![]), Ok(vec![])])), [""; 0]);
    assert_eq!(changes(&rig.poll([Ok(vec![]), Ok(vec![])])), ["resolved"]);
    assert!(matches!(rig.newest("Down").status, AlarmStatus::Resolved { inferred: true, .. }));
    // What is heard while the peers are being asked says more than their answer.
    rig.pass(1);
    let asked_at = rig.now;
    rig.pass(1);
    rig.send(vec![fires(90)]);
    for _ in 0..3 {
        let peers = vec![("http://peer".to_owned(), Ok(vec![]))];
        assert_eq!(changes(&rig.step(Input::AlarmPoll(AlarmPoll { asked_at, peers }))), [""; 0]);
    }
    rig.pass(1);
    rig.send(vec![over(90)]);
    let peers = vec![("http://peer".to_owned(), Ok(vec![fires(90)]))];
    assert_eq!(changes(&rig.step(Input::AlarmPoll(AlarmPoll { asked_at, peers }))), [""; 0], "an old list");
}

/// The list brings what no message brought, and says of which alarms nobody is told; those open no incident until somebody is.
#[test]
fn silenced_alarms() {
    let silenced = AlarmReport { muted: Some(Muted::Silenced), ..fires(0) };
    let mut rig = Rig::new(ASKED);
    assert_eq!(changes(&rig.poll([Ok(vec![silenced.clone()]), Ok(vec![])])), ["firing", "muted"]);
    rig.pass(5);
    assert_eq!(rig.incidents().len(), 0);
    assert_eq!(rig.newest("Down").muted, Some(Muted::Silenced));
    // One peer does not know of the silence: somebody is told.
    assert_eq!(changes(&rig.poll([Ok(vec![silenced]), Ok(vec![fires(0)])])), ["muted"]);
    assert!(rig.incident().suspected);
}

/// A message that had alarms left out has the Alertmanager asked at once.
#[test]
fn a_truncated_message() {
    let mut rig = Rig::new(ASKED);
    rig.send(vec![fires(0)]);
    assert!(!rig.ask());
    let batch = AlarmBatch { at: rig.now, reports: vec![fires(0)], truncated: 2 };
    rig.step(Input::Alarms(batch));
    assert!(rig.ask());
}

/// Labels name the service and suggest the severity, in the order and with the words of the config.
#[test]
fn what_labels_mean() {
    let cases = [
        (vec![("service", "shop"), ("job", "pay")], Some("shop"), Level::Sev3),
        (vec![("service", "nobody"), ("job", "pay")], Some("pay"), Level::Sev3),
        (vec![("service", ""), ("namespace", "payments-api")], Some("pay"), Level::Sev3),
        (vec![("service", ""), ("severity", "critical")], None, Level::Sev1),
        (vec![("severity", "error")], Some("shop"), Level::Sev2),
        (vec![("severity", "Warning")], Some("shop"), Level::Sev3),
        (vec![("severity", "info")], Some("shop"), Level::Sev4),
        (vec![("severity", "page")], Some("shop"), Level::Sev2),
        (vec![("severity", "odd")], Some("shop"), Level::Sev3),
    ];
    for (labels, service, level) in cases {
        let mut rig = Rig::new("[alarms]\nseverity = { page = \"sev2\" }\n");
        let mut report = fires(-10);
        for (label, value) in &labels {
            report = labelled(report, label, value);
        }
        rig.send(vec![report]);
        let incident = rig.incident();
        assert_eq!(incident.services.first().map(ServiceName::as_str), service, "{labels:?}");
        assert_eq!(incident.level, level, "{labels:?}");
        assert_eq!(incident.onset, Some(start() - Duration::from_secs(10)));
        assert!(incident.suspected && incident.by == Actor::Engine);
        assert_eq!(incident.alarms.len(), 1);
    }
}

/// The config says what follows from an alarm.
#[test]
fn what_follows() {
    for (word, incidents, suspected) in [("suspect", 1, true), ("declare", 1, false), ("note", 0, false)] {
        let mut rig = Rig::new(&format!("[alarms]\non_firing = \"{word}\"\n"));
        rig.send(vec![fires(0)]);
        rig.pass(5);
        assert_eq!(rig.incidents().len(), incidents, "{word}");
        assert!(rig.incidents().iter().all(|incident| incident.suspected == suspected), "{word}");
        let told = rig.effects.iter().any(|effect| matches!(effect, Effect::Notify(_)));
        assert_eq!(told, word == "declare", "{word}");
    }
    // Where there is an incident on its service, it is noted there.
    let mut rig = Rig::new("[alarms]\non_firing = \"note\"\n");
    let open =
        Command::OpenIncident { services: vec!["shop".into()], title: "odd".into(), level: Level::Sev3 };
    rig.command(open);
    let events = rig.send(vec![labelled(fires(0), "severity", "critical")]);
    assert_eq!(noted(&events, "Down"), 1);
    assert_eq!((rig.incident().alarms.len(), rig.incident().level), (1, Level::Sev3));
}

/// Alarms of a service that is in an incident belong to it; they make it worse and never less bad.
#[test]
fn joining_an_incident() {
    let mut rig = Rig::new("");
    let open =
        Command::OpenIncident { services: vec!["shop".into()], title: "odd".into(), level: Level::Sev3 };
    rig.command(open);
    rig.send(vec![labelled(fires(0), "severity", "error")]);
    assert_eq!(rig.incident().level, Level::Sev2);
    rig.send(vec![labelled(alarm("Slow", "shop", true, 0), "severity", "info")]);
    let incident = rig.incident();
    assert_eq!((incident.level, incident.alarms.len(), incident.suspected), (Level::Sev2, 2, false));
    // Its alarms are over, and a person's incident stays open.
    rig.send(vec![over(0), alarm("Slow", "shop", false, 0)]);
    rig.pass(300);
    assert!(rig.incident().is_open());
}

/// An incident that only alarms opened ends by itself when all of them have been over for two minutes; one that a person
/// declared does not, and coming back in time keeps it open.
#[test]
fn ending_by_itself() {
    let mut rig = Rig::new("");
    rig.send(vec![fires(0), alarm("Slow", "shop", true, 0)]);
    rig.send(vec![over(0)]);
    rig.pass(200);
    assert!(rig.incident().is_open(), "the other one fires");
    rig.send(vec![alarm("Slow", "shop", false, 0)]);
    rig.pass(100);
    rig.send(vec![fires(300)]);
    rig.pass(200);
    assert!(rig.incident().is_open(), "one is back");
    rig.send(vec![over(300)]);
    let id = rig.incident().id.clone();
    assert!(rig.core.state().alarms.resolving_since(&id).is_some());
    rig.pass(119);
    assert!(rig.incident().is_open());
    rig.pass(1);
    let resolved = rig.incident().resolved.clone().expect("it ended");
    assert_eq!(resolved.by, Actor::Engine);
    assert_eq!(resolved.reason, "all its 3 alarms are over for 2 min and nobody declared it");

    let mut rig = Rig::new("");
    rig.send(vec![fires(0)]);
    let incident = rig.incident().id.clone();
    rig.command(Command::Incident { incident, ask: IncidentAsk::Declare });
    rig.send(vec![over(0)]);
    rig.pass(600);
    assert!(rig.incident().is_open(), "a person declared it");
}

/// What the engine sees for itself turns a suspicion into an incident, which does not end with its alarms.
#[test]
fn a_suspicion_that_is_seen() {
    let trigger = "[triggers.down]\nwhen = { kind = \"consecutive\", failures = 2, within = \"10s\" }\naction = \"watch\"\n";
    for seen_on in ["shop", "pay"] {
        let mut rig = Rig::new(&trigger.replace("watch", "immediate"));
        rig.send(vec![fires(0)]);
        assert!(rig.incident().suspected);
        for _ in 0..3 {
            rig.pass(1);
            let outcome = ProbeOutcome::Answered { health: Health::Unhealthy, reason: "refused".to_owned() };
            rig.step(Input::Probe(ProbeResult {
                service: seen_on.into(),
                probe: "live".into(),
                arm: None,
                at: rig.now,
                latency_ms: 1.0,
                status: None,
                outcome,
                document: None,
            }));
        }
        let incident = rig.incident();
        assert!(!incident.suspected && incident.has(&seen_on.into()), "{seen_on}: {incident:?}");
        let told = rig.effects.iter().any(|effect| matches!(effect, Effect::Notify(_)));
        assert!(told, "{seen_on}: people are told of what is declared");
        rig.send(vec![over(0)]);
        rig.pass(300);
        assert!(rig.incident().is_open(), "{seen_on}");
    }
}

/// That nobody said that the alarms are over is said where it ends the incident.
#[test]
fn ending_by_inference() {
    let mut rig = Rig::new(ASKED);
    rig.send(vec![fires(0)]);
    rig.pass(1);
    rig.poll([Ok(vec![]), Ok(vec![])]);
    rig.poll([Ok(vec![]), Ok(vec![])]);
    rig.pass(121);
    let reason = rig.incident().resolved.clone().expect("it ended").reason;
    assert!(reason.contains("nobody said so, it was inferred"), "{reason}");
}

/// An alarm that comes and goes is told of once as such, changes without a word from then on, and is told of again when it
/// has stayed as it is.
#[test]
fn flapping() {
    let mut rig = Rig::new("");
    let mut events = Vec::new();
    for round in 0..5 {
        events.extend(rig.send(vec![fires(round * 20)]));
        events.extend(rig.pass(10));
        events.extend(rig.send(vec![over(round * 20)]));
        events.extend(rig.pass(10));
    }
    events.extend(rig.send(vec![fires(100)]));
    let words = changes(&events);
    assert_eq!(words.iter().filter(|word| *word == "flapping").count(), 1, "{words:?}");
    assert_eq!(noted(&events, "is flapping"), 1);
    let linked = |event: &&Event| {
        matches!(event, Event::IncidentChanged { change: IncidentChange::AlarmLinked { .. }, .. })
    };
    assert_eq!(events.iter().filter(linked).count(), 2, "two episodes before it was seen to flap");
    assert!(rig.incident().is_open(), "it fires");
    let id = rig.incident().id.clone();
    rig.command(Command::Resolve { incident: id, reason: "noise".into() });
    let calm = rig.pass(1_000);
    assert_eq!(changes(&calm), ["steady"]);
    assert!(rig.core.state().open_incident().is_some(), "it fires steadily and nobody is at it");
}

/// More new incidents at once than a person can look at become one that says how many services there are.
#[test]
fn a_storm() {
    let all = |from: usize, to: usize| (from..to).map(|n| alarm("Down", &format!("s{n}"), true, 0)).collect();
    let mut rig = Rig::new("");
    rig.send(all(0, 14));
    assert_eq!(rig.incident().title, "14 services alarming");
    assert_eq!(rig.incident().services.len(), 14);
    // One after the other: the eleventh makes one of them all, and later ones belong to it.
    let mut rig = Rig::new("");
    for n in 0..13 {
        rig.send(all(n, n + 1));
        rig.pass(1);
    }
    let open: Vec<_> = rig.incidents().into_iter().filter(|incident| incident.is_open()).collect();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].title, "11 services alarming");
    assert_eq!(open[0].services.len(), 13);
    // Ten are no storm, nor are more over a longer time.
    let mut rig = Rig::new("[escalation]\nunacknowledged = \"0s\"\n");
    for n in 0..12 {
        rig.send(all(n, n + 1));
        rig.pass(31);
    }
    assert_eq!(rig.incidents().iter().filter(|incident| incident.is_open()).count(), 12);
}

/// Its absence is told once it was heard, after the time of the config and not before; hearing it again is told as well. It
/// opens no incident.
#[test]
fn the_alarm_that_always_fires() {
    let watchdog = || alarm("Watchdog", "", true, 0);
    let mut rig = Rig::new("");
    rig.pass(1_000);
    assert!(rig.core.state().alarms.path_down().is_none(), "it was never heard of");
    rig.send(vec![watchdog()]);
    for _ in 0..10 {
        rig.pass(60);
        rig.send(vec![watchdog()]);
    }
    assert_eq!(changes(&rig.pass(299)), [""; 0]);
    assert_eq!(changes(&rig.pass(1)), ["path_down"]);
    let messages = |rig: &mut Rig| {
        let effects = std::mem::take(&mut rig.effects);
        let texts = effects.into_iter().filter_map(|effect| match effect {
            Effect::Notify(message) => Some((message.severity, message.text)),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let told = messages(&mut rig);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("the alarm path is down: `Watchdog` was last heard 5 m ago"), "{told:?}");
    assert_eq!(told[0].0, crate::model::trigger::Severity::Critical);
    assert_eq!(rig.incidents().len(), 0);
    assert_eq!(changes(&rig.pass(600)), [""; 0], "once");
    assert_eq!(changes(&rig.send(vec![watchdog()])), ["path_up"]);
    assert!(rig.core.state().alarms.path_down().is_none());
    assert_eq!(messages(&mut rig).len(), 1);
}

/// A checklist that asks for an alarm is told what is known, and that nothing is where that is so.
#[test]
fn what_a_checklist_sees() {
    let mut rig = Rig::new(ASKED);
    let sees = |rig: &Rig, name: &str| sensed(&rig.core.state().alarms, name, &["shop".into()]).value;
    assert_eq!(sees(&rig, "Down"), None);
    rig.send(vec![fires(0), alarm("Slow", "pay", true, 0)]);
    assert_eq!(sees(&rig, "Down"), Some(Value::Bool(true)));
    assert_eq!(sees(&rig, "Slow"), Some(Value::Bool(true)), "of another service, and there is no other");
    rig.pass(1);
    rig.poll([Err("refused"), Ok(vec![])]);
    assert_eq!(sees(&rig, "Down"), None, "it may be over");
    rig.send(vec![over(0), alarm("Down", "pay", true, 0)]);
    assert_eq!(sees(&rig, "Down"), Some(Value::Bool(false)), "that of its own service counts");
}

/// What is kept stays small however many alarms there are and however long it goes on.
#[test]
fn what_is_kept_is_bounded() {
    let mut rig = Rig::new("[alarms]\non_firing = \"note\"\n");
    for round in 0..30 {
        let batch =
            |firing| (0..100).map(|n| alarm(&format!("A{n}"), "", firing, round * 100)).collect::<Vec<_>>();
        rig.now += Duration::from_secs(50);
        rig.send(batch(true));
        rig.send(batch(false));
    }
    assert!(rig.core.state().alarms.all().count() <= 600, "{}", rig.core.state().alarms.all().count());
    assert_eq!(rig.firing(), 0);
    let many = (0..10_050).map(|n| alarm(&format!("B{n}"), "", true, 5_000)).collect();
    rig.send(many);
    assert_eq!(rig.firing(), 10_000);
}

fn any_report() -> impl Strategy<Value = AlarmReport> {
    (0..3_usize, any::<bool>(), 0..5_i64, any::<bool>()).prop_map(|(which, firing, began, muted)| {
        let muted = (muted && firing).then_some(Muted::Silenced);
        AlarmReport {
            muted,
            ..alarm(["A", "B", "Watchdog"][which], ["shop", "", "pay"][which], firing, began * 40)
        }
    })
}

#[derive(Clone, Debug)]
enum Move {
    Send(Vec<AlarmReport>),
    Poll([Option<Vec<AlarmReport>>; 2]),
    Pass(u64),
}

fn any_move() -> impl Strategy<Value = Move> {
    let reports = || prop::collection::vec(any_report(), 0..4);
    prop_oneof![
        reports().prop_map(Move::Send),
        [prop::option::of(reports()), prop::option::of(reports())].prop_map(Move::Poll),
        (1..200_u64).prop_map(Move::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever arrives in whatever order: what is known is the fold of the events, at most one episode of an alarm goes on,
    /// and the same message twice is the same as once.
    #[test]
    fn any_order(moves in prop::collection::vec(any_move(), 1..25), asked in any::<bool>()) {
        let mut rig = Rig::new(if asked { ASKED } else { "" });
        for step in moves {
            match step {
                Move::Send(reports) => {
                    rig.send(reports.clone());
                    if let [one] = reports.as_slice() && one.firing && !asked {
                        prop_assert_eq!(changes(&rig.send(reports)), [""; 0]);
                    }
                }
                Move::Poll(peers) => {
                    let peers = peers.map(|peer| {
                        peer.map(|reports| reports.into_iter().filter(|report| report.firing).collect()).ok_or("refused")
                    });
                    rig.poll(peers);
                }
                Move::Pass(seconds) => {
                    rig.now += Duration::from_secs(seconds);
                    rig.pass(1);
                }
            }
            let mut going_on = BTreeMap::new();
            for alarm in rig.core.state().alarms.firing() {
                *going_on.entry(alarm.facts.fingerprint.clone()).or_insert(0) += 1;
            }
            prop_assert!(going_on.values().all(|count| *count == 1), "{:?}", going_on);
        }
    }
}
