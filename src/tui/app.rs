//! The console's loop: keys, what the engine publishes and the clock come in; frames and effects go out. The only part of
//! the console that waits for anything.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event as Heard;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::glyphs::Glyphs;
use super::key::Key;
use super::keymap::Keymap;
use super::roster::{Filter, Roster};
use super::scene::{Picture, Scene, TIMELINE_KEPT};
use super::terminal::{Input, Signal, Signals, Terminal};
use super::theme::Theme;
use super::trends::Trends;
use super::ui::{ToastKind, Ui};
use super::update::{Effect, Message, update};
use crate::engine::runtime::{Engine, Entry, View};
use crate::model::ServiceName;
use crate::model::command::{Actor, Command};
use crate::model::event::Event;

/// How long an answer to a command is waited for.
const ANSWER: Duration = Duration::from_secs(15);

/// How a console is opened.
pub struct Options {
    /// Who sits there.
    pub me: Actor,
    /// The config's file, as typed.
    pub config_path: PathBuf,
    /// Colours.
    pub theme: Theme,
    /// Where the user's own themes are.
    pub theme_dirs: Vec<PathBuf>,
    /// Only ASCII symbols.
    pub ascii: bool,
    /// Keys.
    pub keymap: Keymap,
    /// The demo's guide speaks in the footer.
    pub guided: bool,
}

/// How a console was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// By the person.
    Quit,
    /// By a signal.
    Stopped,
    /// The terminal went away.
    Gone,
}

/// Opens the console on an engine and stays until the person leaves. The engine goes on.
///
/// # Errors
///
/// If there is no terminal, or it cannot be used.
pub async fn run(engine: &Engine, options: Options) -> std::io::Result<Left> {
    let mut terminal = Terminal::take()?;
    let mut app = App::new(engine, options, terminal.size()?);
    app.run(&mut terminal).await
}

/// Something that was asked of the engine, on its way.
type Pending<'a> = FuturesUnordered<BoxFuture<'a, Message>>;

struct App<'a> {
    engine: &'a Engine,
    options: Options,
    view: watch::Receiver<Arc<View>>,
    entries: broadcast::Receiver<Arc<Entry>>,
    picture: Picture,
    ui: Ui,
    pending: Pending<'a>,
    /// What changed since the last frame.
    dirty: Dirty,
    last_frame: Option<Instant>,
    /// What the roster was made for: the filter, and whether the picture is held.
    listed: (Filter, bool),
}

/// Data are drawn at most this often; a key's own frame does not wait.
const FRAME: Duration = Duration::from_millis(33);

/// Events that are taken in before a frame.
const BATCH: usize = 1_024;

/// Whether a frame is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Dirty {
    /// Nothing changed but the time.
    No,
    /// What the engine knows changed: soon.
    Data,
    /// The person did something: now.
    Key,
}

impl<'a> App<'a> {
    fn new(engine: &'a Engine, options: Options, size: (u16, u16)) -> Self {
        let mut view = engine.view();
        let live = view.borrow_and_update().clone();
        let mut ui = Ui::new(size);
        ui.guide = options.guided.then(super::guide::Guide::default);
        let roster = Roster::new(&engine.settings().config, &live, &ui.filter);
        let mut trends = Trends::default();
        trends.take(&live);
        let picture = Picture {
            settings: Arc::clone(engine.settings()),
            config_path: options.config_path.clone(),
            looked_at: Timestamp::now(),
            roster,
            trends,
            timeline: VecDeque::new(),
            me: options.me.clone(),
            now: Timestamp::now(),
            zone: jiff::tz::TimeZone::system(),
            theme: options.theme.clone(),
            glyphs: if options.ascii { Glyphs::ascii() } else { Glyphs::unicode() },
            keymap: options.keymap.clone(),
            themes: super::theme::names(&options.theme_dirs),
            live,
        };
        Self {
            entries: engine.entries(),
            engine,
            options,
            view,
            picture,
            ui,
            pending: Pending::new(),
            dirty: Dirty::Key,
            last_frame: None,
            listed: (Filter::default(), false),
        }
    }

    async fn run(&mut self, terminal: &mut Terminal) -> std::io::Result<Left> {
        let mut signals = Signals::new()?;
        self.pending.push(earlier(self.engine).boxed());
        let mut input = Input::new();
        loop {
            if self.dirty == Dirty::Key || (self.dirty == Dirty::Data && self.next_frame() <= Instant::now())
            {
                self.draw(terminal)?;
            }
            let wake = self.next_frame();
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop => return Ok(Left::Stopped),
                    Signal::Suspend => self.suspend(terminal)?,
                    Signal::Continue => self.repaint(terminal),
                },
                Some(message) = self.pending.next(), if !self.pending.is_empty() => {
                    if let Some(left) = self.take(message, terminal)? {
                        return Ok(left);
                    }
                }
                event = input.next() => {
                    // The terminal is gone: there is nobody left to show anything to.
                    let Ok(Some(event)) = event else { return Ok(Left::Gone) };
                    let mut event = Some(event);
                    // Whatever else is there already is one frame with it; so much at a time that a signal is heard.
                    for _ in 0..BATCH {
                        let Some(heard) = event else { break };
                        if let Some(left) = self.heard(heard, terminal)? {
                            return Ok(left);
                        }
                        event = input.ready();
                    }
                }
                changed = self.view.changed(), if self.dirty == Dirty::No => match changed {
                    Ok(()) => self.dirty = Dirty::Data,
                    Err(_) => self.dirty = Dirty::No,
                },
                () = tokio::time::sleep_until(wake) => self.dirty = self.dirty.max(Dirty::Data),
            }
        }
    }

    /// When the next frame is due if no key comes: soon after the last one if something changed, else when the clock on the
    /// screen moves on.
    fn next_frame(&self) -> Instant {
        let Some(last) = self.last_frame else { return Instant::now() };
        match self.dirty {
            Dirty::Key => Instant::now(),
            Dirty::Data => last + FRAME,
            Dirty::No => {
                let into = u64::try_from(Timestamp::now().as_millisecond().rem_euclid(1_000)).unwrap_or(0);
                Instant::now() + Duration::from_millis(1_000 - into)
            }
        }
    }

    fn draw(&mut self, terminal: &mut Terminal) -> std::io::Result<()> {
        self.refresh();
        let scene = Scene::new(&self.picture, &self.ui);
        terminal.draw(|area, buf| super::screen::draw(&scene, area, buf))?;
        self.ui.overlay.seen();
        self.dirty = Dirty::No;
        self.last_frame = Some(Instant::now());
        Ok(())
    }

    /// Takes the newest view over, before a frame.
    fn refresh(&mut self) {
        self.picture.now = Timestamp::now();
        let newest = self.view.borrow_and_update().clone();
        let is_new = !Arc::ptr_eq(&newest, &self.picture.live);
        if is_new {
            self.picture.live = newest;
            self.picture.trends.take(&self.picture.live);
        }
        let entries: Vec<_> = std::iter::from_fn(|| {
            loop {
                match self.entries.try_recv() {
                    Ok(entry) => return Some(entry),
                    // What was missed is in the journal; the timeline shows a gap only in this console.
                    Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                    Err(_) => return None,
                }
            }
        })
        .collect();
        self.remember(entries);
        if is_new || self.listed != (self.ui.filter.clone(), self.ui.frozen.is_some()) {
            self.listed = (self.ui.filter.clone(), self.ui.frozen.is_some());
            let view = Scene::new(&self.picture, &self.ui).view();
            self.picture.roster = Roster::new(&self.picture.settings.config, view, &self.ui.filter);
        }
        super::update::expire(&mut self.ui, self.picture.now);
        super::update::arrived(&mut self.ui, &self.picture);
    }

    /// Adds to the timeline what it does not have, in the journal's order.
    fn remember(&mut self, entries: impl IntoIterator<Item = Arc<Entry>>) {
        let timeline = &mut self.picture.timeline;
        for entry in entries {
            let place = timeline.partition_point(|known| known.seq < entry.seq);
            if timeline.get(place).is_none_or(|known| known.seq != entry.seq) {
                timeline.insert(place, entry);
            }
        }
        while timeline.len() > TIMELINE_KEPT {
            timeline.pop_front();
        }
    }

    fn heard(&mut self, event: Heard, terminal: &mut Terminal) -> std::io::Result<Option<Left>> {
        let message = match event {
            Heard::Key(key) => Key::of(&key).map(Message::Key),
            Heard::Paste(text) => Some(Message::Paste(text)),
            Heard::Resize(columns, rows) => Some(Message::Resized(columns, rows)),
            Heard::Mouse(mouse) => Some(Message::Mouse(mouse)),
            Heard::FocusGained | Heard::FocusLost => None,
        };
        match message {
            Some(message) => self.take(message, terminal),
            None => Ok(None),
        }
    }

    fn take(&mut self, message: Message, terminal: &mut Terminal) -> std::io::Result<Option<Left>> {
        if let Message::Earlier(entries) = message {
            self.remember(entries.into_iter().map(Arc::new));
            return Ok(None);
        }
        self.dirty = Dirty::Key;
        self.picture.now = Timestamp::now();
        for effect in update(&mut self.ui, &self.picture, message) {
            match effect {
                Effect::Quit => return Ok(Some(Left::Quit)),
                Effect::Propose(command) => self.pending.push(propose(self.engine, command).boxed()),
                Effect::Send(command, asked) => {
                    let me = self.options.me.clone();
                    self.pending.push(send(self.engine, me, *command, asked).boxed());
                }
                Effect::Refresh(service) => self.pending.push(read_platform(self.engine, service).boxed()),
                Effect::Copy(text) => terminal.copy(&text)?,
                Effect::Mouse(on) => terminal.set_mouse(on)?,
                Effect::Repaint => terminal.clear(),
                Effect::Suspend => self.suspend(terminal)?,
                Effect::Theme(name) => match super::theme::find(&name, &self.options.theme_dirs) {
                    Ok(theme) => self.picture.theme = theme,
                    Err(error) => super::update::say(
                        &mut self.ui,
                        self.picture.now,
                        ToastKind::Refused,
                        error.to_string(),
                    ),
                },
                Effect::Glyphs => {
                    let ascii = self.picture.glyphs == Glyphs::ascii();
                    self.picture.glyphs = if ascii { Glyphs::unicode() } else { Glyphs::ascii() };
                }
            }
        }
        Ok(None)
    }

    fn suspend(&mut self, terminal: &mut Terminal) -> std::io::Result<()> {
        terminal.suspend()?;
        self.repaint(terminal);
        Ok(())
    }

    const fn repaint(&mut self, terminal: &mut Terminal) {
        terminal.clear();
        self.dirty = Dirty::Key;
    }
}

async fn propose(engine: &Engine, command: Box<Command>) -> Message {
    let proposal = engine.propose(&command).await;
    Message::Proposed { of: command, proposal: Box::new(proposal) }
}

/// Sends a command and waits for the leader's answer.
async fn send(engine: &Engine, me: Actor, command: Command, asked: String) -> Message {
    let position = engine.view().borrow().position;
    let answer = async {
        let id = engine.send(me, command).await.map_err(|error| error.to_string())?;
        let entry = engine.answer(&id, position, ANSWER).await.map_err(|error| error.to_string())?;
        match entry.event {
            Event::CommandRefused { reason, .. } => Err(reason),
            _ => Ok(()),
        }
    };
    Message::Answered { asked, answer: answer.await }
}

/// Reads a service's platform now, and says what it says.
async fn read_platform(engine: &Engine, service: ServiceName) -> Message {
    match engine.inventory(&service).await {
        Ok(inventory) => {
            let shares: Vec<String> = inventory
                .traffic
                .iter()
                .filter_map(|share| Some((inventory.release(&share.reference)?, share)))
                .map(|(release, share)| format!("{} {} {} %", share.arm, release.version, share.percent))
                .collect();
            Message::Said(ToastKind::Said, format!("{service}: the platform says {}", shares.join(", ")))
        }
        Err(why) => {
            Message::Said(ToastKind::Refused, format!("{service}: the platform cannot be read: {why}"))
        }
    }
}

/// What happened before this console was opened: the journal's last entries.
async fn earlier(engine: &Engine) -> Message {
    let last = engine.view().borrow().position;
    match engine.read(last.saturating_sub(TIMELINE_KEPT as u64), TIMELINE_KEPT).await {
        Ok(entries) => Message::Earlier(entries),
        Err(error) => Message::Said(ToastKind::Refused, format!("the timeline cannot be read: {error}")),
    }
}
