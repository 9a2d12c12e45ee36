//! Where the figures come from: each source, whether it can be read, whether it is left alone for a while, how old its newest
//! reading is and what it feeds. Beside them the platforms that cannot be read, and the channels that take no messages.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use crate::engine::account::{breaker_words, channel_words};
use crate::engine::incidents::whole;
use crate::engine::runtime::Waiting;
use crate::model::SourceName;
use crate::model::breaker::Dependency;
use crate::model::delivery::Delivery;
use crate::model::units::human;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::table::Column;
use crate::tui::widgets::text;

/// A message that is not accepted within this is worth a look.
const LONG: Duration = Duration::from_secs(5);

/// Writes it.
pub(super) fn write<'a>(scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    table(&mut page, scene);
    alarms(&mut page, scene);
    troubles(&mut page, scene);
    messages(&mut page, scene);
    Sheet::new("Sources".to_owned(), page.finish())
}

fn table(page: &mut Writer<'_>, scene: &Scene<'_>) {
    let look = page.look;
    let sources = &scene.config().sources;
    page.heading("sources");
    if sources.is_empty() {
        page.text(Tone::Dim, "The config has no source: only probes are watched.");
        return;
    }
    let rows: Vec<Vec<Line<'static>>> = sources
        .iter()
        .map(|(name, spec)| {
            let fault = scene.state().source_faults.contains_key(name);
            let breaker = scene.state().source_breakers.get(name);
            let (newest, fed) = fed(scene, name);
            let (words, tone) = match (fault, breaker) {
                (_, Some(breaker)) => (format!("breaker {}", breaker.state.word()), Tone::Warn),
                (true, None) => ("unreadable".to_owned(), Tone::Warn),
                (false, None) if newest.is_none() && fed > 0 => ("nothing yet".to_owned(), Tone::Unknown),
                (false, None) => ("readable".to_owned(), Tone::Ok),
            };
            let newest = newest.map_or_else(|| "never".to_owned(), |at| text::age(age(at, scene.now())));
            vec![
                Line::raw(name.to_string()),
                Line::styled(spec.word(), look.style(Tone::Dim)),
                Line::styled(words, look.style(tone)),
                Line::raw(newest),
                Line::styled(human(*spec.interval()), look.style(Tone::Dim)),
                Line::raw(fed.to_string()),
            ]
        })
        .collect();
    let columns = [
        Column::new("source", 8, 24, 0),
        Column::new("kind", 6, 12, 2),
        Column::new("state", 10, 18, 0),
        Column::new("newest", 6, 10, 1).at_right(),
        Column::new("read every", 10, 12, 2).at_right(),
        Column::new("indicators", 10, 10, 1).at_right(),
    ];
    page.table(&columns, &rows);
}

/// Whether alarms arrive, where one that always fires tells.
fn alarms(page: &mut Writer<'_>, scene: &Scene<'_>) {
    let spec = &scene.config().alarms;
    // Where no alarm ever came, nobody expects one.
    if spec.watchdog.is_empty() || scene.state().alarms.all().next().is_none() {
        return;
    }
    let heard = scene.state().alarms.all().filter(|alarm| spec.is_watchdog(&alarm.facts.name));
    let heard = heard.map(|alarm| alarm.last_seen).max();
    page.heading("alarms");
    match (scene.state().alarms.path_down(), heard) {
        (Some(down), _) => {
            let lasts = human(whole(age(down.since, scene.now())));
            let words = format!(
                "{} was not heard for {lasts}: other alarms would not arrive either. Look at Prometheus, Alertmanager and the way to here.",
                spec.watchdog
            );
            page.text(Tone::Fail, &words);
        }
        (None, Some(_)) => page.text(Tone::Ok, &format!("They arrive: {} is heard.", spec.watchdog)),
        (None, None) => page.text(
            Tone::Dim,
            &format!("Nothing is known: {}, which always fires, was never heard.", spec.watchdog),
        ),
    }
}

/// The newest reading of a source, and how many indicators it feeds.
fn fed(scene: &Scene<'_>, source: &SourceName) -> (Option<Timestamp>, usize) {
    let (mut newest, mut count) = (None, 0);
    for (service, spec) in &scene.config().services {
        let reading = scene.view().readings.get(service).map(|(_, reading)| reading.as_ref());
        for (name, _) in spec.indicators.iter().filter(|(_, indicator)| indicator.source == *source) {
            count += 1;
            let seen = reading.into_iter().flat_map(|reading| &reading.indicators);
            newest = newest.max(seen.filter(|seen| seen.indicator == *name).map(|seen| seen.at).max());
        }
    }
    (newest, count)
}

/// Why something cannot be read, and when it is tried again.
fn troubles(page: &mut Writer<'_>, scene: &Scene<'_>) {
    let look = page.look;
    let state = scene.state();
    let mark = Span::styled(look.glyphs.warn, look.style(Tone::Warn));
    let mut lines = Vec::new();
    for (source, fault) in &state.source_faults {
        let since = scene.moment(fault.since);
        lines.push(format!("{source} cannot be read since {since}: {}", fault.reason));
    }
    for (service, known) in &state.services {
        if let Some(fault) = &known.platform_fault {
            let since = scene.moment(fault.since);
            lines.push(format!("the platform of {service} cannot be read since {since}: {}", fault.reason));
        }
    }
    for (dependency, breaker) in state.breakers() {
        lines.push(match &dependency {
            Dependency::Source(source) => format!("{source} {}", breaker_words(breaker)),
            Dependency::Platform(service) => format!("the platform of {service} {}", breaker_words(breaker)),
            // It is written to, not read.
            Dependency::Channel(_) => continue,
        });
    }
    if lines.is_empty() {
        return;
    }
    page.heading("what cannot be read");
    for line in lines {
        page.bullet(&mark, Tone::Text, &line);
    }
}

/// What people have not been told, as far as it was tried.
fn messages(page: &mut Writer<'_>, scene: &Scene<'_>) {
    let look = page.look;
    let mark = Span::styled(look.glyphs.warn, look.style(Tone::Warn));
    let mut lines = Vec::new();
    for (channel, breaker) in &scene.state().channel_breakers {
        lines.push(format!("{channel} {}", channel_words(breaker)));
    }
    for delivery in scene.view().deliveries.iter().filter(|delivery| !delivery.reason.is_empty()) {
        let Delivery { kind, channel, .. } = delivery;
        lines.push(format!("{} to {channel}: {}", kind.word(), delivery.words(scene.now())));
    }
    for (channel, Waiting { count, oldest, tried }) in scene.view().waiting() {
        // What is tried again is above; what has only just come up is on its way.
        if tried.is_none() && age(oldest, scene.now()) >= LONG {
            let many = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
            lines.push(format!(
                "{many} to {channel} not accepted yet, the oldest of {}",
                scene.moment(oldest)
            ));
        }
    }
    if lines.is_empty() {
        return;
    }
    page.heading("what is not accepted");
    for line in lines {
        page.bullet(&mark, Tone::Text, &line);
    }
}
