//! The question before something is done. What is confirmed is what was seen: by a key of its own that did not open the
//! question, after a frame that shows the question as it is, and only while nothing has changed since.
//!
//! `subject`: what is asked; `on_incident`, `on_item`: what is asked about an incident and about a line of a checklist;
//! `onset`: when one may have begun; `changed`: runbooks that were mended meanwhile; `words`: how that is said; `content`: what
//! is shown of it; `draw`: where.

mod changed;
mod content;
mod draw;
mod on_incident;
mod on_item;
mod onset;
mod subject;
mod text;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

use super::filter::{edit, insert};
use super::{Overlay, Reaction, command_line};
use crate::engine::Proposal;
use crate::model::command::{Command, Override};
use crate::model::decision::{Guardrail, GuardrailCheck};
use crate::tui::commands::{Action, Command as Entry, Danger, Reason};
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;
use crate::tui::update::{Effect, Invocation};
use subject::{Answers, Subject};
use text::Text;

/// A key that comes again within this time is held down.
const HELD: Duration = Duration::from_millis(700);

/// The question before something is done.
#[derive(Debug)]
pub struct ActionDialog {
    subject: Subject,
    danger: Danger,
    /// The key that asked.
    opener: Option<Key>,
    /// The key that confirms.
    confirm: char,
    /// A frame with it was seen.
    opened: bool,
    /// A frame with it as it is now was seen.
    shown: bool,
    /// The last key, and when it came.
    last: Option<(Key, Timestamp)>,
    focus: Stop,
    reason: Input,
    name: Input,
    overrides: Vec<(Guardrail, Input)>,
    choice: Option<usize>,
    proposal: Proposed,
    /// Lines of the content above the ones that are seen.
    scroll: usize,
    /// What was just not done, and why.
    note: Option<String>,
}

/// What a key speaks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    /// One of several.
    Choice,
    /// The reason for overriding a guardrail.
    Override(Guardrail),
    /// The text.
    Text,
    /// The service's name.
    Name,
    /// Only the key that confirms.
    Confirm,
}

impl Stop {
    const fn is_typed(self) -> bool {
        matches!(self, Self::Override(_) | Self::Text | Self::Name)
    }
}

/// What the engine says that it would do.
#[derive(Debug)]
enum Proposed {
    /// It is not asked.
    Not,
    /// It is asked for this.
    Waiting(Command),
    /// It has said.
    Here(Box<Proposal>),
}

/// Asks, or sends at once what needs no question.
pub fn ask(
    scene: &Scene<'_>,
    entry: &'static Entry,
    asked: &Invocation,
) -> Result<(Overlay, Vec<Effect>), Reason> {
    if let Some(command) = at_once(scene, asked)? {
        let words = words::of_command(&command);
        return Ok((Overlay::None, vec![Effect::Send(Box::new(command), words)]));
    }
    let (dialog, effects) = ActionDialog::new(scene, entry, asked)?;
    Ok((Overlay::Action(Box::new(dialog)), effects))
}

/// What can be undone and is complete needs no question.
fn at_once(scene: &Scene<'_>, asked: &Invocation) -> Result<Option<Command>, Reason> {
    let incident = || scene.incident_to_act_on();
    Ok(match asked.action {
        Action::Acknowledge => Some(Command::Acknowledge { incident: incident()?.id.clone() }),
        Action::Tick | Action::Claim | Action::LetGo | Action::Seen | Action::NoteBeside => {
            on_item::at_once(scene, asked.action, &asked.args)?
        }
        Action::Note if !asked.args.is_empty() => {
            Some(Command::Note { incident: incident()?.id.clone(), text: asked.args.join(" ") })
        }
        _ => None,
    })
}

impl ActionDialog {
    /// With everything it is about caught as it is now.
    fn new(
        scene: &Scene<'_>,
        entry: &'static Entry,
        asked: &Invocation,
    ) -> Result<(Self, Vec<Effect>), Reason> {
        let subject = Subject::catch(scene, asked.action, &asked.args)?;
        let reason = words::first_reason(scene, &subject, &asked.args);
        let choice = subject.first_choice(&asked.args);
        let danger = subject.danger().unwrap_or(entry.danger);
        let mut dialog = Self {
            confirm: confirming_key(scene, &subject, danger, asked.by),
            danger,
            opener: asked.by,
            opened: false,
            shown: false,
            last: asked.by.map(|key| (key, scene.picture.now)),
            focus: Stop::Text,
            reason: Input::new(reason),
            name: Input::default(),
            overrides: Vec::new(),
            choice,
            proposal: Proposed::Not,
            scroll: 0,
            note: None,
            subject,
        };
        dialog.focus = match (dialog.choice, dialog.reason.value().is_empty()) {
            (None, _) if dialog.stops().contains(&Stop::Choice) => Stop::Choice,
            // Where nothing has to be typed, what is chosen is what is asked.
            (Some(_), true) if matches!(dialog.text(), Text::Optional(_)) => Stop::Choice,
            (_, true) if dialog.stops().contains(&Stop::Text) => Stop::Text,
            (_, _) if dialog.danger == Danger::Production => Stop::Name,
            (_, _) => dialog.stops().into_iter().next_back().unwrap_or(Stop::Confirm),
        };
        let effects = dialog.ask_engine();
        Ok((dialog, effects))
    }

    /// Asks the engine what it would do, if it is one to ask.
    fn ask_engine(&mut self) -> Vec<Effect> {
        if !self.subject.is_proposed() {
            return Vec::new();
        }
        // Asked without reasons, so that typing them asks nothing anew; which guardrails they take is seen here.
        let asked = Answers { choice: self.choice, ..Answers::at(Timestamp::UNIX_EPOCH) };
        let Some(command) = self.subject.command(&asked) else { return Vec::new() };
        self.proposal = Proposed::Waiting(command.clone());
        vec![Effect::Propose(Box::new(command))]
    }

    /// What the command would do, as the engine says. An answer to another question is not for this one.
    pub fn proposed(&mut self, of: &Command, proposal: Proposal) {
        if !matches!(&self.proposal, Proposed::Waiting(asked) if asked == of) {
            return;
        }
        let mut before = std::mem::take(&mut self.overrides);
        for check in proposal.guardrails.iter().filter(|check| can_take(check, &proposal)) {
            let known = before.iter().position(|(guardrail, _)| *guardrail == check.guardrail);
            let input = known.map(|at| before.swap_remove(at).1).unwrap_or_default();
            self.overrides.push((check.guardrail, input));
        }
        self.proposal = Proposed::Here(Box::new(proposal));
        if !self.stops().contains(&self.focus) {
            self.focus = Stop::Text;
        }
        self.shown = false;
    }

    /// A frame with it, as it is, has been seen.
    pub const fn seen(&mut self) {
        self.opened = true;
        self.shown = true;
    }

    /// The places that Tab goes through, in the order in which they are shown.
    fn stops(&self) -> Vec<Stop> {
        let mut stops = Vec::new();
        if !self.subject.choices().is_empty() {
            stops.push(Stop::Choice);
        }
        stops.extend(self.overrides.iter().map(|(guardrail, _)| Stop::Override(*guardrail)));
        if self.text() != Text::Not {
            stops.push(Stop::Text);
        }
        match self.danger {
            Danger::None => {}
            Danger::Service => stops.push(Stop::Confirm),
            Danger::Production => stops.push(Stop::Name),
        }
        stops
    }

    /// The text that it asks for, as it is answered so far.
    fn text(&self) -> Text {
        self.subject.text(self.choice)
    }

    fn step(&mut self, back: bool) {
        let stops = self.stops();
        if stops.is_empty() {
            return;
        }
        let at = stops.iter().position(|stop| *stop == self.focus).unwrap_or(0);
        let next = if back { at + stops.len() - 1 } else { at + 1 } % stops.len();
        self.focus = stops[next];
    }

    fn input(&mut self) -> Option<&mut Input> {
        match self.focus {
            Stop::Text => Some(&mut self.reason),
            Stop::Name => Some(&mut self.name),
            Stop::Override(guardrail) => {
                self.overrides.iter_mut().find(|(known, _)| *known == guardrail).map(|(_, input)| input)
            }
            Stop::Choice | Stop::Confirm => None,
        }
    }

    /// What the person has said so far.
    fn answers(&self, now: Timestamp) -> Answers {
        let taken = |(guardrail, input): &(Guardrail, Input)| {
            let reason = input.value().trim();
            (!reason.is_empty()).then(|| Override { guardrail: *guardrail, reason: reason.to_owned() })
        };
        Answers {
            now,
            reason: self.reason.value().to_owned(),
            choice: self.choice,
            overrides: self.overrides.iter().filter_map(taken).collect(),
            to: self
                .proposal()
                .and_then(|it| it.target.release.as_ref())
                .map(|release| release.version.clone()),
        }
    }

    fn proposal(&self) -> Option<&Proposal> {
        match &self.proposal {
            Proposed::Here(proposal) => Some(proposal),
            Proposed::Not | Proposed::Waiting(_) => None,
        }
    }

    fn is_taken(&self, guardrail: Guardrail) -> bool {
        let field = self.overrides.iter().find(|(known, _)| *known == guardrail);
        field.is_some_and(|(_, input)| !input.value().trim().is_empty())
    }

    /// The service's name is typed, and it is right.
    fn is_named(&self) -> bool {
        self.subject.service().is_some_and(|service| service.as_str() == self.name.value())
    }

    /// What has changed since the key was pressed.
    fn changed(&self, scene: &Scene<'_>) -> Option<String> {
        let since = match self.opener {
            Some(key) => format!("changed since you pressed {key}"),
            None => "changed since you asked".to_owned(),
        };
        let what = self.subject.changed(scene).or_else(|| self.proposed_other())?;
        Some(format!("{since}: {what}"))
    }

    /// The engine has read the platform anew, and found other ends there.
    fn proposed_other(&self) -> Option<String> {
        let proposal = self.proposal()?;
        if let Subject::RollBack { from, target, arm, .. } = &self.subject {
            match &proposal.from {
                None => return Some("nothing gets traffic now".to_owned()),
                Some(now) if now.reference != from.reference => {
                    return Some(subject::is_now(*arm, &now.version));
                }
                Some(_) => {}
            }
            if let (Some(target), Some(now)) = (target, &proposal.target.release)
                && &now.reference != target
            {
                return Some(format!("{} would be returned to now", now.version));
            }
        }
        proposal.moved_on.as_ref().map(|words| words.replace('`', ""))
    }

    /// Why it cannot be confirmed as it is; none if it can.
    fn obstacle(&self, scene: &Scene<'_>) -> Option<String> {
        if let Some(changed) = self.changed(scene) {
            return Some(format!("{changed}; Esc, then look again"));
        }
        match &self.proposal {
            Proposed::Waiting(_) => {
                return Some("asking the platform and the engine what it would do".to_owned());
            }
            Proposed::Here(proposal) => {
                let blocking = proposal.guardrails.iter().filter(|check| check.blocks());
                for check in blocking {
                    let word = check.guardrail.word();
                    if !can_take(check, proposal) {
                        return Some(format!("{word} blocks: {}", words::instead(check)));
                    }
                    if !self.is_taken(check.guardrail) {
                        return Some(format!("{word} blocks: ^o overrides it, with a reason"));
                    }
                }
                if let Err(why) = &proposal.plan {
                    return Some(format!("no plan: {why}"));
                }
            }
            Proposed::Not => {}
        }
        if self.choice.is_none() && !self.subject.choices().is_empty() {
            let words: Vec<_> = self.subject.choices().into_iter().map(|(word, _)| word).collect();
            return Some(format!("choose with Left and Right: {}", words.join(", ")));
        }
        if let Text::Needed(label) = self.subject.seen_now(scene).text(self.choice)
            && self.reason.value().trim().is_empty()
        {
            // A name is needed, not a `to`.
            let label = if label == "to" { "name" } else { label };
            return Some(format!("a {label} is needed"));
        }
        if let Some(lacks) = self.subject.lacks(self.reason.value()) {
            return Some(lacks);
        }
        if self.danger == Danger::Production && !self.is_named() {
            return Some(words::name_missing(&self.subject, self.name.value()));
        }
        None
    }

    /// Answers a key.
    pub fn key(&mut self, scene: &Scene<'_>, key: Key) -> Reaction {
        let now = scene.picture.now;
        let is_held =
            self.last.is_some_and(|(last, at)| last == key && crate::tui::roster::age(at, now) < HELD);
        self.last = Some((key, now));
        if key.code == Code::Esc {
            return Reaction::Close;
        }
        // What was typed before it was there was typed for something else.
        if !self.opened {
            return Reaction::Stay;
        }
        self.note = None;
        if self.is_confirming(key) {
            return self.confirmed(scene, is_held);
        }
        match (key.code, key.control) {
            (Code::Char('y'), true) => return self.copy(scene),
            (Code::Char('o'), true) => self.next_override(),
            (Code::BackTab, _) => self.step(true),
            (Code::Enter, _) if self.danger == Danger::None => return self.confirmed(scene, is_held),
            (Code::Tab | Code::Enter, _) => self.step(false),
            (Code::Up, _) => self.scroll = self.scroll.saturating_sub(1),
            (Code::Down, _) => self.scroll_down(scene, 1),
            (Code::PageUp, _) => self.scroll = self.scroll.saturating_sub(8),
            (Code::PageDown, _) => self.scroll_down(scene, 8),
            (Code::Left, false) if self.focus == Stop::Choice => return self.choose(true),
            (Code::Right, false) if self.focus == Stop::Choice => return self.choose(false),
            (Code::Char(digit @ '1'..='9'), false) if self.focus == Stop::Choice => {
                return self.choose_number(digit);
            }
            _ => {
                if let Some(input) = self.input() {
                    edit(input, key);
                }
            }
        }
        self.shown = false;
        Reaction::Stay
    }

    /// Whether a key is the one that confirms, where it is not text. Once the name is complete it is never text there, so that
    /// a second try does not undo the name.
    fn is_confirming(&self, key: Key) -> bool {
        let is_text = self.focus.is_typed() && !(self.focus == Stop::Name && self.is_named());
        self.danger != Danger::None && !is_text && key == Key::char(self.confirm) && Some(key) != self.opener
    }

    fn confirmed(&mut self, scene: &Scene<'_>, is_held: bool) -> Reaction {
        if let Some(obstacle) = self.obstacle(scene) {
            self.note = Some(obstacle);
            self.shown = false;
            return Reaction::Stay;
        }
        // Neither a key that is held down, nor one that was read before this was seen as it is.
        if is_held {
            return Reaction::Stay;
        }
        if !self.shown {
            let key = if self.danger == Danger::None { "Enter".to_owned() } else { self.confirm.to_string() };
            self.note = Some(format!("{key} came before this was on the screen: look, then press it again"));
            return Reaction::Stay;
        }
        match self.subject.command(&self.answers(scene.picture.now)) {
            Some(command) => {
                let words = words::of_subject(&self.subject);
                Reaction::CloseAnd(vec![Effect::Send(Box::new(command), words)])
            }
            None => Reaction::Stay,
        }
    }

    fn copy(&self, scene: &Scene<'_>) -> Reaction {
        match self.subject.command(&self.answers(scene.picture.now)) {
            Some(command) => Reaction::Copy(command_line(scene.picture, &command)),
            None => Reaction::Stay,
        }
    }

    /// Goes to the next guardrail that blocks and can be overridden.
    fn next_override(&mut self) {
        let open = self.overrides.iter().find(|(_, input)| input.value().trim().is_empty());
        match open.or(self.overrides.first()) {
            Some((guardrail, _)) => self.focus = Stop::Override(*guardrail),
            None => self.note = Some("nothing blocks that could be overridden".to_owned()),
        }
    }

    fn choose(&mut self, back: bool) -> Reaction {
        let total = self.subject.choices().len();
        let next = match self.choice {
            None => 0,
            Some(at) if back => (at + total - 1) % total,
            Some(at) => (at + 1) % total,
        };
        self.chosen(next)
    }

    /// By its number, where there is one.
    fn choose_number(&mut self, digit: char) -> Reaction {
        let number = digit.to_digit(10).unwrap_or(0) as usize;
        if number == 0 || number > self.subject.choices().len() {
            return Reaction::Stay;
        }
        self.chosen(number - 1)
    }

    fn chosen(&mut self, place: usize) -> Reaction {
        self.choice = Some(place);
        self.shown = false;
        Reaction::StayAnd(self.ask_engine())
    }

    fn scroll_down(&mut self, scene: &Scene<'_>, by: usize) {
        self.scroll = (self.scroll + by).min(draw::last_scroll(self, scene));
    }

    /// Into the field that is edited. The name is not taken from a clipboard: typing it is the point.
    pub fn paste(&mut self, text: &str) {
        if !self.opened {
            return;
        }
        self.shown = false;
        if self.focus == Stop::Name {
            self.note = Some("the name has to be typed, not pasted".to_owned());
        } else if let Some(input) = self.input() {
            insert(input, text);
        }
    }

    /// Over the board.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        draw::draw(self, scene, area, buf)
    }
}

/// Whether a person can take it upon themselves: without a release to go to nobody can.
fn can_take(check: &GuardrailCheck, proposal: &Proposal) -> bool {
    check.blocks() && check.guardrail.can_override() && proposal.target.release.is_some()
}

/// `y`, unless that asked the question, ends the name that has to be typed, or goes on to the name of another service: then
/// another one.
fn confirming_key(scene: &Scene<'_>, subject: &Subject, danger: Danger, opener: Option<Key>) -> char {
    let name = subject.service().filter(|_| danger == Danger::Production);
    let is_part_of_a_name = |char: char| {
        name.is_some_and(|name| {
            let longer = format!("{name}{char}");
            let mut others = scene.config().services.keys();
            name.as_str().ends_with(char) || others.any(|other| other.as_str().starts_with(&longer))
        })
    };
    let is_opener = |char: char| opener == Some(Key::char(char));
    ['y', 'Y', 'o', 'O', '+']
        .into_iter()
        .find(|char| !is_opener(*char) && !is_part_of_a_name(*char))
        .unwrap_or('+')
}
