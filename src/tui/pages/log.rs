//! What a service writes, as it comes, the newest last.
//!
//! A line that is too long for the page goes on below itself; it is written when it is drawn.

use ratatui::text::{Line, Span};

use super::sheet::Sheet;
use crate::model::ServiceName;
use crate::model::platform::LogLine;
use crate::tui::scene::Scene;
use crate::tui::tail::Tail;
use crate::tui::theme::Tone;
use crate::tui::widgets::text;

/// Writes it.
pub(super) fn write<'a>(of: &ServiceName, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let title = scene.titled("Log", of.as_str());
    let look = scene.look();
    let Some(tail) = scene.picture.log.as_ref().filter(|tail| tail.service == *of) else {
        return Sheet::new(title, vec![Line::styled("  The log is not read.", look.style(Tone::Dim))]);
    };
    let room = room(tail, columns);
    // The rows of each line, added up: where a row is, is found without writing those before it.
    let mut ends = Vec::with_capacity(tail.lines.len());
    let mut rows = 0;
    for line in &tail.lines {
        rows += height(&line.text, room.text);
        ends.push(rows);
    }
    let end = ending(tail, scene, columns);
    let total = rows + end.len();
    let scene = *scene;
    let line = move |row: usize| {
        if row >= rows {
            return end.get(row - rows).cloned().unwrap_or_default();
        }
        let index = ends.partition_point(|end| *end <= row);
        let Some(line) = tail.lines.get(index) else { return Line::default() };
        let begin = index.checked_sub(1).map_or(0, |before| ends[before]);
        shown(&scene, line, row - begin, room)
    };
    Sheet { title, stale: None, total, line: Box::new(line) }
}

/// The columns of a line's parts.
#[derive(Clone, Copy)]
struct Room {
    time: bool,
    instance: usize,
    text: usize,
}

/// Columns of a time and what separates it.
const TIME: usize = 14;

fn room(tail: &Tail, columns: usize) -> Room {
    let time = columns >= 50 && tail.lines.iter().any(|line| line.at.is_some());
    let longest = tail.lines.iter().map(|line| text::width(&line.instance)).max().unwrap_or(0);
    let instance = if columns < 70 { 0 } else { longest.min(columns / 5) };
    let taken = usize::from(time) * TIME + if instance > 0 { instance + 2 } else { 0 };
    Room { time, instance, text: columns.saturating_sub(taken + 2).max(1) }
}

/// The rows of a text.
fn height(line: &str, room: usize) -> usize {
    // Most lines are short: no more bytes than columns.
    if line.len() <= room { 1 } else { pieces(line, room).len() }
}

/// A text in pieces that fit: what a program writes has columns of its own, so it is not broken at words.
fn pieces(line: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (first, _) = text::head(rest, room);
        // A sign wider than the page is shown alone; the page's edge cuts it.
        let end = if first.is_empty() { rest.chars().next().map_or(1, char::len_utf8) } else { first.len() };
        pieces.push(&rest[..end]);
        rest = &rest[end..];
    }
    if pieces.is_empty() {
        pieces.push("");
    }
    pieces
}

/// One row of a line.
fn shown(scene: &Scene<'_>, line: &LogLine, row: usize, room: Room) -> Line<'static> {
    let look = scene.look();
    let dim = look.style(Tone::Dim);
    let mut spans = vec![Span::raw("  ")];
    let is_first = row == 0;
    if room.time {
        let at = line.at.filter(|_| is_first).map(|at| {
            let at = at.to_zoned(scene.picture.zone.clone());
            at.strftime("%H:%M:%S%.3f").to_string()
        });
        spans.push(Span::styled(format!("{:TIME$}", at.unwrap_or_default()), dim));
    }
    if room.instance > 0 {
        let name = if is_first { line.instance.as_str() } else { "" };
        let name = text::pad(name, room.instance, look.glyphs.ellipsis);
        spans.push(Span::styled(format!("{name}  "), look.style(Tone::Accent)));
    }
    let piece = if line.text.len() <= room.text {
        line.text.as_str()
    } else {
        pieces(&line.text, room.text).get(row).copied().unwrap_or_default()
    };
    spans.push(Span::raw(piece.to_owned()));
    Line::from(spans)
}

/// What is said after the last line.
fn ending(tail: &Tail, scene: &Scene<'_>, columns: usize) -> Vec<Line<'static>> {
    let key = scene.picture.keymap.key_of("refresh").unwrap_or_else(|| ":refresh".to_owned());
    let (tone, words) = match &tail.ended {
        None if tail.lines.is_empty() => (Tone::Dim, "Nothing has come yet.".to_owned()),
        None => return Vec::new(),
        Some(Ok(())) => (Tone::Dim, format!("The log ended; {key} reads it anew.")),
        Some(Err(why)) => {
            (Tone::Fail, format!("The log cannot be read: {}; {key} tries again.", text::plain(why)))
        }
    };
    let style = scene.look().style(tone);
    let lines = text::wrap(&words, columns.saturating_sub(2));
    lines.into_iter().map(|line| Line::styled(format!("  {line}"), style)).collect()
}
