//! The headings of the checklist: runs with their progress, sections with theirs and with their time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::current;
use crate::engine::checklist::{Anchor, Checklist, Head, Phase};
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::text::{self, minutes};

/// How far the time of a section has gone, counted from what it is counted from: `03:12 of 05:00`, `18:40 of 15:00, overdue`.
pub(super) fn window(phase: &Phase, is_current: bool) -> Option<(String, Tone)> {
    let is_settled = phase.settled() == phase.counted();
    let Some(elapsed) = phase.elapsed else {
        return match (phase.anchor, phase.until) {
            (Anchor::Resolved, _) => Some(("when it is resolved".to_owned(), Tone::Dim)),
            (Anchor::Section, Some(until)) => {
                Some((format!("{} once it is begun", minutes(until)), Tone::Dim))
            }
            _ => None,
        };
    };
    if elapsed < phase.from {
        let from = minutes(phase.from);
        let in_time = text::left(phase.from.saturating_sub(elapsed));
        return (!is_settled).then(|| (format!("from {from}, in {in_time}"), Tone::Dim));
    }
    let lasted = minutes(elapsed);
    match phase.until {
        _ if is_settled && !is_current => None,
        Some(_) if phase.passed_before => Some(("its time was over before".to_owned(), Tone::Dim)),
        Some(until) if phase.overdue => {
            Some((format!("{lasted} of {}, overdue", minutes(until)), Tone::Warn))
        }
        Some(until) => Some((format!("{lasted} of {}", minutes(until)), Tone::Text)),
        None => is_current.then_some((lasted, Tone::Dim)),
    }
}

/// A runbook, where several are worked through.
pub(super) fn run(scene: &Scene<'_>, head: &Head, area: Rect, y: u16, buf: &mut Buffer) {
    let look = scene.look();
    let progress = head.progress.words();
    let room = usize::from(area.width).saturating_sub(4 + text::width(&progress));
    let title = text::short(&head.title, room, look.glyphs.ellipsis).into_owned();
    let line = Line::from(vec![
        Span::styled(title, look.style(Tone::Title)),
        Span::styled(format!("  {progress} "), look.style(Tone::Text)),
    ]);
    let end = text::put_line(buf, area, (1, y), &line, area.width.saturating_sub(2), look.glyphs.ellipsis);
    // A rule tells one from the other.
    for x in end..area.width.saturating_sub(2) {
        text::put(buf, area, (x, y), look.glyphs.border.horizontal_top, look.style(Tone::Border));
    }
}

/// The title of a section, without the name of its runbook where that stands above it.
fn title<'a>(checklist: &Checklist, phase: &'a Phase) -> &'a str {
    let runbook = phase.run.as_str().split_once('/').map_or("", |(_, runbook)| runbook);
    let rest = phase.title.strip_prefix(runbook).and_then(|rest| rest.strip_prefix(": "));
    rest.filter(|_| checklist.runs.len() > 1).unwrap_or(&phase.title)
}

/// A section: what it is about, how much of it is settled, and its time.
pub(super) fn section(
    scene: &Scene<'_>,
    checklist: &Checklist,
    phase: &Phase,
    area: Rect,
    y: u16,
    buf: &mut Buffer,
) {
    let look = scene.look();
    let is_current = current(checklist).is_some_and(|current| std::ptr::eq(current, phase));
    let tone = if is_current { Tone::Title } else { Tone::Dim };
    let progress = phase.progress();
    let said = progress.words();
    let is_loud = progress.deferred + progress.regressed > 0 && said.starts_with("COMPLETE");
    let right = match &phase.gate {
        Some(gate) if phase.settled() < phase.counted() => {
            Some((format!("waits: {}", text::plain(gate)), Tone::Dim))
        }
        _ => window(phase, is_current),
    };
    let wanted = right.as_ref().map_or(0, |(words, _)| text::width(words) + 2);
    let room = usize::from(area.width).saturating_sub(3);
    // Its time goes before its name is cut.
    let name = title(checklist, phase);
    let whole = text::width(name) + 2 + text::width(&said);
    let right = right.filter(|_| whole.min(room / 2) + wanted <= room);
    let for_title =
        room.saturating_sub(text::width(&said) + 2).saturating_sub(right.as_ref().map_or(0, |_| wanted));
    let title = text::short(name, for_title, look.glyphs.ellipsis).into_owned();
    let left = Line::from(vec![
        Span::styled(title, look.style(tone)),
        Span::styled(format!("  {said}"), look.style(if is_loud { Tone::Warn } else { Tone::Dim })),
    ]);
    text::put_line(buf, area, (1, y), &left, area.width.saturating_sub(2), look.glyphs.ellipsis);
    if let Some((words, tone)) = right {
        let x = area.width.saturating_sub(2 + u16::try_from(text::width(&words)).unwrap_or(u16::MAX));
        text::put(buf, area, (x, y), &words, look.style(tone));
    }
}
