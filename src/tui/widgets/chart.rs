//! A chart: several series over one window of time, limits, events, gaps as gaps.
//!
//! - `canvas`: dots in cells, as braille, half blocks or ASCII; `scale`: round numbers for the axes.

mod canvas;
mod scale;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use self::canvas::Canvas;
use super::text::{Cut, clip, fit, put, put_line, value, width};
use super::{Look, Tone};
use crate::model::units::Unit;

/// A series of a chart.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// Its name, for the legend.
    pub name: &'a str,
    /// Its samples in the order of time. A missing sample is a gap.
    pub points: &'a [(Timestamp, Option<f64>)],
    /// What it means.
    pub tone: Tone,
    /// Drawn with every other dot, so that two series are told apart without colour.
    pub dotted: bool,
}

/// A horizontal line at a value.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// Where.
    pub value: f64,
    /// What it says: `limit 1 %`.
    pub label: &'a str,
}

/// A vertical line at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// When.
    pub at: Timestamp,
    /// What happened: `rollback`.
    pub label: &'a str,
}

/// How instants are written.
#[derive(Clone, Debug)]
pub enum Times {
    /// As the time of day.
    Clock(TimeZone),
    /// As how long before the end of the window: `-5m`.
    Before,
}

/// A chart to draw.
#[derive(Clone, Debug)]
pub struct Chart<'a> {
    /// The series, the most important last: it is drawn over the others.
    pub series: &'a [Series<'a>],
    /// The window of time.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Two samples further apart than this are not joined: what was not measured is not drawn.
    pub join: Duration,
    /// The unit of the values.
    pub unit: Unit,
    /// Lines at values. The scale reaches above all of them.
    pub limits: &'a [Limit<'a>],
    /// Lines at instants.
    pub marks: &'a [Mark<'a>],
    /// How instants are written.
    pub times: Times,
    /// Whether the names of the series are shown, if there is room.
    pub legend: bool,
}

/// Below this there is nothing to see.
const SMALLEST: (u16, u16) = (4, 2);
/// Below this there are no axes.
const SMALLEST_WITH_AXES: (u16, u16) = (20, 4);
/// The widest label of the value axis.
const WIDEST_LABEL: usize = 9;

/// Draws the chart.
///
/// ```text
///        canary ⣀  stable ⠂                  legend, from 6 rows on
///  10 % │    plot                   rollback
///   5 % │────────────────────────── limit 5 %
///     0 │
///        14:00          14:05          14:10
/// ```
pub fn draw(buf: &mut Buffer, area: Rect, chart: &Chart<'_>, look: Look<'_>) {
    let is_below = |(width, height): (u16, u16)| area.width < width || area.height < height;
    if is_below(SMALLEST) || clip(buf, area).is_empty() {
        return;
    }
    let top = scale::top(highest(chart));
    if is_below(SMALLEST_WITH_AXES) {
        plot(buf, area, chart, top, look);
        return;
    }
    let legend = u16::from(chart.legend && area.height >= 6 && !chart.series.is_empty());
    let height = area.height - 1 - legend;
    let labels = [(0, value(top, chart.unit)), (height - 1, "0".to_owned())];
    let middle = (height >= 5 && height % 2 == 1).then(|| (height / 2, value(top / 2.0, chart.unit)));
    let labels: Vec<(u16, String)> = labels.into_iter().chain(middle).collect();
    let widest = labels.iter().map(|(_, label)| width(label)).max().unwrap_or(0).min(WIDEST_LABEL) as u16;
    let left = widest + 1;
    for (y, label) in &labels {
        let label = fit(label, usize::from(widest), Cut::End, look.glyphs.ellipsis);
        let x = widest - width(&label) as u16;
        put(buf, area, (x, legend + y), &label, look.style(Tone::Dim));
    }
    let inside = Rect {
        x: area.x.saturating_add(left),
        y: area.y.saturating_add(legend),
        width: area.width - left,
        height,
    };
    plot(buf, inside, chart, top, look);
    time_axis(buf, Rect { y: inside.y.saturating_add(height), height: 1, ..inside }, chart, look);
    if legend > 0 {
        names(buf, Rect { y: area.y, height: 1, ..inside }, chart, look);
    }
}

/// The largest number that has to be seen.
fn highest(chart: &Chart<'_>) -> f64 {
    let samples = chart
        .series
        .iter()
        .flat_map(|series| series.points)
        .filter(|(at, _)| (chart.from..=chart.to).contains(at))
        .filter_map(|(_, value)| *value);
    let limits = chart.limits.iter().map(|limit| limit.value);
    samples.chain(limits).filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// The window without its axes.
fn plot(buf: &mut Buffer, area: Rect, chart: &Chart<'_>, top: f64, look: Look<'_>) {
    let mut canvas = Canvas::new(area.width, area.height, look.glyphs.chart);
    let (dots_wide, dots_high) = canvas.dots();
    let column = |at: Timestamp, columns: u32| {
        let share = share_of(chart, at);
        (share * f64::from(columns.saturating_sub(1))).round() as i64
    };
    let row = |value: f64, rows: u32| {
        let share = (value / top).clamp(0.0, 1.0);
        ((1.0 - share) * f64::from(rows.saturating_sub(1))).round() as i64
    };
    // Events and limits first: where there is data, data is seen.
    for mark in chart.marks.iter().filter(|mark| (chart.from..=chart.to).contains(&mark.at)) {
        let x = column(mark.at, u32::from(area.width)) as u16;
        for y in 0..area.height {
            put(buf, area, (x, y), look.glyphs.event_line, look.style(Tone::Accent));
        }
    }
    for limit in chart.limits.iter().filter(|limit| limit.value.is_finite()) {
        // In dots first: the line is in the cell that a sample of that value would be in.
        let y = canvas.row_of(row(limit.value, dots_high));
        for x in 0..area.width {
            put(buf, area, (x, y), look.glyphs.limit_line, look.style(Tone::Limit));
        }
    }
    for (number, series) in chart.series.iter().enumerate() {
        let mut before: Option<(Timestamp, i64, i64)> = None;
        for (at, value) in series.points {
            let inside = (chart.from..=chart.to).contains(at);
            let Some(value) = value.filter(|value| inside && value.is_finite()) else {
                before = None;
                continue;
            };
            let here = (column(*at, dots_wide), row(value, dots_high));
            let joined = before.filter(|(then, ..)| at.duration_since(*then).unsigned_abs() <= chart.join);
            let start = joined.map_or(here, |(_, x, y)| (x, y));
            canvas.line(start, here, number, series.dotted);
            before = Some((*at, here.0, here.1));
        }
    }
    canvas.each(|at, symbol, number| {
        let tone = chart.series.get(number).map_or(Tone::Text, |series| series.tone);
        put(buf, area, at, symbol, look.style(tone));
    });
    for limit in chart.limits.iter().filter(|limit| limit.value.is_finite()) {
        let y = canvas.row_of(row(limit.value, dots_high));
        label(buf, area, &canvas, y, limit.label, look, Tone::Limit);
    }
    // Not over the words of a limit that is drawn at the top.
    let is_taken = chart.limits.iter().any(|limit| {
        limit.value.is_finite() && canvas.row_of(row(limit.value, dots_high)) == 0 && area.height > 1
    });
    for mark in chart.marks.iter().filter(|mark| (chart.from..=chart.to).contains(&mark.at)) {
        let x = column(mark.at, u32::from(area.width)) as u16;
        mark_label(buf, area, (x, u16::from(is_taken)), mark.label, look);
    }
}

/// How far in the window an instant is, 0 to 1.
fn share_of(chart: &Chart<'_>, at: Timestamp) -> f64 {
    let whole = chart.to.duration_since(chart.from).as_secs_f64();
    let passed = at.duration_since(chart.from).as_secs_f64();
    if whole > 0.0 { (passed / whole).clamp(0.0, 1.0) } else { 1.0 }
}

/// A limit's words on its line: at the right end, or further left where there is no data below them. Where data is
/// everywhere, at the right end all the same: a line that nobody knows the meaning of helps less.
fn label(buf: &mut Buffer, area: Rect, canvas: &Canvas, y: u16, text: &str, look: Look<'_>, tone: Tone) {
    let text = format!(" {text} ");
    let taken = width(&text) as u16;
    // On a narrow plot the words would hide most of the line.
    if text.trim().is_empty() || u32::from(taken) * 2 > u32::from(area.width) {
        return;
    }
    let last = area.width - taken;
    let is_free = |x: &u16| (*x..*x + taken).all(|x| canvas.is_empty(x, y));
    let x = (0..=last).rev().step_by(2).find(is_free).unwrap_or(last);
    put(buf, area, (x, y), &text, look.style(tone));
}

/// An event's words beside its line, near the top.
fn mark_label(buf: &mut Buffer, area: Rect, (x, y): (u16, u16), text: &str, look: Look<'_>) {
    let taken = width(text) as u16;
    if u32::from(taken) * 2 > u32::from(area.width) {
        return;
    }
    let from = if x + 1 + taken <= area.width { x + 1 } else { x.saturating_sub(taken) };
    put(buf, area, (from, y), text, look.style(Tone::Accent));
}

/// Round instants below the plot.
fn time_axis(buf: &mut Buffer, area: Rect, chart: &Chart<'_>, look: Look<'_>) {
    let most = usize::from(area.width / 12).max(2);
    let ticks = scale::ticks(chart.from, chart.to, most, &chart.times);
    let mut free = 0;
    for (at, label) in ticks {
        let taken = width(&label) as u16;
        let middle = (share_of(chart, at) * f64::from(area.width.saturating_sub(1))).round() as u16;
        let x = middle.saturating_sub(taken / 2).min(area.width.saturating_sub(taken));
        if x < free || taken > area.width {
            continue;
        }
        free = put(buf, area, (x, 0), &label, look.style(Tone::Dim)) + 2;
    }
}

/// The names of the series, each beside a piece of its line.
fn names(buf: &mut Buffer, area: Rect, chart: &Chart<'_>, look: Look<'_>) {
    let mut spans = Vec::new();
    for (number, series) in chart.series.iter().enumerate().rev() {
        let sample = canvas::sample(look.glyphs.chart, number, series.dotted);
        spans.push(Span::styled(sample, look.style(series.tone)));
        spans.push(Span::raw(" "));
        spans.push(Span::styled(series.name, look.style(series.tone)));
        spans.push(Span::raw("   "));
    }
    spans.pop();
    put_line(buf, area, (0, 0), &Line::from(spans), area.width, look.glyphs.ellipsis);
}

#[cfg(test)]
mod tests;
