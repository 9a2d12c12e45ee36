//! What other faces say of the command line.

use clap::Parser as _;

use super::{Cli, Subcommand};
use crate::model::checklist::ItemAct;
use crate::model::command::{
    Command, DataChange, Deploy, Override, Promote, Rebase, RollBack, Scale, Settlement,
};
use crate::model::database::{DataAsk, Migration};
use crate::model::decision::Guardrail;
use crate::model::deploy::DeployStrategy;
use crate::model::escalation::IncidentRole;
use crate::model::incident::{IncidentAsk, Level, Ticked};
use crate::model::joint::{JointKind, JointPart, Together};
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
        Command::Deploy(Deploy {
            service: "checkout".into(),
            version: "2.9.0".into(),
            strategy: DeployStrategy::Canary,
            from: None,
            confirmed: false,
            migrations: Vec::new(),
            reason: reason(),
            overrides: taken(),
        }),
        Command::Deploy(Deploy {
            service: "checkout".into(),
            version: "2.9.0".into(),
            strategy: DeployStrategy::BlueGreen,
            from: None,
            confirmed: true,
            migrations: Vec::new(),
            reason: reason(),
            overrides: Vec::new(),
        }),
        Command::Confirm { operation: "op-2".into(), reason: reason() },
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
        Command::CleanUp { service: "checkout".into(), reason: reason() },
    ];
    let part = |service: &str, version: Option<&str>| JointPart {
        service: service.into(),
        version: version.map(Into::into),
        from: None,
    };
    for kind in [
        JointKind::Deploy { how: None, confirmed: true },
        JointKind::Deploy { how: Some(DeployStrategy::Canary), confirmed: false },
        JointKind::RollBack { strategy: Strategy::Gradual },
        JointKind::RollBack { strategy: Strategy::Immediate },
    ] {
        let parts = vec![part("payments", Some("1.4.0")), part("checkout", Some("2.9.0"))];
        commands.push(Command::Together(Together { kind, parts, reason: reason(), overrides: Vec::new() }));
    }
    for seen in [None, Some(4)] {
        let overrides = vec![Override { guardrail: Guardrail::Target, reason: reason() }];
        let (service, instances) = ("checkout".into(), 8);
        commands.push(Command::Scale(Scale { service, instances, seen, reason: reason(), overrides }));
    }
    for on in [true, false] {
        commands.push(Command::Baseline { service: "checkout".into(), set: on, reason: reason() });
        commands.push(Command::Maintenance { service: "checkout".into(), on, reason: reason() });
        commands.push(Command::Automatic { on, reason: reason() });
    }
    let migration = Migration {
        version: 7,
        name: "carts".to_owned(),
        checksum: "ab".to_owned(),
        transactional: true,
        drops: false,
        undo: None,
    };
    for (what, backup) in [
        (DataAsk::Migrate { migrations: vec![migration.clone()] }, true),
        (DataAsk::Undo { migrations: vec![migration] }, false),
        (DataAsk::Program { undo: true, version: Some("7".to_owned()) }, true),
        (DataAsk::Restore { file: "/b/shop.dump".to_owned(), sha256: "ab".to_owned() }, true),
        (DataAsk::PointInTime { to: "2026-11-26T14:02:00Z".parse().unwrap() }, true),
    ] {
        commands.push(Command::Database(DataChange {
            database: "shop".into(),
            service: "checkout".into(),
            what,
            backup,
            reason: reason(),
            overrides: Vec::new(),
        }));
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
    commands.push(Command::Attach { incident: "INC-1".into(), runbook: "network".into() });
    commands.push(Command::Rebase(Rebase {
        incident: "INC-1".into(),
        run: "INC-1/network".into(),
        from: "0".repeat(64),
        source: "# The network".to_owned(),
        bindings: None,
    }));
    commands.extend(every_act(text).map(|act| Command::Item {
        incident: "INC-1".into(),
        run: Some("INC-1/emergency".into()),
        item: "smoke-tests".into(),
        seen: Some(3),
        act,
    }));
    let ask = |ask| Command::Incident { incident: "INC-1".into(), ask };
    commands.extend(every_ask(text).map(ask));
    commands
}

/// Everything that is done to an item, with this for every text.
fn every_act(text: &str) -> impl Iterator<Item = ItemAct> {
    let text = || text.to_owned();
    [
        ItemAct::Done,
        ItemAct::NotApplicable { reason: text() },
        ItemAct::NotApplicable { reason: String::new() },
        ItemAct::Reopen { reason: text() },
        ItemAct::Reopen { reason: String::new() },
        ItemAct::Override { reason: text() },
        ItemAct::Defer { until: "30m".to_owned(), reason: text() },
        ItemAct::Begin,
        ItemAct::Choose { option: "yes".into(), reason: text() },
        ItemAct::Choose { option: "yes".into(), reason: String::new() },
        ItemAct::Record { value: text() },
        ItemAct::Dispatch,
        ItemAct::Undo,
        ItemAct::AcknowledgeRegression,
        ItemAct::Note { text: text() },
        ItemAct::Claim,
        ItemAct::Release,
    ]
    .into_iter()
}

/// Everything that is asked about an incident, with this for every text.
fn every_ask(text: &str) -> impl Iterator<Item = IncidentAsk> {
    let text = || text.to_owned();
    let at = "2026-11-21T13:55:00Z".parse().unwrap();
    [
        IncidentAsk::Declare,
        IncidentAsk::FalseAlarm { reason: text() },
        IncidentAsk::Merge { into: "INC-2".into(), reason: text() },
        IncidentAsk::Reopen { reason: text() },
        IncidentAsk::Close { reason: text() },
        IncidentAsk::Close { reason: String::new() },
        IncidentAsk::Take { role: IncidentRole::Commander, who: None },
        IncidentAsk::Take { role: IncidentRole::Scribe, who: Some(text()) },
        IncidentAsk::Offer { role: IncidentRole::Deputy, to: text() },
        IncidentAsk::AddService { service: "cart".into() },
        IncidentAsk::Link { operation: "op-2".into() },
        IncidentAsk::Onset { at, reason: text() },
        IncidentAsk::Escalate { level: None, policy: None, reason: text() },
        IncidentAsk::Escalate { level: Some(2), policy: Some("primary".into()), reason: text() },
        IncidentAsk::Snooze { until: "2026-11-21T16:00:00Z".parse().unwrap(), reason: text() },
        IncidentAsk::StopEscalation { reason: text() },
    ]
    .into_iter()
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

/// The text of what is done to an item, if it has one.
fn says(act: &ItemAct) -> Option<&str> {
    let text = match act {
        ItemAct::NotApplicable { reason }
        | ItemAct::Reopen { reason }
        | ItemAct::Override { reason }
        | ItemAct::Defer { reason, .. }
        | ItemAct::Choose { reason, .. } => reason,
        ItemAct::Record { value } => value,
        ItemAct::Note { text } => text,
        ItemAct::Done
        | ItemAct::Begin
        | ItemAct::Dispatch
        | ItemAct::Undo
        | ItemAct::AcknowledgeRegression
        | ItemAct::Claim
        | ItemAct::Release => return None,
    };
    (!text.is_empty()).then_some(text)
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
                Command::Attach { .. } | Command::Rebase(_) => Some(format!("{:?}", "network")),
                Command::Item { act, .. } => says(act).map(|says| format!("{says:?}")),
                Command::Incident { ask, .. } => match ask {
                    IncidentAsk::Offer { to, .. } => Some(format!("{to:?}")),
                    IncidentAsk::Take { who, .. } => who.as_ref().map(|who| format!("{who:?}")),
                    ask => {
                        ask.reason().filter(|reason| !reason.is_empty()).map(|reason| format!("{reason:?}"))
                    }
                },
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
                (Command::Deploy(asked), Subcommand::Deploy(read)) => {
                    read.overrides == asked.overrides
                        && read.strategy == Some(asked.strategy)
                        && (read.go, read.version.as_str()) == (asked.confirmed, asked.version.as_str())
                }
                (Command::RollBack(_) | Command::Promote(_) | Command::Deploy(_), _) => false,
                _ => true,
            };
            assert!(same, "{line}\n{read}");
        }
    }
}
