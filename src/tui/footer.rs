//! The line at the bottom: the keys that matter now, and what to do. A message takes it over; so does the menu of a key that
//! begins a command.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::commands::{Action, COMMANDS, Command};
use super::key::{Key, Sequence};
use super::keymap::Lookup;
use super::panes::checklist;
use super::scene::Scene;
use super::telling::{Advice, advice};
use super::theme::Tone;
use super::ui::{Toast, ToastKind};
use super::widgets::panel::{self, Panel};
use super::widgets::text::{self, Cut, clauses, clean, clip, fit, put, put_line, width};

/// The most rows of a menu.
const MENU: usize = 10;
/// The narrowest entry of a menu with several columns.
const CELL: usize = 30;
/// Columns between two hints.
const GAP: usize = 3;

/// Draws it in the last row of the area; the menu of a key that begins a command takes the rows above it that it needs.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let line = Rect { y: area.bottom() - 1, height: 1, ..area };
    let look = scene.look();
    buf.set_style(clip(buf, line), look.style(Tone::Footer));
    if !scene.ui.pending.is_empty() {
        if let Lookup::Prefix(follow) = scene.picture.keymap.lookup(&scene.ui.pending) {
            menu(scene, &follow, area, buf);
        }
    } else if let Some(toast) = &scene.ui.toast {
        draw_toast(scene, toast, line, buf);
    } else {
        rest(scene, line, buf);
    }
}

/// Hints, the guide's words, what to do.
///
/// ```text
///  R roll back   a acknowledge   Enter open   ? help              ROLL BACK NOW · 2 findings
/// ```
fn rest(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let room = usize::from(area.width).saturating_sub(2);
    let guide = super::guide::words(scene).map(|words| clean(&words).into_owned());
    // The guide's words are whole or not there; what to do stands elsewhere too, and makes room for them.
    let guided = guide.as_ref().map_or(0, |guide| width(guide) + GAP);
    let fits = |text: &str| width(text) + guided <= room;
    let right = advice(scene).and_then(|Advice { tone, words, more }| {
        let long = format!("{words} {} {more}", look.glyphs.separator);
        // Half of the line is for keys.
        let is_long = !more.is_empty() && width(&long) <= room / 2;
        let text = if is_long && (fits(&long) || !fits(&words)) { long } else { words };
        let text = fit(&clean(&text), room, Cut::End, look.glyphs.ellipsis).into_owned();
        (guided == 0 || fits(&text) || guided > room + GAP).then_some((text, tone))
    });
    let taken = right.as_ref().map_or(0, |(text, _)| width(text) + GAP);
    let left = room.saturating_sub(taken);
    let guide = guide.filter(|guide| width(guide) <= left);
    let for_hints = guide.as_ref().map_or(left, |guide| left.saturating_sub(width(guide) + GAP));
    let mut x = 1;
    for (key, command, is_available) in hints(scene, for_hints) {
        let tones = if is_available { (Tone::Key, Tone::Text) } else { (Tone::Disabled, Tone::Disabled) };
        x = put(buf, area, (x, 0), &key, look.style(tones.0));
        x = put(buf, area, (x + 1, 0), title(command, scene), look.style(tones.1)) + GAP as u16;
    }
    if let Some(guide) = guide {
        put(buf, area, (x, 0), &guide, look.style(Tone::Accent));
    }
    if let Some((text, tone)) = right {
        let from = usize::from(area.width).saturating_sub(width(&text) + 1);
        put(buf, area, (from as u16, 0), &text, look.style(tone));
    }
}

/// The commands that matter most now, as many as fit. Which ones they are depends on the weights; their order does not, so
/// that a key stays where it was.
fn hints(scene: &Scene<'_>, room: usize) -> Vec<(String, &'static Command, bool)> {
    let mut weighed: Vec<(u8, usize)> = COMMANDS
        .iter()
        .enumerate()
        .map(|(place, command)| ((command.hint)(scene), place))
        .filter(|(weight, _)| *weight > 0)
        .collect();
    weighed.sort_by_key(|(weight, place)| (std::cmp::Reverse(*weight), *place));
    let mut chosen = Vec::new();
    let mut left = room;
    for (_, place) in weighed {
        let command = &COMMANDS[place];
        let Some(key) = scene.picture.keymap.key_of(command.id) else { continue };
        let taken = width(&key) + 1 + width(title(command, scene)) + GAP;
        // The gap behind the last one is not needed.
        if taken > left + GAP {
            break;
        }
        left = left.saturating_sub(taken);
        chosen.push((place, key));
    }
    chosen.sort_unstable();
    let hint = |(place, key)| {
        let command: &'static Command = &COMMANDS[place];
        (key, command, (command.available)(scene).is_ok())
    };
    chosen.into_iter().map(hint).collect()
}

/// What a command does now, in the fewest words.
fn title(command: &'static Command, scene: &Scene<'_>) -> &'static str {
    if command.action != Action::Tick {
        return command.title;
    }
    let asks = checklist::asks(scene);
    let item = checklist::item_at_hand(scene);
    asks.zip(item).map_or(command.title, |(asks, item)| asks.verb(&item))
}

/// A message, in place of everything else.
fn draw_toast(scene: &Scene<'_>, toast: &Toast, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let glyphs = look.glyphs;
    let (symbol, tone) = match toast.kind {
        ToastKind::Said => (glyphs.separator, Tone::Text),
        ToastKind::Done => (glyphs.ticked, Tone::Ok),
        ToastKind::Refused => (glyphs.fail, Tone::Fail),
    };
    let back = match (toast.kind, scene.picture.keymap.key_of("back")) {
        (ToastKind::Refused, Some(key)) => format!("{key} closes"),
        _ => String::new(),
    };
    let text = format!("{symbol} {}", clean(&toast.text));
    let room = usize::from(area.width).saturating_sub(2);
    let for_text = room.saturating_sub(if back.is_empty() { 0 } else { width(&back) + GAP });
    // Rather the whole message than how to close it.
    let is_whole = width(&text) <= for_text;
    let shown = fit(&text, if is_whole { for_text } else { room }, Cut::End, glyphs.ellipsis);
    put(buf, area, (1, 0), &shown, look.style(tone));
    if is_whole && !back.is_empty() {
        let from = usize::from(area.width).saturating_sub(width(&back) + 1) as u16;
        put(buf, area, (from, 0), &back, look.style(Tone::Dim));
    }
}

/// What can follow the keys that were pressed, each with why it cannot be used now.
///
/// ```text
/// ╭ ! ──────────────────────────────────────────────────────────────────╮
/// │ p pause  no operation is going on      m maintenance page            │
/// ╰──────────────────────────────────────────────────────────────────────╯
///  ! …                                                        Esc back
/// ```
fn menu(scene: &Scene<'_>, follow: &[(Key, &'static Command)], area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let pressed = Sequence(scene.ui.pending.clone()).to_string();
    let last = area.height - 1;
    let line = Rect { y: area.y + last, height: 1, ..area };
    let x = put(buf, line, (1, 0), &pressed, look.style(Tone::Key));
    put(buf, line, (x + 1, 0), look.glyphs.ellipsis, look.style(Tone::Dim));
    if let Some(back) = scene.picture.keymap.key_of("back") {
        let text = format!("{back} back");
        let from = usize::from(area.width).saturating_sub(width(&text) + 1) as u16;
        put(buf, line, (from, 0), &text, look.style(Tone::Dim));
    }
    let mut entries: Vec<_> = follow
        .iter()
        .filter_map(|(key, entry)| {
            let place = COMMANDS.iter().position(|command| command.id == entry.id)?;
            Some((place, key.to_string(), (entry.available)(scene)))
        })
        .collect();
    entries.sort_by_key(|(place, ..)| *place);
    let inside = usize::from(area.width.saturating_sub(4));
    // As few columns as hold all of them, so that reasons have room.
    let most = usize::from(last.saturating_sub(2)).min(MENU);
    let columns = entries.len().div_ceil(most.max(1)).clamp(1, (inside / CELL).max(1));
    let rows = entries.len().div_ceil(columns).min(most);
    if entries.len() > rows * columns {
        // What can be used now is not what is left out.
        entries.sort_by_key(|(place, _, answer)| (answer.is_err(), *place));
    }
    if rows == 0 || inside == 0 {
        return in_one_line(scene, &entries, line, x + 3, buf);
    }
    let frame = Rect { y: area.y + last - rows as u16 - 2, height: rows as u16 + 2, ..area };
    let frame = clip(buf, frame);
    ratatui::widgets::Widget::render(ratatui::widgets::Clear, frame, buf);
    buf.set_style(frame, look.style(Tone::Text));
    let title = Panel { title: &pressed, ..Panel::default() };
    let inner = panel::draw(buf, frame, &title, look);
    let cell = inside / columns;
    for (number, (place, key, answer)) in entries.iter().enumerate().take(rows * columns) {
        let at = (1 + (number / rows * cell) as u16, (number % rows) as u16);
        let room = cell.saturating_sub(GAP);
        let line = entry(key, COMMANDS[*place].title, answer, room, look);
        put_line(buf, inner, at, &line, room as u16, look.glyphs.ellipsis);
    }
}

fn entry<'a>(
    key: &'a str,
    title: &'a str,
    answer: &'a Result<(), String>,
    room: usize,
    look: super::widgets::Look<'_>,
) -> Line<'a> {
    let left = room.saturating_sub(width(key) + 1 + width(title) + 2);
    match answer {
        Ok(()) => Line::from(vec![
            Span::styled(key, look.style(Tone::Key)),
            Span::styled(format!(" {title}"), look.style(Tone::Text)),
        ]),
        Err(why) => Line::from(vec![
            Span::styled(format!("{key} {title}"), look.style(Tone::Disabled)),
            Span::styled(format!("  {}", clauses(why, left, look.glyphs.ellipsis)), look.style(Tone::Dim)),
        ]),
    }
}

/// Where there is no room for a menu: what can be used now, as much as fits.
fn in_one_line(
    scene: &Scene<'_>,
    entries: &[(usize, String, Result<(), String>)],
    area: Rect,
    from: u16,
    buf: &mut Buffer,
) {
    let look = scene.look();
    let mut x = from;
    for (place, key, _) in entries.iter().filter(|(.., answer)| answer.is_ok()) {
        let title = COMMANDS[*place].title;
        if usize::from(x) + width(key) + width(title) + 2 > usize::from(area.width) {
            break;
        }
        x = put(buf, area, (x, 0), key, look.style(Tone::Key));
        x = text::put(buf, area, (x + 1, 0), title, look.style(Tone::Text)) + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::guide::Guide;
    use crate::tui::testing::{self, drawn, gallery, styles, text};
    use crate::tui::ui::{Page, Scroll, Ui};

    /// The keys that matter now, and what to do, at every width.
    #[test]
    fn every_state_at_every_width() {
        let ui = Ui::new((120, 40));
        let states = [
            ("at rest", testing::rest()),
            ("incident", testing::incident()),
            ("rollback", testing::running()),
            ("needs a decision", testing::needs_decision()),
            ("recovered", testing::recovered()),
        ];
        let states: Vec<_> = states.iter().map(|(name, picture)| (*name, picture, &ui)).collect();
        insta::assert_snapshot!(gallery(&states, &[(160, 1), (120, 1), (80, 1), (40, 1), (12, 1)], draw));
    }

    /// Which keys are shown changes with what goes on; the order in which they stand does not.
    #[test]
    fn keys_keep_their_order() {
        let place = |command: &Command| COMMANDS.iter().position(|it| it.id == command.id);
        for picture in [testing::rest(), testing::incident(), testing::running(), testing::recovered()] {
            let mut ui = Ui::new((120, 40));
            for page in [None, Some(Page::Timeline)] {
                ui.pages = page.into_iter().map(|page| (page, Scroll::default())).collect();
                for room in [20, 60, 100, 200] {
                    let shown = hints(&Scene::new(&picture, &ui), room);
                    assert!(shown.is_sorted_by_key(|(_, command, _)| place(command)), "{shown:?}");
                }
            }
        }
    }

    /// A key that begins a command shows what can follow, and why some of it cannot.
    #[test]
    fn a_beginning_shows_what_follows() {
        let mut ui = Ui::new((120, 40));
        ui.pending = Sequence::parse("!").unwrap().0;
        let picture = testing::incident();
        let sizes = [(160, 10), (80, 14), (40, 9), (40, 2)];
        insta::assert_snapshot!(gallery(&[("incident", &picture, &ui)], &sizes, draw));
    }

    /// A message takes the line; one about a refusal says how it goes away. The guide's words leave room for keys.
    #[test]
    fn messages_and_the_guide() {
        let picture = testing::incident();
        let mut ui = Ui::new((120, 40));
        let mut shown = Vec::new();
        for (kind, said) in [
            (ToastKind::Said, "the window is 5 m"),
            (ToastKind::Done, "INC-1 acknowledged"),
            (
                ToastKind::Refused,
                "refused: checkout is being rolled back already (op-2)\u{1b}[31m; wait for it to end",
            ),
        ] {
            ui.toast = Some(Toast { text: said.to_owned(), kind, at: picture.now });
            for width in [100, 40] {
                shown.push(text(&drawn(&picture, &ui, (width, 1), draw)));
            }
        }
        shown.push(styles(&drawn(&picture, &ui, (100, 1), draw)));
        ui.toast = None;
        ui.guide = Some(Guide::default());
        for width in [160, 120, 80, 60, 40] {
            shown.push(text(&drawn(&picture, &ui, (width, 1), draw)));
        }
        insta::assert_snapshot!(shown.join("\n"));
    }
}
