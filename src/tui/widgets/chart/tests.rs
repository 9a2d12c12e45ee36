//! Charts as people see them, at the sizes that matter.

use proptest::prelude::*;

use super::super::testing::{any_text, dark, in_any_area, look, picture};
use super::*;
use crate::tui::glyphs::{ChartMarks, Glyphs};

/// 14:00:00 on some day.
const START: i64 = 1_000_000_800 / 86_400 * 86_400 + 14 * 3_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

/// Five minutes: stable stays low, the canary's errors rise from the third minute on, and for half a minute nobody looked.
fn arms() -> [Vec<(Timestamp, Option<f64>)>; 2] {
    let stable = (0..=60).map(|step| (at(step * 5), Some(0.002 + 0.001 * (step % 3) as f64))).collect();
    let canary = (0..=60)
        .map(|step| {
            let rising = (step - 30).max(0) as f64 / 30.0 * 0.071;
            (at(step * 5), (!(12..18).contains(&step)).then_some(0.003 + rising))
        })
        .collect();
    [stable, canary]
}

fn drawn(width: u16, height: u16, look: Look<'_>, times: Times) -> Buffer {
    let [stable, canary] = arms();
    let series = [
        Series { name: "stable", points: &stable, tone: Tone::Stable, dotted: true },
        Series { name: "canary", points: &canary, tone: Tone::Canary, dotted: false },
    ];
    let chart = Chart {
        series: &series,
        from: at(0),
        to: at(300),
        join: Duration::from_secs(12),
        unit: Unit::Share,
        limits: &[Limit { value: 0.05, label: "limit 5 %" }],
        marks: &[Mark { at: at(270), label: "rollback" }],
        times,
        legend: true,
    };
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(&mut buf, area, &chart, look);
    buf
}

/// The three ways to draw, with axes, limit, event and a gap that no line crosses.
#[test]
fn charts() {
    let theme = dark();
    let block = Glyphs { chart: ChartMarks::Block, ..*Glyphs::unicode() };
    let mut shown = Vec::new();
    for glyphs in [Glyphs::unicode(), &block, Glyphs::ascii()] {
        let look = Look { theme: &theme, glyphs };
        shown.push(picture(&drawn(64, 13, look, Times::Clock(TimeZone::UTC))));
    }
    insta::assert_snapshot!(shown.join("\n\n"));
}

/// With less room there is less to see, and never half a thing.
#[test]
fn small_charts() {
    let theme = dark();
    let shown = [(40, 7), (24, 5), (20, 4), (19, 4), (10, 3), (4, 2), (3, 2)].map(|(width, height)| {
        format!("{width} x {height}\n{}", picture(&drawn(width, height, look(&theme), Times::Before)))
    });
    insta::assert_snapshot!(shown.join("\n\n"));
}

/// A gap is empty whichever way it came: samples without a value, or none at all.
#[test]
fn gaps_are_not_bridged() {
    let theme = dark();
    let ends = |points: &[(Timestamp, Option<f64>)]| {
        let series = [Series { name: "", points, tone: Tone::Ok, dotted: false }];
        let chart = Chart {
            series: &series,
            from: at(0),
            to: at(100),
            join: Duration::from_secs(12),
            unit: Unit::Plain,
            limits: &[],
            marks: &[],
            times: Times::Before,
            legend: false,
        };
        let area = Rect::new(0, 0, 11, 2);
        let mut buf = Buffer::empty(area);
        draw(&mut buf, area, &chart, look(&theme));
        (1..10).all(|x| (0..2).all(|y| buf[(x, y)].symbol() == " "))
    };
    assert!(ends(&[(at(0), Some(1.0)), (at(100), Some(1.0))]));
    assert!(ends(&[(at(0), Some(1.0)), (at(50), None), (at(100), Some(1.0))]));
    let all: Vec<_> = (0..=10).map(|step| (at(step * 10), Some(1.0))).collect();
    assert!(!ends(&all));
}

/// The series drawn last has the cell, limits do not hide data, and every part has its own colour.
#[test]
fn parts_have_their_colours() {
    let theme = dark();
    let buf = drawn(64, 13, look(&theme), Times::Before);
    let colours: Vec<_> =
        buf.content().iter().filter(|cell| cell.symbol() != " ").map(|cell| cell.fg).collect();
    for tone in [Tone::Stable, Tone::Canary, Tone::Limit, Tone::Accent, Tone::Dim] {
        assert!(colours.contains(&theme.style(tone).fg.unwrap()), "{tone}");
    }
}

proptest! {
    /// Any samples, any window (also one that ends before it begins), any area.
    #[test]
    fn stays_inside(
        points in proptest::collection::vec((-500_i64..500, proptest::option::of(proptest::num::f64::ANY)), 0..40),
        from in -500_i64..500,
        length in -50_i64..2_000,
        limit: f64,
        label in any_text(),
        marks: u8,
        seed: u64,
    ) {
        let theme = dark();
        let points: Vec<_> = points.into_iter().map(|(second, value)| (at(second), value)).collect();
        let series = [Series { name: &label, points: &points, tone: Tone::Canary, dotted: seed & 1 == 1 }];
        let glyphs = Glyphs {
            chart: [ChartMarks::Braille, ChartMarks::Block, ChartMarks::Ascii][usize::from(marks % 3)],
            ..*Glyphs::unicode()
        };
        let chart = Chart {
            series: &series,
            from: at(from),
            to: at(from + length),
            join: Duration::from_secs(60),
            unit: Unit::Millis,
            limits: &[Limit { value: limit, label: &label }],
            marks: &[Mark { at: at(from + length / 2), label: &label }],
            times: Times::Clock(TimeZone::UTC),
            legend: true,
        };
        in_any_area(seed, |buf, area| draw(buf, area, &chart, Look { theme: &theme, glyphs: &glyphs }));
    }
}
