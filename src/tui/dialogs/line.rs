//! Actions as command lines, to be run elsewhere or put into a message.

use crate::model::command::{Command, RollBack};
use crate::model::operation::Strategy;
use crate::tui::scene::{Picture, Scene};

/// A command as one types it.
pub fn command_line(picture: &Picture, command: &Command) -> String {
    let mut words =
        vec!["unship".to_owned(), "-c".to_owned(), quoted(&picture.config_path.to_string_lossy())];
    match command {
        Command::RollBack(RollBack { service, to, strategy, reason, overrides, .. }) => {
            words.extend(["rollback".to_owned(), quoted(service.as_str())]);
            if let Some(to) = to {
                words.extend(["--to".to_owned(), quoted(to.as_str())]);
            }
            match strategy {
                Strategy::Immediate => {}
                Strategy::Gradual => words.push("--gradual".to_owned()),
                Strategy::Emergency => words.push("--emergency".to_owned()),
            }
            for taken in overrides {
                let text = format!("{}={}", taken.guardrail.word(), taken.reason);
                words.extend(["--override".to_owned(), quoted(&text)]);
            }
            if !reason.is_empty() {
                words.extend(["--reason".to_owned(), quoted(reason)]);
            }
        }
        other => words.push(other.verb().to_owned()),
    }
    words.join(" ")
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

/// For a shell.
fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@%+,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
