//! What to do: the checklist of the open incident, phase by phase, with what the engine sees beside each line.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::engine::checklist::{self, Checklist, Deed, Fact, Item, ItemKind, ItemState, Phase};
use crate::engine::incidents::IncidentStatus;
use crate::model::incident::Incident;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::ui::Pane;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::text;

/// The lines that are listed, in their order.
pub fn listed(scene: &Scene<'_>) -> Vec<String> {
    let checklist = scene.incident().map(|incident| of(scene, incident));
    let items = checklist.iter().flat_map(Checklist::items);
    items.map(|item| item.key.clone()).collect()
}

fn of(scene: &Scene<'_>, incident: &Incident) -> Checklist {
    checklist::checklist(incident, scene.state(), scene.config(), &scene.view().readings, scene.now())
}

/// The line that is at hand: the chosen one, else the one to look at next.
pub fn at_hand(scene: &Scene<'_>) -> Option<String> {
    let checklist = of(scene, scene.incident()?);
    let chosen = scene.ui.item.what.as_deref();
    let chosen = chosen.filter(|chosen| checklist.items().any(|item| item.key == *chosen));
    chosen.map(str::to_owned).or_else(|| checklist.current.map(|current| current.to_string()))
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let incident = scene.incident();
    let checklist = incident.map(|incident| of(scene, incident));
    let title = match incident {
        Some(incident) => format!("{} {} {}", Pane::Checklist.title(), look.glyphs.separator, incident.id),
        None => Pane::Checklist.title().to_owned(),
    };
    let clock = checklist.as_ref().and_then(|checklist| {
        let phase = current(checklist)?;
        let (words, tone) = window(checklist, phase);
        Some(Line::styled(words, look.style(tone)))
    });
    let frame = Panel {
        number: Some(Pane::Checklist.number() as u8),
        title: &title,
        info: clock.unwrap_or_default(),
        frame: if scene.ui.focus == Pane::Checklist { Frame::Focused } else { Frame::Quiet },
        stale: None,
    };
    let inner = panel::draw(buf, area, &frame, look);
    match &checklist {
        Some(checklist) => lines(scene, checklist, inner, buf),
        None => calm(scene, inner, buf),
    }
}

/// Without an incident: that there is none, and what opens one.
fn calm(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let key = scene.picture.keymap.key_of("open-incident");
    let by_hand = key.unwrap_or_else(|| ":open-incident".to_owned());
    let last = scene.state().incidents_in_order().last().and_then(|incident| {
        let resolved = incident.resolved.as_ref()?;
        Some(format!("{} was resolved at {} by {}.", incident.id, scene.moment(resolved.at), resolved.by))
    });
    let words = [
        Some((Tone::Text, "No incident is open.".to_owned())),
        last.map(|last| (Tone::Dim, last)),
        Some((
            Tone::Dim,
            format!(
                "One opens by itself when a service fails or a rollback is decided; {by_hand} opens one by hand."
            ),
        )),
    ];
    let mut y = 0;
    for (tone, words) in words.into_iter().flatten() {
        for line in text::wrap(&words, usize::from(area.width.saturating_sub(2))) {
            text::put(buf, area, (1, y), &line, look.style(tone));
            y = y.saturating_add(1);
        }
    }
}

/// The phase that is worked through: that of the current line, else the last.
fn current(checklist: &Checklist) -> Option<&Phase> {
    let now = checklist.current.as_ref().map(crate::model::ItemId::as_str);
    let has_current = |phase: &&Phase| phase.items.iter().any(|item| Some(item.key.as_str()) == now);
    checklist.phases.iter().find(has_current).or_else(|| checklist.phases.last())
}

/// How far its window has gone: `03:12 of 05:00`, `18:40 of 15:00, overdue`.
fn window(checklist: &Checklist, phase: &Phase) -> (String, Tone) {
    let lasted = minutes(phase.elapsed.unwrap_or(checklist.clock.elapsed));
    match phase.until {
        None => (lasted, Tone::Dim),
        Some(_) if phase.passed_before => (lasted, Tone::Dim),
        Some(until) if phase.overdue => (format!("{lasted} of {}, overdue", minutes(until)), Tone::Warn),
        Some(until) => (format!("{lasted} of {}", minutes(until)), Tone::Text),
    }
}

/// `03:12`, `1:02:07`.
fn minutes(lasted: Duration) -> String {
    let secs = lasted.as_secs();
    match secs / 3_600 {
        0 => format!("{:02}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs / 60 % 60, secs % 60),
    }
}

/// A line of the pane.
#[derive(Clone, Copy)]
enum Row<'a> {
    /// A phase; its lines follow unless it is folded.
    Phase(&'a Phase),
    /// A line to tick.
    Item(&'a Item),
}

/// What is shown in so many rows: all of it; or with the phases folded that are not at hand.
fn rows<'a>(checklist: &'a Checklist, at_hand: Option<&str>, height: usize) -> Vec<Row<'a>> {
    let holds =
        |phase: &Phase, id: Option<&str>| phase.items.iter().any(|item| Some(item.key.as_str()) == id);
    let now = checklist.current.as_ref().map(crate::model::ItemId::as_str);
    let must: Vec<bool> =
        checklist.phases.iter().map(|phase| holds(phase, now) || holds(phase, at_hand)).collect();
    let mut open = vec![true; checklist.phases.len()];
    let total = |open: &[bool]| -> usize {
        let items = checklist.phases.iter().zip(open).filter(|(_, open)| **open);
        checklist.phases.len() + items.map(|(phase, _)| phase.items.len()).sum::<usize>()
    };
    // What is not reached yet goes first, the furthest ahead before the nearest; then what is behind, the oldest first.
    let middle = must.iter().position(|must| *must).unwrap_or(0);
    let order = (middle..open.len()).rev().chain(0..middle);
    for index in order {
        if total(&open) <= height {
            break;
        }
        open[index] = must[index];
    }
    let mut rows = Vec::new();
    for (phase, open) in checklist.phases.iter().zip(open) {
        rows.push(Row::Phase(phase));
        if open {
            rows.extend(phase.items.iter().map(Row::Item));
        }
    }
    rows
}

fn lines(scene: &Scene<'_>, checklist: &Checklist, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let height = usize::from(area.height);
    let at_hand = at_hand(scene);
    let rows = rows(checklist, at_hand.as_deref(), height);
    let is_at_hand = |row: &Row<'_>| match row {
        Row::Item(item) => Some(item.key.as_str()) == at_hand.as_deref(),
        Row::Phase(_) => false,
    };
    let place = rows.iter().position(is_at_hand).unwrap_or(0);
    let chosen = scene.ui.item.what.is_some();
    // One that nobody chose stands in the middle; a chosen one stays where it was put.
    let top = if chosen {
        scene.ui.item.top(place, rows.len(), height)
    } else {
        place.saturating_sub(height / 2).min(rows.len().saturating_sub(height))
    };
    let titles = checklist.items().map(|item| text::width(&item.title)).max().unwrap_or(0);
    for (y, row) in (0..area.height).zip(rows.iter().skip(top)) {
        match row {
            Row::Phase(phase) => heading(scene, checklist, phase, area, y, buf),
            Row::Item(item) => {
                if is_at_hand(row) {
                    let tone = if scene.ui.focus == Pane::Checklist { Tone::Accent } else { Tone::Dim };
                    text::put(buf, area, (0, y), look.glyphs.selected, look.style(tone));
                }
                line(scene, item, titles, area, y, buf);
                if is_at_hand(row) && chosen && scene.ui.focus == Pane::Checklist {
                    let whole = text::clip(buf, Rect { y: area.y.saturating_add(y), height: 1, ..area });
                    buf.set_style(whole, look.style(Tone::Selection));
                }
            }
        }
    }
    let more = |buf: &mut Buffer, y: u16, glyph: &str| {
        text::put(buf, area, (area.width.saturating_sub(1), y), glyph, look.style(Tone::Dim));
    };
    if top > 0 {
        more(buf, 0, look.glyphs.up);
    }
    if top + height < rows.len() {
        more(buf, area.height.saturating_sub(1), look.glyphs.down);
    }
}

/// A phase: what it is about, how much of it is settled, and its window.
fn heading(scene: &Scene<'_>, checklist: &Checklist, phase: &Phase, area: Rect, y: u16, buf: &mut Buffer) {
    let look = scene.look();
    let (settled, total) = (phase.settled(), phase.counted());
    let is_current = current(checklist).is_some_and(|current| std::ptr::eq(current, phase));
    let tone = if is_current { Tone::Title } else { Tone::Dim };
    let count = format!("  {settled} of {total}");
    let left = Line::from(vec![
        Span::styled(phase.title.clone(), look.style(tone)),
        Span::styled(count, look.style(Tone::Dim)),
    ]);
    let end = text::put_line(buf, area, (1, y), &left, area.width.saturating_sub(2), look.glyphs.ellipsis);
    // The window of the current one is in the frame.
    let (words, tone) = if phase.overdue && !is_current {
        ("overdue".to_owned(), Tone::Warn)
    } else if is_current || settled == total {
        return;
    } else if phase.elapsed.is_none_or(|elapsed| elapsed < phase.from) && !phase.from.is_zero() {
        (format!("from {}", minutes(phase.from)), Tone::Dim)
    } else {
        return;
    };
    at_right(area, y, end, &Line::styled(words, look.style(tone)), scene, buf);
}

/// Puts something at the right end of a line if there is room behind what stands there.
fn at_right(area: Rect, y: u16, from: u16, line: &Line<'_>, scene: &Scene<'_>, buf: &mut Buffer) -> bool {
    let wanted = u16::try_from(line.width()).unwrap_or(u16::MAX);
    let room = area.width.saturating_sub(from.saturating_add(2 + 2));
    if wanted > room {
        return false;
    }
    let x = area.width - 2 - wanted;
    text::put_line(buf, area, (x, y), line, wanted, scene.picture.glyphs.ellipsis);
    true
}

/// The mark of a line.
fn mark(state: &ItemState, scene: &Scene<'_>) -> Sign {
    let glyphs = scene.picture.glyphs;
    let (symbol, word, tone) = match state {
        ItemState::Open => (glyphs.open, "open", Tone::Dim),
        ItemState::Current => (glyphs.open, "next", Tone::Accent),
        ItemState::Satisfied => (glyphs.open, "to be confirmed", Tone::Ok),
        ItemState::Waiting { .. } => (glyphs.running, "waiting", Tone::Accent),
        ItemState::Running { .. } => (glyphs.running, "being done", Tone::Accent),
        ItemState::Failed { .. } => (glyphs.fail, "failed", Tone::Fail),
        ItemState::Unknown { .. } => (glyphs.unknown, "not known", Tone::Unknown),
        ItemState::Overridden { .. } => (glyphs.skipped, "overridden", Tone::Warn),
        ItemState::Deferred { .. } => (glyphs.skipped, "deferred", Tone::Accent),
        ItemState::Done { .. } => (glyphs.ticked, "done", Tone::Ok),
        ItemState::NotApplicable { .. } => (glyphs.skipped, "not applicable", Tone::Dim),
        ItemState::Regressed { .. } => (glyphs.regressed, "no longer so", Tone::Warn),
    };
    Sign { symbol, word, tone }
}

fn line(scene: &Scene<'_>, item: &Item, titles: usize, area: Rect, y: u16, buf: &mut Buffer) {
    let look = scene.look();
    let sign = mark(&item.state, scene);
    let tone = match item.state {
        ItemState::Open if item.gate.is_some() => Tone::Dim,
        ItemState::Open => Tone::Text,
        ItemState::Current | ItemState::Satisfied | ItemState::Waiting { .. } | ItemState::Running { .. } => {
            Tone::Accent
        }
        ItemState::Done { .. } | ItemState::NotApplicable { .. } | ItemState::Deferred { .. } => Tone::Dim,
        ItemState::Regressed { .. } | ItemState::Overridden { .. } => Tone::Warn,
        ItemState::Failed { .. } => Tone::Fail,
        ItemState::Unknown { .. } => Tone::Unknown,
    };
    let mut left = vec![sign.mark(look), Span::styled(format!(" {}", item.title), look.style(tone))];
    if matches!(
        item.state,
        ItemState::Regressed { .. }
            | ItemState::NotApplicable { .. }
            | ItemState::Satisfied
            | ItemState::Failed { .. }
            | ItemState::Unknown { .. }
            | ItemState::Overridden { .. }
            | ItemState::Deferred { .. }
    ) {
        left.push(Span::styled(format!(" ({})", sign.word), look.style(sign.tone)));
    }
    let room = area.width.saturating_sub(3);
    let end = text::put_line(buf, area, (2, y), &Line::from(left), room, look.glyphs.ellipsis);
    // What is seen begins in one column for all, where the line's own words leave it.
    let column = u16::try_from(titles + 4 + 2).unwrap_or(u16::MAX);
    let from = end.saturating_add(2).max(column.min(area.width / 2));
    let Some(room) = area.width.checked_sub(from + 2).filter(|room| *room >= 6) else { return };
    let age = item.fact.as_ref().and_then(|fact| fact.at).map(|at| text::age(age(at, scene.now())));
    let taken = age.as_ref().map_or(0, |age| text::width(age) as u16 + 2);
    let seen = seen(scene, item);
    let (room, age) = if room >= taken + 10 { (room - taken, age) } else { (room, None) };
    let mut seen = seen;
    if let Some(words) = seen.pop() {
        let before: usize = seen.iter().map(|span| text::width(&span.content)).sum();
        let left = usize::from(room).saturating_sub(before);
        let shown = text::clauses(&words.content, left, look.glyphs.ellipsis).into_owned();
        seen.push(Span::styled(shown, words.style));
    }
    text::put_line(buf, area, (from, y), &Line::from(seen), room, look.glyphs.ellipsis);
    if let Some(age) = age {
        let x = area.width.saturating_sub(2 + text::width(&age) as u16);
        text::put(buf, area, (x, y), &age, look.style(Tone::Dim));
    }
}

/// What is beside a line: the key that does it, and what the engine sees or a person wrote.
fn seen(scene: &Scene<'_>, item: &Item) -> Vec<Span<'static>> {
    let look = scene.look();
    let mut spans = Vec::new();
    if let ItemKind::Does { deed } = &item.kind
        && !item.is_settled()
    {
        spans.extend(key(scene, deed));
    }
    let quiet = look.style(Tone::Dim);
    match (&item.fact, &item.note) {
        (Some(fact), _) => spans.push(fact_span(item, fact, scene, quiet)),
        (None, Some(note)) => spans.push(Span::styled(note.clone(), quiet)),
        (None, None) => {
            if let ItemState::Done { by, at } | ItemState::NotApplicable { by, at } = &item.state {
                spans.push(Span::styled(format!("{by}, {}", scene.short_moment(*at)), quiet));
            }
        }
    }
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
        (Some(false), ItemState::Current) if is_sensed => (Some(glyphs.fail), look.style(Tone::Fail)),
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
        Deed::Other { .. } => ("do-item", None),
    };
    let Some(key) = scene.picture.keymap.key_of(command) else { return Vec::new() };
    let words = match service.filter(|service| scene.service() != Some(service)) {
        Some(service) => format!(" on {service} runs it  "),
        None => " runs it  ".to_owned(),
    };
    vec![Span::styled(key, look.style(Tone::Key)), Span::raw(words)]
}

/// One line, for where the pane has no room.
pub fn summary(scene: &Scene<'_>) -> String {
    let Some(incident) = scene.incident() else { return "no incident is open".to_owned() };
    let checklist = of(scene, incident);
    let separator = scene.picture.glyphs.separator;
    let (settled, total) = checklist.progress();
    let clock = current(&checklist).map(|phase| window(&checklist, phase).0).unwrap_or_default();
    let next = checklist.current.as_ref().and_then(|id| checklist.item(id.as_str()));
    let next = next.map_or("all settled", |item| item.title.as_str());
    format!("{next} {separator} {settled} of {total} {separator} {clock}")
}

#[cfg(test)]
mod tests;
