//! Where a message that is being written is shown.
//!
//! ```text
//! ┏ Message about INC-17 ━━━━━━━━━━━━━━━━━━━━━┓
//! ┃ internal: due in 4 m · external: never    ┃
//! ┃ for    ‹ internal ›                       ┃
//! ┃ known  errors 7.1 % of the canary         ┃
//! ┃ impact …                                  ┃
//! ┃ doing  …                                  ┃
//! ┃ next   20m                                ┃
//! ┃ ──────────────────────────────────────    ┃
//! ┃ the text                                  ┃  scrolls
//! ┃ ^s shows what is sent · Esc keeps it      ┃
//! ┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┛
//! ```
//!
//! On a small screen only the field that is edited is there, the text, and what the keys do.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::Input;

use super::{Compose, FIELDS, STOPS, Stop};
use crate::engine::messages::due;
use crate::model::incident::{Audience, Incident};
use crate::tui::dialogs::frame;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::panel::Frame;
use crate::tui::widgets::text::{Cut, clean, fit, left, put, wrap};

/// Columns that it would like inside.
const COLUMNS: u16 = 92;
/// Below so many rows inside there is only the field that is edited.
const ROOMY: u16 = 13;
/// Columns of a label.
const LABEL: usize = 6;

pub(super) fn draw(dialog: &Compose, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let look = scene.look();
    let (_, most) = frame::place(area, COLUMNS, u16::MAX);
    let text = text(dialog, scene, usize::from(most.width));
    let keys = keys(dialog, scene, usize::from(most.width));
    let wish = (text.len() + keys.len() + STOPS.len() + 2).max(usize::from(ROOMY));
    let (outer, inner) = frame::place(area, COLUMNS, u16::try_from(wish).unwrap_or(u16::MAX));
    let title = match &dialog.ready {
        Some(_) => format!("Send this about {}?", dialog.incident),
        None => format!("Message about {}", dialog.incident),
    };
    frame::open(scene, (outer, inner), buf, &title, Frame::Focused);
    let mut y = 0;
    let mut cursor = None;
    let below = inner.height.saturating_sub(u16::try_from(keys.len()).unwrap_or(u16::MAX));
    let line = |buf: &mut Buffer, y: &mut u16, words: &str, tone: Tone| {
        if *y < below {
            let words = fit(words, usize::from(inner.width), Cut::default(), look.glyphs.ellipsis);
            put(buf, inner, (0, *y), &words, look.style(tone));
            *y += 1;
        }
    };
    if outer == inner {
        line(buf, &mut y, &title, Tone::Focus);
    }
    if dialog.ready.is_none() {
        let is_roomy = inner.height >= ROOMY;
        if is_roomy && let Some(incident) = scene.state().incident(&dialog.incident) {
            let (words, tone) = awaited(incident, scene);
            line(buf, &mut y, &words, tone);
        }
        let live = dialog.live(scene).unwrap_or_default();
        for stop in STOPS.into_iter().filter(|stop| is_roomy || *stop == dialog.stop) {
            if y >= below {
                break;
            }
            let row = Rect { y: inner.y + y, height: 1, ..inner };
            let edited = stop == dialog.stop;
            let placed = match stop {
                Stop::Audience => {
                    let word = dialog.audience.word();
                    let word = if edited { format!("< {word} >") } else { word.to_owned() };
                    frame::field(look, row, buf, &label("for"), &Input::new(word), false)
                }
                Stop::Next => frame::field(look, row, buf, &label("next"), &dialog.next, edited),
                Stop::Field(index) => {
                    // One that is typed has the cursor where the person has put it.
                    let shown = &dialog.fields[index].input;
                    let known = Input::new(dialog.value(index, &live));
                    let is_typed = dialog.fields[index].taken_from.is_some();
                    let input = if is_typed { shown } else { &known };
                    frame::field(look, row, buf, &label(FIELDS[index].1), input, edited)
                }
            };
            cursor = cursor.or(placed);
            y += 1;
        }
        if is_roomy {
            let dash = look.glyphs.border.horizontal_top.repeat(usize::from(inner.width));
            line(buf, &mut y, &dash, Tone::Border);
        }
    }
    let room = usize::from(below.saturating_sub(y));
    let scroll = dialog.scroll.min(text.len().saturating_sub(room));
    // What is not seen is said to be there: nobody sends half a text for the whole.
    let hidden = text.len().saturating_sub(scroll + room);
    let shown = if hidden > 0 { room.saturating_sub(1) } else { room };
    for (words, tone) in text.iter().skip(scroll).take(shown) {
        line(buf, &mut y, words, *tone);
    }
    if hidden > 0 {
        line(buf, &mut y, &format!("{} {} more lines", look.glyphs.down, hidden + 1), Tone::Key);
    }
    for (row, (words, tone)) in (below..inner.height).zip(&keys) {
        put(buf, inner, (0, row), words, look.style(*tone));
    }
    cursor
}

fn label(word: &str) -> String {
    format!("{word:<LABEL$}")
}

/// The text, as it is or as it would be sent.
fn text(dialog: &Compose, scene: &Scene<'_>, width: usize) -> Vec<(String, Tone)> {
    let (told, tone) = match &dialog.ready {
        Some(ready) => (Ok(ready.told.clone()), Tone::Text),
        None => (dialog.text(scene), Tone::Dim),
    };
    match told {
        Ok(told) => wrap(&shown(&told.text), width).into_iter().map(|line| (line, tone)).collect(),
        Err(why) => wrap(&clean(&why), width).into_iter().map(|line| (line, Tone::Fail)).collect(),
    }
}

/// Without what a terminal would act upon; its lines stay.
fn shown(text: &str) -> String {
    text.lines().map(|line| clean(line).into_owned()).collect::<Vec<_>>().join("\n")
}

/// What the keys do, and what is in the way.
fn keys(dialog: &Compose, scene: &Scene<'_>, width: usize) -> Vec<(String, Tone)> {
    let dot = scene.look().glyphs.separator;
    let mut lines: Vec<(String, Tone)> = Vec::new();
    let mut say = |words: &str, tone: Tone| {
        lines.extend(wrap(&clean(words).replace('`', ""), width).into_iter().map(|line| (line, tone)));
    };
    if let Some(note) = &dialog.note {
        say(note, Tone::Warn);
    }
    match &dialog.ready {
        Some(ready) => {
            let channels: Vec<_> = ready.channels.iter().map(ToString::to_string).collect();
            let who = dialog.audience.word();
            say(
                &format!("y sends it, as {who}, to {} {dot} Esc back to the text", channels.join(", ")),
                Tone::Key,
            );
        }
        None => {
            if dialog.note.is_none()
                && let Some(index) = dialog.overtaken(scene)
            {
                say(
                    &format!("{} has changed since you edited it; there ^r takes it anew", FIELDS[index].2),
                    Tone::Warn,
                );
            }
            if width < 60 {
                say(&format!("^s sends {dot} Tab next {dot} Esc keeps"), Tone::Key);
            } else {
                say(
                    &format!("^s shows what is sent {dot} Tab next field {dot} Esc keeps the draft"),
                    Tone::Key,
                );
            }
        }
    }
    lines
}

/// Who waits, and since when.
fn awaited(incident: &Incident, scene: &Scene<'_>) -> (String, Tone) {
    let now = scene.now();
    let mut tone = Tone::Dim;
    let words = Audience::ALL.map(|audience| {
        let told = incident.updates.get(&audience).and_then(|update| update.at);
        let told =
            told.map_or_else(|| "never told".to_owned(), |at| format!("told {} ago", left(age(at, now))));
        // Nobody outside waits for what nobody outside was ever told of.
        let is_awaited = audience == Audience::Internal || incident.updates.contains_key(&audience);
        let next = match due(incident, audience).filter(|_| is_awaited) {
            None => String::new(),
            Some(due) if due <= now => {
                tone = Tone::Warn;
                format!(", OVERDUE by {}", left(age(due, now)))
            }
            Some(due) => format!(", due in {}", left(age(now, due))),
        };
        format!("{}: {told}{next}", audience.word())
    });
    (words.join(&format!(" {} ", scene.look().glyphs.separator)), tone)
}
