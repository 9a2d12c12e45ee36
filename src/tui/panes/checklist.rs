//! What to do: the checklists of the incident, section by section, with what the engine sees beside each line.
//!
//! `rows`: what is shown in so much room; `heading`: runs and sections with their times; `line`: one item in a row; `detail`:
//! the rest of the one that is at hand; `space`: what it asks for.

mod detail;
mod heading;
mod line;
mod rows;
pub mod space;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::checklist::{self, Anchor, Checklist, Item, ItemState, Phase};
use crate::model::incident::Incident;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::ui::Pane;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::text;
use rows::{Row, Rows};
use space::Asks;

/// The incident whose checklists are worked through: the open one, else the last one while something is left that is to be done
/// when it is resolved.
pub fn incident<'a>(scene: &Scene<'a>) -> Option<&'a Incident> {
    if let Some(open) = scene.incident() {
        return Some(open);
    }
    let last = scene.state().incidents_in_order().pop().map(AsRef::as_ref);
    last.filter(|incident: &&Incident| {
        let is_left = |phase: &Phase| {
            let is_after = phase.anchor == Anchor::Resolved;
            phase.items.iter().any(|item| {
                let is_deferred = matches!(item.state, ItemState::Deferred { .. });
                item.counts && !item.is_settled() && (is_after || is_deferred)
            })
        };
        !incident.is_closed() && of(scene, incident).phases.iter().any(is_left)
    })
}

/// The lines that are listed, in their order.
pub fn listed(scene: &Scene<'_>) -> Vec<String> {
    let checklist = incident(scene).map(|incident| of(scene, incident));
    let items = checklist.iter().flat_map(Checklist::items);
    items.map(|item| item.key.clone()).collect()
}

/// How far an incident is, as it is shown.
pub fn of(scene: &Scene<'_>, incident: &Incident) -> Checklist {
    checklist::checklist(incident, scene.state(), scene.config(), &scene.view().readings, scene.now())
}

/// The line that is at hand: the chosen one, else the one to look at next.
pub fn at_hand(scene: &Scene<'_>) -> Option<String> {
    at_hand_of(scene, &of(scene, incident(scene)?))
}

fn at_hand_of(scene: &Scene<'_>, checklist: &Checklist) -> Option<String> {
    let chosen = scene.ui.item.what.as_deref();
    let chosen = chosen.filter(|chosen| checklist.items().any(|item| item.key == *chosen));
    chosen.map(str::to_owned).or_else(|| checklist.current.as_ref().map(ToString::to_string))
}

/// The line that is at hand, as it is shown.
pub fn item_at_hand(scene: &Scene<'_>) -> Option<Item> {
    let checklist = of(scene, incident(scene)?);
    checklist.item(&at_hand_of(scene, &checklist)?).cloned()
}

/// What the line at hand asks for.
pub fn asks(scene: &Scene<'_>) -> Option<Asks> {
    let checklist = of(scene, incident(scene)?);
    let item = checklist.item(&at_hand_of(scene, &checklist)?)?;
    Some(space::of(&checklist, item))
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let incident = incident(scene);
    let checklist = incident.map(|incident| of(scene, incident));
    let separator = look.glyphs.separator;
    let title = match (incident, checklist.as_ref().map(|checklist| checklist.runs.as_slice())) {
        (Some(incident), Some([run])) => {
            let long =
                format!("{} {separator} {} {separator} {}", Pane::Checklist.title(), incident.id, run.title);
            let short = format!("{} {separator} {}", Pane::Checklist.title(), incident.id);
            // Its progress stands in the same line.
            let room = usize::from(area.width).saturating_sub(text::width(&run.progress.words()) + 12);
            if text::width(&long) <= room { long } else { short }
        }
        (Some(incident), _) => format!("{} {separator} {}", Pane::Checklist.title(), incident.id),
        (None, _) => Pane::Checklist.title().to_owned(),
    };
    let focused = scene.ui.focus == Pane::Checklist;
    // The frame takes a row above and one below.
    let height = usize::from(if area.height < 3 { area.height } else { area.height - 2 });
    let width = area.width.saturating_sub(2);
    let rows = checklist.as_ref().map(|checklist| Rows::new(scene, checklist, (width, height)));
    let frame = Panel {
        number: Some(Pane::Checklist.number() as u8),
        title: &title,
        info: checklist
            .as_ref()
            .zip(rows.as_ref())
            .map(|(list, rows)| {
                info(scene, list, rows, usize::from(area.width).saturating_sub(text::width(&title) + 10))
            })
            .unwrap_or_default(),
        frame: if focused { Frame::Focused } else { Frame::Quiet },
        stale: None,
    };
    let inner = panel::draw(buf, area, &frame, look);
    match (&checklist, &rows) {
        (Some(checklist), Some(rows)) => lines(scene, checklist, rows, inner, buf),
        _ => calm(scene, inner, buf),
    }
}

/// How far it is, and the time of the section at hand where its own heading is not seen.
fn info(scene: &Scene<'_>, checklist: &Checklist, rows: &Rows<'_>, room: usize) -> Line<'static> {
    let look = scene.look();
    let mut spans = Vec::new();
    if let [run] = checklist.runs.as_slice() {
        let progress = run.progress;
        let words = progress.words();
        let short = || format!("{}/{}", progress.settled, progress.all);
        let words = if text::width(&words) <= room { words } else { short() };
        spans.push(Span::styled(words, look.style(Tone::Text)));
    }
    let is_seen =
        |phase: &Phase| rows.seen().any(|row| matches!(row, Row::Phase(seen) if std::ptr::eq(*seen, phase)));
    if let Some((words, tone)) =
        current(checklist).filter(|phase| !is_seen(phase)).and_then(|phase| heading::window(phase, true))
        && spans.iter().map(Span::width).sum::<usize>() + 3 + text::width(&words) <= room
    {
        if !spans.is_empty() {
            spans.push(Span::styled(format!(" {} ", look.glyphs.separator), look.style(Tone::Dim)));
        }
        spans.push(Span::styled(words, look.style(tone)));
    }
    Line::from(spans)
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

/// The section that is worked through: that of the current line, else the last.
fn current(checklist: &Checklist) -> Option<&Phase> {
    let now = checklist.current.as_ref().map(crate::model::ItemId::as_str);
    let has_current = |phase: &&Phase| phase.items.iter().any(|item| Some(item.key.as_str()) == now);
    checklist.phases.iter().find(has_current).or_else(|| checklist.phases.last())
}

fn lines(scene: &Scene<'_>, checklist: &Checklist, rows: &Rows<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let chosen = scene.ui.item.what.is_some();
    let focused = scene.ui.focus == Pane::Checklist;
    let titles = checklist.items().map(|item| line::wanted(item, area.width)).max().unwrap_or(0);
    for (y, row) in (0..area.height).zip(rows.seen()) {
        let mut is_at_hand = false;
        match row {
            Row::Run(head) => heading::run(scene, head, area, y, buf),
            Row::Phase(phase) => heading::section(scene, checklist, phase, area, y, buf),
            Row::Item(item) => {
                is_at_hand = rows.at_hand.as_deref() == Some(item.key.as_str());
                if is_at_hand {
                    let tone = if focused { Tone::Accent } else { Tone::Dim };
                    text::put(buf, area, (0, y), look.glyphs.selected, look.style(tone));
                }
                let title = rows.title.as_deref().filter(|_| is_at_hand);
                line::draw(scene, checklist, item, title, titles, area, y, buf);
            }
            Row::Note(line) => {
                text::put_line(buf, area, (0, y), line, area.width.saturating_sub(2), look.glyphs.ellipsis);
            }
            Row::More(line) => {
                is_at_hand = true;
                let room = area.width.saturating_sub(2);
                text::put_line(buf, area, (0, y), line, room, look.glyphs.ellipsis);
            }
        }
        if is_at_hand && chosen && focused {
            let whole = text::clip(buf, Rect { y: area.y.saturating_add(y), height: 1, ..area });
            buf.set_style(whole, look.style(Tone::Selection));
        }
    }
    let more = |buf: &mut Buffer, y: u16, glyph: &str| {
        text::put(buf, area, (area.width.saturating_sub(1), y), glyph, look.style(Tone::Dim));
    };
    if rows.is_more_above() {
        more(buf, 0, look.glyphs.up);
    }
    if rows.is_more_below() {
        more(buf, area.height.saturating_sub(1), look.glyphs.down);
    }
}

/// The word for where an item stands.
pub const fn word(state: &ItemState) -> &'static str {
    match state {
        ItemState::Open => "open",
        ItemState::Current => "next",
        ItemState::Satisfied => "to be confirmed",
        ItemState::Waiting { .. } => "waiting",
        ItemState::Running { .. } => "being done",
        ItemState::Failed { .. } => "failed",
        ItemState::Unknown { .. } => "not known",
        ItemState::Done { .. } => "done",
        ItemState::NotApplicable { .. } => "not applicable",
        ItemState::Overridden { .. } => "overridden",
        ItemState::Deferred { .. } => "deferred",
        ItemState::Regressed { .. } => "no longer so",
    }
}

/// The mark of a line.
fn mark(state: &ItemState, scene: &Scene<'_>) -> Sign {
    let glyphs = scene.picture.glyphs;
    let (symbol, tone) = match state {
        ItemState::Open => (glyphs.open, Tone::Dim),
        ItemState::Current => (glyphs.open, Tone::Accent),
        ItemState::Satisfied => (glyphs.ok, Tone::Ok),
        ItemState::Waiting { .. } | ItemState::Running { .. } => (glyphs.running, Tone::Accent),
        ItemState::Failed { .. } => (glyphs.fail, Tone::Fail),
        ItemState::Unknown { .. } => (glyphs.unknown, Tone::Unknown),
        ItemState::Done { .. } => (glyphs.ticked, Tone::Ok),
        ItemState::NotApplicable { .. } => (glyphs.skipped, Tone::Dim),
        ItemState::Overridden { .. } => (glyphs.overridden, Tone::Warn),
        ItemState::Deferred { .. } => (glyphs.deferred, Tone::Accent),
        ItemState::Regressed { .. } => (glyphs.regressed, Tone::Warn),
    };
    Sign { symbol, word: word(state), tone }
}

/// One line, for where the pane has no room.
pub fn summary(scene: &Scene<'_>) -> String {
    let Some(incident) = incident(scene) else { return "no incident is open".to_owned() };
    let checklist = of(scene, incident);
    let separator = scene.picture.glyphs.separator;
    let (settled, total) = checklist.progress();
    let progress = match checklist.runs.as_slice() {
        [run] => run.progress.words(),
        _ => format!("{settled}/{total}"),
    };
    let clock = current(&checklist).and_then(|phase| heading::window(phase, true));
    let clock = clock.map_or_else(String::new, |(clock, _)| format!(" {separator} {clock}"));
    let next = checklist.current.as_ref().and_then(|id| checklist.item(id.as_str()));
    let next = next.map_or("all settled", |item| item.title.as_str());
    format!("{next} {separator} {progress}{clock}")
}

#[cfg(test)]
mod tests;
