//! What a key, a paste, an answer does to where the person is looking: pure. What has to happen outside comes back as
//! [`Effect`]s.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::commands::{Action, COMMANDS, Command as Entry, Motion};
use super::dialogs::{self, Overlay, Reaction};
use super::key::{Code, Key};
use super::keymap::Lookup;
use super::panes::checklist::{self, space::Asks};
use super::scene::{Picture, Scene};
use super::ui::{Awaited, Frozen, Page, Pane, Scroll, Toast, ToastKind, Ui, WINDOWS};
use crate::config::RunbookText;
use crate::engine::Proposal;
use crate::engine::checklist::Offer;
use crate::model::command::Command;
use crate::model::{RunbookName, ServiceName};

/// What comes in.
#[derive(Debug)]
pub enum Message {
    /// A key.
    Key(Key),
    /// Text that was pasted: it is text, whatever is in it.
    Paste(String),
    /// The mouse did something.
    Mouse(crossterm::event::MouseEvent),
    /// The screen has another size.
    Resized(u16, u16),
    /// What a command would do, as asked with [`Effect::Propose`].
    Proposed {
        /// The command.
        of: Box<Command>,
        /// What it would do.
        proposal: Box<Proposal>,
    },
    /// A command was taken up or refused.
    Answered {
        /// What was asked, in a few words.
        asked: String,
        /// Taken up; else why not.
        answer: Result<(), String>,
    },
    /// What happened before this console was opened. The loop keeps it; the person is looking where they looked.
    Earlier(Vec<crate::engine::runtime::Entry>),
    /// The person may have come to rest on a service; the loop looks.
    Settled,
    /// The runbooks were read from disk; none: that failed.
    Reread(Option<BTreeMap<RunbookName, RunbookText>>),
    /// What the indicators were, from the journal; the loop keeps it. Else why it cannot be read.
    Recalled(Result<Box<super::past::Past>, String>),
    /// The measures of delivery; the loop keeps them.
    Measured(super::measured::Measured),
    /// Something to say.
    Said(ToastKind, String),
}

/// What has to happen outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Ask the engine what a command would do.
    Propose(Box<Command>),
    /// Send a command to whoever leads; the words are for the answer.
    Send(Box<Command>, String),
    /// Put text into the terminal's clipboard.
    Copy(String),
    /// Give the terminal back to the shell for a while.
    Suspend,
    /// Take the mouse, or leave it.
    Mouse(bool),
    /// Draw everything anew.
    Repaint,
    /// Show another theme.
    Theme(String),
    /// Switch between Unicode and ASCII symbols.
    Glyphs,
    /// Read a service's platform now.
    Refresh(ServiceName),
    /// Read the whole journal and measure delivery.
    Measure,
    /// Read a service's log from its last lines on, for as long as its page is open.
    Follow(ServiceName),
    /// Leave.
    Quit,
}

/// A command and what it was given in the palette.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invocation {
    /// What.
    pub action: Action,
    /// The words after its name.
    pub args: Vec<String>,
    /// The key that asked for it, which never also confirms it.
    pub by: Option<Key>,
}

/// Takes one message in.
pub fn update(ui: &mut Ui, picture: &Picture, message: Message) -> Vec<Effect> {
    match message {
        Message::Key(key) => press(ui, picture, key),
        Message::Paste(text) => {
            let mut overlay = std::mem::take(&mut ui.overlay);
            let reaction = overlay.paste(&Scene::new(picture, ui), &text);
            react(ui, picture, overlay, reaction)
        }
        Message::Mouse(event) => super::mouse::update(ui, picture, event),
        Message::Resized(columns, rows) => {
            ui.size = (columns, rows);
            Vec::new()
        }
        Message::Proposed { of, proposal } => {
            if let Overlay::Action(dialog) = &mut ui.overlay {
                dialog.proposed(&of, *proposal);
            }
            Vec::new()
        }
        Message::Answered { asked, answer } => {
            let is_ours = ui.awaited.as_ref().is_some_and(|awaited| awaited.asked == asked);
            let (kind, text) = match answer {
                Ok(()) => (ToastKind::Done, format!("{asked}: accepted")),
                Err(why) => (ToastKind::Refused, format!("{asked}: refused: {why}")),
            };
            if let Some(awaited) = ui.awaited.as_mut().filter(|_| is_ours) {
                awaited.accepted = kind == ToastKind::Done;
            }
            if is_ours && kind == ToastKind::Refused {
                ui.awaited = None;
            }
            say(ui, picture.now, kind, text);
            arrived(ui, picture);
            Vec::new()
        }
        Message::Earlier(_)
        | Message::Settled
        | Message::Reread(_)
        | Message::Recalled(_)
        | Message::Measured(_) => Vec::new(),
        Message::Said(kind, text) => {
            say(ui, picture.now, kind, text);
            Vec::new()
        }
    }
}

/// How long a message that needs nobody's attention stays.
const TOAST: std::time::Duration = std::time::Duration::from_secs(5);

/// Takes away what has been up for long enough.
pub(super) fn expire(ui: &mut Ui, now: Timestamp) {
    let is_over = ui
        .toast
        .as_ref()
        .is_some_and(|toast| toast.kind != ToastKind::Refused && super::roster::age(toast.at, now) >= TOAST);
    if is_over {
        ui.toast = None;
    }
}

/// Puts a message up.
pub(super) fn say(ui: &mut Ui, now: Timestamp, kind: ToastKind, text: impl Into<String>) {
    ui.toast = Some(Toast { text: text.into(), kind, at: now });
}

fn press(ui: &mut Ui, picture: &Picture, key: Key) -> Vec<Effect> {
    if !matches!(ui.overlay, Overlay::None) {
        // The way out works everywhere.
        if key == Key::control('c') {
            return run(
                ui,
                picture,
                Invocation { action: Action::ForceQuit, args: Vec::new(), by: Some(key) },
            );
        }
        let mut overlay = std::mem::take(&mut ui.overlay);
        let reaction = overlay.key(&Scene::new(picture, ui), key);
        return react(ui, picture, overlay, reaction);
    }
    if key.code == Code::Esc && !ui.pending.is_empty() {
        ui.pending.clear();
        return Vec::new();
    }
    ui.pending.push(key);
    match picture.keymap.lookup(&ui.pending) {
        Lookup::Hit(command) => {
            ui.pending.clear();
            start(ui, picture, command, Vec::new(), Some(key))
        }
        Lookup::Prefix(_) => Vec::new(),
        Lookup::None => {
            // A beginning that led nowhere is forgotten; the key is not taken for another command.
            ui.pending.clear();
            Vec::new()
        }
    }
}

/// Runs a command of the table if it can be run now; else says why not.
pub(super) fn start(
    ui: &mut Ui,
    picture: &Picture,
    command: &'static Entry,
    args: Vec<String>,
    by: Option<Key>,
) -> Vec<Effect> {
    // A service named in the palette is looked at from here on.
    if let Some(service) = named_service(command, &args) {
        let service = ServiceName::from(service);
        if !picture.settings.config.services.contains_key(&service) {
            say(ui, picture.now, ToastKind::Refused, format!("no service `{service}`"));
            return Vec::new();
        }
        ui.service.what = Some(service);
        ui.pages.clear();
    }
    if let Err(reason) = (command.available)(&Scene::new(picture, ui)) {
        say(ui, picture.now, ToastKind::Refused, format!("{}: {reason}", command.title));
        return Vec::new();
    }
    if let Some(guide) = &mut ui.guide {
        guide.did.insert(command.id);
    }
    run(ui, picture, Invocation { action: command.action, args, by })
}

fn named_service<'a>(command: &Entry, args: &'a [String]) -> Option<&'a str> {
    (command.args.first() == Some(&super::commands::Arg::Service))
        .then(|| args.first().map(String::as_str))
        .flatten()
}

fn react(ui: &mut Ui, picture: &Picture, overlay: Overlay, reaction: Reaction) -> Vec<Effect> {
    match reaction {
        Reaction::Stay => {
            ui.overlay = overlay;
            Vec::new()
        }
        Reaction::StayAnd(effects) => {
            ui.overlay = overlay;
            effects
        }
        Reaction::Copy(text) => {
            ui.overlay = overlay;
            copy(ui, picture, text)
        }
        Reaction::Filter(filter) => {
            ui.overlay = overlay;
            ui.filter = filter;
            Vec::new()
        }
        Reaction::Close => Vec::new(),
        Reaction::CloseAnd(effects) => sent(ui, picture, effects),
        Reaction::Keep => {
            keep(ui, overlay);
            Vec::new()
        }
        Reaction::KeepAnd(effects) => {
            keep(ui, overlay);
            sent(ui, picture, effects)
        }
        Reaction::Run { command, args, line } => {
            if let Some(line) = line {
                ui.palette_history.retain(|known| *known != line);
                ui.palette_history.push(line);
            }
            start(ui, picture, command, args, None)
        }
        Reaction::Replace(overlay) => {
            ui.overlay = overlay;
            Vec::new()
        }
    }
}

/// Puts a message that was begun away, to be gone on with.
fn keep(ui: &mut Ui, overlay: Overlay) {
    if let Overlay::Compose(draft) = overlay {
        ui.draft = Some(draft);
    }
}

/// Says what is on its way, and remembers it until it is answered.
fn sent(ui: &mut Ui, picture: &Picture, effects: Vec<Effect>) -> Vec<Effect> {
    for effect in &effects {
        if let Effect::Send(command, words) = effect {
            ui.last_action = Some(dialogs::command_line(picture, command));
            say(ui, picture.now, ToastKind::Said, format!("{words}: sent"));
            let starts = matches!(
                command.as_ref(),
                Command::RollBack(_)
                    | Command::Promote(_)
                    | Command::Maintenance { .. }
                    | Command::Deploy(_)
                    | Command::Scale(_)
            );
            ui.awaited = command.service().filter(|_| starts).map(|service| Awaited {
                asked: words.clone(),
                service: service.clone(),
                before: picture.live.state.service(service).and_then(|known| known.operation.clone()),
                from: ui.page().cloned(),
                accepted: false,
            });
        }
    }
    effects
}

/// Opens the page of an operation that was asked for here, as soon as it is known, unless the person went elsewhere.
pub(super) fn arrived(ui: &mut Ui, picture: &Picture) {
    let Some(awaited) = ui.awaited.as_ref().filter(|awaited| awaited.accepted) else { return };
    let is_here = ui.page() == awaited.from.as_ref()
        && matches!(ui.overlay, Overlay::None)
        && Scene::new(picture, ui).service() == Some(&awaited.service);
    let operation = picture.live.state.service(&awaited.service).and_then(|known| known.operation.clone());
    let operation = operation.filter(|operation| awaited.before.as_ref() != Some(operation));
    if !is_here {
        ui.awaited = None;
    } else if let Some(operation) = operation {
        ui.awaited = None;
        page(ui, Some(Page::Operation(operation)));
    }
}

fn run(ui: &mut Ui, picture: &Picture, asked: Invocation) -> Vec<Effect> {
    let scene = Scene::new(picture, ui);
    match asked.action {
        Action::Move(motion) => {
            super::select::moved(ui, picture, motion);
            Vec::new()
        }
        Action::Left | Action::Right => {
            ui.focus = match ui.focus {
                Pane::Health => Pane::Comparison,
                Pane::Comparison => Pane::Health,
                Pane::Deployments => Pane::Checklist,
                Pane::Checklist => Pane::Deployments,
            };
            Vec::new()
        }
        Action::NextPane => focus(ui, ui.focus.next()),
        Action::PreviousPane => focus(ui, ui.focus.previous()),
        Action::Focus(pane) => {
            ui.pages.clear();
            focus(ui, pane)
        }
        Action::Open => open(ui, picture),
        Action::Back => {
            back(ui);
            Vec::new()
        }
        Action::NextMatch => super::select::trouble(ui, picture, Motion::Down),
        Action::PreviousMatch => super::select::trouble(ui, picture, Motion::Up),
        Action::Why => page(ui, scene.service().cloned().map(Page::Why)),
        Action::Detail => page(ui, scene.service().cloned().map(Page::Service)),
        Action::History => page(ui, scene.service().cloned().map(Page::History)),
        Action::Operation => page(ui, scene.newest_operation().map(|it| Page::Operation(it.id.clone()))),
        Action::Timeline => {
            page(ui, Some(Page::Timeline));
            if let Some((_, scroll)) = ui.pages.last_mut() {
                scroll.follows = true;
            }
            Vec::new()
        }
        Action::Sources => page(ui, Some(Page::Sources)),
        Action::Delivery => {
            page(ui, Some(Page::Delivery));
            vec![Effect::Measure]
        }
        Action::Log => {
            let Some(service) = scene.service().cloned() else { return Vec::new() };
            page(ui, Some(Page::Log(service.clone())));
            if let Some((_, scroll)) = ui.pages.last_mut() {
                scroll.follows = true;
            }
            vec![Effect::Follow(service)]
        }
        Action::WindowShorter => {
            ui.window = ui.window.saturating_sub(1);
            Vec::new()
        }
        Action::WindowLonger => {
            ui.window = (ui.window + 1).min(WINDOWS.len() - 1);
            Vec::new()
        }
        Action::Zoom => {
            ui.zoom = !ui.zoom;
            Vec::new()
        }
        Action::Freeze => {
            ui.frozen = match ui.frozen.take() {
                Some(_) => None,
                None => Some(Frozen { since: picture.now, view: picture.live.clone() }),
            };
            Vec::new()
        }
        Action::Refresh if ui.page() == Some(&Page::Delivery) => vec![Effect::Measure],
        Action::Refresh if matches!(ui.page(), Some(Page::Log(_))) => {
            scene.service().cloned().map(Effect::Follow).into_iter().collect()
        }
        Action::Refresh => scene.service().cloned().map(Effect::Refresh).into_iter().collect(),
        Action::Incident => {
            page(ui, scene.incident_at_hand().map(|incident| Page::Incident(incident.id.clone())))
        }
        // The ordinary question: both ends, the plan, the guardrails, the name.
        Action::Tick if matches!(checklist::asks(&scene), Some(Asks::RollBack(_))) => {
            roll_back(ui, picture, asked.by)
        }
        Action::CopyId if is_on_a_command(&scene) => copy_command(ui, picture),
        Action::CopyId => match super::select::id(&scene) {
            Some(id) => copy(ui, picture, id),
            None => Vec::new(),
        },
        Action::CopyCommand => {
            let line = ui.last_action.clone().or_else(|| dialogs::rollback_line(&scene));
            line.map_or_else(Vec::new, |line| copy(ui, picture, line))
        }
        Action::Theme => match asked.args.into_iter().next() {
            Some(name) => vec![Effect::Theme(name)],
            None => {
                ui.overlay = dialogs::palette(&Scene::new(picture, ui), "theme ");
                Vec::new()
            }
        },
        Action::Glyphs => vec![Effect::Glyphs],
        Action::Mouse => {
            ui.mouse = !ui.mouse;
            vec![Effect::Mouse(ui.mouse)]
        }
        Action::Repaint => vec![Effect::Repaint],
        Action::Suspend => vec![Effect::Suspend],
        Action::Filter => {
            ui.overlay = dialogs::filter(&scene);
            Vec::new()
        }
        Action::Message => {
            if let Some(incident) = scene.incident_at_hand().cloned() {
                let kept = ui.draft.take().map(|draft| *draft);
                ui.overlay = Overlay::Compose(Box::new(dialogs::Compose::new(&incident, kept)));
            }
            Vec::new()
        }
        Action::Help => {
            ui.overlay = dialogs::help(&scene);
            Vec::new()
        }
        Action::Palette => {
            ui.overlay = dialogs::palette(&scene, "");
            Vec::new()
        }
        Action::Quit | Action::ForceQuit => dialogs::quit(ui, picture, &asked),
        action => {
            let danger = COMMANDS.iter().find(|command| command.action == action);
            let Some(command) = danger else { return Vec::new() };
            match dialogs::ask(&scene, command, &asked) {
                Ok((overlay, effects)) => {
                    ui.overlay = overlay;
                    sent(ui, picture, effects)
                }
                Err(reason) => {
                    say(ui, picture.now, ToastKind::Refused, format!("{}: {reason}", command.title));
                    Vec::new()
                }
            }
        }
    }
}

/// The rollback that the line at hand asks for.
fn roll_back(ui: &mut Ui, picture: &Picture, by: Option<Key>) -> Vec<Effect> {
    let Some(Asks::RollBack(service)) = checklist::asks(&Scene::new(picture, ui)) else { return Vec::new() };
    let Some(command) = super::commands::find("roll-back") else { return Vec::new() };
    match service {
        Some(service) => start(ui, picture, command, vec![service.to_string()], by),
        None => {
            let words = "roll back: nothing says which service needs it; select one in pane 1";
            say(ui, picture.now, ToastKind::Refused, words);
            Vec::new()
        }
    }
}

/// Whether the line of the checklist that is looked at has a command written in it.
fn is_on_a_command(scene: &Scene<'_>) -> bool {
    scene.ui.page().is_none()
        && scene.ui.focus == Pane::Checklist
        && checklist::item_at_hand(scene).is_some_and(|item| !item.commands.is_empty())
}

/// Copies the command of the line at hand; of several the next one each time.
fn copy_command(ui: &mut Ui, picture: &Picture) -> Vec<Effect> {
    let Some(item) = checklist::item_at_hand(&Scene::new(picture, ui)) else { return Vec::new() };
    let total = item.commands.len();
    let place = match ui.copied.take() {
        Some((key, last)) if key == item.key => (last + 1) % total.max(1),
        _ => 0,
    };
    let Some(command) = item.commands.get(place) else { return Vec::new() };
    ui.copied = Some((item.key.clone(), place));
    let number = if total > 1 { format!(" {} of {total}", place + 1) } else { String::new() };
    let words = match &command.offered {
        Offer::Refused(why) => format!("copied{number}, to be filled in ({why}): {}", command.text),
        _ => format!("copied{number}: {}", command.text),
    };
    say(ui, picture.now, ToastKind::Said, words);
    vec![Effect::Copy(command.text.clone())]
}

fn copy(ui: &mut Ui, picture: &Picture, text: String) -> Vec<Effect> {
    say(ui, picture.now, ToastKind::Said, format!("copied: {text}"));
    vec![Effect::Copy(text)]
}

fn focus(ui: &mut Ui, pane: Pane) -> Vec<Effect> {
    ui.focus = pane;
    Vec::new()
}

fn page(ui: &mut Ui, page: Option<Page>) -> Vec<Effect> {
    let Some(page) = page else { return Vec::new() };
    // The same page twice would need two steps back.
    ui.pages.retain(|(open, _)| *open != page);
    ui.pages.push((page, Scroll::default()));
    Vec::new()
}

/// Opens what is selected. Never changes anything.
fn open(ui: &mut Ui, picture: &Picture) -> Vec<Effect> {
    if ui.page().is_some() {
        return Vec::new();
    }
    let scene = Scene::new(picture, ui);
    let Some(service) = scene.service().cloned() else { return Vec::new() };
    let open = match ui.focus {
        Pane::Health => Page::Service(service),
        Pane::Comparison => Page::Why(service),
        Pane::Deployments => Page::History(service),
        Pane::Checklist => match scene.newest_operation() {
            Some(operation) if operation.is_open() => Page::Operation(operation.id.clone()),
            _ => match checklist::incident(&scene) {
                Some(incident) => Page::Incident(incident.id.clone()),
                None => Page::Timeline,
            },
        },
    };
    page(ui, Some(open))
}

/// One step back; never out.
fn back(ui: &mut Ui) {
    if ui.toast.as_ref().is_some_and(|toast| toast.kind == ToastKind::Refused) {
        ui.toast = None;
    } else if ui.pages.pop().is_some() {
    } else if ui.zoom {
        ui.zoom = false;
    } else if !ui.filter.text.is_empty() {
        ui.filter.text.clear();
    } else if ui.frozen.take().is_some() {
    } else {
        // The worst service is followed again.
        ui.service.what = None;
        ui.service.row = 0;
    }
}
