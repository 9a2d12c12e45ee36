//! The frame of a pane or a dialog: number, title, what there is to say at its right end, focus, age.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::text::{clip, put, put_line, width};
use super::{Look, Tone};

/// How a frame stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Frame {
    /// Like the others.
    #[default]
    Quiet,
    /// Has the focus.
    Focused,
    /// A dialog about something dangerous.
    Danger,
}

/// A frame with its texts.
#[derive(Clone, Debug, Default)]
pub struct Panel<'a> {
    /// The key that leads here, if there is one.
    pub number: Option<u8>,
    /// What is in it.
    pub title: &'a str,
    /// What stands at the right end of the title's line: a clock, a count. Left out first when there is no room.
    pub info: Line<'a>,
    /// How it stands out.
    pub frame: Frame,
    /// Why the data are old, if they are: `no data for 23 s`. Stands in front of `info`, and comes before it.
    pub stale: Option<&'a str>,
}

/// Draws the frame; answers what is inside. Below 3 rows or 4 columns there is no frame, and all of the area is inside.
///
/// ```text
/// ╭1 Health ───────────── no data for 23 s · 14:01:07 ─╮
/// │ inside                                             │
/// ╰────────────────────────────────────────────────────╯
/// ```
pub fn draw(buf: &mut Buffer, area: Rect, panel: &Panel<'_>, look: Look<'_>) -> Rect {
    if area.height < 3 || area.width < 4 {
        return clip(buf, area);
    }
    let (lines, titles, set) = match panel.frame {
        Frame::Quiet => (Tone::Border, Tone::Title, look.glyphs.border),
        Frame::Focused => (Tone::Focus, Tone::Focus, look.glyphs.border_focus),
        Frame::Danger => (Tone::Danger, Tone::Danger, look.glyphs.border_focus),
    };
    let (lines, titles) = (look.style(lines), look.style(titles));
    let (right, bottom) = (area.width - 1, area.height - 1);
    for x in 1..right {
        put(buf, area, (x, 0), set.horizontal_top, lines);
        put(buf, area, (x, bottom), set.horizontal_bottom, lines);
    }
    for y in 1..bottom {
        put(buf, area, (0, y), set.vertical_left, lines);
        put(buf, area, (right, y), set.vertical_right, lines);
    }
    for (at, corner) in [
        ((0, 0), set.top_left),
        ((right, 0), set.top_right),
        ((0, bottom), set.bottom_left),
        ((right, bottom), set.bottom_right),
    ] {
        put(buf, area, at, corner, lines);
    }
    let title_end = title(buf, area, panel, look, titles);
    info(buf, area, panel, look, title_end);
    clip(buf, Rect { x: area.x + 1, y: area.y.saturating_add(1), width: right - 1, height: bottom - 1 })
}

/// The title in the upper line; answers the column behind it.
fn title(buf: &mut Buffer, area: Rect, panel: &Panel<'_>, look: Look<'_>, style: Style) -> u16 {
    let number = panel.number.map(|number| number.to_string()).unwrap_or_default();
    if panel.title.is_empty() && number.is_empty() {
        return 1;
    }
    // A title without a number stands off its corner; a number leans against it.
    let space = if number.is_empty() { " " } else { "" };
    let between = if number.is_empty() || panel.title.is_empty() { "" } else { " " };
    let line = Line::from(vec![
        Span::styled(format!("{space}{number}{between}"), style),
        Span::styled(panel.title, style),
        Span::styled(" ", style),
    ]);
    put_line(buf, area, (1, 0), &line, area.width - 2, look.glyphs.ellipsis)
}

/// Age and information at the right end of the upper line, as much of them as there is room for.
fn info(buf: &mut Buffer, area: Rect, panel: &Panel<'_>, look: Look<'_>, from: u16) {
    let stale = panel.stale.map(|stale| Span::styled(stale, look.style(Tone::Warn)));
    let separator = Span::styled(format!(" {} ", look.glyphs.separator), look.style(Tone::Dim));
    // The line below may be bold; what stands in it is not.
    let dim =
        Style::new().remove_modifier(Modifier::BOLD).patch(look.style(Tone::Dim)).patch(panel.info.style);
    let rest: Vec<Span<'_>> = panel
        .info
        .spans
        .iter()
        .map(|span| Span::styled(span.content.clone(), dim.patch(span.style)))
        .collect();
    let mut whole: Vec<Span<'_>> = stale.clone().into_iter().collect();
    if !whole.is_empty() && !rest.is_empty() {
        whole.push(separator);
    }
    whole.extend(rest);
    let room = usize::from(area.width.saturating_sub(from + 2));
    for spans in [whole, stale.into_iter().collect()] {
        let taken: usize = spans.iter().map(|span| width(&super::text::clean(&span.content))).sum();
        // A space on both sides.
        if taken == 0 || taken + 2 > room {
            continue;
        }
        let start = area.width - 2 - (taken as u16 + 2);
        let x = put(buf, area, (start, 0), " ", Style::new());
        let x = put_line(buf, area, (x, 0), &Line::from(spans), taken as u16, look.glyphs.ellipsis);
        put(buf, area, (x, 0), " ", Style::new());
        return;
    }
}

/// Makes what is drawn look old: one grey, nothing bold, whatever it meant. Backgrounds stay.
pub fn fade(buf: &mut Buffer, area: Rect, look: Look<'_>) {
    let loud = Modifier::BOLD | Modifier::REVERSED | Modifier::UNDERLINED;
    let style = Style::new().remove_modifier(loud).patch(look.style(Tone::Stale));
    buf.set_style(clip(buf, area), style);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::Color;

    use super::super::testing::{any_text, dark, in_any_area, look, picture};
    use super::*;

    fn shown(width: u16, panel: &Panel<'_>) -> String {
        let theme = dark();
        let area = Rect::new(0, 0, width, 3);
        let mut buf = Buffer::empty(area);
        assert_eq!(draw(&mut buf, area, panel, look(&theme)), Rect::new(1, 1, width - 2, 1));
        picture(&buf)
    }

    /// Information gives way first, then the reason for the age, then the end of the title.
    #[test]
    fn frames() {
        let mut panel =
            Panel { number: Some(1), title: "Health", info: Line::from("14:01:07"), ..Panel::default() };
        let fresh = shown(40, &panel);
        panel.stale = Some("no data for 23 s");
        panel.frame = Frame::Focused;
        let wide = shown(46, &panel);
        let small = shown(32, &panel);
        panel.frame = Frame::Danger;
        panel.number = None;
        panel.title = "Roll back checkout";
        let dialog = shown(16, &panel);
        insta::assert_snapshot!([fresh, wide, small, dialog].join("\n"));
    }

    /// Old data are grey, and nothing in them shouts.
    #[test]
    fn old_data_look_old() {
        let theme = dark();
        let area = Rect::new(0, 0, 8, 1);
        let mut buf = Buffer::empty(area);
        put(&mut buf, area, (0, 0), "FAIL", theme.style(Tone::Fail).bg(Color::Blue));
        fade(&mut buf, area, look(&theme));
        let cell = &buf[(0, 0)];
        assert_eq!((Some(cell.fg), cell.bg), (theme.style(Tone::Stale).fg, Color::Blue));
        assert!(!cell.modifier.contains(Modifier::BOLD));
    }

    proptest! {
        /// At any size the frame and what it says is inside are inside the area.
        #[test]
        fn stays_inside(title in any_text(), info in any_text(), stale in proptest::option::of(any_text()), seed: u64) {
            let theme = dark();
            let panel = Panel {
                number: (seed & 1 == 1).then_some(2),
                title: &title,
                info: Line::from(info.as_str()),
                frame: Frame::Focused,
                stale: stale.as_deref(),
            };
            in_any_area(seed, |buf, area| {
                let inside = draw(buf, area, &panel, look(&theme));
                assert_eq!(inside.intersection(area).intersection(buf.area).area(), inside.area());
                fade(buf, area, look(&theme));
            });
        }
    }
}
