//! The part of the table about the incident, its escalation and its checklist.

use super::{PLAIN, hint_if, never};
use crate::tui::available as can;
use crate::tui::commands::{Action, Arg, Command, Danger, Group};
use crate::tui::ui::Pane;

/// The incident and its checklist.
pub(super) const INCIDENT: &[Command] = &[
    Command {
        id: "acknowledge",
        title: "acknowledge",
        doc: "Say that you have seen the incident and work on it.",
        keys: &["a"],
        group: Group::Incident,
        action: Action::Acknowledge,
        available: can::acknowledge,
        hint: |scene| hint_if(scene, can::acknowledge, 90),
        ..PLAIN
    },
    Command {
        id: "tick",
        title: "tick",
        doc: "Do what the selected line of the checklist asks: tick or confirm it, begin its time, decide, enter its value, act; of a settled one, take that back.",
        keys: &["Space"],
        group: Group::Incident,
        action: Action::Tick,
        available: can::tick,
        hint: |scene| {
            if scene.ui.focus == Pane::Checklist && scene.ui.page().is_none() {
                hint_if(scene, can::tick, 85)
            } else {
                0
            }
        },
        ..PLAIN
    },
    Command {
        id: "not-applicable",
        title: "not applicable",
        doc: "Say that the selected line of the checklist does not concern this incident.",
        keys: &["x"],
        group: Group::Incident,
        action: Action::NotApplicable,
        available: can::not_applicable,
        ..PLAIN
    },
    Command {
        id: "override",
        title: "override",
        doc: "Leave the selected line of the checklist as it is, against what it says, with a reason that the post-mortem shows.",
        keys: &["co"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Override,
        available: can::override_line,
        ..PLAIN
    },
    Command {
        id: "defer",
        title: "do it later",
        doc: "Defer the selected line: until another section, until the incident is resolved, or for a time.",
        keys: &["cd"],
        group: Group::Incident,
        action: Action::Defer,
        available: can::defer,
        ..PLAIN
    },
    Command {
        id: "reopen",
        title: "open it again",
        doc: "Open the selected line again, with a reason. Nothing that was done is undone.",
        keys: &["cr"],
        group: Group::Incident,
        action: Action::Reopen,
        available: can::reopen,
        ..PLAIN
    },
    Command {
        id: "take-back",
        title: "take it back",
        doc: "Take back what the selected line did and what has failed, as its runbook says.",
        keys: &["cu"],
        group: Group::Incident,
        action: Action::TakeBack,
        available: can::take_back,
        ..PLAIN
    },
    Command {
        id: "note-beside",
        title: "note beside it",
        doc: "Write a note beside the selected line of the checklist.",
        keys: &["cn"],
        args: &[Arg::Text],
        group: Group::Incident,
        action: Action::NoteBeside,
        available: can::on_line,
        ..PLAIN
    },
    Command {
        id: "claim",
        title: "take it",
        doc: "Take the selected line upon yourself for ten minutes; the others see it.",
        keys: &["cc"],
        group: Group::Incident,
        action: Action::Claim,
        available: can::claim,
        ..PLAIN
    },
    Command {
        id: "let-go",
        title: "let it go",
        doc: "Let go of the selected line that somebody took.",
        keys: &["cl"],
        group: Group::Incident,
        action: Action::LetGo,
        available: can::let_go,
        ..PLAIN
    },
    Command {
        id: "seen",
        title: "seen",
        doc: "Say that you have seen that the selected line is no longer so.",
        keys: &["cs"],
        group: Group::Incident,
        action: Action::Seen,
        available: can::seen,
        ..PLAIN
    },
    Command {
        id: "attach",
        title: "attach a runbook",
        doc: "Work through another runbook in the incident: one of the config, or the one that is built in.",
        keys: &["ca"],
        args: &[Arg::Runbook],
        group: Group::Incident,
        action: Action::Attach,
        available: can::attach,
        ..PLAIN
    },
    Command {
        id: "severity",
        title: "severity",
        doc: "Change the incident's severity, 1 (worst) to 4.",
        keys: &["!s"],
        args: &[Arg::Level],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Severity,
        available: can::on_incident,
        hint: never,
    },
    Command {
        id: "note",
        title: "note",
        doc: "Write a line into the incident's timeline.",
        keys: &["!n"],
        args: &[Arg::Text],
        group: Group::Incident,
        action: Action::Note,
        available: can::on_incident,
        ..PLAIN
    },
    Command {
        id: "message",
        title: "message",
        doc: "Write a message to those who wait, from what is known now; a draft is kept.",
        keys: &["m"],
        group: Group::Incident,
        action: Action::Message,
        available: can::message,
        hint: |scene| if can::is_message_overdue(scene) { 80 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "resolve",
        title: "resolve",
        doc: "Say that the incident is over.",
        keys: &["!x"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Resolve,
        available: can::on_incident,
        hint: |scene| if scene.is_recovered() { 75 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "open-incident",
        title: "open an incident",
        doc: "Open an incident by hand, on the selected service.",
        keys: &["!i"],
        args: &[Arg::Service],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::OpenIncident,
        available: can::open_incident,
        hint: never,
    },
    Command {
        id: "escalate",
        title: "escalate",
        doc: "Tell the next level of the escalation now, or a certain one; the question names who is told.",
        keys: &["!e"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Escalate,
        available: can::escalate,
        hint: |scene| hint_if(scene, can::escalate, 35),
        ..PLAIN
    },
    Command {
        id: "snooze",
        title: "snooze",
        doc: "Let nobody be told for a while.",
        keys: &["!z"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Snooze,
        available: can::snooze,
        ..PLAIN
    },
    Command {
        id: "stop-escalation",
        title: "stop telling",
        doc: "Let nobody be told any more.",
        keys: &["!Z"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::StopEscalation,
        available: can::snooze,
        ..PLAIN
    },
    Command {
        id: "declare",
        title: "declare",
        doc: "Say that what is suspected is an incident: its clock counts, its checklist begins, people are told.",
        keys: &["!D"],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Declare,
        available: can::declare,
        hint: |scene| hint_if(scene, can::declare, 92),
        ..PLAIN
    },
    Command {
        id: "false-alarm",
        title: "false alarm",
        doc: "Say that the incident was none.",
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::FalseAlarm,
        available: can::on_incident,
        ..PLAIN
    },
    Command {
        id: "merge",
        title: "merge",
        doc: "Let another open incident go on with this one.",
        args: &[Arg::Incident],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Merge,
        available: can::merge,
        ..PLAIN
    },
    Command {
        id: "reopen-incident",
        title: "reopen the incident",
        doc: "Say that the last incident is not over after all, within a day.",
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::ReopenIncident,
        available: can::reopen_incident,
        ..PLAIN
    },
    Command {
        id: "close",
        title: "close the incident",
        doc: "Say that nothing is left to do about the resolved incident.",
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::Close,
        available: can::close,
        ..PLAIN
    },
    Command {
        id: "take-role",
        title: "take a role",
        doc: "Take a role in the incident: commander, deputy, scribe, liaison or operator.",
        args: &[Arg::Role],
        group: Group::Incident,
        action: Action::TakeRole,
        available: can::with_roles,
        ..PLAIN
    },
    Command {
        id: "offer-role",
        title: "offer a role",
        doc: "Offer a role to somebody, who takes it within five minutes or lets it lapse.",
        args: &[Arg::Role, Arg::Text],
        group: Group::Incident,
        action: Action::OfferRole,
        available: can::with_roles,
        ..PLAIN
    },
    Command {
        id: "give-role",
        title: "give a role",
        doc: "Give a role to somebody who is not asked.",
        args: &[Arg::Role, Arg::Text],
        group: Group::Incident,
        action: Action::GiveRole,
        available: can::with_roles,
        ..PLAIN
    },
    Command {
        id: "add-service",
        title: "add a service",
        doc: "Make the selected service part of the incident.",
        args: &[Arg::Service],
        group: Group::Incident,
        danger: Danger::Service,
        action: Action::AddService,
        available: can::add_service,
        ..PLAIN
    },
    Command {
        id: "link",
        title: "link an operation",
        doc: "Let an operation belong to the incident that was not begun for it.",
        args: &[Arg::Operation],
        group: Group::Incident,
        action: Action::LinkOperation,
        available: can::link,
        ..PLAIN
    },
    Command {
        id: "onset",
        title: "when it began",
        doc: "Say when the impact began: a moment that is known, or `14:02`, `-20m` after the word.",
        args: &[Arg::Text],
        group: Group::Incident,
        action: Action::Onset,
        available: can::with_incident,
        ..PLAIN
    },
    Command {
        id: "rebase",
        title: "take the runbook over",
        doc: "Let a checklist go on with its runbook as the file is now; the question says what differs.",
        args: &[Arg::Runbook],
        group: Group::Incident,
        action: Action::Rebase,
        available: can::rebase,
        hint: |scene| hint_if(scene, can::rebase, 60),
        ..PLAIN
    },
];
