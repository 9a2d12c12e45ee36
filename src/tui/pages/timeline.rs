//! What happened, a line each, day by day, newest last.
//!
//! The journal's entries are many and few of them are seen: a line is written when it is drawn.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};

use super::sheet::Sheet;
use crate::engine::account::{self, Mood};
use crate::engine::runtime::Entry;
use crate::model::ServiceName;
use crate::model::event::Event;
use crate::model::release::Arm;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::text;

/// A line of the timeline.
#[derive(Clone, Copy)]
enum Row<'a> {
    /// Another day begins.
    Day(Timestamp),
    /// Something happened.
    Entry(&'a Entry),
}

/// Writes it.
pub(super) fn write<'a>(scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let rows = rows(scene);
    let (scene, total) = (*scene, rows.len());
    if rows.is_empty() {
        let words = "  Nothing is remembered yet. What the engine sees, decides and does is told here.";
        return Sheet::new("Timeline", vec![Line::styled(words, scene.look().style(Tone::Dim))]);
    }
    let services = service_column(&scene, columns);
    let line = move |index: usize| match rows.get(index) {
        Some(Row::Day(at)) => {
            let day = at.to_zoned(scene.picture.zone.clone()).strftime("%A, %-d %B %Y").to_string();
            Line::styled(day, scene.look().style(Tone::Title))
        }
        Some(Row::Entry(entry)) => told(&scene, entry, services, columns),
        None => Line::default(),
    };
    Sheet { title: "Timeline".to_owned(), stale: None, total, line: Box::new(line) }
}

/// What is listed, oldest first. A held picture ends where it was held.
fn rows<'a>(scene: &Scene<'a>) -> Vec<Row<'a>> {
    let last = scene.ui.frozen.as_ref().map(|frozen| frozen.view.position);
    let entries = scene.picture.timeline.iter().map(AsRef::as_ref);
    let entries = entries.take_while(|entry| last.is_none_or(|last| entry.seq <= last));
    let mut canaries: BTreeMap<&ServiceName, bool> = BTreeMap::new();
    let mut rows = Vec::new();
    let mut day = None;
    for entry in entries {
        if let Event::InventoryChanged { service, inventory } = &entry.event {
            let has_canary = inventory.share(Arm::Canary).is_some_and(|share| share.percent > 0);
            canaries.insert(service, has_canary);
        }
        // Before the first sight of the platform, what is known now has to do.
        let has_canary = |service: &ServiceName| {
            canaries.get(service).copied().unwrap_or_else(|| {
                scene.state().service(service).is_some_and(|known| known.canary().is_some())
            })
        };
        if account::is_bookkeeping(&entry.event) || account::is_repetition(&entry.event, has_canary) {
            continue;
        }
        // The zone is asked once a day, not once an entry.
        if !day.is_some_and(|(from, until)| from <= entry.at && entry.at < until) {
            day = day_of(entry.at, &scene.picture.zone);
            rows.push(Row::Day(entry.at));
        }
        rows.push(Row::Entry(entry));
    }
    rows
}

/// When the day of a moment begins and ends.
fn day_of(at: Timestamp, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
    let start = at.to_zoned(zone.clone()).start_of_day().ok()?;
    Some((start.timestamp(), start.tomorrow().ok()?.timestamp()))
}

/// The columns of the services' names; none where the words need them more.
fn service_column(scene: &Scene<'_>, columns: usize) -> usize {
    if columns < 50 {
        return 0;
    }
    let longest = scene.config().services.keys().map(|name| text::width(name.as_str())).max();
    longest.unwrap_or(0).min(columns / 5)
}

/// One entry. Where it is too long, what it adds goes first; no word is cut.
fn told(scene: &Scene<'_>, entry: &Entry, services: usize, columns: usize) -> Line<'static> {
    let look = scene.look();
    let time = format!("  {}  ", text::clock(entry.at, &scene.picture.zone));
    let mut spans = vec![Span::styled(time, look.style(Tone::Dim))];
    let Some(told) = account::tell(&entry.event, scene.state()) else { return Line::from(spans) };
    let sign = Sign::mood(told.mood, look.glyphs);
    let words = if services > 0 {
        let service = told.service.as_ref().map_or("", ServiceName::as_str);
        spans.push(Span::raw(format!("{}  ", text::pad(service, services, look.glyphs.ellipsis))));
        told.beside_service()
    } else {
        told.sentence()
    };
    spans.push(sign.mark(look));
    // What is not bad news is told quietly; its symbol has the colour.
    let tone = match told.mood {
        Mood::Plain | Mood::Acts | Mood::Good | Mood::Unknown => Tone::Text,
        Mood::Wary | Mood::Bad => sign.tone,
    };
    let taken: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    let words = text::plain(&words);
    let mut room = columns.saturating_sub(taken + 1);
    let shown = text::clauses(&words, room, look.glyphs.ellipsis);
    spans.push(Span::styled(format!(" {shown}"), look.style(tone)));
    if shown.len() < words.len() {
        return Line::from(spans);
    }
    room = room.saturating_sub(text::width(&shown));
    for more in &told.because {
        let more = format!(", {}", text::plain(more));
        if text::width(&more) > room {
            break;
        }
        room -= text::width(&more);
        spans.push(Span::styled(more, look.style(Tone::Dim)));
    }
    Line::from(spans)
}
