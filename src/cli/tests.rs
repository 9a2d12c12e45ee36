//! What other faces say of the command line.

use clap::Parser as _;

use super::{Cli, Subcommand};
use crate::model::command::{Command, Override, Promote, RollBack, Settlement};
use crate::model::decision::Guardrail;
use crate::model::incident::{Level, Ticked};
use crate::model::operation::Strategy;
use crate::model::release::Quality;
use crate::tui::dialogs::command_line;
use crate::tui::testing;

/// Texts that a shell or the command line could take for something else.
const TEXTS: [&str; 5] =
    ["plain", "two words", "it's `$HOME`; \"quoted\" \\ & | > *", "-starts like an option", "--reason=x"];

fn every_command(text: &str) -> Vec<Command> {
    let reason = || text.to_owned();
    let roll_back = |strategy, overrides| {
        Command::RollBack(RollBack {
            service: "checkout".into(),
            from: Some("sha256:abc".into()),
            to: Some("2.8.0".into()),
            strategy,
            reason: reason(),
            overrides,
        })
    };
    let taken = || vec![Override { guardrail: Guardrail::StaleData, reason: reason() }];
    let mut commands = vec![
        roll_back(Strategy::Immediate, Vec::new()),
        roll_back(Strategy::Gradual, taken()),
        roll_back(Strategy::Emergency, taken()),
        Command::Promote(Promote {
            service: "checkout".into(),
            release: Some("sha256:abc".into()),
            reason: reason(),
            overrides: taken(),
        }),
        Command::Pause { operation: "op-2".into(), reason: reason() },
        Command::Resume { operation: "op-2".into(), reason: reason() },
        Command::Cancel { operation: "op-2".into(), reason: reason() },
        Command::Freeze { service: None, until: None, reason: reason() },
        Command::Freeze {
            service: Some("checkout".into()),
            until: Some("2026-11-21T16:00:00Z".parse().unwrap()),
            reason: reason(),
        },
        Command::Thaw { service: Some("checkout".into()), reason: reason() },
        Command::Thaw { service: None, reason: reason() },
        Command::Reset { service: "checkout".into(), reason: reason() },
        Command::OpenIncident {
            services: vec!["checkout".into(), "cart".into()],
            title: reason(),
            level: Level::Sev2,
        },
        Command::Acknowledge { incident: "INC-1".into() },
        Command::SetLevel { incident: "INC-1".into(), level: Level::Sev1, reason: reason() },
        Command::Resolve { incident: "INC-1".into(), reason: reason() },
        Command::Note { incident: "INC-1".into(), text: reason() },
    ];
    for on in [true, false] {
        commands.push(Command::Baseline { service: "checkout".into(), set: on, reason: reason() });
        commands.push(Command::Maintenance { service: "checkout".into(), on, reason: reason() });
        commands.push(Command::Automatic { on, reason: reason() });
    }
    for choice in [Settlement::Retry, Settlement::Done, Settlement::Abort] {
        commands.push(Command::Settle { operation: "op-2".into(), choice, reason: reason() });
    }
    for quality in [Quality::Good, Quality::Bad, Quality::Unknown] {
        commands.push(Command::Mark {
            service: "checkout".into(),
            version: "2.8.1".into(),
            quality,
            reason: reason(),
        });
    }
    for (ticked, note) in
        [(Some(Ticked::Done), Some(reason())), (Some(Ticked::NotApplicable), None), (None, Some(reason()))]
    {
        commands.push(Command::Tick { incident: "INC-1".into(), item: "smoke-tests".into(), ticked, note });
    }
    commands
}

/// The words that a shell makes of a line.
fn shell(line: &str) -> Vec<String> {
    let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, line.chars());
    while let Some(char) = chars.next() {
        match char {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|char| *char != '\''));
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

/// Whatever is copied from the console as a command line is one that this program takes, and says the same.
#[test]
fn copied_command_lines_are_taken() {
    let picture = testing::rest();
    for text in TEXTS {
        for command in every_command(text) {
            let line = command_line(&picture, &command);
            let cli = Cli::try_parse_from(shell(&line)).unwrap_or_else(|error| panic!("{line}\n{error}"));
            let read = format!("{:?}", cli.command);
            let says = match &command {
                Command::Acknowledge { .. }
                | Command::Tick { note: None, .. }
                | Command::Tick { ticked: None, .. } => None,
                _ => Some(format!("{text:?}")),
            };
            assert!(says.is_none_or(|says| read.contains(&says)), "{line}\n{read}");
            let same = match (&command, &cli.command) {
                (Command::RollBack(asked), Subcommand::Rollback(read)) => {
                    let strategy =
                        (asked.strategy == Strategy::Gradual, asked.strategy == Strategy::Emergency);
                    (read.gradual, read.emergency) == strategy
                        && read.overrides == asked.overrides
                        && read.to.as_deref() == asked.to.as_ref().map(crate::model::Version::as_str)
                }
                (Command::Promote(asked), Subcommand::Promote(read)) => read.overrides == asked.overrides,
                (Command::RollBack(_) | Command::Promote(_), _) => false,
                _ => true,
            };
            assert!(same, "{line}\n{read}");
        }
    }
}
