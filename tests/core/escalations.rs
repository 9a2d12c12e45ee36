//! Escalation on simulated time: scenario files in `tests/core/escalations`, one for each rule.
//!
//! A file has three parts between lines of `---`: what it shows and the config that it adds, what happens (`TIME WHAT`, with
//! `TIME` counted from the beginning), and what follows, a line an event. `UNSHIP_BLESS=1` writes the last part anew; read
//! it before you keep it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use unship::config::Config;
use unship::engine::Effect;
use unship::model::Span;
use unship::model::command::{Actor, Command, Envelope};
use unship::model::escalation::IncidentRole;
use unship::model::event::Event;
use unship::model::incident::IncidentAsk;
use unship::model::notification::MessageKind;
use unship::model::units::human;

use crate::harness::{CONFIG, World, settings, start};

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/escalations");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A config with what a scenario adds.
fn config(added: &str) -> Config {
    let whole = format!("{CONFIG}{added}");
    let (config, _) = unship::config::parse(&whole, "scenario").unwrap_or_else(|problems| {
        panic!("{}", unship::config::render(&problems));
    });
    config
}

struct Play {
    world: World,
    commands: u64,
    log: String,
    seen: usize,
}

impl Play {
    fn at(&self) -> String {
        let passed = self.world.now.duration_since(start()).unsigned_abs();
        if passed.as_secs() == 0 { "0 s".to_owned() } else { human(Duration::from_secs(passed.as_secs())) }
    }

    fn say(&mut self, by: &str, command: Command) {
        self.commands += 1;
        let by = Actor::Person { name: by.to_owned() };
        let at = self.world.now;
        let id = format!("s-{}", self.commands).into();
        let turn = self.world.give(unship::engine::Input::Command(Envelope { id, by, at, command }));
        self.note(&turn.effects);
    }

    fn ask(&mut self, by: &str, ask: IncidentAsk) {
        self.say(by, Command::Incident { incident: "INC-1".into(), ask });
    }

    /// Lets time pass second by second and writes down what is told.
    fn pass_to(&mut self, until: Timestamp) {
        while self.world.now < until {
            let step = until.duration_since(self.world.now).unsigned_abs().min(Duration::from_secs(1));
            self.world.now += step;
            let turn = self.world.give(unship::engine::Input::Tick);
            self.note(&turn.effects);
        }
        self.note(&[]);
    }

    /// Writes down what the newest events say, and what is withdrawn.
    fn note(&mut self, effects: &[Effect]) {
        let at = self.at();
        for (_, event) in &self.world.events[self.seen..] {
            let words = match event {
                Event::EscalationChanged { .. } | Event::IncidentChanged { .. } => {
                    unship::engine::account::tell(event, self.world.core.state()).map(|told| told.words)
                }
                Event::CommandRefused { reason, .. } => Some(format!("refused: {reason}")),
                Event::NotificationQueued { notification } if notification.held_back.is_some() => {
                    let (to, why) = (notification.to.join(" "), notification.held_back.clone());
                    Some(format!("  held back {} {to}: {}", notification.channel, why.unwrap_or_default()))
                }
                Event::NotificationQueued { notification } if notification.kind == MessageKind::Page => {
                    let to = notification.to.join(" ");
                    let left_out = notification.text.lines().find(|line| line.contains("held back"));
                    let page = format!("  page {} {to}", notification.channel);
                    Some(
                        format!("{} {}", page.trim_end(), left_out.unwrap_or_default()).trim_end().to_owned(),
                    )
                }
                Event::NotificationQueued { notification } => {
                    Some(format!("  {} {}", notification.topic, notification.channel))
                }
                _ => None,
            };
            if let Some(words) = words {
                let _ = writeln!(self.log, "{at}: {words}");
            }
        }
        self.seen = self.world.events.len();
        for effect in effects {
            if let Effect::Withdraw { key, reason, .. } = effect {
                let _ = writeln!(self.log, "{at}:   withdrawn below {key}: {reason}");
            }
        }
    }

    fn happen(&mut self, line: &str) {
        let (time, what) = line.split_once(' ').expect("TIME WHAT");
        let time: Span = time.parse().expect("a time");
        self.pass_to(start() + *time);
        let words: Vec<&str> = what.split_whitespace().collect();
        let incident = || "INC-1".into();
        let why = || "because".to_owned();
        match words.as_slice() {
            ["open", level] => {
                let level = level.parse().unwrap();
                let services = vec!["shop".into()];
                self.say("ana", Command::OpenIncident { services, title: "shop is slow".to_owned(), level });
            }
            ["declare", service, level] => {
                let (services, level) = (vec![(*service).into()], level.parse().unwrap());
                self.say(
                    "ana",
                    Command::OpenIncident { services, title: format!("{service} is slow"), level },
                );
            }
            ["of", id, "ack", who] => self.say(who, Command::Acknowledge { incident: (*id).into() }),
            ["of", id, "resolve", who] => {
                self.say(who, Command::Resolve { incident: (*id).into(), reason: why() });
            }
            ["ack", who] => self.say(who, Command::Acknowledge { incident: incident() }),
            ["resolve", who] => self.say(who, Command::Resolve { incident: incident(), reason: why() }),
            ["note", who] => self.say(who, Command::Note { incident: incident(), text: why() }),
            ["level", who, level] => {
                let level = level.parse().unwrap();
                self.say(who, Command::SetLevel { incident: incident(), level, reason: why() });
            }
            ["take", who, role] => {
                let role: IncidentRole = role.parse().unwrap();
                self.ask(who, IncidentAsk::Take { role, who: None });
            }
            ["offer", who, role, to] => {
                let role: IncidentRole = role.parse().unwrap();
                self.ask(who, IncidentAsk::Offer { role, to: (*to).to_owned() });
            }
            ["escalate", who] => {
                self.ask(who, IncidentAsk::Escalate { level: None, policy: None, reason: why() });
            }
            ["escalate", who, level] => {
                let level = Some(level.parse().unwrap());
                self.ask(who, IncidentAsk::Escalate { level, policy: None, reason: why() });
            }
            ["snooze", who, time] => {
                let time: Span = time.parse().unwrap();
                let until = self.world.now + *time;
                self.ask(who, IncidentAsk::Snooze { until, reason: why() });
            }
            ["stop", who] => self.ask(who, IncidentAsk::StopEscalation { reason: why() }),
            ["reopen", who] => self.ask(who, IncidentAsk::Reopen { reason: why() }),
            // The process dies, and another one takes over so much later.
            ["dead", time] => {
                let time: Span = time.parse().unwrap();
                self.world.now += *time;
                self.world.crash();
            }
            ["fail", seconds] => {
                let seconds: usize = seconds.parse().unwrap();
                for _ in 0..seconds {
                    self.world.second("shop", &[("3.0", 100.0, 30.0)]);
                }
            }
            ["end"] => {}
            other => panic!("{other:?}"),
        }
        let turn = self.world.give(unship::engine::Input::Tick);
        self.note(&turn.effects);
    }
}

/// Every rule of an escalation has a scenario, and each goes as it is written. A process that dies at any second of it
/// changes nothing that is told before or after.
#[test]
fn scenarios_go_as_written() {
    let mut wrong = Vec::new();
    for file in scenarios() {
        let text = fs::read_to_string(&file).unwrap();
        let parts: Vec<&str> = text.splitn(3, "---\n").collect();
        let [head, script, expected] = parts.as_slice() else { panic!("{}: three parts", file.display()) };
        let mut play = Play {
            world: World::new(settings(|base| *base = config(head))),
            commands: 0,
            log: String::new(),
            seen: 0,
        };
        play.world.inventory("shop", &[("3.0", unship::model::release::Arm::Stable, 100)]);
        for line in script.lines().filter(|line| !line.trim().is_empty()) {
            play.happen(line);
        }
        assert_eq!(&play.world.folded, play.world.core.state().as_ref(), "{}: a fold", file.display());
        if play.log == *expected {
            continue;
        }
        if std::env::var_os("UNSHIP_BLESS").is_some() {
            fs::write(&file, format!("{head}---\n{script}---\n{}", play.log)).unwrap();
            continue;
        }
        wrong.push(format!("{}\nexpected\n{expected}\ngot\n{}", file.display(), play.log));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
