//! Commands by name, with what they take. What is typed is completed; what is selected is explained; a theme is shown as it is
//! selected.

mod options;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::filter::{edit, insert};
use super::search::marked;
use super::{Reaction, frame};
use crate::tui::commands::{self, Arg, Command};
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::update::Effect;
use crate::tui::widgets::panel::Frame;
use crate::tui::widgets::text::{clean, put_line, width, wrap};
use options::{Choice, options};

/// The palette.
#[derive(Debug)]
pub struct Palette {
    input: Input,
    /// Which of the options.
    selected: usize,
    /// The person moved the selection.
    moved: bool,
    /// Which of the earlier lines is shown, counted from the newest.
    recalled: Option<usize>,
    /// The theme before, and the one that is shown.
    before: String,
    shown: String,
}

/// Columns inside, at most, and options that are shown.
const COLUMNS: u16 = 84;
const ROWS: u16 = 12;

impl Palette {
    /// With this typed already.
    pub fn new(scene: &Scene<'_>, typed: &str) -> Self {
        let theme = scene.picture.theme.name().to_owned();
        Self {
            input: Input::new(typed.to_owned()),
            selected: 0,
            moved: false,
            recalled: None,
            shown: theme.clone(),
            before: theme,
        }
    }

    /// Esc closes and takes the theme back that was only looked at.
    pub fn key(&mut self, scene: &Scene<'_>, key: Key) -> Reaction {
        match (key.code, key.control) {
            (Code::Esc, _) if self.shown == self.before => return Reaction::Close,
            (Code::Esc, _) => return Reaction::CloseAnd(vec![Effect::Theme(self.before.clone())]),
            (Code::Enter, _) => return self.run(scene),
            (Code::Tab, _) => self.complete(scene),
            (Code::Char('p'), true) => self.recall(scene, true),
            (Code::Char('n'), true) => self.recall(scene, false),
            (Code::Up, _) if self.input.value().is_empty() || self.recalled.is_some() => {
                self.recall(scene, true);
            }
            (Code::Down, _) if self.recalled.is_some() => self.recall(scene, false),
            (Code::Up, _) => self.step(scene, false),
            (Code::Down, _) => self.step(scene, true),
            _ => {
                edit(&mut self.input, key);
                self.typed();
            }
        }
        self.preview(scene)
    }

    /// Into the line.
    pub fn paste(&mut self, scene: &Scene<'_>, text: &str) -> Reaction {
        insert(&mut self.input, text);
        self.typed();
        self.preview(scene)
    }

    const fn typed(&mut self) {
        self.selected = 0;
        self.moved = false;
        self.recalled = None;
    }

    fn step(&mut self, scene: &Scene<'_>, down: bool) {
        let total = options(scene, self.input.value()).len();
        self.moved = true;
        self.selected = match (down, self.selected) {
            (true, at) => (at + 1).min(total.saturating_sub(1)),
            (false, at) => at.saturating_sub(1),
        };
    }

    /// Goes through the lines that were run before.
    fn recall(&mut self, scene: &Scene<'_>, back: bool) {
        let history = &scene.ui.palette_history;
        let to = match (self.recalled, back) {
            (None, true) => Some(0),
            (Some(at), true) => Some((at + 1).min(history.len().saturating_sub(1))),
            (Some(at), false) => at.checked_sub(1),
            (None, false) => None,
        };
        let line = to.and_then(|at| history.len().checked_sub(at + 1)).and_then(|at| history.get(at));
        self.input = Input::new(line.cloned().unwrap_or_default());
        self.selected = 0;
        self.moved = false;
        self.recalled = to.filter(|_| line.is_some());
    }

    /// Puts the selected option in the place of the word that is typed.
    fn complete(&mut self, scene: &Scene<'_>) {
        let found = options(scene, self.input.value());
        if let Some(choice) = found.get(self.selected) {
            let line = with_word(self.input.value(), &choice.word);
            let takes_more = choice.takes_more;
            self.input = Input::new(if takes_more { format!("{line} ") } else { line });
            self.typed();
        }
    }

    /// The line as it would be run: an unfinished word stands for what is selected.
    fn line(&self, scene: &Scene<'_>) -> String {
        let typed = self.input.value();
        let found = options(scene, typed);
        let word = last_word(typed);
        let is_known = found.iter().any(|choice| choice.word == word);
        match found.get(self.selected) {
            Some(choice) if self.moved || (!word.is_empty() && !is_known) => with_word(typed, &choice.word),
            _ => typed.trim().to_owned(),
        }
    }

    /// What cannot be run stays, and says why.
    fn run(&self, scene: &Scene<'_>) -> Reaction {
        let line = self.line(scene);
        let Some((command, args)) = parsed(&line) else { return Reaction::Stay };
        if (command.available)(&options::with_service(scene, command, &args).scene(scene)).is_err() {
            return Reaction::Stay;
        }
        Reaction::Run { command, args, line: Some(line) }
    }

    /// Shows the theme that is selected.
    fn preview(&mut self, scene: &Scene<'_>) -> Reaction {
        let wanted = match parsed(&self.line(scene)) {
            Some((command, args)) if command.args.first() == Some(&Arg::Theme) => {
                args.first().filter(|name| scene.picture.themes.contains(name)).cloned()
            }
            _ => None,
        };
        let wanted = wanted.unwrap_or_else(|| self.before.clone());
        if wanted == self.shown {
            return Reaction::Stay;
        }
        self.shown.clone_from(&wanted);
        Reaction::StayAnd(vec![Effect::Theme(wanted)])
    }

    /// Over the board.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        if area.is_empty() {
            return None;
        }
        let look = scene.look();
        let found = options(scene, self.input.value());
        let (outer, inner) = frame::place(area, COLUMNS, ROWS + 4);
        frame::open(scene, (outer, inner), buf, "Command", Frame::Focused);
        let cursor = frame::field(look, Rect { height: 1, ..inner }, buf, ":", &self.input, true);
        let details = if inner.height >= 8 { 3 } else { u16::from(inner.height >= 3) };
        let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + details), ..inner };
        let height = usize::from(list.height);
        let selected = self.selected.min(found.len().saturating_sub(1));
        let top = (selected + 1).saturating_sub(height);
        for (row, choice) in found.iter().enumerate().skip(top).take(height) {
            let y = list.y + u16::try_from(row - top).unwrap_or(0);
            let area = Rect { y, height: 1, ..list };
            let line = option_line(scene, choice, row == selected, usize::from(list.width));
            put_line(buf, area, (0, 0), &line, area.width, look.glyphs.ellipsis);
        }
        if found.is_empty() && list.height > 0 {
            let line = Line::from(Span::styled(self.nothing(), look.style(Tone::Dim)));
            put_line(buf, list, (0, 0), &line, list.width, look.glyphs.ellipsis);
        }
        let detail = Rect { y: list.bottom(), height: details, ..inner };
        let (text, tone) = self.explained(scene, found.get(selected));
        for (row, line) in
            wrap(&text, usize::from(inner.width)).into_iter().take(usize::from(details)).enumerate()
        {
            let line = Line::from(Span::styled(line, look.style(tone)));
            let y = u16::try_from(row).unwrap_or(0);
            put_line(buf, detail, (0, y), &line, detail.width, look.glyphs.ellipsis);
        }
        cursor
    }

    fn nothing(&self) -> &'static str {
        match parsed(self.input.value()) {
            Some(_) => "Enter runs it",
            None => "no command is called that",
        }
    }

    /// What the line would do, or why it cannot be done.
    fn explained(&self, scene: &Scene<'_>, choice: Option<&Choice>) -> (String, Tone) {
        let line = self.line(scene);
        let command = parsed(&line);
        let (command, args) = match (command, choice.and_then(|choice| choice.command)) {
            (Some(parsed), _) => parsed,
            (None, Some(command)) => (command, Vec::new()),
            (None, None) => return (String::new(), Tone::Dim),
        };
        match (command.available)(&options::with_service(scene, command, &args).scene(scene)) {
            Err(reason) => (format!("not now: {reason}"), Tone::Warn),
            Ok(()) => {
                let takes: Vec<&str> = command.args.iter().map(|arg| arg.word()).collect();
                let takes =
                    if takes.is_empty() { String::new() } else { format!(" [{}]", takes.join("] [")) };
                (format!("{}{takes}: {}", command.id, command.doc), Tone::Dim)
            }
        }
    }
}

fn option_line(scene: &Scene<'_>, choice: &Choice, is_selected: bool, columns: usize) -> Line<'static> {
    let look = scene.look();
    let tone = match (&choice.disabled, is_selected) {
        (true, _) => Tone::Disabled,
        (false, true) => Tone::Focus,
        (false, false) => Tone::Text,
    };
    let mark = if is_selected { look.glyphs.selected } else { " " };
    let mut spans = vec![Span::styled(format!("{mark} "), look.style(Tone::Focus))];
    let word = clean(&choice.word);
    spans.extend(marked(look, &word, &choice.in_word.places, look.style(tone)));
    let mut used = 2 + width(&word);
    let gap = 22_usize.saturating_sub(used).max(2);
    let beside = clean(&choice.beside).into_owned();
    // The key at the right has its place before the words in the middle.
    let right = width(&choice.right);
    if used + gap + width(&beside) + right < columns {
        spans.push(Span::raw(" ".repeat(gap)));
        used += gap + width(&beside);
        spans.extend(marked(look, &beside, &choice.in_beside.places, look.style(Tone::Dim)));
    }
    if used + right < columns {
        spans.push(Span::raw(" ".repeat(columns - used - right)));
        spans.push(Span::styled(choice.right.clone(), look.style(Tone::Key)));
    }
    Line::from(spans)
}

/// A line's command and what it is given, if it begins with one. The last argument of some takes the rest of the line.
fn parsed(line: &str) -> Option<(&'static Command, Vec<String>)> {
    let (id, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let command = commands::find(id)?;
    let rest = rest.trim();
    if command.args == [Arg::Text] && !rest.is_empty() {
        return Some((command, vec![rest.to_owned()]));
    }
    Some((command, rest.split_whitespace().map(str::to_owned).collect()))
}

fn last_word(line: &str) -> &str {
    line.rsplit(char::is_whitespace).next().unwrap_or("")
}

fn with_word(line: &str, word: &str) -> String {
    format!("{}{word}", &line[..line.len() - last_word(line).len()])
}
