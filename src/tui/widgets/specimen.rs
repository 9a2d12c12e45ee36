//! A specimen of everything that is drawn, in every theme and every set of symbols: who changes one sees what changes.

use std::fmt::Write as _;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::bar::{self, Bar};
use super::chart::{self, Chart, Limit, Mark, Series, Times};
use super::panel::{self, Frame, Panel};
use super::spark::{self, Spark};
use super::table::{self, Column, Table};
use super::testing::picture;
use super::text::put;
use super::{Look, Tone};
use crate::config::schema::GlyphSet;
use crate::model::units::Unit;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme;

const WIDTH: u16 = 48;
const HEIGHT: u16 = 19;

fn specimen(look: Look<'_>) -> Buffer {
    let area = Rect::new(0, 0, WIDTH, HEIGHT);
    let mut buf = Buffer::empty(area);
    buf.set_style(area, look.style(Tone::Text));
    for (y, tone, text) in [(0, Tone::Header, "header"), (18, Tone::Footer, "footer")] {
        buf.set_style(Rect::new(0, y, WIDTH, 1), look.style(tone));
        put(&mut buf, area, (1, y), text, look.style(tone));
    }
    put(&mut buf, area, (9, 18), "R", look.style(Tone::Footer).patch(look.style(Tone::Key)));
    put(&mut buf, area, (30, 0), "FROZEN 12 s", look.style(Tone::Banner));
    let panel = Panel {
        number: Some(1),
        title: "Health",
        info: Line::from("14:01:07"),
        frame: Frame::Focused,
        stale: Some("no data for 4 s"),
    };
    let inside = panel::draw(&mut buf, Rect::new(0, 1, WIDTH, 7), &panel, look);
    let columns =
        [Column::new("service", 6, 12, 0), Column::new("state", 6, 9, 0), Column::new("5xx", 8, 8, 1)];
    let glyphs = look.glyphs;
    let rows = [
        (Tone::Fail, glyphs.fail, "FAIL"),
        (Tone::Warn, glyphs.warn, "WARN"),
        (Tone::Ok, glyphs.ok, "OK"),
        (Tone::Unknown, glyphs.unknown, "NO DATA"),
    ];
    let cell = |row: &usize, column: usize| {
        let (tone, symbol, word) = rows[*row];
        match column {
            0 => Line::from(format!("s{row}")),
            1 => Line::from(Span::styled(format!("{symbol} {word}"), look.style(tone))),
            _ => {
                let values = [Some(1.0), Some(3.0), None, Some(9.0)];
                let spark =
                    Spark { values: &values, full: 9.0, limit: Some(5.0), tone: Tone::Dim, over: tone };
                spark::line(&spark, 8, look)
            }
        }
    };
    let ids = [0, 1, 2, 3];
    let table =
        Table { columns: &columns, rows: &ids, selected: Some(&1), top: None, header: true, focused: true };
    table::draw(&mut buf, inside, &table, cell, look);
    let share = Bar { value: Some(0.43), max: 1.0, limit: Some(0.8), tone: Tone::Canary };
    bar::draw(&mut buf, Rect::new(1, 8, 16, 1), &share, look);
    for (at, tone) in (0_u16..).zip([
        Tone::Good,
        Tone::Bad,
        Tone::Match,
        Tone::Input,
        Tone::Stale,
        Tone::Disabled,
        Tone::Muted,
        Tone::Danger,
    ]) {
        put(
            &mut buf,
            area,
            (18 + at % 4 * 7, 8 + at / 4),
            &tone.key()[..tone.key().len().min(6)],
            look.style(tone),
        );
    }
    let at = |second: i64| jiff::Timestamp::from_second(second).unwrap();
    let points = |scale: f64| (0..=20).map(|step| (at(step), Some(scale * step as f64))).collect::<Vec<_>>();
    let (stable, canary) = (points(0.1), points(1.0));
    let series = [
        Series { name: "stable", points: &stable, tone: Tone::Stable, dotted: true },
        Series { name: "canary", points: &canary, tone: Tone::Canary, dotted: false },
    ];
    let chart = Chart {
        series: &series,
        from: at(0),
        to: at(20),
        join: Duration::from_secs(3),
        unit: Unit::Plain,
        limits: &[Limit { value: 10.0, label: "limit" }],
        marks: &[Mark { at: at(15), label: "rollback" }],
        times: Times::Before,
        legend: true,
    };
    chart::draw(&mut buf, Rect::new(0, 10, WIDTH, 8), &chart, look);
    buf
}

/// A style in a few letters: `#ff6b68 on #26323f bold`.
fn words(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut words = if fg == Color::Reset { "default".to_owned() } else { fg.to_string().to_lowercase() };
    if bg != Color::Reset {
        let _ = write!(words, " on {}", bg.to_string().to_lowercase());
    }
    for (name, _) in modifier.iter_names() {
        let _ = write!(words, " {}", name.to_lowercase());
    }
    words
}

/// The styles of a buffer: for every row its pieces of one style, blank ones without a background left out.
fn styles(buf: &Buffer) -> String {
    let mut text = String::new();
    for (y, row) in buf.content().chunks(usize::from(WIDTH)).enumerate() {
        let mut pieces: Vec<(String, String)> = Vec::new();
        for cell in row {
            let style = words(cell.fg, cell.bg, cell.modifier);
            match pieces.last_mut() {
                Some((last, symbols)) if *last == style => symbols.push_str(cell.symbol()),
                _ => pieces.push((style, cell.symbol().to_owned())),
            }
        }
        let shown = pieces.into_iter().filter(|(_, symbols)| !symbols.trim().is_empty());
        let shown: Vec<String> =
            shown.map(|(style, symbols)| format!("{}={style}", symbols.trim())).collect();
        let _ = writeln!(text, "{y:>2} {}", shown.join(" | "));
    }
    text
}

/// Every set of symbols, once.
#[test]
fn every_set_of_symbols() {
    let dark = theme::find("dark", &[]).unwrap();
    let sets = [GlyphSet::Unicode, GlyphSet::Blocks, GlyphSet::Ascii]
        .map(|set| picture(&specimen(Look { theme: &dark, glyphs: Glyphs::of(set) })));
    insta::assert_snapshot!(sets.join("\n\n"));
    assert!(sets[2].is_ascii());
}

/// Every theme's styles, piece by piece.
#[test]
fn every_theme() {
    for name in theme::names(&[]) {
        let theme = theme::find(&name, &[]).unwrap();
        let buf = specimen(Look { theme: &theme, glyphs: Glyphs::ascii() });
        insta::assert_snapshot!(name.clone(), styles(&buf));
        if !theme.has_colour() {
            let is_plain = |style: Style| style.fg == Some(Color::Reset) && style.bg == Some(Color::Reset);
            assert!(buf.content().iter().all(|cell| is_plain(cell.style())));
        }
    }
}
