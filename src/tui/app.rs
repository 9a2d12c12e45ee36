//! The console's loop: keys, what the engine publishes and the clock come in; frames and effects go out. The only part of
//! the console that waits for anything.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::Event as Heard;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::{broadcast, watch};

use super::clock::FrameClock;
use super::glyphs::Glyphs;
use super::key::Key;
use super::keymap::Keymap;
use super::past::{self, Past};
use super::roster::{Filter, Roster};
use super::scene::{Picture, Scene, TIMELINE_KEPT};
use super::tail::{self, Tail};
use super::terminal::{self, CopyError, Drawn, Input, Signal, Signals, StopReason, Terminal};
use super::theme::{self, Theme, ThemeError};
use super::trends::Trends;
use super::ui::{Page, ToastKind, Ui};
use super::update::{Effect, Message, update};
use crate::config::runbooks;
use crate::engine::checklist::Run;
use crate::engine::runtime::platforms::Log;
use crate::engine::runtime::{Engine, Entry, View};
use crate::model::ServiceName;
use crate::model::command::{Actor, Command};
use crate::model::event::Event;
use crate::model::platform::{LogLine, LogQuery};
use crate::model::series::SeriesRequest;

/// How long an answer to a command is waited for.
const ANSWER: Duration = Duration::from_secs(15);

/// How long a service is looked at before its past is read: whoever goes through the list wants none of them.
const SETTLED: Duration = Duration::from_millis(150);

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
    /// Symbols.
    pub glyphs: &'static Glyphs,
    /// Something to say first.
    pub notice: Option<String>,
    /// Keys.
    pub keymap: Keymap,
    /// Where the log files are, for the message after a panic; none if there is no log.
    pub log: Option<PathBuf>,
    /// The demo's guide speaks in the footer.
    pub guided: bool,
}

/// How a console was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// By the person.
    Quit,
    /// By a signal.
    Stopped(StopReason),
    /// The terminal went away; there is nobody left to say anything to.
    Gone,
}

/// Opens the console on an engine and stays until the person leaves. The engine goes on.
///
/// # Errors
///
/// If there is no terminal, or it cannot be used.
pub async fn run(engine: &Engine, options: Options) -> io::Result<Left> {
    // First: a signal between the two would end the program with the terminal taken.
    let mut signals = Signals::listen()?;
    let mut terminal = Terminal::take(terminal::Options { mouse: false, log: options.log.clone() })?;
    let size = terminal.size()?;
    let mut app = App::new(engine, options, (size.width, size.height));
    match app.run(&mut terminal, &mut signals).await {
        Err(error) if terminal::is_gone(&error) => Ok(Left::Gone),
        left => left,
    }
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
    clock: FrameClock,
    /// The engine is gone; nothing comes from it any more.
    stopped: bool,
    /// What the roster was made for: the filter, and whether the picture is held.
    listed: (Filter, bool),
    /// Of which service, and how much, the past was asked for last; and whether that is on its way.
    recalled: Option<(ServiceName, Duration)>,
    is_recalling: bool,
    /// The log that is read, while its page is open.
    log: Option<Log>,
    /// When the runbooks were last read from disk, and whether they are being read.
    reread_at: Timestamp,
    is_rereading: bool,
}

/// How often the runbooks are read again while one is worked through.
const REREAD: Duration = Duration::from_secs(10);

/// Events that are taken in before a frame.
const BATCH: usize = 1_024;

/// What takes the loop away from the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leaving {
    /// For good.
    Quit,
    /// Until the shell says go on.
    Suspend,
}

impl<'a> App<'a> {
    fn new(engine: &'a Engine, options: Options, size: (u16, u16)) -> Self {
        let mut view = engine.view();
        let live = view.borrow_and_update().clone();
        let mut ui = Ui::new(size);
        if let Some(notice) = &options.notice {
            super::update::say(&mut ui, Timestamp::now(), ToastKind::Refused, notice.clone());
        }
        ui.guide = options.guided.then(super::guide::Guide::default);
        let roster = Roster::new(&engine.settings().config, &live, &ui.filter);
        let mut trends = Trends::default();
        trends.take(&live);
        let picture = Picture {
            settings: Arc::clone(engine.settings()),
            config_path: options.config_path.clone(),
            looked_at: engine.looked_at(),
            roster,
            trends,
            past: None,
            delivery: None,
            log: None,
            runbooks: engine.settings().runbooks.clone(),
            timeline: VecDeque::new(),
            me: options.me.clone(),
            now: Timestamp::now(),
            zone: jiff::tz::TimeZone::system(),
            theme: options.theme.clone(),
            glyphs: options.glyphs,
            keymap: options.keymap.clone(),
            themes: theme::names(&options.theme_dirs),
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
            clock: FrameClock::new(),
            stopped: false,
            listed: (Filter::default(), false),
            recalled: None,
            is_recalling: false,
            log: None,
            reread_at: Timestamp::now(),
            is_rereading: false,
        }
    }

    async fn run(&mut self, terminal: &mut Terminal, signals: &mut Signals) -> io::Result<Left> {
        let mut input = terminal.input()?;
        self.pending.push(earlier(self.engine).boxed());
        loop {
            let now = Instant::now();
            let mut due = self.clock.next_deadline(now);
            if due.is_some_and(|due| due <= now) {
                self.draw(terminal)?;
                due = self.clock.next_deadline(now);
            }
            let wake = tokio::time::Instant::from_std(due.unwrap_or(now));
            tokio::select! {
                // To end comes first; then what must not be lost, and the person.
                biased;
                signal = signals.next() => match signal {
                    Signal::Stop(reason) => return Ok(Left::Stopped(reason)),
                    Signal::Suspend => self.suspend(terminal, signals, &mut input).await?,
                    Signal::Continue => {
                        terminal.resume()?;
                        self.clock.answer_now();
                    }
                    // The engine's tasks begin anew by themselves, and say so in the journal's place on the screen.
                    Signal::Panicked(message) => {
                        let text = format!("a defect of unship, the log has it: {message}");
                        self.take(Message::Said(ToastKind::Refused, text), terminal)?;
                    }
                },
                Some(message) = self.pending.next(), if !self.pending.is_empty() => {
                    match self.take(message, terminal)? {
                        Some(Leaving::Suspend) => self.suspend(terminal, signals, &mut input).await?,
                        Some(Leaving::Quit) => return Ok(Left::Quit),
                        None => {}
                    }
                }
                event = input.next() => {
                    // Whatever else is there already is one frame with it; so much at a time that a signal is heard.
                    let events = std::iter::once(event?).chain(input.drain(BATCH));
                    let mut left = None;
                    for event in events.collect::<Vec<_>>() {
                        left = self.heard(event, terminal)?;
                        if left.is_some() {
                            break;
                        }
                    }
                    match left {
                        Some(Leaving::Suspend) => self.suspend(terminal, signals, &mut input).await?,
                        Some(Leaving::Quit) => return Ok(Left::Quit),
                        None => {}
                    }
                }
                caught_up = terminal.caught_up() => {
                    caught_up?;
                    self.clock.answer_now();
                }
                changed = self.view.changed(), if !self.clock.is_dirty() && !self.stopped => match changed {
                    Ok(()) if self.is_calm() => self.clock.figures_changed(),
                    Ok(()) => self.clock.data_changed(),
                    Err(_) => self.stopped = true,
                },
                lines = more(&mut self.log), if self.log.is_some() && self.ui.frozen.is_none() => self.logged(lines),
                () = tokio::time::sleep_until(wake), if due.is_some() => {}
            }
        }
    }

    /// Nothing happened but that figures were read of what is well: nobody waits for them.
    fn is_calm(&mut self) -> bool {
        let newest = self.view.borrow_and_update();
        let shown = &self.picture.live;
        let is_as_it_was = Arc::ptr_eq(&newest.state, &shown.state)
            && newest.trouble == shown.trouble
            && newest.leadership.holder() == shown.leadership.holder();
        is_as_it_was && self.ui.frozen.is_none() && Scene::new(&self.picture, &self.ui).is_calm()
    }

    fn draw(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        self.refresh();
        let scene = Scene::new(&self.picture, &self.ui);
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            if let Some(cursor) = super::screen::draw(&scene, area, frame.buffer_mut()) {
                frame.set_cursor_position(cursor);
            }
        })?;
        let into_second = u64::try_from(Timestamp::now().as_millisecond().rem_euclid(1_000)).unwrap_or(0);
        // A frame that the terminal had no room for is wanted still: it is drawn when there is room.
        self.clock.drawn(Instant::now(), Some(Duration::from_millis(into_second)));
        if drawn == Drawn::Frame {
            self.ui.overlay.seen();
        }
        Ok(())
    }

    /// Takes the newest view over, before a frame.
    fn refresh(&mut self) {
        self.picture.now = Timestamp::now();
        self.picture.looked_at = self.engine.looked_at();
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
        self.close_log();
        self.recall();
        self.reread();
    }

    /// Reads the runbooks again now and then while one of them is worked through: somebody may mend one in the incident.
    fn reread(&mut self) {
        let is_due = super::roster::age(self.reread_at, self.picture.now) >= REREAD;
        let settings = &self.picture.settings;
        let is_worked_through =
            |run: &Arc<Run>| !run.closed && settings.config.runbooks.contains_key(&run.runbook);
        if !is_due || self.is_rereading || !self.picture.live.state.runs.values().any(is_worked_through) {
            return;
        }
        self.is_rereading = true;
        self.reread_at = self.picture.now;
        let settings = Arc::clone(settings);
        let folder = self.options.config_path.parent().map(Path::to_path_buf).unwrap_or_default();
        let read = tokio::task::spawn_blocking(move || runbooks::read_again(&settings.config, &folder));
        self.pending.push(read.map(|read| Message::Reread(read.ok())).boxed());
    }

    /// Asks for the past of the service that is looked at, where it is not here and not on its way.
    fn recall(&mut self) {
        let scene = Scene::new(&self.picture, &self.ui);
        let Some(service) = scene.service() else { return };
        let (window, now) = (self.ui.window(), scene.now());
        let is_wanted = match &self.picture.past {
            Some(past) if past.is_of(service, window) => past.is_old(now),
            // One that could not be read is not asked for again and again.
            _ => self.recalled.as_ref() != Some(&(service.clone(), window)),
        };
        if is_wanted && !self.is_recalling {
            self.is_recalling = true;
            self.recalled = Some((service.clone(), window));
            self.pending.push(tokio::time::sleep(SETTLED).map(|()| Message::Settled).boxed());
        }
    }

    /// Reads the past that was asked for, if the person still looks at that; else the next frame asks anew.
    fn settled(&mut self) {
        let scene = Scene::new(&self.picture, &self.ui);
        let looked_at = scene.service().cloned().map(|service| (service, self.ui.window()));
        match looked_at.filter(|now| self.recalled.as_ref() == Some(now)) {
            Some((service, window)) => {
                let request = past::request(service, window, scene.now());
                self.pending.push(recall(self.engine, request, window).boxed());
            }
            None => {
                self.is_recalling = false;
                self.recalled = None;
                self.clock.data_changed();
            }
        }
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

    fn heard(&mut self, event: Heard, terminal: &mut Terminal) -> io::Result<Option<Leaving>> {
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

    fn take(&mut self, message: Message, terminal: &mut Terminal) -> io::Result<Option<Leaving>> {
        if let Message::Earlier(entries) = message {
            self.remember(entries.into_iter().map(Arc::new));
            return Ok(None);
        }
        let message = match message {
            Message::Settled => {
                self.settled();
                return Ok(None);
            }
            Message::Recalled(Ok(past)) => {
                self.is_recalling = false;
                self.picture.past = Some(*past);
                self.clock.data_changed();
                return Ok(None);
            }
            Message::Recalled(Err(why)) => {
                self.is_recalling = false;
                Message::Said(ToastKind::Refused, format!("the past of the charts cannot be read: {why}"))
            }
            Message::Measured(measured) => {
                self.picture.delivery = Some(measured);
                self.clock.answer_now();
                return Ok(None);
            }
            Message::Reread(read) => {
                self.is_rereading = false;
                if let Some(read) = read.filter(|read| *read != self.picture.runbooks) {
                    self.picture.runbooks = read;
                    self.clock.data_changed();
                }
                return Ok(None);
            }
            message => message,
        };
        self.clock.answer_now();
        self.picture.now = Timestamp::now();
        for effect in update(&mut self.ui, &self.picture, message) {
            match effect {
                Effect::Quit => return Ok(Some(Leaving::Quit)),
                Effect::Propose(command) => self.pending.push(propose(self.engine, command).boxed()),
                Effect::Send(command, asked) => {
                    let me = self.options.me.clone();
                    self.pending.push(send(self.engine, me, *command, asked).boxed());
                }
                Effect::Follow(service) => self.follow(service),
                Effect::Measure => {
                    self.pending.push(super::measured::measure(self.engine).map(Message::Measured).boxed());
                }
                Effect::Refresh(service) => self.pending.push(read_platform(self.engine, service).boxed()),
                Effect::Copy(text) => match terminal.copy(&text) {
                    Ok(()) => {}
                    Err(CopyError::Write(error)) => return Err(error),
                    Err(error) => super::update::say(
                        &mut self.ui,
                        self.picture.now,
                        ToastKind::Refused,
                        error.to_string(),
                    ),
                },
                Effect::Mouse(on) => terminal.set_mouse(on)?,
                Effect::Repaint => terminal.repaint()?,
                Effect::Suspend => return Ok(Some(Leaving::Suspend)),
                Effect::Theme(name) => match self.theme(&name) {
                    Ok(theme) => self.picture.theme = theme,
                    Err(error) => super::update::say(
                        &mut self.ui,
                        self.picture.now,
                        ToastKind::Refused,
                        error.to_string(),
                    ),
                },
                Effect::Glyphs => {
                    let (chosen, ascii) = (self.options.glyphs, Glyphs::ascii());
                    self.picture.glyphs = match self.picture.glyphs == ascii {
                        false => ascii,
                        // Back to what the config asks for, unless that is ASCII too.
                        true if chosen == ascii => Glyphs::unicode(),
                        true => chosen,
                    };
                }
            }
        }
        Ok(None)
    }

    /// Begins to read a log.
    fn follow(&mut self, service: ServiceName) {
        let query = LogQuery { tail: tail::BEGIN, since: None, follow: true, release: None };
        let mut shown = Tail::new(service);
        match self.engine.log(&shown.service, query) {
            Ok(log) => self.log = Some(log),
            Err(why) => shown.ended = Some(Err(why)),
        }
        self.picture.log = Some(shown);
    }

    /// Takes lines of the log in, or its end.
    fn logged(&mut self, lines: Result<Vec<LogLine>, String>) {
        let Some(tail) = &mut self.picture.log else { return };
        match lines {
            Ok(lines) if !lines.is_empty() => {
                let scroll = self.ui.pages.iter().find(|(page, _)| matches!(page, Page::Log(_)));
                tail.take(lines, scroll.is_none_or(|(_, scroll)| scroll.follows));
            }
            ended => {
                tail.ended = Some(ended.map(drop));
                self.log = None;
            }
        }
        self.clock.data_changed();
    }

    /// Nobody reads a log whose page was closed.
    fn close_log(&mut self) {
        let is_open = |tail: &Tail| {
            self.ui.pages.iter().any(|(page, _)| matches!(page, Page::Log(of) if *of == tail.service))
        };
        if self.picture.log.as_ref().is_some_and(|tail| !is_open(tail)) {
            (self.picture.log, self.log) = (None, None);
        }
    }

    /// A theme by name, as this terminal can show it.
    fn theme(&self, name: &str) -> Result<Theme, ThemeError> {
        theme::for_terminal(name, &self.options.theme_dirs, &|name| std::env::var_os(name))
    }

    async fn suspend(
        &mut self,
        terminal: &mut Terminal,
        signals: &mut Signals,
        input: &mut Input,
    ) -> io::Result<()> {
        if !terminal.suspend(signals, input).await? {
            let text = "suspend: there is no shell here that could continue the console";
            super::update::say(&mut self.ui, Timestamp::now(), ToastKind::Refused, text);
        }
        self.clock.answer_now();
        Ok(())
    }
}

/// More of the log; for ever nothing without one.
async fn more(log: &mut Option<Log>) -> Result<Vec<LogLine>, String> {
    match log {
        Some(log) => log.next().await,
        None => std::future::pending().await,
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

/// What the indicators of a service were, from the journal.
async fn recall(engine: &Engine, of: SeriesRequest, window: Duration) -> Message {
    match engine.series(&of).await {
        Ok(series) => Message::Recalled(Ok(Box::new(Past { window, of, series }))),
        Err(error) => Message::Recalled(Err(error.to_string())),
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
