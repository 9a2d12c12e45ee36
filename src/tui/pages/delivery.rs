//! Delivery over a quarter: what is promised and whether it is kept, DORA's five measures and the times of incidents, with a
//! small chart of the weeks. What is not known says so and is no zero; a chart has a gap where no week had a value.

use jiff::tz::TimeZone;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use crate::model::ServiceName;
use crate::report::delivery::{Delivery, Measures, Verdict, Week};
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::table::Column;
use crate::tui::widgets::text;

/// Writes it.
pub(super) fn write<'a>(scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    let title = "Delivery".to_owned();
    match &scene.picture.delivery {
        None => page.text(Tone::Dim, "The journal is being read."),
        Some(Err(why)) => {
            page.text(Tone::Fail, &format!("The journal cannot be read: {}", text::plain(why)));
            page.text(Tone::Dim, "`unship journal verify` looks at its file.");
        }
        Some(Ok(delivery)) => all(&mut page, delivery, scene),
    }
    Sheet::new(title, page.finish())
}

fn all(page: &mut Writer<'_>, delivery: &Delivery, scene: &Scene<'_>) {
    let key = scene.picture.keymap.key_of("refresh").unwrap_or_else(|| ":refresh".to_owned());
    let day = |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string();
    let Some(known) = delivery.known else {
        page.text(Tone::Dim, "The journal knows nothing of the last 13 weeks.");
        return;
    };
    page.text(
        Tone::Dim,
        &format!(
            "{} to {}, read at {}; {key} reads it anew.",
            day(known.from),
            day(known.to),
            scene.short_moment(delivery.made_at)
        ),
    );
    objectives(page, &delivery.all);
    measures(page, &delivery.all);
    // Of one service alone it would be the same again.
    for service in delivery.services.iter().filter(|_| delivery.services.len() > 1) {
        measures(page, service);
    }
    if !delivery.notes.is_empty() {
        page.heading("what the journal cannot know");
        for note in &delivery.notes {
            page.text(Tone::Dim, note);
        }
    }
}

fn objectives(page: &mut Writer<'_>, all: &Measures) {
    let look = page.look;
    page.heading("objectives");
    let rows: Vec<Vec<Line<'static>>> = all
        .objectives
        .iter()
        .map(|objective| {
            let (sign, tone) = match objective.verdict {
                Verdict::Met => (look.glyphs.ok, Tone::Ok),
                Verdict::Missed => (look.glyphs.fail, Tone::Fail),
                Verdict::NoData => (look.glyphs.unknown, Tone::Unknown),
            };
            vec![
                Line::raw(objective.name),
                Line::styled(objective.limit.clone(), look.style(Tone::Dim)),
                Line::styled(format!("{sign} {}", objective.verdict.words()), look.style(tone)),
                Line::raw(objective.value.clone()),
            ]
        })
        .collect();
    let columns = [
        Column::new("what", 10, 30, 0),
        Column::new("promised", 8, 14, 2),
        Column::new("kept", 8, 12, 0),
        Column::new("is", 8, 60, 1),
    ];
    page.table(&columns, &rows);
}

/// The measures of one service, or of all.
fn measures(page: &mut Writer<'_>, of: &Measures) {
    let name = of.service.as_ref().map_or("all services", ServiceName::as_str);
    page.heading(name);
    let made = &of.deployments;
    let frequency = match (made.per_week, made.frequency) {
        (Some(per_week), Some(word)) => format!("{per_week:.1} a week, {word}"),
        _ => "no data".to_owned(),
    };
    let incidents = &of.incidents;
    let open = if incidents.open > 0 { format!(", {} open", incidents.open) } else { String::new() };
    let mut rows: Vec<(&str, String, String)> = vec![
        ("deployments", chart(page, of, |week| Some(week.deployments as f64)), frequency),
        ("failed", chart(page, of, |week| Some(week.failures as f64)), made.change_fail_rate.words()),
        ("rework", chart(page, of, |week| Some(week.rollbacks as f64)), made.rework_rate.words()),
        (
            "recovery",
            chart(page, of, |week| week.median_recovery_ms.map(|median| median.0 as f64)),
            made.recovery.words(),
        ),
        ("lead time", String::new(), made.lead.words()),
        (
            "incidents",
            chart(page, of, |week| Some(week.incidents as f64)),
            format!("{} declared{open}", incidents.n),
        ),
    ];
    for time in incidents.times.iter().filter(|time| time.figures.n > 0 || !time.figures.open_ms.is_empty()) {
        rows.push((
            time.metric.word(),
            String::new(),
            format!("{}, {}", time.figures.words(), time.metric.meaning()),
        ));
    }
    rows.push(("alerts right", String::new(), incidents.alert_accuracy.words()));
    let width = of.weeks.len().clamp(1, WEEKS);
    let style = page.look.style(Tone::Accent);
    for (label, chart, words) in rows {
        // Every value stands in the same column, with or without a chart.
        let chart = text::pad(&chart, width, page.look.glyphs.ellipsis);
        page.field_line(label, vec![Span::styled(chart, style), Span::raw("  "), Span::raw(words)]);
    }
}

/// Weeks that a chart shows, the newest at its end.
const WEEKS: usize = 13;

/// A sign for each week, as high as its part of the highest; a gap where there is no value.
fn chart(page: &Writer<'_>, of: &Measures, value: impl Fn(&Week) -> Option<f64>) -> String {
    let weeks = &of.weeks[of.weeks.len().saturating_sub(WEEKS)..];
    let values: Vec<Option<f64>> = weeks.iter().map(value).collect();
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let glyphs = page.look.glyphs;
    values
        .into_iter()
        .map(|value| match value {
            None => glyphs.gap,
            Some(value) if highest > 0.0 => {
                let top = glyphs.spark.len() - 1;
                glyphs.spark[((value / highest * top as f64).round() as usize).min(top)]
            }
            Some(_) => glyphs.spark[0],
        })
        .collect()
}
