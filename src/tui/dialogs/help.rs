//! Every command with its keys, searchable; Enter runs the selected one. At its end: what asks before it acts, and the symbols.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tui_input::Input;

use super::filter::{edit, insert};
use super::search::{Found, Search, marked};
use super::{Reaction, frame};
use crate::tui::commands::{COMMANDS, Command, Danger, Group};
use crate::tui::key::{Code, Key};
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::Look;
use crate::tui::widgets::panel::Frame;
use crate::tui::widgets::text::{clauses, pad, put_line, width, wrap};

/// The help.
#[derive(Debug)]
pub struct Help {
    input: Input,
    /// By its id: searching moves it only when it is not found any more.
    selected: Option<&'static str>,
    /// Lines below the last command that were gone down to.
    below: usize,
}

/// A line of the list.
enum Row {
    Heading(&'static str),
    Entry(Box<Hit>),
    Said(String, Tone),
}

/// A command that was found, with the letters that were.
#[derive(Clone)]
struct Hit {
    command: &'static Command,
    keys: String,
    in_keys: Found,
    in_title: Found,
    in_doc: Found,
}

/// Columns inside, at most.
const COLUMNS: u16 = 100;

impl Help {
    /// From its beginning.
    pub fn new(scene: &Scene<'_>) -> Self {
        let mut help = Self { input: Input::default(), selected: None, below: 0 };
        help.select(scene);
        help
    }

    /// Esc closes, Enter runs.
    pub fn key(&mut self, scene: &Scene<'_>, key: Key) -> Reaction {
        let page = usize::from(scene.ui.size.1 / 2).max(1);
        match key.code {
            Code::Esc if self.input.value().is_empty() => return Reaction::Close,
            Code::Esc => {
                self.input = Input::default();
                self.below = 0;
                self.select(scene);
            }
            Code::Up => self.step(scene, -1),
            Code::Down => self.step(scene, 1),
            Code::PageUp => (0..page).for_each(|_| self.step(scene, -1)),
            Code::PageDown => (0..page).for_each(|_| self.step(scene, 1)),
            Code::Enter => return self.run(scene),
            _ => {
                edit(&mut self.input, key);
                self.below = 0;
                self.select(scene);
            }
        }
        Reaction::Stay
    }

    /// Into the search.
    pub fn paste(&mut self, scene: &Scene<'_>, text: &str) -> Reaction {
        insert(&mut self.input, text);
        self.select(scene);
        Reaction::Stay
    }

    /// What cannot be done now stays, and says why.
    fn run(&self, scene: &Scene<'_>) -> Reaction {
        let found = self.found(scene);
        let hit = found.iter().find(|hit| Some(hit.command.id) == self.selected);
        match hit {
            Some(hit) if (hit.command.available)(scene).is_ok() => {
                Reaction::Run { command: hit.command, args: Vec::new(), line: None }
            }
            _ => Reaction::Stay,
        }
    }

    fn step(&mut self, scene: &Scene<'_>, by: isize) {
        let found = self.found(scene);
        let Some(last) = found.len().checked_sub(1) else { return };
        let at = found.iter().position(|hit| Some(hit.command.id) == self.selected).unwrap_or(0);
        if by < 0 && self.below > 0 {
            self.below -= 1;
        } else if by > 0 && at == last {
            self.below = (self.below + 1).min(said(scene).len());
        } else {
            let to = at.saturating_add_signed(by).min(last);
            self.selected = Some(found[to].command.id);
        }
    }

    fn select(&mut self, scene: &Scene<'_>) {
        let found = self.found(scene);
        let is_searched = !self.input.value().is_empty();
        let is_there = found.iter().any(|hit| Some(hit.command.id) == self.selected);
        // The best is first, and what is typed asks for the best.
        if is_searched || !is_there {
            self.selected = found.first().map(|hit| hit.command.id);
        }
    }

    /// What is found, the best first; without a search everything in the order of the groups.
    fn found(&self, scene: &Scene<'_>) -> Vec<Hit> {
        let text = self.input.value().trim();
        let mut search = Search::new(text);
        let mut hits: Vec<(u32, Hit)> = Vec::new();
        for group in Group::ALL {
            for command in COMMANDS.iter().filter(|command| command.group == group) {
                let keys = scene.picture.keymap.keys_of(command.id);
                let keys = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                let in_title = search.find(command.title);
                let in_keys = search.find(&keys);
                let in_doc = search.find(command.doc);
                let in_id = search.find(command.id);
                // A title says more than a sentence.
                let score = [
                    in_title.as_ref().map(|found| found.score * 4),
                    in_id.as_ref().map(|found| found.score * 3),
                    in_keys.as_ref().filter(|_| keys == text).map(|found| found.score * 8),
                    in_doc.as_ref().map(|found| found.score),
                ];
                if let Some(score) = score.into_iter().flatten().max() {
                    let shown = |found: Option<Found>| found.unwrap_or_default();
                    hits.push((
                        score,
                        Hit {
                            command,
                            in_keys: if keys == text { shown(in_keys) } else { Found::default() },
                            in_title: shown(in_title),
                            in_doc: shown(in_doc),
                            keys,
                        },
                    ));
                }
            }
        }
        if !text.is_empty() {
            hits.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        }
        hits.into_iter().map(|(_, hit)| hit).collect()
    }

    fn rows(&self, scene: &Scene<'_>) -> Vec<Row> {
        let hits = self.found(scene);
        let is_searched = !self.input.value().trim().is_empty();
        let mut rows = Vec::new();
        let mut group = None;
        for hit in hits {
            if !is_searched && group != Some(hit.command.group) {
                group = Some(hit.command.group);
                rows.push(Row::Heading(hit.command.group.title()));
            }
            rows.push(Row::Entry(Box::new(hit)));
        }
        if rows.is_empty() {
            rows.push(Row::Said("nothing is called that; Esc clears the search".to_owned(), Tone::Dim));
        }
        if !is_searched {
            rows.extend(said(scene).into_iter().map(|(text, tone)| Row::Said(text, tone)));
        }
        rows
    }

    /// Over the board.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        if area.is_empty() {
            return None;
        }
        let look = scene.look();
        let rows = self.rows(scene);
        // As high as it can be, so that it does not jump while a search is typed.
        let (outer, inner) = frame::place(area, COLUMNS, u16::MAX);
        frame::open(scene, (outer, inner), buf, "Help", Frame::Focused);
        let line = |y: u16| Rect { y, height: 1, ..inner };
        let cursor = frame::field(look, line(inner.y), buf, "search", &self.input, true);
        let detail_rows = if inner.height >= 12 { 3 } else { u16::from(inner.height >= 4) };
        let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1 + detail_rows), ..inner };
        let height = usize::from(list.height);
        let selected = rows.iter().position(|row| self.is_selected(row)).unwrap_or(0);
        // A heading is seen with its first command.
        let seen = if self.below > 0 { rows.len().min(selected + 1 + self.below) } else { selected + 1 };
        let top = if self.below == 0 && selected <= 1 { 0 } else { seen.saturating_sub(height) };
        for (row, shown) in rows.iter().skip(top).take(height).enumerate() {
            let y = list.y + u16::try_from(row).unwrap_or(0);
            let shown = self.line(scene, look, shown, inner.width);
            put_line(buf, line(y), (0, 0), &shown, inner.width, look.glyphs.ellipsis);
        }
        self.detail(scene, look, Rect { y: list.bottom(), height: detail_rows, ..inner }, buf);
        cursor
    }

    fn is_selected(&self, row: &Row) -> bool {
        matches!(row, Row::Entry(hit) if Some(hit.command.id) == self.selected)
    }

    fn line(&self, scene: &Scene<'_>, look: Look<'_>, row: &Row, columns: u16) -> Line<'static> {
        let hit = match row {
            Row::Heading(title) => return Line::from(Span::styled(*title, look.style(Tone::Title))),
            Row::Said(text, tone) => return Line::from(Span::styled(text.clone(), look.style(*tone))),
            Row::Entry(hit) => hit,
        };
        let command = hit.command;
        let reason = (command.available)(scene).err();
        let is_selected = self.is_selected(row);
        let (title, rest) = match (&reason, is_selected) {
            (Some(_), _) => (Tone::Disabled, Tone::Disabled),
            (None, true) => (Tone::Focus, Tone::Text),
            (None, false) => (Tone::Text, Tone::Dim),
        };
        let mark = if is_selected { look.glyphs.selected } else { " " };
        let mut spans = vec![Span::styled(format!("{mark} "), look.style(Tone::Focus))];
        let keys = if reason.is_some() { Tone::Disabled } else { Tone::Key };
        spans.extend(marked(look, &hit.keys, &hit.in_keys.places, look.style(keys)));
        spans.push(Span::raw(" ".repeat(12_usize.saturating_sub(width(&hit.keys)).max(1))));
        spans.extend(marked(look, command.title, &hit.in_title.places, look.style(title)));
        // Where there is no room for a sentence the lower lines have it.
        if columns >= 60 {
            spans.push(Span::raw(" ".repeat(22_usize.saturating_sub(width(command.title)).max(1))));
            let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
            let room = usize::from(columns).saturating_sub(taken);
            let shortened = |text: &str| clauses(text, room, look.glyphs.ellipsis).into_owned();
            match &reason {
                Some(reason) => {
                    let whole = format!("not now: {reason}");
                    let reason = if width(&whole) <= room { whole } else { shortened(reason) };
                    spans.push(Span::styled(reason, look.style(rest)));
                }
                // The lower lines have the whole of the selected one.
                None if hit.in_doc.places.is_empty() => {
                    spans.push(Span::styled(shortened(command.doc), look.style(rest)));
                }
                None => spans.extend(marked(look, command.doc, &hit.in_doc.places, look.style(rest))),
            }
        }
        Line::from(spans)
    }

    /// The selected command in full.
    fn detail(&self, scene: &Scene<'_>, look: Look<'_>, area: Rect, buf: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let found = self.found(scene);
        let Some(hit) = found.into_iter().find(|hit| Some(hit.command.id) == self.selected) else { return };
        let reason = (hit.command.available)(scene).err();
        let (text, tone) = match reason {
            Some(reason) => (format!("not now: {reason}"), Tone::Warn),
            None => (hit.command.doc.to_owned(), Tone::Text),
        };
        let first = Line::from(vec![
            Span::styled(format!(": {}", hit.command.id), look.style(Tone::Key)),
            Span::styled(format!("  {}", asks(hit.command.danger)), look.style(Tone::Dim)),
        ]);
        let lines = wrap(&text, usize::from(area.width));
        let text = lines.into_iter().map(|line| Line::from(Span::styled(line, look.style(tone))));
        let all = std::iter::once(first).filter(|_| area.height > 1).chain(text);
        for (row, shown) in all.take(usize::from(area.height)).enumerate() {
            let y = area.y + u16::try_from(row).unwrap_or(0);
            put_line(buf, Rect { y, height: 1, ..area }, (0, 0), &shown, area.width, look.glyphs.ellipsis);
        }
    }
}

/// What a tier asks for.
const fn asks(danger: Danger) -> &'static str {
    match danger {
        Danger::None => "asks nothing",
        Danger::Service => "asks for y",
        Danger::Production => "asks for the service's name, then y",
    }
}

/// What is explained at the end.
fn said(scene: &Scene<'_>) -> Vec<(String, Tone)> {
    let glyphs = scene.picture.glyphs;
    let mut lines = vec![(String::new(), Tone::Text), ("Before it acts".to_owned(), Tone::Title)];
    for text in [
        "what can be undone or changes nothing   asks nothing",
        "what changes what happens to a service  asks for y",
        "what changes what users get             asks for the service's name, then y",
        "Enter never confirms, nor does the key that asked. Esc always leaves.",
    ] {
        lines.push((format!("  {text}"), Tone::Text));
    }
    lines.push((String::new(), Tone::Text));
    lines.push(("Symbols".to_owned(), Tone::Title));
    for (glyph, meaning, tone) in [
        (glyphs.ok, "healthy, passes", Tone::Ok),
        (glyphs.warn, "something to look at", Tone::Warn),
        (glyphs.fail, "failing, blocks", Tone::Fail),
        (glyphs.unknown, "nobody knows: no data, or data that are too old", Tone::Unknown),
        (glyphs.running, "work under way", Tone::Accent),
        (glyphs.ticked, "done", Tone::Ok),
        (glyphs.open, "open", Tone::Text),
        (glyphs.skipped, "left out", Tone::Dim),
        (glyphs.regressed, "was done and no longer holds", Tone::Warn),
        (glyphs.target, "the release that a rollback would return to", Tone::Good),
        (glyphs.gap, "a missing sample", Tone::Dim),
    ] {
        lines.push((format!("  {} {meaning}", pad(glyph, 1, "")), tone));
    }
    lines
}
