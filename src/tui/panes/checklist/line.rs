//! One item in one row: its mark, what is to be done, where it stands in a word, and at the right what the engine sees or what
//! does it, with its age.
//!
//! ```text
//! ▸ ○ The rollback is started (checkout to 2.8.0)   R runs it  no rollback yet
//!   ✓ The severity is assessed                      SEV1
//!     ○ Yes: roll back (recommended)                ● canary.errors 7.1 % > 5 %         1 s
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{mark, space};
use crate::engine::checklist::{Checklist, Deed, Fact, Item, ItemKind, ItemState};
use crate::engine::incidents::IncidentStatus;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::bar::{self, Bar};
use crate::tui::widgets::text;

/// Below this a line is its title; what is seen stands there where it fits beside it.
const NARROW: u16 = 56;
/// Columns of the bar of a wait.
const BAR: u16 = 8;

/// Columns in front of the mark of an item.
pub(super) fn indent(item: &Item, width: u16) -> u16 {
    let step = if width < 50 { 1 } else { 2 };
    2 + u16::from(item.depth.min(6)) * step
}

/// Columns up to the end of its title, if that is whole.
pub(super) fn wanted(item: &Item, width: u16) -> usize {
    usize::from(indent(item, width)) + 2 + text::width(&item.title)
}

/// The tone of its title.
pub(super) fn tone(item: &Item) -> Tone {
    match item.state {
        ItemState::Open if item.gate.is_some() => Tone::Dim,
        ItemState::Open => Tone::Text,
        ItemState::Current | ItemState::Satisfied | ItemState::Waiting { .. } | ItemState::Running { .. } => {
            Tone::Accent
        }
        ItemState::Done { .. } | ItemState::NotApplicable { .. } | ItemState::Deferred { .. } => Tone::Dim,
        ItemState::Regressed { .. } | ItemState::Overridden { .. } => Tone::Warn,
        ItemState::Failed { .. } => Tone::Fail,
        ItemState::Unknown { .. } => Tone::Unknown,
    }
}

/// What stands behind the title: where it stands, whether it is recommended, who has taken it.
fn tags(scene: &Scene<'_>, checklist: &Checklist, item: &Item) -> Vec<Span<'static>> {
    let look = scene.look();
    let sign = mark(&item.state, scene);
    let mut tags = Vec::new();
    match item.state {
        ItemState::Open | ItemState::Current => match space::recommended(checklist, item) {
            Some(true) => tags.push(Span::styled(" (recommended)", look.style(Tone::Ok))),
            Some(false) => tags.push(Span::styled(" (not advised)", look.style(Tone::Dim))),
            None => {}
        },
        ItemState::Done { .. } if item.unsensed => {
            tags.push(Span::styled(" (not seen)", look.style(Tone::Unknown)));
        }
        ItemState::Done { .. } => {}
        _ => tags.push(Span::styled(format!(" ({})", sign.word), look.style(sign.tone))),
    }
    if let Some(asked) = &item.asked {
        let words = format!(" ({} +1)", asked.by);
        tags.push(Span::styled(words, look.style(Tone::Accent)));
    } else if item.by_two && !item.is_settled() {
        tags.push(Span::styled(" (two people)", look.style(Tone::Dim)));
    }
    if item.memory && !item.is_settled() {
        tags.push(Span::styled(" (from memory)", look.style(Tone::Dim)));
    }
    if item.older.is_some() {
        tags.push(Span::styled(" (text changed)", look.style(Tone::Warn)));
    }
    if let Some(by) = item.claimed.as_ref().filter(|_| !item.is_settled()) {
        let words =
            if *by == scene.picture.me { " (you have it)".to_owned() } else { format!(" ({by} has it)") };
        tags.push(Span::styled(words, look.style(Tone::Accent)));
    }
    tags
}

/// Draws it. `title` is what of its title stands in this row, where it takes several.
#[expect(clippy::too_many_arguments, reason = "they are what a row is made of")]
pub(super) fn draw(
    scene: &Scene<'_>,
    checklist: &Checklist,
    item: &Item,
    title: Option<&str>,
    titles: usize,
    area: Rect,
    y: u16,
    buf: &mut Buffer,
) {
    let look = scene.look();
    let ellipsis = look.glyphs.ellipsis;
    let x = indent(item, area.width);
    let tags = tags(scene, checklist, item);
    let Widths { title: for_title, is_whole } = widths(scene, checklist, item, area.width);
    let goes_on = title.is_some();
    let title = match title {
        Some(title) => title.to_owned(),
        None => text::short(&text::clean(&item.title), for_title, ellipsis).into_owned(),
    };
    let mut left =
        vec![mark(&item.state, scene).mark(look), Span::styled(format!(" {title}"), look.style(tone(item)))];
    if !goes_on {
        left.extend(tags);
    }
    let room = area.width.saturating_sub(x + 1);
    let end = text::put_line(buf, area, (x, y), &Line::from(left), room, ellipsis);
    if goes_on || (area.width < NARROW && !is_whole) {
        return;
    }
    // What is seen begins in one column for all, where the line's own words leave it.
    let column = u16::try_from(titles + 2).unwrap_or(u16::MAX);
    let from = end.saturating_add(2).max(column.min(area.width / 2));
    let Some(room) = area.width.checked_sub(from.saturating_add(2)).filter(|room| *room >= 6) else { return };
    let age = shown_age(scene, item);
    let taken = age.as_ref().map_or(0, |age| text::width(age) as u16 + 2);
    let (room, age) = if room >= taken + 10 { (room - taken, age) } else { (room, None) };
    let mut seen = lead(scene, item);
    let before: usize = seen.iter().map(|span| text::width(&span.content)).sum();
    if let Some(said) = said(scene, item) {
        let left = usize::from(room).saturating_sub(before);
        seen.extend(fitting(said, left, ellipsis));
    }
    // How old what is not shown is says nothing.
    let is_said = !seen.is_empty();
    text::put_line(buf, area, (from, y), &Line::from(seen), room, ellipsis);
    if let Some(age) = age.filter(|_| is_said) {
        let x = area.width.saturating_sub(2 + text::width(&age) as u16);
        text::put(buf, area, (x, y), &age, look.style(Tone::Dim));
    }
}

/// What stands beside a title, for a row of its own.
pub(super) fn beside(
    scene: &Scene<'_>,
    checklist: &Checklist,
    item: &Item,
    columns: usize,
) -> Vec<Span<'static>> {
    let mut spans = tags(scene, checklist, item);
    if let Some(first) = spans.first_mut() {
        *first = Span::styled(first.content.trim_start().to_owned(), first.style);
        spans.push(Span::raw("  "));
    }
    spans.extend(lead(scene, item));
    let before: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    if let Some(said) = said(scene, item) {
        spans.extend(fitting(said, columns.saturating_sub(before), scene.picture.glyphs.ellipsis));
    }
    spans
}

/// The room that a line has.
pub(super) struct Widths {
    /// For its title.
    pub(super) title: usize,
    /// Whether what is seen is shown whole.
    pub(super) is_whole: bool,
}

/// The room that a line has in so many columns.
pub(super) fn widths(scene: &Scene<'_>, checklist: &Checklist, item: &Item, width: u16) -> Widths {
    let sum =
        |spans: &[Span<'_>]| spans.iter().map(|span| text::width(&text::clean(&span.content))).sum::<usize>();
    let tags = sum(&tags(scene, checklist, item));
    let age = shown_age(scene, item).map_or(0, |age| text::width(&age) + 2);
    let seen = sum(&seen(scene, item));
    let seen = if seen == 0 { 0 } else { seen + age + 2 };
    let all = usize::from(width).saturating_sub(usize::from(indent(item, width)) + 2 + 2);
    // A title makes room for what is seen, as far as that takes two fifths; on a narrow screen it has all of it.
    let kept = if width < NARROW { 0 } else { seen.min(usize::from(width) * 2 / 5) };
    let title = all.saturating_sub(kept + tags);
    let is_whole = text::width(&item.title) + tags + seen <= all;
    let title = if is_whole { title.max(text::width(&item.title)) } else { title };
    Widths { title, is_whole }
}

fn shown_age(scene: &Scene<'_>, item: &Item) -> Option<String> {
    // How old what was seen then is now says nothing.
    if item.is_settled() {
        return None;
    }
    item.fact.as_ref().and_then(|fact| fact.at).map(|at| text::age(age(at, scene.now())))
}

/// As much of what is said as says something in so much room. What is compared is named by the title; its value and its limit
/// are not.
fn fitting(said: Span<'static>, room: usize, ellipsis: &str) -> Option<Span<'static>> {
    let width = text::width(&said.content);
    if width <= room {
        return Some(said);
    }
    let (mark, words) = match said.content.split_once(' ') {
        Some((mark, words)) if text::width(mark) == 1 => (format!("{mark} "), words),
        _ => (String::new(), said.content.as_ref()),
    };
    let left = room.checked_sub(text::width(&mark))?;
    let value = words.split_once(' ').filter(|(path, _)| path.contains('.')).map(|(_, value)| value);
    let shown = match value {
        Some(value) if text::width(value) <= left => value.to_owned(),
        _ => text::clauses(words, left, ellipsis).into_owned(),
    };
    // No part of a word, and no mark alone.
    let is_cut = shown.strip_suffix(ellipsis).is_some_and(|words| !words.ends_with(' '));
    let says_something = !is_cut && shown.chars().any(char::is_alphanumeric);
    says_something.then(|| Span::styled(format!("{mark}{shown}"), said.style))
}

/// What is beside a line: the key that does it, the clock that runs, and what the engine sees or a person wrote.
fn seen(scene: &Scene<'_>, item: &Item) -> Vec<Span<'static>> {
    let mut spans = lead(scene, item);
    spans.extend(said(scene, item));
    spans
}

/// The key that does it, or the clock that runs.
fn lead(scene: &Scene<'_>, item: &Item) -> Vec<Span<'static>> {
    if item.gate.is_some() && !item.is_settled() {
        return Vec::new();
    }
    if let ItemState::Waiting { passed, of } = item.state {
        let mut spans = clock(scene, passed, of);
        spans.push(Span::raw("  "));
        return spans;
    }
    match &item.kind {
        ItemKind::Does { deed }
            if !item.is_settled()
                && !matches!(item.state, ItemState::Running { .. } | ItemState::Unknown { .. }) =>
        {
            key(scene, deed)
        }
        _ => Vec::new(),
    }
}

/// What the engine sees or a person wrote.
pub(super) fn said(scene: &Scene<'_>, item: &Item) -> Option<Span<'static>> {
    let look = scene.look();
    let quiet = look.style(Tone::Dim);
    if let Some(gate) = item.gate.as_ref().filter(|_| !item.is_settled()) {
        return Some(Span::styled(format!("waits: {}", text::plain(gate)), quiet));
    }
    // What spoke for an option that was taken says nothing any more.
    let is_taken = matches!(item.kind, ItemKind::Manual) && item.depth > 0 && item.is_settled();
    let fact = item.fact.as_ref().filter(|_| !is_taken);
    match (&item.state, fact, &item.note) {
        (ItemState::Deferred { until, .. }, ..) => Some(Span::styled(format!("until {until}"), quiet)),
        (ItemState::Overridden { .. } | ItemState::NotApplicable { .. }, _, Some(note)) => {
            Some(Span::styled(text::plain(note), quiet))
        }
        (ItemState::Failed { why } | ItemState::Unknown { why }, ..) if !why.is_empty() => {
            Some(Span::styled(text::plain(why), look.style(mark(&item.state, scene).tone)))
        }
        (_, Some(fact), _) => {
            let text = match &item.state {
                // How much of its time has passed stands in front of it.
                ItemState::Waiting { .. } => fact.text.split_once("; ").map_or("", |(_, fact)| fact),
                _ => fact.text.as_str(),
            };
            let fact = Fact { text: text::plain(text), ..fact.clone() };
            (!text.is_empty()).then(|| fact_span(item, &fact, scene, quiet))
        }
        (_, None, Some(note)) => Some(Span::styled(text::plain(note), quiet)),
        (
            ItemState::Done { by, at }
            | ItemState::NotApplicable { by, at }
            | ItemState::Overridden { by, at },
            ..,
        ) => Some(Span::styled(format!("{by}, {}", scene.short_moment(*at)), quiet)),
        _ => wants(scene, item),
    }
}

/// What a line that is open waits for, where nothing is seen of it.
fn wants(scene: &Scene<'_>, item: &Item) -> Option<Span<'static>> {
    let quiet = scene.look().style(Tone::Dim);
    if item.is_settled() || matches!(item.state, ItemState::Waiting { .. } | ItemState::Running { .. }) {
        return None;
    }
    let words = match &item.kind {
        ItemKind::Wait { time } => format!("{} once it is begun", text::left(*time)),
        ItemKind::Record { name, choices } if choices.is_empty() => format!("enter {name}"),
        ItemKind::Record { choices, .. } => choices.join(", "),
        ItemKind::Decision { options } => format!("{} options", options.len()),
        _ => return None,
    };
    Some(Span::styled(words, quiet))
}

/// A clock that runs: a bar, and `0:34 of 2:00`.
fn clock(scene: &Scene<'_>, passed: std::time::Duration, of: std::time::Duration) -> Vec<Span<'static>> {
    let look = scene.look();
    let shown =
        Bar { value: Some(passed.as_secs_f64()), max: of.as_secs_f64(), limit: None, tone: Tone::Accent };
    let mut spans = bar::line(&shown, BAR, look).spans;
    let passed = std::time::Duration::from_secs(passed.as_secs());
    let words = format!(" {} of {}", text::left(passed), text::left(of));
    spans.push(Span::styled(words, look.style(Tone::Accent)));
    spans
}

fn fact_span(item: &Item, fact: &Fact, scene: &Scene<'_>, quiet: Style) -> Span<'static> {
    let look = scene.look();
    let glyphs = look.glyphs;
    let is_sensed = matches!(item.kind, ItemKind::Sensed { .. } | ItemKind::Hold { .. });
    // While everything is well, what is not so yet is under way and not wrong.
    let is_well = matches!(scene.incident_status(), Some(IncidentStatus::Monitoring { .. }));
    let (symbol, style) = match (fact.holds, &item.state) {
        // What is settled says no more than how; what a command does is not failing before it is done.
        (_, ItemState::Done { .. } | ItemState::NotApplicable { .. }) => (None, quiet),
        (_, ItemState::Regressed { .. }) => (Some(glyphs.warn), look.style(Tone::Warn)),
        (Some(true), _) => (Some(glyphs.ok), look.style(Tone::Ok)),
        (Some(false), ItemState::Current) if is_sensed && is_well => {
            (Some(glyphs.running), look.style(Tone::Accent))
        }
        (Some(false), _) if is_sensed && is_well => (Some(glyphs.running), quiet),
        (Some(false), ItemState::Current | ItemState::Waiting { .. }) if is_sensed => {
            (Some(glyphs.fail), look.style(Tone::Fail))
        }
        (Some(false), _) if is_sensed => (Some(glyphs.fail), quiet),
        (None, _) if is_sensed => (Some(glyphs.unknown), look.style(Tone::Unknown)),
        (_, _) => (None, quiet),
    };
    let words = symbol.map_or_else(|| fact.text.clone(), |symbol| format!("{symbol} {}", fact.text));
    Span::styled(words, style)
}

/// The key that does what a line says, and for which service if another is looked at.
fn key(scene: &Scene<'_>, deed: &Deed) -> Vec<Span<'static>> {
    let look = scene.look();
    let (command, service) = match deed {
        Deed::Acknowledge { .. } => ("acknowledge", None),
        Deed::RollBack { service } => ("roll-back", service.as_ref()),
        Deed::Other { .. } => ("tick", None),
    };
    let Some(key) = scene.picture.keymap.key_of(command) else { return Vec::new() };
    let words = match service.filter(|service| scene.service() != Some(service)) {
        Some(service) => format!(" on {service} runs it  "),
        None => " runs it  ".to_owned(),
    };
    vec![Span::styled(key, look.style(Tone::Key)), Span::raw(words)]
}
