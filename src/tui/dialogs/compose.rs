//! A message to those who wait: drafted from what is known, edited, and sent by a person.
//!
//! A field that nobody has touched shows what is known now and goes on doing so. One that was edited stays as it was typed; when
//! what is known has changed meanwhile, that is said, and `^r` takes it anew. `^s` puts up the text as it would be sent, with
//! where it goes; only then `y` sends it, exactly that. Esc keeps the draft until the console is left, also after it was sent:
//! it is put away when the incident says that it was told.

mod draw;

use std::str::FromStr as _;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use serde_json::{Value, json};
use tui_input::Input;

use super::Reaction;
use super::filter::{edit, insert};
use crate::engine::messages::{fill, listeners, update};
use crate::model::command::Command;
use crate::model::incident::{Audience, Incident, IncidentAsk, Level};
use crate::model::{ChannelName, IncidentId, Span};
use crate::templates::{Kind, Rendered, Values};
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;
use crate::tui::update::Effect;

/// A message that is being written.
#[derive(Debug)]
pub struct Compose {
    incident: IncidentId,
    audience: Audience,
    stop: Stop,
    fields: [Field; 3],
    /// In what time the next one is promised, as typed; empty: not at all.
    next: Input,
    /// As it would be sent.
    ready: Option<Ready>,
    /// A frame with it as it is now was seen.
    shown: bool,
    /// How many messages the audience had had when this one was sent.
    sent: Option<(Audience, u32)>,
    scroll: usize,
    note: Option<String>,
}

/// What a key speaks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Audience,
    Field(usize),
    Next,
}

const STOPS: [Stop; 5] = [Stop::Audience, Stop::Field(0), Stop::Field(1), Stop::Field(2), Stop::Next];

/// The parts of the text that are written anew: the placeholder of the template, the label, and what it is called.
const FIELDS: [(&str, &str, &str); 3] = [
    ("known", "known", "what is known"),
    ("impact", "impact", "the impact"),
    ("actions", "doing", "what is done about it"),
];

/// One part of the text.
#[derive(Debug, Default)]
struct Field {
    input: Input,
    /// What was known when it was edited first; none: it was not.
    taken_from: Option<String>,
}

/// A message as it would be sent.
#[derive(Clone, PartialEq, Debug)]
struct Ready {
    told: Rendered,
    channels: Vec<ChannelName>,
    next: Option<Timestamp>,
}

impl Compose {
    /// About an incident. `kept`: the draft that was put away.
    pub fn new(incident: &Incident, kept: Option<Self>) -> Self {
        let is_sent = |draft: &Self| {
            draft.sent.is_some_and(|(audience, before)| {
                incident.updates.get(&audience).is_some_and(|update| update.count > before)
            })
        };
        if let Some(kept) = kept.filter(|draft| draft.incident == incident.id && !is_sent(draft)) {
            return Self { shown: false, ready: None, note: None, ..kept };
        }
        let next = match incident.level {
            Level::Sev1 | Level::Sev2 => "20m",
            Level::Sev3 => "60m",
            Level::Sev4 => "",
        };
        Self {
            incident: incident.id.clone(),
            audience: Audience::Internal,
            stop: Stop::Field(0),
            fields: Default::default(),
            next: Input::new(next.to_owned()),
            ready: None,
            shown: false,
            sent: None,
            scroll: 0,
            note: None,
        }
    }

    /// A frame with it, as it is, has been seen.
    pub const fn seen(&mut self) {
        self.shown = true;
    }

    /// What the template is filled in with, as far as nobody has written it.
    fn live(&self, scene: &Scene<'_>) -> Option<Values> {
        let incident = scene.state().incident(&self.incident)?;
        Some(update(incident, scene.state(), self.promised(scene).ok().flatten(), scene.picture.now))
    }

    /// When the next one is promised.
    fn promised(&self, scene: &Scene<'_>) -> Result<Option<Timestamp>, String> {
        let typed = self.next.value().trim();
        if typed.is_empty() {
            return Ok(None);
        }
        let wrong = || format!("`{typed}` is no time; write one like 20m, or nothing");
        let time = Span::from_str(typed).ok().filter(|time| !time.is_zero()).ok_or_else(wrong)?;
        scene.picture.now.checked_add(*time).map(Some).map_err(|_| wrong())
    }

    /// A field as it is: what was typed, else what is known now.
    fn value(&self, index: usize, live: &Values) -> String {
        let field = &self.fields[index];
        if field.taken_from.is_some() {
            field.input.value().to_owned()
        } else {
            joined(live, FIELDS[index].0)
        }
    }

    /// The text as it is now.
    fn text(&self, scene: &Scene<'_>) -> Result<Rendered, String> {
        let gone = || format!("{} is not remembered any more", self.incident);
        let mut values = self.live(scene).ok_or_else(gone)?;
        for (index, (name, ..)) in FIELDS.iter().enumerate() {
            if self.fields[index].taken_from.is_some() {
                let written = self.value(index, &values);
                let written: Vec<&str> =
                    written.split("; ").map(str::trim).filter(|one| !one.is_empty()).collect();
                values.insert(name, json!(written));
            }
        }
        let settings = &scene.picture.settings;
        fill(&settings.templates, &settings.config.environment.name, Kind::Update, values, scene.picture.now)
    }

    /// The field that was edited before what is known changed.
    fn overtaken(&self, scene: &Scene<'_>) -> Option<usize> {
        let live = self.live(scene)?;
        self.fields.iter().enumerate().position(|(index, field)| {
            field.taken_from.as_ref().is_some_and(|before| *before != joined(&live, FIELDS[index].0))
        })
    }

    /// As it would be sent, or what is missing.
    fn prepare(&self, scene: &Scene<'_>) -> Result<Ready, String> {
        let next = self.promised(scene)?;
        let told = self.text(scene)?;
        let incident = scene.state().incident(&self.incident).ok_or("the incident is gone")?;
        if incident.closed.is_some() {
            return Err(format!("{} is closed", self.incident));
        }
        let channels = listeners(scene.config(), incident.level);
        if channels.is_empty() {
            return Err(format!(
                "no channel listens to a {}: `unship message send --to CHANNEL` names one",
                incident.level
            ));
        }
        Ok(Ready { told, channels, next })
    }

    /// Answers a key.
    pub fn key(&mut self, scene: &Scene<'_>, key: Key) -> Reaction {
        let was_shown = std::mem::take(&mut self.shown);
        self.note = None;
        if let Some(ready) = self.ready.take() {
            return self.answered(scene, key, ready, was_shown);
        }
        match (key.code, key.control) {
            (Code::Esc, _) => return Reaction::Keep,
            (Code::Char('s'), true) => match self.prepare(scene) {
                Ok(ready) => {
                    self.scroll = 0;
                    self.ready = Some(ready);
                }
                Err(why) => self.note = Some(why),
            },
            (Code::Char('r'), true) => {
                if let Stop::Field(index) = self.stop {
                    self.fields[index] = Field::default();
                }
            }
            (Code::Tab | Code::Enter, _) => self.step(1),
            (Code::BackTab, _) => self.step(STOPS.len() - 1),
            (Code::Up, _) => self.scroll = self.scroll.saturating_sub(1),
            (Code::Down, _) => self.scroll += 1,
            (Code::PageUp, _) => self.scroll = self.scroll.saturating_sub(8),
            (Code::PageDown, _) => self.scroll += 8,
            (Code::Left | Code::Right | Code::Char(' '), false) if self.stop == Stop::Audience => {
                self.audience = match self.audience {
                    Audience::Internal => Audience::External,
                    Audience::External => Audience::Internal,
                };
            }
            _ => {
                if let Some(input) = self.input(scene) {
                    edit(input, key);
                }
            }
        }
        Reaction::Stay
    }

    /// The answer to the text as it would be sent.
    fn answered(&mut self, scene: &Scene<'_>, key: Key, ready: Ready, was_shown: bool) -> Reaction {
        match key.code {
            Code::Up => self.scroll = self.scroll.saturating_sub(1),
            Code::Down => self.scroll += 1,
            Code::PageUp => self.scroll = self.scroll.saturating_sub(8),
            Code::PageDown => self.scroll += 8,
            _ if key == Key::char('y') && !was_shown => {
                self.note =
                    Some("y came before this was on the screen: look, then press it again".to_owned());
            }
            _ if key == Key::char('y') => {
                if ready.next.is_some_and(|next| next <= scene.picture.now) {
                    self.note = Some("the time that is promised has passed: give another".to_owned());
                    return Reaction::Stay;
                }
                let before = scene
                    .state()
                    .incident(&self.incident)
                    .and_then(|incident| incident.updates.get(&self.audience))
                    .map_or(0, |update| update.count);
                self.sent = Some((self.audience, before));
                let ask = IncidentAsk::Tell {
                    audience: self.audience,
                    text: ready.told.text,
                    subject: ready.told.subject,
                    channels: ready.channels,
                    next: ready.next,
                };
                let command = Command::Incident { incident: self.incident.clone(), ask };
                let words = format!("a message about {}", self.incident);
                return Reaction::KeepAnd(vec![Effect::Send(Box::new(command), words)]);
            }
            // Anything else goes back to the text; it is not typed into it.
            _ => return Reaction::Stay,
        }
        self.ready = Some(ready);
        Reaction::Stay
    }

    /// Into the field that is edited.
    pub fn paste(&mut self, scene: &Scene<'_>, text: &str) {
        self.shown = false;
        if self.ready.is_none()
            && let Some(input) = self.input(scene)
        {
            insert(input, text);
        }
    }

    /// The field that is edited; with what is known now, if nobody has touched it.
    fn input(&mut self, scene: &Scene<'_>) -> Option<&mut Input> {
        match self.stop {
            Stop::Audience => None,
            Stop::Next => Some(&mut self.next),
            Stop::Field(index) => {
                if self.fields[index].taken_from.is_none() {
                    let now = joined(&self.live(scene)?, FIELDS[index].0);
                    self.fields[index] = Field { input: Input::new(now.clone()), taken_from: Some(now) };
                }
                Some(&mut self.fields[index].input)
            }
        }
    }

    fn step(&mut self, by: usize) {
        let at = STOPS.iter().position(|stop| *stop == self.stop).unwrap_or(0);
        self.stop = STOPS[(at + by) % STOPS.len()];
    }

    /// Over the board.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        draw::draw(self, scene, area, buf)
    }
}

/// A placeholder's list as one line.
fn joined(values: &Values, name: &str) -> String {
    let list = values.get(name).and_then(Value::as_array);
    let words = list.into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
