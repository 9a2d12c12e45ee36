//! Actions as command lines, to be run elsewhere or put into a message.

mod incident;

use crate::model::Span;
use crate::model::command::{Command, DataChange, Deploy, Override, Promote, RollBack, Scale, Settlement};
use crate::model::database::DataAsk;
use crate::model::deploy::DeployStrategy;
use crate::model::incident::Ticked;
use crate::model::joint::{JointKind, Together};
use crate::model::operation::Strategy;
use crate::tui::scene::{Picture, Scene};

/// A command as one types it. A freeze until a time is one for as long as that is from now.
pub fn command_line(picture: &Picture, command: &Command) -> String {
    let mut words = Words::default();
    match command {
        Command::RollBack(RollBack { service, to, strategy, reason, overrides, .. }) => {
            words.verb("rollback").value(service.as_str());
            if let Some(to) = to {
                words.option("--to", to.as_str());
            }
            match strategy {
                Strategy::Immediate => {}
                Strategy::Gradual => {
                    words.flag("--gradual");
                }
                Strategy::Emergency => {
                    words.flag("--emergency");
                }
            }
            words.overrides(overrides).reason(reason);
        }
        Command::Promote(Promote { service, reason, overrides, .. }) => {
            words.verb("promote").value(service.as_str()).overrides(overrides).reason(reason);
        }
        Command::Deploy(asked) => {
            let Deploy { service, version, strategy, reason, overrides, confirmed, migrations, .. } = asked;
            words.verb("deploy").value(service.as_str()).value(version.as_str());
            words.option("--strategy", strategy.word());
            if *confirmed {
                words.flag("--go");
            }
            if !migrations.is_empty() {
                words.flag("--migrate");
            }
            words.overrides(overrides).reason(reason);
        }
        Command::Confirm { operation, reason } => {
            words.verb("confirm").value(operation.as_str()).reason(reason);
        }
        Command::Maintenance { service, on, reason } => {
            words.verb("maintenance").value(service.as_str()).value(on_off(*on)).reason(reason);
        }
        Command::Scale(Scale { service, instances, seen, reason, overrides }) => {
            words.verb("scale").value(service.as_str()).value(&instances.to_string());
            if let Some(seen) = seen {
                words.option("--from", &seen.to_string());
            }
            words.overrides(overrides).reason(reason);
        }
        Command::Together(Together { kind, parts, reason, overrides }) => {
            words.verb("together");
            let strategy = match kind {
                JointKind::Deploy { how, confirmed } => {
                    words.value("deploy");
                    if *confirmed {
                        words.flag("--go");
                    }
                    how.map(DeployStrategy::word)
                }
                JointKind::RollBack { strategy } => {
                    words.value("rollback");
                    (*strategy != Strategy::Immediate).then(|| strategy.word())
                }
            };
            for part in parts {
                let version = part.version.as_ref();
                let version = version.map_or_else(String::new, |version| format!("={version}"));
                words.value(&format!("{}{version}", part.service));
            }
            if let Some(strategy) = strategy {
                words.option("--strategy", strategy);
            }
            words.overrides(overrides).reason(reason);
        }
        Command::CleanUp { service, reason } => {
            words.verb("cleanup").value(service.as_str()).reason(reason);
        }
        Command::Pause { operation, reason } => {
            words.verb("pause").value(operation.as_str()).reason(reason);
        }
        Command::Resume { operation, reason } => {
            words.verb("resume").value(operation.as_str()).reason(reason);
        }
        Command::Cancel { operation, reason } => {
            words.verb("cancel").value(operation.as_str()).reason(reason);
        }
        Command::Settle { operation, choice, reason } => {
            let choice = match choice {
                Settlement::Retry => "retry",
                Settlement::Done => "done",
                Settlement::Abort => "abort",
            };
            words.verb("settle").value(operation.as_str()).value(choice).reason(reason);
        }
        Command::Mark { service, version, quality, reason } => {
            words.verb("mark").value(service.as_str()).value(version.as_str()).value(quality.word());
            words.reason(reason);
        }
        Command::Freeze { service, until, reason } => {
            words.verb("freeze");
            if let Some(service) = service {
                words.value(service.as_str());
            }
            if let Some(until) = until {
                let left = crate::tui::roster::age(picture.now, *until).as_secs().max(1);
                words.option("--for", &Span::secs(left).to_string());
            }
            words.reason(reason);
        }
        Command::Thaw { service, reason } => {
            words.verb("thaw");
            if let Some(service) = service {
                words.value(service.as_str());
            }
            words.reason(reason);
        }
        Command::Automatic { on, reason } => {
            words.verb("automatic").value(on_off(*on)).reason(reason);
        }
        Command::Baseline { service, set, reason } => {
            words.verb("baseline").verb(if *set { "set" } else { "clear" });
            words.value(service.as_str()).reason(reason);
        }
        Command::Reset { service, reason } => {
            words.verb("reset").value(service.as_str()).reason(reason);
        }
        Command::OpenIncident { services, title, level } => {
            words.verb("incident").verb("open").value(title);
            for service in services {
                words.option("--service", service.as_str());
            }
            words.option("--severity", &level.number().to_string());
        }
        Command::Acknowledge { incident } => {
            words.verb("incident").verb("ack").value(incident.as_str());
        }
        Command::SetLevel { incident, level, reason } => {
            let level = level.number().to_string();
            words.verb("incident").verb("severity").value(&level).value(incident.as_str()).reason(reason);
        }
        Command::Note { incident, text } => {
            words.verb("incident").verb("note").value(text).value(incident.as_str());
        }
        Command::Resolve { incident, reason } => {
            words.verb("incident").verb("resolve").value(incident.as_str()).reason(reason);
        }
        Command::Tick { incident, item, ticked, note } => {
            words.verb("checklist").verb("tick").value(item.as_str()).option("--incident", incident.as_str());
            match ticked {
                Some(Ticked::Done) => {}
                Some(Ticked::NotApplicable) => {
                    words.flag("--not-applicable");
                }
                None => {
                    words.flag("--undo");
                }
            }
            if let Some(note) = note.as_ref().filter(|_| ticked.is_some()) {
                words.option("--note", note);
            }
        }
        Command::Incident { incident: id, ask } => incident::asked(&mut words, id, ask, picture.now),
        Command::Item { incident: id, item, act, .. } => incident::item(&mut words, id, item, act),
        Command::Attach { incident, runbook } => {
            words.verb("checklist").verb("attach").value(runbook.as_str());
            words.option("--incident", incident.as_str());
        }
        Command::Rebase(asked) => {
            let name = asked.run.as_str().rsplit('/').next().unwrap_or_default();
            words.verb("checklist").verb("rebase").value(name);
            words.option("--incident", asked.incident.as_str());
        }
        Command::Database(asked) => database(&mut words, asked),
        // No person sends them.
        Command::Alarms(_) => {
            words.verb("alarms").verb("list");
        }
    }
    let config = picture.config_path.to_string_lossy();
    format!("unship -c {} {}", quoted(&config), words.line())
}

/// Changing a database.
fn database(words: &mut Words, asked: &DataChange) {
    let name = asked.database.as_str();
    words.verb("db");
    match &asked.what {
        DataAsk::Migrate { migrations } => {
            words.verb("migrate").value(name);
            if let Some(last) = migrations.last() {
                words.option("--to", &last.version.to_string());
            }
        }
        DataAsk::Undo { migrations } => {
            words.verb("undo").value(name).option("--last", &migrations.len().to_string());
        }
        DataAsk::Program { undo, version } => {
            words.verb(if *undo { "undo" } else { "migrate" }).value(name);
            if let Some(version) = version {
                words.option("--to", version);
            }
        }
        DataAsk::Restore { file, .. } => {
            words.verb("restore").value(name).value(file);
        }
        DataAsk::PointInTime { to } => {
            words.verb("point-in-time").value(name).value(&to.to_string());
        }
    }
    if !asked.backup {
        words.flag("--without-backup");
    }
    words.reason(&asked.reason);
}

/// Rolling the service that is looked at back, as one types it.
pub fn rollback_line(scene: &Scene<'_>) -> Option<String> {
    let known = scene.known()?;
    let command = Command::RollBack(RollBack {
        service: scene.service()?.clone(),
        from: known.suspect().map(|(_, release)| release.reference.clone()),
        to: None,
        strategy: Strategy::Immediate,
        reason: String::new(),
        overrides: Vec::new(),
    });
    Some(command_line(scene.picture, &command))
}

const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The words of a line: what is done, options, values.
#[derive(Default)]
struct Words {
    verbs: Vec<&'static str>,
    options: Vec<String>,
    values: Vec<String>,
}

impl Words {
    fn verb(&mut self, verb: &'static str) -> &mut Self {
        self.verbs.push(verb);
        self
    }

    fn flag(&mut self, flag: &str) -> &mut Self {
        self.options.push(flag.to_owned());
        self
    }

    fn value(&mut self, value: &str) -> &mut Self {
        self.values.push(value.to_owned());
        self
    }

    fn option(&mut self, name: &str, value: &str) -> &mut Self {
        // What begins like an option would be taken for one.
        if value.starts_with('-') {
            self.options.push(quoted(&format!("{name}={value}")));
        } else {
            self.options.push(name.to_owned());
            self.options.push(quoted(value));
        }
        self
    }

    /// Without one the line is for whoever fills it in.
    fn reason(&mut self, reason: &str) -> &mut Self {
        if reason.trim().is_empty() { self } else { self.option("--reason", reason) }
    }

    fn overrides(&mut self, overrides: &[Override]) -> &mut Self {
        for taken in overrides {
            self.option("--override", &format!("{}={}", taken.guardrail.word(), taken.reason));
        }
        self
    }

    fn line(&self) -> String {
        let mut words: Vec<String> = self.verbs.iter().map(|verb| (*verb).to_owned()).collect();
        let values = self.values.iter().map(|value| quoted(value));
        // Values that look like options come last, behind the mark that says that none follow.
        if self.values.iter().any(|value| value.starts_with('-')) {
            words.extend(self.options.iter().cloned());
            words.push("--".to_owned());
            words.extend(values);
        } else {
            words.extend(values);
            words.extend(self.options.iter().cloned());
        }
        words.join(" ")
    }
}

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
