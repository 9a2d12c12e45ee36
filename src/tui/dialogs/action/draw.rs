//! Where what is asked is shown. The fields and the line that says what confirms are at the bottom at every size; what is
//! above them scrolls.
//!
//! ```text
//! ┏ Roll back checkout ━━━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ both ends, strategy, plan, guardrails,    ┃  scrolls
//! ┃ what else changes, what if it fails       ┃
//! ┃ ───────────────────────────────────────── ┃
//! ┃ reason   errors 7.1 % above 5 % …         ┃
//! ┃ name     checkout                         ┃
//! ┃ checkout ✓ · y rolls back                 ┃
//! ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use super::content;
use super::subject::Subject;
use super::text::Text;
use super::{ActionDialog, Stop, words};
use crate::tui::commands::Danger;
use crate::tui::dialogs::frame;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::Look;
use crate::tui::widgets::panel::Frame;
use crate::tui::widgets::text::{put, put_line, width, wrap};

/// Columns that a dialog would like inside: less where there is less to say.
fn columns(dialog: &ActionDialog) -> u16 {
    if dialog.subject.is_proposed() { 100 } else { 68 }
}

/// The parts of a dialog, as they are for a screen.
struct Parts {
    outer: Rect,
    inner: Rect,
    /// The title, where there is no frame to bear it.
    title: Rect,
    /// From one version to the other, where the content has no room for both ends.
    ends: Rect,
    content: Rect,
    rule: Rect,
    overriding: Rect,
    text: Rect,
    name: Rect,
    confirm: Rect,
}

/// What there is no room for has no rows. In the order of need: what confirms, the field that is edited, what it is, the ends,
/// the other field, the content.
fn parts(dialog: &ActionDialog, scene: &Scene<'_>, screen: Rect) -> (Parts, usize) {
    let look = scene.look();
    let wide = columns(dialog);
    let (_, inner) = frame::place(screen, wide, u16::MAX);
    let width = usize::from(inner.width);
    let total = content::lines(dialog, scene, look, width).rows.len();
    let says = confirm_rows(dialog, scene, look, inner.width, inner.height);
    let is_named = dialog.danger == Danger::Production;
    let overrides = matches!(dialog.focus, Stop::Override(_));
    let has_text = dialog.text() != Text::Not;
    let fields = u16::from(has_text) + u16::from(is_named) + u16::from(overrides);
    let wish = u16::try_from(total).unwrap_or(u16::MAX).saturating_add(1 + fields + says);
    let (outer, inner) = frame::place(screen, wide, wish);
    let mut left = inner.height;
    let mut take = |rows: u16, when: bool| {
        let rows = if when { rows.min(left) } else { 0 };
        left -= rows;
        rows
    };
    let is_framed = outer != inner;
    let has_ends =
        matches!(dialog.subject, Subject::RollBack { .. } | Subject::Promote { .. } | Subject::Deploy { .. });
    let confirm = take(says.min(inner.height.saturating_sub(4).max(1)), true);
    let name = take(1, is_named);
    let overriding = take(1, overrides);
    let edits_text = dialog.focus == Stop::Text;
    let first_text = take(1, has_text && (!is_named || edits_text));
    let title = take(1, !is_framed);
    let ends = take(1, has_ends && (!is_framed || inner.height < 16));
    let text = first_text + take(1, has_text && first_text == 0);
    let rule = take(1, inner.height >= 12);
    let content = left;
    let mut y = inner.y;
    let mut rows = |height: u16| {
        let area = Rect { y, height, ..inner };
        y += height;
        area
    };
    let parts = Parts {
        outer,
        inner,
        title: rows(title),
        ends: rows(ends),
        content: rows(content),
        rule: rows(rule),
        overriding: rows(overriding),
        text: rows(text),
        name: rows(name),
        confirm: rows(confirm),
    };
    let last = total.saturating_sub(usize::from(content));
    (parts, last)
}

/// The most lines that can be above the ones that are seen.
pub(super) fn last_scroll(dialog: &ActionDialog, scene: &Scene<'_>) -> usize {
    let (columns, rows) = scene.ui.size;
    parts(dialog, scene, Rect::new(0, 0, columns, rows)).1
}

pub(super) fn draw(
    dialog: &ActionDialog,
    scene: &Scene<'_>,
    area: Rect,
    buf: &mut Buffer,
) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let look = scene.look();
    let (parts, last) = parts(dialog, scene, area);
    let title = words::title(&dialog.subject);
    let (border, title_tone) = match dialog.danger {
        Danger::Production => (Frame::Danger, Tone::Danger),
        _ => (Frame::Focused, Tone::Focus),
    };
    frame::open(scene, (parts.outer, parts.inner), buf, &title, border);
    let line = |text: String, tone| Line::from(Span::styled(text, look.style(tone)));
    let ellipsis = look.glyphs.ellipsis;
    let mut one = |area: Rect, line: &Line<'_>| {
        if area.height > 0 {
            put_line(buf, area, (0, 0), line, area.width, ellipsis);
        }
    };
    one(parts.title, &line(title, title_tone));
    one(parts.ends, &ends(dialog, look));
    let scroll = dialog.scroll.min(last);
    let shown = content::lines(dialog, scene, look, usize::from(parts.content.width));
    for (row, content) in shown.rows.iter().skip(scroll).take(usize::from(parts.content.height)).enumerate() {
        let row = Rect { y: parts.content.y + row as u16, height: 1, ..parts.content };
        one(row, content);
    }
    rule(parts.rule, buf, look, (scroll, last));
    let mut cursor = None;
    let mut field = |area: Rect, label: &str, input: &tui_input::Input, stop: Stop| {
        if area.height > 0 {
            cursor = cursor.or(frame::field(look, area, buf, label, input, dialog.focus == stop));
        }
    };
    if let Stop::Override(guardrail) = dialog.focus
        && let Some((_, input)) = dialog.overrides.iter().find(|(known, _)| *known == guardrail)
    {
        let label = format!("override {}, because", guardrail.word());
        field(parts.overriding, &label, input, Stop::Override(guardrail));
    }
    let label = dialog.text().label();
    field(parts.text, &crate::tui::widgets::text::pad(label, 6, ""), &dialog.reason, Stop::Text);
    field(parts.name, "name  ", &dialog.name, Stop::Name);
    let (text, tone) = confirmation(dialog, scene, look, parts.confirm.width);
    let lines = wrap(&text, usize::from(parts.confirm.width));
    let rows = usize::from(parts.confirm.height);
    for (row, text) in lines.iter().take(rows).enumerate() {
        // The last row of what is longer says that there is more.
        let cut = row + 1 == rows && lines.len() > rows;
        let text = if cut { format!("{text}{ellipsis}") } else { text.clone() };
        let y = u16::try_from(row).unwrap_or(0);
        let line = Line::from(Span::styled(text, look.style(tone)));
        put_line(buf, parts.confirm, (0, y), &line, parts.confirm.width, ellipsis);
    }
    cursor
}

fn ends(dialog: &ActionDialog, look: Look<'_>) -> Line<'static> {
    let proposal = dialog.proposal();
    let to = proposal.and_then(|proposal| proposal.target.release.as_ref());
    let (from, to) = match &dialog.subject {
        Subject::RollBack { from, asked, .. } => {
            let chosen = to.map(|release| &release.version).or(asked.as_ref());
            (from.version.to_string(), chosen.map_or_else(|| "?".to_owned(), ToString::to_string))
        }
        Subject::Deploy { from, release, .. } => (from.version.to_string(), release.version.to_string()),
        Subject::Promote { canary, .. } => {
            let from = proposal.and_then(|proposal| proposal.from.as_ref());
            (from.map_or_else(|| "?".to_owned(), |from| from.version.to_string()), canary.version.to_string())
        }
        _ => return Line::default(),
    };
    Line::from(Span::styled(format!("{from} {} {to}", look.glyphs.arrow), look.style(Tone::Text)))
}

/// A line between what scrolls and what does not; it says whether there is more.
fn rule(area: Rect, buf: &mut Buffer, look: Look<'_>, (scroll, last): (usize, usize)) {
    if area.height == 0 {
        return;
    }
    let style = look.style(Tone::Border);
    for x in 0..area.width {
        put(buf, area, (x, 0), look.glyphs.border.horizontal_top, style);
    }
    let mut end = 0;
    if last > 0 {
        let (up, down) = (look.glyphs.up, look.glyphs.down);
        let more =
            if scroll < last { format!(" {} more lines {down} ", last - scroll) } else { format!(" {up} ") };
        end = put(buf, area, (2, 0), &more, look.style(Tone::Key));
    }
    let keys = format!(" ^y copies it as a command line {} Esc leaves ", look.glyphs.separator);
    let room = u16::try_from(width(&keys)).unwrap_or(u16::MAX);
    if end.saturating_add(room).saturating_add(4) <= area.width {
        put(buf, area, (area.width - room - 2, 0), &keys, look.style(Tone::Dim));
    }
}

/// Rows for what confirms or what is in the way: a long reason in more than one, if they can be spared.
fn confirm_rows(dialog: &ActionDialog, scene: &Scene<'_>, look: Look<'_>, width: u16, height: u16) -> u16 {
    let (text, _) = confirmation(dialog, scene, look, width);
    let rows = wrap(&text, usize::from(width)).len().clamp(1, 4);
    (rows as u16).min((height / 4).max(1))
}

/// What confirms, or what is in the way; in fewer words where there are fewer columns.
fn confirmation(dialog: &ActionDialog, scene: &Scene<'_>, look: Look<'_>, width: u16) -> (String, Tone) {
    if let Some(note) = &dialog.note {
        return (note.clone(), Tone::Warn);
    }
    let is_narrow = width < 36;
    let confirms = format!("{} {}", dialog.confirm, words::does(&dialog.subject, dialog.choice));
    let separator = look.glyphs.separator;
    if let Some(obstacle) = dialog.obstacle(scene) {
        if dialog.changed(scene).is_some() {
            return (obstacle, Tone::Fail);
        }
        let asks_name = dialog.danger == Danger::Production && obstacle.starts_with("type ");
        return match (asks_name, is_narrow) {
            (true, false) => (format!("{obstacle} {separator} then {confirms}"), Tone::Text),
            (true, true) => (obstacle, Tone::Text),
            (false, _) => (obstacle, Tone::Warn),
        };
    }
    if dialog.danger == Danger::None {
        return (format!("Enter {}", words::does(&dialog.subject, dialog.choice)), Tone::Key);
    }
    let way = if matches!(dialog.focus, Stop::Text | Stop::Override(_)) { "Tab, then " } else { "" };
    let name = dialog.subject.service().filter(|_| dialog.danger == Danger::Production && !is_narrow);
    let name = name.map(|name| format!("{name} {} {separator} ", look.glyphs.ticked));
    (format!("{}{way}{confirms}", name.unwrap_or_default()), Tone::Key)
}
