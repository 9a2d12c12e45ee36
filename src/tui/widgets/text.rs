//! Text in columns: how wide it is, cutting and wrapping it between characters as people see them, drawing it.
//!
//! - [`clean`]: text that others wrote, without what would reach into the terminal.
//! - [`age`], [`clock`], [`figure`], [`freshness`], [`left`], [`minutes`], [`percent`], [`value`]: times and numbers as the
//!   screen says them.

mod clean;
mod quantity;

use std::borrow::Cow;

use ratatui::buffer::{Buffer, CellWidth};
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use unicode_segmentation::UnicodeSegmentation;

pub use clean::clean;
pub use quantity::{age, clock, figure, freshness, left, minutes, percent, value};

/// The columns that a text takes, as the screen's buffer counts them.
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(columns).sum()
}

/// The columns of one character as people see it. What holds a control character is not drawn at all.
fn columns(grapheme: &str) -> usize {
    if grapheme.contains(char::is_control) { 0 } else { usize::from(grapheme.cell_width()) }
}

/// As much of the beginning as fits, and how many columns that is.
pub fn head(text: &str, room: usize) -> (&str, usize) {
    let (mut end, mut used) = (0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        let next = used + columns(grapheme);
        if next > room {
            break;
        }
        (end, used) = (at + grapheme.len(), next);
    }
    (&text[..end], used)
}

/// As much of the end as fits, and how many columns that is.
fn tail(text: &str, room: usize) -> (&str, usize) {
    let (mut start, mut used) = (text.len(), 0);
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        let next = used + columns(grapheme);
        if next > room {
            break;
        }
        (start, used) = (at, next);
    }
    (&text[start..], used)
}

/// Which part of a text is left out when it is too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Cut {
    /// The end: for sentences.
    #[default]
    End,
    /// The beginning: for paths, whose end says most.
    Start,
    /// The middle: for digests and long names that differ at both ends.
    Middle,
}

/// The text in at most `room` columns; where something is left out stands the `ellipsis`, which is one column wide.
pub fn fit<'t>(text: &'t str, room: usize, cut: Cut, ellipsis: &str) -> Cow<'t, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let Some(left) = room.checked_sub(width(ellipsis)) else { return Cow::Borrowed("") };
    Cow::Owned(match cut {
        Cut::End => format!("{}{ellipsis}", head(text, left).0.trim_end()),
        Cut::Start => format!("{ellipsis}{}", tail(text, left).0),
        Cut::Middle => {
            let (first, used) = head(text, left.div_ceil(2));
            format!("{first}{ellipsis}{}", tail(text, left - used).0)
        }
    })
}

/// The text without the marks that set names apart where there is nothing else to do it.
pub fn plain(text: &str) -> String {
    text.replace('`', "")
}

/// What separates a statement from what is added to it.
const JOINTS: [&str; 8] = [". ", ": ", ", ", "; ", " > ", " < ", " (", " and "];

/// As much of a statement as fits in whole clauses, without a mark: what is left out only adds to what is there. Where the
/// clauses that fit are not a third of the room, whole words and the `ellipsis`.
pub fn clauses<'t>(text: &'t str, room: usize, ellipsis: &str) -> Cow<'t, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let ends = JOINTS.iter().flat_map(|joint| text.match_indices(joint).map(|(at, _)| at));
    let last = ends.filter(|end| width(&text[..*end]) <= room).max();
    // A name alone, with what is said of it left out, says nothing.
    if let Some(end) = last.filter(|end| *end > 0 && width(&text[..*end]) * 3 >= room) {
        return Cow::Borrowed(&text[..end]);
    }
    let Some(left) = room.checked_sub(width(ellipsis)) else { return Cow::Borrowed("") };
    match head(text, left).0.rsplit_once(' ') {
        Some((words, _)) if !words.is_empty() => Cow::Owned(format!("{words} {ellipsis}")),
        _ => fit(text, room, Cut::End, ellipsis),
    }
}

/// As many whole words as fit, with the `ellipsis` behind them; inside a word only where not even one fits.
pub fn short<'t>(text: &'t str, room: usize, ellipsis: &str) -> Cow<'t, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let Some(left) = room.checked_sub(width(ellipsis) + 1) else {
        return fit(text, room, Cut::End, ellipsis);
    };
    let piece = head(text, left).0;
    let ends_a_word = text[piece.len()..].starts_with(|next: char| !next.is_alphanumeric());
    let whole = if ends_a_word {
        Some(piece)
    } else {
        piece.rsplit_once(char::is_whitespace).map(|(words, _)| words)
    };
    match whole
        .map(|words| words.trim_end_matches([' ', ',', ';', ':', '(']))
        .filter(|words| !words.is_empty())
    {
        Some(words) => Cow::Owned(format!("{words} {ellipsis}")),
        None => fit(text, room, Cut::End, ellipsis),
    }
}

/// The text in exactly `room` columns: cut at its end, or filled with spaces behind it.
pub fn pad(text: &str, room: usize, ellipsis: &str) -> String {
    let text = fit(text, room, Cut::End, ellipsis);
    let spaces = room.saturating_sub(width(&text));
    format!("{text}{:spaces$}", "")
}

/// The text in exactly `room` columns: cut at its end, or filled with spaces in front of it.
pub fn right(text: &str, room: usize, ellipsis: &str) -> String {
    let text = fit(text, room, Cut::End, ellipsis);
    let spaces = room.saturating_sub(width(&text));
    format!("{:spaces$}{text}", "")
}

/// The text in lines of at most `room` columns, broken between words, and inside a word only if it is longer than a line.
/// Line ends in the text stay. Empty for no room; a character wider than the room is left out.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    if room == 0 {
        return Vec::new();
    }
    text.lines().flat_map(|line| wrap_line(line, room)).collect()
}

/// Units that are not parted from their number.
const UNITS: [&str; 8] = ["ms", "s", "m", "h", "d", "%", "B", "MiB"];

/// The words of a line; a number and its unit are one, where there is room for both.
fn words(line: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut rest = line.trim();
    std::iter::from_fn(move || {
        let split = |text: &str| text.find(char::is_whitespace).unwrap_or(text.len());
        let mut end = split(rest);
        let is_number = rest[..end].ends_with(|char: char| char.is_ascii_digit());
        // Only over one space: what is set apart on purpose stays apart.
        if let Some(next) = rest[end..].strip_prefix(' ').filter(|_| is_number) {
            let unit = next[..split(next)].trim_end_matches([',', ';', '.', ':', ')']);
            let both = end + 1 + split(next);
            if UNITS.contains(&unit) && width(&rest[..both]) <= room {
                end = both;
            }
        }
        let (word, more) = rest.split_at(end);
        rest = more.trim_start();
        (!word.is_empty()).then_some(word)
    })
}

fn wrap_line(line: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut current, mut used) = (String::new(), 0);
    for word in words(line, room) {
        let wide = width(word);
        if used > 0 && used + 1 + wide <= room {
            current.push(' ');
            current.push_str(word);
            used += 1 + wide;
            continue;
        }
        if used > 0 {
            lines.push(std::mem::take(&mut current));
        }
        let mut rest = word;
        loop {
            let (piece, wide) = head(rest, room);
            if piece.len() == rest.len() {
                current.push_str(piece);
                used = wide;
                break;
            }
            if piece.is_empty() {
                rest = rest.graphemes(true).next().map_or("", |wider| &rest[wider.len()..]);
                continue;
            }
            lines.push(piece.to_owned());
            rest = &rest[piece.len()..];
        }
    }
    lines.push(current);
    lines
}

/// The part of an area that the buffer has. Everything that is drawn goes through it.
pub fn clip(buf: &Buffer, area: Rect) -> Rect {
    buf.area.intersection(area)
}

/// Draws a text at a place inside an area, counted from the area's corner, as far as the area goes; answers the column behind
/// it. The text is cleaned; what does not fit is left out without a mark: for that there is [`fit`].
pub fn put(buf: &mut Buffer, area: Rect, (x, y): (u16, u16), text: &str, style: impl Into<Style>) -> u16 {
    let seen = clip(buf, area);
    let (left, top) = (area.x.saturating_add(x), area.y.saturating_add(y));
    // A buffer at the very edge of the coordinates, or one that begins behind the area, shows nothing here.
    if left < seen.left() || left >= seen.right() || top < seen.top() || top >= seen.bottom() {
        return x;
    }
    let room = usize::from(seen.right() - left);
    let style = style.into();
    let (end, _) = buf.set_stringn(left, top, clean(text), room, style);
    // The second half of a wide character was reset and has lost what was behind it.
    buf.set_style(Rect { x: left, y: top, width: end - left, height: 1 }, style);
    x + (end - left)
}

/// Draws a line of several styles as [`put`] does, cut with the `ellipsis` after `room` columns.
pub fn put_line(
    buf: &mut Buffer,
    area: Rect,
    at: (u16, u16),
    line: &Line<'_>,
    room: u16,
    ellipsis: &str,
) -> u16 {
    let (mut x, y) = at;
    let room = room.min(area.width.saturating_sub(x));
    let end = x + room;
    let cleaned: Vec<(Cow<'_, str>, Style)> =
        line.spans.iter().map(|span| (clean(&span.content), line.style.patch(span.style))).collect();
    let total: usize = cleaned.iter().map(|(text, _)| width(text)).sum();
    let is_cut = total > usize::from(room);
    let limit = if is_cut { end.saturating_sub(columns(ellipsis) as u16) } else { end };
    let mut last = line.style;
    for (text, style) in cleaned {
        if x >= limit {
            break;
        }
        let (piece, _) = head(&text, usize::from(limit - x));
        let whole = piece.len() == text.len();
        x = put(buf, area, (x, y), piece, style);
        last = style;
        if !whole {
            break;
        }
    }
    if is_cut && x < end { put(buf, area, (x, y), ellipsis, last) } else { x }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::{Modifier, Stylize};

    use super::super::testing::{any_text, in_any_area};
    use super::*;

    /// Text is cut between characters, never in the middle of a wide one, and says that it was cut.
    #[test]
    fn text_is_cut() {
        for (text, room, end, start, middle) in [
            ("checkout", 8, "checkout", "checkout", "checkout"),
            ("checkout", 7, "checko…", "…eckout", "che…out"),
            ("checkout", 2, "c…", "…t", "c…"),
            ("checkout", 1, "…", "…", "…"),
            ("checkout", 0, "", "", ""),
            ("roll back", 6, "roll…", "… back", "rol…ck"),
            ("日本語", 5, "日本…", "…本語", "日…語"),
            ("日本語", 4, "日…", "…語", "日…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…", "…e\u{301}", "e\u{301}…"),
        ] {
            let fit = |cut| fit(text, room, cut, "…").into_owned();
            assert_eq!((fit(Cut::End).as_str(), fit(Cut::Start).as_str()), (end, start), "{text} {room}");
            assert_eq!(fit(Cut::Middle), middle, "{text} {room}");
        }
        assert_eq!(pad("日本語", 4, "…"), "日… ");
        assert_eq!(right("7 s", 5, "…"), "  7 s");
        assert_eq!(fit("checkout", 4, Cut::End, "~"), "che~");
    }

    /// A statement without what was added to it is still one, and no word of it is cut.
    #[test]
    fn statements_are_shortened() {
        let ticked = "INC-1: error-rates ticked by unship: checkout stable 0 % < 5 %";
        assert_eq!(clauses(ticked, 27, "…"), "INC-1: error-rates ticked …");
        let text = "checkout failing: canary: errors 30 % > 5 %, for 2 s";
        for (room, shown) in [
            (99, text),
            (47, "checkout failing: canary: errors 30 % > 5 %"),
            (40, "checkout failing: canary: errors 30 %"),
            (30, "checkout failing: canary"),
            (20, "checkout failing"),
            (12, "checkout …"),
            (6, "check…"),
            (0, ""),
        ] {
            assert_eq!(clauses(text, room, "…"), shown, "{room}");
        }
    }

    /// A line that is too long ends with a whole word and says that it goes on.
    #[test]
    fn lines_end_with_a_word() {
        let text = "Confirm the error rate, below 1 %";
        for (room, shown) in [
            (40, text),
            (24, "Confirm the error rate …"),
            (23, "Confirm the error …"),
            (9, "Confirm …"),
            (8, "Confirm…"),
            (3, "Co…"),
            (0, ""),
        ] {
            assert_eq!(short(text, room, "…"), shown, "{room}");
        }
    }

    /// Words stay whole where they can.
    #[test]
    fn text_is_wrapped() {
        assert_eq!(wrap("the canary fails more often", 12), ["the canary", "fails more", "often"]);
        assert_eq!(wrap("a verylongname b", 5), ["a", "veryl", "ongna", "me b"]);
        assert_eq!(wrap("one\n\n two", 10), ["one", "", "two"]);
        assert_eq!(wrap("日本語", 3), ["日", "本", "語"]);
        assert_eq!(wrap("日a", 1), ["a"]);
        assert_eq!(wrap("a", 0), Vec::<String>::new());
        // A number stays with its unit.
        assert_eq!(wrap("healthy for 3 s, then", 13), ["healthy for", "3 s, then"]);
        assert_eq!(wrap("99 %", 3), ["99", "%"]);
    }

    /// A line of several styles keeps them, and is cut as one text.
    #[test]
    fn lines_are_drawn() {
        let line = Line::from(vec!["✘ ".bold(), "FAIL 日本".into()]);
        let area = Rect::new(0, 0, 10, 1);
        let mut buf = Buffer::empty(area);
        assert_eq!(put_line(&mut buf, area, (0, 0), &line, 10, "…"), 10);
        assert!(
            buf[(0, 0)].modifier.contains(Modifier::BOLD) && !buf[(2, 0)].modifier.contains(Modifier::BOLD)
        );
        let shown: String = buf.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(shown, "✘ FAIL 日 …");
    }

    /// What was drawn below a wide character's second half does not shine through.
    #[test]
    fn wide_characters_keep_their_background() {
        let area = Rect::new(0, 0, 4, 1);
        let mut buf = Buffer::empty(area);
        let style = Style::new().on_red();
        assert_eq!(put(&mut buf, area, (0, 0), "日本", style), 4);
        assert!(buf.content().iter().all(|cell| cell.bg == ratatui::style::Color::Red));
    }

    proptest! {
        /// Whatever is cut fits, and what fits is not cut.
        #[test]
        fn cut_text_fits(text in any_text(), room in 0_usize..40) {
            for cut in [Cut::End, Cut::Start, Cut::Middle] {
                let cut = fit(&text, room, cut, "…");
                prop_assert!(width(&cut) <= room);
                prop_assert!(width(&text) > room || cut == text);
            }
            prop_assert!(width(&clauses(&text, room, "…")) <= room);
            prop_assert!(width(&short(&text, room, "…")) <= room);
            prop_assert_eq!(width(&pad(&text, room, "…")), room);
            prop_assert_eq!(width(&right(&text, room, "…")), room);
            prop_assert!(wrap(&text, room).iter().all(|line| width(line) <= room));
        }

        /// Wrapping loses no letter.
        #[test]
        fn wrapping_loses_nothing(text in "[a-z 日]{0,60}", room in 2_usize..20) {
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&wrap(&text, room).concat()), letters(&text));
        }

        /// Drawing stays inside its area.
        #[test]
        fn drawing_stays_inside(text in any_text(), x in 0_u16..12, y in 0_u16..6, room: u16, seed: u64) {
            in_any_area(seed, |buf, area| {
                put(buf, area, (x, y), &text, Style::new());
                put_line(buf, area, (x, y), &Line::from(vec![text.as_str().into(), "b".bold()]), room, "…");
            });
        }
    }
}
