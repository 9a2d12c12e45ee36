//! The table itself: one entry for everything that a person can do.

mod incident;

use super::{Action, Arg, Command, Danger, Group, Motion, Reason};
use crate::tui::available as can;
use crate::tui::scene::Scene;
use crate::tui::ui::Pane;
use incident::INCIDENT;

const fn never(_: &Scene<'_>) -> u8 {
    0
}

fn hint_if(scene: &Scene<'_>, check: fn(&Scene<'_>) -> Result<(), Reason>, weight: u8) -> u8 {
    if check(scene).is_ok() { weight } else { 0 }
}

/// Most entries differ from this in a few fields.
const PLAIN: Command = Command {
    id: "",
    title: "",
    doc: "",
    keys: &[],
    args: &[],
    group: Group::Move,
    danger: Danger::None,
    action: Action::Back,
    available: can::always,
    hint: never,
};

/// How many there are.
const TOTAL: usize = ACTING.len() + INCIDENT.len() + LOOKING.len();

/// All, in the order in which they are listed.
static ALL: [Command; TOTAL] = {
    let mut all = [PLAIN; TOTAL];
    let mut at = 0;
    let parts = [ACTING, INCIDENT, LOOKING];
    let mut part = 0;
    while part < parts.len() {
        let mut number = 0;
        while number < parts[part].len() {
            all[at] = parts[part][number];
            at += 1;
            number += 1;
        }
        part += 1;
    }
    all
};

/// The table.
pub static COMMANDS: &[Command] = &ALL;

/// Taking back and steering.
const ACTING: &[Command] = &[
    Command {
        id: "roll-back",
        title: "roll back",
        doc: "Take the release that is live (or the canary) back: shows both ends, the plan and the guardrails, then asks for the service's name.",
        keys: &["R"],
        args: &[Arg::Service, Arg::Version],
        group: Group::Act,
        danger: Danger::Production,
        action: Action::RollBack,
        available: can::roll_back,
        hint: |scene| if scene.wants_rollback() { 100 } else { 60 },
    },
    Command {
        id: "promote",
        title: "promote",
        doc: "Give the canary all the traffic, then verify it.",
        keys: &["!P"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Production,
        action: Action::Promote,
        available: can::promote,
        hint: never,
    },
    Command {
        id: "deploy",
        title: "deploy",
        doc: "Bring a release in: the one that is selected in pane 3, or a version that is named. Shows the plan of the strategy first.",
        keys: &["!b"],
        args: &[Arg::Service, Arg::Version, Arg::Strategy],
        group: Group::Act,
        danger: Danger::Production,
        action: Action::Deploy,
        available: can::deploy,
        hint: never,
    },
    Command {
        id: "confirm",
        title: "say go",
        doc: "Let a deployment go on that waits for a person before it moves any traffic.",
        keys: &["!g"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Confirm,
        available: can::confirm,
        hint: |scene| hint_if(scene, can::confirm, 108),
    },
    Command {
        id: "pause",
        title: "pause",
        doc: "Let the running operation finish its step and start no other until it is resumed.",
        keys: &["!p"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Pause,
        available: can::pause,
        hint: |scene| hint_if(scene, can::pause, 70),
    },
    Command {
        id: "resume",
        title: "resume",
        doc: "Let a paused operation go on.",
        keys: &["!r"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Resume,
        available: can::resume,
        hint: |scene| hint_if(scene, can::resume, 95),
    },
    Command {
        id: "cancel",
        title: "cancel",
        doc: "Stop the running operation at its next step; what it has done stays done, except that a deployment goes back.",
        keys: &["!c"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Cancel,
        available: can::cancel,
        hint: |scene| hint_if(scene, can::cancel, 80),
    },
    Command {
        id: "decide",
        title: "decide",
        doc: "Say what happened where the engine cannot know whether a step was done.",
        keys: &["!d"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Settle,
        available: can::settle,
        hint: |scene| hint_if(scene, can::settle, 110),
    },
    Command {
        id: "maintenance",
        title: "maintenance page",
        doc: "Turn the service's maintenance page on or off.",
        keys: &["!m"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Production,
        action: Action::Maintenance,
        available: can::maintenance,
        hint: never,
    },
    Command {
        id: "scale",
        title: "scale",
        doc: "Let more instances of the service run, or fewer: as many as are named, or what its `scaling` asks for next.",
        keys: &["!u"],
        args: &[Arg::Service, Arg::Instances],
        group: Group::Act,
        danger: Danger::Production,
        action: Action::Scale,
        available: can::scale,
        hint: |scene| if scene.wants_more() { 90 } else { 0 },
    },
    Command {
        id: "freeze-rollbacks",
        title: "freeze rollbacks",
        doc: "Forbid rollbacks of the service, for a time or until lifted.",
        keys: &["!f"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::FreezeRollbacks,
        available: can::freeze_rollbacks,
        hint: never,
    },
    Command {
        id: "thaw-rollbacks",
        title: "lift the freeze",
        doc: "Allow rollbacks of the service again.",
        keys: &["!t"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::ThawRollbacks,
        available: can::thaw_rollbacks,
        hint: never,
    },
    Command {
        id: "automatic",
        title: "automatic on/off",
        doc: "Turn rolling back by itself on or off, for the whole environment.",
        keys: &["!a"],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Automatic,
        available: can::act,
        ..PLAIN
    },
    Command {
        id: "reset",
        title: "reset the count",
        doc: "Set the service's count of rollbacks back to zero: a person has looked.",
        keys: &["!0"],
        args: &[Arg::Service],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::Reset,
        available: can::act_on_service,
        hint: never,
    },
    Command {
        id: "mark-good",
        title: "mark good",
        doc: "Say that the selected release is good: it may be a rollback's target.",
        keys: &["!+"],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::MarkGood,
        available: can::mark,
        ..PLAIN
    },
    Command {
        id: "mark-bad",
        title: "mark bad",
        doc: "Say that the selected release is bad: it is never a rollback's target.",
        keys: &["!-"],
        group: Group::Act,
        danger: Danger::Service,
        action: Action::MarkBad,
        available: can::mark,
        ..PLAIN
    },
];

/// Looking closer, moving about, the program itself.
const LOOKING: &[Command] = &[
    Command {
        id: "why",
        title: "why",
        doc: "The last decision about the service: its findings, their evidence, what is not known, the guardrails, and what would change it.",
        keys: &["w"],
        args: &[Arg::Service],
        group: Group::Look,
        action: Action::Why,
        available: can::with_service,
        hint: |scene| if scene.wants_rollback() { 50 } else { 20 },
        ..PLAIN
    },
    Command {
        id: "detail",
        title: "details",
        doc: "Everything about the service: dependencies, every indicator, probes, triggers, findings.",
        keys: &["d"],
        args: &[Arg::Service],
        group: Group::Look,
        action: Action::Detail,
        available: can::with_service,
        hint: |_| 25,
        ..PLAIN
    },
    Command {
        id: "operation",
        title: "operation",
        doc: "The service's newest operation: its steps and what the platform says.",
        keys: &["O"],
        args: &[Arg::Service],
        group: Group::Look,
        action: Action::Operation,
        available: can::with_operation,
        hint: |scene| if scene.open_operation().is_some() { 65 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "timeline",
        title: "timeline",
        doc: "What happened, newest last.",
        keys: &["t"],
        group: Group::Look,
        action: Action::Timeline,
        hint: |_| 15,
        ..PLAIN
    },
    Command {
        id: "incident",
        title: "incident",
        doc: "The incident: its promise, its services and roles, how far the escalation is, its alarms, runbooks and notes.",
        keys: &["I"],
        group: Group::Look,
        action: Action::Incident,
        available: can::with_incident,
        hint: |scene| if scene.incident_is_open() { 12 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "sources",
        title: "sources",
        doc: "Where the figures come from, and what cannot be read.",
        keys: &["S"],
        group: Group::Look,
        action: Action::Sources,
        ..PLAIN
    },
    Command {
        id: "delivery",
        title: "delivery",
        doc: "How well deployments and incidents went over the last 13 weeks, with what is promised.",
        keys: &["D"],
        group: Group::Look,
        action: Action::Delivery,
        ..PLAIN
    },
    Command {
        id: "log",
        title: "log",
        doc: "What the service writes, as it comes.",
        keys: &["L"],
        args: &[Arg::Service],
        group: Group::Look,
        action: Action::Log,
        available: can::read_log,
        ..PLAIN
    },
    Command {
        id: "history",
        title: "history",
        doc: "The service's releases and how each ended, in full.",
        keys: &["H"],
        args: &[Arg::Service],
        group: Group::Look,
        action: Action::History,
        available: can::with_service,
        ..PLAIN
    },
    Command {
        id: "open",
        title: "open",
        doc: "Open what is selected. Never changes anything.",
        keys: &["Enter"],
        group: Group::Look,
        action: Action::Open,
        hint: |_| 30,
        ..PLAIN
    },
    Command {
        id: "window-shorter",
        title: "shorter window",
        doc: "Show less time in the charts.",
        keys: &["["],
        group: Group::Look,
        action: Action::WindowShorter,
        ..PLAIN
    },
    Command {
        id: "window-longer",
        title: "longer window",
        doc: "Show more time in the charts.",
        keys: &["]"],
        group: Group::Look,
        action: Action::WindowLonger,
        ..PLAIN
    },
    Command {
        id: "zoom",
        title: "zoom",
        doc: "Give the focused pane the whole screen, or give it back.",
        keys: &["z"],
        group: Group::Look,
        action: Action::Zoom,
        ..PLAIN
    },
    Command {
        id: "freeze",
        title: "freeze",
        doc: "Hold the picture, not the engine. Acting looks at the target anew.",
        keys: &["f"],
        group: Group::Look,
        action: Action::Freeze,
        hint: |scene| if scene.ui.frozen.is_some() { 105 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "refresh",
        title: "refresh",
        doc: "Read the selected service's platform now.",
        keys: &["^r"],
        group: Group::Look,
        action: Action::Refresh,
        available: can::with_service,
        ..PLAIN
    },
    Command {
        id: "down",
        title: "down",
        doc: "Select the next line.",
        keys: &["j", "Down"],
        action: Action::Move(Motion::Down),
        ..PLAIN
    },
    Command {
        id: "up",
        title: "up",
        doc: "Select the line before.",
        keys: &["k", "Up"],
        action: Action::Move(Motion::Up),
        ..PLAIN
    },
    Command {
        id: "half-page-down",
        title: "half a page down",
        doc: "Go half a page down.",
        keys: &["^d", "PageDown"],
        action: Action::Move(Motion::HalfDown),
        ..PLAIN
    },
    Command {
        id: "half-page-up",
        title: "half a page up",
        doc: "Go half a page up.",
        keys: &["^u", "PageUp"],
        action: Action::Move(Motion::HalfUp),
        ..PLAIN
    },
    Command {
        id: "top",
        title: "top",
        doc: "Select the first line.",
        keys: &["g", "Home"],
        action: Action::Move(Motion::Top),
        ..PLAIN
    },
    Command {
        id: "bottom",
        title: "bottom",
        doc: "Select the last line.",
        keys: &["G", "End"],
        action: Action::Move(Motion::Bottom),
        ..PLAIN
    },
    Command {
        id: "left",
        title: "left",
        doc: "Go to the pane on the left.",
        keys: &["h", "Left"],
        action: Action::Left,
        ..PLAIN
    },
    Command {
        id: "right",
        title: "right",
        doc: "Go to the pane on the right.",
        keys: &["l", "Right"],
        action: Action::Right,
        ..PLAIN
    },
    Command {
        id: "next-pane",
        title: "next pane",
        doc: "Go to the next pane.",
        keys: &["Tab"],
        action: Action::NextPane,
        hint: |scene| if scene.is_narrow() { 40 } else { 5 },
        ..PLAIN
    },
    Command {
        id: "previous-pane",
        title: "previous pane",
        doc: "Go to the pane before.",
        keys: &["S-Tab"],
        action: Action::PreviousPane,
        ..PLAIN
    },
    Command {
        id: "pane-health",
        title: "health",
        doc: "Go to the health pane.",
        keys: &["1"],
        action: Action::Focus(Pane::Health),
        ..PLAIN
    },
    Command {
        id: "pane-comparison",
        title: "canary against stable",
        doc: "Go to the comparison pane.",
        keys: &["2"],
        action: Action::Focus(Pane::Comparison),
        ..PLAIN
    },
    Command {
        id: "pane-deployments",
        title: "deployments",
        doc: "Go to the deployments pane.",
        keys: &["3"],
        action: Action::Focus(Pane::Deployments),
        ..PLAIN
    },
    Command {
        id: "pane-checklist",
        title: "checklist",
        doc: "Go to the checklist pane.",
        keys: &["4"],
        action: Action::Focus(Pane::Checklist),
        ..PLAIN
    },
    Command {
        id: "back",
        title: "back",
        doc: "One step back: close, clear, unzoom. Never quits.",
        keys: &["Esc"],
        action: Action::Back,
        hint: |scene| if scene.ui.page().is_some() { 45 } else { 0 },
        ..PLAIN
    },
    Command {
        id: "filter",
        title: "filter",
        doc: "Show only the services whose name or state has this text; a leading ! shows the others.",
        keys: &["/"],
        action: Action::Filter,
        hint: |_| 10,
        ..PLAIN
    },
    Command {
        id: "next-match",
        title: "next trouble",
        doc: "Select the next service that is not healthy.",
        keys: &["n"],
        action: Action::NextMatch,
        ..PLAIN
    },
    Command {
        id: "previous-match",
        title: "previous trouble",
        doc: "Select the service before that is not healthy.",
        keys: &["N"],
        action: Action::PreviousMatch,
        ..PLAIN
    },
    Command {
        id: "palette",
        title: "command",
        doc: "Find any command by name and run it, with what it takes.",
        keys: &[":"],
        group: Group::Console,
        action: Action::Palette,
        hint: |_| 8,
        ..PLAIN
    },
    Command {
        id: "help",
        title: "help",
        doc: "Every command with its keys; type to search, Enter runs the selected one.",
        keys: &["?"],
        group: Group::Console,
        action: Action::Help,
        hint: |_| 9,
        ..PLAIN
    },
    Command {
        id: "copy-id",
        title: "copy id",
        doc: "Copy the name or id of what is selected to the terminal's clipboard; of a line of the checklist the command that is written in it.",
        keys: &["y"],
        group: Group::Console,
        action: Action::CopyId,
        available: can::with_service,
        ..PLAIN
    },
    Command {
        id: "copy-command",
        title: "copy as command",
        doc: "Copy the last action, or rolling the selected service back, as a command line.",
        keys: &["Y"],
        group: Group::Console,
        action: Action::CopyCommand,
        available: can::with_service,
        ..PLAIN
    },
    Command {
        id: "theme",
        title: "theme",
        doc: "Change the colours; the palette shows each theme as it is selected.",
        args: &[Arg::Theme],
        group: Group::Console,
        action: Action::Theme,
        ..PLAIN
    },
    Command {
        id: "glyphs",
        title: "plain glyphs",
        doc: "Switch between Unicode and ASCII symbols, for fonts that lack some.",
        group: Group::Console,
        action: Action::Glyphs,
        ..PLAIN
    },
    Command {
        id: "mouse",
        title: "mouse on/off",
        doc: "Take the mouse, or leave it to the terminal so that text can be selected (as at first).",
        keys: &["M"],
        group: Group::Console,
        action: Action::Mouse,
        ..PLAIN
    },
    Command {
        id: "repaint",
        title: "repaint",
        doc: "Draw the whole screen anew.",
        keys: &["^l"],
        group: Group::Console,
        action: Action::Repaint,
        ..PLAIN
    },
    Command {
        id: "suspend",
        title: "suspend",
        doc: "Give the terminal back to the shell; `fg` returns.",
        keys: &["^z"],
        group: Group::Console,
        action: Action::Suspend,
        ..PLAIN
    },
    Command {
        id: "quit",
        title: "quit",
        doc: "Leave. Asks while an operation runs that would stop with this console.",
        keys: &["q"],
        group: Group::Console,
        action: Action::Quit,
        hint: |_| 6,
        ..PLAIN
    },
    Command {
        id: "force-quit",
        title: "quit at once",
        doc: "Leave; pressed twice, without any question.",
        keys: &["^c"],
        group: Group::Console,
        action: Action::ForceQuit,
        ..PLAIN
    },
];
